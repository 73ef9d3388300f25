//! The closed list of facts. A fact that Redis logs has the level and the text of its log line; the
//! others are the simulator's own. "Self" is always the event's host.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Serialize;

use super::sentinel::{SentinelEvent, SentinelNote};
use super::thought::SentinelThought;
use super::{HostId, NodeId};
use crate::base::Dur;

/// How much of a run a trace keeps: a level keeps itself and those above it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Level {
    /// What a reader of the run must know: faults, detection, votes, promotions, states.
    Headline,
    /// What Redis logs at notice and warning.
    Notice,
    /// What Redis logs at verbose and debug, except packets.
    Debug,
    /// Every packet.
    Packet,
}

/// Redis's log levels, by the mark in its log lines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum LogLevel {
    Debug,
    Verbose,
    Notice,
    Warning,
}

impl LogLevel {
    pub fn mark(self) -> char {
        match self {
            LogLevel::Debug => '.',
            LogLevel::Verbose => '-',
            LogLevel::Notice => '*',
            LogLevel::Warning => '#',
        }
    }
}

/// Why a vote was refused. redis: cluster.c clusterSendFailoverAuthIfNeeded @7.0.15
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum DenyReason {
    OldEpoch { requested: u64, current: u64 },
    AlreadyVoted { epoch: u64 },
    IsMaster,
    UnknownMaster,
    MasterIsUp,
    VotedRecently { wait_ms: u64 },
    SlotEpoch { slot: u16, epoch: u64, requested: u64 },
}

/// Why a replica cannot start a failover. redis: cluster.c clusterLogCantFailover @7.0.15
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum CantFailover {
    DataAge,
    WaitingDelay,
    Expired,
    WaitingVotes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum FailClearReason {
    ReplicaReachable,
    MasterWithoutSlots,
    NobodyServesItsSlots,
}

/// What set a configEpoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EpochCause {
    Failover,
    Bump,
    Import { slot: u16 },
    Command,
    HardReset,
    Collision { with: NodeId },
}

/// What a child process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Job {
    /// Writes a dump file.
    Disk,
    /// Writes a dump into the sockets of replicas.
    Sockets,
    /// Writes a new append-only file.
    Aof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum FailoverKind {
    Automatic,
    Manual,
    Forced,
    Takeover,
}

/// Something that happened on a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Fact {
    // ---- the world: faults, processes, the plan ------------------------------------------------
    /// The deployment is formed, in agreement and in sync: time zero of the scenario's steps.
    Formed,
    /// The scenario begins with nodes that only its steps make a deployment of (`form = "none"`): time zero of those.
    Begun,
    /// The process was executed; it will be ready after its start-up.
    Started {
        boot: u32,
        pid: u32,
    },
    /// "Ready to accept connections".
    Ready {
        port: u16,
    },
    /// kill -9.
    Killed,
    /// The process ended by itself (SHUTDOWN, a fatal error).
    Exited {
        code: i32,
    },
    /// The host lost power: nothing it had open says goodbye.
    Crashed,
    /// SIGSTOP or a stalled virtual machine.
    Paused,
    Resumed,
    /// The event loop is blocked by one long task.
    Busy {
        what: &'static str,
        time: Dur,
    },
    LinkCut {
        from: HostId,
        to: HostId,
    },
    LinkHealed {
        from: HostId,
        to: HostId,
    },
    ClockJumped {
        by_ms: i64,
    },
    /// An operator's command reached a node, and its reply.
    Command {
        text: Arc<str>,
        reply: Arc<str>,
    },
    /// A step of the scenario speaks.
    Say {
        text: Arc<str>,
    },

    // ---- start ---------------------------------------------------------------------------------
    /// No nodes.conf: self invented its id.
    NodeConfigNew {
        node: NodeId,
    },
    /// nodes.conf was read: self goes on under its old id.
    NodeConfigLoaded {
        node: NodeId,
    },
    /// CLUSTER RESET HARD gave self a new id.
    HardReset {
        node: NodeId,
    },
    Loaded {
        keys: u64,
        ms: u64,
        source: &'static str,
    },
    /// Self holds keys of a slot that is not its own: it takes the slot, or imports it if another owns it.
    SlotsTaken {
        slot: u16,
        owned_by_other: bool,
    },

    // ---- links and membership ------------------------------------------------------------------
    /// Self learned its own address from the socket of a MEET or a PONG.
    IpLearned {
        ip: Ipv4Addr,
    },
    /// A node sends from another address than self knew.
    AddressUpdated {
        node: NodeId,
        ip: Ipv4Addr,
        port: u16,
    },
    /// Self met an address: it gets a node under a random id until the answer.
    HandshakeStarted {
        node: NodeId,
        ip: Ipv4Addr,
        port: u16,
    },
    /// The answer to a MEET brought the real id.
    Renamed {
        from: NodeId,
        to: NodeId,
    },
    /// The node answered: the handshake is over.
    HandshakeDone {
        node: NodeId,
    },
    /// The node at the met address is known already: the handshake is dropped.
    HandshakeKnown {
        node: NodeId,
    },
    /// Nobody answered the handshake within the node timeout: it is dropped.
    HandshakeTimedOut {
        node: NodeId,
    },
    /// A node that self did not know stood in another's gossip.
    NodeDiscovered {
        node: NodeId,
        from: NodeId,
    },
    /// Self removed the node from its table.
    NodeForgotten {
        node: NodeId,
    },
    /// Another node answers at this address: self drops the link and the address.
    WrongNode {
        node: NodeId,
        age_ms: u64,
        flags: u16,
    },
    /// Self's link to the bus of the node is up.
    LinkConnected {
        node: NodeId,
        ip: Ipv4Addr,
        cport: u16,
    },
    /// The bus port of the node refused the link.
    LinkRefused {
        node: NodeId,
        ip: Ipv4Addr,
        cport: u16,
    },
    /// The node, or its kernel, closed self's link.
    LinkLost {
        node: NodeId,
    },
    /// Self closed a link on which no answer came for half the node timeout.
    LinkDropped {
        node: NodeId,
    },
    /// Another node opened a link to self.
    LinkAccepted {
        ip: Ipv4Addr,
        port: u16,
    },
    /// The random choice of this second: the node heard of longest ago.
    Pinged {
        node: NodeId,
    },
    /// A packet left; `kind` is its type on the bus, `len` its bytes.
    PacketSent {
        to: NodeId,
        kind: u16,
        len: u32,
    },
    /// A packet was read.
    PacketReceived {
        from: NodeId,
        kind: u16,
        len: u32,
    },
    /// The node announces another hostname.
    HostnameUpdated {
        node: NodeId,
        hostname: Arc<str>,
    },

    // ---- failure detection ---------------------------------------------------------------------
    /// No answer for the node timeout: in self's view the node may have failed.
    Pfail {
        node: NodeId,
    },
    /// It answered after all.
    PfailCleared {
        node: NodeId,
    },
    /// The master `by` says that it cannot reach the node.
    Reported {
        by: NodeId,
        node: NodeId,
    },
    /// The master `by` says that it reaches the node again.
    ReportedBack {
        by: NodeId,
        node: NodeId,
    },
    /// A majority agrees: reports counted (with the own opinion) and needed.
    FailQuorum {
        node: NodeId,
        reports: u32,
        needed: u32,
    },
    /// `from` says that a majority agreed: the node has failed.
    FailMessage {
        from: NodeId,
        node: NodeId,
    },
    FailMessageUnknown {
        from: NodeId,
        node: NodeId,
    },
    /// A failed node is reachable again, and nothing speaks against taking it back.
    FailCleared {
        node: NodeId,
        why: FailClearReason,
    },
    /// In self's view the cluster can serve (ok) or cannot (fail).
    StateChanged {
        ok: bool,
    },

    // ---- failover ------------------------------------------------------------------------------
    /// A replica whose master has failed will ask for votes after this delay.
    ElectionScheduled {
        delay_ms: i64,
        rank: u32,
        offset: i64,
    },
    /// Another replica has more data: self's election is put off by this much.
    RankUpdated {
        rank: u32,
        added_ms: i64,
    },
    /// Self asks every master for its vote in a new epoch.
    ElectionStarted {
        epoch: u64,
    },
    /// Self, a master, votes.
    VoteGranted {
        to: NodeId,
        epoch: u64,
    },
    /// Self, a master, does not vote.
    VoteDenied {
        to: NodeId,
        why: DenyReason,
    },
    /// A vote arrived; `needed` is the majority.
    VoteReceived {
        from: NodeId,
        votes: u32,
        needed: u32,
    },
    /// A majority voted for self.
    ElectionWon {
        kind: FailoverKind,
    },
    /// Self's configEpoch changed.
    EpochSet {
        epoch: u64,
        cause: EpochCause,
    },
    /// Self's master has failed and self does not take over; told once per reason and while it lasts.
    CantFailover {
        why: CantFailover,
    },
    /// CLUSTER FAILOVER was accepted.
    ManualAccepted {
        forced: bool,
    },
    /// CLUSTER FAILOVER TAKEOVER: self takes the slots without asking anybody.
    TakingOver,
    /// Self's replica asked for a manual failover: clients are paused.
    ManualRequested {
        by: NodeId,
    },
    /// The paused master said up to where its data goes.
    ManualOffset {
        offset: i64,
    },
    /// Self has all of the paused master's data: it can ask for votes.
    ManualReady,
    /// The manual failover was not over in time: it is given up.
    ManualTimedOut,

    // ---- slots and roles -----------------------------------------------------------------------
    /// Self took all slots of its old master.
    Promoted {
        from: NodeId,
    },
    /// Self follows another master, which took the slots of its old one.
    Reconfigured {
        master: NodeId,
    },
    /// Self's master turned out to be a replica itself: self follows that one's master.
    SubReplica {
        master: NodeId,
    },
    /// Self leaves its master for one that has no replica left.
    MigratingTo {
        master: NodeId,
    },
    /// Self told the node that its view of `about` is old.
    UpdateSent {
        to: NodeId,
        about: NodeId,
    },
    /// Self was told about its own slots: ignored.
    UpdateAboutMyself,
    /// In self's table the slots now belong to this node.
    SlotsMoved {
        to: NodeId,
        from: NodeId,
        count: u16,
    },
    /// A node changed its role in self's view.
    RoleSeen {
        node: NodeId,
        master: bool,
    },
    /// Self deleted keys of slots that it no longer owns.
    DirtySlotsDeleted {
        keys: u32,
    },

    // ---- replication ---------------------------------------------------------------------------
    /// The replication link to the master is gone.
    MasterLinkLost,
    /// Self keeps the state of the lost link, to go on from there.
    MasterCached,
    /// Self is about to connect to its master.
    ConnectingToMaster {
        ip: Ipv4Addr,
        port: u16,
        again: bool,
    },
    /// The connection to the master is being opened.
    SyncStarted,
    /// The connection to the master is up.
    SyncConnected,
    /// The connection to the master could not be opened.
    SyncConnectFailed {
        error: &'static str,
    },
    /// The master answered the first PING.
    MasterPonged,
    /// The master answered the first PING with an error.
    MasterPingError {
        error: Arc<str>,
    },
    /// Self asks to go on from this offset of this history.
    PsyncTry {
        replid: [u8; 20],
        offset: i64,
    },
    /// Self has no history to go on from.
    PsyncNoCache,
    /// The master sends all data.
    FullResync {
        replid: [u8; 20],
        offset: i64,
    },
    /// The master sends what self missed.
    PartialResync {
        new_replid: Option<[u8; 20]>,
    },
    /// The master refused to synchronise.
    MasterRefused {
        error: Arc<str>,
    },
    /// The transfer of the data begins.
    SyncTransfer {
        eof: bool,
        bytes: u64,
        /// It is loaded while it comes.
        to_parser: bool,
    },
    /// Self drops its old data.
    SyncFlushing,
    /// Self loads the data received.
    SyncLoading,
    /// Self has the master's data and follows its stream.
    SyncDone,
    MasterTimedOut,
    /// The handshake with the master, or the transfer of its data, took too long.
    SyncTimedOut {
        transfer: bool,
    },
    ReplicaAsks {
        addr: Arc<str>,
    },
    /// Self, a master, continues the stream of a replica.
    ReplicaPartial {
        addr: Arc<str>,
        bytes: i64,
        offset: i64,
    },
    /// Self cannot continue the stream of a replica: it needs all data.
    ReplicaFull {
        addr: Arc<str>,
        why: Arc<str>,
    },
    /// The transfer starts a little later, for other replicas to join.
    ReplicaDelayed,
    /// The replica waits for the end of a save that runs.
    ReplicaWaits,
    /// Self begins to keep a backlog.
    BacklogCreated {
        replid: [u8; 20],
    },
    /// No replica for so long: the backlog is freed.
    BacklogFreed {
        secs: u64,
    },
    /// A child was forked to write the data for replicas.
    BgsaveStarted {
        sockets: bool,
    },
    /// The child is done.
    BgsaveDone {
        sockets: bool,
        ok: bool,
        /// Self ended it.
        killed: bool,
    },
    /// A process was forked for this.
    ChildForked {
        job: Job,
    },
    /// The child has written everything into its pipe; so many replicas took it.
    PipeDone {
        up: u32,
    },
    /// Another child runs: the one for the replica comes later.
    BgsaveDelayed,
    /// The replica shares the dump that is being written.
    ReplicaJoins,
    /// The dump that is being written does not suit the replica.
    ReplicaCannotJoin,
    /// The replica asks for what self has not written yet.
    ReplicaAhead {
        addr: Arc<str>,
    },
    /// The child that was to write for a replica failed.
    SyncChildFailed,
    /// Too much waits for a replica: it is dropped.
    ReplicaOverfull {
        addr: Arc<str>,
    },
    /// The attempt failed: self tries again at once.
    ReconnectingToMaster {
        ip: Ipv4Addr,
        port: u16,
    },
    /// The connection ended in the middle of the data.
    SyncBroken {
        error: &'static str,
    },
    /// The connection ended in the middle of the handshake.
    HandshakeBroken,
    /// The replica has all data and follows the stream.
    ReplicaSynced {
        addr: Arc<str>,
    },
    /// The connection of a replica is gone.
    ReplicaLost {
        addr: Arc<str>,
    },
    /// A replica was silent too long and is disconnected.
    ReplicaTimedOut {
        addr: Arc<str>,
        full: bool,
    },
    /// Self was promoted: its history goes on under a new id.
    SecondaryReplid {
        old: [u8; 20],
        offset: i64,
        new: [u8; 20],
    },
    /// An operator or a sentinel made self a replica of this address.
    ReplicaofEnabled {
        ip: Ipv4Addr,
        port: u16,
        by: Arc<str>,
    },
    /// An operator or a sentinel (a user, for the log), or the old master's FAILOVER, made self a master.
    MasterModeEnabled {
        request: &'static str,
        by: Arc<str>,
    },
    /// FAILOVER begins: writes are paused until this replica, or any, has all.
    FailoverRequested {
        to: Option<Arc<str>>,
    },
    /// The replica has all: self follows it.
    FailoverSynced {
        to: Arc<str>,
    },
    /// The time is over: self follows the replica, whatever that has.
    FailoverForced {
        to: Arc<str>,
    },
    FailoverAborted {
        to: Option<Arc<str>>,
        why: &'static str,
    },
    /// The master asks self to take over, if its history has this id.
    FailoverAsked {
        replid: Arc<str>,
    },
    /// REPLICAOF named the master that self follows already.
    AlreadyFollowing,
    /// The state kept of a lost link is of no use any more.
    CachedMasterDropped,
    /// Self, a master before, remembers its own history to follow another with it.
    CachedMasterMade,

    // ---- shutdown and saving -------------------------------------------------------------------
    /// The process was asked to end.
    ShutdownRequested,
    /// It waits for replicas that lack data.
    ShutdownWaiting,
    /// How many replicas have all data at the end.
    ShutdownReplicas {
        in_sync: u32,
        of: u32,
    },
    /// The last dump is being written.
    SavingFinal,
    /// A dump was written.
    Saved,
    /// A dump could not be written: the disk is full.
    SaveFailed,
    /// The data could not be saved: the process does not end.
    ShutdownFailed,
    /// The append-only file is begun, with nothing in it.
    AofCreated,
    /// The file has grown so much since the last rewrite.
    AofRewriteTriggered {
        percent: u64,
    },
    AofRewritten {
        ok: bool,
    },
    /// The disk takes too long: self writes without waiting for it any more.
    AofFsyncSlow,
    /// The file cannot be written; under `always` the process ends.
    AofWriteFailed {
        always: bool,
    },
    AofWritesAgain,
    /// A replica got a write that it cannot note on its disk; `fatal`: and ends.
    ReplicaCannotWrite {
        fatal: bool,
    },
    /// No byte fits on the disk any more.
    DiskFull,
    DiskFreed,
    /// An operator copied a file, if there was one.
    FileCopied {
        from: Arc<str>,
        to: Arc<str>,
        found: bool,
    },
    /// The disk needs so long more for each fsync.
    DiskSlowed {
        by: Dur,
    },
    /// With the power went so many bytes of the append-only file that were not forced to disk yet.
    AofTailLost {
        bytes: u64,
    },
    /// The process ends.
    ByeBye,
    /// A save point is reached.
    SaveTriggered {
        changes: u64,
        secs: u64,
    },

    /// CONFIG REWRITE: the next start reads the present configuration.
    ConfigRewritten,

    // ---- sentinels ---------------------------------------------------------------------------
    /// An event that a sentinel logs and publishes.
    Sentinel(Box<SentinelEvent>),
    /// A line of a sentinel's log that is no event.
    SentinelNote(SentinelNote),
    /// What a sentinel knew when it decided, and did not log.
    SentinelThought(Box<SentinelThought>),

    // ---- clients -------------------------------------------------------------------------------
    /// The first write of a client that a node accepts, or the first after others were refused.
    WriteAccepted {
        by: HostId,
        slot: u16,
    },
    /// A write of a client that a node refuses, the first after others were accepted.
    WriteRefused {
        by: HostId,
        slot: u16,
        error: Arc<str>,
    },
    /// A write of a client was acknowledged: its number among the client's writes to the key.
    WriteAcked {
        by: HostId,
        key: u32,
        version: u32,
        slot: u16,
    },
    /// A write of a client was not acknowledged.
    WriteFailed {
        by: HostId,
        key: u32,
        version: u32,
        slot: u16,
        error: Arc<str>,
    },
    /// An admin tool prints a line. `routine`: one of many alike, such as a dot per key.
    Printed {
        text: Arc<str>,
        routine: bool,
    },
    /// An admin tool is started with this command line.
    ToolStarted {
        line: Arc<str>,
    },
    /// An admin tool is done.
    ToolEnded {
        code: u8,
    },
    /// A node reads a command of a client or a tool.
    CommandRead {
        from: Ipv4Addr,
        text: Arc<str>,
    },
}

impl Fact {
    /// Whether the times of the scenario's steps count from it.
    pub fn is_time_zero(&self) -> bool {
        matches!(self, Fact::Formed | Fact::Begun)
    }

    /// The coarsest trace that keeps this fact.
    pub fn level(&self) -> Level {
        use Fact::*;
        match self {
            Sentinel(event) => event.event.level(),
            SentinelNote(note) => note.level(),
            Formed
            | Begun
            | Started { .. }
            | Ready { .. }
            | Killed
            | Exited { .. }
            | Crashed
            | Paused
            | Resumed
            | Busy { .. }
            | LinkCut { .. }
            | LinkHealed { .. }
            | ClockJumped { .. }
            | DiskFull
            | DiskFreed
            | FileCopied { .. }
            | DiskSlowed { .. }
            | AofTailLost { .. }
            | AofWriteFailed { .. }
            | ReplicaCannotWrite { .. }
            | BgsaveDone { ok: false, .. }
            | Command { .. }
            | Say { .. } => Level::Headline,
            Pfail { .. }
            | FailQuorum { .. }
            | FailMessage { .. }
            | FailCleared { .. }
            | StateChanged { .. } => Level::Headline,
            ElectionScheduled { .. }
            | RankUpdated { .. }
            | ElectionStarted { .. }
            | VoteGranted { .. }
            | VoteDenied { .. }
            | VoteReceived { .. }
            | ElectionWon { .. }
            | EpochSet { .. }
            | CantFailover { .. }
            | ManualAccepted { .. }
            | TakingOver
            | ManualRequested { .. }
            | ManualOffset { .. }
            | ManualReady
            | ManualTimedOut
            | Promoted { .. }
            | Reconfigured { .. }
            | SubReplica { .. }
            | MigratingTo { .. }
            | SlotsMoved { .. }
            | UpdateAboutMyself => Level::Headline,
            MasterLinkLost
            | FullResync { .. }
            | PartialResync { .. }
            | SyncDone
            | ReplicaofEnabled { .. }
            | MasterModeEnabled { .. }
            | FailoverRequested { .. }
            | FailoverSynced { .. }
            | FailoverForced { .. }
            | FailoverAborted { .. }
            | FailoverAsked { .. }
            | NodeForgotten { .. }
            | HandshakeStarted { .. }
            | WriteAccepted { .. }
            | WriteRefused { .. }
            | Printed { routine: false, .. }
            | ToolStarted { .. }
            | ToolEnded { .. }
            | PfailCleared { .. }
            | Reported { .. }
            | NodeDiscovered { .. }
            | DirtySlotsDeleted { .. } => Level::Headline,
            WriteAcked { .. }
            | WriteFailed { .. }
            | ReportedBack { .. }
            | HandshakeKnown { .. }
            | UpdateSent { .. }
            | RoleSeen { .. }
            | Renamed { .. }
            | HandshakeDone { .. }
            | HandshakeTimedOut { .. }
            | WrongNode { .. }
            | LinkConnected { .. }
            | LinkRefused { .. }
            | LinkLost { .. }
            | LinkDropped { .. }
            | LinkAccepted { .. }
            | Pinged { .. }
            | HostnameUpdated { .. } => Level::Debug,
            PacketSent { .. } | PacketReceived { .. } | CommandRead { .. } => Level::Packet,
            _ => Level::Notice,
        }
    }
}
