//! A deployment of Sentinel as one sentinel tells of it: which losses of nodes, hosts, racks and zones it survives.
//!
//! The text is what redis-cli prints for SENTINEL MASTERS, SENTINEL REPLICAS and SENTINEL SENTINELS, one after the
//! other, of one master: with the numbers and quotes of a terminal, or bare as in a pipe. The sentinel that was asked
//! does not list itself; it is called [`ASKED`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::layout::places;
use super::loss::{Class, Unit, units_of};
use crate::base::{Dur, SimTime};
use crate::params::{Config, MonitorConf, ReplicaOf, SentinelConf};
use crate::trace::{HostId, Level};
use crate::world::World;
use crate::world::net::NetModel;
use crate::world::plan::{Action, Formation, NodeSpec, Plan, Start};

/// What the sentinel that was asked is called: no answer has its address.
pub const ASKED: &str = "asked";

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Master,
    Replica,
    Sentinel,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub part: Part,
    /// `ip:port`, or [`ASKED`].
    pub addr: String,
    /// It was down when the text was taken.
    pub down: bool,
    /// Of a replica; 0 is never promoted.
    pub priority: u32,
    pub host: String,
    pub rack: Option<String>,
    pub zone: Option<String>,
}

/// A master with its replicas and sentinels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub name: String,
    pub quorum: usize,
    pub down_after_ms: i64,
    pub failover_timeout_ms: i64,
    pub processes: Vec<Process>,
}

/// The judgement of one loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub class: Class,
    pub why: String,
    /// The master is lost.
    pub master: bool,
}

/// Whether the text looks like records of a sentinel.
pub fn is_sentinel(text: &str) -> bool {
    let mut words = words(text);
    words.next().is_some_and(|(_, w)| w == "name") && text.contains("runid")
}

/// The words of the answers with their lines: without numbers, quotes, prompts and empty lines.
fn words(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    text.lines().enumerate().filter_map(|(i, line)| {
        let line = line.trim();
        if line.is_empty() || line.contains("> ") || line.starts_with("redis-cli") || line.starts_with('$') {
            return None;
        }
        let mut rest = line;
        while let Some((number, after)) = rest.split_once(')') {
            if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                break;
            }
            rest = after.trim_start();
        }
        let word = rest.strip_prefix('"').and_then(|w| w.strip_suffix('"')).unwrap_or(rest);
        Some((i + 1, word.to_string()))
    })
}

impl Watch {
    /// Reads the answers of a sentinel.
    ///
    /// # Errors
    /// Every mistake, with its line.
    pub fn read(file: &str, text: &str) -> Result<Watch, Vec<String>> {
        let mut wrong = Vec::new();
        let mut records: Vec<(usize, BTreeMap<String, String>)> = Vec::new();
        let all: Vec<(usize, String)> = words(text).collect();
        for pair in all.chunks(2) {
            let [(line, key), (_, value)] = pair else {
                wrong
                    .push(format!("{file}:{}: `{}` has no value: the text is cut off", pair[0].0, pair[0].1));
                break;
            };
            if key == "name" {
                records.push((*line, BTreeMap::new()));
            }
            let Some((_, record)) = records.last_mut() else {
                let help = "wanted is what redis-cli prints for SENTINEL MASTERS, REPLICAS and SENTINELS";
                wrong.push(format!("{file}:{line}: `{key}` begins no record: {help}"));
                break;
            };
            if record.insert(key.clone(), value.clone()).is_some() {
                wrong.push(format!("{file}:{line}: `{key}` is there twice in one record"));
                break;
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut watch = Watch {
            name: String::new(),
            quorum: 0,
            down_after_ms: 0,
            failover_timeout_ms: 0,
            processes: Vec::new(),
        };
        let mut others = 0;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (line, r) in &records {
            let at = format!("{file}:{line}");
            let get = |key: &str| r.get(key).map_or("", String::as_str);
            let flags: Vec<&str> = get("flags").split(',').collect();
            let part = match flags.first() {
                Some(&("master" | "s_down" | "o_down")) if r.contains_key("num-other-sentinels") => {
                    Part::Master
                }
                _ if flags.contains(&"master") && !r.contains_key("master-host") => Part::Master,
                _ if flags.contains(&"slave") => Part::Replica,
                _ if flags.contains(&"sentinel") => Part::Sentinel,
                _ => {
                    wrong.push(format!("{at}: flags `{}` are of no master, slave or sentinel", get("flags")));
                    continue;
                }
            };
            let addr = format!("{}:{}", get("ip"), get("port"));
            if get("port").parse::<u16>().is_err() || get("ip").is_empty() {
                wrong.push(format!("{at}: `{addr}` is no address: the record lacks ip or port"));
                continue;
            }
            if let Some(first) = seen.insert(addr.clone(), *line) {
                wrong.push(format!("{at}: {addr} is there twice, first in line {first}"));
            }
            if part == Part::Master {
                if !watch.name.is_empty() {
                    wrong.push(format!(
                        "{at}: a second master, {}: give the answers of one at a time",
                        get("name")
                    ));
                    continue;
                }
                watch.name = get("name").into();
                let mut number = |key: &str| {
                    get(key).parse::<i64>().unwrap_or_else(|_| {
                        wrong.push(format!("{at}: the master has no number `{key}`"));
                        0
                    })
                };
                watch.quorum = number("quorum").max(0) as usize;
                watch.down_after_ms = number("down-after-milliseconds");
                watch.failover_timeout_ms = number("failover-timeout");
                others = number("num-other-sentinels").max(0) as usize;
            }
            let down = flags.iter().any(|f| matches!(*f, "s_down" | "o_down" | "disconnected"));
            let priority = get("slave-priority").parse().unwrap_or(100);
            let host = get("ip").to_string();
            watch.processes.push(Process { part, addr, down, priority, host, rack: None, zone: None });
        }
        let have = watch.of(Part::Sentinel).count();
        if wrong.is_empty() && watch.name.is_empty() {
            wrong.push(format!("{file}: no master: the answer of SENTINEL MASTERS is missing"));
        } else if wrong.is_empty() && have != others {
            wrong.push(format!(
                "{file}: {} knows {others} other sentinels, and {have} are here: add the answer of SENTINEL SENTINELS {}",
                watch.name, watch.name
            ));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let asked = Process {
            part: Part::Sentinel,
            addr: ASKED.into(),
            down: false,
            priority: 0,
            host: ASKED.into(),
            rack: None,
            zone: None,
        };
        watch.processes.push(asked);
        Ok(watch)
    }

    /// Takes a map of hosts; see [`places`]. The sentinel that was asked is called [`ASKED`] there.
    ///
    /// # Errors
    /// As [`places`].
    pub fn place(&mut self, name: &str, text: &str) -> Result<(), Vec<String>> {
        let keys: Vec<(&str, &str)> = self.processes.iter().map(|p| (p.addr.as_str(), "")).collect();
        let found = places(name, text, &keys)?;
        for (p, at) in self.processes.iter_mut().zip(found) {
            (p.host, p.rack, p.zone) = (at.host, at.rack, at.zone);
        }
        Ok(())
    }

    /// Every unit with a process in it.
    pub fn units(&self) -> Vec<Unit> {
        units_of(
            self.processes
                .iter()
                .map(|p| (p.addr.as_str(), p.host.as_str(), p.rack.as_deref(), p.zone.as_deref())),
        )
    }

    fn of(&self, part: Part) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |p| p.part == part)
    }

    /// Judges the loss of processes, those that are down already included.
    ///
    /// redis: sentinel.c sentinelCheckObjectivelyDown, sentinelGetLeader, sentinelSelectSlave @7.0.15
    pub fn judge(&self, lost: &BTreeSet<usize>) -> Judged {
        let lives = |i: usize| !lost.contains(&i) && !self.processes[i].down;
        let all = self.of(Part::Sentinel).count();
        let count = |test: &dyn Fn(&Process) -> bool| {
            (0..self.processes.len()).filter(|&i| lives(i) && test(&self.processes[i])).count()
        };
        let votes = count(&|p| p.part == Part::Sentinel);
        let heirs = count(&|p| p.part == Part::Replica && p.priority > 0);
        let needed = (all / 2 + 1).max(self.quorum);
        let master = (0..self.processes.len()).any(|i| self.processes[i].part == Part::Master && !lives(i));
        let authorised = votes >= needed && votes >= self.quorum;
        let (class, why) = match (master, authorised) {
            (false, true) => {
                (Class::Survivable, format!("the master lives; {votes} sentinels, {heirs} replicas"))
            }
            (false, false) => {
                let why = format!(
                    "the master lives, but {votes} of {all} sentinels cannot elect a leader ({needed})"
                );
                (Class::Survivable, why)
            }
            (true, _) if votes < self.quorum => {
                let why =
                    format!("not objectively down: {votes} sentinels left, the quorum is {}", self.quorum);
                (Class::Fatal, why)
            }
            (true, false) => {
                let why =
                    format!("no leader: {votes} of {all} sentinels left, an election needs {needed} votes");
                (Class::Fatal, why)
            }
            (true, true) if heirs == 0 => (Class::Fatal, "no replica may be promoted".to_string()),
            (true, true) => {
                (Class::Degraded, format!("a failover: {votes} votes for {needed} needed, {heirs} replicas"))
            }
        };
        Judged { class, why, master }
    }

    /// A failover in the simulator after the loss: ms until another node takes writes; `None` if none does in time.
    pub fn outage(&self, lost: &BTreeSet<usize>, seed: u64) -> Option<f64> {
        let mut w = World::new(Arc::new(self.plan()), seed, Level::Headline);
        if !w.run_until_formed() {
            return None;
        }
        w.run_for(Dur::secs(2) + Dur::ms(seed.wrapping_mul(137) % 1000));
        let at = w.now();
        let gone = |i: usize| lost.contains(&i) || self.processes[i].down;
        for i in (0..self.processes.len()).filter(|&i| gone(i)) {
            w.act(&Action::Kill { node: format!("p{i}") });
        }
        let limit = at + Dur::ms((self.down_after_ms + 2 * self.failover_timeout_ms).max(0) as u64 + 30_000);
        while w.now() < limit {
            w.run_for(Dur::ms(10));
            let data = |&i: &usize| self.processes[i].part != Part::Sentinel && !gone(i);
            let serves = |i: usize| w.server(HostId(i as u32)).is_some_and(|s| !s.repl.is_replica());
            if (0..self.processes.len()).filter(data).any(serves) {
                return Some(w.now().since(at.min(SimTime(w.now().0))).0 as f64 / 1000.0);
            }
        }
        None
    }

    /// The deployment on a local network, each process at an address of its own.
    fn plan(&self) -> Plan {
        let ip = |i: usize| Ipv4Addr::new(10, 0, (i / 250) as u8, (i % 250 + 1) as u8);
        let master = self.processes.iter().position(|p| p.part == Part::Master).unwrap_or(0);
        let node = |(i, p): (usize, &Process)| {
            let mut conf = Config::default();
            conf.save.clear();
            conf.port = if p.part == Part::Sentinel { 26_379 } else { 6379 };
            conf.replica_priority = p.priority;
            if p.part == Part::Replica {
                conf.replicaof = Some(ReplicaOf { host: ip(master).to_string(), port: 6379 });
            }
            let mut n = NodeSpec { ip: ip(i), ..NodeSpec::new(format!("p{i}"), conf) };
            n.start = Start::Random(Dur::ms(200));
            if p.part == Part::Sentinel {
                let mut m =
                    MonitorConf::new(&self.name, ip(master).to_string(), 6379, self.quorum.max(1) as i64);
                m.down_after_ms = self.down_after_ms.max(1);
                m.failover_timeout_ms = self.failover_timeout_ms.max(1);
                n.sentinel = Some(Arc::new(SentinelConf { masters: vec![m], ..SentinelConf::default() }));
            }
            n
        };
        let nodes = self.processes.iter().enumerate().map(node).collect();
        Plan { formation: Formation::Sentinel, network: NetModel::LAN, ..Plan::new("what if", nodes) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::fuzz;

    fn record(pairs: &[(&str, &str)]) -> String {
        pairs.iter().map(|(k, v)| format!("{k}\n{v}\n")).collect()
    }

    /// A master with two replicas and three sentinels, as a pipe has it.
    pub fn text() -> String {
        let mut out = record(&[
            ("name", "mymaster"),
            ("ip", "10.0.0.1"),
            ("port", "6379"),
            ("runid", "a"),
            ("flags", "master"),
            ("down-after-milliseconds", "2000"),
            ("failover-timeout", "10000"),
            ("num-other-sentinels", "2"),
            ("quorum", "2"),
        ]);
        for (ip, priority) in [("10.0.0.2", "100"), ("10.0.0.3", "0")] {
            let name = format!("{ip}:6379");
            out += &record(&[
                ("name", &name),
                ("ip", ip),
                ("port", "6379"),
                ("runid", "b"),
                ("flags", "slave"),
                ("master-host", "10.0.0.1"),
                ("slave-priority", priority),
            ]);
        }
        for ip in ["10.0.0.1", "10.0.0.2"] {
            let pairs =
                [("name", "0f3e"), ("ip", ip), ("port", "26379"), ("runid", "c"), ("flags", "sentinel")];
            out += &record(&pairs);
        }
        out
    }

    #[test]
    fn answers_are_read_from_a_pipe_and_from_a_terminal() {
        let bare = text();
        assert!(is_sentinel(&bare));
        let watch = Watch::read("s", &bare).unwrap();
        assert_eq!((watch.name.as_str(), watch.quorum, watch.processes.len()), ("mymaster", 2, 6));
        let mut shown = String::from("10.0.0.3:26379> SENTINEL MASTERS\n");
        for (i, line) in bare.lines().enumerate() {
            let lead = if line == "name" { "1) " } else { "   " };
            shown += &format!("{lead}{:>2}) \"{line}\"\n", i + 1);
        }
        assert_eq!(Watch::read("s", &shown), Ok(watch));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(fuzz::cases(300)))]

        #[test]
        fn mutated_texts_are_read_or_refused(changes in fuzz::changes()) {
            let text = fuzz::mutate(text().as_bytes(), &changes);
            match Watch::read("s", &String::from_utf8_lossy(&text)) {
                Ok(watch) => prop_assert!(!watch.units().is_empty()),
                Err(wrong) => prop_assert!(!wrong.is_empty()),
            }
        }
    }

    #[test]
    fn mistakes_have_lines() {
        let t = text();
        for (from, to, says) in [
            ("flags\nslave\n", "flags\nbogus\n", "flags `bogus`"),
            ("port\n26379\n", "port\nx\n", "is no address"),
            ("10.0.0.3\n", "10.0.0.2\n", "is there twice"),
            ("quorum\n2\n", "quorum\n", "is there twice in one record"),
            ("num-other-sentinels\n2", "num-other-sentinels\n3", "add the answer of SENTINEL SENTINELS"),
            ("name\nmymaster\n", "nome\nmymaster\n", "s:1: `nome` begins no record"),
        ] {
            let e = Watch::read("s", &t.replace(from, to)).unwrap_err().join("\n");
            assert!(e.contains(says), "{from}: {e}");
        }
        assert!(Watch::read("s", &(t.clone() + &t)).is_err());
    }

    #[test]
    fn quorum_majority_and_priority_decide() {
        let w = Watch::read("s", &text()).unwrap();
        let class = |lost: &[usize]| w.judge(&lost.iter().copied().collect()).class;
        // 0 the master, 1 and 2 replicas (2 is never promoted), 3 to 5 sentinels.
        assert_eq!(class(&[0]), Class::Degraded);
        assert_eq!(class(&[0, 1]), Class::Fatal);
        assert_eq!(class(&[0, 3]), Class::Degraded);
        assert_eq!(class(&[0, 3, 4]), Class::Fatal);
        assert_eq!(class(&[3, 4]), Class::Survivable);
        let one = w.outage(&[0].into(), 1).expect("a failover");
        assert!((2000.0..8000.0).contains(&one), "{one}");
        assert_eq!(w.outage(&[0, 3, 4].into(), 1), None);
    }
}
