//! L1: every directive of redis.conf, declared once, by Redis's own name.
//!
//! Knows names, ranges, defaults and error sentences; never what a directive does.
//! Read first: [`Config`], then [`DIRECTIVES`] in `table.rs`, then [`parse_conf`].

mod conf;
mod field;
mod kind;
mod nearest;
mod reference;
pub mod sentinel;
mod table;

pub use conf::{
    ConfError, ConfFile, MAX_CONF_BYTES, MAX_CONF_ERRORS, Place, SENTINEL_PORT, Setting, Unmodelled,
    parse_conf, parse_sentinel_conf,
};
pub use field::{
    AppendFsync, DisklessLoad, EndpointType, LocalAction, LogLevel, MaxmemoryPolicy, OutputLimit,
    OutputLimits, ReplicaOf, SavePoint,
};
pub use kind::{Form, Kind, Number, Source, TextRule, Unit};
pub use nearest::nearest;
pub use reference::reference_markdown;
pub use sentinel::{MonitorConf, SentinelConf};
pub use table::{Config, DIRECTIVES, Directive};

use crate::resp::{glob_match, split_args};

/// Why CONFIG SET, or a line of redis.conf, was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// No directive has this name.
    #[error("Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    /// The directive refuses this value, or may not be changed now.
    #[error("CONFIG SET failed (possibly related to argument '{name}') - {why}")]
    Refused { name: String, why: String },
    /// An odd number of words.
    #[error("syntax error")]
    Syntax,
    /// The dataset is being loaded.
    #[error("Redis is loading the dataset in memory")]
    Loading,
}

impl SetError {
    /// The error reply with its code, without the dash: `ERR CONFIG SET failed ...`.
    pub fn reply(&self) -> String {
        match self {
            SetError::Loading => format!("LOADING {self}"),
            _ => format!("ERR {self}"),
        }
    }
    /// The reason alone, as redis-server prints it for a line of its file.
    pub fn file_message(&self) -> &str {
        match self {
            SetError::Refused { why, .. } => why,
            _ => "Bad directive or wrong number of arguments",
        }
    }
}

/// What CONFIG SET must know about the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetContext {
    /// The dataset is being loaded.
    pub loading: bool,
    /// The client is on the same host.
    pub local_client: bool,
}

/// The directive of this name or alias, upper or lower case.
pub fn directive(name: &str) -> Option<&'static Directive> {
    lookup(name).map(|(index, _)| &DIRECTIVES[index])
}

impl Config {
    /// Sets one directive. Returns whether that changed anything.
    ///
    /// `File` takes the words of a redis.conf line after the name: a `save` line adds to the one before,
    /// and nothing is immutable. `ConfigSet` takes one word, and is CONFIG SET with a single pair.
    ///
    /// redis: config.c loadServerConfigFromString, configSetCommand @7.0.15
    pub fn set(&mut self, name: &str, words: &[&str], source: Source) -> Result<bool, SetError> {
        match source {
            Source::ConfigSet => {
                let &[value] = words else { return Err(SetError::Unknown(name.into())) };
                Ok(!self.config_set(&[name, value], SetContext::default())?.is_empty())
            }
            Source::File => {
                let (index, _) = lookup(name).ok_or_else(|| SetError::Unknown(name.into()))?;
                let refuse = |why: String| SetError::Refused { name: name.into(), why };
                self.read_file_words(index, words).map_err(refuse)
            }
        }
    }

    /// The command CONFIG SET, given the words after it: all pairs are set, or none. Returns the
    /// directives that changed, for the server to act on.
    ///
    /// redis: config.c configSetCommand @7.0.15
    pub fn config_set<W: AsRef<[u8]>>(
        &mut self,
        words: &[W],
        context: SetContext,
    ) -> Result<Vec<&'static Directive>, SetError> {
        let words: Vec<String> = words.iter().map(|w| c_string(w.as_ref())).collect();
        if words.is_empty() || !words.len().is_multiple_of(2) {
            return Err(SetError::Syntax);
        }
        let mut found: Vec<(usize, &'static str, &str)> = Vec::new();
        for pair in words.chunks_exact(2) {
            let (name, value) = (&pair[0], &pair[1]);
            let (index, canonical) = lookup(name).ok_or_else(|| SetError::Unknown(name.clone()))?;
            let refuse = |why: &str| Err(SetError::Refused { name: name.clone(), why: why.into() });
            let directive = &DIRECTIVES[index];
            if !directive.is_runtime() {
                return refuse("can't set immutable config");
            }
            if directive.is_protected() && !self.allows_protected(context) {
                return refuse("can't set protected config");
            }
            if context.loading && directive.is_denied_while_loading() {
                return Err(SetError::Loading);
            }
            if found.iter().any(|&(_, other, _)| other == canonical) {
                return refuse("duplicate parameter");
            }
            found.push((index, canonical, value));
        }
        let mut next = self.clone();
        let mut changed = Vec::new();
        for (index, canonical, value) in found {
            let directive = &DIRECTIVES[index];
            let words: Vec<&str> = match directive.kind.takes_many() {
                true if value.is_empty() => Vec::new(),
                true => value.split(' ').collect(),
                false => vec![value],
            };
            let old = next.text(index);
            let base = if directive.kind == Kind::Save { "" } else { &old };
            let refuse = |why| SetError::Refused { name: canonical.into(), why };
            let new = directive.kind.read(&words, base).map_err(refuse)?;
            if new != old || directive.is_volatile() {
                next.write(index, &new);
                if directive.name == "repl-backlog-size" {
                    // redis: replication.c resizeReplicationBacklog @7.0.15; a file may set less.
                    next.repl_backlog_size = next.repl_backlog_size.max(MIN_BACKLOG);
                }
                changed.push(directive);
            }
        }
        *self = next;
        Ok(changed)
    }

    /// The text that CONFIG GET prints for this name or alias.
    pub fn value(&self, name: &str) -> Option<String> {
        lookup(name).map(|(index, _)| self.text(index))
    }

    /// The command CONFIG GET with one pattern: see [`config_get`](Config::config_get).
    pub fn get(&self, pattern: &str) -> Vec<(String, String)> {
        self.config_get(&[pattern])
    }

    /// The command CONFIG GET, given the words after it. A word without `*`, `?` or `[` is a name, and is
    /// repeated in the reply as it was written; other words are globs over names and aliases.
    ///
    /// deviates: Redis replies in the order of a hash table with a random seed; here the names are sorted.
    ///
    /// redis: config.c configGetCommand @7.0.15
    pub fn config_get<W: AsRef<[u8]>>(&self, patterns: &[W]) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, index: usize| {
            if !found.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                found.push((name.into(), self.text(index)));
            }
        };
        for pattern in patterns {
            let pattern = c_string(pattern.as_ref());
            if !pattern.contains(['*', '?', '[']) {
                if let Some((index, _)) = lookup(&pattern) {
                    add(&pattern, index);
                }
                continue;
            }
            for (index, directive) in DIRECTIVES.iter().enumerate().filter(|(_, d)| !d.is_hidden()) {
                for name in [Some(directive.name), directive.alias].into_iter().flatten() {
                    if glob_match(pattern.as_bytes(), name.as_bytes(), true) {
                        add(name, index);
                    }
                }
            }
        }
        found.sort_by_key(|(name, _)| name.to_ascii_lowercase());
        found
    }

    /// Name and text of every directive that differs from its default, in the order of the table.
    pub fn changed(&self) -> Vec<(&'static str, String)> {
        let texts = DIRECTIVES.iter().enumerate().map(|(index, directive)| (directive, self.text(index)));
        texts.filter(|(directive, text)| directive.default != text).map(|(d, text)| (d.name, text)).collect()
    }

    /// Port of the cluster bus: `cluster-port`, or `port` + 10000. It may exceed 65535: such a server
    /// does not start.
    pub fn bus_port(&self) -> u32 {
        if self.cluster_port == 0 { u32::from(self.port) + 10_000 } else { self.cluster_port.into() }
    }

    fn allows_protected(&self, context: SetContext) -> bool {
        match self.enable_protected_configs {
            LocalAction::Yes => true,
            LocalAction::Local => context.local_client,
            LocalAction::No => false,
        }
    }

    /// redis: config.c loadServerConfigFromString @7.0.15
    fn read_file_words(&mut self, index: usize, words: &[&str]) -> Result<bool, String> {
        let kind = DIRECTIVES[index].kind;
        if !kind.takes_many() && words.len() != 1 {
            return Err("wrong number of arguments".into());
        }
        let split: Vec<String> = match words {
            &[one] if kind.takes_many() && !one.is_empty() => {
                let words = split_args(one).map_err(|_| "Unbalanced quotes in configuration line")?;
                words.iter().map(|word| c_string(word)).collect()
            }
            _ => words.iter().map(|word| word.to_string()).collect(),
        };
        let words: Vec<&str> = split.iter().map(String::as_str).collect();
        let old = self.text(index);
        let base = if kind == Kind::Save && !self.save_was_read { "" } else { &old };
        let new = kind.read(&words, base)?;
        self.save_was_read |= kind == Kind::Save;
        self.write(index, &new);
        Ok(new != old)
    }

    fn text(&self, index: usize) -> String {
        let directive = &DIRECTIVES[index];
        match directive.field {
            Some(field) => (field.get)(self),
            None => self.others.get(&(index as u16)).cloned().unwrap_or_else(|| directive.default.into()),
        }
    }

    fn write(&mut self, index: usize, text: &str) {
        let directive = &DIRECTIVES[index];
        match directive.field {
            Some(field) => (field.set)(self, text),
            None if text == directive.default => {
                self.others.remove(&(index as u16));
            }
            None => {
                self.others.insert(index as u16, text.into());
            }
        }
        // redis: config.c updateHZ @7.0.15
        self.hz = self.hz.clamp(1, 500);
    }
}

/// Least bytes of a backlog after CONFIG SET.
///
/// redis: server.h CONFIG_REPL_BACKLOG_MIN_SIZE @7.0.15
const MIN_BACKLOG: u64 = 16 << 10;

/// Place in [`DIRECTIVES`], and the name in its own case.
fn lookup(name: &str) -> Option<(usize, &'static str)> {
    DIRECTIVES.iter().enumerate().find_map(|(index, directive)| {
        let names = [Some(directive.name), directive.alias].into_iter().flatten();
        names.into_iter().find(|known| known.eq_ignore_ascii_case(name)).map(|known| (index, known))
    })
}

/// Bytes as Redis's C strings see them: up to the first NUL. redis: config.c configSetCommand @7.0.15
///
/// deviates: bytes that are not UTF-8 become the replacement character.
fn c_string(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: &mut Config, words: &[&str]) -> String {
        let before = config.clone();
        let error = config.config_set(words, SetContext::default()).unwrap_err();
        assert_eq!(*config, before, "a refused CONFIG SET changes nothing");
        error.reply()
    }

    #[test]
    fn table_is_consistent() {
        let mut names: Vec<&str> =
            DIRECTIVES.iter().flat_map(|d| [Some(d.name), d.alias]).flatten().collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "a name is declared twice");
        assert_eq!(count, 197, "178 directives and 19 aliases");
        let config = Config::default();
        for directive in DIRECTIVES {
            assert_eq!(
                config.value(directive.name).as_deref(),
                Some(directive.default),
                "{}",
                directive.name
            );
            let words: Vec<&str> =
                directive.default.split(' ').filter(|_| directive.kind.takes_many()).collect();
            let words = if words.is_empty() { vec![directive.default] } else { words };
            let again = directive
                .kind
                .read(&words, if directive.kind == Kind::Save { "" } else { directive.default });
            if directive.kind != Kind::ReplicaOf {
                assert_eq!(again.as_deref(), Ok(directive.default), "{}", directive.name);
            }
            assert!(directive.doc.ends_with('.'), "{}", directive.name);
        }
    }

    /// Sentences seen from a redis-server 7.0.15.
    #[test]
    fn config_set_errors_are_redis_own() {
        let mut config = Config::default();
        let cases: &[(&[&str], &str)] = &[
            (
                &["port", "99999"],
                "ERR CONFIG SET failed (possibly related to argument 'port') - argument must be between 0 and 65535 inclusive",
            ),
            (&["foo", "1"], "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
            (&["port", "1", "hz"], "ERR syntax error"),
            (
                &["HZ", "1", "hz", "2"],
                "ERR CONFIG SET failed (possibly related to argument 'hz') - duplicate parameter",
            ),
            (
                &["Daemonize", "yes"],
                "ERR CONFIG SET failed (possibly related to argument 'Daemonize') - can't set immutable config",
            ),
            (
                &["dir", "/data"],
                "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config",
            ),
            (
                &["APPENDFSYNC", "xx"],
                "ERR CONFIG SET failed (possibly related to argument 'appendfsync') - argument(s) must be one of the following: everysec, always, no",
            ),
            (
                &["CLUSTER-node-timeout", "abc"],
                "ERR CONFIG SET failed (possibly related to argument 'cluster-node-timeout') - argument couldn't be parsed into an integer",
            ),
            (
                &["repl-timeout", "0"],
                "ERR CONFIG SET failed (possibly related to argument 'repl-timeout') - argument must be between 1 and 2147483647 inclusive",
            ),
            (
                &["hz", "20", "repl-backlog-size", "1x"],
                "ERR CONFIG SET failed (possibly related to argument 'repl-backlog-size') - argument must be a memory value",
            ),
        ];
        for (words, want) in cases {
            assert_eq!(refused(&mut config, words), *want);
        }
    }

    #[test]
    fn config_set_sets_all_pairs() {
        let mut config = Config::default();
        let changed = config
            .config_set(
                &[
                    "cluster-node-timeout",
                    "2000",
                    "slave-priority",
                    "7",
                    "repl-backlog-size",
                    "2mb",
                    "hz",
                    "100000",
                    "save",
                    "60 5",
                    "timeout",
                    "0",
                ],
                SetContext::default(),
            )
            .unwrap();
        let names: Vec<&str> = changed.iter().map(|d| d.name).collect();
        assert_eq!(names, ["cluster-node-timeout", "replica-priority", "repl-backlog-size", "hz", "save"]);
        assert_eq!((config.cluster_node_timeout, config.replica_priority), (2000, 7));
        assert_eq!((config.repl_backlog_size, config.hz), (2 << 20, 500));
        assert_eq!(config.save, [SavePoint { seconds: 60, changes: 5 }]);
        let got = config.get("*-priority");
        assert_eq!(got, [("replica-priority".into(), "7".into()), ("slave-priority".into(), "7".into())]);
        assert_eq!(config.config_get(&["PORT", "port", "use-exit-*"]), [("PORT".into(), "6379".into())]);
        assert_eq!(config.get("use-exit-on-panic").len(), 1);
        assert_eq!(config.get("*").len(), 192, "as many as a real server shows");
        config.config_set(&["slowlog-max-len", "7"], SetContext::default()).unwrap();
        assert_eq!(config.value("slowlog-max-len").as_deref(), Some("7"));
        config.config_set(&["save", ""], SetContext::default()).unwrap();
        assert_eq!(config.save, []);
        assert_eq!(config.changed().len(), 6);
        assert_eq!(Config::default().changed(), []);
    }

    fn recorded<T: serde::de::DeserializeOwned>(file: &str) -> T {
        let path = format!("{}/tests/fixtures/real/{file}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Name, value, and what redis-server 7.0.15 replied to CONFIG SET and then to CONFIG GET.
    #[test]
    fn config_set_answers_as_a_recorded_server() {
        let cases: Vec<(String, String, String, String)> = recorded("config_set.json");
        for (name, value, reply, got) in cases {
            let mut config = Config::default();
            let ours = match config.config_set(&[&name, &value], SetContext::default()) {
                Ok(_) => "+OK".to_string(),
                Err(error) => format!("-{}", error.reply()),
            };
            assert_eq!((ours, config.value(&name)), (reply, Some(got)), "{name} {value:?}");
        }
    }

    /// A line of redis.conf, and what redis-server 7.0.15 said about it; empty if nothing.
    #[test]
    fn conf_lines_are_judged_as_a_recorded_server_judges_them() {
        let cases: Vec<(String, String)> = recorded("config_file.json");
        for (line, want) in cases {
            let ours = parse_conf("f", &line).err().map_or(String::new(), |errors| errors[0].message.clone());
            assert_eq!(ours, want, "{line:?}");
        }
    }
}
