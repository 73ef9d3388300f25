//! `reshard`: so many slots from some masters to another.

use super::super::Cx;
use super::check::Check;
use super::move_slot::{How, MoveSlot};
use super::single::Single;
use super::step::{Event, Flow};
use super::tool::Tool;

/// redis: redis-cli.c clusterManagerCommandReshard @7.0.15
#[derive(Clone, Debug)]
pub(super) struct Reshard {
    start: usize,
    at: At,
    target: usize,
    /// Which slot leaves which node.
    table: Vec<(usize, u16)>,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Begin,
    Loaded,
    Checked,
    /// So many slots have moved.
    Moved(usize),
}

impl Reshard {
    pub fn new(start: usize) -> Reshard {
        Reshard { start, at: At::Begin, target: 0, table: Vec::new() }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        if matches!(event, Event::Failed) {
            if let Some(error) = t.error.take().filter(|_| matches!(self.at, At::Moved(_))) {
                t.say(cx, format!("clusterManagerMoveSlot failed: {error}"));
            }
            return Flow::Fail;
        }
        match self.at {
            At::Begin => {
                self.at = At::Loaded;
                Flow::Again(vec![t.load(self.start)])
            }
            At::Loaded => {
                self.at = At::Checked;
                Flow::Again(vec![Check::new(false).into()])
            }
            At::Checked => {
                if !t.errors.is_empty() {
                    t.say(cx, "*** Please fix your cluster problems before resharding");
                    return Flow::Fail;
                }
                if !self.plan(t, cx) {
                    return Flow::Fail;
                }
                self.next(0)
            }
            At::Moved(i) => self.next(i),
        }
    }

    /// The next slot, if there is one.
    fn next(&mut self, i: usize) -> Flow {
        let Some(&(source, slot)) = self.table.get(i) else { return Flow::Done };
        self.at = At::Moved(i + 1);
        let how = How { verbose: true, keep_error: true, ..How::default() };
        Flow::Again(vec![MoveSlot::new(source, self.target, slot, how).into()])
    }

    fn plan(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> bool {
        let o = t.options.clone();
        let Some(target) = node_for_resharding(t, cx, &o.to.unwrap_or_default()) else { return false };
        self.target = target;
        let from = o.from.unwrap_or_default();
        let mut sources = Vec::new();
        for id in from.split(',').filter(|id| !id.is_empty()) {
            if id == "all" {
                sources = t.list.iter().copied().filter(|&n| t.nodes[n].is_master() && n != target).collect();
                break;
            }
            match node_for_resharding(t, cx, id) {
                Some(n) if n == target => {
                    t.say(cx, "*** It is not possible to use the target node as source node.");
                }
                Some(n) => sources.push(n),
                None => return false,
            }
        }
        if sources.is_empty() {
            t.say(cx, "*** No source nodes given, operation aborted.");
            return false;
        }
        t.say(cx, format!("\nReady to move {} slots.", o.slots));
        t.say(cx, "  Source nodes:");
        for &n in &sources {
            let text = t.nodes[n].describe(4);
            t.say(cx, text);
        }
        t.say(cx, "  Destination node:");
        let text = t.nodes[target].describe(4);
        t.say(cx, text);
        self.table = table(t, &sources, o.slots);
        t.say(cx, "  Resharding plan:");
        for &(n, slot) in &self.table {
            let text = format!("    Moving slot {slot} from {}", t.nodes[n].id);
            t.routine();
            t.say(cx, text);
        }
        if o.yes {
            return true;
        }
        t.print(cx, "Do you want to proceed with the proposed reshard plan (yes/no)? ");
        t.next_answer().is_some_and(|a| a.starts_with("yes"))
    }
}

/// redis: redis-cli.c clusterNodeForResharding @7.0.15
fn node_for_resharding(t: &mut Tool, cx: &mut Cx<'_>, id: &str) -> Option<usize> {
    let found = t.by_id(id).filter(|&n| !t.nodes[n].slave);
    if found.is_none() {
        t.say(cx, format!("*** The specified node ({id}) is not known or not a master, please retry."));
    }
    found
}

/// Which slots leave which node: the largest source gives its share rounded up, the others rounded
/// down, each its lowest slots.
///
/// redis: redis-cli.c clusterManagerComputeReshardTable @7.0.15
///
/// deviates: sources with equally many slots stay in the order given; redis-cli's qsort leaves it open.
pub(super) fn table(t: &Tool, sources: &[usize], slots: u32) -> Vec<(usize, u16)> {
    let mut sorted = sources.to_vec();
    sorted.sort_by_key(|&n| std::cmp::Reverse(t.nodes[n].slots_count));
    let total: u32 = sources.iter().map(|&n| u32::from(t.nodes[n].slots_count)).sum();
    let mut moved = Vec::new();
    for (i, &n) in sorted.iter().enumerate() {
        let node = &t.nodes[n];
        let part = Single::from_int(slots).div(Single::from_int(total));
        let share = part.mul(Single::from_int(node.slots_count.into()));
        let most = if i == 0 { share.ceil() } else { share.floor() } as usize;
        let left = (slots as usize).saturating_sub(moved.len());
        moved.extend(node.slots.iter().take(most.min(left)).map(|slot| (n, slot)));
    }
    moved
}
