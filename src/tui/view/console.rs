//! What was typed and done, and what it answered.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::put_line;
use crate::tui::console;
use crate::tui::lesson::wrap::wrap;
use crate::tui::model::{Ask, Model, Overlay};
use crate::tui::text::seconds;
use crate::tui::theme::Ink;
use crate::tui::words::{Said, said};

const ABOUT: Said = said(
    ": opens the line below. What you type is done at the playhead, in the past too; what would have been without \
     it is kept as another future. backspace goes to the moment before the last deed.",
    ": 打开下面的输入行。输入的命令在播放头处执行，也可以在过去执行；没有它时的那个未来会保留下来。backspace 回到上一次动作之前。",
);

/// What can be typed.
const FORMS: [(&str, Said); 5] = [
    ("CLUSTER NODES", said("a command to the selected node", "发给选中节点的命令")),
    ("7003> CLUSTER FAILOVER", said("a command to a node by port or name", "按端口或名字发给某个节点")),
    ("redis-cli --cluster check {n1}", said("the tool, with a node's address", "工具，{n1} 是节点的地址")),
    ("kill n1   pause n2   cut n3   heal", said("faults", "故障")),
    ("help", said("all of these words", "列出全部词语")),
];

pub fn draw(m: &Model, frame: &mut Frame<'_>, area: Rect) {
    let t = m.theme;
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (at, mine, text) in m.transcript() {
        lines.push(if mine {
            Line::from(vec![
                Span::styled(format!(" {:>11} ", seconds(m.relative(at), 6)), t.style(Ink::Faint)),
                Span::styled(text, t.style(Ink::Accent)),
            ])
        } else {
            Line::styled(format!("              {text}"), t.style(Ink::Text))
        });
    }
    if lines.is_empty() {
        let width = usize::from(area.width).saturating_sub(2);
        let about = wrap(m.say(ABOUT), width).into_iter().map(|l| format!(" {l}"));
        let width = FORMS.iter().map(|(form, _)| form.len()).max().unwrap_or(0);
        let forms = FORMS.iter().map(|(form, what)| format!("   {form:<width$}  {}", m.say(*what)));
        let all = about.chain([String::new()]).chain(forms);
        lines.extend(all.map(|text| Line::styled(text, t.style(Ink::Text))));
    }
    let rest = completions(m, area.width);
    let rows = usize::from(area.height).saturating_sub(usize::from(rest.is_some()));
    let most = lines.len().saturating_sub(rows);
    let skip = most.saturating_sub(usize::from(m.scroll));
    for (row, line) in lines.into_iter().skip(skip).take(rows).enumerate() {
        put_line(frame, area, row as u16, line);
    }
    if let Some(line) = rest {
        put_line(frame, area, area.height - 1, line);
    }
}

/// What could be typed next, on one line.
fn completions(m: &Model, width: u16) -> Option<Line<'static>> {
    let Overlay::Asking(Ask::Console, line) = &m.overlay else { return None };
    if line.trim().is_empty() {
        return None;
    }
    let all = console::completions(line, &m.timeline().world().plan);
    let mut text = String::new();
    for c in all {
        if text.len() + c.len() + 5 > usize::from(width) {
            text.push_str(" …");
            break;
        }
        text.push_str("  ");
        text.push_str(c.trim_end());
    }
    (!text.is_empty()).then(|| Line::styled(text, m.theme.style(Ink::Faint)))
}
