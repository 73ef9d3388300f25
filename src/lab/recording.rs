//! Reads a recording of real Redis: a JSON file with the trials of one scenario.
//!
//! Two recorders write two shapes, and both end in [`Recording`]:
//! - cluster: `{"scenario", "redis_version", "parameters", "trials": [{"variant", "victim", "topology",
//!   "metrics", "detail", ...}]}`, metrics are numbers or null;
//! - sentinel and replication: `{"header": {"scenario", "redis", ...}, "trials": [...]}`, where metrics may
//!   also be texts, lists and objects; those are kept in [`Trial::other`] and not compared.
//!
//! Fields that are not modelled are passed over, so newer recorders stay readable. A trial with an
//! `error` field is one that the recorder could not finish: it is counted, not used.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::compare::PARAMETER_METRICS;
use super::samples::Samples;
use super::stats;

/// Files above this are refused without being read.
pub const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A recording of real Redis under one scenario.
#[derive(Clone, Debug)]
pub struct Recording {
    /// `S1` to `S11`, `T1`, `R1cut`, ...
    pub scenario: String,
    /// `7.0.15`; empty if the file does not say.
    pub redis_version: String,
    pub shape: Shape,
    pub params: Params,
    /// Trials that the recorder finished, in the order of the file; never empty.
    pub trials: Vec<Trial>,
    /// What the recorder said of each trial that it could not finish.
    pub failed: Vec<String>,
}

/// Which recorder wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Cluster,
    Sentinel,
}

/// Parameters of the recorder that a simulation takes over. `None`: not said, or the server's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    /// `cluster-node-timeout`, ms.
    pub node_timeout: Option<u64>,
    pub masters: Option<u64>,
    /// Replicas per master.
    pub replicas: Option<u64>,
    /// Writes per second of the writer.
    pub rate: Option<f64>,
    /// Length of the fault, ms, if it was given: see [`Recording::hold_ms`] for the one in force.
    pub hold: Option<u64>,
    /// ms between kill and command (S4), between exit and start (S9).
    pub lead: Option<u64>,
    /// Quiet ms before an injection; the recorder adds a random 0 to 1500.
    pub settle: Option<u64>,
    /// `cluster-replica-validity-factor`.
    pub validity_factor: Option<u64>,
    /// `repl-diskless-sync-delay`, seconds.
    pub diskless_delay: Option<u64>,
    /// Clusters on which the trials took turns.
    pub jobs: Option<u64>,
    /// S10: slots to move, keys in each, bytes of a value.
    pub slots: Option<u64>,
    pub keys_per_slot: Option<u64>,
    pub value_size: Option<u64>,
    /// In the order the trials take turns.
    pub variants: Vec<String>,
}

/// One trial. Times are ms since the injection.
#[derive(Clone, Debug)]
pub struct Trial {
    pub number: Option<u64>,
    pub variant: String,
    /// Name of the node that was hurt, `n1`; the master of `topology` it is.
    pub victim: Option<String>,
    /// Node name to role: `master` or `replica of n3`.
    pub topology: BTreeMap<String, String>,
    /// S11: the number of nodes.
    pub nodes: Option<u64>,
    /// Finite values; `None` is a metric that did not happen.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// Metrics of the sentinel recorder that are not numbers, as JSON text.
    pub other: BTreeMap<String, Box<RawValue>>,
    /// Per-node times, votes, refusals, ..., as JSON text: its shape depends on the scenario.
    pub detail: Option<Box<RawValue>>,
    /// The sentinel recorder's parameters of this trial, as JSON text.
    pub params: Option<Box<RawValue>>,
    /// The worst scheduling delay that the recorder saw in itself: how disturbed the trial was.
    pub loop_lag_ms: Option<f64>,
}

/// Why a file is not a recording that can be used, in words for its user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RecordingError {
    pub file: String,
    /// Line and column (in bytes), from 1.
    pub at: Option<(usize, usize)>,
    pub what: String,
    /// What would be right.
    pub help: String,
    /// The text around the place.
    pub near: Option<String>,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it and where: no such file, a directory, more than [`MAX_BYTES`], not text, not
    /// JSON, not a recording, a metric that is not a number, no trials.
    pub fn read(path: &Path) -> Result<Recording, RecordingError> {
        let file = path.display().to_string();
        let fail = |what: String, help: &str| RecordingError::new(&file, what, help);
        let io = |e: std::io::Error| fail(format!("cannot be read: {e}"), "give the path of a recording");
        let found = File::open(path).map_err(io)?;
        let meta = found.metadata().map_err(io)?;
        if meta.is_dir() {
            return Err(fail("is a directory".into(), "give one of the recordings in it"));
        }
        let too_big = |size: String| {
            let limit = MAX_BYTES >> 20;
            fail(format!("is {size}: too big for a recording"), &format!("the limit is {limit} MiB"))
        };
        if meta.len() > MAX_BYTES {
            return Err(too_big(format!("{} MiB", meta.len() >> 20)));
        }
        let mut bytes = Vec::new();
        found.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(too_big("endless or growing".into()));
        }
        Recording::from_bytes(&file, &bytes)
    }

    /// Reads bytes; `file` is what errors call them.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Recording, RecordingError> {
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let what = format!("is not text: byte {} is not UTF-8", e.valid_up_to());
            RecordingError::new(file, what, "a recording is a JSON file in UTF-8")
        })?;
        Recording::from_text(file, text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// Reads JSON text; `file` is what errors call it.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn from_text(file: &str, text: &str) -> Result<Recording, RecordingError> {
        let json = |e: serde_json::Error| RecordingError::json(file, text, &e);
        let not_one = |what: &str| RecordingError::new(file, what.to_owned(), OUTLINE);
        if text.trim().is_empty() {
            return Err(not_one("is empty"));
        }
        if text.trim_start().starts_with('[') {
            return Err(not_one("is a list, not a recording"));
        }
        let probe: Probe = serde_json::from_str(text).map_err(json)?;
        if probe.trials.is_none() {
            return Err(not_one("is JSON, but not a recording: it has no `trials`"));
        }
        let (head, trials) = if probe.header.is_some() {
            let doc: Document<ANY> = serde_json::from_str(text).map_err(json)?;
            (doc.header.unwrap_or_default(), doc.trials.0)
        } else if probe.scenario.is_some() {
            let doc: Document<NUMBERS> = serde_json::from_str(text).map_err(json)?;
            let head = Header { scenario: doc.scenario, redis: doc.redis_version };
            return Recording::assemble(file, Shape::Cluster, head, doc.parameters, doc.trials.0);
        } else {
            return Err(not_one("is JSON, but not a recording: it has neither `scenario` nor `header`"));
        };
        Recording::assemble(file, Shape::Sentinel, head, None, trials)
    }

    /// All trials as plain numbers.
    pub fn samples(&self) -> Samples {
        let mut s = Samples::default();
        for t in &self.trials {
            s.push(&t.variant, t.metrics.iter().map(|(k, v)| (k.as_str(), *v)));
        }
        s
    }

    /// The variants that have trials, in the order of their first.
    pub fn variants(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for t in &self.trials {
            if !found.contains(&t.variant.as_str()) {
                found.push(&t.variant);
            }
        }
        found
    }

    /// Times that the recorder set itself (`restart_at`, ...), for a simulation to take over: the values
    /// of the trials of one variant.
    pub fn set_by_recorder(&self, variant: &str) -> BTreeMap<&'static str, Vec<f64>> {
        let mut found: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        for t in self.trials.iter().filter(|t| t.variant == variant) {
            for name in PARAMETER_METRICS {
                if let Some(Some(v)) = t.metrics.get(name) {
                    found.entry(name).or_default().push(*v);
                }
            }
        }
        found
    }

    /// How long the recorder holds the fault, ms: as given, or its default for scenario and variant. `None`
    /// where a scenario has no such time, or the node timeout is not known.
    pub fn hold_ms(&self, variant: &str) -> Option<u64> {
        let p = &self.params;
        let nt = p.node_timeout?;
        let given = p.hold.filter(|&h| h > 0);
        let allowed = 10_000 + nt.saturating_mul(p.validity_factor.unwrap_or(10));
        match self.scenario.as_str() {
            "S3" => given.or(Some(nt.saturating_mul(2).saturating_add(3000))),
            "S5" | "S6" => given.or(Some(nt.saturating_mul(4))),
            "S7" if variant == "stale" => {
                given.or(Some(allowed.saturating_add(nt.saturating_mul(2)).saturating_add(3000)))
            }
            "S7" => Some(allowed / 3),
            _ => None,
        }
    }

    /// Median and worst scheduling delay of the recorder over its trials, ms: the noise of the machine
    /// that recorded. `None` if the file does not say.
    pub fn loop_lag_ms(&self) -> Option<(f64, f64)> {
        let lags: Vec<f64> = self.trials.iter().filter_map(|t| t.loop_lag_ms).collect();
        let lags = stats::sorted(&lags);
        Some((stats::quantile(&lags, 0.5)?, stats::quantile(&lags, 1.0)?))
    }

    fn assemble(
        file: &str,
        shape: Shape,
        head: Header,
        params: Option<RawParams>,
        items: Vec<Item>,
    ) -> Result<Recording, RecordingError> {
        let total = items.len();
        let (mut trials, mut failed) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                Item::Done(t) => trials.push(*t),
                Item::Failed(why) => failed.push(why),
            }
        }
        if trials.is_empty() {
            let what = match failed.first() {
                None => "has no trials".to_owned(),
                Some(why) => format!("has no finished trial: all {total} failed, the first with: {why}"),
            };
            return Err(RecordingError::new(
                file,
                what,
                "a comparison needs at least one trial with metrics",
            ));
        }
        let version = head.redis.unwrap_or_default();
        Ok(Recording {
            scenario: head.scenario.unwrap_or_default(),
            redis_version: version.trim_start_matches("v=").to_owned(),
            shape,
            params: params.unwrap_or_default().into(),
            trials,
            failed,
        })
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}; {}", self.what, self.help)?;
        if let Some(near) = &self.near {
            write!(f, " (near `{near}`)")?;
        }
        Ok(())
    }
}

// ---- helpers ----

const OUTLINE: &str = "a recording is an object with `scenario`, `parameters` and `trials` (cluster) or `header` \
                       and `trials` (sentinel)";

impl RecordingError {
    fn new(file: &str, what: String, help: &str) -> RecordingError {
        RecordingError { file: file.to_owned(), at: None, what, help: help.to_owned(), near: None }
    }

    fn json(file: &str, text: &str, e: &serde_json::Error) -> RecordingError {
        let (line, column) = (e.line(), e.column());
        let message = e.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(m, _)| m);
        let place = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        // serde_json stops on the last byte it read.
        let before = place.get(..column.saturating_sub(1)).unwrap_or(place);
        let rest = place.get(before.len()..).unwrap_or_default();
        let help = if ["NaN", "Infinity", "-Infinity"].iter().any(|w| {
            let back = before.len().saturating_sub(w.len());
            place.get(back..).unwrap_or_default().contains(w)
        }) {
            "JSON has no NaN and no Infinity: write null for what did not happen"
        } else if e.is_data() {
            "a recording has another kind of value there"
        } else if e.is_eof() {
            "the file ends too early: was it still being written?"
        } else {
            "this is where it stops being JSON"
        };
        let (what, help) = match message.split_once(" || ") {
            Some((what, help)) => (what, help),
            None => (message, help),
        };
        let tail: String = {
            let n = before.chars().count().saturating_sub(36);
            before.chars().skip(n).collect()
        };
        let near: String = tail.chars().chain(rest.chars().take(24)).filter(|c| !c.is_control()).collect();
        RecordingError {
            file: file.to_owned(),
            at: Some((line, column)),
            what: escape(&what.replace("expected f64", "expected a number")),
            help: help.to_owned(),
            near: (!near.is_empty()).then_some(near),
        }
    }
}

/// Text from a file, safe to print on a terminal and not longer than a line or two.
fn escape(text: &str) -> String {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.chars().count() > 200 { shown + "…" } else { shown }
}

/// Looks at the outermost level only.
#[derive(serde::Deserialize)]
struct Probe {
    header: Option<IgnoredAny>,
    scenario: Option<IgnoredAny>,
    trials: Option<IgnoredAny>,
}

/// Whether metrics must be numbers or null, or may be anything.
const NUMBERS: bool = true;
const ANY: bool = false;

#[derive(serde::Deserialize)]
struct Document<const STRICT: bool> {
    #[serde(default)]
    header: Option<Header>,
    #[serde(default)]
    scenario: Option<String>,
    #[serde(default)]
    redis_version: Option<String>,
    #[serde(default)]
    parameters: Option<RawParams>,
    trials: Items<STRICT>,
}

#[derive(Default, serde::Deserialize)]
struct Header {
    scenario: Option<String>,
    redis: Option<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct RawParams {
    node_timeout: Whole,
    masters: Whole,
    replicas: Whole,
    rate: Option<f64>,
    hold: Whole,
    lead: Whole,
    settle: Whole,
    validity_factor: Whole,
    diskless_delay: Whole,
    jobs: Whole,
    slots: Whole,
    keys_per_slot: Whole,
    value_size: Whole,
    variants: Option<Vec<String>>,
}

impl From<RawParams> for Params {
    fn from(r: RawParams) -> Params {
        Params {
            node_timeout: r.node_timeout.0,
            masters: r.masters.0,
            replicas: r.replicas.0,
            rate: r.rate,
            hold: r.hold.0,
            lead: r.lead.0,
            settle: r.settle.0,
            validity_factor: r.validity_factor.0,
            diskless_delay: r.diskless_delay.0,
            jobs: r.jobs.0,
            slots: r.slots.0,
            keys_per_slot: r.keys_per_slot.0,
            value_size: r.value_size.0,
            variants: r.variants.unwrap_or_default(),
        }
    }
}

/// A whole number that is not negative, or null. `200` and `200.0` are both one.
#[derive(Clone, Copy, Default)]
struct Whole(Option<u64>);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number that is not negative, or null")
            }
            fn visit_u64<E>(self, v: u64) -> Result<Whole, E> {
                Ok(Whole(Some(v)))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Whole, E> {
                let whole = (0.0..9e15).contains(&v) && v.fract() == 0.0;
                if whole {
                    Ok(Whole(Some(v as u64)))
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(v), &self))
                }
            }
            fn visit_unit<E>(self) -> Result<Whole, E> {
                Ok(Whole(None))
            }
        }
        d.deserialize_any(Number)
    }
}

/// A trial of the file.
enum Item {
    Done(Box<Trial>),
    Failed(String),
}

#[derive(serde::Deserialize)]
struct RawTrial<const STRICT: bool> {
    #[serde(default)]
    trial: Whole,
    variant: Option<String>,
    victim: Option<Box<RawValue>>,
    topology: Option<Box<RawValue>>,
    #[serde(default)]
    nodes: Whole,
    metrics: Option<Metrics<STRICT>>,
    detail: Option<Box<RawValue>>,
    params: Option<Box<RawValue>>,
    loop_lag_ms: Option<f64>,
    error: Option<Box<RawValue>>,
}

struct Items<const STRICT: bool>(Vec<Item>);

impl<'de, const STRICT: bool> Deserialize<'de> for Items<STRICT> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct List<const STRICT: bool>;
        impl<'de, const STRICT: bool> Visitor<'de> for List<STRICT> {
            type Value = Items<STRICT>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of trials")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Items<STRICT>, A::Error> {
                let mut items = Vec::new();
                while let Some(raw) = seq.next_element::<RawTrial<STRICT>>()? {
                    items.push(raw.finish(items.len())?);
                }
                Ok(Items(items))
            }
        }
        d.deserialize_seq(List::<STRICT>)
    }
}

impl<const STRICT: bool> RawTrial<STRICT> {
    fn finish<E: de::Error>(self, index: usize) -> Result<Item, E> {
        if let Some(why) = self.error {
            return Ok(Item::Failed(escape(&plain_text(&why))));
        }
        let Some(metrics) = self.metrics else {
            let wrong = "has neither `metrics` nor `error`";
            return Err(E::custom(format!(
                "trial {index} of the list {wrong} || a trial is an object with `variant` and `metrics`"
            )));
        };
        Ok(Item::Done(Box::new(Trial {
            number: self.trial.0,
            variant: self.variant.unwrap_or_else(|| "default".to_owned()),
            victim: self.victim.as_deref().map(plain_text).map(Cow::into_owned),
            topology: self.topology.and_then(|t| serde_json::from_str(t.get()).ok()).unwrap_or_default(),
            nodes: self.nodes.0,
            metrics: metrics.numbers,
            other: metrics.other,
            detail: self.detail,
            params: self.params,
            loop_lag_ms: self.loop_lag_ms,
        })))
    }
}

/// A JSON string without its quotes; any other value as it is written.
fn plain_text(value: &RawValue) -> Cow<'_, str> {
    serde_json::from_str::<String>(value.get()).map_or(Cow::Borrowed(value.get()), Cow::Owned)
}

struct Metrics<const STRICT: bool> {
    numbers: BTreeMap<String, Option<f64>>,
    other: BTreeMap<String, Box<RawValue>>,
}

impl<'de, const STRICT: bool> Deserialize<'de> for Metrics<STRICT> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Map<const STRICT: bool>(PhantomData<()>);
        impl<'de, const STRICT: bool> Visitor<'de> for Map<STRICT> {
            type Value = Metrics<STRICT>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of metrics: name to number or null")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Metrics { numbers: BTreeMap::new(), other: BTreeMap::new() };
                while let Some(name) = map.next_key::<String>()? {
                    let value: Box<RawValue> = map.next_value()?;
                    match value.get().as_bytes().first() {
                        Some(b'-' | b'0'..=b'9') => {
                            let number: f64 = value.get().parse().unwrap_or(f64::NAN);
                            if !number.is_finite() {
                                return Err(wrong_metric(&name, "out of range", &value));
                            }
                            all.numbers.insert(name, Some(number));
                        }
                        Some(b'n') => {
                            all.numbers.insert(name, None);
                        }
                        _ if !STRICT => {
                            all.other.insert(name, value);
                        }
                        first => return Err(wrong_metric(&name, kind(first.copied()), &value)),
                    }
                }
                Ok(all)
            }
        }
        d.deserialize_map(Map::<STRICT>(PhantomData))
    }
}

fn wrong_metric<E: de::Error>(name: &str, what: &str, value: &RawValue) -> E {
    let shown: String = value.get().chars().take(40).collect();
    E::custom(format!(
        "metric `{}` is {what}: {shown} || a metric is a number of ms (or a count), or null if it did not happen",
        escape(name)
    ))
}

fn kind(first: Option<u8>) -> &'static str {
    match first {
        Some(b'"') => "a text",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        _ => "not a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/oracle");

    fn fixture(name: &str) -> Recording {
        Recording::read(&Path::new(FOLDER).join(name)).unwrap_or_else(|e| panic!("{e}"))
    }

    fn error(text: &str) -> String {
        Recording::from_text("r.json", text).expect_err(text).to_string()
    }

    #[test]
    fn reads_every_fixture() {
        for folder in [FOLDER.to_owned(), format!("{FOLDER}/sentinel")] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // events.json holds sequences of log lines, no trials.
                let trials = path.file_stem().is_some_and(|n| n != "events");
                if trials && path.extension().is_some_and(|e| e == "json") {
                    let r = Recording::read(&path).unwrap_or_else(|e| panic!("{e}"));
                    assert_eq!(r.redis_version, "7.0.15");
                    assert!(!r.scenario.is_empty() && r.samples().trials() == r.trials.len());
                    assert!(r.trials.iter().all(|t| !t.metrics.is_empty()));
                }
            }
        }
    }

    #[test]
    fn knows_parameters_variants_and_topology() {
        let r = fixture("S2_nt2000.json");
        let p = &r.params;
        assert_eq!(
            (p.node_timeout, p.masters, p.replicas, p.rate),
            (Some(2000), Some(3), Some(2), Some(200.0))
        );
        assert_eq!((p.hold, p.lead, p.settle, p.validity_factor), (None, Some(200), Some(1500), None));
        assert_eq!(p.variants, ["equal", "lag"]);
        assert_eq!(r.variants(), ["equal", "lag"]);
        assert_eq!((r.shape, r.trials.len(), r.failed.len()), (Shape::Cluster, 30, 0));
        let t = &r.trials[0];
        assert_eq!(t.topology[t.victim.as_deref().unwrap()], "master");
        assert!(t.detail.is_some() && t.loop_lag_ms.is_some() && r.loop_lag_ms().is_some());
        assert_eq!(r.set_by_recorder("lag")["restart_at"].len(), 15);
        let s5 = fixture("S5_nt2000.json");
        assert_eq!(s5.hold_ms("nomajority"), Some(8000));
        // Null in all ten trials: known, and never happened.
        assert!(s5.samples().variants["nomajority"].metrics["fail_of_back_after_back"].is_empty());
        assert_eq!(fixture("S11_n24_nt5000.json").trials[0].nodes, Some(24));
        assert_eq!(fixture("S10_nt2000.json").params.keys_per_slot, Some(100));
    }

    #[test]
    fn sentinel_metrics_that_are_no_numbers_are_kept_apart() {
        let r = fixture("sentinel/R1_cut.json");
        assert_eq!((r.shape, r.scenario.as_str()), (Shape::Sentinel, "R1cut"));
        assert!(r.trials.iter().any(|t| t.other["outcome"].get() == "\"partial\""));
        assert!(r.trials[0].metrics["d_heal_to_in_sync"].is_some());
    }

    /// The recorder's own summary of a file equals ours: quantiles and the choice of trials agree.
    #[test]
    fn equals_the_summary_that_the_recorder_wrote() {
        let text = std::fs::read_to_string(format!("{FOLDER}/S1_nt2000.json")).unwrap();
        let doc: serde_json::Value = serde_json::from_str(&text).unwrap();
        let ours = Recording::from_text("S1", &text).unwrap().samples();
        let theirs = doc["summary"]["kill"].as_object().unwrap();
        assert!(theirs.len() > 20);
        for (name, s) in theirs {
            let v = stats::sorted(&ours.variants["kill"].metrics[name]);
            assert_eq!(s["n"], v.len());
            for (field, q) in [("p10", 0.1), ("p50", 0.5), ("p90", 0.9), ("min", 0.0), ("max", 1.0)] {
                let (got, want) = (stats::quantile(&v, q).unwrap(), s[field].as_f64().unwrap());
                assert!((got - want).abs() <= 0.0551, "{name} {field}: {got} {want}");
            }
        }
    }

    #[test]
    fn errors_say_what_where_and_what_would_be_right() {
        let outline = "a recording is an object with `scenario`, `parameters` and `trials` (cluster) or `header` and \
                       `trials` (sentinel)";
        let number = "a metric is a number of ms (or a count), or null if it did not happen";
        let cases = [
            ("", format!(": is empty; {outline}")),
            ("[1,2]", format!(": is a list, not a recording; {outline}")),
            (r#"{"a": 1}"#, format!(": is JSON, but not a recording: it has no `trials`; {outline}")),
            (
                r#"{"trials": []}"#,
                format!(": is JSON, but not a recording: it has neither `scenario` nor `header`; {outline}"),
            ),
            (
                r#"{"scenario": "S1", "trials": []}"#,
                ": has no trials; a comparison needs at least one trial with metrics".into(),
            ),
            (
                r#"{"scenario": "S1", "trials": 7}"#,
                ":1:30: invalid type: integer `7`, expected a list of trials; a recording has another kind of value \
                 there (near `{\"scenario\": \"S1\", \"trials\": 7}`)"
                    .into(),
            ),
            (
                "{\"scenario\": \"S1\",\n \"trials\": [\n{\"metrics\": {\"won\": \"soon\"}}]}",
                format!(":3:27: metric `won` is a text: \"soon\"; {number} (near `{{\"metrics\": {{\"won\": \"soon\"}}}}]}}`)"),
            ),
            (
                r#"{"scenario": "S1", "trials": [{"metrics": {"won": [1]}}]}"#,
                format!(":1:54: metric `won` is a list: [1]; {number} (near `, \"trials\": [{{\"metrics\": {{\"won\": [1]}}}}]}}`)"),
            ),
            (
                r#"{"scenario": "S1", "trials": [{"metrics": {"won": NaN}}]}"#,
                ":1:51: expected value; JSON has no NaN and no Infinity: write null for what did not happen \
                 (near `S1\", \"trials\": [{\"metrics\": {\"won\": NaN}}]}`)"
                    .into(),
            ),
            (
                r#"{"scenario": "S1", "trials": [{"metrics": {"won": 1e999}}]}"#,
                format!(":1:56: metric `won` is out of range: 1e999; {number} (near `\"trials\": [{{\"metrics\": {{\"won\": 1e999}}}}]}}`)"),
            ),
            (
                r#"{"scenario": "S1", "trials": [{"variant": "kill"}]}"#,
                ":1:50: trial 0 of the list has neither `metrics` nor `error`; a trial is an object with `variant` and \
                 `metrics` (near `\"S1\", \"trials\": [{\"variant\": \"kill\"}]}`)"
                    .into(),
            ),
            (
                r#"{"scenario": "S1", "trials": [{"trial": 0, "error": "Timeout: no cluster"}]}"#,
                ": has no finished trial: all 1 failed, the first with: Timeout: no cluster; a comparison needs at \
                 least one trial with metrics"
                    .into(),
            ),
            (
                r#"{"scenario": "S1", "parameters": {"node_timeout": -5}, "trials": []}"#,
                ":1:52: invalid type: integer `-5`, expected a whole number that is not negative, or null; a \
                 recording has another kind of value there (near `1\", \"parameters\": {\"node_timeout\": -5}, \"trials\": \
                 []}`)"
                    .into(),
            ),
            (
                r#"{"scenario": "S1", "parameters": {"rate": "fast"}, "trials": []}"#,
                ":1:48: invalid type: string \"fast\", expected a number; a recording has another kind of value there \
                 (near `: \"S1\", \"parameters\": {\"rate\": \"fast\"}, \"trials\": []}`)"
                    .into(),
            ),
            (
                r#"{"scenario": "S1", "trials": [{"metrics": {"won": 12"#,
                ":1:52: EOF while parsing an object; the file ends too early: was it still being written? (near `1\", \
                 \"trials\": [{\"metrics\": {\"won\": 12`)"
                    .into(),
            ),
            ("port 7000\n", ":1:1: expected value; this is where it stops being JSON (near `port 7000`)".into()),
        ];
        let (got, want): (Vec<_>, Vec<_>) =
            cases.into_iter().map(|(text, want)| (error(text), format!("r.json{want}"))).unzip();
        assert_eq!(got, want);
        let binary = Recording::from_bytes("r.json", b"\x7fELF\x02\x01\xff\xfe").unwrap_err().to_string();
        assert_eq!(binary, "r.json: is not text: byte 6 is not UTF-8; a recording is a JSON file in UTF-8");
    }

    #[test]
    fn trials_that_failed_are_counted_and_left_out() {
        let text =
            r#"{"scenario":"S1","trials":[{"trial":0,"error":"x: y"},{"trial":1,"metrics":{"won":1}}]}"#;
        let r = Recording::from_text("r", text).unwrap();
        assert_eq!((r.trials.len(), r.failed.as_slice()), (1, &["x: y".to_owned()][..]));
        assert_eq!(r.trials[0].variant, "default");
    }

    #[test]
    fn a_huge_file_is_refused_unread() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge.json");
        File::create(&path).unwrap().set_len(1 << 30).unwrap(); // sparse: takes no room
        let e = Recording::read(&path).unwrap_err();
        assert_eq!(
            (e.what.as_str(), e.help.as_str()),
            ("is 1024 MiB: too big for a recording", "the limit is 256 MiB")
        );
        assert!(Recording::read(dir.path()).unwrap_err().what.contains("directory"));
        assert!(Recording::read(&dir.path().join("none")).unwrap_err().what.contains("cannot be read"));
    }

    /// Damaged recordings give an error or a recording, never a panic.
    #[test]
    fn damaged_recordings_never_panic() {
        damage_and_read(10_000);
    }

    #[test]
    #[ignore = "takes minutes"]
    fn a_million_damaged_recordings_never_panic() {
        damage_and_read(1_000_000);
    }

    fn damage_and_read(rounds: u32) {
        let whole = ["S5_nt2000.json", "S11_n6_nt2000.json", "sentinel/R1_cut.json"];
        // The head and the first trials: small, so that most damage hits something that matters.
        let bases: Vec<Vec<u8>> = whole
            .iter()
            .map(|name| {
                let text = std::fs::read_to_string(format!("{FOLDER}/{name}")).unwrap();
                let r: serde_json::Value = serde_json::from_str(&text).unwrap();
                let mut r = r.as_object().unwrap().clone();
                r.remove("summary");
                let trials = r["trials"].as_array_mut().unwrap();
                trials.truncate(2);
                for t in trials {
                    let t = t.as_object_mut().unwrap();
                    for big in ["detail", "notes", "events", "replica_log", "master_log"] {
                        t.remove(big);
                    }
                }
                serde_json::to_vec(&r).unwrap()
            })
            .collect();
        const TOKENS: &[&str] = &[
            "NaN",
            "null",
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            ",",
            "-",
            "1e999",
            "-0.0",
            "\u{0}",
            "\\u0000",
            "\\ud800",
            "true",
            "9999999999999999999999",
            "\"error\":1,",
            "\"metrics\":{},",
            "\"trials\":",
            "é",
            "[[[[[[[[[[[[[[",
            "\"header\":{},",
            "\"won\":[],",
        ];
        let mut rng = Rng::named(1, "damaged recordings");
        let mut readable = 0;
        for _ in 0..rounds {
            let mut bytes = bases[rng.below(3) as usize].clone();
            for _ in 0..=rng.below(3) {
                let at = rng.below(bytes.len() as u32) as usize;
                let end = (at + rng.below(40) as usize).min(bytes.len());
                match rng.below(6) {
                    0 => bytes[at] = rng.u32() as u8,
                    1 => drop(bytes.drain(at..end)),
                    2 => bytes.truncate(at.max(1)),
                    3 => {
                        let copy = bytes[at..end].to_vec();
                        let to = rng.below(bytes.len() as u32) as usize;
                        bytes.splice(to..to, copy);
                    }
                    4 => {
                        let token = TOKENS[rng.below(TOKENS.len() as u32) as usize];
                        bytes.splice(at..at, token.bytes());
                    }
                    _ => {
                        let token = TOKENS[rng.below(TOKENS.len() as u32) as usize];
                        bytes.splice(at..end, token.bytes());
                    }
                }
                if bytes.is_empty() {
                    bytes.push(b'{');
                }
            }
            match Recording::from_bytes("damaged", &bytes) {
                Ok(r) => {
                    readable += 1;
                    assert!(!r.trials.is_empty());
                    assert!(
                        r.samples()
                            .variants
                            .values()
                            .flat_map(|v| v.metrics.values())
                            .flatten()
                            .all(|x| x.is_finite())
                    );
                    let _ = (r.hold_ms("stale"), r.loop_lag_ms(), r.variants());
                }
                Err(e) => {
                    let text = e.to_string();
                    assert!(text.len() < 2000 && !text.contains('\n'), "{text}");
                }
            }
        }
        assert!(readable > 0);
    }
}
