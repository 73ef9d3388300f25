//! A space-time diagram of the bus: a column per node, a row per packet, time runs down.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Span;

use super::put;
use crate::base::Id;
use crate::redis::bus::packet::kind;
use crate::trace::HostId;
use crate::trace::text::packet_kind;
use crate::tui::model::Model;
use crate::tui::text::{about, seconds};
use crate::tui::theme::Ink;
use crate::tui::words::said;
use crate::world::probe::messages::Flight;

/// Columns for the time at the left, and for the time on the way at the right.
const TIME: u16 = 13;
const TOOK: u16 = 9;

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let all = &m.details.flights;
    let nodes = columns(m, all, area);
    if nodes.is_empty() || area.height < 3 {
        let none = match m.has_packets() {
            true => said(" no packet around now", " 此刻前后没有报文"),
            false => said(" looking for packets…", " 正在寻找报文…"),
        };
        let none = m.say(none);
        put(frame, area, 0, none, t.style(Ink::Faint));
        return;
    }
    let step = (area.width.saturating_sub(TIME + TOOK) / nodes.len() as u16).clamp(4, 22);
    let x_of = |h: HostId| -> Option<u16> {
        let i = nodes.iter().position(|n| *n == h)?;
        Some(area.x + TIME + i as u16 * step + 2)
    };
    for (i, &h) in nodes.iter().enumerate() {
        let at = Rect { x: area.x + TIME + i as u16 * step, width: step, ..area };
        let mut style = t.style(Ink::Node(h.index()));
        if h.index() == m.node {
            style = style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD);
        }
        put(frame, at, 0, &m.host_name(h).chars().take(usize::from(step) - 1).collect::<String>(), style);
    }
    let now_row = all.partition_point(|f| f.begins() <= m.now());
    let mut y = 1;
    for (i, f) in all.iter().enumerate() {
        if y >= area.height {
            break;
        }
        if i == now_row {
            now_line(m, frame, area, y);
            y += 1;
        }
        if y < area.height {
            lifelines(m, frame, area, y, &nodes, step);
            flight(m, frame, area, y, f, &x_of);
        }
        y += 1;
    }
    if now_row >= all.len() && y < area.height {
        now_line(m, frame, area, y);
    }
}

/// Nodes that take part, as many as fit with at least four cells; the selected one first of all.
fn columns(m: &Model, all: &[Flight], area: Rect) -> Vec<HostId> {
    let most = usize::from(area.width.saturating_sub(TIME + TOOK) / 4);
    if m.nodes() <= most {
        return (0..m.nodes()).map(HostId::new).collect();
    }
    let mut out = vec![HostId::new(m.node)];
    let near = all.iter().flat_map(|f| [Some(f.from), f.to]).flatten();
    for h in near {
        if out.len() < most && !out.contains(&h) {
            out.push(h);
        }
    }
    out.sort_unstable();
    out
}

fn now_line(m: &Model, frame: &mut Frame<'_>, area: Rect, y: u16) {
    let style = m.theme.style(Ink::Strong);
    let text = format!("{:>12} ", seconds(m.relative(m.now()), 6));
    put(frame, area, y, &text, style);
    let x = area.x + TIME;
    let rest = Rect { x, width: area.right().saturating_sub(x), ..area };
    put(frame, rest, y, &"━".repeat(usize::from(rest.width)), style);
    put(frame, Rect { x: x + 1, width: 6, ..area }, y, m.say(said(" now ", " 现在 ")), style);
}

fn lifelines(m: &Model, frame: &mut Frame<'_>, area: Rect, y: u16, nodes: &[HostId], step: u16) {
    for i in 0..nodes.len() {
        let at = Rect { x: area.x + TIME + i as u16 * step + 2, width: 1, ..area };
        put(frame, at, y, "│", m.theme.style(Ink::Faint));
    }
}

fn ink_of(kind: u16) -> Ink {
    match kind {
        kind::PING | kind::PONG => Ink::Faint,
        kind::FAIL => Ink::Bad,
        kind::AUTH_REQUEST | kind::AUTH_ACK => Ink::Accent,
        kind::UPDATE => Ink::Warn,
        _ => Ink::Text,
    }
}

fn flight(
    m: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    y: u16,
    f: &Flight,
    x_of: &impl Fn(HostId) -> Option<u16>,
) {
    let t = m.theme;
    let future = f.begins() > m.now();
    let style = t.style(if future { Ink::Faint } else { ink_of(f.kind) });
    put(frame, area, y, &format!("{:>12}", seconds(m.relative(f.begins()), 6)), t.style(Ink::Faint));
    let name = packet_kind(f.kind).to_string();
    let (Some(from), Some(to)) = (x_of(f.from), f.to.and_then(x_of)) else {
        let at = Rect { x: area.x + TIME + 3, width: area.width.saturating_sub(TIME + 3), ..area };
        let to = f.to.map_or("?", |h| m.host_name(h));
        return put(frame, at, y, &format!("{} {name} → {to}", m.host_name(f.from)), style);
    };
    let (left, right) = (from.min(to), from.max(to));
    let inner = usize::from(right - left).saturating_sub(1);
    // The name in the middle of the arrow, if there is room for it.
    let body = if inner >= name.len() + 4 {
        let pad = inner - name.len() - 2;
        format!("{} {name} {}", "─".repeat(pad / 2), "─".repeat(pad - pad / 2))
    } else {
        "─".repeat(inner)
    };
    put(frame, Rect { x: left + 1, width: inner as u16, ..area }, y, &body, style);
    let open = f.read.is_none();
    let (tail, tip) = (
        if f.sent.is_some() { "●" } else { "◌" },
        match (open, to > from) {
            (true, _) => "…",
            (_, true) => "▶",
            (_, false) => "◀",
        },
    );
    put(frame, Rect { x: from, width: 1, ..area }, y, tail, style);
    put(frame, Rect { x: to, width: 1, ..area }, y, tip, style);
    let took = match (f.sent, f.read) {
        (Some(a), Some(b)) => about(b.since(a)),
        (Some(_), None) => m.say(said("on its way", "在途")).into(),
        _ => String::new(),
    };
    let label = if inner < name.len() + 4 { format!("{name} {took}") } else { took };
    let at = area.right().saturating_sub(Span::raw(label.as_str()).width() as u16 + 1);
    if at > right + 1 {
        put(frame, Rect { x: at, width: area.right() - at, ..area }, y, &label, t.style(Ink::Faint));
    }
}
