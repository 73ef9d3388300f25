//! `check` and `info`: what redis-cli says of a cluster, and the check with which most operations begin.

use super::super::Cx;
use super::fix::FixOpen;
use super::load::{Consistent, Load};
use super::node::ranges;
use super::repair::{FixCoverage, FixOwners};
use super::single::Single;
use super::step::{Event, Flow, Step};
use super::tool::Tool;
use crate::slot::{SLOTS, SlotSet};

/// How many keys, slots and replicas each master has.
///
/// redis: redis-cli.c clusterManagerCommandInfo, clusterManagerShowClusterInfo @7.0.15
#[derive(Clone, Debug)]
pub(super) struct ShowInfo {
    start: usize,
    at: usize,
    loaded: bool,
    masters: Vec<usize>,
    keys: u32,
}

impl ShowInfo {
    pub fn of(start: usize) -> Step {
        ShowInfo { start, at: 0, loaded: false, masters: Vec::new(), keys: 0 }.into()
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        if !self.loaded {
            self.loaded = true;
            return Flow::Again(vec![Load::from(self.start).into()]);
        }
        match event {
            Event::Go => self.masters = t.masters(),
            event => {
                let node = self.masters[self.at];
                let Some(keys) = t.good(cx, node, event).and_then(|v| v.as_int()) else { return Flow::Done };
                let n = &t.nodes[node];
                let of_it = |&&r: &&usize| t.nodes[r].slave && t.nodes[r].replicate.as_ref() == Some(&n.id);
                let replicas = t.list.iter().filter(of_it).count();
                let id = n.id.get(..8).unwrap_or("");
                let (addr, slots) = (n.addr, n.slots_count);
                t.say(cx, format!("{addr} ({id}...) -> {keys} keys | {slots} slots | {replicas} slaves."));
                self.keys += keys as u32;
                self.at += 1;
            }
        }
        match self.masters.get(self.at) {
            Some(&node) => Flow::ask(node, "DBSIZE"),
            None => {
                t.say(cx, format!("[OK] {} keys in {} masters.", self.keys, self.masters.len()));
                let average = Single::from_int(self.keys).div(Single::from_int(16_384));
                t.say(cx, format!("{average} keys per slot on average."));
                Flow::Done
            }
        }
    }
}

/// Whether all agree, no slot is open and every slot has an owner; repairs what is not so if the tool
/// fixes. The tool's `ok` tells the result; as an operation of its own it fails if that is no.
///
/// redis: redis-cli.c clusterManagerCommandCheck, clusterManagerCommandFix, clusterManagerCheckCluster @7.0.15
///
/// deviates: redis-cli goes through open and uncovered slots in the order of a hash table, here they come
/// in ascending order.
#[derive(Clone, Debug)]
pub(super) struct Check {
    quiet: bool,
    /// The node to load the cluster from, if this is the whole operation.
    start: Option<usize>,
    at: At,
    result: bool,
    open: Vec<u16>,
    owners: Vec<usize>,
    slot: u16,
    /// How many masters were asked about the slot.
    asked: usize,
    shared_slots: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Load,
    Begin,
    Agree,
    FixOpen(usize),
    Coverage,
    Owners,
    FixOwners,
}

impl Check {
    /// The check of another operation.
    pub fn new(quiet: bool) -> Check {
        Check {
            quiet,
            start: None,
            at: At::Begin,
            result: true,
            open: Vec::new(),
            owners: Vec::new(),
            slot: 0,
            asked: 0,
            shared_slots: 0,
        }
    }

    /// `check` or `fix`.
    pub fn after_info(start: usize) -> Step {
        Check { start: Some(start), at: At::Load, ..Check::new(false) }.into()
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        let failed = matches!(event, Event::Failed);
        match self.at {
            At::Load => {
                self.at = At::Begin;
                Flow::Again(vec![ShowInfo::of(self.start.unwrap_or(0))])
            }
            At::Begin if failed => Flow::Fail,
            At::Begin => {
                let addr = t.addr(t.list[0]);
                t.say(cx, format!(">>> Performing Cluster Check (using node {addr})"));
                if !self.quiet {
                    t.show_nodes(cx);
                }
                self.at = At::Agree;
                Flow::Again(vec![Consistent::default().into()])
            }
            At::Agree => {
                if t.ok {
                    t.say(cx, "[OK] All nodes agree about slots configuration.");
                } else {
                    t.on_error(cx, "[ERR] Nodes don't agree about configuration!".into());
                    self.result = false;
                }
                self.open_slots(t, cx)
            }
            At::FixOpen(i) => {
                self.result = !failed;
                match self.open.get(i) {
                    Some(&slot) if !failed => {
                        self.at = At::FixOpen(i + 1);
                        Flow::Again(vec![FixOpen::slot(slot).into()])
                    }
                    _ => self.coverage(t, cx),
                }
            }
            At::Coverage => {
                if t.ok && !failed {
                    self.result = true;
                }
                self.owners(t, cx)
            }
            At::Owners => {
                let node = t.masters()[self.asked];
                let keys = t.good(cx, node, event).and_then(|v| v.as_int()).unwrap_or(-1);
                if keys > 0 {
                    self.owners.push(node);
                }
                self.asked += 1;
                self.next_owner(t, cx)
            }
            At::FixOwners => {
                self.result = !failed && t.ok;
                if !self.result {
                    t.say(cx, format!("Failed to fix multiple owners for slot {}", self.slot));
                    return self.end(t, cx);
                }
                self.shared_slots -= 1;
                self.next_slot(t, cx)
            }
        }
    }

    fn open_slots(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        t.say(cx, ">>> Check for open slots...");
        let mut open = SlotSet::EMPTY;
        for node in t.list.clone() {
            let n = &t.nodes[node];
            let lists = [("migrating", n.migrating.clone()), ("importing", n.importing.clone())];
            for (state, slots) in lists.into_iter().filter(|(_, slots)| !slots.is_empty()) {
                for (slot, _) in &slots {
                    open.insert(*slot);
                }
                let slots: Vec<String> = slots.iter().map(|(slot, _)| slot.to_string()).collect();
                let (addr, slots) = (t.addr(node), slots.join(","));
                t.on_error(cx, format!("[WARNING] Node {addr} has slots in {state} state {slots}."));
            }
        }
        self.open = open.iter().collect();
        if !self.open.is_empty() {
            self.result = false;
            let slots: Vec<String> = self.open.iter().map(u16::to_string).collect();
            t.say(cx, format!("[WARNING] The following slots are open: {}.", slots.join(",")));
            if t.fixing {
                self.at = At::FixOpen(1);
                return Flow::Again(vec![FixOpen::slot(self.open[0]).into()]);
            }
        }
        self.coverage(t, cx)
    }

    /// redis: redis-cli.c clusterManagerGetCoveredSlots @7.0.15
    fn coverage(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        t.say(cx, ">>> Check slots coverage...");
        let mut covered = SlotSet::EMPTY;
        for &node in &t.list {
            t.nodes[node].slots.iter().for_each(|slot| {
                covered.insert(slot);
            });
        }
        if covered.len() == SLOTS {
            t.say(cx, "[OK] All 16384 slots covered.");
            return self.owners(t, cx);
        }
        t.on_error(cx, "[ERR] Not all 16384 slots are covered by nodes.\n".into());
        self.result = false;
        if !t.fixing {
            return self.owners(t, cx);
        }
        self.at = At::Coverage;
        let uncovered = (0..SLOTS).filter(|&slot| !covered.contains(slot)).collect();
        Flow::Again(vec![FixCoverage::of(uncovered).into()])
    }

    // ---- multiple owners ------------------------------------------------------------------------

    fn owners(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        if !t.options.search_multiple_owners {
            return self.result(t);
        }
        t.say(cx, ">>> Check for multiple slot owners...");
        self.slot = 0;
        self.begin_slot();
        self.next_owner(t, cx)
    }

    fn begin_slot(&mut self) {
        self.asked = 0;
        self.owners.clear();
    }

    /// Asks the next master that does not list the slot how many keys of it it has.
    fn next_owner(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        self.at = At::Owners;
        let masters = t.masters();
        loop {
            while let Some(&node) = masters.get(self.asked) {
                if !t.nodes[node].slots.contains(self.slot) {
                    return Flow::ask(node, format!("CLUSTER COUNTKEYSINSLOT {}", self.slot));
                }
                self.owners.push(node);
                self.asked += 1;
            }
            if self.owners.len() > 1 {
                self.result = false;
                let text = format!("[WARNING] Slot {} has {} owners:", self.slot, self.owners.len());
                t.say(cx, text);
                for &node in &self.owners {
                    let addr = t.addr(node);
                    t.say(cx, format!("    {addr}"));
                }
                self.shared_slots += 1;
                if t.fixing {
                    self.at = At::FixOwners;
                    return Flow::Again(vec![FixOwners::of(self.slot, self.owners.clone()).into()]);
                }
            }
            self.slot += 1;
            if self.slot == SLOTS {
                return self.end(t, cx);
            }
            self.begin_slot();
        }
    }

    fn next_slot(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        self.slot += 1;
        if self.slot == SLOTS {
            return self.end(t, cx);
        }
        self.begin_slot();
        self.next_owner(t, cx)
    }

    fn end(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        if self.shared_slots == 0 {
            t.say(cx, "[OK] No multiple owners found.");
        }
        self.result(t)
    }

    fn result(&self, t: &mut Tool) -> Flow {
        t.ok = self.result;
        if self.start.is_some() && !self.result { Flow::Fail } else { Flow::Done }
    }
}

/// redis: redis-cli.c clusterManagerPrintSlotsList @7.0.15
pub(super) fn slot_list(slots: &[u16]) -> String {
    let mut set = SlotSet::EMPTY;
    slots.iter().for_each(|&slot| {
        set.insert(slot);
    });
    ranges(&set)
}
