//! What a placement of sentinels on hosts can bear: which losses of hosts still detect that the master is down
//! (quorum), and which still authorise a failover (majority).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::world::plan::{NodeSpec, Plan};

/// With more hosts than this only losses of one and two are listed.
const ALL_SUBSETS: usize = 5;

/// One monitored master, and where its sentinels run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placement {
    pub group: String,
    pub sentinels: usize,
    pub quorum: usize,
    /// Votes that a leader needs: the majority of all known sentinels, or the quorum if that is more.
    pub needed: usize,
    /// Hosts and what runs on each.
    pub hosts: Vec<(String, Vec<String>)>,
    /// By number of lost hosts, none first.
    pub rows: Vec<Row>,
}

/// What is left after hosts are lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub lost: Vec<String>,
    pub sentinels_left: usize,
    /// Enough sentinels are left to agree that the master is down.
    pub detects: bool,
    /// Enough are left to elect one of them.
    pub authorises: bool,
    /// The master is on a lost host, and there is something to fail over.
    pub master_lost: bool,
    pub replicas_left: usize,
}

impl Row {
    /// What it comes to.
    pub fn verdict(&self) -> &'static str {
        match (self.detects && self.authorises, self.master_lost, self.replicas_left) {
            (_, true, 0) => "nobody is left to promote",
            (true, true, _) => "a failover follows",
            (true, false, _) => "the master goes on, and could be failed over",
            (false, true, _) => "no master, and no failover",
            (false, false, _) => "the master goes on, but could not be failed over",
        }
    }
}

/// The truth table of each monitored master, as the plan places it.
pub fn placements(plan: &Plan) -> Vec<Placement> {
    let mut groups: BTreeMap<&str, Vec<(&NodeSpec, usize)>> = BTreeMap::new();
    for n in &plan.nodes {
        for m in n.sentinel.iter().flat_map(|s| &s.masters) {
            groups.entry(&m.name).or_default().push((n, usize::try_from(m.quorum).unwrap_or(usize::MAX)));
        }
    }
    groups.into_iter().map(|(name, watching)| placement(plan, name, &watching)).collect()
}

fn host_of(n: &NodeSpec) -> &str {
    n.place.host.as_deref().unwrap_or(&n.name)
}

fn placement(plan: &Plan, group: &str, watching: &[(&NodeSpec, usize)]) -> Placement {
    let monitored = watching[0].0.sentinel.iter().flat_map(|s| &s.masters).find(|m| m.name == group);
    let is_master = |n: &&NodeSpec| {
        monitored.is_some_and(|m| m.port == n.conf.port && (m.host == n.ip.to_string() || m.host == n.name))
    };
    let data = || plan.nodes.iter().filter(|n| n.sentinel.is_none());
    let master = data().find(is_master);
    // All that follow the master, directly or through others.
    let mut followers: Vec<&NodeSpec> = Vec::new();
    let mut above: Vec<&NodeSpec> = master.into_iter().collect();
    while let Some(m) = above.pop() {
        let follows = |n: &&NodeSpec| {
            let of = n.conf.replicaof.as_ref();
            of.is_some_and(|r| r.port == m.conf.port && (r.host == m.ip.to_string() || r.host == m.name))
        };
        let new: Vec<&NodeSpec> =
            data().filter(follows).filter(|n| !followers.iter().any(|f| f.name == n.name)).collect();
        above.extend(&new);
        followers.extend(new);
    }
    // Each sentinel has a quorum of its own; the greatest must be reached for all to agree.
    let quorum = watching.iter().map(|w| w.1).max().unwrap_or(1);
    let sentinels = watching.len();
    let needed = (sentinels / 2 + 1).max(quorum);
    let mut hosts: Vec<(String, Vec<String>)> = Vec::new();
    for n in master.into_iter().chain(followers.iter().copied()).chain(watching.iter().map(|w| w.0)) {
        match hosts.iter_mut().find(|(h, _)| h == host_of(n)) {
            Some((_, all)) => all.push(n.name.clone()),
            None => hosts.push((host_of(n).to_string(), vec![n.name.clone()])),
        }
    }
    let row = |lost: Vec<&str>| {
        let gone = |n: &NodeSpec| lost.contains(&host_of(n));
        let sentinels_left = watching.iter().filter(|w| !gone(w.0)).count();
        Row {
            sentinels_left,
            detects: sentinels_left >= quorum,
            authorises: sentinels_left >= needed,
            master_lost: master.is_some_and(gone),
            replicas_left: followers.iter().filter(|n| !gone(n)).count(),
            lost: lost.iter().map(|h| h.to_string()).collect(),
        }
    };
    let names: Vec<&str> = hosts.iter().map(|(h, _)| h.as_str()).collect();
    let most = if names.len() <= ALL_SUBSETS { names.len() } else { 2 };
    let mut rows = Vec::new();
    for count in 0..=most {
        subsets(&names, count, &mut |lost| rows.push(row(lost.to_vec())));
    }
    Placement { group: group.to_string(), sentinels, quorum, needed, hosts, rows }
}

/// All choices of `count` of the names, in their order.
fn subsets<'a>(names: &[&'a str], count: usize, take: &mut dyn FnMut(&[&'a str])) {
    fn go<'a>(names: &[&'a str], count: usize, chosen: &mut Vec<&'a str>, take: &mut dyn FnMut(&[&'a str])) {
        if count == 0 {
            take(chosen);
            return;
        }
        for i in 0..names.len() {
            chosen.push(names[i]);
            go(&names[i + 1..], count - 1, chosen, take);
            chosen.pop();
        }
    }
    go(names, count, &mut Vec::new(), take);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_choices_come_once_and_in_order() {
        let mut seen = Vec::new();
        subsets(&["a", "b", "c"], 2, &mut |s| seen.push(s.join("")));
        assert_eq!(seen, ["ab", "ac", "bc"]);
        let mut none = 0;
        subsets(&["a"], 0, &mut |_| none += 1);
        assert_eq!(none, 1);
    }
}
