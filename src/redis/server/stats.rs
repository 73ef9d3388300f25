//! What INFO counts since the start or CONFIG RESETSTAT.

use std::collections::BTreeMap;

use super::command::Spec;

/// Counters of a server. redis: redisServer stat_* @7.0.15
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Commands executed; refused ones do not count.
    pub commands: u64,
    pub connections: u64,
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    pub rdb_saves: u64,
    pub expired_keys: u64,
    /// Error replies by their first word.
    pub errors: BTreeMap<String, u64>,
    pub error_replies: u64,
    /// In the order in which they were first sent.
    by_command: Vec<(&'static Spec, Calls)>,
}

/// What became of a command. redis: redisCommand @7.0.15
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub done: u64,
    pub rejected: u64,
    pub failed: u64,
}

impl Stats {
    /// The counters of a command or subcommand.
    pub fn calls(&mut self, spec: &'static Spec) -> &mut Calls {
        let at = self.by_command.iter().position(|(s, _)| std::ptr::eq(*s, spec)).unwrap_or_else(|| {
            self.by_command.push((spec, Calls::default()));
            self.by_command.len() - 1
        });
        &mut self.by_command[at].1
    }
    /// Every command that was sent.
    pub fn by_command(&self) -> &[(&'static Spec, Calls)] {
        &self.by_command
    }

    /// An error was answered. redis: afterErrorReply @7.0.15
    pub fn error(&mut self, text: &str) {
        self.error_replies += 1;
        let code = text.split(' ').next().filter(|code| code.len() < 32).unwrap_or("ERR");
        match self.errors.get_mut(code) {
            Some(n) => *n += 1,
            None => {
                self.errors.insert(code.to_string(), 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_by_their_code() {
        let mut s = Stats::default();
        for text in ["MOVED 1 127.0.0.1:7000", "ERR syntax error", "MOVED 2 127.0.0.1:7000"] {
            s.error(text);
        }
        assert_eq!((s.error_replies, s.errors["MOVED"], s.errors["ERR"]), (3, 2, 1));
    }
}
