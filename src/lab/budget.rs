//! The failover budget: what a timeout costs on both sides. A short one makes outages short and takes a master
//! that only paused for dead; a long one does the opposite.
//!
//! For each timeout the scenario runs under many seeds: the phases of its first failover as distributions. Then
//! its deployment runs without the scenario's steps, and one master is stopped for a length drawn from the given
//! [`Pauses`]: how often does that end in a failover? Short pauses never do, so only those of at least half the
//! timeout are run, and count with their share.
//!
//! Must never know how a report looks. Read first: [`Pauses`], then [`budget`].

use std::sync::Arc;

use rayon::prelude::*;

use super::measure::measure;
use super::stats::{quantile, sorted};
use crate::base::{Dur, Quantiles, Rng};
use crate::check::Script;
use crate::scenario::vary::{Setting, vary};
use crate::scenario::{Scenario, Source};
use crate::trace::{Fact, Level};
use crate::world::plan::{Action, Formation, Plan, Step};

/// How long nodes stand still, and how often: slow commands, forks, stalls of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pauses {
    /// Of each master.
    pub per_week: f64,
    pub length: Quantiles,
}

impl std::str::FromStr for Pauses {
    type Err = String;

    /// `100 p50=50ms p90=500ms p99=3s max=20s`: how many a week, then the quantiles of their length.
    fn from_str(text: &str) -> Result<Pauses, String> {
        let help = "write for example \"100 p50=50ms p90=500ms p99=3s max=20s\": so many a week of each master, \
                    then how long they are";
        let mut words = text.split_whitespace();
        let per_week: f64 = words
            .next()
            .and_then(|w| w.parse().ok())
            .filter(|n: &f64| *n > 0.0 && n.is_finite())
            .ok_or_else(|| format!("`{text}` does not begin with a number of pauses: {help}"))?;
        let mut q = [None; 5];
        for word in words {
            let names = ["min", "p50", "p90", "p99", "max"];
            let (name, value) =
                word.split_once('=').ok_or_else(|| format!("`{word}` is no quantile: {help}"))?;
            let k = names
                .iter()
                .position(|n| *n == name)
                .ok_or_else(|| format!("`{name}` is no quantile: {help}"))?;
            q[k] = Some(Dur::parse(value)?);
        }
        let [min, p50, p90, p99, max] = q;
        let p50 = p50.ok_or_else(|| format!("the pauses have no median: {help}"))?;
        let p90 = p90.unwrap_or(p50);
        let p99 = p99.unwrap_or(p90);
        let length = Quantiles::from([min.unwrap_or(Dur::ZERO), p50, p90, p99, max.unwrap_or(p99)]);
        if !length.is_ordered() {
            return Err(format!("the quantiles of a pause must not fall: {help}"));
        }
        Ok(Pauses { per_week, length })
    }
}

impl Pauses {
    /// The share of pauses that last at least this long, as a number of 2^32.
    fn beyond(&self, least: Dur) -> u64 {
        let (mut low, mut high) = (0u64, 1u64 << 32);
        while low < high {
            let middle = (low + high) / 2;
            if self.length.at(middle.min(u64::from(u32::MAX)) as u32) < least {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (1 << 32) - low.min(1 << 32)
    }
}

/// What one timeout costs.
#[derive(Clone, Debug)]
pub struct Price {
    /// ms
    pub timeout: u64,
    /// Name and sorted lengths of each phase of the scenario's first failover, in their order; ms.
    pub phases: Vec<(String, Vec<f64>)>,
    /// From the fault to the first write that the winner took, sorted, ms.
    pub outage: Vec<f64>,
    /// Runs whose first failover had no winner.
    pub unserved: usize,
    /// Pauses that were run, and how many of them ended in a failover.
    pub paused: usize,
    pub failovers: usize,
    /// Failovers a week, of all masters, that nobody needed.
    pub false_per_week: f64,
}

impl Price {
    pub fn outage_at(&self, q: f64) -> Option<f64> {
        quantile(&self.outage, q)
    }
}

/// How many runs, and under which seeds.
#[derive(Clone, Copy, Debug)]
pub struct Trials {
    pub count: u64,
    pub first_seed: u64,
}

/// Runs everything for each timeout, in milliseconds: so many failovers and as many pauses. `tick` is told after
/// each run; when it says no, timeouts that are not done are left out.
///
/// # Errors
/// A timeout that the scenario does not take; a scenario that is no cluster.
pub fn budget(
    source: &Source,
    timeouts: &[u64],
    pauses: Pauses,
    trials: Trials,
    tick: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Price>, String> {
    let mut out = Vec::new();
    for &timeout in timeouts {
        let setting = Setting { key: "cluster-node-timeout".into(), value: timeout.to_string() };
        let s = vary(&source.name, &source.text, &source.dir, &[setting])?;
        if masters(&s.plan) == 0 {
            return Err(format!("{}: a budget is for a cluster that is formed from the start", source.shown));
        }
        match price(&s, timeout, pauses, trials, tick) {
            Some(price) => out.push(price),
            None => break,
        }
    }
    Ok(out)
}

fn masters(plan: &Plan) -> usize {
    let n = plan.nodes.iter().filter(|n| n.start.is_by_itself()).count();
    match &plan.formation {
        Formation::RedisCli { replicas } => n / (*replicas as usize + 1),
        Formation::NodesConf { masters } => *masters as usize,
        _ => 0,
    }
}

fn price(
    s: &Scenario,
    timeout: u64,
    pauses: Pauses,
    trials: Trials,
    tick: &(dyn Fn() -> bool + Sync),
) -> Option<Price> {
    // A longer timeout needs a longer run: detection, an election, its retry.
    let mut s = s.clone();
    s.script.end += Dur::ms(8 * timeout) + Dur::secs(10);
    s.script.expectations.clear();
    let run = |k: u64| {
        let seed = trials.first_seed.wrapping_add(k);
        let m = measure(&s.run(seed, Level::Headline));
        let beyond = pauses.beyond(Dur::ms(timeout / 2));
        let took = (beyond > 0).then(|| paused(&s, timeout, pauses, beyond, seed));
        tick().then_some((m, took))
    };
    let all: Vec<_> = (0..trials.count).into_par_iter().map(run).collect::<Option<_>>()?;
    let outage: Vec<f64> = all.iter().filter_map(|(m, _)| *m.get("slots_served")?).collect();
    let mut phases: Vec<(String, Vec<f64>)> = Vec::new();
    for name in
        ["silence", "agreement", "failed attempt", "election delay", "votes", "first write", "propagation"]
    {
        let key = format!("phase: {name}");
        let lengths: Vec<f64> = all.iter().filter_map(|(m, _)| *m.get(&key)?).collect();
        if !lengths.is_empty() {
            phases.push((name.to_string(), sorted(&lengths)));
        }
    }
    let tried: Vec<bool> = all.iter().filter_map(|(_, took)| *took).collect();
    let failovers = tried.iter().filter(|t| **t).count();
    let share = pauses.beyond(Dur::ms(timeout / 2)) as f64 / (1u64 << 32) as f64;
    let chance = failovers as f64 / tried.len().max(1) as f64;
    Some(Price {
        timeout,
        phases,
        unserved: all.len() - outage.len(),
        outage: sorted(&outage),
        paused: tried.len(),
        failovers,
        false_per_week: pauses.per_week * masters(&s.plan) as f64 * share * chance,
    })
}

/// One master stops for a length of the longer ones; whether a replica took over.
fn paused(s: &Scenario, timeout: u64, pauses: Pauses, beyond: u64, seed: u64) -> bool {
    let mut rng = Rng::named(seed, "pause");
    let u = ((1u64 << 32) - beyond + rng.below64(beyond)).min(u64::from(u32::MAX)) as u32;
    let length = pauses.length.at(u);
    let at = Dur::secs(2) + Dur::us(rng.below64(1_000_000));
    let mut plan = (*s.plan).clone();
    let node = plan.nodes[rng.below(masters(&plan) as u32) as usize].name.clone();
    plan.steps = vec![
        Step { at, action: Action::Pause { node: node.clone() } },
        Step { at: at + length, action: Action::Resume { node } },
    ];
    let script = Script { end: at + length + Dur::ms(timeout) + Dur::secs(5), ..Script::default() };
    let outcome = crate::check::run(&Arc::new(plan), &script, seed, Level::Headline);
    outcome.world.trace.events.iter().any(|e| matches!(e.fact, Fact::Promoted { .. }))
}

/// The timeout to take: the one with the shortest outage at p99 of those that cost at most `limit` needless
/// failovers a week.
pub fn recommended(prices: &[Price], limit: f64) -> Option<&Price> {
    let fits = prices.iter().filter(|p| p.false_per_week <= limit && !p.outage.is_empty());
    fits.min_by(|a, b| {
        let outage = |p: &Price| p.outage_at(0.99).unwrap_or(f64::MAX);
        outage(a).total_cmp(&outage(b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_read_and_their_share_is_known() {
        let p: Pauses = "100 p50=100ms p90=1s p99=10s max=20s".parse().unwrap();
        let share = |d| p.beyond(d) as f64 / (1u64 << 32) as f64;
        assert!((share(Dur::secs(1)) - 0.1).abs() < 0.001, "{}", share(Dur::secs(1)));
        assert!((share(Dur::secs(15)) - 0.005).abs() < 0.001);
        assert_eq!((share(Dur::ZERO), share(Dur::secs(21))), (1.0, 0.0));
        for bad in ["", "x p50=1s", "5", "5 p50", "5 p95=1s", "5 p50=2s p90=1s", "-1 p50=1s", "5 p50=1"] {
            assert!(bad.parse::<Pauses>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_longer_timeout_costs_outage_and_saves_failovers() {
        let text = "title = \"t\"\n[cluster]\nmasters = 3\nreplicas-per-master = 1\nform = \"nodes.conf\"\n\
                    [[step]]\nat = \"2s\"\ndo.kill = \"n1\"\n";
        let pauses: Pauses = "10 p50=1s p90=3s p99=4s max=5s".parse().unwrap();
        let go = || true;
        let source = Source { name: "t".into(), shown: "t".into(), text: text.into(), dir: "".into() };
        let trials = Trials { count: 6, first_seed: 1 };
        let prices = budget(&source, &[1000, 6000], pauses, trials, &go).unwrap();
        let [short, long] = &prices[..] else { panic!("{prices:?}") };
        assert!(short.outage_at(0.5) < long.outage_at(0.5), "{prices:?}");
        assert!(short.false_per_week > 0.0 && long.false_per_week == 0.0, "{prices:?}");
        assert_eq!(recommended(&prices, 0.0).map(|p| p.timeout), Some(6000));
        assert_eq!(recommended(&prices, 1e9).map(|p| p.timeout), Some(1000));
        assert!(short.phases.iter().any(|(name, _)| name == "silence"), "{prices:?}");
    }
}
