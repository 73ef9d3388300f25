//! Mistakes in a scenario and the files it names: where, what, and what would be right.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};

/// After this many mistakes reading stops.
pub const MAX_PROBLEMS: usize = 50;
/// A longer line is cut around the mistake, in characters.
const SCREEN: usize = 120;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which source it is in.
    pub source: usize,
    /// Bytes of the source. Empty at 0 for a mistake of the file as a whole.
    pub span: Range<usize>,
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// All mistakes of a scenario, in the order of the text. Never empty.
///
/// `Display` is plain text with a caret under each mistake; [`Diagnostics::fancy`] is for terminals.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    /// (name, text) of the scenario and of the files that it names.
    pub sources: Vec<(String, Arc<str>)>,
    pub problems: Vec<Problem>,
}

impl std::error::Error for Diagnostics {}

impl Diagnostics {
    /// A file that cannot be read at all.
    pub(super) fn whole_file(name: &str, message: impl Into<String>, help: Option<&str>) -> Diagnostics {
        let problem = Problem { source: 0, span: 0..0, message: message.into(), help: help.map(Into::into) };
        Diagnostics { sources: vec![(name.into(), "".into())], problems: vec![problem] }
    }

    /// With frames, underlines and, if wanted, colour; `width` in columns.
    pub fn fancy(&self, colour: bool, width: usize) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width.max(40));
        let mut out = String::new();
        for p in &self.problems {
            let (name, text) = &self.sources[p.source];
            let line = Place::of(text, &p.span);
            let shown =
                Shown { problem: p, source: NamedSource::new(name, text.clone()), whole: text.is_empty() };
            // A frame around a line that is wider than any screen helps nobody.
            let plain = line.too_wide || handler.render_report(&mut out, &shown).is_err();
            if plain {
                let _ = writeln!(out, "{}", Plain(self, p));
            }
        }
        out.push_str(&self.count());
        out
    }

    fn count(&self) -> String {
        match self.problems.len() {
            1 => "1 mistake".into(),
            n if n >= MAX_PROBLEMS => format!("{n} mistakes, there may be more"),
            n => format!("{n} mistakes"),
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for p in &self.problems {
            writeln!(f, "{}", Plain(self, p))?;
        }
        f.write_str(&self.count())
    }
}

/// Where a span is in a text, cut to a screen.
struct Place {
    /// From 1.
    line: usize,
    column: usize,
    text: String,
    caret: (usize, usize),
    too_wide: bool,
}

impl Place {
    fn of(text: &str, span: &Range<usize>) -> Place {
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(span.start);
        let from = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let to = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let end = floor(span.end).clamp(start, to);
        let column = text[from..start].chars().count();
        let skip = column.saturating_sub(SCREEN / 2);
        let tidy = |c: char| if c.is_control() { ' ' } else { c };
        let line: String = text[from..to].chars().skip(skip).take(SCREEN).map(tidy).collect();
        let width = text[start..end].chars().count().clamp(1, SCREEN - (column - skip));
        Place {
            line: 1 + text[..from].matches('\n').count(),
            column: column + 1,
            text: line.trim_end().to_string(),
            caret: (column - skip, width),
            too_wide: to - from > 4 * SCREEN,
        }
    }
}

/// The line of a position, from 1.
pub(super) fn line_of(text: &str, at: usize) -> u32 {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|&&b| b == b'\n').count() as u32
}

struct Plain<'a>(&'a Diagnostics, &'a Problem);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plain(all, p) = self;
        let (name, text) = &all.sources[p.source];
        if text.is_empty() {
            write!(f, "{name}: {}", p.message)?;
        } else {
            let place = Place::of(text, &p.span);
            writeln!(f, "{name}:{}:{}: {}", place.line, place.column, p.message)?;
            writeln!(f, "  | {}", place.text)?;
            write!(f, "  | {}{}", " ".repeat(place.caret.0), "^".repeat(place.caret.1))?;
        }
        match &p.help {
            Some(help) => write!(f, "\n  = help: {help}"),
            None => Ok(()),
        }
    }
}

/// One mistake as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: NamedSource<Arc<str>>,
    whole: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whole {
            write!(f, "{}: ", self.source.name())?;
        }
        f.write_str(&self.problem.message)
    }
}
impl std::error::Error for Shown<'_> {}
impl miette::Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        (!self.whole).then_some(&self.source as &dyn miette::SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone();
        let label = LabeledSpan::new_with_span(None, (span.start, span.len().max(1)));
        (!self.whole).then(|| Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}
