//! The table of nodes as one node sees it, in the shape that makes its cron cheap: dense rows,
//! found by interned node id, walked in the order of Redis's hash table.

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use super::super::registry::{ClaimId, EndpointId, NodeName};
use super::Bus;
use crate::base::Rng;
use crate::base::rng::mix;
use crate::slot::{SLOTS, SlotSet};
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
///
/// Not here: `pong_received`, which gossip renews without looking at anything else of the row; see
/// [`Bus::pong_received`]. What most rows never need is in [`Rare`].
#[derive(Clone, Debug)]
pub struct Row {
    pub id: NodeId,
    pub endpoint: EndpointId,
    /// My connection to it, or none.
    pub link: ConnId,
    pub inbound: ConnId,
    pub slots: ClaimId,
    /// How many attachments of replicas there were before that to its master.
    pub attached: u32,
    /// Its master, as a row; `NO_ROW` if it is a master or its master is unknown.
    pub slaveof: RowIdx,
    pub numslots: u16,
    pub flags: u16,
    pub link_up: bool,
    /// ms of the active unanswered ping, 0 = none.
    pub ping_sent: u64,
    pub data_received: u64,
    pub config_epoch: u64,
    pub repl_offset: i64,
    pub ctime: u64,
    pub link_ctime: u64,
    /// When its link to me was recognised, ms.
    pub inbound_ctime: u64,
    rare: Option<Box<Rare>>,
}

/// What an observer holds about a node only after something out of the ordinary.
#[derive(Clone, Debug, PartialEq)]
pub struct Rare {
    pub fail_time: u64,
    pub voted_time: u64,
    pub orphaned_time: u64,
    /// (reporter, when), oldest first.
    pub fail_reports: Vec<(NodeId, u64)>,
    pub hostname: Option<Arc<str>>,
    /// The recorded fact of my PFAIL or FAIL about it.
    pub because: FactId,
}

impl Rare {
    const NOTHING: Rare = Rare {
        fail_time: 0,
        voted_time: 0,
        orphaned_time: 0,
        fail_reports: Vec::new(),
        hostname: None,
        because: FactId::NONE,
    };
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
    pub fn rare(&self) -> &Rare {
        static NOTHING: Rare = Rare::NOTHING;
        self.rare.as_deref().unwrap_or(&NOTHING)
    }
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(Rare::NOTHING))
    }
    /// Bits of [`Pulse`] that follow from the row.
    fn pulse_bits(&self) -> u16 {
        let bit = |set: bool, bit: u16| if set { bit } else { 0 };
        self.flags
            | bit(self.link.is_some(), Pulse::LINKED)
            | bit(self.ping_sent != 0, Pulse::PINGED)
            | bit(self.numslots > 0, Pulse::SLOTS)
            | bit(self.rare.as_ref().is_some_and(|r| !r.fail_reports.is_empty()), Pulse::REPORTED)
    }
}

/// What gossip reads and writes of a row, in eight bytes: when its node was last heard of (ms, upper 48
/// bits) and, below, its flags and four bits that follow from the rest of the row. A packet touches a tenth
/// of the rows at random, in every node: this array decides the speed of large clusters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pulse(u64);

impl Pulse {
    /// I have a link to it.
    pub const LINKED: u16 = 1 << 10;
    /// A ping to it is unanswered.
    pub const PINGED: u16 = 1 << 11;
    /// It has slots.
    pub const SLOTS: u16 = 1 << 12;
    /// Somebody reported it failing, and I have not forgotten yet.
    pub const REPORTED: u16 = 1 << 13;

    pub fn is(self, bits: u16) -> bool {
        self.0 & u64::from(bits) != 0
    }
    pub fn flags(self) -> u16 {
        self.0 as u16 & (Pulse::LINKED - 1)
    }
    /// ms
    pub fn pong_received(self) -> u64 {
        self.0 >> 16
    }
    pub fn set_pong_received(&mut self, ms: u64) {
        self.0 = ms << 16 | self.0 & 0xFFFF;
    }
    /// Somebody heard of the node at this time; nothing heard of it may be later than `latest`.
    pub fn renew(&mut self, ms: u64, latest: u64) {
        if ms <= latest && ms > self.pong_received() {
            self.set_pong_received(ms);
        }
    }
    fn set_pinged(&mut self, pinged: bool) {
        let bit = u64::from(Pulse::PINGED);
        self.0 = if pinged { self.0 | bit } else { self.0 & !bit };
    }
    fn set_bits(&mut self, bits: u16) {
        self.0 = self.0 & !0xFFFF | u64::from(bits);
    }
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pulse({} ms, {:04x})", self.pong_received(), self.0 as u16)
    }
}

/// A row being changed. When the change is over, what follows from the row is brought up to date.
pub struct RowMut<'a> {
    row: &'a mut Row,
    slaveof_before: RowIdx,
    pulse: &'a mut Pulse,
    name: &'a mut (NodeId, EndpointId),
    pfail_count: &'a mut u32,
    census: &'a mut Option<super::slots::Census>,
    stirred: &'a mut bool,
}

impl std::ops::Deref for RowMut<'_> {
    type Target = Row;
    fn deref(&self) -> &Row {
        self.row
    }
}
impl std::ops::DerefMut for RowMut<'_> {
    fn deref_mut(&mut self) -> &mut Row {
        self.row
    }
}
impl Drop for RowMut<'_> {
    fn drop(&mut self) {
        let (old, new) = (self.pulse.0 as u16, self.row.pulse_bits());
        if old != new {
            let pfail = |bits: u16| u32::from(bits & flag::PFAIL != 0);
            *self.pfail_count = *self.pfail_count + pfail(new) - pfail(old);
            self.pulse.set_bits(new);
        }
        let passing = Pulse::LINKED | Pulse::PINGED | Pulse::REPORTED;
        if (old ^ new) & !passing != 0 || self.row.slaveof != self.slaveof_before {
            *self.census = None;
            *self.stirred = true;
        }
        *self.name = (self.row.id, self.row.endpoint);
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
    buckets: Vec<Bucket>,
    /// Rows bucket after bucket, the latest added first within a bucket.
    order: Vec<RowIdx>,
    /// By row: its hash, and its place in `order`.
    hashes: Vec<u32>,
    places: Vec<u16>,
}

/// How many integers are looked at before it is known which of them begin a pick.
const AHEAD: usize = 32;

/// Where a bucket's rows are in `order`, and how many there are.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    start: u16,
    len: u16,
}

impl Bucket {
    fn range(self) -> std::ops::Range<usize> {
        usize::from(self.start)..usize::from(self.start + self.len)
    }
}

impl Dict {
    pub fn new(key: u64) -> Dict {
        Dict {
            key,
            mask: 3,
            buckets: vec![Bucket::default(); 4],
            order: Vec::new(),
            hashes: Vec::new(),
            places: Vec::new(),
        }
    }

    fn hash(&self, name: NodeName) -> u32 {
        let b = name.0;
        let w = |i: usize| {
            u64::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7]])
        };
        mix(self.key ^ mix(w(0) ^ mix(w(8) ^ mix(w(12))))) as u32
    }

    fn bucket(&self, row: RowIdx) -> usize {
        (self.hashes[usize::from(row)] & self.mask) as usize
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn add(&mut self, row: RowIdx, name: NodeName) {
        if self.order.len() > self.mask as usize {
            // redis: _dictExpandIfNeeded grows to the next power of two above what is used.
            self.expand((self.order.len() as u32 + 1).next_power_of_two());
        }
        let r = usize::from(row);
        if self.hashes.len() <= r {
            self.hashes.resize(r + 1, 0);
            self.places.resize(r + 1, 0);
        }
        self.hashes[r] = self.hash(name);
        let bucket = self.bucket(row);
        let at = usize::from(self.buckets[bucket].start);
        self.order.insert(at, row);
        self.buckets[bucket].len += 1;
        self.buckets[bucket + 1..].iter_mut().for_each(|b| b.start += 1);
        self.find_places(at);
    }

    pub fn remove(&mut self, row: RowIdx) {
        let (at, bucket) = (self.place(row), self.bucket(row));
        self.order.remove(at);
        self.buckets[bucket].len -= 1;
        self.buckets[bucket + 1..].iter_mut().for_each(|b| b.start -= 1);
        self.find_places(at);
    }

    /// Notes the places of the rows from this place on.
    fn find_places(&mut self, from: usize) {
        for (place, &r) in self.order.iter().enumerate().skip(from) {
            self.places[usize::from(r)] = place as u16;
        }
    }

    /// Sorts the rows into more buckets. What was one bucket becomes several, and within each the latest
    /// stays first.
    fn expand(&mut self, buckets: u32) {
        self.mask = buckets - 1;
        self.buckets.clear();
        self.buckets.resize(buckets as usize, Bucket::default());
        let rows = std::mem::take(&mut self.order);
        for &r in &rows {
            let bucket = self.bucket(r);
            self.buckets[bucket].len += 1;
        }
        let mut start = 0;
        for b in &mut self.buckets {
            b.start = start;
            start += std::mem::take(&mut b.len);
        }
        self.order.resize(rows.len(), 0);
        for r in rows {
            let bucket = self.bucket(r);
            let b = &mut self.buckets[bucket];
            self.order[b.range().end] = r;
            b.len += 1;
        }
        self.find_places(0);
    }

    /// A random non-empty bucket, then a random element of it: not quite uniform over the nodes.
    fn random(&self, rng: &mut Rng) -> RowIdx {
        debug_assert!(!self.order.is_empty());
        loop {
            let bucket = self.buckets[(rng.u32() & self.mask) as usize];
            match bucket.len {
                0 => {}
                1 => return self.order[usize::from(bucket.start)],
                n => return self.order[usize::from(bucket.start) + rng.below(u32::from(n)) as usize],
            }
        }
    }

    /// So many random picks, with repetitions.
    ///
    /// How many rows a bucket holds cannot be guessed, so nothing branches on it: an empty one gives a pick
    /// that the next one overwrites.
    pub fn random_picks<'a>(&self, rng: &mut Rng, picks: &'a mut [RowIdx]) -> &'a [RowIdx] {
        let mut n = 0;
        while n < picks.len() {
            let (words, mut used) = (rng.at_hand(), 0);
            // The bucket of each integer, were it the first of its pick: so no look at the table waits for another.
            let mut buckets = [Bucket::default(); AHEAD];
            let ahead = words.len().min(2 * (picks.len() - n)).min(AHEAD);
            for (bucket, word) in buckets.iter_mut().zip(&words[..ahead]) {
                *bucket = self.buckets[(word & self.mask) as usize];
            }
            while n < picks.len()
                && let ([bucket, ..], [_, next, ..]) = (&buckets[used.min(ahead)..ahead], &words[used..])
            {
                let scaled = u64::from(*next) * u64::from(bucket.len);
                if (scaled as u32) < u32::from(bucket.len) {
                    // Only a product whose lower half is this small may have to be drawn again.
                    break;
                }
                let place = usize::from(bucket.start) + (scaled >> 32) as usize;
                picks[n] = self.order.get(place).copied().unwrap_or(NO_ROW);
                n += usize::from(bucket.len > 0);
                used += 1 + usize::from(bucket.len > 1);
            }
            rng.skip(used);
            if n < picks.len() {
                picks[n] = self.random(rng);
                n += 1;
            }
        }
        picks
    }

    /// The rows in the order in which Redis walks its table.
    pub fn order(&self) -> &[RowIdx] {
        &self.order
    }
    /// Position of a row in that order.
    pub fn place(&self, row: RowIdx) -> usize {
        usize::from(self.places[usize::from(row)])
    }
}

/// Who owns each slot, by interned node id; shared until changed.
#[derive(Clone, Debug)]
pub struct SlotOwners {
    table: Arc<Table>,
    unowned: u16,
}

/// Slots in a row with the same owner, or none.
type Run = (RangeInclusive<u16>, Option<NodeId>);

#[derive(Debug)]
struct Table {
    owners: [NodeId; SLOTS as usize],
    /// All runs, once somebody asked for them.
    runs: OnceLock<Vec<Run>>,
}

impl Clone for Table {
    /// A copy is made to be changed.
    fn clone(&self) -> Table {
        Table { owners: self.owners, runs: OnceLock::new() }
    }
}

/// The latest tables of owners: when a cluster agrees, its nodes share one. 64 KB each.
#[derive(Clone, Debug, Default)]
pub struct OwnerTables(Vec<Arc<Table>>);

impl OwnerTables {
    const MOST: usize = 4;
}

impl Default for SlotOwners {
    fn default() -> Self {
        let table = Table { owners: [NodeId::NONE; SLOTS as usize], runs: OnceLock::new() };
        SlotOwners { table: Arc::new(table), unowned: SLOTS }
    }
}

impl SlotOwners {
    pub fn get(&self, slot: u16) -> Option<NodeId> {
        Some(self.table.owners[usize::from(slot)]).filter(|n| n.is_some())
    }
    /// How many slots nobody owns.
    pub fn unowned(&self) -> u16 {
        self.unowned
    }
    /// The runs of slots with the same owner, ascending, those that nobody owns too.
    pub fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        self.table.runs.get_or_init(|| runs(&self.table.owners, 0).collect()).iter().cloned()
    }
    /// The runs of slots of this range with the same owner, ascending.
    pub fn runs_of(&self, range: RangeInclusive<u16>) -> impl Iterator<Item = Run> + '_ {
        runs(&self.table.owners[..=usize::from(*range.end())], usize::from(*range.start()))
    }
    /// Gives the slots to a node, or to nobody; `changed` hears of each run that another had, with who that was.
    pub fn give(
        &mut self,
        slots: &SlotSet,
        to: Option<NodeId>,
        mut changed: impl FnMut(RangeInclusive<u16>, Option<NodeId>),
    ) {
        let (mut gained, mut left) = (0, 0);
        let mut gone = Vec::new();
        for (run, old) in slots.ranges().into_iter().flat_map(|range| self.runs_of(range)) {
            if old != to {
                let len = run.end() - run.start() + 1;
                gained += if to.is_some() { len } else { 0 };
                left += if old.is_some() { len } else { 0 };
                changed(run.clone(), old);
                gone.push(run);
            }
        }
        if gone.is_empty() {
            return;
        }
        self.unowned = self.unowned + left - gained;
        let table = Arc::make_mut(&mut self.table);
        table.runs.take();
        for run in gone {
            table.owners[usize::from(*run.start())..=usize::from(*run.end())]
                .fill(to.unwrap_or(NodeId::NONE));
        }
    }
    /// Takes a table that says the same, if somebody has one.
    pub(in crate::redis) fn share(&mut self, known: &mut OwnerTables) {
        match known.0.iter().find(|t| is_same(t, &self.table)) {
            Some(same) => self.table = same.clone(),
            None => {
                if known.0.len() == OwnerTables::MOST {
                    known.0.remove(0);
                }
                known.0.push(self.table.clone());
            }
        }
    }
    pub fn same_as(&self, other: &SlotOwners) -> bool {
        is_same(&self.table, &other.table)
    }
}

/// The runs of equal owners in a table from a slot on.
fn runs(table: &[NodeId], mut first: usize) -> impl Iterator<Item = Run> + '_ {
    std::iter::from_fn(move || {
        let owner = *table.get(first)?;
        let mut end = first + 1;
        // Blocks at once: the compiler makes wide comparisons of them.
        while let Some(block) = table.get(end..end + 64)
            && block.iter().fold(0, |differs, n| differs | n.0 ^ owner.0) == 0
        {
            end += 64;
        }
        end += table[end..].iter().take_while(|&&n| n == owner).count();
        let run = first as u16..=(end - 1) as u16;
        first = end;
        Some((run, Some(owner).filter(|n| n.is_some())))
    })
}

fn is_same(a: &Arc<Table>, b: &Arc<Table>) -> bool {
    let differ = |(a, b): (&[NodeId], &[NodeId])| a.iter().zip(b).fold(0, |d, (a, b)| d | a.0 ^ b.0) != 0;
    Arc::ptr_eq(a, b) || !a.owners.chunks(64).zip(b.owners.chunks(64)).any(differ)
}

impl Bus {
    pub fn me(&self) -> &Row {
        &self.rows[usize::from(ME)]
    }
    pub fn me_mut(&mut self) -> RowMut<'_> {
        self.row_mut(ME)
    }
    pub fn row(&self, r: RowIdx) -> &Row {
        &self.rows[usize::from(r)]
    }
    pub fn row_mut(&mut self, r: RowIdx) -> RowMut<'_> {
        let i = usize::from(r);
        let row = &mut self.rows[i];
        RowMut {
            slaveof_before: row.slaveof,
            row,
            pulse: &mut self.pulses[i],
            name: &mut self.names[i],
            pfail_count: &mut self.pfail_count,
            census: &mut self.census,
            stirred: &mut self.stirred,
        }
    }
    /// A row of which only clocks, offsets and epochs are changed: nothing else follows from them.
    pub(super) fn clocks(&mut self, r: RowIdx) -> &mut Row {
        &mut self.rows[usize::from(r)]
    }
    /// All rows, those free for reuse too (their id is `NONE`).
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// When the node was last heard of, by its own PONG or in gossip: ms, 0 = never.
    pub fn pong_received(&self, r: RowIdx) -> u64 {
        self.pulses[usize::from(r)].pong_received()
    }
    pub(super) fn set_pong_received(&mut self, r: RowIdx, ms: u64) {
        self.pulses[usize::from(r)].set_pong_received(ms);
    }

    /// Notes when an unanswered ping was sent: ms, 0 = none is.
    pub(super) fn set_ping_sent(&mut self, r: RowIdx, ms: u64) {
        self.rows[usize::from(r)].ping_sent = ms;
        self.pulses[usize::from(r)].set_pinged(ms != 0);
    }

    /// The row of a node id that I know.
    pub fn find(&self, id: NodeId) -> Option<RowIdx> {
        self.by_id.get(id.0 as usize).copied().filter(|&r| r != NO_ROW)
    }

    /// Bytes that the table takes: what grows with the number of nodes.
    pub fn table_bytes(&self) -> usize {
        let per_row = size_of::<Row>() + size_of::<Pulse>() + size_of::<(NodeId, EndpointId)>();
        self.rows.capacity() * per_row + self.by_id.capacity() * 2 + self.dict.buckets.capacity() * 12
    }

    /// All rows in the order of Redis's table.
    pub fn in_order(&self) -> impl Iterator<Item = &Row> {
        self.dict.order().iter().map(|&r| self.row(r))
    }

    /// The master I belong to: mine if I am a replica of a known one, else me.
    pub fn my_master_or_me(&self) -> RowIdx {
        if self.me().is(flag::SLAVE) && self.me().slaveof != NO_ROW { self.me().slaveof } else { ME }
    }

    /// The id of a node's master, if it is a replica of one that I know.
    pub fn master_of(&self, row: &Row) -> NodeId {
        if row.is(flag::SLAVE) && row.slaveof != NO_ROW { self.row(row.slaveof).id } else { NodeId::NONE }
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
            endpoint: EndpointId::NOWHERE,
            link: ConnId::NONE,
            inbound: ConnId::NONE,
            slots: ClaimId::EMPTY,
            attached: 0,
            slaveof: NO_ROW,
            numslots: 0,
            flags: 0,
            link_up: false,
            ping_sent: 0,
            data_received: 0,
            config_epoch: 0,
            repl_offset: 0,
            ctime: now,
            link_ctime: 0,
            inbound_ctime: 0,
            rare: None,
        };
        let pulse = Pulse(0);
        let r = match self.free_rows.pop() {
            Some(r) => {
                self.rows[usize::from(r)] = row;
                self.pulses[usize::from(r)] = pulse;
                r
            }
            None => {
                self.rows.push(row);
                self.pulses.push(pulse);
                self.names.push((id, EndpointId::NOWHERE));
                self.rows.len() as u16 - 1
            }
        };
        self.row_mut(r).flags = flags;
        self.index(id, r);
        self.dict.add(r, name);
        self.restless = true;
        self.agenda.forget();
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
        let id = self.row(r).id;
        self.by_id[id.0 as usize] = NO_ROW;
        self.dict.remove(r);
        let mut row = self.row_mut(r);
        row.id = NodeId::NONE;
        row.flags = 0;
        row.slaveof = NO_ROW;
        drop(row);
        self.free_rows.push(r);
        self.agenda.forget();
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
        let old = self.row(r).flags;
        let new = (old & !clear) | set;
        if old == new {
            return;
        }
        self.row_mut(r).flags = new;
        self.restless |= (old ^ new) & flag::NOADDR != 0;
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
        let full = d.buckets.iter().filter(|b| b.len > 0).count();
        let mut hits = [0u32; 6];
        let mut one_by_one = rng.clone();
        for _ in 0..6_000 {
            for &r in d.random_picks(&mut rng, &mut [0; 10]) {
                assert_eq!(r, d.random(&mut one_by_one));
                hits[usize::from(r)] += 1;
            }
        }
        for b in &d.buckets {
            for i in b.range() {
                let expected = 60_000 / full as u32 / u32::from(b.len);
                let got = hits[usize::from(d.order[i])];
                assert!(got.abs_diff(expected) < expected / 10, "{got} for {expected}");
            }
        }
    }
}
