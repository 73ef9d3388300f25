//! Facts in words: [`log_line`] as Redis's log has them, [`headline`] for people.
//!
//! Knows facts and [`Names`]; never the state of a program. `log` puts the lines of one process
//! together, with what Redis prints around them.

use crate::base::Hex;

use super::{
    CantFailover, DenyReason, EpochCause, Fact, FailClearReason, FailoverKind, HostId, Job, LogLevel, NodeId,
};

/// How nodes and hosts are called. The registry of a run implements this.
pub trait Names {
    /// The 40 hex digits of a node id.
    fn node_hex(&self, node: NodeId) -> String;
    /// What people call the node: its host's name, or the first digits of its id.
    fn nick(&self, node: NodeId) -> String;
    /// The name of a host.
    fn host(&self, host: HostId) -> &str;
    /// The host that goes by the node id.
    fn owner(&self, node: NodeId) -> Option<HostId>;
    /// The name of the host that goes by this id of 40 hex digits, if one does.
    fn called_by(&self, _id: &str) -> Option<String> {
        None
    }
    /// The name of the node's host, or all of its id.
    fn called(&self, node: NodeId) -> String {
        self.owner(node).map_or_else(|| self.node_hex(node), |h| self.host(h).to_string())
    }
}

/// What a fact is about, for colours and filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// What was done to the deployment: faults, steps, commands.
    Deed,
    /// Suspicion and failure: PFAIL, reports, FAIL.
    Detection,
    /// Elections and votes.
    Election,
    /// Masters, replicas, slots, epochs.
    Role,
    /// Whether the cluster serves.
    State,
    /// Processes, links and membership.
    Process,
    Replication,
    /// What clients and tools see.
    Client,
}

impl Topic {
    pub const ALL: [Topic; 8] = [
        Topic::Deed,
        Topic::Detection,
        Topic::Election,
        Topic::Role,
        Topic::State,
        Topic::Replication,
        Topic::Process,
        Topic::Client,
    ];

    /// One ASCII character that stands for it where there is no colour.
    pub fn mark(self) -> char {
        match self {
            Topic::Deed => '!',
            Topic::Detection => '?',
            Topic::Election => '+',
            Topic::Role => '@',
            Topic::State => '=',
            Topic::Process => '.',
            Topic::Replication => '~',
            Topic::Client => '>',
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Topic::Deed => "fault or step",
            Topic::Detection => "failure detection",
            Topic::Election => "election",
            Topic::Role => "roles and slots",
            Topic::State => "cluster state",
            Topic::Process => "process or link",
            Topic::Replication => "replication",
            Topic::Client => "client",
        }
    }

    pub fn of(fact: &Fact) -> Topic {
        use Fact::*;
        match fact {
            Sentinel(e) => e.event.topic(),
            SentinelNote(note) => note.topic(),
            SentinelThought(thought) => thought.topic(),
            ConfigRewritten => Topic::Process,
            Formed
            | Begun
            | Killed
            | Crashed
            | Paused
            | Resumed
            | Busy { .. }
            | LinkCut { .. }
            | LinkHealed { .. }
            | ClockJumped { .. }
            | Command { .. }
            | Say { .. } => Topic::Deed,
            Pfail { .. }
            | PfailCleared { .. }
            | Reported { .. }
            | ReportedBack { .. }
            | FailQuorum { .. }
            | FailMessage { .. }
            | FailMessageUnknown { .. }
            | FailCleared { .. } => Topic::Detection,
            StateChanged { .. } => Topic::State,
            ElectionScheduled { .. }
            | RankUpdated { .. }
            | ElectionStarted { .. }
            | VoteGranted { .. }
            | VoteDenied { .. }
            | VoteReceived { .. }
            | ElectionWon { .. }
            | CantFailover { .. }
            | ManualAccepted { .. }
            | TakingOver
            | ManualRequested { .. }
            | ManualOffset { .. }
            | ManualReady
            | ManualTimedOut => Topic::Election,
            EpochSet { .. }
            | Promoted { .. }
            | Reconfigured { .. }
            | SubReplica { .. }
            | MigratingTo { .. }
            | UpdateSent { .. }
            | UpdateAboutMyself
            | SlotsMoved { .. }
            | SlotsTaken { .. }
            | RoleSeen { .. }
            | DirtySlotsDeleted { .. } => Topic::Role,
            Started { .. }
            | Ready { .. }
            | Exited { .. }
            | NodeConfigNew { .. }
            | NodeConfigLoaded { .. }
            | HardReset { .. }
            | Loaded { .. }
            | IpLearned { .. }
            | AddressUpdated { .. }
            | HandshakeStarted { .. }
            | Renamed { .. }
            | HandshakeDone { .. }
            | HandshakeKnown { .. }
            | HandshakeTimedOut { .. }
            | NodeDiscovered { .. }
            | NodeForgotten { .. }
            | WrongNode { .. }
            | LinkConnected { .. }
            | LinkRefused { .. }
            | LinkLost { .. }
            | LinkDropped { .. }
            | LinkAccepted { .. }
            | Pinged { .. }
            | PacketSent { .. }
            | PacketReceived { .. }
            | HostnameUpdated { .. }
            | ShutdownRequested
            | ShutdownWaiting
            | ShutdownReplicas { .. }
            | SavingFinal
            | Saved
            | ByeBye
            | SaveTriggered { .. }
            | SaveFailed
            | ShutdownFailed
            | AofCreated
            | AofRewriteTriggered { .. }
            | AofRewritten { .. }
            | AofFsyncSlow
            | AofWriteFailed { .. }
            | AofWritesAgain
            | ReplicaCannotWrite { .. }
            | ChildForked { .. } => Topic::Process,
            DiskFull | DiskFreed | DiskSlowed { .. } | FileCopied { .. } | AofTailLost { .. } => Topic::Deed,
            MasterLinkLost
            | MasterCached
            | ConnectingToMaster { .. }
            | SyncStarted
            | SyncConnected
            | SyncConnectFailed { .. }
            | MasterPonged
            | MasterPingError { .. }
            | PsyncTry { .. }
            | PsyncNoCache
            | FullResync { .. }
            | PartialResync { .. }
            | MasterRefused { .. }
            | SyncTransfer { .. }
            | SyncFlushing
            | SyncLoading
            | SyncDone
            | MasterTimedOut
            | SyncTimedOut { .. }
            | ReplicaAsks { .. }
            | ReplicaPartial { .. }
            | ReplicaFull { .. }
            | ReplicaDelayed
            | ReplicaWaits
            | BacklogCreated { .. }
            | BacklogFreed { .. }
            | BgsaveStarted { .. }
            | BgsaveDone { .. }
            | PipeDone { .. }
            | BgsaveDelayed
            | ReplicaJoins
            | ReplicaCannotJoin
            | ReplicaAhead { .. }
            | SyncChildFailed
            | ReplicaOverfull { .. }
            | ReconnectingToMaster { .. }
            | SyncBroken { .. }
            | HandshakeBroken
            | ReplicaSynced { .. }
            | ReplicaLost { .. }
            | ReplicaTimedOut { .. }
            | SecondaryReplid { .. }
            | ReplicaofEnabled { .. }
            | MasterModeEnabled { .. }
            | FailoverRequested { .. }
            | FailoverSynced { .. }
            | FailoverForced { .. }
            | FailoverAborted { .. }
            | FailoverAsked { .. }
            | AlreadyFollowing
            | CachedMasterDropped
            | CachedMasterMade => Topic::Replication,
            ToolStarted { .. } => Topic::Deed,
            WriteAccepted { .. }
            | WriteRefused { .. }
            | WriteAcked { .. }
            | WriteFailed { .. }
            | Printed { .. }
            | ToolEnded { .. }
            | CommandRead { .. } => Topic::Client,
        }
    }
}

/// The names of packet types, by number. redis: cluster.c clusterGetMessageTypeString @7.0.15
pub fn packet_kind(kind: u16) -> &'static str {
    const NAMES: [&str; 11] = [
        "ping",
        "pong",
        "meet",
        "fail",
        "publish",
        "auth-req",
        "auth-ack",
        "update",
        "mfstart",
        "module",
        "publishshard",
    ];
    NAMES.get(usize::from(kind)).copied().unwrap_or("unknown")
}

/// The level and text with which Redis logs the fact, or `None` where it logs nothing. Facts that Redis
/// tells in several lines have the first of them here; `log` adds the others.
///
/// redis: the `serverLog` calls of cluster.c, replication.c, rdb.c and server.c @7.0.15
pub fn log_line(fact: &Fact, names: &impl Names) -> Option<(LogLevel, String)> {
    use LogLevel::{Debug, Notice, Verbose, Warning};
    let id = |n: &NodeId| names.node_hex(*n);
    let plain = |level, text: &str| Some((level, text.to_string()));
    match fact {
        Fact::Sentinel(e) => Some((e.event.log_level(), format!("{} {e}", e.event.name()))),
        Fact::SentinelNote(note) => Some(note.log_line()),
        Fact::ConfigRewritten => plain(Warning, "CONFIG REWRITE executed with success."),
        // Start and stop.
        Fact::Started { .. } => plain(Warning, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"),
        Fact::Ready { .. } => plain(Notice, "Ready to accept connections"),
        Fact::NodeConfigNew { node } => {
            Some((Notice, format!("No cluster configuration found, I'm {}", id(node))))
        }
        Fact::NodeConfigLoaded { node } => {
            Some((Notice, format!("Node configuration loaded, I'm {}", id(node))))
        }
        Fact::HardReset { node } => Some((Notice, format!("Node hard reset, now I'm {}", id(node)))),
        Fact::Loaded { ms, source, .. } => {
            let from = if *source == "AOF" { "append only file" } else { "disk" };
            Some((Notice, format!("DB loaded from {from}: {}.{:03} seconds", ms / 1000, ms % 1000)))
        }
        Fact::SlotsTaken { slot, owned_by_other: false } => {
            Some((Warning, format!("I have keys for unassigned slot {slot}. Taking responsibility for it.")))
        }
        Fact::SlotsTaken { slot, owned_by_other: true } => Some((
            Warning,
            format!(
                "I have keys for slot {slot}, but the slot is assigned to another node. \
                 Setting it to importing state."
            ),
        )),
        Fact::ShutdownRequested => plain(Warning, "User requested shutdown..."),
        Fact::ShutdownWaiting => plain(Notice, "Waiting for replicas before shutting down."),
        Fact::ShutdownReplicas { in_sync, of } => {
            Some((Notice, format!("{in_sync} of {of} replicas are in sync when shutting down.")))
        }
        Fact::SavingFinal => plain(Notice, "Saving the final RDB snapshot before exiting."),
        Fact::Saved => plain(Notice, "DB saved on disk"),
        Fact::ByeBye => plain(Warning, "Redis is now ready to exit, bye bye..."),
        Fact::SaveTriggered { changes, secs } => {
            Some((Notice, format!("{changes} changes in {secs} seconds. Saving...")))
        }

        // Links and membership.
        Fact::IpLearned { ip } => Some((Warning, format!("IP address for this node updated to {ip}"))),
        Fact::AddressUpdated { node, ip, port } => {
            Some((Warning, format!("Address updated for node {}, now {ip}:{port}", id(node))))
        }
        Fact::Renamed { from, to } => Some((Debug, format!("Renaming node {} into {}", id(from), id(to)))),
        Fact::HandshakeDone { node } => Some((Debug, format!("Handshake with node {} completed.", id(node)))),
        Fact::HandshakeKnown { node } => Some((
            Verbose,
            format!("Handshake: we already know node {}, updating the address if needed.", id(node)),
        )),
        Fact::WrongNode { node, age_ms, flags } => Some((
            Debug,
            format!(
                "PONG contains mismatching sender ID. About node {} added {age_ms} ms ago, having flags {flags}",
                id(node)
            ),
        )),
        Fact::LinkConnected { node, ip, cport } => {
            Some((Debug, format!("Connecting with Node {} at {ip}:{cport}", id(node))))
        }
        Fact::LinkRefused { node, ip, cport } => Some((
            Verbose,
            format!("Connection with Node {} at {ip}:{cport} failed: Connection refused", id(node)),
        )),
        Fact::LinkLost { .. } => plain(Debug, "I/O error reading from node link: connection closed"),
        Fact::LinkAccepted { ip, port } => {
            Some((Verbose, format!("Accepting cluster node connection from {ip}:{port}")))
        }
        Fact::Pinged { node } => Some((Debug, format!("Pinging node {}", id(node)))),
        Fact::PacketReceived { kind, len, .. } => {
            Some((Debug, format!("--- Processing packet of type {}, {len} bytes", packet_kind(*kind))))
        }

        // Failure detection.
        Fact::Pfail { node } => Some((Debug, format!("*** NODE {} possibly failing", id(node)))),
        Fact::Reported { by, node } => {
            Some((Verbose, format!("Node {} reported node {} as not reachable.", id(by), id(node))))
        }
        Fact::ReportedBack { by, node } => {
            Some((Verbose, format!("Node {} reported node {} is back online.", id(by), id(node))))
        }
        Fact::FailQuorum { node, .. } => {
            Some((Notice, format!("Marking node {} as failing (quorum reached).", id(node))))
        }
        Fact::FailMessage { from, node } => {
            Some((Notice, format!("FAIL message received from {} about {}", id(from), id(node))))
        }
        Fact::FailMessageUnknown { from, node } => {
            Some((Notice, format!("Ignoring FAIL message from unknown node {} about {}", id(from), id(node))))
        }
        Fact::FailCleared { node, why } => {
            let why = match why {
                FailClearReason::ReplicaReachable => "replica is reachable again.",
                FailClearReason::MasterWithoutSlots => "master without slots is reachable again.",
                FailClearReason::NobodyServesItsSlots => {
                    "is reachable again and nobody is serving its slots after some time."
                }
            };
            Some((Notice, format!("Clear FAIL state for node {}: {why}", id(node))))
        }
        Fact::StateChanged { ok } => {
            Some((Warning, format!("Cluster state changed: {}", if *ok { "ok" } else { "fail" })))
        }

        // Failover.
        Fact::ElectionScheduled { delay_ms, rank, offset } => Some((
            Warning,
            format!("Start of election delayed for {delay_ms} milliseconds (rank #{rank}, offset {offset})."),
        )),
        Fact::RankUpdated { rank, added_ms } => Some((
            Warning,
            format!("Replica rank updated to #{rank}, added {added_ms} milliseconds of delay."),
        )),
        Fact::ElectionStarted { epoch } => {
            Some((Warning, format!("Starting a failover election for epoch {epoch}.")))
        }
        Fact::VoteGranted { to, epoch } => {
            Some((Warning, format!("Failover auth granted to {} for epoch {epoch}", id(to))))
        }
        Fact::VoteDenied { to, why } => {
            Some((Warning, format!("Failover auth denied to {}: {}", id(to), denied_log(why))))
        }
        Fact::ElectionWon { .. } => plain(Warning, "Failover election won: I'm the new master."),
        Fact::EpochSet { epoch, cause } => match cause {
            EpochCause::Failover => {
                Some((Warning, format!("configEpoch set to {epoch} after successful failover")))
            }
            EpochCause::Bump => Some((Warning, format!("New configEpoch set to {epoch}"))),
            EpochCause::Import { slot } => {
                Some((Warning, format!("configEpoch updated after importing slot {slot}")))
            }
            EpochCause::Command => {
                Some((Warning, format!("configEpoch set to {epoch} via CLUSTER SET-CONFIG-EPOCH")))
            }
            EpochCause::HardReset => {
                Some((Warning, format!("configEpoch set to {epoch} via CLUSTER RESET HARD")))
            }
            EpochCause::Collision { with } => Some((
                Verbose,
                format!("WARNING: configEpoch collision with node {}. configEpoch set to {epoch}", id(with)),
            )),
        },
        Fact::CantFailover { why } => {
            let why = match why {
                CantFailover::DataAge => {
                    "Disconnected from master for longer than allowed. Please check the \
                     'cluster-replica-validity-factor' configuration option."
                }
                CantFailover::WaitingDelay => "Waiting the delay before I can start a new failover.",
                CantFailover::Expired => "Failover attempt expired.",
                CantFailover::WaitingVotes => "Waiting for votes, but majority still not reached.",
            };
            Some((Warning, format!("Currently unable to failover: {why}")))
        }
        Fact::ManualAccepted { forced: true } => plain(Warning, "Forced failover user request accepted."),
        Fact::ManualAccepted { forced: false } => plain(Warning, "Manual failover user request accepted."),
        Fact::TakingOver => plain(Warning, "Taking over the master (user request)."),
        Fact::ManualRequested { by } => {
            Some((Warning, format!("Manual failover requested by replica {}.", id(by))))
        }
        Fact::ManualOffset { offset } => Some((
            Warning,
            format!("Received replication offset for paused master manual failover: {offset}"),
        )),
        Fact::ManualReady => {
            plain(Warning, "All master replication stream processed, manual failover can start.")
        }
        Fact::ManualTimedOut => plain(Warning, "Manual failover timed out."),

        // Slots and roles.
        Fact::Reconfigured { master } => Some((
            Warning,
            format!("Configuration change detected. Reconfiguring myself as a replica of {}", id(master)),
        )),
        Fact::SubReplica { master } => Some((
            Warning,
            format!("I'm a sub-replica! Reconfiguring myself as a replica of grandmaster {}", id(master)),
        )),
        Fact::MigratingTo { master } => {
            Some((Warning, format!("Migrating to orphaned master {}", id(master))))
        }
        Fact::UpdateSent { to, about } => Some((
            Verbose,
            format!(
                "Node {} has old slots configuration, sending an UPDATE message about {}",
                id(to),
                id(about)
            ),
        )),
        Fact::UpdateAboutMyself => plain(Warning, "Discarding UPDATE message about myself."),

        // Replication.
        Fact::MasterLinkLost => plain(Warning, "Connection with master lost."),
        Fact::MasterCached => plain(Notice, "Caching the disconnected master state."),
        Fact::ConnectingToMaster { ip, port, again } => {
            let verb = if *again { "Reconnecting" } else { "Connecting" };
            Some((Notice, format!("{verb} to MASTER {ip}:{port}")))
        }
        Fact::SyncStarted => plain(Notice, "MASTER <-> REPLICA sync started"),
        Fact::SyncConnected => plain(Notice, "Non blocking connect for SYNC fired the event."),
        Fact::SyncConnectFailed { error } => {
            Some((Warning, format!("Error condition on socket for SYNC: {error}")))
        }
        Fact::MasterPonged => plain(Notice, "Master replied to PING, replication can continue..."),
        Fact::MasterPingError { error } => {
            Some((Warning, format!("Error reply to PING from master: '-{error}'")))
        }
        Fact::PsyncTry { replid, offset } => {
            Some((Notice, format!("Trying a partial resynchronization (request {}:{offset}).", Hex(replid))))
        }
        Fact::PsyncNoCache => plain(Notice, "Partial resynchronization not possible (no cached master)"),
        Fact::FullResync { replid, offset } => {
            Some((Notice, format!("Full resync from master: {}:{offset}", Hex(replid))))
        }
        Fact::PartialResync { .. } => plain(Notice, "Successful partial resynchronization with master."),
        Fact::MasterRefused { error } => {
            Some(if error.starts_with("NOMASTERLINK") || error.starts_with("LOADING") {
                let text =
                    format!("Master is currently unable to PSYNC but should be in the future: -{error}");
                (Notice, text)
            } else if error.starts_with("ERR") {
                (Notice, format!("Master does not support PSYNC or is in error state (reply: -{error})"))
            } else {
                (Warning, format!("Unexpected reply to PSYNC from master: -{error}"))
            })
        }
        Fact::SyncTransfer { eof, bytes, to_parser } => {
            let whither = if *to_parser { "parser" } else { "disk" };
            Some((
                Notice,
                match eof {
                    true => format!(
                        "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to {whither}"
                    ),
                    false => {
                        format!("MASTER <-> REPLICA sync: receiving {bytes} bytes from master to {whither}")
                    }
                },
            ))
        }
        Fact::SyncFlushing => plain(Notice, "MASTER <-> REPLICA sync: Flushing old data"),
        Fact::SyncLoading => plain(Notice, "MASTER <-> REPLICA sync: Loading DB in memory"),
        Fact::SyncDone => plain(Notice, "MASTER <-> REPLICA sync: Finished with success"),
        Fact::MasterTimedOut => plain(Warning, "MASTER timeout: no data nor PING received..."),
        Fact::SyncTimedOut { transfer: false } => plain(Warning, "Timeout connecting to the MASTER..."),
        Fact::SyncTimedOut { transfer: true } => plain(
            Warning,
            "Timeout receiving bulk data from MASTER... If the problem persists try to set the \
             'repl-timeout' parameter in redis.conf to a larger value.",
        ),
        Fact::ReplicaAsks { addr } => Some((Notice, format!("Replica {addr} asks for synchronization"))),
        Fact::ReplicaPartial { addr, bytes, offset } => Some((
            Notice,
            format!(
                "Partial resynchronization request from {addr} accepted. Sending {bytes} bytes of backlog \
                 starting from offset {offset}."
            ),
        )),
        Fact::ReplicaFull { why, .. } => plain(Notice, why),
        Fact::ReplicaDelayed => plain(Notice, "Delay next BGSAVE for diskless SYNC"),
        Fact::ReplicaWaits => {
            plain(Notice, "Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC")
        }
        Fact::BacklogCreated { replid } => Some((
            Notice,
            format!(
                "Replication backlog created, my new replication IDs are '{}' and '{}'",
                Hex(replid),
                Hex(&[0; 20])
            ),
        )),
        Fact::BacklogFreed { secs } => Some((
            Notice,
            format!("Replication backlog freed after {secs} seconds without connected replicas."),
        )),
        Fact::BgsaveStarted { sockets } => {
            let target = if *sockets { "replicas sockets" } else { "disk" };
            Some((Notice, format!("Starting BGSAVE for SYNC with target: {target}")))
        }
        Fact::BgsaveDone { sockets, ok, killed } => {
            let what = if *sockets { "transfer" } else { "saving" };
            let what = if *sockets { format!("RDB {what}") } else { what.into() };
            Some(match (ok, killed) {
                (true, _) => (Notice, format!("Background {what} terminated with success")),
                (false, true) => (Warning, format!("Background {what} terminated by signal 10")),
                (false, false) => (Warning, format!("Background {what} error")),
            })
        }
        Fact::PipeDone { up } => {
            Some((Warning, format!("Diskless rdb transfer, done reading from pipe, {up} replicas still up.")))
        }
        Fact::BgsaveDelayed => plain(
            Notice,
            "No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed",
        ),
        Fact::ReplicaJoins => plain(Notice, "Waiting for end of BGSAVE for SYNC"),
        Fact::ReplicaCannotJoin => {
            plain(Notice, "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")
        }
        Fact::ReplicaAhead { addr } => Some((
            Warning,
            format!(
                "Warning: replica {addr} tried to PSYNC with an offset that is greater than the master \
                 replication offset."
            ),
        )),
        Fact::SyncChildFailed => plain(Warning, "SYNC failed. BGSAVE child returned an error"),
        Fact::ReplicaOverfull { addr } => Some((
            Warning,
            format!("Client {addr} scheduled to be closed ASAP for overcoming of output buffer limits."),
        )),
        Fact::ReconnectingToMaster { ip, port } => {
            Some((Notice, format!("Reconnecting to MASTER {ip}:{port} after failure")))
        }
        Fact::SyncBroken { error } => {
            Some((Warning, format!("I/O error trying to sync with MASTER: {error}")))
        }
        Fact::HandshakeBroken => plain(Warning, "Master did not respond to command during SYNC handshake"),
        Fact::SaveFailed => {
            plain(Warning, "Write error saving DB on disk(rdbSaveRio): No space left on device")
        }
        Fact::ShutdownFailed => plain(Warning, "Error trying to save the DB, can't exit."),
        Fact::AofCreated => plain(Notice, "Creating AOF base file appendonly.aof.1.base.rdb on server start"),
        Fact::AofRewriteTriggered { percent } => {
            Some((Notice, format!("Starting automatic rewriting of AOF on {percent}% growth")))
        }
        Fact::AofRewritten { ok: true } => plain(Notice, "Background AOF rewrite terminated with success"),
        Fact::AofRewritten { ok: false } => plain(Warning, "Background AOF rewrite terminated with error"),
        Fact::AofFsyncSlow => plain(
            Notice,
            "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting \
             for fsync to complete, this may slow down Redis.",
        ),
        Fact::AofWriteFailed { .. } => {
            plain(Warning, "Error writing to the AOF file: No space left on device")
        }
        Fact::AofWritesAgain => plain(Warning, "AOF write error looks solved, Redis can write again."),
        Fact::ReplicaCannotWrite { fatal: true } => {
            plain(Warning, "Guru Meditation: Replica was unable to write command to disk.")
        }
        Fact::ReplicaCannotWrite { fatal: false } => {
            plain(Warning, "Replica is applying a command even though it is unable to write to disk.")
        }
        Fact::ReplicaSynced { addr } => {
            Some((Notice, format!("Synchronization with replica {addr} succeeded")))
        }
        Fact::ReplicaLost { addr } => Some((Warning, format!("Connection with replica {addr} lost."))),
        Fact::ReplicaTimedOut { addr, full } => {
            let phase = if *full { "full sync" } else { "streaming sync" };
            Some((Warning, format!("Disconnecting timedout replica ({phase}): {addr}")))
        }
        Fact::SecondaryReplid { old, offset, new } => Some((
            Warning,
            format!(
                "Setting secondary replication ID to {}, valid up to offset: {offset}. New replication ID is {}",
                Hex(old),
                Hex(new)
            ),
        )),
        Fact::ReplicaofEnabled { ip, port, by } => {
            Some((Notice, format!("REPLICAOF {ip}:{port} enabled (user request from '{by}')")))
        }
        Fact::MasterModeEnabled { request, by } => {
            Some((Notice, format!("MASTER MODE enabled ({request} request from '{by}')")))
        }
        Fact::FailoverRequested { to } => {
            let to = to.as_deref().unwrap_or("any replica");
            Some((Notice, format!("FAILOVER requested to {to}.")))
        }
        Fact::FailoverSynced { to } => {
            Some((Notice, format!("Failover target {to} is synced, failing over.")))
        }
        Fact::FailoverForced { to } => {
            Some((Notice, format!("FAILOVER to {to} time out exceeded, failing over.")))
        }
        Fact::FailoverAborted { to, why } => {
            let to = to.as_deref().unwrap_or("any replica");
            Some((Notice, format!("FAILOVER to {to} aborted: {why}")))
        }
        Fact::FailoverAsked { replid } => {
            Some((Warning, format!("Failover request received for replid {replid}.")))
        }
        Fact::AlreadyFollowing => plain(
            Notice,
            "REPLICAOF would result into synchronization with the master we are already connected with. No \
             operation performed.",
        ),
        Fact::CachedMasterDropped => plain(Notice, "Discarding previously cached master state."),
        Fact::CachedMasterMade => plain(
            Notice,
            "Before turning into a replica, using my own master parameters to synthesize a cached master: \
             I may be able to synchronize with the new master with just a partial transfer.",
        ),

        // The simulator's own, and what Redis keeps to itself.
        Fact::ChildForked { .. }
        | Fact::DiskFull
        | Fact::DiskFreed
        | Fact::DiskSlowed { .. }
        | Fact::FileCopied { .. }
        | Fact::AofTailLost { .. }
        | Fact::Formed
        | Fact::Begun
        | Fact::Killed
        | Fact::Exited { .. }
        | Fact::Crashed
        | Fact::Paused
        | Fact::Resumed
        | Fact::Busy { .. }
        | Fact::LinkCut { .. }
        | Fact::LinkHealed { .. }
        | Fact::ClockJumped { .. }
        | Fact::Command { .. }
        | Fact::Say { .. }
        | Fact::HandshakeStarted { .. }
        | Fact::HandshakeTimedOut { .. }
        | Fact::NodeDiscovered { .. }
        | Fact::NodeForgotten { .. }
        | Fact::LinkDropped { .. }
        | Fact::PacketSent { .. }
        | Fact::HostnameUpdated { .. }
        | Fact::PfailCleared { .. }
        | Fact::VoteReceived { .. }
        | Fact::Promoted { .. }
        | Fact::SlotsMoved { .. }
        | Fact::RoleSeen { .. }
        | Fact::DirtySlotsDeleted { .. }
        | Fact::WriteAccepted { .. }
        | Fact::WriteRefused { .. }
        | Fact::WriteAcked { .. }
        | Fact::WriteFailed { .. }
        | Fact::Printed { .. }
        | Fact::ToolStarted { .. }
        | Fact::ToolEnded { .. }
        | Fact::SentinelThought(_)
        | Fact::CommandRead { .. } => None,
    }
}

/// redis: clusterSendFailoverAuthIfNeeded @7.0.15
fn denied_log(why: &DenyReason) -> String {
    match why {
        DenyReason::OldEpoch { requested, current } => {
            format!("reqEpoch ({requested}) < curEpoch({current})")
        }
        DenyReason::AlreadyVoted { epoch } => format!("already voted for epoch {epoch}"),
        DenyReason::IsMaster => "it is a master node".into(),
        DenyReason::UnknownMaster => "I don't know its master".into(),
        DenyReason::MasterIsUp => "its master is up".into(),
        DenyReason::VotedRecently { wait_ms } => {
            format!("can't vote about this master before {wait_ms} milliseconds")
        }
        DenyReason::SlotEpoch { slot, epoch, requested } => {
            format!("slot {slot} epoch ({epoch}) > reqEpoch ({requested})")
        }
    }
}

/// Why a vote was refused, in words.
pub fn denied(why: &DenyReason) -> String {
    match why {
        DenyReason::OldEpoch { requested, current } => {
            format!("it asks for epoch {requested}, and epoch {current} has begun")
        }
        DenyReason::AlreadyVoted { epoch } => format!("it has voted in epoch {epoch} already"),
        DenyReason::IsMaster => "the candidate is a master".into(),
        DenyReason::UnknownMaster => "it does not know the candidate's master".into(),
        DenyReason::MasterIsUp => "it does not hold the candidate's master for FAIL".into(),
        DenyReason::VotedRecently { wait_ms } => {
            format!("it voted about this master lately and will not for another {wait_ms} ms")
        }
        DenyReason::SlotEpoch { slot, epoch, requested } => {
            format!("slot {slot} is served under configEpoch {epoch}, newer than the candidate's {requested}")
        }
    }
}

/// Why a replica does not fail over, in words.
pub fn cannot(why: CantFailover) -> &'static str {
    match why {
        CantFailover::DataAge => {
            "its data is too old: it was cut off from its master for longer than \
             cluster-replica-validity-factor allows"
        }
        CantFailover::WaitingDelay => "its election delay has not passed",
        CantFailover::Expired => "its attempt has expired",
        CantFailover::WaitingVotes => "a majority of votes is still missing",
    }
}

/// The first line of a reply, not too long.
fn brief(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let cut: String = line.chars().take(60).collect();
    if cut.len() < text.trim_end().len() { format!("{cut}...") } else { cut }
}

/// The fact in a few plain words. They follow the name of the host: `n3` `votes for n5 in epoch 7`.
/// Facts of the world itself (`HostId(u32::MAX)`) are sentences of their own.
pub fn headline(fact: &Fact, names: &impl Names) -> String {
    let nick = |n: &NodeId| names.nick(*n);
    match fact {
        Fact::Sentinel(e) => e.headline(names),
        Fact::SentinelNote(note) => note.headline(names),
        Fact::SentinelThought(thought) => thought.headline(names),
        Fact::ConfigRewritten => "writes its configuration file anew".into(),
        Fact::Formed => "the deployment is formed: all nodes agree, every replica is in sync".into(),
        Fact::Begun => "the scenario begins: its nodes start, and only its steps bring them together".into(),
        Fact::Started { boot: 1, pid } => format!("starts (pid {pid})"),
        Fact::Started { pid, .. } => format!("starts again (pid {pid})"),
        Fact::Ready { port } => format!("accepts connections on port {port}"),
        Fact::Killed => "is killed (kill -9)".into(),
        Fact::Exited { code } => format!("exits with code {code}"),
        Fact::Crashed => "loses power".into(),
        Fact::Paused => "is paused: it neither reads nor answers".into(),
        Fact::Resumed => "runs again after the pause".into(),
        Fact::Busy { what, time } => format!("is busy for {time} ({what})"),
        Fact::LinkCut { from, to } => {
            format!("packets from {} to {} are dropped from now on", names.host(*from), names.host(*to))
        }
        Fact::LinkHealed { from, to } => {
            format!("packets from {} to {} arrive again", names.host(*from), names.host(*to))
        }
        Fact::ClockJumped { by_ms } => format!("has its clock moved by {by_ms:+} ms"),
        Fact::Command { text, reply } if reply.is_empty() => format!("is sent {text}"),
        Fact::Command { text, reply } => format!("is sent {text}, answers {}", brief(reply)),
        Fact::Say { text } => text.to_string(),
        Fact::NodeConfigNew { node } => {
            format!("has no nodes.conf and takes a new id, {}", short(names, *node))
        }
        Fact::NodeConfigLoaded { node } => format!("reads its nodes.conf, id {}", short(names, *node)),
        Fact::HardReset { node } => format!("forgets everything and takes a new id, {}", short(names, *node)),
        Fact::Loaded { keys, ms, .. } => format!("loads {} from its disk in {ms} ms", count(*keys, "key")),
        Fact::SlotsTaken { slot, owned_by_other: false } => {
            format!("holds keys of slot {slot}, which nobody owns, and takes it")
        }
        Fact::SlotsTaken { slot, owned_by_other: true } => {
            format!("holds keys of slot {slot}, which another node owns: marks it as importing")
        }
        Fact::IpLearned { ip } => format!("learns its own address, {ip}"),
        Fact::AddressUpdated { node, ip, port } => {
            format!("learns that {} is at {ip}:{port} now", nick(node))
        }
        Fact::HandshakeStarted { ip, port, .. } => format!("begins a handshake with {ip}:{port}"),
        Fact::Renamed { to, .. } => format!("learns that the node it met is {}", nick(to)),
        Fact::HandshakeDone { node } => format!("completes the handshake with {}", nick(node)),
        Fact::HandshakeKnown { node } => format!("finds that it knows {} already", nick(node)),
        Fact::HandshakeTimedOut { .. } => "gives up a handshake that nobody answered".into(),
        Fact::NodeDiscovered { node, from } => format!("learns of {} from {}", nick(node), nick(from)),
        Fact::NodeForgotten { node } => format!("forgets {} and refuses it for a minute", nick(node)),
        Fact::WrongNode { node, .. } => format!("finds another node where {} should be", nick(node)),
        Fact::LinkConnected { node, .. } => format!("connects to {}", nick(node)),
        Fact::LinkRefused { node, .. } => format!("cannot connect to {}: refused", nick(node)),
        Fact::LinkLost { node } => format!("loses a bus connection with {}", nick(node)),
        Fact::LinkDropped { node } => {
            format!("drops its silent connection to {}, to open a new one", nick(node))
        }
        Fact::LinkAccepted { ip, port } => format!("accepts a bus connection from {ip}:{port}"),
        Fact::Pinged { node } => format!("pings {}, picked at random", nick(node)),
        Fact::PacketSent { to, kind, len } => {
            format!("sends {} ({len} bytes) to {}", packet_kind(*kind).to_uppercase(), nick(to))
        }
        Fact::PacketReceived { from, kind, len } => {
            format!("receives {} ({len} bytes) from {}", packet_kind(*kind).to_uppercase(), nick(from))
        }
        Fact::HostnameUpdated { node, hostname } => {
            format!("learns the hostname of {}: {hostname}", nick(node))
        }
        Fact::Pfail { node } => format!("gets no answer from {}: PFAIL, its own opinion", nick(node)),
        Fact::PfailCleared { node } => format!("hears {} again and drops its PFAIL", nick(node)),
        Fact::Reported { by, node } => format!("hears from {} that {} does not answer", nick(by), nick(node)),
        Fact::ReportedBack { by, node } => format!("hears from {} that {} is back", nick(by), nick(node)),
        Fact::FailQuorum { node, reports, needed } => {
            format!("declares {} FAIL: {reports} of the masters agree, {needed} needed", nick(node))
        }
        Fact::FailMessage { from, node } => format!("is told by {} that {} is FAIL", nick(from), nick(node)),
        Fact::FailMessageUnknown { node, .. } => {
            format!("ignores a stranger's word that {} is FAIL", nick(node))
        }
        Fact::FailCleared { node, why } => {
            let why = match why {
                FailClearReason::ReplicaReachable => "a replica that answers again",
                FailClearReason::MasterWithoutSlots => "it answers again and has no slots",
                FailClearReason::NobodyServesItsSlots => "it answers again and nobody took its slots",
            };
            format!("clears the FAIL of {}: {why}", nick(node))
        }
        Fact::StateChanged { ok: true } => "says cluster_state:ok".into(),
        Fact::StateChanged { ok: false } => "says cluster_state:fail and refuses commands".into(),
        Fact::ElectionScheduled { delay_ms, rank, offset } => {
            format!("will ask for votes in {delay_ms} ms (rank {rank}, offset {offset})")
        }
        Fact::RankUpdated { rank, added_ms } => {
            format!("learns of a sibling with newer data: rank {rank}, {added_ms} ms more to wait")
        }
        Fact::ElectionStarted { epoch } => format!("asks all masters for their vote in epoch {epoch}"),
        Fact::VoteGranted { to, epoch } => format!("votes for {} in epoch {epoch}", nick(to)),
        Fact::VoteDenied { to, why } => format!("refuses {} its vote: {}", nick(to), denied(why)),
        Fact::VoteReceived { from, votes, needed } => {
            format!("gets the vote of {}: {votes} of {needed} needed", nick(from))
        }
        Fact::ElectionWon { kind } => match kind {
            FailoverKind::Automatic => "wins the election".into(),
            FailoverKind::Manual => "wins the election of the manual failover".into(),
            FailoverKind::Forced => "wins the election of the forced failover".into(),
            FailoverKind::Takeover => "takes over without an election".into(),
        },
        Fact::EpochSet { epoch, cause } => match cause {
            EpochCause::Failover => format!("gets configEpoch {epoch}, that of its election"),
            EpochCause::Bump => format!("takes configEpoch {epoch} without asking"),
            EpochCause::Import { slot } => format!("has configEpoch {epoch} after importing slot {slot}"),
            EpochCause::Command => format!("is given configEpoch {epoch}"),
            EpochCause::HardReset => "falls back to configEpoch 0".into(),
            EpochCause::Collision { with } => {
                format!("takes configEpoch {epoch}, because {} has the same as it had", nick(with))
            }
        },
        Fact::CantFailover { why } => format!("does not fail over: {}", cannot(*why)),
        Fact::ManualAccepted { forced: false } => "begins a manual failover".into(),
        Fact::ManualAccepted { forced: true } => "begins a failover without its master's help".into(),
        Fact::TakingOver => "takes over without asking anybody".into(),
        Fact::ManualRequested { by } => format!("holds back writes, because {} asks to take over", nick(by)),
        Fact::ManualOffset { offset } => format!("learns where its master stopped: offset {offset}"),
        Fact::ManualReady => "has all of its master's data and can take over".into(),
        Fact::ManualTimedOut => "gives up the manual failover: it took too long".into(),
        Fact::Promoted { from } => format!("is master now, with the slots of {}", nick(from)),
        Fact::Reconfigured { master } => {
            format!("becomes a replica of {}, which took its last slots", nick(master))
        }
        Fact::SubReplica { master } => format!("follows {}, the master of its master", nick(master)),
        Fact::MigratingTo { master } => {
            format!("moves to {}, a master without a working replica", nick(master))
        }
        Fact::UpdateSent { to, about } => {
            format!("tells {} that {} owns the slots now", nick(to), nick(about))
        }
        Fact::UpdateAboutMyself => "ignores an UPDATE about itself".into(),
        Fact::SlotsMoved { to, from, count: n } if from.is_some() => {
            format!("sees {} of {} with {}", count(u64::from(*n), "slot"), nick(from), nick(to))
        }
        Fact::SlotsMoved { to, count: n, .. } => {
            format!("sees {} with {}", count(u64::from(*n), "slot"), nick(to))
        }
        Fact::RoleSeen { node, master: true } => format!("sees {} as a master", nick(node)),
        Fact::RoleSeen { node, master: false } => format!("sees {} as a replica", nick(node)),
        Fact::DirtySlotsDeleted { keys } => {
            format!("deletes {} of a slot it lost", count(u64::from(*keys), "key"))
        }
        Fact::MasterLinkLost => "loses the connection to its master".into(),
        Fact::MasterCached => "keeps what it knows of its master, to go on from there".into(),
        Fact::ConnectingToMaster { ip, port, .. } => format!("connects to its master at {ip}:{port}"),
        Fact::SyncStarted => "starts a synchronisation".into(),
        Fact::SyncConnected => "is connected to its master".into(),
        Fact::SyncConnectFailed { error } => format!("cannot reach its master: {error}"),
        Fact::MasterPonged => "is answered by its master".into(),
        Fact::MasterPingError { error } => format!("is turned away by its master: {error}"),
        Fact::PsyncTry { offset, .. } => format!("asks to go on from offset {offset}"),
        Fact::PsyncNoCache => "has nothing to go on from and asks for all data".into(),
        Fact::FullResync { offset, .. } => format!("gets all data anew (full resync at offset {offset})"),
        Fact::PartialResync { new_replid: None } => "goes on where it was (partial resync)".into(),
        Fact::PartialResync { new_replid: Some(_) } => {
            "goes on where it was, under a new master (partial resync)".into()
        }
        Fact::MasterRefused { error } => format!("is refused by its master: {error}"),
        Fact::SyncTransfer { eof: true, .. } => "receives the data as a stream".into(),
        Fact::SyncTransfer { eof: false, bytes, .. } => format!("receives {bytes} bytes of data"),
        Fact::SyncFlushing => "throws its old data away".into(),
        Fact::SyncLoading => "loads the data".into(),
        Fact::SyncDone => "has loaded its master's data".into(),
        Fact::MasterTimedOut => "hears nothing from its master and drops the connection".into(),
        Fact::SyncTimedOut { transfer: false } => "gives up connecting to its master: no answer".into(),
        Fact::SyncTimedOut { transfer: true } => "gives up the transfer: no data".into(),
        Fact::ReplicaAsks { addr } => format!("is asked by {addr} for its data"),
        Fact::ReplicaPartial { addr, bytes, .. } => format!("lets {addr} go on: {bytes} bytes are missing"),
        Fact::ReplicaFull { addr, .. } => format!("must send {addr} all data"),
        Fact::ReplicaDelayed => "waits a little for other replicas before it forks".into(),
        Fact::ReplicaWaits => "makes the replica wait for the next fork".into(),
        Fact::BacklogCreated { .. } => "creates its replication backlog".into(),
        Fact::BacklogFreed { secs } => format!("frees its backlog: no replica for {secs} s"),
        Fact::BgsaveStarted { sockets: true } => "forks a child that sends the data".into(),
        Fact::BgsaveStarted { sockets: false } => "forks a child that writes the data to disk".into(),
        Fact::BgsaveDone { ok: true, .. } => "ends the child that wrote the data".into(),
        Fact::BgsaveDone { ok: false, killed: true, .. } => "kills the child that wrote the data".into(),
        Fact::BgsaveDone { ok: false, .. } => "could not write its data: the child failed".into(),
        Fact::ChildForked { job: Job::Disk } => "forks a child for a dump file".into(),
        Fact::ChildForked { job: Job::Sockets } => "forks a child for its replicas".into(),
        Fact::ChildForked { job: Job::Aof } => "forks a child for a new append-only file".into(),
        Fact::PipeDone { up } => format!("has passed the data on to {}", count(u64::from(*up), "replica")),
        Fact::BgsaveDelayed => "makes the replica wait for another child to end".into(),
        Fact::ReplicaJoins => "lets the replica share the dump that is being written".into(),
        Fact::ReplicaCannotJoin => "makes the replica wait for the next dump".into(),
        Fact::ReplicaAhead { addr } => format!("is asked by {addr} for what it has not written itself"),
        Fact::SyncChildFailed => "drops a replica: its child failed".into(),
        Fact::ReplicaOverfull { addr } => {
            format!("drops {addr}: too much waits for it (output buffer limit)")
        }
        Fact::ReconnectingToMaster { ip, port } => format!("connects to {ip}:{port} again at once"),
        Fact::SyncBroken { .. } => "loses its master in the middle of the data".into(),
        Fact::HandshakeBroken => "loses its master in the middle of the handshake".into(),
        Fact::SaveFailed => "cannot save its data: the disk is full".into(),
        Fact::ShutdownFailed => "cannot save its data and does not end".into(),
        Fact::AofCreated => "begins an append-only file".into(),
        Fact::AofRewriteTriggered { percent } => format!("rewrites its append-only file: {percent}% growth"),
        Fact::AofRewritten { ok: true } => "has a new append-only file".into(),
        Fact::AofRewritten { ok: false } => "could not rewrite its append-only file".into(),
        Fact::AofFsyncSlow => "writes its append-only file without waiting for the disk".into(),
        Fact::AofWriteFailed { .. } => "cannot write its append-only file: the disk is full".into(),
        Fact::AofWritesAgain => "can write its append-only file again".into(),
        Fact::ReplicaCannotWrite { fatal: true } => "cannot note a write on its disk, and aborts".into(),
        Fact::ReplicaCannotWrite { fatal: false } => "cannot note a write on its disk, and goes on".into(),
        Fact::DiskFull => "has no room on its disk any more".into(),
        Fact::DiskFreed => "has room on its disk again".into(),
        Fact::FileCopied { from, to, found: true } => format!("copies {from} to {to}"),
        Fact::FileCopied { from, found: false, .. } => format!("finds no {from} to copy"),
        Fact::DiskSlowed { by } => format!("has a disk that needs {by} more for each fsync"),
        Fact::AofTailLost { bytes } => {
            format!("loses {bytes} bytes of its append-only file that were not on the disk yet")
        }
        Fact::ReplicaSynced { addr } => format!("has sent all data to {addr}"),
        Fact::ReplicaLost { addr } => format!("loses its replica {addr}"),
        Fact::ReplicaTimedOut { addr, .. } => format!("drops its silent replica {addr}"),
        Fact::SecondaryReplid { offset, .. } => {
            format!("begins a new replication history; the old one is valid up to offset {offset}")
        }
        Fact::ReplicaofEnabled { ip, port, .. } => format!("is told to follow {ip}:{port}"),
        Fact::MasterModeEnabled { .. } => "is told to be a master".into(),
        Fact::FailoverRequested { to: Some(to) } => format!("stops writes, to hand over to {to}"),
        Fact::FailoverRequested { to: None } => "stops writes, to hand over to a replica".into(),
        Fact::FailoverSynced { to } => format!("sees that {to} has all, and follows it"),
        Fact::FailoverForced { to } => format!("follows {to}, which has not confirmed all"),
        Fact::FailoverAborted { why, .. } => format!("stays the master: {why}"),
        Fact::FailoverAsked { .. } => "is asked by its master to take over".into(),
        Fact::AlreadyFollowing => "is told to follow the master it follows".into(),
        Fact::CachedMasterDropped => "forgets what it kept of its old master".into(),
        Fact::CachedMasterMade => "hopes to go on from its own history".into(),
        Fact::ShutdownRequested => "is asked to shut down".into(),
        Fact::ShutdownWaiting => "waits for its replicas before it shuts down".into(),
        Fact::ShutdownReplicas { in_sync, of } => {
            format!("shuts down with {in_sync} of {} in sync", count(u64::from(*of), "replica"))
        }
        Fact::SavingFinal => "saves its data one last time".into(),
        Fact::Saved => "has saved its data".into(),
        Fact::ByeBye => "says goodbye".into(),
        Fact::SaveTriggered { changes, secs } => {
            format!("saves its data: at least {changes} changes in {secs} s")
        }
        // Both ends note this; a node does not know which client it was.
        Fact::WriteAccepted { by: HostId(u32::MAX), slot } => format!("accepts a write to slot {slot}"),
        Fact::WriteAccepted { slot, .. } => format!("has its write to slot {slot} accepted"),
        Fact::WriteRefused { by: HostId(u32::MAX), slot, error } => {
            format!("refuses a write to slot {slot}: {}", brief(error))
        }
        Fact::WriteRefused { slot, error, .. } => {
            format!("has its write to slot {slot} refused: {}", brief(error))
        }
        Fact::WriteAcked { key, version, slot, .. } => {
            format!("has write {version} to its key {key} acknowledged, slot {slot}")
        }
        Fact::WriteFailed { key, version, slot, error, .. } => {
            format!(
                "has no acknowledgement of write {version} to its key {key}, slot {slot}: {}",
                brief(error)
            )
        }
        Fact::Printed { text, .. } => format!("prints {}", brief(text)),
        Fact::ToolStarted { line } => format!("runs redis-cli {line}"),
        Fact::ToolEnded { code } => format!("is done with exit code {code}"),
        Fact::CommandRead { from, text } => format!("reads {} from {from}", brief(text)),
    }
}

fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn short(names: &impl Names, node: NodeId) -> String {
    names.node_hex(node).chars().take(8).collect()
}
