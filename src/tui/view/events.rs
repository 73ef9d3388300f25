//! The list of events and the line about the selected one.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::{put_line, shorten};
use crate::trace::text::Topic;
use crate::trace::{Event, Fact, Level};
use crate::tui::layout::Areas;
use crate::tui::model::{Model, is_landmark};
use crate::tui::panel::Panel;
use crate::tui::text::{about, level_word, seconds};
use crate::tui::theme::Ink;
use crate::tui::words::{self, said};
use crate::world::probe::view::Observer;

/// Which events are listed.
pub fn what(m: &Model) -> String {
    let mut more = m.say(level_word(m.filter.level)).to_string();
    if let Observer::Node(h) = m.observer {
        more.push_str(&said(" of {0}", "，{0} 自己的").with(m.lang, &[&m.host_name(h)]));
    }
    if let Some(node) = m.filter.node {
        more.push_str(&said(" about {0}", "，关于 {0}").with(m.lang, &[&m.node_name(node)]));
    }
    if !m.filter.search.is_empty() {
        more.push_str(&said(" with “{0}”", "，含“{0}”").with(m.lang, &[&m.filter.search]));
    }
    more
}

/// The place of the current event among those listed; with what is listed, if that is the title's to say.
pub fn count(m: &Model) -> Span<'static> {
    let at = if m.listed.is_empty() { 0 } else { m.current_row() + 1 };
    let what = if m.panel == Panel::Events { format!("{} ", what(m)) } else { String::new() };
    Span::styled(format!("{what}{at}/{}", m.listed.len()), m.theme.style(Ink::Faint))
}

pub fn list(m: &Model, frame: &mut Frame<'_>, a: &Areas) {
    let current = m.current();
    let rows = usize::from(a.log_rows.height);
    for (row, &i) in m.listed.iter().skip(a.first_event).take(rows).enumerate() {
        let area = Rect { y: a.log_rows.y + row as u16, height: 1, ..a.log_rows };
        event(m, frame, area, i, current == Some(i));
    }
}

fn event(m: &Model, frame: &mut Frame<'_>, area: Rect, i: usize, selected: bool) {
    let e = &m.record()[i];
    let future = e.at > m.now();
    let mut line = Line::from(spans(m, e, usize::from(area.width)));
    if future {
        line.spans.iter_mut().for_each(|s| s.style = m.theme.style(Ink::Faint));
    }
    put_line(frame, area, 0, line);
    if selected {
        super::put(frame, area, 0, "▌", m.theme.style(Ink::Accent));
        for x in area.x + 1..area.right() {
            frame.buffer_mut()[(x, area.y)].modifier.insert(Modifier::BOLD);
        }
    }
}

/// Time, host and words of an event.
fn spans(m: &Model, e: &Event, width: usize) -> Vec<Span<'static>> {
    let t = m.theme;
    let ink = ink_of(&e.fact);
    let host = m.host_name(e.host).to_string();
    let time = format!(" {:>12} ", seconds(m.relative(e.at), 6));
    let name = format!("{:<9}", shorten(&host, 9));
    let room = width.saturating_sub(time.len() + 13);
    vec![
        Span::styled(time, t.style(Ink::Faint)),
        Span::styled(format!("{} ", Topic::of(&e.fact).mark()), t.style(Ink::Faint)),
        Span::styled(name, t.style(Ink::Text)),
        Span::styled(" ", t.style(Ink::Text)),
        Span::styled(shorten(&m.words(e), room), t.style(ink)),
    ]
}

pub fn ink_of(fact: &Fact) -> Ink {
    match fact {
        Fact::Killed | Fact::Crashed | Fact::Exited { .. } | Fact::LinkCut { .. } => Ink::Bad,
        Fact::FailQuorum { .. } | Fact::StateChanged { ok: false } => Ink::Bad,
        Fact::Pfail { .. } | Fact::Busy { .. } | Fact::VoteDenied { .. } | Fact::CantFailover { .. } => {
            Ink::Warn
        }
        Fact::Paused => Ink::Paused,
        Fact::Promoted { .. } | Fact::ElectionWon { .. } | Fact::StateChanged { ok: true } => Ink::Good,
        Fact::Started { .. } | Fact::Resumed | Fact::LinkHealed { .. } | Fact::Formed | Fact::Begun => {
            Ink::Good
        }
        Fact::ElectionStarted { .. } | Fact::Command { .. } => Ink::Accent,
        Fact::Say { .. } => Ink::Voice,
        f if f.level() > Level::Headline && !is_landmark(f) => Ink::Faint,
        _ => Ink::Text,
    }
}

/// The selected event in full, and what led to it.
pub fn inspector(m: &Model, frame: &mut Frame<'_>, area: Rect, current: Option<usize>) {
    let t = m.theme;
    let Some(i) = current else { return };
    let e = &m.record()[i];
    let width = usize::from(area.width).saturating_sub(2);
    let causes = because(m, i);
    let why = if causes.is_empty() { String::new() } else { format!("  ⟵ {}", causes.join("  ⟵ ")) };
    let what = format!("{} {}", m.host_name(e.host), m.words(e));
    if area.height == 1 {
        let line = Line::styled(format!(" {}", shorten(&format!("{what}{why}"), width)), t.style(Ink::Text));
        return put_line(frame, area, 0, line);
    }
    let first = vec![
        Span::styled(format!(" {} ", seconds(m.relative(e.at), 6)), t.style(Ink::Accent)),
        Span::styled(shorten(&what, width.saturating_sub(14)), t.style(Ink::Strong)),
    ];
    put_line(frame, area, 0, Line::from(first));
    let text = if why.is_empty() { format!("  {}", m.say(words::NO_CAUSE)) } else { why };
    put_line(frame, area, 1, Line::styled(shorten(&text, width), t.style(Ink::Faint)));
}

/// What led to an event, latest first, with the time before it.
fn because(m: &Model, i: usize) -> Vec<String> {
    let at = m.record()[i].at;
    causes(m, i)
        .into_iter()
        .map(|c| {
            let e = &m.record()[c];
            let before = said("{0} before", "早 {0}").with(m.lang, &[&about(at.since(e.at))]);
            format!("{} {} ({before})", m.host_name(e.host), m.words(e))
        })
        .collect()
}

/// The recorded causes of an event, latest first.
pub fn causes(m: &Model, i: usize) -> Vec<usize> {
    let mut out = Vec::new();
    let mut at = m.record()[i].cause;
    while at.is_some()
        && let Some(e) = m.record().get(at.0 as usize)
    {
        out.push(at.0 as usize);
        at = e.cause;
    }
    out
}
