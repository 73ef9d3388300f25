//! A deployment as files: a folder per node with its redis.conf or sentinel.conf (and the nodes.conf of a cluster that
//! is already formed), and a script that starts, forms and ends it.

use std::sync::Arc;

use crate::params::directive;
use crate::resp::quote;
use crate::trace::{HostId, Level};
use crate::world::World;
use crate::world::plan::{Formation, NodeSpec, Plan};

/// One node's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    pub node: String,
    /// Name and text.
    pub files: Vec<(&'static str, String)>,
}

/// The script's name.
pub const SCRIPT: &str = "deploy.sh";

/// Directives that the folder decides.
const DECIDED: [&str; 13] = [
    "port",
    "cluster-port",
    "bind",
    "dir",
    "logfile",
    "loglevel",
    "pidfile",
    "daemonize",
    "supervised",
    "unixsocket",
    "protected-mode",
    "cluster-config-file",
    "syslog-enabled",
];

/// The file that a node is started with.
pub fn conf_name(n: &NodeSpec) -> &'static str {
    if n.sentinel.is_some() { "sentinel.conf" } else { "redis.conf" }
}

/// A folder per node of a plan on loopback. `seed`: of the node ids of a cluster that is already formed.
pub fn homes(plan: &Plan, seed: u64) -> Vec<Home> {
    let world = World::new(Arc::new(plan.clone()), seed, Level::Headline);
    let home = |(i, n): (usize, &NodeSpec)| {
        let mut files = vec![(conf_name(n), conf(n))];
        if let Some(image) = &world.hosts[HostId(i as u32)].disk.nodes_conf {
            files.push(("nodes.conf", image.text(&world.names)));
        }
        Home { node: n.name.clone(), files }
    };
    plan.nodes.iter().enumerate().map(home).collect()
}

/// redis.conf or sentinel.conf: whatever differs from Redis's defaults, and where the process lives.
fn conf(n: &NodeSpec) -> String {
    let mut out = format!("port {}\nbind {}\nprotected-mode no\n", n.conf.port, n.ip);
    out += "dir ./\npidfile redis.pid\nlogfile redis.log\n";
    // Suspicions (PFAIL) are logged at this level only.
    out += "loglevel debug\n";
    if n.conf.cluster_enabled {
        out += "cluster-config-file nodes.conf\n";
    }
    for (name, text) in n.conf.changed() {
        if DECIDED.contains(&name) {
            continue;
        }
        let many = directive(name).is_some_and(|d| d.kind.takes_many());
        let plain = !text.is_empty()
            && (many || text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\''));
        out +=
            &if plain { format!("{name} {text}\n") } else { format!("{name} {}\n", quote(text.as_bytes())) };
    }
    if let Some(s) = &n.sentinel {
        out += &s.to_text();
    }
    out
}

/// Words of redis-cli that form the cluster.
pub fn create_words(plan: &Plan) -> Option<Vec<String>> {
    let Formation::RedisCli { replicas } = plan.formation else { return None };
    let forming = plan.nodes.iter().filter(|n| n.start.is_by_itself() && n.sentinel.is_none());
    let mut words = vec!["--cluster".to_string(), "create".to_string()];
    words.extend(forming.map(|n| format!("{}:{}", n.ip, n.conf.port)));
    words.extend(["--cluster-replicas".to_string(), replicas.to_string(), "--cluster-yes".to_string()]);
    Some(words)
}

/// The script, for a POSIX shell. Ends only processes that it finds in the folders' pid files and that are Redis's.
pub fn script(title: &str, plan: &Plan) -> String {
    let row = |n: &NodeSpec| format!("{}:{}:{}", n.name, n.conf.port, conf_name(n));
    let rows = |by_itself: bool| {
        let of = plan.nodes.iter().filter(|n| n.start.is_by_itself() == by_itself);
        of.map(row).collect::<Vec<_>>().join(" ")
    };
    let create = create_words(plan).map_or_else(
        || match plan.formation {
            Formation::NodesConf { .. } | Formation::Seats(_) => {
                "    echo 'nothing to do: the nodes start with the nodes.conf of a formed cluster'"
                    .to_string()
            }
            Formation::None => "    echo 'nothing to do: steps of the scenario form it'".to_string(),
            _ => "    echo 'nothing to do: replicas and sentinels find their master by their files'"
                .to_string(),
        },
        |words| format!("    redis-cli {}", words.join(" ")),
    );
    let title: String = title.chars().filter(|c| !c.is_control()).collect();
    let text =
        SHELL.replace("@TITLE@", &title).replace("@NODES@", &rows(true)).replace("@LATER@", &rows(false));
    text.replace("@CREATE@", &create)
}

const SHELL: &str = r#"#!/bin/sh
# @TITLE@
# Written by `slotscope export --deploy`.
#   ./deploy.sh start [NODE]   start the servers, or one of them
#   ./deploy.sh create         form the deployment
#   ./deploy.sh status         who answers, and as what
#   ./deploy.sh stop [NODE]    end them
set -eu
cd "$(dirname "$0")"
# NAME:PORT:FILE; the second list are nodes that only `start NODE` starts.
nodes="@NODES@"
later="@LATER@"

pid_of() { # pid_of NAME: its process, if that is a Redis; nothing otherwise
    [ -f "$1/redis.pid" ] || return 0
    pid=$(cat "$1/redis.pid")
    case "$(ps -o comm= -p "$pid" 2>/dev/null || true)" in
        redis-*) echo "$pid" ;;
    esac
}

start_one() { # start_one NAME:PORT:FILE
    name=${1%%:*}
    file=${1##*:}
    if [ -n "$(pid_of "$name")" ]; then
        echo "$name runs already"
        return 0
    fi
    case $file in
        sentinel.conf) (cd "$name" && redis-server sentinel.conf --sentinel --daemonize yes) ;;
        *) (cd "$name" && redis-server redis.conf --daemonize yes) ;;
    esac
}

stop_one() {
    pid=$(pid_of "$1")
    [ -n "$pid" ] || return 0
    kill "$pid"
    for _ in $(seq 100); do
        [ -n "$(pid_of "$1")" ] || return 0
        sleep 0.1
    done
    echo "$1 (process $pid) does not end" >&2
    return 1
}

wait_for() { # wait_for PORT: until it answers
    for _ in $(seq 100); do
        [ "$(redis-cli -h 127.0.0.1 -p "$1" PING 2>/dev/null || true)" != PONG ] || return 0
        sleep 0.1
    done
    echo "nothing answers at port $1: see the redis.log of its folder" >&2
    return 1
}

start() {
    if [ -n "$1" ]; then
        for n in $nodes $later; do
            [ "${n%%:*}" != "$1" ] || { start_one "$n" && return; }
        done
        echo "there is no node $1" >&2
        return 2
    fi
    for n in $nodes; do start_one "$n"; done
    for n in $nodes; do rest=${n#*:} && wait_for "${rest%%:*}"; done
}

create() {
@CREATE@
}

status() {
    for n in $nodes $later; do
        rest=${n#*:}
        printf '%s ' "${n%%:*}"
        redis-cli -h 127.0.0.1 -p "${rest%%:*}" ROLE 2>&1 | head -n 1
    done
}

stop() {
    for n in $nodes $later; do
        [ -z "$1" ] || [ "${n%%:*}" = "$1" ] || continue
        stop_one "${n%%:*}"
    done
}

case ${1:-} in
    start | stop) "$1" "${2:-}" ;;
    create | status) "$1" ;;
    *)
        sed -n '2,7s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac
"#;
