//! The fidelity ledger: what the code says of the functions of Redis it follows, gathered from its doc
//! comments into one page of the book.
//!
//! A doc comment names its source as `redis: cluster.c clusterGetSlaveRank @7.0.15` and what differs as
//! `deviates: ...` to the end of the paragraph. The file may be left out where only one file has the
//! name. Every name is checked against the list of names in the source of Redis 7.0.15.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Item, items};
use super::{files_ending, no_mistakes, page, read};

const VERSION: &str = "@7.0.15";

/// Which names each file of Redis defines.
struct Names {
    files_of: BTreeMap<String, Vec<String>>,
}

impl Names {
    fn read() -> Names {
        let mut files_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let text = read("tests/fixtures/redis-7.0.15-names.txt");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (file, names) = line.split_once(": ").expect("a file and its names");
            for name in names.split(' ') {
                files_of.entry(name.to_string()).or_default().push(file.to_string());
            }
        }
        Names { files_of }
    }

    /// The files that define the name; `REPL_STATE_*` is any name that fits.
    fn files(&self, name: &str) -> BTreeSet<String> {
        match name.split_once('*') {
            None => self.files_of.get(name).into_iter().flatten().cloned().collect(),
            Some((start, end)) => {
                let from = self.files_of.range(start.to_string()..).take_while(|(n, _)| n.starts_with(start));
                from.filter(|(n, _)| n.ends_with(end)).flat_map(|(_, f)| f.clone()).collect()
            }
        }
    }

    /// Whether a longer name ends so: `AUTH_ACK`.
    fn ends_one(&self, word: &str) -> bool {
        self.files_of.keys().any(|n| n.strip_suffix(word).is_some_and(|rest| rest.ends_with('_')))
    }
}

/// One `redis:` remark.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    /// As it is printed: `cluster.c clusterGetSlaveRank`.
    text: String,
    /// The names of Redis in it.
    names: Vec<String>,
}

/// Whether a word is written as code and so must be a name of Redis.
fn is_code(word: &str) -> bool {
    let hump = word.as_bytes().windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
    word.contains('_') || hump || word.contains('*')
}

/// Reads what stands between `redis:` and the version.
fn source(text: &str, names: &Names) -> Result<Source, String> {
    let mut named_file: Option<&str> = None;
    let mut printed_file = String::new();
    let (mut found, mut out) = (Vec::new(), Vec::new());
    for raw in text.split_whitespace() {
        let word = raw.trim_matches([',', ';', '(', ')', '`', '+', '.', ':']);
        out.push(raw.to_string());
        if word.ends_with(".c") || word.ends_with(".h") {
            named_file = Some(word);
            continue;
        }
        let files = names.files(word);
        let here = named_file.is_some_and(|f| files.contains(f));
        if files.is_empty() && is_code(word) && !names.ends_one(word) {
            return Err(format!("Redis 7.0.15 has no `{word}`"));
        }
        if files.is_empty() || !(here || is_code(word)) {
            continue;
        }
        match (named_file, files.first()) {
            (Some(file), Some(first)) if !here => {
                return Err(format!("`{word}` is not in {file} but in {first}"));
            }
            (None, Some(_)) if files.len() > 1 && !word.contains('*') => {
                return Err(format!("`{word}` is in several files: name one of {files:?}"));
            }
            (None, Some(file)) if printed_file != *file => {
                printed_file.clone_from(file);
                let last = out.len() - 1;
                out.insert(last, file.clone());
            }
            _ => {}
        }
        found.push(word.to_string());
    }
    match found.is_empty() {
        true => Err(format!("`{text}` names nothing in Redis 7.0.15")),
        false => Ok(Source { text: out.join(" "), names: found }),
    }
}

/// What one item says of Redis.
struct Entry {
    item: Item,
    sources: Vec<Source>,
    deviations: Vec<String>,
}

/// The remarks of a doc comment; `None` if it has none.
fn entry(item: Item, names: &Names, mistakes: &mut Vec<String>) -> Option<Entry> {
    let at = format!("{}:{} {}", item.file, item.line, item.path);
    let (mut sources, mut deviations) = (Vec::new(), Vec::new());
    for paragraph in item.doc.split("\n\n") {
        let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in text.split("redis: ").skip(1) {
            let Some((words, _)) = part.split_once(VERSION) else {
                mistakes.push(format!("{at}: `redis: {part}` does not end in {VERSION}"));
                continue;
            };
            match source(words, names) {
                Ok(found) => sources.push(found),
                Err(e) => mistakes.push(format!("{at}: {e}")),
            }
        }
        for part in text.split("deviates: ").skip(1) {
            let part = part.split(" redis: ").next().unwrap_or(part).trim();
            deviations.push(part.to_string());
        }
    }
    if !deviations.is_empty() && sources.is_empty() {
        mistakes.push(format!("{at}: `deviates:` without `redis:`: from what?"));
    }
    (!sources.is_empty()).then_some(Entry { item, sources, deviations })
}

/// Remarks that are not in a doc comment, where nothing gathers them.
fn stray_deviations(file: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("// deviates:"));
    lines.map(|(i, _)| format!("{file}:{}: `deviates:` belongs into the doc comment", i + 1)).collect()
}

/// Whether a text has the word, not as part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(i, _)| !text[..i].ends_with(part) && !text[i + word.len()..].starts_with(part))
}

/// The tests that name a source function of the entry, or stand in its file and call its function.
fn tests_of<'a>(entry: &Entry, tests: &'a [Item]) -> Vec<&'a Item> {
    let calls = format!("{}(", entry.item.name);
    let named = |test: &Item| {
        entry
            .sources
            .iter()
            .flat_map(|s| &s.names)
            .any(|name| has_word(&test.text, name.split('*').next().unwrap_or(name)))
    };
    let called = |test: &Item| {
        test.file == entry.item.file && !entry.item.name.is_empty() && test.text.contains(&calls)
    };
    tests.iter().filter(|test| named(test) || called(test)).collect()
}

/// How a path reads in the book: `redis/bus/failover.rs`.
fn short(file: &str) -> &str {
    file.trim_start_matches("src/")
}

fn ours(item: &Item) -> String {
    if item.path.is_empty() { "the file".into() } else { format!("`{}`", item.path) }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn ledger(entries: &[Entry], tests: &[Item]) -> String {
    let deviating = entries.iter().filter(|e| !e.deviations.is_empty()).count();
    let mut out = format!(
        "<!-- Made by tests/tidy/ledger.rs from the doc comments of src/. Do not edit. -->\n\
         # Fidelity ledger\n\n\
         What follows which function of Redis 7.0.15, and where it differs. The code says so itself: each\n\
         function names its source (`redis: cluster.c clusterGetSlaveRank @7.0.15`) and what it does\n\
         otherwise (`deviates: ...`). A test gathers these remarks into this page, checks every name\n\
         against the source of Redis, and fails when the page is stale.\n\n\
         {} mechanisms; {deviating} differ from Redis in a way that is known.\n\n\
         ## What differs\n\n\
         | ours | Redis 7.0.15 | how it differs |\n| --- | --- | --- |\n",
        entries.len()
    );
    for entry in entries.iter().filter(|e| !e.deviations.is_empty()) {
        let text = entry.deviations.join(" ");
        let place = format!("`{}` {}", short(&entry.item.file), ours(&entry.item));
        out.push_str(&format!("| {place} | {} | {} |\n", sources(entry), cell(&text)));
    }
    out.push_str(
        "\n## Every mechanism\n\n\
         The last column has the tests that name the function of Redis or, in the same file, call ours.\n\
         Whole runs are tested too: every scenario, the comparison with recordings of real clusters, and\n\
         the commands side by side with a real server.\n",
    );
    let mut file = "";
    for entry in entries {
        if entry.item.file != file {
            file = &entry.item.file;
            out.push_str(&format!(
                "\n### {}\n\n| ours | Redis 7.0.15 | tests |\n| --- | --- | --- |\n",
                short(file)
            ));
        }
        let tests: BTreeSet<String> = tests_of(entry, tests).iter().map(|t| words(&t.name)).collect();
        let tests: Vec<String> = tests.into_iter().collect();
        out.push_str(&format!("| {} | {} | {} |\n", ours(&entry.item), sources(entry), tests.join("; ")));
    }
    out
}

/// The name of a test as a sentence.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn sources(entry: &Entry) -> String {
    let all: Vec<String> = entry.sources.iter().map(|s| cell(&s.text)).collect();
    all.join("; ")
}

#[test]
fn the_fidelity_ledger_is_up_to_date() {
    let names = Names::read();
    let (mut entries, mut tests, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    for file in files_ending("src", ".rs").into_iter().chain(files_ending("tests", ".rs")) {
        let text = read(&file);
        mistakes.extend(stray_deviations(&file, &text));
        let (of_tests, others): (Vec<Item>, Vec<Item>) =
            items(&file, &text).into_iter().partition(|item| item.is_test);
        if !file.starts_with("tests/tidy/") {
            tests.extend(of_tests);
        }
        if file.starts_with("src/") {
            entries.extend(others.into_iter().filter_map(|item| entry(item, &names, &mut mistakes)));
        }
    }
    no_mistakes("Remarks on the source of a mechanism:", &mistakes);
    page("book/src/internals/fidelity.md", &ledger(&entries, &tests));
}

#[test]
fn sources_are_read_and_their_names_checked() {
    let names = Names::read();
    let read = |text: &str| source(text, &names);
    let ok = |text: &str| read(text).expect("a known name");
    assert_eq!(ok("cluster.c clusterGetSlaveRank").text, "cluster.c clusterGetSlaveRank");
    assert_eq!(ok("clusterGetSlaveRank, clusterCron").text, "cluster.c clusterGetSlaveRank, clusterCron");
    assert_eq!(ok("the AUTH_ACK branch of clusterProcessPacket").names, ["clusterProcessPacket"]);
    assert_eq!(ok("CLUSTER_TODO_*").text, "cluster.h CLUSTER_TODO_*");
    assert_eq!(ok("server.c main").names, ["main"]);
    assert_eq!(read("clusterGetSlaveRang").unwrap_err(), "Redis 7.0.15 has no `clusterGetSlaveRang`");
    let moved = read("replication.c clusterCron").unwrap_err();
    assert_eq!(moved, "`clusterCron` is not in replication.c but in cluster.c");
    assert!(read("the main loop").is_err(), "no name at all");
}

#[test]
fn remarks_are_taken_from_doc_comments() {
    let names = Names::read();
    let text = "/// Does it. redis: cluster.c clusterCron @7.0.15: the third part.\n///\n\
                /// deviates: less\n/// of it.\n///\n/// More.\nfn f() {}\n\
                /// deviates: alone\nfn g() {}\n/// redis: clusterCron\nfn h() {}\n";
    let mut mistakes = Vec::new();
    let entries: Vec<Entry> =
        items("src/x.rs", text).into_iter().filter_map(|i| entry(i, &names, &mut mistakes)).collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].deviations, ["less of it."]);
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    let tests = items("src/x.rs", "#[test]\nfn a_b() { f(); }\n#[test]\nfn c() { /* clusterCrone */ }");
    let tests: Vec<Item> = tests.into_iter().filter(|i| i.is_test).collect();
    assert_eq!(tests_of(&entries[0], &tests).iter().map(|t| words(&t.name)).collect::<Vec<_>>(), ["a b"]);
    assert_eq!(stray_deviations("x", "fn f() {\n    // deviates: x\n}").len(), 1);
}
