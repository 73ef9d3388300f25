//! Each sentinel: what it holds its masters for, how far its failover is, its votes, and its waits as bars.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{bar, lines};
use crate::tui::model::Model;
use crate::tui::text::about;
use crate::tui::theme::Ink;
use crate::tui::words::{self, said};
use crate::world::probe::sentinels::{GroupView, SentinelView};
use crate::world::probe::view::Process;

/// Columns of a sentinel's box.
const BOX: u16 = 44;

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let columns = (area.width / BOX).clamp(1, 5);
    let width = area.width / columns;
    let boxes: Vec<Vec<Line<'_>>> = m.details.sentinels.iter().map(|s| one(m, s, width)).collect();
    let mut parts: Vec<Vec<Line<'_>>> = vec![Vec::new(); usize::from(columns)];
    for (i, lines) in boxes.into_iter().enumerate() {
        let part = &mut parts[i % usize::from(columns)];
        part.extend(lines);
        part.push(Line::default());
    }
    for (i, part) in parts.into_iter().enumerate() {
        let at = Rect { x: area.x + i as u16 * width, width: width.saturating_sub(1), ..area };
        lines(m, frame, at, part);
    }
}

fn one(m: &Model, s: &SentinelView, width: u16) -> Vec<Line<'static>> {
    let t = m.theme;
    let selected = s.host.0 as usize == m.node;
    let ink = match s.process {
        Process::Up => Ink::Good,
        Process::Paused => Ink::Paused,
        _ => Ink::Bad,
    };
    let mut out = vec![Line::from(vec![
        Span::styled(if selected { "▌" } else { " " }, t.style(Ink::Accent)),
        Span::styled(format!("{} ", s.name), t.style(Ink::Accent)),
        Span::styled(m.say(words::process(s.process)), t.style(ink)),
        Span::styled(format!("  {} {}", m.say(words::EPOCH), s.current_epoch), t.style(Ink::Text)),
        Span::styled(if s.tilt { "  TILT" } else { "" }, t.style(Ink::Bad)),
    ])];
    for g in &s.groups {
        group(m, g, width, &mut out);
    }
    out
}

fn group(m: &Model, g: &GroupView, width: u16, out: &mut Vec<Line<'static>>) {
    let t = m.theme;
    let (down, ink) = match (g.master.o_down, g.master.s_down) {
        (true, _) => ("O_DOWN", Ink::Bad),
        (_, true) => ("S_DOWN", Ink::Warn),
        _ => ("ok", Ink::Good),
    };
    out.push(Line::from(vec![
        Span::styled(
            said("  {0} is {1} ", "  {0} 是 {1} ").with(m.lang, &[&g.name, &g.master.name]),
            t.style(Ink::Text),
        ),
        Span::styled(down, t.style(ink)),
        Span::styled(
            said("  {0} of quorum {1}", "  quorum {1} 已有 {0}").with(m.lang, &[&g.agreeing, &g.quorum]),
            t.style(Ink::Text),
        ),
        Span::styled(said(", {0} voters", "，{0} 票权").with(m.lang, &[&g.voters]), t.style(Ink::Faint)),
    ]));
    let state_ink = if g.in_failover { Ink::Warn } else { Ink::Faint };
    let promoted = g.promoted.as_ref().map_or(String::new(), |p| format!(" {p}"));
    out.push(Line::from(vec![
        Span::styled(m.say(said("  state ", "  状态 ")), t.style(Ink::Faint)),
        Span::styled(format!("{}{promoted}", g.state), t.style(state_ink)),
        Span::styled(
            said("  config epoch {0}", "  配置纪元 {0}").with(m.lang, &[&g.config_epoch]),
            t.style(Ink::Faint),
        ),
    ]));
    let mut votes: Vec<String> = Vec::new();
    if let Some(leader) = &g.leader {
        votes.push(said("for {0} in {1}", "投给 {0}，纪元 {1}").with(m.lang, &[leader, &g.leader_epoch]));
    }
    for s in &g.sentinels {
        if let Some(v) = &s.voted_for {
            votes.push(format!("{}: {v}", s.name));
        }
    }
    if !votes.is_empty() {
        out.push(Line::from(vec![
            Span::styled(m.say(said("  vote ", "  票 ")), t.style(Ink::Faint)),
            Span::styled(votes.join(", "), t.style(Ink::Accent)),
        ]));
    }
    for w in &g.waits {
        let cells = width.saturating_sub(40).clamp(6, 24);
        let ink = if w.passed >= w.whole { Ink::Bad } else { Ink::Node(0) };
        let mut spans = vec![Span::styled(format!("  {:<17}", w.name), t.style(Ink::Faint))];
        spans.extend(bar(m, w.passed.0, w.whole.0, cells, ink));
        let part = said(" {0} of {1}", " {0} / {1}，等待").with(m.lang, &[&about(w.passed), &about(w.whole)]);
        spans.push(Span::styled(part, t.style(Ink::Text)));
        out.push(Line::from(spans));
    }
    for r in &g.replicas {
        let (word, ink) = if r.s_down { ("S_DOWN", Ink::Warn) } else { ("ok", Ink::Good) };
        out.push(Line::from(vec![
            Span::styled(format!("  ↳ {:<7}", r.name), t.style(Ink::Text)),
            Span::styled(format!("{word:<7}"), t.style(ink)),
            Span::styled(
                said("offset {0} priority {1}{2}", "偏移量 {0} 优先级 {1}{2}")
                    .with(m.lang, &[&r.offset, &r.priority, &link(m, r.link_up)]),
                t.style(Ink::Faint),
            ),
        ]));
    }
    for s in g.sentinels.iter().filter(|s| s.s_down || s.agrees) {
        let what = if s.s_down {
            said("  {0} is down", "  {0} 已下线")
        } else {
            said("  {0} says the master is down", "  {0} 说主节点已下线")
        };
        out.push(Line::styled(what.with(m.lang, &[&s.name]), t.style(Ink::Warn)));
    }
}

fn link(m: &Model, up: bool) -> &'static str {
    if up { "" } else { m.say(said(" link down", " 链路断开")) }
}
