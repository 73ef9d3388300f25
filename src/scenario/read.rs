//! From the bytes of a file to its syntax tree: every mistake of form, not only the first.
//!
//! serde stops at the first mistake. So the text is parsed to a tree with places; what serde refuses is
//! noted and cut out of the tree, and the rest is read again.

use std::ops::Range;

use serde::Deserialize;
use serde_spanned::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostics::{MAX_PROBLEMS, Problem};
use super::schema::File;
use crate::params::nearest;

/// What could be read, and what was wrong.
pub(super) struct Read {
    pub file: File,
    pub problems: Vec<Problem>,
    /// The first parts of the paths of what was cut out: `cluster`, `step`.
    pub cut: Vec<String>,
    /// The text is TOML.
    pub is_toml: bool,
}

/// Reads the text of a scenario.
pub(super) fn read(text: &str) -> Read {
    let (mut tree, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = Vec::new();
    for e in errors.iter().take(MAX_PROBLEMS) {
        problems.push(problem(e.message(), e.span().unwrap_or(0..0), None));
    }
    if !problems.is_empty() {
        return Read { file: File::default(), problems, cut: Vec::new(), is_toml: false };
    }
    let mut cut = Vec::new();
    loop {
        match File::deserialize(toml::Deserializer::from(tree.clone())) {
            Ok(file) => return Read { file, problems, cut, is_toml: true },
            Err(e) => {
                let span = e.span().unwrap_or(0..0);
                let (message, help) = explain(e.message());
                problems.push(problem(&message, span.clone(), help));
                let found = if problems.len() < MAX_PROBLEMS { cut_out(tree.get_mut(), &span) } else { None };
                match found {
                    Some(top) => cut.push(top),
                    None => return Read { file: File::default(), problems, cut, is_toml: false },
                }
            }
        }
    }
}

fn problem(message: &str, span: Range<usize>, help: Option<String>) -> Problem {
    Problem { source: 0, span, message: message.trim().replace('\n', "; "), help }
}

/// Cuts the smallest entry with the place out of the tree; its top-level key, if there was one.
fn cut_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if let Some(inside) = prune(&key.span(), value, span) {
            found = Some((key.get_ref().to_string(), inside));
            break;
        }
    }
    let (name, inside) = found?;
    if !inside {
        table.remove(name.as_str());
    }
    Some(name)
}

/// `None`: the place is not in this entry. `Some(true)`: it was, and was cut out of it; `Some(false)`: the
/// whole entry is to go.
fn prune(key: &Range<usize>, value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<bool> {
    let within = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
    if within(key) {
        return Some(false);
    }
    let whole = value.span();
    let inner = match value.get_mut() {
        DeValue::Table(table) => cut_out(table, span).is_some(),
        DeValue::Array(array) => prune_array(array, span),
        _ => false,
    };
    match (inner, within(&whole)) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

fn prune_array(array: &mut DeArray<'_>, span: &Range<usize>) -> bool {
    let nowhere = usize::MAX..usize::MAX;
    let mut drop = None;
    for (i, item) in array.iter_mut().enumerate() {
        match prune(&nowhere, item, span) {
            None => {}
            Some(true) => return true,
            Some(false) => {
                drop = Some(i);
                break;
            }
        }
    }
    let Some(drop) = drop else { return false };
    let mut rest = DeArray::new();
    for (_, item) in array.iter().enumerate().filter(|(i, _)| *i != drop) {
        rest.push(item.clone());
    }
    *array = rest;
    true
}

/// serde's sentence in the words of scenarios, and what would be right.
fn explain(message: &str) -> (String, Option<String>) {
    let quoted =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_string).collect() };
    let (head, tail) = message.split_once(", expected").unwrap_or((message, ""));
    let known = quoted(tail);
    for (start, what) in [("unknown field ", "unknown key"), ("unknown variant ", "unknown word")] {
        if let Some(word) = head.strip_prefix(start).map(|w| w.trim_matches('`')) {
            let near = nearest(word, known.iter().map(String::as_str));
            let list = known.join(", ");
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "nothing can stand here".into(),
                None => format!("known here: {list}"),
            };
            return (format!("{what} `{word}`"), Some(help));
        }
    }
    if let Some(found) = head.strip_prefix("invalid type: ") {
        let wanted = match tail.trim() {
            "i64" => "a whole number",
            "a string" | "a borrowed string" => "a string in quotes",
            "a boolean" => "true or false",
            "a sequence" => "a list",
            other => other.trim_start_matches("struct "),
        };
        return (format!("{found} where {wanted} is wanted"), None);
    }
    (message.to_string(), None)
}
