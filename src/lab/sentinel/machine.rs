//! What a recording tells of the machine that it was made on, and not of Redis.

use std::collections::BTreeMap;

use crate::lab::compare::Exceptions;
use crate::lab::recording::{Recording, Trial};

/// The longest gaps between acknowledgements of clients that nothing ever stops.
const GAPS: [&str; 2] = ["longest_ack_gap:w", "longest_ack_gap:sticky"];
/// A gap that no step of the deployment can explain, ms: clients send every 10 ms, and to connect anew
/// takes them as long again.
const STALL: f64 = 60.0;

/// Metrics that the recording's machine made: how long it held its clients up at worst, where neither the
/// fault nor anything after it stops them.
pub fn machines_own(recording: &Recording) -> Exceptions {
    let mut of_variant: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for t in &recording.trials {
        of_variant.entry(&t.variant).or_default().push(t);
    }
    let mut out = Exceptions::new();
    for (variant, trials) in of_variant {
        let why = match (recording.scenario.as_str(), variant) {
            ("T4", _) => manual(&trials),
            ("T2", "nomajority") | ("T5", _) | ("T7", "allprio0") => before_the_fault(&trials),
            _ => continue,
        };
        for metric in GAPS.into_iter().filter(|m| trials.iter().any(|t| value(t, m).is_some())) {
            out.insert((variant.to_owned(), metric.to_owned()), why.clone());
        }
    }
    out
}

fn value(t: &Trial, metric: &str) -> Option<f64> {
    t.metrics.get(metric).copied().flatten()
}

fn gaps<'a>(trials: &'a [&'a Trial]) -> impl Iterator<Item = f64> + 'a {
    trials.iter().flat_map(|t| GAPS.into_iter().filter_map(|m| value(t, m)))
}

/// The old master serves until it is made a replica; its clients then connect anew.
fn manual(trials: &[&Trial]) -> String {
    let most = gaps(trials).fold(0.0, f64::max);
    let both = |t: &&&Trial| GAPS.iter().all(|m| value(t, m).is_some_and(|gap| gap > STALL));
    format!(
        "the recording machine's own stalls: no step of a manual failover stops these clients for longer than it \
         takes to connect anew, yet in {} of {} recorded trials both of them stood still for more than {STALL} ms, \
         up to {most:.0} ms",
        trials.iter().filter(both).count(),
        trials.len()
    )
}

/// Nobody is promoted, so the last acknowledgement comes before the fault.
fn before_the_fault(trials: &[&Trial]) -> String {
    let least = gaps(trials).fold(f64::INFINITY, f64::min);
    let most = gaps(trials).fold(0.0, f64::max);
    format!(
        "the recording machine's own stalls: no write is acknowledged after the fault, and before it nothing \
         happens that could hold up a client that writes every 10 ms; recorded were {least:.0} to {most:.0} ms"
    )
}
