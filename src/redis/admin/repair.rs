//! `fix` of slots that nobody owns and of slots that several nodes own.

use super::super::Cx;
use super::check::slot_list;
use super::fix::refuses_unreachable;
use super::move_slot::{DelSlot, How, MostKeys, MoveSlot, SetOwner, SetSlot};
use super::step::{Event, Flow, Step};
use super::tool::Tool;

/// Gives each uncovered slot to a node: to one that has keys of it, else to any. The tool's `ok` says
/// whether a slot was covered.
///
/// redis: redis-cli.c clusterManagerFixSlotsCoverage, clusterManagerNodeMasterRandom @7.0.15
///
/// deviates: the random number of the second comes from a stream of the run, not from the C library.
#[derive(Clone, Debug)]
pub(super) struct FixCoverage {
    uncovered: Vec<u16>,
    at: At,
    masters: Vec<usize>,
    /// Slots and masters asked, in this order.
    slot: usize,
    asked: usize,
    /// Who has keys of the present slot.
    holders: Vec<usize>,
    /// Slots by the number of nodes with keys of them: none, one, more.
    groups: [Vec<(u16, Vec<usize>)>; 3],
    fixed: u32,
    chosen: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Begin,
    Keys,
    /// The next slot of a group.
    Group(usize),
    /// It has its new owner.
    Covered(usize),
    /// The node with most keys was looked for.
    MostKeys,
}

const TITLES: [&str; 3] = [
    "The following uncovered slots have no keys across the cluster:",
    "The following uncovered slots have keys in just one node:",
    "The following uncovered slots have keys in multiple nodes:",
];
const QUESTIONS: [&str; 3] = [
    "Fix these slots by covering with a random node?",
    "Fix these slots by covering with those nodes?",
    "Fix these slots by moving keys into a single node?",
];

impl FixCoverage {
    pub fn of(uncovered: Vec<u16>) -> FixCoverage {
        FixCoverage {
            uncovered,
            at: At::Begin,
            masters: Vec::new(),
            slot: 0,
            asked: 0,
            holders: Vec::new(),
            groups: Default::default(),
            fixed: 0,
            chosen: 0,
        }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match self.at {
            At::Begin => {
                if refuses_unreachable(t, cx, "slots coverage") {
                    return Flow::Exit(1);
                }
                t.say(cx, ">>> Fixing slots coverage...");
                self.masters = t.list.iter().copied().filter(|&n| t.nodes[n].is_master()).collect();
                self.at = At::Keys;
                self.ask(t, cx)
            }
            At::Keys => {
                let node = self.masters[self.asked];
                let Some(keys) = t.good(cx, node, event) else { return Flow::Fail };
                if keys.as_array().is_some_and(|k| !k.is_empty()) {
                    self.holders.push(node);
                }
                self.asked += 1;
                self.ask(t, cx)
            }
            At::Group(g) => self.next(t, cx, g),
            At::Covered(g) => {
                let (slot, holders) = self.groups[g].remove(0);
                t.nodes[self.chosen].slots.insert(slot);
                self.fixed += 1;
                self.at = At::Group(g);
                if g < 2 {
                    return self.next(t, cx, g);
                }
                self.gather(slot, &holders)
            }
            At::MostKeys => {
                let Some(target) = t.found else { return Flow::Fail };
                let (addr, slot) = (t.addr(target), self.groups[2][0].0);
                t.say(cx, format!(">>> Covering slot {slot} moving keys to {addr}"));
                self.cover(2, target)
            }
        }
    }

    /// Which nodes have keys of the slots.
    fn ask(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        while let Some(&slot) = self.uncovered.get(self.slot) {
            if let Some(&node) = self.masters.get(self.asked) {
                return Flow::ask(node, format!("CLUSTER GETKEYSINSLOT {slot} 1"));
            }
            let holders = std::mem::take(&mut self.holders);
            self.groups[holders.len().min(2)].push((slot, holders));
            self.slot += 1;
            self.asked = 0;
        }
        self.begin_group(t, cx, 0)
    }

    fn begin_group(&mut self, t: &mut Tool, cx: &mut Cx<'_>, g: usize) -> Flow {
        if g == 3 {
            t.ok = self.fixed > 0;
            return Flow::Done;
        }
        self.at = At::Group(g);
        if self.groups[g].is_empty() {
            return self.begin_group(t, cx, g + 1);
        }
        let slots: Vec<u16> = self.groups[g].iter().map(|(slot, _)| *slot).collect();
        t.say(cx, TITLES[g]);
        t.say(cx, slot_list(&slots));
        // A yes on the command line does not count here.
        if !t.confirm(cx, QUESTIONS[g], false) {
            self.groups[g].clear();
        }
        self.next(t, cx, g)
    }

    fn next(&mut self, t: &mut Tool, cx: &mut Cx<'_>, g: usize) -> Flow {
        let Some((slot, holders)) = self.groups[g].first() else { return self.begin_group(t, cx, g + 1) };
        let slot = *slot;
        let node = match g {
            0 => {
                let masters = t.masters();
                // Seeded anew with the time in seconds: within a second it is always the same node.
                let mut rng = cx.stream(&format!("random master {}", cx.now.0 / 1_000_000));
                masters[rng.below(masters.len() as u32) as usize]
            }
            1 => holders[0],
            _ => {
                self.at = At::MostKeys;
                return Flow::Again(vec![MostKeys::new(t, holders, slot).into()]);
            }
        };
        let addr = t.addr(node);
        t.routine();
        t.say(cx, format!(">>> Covering slot {slot} with {addr}"));
        self.cover(g, node)
    }

    fn cover(&mut self, g: usize, node: usize) -> Flow {
        self.chosen = node;
        self.at = At::Covered(g);
        Flow::Again(vec![SetOwner::new(node, self.groups[g][0].0, g == 2).into()])
    }

    /// The other nodes send their keys of the slot to the new owner.
    fn gather(&self, slot: u16, holders: &[usize]) -> Flow {
        let target = self.chosen;
        let how = How { verbose: true, cold: true, ..How::default() };
        let mut steps: Vec<Step> = Vec::new();
        for &node in holders.iter().filter(|&&n| n != target) {
            steps.push(SetSlot::new(node, slot, "NODE", target).into());
            // It exports, but as an importing node it carries MIGRATE out itself.
            steps.push(SetSlot::new(node, slot, "IMPORTING", target).into());
            steps.push(MoveSlot::new(node, target, slot, how).into());
            steps.push(SetSlot::stable(node, slot).into());
        }
        Flow::Again(steps)
    }
}

/// Leaves one owner to a slot: the one with most keys.
///
/// redis: redis-cli.c clusterManagerFixMultipleSlotOwners @7.0.15
#[derive(Clone, Debug)]
pub(super) struct FixOwners {
    slot: u16,
    owners: Vec<usize>,
    at: OwnersAt,
    owner: usize,
    others: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnersAt {
    Begin,
    MostKeys,
    Owned,
    Count(usize),
    Moved(usize),
}

impl FixOwners {
    pub fn of(slot: u16, owners: Vec<usize>) -> FixOwners {
        FixOwners { slot, owners, at: OwnersAt::Begin, owner: 0, others: Vec::new() }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        t.ok = true;
        let slot = self.slot;
        match (self.at, event) {
            (_, Event::Failed) => {
                t.ok = false;
                Flow::Done
            }
            (OwnersAt::Begin, _) => {
                t.say(cx, format!(">>> Fixing multiple owners for slot {slot}..."));
                self.at = OwnersAt::MostKeys;
                Flow::Again(vec![MostKeys::new(t, &self.owners, slot).into()])
            }
            (OwnersAt::MostKeys, _) => {
                self.owner = t.found.unwrap_or(self.owners[0]);
                let addr = t.addr(self.owner);
                t.say(cx, format!(">>> Setting slot {slot} owner: {addr}"));
                self.others = t.masters();
                self.others.retain(|&n| n != self.owner);
                self.at = OwnersAt::Owned;
                Flow::Again(vec![SetOwner::new(self.owner, slot, false).into()])
            }
            (OwnersAt::Owned, _) => self.count(0),
            (OwnersAt::Moved(i), _) => self.count(i + 1),
            (OwnersAt::Count(i), event) => {
                let node = self.others[i];
                let Some(keys) = t.good(cx, node, event).and_then(|v| v.as_int()) else {
                    t.ok = false;
                    return Flow::Done;
                };
                let mut steps: Vec<Step> = vec![
                    DelSlot::new(node, slot).whatever_comes().into(),
                    SetSlot::new(node, slot, "node", self.owner).into(),
                ];
                if keys > 0 {
                    let how = How { verbose: true, cold: true, ..How::default() };
                    steps.push(MoveSlot::new(node, self.owner, slot, how).into());
                }
                self.at = OwnersAt::Moved(i);
                Flow::Again(steps)
            }
        }
    }

    fn count(&mut self, i: usize) -> Flow {
        match self.others.get(i) {
            Some(&node) => {
                self.at = OwnersAt::Count(i);
                Flow::ask(node, format!("CLUSTER COUNTKEYSINSLOT {}", self.slot))
            }
            None => Flow::Done,
        }
    }
}
