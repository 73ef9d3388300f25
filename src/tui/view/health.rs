//! The verdict of a monitor that asks one node, for each node; and what it does not see.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{head, health_ink, lines};
use crate::tui::chinese;
use crate::tui::lesson::wrap::wrap;
use crate::tui::model::Model;
use crate::tui::theme::Ink;
use crate::tui::words::{self, Said, health, said};
use crate::world::probe::health::Overall;

/// What the rule is, and where it misleads.
const RULE: [Said; 4] = [
    said(
        "The rule of most monitors: a state other than ok, or a slot of a failed node, is unhealthy; a slot without \
         an owner is degraded.",
        "多数监控的规则：状态不是 ok，或有槽属于 FAIL 的节点，就是不健康；有槽没有主人，就是降级。",
    ),
    said(
        "It is the opinion of the one node that is asked: one that is cut off may say ok for a whole node timeout.",
        "这只是被问到的那一个节点的看法：被隔离的节点在整个 node timeout 之内都可能回答 ok。",
    ),
    said(
        "Slots of a suspected node (PFAIL) do not count: for a node timeout, a dead master is healthy.",
        "被怀疑（PFAIL）的节点的槽不算：在一个 node timeout 之内，死掉的主节点是“健康”的。",
    ),
    said(
        "Replicas do not count: a cluster whose next failure loses data is healthy.",
        "从节点不算：再坏一个就丢数据的集群，也是“健康”的。",
    ),
];

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let mut out = Vec::new();
    let h = &m.shot.health;
    let (ink, dot) = health_ink(h.level);
    out.push(Line::from(vec![
        Span::styled(format!(" {} ", m.observer_text()), t.style(Ink::Accent)),
        Span::styled(format!("{dot} {} ", m.say(health(h.level))), t.style(ink)),
        Span::styled(
            said(
                "slots assigned {0}, pfail {1}, fail {2}; epoch {3}",
                "已分配槽 {0}，pfail {1}，fail {2}；纪元 {3}",
            )
            .with(m.lang, &[&h.slots_assigned, &h.slots_pfail, &h.slots_fail, &h.current_epoch]),
            t.style(Ink::Text),
        ),
    ]));
    let issue = |i: &String| chinese::event(i.clone(), m.lang);
    out.extend(h.issues.iter().map(|i| Line::styled(format!("   {}", issue(i)), t.style(ink))));
    out.push(head(
        m,
        m.say(said("asked", "被问的节点")),
        m.say(said("what a monitor says that asks this node", "问这个节点的监控会怎么说")),
    ));
    for (i, verdict) in m.details.health.iter().enumerate() {
        let name = format!("   {:<9}", m.node_name(i));
        let (text, ink) = match verdict {
            None => (m.say(said("does not answer", "没有回答")).to_string(), Ink::Faint),
            Some(v) => {
                let ink = match v.overall {
                    Overall::Healthy => Ink::Good,
                    Overall::Degraded => Ink::Warn,
                    Overall::Unhealthy => Ink::Bad,
                };
                let overall = match v.overall {
                    Overall::Healthy => words::HEALTHY,
                    Overall::Degraded => words::DEGRADED,
                    Overall::Unhealthy => words::UNHEALTHY,
                };
                let mut text = m.say(overall).to_string();
                for (i, why) in v.issues.iter().map(issue).enumerate() {
                    text.push_str(if i == 0 { ": " } else { ", " });
                    text.push_str(&why);
                }
                if v.hides_a_failure {
                    text.push_str(
                        m.say(said(" (though the node refuses commands)", "（尽管这个节点拒绝执行命令）")),
                    );
                }
                (text, if v.hides_a_failure { Ink::Bad } else { ink })
            }
        };
        out.push(Line::from(vec![Span::styled(name, t.style(Ink::Text)), Span::styled(text, t.style(ink))]));
    }
    let width = usize::from(area.width).saturating_sub(4);
    for rule in RULE {
        for (i, line) in wrap(m.say(rule), width).into_iter().enumerate() {
            out.push(Line::styled(
                format!(" {} {line}", if i == 0 { "·" } else { " " }),
                t.style(Ink::Faint),
            ));
        }
    }
    lines(m, frame, area, out);
}
