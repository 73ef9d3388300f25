//! A run as a recording of a terminal, in the format of asciinema (version 2): the same on every machine.
//!
//! <https://docs.asciinema.org/manual/asciicast/v2/>

use std::fmt::Write as _;

use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend, TestBackend};
use ratatui::buffer::Buffer;

use super::{Model, Msg, update, view};
use crate::base::{Dur, SimTime};

/// Events per slice of work when nobody waits for a frame.
const SLICE: u64 = 100_000;

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recording {
    pub from: SimTime,
    pub to: SimTime,
    /// Run time that passes in a second of the recording.
    pub per_second: Dur,
    /// Pictures in a second of the recording.
    pub frames: u32,
}

/// The longest recording, in pictures.
pub const MAX_FRAMES: u64 = 20_000;

/// Records the model as it plays; `None` if that would be too many pictures.
pub fn cast(m: &mut Model, r: Recording) -> Option<String> {
    let step = Dur((r.per_second.0 / u64::from(r.frames.max(1))).max(1));
    let count = r.to.since(r.from).0 / step.0 + 1;
    if count > MAX_FRAMES {
        return None;
    }
    // NO_COLOR is about the terminal that this runs on. What colours a recording has its palette says.
    crossterm::style::force_color_output(true);
    let (w, h) = m.size;
    let title = serde_json::Value::from(m.title());
    let mut out = format!("{{\"version\": 2, \"width\": {w}, \"height\": {h}, \"title\": {title}}}\n");
    let mut terminal = Terminal::new(TestBackend::new(w, h)).expect("a terminal in memory");
    let mut last = Buffer::empty(ratatui::layout::Rect::new(0, 0, w, h));
    let mut lead = String::from("\u{1b}[?25l\u{1b}[2J");
    for i in 0..count {
        m.seek(r.from + Dur(step.0 * i));
        m.playing = true;
        settle(m);
        terminal.draw(|frame| view(m, frame)).expect("a terminal in memory");
        let next = terminal.backend().buffer().clone();
        let text = std::mem::take(&mut lead) + &changes(&last, &next);
        last = next;
        if text.is_empty() {
            continue;
        }
        let ms = i * 1000 / u64::from(r.frames.max(1));
        let text = serde_json::Value::from(text);
        let _ = writeln!(out, "[{}.{:03}, \"o\", {text}]", ms / 1000, ms % 1000);
    }
    Some(out)
}

/// Lets the model do all that it wants.
pub fn settle(m: &mut Model) {
    while m.is_working() {
        update(m, Msg::Work(SLICE));
    }
    update(m, Msg::Present);
}

/// What a terminal must be told to show the second picture after the first.
fn changes(last: &Buffer, next: &Buffer) -> String {
    let diff = last.diff(next);
    if diff.is_empty() {
        return String::new();
    }
    let mut bytes = Vec::new();
    let mut backend = CrosstermBackend::new(&mut bytes);
    let written = backend.draw(diff.into_iter());
    written.expect("memory can be written");
    String::from_utf8(bytes).expect("cells are text")
}
