//! The map of the 16,384 slots: a cell for each run of a few dozen, in its owner's colour and glyph.

use ratatui::Frame;
use ratatui::style::Modifier;
use ratatui::text::Span;

use super::{health_ink, title};
use crate::slot::SLOTS;
use crate::tui::chinese;
use crate::tui::layout::Areas;
use crate::tui::model::Model;
use crate::tui::theme::Ink;
use crate::tui::words;
use crate::world::probe::view::{SlotRun, SlotState};

pub fn draw(m: &Model, frame: &mut Frame<'_>, a: &Areas) {
    let right = match m.shot.health.issues.first() {
        Some(issue) => {
            let (ink, _) = health_ink(m.shot.health.level);
            vec![Span::styled(chinese::event(issue.clone(), m.lang), m.theme.style(ink))]
        }
        None => legend(m, usize::from(a.slots_title.width).saturating_sub(30)),
    };
    title(m, frame, a.slots_title, m.say(words::SLOTS), &m.observer_text(), right);
    let width = a.slots.width.saturating_sub(2);
    let cells = u32::from(width) * u32::from(a.slots.height);
    if cells == 0 {
        return;
    }
    let bound = |i: u32| (i * u32::from(SLOTS) / cells) as u16;
    let total = m.keys_by_cell.iter().sum();
    let mut run = 0;
    for i in 0..cells {
        let (first, last) = (bound(i), bound(i + 1).max(bound(i) + 1) - 1);
        while m.shot.slots[run].last < first {
            run += 1;
        }
        let r = widest(&m.shot.slots[run..], first, last);
        let (x, y) =
            (a.slots.x + 1 + (i % u32::from(width)) as u16, a.slots.y + (i / u32::from(width)) as u16);
        let (glyph, mut style) = look(m, &r);
        style = style.add_modifier(weight(m, i as usize, total));
        let cell = &mut frame.buffer_mut()[(x, y)];
        cell.set_char(glyph);
        cell.set_style(style);
    }
    labels(m, frame, a, cells, u32::from(width));
}

/// How dark a cell is: dim without keys, bold with more than twice its share.
fn weight(m: &Model, cell: usize, total: u64) -> Modifier {
    let keys = m.keys_by_cell.get(cell).copied().unwrap_or(0);
    match keys * m.keys_by_cell.len() as u64 {
        _ if total == 0 => Modifier::empty(),
        0 => Modifier::DIM,
        share if share > 2 * total => Modifier::BOLD,
        _ => Modifier::empty(),
    }
}

/// The run that has the most of these slots.
fn widest(runs: &[SlotRun], first: u16, last: u16) -> SlotRun {
    let inside = runs.iter().take_while(|r| r.first <= last);
    let share = |r: &SlotRun| r.last.min(last) - r.first.max(first);
    *inside.max_by_key(|r| share(r)).expect("runs cover all slots")
}

pub fn look(m: &Model, run: &SlotRun) -> (char, ratatui::style::Style) {
    let t = m.theme;
    match (run.state, run.owner) {
        (SlotState::Failed, _) => ('×', t.style(Ink::Bad)),
        (SlotState::Suspected, _) => ('?', t.style(Ink::Warn)),
        (SlotState::Unassigned, _) | (_, None) => ('·', t.style(Ink::Faint)),
        (SlotState::Served, Some(i)) => (t.owner_glyph(i), t.style(Ink::Node(i))),
    }
}

/// The owner's name where its run begins, if there is room for it.
fn labels(m: &Model, frame: &mut Frame<'_>, a: &Areas, cells: u32, width: u32) {
    for run in &m.shot.slots {
        let Some(owner) = run.owner else { continue };
        let cell = |slot: u16| (u32::from(slot) * cells).div_ceil(u32::from(SLOTS));
        let (from, to) = (cell(run.first), cell(run.last));
        let name = format!(" {} ", m.shot.nodes[owner].name);
        let w = name.len() as u32;
        let x = from % width;
        if to.saturating_sub(from) < w + 3 || x + w + 1 > width {
            continue;
        }
        let (_, style) = look(m, run);
        let (px, py) = (a.slots.x + 1 + (x + 1) as u16, a.slots.y + (from / width) as u16);
        let style = style.add_modifier(Modifier::BOLD);
        frame.buffer_mut().set_string(px, py, name, style);
    }
}

/// Owners with the number of their slots.
fn legend(m: &Model, room: usize) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut used = 0;
    for (i, n) in m.shot.nodes.iter().enumerate().filter(|(_, n)| n.slots > 0) {
        let text = format!("{} {} {}", m.theme.owner_glyph(i), n.name, n.slots);
        used += text.chars().count() + 2;
        if used > room {
            break;
        }
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        spans.push(Span::styled(text, m.theme.style(Ink::Node(i))));
    }
    spans
}
