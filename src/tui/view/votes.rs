//! The ledger of votes: each failover's phases, ballots, and why each loser lost.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::lines;
use crate::explain::{Ballot, Failover, LoserWhy};
use crate::trace::FailoverKind;
use crate::trace::text::{cannot, denied};
use crate::tui::lesson::wrap::wrap;
use crate::tui::model::Model;
use crate::tui::text::{about, seconds};
use crate::tui::theme::Ink;
use crate::tui::words::{self, said};

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let mut out = Vec::new();
    let mut all: Vec<&Failover> = m.details.failovers.iter().collect();
    all.sort_by_key(|f| f.injected_at);
    let width = usize::from(area.width).saturating_sub(6);
    for f in all {
        failover(m, f, width, &mut out);
        out.push(Line::default());
    }
    if out.is_empty() {
        let none = said(" no failover so far: f goes to the next one", " 还没有故障转移：按 f 去下一次");
        out.push(Line::styled(m.say(none), m.theme.style(Ink::Faint)));
    }
    lines(m, frame, area, out);
}

fn failover(m: &Model, f: &Failover, width: usize, out: &mut Vec<Line<'static>>) {
    let t = m.theme;
    let future = f.injected_at > m.now();
    let kind = match f.kind {
        FailoverKind::Automatic => said("failover", "故障转移"),
        FailoverKind::Manual => said("manual failover", "手动故障转移"),
        FailoverKind::Forced => said("forced failover", "强制故障转移"),
        FailoverKind::Takeover => said("takeover", "接管（TAKEOVER）"),
    };
    let kind = m.say(kind);
    let winner = f.winner.map_or(m.say(words::NOBODY), |w| m.host_name(w));
    let took = f.outage().map_or(m.say(said("not served again", "没有恢复服务")).to_string(), |d| {
        said("served again after {0}", "{0} 后恢复服务").with(m.lang, &[&about(d)])
    });
    out.push(Line::from(vec![
        Span::styled(
            format!(
                " {} {kind}: {} → {winner} ",
                seconds(m.relative(f.injected_at), 3),
                m.host_name(f.victim)
            ),
            t.style(if future { Ink::Faint } else { Ink::Accent }),
        ),
        Span::styled(took, t.style(if f.winner.is_some() { Ink::Good } else { Ink::Bad })),
    ]));
    let phases: Vec<String> =
        f.phases.iter().map(|p| format!("{} {}", m.say(words::phase(p.name)), about(p.length()))).collect();
    for line in wrap(&phases.join(" · "), width) {
        out.push(Line::styled(format!("   {line}"), t.style(Ink::Text)));
    }
    f.ballots.iter().for_each(|b| ballot(m, b, out));
    for l in &f.losers {
        let plan = l.plan.map_or(String::new(), |p| {
            said(" (rank {0}, offset {1}, due {2})", "（rank {0}，偏移量 {1}，应在 {2}）")
                .with(m.lang, &[&p.rank, &p.offset, &seconds(m.relative(p.due), 3)])
        });
        let why = match &l.why {
            LoserWhy::TooLate => m
                .say(said("another won before its election was due", "还没到它的选举，别人已经赢了"))
                .to_string(),
            LoserWhy::TooFewVotes { granted, needed, denied } => {
                said("{0} of {1} votes needed, {2} refused", "需要 {1} 票，得到 {0} 票，{2} 票被拒")
                    .with(m.lang, &[granted, needed, denied])
            }
            LoserWhy::Refused(why) => cannot(*why).to_string(),
            LoserWhy::NeverPlanned => {
                let early =
                    said("it heard of the winner before it planned anything", "它还没打算选举就听说了赢家");
                m.say(early).to_string()
            }
            LoserWhy::Unfinished => m.say(said("the run is not over", "运行还没结束")).to_string(),
        };
        for (i, line) in wrap(
            &said("{0} did not: {1}{2}", "{0} 没有：{1}{2}")
                .with(m.lang, &[&m.host_name(l.host), &why, &plan]),
            width,
        )
        .iter()
        .enumerate()
        {
            let lead = if i == 0 { "   ↓ " } else { "     " };
            out.push(Line::styled(format!("{lead}{line}"), t.style(Ink::Warn)));
        }
    }
}

fn ballot(m: &Model, b: &Ballot, out: &mut Vec<Line<'static>>) {
    let t = m.theme;
    let mark = if b.won { ("★ ", Ink::Good) } else { ("◇ ", Ink::Warn) };
    out.push(Line::from(vec![
        Span::styled(format!("   {}", mark.0), t.style(mark.1)),
        Span::styled(
            said("{0} asks in epoch {1} at {2}", "{0} 在纪元 {1} 拉票，{2}")
                .with(m.lang, &[&m.host_name(b.candidate), &b.epoch, &seconds(m.relative(b.started), 3)]),
            t.style(Ink::Text),
        ),
        Span::styled(
            if b.needed > 0 {
                said("  {0} of {1} votes", "  {0}/{1} 票").with(m.lang, &[&b.received, &b.needed])
            } else {
                String::new()
            },
            t.style(mark.1),
        ),
    ]));
    for (by, at) in &b.granted {
        let after = about(at.since(b.started));
        out.push(Line::styled(
            said("       yes {0} ({1} later)", "       赞成 {0}（{1} 后）")
                .with(m.lang, &[&m.host_name(*by), &after]),
            t.style(Ink::Good),
        ));
    }
    for r in &b.denied {
        let why = denied(&r.why);
        let text =
            said("       no  {0}: {1}", "       拒绝 {0}：{1}").with(m.lang, &[&m.host_name(r.by), &why]);
        out.push(Line::styled(text, t.style(Ink::Bad)));
    }
    for by in &b.silent {
        let text = said("       …   {0} says nothing", "       …    {0} 没有回应")
            .with(m.lang, &[&m.host_name(*by)]);
        out.push(Line::styled(text, t.style(Ink::Faint)));
    }
}
