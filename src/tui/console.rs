//! Lines of the console: what they ask for, and how they are completed.
//!
//! A line is a command to a node (`7003> CLUSTER FAILOVER FORCE`, or without a name to the selected node), a run
//! of redis-cli, a fault in the words of scenario files (`kill n1`, `cut n1 n2`, `slow n1 50ms`), or a word to the
//! player itself (`go 12.5`, `when n3 n1 pfail`, `save my.toml`). Menus and keys make such lines too.

use crate::base::Dur;
use crate::redis::Addr;
use crate::redis::admin::Line as CliLine;
use crate::resp::split_args;
use crate::scenario::lesson::Lang;
use crate::tui::words::{Said, said};
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

/// What is wrong with a time.
pub const NO_TIME: Said =
    said("`{0}` is no time: write 12.5, 250ms, 2m or -3", "`{0}` 不是时间：写 12.5、250ms、2m 或 -3");

/// A word that begins a line, with its form and what it does.
pub struct Verb {
    pub word: &'static str,
    pub form: &'static str,
    pub what: Said,
}

const fn verb(word: &'static str, form: &'static str, what: Said) -> Verb {
    Verb { word, form, what }
}

/// Every word that begins a line and is no command of Redis.
pub const VERBS: &[Verb] = &[
    verb("kill", "NODE...", said("kill -9", "kill -9（立刻杀死）")),
    verb("start", "NODE...", said("start again, with the data on its disk", "再启动，磁盘上的数据还在")),
    verb("start-empty", "NODE...", said("start again with an empty disk", "用空磁盘再启动")),
    verb("restart", "NODE...", said("kill -9, and started again at once", "kill -9，并马上再启动")),
    verb("stop", "NODE...", said("SIGTERM", "SIGTERM（正常停止）")),
    verb(
        "power-loss",
        "NODE...",
        said("the machine loses power; start turns it on again", "机器断电；start 再开机"),
    ),
    verb("pause", "NODE...", said("SIGSTOP", "SIGSTOP（暂停）")),
    verb("resume", "NODE...", said("SIGCONT", "SIGCONT（继续）")),
    verb(
        "cut",
        "NODE... [from NODE...]",
        said(
            "drop packets between these and the others (or those named)",
            "切断它们与其他节点（或所列节点）之间的网络",
        ),
    ),
    verb("heal", "[NODE...]", said("undo all cuts, or those of these nodes", "恢复所有切断，或这些节点的")),
    verb(
        "slow",
        "NODE TIME",
        said(
            "each packet to and from it takes so much longer; 0ms undoes it",
            "进出它的每个报文都慢这么多；0ms 恢复",
        ),
    ),
    verb("clock", "NODE TIME", said("move its clock: +5s, -5s", "拨动它的时钟：+5s、-5s")),
    verb("busy", "NODE TIME", said("its event loop stands still so long", "它的事件循环停这么久")),
    verb("fill-disk", "NODE...", said("no byte fits on its disk any more", "它的磁盘满了")),
    verb("free-disk", "NODE...", said("there is room again", "磁盘又有空间了")),
    verb("slow-disk", "NODE TIME", said("each fsync takes so much longer", "每次 fsync 都慢这么多")),
    verb(
        "redis-cli",
        "--cluster ...",
        said("run redis-cli as a process of its own; {n1} is an address", "运行 redis-cli；{n1} 是地址"),
    ),
    verb("go", "TIME", said("go to a time: 12.5, 250ms, 2m", "跳到某个时间：12.5、250ms、2m")),
    verb(
        "when",
        "NODE NODE [ok|pfail|fail]",
        said("when did the first last believe so of the second?", "前者上次这样看后者是什么时候？"),
    ),
    verb("slot", "NUMBER or KEY", said("look at one slot", "看一个槽")),
    verb("name", "WORDS", said("a name for this future", "给这个未来起名")),
    verb("save", "FILE", said("write this future as a scenario file", "把这个未来写成场景文件")),
    verb("steps", "", said("print what was done by hand as scenario steps", "把手动做过的打印成场景步骤")),
    verb("help", "", said("these words", "列出这些词")),
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
pub fn read(line: &str, plan: &Plan, selected: usize, lang: Lang) -> Result<Asked, String> {
    let line = line.trim();
    let (node, rest) = match line.split_once('>') {
        Some((name, rest)) if !name.contains([' ', '"', '\'']) => (find(plan, name, lang)?, rest.trim()),
        _ => (selected, line),
    };
    let named = !std::ptr::eq(rest, line);
    let words: Vec<String> = split_args(rest)
        .map_err(|_| said("a quotation mark has no other half", "引号不成对").get(lang).to_string())?
        .iter()
        .map(|w| String::from_utf8_lossy(w).into_owned())
        .collect();
    let Some(first) = words.first() else {
        return Err(said("a command to a node, or a fault: try help", "给节点的命令或故障：试试 help")
            .get(lang)
            .into());
    };
    if !named && VERBS.iter().any(|v| v.word == first) {
        return verb_line(first, &words[1..], rest, plan, lang);
    }
    let node = plan.nodes[node].name.clone();
    let words = words.iter().map(|w| with_places(w, plan)).collect();
    Ok(Asked::Do(vec![Action::Command { node, words }]))
}

/// The place of a node that is named, or called by its port.
fn find(plan: &Plan, word: &str, lang: Lang) -> Result<usize, String> {
    let port = word.parse::<u16>().ok();
    let is = |n: &crate::world::plan::NodeSpec| n.name == word || Some(n.conf.port) == port;
    plan.nodes.iter().position(is).ok_or_else(|| {
        let names: Vec<&str> = plan.nodes.iter().take(12).map(|n| n.name.as_str()).collect();
        said("there is no node `{0}`; there are {1}", "没有节点 `{0}`；有 {1}")
            .with(lang, &[&word, &names.join(", ")])
    })
}

/// Nodes, and clients where a fault of the network is meant.
fn hosts(plan: &Plan, words: &[String], lang: Lang) -> Result<Vec<String>, String> {
    let one = |w: &String| match plan.clients.iter().find(|c| c.name == *w) {
        Some(c) => Ok(c.name.clone()),
        None => find(plan, w, lang).map(|i| plan.nodes[i].name.clone()),
    };
    words.iter().map(one).collect()
}

fn everybody(plan: &Plan) -> Vec<String> {
    let nodes = plan.nodes.iter().map(|n| n.name.clone());
    nodes.chain(plan.clients.iter().map(|c| c.name.clone())).collect()
}

fn verb_line(verb: &str, words: &[String], rest: &str, plan: &Plan, lang: Lang) -> Result<Asked, String> {
    let form = VERBS.iter().find(|v| v.word == verb).map_or("", |v| v.form);
    let usage = || said("write: {0} {1}", "写法：{0} {1}").with(lang, &[&verb, &form]);
    let time_of = |text: &str| super::text::parse_time(text).map_err(|_| NO_TIME.with(lang, &[&text]));
    let negative = || said("a length of time is not negative", "时长不能是负数").get(lang).to_string();
    let tail = || rest[verb.len()..].trim().to_string();
    let each = |make: fn(String) -> Action| -> Result<Asked, String> {
        if words.is_empty() {
            return Err(usage());
        }
        let nodes = words.iter().map(|w| find(plan, w, lang)).collect::<Result<Vec<_>, _>>()?;
        Ok(Asked::Do(nodes.into_iter().map(|i| make(plan.nodes[i].name.clone())).collect()))
    };
    let node_and_time = || -> Result<(String, i64), String> {
        let [node, time] = words else { return Err(usage()) };
        Ok((plan.nodes[find(plan, node, lang)?].name.clone(), time_of(time)?))
    };
    let length = || -> Result<(String, Dur), String> {
        let (node, us) = node_and_time()?;
        Ok((node, Dur(u64::try_from(us).map_err(|_| negative())?)))
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
            let from = hosts(plan, parts.next().unwrap_or_default(), lang)?;
            if from.is_empty() {
                return Err(usage());
            }
            let to = match parts.next() {
                Some(to) => hosts(plan, to, lang)?,
                None => everybody(plan).into_iter().filter(|n| !from.contains(n)).collect(),
            };
            act(Action::Cut { from, to, both: true })
        }
        "heal" if words.is_empty() => act(Action::Heal { from: vec![], to: vec![] }),
        "heal" => act(Action::Heal { from: hosts(plan, words, lang)?, to: everybody(plan) }),
        "slow" => {
            let [node, time] = words else { return Err(usage()) };
            let from = hosts(plan, std::slice::from_ref(node), lang)?;
            let extra = Dur(u64::try_from(time_of(time)?).map_err(|_| negative())?);
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
                    (
                        a,
                        b,
                        Some(o.ok_or_else(|| {
                            said("believe what? ok, pfail or fail", "怎么看？ok、pfail 或 fail")
                                .get(lang)
                                .to_string()
                        })?),
                    )
                }
                _ => return Err(usage()),
            };
            let (believer, about) = (find(plan, believer, lang)?, find(plan, about, lang)?);
            Ok(Asked::When { believer, about, opinion })
        }
        _ => Err(usage()),
    }
}

/// `{n3.ip}` and `{n3.port}` are those of n3, as in scenario files.
fn with_places(word: &str, plan: &Plan) -> String {
    let mut out = word.to_string();
    for n in plan.nodes.iter().filter(|n| word.contains(&n.name)) {
        let addr: Addr = n.addr();
        out = out.replace(&format!("{{{}.ip}}", n.name), &addr.ip.to_string());
        out = out.replace(&format!("{{{}.port}}", n.name), &addr.port.to_string());
    }
    out
}

/// `{n3}` is the address of n3, as in scenario files; so is a bare name after a command of redis-cli.
fn with_addresses(word: &str, plan: &Plan) -> String {
    let mut out = with_places(word, plan);
    for n in &plan.nodes {
        out = out.replace(&format!("{{{}}}", n.name), &n.addr().to_string());
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
pub const ACTS: &[(char, Said, &str)] = &[
    ('k', said("kill -9", "kill -9（杀死）"), "kill {}"),
    ('s', said("start", "启动"), "start {}"),
    ('e', said("start with an empty disk", "用空磁盘启动"), "start-empty {}"),
    ('r', said("kill -9 and start at once", "kill -9 并马上启动"), "restart {}"),
    ('t', said("SIGTERM", "SIGTERM（正常停止）"), "stop {}"),
    ('w', said("power loss", "断电"), "power-loss {}"),
    ('p', said("pause (SIGSTOP)", "暂停（SIGSTOP）"), "pause {}"),
    ('g', said("go on (SIGCONT)", "继续（SIGCONT）"), "resume {}"),
    ('x', said("cut it off from all others", "与其他所有节点断网"), "cut {}"),
    ('h', said("heal every cut", "恢复所有断网"), "heal"),
    ('l', said("50 ms more latency", "延迟增加 50 ms"), "slow {} 50ms"),
    ('n', said("normal latency", "恢复正常延迟"), "slow {} 0ms"),
    ('+', said("clock 5 s forward", "时钟拨快 5 s"), "clock {} +5s"),
    ('-', said("clock 5 s back", "时钟拨慢 5 s"), "clock {} -5s"),
    ('b', said("busy for 3 s", "忙 3 s"), "busy {} 3s"),
    ('d', said("its disk is full", "磁盘写满"), "fill-disk {}"),
    ('D', said("its disk has room again", "磁盘又有空间"), "free-disk {}"),
    ('f', said("CLUSTER FAILOVER", "手动故障转移（FAILOVER）"), "{}> CLUSTER FAILOVER"),
    ('F', said("CLUSTER FAILOVER FORCE", "强制故障转移（FORCE）"), "{}> CLUSTER FAILOVER FORCE"),
    ('T', said("CLUSTER FAILOVER TAKEOVER", "直接接管（TAKEOVER）"), "{}> CLUSTER FAILOVER TAKEOVER"),
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
        let does = |line: &str| match read(line, &plan, 2, Lang::En) {
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
        assert_eq!(
            does("n1> CLUSTER MEET {n6.ip} {n6.port}"),
            command("n1", &["CLUSTER", "MEET", "127.0.0.1", "7005"])
        );
        assert_eq!(does("SET {n1}:a {n1.id}"), command("n3", &["SET", "{n1}:a", "{n1.id}"]), "keys and IDs");
        assert_eq!(does("clock n1 -5s"), [Action::ClockJump { node: "n1".into(), by_us: -5_000_000 }]);
        let Action::Cut { from, to, both } = &does("cut n1")[0] else { panic!("a cut") };
        assert_eq!((from.len(), to.len(), *both), (1, 6, true), "the client is cut off too");
        let Action::RedisCli { words, .. } = &does("redis-cli --cluster check {n1}")[0] else {
            panic!("redis-cli")
        };
        assert_eq!(words[2], "127.0.0.1:7000");
        assert_eq!(
            read("when n3 n1 pfail", &plan, 0, Lang::En),
            Ok(Asked::When { believer: 2, about: 0, opinion: Some(Opinion::Suspected) })
        );
        for bad in ["", "kill", "kill n9", "n9> PING", "busy n1", "busy n1 -3s", "cut", "when n1", "SET \"a"]
        {
            for lang in [Lang::En, Lang::Zh] {
                assert!(read(bad, &plan, 0, lang).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn every_act_of_the_menu_is_a_line() {
        let plan = plan();
        for (i, (key, _, line)) in ACTS.iter().enumerate() {
            let line = line.replace("{}", "n2");
            assert!(matches!(read(&line, &plan, 0, Lang::En), Ok(Asked::Do(_))), "{line}");
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
