//! The same questions to real sentinels on loopback and to simulated ones, before and after a failover, a
//! failover by command, the loss of sentinels, and changes of what is watched: names and order of fields, and
//! every value that does not depend on times and ids; errors byte for byte.
//!
//! Who leads and who is promoted is settled by the set-up: s0 alone needs no other's opinion to start (its
//! quorum is 1), and r1 has the better priority.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slotscope::base::Dur;
use slotscope::params::{Config, Source, parse_sentinel_conf};
use slotscope::resp::{Protocol, ReplyReader, Value};
use slotscope::text::parse_info;
use slotscope::trace::Level;
use slotscope::world::World;
use slotscope::world::plan::{Action, NodeSpec, Plan};

use super::real::{self, Directives, Servers};
use super::shape::Names;
use super::{POLL_MS, REAL, SIM};
use crate::support::{SETTINGS, ask_when_free};

/// Nodes by number: the data nodes, then the sentinels.
const NODES: [&str; 6] = ["m", "r1", "r2", "s0", "s1", "s2"];
const SENTINELS: [usize; 3] = [3, 4, 5];
/// Neither side may take longer to reach a state.
const PATIENCE: Duration = Duration::from_secs(15);
/// Nor may two views stay different for longer: votes are forgotten after 5 s.
const SETTLING: Duration = Duration::from_secs(8);
/// What may be waited for views that do not become alike, all together: a test that fails does so soon.
const SETTLING_ALL: Duration = Duration::from_secs(20);
/// The whole comparison; it takes about 30 s.
const ALL: Duration = Duration::from_secs(90);

struct Both {
    real: Servers,
    sim: World,
    ports: Vec<u16>,
    names: [Names; 2],
    protocol: Protocol,
    differences: Vec<String>,
    compared: usize,
    /// Waited for views that did not become alike.
    in_vain: Duration,
    begin: Instant,
}

/// The directives of a data node besides those of all tests.
fn of_data(n: usize, ports: &[u16]) -> Directives {
    let mut out = Vec::new();
    if n > 0 {
        out.push(("replicaof", vec!["127.0.0.1".into(), ports[0].to_string()]));
        out.push(("replica-priority", vec![(n * 10).to_string()]));
    }
    out
}

/// The file of a sentinel. With 1000 ms a new master seems down for a moment, now and then, and another failover
/// follows that nobody needs.
fn file(n: usize, ports: &[u16]) -> String {
    let (quorum, down_after) = if n == SENTINELS[0] { (1, 2000) } else { (2, 4000) };
    format!(
        "port {}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {} {quorum}\n\
         sentinel down-after-milliseconds mymaster {down_after}\nsentinel failover-timeout mymaster 4000\n",
        ports[n], ports[0]
    )
}

fn simulated(ports: &[u16]) -> World {
    let node = |(n, name): (usize, &&str)| {
        let (conf, sentinel) = if SENTINELS.contains(&n) {
            let read = parse_sentinel_conf("sentinel.conf", file(n, ports)).expect("a right file");
            (read.config, read.sentinel.map(Arc::new))
        } else {
            let mut conf = Config::default();
            for (name, value) in SETTINGS {
                conf.set(name, &[value], Source::File).expect("a directive of Redis");
            }
            for (name, values) in of_data(n, ports) {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                conf.set(name, &values, Source::File).expect("a directive of Redis");
            }
            conf.port = ports[n];
            (conf, None)
        };
        NodeSpec { sentinel, ..NodeSpec::new(*name, conf) }
    };
    let plan = Plan::new("sentinels", NODES.iter().enumerate().map(node).collect());
    let mut world = World::new(Arc::new(plan), 1, Level::Headline);
    for name in NODES {
        world.act(&Action::Start { node: name.into(), wipe: false });
    }
    world
}

impl Both {
    fn start() -> Both {
        let ports = real::free_ports(NODES.len());
        let data: Vec<_> = (0..3).map(|n| (ports[n], of_data(n, &ports))).collect();
        let files: Vec<_> = SENTINELS.iter().map(|&n| (ports[n], file(n, &ports))).collect();
        let mut both = Both {
            real: Servers::with_sentinels(&data, &files),
            sim: simulated(&ports),
            ports,
            names: Default::default(),
            protocol: Protocol::Resp2,
            differences: Vec::new(),
            compared: 0,
            in_vain: Duration::ZERO,
            begin: Instant::now(),
        };
        for n in SENTINELS {
            let known = |row: &[(String, String)]| {
                value(row, "num-slaves") == "2" && value(row, "num-other-sentinels") == "2"
            };
            both.until(n, "SENTINEL MASTER mymaster", &|v| known(&rows(v)[0]));
            both.until(n, "SENTINEL REPLICAS mymaster", &|v| {
                rows(v).iter().all(|r| value(r, "flags") == "slave" && value(r, "master-link-status") == "ok")
            });
            both.until(n, "SENTINEL SENTINELS mymaster", &|v| {
                rows(v).iter().all(|r| value(r, "flags") == "sentinel")
            });
        }
        both.learn_names();
        both
    }

    /// Ids, as the nodes tell them: data nodes have run ids, sentinels ids of their own.
    fn learn_names(&mut self) {
        for side in [REAL, SIM] {
            let name = |b: &mut Both, n: usize| {
                let id = if SENTINELS.contains(&n) {
                    b.raw(side, n, &["SENTINEL", "MYID"]).as_str().expect("an id").to_string()
                } else {
                    let info = b.raw(side, n, &["INFO", "server"]);
                    let info = parse_info(info.as_str().expect("a text")).expect("INFO");
                    info[0].get("run_id").expect("a run id").to_string()
                };
                (NODES[n].to_string(), id, b.ports[n])
            };
            self.names[side].nodes = (0..NODES.len()).map(|n| name(self, n)).collect();
        }
    }

    fn raw(&mut self, side: usize, n: usize, words: &[&str]) -> Value {
        if side == REAL {
            return self.real.ask(n, words);
        }
        let mut reader = ReplyReader::default();
        reader.feed(&ask_when_free(&mut self.sim, n, words).to_bytes(self.protocol));
        reader.next_reply().expect("a reply").expect("a whole reply")
    }

    /// A line, `{name:port}` in it for a node's port and `{name}` for its id. `""` is an empty word.
    fn ask(&mut self, side: usize, n: usize, line: &str) -> Value {
        let fill = |word: &str| {
            let word = if word == "\"\"" { String::new() } else { word.to_string() };
            self.names[side].nodes.iter().fold(word, |word, (name, id, port)| {
                word.replace(&format!("{{{name}}}"), id)
                    .replace(&format!("{{{name}:port}}"), &port.to_string())
            })
        };
        let words: Vec<String> = line.split(' ').map(fill).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.raw(side, n, &words)
    }

    fn pass(&mut self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
        self.sim.run_for(Dur::ms(ms));
    }

    fn kill(&mut self, n: usize) {
        self.real.kill(n);
        self.sim.act(&Action::Kill { node: NODES[n].into() });
    }

    /// Waits until both sides answer the line as told.
    fn until(&mut self, n: usize, line: &str, done: &dyn Fn(&Value) -> bool) {
        let begin = Instant::now();
        let mut ready = [false; 2];
        loop {
            for side in [REAL, SIM] {
                // Each in its own time: one that is there need not wait for the other.
                ready[side] = ready[side] || done(&self.ask(side, n, line));
            }
            if ready == [true; 2] {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{}> {line} does not come (real, sim: {ready:?})", NODES[n]);
            self.pass(POLL_MS);
        }
    }

    fn record(&mut self, n: usize, line: &str, answers: [String; 2]) {
        assert!(self.begin.elapsed() < ALL, "too slow at {line}: {}", self.differences.join("\n"));
        self.compared += 1;
        let [real, sim] = answers;
        if real != sim {
            self.differences.push(format!("{}> {line}\n  real: {real}\n  sim:  {sim}", NODES[n]));
        }
    }

    fn answers(&mut self, n: usize, line: &str, shape: fn(&Names, &Value) -> String) -> [String; 2] {
        [REAL, SIM].map(|side| {
            let value = self.ask(side, n, line);
            match &value {
                Value::Error(_) => self.names[side].value(&value),
                _ => shape(&self.names[side], &value),
            }
        })
    }

    /// Both sides come to answer the line alike.
    fn settled(&mut self, n: usize, line: &str, shape: fn(&Names, &Value) -> String) {
        let begin = Instant::now();
        let mut answers = self.answers(n, line, shape);
        let patience = SETTLING.min(SETTLING_ALL.saturating_sub(self.in_vain));
        while answers[REAL] != answers[SIM] && begin.elapsed() < patience {
            self.pass(POLL_MS);
            answers = self.answers(n, line, shape);
        }
        if answers[REAL] != answers[SIM] {
            self.in_vain += begin.elapsed();
        }
        self.record(n, line, answers);
    }

    /// Both sides answer each line with the same value but for ids and ports.
    fn same(&mut self, n: usize, lines: &[&str]) {
        for line in lines {
            let answers = self.answers(n, line, Names::value);
            self.record(n, line, answers);
        }
    }

    /// Everything that a sentinel tells.
    fn views(&mut self, n: usize) {
        for what in
            ["MASTERS", "MASTER mymaster", "REPLICAS mymaster", "SLAVES mymaster", "SENTINELS mymaster"]
        {
            self.settled(n, &format!("SENTINEL {what}"), instances);
        }
        for what in ["INFO", "INFO sentinel", "INFO all", "INFO server clients", "INFO default nonsense"] {
            self.settled(n, what, info);
        }
        self.settled(n, "SENTINEL INFO-CACHE mymaster nobody", cache);
        let lines = [
            "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster",
            "SENTINEL GET-MASTER-ADDR-BY-NAME nobody",
            "SENTINEL CKQUORUM mymaster",
            "SENTINEL MYID",
            "SENTINEL CONFIG GET *",
            "SENTINEL CONFIG GET announce-*",
            "SENTINEL CONFIG GET nonsense",
            "SENTINEL PENDING-SCRIPTS",
            "SENTINEL DEBUG",
            "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 {m:port} 0 *",
            "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 {r1:port} 0 *",
            "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 0 *",
            "PING",
        ];
        for line in lines {
            self.settled(n, line, Names::value);
        }
        self.settled(n, "ROLE", role);
    }
}

// ---- shapes -------------------------------------------------------------------------------------------

/// Fields of an instance that are times, or move with traffic.
const MOVING: [&str; 11] = [
    "link-pending-commands",
    "last-ping-sent",
    "last-ok-ping-reply",
    "last-ping-reply",
    "s-down-time",
    "o-down-time",
    "info-refresh",
    "role-reported-time",
    "last-hello-message",
    "slave-repl-offset",
    "master-link-down-time",
];

/// The fields of each instance of a list, or of the one that is told of.
fn rows(value: &Value) -> Vec<Vec<(String, String)>> {
    let text = |v: &Value| v.as_str().unwrap_or_else(|| panic!("not a text: {v:?}")).to_string();
    let row = |pairs: Vec<(&Value, &Value)>| pairs.iter().map(|(k, v)| (text(k), text(v))).collect();
    let pairs = |v: &Value| -> Option<Vec<(String, String)>> {
        match v {
            Value::Map(pairs) => Some(row(pairs.iter().map(|(k, v)| (k, v)).collect())),
            Value::Array(items) if !items.is_empty() && items.iter().all(|i| i.as_str().is_some()) => {
                Some(row(items.chunks(2).map(|pair| (&pair[0], &pair[1])).collect()))
            }
            _ => None,
        }
    };
    match pairs(value) {
        Some(one) => vec![one],
        None => value.as_array().expect("a list").iter().map(|v| pairs(v).expect("an instance")).collect(),
    }
}

fn value<'a>(row: &'a [(String, String)], name: &str) -> &'a str {
    row.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v)
}

/// Instances: all fields in order. Redis lists them in the order of a hash table: here by name.
fn instances(names: &Names, v: &Value) -> String {
    let kind = match v {
        Value::Map(_) => "map",
        Value::Array(items) if matches!(items.first(), Some(Value::Map(_))) => "maps",
        _ => "arrays",
    };
    let mut out: Vec<String> = rows(v)
        .iter()
        .map(|row| {
            let field = |(name, value): &(String, String)| {
                if MOVING.contains(&name.as_str()) {
                    let number: i64 = value.parse().unwrap_or_else(|_| panic!("{name} is {value}"));
                    // 0 says something of its own: no PING is out, no INFO ever came, the link is up.
                    return match name.as_str() {
                        "master-link-down-time" => format!("{name}={}", number.signum()),
                        "info-refresh" => format!("{name}={}", if number == 0 { "never" } else { "*" }),
                        _ => format!("{name}=*"),
                    };
                }
                format!("{name}={}", names.plain(value))
            };
            row.iter().map(field).collect::<Vec<_>>().join(" ")
        })
        .collect();
    out.sort();
    format!("{kind}: {}", out.join("\n        "))
}

/// Fields of INFO whose values belong to a process, a machine or a moment.
const OWN: [&str; 19] = [
    "redis_build_id",
    "os",
    "monotonic_clock",
    "gcc_version",
    "process_id",
    "run_id",
    "server_time_usec",
    "uptime_in_seconds",
    "uptime_in_days",
    "hz",
    "lru_clock",
    "executable",
    "config_file",
    "maxclients",
    "connected_clients",
    "client_recent_max_input_buffer",
    "client_recent_max_output_buffer",
    "total_connections_received",
    "total_commands_processed",
];

/// Fields of the section Stats that the simulator counts.
const COUNTED: [&str; 4] =
    ["total_connections_received", "total_commands_processed", "pubsub_channels", "pubsub_patterns"];

/// INFO: sections and fields in order.
fn info(names: &Names, v: &Value) -> String {
    let sections = parse_info(v.as_str().expect("a text")).unwrap_or_else(|e| panic!("{e}"));
    let mut out = String::new();
    // Masters are numbered in the order of a hash table: here by name.
    let mut masters: Vec<String> = Vec::new();
    for section in &sections {
        out += &format!("# {}\n", section.title);
        for (name, value) in &section.fields {
            // Of these the simulator counts a part, or nothing.
            if section.title == "CPU" || section.title == "Stats" && !COUNTED.contains(&name.as_str()) {
                continue;
            }
            let own = OWN.contains(&name.as_str());
            let value = if own { "*".to_string() } else { names.plain(value) };
            match name.strip_prefix("master").is_some_and(|n| n.parse::<u32>().is_ok()) {
                true => masters.push(value),
                false => out += &format!("{name}:{value}\n"),
            }
        }
    }
    masters.sort();
    out + &masters.join("\n")
}

/// ROLE: by name, too.
fn role(names: &Names, v: &Value) -> String {
    let mut v = v.clone();
    if let Value::Array(parts) = &mut v
        && let Some(Value::Array(masters)) = parts.get_mut(1)
    {
        masters.sort_by_key(ToString::to_string);
    }
    names.value(&v)
}

/// INFO-CACHE: whose, how many, and whether the text is there.
fn cache(_: &Names, v: &Value) -> String {
    let entry = |v: &Value| match v.as_array() {
        Some([Value::Int(_), Value::Bulk(text)]) => {
            let text = String::from_utf8_lossy(text);
            let kept = text.lines().filter(|l| l.starts_with("# R") || l.starts_with("role:"));
            kept.collect::<Vec<_>>().join(" ")
        }
        // None ever came: the age is that of the epoch.
        Some([Value::Int(_), Value::Nil]) => "none".into(),
        _ => format!("{v:?}"),
    };
    let part = |v: &Value| match v {
        Value::Array(entries) => {
            let mut all: Vec<String> = entries.iter().map(entry).collect();
            all[1..].sort();
            all.join("\n")
        }
        other => other.to_string(),
    };
    v.as_array().unwrap_or_default().iter().map(part).collect::<Vec<_>>().join("\n")
}

// ---- the story ----------------------------------------------------------------------------------------

#[test]
fn sentinels_answer_as_real_ones() {
    if let Some(why) = real::missing() {
        assert!(std::env::var_os("SLOTSCOPE_REQUIRE_REDIS").is_none(), "nothing to compare with: {why}");
        let _ = writeln!(std::io::stderr(), "skipped, not compared with real sentinels: {why}");
        return;
    }
    let mut b = Both::start();
    for n in SENTINELS {
        b.views(n);
    }
    b.same(SENTINELS[1], REFUSED);
    b.same(SENTINELS[1], REFUSED_IN_A_WAY);
    settings(&mut b);
    a_master_dies(&mut b);
    by_command(&mut b);
    sentinels_die(&mut b);
    watched_anew(&mut b);
    third_protocol(&mut b);
    let shown = b.differences.join("\n");
    assert!(b.differences.is_empty(), "{} of {} differ:\n{shown}", b.differences.len(), b.compared);
    println!("{} replies compared in {} s", b.compared, b.begin.elapsed().as_secs());
}

/// Wrong names, numbers and words.
const REFUSED: &[&str] = &[
    "SENTINEL",
    "SENTINEL FOO",
    "SENTINEL MASTER",
    "SENTINEL MASTER nobody",
    "SENTINEL MASTER mymaster more",
    "SENTINEL MASTERS more",
    "SENTINEL REPLICAS nobody",
    "SENTINEL SLAVES",
    "SENTINEL SENTINELS nobody",
    "SENTINEL SENTINELS",
    "SENTINEL GET-MASTER-ADDR-BY-NAME",
    "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 x 0 *",
    "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 x *",
    "SENTINEL IS-MASTER-DOWN-BY-ADDR nohost 1 0 *",
    "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 0",
    "SENTINEL RESET",
    "SENTINEL RESET nobody*",
    "SENTINEL FAILOVER",
    "SENTINEL FAILOVER nobody",
    "SENTINEL CKQUORUM",
    "SENTINEL CKQUORUM nobody",
    "SENTINEL FLUSHCONFIG more",
    "SENTINEL MONITOR",
    "SENTINEL MONITOR other 127.0.0.1 1 x",
    "SENTINEL MONITOR other 127.0.0.1 x 1",
    "SENTINEL MONITOR other 127.0.0.1 1 0",
    "SENTINEL MONITOR other 127.0.0.1 1 -1",
    "SENTINEL MONITOR other 127.0.0.1 99999 1",
    "SENTINEL MONITOR other 127.0.0.1 -1 1",
    "SENTINEL MONITOR other nohost 1 1",
    "SENTINEL MONITOR mymaster 127.0.0.1 1 1",
    "SENTINEL REMOVE",
    "SENTINEL REMOVE nobody",
    "SENTINEL SET",
    "SENTINEL SET mymaster",
    "SENTINEL SET mymaster quorum",
    "SENTINEL SET nobody quorum 1",
    "SENTINEL SET mymaster quorum x",
    "SENTINEL SET mymaster quorum 0",
    "SENTINEL SET mymaster quorum -3",
    "SENTINEL SET mymaster down-after-milliseconds 0",
    "SENTINEL SET mymaster failover-timeout -1",
    "SENTINEL SET mymaster failover-timeout 1.5",
    "SENTINEL SET mymaster parallel-syncs 0",
    "SENTINEL SET mymaster parallel-syncs many",
    "SENTINEL SET mymaster master-reboot-down-after-period -1",
    "SENTINEL SET mymaster notification-script /bin/true",
    "SENTINEL SET mymaster client-reconfig-script /bin/true",
    "SENTINEL SET mymaster rename-command CONFIG",
    "SENTINEL SET mymaster rename-command CONFIG \"\"",
    "SENTINEL SET mymaster rename-command \"\" x",
    "SENTINEL SET mymaster nonsense 1",
    "SENTINEL SET mymaster quorum 2 nonsense 1",
    "SENTINEL SET mymaster quorum 2 parallel-syncs",
    "SENTINEL CONFIG",
    "SENTINEL CONFIG GET",
    "SENTINEL CONFIG GET a b",
    "SENTINEL CONFIG SET",
    "SENTINEL CONFIG SET announce-ip",
    "SENTINEL CONFIG SET nonsense 1",
    "SENTINEL CONFIG SET announce-port x",
    "SENTINEL CONFIG SET announce-port 70000",
    "SENTINEL CONFIG SET resolve-hostnames maybe",
    "SENTINEL CONFIG SET announce-hostnames maybe",
    "SENTINEL CONFIG NONSENSE x",
    "SENTINEL INFO-CACHE",
    "SENTINEL INFO-CACHE nobody",
    "SENTINEL SIMULATE-FAILURE",
    "SENTINEL SIMULATE-FAILURE nonsense",
    "SENTINEL SIMULATE-FAILURE help",
    "SENTINEL SIMULATE-FAILURE crash-after-election nonsense",
    "SENTINEL SIMULATE-FAILURE help crash-after-promotion",
    "SENTINEL DEBUG nonsense 1",
    "SENTINEL DEBUG info-period 0",
    "SENTINEL DEBUG info-period x",
    "SENTINEL DEBUG info-period",
    "SENTINEL MYID more",
    "SENTINEL PENDING-SCRIPTS more",
    "SENTINEL HELP",
    "sentinel help",
    "SENTINEL HELP more",
];

/// Commands of a data node, and those that a sentinel has in a form of its own.
const REFUSED_IN_A_WAY: &[&str] = &[
    "GET x",
    "SET x y",
    "SELECT 0",
    "CONFIG GET *",
    "TIME",
    "MULTI",
    "RESET x y",
    "DEBUG SLEEP 0",
    "REPLICAOF NO ONE",
    "CLUSTER INFO",
    "PUBLISH channel message",
    "PUBLISH __sentinel__:hello nonsense",
    "PUBLISH __sentinel__:hello 127.0.0.1,1,x,0,nobody,127.0.0.1,1,0",
    "PUBLISH channel",
    "ROLE more",
    "PING a b",
    "PING hello",
    "COMMAND COUNT",
    "COMMAND COUNT more",
    "CLIENT GETNAME",
    "CLIENT SETNAME tester",
    "CLIENT GETNAME",
    "CLIENT NONSENSE",
    "CLIENT",
    "AUTH",
    "AUTH x",
    "AUTH nobody x",
    "AUTH default x",
    "AUTH a b c",
    "ACL WHOAMI",
    "HELLO 4",
    "HELLO x",
    "HELLO 2 NONSENSE",
    "UNSUBSCRIBE",
    "SUBSCRIBE",
    "INFO nonsense",
];

/// What can be set shows where it should, and is set back.
fn settings(b: &mut Both) {
    let n = SENTINELS[1];
    b.same(n, &["SENTINEL SET mymaster quorum 9 parallel-syncs 3"]);
    b.settled(n, "SENTINEL MASTER mymaster", instances);
    b.settled(n, "INFO sentinel", info);
    b.same(n, &["SENTINEL CKQUORUM mymaster"]);
    b.same(n, &["SENTINEL SET mymaster failover-timeout 5000 down-after-milliseconds 4000"]);
    for what in ["MASTER", "REPLICAS", "SENTINELS"] {
        b.settled(n, &format!("SENTINEL {what} mymaster"), instances);
    }
    // One that is refused does not undo those before it.
    b.same(n, &["SENTINEL SET mymaster quorum 2 parallel-syncs 0"]);
    b.same(n, &["SENTINEL SET mymaster parallel-syncs 1 failover-timeout 4000 down-after-milliseconds 3000"]);
    b.same(n, &["SENTINEL SET mymaster rename-command GET fetch rename-command GET GET"]);
    b.settled(n, "SENTINEL MASTER mymaster", instances);
    let config = [
        "SENTINEL CONFIG SET announce-port 26999",
        "SENTINEL CONFIG GET ANNOUNCE-PORT",
        "SENTINEL CONFIG SET announce-port 0",
        "SENTINEL CONFIG SET RESOLVE-HOSTNAMES yes",
        "SENTINEL CONFIG GET *hostnames",
        "SENTINEL CONFIG SET resolve-hostnames no",
        "SENTINEL DEBUG ask-period 900 publish-period 1900",
        "SENTINEL DEBUG",
        "SENTINEL DEBUG ask-period 1000 publish-period 2000",
        "SENTINEL FLUSHCONFIG",
        "SENTINEL SIMULATE-FAILURE crash-after-election crash-after-promotion",
    ];
    b.same(n, &config);
    b.settled(n, "INFO sentinel", info);
    b.same(n, &["SENTINEL SIMULATE-FAILURE help"]);
    b.settled(n, "INFO sentinel", info);
}

/// The states of a failover that its leader shows, with the fields it has in each.
fn watch(b: &mut Both, n: usize) {
    let mut seen: [Vec<String>; 2] = Default::default();
    let begin = Instant::now();
    let mut over = [false; 2];
    while over != [true; 2] {
        for side in [REAL, SIM] {
            let master = b.ask(side, n, "SENTINEL MASTER mymaster");
            let row = rows(&master).remove(0);
            let state = value(&row, "failover-state").to_string();
            if state.is_empty() {
                over[side] = over[side] || !seen[side].is_empty();
                continue;
            }
            let addr = b.ask(side, n, "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster");
            // Between the two questions the state may have moved on.
            let again = b.ask(side, n, "SENTINEL MASTER mymaster");
            if value(&rows(&again)[0], "failover-state") != state {
                continue;
            }
            let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
            let text = format!("{state} {} {}", b.names[side].value(&addr), names.join(" "));
            if seen[side].last().is_none_or(|last| !last.starts_with(&state)) {
                seen[side].push(text);
            }
        }
        assert!(begin.elapsed() < PATIENCE, "the failover does not end: {seen:#?}");
        b.pass(5);
    }
    let [real, sim] = seen;
    // Some steps last one run of the timer: real time may pass over them, and never shows others.
    let known: Vec<&String> = real.iter().filter(|state| !sim.contains(state)).collect();
    assert!(known.is_empty() && real.len() >= 3, "real {real:#?}\nsim {sim:#?}");
    b.compared += real.len();
}

fn a_master_dies(b: &mut Both) {
    b.kill(0);
    watch(b, SENTINELS[0]);
    let port = b.ports[1].to_string();
    for n in SENTINELS {
        b.until(n, "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster", &|v| {
            v.as_array().is_some_and(|a| a[1].as_str() == Some(&port))
        });
    }
    // The old master is a replica now, and down.
    for n in SENTINELS {
        b.until(n, "SENTINEL REPLICAS mymaster", &|v| {
            rows(v).len() == 2 && rows(v).iter().any(|r| value(r, "flags").starts_with("s_down"))
        });
    }
    for n in SENTINELS {
        b.views(n);
    }
    b.same(SENTINELS[0], &["SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 {r1:port} 1 {s1}"]);
}

/// SENTINEL FAILOVER: r2 takes over from r1, which goes on.
fn by_command(b: &mut Both) {
    let n = SENTINELS[2];
    b.same(n, &["SENTINEL FAILOVER mymaster", "SENTINEL FAILOVER mymaster"]);
    watch(b, n);
    let port = b.ports[2].to_string();
    for n in SENTINELS {
        b.until(n, "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster", &|v| {
            v.as_array().is_some_and(|a| a[1].as_str() == Some(&port))
        });
    }
    for n in SENTINELS {
        for what in ["MASTER mymaster", "SENTINELS mymaster"] {
            b.settled(n, &format!("SENTINEL {what}"), instances);
        }
        b.settled(n, "INFO sentinel", info);
        b.settled(n, "ROLE", role);
    }
    // Without the replica that is left nobody can be promoted.
    let n = SENTINELS[0];
    b.kill(1);
    b.until(n, "SENTINEL REPLICAS mymaster", &|v| {
        rows(v).iter().all(|r| value(r, "flags").contains("s_down"))
    });
    b.same(n, &["SENTINEL FAILOVER mymaster"]);
}

/// Fewer and fewer sentinels.
fn sentinels_die(b: &mut Both) {
    let n = SENTINELS[0];
    for dead in [SENTINELS[1], SENTINELS[2]] {
        b.kill(dead);
        let id = [REAL, SIM].map(|side| b.names[side].id(NODES[dead]).to_string());
        b.until(n, "SENTINEL SENTINELS mymaster", &|v| {
            rows(v).iter().any(|r| {
                id.iter().any(|id| value(r, "name") == id)
                    && value(r, "flags") == "s_down,sentinel,disconnected"
            })
        });
        b.settled(n, "SENTINEL SENTINELS mymaster", instances);
        b.same(n, &["SENTINEL CKQUORUM mymaster"]);
    }
    b.same(n, &["SENTINEL SET mymaster quorum 2", "SENTINEL CKQUORUM mymaster"]);
}

/// RESET, MONITOR and REMOVE.
fn watched_anew(b: &mut Both) {
    let n = SENTINELS[0];
    b.same(n, &["SENTINEL RESET my*"]);
    b.settled(n, "SENTINEL MASTER mymaster", instances);
    b.settled(n, "SENTINEL SENTINELS mymaster", instances);
    b.same(n, &["SENTINEL CKQUORUM mymaster"]);
    b.same(n, &["SENTINEL MONITOR other 127.0.0.1 {r2:port} 3", "SENTINEL GET-MASTER-ADDR-BY-NAME other"]);
    b.settled(n, "SENTINEL MASTERS", instances);
    b.settled(n, "INFO sentinel", info);
    b.same(n, &["SENTINEL CKQUORUM other", "SENTINEL FAILOVER other"]);
    b.same(n, &["SENTINEL MONITOR nowhere 127.0.0.1 1 1"]);
    b.settled(n, "SENTINEL MASTERS", instances);
    b.same(n, &["SENTINEL REMOVE nowhere", "SENTINEL REMOVE nowhere", "SENTINEL REMOVE other"]);
    b.settled(n, "SENTINEL MASTERS", instances);
    b.settled(n, "ROLE", role);
}

/// Maps are maps there.
fn third_protocol(b: &mut Both) {
    let n = SENTINELS[0];
    let hello = |names: &Names, v: &Value| {
        let shown = names.value(v);
        // The number of the connection.
        shown
            .split("\"id\": ")
            .map(|p| p.trim_start_matches(|c: char| c != ','))
            .collect::<Vec<_>>()
            .join("id *")
    };
    b.protocol = Protocol::Resp3;
    let answers = b.answers(n, "HELLO 3", hello);
    b.record(n, "HELLO 3", answers);
    b.views(n);
}
