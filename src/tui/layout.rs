//! Where everything is on the screen. Drawing and the mouse ask the same function.

use ratatui::layout::Rect;

use super::Model;
use crate::world::probe::view::Observer;

/// The smallest screen that shows something sensible.
pub const SMALLEST: (u16, u16) = (60, 18);

/// A column of the node table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Name,
    Role,
    Says,
    Slots,
    Epoch,
    /// Of an observer: time since the last PONG.
    Pong,
    /// Of the truth: what the others hold the node for.
    Held,
    Link,
    Offset,
    Lag,
    Flags,
}

impl Column {
    pub fn title(self) -> &'static str {
        match self {
            Column::Name => "node",
            Column::Role => "role",
            Column::Says => "is",
            Column::Slots => "slots",
            Column::Epoch => "epoch",
            Column::Pong => "pong ago",
            Column::Held => "held for",
            Column::Link => "link",
            Column::Offset => "offset",
            Column::Lag => "lag",
            Column::Flags => "flags",
        }
    }
    pub fn is_number(self) -> bool {
        matches!(self, Column::Slots | Column::Epoch | Column::Pong | Column::Offset | Column::Lag)
    }
}

/// The parts of the screen.
#[derive(Clone, Debug)]
pub struct Areas {
    pub header: Rect,
    pub voice: Rect,
    pub slots_title: Rect,
    pub slots: Rect,
    pub nodes_title: Rect,
    /// Column heads on the left, time axis on the right.
    pub table_head: Rect,
    pub node_rows: Rect,
    /// First node shown.
    pub first_node: usize,
    pub columns: Vec<(Column, u16)>,
    /// Axis and lanes.
    pub chart: Rect,
    /// One line per failover, over the whole width.
    pub phases: Rect,
    pub log_title: Rect,
    pub log_rows: Rect,
    /// First listed event shown.
    pub first_event: usize,
    pub inspector: Rect,
    pub footer: Rect,
}

/// The layout for a model: a function of its size and of what it has to show.
pub fn areas(m: &Model) -> Areas {
    let (w, h) = m.size;
    let mut y = 0;
    let mut take = |rows: u16| {
        let r = Rect::new(0, y.min(h), w, rows.min(h.saturating_sub(y)));
        y += rows;
        r
    };
    let voice_rows = m.narration().map_or(0, |t| voice_height(t, w));
    let slot_rows = match h {
        0..30 => 2,
        30..50 => 4,
        _ => 6,
    };
    let phase_rows = (m.lanes.failovers.len() as u16).min(if h < 30 { 1 } else { 3 });
    let inspector_rows = if h < 22 { 1 } else { 2 };
    let strangers = m.shot.nodes.len().saturating_sub(m.nodes()).min(4);
    let wanted = (m.nodes() + strangers) as u16;
    let fixed = 1 + voice_rows + 1 + slot_rows + 2 + phase_rows + 1 + inspector_rows + 1;
    let room = h.saturating_sub(fixed);
    // At least three events, or a third of the room, stay for the list.
    let node_count = wanted.min(room.saturating_sub((room / 3).max(3)).max(1));
    let log_count = room.saturating_sub(node_count);

    let header = take(1);
    let voice = take(voice_rows);
    let slots_title = take(1);
    let slots = take(slot_rows);
    let nodes_title = take(1);
    let head = take(1);
    let rows = take(node_count);
    let phases = take(phase_rows);
    let log_title = take(1);
    let log_rows = take(log_count);
    let inspector = take(inspector_rows);
    let footer = take(1);

    let columns = columns(m, w);
    let table = (columns.iter().map(|(_, w)| w + 1).sum::<u16>() + 1).min(w);
    let left = |r: Rect| Rect { width: table, ..r };
    let chart =
        Rect { x: table, y: head.y, width: w.saturating_sub(table + 1), height: head.height + rows.height };
    let shown = usize::from(node_count);
    let first_node = (m.node + 1).saturating_sub(shown).min(m.shot.nodes.len().saturating_sub(shown));
    Areas {
        header,
        voice,
        slots_title,
        slots,
        nodes_title,
        table_head: left(head),
        node_rows: left(rows),
        first_node,
        columns,
        chart,
        phases,
        log_title,
        log_rows,
        first_event: first_event(m, usize::from(log_count)),
        inspector,
        footer,
    }
}

/// The list keeps the current event at two thirds of its height while there is more to come.
fn first_event(m: &Model, rows: usize) -> usize {
    let last = m.listed.len().saturating_sub(rows);
    (m.current_row() + 1).saturating_sub((rows * 2 / 3).max(1)).min(last)
}

/// Lines that the narrator needs, at most three.
fn voice_height(text: &str, width: u16) -> u16 {
    let room = usize::from(width.saturating_sub(4)).max(20);
    super::view::wrap(text, room).len().clamp(1, 3) as u16
}

/// The columns that fit, most wanted first, in the order in which they stand.
fn columns(m: &Model, width: u16) -> Vec<(Column, u16)> {
    let names = (0..m.nodes()).map(|i| m.node_name(i).len()).max().unwrap_or(4).clamp(4, 12) as u16;
    let truth = m.observer == Observer::Truth;
    let all = [
        (Column::Name, names + 1),
        (Column::Role, (names + 2).max(7)),
        (Column::Says, 10),
        (Column::Slots, 5),
        (Column::Epoch, 5),
        if truth { (Column::Held, 8) } else { (Column::Pong, 8) },
        (Column::Link, 4),
        (Column::Offset, 8),
        (Column::Lag, 5),
        (Column::Flags, 18),
    ];
    let wanted = [
        Column::Name,
        Column::Role,
        Column::Says,
        Column::Slots,
        if truth { Column::Held } else { Column::Pong },
        Column::Epoch,
        Column::Link,
        Column::Offset,
        Column::Lag,
        Column::Flags,
    ];
    // The chart keeps more than half.
    let mut room = (width * 47 / 100).max(34);
    let mut chosen = Vec::new();
    for c in wanted {
        let w = all.iter().find(|(a, _)| *a == c).map_or(0, |(_, w)| *w) + 1;
        if w > room {
            break;
        }
        room -= w;
        chosen.push(c);
    }
    all.into_iter().filter(|(c, _)| chosen.contains(c)).collect()
}
