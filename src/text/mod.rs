//! L1: the texts that Redis writes, as plain data: CLUSTER NODES and nodes.conf, INFO and CLUSTER INFO, the
//! replies of CLUSTER SLOTS, SHARDS and LINKS, replies as redis-cli prints them, and what its check prints.
//!
//! Syntax alone: it never judges what a cluster may look like. The same readers take texts of a real
//! server and of the simulated one.
//! Read first: [`parse_nodes`], then [`parse_cli`] with [`parse_shards`].

mod check;
mod cli;
mod info;
mod nodes;
mod replies;

pub use check::{is_check, parse_check};
pub use cli::parse_cli;
pub use info::{ClusterInfo, InfoSection, parse_cluster_info, parse_info, subfields};
pub use nodes::{CORRUPTED, NodeFlags, NodeLine, NodeName, NodesText, NodesVars, OpenSlot, parse_nodes};
pub use replies::{
    Endpoint, LinkRow, ReplyError, Shard, ShardNode, SlotsRow, parse_links, parse_shards, parse_slots,
};

use std::fmt;

/// A larger text is refused by every reader here.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// So is one with more lines.
pub const MAX_TEXT_LINES: usize = 1 << 20;

/// After this many mistakes reading stops.
pub const MAX_TEXT_ERRORS: usize = 50;

/// A mistake in a text. Its `Display` is one paragraph with the line and a caret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TextError {
    /// Number of the line, from 1.
    pub line: usize,
    /// Number of the first wrong character in its line, from 1.
    pub column: usize,
    /// Offset in the text of the first wrong byte.
    pub start: usize,
    /// How many bytes are wrong.
    pub len: usize,
    /// What is wrong, and what would be right.
    pub message: String,
    /// The line, cut to what fits on a screen.
    pub line_text: String,
    /// Where the caret stands under `line_text`, and how wide it is, in characters.
    pub caret: (usize, usize),
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        writeln!(f, "  | {}", self.line_text)?;
        write!(f, "  | {}{}", " ".repeat(self.caret.0), "^".repeat(self.caret.1.max(1)))
    }
}

/// Where the reader of lines stands: enough to say where a mistake is.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// From 1.
    number: usize,
    /// Offset of the line in the text.
    start: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// The mistake that the part of this line from byte `from` on, `len` bytes long, is wrong.
    fn error(&self, from: usize, len: usize, message: impl Into<String>) -> TextError {
        const SCREEN: usize = 120;
        let from = floor_char(self.text, from);
        let end = floor_char(self.text, (from + len).min(self.text.len())).max(from);
        let column = self.text[..from].chars().count();
        let skip = column.saturating_sub(SCREEN / 2);
        let tidy = |c: char| if c.is_control() { ' ' } else { c };
        let width = self.text[from..end].chars().count().clamp(1, SCREEN - (column - skip));
        TextError {
            line: self.number,
            column: column + 1,
            start: self.start + from,
            len: end - from,
            message: message.into(),
            line_text: self.text.chars().skip(skip).take(SCREEN).map(tidy).collect(),
            caret: (column - skip, width),
        }
    }

    /// The mistake that `part`, which must be a slice of this line, is wrong.
    fn error_at(&self, part: &str, message: impl Into<String>) -> TextError {
        let from = (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        self.error(from.min(self.text.len()), part.len(), message)
    }
}

/// The lines of a text that is not too large and not binary.
fn lines(text: &[u8]) -> Result<Vec<Line<'_>>, TextError> {
    let refuse = |start: usize, message: String| {
        let line = 1 + text[..start].iter().filter(|&&b| b == b'\n').count();
        let text = "";
        TextError { start, ..Line { number: line, start, text }.error(0, 0, message) }
    };
    if text.len() > MAX_TEXT_BYTES {
        return Err(refuse(0, format!("larger than {} MiB", MAX_TEXT_BYTES >> 20)));
    }
    if text.iter().filter(|&&b| b == b'\n').count() >= MAX_TEXT_LINES {
        return Err(refuse(0, format!("more than {MAX_TEXT_LINES} lines")));
    }
    let binary = |&b: &u8| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0x1b);
    if let Some(at) = text.iter().position(binary) {
        return Err(refuse(at, format!("not a text: it has the byte 0x{:02x}", text[at])));
    }
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Err(refuse(error.valid_up_to(), "not UTF-8".into())),
    };
    let mut start = 0;
    let mut lines = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        lines.push(Line { number: index + 1, start, text: line.strip_suffix('\r').unwrap_or(line) });
        start += line.len() + 1;
    }
    Ok(lines)
}

fn floor_char(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_and_binary_texts_give_one_error() {
        for text in
            [vec![b'x'; MAX_TEXT_BYTES + 1], vec![b'\n'; MAX_TEXT_LINES], b"a\0".to_vec(), b"\xff".to_vec()]
        {
            assert_eq!(parse_nodes(&text).unwrap_err().len(), 1);
            assert!(
                parse_info(&text).is_err() && parse_cli(&text).is_err() && parse_cluster_info(&text).is_err()
            );
        }
    }
}
