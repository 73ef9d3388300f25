//! L2: the modelled programs, as pure state machines.
//!
//! A program gets an [`Input`] and the clock of its host, changes its state and says what it wants
//! done as [`Effect`]s. It never sees true time, sockets, threads or another host's state: what it
//! knows of others came in a message.
//!
//! One input, one `handle`, every effect applied in order, then the next input. A turn of the event
//! loop is: all inputs due (files before timers), then `before_sleep`, then the effects leave.
//!
//! Read first: [`Input`], [`Effect`], [`Cx`]; then `server`, `bus`.

pub mod admin;
pub mod bus;
pub mod client;
pub mod machine;
pub mod pubsub;
pub mod registry;
pub mod repl;
pub mod sentinel;
pub mod server;

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::base::SimTime;
use crate::base::{Dur, NodeTime, Rng};
use crate::redis::repl::stream::Command;
use crate::resp::Value;
use crate::trace::{ConnId, Event, Fact, FactId, HostId, Level, Trace};
use bus::packet::{Packet, Spare};
use pubsub::Published;
use registry::Registry;

pub use bus::nodes_conf::NodesImage;
pub use repl::stream::Chunk;
pub use server::keyspace::{Keyspace, Moment};

/// Where a process listens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Addr {
    pub ip: Ipv4Addr,
    pub port: u16,
}

impl std::fmt::Display for Addr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.ip, self.port)
    }
}

/// What a client program may know of the deployment: the addresses it was configured with.
pub trait ClusterShape {
    fn addresses(&self) -> Vec<Addr>;
}

/// What travels on a connection.
#[derive(Clone, Debug)]
pub enum Message {
    /// A packet of the cluster bus.
    Bus(Box<Packet>),
    /// A command, as its arguments.
    Request(Command),
    /// A reply to a command.
    Reply(Value),
    /// What somebody published, the same for all who subscribed.
    Published(Arc<Published>),
    /// Bytes of the replication stream, with the commands they hold.
    Stream(Chunk),
    /// The empty line with which a master keeps a waiting replica alive.
    Newline,
    /// A part of the data of a full synchronisation.
    Bulk(Arc<repl::BulkPart>),
}

impl Message {
    /// Length on the wire in bytes.
    pub fn wire_len(&self) -> u32 {
        match self {
            Message::Bus(p) => p.wire_len(),
            Message::Request(args) => {
                args.iter().fold(4 + digits(args.len() as u64), |n, a| {
                    n + 5 + digits(a.len() as u64) + a.len() as u32
                }) - 1
            }
            Message::Reply(v) => v.encoded_len(crate::resp::Protocol::Resp2) as u32,
            Message::Published(p) => p.wire_len,
            Message::Stream(c) => c.len as u32,
            Message::Newline => 1,
            Message::Bulk(part) => part.len,
        }
    }
}

fn digits(n: u64) -> u32 {
    // Nearly always it is short.
    if n < 10 { 1 } else { n.ilog10() + 1 }
}

/// What a host's timers can wait for. One timer of each kind at a time; arming replaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// `serverCron`: a time event of the event loop.
    Cron,
    /// A forked child wrote a part into its pipe, or ended.
    Child,
    /// The next part of a dump file can be sent to replicas.
    Bulk,
    /// A dump is loaded, or a second of loading is over.
    Load,
    /// The background thread has forced the append-only file to disk.
    FsyncDone,
    /// A blocking exchange with another server has taken too long.
    SyncIo,
    /// A client's or admin's own tick, by number.
    Tick(u8),
}

/// What can happen to a program.
#[derive(Clone, Debug)]
pub enum Input {
    /// The process starts, with what its disk holds.
    Boot(Disk),
    /// Somebody connected to a listening port.
    Accepted {
        conn: ConnId,
        bus: bool,
        peer: Addr,
    },
    /// A connection that this program opened is established, or failed.
    Connected {
        conn: ConnId,
        tag: u32,
    },
    ConnectFailed {
        conn: ConnId,
        tag: u32,
        error: &'static str,
    },
    Message {
        conn: ConnId,
        tag: u32,
        message: Message,
    },
    /// The other side closed or reset the connection.
    Closed {
        conn: ConnId,
        tag: u32,
    },
    Timer(Timer),
    /// SIGTERM.
    Terminate,
}

/// What a program wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    Send(ConnId, Message, FactId),
    Connect(ConnId, Addr, u32),
    Close(ConnId),
    Tag(ConnId, u32),
    /// Leaves at once, before what the rest of the turn takes.
    /// redis: replicationSetupSlaveForFullResync @7.0.15
    Write(ConnId, Message, FactId),
    Arm(Timer, Dur),
    /// As `Arm`, but not before everything sent on these connections has left the host.
    ArmWhenSent(Timer, Dur, Vec<ConnId>),
    /// A background thread forces a file to disk; the timer tells the end.
    Fsync(Timer),
    /// The main thread does it and waits.
    FsyncNow,
    Disarm(Timer),
    Persist(DiskWrite),
    /// The event loop is blocked for so long before anything of this turn leaves.
    Busy(Dur),
    /// What follows is of the loop's next turn, which begins at once: it is written apart from what went before.
    NextTurn,
    Exit(i32),
}

/// A change of what survives the process.
#[derive(Clone, Debug)]
pub enum DiskWrite {
    /// nodes.conf; `sync`: and it is on the disk before the process goes on.
    NodesConf {
        image: Arc<NodesImage>,
        sync: bool,
    },
    Rdb(Option<Arc<Rdb>>),
    /// An append-only file in the place of the one before.
    Aof(Box<AofImage>),
    /// It was added to: what it holds, in so many bytes.
    AofWritten(Held, u64),
    /// So much of it is on the disk.
    AofSynced(Held, u64),
    /// CONFIG REWRITE.
    Conf(Arc<crate::params::Config>),
    /// What a sentinel saves of its state.
    Sentinel(Arc<crate::params::SentinelConf>),
    /// A file of an operator, by its path.
    File(String, File),
}

/// What a file of an operator holds: files of servers among them.
#[derive(Clone, Debug)]
pub enum File {
    Rdb(Arc<Rdb>),
    NodesConf(Arc<NodesImage>),
    Text(Arc<str>),
}

/// A dump file: data and, if a replication history was held, its identity.
#[derive(Clone, Debug)]
pub struct Rdb {
    pub data: Arc<Keyspace>,
    /// replid, offset and selected database of the history the data belongs to.
    pub repl: Option<(ReplId, i64)>,
    /// Whether the process that saved it was a master.
    pub by_master: bool,
}

/// The dataset that a file holds.
#[derive(Clone, Debug)]
pub enum Held {
    Data(Arc<Keyspace>),
    /// That of the process which writes the file, as it was at this moment.
    Then(Moment),
}

impl Held {
    /// The moment, unless there is a copy.
    pub fn then(&self) -> Option<Moment> {
        if let Held::Then(moment) = *self { Some(moment) } else { None }
    }
    /// Makes it independent of the dataset of the process.
    pub fn settle(&mut self, db: &Keyspace) {
        if let Some(moment) = self.then() {
            *self = Held::Data(Arc::new(db.at(moment)));
        }
    }
}

/// The append-only file as a loading server would find it: the dataset that its commands make, rather
/// than the commands.
#[derive(Clone, Debug)]
pub struct AofImage {
    /// What write(2) gave the kernel: survives the process.
    pub written: Held,
    /// What is on the platters: survives the machine. Empty if the file never got there.
    pub synced: Held,
    /// The part that the last rewrite made, and everything.
    pub base_bytes: u64,
    pub bytes: u64,
    pub synced_bytes: u64,
    /// The number in the name of the base.
    pub sequence: u64,
    /// The number in the name of the file of commands that follow; 0: there is none.
    pub incremental: u64,
}

impl AofImage {
    /// The process that writes it ends, with this dataset.
    pub fn settle(&mut self, db: &Keyspace) {
        self.written.settle(db);
        self.synced.settle(db);
    }
}

/// A replication id: 160 random bits, shown as 40 hex digits.
pub type ReplId = [u8; 20];

/// What survives the process.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub nodes_conf: Option<Arc<NodesImage>>,
    pub rdb: Option<Arc<Rdb>>,
    pub aof: Option<Box<AofImage>>,
    /// What CONFIG REWRITE left; else the configuration of the plan counts.
    pub conf: Option<Arc<crate::params::Config>>,
    /// What a sentinel saved; else the file of the plan counts.
    pub sentinel_conf: Option<Arc<crate::params::SentinelConf>>,
}

/// What a program may use while it handles an input.
pub struct Cx<'a> {
    /// The host's own clock.
    pub now: NodeTime,
    pub host: HostId,
    /// The address the process is bound to.
    pub ip: Ipv4Addr,
    pub seed: u64,
    /// How often this host has booted; part of the names of its random streams.
    pub boot: u32,
    pub names: &'a mut Registry,
    pub trace: &'a mut Trace,
    /// What led to the current input.
    pub cause: FactId,
    /// What work costs here.
    pub machine: &'a machine::Machine,
    /// No byte can be written to the disk.
    pub disk_full: bool,
    pub out: &'a mut Vec<Effect>,
    /// Free connection ids, last first, then the next never used.
    pub conns: &'a mut ConnIds,
    pub packets: &'a mut Spare,
    pub(crate) at: SimTime,
    /// What rewriting a configuration file takes on this machine.
    pub(crate) rewrite: &'a crate::base::Quantiles,
    /// What the process has spent in this turn on work that its log lines show. What it sends leaves
    /// when the turn is over.
    pub(crate) spent: Dur,
}

/// Hands out connection ids.
#[derive(Clone, Debug, Default)]
pub struct ConnIds {
    pub free: Vec<ConnId>,
    pub next: u32,
}

impl ConnIds {
    pub fn take(&mut self) -> ConnId {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            ConnId(self.next - 1)
        })
    }
}

impl Cx<'_> {
    /// A random stream of this process: `n3 boot 2 gossip`.
    pub fn stream(&self, what: &str) -> Rng {
        Rng::named(self.seed, &format!("{} boot {} {what}", self.names.host_name(self.host), self.boot))
    }

    /// Records a fact, caused by the current input; later effects of this input are caused by it.
    pub fn emit(&mut self, fact: Fact) -> FactId {
        let cause = self.cause;
        let id = self.emit_because(fact, cause);
        self.cause = id;
        id
    }

    /// Records a fact with a cause that the program remembered.
    pub fn emit_because(&mut self, fact: Fact, cause: FactId) -> FactId {
        if fact.level() == Level::Headline {
            self.trace.digest.detail(self.now.0);
        }
        let clock = self.now.0 + self.spent.0;
        self.trace.emit(Event { at: self.at, clock, host: self.host, cause, fact })
    }

    /// Records a fact only if the trace keeps its level; the fact is not built otherwise.
    pub fn note(&mut self, level: Level, fact: impl FnOnce() -> Fact) {
        if self.trace.keeps(level) {
            let fact = fact();
            let (at, clock, host, cause) = (self.at, self.now.0, self.host, self.cause);
            self.trace.emit(Event { at, clock, host, cause, fact });
        }
    }

    pub fn send(&mut self, conn: ConnId, message: Message) {
        self.out.push(Effect::Send(conn, message, self.cause));
    }

    /// Sends something that leaves before the turn is over.
    pub fn write_now(&mut self, conn: ConnId, message: Message) {
        self.out.push(Effect::Write(conn, message, self.cause));
    }

    /// The main thread is at work for so long.
    pub fn busy(&mut self, time: Dur) {
        self.out.push(Effect::Busy(time));
    }

    /// The same for work that shows between log lines: those that follow come after it.
    pub fn work(&mut self, time: Dur) {
        self.spent += time;
        self.busy(time);
    }

    pub fn connect(&mut self, addr: Addr, tag: u32) -> ConnId {
        let conn = self.conns.take();
        self.out.push(Effect::Connect(conn, addr, tag));
        conn
    }

    pub fn close(&mut self, conn: ConnId) {
        self.out.push(Effect::Close(conn));
    }

    pub fn tag(&mut self, conn: ConnId, tag: u32) {
        self.out.push(Effect::Tag(conn, tag));
    }

    pub fn arm(&mut self, timer: Timer, after: Dur) {
        self.out.push(Effect::Arm(timer, after));
    }

    pub fn persist(&mut self, write: DiskWrite) {
        self.out.push(Effect::Persist(write));
    }

    /// Waits until a new configuration file is on the disk: log lines of this turn come after it, and so
    /// does all that leaves.
    pub fn wait_for_rewrite(&mut self, rng: &mut Rng) {
        let time = self.rewrite.draw(rng);
        self.work(time);
    }
}
