//! Drawing. Every function here reads the model and draws; none changes it.

mod chart;
mod events;
mod nodes;
mod overlay;
mod slots;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

pub use overlay::help_height;

use super::keys::KEYMAP;
use super::layout::{SMALLEST, areas};
use super::model::{Model, Overlay};
use super::text;
use super::theme::{Ink, Theme};
use crate::world::probe::view::HealthLevel;

/// Draws the whole screen.
pub fn view(m: &Model, frame: &mut Frame<'_>) {
    let all = frame.area();
    if all.width < SMALLEST.0 || all.height < SMALLEST.1 {
        return too_small(m, frame, all);
    }
    let a = areas(m);
    header(m, frame, a.header);
    if let Some(said) = m.narration() {
        voice(m, frame, a.voice, said);
    }
    slots::draw(m, frame, &a);
    nodes::draw(m, frame, &a);
    chart::draw(m, frame, &a);
    events::draw(m, frame, &a);
    footer(m, frame, a.footer);
    match &m.overlay {
        Overlay::Help(skip) => overlay::help(m, frame, all, *skip),
        Overlay::Why => overlay::why(m, frame, &a),
        _ => {}
    }
}

fn too_small(m: &Model, frame: &mut Frame<'_>, all: Rect) {
    let lines = [
        format!("This terminal has {} x {} cells.", all.width, all.height),
        format!("Slotscope needs {} x {}: make it larger.", SMALLEST.0, SMALLEST.1),
        "q quits.".to_string(),
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
    let mut left = vec![Span::styled(format!(" {name} "), m.theme.style(Ink::Accent))];
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
        Span::styled(format!("{dot} {}", h.level.word()), t.style(ink)),
        Span::styled(format!("  epoch {}", h.current_epoch), t.style(Ink::Text)),
    ];
    if area.width >= 110 {
        let state = if h.state_ok { "ok" } else { "fail" };
        right.insert(
            1,
            Span::styled(format!("  state {state}  slots {}/16384", h.slots_assigned), t.style(Ink::Text)),
        );
    }
    right.push(Span::raw(" "));
    let right = Line::from(right);
    let width = right.width() as u16;
    let clock = format!("{} s", text::seconds(m.relative(m.now()), if area.width < 100 { 3 } else { 6 }));
    let mut middle = vec![
        Span::styled(format!("  {clock}"), t.style(Ink::Strong)),
        Span::styled(format!("  {}", m.speed_text()), t.style(Ink::Accent)),
        Span::styled(format!("  seed {}", m.seed), t.style(Ink::Faint)),
    ];
    if m.is_forming() {
        middle.push(Span::styled("  forming the cluster", t.style(Ink::Warn)));
    } else if m.is_working() && !m.playing {
        middle.push(Span::styled("  running…", t.style(Ink::Warn)));
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
    for (i, line) in wrap(said, room).iter().take(3).enumerate() {
        put(frame, area, i as u16, &format!(" ┃ {line}"), style);
    }
}

fn footer(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let asked = match &m.overlay {
        Overlay::GoTo(line) => Some(("go to (seconds, or 250ms, 2m): ", line)),
        Overlay::Search(line) => Some(("search: ", line)),
        _ => None,
    };
    if let Some((question, line)) = asked {
        let spans = vec![
            Span::styled(format!(" {question}"), t.style(Ink::Accent)),
            Span::styled(format!("{line}▏"), t.style(Ink::Strong)),
            Span::styled("  enter does it, esc leaves it", t.style(Ink::Faint)),
        ];
        return put_line(frame, area, 0, Line::from(spans));
    }
    if let Some(note) = &m.note {
        return put(frame, area, 0, &format!(" {note}"), t.style(Ink::Warn));
    }
    put_line(frame, area, 0, Line::from(footer_keys(t, usize::from(area.width))));
}

/// As many keys as fit, the most wanted ones, in the order of the keymap's ranks.
fn footer_keys(t: Theme, width: usize) -> Vec<Span<'static>> {
    let mut wanted: Vec<_> = KEYMAP.iter().filter_map(|b| Some((b.footer?, b))).collect();
    wanted.sort_by_key(|((rank, _), _)| *rank);
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    for ((_, name), b) in wanted {
        let key = b.keys[0].to_string();
        let w = key.chars().count() + name.len() + 3;
        if used + w > width {
            break;
        }
        used += w;
        spans.push(Span::styled(key, t.style(Ink::Accent)));
        spans.push(Span::styled(format!(" {name}  "), t.style(Ink::Text)));
    }
    spans
}

/// Clears a box in the middle of an area, draws its border and title, and returns its inside.
fn popup(m: &Model, frame: &mut Frame<'_>, area: Rect, size: (u16, u16), name: &str) -> Rect {
    let (w, h) = (size.0.min(area.width), size.1.min(area.height));
    let r = Rect::new(area.x + (area.width - w) / 2, area.y + (area.height - h) / 2, w, h);
    frame.render_widget(Clear, r);
    let block = ratatui::widgets::Block::bordered()
        .border_style(m.theme.style(Ink::Faint))
        .title(Line::styled(format!(" {name} "), m.theme.style(Ink::Accent)));
    let inside = block.inner(r);
    frame.render_widget(block, r);
    inside
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

/// The text, cut to so many characters with an ellipsis.
pub fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_string();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
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
    }
}
