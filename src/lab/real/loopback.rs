//! A deployment on 127.0.0.1: other addresses and ports, and nothing else changed.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::params::{Config, ReplicaOf, SentinelConf};
use crate::redis::Addr;
use crate::scenario::deed_text;
use crate::world::net::NetModel;
use crate::world::plan::{Action, ClockSpec, NodeSpec, Plan};

/// More processes than this are too many for one machine's loopback.
pub const MAX_PROCESSES: usize = 60;

/// The nodes' own ports if no two are equal and all have a bus port, else ports from the first one's on.
pub fn own_ports(plan: &Plan) -> Vec<u16> {
    let own: Vec<u16> = plan.nodes.iter().map(|n| n.conf.port).collect();
    let mut sorted = own.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let fit = |p: &u16| (1024..=55_535).contains(p);
    if sorted.len() == own.len() && own.iter().all(fit) {
        return own;
    }
    let first =
        own.first().copied().filter(fit).filter(|&p| usize::from(p) + own.len() <= 55_535).unwrap_or(7000);
    (first..).take(own.len()).collect()
}

/// The plan with node `i` at 127.0.0.1 and `ports[i]`, on a network of loopback, without clients.
pub fn placed(plan: &Plan, ports: &[u16]) -> Plan {
    let new = |&port: &u16| Addr { ip: Ipv4Addr::LOCALHOST, port };
    let moves: Vec<(Addr, Addr)> = plan.nodes.iter().map(NodeSpec::addr).zip(ports.iter().map(new)).collect();
    let mut plan = plan.clone();
    for (node, &(_, to)) in plan.nodes.iter_mut().zip(&moves) {
        node.ip = to.ip;
        node.conf = Arc::new(conf(&node.conf, to.port, &moves));
        node.sentinel = node.sentinel.as_ref().map(|s| Arc::new(sentinel(s, &moves)));
    }
    for step in &mut plan.steps {
        if let Action::Command { words, .. } | Action::RedisCli { words, .. } = &mut step.action {
            *words = readdressed(words, &moves);
        }
    }
    plan.clients.clear();
    plan.network = NetModel::LOOPBACK;
    plan
}

/// What of a scenario no process on loopback can be made to do, or would do otherwise; empty if all of it.
pub fn obstacles(plan: &Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    if plan.nodes.len() > MAX_PROCESSES {
        wrong.push(format!("{} nodes are more than {MAX_PROCESSES} processes", plan.nodes.len()));
    }
    for n in &plan.nodes {
        if n.clock != ClockSpec::default() {
            wrong.push(format!("{} has a clock that is not right", n.name));
        }
        let d = &n.disk;
        if d.rdb.is_some() || d.aof.is_some() || d.conf.is_some() || d.sentinel_conf.is_some() {
            wrong.push(format!("{} begins with data on its disk", n.name));
        }
        let announced = n.conf.changed();
        for (name, _) in announced.iter().filter(|(name, _)| name.contains("announce-")) {
            wrong.push(format!("{} sets {name}: on loopback every address is 127.0.0.1", n.name));
        }
    }
    for step in &plan.steps {
        let can = match step.action {
            Action::Kill { .. }
            | Action::Start { .. }
            | Action::Restart { .. }
            | Action::Terminate { .. }
            | Action::Pause { .. }
            | Action::Resume { .. }
            | Action::Command { .. }
            | Action::Say { .. } => true,
            Action::RedisCli { ref answers, .. } => answers.is_empty(),
            _ => false,
        };
        if !can {
            let deed = deed_text(plan, &step.action);
            wrong.push(format!("at {}: `{deed}` cannot be done to processes on loopback", step.at));
        }
    }
    wrong
}

/// What is the same on both sides by being absent.
pub fn left_out(plan: &Plan) -> Vec<String> {
    let mut out = Vec::new();
    if !plan.clients.is_empty() {
        let names: Vec<&str> = plan.clients.iter().map(|c| c.name.as_str()).collect();
        out.push(format!("the clients {}", names.join(", ")));
    }
    if plan.network != NetModel::LOOPBACK {
        out.push("the scenario's network: both sides run on loopback".to_string());
    }
    out
}

/// Whether nothing is done.
pub fn is_talk(action: &Action) -> bool {
    matches!(action, Action::Say { .. })
}

// ---- helpers ----

fn moved(host: &str, port: u16, moves: &[(Addr, Addr)]) -> Option<Addr> {
    let ip: Ipv4Addr = host.parse().ok()?;
    moves.iter().find(|(from, _)| *from == Addr { ip, port }).map(|&(_, to)| to)
}

fn conf(conf: &Config, port: u16, moves: &[(Addr, Addr)]) -> Config {
    let mut conf = conf.clone();
    conf.port = port;
    conf.cluster_port = 0;
    if let Some(master) = &conf.replicaof
        && let Some(to) = moved(&master.host, master.port, moves)
    {
        conf.replicaof = Some(ReplicaOf { host: to.ip.to_string(), port: to.port });
    }
    conf
}

fn sentinel(s: &SentinelConf, moves: &[(Addr, Addr)]) -> SentinelConf {
    let mut s = s.clone();
    for m in &mut s.masters {
        let known = m.sentinels.iter_mut().map(|(host, port, _)| (host, port));
        let all = m.replicas.iter_mut().map(|(host, port)| (host, port)).chain(known);
        for (host, port) in all.chain([(&mut m.host, &mut m.port)]) {
            if let Some(to) = moved(host, *port, moves) {
                (*host, *port) = (to.ip.to_string(), to.port);
            }
        }
    }
    s
}

/// `IP:PORT` in one word, and `IP` before `PORT`, of a node.
fn readdressed(words: &[String], moves: &[(Addr, Addr)]) -> Vec<String> {
    let mut out: Vec<String> = words.to_vec();
    for i in 0..out.len() {
        if let Some((host, port)) = out[i].split_once(':')
            && let Some(to) = port.parse().ok().and_then(|port| moved(host, port, moves))
        {
            out[i] = format!("{}:{}", to.ip, to.port);
        } else if let Some(next) = words.get(i + 1)
            && let Some(to) = next.parse().ok().and_then(|port| moved(&words[i], port, moves))
        {
            (out[i], out[i + 1]) = (to.ip.to_string(), to.port.to_string());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn plan(text: &str) -> Plan {
        let s = scenario::parse("test", text, std::path::Path::new("")).expect("a scenario");
        (*s.plan).clone()
    }

    const SENTINELS: &str = "title = \"t\"\n[replication]\nreplicas = 1\nbase-port = 6379\nips = \"10.0.0.N\"\n\
                             [sentinel]\nsentinels = 3\nips = \"10.0.1.N\"\n";

    #[test]
    fn addresses_follow_their_nodes() {
        let text = format!(
            "{SENTINELS}[[step]]\nat = \"1s\"\ndo.command = {{ node = \"n2\", run = \"REPLICAOF 10.0.0.1 6379\" }}\n"
        );
        let plan = plan(&text);
        let ports = own_ports(&plan);
        assert_eq!(ports, [6379, 6380, 6381, 6382, 6383]);
        let there = placed(&plan, &[21_000, 21_001, 21_002, 21_003, 21_004]);
        let master = there.nodes[1].conf.replicaof.clone().expect("a replica");
        assert_eq!((master.host.as_str(), master.port), ("127.0.0.1", 21_000));
        let watched = &there.nodes[2].sentinel.as_ref().expect("a sentinel").masters[0];
        assert_eq!((watched.host.as_str(), watched.port), ("127.0.0.1", 21_000));
        let Action::Command { words, .. } = &there.steps[0].action else { panic!("{:?}", there.steps) };
        assert_eq!(words.join(" "), "REPLICAOF 127.0.0.1 21000");
    }

    #[test]
    fn what_cannot_be_done_is_said_with_its_time() {
        let text = format!("{SENTINELS}[[step]]\nat = \"3s\"\ndo.power-loss = \"n1\"\n");
        let wrong = obstacles(&plan(&text));
        assert_eq!(wrong, ["at 3s: `power-loss = \"n1\"` cannot be done to processes on loopback"]);
    }
}
