//! The contest of slot functions: inputs, measurement and table, for `slotscope slot --bench` and for
//! `benches/slot.rs`, which adds the other crates.

use std::fmt::Write as _;
use std::hint::black_box;
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

    pub fn keys(&self) -> Keys<'_> {
        Keys::packed(&self.bytes, &self.offsets).expect("the offsets were made from the keys")
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

/// Keys as applications name them: short counters, sessions, UUIDs, tags, a few long ones.
pub fn mixed(count: usize) -> Workload {
    let mut draw = Draw(4711);
    let mut key = || {
        let n = draw.next();
        match draw.below(100) {
            0..24 => format!("user:{}", n % 10_000_000),
            24..34 => format!("order:{:010}", n % 10_000_000_000),
            34..46 => format!("session:{:016x}{:016x}", n, draw.next()),
            46..58 => {
                format!("{{user{}}}.{}", n % 1_000_000, ["following", "followers", "inbox"][n as usize % 3])
            }
            58..66 => format!("cache:product:{}:v{}", n % 1_000_000, n % 9),
            66..74 => format!("rate:10.{}.{}.{}", n % 256, n / 256 % 256, n / 65536 % 256),
            74..82 => {
                format!("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", n as u32, n % 65536, n % 4096, n % 4095, n)
            }
            82..90 => format!("{{tenant:{}}}:cart:{:x}", n % 500, draw.next() as u32),
            90..97 => format!("queue:mail:{}", n % 1000),
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
        (self.run)(&black_box(workload.keys()), out);
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
    /// Median over the calm rounds, nanoseconds for one key.
    pub ns_per_key: f64,
    /// The baseline's time over this time.
    pub ratio: f64,
    /// How many rounds were calm; if none, the numbers are those of the least disturbed ones.
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
    /// What one measurement takes, unless one pass over the keys takes longer.
    pub slice: Duration,
    /// Calm rounds wanted, in each of which every contender is measured once.
    pub rounds: usize,
    /// After this, a quarter of the rounds there are must do, the calmest.
    pub patience: Duration,
}

impl Effort {
    pub fn normal(workload: &Workload) -> Effort {
        let rounds = if workload.len() > 100_000 { 5 } else { 21 };
        Effort { slice: Duration::from_micros(100), rounds, patience: Duration::from_secs(4) }
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

/// Measures all on one workload. The first contender is the baseline. The contenders take turns in
/// each round, and only rounds count in which the core was ours alone: what neighbours on the machine
/// do slows down a function that fills the core more than one that waits for memory.
pub fn measure(workload: &Workload, contenders: &mut [Contender<'_>], effort: Effort) -> Vec<Measured> {
    let mut out = vec![0; workload.len()];
    let mut repeats = Vec::new();
    for c in contenders.iter_mut() {
        c.run(workload, &mut out);
        let start = Instant::now();
        let mut n = 0u32;
        while n < 2 || start.elapsed() < effort.slice / 2 {
            c.run(workload, &mut out);
            n += 1;
        }
        let once = start.elapsed() / n;
        repeats.push((effort.slice.as_nanos() / once.as_nanos().max(1)).max(1));
    }
    let calmest = (0..50).map(|_| canary()).fold(f64::INFINITY, f64::min);
    let mut rounds: Vec<(f64, Vec<f64>)> = Vec::new();
    let begin = Instant::now();
    let is_calm = |noise: f64| noise < calmest * 1.08;
    while rounds.iter().filter(|(noise, _)| is_calm(*noise)).count() < effort.rounds
        && (begin.elapsed() < effort.patience || rounds.len() < 5)
    {
        let mut noise = canary();
        let mut times = Vec::new();
        for (c, &n) in contenders.iter_mut().zip(&repeats) {
            let start = Instant::now();
            for _ in 0..n {
                c.run(workload, &mut out);
            }
            let ns = start.elapsed().as_nanos() as f64;
            times.push(ns / (n as f64 * workload.len() as f64));
            noise = noise.max(canary());
        }
        rounds.push((noise, times));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let calm = rounds.iter().filter(|(noise, _)| is_calm(*noise)).count();
    rounds.truncate(calm.max(rounds.len() / 4).max(1));
    let typical: Vec<f64> =
        (0..contenders.len()).map(|i| median(rounds.iter().map(|(_, times)| times[i]).collect())).collect();
    let measured = contenders.iter().zip(&typical).map(|(c, &ns_per_key)| Measured {
        workload: workload.name.clone(),
        mean_len: workload.mean_len(),
        contender: c.name.clone(),
        ns_per_key,
        ratio: typical[0] / ns_per_key,
        calm,
    });
    measured.collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
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
