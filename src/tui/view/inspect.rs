//! Everything about the selected node, in as many columns as there is room for.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{head, lines, shorten};
use crate::tui::chinese;
use crate::tui::lesson::wrap::width;
use crate::tui::model::Model;
use crate::tui::theme::Ink;
use crate::tui::words::said;
use crate::world::probe::inspect::Entry;

/// Columns of this many cells, of which the name takes so many.
const COLUMN: u16 = 50;
const NAME: usize = 24;

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let all = entries(m, &m.details.node);
    let columns = (area.width / COLUMN).clamp(1, 4);
    // Whole columns first; what does not fit is reached by scrolling.
    let rows = all.len().div_ceil(usize::from(columns)).max(usize::from(area.height));
    let part_width = area.width / columns;
    for (i, part) in all.chunks(rows.max(1)).enumerate() {
        let at = Rect { x: area.x + i as u16 * part_width, width: part_width.saturating_sub(1), ..area };
        lines(m, frame, at, part.to_vec());
    }
}

/// Headings and pairs of name and value.
pub fn entries(m: &Model, all: &[Entry]) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    if let Some(first) = m.shot.nodes.get(m.node) {
        out.push(head(m, &first.name, m.say(said("↑ ↓ choose another node", "↑ ↓ 选别的节点"))));
    }
    for e in all {
        if e.value.is_empty() {
            out.push(head(m, &chinese::inspected(&e.name, m.lang), ""));
            continue;
        }
        let style = m.theme.style(ink_of(e));
        let name = shorten(&chinese::inspected(&e.name, m.lang), NAME);
        out.push(Line::from(vec![
            Span::styled(
                format!("   {name}{} ", " ".repeat(NAME.saturating_sub(width(&name)))),
                m.theme.style(Ink::Faint),
            ),
            Span::styled(chinese::inspected(&e.value, m.lang), style),
        ]));
    }
    out
}

fn ink_of(e: &Entry) -> Ink {
    match (e.name.as_str(), e.value.as_str()) {
        ("state", "up") | ("cluster_state", "ok") | ("link", "up") => Ink::Good,
        ("state" | "cluster_state" | "link", _) | ("disk", "full") => Ink::Bad,
        ("election" | "cannot take over" | "manual failover" | "clock is off by", _) => Ink::Warn,
        _ => Ink::Text,
    }
}
