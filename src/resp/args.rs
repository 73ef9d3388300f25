//! Requests: a list of words, its length on the wire, and how people type it.

use super::value::decimal_len;

/// Length in bytes of a request as a RESP array of bulk strings (`*argc`, then `$len` and the bytes of
/// each word). This is also what a command adds to the replication offset.
///
/// redis: replication.c replicationFeedSlaves, aof.c catAppendOnlyGenericCommand @7.0.15
pub fn command_len<W: AsRef<[u8]>>(words: &[W]) -> usize {
    let bulk = |word: &W| {
        let len = word.as_ref().len();
        1 + decimal_len(len as u64) + 2 + len + 2
    };
    1 + decimal_len(words.len() as u64) + 2 + words.iter().map(bulk).sum::<usize>()
}

/// Appends a request as a RESP array of bulk strings; it grows `out` by [`command_len`] bytes.
pub fn encode_command<W: AsRef<[u8]>>(words: &[W], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// A word of a line, unquoted, and where it stands in that line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub bytes: Vec<u8>,
    /// Offset of its first byte in the line, quotes included.
    pub start: usize,
    /// Length in the line, quotes included.
    pub len: usize,
}

/// A quote that is not closed, or that is followed by something other than a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unbalanced quotes")]
pub struct Unbalanced {
    /// Offset in the line of the quote that opened.
    pub open: usize,
    /// Offset of the byte at which reading stopped.
    pub at: usize,
}

/// Splits a line into words by the rules of redis-cli, inline requests and redis.conf.
///
/// Words are parted by spaces, tabs and line ends. `"..."` takes `\n \r \t \b \a \xHH` and a backslash
/// before any other byte; `'...'` takes `\'` alone. A quote may open in the middle of a word, but after
/// it closes only a space or the end may follow. A NUL byte ends the line.
///
/// redis: sds.c sdssplitargs @7.0.15
pub fn split_args(line: impl AsRef<[u8]>) -> Result<Vec<Vec<u8>>, Unbalanced> {
    Ok(split_words(line.as_ref())?.into_iter().map(|word| word.bytes).collect())
}

/// [`split_args`], with the place of each word.
pub fn split_words(line: &[u8]) -> Result<Vec<Word>, Unbalanced> {
    let line = &line[..line.iter().position(|&b| b == 0).unwrap_or(line.len())];
    let at = |i: usize| line.get(i).copied();
    let mut words = Vec::new();
    let mut i = 0;
    loop {
        while at(i).is_some_and(is_space) {
            i += 1;
        }
        let start = i;
        let Some(_) = at(i) else { return Ok(words) };
        let mut bytes = Vec::new();
        loop {
            match at(i) {
                None | Some(b' ' | b'\n' | b'\r' | b'\t') => break,
                Some(quote @ (b'"' | b'\'')) => {
                    i = quoted(line, i, quote, &mut bytes)?;
                    break;
                }
                Some(byte) => {
                    bytes.push(byte);
                    i += 1;
                }
            }
        }
        words.push(Word { bytes, start, len: i - start });
    }
}

/// A word in double quotes with everything unprintable escaped, so that [`split_args`] reads it back.
///
/// redis: sds.c sdscatrepr @7.0.15
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => {
                out.push('\\');
                out.push(byte as char);
            }
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            0x20..=0x7e => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// Whether `text` matches a glob of `* ? [a-z] [^a] \x`. Never takes more than
/// `pattern.len() * text.len()` steps.
///
/// redis: util.c stringmatchlen @7.0.15
pub fn glob_match(pattern: &[u8], text: &[u8], ignore_case: bool) -> bool {
    let fold = |byte: u8| if ignore_case { byte.to_ascii_lowercase() } else { byte };
    let (mut p, mut t) = (0, 0);
    // After the last star: where the pattern goes on, and how much text the star has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            None => None,
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => {
                let (matched, next) = class_match(&pattern[p + 1..], text[t], ignore_case);
                matched.then_some(p + 1 + next)
            }
            Some(b'\\') if p + 1 < pattern.len() => (fold(pattern[p + 1]) == fold(text[t])).then_some(p + 2),
            Some(&byte) => (fold(byte) == fold(text[t])).then_some(p + 1),
        };
        match (step, star) {
            (Some(next), _) => {
                p = next;
                t += 1;
            }
            (None, Some((resume, taken))) => {
                star = Some((resume, taken + 1));
                p = resume;
                t = taken + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|&byte| byte == b'*')
}

/// C's `isspace` in the C locale.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Reads from the quote at `open` to its end; returns the offset after the closing quote.
fn quoted(line: &[u8], open: usize, quote: u8, bytes: &mut Vec<u8>) -> Result<usize, Unbalanced> {
    let hex = |i: usize| line.get(i).and_then(|&b| (b as char).to_digit(16));
    let mut i = open + 1;
    loop {
        let Some(&byte) = line.get(i) else { return Err(Unbalanced { open, at: i }) };
        let next = line.get(i + 1).copied();
        if byte == quote {
            return match next {
                Some(other) if !is_space(other) => Err(Unbalanced { open, at: i + 1 }),
                _ => Ok(i + 1),
            };
        }
        match (quote, byte, next) {
            (b'"', b'\\', Some(b'x')) if hex(i + 2).is_some() && hex(i + 3).is_some() => {
                let value = hex(i + 2).unwrap_or(0) * 16 + hex(i + 3).unwrap_or(0);
                bytes.push(value as u8);
                i += 4;
            }
            (b'"', b'\\', Some(escaped)) => {
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                i += 2;
            }
            (b'\'', b'\\', Some(b'\'')) => {
                bytes.push(b'\'');
                i += 2;
            }
            _ => {
                bytes.push(byte);
                i += 1;
            }
        }
    }
}

/// Matches one byte against the class whose text after `[` is given; also returns how much of that text
/// the class takes, its `]` included.
fn class_match(class: &[u8], byte: u8, ignore_case: bool) -> (bool, usize) {
    let fold = |byte: u8| if ignore_case { byte.to_ascii_lowercase() } else { byte };
    let negated = class.first() == Some(&b'^');
    let mut i = usize::from(negated);
    let mut matched = false;
    let taken = loop {
        match class.get(i) {
            None => break i,
            Some(b'\\') if i + 1 < class.len() => {
                matched |= class[i + 1] == byte;
                i += 2;
            }
            Some(b']') => break i + 1,
            Some(&low) if class.len() - i >= 3 && class[i + 1] == b'-' => {
                let high = class[i + 2];
                let (low, high) = (fold(low.min(high)), fold(low.max(high)));
                matched |= (low..=high).contains(&fold(byte));
                i += 3;
            }
            Some(&one) => {
                matched |= fold(one) == fold(byte);
                i += 1;
            }
        }
    };
    (matched != negated, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split_args(line).unwrap().into_iter().map(|w| String::from_utf8_lossy(&w).into_owned()).collect()
    }

    #[test]
    fn words_are_split_as_redis_does() {
        assert_eq!(words("  set  a b\r\n"), ["set", "a", "b"]);
        assert_eq!(words(r#"set "a b" 'c d' "\x41\n\q""#), ["set", "a b", "c d", "A\nq"]);
        assert_eq!(words(r#"a"b c" '' "" 'it\'s'"#), ["ab c", "", "", "it's"]);
        assert_eq!(words(r#""\xzz""#), ["xzz"]);
        assert_eq!(words(""), Vec::<String>::new());
        assert_eq!(split_args(r#"a "b"#), Err(Unbalanced { open: 2, at: 4 }));
        assert_eq!(split_args(r#""a"b"#), Err(Unbalanced { open: 0, at: 3 }));
        assert_eq!(split_args(r#"'a\"#), Err(Unbalanced { open: 0, at: 3 }));
        assert_eq!(split_args(b"a\0 b"), Ok(vec![b"a".to_vec()]));
        let split = split_words(b" port \"70 00\"").unwrap();
        assert_eq!((split[1].start, split[1].len, &split[1].bytes[..]), (6, 7, &b"70 00"[..]));
    }

    #[test]
    fn quoting_is_undone_by_splitting() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split_args(quote(&all)), Ok(vec![all]));
        assert_eq!(quote(b"a\"\x07\x01\n"), r#""a\"\a\x01\n""#);
    }

    #[test]
    fn request_length_equals_its_encoding() {
        for words in [vec![], vec!["PING"], vec!["SET", "k", "0123456789"], vec![""; 12]] {
            let mut out = Vec::new();
            encode_command(&words, &mut out);
            assert_eq!(out.len(), command_len(&words));
        }
        assert_eq!(command_len(&["PING"]), 14);
    }

    #[test]
    fn globs() {
        let cases: &[(&str, &str, bool)] = &[
            ("*", "", true),
            ("a*", "ABC", true),
            ("*c", "abc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[c-a]x", "bx", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("**b**", "abc", true),
            ("[ab", "b", true),
            ("", "", true),
            ("", "a", false),
            ("*-replica-*", "cluster-replica-no-failover", true),
        ];
        for &(pattern, text, want) in cases {
            assert_eq!(glob_match(pattern.as_bytes(), text.as_bytes(), true), want, "{pattern} {text}");
        }
    }
}
