//! The verdict of a monitor that asks one node, for each node; and what it does not see.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{head, health_ink, lines, wrap};
use crate::tui::model::Model;
use crate::tui::theme::Ink;
use crate::world::probe::health::Overall;

/// What the rule is, and where it misleads.
const RULE: [&str; 4] = [
    "The rule of most monitors: a state other than ok, or a slot of a failed node, is unhealthy; a slot without \
     an owner is degraded.",
    "It is the opinion of the one node that is asked: one that is cut off may say ok for a whole node timeout.",
    "Slots of a suspected node (PFAIL) do not count: for a node timeout, a dead master is healthy.",
    "Replicas do not count: a cluster whose next failure loses data is healthy.",
];

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let mut out = Vec::new();
    let h = &m.shot.health;
    let (ink, dot) = health_ink(h.level);
    out.push(Line::from(vec![
        Span::styled(format!(" {} ", m.observer_text()), t.style(Ink::Accent)),
        Span::styled(format!("{dot} {} ", h.level.word()), t.style(ink)),
        Span::styled(
            format!(
                "slots assigned {}, pfail {}, fail {}; epoch {}",
                h.slots_assigned, h.slots_pfail, h.slots_fail, h.current_epoch
            ),
            t.style(Ink::Text),
        ),
    ]));
    out.extend(h.issues.iter().map(|i| Line::styled(format!("   {i}"), t.style(ink))));
    out.push(head(m, "asked", "what a monitor says that asks this node"));
    for (i, verdict) in m.details.health.iter().enumerate() {
        let name = format!("   {:<9}", m.node_name(i));
        let (text, ink) = match verdict {
            None => ("does not answer".to_string(), Ink::Faint),
            Some(v) => {
                let ink = match v.overall {
                    Overall::Healthy => Ink::Good,
                    Overall::Degraded => Ink::Warn,
                    Overall::Unhealthy => Ink::Bad,
                };
                (v.to_string(), if v.hides_a_failure { Ink::Bad } else { ink })
            }
        };
        out.push(Line::from(vec![Span::styled(name, t.style(Ink::Text)), Span::styled(text, t.style(ink))]));
    }
    let width = usize::from(area.width).saturating_sub(4);
    for rule in RULE {
        for (i, line) in wrap(rule, width).into_iter().enumerate() {
            out.push(Line::styled(
                format!(" {} {line}", if i == 0 { "·" } else { " " }),
                t.style(Ink::Faint),
            ));
        }
    }
    lines(m, frame, area, out);
}
