//! The ledger of writes: what became of what clients sent, and what would have kept the lost ones.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{bar, head, lines, wrap};
use crate::tui::model::Model;
use crate::tui::text::seconds;
use crate::tui::theme::Ink;

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let mut out = Vec::new();
    if m.accounts.clients() == 0 {
        out.push(head(m, "no client writes here", ""));
        return lines(m, frame, area, out);
    }
    let counted = m.accounts.counted_to();
    let Some(l) = m.accounts.at(m.now()) else {
        out.push(head(m, "Writes", "none yet, or still to be counted"));
        return lines(m, frame, area, out);
    };
    let behind = if counted < m.now() { "   counting…" } else { "" };
    out.push(Line::from(vec![
        Span::styled(format!(" {} writes sent until now", l.sent), t.style(Ink::Strong)),
        Span::styled(behind, t.style(Ink::Warn)),
    ]));
    let rows = [
        ("kept", l.kept, Ink::Good, "acknowledged, and there"),
        ("lost", l.lost, Ink::Bad, "acknowledged, and gone"),
        ("unserved", l.unserved, Ink::Warn, "acknowledged; nobody serves the slot now"),
        ("unknown", l.unknown, Ink::Warn, "never answered: maybe done"),
        ("refused", l.refused, Ink::Paused, "answered with an error: not done"),
    ];
    let cells = area.width.saturating_sub(62).clamp(8, 50);
    for (name, n, ink, what) in rows {
        let ink = if n == 0 { Ink::Faint } else { ink };
        let mut spans = vec![Span::styled(format!("   {name:<9}{n:>8} "), t.style(ink))];
        spans.extend(bar(m, n, l.sent, cells, ink));
        spans.push(Span::styled(format!(" {what}"), t.style(Ink::Faint)));
        out.push(Line::from(spans));
    }
    if l.reads > 0 {
        let ink = if l.stale_reads > 0 { Ink::Warn } else { Ink::Text };
        let text = format!("   reads    {:>8}, {} of them stale", l.reads, l.stale_reads);
        out.push(Line::styled(text, t.style(ink)));
    }
    let width = usize::from(area.width).saturating_sub(8);
    for (cause, n) in &l.lost_by_cause {
        out.push(Line::styled(format!(" lost {n}: {}", cause.name()), t.style(Ink::Bad)));
        for line in wrap(&format!("kept by: {}", cause.remedy()), width) {
            out.push(Line::styled(format!("     {line}"), t.style(Ink::Text)));
        }
    }
    let losses: Vec<String> =
        m.accounts.losses().map(|(at, n)| format!("{n} at {} s", seconds(m.relative(at), 3))).collect();
    if losses.is_empty() {
        out.push(Line::styled(
            " no acknowledged write is lost, as far as the run is known",
            t.style(Ink::Good),
        ));
    } else {
        out.push(head(m, "losses", "u goes to the next one"));
        for line in wrap(&losses.join(", "), width) {
            out.push(Line::styled(format!("   {line}"), t.style(Ink::Text)));
        }
    }
    lines(m, frame, area, out);
}
