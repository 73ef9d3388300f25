//! A list of scenarios to choose from.

use std::io;

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::lesson::wrap::width;
use super::run::{IDLE, poll, told_to_end, with_terminal};
use super::theme::{Ink, Theme};
use super::words;
use crate::scenario::lesson::Lang;

/// What is chosen from: (name, title) each.
pub struct Picker {
    pub theme: Theme,
    pub lang: Lang,
    pub items: Vec<(String, String)>,
    pub chosen: usize,
    /// What stands above the list.
    pub banner: String,
}

/// Lets the user choose; `None` if they leave.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn pick(mut picker: Picker) -> io::Result<Option<usize>> {
    with_terminal(|terminal| {
        loop {
            terminal.draw(|frame| picker.draw(frame))?;
            if told_to_end() {
                return Ok(None);
            }
            if !poll(IDLE)? {
                continue;
            }
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            match key.code {
                KeyCode::Esc | KeyCode::Char('q') => return Ok(None),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(None),
                KeyCode::Enter if !picker.items.is_empty() => return Ok(Some(picker.chosen)),
                code => picker.go(code),
            }
        }
    })
}

impl Picker {
    fn go(&mut self, code: KeyCode) {
        let last = self.items.len().saturating_sub(1);
        self.chosen = match code {
            KeyCode::Up | KeyCode::Char('k') => self.chosen.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => (self.chosen + 1).min(last),
            KeyCode::PageUp => self.chosen.saturating_sub(10),
            KeyCode::PageDown => (self.chosen + 10).min(last),
            KeyCode::Home => 0,
            KeyCode::End => last,
            _ => self.chosen,
        };
    }

    pub fn draw(&self, frame: &mut Frame<'_>) {
        let t = self.theme;
        let all = frame.area();
        let line = |y: u16| Rect { y: all.y + y, height: 1, ..all };
        let head = vec![
            Span::styled(" Slotscope ", t.style(Ink::Accent)),
            Span::styled(self.banner.as_str(), t.style(Ink::Text)),
        ];
        frame.render_widget(Line::from(head), line(0));
        let rows = usize::from(all.height.saturating_sub(3));
        let first = (self.chosen + 1).saturating_sub(rows);
        // The names stand in a column, if the titles leave room for it.
        let column = self.items.iter().map(|(_, title)| width(title)).max().unwrap_or(0);
        let column = column.min(usize::from(all.width.saturating_sub(34)));
        for (row, (i, (name, title))) in self.items.iter().enumerate().skip(first).take(rows).enumerate() {
            let selected = i == self.chosen;
            let spans = vec![
                Span::styled(if selected { " ▶ " } else { "   " }, t.style(Ink::Accent)),
                Span::styled(title.clone(), t.style(if selected { Ink::Strong } else { Ink::Text })),
                Span::styled(
                    format!("{}  {name}", " ".repeat(column.saturating_sub(width(title)))),
                    t.style(Ink::Faint),
                ),
            ];
            frame.render_widget(Line::from(spans), line(row as u16 + 2));
        }
        let foot = vec![
            Span::styled(" ↑ ↓", t.style(Ink::Accent)),
            Span::styled(words::PICK_CHOOSE.get(self.lang), t.style(Ink::Text)),
            Span::styled("enter", t.style(Ink::Accent)),
            Span::styled(words::PICK_PLAY.get(self.lang), t.style(Ink::Text)),
            Span::styled("q", t.style(Ink::Accent)),
            Span::styled(words::PICK_QUIT.get(self.lang), t.style(Ink::Text)),
        ];
        frame.render_widget(Line::from(foot), line(all.height.saturating_sub(1)));
    }
}
