//! Two futures side by side, aligned on time; the first difference stands out.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::{events, health_ink, put, put_line, shorten};
use crate::redis::registry::Registry;
use crate::trace::Event;
use crate::tui::lesson::wrap::wrap;
use crate::tui::model::{Model, Row, merged};
use crate::tui::text::{seconds, words};
use crate::tui::theme::Ink;
use crate::tui::words::{EPOCH, Said, health, said};
use crate::world::probe::view::{ClusterView, Observer};
use crate::world::timeline::Timeline;

const ALONE: Said = said(
    "There is one future so far. Change something in it, now or in the past: ! does something to the selected node, \
     : opens the console, K kills it. What would have been without it stays, and this panel shows both side by side.",
    "目前只有一个未来。在现在或过去改变点什么：! 对选中的节点动手，: 打开控制台，K 杀死它。没有这个改变的未来会保留，这个面板把两者并排显示。",
);

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let Some(other) = m.compared() else {
        for (i, line) in wrap(m.say(ALONE), usize::from(area.width).saturating_sub(2)).iter().enumerate() {
            put(frame, area, i as u16, &format!(" {line}"), t.style(Ink::Text));
        }
        return;
    };
    let half = (area.width - 1) / 2;
    let left = Rect { width: half, ..area };
    let right = Rect { x: area.x + half + 1, width: area.width - half - 1, ..area };
    let theirs = m.other.map_or("", |i| m.future_name(i));
    let mine = m.future_name(m.future);
    let there = other.world().view(m.observer);
    summary(m, frame, left, theirs, other, &there);
    summary(m, frame, right, mine, m.timeline(), &m.shot);
    for y in area.y..area.bottom() {
        let rule = Rect { x: area.x + half, y, width: 1, height: u16::from(y != area.y + 2) };
        put(frame, rule, 0, "│", t.style(Ink::Faint));
    }
    let (a, b) = (other.record(), m.record());
    let rows = merged(a, b, |e| e.fact.level() <= m.filter.level);
    let first = rows.iter().position(|r| !matches!(r, Row::Both(..)));
    let at = |r: &Row| match *r {
        Row::Both(i, _) | Row::Left(i) => a[i].at,
        Row::Right(j) => b[j].at,
    };
    let shown = usize::from(area.height.saturating_sub(3));
    let now = rows.partition_point(|r| at(r) <= m.now());
    let begin = now.saturating_sub(shown * 2 / 3).min(rows.len().saturating_sub(shown));
    for (row, (i, r)) in rows.iter().enumerate().skip(begin).take(shown).enumerate() {
        let y = row as u16 + 3;
        let here = Some(i) == first;
        let (x, z) = match *r {
            Row::Both(i, j) => (Some(&a[i]), Some(&b[j])),
            Row::Left(i) => (Some(&a[i]), None),
            Row::Right(j) => (None, Some(&b[j])),
        };
        let both = matches!(r, Row::Both(..));
        event(m, frame, left, y, (x, other.names()), both, here);
        event(m, frame, right, y, (z, m.timeline().names()), both, here);
    }
    let mut line = match first.map(|i| rows[i]) {
        Some(r) => {
            let (e, names) = match r {
                Row::Both(i, _) | Row::Left(i) => (&a[i], other.names()),
                Row::Right(j) => (&b[j], m.timeline().names()),
            };
            let host = names.host_name(e.host);
            let parts: [&dyn std::fmt::Display; 3] = [&seconds(m.relative(e.at), 6), &host, &words(names, e)];
            said(" ◆ they part at {0} s: {1} {2}", " ◆ 在 {0} s 分开：{1} {2}").with(m.lang, &parts)
        }
        None => {
            m.say(said(" no difference in what both have shown so far", " 到目前为止两者没有区别")).into()
        }
    };
    let third = m.futures.iter().enumerate().filter(|(i, _)| *i != m.future && Some(*i) != m.other);
    let others: Vec<&str> = third.map(|(i, _)| m.future_name(i)).collect();
    if !others.is_empty() {
        let kept = said("   (also kept: {0})", "   （另外保留：{0}）").with(m.lang, &[&others.join(", ")]);
        line.push_str(&kept);
    }
    put(frame, area, 2, &line, t.style(Ink::Accent));
}

/// Name, state and owners of a future, two lines.
fn summary(m: &Model, frame: &mut Frame<'_>, area: Rect, name: &str, t: &Timeline, view: &ClusterView) {
    let theme = m.theme;
    let (ink, dot) = health_ink(view.health.level);
    let world = t.world();
    put_line(
        frame,
        area,
        0,
        Line::from(vec![
            Span::styled(
                format!(" {} ", shorten(name, usize::from(area.width).saturating_sub(24))),
                theme.style(Ink::Accent).add_modifier(Modifier::REVERSED),
            ),
            Span::styled(format!(" {dot} {}", m.say(health(view.health.level))), theme.style(ink)),
            Span::styled(format!(" {} {}", m.say(EPOCH), view.health.current_epoch), theme.style(Ink::Text)),
        ]),
    );
    let mut spans = vec![Span::raw(" ")];
    for (i, n) in view.nodes.iter().enumerate() {
        let sign = if n.slots > 0 { theme.owner_glyph(i) } else { '↳' };
        let down = n.host.is_some_and(|h| !world.process(h).runs());
        let ink = match (down, n.slots > 0) {
            (true, _) => Ink::Bad,
            (_, true) => Ink::Node(i),
            _ => Ink::Faint,
        };
        let sign = if down { '†' } else { sign };
        spans.push(Span::styled(format!("{sign} {} ", n.name), theme.style(ink)));
    }
    if let Observer::Node(_) = m.observer {
        spans.push(Span::styled(m.observer_text(), theme.style(Ink::Faint)));
    }
    put_line(frame, area, 1, Line::from(spans));
}

fn event(
    m: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    y: u16,
    (e, names): (Option<&Event>, &Registry),
    both: bool,
    first: bool,
) {
    let t = m.theme;
    let Some(e) = e else {
        if first {
            put(frame, area, y, " ◆", t.style(Ink::Accent));
        }
        return;
    };
    let ink = match (both, e.at > m.now()) {
        (true, _) | (_, true) => Ink::Faint,
        _ => events::ink_of(&e.fact),
    };
    let mark = if first {
        '◆'
    } else if both {
        ' '
    } else {
        '▸'
    };
    let host = names.host_name(e.host);
    let text = format!("{:>11} {:<6} {}", seconds(m.relative(e.at), 4), shorten(host, 6), words(names, e));
    let mut style = t.style(ink);
    if first {
        style = style.add_modifier(Modifier::BOLD);
    }
    let line = Line::from(vec![
        Span::styled(format!(" {mark}"), t.style(Ink::Accent)),
        Span::styled(shorten(&text, usize::from(area.width).saturating_sub(3)), style),
    ]);
    put_line(frame, area, y, line);
}
