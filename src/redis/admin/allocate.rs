//! The layout of a new cluster: which nodes become masters, with which slots, and who follows whom.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::super::Cx;
use super::tool::Tool;
use crate::base::Rng;
use crate::slot::{SLOTS, SlotSet};

/// A layout in the making; nodes by their place in the list.
struct Layout {
    ips: Vec<Ipv4Addr>,
    /// Whom each node follows.
    master: Vec<Option<usize>>,
}

/// A node by the place of its shard, its host, whether it follows, and its place in the list.
type Member = (usize, u32, bool, usize);

/// Decides the roles of all nodes of the list and prints them. False, with the reason printed, if there
/// are too few.
///
/// redis: redis-cli.c clusterManagerCommandCreate @7.0.15
pub(super) fn allocate(t: &mut Tool, cx: &mut Cx<'_>) -> bool {
    let (n, r) = (t.list.len(), t.options.replicas as usize);
    let masters = n / (r + 1);
    if masters < 3 {
        t.say(cx, "*** ERROR: Invalid configuration for cluster creation.");
        t.say(cx, "*** Redis Cluster requires at least 3 master nodes.");
        t.say(cx, format!("*** This is not possible with {n} nodes and {r} replicas per node."));
        t.say(cx, format!("*** At least {} nodes are required.", 3 * (r + 1)));
        return false;
    }
    t.say(cx, format!(">>> Performing hash slots allocation on {n} nodes..."));
    let ips = t.list.iter().map(|&node| t.nodes[node].addr.ip).collect();
    let mut layout = Layout { ips, master: vec![None; n] };
    let order = layout.interleave();
    for (i, &m) in order[..masters].iter().enumerate() {
        let (first, last) = master_range(i as u32, masters as u32);
        let node = &mut t.nodes[t.list[m]];
        node.slots = SlotSet::from_range(first..=last);
        node.slots_count = last - first + 1;
        node.dirty = true;
        t.say(cx, format!("Master[{i}] -> Slots {first} - {last}"));
    }
    let mut left: VecDeque<usize> = order[masters..].iter().copied().collect();
    if !left.is_empty() {
        left.rotate_left(1);
    }
    layout.follow(t, cx, &order[..masters], &mut left, r);
    if !left.is_empty() {
        t.say(cx, "Adding extra replicas...");
        layout.follow(t, cx, &order[..masters], &mut left, 1);
    }
    layout.spread(t, cx, &order[..masters]);
    for (i, master) in layout.master.iter().enumerate() {
        if let Some(m) = master {
            let id = t.nodes[t.list[*m]].id.clone();
            let node = &mut t.nodes[t.list[i]];
            node.replicate = Some(id);
            node.dirty = true;
        }
    }
    true
}

impl Layout {
    /// One node of each host in turn, hosts in order of appearance.
    fn interleave(&self) -> Vec<usize> {
        let mut hosts: Vec<(Ipv4Addr, VecDeque<usize>)> = Vec::new();
        for (i, ip) in self.ips.iter().enumerate() {
            match hosts.iter_mut().find(|(known, _)| known == ip) {
                Some((_, list)) => list.push_back(i),
                None => hosts.push((*ip, VecDeque::from([i]))),
            }
        }
        let mut out = Vec::new();
        while out.len() < self.ips.len() {
            for (_, list) in &mut hosts {
                out.extend(list.pop_front());
            }
        }
        out
    }

    /// Each master in turn gets `count` of those left, from another host if there is one.
    fn follow(
        &mut self,
        t: &mut Tool,
        cx: &mut Cx<'_>,
        masters: &[usize],
        left: &mut VecDeque<usize>,
        count: usize,
    ) {
        for &m in masters {
            for _ in 0..count {
                let elsewhere = left.iter().position(|&i| self.ips[i] != self.ips[m]);
                let Some(i) = left.remove(elsewhere.unwrap_or(0)) else { break };
                self.master[i] = Some(m);
                let (a, b) = (t.addr(t.list[i]), t.addr(t.list[m]));
                t.say(cx, format!("Adding replica {a} to {b}"));
            }
        }
    }

    /// How badly members of one shard share hosts, and a replica of each group that does.
    ///
    /// redis: redis-cli.c clusterManagerGetAntiAffinityScore @7.0.15
    fn score(&self, masters: &[usize], rank: &[usize], members: &mut Vec<Member>) -> (u64, Vec<usize>) {
        // Shard by shard, host by host, the master first.
        let followers =
            (0..self.ips.len()).filter_map(|i| Some((rank[self.master[i]?], self.ips[i].to_bits(), true, i)));
        let leaders = masters.iter().enumerate().map(|(k, &m)| (k, self.ips[m].to_bits(), false, m));
        members.clear();
        members.extend(leaders.chain(followers));
        members.sort_unstable();
        let (mut score, mut offenders) = (0, Vec::new());
        for here in members.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter(|here| here.len() > 1) {
            let others = here.len() as u64 - 1;
            score += if here[0].2 { others + 1 } else { 10_000 * others };
            offenders.extend(here.iter().find(|member| member.2).map(|member| member.3));
        }
        (score, offenders)
    }

    /// A random walk that swaps replicas until no shard has two members on one host.
    ///
    /// redis: redis-cli.c clusterManagerOptimizeAntiAffinity @7.0.15
    ///
    /// deviates: at most 4,000 steps; Redis takes 500 times the number of nodes.
    fn spread(&mut self, t: &mut Tool, cx: &mut Cx<'_>, masters: &[usize]) {
        let mut rank = vec![usize::MAX; self.ips.len()];
        masters.iter().enumerate().for_each(|(k, &m)| rank[m] = k);
        let mut members = Vec::new();
        let (mut score, mut offenders) = self.score(masters, &rank, &mut members);
        if score == 0 {
            return;
        }
        t.say(cx, ">>> Trying to optimize slaves allocation for anti-affinity");
        let mut rng: Rng = cx.stream("anti-affinity");
        let replicas: Vec<usize> = (0..self.ips.len()).filter(|&i| self.master[i].is_some()).collect();
        // On a single host it never improves: the walk is a shuffle and needs no more steps than mix it.
        let steps = (500 * self.ips.len()).min(4000);
        for _ in 0..steps {
            if score == 0 || offenders.is_empty() || replicas.len() < 2 {
                break;
            }
            let first = offenders[rng.below(offenders.len() as u32) as usize];
            // One of the others.
            let second = rng.below(replicas.len() as u32 - 1) as usize;
            let second = replicas[second + usize::from(replicas[second] >= first)];
            self.master.swap(first, second);
            let (new, off) = self.score(masters, &rank, &mut members);
            if new > score {
                self.master.swap(first, second);
            } else {
                (score, offenders) = (new, off);
            }
        }
        let text = match score {
            0 => "[OK] Perfect anti-affinity obtained!",
            s if s >= 10_000 => "[WARNING] Some slaves are in the same host as their master",
            _ => "[WARNING] Some slaves of the same master are in the same host",
        };
        t.say(cx, text);
    }
}

/// The slots that master `i` of `masters` gets, in integers: Redis adds 16384/masters to a float
/// cursor and rounds half away from zero.
pub fn master_range(i: u32, masters: u32) -> (u16, u16) {
    let (n, slots) = (u64::from(masters), u64::from(SLOTS));
    let round = |num: u64| ((2 * num + n) / (2 * n)) as u16;
    let last = |k: u64| if k + 1 == n { SLOTS - 1 } else { round(slots * (k + 1) - n) };
    let i = u64::from(i);
    (if i == 0 { 0 } else { last(i - 1) + 1 }, last(i))
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
