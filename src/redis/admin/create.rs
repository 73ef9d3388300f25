//! `redis-cli --cluster create`: the plan it makes and the commands it sends, in order.
//!
//! redis: redis-cli.c clusterManagerCommandCreate @7.0.15

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::server::command::request;
use super::super::{Addr, Cx, Input, Message, Timer};
use crate::base::{Dur, Rng};
use crate::resp::Value;
use crate::trace::{ConnId, Fact};

/// Waits between two looks at whether all nodes agree.
const JOIN_POLL: Dur = Dur::secs(1);
const TICK: u8 = 0;
/// How often nodes that do not answer yet are tried again.
const RETRY: Dur = Dur::ms(20);

/// What a node is to become.
#[derive(Clone, Debug)]
struct Target {
    addr: Addr,
    conn: ConnId,
    id: String,
    /// Index of its master, if it is to be a replica.
    master: Option<usize>,
    slots: (u16, u16),
    dirty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connect(usize),
    /// Ask INFO, CLUSTER NODES, INFO, CLUSTER INFO of each node.
    Inspect(usize, u8),
    Assign(usize),
    Epoch(usize),
    Meet(usize),
    /// CLUSTER NODES of each node in turn; `usize` = whom we asked.
    Join(usize),
    Replicate(usize),
    Check(usize),
    Done,
    Failed,
}

/// The run of the command.
#[derive(Clone, Debug)]
pub struct Create {
    targets: Vec<Target>,
    replicas: u32,
    phase: Phase,
    /// Views gathered in this round of the join phase.
    views: Vec<String>,
}

impl Create {
    pub fn new(nodes: Vec<Addr>, replicas: u32) -> Create {
        let targets = nodes
            .into_iter()
            .map(|addr| Target {
                addr,
                conn: ConnId::NONE,
                id: String::new(),
                master: None,
                slots: (1, 0),
                dirty: false,
            })
            .collect();
        Create { targets, replicas, phase: Phase::Connect(0), views: Vec::new() }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done | Phase::Failed)
    }

    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Boot(_) => self.connect(cx, 0),
            Input::Timer(Timer::Tick(TICK)) => match self.phase {
                Phase::Connect(i) => self.connect(cx, i),
                Phase::Join(_) => {
                    self.views.clear();
                    self.enter(cx, Phase::Join(0));
                }
                _ => {}
            },
            Input::Connected { .. } => {
                if let Phase::Connect(i) = self.phase {
                    if i + 1 < self.targets.len() {
                        self.connect(cx, i + 1);
                    } else {
                        self.enter(cx, Phase::Inspect(0, 0));
                    }
                }
            }
            Input::ConnectFailed { .. } => cx.arm(Timer::Tick(TICK), RETRY),
            Input::Closed { .. } => {
                self.print(cx, "Error: Server closed the connection");
                self.phase = Phase::Failed;
            }
            Input::Message { message: Message::Reply(v), .. } => self.reply(cx, &v),
            _ => {}
        }
    }

    fn connect(&mut self, cx: &mut Cx<'_>, i: usize) {
        self.phase = Phase::Connect(i);
        let addr = self.targets[i].addr;
        self.targets[i].conn = cx.connect(addr, 0);
    }

    fn ask(&self, cx: &mut Cx<'_>, i: usize, words: &[&str]) {
        cx.send(self.targets[i].conn, Message::Request(request(words)));
    }

    fn print(&mut self, cx: &mut Cx<'_>, text: impl Into<Arc<str>>) {
        cx.emit(Fact::Printed { text: text.into() });
    }

    /// Begins a phase: sends its command, or goes on where there is none to send.
    fn enter(&mut self, cx: &mut Cx<'_>, phase: Phase) {
        self.phase = phase;
        let n = self.targets.len();
        match phase {
            Phase::Inspect(i, _) if i == n => {
                if self.allocate(cx) {
                    self.enter(cx, Phase::Assign(0));
                } else {
                    self.phase = Phase::Failed;
                }
            }
            Phase::Inspect(i, step) => {
                let words: &[&str] = match step {
                    0 | 2 => &["INFO"],
                    1 => &["CLUSTER", "NODES"],
                    _ => &["CLUSTER", "INFO"],
                };
                self.ask(cx, i, words);
            }
            Phase::Assign(i) if i == n => {
                self.print(cx, ">>> Nodes configuration updated");
                self.print(cx, ">>> Assign a different config epoch to each node");
                self.enter(cx, Phase::Epoch(0));
            }
            Phase::Assign(i) => match self.targets[i].master {
                None => {
                    let (a, b) = self.targets[i].slots;
                    let slots: Vec<String> = (a..=b).map(|s| s.to_string()).collect();
                    let mut words = vec!["CLUSTER", "ADDSLOTS"];
                    words.extend(slots.iter().map(String::as_str));
                    self.ask(cx, i, &words);
                }
                Some(m) => {
                    let id = self.targets[m].id.clone();
                    self.ask(cx, i, &["CLUSTER", "REPLICATE", &id]);
                }
            },
            Phase::Epoch(i) if i == n => {
                self.print(cx, ">>> Sending CLUSTER MEET messages to join the cluster");
                self.enter(cx, Phase::Meet(1));
            }
            Phase::Epoch(i) => {
                let epoch = (i + 1).to_string();
                self.ask(cx, i, &["cluster", "set-config-epoch", &epoch]);
            }
            Phase::Meet(i) if i >= n => {
                self.print(cx, "Waiting for the cluster to join");
                self.phase = Phase::Join(0);
                cx.arm(Timer::Tick(TICK), JOIN_POLL);
            }
            Phase::Meet(i) => {
                let first = self.targets[0].addr;
                self.ask(cx, i, &["cluster", "meet", &first.ip.to_string(), &first.port.to_string()]);
            }
            Phase::Join(i) if i == n => self.enter(cx, Phase::Replicate(0)),
            Phase::Join(i) => self.ask(cx, i, &["CLUSTER", "NODES"]),
            Phase::Replicate(i) if i == n => self.enter(cx, Phase::Check(0)),
            Phase::Replicate(i) => match self.targets[i].master.filter(|_| self.targets[i].dirty) {
                Some(m) => {
                    let id = self.targets[m].id.clone();
                    self.ask(cx, i, &["CLUSTER", "REPLICATE", &id]);
                }
                None => self.enter(cx, Phase::Replicate(i + 1)),
            },
            Phase::Check(i) if i == n => {
                self.print(cx, "[OK] All 16384 slots covered.");
                for i in 0..n {
                    cx.close(self.targets[i].conn);
                }
                self.phase = Phase::Done;
            }
            Phase::Check(i) => self.ask(cx, i, &["CLUSTER", "NODES"]),
            Phase::Connect(_) | Phase::Done | Phase::Failed => {}
        }
    }

    fn reply(&mut self, cx: &mut Cx<'_>, v: &Value) {
        let text = v.as_str().unwrap_or("").to_string();
        match self.phase {
            Phase::Inspect(i, 1) => {
                if let Some(line) = text.lines().find(|l| l.contains("myself")) {
                    self.targets[i].id = line.split(' ').next().unwrap_or("").to_string();
                }
                self.enter(cx, Phase::Inspect(i, 2));
            }
            Phase::Inspect(i, 3) => {
                let addr = self.targets[i].addr;
                if !text.contains("cluster_known_nodes:1\r") {
                    self.print(
                        cx,
                        format!(
                            "[ERR] Node {addr} is not empty. Either the node already knows other nodes (check \
                             with CLUSTER NODES) or contains some key in database 0."
                        ),
                    );
                    self.phase = Phase::Failed;
                    return;
                }
                self.enter(cx, Phase::Inspect(i + 1, 0));
            }
            Phase::Inspect(i, 0) if !text.contains("cluster_enabled:1") => {
                let addr = self.targets[i].addr;
                self.print(cx, format!("[ERR] Node {addr} is not configured as a cluster node."));
                self.phase = Phase::Failed;
            }
            Phase::Inspect(i, step) => self.enter(cx, Phase::Inspect(i, step + 1)),
            Phase::Assign(i) => {
                // A replica does not know its master yet: kept for later.
                self.targets[i].dirty = v.is_error();
                self.enter(cx, Phase::Assign(i + 1));
            }
            Phase::Epoch(i) => self.enter(cx, Phase::Epoch(i + 1)),
            Phase::Meet(i) => self.enter(cx, Phase::Meet(i + 1)),
            Phase::Join(i) => {
                let view = signature(&text);
                let same = !view.is_empty() && self.views.first().is_none_or(|f| *f == view);
                self.views.push(view);
                if same {
                    self.enter(cx, Phase::Join(i + 1));
                } else {
                    cx.arm(Timer::Tick(TICK), JOIN_POLL);
                }
            }
            Phase::Replicate(i) => self.enter(cx, Phase::Replicate(i + 1)),
            Phase::Check(i) => self.enter(cx, Phase::Check(i + 1)),
            Phase::Connect(_) | Phase::Done | Phase::Failed => {}
        }
    }

    // ---- the allocation -------------------------------------------------------------------------

    /// Who becomes a master, who follows whom. False, with the reason printed, if it cannot be.
    fn allocate(&mut self, cx: &mut Cx<'_>) -> bool {
        let n = self.targets.len();
        let r = self.replicas as usize;
        let masters = n / (r + 1);
        if masters < 3 {
            self.print(cx, "*** ERROR: Invalid configuration for cluster creation.");
            self.print(cx, "*** Redis Cluster requires at least 3 master nodes.");
            self.print(cx, format!("*** This is not possible with {n} nodes and {r} replicas per node."));
            self.print(cx, format!("*** At least {} nodes are required.", 3 * (r + 1)));
            return false;
        }
        self.print(cx, format!(">>> Performing hash slots allocation on {n} nodes..."));
        let order = self.interleave();
        for (i, &t) in order[..masters].iter().enumerate() {
            let slots = master_range(i as u32, masters as u32);
            self.targets[t].slots = slots;
            self.print(cx, format!("Master[{i}] -> Slots {} - {}", slots.0, slots.1));
        }
        let mut left: VecDeque<usize> = order[masters..].iter().copied().collect();
        if !left.is_empty() {
            left.rotate_left(1);
        }
        let mut extra = false;
        while !left.is_empty() {
            if extra {
                self.print(cx, "Adding extra replicas...");
            }
            for &m in &order[..masters] {
                for _ in 0..if extra { 1 } else { r } {
                    let ip = self.targets[m].addr.ip;
                    let elsewhere = left.iter().position(|&t| self.targets[t].addr.ip != ip);
                    let Some(t) = left.remove(elsewhere.unwrap_or(0)) else { break };
                    self.targets[t].master = Some(m);
                    let (a, b) = (self.targets[t].addr, self.targets[m].addr);
                    self.print(cx, format!("Adding replica {a} to {b}"));
                }
            }
            if extra {
                break;
            }
            extra = true;
        }
        self.spread(cx, &order[..masters]);
        true
    }

    /// One node of each host in turn, hosts in order of appearance.
    fn interleave(&self) -> Vec<usize> {
        let mut hosts: Vec<(std::net::Ipv4Addr, VecDeque<usize>)> = Vec::new();
        for (i, t) in self.targets.iter().enumerate() {
            match hosts.iter_mut().find(|(ip, _)| *ip == t.addr.ip) {
                Some((_, list)) => list.push_back(i),
                None => hosts.push((t.addr.ip, VecDeque::from([i]))),
            }
        }
        let mut out = Vec::new();
        while out.len() < self.targets.len() {
            for (_, list) in &mut hosts {
                out.extend(list.pop_front());
            }
        }
        out
    }

    /// How badly members of one shard share hosts.
    ///
    /// redis: clusterManagerGetAntiAffinityScore @7.0.15
    fn score(&self, masters: &[usize]) -> (u64, Vec<usize>) {
        let mut score = 0;
        let mut offenders = Vec::new();
        for &m in masters {
            let shard: Vec<usize> = std::iter::once(m)
                .chain((0..self.targets.len()).filter(|&t| self.targets[t].master == Some(m)))
                .collect();
            let mut ips: Vec<_> = shard.iter().map(|&t| self.targets[t].addr.ip).collect();
            ips.sort();
            ips.dedup();
            for ip in ips {
                let here: Vec<usize> =
                    shard.iter().copied().filter(|&t| self.targets[t].addr.ip == ip).collect();
                if here.len() < 2 {
                    continue;
                }
                score += if here.contains(&m) { 10_000 * (here.len() as u64 - 1) } else { here.len() as u64 };
                offenders.extend(here.iter().find(|&&t| t != m));
            }
        }
        (score, offenders)
    }

    /// A random walk that swaps replicas until no shard has two members on one host.
    ///
    /// redis: clusterManagerOptimizeAntiAffinity @7.0.15
    ///
    /// deviates: at most 4,000 steps; Redis takes 500 times the number of nodes.
    fn spread(&mut self, cx: &mut Cx<'_>, masters: &[usize]) {
        let (mut score, mut offenders) = self.score(masters);
        if score == 0 {
            return;
        }
        self.print(cx, ">>> Trying to optimize slaves allocation for anti-affinity");
        let mut rng: Rng = cx.stream("anti-affinity");
        let replicas: Vec<usize> =
            (0..self.targets.len()).filter(|&t| self.targets[t].master.is_some()).collect();
        // On a single host it never improves: the walk is a shuffle and needs no more steps than mix it.
        let steps = (500 * self.targets.len()).min(4000);
        for _ in 0..steps {
            if score == 0 || offenders.is_empty() || replicas.len() < 2 {
                break;
            }
            let first = offenders[rng.below(offenders.len() as u32) as usize];
            let others: Vec<usize> = replicas.iter().copied().filter(|&t| t != first).collect();
            let second = others[rng.below(others.len() as u32) as usize];
            self.swap_masters(first, second);
            let (new, off) = self.score(masters);
            if new > score {
                self.swap_masters(first, second);
            } else {
                (score, offenders) = (new, off);
            }
        }
        let text = match score {
            0 => "[OK] Perfect anti-affinity obtained!",
            s if s >= 10_000 => "[WARNING] Some slaves are in the same host as their master",
            _ => "[WARNING] Some slaves of the same master are in the same host",
        };
        self.print(cx, text);
    }

    fn swap_masters(&mut self, a: usize, b: usize) {
        let (ma, mb) = (self.targets[a].master, self.targets[b].master);
        self.targets[a].master = mb;
        self.targets[b].master = ma;
    }
}

/// The slots that master `i` of `masters` gets, in integers: Redis adds 16384/masters to a float
/// cursor and rounds half away from zero.
pub fn master_range(i: u32, masters: u32) -> (u16, u16) {
    use crate::slot::SLOTS;
    let (n, slots) = (u64::from(masters), u64::from(SLOTS));
    let round = |num: u64| ((2 * num + n) / (2 * n)) as u16;
    let last = |k: u64| if k + 1 == n { SLOTS - 1 } else { round(slots * (k + 1) - n) };
    let i = u64::from(i);
    (if i == 0 { 0 } else { last(i - 1) + 1 }, last(i))
}

/// Who owns what according to a CLUSTER NODES reply; empty if nobody owns anything.
///
/// redis: clusterManagerGetConfigSignature @7.0.15
fn signature(nodes: &str) -> String {
    let mut parts: Vec<String> = nodes
        .lines()
        .filter_map(|l| {
            let f: Vec<&str> = l.split(' ').collect();
            let mut slots: Vec<&str> = f.get(8..)?.iter().copied().filter(|s| !s.starts_with('[')).collect();
            slots.sort_unstable();
            (!slots.is_empty()).then(|| format!("{}:{}", f[0], slots.join(",")))
        })
        .collect();
    parts.sort();
    parts.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_masters_share_the_slots_as_redis_cli_does() {
        let r: Vec<_> = (0..3).map(|i| master_range(i, 3)).collect();
        assert_eq!(r, [(0, 5460), (5461, 10922), (10923, 16383)]);
        assert_eq!(master_range(0, 1), (0, 16383));
    }
}
