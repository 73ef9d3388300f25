//! `slotscope lessons`: which lessons there are, what one of them says, and the proof that it is true.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::scenario::lesson::page::answer;
use crate::scenario::lesson::{Answer, Lang, Lesson};
use crate::scenario::{Scenario, library};

/// List the lessons; with names: what they say, and with --check whether it is so
#[derive(Args, Debug)]
pub struct LessonsArgs {
    /// Lessons, by name or file
    names: Vec<PathBuf>,
    /// Run them: every question must have an answer, the exercise must fail unsolved and pass solved
    #[arg(long)]
    check: bool,
    /// The language: en or zh; without it, that of LC_ALL, LC_MESSAGES or LANG
    #[arg(long, value_parser = lang)]
    lang: Option<Lang>,
}

/// Reads the value of `--lang`.
pub(super) fn lang(text: &str) -> Result<Lang, String> {
    Lang::of(text).ok_or_else(|| format!("`{text}` is no language of this program: there are en and zh"))
}

/// What `--lang` says, or else the environment.
pub(super) fn chosen(lang: Option<Lang>) -> Lang {
    lang.unwrap_or_else(|| {
        Lang::detect(["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| std::env::var(name).ok()))
    })
}

/// Does what the arguments say.
pub fn run(args: &LessonsArgs) -> ExitCode {
    let lang = chosen(args.lang);
    let mut scenarios = Vec::new();
    for name in &args.names {
        match library::open(name) {
            Ok(s) if s.lesson.is_some() => scenarios.push((s.name.clone(), s)),
            Ok(_) => {
                return refuse(&format!("{} is no lesson: `slotscope lessons` lists them", name.display()));
            }
            Err(d) => return refuse(&d.to_string()),
        }
    }
    let listed = scenarios.is_empty();
    if listed {
        scenarios = library::lessons();
    }
    let mut out = io::stdout().lock();
    let mut ok = true;
    for (name, s) in &scenarios {
        let Some(lesson) = &s.lesson else { continue };
        let written = match (args.check, listed) {
            (true, _) => check(&mut out, name, s, lesson, lang).map(|good| ok &= good),
            (false, true) => {
                writeln!(
                    out,
                    "{:>3}  {:<6} {name:<26} {}",
                    lesson.order,
                    lesson.chapter,
                    lesson.title.get(lang)
                )
            }
            (false, false) => tell(&mut out, lesson, lang),
        };
        if written.is_err() {
            return ExitCode::SUCCESS;
        }
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}

/// The lesson as a text, without its answers.
fn tell(out: &mut impl Write, l: &Lesson, lang: Lang) -> io::Result<()> {
    writeln!(out, "{} {} ({})\n\n{}\n", l.order, l.title.get(lang), l.chapter, l.goal.get(lang))?;
    for say in &l.says {
        writeln!(out, "{:>8}  {}", say.at.to_string(), say.text.get(lang))?;
    }
    for p in &l.predictions {
        writeln!(out, "\n{:>8}  {}", p.at.to_string(), p.question.get(lang))?;
        if let Answer::Choice(choices) = &p.answer {
            for (i, c) in choices.iter().enumerate() {
                writeln!(out, "          {}) {}", i + 1, c.text.get(lang))?;
            }
        }
    }
    writeln!(out, "\n{}\n\n{}\n", l.exercise.task.get(lang), l.summary.get(lang))?;
    for command in &l.commands {
        writeln!(out, "  {command}")?;
    }
    writeln!(out)
}

/// Proves a lesson: whether all of it is so.
fn check(out: &mut impl Write, name: &str, s: &Scenario, l: &Lesson, lang: Lang) -> io::Result<bool> {
    let mut ok = true;
    let mut line = |out: &mut dyn Write, good: bool, text: String| {
        ok &= good;
        writeln!(out, "{} {text}", if good { "ok  " } else { "FAIL" })
    };
    writeln!(out, "{name}: {}", l.title.get(lang))?;
    let outcome = s.run(s.seed, crate::trace::Level::Headline);
    for v in outcome.verdicts.iter().filter(|v| !v.ok) {
        line(out, false, v.to_string())?;
    }
    line(out, outcome.ok(), format!("run: {} expectations", outcome.verdicts.len()))?;
    for (p, truth) in l.predictions.iter().zip(l.truths(&s.plan, s.seed)) {
        line(out, truth.is_some(), format!("{} -> {}", p.question.get(lang), answer(p, truth, lang)))?;
    }
    let plan = l.exercise.plan(&s.plan);
    let unsolved = l.exercise.judge(&plan, s.seed, &[], crate::base::Dur::ZERO);
    let open = unsolved.iter().filter(|v| !v.ok).count();
    line(out, open > 0, format!("exercise unsolved: {open} of {} fail", unsolved.len()))?;
    for v in l.exercise.solved(&plan, s.seed) {
        line(out, v.ok, format!("exercise solved: {v}"))?;
    }
    Ok(ok)
}
