//! Shards with their replicas, where they run, and the links between the nodes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{head, lines};
use crate::base::Id;
use crate::tui::model::Model;
use crate::tui::theme::Ink;
use crate::tui::words::{self, Said, said};
use crate::world::probe::inspect::LinkView;
use crate::world::probe::view::{NodeView, Opinion, Process, Role};

const LINKS: Said = said("Links", "链路");
const CUT: Said = said("cut", "切断");
const SLOW: Said = said("slow", "变慢");

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let n = m.nodes();
    // A few cells for each node, and the names at the left.
    let matrix = (cell(m) * n as u16 + 10).max(28);
    let beside = n <= 32 && area.width >= matrix + 58;
    let shards = shards(m);
    if beside {
        let left = Rect { width: area.width - matrix - 2, ..area };
        lines(m, frame, left, shards);
        let right = Rect { x: left.right() + 1, width: matrix, ..area };
        let skip = m.scroll;
        for (row, line) in links(m).into_iter().skip(usize::from(skip)).enumerate() {
            super::put_line(frame, right, row as u16, line);
        }
    } else {
        let mut all = shards;
        all.push(Line::default());
        if n <= 32 && area.width >= matrix {
            all.extend(links(m));
        } else {
            all.extend(trouble(m));
        }
        lines(m, frame, area, all);
    }
}

fn shards(m: &Model) -> Vec<Line<'static>> {
    let nodes = &m.shot.nodes;
    let mut out = Vec::new();
    let mut shown = vec![false; nodes.len()];
    // A master that does not run says nothing of its role; its replicas do.
    let leads = |n: &NodeView| {
        n.role == Role::Master
            || (n.role == Role::Unknown && nodes.iter().any(|r| r.master.as_ref() == Some(&n.name)))
    };
    for (i, master) in nodes.iter().enumerate().filter(|(_, n)| leads(n)) {
        shown[i] = true;
        out.push(row(m, i, master, "┏ "));
        let replicas: Vec<usize> = (0..nodes.len())
            .filter(|&j| nodes[j].role == Role::Replica && nodes[j].master.as_deref() == Some(&master.name))
            .collect();
        for (k, &j) in replicas.iter().enumerate() {
            shown[j] = true;
            out.push(row(m, j, &nodes[j], if k + 1 == replicas.len() { "┗━ " } else { "┣━ " }));
        }
        if replicas.is_empty() && master.slots > 0 {
            let alone =
                said("   ┗ no replica: the next failure is the last", "   ┗ 没有从节点：再坏一次就没了");
            out.push(Line::styled(m.say(alone), m.theme.style(Ink::Warn)));
        }
    }
    let rest: Vec<usize> = (0..nodes.len()).filter(|&i| !shown[i]).collect();
    if !rest.is_empty() {
        if !m.shot.slots.is_empty() {
            out.push(head(
                m,
                m.say(said("no shard", "不属于分片")),
                m.say(said("its master is not known to whoever looks", "观察者不知道它的主节点")),
            ));
        }
        out.extend(rest.into_iter().map(|i| row(m, i, &nodes[i], "· ")));
    }
    out
}

fn row(m: &Model, i: usize, n: &NodeView, tree: &str) -> Line<'static> {
    let t = m.theme;
    let selected = i == m.node;
    let (sign, ink) = match (n.process, n.opinion) {
        (Process::Stopped | Process::Off, _) => ("†", Ink::Bad),
        (Process::Paused, _) => ("‖", Ink::Paused),
        (Process::Busy | Process::Starting, _) => ("≈", Ink::Warn),
        (_, Opinion::Failed) => ("█", Ink::Bad),
        (_, Opinion::Suspected) => ("?", Ink::Warn),
        _ => ("●", Ink::Good),
    };
    let name_ink = if n.slots > 0 { Ink::Node(i) } else { Ink::Text };
    let glyph = if n.slots > 0 { t.owner_glyph(i) } else { ' ' };
    let mut spans = vec![
        Span::styled(if selected { "▌" } else { " " }, t.style(Ink::Accent)),
        Span::styled(tree.to_string(), t.style(Ink::Faint)),
        Span::styled(format!("{sign} "), t.style(ink)),
        Span::styled(format!("{glyph} {:<8}", n.name), t.style(name_ink)),
    ];
    match n.role {
        Role::Unknown if !n.process.runs() => {
            let (slots, ranges) = (format!("{:>5}", owned(m, i)), format!("{:<13}", ranges(m, i)));
            let text =
                said("{0} slots {1} does not run", "{0} 个槽 {1} 没有运行").with(m.lang, &[&slots, &ranges]);
            spans.push(Span::styled(text, t.style(Ink::Faint)));
        }
        Role::Sentinel => spans.push(Span::styled("sentinel", t.style(Ink::Paused))),
        Role::Master if m.shot.slots.is_empty() => {
            let text = said("master  offset {0}", "master  偏移量 {0}").with(m.lang, &[&n.offset]);
            spans.push(Span::styled(text, t.style(Ink::Text)));
        }
        Role::Master => {
            let ranges = ranges(m, i);
            let slots = said("{0} slots ", "{0} 个槽 ").with(m.lang, &[&format!("{:>5}", n.slots)]);
            spans.push(Span::styled(slots, t.style(Ink::Text)));
            let epoch = format!("{ranges:<13} {} {:<3}", m.say(words::EPOCH), n.epoch);
            spans.push(Span::styled(epoch, t.style(Ink::Text)));
            let offset = said(" offset {0}", " 偏移量 {0}").with(m.lang, &[&n.offset]);
            spans.push(Span::styled(offset, t.style(Ink::Faint)));
        }
        _ => {
            let lag = n.lag.map_or("-".into(), |l| l.to_string());
            let (link, ink) = match n.link {
                Some(true) => (m.say(said("link up", "链路正常")), Ink::Good),
                Some(false) => (m.say(said("link down", "链路断开")), Ink::Bad),
                None => ("", Ink::Faint),
            };
            let offset = said("offset {0}", "偏移量 {0}").with(m.lang, &[&format!("{:<9}", n.offset)]);
            spans.push(Span::styled(offset, t.style(Ink::Faint)));
            let lag_ink = if n.lag.is_some_and(|l| l > 0) { Ink::Warn } else { Ink::Text };
            let lag = said(" lag {0} ", " 落后 {0} ").with(m.lang, &[&format!("{lag:<6}")]);
            spans.push(Span::styled(lag, t.style(lag_ink)));
            spans.push(Span::styled(link, t.style(ink)));
        }
    }
    if let Some(place) = n.host.map(|h| &m.timeline().world().hosts[h].place) {
        let parts: Vec<&str> =
            [&place.zone, &place.rack, &place.host].into_iter().flatten().map(String::as_str).collect();
        if !parts.is_empty() {
            spans.push(Span::styled(format!("  {}", parts.join("/")), t.style(Ink::Faint)));
        }
    }
    Line::from(spans)
}

/// Slots that whoever looks holds for the node's.
fn owned(m: &Model, i: usize) -> u32 {
    let mine = m.shot.slots.iter().filter(|r| r.owner == Some(i));
    mine.map(|r| u32::from(r.last - r.first) + 1).sum()
}

/// The node's slots as ranges, shortened.
fn ranges(m: &Model, i: usize) -> String {
    let mut mine = m.shot.slots.iter().filter(|r| r.owner == Some(i));
    let Some(first) = mine.next() else { return String::new() };
    match mine.count() {
        0 => format!("{}-{}", first.first, first.last),
        more => format!("{}-{} +{more}", first.first, first.last),
    }
}

/// Cells for a node in the matrix of links.
fn cell(m: &Model) -> u16 {
    if m.nodes() <= 12 { 3 } else { 2 }
}

/// A cell for each pair: the connections of the bus, and what the network does to them.
fn links(m: &Model) -> Vec<Line<'static>> {
    let t = m.theme;
    let n = m.nodes();
    let mut out = vec![head(m, m.say(LINKS), "")];
    let width = usize::from(cell(m));
    let short = |i: usize| -> String {
        let name = m.node_name(i);
        let skip = name.chars().count().saturating_sub(width - 1);
        let tail: String = name.chars().skip(skip).collect();
        format!("{tail:>width$}")
    };
    let mut heads = vec![Span::raw("        ")];
    heads.extend((0..n).map(|i| Span::styled(short(i), t.style(Ink::Faint))));
    out.push(Line::from(heads));
    for a in 0..n {
        let name: String = m.node_name(a).chars().take(6).collect();
        let mut spans = vec![Span::styled(format!(" {name:<7}"), t.style(Ink::Faint))];
        for b in 0..n {
            let (glyph, ink) = link(&m.details.links, a, b);
            spans.push(Span::styled(format!("{glyph:>width$}"), t.style(ink)));
        }
        out.push(Line::from(spans));
    }
    for (sign, what) in [
        ("═ ─", said("two, one connection", "两条、一条连接")),
        ("» «", said("data to, from", "数据发往、来自")),
        ("╳", CUT),
        ("~", SLOW),
        ("·", said("none", "无")),
    ] {
        out.push(Line::styled(format!(" {sign:<4}{}", m.say(what)), t.style(Ink::Faint)));
    }
    out
}

fn link(all: &[LinkView], a: usize, b: usize) -> (char, Ink) {
    if a == b {
        return (' ', Ink::Faint);
    }
    let at = |l: &LinkView| (l.a.index(), l.b.index());
    let (low, high) = (a.min(b), a.max(b));
    let Ok(i) = all.binary_search_by(|l| at(l).cmp(&(low, high))) else { return ('·', Ink::Faint) };
    let l = &all[i];
    let flip = usize::from(a > b);
    match (l.cut[flip] || l.cut[1 - flip], l.moving[flip], l.moving[1 - flip], l.bus) {
        (true, ..) => ('╳', Ink::Bad),
        (_, true, _, _) => ('»', Ink::Accent),
        (_, _, true, _) => ('«', Ink::Accent),
        _ if l.slow.0 > 0 => ('~', Ink::Warn),
        (.., 2..) => ('═', Ink::Good),
        (.., 1) => ('─', Ink::Warn),
        (.., 0) => ('·', Ink::Warn),
    }
}

/// Only the links with something to say, of a large deployment.
fn trouble(m: &Model) -> Vec<Line<'static>> {
    let all = &m.details.links;
    let whole = all.iter().filter(|l| l.bus >= 2).count();
    let moving = all.iter().filter(|l| l.moving[0] || l.moving[1]).count();
    let mut out = vec![head(
        m,
        m.say(LINKS),
        &said(
            "{0} of {1} pairs have both connections, {2} carry data now",
            "{1} 对中 {0} 对有两条连接，{2} 对正在传数据",
        )
        .with(m.lang, &[&whole, &all.len(), &moving]),
    )];
    for l in all.iter().filter(|l| l.cut[0] || l.cut[1] || l.slow.0 > 0).take(40) {
        let what = m.say(if l.cut[0] || l.cut[1] { CUT } else { SLOW });
        let text = said("   {0} and {1}: {2}", "   {0} 与 {1}：{2}")
            .with(m.lang, &[&m.host_name(l.a), &m.host_name(l.b), &what]);
        out.push(Line::styled(text, m.theme.style(Ink::Bad)));
    }
    out
}
