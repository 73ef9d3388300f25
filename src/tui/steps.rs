//! Deeds in the words of scenario files and of the console.

use std::path::Path;

use crate::base::Dur;
use crate::scenario::{self, Source};
use crate::world::plan::Action;

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
        Action::Slow { from, extra, .. } => format!("slow {} {}", from.join(" "), time(*extra)),
        Action::ClockJump { node, by_us } => format!("clock {node} {}", signed(*by_us)),
        Action::Busy { node, time: d } => format!("busy {node} {}", time(*d)),
        Action::DiskFull { node, full: true } => format!("fill-disk {node}"),
        Action::DiskFull { node, full: false } => format!("free-disk {node}"),
        Action::SlowDisk { node, extra } => format!("slow-disk {node} {}", time(*extra)),
        Action::Command { node, words } => format!("{node}> {}", quoted(words)),
        Action::RedisCli { words, .. } => format!("redis-cli {}", quoted(words)),
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
pub fn toml(at: Dur, action: &Action) -> String {
    let names = |all: &[String]| match all {
        [one] => text(one),
        all => format!("[{}]", all.iter().map(|n| text(n)).collect::<Vec<_>>().join(", ")),
    };
    let deed = match action {
        Action::Kill { node } => format!("do.kill = {}", text(node)),
        Action::Start { node, wipe: false } => format!("do.start = {}", text(node)),
        Action::Start { node, wipe: true } => format!("do.start-empty = {}", text(node)),
        Action::Restart { node, wipe } => {
            let disk = if *wipe { ", disk = \"empty\"" } else { "" };
            format!("do.restart = {{ node = {}{disk} }}", text(node))
        }
        Action::Terminate { node } => format!("do.stop = {}", text(node)),
        Action::Crash { node } => format!("do.power-loss = {}", text(node)),
        Action::Pause { node } => format!("do.pause = {}", text(node)),
        Action::Resume { node } => format!("do.resume = {}", text(node)),
        Action::Cut { from, to, both } => {
            let one_way = if *both { "" } else { ", one-way = true" };
            format!("do.cut = {{ from = {}, to = {}{one_way} }}", names(from), names(to))
        }
        Action::Heal { from, .. } if from.is_empty() => "do.heal = \"all\"".into(),
        Action::Heal { from, .. } => format!("do.heal = {}", names(from)),
        Action::Slow { from, to, extra } => {
            format!(
                "do.slow = {{ from = {}, to = {}, extra = \"{}\" }}",
                names(from),
                names(to),
                time(*extra)
            )
        }
        Action::ClockJump { node, by_us } => {
            format!("do.clock-jump = {{ node = {}, by = \"{}\" }}", text(node), signed(*by_us))
        }
        Action::Busy { node, time: d } => {
            format!("do.busy = {{ node = {}, time = \"{}\" }}", text(node), time(*d))
        }
        Action::DiskFull { node, full: true } => format!("do.fill-disk = {}", text(node)),
        Action::DiskFull { node, full: false } => format!("do.free-disk = {}", text(node)),
        Action::SlowDisk { node, extra } => {
            format!("do.slow-disk = {{ node = {}, extra = \"{}\" }}", text(node), time(*extra))
        }
        Action::Command { node, words } => {
            format!("do.command = {{ node = {}, run = {} }}", text(node), text(&quoted(words)))
        }
        Action::RedisCli { words, answers } => {
            let answers = answers.iter().map(|a| text(a)).collect::<Vec<_>>().join(", ");
            format!("do.redis-cli = {{ run = {}, answers = [{answers}] }}", text(&quoted(words)))
        }
        Action::Copy { from, to } => format!("do.copy = {{ from = {}, to = {} }}", text(from), text(to)),
        Action::Say { text: said } => format!("say = {}", text(said)),
    };
    format!("\n[[step]]\nat = \"{}\"\n{deed}\n", time(at))
}

/// The text of a scenario with deeds as further steps, in their order of time.
pub fn with_steps(scenario: &str, deeds: &[(Dur, Action)]) -> String {
    let mut out = scenario.trim_end().to_string() + "\n";
    for (at, action) in deeds {
        let step = toml(*at, action);
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
) -> Result<(), String> {
    if file.exists() {
        return Err(format!("{} exists; choose another name", file.display()));
    }
    let mut text = with_steps(&source.text, deeds);
    let read = |text: &str| {
        scenario::parse(&source.name, text, &source.dir).map_err(|e| format!("it would not read back: {e}"))
    };
    let written = read(&text)?;
    if written.seed != seed {
        text = with_key(&text, "seed", &seed.to_string());
    }
    if written.script.end < end {
        text = with_key(&text, "end", &format!("\"{}\"", time(end)));
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

/// Without loss: `1500ms` or `12345678us`.
fn time(d: Dur) -> String {
    match d.0 {
        us if us % 1_000_000 == 0 => format!("{}s", us / 1_000_000),
        us if us % 1000 == 0 => format!("{}ms", us / 1000),
        us => format!("{us}us"),
    }
}

fn signed(us: i64) -> String {
    format!("{}{}", if us < 0 { "-" } else { "" }, time(Dur(us.unsigned_abs())))
}

/// A string of TOML.
fn text(s: &str) -> String {
    toml::Value::String(s.to_string()).to_string()
}

/// Words as one line that is split into them again.
fn quoted(words: &[String]) -> String {
    let plain = |w: &String| {
        !w.is_empty() && w.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"\"'\\".contains(c))
    };
    let quote = |w: &String| {
        if plain(w) {
            return w.clone();
        }
        let escaped = w.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
        format!("\"{escaped}\"")
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
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
        let written = with_steps(&source.text, &deeds);
        let read = crate::scenario::parse("saved", &written, &source.dir).expect("a scenario");
        let steps: Vec<(Dur, Action)> = read.plan.steps.iter().map(|s| (s.at, s.action.clone())).collect();
        for deed in &deeds {
            assert!(steps.contains(deed), "{deed:?}");
        }
        let before = crate::scenario::parse("as it was", &source.text, &source.dir).expect("a scenario");
        assert_eq!(steps.len(), before.plan.steps.len() + deeds.len());
    }
}
