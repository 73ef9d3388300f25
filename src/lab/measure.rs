//! What one run of an ordinary scenario measures, as metrics by name.
//!
//! | metric | meaning |
//! | --- | --- |
//! | `pfail_first` ... `state_ok_last` | moments of the first failover, ms since its injection; names as in the recordings |
//! | `announced_delay` | what the winner said it would wait before its election, ms |
//! | `phase: NAME` | length of a phase of the first failover, ms |
//! | `#2 won`, ... | the same moments of the second and later failovers |
//! | `n_failovers` | failovers that ended with a new master |
//! | `n_elections_without_winner` | failovers that came to nothing |
//! | `mechanism: NAME` | 1 if a failover of the run shows it |
//! | `n_writes_sent`, `_acked`, `_kept`, `_lost`, `_refused`, `_unknown` | the write ledger |
//! | `n_writes_lost: CAUSE` | those lost to this cause |
//! | `n_stale_reads` | reads that returned less than was acknowledged before them |
//! | `bytes_bus_per_s`, `bus_messages_per_s` | bus traffic of all nodes, per simulated second since the beginning |
//! | `n_events` | dispatched events |
//! | `held: TEXT` | 1 if the expectation came true, else 0 |

use super::oracle::Metrics;
use crate::check::{self, Outcome};
use crate::explain::{self, Failover};

/// All metrics of a run. A moment that did not come is `None`.
pub fn measure(outcome: &Outcome) -> Metrics {
    let w = &outcome.world;
    let mut m = Metrics::new();
    let failovers = explain::failovers(&w.trace, &w.names, &w.plan);
    for (i, f) in failovers.iter().enumerate() {
        moments(&mut m, f, i);
        for mechanism in &f.mechanisms {
            m.insert(format!("mechanism: {}", mechanism.name()), Some(1.0));
        }
    }
    let won = failovers.iter().filter(|f| f.winner.is_some()).count();
    let mut count = |name: &str, n: u64| m.insert(name.to_string(), Some(n as f64));
    count("n_failovers", won as u64);
    count("n_elections_without_winner", (failovers.len() - won) as u64);
    let l = check::ledger(w, &outcome.book, None);
    if l.sent > 0 {
        for (name, n) in [
            ("n_writes_sent", l.sent),
            ("n_writes_acked", l.acked),
            ("n_writes_kept", l.kept),
            ("n_writes_lost", l.lost),
            ("n_writes_refused", l.refused),
            ("n_writes_unknown", l.unknown),
            ("n_stale_reads", l.stale_reads),
        ] {
            count(name, n);
        }
        for (cause, n) in &l.lost_by_cause {
            count(&format!("n_writes_lost: {}", cause.name()), *n);
        }
    }
    count("n_events", w.dispatched());
    let seconds = w.now().0 as f64 / 1e6;
    if seconds > 0.0 {
        let rate = |n: u64| Some((n as f64 / seconds * 10.0).round() / 10.0);
        m.insert("bytes_bus_per_s".into(), rate(w.net.bus_bytes.iter().sum()));
        m.insert("bus_messages_per_s".into(), rate(w.net.bus_messages.iter().sum()));
    }
    for v in &outcome.verdicts {
        m.insert(format!("held: {}", v.text), Some(f64::from(u8::from(v.ok))));
    }
    m
}

/// The moments of failover `i` of a run, and the phases of the first.
pub fn moments(m: &mut Metrics, f: &Failover, i: usize) {
    let prefix = if i == 0 { String::new() } else { format!("#{} ", i + 1) };
    for (name, t) in f.times.moments() {
        m.insert(format!("{prefix}{name}"), t.map(|t| f.since(t) as f64 / 1000.0));
    }
    if i > 0 {
        return;
    }
    m.insert("announced_delay".into(), f.times.announced_delay_ms.map(|ms| ms as f64));
    for p in &f.phases {
        // A phase that comes twice (a second election) counts with its whole length.
        let sum = m.entry(format!("phase: {}", p.name)).or_insert(Some(0.0));
        *sum = sum.map(|s| s + p.length().0 as f64 / 1000.0);
    }
}
