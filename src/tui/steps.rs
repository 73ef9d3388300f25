//! Deeds in the words of scenario files and of the console.

use std::path::Path;

use super::words::said;
use crate::base::Dur;
use crate::scenario::lesson::Lang;
use crate::scenario::{self, Source};
use crate::world::plan::{Action, Plan};

/// A deed as a line of the console.
pub fn line(action: &Action) -> String {
    match action {
        Action::Kill { node } => format!("kill {node}"),
        Action::Start { node, wipe: false } => format!("start {node}"),
        Action::Start { node, wipe: true } => format!("start-empty {node}"),
        Action::Restart { node, .. } => format!("restart {node}"),
        Action::Terminate { node } => format!("stop {node}"),
        Action::Crash { node } => format!("power-loss {node}"),
        Action::Pause { node } => format!("pause {node}"),
        Action::Resume { node } => format!("resume {node}"),
        Action::Cut { from, to, .. } => format!("cut {} from {}", from.join(" "), to.join(" ")),
        Action::Heal { from, .. } if from.is_empty() => "heal".into(),
        Action::Heal { from, .. } => format!("heal {}", from.join(" ")),
        Action::Slow { from, extra, .. } => format!("slow {} {}", from.join(" "), extra),
        Action::ClockJump { node, by_us } => format!("clock {node} {}", signed(*by_us)),
        Action::Busy { node, time: d } => format!("busy {node} {d}"),
        Action::DiskFull { node, full: true } => format!("fill-disk {node}"),
        Action::DiskFull { node, full: false } => format!("free-disk {node}"),
        Action::SlowDisk { node, extra } => format!("slow-disk {node} {}", extra),
        Action::Command { node, words } => format!("{node}> {}", scenario::command_line(words)),
        Action::RedisCli { words, .. } => format!("redis-cli {}", scenario::command_line(words)),
        Action::Copy { from, to } => format!("copy {from} to {to}"),
        Action::Say { text } => format!("say {text}"),
    }
}

/// The same, short enough for a name.
pub fn short(action: &Action) -> String {
    match action {
        Action::Cut { from, .. } => format!("cut {}", from.join(" ")),
        other => {
            let whole = line(other);
            let short: String = whole.chars().take(28).collect();
            if short.len() < whole.len() { short + "…" } else { whole }
        }
    }
}

/// A deed as a step of a scenario file, with the empty line before it.
pub fn toml(plan: &Plan, at: Dur, action: &Action) -> String {
    let key = if matches!(action, Action::Say { .. }) { "" } else { "do." };
    format!("\n[[step]]\nat = \"{at}\"\n{key}{}\n", scenario::deed_text(plan, action))
}

/// The text of a scenario with deeds as further steps, in their order of time.
pub fn with_steps(scenario: &str, plan: &Plan, deeds: &[(Dur, Action)]) -> String {
    let mut out = scenario.trim_end().to_string() + "\n";
    for (at, action) in deeds {
        let step = toml(plan, *at, action);
        match first_step_after(&out, *at) {
            Some(place) => out.insert_str(place, &format!("{}\n", step.trim_start())),
            None => out.push_str(&step),
        }
    }
    out
}

/// Where the header of the first step after this time stands.
fn first_step_after(text: &str, at: Dur) -> Option<usize> {
    let mut header = None;
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if bare.starts_with('[') && !bare.starts_with("[step.") {
            header = (bare == "[[step]]").then_some(place);
        } else if let (Some(begin), Some(rest)) = (header, bare.strip_prefix("at")) {
            let value = rest.trim_start().strip_prefix('=').map(str::trim);
            let value = value.map(|v| v.split('#').next().unwrap_or("").trim().trim_matches(['"', '\'']));
            if value.and_then(|v| Dur::parse(v).ok()).is_some_and(|t| t > at) {
                return Some(begin);
            }
        }
        place += line.len();
    }
    None
}

/// Writes the scenario with the deeds to a new file, and beside it what it names, where that is not there yet.
/// Nothing is written unless the text reads as it should.
///
/// # Errors
/// A sentence that says what is in the way.
pub fn save(
    source: &Source,
    seed: u64,
    deeds: &[(Dur, Action)],
    end: Dur,
    file: &Path,
    lang: Lang,
) -> Result<(), String> {
    if file.exists() {
        let taken = said("{0} exists; choose another name", "{0} 已存在；请换个名字");
        return Err(taken.with(lang, &[&file.display()]));
    }
    let read = |text: &str| {
        scenario::parse(&source.name, text, &source.dir)
            .map_err(|e| said("it would not read back: {0}", "写出来读不回去：{0}").with(lang, &[&e]))
    };
    let mut text = with_steps(&source.text, &read(&source.text)?.plan, deeds);
    let written = read(&text)?;
    if written.seed != seed {
        text = with_key(&text, "seed", &seed.to_string());
    }
    if written.script.end < end {
        text = with_key(&text, "end", &format!("\"{end}\""));
    }
    read(&text)?;
    let dir = file.parent().unwrap_or(Path::new(""));
    let mut others = Vec::new();
    for name in named_files(&text) {
        let place = dir.join(&name);
        if !place.exists() {
            let other = scenario::source(&source.dir.join(&name)).map_err(|e| e.to_string())?;
            others.push((place, other.text));
        }
    }
    others.push((file.to_path_buf(), text));
    for (place, text) in others {
        let made = place.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = made.and_then(|()| std::fs::write(&place, text));
        written.map_err(|e| format!("{}: {e}", place.display()))?;
    }
    Ok(())
}

/// The files that a scenario names, where their place depends on its own.
fn named_files(text: &str) -> Vec<String> {
    let Ok(table) = text.parse::<toml::Table>() else { return Vec::new() };
    let lists = table.values().filter_map(|v| v.get("conf-files")?.as_array());
    let names = lists.flatten().filter_map(|v| v.as_str());
    names.filter(|n| !Path::new(n).is_absolute()).map(str::to_string).collect()
}

/// The text with another value for a key that stands before all tables.
fn with_key(text: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = {value}\n");
    let mut place = 0;
    for old in text.split_inclusive('\n') {
        if old.trim_start().starts_with('[') {
            break;
        }
        let rest = old.trim_start().strip_prefix(key).map(str::trim_start);
        if rest.is_some_and(|r| r.starts_with('=')) {
            return format!("{}{line}{}", &text[..place], &text[place + old.len()..]);
        }
        place += old.len();
    }
    format!("{line}{text}")
}

fn signed(us: i64) -> String {
    format!("{}{}", if us < 0 { "-" } else { "" }, Dur(us.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_another_value_or_is_added() {
        let text = "title = \"a\"\nseed = 3\n[cluster]\nend = 4\n";
        assert_eq!(with_key(text, "seed", "7"), "title = \"a\"\nseed = 7\n[cluster]\nend = 4\n");
        assert_eq!(with_key(text, "end", "9"), format!("end = 9\n{text}"));
        assert_eq!(named_files("[cluster]\nconf-files = [\"a\", \"/b\"]"), ["a"]);
    }

    #[test]
    fn every_deed_reads_back_as_itself() {
        let s = |t: &str| t.to_string();
        let all = [
            Action::Kill { node: s("n1") },
            Action::Start { node: s("n1"), wipe: false },
            Action::Start { node: s("n2"), wipe: true },
            Action::Restart { node: s("n1"), wipe: true },
            Action::Terminate { node: s("n1") },
            Action::Crash { node: s("n1") },
            Action::Pause { node: s("n1") },
            Action::Resume { node: s("n1") },
            Action::Cut { from: vec![s("n1"), s("n4")], to: vec![s("n2")], both: true },
            Action::Cut { from: vec![s("n1")], to: vec![s("n2")], both: false },
            Action::Heal { from: vec![], to: vec![] },
            Action::Slow { from: vec![s("n1")], to: vec![s("n2"), s("app")], extra: Dur::ms(50) },
            Action::ClockJump { node: s("n1"), by_us: -5_000_001 },
            Action::Busy { node: s("n1"), time: Dur::ms(2500) },
            Action::DiskFull { node: s("n1"), full: true },
            Action::DiskFull { node: s("n1"), full: false },
            Action::SlowDisk { node: s("n1"), extra: Dur::secs(3) },
            Action::Command { node: s("n1"), words: vec![s("SET"), s("a key"), s("\"quoted\" \\ text")] },
            Action::RedisCli {
                words: vec![s("--cluster"), s("check"), s("127.0.0.1:7000")],
                answers: vec![s("yes")],
            },
            Action::Say { text: s("a word, \"quoted\"") },
        ];
        let file = Path::new("@/cluster/chapter-cluster.toml");
        let source = crate::scenario::source(file).expect("a scenario of the program");
        let deeds: Vec<(Dur, Action)> =
            all.into_iter().enumerate().map(|(i, a)| (Dur(11_000_001 + i as u64), a)).collect();
        let before = crate::scenario::parse("as it was", &source.text, &source.dir).expect("a scenario");
        let written = with_steps(&source.text, &before.plan, &deeds);
        let read = crate::scenario::parse("saved", &written, &source.dir).expect("a scenario");
        let steps: Vec<(Dur, Action)> = read.plan.steps.iter().map(|s| (s.at, s.action.clone())).collect();
        for deed in &deeds {
            assert!(steps.contains(deed), "{deed:?}");
        }
        assert_eq!(steps.len(), before.plan.steps.len() + deeds.len());
    }
}
