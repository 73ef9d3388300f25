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
