//! The one table of directives: it is the type [`Config`], the defaults, the checks and the manual page.
//!
//! Names, ranges and defaults are those of Redis 7.0.15 (`redis: config.c static_configs @7.0.15`). The
//! first part has a typed field each; the second is known to Redis and kept as text without effect.

use super::field::*;
use super::kind::{Form, Kind, Number, TextRule, Unit};

/// One directive of redis.conf.
#[derive(Debug)]
pub struct Directive {
    /// Redis's name.
    pub name: &'static str,
    /// An older name that works too.
    pub alias: Option<&'static str>,
    /// What it accepts.
    pub kind: Kind,
    /// What CONFIG GET prints when nobody set it.
    pub default: &'static str,
    /// One line for people.
    pub doc: &'static str,
    flags: u16,
    /// Reads and writes its typed field; none for directives that are only known.
    pub(super) field: Option<FieldAccess>,
}

/// How a directive reaches its field of [`Config`].
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldAccess {
    pub get: fn(&Config) -> String,
    pub set: fn(&mut Config, &str),
}

impl Directive {
    /// CONFIG SET may change it while the server runs.
    pub fn is_runtime(&self) -> bool {
        self.flags & IMMUTABLE == 0
    }
    /// The simulator acts on it; otherwise it is accepted and changes nothing.
    pub fn is_modelled(&self) -> bool {
        self.field.is_some() && self.flags & NO_EFFECT == 0
    }
    /// CONFIG SET refuses it unless `enable-protected-configs` allows it.
    pub fn is_protected(&self) -> bool {
        self.flags & PROTECTED != 0
    }
    /// CONFIG SET refuses it while the dataset is loaded.
    pub fn is_denied_while_loading(&self) -> bool {
        self.flags & DENY_LOADING != 0
    }
    /// Its value is a secret.
    pub fn is_sensitive(&self) -> bool {
        self.flags & SENSITIVE != 0
    }
    /// CONFIG GET shows it only when asked by its whole name.
    pub fn is_hidden(&self) -> bool {
        self.flags & HIDDEN != 0
    }
    /// Setting it to the value it has counts as a change.
    pub fn is_volatile(&self) -> bool {
        self.flags & VOLATILE != 0
    }
}

const RUNTIME: u16 = 0;
const IMMUTABLE: u16 = 1;
const PROTECTED: u16 = 2;
const DENY_LOADING: u16 = 4;
const SENSITIVE: u16 = 8;
const HIDDEN: u16 = 16;
const VOLATILE: u16 = 32;
const NO_EFFECT: u16 = 64;

const INT_MIN: i128 = i32::MIN as i128;
const INT: i128 = i32::MAX as i128;
const UINT: i128 = u32::MAX as i128;
const LONG: i128 = i64::MAX as i128;
const ULONG: i128 = u64::MAX as i128;

const YES_NO: Kind = Kind::YesNo;
const TEXT: Kind = Kind::Text(TextRule::Any);
const DIR: Kind = Kind::Text(TextRule::Dir);
const BASE_NAME: Kind = Kind::Text(TextRule::BaseName);
const FILE_NAME: Kind = Kind::Text(TextRule::FileName);
const DIR_NAME: Kind = Kind::Text(TextRule::DirName);
const HOSTNAME: Kind = Kind::Text(TextRule::Hostname);
const PROC_TITLE: Kind = Kind::Text(TextRule::ProcTitle);
const SAVE: Kind = Kind::Save;
const OUTPUT_LIMIT: Kind = Kind::OutputLimit;
const OOM_VALUES: Kind = Kind::OomValues;
const NOTIFY: Kind = Kind::Notify;
const BIND: Kind = Kind::Bind;
const REPLICA_OF: Kind = Kind::ReplicaOf;
const PERCENTILES: Kind = Kind::Percentiles;
const OOM_SCORE_ADJ: Kind =
    Kind::Choice { names: &["no", "yes", "relative", "absolute"], same: &[("relative", "yes")] };

const fn int(min: i128, max: i128) -> Kind {
    Kind::Number(Number { form: Form::Integer, unit: Unit::Count, unsigned: false, min, max })
}
const fn uint(min: i128, max: i128) -> Kind {
    Kind::Number(Number { form: Form::Integer, unit: Unit::Count, unsigned: true, min, max })
}
const fn mem(min: i128, max: i128) -> Kind {
    Kind::Number(Number { form: Form::Memory, unit: Unit::Bytes, unsigned: false, min, max })
}
const fn umem(min: i128, max: i128) -> Kind {
    Kind::Number(Number { form: Form::Memory, unit: Unit::Bytes, unsigned: true, min, max })
}
const fn mem_or_percent(min: i128, max: i128) -> Kind {
    Kind::Number(Number { form: Form::MemoryOrPercent, unit: Unit::Bytes, unsigned: false, min, max })
}
const fn octal(min: i128, max: i128) -> Kind {
    Kind::Number(Number { form: Form::Octal, unit: Unit::Count, unsigned: true, min, max })
}
const fn choice(names: &'static [&'static str]) -> Kind {
    Kind::Choice { names, same: &[] }
}
const fn flags(names: &'static [&'static str]) -> Kind {
    Kind::Flags(names)
}

/// Turns an optional literal into an Option.
macro_rules! optional {
    () => {
        None
    };
    ($literal:literal) => {
        Some($literal)
    };
}

macro_rules! directives {
    (
        typed {$(
            $name:literal $(| $alias:literal)? => $field:ident: $ty:ty,
                $kind:expr, $default:literal, $flags:expr, $doc:literal;
        )*}
        known {$(
            $known_name:literal $(| $known_alias:literal)? =>
                $known_kind:expr, $known_default:literal, $known_flags:expr, $known_doc:literal;
        )*}
    ) => {
        /// The configuration of one server. Fields carry Redis's names, with `_` for `-`, and its units.
        ///
        /// It owns its strings: keep it behind an `Arc` where it is cloned often.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Config {
            $(#[doc = concat!("`", $name, "`: ", $doc)] pub $field: $ty,)*
            /// Texts of the directives without a field that differ from their defaults, by place in
            /// [`DIRECTIVES`].
            pub(super) others: std::collections::BTreeMap<u16, String>,
            /// A `save` line of a file was read: the next one adds to it.
            pub(super) save_was_read: bool,
        }

        impl Default for Config {
            /// What a server without a configuration file has.
            fn default() -> Self {
                Config {
                    $($field: Field::from_text($default),)*
                    others: std::collections::BTreeMap::new(),
                    save_was_read: false,
                }
            }
        }

        /// Every directive of Redis 7.0.15.
        pub static DIRECTIVES: &[Directive] = &[
            $(Directive {
                name: $name,
                alias: optional!($($alias)?),
                kind: $kind,
                default: $default,
                doc: $doc,
                flags: $flags,
                field: Some(FieldAccess {
                    get: |config| config.$field.to_text(),
                    set: |config, text| config.$field = Field::from_text(text),
                }),
            },)*
            $(Directive {
                name: $known_name,
                alias: optional!($($known_alias)?),
                kind: $known_kind,
                default: $known_default,
                doc: $known_doc,
                flags: $known_flags,
                field: None,
            },)*
        ];
    };
}

directives! {
    typed {
        // Network and process
        "port" => port: u16, int(0, 65535), "6379", RUNTIME,
            "TCP port for clients; 0 turns it off. The cluster bus port follows from it.";
        "bind" => bind: Vec<String>, BIND, "* -::*", RUNTIME,
            "Addresses to listen on; a leading '-' means: skip the address when this host lacks it.";
        "protected-mode" => protected_mode: bool, YES_NO, "yes", RUNTIME,
            "Refuse clients from other hosts when neither a password nor a bind address is set.";
        "tcp-backlog" => tcp_backlog: u32, int(0, INT), "511", IMMUTABLE | NO_EFFECT,
            "Length of the queue of connections that wait to be accepted.";
        "tcp-keepalive" => tcp_keepalive: u32, int(0, INT).unit(Unit::Seconds), "300", NO_EFFECT,
            "Interval of TCP keep-alive probes to clients; 0 turns them off.";
        "timeout" => timeout: u32, int(0, INT).unit(Unit::Seconds), "0", RUNTIME,
            "Close a client connection after this much idle time; 0 means never.";
        "maxclients" => maxclients: u32, uint(1, UINT), "10000", RUNTIME,
            "Most client connections at one time; the bus connections count too.";
        "databases" => databases: u32, int(1, INT), "16", IMMUTABLE,
            "Number of databases; a cluster uses database 0 alone.";
        "daemonize" => daemonize: bool, YES_NO, "no", IMMUTABLE | NO_EFFECT,
            "Run in the background.";
        "pidfile" => pidfile: String, TEXT, "", IMMUTABLE | NO_EFFECT,
            "File that holds the process id.";
        "loglevel" => loglevel: LogLevel, choice(LogLevel::NAMES), "notice", RUNTIME,
            "Least important lines that still reach the log.";
        "logfile" => logfile: String, TEXT, "", IMMUTABLE,
            "File of the log; empty means standard output.";
        "dir" => dir: String, DIR, "./", PROTECTED | DENY_LOADING,
            "Working directory: dump, append-only files and nodes.conf are found from here.";
        "hz" => hz: u32, int(0, INT).unit(Unit::Hertz), "10", RUNTIME,
            "Runs of the server cron each second, kept within 1 and 500.";
        "dynamic-hz" => dynamic_hz: bool, YES_NO, "yes", RUNTIME,
            "Raise hz for a while when many clients are connected.";
        "shutdown-timeout" => shutdown_timeout: u32, int(0, INT).unit(Unit::Seconds), "10", RUNTIME,
            "How long SHUTDOWN waits for replicas that lag behind.";
        "busy-reply-threshold" | "lua-time-limit" => busy_reply_threshold: u64, int(0, LONG).unit(Unit::Milliseconds), "5000", RUNTIME,
            "After this much time in one script the server answers others with BUSY.";
        "latency-monitor-threshold" => latency_monitor_threshold: u64, int(0, LONG).unit(Unit::Milliseconds), "0", NO_EFFECT,
            "Record events that take at least this long; 0 turns the monitor off.";
        "enable-debug-command" => enable_debug_command: LocalAction, choice(LocalAction::NAMES), "no", IMMUTABLE,
            "Whether DEBUG may be used: no, yes, or by clients on the same host.";
        "enable-protected-configs" => enable_protected_configs: LocalAction, choice(LocalAction::NAMES), "no", IMMUTABLE,
            "Whether CONFIG SET may change protected directives: no, yes, or by clients on the same host.";
        // Security
        "requirepass" => requirepass: String, TEXT, "", SENSITIVE,
            "Password that clients must give with AUTH; empty means none.";
        "masterauth" => masterauth: String, TEXT, "", SENSITIVE,
            "Password that a replica gives to its master.";
        "masteruser" => masteruser: String, TEXT, "", SENSITIVE,
            "User name that a replica gives to its master.";
        // Cluster
        "cluster-enabled" => cluster_enabled: bool, YES_NO, "no", IMMUTABLE,
            "Run as a node of a cluster.";
        "cluster-config-file" => cluster_config_file: String, TEXT, "nodes.conf", IMMUTABLE,
            "File that the node keeps its view of the cluster in.";
        "cluster-node-timeout" => cluster_node_timeout: u64, int(0, LONG).unit(Unit::Milliseconds), "15000", RUNTIME,
            "Silence after which a node is held for failing; many other delays are multiples of it.";
        "cluster-port" => cluster_port: u16, int(0, 65535), "0", IMMUTABLE,
            "Port of the cluster bus; 0 means port + 10000.";
        "cluster-announce-ip" => cluster_announce_ip: String, TEXT, "", RUNTIME,
            "Address to tell other nodes; empty means: let them find out.";
        "cluster-announce-port" => cluster_announce_port: u16, int(0, 65535), "0", RUNTIME,
            "Client port to tell other nodes; 0 means the real one.";
        "cluster-announce-bus-port" => cluster_announce_bus_port: u16, int(0, 65535), "0", RUNTIME,
            "Bus port to tell other nodes; 0 means the real one.";
        "cluster-announce-hostname" => cluster_announce_hostname: String, HOSTNAME, "", RUNTIME,
            "Host name to tell clients and other nodes.";
        "cluster-preferred-endpoint-type" => cluster_preferred_endpoint_type: EndpointType, choice(EndpointType::NAMES), "ip", RUNTIME,
            "What clients are told to connect to: the ip, the hostname, or nothing.";
        "cluster-replica-validity-factor" | "cluster-slave-validity-factor" => cluster_replica_validity_factor: u32, int(0, INT), "10", RUNTIME,
            "A replica whose data is older than this many node timeouts (plus a ping period) does not stand for election; 0 means always stand.";
        "cluster-replica-no-failover" | "cluster-slave-no-failover" => cluster_replica_no_failover: bool, YES_NO, "no", RUNTIME,
            "Never start an automatic failover from this replica.";
        "cluster-migration-barrier" => cluster_migration_barrier: u32, int(0, INT), "1", RUNTIME,
            "Replicas that a master must keep before one of them may move to an orphaned master.";
        "cluster-allow-replica-migration" => cluster_allow_replica_migration: bool, YES_NO, "yes", RUNTIME,
            "Let replicas move to orphaned masters, and an emptied master become a replica.";
        "cluster-require-full-coverage" => cluster_require_full_coverage: bool, YES_NO, "yes", RUNTIME,
            "Stop serving when any slot has no owner that works.";
        "cluster-allow-reads-when-down" => cluster_allow_reads_when_down: bool, YES_NO, "no", RUNTIME,
            "Serve reads while the cluster state is fail.";
        "cluster-allow-pubsubshard-when-down" => cluster_allow_pubsubshard_when_down: bool, YES_NO, "yes", RUNTIME,
            "Serve sharded pub/sub while the cluster state is fail.";
        "cluster-link-sendbuf-limit" => cluster_link_sendbuf_limit: u64, umem(0, ULONG).unit(Unit::Bytes), "0", RUNTIME,
            "Close a bus link whose send buffer grows beyond this; 0 means no limit.";
        // Replication
        "replicaof" | "slaveof" => replicaof: Option<ReplicaOf>, REPLICA_OF, "", IMMUTABLE,
            "Master to follow, as host and port; not allowed in a cluster.";
        "replica-announce-ip" | "slave-announce-ip" => replica_announce_ip: String, TEXT, "", RUNTIME,
            "Address a replica tells its master.";
        "replica-announce-port" | "slave-announce-port" => replica_announce_port: u16, int(0, 65535), "0", RUNTIME,
            "Port a replica tells its master; 0 means the real one.";
        "replica-announced" => replica_announced: bool, YES_NO, "yes", RUNTIME,
            "Whether Sentinel may report this replica to clients.";
        "replica-priority" | "slave-priority" => replica_priority: u32, int(0, INT), "100", RUNTIME,
            "Rank among replicas for Sentinel, lowest first; 0 means never promote.";
        "replica-read-only" | "slave-read-only" => replica_read_only: bool, YES_NO, "yes", RUNTIME,
            "A replica refuses writes from clients.";
        "replica-serve-stale-data" | "slave-serve-stale-data" => replica_serve_stale_data: bool, YES_NO, "yes", RUNTIME,
            "A replica answers while its link to the master is down.";
        "replica-lazy-flush" | "slave-lazy-flush" => replica_lazy_flush: bool, YES_NO, "no", RUNTIME,
            "Free the old data in the background before a full synchronization is loaded.";
        "replica-ignore-disk-write-errors" => replica_ignore_disk_write_errors: bool, YES_NO, "no", RUNTIME,
            "A replica goes on when it cannot write to its own disk, instead of stopping.";
        "repl-ping-replica-period" | "repl-ping-slave-period" => repl_ping_replica_period: u32, int(1, INT).unit(Unit::Seconds), "10", RUNTIME,
            "How often a master pings its replicas in the replication stream.";
        "repl-timeout" => repl_timeout: u32, int(1, INT).unit(Unit::Seconds), "60", RUNTIME,
            "Silence after which master and replica give each other up.";
        "repl-backlog-size" => repl_backlog_size: u64, mem(1, LONG).unit(Unit::Bytes), "1048576", RUNTIME,
            "Bytes of the stream that a master keeps for partial resynchronization.";
        "repl-backlog-ttl" => repl_backlog_ttl: u64, int(0, LONG).unit(Unit::Seconds), "3600", RUNTIME,
            "Free the backlog when no replica was connected for this long; 0 means never.";
        "repl-diskless-sync" => repl_diskless_sync: bool, YES_NO, "yes", RUNTIME,
            "Send a full synchronization straight to the sockets, with no file between.";
        "repl-diskless-sync-delay" => repl_diskless_sync_delay: u32, int(0, INT).unit(Unit::Seconds), "5", RUNTIME,
            "Wait this long for more replicas before a diskless synchronization starts.";
        "repl-diskless-sync-max-replicas" => repl_diskless_sync_max_replicas: u32, int(0, INT), "0", RUNTIME,
            "Start earlier once this many replicas wait; 0 means: wait the whole delay.";
        "repl-diskless-load" => repl_diskless_load: DisklessLoad, choice(DisklessLoad::NAMES), "disabled", DENY_LOADING,
            "How a replica loads a diskless synchronization.";
        "repl-disable-tcp-nodelay" => repl_disable_tcp_nodelay: bool, YES_NO, "no", RUNTIME,
            "Let the kernel collect small packets to replicas, for up to 40 ms.";
        "min-replicas-to-write" | "min-slaves-to-write" => min_replicas_to_write: u32, int(0, INT), "0", RUNTIME,
            "Refuse writes with fewer good replicas than this; 0 turns the check off.";
        "min-replicas-max-lag" | "min-slaves-max-lag" => min_replicas_max_lag: u32, int(0, INT).unit(Unit::Seconds), "10", RUNTIME,
            "A replica is good while its last acknowledgement is at most this old.";
        // Persistence
        "save" => save: Vec<SavePoint>, SAVE, "3600 1 300 100 60 10000", RUNTIME,
            "Pairs of seconds and changes after which a snapshot starts; empty means no snapshots.";
        "stop-writes-on-bgsave-error" => stop_writes_on_bgsave_error: bool, YES_NO, "yes", RUNTIME,
            "Refuse writes after a snapshot failed, until one works.";
        "rdb-del-sync-files" => rdb_del_sync_files: bool, YES_NO, "no", RUNTIME,
            "Remove dump files that only served replication, when nothing else persists.";
        "dbfilename" => dbfilename: String, BASE_NAME, "dump.rdb", PROTECTED,
            "Name of the dump file.";
        "appendonly" => appendonly: bool, YES_NO, "no", DENY_LOADING,
            "Log every write to the append-only file.";
        "appendfsync" => appendfsync: AppendFsync, choice(AppendFsync::NAMES), "everysec", RUNTIME,
            "When the append-only file is forced to disk.";
        "appendfilename" => appendfilename: String, FILE_NAME, "appendonly.aof", IMMUTABLE,
            "First part of the names of the append-only files.";
        "appenddirname" => appenddirname: String, DIR_NAME, "appendonlydir", IMMUTABLE,
            "Folder of the append-only files, inside dir.";
        "no-appendfsync-on-rewrite" => no_appendfsync_on_rewrite: bool, YES_NO, "no", RUNTIME,
            "Do not force the append-only file to disk while a child process writes.";
        "auto-aof-rewrite-percentage" => auto_aof_rewrite_percentage: u32, int(0, INT).unit(Unit::Percent), "100", RUNTIME,
            "Growth since the last rewrite that starts the next; 0 turns it off.";
        "auto-aof-rewrite-min-size" => auto_aof_rewrite_min_size: u64, mem(0, LONG).unit(Unit::Bytes), "67108864", RUNTIME,
            "Smallest append-only file that is rewritten automatically.";
        "aof-load-truncated" => aof_load_truncated: bool, YES_NO, "yes", RUNTIME,
            "Load an append-only file whose end is missing, instead of stopping.";
        "loading-process-events-interval-bytes" => loading_process_events_interval_bytes: u64, int(1024, INT).unit(Unit::Bytes), "2097152", HIDDEN,
            "Bytes loaded between two turns of the event loop.";
        // Memory and buffers
        "maxmemory" => maxmemory: u64, umem(0, ULONG).unit(Unit::Bytes), "0", NO_EFFECT,
            "Memory for the dataset; 0 means no limit.";
        "maxmemory-policy" => maxmemory_policy: MaxmemoryPolicy, choice(MaxmemoryPolicy::NAMES), "noeviction", NO_EFFECT,
            "Which keys to remove when maxmemory is reached.";
        "client-output-buffer-limit" => client_output_buffer_limit: OutputLimits, OUTPUT_LIMIT, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", RUNTIME,
            "Per class of client: hard limit, soft limit, and seconds above the soft limit until it is closed.";
        "proto-max-bulk-len" => proto_max_bulk_len: u64, mem(1048576, LONG).unit(Unit::Bytes), "536870912", RUNTIME,
            "Largest argument of a request.";
    }
    known {
        "acl-pubsub-default" => choice(&["allchannels", "resetchannels"]), "resetchannels", RUNTIME,
            "Channels a new user may use.";
        "aclfile" => TEXT, "", IMMUTABLE,
            "File of users and their rights.";
        "acllog-max-len" => int(0, LONG), "128", RUNTIME,
            "Entries of the log of refused commands.";
        "active-defrag-cycle-max" => int(1, 99), "25", RUNTIME,
            "Most processor time for defragmentation, in percent.";
        "active-defrag-cycle-min" => int(1, 99), "1", RUNTIME,
            "Least processor time for defragmentation, in percent.";
        "active-defrag-ignore-bytes" => umem(1, LONG), "104857600", RUNTIME,
            "Least waste that starts defragmentation.";
        "active-defrag-max-scan-fields" => int(1, LONG), "1000", RUNTIME,
            "Larger values are defragmented apart.";
        "active-defrag-threshold-lower" => int(0, 1000), "10", RUNTIME,
            "Fragmentation in percent at which it starts.";
        "active-defrag-threshold-upper" => int(0, 1000), "100", RUNTIME,
            "Fragmentation in percent at which it works hardest.";
        "active-expire-effort" => int(1, 10), "1", RUNTIME,
            "How hard to look for expired keys.";
        "activedefrag" => YES_NO, "no", RUNTIME,
            "Defragment memory while running.";
        "activerehashing" => YES_NO, "yes", RUNTIME,
            "Spend some time of each cron run on rehashing.";
        "always-show-logo" => YES_NO, "no", IMMUTABLE,
            "Print the logo at start even into a file.";
        "aof-disable-auto-gc" => YES_NO, "no", RUNTIME,
            "Keep old append-only files.";
        "aof-rewrite-incremental-fsync" => YES_NO, "yes", RUNTIME,
            "Force a rewritten append-only file to disk in steps.";
        "aof-timestamp-enabled" => YES_NO, "no", RUNTIME,
            "Note the time in the append-only file.";
        "aof-use-rdb-preamble" => YES_NO, "yes", RUNTIME,
            "Begin a rewritten append-only file with a snapshot.";
        "aof_rewrite_cpulist" => TEXT, "", IMMUTABLE,
            "Processors for the rewrite child.";
        "bgsave_cpulist" => TEXT, "", IMMUTABLE,
            "Processors for the snapshot child.";
        "bind-source-addr" => TEXT, "", RUNTIME,
            "Local address of outgoing connections.";
        "bio_cpulist" => TEXT, "", IMMUTABLE,
            "Processors for background threads.";
        "client-query-buffer-limit" => umem(1048576, LONG), "1073741824", RUNTIME,
            "Largest buffer of requests of one client.";
        "cluster-announce-tls-port" => int(0, 65535), "0", RUNTIME,
            "TLS port to tell other nodes; 0 means the real one.";
        "crash-log-enabled" => YES_NO, "yes", RUNTIME,
            "Write a report at a crash.";
        "crash-memcheck-enabled" => YES_NO, "yes", RUNTIME,
            "Check memory at a crash.";
        "disable-thp" => YES_NO, "yes", IMMUTABLE,
            "Ask the kernel for small pages.";
        "enable-module-command" => choice(&["no", "yes", "local"]), "no", IMMUTABLE,
            "Whether MODULE may be used: no, yes, or by clients on the same host.";
        "hash-max-listpack-entries" | "hash-max-ziplist-entries" => uint(0, LONG), "512", RUNTIME,
            "Fields up to which a hash is compact.";
        "hash-max-listpack-value" | "hash-max-ziplist-value" => umem(0, LONG), "64", RUNTIME,
            "Longest value of a compact hash.";
        "hll-sparse-max-bytes" => umem(0, LONG), "3000", RUNTIME,
            "Size up to which a HyperLogLog is sparse.";
        "ignore-warnings" => TEXT, "", RUNTIME,
            "Names of start-up checks to pass over.";
        "io-threads" => int(1, 128), "1", IMMUTABLE,
            "Number of I/O threads.";
        "io-threads-do-reads" => YES_NO, "no", IMMUTABLE,
            "Use the I/O threads for reading too.";
        "jemalloc-bg-thread" => YES_NO, "yes", RUNTIME,
            "Let the allocator purge in a thread of its own.";
        "key-load-delay" => int(INT_MIN, INT), "0", HIDDEN,
            "For tests: microseconds to sleep per loaded key.";
        "latency-tracking" => YES_NO, "yes", RUNTIME,
            "Keep latency per command.";
        "latency-tracking-info-percentiles" => PERCENTILES, "50 99 99.9", RUNTIME,
            "Percentiles that INFO latencystats shows.";
        "lazyfree-lazy-eviction" => YES_NO, "no", RUNTIME,
            "Free evicted keys in the background.";
        "lazyfree-lazy-expire" => YES_NO, "no", RUNTIME,
            "Free expired keys in the background.";
        "lazyfree-lazy-server-del" => YES_NO, "no", RUNTIME,
            "Free keys that a command overwrites in the background.";
        "lazyfree-lazy-user-del" => YES_NO, "no", RUNTIME,
            "Make DEL free in the background.";
        "lazyfree-lazy-user-flush" => YES_NO, "no", RUNTIME,
            "Make FLUSHALL and FLUSHDB free in the background.";
        "lfu-decay-time" => int(0, INT), "1", RUNTIME,
            "Minutes until the counter of frequent use shrinks.";
        "lfu-log-factor" => int(0, INT), "10", RUNTIME,
            "How slowly the counter of frequent use grows.";
        "list-compress-depth" => int(0, INT), "0", RUNTIME,
            "Nodes at each end of a list that stay uncompressed.";
        "list-max-listpack-size" | "list-max-ziplist-size" => int(INT_MIN, INT), "-2", RUNTIME,
            "Largest node of a list.";
        "maxmemory-clients" => mem_or_percent(-100, LONG), "0", RUNTIME,
            "Memory of all client buffers, in bytes or in percent of maxmemory.";
        "maxmemory-eviction-tenacity" => int(0, 100), "10", RUNTIME,
            "How long one round of eviction may take.";
        "maxmemory-samples" => int(1, INT), "5", RUNTIME,
            "Keys looked at to choose one to evict.";
        "notify-keyspace-events" => NOTIFY, "", RUNTIME,
            "Classes of keyspace events that are published.";
        "oom-score-adj" => OOM_SCORE_ADJ, "no", RUNTIME,
            "Tell the kernel which process to kill first when memory is short.";
        "oom-score-adj-values" => OOM_VALUES, "0 200 800", RUNTIME,
            "Adjustments for master, replica and child processes.";
        "proc-title-template" => PROC_TITLE, "{title} {listen-addr} {server-mode}", RUNTIME,
            "Form of the title of the process.";
        "propagation-error-behavior" => choice(&["ignore", "panic", "panic-on-replicas"]), "ignore", RUNTIME,
            "What to do when a replicated command fails.";
        "rdb-key-save-delay" => int(INT_MIN, INT), "0", HIDDEN,
            "For tests: microseconds to sleep per saved key.";
        "rdb-save-incremental-fsync" => YES_NO, "yes", RUNTIME,
            "Force a dump file to disk in steps.";
        "rdbchecksum" => YES_NO, "yes", IMMUTABLE,
            "End a dump file with a checksum.";
        "rdbcompression" => YES_NO, "yes", RUNTIME,
            "Compress strings in dump files.";
        "replica-ignore-maxmemory" | "slave-ignore-maxmemory" => YES_NO, "yes", RUNTIME,
            "Leave eviction to the master.";
        "sanitize-dump-payload" => choice(&["no", "yes", "clients"]), "no", RUNTIME,
            "Check the payload of RESTORE and of dump files in depth.";
        "server_cpulist" => TEXT, "", IMMUTABLE,
            "Processors for the main and I/O threads.";
        "set-max-intset-entries" => uint(0, LONG), "512", RUNTIME,
            "Members up to which a set of integers is compact.";
        "set-proc-title" => YES_NO, "yes", IMMUTABLE,
            "Show state in the title of the process.";
        "shutdown-on-sigint" => flags(&["default", "save", "nosave", "now", "force"]), "default", RUNTIME,
            "How to shut down at SIGINT.";
        "shutdown-on-sigterm" => flags(&["default", "save", "nosave", "now", "force"]), "default", RUNTIME,
            "How to shut down at SIGTERM.";
        "slowlog-log-slower-than" => int(-1, LONG), "10000", RUNTIME,
            "Microseconds that make a command slow; negative means none.";
        "slowlog-max-len" => int(0, LONG), "128", RUNTIME,
            "Entries of the slow log.";
        "socket-mark-id" => uint(0, UINT), "0", IMMUTABLE,
            "Mark of the listening sockets for packet filters.";
        "stream-node-max-bytes" => umem(0, LONG), "4096", RUNTIME,
            "Bytes of one node of a stream.";
        "stream-node-max-entries" => int(0, LONG), "100", RUNTIME,
            "Entries of one node of a stream.";
        "supervised" => choice(&["upstart", "systemd", "auto", "no"]), "no", IMMUTABLE,
            "How to tell a supervisor that the server is ready.";
        "syslog-enabled" => YES_NO, "no", IMMUTABLE,
            "Log to the system log.";
        "syslog-facility" => choice(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]), "local0", IMMUTABLE,
            "Facility in the system log.";
        "syslog-ident" => TEXT, "redis", IMMUTABLE,
            "Name in the system log.";
        "tls-auth-clients" => choice(&["no", "yes", "optional"]), "yes", RUNTIME,
            "Whether clients must show a certificate.";
        "tls-ca-cert-dir" => TEXT, "", VOLATILE,
            "Certificates to trust, as a folder.";
        "tls-ca-cert-file" => TEXT, "", VOLATILE,
            "Certificates to trust, as a file.";
        "tls-cert-file" => TEXT, "", VOLATILE,
            "Certificate of the server.";
        "tls-ciphers" => TEXT, "", RUNTIME,
            "Ciphers up to TLS 1.2.";
        "tls-ciphersuites" => TEXT, "", RUNTIME,
            "Ciphers of TLS 1.3.";
        "tls-client-cert-file" => TEXT, "", VOLATILE,
            "Certificate for outgoing connections.";
        "tls-client-key-file" => TEXT, "", VOLATILE,
            "Key of the certificate for outgoing connections.";
        "tls-client-key-file-pass" => TEXT, "", RUNTIME,
            "Password of that key.";
        "tls-cluster" => YES_NO, "no", RUNTIME,
            "Use TLS on the cluster bus.";
        "tls-dh-params-file" => TEXT, "", VOLATILE,
            "Parameters of the Diffie-Hellman exchange.";
        "tls-key-file" => TEXT, "", VOLATILE,
            "Key of the server's certificate.";
        "tls-key-file-pass" => TEXT, "", RUNTIME,
            "Password of that key.";
        "tls-port" => int(0, 65535), "0", RUNTIME,
            "TLS port for clients; 0 turns it off.";
        "tls-prefer-server-ciphers" => YES_NO, "no", RUNTIME,
            "Let the server choose the cipher.";
        "tls-protocols" => TEXT, "", RUNTIME,
            "TLS versions to accept.";
        "tls-replication" => YES_NO, "no", RUNTIME,
            "Use TLS to the master.";
        "tls-session-cache-size" => int(0, INT), "20480", RUNTIME,
            "TLS sessions kept.";
        "tls-session-cache-timeout" => int(0, INT), "300", RUNTIME,
            "Seconds that a TLS session is kept.";
        "tls-session-caching" => YES_NO, "yes", RUNTIME,
            "Keep TLS sessions.";
        "tracking-table-max-keys" => uint(0, LONG), "1000000", RUNTIME,
            "Keys remembered for client-side caching.";
        "unixsocket" => TEXT, "", IMMUTABLE,
            "Path of a Unix socket to listen on.";
        "unixsocketperm" => octal(0, 511), "0", IMMUTABLE,
            "Permissions of the Unix socket, octal.";
        "use-exit-on-panic" => YES_NO, "no", HIDDEN,
            "Exit instead of abort at a panic.";
        "watchdog-period" => int(0, INT), "0", HIDDEN,
            "For tests: milliseconds of the software watchdog.";
        "zset-max-listpack-entries" | "zset-max-ziplist-entries" => uint(0, LONG), "128", RUNTIME,
            "Members up to which a sorted set is compact.";
        "zset-max-listpack-value" | "zset-max-ziplist-value" => umem(0, LONG), "64", RUNTIME,
            "Longest member of a compact sorted set.";
    }
}
