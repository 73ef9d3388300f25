//! What a learner has done: a small file, one line per lesson.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// One lesson.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Right answers, the most there ever were.
    pub right: usize,
    pub questions: usize,
    /// The exercise is done.
    pub passed: bool,
}

/// Marks by the name of the lesson.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress(pub BTreeMap<String, Mark>);

/// The file, from the values of `XDG_STATE_HOME` and `HOME`; `None` if neither is set.
pub fn path(state: Option<String>, home: Option<String>) -> Option<PathBuf> {
    let state = state.filter(|s| Path::new(s).is_absolute()).map(PathBuf::from);
    let state = state.or_else(|| Some(Path::new(&home.filter(|h| !h.is_empty())?).join(".local/state")))?;
    Some(state.join("slotscope").join("lessons"))
}

impl Progress {
    /// Reads the file; what is not there, or not understood, was not done.
    pub fn load(path: &Path) -> Progress {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Progress(text.lines().filter_map(line).collect())
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut text = String::new();
        for (name, m) in &self.0 {
            let passed = if m.passed { "passed" } else { "begun" };
            text.push_str(&format!("{name} {passed} {} {}\n", m.right, m.questions));
        }
        let new = path.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, path)
    }

    /// Adds what was done now; nothing is taken back.
    pub fn note(&mut self, name: &str, now: Mark) {
        let m = self.0.entry(name.to_string()).or_default();
        m.right = m.right.max(now.right);
        m.questions = now.questions;
        m.passed |= now.passed;
    }

    pub fn passed(&self) -> usize {
        self.0.values().filter(|m| m.passed).count()
    }
}

fn line(text: &str) -> Option<(String, Mark)> {
    let mut words = text.split(' ');
    let name = words.next()?.to_string();
    let passed = words.next()? == "passed";
    let (right, questions) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((name, Mark { right, questions, passed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_comes_back_and_only_grows() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = path(Some(dir.path().display().to_string()), None).expect("a path");
        assert_eq!(Progress::load(&file), Progress::default());
        let mut p = Progress::default();
        p.note("01-one-node", Mark { right: 2, questions: 2, passed: true });
        p.note("01-one-node", Mark { right: 1, questions: 2, passed: false });
        p.save(&file).expect("written");
        let back = Progress::load(&file);
        assert_eq!(back, p);
        assert_eq!((back.passed(), back.0["01-one-node"].right), (1, 2));
        std::fs::write(&file, "nonsense\n02-x passed 1").expect("written");
        assert_eq!(Progress::load(&file), Progress::default());
    }

    #[test]
    fn the_file_lies_where_state_belongs() {
        let of = |state: &str, home: &str| {
            let some = |t: &str| Some(t.to_string()).filter(|t| !t.is_empty());
            path(some(state), some(home)).map(|p| p.display().to_string())
        };
        assert_eq!(of("", "/h").as_deref(), Some("/h/.local/state/slotscope/lessons"));
        assert_eq!(of("/s", "/h").as_deref(), Some("/s/slotscope/lessons"));
        assert_eq!(of("relative", "/h").as_deref(), Some("/h/.local/state/slotscope/lessons"));
        assert_eq!(of("", ""), None);
    }
}
