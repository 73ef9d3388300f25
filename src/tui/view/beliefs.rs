//! The matrix of beliefs: who holds whom for what, and who owns the slots according to each.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::{head, put_line};
use crate::base::Id;
use crate::tui::model::Model;
use crate::tui::theme::Ink;
use crate::tui::words::{self, said};
use crate::world::probe::beliefs::Belief;
use crate::world::probe::view::{Observer, Opinion, Role};

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let n = m.nodes();
    let name = (0..n).map(|i| m.node_name(i).len()).max().unwrap_or(2).clamp(2, 8) as u16;
    // As wide a cell as there is room for: a word, a sign with a number, a sign.
    let room = area.width.saturating_sub(name + 14) / n.max(1) as u16;
    let cell = match room {
        9.. => 9,
        4..9 => 4,
        2..4 => 2,
        _ => 1,
    };
    let columns = usize::from(area.width.saturating_sub(name + 14) / cell).min(n);
    let first_column = (m.node + 1).saturating_sub(columns).min(n - columns);
    // One sign is the end of a name: above it stands where the tens begin.
    let ruled = cell == 1;
    let top = if ruled { 3 } else { 2 };
    let rows = usize::from(area.height.saturating_sub(top + 1)).min(n);
    let first_row = (m.node + 1).saturating_sub(rows).min(n - rows);
    let t = m.theme;

    let differ = (0..n).filter(|&i| m.details.beliefs.differ_about(i)).collect::<Vec<_>>();
    let more = match differ.len() {
        0 => m.say(said("all that run agree about everybody", "运行着的节点看法一致")).to_string(),
        k if k <= 4 => {
            let names: Vec<&str> = differ.iter().map(|&i| m.node_name(i)).collect();
            said("they differ about {0}", "看法不一：{0}").with(m.lang, &[&names.join(", ")])
        }
        k => said("they differ about {0} nodes", "对 {0} 个节点看法不一").with(m.lang, &[&k]),
    };
    let title = Line::from(vec![
        Span::styled(
            m.say(said(" who believes ↓ what about → ", " 谁（↓）怎么看谁（→） ")),
            t.style(Ink::Accent),
        ),
        Span::styled(more, t.style(if differ.is_empty() { Ink::Good } else { Ink::Warn })),
    ]);
    put_line(frame, area, 0, title);

    if ruled {
        let names = (first_column..first_column + columns).map(|i| m.node_name(i));
        let line = " ".repeat(usize::from(name) + 2) + &tens(names);
        put_line(frame, area, 1, Line::styled(line, t.style(Ink::Faint)));
    }
    let mut heads = vec![Span::raw(" ".repeat(usize::from(name) + 2))];
    for i in first_column..first_column + columns {
        let mut style = t.style(if differ.contains(&i) { Ink::Warn } else { Ink::Text });
        if i == m.node {
            style = style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD);
        }
        heads.push(Span::styled(fit(m.node_name(i), cell), style));
    }
    heads.push(Span::styled(m.say(said("  state epoch", "  状态  纪元")), t.style(Ink::Faint)));
    put_line(frame, area, top - 1, Line::from(heads));
    for (row, i) in (first_row..first_row + rows).enumerate() {
        let mut spans = vec![
            Span::styled(if i == m.node { "▌" } else { " " }, t.style(Ink::Accent)),
            Span::styled(fit(m.node_name(i), name + 1), t.style(believer_ink(m, i))),
        ];
        let runs = m.details.beliefs.rows.get(i).is_some_and(Option::is_some);
        for j in first_column..first_column + columns {
            let (text, ink) = content(m.details.beliefs.get(i, j), runs, cell);
            spans.push(Span::styled(fit(&text, cell), t.style(ink)));
        }
        if let Some(me) = m.details.beliefs.get(i, i) {
            let ok = m.shot.nodes[i].state_ok == Some(true);
            let (word, ink) = if ok { ("ok   ", Ink::Good) } else { ("fail ", Ink::Bad) };
            spans.push(Span::styled(format!("  {word}"), t.style(ink)));
            spans.push(Span::styled(format!(" {}", me.epoch), t.style(Ink::Text)));
        }
        put_line(frame, area, row as u16 + top, Line::from(spans));
    }
    let used = rows as u16 + top;
    if used + 2 <= area.height {
        let below = Rect { y: area.y + used, height: area.height - used, ..area };
        owners(m, frame, below);
    }
}

/// Names above columns of one sign: each one that ends in 0, and the first, as far as there is room.
fn tens<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (i, name) in names.enumerate() {
        if line.is_empty() || (name.ends_with('0') && line.len() < i) {
            line = format!("{line:<i$}{name}");
        }
    }
    line
}

fn believer_ink(m: &Model, i: usize) -> Ink {
    match m.observer {
        Observer::Node(h) if h.index() == i => Ink::Accent,
        _ => Ink::Text,
    }
}

/// Cut and padded to the width of a cell, a blank at its end where there is room.
fn fit(text: &str, cell: u16) -> String {
    let cell = usize::from(cell);
    let shown: String = if cell <= 2 && text.chars().count() > cell {
        // The end of a name tells more than its beginning.
        let skip = text.chars().count() - cell;
        text.chars().skip(skip).collect()
    } else {
        text.chars().take(if cell > 2 { cell - 1 } else { cell }).collect()
    };
    format!("{shown:<cell$}")
}

fn content(b: Option<Belief>, runs: bool, cell: u16) -> (String, Ink) {
    if !runs {
        return (if cell > 2 { "·".into() } else { " ".into() }, Ink::Faint);
    }
    let Some(b) = b else { return ("-".into(), Ink::Faint) };
    if b.is_self {
        return ("◉".into(), Ink::Faint);
    }
    let number = |sign: &str| if b.reports > 0 { format!("{sign}{}", b.reports) } else { sign.into() };
    let role = match b.role {
        Role::Master => "M",
        Role::Replica => "r",
        Role::Sentinel | Role::Unknown => "-",
    };
    match (b.opinion, cell) {
        (Opinion::Failed, 9..) => (number("FAIL "), Ink::Bad),
        (Opinion::Failed, 4..) => (number("F"), Ink::Bad),
        (Opinion::Failed, _) => ("█".into(), Ink::Bad),
        (Opinion::Suspected, 9..) => (number("PFAIL "), Ink::Warn),
        (Opinion::Suspected, 4..) => (number("?"), Ink::Warn),
        (Opinion::Suspected, _) => ("?".into(), Ink::Warn),
        (Opinion::Stranger, _) => ("~".into(), Ink::Paused),
        (Opinion::Unknown, _) => ("-".into(), Ink::Faint),
        (Opinion::Fine, 9..) => (format!("ok {role}{}", b.epoch), Ink::Good),
        (Opinion::Fine, 4..) => (format!("{role}{}", b.epoch), Ink::Good),
        (Opinion::Fine, _) => ("·".into(), Ink::Good),
    }
}

/// Who owns each run of slots: in truth, and according to each node that runs.
fn owners(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    put_line(
        frame,
        area,
        0,
        head(m, m.say(words::SLOTS), m.say(said("their owner according to each node", "各节点认为的属主"))),
    );
    for (row, (slot, beliefs)) in m.details.owners.iter().take(usize::from(area.height) - 1).enumerate() {
        let first = beliefs.first().and_then(|b| b.owner);
        let agree = beliefs.iter().all(|b| b.owner == first);
        let mut spans = vec![Span::styled(format!(" {slot:>5}… "), t.style(Ink::Faint))];
        for b in beliefs {
            let who = m.host_name(b.believer);
            let owner = b.owner.map_or(m.say(words::NOBODY), |h| m.host_name(h));
            let ink = match b.owner {
                Some(h) if agree => Ink::Node(h.index()),
                _ => Ink::Warn,
            };
            spans.push(Span::styled(format!("{who}:"), t.style(Ink::Faint)));
            spans.push(Span::styled(format!("{owner} "), t.style(ink)));
        }
        put_line(frame, area, row as u16 + 1, Line::from(spans));
    }
}

#[cfg(test)]
mod tests {
    use super::tens;

    #[test]
    fn narrow_columns_are_counted_in_tens() {
        let names: Vec<String> = (1..=31).map(|i| format!("n{i}")).collect();
        assert_eq!(tens(names.iter().map(String::as_str)), "n1       n10       n20       n30");
        assert_eq!(tens(names[14..].iter().map(String::as_str)), "n15  n20       n30");
        assert_eq!(tens(["n9", "n10"].into_iter()), "n9");
    }
}
