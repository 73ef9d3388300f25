//! A lesson as a page of the book, in one language.

use std::fmt::Write as _;

use super::exam::Truth;
use super::{Answer, Lang, Lesson, Prediction};

/// Headings of a page.
struct Headings {
    goal: &'static str,
    told: &'static str,
    predict: &'static str,
    answer: &'static str,
    exercise: &'static str,
    hints: &'static str,
    solution: &'static str,
    summary: &'static str,
    commands: &'static str,
    run: &'static str,
    chapter: &'static str,
}

const EN: Headings = Headings {
    goal: "Goal",
    told: "What happens",
    predict: "Predict",
    answer: "The answer of the run",
    exercise: "Exercise",
    hints: "Hints",
    solution: "A solution, as scenario steps",
    summary: "Summary",
    commands: "With a real cluster",
    run: "Play it",
    chapter: "Section of the chapter",
};

const ZH: Headings = Headings {
    goal: "目标",
    told: "过程",
    predict: "先猜一猜",
    answer: "运行给出的答案",
    exercise: "练习",
    hints: "提示",
    solution: "一种解法（场景文件的步骤）",
    summary: "小结",
    commands: "在真实集群上",
    run: "亲自运行",
    chapter: "对应章节",
};

/// The page as Markdown. `truths` are what [`Lesson::truths`] measured, `images` the way to the folder of
/// pictures, `solution` the steps of the lesson's file.
pub fn markdown(
    name: &str,
    l: &Lesson,
    truths: &[Option<Truth>],
    lang: Lang,
    images: &str,
    solution: &str,
) -> String {
    let h = match lang {
        Lang::En => EN,
        Lang::Zh => ZH,
    };
    let mut out = format!("# {}. {}\n\n", l.order, l.title.get(lang));
    let _ = writeln!(out, "{}: {}\n\n## {}\n\n{}\n", h.chapter, l.chapter, h.goal, l.goal.get(lang));
    let _ = writeln!(out, "{}: `slotscope play {name}`\n", h.run);
    if let Some(p) = &l.picture {
        let caption = p.caption.get(lang);
        let _ = writeln!(out, "![{caption}]({images}/{name}.svg)\n\n*{caption}*\n");
    }
    let _ = writeln!(out, "## {}\n\n| | |\n| --- | --- |", h.told);
    for say in &l.says {
        let _ = writeln!(out, "| {} | {} |", say.at, cell(say.text.get(lang)));
    }
    let _ = writeln!(out, "\n## {}", h.predict);
    for (p, truth) in l.predictions.iter().zip(truths) {
        let _ = writeln!(out, "\n{} ({})\n", escape(p.question.get(lang)), p.at);
        if let Answer::Choice(choices) = &p.answer {
            for c in choices {
                let _ = writeln!(out, "- {}", escape(c.text.get(lang)));
            }
            out.push('\n');
        }
        let _ = writeln!(
            out,
            "<details><summary>{}</summary>\n\n**{}** {}\n\n</details>",
            h.answer,
            escape(&answer(p, *truth, lang)),
            escape(p.because.get(lang))
        );
    }
    let e = &l.exercise;
    let _ = writeln!(out, "\n## {}\n\n{}\n", h.exercise, escape(e.task.get(lang)));
    let _ = writeln!(out, "<details><summary>{}</summary>\n", h.hints);
    for hint in &e.hints {
        let _ = writeln!(out, "1. {}", escape(hint.get(lang)));
    }
    let _ = writeln!(out, "\n</details>\n\n<details><summary>{}</summary>\n", h.solution);
    let _ = writeln!(out, "```toml\n{}\n```\n\n</details>\n", solution.trim());
    let _ = writeln!(out, "## {}\n\n{}\n\n## {}\n", h.summary, escape(l.summary.get(lang)), h.commands);
    let _ = writeln!(out, "```sh\n{}\n```", l.commands.join("\n"));
    out
}

/// The truth of a prediction as people read it.
pub fn answer(p: &Prediction, truth: Option<Truth>, lang: Lang) -> String {
    match (&p.answer, truth) {
        (Answer::Choice(choices), Some(Truth::Choice(i))) if i < choices.len() => {
            choices[i].text.get(lang).to_string()
        }
        (Answer::Number { .. }, Some(Truth::Number(n))) => n.to_string(),
        _ => "?".into(),
    }
}

/// Characters that Markdown would take for its own.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '<' | '>' | '[' | ']' | '|' | '_' | '\\' | '`') && c != '`' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn cell(text: &str) -> String {
    escape(text).replace('\n', " ")
}
