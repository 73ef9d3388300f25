//! The closed list of facts. A fact that Redis logs has the level and the text of its log line; the
//! others are the simulator's own. "Self" is always the event's host.

use std::net::Ipv4Addr;
use std::sync::Arc;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CantFailover {
    DataAge,
    WaitingDelay,
    Expired,
    WaitingVotes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailClearReason {
    ReplicaReachable,
    MasterWithoutSlots,
    NobodyServesItsSlots,
}

/// What set a configEpoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochCause {
    Failover,
    Bump,
    Import { slot: u16 },
    Command,
    HardReset,
    Collision { with: NodeId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailoverKind {
    Automatic,
    Manual,
    Forced,
    Takeover,
}

/// Something that happened on a host.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    // ---- the world: faults, processes, the plan ------------------------------------------------
    /// The deployment is formed, in agreement and in sync: time zero of the scenario's steps.
    Formed,
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
    NodeConfigNew {
        node: NodeId,
    },
    NodeConfigLoaded {
        node: NodeId,
    },
    Loaded {
        keys: u64,
        ms: u64,
        source: &'static str,
    },
    SlotsTaken {
        slot: u16,
        owned_by_other: bool,
    },

    // ---- links and membership ------------------------------------------------------------------
    IpLearned {
        ip: Ipv4Addr,
    },
    AddressUpdated {
        node: NodeId,
        ip: Ipv4Addr,
        port: u16,
    },
    HandshakeStarted {
        node: NodeId,
        ip: Ipv4Addr,
        port: u16,
    },
    Renamed {
        from: NodeId,
        to: NodeId,
    },
    HandshakeDone {
        node: NodeId,
    },
    HandshakeKnown {
        node: NodeId,
    },
    HandshakeTimedOut {
        node: NodeId,
    },
    NodeDiscovered {
        node: NodeId,
        from: NodeId,
    },
    NodeForgotten {
        node: NodeId,
    },
    WrongNode {
        node: NodeId,
        age_ms: u64,
        flags: u16,
    },
    LinkConnected {
        node: NodeId,
        ip: Ipv4Addr,
        cport: u16,
    },
    LinkRefused {
        node: NodeId,
        ip: Ipv4Addr,
        cport: u16,
    },
    LinkLost {
        node: NodeId,
    },
    LinkDropped {
        node: NodeId,
    },
    LinkAccepted {
        ip: Ipv4Addr,
        port: u16,
    },
    Pinged {
        node: NodeId,
    },
    PacketSent {
        to: NodeId,
        kind: u16,
        len: u32,
    },
    PacketReceived {
        from: NodeId,
        kind: u16,
        len: u32,
    },
    HostnameUpdated {
        node: NodeId,
        hostname: Arc<str>,
    },

    // ---- failure detection ---------------------------------------------------------------------
    Pfail {
        node: NodeId,
    },
    PfailCleared {
        node: NodeId,
    },
    Reported {
        by: NodeId,
        node: NodeId,
    },
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
    FailMessage {
        from: NodeId,
        node: NodeId,
    },
    FailMessageUnknown {
        node: NodeId,
    },
    FailCleared {
        node: NodeId,
        why: FailClearReason,
    },
    StateChanged {
        ok: bool,
    },

    // ---- failover ------------------------------------------------------------------------------
    ElectionScheduled {
        delay_ms: i64,
        rank: u32,
        offset: i64,
    },
    RankUpdated {
        rank: u32,
        added_ms: i64,
    },
    ElectionStarted {
        epoch: u64,
    },
    VoteGranted {
        to: NodeId,
        epoch: u64,
    },
    VoteDenied {
        to: NodeId,
        why: DenyReason,
    },
    VoteReceived {
        from: NodeId,
        votes: u32,
        needed: u32,
    },
    ElectionWon {
        kind: FailoverKind,
    },
    EpochSet {
        epoch: u64,
        cause: EpochCause,
    },
    CantFailover {
        why: CantFailover,
    },
    ManualAccepted {
        forced: bool,
    },
    TakingOver,
    ManualRequested {
        by: NodeId,
    },
    ManualOffset {
        offset: i64,
    },
    ManualReady,
    ManualTimedOut,

    // ---- slots and roles -----------------------------------------------------------------------
    /// Self took all slots of its old master.
    Promoted {
        from: NodeId,
    },
    Reconfigured {
        master: NodeId,
    },
    SubReplica {
        master: NodeId,
    },
    MigratingTo {
        master: NodeId,
    },
    UpdateSent {
        to: NodeId,
        about: NodeId,
    },
    UpdateAboutMyself,
    /// In self's table the slots now belong to this node.
    SlotsMoved {
        to: NodeId,
        from: NodeId,
        count: u16,
    },
    RoleSeen {
        node: NodeId,
        master: bool,
    },
    DirtySlotsDeleted {
        keys: u32,
    },

    // ---- replication ---------------------------------------------------------------------------
    MasterLinkLost,
    MasterCached,
    ConnectingToMaster {
        ip: Ipv4Addr,
        port: u16,
        again: bool,
    },
    SyncStarted,
    SyncConnected,
    SyncConnectFailed {
        error: &'static str,
    },
    MasterPonged,
    MasterPingError {
        error: Arc<str>,
    },
    PsyncTry {
        replid: [u8; 20],
        offset: i64,
    },
    PsyncNoCache,
    FullResync {
        replid: [u8; 20],
        offset: i64,
    },
    PartialResync {
        new_replid: Option<[u8; 20]>,
    },
    MasterRefused {
        error: Arc<str>,
    },
    SyncTransfer {
        eof: bool,
        bytes: u64,
    },
    SyncFlushing,
    SyncLoading,
    SyncDone,
    MasterTimedOut,
    SyncTimedOut,
    ReplicaAsks {
        addr: Arc<str>,
    },
    ReplicaPartial {
        addr: Arc<str>,
        bytes: i64,
        offset: i64,
    },
    ReplicaFull {
        addr: Arc<str>,
        why: Arc<str>,
    },
    ReplicaDelayed,
    ReplicaWaits,
    BacklogCreated {
        replid: [u8; 20],
    },
    BacklogFreed {
        secs: u64,
    },
    BgsaveStarted {
        sockets: bool,
    },
    BgsaveDone {
        sockets: bool,
    },
    ReplicaSynced {
        addr: Arc<str>,
    },
    ReplicaLost {
        addr: Arc<str>,
    },
    ReplicaTimedOut {
        addr: Arc<str>,
        full: bool,
    },
    SecondaryReplid {
        old: [u8; 20],
        offset: i64,
        new: [u8; 20],
    },
    CachedMasterDropped,
    CachedMasterMade,

    // ---- shutdown and saving -------------------------------------------------------------------
    ShutdownRequested,
    ShutdownWaiting,
    ShutdownReplicas {
        in_sync: u32,
        of: u32,
    },
    SavingFinal,
    Saved,
    ByeBye,
    SaveTriggered {
        changes: u64,
        secs: u64,
    },

    // ---- clients -------------------------------------------------------------------------------
    /// The first write of a client that a node accepts, or the first after others were refused.
    WriteAccepted {
        by: HostId,
        slot: u16,
    },
    WriteRefused {
        by: HostId,
        slot: u16,
        error: Arc<str>,
    },
    /// An admin tool prints a line.
    Printed {
        text: Arc<str>,
    },
}

impl Fact {
    /// The coarsest trace that keeps this fact.
    pub fn level(&self) -> Level {
        use Fact::*;
        match self {
            Formed
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
            | NodeForgotten { .. }
            | HandshakeStarted { .. }
            | WriteAccepted { .. }
            | WriteRefused { .. }
            | Printed { .. }
            | PfailCleared { .. }
            | Reported { .. }
            | NodeDiscovered { .. }
            | DirtySlotsDeleted { .. } => Level::Headline,
            ReportedBack { .. }
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
            PacketSent { .. } | PacketReceived { .. } => Level::Packet,
            _ => Level::Notice,
        }
    }
}
