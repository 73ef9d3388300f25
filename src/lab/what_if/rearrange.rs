//! The fewest changes to a deployment of Sentinel that take fatal single losses away: the search is that of
//! [`super::moves`], what can be changed is more. A sentinel or a replica moves to another host (its successor is
//! started there and it is stopped), one is added, the master changes places with a replica, dead sentinels are
//! forgotten, the quorum is lowered to a majority, a replica may be promoted.
//!
//! Places are those that the map has, and a host that nothing runs on yet.

use super::Class;
use super::layout::Place;
use super::moves::greedy;
use super::sentinels::{ASKED, Part, Process, Watch};

/// What is called a host that the map does not have.
pub const NEW_HOST: &str = "another host";
/// The priority of a replica unless its file says another, and that of the one that is to be promoted.
const USUAL_PRIORITY: u32 = 100;
const FIRST_PRIORITY: u32 = 1;

/// One change. Processes are numbered as in the deployment that it is made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// SENTINEL RESET: sentinels that are down no longer count.
    Forget,
    /// SENTINEL SET quorum.
    Quorum(usize),
    /// CONFIG SET replica-priority: this replica may be promoted.
    Allow(usize),
    /// SENTINEL FAILOVER: this replica becomes the master.
    Failover(usize),
    /// A replica or a sentinel goes to another place.
    Go(usize, Place),
    /// A sentinel or a replica more.
    Add(Part, Place),
}

/// Changes that take fatal losses of single units away, and the deployment after them.
pub fn repair(watch: &Watch, most: usize) -> (Vec<Change>, Watch) {
    greedy(watch, most, &cost, &candidates, &Change::apply)
}

/// Fatal single losses.
fn cost(w: &Watch) -> (usize, u64) {
    (w.units().iter().filter(|u| w.judge(&u.nodes).class == Class::Fatal).count(), 0)
}

/// Single changes, the easiest first; then two that go together.
fn candidates(w: &Watch) -> Vec<Vec<Change>> {
    let mut places: Vec<Place> = Vec::new();
    // Where the sentinel runs that was asked is not known without a map, nor can anything be moved there.
    for p in w.processes.iter().filter(|p| p.host != ASKED) {
        let at = Place { host: p.host.clone(), rack: p.rack.clone(), zone: p.zone.clone() };
        if !places.contains(&at) {
            places.push(at);
        }
    }
    if !places.iter().any(|p| p.host == NEW_HOST) {
        places.push(Place { host: NEW_HOST.into(), ..Place::default() });
    }
    let up =
        |part| (0..w.processes.len()).filter(move |&i| w.processes[i].part == part && !w.processes[i].down);
    let mut out: Vec<Vec<Change>> = Vec::new();
    if w.processes.iter().any(|p| p.part == Part::Sentinel && p.down) {
        out.push(vec![Change::Forget]);
    }
    let majority = w.processes.iter().filter(|p| p.part == Part::Sentinel).count() / 2 + 1;
    if w.quorum > majority {
        out.push(vec![Change::Quorum(majority)]);
    }
    out.extend(up(Part::Replica).filter(|&i| w.processes[i].priority == 0).map(|i| vec![Change::Allow(i)]));
    let heirs = up(Part::Replica).filter(|&i| w.processes[i].priority > 0);
    out.extend(heirs.map(|i| vec![Change::Failover(i)]));
    let elsewhere = |i: usize| places.iter().filter(move |at| at.host != w.processes[i].host);
    for part in [Part::Sentinel, Part::Replica] {
        out.extend(up(part).flat_map(|i| elsewhere(i).map(move |at| vec![Change::Go(i, at.clone())])));
    }
    for part in [Part::Sentinel, Part::Replica] {
        out.extend(places.iter().map(|at| vec![Change::Add(part, at.clone())]));
    }
    let alone: Vec<Change> = out.iter().flatten().filter(|c| **c != Change::Forget).cloned().collect();
    // A replica goes elsewhere and becomes the master there.
    out.extend(alone.iter().filter_map(|c| match c {
        Change::Go(i, _) if w.processes[*i].part == Part::Replica && w.processes[*i].priority > 0 => {
            Some(vec![c.clone(), Change::Failover(*i)])
        }
        _ => None,
    }));
    for (i, a) in alone.iter().enumerate() {
        out.extend(alone[i + 1..].iter().filter(|b| !a.same_process(b)).map(|b| vec![a.clone(), b.clone()]));
    }
    out
}

impl Change {
    /// Whether both are about one process.
    fn same_process(&self, other: &Change) -> bool {
        let about = |c: &Change| match c {
            Change::Allow(i) | Change::Failover(i) | Change::Go(i, _) => Some(*i),
            _ => None,
        };
        about(self).is_some() && about(self) == about(other)
    }

    fn apply(&self, w: &mut Watch) {
        match self {
            Change::Forget => w.processes.retain(|p| p.part != Part::Sentinel || !p.down),
            Change::Quorum(n) => w.quorum = *n,
            Change::Allow(i) => w.processes[*i].priority = USUAL_PRIORITY,
            Change::Failover(i) => {
                for p in w.processes.iter_mut().filter(|p| p.part == Part::Master) {
                    p.part = Part::Replica;
                }
                (w.processes[*i].part, w.processes[*i].priority) = (Part::Master, FIRST_PRIORITY);
            }
            Change::Go(i, at) => {
                let p = &mut w.processes[*i];
                p.addr = newcomer(p.part, &at.host);
                (p.host, p.rack, p.zone) = (at.host.clone(), at.rack.clone(), at.zone.clone());
            }
            Change::Add(part, at) => w.processes.push(Process {
                part: *part,
                addr: newcomer(*part, &at.host),
                down: false,
                priority: USUAL_PRIORITY,
                host: at.host.clone(),
                rack: at.rack.clone(),
                zone: at.zone.clone(),
            }),
        }
    }

    /// What one does, a line each: commands as one would type them.
    fn lines(&self, w: &Watch) -> Vec<String> {
        let name = &w.name;
        let ask = |p: &Process, words: &str| match p.addr.rsplit_once(':') {
            Some((ip, port)) => format!("redis-cli -h {ip} -p {port} {words}"),
            None if p.addr == ASKED => format!("on the sentinel that was asked: {words}"),
            None => format!("on the {}: {words}", p.addr),
        };
        // Every sentinel that runs, but the one that goes.
        let tell = |but: Option<usize>, words: &str| -> Vec<String> {
            let here = |i: &usize| {
                w.processes[*i].part == Part::Sentinel && !w.processes[*i].down && Some(*i) != but
            };
            (0..w.processes.len()).filter(here).map(|i| ask(&w.processes[i], words)).collect()
        };
        let master = w.processes.iter().find(|p| p.part == Part::Master);
        let (ip, port) = master.and_then(|p| p.addr.rsplit_once(':')).unwrap_or(("MASTER", "6379"));
        let start = |part: Part, host: &str| match part {
            Part::Sentinel => {
                format!("on {host}: start a sentinel with `sentinel monitor {name} {ip} {port} {}`", w.quorum)
            }
            _ => format!("on {host}: start a redis-server with `replicaof {ip} {port}`"),
        };
        match self {
            Change::Forget => tell(None, &format!("sentinel reset {name}")),
            Change::Quorum(n) => tell(None, &format!("sentinel set {name} quorum {n}")),
            Change::Allow(i) => {
                vec![ask(&w.processes[*i], &format!("config set replica-priority {USUAL_PRIORITY}"))]
            }
            Change::Failover(i) => {
                let mut out =
                    vec![ask(&w.processes[*i], &format!("config set replica-priority {FIRST_PRIORITY}"))];
                // The sentinels read the priority with their next INFO, 10 s later at most.
                out.extend(tell(None, &format!("sentinel failover {name}")).into_iter().take(1));
                out
            }
            Change::Go(i, at) => {
                let p = &w.processes[*i];
                let mut out = vec![start(p.part, &at.host), ask(p, "shutdown")];
                out.extend(tell(Some(*i), &format!("sentinel reset {name}")));
                out
            }
            Change::Add(part, at) => vec![start(*part, &at.host)],
        }
    }
}

/// What is called a process that does not run yet.
fn newcomer(part: Part, host: &str) -> String {
    let what = if part == Part::Sentinel { "sentinel" } else { "replica" };
    format!("new {what} on {host}")
}

/// The changes as one would make them, in order.
pub fn commands(watch: &Watch, changes: &[Change]) -> Vec<String> {
    let mut w = watch.clone();
    let mut out = Vec::new();
    for c in changes {
        out.extend(c.lines(&w));
        c.apply(&mut w);
    }
    out
}

/// Loses every single unit of the deployment after the changes that was fatal before, in the simulator: how many
/// those are, and after how many of them a master takes writes.
pub fn prove(before: &Watch, after: &Watch, seed: u64) -> (usize, usize) {
    let fatal: Vec<_> =
        before.units().into_iter().filter(|u| before.judge(&u.nodes).class == Class::Fatal).collect();
    let again = after.units().into_iter().filter(|u| {
        fatal.iter().any(|f| (f.kind, &f.name) == (u.kind, &u.name))
            && after.judge(&u.nodes).class != Class::Fatal
    });
    let again: Vec<_> = again.collect();
    let served = again.iter().filter(|u| after.outage(&u.nodes, seed).is_some()).count();
    (again.len(), served)
}

#[cfg(test)]
mod tests {
    use super::super::sentinels::tests::text;
    use super::*;

    fn placed(map: &str) -> Watch {
        let mut w = Watch::read("s", &text()).unwrap();
        w.place("map", map).unwrap();
        w
    }

    const SPREAD: &str = "10.0.0.1 a\n10.0.0.2 b\n10.0.0.3 c\nasked c\n";

    #[test]
    fn what_is_well_spread_is_left() {
        let w = placed(SPREAD);
        assert_eq!((cost(&w).0, repair(&w, 5).0), (0, vec![]));
    }

    #[test]
    fn a_host_with_the_master_and_a_majority_is_relieved() {
        // 10.0.0.1 has the master and a sentinel; the sentinel that was asked is there too.
        let w = placed(&SPREAD.replace("asked c", "asked a"));
        let (changes, after) = repair(&w, 5);
        assert!(cost(&w).0 > 0 && cost(&after).0 == 0, "{changes:?}");
        assert_eq!(changes, [Change::Failover(1)]);
        let told = commands(&w, &changes);
        assert_eq!(told[0], "redis-cli -h 10.0.0.2 -p 6379 config set replica-priority 1");
        assert!(told[1].ends_with("sentinel failover mymaster"), "{told:?}");
        assert_eq!(prove(&w, &after, 1), (1, 1));
    }

    #[test]
    fn everything_on_one_host_needs_another() {
        let w = placed("10.0.0.1 a\n10.0.0.2 a\n10.0.0.3 a\nasked a\n");
        let (changes, after) = repair(&w, 6);
        assert_eq!(cost(&after).0, 0, "{changes:?}");
        let told = commands(&w, &changes).join("\n");
        assert!(told.contains("on another host: start a"), "{told}");
        let (lost, served) = prove(&w, &after, 1);
        assert!(lost > 0 && served == lost, "{served} of {lost}");
    }

    #[test]
    fn a_quorum_that_is_too_high_is_lowered() {
        let mut w = placed(SPREAD);
        w.quorum = 3;
        let (changes, after) = repair(&w, 5);
        assert_eq!(changes, [Change::Quorum(2)]);
        let told = commands(&w, &changes);
        assert!(told.len() == 3 && told[0].ends_with("sentinel set mymaster quorum 2"), "{told:?}");
        let (lost, served) = prove(&w, &after, 1);
        assert!(lost > 0 && served == lost, "{served} of {lost}");
    }

    #[test]
    fn a_replica_that_may_not_be_promoted_is_allowed_to() {
        let mut w = placed(SPREAD);
        w.processes.remove(1);
        let (changes, after) = repair(&w, 5);
        assert_eq!(changes, [Change::Allow(1)]);
        assert_eq!(commands(&w, &changes), ["redis-cli -h 10.0.0.3 -p 6379 config set replica-priority 100"]);
        let (lost, served) = prove(&w, &after, 1);
        assert!(lost > 0 && served == lost, "{served} of {lost}");
    }

    #[test]
    fn dead_sentinels_are_forgotten() {
        let mut w = placed(SPREAD);
        let dead = Process { down: true, host: "gone".into(), ..w.processes[3].clone() };
        for k in 0..2 {
            w.processes.push(Process { addr: format!("10.0.9.{k}:26379"), ..dead.clone() });
        }
        // Five are known, three live: with the master's host one more goes, and three votes are needed.
        let (changes, after) = repair(&w, 5);
        assert_eq!(changes, [Change::Forget]);
        assert_eq!(after.processes.len(), 6);
        let told = commands(&w, &changes);
        assert!(told.len() == 3 && told[0].ends_with("sentinel reset mymaster"), "{told:?}");
        let (lost, served) = prove(&w, &after, 1);
        assert!(lost > 0 && served == lost, "{served} of {lost}");
    }
}
