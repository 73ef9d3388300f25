//! The chart of time: an axis, a lane per node, marks, the playhead, and the phases of failovers.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

use super::put;
use crate::base::{Dur, SimTime};
use crate::tui::layout::Areas;
use crate::tui::model::Model;
use crate::tui::text::{about, seconds};
use crate::tui::theme::Ink;
use crate::tui::words::{self, Said, said};
use crate::world::probe::lanes::{FailoverPhases, LaneState, MarkKind};
use crate::world::probe::view::{Process, Role};

/// Time to columns.
struct Scale {
    from: SimTime,
    to: SimTime,
    width: u16,
}

impl Scale {
    fn column(&self, t: SimTime) -> Option<u16> {
        if t < self.from || t > self.to {
            return None;
        }
        let span = self.to.since(self.from).0.max(1);
        Some(((t.since(self.from).0 * u64::from(self.width) / span) as u16).min(self.width - 1))
    }
    /// The column, or the nearest edge.
    fn clamped(&self, t: SimTime) -> u16 {
        self.column(t.clamp(self.from, self.to)).unwrap_or(0)
    }
    fn start(&self, column: u16) -> SimTime {
        let span = self.to.since(self.from).0;
        self.from + Dur((span * u64::from(column)).div_ceil(u64::from(self.width.max(1))))
    }
}

pub fn draw(m: &Model, frame: &mut Frame<'_>, a: &Areas) {
    if a.chart.width < 8 {
        return;
    }
    let (from, to) = m.window();
    let scale = Scale { from, to, width: a.chart.width };
    axis(m, frame, a, &scale);
    let rows = a.chart.height.saturating_sub(1);
    for row in 0..rows {
        let node = a.first_node + usize::from(row);
        if node < m.nodes() {
            lane(m, frame, a.chart, row + 1, node, &scale);
        }
    }
    playhead(m, frame, a, &scale, rows);
    failovers(m, frame, a, &scale);
}

/// Steps of 1, 2 or 5 times a power of ten, so that labels have room.
fn tick(span: u64, width: u16) -> u64 {
    let least = span * 11 / u64::from(width.max(1));
    let mut step = 1000;
    loop {
        for k in [1, 2, 5] {
            if step * k >= least {
                return step * k;
            }
        }
        step *= 10;
    }
}

fn axis(m: &Model, frame: &mut Frame<'_>, a: &Areas, scale: &Scale) {
    let style = m.theme.style(Ink::Faint);
    let step = tick(scale.to.since(scale.from).0, scale.width) as i64;
    let decimals = match step {
        1_000_000.. => 0,
        100_000.. => 1,
        10_000.. => 2,
        _ => 3,
    };
    let zero = m.relative(SimTime::ZERO);
    let mut at = (m.relative(scale.from) + step - 1).div_euclid(step) * step;
    loop {
        let t = SimTime((at - zero) as u64);
        let Some(x) = scale.column(t) else { break };
        let label = if at == 0 { "0".to_string() } else { seconds(at, decimals) };
        let area = Rect { x: a.chart.x + x, width: a.chart.width - x, ..a.chart };
        if label.len() as u16 + 1 < area.width {
            put(frame, area, 0, &format!("╷{label}"), style);
        }
        at += step;
    }
}

/// The gravest of the states in a column stands for it.
fn gravity(s: &LaneState) -> u8 {
    match s {
        s if s.failed_by > 0 => 6,
        s if s.suspected_by > 0 => 5,
        LaneState { process: Process::Off | Process::Stopped, .. } => 4,
        LaneState { process: Process::Paused | Process::Busy, .. } => 3,
        LaneState { process: Process::Starting, .. } => 2,
        s if s.syncing => 2,
        s if !s.state_ok => 1,
        _ => 0,
    }
}

fn look(m: &Model, node: usize, s: &LaneState) -> (char, Style) {
    let t = m.theme;
    let others = m.nodes().saturating_sub(1).max(1);
    if s.failed_by > 0 {
        return ('█', t.style(Ink::Bad));
    }
    if s.suspected_by > 0 && !m.seen.is_empty() {
        return ('▄', t.style(Ink::Warn));
    }
    if s.suspected_by > 0 {
        let steps = ['▁', '▂', '▃', '▄', '▅', '▆'];
        let i = (usize::from(s.suspected_by) * (steps.len() - 1)).div_ceil(others);
        return (steps[i.min(steps.len() - 1)], t.style(Ink::Warn));
    }
    match (s.process, s.role) {
        (Process::Off | Process::Stopped, _) => ('·', t.style(Ink::Faint)),
        (Process::Starting, _) => ('∘', t.style(Ink::Warn)),
        (Process::Paused, _) => ('╌', t.style(Ink::Paused)),
        (Process::Busy, _) => ('≈', t.style(Ink::Warn)),
        (Process::Up, _) if s.syncing => ('↓', t.style(Ink::Accent)),
        (Process::Up, _) if !s.state_ok => ('×', t.style(Ink::Bad)),
        (Process::Up, Role::Master) => ('━', t.style(Ink::Node(node))),
        (Process::Up, Role::Sentinel) => ('┄', t.style(Ink::Faint)),
        (Process::Up, _) => ('─', t.style(Ink::Faint)),
    }
}

fn lane(m: &Model, frame: &mut Frame<'_>, chart: Rect, row: u16, node: usize, scale: &Scale) {
    let lane = &m.lanes.lanes[node];
    let known = m.timeline().known_to();
    let now = m.now();
    let y = chart.y + row;
    let states = m.seen.get(node).unwrap_or(&lane.states);
    let mut first = states.partition_point(|(at, _)| *at <= scale.from).saturating_sub(1);
    for x in 0..scale.width {
        let (start, end) = (scale.start(x), scale.start(x + 1));
        if start > known {
            break;
        }
        while first + 1 < states.len() && states[first + 1].0 <= start {
            first += 1;
        }
        let inside = states[first..].iter().take_while(|(at, _)| *at < end || *at <= start);
        let Some((_, state)) = inside.max_by_key(|(_, s)| gravity(s)) else { continue };
        let (glyph, mut style) = look(m, node, state);
        if start > now {
            style = style.add_modifier(Modifier::DIM);
        }
        let cell = &mut frame.buffer_mut()[(chart.x + x, y)];
        cell.set_char(glyph);
        cell.set_style(style);
    }
    let mut marks: Vec<_> =
        lane.marks.iter().filter_map(|k| Some((mark(k.kind), scale.column(k.at)?, k.at))).collect();
    marks.sort_by_key(|((rank, ..), ..)| *rank);
    for ((_, glyph, ink), x, at) in marks {
        let mut style = m.theme.style(ink).add_modifier(Modifier::BOLD);
        if at > now {
            style = style.add_modifier(Modifier::DIM);
        }
        let cell = &mut frame.buffer_mut()[(chart.x + x, y)];
        cell.set_char(glyph);
        cell.set_style(style);
    }
}

/// Rank (the highest covers others), glyph and ink of a mark.
pub fn mark(kind: MarkKind) -> (u8, char, Ink) {
    match kind {
        MarkKind::Command => (0, '»', Ink::Accent),
        MarkKind::Voted => (1, '•', Ink::Text),
        MarkKind::Started => (3, '▲', Ink::Good),
        MarkKind::Resumed => (3, '▸', Ink::Good),
        MarkKind::Demoted => (2, '▽', Ink::Warn),
        MarkKind::ElectionStarted => (4, '◇', Ink::Accent),
        MarkKind::Paused => (5, '‖', Ink::Paused),
        MarkKind::Down => (6, '†', Ink::Bad),
        MarkKind::Won => (7, '★', Ink::Good),
    }
}

/// Marks with what they mean, for the help screen.
pub const MARKS: [(MarkKind, Said); 9] = [
    (MarkKind::Down, said("killed, crashed or exited", "被杀、崩溃或退出")),
    (MarkKind::Started, said("started", "启动")),
    (MarkKind::Paused, said("paused", "暂停")),
    (MarkKind::Resumed, said("resumed", "继续运行")),
    (MarkKind::ElectionStarted, said("asks for votes", "拉票")),
    (MarkKind::Voted, said("gives its vote", "投出一票")),
    (MarkKind::Won, said("wins: a master from here", "当选：从此是主节点")),
    (MarkKind::Demoted, said("follows a new master", "跟随新的主节点")),
    (MarkKind::Command, said("a command", "一条命令")),
];

fn playhead(m: &Model, frame: &mut Frame<'_>, a: &Areas, scale: &Scale, rows: u16) {
    let Some(x) = scale.column(m.now()) else { return };
    let x = a.chart.x + x;
    let style = m.theme.style(Ink::Strong);
    put(frame, Rect { x, width: 1, ..a.chart }, 0, "▼", style);
    for row in 1..=rows {
        let cell = &mut frame.buffer_mut()[(x, a.chart.y + row)];
        if cell.symbol() == " " {
            cell.set_char('│');
        }
        cell.modifier.insert(Modifier::REVERSED);
        cell.modifier.remove(Modifier::DIM);
    }
}

/// A line per failover: who for whom and how long on the left, its phases under the lanes.
fn failovers(m: &Model, frame: &mut Frame<'_>, a: &Areas, scale: &Scale) {
    let all = &m.lanes.failovers;
    let rows = usize::from(a.phases.height);
    // The latest that began before now, and what fits after them.
    let begun = all.iter().filter(|f| f.extent().is_some_and(|(from, _)| from <= m.now())).count();
    let first = begun.saturating_sub(rows).min(all.len().saturating_sub(rows));
    for (row, f) in all[first..].iter().take(rows).enumerate() {
        let area = Rect { y: a.phases.y + row as u16, height: 1, ..a.phases };
        let left = Rect { x: area.x + 1, width: a.chart.x.saturating_sub(2), ..area };
        put(frame, left, 0, &summary(m, f), m.theme.style(Ink::Text));
        let bar = Rect { x: a.chart.x, width: a.chart.width, ..area };
        bars(m, frame, bar, f, scale);
    }
}

fn summary(m: &Model, f: &FailoverPhases) -> String {
    let victim = m.host_name(f.victim);
    match (f.winner, f.extent()) {
        (Some(w), Some((from, to))) => {
            format!("{victim} → {}  {}", m.host_name(w), about(to.since(from)))
        }
        _ => format!("{victim} → ?"),
    }
}

fn bars(m: &Model, frame: &mut Frame<'_>, area: Rect, f: &FailoverPhases, scale: &Scale) {
    let mut beside = Vec::new();
    for (name, from, to) in f.phases() {
        if to < scale.from || from > scale.to {
            continue;
        }
        let style = m.theme.style(phase_ink(name));
        let (x0, x1) = (scale.clamped(from), scale.clamped(to));
        let width = usize::from(x1 - x0);
        let label = format!("{} {}", m.say(words::phase(name)), about(to.since(from)));
        let w = Span::raw(label.as_str()).width() + 2;
        let inner = if w < width {
            let pad = (width - 1 - w) / 2;
            format!("{} {label} {}", "╌".repeat(pad), "╌".repeat(width - 1 - w - pad))
        } else {
            beside.push((label, style));
            "╌".repeat(width.saturating_sub(1))
        };
        put(frame, Rect { x: area.x + x0, width: area.width - x0, ..area }, 0, &format!("┣{inner}"), style);
    }
    let Some((from, to)) = f.extent() else { return };
    if let Some(x) = scale.column(to).filter(|_| f.won.is_some()) {
        put(frame, Rect { x: area.x + x, width: 1, ..area }, 0, "┫", m.theme.style(Ink::Good));
    }
    aside(frame, area, beside, (scale.clamped(from), scale.clamped(to)));
}

fn phase_ink(name: &str) -> Ink {
    match name {
        "silence" => Ink::Bad,
        "agree" => Ink::Warn,
        "delay" => Ink::Paused,
        "vote" => Ink::Accent,
        _ => Ink::Good,
    }
}

/// Labels that found no room in the bar, to its right, or else to its left.
fn aside(frame: &mut Frame<'_>, area: Rect, labels: Vec<(String, Style)>, bar: (u16, u16)) {
    let needed: u16 = labels.iter().map(|(l, _)| Span::raw(l.as_str()).width() as u16 + 2).sum();
    let right = area.width.saturating_sub(bar.1 + 1);
    let mut x = match (right >= needed, bar.0 >= needed) {
        (false, true) => bar.0 - needed,
        _ => bar.1 + 2,
    };
    for (label, style) in labels {
        let w = Span::raw(label.as_str()).width() as u16 + 2;
        if x + w > area.width + 2 {
            break;
        }
        put(frame, Rect { x: area.x + x, width: area.width - x.min(area.width), ..area }, 0, &label, style);
        x += w;
    }
}
