//! Reading a redis.conf: every mistake at once, each with its place.

use std::fmt;

use super::sentinel::{self, LINES, Line, SentinelConf};
use super::{Config, DIRECTIVES, Directive, Source, directive, nearest};
use crate::resp::split_words;

/// A larger text is refused: the longest file that Redis ships is a tenth of it.
pub const MAX_CONF_BYTES: usize = 1 << 20;

/// After this many mistakes reading stops.
pub const MAX_CONF_ERRORS: usize = 50;

/// A redis.conf that was read without a mistake.
#[derive(Clone, Debug)]
pub struct ConfFile {
    /// What the server would run with.
    pub config: Config,
    /// Every line that sets something, in order.
    pub settings: Vec<Setting>,
    /// What the file asks for and the simulator does not act on, each name once, with its first line.
    pub unmodelled: Vec<Unmodelled>,
    /// What its `sentinel` lines say, if it was read as a sentinel.conf.
    pub sentinel: Option<SentinelConf>,
}

/// One line that sets something.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The name as written, in lower case.
    pub name: String,
    /// The words after it, unquoted.
    pub words: Vec<String>,
    /// Its row of the table; none for `include`, `user`, `loadmodule`, `rename-command` and settings of
    /// modules.
    pub directive: Option<&'static Directive>,
    /// The whole line without the spaces around it.
    pub place: Place,
}

/// A directive that is accepted and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmodelled {
    pub name: String,
    /// Number of the first line that has it, from 1.
    pub line: usize,
    /// Why, in a few words.
    pub why: &'static str,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the line, from 1.
    pub line: usize,
    /// Offset in the text of the first byte.
    pub start: usize,
    /// Length in bytes.
    pub len: usize,
}

/// A mistake in a redis.conf. Its `Display` is one paragraph with the line and a caret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfError {
    pub file: String,
    pub place: Place,
    /// Number of the first wrong character in its line, from 1.
    pub column: usize,
    /// What redis-server would print.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// The known name that was probably meant.
    pub nearest: Option<&'static str>,
    /// The line, cut to what fits on a screen.
    pub line_text: String,
    /// Where the caret stands under `line_text`, and how wide it is, in characters.
    pub caret: (usize, usize),
}

/// Reads the text of a redis.conf. All mistakes are reported at once, up to [`MAX_CONF_ERRORS`].
///
/// Takes time linear in the length of the text. `file` is only for messages.
///
/// deviates: `include` is not followed; rules of `user` and names of `rename-command` are not checked.
///
/// redis: config.c loadServerConfigFromString @7.0.15
pub fn parse_conf(file: &str, text: impl AsRef<[u8]>) -> Result<ConfFile, Vec<ConfError>> {
    parse(Reader::new(file, text.as_ref()))
}

/// Reads the text of a sentinel.conf: directives of redis.conf, and lines that begin with `sentinel`.
///
/// redis: sentinel.c initSentinelConfig, loadSentinelConfigFromQueue @7.0.15
pub fn parse_sentinel_conf(file: &str, text: impl AsRef<[u8]>) -> Result<ConfFile, Vec<ConfError>> {
    let mut reader = Reader::new(file, text.as_ref());
    reader.config.port = SENTINEL_PORT;
    reader.config.protected_mode = false;
    reader.sentinel = Some(Vec::new());
    parse(reader)
}

/// redis: sentinel.c REDIS_SENTINEL_PORT @7.0.15
pub const SENTINEL_PORT: u16 = 26379;

fn parse(mut reader: Reader<'_>) -> Result<ConfFile, Vec<ConfError>> {
    let text = reader.text;
    if text.len() > MAX_CONF_BYTES {
        let limit = MAX_CONF_BYTES >> 20;
        reader.fail(Place { line: 1, start: 0, len: 0 }, format!("larger than {limit} MiB"));
        return Err(reader.errors);
    }
    if let Some(start) = text.iter().position(|&b| is_binary(b)) {
        let line = 1 + text[..start].iter().filter(|&&b| b == b'\n').count();
        let what = format!("not a text file: it has the byte 0x{:02x}", text[start]);
        reader.fail(Place { line, start, len: 1 }, what);
        return Err(reader.errors);
    }
    let mut start = 0;
    for (number, line) in text.split(|&b| b == b'\n').enumerate() {
        reader.line(number + 1, start, line);
        start += line.len() + 1;
        if reader.errors.len() >= MAX_CONF_ERRORS {
            break;
        }
    }
    reader.finish()
}

impl Config {
    /// Whether a server with this configuration would start; the error is what it logs or prints.
    ///
    /// redis: config.c loadServerConfigFromString, cluster.c clusterInit @7.0.15
    pub fn check_start(&self) -> Result<(), &'static str> {
        if self.cluster_enabled && self.replicaof.is_some() {
            return Err("replicaof directive not allowed in cluster mode");
        }
        if self.cluster_enabled && self.bus_port() > 65_535 {
            return Err(
                "Redis port number too high. Cluster communication port is 10,000 port numbers higher \
                        than your Redis port. Your Redis port number must be 55535 or less.",
            );
        }
        if self.cluster_enabled && self.bind.is_empty() {
            return Err("No bind address is configured, but it is required for the Cluster bus.");
        }
        Ok(())
    }
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.file, self.place.line, self.column, self.message)?;
        writeln!(f, "  | {}", self.line_text)?;
        let (at, width) = self.caret;
        write!(f, "  | {}{}", " ".repeat(at), "^".repeat(width.max(1)))?;
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        if let Some(name) = self.nearest {
            write!(f, "\n  = did you mean '{name}'?")?;
        }
        Ok(())
    }
}

/// Names that Redis 7.0.15 accepts with one word and ignores.
const DEPRECATED: [&str; 3] =
    ["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// Names with code of their own: (name, fewest words after it, most, why it is not modelled).
const SPECIAL: [(&str, usize, usize, &str); 4] = [
    ("include", 1, 1, "the file is not read"),
    ("rename-command", 2, 2, "commands keep their names"),
    ("user", 1, usize::MAX, "users and their rights are not modelled"),
    ("loadmodule", 1, usize::MAX, "modules are not modelled"),
];

struct Reader<'a> {
    file: &'a str,
    text: &'a [u8],
    config: Config,
    settings: Vec<Setting>,
    unmodelled: Vec<Unmodelled>,
    errors: Vec<ConfError>,
    /// The `sentinel` lines of a sentinel.conf; none in a redis.conf.
    sentinel: Option<Vec<Line>>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str, text: &'a [u8]) -> Self {
        let (settings, unmodelled, errors) = Default::default();
        Reader { file, text, config: Config::default(), settings, unmodelled, errors, sentinel: None }
    }

    fn line(&mut self, line: usize, line_start: usize, bytes: &[u8]) {
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r');
        let Some(first) = bytes.iter().position(|b| !blank(b)) else { return };
        let last = bytes.iter().rposition(|b| !blank(b)).unwrap_or(first);
        let start = line_start + first;
        let bytes = &bytes[first..=last];
        if bytes[0] == b'#' {
            return;
        }
        let place = Place { line, start, len: bytes.len() };
        let at = |from: usize, to: usize| Place { line, start: start + from, len: to - from };
        let words = match split_words(bytes) {
            Ok(words) => words,
            Err(unbalanced) => {
                let end = (unbalanced.at + 1).min(bytes.len());
                let help = if unbalanced.at < bytes.len() {
                    "after a closing quote only a space or the end of the line may follow"
                } else {
                    "close the quote, or write it as \\\" inside double quotes"
                };
                let place = at(unbalanced.open, end.max(unbalanced.open + 1));
                self.fail(place, "Unbalanced quotes in configuration line").help = Some(help.into());
                return;
            }
        };
        let Some((head, rest)) = words.split_first() else { return };
        let name = super::c_string(&head.bytes).to_ascii_lowercase();
        let name_place = at(head.start, head.start + head.len);
        let values: Vec<String> = rest.iter().map(|word| super::c_string(&word.bytes)).collect();
        let values_place = match (rest.first(), rest.last()) {
            (Some(first), Some(last)) => at(first.start, last.start + last.len),
            _ => name_place,
        };
        let known = directive(&name);
        if let Some(known) = known {
            let words: Vec<&str> = values.iter().map(String::as_str).collect();
            if let Err(error) = self.config.set(&name, &words, Source::File) {
                let help = format!("{name} takes: {}", known.kind.describe());
                self.fail(values_place, error.file_message()).help = Some(help);
                return;
            }
            if !known.is_modelled() {
                self.unmodelled(&name, line, "known to Redis, without effect in the simulator");
            }
        } else if let (true, false, Some(lines)) = (name == "sentinel", values.is_empty(), &mut self.sentinel)
        {
            let places = rest.iter().map(|word| at(word.start, word.start + word.len)).collect();
            lines.push(Line { words: values.clone(), places, whole: place });
        } else if let Err((place, message, help)) = self.special(&name, &values, line, name_place, place) {
            let nearest = nearest(name.trim_end_matches([':', '=']), names());
            let error = self.fail(place, message);
            error.help = help;
            error.nearest = nearest.filter(|_| error.help.is_none());
            return;
        }
        self.settings.push(Setting { name, words: values, directive: known, place });
    }

    /// A line whose name is not in the table.
    fn special(
        &mut self,
        name: &str,
        values: &[String],
        line: usize,
        name_place: Place,
        place: Place,
    ) -> Result<(), (Place, &'static str, Option<String>)> {
        const BAD: &str = "Bad directive or wrong number of arguments";
        if DEPRECATED.contains(&name) && values.len() == 1 {
            self.unmodelled(name, line, "accepted and ignored by Redis too");
            return Ok(());
        }
        if let Some(&(_, least, most, why)) = SPECIAL.iter().find(|special| special.0 == name) {
            if (least..=most).contains(&values.len()) {
                self.unmodelled(name, line, why);
                return Ok(());
            }
            let count = if least == most { format!("{least}") } else { format!("at least {least}") };
            return Err((place, BAD, Some(format!("{name} takes {count} word(s)"))));
        }
        if DEPRECATED.contains(&name) {
            return Err((place, BAD, Some(format!("{name} takes 1 word"))));
        }
        if name.contains('.') {
            if values.is_empty() {
                return Err((name_place, "Module config specified without value", None));
            }
            self.unmodelled(name, line, "modules are not modelled");
            return Ok(());
        }
        if name == "sentinel" {
            if values.is_empty() {
                self.unmodelled(name, line, "it asks for the sentinel mode");
                return Ok(());
            }
            let help = "this is a line of sentinel.conf".to_string();
            return Err((name_place, "sentinel directive while not in sentinel mode", Some(help)));
        }
        Err((name_place, BAD, None))
    }

    fn unmodelled(&mut self, name: &str, line: usize, why: &'static str) {
        if !self.unmodelled.iter().any(|other| other.name == name) && self.unmodelled.len() < 1000 {
            self.unmodelled.push(Unmodelled { name: name.into(), line, why });
        }
    }

    fn finish(mut self) -> Result<ConfFile, Vec<ConfError>> {
        if self.errors.is_empty()
            && let Err(message) = self.config.check_start()
        {
            let culprits: &[&str] = if self.config.replicaof.is_some() {
                &["replicaof"]
            } else if self.config.bus_port() > 65_535 {
                &["port"]
            } else {
                &["bind"]
            };
            let culprit = |setting: &&Setting| {
                let name = setting.directive.map(|d| d.name);
                culprits.iter().any(|culprit| name == Some(culprit))
            };
            let place = self.settings.iter().rev().find(culprit).map(|setting| setting.place);
            self.fail(place.unwrap_or(Place { line: 1, start: 0, len: 0 }), message);
        }
        let sentinel = self.sentinel.take().and_then(|lines| match sentinel::read(&lines) {
            Ok(conf) => Some(conf),
            Err(mistakes) => {
                for (place, message, help) in mistakes.into_iter().take(MAX_CONF_ERRORS) {
                    let word = String::from_utf8_lossy(&self.text[place.start..place.start + place.len]);
                    let name = nearest(&word, LINES.iter().map(|line| line.0));
                    let error = self.fail(place, message);
                    error.nearest = name.filter(|_| help.is_none());
                    error.help = help;
                }
                None
            }
        });
        if self.errors.is_empty() {
            let (config, settings, unmodelled) = (self.config, self.settings, self.unmodelled);
            Ok(ConfFile { config, settings, unmodelled, sentinel })
        } else {
            Err(self.errors)
        }
    }

    /// Adds a mistake, with its line and caret cut to [`SCREEN`] characters.
    fn fail(&mut self, place: Place, message: impl Into<String>) -> &mut ConfError {
        let from = self.text[..place.start].iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let to = self.text[from..].iter().position(|&b| b == b'\n').map_or(self.text.len(), |i| from + i);
        let before = String::from_utf8_lossy(&self.text[from..place.start]);
        let column = before.chars().count();
        let skip = column.saturating_sub(SCREEN / 2);
        let shown = &self.text[from..to.min(place.start + 4 * SCREEN)];
        let line = String::from_utf8_lossy(shown);
        let tidy = |c: char| if c.is_control() { ' ' } else { c };
        let line_text: String = line.trim_end().chars().skip(skip).take(SCREEN).map(tidy).collect();
        let end = (place.start + place.len).min(to).max(place.start);
        let width = String::from_utf8_lossy(&self.text[place.start..end]).chars().count();
        let caret = (column - skip, width.clamp(1, SCREEN - (column - skip)));
        self.errors.push(ConfError {
            file: self.file.into(),
            place,
            column: column + 1,
            message: message.into(),
            help: None,
            nearest: None,
            line_text,
            caret,
        });
        self.errors.last_mut().expect("just pushed")
    }
}

/// Characters of a line that a message shows.
const SCREEN: usize = 120;

/// Every name that may begin a line.
fn names() -> impl Iterator<Item = &'static str> {
    let table = DIRECTIVES.iter().flat_map(|d| [Some(d.name), d.alias]).flatten();
    table.chain(SPECIAL.iter().map(|special| special.0))
}

fn is_binary(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x0b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::fuzz;
    use crate::params::SavePoint;

    fn errors(text: &str) -> Vec<String> {
        parse_conf("redis.conf", text).unwrap_err().iter().map(|e| e.to_string()).collect()
    }

    #[test]
    fn a_node_of_the_chapter() {
        let text = "\nport 7003\ncluster-enabled yes\ncluster-config-file nodes-7003.conf\n\
                    cluster-node-timeout 15000\nappendonly yes\nappendfilename \"appendonly-7003.aof\"\n\
                    dbfilename dump-7003.rdb\nlogfile \"redis-7003.log\"\ndir /opt/redis-cluster/7003\n";
        let file = parse_conf("redis.conf", text).unwrap();
        let config = &file.config;
        assert_eq!((config.port, config.cluster_enabled, config.cluster_node_timeout), (7003, true, 15000));
        assert_eq!(
            (config.appendfilename.as_str(), config.logfile.as_str()),
            ("appendonly-7003.aof", "redis-7003.log")
        );
        assert_eq!((config.cluster_config_file.as_str(), config.bus_port()), ("nodes-7003.conf", 17003));
        assert_eq!(file.settings.len(), 9);
        let quoted = &file.settings[5];
        assert_eq!(&text[quoted.place.start..][..quoted.place.len], "appendfilename \"appendonly-7003.aof\"");
        assert_eq!(quoted.place.line, 7);
        assert_eq!(file.unmodelled, []);
    }

    #[test]
    fn repeated_quoted_and_unmodelled_lines() {
        let text = "save 900 1\nsave \"300 10\"\n  PORT\t7000 \r\nio-threads 4\nio-threads 2\ninclude a.conf\n\
                    client-output-buffer-limit replica 1gb 512mb 60\nloadmodule x.so a b\nuser u on\nm.x 1\n\
                    rename-command FLUSHALL \"\"\nlua-replicate-commands yes\nsave 60 5\n# port x\n";
        let file = parse_conf("f", text).unwrap();
        let points: Vec<_> = file.config.save.iter().map(|p| (p.seconds, p.changes)).collect();
        assert_eq!(points, [(900, 1), (300, 10), (60, 5)]);
        assert_eq!(file.config.port, 7000);
        assert_eq!(file.config.client_output_buffer_limit.replica.hard_bytes, 1 << 30);
        let unmodelled: Vec<_> = file.unmodelled.iter().map(|u| (u.name.as_str(), u.line)).collect();
        assert_eq!(
            unmodelled,
            [
                ("io-threads", 4),
                ("include", 6),
                ("loadmodule", 8),
                ("user", 9),
                ("m.x", 10),
                ("rename-command", 11),
                ("lua-replicate-commands", 12)
            ]
        );
        assert_eq!(parse_conf("f", "save \"\"\n").unwrap().config.save, []);
        let last = parse_conf("f", "save 1 1\nsave \"\"\nsave 2 2").unwrap().config.save;
        assert_eq!(last, [SavePoint { seconds: 2, changes: 2 }]);
    }

    #[test]
    fn all_mistakes_at_once_with_carets() {
        let text = "port 70000\ncluster-node-timout 5000\nappendonly maybe\nlogfile \"x\nhz 1 2\nsave 1\n\
                    sentinel monitor m 1 2 3\nport\n\tappendfsync  sometimes\n";
        let got = errors(text).join("\n");
        let want = "\
redis.conf:1:6: argument must be between 0 and 65535 inclusive
  | port 70000
  |      ^^^^^
  = help: port takes: integer, 0 to 65535
redis.conf:2:1: Bad directive or wrong number of arguments
  | cluster-node-timout 5000
  | ^^^^^^^^^^^^^^^^^^^
  = did you mean 'cluster-node-timeout'?
redis.conf:3:12: argument must be 'yes' or 'no'
  | appendonly maybe
  |            ^^^^^
  = help: appendonly takes: yes or no
redis.conf:4:9: Unbalanced quotes in configuration line
  | logfile \"x
  |         ^^
  = help: close the quote, or write it as \\\" inside double quotes
redis.conf:5:4: wrong number of arguments
  | hz 1 2
  |    ^^^
  = help: hz takes: integer, at least 0, per second
redis.conf:6:6: Invalid save parameters
  | save 1
  |      ^
  = help: save takes: pairs of seconds and changes, or \"\"
redis.conf:7:1: sentinel directive while not in sentinel mode
  | sentinel monitor m 1 2 3
  | ^^^^^^^^
  = help: this is a line of sentinel.conf
redis.conf:8:1: wrong number of arguments
  | port
  | ^^^^
  = help: port takes: integer, 0 to 65535
redis.conf:9:15: argument(s) must be one of the following: everysec, always, no
  |  appendfsync  sometimes
  |               ^^^^^^^^^
  = help: appendfsync takes: one of everysec, always, no";
        assert_eq!(got, want);
    }

    #[test]
    fn servers_that_would_not_start() {
        let got = errors("cluster-enabled yes\nreplicaof 127.0.0.1 6379\nhz 10");
        assert!(
            got[0].starts_with("redis.conf:2:1: replicaof directive not allowed in cluster mode"),
            "{}",
            got[0]
        );
        let got = errors("port 60000\ncluster-enabled yes");
        assert!(got[0].starts_with("redis.conf:1:1: Redis port number too high"), "{}", got[0]);
    }

    #[test]
    fn odd_input_gives_one_clear_error() {
        let got = parse_conf("f", b"port 1\n\x7fELF\x02\x01\0\0").unwrap_err();
        assert_eq!(got.len(), 1);
        assert_eq!(
            (got[0].place.line, got[0].message.as_str()),
            (2, "not a text file: it has the byte 0x02")
        );
        assert_eq!(parse_conf("f", vec![b'x'; MAX_CONF_BYTES + 1]).unwrap_err().len(), 1);
        assert_eq!(parse_conf("f", "x\n".repeat(1000)).unwrap_err().len(), MAX_CONF_ERRORS);
        assert!(parse_conf("f", "").is_ok());
        let long = parse_conf("f", format!("port {}", "9".repeat(100_000))).unwrap_err();
        assert!(long[0].to_string().len() < 1000);
        assert!(parse_conf("f", "logfile \"\u{4e2d}\u{6587}\"\n# \u{ff}").is_ok());
    }

    const SAMPLE: &str = "# a node\nport 7000\ncluster-enabled yes\nsave 900 1 300 10\n\
        client-output-buffer-limit replica 256mb 64mb 60\nlogfile \"a \\\"b\\x41\"\nbind 127.0.0.1 ::1\n\
        maxmemory-clients 5%\nlatency-tracking-info-percentiles 50 99.9\nreplicaof no one\r\n\
        notify-keyspace-events KEA\nappendfsync everysec\nrename-command A \"\"\noom-score-adj-values 1 2 3\n";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::base::fuzz::cases(500)))]

        #[test]
        fn mutated_files_are_read_or_refused(changes in fuzz::changes()) {
            let text = fuzz::mutate(SAMPLE.as_bytes(), &changes);
            match parse_conf("f", &text) {
                Ok(file) => {
                    for setting in &file.settings {
                        prop_assert!(setting.place.start + setting.place.len <= text.len());
                    }
                    // What CONFIG GET prints can be set again, and means the same.
                    for directive in DIRECTIVES {
                        let value = file.config.value(directive.name).unwrap();
                        let mut again = file.config.clone();
                        again.save_was_read = false;
                        if directive.name != "replicaof" && !value.contains(['"', '\'', '\\', '\0']) {
                            again.set(directive.name, &[&value], Source::File).unwrap();
                            prop_assert_eq!(again.value(directive.name).unwrap(), value);
                        }
                    }
                }
                Err(errors) => {
                    prop_assert!(!errors.is_empty() && errors.len() <= MAX_CONF_ERRORS);
                    for error in errors {
                        prop_assert!(error.place.start + error.place.len <= text.len());
                        prop_assert!(error.to_string().len() < 2000);
                    }
                }
            }
        }
    }
}
