//! A list of scenarios to choose from.

use std::io;

use ratatui::Frame;
use ratatui::crossterm::event::{
    self, Event, KeyCode, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::lesson::wrap::width;
use super::run::{IDLE, poll, told_to_end, with_terminal};
use super::theme::{Ink, Theme};
use super::view::shorten;
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
            let key = match event::read()? {
                Event::Key(key) => key,
                Event::Mouse(mouse) => {
                    if picker.mouse(mouse, terminal.size()?.height) {
                        return Ok(Some(picker.chosen));
                    }
                    continue;
                }
                _ => continue,
            };
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
    /// The first item that is shown on a screen of this height.
    fn first(&self, height: u16) -> usize {
        (self.chosen + 1).saturating_sub(usize::from(height.saturating_sub(3)))
    }

    /// The wheel goes up and down, a click chooses; true for a click on what is chosen, which begins it.
    fn mouse(&mut self, mouse: MouseEvent, height: u16) -> bool {
        match mouse.kind {
            MouseEventKind::ScrollUp => self.go(KeyCode::Up),
            MouseEventKind::ScrollDown => self.go(KeyCode::Down),
            MouseEventKind::Down(MouseButton::Left) if mouse.row >= 2 && mouse.row + 1 < height => {
                let i = self.first(height) + usize::from(mouse.row - 2);
                if i < self.items.len() {
                    return std::mem::replace(&mut self.chosen, i) == i;
                }
            }
            _ => {}
        }
        false
    }

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
        let first = self.first(all.height);
        // The names stand in a column, if the titles leave room for it.
        let column = self.items.iter().map(|(_, title)| width(title)).max().unwrap_or(0);
        let column = column.min(usize::from(all.width.saturating_sub(26)));
        for (row, (i, (name, title))) in self.items.iter().enumerate().skip(first).take(rows).enumerate() {
            let selected = i == self.chosen;
            let spans = vec![
                Span::styled(if selected { " ▶ " } else { "   " }, t.style(Ink::Accent)),
                Span::styled(title.clone(), t.style(if selected { Ink::Strong } else { Ink::Text })),
                Span::raw(" ".repeat(column.saturating_sub(width(title)) + 2)),
                Span::styled(
                    shorten(name, usize::from(all.width).saturating_sub(column.max(width(title)) + 6)),
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

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::tui::theme::Depth;

    fn picker() -> Picker {
        let items = (0..40).map(|i| (format!("folder/name-{i}"), format!("Title {i}"))).collect();
        let theme = Theme::new(Depth::Mono);
        Picker { theme, lang: Lang::En, items, chosen: 30, banner: String::new() }
    }

    #[test]
    fn the_mouse_chooses_what_it_is_on() {
        let mut p = picker();
        let mut terminal = Terminal::new(TestBackend::new(60, 12)).expect("a terminal in memory");
        terminal.draw(|frame| p.draw(frame)).expect("a terminal in memory");
        let b = terminal.backend().buffer();
        let row = |y: u16| (0..60).map(|x| b[(x, y)].symbol()).collect::<String>();
        assert!(row(4).contains("Title 24") && row(4).contains("folder/name-24"), "{}", row(4));
        let mut press = |kind, row| {
            let event = MouseEvent { kind, column: 5, row, modifiers: KeyModifiers::NONE };
            let begins = p.mouse(event, 12);
            (begins, p.chosen)
        };
        let click = MouseEventKind::Down(MouseButton::Left);
        assert_eq!(press(click, 1), (false, 30), "the heading");
        assert_eq!(press(click, 11), (false, 30), "the keys");
        assert_eq!(press(click, 4), (false, 24));
        assert_eq!(press(MouseEventKind::ScrollDown, 4), (false, 25));
        assert_eq!(press(MouseEventKind::ScrollUp, 4), (false, 24));
        assert_eq!(press(click, 10), (true, 24), "now in the last line");
    }
}
