//! The recorder's clients: what they report at the end.

use super::events::round1;
use crate::lab::oracle::Metrics;
use crate::redis::Addr;
use crate::redis::client::sentinel::SentinelClient;
use crate::trace::HostId;
use crate::world::World;

/// The metrics of one writer. `fin`: the node whose data count at the end.
pub fn report(w: &World, writer: HostId, fin: Option<HostId>, m: &mut Metrics) {
    let Some(c) = w.sentinel_client(writer) else { return };
    let name = &c.spec.prefix;
    let gaps = c.acks.windows(2).map(|pair| pair[1].1.since(pair[0].1).0 as f64 / 1000.0);
    let gap = gaps.fold(0.0, f64::max);
    if let Some(server) = fin.and_then(|h| w.server(h)) {
        let kept = |n: u64| server.db.get(format!("{name}:{n}").as_bytes()).is_some();
        let lost = c.acks.iter().filter(|(n, _, _)| !kept(*n)).count();
        m.insert(format!("acked_lost:{name}"), Some(lost as f64));
    }
    m.insert(format!("longest_ack_gap:{name}"), Some(round1(gap)));
}

/// When the writer was first acknowledged by another node than the old master.
pub fn first_write_elsewhere(c: &SentinelClient, old: Addr, t0: f64) -> Option<f64> {
    let at = |t: crate::base::NodeTime| t.0 as f64 / 1000.0;
    c.acks.iter().find(|(_, t, a)| c.addrs[*a] != old && at(*t) >= t0).map(|(_, t, _)| round1(at(*t) - t0))
}

/// Acknowledgements in ms since `t0`.
pub fn ack_times(c: &SentinelClient, t0: f64) -> Vec<f64> {
    c.acks.iter().map(|(_, t, _)| t.0 as f64 / 1000.0 - t0).collect()
}
