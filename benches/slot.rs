//! Slot functions side by side: `cargo bench --bench slot`.

use slotscope::cli::slot::bench::{Contender, Effort, measure, ours, plain_tag, table, workloads};

fn main() {
    let mut all = ours();
    all.push(Contender::single("kevy-hash", kevy_hash::key_hash_slot));
    let _ = plain_tag;
    let only: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let mut rows = Vec::new();
    for w in workloads() {
        if only.is_empty() || only.iter().any(|o| o == &w.name) {
            rows.extend(measure(&w, &mut all, Effort::normal(&w)));
            eprintln!("{} calm rounds {}", w.name, rows.last().unwrap().calm);
        }
    }
    print!("{}", table(&rows));
}
