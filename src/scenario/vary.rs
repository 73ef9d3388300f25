//! A scenario with some keys set to other values: what `--set` and `--sweep` ask for.
//!
//! A key is the name of a directive of redis.conf (it goes to `[cluster] config`), a key of the tables
//! `[cluster]` and `[network]` by its own name, or a path with dots such as `client.rate`. In a list of
//! tables the next part of the path is the `name` of one or its number from 0; without either, all of
//! them are meant.

use std::path::Path;
use std::str::FromStr;

use toml::{Table, Value};

use super::{Scenario, parse};
use crate::params::directive;

/// A key and its new value, as written on a command line: `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    pub key: String,
    pub value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Setting, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Setting { key: key.trim().into(), value: value.trim().into() })
            }
            _ => Err(format!("`{text}` is not KEY=VALUE; write for example cluster-node-timeout=5000")),
        }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// Reads a scenario with the settings in place of what its text says. `name` and `dir` are as in
/// [`parse`].
///
/// # Errors
/// What is wrong with a setting, or with the scenario that it makes.
pub fn vary(name: &str, text: &str, dir: &Path, settings: &[Setting]) -> Result<Scenario, String> {
    if settings.is_empty() {
        return parse(name, text, dir).map_err(|d| d.to_string());
    }
    let mut file: Table = text.parse().map_err(|e| format!("{name}: {e}"))?;
    for s in settings {
        let mut path = path_of(&s.key);
        let last = path.pop().ok_or_else(|| format!("`{s}` has no key"))?;
        set(&mut file, &path, last, &value_of(&s.value)).map_err(|why| format!("--set {s}: {why}"))?;
    }
    let changed = toml::to_string(&file).map_err(|e| format!("{name}: {e}"))?;
    let shown: Vec<String> = settings.iter().map(Setting::to_string).collect();
    parse(name, &changed, dir).map_err(|d| format!("with {}:\n{d}", shown.join(" ")))
}

// ---- helpers ----

const NETWORK: &[&str] = &["preset", "latency", "latency-zones", "loss", "bandwidth"];
const TOP: &[&str] = &["seed", "end", "title"];
const LISTS: &[&str] = &["client", "node", "step"];

fn path_of(key: &str) -> Vec<&str> {
    if directive(key).is_some() {
        return vec!["cluster", "config", key];
    }
    let parts: Vec<&str> = key.split('.').collect();
    match parts[..] {
        [one] if NETWORK.contains(&one) => vec!["network", one],
        [one] if !TOP.contains(&one) => vec!["cluster", one],
        _ => parts,
    }
}

/// A whole number or yes/no where it can be one, else a text.
fn value_of(text: &str) -> Value {
    match (text.parse::<i64>(), text) {
        (Ok(n), _) => Value::Integer(n),
        (_, "true") => Value::Boolean(true),
        (_, "false") => Value::Boolean(false),
        _ => Value::String(text.into()),
    }
}

fn set(table: &mut Table, path: &[&str], last: &str, value: &Value) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        table.insert(last.into(), value.clone());
        return Ok(());
    };
    if LISTS.contains(first) && !table.contains_key(*first) {
        return Err(format!("the scenario has no [[{first}]]"));
    }
    match table.entry(*first).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => set(inner, rest, last, value),
        Value::Array(items) => set_in_list(items, first, rest, last, value),
        _ => Err(format!("`{first}` is a value, not a table")),
    }
}

fn set_in_list(
    items: &mut [Value],
    list: &str,
    path: &[&str],
    last: &str,
    value: &Value,
) -> Result<(), String> {
    let named = |item: &Value, i: usize, word: &str| {
        item.get("name").and_then(Value::as_str) == Some(word) || word.parse() == Ok(i)
    };
    let one = path.first().filter(|word| items.iter().enumerate().any(|(i, item)| named(item, i, word)));
    let rest = if one.is_some() { &path[1..] } else { path };
    let mut done = false;
    for (i, item) in items.iter_mut().enumerate() {
        if one.is_some_and(|word| !named(item, i, word)) {
            continue;
        }
        let Value::Table(inner) = item else { return Err(format!("`{list}` is not a list of tables")) };
        set(inner, rest, last, value)?;
        done = true;
    }
    if done { Ok(()) } else { Err(format!("the scenario has no [[{list}]]")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
title = "x"
[cluster]
masters = 3
[[client]]
kind = "cluster-writer"
name = "a"
rate = 10
[[client]]
kind = "cluster-writer"
name = "b"
rate = 10
"#;

    fn varied(settings: &[&str]) -> Result<Scenario, String> {
        let settings: Vec<Setting> = settings.iter().map(|s| s.parse().unwrap()).collect();
        vary("x.toml", TEXT, Path::new(""), &settings)
    }

    #[test]
    fn directives_tables_and_lists_are_set() {
        let s =
            varied(&["cluster-node-timeout=3000", "masters=4", "loss=1%", "replicas-per-master=2"]).unwrap();
        assert_eq!(s.plan.nodes.len(), 12);
        assert!(s.plan.nodes.iter().all(|n| n.conf.cluster_node_timeout == 3000));
        assert_eq!(s.plan.network.loss_ppm, 10_000);
        let clients = |setting| format!("{:?}", varied(&[setting]).unwrap().plan.clients);
        assert_eq!(clients("client.keys=777").matches("777").count(), 2);
        assert_eq!(clients("client.b.keys=777").matches("777").count(), 1);
        assert_eq!(clients("client.b.keys=777"), clients("client.1.keys=777"));
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (bad, says) in [
            ("masters=0", "masters=0"),
            ("cluster-node-timeout=never", "cluster-node-timeout"),
            ("masterz=3", "masterz"),
            ("title.x=1", "not a table"),
            ("step.0.at=1s", "no [[step]]"),
        ] {
            let e = varied(&[bad]).unwrap_err();
            assert!(e.contains(says), "{bad}: {e}");
        }
        assert!("masters".parse::<Setting>().is_err());
        assert!("=3".parse::<Setting>().is_err());
    }
}
