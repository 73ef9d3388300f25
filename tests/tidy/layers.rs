//! The import table: a module imports only from modules above it in the table of `src/lib.rs`.

use proc_macro2::{TokenStream, TokenTree};

use super::{files_ending, no_mistakes, read};

/// One row of the table of layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub layer: String,
    pub module: String,
    pub what: String,
}

/// The table, as the doc comment of `src/lib.rs` gives it.
pub fn table() -> Vec<Row> {
    let rows = read("src/lib.rs");
    let rows = rows.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("//! | L")?.split('|').map(str::trim).collect();
        let module = cells[1].trim_matches(['[', ']', '`']).to_string();
        Some(Row { layer: format!("L{}", cells[0]), module, what: cells[2].to_string() })
    });
    rows.collect()
}

/// The module of the crate that a file belongs to; `None` for `lib.rs` and `main.rs`.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    match inside.split_once('/') {
        Some((folder, _)) => Some(folder),
        None => inside.strip_suffix(".rs").filter(|name| *name != "lib" && *name != "main"),
    }
}

/// How many modules deep a file is: 1 for `src/a.rs` and `src/a/mod.rs`, 2 for `src/a/b.rs`.
fn depth_of(path: &str) -> usize {
    let parts = path.trim_start_matches("src/").split('/').count();
    if path.ends_with("/mod.rs") { parts - 1 } else { parts }
}

/// A mention of another module of the crate: (line, name).
type Mention = (usize, String);

/// Every `crate::name`, `crate::{a, b::c}`, and every `super` that reaches the root of the crate.
/// `depth` is how many modules deep this code is.
fn mentions(code: TokenStream, depth: usize, found: &mut Vec<Mention>) {
    let tokens: Vec<TokenTree> = code.into_iter().collect();
    let word = |i: usize| match tokens.get(i) {
        Some(TokenTree::Ident(word)) => Some(word.to_string()),
        _ => None,
    };
    let colons = |i: usize| {
        let is = |i| matches!(tokens.get(i), Some(TokenTree::Punct(p)) if p.as_char() == ':');
        is(i) && is(i + 1)
    };
    let mut i = 0;
    while i < tokens.len() {
        let mut inside = depth;
        match word(i).as_deref() {
            Some("crate") if colons(i + 1) => {
                name_after(&tokens[i + 3..], found);
                i += 2;
            }
            Some("super") if i < 2 || !colons(i - 2) => {
                let mut chain = 1;
                while colons(i + 1) && word(i + 3).as_deref() == Some("super") {
                    chain += 1;
                    i += 3;
                }
                if chain >= depth && colons(i + 1) {
                    name_after(&tokens[i + 3..], found);
                }
            }
            Some("mod") if matches!(tokens.get(i + 2), Some(TokenTree::Group(_))) => {
                i += 2;
                inside += 1;
            }
            _ => {}
        }
        if let Some(TokenTree::Group(group)) = tokens.get(i) {
            mentions(group.stream(), inside, found);
        }
        i += 1;
    }
}

/// The first name of a path, or of each path in a group.
fn name_after(tokens: &[TokenTree], found: &mut Vec<Mention>) {
    match tokens.first() {
        Some(TokenTree::Ident(name)) => {
            found.push((name.span().start().line, name.to_string()));
        }
        Some(TokenTree::Group(group)) => {
            let all: Vec<TokenTree> = group.stream().into_iter().collect();
            let paths = all.split(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ','));
            paths.for_each(|path| name_after(path, found));
        }
        _ => {}
    }
}

/// The edges of one file that point down.
fn edges_down(path: &str, code: &str, table: &[Row]) -> Vec<String> {
    let Some(from) = module_of(path) else { return Vec::new() };
    let Some(at) = table.iter().position(|row| row.module == from) else {
        return vec![format!("{path}: module `{from}` is not in the table of src/lib.rs")];
    };
    let mut found = Vec::new();
    mentions(code.parse().unwrap_or_else(|e| panic!("{path}: {e}")), depth_of(path), &mut found);
    let below = found.into_iter().filter_map(|(line, name)| {
        let to = table.iter().position(|row| row.module == name)?;
        (to > at).then(|| {
            format!(
                "{path}:{line}: {from} ({}) imports {name} ({}), below it",
                table[at].layer, table[to].layer
            )
        })
    });
    below.collect()
}

#[test]
fn a_module_imports_only_from_modules_above_it() {
    let table = table();
    let mut mistakes = Vec::new();
    for path in files_ending("src", ".rs") {
        mistakes.extend(edges_down(&path, &read(&path), &table));
    }
    no_mistakes("Imports must point up in the table of src/lib.rs.", &mistakes);
}

#[test]
fn the_import_check_sees_every_way_to_import() {
    let row =
        |layer: &str, module: &str| Row { layer: layer.into(), module: module.into(), what: String::new() };
    let table = [row("L0", "base"), row("L1", "slot"), row("L3", "world")];
    let down = |path: &str, code: &str| edges_down(path, code, &table).len();
    assert_eq!(down("src/slot/mod.rs", "use crate::base::Dur;"), 0);
    assert_eq!(down("src/slot/mod.rs", "use crate::world::World;"), 1);
    assert_eq!(down("src/slot/mod.rs", "use crate::{base::Dur, world::{World, host}};"), 1);
    assert_eq!(down("src/slot/tag.rs", "fn f() { let x = crate::world::new(); }"), 1);
    assert_eq!(down("src/slot/tag.rs", "fn f() { assert!(crate::world::ok()); }"), 1);
    assert_eq!(down("src/slot/mod.rs", "use super::world::World;"), 1);
    assert_eq!(down("src/slot/tag.rs", "use super::world::World;"), 0, "a module of its own");
    assert_eq!(down("src/slot/tag.rs", "use super::super::world::World;"), 1);
    assert_eq!(down("src/slot/mod.rs", "mod tests { use super::world; }"), 0, "a module of its own");
    assert_eq!(down("src/slot/mod.rs", "mod tests { use super::super::world::World; }"), 1);
    assert_eq!(
        down("src/slot/tag.rs", "// use crate::world::World;\nfn f() -> &str { \"crate::world::x\" }"),
        0
    );
    assert_eq!(down("src/world/mod.rs", "use crate::{base, slot};"), 0);
    assert_eq!(down("src/attic/mod.rs", ""), 1, "not in the table");
    assert_eq!(down("src/lib.rs", "pub mod anything;"), 0);
}

#[test]
fn every_module_is_in_the_table_once_and_layers_ascend() {
    let table = table();
    let lib = read("src/lib.rs");
    let declared: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let mut listed: Vec<&str> = table.iter().map(|row| row.module.as_str()).collect();
    assert!(table.is_sorted_by_key(|row| &row.layer), "the table goes from L0 to L6");
    listed.sort_unstable();
    let mut sorted = declared.clone();
    sorted.sort_unstable();
    assert_eq!(listed, sorted, "the table of src/lib.rs and its modules");
}

#[test]
fn layers_up_to_l4_obey_the_determinism_lint() {
    let lib = read("src/lib.rs");
    let lines: Vec<&str> = lib.lines().collect();
    let mut mistakes = Vec::new();
    for row in table().iter().filter(|row| row.layer.as_str() <= "L4") {
        let at = lines.iter().position(|l| *l == format!("pub mod {};", row.module)).expect("in the table");
        if lines[at - 1] != "#[deny(clippy::disallowed_types, clippy::disallowed_methods)]" {
            mistakes.push(format!("{} ({})", row.module, row.layer));
        }
    }
    no_mistakes(
        "These modules of src/lib.rs need #[deny(clippy::disallowed_types, clippy::disallowed_methods)]:",
        &mistakes,
    );
}
