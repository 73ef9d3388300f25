//! The texts of the terminal are in every language: the sources of the screen are read for texts that are not.

use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

use slotscope::tui::words::Said;
use slotscope::tui::{EVENTS, INSPECTED};

use super::{files_ending, no_mistakes, read};

/// Where the words of the screen stand.
fn sources() -> Vec<String> {
    let mut all: Vec<String> = ["src/tui/view", "src/tui/model", "src/tui/lesson"]
        .iter()
        .flat_map(|folder| files_ending(folder, ".rs"))
        .collect();
    for name in ["chinese", "console", "keys", "layout", "panel", "picker", "steps", "text", "theme", "words"]
    {
        all.push(format!("src/tui/{name}.rs"));
    }
    all
}

/// What is said to programmers, or to readers of the book.
const NOT_SHOWN: [&str; 9] = [
    "expect",
    "panic",
    "assert",
    "assert_eq",
    "assert_ne",
    "unreachable",
    "debug_assert",
    "matches",
    "tests",
];
/// A function whose text is a page of the book.
const PAGE: &str = "reference_markdown";

/// Names of things of other layers, and what only the command line says.
const NAMES: [&str; 5] =
    ["cannot take over", "manual failover", "clock is off by", "shift tab", "`{text}` is too far away"];

/// The value of a literal of text.
fn text(literal: &Literal) -> Option<String> {
    syn::parse_str::<syn::LitStr>(&literal.to_string()).ok().map(|s| s.value())
}

/// Whether a text has two words of English in a row: keys, names and the words of Redis have not.
fn is_english(text: &str) -> bool {
    let is_word = |w: &str| {
        let bare = w.trim_matches(|c: char| ",.:;()?!'’".contains(c));
        bare.len() >= 2 && bare.chars().all(|c| c.is_ascii_lowercase())
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).any(|w| w.iter().all(|w| is_word(w)))
}

/// Mistakes in a text with its twin.
fn mistake(en: &str, zh: &str) -> Option<&'static str> {
    let places = |t: &str| (0..6).map(|i| t.matches(&format!("{{{i}}}")).count()).collect::<Vec<_>>();
    match () {
        () if en.trim().is_empty() || zh.trim().is_empty() => Some("a twin is empty"),
        () if !zh.chars().any(|c| c > '\u{2e80}') => Some("no Chinese"),
        () if en.chars().any(|c| c > '\u{2e80}') => Some("no English"),
        () if places(en) != places(zh) => Some("other places to fill in"),
        () => None,
    }
}

fn twins(path: &str, tokens: TokenStream, mistakes: &mut Vec<String>) -> usize {
    let texts: Vec<(usize, String)> = tokens
        .into_iter()
        .filter_map(|t| match &t {
            TokenTree::Literal(l) => Some((l.span().start().line, text(l)?)),
            _ => None,
        })
        .collect();
    let pairs = texts.chunks_exact(2);
    let count = pairs.len();
    for pair in pairs {
        if let Some(what) = mistake(&pair[0].1, &pair[1].1) {
            mistakes.push(format!("{path}:{}: {what}: “{}”, “{}”", pair[0].0, pair[0].1, pair[1].1));
        }
    }
    count
}

/// Reads tokens; how many texts have a twin.
fn walk(path: &str, tokens: TokenStream, mistakes: &mut Vec<String>) -> usize {
    let mut found = 0;
    let mut name = String::new();
    let mut in_page = false;
    for token in tokens {
        match token {
            TokenTree::Ident(i) => {
                name = i.to_string();
                in_page |= name == PAGE;
            }
            TokenTree::Group(g) if in_page && g.delimiter() == Delimiter::Brace => in_page = false,
            // The name of a macro stays.
            TokenTree::Punct(p) if p.as_char() == '!' => {}
            TokenTree::Punct(p) => name = if p.as_char() == '#' { "#".into() } else { String::new() },
            TokenTree::Group(g) if name == "#" && g.delimiter() == Delimiter::Bracket => name.clear(),
            TokenTree::Group(g) if name == "said" || name == "Said" => {
                found += twins(path, g.stream(), mistakes);
                name.clear();
            }
            TokenTree::Group(g) if NOT_SHOWN.contains(&name.as_str()) => {
                if g.delimiter() == Delimiter::Brace {
                    name.clear();
                }
            }
            TokenTree::Group(g) => {
                found += walk(path, g.stream(), mistakes);
                name.clear();
            }
            TokenTree::Literal(l) => {
                if let Some(t) = text(&l).filter(|t| is_english(t) && !NAMES.contains(&t.as_str())) {
                    mistakes.push(format!("{path}:{}: no twin: “{t}”", l.span().start().line));
                }
                name.clear();
            }
        }
    }
    found
}

fn tokens(path: &str, text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn every_text_of_the_screen_has_its_twin() {
    let mut mistakes = Vec::new();
    let mut found = 0;
    for path in sources() {
        found += walk(&path, tokens(&path, &read(&path)), &mut mistakes);
    }
    no_mistakes("A text of the screen is `said` in English and in Chinese:", &mistakes);
    assert!(found > 300, "{found} texts: the reader does not see them");
}

#[test]
fn a_text_without_its_twin_is_found() {
    let wrong = [
        "fn f() { put(\"there is no other\"); }",
        "fn f() { format!(\"{n} of {m}, not yet done\") }",
        "fn f() { said(\"it is so\", \"it is so\"); }",
        "fn f() { said(\"{0} is so\", \"如此\"); }",
        "said! { A: \"it is so\", \"是\"; B: \"\", \"是\"; }",
    ];
    for text in wrong {
        let mut mistakes = Vec::new();
        walk("it", tokens("it", text), &mut mistakes);
        assert_eq!(mistakes.len(), 1, "{text}: {mistakes:?}");
    }
    let right = "#[doc = \"as it is\"] fn f() { x.expect(\"it is there\"); said(\"{0} is so\", \"{0} 如此\"); } \
                 mod tests { fn g() { h(\"not on a screen\"); } }";
    let mut mistakes = Vec::new();
    assert_eq!(walk("it", tokens("it", right), &mut mistakes), 1);
    assert!(mistakes.is_empty(), "{mistakes:?}");
}

/// Where what a run says is made, in English: these functions of these files; and the table of the twins.
const MADE: [(&str, &[&str], &[Said]); 7] = [
    ("src/trace/text.rs", &["headline", "denied", "cannot"], EVENTS),
    ("src/trace/sentinel.rs", &["headline"], EVENTS),
    ("src/trace/thought.rs", &["headline"], EVENTS),
    ("src/world/probe/view.rs", &["health", "view_of", "true_view", "no_view"], EVENTS),
    ("src/world/probe/watched.rs", &["watched_health"], EVENTS),
    ("src/world/probe/health.rs", &["of"], EVENTS),
    (
        "src/world/probe/inspect.rs",
        &["link_word", "inspect_node", "inspect_server", "inspect_link"],
        INSPECTED,
    ),
];

/// The texts in the bodies of functions of these names.
fn made(tokens: TokenStream, functions: &[&str], found: &mut Vec<String>) {
    let mut words = [String::new(), String::new()];
    let mut inside = false;
    for token in tokens {
        match token {
            TokenTree::Ident(i) => {
                words.swap(0, 1);
                words[1] = i.to_string();
                inside |= words[0] == "fn" && functions.contains(&words[1].as_str());
            }
            TokenTree::Group(g) if inside && g.delimiter() == Delimiter::Brace => {
                inside = false;
                literals(g.stream(), found);
            }
            TokenTree::Group(g) if !inside => made(g.stream(), functions, found),
            _ => {}
        }
    }
}

fn literals(tokens: TokenStream, found: &mut Vec<String>) {
    let mut name = String::new();
    for token in tokens {
        match token {
            TokenTree::Ident(i) => name = i.to_string(),
            TokenTree::Literal(l) => found.extend(text(&l)),
            TokenTree::Group(g) if !NOT_SHOWN.contains(&name.as_str()) => literals(g.stream(), found),
            _ => {}
        }
    }
}

/// A text of a `format!` as the table of twins has it: its places numbered in their order.
fn numbered(text: &str) -> String {
    let mut out = String::new();
    for (i, part) in text.split('}').enumerate() {
        match part.split_once('{') {
            Some((before, _)) => out.push_str(&format!("{before}{{{i}}}")),
            None => out.push_str(part),
        }
    }
    out
}

/// Whether it is more than one word, with English among them.
fn is_sentence(text: &str) -> bool {
    let word = |w: &str| w.len() >= 3 && w.chars().all(|c| c.is_ascii_lowercase());
    text.contains(' ') && text.split(|c: char| !c.is_alphabetic()).any(word)
}

#[test]
fn every_text_of_a_run_has_its_twin() {
    let mut mistakes = Vec::new();
    let mut count = 0;
    for (path, functions, table) in MADE {
        let mut found = Vec::new();
        made(tokens(path, &read(path)), functions, &mut found);
        for text in found.iter().map(|t| numbered(t)).filter(|t| is_sentence(t)) {
            count += 1;
            if !table.iter().any(|s| s.en == text) {
                mistakes.push(format!("{path}: not in src/tui/chinese.rs: “{text}”"));
            }
        }
    }
    no_mistakes("What a run says is in Chinese too:", &mistakes);
    assert!(count > 250, "{count} texts: the reader does not see them");
}
