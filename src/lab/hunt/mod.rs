//! Hunt and shrink: a swarm of faults drawn from each seed on top of a scenario, then everything is healed and
//! the deployment must recover; a run that breaks an invariant is made as small as it goes and kept as a
//! scenario that shows the defect.
//!
//! `swarm` draws the faults, `shrink` makes a catch smaller. Which invariants there are says
//! [`crate::check::invariant`]. Nothing here knows a defect: what is found is what the swarm walks into.
//! Read first: [`Hunt`], then [`swarm::FAULTS`].

pub mod shrink;
pub mod swarm;

use std::sync::Arc;

use crate::base::Dur;
use crate::check::invariant::{self, INVARIANTS};
use crate::check::{Finding, Held, Invariant, Outcome};
use crate::scenario::Scenario;
use crate::trace::Level;

use swarm::Fault;

/// What is hunted, and how.
#[derive(Clone, Debug)]
pub struct Hunt {
    base: Scenario,
    faults: Vec<&'static Fault>,
}

/// What one seed gave: what became of each invariant, in the order of [`INVARIANTS`].
#[derive(Clone, Debug)]
pub struct Verdict {
    pub seed: u64,
    pub findings: Vec<Finding>,
}

/// An invariant over all seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub invariant: &'static str,
    pub kind: invariant::Kind,
    /// Seeds in which it could be judged.
    pub judged: u64,
    /// Seeds that broke it; of one that holds only sometimes, those that reached it.
    pub hits: u64,
    /// The smallest of them, and what was seen.
    pub first: Option<(u64, String)>,
}

/// How long faults are drawn for, from the base's last step on.
pub const WINDOW: Dur = Dur::secs(30);
/// The first second is left in peace.
const CALM: Dur = Dur::secs(1);

impl Hunt {
    /// A hunt on a scenario: its deployment, clients and steps; what it expects and asks is left out. Faults
    /// of `names` only, or of all kinds that fit the deployment.
    ///
    /// # Errors
    /// A kind of fault that there is not, or that does not fit; a deployment that no fault fits.
    pub fn new(base: &Scenario, names: &[String]) -> Result<Hunt, String> {
        let faults = swarm::fitting(&base.plan, names)?;
        let mut base = base.clone();
        base.script.expectations.clear();
        base.script.breaks.clear();
        base.questions.clear();
        base.oracle = None;
        Ok(Hunt { base, faults })
    }

    /// The kinds of faults that are drawn.
    pub fn faults(&self) -> &[&'static Fault] {
        &self.faults
    }

    /// The base with what the seed draws, which is then healed, and time to recover.
    pub fn scenario(&self, seed: u64) -> Scenario {
        let mut s = self.base.clone();
        let plan = Arc::make_mut(&mut s.plan);
        let begin = plan.steps.iter().map(|step| step.at).max().unwrap_or_default() + CALM;
        let end = begin + WINDOW;
        let drawn = swarm::draw(plan, &self.faults, seed, begin, WINDOW);
        let mended = swarm::mend(plan, &drawn, end);
        plan.steps.extend(drawn);
        plan.steps.extend(mended);
        s.seed = seed;
        s.script.end = end + swarm::recovery(plan);
        s
    }

    /// Runs the seed.
    pub fn verdict(&self, seed: u64) -> Verdict {
        Verdict { seed, findings: run(&self.scenario(seed)).findings }
    }
}

/// Runs a scenario under its own seed.
pub fn run(s: &Scenario) -> Outcome {
    s.run(s.seed, Level::Headline)
}

/// Counts by invariant, whatever the order of the verdicts.
pub fn tally(verdicts: &[Verdict]) -> Vec<Tally> {
    let count = |(k, i): (usize, &'static Invariant)| {
        let mut t = Tally { invariant: i.name, kind: i.kind, judged: 0, hits: 0, first: None };
        for v in verdicts {
            let hit = match (&v.findings[k].held, i.kind) {
                (Held::Unjudged(_), _) => continue,
                (Held::Yes, invariant::Kind::Sometimes) => Some(String::new()),
                (Held::No { seen, .. }, invariant::Kind::Always | invariant::Kind::Eventually) => {
                    Some(seen.clone())
                }
                _ => None,
            };
            t.judged += 1;
            let Some(seen) = hit else { continue };
            t.hits += 1;
            if t.first.as_ref().is_none_or(|(seed, _)| v.seed < *seed) {
                t.first = Some((v.seed, seen));
            }
        }
        t
    };
    INVARIANTS.iter().enumerate().map(count).collect()
}

/// The smallest seed that breaks all of `wanted`; if nothing is wanted, that breaks something, and the first that
/// it breaks.
pub fn smallest(
    verdicts: &[Verdict],
    wanted: &[&'static Invariant],
) -> Option<(u64, Vec<&'static Invariant>)> {
    let caught = |v: &Verdict| match wanted {
        [] => v.findings.iter().find(|f| f.is_broken()).map(|f| vec![f.invariant]),
        _ => breaks_all(&v.findings, wanted).then(|| wanted.to_vec()),
    };
    verdicts.iter().filter_map(|v| Some((v.seed, caught(v)?))).min_by_key(|(seed, _)| *seed)
}

/// Whether a run broke every one of them.
fn breaks_all(findings: &[Finding], wanted: &[&'static Invariant]) -> bool {
    wanted.iter().all(|i| findings.iter().any(|f| f.is_broken() && f.invariant.name == i.name))
}

/// The invariant of this name that must hold.
///
/// # Errors
/// There is none; the nearest name.
pub fn wanted(name: &str) -> Result<&'static Invariant, String> {
    let must = || INVARIANTS.iter().filter(|i| i.kind != invariant::Kind::Sometimes);
    must().find(|i| i.name == name).ok_or_else(|| {
        let near = crate::params::nearest(name, must().map(|i| i.name));
        let help = near.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
        format!("there is no check `{name}` that can fail{help}")
    })
}

/// The page of the manual: what is drawn, and what is checked.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Faults and checks of a hunt\n\n\
         `slotscope hunt` draws faults from each seed, heals everything, and looks whether a check is broken.\n\
         The checks of the kinds `always` and `eventually` hold in every run of every command; a scenario with\n\
         `breaks = [...]` shows a known defect. Checks of the kind `sometimes` never fail: they show which rare\n\
         things the seeds have reached.\n\n\
         ## Checks\n\n| check | must hold | what it says |\n| --- | --- | --- |\n",
    );
    for i in INVARIANTS {
        out += &format!("| `{}` | {} | {} |\n", i.name, i.kind.name(), i.doc);
    }
    out += "\n## Faults\n\nA seed takes about half of the kinds that fit the deployment.\n\n";
    out += "| fault | what is done |\n| --- | --- |\n";
    for f in swarm::FAULTS {
        out += &format!("| `{}` | {} |\n", f.name, f.doc);
    }
    out
}
