//! A simulated cluster to send commands to.

use std::sync::Arc;

use slotscope::base::Dur;
use slotscope::params::{Config, Source};
use slotscope::resp::Value;
use slotscope::text::{NodesText, parse_nodes};
use slotscope::trace::{HostId, Level};
use slotscope::world::World;
use slotscope::world::plan::{Action, Formation, NodeSpec, Plan, Start};

/// Three masters and three replicas on one machine, as redis-cli creates them. Nodes are numbered from 0
/// in the order of their ports; the first three are the masters.
pub struct Cluster {
    pub world: World,
}

/// The directives of every node of the tests, by name and value.
pub const SETTINGS: [(&str, &str); 6] = [
    ("bind", "127.0.0.1"),
    ("save", ""),
    ("cluster-node-timeout", "2000"),
    ("repl-ping-replica-period", "1"),
    ("repl-diskless-sync-delay", "0"),
    ("enable-debug-command", "yes"),
];

/// What node `n` of a world answers, as soon as its event loop is free.
pub fn ask_when_free(world: &mut World, n: usize, words: &[&str]) -> Value {
    for _ in 0..1000 {
        if let Some(answer) = world.ask(HostId(n as u32), words) {
            return answer;
        }
        world.run_for(Dur::ms(1));
    }
    panic!("n{} does not answer {words:?}", n + 1)
}

impl Cluster {
    /// A formed cluster on these ports.
    pub fn formed(ports: [u16; 6], seed: u64) -> Cluster {
        Cluster::with_spares(ports, &[], seed)
    }

    /// The same, and further nodes that run, each alone: (port, `cluster-enabled`).
    pub fn with_spares(ports: [u16; 6], spares: &[(u16, bool)], seed: u64) -> Cluster {
        let mut c = Cluster::started(ports, spares, Formation::RedisCli { replicas: 1 }, seed);
        for i in 6..6 + spares.len() {
            c.world.act(&Action::Start { node: format!("n{}", i + 1), wipe: false });
        }
        // The first PING of the stream is what makes a replica count as available.
        c.run(Dur::secs(3));
        c
    }

    /// Six nodes that run, each alone.
    pub fn alone(ports: [u16; 6], seed: u64) -> Cluster {
        Cluster::started(ports, &[], Formation::None, seed)
    }

    fn started(ports: [u16; 6], spares: &[(u16, bool)], formation: Formation, seed: u64) -> Cluster {
        let start = |i: usize| if i < 6 { Start::At(Dur::ms(10 * i as u64)) } else { Start::Never };
        let all: Vec<(u16, bool)> = ports.iter().map(|&p| (p, true)).chain(spares.iter().copied()).collect();
        let node = |(i, &(port, clustered)): (usize, &(u16, bool))| {
            let mut conf = Config::default();
            for (name, value) in SETTINGS {
                conf.set(name, &[value], Source::File).expect("a directive of Redis");
            }
            conf.port = port;
            conf.cluster_enabled = clustered;
            NodeSpec { start: start(i), ..NodeSpec::new(format!("n{}", i + 1), conf) }
        };
        let plan = Plan { formation, ..Plan::new("commands", all.iter().enumerate().map(node).collect()) };
        let mut world = World::new(Arc::new(plan), seed, Level::Headline);
        assert!(world.run_until_formed(), "the cluster does not form");
        Cluster { world }
    }

    /// What node `n` answers at this moment, or as soon as it is free. Words are separated by spaces.
    pub fn ask(&mut self, n: usize, line: &str) -> Value {
        let words: Vec<&str> = line.split(' ').collect();
        self.ask_words(n, &words)
    }

    pub fn ask_words(&mut self, n: usize, words: &[&str]) -> Value {
        self.free(n);
        let answer = self.world.ask(HostId(n as u32), words);
        answer.unwrap_or_else(|| panic!("n{} does not answer {words:?}", n + 1))
    }

    /// The same, when the answer may take its time: MIGRATE, WAIT.
    pub fn ask_and_wait(&mut self, n: usize, line: &str) -> Value {
        let words: Vec<&str> = line.split(' ').collect();
        self.ask_words_and_wait(n, &words)
    }

    pub fn ask_and_wait_words(&mut self, n: usize, words: &[String]) -> Value {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.ask_words_and_wait(n, &words)
    }

    pub fn ask_words_and_wait(&mut self, n: usize, words: &[&str]) -> Value {
        self.free(n);
        let before = self.world.replies.len();
        if let Some(answer) = self.world.ask(HostId(n as u32), words) {
            return answer;
        }
        for _ in 0..100_000 {
            let host = HostId(n as u32);
            if let Some(reply) = self.world.replies[before..].iter().find(|r| r.1 == host) {
                return reply.3.clone();
            }
            self.world.run_for(Dur::us(100));
        }
        panic!("n{} does not answer {words:?}", n + 1)
    }

    /// Lets time pass until the event loop of node `n` is free: saving nodes.conf keeps it busy.
    pub fn free(&mut self, n: usize) {
        for _ in 0..1000 {
            if self.world.hosts[HostId(n as u32)].is_reading(self.world.now()) {
                return;
            }
            self.world.run_for(Dur::ms(1));
        }
    }

    pub fn run(&mut self, time: Dur) {
        self.world.run_for(time);
    }

    pub fn nodes(&mut self, n: usize) -> NodesText {
        parse_nodes(self.ask(n, "CLUSTER NODES").as_bytes().expect("a text")).expect("CLUSTER NODES")
    }

    pub fn id(&mut self, n: usize) -> String {
        self.ask(n, "CLUSTER MYID").as_str().expect("an id").to_string()
    }

    /// The number of the replica of master `n`.
    pub fn replica_of(&mut self, n: usize) -> usize {
        let id = self.id(n);
        let follows = |c: &mut Cluster, r: usize| {
            c.nodes(r).myself().and_then(|me| me.master).is_some_and(|m| m.as_str() == id)
        };
        (3..6).find(|&r| follows(self, r)).expect("every master has a replica")
    }
}
