//! The ledger of votes: each failover's phases, ballots, and why each loser lost.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{lines, wrap};
use crate::explain::{Ballot, Failover, LoserWhy};
use crate::trace::FailoverKind;
use crate::trace::text::{cannot, denied};
use crate::tui::model::Model;
use crate::tui::text::{about, seconds};
use crate::tui::theme::Ink;

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
        out.push(Line::styled(" no failover so far: f goes to the next one", m.theme.style(Ink::Faint)));
    }
    lines(m, frame, area, out);
}

fn failover(m: &Model, f: &Failover, width: usize, out: &mut Vec<Line<'static>>) {
    let t = m.theme;
    let future = f.injected_at > m.now();
    let kind = match f.kind {
        FailoverKind::Automatic => "failover",
        FailoverKind::Manual => "manual failover",
        FailoverKind::Forced => "forced failover",
        FailoverKind::Takeover => "takeover",
    };
    let winner = f.winner.map_or("nobody".into(), |w| m.host_name(w).to_string());
    let took = f.outage().map_or("not served again".into(), |d| format!("served again after {}", about(d)));
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
    let phases: Vec<String> = f.phases.iter().map(|p| format!("{} {}", p.name, about(p.length()))).collect();
    for line in wrap(&phases.join(" · "), width) {
        out.push(Line::styled(format!("   {line}"), t.style(Ink::Text)));
    }
    f.ballots.iter().for_each(|b| ballot(m, b, out));
    for l in &f.losers {
        let plan = l.plan.map_or(String::new(), |p| {
            format!(" (rank {}, offset {}, due {})", p.rank, p.offset, seconds(m.relative(p.due), 3))
        });
        let why = match &l.why {
            LoserWhy::TooLate => "another won before its election was due".to_string(),
            LoserWhy::TooFewVotes { granted, needed, denied } => {
                format!("{granted} of {needed} votes needed, {denied} refused")
            }
            LoserWhy::Refused(why) => cannot(*why).to_string(),
            LoserWhy::NeverPlanned => "it heard of the winner before it planned anything".to_string(),
            LoserWhy::Unfinished => "the run is not over".to_string(),
        };
        for (i, line) in
            wrap(&format!("{} did not: {why}{plan}", m.host_name(l.host)), width).iter().enumerate()
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
            format!(
                "{} asks in epoch {} at {}",
                m.host_name(b.candidate),
                b.epoch,
                seconds(m.relative(b.started), 3)
            ),
            t.style(Ink::Text),
        ),
        Span::styled(
            if b.needed > 0 { format!("  {} of {} votes", b.received, b.needed) } else { String::new() },
            t.style(mark.1),
        ),
    ]));
    for (by, at) in &b.granted {
        let after = about(at.since(b.started));
        out.push(Line::styled(
            format!("       yes {} ({after} later)", m.host_name(*by)),
            t.style(Ink::Good),
        ));
    }
    for r in &b.denied {
        let why = denied(&r.why);
        out.push(Line::styled(format!("       no  {}: {why}", m.host_name(r.by)), t.style(Ink::Bad)));
    }
    for by in &b.silent {
        out.push(Line::styled(format!("       …   {} says nothing", m.host_name(*by)), t.style(Ink::Faint)));
    }
}
