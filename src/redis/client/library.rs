//! What the best known client libraries do when a cluster does not answer as they hoped: one named preset
//! per library, written down from its source with its defaults.
//!
//! A preset is data ([`Rules`]); `app` carries it out.

use crate::base::Dur;

/// What MOVED changes in the map of slots, beside that the command goes to the node it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The one slot. Every so many times (0: never) the whole map is asked for first.
    Patch { refresh_every: u32 },
    /// The whole map is asked for, from the node that answered MOVED; the command waits for it.
    Refresh,
    /// Nothing now; the whole map is asked for beside the commands, no sooner than so long after the last
    /// time. `None`: never.
    Follow { refresh_after: Option<Dur> },
}

/// What happens when a connection is refused or lost, or an answer does not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The command has failed; the map is asked for beside the commands, no sooner than so long after the last
    /// time.
    Fail { refresh_after: Dur },
    /// The whole map is asked for, then the command is sent again.
    RefreshAndRetry,
    /// Again at once; from the second failure in a row on: sleep, ask for the whole map, again.
    RetryThenRefresh,
    /// Again after a pause, by the map as it is.
    Retry,
    /// The connection is opened again and again, and the command waits for it; the map is asked for after so
    /// many attempts, no sooner than so long after the last time. An answer that is late fails the command.
    Reconnect { refresh: Option<(u32, Dur)> },
}

/// What CLUSTERDOWN and TRYAGAIN do to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// It has failed.
    Fail,
    /// The same again after a pause of its own, for CLUSTERDOWN with a new map.
    Pause(Dur),
    /// As after trouble.
    Retry,
}

/// How long before a command is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    None,
    /// `min` and a random part of `min * 2^attempt`, at most `max`.
    Exponential {
        min: Dur,
        max: Dur,
    },
    /// A random part of the time left divided by the square of the attempts left.
    OfTimeLeft {
        total: Dur,
    },
}

/// Who uses a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// A command has it for itself and gives it back to the pool; a late answer closes it.
    Pool,
    /// All commands to a node share one and do not wait for each other.
    Shared,
}

/// Whom the whole map is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// The nodes of the configuration, in order, then the others.
    Configured,
    /// All nodes known, in random order.
    Random,
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub name: &'static str,
    /// Version and functions the rules were read from.
    pub source: &'static str,
    /// What sets it apart, for people.
    pub doc: &'static str,
    /// How long a connection may take; `None`: as long as the kernel tries.
    pub connect_timeout: Option<Dur>,
    /// How long an answer may take; `None`: for ever.
    pub timeout: Option<Dur>,
    pub moved: Moved,
    pub trouble: Trouble,
    pub cluster_down: Busy,
    pub try_again: Busy,
    /// How often a command is sent again after trouble.
    pub retries: u32,
    /// How many redirections are followed.
    pub redirections: u32,
    /// Redirections count as retries too: one budget.
    pub one_budget: bool,
    pub pause: Pause,
    pub sharing: Sharing,
    pub sources: Sources,
    /// A map older than this is asked for anew beside the commands.
    pub max_age: Option<Dur>,
    /// A command fails if the map cannot be had.
    pub needs_map: bool,
}

impl Rules {
    /// What the cluster specification asks of a client, and no more: it follows redirections and asks for the map
    /// when it may be old.
    pub const PLAIN: Rules = Rules {
        name: "plain",
        source: "no library: Redis cluster specification, clients first connection and handling of redirections",
        doc: "asks for the map after MOVED and after a failure, retries nothing",
        connect_timeout: Some(Dur::secs(1)),
        timeout: Some(Dur::secs(1)),
        moved: Moved::Follow { refresh_after: Some(Dur::ms(100)) },
        trouble: Trouble::Fail { refresh_after: Dur::ms(100) },
        cluster_down: Busy::Fail,
        try_again: Busy::Fail,
        retries: 0,
        redirections: 16,
        one_budget: false,
        pause: Pause::None,
        sharing: Sharing::Pool,
        sources: Sources::Random,
        max_age: None,
        needs_map: false,
    };

    /// redis-py 5.2.1, `redis/cluster.py`: `RedisCluster._internal_execute_command` (three retries, on
    /// exactly ConnectionError, TimeoutError and ClusterDownError), `_execute_command` (16 sends, MOVED
    /// patches the slot and every fifth reinitialises, CLUSTERDOWN sleeps 0.25 s), `NodesManager.initialize`
    /// (start-up nodes in order). No `socket_timeout` by default: a frozen node holds the caller for ever.
    ///
    /// Not modelled: the sleep of 0.05 s of TRYAGAIN comes at once, not from the ninth send on; the node that
    /// failed is not taken off the start-up nodes.
    pub const REDIS_PY: Rules = Rules {
        name: "redis-py",
        source: "redis-py 5.2.1, redis/cluster.py: RedisCluster._execute_command, NodesManager.initialize",
        doc: "asks for the whole map after every failure and retries three times; waits for ever for an answer",
        connect_timeout: None,
        timeout: None,
        moved: Moved::Patch { refresh_every: 5 },
        trouble: Trouble::RefreshAndRetry,
        cluster_down: Busy::Pause(Dur::ms(250)),
        try_again: Busy::Pause(Dur::ms(50)),
        retries: 3,
        redirections: 15,
        one_budget: false,
        pause: Pause::None,
        sharing: Sharing::Pool,
        sources: Sources::Configured,
        max_age: None,
        needs_map: true,
    };

    /// jedis 5.2.0, `ClusterCommandExecutor.doExecuteCommand` (five attempts, redirections included; MOVED
    /// renews the whole map over the connection that answered), `handleConnectionProblem` (from the second
    /// failure in a row on: back off, renew), `getBackoffSleepMillis`, `JedisClusterInfoCache.renewClusterSlots`
    /// (start nodes in order, then the others), `JedisCluster.DEFAULT_TIMEOUT` and `DEFAULT_MAX_ATTEMPTS`. Error
    /// replies other than MOVED and ASK are thrown.
    ///
    /// Not modelled: the eight connections that a pool holds at most; use `in-flight`.
    pub const JEDIS: Rules = Rules {
        name: "jedis",
        source: "jedis 5.2.0, ClusterCommandExecutor.doExecuteCommand, JedisClusterInfoCache.renewClusterSlots",
        doc: "five attempts within ten seconds, with a random sleep and a new map from the second failure on",
        connect_timeout: Some(Dur::secs(2)),
        timeout: Some(Dur::secs(2)),
        moved: Moved::Refresh,
        trouble: Trouble::RetryThenRefresh,
        cluster_down: Busy::Fail,
        try_again: Busy::Fail,
        retries: 4,
        redirections: 4,
        one_budget: true,
        pause: Pause::OfTimeLeft { total: Dur::secs(10) },
        sharing: Sharing::Pool,
        sources: Sources::Configured,
        max_age: None,
        needs_map: false,
    };

    /// lettuce 6.5.0, `ClusterDistributionChannelWriter.doWrite` and `ClusterCommand.complete` (five
    /// redirections), `ClusterTopologyRefreshOptions` (no trigger is on by default, no periodic refresh),
    /// `ConnectionWatchdog` with `Delay.exponential` (opens the connection again up to every 30 s; commands wait,
    /// and those under way are sent again), `RedisURI.DEFAULT_TIMEOUT` (60 s).
    pub const LETTUCE: Rules = Rules {
        name: "lettuce",
        source: "lettuce 6.5.0, ClusterDistributionChannelWriter.doWrite, ClusterTopologyRefreshOptions",
        doc: "never asks for the map again: commands wait up to a minute for the dead node to return",
        connect_timeout: Some(Dur::secs(10)),
        timeout: Some(Dur::secs(60)),
        moved: Moved::Follow { refresh_after: None },
        trouble: Trouble::Reconnect { refresh: None },
        cluster_down: Busy::Fail,
        try_again: Busy::Fail,
        retries: 0,
        redirections: 5,
        one_budget: false,
        pause: Pause::None,
        sharing: Sharing::Shared,
        sources: Sources::Random,
        max_age: None,
        needs_map: false,
    };

    /// lettuce 6.5.0 with `enableAllAdaptiveRefreshTriggers` and `enablePeriodicRefresh`:
    /// `ClusterTopologyRefreshScheduler.onMovedRedirection` and `onReconnectAttempt` (from the fifth on), at most
    /// once in 30 s; periodic every 60 s.
    ///
    /// Not modelled: lettuce asks all nodes and takes the view with the most healthy nodes.
    pub const LETTUCE_ADAPTIVE: Rules = Rules {
        name: "lettuce-adaptive",
        source: "lettuce 6.5.0, ClusterTopologyRefreshScheduler, all adaptive triggers and the periodic refresh on",
        doc: "asks for the map after MOVED or five attempts to connect, but only once in 30 s",
        moved: Moved::Follow { refresh_after: Some(Dur::secs(30)) },
        trouble: Trouble::Reconnect { refresh: Some((5, Dur::secs(30))) },
        max_age: Some(Dur::secs(60)),
        ..Rules::LETTUCE
    };

    /// go-redis 9.7.0, `ClusterClient.process` (four attempts, redirections included; after trouble the same
    /// node, then by the map), `shouldRetry` (CLUSTERDOWN, TRYAGAIN, LOADING), `internal.RetryBackoff` (8 to
    /// 512 ms), `clusterStateHolder.LazyReload` (beside the commands, then 200 ms rest) and `Get` (map older than
    /// 10 s), `ClusterClient.loadState` (nodes in random order).
    ///
    /// Not modelled: the pool of five connections per processor; use `in-flight`.
    pub const GO_REDIS: Rules = Rules {
        name: "go-redis",
        source: "go-redis 9.7.0, ClusterClient.process, clusterStateHolder.LazyReload, internal.RetryBackoff",
        doc: "four attempts within a second by the old map, which is asked for after MOVED and every ten seconds",
        connect_timeout: Some(Dur::secs(5)),
        timeout: Some(Dur::secs(3)),
        moved: Moved::Follow { refresh_after: Some(Dur::ms(200)) },
        trouble: Trouble::Retry,
        cluster_down: Busy::Retry,
        try_again: Busy::Retry,
        retries: 3,
        redirections: 3,
        one_budget: true,
        pause: Pause::Exponential { min: Dur::ms(8), max: Dur::ms(512) },
        sharing: Sharing::Pool,
        sources: Sources::Random,
        max_age: Some(Dur::secs(10)),
        needs_map: false,
    };

    /// Every preset.
    pub const ALL: [Rules; 6] = [
        Rules::PLAIN,
        Rules::REDIS_PY,
        Rules::JEDIS,
        Rules::LETTUCE,
        Rules::LETTUCE_ADAPTIVE,
        Rules::GO_REDIS,
    ];

    pub fn find(name: &str) -> Option<Rules> {
        Rules::ALL.into_iter().find(|r| r.name == name)
    }
}
