//! Who owns which slot, by which epoch; how claims spread; replicas that change their master.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::super::Cx;
use super::super::registry::ClaimId;
use super::packet::{Body, Packet, kind};
use super::ping::Pongs;
use super::view::{ME, NO_ROW, RowIdx, flag};
use super::{Bus, Host, Order, todo};
use crate::base::Dur;
use crate::slot::SlotSet;
use crate::trace::{EpochCause, Fact, Level, NodeId};

/// How long a master must be orphaned before a replica moves to it. redis: CLUSTER_SLAVE_MIGRATION_DELAY @7.0.15
const MIGRATION_DELAY_MS: u64 = 5000;
/// Exit code of a process that a failed assertion ended, as a shell shows it: SIGSEGV, with which Redis
/// ends itself after its crash report.
const ABORTED: i32 = 139;

/// What replica migration asks of the table.
#[derive(Clone, Copy, Debug)]
pub struct Census {
    /// Masters with slots whose replicas are all gone.
    orphaned: u32,
    /// The most working replicas that a master has, and how many mine has.
    max_replicas: u32,
    mine: u32,
}

impl Bus {
    // ---- ownership ------------------------------------------------------------------------------

    /// Gives the slots to a node, or to nobody.
    /// redis: clusterDelSlot, clusterAddSlot for each slot @7.0.15
    pub fn rebind(&mut self, cx: &mut Cx<'_>, slots: &SlotSet, to: Option<RowIdx>) {
        let time = self.bind(cx, slots, to);
        if time > Dur::ZERO {
            cx.work(time);
        }
        self.owners.share(&mut cx.names.owner_tables);
    }

    /// The same, one of many: the caller shares the table of owners when all are done. Returns how long it takes.
    pub(super) fn bind(&mut self, cx: &mut Cx<'_>, slots: &SlotSet, to: Option<RowIdx>) -> Dur {
        let new_owner = to.map(|r| self.row(r).id);
        let mut lost: BTreeMap<NodeId, SlotSet> = BTreeMap::new();
        let mut gained = SlotSet::EMPTY;
        self.owners.give(slots, new_owner, |run, old| {
            if let Some(o) = old {
                lost.entry(o).or_default().insert_range(run.clone());
            }
            gained.insert_range(run);
        });
        let losses: u32 = lost.values().map(|set| u32::from(set.len())).sum();
        let gains = if to.is_some() { u32::from(gained.len()) } else { 0 };
        for (owner, gone) in lost {
            let Some(r) = self.find(owner) else { continue };
            let mut set = (**cx.names.slots(self.row(r).slots)).clone();
            set.remove_all(&gone);
            self.set_claim(cx, r, &set);
        }
        if let Some(r) = to.filter(|_| !gained.is_empty()) {
            let mut set = (**cx.names.slots(self.row(r).slots)).clone();
            set.insert_all(&gained);
            let first = self.row(r).numslots == 0;
            self.set_claim(cx, r, &set);
            if first && self.masters_have_replicas() {
                self.set_flags(r, flag::MIGRATE_TO, 0);
            }
        }
        cx.machine.slots(losses, gains)
    }

    pub(super) fn set_claim(&mut self, cx: &mut Cx<'_>, r: RowIdx, set: &SlotSet) {
        let id = cx.names.claim(set);
        let n = cx.names.claim_len(id);
        let mut row = self.row_mut(r);
        row.slots = id;
        row.numslots = n;
    }

    /// CLUSTER SETSLOT NODE after its checks. A slot that I was importing gets me a new epoch, so that
    /// others believe it; giving away my last slot makes me a replica of whoever has it now.
    ///
    /// redis: clusterCommand SETSLOT NODE @7.0.15
    pub fn assign_slot(&mut self, cx: &mut Cx<'_>, host: &Host, slot: u16, to: RowIdx, has_keys: bool) {
        let was_mine = self.owners.get(slot) == Some(self.me().id);
        if !has_keys {
            self.migrating_to.remove(&slot);
        }
        self.rebind(cx, &SlotSet::from_range(slot..=slot), Some(to));
        if was_mine && to != ME && self.me().numslots == 0 && self.conf.allow_replica_migration {
            let master = self.row(to).id;
            cx.emit(Fact::Reconfigured { master });
            self.set_my_master(cx, to);
            self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE | todo::FSYNC_CONFIG;
        }
        if to == ME && self.importing_from.contains_key(&slot) {
            if self.bump_epoch(cx) {
                let epoch = self.me().config_epoch;
                cx.emit(Fact::EpochSet { epoch, cause: EpochCause::Import { slot } });
            }
            self.importing_from.remove(&slot);
            self.broadcast_pong(cx, host, Pongs::All);
        }
    }

    /// redis: clusterDelNodeSlots @7.0.15
    pub(super) fn delete_slots_of(&mut self, cx: &mut Cx<'_>, r: RowIdx) {
        if self.row(r).numslots > 0 {
            let slots = cx.names.slots(self.row(r).slots).clone();
            self.rebind(cx, &slots, None);
        }
    }

    /// redis: clusterMastersHaveSlaves @7.0.15
    fn masters_have_replicas(&self) -> bool {
        self.rows.iter().any(|n| n.id.is_some() && n.is(flag::SLAVE) && n.slaveof != NO_ROW)
    }

    /// Whether the slot's owner has stopped claiming it. redis: isSlotUnclaimed @7.0.15
    pub(super) fn not_claiming(&self, slot: u16) -> bool {
        self.owner_not_claiming.as_ref().is_some_and(|s| s.contains(slot))
    }

    fn clear_not_claiming(&mut self, slots: &SlotSet) {
        if let Some(set) = &mut self.owner_not_claiming {
            set.remove_all(slots);
        }
    }

    /// Takes a master's claim over into my table where it has the higher epoch, and follows it if it
    /// took everything from my master or me.
    ///
    /// redis: clusterUpdateSlotsConfigWith @7.0.15
    pub(super) fn update_slots_with(
        &mut self,
        cx: &mut Cx<'_>,
        host: &Host,
        sender: RowIdx,
        epoch: u64,
        claim: ClaimId,
    ) {
        if sender == ME {
            cx.emit(Fact::UpdateAboutMyself);
            return;
        }
        let my_master = if self.me().is_master() { ME } else { self.me().slaveof };
        let cur = if my_master == NO_ROW { NodeId::NONE } else { self.row(my_master).id };
        let (me, from) = (self.me().id, self.row(sender).id);
        let claimed = cx.names.slots(claim).clone();
        let bound = cx.names.slots(self.row(sender).slots).clone();
        let mut taken = SlotSet::EMPTY;
        let mut dirty = Vec::new();
        let (mut ours, sender_slots) = (0, claimed.len());
        let mut last_loser = NodeId::NONE;
        let new = claimed.without(&bound);
        // Those that it claims as before are claimed.
        self.clear_not_claiming(&claimed.without(&new));
        let mut take = |run: RangeInclusive<u16>, owner: Option<NodeId>| {
            if owner == Some(me) && host.has_keys {
                dirty.extend(run.clone());
            }
            if cur.is_some() && owner == Some(cur) {
                ours += run.end() - run.start() + 1;
            }
            last_loser = owner.unwrap_or(NodeId::NONE);
            taken.insert_range(run);
        };
        let alike = self.importing_from.is_empty() && self.owner_not_claiming.is_none();
        for (run, owner) in new.ranges().into_iter().flat_map(|range| self.owners.runs_of(range)) {
            let owner_epoch = owner.and_then(|o| self.find(o)).map_or(0, |r| self.row(r).config_epoch);
            let weaker = owner.is_none() || owner_epoch < epoch;
            if alike {
                if weaker {
                    take(run, owner);
                }
                continue;
            }
            for slot in run.filter(|slot| !self.importing_from.contains_key(slot)) {
                if weaker || self.not_claiming(slot) {
                    take(slot..=slot, owner);
                }
            }
        }
        self.clear_not_claiming(&taken);
        // Slots that the sender owned and no longer claims stay bound to it, but lightly.
        let unclaimed = bound.without(&claimed);
        if !unclaimed.is_empty() {
            let set = self.owner_not_claiming.get_or_insert_with(|| Box::new(SlotSet::EMPTY));
            set.insert_all(&unclaimed);
        }
        if !taken.is_empty() {
            self.rebind(cx, &taken, Some(sender));
            self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE | todo::FSYNC_CONFIG;
            cx.emit(Fact::SlotsMoved { to: from, from: last_loser, count: taken.len() });
        }
        let emptied = ours > 0 && self.row(my_master).numslots == 0;
        if emptied && (self.conf.allow_replica_migration || sender_slots == ours) {
            cx.emit(Fact::Reconfigured { master: from });
            self.set_my_master(cx, sender);
            self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE | todo::FSYNC_CONFIG;
            return;
        }
        let master = self.me().slaveof;
        if master != NO_ROW && self.row(master).slaveof != NO_ROW && self.row(master).slaveof != ME {
            let grand = self.row(master).slaveof;
            let id = self.row(grand).id;
            cx.emit(Fact::SubReplica { master: id });
            self.set_my_master(cx, grand);
            self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE | todo::FSYNC_CONFIG;
        } else {
            self.orders.extend(dirty.into_iter().map(|slot| Order::DeleteKeys { slot }));
        }
    }

    /// Tells a sender with an outdated claim who owns the first such slot now. One UPDATE per packet.
    pub(super) fn correct_claim(&mut self, cx: &mut Cx<'_>, host: &Host, s: RowIdx, p: &Packet) {
        let sender = self.row(s).id;
        let claimed = cx.names.slots(p.slots).clone();
        let runs = claimed.ranges().into_iter().flat_map(|range| self.owners.runs_of(range));
        let newer = { runs }.find_map(|(mut run, owner)| {
            let r = self.find(owner.filter(|&o| o != sender)?)?;
            let newer = self.row(r).config_epoch > p.config_epoch;
            (newer && run.any(|slot| !self.not_claiming(slot))).then_some(r)
        });
        let Some(owner) = newer else { return };
        let about = self.row(owner).id;
        cx.note(Level::Debug, || Fact::UpdateSent { to: sender, about });
        let link = self.row(s).link;
        if !link.is_some() {
            return;
        }
        let mut slots = (**cx.names.slots(self.row(owner).slots)).clone();
        if let Some(stale) = &self.owner_not_claiming {
            slots.remove_all(stale);
        }
        let body = Body::Update {
            node: about,
            config_epoch: self.row(owner).config_epoch,
            slots: cx.names.claim(&slots),
        };
        let packet = self.packet(cx, host, kind::UPDATE, body);
        self.post(cx, link, sender, packet);
    }

    /// redis: the UPDATE branch of clusterProcessPacket @7.0.15: ignored if I know the epoch already.
    pub(super) fn receive_update(&mut self, cx: &mut Cx<'_>, node: NodeId, epoch: u64, slots: ClaimId) {
        let Some(r) = self.find(node) else { return };
        if self.row(r).config_epoch >= epoch {
            return;
        }
        if self.row(r).is(flag::SLAVE) {
            self.set_node_as_master(cx, r);
        }
        self.row_mut(r).config_epoch = epoch;
        self.todo |= todo::SAVE_CONFIG | todo::FSYNC_CONFIG;
        let host = Host { has_keys: true, ..Host::default() };
        self.update_slots_with(cx, &host, r, epoch, slots);
    }

    // ---- epochs ---------------------------------------------------------------------------------

    /// Two masters with one configEpoch: the smaller id takes a new one.
    ///
    /// redis: clusterHandleConfigEpochCollision @7.0.15
    pub(super) fn resolve_collision(&mut self, cx: &mut Cx<'_>, s: RowIdx) {
        let (mine, theirs) = (cx.names.node_name(self.me().id), cx.names.node_name(self.row(s).id));
        if theirs <= mine {
            return;
        }
        self.current_epoch += 1;
        let epoch = self.current_epoch;
        self.me_mut().config_epoch = epoch;
        self.save(cx, true);
        let with = self.row(s).id;
        cx.emit(Fact::EpochSet { epoch, cause: EpochCause::Collision { with } });
    }

    /// A new highest configEpoch for me without asking anybody; false if mine is the highest.
    ///
    /// redis: clusterBumpConfigEpochWithoutConsensus @7.0.15
    pub fn bump_epoch(&mut self, cx: &mut Cx<'_>) -> bool {
        let max = self
            .rows
            .iter()
            .filter(|r| r.id.is_some())
            .map(|r| r.config_epoch)
            .fold(self.current_epoch, u64::max);
        if self.me().config_epoch != 0 && self.me().config_epoch == max {
            return false;
        }
        self.current_epoch += 1;
        let epoch = self.current_epoch;
        self.me_mut().config_epoch = epoch;
        self.todo |= todo::SAVE_CONFIG | todo::FSYNC_CONFIG;
        cx.emit(Fact::EpochSet { epoch, cause: EpochCause::Bump });
        true
    }

    // ---- roles ----------------------------------------------------------------------------------

    /// redis: clusterSetNodeAsMaster @7.0.15
    pub(super) fn set_node_as_master(&mut self, cx: &mut Cx<'_>, r: RowIdx) {
        if self.row(r).is_master() {
            return;
        }
        let had_master = self.row(r).slaveof != NO_ROW;
        self.detach_from_master(r);
        self.set_flags(r, flag::MASTER, flag::SLAVE);
        if had_master && r != ME {
            self.set_flags(r, flag::MIGRATE_TO, 0);
        }
        self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE;
        let node = self.row(r).id;
        cx.note(Level::Debug, || Fact::RoleSeen { node, master: true });
    }

    /// redis: clusterNodeRemoveSlave @7.0.15
    pub(super) fn detach_from_master(&mut self, r: RowIdx) {
        let master = self.row(r).slaveof;
        if master == NO_ROW {
            return;
        }
        self.row_mut(r).slaveof = NO_ROW;
        if self.replicas_of(master).next().is_none() {
            self.set_flags(master, 0, flag::MIGRATE_TO);
        }
    }

    /// redis: clusterNodeAddSlave @7.0.15
    pub(super) fn attach_to_master(&mut self, r: RowIdx, master: RowIdx) {
        let attached = self.attachments;
        self.attachments += 1;
        let mut row = self.row_mut(r);
        row.slaveof = master;
        row.attached = attached;
        drop(row);
        self.set_flags(master, flag::MIGRATE_TO, 0);
    }

    /// Makes me a replica of the node. False if that ends the process: Redis asserts that a replica has
    /// no slots, and CLUSTER ADDSLOTS can give it some.
    ///
    /// redis: clusterSetMaster @7.0.15
    pub fn set_my_master(&mut self, cx: &mut Cx<'_>, r: RowIdx) -> bool {
        assert!(r != ME, "nobody replicates itself");
        if self.me().numslots > 0 {
            self.orders.push(Order::Exit { code: ABORTED });
            return false;
        }
        if self.me().is_master() {
            self.set_flags(ME, flag::SLAVE, flag::MASTER | flag::MIGRATE_TO);
            self.close_all_slots();
        } else {
            self.detach_from_master(ME);
        }
        self.attach_to_master(ME, r);
        let e = cx.names.endpoint_of(self.row(r).endpoint);
        if let Some(ip) = e.ip {
            self.orders.push(Order::Follow { ip, port: e.port });
        }
        self.reset_manual_failover();
        true
    }

    /// redis: clusterCloseAllSlots @7.0.15
    pub fn close_all_slots(&mut self) {
        self.migrating_to.clear();
        self.importing_from.clear();
    }

    /// CLUSTER RESET. redis: clusterReset @7.0.15
    pub fn reset(&mut self, cx: &mut Cx<'_>, hard: bool) {
        if self.me().is(flag::SLAVE) {
            self.set_node_as_master(cx, ME);
            self.orders.push(Order::Lead);
            self.orders.push(Order::FlushAll);
        }
        self.close_all_slots();
        self.reset_manual_failover();
        self.rebind(cx, &SlotSet::from_range(0..=crate::slot::SLOTS - 1), None);
        let others: Vec<RowIdx> = self.dict.order().iter().copied().filter(|&r| r != ME).collect();
        for r in others {
            self.delete_node(cx, r);
        }
        if hard {
            self.current_epoch = 0;
            self.last_vote_epoch = 0;
            self.me_mut().config_epoch = 0;
            cx.emit(Fact::EpochSet { epoch: 0, cause: EpochCause::HardReset });
            let name = super::super::registry::NodeName::random(&mut self.rng_name);
            let id = cx.names.node(name);
            cx.names.set_owner(id, cx.host);
            self.rename_row(ME, id, name);
            cx.emit(Fact::HardReset { node: id });
        }
        self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE | todo::FSYNC_CONFIG;
    }

    // ---- replica migration ----------------------------------------------------------------------

    /// Of every row, how many working replicas it has.
    fn ok_replicas(&self) -> Vec<u32> {
        let mut counts = vec![0; self.rows.len()];
        for row in &self.rows {
            if row.id.is_some() && row.is(flag::SLAVE) && row.slaveof != NO_ROW && !row.failed() {
                counts[usize::from(row.slaveof)] += 1;
            }
        }
        counts
    }

    /// The cron's preconditions, then the decision to move to an orphaned master.
    ///
    /// redis: clusterCron, clusterHandleSlaveMigration @7.0.15
    pub(super) fn consider_migration(&mut self, cx: &mut Cx<'_>, now: u64) {
        if self.may_migrate() {
            let max_replicas = self.take_census().max_replicas;
            self.migrate_if_candidate(cx, now, max_replicas);
        }
    }

    /// There is an orphaned master, and mine has as many replicas as any.
    pub(super) fn may_migrate(&mut self) -> bool {
        if !self.conf.allow_replica_migration {
            return false;
        }
        let census = self.census.unwrap_or_else(|| self.take_census());
        census.orphaned > 0 && census.max_replicas >= 2 && census.mine == census.max_replicas
    }

    /// Counts; the counts hold until flags, masters or slots of a row change.
    fn take_census(&mut self) -> Census {
        let my_master = self.me().slaveof;
        let mut census = Census { orphaned: 0, max_replicas: 0, mine: 0 };
        for (r, (row, ok)) in self.rows.iter().zip(self.ok_replicas()).enumerate() {
            if !row.id.is_some()
                || row.is(flag::MYSELF | flag::NOADDR | flag::HANDSHAKE | flag::FAIL)
                || !row.is_master()
            {
                continue;
            }
            if ok == 0 && row.numslots > 0 && row.is(flag::MIGRATE_TO) {
                census.orphaned += 1;
            }
            census.max_replicas = census.max_replicas.max(ok);
            if usize::from(my_master) == r {
                census.mine = ok;
            }
        }
        self.census = Some(census);
        census
    }

    fn migrate_if_candidate(&mut self, cx: &mut Cx<'_>, now: u64, max_replicas: u32) {
        let my_master = self.me().slaveof;
        if !self.state_ok || my_master == NO_ROW {
            return;
        }
        let working =
            self.replicas_of(my_master).filter(|&r| !self.row(r).is(flag::FAIL | flag::PFAIL)).count() as u32;
        if working <= self.conf.migration_barrier {
            return;
        }
        let mut target = NO_ROW;
        let mut candidate = ME;
        let counts = self.ok_replicas();
        for i in 0..self.dict.len() {
            let r = self.dict.order()[i];
            let row = self.row(r);
            let ok = if row.is_master() { counts[usize::from(r)] } else { 0 };
            let orphan = row.is_master() && !row.failed() && row.is(flag::MIGRATE_TO) && ok == 0;
            if orphan && target == NO_ROW && row.numslots > 0 {
                target = r;
            }
            let known = row.rare().orphaned_time;
            let since = match (orphan, known) {
                (false, _) => 0,
                (true, 0) => now,
                (true, t) => t,
            };
            if since != known {
                self.row_mut(r).rare_mut().orphaned_time = since;
            }
            if ok == max_replicas {
                // Failed replicas count too: a dead one with the smallest id blocks the move.
                for s in self.replicas_of(r) {
                    if cx.names.node_name(self.row(s).id) < cx.names.node_name(self.row(candidate).id) {
                        candidate = s;
                    }
                }
            }
        }
        if target != NO_ROW
            && candidate == ME
            && now - self.row(target).rare().orphaned_time > MIGRATION_DELAY_MS
        {
            let master = self.row(target).id;
            cx.emit(Fact::MigratingTo { master });
            self.set_my_master(cx, target);
        }
    }
}
