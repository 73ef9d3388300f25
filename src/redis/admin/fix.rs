//! `fix` of a slot that was left open: migrating somewhere, importing somewhere, or both.

use super::super::Cx;
use super::move_slot::{DelSlot, How, MostKeys, MoveSlot, SetOwner, SetSlot};
use super::step::{Event, Flow, Step};
use super::tool::Tool;

/// Closes one open slot where redis-cli has a way to.
///
/// redis: redis-cli.c clusterManagerFixOpenSlot @7.0.15
#[derive(Clone, Debug)]
pub(super) struct FixOpen {
    slot: u16,
    at: At,
    masters: Vec<usize>,
    asked: usize,
    /// Nodes that list the slot or hold keys of it.
    owners: Vec<usize>,
    migrating: Vec<usize>,
    importing: Vec<usize>,
    /// Both as text, as they were found: messages show them so to the end.
    states: [String; 2],
    owner: Option<usize>,
    /// Where a slot goes that several nodes import.
    target: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Begin,
    Owners,
    States,
    Choose,
    Chosen,
    Single,
    /// Whether the importing nodes hold keys.
    Importing,
    MigratingKeys,
    End,
}

/// What redis-cli says when it refuses to work on half a cluster.
///
/// redis: redis-cli.c CLUSTER_MANAGER_CMD_FLAG_FIX_WITH_UNREACHABLE_MASTERS @7.0.15
pub(super) fn refuses_unreachable(t: &mut Tool, cx: &mut Cx<'_>, what: &str) -> bool {
    let n = t.unreachable_masters;
    if n == 0 || t.options.fix_with_unreachable_masters {
        return false;
    }
    t.say(
        cx,
        format!(
            "*** Fixing {what} with {n} unreachable masters is dangerous: redis-cli will assume that slots about \
             masters that are not reachable are not covered, and will try to reassign them to the reachable nodes. \
             This can cause data loss and is rarely what you want to do. If you really want to proceed use the \
             --cluster-fix-with-unreachable-masters option."
        ),
    );
    true
}

impl FixOpen {
    pub fn slot(slot: u16) -> FixOpen {
        FixOpen {
            slot,
            at: At::Begin,
            masters: Vec::new(),
            asked: 0,
            owners: Vec::new(),
            migrating: Vec::new(),
            importing: Vec::new(),
            states: Default::default(),
            owner: None,
            target: None,
        }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match self.at {
            At::Begin => {
                if refuses_unreachable(t, cx, "open slots") {
                    return Flow::Exit(1);
                }
                t.say(cx, format!(">>> Fixing open slot {}", self.slot));
                self.masters = t.masters();
                self.at = At::Owners;
                self.next_owner(t, cx)
            }
            At::Owners | At::States | At::Importing => {
                let node = match self.at {
                    At::Importing => self.importing[self.asked],
                    _ => self.masters[self.asked],
                };
                let keys = t.good(cx, node, event).and_then(|v| v.as_int());
                let keys = match (keys, self.at) {
                    (Some(keys), _) => keys,
                    (None, At::Importing) => -1,
                    (None, _) => return Flow::Fail,
                };
                self.counted(t, cx, node, keys)
            }
            At::Choose => self.choose(t, cx),
            At::Chosen => {
                let owner = self.owner.unwrap_or_default();
                t.nodes[owner].slots.insert(self.slot);
                self.migrating.retain(|&n| n != owner);
                self.importing.retain(|&n| n != owner);
                self.make_single(t, cx)
            }
            At::Single => self.cases(t, cx),
            At::MigratingKeys => {
                let node = self.migrating[0];
                match t.good(cx, node, event) {
                    Some(keys) if keys.as_array().is_some_and(|k| k.is_empty()) => self.close(t, cx),
                    Some(_) => self.give_up(t, cx),
                    None => Flow::Fail,
                }
            }
            At::End => Flow::Done,
        }
    }

    fn count(&self, node: usize) -> Flow {
        Flow::ask(node, format!("CLUSTER COUNTKEYSINSLOT {}", self.slot))
    }

    fn counted(&mut self, t: &mut Tool, cx: &mut Cx<'_>, node: usize, keys: i64) -> Flow {
        let (addr, slot) = (t.addr(node), self.slot);
        match self.at {
            At::Owners => {
                if keys > 0 {
                    t.say(cx, format!("*** Found keys about slot {slot} in non-owner node {addr}!"));
                    self.owners.push(node);
                }
                self.asked += 1;
                self.next_owner(t, cx)
            }
            At::States => {
                if keys > 0 {
                    t.say(cx, format!("*** Found keys about slot {slot} in node {addr}!"));
                    self.note(t, 1, node);
                }
                self.asked += 1;
                self.next_state(t, cx)
            }
            _ if keys > 0 => self.give_up(t, cx),
            _ => {
                let to = t.nodes[self.migrating[0]].migrating.iter().find(|(s, _)| *s == slot);
                if to.is_some_and(|(_, id)| *id == t.nodes[node].id) {
                    self.target = Some(node);
                }
                self.asked += 1;
                self.next_importing(t, cx)
            }
        }
    }

    /// Who claims the slot: asks the masters that do not list it for keys.
    fn next_owner(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        while let Some(&node) = self.masters.get(self.asked) {
            if !t.nodes[node].slots.contains(self.slot) {
                return self.count(node);
            }
            self.owners.push(node);
            self.asked += 1;
        }
        if let [one] = self.owners[..] {
            self.owner = Some(one);
        }
        self.at = At::States;
        self.asked = 0;
        self.next_state(t, cx)
    }

    /// Who has it open; one that holds keys though it neither owns nor opened it counts as importing.
    fn next_state(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        while let Some(&node) = self.masters.get(self.asked) {
            let has = |list: &[(u16, String)]| list.iter().any(|(slot, _)| *slot == self.slot);
            if has(&t.nodes[node].migrating) {
                self.note(t, 0, node);
            } else if has(&t.nodes[node].importing) {
                self.note(t, 1, node);
            } else if self.owner != Some(node) {
                return self.count(node);
            }
            self.asked += 1;
        }
        for (state, nodes) in ["migrating", "importing"].into_iter().zip(&self.states) {
            if !nodes.is_empty() {
                t.say(cx, format!("Set as {state} in: {nodes}"));
            }
        }
        if self.owner.is_some() {
            return self.make_single(t, cx);
        }
        t.say(cx, ">>> No single clear owner for the slot, selecting an owner by # of keys...");
        self.at = At::Choose;
        Flow::Again(vec![MostKeys::new(t, &t.list, self.slot).into()])
    }

    fn note(&mut self, t: &Tool, state: usize, node: usize) {
        let list = if state == 0 { &mut self.migrating } else { &mut self.importing };
        let comma = if list.is_empty() { "" } else { "," };
        self.states[state] += &format!("{comma}{}", t.addr(node));
        list.push(node);
    }

    fn choose(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        self.owner = t.found;
        let Some(owner) = self.owner else {
            t.say(cx, "[ERR] Can't select a slot owner. Impossible to fix.");
            return Flow::Fail;
        };
        let addr = t.addr(owner);
        t.say(cx, format!("*** Configuring {addr} as the slot owner"));
        self.at = At::Chosen;
        Flow::Again(vec![
            SetSlot::stable(owner, self.slot).into(),
            SetOwner::new(owner, self.slot, false).into(),
        ])
    }

    /// All claimants but the owner give it up and import it instead.
    fn make_single(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        let (slot, owner) = (self.slot, self.owner.unwrap_or_default());
        self.at = At::Single;
        if self.owners.len() < 2 {
            return self.cases(t, cx);
        }
        let mut steps: Vec<Step> = Vec::new();
        for &node in self.owners.iter().filter(|&&n| n != owner) {
            steps.push(DelSlot::new(node, slot).into());
            steps.push(SetSlot::new(node, slot, "node", owner).into());
            steps.push(SetSlot::new(node, slot, "importing", owner).into());
            t.nodes[node].slots.remove(slot);
            self.importing.retain(|&n| n != node);
            self.importing.push(node);
            self.migrating.retain(|&n| n != node);
        }
        Flow::Again(steps)
    }

    fn cases(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        let slot = self.slot;
        match (self.migrating.len(), self.importing.len()) {
            (1, 1) => {
                let (from, to) = (self.migrating[0], self.importing[0]);
                let text = format!("{} to {}", t.addr(from), t.addr(to));
                t.say(cx, format!(">>> Case 1: Moving slot {slot} from {text}"));
                let how = How { verbose: true, update: true, ..How::default() };
                Flow::Then(vec![MoveSlot::new(from, to, slot, how).into()])
            }
            (0, 1..) => self.gather_at_owner(t, cx),
            (1, 2..) => {
                self.at = At::Importing;
                self.asked = 0;
                self.next_importing(t, cx)
            }
            (1, 0) if self.owner == Some(self.migrating[0]) => self.close(t, cx),
            (1, 0) => {
                self.at = At::MigratingKeys;
                Flow::ask(self.migrating[0], format!("CLUSTER GETKEYSINSLOT {slot} 10"))
            }
            _ => self.give_up(t, cx),
        }
    }

    /// Case 2: nobody migrates it, so what others hold of it goes to the owner.
    fn gather_at_owner(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        let (slot, owner) = (self.slot, self.owner.unwrap_or_default());
        let addr = t.addr(owner);
        t.say(cx, format!(">>> Case 2: Moving all the {slot} slot keys to its owner {addr}"));
        let how = How { verbose: true, cold: true, ..How::default() };
        let mut steps: Vec<Step> = Vec::new();
        for &node in self.importing.iter().filter(|&&n| n != owner) {
            steps.push(MoveSlot::new(node, owner, slot, how).into());
            steps.push(SetSlot::stable(node, slot).announced().into());
        }
        let others = self.masters.iter().filter(|&&n| n != owner);
        steps.extend(others.map(|&node| Step::from(SetSlot::new(node, slot, "NODE", owner))));
        self.at = At::End;
        Flow::Again(steps)
    }

    /// Case 3: several nodes import it without keys. The one that the migrating node names gets it.
    fn next_importing(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        if let Some(&node) = self.importing.get(self.asked) {
            return self.count(node);
        }
        let (slot, from) = (self.slot, self.migrating[0]);
        let mut steps: Vec<Step> = Vec::new();
        match self.target {
            Some(to) => {
                let text = format!("{} to {}", t.addr(from), t.addr(to));
                t.say(
                    cx,
                    format!(
                        ">>> Case 3: Moving slot {slot} from {text} and closing it on all the other importing nodes."
                    ),
                );
                let how = How { verbose: true, ..How::default() };
                steps.push(MoveSlot::new(from, to, slot, how).into());
            }
            None => {
                t.say(cx, format!(">>> Case 3: Closing slot {slot} on both migrating and importing nodes."));
                steps.push(SetSlot::stable(from, slot).into());
            }
        }
        let others = self.importing.iter().filter(|&&n| Some(n) != self.target);
        steps.extend(others.map(|&n| Step::from(SetSlot::stable(n, slot))));
        Flow::Then(steps)
    }

    /// Case 4: nobody imports it, and the one that migrates it owns it or holds none of its keys.
    fn close(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        let (slot, node) = (self.slot, self.migrating[0]);
        let addr = t.addr(node);
        t.say(cx, format!(">>> Case 4: Closing slot {slot} on {addr}"));
        Flow::Then(vec![SetSlot::stable(node, slot).into()])
    }

    fn give_up(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        let owner = t.addr(self.owner.unwrap_or_default());
        let [migrating, importing] = &self.states;
        t.say(
            cx,
            format!(
                "[ERR] Sorry, redis-cli can't fix this slot yet (work in progress). Slot is set as migrating in \
                 {migrating}, as importing in {importing}, owner is {owner}"
            ),
        );
        Flow::Fail
    }
}
