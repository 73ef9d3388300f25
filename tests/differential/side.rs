//! Servers that are no cluster, real or simulated, under one set of questions.

use std::sync::Arc;
use std::time::Duration;

use slotscope::base::Dur;
use slotscope::params::{Config, Source};
use slotscope::resp::Value;
use slotscope::trace::Level;
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

fn name(n: usize) -> String {
    format!("n{}", n + 1)
}
