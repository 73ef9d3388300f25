//! Who believes what about whom, and who owns a slot according to each: that nodes disagree is the heart of a
//! failover.

use super::view::{Opinion, Role, opinion, role};
use crate::base::{Dur, Id};
use crate::redis::bus::view::{NO_ROW, flag};
use crate::trace::HostId;
use crate::world::World;

/// What one node believes about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Belief {
    pub opinion: Opinion,
    pub role: Role,
    /// configEpoch
    pub epoch: u64,
    /// The host of its master, for a replica.
    pub master: Option<HostId>,
    /// Masters that told the believer of a failure, and still count.
    pub reports: u32,
    /// Since the believer last had a PONG.
    pub pong_age: Option<Dur>,
    pub is_self: bool,
}

/// The matrix of beliefs: a row per node of the plan, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Beliefs {
    /// `None`: the believer does not run, or is no cluster node.
    pub rows: Vec<Option<Vec<Option<Belief>>>>,
}

/// What one node believes about one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotBelief {
    pub believer: HostId,
    pub owner: Option<HostId>,
    /// configEpoch of the owner in the believer's eyes.
    pub epoch: u64,
    pub migrating_to: Option<HostId>,
    pub importing_from: Option<HostId>,
    /// Keys of the slot in the believer's own data.
    pub keys: u64,
}

impl Beliefs {
    pub fn get(&self, believer: usize, about: usize) -> Option<Belief> {
        *self.rows.get(believer)?.as_ref()?.get(about)?
    }
    /// Whether the nodes that run differ about this one's failure, role or master.
    pub fn differ_about(&self, about: usize) -> bool {
        let mut all = (0..self.rows.len()).filter_map(|i| self.get(i, about));
        let shape = |b: Belief| (b.opinion, b.role, b.master);
        let Some(first) = all.find(|b| !b.is_self).map(shape) else { return false };
        (0..self.rows.len()).filter_map(|i| self.get(i, about)).any(|b| {
            let (o, role, master) = shape(b);
            (role, master) != (first.1, first.2) || (!b.is_self && o != first.0)
        })
    }
}

impl World {
    /// Everybody's beliefs about everybody, now.
    pub fn beliefs(&self) -> Beliefs {
        let n = self.plan.nodes.len();
        let rows = self.node_hosts().map(|host| {
            let bus = self.bus(host)?;
            let now_ms = self.hosts[host].clock.read(self.now()).ms();
            let mut row = vec![None; n];
            for &r in bus.dict.order() {
                let seen = bus.row(r);
                let Some(about) = self.names.owner(seen.id).filter(|h| h.index() < n) else { continue };
                if self.node_id(about) != Some(seen.id) {
                    continue;
                }
                let is_self = seen.is(flag::MYSELF);
                let master = (seen.is(flag::SLAVE) && seen.slaveof != NO_ROW)
                    .then(|| self.names.owner(bus.row(seen.slaveof).id))
                    .flatten();
                let pong = bus.pong_received(r);
                row[about.index()] = Some(Belief {
                    opinion: opinion(seen),
                    role: role(seen.flags),
                    epoch: bus.shown_epoch(seen),
                    master,
                    reports: seen.rare().fail_reports.len() as u32,
                    pong_age: (!is_self && pong > 0).then(|| Dur::ms(now_ms.saturating_sub(pong))),
                    is_self,
                });
            }
            Some(row)
        });
        Beliefs { rows: rows.collect() }
    }

    /// What each node that runs believes about a slot.
    pub fn slot_beliefs(&self, slot: u16) -> Vec<SlotBelief> {
        let host = |id| self.names.owner(id);
        let of = |(believer, server): (HostId, &crate::redis::server::Server)| {
            let bus = server.bus.as_ref()?;
            let owner = bus.owners.get(slot);
            let row = owner.and_then(|id| bus.find(id)).map(|r| bus.row(r));
            Some(SlotBelief {
                believer,
                owner: owner.and_then(host),
                epoch: row.map_or(0, |r| bus.shown_epoch(r)),
                migrating_to: bus.migrating_to.get(&slot).copied().and_then(host),
                importing_from: bus.importing_from.get(&slot).copied().and_then(host),
                keys: server.db.count_in_slot(slot),
            })
        };
        self.servers().filter_map(of).collect()
    }

    /// The keys of a slot in the data of a node, the first few.
    pub fn keys_of_slot(&self, host: HostId, slot: u16, at_most: usize) -> Vec<String> {
        let Some(server) = self.server(host) else { return Vec::new() };
        let keys = server.db.keys_in_slot(slot);
        keys.iter().take(at_most).map(|k| String::from_utf8_lossy(&k[..]).into_owned()).collect()
    }

    /// How many keys each of `cells` equal parts of the slots holds, on the nodes that own them in truth.
    pub fn keys_by_part(&self, owners: &[super::view::SlotRun], cells: usize) -> Vec<u64> {
        let mut out = vec![0; cells];
        for (host, server) in self.servers() {
            for slot in server.db.used_slots() {
                let run = owners.partition_point(|r| r.last < slot);
                if owners.get(run).and_then(|r| r.owner) == Some(host.index()) {
                    let cell = usize::from(slot) * cells / usize::from(crate::slot::SLOTS);
                    out[cell] += server.db.count_in_slot(slot);
                }
            }
        }
        out
    }

    /// How a node holds a key, in a few words.
    pub fn key_text(&self, host: HostId, key: &str) -> Option<String> {
        let object = self.server(host)?.db.get(key.as_bytes())?;
        Some(match object {
            crate::redis::server::keyspace::Object::String(v) => {
                format!("string of {} bytes", v.len())
            }
            other => other.kind().text().to_string(),
        })
    }
}
