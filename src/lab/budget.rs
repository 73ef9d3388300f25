//! The failover budget: what a timeout costs on both sides. A short one makes outages short and takes a master
//! that only paused for dead; a long one does the opposite. The timeout is cluster-node-timeout in a cluster, and
//! down-after-milliseconds where sentinels watch.
//!
//! For each timeout the scenario runs under many seeds: the phases of its first failover as distributions. Then
//! its deployment runs without the scenario's steps, and one master is stopped for a length drawn from the given
//! [`Pauses`]: how often does that end in a failover? Short pauses never do, so only those of at least half the
//! timeout are run, and count with their share.
//!
//! Must never know how a report looks. Read first: [`Pauses`], then [`budget`].

use std::sync::Arc;

use rayon::prelude::*;

use super::stats::{quantile, sorted};
use crate::base::{Dur, Quantiles, Rng};
use crate::check::{Outcome, Script};
use crate::explain::sentinel::{self, attempts};
use crate::explain::{self, Phase};
use crate::scenario::vary::{Setting, vary};
use crate::scenario::{self, Scenario, Source};
use crate::trace::sentinel::Kind;
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
    /// From the fault until the winner serves the slots, or until a sentinel names the new master; sorted, ms.
    pub outage: Vec<f64>,
    /// Runs whose failover had no winner.
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

/// Who decides that a master is dead, and by which timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    Cluster,
    Sentinels,
}

impl Judge {
    /// Of a scenario that is formed from the start.
    ///
    /// # Errors
    /// It has neither masters of a cluster nor sentinels; a file that is none.
    pub fn of(source: &Source) -> Result<Judge, String> {
        let s = scenario::parse(&source.name, &source.text, &source.dir).map_err(|d| d.to_string())?;
        match masters(&s.plan).len() {
            0 => Err(format!(
                "{}: a budget is for a cluster that is formed from the start, or for a master with sentinels",
                source.shown
            )),
            _ if s.plan.formation == Formation::Sentinel => Ok(Judge::Sentinels),
            _ => Ok(Judge::Cluster),
        }
    }

    /// The directive that is its timeout.
    pub fn directive(self) -> &'static str {
        match self {
            Judge::Cluster => "cluster-node-timeout",
            Judge::Sentinels => "down-after-milliseconds",
        }
    }

    /// Where a scenario has it.
    fn key(self) -> &'static str {
        match self {
            Judge::Cluster => "cluster-node-timeout",
            Judge::Sentinels => "sentinel.down-after-milliseconds",
        }
    }
}

/// Runs everything for each timeout, in milliseconds: so many failovers and as many pauses. `tick` is told after
/// each run; when it says no, timeouts that are not done are left out.
///
/// # Errors
/// A timeout that the scenario does not take; as [`Judge::of`].
pub fn budget(
    source: &Source,
    timeouts: &[u64],
    pauses: Pauses,
    trials: Trials,
    tick: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Price>, String> {
    let judge = Judge::of(source)?;
    let mut out = Vec::new();
    for &timeout in timeouts {
        let setting = Setting { key: judge.key().into(), value: timeout.to_string() };
        let s = vary(&source.name, &source.text, &source.dir, &[setting])?;
        match price(judge, &s, timeout, pauses, trials, tick) {
            Some(price) => out.push(price),
            None => break,
        }
    }
    Ok(out)
}

/// The names of the masters that a deployment begins with.
fn masters(plan: &Plan) -> Vec<&str> {
    let data = || plan.nodes.iter().filter(|n| n.start.is_by_itself() && n.sentinel.is_none());
    let count = match &plan.formation {
        Formation::RedisCli { replicas } => data().count() / (*replicas as usize + 1),
        Formation::NodesConf { masters } => *masters as usize,
        Formation::Sentinel => {
            return data().filter(|n| n.conf.replicaof.is_none()).map(|n| n.name.as_str()).collect();
        }
        _ => 0,
    };
    data().take(count).map(|n| n.name.as_str()).collect()
}

/// The phases of the run's failover, and ms from the fault until writes can go on.
type Lengths = (Vec<(&'static str, f64)>, Option<f64>);

fn lengths(judge: Judge, outcome: &Outcome) -> Lengths {
    let sums = |phases: &[Phase]| {
        let mut all: Vec<(&'static str, f64)> = Vec::new();
        for p in phases {
            let ms = p.length().0 as f64 / 1000.0;
            match all.iter_mut().find(|(name, _)| *name == p.name) {
                // A phase that comes twice (a second election) counts with its whole length.
                Some((_, sum)) => *sum += ms,
                None => all.push((p.name, ms)),
            }
        }
        all
    };
    let w = &outcome.world;
    match judge {
        Judge::Cluster => {
            let first = explain::failovers(&w.trace, &w.names, &w.plan).into_iter().next();
            first.map_or((Vec::new(), None), |f| {
                (sums(&f.phases), f.times.slots_served.map(|t| f.since(t) as f64 / 1000.0))
            })
        }
        Judge::Sentinels => {
            let all = attempts(&w.trace, &w.names, &w.plan);
            let done = all.iter().find(|a| matches!(a.outcome, sentinel::Outcome::Promoted(_)));
            done.map_or((Vec::new(), None), |a| {
                // From here on the sentinel that leads answers with the new address.
                let end = a.phases.iter().find(|p| p.name == "promotion").map(|p| p.to);
                (sums(&a.phases), end.map(|t| t.since(a.injected_at).0 as f64 / 1000.0))
            })
        }
    }
}

fn price(
    judge: Judge,
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
        let took = lengths(judge, &s.run(seed, Level::Notice));
        let beyond = pauses.beyond(Dur::ms(timeout / 2));
        let failed_over = (beyond > 0).then(|| paused(&s, timeout, pauses, beyond, seed));
        tick().then_some((took, failed_over))
    };
    let all: Vec<(Lengths, Option<bool>)> =
        (0..trials.count).into_par_iter().map(run).collect::<Option<_>>()?;
    let outage: Vec<f64> = all.iter().filter_map(|((_, outage), _)| *outage).collect();
    let mut phases: Vec<(String, Vec<f64>)> = Vec::new();
    for name in PHASES {
        let of = |((phases, _), _): &(Lengths, _)| phases.iter().find(|p| p.0 == *name).map(|p| p.1);
        let lengths: Vec<f64> = all.iter().filter_map(of).collect();
        if !lengths.is_empty() {
            phases.push((name.to_string(), sorted(&lengths)));
        }
    }
    let tried: Vec<bool> = all.iter().filter_map(|(_, failed_over)| *failed_over).collect();
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
        false_per_week: pauses.per_week * masters(&s.plan).len() as f64 * share * chance,
    })
}

/// The phases of a failover that are shown, in their order.
const PHASES: &[&str] = &[
    "silence",
    "agreement",
    "failed attempt",
    "election delay",
    "votes",
    "epoch",
    "election",
    "selection",
    "order",
    "promotion",
    "reconfiguration",
    "first write",
    "propagation",
];

/// One master stops for a length of the longer ones; whether a replica took over.
fn paused(s: &Scenario, timeout: u64, pauses: Pauses, beyond: u64, seed: u64) -> bool {
    let mut rng = Rng::named(seed, "pause");
    let u = ((1u64 << 32) - beyond + rng.below64(beyond)).min(u64::from(u32::MAX)) as u32;
    let length = pauses.length.at(u);
    let at = Dur::secs(2) + Dur::us(rng.below64(1_000_000));
    let mut plan = (*s.plan).clone();
    let node = {
        let all = masters(&plan);
        all[rng.below(all.len() as u32) as usize].to_string()
    };
    plan.steps = vec![
        Step { at, action: Action::Pause { node: node.clone() } },
        Step { at: at + length, action: Action::Resume { node } },
    ];
    let script = Script { end: at + length + Dur::ms(timeout) + Dur::secs(5), ..Script::default() };
    let outcome = crate::check::run(&Arc::new(plan), &script, seed, Level::Headline);
    outcome.world.trace.events.iter().any(|e| match &e.fact {
        Fact::Promoted { .. } => true,
        Fact::Sentinel(event) => event.event == Kind::Promoted,
        _ => false,
    })
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

    fn source(text: &str) -> Source {
        Source { name: "t".into(), shown: "t".into(), text: text.into(), dir: "".into() }
    }

    #[test]
    fn a_longer_timeout_costs_outage_and_saves_failovers() {
        let cluster = "title = \"t\"\n[cluster]\nmasters = 3\nreplicas-per-master = 1\nform = \"nodes.conf\"\n\
                       [[step]]\nat = \"2s\"\ndo.kill = \"n1\"\n";
        let sentinels = "title = \"t\"\nend = \"10s\"\n[replication]\nreplicas = 2\n[sentinel]\nsentinels = 3\n\
                         [[step]]\nat = \"2s\"\ndo.kill = \"n1\"\n";
        for (text, judge) in [(cluster, Judge::Cluster), (sentinels, Judge::Sentinels)] {
            let pauses: Pauses = "10 p50=1s p90=3s p99=4s max=5s".parse().unwrap();
            let source = source(text);
            assert_eq!(Judge::of(&source), Ok(judge));
            let trials = Trials { count: 6, first_seed: 1 };
            let prices = budget(&source, &[1000, 6000], pauses, trials, &|| true).unwrap();
            let [short, long] = &prices[..] else { panic!("{prices:?}") };
            assert!(short.outage.len() == 6 && short.outage_at(0.5) < long.outage_at(0.5), "{prices:?}");
            assert!(long.outage_at(0.0) > Some(5000.0), "{prices:?}");
            assert!(short.false_per_week > 0.0 && long.false_per_week == 0.0, "{prices:?}");
            assert_eq!(recommended(&prices, 0.0).map(|p| p.timeout), Some(6000));
            assert_eq!(recommended(&prices, 1e9).map(|p| p.timeout), Some(1000));
            assert!(short.phases.iter().any(|(name, _)| name == "silence"), "{prices:?}");
        }
    }

    #[test]
    fn a_budget_needs_somebody_who_judges() {
        let alone =
            source("title = \"t\"\n[replication]\nreplicas = 1\n[[step]]\nat = \"2s\"\ndo.kill = \"n1\"\n");
        assert!(Judge::of(&alone).unwrap_err().contains("a master with sentinels"));
    }
}
