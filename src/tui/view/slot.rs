//! One slot: who owns it according to each node, its keys, and the slots around it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{head, lines, padded, slots};
use crate::base::Id;
use crate::slot::SLOTS;
use crate::tui::model::Model;
use crate::tui::theme::Ink;
use crate::tui::words::{self, said};

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let mut out = Vec::new();
    let run = m.shot.slots.iter().find(|r| (r.first..=r.last).contains(&m.slot));
    let owner = run.and_then(|r| r.owner).map_or(m.say(words::NOBODY), |i| &m.shot.nodes[i].name);
    let range = run.map_or(String::new(), |r| {
        said(", in the run {0}-{1}", "，所在区段 {0}-{1}").with(m.lang, &[&r.first, &r.last])
    });
    out.push(Line::from(vec![
        Span::styled(said(" Slot {0} ", " 槽 {0} ").with(m.lang, &[&m.slot]), t.style(Ink::Accent)),
        Span::styled(format!(" {}: {owner}{range}", m.observer_text()), t.style(Ink::Strong)),
        Span::styled(
            m.say(said("   s: another slot, or a key", "   s：换一个槽，或一个键")),
            t.style(Ink::Faint),
        ),
    ]));
    out.push(zoom(m, area.width));
    out.push(head(
        m,
        m.say(said("node", "节点")),
        m.say(said(
            "says it is owned by, in epoch; moves; keys it has in it",
            "认为属主是谁，纪元；迁移；其中有几个键",
        )),
    ));
    let first = m.details.slot.first().and_then(|b| b.owner);
    for b in &m.details.slot {
        let who = m.host_name(b.believer);
        let owner = b.owner.map_or(m.say(words::NOBODY), |h| m.host_name(h));
        let ink = match b.owner {
            Some(h) if b.owner == first => Ink::Node(h.index()),
            _ => Ink::Warn,
        };
        let mut spans = vec![
            Span::styled(format!("   {who:<9}"), t.style(Ink::Text)),
            Span::styled(padded(owner, 9), t.style(ink)),
            Span::styled(format!("{} {:<4}", m.say(words::EPOCH), b.epoch), t.style(Ink::Faint)),
            Span::styled(
                said("{0} keys", "{0} 个键").with(m.lang, &[&format!("{:>5}", b.keys)]),
                t.style(Ink::Text),
            ),
        ];
        if let Some(to) = b.migrating_to {
            spans.push(Span::styled(
                said("  migrating to {0}", "  正迁往 {0}").with(m.lang, &[&m.host_name(to)]),
                t.style(Ink::Warn),
            ));
        }
        if let Some(from) = b.importing_from {
            spans.push(Span::styled(
                said("  importing from {0}", "  正从 {0} 导入").with(m.lang, &[&m.host_name(from)]),
                t.style(Ink::Warn),
            ));
        }
        out.push(Line::from(spans));
    }
    if !m.details.slot_keys.is_empty() {
        out.push(head(m, m.say(said("keys", "键")), ""));
        let width = usize::from(area.width).saturating_sub(4);
        for line in super::wrap(&m.details.slot_keys.join("  "), width) {
            out.push(Line::styled(format!("   {line}"), t.style(Ink::Text)));
        }
    }
    lines(m, frame, area, out);
}

/// A cell for each slot around the selected one.
fn zoom(m: &Model, width: u16) -> Line<'static> {
    let cells = width.saturating_sub(18).min(101);
    let first = m.slot.saturating_sub(cells / 2).min(SLOTS - cells);
    let mut spans = vec![Span::styled(format!(" {first:>5} "), m.theme.style(Ink::Faint))];
    for slot in first..first + cells {
        let i = m.shot.slots.partition_point(|r| r.last < slot);
        let (glyph, style) = match m.shot.slots.get(i) {
            Some(run) => slots::look(m, run),
            None => (' ', m.theme.style(Ink::Faint)),
        };
        let style =
            if slot == m.slot { style.add_modifier(ratatui::style::Modifier::REVERSED) } else { style };
        spans.push(Span::styled(glyph.to_string(), style));
    }
    spans.push(Span::styled(format!(" {}", first + cells - 1), m.theme.style(Ink::Faint)));
    Line::from(spans)
}
