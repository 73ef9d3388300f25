//! Replies as redis-cli prints them on a terminal, read back.

use super::{Line, TextError, lines};
use crate::resp::{Value, split_words};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// Reads what redis-cli prints on a terminal for one reply: the opposite of `Value`'s `Display`.
///
/// A RESP2 client prints maps as arrays, so they come back as arrays. A text that is nothing else is a
/// status.
///
/// redis: redis-cli.c cliFormatReplyTTY @7.0.15
pub fn parse_cli(text: impl AsRef<[u8]>) -> Result<Value, TextError> {
    let mut lines = lines(text.as_ref())?;
    while lines.len() > 1 && lines.last().is_some_and(|line| line.text.is_empty()) {
        lines.pop();
    }
    let mut reader = Reader { lines, at: 0 };
    let value = reader.value(0, 0)?;
    match reader.lines.get(reader.at) {
        None => Ok(value),
        Some(line) => Err(line.error_at(line.text, "does not belong to the reply before it")),
    }
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    /// The line that is read next.
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads the value that begins at byte `column` of the current line, and moves behind its last line.
    fn value(&mut self, column: usize, depth: usize) -> Result<Value, TextError> {
        let line = self.lines[self.at];
        let text = line.text.get(column..).unwrap_or_default();
        if depth > MAX_DEPTH {
            return Err(line.error_at(text, "nested too deep"));
        }
        match index(text) {
            Some(first) if first.number == 1 => self.list(column, first, depth),
            _ => {
                self.at += 1;
                leaf(&line, text)
            }
        }
    }

    /// Reads items while lines have the next index at `column`.
    fn list(&mut self, column: usize, first: Index, depth: usize) -> Result<Value, TextError> {
        let inner = column + first.width + 2;
        let (mut items, mut pairs) = (Vec::new(), Vec::new());
        loop {
            if first.mark == b'#' {
                pairs.push(self.pair(inner, depth)?);
            } else {
                items.push(self.value(inner, depth + 1)?);
            }
            let Some(line) = self.lines.get(self.at) else { break };
            let indent = line.text.bytes().take_while(|&b| b == b' ').count();
            let Some(next) = line.text.get(column..).and_then(index).filter(|_| indent >= column) else {
                break;
            };
            if next.width != first.width || next.mark != first.mark {
                break;
            }
            if next.number != items.len() + pairs.len() + 1 {
                let message = format!("expected item {} here", items.len() + pairs.len() + 1);
                return Err(line.error(column, next.width, message));
            }
        }
        Ok(match first.mark {
            b'#' => Value::Map(pairs),
            b'~' => Value::Set(items),
            _ => Value::Array(items),
        })
    }

    /// Reads `key => value`; a value of more than one line begins on the next.
    fn pair(&mut self, column: usize, depth: usize) -> Result<(Value, Value), TextError> {
        let line = self.lines[self.at];
        let text = line.text.get(column..).unwrap_or_default();
        let Some(arrow) = find_arrow(text) else { return Err(line.error_at(text, "not 'key => value'")) };
        let key = leaf(&line, &text[..arrow])?;
        let rest = &text[arrow + 4..];
        if rest.is_empty() {
            self.at += 1;
            if self.at == self.lines.len() {
                return Err(line.error_at(text, "a key without a value"));
            }
            return Ok((key, self.value(column, depth + 1)?));
        }
        if index(rest).is_some() {
            return Ok((key, self.value(column + arrow + 4, depth + 1)?));
        }
        self.at += 1;
        Ok((key, leaf(&line, rest)?))
    }
}

/// The number before an item: ` 3) `.
#[derive(Clone, Copy)]
struct Index {
    number: usize,
    /// Characters of the number, leading spaces included.
    width: usize,
    mark: u8,
}

fn index(text: &str) -> Option<Index> {
    let bytes = text.as_bytes();
    let spaces = bytes.iter().take(16).take_while(|&&b| b == b' ').count();
    let digits = bytes[spaces..].iter().take(10).take_while(|b| b.is_ascii_digit()).count();
    let width = spaces + digits;
    let mark = *bytes.get(width).filter(|mark| matches!(mark, b')' | b'~' | b'#'))?;
    if bytes.get(width + 1) != Some(&b' ') {
        return None;
    }
    Some(Index { number: text[spaces..width].parse().ok()?, width, mark })
}

/// Where ` => ` stands outside quotes.
fn find_arrow(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut quoted, mut escaped) = (false, false);
    for i in 0..bytes.len() {
        match bytes[i] {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' if !quoted && bytes[i..].starts_with(b" => ") => return Some(i),
            _ => {}
        }
    }
    None
}

/// A value of one line.
fn leaf(line: &Line<'_>, text: &str) -> Result<Value, TextError> {
    let after = |head: &str| text.strip_prefix(head);
    Ok(match text {
        "(nil)" => Value::Nil,
        "(true)" => Value::Bool(true),
        "(false)" => Value::Bool(false),
        "(empty array)" => Value::Array(Vec::new()),
        "(empty hash)" => Value::Map(Vec::new()),
        "(empty set)" => Value::Set(Vec::new()),
        "(empty push)" => Value::Push(Vec::new()),
        _ => {
            if let Some(number) = after("(integer) ") {
                Value::Int(number.parse().map_err(|_| line.error_at(number, "not an integer"))?)
            } else if let Some(error) = after("(error) ") {
                Value::Error(error.into())
            } else if let Some(double) = after("(double) ") {
                Value::Double(double.into())
            } else if text.starts_with('"') {
                match split_words(text.as_bytes()) {
                    Ok(words) if words.len() == 1 && words[0].len == text.len() => {
                        Value::Bulk(words.into_iter().next().map(|word| word.bytes).unwrap_or_default())
                    }
                    _ => return Err(line.error_at(text, "not a string in quotes")),
                }
            } else {
                Value::status(text.to_string())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::fuzz;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            "[A-Z]{1,5}( [a-z]+)?".prop_map(Value::status),
            "ERR [a-z ]{1,9}".prop_map(Value::Error),
            any::<i64>().prop_map(Value::Int),
            prop::collection::vec(any::<u8>(), 0..12).prop_map(Value::Bulk),
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
        ];
        leaf.clone().prop_recursive(4, 60, 12, move |inner| {
            let list = || prop::collection::vec(inner.clone(), 0..12);
            prop_oneof![
                list().prop_map(Value::Array),
                list().prop_map(Value::Set),
                prop::collection::vec((leaf.clone(), inner.clone()), 0..12).prop_map(Value::Map),
            ]
        })
    }

    #[test]
    fn mistakes_have_places() {
        let error = parse_cli("1) \"a\"\n3) \"b\"\n").unwrap_err();
        assert_eq!((error.line, error.column, error.message.as_str()), (2, 1, "expected item 2 here"));
        let error = parse_cli("1) 1) (integer) x\n").unwrap_err();
        assert_eq!((error.line, error.column), (1, 17));
        assert!(parse_cli("OK\nOK").is_err());
        assert!(parse_cli("1) ".repeat(1000)).unwrap_err().message.contains("too deep"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::base::fuzz::cases(300)))]

        #[test]
        fn printed_replies_come_back(value in any_value()) {
            prop_assert_eq!(parse_cli(value.to_string()), Ok(value));
        }

        #[test]
        fn mutated_texts_are_read_or_refused(value in any_value(), changes in fuzz::changes()) {
            let text = fuzz::mutate(value.to_string().as_bytes(), &changes);
            if let Err(error) = parse_cli(&text) {
                prop_assert!(error.start + error.len <= text.len());
            }
        }
    }
}
