//! Small laws over all files: first lines, `unsafe`, words of the workplace, scenarios, links.

use super::{files, files_ending, no_mistakes, read, root};

/// Text files of the repository, without what is built.
fn texts() -> Vec<String> {
    let folders = [".ci", "benches", "scenarios", "src", "tests"];
    let mut all: Vec<String> = folders.iter().flat_map(|f| files(f)).collect();
    all.extend(files("book").into_iter().filter(|f| !f.starts_with("book/book/")));
    for name in ["README.md", "Cargo.toml", "Cargo.lock", ".clippy.toml", "rustfmt.toml", ".gitignore"] {
        all.extend(files(name));
    }
    all
}

#[test]
fn every_mod_rs_opens_with_what_it_is() {
    let mut mistakes = Vec::new();
    for path in files_ending("src", ".rs").into_iter().chain(files_ending("tests", ".rs")) {
        let opens = path.ends_with("/mod.rs") || path == "src/lib.rs" || path == "tests/main.rs";
        if opens && !read(&path).starts_with("//! ") {
            mistakes.push(path);
        }
    }
    no_mistakes("A mod.rs opens with `//! ` and what the module is:", &mistakes);
}

/// Words that mean something only where the code was written, each with the reason. They are cut in
/// two here, so that this list does not find itself.
const WORKPLACE: &[(&str, &str, &str)] = &[
    ("/wo", "rk/", "a path of one machine"),
    ("/t", "mp/", "a path of one machine: use a temporary folder of the test"),
    ("/ro", "ot/", "a path of one machine"),
    ("/ho", "me/", "a path of one machine"),
    ("http://local", "host", "a server of one machine"),
    ("http://127.", "0.0.1", "a server of one machine"),
    ("sparse", "+http", "a package registry: crates.io is the only one"),
    ("an", "thropic", "a tool, not the project"),
    ("cla", "ude", "a tool, not the project"),
    ("chat", "gpt", "a tool, not the project"),
    ("sub", "agent", "a tool, not the project"),
    ("DESIGN", ".md", "not in the repository: say it here"),
];

/// The lines of a text that hold a word of the workplace.
fn workplace_words(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let low = line.to_ascii_lowercase();
        for (head, tail, why) in WORKPLACE {
            let word = format!("{head}{tail}");
            if low.contains(&word.to_ascii_lowercase()) {
                found.push(format!("{path}:{}: `{word}`: {why}", i + 1));
            }
        }
        let source = low.split_once("source = \"registry");
        if source
            .is_some_and(|(_, from)| !from.starts_with("+https://github.com/rust-lang/crates.io-index\""))
        {
            found.push(format!("{path}:{}: a package registry other than crates.io", i + 1));
        }
    }
    found
}

#[test]
fn no_file_speaks_of_the_workplace() {
    let mut mistakes = Vec::new();
    for path in texts() {
        if let Ok(text) = std::fs::read_to_string(root().join(&path)) {
            mistakes.extend(workplace_words(&path, &text));
        }
    }
    no_mistakes("These belong to the place where the code was written, not into it:", &mistakes);
}

#[test]
fn the_word_check_finds_words() {
    let planted = format!("fine\nsee /t{}/x and An{}\n", "mp", "thropic");
    let found = workplace_words("x.rs", &planted);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("x.rs:2: "), "{found:?}");
    assert_eq!(
        workplace_words("Cargo.lock", &format!("source = \"regis{}+https://other/\"", "try")).len(),
        1
    );
}

/// The files that may hold `unsafe`: the kernels that use instructions of one processor.
const UNSAFE_ALLOWED: &[&str] = &["src/slot/x86.rs"];

#[test]
fn unsafe_stays_in_the_kernels_of_slot_hashing() {
    let mut mistakes = Vec::new();
    for path in files_ending("src", ".rs").into_iter().chain(files_ending("tests", ".rs")) {
        let code: proc_macro2::TokenStream = read(&path).parse().unwrap_or_else(|e| panic!("{path}: {e}"));
        if !UNSAFE_ALLOWED.contains(&path.as_str()) {
            mistakes.extend(unsafe_lines(code).iter().map(|line| format!("{path}:{line}")));
        }
    }
    no_mistakes("`unsafe` is allowed in the kernels of slot hashing only:", &mistakes);
    assert!(!unsafe_lines("fn f() { g(|| unsafe { h() }) }".parse().expect("code")).is_empty());
}

fn unsafe_lines(code: proc_macro2::TokenStream) -> Vec<usize> {
    let mut lines = Vec::new();
    for token in code {
        match token {
            proc_macro2::TokenTree::Ident(word) if word == "unsafe" => lines.push(word.span().start().line),
            proc_macro2::TokenTree::Group(group) => lines.extend(unsafe_lines(group.stream())),
            _ => {}
        }
    }
    lines
}

/// What a scenario file lacks; files of `scenarios/` that are not TOML (redis.conf) are not scenarios.
fn scenario_mistakes(path: &str, text: &str) -> Vec<String> {
    let mut table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(e) => return vec![format!("{path}: {e}")],
    };
    let mut mistakes = Vec::new();
    // A lesson has a title in every language; what its questions expect does not judge the run.
    let lesson = table.remove("lesson");
    if lesson.is_none()
        && table.get("title").and_then(toml::Value::as_str).is_none_or(|title| title.trim().is_empty())
    {
        mistakes.push(format!("{path}: no title"));
    }
    // With `[oracle]` it stands for a recording of real Redis, and is judged by the comparison.
    // What must break is expected too.
    let judged = table.contains_key("oracle") || table.contains_key("breaks");
    if !judged && !expects(&toml::Value::Table(table)) {
        mistakes.push(format!("{path}: expects nothing: it can never fail"));
    }
    mistakes
}

/// Whether a table below has the key `expect`.
fn expects(value: &toml::Value) -> bool {
    match value {
        toml::Value::Table(table) => table.iter().any(|(key, v)| key == "expect" || expects(v)),
        toml::Value::Array(list) => list.iter().any(expects),
        _ => false,
    }
}

#[test]
fn every_scenario_has_a_title_and_expects_something() {
    let mut mistakes = Vec::new();
    for path in files_ending("scenarios", ".toml") {
        mistakes.extend(scenario_mistakes(&path, &read(&path)));
    }
    no_mistakes("Scenarios:", &mistakes);
    assert_eq!(scenario_mistakes("x", "[[step]]\nat = \"1s\"").len(), 2);
    assert_eq!(scenario_mistakes("x", "title = 'T'\n[[step]]\nexpect.cluster-state = 'ok'").len(), 0);
}

/// Targets of `[text](target)` and `<img src="target">` that name a file.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut code = false;
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        if code {
            continue;
        }
        for (open, close) in [("](", ')'), ("src=\"", '"')] {
            for rest in line.split(open).skip(1) {
                let target = rest.split(close).next().unwrap_or_default();
                let target = target.split('#').next().unwrap_or_default();
                if !target.is_empty() && !target.contains("://") && !target.contains(' ') {
                    found.push(target.to_string());
                }
            }
        }
    }
    found
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = files_ending("book/src", ".md").into_iter().chain(["README.md".to_string()]);
    let mut mistakes = Vec::new();
    for path in pages {
        let folder = root().join(&path).parent().expect("a file has a folder").to_path_buf();
        for target in links(&read(&path)) {
            if !folder.join(&target).exists() {
                mistakes.push(format!("{path}: {target}"));
            }
        }
    }
    no_mistakes("These links lead nowhere:", &mistakes);
    assert_eq!(links("[a](b.md#c) ![p](d.svg) [x](https://e)\n```\n[f](g)\n```"), ["b.md", "d.svg"]);
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let listed = links(&read("book/src/SUMMARY.md"));
    let mut mistakes = Vec::new();
    for path in files_ending("book/src", ".md") {
        let inside = path.trim_start_matches("book/src/");
        if inside != "SUMMARY.md" && !listed.iter().any(|l| l.trim_start_matches("./") == inside) {
            mistakes.push(path);
        }
    }
    no_mistakes("These pages are not in book/src/SUMMARY.md:", &mistakes);
}
