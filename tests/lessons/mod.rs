//! Every lesson is true: its questions have answers in the run, its exercise fails unsolved and passes with the
//! solution. That the run does as expected is tested with all scenario files.

use std::process::Command;
use std::sync::OnceLock;

use rayon::prelude::*;
use slotscope::base::Dur;
use slotscope::scenario::lesson::Lang;
use slotscope::scenario::lesson::exam::Truth;
use slotscope::scenario::{self, Lesson, Scenario, library};

/// A lesson of the program, and what its run answers.
pub struct Taught {
    pub name: String,
    pub scenario: Scenario,
    pub truths: Vec<Option<Truth>>,
}

/// All lessons; each is run once for all tests.
pub fn taught() -> &'static [Taught] {
    static ALL: OnceLock<Vec<Taught>> = OnceLock::new();
    ALL.get_or_init(|| {
        let run = |(name, scenario): (String, Scenario)| {
            let truths = of(&scenario).truths(&scenario.plan, scenario.seed);
            Taught { name, scenario, truths }
        };
        lessons().into_par_iter().map(run).collect()
    })
}

fn lessons() -> Vec<(String, Scenario)> {
    let found = library::lessons();
    let files = library::paths().filter(|p| p.starts_with("@/lessons/")).count();
    assert_eq!(found.len(), files, "every file of lessons loads");
    assert!(files > 20, "{files}");
    found
}

fn of(s: &Scenario) -> &Lesson {
    s.lesson.as_deref().expect("a lesson")
}

#[test]
fn lessons_are_numbered_without_a_gap() {
    for (i, (name, s)) in lessons().iter().enumerate() {
        assert_eq!(of(s).order as usize, i + 1, "{name}");
        assert!(name.starts_with(&format!("{:02}-", i + 1)), "{name}");
        assert!(!of(s).chapter.is_empty(), "{name}");
        assert!(!of(s).commands.is_empty(), "{name}");
        assert!(!of(s).exercise.hints.is_empty(), "{name}");
    }
}

#[test]
fn every_prediction_has_an_answer_in_the_run() {
    for Taught { name, scenario, truths } in taught() {
        assert!(!truths.is_empty(), "{name}");
        for (p, &truth) in of(scenario).predictions.iter().zip(truths) {
            let question = &p.question.en;
            // None, too, if more than one choice is true.
            let truth = truth.unwrap_or_else(|| panic!("{name}: {question}: the run does not say"));
            assert!(p.is_right(truth, truth), "{name}: {question}");
            let wrong = match truth {
                Truth::Number(n) => Truth::Number(n + 1_000_001),
                Truth::Choice(i) => Truth::Choice(i + 1),
            };
            assert!(!p.is_right(wrong, truth), "{name}: {question}");
        }
    }
}

#[test]
fn an_exercise_fails_unsolved_and_passes_solved() {
    lessons().into_par_iter().for_each(|(name, s)| {
        let exercise = &of(&s).exercise;
        let plan = exercise.plan(&s.plan);
        let unsolved = exercise.judge(&plan, s.seed, &[], Dur::ZERO);
        assert!(unsolved.iter().any(|v| !v.ok), "{name}: nothing needs to be done");
        for v in exercise.solved(&plan, s.seed) {
            assert!(v.ok, "{name}: {v}");
        }
    });
}

/// What was said at the time is said by the run too, and is found in the other language.
#[test]
fn the_voice_of_a_lesson_is_in_the_run() {
    for (name, s) in lessons() {
        let says = &of(&s).says;
        assert!(says.first().is_some_and(|say| say.at == Dur::ZERO), "{name} begins in silence");
        for (i, say) in says.iter().enumerate() {
            assert_eq!(of(&s).saying(say.at), Some(i), "{name}");
            assert_eq!(of(&s).translate(&say.text.en, Lang::Zh), say.text.zh, "{name}");
        }
    }
}

/// A text without its twin is a mistake with a place.
#[test]
fn a_text_needs_its_twin() {
    let text = library_text("01-one-node").replace("zh = \"为什么单机不够\"", "");
    let mistakes = scenario::parse("lesson.toml", &text, std::path::Path::new("")).expect_err("a mistake");
    let mistakes = mistakes.to_string();
    assert!(mistakes.contains("the title has no `zh`"), "{mistakes}");
    assert!(mistakes.contains("lesson.toml:"), "{mistakes}");
}

fn library_text(name: &str) -> String {
    let file = format!("{}/scenarios/lessons/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).expect("the file of the lesson")
}

fn slotscope(words: &[&str]) -> (String, Option<i32>) {
    let out = Command::new(env!("CARGO_BIN_EXE_slotscope"))
        .args(words)
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env("LANG", "zh_CN.UTF-8")
        .output()
        .expect("slotscope runs");
    (String::from_utf8_lossy(&out.stdout).into_owned(), out.status.code())
}

#[test]
fn lessons_are_listed_told_and_checked_at_the_command_line() {
    let (list, code) = slotscope(&["lessons", "--lang", "en"]);
    assert_eq!(code, Some(0));
    assert!(
        list.contains("  1  5.1.1  01-one-node") && list.contains("Why one node is not enough"),
        "{list}"
    );
    let (list, _) = slotscope(&["lessons"]);
    assert!(list.contains("为什么单机不够"), "LANG decides: {list}");
    let (told, code) = slotscope(&["lessons", "02-architecture"]);
    assert!(code == Some(0) && told.contains("集群没有“头”"), "{told}");
    let (checked, code) = slotscope(&["lessons", "01-one-node", "--check", "--lang", "en"]);
    assert!(code == Some(0) && !checked.contains("FAIL"), "{checked}");
    assert_eq!(slotscope(&["lessons", "chapter-cluster"]).1, Some(2), "no lesson");
    assert_eq!(slotscope(&["run", "06-hash-slots"]).1, Some(0), "a lesson runs as any scenario");
}
