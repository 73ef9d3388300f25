//! Reading RESP from bytes that arrive in pieces: requests as a server reads them, replies as a client does.
//!
//! Neither reader ever panics, and both bound depth and size.

use super::args::split_args;
use super::value::Value;

/// Longest inline request, and longest line with a count.
///
/// redis: server.h PROTO_INLINE_MAX_SIZE @7.0.15
const MAX_LINE: usize = 64 * 1024;

/// Deepest nesting of a reply.
const MAX_DEPTH: usize = 64;

/// A request that breaks the protocol. The server replies with it and closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Protocol error: {0}")]
pub struct ProtocolError(pub String);

impl ProtocolError {
    /// The error reply with its code: `ERR Protocol error: ...`.
    pub fn reply(&self) -> Value {
        Value::Error(format!("ERR {self}"))
    }
}

/// What a request reader allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Largest argument in bytes: `proto-max-bulk-len`.
    pub max_bulk: u64,
    /// Largest amount of bytes that may wait to be read: `client-query-buffer-limit`.
    pub max_buffer: usize,
    /// A client that must log in first may send 10 words of 16384 bytes at most.
    pub must_authenticate: bool,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits { max_bulk: 512 << 20, max_buffer: 1 << 30, must_authenticate: false }
    }
}

/// Reads requests, inline or as arrays of bulk strings.
///
/// redis: networking.c processInputBuffer, processInlineBuffer, processMultibulkBuffer @7.0.15
#[derive(Clone, Debug, Default)]
pub struct RequestReader {
    buffer: Buffer,
    limits: RequestLimits,
    /// Words of the request that is being read.
    words: Vec<Vec<u8>>,
    words_left: u64,
    bulk_len: Option<usize>,
    failed: bool,
}

impl RequestReader {
    pub fn new(limits: RequestLimits) -> Self {
        RequestReader { limits, ..Default::default() }
    }

    /// Changes the limits, for instance after AUTH.
    pub fn set_limits(&mut self, limits: RequestLimits) {
        self.limits = limits;
    }

    /// Takes bytes that arrived. False means that too many wait to be read: Redis closes the connection
    /// without a reply. After a protocol error bytes are dropped.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        if self.failed {
            return true;
        }
        self.buffer.feed(bytes);
        self.buffer.rest().len() <= self.limits.max_buffer
    }

    /// The next whole request, if there is one. A bare line end or an array of no words gives an empty
    /// list, which Redis ignores (from a replica it counts as a sign of life).
    pub fn next_request(&mut self) -> Result<Option<Vec<Vec<u8>>>, ProtocolError> {
        if self.failed {
            return Ok(None);
        }
        let result = if self.words_left > 0 {
            self.bulks()
        } else {
            match self.buffer.rest().first() {
                None => Ok(None),
                Some(b'*') => self.array(),
                Some(_) => self.inline(),
            }
        };
        self.failed = result.is_err();
        result
    }

    fn inline(&mut self) -> Result<Option<Vec<Vec<u8>>>, ProtocolError> {
        let rest = self.buffer.rest();
        let Some(end) = find_c(rest, b'\n') else {
            return if rest.len() > MAX_LINE { fail("too big inline request") } else { Ok(None) };
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let Ok(words) = split_args(line) else { return fail("unbalanced quotes in request") };
        self.buffer.skip(end + 1);
        Ok(Some(words))
    }

    fn array(&mut self) -> Result<Option<Vec<Vec<u8>>>, ProtocolError> {
        let Some(line) = self.buffer.count_line("too big mbulk count string")? else { return Ok(None) };
        let count = number(&line[1..]).filter(|&count| count <= i64::from(i32::MAX));
        let taken = line.len() + 2;
        match count {
            None => return fail("invalid multibulk length"),
            Some(11..) if self.limits.must_authenticate => return fail("unauthenticated multibulk length"),
            Some(count) => {
                self.buffer.skip(taken);
                self.words_left = count.max(0) as u64;
            }
        }
        if self.words_left == 0 { Ok(Some(Vec::new())) } else { self.bulks() }
    }

    fn bulks(&mut self) -> Result<Option<Vec<Vec<u8>>>, ProtocolError> {
        while self.words_left > 0 {
            let len = match self.bulk_len {
                Some(len) => len,
                None => {
                    let Some(line) = self.buffer.count_line("too big bulk count string")? else {
                        return Ok(None);
                    };
                    let first = line.first().copied().unwrap_or(b'\r');
                    if first != b'$' {
                        return fail(match first {
                            0 => "expected '$', got '".to_string(),
                            b'\r' | b'\n' => "expected '$', got ' '".to_string(),
                            other => format!("expected '$', got '{}'", other as char),
                        });
                    }
                    let len = number(&line[1..]).filter(|&len| len >= 0);
                    let taken = line.len() + 2;
                    let Some(len) = len.filter(|&len| len as u64 <= self.limits.max_bulk) else {
                        return fail("invalid bulk length");
                    };
                    if len > 16384 && self.limits.must_authenticate {
                        return fail("unauthenticated bulk length");
                    }
                    self.buffer.skip(taken);
                    *self.bulk_len.insert(len as usize)
                }
            };
            let rest = self.buffer.rest();
            if rest.len() < len + 2 {
                return Ok(None);
            }
            self.words.push(rest[..len].to_vec());
            self.buffer.skip(len + 2);
            self.bulk_len = None;
            self.words_left -= 1;
        }
        Ok(Some(std::mem::take(&mut self.words)))
    }
}

/// Reads replies, RESP2 or RESP3. Strings must be UTF-8 where [`Value`] holds text.
#[derive(Clone, Debug)]
pub struct ReplyReader {
    buffer: Buffer,
    /// Largest string, and largest number of items of one list.
    max_len: usize,
    /// The lists that are being read, outermost first.
    open: Vec<OpenList>,
    /// The string that is being read: its type byte and length.
    string: Option<(u8, usize)>,
}

#[derive(Clone, Debug)]
struct OpenList {
    kind: u8,
    left: usize,
    items: Vec<Value>,
}

impl Default for ReplyReader {
    fn default() -> Self {
        ReplyReader::new(512 << 20)
    }
}

impl ReplyReader {
    /// A reader that refuses strings of more than `max_len` bytes and lists of more than `max_len` items.
    pub fn new(max_len: usize) -> Self {
        ReplyReader { buffer: Buffer::default(), max_len, open: Vec::new(), string: None }
    }

    /// Takes bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.feed(bytes);
    }

    /// The next whole reply, if there is one. After an error the reader must not be used again.
    pub fn next_reply(&mut self) -> Result<Option<Value>, ProtocolError> {
        loop {
            let Some(mut value) = self.leaf()? else { return Ok(None) };
            // Close every list that this value completes.
            loop {
                let Some(list) = self.open.last_mut() else { return Ok(Some(value)) };
                list.items.push(value);
                list.left -= 1;
                if list.left > 0 {
                    break;
                }
                let Some(list) = self.open.pop() else { break };
                value = close(list);
            }
        }
    }

    /// Reads one value that is not a list with items; lists are opened on the way. None means that more
    /// bytes are needed.
    fn leaf(&mut self) -> Result<Option<Value>, ProtocolError> {
        loop {
            if let Some((kind, len)) = self.string {
                let rest = self.buffer.rest();
                if rest.len() < len + 2 {
                    return Ok(None);
                }
                let (bytes, end) = rest[..len + 2].split_at(len);
                if end != b"\r\n" {
                    return fail("a string does not end with a line end");
                }
                let value = string(kind, bytes)?;
                self.buffer.skip(len + 2);
                self.string = None;
                return Ok(Some(value));
            }
            let Some(line) = self.buffer.count_line("too big line in a reply")? else { return Ok(None) };
            let (Some(&kind), taken) = (line.first(), line.len() + 2) else {
                return fail("an empty line where a reply begins");
            };
            let body = &line[1..];
            let value = match kind {
                b'+' => Some(Value::status(text(body)?)),
                b'-' => Some(Value::Error(text(body)?)),
                b',' => Some(Value::Double(text(body)?)),
                b':' => Some(Value::Int(number(body).ok_or_else(|| error("bad integer value"))?)),
                b'_' if body.is_empty() => Some(Value::Nil),
                b'#' if body == b"t" => Some(Value::Bool(true)),
                b'#' if body == b"f" => Some(Value::Bool(false)),
                b'$' if body == b"-1" => Some(Value::Nil),
                b'*' if body == b"-1" => Some(Value::NilArray),
                b'$' | b'!' | b'=' | b'*' | b'%' | b'~' | b'>' => {
                    let len = number(body).and_then(|len| usize::try_from(len).ok());
                    let Some(len) = len.filter(|&len| len <= self.max_len) else {
                        return fail("length out of range");
                    };
                    if matches!(kind, b'$' | b'!' | b'=') {
                        self.string = Some((kind, len));
                        None
                    } else {
                        self.open_list(kind, len)?
                    }
                }
                other => return fail(format!("got {} as reply type byte", super::quote(&[other]))),
            };
            self.buffer.skip(taken);
            if let Some(value) = value {
                return Ok(Some(value));
            }
        }
    }

    /// Opens a list; an empty one is a value at once.
    fn open_list(&mut self, kind: u8, len: usize) -> Result<Option<Value>, ProtocolError> {
        let left = if kind == b'%' { len.saturating_mul(2) } else { len };
        let list = OpenList { kind, left, items: Vec::with_capacity(left.min(1024)) };
        if left == 0 {
            return Ok(Some(close(list)));
        }
        if self.open.len() >= MAX_DEPTH {
            return fail("nested too deep");
        }
        self.open.push(list);
        Ok(None)
    }
}

/// Bytes that arrived and were not read yet. What was read is dropped now and then, so that the whole
/// costs time linear in the number of bytes.
#[derive(Clone, Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    read: usize,
    /// Bytes after `read` in which no `\r` was found, so as not to look again.
    scanned: usize,
}

impl Buffer {
    fn feed(&mut self, bytes: &[u8]) {
        if self.read > 4096 && self.read * 2 > self.bytes.len() {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    fn skip(&mut self, len: usize) {
        self.read += len;
        self.scanned = 0;
    }

    /// The line up to the next `\r`, if the byte after that is there too.
    fn count_line(&mut self, too_big: &str) -> Result<Option<&[u8]>, ProtocolError> {
        let len = self.rest().len();
        match find_c(&self.rest()[self.scanned..], b'\r').map(|end| end + self.scanned) {
            None if len > MAX_LINE => fail(too_big),
            None => {
                // A NUL hides what follows it, as in C; it must be found again.
                let nul = self.rest()[self.scanned..].iter().position(|&b| b == 0);
                self.scanned = nul.map_or(len, |nul| self.scanned + nul);
                Ok(None)
            }
            Some(end) if end + 2 > len => Ok(None),
            Some(end) => Ok(Some(&self.bytes[self.read..self.read + end])),
        }
    }
}

/// C's strchr: looks no further than the first NUL.
fn find_c(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|&b| b == wanted || b == 0).filter(|&i| bytes[i] == wanted)
}

/// redis: util.c string2ll @7.0.15
fn number(digits: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(digits).ok()?;
    let plain = match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if plain { text.parse().ok() } else { None }
}

fn string(kind: u8, bytes: &[u8]) -> Result<Value, ProtocolError> {
    match (kind, bytes) {
        (b'$', _) => Ok(Value::Bulk(bytes.to_vec())),
        (b'!', _) => Ok(Value::Error(text(bytes)?)),
        (_, &[a, b, c, b':', ref rest @ ..]) => {
            Ok(Value::Verbatim { format: [a, b, c], text: rest.to_vec() })
        }
        _ => fail("a verbatim string without its format"),
    }
}

fn close(list: OpenList) -> Value {
    match list.kind {
        b'~' => Value::Set(list.items),
        b'>' => Value::Push(list.items),
        b'%' => {
            let mut items = list.items.into_iter();
            let mut pairs = Vec::with_capacity(items.len() / 2);
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                pairs.push((key, value));
            }
            Value::Map(pairs)
        }
        _ => Value::Array(list.items),
    }
}

fn text(bytes: &[u8]) -> Result<String, ProtocolError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| error("a line that is not UTF-8"))
}

fn error(why: impl Into<String>) -> ProtocolError {
    ProtocolError(why.into())
}

fn fail<T>(why: impl Into<String>) -> Result<T, ProtocolError> {
    Err(error(why))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::resp::{Protocol, encode_command};

    fn requests(bytes: &[u8], piece: usize) -> Result<Vec<Vec<Vec<u8>>>, String> {
        let mut reader = RequestReader::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece.max(1)) {
            assert!(reader.feed(piece));
            while let Some(words) = reader.next_request().map_err(|e| e.to_string())? {
                found.push(words);
            }
        }
        Ok(found)
    }

    fn replies(bytes: &[u8], piece: usize) -> Result<Vec<Value>, String> {
        let mut reader = ReplyReader::new(1 << 20);
        let mut found = Vec::new();
        for piece in bytes.chunks(piece.max(1)) {
            reader.feed(piece);
            while let Some(value) = reader.next_reply().map_err(|e| e.to_string())? {
                found.push(value);
            }
        }
        Ok(found)
    }

    #[test]
    fn requests_in_pieces_of_any_size() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$2\r\nk\n\r\nPING \"a b\"\r\n\n*0\r\n*1\r\n$0\r\n\r\n*-5\r\n";
        let want: Vec<Vec<Vec<u8>>> = vec![
            vec![b"GET".to_vec(), b"k\n".to_vec()],
            vec![b"PING".to_vec(), b"a b".to_vec()],
            vec![],
            vec![],
            vec![vec![]],
            vec![],
        ];
        for piece in 1..bytes.len() {
            assert_eq!(requests(bytes, piece).as_ref(), Ok(&want), "{piece}");
        }
    }

    /// Sentences of networking.c.
    #[test]
    fn broken_requests() {
        let error = |bytes: &[u8]| requests(bytes, bytes.len()).unwrap_err();
        assert_eq!(error(b"*x\r\n"), "Protocol error: invalid multibulk length");
        assert_eq!(error(b"*2147483648\r\n"), "Protocol error: invalid multibulk length");
        assert_eq!(error(b"*1\r\nx1\r\n"), "Protocol error: expected '$', got 'x'");
        assert_eq!(error(b"*1\r\n$-1\r\n"), "Protocol error: invalid bulk length");
        assert_eq!(error(b"*1\r\n$536870913\r\n"), "Protocol error: invalid bulk length");
        assert_eq!(error(b"set \"a\r\n"), "Protocol error: unbalanced quotes in request");
        assert_eq!(error(&[b'a'; 65537]), "Protocol error: too big inline request");
        let long = [b"*".to_vec(), vec![b'1'; 65537]].concat();
        assert_eq!(error(&long), "Protocol error: too big mbulk count string");
        let long = [b"*1\r\n$".to_vec(), vec![b'1'; 65537]].concat();
        assert_eq!(error(&long), "Protocol error: too big bulk count string");
        let mut reader = RequestReader::new(RequestLimits { must_authenticate: true, ..Default::default() });
        reader.feed(b"*11\r\n");
        assert_eq!(reader.next_request().unwrap_err().0, "unauthenticated multibulk length");
        assert_eq!(reader.next_request(), Ok(None), "nothing is read after an error");
    }

    #[test]
    fn broken_replies() {
        for bytes in
            ["?\r\n", "$x\r\n", ":1x\r\n", "$1\r\nabc", "=2\r\nab\r\n", "%99999999\r\n", "\r\n", "#y\r\n"]
        {
            assert!(replies(bytes.as_bytes(), 1).is_err(), "{bytes:?}");
        }
        assert!(replies("*1\r\n".repeat(65).as_bytes(), 7).unwrap_err().contains("too deep"));
        assert_eq!(replies("*1\r\n".repeat(64).as_bytes(), 7), Ok(vec![]));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let line = "[ -~]{0,12}";
        let bytes = || prop::collection::vec(any::<u8>(), 0..20);
        let leaf = prop_oneof![
            line.prop_map(Value::status),
            line.prop_map(Value::Error),
            any::<i64>().prop_map(Value::Int),
            bytes().prop_map(Value::Bulk),
            Just(Value::Nil),
            bytes().prop_map(|text| Value::Verbatim { format: *b"txt", text }),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Double("3.25".into())),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let list = || prop::collection::vec(inner.clone(), 0..6);
            prop_oneof![
                list().prop_map(Value::Array),
                list().prop_map(Value::Set),
                list().prop_map(Value::Push),
                prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::base::fuzz::cases(300)))]

        #[test]
        fn replies_come_back(values in prop::collection::vec(any_value(), 0..4), piece in 1usize..50) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| value.encode(Protocol::Resp3, &mut bytes));
            prop_assert_eq!(replies(&bytes, piece), Ok(values.clone()));
            let mut bytes = Vec::new();
            values.iter().for_each(|value| value.encode(Protocol::Resp2, &mut bytes));
            let flat: Vec<Value> = values.into_iter().map(Value::into_resp2).collect();
            prop_assert_eq!(bytes.len(), flat.iter().map(|v| v.encoded_len(Protocol::Resp2)).sum::<usize>());
            prop_assert_eq!(replies(&bytes, piece), Ok(flat));
        }

        #[test]
        fn requests_come_back(
            words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 1..8),
            piece in 1usize..50,
        ) {
            let mut bytes = Vec::new();
            encode_command(&words, &mut bytes);
            prop_assert_eq!(requests(&bytes, piece), Ok(vec![words]));
        }

        /// Bytes changed at random are read or refused, in pieces as in one, and never panic.
        #[test]
        fn mutated_bytes_never_panic(
            value in any_value(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
            piece in 1usize..20,
        ) {
            let mut bytes = value.to_bytes(Protocol::Resp3);
            bytes.extend_from_slice(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nSET a \"b c\"\r\n");
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            prop_assert_eq!(replies(&bytes, piece).is_ok(), replies(&bytes, bytes.len()).is_ok());
            prop_assert_eq!(requests(&bytes, piece).is_ok(), requests(&bytes, bytes.len()).is_ok());
        }
    }
}
