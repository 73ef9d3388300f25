//! `rebalance`: slots go from masters with too many to masters with too few, by weight.

use super::super::Cx;
use super::check::Check;
use super::move_slot::{How, MoveSlot};
use super::reshard::table;
use super::single::Single;
use super::step::{Event, Flow};
use super::tool::Tool;

/// redis: redis-cli.c clusterManagerCommandRebalance @7.0.15
#[derive(Clone, Debug)]
pub(super) struct Rebalance {
    start: usize,
    at: At,
    /// Masters that take part; sorted by balance once that is known.
    nodes: Vec<usize>,
    total_weight: Single,
    /// The one that gets slots and the one that gives them, by place in `nodes`.
    ends: (usize, usize),
    /// Slots of the present transfer.
    table: Vec<u16>,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Begin,
    Loaded,
    Checked,
    /// So many slots of the present transfer have moved.
    Moved(usize),
}

impl Rebalance {
    pub fn new(start: usize) -> Rebalance {
        Rebalance {
            start,
            at: At::Begin,
            nodes: Vec::new(),
            total_weight: Single::default(),
            ends: (0, 0),
            table: Vec::new(),
        }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        if matches!(event, Event::Failed) {
            if let Some(error) = t.error.take().filter(|_| matches!(self.at, At::Moved(_))) {
                t.say(cx, format!("*** clusterManagerMoveSlot: {error}"));
            }
            return Flow::Fail;
        }
        match self.at {
            At::Begin => {
                self.at = At::Loaded;
                Flow::Again(vec![t.load(self.start)])
            }
            At::Loaded => {
                if !self.weigh(t, cx) {
                    return Flow::Fail;
                }
                self.at = At::Checked;
                Flow::Again(vec![Check::new(true).into()])
            }
            At::Checked => {
                if !t.errors.is_empty() {
                    t.say(cx, "*** Please fix your cluster problems before rebalancing");
                    return Flow::Fail;
                }
                if !self.balance(t) {
                    let threshold = t.options.threshold;
                    t.say(
                        cx,
                        format!(
                            "*** No rebalancing needed! All nodes are within the {threshold}% threshold."
                        ),
                    );
                    return Flow::Done;
                }
                let (n, weight) = (self.nodes.len(), self.total_weight);
                t.say(cx, format!(">>> Rebalancing across {n} nodes. Total weight = {weight}"));
                self.ends = (0, n - 1);
                self.transfer(t, cx)
            }
            At::Moved(i) => {
                t.print(cx, "#");
                self.next(t, cx, i)
            }
        }
    }

    fn weigh(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> bool {
        for (id, weight) in t.options.weights.clone() {
            match t.by_prefix(&id) {
                Some(n) => t.nodes[n].weight = weight,
                None => {
                    t.say(cx, format!("*** No such master node {id}"));
                    return false;
                }
            }
        }
        for n in t.list.clone() {
            let node = &mut t.nodes[n];
            if !node.is_master() {
                continue;
            }
            if !t.options.use_empty_masters && node.slots_count == 0 {
                node.weight = Single::default();
                continue;
            }
            self.total_weight = self.total_weight.add(node.weight);
            self.nodes.push(n);
        }
        true
    }

    /// How many slots each has too many or too few; whether it is worth while.
    fn balance(&mut self, t: &mut Tool) -> bool {
        let threshold = t.options.threshold;
        let part = Single::from_int(16_384).div(self.total_weight);
        let (mut over, mut total) = (false, 0);
        for &n in &self.nodes {
            let node = &mut t.nodes[n];
            let (has, expected) = (i32::from(node.slots_count), part.mul(node.weight).floor() as i32);
            node.balance = has - expected;
            total += node.balance;
            over |= match has {
                _ if threshold.is_zero() => false,
                0 => expected > 1,
                _ => threshold.is_below(100 * u64::from(node.balance.unsigned_abs()), has as u64),
            };
        }
        // Rounding leaves slots over: those that have none to give get one more each.
        while over && total > 0 && self.nodes.iter().any(|&n| t.nodes[n].balance <= 0) {
            for &n in &self.nodes {
                if t.nodes[n].balance <= 0 && total > 0 {
                    t.nodes[n].balance -= 1;
                    total -= 1;
                }
            }
        }
        self.nodes.sort_by_key(|&n| t.nodes[n].balance);
        over
    }

    /// The next transfer between the two ends of the sorted list.
    fn transfer(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        while self.ends.0 < self.ends.1 {
            let (to, from) = (self.nodes[self.ends.0], self.nodes[self.ends.1]);
            let slots = t.nodes[to].balance.unsigned_abs().min(t.nodes[from].balance.unsigned_abs());
            if slots == 0 {
                self.settle(t, 0);
                continue;
            }
            let (a, b) = (t.addr(from), t.addr(to));
            t.say(cx, format!("Moving {slots} slots from {a} to {b}"));
            self.table = table(t, &[from], slots).into_iter().map(|(_, slot)| slot).collect();
            if self.table.len() != slots as usize {
                t.print(cx, "*** Assertion failed: Reshard table != number of slots");
                return Flow::Fail;
            }
            t.routine();
            if t.options.simulate {
                t.say(cx, "#".repeat(slots as usize));
                self.settle(t, slots as i32);
                continue;
            }
            return self.next(t, cx, 0);
        }
        Flow::Done
    }

    fn next(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize) -> Flow {
        let (to, from) = (self.nodes[self.ends.0], self.nodes[self.ends.1]);
        match self.table.get(i) {
            Some(&slot) => {
                self.at = At::Moved(i + 1);
                let how = How { quiet: true, update: true, keep_error: true, ..How::default() };
                Flow::Again(vec![MoveSlot::new(from, to, slot, how).into()])
            }
            None => {
                t.print(cx, "\n");
                self.settle(t, self.table.len() as i32);
                self.transfer(t, cx)
            }
        }
    }

    fn settle(&mut self, t: &mut Tool, slots: i32) {
        let (to, from) = (self.nodes[self.ends.0], self.nodes[self.ends.1]);
        t.nodes[to].balance += slots;
        t.nodes[from].balance -= slots;
        self.ends.0 += usize::from(t.nodes[to].balance == 0);
        self.ends.1 = self.ends.1.saturating_sub(usize::from(t.nodes[from].balance == 0));
    }
}
