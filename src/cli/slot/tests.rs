//! Lists of keys of all kinds, good and bad.

use super::input::*;
use super::*;

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn lines(bytes: &[u8]) -> Counted {
    count_delimited(bytes, b'\n', true, TWO, &AtomicU64::new(0)).unwrap()
}

#[test]
fn lines_and_null_records() {
    let c = lines(b"foo\n{user1000}.a\n\n{user1000}.b\nlast");
    assert_eq!((c.tally.total().keys, c.empty_lines), (4, 1));
    assert_eq!(c.tally.slot(3443).keys, 2);
    assert_eq!(c.tags.top(5), [(&b"user1000"[..], crate::slot::Load { keys: 2, bytes: 24 })]);
    let c = count_delimited(&b"a\nb\0\0\xFF\xFE\0"[..], 0, false, TWO, &AtomicU64::new(0)).unwrap();
    assert_eq!(c.tally.total().keys, 3);
    assert_eq!(c.tally.slot(0).keys, 1, "the empty key");
    assert_eq!(c.tally.slot(3374).keys, 1);
    assert_eq!(lines(b"").tally.total().keys, 0);
    assert_eq!(lines(b"\n\n").empty_lines, 2);
}

/// A reader that gives a few bytes at a time.
struct Drip<'a>(&'a [u8], usize);
impl Read for Drip<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.len().min(self.1).min(buf.len());
        buf[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

#[test]
fn keys_across_blocks_are_counted_once() {
    let mut text = Vec::new();
    let mut want = crate::slot::Tally::default();
    for i in 0..100_000u32 {
        let key = match i % 4 {
            0 => format!("{{t{}}}:{i}", i % 100),
            1 => format!("key:{i}"),
            2 => "x".repeat(i as usize % 97),
            _ => format!("{i}{{"),
        };
        if !key.is_empty() {
            want.add(key_slot(key.as_bytes()), crate::slot::Load { keys: 1, bytes: key.len() as u64 });
        }
        text.extend_from_slice(key.as_bytes());
        text.push(b'\n');
        if i == 50_000 {
            let long = vec![b'y'; 1_500_000];
            want.add(key_slot(&long), crate::slot::Load { keys: 1, bytes: long.len() as u64 });
            text.extend_from_slice(&long);
            text.push(b'\n');
        }
    }
    for threads in [1, 2, 5] {
        let threads = NonZeroUsize::new(threads).unwrap();
        let c = count_delimited(Drip(&text, 70_001), b'\n', true, threads, &AtomicU64::new(0)).unwrap();
        assert!(c.tally == want);
        assert_eq!(c.tags.total().keys, 25_000);
        assert_eq!(c.tags.top(1)[0].1.keys, 1000);
    }
}

#[test]
fn resp_replies() {
    let count = |text: &[u8]| count_resp(text, &AtomicU64::new(0));
    let c = count(b"*2\r\n$1\r\n7\r\n*2\r\n$3\r\nfoo\r\n$4\r\nb\r\n\0\r\n").unwrap();
    assert_eq!(c.tally.total().keys, 2, "the cursor is no key");
    let c = count(b"*2\r\n$3\r\nfoo\r\n$3\r\nbar\r\n*1\r\n$0\r\n\r\n").unwrap();
    assert_eq!(c.tally.total().keys, 3);
    assert_eq!(count(b"").unwrap().tally.total().keys, 0);
    for bad in
        [&b"hello\r\n"[..], b"$5\r\nab", b"$x\r\n", b"$99999999999\r\n", b"-ERR no\r\n", b"$3\r\nfoobar\r\n"]
    {
        assert!(count(bad).is_err(), "{}", bad.escape_ascii());
    }
}

#[test]
fn csv_with_counts_and_bytes() {
    let count = |text: &str| count_csv(text.as_bytes(), &AtomicU64::new(0));
    let c = count("bytes,key\n100,foo\n50,\"a,b\"\n").unwrap();
    assert_eq!(c.tally.total(), crate::slot::Load { keys: 2, bytes: 150 });
    let c = count("foo,10\n{x}y,5,7\nz\n").unwrap();
    assert_eq!(c.tally.total(), crate::slot::Load { keys: 16, bytes: 38 });
    let error = count("foo,10\nbar,many\n").err().unwrap().to_string();
    assert!(error.starts_with("line 2: 'many'"), "{error}");
}

#[test]
fn a_report_of_each_size() {
    let options = || Options { measure: Measure::Keys, permille: 20, top: 3, address: "a:1".into() };
    let layout = Layout::even(3);
    let empty = report(&lines(b""), &layout, &options()).text();
    assert!(empty.starts_with("0 keys"));
    let mut text = String::new();
    (0..30_000).for_each(|i| text.push_str(&format!("key:{i}\n")));
    (0..20_000).for_each(|i| text.push_str(&format!("{{hot}}:{i}\n")));
    let r = report(&lines(text.as_bytes()), &layout, &options());
    assert_eq!(r.tags.top[0].tag, "hot");
    assert!(r.slots.p_value.unwrap() < 1e-9);
    assert!(!r.balance.plan.reached && r.text().contains("single slots hold too much"));
    assert!(heat::svg(&lines(text.as_bytes()).tally, Measure::Keys).unwrap().contains("<svg"));
}
