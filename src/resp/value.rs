//! A RESP value, its two wire forms, and what redis-cli prints for it.

use std::borrow::Cow;
use std::fmt;

use super::args::quote;

/// A reply. RESP2 has no maps, sets, verbatim strings, doubles, booleans and pushes: these encode there
/// as Redis replies to a RESP2 client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `+OK`: a short text without line ends.
    Status(Cow<'static, str>),
    /// `-ERR ...`: code and text, without the dash.
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    /// No string (`$-1`, in RESP3 `_`).
    Nil,
    /// No array (`*-1`, in RESP3 `_`).
    NilArray,
    Array(Vec<Value>),
    /// Pairs, in order; in RESP2 a flat array.
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    /// Text with a three-letter format such as `txt`; in RESP2 a bulk string.
    Verbatim {
        format: [u8; 3],
        text: Vec<u8>,
    },
    /// A double as Redis would print it; in RESP2 a bulk string.
    Double(String),
    /// In RESP2 the integer 1 or 0.
    Bool(bool),
    /// A message out of turn; in RESP2 an array.
    Push(Vec<Value>),
}

/// Version of RESP on a connection; `HELLO 3` changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

impl Value {
    /// `+OK`
    pub fn ok() -> Self {
        Value::Status(Cow::Borrowed("OK"))
    }
    /// A status reply: `Value::status("PONG")`.
    pub fn status(text: impl Into<Cow<'static, str>>) -> Self {
        Value::Status(text.into())
    }
    /// An error reply with its code: `Value::error("ERR syntax error")`.
    pub fn error(text: impl Into<String>) -> Self {
        Value::Error(text.into())
    }
    /// A bulk string.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Value::Bulk(bytes.as_ref().to_vec())
    }
    /// A verbatim string of format `txt`, as INFO and CLUSTER NODES reply.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Value::Verbatim { format: *b"txt", text: text.as_ref().to_vec() }
    }
    /// An array of bulk strings.
    pub fn bulks<B: AsRef<[u8]>>(items: impl IntoIterator<Item = B>) -> Self {
        Value::Array(items.into_iter().map(Value::bulk).collect())
    }

    /// Whether this is an error reply.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }
    /// The bytes of a string of any kind, errors included.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Status(text) => Some(text.as_bytes()),
            Value::Error(text) | Value::Double(text) => Some(text.as_bytes()),
            Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => Some(bytes),
            _ => None,
        }
    }
    /// The text of a string of any kind, errors included, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Status(text) => Some(text),
            Value::Error(text) => Some(text),
            _ => self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok()),
        }
    }
    /// The number of an integer reply.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
    /// The items of an array, set or push.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Some(items),
            _ => None,
        }
    }
    /// The pairs of a map, or of a flat array of even length, which is what RESP2 makes of a map.
    pub fn as_pairs(&self) -> Option<Vec<(&Value, &Value)>> {
        match self {
            Value::Map(pairs) => Some(pairs.iter().map(|(key, value)| (key, value)).collect()),
            Value::Array(items) if items.len().is_multiple_of(2) => {
                Some(items.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect())
            }
            _ => None,
        }
    }

    /// Appends the wire form.
    ///
    /// redis: networking.c addReply* @7.0.15
    pub fn encode(&self, protocol: Protocol, out: &mut Vec<u8>) {
        self.emit(protocol, out);
    }
    /// The wire form.
    pub fn to_bytes(&self, protocol: Protocol) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len(protocol));
        self.emit(protocol, &mut out);
        out
    }
    /// Length in bytes of the wire form, without building it.
    pub fn encoded_len(&self, protocol: Protocol) -> usize {
        let mut len = Length(0);
        self.emit(protocol, &mut len);
        len.0
    }
    /// What a RESP2 client makes of this reply: maps become flat arrays, and so on.
    pub fn into_resp2(self) -> Self {
        let list = |items: Vec<Value>| items.into_iter().map(Value::into_resp2).collect();
        match self {
            Value::Map(pairs) => Value::Array(
                pairs.into_iter().flat_map(|(key, value)| [key.into_resp2(), value.into_resp2()]).collect(),
            ),
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Value::Array(list(items)),
            Value::Verbatim { text, .. } => Value::Bulk(text),
            Value::Double(text) => Value::Bulk(text.into_bytes()),
            Value::Bool(yes) => Value::Int(yes.into()),
            other => other,
        }
    }

    /// What redis-cli prints when its output is not a terminal, without the last line end.
    ///
    /// redis: redis-cli.c cliFormatReplyRaw @7.0.15
    pub fn to_raw(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_raw(&mut out);
        out
    }

    fn emit(&self, protocol: Protocol, out: &mut impl Sink) {
        let resp3 = protocol == Protocol::Resp3;
        match self {
            Value::Status(text) => line(out, b'+', text.as_bytes()),
            Value::Error(text) => line(out, b'-', text.as_bytes()),
            Value::Int(number) => {
                out.byte(b':');
                if *number < 0 {
                    out.byte(b'-');
                }
                out.number(number.unsigned_abs());
                out.put(b"\r\n");
            }
            Value::Bulk(bytes) => bulk(out, bytes),
            Value::Nil | Value::NilArray if resp3 => out.put(b"_\r\n"),
            Value::Nil => out.put(b"$-1\r\n"),
            Value::NilArray => out.put(b"*-1\r\n"),
            Value::Array(items) => list(out, protocol, b'*', items),
            Value::Set(items) => list(out, protocol, if resp3 { b'~' } else { b'*' }, items),
            Value::Push(items) => list(out, protocol, if resp3 { b'>' } else { b'*' }, items),
            Value::Map(pairs) => {
                let (kind, len) = if resp3 { (b'%', pairs.len()) } else { (b'*', pairs.len() * 2) };
                head(out, kind, len);
                for (key, value) in pairs {
                    key.emit(protocol, out);
                    value.emit(protocol, out);
                }
            }
            Value::Verbatim { format, text } if resp3 => {
                head(out, b'=', text.len() + 4);
                out.put(format);
                out.byte(b':');
                out.put(text);
                out.put(b"\r\n");
            }
            Value::Verbatim { text, .. } => bulk(out, text),
            Value::Double(text) if resp3 => line(out, b',', text.as_bytes()),
            Value::Double(text) => bulk(out, text.as_bytes()),
            Value::Bool(yes) if resp3 => out.put(if *yes { b"#t\r\n" } else { b"#f\r\n" }),
            Value::Bool(yes) => out.put(if *yes { b":1\r\n" } else { b":0\r\n" }),
        }
    }

    fn write_raw(&self, out: &mut Vec<u8>) {
        match self {
            Value::Nil | Value::NilArray => {}
            Value::Error(text) => {
                out.extend_from_slice(text.as_bytes());
                out.push(b'\n');
            }
            Value::Status(text) => out.extend_from_slice(text.as_bytes()),
            Value::Double(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => out.extend_from_slice(bytes),
            Value::Bool(yes) => out.extend_from_slice(if *yes { b"(true)" } else { b"(false)" }),
            Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Array(items) | Value::Set(items) | Value::Push(items) => {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b'\n');
                    }
                    item.write_raw(out);
                }
            }
            Value::Map(pairs) => {
                for (i, (key, value)) in pairs.iter().enumerate() {
                    if i > 0 {
                        out.push(b'\n');
                    }
                    key.write_raw(out);
                    out.push(b' ');
                    value.write_raw(out);
                }
            }
        }
    }

    /// redis: redis-cli.c cliFormatReplyTTY @7.0.15
    fn write_tty(&self, out: &mut String, prefix: &str) {
        let (mark, len, empty) = match self {
            Value::Error(text) => return out.push_str(&format!("(error) {text}\n")),
            Value::Status(text) => return out.push_str(&format!("{text}\n")),
            Value::Int(number) => return out.push_str(&format!("(integer) {number}\n")),
            Value::Double(text) => return out.push_str(&format!("(double) {text}\n")),
            Value::Bool(yes) => return out.push_str(if *yes { "(true)\n" } else { "(false)\n" }),
            Value::Nil | Value::NilArray => return out.push_str("(nil)\n"),
            Value::Bulk(bytes) => return out.push_str(&format!("{}\n", quote(bytes))),
            Value::Verbatim { text, .. } => {
                return out.push_str(&format!("{}\n", String::from_utf8_lossy(text)));
            }
            Value::Array(items) => (')', items.len(), "(empty array)\n"),
            Value::Push(items) => (')', items.len(), "(empty push)\n"),
            Value::Set(items) => ('~', items.len(), "(empty set)\n"),
            Value::Map(pairs) => ('#', pairs.len(), "(empty hash)\n"),
        };
        if len == 0 {
            return out.push_str(empty);
        }
        let width = decimal_len(len as u64);
        let inner = format!("{prefix}{}", " ".repeat(width + 2));
        let index = |out: &mut String, i: usize| {
            let lead = if i == 0 { "" } else { prefix };
            out.push_str(&format!("{lead}{:width$}{mark} ", i + 1));
        };
        match self {
            Value::Map(pairs) => {
                for (i, (key, value)) in pairs.iter().enumerate() {
                    index(out, i);
                    key.write_tty(out, &inner);
                    out.pop();
                    out.push_str(" => ");
                    if value.is_multiline() {
                        out.push('\n');
                        out.push_str(&inner);
                    }
                    value.write_tty(out, &inner);
                }
            }
            _ => {
                for (i, item) in self.as_array().unwrap_or_default().iter().enumerate() {
                    index(out, i);
                    item.write_tty(out, &inner);
                }
            }
        }
    }

    /// redis: redis-cli.c cliIsMultilineValueTTY @7.0.15
    fn is_multiline(&self) -> bool {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => match &items[..] {
                [] => false,
                [one] => one.is_multiline(),
                _ => true,
            },
            Value::Map(pairs) => match &pairs[..] {
                [] => false,
                [(_, value)] => value.is_multiline(),
                _ => true,
            },
            _ => false,
        }
    }
}

/// What redis-cli prints on a terminal, without the last line end.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_tty(&mut out, "");
        f.write_str(out.strip_suffix('\n').unwrap_or(&out))
    }
}

/// Number of decimal digits.
pub(super) fn decimal_len(number: u64) -> usize {
    // Nearly always it is short.
    if number < 10 { 1 } else { number.ilog10() as usize + 1 }
}

/// Where the encoder writes: into bytes, or into a count of them.
trait Sink {
    fn put(&mut self, bytes: &[u8]);
    fn byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }
    fn number(&mut self, number: u64);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
    fn number(&mut self, number: u64) {
        self.extend_from_slice(number.to_string().as_bytes());
    }
}

struct Length(usize);

impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
    fn number(&mut self, number: u64) {
        self.0 += decimal_len(number);
    }
}

fn head(out: &mut impl Sink, kind: u8, len: usize) {
    out.byte(kind);
    out.number(len as u64);
    out.put(b"\r\n");
}

fn bulk(out: &mut impl Sink, bytes: &[u8]) {
    head(out, b'$', bytes.len());
    out.put(bytes);
    out.put(b"\r\n");
}

/// A line of text. Line ends inside would break the stream: Redis makes them spaces.
///
/// redis: networking.c addReplyErrorSdsEx @7.0.15
fn line(out: &mut impl Sink, kind: u8, text: &[u8]) {
    out.byte(kind);
    for part in text.split_inclusive(|&b| b == b'\r' || b == b'\n') {
        match part.split_last() {
            Some((b'\r' | b'\n', rest)) => {
                out.put(rest);
                out.byte(b' ');
            }
            _ => out.put(part),
        }
    }
    out.put(b"\r\n");
}

fn list(out: &mut impl Sink, protocol: Protocol, kind: u8, items: &[Value]) {
    head(out, kind, items.len());
    for item in items {
        item.emit(protocol, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(value: &Value, protocol: Protocol) -> String {
        let bytes = value.to_bytes(protocol);
        assert_eq!(bytes.len(), value.encoded_len(protocol), "{value:?}");
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn both_wire_forms() {
        let map = Value::Map(vec![
            (Value::bulk("a"), Value::Int(-12)),
            (Value::bulk("b"), Value::Array(vec![Value::Nil, Value::NilArray, Value::Bool(true)])),
        ]);
        assert_eq!(
            wire(&map, Protocol::Resp2),
            "*4\r\n$1\r\na\r\n:-12\r\n$1\r\nb\r\n*3\r\n$-1\r\n*-1\r\n:1\r\n"
        );
        assert_eq!(wire(&map, Protocol::Resp3), "%2\r\n$1\r\na\r\n:-12\r\n$1\r\nb\r\n*3\r\n_\r\n_\r\n#t\r\n");
        assert_eq!(wire(&map, Protocol::Resp2), wire(&map.clone().into_resp2(), Protocol::Resp2));
        assert_eq!(wire(&Value::text("hi"), Protocol::Resp2), "$2\r\nhi\r\n");
        assert_eq!(wire(&Value::text("hi"), Protocol::Resp3), "=6\r\ntxt:hi\r\n");
        assert_eq!(wire(&Value::Double("0.5".into()), Protocol::Resp3), ",0.5\r\n");
        assert_eq!(wire(&Value::Push(vec![Value::ok()]), Protocol::Resp3), ">1\r\n+OK\r\n");
        assert_eq!(wire(&Value::error("ERR a\r\nb"), Protocol::Resp2), "-ERR a  b\r\n");
        assert_eq!(wire(&Value::Int(i64::MIN), Protocol::Resp2), ":-9223372036854775808\r\n");
    }

    #[test]
    fn printed_as_redis_cli_does() {
        let shown = |value: Value| value.to_string();
        assert_eq!(shown(Value::ok()), "OK");
        assert_eq!(shown(Value::error("ERR syntax error")), "(error) ERR syntax error");
        assert_eq!(shown(Value::Int(3)), "(integer) 3");
        assert_eq!(shown(Value::bulk("a\n\"b\"")), r#""a\n\"b\"""#);
        assert_eq!(shown(Value::Nil), "(nil)");
        assert_eq!(shown(Value::Array(vec![])), "(empty array)");
        let mut nested = vec![Value::bulk("x"); 9];
        nested.push(Value::Array(vec![Value::Int(1), Value::Array(vec![Value::bulk("y"), Value::Nil])]));
        let text = shown(Value::Array(nested));
        let last: Vec<&str> = text.lines().skip(8).collect();
        assert_eq!(last, [" 9) \"x\"", "10) 1) (integer) 1", "    2) 1) \"y\"", "       2) (nil)"]);
        let map = Value::Map(vec![
            (Value::bulk("k"), Value::Int(1)),
            (Value::bulk("l"), Value::Array(vec![Value::Int(1), Value::Int(2)])),
        ]);
        assert_eq!(
            shown(map.clone()),
            "1# \"k\" => (integer) 1\n2# \"l\" => \n   1) (integer) 1\n   2) (integer) 2"
        );
        assert_eq!(map.to_raw(), b"k 1\nl 1\n2");
    }
}
