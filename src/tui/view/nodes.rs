//! The table of nodes, as the observer sees them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

use super::{put, shorten, title};
use crate::tui::layout::{Areas, Column};
use crate::tui::model::Model;
use crate::tui::text::about;
use crate::tui::theme::Ink;
use crate::tui::words;
use crate::world::probe::view::{NodeView, Observer, Opinion, Process, Role};

pub fn draw(m: &Model, frame: &mut Frame<'_>, a: &Areas) {
    let hidden = m.shot.nodes.len().saturating_sub(usize::from(a.node_rows.height));
    let mut right = Vec::new();
    if !m.shot.observer_runs {
        right.push(Span::styled(m.say(words::NOT_RUNNING), m.theme.style(Ink::Warn)));
    } else if let Observer::Node(h) = m.observer
        && m.timeline().world().process(h) == Process::Paused
    {
        right.push(Span::styled(m.say(words::IS_PAUSED), m.theme.style(Ink::Paused)));
    } else if hidden > 0 {
        right.push(Span::styled(words::MORE_NODES.with(m.lang, &[&hidden]), m.theme.style(Ink::Faint)));
    }
    title(m, frame, a.nodes_title, m.say(words::NODES), &m.observer_text(), right);
    let faint = m.theme.style(Ink::Faint);
    let mut x = a.table_head.x + 1;
    for &(column, width) in &a.columns {
        cell(frame, a.table_head, x, width, m.say(column.title()), column.is_number(), faint);
        x += width + 1;
    }
    let rows = usize::from(a.node_rows.height);
    for (row, i) in (a.first_node..m.shot.nodes.len()).take(rows).enumerate() {
        let area = Rect { y: a.node_rows.y + row as u16, height: 1, ..a.node_rows };
        node(m, frame, a, area, i);
    }
}

fn node(m: &Model, frame: &mut Frame<'_>, a: &Areas, area: Rect, i: usize) {
    let n = &m.shot.nodes[i];
    let selected = i == m.node;
    if selected {
        put(frame, area, 0, "▌", m.theme.style(Ink::Accent));
    }
    let mut x = area.x + 1;
    for &(column, width) in &a.columns {
        let (text, ink) = content(m, n, column, i);
        let mut style = m.theme.style(ink);
        if selected && column == Column::Name {
            style = style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
        }
        cell(frame, area, x, width, &text, column.is_number(), style);
        x += width + 1;
    }
}

fn cell(frame: &mut Frame<'_>, area: Rect, x: u16, width: u16, text: &str, right: bool, style: Style) {
    let text = shorten(text, usize::from(width));
    let pad = if right { usize::from(width).saturating_sub(Span::raw(text.as_str()).width()) } else { 0 };
    let at = Rect { x: x + pad as u16, width: width.saturating_sub(pad as u16), ..area };
    put(frame, at, 0, &text, style);
}

fn content(m: &Model, n: &NodeView, column: Column, i: usize) -> (String, Ink) {
    let known = n.opinion != Opinion::Unknown || m.observer == Observer::Truth;
    let dash = || ("-".to_string(), Ink::Faint);
    match column {
        Column::Name => {
            let eye = if n.is_observer { "◉" } else { "" };
            (format!("{}{eye}", n.name), if n.slots > 0 { Ink::Node(i) } else { Ink::Text })
        }
        Column::Says => says(m, n),
        _ if !known => (String::new(), Ink::Faint),
        Column::Role => match (n.role, &n.master) {
            (Role::Master, _) => ("master".to_string(), Ink::Text),
            (Role::Replica, Some(of)) => (format!("↳ {of}"), Ink::Text),
            (Role::Replica, None) => ("replica".to_string(), Ink::Text),
            (Role::Sentinel, _) => ("sentinel".to_string(), Ink::Paused),
            (Role::Unknown, _) => dash(),
        },
        Column::Slots => (n.slots.to_string(), if n.slots > 0 { Ink::Text } else { Ink::Faint }),
        Column::Epoch => (n.epoch.to_string(), Ink::Text),
        Column::Pong => match n.pong_age {
            Some(d) => (about(d), Ink::Text),
            None => dash(),
        },
        Column::Held => match n.opinion {
            Opinion::Failed => (format!("FAIL {}", n.doubts), Ink::Bad),
            Opinion::Suspected => (format!("PFAIL {}", n.doubts), Ink::Warn),
            _ => dash(),
        },
        Column::Link => match n.link {
            Some(true) => ("up".to_string(), Ink::Text),
            Some(false) => ("down".to_string(), Ink::Warn),
            None => dash(),
        },
        Column::Offset => (n.offset.to_string(), Ink::Text),
        Column::Lag => match n.lag {
            Some(0) => ("0".to_string(), Ink::Faint),
            Some(bytes) => (bytes.to_string(), Ink::Warn),
            None => dash(),
        },
        Column::Flags => (n.flags.clone(), Ink::Faint),
    }
}

/// The column that matters most: what the observer holds the node for; for the truth, what it is, and how
/// many others think ill of it.
fn says(m: &Model, n: &NodeView) -> (String, Ink) {
    let by = |word: &str| if n.doubts > 0 { format!("{word} {}", n.doubts) } else { word.to_string() };
    if m.observer == Observer::Truth {
        let ink = match n.process {
            Process::Up if n.state_ok == Some(false) => Ink::Bad,
            Process::Up => Ink::Good,
            Process::Busy | Process::Starting => Ink::Warn,
            Process::Paused => Ink::Paused,
            Process::Stopped | Process::Off => Ink::Bad,
        };
        let word = match (n.process, n.state_ok) {
            (Process::Up, Some(false)) => words::UP_FAIL,
            (p, _) => words::process(p),
        };
        return (m.say(word).to_string(), ink);
    }
    match n.opinion {
        Opinion::Failed => (by("FAIL"), Ink::Bad),
        Opinion::Suspected => (by("PFAIL"), Ink::Warn),
        Opinion::Stranger => ("handshake".to_string(), Ink::Paused),
        Opinion::Unknown => (m.say(words::UNKNOWN).to_string(), Ink::Faint),
        Opinion::Fine if n.is_observer => match n.state_ok {
            Some(false) => (m.say(words::ME_FAIL).to_string(), Ink::Bad),
            _ => (m.say(words::ME_OK).to_string(), Ink::Good),
        },
        Opinion::Fine => ("ok".to_string(), Ink::Good),
    }
}
