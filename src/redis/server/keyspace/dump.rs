//! The serialized form of a value that DUMP gives and RESTORE takes: that of a dump file, with a
//! version and a checksum at its end. MIGRATE sends it, so its length is what a migration costs.
//!
//! redis: createDumpPayload, rdbSaveObject, rdbLoadObject @7.0.15
//! deviates: a list is cut into nodes anew from its head.

use std::sync::Arc;

use super::lzf;
use super::object::{HASH_LISTPACK_ENTRIES, Hash, INTSET_ENTRIES, List, Set, ZSet, integer};
use super::score::Score;
use super::{Bytes, Object};

/// redis: rdb.h RDB_VERSION @7.0.15
const VERSION: u16 = 10;
/// redis: rdb.h RDB_TYPE_* @7.0.15
mod kind {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const SET_INTSET: u8 = 11;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
}
/// How a node of a list holds its elements. redis: quicklist.h QUICKLIST_NODE_CONTAINER_* @7.0.15
const PLAIN: u64 = 1;
const PACKED: u64 = 2;
/// list-max-listpack-size -2: at most 8 KiB in a node.
const NODE_BYTES: usize = 8192;
/// No value of the model is longer: a length beyond it is broken input.
const LONGEST: u64 = 512 << 20;

const CRC: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_REDIS);

/// What DUMP answers for the value.
pub fn dump(object: &Object) -> Vec<u8> {
    let mut out = Vec::new();
    match object {
        Object::String(s) => {
            out.push(kind::STRING);
            put_string(&mut out, s);
        }
        Object::List(l) => put_list(&mut out, l),
        Object::Set(s) => put_set(&mut out, s),
        Object::ZSet(z) => put_zset(&mut out, z),
        Object::Hash(h) => put_hash(&mut out, h),
    }
    seal(out)
}

/// Adds the version and the checksum to a body.
pub fn seal(mut out: Vec<u8>) -> Vec<u8> {
    out.extend_from_slice(&VERSION.to_le_bytes());
    let sum = CRC.checksum(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// 40 hex digits that two values share only if they are equal; zeros stand for no value.
///
/// redis: debug.c xorObjectDigest @7.0.15
/// deviates: another sum than Redis's, which mixes SHA-1 of the parts.
pub fn digest(object: Option<&Object>) -> String {
    let Some(object) = object else { return "0".repeat(40) };
    let mut bytes = dump(object);
    let first = CRC.checksum(&bytes);
    bytes.extend_from_slice(b"twice");
    format!("{first:016x}{:016x}{:08x}", CRC.checksum(&bytes), bytes.len())
}

/// The body of a payload whose version and checksum are right. redis: verifyDumpPayload @7.0.15
pub fn verify(payload: &[u8]) -> Option<&[u8]> {
    let (signed, sum) = payload.split_at_checked(payload.len().checked_sub(8)?)?;
    let (body, version) = signed.split_at_checked(signed.len().checked_sub(2)?)?;
    let version = u16::from_le_bytes(version.try_into().ok()?);
    let sum = u64::from_le_bytes(sum.try_into().ok()?);
    // A sum of zero says that none was made.
    (version <= VERSION && (sum == 0 || sum == CRC.checksum(signed))).then_some(body)
}

/// The value of a verified body; `None` if it is broken.
pub fn restore(body: &[u8]) -> Option<Object> {
    let (&kind, rest) = body.split_first()?;
    let mut input = Input(rest);
    let object = match kind {
        kind::STRING => Object::String(Bytes::from(input.string()?)),
        kind::LIST => {
            let mut list = List::default();
            for _ in 0..input.len()? {
                list.push(Bytes::from(input.string()?), false);
            }
            Object::List(Arc::new(list))
        }
        kind::LIST_QUICKLIST_2 => Object::List(Arc::new(input.quicklist()?)),
        kind::SET => {
            let mut set = Set::default();
            for _ in 0..input.len()? {
                set.add(&input.string()?);
            }
            Object::Set(Arc::new(set))
        }
        kind::SET_INTSET => {
            let mut set = Set::default();
            for n in intset(&input.string()?)? {
                set.add(n.to_string().as_bytes());
            }
            Object::Set(Arc::new(set))
        }
        kind::HASH | kind::HASH_LISTPACK => {
            let words = match kind {
                kind::HASH => input.strings(2)?,
                _ => listpack(&input.string()?)?,
            };
            let mut hash = Hash::default();
            if words.len() / 2 > HASH_LISTPACK_ENTRIES {
                hash.admit(std::iter::once(&[0; 65][..]));
            }
            for pair in words.chunks_exact(2) {
                hash.set(pair[0].clone(), pair[1].clone());
            }
            Object::Hash(Arc::new(hash))
        }
        kind::ZSET_2 => {
            let mut set = ZSet::default();
            for _ in 0..input.len()? {
                let member = input.string()?;
                let bits = u64::from_le_bytes(input.take(8)?.try_into().ok()?);
                set.set(&member, Score::from_bits(bits)?);
            }
            Object::ZSet(Arc::new(set))
        }
        kind::ZSET_LISTPACK => {
            let mut set = ZSet::default();
            for pair in listpack(&input.string()?)?.chunks_exact(2) {
                set.set(&pair[0], Score::parse(&pair[1])?);
            }
            Object::ZSet(Arc::new(set))
        }
        _ => return None,
    };
    (!object.is_empty()).then_some(object)
}

// ---- writing ------------------------------------------------------------------------------------

/// redis: rdbSaveLen @7.0.15
fn put_len(out: &mut Vec<u8>, len: u64) {
    match len {
        0..64 => out.push(len as u8),
        64..16_384 => out.extend_from_slice(&[(len >> 8) as u8 | 0x40, len as u8]),
        _ => {
            out.push(0x80);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

/// redis: rdbSaveRawString, rdbEncodeInteger @7.0.15
fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    let number = if text.len() <= 11 { integer(text) } else { None };
    match number {
        Some(n) if i8::try_from(n).is_ok() => out.extend_from_slice(&[0xc0, n as u8]),
        Some(n) if i16::try_from(n).is_ok() => {
            out.push(0xc1);
            out.extend_from_slice(&(n as i16).to_le_bytes());
        }
        Some(n) if i32::try_from(n).is_ok() => {
            out.push(0xc2);
            out.extend_from_slice(&(n as i32).to_le_bytes());
        }
        _ => {
            let packed = if text.len() > 20 { lzf::pack(text) } else { None };
            if let Some(packed) = &packed {
                out.push(0xc3);
                put_len(out, packed.len() as u64);
            }
            put_len(out, text.len() as u64);
            out.extend_from_slice(packed.as_deref().unwrap_or(text));
        }
    }
}

fn put_list(out: &mut Vec<u8>, list: &List) {
    let mut nodes: Vec<Vec<&[u8]>> = Vec::new();
    let mut room = 0;
    for item in list.iter() {
        let size = item.len() + 11;
        match nodes.last_mut() {
            Some(node) if size <= room => {
                node.push(item);
                room -= size;
            }
            _ => {
                nodes.push(vec![item]);
                room = NODE_BYTES.saturating_sub(size);
            }
        }
    }
    out.push(kind::LIST_QUICKLIST_2);
    put_len(out, nodes.len() as u64);
    for node in nodes {
        match node[..] {
            [single] if single.len() > NODE_BYTES => {
                put_len(out, PLAIN);
                put_string(out, single);
            }
            _ => {
                put_len(out, PACKED);
                put_string(out, &pack(node.into_iter()));
            }
        }
    }
}

fn put_set(out: &mut Vec<u8>, set: &Set) {
    let Some(numbers) = set.integers() else {
        out.push(kind::SET);
        put_len(out, set.len() as u64);
        set.iter().for_each(|m| put_string(out, &m));
        return;
    };
    debug_assert!(numbers.len() <= INTSET_ENTRIES);
    let fits = |bits: u32| numbers.iter().all(|&n| n >= -(1i64 << (bits - 1)) && n < 1i64 << (bits - 1));
    let width: u32 = if fits(16) {
        2
    } else if fits(32) {
        4
    } else {
        8
    };
    let mut blob = width.to_le_bytes().to_vec();
    blob.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    for n in numbers {
        blob.extend_from_slice(&n.to_le_bytes()[..width as usize]);
    }
    out.push(kind::SET_INTSET);
    put_string(out, &blob);
}

fn put_zset(out: &mut Vec<u8>, set: &ZSet) {
    if set.is_listpack() {
        let scores: Vec<String> = set.iter().map(|(score, _)| score.text()).collect();
        let words = set.iter().zip(&scores).flat_map(|((_, m), s)| [&**m, s.as_bytes()]);
        out.push(kind::ZSET_LISTPACK);
        put_string(out, &pack(words));
        return;
    }
    out.push(kind::ZSET_2);
    put_len(out, set.len() as u64);
    for (score, member) in set.iter().rev() {
        put_string(out, member);
        out.extend_from_slice(&score.bits().to_le_bytes());
    }
}

fn put_hash(out: &mut Vec<u8>, hash: &Hash) {
    if hash.is_listpack() {
        out.push(kind::HASH_LISTPACK);
        put_string(out, &pack(hash.iter().flat_map(|(k, v)| [&**k, &**v])));
        return;
    }
    out.push(kind::HASH);
    put_len(out, hash.len() as u64);
    for (field, value) in hash.iter() {
        put_string(out, field);
        put_string(out, value);
    }
}

/// A listpack of these words. redis: listpack.c lpAppend @7.0.15
fn pack<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = vec![0; 6];
    let mut count: u32 = 0;
    for word in words {
        let start = out.len();
        match integer(word) {
            Some(n @ 0..=127) => out.push(n as u8),
            Some(n @ -4096..=4095) => out.extend_from_slice(&[(n >> 8) as u8 & 0x1f | 0xc0, n as u8]),
            Some(n) => {
                let (code, width) = match n {
                    -0x8000..=0x7fff => (0xf1, 2),
                    -0x80_0000..=0x7f_ffff => (0xf2, 3),
                    -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
                    _ => (0xf4, 8),
                };
                out.push(code);
                out.extend_from_slice(&n.to_le_bytes()[..width]);
            }
            None => {
                match word.len() {
                    len @ 0..64 => out.push(0x80 | len as u8),
                    len @ 64..4096 => out.extend_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]),
                    len => {
                        out.push(0xf0);
                        out.extend_from_slice(&(len as u32).to_le_bytes());
                    }
                }
                out.extend_from_slice(word);
            }
        }
        let len = out.len() - start;
        put_back_len(&mut out, len);
        count += 1;
    }
    out.push(0xff);
    let total = out.len() as u32;
    out[..4].copy_from_slice(&total.to_le_bytes());
    out[4..6].copy_from_slice(&(count.min(0xffff) as u16).to_le_bytes());
    out
}

/// The length of an entry, as it is read from behind. redis: lpEncodeBacklen @7.0.15
fn put_back_len(out: &mut Vec<u8>, len: usize) {
    let groups = match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    for i in (0..groups).rev() {
        let more = if i == groups - 1 { 0 } else { 0x80 };
        out.push((len >> (7 * i)) as u8 & 0x7f | more);
    }
}

// ---- reading ------------------------------------------------------------------------------------

struct Input<'a>(&'a [u8]);

/// A length, or the number of a special encoding.
enum Len {
    Plain(u64),
    Encoded(u8),
}

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }
    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }
    /// redis: rdbLoadLenByRef @7.0.15
    fn any_len(&mut self) -> Option<Len> {
        let first = self.byte()?;
        Some(match first >> 6 {
            0 => Len::Plain(u64::from(first & 0x3f)),
            1 => Len::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            3 => Len::Encoded(first & 0x3f),
            _ if first == 0x80 => Len::Plain(u64::from(u32::from_be_bytes(self.take(4)?.try_into().ok()?))),
            _ if first == 0x81 => Len::Plain(u64::from_be_bytes(self.take(8)?.try_into().ok()?)),
            _ => return None,
        })
    }
    fn len(&mut self) -> Option<u64> {
        match self.any_len()? {
            Len::Plain(n) if n <= LONGEST => Some(n),
            _ => None,
        }
    }
    /// redis: rdbGenericLoadStringObject @7.0.15
    fn string(&mut self) -> Option<Vec<u8>> {
        let number = |n: i64| Some(n.to_string().into_bytes());
        match self.any_len()? {
            Len::Plain(n) => Some(self.take(usize::try_from(n).ok()?)?.to_vec()),
            Len::Encoded(0) => number(i64::from(self.byte()? as i8)),
            Len::Encoded(1) => number(i64::from(i16::from_le_bytes(self.take(2)?.try_into().ok()?))),
            Len::Encoded(2) => number(i64::from(i32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            Len::Encoded(3) => {
                let (packed, full) = (self.len()?, self.len()?);
                lzf::unpack(self.take(packed as usize)?, full as usize)
            }
            Len::Encoded(_) => None,
        }
    }
    /// A count and so many strings, times `each`.
    fn strings(&mut self, each: u64) -> Option<Vec<Bytes>> {
        let n = self.len()? * each;
        (0..n).map(|_| Some(Bytes::from(self.string()?))).collect()
    }
    fn quicklist(&mut self) -> Option<List> {
        let mut list = List::default();
        for _ in 0..self.len()? {
            match self.len()? {
                PLAIN => list.push(Bytes::from(self.string()?), false),
                PACKED => listpack(&self.string()?)?.into_iter().for_each(|item| list.push(item, false)),
                _ => return None,
            }
        }
        Some(list)
    }
}

fn intset(blob: &[u8]) -> Option<Vec<i64>> {
    let mut input = Input(blob);
    let width = u32::from_le_bytes(input.take(4)?.try_into().ok()?);
    let count = u32::from_le_bytes(input.take(4)?.try_into().ok()?);
    if !matches!(width, 2 | 4 | 8) {
        return None;
    }
    (0..count).map(|_| Some(little_endian(input.take(width as usize)?))).collect()
}

/// A signed number of up to 8 bytes.
fn little_endian(bytes: &[u8]) -> i64 {
    let mut full = [if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 }; 8];
    full[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(full)
}

/// The words of a listpack. redis: lpValidateIntegrity @7.0.15
fn listpack(blob: &[u8]) -> Option<Vec<Bytes>> {
    let mut input = Input(blob);
    if u32::from_le_bytes(input.take(4)?.try_into().ok()?) as usize != blob.len() {
        return None;
    }
    input.take(2)?;
    let mut words: Vec<Bytes> = Vec::new();
    loop {
        let before = input.0.len();
        let code = input.byte()?;
        let number = match code {
            0..0x80 => Some(i64::from(code)),
            0xc0..0xe0 => {
                let n = i64::from(code & 0x1f) << 8 | i64::from(input.byte()?);
                Some(if n > 4095 { n - 8192 } else { n })
            }
            0xf1..=0xf3 => Some(little_endian(input.take(usize::from(code - 0xf1) + 2)?)),
            0xf4 => Some(little_endian(input.take(8)?)),
            _ => None,
        };
        let word: Bytes = match (number, code) {
            (Some(n), _) => Bytes::from(n.to_string().as_bytes()),
            (None, 0xff) => return input.0.is_empty().then_some(words),
            (None, 0x80..0xc0) => Bytes::from(input.take(usize::from(code & 0x3f))?),
            (None, 0xe0..0xf0) => {
                let len = usize::from(code & 0xf) << 8 | usize::from(input.byte()?);
                Bytes::from(input.take(len)?)
            }
            (None, 0xf0) => {
                let len = u32::from_le_bytes(input.take(4)?.try_into().ok()?);
                Bytes::from(input.take(len as usize)?)
            }
            _ => return None,
        };
        words.push(word);
        let mut back = Vec::new();
        put_back_len(&mut back, before - input.0.len());
        input.take(back.len())?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use proptest::prelude::*;

    /// Payloads that DUMP of a redis-server 7.0.15 gave.
    #[test]
    fn payloads_are_those_of_a_server() {
        let bytes = |text: &str| -> Bytes { Bytes::from(text.as_bytes()) };
        assert_eq!(dump(&Object::String(bytes("hello"))), b"\x00\x05hello\n\x00cr\xdfve4 \n");
        assert_eq!(
            dump(&Object::String(bytes(&"abcde".repeat(10)))),
            b"\x00\xc3\r2\x05abcdea\xe0!\x04\x01de\n\x002\x0fe*\xcd[s\x0b"
        );
        assert_eq!(
            dump(&Object::String(bytes("the cat sat on the mat and the rat sat on the cat"))),
            b"\x00\xc3&1\x08the cat s \x03\x03on t \x0e\x00m \n\x02and`\x0b\x00r \x0b\xe0\x02\x1a )\n\x00\x85\xdf\xf3\xfa\x14\x95\x9c\xea"
        );
        let mut set = Set::default();
        ["1", "2", "3"].iter().for_each(|m| assert!(set.add(m.as_bytes())));
        assert_eq!(
            dump(&Object::Set(Arc::new(set))),
            b"\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00\x03\x00\n\x00\xa5\x02\\\xe2mnM\x1b"
        );
        let mut hash = Hash::default();
        hash.set(bytes("f"), bytes("v"));
        hash.set(bytes("n"), bytes("1000"));
        assert_eq!(
            dump(&Object::Hash(Arc::new(hash))),
            b"\x10\x13\x13\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\xc3\xe8\x02\xff\n\x00\xf8]}\xf55\xb6%\xf1"
        );
        let mut sorted = ZSet::default();
        sorted.set(b"a", Score::from_int(1));
        sorted.set(b"b", Score::parse(b"2.5").unwrap());
        assert_eq!(
            dump(&Object::ZSet(Arc::new(sorted))),
            b"\x11\x14\x14\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff\n\x00\xd4Ln\xa4\xf6D\xd9\xd7"
        );
        let mut list = List::default();
        ["a", "b", "c", "7", "70000"].iter().for_each(|item| list.push(bytes(item), false));
        assert_eq!(
            dump(&Object::List(Arc::new(list))),
            b"\x12\x01\x02\x17\x17\x00\x00\x00\x05\x00\x81a\x02\x81b\x02\x81c\x02\x07\x01\xf2p\x11\x01\x04\xff\n\x00@+^\x1c\xf3\xfc}\xd7"
        );
    }

    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => "[a-z]{0,12}".prop_map(String::into_bytes),
            4 => any::<i64>().prop_flat_map(|n| (0..64u32).prop_map(move |s| (n >> s).to_string().into_bytes())),
            1 => prop::collection::vec(any::<u8>(), 0..200),
            1 => (0..20_000usize).prop_map(|n| vec![b'x'; n]),
        ]
    }

    proptest! {
        #[test]
        fn what_is_dumped_can_be_restored(words in prop::collection::vec(word(), 1..40), which in 0..5u8) {
            let kinds = [Kind::String, Kind::List, Kind::Hash, Kind::Set, Kind::ZSet];
            let mut object = kinds[usize::from(which)].empty();
            for (i, w) in words.iter().enumerate() {
                let bytes: Bytes = Bytes::from(&w[..]);
                match &mut object {
                    Object::String(s) => *s = bytes,
                    Object::List(l) => Arc::make_mut(l).push(bytes, false),
                    Object::Hash(h) => {
                        Arc::make_mut(h).set(bytes.clone(), bytes);
                    }
                    Object::Set(s) => {
                        Arc::make_mut(s).add(&bytes);
                    }
                    Object::ZSet(z) => {
                        Arc::make_mut(z).set(&bytes, Score::from_int(i as i64));
                    }
                }
            }
            let payload = dump(&object);
            prop_assert_eq!(restore(verify(&payload).unwrap()), Some(object));
        }

        #[test]
        fn broken_payloads_are_refused_in_peace(body in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = restore(&body);
            prop_assert!(verify(&[body, vec![1; 10]].concat()).is_none());
        }
    }
}
