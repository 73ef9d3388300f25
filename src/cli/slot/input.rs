//! Reading lists of keys of any size: in blocks, on several threads, in memory that does not grow.

use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr, memchr_iter, memrchr};

use super::tags::TopTags;
use crate::slot::{Keys, Load, Tally, key_slot, key_slots};

/// Redis takes no longer key.
pub const MAX_KEY_BYTES: usize = 512 << 20;

/// How much a thread takes at a time: it fits into the second cache.
const BLOCK_BYTES: usize = 512 << 10;

/// How many keys are hashed at once: their offsets and slots stay in the first cache.
const BATCH: usize = 1024;

/// What has been counted.
#[derive(Default)]
pub struct Counted {
    pub tally: Tally,
    pub tags: TopTags,
    /// Empty lines, which are not taken for the empty key.
    pub empty_lines: u64,
}

/// Why reading stopped. The text is for people.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("byte {at}: {what}")]
    Syntax { at: u64, what: String },
    #[error("line {line}: {what}")]
    Line { line: u64, what: String },
}

/// Bytes read so far, for the progress bar.
pub type Progress = AtomicU64;

struct Source<R> {
    input: R,
    delimiter: u8,
    /// The beginning of a record whose end has not been read.
    carry: Vec<u8>,
    offset: u64,
    ended: bool,
}

impl<R: Read> Source<R> {
    /// Fills `block` with whole records; returns how many bytes they are, 0 at the end.
    fn fill(&mut self, block: &mut Vec<u8>) -> Result<usize, InputError> {
        if self.ended && self.carry.is_empty() {
            return Ok(0);
        }
        let mut used = self.carry.len();
        if block.len() < used.max(BLOCK_BYTES) {
            block.resize(used.max(BLOCK_BYTES), 0);
        }
        block[..used].copy_from_slice(&self.carry);
        self.carry.clear();
        let mut searched = used;
        while !self.ended {
            if used == block.len() {
                if let Some(end) = memrchr(self.delimiter, &block[searched..used]) {
                    let end = searched + end + 1;
                    self.carry.extend_from_slice(&block[end..used]);
                    return Ok(end);
                }
                searched = used;
                if used > MAX_KEY_BYTES {
                    let what =
                        format!("a key of more than {MAX_KEY_BYTES} bytes, which Redis does not allow");
                    return Err(InputError::Syntax { at: self.offset - used as u64, what });
                }
                block.resize((2 * used).min(MAX_KEY_BYTES + 1), 0);
            }
            match self.input.read(&mut block[used..]) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    used += n;
                    self.offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(used)
    }
}

/// Counts keys that end with `delimiter` each; the last one may lack it. If `skip_empty`, empty ones are
/// not counted but reported.
pub fn count_delimited(
    input: impl Read + Send,
    delimiter: u8,
    skip_empty: bool,
    threads: NonZeroUsize,
    progress: &Progress,
) -> Result<Counted, InputError> {
    let source = Mutex::new(Source { input, delimiter, carry: Vec::new(), offset: 0, ended: false });
    let work = || -> Result<Counted, InputError> {
        let mut counter = Counter { skip_empty, ..Counter::default() };
        let mut block = Vec::new();
        loop {
            let used = {
                let mut source = source.lock().unwrap_or_else(|e| e.into_inner());
                let used = source.fill(&mut block)?;
                progress.store(source.offset, Ordering::Relaxed);
                used
            };
            if used == 0 {
                return Ok(counter.counted);
            }
            counter.count(&block[..used], delimiter);
        }
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads.get()).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let others = handles.into_iter().map(|h| h.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        std::iter::once(mine).chain(others.collect::<Vec<_>>()).collect()
    });
    let mut all = Counted::default();
    for counted in results {
        let counted = counted?;
        all.tally.merge(&counted.tally);
        all.tags.merge(counted.tags);
        all.empty_lines += counted.empty_lines;
    }
    Ok(all)
}

#[derive(Default)]
struct Counter {
    counted: Counted,
    skip_empty: bool,
    starts: Vec<u32>,
    ends: Vec<u32>,
    slots: Vec<u16>,
}

impl Counter {
    fn count(&mut self, block: &[u8], delimiter: u8) {
        let mut start = 0;
        // Offsets have 32 bits; a block is at most the longest key and one block.
        let ends =
            memchr_iter(delimiter, block).chain((block.last() != Some(&delimiter)).then_some(block.len()));
        for end in ends {
            if end > start || !self.skip_empty {
                self.starts.push(start as u32);
                self.ends.push(end as u32);
                if self.starts.len() == BATCH {
                    self.flush(block);
                }
            } else {
                self.counted.empty_lines += 1;
            }
            start = end + 1;
        }
        self.flush(block);
    }

    fn flush(&mut self, block: &[u8]) {
        let (Some(&first), Some(&last)) = (self.starts.first(), self.ends.last()) else { return };
        let Ok(keys) = Keys::between(block, &self.starts, &self.ends) else { return };
        self.slots.resize(self.starts.len(), 0);
        key_slots(&keys, &mut self.slots);
        for ((&slot, &start), &end) in self.slots.iter().zip(&self.starts).zip(&self.ends) {
            self.counted.tally.add(slot, Load { keys: 1, bytes: u64::from(end - start) });
        }
        self.count_tags(block, first as usize, last as usize);
        self.starts.clear();
        self.ends.clear();
    }

    /// Goes from brace to brace, not from key to key: most keys have none.
    fn count_tags(&mut self, block: &[u8], first: usize, last: usize) {
        let mut key = 0;
        let mut at = first;
        while let Some(found) = memchr(b'{', &block[at..last]) {
            let open = at + found;
            while self.ends[key] as usize <= open {
                key += 1;
            }
            let (start, end) = (self.starts[key] as usize, self.ends[key] as usize);
            if let Some(len) = memchr(b'}', &block[open + 1..end])
                && len > 0
            {
                let tag = &block[open + 1..open + 1 + len];
                self.counted.tags.add(tag, Load { keys: 1, bytes: (end - start) as u64 });
            }
            at = end;
        }
    }
}

impl Counted {
    fn add(&mut self, key: &[u8], load: Load) {
        self.tally.add(key_slot(key), load);
        if let crate::slot::TagRule::Tag { start, end } = crate::slot::TagRule::of(key) {
            self.tags.add(&key[start..end], load);
        }
    }
}

/// Counts the keys of RESP replies, one after the other: of KEYS, of SCAN (whose cursor is not a key),
/// or bare bulk strings.
pub fn count_resp(input: impl Read, progress: &Progress) -> Result<Counted, InputError> {
    let mut reader = Resp { input: BufReader::with_capacity(1 << 18, input), at: 0 };
    let mut counted = Counted::default();
    let (mut key, mut held) = (Vec::new(), None::<Vec<u8>>);
    // How many elements are still to come of the array that may be a reply of SCAN.
    let mut scan_left = 0;
    while let Some((kind, number)) = reader.header()? {
        progress.store(reader.at, Ordering::Relaxed);
        match kind {
            b'*' | b'~' | b'>' => {
                // The first of two elements of which the second is an array is a cursor.
                held = None;
                scan_left = if number == 2 { 2 } else { 0 };
            }
            b'$' if number < 0 => {}
            b'$' => {
                reader.bulk(number, &mut key)?;
                scan_left = i64::max(scan_left - 1, 0);
                if scan_left == 1 {
                    held = Some(std::mem::take(&mut key));
                    continue;
                }
                if let Some(first) = held.take() {
                    counted.add(&first, Load { keys: 1, bytes: first.len() as u64 });
                }
                counted.add(&key, Load { keys: 1, bytes: key.len() as u64 });
            }
            _ => {}
        }
    }
    Ok(counted)
}

struct Resp<R> {
    input: BufReader<R>,
    at: u64,
}

impl<R: Read> Resp<R> {
    /// The next line: its type and, for arrays and bulk strings, its number.
    fn header(&mut self) -> Result<Option<(u8, i64)>, InputError> {
        let at = self.at;
        let wrong = |what: String| InputError::Syntax { at, what };
        let mut line = Vec::new();
        // An error text is the longest line there is; nothing honest needs more.
        self.at += (&mut self.input).take(64 << 10).read_until(b'\n', &mut line)? as u64;
        if line.is_empty() {
            return Ok(None);
        }
        let Some(text) = line.strip_suffix(b"\r\n") else {
            return Err(wrong("a line of RESP ends with CR LF; this is something else, or cut off".into()));
        };
        match text {
            [kind @ (b'*' | b'$' | b'~' | b'>'), number @ ..] => {
                let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
                let Some(number) = number else {
                    return Err(wrong(format!(
                        "'{}' needs a number behind the first character",
                        text.escape_ascii()
                    )));
                };
                Ok(Some((*kind, number)))
            }
            [b'-', error @ ..] => {
                Err(wrong(format!("the server's reply is an error: {}", error.escape_ascii())))
            }
            [kind @ (b'+' | b':' | b'_' | b',' | b'#'), ..] => Ok(Some((*kind, 0))),
            _ => Err(wrong(format!(
                "'{}' is not RESP, where each line begins with one of * $ + : -",
                text[..text.len().min(40)].escape_ascii()
            ))),
        }
    }

    fn bulk(&mut self, len: i64, key: &mut Vec<u8>) -> Result<(), InputError> {
        let at = self.at;
        let len = usize::try_from(len).ok().filter(|&len| len <= MAX_KEY_BYTES).ok_or_else(|| {
            InputError::Syntax { at, what: format!("a key of {len} bytes, but Redis allows {MAX_KEY_BYTES}") }
        })?;
        key.clear();
        // Not allocated in advance: a few wrong digits must not cost half a gigabyte.
        let got = (&mut self.input).take(len as u64).read_to_end(key)?;
        let mut end = [0; 2];
        let ended = got == len && self.input.read_exact(&mut end).is_ok() && end == *b"\r\n";
        self.at += got as u64 + 2;
        if !ended {
            return Err(InputError::Syntax {
                at,
                what: format!(
                    "the string of {len} bytes that begins here is cut off, or not followed by CR LF"
                ),
            });
        }
        Ok(())
    }
}

/// Counts `key,count,bytes` records. A first line that names the columns (`key`, `count`, `bytes`, in any
/// order) is followed; without it they are key, count and bytes. Without a count a key counts as one,
/// without bytes its own length is taken; both count for each of `count` keys.
pub fn count_csv(input: impl Read, progress: &Progress) -> Result<Counted, InputError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut columns = [Some(0), Some(1), Some(2)];
    let mut counted = Counted::default();
    let mut record = csv::ByteRecord::new();
    let mut first = true;
    loop {
        let more = reader.read_byte_record(&mut record).map_err(|e| InputError::Line {
            line: e.position().map_or(0, csv::Position::line),
            what: e.to_string(),
        })?;
        if !more {
            return Ok(counted);
        }
        let line = record.position().map_or(0, csv::Position::line);
        progress.store(reader.position().byte(), Ordering::Relaxed);
        if std::mem::take(&mut first)
            && let Some(named) = csv_columns(&record)
        {
            columns = named;
            continue;
        }
        let field = |column: Option<usize>| column.and_then(|c| record.get(c)).filter(|f| !f.is_empty());
        let number = |column: Option<usize>, default: u64| match field(column) {
            None => Ok(default),
            Some(text) => {
                let parsed = std::str::from_utf8(text).ok().and_then(|t| t.trim().parse().ok());
                parsed.ok_or_else(|| InputError::Line {
                    line,
                    what: format!("'{}' should be a whole number of keys or bytes", text.escape_ascii()),
                })
            }
        };
        let Some(key) = columns[0].and_then(|c| record.get(c)) else { continue };
        let keys = number(columns[1], 1)?;
        let bytes = number(columns[2], (key.len() as u64).saturating_mul(keys))?;
        counted.add(key, Load { keys, bytes });
    }
}

fn csv_columns(header: &csv::ByteRecord) -> Option<[Option<usize>; 3]> {
    let column =
        |names: &[&[u8]]| header.iter().position(|f| names.contains(&f.to_ascii_lowercase().trim_ascii()));
    let key = column(&[b"key", b"name"])?;
    Some([Some(key), column(&[b"count", b"keys"]), column(&[b"bytes", b"size", b"memory"])])
}

/// The groups of keys that go into one command each: a line per group, keys apart by blanks.
pub fn groups(input: impl Read) -> impl Iterator<Item = io::Result<Vec<Vec<u8>>>> {
    BufReader::new(input).split(b'\n').map(|line| {
        let line = line?;
        Ok(line.split(u8::is_ascii_whitespace).filter(|k| !k.is_empty()).map(<[u8]>::to_vec).collect())
    })
}
