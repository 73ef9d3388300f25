//! Servers that are no cluster, real or simulated, under one set of questions.

use std::sync::Arc;
use std::time::Duration;

use slotscope::base::Dur;
use slotscope::params::{Config, Source};
use slotscope::resp::Value;
use slotscope::trace::{HostId, Level};
use slotscope::world::World;
use slotscope::world::plan::{Action, NodeSpec, Plan};

use super::real::Servers;
use crate::support::ask_when_free;

/// Either side.
pub enum Side {
    Real(Box<Servers>),
    Simulated(Box<World>),
}

impl Side {
    /// Simulated servers with these settings, started.
    pub fn simulated(ports: &[u16], settings: &[(&str, &str)]) -> Side {
        let node = |(i, &port): (usize, &u16)| {
            let mut conf = Config::default();
            for (name, value) in settings {
                conf.set(name, &[value], Source::File).expect("a directive of Redis");
            }
            conf.port = port;
            NodeSpec::new(name(i), conf)
        };
        let plan = Plan::new("servers", ports.iter().enumerate().map(node).collect());
        let mut world = World::new(Arc::new(plan), 1, Level::Headline);
        for i in 0..ports.len() {
            world.act(&Action::Start { node: name(i), wipe: false });
        }
        world.run_for(Dur::secs(1));
        Side::Simulated(Box::new(world))
    }

    pub fn ask(&mut self, n: usize, words: &[&str]) -> Value {
        match self {
            Side::Real(servers) => servers.ask(n, words),
            Side::Simulated(world) => ask_when_free(world, n, words),
        }
    }
    /// The same, with a line of words.
    pub fn tell(&mut self, n: usize, line: &str) -> Value {
        self.ask(n, &line.split(' ').collect::<Vec<_>>())
    }
    pub fn wait(&mut self, ms: u64) {
        match self {
            Side::Real(_) => std::thread::sleep(Duration::from_millis(ms)),
            Side::Simulated(world) => world.run_for(Dur::ms(ms)),
        }
    }
    /// kill -9, and started again; `wipe`: its data are gone. Returns when it has loaded what is there.
    pub fn again(&mut self, n: usize, wipe: bool) {
        match self {
            Side::Real(servers) => servers.again(n, wipe),
            Side::Simulated(world) => {
                world.act(&Action::Restart { node: name(n), wipe });
                world.run_for(Dur::secs(1));
            }
        }
        for _ in 0..100 {
            if !self.tell(n, "PING").is_error() {
                return;
            }
            self.wait(50);
        }
        panic!("{} does not load its data", name(n));
    }
    /// The names of the files of its data, sorted.
    pub fn files(&self, n: usize) -> Vec<String> {
        match self {
            Side::Real(servers) => servers.files(n),
            Side::Simulated(world) => {
                let disk = &world.hosts[HostId(n as u32)].disk;
                let aof = disk.aof.iter().flat_map(|aof| {
                    let base = Some(format!("{}.base.rdb", aof.sequence));
                    let commands = (aof.incremental > 0).then(|| format!("{}.incr.aof", aof.incremental));
                    let all = [base, commands, Some("manifest".to_string())].into_iter().flatten();
                    all.map(|end| format!("appendonlydir/appendonly.aof.{end}"))
                });
                let mut all: Vec<String> =
                    disk.rdb.iter().map(|_| "dump.rdb".to_string()).chain(aof).collect();
                all.sort();
                all
            }
        }
    }
    pub fn info(&mut self, n: usize, section: &str) -> Vec<(String, String)> {
        let answer = self.ask(n, &["INFO", section]);
        let text = answer.as_str().unwrap_or_default();
        let lines = text.lines().filter_map(|l| l.trim_end().split_once(':'));
        lines.map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }
    pub fn field(&mut self, n: usize, section: &str, name: &str) -> String {
        let info = self.info(n, section);
        info.into_iter().find(|(k, _)| k == name).map_or(String::new(), |(_, v)| v)
    }
}

/// What two sides tell, chapter by chapter, where they differ.
pub fn differences(real: &[Chapter], simulated: &[Chapter]) -> Vec<String> {
    let mut out = Vec::new();
    assert_eq!(real.len(), simulated.len());
    for ((chapter, a), (_, b)) in real.iter().zip(simulated) {
        for i in 0..a.len().max(b.len()) {
            let (a, b) = (a.get(i).map_or("-", String::as_str), b.get(i).map_or("-", String::as_str));
            if a != b {
                out.push(format!("{chapter}: real `{a}`, simulated `{b}`"));
            }
        }
    }
    out
}

/// What was done, and what was seen after it.
pub type Chapter = (&'static str, Vec<String>);

fn name(n: usize) -> String {
    format!("n{}", n + 1)
}
