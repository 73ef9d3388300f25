//! Meaning: from the syntax of a scenario to a plan and a script. Nothing stops at the first mistake;
//! a plan comes out only if there was none.

mod clients;
mod deploy;
mod expect;
mod lesson;
mod replication;
mod sentinel;
mod steps;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_spanned::Spanned;

use super::diagnostics::{Diagnostics, MAX_PROBLEMS, Problem};
use super::read::read;
use super::schema::{self, Words};
use super::{Lesson, Oracle, Question, Scenario};
use crate::base::Dur;
use crate::check::invariant::{INVARIANTS, Invariant, Kind};
use crate::check::{Expectation, Script};
use crate::params::nearest;
use crate::world::plan::{ClientPlan, Formation, NodeSpec, Plan, Step};

/// The largest deployment.
pub const MAX_NODES: usize = 1000;
/// More steps are refused.
pub const MAX_STEPS: usize = 10_000;
/// How long a run goes on after its last step, unless the file says so.
const TAIL: Dur = Dur::secs(10);
/// How long a run without steps is.
const IDLE: Dur = Dur::secs(30);
/// The wall clock of all hosts at the beginning: 2026-01-01 00:00:00 UTC.
const EPOCH_US: u64 = 1_767_225_600_000_000;

pub(super) fn scenario(
    name: &str,
    shown: &str,
    text: Arc<str>,
    dir: &Path,
) -> Result<Scenario, Box<Diagnostics>> {
    let read = read(&text);
    let mut l = Lower {
        dir: dir.to_path_buf(),
        text: text.clone(),
        sources: vec![(shown.to_string(), text)],
        lenient: !read.cut.is_empty(),
        names_unsure: read.cut.iter().any(|top| {
            top == "cluster" || top == "replication" || top == "sentinel" || top == "node" || top == "client"
        }),
        problems: read.problems,
        notes: Vec::new(),
        nodes: Vec::new(),
        clients: Vec::new(),
        masters: 0,
        standalone: false,
        steps: Vec::new(),
        expectations: Vec::new(),
        questions: Vec::new(),
    };
    let made = if read.is_toml { l.file(name, &read.file) } else { None };
    let Lower { mut problems, sources, .. } = l;
    match made {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => {
            problems.sort_by_key(|p| (p.source != 0, p.source, p.span.start));
            problems.truncate(MAX_PROBLEMS);
            Err(Box::new(Diagnostics { sources, problems }))
        }
    }
}

/// What is known so far.
struct Lower {
    dir: PathBuf,
    text: Arc<str>,
    sources: Vec<(String, Arc<str>)>,
    problems: Vec<Problem>,
    notes: Vec<String>,
    /// Something was cut out of the tree: what is missing may be that.
    lenient: bool,
    /// And what was cut out may have been a name.
    names_unsure: bool,
    nodes: Vec<NodeSpec>,
    clients: Vec<ClientPlan>,
    /// How many of the first nodes become masters of a cluster.
    masters: usize,
    /// The nodes are no cluster.
    standalone: bool,
    steps: Vec<Step>,
    expectations: Vec<Expectation>,
    questions: Vec<Question>,
}

impl Lower {
    fn file(&mut self, name: &str, file: &schema::File) -> Option<Scenario> {
        let cluster = file.cluster.clone().map(Spanned::into_inner);
        let formation = match (&cluster, &file.replication) {
            (Some(_), Some(r)) => {
                let help = "a deployment is either a cluster or a master with replicas".to_string();
                self.wrong(r.span(), "there are both [cluster] and [replication]", Some(help));
                Formation::None
            }
            (None, Some(r)) => self.replication(r.get_ref(), &file.node),
            (Some(c), None) => self.deployment(c, &file.node),
            (None, None) => {
                self.missing(0..0, "there is no [cluster] table", "add for example: [cluster] masters = 3");
                self.deployment(&schema::Cluster::default(), &file.node)
            }
        };
        let formation = match &file.sentinel {
            Some(s) => self.sentinels(s, formation),
            None => formation,
        };
        let network = self.network(&file.network);
        self.clients(&file.client);
        for slow in &file.network.slow {
            self.initial_slow(slow);
        }
        let initial = self.steps.clone();
        self.steps(&file.step);
        let lesson = file.lesson.as_ref().and_then(|l| self.lesson(l, initial));
        let title = self.title(file, lesson.as_ref());
        let end = self.end(file);
        let seed = file.seed.as_ref().map_or(1, |s| match u64::try_from(*s.get_ref()) {
            Ok(seed) => seed,
            Err(_) => {
                self.wrong(s.span(), "a seed is not negative", None);
                1
            }
        });
        let breaks = self.breaks(&file.breaks);
        let oracle = file.oracle.as_ref().and_then(|o| self.oracle(o));
        if !self.problems.is_empty() {
            return None;
        }
        let plan = Plan {
            title: title.clone(),
            nodes: std::mem::take(&mut self.nodes),
            clients: std::mem::take(&mut self.clients),
            formation,
            network,
            host: Default::default(),
            steps: std::mem::take(&mut self.steps),
            epoch_us: EPOCH_US,
        };
        Some(Scenario {
            name: name.to_string(),
            title,
            teaches: file.teaches.clone(),
            seed,
            lesson: lesson.map(Arc::new),
            plan: Arc::new(plan),
            script: Script { expectations: std::mem::take(&mut self.expectations), end, breaks },
            questions: std::mem::take(&mut self.questions),
            notes: std::mem::take(&mut self.notes),
            oracle,
        })
    }

    fn title(&mut self, file: &schema::File, lesson: Option<&Lesson>) -> String {
        match (&file.title, lesson) {
            (None, Some(lesson)) => lesson.title.en.clone(),
            (Some(t), Some(_)) => {
                let help = "leave it out: a lesson is called by its own title".to_string();
                self.wrong(t.span(), "there are two titles", Some(help));
                String::new()
            }
            (None, None) => {
                self.missing(0..0, "the scenario has no title", "begin with: title = \"...\"");
                String::new()
            }
            (Some(t), None) if t.get_ref().trim().is_empty() => {
                self.wrong(t.span(), "the title is empty", None);
                String::new()
            }
            (Some(t), None) => t.get_ref().clone(),
        }
    }

    fn end(&mut self, file: &schema::File) -> Dur {
        let steps = self.steps.iter().map(|s| s.at);
        let last = steps.chain(self.expectations.iter().map(|e| e.at)).max();
        let last = last.max(self.questions.iter().map(|q| q.at).max());
        match (&file.end, last) {
            (None, None) => IDLE,
            (None, Some(last)) => last + TAIL,
            (Some(end), last) => {
                let at = end.get_ref().0;
                if last.is_some_and(|last| at < last) {
                    let help = format!("the last step is at {}", last.unwrap_or_default());
                    self.wrong(end.span(), "the run ends before its last step", Some(help));
                }
                at
            }
        }
    }

    /// The invariants of these names.
    fn breaks(&mut self, names: &[Spanned<String>]) -> Vec<&'static Invariant> {
        let must = || INVARIANTS.iter().filter(|i| i.kind != Kind::Sometimes);
        let known: Vec<String> = must().map(|i| i.name.to_string()).collect();
        let mut found = Vec::new();
        for name in names {
            match must().find(|i| i.name == name.get_ref()) {
                Some(invariant) => found.push(invariant),
                None => self.unknown_name(name, "invariant", &known),
            }
        }
        found
    }

    fn oracle(&mut self, o: &schema::Oracle) -> Option<Oracle> {
        const NAMES: [&str; 25] = [
            "S1",
            "S2",
            "S3",
            "S4",
            "S5",
            "S6",
            "S7",
            "S8",
            "S9",
            "S10",
            "S11",
            "T1",
            "T2",
            "T3",
            "T4",
            "T5",
            "T6",
            "T7",
            "T8",
            "T9",
            "T10",
            "R1handshake",
            "R1lag",
            "R1cut",
            "R1full",
        ];
        let Some(name) = &o.scenario else {
            self.missing(0..0, "[oracle] does not say which scenario", "add for example: scenario = \"S1\"");
            return None;
        };
        if !NAMES.contains(&name.get_ref().as_str()) {
            let message = format!("the recorder has no scenario `{}`", name.get_ref());
            self.wrong(name.span(), message, Some(format!("it has {}", NAMES.join(", "))));
        }
        Some(Oracle { scenario: name.get_ref().clone(), variants: o.variants.clone() })
    }

    // ---- mistakes ---------------------------------------------------------------------------------

    fn wrong(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { source: 0, span, message: message.into(), help });
        }
    }

    /// Something that must be there is not.
    fn missing(&mut self, span: Range<usize>, message: impl Into<String>, help: &str) {
        if !self.lenient {
            self.wrong(span, message, Some(help.to_string()));
        }
    }

    /// The number if it lies in the range.
    fn number(&mut self, n: &Spanned<i64>, range: std::ops::RangeInclusive<i64>, what: &str) -> Option<i64> {
        if range.contains(n.get_ref()) {
            return Some(*n.get_ref());
        }
        let help = format!("{what} lies between {} and {}", range.start(), range.end());
        self.wrong(n.span(), format!("{} is no {what}", n.get_ref()), Some(help));
        None
    }

    // ---- names ------------------------------------------------------------------------------------

    fn unknown_name(&mut self, name: &Spanned<String>, what: &str, known: &[String]) {
        if self.names_unsure {
            return;
        }
        let near = nearest(name.get_ref(), known.iter().map(String::as_str));
        let help = match (near, known.len()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, 0) => format!("there is no {what}"),
            (None, 1..=12) => format!("there are {}", known.join(", ")),
            (None, n) => format!("there are {} to {} ({n} of them)", known[0], known[n - 1]),
        };
        self.wrong(name.span(), format!("there is no {what} `{}`", name.get_ref()), Some(help));
    }

    fn node_names(&self) -> Vec<String> {
        self.nodes.iter().map(|n| n.name.clone()).collect()
    }

    /// The name of a node, checked.
    fn node(&mut self, name: &Spanned<String>) -> String {
        if !self.nodes.iter().any(|n| n.name == *name.get_ref()) {
            let known = self.node_names();
            self.unknown_name(name, "node", &known);
        }
        name.get_ref().clone()
    }

    /// One node, where a key takes only one.
    fn one_node(&mut self, words: Option<&Words>, place: &Range<usize>, what: &str) -> Option<String> {
        match words.map(|w| w.0.as_slice()) {
            None | Some([]) => {
                self.missing(place.clone(), format!("{what} does not say which node"), "add: node = \"n1\"");
                None
            }
            Some([one]) => Some(self.node(one)),
            Some([_, second, ..]) => {
                self.wrong(second.span(), format!("{what} takes one node"), None);
                None
            }
        }
    }

    /// Nodes and, if `with_clients`, clients: names, `all`, `host:h1`, `rack:r1`, `zone:a`. In the order of
    /// the deployment, each once.
    fn group(&mut self, words: &Words, with_clients: bool) -> Vec<String> {
        let mut picked: Vec<String> = Vec::new();
        for word in &words.0 {
            let found = self.members(word, with_clients);
            picked.extend(found);
        }
        let mut known = self.node_names();
        known.extend(self.clients.iter().map(|c| c.name.clone()));
        known.retain(|name| picked.contains(name));
        if words.0.is_empty() && self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                source: 0,
                span: 0..0,
                message: "a list of nodes is empty".into(),
                help: Some("name at least one node, or leave the key out".into()),
            });
        }
        known
    }

    fn members(&mut self, word: &Spanned<String>, with_clients: bool) -> Vec<String> {
        let text = word.get_ref().as_str();
        if text == "all" {
            return self.node_names();
        }
        if let Some((kind @ ("host" | "rack" | "zone"), name)) = text.split_once(':') {
            let of = |p: &crate::world::plan::Place| match kind {
                "host" => p.host.clone(),
                "rack" => p.rack.clone(),
                _ => p.zone.clone(),
            };
            let nodes = self.nodes.iter().map(|n| (n.name.clone(), of(&n.place)));
            let clients = self.clients.iter().map(|c| (c.name.clone(), of(&c.place)));
            let all: Vec<(String, Option<String>)> = nodes.chain(clients.filter(|_| with_clients)).collect();
            let found: Vec<String> =
                all.iter().filter(|(_, p)| p.as_deref() == Some(name)).map(|(n, _)| n.clone()).collect();
            if found.is_empty() {
                let mut known: Vec<String> =
                    all.into_iter().filter_map(|(_, p)| p).map(|p| format!("{kind}:{p}")).collect();
                known.sort();
                known.dedup();
                self.unknown_name(word, kind, &known);
            }
            return found;
        }
        let mut known = self.node_names();
        if with_clients {
            known.extend(self.clients.iter().map(|c| c.name.clone()));
        }
        if !known.iter().any(|k| k == text) {
            let what = if with_clients { "node or client" } else { "node" };
            self.unknown_name(word, what, &known);
            return Vec::new();
        }
        vec![text.to_string()]
    }
}
