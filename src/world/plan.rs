//! What we ask of a world: deployment, network, clients, steps. Scenario files are lowered to this.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::net::NetModel;
use crate::base::{Dur, Quantiles};
use crate::params::{Config, SentinelConf};
use crate::redis::client::ClientSpec;
use crate::redis::machine::Machine;
use crate::redis::{Addr, Disk};

/// A run is a plan and a seed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub title: String,
    pub nodes: Vec<NodeSpec>,
    pub clients: Vec<ClientPlan>,
    pub formation: Formation,
    pub network: NetModel,
    pub host: HostModel,
    pub steps: Vec<Step>,
    /// The wall clock of all hosts at time zero, microseconds since the epoch.
    pub epoch_us: u64,
}

impl Plan {
    /// These nodes on one machine's loopback; nothing is done to them.
    pub fn new(title: impl Into<String>, nodes: Vec<NodeSpec>) -> Plan {
        Plan {
            title: title.into(),
            nodes,
            clients: Vec::new(),
            formation: Formation::None,
            network: NetModel::LOOPBACK,
            host: HostModel::default(),
            steps: Vec::new(),
            epoch_us: 1_800_000_000_000_000,
        }
    }
    /// Whether sentinels watch the data nodes.
    pub fn has_sentinels(&self) -> bool {
        self.nodes.iter().any(|n| n.sentinel.is_some())
    }
}

impl crate::redis::ClusterShape for Plan {
    fn addresses(&self) -> Vec<Addr> {
        self.nodes.iter().map(NodeSpec::addr).collect()
    }
}

/// One redis-server.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    pub name: String,
    pub ip: Ipv4Addr,
    pub conf: Arc<Config>,
    /// What it watches, if it runs in sentinel mode.
    pub sentinel: Option<Arc<SentinelConf>>,
    pub place: Place,
    pub start: Start,
    pub disk: Disk,
    pub clock: ClockSpec,
}

impl NodeSpec {
    /// A server at 127.0.0.1 with an empty disk and a right clock, which only a step starts.
    pub fn new(name: impl Into<String>, conf: Config) -> NodeSpec {
        NodeSpec {
            name: name.into(),
            ip: Ipv4Addr::LOCALHOST,
            conf: Arc::new(conf),
            sentinel: None,
            place: Place::default(),
            start: Start::Never,
            disk: Disk::default(),
            clock: ClockSpec::default(),
        }
    }
    pub fn addr(&self) -> Addr {
        Addr { ip: self.ip, port: self.conf.port }
    }
    pub fn cport(&self) -> u16 {
        if self.conf.cluster_port != 0 { self.conf.cluster_port } else { self.conf.port.wrapping_add(10000) }
    }
}

/// When a node is started for the first time. Those that are never started by themselves are no part
/// of the formation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    At(Dur),
    /// At a moment before this one, drawn from the stream `<node> start` of the run.
    Random(Dur),
    /// Only by a step.
    Never,
}

impl Start {
    /// Whether the node takes part in the formation.
    pub fn is_by_itself(self) -> bool {
        self != Start::Never
    }
}

/// Where a node runs, for correlated faults.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub host: Option<String>,
    pub rack: Option<String>,
    pub zone: Option<String>,
}

/// How a host's clock differs from true time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockSpec {
    pub offset_us: i64,
    /// Parts per million by which it runs fast.
    pub drift_ppm: i32,
}

/// A client of the deployment; its name is also its host's.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    pub name: String,
    pub ip: Ipv4Addr,
    pub place: Place,
    pub spec: ClientSpec,
}

/// How the nodes become a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formation {
    /// They do not: steps send the commands.
    None,
    /// They are no cluster: replicas follow by their configuration, and all are to be in sync.
    Replicas,
    /// `redis-cli --cluster create` with so many replicas per master, run once all nodes answer.
    RedisCli { replicas: u32 },
    /// Sentinels find the data nodes and each other.
    Sentinel,
    /// They start with the nodes.conf of a cluster that was formed before: the first `masters` nodes
    /// share the slots, the others follow them in turn.
    NodesConf { masters: u32 },
    /// The same for any layout: what each node owns and whom it follows, node by node.
    Seats(Vec<Seat>),
}

/// A node's place in a formed cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    pub slots: crate::slot::SlotSet,
    /// Index of its master among the nodes; `None` for a master.
    pub master: Option<u32>,
}

/// What the machine under a process is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostModel {
    /// From exec to the end of start-up, without data.
    pub boot: Quantiles,
    /// How late the kernel wakes a process whose poll timed out.
    pub wake: Quantiles,
    /// Time that one serverCron takes.
    pub cron: Quantiles,
    /// Time that writing and syncing nodes.conf takes: packets of the same turn leave after it.
    pub save: Quantiles,
    /// The same without syncing: it is in the kernel's cache then.
    pub write: Quantiles,
    /// Time that a sentinel takes to rewrite its file: the old one is read, a new one is made, synced and
    /// renamed, its folder is synced, and then the file once more. A good ten times a nodes.conf.
    pub rewrite: Quantiles,
    /// What work costs: forks, dumps, loading, the disk.
    pub machine: Machine,
    /// From a power-on to the exec of the server.
    pub reboot: Dur,
}

impl Default for HostModel {
    /// As measured on an idle machine of 2 cores.
    fn default() -> Self {
        HostModel {
            boot: Quantiles::new(9_000, 13_000, 21_000, 32_000, 60_000),
            wake: Quantiles::new(55, 80, 160, 400, 1500),
            cron: Quantiles::new(60, 110, 200, 500, 1500),
            save: Quantiles::new(60, 150, 350, 900, 3000),
            write: Quantiles::new(40, 60, 90, 250, 1500),
            rewrite: Quantiles::new(1150, 1700, 3000, 8000, 20_000),
            machine: Machine::default(),
            reboot: Dur::secs(20),
        }
    }
}

/// Something that is done at a time. Times count from the moment the deployment is formed.
#[derive(Clone, Debug)]
pub struct Step {
    pub at: Dur,
    pub action: Action,
}

/// Everything that can be done to a world. Operators' deeds are commands; the rest are faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// kill -9.
    Kill {
        node: String,
    },
    /// Start (again); `wipe`: with an empty disk.
    Start {
        node: String,
        wipe: bool,
    },
    /// SIGTERM.
    Terminate {
        node: String,
    },
    /// Loss of power; the node stays down until started.
    Crash {
        node: String,
    },
    /// SIGSTOP, SIGCONT.
    Pause {
        node: String,
    },
    Resume {
        node: String,
    },
    /// Packets between the two groups are dropped; `both` directions or from the first to the second.
    Cut {
        from: Vec<String>,
        to: Vec<String>,
        both: bool,
    },
    /// Undo all cuts between the groups; empty groups mean everything.
    Heal {
        from: Vec<String>,
        to: Vec<String>,
    },
    /// Latency is multiplied by `percent`/100 between the groups.
    Slow {
        from: Vec<String>,
        to: Vec<String>,
        extra: Dur,
    },
    ClockJump {
        node: String,
        by_us: i64,
    },
    /// A command to a node, as a client on its host would send it. A word `{n3.id}` stands for the
    /// cluster id that n3 has at that moment.
    Command {
        node: String,
        words: Vec<String>,
    },
    /// redis-cli with these words after its name, run as a process of its own. `{n3.id}` within a word
    /// stands for the cluster id that n3 has at that moment; `answers` are the lines of its standard input.
    RedisCli {
        words: Vec<String>,
        answers: Vec<String>,
    },
    /// The event loop of the node stands still.
    Busy {
        node: String,
        time: Dur,
    },
    /// The disk has no room for another byte, or has again.
    DiskFull {
        node: String,
        full: bool,
    },
    /// Each fsync takes so much longer.
    SlowDisk {
        node: String,
        extra: Dur,
    },
    /// A file is copied: `n1:dump.rdb` and `n1:nodes.conf` are those of a node, anything else is a path of
    /// the operator. `{n3.id}` stands for the cluster id that n3 has at that moment.
    Copy {
        from: String,
        to: String,
    },
    /// kill -9, and started again at once.
    Restart {
        node: String,
        wipe: bool,
    },
    Say {
        text: String,
    },
}
