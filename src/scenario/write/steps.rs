//! Steps: what is done, said, asked and expected, in order of time.

use super::super::Scenario;
use super::{list, put, quoted, table, time, words};
use crate::base::Dur;
use crate::check::expect::{REFUSALS, ReplyWanted, SlotsWanted};
use crate::check::{Count, Expect, Pattern, Role};
use crate::world::plan::{Action, Plan};

pub(super) fn write(out: &mut String, s: &Scenario) -> Result<(), String> {
    let mut times: Vec<Dur> = s.plan.steps.iter().map(|step| step.at).collect();
    times.extend(s.script.expectations.iter().map(|e| e.at));
    times.extend(s.questions.iter().map(|q| q.at));
    times.sort_unstable();
    times.dedup();
    for at in times {
        let mut said: Option<&str> = None;
        let begin = |out: &mut String, said: &mut Option<&str>| {
            out.push_str("\n[[step]]\n");
            put(out, "at", time(at));
            if let Some(text) = said.take() {
                put(out, "say", quoted(text));
            }
        };
        for step in s.plan.steps.iter().filter(|step| step.at == at) {
            match &step.action {
                Action::Say { text } => {
                    if said.is_some() {
                        begin(out, &mut said);
                    }
                    said = Some(text);
                }
                action => {
                    begin(out, &mut said);
                    put(out, &format!("do.{}", deed(action)), value(&s.plan, action));
                }
            }
        }
        if said.is_some() {
            begin(out, &mut said);
        }
        for e in s.script.expectations.iter().filter(|e| e.at == at) {
            begin(out, &mut said);
            let (key, value) = expectation(&e.expect);
            put(out, &format!("expect.{key}"), value);
        }
        for q in s.questions.iter().filter(|q| q.at == at) {
            begin(out, &mut said);
            put(out, "ask.question", quoted(&q.question));
            put(out, "ask.answer", quoted(&q.answer));
            if !q.choices.is_empty() {
                put(out, "ask.choices", list(&q.choices));
            }
        }
    }
    Ok(())
}

/// A deed as a scenario writes it, such as `kill = "n1"`.
pub fn deed_text(plan: &Plan, action: &Action) -> String {
    format!("{} = {}", deed(action), value(plan, action))
}

/// What is expected, without the lines of the file.
pub(super) fn expectations(s: &Scenario) -> String {
    s.script.expectations.iter().map(|e| format!("{} {:?}\n", e.at, e.expect)).collect()
}

/// The word of a scenario for an action.
fn deed(action: &Action) -> &'static str {
    match action {
        Action::Kill { .. } => "kill",
        Action::Start { wipe: false, .. } => "start",
        Action::Start { wipe: true, .. } => "start-empty",
        Action::Terminate { .. } => "stop",
        Action::Crash { .. } => "power-loss",
        Action::Pause { .. } => "pause",
        Action::Resume { .. } => "resume",
        Action::Cut { .. } => "cut",
        Action::Heal { .. } => "heal",
        Action::Slow { .. } => "slow",
        Action::ClockJump { .. } => "clock-jump",
        Action::Command { .. } => "command",
        Action::RedisCli { .. } => "redis-cli",
        Action::Busy { .. } => "busy",
        Action::DiskFull { full: true, .. } => "fill-disk",
        Action::DiskFull { full: false, .. } => "free-disk",
        Action::SlowDisk { .. } => "slow-disk",
        Action::Restart { .. } => "restart",
        Action::Copy { .. } => "copy",
        Action::Say { .. } => "say",
    }
}

fn value(plan: &Plan, action: &Action) -> String {
    match action {
        Action::Kill { node }
        | Action::Start { node, .. }
        | Action::Terminate { node }
        | Action::Crash { node }
        | Action::Pause { node }
        | Action::Resume { node }
        | Action::DiskFull { node, .. } => quoted(node),
        Action::Cut { from, to, both } => table(&[
            ("from", Some(words(from))),
            ("to", other_group(plan, from, to)),
            ("one-way", (!both).then(|| "true".into())),
        ]),
        Action::Heal { from, .. } if from.is_empty() => quoted("all"),
        Action::Heal { from, .. } => words(from),
        Action::Slow { from, to, extra } => table(&[
            ("from", Some(words(from))),
            ("to", other_group(plan, from, to)),
            ("extra", Some(time(*extra))),
        ]),
        Action::ClockJump { node, by_us } => {
            let sign = if *by_us < 0 { "-" } else { "" };
            let by = quoted(&format!("{sign}{}", Dur(by_us.unsigned_abs())));
            table(&[("node", Some(quoted(node))), ("by", Some(by))])
        }
        Action::Command { node, words } => {
            table(&[("node", Some(quoted(node))), ("run", Some(quoted(&command_line(words))))])
        }
        Action::RedisCli { words, answers } => table(&[
            ("run", Some(quoted(&command_line(words)))),
            ("answers", (!answers.is_empty()).then(|| list(answers))),
        ]),
        Action::Busy { node, time: t } => table(&[("node", Some(quoted(node))), ("time", Some(time(*t)))]),
        Action::SlowDisk { node, extra } => {
            table(&[("node", Some(quoted(node))), ("extra", Some(time(*extra)))])
        }
        Action::Restart { node, wipe } => {
            table(&[("node", Some(quoted(node))), ("disk", wipe.then(|| quoted("empty")))])
        }
        Action::Copy { from, to } => table(&[("from", Some(quoted(from))), ("to", Some(quoted(to)))]),
        Action::Say { text } => quoted(text),
    }
}

/// The group, unless it is all others.
fn other_group(plan: &Plan, from: &[String], to: &[String]) -> Option<String> {
    let all = plan.nodes.iter().map(|n| &n.name).chain(plan.clients.iter().map(|c| &c.name));
    let others = all.filter(|name| !from.contains(name));
    (!others.eq(to.iter())).then(|| words(to))
}

/// Words as one would type them; [`crate::resp::split_args`] takes them apart again.
pub fn command_line(words: &[String]) -> String {
    let plain = |w: &str| {
        !w.is_empty() && w.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\'))
    };
    let quote = |w: &String| if plain(w) { w.clone() } else { crate::resp::quote(w.as_bytes()) };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn count(n: Count) -> String {
    match n {
        Count::Exactly(n) => n.to_string(),
        Count::AtLeast(n) => quoted(&format!(">= {n}")),
        Count::AtMost(n) => quoted(&format!("<= {n}")),
    }
}

fn pattern(p: &Pattern) -> [(&'static str, Option<String>); 3] {
    [
        ("what", Some(quoted(p.name()))),
        ("on", p.on.as_deref().map(quoted)),
        ("about", p.about.as_deref().map(quoted)),
    ]
}

/// Key and value below `expect`.
fn expectation(e: &Expect) -> (&'static str, String) {
    let one = |node: &Option<String>, value: String| {
        format!("{{ {} = {value} }}", node.as_deref().unwrap_or("all"))
    };
    let text = |t: &Option<String>| t.as_deref().map(quoted);
    match e {
        Expect::ClusterState { node, ok } => {
            ("cluster-state", one(node, quoted(if *ok { "ok" } else { "fail" })))
        }
        Expect::Role { node, role } => {
            let role = match role {
                Role::Master => "master".to_string(),
                Role::Replica => "replica".into(),
                Role::ReplicaOf(of) => format!("replica of {of}"),
                Role::Down => "down".into(),
            };
            ("role", format!("{{ {node} = {} }}", quoted(&role)))
        }
        Expect::Slots { node, want } => {
            let want = match want {
                SlotsWanted::Count(n) => count(*n),
                SlotsWanted::These(set) => quoted(&set.to_string()),
            };
            ("slots", format!("{{ {node} = {want} }}"))
        }
        Expect::Epoch { node, want } => ("epoch", one(node, count(*want))),
        Expect::Failover { of, by, within } => (
            "failover",
            table(&[
                ("of", Some(quoted(of))),
                ("by", (!by.is_empty()).then(|| words(by))),
                ("within", within.map(time)),
            ]),
        ),
        Expect::NoFailover { of } => ("no-failover", quoted(of.as_deref().unwrap_or("any"))),
        Expect::Refused { node, why } => {
            let why = REFUSALS.iter().find(|(_, w)| w == why).map_or("", |(name, _)| name);
            ("refused", table(&[("node", Some(quoted(node))), ("why", Some(quoted(why)))]))
        }
        Expect::Migrated { node, to } => {
            ("migrated", table(&[("node", Some(quoted(node))), ("to", text(to))]))
        }
        Expect::Knows { who, node, knows } => {
            (if *knows { "known" } else { "forgotten" }, one(who, quoted(node)))
        }
        Expect::Writes(w) => {
            let names = ["acked", "kept", "lost", "refused", "unknown", "unserved", "stale-reads"];
            let counts = names.into_iter().zip(w.counts.map(|n| n.map(count)));
            let by: Vec<String> =
                w.lost_by.iter().map(|(c, n)| format!("{} = {}", quoted(c.name()), count(*n))).collect();
            let by = (!by.is_empty()).then(|| format!("{{ {} }}", by.join(", ")));
            let mut pairs = vec![("client", text(&w.client))];
            pairs.extend(counts);
            pairs.push(("lost-by", by));
            ("writes", table(&pairs))
        }
        Expect::Link { node, up } => {
            ("link", format!("{{ {node} = {} }}", quoted(if *up { "up" } else { "down" })))
        }
        Expect::Key { node, key, value } => (
            "key",
            table(&[("node", Some(quoted(node))), ("name", Some(quoted(key))), ("value", text(value))]),
        ),
        Expect::Health { node, overall } => ("health", one(node, quoted(overall.name()))),
        Expect::RedisCli { exit, prints } => {
            ("redis-cli", table(&[("exit", exit.map(|n| n.to_string())), ("prints", text(prints))]))
        }
        Expect::Reply { node, want } => {
            let want = match want {
                ReplyWanted::Is(t) => ("is", Some(quoted(t))),
                ReplyWanted::StartsWith(t) => ("starts", Some(quoted(t))),
                ReplyWanted::Contains(t) => ("contains", Some(quoted(t))),
            };
            ("reply", table(&[("node", Some(quoted(node))), want]))
        }
        Expect::Happened { what, times, since } => {
            let mut pairs = pattern(what).to_vec();
            pairs.push(("times", (*times != Count::AtLeast(1)).then(|| count(*times))));
            pairs.push(("since", since.map(time)));
            ("happened", table(&pairs))
        }
        Expect::Order(list) => {
            let parts: Vec<String> = list.iter().map(|p| table(&pattern(p))).collect();
            ("order", format!("[{}]", parts.join(", ")))
        }
        Expect::Agreement => ("agreement", "true".into()),
    }
}
