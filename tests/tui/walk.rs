//! A learner goes through every lesson, at three sizes, with nothing but the keys that the screen names; and what the
//! screen says is on it to the last word, in both languages.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent};
use rayon::prelude::*;
use slotscope::base::Dur;
use slotscope::scenario;
use slotscope::scenario::lesson::exam::Truth;
use slotscope::scenario::lesson::{Answer, Lang};
use slotscope::tui::Msg;
use slotscope::tui::lesson::{Class, Stage};
use slotscope::tui::theme::{Depth, Theme};
use slotscope::world::plan::Action;

use super::lesson::{part, press, settle};
use super::{picture, rows};
use crate::lessons::{Taught, taught};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
/// The lesson that has its pictures at every size.
const PICTURED: u32 = 18;

/// Keys as the screen names them, in English and in Chinese.
type Named = (&'static str, &'static str);
const BEGIN: Named = ("enter begin", "enter 开始");
const ON: Named = ("enter go on", "enter 继续");
const EXERCISE: Named = ("L exercise", "L 练习");
const CHOOSE: Named = ("1-9 answer", "1-9 选择");
const TYPE: Named = ("type a number, enter", "输入数字后按 enter");
const CONSOLE: Named = (": console", ": 控制台");
const GO: Named = ("g go to a time", "g 跳到某个时间");
const VERIFY: Named = ("V verify", "V 检查");
const HINT: Named = ("H hint", "H 提示");
const NEXT_HINT: Named = ("H next hint", "H 下一条提示");
const FINISH: Named = ("enter back to the list", "enter 回到列表");
/// Those of a run that plays.
const PLAYING: [Named; 5] = [
    ("space play", "空格 播放"),
    ("+ faster", "+ 加速"),
    ("n next", "n 下一个"),
    EXERCISE,
    ("q leave", "q 离开"),
];

struct Learner<'a> {
    name: &'a str,
    c: Class,
    /// What the screen cut off.
    mistakes: Vec<String>,
}

/// Without what wrapping adds: blanks, the sides of a box and the rule beside a title.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !"│─".contains(*c)).collect()
}

/// All that the lesson says now, what must be scrolled to included.
fn said(c: &mut Class) -> String {
    let is_open = matches!(c.stage, Stage::Watch | Stage::Free | Stage::Exercise);
    let mut lines = rows(&part(c));
    let scrolls = |l: &String| l.contains("up and down for all of it") || l.contains("看全部");
    if let (false, Some(end)) = (is_open, lines.iter().position(scrolls)) {
        let below = lines.split_off(end);
        loop {
            let before = c.scroll;
            c.update(Msg::Term(Event::Key(KeyEvent::from(KeyCode::Down))));
            if c.scroll == before {
                break;
            }
            lines.push(rows(&part(c)).swap_remove(end - 1));
        }
        c.scroll = 0;
        lines.extend(below);
    }
    squeezed(&lines.concat())
}

impl Learner<'_> {
    /// The screen says all of these texts, and names these keys, in either language.
    fn reads(&mut self, texts: &dyn Fn(&Class) -> Vec<String>, keys: &[Named]) {
        let at = format!("{}, {:?} at {:?}", self.name, self.c.stage, self.c.size);
        for lang in [Lang::Zh, Lang::En] {
            (self.c.lang, self.c.model.lang) = (lang, lang);
            let said = said(&mut self.c);
            let named = keys.iter().map(|k| if lang == Lang::En { k.0 } else { k.1 }.to_string());
            for text in texts(&self.c).into_iter().chain(named) {
                if !said.contains(&squeezed(&text)) {
                    self.mistakes.push(format!("{at}: `{text}` is cut off in:\n{said}"));
                }
            }
        }
    }

    /// No verdict is in English only; a single word is one of Redis.
    fn judged_in_chinese(&mut self) {
        self.c.lang = Lang::Zh;
        let said = said(&mut self.c);
        let verdicts = self.c.verdicts.iter().filter(|v| v.text.contains(' '));
        let english = verdicts.map(|v| squeezed(&v.text)).find(|text| said.contains(text));
        self.mistakes.extend(english.map(|text| format!("{}: no Chinese: {text}", self.name)));
        self.c.lang = Lang::En;
    }

    fn key(&mut self, code: KeyCode) {
        press(&mut self.c, code);
    }

    fn keys(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
    }

    /// Watches until the lesson stops the run, and reads all that is told on the way.
    fn watch(&mut self, told: &mut Vec<usize>) {
        for _ in 0..10_000 {
            let now = self.c.lesson.saying(self.c.now());
            if let Some(i) = now.filter(|i| self.c.stage == Stage::Watch && told.last() != Some(i)) {
                told.push(i);
                self.reads(&|c| vec![title(c), c.lesson.says[i].text.get(c.lang).into()], &PLAYING);
            }
            if self.c.stage != Stage::Watch {
                return settle(&mut self.c);
            }
            self.c.update(Msg::Tick(Dur::ms(500)));
            while self.c.model.is_working() {
                self.c.update(Msg::Work(100_000));
            }
        }
        panic!("{}: the run does not stop at {}", self.name, self.c.now());
    }

    fn predict(&mut self, truth: Truth) {
        let Stage::Ask(i) = self.c.stage else { panic!("{}: {:?}", self.name, self.c.stage) };
        let question = move |c: &Class| {
            let p = &c.lesson.predictions[i];
            let mut all = vec![p.question.get(c.lang).to_string()];
            if let Answer::Choice(choices) = &p.answer {
                all.extend(
                    choices.iter().enumerate().map(|(n, x)| format!("{} {}", n + 1, x.text.get(c.lang))),
                );
            }
            all
        };
        match truth {
            Truth::Choice(n) => {
                self.reads(&question, &[CHOOSE]);
                self.keys(&(n + 1).to_string());
            }
            Truth::Number(n) => {
                self.reads(&question, &[TYPE]);
                self.keys(&n.to_string());
                self.reads(&|_| vec![format!("> {n}")], &[TYPE]);
                self.key(KeyCode::Enter);
            }
        }
    }

    /// What a learner types who knows the solution: times, and lines of the console.
    fn solve(&mut self) {
        let steps = self.c.lesson.exercise.solution.clone();
        for step in steps {
            if self.c.now() < step.at {
                self.keys(&format!("g{}", step.at));
                self.key(KeyCode::Enter);
            }
            self.keys(&format!(":{}", line(&step.action)));
            self.key(KeyCode::Enter);
            self.key(KeyCode::Esc);
            assert_eq!(self.c.model.note, None, "{}", self.name);
        }
    }
}

fn title(c: &Class) -> String {
    format!("{}/{} {}", c.lesson.order, c.of, c.lesson.title.get(c.lang))
}

fn task(c: &Class) -> String {
    c.lesson.exercise.task.get(c.lang).into()
}

/// A deed of a solution as somebody types it.
fn line(action: &Action) -> String {
    match action {
        Action::Command { node, words } => format!("{node}> {}", scenario::command_line(words)),
        Action::RedisCli { words, .. } => format!("redis-cli {}", scenario::command_line(words)),
        Action::Kill { node } => format!("kill {node}"),
        Action::Start { node, wipe: false } => format!("start {node}"),
        Action::Resume { node } => format!("resume {node}"),
        Action::Cut { from, to, .. } => format!("cut {} from {}", from.join(" "), to.join(" ")),
        Action::Heal { from, .. } => format!("heal {}", from.join(" ")),
        other => panic!("nobody has typed this yet: {other:?}"),
    }
}

/// Goes through a lesson at one size: pictures of it, and what was cut off.
fn walk(taught: &Taught, size: (u16, u16)) -> (Vec<String>, Vec<String>) {
    let (s, name) = (&taught.scenario, taught.name.as_str());
    let c = Class::new(s, s.seed, 23, Lang::En, Theme::new(Depth::True), size).expect("a lesson");
    let mut l = Learner { name, c, mistakes: Vec::new() };
    let mut pictures = Vec::new();
    settle(&mut l.c);
    l.reads(&|c| vec![c.lesson.title.get(c.lang).into(), c.lesson.goal.get(c.lang).into()], &[BEGIN]);
    l.key(KeyCode::Enter);

    let mut told = Vec::new();
    for _ in 0..2 * taught.truths.len() {
        l.watch(&mut told);
        match l.c.stage {
            Stage::Ask(i) => {
                if i == 0 {
                    pictures.push(picture(&part(&l.c)));
                }
                l.predict(taught.truths[i].expect("an answer"));
            }
            Stage::Known(i) => {
                assert!(l.c.replies[i].right, "{name}: {:?}", l.c.replies[i]);
                let known = move |c: &Class| {
                    let right = if c.lang == Lang::En { "Right." } else { "答对了。" };
                    vec![right.into(), c.lesson.predictions[i].because.get(c.lang).into()]
                };
                l.reads(&known, &[ON]);
                l.key(KeyCode::Enter);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    l.watch(&mut told);
    assert_eq!((l.c.stage, l.c.score()), (Stage::Free, taught.truths.len()), "{name}");
    assert_eq!(told.iter().max(), Some(&(l.c.lesson.says.len() - 1)), "{name} was told to its end");
    l.reads(&|c| vec![title(c)], &PLAYING);

    l.keys("L");
    l.reads(&|c| vec![title(c), task(c)], &[CONSOLE, GO, VERIFY, HINT]);
    l.keys("V");
    assert_eq!((l.c.stage, l.c.passed), (Stage::Advice, false), "{name} is to be solved");
    l.reads(&|c| vec![task(c), "✗".into()], &[ON, NEXT_HINT]);
    l.judged_in_chinese();
    for i in 0..l.c.lesson.exercise.hints.len() {
        l.keys("H");
        l.reads(&|c| vec![c.lesson.exercise.hints[i].get(c.lang).into()], &[ON]);
    }
    if l.c.lesson.order == PICTURED {
        pictures.push(picture(&part(&l.c)));
    }
    l.key(KeyCode::Enter);
    l.reads(&|c| vec![title(c), task(c)], &[CONSOLE, GO, VERIFY, HINT]);
    l.solve();
    l.keys("V");
    assert_eq!((l.c.stage, l.c.passed), (Stage::Summary, true), "{name}: {:?}", l.c.verdicts);
    let summary = |c: &Class| {
        let score = format!("{0}/{0}", c.replies.len());
        let commands = c.lesson.commands.iter().cloned();
        commands.chain([score, c.lesson.summary.get(c.lang).to_string()]).collect()
    };
    l.reads(&summary, &[FINISH]);
    l.judged_in_chinese();
    l.key(KeyCode::Enter);
    assert!(l.c.has_quit(), "{name} is over");
    (pictures, l.mistakes)
}

#[test]
fn every_lesson_is_walked_through_at_three_sizes() {
    assert_eq!(taught().len(), 23);
    let walks: Vec<_> = taught().iter().flat_map(|t| SIZES.map(|size| (t, size))).collect();
    let walked: Vec<_> = walks.into_par_iter().map(|(t, size)| (t, size, walk(t, size))).collect();
    let mut all = Vec::new();
    for (t, size, (pictures, mistakes)) in walked {
        all.extend(mistakes);
        let order = t.scenario.lesson.as_ref().map_or(0, |l| l.order);
        if size == SIZES[0] || order == PICTURED {
            insta::assert_snapshot!(format!("walk_{}_{}x{}", t.name, size.0, size.1), pictures.join("\n"));
        }
    }
    assert!(all.is_empty(), "{} texts: {}", all.len(), all.join("\n"));
}
