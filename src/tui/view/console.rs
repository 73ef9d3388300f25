//! What was typed and done, and what it answered.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::put_line;
use crate::tui::console;
use crate::tui::model::{Ask, Model, Overlay};
use crate::tui::text::seconds;
use crate::tui::theme::Ink;

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (at, mine, text) in m.transcript() {
        lines.push(if mine {
            Line::from(vec![
                Span::styled(format!(" {:>11} ", seconds(m.relative(at), 6)), t.style(Ink::Faint)),
                Span::styled(text, t.style(Ink::Accent)),
            ])
        } else {
            Line::styled(format!("              {text}"), t.style(Ink::Text))
        });
    }
    if lines.is_empty() {
        for text in [
            " : opens the line below. What you type is done at the playhead, in the past too; what would have",
            " been without it is kept as another future. backspace goes to the moment before the last deed.",
            "",
            "   CLUSTER NODES             a command to the selected node",
            "   7003> CLUSTER FAILOVER    a command to a node by port or name",
            "   redis-cli --cluster check {n1}",
            "   kill n1    pause n2    cut n3    heal    slow n1 50ms    clock n2 +5s    help for all of them",
        ] {
            lines.push(Line::styled(text, t.style(Ink::Text)));
        }
    }
    let rest = completions(m, area.width);
    let rows = usize::from(area.height).saturating_sub(usize::from(rest.is_some()));
    let most = lines.len().saturating_sub(rows);
    let skip = most.saturating_sub(usize::from(m.scroll));
    for (row, line) in lines.into_iter().skip(skip).take(rows).enumerate() {
        put_line(frame, area, row as u16, line);
    }
    if let Some(line) = rest {
        put_line(frame, area, area.height - 1, line);
    }
}

/// What could be typed next, on one line.
fn completions(m: &Model, width: u16) -> Option<Line<'static>> {
    let Overlay::Asking(Ask::Console, line) = &m.overlay else { return None };
    if line.trim().is_empty() {
        return None;
    }
    let all = console::completions(line, &m.timeline().world().plan);
    let mut text = String::new();
    for c in all {
        if text.len() + c.len() + 5 > usize::from(width) {
            text.push_str(" …");
            break;
        }
        text.push_str("  ");
        text.push_str(c.trim_end());
    }
    (!text.is_empty()).then(|| Line::styled(text, m.theme.style(Ink::Faint)))
}
