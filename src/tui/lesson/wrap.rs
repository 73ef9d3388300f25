//! Lines of a text in any language: Latin is broken between words, Chinese between characters, and no line begins
//! with a closing mark.

use ratatui::text::Span;

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Lines of at most so many columns; an empty line between paragraphs.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (i, paragraph) in text.split("\n\n").enumerate() {
        if i > 0 {
            lines.push(String::new());
        }
        let mut line = String::new();
        for piece in pieces(paragraph) {
            let bare = if line.is_empty() { piece.trim_start() } else { piece };
            if !line.is_empty() && width(&line) + width(bare.trim_end()) > room {
                lines.push(std::mem::take(&mut line).trim_end().to_string());
                line.push_str(piece.trim_start());
            } else {
                line.push_str(bare);
            }
        }
        lines.push(line.trim_end().to_string());
    }
    lines
}

/// What stays together: a word with its space, or a wide character with the marks that follow it.
fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices() {
        let cut = before.is_some_and(|b| {
            let opens = "（“‘《【「".contains(b);
            let closes = "，。、；：？！）”’》】」…—".contains(c);
            (b == ' ' || is_wide(b) || is_wide(c)) && c != ' ' && !opens && !closes
        });
        if cut {
            out.push(&text[start..at]);
            start = at;
        }
        before = Some(c);
    }
    out.push(&text[start..]);
    out
}

fn is_wide(c: char) -> bool {
    crate::scenario::lesson::text::is_wide(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_is_broken_in_its_way() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("主节点死了，没有人知道。", 10), ["主节点死", "了，没有人", "知道。"]);
        assert_eq!(wrap("给 n1 发 PING", 8), ["给 n1 发", "PING"]);
        assert_eq!(wrap("a\n\nb", 8), ["a", "", "b"]);
        for line in wrap("集群由六个节点组成：n1、n2、n3 是主节点（各有三分之一的槽），其余是从节点。", 20)
        {
            assert!(width(&line) <= 20 && !line.starts_with(['，', '。', '）', '：']), "{line}");
        }
    }
}
