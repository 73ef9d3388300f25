//! The book's page of questions: every command is run, and what it prints must be what the page shows.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

const PAGE: &str = "book/src/questions.md";
/// Lines that come once for each pair of nodes, or in every run.
const NOISE: [&str; 3] = ["are dropped from now on", "arrive again", "the deployment is formed"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    question: Vec<Question>,
}

/// See the head of `book/questions.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    ask: String,
    command: String,
    answer: String,
    #[serde(default)]
    show: Vec<String>,
    from: Option<String>,
    lines: Option<usize>,
    #[serde(default)]
    slow: bool,
}

impl Question {
    /// The lines of the output that are shown.
    fn shown(&self, output: &str) -> String {
        let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
        let from = match &self.from {
            Some(text) => lines.iter().position(|l| l.contains(text)).expect("a line to begin with"),
            None => 0,
        };
        let part = lines[from..].iter().take(self.lines.unwrap_or(usize::MAX));
        let wanted = |l: &str| {
            let asked = self.show.is_empty() || self.show.iter().any(|s| l.contains(s.as_str()));
            asked && !NOISE.iter().any(|n| l.contains(n))
        };
        let shown: Vec<&str> = part.copied().filter(|l| wanted(l)).collect();
        shown.join("\n").trim_matches('\n').to_string()
    }

    /// What the program prints.
    fn run(&self, program: &Path) -> String {
        let words = slotscope::resp::split_args(&self.command).expect("a line with closed quotes");
        let words = words.iter().map(|w| String::from_utf8_lossy(w).into_owned());
        let out = Command::new(program)
            .args(words)
            .env("NO_COLOR", "1")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("the program runs");
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code().is_some_and(|c| c < 2), "slotscope {}: {errors}", self.command);
        String::from_utf8(out.stdout).expect("text")
    }
}

/// The page as it is, cut at its questions.
fn old_blocks(page: &str) -> Vec<&str> {
    page.split("```console\n").skip(1).filter_map(|p| p.split_once("\n```").map(|(block, _)| block)).collect()
}

/// Slow commands are run by a release build, whose path `SLOTSCOPE_BIN` gives; without it what the page shows
/// of them is taken as it is.
#[test]
fn the_answers_to_questions_are_what_the_program_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("book/questions.toml")).expect("the questions");
    let file: File = toml::from_str(&text).expect("questions");
    let old = std::fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    let blocks = old_blocks(&old);
    let release = std::env::var_os("SLOTSCOPE_BIN").map(PathBuf::from);
    let program = release.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_slotscope").into());
    let mut page = String::from(
        "<!-- Made from book/questions.toml by tests/render/questions.rs. Do not edit. -->\n# Questions\n\n\
         What operators of Redis ask, with the command that answers it and the part of its output that does.\n\
         The same scenario and seed print the same on every machine.\n",
    );
    for (i, q) in file.question.iter().enumerate() {
        let line = format!("$ slotscope {}", q.command);
        let known = blocks.iter().find(|b| b.lines().next() == Some(&line));
        let block = match (q.slow && release.is_none(), known) {
            (true, Some(known)) => known.to_string(),
            (true, None) => panic!("{PAGE} lacks {line}: make it with SLOTSCOPE_BIN and SLOTSCOPE_BLESS=1"),
            (false, _) => format!("{line}\n{}", q.shown(&q.run(&program))),
        };
        assert!(block.lines().count() > 1, "{line} shows nothing");
        let answer = q.answer.trim();
        let _ = write!(page, "\n## {}. {}\n\n{answer}\n\n```console\n{block}\n```\n", i + 1, q.ask);
    }
    if std::env::var_os("SLOTSCOPE_BLESS").is_some_and(|v| v == "1") {
        return std::fs::write(root.join(PAGE), page).expect("can write the page");
    }
    let differs = old.lines().zip(page.lines()).position(|(a, b)| a != b);
    if old != page {
        let at = differs.unwrap_or_else(|| old.lines().count().min(page.lines().count()));
        panic!(
            "{PAGE}:{}: the program now prints\n{}\nrewrite it with SLOTSCOPE_BLESS=1",
            at + 1,
            page.lines().nth(at).unwrap_or_default()
        );
    }
}
