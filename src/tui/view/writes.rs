//! The ledger of writes: what became of what clients sent, and what would have kept the lost ones.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{bar, head, lines, padded};
use crate::tui::lesson::wrap::wrap;
use crate::tui::model::Model;
use crate::tui::text::seconds;
use crate::tui::theme::Ink;
use crate::tui::words::{self, said};

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let mut out = Vec::new();
    if m.accounts.clients() == 0 {
        out.push(head(m, m.say(said("no client writes here", "这里没有客户端在写")), ""));
        return lines(m, frame, area, out);
    }
    let counted = m.accounts.counted_to();
    let Some(l) = m.accounts.at(m.now()) else {
        let none = said("none yet, or still to be counted", "还没有，或还没数完");
        out.push(head(m, m.say(said("Writes", "写入")), m.say(none)));
        return lines(m, frame, area, out);
    };
    let behind = if counted < m.now() { m.say(said("   counting…", "   正在数…")) } else { "" };
    out.push(Line::from(vec![
        Span::styled(
            said(" {0} writes sent until now", " 到现在共发出 {0} 次写").with(m.lang, &[&l.sent]),
            t.style(Ink::Strong),
        ),
        Span::styled(behind, t.style(Ink::Warn)),
    ]));
    let rows = [
        (said("kept", "保住"), l.kept, Ink::Good, said("acknowledged, and there", "已确认，数据还在")),
        (said("lost", "丢失"), l.lost, Ink::Bad, said("acknowledged, and gone", "已确认，数据没了")),
        (
            said("unserved", "无人服务"),
            l.unserved,
            Ink::Warn,
            said("acknowledged; nobody serves the slot now", "已确认；现在没有节点服务这个槽"),
        ),
        (
            said("unknown", "未知"),
            l.unknown,
            Ink::Warn,
            said("never answered: maybe done", "没有回答：也许做了"),
        ),
        (
            said("refused", "被拒绝"),
            l.refused,
            Ink::Paused,
            said("answered with an error: not done", "回答了错误：没有做"),
        ),
    ];
    let cells = area.width.saturating_sub(62).clamp(8, 50);
    for (name, n, ink, what) in rows {
        let ink = if n == 0 { Ink::Faint } else { ink };
        let mut spans = vec![Span::styled(format!("   {}{n:>8} ", padded(m.say(name), 9)), t.style(ink))];
        spans.extend(bar(m, n, l.sent, cells, ink));
        spans.push(Span::styled(format!(" {}", m.say(what)), t.style(Ink::Faint)));
        out.push(Line::from(spans));
    }
    if l.reads > 0 {
        let ink = if l.stale_reads > 0 { Ink::Warn } else { Ink::Text };
        let reads = format!("{:>8}", l.reads);
        let text = said("   reads    {0}, {1} of them stale", "   读       {0}，其中 {1} 次是旧数据")
            .with(m.lang, &[&reads, &l.stale_reads]);
        out.push(Line::styled(text, t.style(ink)));
    }
    let width = usize::from(area.width).saturating_sub(8);
    for (cause, n) in &l.lost_by_cause {
        let (name, remedy) = (m.say(words::loss(*cause)), m.say(words::remedy(*cause)));
        let lost = said(" lost {0}: {1}", " 丢失 {0}：{1}").with(m.lang, &[n, &name]);
        out.push(Line::styled(lost, t.style(Ink::Bad)));
        for line in wrap(&said("kept by: {0}", "怎样能保住：{0}").with(m.lang, &[&remedy]), width) {
            out.push(Line::styled(format!("     {line}"), t.style(Ink::Text)));
        }
    }
    let losses: Vec<String> = m
        .accounts
        .losses()
        .map(|(at, n)| said("{0} at {1} s", "{1} s 丢 {0}").with(m.lang, &[&n, &seconds(m.relative(at), 3)]))
        .collect();
    if losses.is_empty() {
        let none = said(
            " no acknowledged write is lost, as far as the run is known",
            " 就已知的运行来说，没有丢失已确认的写",
        );
        out.push(Line::styled(m.say(none), t.style(Ink::Good)));
    } else {
        out.push(head(
            m,
            m.say(said("losses", "丢失")),
            m.say(said("u goes to the next one", "按 u 去下一次")),
        ));
        for line in wrap(&losses.join(", "), width) {
            out.push(Line::styled(format!("   {line}"), t.style(Ink::Text)));
        }
    }
    lines(m, frame, area, out);
}
