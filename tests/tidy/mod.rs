//! The laws of the house, as tests over the files of the repository: which layer may import which, what
//! the code says of its source, which pages are made from the code, and words that have no place here.
//!
//! A page that is made from the code is rewritten by `SLOTSCOPE_BLESS=1 cargo test --test main tidy`.
//! Read first: this file, then [`layers`].

mod layers;
mod ledger;
mod pages;
mod source;
mod twins;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the package.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file, by its path from the root of the package.
fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every file below a folder (or the file itself), as paths from the root with `/`, sorted. A folder
/// that does not exist has none.
fn files(below: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(below)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of the package");
            open.extend(entries.map(|e| e.expect("an entry of a folder").path()));
        } else if path.is_file() {
            let inside = path.strip_prefix(root()).expect("below the root");
            let parts: Vec<_> = inside.iter().map(|p| p.to_string_lossy()).collect();
            found.push(parts.join("/"));
        }
    }
    found.sort();
    found
}

/// [`files`] with this ending.
fn files_ending(below: &str, ending: &str) -> Vec<String> {
    files(below).into_iter().filter(|f| f.ends_with(ending)).collect()
}

/// Compares a page with what the code says now; with `SLOTSCOPE_BLESS=1` writes it instead.
fn page(path: &str, text: &str) {
    let full = root().join(path);
    if std::env::var_os("SLOTSCOPE_BLESS").is_some_and(|v| v == "1") {
        fs::create_dir_all(full.parent().expect("a file has a folder")).expect("can make the folder");
        return fs::write(full, text).expect("can write the page");
    }
    let have = fs::read_to_string(full).unwrap_or_default();
    if have != text {
        let line = have.lines().zip(text.lines()).position(|(a, b)| a != b);
        let line = line.unwrap_or(have.lines().count().min(text.lines().count()));
        panic!(
            "{path} is stale at line {}:\n  is:        {}\n  should be: {}\n\
             Write it anew with: SLOTSCOPE_BLESS=1 cargo test --test main tidy",
            line + 1,
            have.lines().nth(line).unwrap_or("(end of file)"),
            text.lines().nth(line).unwrap_or("(end of file)"),
        );
    }
}

/// Fails with all mistakes at once.
fn no_mistakes(law: &str, mistakes: &[String]) {
    assert!(mistakes.is_empty(), "{law}\n  {}", mistakes.join("\n  "));
}
