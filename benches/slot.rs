//! Slot functions side by side.
//!
//! `cargo bench --bench slot` measures all of them with criterion and then, taking turns in calm moments,
//! once more for the table of ns/key, GB/s and the ratio to the baseline. `cargo bench --bench slot --
//! table` prints the table alone; further words choose inputs of it: `-- table "9 B" "mixed 1k"`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use redis::cluster_routing::Slot;
use slotscope::cli::slot::bench::{Contender, Effort, measure, ours, plain_tag, table, workloads};

const MASK: u16 = 16383;

static CRC_1: crc::Crc<u16, crc::Table<1>> = crc::Crc::<u16, crc::Table<1>>::new(&crc::CRC_16_XMODEM);
static CRC_16: crc::Crc<u16, crc::Table<16>> = crc::Crc::<u16, crc::Table<16>>::new(&crc::CRC_16_XMODEM);

/// redis-rs computes slots but keeps their number to itself, so this is the time alone.
fn of_redis_rs(key: &[u8]) -> u16 {
    std::hint::black_box(Slot::for_key(key));
    0
}

fn everyone() -> Vec<Contender<'static>> {
    let mut all = ours();
    all.push(Contender::single("crc 3, table 1", |key| CRC_1.checksum(plain_tag(key)) & MASK));
    all.push(Contender::single("crc 3, table 16", |key| CRC_16.checksum(plain_tag(key)) & MASK));
    all.push(Contender::single("crc-fast", |key| {
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc16Xmodem, plain_tag(key)) as u16 & MASK
    }));
    all.push(Contender::single("kevy-hash", kevy_hash::key_hash_slot));
    all.push(Contender::single("redis-rs", of_redis_rs));
    all.push(Contender::single("redis-protocol", redis_protocol::redis_keyslot));
    all
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let alone = words.first().is_some_and(|w| w == "table");
    let chosen = if alone { &words[1..] } else { &[] };
    let workloads: Vec<_> =
        workloads().into_iter().filter(|w| chosen.is_empty() || chosen.contains(&w.name)).collect();
    let mut all = everyone();
    if !alone {
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(50))
            .measurement_time(Duration::from_millis(200))
            .configure_from_args();
        for workload in &workloads {
            let mut out = vec![0; workload.len()];
            let mut group = criterion.benchmark_group(&workload.name);
            group.throughput(Throughput::Elements(workload.len() as u64));
            for contender in &mut all {
                let id = BenchmarkId::from_parameter(contender.name.clone());
                group.bench_function(id, |b| b.iter(|| contender.run(workload, &mut out)));
            }
            group.finish();
        }
        criterion.final_summary();
    }
    let mut rows = Vec::new();
    for workload in &workloads {
        rows.extend(measure(workload, &mut all, Effort::normal(workload)));
    }
    println!("\n{}", table(&rows));
}
