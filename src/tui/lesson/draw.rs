//! The panel of a lesson, and the boxes that ask and tell.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Block;

use super::words::{self, Said};
use super::wrap::{width, wrap};
use super::{Class, Stage};
use crate::scenario::lesson::Answer;
use crate::scenario::lesson::exam::Truth;
use crate::tui::chinese;
use crate::tui::layout::SMALLEST;
use crate::tui::theme::Ink;
use crate::tui::view::{clear, view};

/// Columns at the right and rows at the bottom that are the panel's.
pub(super) fn reserved((w, h): (u16, u16)) -> (u16, u16) {
    if w >= 170 {
        return (54, 0);
    }
    (0, (h / 4).clamp(6, 10).min(h.saturating_sub(SMALLEST.1)))
}

fn panel_area(c: &Class) -> Rect {
    let (w, h) = c.size;
    match c.model.reserved {
        (0, rows) => Rect::new(0, h - rows, w, rows),
        (columns, _) => Rect::new(w - columns, 0, columns, h),
    }
}

/// Draws the whole screen.
pub(super) fn screen(c: &Class, frame: &mut Frame<'_>) {
    view(&c.model, frame);
    if c.size.0 < SMALLEST.0 || c.size.1 < SMALLEST.1 {
        // The player says how large it must be.
        return;
    }
    let area = panel_area(c).intersection(frame.area());
    if area.height > 1 {
        panel(c, frame, area);
    }
    if matches!(c.stage, Stage::Goal | Stage::Ask(_) | Stage::Known(_) | Stage::Advice | Stage::Summary) {
        dialog(c, frame);
    }
}

/// A line of a text and how it looks.
type Line = (String, Ink);

fn put(c: &Class, frame: &mut Frame<'_>, area: Rect, lines: &[Line]) {
    for (row, (text, ink)) in lines.iter().take(usize::from(area.height)).enumerate() {
        let (y, room) = (area.y + row as u16, usize::from(area.width));
        frame.buffer_mut().set_stringn(area.x, y, text, room, c.model.theme.style(*ink));
    }
}

fn add(lines: &mut Vec<Line>, room: usize, ink: Ink, text: &str) {
    lines.extend(wrap(text, room).into_iter().map(|l| (l, ink)));
}

fn panel(c: &Class, frame: &mut Frame<'_>, area: Rect) {
    clear(frame, area);
    let say = |s: &Said| s.get(c.lang);
    let faint = c.model.theme.style(Ink::Faint);
    let rule = "─".repeat(usize::from(area.width));
    frame.buffer_mut().set_stringn(area.x, area.y, rule, usize::from(area.width), faint);
    let l = &c.lesson;
    let head = format!("{} {}/{} {}", say(&words::LESSON), l.order, c.of, l.title.get(c.lang));
    let room = usize::from(area.width.saturating_sub(2));
    let keys = keys(c);
    let beside = width(&head) + width(keys) + 8 <= usize::from(area.width);
    let (heads, keys) = match beside {
        true => (vec![head], vec![keys.to_string()]),
        false => (wrap(&head, room.saturating_sub(2)), key_lines(keys, room)),
    };
    let accent: Style = c.model.theme.style(Ink::Accent);
    for (y, head) in (area.y..area.bottom()).zip(&heads) {
        // The first line stands in the rule.
        let (x, head) =
            if y == area.y { (area.x + 1, format!(" {head} ")) } else { (area.x + 2, head.clone()) };
        frame.buffer_mut().set_stringn(x, y, &head, room, accent);
    }
    let (mut top, mut bottom) = (heads.len() as u16, keys.len() as u16);
    let text = c.model.theme.style(Ink::Text);
    if beside {
        let x = area.right() - width(&keys[0]) as u16 - 3;
        frame.buffer_mut().set_string(x, area.y, format!(" {} ", keys[0]), text);
        bottom = 0;
    } else {
        let first = area.bottom().saturating_sub(bottom).max(area.y);
        for (y, keys) in (first..area.bottom()).zip(&keys) {
            frame.buffer_mut().set_stringn(area.x + 1, y, keys, room, text);
        }
    }
    if area.height > 30 {
        top += 1;
    }
    let inside = Rect {
        x: area.x + 1,
        y: area.y + top,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(top + bottom),
    };
    let lines = told(c, usize::from(inside.width), usize::from(inside.height));
    put(c, frame, inside, &lines);
}

/// Keys in lines of at most so many columns; a key stays with what it does.
fn key_lines(keys: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for key in keys.split("  ") {
        match lines.last_mut() {
            Some(line) if width(line) + 2 + width(key) <= room => {
                line.push_str("  ");
                line.push_str(key);
            }
            _ => lines.push(key.to_string()),
        }
    }
    lines
}

/// What the panel tells.
fn told(c: &Class, room: usize, height: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    match c.stage {
        Stage::Exercise | Stage::Advice | Stage::Summary => {
            let e = &c.lesson.exercise;
            add(&mut lines, room, Ink::Voice, e.task.get(c.lang));
            // What is told in a box stays, if there is room for it beside what is asked.
            let mut more = Vec::new();
            if c.hints > 0 {
                hint(c, room, c.hints - 1, &mut more);
            }
            verdicts(c, room, &mut more);
            if lines.len() + more.len() <= height {
                lines.extend(more);
            }
        }
        Stage::Free => add(&mut lines, room, Ink::Voice, words::FREE.get(c.lang)),
        _ => {
            if let Some(i) = c.lesson.saying(c.now()) {
                add(&mut lines, room, Ink::Voice, c.lesson.says[i].text.get(c.lang));
            }
        }
    }
    // The newest is at the end: it stays.
    let cut = lines.len().saturating_sub(height);
    lines.split_off(cut.min(lines.len()))
}

fn hint(c: &Class, room: usize, i: usize, lines: &mut Vec<Line>) {
    let all = &c.lesson.exercise.hints;
    let head = format!("{} {}/{}: ", words::HINT.get(c.lang), i + 1, all.len());
    add(lines, room, Ink::Text, &(head + all[i].get(c.lang)));
}

/// What the last check of the exercise said.
fn verdicts(c: &Class, room: usize, lines: &mut Vec<Line>) {
    if c.verdicts.iter().any(|v| !v.ok) {
        let at = c.verdicts[0].at;
        lines.push((format!("{} {at}", words::FAILED.get(c.lang)), Ink::Warn));
    }
    for v in &c.verdicts {
        let (sign, ink) = if v.ok { ("✓", Ink::Good) } else { ("✗", Ink::Bad) };
        let text = chinese::verdict(&v.text, c.lang);
        let seen = if v.ok { String::new() } else { format!(": {}", chinese::verdict(&v.seen, c.lang)) };
        add(lines, room, ink, &format!("{sign} {text}{seen}"));
    }
}

fn keys(c: &Class) -> &'static str {
    let said = match c.stage {
        Stage::Goal => &words::KEYS_GOAL,
        Stage::Watch | Stage::Free => &words::KEYS_WATCH,
        Stage::Ask(i) => match c.lesson.predictions[i].answer {
            Answer::Choice(_) => &words::KEYS_CHOOSE,
            Answer::Number { .. } => &words::KEYS_TYPE,
        },
        Stage::Known(_) => &words::KEYS_ON,
        Stage::Exercise => &words::KEYS_EXERCISE,
        Stage::Advice => &words::KEYS_ADVICE,
        Stage::Summary => &words::KEYS_DONE,
    };
    said.get(c.lang)
}

/// Columns for the text of a box on a screen.
fn box_room(width: u16) -> usize {
    usize::from(width.saturating_sub(6).min(90))
}

/// Lines of a box's text that a screen of this height shows if it cannot show all.
fn box_keeps(height: u16) -> usize {
    usize::from(height).saturating_sub(4)
}

/// Lines of the box's text that do not fit on the screen.
pub(super) fn hidden_lines(c: &Class) -> u16 {
    let lines = dialog_text(c, box_room(c.size.0)).1.len();
    match lines + 3 > usize::from(c.size.1) {
        true => lines.saturating_sub(box_keeps(c.size.1)) as u16,
        false => 0,
    }
}

/// The title of the box and its text, without the keys.
fn dialog_text(c: &Class, room: usize) -> (&'static str, Vec<Line>) {
    let say = |s: &Said| s.get(c.lang);
    let mut lines: Vec<Line> = Vec::new();
    let l = &c.lesson;
    let name = match c.stage {
        Stage::Goal => {
            lines.push((format!("{}  ({})", l.title.get(c.lang), l.chapter), Ink::Strong));
            lines.push((String::new(), Ink::Text));
            add(&mut lines, room, Ink::Text, l.goal.get(c.lang));
            say(&words::GOAL)
        }
        Stage::Ask(i) => {
            let p = &l.predictions[i];
            add(&mut lines, room, Ink::Strong, p.question.get(c.lang));
            lines.push((String::new(), Ink::Text));
            match &p.answer {
                Answer::Choice(choices) => {
                    for (n, choice) in choices.iter().enumerate() {
                        add(&mut lines, room, Ink::Text, &format!("{}  {}", n + 1, choice.text.get(c.lang)));
                    }
                }
                Answer::Number { .. } => lines.push((format!("> {}▏", c.typed), Ink::Accent)),
            }
            say(&words::QUESTION)
        }
        Stage::Known(i) => {
            let (p, r) = (&l.predictions[i], &c.replies[i]);
            add(&mut lines, room, Ink::Text, p.question.get(c.lang));
            lines.push((String::new(), Ink::Text));
            let (verdict, ink) = match (r.given, r.right) {
                (None, _) => (&words::SKIPPED, Ink::Warn),
                (_, true) => (&words::RIGHT, Ink::Good),
                (_, false) => (&words::WRONG, Ink::Bad),
            };
            lines.push((say(verdict).to_string(), ink));
            if let Some(given) = r.given {
                let given = answer(c, i, Some(given));
                add(&mut lines, room, Ink::Text, &format!("{} {given}", say(&words::YOU_SAID)));
            }
            let truth = answer(c, i, r.truth);
            add(&mut lines, room, Ink::Strong, &format!("{} {truth}", say(&words::ANSWER)));
            lines.push((String::new(), Ink::Text));
            add(&mut lines, room, Ink::Voice, p.because.get(c.lang));
            say(&words::QUESTION)
        }
        Stage::Advice => {
            let e = &l.exercise;
            add(&mut lines, room, Ink::Voice, e.task.get(c.lang));
            lines.push((String::new(), Ink::Text));
            for i in 0..c.hints {
                hint(c, room, i, &mut lines);
            }
            if c.hints > 0 && !c.verdicts.is_empty() {
                lines.push((String::new(), Ink::Text));
            }
            verdicts(c, room, &mut lines);
            say(&words::EXERCISE)
        }
        _ => {
            let score = format!("{} {}/{}", say(&words::SCORE), c.score(), c.replies.len());
            lines.push((score, Ink::Good));
            lines.push((String::new(), Ink::Text));
            add(&mut lines, room, Ink::Text, l.summary.get(c.lang));
            lines.push((String::new(), Ink::Text));
            lines.push((say(&words::COMMANDS).to_string(), Ink::Strong));
            for command in &l.commands {
                // What does not fit goes on in the next line, further in.
                let part =
                    |(i, l): (usize, String)| (format!("{}{l}", " ".repeat(2 + 4 * i.min(1))), Ink::Text);
                lines.extend(wrap(command, room.saturating_sub(6)).into_iter().enumerate().map(part));
            }
            say(&words::SUMMARY)
        }
    };
    lines.push((String::new(), Ink::Text));
    (name, lines)
}

/// At the bottom of the player, over its events: what the box speaks of, slots and nodes and lanes, stays in view. A
/// taller box takes the panel's rows too.
fn box_area(player: Rect, all: Rect, (w, h): (u16, u16)) -> Rect {
    let w = w.min(all.width);
    let x = if w <= player.width { player.x + (player.width - w) / 2 } else { (all.width - w) / 2 };
    let bottom = if h <= player.height { player.bottom() } else { all.bottom() };
    Rect::new(x, bottom - h, w, h)
}

/// The box on a screen: where it is, its title, and the lines in it, as far as they are scrolled.
fn laid_out(c: &Class, all: Rect) -> (Rect, &'static str, Vec<Line>) {
    let room = box_room(all.width);
    let (name, mut lines) = dialog_text(c, room);
    // What does not fit is scrolled to; the keys stay.
    if lines.len() + 3 > usize::from(all.height) {
        let keep = box_keeps(all.height);
        let skip = usize::from(c.scroll).min(lines.len().saturating_sub(keep));
        lines.drain(..skip);
        lines.truncate(keep);
        lines.push((words::SCROLL.get(c.lang).to_string(), Ink::Faint));
    }
    lines.push((keys(c).to_string(), Ink::Accent));
    let size = (room as u16 + 4, (lines.len() as u16 + 2).min(all.height));
    (box_area(c.model.area().intersection(all), all, size), name, lines)
}

fn screen_of(c: &Class) -> Rect {
    Rect::new(0, 0, c.size.0, c.size.1)
}

/// Whether a place on the screen is in the box.
pub(super) fn is_in_box(c: &Class, at: Position) -> bool {
    laid_out(c, screen_of(c)).0.contains(at)
}

/// The choice that stands at a place on the screen, lines that it goes on in included.
pub(super) fn choice_at(c: &Class, at: Position) -> Option<usize> {
    let Stage::Ask(i) = c.stage else { return None };
    let Answer::Choice(choices) = &c.lesson.predictions[i].answer else { return None };
    let (r, _, lines) = laid_out(c, screen_of(c));
    let row = usize::from(at.y.checked_sub(r.y + 1)?);
    if !r.contains(at) || lines.get(row)?.0.is_empty() || row + 1 == lines.len() {
        return None;
    }
    let begins = |l: &Line| (0..choices.len()).find(|n| l.0.starts_with(&format!("{}  ", n + 1)));
    lines[..=row].iter().rev().take_while(|l| !l.0.is_empty()).find_map(begins)
}

fn dialog(c: &Class, frame: &mut Frame<'_>) {
    let (r, name, lines) = laid_out(c, frame.area());
    clear(frame, r);
    let title = ratatui::text::Line::styled(format!(" {name} "), c.model.theme.style(Ink::Accent));
    let block = Block::bordered().border_style(c.model.theme.style(Ink::Faint)).title(title);
    let inside = block.inner(r);
    frame.render_widget(block, r);
    put(c, frame, Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside }, &lines);
}

fn answer(c: &Class, i: usize, truth: Option<Truth>) -> String {
    match (&c.lesson.predictions[i].answer, truth) {
        (Answer::Choice(choices), Some(Truth::Choice(n))) if n < choices.len() => {
            choices[n].text.get(c.lang).to_string()
        }
        (_, Some(Truth::Number(n))) => n.to_string(),
        _ => words::NO_ANSWER.get(c.lang).to_string(),
    }
}

/// The heading of the list of lessons: a bar of what is done.
pub fn banner(done: usize, of: usize, lang: crate::scenario::lesson::Lang) -> String {
    let filled = (done * 16).checked_div(of).unwrap_or(0);
    let bar: String = (0..16).map(|i| if i < filled { '█' } else { '░' }).collect();
    format!(" {bar} {done}/{of} {}   {}", words::PROGRESS.get(lang), words::CHOOSE.get(lang))
}
