//! Drawing. Every function here reads the model and draws; none changes it.

mod beliefs;
mod chart;
mod console;
mod events;
mod futures;
mod health;
mod inspect;
mod nodes;
mod overlay;
mod packets;
mod sentinels;
mod slot;
mod slots;
mod topology;
mod votes;
mod writes;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

pub use overlay::help_height;

/// The glyph of a mark on a lane.
pub fn mark_sign(kind: crate::world::probe::lanes::MarkKind) -> char {
    chart::mark(kind).1
}

use super::keys::KEYMAP;
use super::layout::{Areas, SMALLEST, areas};
use super::lesson::wrap::width;
use super::model::{Ask, Model, Overlay};
use super::panel::Panel;
use super::text;
use super::theme::Ink;
use super::words::{self, said};
use crate::world::probe::view::HealthLevel;

/// Draws the whole screen.
pub fn view(m: &Model, frame: &mut Frame<'_>) {
    let all = m.area().intersection(frame.area());
    if all.width < SMALLEST.0 || all.height < SMALLEST.1 {
        return too_small(m, frame, all);
    }
    let a = areas(m);
    header(m, frame, a.header);
    if let Some(said) = m.narration() {
        voice(m, frame, a.voice, said);
    }
    if a.slots_title.height > 0 {
        slots::draw(m, frame, &a);
    }
    if a.nodes_title.height > 0 {
        nodes::draw(m, frame, &a);
        chart::draw(m, frame, &a);
    }
    lower(m, frame, &a);
    footer(m, frame, a.footer);
    match &m.overlay {
        Overlay::Help(skip) => overlay::help(m, frame, all, *skip),
        Overlay::Why => overlay::why(m, frame, &a),
        Overlay::Panels => overlay::panels(m, frame, all),
        Overlay::Acts => overlay::acts(m, frame, all),
        Overlay::Steps => overlay::steps(m, frame, all),
        _ => {}
    }
}

/// The list of events and the panel: side by side, or one of them.
fn lower(m: &Model, frame: &mut Frame<'_>, a: &Areas) {
    let panel = a.panel();
    if m.panel == Panel::Events {
        tabs(m, frame, a, a.log_title, vec![events::count(m)]);
        events::list(m, frame, a);
    } else if let Some((title_row, _)) = a.panel_rows {
        title(m, frame, a.log_title, m.say(Panel::Events.title()), &events::what(m), vec![events::count(m)]);
        events::list(m, frame, a);
        tabs(m, frame, a, title_row, vec![]);
        for y in panel.y..panel.bottom() {
            put(frame, Rect { x: panel.x - 1, y, width: 1, height: 1 }, 0, "│", m.theme.style(Ink::Faint));
        }
    } else {
        tabs(m, frame, a, a.log_title, vec![]);
    }
    events::inspector(m, frame, a.inspector, m.current());
    if panel.width < 8 {
        return;
    }
    match m.panel {
        Panel::Events => {}
        Panel::Inspector => inspect::draw(m, frame, panel),
        Panel::Topology => topology::draw(m, frame, panel),
        Panel::Beliefs => beliefs::draw(m, frame, panel),
        Panel::Slot => slot::draw(m, frame, panel),
        Panel::Sentinels => sentinels::draw(m, frame, panel),
        Panel::Writes => writes::draw(m, frame, panel),
        Panel::Votes => votes::draw(m, frame, panel),
        Panel::Packets => packets::draw(m, frame, panel),
        Panel::Health => health::draw(m, frame, panel),
        Panel::Futures => futures::draw(m, frame, panel),
        Panel::Console => console::draw(m, frame, panel),
    }
}

/// The names of the panels on a rule, the one in view marked.
fn tabs(m: &Model, frame: &mut Frame<'_>, a: &Areas, area: Rect, right: Vec<Span<'_>>) {
    let t = m.theme;
    title(m, frame, area, "", "", right);
    let first = a.tabs.first().is_some_and(|(p, _)| *p != Panel::Events);
    if first {
        put(frame, area, 0, "‹", t.style(Ink::Accent));
    }
    for (p, r) in &a.tabs {
        let name = format!(" {} ", m.say(p.title()));
        if *p == m.panel {
            let style = t.style(Ink::Accent).add_modifier(Modifier::REVERSED);
            put(frame, *r, 0, &name, style);
        } else {
            put(frame, *r, 0, &name, t.style(Ink::Text));
        }
    }
    if a.tabs.last().is_some_and(|(p, _)| Panel::of(m).last() != Some(p))
        && let Some((_, r)) = a.tabs.last()
    {
        put(frame, Rect { x: r.right(), width: 1, ..area }, 0, "›", t.style(Ink::Accent));
    }
    if m.panel == Panel::Events && a.tabs.is_empty() {
        put(frame, area, 0, &format!(" {} ", m.say(Panel::Events.title())), t.style(Ink::Accent));
    }
}

/// Draws lines from the top, scrolled by what the model says and no further than there are lines.
fn lines(m: &Model, frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    let hidden = (lines.len() as u16).saturating_sub(area.height);
    let skip = m.scroll.min(hidden);
    for (row, line) in lines.into_iter().skip(usize::from(skip)).take(usize::from(area.height)).enumerate() {
        put_line(frame, area, row as u16, line);
    }
    if hidden > skip {
        let more = words::MORE_LINES.with(m.lang, &[&(hidden - skip)]);
        let w = Span::raw(more.as_str()).width() as u16;
        let at = Rect { x: area.right().saturating_sub(w), y: area.bottom() - 1, width: w, height: 1 };
        put(frame, at, 0, &more, m.theme.style(Ink::Accent).add_modifier(Modifier::REVERSED));
    }
}

/// A heading and what belongs to it, in the width of a panel.
fn head<'a>(m: &Model, name: &str, more: &str) -> Line<'a> {
    Line::from(vec![
        Span::styled(format!(" {name}"), m.theme.style(Ink::Accent)),
        Span::styled(
            if more.is_empty() { String::new() } else { format!("  {more}") },
            m.theme.style(Ink::Faint),
        ),
    ])
}

/// A bar of so many cells that is full in part.
fn bar(m: &Model, part: u64, whole: u64, cells: u16, ink: Ink) -> Vec<Span<'static>> {
    let full = if whole == 0 { 0 } else { (part.min(whole) * u64::from(cells)).div_ceil(whole) as usize };
    vec![
        Span::styled("█".repeat(full), m.theme.style(ink)),
        Span::styled("░".repeat(usize::from(cells) - full), m.theme.style(Ink::Faint)),
    ]
}

fn too_small(m: &Model, frame: &mut Frame<'_>, all: Rect) {
    let lines = [
        words::SMALL_IS.with(m.lang, &[&all.width, &all.height]),
        words::SMALL_NEEDS.with(m.lang, &[&SMALLEST.0, &SMALLEST.1]),
        m.say(words::SMALL_QUIT).to_string(),
    ];
    for (i, line) in lines.iter().enumerate() {
        put(frame, all, i as u16, line, m.theme.style(Ink::Text));
    }
}

/// One line of text at a row of an area, cut off at its edge.
fn put(frame: &mut Frame<'_>, area: Rect, row: u16, text: &str, style: Style) {
    if row < area.height {
        let y = area.y + row;
        frame.buffer_mut().set_stringn(area.x, y, text, usize::from(area.width), style);
    }
}

/// A line of spans at a row of an area.
fn put_line(frame: &mut Frame<'_>, area: Rect, row: u16, line: Line<'_>) {
    if row < area.height {
        frame.render_widget(line, Rect { y: area.y + row, height: 1, ..area });
    }
}

/// A title on a rule: `── Nodes ── as n2 sees them ────── note ──`.
fn title(m: &Model, frame: &mut Frame<'_>, area: Rect, name: &str, more: &str, right: Vec<Span<'_>>) {
    let faint = m.theme.style(Ink::Faint);
    put(frame, area, 0, &"─".repeat(usize::from(area.width)), faint);
    let mut left = Vec::new();
    if !name.is_empty() {
        left.push(Span::styled(format!(" {name} "), m.theme.style(Ink::Accent)));
    }
    if !more.is_empty() {
        left.push(Span::styled(format!("{more} "), m.theme.style(Ink::Text)));
    }
    let left = Line::from(left);
    let used = left.width() as u16 + 2;
    put_line(frame, Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area }, 0, left);
    let line = Line::from(right);
    let width = line.width() as u16;
    if width > 0 && used + width + 4 < area.width {
        let x = area.right() - width - 3;
        put(frame, Rect { x, width: width + 2, ..area }, 0, &" ".repeat(usize::from(width) + 2), faint);
        put_line(frame, Rect { x: x + 1, width, ..area }, 0, line);
    }
}

fn health_ink(level: HealthLevel) -> (Ink, char) {
    match level {
        HealthLevel::Healthy => (Ink::Good, '●'),
        HealthLevel::Degraded => (Ink::Warn, '◐'),
        HealthLevel::Unhealthy => (Ink::Bad, '○'),
    }
}

fn header(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let sign = match (m.is_forming(), m.playing) {
        (true, _) => "… ",
        (_, true) => "▶ ",
        (_, false) => "‖ ",
    };
    let h = &m.shot.health;
    let (ink, dot) = health_ink(h.level);
    let mut right = vec![
        Span::styled(format!("{dot} {}", m.say(words::health(h.level))), t.style(ink)),
        Span::styled(format!("  {} {}", m.say(words::EPOCH), h.current_epoch), t.style(Ink::Text)),
    ];
    if area.width >= 110 && !m.shot.slots.is_empty() {
        let state = if h.state_ok { "ok" } else { "fail" };
        let state = said("  state {0}  slots {1}/16384", "  状态 {0}  槽 {1}/16384")
            .with(m.lang, &[&state, &h.slots_assigned]);
        right.insert(1, Span::styled(state, t.style(Ink::Text)));
    }
    right.push(Span::raw(" "));
    let right = Line::from(right);
    let width = right.width() as u16;
    let clock = format!("{} s", text::seconds(m.relative(m.now()), if area.width < 100 { 3 } else { 6 }));
    let mut middle = vec![
        Span::styled(format!("  {clock}"), t.style(Ink::Strong)),
        Span::styled(format!("  {}", m.speed_text()), t.style(Ink::Accent)),
        Span::styled(format!("  {}", words::SEED.with(m.lang, &[&m.seed])), t.style(Ink::Faint)),
    ];
    if m.futures.len() > 1 && area.width >= 100 {
        middle.push(Span::styled(format!("  ⑂ {}", m.future_name(m.future)), t.style(Ink::Paused)));
    }
    if m.is_forming() {
        middle.push(Span::styled(format!("  {}", m.say(words::FORMING)), t.style(Ink::Warn)));
    } else if m.is_working() && !m.playing {
        middle.push(Span::styled(format!("  {}", m.say(words::RUNNING)), t.style(Ink::Warn)));
    }
    let middle_width: u16 = middle.iter().map(|s| s.width() as u16).sum();
    let room = usize::from(area.width.saturating_sub(width + middle_width + 6)).max(8);
    let name = shorten(m.title(), room);
    let mut left = vec![
        Span::styled(format!(" {sign}"), t.style(Ink::Accent)),
        Span::styled(name, t.style(Ink::Strong)),
    ];
    left.extend(middle);
    put_line(frame, area, 0, Line::from(left));
    put_line(frame, Rect { x: area.right().saturating_sub(width), width, ..area }, 0, right);
}

fn voice(m: &Model, frame: &mut Frame<'_>, area: Rect, said: &str) {
    let style = m.theme.style(Ink::Voice);
    let room = usize::from(area.width.saturating_sub(4)).max(20);
    let lines = wrap(said, room);
    let rows = usize::from(area.height);
    for (i, line) in lines.iter().take(rows).enumerate() {
        let more = if i + 1 == rows && lines.len() > rows { " …" } else { "" };
        put(frame, area, i as u16, &format!(" ┃ {line}{more}"), style);
    }
}

fn footer(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    if let Overlay::Asking(ask, line) = &m.overlay {
        let question = match ask {
            Ask::Console => format!(" {}> ", m.node_name(m.node)),
            ask => format!(" {}", m.say(ask.question())),
        };
        let help = match ask {
            Ask::Console => m.say(words::ASK_CONSOLE),
            _ => m.say(words::ASK_OTHER),
        };
        // The end of a long line is what one types.
        let room = usize::from(area.width).saturating_sub(Span::raw(question.as_str()).width() + 3);
        let from = line.chars().count().saturating_sub(room);
        let shown: String = line.chars().skip(from).collect();
        let spans = vec![
            Span::styled(question, t.style(Ink::Accent)),
            Span::styled(format!("{shown}▏"), t.style(Ink::Strong)),
            Span::styled(help, t.style(Ink::Faint)),
        ];
        put_line(frame, area, 0, Line::from(spans));
        if let Some(note) = m.note.as_ref().filter(|_| area.y > 0) {
            let above = Rect { y: area.y - 1, ..area };
            put(frame, above, 0, &" ".repeat(usize::from(area.width)), t.style(Ink::Text));
            put(frame, above, 0, &format!(" {note}"), t.style(Ink::Warn));
        }
        return;
    }
    if let Some(note) = &m.note {
        return put(frame, area, 0, &format!(" {note}"), t.style(Ink::Warn));
    }
    put_line(frame, area, 0, Line::from(footer_keys(m, usize::from(area.width))));
}

/// As many keys as fit, the most wanted ones, in the order of the keymap's ranks.
fn footer_keys(m: &Model, width: usize) -> Vec<Span<'static>> {
    let t = m.theme;
    let mut wanted: Vec<_> = KEYMAP.iter().filter_map(|b| Some((b.footer?, b))).collect();
    wanted.sort_by_key(|((rank, _), _)| *rank);
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    for ((_, name), b) in wanted {
        let (key, name) = (b.keys[0].to_string(), m.say(name));
        let w = key.chars().count() + Span::raw(name).width() + 3;
        if used + w > width {
            break;
        }
        used += w;
        spans.push(Span::styled(key, t.style(Ink::Accent)));
        spans.push(Span::styled(format!(" {name}  "), t.style(Ink::Text)));
    }
    spans
}

/// Clears a part of the screen for something that lies over the rest: a wide character whose right half would be
/// under it goes too.
pub(super) fn clear(frame: &mut Frame<'_>, r: Rect) {
    frame.render_widget(Clear, r);
    let Some(left) = r.x.checked_sub(1) else { return };
    for y in r.y..r.bottom() {
        let cell = &mut frame.buffer_mut()[(left, y)];
        if Span::raw(cell.symbol()).width() > 1 {
            cell.set_char(' ');
        }
    }
}

/// Clears a box in the middle of an area, draws its border and title, and returns its inside.
fn popup(m: &Model, frame: &mut Frame<'_>, area: Rect, size: (u16, u16), name: &str) -> Rect {
    let (w, h) = (size.0.min(area.width), size.1.min(area.height));
    let r = Rect::new(area.x + (area.width - w) / 2, area.y + (area.height - h) / 2, w, h);
    clear(frame, r);
    let block = ratatui::widgets::Block::bordered()
        .border_style(m.theme.style(Ink::Faint))
        .title(Line::styled(format!(" {name} "), m.theme.style(Ink::Accent)));
    let inside = block.inner(r);
    frame.render_widget(block, r);
    inside
}

/// A text with blanks up to so many columns.
fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(Span::raw(text).width())))
}

/// The text in lines of at most so many characters, broken between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is a line");
        let used = Span::raw(last.as_str()).width();
        let w = Span::raw(word).width();
        if used > 0 && used + 1 + w > width {
            lines.push(word.to_string());
        } else {
            if used > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// The text, cut to so many cells with an ellipsis.
pub fn shorten(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_string();
    }
    let mut out = String::new();
    let mut left = cells.saturating_sub(1);
    for c in text.chars() {
        let Some(rest) = left.checked_sub(width(c.encode_utf8(&mut [0; 4]))) else { break };
        left = rest;
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(wrap("unbreakable", 4), ["unbreakable"]);
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(shorten("abcd", 4), "abcd");
        assert_eq!(shorten("主节点死了", 8), "主节点…");
    }
}
