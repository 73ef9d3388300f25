//! The same runs of redis-cli --cluster, real ones on real servers and simulated ones: every node must get
//! the same commands in the same order, both must print the same lines and end with the same code, and the
//! cluster must come out the same.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slotscope::base::Dur;
use slotscope::params::{Config, Source};
use slotscope::redis::File;
use slotscope::resp::split_args;
use slotscope::slot::key_slot;
use slotscope::text::{NodeFlags, parse_nodes};
use slotscope::trace::{Fact, Level};
use slotscope::world::World;
use slotscope::world::plan::{NodeSpec, Plan, Start};

use super::proxy::{Proxies, Words};
use super::real::{self, Servers};
use crate::support::{Cluster, SETTINGS};

const NODES: usize = 8;
/// The cluster is made of the first six.
const MEMBERS: usize = 6;
/// No run of the tool takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run came to: the exit code, the lines, and what each node was asked.
struct Run {
    code: i32,
    lines: Vec<String>,
    asked: Vec<Vec<String>>,
}

/// Eight real servers behind proxies, and eight simulated ones with the same ports.
struct Pair {
    servers: Servers,
    proxies: Proxies,
    sim: Cluster,
    ports: Vec<u16>,
    /// How many of the nodes, from the first on, are in the cluster.
    members: usize,
    differences: Vec<String>,
    compared: usize,
}

#[test]
fn redis_cli_sends_the_same_commands_in_the_same_order() {
    if let Some(why) = real::missing() {
        assert!(std::env::var_os("SLOTSCOPE_REQUIRE_REDIS").is_none(), "nothing to compare with: {why}");
        println!("skipped: {why}");
        return;
    }
    let mut p = Pair::start();
    let six: Vec<String> = (1..=MEMBERS).map(|n| format!("{{n{n}}}")).collect();
    p.run(&format!("--cluster create {} --cluster-replicas 1 --cluster-yes", six.join(" ")), "");
    p.settle();
    p.fill(0, 0..300, 2);
    p.run("--cluster check {n1}", "");
    p.run("--cluster info {n2}", "");
    p.run("--cluster add-node {n7} {n1}", "");
    p.members = 7;
    p.settle();
    p.run(
        "--cluster reshard {n1} --cluster-from {n1.id} --cluster-to {n7.id} --cluster-slots 1000 --cluster-yes",
        "",
    );
    p.settle();
    half_moved(&mut p);
    uncovered(&mut p);
    p.run("--cluster rebalance {n1} --cluster-use-empty-masters --cluster-threshold 1", "");
    p.settle();
    p.run("--cluster rebalance {n1}", "");
    backup(&mut p);
    p.run("--cluster add-node {n8} {n1} --cluster-slave --cluster-master-id {n7.id}", "");
    p.members = 8;
    p.settle();
    p.run("--cluster call {n1} CLUSTER COUNTKEYSINSLOT 3 --cluster-only-masters", "");
    p.run("--cluster call {n1} NONSENSE", "");
    p.run("--cluster del-node {n1} {n1.id}", "");
    p.run("--cluster del-node {n1} {n8.id}", "");
    p.members = 7;
    p.run("--cluster set-timeout {n1} 2500", "");
    p.views();
    let shown = p.differences.join("\n");
    assert!(p.differences.is_empty(), "{} of {} differ:\n{shown}", p.differences.len(), p.compared);
    println!("{} commands compared", p.compared);
}

/// A migration that nobody finished: marks on both sides, half of the keys moved.
fn half_moved(p: &mut Pair) {
    let (slot, keys) = p.fill(0, 2_000..2_001, 4).remove(0);
    p.ask(6, &format!("CLUSTER SETSLOT {slot} IMPORTING {{n1.id}}"));
    p.ask(0, &format!("CLUSTER SETSLOT {slot} MIGRATING {{n7.id}}"));
    let port = p.ports[6];
    p.ask(0, &format!("MIGRATE 127.0.0.1 {port} \"\" 0 5000 KEYS {} {}", keys[0], keys[1]));
    p.run("--cluster check {n1}", "");
    p.run(
        "--cluster reshard {n1} --cluster-from {n1.id} --cluster-to {n7.id} --cluster-slots 1 --cluster-yes",
        "",
    );
    p.run("--cluster fix {n1}", "");
    p.settle();
    p.run("--cluster check {n7}", "");
    // Marks that lead nowhere: the owner migrates, nobody imports.
    p.ask(0, "CLUSTER SETSLOT 2100 MIGRATING {n7.id}");
    p.run("--cluster fix {n1}", "");
    // Keys of a slot on a node that imports it, though its owner does not let it go.
    let (slot, _) = p.fill(0, 2_200..2_201, 2).remove(0);
    p.ask(1, &format!("CLUSTER SETSLOT {slot} IMPORTING {{n1.id}}"));
    p.run("--cluster fix {n1}", "");
    p.settle();
}

/// The data of all masters and the layout, once of a sound cluster and once with a slot that is open.
fn backup(p: &mut Pair) {
    for broken in [false, true] {
        if broken {
            p.ask(0, "CLUSTER SETSLOT 2100 MIGRATING {n7.id}");
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().to_str().expect("a plain path").to_string();
        p.run(&format!("--cluster backup {{n1}} {path}"), "");
        let files = std::fs::read_dir(&path).expect("a folder");
        let mut real: Vec<String> =
            files.map(|f| f.expect("a file").file_name().to_string_lossy().into_owned()).collect();
        let names = [true, false].map(|side| p.names(side));
        real = real.iter().map(|f| rename(f, &names[0])).collect();
        let prefix = format!("{path}/");
        let sim = p.sim.world.files.keys().filter_map(|f| f.strip_prefix(&prefix));
        let mut sim: Vec<String> = sim.map(|f| rename(f, &names[1])).collect();
        real.sort();
        sim.sort();
        assert_eq!(real, sim, "the files of the backup");
        let layout = format!("{path}/nodes.json");
        let real = std::fs::read_to_string(&layout).expect("the layout");
        let Some(File::Text(sim)) = p.sim.world.files.get(&layout) else { panic!("no layout") };
        assert_eq!(nodes_json(&real, &names[0]), nodes_json(sim, &names[1]));
        if broken {
            p.ask(0, "CLUSTER SETSLOT 2100 STABLE");
        }
    }
}

/// What the file says of each node, in sorted order. Whom a replica follows, whose epoch it then shows, was drawn
/// by lot.
fn nodes_json(text: &str, names: &[String]) -> Vec<String> {
    let text = rename(text, names);
    let mut nodes: Vec<String> = text
        .split("  {\n")
        .map(|node| {
            let follows = node.contains("\"replicate\": \"");
            let drawn =
                |line: &&str| follows && (line.contains("replicate") || line.contains("current_epoch"));
            let lines = node.trim_end_matches([' ', ',', '}', ']', '\n']).lines().filter(|l| !drawn(l));
            lines.collect::<Vec<_>>().join("\n")
        })
        .collect();
    nodes.sort();
    nodes
}

/// Slots that no node owns: one with keys, one without.
fn uncovered(p: &mut Pair) {
    let (slot, _) = p.fill(0, 3_000..3_001, 2).remove(0);
    for n in 0..7 {
        p.ask(n, &format!("CLUSTER DELSLOTS {slot}"));
    }
    p.run("--cluster fix {n1}", "");
    p.run("--cluster fix {n1}", "yes\n");
    p.settle();
    p.run("--cluster check {n1}", "");
}

impl Pair {
    fn start() -> Pair {
        let all = real::free_ports(2 * NODES);
        let (fronts, backs) = all.split_at(NODES);
        let servers = Servers::start_behind(backs, fronts);
        let proxies = Proxies::start(fronts, backs);
        let sim = Cluster { world: World::new(Arc::new(plan(fronts)), 3, Level::Packet) };
        let mut pair = Pair {
            servers,
            proxies,
            sim,
            ports: fronts.to_vec(),
            members: MEMBERS,
            differences: Vec::new(),
            compared: 0,
        };
        pair.sim.run(Dur::secs(3));
        pair
    }

    /// The line with addresses and ids of one side.
    fn fill_in(&mut self, real: bool, line: &str) -> String {
        let mut line = line.to_string();
        for n in 0..NODES {
            let name = format!("n{}", n + 1);
            line = line.replace(&format!("{{{name}}}"), &format!("127.0.0.1:{}", self.ports[n]));
            if line.contains(&format!("{{{name}.id}}")) {
                let id = self.id(real, n);
                line = line.replace(&format!("{{{name}.id}}"), &id);
            }
        }
        line
    }

    fn id(&mut self, real: bool, n: usize) -> String {
        let id =
            if real { self.servers.ask(n, &["CLUSTER", "MYID"]) } else { self.sim.ask(n, "CLUSTER MYID") };
        id.as_str().expect("an id").to_string()
    }

    /// Asks both sides, past the proxies.
    fn ask(&mut self, n: usize, line: &str) {
        let (real, sim) = (self.fill_in(true, line), self.fill_in(false, line));
        let words = |line: &str| -> Vec<String> {
            let words = split_args(line).expect("a line with closed quotes");
            words.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect()
        };
        let real = words(&real);
        let real = self.servers.ask(n, &real.iter().map(String::as_str).collect::<Vec<_>>());
        let sim = self.sim.ask_and_wait_words(n, &words(&sim));
        assert_eq!(real, sim, "{line}");
        self.sim.run(Dur::ms(10));
    }

    /// Gives both sides some keys for each of these slots of a node.
    fn fill(&mut self, n: usize, slots: std::ops::Range<u16>, keys: usize) -> Vec<(u16, Vec<String>)> {
        let mut made = Vec::new();
        for slot in slots {
            let tag = (0..).map(|i| format!("t{i}")).find(|t| key_slot(t.as_bytes()) == slot).expect("a tag");
            let keys: Vec<String> = (0..keys).map(|i| format!("{{{tag}}}:{i}")).collect();
            for key in &keys {
                self.ask(n, &format!("SET {key} value-of-{slot}"));
            }
            made.push((slot, keys));
        }
        made
    }

    /// Runs the tool on both sides and compares everything about it.
    fn run(&mut self, line: &str, input: &str) {
        let real = self.run_real(line, input);
        let sim = self.run_sim(line, input);
        let mut differ = |what: String, real: &str, sim: &str| {
            self.differences.push(format!("redis-cli {line}: {what}\n  real: {real}\n  sim:  {sim}"));
        };
        if real.code != sim.code {
            differ("exit code".into(), &real.code.to_string(), &sim.code.to_string());
        }
        for n in 0..NODES {
            let (a, b) = (&real.asked[n], &sim.asked[n]);
            self.compared += a.len();
            if let Some(i) = (0..a.len().max(b.len())).find(|&i| a.get(i) != b.get(i)) {
                let show = |list: &[String]| {
                    list.get(i).map_or("nothing".to_string(), |l| l.chars().take(300).collect())
                };
                differ(
                    format!("command {i} of n{} ({} and {})", n + 1, a.len(), b.len()),
                    &show(a),
                    &show(b),
                );
            }
        }
        let (a, b) = (&real.lines, &sim.lines);
        if let Some(i) = (0..a.len().max(b.len())).find(|&i| a.get(i) != b.get(i)) {
            let show = |list: &[String]| list.get(i).cloned().unwrap_or_else(|| "nothing".into());
            differ(format!("line {i} in sorted order"), &show(a), &show(b));
        }
    }

    fn run_real(&mut self, line: &str, input: &str) -> Run {
        let words = self.fill_in(true, line);
        self.proxies.take(NODES);
        let mut command = Command::new("redis-cli");
        command.args(words.split(' ')).env("TERM", "dumb");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("redis-cli starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("a reader");
        let waiter = std::thread::spawn(move || child.wait_with_output().expect("redis-cli ends"));
        let deadline = Instant::now() + PATIENCE;
        while !waiter.is_finished() {
            assert!(Instant::now() < deadline, "redis-cli {line} does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = waiter.join().expect("redis-cli ends");
        let asked = self.proxies.take(NODES);
        let text = [output.stdout, output.stderr].concat();
        let names = self.names(true);
        let asked = asked.iter().map(|list| requests(list, &names)).collect();
        let lines = printed(&String::from_utf8_lossy(&text), &names);
        Run { code: output.status.code().expect("an exit code"), lines, asked }
    }

    fn run_sim(&mut self, line: &str, input: &str) -> Run {
        let words: Vec<String> = self.fill_in(false, line).split(' ').map(str::to_string).collect();
        let answers: Vec<String> = input.lines().map(str::to_string).collect();
        let w = &mut self.sim.world;
        let from = w.trace.events.len();
        w.run_redis_cli(&words, &answers);
        let limit = w.now() + Dur::secs(PATIENCE.as_secs());
        while w.tools().last().and_then(|t| t.exit_code()).is_none() {
            assert!(w.now() < limit && w.step(), "the simulated redis-cli {line} does not end");
        }
        let tool = w.tools().last().expect("a tool");
        let code = tool.exit_code().expect("an exit code");
        let text: Vec<&str> = tool.output().iter().map(|l| &**l).collect();
        let text = text.join("\n") + "\n";
        let mut asked: Vec<Vec<Words>> = vec![Vec::new(); NODES];
        for e in &w.trace.events[from..] {
            if let Fact::CommandRead { text, .. } = &e.fact {
                asked[e.host.0 as usize].push(split_args(&**text).expect("closed quotes"));
            }
        }
        let names = self.names(false);
        let asked = asked.iter().map(|list| requests(list, &names)).collect();
        Run { code: code.into(), lines: printed(&text, &names), asked }
    }

    /// Ids of the nodes of one side.
    fn names(&mut self, real: bool) -> Vec<String> {
        (0..NODES).map(|n| self.id(real, n)).collect()
    }

    /// Waits until all members of both sides tell the same of the slots and are in sync.
    fn settle(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        for real in [true, false] {
            while !self.is_settled(real) {
                assert!(
                    Instant::now() < deadline,
                    "no agreement on the {} side",
                    if real { "real" } else { "simulated" }
                );
                if real {
                    std::thread::sleep(Duration::from_millis(100));
                } else {
                    self.sim.run(Dur::ms(100));
                }
            }
        }
    }

    fn nodes_text(&mut self, real: bool, n: usize) -> String {
        let reply =
            if real { self.servers.ask(n, &["CLUSTER", "NODES"]) } else { self.sim.ask(n, "CLUSTER NODES") };
        reply.as_str().expect("a text").to_string()
    }

    fn is_settled(&mut self, real: bool) -> bool {
        let mut first = None;
        for n in 0..self.members {
            let text = self.nodes_text(real, n);
            let info = if real {
                self.servers.ask(n, &["CLUSTER", "INFO"])
            } else {
                self.sim.ask(n, "CLUSTER INFO")
            };
            let role = if real {
                self.servers.ask(n, &["INFO", "replication"])
            } else {
                self.sim.ask(n, "INFO replication")
            };
            if !info.as_str().unwrap_or("").contains("cluster_state:ok")
                || role.as_str().unwrap_or("").contains("link_status:down")
                || ["handshake", "disconnected", "fail"].iter().any(|bad| text.contains(bad))
            {
                return false;
            }
            let view = shape(&text, &[]);
            if view.len() != self.members {
                return false;
            }
            if *first.get_or_insert_with(|| view.clone()) != view {
                return false;
            }
        }
        true
    }

    /// CLUSTER NODES of every member, in structure.
    fn views(&mut self) {
        self.settle();
        for n in 0..self.members {
            let [real, sim] = [true, false].map(|real| {
                let names = self.names(real);
                shape(&self.nodes_text(real, n), &names)
            });
            if real != sim {
                self.differences
                    .push(format!("CLUSTER NODES of n{}\n  real: {real:?}\n  sim:  {sim:?}", n + 1));
            }
        }
    }
}

/// Who is a master with which slots and which epoch. Whom a replica follows was drawn by lot.
fn shape(text: &str, names: &[String]) -> Vec<String> {
    let nodes = parse_nodes(text).expect("CLUSTER NODES").nodes;
    let mut lines: Vec<String> = nodes
        .iter()
        .map(|n| {
            let slave = n.flags.has(NodeFlags::SLAVE);
            let epoch = if slave { 0 } else { n.epoch };
            let role = if slave { "replica" } else { "master" };
            let name = rename(n.name.as_str(), names);
            format!("{name} {}@{} {role} epoch {epoch} {:?} {:?}", n.port, n.cport, n.slots, n.open.len())
        })
        .collect();
    lines.sort();
    lines
}

fn rename(text: &str, names: &[String]) -> String {
    names.iter().enumerate().fold(text.to_string(), |text, (n, id)| {
        text.replace(id, &format!("<n{}>", n + 1)).replace(&id[..8], &format!("<n{}..>", n + 1))
    })
}

/// Requests in words, without the talk of replication. Looks at CLUSTER NODES are repeated until news have
/// spread: one stands for all.
fn requests(list: &[Words], names: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for words in list {
        let name = String::from_utf8_lossy(&words[0]).to_uppercase();
        if ["PING", "REPLCONF", "PSYNC"].contains(&name.as_str()) {
            continue;
        }
        let words: Vec<String> = words.iter().map(|w| w.escape_ascii().to_string()).collect();
        let mut line = rename(&words.join(" "), names);
        // Whom a replica gets is drawn by lot.
        if line.starts_with("CLUSTER REPLICATE <n") {
            line = "CLUSTER REPLICATE <some node>".into();
        }
        if !(line == "CLUSTER NODES" && out.last() == Some(&line)) {
            out.push(line);
        }
    }
    out
}

/// Lines in sorted order, because nodes are listed in the order of a hash table.
fn printed(text: &str, names: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            let line = rename(line, names);
            let replicates = line.trim_start().starts_with("replicates <n");
            // Drawn by lot; and one dot for each round of waiting.
            if replicates {
                return "replicates".into();
            }
            // Dump files have more in them than the model counts.
            match line.split_once(" bytes to '") {
                Some((before, name)) => {
                    format!("{} {name}", before.trim_end_matches(|c: char| c.is_ascii_digit()))
                }
                None => line.trim_end_matches('.').to_string(),
            }
        })
        .filter(|line| !line.starts_with("   ") || !line.contains("additional replica(s)"))
        .collect();
    lines.sort();
    lines
}

fn plan(ports: &[u16]) -> Plan {
    let node = |(i, &port): (usize, &u16)| {
        let mut conf = Config::default();
        for (name, value) in SETTINGS {
            conf.set(name, &[value], Source::File).expect("a directive of Redis");
        }
        conf.port = port;
        conf.cluster_enabled = true;
        NodeSpec { start: Start::At(Dur::ms(10 * i as u64)), ..NodeSpec::new(format!("n{}", i + 1), conf) }
    };
    Plan::new("operations", ports.iter().enumerate().map(node).collect())
}
