//! L5: scenario files. TOML goes in; a plan that cannot be wrong comes out, or every mistake at once with
//! its place and what would be right.
//!
//! [`load`] reads a file and the redis.conf files that it names; [`parse`] reads a text. The way is
//! `read` (text to `schema`, the syntax), then `lower` (syntax to meaning). `keys` documents every key and
//! writes the manual page. [`write`](fn@write) goes the way back.
//!
//! Knows files and people's mistakes; never how a run goes. Read first: [`Scenario`], then `schema`.

mod diagnostics;
mod keys;
pub mod lesson;
pub mod library;
mod lower;
mod read;
mod schema;
mod units;
pub mod vary;
mod write;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::Dur;
use crate::check::{self, Outcome, Script};
use crate::trace::Level;
use crate::world::plan::Plan;

pub use diagnostics::{Diagnostics, Problem};
pub use keys::reference_markdown;
pub use lesson::Lesson;
pub use lower::{MAX_NODES, MAX_STEPS};
pub use write::{command_line, deed_text, write};

/// A larger file is refused, in bytes.
pub const MAX_BYTES: u64 = 4 << 20;

/// A scenario without a mistake.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name without its ending.
    pub name: String,
    pub title: String,
    pub teaches: Vec<String>,
    /// What to run with when nobody says otherwise.
    pub seed: u64,
    pub plan: Arc<Plan>,
    /// What it expects of the run, and how long that is.
    pub script: Script,
    pub questions: Vec<Question>,
    /// What the files ask for and the simulator does not act on, each once.
    pub notes: Vec<String>,
    pub oracle: Option<Oracle>,
    pub lesson: Option<Arc<Lesson>>,
}

/// Something to think about at a moment of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Since the deployment was formed.
    pub at: Dur,
    pub question: String,
    pub choices: Vec<String>,
    pub answer: String,
}

/// The deployment of recordings of real Redis: the laboratory brings the deeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oracle {
    /// The recorder's name of what is done: `S1` to `S11`.
    pub scenario: String,
    pub variants: Vec<String>,
}

impl Scenario {
    /// Runs it to its end and judges it.
    pub fn run(&self, seed: u64, level: Level) -> Outcome {
        check::run(&self.plan, &self.script, seed, level)
    }
}

/// Reads a scenario file and the files that it names.
///
/// # Errors
/// All mistakes, each with its place.
pub fn load(path: &Path) -> Result<Scenario, Box<Diagnostics>> {
    let source = source(path)?;
    lower::scenario(&source.name, &source.shown, source.text.into(), &source.dir)
}

/// The text of a scenario file, not yet read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's name without its ending.
    pub name: String,
    /// The path, for messages.
    pub shown: String,
    pub text: String,
    /// Where files that it names are looked for.
    pub dir: PathBuf,
}

/// The text of a scenario file.
///
/// # Errors
/// The file cannot be read, or is no text of bounded size.
pub fn source(path: &Path) -> Result<Source, Box<Diagnostics>> {
    let shown = path.display().to_string();
    let text = read_text(path, MAX_BYTES)
        .map_err(|(message, help)| Box::new(Diagnostics::whole_file(&shown, message, help)))?;
    let dir = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let name = path.file_stem().map_or("scenario".into(), |s| s.to_string_lossy().into_owned());
    Ok(Source { name, shown, text, dir })
}

/// Reads the text of a scenario. `name` is for messages; files that it names are looked for in `dir`.
///
/// # Errors
/// All mistakes, each with its place.
pub fn parse(name: &str, text: &str, dir: &Path) -> Result<Scenario, Box<Diagnostics>> {
    if text.len() as u64 > MAX_BYTES {
        return Err(Box::new(Diagnostics::whole_file(name, too_large(MAX_BYTES), None)));
    }
    lower::scenario(name, name, text.into(), dir)
}

fn too_large(limit: u64) -> String {
    format!("larger than {} MiB", limit >> 20)
}

/// A text file of bounded size, of the disk or of [`library`]; the error is a sentence, and what would be right.
fn read_text(path: &Path, limit: u64) -> Result<String, (String, Option<&'static str>)> {
    let refuse = |e: std::io::Error| (format!("cannot be read: {e}"), None);
    if let Some(text) = library::text(path) {
        return Ok(text.to_string());
    }
    let meta = std::fs::metadata(path).map_err(refuse)?;
    if meta.is_dir() {
        return Err(("is a directory".into(), Some("name a file in it")));
    }
    if !meta.is_file() {
        return Err(("is not a regular file".into(), None));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(refuse)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(refuse)?;
    if bytes.len() as u64 > limit {
        return Err((too_large(limit), Some("a scenario is a text of a few kilobytes")));
    }
    let binary = |&b: &u8| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r');
    if let Some(at) = bytes.iter().position(binary) {
        return Err((format!("not a text file: byte {at} is 0x{:02x}", bytes[at]), None));
    }
    String::from_utf8(bytes)
        .map_err(|e| (format!("not UTF-8 from byte {} on", e.utf8_error().valid_up_to()), None))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{SimTime, fuzz};
    use crate::world::World;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(fuzz::cases(500)))]

        /// And what can be read can be set up.
        #[test]
        fn mutated_files_are_read_or_refused(which in any::<prop::sample::Index>(), changes in fuzz::changes()) {
            let paths: Vec<String> = library::paths().filter(|path| path.ends_with(".toml")).collect();
            let path = Path::new(&paths[which.index(paths.len())]);
            let text = fuzz::mutate(library::text(path).expect("a file of the program").as_bytes(), &changes);
            let text = String::from_utf8_lossy(&text);
            match parse("mutated", &text, path.parent().expect("a folder")) {
                Ok(s) => prop_assert!(World::new(s.plan, s.seed, Level::Headline).now() == SimTime::ZERO),
                Err(e) => prop_assert!(!e.to_string().is_empty()),
            }
        }
    }
}
