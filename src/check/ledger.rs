//! The write ledger: what became of every write that clients sent.

use crate::base::IdVec;
use crate::redis::bus::view::ME;
use crate::redis::client::{Client, ClientSpec, Outcome};
use crate::redis::server::keyspace::Object;
use crate::slot::SLOTS;
use crate::trace::HostId;
use crate::world::World;
use crate::world::host::Program;

/// Counts of writes. `sent` = acked + refused + unknown + those under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ledger {
    pub sent: u64,
    pub acked: u64,
    /// Answered with an error: certainly not done.
    pub refused: u64,
    /// Never answered: maybe done.
    pub unknown: u64,
    /// Acknowledged, and there in the data of the node that serves the slot now.
    pub kept: u64,
    /// Acknowledged, and not there.
    pub lost: u64,
    /// Acknowledged, and no running node serves the slot now.
    pub unserved: u64,
}

/// The ledger of one client, or of all. Writes that an operator deletes count as lost.
pub fn ledger(w: &World, client: Option<&str>) -> Ledger {
    let owners = owners(w);
    let mut out = Ledger::default();
    for (host, h) in w.hosts.enumerate() {
        let Some(Program::Client(c)) = &h.program else { continue };
        if client.is_none_or(|name| h.name == name) {
            count(w, host, c, &owners, &mut out);
        }
    }
    out
}

fn count(w: &World, host: HostId, c: &Client, owners: &IdVec<SlotId, Option<HostId>>, out: &mut Ledger) {
    out.sent += c.writes.len() as u64;
    for (i, write) in c.writes.iter().enumerate() {
        match write.done {
            None => {}
            Some((_, Outcome::Refused)) => out.refused += 1,
            Some((_, Outcome::Unknown)) => out.unknown += 1,
            Some((_, Outcome::Acked)) => {
                out.acked += 1;
                match owners[SlotId(write.slot.into())] {
                    None => out.unserved += 1,
                    Some(owner) if holds(w, owner, host, c, i) => out.kept += 1,
                    Some(_) => out.lost += 1,
                }
            }
        }
    }
}

crate::id_type! {
    /// A slot as an index.
    SlotId, "slot"
}

/// Who serves each slot: of the running masters that claim it the one with the highest configEpoch;
/// without a cluster, the first running master.
fn owners(w: &World) -> IdVec<SlotId, Option<HostId>> {
    let mut best: Vec<Option<(u64, HostId)>> = vec![None; SLOTS.into()];
    for (host, s) in w.servers() {
        match &s.bus {
            Some(bus) if bus.me().is_master() => {
                let epoch = bus.row(ME).config_epoch;
                for slot in w.names.slots(bus.me().slots).iter() {
                    let entry = &mut best[usize::from(slot)];
                    if entry.is_none_or(|(e, _)| e < epoch) {
                        *entry = Some((epoch, host));
                    }
                }
            }
            None if !s.repl.is_replica() => {
                best.iter_mut().filter(|b| b.is_none()).for_each(|b| *b = Some((0, host)));
            }
            _ => {}
        }
    }
    best.into_iter().map(|b| b.map(|(_, host)| host)).collect()
}

/// Whether the data of `owner` have the write number `i` of a client.
fn holds(w: &World, owner: HostId, client: HostId, c: &Client, i: usize) -> bool {
    let Some(db) = w.server(owner).map(|s| &s.db) else { return false };
    let has = |key: &[u8], member: &str| matches!(db.get(key), Some(Object::Set(set)) if set.contains(member.as_bytes()));
    match &c.spec {
        ClientSpec::Writer { key, .. } | ClientSpec::Prober { key, .. } => {
            has(key.as_bytes(), &i.to_string())
        }
        ClientSpec::ClusterWriter { .. } => {
            let member = crate::redis::client::member(client, i);
            db.keys_in_slot(c.writes[i].slot).into_iter().any(|key| has(key, &member))
        }
    }
}
