//! A catch made smaller while it still breaks the same invariants: fewer steps (delta debugging), fewer clients,
//! fewer nodes, earlier and rounder times, a shorter run. Each candidate is run under the same seed, in a fixed
//! order, so that the result is always the same; the number of runs is bounded.
//!
//! Zeller, Hildebrandt: Simplifying and isolating failure-inducing input, IEEE TSE 28 (2002), section 3.

use std::sync::Arc;

use crate::base::Dur;
use crate::check::Invariant;
use crate::redis::client::ClientSpec;
use crate::scenario::Scenario;
use crate::world::plan::{Action, Formation, Plan, Step};

use super::{breaks_all, run};

/// Candidates that are run at most.
pub const MOST_RUNS: u64 = 3000;

/// Makes scenarios smaller.
struct Shrink<'a> {
    targets: &'a [&'static Invariant],
    best: Scenario,
    runs: u64,
    /// Told after each run; `false` ends the search with what there is.
    go_on: &'a dyn Fn(&Scenario, u64) -> bool,
    stopped: bool,
}

/// The smallest scenario found that breaks all of the invariants, and how many runs that took. `go_on` hears of the best
/// so far and the number of runs after each; when it says no, the best so far is the result.
pub fn shrink(
    s: &Scenario,
    targets: &[&'static Invariant],
    go_on: &dyn Fn(&Scenario, u64) -> bool,
) -> (Scenario, u64) {
    let mut best = s.clone();
    best.script.breaks = targets.to_vec();
    let mut it = Shrink { targets, best, runs: 0, go_on, stopped: false };
    it.without_words();
    loop {
        let before = it.size();
        it.fewer_steps();
        it.fewer_clients();
        it.fewer_nodes();
        it.earlier();
        it.shorter();
        if it.stopped || it.size() >= before {
            return (it.best, it.runs);
        }
    }
}

impl Shrink<'_> {
    /// What is to become smaller, the most important first.
    fn size(&self) -> (usize, usize, usize, u64) {
        let p = &self.best.plan;
        (p.steps.len(), p.nodes.len(), p.clients.len(), self.best.script.end.0)
    }

    /// Takes the candidate if it still breaks the invariants.
    fn try_one(&mut self, change: impl FnOnce(&mut Scenario) -> bool) -> bool {
        if self.stopped || self.runs >= MOST_RUNS {
            self.stopped = true;
            return false;
        }
        let mut s = self.best.clone();
        if !change(&mut s) {
            return false;
        }
        self.runs += 1;
        let breaks = breaks_all(&run(&s).findings, self.targets);
        if breaks {
            self.best = s;
        }
        self.stopped |= !(self.go_on)(&self.best, self.runs);
        breaks
    }

    fn plan(s: &mut Scenario) -> &mut Plan {
        Arc::make_mut(&mut s.plan)
    }

    /// What is only said leaves nothing behind.
    fn without_words(&mut self) {
        self.try_one(|s| {
            let steps = &mut Self::plan(s).steps;
            let before = steps.len();
            steps.retain(|step| !matches!(step.action, Action::Say { .. }));
            steps.len() < before
        });
    }

    /// ddmin: drops ever smaller parts.
    fn fewer_steps(&mut self) {
        let mut parts = 2;
        while !self.stopped {
            let n = self.best.plan.steps.len();
            if n == 0 {
                return;
            }
            parts = parts.min(n);
            let size = n.div_ceil(parts);
            let dropped = (0..n).step_by(size).find(|&from| {
                self.try_one(|s| {
                    Self::plan(s).steps.drain(from..(from + size).min(n));
                    true
                })
            });
            match dropped {
                Some(_) => parts = (parts - 1).max(2),
                None if size == 1 => return,
                None => parts *= 2,
            }
        }
    }

    fn fewer_clients(&mut self) {
        for k in (0..self.best.plan.clients.len()).rev() {
            self.try_one(|s| {
                let name = Self::plan(s).clients.remove(k).name;
                renamed(Self::plan(s), &|n| (n != name).then(|| n.to_string()))
            });
        }
    }

    fn fewer_nodes(&mut self) {
        while self.try_one(|s| drop_last(Self::plan(s), |n| n.sentinel.is_some())) {}
        while self.try_one(|s| drop_last(Self::plan(s), |n| !n.start.is_by_itself())) {}
        loop {
            let fewer_replicas = self.try_one(|s| smaller(Self::plan(s), 0, 1));
            let fewer_masters = self.try_one(|s| smaller(Self::plan(s), 1, 0));
            if !fewer_replicas && !fewer_masters {
                return;
            }
        }
    }

    /// Each step as soon after the one before as it goes, at a round time.
    fn earlier(&mut self) {
        for k in 0..self.best.plan.steps.len() {
            let now = self.best.plan.steps[k].at;
            let before = k.checked_sub(1).map_or(Dur::ZERO, |j| self.best.plan.steps[j].at);
            let round = |d: Dur, to: u64| Dur(d.0.div_ceil(to) * to);
            let after = [0, 1, 2, 5, 10, 15].map(|s| round(before, 1_000_000) + Dur::secs(s));
            let near = [100, 200, 500].map(|ms| round(before, 100_000) + Dur::ms(ms));
            let rounder = [round(now, 1_000_000), round(now, 100_000)];
            let moved = after.into_iter().chain(near).find(|&at| {
                // The steps after it keep their distance.
                at < now && at >= before && self.try_one(|s| shift(s, k, now.0 - at.0))
            });
            if moved.is_none() {
                let _ = rounder.into_iter().find(|&at| {
                    let next = self.best.plan.steps.get(k + 1).map_or(Dur::MAX, |s| s.at);
                    at != now
                        && at <= next
                        && self.try_one(|s| {
                            Self::plan(s).steps[k].at = at;
                            true
                        })
                });
            }
        }
    }

    fn shorter(&mut self) {
        let last = self.best.plan.steps.iter().map(|s| s.at).max().unwrap_or_default();
        for tail in [5, 10, 20, 30, 45, 60] {
            let end = Dur(last.0.div_ceil(1_000_000) * 1_000_000) + Dur::secs(tail);
            if end >= self.best.script.end {
                return;
            }
            let done = self.try_one(|s| {
                s.script.end = end;
                true
            });
            if done {
                return;
            }
        }
    }
}

/// Moves the step `k` and all after it, and the end, to an earlier time.
fn shift(s: &mut Scenario, k: usize, by: u64) -> bool {
    for step in &mut Arc::make_mut(&mut s.plan).steps[k..] {
        step.at.0 -= by;
    }
    s.script.end.0 = s.script.end.0.saturating_sub(by);
    true
}

/// Drops the last node of a kind, and what is done to it; a sentinel's quorum stays.
fn drop_last(plan: &mut Plan, is: impl Fn(&crate::world::plan::NodeSpec) -> bool) -> bool {
    let Some(k) = plan.nodes.iter().rposition(is) else { return false };
    if plan.nodes[k].sentinel.is_some() && plan.nodes.iter().filter(|n| n.sentinel.is_some()).count() == 1 {
        return false;
    }
    let gone = plan.nodes.remove(k).name;
    renamed(plan, &|name| (name != gone).then(|| name.to_string()))
}

/// The deployment with so many masters and replicas less. Nodes change their names, and steps with them: what
/// was done to the first replica of the second master is done to that one.
fn smaller(plan: &mut Plan, masters: usize, replicas: usize) -> bool {
    let deployed = plan.nodes.iter().filter(|n| n.sentinel.is_none() && n.start.is_by_itself()).count();
    let (m, r) = match plan.formation {
        Formation::RedisCli { replicas } => (deployed / (replicas as usize + 1), replicas as usize),
        Formation::NodesConf { masters } => {
            (masters as usize, (deployed / (masters as usize).max(1)).max(1) - 1)
        }
        Formation::Replicas | Formation::Sentinel => (1, deployed - 1),
        Formation::None | Formation::Seats(_) => return false,
    };
    let least = if matches!(plan.formation, Formation::RedisCli { .. }) { 3 } else { 1 };
    let (Some(m2), Some(r2)) = (m.checked_sub(masters).filter(|&m| m >= least), r.checked_sub(replicas))
    else {
        return false;
    };
    let place = |k: usize| match k.checked_sub(m) {
        None => (k < m2).then_some(k),
        Some(j) => (j % m < m2 && j / m < r2).then(|| m2 + j / m * m2 + j % m),
    };
    let names: Vec<String> = plan.nodes[..deployed].iter().map(|n| n.name.clone()).collect();
    match &mut plan.formation {
        Formation::RedisCli { replicas } => *replicas = r2 as u32,
        Formation::NodesConf { masters } => *masters = m2 as u32,
        _ => {}
    }
    plan.nodes.drain(m2 * (r2 + 1)..deployed);
    renamed(plan, &|name| match names.iter().position(|n| n == name) {
        Some(k) => place(k).map(|k| names[k].clone()),
        None => Some(name.to_string()),
    })
}

/// The plan with other names in its steps; steps, and clients of one node, that lost theirs are dropped.
fn renamed(plan: &mut Plan, to: &dyn Fn(&str) -> Option<String>) -> bool {
    let steps = std::mem::take(&mut plan.steps);
    let renamed = |s: Step| Some(Step { at: s.at, action: action(s.action, to)? });
    plan.steps = steps.into_iter().filter_map(renamed).collect();
    let there: Vec<_> = plan.nodes.iter().map(|n| n.addr()).collect();
    plan.clients.retain_mut(|c| match &mut c.spec {
        ClientSpec::Writer { node, .. } | ClientSpec::Prober { node, .. } => there.contains(node),
        ClientSpec::Sentinel(spec) => {
            spec.sentinels.retain(|at| there.contains(at));
            true
        }
        ClientSpec::App(_) => true,
    });
    true
}

fn action(a: Action, to: &dyn Fn(&str) -> Option<String>) -> Option<Action> {
    let group = |names: Vec<String>| -> Option<Vec<String>> {
        let all: Vec<String> = names.iter().filter_map(|n| to(n)).collect();
        (names.is_empty() || !all.is_empty()).then_some(all)
    };
    let words = |words: Vec<String>| -> Option<Vec<String>> {
        let word = |w: String| match w.strip_prefix('{').and_then(|w| w.strip_suffix(".id}")) {
            Some(name) => to(name).map(|name| format!("{{{name}.id}}")),
            None => Some(w),
        };
        words.into_iter().map(word).collect()
    };
    Some(match a {
        Action::Kill { node } => Action::Kill { node: to(&node)? },
        Action::Start { node, wipe } => Action::Start { node: to(&node)?, wipe },
        Action::Terminate { node } => Action::Terminate { node: to(&node)? },
        Action::Crash { node } => Action::Crash { node: to(&node)? },
        Action::Pause { node } => Action::Pause { node: to(&node)? },
        Action::Resume { node } => Action::Resume { node: to(&node)? },
        Action::Cut { from, to: other, both } => Action::Cut { from: group(from)?, to: group(other)?, both },
        Action::Heal { from, to: other } => Action::Heal { from: group(from)?, to: group(other)? },
        Action::Slow { from, to: other, extra } => {
            Action::Slow { from: group(from)?, to: group(other)?, extra }
        }
        Action::ClockJump { node, by_us } => Action::ClockJump { node: to(&node)?, by_us },
        Action::Command { node, words: w } => Action::Command { node: to(&node)?, words: words(w)? },
        Action::Busy { node, time } => Action::Busy { node: to(&node)?, time },
        Action::DiskFull { node, full } => Action::DiskFull { node: to(&node)?, full },
        Action::SlowDisk { node, extra } => Action::SlowDisk { node: to(&node)?, extra },
        Action::Restart { node, wipe } => Action::Restart { node: to(&node)?, wipe },
        Action::RedisCli { words: w, answers } => Action::RedisCli { words: words(w)?, answers },
        Action::Copy { from, to } => Action::Copy { from, to },
        Action::Say { text } => Action::Say { text },
    })
}
