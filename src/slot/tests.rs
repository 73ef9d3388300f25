//! Every kernel against the definition.

use super::*;
fn definition(key: &[u8]) -> u16 {
    crc16_bitwise(hash_tag(key)) & (SLOTS - 1)
}

/// Keys of all kinds, from a small generator: any bytes, text, braces here and there.
fn some_keys(seed: u64, count: usize, max_len: usize) -> Vec<Vec<u8>> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count)
        .map(|_| {
            let len = next() as usize % (max_len + 1);
            let kind = next() % 4;
            (0..len)
                .map(|_| match (kind, next()) {
                    (0, r) => (r >> 16) as u8,
                    (1, r) => b"abcdefghij:0123456789{}-"[(r >> 16) as usize % 24],
                    (2, r) => b'a' + (r >> 16) as u8 % 26,
                    (_, r) => b"{}x"[(r >> 16) as usize % 3],
                })
                .collect()
        })
        .collect()
}

fn pack(keys: &[Vec<u8>]) -> (Vec<u8>, Vec<u32>) {
    let mut bytes = Vec::new();
    let mut offsets = vec![0];
    for key in keys {
        bytes.extend_from_slice(key);
        offsets.push(bytes.len() as u32);
    }
    // No room behind the last key in which a sanitizer would let a read pass.
    bytes.shrink_to_fit();
    (bytes, offsets)
}

#[test]
fn all_keys_of_one_and_two_bytes() {
    let mut keys: Vec<Vec<u8>> = (0..=255).map(|b| vec![b]).collect();
    keys.extend((0..=u16::MAX).map(|w| w.to_be_bytes().to_vec()));
    keys.push(Vec::new());
    same_as_the_definition(&keys);
}

/// Single keys and the batch, by each kernel and by the functions that choose one.
fn same_as_the_definition(keys: &[Vec<u8>]) {
    let want: Vec<u16> = keys.iter().map(|k| definition(k)).collect();
    let (bytes, offsets) = pack(keys);
    let packed = Keys::packed(&bytes, &offsets).unwrap();
    for kernel in kernels() {
        for (key, &want) in keys.iter().zip(&want) {
            assert_eq!(kernel.slot(key), want, "{}: {}", kernel.name, key.escape_ascii());
        }
        let mut got = vec![0xFFFF; keys.len()];
        assert_eq!(kernel.slots(&packed, &mut got), keys.len());
        assert_eq!(got, want, "{}", kernel.name);
    }
    for (key, &want) in keys.iter().zip(&want) {
        assert_eq!(key_slot(key), want);
    }
    let mut got = vec![0xFFFF; keys.len()];
    key_slots(&packed, &mut got);
    assert_eq!(got, want);
}

#[test]
fn all_lengths() {
    let bytes: Vec<u8> = (0..2200u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
    for len in 0..=2100 {
        for at in [0, 1, len % 67] {
            let key = &bytes[at..at + len];
            let want = definition(key);
            for kernel in kernels() {
                assert_eq!(kernel.slot(key), want, "{} {len} {at}", kernel.name);
            }
        }
    }
}

#[test]
fn mixed_keys() {
    for (seed, max_len) in [(1, 12), (2, 16), (3, 20), (4, 48), (5, 64), (6, 70), (7, 300), (8, 3000)] {
        same_as_the_definition(&some_keys(seed, 2000, max_len));
    }
}

/// Keys and slots that CLUSTER KEYSLOT of a Redis 7.0.15 has given.
const KNOWN: [(&[u8], u16); 36] = [
    (b"", 0),
    (b"a", 15495),
    (b"foo", 12182),
    (b"bar", 5061),
    (b"hello", 866),
    (b"123456789", 12739),
    (b"somekey", 11058),
    (b"foo{hash_tag}", 2515),
    (b"hash_tag", 2515),
    (b"{user1000}.following", 3443),
    (b"{user1000}.followers", 3443),
    (b"user1000", 3443),
    (b"foo{}{bar}", 8363),
    (b"foo{{bar}}zap", 4015),
    (b"foo{bar}{zap}", 5061),
    (b"{}", 15257),
    (b"{}a", 10875),
    (b"{", 4092),
    (b"}", 12090),
    (b"}{", 12793),
    (b"a}b{c}d", 7365),
    (b"c", 7365),
    (b"{a", 10276),
    (b"a{b", 13340),
    (b"{a}", 15495),
    (b"{ }", 9314),
    (b"{}{a}", 13650),
    (b"{{}}", 4092),
    (b"{\0}x", 0),
    (b"\xFF\xFE", 3374),
    ("é".as_bytes(), 10180),
    (b"key:{tag}:1", 8338),
    (b"Foo", 10576),
    (b"k{\r\n}", 5910),
    (b"3560", 0),
    (b"18403", 5461),
];

#[test]
fn slots_that_a_real_server_has_given() {
    for (key, slot) in KNOWN {
        for kernel in kernels() {
            assert_eq!(kernel.slot(key), slot, "{}: {}", kernel.name, key.escape_ascii());
        }
        assert_eq!(key_slot(key), slot);
    }
    assert_eq!(key_slot(&[b'x'; 1000]), 3195);
    same_as_the_definition(&KNOWN.map(|(key, _)| key.to_vec()));
}

/// Four independent ways to the same number.
#[test]
fn the_crates_agree_with_the_definition() {
    let crc = crc::Crc::<u16>::new(&crc::CRC_16_XMODEM);
    for key in some_keys(99, 3000, 400) {
        let want = crc16_bitwise(&key);
        assert_eq!(crc16::State::<crc16::XMODEM>::calculate(&key), want);
        assert_eq!(crc.checksum(&key), want);
        assert_eq!(super::crc16(&key), want);
        assert_eq!(kevy_hash::crc16(&key), want);
        let tag = hash_tag(&key);
        assert_eq!(crc16::State::<crc16::XMODEM>::calculate(tag) & (SLOTS - 1), key_slot(&key));
    }
}

/// Every length up to where all kernels are in their loops, every place of a pair of braces in a key of
/// one register, and offsets that begin anywhere in memory.
#[test]
fn braces_at_every_place_of_a_register() {
    let mut keys = Vec::new();
    for len in [1, 2, 8, 15, 16, 17, 31, 47, 48, 49, 63, 64, 65, 66, 100] {
        for open in 0..len {
            for close in 0..len {
                let mut key = vec![b'k'; len];
                key[len / 2] = b'z';
                key[close] = b'}';
                key[open] = b'{';
                keys.push(key);
            }
        }
    }
    same_as_the_definition(&keys);
}

#[test]
fn keys_with_gaps_between_them_and_in_any_order() {
    let keys = some_keys(5, 3000, 40);
    let mut bytes = Vec::new();
    let mut spans: Vec<(u32, u32)> = keys
        .iter()
        .enumerate()
        .map(|(i, key)| {
            bytes.extend(std::iter::repeat_n(b'{', i % 5));
            let start = bytes.len() as u32;
            bytes.extend_from_slice(key);
            (start, bytes.len() as u32)
        })
        .collect();
    for turned in [false, true] {
        if turned {
            spans.reverse();
        }
        let (starts, ends): (Vec<u32>, Vec<u32>) = spans.iter().copied().unzip();
        let all = Keys::between(&bytes, &starts, &ends).unwrap();
        let want: Vec<u16> = all.iter().map(definition).collect();
        for kernel in kernels() {
            // One place too few is filled as far as it goes.
            let mut got = vec![0; keys.len() - 1];
            assert_eq!(kernel.slots(&all, &mut got), keys.len() - 1);
            assert_eq!(got, want[..keys.len() - 1], "{}", kernel.name);
        }
    }
}

#[test]
fn wrong_offsets_are_refused() {
    let bytes = [b'x'; 10];
    assert_eq!(Keys::packed(&bytes, &[]).err(), Some(BadOffsets::NoOffsets));
    let range = |index, start, end| Some(BadOffsets::Range { index, start, end, len: 10 });
    assert_eq!(Keys::packed(&bytes, &[0, 5, 4]).err(), range(1, 5, 4));
    assert_eq!(Keys::packed(&bytes, &[0, 11]).err(), range(0, 0, 11));
    assert_eq!(Keys::between(&bytes, &[0], &[]).err(), Some(BadOffsets::Uneven { starts: 1, ends: 0 }));
    assert!(Keys::packed(&bytes, &[10]).is_ok_and(|k| k.is_empty()));
    assert!(Keys::packed(&bytes, &[10, 10]).is_ok_and(|k| k.get(0) == Some(b"") && k.get(1).is_none()));
}

mod any {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes(key in proptest::collection::vec(any::<u8>(), 0..4000), at in 0usize..64) {
            let at = at.min(key.len());
            for kernel in kernels() {
                prop_assert_eq!(kernel.slot(&key[at..]), definition(&key[at..]));
            }
        }

        #[test]
        fn any_braces(keys in proptest::collection::vec("[{}ab]{0,30}|[a-z{}]{40,200}|[a-z:]{0,14}", 0..70)) {
            same_as_the_definition(&keys.into_iter().map(String::into_bytes).collect::<Vec<_>>());
        }
    }
}

/// CLUSTER KEYSLOT of a server that the test starts on a free port of the loopback interface.
#[test]
fn a_real_server_agrees() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = if port > 55_000 { port - 20_000 } else { port }; // the bus is 10,000 ports above
    let started = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--cluster-enabled", "yes"])
        .args(["--save", "", "--appendonly", "no", "--logfile", "server.log"])
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .spawn();
    let Ok(mut server) = started else {
        eprintln!("skipped: no redis-server here to ask for CLUSTER KEYSLOT");
        return;
    };
    let mut connection = None;
    for _ in 0..200 {
        connection = std::net::TcpStream::connect(("127.0.0.1", port)).ok();
        if connection.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    let asked = connection.map(|stream| -> std::io::Result<()> {
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
        let mut keys: Vec<Vec<u8>> = KNOWN.iter().map(|(k, _)| k.to_vec()).collect();
        keys.extend((0..=255).map(|b| vec![b]));
        for (seed, max_len) in [(11, 20), (12, 70), (13, 1200)] {
            keys.extend(some_keys(seed, 1000, max_len));
        }
        let mut replies = BufReader::new(stream.try_clone()?);
        for some in keys.chunks(100) {
            let mut request = Vec::new();
            for key in some {
                write!(request, "*3\r\n$7\r\nCLUSTER\r\n$7\r\nKEYSLOT\r\n${}\r\n", key.len())?;
                request.extend_from_slice(key);
                request.extend_from_slice(b"\r\n");
            }
            (&stream).write_all(&request)?;
            for key in some {
                let mut line = String::new();
                replies.read_line(&mut line)?;
                assert_eq!(line, format!(":{}\r\n", key_slot(key)), "{}", key.escape_ascii());
            }
        }
        Ok(())
    });
    let _ = server.kill();
    let _ = server.wait();
    match asked {
        Some(result) => result.unwrap(),
        None => eprintln!("skipped: redis-server does not answer on port {port}"),
    }
}
