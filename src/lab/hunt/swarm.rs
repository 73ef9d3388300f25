//! The faults of a seed: a swarm draws about half of the kinds that fit, so that seeds differ in what they try,
//! and of those between one and a dozen, at random times on random targets. All from one stream of the seed.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Dur, Rng};
use crate::redis::admin::master_range;
use crate::redis::client::ClientSpec;
use crate::slot::key_slot;
use crate::world::plan::{Action, Formation, NodeSpec, Plan, Step};

/// A kind of fault.
#[derive(Debug)]
pub struct Fault {
    pub name: &'static str,
    /// One sentence for people.
    pub doc: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kill,
    Restart,
    RestartEmpty,
    Pause,
    Cut,
    Slow,
    Clock,
    Busy,
    Failover,
    Force,
    MoveSlot,
    SentinelFailover,
}

macro_rules! faults {
    ($($kind:ident $name:literal $doc:literal)*) => {
        &[$(Fault { name: $name, doc: $doc, kind: Kind::$kind },)*]
    };
}

/// Every kind.
pub const FAULTS: &[Fault] = faults! {
    Kill "kill" "kill -9 of a node, which is mostly started again up to 15 s later."
    Restart "restart" "kill -9 of a node, and started again at once."
    RestartEmpty "restart-empty" "The same, and the disk is empty. Without a cluster only."
    Pause "pause" "SIGSTOP of a node, and SIGCONT up to 15 s later."
    Cut "cut" "The network is cut in two, in both directions or in one, and mostly healed up to 15 s later."
    Slow "slow" "Packets between a node and all others take up to 2 s longer, for up to 15 s."
    Clock "clock" "The clock of a node jumps by up to a minute, forward or back."
    Busy "busy" "The event loop of a node stands still for up to 10 s."
    Failover "failover" "CLUSTER FAILOVER is sent to a node."
    Force "force" "CLUSTER FAILOVER FORCE is sent to a node."
    MoveSlot "move-slot" "Some of the commands that move a slot from its owner to another master, or leave it there after all, in any order: CLUSTER SETSLOT with IMPORTING, MIGRATING, NODE and STABLE. No key is moved."
    SentinelFailover "sentinel-failover" "SENTINEL FAILOVER is sent to a sentinel."
};

/// Most faults of a seed.
const MOST: u32 = 12;
/// Nothing lasts longer, unless it lasts until the end.
const LONGEST_MS: u32 = 15_000;

impl Fault {
    fn fits(&self, plan: &Plan) -> bool {
        let clustered = plan.nodes.iter().any(|n| n.conf.cluster_enabled);
        match self.kind {
            Kind::RestartEmpty => !clustered,
            Kind::Failover | Kind::Force => clustered,
            Kind::MoveSlot => masters(plan) >= 2,
            Kind::SentinelFailover => plan.nodes.iter().any(|n| n.sentinel.is_some()),
            Kind::Cut | Kind::Slow => plan.nodes.len() > 1,
            _ => true,
        }
    }
}

/// The kinds of these names, or all that fit the deployment.
///
/// # Errors
/// A name that is no fault's, or of one that does not fit; nothing fits.
pub(super) fn fitting(plan: &Plan, names: &[String]) -> Result<Vec<&'static Fault>, String> {
    let mut found: Vec<&'static Fault> = Vec::new();
    for name in names {
        let Some(fault) = FAULTS.iter().find(|f| f.name == name) else {
            let near = crate::params::nearest(name, FAULTS.iter().map(|f| f.name));
            let help = near.map_or_else(
                || format!("; there are {}", FAULTS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")),
                |n| format!("; did you mean `{n}`?"),
            );
            return Err(format!("there is no fault `{name}`{help}"));
        };
        if !fault.fits(plan) {
            return Err(format!("the fault `{name}` does not fit this deployment: {}", fault.doc));
        }
        found.push(fault);
    }
    if names.is_empty() {
        found = FAULTS.iter().filter(|f| f.fits(plan)).collect();
    }
    if plan.nodes.is_empty() || found.is_empty() {
        return Err("no fault fits this deployment".into());
    }
    Ok(found)
}

/// What a seed does between `begin` and `begin + window`, in order of time.
pub(super) fn draw(plan: &Plan, faults: &[&'static Fault], seed: u64, begin: Dur, window: Dur) -> Vec<Step> {
    let mut d = Draw { plan, rng: Rng::named(seed, "swarm"), begin, end: begin + window, steps: Vec::new() };
    let mut kinds: Vec<Kind> = faults.iter().filter(|_| d.one_in(2)).map(|f| f.kind).collect();
    if kinds.is_empty() {
        let k = d.rng.below(faults.len() as u32);
        kinds.push(faults[k as usize].kind);
    }
    // Some seeds are quick: what happens within seconds of each other meets half-done things.
    let span = if d.one_in(2) { window } else { Dur(window.0 / 4) };
    for _ in 0..=d.rng.below(MOST) {
        let kind = kinds[d.rng.below(kinds.len() as u32) as usize];
        let at = begin + Dur::ms(d.rng.below64(span.as_ms()));
        d.fault(kind, at);
    }
    d.steps.sort_by_key(|s| s.at);
    d.steps
}

/// Undoes at `at` whatever the steps left undone; slots are given back to whom they belonged first.
pub(super) fn mend(plan: &Plan, steps: &[Step], at: Dur) -> Vec<Step> {
    let (mut down, mut paused) = (BTreeSet::new(), BTreeSet::new());
    // Slot and node that was told about it.
    let mut moved: BTreeSet<(u16, String)> = BTreeSet::new();
    let mut slowed: BTreeMap<String, Action> = BTreeMap::new();
    let mut cut = false;
    for s in steps {
        match &s.action {
            Action::Kill { node } => drop(down.insert(node.clone())),
            Action::Start { node, .. } => drop(down.remove(node)),
            Action::Pause { node } => drop(paused.insert(node.clone())),
            Action::Resume { node } => drop(paused.remove(node)),
            Action::Cut { .. } => cut = true,
            Action::Slow { from, to, extra } => {
                let key = from.join(" ");
                if *extra == Dur::ZERO {
                    slowed.remove(&key);
                } else {
                    let undo = Action::Slow { from: from.clone(), to: to.clone(), extra: Dur::ZERO };
                    slowed.insert(key, undo);
                }
            }
            Action::Command { node, words } => {
                if let [_, what, slot, ..] = words.as_slice()
                    && what == "SETSLOT"
                    && let Ok(slot) = slot.parse()
                {
                    moved.insert((slot, node.clone()));
                }
            }
            _ => {}
        }
    }
    let heal = cut.then(|| Action::Heal { from: Vec::new(), to: Vec::new() });
    let resume = paused.into_iter().map(|node| Action::Resume { node });
    let start = down.into_iter().map(|node| Action::Start { node, wipe: false });
    let masters = masters(plan);
    let back = moved.into_iter().flat_map(|(slot, node)| {
        let owner = &plan.nodes[owner(slot, masters)].name;
        let line = |what: &str| format!("CLUSTER SETSLOT {slot} {what}");
        [line("STABLE"), line(&format!("NODE {{{owner}.id}}"))].map(|line| Action::Command {
            node: node.clone(),
            words: line.split(' ').map(str::to_string).collect(),
        })
    });
    let all = heal.into_iter().chain(slowed.into_values()).chain(resume).chain(start).chain(back);
    all.map(|action| Step { at, action }).collect()
}

/// Time in which a healed deployment must have recovered: a failed election and its retry fit in.
pub(super) fn recovery(plan: &Plan) -> Dur {
    let cluster = plan.nodes.iter().filter(|n| n.conf.cluster_enabled).map(|n| n.conf.cluster_node_timeout);
    let sentinel = plan.nodes.iter().filter_map(|n| n.sentinel.as_ref()).flat_map(|s| &s.masters);
    let sentinel = sentinel.map(|m| (2 * m.failover_timeout_ms + 2 * m.down_after_ms).max(0) as u64);
    Dur::ms(cluster.map(|t| 8 * t).chain(sentinel).max().unwrap_or(0)) + Dur::secs(20)
}

/// How many masters the deployment begins with.
fn masters(plan: &Plan) -> usize {
    let n = plan.nodes.iter().filter(|n| n.start.is_by_itself()).count();
    match &plan.formation {
        Formation::RedisCli { replicas } => n / (*replicas as usize + 1),
        Formation::NodesConf { masters } => *masters as usize,
        _ => 0,
    }
}

/// Whose slot it is when the deployment is formed: the number of the node.
fn owner(slot: u16, masters: usize) -> usize {
    let owns = |i: &u32| {
        let (first, last) = master_range(*i, masters as u32);
        (first..=last).contains(&slot)
    };
    (0..masters as u32).find(owns).unwrap_or(0) as usize
}

struct Draw<'a> {
    plan: &'a Plan,
    rng: Rng,
    begin: Dur,
    end: Dur,
    steps: Vec<Step>,
}

impl Draw<'_> {
    fn one_in(&mut self, n: u32) -> bool {
        self.rng.below(n) == 0
    }

    /// Up to the end of the window.
    fn later(&mut self, at: Dur, most_ms: u32) -> Dur {
        let after = at + Dur::ms(1 + u64::from(self.rng.below(most_ms)));
        after.min(self.end).max(self.begin)
    }

    fn push(&mut self, at: Dur, action: Action) {
        self.steps.push(Step { at, action });
    }

    /// A node that takes part from the beginning.
    fn node(&mut self, fits: impl Fn(&NodeSpec) -> bool) -> Option<String> {
        let all: Vec<&NodeSpec> =
            self.plan.nodes.iter().filter(|n| n.start.is_by_itself() && fits(n)).collect();
        let k = self.rng.below(all.len() as u32) as usize;
        all.get(k).map(|n| n.name.clone())
    }

    fn fault(&mut self, kind: Kind, at: Dur) {
        let is_data = |n: &NodeSpec| n.sentinel.is_none();
        let Some(node) = (match kind {
            Kind::RestartEmpty | Kind::Failover | Kind::Force => self.node(is_data),
            Kind::SentinelFailover => self.node(|n| n.sentinel.is_some()),
            _ => self.node(|_| true),
        }) else {
            return;
        };
        match kind {
            Kind::Kill => {
                self.push(at, Action::Kill { node: node.clone() });
                if !self.one_in(4) {
                    let then = self.later(at, LONGEST_MS);
                    self.push(then, Action::Start { node, wipe: false });
                }
            }
            Kind::Restart => self.push(at, Action::Restart { node, wipe: false }),
            Kind::RestartEmpty => self.push(at, Action::Restart { node, wipe: true }),
            Kind::Pause => {
                self.push(at, Action::Pause { node: node.clone() });
                let then = self.later(at, LONGEST_MS);
                self.push(then, Action::Resume { node });
            }
            Kind::Cut => self.cut(at, node),
            Kind::Slow => {
                let (from, to) = self.alone(node);
                let extra = Dur::ms(u64::from(20 + self.rng.below(1980)));
                let then = self.later(at, LONGEST_MS);
                self.push(at, Action::Slow { from: from.clone(), to: to.clone(), extra });
                self.push(then, Action::Slow { from, to, extra: Dur::ZERO });
            }
            Kind::Clock => {
                let by = i64::from(100 + self.rng.below(59_900)) * 1000;
                let by_us = if self.one_in(2) { -by } else { by };
                self.push(at, Action::ClockJump { node, by_us });
            }
            Kind::Busy => {
                let time = Dur::ms(u64::from(100 + self.rng.below(9900)));
                self.push(at, Action::Busy { node, time });
            }
            Kind::Failover => self.command(at, &node, "CLUSTER FAILOVER"),
            Kind::Force => self.command(at, &node, "CLUSTER FAILOVER FORCE"),
            Kind::MoveSlot => self.move_slot(at),
            Kind::SentinelFailover => {
                let conf = self.plan.nodes.iter().find_map(|n| n.sentinel.as_ref());
                if let Some(m) = conf.and_then(|s| s.masters.first()) {
                    self.command(at, &node, &format!("SENTINEL FAILOVER {}", m.name));
                }
            }
        }
    }

    fn command(&mut self, at: Dur, node: &str, line: &str) {
        let words = line.split(' ').map(str::to_string).collect();
        self.push(at, Action::Command { node: node.into(), words });
    }

    fn everybody(&self) -> impl Iterator<Item = String> {
        let nodes = self.plan.nodes.iter().map(|n| n.name.clone());
        nodes.chain(self.plan.clients.iter().map(|c| c.name.clone()))
    }

    /// One against all others.
    fn alone(&self, node: String) -> (Vec<String>, Vec<String>) {
        let others = self.everybody().filter(|name| *name != node).collect();
        (vec![node], others)
    }

    fn cut(&mut self, at: Dur, node: String) {
        let (from, to) = if self.one_in(2) {
            self.alone(node)
        } else {
            let all: Vec<String> = self.everybody().collect();
            all.into_iter().partition(|name| *name == node || self.one_in(2))
        };
        if to.is_empty() {
            return;
        }
        let both = !self.one_in(4);
        let all: Vec<String> = self.everybody().collect();
        self.push(at, Action::Cut { from: from.clone(), to, both });
        if !self.one_in(4) {
            let then = self.later(at, LONGEST_MS);
            // In the order of the deployment, as a scenario has it.
            let from = all.iter().filter(|name| from.contains(name)).cloned().collect();
            self.push(then, Action::Heal { from, to: all });
        }
    }

    /// A slot, half of the time one that a client writes to.
    fn slot(&mut self) -> u16 {
        let any = self.rng.below(crate::slot::SLOTS.into()) as u16;
        let written = self.one_in(2);
        let k = self.rng.below(self.plan.clients.len() as u32) as usize;
        match self.plan.clients.get(k).map(|c| (&c.name, &c.spec)) {
            Some((name, ClientSpec::App(app))) if written => {
                let n = self.rng.below(app.keys.count);
                key_slot(&app.key(name, n))
            }
            Some((_, ClientSpec::Writer { key, .. } | ClientSpec::Prober { key, .. })) if written => {
                key_slot(key.as_bytes())
            }
            _ => any,
        }
    }

    fn move_slot(&mut self, at: Dur) {
        let plan = self.plan;
        let masters = masters(plan);
        let slot = self.slot();
        let owner = owner(slot, masters);
        let other = (owner + 1 + self.rng.below(masters as u32 - 1) as usize) % masters;
        let (from, to) = (&plan.nodes[owner].name, &plan.nodes[other].name);
        let mut all = vec![
            (to, format!("IMPORTING {{{from}.id}}")),
            (from, format!("MIGRATING {{{to}.id}}")),
            (to, format!("NODE {{{to}.id}}")),
            (from, format!("NODE {{{to}.id}}")),
            (to, format!("NODE {{{from}.id}}")),
            (from, format!("NODE {{{from}.id}}")),
            (to, "STABLE".to_string()),
            (from, "STABLE".to_string()),
        ];
        let mut at = at;
        for _ in 0..2 + self.rng.below(5) {
            let k = self.rng.below(all.len() as u32) as usize;
            let (node, what) = all.remove(k);
            self.command(at, node, &format!("CLUSTER SETSLOT {slot} {what}"));
            at = self.later(at, 3000);
        }
    }
}
