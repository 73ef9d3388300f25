//! Every key of a scenario file with one line for people. The manual page is made from this table; a test
//! holds it equal to what `schema` reads.

use crate::check::Cause;
use crate::check::happening::HAPPENINGS;
use crate::check::invariant::INVARIANTS;
use crate::redis::client::Rules;
use crate::redis::client::sentinel::Preset;
use crate::world::net::NetModel;

/// One key.
pub(super) struct Key {
    pub name: &'static str,
    pub takes: &'static str,
    /// What holds when it is left out.
    pub default: &'static str,
    pub doc: &'static str,
}

/// The keys of one table of the file.
pub(super) struct Table {
    /// As it is written: `[cluster]`, `do.cut`.
    pub name: &'static str,
    pub doc: &'static str,
    pub keys: &'static [Key],
}

const fn key(name: &'static str, takes: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, takes, default, doc }
}

const NODE: &str = "node";
const NODES: &str = "nodes";
const TIME: &str = "time";
const COUNT: &str = "count";
const TEXTS: &str = "texts, see `text`";

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "top",
        doc: "The file begins with these.",
        keys: &[
            key("title", "text", "needed", "What this scenario is, in a few words."),
            key("teaches", "list of texts", "none", "What a reader learns from it."),
            key("seed", "number", "1", "The seed of a run when nobody names another."),
            key(
                "end",
                TIME,
                "10s after the last step",
                "When the run ends, counted from the moment the cluster is formed.",
            ),
            key(
                "breaks",
                "list of invariants",
                "none",
                "Which of the invariants below the run breaks: a known defect. The run fails if one of them holds.",
            ),
            key("cluster", "table", "needed", "The nodes of a cluster; see `[cluster]`."),
            key(
                "replication",
                "table",
                "needed",
                "Instead of a cluster: one master and its replicas, without slots; see `[replication]`.",
            ),
            key(
                "sentinel",
                "table",
                "none",
                "With `[replication]`: sentinels that watch n1 and its replicas; see `[sentinel]`.",
            ),
            key("network", "table", "lan", "The network; see `[network]`."),
            key("node", "tables", "none", "What is different about single nodes; see `[[node]]`."),
            key("client", "tables", "none", "Clients that write; see `[[client]]`."),
            key("step", "tables", "none", "What happens when; see `[[step]]`."),
            key(
                "oracle",
                "table",
                "none",
                "Which recording of real Redis this deployment belongs to; see `[oracle]`.",
            ),
            key("lesson", "table", "none", "What makes the scenario a lesson; see `[lesson]`."),
        ],
    },
    Table {
        name: "[cluster]",
        doc: "Nodes are called n1, n2, ...: first the masters, then the replicas.",
        keys: &[
            key(
                "masters",
                "1 to 1000",
                "3",
                "How many masters. With `conf-files` it follows from their number.",
            ),
            key("replicas-per-master", "0 to 999", "1", "How many replicas each master has."),
            key(
                "base-port",
                "port",
                "7000",
                "The port of n1; the next nodes count up. The bus port is 10000 higher.",
            ),
            key(
                "config",
                "table",
                "none",
                "Directives of redis.conf for all nodes, by Redis's own names and units; see the page of directives.",
            ),
            key(
                "conf-files",
                "list of paths",
                "none",
                "A redis.conf per node, relative to the scenario. Directives that are not modelled are listed once. `config` changes them further.",
            ),
            key(
                "ips",
                "address, or list",
                "127.0.0.1",
                "One address for all; one that ends in `.N`, where N counts the nodes from 1; or one per node.",
            ),
            key("hosts", "list of names", "none", "Machines; nodes are placed on them in turn."),
            key("racks", "list of names", "none", "Racks, in the same way."),
            key(
                "zones",
                "list of names",
                "none",
                "Zones, in the same way. Between zones the network is slower in some presets.",
            ),
            key(
                "form",
                "word",
                "redis-cli",
                "How the nodes become a cluster: `redis-cli` (as `--cluster create` does it), `nodes.conf` (they start with the files of a cluster that was formed before), `none` (steps send the commands).",
            ),
            key(
                "start",
                "word",
                "random",
                "`random`: each node starts at a random moment of the first second. `together`: all at once.",
            ),
        ],
    },
    Table {
        name: "[replication]",
        doc: "Servers that are no cluster: n1 is the master, n2, n3, ... follow it.",
        keys: &[
            key(
                "replicas",
                "0 to 999",
                "1",
                "How many replicas. With `conf-files` it follows from their number.",
            ),
            key(
                "chain",
                "true or false",
                "false",
                "Each replica follows the node before it, instead of all following n1.",
            ),
            key("base-port", "port", "7000", "The port of n1; the next nodes count up."),
            key("config", "table", "none", "As in `[cluster]`."),
            key(
                "conf-files",
                "list of paths",
                "none",
                "As in `[cluster]`. Who follows whom is then what their `replicaof` lines say.",
            ),
            key("ips", "address, or list", "127.0.0.1", "As in `[cluster]`."),
            key("hosts", "list of names", "none", "As in `[cluster]`."),
            key("racks", "list of names", "none", "As in `[cluster]`."),
            key("zones", "list of names", "none", "As in `[cluster]`."),
            key(
                "form",
                "word",
                "replicaof",
                "`replicaof`: replicas are configured to follow, and the steps begin when all are in sync. `none`: all start as masters; steps send the commands.",
            ),
            key("start", "word", "random", "As in `[cluster]`."),
        ],
    },
    Table {
        name: "[sentinel]",
        doc: "Sentinels s1, s2, ... that watch the master of `[replication]`. The steps begin when all of them know each other and every replica.",
        keys: &[
            key("sentinels", "1 to 99", "3", "How many. With `conf-files` it follows from their number."),
            key("master", "name", "mymaster", "What the sentinels call the master."),
            key(
                "quorum",
                "1 to 99",
                "a majority",
                "How many must say that the master is down before anything is done about it.",
            ),
            key(
                "down-after-milliseconds",
                "number",
                "30000",
                "How long an instance may be silent before it counts as down.",
            ),
            key("failover-timeout", "number", "180000", "As in sentinel.conf, in milliseconds."),
            key("parallel-syncs", "number", "1", "How many replicas are pointed to a new master at a time."),
            key(
                "base-port",
                "port",
                "26379",
                "The port of s1; the next sentinels count up, if they share an address.",
            ),
            key(
                "conf-files",
                "list of paths",
                "none",
                "One sentinel.conf per sentinel, next to the scenario. They say what is watched, and how; none of the keys above is for them.",
            ),
            key("ips", "address, or list", "127.0.0.1", "As in `[cluster]`."),
            key(
                "hosts",
                "list of names",
                "none",
                "As in `[cluster]`: a sentinel may share a machine with a data node.",
            ),
            key("racks", "list of names", "none", "As in `[cluster]`."),
            key("zones", "list of names", "none", "As in `[cluster]`."),
            key(
                "form",
                "word",
                "sentinels",
                "When the steps begin: `sentinels`: when they all know each other and every replica. `replicas`: when the replicas are in sync, whatever the sentinels know.",
            ),
        ],
    },
    Table {
        name: "[network]",
        doc: "Starts from a preset and changes it.",
        keys: &[
            key("preset", "name", "lan", "One of the presets below."),
            key(
                "latency",
                "time, or quantiles",
                "the preset's",
                "One way, within a zone: a constant, or a table of quantiles.",
            ),
            key("latency-zones", "time, or quantiles", "the preset's", "One way, between zones."),
            key(
                "loss",
                "percentage",
                "the preset's",
                "Packets lost, such as `0.1%` or `500ppm`. A lost packet is sent again: what shows is delay.",
            ),
            key(
                "bandwidth",
                "rate",
                "the preset's",
                "Of one connection, such as `100Mbit` or `10MB` per second, or `unlimited`.",
            ),
            key("slow", "tables", "none", "Links with extra latency from the start; as `do.slow`."),
        ],
    },
    Table {
        name: "latency",
        doc: "Quantiles of a latency; between them it is linear.",
        keys: &[
            key("min", TIME, "p50", "The least."),
            key("p50", TIME, "needed", "The median."),
            key("p90", TIME, "p50", "Nine of ten are at most this."),
            key("p99", TIME, "p90", "99 of 100 are at most this."),
            key("max", TIME, "p99", "The most."),
        ],
    },
    Table {
        name: "[[node]]",
        doc: "What is different about one node.",
        keys: &[
            key("name", NODE, "needed", "Which node: n1, n2, ... or, with `extra`, a new name."),
            key(
                "extra",
                "true or false",
                "false",
                "A node beside the cluster: it takes no part in the formation and waits for `do.start`. It is configured as n1, on the next free port.",
            ),
            key("ip", "address", "the cluster's", "Its address."),
            key("config", "table", "none", "Directives of redis.conf for this node."),
            key("host", "name", "the cluster's", "The machine it runs on."),
            key("rack", "name", "the cluster's", "Its rack."),
            key("zone", "name", "the cluster's", "Its zone."),
            key("clock", "table", "true time", "How its clock is wrong."),
        ],
    },
    Table {
        name: "clock",
        doc: "How a node's clock differs from true time.",
        keys: &[
            key("offset", "time, may be negative", "0s", "By how much it is ahead."),
            key("drift-ppm", "-100000 to 100000", "0", "By how many parts per million it runs fast."),
        ],
    },
    Table {
        name: "[[client]]",
        doc: "A program that writes and reads from the moment the cluster is formed. Each client has keys of its own.",
        keys: &[
            key(
                "kind",
                "word",
                "needed",
                "`app`: an application with a cluster-aware library. `cluster-writer`: an `app` with one command under way at most. `sentinel-writer`: keys of its own, written to the master that the sentinels name. `writer`: one node, one key, a fixed rate, answered or not. `prober`: one node, one write at a time, notes when the answer changes.",
            ),
            key("name", "name", "client1, ...", "What it is called."),
            key("count", "1 to 1000", "one, without a number", "So many of them: `name-1`, `name-2`, ..."),
            key(
                "library",
                "name",
                "plain",
                "app: whose rules for maps, redirections, retries and timeouts it follows. sentinel-writer: how it finds its master (redis-py). See the libraries below.",
            ),
            key(
                "rate",
                "1 to 100000",
                "100; prober 500",
                "Commands per second, whether answered or not (open loop).",
            ),
            key("arrivals", "word", "exact", "app: `exact` or `poisson`."),
            key(
                "in-flight",
                "1 to 10000",
                "64; cluster-writer 1",
                "app: commands that arrive while so many are under way are dropped and counted.",
            ),
            key(
                "workers",
                "1 to 10000",
                "none",
                "app: instead of a rate, so many workers that ask again when answered (closed loop).",
            ),
            key("think", TIME, "0", "app: how long a worker pauses between an answer and its next command."),
            key("reads", "0 to 100", "0", "app: percentage of commands that read."),
            key("read-from", "word", "master", "app: `master` or `replica`."),
            key(
                "keys",
                "1 to 10000000",
                "1000",
                "app: how many keys it has. It never has two writes to one key under way.",
            ),
            key(
                "spread",
                "word",
                "uniform",
                "app: `uniform`, or `zipf` (the key of rank n is used 1/n as often as the first).",
            ),
            key("tag", "text", "none", "app: a hash tag that all its keys share, so that they share a slot."),
            key("value-size", "1 to 1000000", "16", "app: bytes of a value."),
            key("timeout", TIME, "the library's", "app: how long it waits for an answer."),
            key("connect-timeout", TIME, "the library's", "app: how long it waits for a connection."),
            key("retries", "0 to 100", "the library's", "app: how often a command is sent again."),
            key("wait", "table", "none", "app: WAIT after each write; see `wait`."),
            key(
                "node",
                NODE,
                "needed; app: any",
                "writer, prober: its node. app: all its keys are in one slot that this node has at first.",
            ),
            key("key", "text", "one of the node's", "writer, prober: its key."),
            key("host", "name", "none", "Where it runs: the machine."),
            key("rack", "name", "none", "Its rack."),
            key("zone", "name", "none", "Its zone."),
        ],
    },
    Table {
        name: "wait",
        doc: "A write counts as acknowledged only if WAIT answers that so many replicas have it; else it is unknown.",
        keys: &[
            key("replicas", "1 to 1000", "needed", "How many replicas."),
            key("timeout", TIME, "1s", "How long the server waits for them."),
        ],
    },
    Table {
        name: "[[step]]",
        doc: "Steps come in order of time. What is said comes first, then what is done; expectations are judged after everything that happens at that time.",
        keys: &[
            key("at", TIME, "needed", "When, counted from the moment the cluster is formed."),
            key("say", "text", "none", "A sentence for the reader."),
            key("do", "one deed", "none", "What is done; see `do`."),
            key("expect", "expectations", "none", "What must be true; see `expect`."),
            key("ask", "table", "none", "A question for the reader; see `ask`."),
        ],
    },
    Table {
        name: "do",
        doc: "One deed per step. Nodes are a name or a list of names, `all`, `host:h1`, `rack:r1`, `zone:a`; `cut`, `heal` and `slow` know clients too.",
        keys: &[
            key("kill", NODES, "", "kill -9."),
            key("start", NODES, "", "Start (again), with the disk as it was left."),
            key("start-empty", NODES, "", "Start with an empty disk."),
            key("stop", NODES, "", "SIGTERM: an orderly shutdown."),
            key("crash", NODES, "", "Loss of power: nothing says goodbye. `start` starts it again."),
            key(
                "power-loss",
                NODES,
                "",
                "The same, by its other name: what was not forced to disk is gone with it.",
            ),
            key("restart", "table", "", "kill -9, and started again at once; see `do.restart`."),
            key(
                "fill-disk",
                NODES,
                "",
                "No byte fits on the disk any more: dumps and the append-only file fail.",
            ),
            key("free-disk", NODES, "", "There is room again."),
            key("slow-disk", "table", "", "Each fsync takes longer; see `do.slow-disk`."),
            key("pause", NODES, "", "SIGSTOP, or a virtual machine that stalls."),
            key("resume", NODES, "", "SIGCONT."),
            key("cut", "table", "", "Drop all packets between two groups; see `do.cut`."),
            key("heal", NODES, "", "Undo every cut that touches one of these."),
            key("slow", "table", "", "Extra latency between two groups; see `do.slow`."),
            key("clock-jump", "table", "", "Set a clock; see `do.clock-jump`."),
            key("busy", "table", "", "Block an event loop; see `do.busy`."),
            key("command", "table", "", "Send a command to a node; see `do.command`."),
            key("redis-cli", "table", "", "Run `redis-cli --cluster`; see `do.redis-cli`."),
            key("copy", "table", "", "Copy a file; see `do.copy`."),
        ],
    },
    Table {
        name: "do.restart",
        doc: "",
        keys: &[
            key("node", NODES, "needed", "Which."),
            key("disk", "word", "keep", "`keep`: with its files. `empty`: without any."),
        ],
    },
    Table {
        name: "do.slow-disk",
        doc: "",
        keys: &[
            key("node", NODES, "needed", "Whose disk."),
            key("extra", TIME, "needed", "How much longer each fsync takes; `0s` undoes it."),
        ],
    },
    Table {
        name: "do.cut",
        doc: "",
        keys: &[
            key("from", NODES, "needed", "One group."),
            key("to", NODES, "all others", "The other group."),
            key("one-way", "true or false", "false", "Only packets from the first to the second."),
        ],
    },
    Table {
        name: "do.slow",
        doc: "",
        keys: &[
            key("from", NODES, "needed", "One group."),
            key("to", NODES, "all others", "The other group."),
            key("extra", TIME, "needed", "Added to the latency of each packet, both ways; `0ms` undoes it."),
        ],
    },
    Table {
        name: "do.clock-jump",
        doc: "",
        keys: &[
            key("node", NODE, "needed", "Whose clock."),
            key("by", "time, may be negative", "needed", "How far it is set forward."),
        ],
    },
    Table {
        name: "do.busy",
        doc: "",
        keys: &[
            key("node", NODE, "needed", "Whose event loop."),
            key("time", TIME, "needed", "How long it does nothing else."),
        ],
    },
    Table {
        name: "do.command",
        doc: "",
        keys: &[
            key("node", NODE, "needed", "Who gets it, as from a client on its own machine."),
            key(
                "run",
                "text",
                "needed",
                "The command. `{n3.id}`, `{n3.ip}`, `{n3.port}`, `{n3.bus-port}` stand for what n3 has.",
            ),
        ],
    },
    Table {
        name: "do.redis-cli",
        doc: "A process of its own on the machine of the first node, with the commands and the output of the real tool.",
        keys: &[
            key(
                "run",
                "text",
                "needed",
                "What stands after `redis-cli`: `--cluster` with create, check, info, fix, reshard, rebalance, add-node, del-node, call, set-timeout or backup, and their options. `{n3}` stands for the address of n3, `{n3.id}` for its id at that moment.",
            ),
            key("answers", "list of texts", "none", "What it finds on its standard input, a line each."),
        ],
    },
    Table {
        name: "do.copy",
        doc: "As scp does it. A server that runs does not notice that its file is another: it reads it when it starts, and may write over it when it stops.",
        keys: &[
            key(
                "from",
                "text",
                "needed",
                "`n1:dump.rdb` or `n1:nodes.conf`, the file of a node; or a path of the operator, such as those that `redis-cli --cluster backup` writes, in which `*` stands for anything. `{n3.id}`, `{n3.ip}` and `{n3.port}` stand for what n3 has.",
            ),
            key("to", "text", "needed", "Where to, in the same way."),
        ],
    },
    Table {
        name: "ask",
        doc: "Shown when the run comes to the step.",
        keys: &[
            key("question", "text", "needed", "The question."),
            key("answer", "text", "needed", "The answer."),
            key("choices", "list of texts", "none", "Answers to choose from."),
        ],
    },
    Table {
        name: "expect",
        doc: "A table of nodes has a condition for each, and in some `all` stands for every running node. A count is a number or a text such as `>= 5`.",
        keys: &[
            key(
                "cluster-state",
                "table of nodes",
                "",
                "`ok` or `fail`: the cluster state as the node says it. Knows `all`.",
            ),
            key(
                "role",
                "table of nodes",
                "",
                "`master`, `replica`, `replica of n3` or `down`, by the node's own word.",
            ),
            key(
                "slots",
                "table of nodes",
                "",
                "The slots that the node owns by its own word: a count, or `0-5460`.",
            ),
            key("epoch", "table of nodes", "", "currentEpoch, a count. Knows `all`."),
            key("failover", "table", "", "A replica took over; see `expect.failover`."),
            key("no-failover", "node, or any", "", "Nobody took over the slots of this node, or of any."),
            key("refused", "table", "", "A replica said why it cannot fail over; see `expect.refused`."),
            key(
                "migrated",
                "table",
                "",
                "A replica moved to another master by itself; see `expect.migrated`.",
            ),
            key("known", "table of nodes", "", "Nodes that this node has in its table. Knows `all`."),
            key(
                "forgotten",
                "table of nodes",
                "",
                "Nodes that this node does not have in its table. Knows `all`.",
            ),
            key("writes", "table", "", "What became of writes; see `expect.writes`."),
            key(
                "link",
                "table of nodes",
                "",
                "`up` or `down`: whether the replica is in sync with its master.",
            ),
            key("key", "table", "", "What a node's data hold; see `expect.key`."),
            key(
                "health",
                "map of node or `all` to a health",
                "",
                "`healthy`, `degraded` or `unhealthy`: how a monitor judges the cluster that only asks this node for CLUSTER INFO.",
            ),
            key(
                "redis-cli",
                "table",
                "",
                "What became of the redis-cli started last; see `expect.redis-cli`.",
            ),
            key("reply", "table", "", "The last reply to a command; see `expect.reply`."),
            key("happened", "table", "", "Something happened, or never did; see `expect.happened`."),
            key(
                "order",
                "list of tables",
                "",
                "These happened, one after the other; each as `expect.happened` with `what`, `on`, `about`.",
            ),
            key(
                "agreement",
                "true",
                "",
                "All running nodes agree on the owner of every slot and on who replicates whom.",
            ),
        ],
    },
    Table {
        name: "expect.failover",
        doc: "",
        keys: &[
            key("of", NODE, "needed", "Whose slots were taken over."),
            key("by", NODES, "any replica", "By one of these."),
            key("within", TIME, "any time", "So long after the fault that hit `of`."),
        ],
    },
    Table {
        name: "expect.refused",
        doc: "",
        keys: &[
            key("node", NODE, "needed", "The replica."),
            key("why", "word", "needed", "`data-age`, `waiting-delay`, `expired` or `waiting-votes`."),
        ],
    },
    Table {
        name: "expect.migrated",
        doc: "",
        keys: &[key("node", NODE, "needed", "The replica."), key("to", NODE, "any", "Its new master.")],
    },
    Table {
        name: "expect.writes",
        doc: "At least one count.",
        keys: &[
            key(
                "client",
                "client",
                "all together",
                "Whose writes; the name without a number for all of a `count`.",
            ),
            key("acked", COUNT, "any", "Acknowledged."),
            key("kept", COUNT, "any", "Acknowledged, and in the data of who serves the slot now."),
            key(
                "lost",
                COUNT,
                "any",
                "Acknowledged, and not in these data, or not any more since it was acknowledged.",
            ),
            key("lost-by", "table of counts", "any", "Lost by cause; the causes are listed below."),
            key("refused", COUNT, "any", "Answered with an error, or never sent."),
            key("unknown", COUNT, "any", "Not answered: maybe done."),
            key("unserved", COUNT, "any", "Acknowledged, and nobody running serves the slot now."),
            key(
                "stale-reads",
                COUNT,
                "any",
                "Reads that returned an older value than one acknowledged before they began.",
            ),
        ],
    },
    Table {
        name: "expect.key",
        doc: "",
        keys: &[
            key("node", NODE, "needed", "Whose data."),
            key("name", "text", "needed", "The key."),
            key("value", "text", "no such key", "The string it holds."),
        ],
    },
    Table {
        name: "expect.redis-cli",
        doc: "It is about the one that was started last. One that still runs is not what is expected.",
        keys: &[
            key("exit", "number", "any", "Its exit code: 0 if all went well, else 1."),
            key("prints", "text", "", "A part of one of the lines that it printed."),
        ],
    },
    Table {
        name: "expect.reply",
        doc: "One of `is`, `starts`, `contains`.",
        keys: &[
            key("node", NODE, "needed", "Who replied."),
            key("is", "text", "", "The whole reply."),
            key("starts", "text", "", "How it begins."),
            key("contains", "text", "", "A part of it."),
        ],
    },
    Table {
        name: "expect.happened",
        doc: "Counted since the cluster was formed.",
        keys: &[
            key("what", "word", "needed", "One of the happenings below."),
            key("on", "node or client", "any", "Where."),
            key("about", "node or client", "any", "Whom it concerns."),
            key("times", COUNT, ">= 1", "How often; 0 for never."),
            key("since", TIME, "0s", "Only from this time on."),
        ],
    },
    Table {
        name: "expect.order",
        doc: "One part of the list.",
        keys: &[
            key("what", "word", "needed", "One of the happenings below."),
            key("on", "node or client", "any", "Where."),
            key("about", "node or client", "any", "Whom it concerns."),
        ],
    },
    Table {
        name: "[oracle]",
        doc: "Only for `slotscope lab --compare`: the laboratory brings the deeds of the recording.",
        keys: &[
            key("scenario", "S1 to S11", "needed", "The recorder's name of what is done."),
            key("variants", "list of words", "the recording's", "Which variants to run."),
        ],
    },
    Table {
        name: "[lesson]",
        doc: "A lesson tells what the run shows, asks before it goes on, and sets an exercise. It has no `title` of its own outside.",
        keys: &[
            key("order", "1 to 999", "needed", "Its place among the lessons."),
            key("chapter", "text", "none", "The section of the chapter that it belongs to."),
            key("title", TEXTS, "needed", "What it is called."),
            key("goal", TEXTS, "needed", "What the learner will have understood."),
            key("say", "tables", "none", "What the narrator says; see `[[lesson.say]]`."),
            key(
                "predict",
                "tables",
                "none",
                "Questions about what is going to happen; see `[[lesson.predict]]`.",
            ),
            key("exercise", "table", "needed", "Something to achieve; see `[lesson.exercise]`."),
            key("summary", TEXTS, "needed", "What was seen."),
            key("commands", "list of texts", "none", "The real commands that do what was shown."),
            key("picture", "table", "none", "The picture of its page in the book; see `[lesson.picture]`."),
        ],
    },
    Table {
        name: "text",
        doc: "A text in every language of the program; none may be missing. A line break is no more than a space; an empty line begins a paragraph.",
        keys: &[key("en", "text", "needed", "English."), key("zh", "text", "needed", "Chinese.")],
    },
    Table {
        name: "[[lesson.say]]",
        doc: "In order of time.",
        keys: &[
            key("at", TIME, "needed", "From when on it is said."),
            key("text", TEXTS, "needed", "The sentences."),
        ],
    },
    Table {
        name: "[[lesson.predict]]",
        doc: "The answer is never written down: it is measured in the run. A question takes `choices` or a `number`.",
        keys: &[
            key("at", TIME, "needed", "The run stops here and asks."),
            key("until", TIME, "needed", "Here the answer is known."),
            key("question", TEXTS, "needed", "The question."),
            key("choices", "tables", "none", "Answers to choose from; see `choices`."),
            key("number", "one measure", "none", "A number to type, and how the run gives it; see `number`."),
            key("near", "number", "0", "By how much a number may be off and still count as right."),
            key("because", TEXTS, "needed", "Why the answer is what it is."),
        ],
    },
    Table {
        name: "choices",
        doc: "The right one is the only one whose expectations hold at `until`.",
        keys: &[
            key("text", TEXTS, "needed", "The answer."),
            key("expect", "expectations", "needed", "What is true if this is the answer; see `expect`."),
        ],
    },
    Table {
        name: "[lesson.exercise]",
        doc: "A run of its own: the same deployment and clients, other steps, and what the learner does.",
        keys: &[
            key("task", TEXTS, "needed", "What is to be achieved."),
            key("hints", "list of texts", "none", "From a nudge to the whole way."),
            key("end", TIME, "needed", "When the check is made."),
            key("step", "tables", "none", "What happens without the learner; see `[[step]]`."),
            key("check", "tables", "needed", "What must be true at the end, each as `expect`."),
            key("solution", "tables", "needed", "Steps that solve it; see `[[step]]`."),
        ],
    },
    Table {
        name: "[lesson.picture]",
        doc: "",
        keys: &[
            key("at", TIME, "needed", "The moment."),
            key("keys", "text", "none", "Keys to press before."),
            key("caption", TEXTS, "needed", "What it shows."),
        ],
    },
    Table {
        name: "number",
        doc: "One of these.",
        keys: &[
            key("slot", "text", "", "The slot of this key."),
            key("slots", NODE, "", "How many slots the node owns."),
            key("epoch", NODE, "", "currentEpoch of the node."),
            key(
                "times",
                "table",
                "",
                "How often it happened since the cluster was formed; as in `expect.order`.",
            ),
            key("seconds", "table", "", "The time between two happenings, rounded; see `seconds`."),
            key("milliseconds", "table", "", "The same in milliseconds."),
            key(
                "gap",
                "client",
                "",
                "The longest time in which the client had no success, in whole seconds.",
            ),
            key("writes", "table", "", "A count of the write ledger; see `number.writes`."),
            key(
                "reply",
                "table",
                "",
                "The number in a node's last reply to an operator; see `number.reply`.",
            ),
        ],
    },
    Table {
        name: "seconds",
        doc: "From the first of one to the first of the other after it; both as in `expect.order`.",
        keys: &[
            key("from", "table", "needed", "Where it begins."),
            key("to", "table", "needed", "Where it ends."),
        ],
    },
    Table {
        name: "number.writes",
        doc: "",
        keys: &[
            key("client", "client", "all", "Whose."),
            key(
                "count",
                "word",
                "needed",
                "`acknowledged`, `kept`, `lost`, `refused`, `unknown`, `unserved` or `stale reads`.",
            ),
        ],
    },
    Table {
        name: "number.reply",
        doc: "",
        keys: &[
            key("node", NODE, "needed", "Who replied."),
            key("field", "text", "none", "The name before `:` in a reply such as that of CLUSTER INFO."),
        ],
    },
];

/// The manual page of scenario files, as Markdown.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Scenario files\n\n\
         A scenario is a TOML file. A mistake is reported with its place and what would be right, all of them\n\
         at once. Times have a unit: `250us`, `20ms`, `1.5s`, `10m`, `2h`. This page is made from the program.\n",
    );
    for table in TABLES {
        let title = match table.name {
            "top" => "The file".to_string(),
            name => format!("`{name}`"),
        };
        out.push_str(&format!("\n## {title}\n\n"));
        if !table.doc.is_empty() {
            out.push_str(&format!("{}\n\n", table.doc));
        }
        let defaults = table.keys.iter().any(|k| !k.default.is_empty());
        out.push_str(if defaults {
            "| key | takes | when left out | what it is |\n| --- | --- | --- | --- |\n"
        } else {
            "| key | takes | what it is |\n| --- | --- | --- |\n"
        });
        for k in table.keys {
            let default = if defaults { format!(" {} |", k.default) } else { String::new() };
            out.push_str(&format!("| `{}` | {} |{default} {} |\n", k.name, k.takes, k.doc));
        }
    }
    out.push_str("\n## Presets of the network\n\nOne-way latencies: median, 99th percentile.\n\n");
    out.push_str("| preset | within a zone | between zones | loss per million | bandwidth of a connection, bytes/s |\n");
    out.push_str("| --- | --- | --- | --- | --- |\n");
    for p in NetModel::PRESETS {
        let bandwidth = if p.bandwidth == 0 { "unlimited".into() } else { p.bandwidth.to_string() };
        let (a, b) = (p.latency, p.latency_zones);
        out.push_str(&format!(
            "| `{}` | {}, {} | {}, {} | {} | {bandwidth} |\n",
            p.preset,
            a.p50(),
            a.p99(),
            b.p50(),
            b.p99(),
            p.loss_ppm
        ));
    }
    out.push_str(
        "\n## Client libraries\n\nFor `library` of `[[client]]`: the rules of each with its defaults.\n\n",
    );
    out.push_str("| library | read from | what it does |\n| --- | --- | --- |\n");
    for r in Rules::ALL {
        out.push_str(&format!("| `{}` | {} | {} |\n", r.name, r.source, r.doc));
    }
    out.push_str("\nFor `sentinel-writer`:\n\n| library | read from | what it does |\n| --- | --- | --- |\n");
    for (name, preset) in Preset::ASKING {
        let (source, doc) = preset.doc();
        out.push_str(&format!("| `{name}` | {source} | {doc} |\n"));
    }
    out.push_str("\n## What kills an acknowledged write\n\nFor `lost-by` of `expect.writes`.\n\n");
    out.push_str("| cause | what would have kept it |\n| --- | --- |\n");
    for c in Cause::ALL {
        out.push_str(&format!("| `{}` | {} |\n", c.name(), c.remedy()));
    }
    out.push_str("\n## What can happen\n\nFor `expect.happened` and `expect.order`.\n\n| word | what it is |\n| --- | --- |\n");
    for h in HAPPENINGS {
        out.push_str(&format!("| `{}` | {} |\n", h.name, h.doc));
    }
    out.push_str("\n## What is checked in every run\n\n| invariant | must hold | what it says |\n| --- | --- | --- |\n");
    for i in INVARIANTS {
        out.push_str(&format!("| `{}` | {} | {} |\n", i.name, i.kind.name(), i.doc));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::super::schema::*;
    use super::*;

    /// The keys that serde knows, as its own error lists them.
    fn known<T: DeserializeOwned>() -> Vec<String> {
        let Err(e) = toml::from_str::<T>("\"no such key\" = 1") else {
            panic!("an unknown key was accepted")
        };
        let message = e.message().to_string();
        let list = message.split_once(", expected").expect("serde lists what it expects").1.to_string();
        list.split('`').skip(1).step_by(2).map(str::to_string).collect()
    }

    #[test]
    fn every_key_is_documented_and_nothing_else_is() {
        let schema: [(&str, Vec<String>); 28] = [
            ("top", known::<File>()),
            ("[cluster]", known::<Cluster>()),
            ("[replication]", known::<Replication>()),
            ("[sentinel]", known::<Sentinel>()),
            ("[network]", known::<Network>()),
            ("latency", known::<Quantiles>()),
            ("[[node]]", known::<Node>()),
            ("clock", known::<Clock>()),
            ("[[client]]", known::<Client>()),
            ("wait", known::<Wait>()),
            ("[[step]]", known::<Step>()),
            ("do", known::<Do>()),
            ("do.restart", known::<Restart>()),
            ("do.slow-disk", known::<SlowDisk>()),
            ("do.cut", known::<Cut>()),
            ("do.slow", known::<Slow>()),
            ("do.clock-jump", known::<ClockJump>()),
            ("do.busy", known::<Busy>()),
            ("do.command", known::<Command>()),
            ("do.redis-cli", known::<RedisCli>()),
            ("do.copy", known::<CopyFile>()),
            ("ask", known::<Ask>()),
            ("expect", known::<Expect>()),
            ("expect.failover", known::<Failover>()),
            ("expect.refused", known::<Refused>()),
            ("expect.migrated", known::<Migrated>()),
            ("expect.writes", known::<Writes>()),
            ("expect.key", known::<super::super::schema::Key>()),
        ];
        let rest = [
            ("expect.redis-cli", known::<CliWanted>()),
            ("expect.reply", known::<Reply>()),
            ("expect.happened", known::<Happened>()),
            ("expect.order", known::<What>()),
            ("[oracle]", known::<Oracle>()),
            ("[lesson]", known::<Lesson>()),
            ("text", known::<Text>()),
            ("[[lesson.say]]", known::<Say>()),
            ("[[lesson.predict]]", known::<Predict>()),
            ("choices", known::<Choice>()),
            ("[lesson.exercise]", known::<Exercise>()),
            ("[lesson.picture]", known::<Picture>()),
            ("number", known::<Measure>()),
            ("seconds", known::<Between>()),
            ("number.writes", known::<WriteCount>()),
            ("number.reply", known::<ReplyNumber>()),
        ];
        let all: Vec<(&str, Vec<String>)> = schema.into_iter().chain(rest).collect();
        assert_eq!(all.len(), TABLES.len());
        for (table, (name, keys)) in TABLES.iter().zip(all) {
            assert_eq!(table.name, name);
            let documented: Vec<&str> = table.keys.iter().map(|k| k.name).collect();
            assert_eq!(documented, keys, "{name}");
            assert!(table.keys.iter().all(|k| k.doc.ends_with('.')), "{name}");
        }
    }
}
