//! The report on a list of keys: numbers first, then as text.

use std::fmt::Write as _;

use serde::Serialize;

use super::chance::{chi_square, expected_max};
use super::heat;
use super::input::Counted;
use super::layout::Layout;
use super::shown;
use crate::slot::{Choice, Load, Measure, MovePlan, SlotSet, even_split, key_slot, plan_moves};

/// What to report beside the counts.
pub struct Options {
    pub measure: Measure,
    /// Thousandths of the mean by which a master may differ.
    pub permille: u64,
    pub top: usize,
    /// Address of a node, for the commands.
    pub address: String,
}

#[derive(Serialize)]
pub struct Report {
    pub keys: u64,
    pub bytes: u64,
    pub empty_lines_skipped: u64,
    pub measure: &'static str,
    pub slots: SlotsReport,
    pub masters: Vec<MasterRow>,
    pub unowned: Row,
    pub tags: TagsReport,
    pub masters_more_or_less: Vec<Resize>,
    pub balance: Balance,
    pub keys_per_slot: Vec<u64>,
    pub bytes_per_slot: Vec<u64>,
    #[serde(skip)]
    pub heat: String,
}

#[derive(Serialize)]
pub struct SlotsReport {
    pub used: usize,
    pub mean_keys: f64,
    pub max_keys: u64,
    pub max_slot: u16,
    /// The mean maximum if as many keys fell into slots at random.
    pub expected_max_keys: f64,
    pub chi_square: Option<f64>,
    pub p_value: Option<f64>,
}

#[derive(Serialize, Clone, Copy)]
pub struct Row {
    pub keys: u64,
    pub bytes: u64,
}

#[derive(Serialize)]
pub struct MasterRow {
    pub name: String,
    pub slots: u16,
    pub keys: u64,
    pub bytes: u64,
    /// Share of what is measured over the share that the number of slots gives.
    pub against_share: f64,
}

#[derive(Serialize)]
pub struct TagsReport {
    pub keys_with_tag: u64,
    pub share: f64,
    pub count_may_miss: u64,
    pub top: Vec<TagRow>,
}

#[derive(Serialize)]
pub struct TagRow {
    pub tag: String,
    pub slot: u16,
    pub keys: u64,
    pub bytes: u64,
    /// Of all keys.
    pub share: f64,
}

#[derive(Serialize)]
pub struct Resize {
    pub masters: u16,
    pub mean: u64,
    pub max: u64,
    /// Load that has to move from the layout given: to new masters, or off those taken away.
    pub moved: u64,
    pub moved_slots: u64,
}

#[derive(Serialize)]
pub struct Balance {
    pub threshold_percent: f64,
    pub plan: Plan,
    pub redis_cli: Plan,
    pub commands: Vec<String>,
}

#[derive(Serialize)]
pub struct Plan {
    pub reached: bool,
    pub slots: usize,
    pub moved: u64,
    pub at_least: u64,
    pub moves: Vec<PlanRow>,
}

#[derive(Serialize)]
pub struct PlanRow {
    pub from: String,
    pub to: String,
    pub slots: String,
    pub count: u16,
    pub load: u64,
}

pub fn report(counted: &Counted, layout: &Layout, options: &Options) -> Report {
    let tally = &counted.tally;
    let total = tally.total();
    let measure = options.measure;
    let keys: Vec<u64> = tally.slots().iter().map(|l| l.keys).collect();
    let (max_slot, max_keys) =
        (0u16..).zip(keys.iter().copied()).max_by_key(|&(s, k)| (k, std::cmp::Reverse(s))).unwrap_or((0, 0));
    let chi = chi_square(&keys, &vec![1.0; keys.len()]);
    let mean_keys = total.keys as f64 / keys.len() as f64;

    let share = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 / all as f64 };
    let mut owned = SlotSet::EMPTY;
    let masters = layout
        .masters
        .iter()
        .map(|m| {
            m.slots.iter().for_each(|s| {
                owned.insert(s);
            });
            let load = tally.of(&m.slots);
            let due = f64::from(m.slots.len()) / 16384.0;
            MasterRow {
                name: m.name.clone(),
                slots: m.slots.len(),
                keys: load.keys,
                bytes: load.bytes,
                against_share: if due > 0.0 { share(load.by(measure), total.by(measure)) / due } else { 0.0 },
            }
        })
        .collect();
    let unowned: SlotSet = (0..16384).filter(|&s| !owned.contains(s)).collect();
    let unowned = row(tally.of(&unowned));

    let tagged = counted.tags.total().keys;
    let tags = TagsReport {
        keys_with_tag: tagged,
        share: share(tagged, total.keys),
        count_may_miss: counted.tags.missed(),
        top: counted
            .tags
            .top(options.top)
            .into_iter()
            .map(|(tag, load)| TagRow {
                tag: shown(tag),
                slot: key_slot(tag),
                keys: load.keys,
                bytes: load.bytes,
                share: share(load.keys, total.keys),
            })
            .collect(),
    };

    let sets = layout.sets();
    let plan = plan_moves(tally, &sets, measure, options.permille, Choice::Any);
    let reshard = plan_moves(tally, &sets, measure, options.permille, Choice::Lowest);
    let balance = Balance {
        threshold_percent: options.permille as f64 / 10.0,
        commands: commands(&reshard, layout, &options.address),
        plan: rows(&plan, layout),
        redis_cli: rows(&reshard, layout),
    };
    Report {
        keys: total.keys,
        bytes: total.bytes,
        empty_lines_skipped: counted.empty_lines,
        measure: match measure {
            Measure::Keys => "keys",
            Measure::Bytes => "bytes",
        },
        slots: SlotsReport {
            used: keys.iter().filter(|&&k| k > 0).count(),
            mean_keys,
            max_keys,
            max_slot,
            expected_max_keys: expected_max(mean_keys, 16384),
            chi_square: chi.map(|c| c.0),
            p_value: chi.map(|c| c.1),
        },
        masters,
        unowned,
        tags,
        masters_more_or_less: resizes(counted, &sets, measure),
        balance,
        heat: heat::text(tally, measure),
        bytes_per_slot: tally.slots().iter().map(|l| l.bytes).collect(),
        keys_per_slot: keys,
    }
}

fn row(load: Load) -> Row {
    Row { keys: load.keys, bytes: load.bytes }
}

/// One to two masters less and one to three more than now.
fn resizes(counted: &Counted, sets: &[SlotSet], measure: Measure) -> Vec<Resize> {
    let now = sets.len() as i64;
    let mut all = Vec::new();
    for masters in [now - 2, now - 1, now, now + 1, now + 2, now + 3] {
        let Ok(n) = u16::try_from(masters) else { continue };
        if !(1..=16384).contains(&n) {
            continue;
        }
        let (after, moved_slots) = resize(sets, usize::from(n));
        let loads: Vec<u64> = after.iter().map(|s| counted.tally.of(s).by(measure)).collect();
        let moved = moved_slots.iter().map(|s| counted.tally.slot(s).by(measure)).sum();
        all.push(Resize {
            masters: n,
            mean: loads.iter().sum::<u64>() / u64::from(n),
            max: loads.iter().copied().max().unwrap_or(0),
            moved,
            moved_slots: u64::from(moved_slots.len()),
        });
    }
    all
}

/// New masters take their share of slots from the fullest ones, the lowest slots first as redis-cli does;
/// masters taken away (the last ones) give theirs to those with the fewest slots.
fn resize(sets: &[SlotSet], n: usize) -> (Vec<SlotSet>, SlotSet) {
    let mut after: Vec<SlotSet> = sets.to_vec();
    let mut moved = SlotSet::EMPTY;
    if n < sets.len() {
        let gone = after.split_off(n);
        for slot in gone.iter().flat_map(SlotSet::iter) {
            if let Some(to) = after.iter_mut().min_by_key(|s| s.len()) {
                to.insert(slot);
                moved.insert(slot);
            }
        }
        return (after, moved);
    }
    for share in even_split(n as u16).iter().skip(sets.len()) {
        let mut new = SlotSet::EMPTY;
        while new.len() < share.len() {
            let Some(from) = after.iter_mut().max_by_key(|s| s.len()) else { break };
            let Some(slot) = from.iter().next() else { break };
            from.remove(slot);
            new.insert(slot);
            moved.insert(slot);
        }
        after.push(new);
    }
    (after, moved)
}

fn rows(plan: &MovePlan, layout: &Layout) -> Plan {
    let mut pairs: Vec<((usize, usize), SlotSet, u64)> = Vec::new();
    for m in &plan.moves {
        match pairs.iter_mut().find(|(pair, ..)| *pair == (m.from, m.to)) {
            Some((_, slots, load)) => {
                slots.insert(m.slot);
                *load += m.load;
            }
            None => pairs.push(((m.from, m.to), [m.slot].into_iter().collect(), m.load)),
        }
    }
    Plan {
        reached: plan.reached,
        slots: plan.moves.len(),
        moved: plan.moved(),
        at_least: plan.at_least,
        moves: pairs
            .into_iter()
            .map(|((from, to), slots, load)| PlanRow {
                from: layout.masters[from].name.clone(),
                to: layout.masters[to].name.clone(),
                count: slots.len(),
                slots: slots.to_string(),
                load,
            })
            .collect(),
    }
}

/// `redis-cli --cluster reshard` takes the lowest slots of its source; runs of moves between the same two
/// masters are one command each, in the order of the plan.
fn commands(plan: &MovePlan, layout: &Layout, address: &str) -> Vec<String> {
    let mut out: Vec<(usize, usize, usize)> = Vec::new();
    // Moves of one source may be put together whenever no other receiver comes between.
    for m in &plan.moves {
        match out.iter_mut().rev().find(|(from, ..)| *from == m.from) {
            Some((_, to, count)) if *to == m.to => *count += 1,
            _ => out.push((m.from, m.to, 1)),
        }
    }
    let id = |i: usize| {
        let m = &layout.masters[i];
        m.id.clone().unwrap_or_else(|| format!("<id of {}>", m.name))
    };
    out.into_iter()
        .map(|(from, to, count)| {
            format!(
                "redis-cli --cluster reshard {address} --cluster-from {} --cluster-to {} --cluster-slots {count} --cluster-yes",
                id(from),
                id(to)
            )
        })
        .collect()
}

impl Report {
    pub fn text(&self) -> String {
        let mut t = String::new();
        self.write(&mut t).unwrap_or_default();
        t
    }

    fn write(&self, t: &mut String) -> std::fmt::Result {
        writeln!(t, "{} keys, {} bytes", grouped(self.keys), grouped(self.bytes))?;
        if self.empty_lines_skipped > 0 {
            let n = self.empty_lines_skipped;
            writeln!(t, "{n} empty lines skipped (with --null an empty record is the empty key)")?;
        }
        if self.keys == 0 {
            return Ok(());
        }
        let s = &self.slots;
        writeln!(t, "\nSlots: {} of 16384 used, {:.1} keys on average", s.used, s.mean_keys)?;
        writeln!(
            t,
            "  fullest: slot {} with {} keys; chance alone gives {:.0}",
            s.max_slot,
            grouped(s.max_keys),
            s.expected_max_keys
        )?;
        if let (Some(x), Some(p)) = (s.chi_square, s.p_value) {
            let verdict = if p < 0.001 {
                "not what chance gives: look at the tags below"
            } else if s.mean_keys < 5.0 {
                "nothing unusual, though with fewer than 5 keys per slot the test is weak"
            } else {
                "nothing that chance would not give"
            };
            writeln!(t, "  chi-square {x:.0} on 16383 degrees of freedom, p = {}: {verdict}", p_text(p))?;
        }
        writeln!(t, "\n{} per slot:\n{}", if self.measure == "keys" { "Keys" } else { "Bytes" }, self.heat)?;

        writeln!(
            t,
            "{:<22} {:>6} {:>14} {:>16}  {} against its share of slots",
            "Master", "slots", "keys", "bytes", self.measure
        )?;
        for m in &self.masters {
            let (k, b) = (grouped(m.keys), grouped(m.bytes));
            writeln!(t, "{:<22} {:>6} {k:>14} {b:>16}  {:.3}", m.name, m.slots, m.against_share)?;
        }
        if self.unowned.keys > 0 {
            writeln!(t, "{} keys are in slots that nobody owns", grouped(self.unowned.keys))?;
        }

        let tags = &self.tags;
        writeln!(
            t,
            "\nHash tags: {} keys ({:.1} %) have one",
            grouped(tags.keys_with_tag),
            tags.share * 100.0
        )?;
        for r in &tags.top {
            writeln!(
                t,
                "  {:>12} keys {:>6.2} %  slot {:>5}  {{{}}}",
                grouped(r.keys),
                r.share * 100.0,
                r.slot,
                r.tag
            )?;
        }
        if tags.count_may_miss > 0 {
            writeln!(
                t,
                "  (many different tags: each count may be too low by up to {})",
                grouped(tags.count_may_miss)
            )?;
        }

        writeln!(t, "\nOther numbers of masters ({}):", self.measure)?;
        writeln!(t, "  masters   mean per master   on the fullest        to move  slots")?;
        for r in &self.masters_more_or_less {
            let (mean, max, moved) = (grouped(r.mean), grouped(r.max), grouped(r.moved));
            writeln!(t, "  {:>7} {mean:>17} {max:>16} {moved:>14} {:>6}", r.masters, r.moved_slots)?;
        }

        let b = &self.balance;
        writeln!(t, "\nTo bring each master within {} % of the mean:", b.threshold_percent)?;
        if b.plan.reached && b.plan.moves.is_empty() {
            return writeln!(t, "  nothing to do");
        }
        let line = |t: &mut String, name: &str, p: &Plan| {
            let end = if p.reached { "" } else { "; this does not reach it: single slots hold too much" };
            let (moved, least) = (grouped(p.moved), grouped(p.at_least));
            writeln!(
                t,
                "  {name}: {} slots, {moved} {} (no plan moves less than {least}){end}",
                p.slots, self.measure
            )
        };
        line(t, "cheapest, any slots", &b.plan)?;
        for m in &b.plan.moves {
            let slots = if m.slots.len() > 60 { format!("{}...", &m.slots[..57]) } else { m.slots.clone() };
            writeln!(
                t,
                "    {} -> {}: {} slots, {} {}: {slots}",
                m.from,
                m.to,
                m.count,
                grouped(m.load),
                self.measure
            )?;
        }
        line(t, "with redis-cli, which takes the lowest slots of a master", &b.redis_cli)?;
        for c in &b.commands {
            writeln!(t, "    {c}")?;
        }
        Ok(())
    }
}

fn p_text(p: f64) -> String {
    if p < 1e-15 {
        "below 1e-15".into()
    } else if p < 0.001 {
        format!("{p:.1e}")
    } else {
        format!("{p:.3}")
    }
}

/// Digits in groups of three.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
