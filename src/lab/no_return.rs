//! Point of no return: from which moment on a run was bound to end as it did.
//!
//! From each of many moments of one run, many futures are let go: copies of the world in which chance goes
//! otherwise from there on ([`crate::world::World::branch`]) while the plan stays. The share of them that ends
//! badly, over time, shows when the outcome became certain. Where the share leaps, halving the time between two
//! moments finds the event at the step.
//!
//! Read first: [`Question`], then [`examine`].

use std::fmt;
use std::str::FromStr;

use rayon::prelude::*;
use serde::Serialize;

use super::measure::measure;
use super::stats::{fisher_exact, wilson};
use crate::base::Dur;
use crate::check::invariant::{Held, INVARIANTS, Kind};
use crate::check::{Outcome, Run};
use crate::scenario::Scenario;
use crate::trace::text::headline;
use crate::trace::{Event, Level};
use crate::world::World;

/// A leap is worth a search if so many of a hundred futures more, or fewer, end so after it,
const LEAP: u32 = 20;
/// and two moments without one would differ as much as seldom as this.
const CHANCE: f64 = 0.05;
/// Leaps that are searched, the greatest first.
const LEAPS: usize = 3;
/// The outcome counts as certain from the moment on after which it never comes to less than this share.
const CERTAIN: f64 = 0.95;
/// A leap that loses more than this share of its height when its time is halved is no leap but a slope.
const STEEP: f64 = 0.6;
/// A leap is not searched for more closely than this.
const CLOSE: Dur = Dur::ms(1);
/// Events named at a leap.
const NAMED: usize = 8;

/// How a run can end.
///
/// Its text is `METRIC OPERATOR NUMBER` with a metric of [`measure`] (`n_writes_lost > 0`), `METRIC never` for a
/// moment that does not come (`won never`), or `breaks INVARIANT`.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Metric { name: String, operator: Operator, value: f64 },
    Never { name: String },
    Breaks { invariant: &'static str },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

impl Operator {
    const ALL: [(&str, Operator); 6] = [
        ("<", Operator::Less),
        ("<=", Operator::AtMost),
        ("=", Operator::Equal),
        ("!=", Operator::Unequal),
        (">=", Operator::AtLeast),
        (">", Operator::More),
    ];
    fn text(self) -> &'static str {
        Operator::ALL.iter().find(|(_, o)| *o == self).map_or("", |(text, _)| text)
    }
    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Operator::Less => a < b,
            Operator::AtMost => a <= b,
            Operator::Equal => a == b,
            Operator::Unequal => a != b,
            Operator::AtLeast => a >= b,
            Operator::More => a > b,
        }
    }
}

impl FromStr for Ending {
    type Err = String;

    fn from_str(text: &str) -> Result<Ending, String> {
        let bad = || {
            format!(
                "`{text}` is no ending; write `n_writes_lost > 0`, `won never` or `breaks one-owner-per-epoch`"
            )
        };
        let text = text.trim();
        if let Some(name) = text.strip_prefix("breaks ") {
            let known = INVARIANTS.iter().filter(|i| i.kind != Kind::Sometimes).map(|i| i.name);
            let found = known.clone().find(|known| *known == name.trim());
            let near = || crate::params::nearest(name.trim(), known.clone());
            let help = || near().map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
            let unknown = || format!("there is no check `{}` that a run can break{}", name.trim(), help());
            return Ok(Ending::Breaks { invariant: found.ok_or_else(unknown)? });
        }
        if let Some(name) = text.strip_suffix(" never") {
            return Ok(Ending::Never { name: name.trim().to_string() });
        }
        let (rest, value) = text.rsplit_once(' ').ok_or_else(bad)?;
        let (name, operator) = rest.trim().rsplit_once(' ').ok_or_else(bad)?;
        let operator = Operator::ALL.iter().find(|(known, _)| *known == operator).ok_or_else(bad)?.1;
        let value = value.parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(bad)?;
        Ok(Ending::Metric { name: name.trim().to_string(), operator, value })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Metric { name, operator, value } => write!(f, "{name} {} {value}", operator.text()),
            Ending::Never { name } => write!(f, "{name} never"),
            Ending::Breaks { invariant } => write!(f, "breaks {invariant}"),
        }
    }
}

impl Ending {
    /// Whether the run ended so, and what it showed of it.
    ///
    /// # Errors
    /// A metric that no run of this scenario has.
    fn of(&self, outcome: &Outcome) -> Result<(bool, String), String> {
        let metric = |name: &str| {
            let all = measure(outcome);
            all.get(name).copied().ok_or_else(|| {
                let near = crate::params::nearest(name, all.keys().map(String::as_str));
                let help = near.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
                format!("the run has no metric `{name}`{help}")
            })
        };
        Ok(match self {
            Ending::Metric { name, operator, value } => match metric(name)? {
                Some(got) => (operator.holds(got, *value), got.to_string()),
                None => (false, "it did not come".to_string()),
            },
            Ending::Never { name } => match metric(name)? {
                Some(got) => (false, format!("it came at {got} ms")),
                None => (true, "it did not come".to_string()),
            },
            Ending::Breaks { invariant } => {
                let found = outcome.findings.iter().find(|f| f.invariant.name == *invariant);
                match found.map(|f| &f.held) {
                    Some(Held::No { seen, .. }) => (true, seen.clone()),
                    Some(Held::Unjudged(why)) => (false, format!("not judged, {why}")),
                    _ => (false, "it held".to_string()),
                }
            }
        })
    }

    /// Whether a future ends so. One that has not even the metric does not.
    fn is_of(&self, outcome: &Outcome) -> bool {
        self.of(outcome).is_ok_and(|(so, _)| so)
    }
}

/// Which run, which ending, and how closely to look.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub scenario: &'a Scenario,
    pub seed: u64,
    pub ending: Ending,
    /// Futures from each moment.
    pub futures: u32,
    /// Moments, evenly from the formation to the end.
    pub moments: u32,
}

/// How many futures end so, from one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    /// Microseconds since the deployment was formed.
    pub at_us: u64,
    pub so: u32,
    pub of: u32,
    /// The latest headline event of the run up to here.
    pub event: Option<Named>,
}

impl Moment {
    pub fn share(&self) -> f64 {
        f64::from(self.so) / f64::from(self.of.max(1))
    }
    /// Whether the share differs much from that of another moment.
    fn leaps_from(&self, other: &Moment) -> bool {
        self.so.abs_diff(other.so) * 100 >= LEAP * self.of
    }
    /// Wilson's 95% interval of the share.
    pub fn interval(&self) -> (f64, f64) {
        let i = wilson(self.so as usize, self.of as usize);
        (i.low, i.high)
    }
}

/// An event of the run, as its headline says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Microseconds since the deployment was formed.
    pub at_us: i64,
    pub host: String,
    pub text: String,
}

/// Between these two moments the outcome became much more likely, or less.
#[derive(Clone, Debug, Serialize)]
pub struct Leap {
    pub before: Moment,
    pub after: Moment,
    /// It is no single event: the share goes up, or down, little by little between the two.
    pub gradual: bool,
    /// What happened in the run after the first and up to the second, at most eight of them: headline events, or
    /// if there are none, packets and the like.
    pub events: Vec<Named>,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// What the run itself showed.
    pub seen: String,
    pub end_us: u64,
    /// By time.
    pub moments: Vec<Moment>,
    /// By time.
    pub leaps: Vec<Leap>,
    /// From this moment on it never comes to less than 95% of the futures.
    pub certain_from_us: Option<u64>,
}

/// Lets the futures go. `go` is told how many are done, and ends the work by saying no: then the answer is `None`.
///
/// # Errors
/// A deployment that is never formed; a run that does not end so, with seeds that do.
pub fn examine(q: &Question<'_>, go: &(dyn Fn(u64) -> bool + Sync)) -> Result<Option<Answer>, String> {
    let script = &q.scenario.script;
    let formed = Run::new(&q.scenario.plan, q.seed, Level::Headline);
    if formed.world.formed_at.is_none() {
        return Err("the deployment is never formed under this seed".to_string());
    }
    let end = script.over();
    let whole = {
        let mut run = formed.clone();
        run.advance(script, end);
        run.finish(script)
    };
    let (so, seen) = q.ending.of(&whole)?;
    if !so {
        return not_so(q, &seen, go).map_or(Ok(None), Err);
    }
    let events = events(&whole);
    let last = q.moments.max(2) - 1;
    let times: Vec<Dur> = (0..=last).map(|i| Dur(end.0 * u64::from(i) / u64::from(last))).collect();
    let mut search = Search { q, end, events: &events, runs: Vec::new(), found: Vec::new(), go };
    let mut run = formed;
    for &at in &times {
        run.advance(script, at);
        search.runs.push((at, run.clone()));
    }
    let Some(mut moments) = search.moments(&times) else { return Ok(None) };
    let mut leaps = Vec::new();
    for i in greatest(&moments) {
        let (mut before, mut after) = (moments[i].clone(), moments[i + 1].clone());
        let mut gradual = false;
        while after.at_us - before.at_us > CLOSE.0 {
            let Some(middle) = search.moments(&[Dur(u64::midpoint(before.at_us, after.at_us))]) else {
                return Ok(None);
            };
            let middle = middle.into_iter().next().expect("one was asked for");
            let height = |a: &Moment, b: &Moment| (b.share() - a.share()).abs();
            let (first, second) = (height(&before, &middle), height(&middle, &after));
            search.found.push(middle.clone());
            let larger = if first > second { middle.leaps_from(&before) } else { after.leaps_from(&middle) };
            gradual = !larger || first.max(second) < STEEP * height(&before, &after);
            if gradual {
                break;
            }
            if first > second { after = middle } else { before = middle }
        }
        let mut events: Vec<Named> = search.between(&before, &after).take(NAMED).cloned().collect();
        if events.is_empty() && !gradual {
            events = packets(q, &before, &after);
        }
        leaps.push(Leap { before, after, gradual, events });
    }
    moments.append(&mut search.found);
    moments.sort_by_key(|m| m.at_us);
    moments.dedup_by_key(|m| m.at_us);
    leaps.sort_by_key(|l| l.before.at_us);
    let doubtful = moments.iter().rposition(|m| m.share() < CERTAIN);
    let certain = moments.get(doubtful.map_or(0, |i| i + 1)).map(|m| m.at_us);
    Ok(Some(Answer { seen, end_us: end.0, moments, leaps, certain_from_us: certain }))
}

/// Says that the run does not end so, and which seeds do; `None` if that was stopped.
fn not_so(q: &Question<'_>, seen: &str, go: &(dyn Fn(u64) -> bool + Sync)) -> Option<String> {
    const TRIED: u64 = 100;
    let is_so = |seed: &u64| go(0) && q.ending.is_of(&q.scenario.run(*seed, Level::Headline));
    let others: Vec<u64> = (1..=TRIED).into_par_iter().filter(is_so).collect();
    let shown: Vec<String> = others.iter().take(8).map(u64::to_string).collect();
    let help = match others.len() {
        0 => format!("nor does any of the seeds 1 to {TRIED}"),
        n => format!(
            "{n} of the seeds 1 to {TRIED} do: {}{}",
            shown.join(", "),
            if n > 8 { ", ..." } else { "" }
        ),
    };
    let all = || format!("under seed {} the run does not end with `{}` ({seen}); {help}", q.seed, q.ending);
    go(0).then(all)
}

/// The headline events of the run since its formation, by time.
fn events(whole: &Outcome) -> Vec<Named> {
    let w = &whole.world;
    let shown = w.trace.events.iter().filter(|e| e.fact.level() == Level::Headline);
    shown.filter(|e| w.since_formed(e.at) >= 0).map(|e| named(w, e)).collect()
}

fn named(w: &World, e: &Event) -> Named {
    Named {
        at_us: w.since_formed(e.at),
        host: w.names.host_name(e.host).to_string(),
        text: headline(&e.fact, &w.names),
    }
}

/// Everything that happened between the two moments, packets too, at most eight of it: the same run again, with a
/// trace of all.
fn packets(q: &Question<'_>, before: &Moment, after: &Moment) -> Vec<Named> {
    let mut run = Run::new(&q.scenario.plan, q.seed, Level::Packet);
    run.advance(&q.scenario.script, Dur(after.at_us));
    let w = &run.world;
    let meanwhile =
        |e: &&Event| (before.at_us as i64 + 1..=after.at_us as i64).contains(&w.since_formed(e.at));
    w.trace.events.iter().filter(meanwhile).take(NAMED).map(|e| named(w, e)).collect()
}

struct Search<'a> {
    q: &'a Question<'a>,
    end: Dur,
    events: &'a [Named],
    /// The run at some moments.
    runs: Vec<(Dur, Run)>,
    /// Moments that were looked at beside those of the grid.
    found: Vec<Moment>,
    go: &'a (dyn Fn(u64) -> bool + Sync),
}

impl Search<'_> {
    /// The run at this time.
    fn run_at(&self, at: Dur) -> Run {
        let i = self.runs.partition_point(|(t, _)| *t <= at);
        let mut run = self.runs[i.saturating_sub(1)].1.clone();
        run.advance(&self.q.scenario.script, at);
        run
    }

    /// Lets futures go from each of these times; `None` if that was stopped.
    fn moments(&self, times: &[Dur]) -> Option<Vec<Moment>> {
        let script = &self.q.scenario.script;
        let pairs: Vec<(usize, u32)> =
            (0..times.len()).flat_map(|t| (0..self.q.futures).map(move |k| (t, k))).collect();
        let runs: Vec<Run> = times.iter().map(|&t| self.run_at(t)).collect();
        let future = |&(t, k): &(usize, u32)| {
            let mut run = runs[t].clone();
            run.world.branch(u64::from(k) + 1);
            run.advance(script, self.end);
            let so = self.q.ending.is_of(&run.finish(script));
            (self.go)(1).then_some((t, so))
        };
        let ended: Vec<(usize, bool)> = pairs.par_iter().map(future).collect::<Option<_>>()?;
        let moment = |(i, at): (usize, &Dur)| {
            let so = ended.iter().filter(|(t, so)| *t == i && *so).count() as u32;
            let before = self.events.partition_point(|e| e.at_us <= at.0 as i64);
            let event = before.checked_sub(1).map(|e| self.events[e].clone());
            Moment { at_us: at.0, so, of: self.q.futures, event }
        };
        Some(times.iter().enumerate().map(moment).collect())
    }

    /// What happened after the one moment and up to the other.
    fn between<'s>(&'s self, before: &Moment, after: &Moment) -> impl Iterator<Item = &'s Named> + use<'s> {
        let place = |at_us: u64| self.events.partition_point(|e| e.at_us <= at_us as i64);
        self.events[place(before.at_us)..place(after.at_us)].iter()
    }
}

/// The places of the greatest leaps between neighbours, those that chance hardly makes.
fn greatest(moments: &[Moment]) -> Vec<usize> {
    let leap = |i: usize| (moments[i + 1].share() - moments[i].share()).abs();
    let count = |m: &Moment| (m.so as usize, m.of as usize);
    let mut all: Vec<usize> = (0..moments.len().saturating_sub(1))
        .filter(|&i| moments[i + 1].leaps_from(&moments[i]))
        .filter(|&i| fisher_exact(count(&moments[i]), count(&moments[i + 1])) < CHANCE)
        .collect();
    all.sort_by(|&a, &b| leap(b).total_cmp(&leap(a)));
    all.truncate(LEAPS);
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario;

    #[test]
    fn endings_are_read_and_written() {
        for text in ["n_writes_lost > 0", "slots_served >= 17000", "won never", "breaks one-vote-per-epoch"] {
            assert_eq!(text.parse::<Ending>().unwrap().to_string(), text);
        }
        let metric = "n_writes_lost: link cut != 3".parse::<Ending>().unwrap();
        assert!(
            matches!(metric, Ending::Metric { name, operator: Operator::Unequal, .. } if name.ends_with("cut"))
        );
        for bad in ["", "lost", "n > x", "n ~ 3", "n > inf"] {
            assert!(bad.parse::<Ending>().unwrap_err().contains("is no ending"), "{bad}");
        }
        let near = "breaks one-vote-per-epok".parse::<Ending>().unwrap_err();
        assert!(near.ends_with("did you mean `one-vote-per-epoch`?"), "{near}");
    }

    /// A cluster in which a master is cut off and heals again before or after the node timeout, by chance.
    const COIN: &str = r#"
title = "A pause about as long as the node timeout"
end = "20s"
[cluster]
masters = 3
replicas-per-master = 1
config = { cluster-node-timeout = 2000 }
[[step]]
at = "4s"
do.pause = "n1"
[[step]]
at = "6.5s"
do.resume = "n1"
"#;

    #[test]
    fn the_share_is_certain_only_after_the_event_that_decides() {
        let s = scenario::parse("coin.toml", COIN, Path::new(".")).unwrap();
        let so = |seed| "n_failovers > 0".parse::<Ending>().unwrap().is_of(&s.run(seed, Level::Headline));
        let seed = (1..200).find(|&seed| so(seed)).expect("some pauses end in a failover");
        let ending: Ending = "n_failovers > 0".parse().unwrap();
        let q = Question { scenario: &s, seed, ending, futures: 24, moments: 6 };
        let a = examine(&q, &|_| true).unwrap().unwrap();
        let again = examine(&q, &|_| true).unwrap().unwrap();
        let shares = |a: &Answer| a.moments.iter().map(|m| (m.at_us, m.so)).collect::<Vec<_>>();
        assert_eq!(shares(&a), shares(&again), "the same question has the same answer");
        assert!(a.moments[0].so < 24, "not from the beginning");
        assert_eq!(a.moments.last().unwrap().so, 24, "the end is the end");
        let certain = a.certain_from_us.unwrap();
        assert!((4_000_000..9_000_000).contains(&certain), "{certain}");
        // From few futures to all of them within four seconds.
        assert!(!a.leaps.is_empty());
        for l in &a.leaps {
            assert!(l.after.leaps_from(&l.before), "{l:?}");
            let within = |e: &Named| (l.before.at_us as i64 + 1..=l.after.at_us as i64).contains(&e.at_us);
            assert!(l.events.iter().all(within), "{l:?}");
            assert!(l.gradual || l.after.at_us - l.before.at_us <= CLOSE.0, "{l:?}");
        }
        let stopped = examine(&q, &|_| false).unwrap();
        assert!(stopped.is_none());
        // A seed that does not end so is told which do.
        let other = (1..200).find(|&seed| !so(seed)).expect("some do not");
        let error = examine(&Question { seed: other, ..q }, &|_| true).unwrap_err();
        assert!(error.contains("of the seeds 1 to 100 do: "), "{error}");
    }
}
