//! Where everything is on the screen. Drawing and the mouse ask the same function.

use ratatui::layout::{Position, Rect};
use ratatui::text::Span;

use super::Model;
use super::panel::Panel;
use super::words::{Said, said};
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
    pub fn title(self) -> Said {
        match self {
            Column::Name => said("node", "节点"),
            Column::Role => said("role", "角色"),
            Column::Says => said("is", "状态"),
            Column::Slots => said("slots", "槽"),
            Column::Epoch => said("epoch", "纪元"),
            Column::Pong => said("pong ago", "PONG 前"),
            Column::Held => said("held for", "被视为"),
            Column::Link => said("link", "链路"),
            Column::Offset => said("offset", "偏移量"),
            Column::Lag => said("lag", "落后"),
            Column::Flags => said("flags", "标志"),
        }
    }
    pub fn is_number(self) -> bool {
        matches!(self, Column::Slots | Column::Epoch | Column::Pong | Column::Offset | Column::Lag)
    }
}

/// The parts of the screen. A part without room has height 0.
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
    /// The title of the lower half: of the events, if the panel has room beside them.
    pub log_title: Rect,
    /// The lower half: the list of events, or the panel in its place.
    pub log_rows: Rect,
    /// The panel beside the events, on a wide screen: its title and its inside.
    pub panel_rows: Option<(Rect, Rect)>,
    /// Where each panel's name stands.
    pub tabs: Vec<(Panel, Rect)>,
    /// First listed event shown.
    pub first_event: usize,
    pub inspector: Rect,
    pub footer: Rect,
}

impl Areas {
    /// The inside of the panel in view.
    pub fn panel(&self) -> Rect {
        self.panel_rows.map_or(self.log_rows, |(_, inside)| inside)
    }
    /// Whether the list of events is at this place.
    pub fn is_log(&self, m: &Model, at: Position) -> bool {
        (m.panel == Panel::Events || self.panel_rows.is_some()) && self.log_rows.contains(at)
    }
}

/// From this width on, a panel stands beside the events.
const WIDE: u16 = 150;
/// Below this height, a panel other than the events takes the place of slots and lanes.
const LOW: u16 = 34;

/// The layout for a model: a function of its size and of what it has to show.
pub fn areas(m: &Model) -> Areas {
    let screen = m.area();
    let (w, h) = (screen.width, screen.height);
    let mut y = 0;
    let mut take = |rows: u16| {
        let r = Rect::new(0, y.min(h), w, rows.min(h.saturating_sub(y)));
        y += rows;
        r
    };
    let alone = m.expanded || (m.panel != Panel::Events && h < LOW);
    let voice_rows =
        m.narration().map_or(0, |t| voice_height(t, w)).min(if alone && h < LOW { 1 } else { 3 });
    let cluster = !m.shot.slots.is_empty();
    let slot_rows = match h {
        _ if alone || !cluster => 0,
        0..30 => 2,
        30..50 => 4,
        _ => 6,
    };
    let phase_rows = (m.lanes.failovers.len() as u16).min(if h < 30 { 1 } else { 3 });
    let inspector_rows = if h < 22 || (alone && m.panel != Panel::Events) { 1 } else { 2 };
    let strangers = m.shot.nodes.len().saturating_sub(m.nodes()).min(4);
    let wanted = (m.nodes() + strangers) as u16;
    let upper = if alone { 0 } else { u16::from(cluster) + slot_rows + 2 + phase_rows };
    let fixed = 1 + voice_rows + upper + 1 + inspector_rows + 1;
    let room = h.saturating_sub(fixed);
    // At least three events, or a third of the room, stay for the list.
    let node_count = if alone { 0 } else { wanted.min(room.saturating_sub((room / 3).max(3)).max(1)) };
    let log_count = room.saturating_sub(node_count);
    let one = u16::from(!alone);

    let header = take(1);
    let voice = take(voice_rows);
    let slots_title = take(u16::from(cluster && !alone));
    let slots = take(slot_rows);
    let nodes_title = take(one);
    let head = take(one);
    let rows = take(node_count);
    let phases = take(if alone { 0 } else { phase_rows });
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
    let (log_title, log_rows, panel_rows) = if w >= WIDE && m.panel != Panel::Events {
        let events = w * 45 / 100;
        let part =
            |r: Rect| (Rect { width: events, ..r }, Rect { x: events + 1, width: w - events - 1, ..r });
        let ((title, panel_title), (rows, panel)) = (part(log_title), part(log_rows));
        (title, rows, Some((panel_title, panel)))
    } else {
        (log_title, log_rows, None)
    };
    let tabs = tabs(m, panel_rows.map_or(log_title, |(title, _)| title));
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
        panel_rows,
        tabs,
        log_rows,
        first_event: first_event(m, usize::from(log_rows.height)),
        inspector,
        footer,
    }
}

/// Room that the title of the events wants at its right.
const COUNT: u16 = 26;

/// The names of the panels in a row: all of them if they fit, else the one in view and its neighbours.
fn tabs(m: &Model, title: Rect) -> Vec<(Panel, Rect)> {
    let all = Panel::of(m);
    let width = |p: &Panel| Span::raw(m.say(p.title())).width() as u16 + 3;
    let room = title.width.saturating_sub(if m.panel == Panel::Events { COUNT } else { 3 });
    let at = all.iter().position(|p| *p == m.panel).unwrap_or(0);
    let (mut first, mut last) = (at, at);
    let mut used = all.get(at).map_or(0, width);
    loop {
        let before = first.checked_sub(1).filter(|&i| used + width(&all[i]) <= room);
        let after = Some(last + 1).filter(|&i| i < all.len() && used + width(&all[i]) <= room);
        match (before, after) {
            (None, None) => break,
            (Some(i), after) if after.is_none() || at - i <= last + 1 - at => {
                first = i;
                used += width(&all[i]);
            }
            (_, Some(i)) => {
                last = i;
                used += width(&all[i]);
            }
            (Some(_), None) => unreachable!("taken above"),
        }
    }
    let mut x = title.x + 2;
    let mut out = Vec::new();
    for p in all.into_iter().skip(first).take(last + 1 - first) {
        let w = Span::raw(m.say(p.title())).width() as u16 + 2;
        if x + w > title.right() {
            break;
        }
        out.push((p, Rect { x, width: w, ..title }));
        x += w + 1;
    }
    out
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
        (Column::Role, (names + 2).max(8)),
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
