//! The syntax of a scenario file: what serde reads, with the place of everything that can be wrong.
//! Meaning is given in `lower`. Every key is documented in `keys`, and a test holds both equal.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_spanned::Spanned;

use crate::base::Dur;
use crate::check::Count;

/// A map whose keys know their place.
pub type Named<T> = BTreeMap<Spanned<String>, Spanned<T>>;

macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub struct $name { $(pub $field: $type,)* }
    };
}

table! {
    /// The whole file.
    File {
        title: Option<Spanned<String>>,
        teaches: Vec<String>,
        seed: Option<Spanned<i64>>,
        end: Option<Spanned<Time>>,
        breaks: Vec<Spanned<String>>,
        cluster: Option<Spanned<Cluster>>,
        replication: Option<Spanned<Replication>>,
        sentinel: Option<Spanned<Sentinel>>,
        network: Network,
        node: Vec<Spanned<Node>>,
        client: Vec<Spanned<Client>>,
        step: Vec<Spanned<Step>>,
        oracle: Option<Oracle>,
        lesson: Option<Spanned<Lesson>>,
    }
}
table! {
    Cluster {
        masters: Option<Spanned<i64>>,
        replicas_per_master: Option<Spanned<i64>>,
        base_port: Option<Spanned<i64>>,
        config: Named<Setting>,
        conf_files: Option<Spanned<Vec<Spanned<String>>>>,
        ips: Option<Spanned<Words>>,
        hosts: Vec<String>,
        racks: Vec<String>,
        zones: Vec<String>,
        form: Option<Form>,
        start: Option<StartWord>,
    }
}
table! {
    Replication {
        replicas: Option<Spanned<i64>>,
        chain: bool,
        base_port: Option<Spanned<i64>>,
        config: Named<Setting>,
        conf_files: Option<Spanned<Vec<Spanned<String>>>>,
        ips: Option<Spanned<Words>>,
        hosts: Vec<String>,
        racks: Vec<String>,
        zones: Vec<String>,
        form: Option<Follow>,
        start: Option<StartWord>,
    }
}
table! {
    Sentinel {
        sentinels: Option<Spanned<i64>>,
        master: Option<Spanned<String>>,
        quorum: Option<Spanned<i64>>,
        down_after_milliseconds: Option<Spanned<i64>>,
        failover_timeout: Option<Spanned<i64>>,
        parallel_syncs: Option<Spanned<i64>>,
        base_port: Option<Spanned<i64>>,
        conf_files: Option<Spanned<Vec<Spanned<String>>>>,
        ips: Option<Spanned<Words>>,
        hosts: Vec<String>,
        racks: Vec<String>,
        zones: Vec<String>,
        form: Option<Watch>,
    }
}
table! {
    Network {
        preset: Option<Spanned<String>>,
        latency: Option<Spanned<Latency>>,
        latency_zones: Option<Spanned<Latency>>,
        loss: Option<Spanned<String>>,
        bandwidth: Option<Spanned<String>>,
        slow: Vec<Slow>,
    }
}
table! {
    Quantiles {
        min: Option<Time>,
        p50: Option<Time>,
        p90: Option<Time>,
        p99: Option<Time>,
        max: Option<Time>,
    }
}
table! {
    Node {
        name: Option<Spanned<String>>,
        extra: bool,
        ip: Option<Spanned<String>>,
        config: Named<Setting>,
        host: Option<String>,
        rack: Option<String>,
        zone: Option<String>,
        clock: Option<Clock>,
    }
}
table! {
    Clock {
        offset: Option<SignedTime>,
        drift_ppm: Option<Spanned<i64>>,
    }
}
table! {
    Client {
        kind: Option<Spanned<String>>,
        name: Option<Spanned<String>>,
        count: Option<Spanned<i64>>,
        library: Option<Spanned<String>>,
        rate: Option<Spanned<i64>>,
        arrivals: Option<Spanned<Arrivals>>,
        in_flight: Option<Spanned<i64>>,
        workers: Option<Spanned<i64>>,
        think: Option<Spanned<Time>>,
        reads: Option<Spanned<i64>>,
        read_from: Option<Spanned<ReadFromWord>>,
        keys: Option<Spanned<i64>>,
        spread: Option<Spanned<SpreadWord>>,
        tag: Option<Spanned<String>>,
        value_size: Option<Spanned<i64>>,
        timeout: Option<Spanned<Time>>,
        connect_timeout: Option<Spanned<Time>>,
        retries: Option<Spanned<i64>>,
        wait: Option<Spanned<Wait>>,
        node: Option<Spanned<String>>,
        key: Option<Spanned<String>>,
        host: Option<String>,
        rack: Option<String>,
        zone: Option<String>,
    }
}
table! {
    Wait {
        replicas: Option<Spanned<i64>>,
        timeout: Option<Spanned<Time>>,
    }
}
table! {
    Step {
        at: Option<Spanned<Time>>,
        say: Option<String>,
        r#do: Option<Spanned<Do>>,
        expect: Option<Spanned<Expect>>,
        ask: Option<Spanned<Ask>>,
    }
}
table! {
    Ask {
        question: Option<String>,
        answer: Option<String>,
        choices: Vec<String>,
    }
}
table! {
    Oracle {
        scenario: Option<Spanned<String>>,
        variants: Vec<String>,
    }
}

table! {
    Lesson {
        order: Option<Spanned<i64>>,
        chapter: Option<String>,
        title: Option<Spanned<Text>>,
        goal: Option<Spanned<Text>>,
        say: Vec<Spanned<Say>>,
        predict: Vec<Spanned<Predict>>,
        exercise: Option<Spanned<Exercise>>,
        summary: Option<Spanned<Text>>,
        commands: Vec<String>,
        picture: Option<Spanned<Picture>>,
    }
}
table! {
    /// A text in every language of the program.
    Text {
        en: Option<String>,
        zh: Option<String>,
    }
}
table! {
    Say {
        at: Option<Spanned<Time>>,
        text: Option<Spanned<Text>>,
    }
}
table! {
    Predict {
        at: Option<Spanned<Time>>,
        until: Option<Spanned<Time>>,
        question: Option<Spanned<Text>>,
        choices: Vec<Spanned<Choice>>,
        number: Option<Spanned<Measure>>,
        near: Option<Spanned<i64>>,
        because: Option<Spanned<Text>>,
    }
}
table! {
    Choice {
        text: Option<Spanned<Text>>,
        expect: Option<Spanned<Expect>>,
    }
}
table! {
    Exercise {
        task: Option<Spanned<Text>>,
        hints: Vec<Spanned<Text>>,
        end: Option<Spanned<Time>>,
        step: Vec<Spanned<Step>>,
        check: Vec<Spanned<Expect>>,
        solution: Vec<Spanned<Step>>,
    }
}
table! {
    Picture {
        at: Option<Spanned<Time>>,
        keys: String,
        caption: Option<Spanned<Text>>,
    }
}

/// A number that the run gives.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    Slot(String),
    Slots(Spanned<String>),
    Epoch(Spanned<String>),
    Times(What),
    Seconds(Between),
    Milliseconds(Between),
    Gap(Spanned<String>),
    Writes(WriteCount),
    Reply(ReplyNumber),
}
table! {
    Between {
        from: Option<Spanned<What>>,
        to: Option<Spanned<What>>,
    }
}
table! {
    WriteCount {
        client: Option<Spanned<String>>,
        count: Option<Spanned<String>>,
    }
}
table! {
    ReplyNumber {
        node: Option<Spanned<String>>,
        field: Option<String>,
    }
}

/// How the nodes become a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Form {
    #[serde(rename = "redis-cli")]
    RedisCli,
    #[serde(rename = "nodes.conf")]
    NodesConf,
    #[serde(rename = "none")]
    None,
}

/// How replicas come to follow their master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Follow {
    /// By the `replicaof` of their configuration.
    Replicaof,
    /// They do not: steps send the commands.
    None,
}

/// When a deployment with sentinels counts as formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// They know each other and every replica.
    Sentinels,
    /// The replicas are in sync, whatever the sentinels know.
    Replicas,
}

/// When the nodes start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartWord {
    Random,
    Together,
}

/// One deed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Do {
    Kill(Words),
    Start(Words),
    StartEmpty(Words),
    Stop(Words),
    Crash(Words),
    PowerLoss(Words),
    Restart(Restart),
    FillDisk(Words),
    FreeDisk(Words),
    SlowDisk(SlowDisk),
    Pause(Words),
    Resume(Words),
    Cut(Cut),
    Heal(Words),
    Slow(Slow),
    ClockJump(ClockJump),
    Busy(Busy),
    Command(Command),
    RedisCli(RedisCli),
    Copy(CopyFile),
}

table! {
    Restart {
        node: Option<Words>,
        disk: Option<DiskWord>,
    }
}
table! {
    SlowDisk {
        node: Option<Words>,
        extra: Option<Time>,
    }
}
/// What becomes of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskWord {
    Keep,
    Empty,
}
table! {
    Cut {
        from: Option<Words>,
        to: Option<Words>,
        one_way: bool,
    }
}
table! {
    Slow {
        from: Option<Words>,
        to: Option<Words>,
        extra: Option<Time>,
    }
}
table! {
    ClockJump {
        node: Option<Words>,
        by: Option<SignedTime>,
    }
}
table! {
    Busy {
        node: Option<Words>,
        time: Option<Time>,
    }
}
table! {
    Command {
        node: Option<Words>,
        run: Option<Spanned<String>>,
    }
}

table! {
    RedisCli {
        run: Option<Spanned<String>>,
        answers: Vec<String>,
    }
}

table! {
    CopyFile {
        from: Option<Spanned<String>>,
        to: Option<Spanned<String>>,
    }
}

table! {
    Expect {
        cluster_state: Named<StateWord>,
        role: Named<String>,
        slots: Named<SlotsWord>,
        epoch: Named<Number>,
        failover: Option<Spanned<Failover>>,
        no_failover: Option<Spanned<String>>,
        refused: Option<Spanned<Refused>>,
        migrated: Option<Spanned<Migrated>>,
        known: Named<Words>,
        forgotten: Named<Words>,
        writes: Option<Spanned<Writes>>,
        link: Named<LinkWord>,
        key: Option<Spanned<Key>>,
        health: Named<String>,
        redis_cli: Option<Spanned<CliWanted>>,
        reply: Option<Spanned<Reply>>,
        happened: Option<Spanned<Happened>>,
        order: Option<Spanned<Vec<Spanned<What>>>>,
        agreement: Option<Spanned<bool>>,
    }
}
table! {
    Failover {
        of: Option<Spanned<String>>,
        by: Option<Words>,
        within: Option<Time>,
    }
}
table! {
    Refused {
        node: Option<Spanned<String>>,
        why: Option<Spanned<String>>,
    }
}
table! {
    Migrated {
        node: Option<Spanned<String>>,
        to: Option<Spanned<String>>,
    }
}
table! {
    Writes {
        client: Option<Spanned<String>>,
        acked: Option<Number>,
        kept: Option<Number>,
        lost: Option<Number>,
        lost_by: Named<Number>,
        refused: Option<Number>,
        unknown: Option<Number>,
        unserved: Option<Number>,
        stale_reads: Option<Number>,
    }
}
table! {
    Key {
        node: Option<Spanned<String>>,
        name: Option<String>,
        value: Option<String>,
    }
}
table! {
    Reply {
        node: Option<Spanned<String>>,
        is: Option<String>,
        starts: Option<String>,
        contains: Option<String>,
    }
}
table! {
    CliWanted {
        exit: Option<Spanned<i64>>,
        prints: Option<String>,
    }
}
table! {
    Happened {
        what: Option<Spanned<String>>,
        on: Option<Spanned<String>>,
        about: Option<Spanned<String>>,
        times: Option<Number>,
        since: Option<Time>,
    }
}
table! {
    What {
        what: Option<Spanned<String>>,
        on: Option<Spanned<String>>,
        about: Option<Spanned<String>>,
    }
}

/// When the commands of an open loop come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    Exact,
    Poisson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadFromWord {
    Master,
    Replica,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpreadWord {
    Uniform,
    Zipf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateWord {
    Ok,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkWord {
    Up,
    Down,
}

/// A length of time with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Dur);

/// A length of time that may be negative, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTime(pub i64);

/// A condition on a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub Count);

/// One word, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<Spanned<String>>);

/// The value of a directive of redis.conf, as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(pub String);

/// A condition on a number of slots, or the slots themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotsWord {
    Number(Count),
    Text(String),
}

/// Always the same, or by quantiles.
#[derive(Clone, Debug)]
pub enum Latency {
    Constant(Dur),
    Quantiles(Quantiles),
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Scalar::deserialize(d)?.text("a length of time such as \"250ms\" or \"10s\"").and_then(|t| {
            let found = Dur::parse(&t).map_err(D::Error::custom)?;
            if found > LONGEST {
                return Err(D::Error::custom(format!("`{t}` is too long: at most {LONGEST}")));
            }
            Ok(Time(found))
        })
    }
}

/// No time in a scenario is longer.
pub const LONGEST: Dur = Dur::secs(31 * 86_400);

impl<'de> Deserialize<'de> for SignedTime {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let t: String = Scalar::deserialize(d)?.text("a length of time such as \"5s\" or \"-250ms\"")?;
        let (sign, digits) = match t.trim().strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, t.trim().trim_start_matches('+')),
        };
        let d = Dur::parse(digits).map_err(D::Error::custom)?;
        if d > Dur::secs(100 * 366 * 86_400) {
            return Err(D::Error::custom(format!("`{t}` is too long: at most a hundred years")));
        }
        Ok(SignedTime(sign * d.0 as i64))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(d)? {
            Scalar::Int(n) if n >= 0 => Ok(Number(Count::Exactly(n as u64))),
            Scalar::Text(t) => Count::parse(&t).map(Number).map_err(D::Error::custom),
            _ => {
                Err(D::Error::custom("wanted a number that is not negative, or a condition such as \">= 5\""))
            }
        }
    }
}

impl<'de> Deserialize<'de> for SlotsWord {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(d)? {
            Scalar::Int(n) if n >= 0 => Ok(SlotsWord::Number(Count::Exactly(n as u64))),
            Scalar::Text(t) if t.trim_start().starts_with(['<', '>', '=']) => {
                Count::parse(&t).map(SlotsWord::Number).map_err(D::Error::custom)
            }
            Scalar::Text(t) => Ok(SlotsWord::Text(t)),
            _ => Err(D::Error::custom("wanted a number of slots, or slots such as \"0-5460\"")),
        }
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Setting(match Scalar::deserialize(d)? {
            Scalar::Int(n) => n.to_string(),
            Scalar::Bool(true) => "yes".into(),
            Scalar::Bool(false) => "no".into(),
            Scalar::Text(t) => t,
        }))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let all = Spanned::<Raw>::deserialize(d)?;
        let span = all.span();
        Ok(match all.into_inner() {
            Raw::One(word) => Words(vec![Spanned::new(span, word)]),
            Raw::Many(words) => Words(words),
        })
    }
}

enum Raw {
    One(String),
    Many(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Raw;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }
            fn visit_str<E: Error>(self, v: &str) -> Result<Raw, E> {
                Ok(Raw::One(v.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Raw, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Raw::Many)
            }
        }
        d.deserialize_any(Words)
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Latency;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time, or a table with min, p50, p90, p99, max")
            }
            fn visit_str<E: Error>(self, v: &str) -> Result<Latency, E> {
                Dur::parse(v).map(Latency::Constant).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Latency, A::Error> {
                Quantiles::deserialize(MapAccessDeserializer::new(map)).map(Latency::Quantiles)
            }
        }
        d.deserialize_any(Either)
    }
}

enum Scalar {
    Int(i64),
    Bool(bool),
    Text(String),
}

impl Scalar {
    fn text<E: Error>(self, wanted: &str) -> Result<String, E> {
        match self {
            Scalar::Text(t) => Ok(t),
            Scalar::Int(n) => Err(E::custom(format!("`{n}` has no unit: wanted {wanted}"))),
            Scalar::Bool(_) => Err(E::custom(format!("wanted {wanted}"))),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a whole number, true or false")
            }
            fn visit_i64<E: Error>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(v))
            }
            fn visit_bool<E: Error>(self, v: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(v))
            }
            fn visit_str<E: Error>(self, v: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(v.into()))
            }
        }
        d.deserialize_any(Any)
    }
}
