//! What a directive accepts: from its words to the one text that CONFIG GET prints, or Redis's error.

use std::fmt::Write;

/// The form of a directive's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    Number(Number),
    /// Any text.
    Text(TextRule),
    /// One of these words.
    Choice {
        names: &'static [&'static str],
        /// Names that mean the same as another: (name, the one that CONFIG GET prints).
        same: &'static [(&'static str, &'static str)],
    },
    /// Any of these words together; the first means none of the others.
    Flags(&'static [&'static str]),
    /// Pairs of seconds and changes.
    Save,
    /// Fours of class, hard limit, soft limit and seconds.
    OutputLimit,
    /// Three numbers from -2000 to 2000.
    OomValues,
    /// Letters of event classes.
    Notify,
    /// Up to 16 addresses.
    Bind,
    /// Host and port, or `no one`.
    ReplicaOf,
    /// Decimal numbers from 0 to 100.
    Percentiles,
}

/// An integer, its range and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    pub form: Form,
    pub unit: Unit,
    /// Redis keeps it in an unsigned type, so a negative number counts as a huge one.
    pub unsigned: bool,
    pub min: i128,
    pub max: i128,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Integer,
    /// Bytes, with an optional k, kb, m, mb, g or gb.
    Memory,
    /// The same, or a percentage.
    MemoryOrPercent,
    Octal,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Milliseconds,
    Seconds,
    Bytes,
    Percent,
    Hertz,
}

/// What Redis checks in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRule {
    Any,
    /// A folder, as one word.
    Dir,
    /// No `/`.
    BaseName,
    /// Neither empty nor with a `/`.
    FileName,
    /// The same, for a folder.
    DirName,
    Hostname,
    ProcTitle,
}

/// Where the words come from: a file adds to `save`, CONFIG SET replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    File,
    ConfigSet,
}

impl Unit {
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Count => "",
            Unit::Milliseconds => "milliseconds",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
            Unit::Percent => "percent",
            Unit::Hertz => "per second",
        }
    }
}

impl Kind {
    /// The same number, counting something else.
    pub const fn unit(self, unit: Unit) -> Self {
        match self {
            Kind::Number(number) => Kind::Number(Number { unit, ..number }),
            other => other,
        }
    }

    /// Whether more than one word may follow the name.
    pub fn takes_many(self) -> bool {
        matches!(
            self,
            Kind::Flags(_)
                | Kind::Save
                | Kind::OutputLimit
                | Kind::OomValues
                | Kind::Bind
                | Kind::ReplicaOf
                | Kind::Percentiles
        )
    }

    /// Checks the words after a directive's name and returns the text that CONFIG GET will print.
    /// `old` is that text before. Errors are Redis's own sentences.
    ///
    /// redis: config.c boolConfigSet, numericConfigSet, enumConfigSet, stringConfigSet,
    /// setConfig*Option @7.0.15
    pub(super) fn read(self, words: &[&str], old: &str) -> Result<String, String> {
        let one = words.first().copied().unwrap_or("");
        match self {
            Kind::YesNo if one.eq_ignore_ascii_case("yes") => Ok("yes".into()),
            Kind::YesNo if one.eq_ignore_ascii_case("no") => Ok("no".into()),
            Kind::YesNo => Err("argument must be 'yes' or 'no'".into()),
            Kind::Number(number) => number.read(one),
            Kind::Text(rule) => rule.read(one),
            Kind::Choice { names, same } => {
                let synonym = same.iter().find(|(word, _)| word.eq_ignore_ascii_case(one));
                let word = synonym.map_or(one, |(_, meaning)| meaning);
                let found = names.iter().find(|name| name.eq_ignore_ascii_case(word));
                found.map(|name| name.to_string()).ok_or_else(|| must_be_one_of(names))
            }
            Kind::Flags(names) => read_flags(names, words),
            Kind::Save => read_save(words, old),
            Kind::OutputLimit => read_output_limit(words, old),
            Kind::OomValues => read_oom_values(words),
            Kind::Notify => read_notify(one),
            Kind::Bind if words.len() > 16 => Err("Too many bind addresses specified.".into()),
            Kind::Bind => Ok(words.join(" ")),
            Kind::ReplicaOf => read_replica_of(words),
            Kind::Percentiles => read_percentiles(words),
        }
    }

    /// The form in words, for people.
    pub fn describe(self) -> String {
        match self {
            Kind::YesNo => "yes or no".into(),
            Kind::Number(number) => number.describe(),
            Kind::Text(TextRule::Any) => "text".into(),
            Kind::Text(TextRule::Dir) => "folder".into(),
            Kind::Text(TextRule::BaseName) => "file name without '/'".into(),
            Kind::Text(TextRule::FileName) => "file name without '/', not empty".into(),
            Kind::Text(TextRule::DirName) => "folder name without '/', not empty".into(),
            Kind::Text(TextRule::Hostname) => "host name of letters, digits, '-' and '.', below 256".into(),
            Kind::Text(TextRule::ProcTitle) => "text with {title}, {listen-addr}, {server-mode}, {port}, \
                                                {tls-port}, {unixsocket}, {config-file}"
                .into(),
            Kind::Choice { names, .. } => format!("one of {}", names.join(", ")),
            Kind::Flags(names) => format!("any of {}", names.join(", ")),
            Kind::Save => "pairs of seconds and changes, or \"\"".into(),
            Kind::OutputLimit => {
                "class (normal, replica or pubsub), hard limit, soft limit, soft seconds".into()
            }
            Kind::OomValues => "three integers from -2000 to 2000".into(),
            Kind::Notify => "letters of Ag$lshzxeKEtmdn".into(),
            Kind::Bind => "up to 16 addresses".into(),
            Kind::ReplicaOf => "host and port".into(),
            Kind::Percentiles => "numbers from 0 to 100".into(),
        }
    }
}

impl Number {
    /// redis: config.c numericParseString, numericBoundaryCheck, numericConfigGet @7.0.15
    fn read(self, word: &str) -> Result<String, String> {
        let value = self.parse(word)?;
        let percent = self.form == Form::MemoryOrPercent && value < 0;
        if percent && i128::from(value) < self.min {
            return Err(format!("percentage argument must be less or equal to {}", -self.min));
        }
        let shown = if self.unsigned { i128::from(value as u64) } else { i128::from(value) };
        if !percent && !(self.min..=self.max).contains(&shown) {
            return Err(match self.form {
                Form::Octal => {
                    format!("argument must be between {:o} and {:o} inclusive", self.min, self.max)
                }
                _ => format!("argument must be between {} and {} inclusive", self.min, self.max),
            });
        }
        Ok(match self.form {
            Form::Octal => format!("{shown:o}"),
            Form::MemoryOrPercent if percent => format!("{}%", -shown),
            _ => shown.to_string(),
        })
    }

    fn parse(self, word: &str) -> Result<i64, String> {
        let percent = || {
            let digits = word.strip_suffix('%').filter(|digits| !digits.is_empty())?;
            parse_i64(digits).filter(|&value| value >= 0).map(|value| -value)
        };
        match self.form {
            Form::Integer => {
                parse_i64(word).ok_or_else(|| "argument couldn't be parsed into an integer".into())
            }
            Form::Memory => parse_memory(word)
                .map(|bytes| bytes as i64)
                .ok_or_else(|| "argument must be a memory value".into()),
            Form::MemoryOrPercent => parse_memory(word)
                .map(|bytes| bytes as i64)
                .or_else(percent)
                .ok_or_else(|| "argument must be a memory or percent value".into()),
            Form::Octal => i64::from_str_radix(word, 8)
                .map_err(|_| "argument couldn't be parsed as an octal number".into()),
        }
    }

    fn describe(self) -> String {
        let form = match self.form {
            Form::Integer => "integer",
            Form::Memory => "memory size",
            Form::MemoryOrPercent => "memory size or percentage",
            Form::Octal => return format!("octal number, {:o} to {:o}", self.min, self.max),
        };
        let mut text = form.to_string();
        let huge = i128::from(i32::MAX);
        let _ = match (self.max < huge, self.min) {
            (true, min) => write!(text, ", {min} to {}", self.max),
            (false, min) if min > i128::from(i32::MIN) => write!(text, ", at least {min}"),
            _ => Ok(()),
        };
        if !matches!(self.unit, Unit::Count) && self.form == Form::Integer {
            let _ = write!(text, ", {}", self.unit.as_str());
        }
        text
    }
}

impl TextRule {
    /// redis: config.c isValidDBfilename, isValidAOFfilename, isValidAOFdirname,
    /// isValidAnnouncedHostname, isValidProcTitleTemplate @7.0.15
    fn read(self, word: &str) -> Result<String, String> {
        let is_path = word.contains(['/', '\\']);
        let error = match self {
            TextRule::BaseName if is_path => "dbfilename can't be a path, just a filename",
            TextRule::FileName if word.is_empty() => "appendfilename can't be empty",
            TextRule::FileName if is_path => "appendfilename can't be a path, just a filename",
            TextRule::DirName if word.is_empty() => "appenddirname can't be empty",
            TextRule::DirName if is_path => "appenddirname can't be a path, just a dirname",
            TextRule::Hostname if word.len() >= 256 => "Hostnames must be less than 256 characters",
            TextRule::Hostname if !word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)) => {
                "Hostnames may only contain alphanumeric characters, hyphens or dots"
            }
            TextRule::Dir if word.is_empty() => "No such file or directory",
            TextRule::ProcTitle if !is_proc_title(word) => {
                "template format is invalid or contains unknown variables"
            }
            _ => return Ok(word.into()),
        };
        Err(error.into())
    }
}

/// A decimal integer with an optional `-` and nothing else: no `+`, space or leading zero.
///
/// redis: util.c string2ll @7.0.15
pub(crate) fn parse_i64(word: &str) -> Option<i64> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let plain = match digits.as_bytes() {
        [b'0'] => word.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if plain { word.parse().ok() } else { None }
}

/// Bytes, with an optional unit: k m g are powers of 1000, kb mb gb of 1024. Too large a product wraps,
/// as Redis's does.
///
/// redis: util.c memtoull @7.0.15
pub(crate) fn parse_memory(word: &str) -> Option<u64> {
    let end = word.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(word.len());
    let (digits, unit) = word.split_at(end);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    if digits.len() >= 128 {
        return None;
    }
    let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(number.wrapping_mul(factor))
}

/// C's strtoll on a whole word: leading spaces and a sign may come first, an empty word is 0, and too
/// large a number stops at the end of the range. None if other bytes follow.
fn parse_c_integer(word: &str) -> Option<i64> {
    let body = word.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let digits = body.strip_prefix(['+', '-']).unwrap_or(body);
    if digits.is_empty() {
        return word.is_empty().then_some(0);
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let limit = if body.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(body.parse().unwrap_or(limit))
}

fn must_be_one_of(names: &[&str]) -> String {
    let mut text = format!("argument(s) must be one of the following: {}", names.join(", "));
    text.truncate(255);
    text
}

fn read_flags(names: &'static [&'static str], words: &[&str]) -> Result<String, String> {
    let known = |word: &&str| names.iter().any(|name| name.eq_ignore_ascii_case(word));
    if words.is_empty() || !words.iter().all(known) {
        return Err(must_be_one_of(names));
    }
    let has = |name: &str| words.iter().any(|word| word.eq_ignore_ascii_case(name));
    if has("save") && has("nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    let set: Vec<&str> = names[1..].iter().copied().filter(|name| has(name)).collect();
    Ok(if set.is_empty() { names[0].into() } else { set.join(" ") })
}

/// redis: config.c setConfigSaveOption @7.0.15
fn read_save(words: &[&str], old: &str) -> Result<String, String> {
    let (words, old) = if words == [""] { (&[][..], "") } else { (words, old) };
    let invalid = || "Invalid save parameters".to_string();
    if !words.len().is_multiple_of(2) {
        return Err(invalid());
    }
    let mut points: Vec<String> = if old.is_empty() { Vec::new() } else { vec![old.to_string()] };
    for pair in words.chunks_exact(2) {
        let seconds = parse_c_integer(pair[0]).filter(|&seconds| seconds >= 1).ok_or_else(invalid)?;
        let changes = parse_c_integer(pair[1]).filter(|&changes| changes >= 0).ok_or_else(invalid)?;
        points.push(format!("{seconds} {}", changes as i32));
    }
    Ok(points.join(" "))
}

/// redis: config.c updateClientOutputBufferLimit @7.0.15
fn read_output_limit(words: &[&str], old: &str) -> Result<String, String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut values: Vec<String> = old.split(' ').map(str::to_string).collect();
    let mut new = Vec::new();
    for four in words.chunks_exact(4) {
        let class = match four[0].to_ascii_lowercase().as_str() {
            "normal" => 0,
            "slave" | "replica" => 1,
            "pubsub" => 2,
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let error =
            || "Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_string();
        let hard = parse_memory(four[1]).ok_or_else(error)?;
        let soft = parse_memory(four[2]).ok_or_else(error)?;
        let seconds = parse_c_integer(four[3]).map(|s| s as i32).filter(|&s| s >= 0).ok_or_else(error)?;
        new.push((class, [hard.to_string(), soft.to_string(), seconds.to_string()]));
    }
    for (class, limits) in new {
        for (place, limit) in limits.into_iter().enumerate() {
            values[class * 4 + 1 + place] = limit;
        }
    }
    Ok(values.join(" "))
}

/// redis: config.c setConfigOOMScoreAdjValuesOption @7.0.15
fn read_oom_values(words: &[&str]) -> Result<String, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let read = |word: &&str| parse_c_integer(word).filter(|value| (-2000..=2000).contains(value));
    let values: Option<Vec<String>> = words.iter().map(|word| read(word).map(|v| v.to_string())).collect();
    let error = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
    values.map(|values| values.join(" ")).ok_or_else(|| error.into())
}

/// redis: notify.c keyspaceEventsStringToFlags, keyspaceEventsFlagsToString @7.0.15
fn read_notify(word: &str) -> Result<String, String> {
    const ALL: &str = "g$lshzxetd";
    if !word.chars().all(|letter| "Ag$lshzxeKEtmdn".contains(letter)) {
        return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into());
    }
    let every = word.contains('A') || ALL.chars().all(|letter| word.contains(letter));
    let mut text = String::new();
    if every {
        text.push('A');
    } else {
        text.extend("g$lshzxetdn".chars().filter(|&letter| word.contains(letter)));
    }
    text.extend("KEm".chars().filter(|&letter| word.contains(letter)));
    Ok(text)
}

/// redis: config.c setConfigReplicaOfOption @7.0.15
fn read_replica_of(words: &[&str]) -> Result<String, String> {
    let &[host, port] = words else { return Err("wrong number of arguments".into()) };
    if host.eq_ignore_ascii_case("no") && port.eq_ignore_ascii_case("one") {
        return Ok(String::new());
    }
    let port = parse_c_integer(port).filter(|port| (0..=65535).contains(port));
    port.map(|port| format!("{host} {port}")).ok_or_else(|| "Invalid master port".into())
}

/// deviates: exponents and hexadecimal numbers, which strtod reads, are refused.
///
/// redis: config.c setConfigLatencyTrackingInfoPercentilesOutputOption @7.0.15
fn read_percentiles(words: &[&str]) -> Result<String, String> {
    let words = if words == [""] { &[] } else { words };
    let mut shown = Vec::new();
    for word in words {
        let invalid = || "Invalid latency-tracking-info-percentiles parameters".to_string();
        let (whole, part) = word.split_once('.').unwrap_or((word, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let negative = whole.starts_with('-');
        let whole = whole.strip_prefix(['-', '+']).unwrap_or(whole);
        if !digits(whole) || !digits(part) || whole.len() + part.len() == 0 || word.len() > 64 {
            return Err(invalid());
        }
        let mut micros =
            whole.parse::<u64>().unwrap_or(if whole.is_empty() { 0 } else { u64::MAX / 4_000_000 });
        micros = micros.saturating_mul(1_000_000);
        let six: String = part.chars().chain("000000".chars()).take(6).collect();
        let round_up = part.as_bytes().get(6).is_some_and(|&b| b >= b'5');
        micros = micros.saturating_add(six.parse::<u64>().unwrap_or(0)).saturating_add(round_up.into());
        if micros > 100_000_000 || (negative && micros > 0) {
            let text = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
            return Err(text.into());
        }
        let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        shown.push(text.trim_end_matches('0').trim_end_matches('.').to_string());
    }
    Ok(shown.join(" "))
}

/// redis: server.c expandProcTitleTemplate @7.0.15
fn is_proc_title(template: &str) -> bool {
    // These may stand for nothing, and a title of nothing is refused.
    const MAY_BE_EMPTY: [&str; 4] = ["title", "server-mode", "config-file", "unixsocket"];
    const NEVER_EMPTY: [&str; 3] = ["listen-addr", "port", "tls-port"];
    let mut rest = template;
    let mut shown = String::new();
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}') else { return false };
        let name = &rest[open + 1..open + close];
        shown.push_str(&rest[..open]);
        if NEVER_EMPTY.contains(&name) {
            shown.push_str(name);
        } else if !MAY_BE_EMPTY.contains(&name) {
            return false;
        }
        rest = &rest[open + close + 1..];
    }
    shown.push_str(rest);
    !shown.trim_matches(' ').is_empty()
}
