//! Files: the same story of saves, kills and restarts for real servers and for simulated ones. Replies and errors, the
//! fields of INFO persistence, the keys after each restart and the names of the files must be equal.

use slotscope::resp::Value;

use super::real::{self, Servers};
use super::side::{self, Chapter, Side};

/// A server for each way to write the append-only file, and one without the file.
const KINDS: [(&str, &str); 4] = [("yes", "always"), ("yes", "everysec"), ("yes", "no"), ("no", "everysec")];
/// A background job is done, and noticed, within this.
const JOB_MS: u64 = 1500;

const SETTINGS: [(&str, &str); 2] = [("save", ""), ("enable-debug-command", "yes")];

/// Fields whose values depend on the clock, on memory, or on how many bytes a file has. The simulator does not read the
/// commands of an append-only file one by one: with one, what was loaded and what it changed are not compared.
fn is_measured(field: &str, aof: bool) -> bool {
    if aof && ["rdb_changes_since_last_save", "rdb_last_load_keys_loaded"].contains(&field) {
        return true;
    }
    ["_cow_", "_time", "_perc", "_size", "_buffer_", "fsync", "current_save_keys"]
        .iter()
        .any(|p| field.contains(p))
}

fn fields(side: &mut Side, n: usize) -> Vec<String> {
    let info = side.info(n, "persistence");
    let aof = KINDS[n].0 == "yes" || info.contains(&("aof_enabled".into(), "1".into()));
    let shown = |(k, v): &(String, String)| if is_measured(k, aof) { k.clone() } else { format!("{k}:{v}") };
    info.iter().map(shown).collect()
}

fn keys(side: &mut Side, n: usize) -> String {
    let Value::Array(all) = side.tell(n, "KEYS *") else { return "no list".into() };
    let mut names: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
    names.sort_unstable();
    format!("keys {}", names.join(" "))
}

fn answers(side: &mut Side, n: usize, lines: &[&str]) -> Vec<String> {
    let told = |value: Value| match value.as_pairs() {
        // Redis lists the directives in the order of a table with a random seed.
        Some(pairs) => {
            let mut all: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
            all.sort();
            all.join(" ")
        }
        None => value.to_string(),
    };
    lines.iter().map(|line| format!("{line}: {}", told(side.tell(n, line)))).collect()
}

/// What there is: fields, keys, files.
fn state(side: &mut Side, n: usize) -> Vec<String> {
    let mut out = fields(side, n);
    out.push(keys(side, n));
    out.push(side.files(n).join(" "));
    out
}

/// Killed at once after its last reply, and back.
fn back(side: &mut Side, n: usize, wipe: bool) -> Vec<String> {
    side.again(n, wipe);
    state(side, n)
}

fn story(side: &mut Side) -> Vec<Chapter> {
    let mut out: Vec<Chapter> = Vec::new();
    for (n, (aof, fsync)) in KINDS.iter().enumerate() {
        answers(
            side,
            n,
            &[&format!("CONFIG SET appendfsync {fsync}"), &format!("CONFIG SET appendonly {aof}")],
        );
        side.wait(JOB_MS);
        out.push(("written down", answers(side, n, &["CONFIG REWRITE", "CONFIG GET append*"])));
        out.push(("as it begins", state(side, n)));
        let mut told = answers(side, n, &["SET a 1", "SET b 2", "INCR a", "DEL b", "RPUSH c x y"]);
        side.wait(100);
        told.extend(back(side, n, false));
        out.push(("killed and started again", told));

        let mut told = answers(side, n, &["SET d 1", "BGREWRITEAOF"]);
        side.wait(JOB_MS);
        told.extend(state(side, n));
        told.extend(answers(side, n, &["SET e 1"]));
        side.wait(100);
        told.extend(back(side, n, false));
        out.push(("the file is written anew", told));

        let mut told =
            answers(side, n, &["SET f 1", "SAVE", "BGSAVE NOW", "BGSAVE NOW SCHEDULE", "LASTSAVE x"]);
        told.extend(answers(side, n, &["BGSAVE SCHEDULE"]));
        side.wait(JOB_MS);
        told.extend(state(side, n));
        let last = |v: &Value| matches!(v, Value::Int(at) if *at > 1_000_000_000);
        told.push(format!("LASTSAVE is a time: {}", last(&side.tell(n, "LASTSAVE"))));
        told.extend(answers(side, n, &["SET g 1", "BGSAVE"]));
        side.wait(JOB_MS);
        told.extend(answers(side, n, &["SET h 1"]));
        side.wait(100);
        told.extend(back(side, n, false));
        out.push(("dumps", told));

        let wrong = [
            "CONFIG SET appendonly perhaps",
            "CONFIG SET appendfsync sometimes",
            "CONFIG SET save often",
            "CONFIG SET appendfilename other.aof",
            "CONFIG SET appenddirname other",
            "CONFIG SET dbfilename a/b",
            "CONFIG SET rdbcompression maybe",
            "SAVE now",
            "BGREWRITEAOF now",
            "CONFIG GET save",
            "CONFIG GET dbfilename",
            "CONFIG GET appendonly",
            "CONFIG GET appendfsync",
        ];
        out.push(("refused", answers(side, n, &wrong)));

        // A save point: two changes within a second.
        let mut told = vec![side.ask(n, &["CONFIG", "SET", "save", "1 2"]).to_string()];
        told.extend(answers(side, n, &["SET i 1", "SET j 1"]));
        side.wait(2500);
        told.extend(state(side, n));
        told.push(side.ask(n, &["CONFIG", "SET", "save", ""]).to_string());
        told.extend(answers(side, n, &["SET k 1"]));
        side.wait(100);
        told.extend(back(side, n, false));
        out.push(("a save point", told));

        let other = if *aof == "yes" { "no" } else { "yes" };
        let mut told = answers(side, n, &[&format!("CONFIG SET appendonly {other}")]);
        side.wait(JOB_MS);
        told.extend(answers(side, n, &["CONFIG REWRITE", "SET l 1"]));
        side.wait(100);
        told.extend(state(side, n));
        told.extend(back(side, n, false));
        out.push(("the append-only file is turned on or off", told));

        let mut told = back(side, n, true);
        told.extend(answers(side, n, &["SET m 1"]));
        side.wait(100);
        told.extend(back(side, n, false));
        out.push(("an empty folder", told));
    }
    out
}

#[test]
fn files_are_those_of_real_servers() {
    if let Some(why) = real::missing() {
        assert!(std::env::var_os("SLOTSCOPE_REQUIRE_REDIS").is_none(), "nothing to compare with: {why}");
        println!("skipped: {why}");
        return;
    }
    let ports = real::free_ports(KINDS.len());
    let real = story(&mut Side::Real(Box::new(Servers::of_files(&ports, &SETTINGS))));
    let simulated = story(&mut Side::simulated(&ports, &SETTINGS));
    let found = side::differences(&real, &simulated);
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
