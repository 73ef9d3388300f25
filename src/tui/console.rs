//! Lines of the console: what they ask for, and how they are completed.
//!
//! A line is a command to a node (`7003> CLUSTER FAILOVER FORCE`, or without a name to the selected node), a run
//! of redis-cli, a fault in the words of scenario files (`kill n1`, `cut n1 n2`, `slow n1 50ms`), or a word to the
//! player itself (`go 12.5`, `when n3 n1 pfail`, `save my.toml`). Menus and keys make such lines too.

use crate::base::Dur;
use crate::redis::Addr;
use crate::redis::admin::Line as CliLine;
use crate::resp::split_args;
use crate::world::plan::{Action, Plan};
use crate::world::probe::view::Opinion;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Done to the world, in this order.
    Do(Vec<Action>),
    GoTo(String),
    /// When did the first last believe this of the second?
    When {
        believer: usize,
        about: usize,
        opinion: Option<Opinion>,
    },
    Slot(String),
    Save(String),
    /// A name for the present future.
    Name(String),
    /// The deeds so far as a scenario.
    Steps,
    Help,
}

/// A word that begins a line, with its form and what it does.
pub struct Verb {
    pub word: &'static str,
    pub form: &'static str,
    pub what: &'static str,
}

const fn verb(word: &'static str, form: &'static str, what: &'static str) -> Verb {
    Verb { word, form, what }
}

/// Every word that begins a line and is no command of Redis.
pub const VERBS: &[Verb] = &[
    verb("kill", "NODE...", "kill -9"),
    verb("start", "NODE...", "start again, with the data on its disk"),
    verb("start-empty", "NODE...", "start again with an empty disk"),
    verb("restart", "NODE...", "kill -9, and started again at once"),
    verb("stop", "NODE...", "SIGTERM"),
    verb("power-loss", "NODE...", "the machine loses power; start turns it on again"),
    verb("pause", "NODE...", "SIGSTOP"),
    verb("resume", "NODE...", "SIGCONT"),
    verb("cut", "NODE... [from NODE...]", "drop packets between these and the others (or those named)"),
    verb("heal", "[NODE...]", "undo all cuts, or those of these nodes"),
    verb("slow", "NODE TIME", "each packet to and from it takes so much longer; 0ms undoes it"),
    verb("clock", "NODE TIME", "move its clock: +5s, -5s"),
    verb("busy", "NODE TIME", "its event loop stands still so long"),
    verb("fill-disk", "NODE...", "no byte fits on its disk any more"),
    verb("free-disk", "NODE...", "there is room again"),
    verb("slow-disk", "NODE TIME", "each fsync takes so much longer"),
    verb("redis-cli", "--cluster ...", "run redis-cli as a process of its own; {n1} is an address"),
    verb("go", "TIME", "go to a time: 12.5, 250ms, 2m"),
    verb("when", "NODE NODE [ok|pfail|fail]", "when did the first last believe so of the second?"),
    verb("slot", "NUMBER or KEY", "look at one slot"),
    verb("name", "WORDS", "a name for this future"),
    verb("save", "FILE", "write this future as a scenario file"),
    verb("steps", "", "print what was done by hand as scenario steps"),
    verb("help", "", "these words"),
];

/// Commands that operators type, for completion; every other command of the server works too.
const COMMANDS: &[&str] = &[
    "CLUSTER FAILOVER",
    "CLUSTER FAILOVER FORCE",
    "CLUSTER FAILOVER TAKEOVER",
    "CLUSTER NODES",
    "CLUSTER INFO",
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CLUSTER LINKS",
    "CLUSTER MYID",
    "CLUSTER MEET",
    "CLUSTER FORGET",
    "CLUSTER REPLICATE",
    "CLUSTER RESET",
    "CLUSTER RESET HARD",
    "CLUSTER KEYSLOT",
    "CLUSTER COUNTKEYSINSLOT",
    "CLUSTER GETKEYSINSLOT",
    "CLUSTER SETSLOT",
    "CLUSTER ADDSLOTS",
    "CLUSTER DELSLOTS",
    "CLUSTER BUMPEPOCH",
    "CLUSTER COUNT-FAILURE-REPORTS",
    "CONFIG GET",
    "CONFIG SET",
    "DBSIZE",
    "DEBUG SLEEP",
    "DEL",
    "FLUSHALL",
    "GET",
    "INFO",
    "INFO replication",
    "INFO server",
    "INFO persistence",
    "KEYS",
    "PING",
    "REPLICAOF",
    "ROLE",
    "SAVE",
    "BGSAVE",
    "SENTINEL FAILOVER",
    "SENTINEL MASTERS",
    "SENTINEL SENTINELS",
    "SENTINEL REPLICAS",
    "SENTINEL CKQUORUM",
    "SENTINEL RESET",
    "SET",
    "SHUTDOWN",
    "WAIT",
];

/// Words of redis-cli --cluster.
const CLI: &[&str] = &[
    "redis-cli --cluster check {",
    "redis-cli --cluster info {",
    "redis-cli --cluster fix {",
    "redis-cli --cluster reshard {",
    "redis-cli --cluster rebalance {",
    "redis-cli --cluster add-node {",
    "redis-cli --cluster del-node {",
    "redis-cli --cluster call {",
];

/// Reads a line. `selected` is the node that a command without a name goes to.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn read(line: &str, plan: &Plan, selected: usize) -> Result<Asked, String> {
    let line = line.trim();
    let (node, rest) = match line.split_once('>') {
        Some((name, rest)) if !name.contains([' ', '"', '\'']) => (find(plan, name)?, rest.trim()),
        _ => (selected, line),
    };
    let named = !std::ptr::eq(rest, line);
    let words: Vec<String> = split_args(rest)
        .map_err(|_| "a quotation mark has no other half".to_string())?
        .iter()
        .map(|w| String::from_utf8_lossy(w).into_owned())
        .collect();
    let Some(first) = words.first() else { return Err("a command to a node, or a fault: try help".into()) };
    if !named && VERBS.iter().any(|v| v.word == first) {
        return verb_line(first, &words[1..], rest, plan);
    }
    let node = plan.nodes[node].name.clone();
    Ok(Asked::Do(vec![Action::Command { node, words }]))
}

/// The place of a node that is named, or called by its port.
fn find(plan: &Plan, word: &str) -> Result<usize, String> {
    let port = word.parse::<u16>().ok();
    let is = |n: &crate::world::plan::NodeSpec| n.name == word || Some(n.conf.port) == port;
    plan.nodes.iter().position(is).ok_or_else(|| {
        let names: Vec<&str> = plan.nodes.iter().take(12).map(|n| n.name.as_str()).collect();
        format!("there is no node `{word}`; there are {}", names.join(", "))
    })
}

/// Nodes, and clients where a fault of the network is meant.
fn hosts(plan: &Plan, words: &[String]) -> Result<Vec<String>, String> {
    let one = |w: &String| match plan.clients.iter().find(|c| c.name == *w) {
        Some(c) => Ok(c.name.clone()),
        None => find(plan, w).map(|i| plan.nodes[i].name.clone()),
    };
    words.iter().map(one).collect()
}

fn everybody(plan: &Plan) -> Vec<String> {
    let nodes = plan.nodes.iter().map(|n| n.name.clone());
    nodes.chain(plan.clients.iter().map(|c| c.name.clone())).collect()
}

fn verb_line(verb: &str, words: &[String], rest: &str, plan: &Plan) -> Result<Asked, String> {
    let form = VERBS.iter().find(|v| v.word == verb).map_or("", |v| v.form);
    let usage = || format!("write: {verb} {form}");
    let tail = || rest[verb.len()..].trim().to_string();
    let each = |make: fn(String) -> Action| -> Result<Asked, String> {
        if words.is_empty() {
            return Err(usage());
        }
        let nodes = words.iter().map(|w| find(plan, w)).collect::<Result<Vec<_>, _>>()?;
        Ok(Asked::Do(nodes.into_iter().map(|i| make(plan.nodes[i].name.clone())).collect()))
    };
    let node_and_time = || -> Result<(String, i64), String> {
        let [node, time] = words else { return Err(usage()) };
        Ok((plan.nodes[find(plan, node)?].name.clone(), super::text::parse_time(time)?))
    };
    let length = || -> Result<(String, Dur), String> {
        let (node, us) = node_and_time()?;
        Ok((node, Dur(u64::try_from(us).map_err(|_| "a length of time is not negative".to_string())?)))
    };
    let act = |action| Ok(Asked::Do(vec![action]));
    match verb {
        "kill" => each(|node| Action::Kill { node }),
        "start" => each(|node| Action::Start { node, wipe: false }),
        "start-empty" => each(|node| Action::Start { node, wipe: true }),
        "restart" => each(|node| Action::Restart { node, wipe: false }),
        "stop" => each(|node| Action::Terminate { node }),
        "power-loss" => each(|node| Action::Crash { node }),
        "pause" => each(|node| Action::Pause { node }),
        "resume" => each(|node| Action::Resume { node }),
        "fill-disk" => each(|node| Action::DiskFull { node, full: true }),
        "free-disk" => each(|node| Action::DiskFull { node, full: false }),
        "cut" => {
            let mut parts = words.split(|w| w == "from");
            let from = hosts(plan, parts.next().unwrap_or_default())?;
            if from.is_empty() {
                return Err(usage());
            }
            let to = match parts.next() {
                Some(to) => hosts(plan, to)?,
                None => everybody(plan).into_iter().filter(|n| !from.contains(n)).collect(),
            };
            act(Action::Cut { from, to, both: true })
        }
        "heal" if words.is_empty() => act(Action::Heal { from: vec![], to: vec![] }),
        "heal" => act(Action::Heal { from: hosts(plan, words)?, to: everybody(plan) }),
        "slow" => {
            let [node, time] = words else { return Err(usage()) };
            let from = hosts(plan, std::slice::from_ref(node))?;
            let us = super::text::parse_time(time)?;
            let extra = Dur(u64::try_from(us).map_err(|_| "packets cannot be faster than they are")?);
            let to = everybody(plan).into_iter().filter(|n| !from.contains(n)).collect();
            act(Action::Slow { from, to, extra })
        }
        "clock" => node_and_time().and_then(|(node, by_us)| act(Action::ClockJump { node, by_us })),
        "busy" => length().and_then(|(node, time)| act(Action::Busy { node, time })),
        "slow-disk" => length().and_then(|(node, extra)| act(Action::SlowDisk { node, extra })),
        "redis-cli" => {
            let words: Vec<String> = words.iter().map(|w| with_addresses(w, plan)).collect();
            CliLine::parse(&words)?;
            act(Action::RedisCli { words, answers: vec!["yes".into()] })
        }
        "go" => Ok(Asked::GoTo(tail())),
        "slot" if !words.is_empty() => Ok(Asked::Slot(words[0].clone())),
        "save" if !words.is_empty() => Ok(Asked::Save(tail())),
        "name" if !words.is_empty() => Ok(Asked::Name(tail())),
        "steps" => Ok(Asked::Steps),
        "help" => Ok(Asked::Help),
        "when" => {
            let (believer, about, opinion) = match words {
                [a, b] => (a, b, None),
                [a, b, what] => {
                    let all = [Opinion::Fine, Opinion::Suspected, Opinion::Failed];
                    let o = all.into_iter().find(|o| o.word().eq_ignore_ascii_case(what));
                    (a, b, Some(o.ok_or("believe what? ok, pfail or fail")?))
                }
                _ => return Err(usage()),
            };
            Ok(Asked::When { believer: find(plan, believer)?, about: find(plan, about)?, opinion })
        }
        _ => Err(usage()),
    }
}

/// `{n3}` is the address of n3, as in scenario files; so is a bare name after a command of redis-cli.
fn with_addresses(word: &str, plan: &Plan) -> String {
    let mut out = word.to_string();
    for n in &plan.nodes {
        let addr: Addr = n.addr();
        out = out.replace(&format!("{{{}}}", n.name), &addr.to_string());
    }
    match plan.nodes.iter().find(|n| n.name == out) {
        Some(n) => n.addr().to_string(),
        None => out,
    }
}

/// What could stand at the end of the line, whole lines each; the line itself is not among them.
pub fn completions(line: &str, plan: &Plan) -> Vec<String> {
    let (prompt, typed) = match line.split_once('>') {
        Some((name, rest)) if !name.contains(' ') => (format!("{name}> "), rest.trim_start()),
        _ => (String::new(), line.trim_start()),
    };
    let mut out: Vec<String> = Vec::new();
    if prompt.is_empty() {
        let verb = typed.split(' ').next().unwrap_or("");
        if typed.contains(' ') && VERBS.iter().any(|v| v.word == verb && v.form.contains("NODE")) {
            let (before, last) = typed.rsplit_once(' ').unwrap_or(("", typed));
            let names = plan.nodes.iter().map(|n| n.name.as_str()).chain(["from"]);
            out.extend(names.filter(|n| n.starts_with(last)).map(|n| format!("{before} {n}")));
        } else {
            out.extend(VERBS.iter().filter(|v| v.word.starts_with(typed)).map(|v| v.word.to_string()));
            let names = plan.nodes.iter().filter(|n| n.name.starts_with(typed));
            out.extend(names.map(|n| format!("{}> ", n.name)));
        }
        out.extend(CLI.iter().filter(|c| c.starts_with(typed)).map(|c| (*c).to_string()));
        if let (true, Some((before, part))) = (typed.starts_with("redis-cli"), typed.rsplit_once('{')) {
            let names = plan.nodes.iter().filter(|n| n.name.starts_with(part));
            out.extend(names.map(|n| format!("{before}{{{}}}", n.name)));
        }
    }
    let upper = typed.to_uppercase();
    let commands = COMMANDS.iter().filter(|c| !typed.is_empty() && c.to_uppercase().starts_with(&upper));
    out.extend(commands.map(|c| format!("{prompt}{c}")));
    out.retain(|c| c.trim_end() != line.trim_end() || c.len() > line.len());
    out
}

/// The line as far as all completions agree; the line itself if they do not go further.
pub fn complete(line: &str, plan: &Plan) -> String {
    let all = completions(line, plan);
    let Some(first) = all.first() else { return line.to_string() };
    let agree = |other: &String| {
        let same = first.chars().zip(other.chars()).take_while(|(a, b)| a == b);
        same.map(|(a, _)| a.len_utf8()).sum::<usize>()
    };
    let common = all.iter().map(agree).min().unwrap_or(0);
    let whole = if all.len() == 1 && !first.ends_with([' ', '{']) {
        format!("{first} ")
    } else {
        first[..common].to_string()
    };
    if whole.len() > line.len() { whole } else { line.to_string() }
}

/// One line of what one can do to the selected node: key, words for people, and the line of the console.
pub const ACTS: &[(char, &str, &str)] = &[
    ('k', "kill -9", "kill {}"),
    ('s', "start", "start {}"),
    ('e', "start with an empty disk", "start-empty {}"),
    ('r', "kill -9 and start at once", "restart {}"),
    ('t', "SIGTERM", "stop {}"),
    ('w', "power loss", "power-loss {}"),
    ('p', "pause (SIGSTOP)", "pause {}"),
    ('g', "go on (SIGCONT)", "resume {}"),
    ('x', "cut it off from all others", "cut {}"),
    ('h', "heal every cut", "heal"),
    ('l', "50 ms more latency", "slow {} 50ms"),
    ('n', "normal latency", "slow {} 0ms"),
    ('+', "clock 5 s forward", "clock {} +5s"),
    ('-', "clock 5 s back", "clock {} -5s"),
    ('b', "busy for 3 s", "busy {} 3s"),
    ('d', "its disk is full", "fill-disk {}"),
    ('D', "its disk has room again", "free-disk {}"),
    ('f', "CLUSTER FAILOVER", "{}> CLUSTER FAILOVER"),
    ('F', "CLUSTER FAILOVER FORCE", "{}> CLUSTER FAILOVER FORCE"),
    ('T', "CLUSTER FAILOVER TAKEOVER", "{}> CLUSTER FAILOVER TAKEOVER"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn plan() -> std::sync::Arc<Plan> {
        let s = crate::scenario::load(Path::new("@/cluster/chapter-cluster.toml"));
        s.expect("a scenario of the program").plan
    }

    #[test]
    fn lines_are_read() {
        let plan = plan();
        let does = |line: &str| match read(line, &plan, 2) {
            Ok(Asked::Do(actions)) => actions,
            other => panic!("{line}: {other:?}"),
        };
        let command = |node: &str, words: &[&str]| {
            let words = words.iter().map(|w| (*w).to_string()).collect();
            vec![Action::Command { node: node.into(), words }]
        };
        assert_eq!(does("CLUSTER INFO"), command("n3", &["CLUSTER", "INFO"]));
        assert_eq!(does("7003> CLUSTER FAILOVER FORCE"), command("n4", &["CLUSTER", "FAILOVER", "FORCE"]));
        assert_eq!(does("n1> SET a \"b > c\""), command("n1", &["SET", "a", "b > c"]));
        assert_eq!(does("kill n1 7001"), ["n1", "n2"].map(|n| Action::Kill { node: n.into() }).to_vec());
        assert_eq!(does("clock n1 -5s"), [Action::ClockJump { node: "n1".into(), by_us: -5_000_000 }]);
        let Action::Cut { from, to, both } = &does("cut n1")[0] else { panic!("a cut") };
        assert_eq!((from.len(), to.len(), *both), (1, 6, true), "the client is cut off too");
        let Action::RedisCli { words, .. } = &does("redis-cli --cluster check {n1}")[0] else {
            panic!("redis-cli")
        };
        assert_eq!(words[2], "127.0.0.1:7000");
        assert_eq!(
            read("when n3 n1 pfail", &plan, 0),
            Ok(Asked::When { believer: 2, about: 0, opinion: Some(Opinion::Suspected) })
        );
        for bad in ["", "kill", "kill n9", "n9> PING", "busy n1", "busy n1 -3s", "cut", "when n1", "SET \"a"]
        {
            assert!(read(bad, &plan, 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_act_of_the_menu_is_a_line() {
        let plan = plan();
        for (i, (key, _, line)) in ACTS.iter().enumerate() {
            let line = line.replace("{}", "n2");
            assert!(matches!(read(&line, &plan, 0), Ok(Asked::Do(_))), "{line}");
            assert!(ACTS[..i].iter().all(|(k, ..)| k != key), "{key}");
        }
    }

    #[test]
    fn lines_are_completed() {
        let plan = plan();
        assert_eq!(complete("ki", &plan), "kill ");
        assert_eq!(complete("kill n", &plan), "kill n");
        assert_eq!(completions("kill n", &plan).len(), 6);
        assert_eq!(complete("7003> cluster failover f", &plan), "7003> CLUSTER FAILOVER FORCE ");
        assert_eq!(complete("redis-cli --cluster che", &plan), "redis-cli --cluster check {");
        assert_eq!(complete("redis-cli --cluster check {n3", &plan), "redis-cli --cluster check {n3} ");
        assert_eq!(complete("nothing like this", &plan), "nothing like this");
    }
}
