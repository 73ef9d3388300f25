//! What lies over the screen: help, and the causes of an event.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::events::causes;
use super::{chart, padded, popup, put_line};
use crate::trace::text::Topic;
use crate::tui::console::ACTS;
use crate::tui::keys::{Group, KEYMAP};
use crate::tui::layout::Areas;
use crate::tui::lesson::wrap::wrap;
use crate::tui::model::Model;
use crate::tui::panel::Panel;
use crate::tui::text::{about, seconds};
use crate::tui::theme::Ink;
use crate::tui::words::{self, said};

/// A screen this wide has room for two columns of help.
const WIDE: u16 = 110;

/// Lines that the help needs, borders included.
pub fn help_height(m: &Model) -> u16 {
    let (_, column) = help_columns(m.size.0);
    let (keys, signs) = (key_lines(m, column).len(), sign_lines(m, column).len());
    let rows = if m.size.0 >= WIDE { two_columns(keys, signs) } else { keys + signs };
    rows as u16 + 2
}

/// Width of the box and of a column in it.
fn help_columns(screen: u16) -> (u16, usize) {
    if screen >= WIDE { (108, 52) } else { (screen.min(78), usize::from(screen.min(78)) - 2) }
}

/// Rows of two columns, the second of which begins with what the first has no room for.
fn two_columns(keys: usize, signs: usize) -> usize {
    (keys + signs).div_ceil(2).max(signs)
}

/// Keys by group, then what the marks and lines of the chart mean; scrolled down by `skip` lines.
pub fn help(m: &Model, frame: &mut Frame<'_>, all: Rect, skip: u16) {
    let two = all.width >= WIDE;
    let (width, column) = help_columns(all.width);
    let (mut keys, signs) = (key_lines(m, column), sign_lines(m, column));
    let height = help_height(m).min(all.height);
    let name = if height < help_height(m) { words::HELP_MORE } else { words::HELP };
    let inside = popup(m, frame, all, (width, height), m.say(name));
    let rows = if two { two_columns(keys.len(), signs.len()) } else { keys.len() + signs.len() };
    keys.extend(signs);
    let other = keys.split_off(rows.min(keys.len()));
    let columns = if two { 2 } else { 1 };
    for (i, lines) in [keys, other].into_iter().enumerate().take(columns) {
        let w = inside.width / columns as u16;
        let area = Rect { x: inside.x + i as u16 * w, width: w, ..inside };
        for (row, line) in lines.into_iter().skip(usize::from(skip)).enumerate() {
            put_line(frame, area, row as u16, line);
        }
    }
}

fn key_lines(m: &Model, column: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        lines.push(Line::styled(format!(" {}", m.say(group.title())), m.theme.style(Ink::Accent)));
        for b in KEYMAP.iter().filter(|b| b.group == group) {
            lines.extend(pair(m, &b.keys_text(), m.say(b.help), column));
        }
    }
    lines
}

fn sign_lines(m: &Model, column: usize) -> Vec<Line<'static>> {
    let title = |name: words::Said| Line::styled(m.say(name), m.theme.style(Ink::Accent));
    let mut lines = vec![title(words::SIGNS_CHART)];
    for (sign, means) in [
        ("━ ─", said("a master, a replica that works", "正常的主节点、从节点")),
        ("▁ ▆", said("PFAIL: suspected by few, by many", "PFAIL：被少数、多数节点怀疑")),
        ("█", said("FAIL: a majority agreed", "FAIL：多数派已认定")),
        ("×", said("it says cluster_state:fail", "它报告 cluster_state:fail")),
        ("·", said("not running", "没有运行")),
        (
            "∘ ↓",
            said(
                "starts and loads its data; receives all data of its master",
                "启动并加载数据；接收主节点的全部数据",
            ),
        ),
        ("▄", said("as one node sees it: PFAIL in its own opinion", "在某个节点眼中：它自己认为 PFAIL")),
        ("╌ ≈", said("paused; busy with one long task", "被暂停；被一个长任务占住")),
    ] {
        lines.extend(pair(m, sign, m.say(means), column));
    }
    for (kind, means) in chart::MARKS {
        let (_, glyph, _) = chart::mark(kind);
        lines.extend(pair(m, &glyph.to_string(), m.say(means), column));
    }
    lines.push(title(words::SIGNS_SLOTS));
    for (sign, means) in [
        (
            "■ ▤ ▦",
            said(
                "served, by owner; dim: no keys there, bold: many",
                "正常服务，按属主；暗：没有键，粗：键多",
            ),
        ),
        ("?", said("the owner is suspected (PFAIL)", "属主被怀疑（PFAIL）")),
        ("×", said("the owner is FAIL; in truth: it does not answer", "属主 FAIL；实际情况：它不回答")),
        ("·", said("no owner", "没有属主")),
    ] {
        lines.extend(pair(m, sign, m.say(means), column));
    }
    lines.push(title(words::SIGNS_EVENTS));
    for topic in Topic::ALL {
        lines.extend(pair(m, &topic.mark().to_string(), m.say(words::topic(topic)), column));
    }
    lines
}

/// A key or sign and what it means, over as many lines as that takes.
fn pair(m: &Model, key: &str, means: &str, width: usize) -> Vec<Line<'static>> {
    let pad = 15usize.saturating_sub(key.chars().count());
    let mut out = Vec::new();
    for (i, text) in wrap(means, width.saturating_sub(18)).into_iter().enumerate() {
        let head = if i == 0 { format!("  {key}{}", " ".repeat(pad)) } else { " ".repeat(17) };
        out.push(Line::from(vec![
            Span::styled(head, m.theme.style(Ink::Strong)),
            Span::styled(text, m.theme.style(Ink::Text)),
        ]));
    }
    out
}

/// The menu of panels: letter, name, what it shows.
pub fn panels(m: &Model, frame: &mut Frame<'_>, all: Rect) {
    let list = Panel::of(m);
    let inside = popup(m, frame, all, (72, list.len() as u16 + 2), m.say(words::PANELS));
    for (row, p) in list.iter().enumerate() {
        let here = if *p == m.panel { "▶" } else { " " };
        let line = Line::from(vec![
            Span::styled(format!("{here}{} ", p.letter()), m.theme.style(Ink::Accent)),
            Span::styled(padded(m.say(p.title()), 11), m.theme.style(Ink::Strong)),
            Span::styled(m.say(p.what()), m.theme.style(Ink::Text)),
        ]);
        put_line(frame, inside, row as u16, line);
    }
}

/// What one can do to the selected node, in two columns where there is room.
pub fn acts(m: &Model, frame: &mut Frame<'_>, all: Rect) {
    let two = all.width >= 76;
    let rows = if two { ACTS.len().div_ceil(2) } else { ACTS.len() };
    let width = if two { 74 } else { 40 };
    let name = words::ACTS.with(m.lang, &[&m.node_name(m.node)]);
    let inside = popup(m, frame, all, (width, rows as u16 + 2), &name);
    for (i, (key, what, _)) in ACTS.iter().enumerate() {
        let (column, row) = (i / rows, i % rows);
        let area = Rect { x: inside.x + column as u16 * 36, width: inside.width.min(36), ..inside };
        let line = Line::from(vec![
            Span::styled(format!(" {key} "), m.theme.style(Ink::Accent)),
            Span::styled(m.say(*what), m.theme.style(Ink::Text)),
        ]);
        put_line(frame, area, row as u16, line);
    }
}

/// What was done by hand, as steps of a scenario file.
pub fn steps(m: &Model, frame: &mut Frame<'_>, all: Rect) {
    let text = m.steps_text();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let name = words::STEPS.with(m.lang, &[&m.future_name(m.future)]);
    let height = (lines.len().max(1) as u16 + 2).min(all.height);
    let inside = popup(m, frame, all, (all.width.min(100), height), &name);
    if lines.is_empty() {
        let none = Line::styled(m.say(words::NO_STEPS), m.theme.style(Ink::Faint));
        return put_line(frame, inside, 0, none);
    }
    let skip = lines.len().saturating_sub(usize::from(inside.height));
    for (row, line) in lines.into_iter().skip(skip).enumerate() {
        put_line(frame, inside, row as u16, Line::styled(format!(" {line}"), m.theme.style(Ink::Text)));
    }
}

/// The chain of causes of the current event, first cause on top.
pub fn why(m: &Model, frame: &mut Frame<'_>, a: &Areas) {
    let t = m.theme;
    let Some(i) = m.current() else { return };
    let mut chain = causes(m, i);
    chain.reverse();
    chain.push(i);
    let top = a.voice.bottom();
    let area = Rect { y: top, height: a.inspector.y.saturating_sub(top), ..a.header };
    let width = area.width.saturating_sub(4).min(110);
    let room = usize::from(width).saturating_sub(4);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut before = None;
    for (n, &c) in chain.iter().enumerate() {
        let e = &m.record()[c];
        let last = n + 1 == chain.len();
        let later = before.map_or(String::new(), |b| {
            said("  {0} later", "  {0} 之后").with(m.lang, &[&about(e.at.since(b))])
        });
        before = Some(e.at);
        let head = format!(" {} {}", seconds(m.relative(e.at), 6), m.host_name(e.host));
        lines.push(Line::from(vec![
            Span::styled(if n == 0 { "   ".to_string() } else { " └▶".to_string() }, t.style(Ink::Faint)),
            Span::styled(head, t.style(Ink::Accent)),
            Span::styled(later, t.style(Ink::Faint)),
        ]));
        for text in wrap(&m.words(e), room.saturating_sub(4)) {
            lines.push(Line::styled(
                format!("     {text}"),
                t.style(if last { Ink::Strong } else { Ink::Text }),
            ));
        }
    }
    if chain.len() == 1 {
        lines.push(Line::styled(format!("     {}", m.say(words::NO_CAUSE)), t.style(Ink::Faint)));
    }
    let area = Rect { height: area.height.min(lines.len() as u16 + 2), ..area };
    let inside = popup(m, frame, area, (width, area.height), m.say(words::WHY));
    let skip = lines.len().saturating_sub(usize::from(inside.height));
    for (row, line) in lines.into_iter().skip(skip).enumerate() {
        put_line(frame, inside, row as u16, line);
    }
}
