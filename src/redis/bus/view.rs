//! The table of nodes as one node sees it, in the shape that makes its cron cheap: dense rows,
//! found by interned node id, walked in the order of Redis's hash table.

use std::sync::Arc;

use super::super::registry::{ClaimId, EndpointId, NodeName};
use super::Bus;
use crate::base::Rng;
use crate::base::rng::mix;
use crate::slot::SLOTS;
use crate::trace::{ConnId, FactId, NodeId};

/// Place of a node in the table of one observer. Row 0 is myself.
pub type RowIdx = u16;
pub const NO_ROW: RowIdx = RowIdx::MAX;
pub const ME: RowIdx = 0;

/// Node flags, by their bits on the wire. redis: cluster.h CLUSTER_NODE_* @7.0.15
pub mod flag {
    pub const MASTER: u16 = 1;
    pub const SLAVE: u16 = 2;
    pub const PFAIL: u16 = 4;
    pub const FAIL: u16 = 8;
    pub const MYSELF: u16 = 16;
    pub const HANDSHAKE: u16 = 32;
    pub const NOADDR: u16 = 64;
    pub const MEET: u16 = 128;
    pub const MIGRATE_TO: u16 = 256;
    pub const NOFAILOVER: u16 = 512;

    /// The names in CLUSTER NODES, in the order in which they are printed.
    pub const NAMES: [(u16, &str); 8] = [
        (MYSELF, "myself"),
        (MASTER, "master"),
        (SLAVE, "slave"),
        (PFAIL, "fail?"),
        (FAIL, "fail"),
        (HANDSHAKE, "handshake"),
        (NOADDR, "noaddr"),
        (NOFAILOVER, "nofailover"),
    ];
}

/// What an observer holds about one node. redis: cluster.h clusterNode @7.0.15
#[derive(Clone, Debug)]
pub struct Row {
    pub id: NodeId,
    pub flags: u16,
    /// My connection to it, or none.
    pub link: ConnId,
    /// ms of the active unanswered ping, 0 = none.
    pub ping_sent: u64,
    pub pong_received: u64,
    pub data_received: u64,

    pub endpoint: EndpointId,
    pub inbound: ConnId,
    /// Its master, as a row; `NO_ROW` if it is a master or its master is unknown.
    pub slaveof: RowIdx,
    /// How many attachments of replicas there were before that to its master.
    pub attached: u64,
    pub link_up: bool,
    pub slots: ClaimId,
    pub numslots: u16,
    pub config_epoch: u64,
    pub ctime: u64,
    pub link_ctime: u64,
    /// When its link to me was recognised, ms.
    pub inbound_ctime: u64,
    pub fail_time: u64,
    pub voted_time: u64,
    pub repl_offset: i64,
    pub orphaned_time: u64,
    /// (reporter, when), oldest first.
    pub fail_reports: Vec<(NodeId, u64)>,
    pub hostname: Option<Arc<str>>,
    /// The recorded fact of my PFAIL or FAIL about it.
    pub because: FactId,
}

impl Row {
    pub fn is(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }
    pub fn is_master(&self) -> bool {
        self.is(flag::MASTER)
    }
    pub fn in_handshake(&self) -> bool {
        self.is(flag::HANDSHAKE)
    }
    pub fn timed_out(&self) -> bool {
        self.is(flag::PFAIL)
    }
    pub fn failed(&self) -> bool {
        self.is(flag::FAIL)
    }
}

/// Redis's hash table of nodes as far as it is visible: the order of iteration and the odds of a
/// random pick. Buckets are a power of two; each process hashes with a key of its own.
///
/// redis: dict.c dictGetRandomKey, dictExpand @7.0.15
/// deviates: a resize is complete at once; Redis moves one bucket per operation.
#[derive(Clone, Debug)]
pub struct Dict {
    key: u64,
    mask: u32,
    /// Rows bucket after bucket, the latest added first within a bucket.
    order: Vec<RowIdx>,
    /// Where each bucket starts in `order`, and the end of the last.
    start: Vec<u16>,
    /// Position of each row in `order`, by row.
    place: Vec<u16>,
    hashes: Vec<u64>,
}

impl Dict {
    pub fn new(key: u64) -> Dict {
        Dict { key, mask: 3, order: Vec::new(), start: vec![0; 5], place: Vec::new(), hashes: Vec::new() }
    }

    fn hash(&self, name: NodeName) -> u64 {
        let b = name.0;
        let w = |i: usize| {
            u64::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7]])
        };
        mix(self.key ^ mix(w(0) ^ mix(w(8) ^ mix(w(12)))))
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn add(&mut self, row: RowIdx, name: NodeName) {
        let buckets = self.mask as usize + 1;
        if self.order.len() >= buckets {
            // redis: _dictExpandIfNeeded grows to the next power of two above what is used.
            self.mask = (self.order.len() as u32 + 1).next_power_of_two() - 1;
        }
        let r = usize::from(row);
        if self.hashes.len() <= r {
            self.hashes.resize(r + 1, 0);
            self.place.resize(r + 1, 0);
        }
        self.hashes[r] = self.hash(name);
        self.order.insert(0, row);
        self.rebuild();
    }

    pub fn remove(&mut self, row: RowIdx) {
        self.order.retain(|&r| r != row);
        self.rebuild();
    }

    /// Restores bucket order; the sort is stable, so within a bucket the latest stays first.
    fn rebuild(&mut self) {
        let (mask, hashes) = (self.mask, &self.hashes);
        let bucket = |r: RowIdx| (hashes[usize::from(r)] as u32) & mask;
        self.order.sort_by_key(|&r| bucket(r));
        self.start.clear();
        self.start.resize(mask as usize + 2, 0);
        for &r in &self.order {
            self.start[bucket(r) as usize + 1] += 1;
        }
        for i in 1..self.start.len() {
            self.start[i] += self.start[i - 1];
        }
        for (i, &r) in self.order.iter().enumerate() {
            self.place[usize::from(r)] = i as u16;
        }
    }

    /// A random non-empty bucket, then a random element of it: not quite uniform over the nodes.
    pub fn random(&self, rng: &mut Rng) -> RowIdx {
        debug_assert!(!self.order.is_empty());
        loop {
            let b = (rng.u32() & self.mask) as usize;
            let (lo, hi) = (self.start[b], self.start[b + 1]);
            match hi - lo {
                0 => {}
                1 => return self.order[usize::from(lo)],
                n => return self.order[usize::from(lo) + rng.below(u32::from(n)) as usize],
            }
        }
    }

    /// The rows in the order in which Redis walks its table.
    pub fn order(&self) -> &[RowIdx] {
        &self.order
    }
    pub fn place(&self, row: RowIdx) -> u16 {
        self.place[usize::from(row)]
    }
}

/// Who owns each slot, by interned node id; shared until changed.
#[derive(Clone, Debug)]
pub struct SlotOwners {
    table: Arc<[NodeId; SLOTS as usize]>,
    unowned: u16,
}

impl Default for SlotOwners {
    fn default() -> Self {
        SlotOwners { table: Arc::new([NodeId::NONE; SLOTS as usize]), unowned: SLOTS }
    }
}

impl SlotOwners {
    pub fn get(&self, slot: u16) -> Option<NodeId> {
        Some(self.table[usize::from(slot)]).filter(|n| n.is_some())
    }
    /// How many slots nobody owns.
    pub fn unowned(&self) -> u16 {
        self.unowned
    }
    pub fn set(&mut self, slot: u16, owner: Option<NodeId>) {
        let new = owner.unwrap_or(NodeId::NONE);
        let old = self.table[usize::from(slot)];
        if old == new {
            return;
        }
        Arc::make_mut(&mut self.table)[usize::from(slot)] = new;
        self.unowned = self.unowned + u16::from(old.is_some()) - u16::from(new.is_some());
    }
    /// A hash of the pointer-free content, for digests and comparisons of views.
    pub fn same_as(&self, other: &SlotOwners) -> bool {
        Arc::ptr_eq(&self.table, &other.table) || self.table == other.table
    }
}

impl Bus {
    pub fn me(&self) -> &Row {
        &self.rows[usize::from(ME)]
    }
    pub fn me_mut(&mut self) -> &mut Row {
        &mut self.rows[usize::from(ME)]
    }
    pub fn row(&self, r: RowIdx) -> &Row {
        &self.rows[usize::from(r)]
    }
    pub fn row_mut(&mut self, r: RowIdx) -> &mut Row {
        &mut self.rows[usize::from(r)]
    }

    /// The row of a node id that I know.
    pub fn find(&self, id: NodeId) -> Option<RowIdx> {
        self.by_id.get(id.0 as usize).copied().filter(|&r| r != NO_ROW)
    }

    /// All rows in the order of Redis's table.
    pub fn in_order(&self) -> impl Iterator<Item = &Row> {
        self.dict.order().iter().map(|&r| self.row(r))
    }

    /// The master I belong to: mine if I am a replica of a known one, else me.
    pub fn my_master_or_me(&self) -> RowIdx {
        if self.me().is(flag::SLAVE) && self.me().slaveof != NO_ROW { self.me().slaveof } else { ME }
    }

    /// The configEpoch to print for a node: a replica's is its master's.
    pub fn shown_epoch(&self, row: &Row) -> u64 {
        if row.is(flag::SLAVE) && row.slaveof != NO_ROW {
            self.row(row.slaveof).config_epoch
        } else {
            row.config_epoch
        }
    }

    /// Rows of the replicas of a master, in the order in which they were attached to it.
    /// redis: cluster.h clusterNode slaves @7.0.15
    pub fn replicas_as_attached(&self, master: RowIdx) -> Vec<RowIdx> {
        let mut all: Vec<RowIdx> = self.replicas_of(master).collect();
        all.sort_by_key(|&r| self.row(r).attached);
        all
    }

    /// Rows of the replicas of a master, in the order of rows.
    pub fn replicas_of(&self, master: RowIdx) -> impl Iterator<Item = RowIdx> + '_ {
        (0..self.rows.len() as u16).filter(move |&r| {
            let row = self.row(r);
            row.slaveof == master && row.id.is_some() && row.is(flag::SLAVE)
        })
    }

    /// redis: createClusterNode, clusterAddNode @7.0.15
    pub(super) fn add_row(&mut self, id: NodeId, name: NodeName, flags: u16, now: u64) -> RowIdx {
        let row = Row {
            id,
            flags,
            link: ConnId::NONE,
            ping_sent: 0,
            pong_received: 0,
            data_received: 0,
            endpoint: EndpointId::NOWHERE,
            inbound: ConnId::NONE,
            slaveof: NO_ROW,
            attached: 0,
            link_up: false,
            slots: ClaimId::EMPTY,
            numslots: 0,
            config_epoch: 0,
            ctime: now,
            link_ctime: 0,
            inbound_ctime: 0,
            fail_time: 0,
            voted_time: 0,
            repl_offset: 0,
            orphaned_time: 0,
            fail_reports: Vec::new(),
            hostname: None,
            because: FactId::NONE,
        };
        let r = match self.free_rows.pop() {
            Some(r) => {
                self.rows[usize::from(r)] = row;
                r
            }
            None => {
                self.rows.push(row);
                self.rows.len() as u16 - 1
            }
        };
        self.index(id, r);
        self.dict.add(r, name);
        if flags & flag::PFAIL != 0 {
            self.pfail_count += 1;
        }
        self.restless = true;
        self.next_scan = 0;
        r
    }

    fn index(&mut self, id: NodeId, r: RowIdx) {
        let i = id.0 as usize;
        if self.by_id.len() <= i {
            self.by_id.resize(i + 1, NO_ROW);
        }
        self.by_id[i] = r;
    }

    /// Takes the row out of the table; its links must be closed and its slots unassigned before.
    pub(super) fn drop_row(&mut self, r: RowIdx) {
        let (id, flags) = (self.row(r).id, self.row(r).flags);
        if flags & flag::PFAIL != 0 {
            self.pfail_count -= 1;
        }
        self.by_id[id.0 as usize] = NO_ROW;
        self.dict.remove(r);
        let row = self.row_mut(r);
        row.id = NodeId::NONE;
        row.flags = 0;
        row.slaveof = NO_ROW;
        self.free_rows.push(r);
    }

    /// redis: clusterRenameNode @7.0.15
    pub(super) fn rename_row(&mut self, r: RowIdx, id: NodeId, name: NodeName) {
        let old = self.row(r).id;
        self.by_id[old.0 as usize] = NO_ROW;
        self.index(id, r);
        self.dict.remove(r);
        self.dict.add(r, name);
        self.row_mut(r).id = id;
    }

    /// Sets and clears flags of a row, keeping the counters that depend on them.
    pub(super) fn set_flags(&mut self, r: RowIdx, set: u16, clear: u16) {
        let row = &mut self.rows[usize::from(r)];
        let old = row.flags;
        row.flags = (old & !clear) | set;
        let was = old & flag::PFAIL != 0;
        let is = row.flags & flag::PFAIL != 0;
        self.pfail_count = self.pfail_count + u32::from(is) - u32::from(was);
        self.restless |= (old ^ row.flags) & flag::NOADDR != 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_grows_like_redis_s() {
        let mut rng = Rng::named(1, "names");
        let mut d = Dict::new(9);
        let sizes: Vec<u32> = (0..9)
            .map(|i| {
                d.add(i, NodeName::random(&mut rng));
                d.mask + 1
            })
            .collect();
        assert_eq!(sizes, [4, 4, 4, 4, 8, 8, 8, 8, 16]);
        let mut seen: Vec<RowIdx> = d.order().to_vec();
        seen.sort_unstable();
        assert_eq!(seen, (0..9).collect::<Vec<_>>());
        d.remove(3);
        assert_eq!(d.len(), 8);
    }

    #[test]
    fn a_random_pick_favours_nodes_alone_in_their_bucket() {
        let mut rng = Rng::named(2, "names");
        let mut d = Dict::new(5);
        for i in 0..6 {
            d.add(i, NodeName::random(&mut rng));
        }
        let full = (0..8).filter(|&b| d.start[b + 1] > d.start[b]).count();
        let mut hits = [0u32; 6];
        for _ in 0..60_000 {
            hits[usize::from(d.random(&mut rng))] += 1;
        }
        for b in 0..8 {
            let n = d.start[b + 1] - d.start[b];
            for i in d.start[b]..d.start[b + 1] {
                let expected = 60_000 / full as u32 / u32::from(n);
                let got = hits[usize::from(d.order[usize::from(i)])];
                assert!(got.abs_diff(expected) < expected / 10, "{got} for {expected}");
            }
        }
    }
}
