//! The contest of slot functions: inputs, measurement and table, for `slotscope slot --bench` and for
//! `benches/slot.rs`, which adds the other crates.

use std::fmt::Write as _;
use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::slot::{self, Keys, SLOTS};

/// Keys to hash, packed.
pub struct Workload {
    pub name: String,
    pub bytes: Vec<u8>,
    pub offsets: Vec<u32>,
}

impl Workload {
    pub fn new(name: &str, keys: impl IntoIterator<Item = Vec<u8>>) -> Workload {
        let mut w = Workload { name: name.to_owned(), bytes: Vec::new(), offsets: vec![0] };
        for key in keys {
            w.bytes.extend_from_slice(&key);
            w.offsets.push(u32::try_from(w.bytes.len()).expect("bench keys are small"));
        }
        w
    }

    fn part(&self, part: Range<usize>) -> Keys<'_> {
        Keys::packed(&self.bytes, &self.offsets[part.start..=part.end])
            .expect("the offsets were made from the keys")
    }

    /// The keys in parts that take little time each, so that what disturbs a run spoils few of them.
    fn parts(&self) -> Vec<Range<usize>> {
        const PART: usize = 8192;
        (0..self.len()).step_by(PART).map(|first| first..self.len().min(first + PART)).collect()
    }

    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn mean_len(&self) -> f64 {
        self.bytes.len() as f64 / self.len() as f64
    }
}

/// A small generator, so that every run hashes the same keys.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Keys of one length, letters and digits, as many as stay in the first cache.
pub fn of_length(len: usize) -> Workload {
    let mut draw = Draw(len as u64 + 1);
    let count = (24 * 1024 / len).clamp(16, 1000);
    let letters = b"abcdefghijklmnopqrstuvwxyz:0123456789";
    let keys = (0..count).map(|_| (0..len).map(|_| letters[draw.below(37) as usize]).collect());
    Workload::new(&format!("{len} B"), keys.collect::<Vec<_>>())
}

/// `{user1000}.following` and the like.
pub fn tagged() -> Workload {
    let mut draw = Draw(77);
    let tails = [".following", ".followers", ":cart", ".inbox"];
    let keys = (0..1000).map(|_| {
        format!("{{user{}}}{}", 1000 + draw.below(9000), tails[draw.below(4) as usize]).into_bytes()
    });
    Workload::new("tagged", keys.collect::<Vec<_>>())
}

/// Keys as applications name them: counters, sessions, UUIDs, tags, a few long ones; 26.7 bytes on average.
pub fn mixed(count: usize) -> Workload {
    let mut draw = Draw(4711);
    let mut key = || {
        let n = draw.next();
        match draw.below(100) {
            0..18 => format!("user:{}", n % 10_000_000),
            18..26 => format!("order:{:010}", n % 10_000_000_000),
            26..42 => format!("session:{:016x}{:016x}", n, draw.next()),
            42..54 => {
                format!("{{user{}}}.{}", n % 1_000_000, ["following", "followers", "inbox"][n as usize % 3])
            }
            54..64 => format!("cache:product:{}:v{}", n % 1_000_000, n % 9),
            64..72 => format!("rate:10.{}.{}.{}", n % 256, n / 256 % 256, n / 65536 % 256),
            72..84 => {
                let (n, low) = (n as u32, draw.next() & 0xFFFF_FFFF_FFFF);
                format!("{n:08x}-{:04x}-4{:03x}-a{:03x}-{low:012x}", low % 65536, n % 4096, n % 4095)
            }
            84..92 => format!("{{tenant:{}}}:cart:{:x}", n % 500, draw.next() as u32),
            92..95 => format!("queue:mail:{}", n % 1000),
            _ => format!(
                "page:/en/shop/{}/item-{}?sort=price&page={}&ref=newsletter-{}",
                n % 99,
                n,
                n % 50,
                n % 9999
            ),
        }
    };
    let name = if count >= 1_000_000 { "mixed 1M" } else { "mixed 1k" };
    Workload::new(name, (0..count).map(|_| key().into_bytes()).collect::<Vec<_>>())
}

/// The inputs of the table.
pub fn workloads() -> Vec<Workload> {
    let mut all: Vec<Workload> = [9, 10, 12, 16, 32, 64, 256, 1024].map(of_length).into();
    all.extend([tagged(), mixed(1000), mixed(1_000_000)]);
    all
}

type Run<'a> = Box<dyn FnMut(&Keys<'_>, &mut [u16]) + 'a>;

/// A slot function that takes part.
pub struct Contender<'a> {
    pub name: String,
    run: Run<'a>,
}

impl<'a> Contender<'a> {
    /// A function of one key, called in a loop.
    pub fn single(name: &str, f: impl Fn(&[u8]) -> u16 + 'a) -> Contender<'a> {
        let run = move |keys: &Keys<'_>, out: &mut [u16]| {
            for (slot, key) in out.iter_mut().zip(keys.iter()) {
                *slot = f(key);
            }
        };
        Contender { name: name.to_owned(), run: Box::new(run) }
    }

    /// A function of many keys.
    pub fn batch(name: &str, run: impl FnMut(&Keys<'_>, &mut [u16]) + 'a) -> Contender<'a> {
        Contender { name: name.to_owned(), run: Box::new(run) }
    }

    /// The slots of all keys of a workload.
    pub fn run(&mut self, workload: &Workload, out: &mut [u16]) {
        self.run_part(workload, 0..workload.len(), out);
    }

    fn run_part(&mut self, workload: &Workload, part: Range<usize>, out: &mut [u16]) {
        (self.run)(&black_box(workload.part(part)), out);
        black_box(out);
    }
}

/// The named baseline: the `crc16` crate and the tag rule, as in redis-rs.
pub fn baseline(key: &[u8]) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(plain_tag(key)) & (SLOTS - 1)
}

/// The tag rule as most clients write it.
pub fn plain_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&b| b == b'{') else { return key };
    match key[open + 1..].iter().position(|&b| b == b'}') {
        Some(len) if len > 0 => &key[open + 1..open + 1 + len],
        _ => key,
    }
}

/// The baseline and our own functions: each kernel that this machine can run, for one key and in batch.
pub fn ours() -> Vec<Contender<'static>> {
    let mut all = vec![Contender::single("crc16 0.4", baseline)];
    // Known to the compiler, which makes it part of the loop, as it does with the other crates' functions.
    all.push(Contender::single(slot::PORTABLE.name, |key| slot::PORTABLE.slot(key)));
    for kernel in slot::kernels().into_iter().skip(1) {
        all.push(Contender::single(kernel.name, move |key| kernel.slot(key)));
    }
    all.push(Contender::single("key_slot", slot::key_slot));
    for kernel in slot::kernels() {
        all.push(Contender::batch(&format!("{} batch", kernel.name), move |keys, out| {
            kernel.slots(keys, out);
        }));
    }
    all.push(Contender::batch("key_slots", |keys, out| {
        slot::key_slots(keys, out);
    }));
    all
}

/// One number of the table.
#[derive(serde::Serialize)]
pub struct Measured {
    pub workload: String,
    pub mean_len: f64,
    pub contender: String,
    /// Median over calm measurements, nanoseconds for one key.
    pub ns_per_key: f64,
    /// The baseline's time over this time.
    pub ratio: f64,
    /// How many measurements were calm; if none, the numbers are those of the least disturbed ones.
    pub calm: usize,
}

impl Measured {
    /// Key bytes per nanosecond, which is GB/s.
    pub fn gb_per_s(&self) -> f64 {
        self.mean_len / self.ns_per_key
    }
}

/// How long to measure on one workload.
#[derive(Clone, Copy)]
pub struct Effort {
    /// What one measurement takes, unless one pass over the keys of a part takes longer.
    pub slice: Duration,
    /// Calm measurements wanted of each contender on each part.
    pub rounds: usize,
    /// After this, a quarter of the measurements there are must do, the calmest.
    pub patience: Duration,
}

impl Effort {
    pub fn normal(workload: &Workload) -> Effort {
        let (rounds, seconds) = if workload.len() > 100_000 { (7, 10) } else { (21, 4) };
        Effort { slice: Duration::from_micros(100), rounds, patience: Duration::from_secs(seconds) }
    }
}

/// Nanoseconds for a fixed piece of work that keeps all of a core busy: longer if the core is shared,
/// with another thread of the same core or by being scheduled away.
fn canary() -> f64 {
    let start = Instant::now();
    let mut lanes = [1u64, 2, 3, 4, 5, 6, 7, 8];
    for i in 0..1500u64 {
        for (k, lane) in lanes.iter_mut().enumerate() {
            *lane = black_box(*lane ^ i).wrapping_add(k as u64);
        }
    }
    black_box(lanes);
    start.elapsed().as_nanos() as f64
}

/// The shortest of the [`canary`]'s times in a tenth of a second: as long as a processor may take to come
/// to full speed.
fn warm_up() -> f64 {
    let start = Instant::now();
    let mut calmest = f64::INFINITY;
    while start.elapsed() < Duration::from_millis(100) {
        calmest = f64::min(calmest, canary());
    }
    calmest
}

/// One contender on one part of the keys, in one round.
#[derive(Clone, Copy)]
struct Sample {
    noise: f64,
    ns: f64,
}

/// Measures all on one workload. The first contender is the baseline. The contenders take turns in
/// each round, and only measurements count in which the core was ours alone: what neighbours on the
/// machine do slows down a function that fills the core more than one that waits for memory.
pub fn measure(workload: &Workload, contenders: &mut [Contender<'_>], effort: Effort) -> Vec<Measured> {
    let mut out = vec![0; workload.len()];
    let parts = workload.parts();
    let calmest = warm_up();
    let repeats: Vec<u128> = contenders.iter_mut().map(|c| repeats(workload, c, &mut out, effort)).collect();
    let is_calm = |s: &&Sample| s.noise < calmest * 1.08;
    // By contender, part and round.
    let mut samples = vec![vec![Vec::<Sample>::new(); parts.len()]; contenders.len()];
    let enough = |of_part: &Vec<Sample>| of_part.iter().filter(is_calm).count() >= effort.rounds;
    let begin = Instant::now();
    let mut rounds = 0;
    while !samples.iter().flatten().all(enough) && (begin.elapsed() < effort.patience || rounds < 5) {
        rounds += 1;
        for ((c, &n), samples) in contenders.iter_mut().zip(&repeats).zip(&mut samples) {
            let mut before = canary();
            for (part, samples) in parts.iter().zip(samples) {
                let start = Instant::now();
                for _ in 0..n {
                    c.run_part(workload, part.clone(), &mut out[part.clone()]);
                }
                let ns = start.elapsed().as_nanos() as f64 / n as f64;
                let after = canary();
                samples.push(Sample { noise: f64::max(before, after), ns });
                before = after;
            }
        }
    }
    let typical: Vec<(f64, usize)> = samples
        .iter_mut()
        .map(|parts| {
            let calm = parts.iter().map(|of_part| of_part.iter().filter(is_calm).count()).min();
            let ns: f64 = parts.iter_mut().map(|of_part| typical(of_part, is_calm)).sum();
            (ns / workload.len() as f64, calm.unwrap_or(0))
        })
        .collect();
    let measured = contenders.iter().zip(&typical).map(|(c, &(ns_per_key, calm))| Measured {
        workload: workload.name.clone(),
        mean_len: workload.mean_len(),
        contender: c.name.clone(),
        ns_per_key,
        ratio: typical[0].0 / ns_per_key,
        calm,
    });
    measured.collect()
}

/// How often a contender must pass over the keys to take the time of one measurement.
fn repeats(workload: &Workload, c: &mut Contender<'_>, out: &mut [u16], effort: Effort) -> u128 {
    c.run(workload, out);
    let start = Instant::now();
    let mut n = 0u32;
    while n < 2 || start.elapsed() < effort.slice / 2 {
        c.run(workload, out);
        n += 1;
    }
    let once = start.elapsed() / n;
    (effort.slice.as_nanos() / once.as_nanos().max(1)).max(1)
}

/// The median time of the calm samples, or of the calmest quarter if there are fewer of them.
fn typical(samples: &mut [Sample], is_calm: impl Fn(&&Sample) -> bool) -> f64 {
    samples.sort_by(|a, b| a.noise.total_cmp(&b.noise));
    let calm = samples.iter().filter(is_calm).count();
    let enough = calm.max(samples.len() / 4).max(1);
    let kept = &mut samples[..enough];
    kept.sort_by(|a, b| a.ns.total_cmp(&b.ns));
    kept[kept.len() / 2].ns
}

/// The numbers as a table, one line per workload and contender.
pub fn table(rows: &[Measured]) -> String {
    let mut text = String::from("keys       mean B  function          ns/key     GB/s    ratio\n");
    let mut last = "";
    for r in rows {
        if r.workload != last && !last.is_empty() {
            text.push('\n');
        }
        last = &r.workload;
        let _ = writeln!(
            text,
            "{:<9} {:>7.1}  {:<16} {:>8.2} {:>8.2} {:>7.1}x",
            r.workload,
            r.mean_len,
            r.contender,
            r.ns_per_key,
            r.gb_per_s(),
            r.ratio
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So that figures from two versions of the program are about the same keys.
    #[test]
    fn the_mixed_keys_stay_what_they_are() {
        let w = mixed(100_000);
        assert!((26.6..26.8).contains(&w.mean_len()), "{}", w.mean_len());
        let tagged = w.part(0..w.len()).iter().filter(|k| k.starts_with(b"{")).count();
        assert!((19_000..21_000).contains(&tagged), "{tagged}");
    }

    #[test]
    fn all_contenders_are_measured_on_all_parts() {
        let w = mixed(20_000);
        let effort = Effort { slice: Duration::ZERO, rounds: 1, patience: Duration::ZERO };
        let rows = measure(&w, &mut ours(), effort);
        assert_eq!(rows.len(), ours().len());
        assert!(rows.iter().all(|r| r.ns_per_key > 0.0 && r.ratio > 0.0));
        assert_eq!(rows[0].ratio, 1.0);
        assert_eq!(table(&rows).lines().count(), 1 + rows.len());
    }
}
