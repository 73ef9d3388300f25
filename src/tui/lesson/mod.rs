//! A lesson on the screen: the player, and a panel that tells, asks, waits for answers and checks the exercise.
//!
//! [`Class`] wraps a [`Model`] and decides which messages reach it. The truth of a question is measured in the
//! learner's own run, deeds included. Knows lessons and the model; nothing of the world's inside.
//! Read first: [`Stage`], then [`Class::update`].

mod draw;
pub mod progress;
mod words;
pub mod wrap;

pub use draw::banner;

use std::sync::Arc;

use ratatui::Frame;
use ratatui::crossterm::event::{
    Event as TermEvent, KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Position;

use super::keys::{self, Action};
use super::model::{Model, Msg, Overlay, update};
use super::run::Screen;
use super::theme::Theme;
use crate::base::{Dur, SimTime};
use crate::check::Verdict;
use crate::scenario::lesson::exam::{Truth, replay};
use crate::scenario::lesson::{Answer, Lang};
use crate::scenario::{Lesson, Scenario};
use crate::world::plan::{self, Plan};

/// Where a learner is in a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What the lesson is about.
    Goal,
    /// The run plays, and is told.
    Watch,
    /// The run waits for the answer to this question.
    Ask(usize),
    /// The answer is known.
    Known(usize),
    /// The run is over: play with it, or go on.
    Free,
    /// A run of its own, with something to achieve.
    Exercise,
    /// What the exercise asks, with hints or with what the check of it said.
    Advice,
    /// The exercise is done.
    Summary,
}

/// What a learner said to a question, and what the run said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub asked: bool,
    /// `None`: skipped.
    pub given: Option<Truth>,
    pub truth: Option<Truth>,
    pub right: bool,
}

/// A learner in a lesson.
pub struct Class {
    pub model: Model,
    pub lang: Lang,
    pub lesson: Arc<Lesson>,
    /// How many lessons there are.
    pub of: usize,
    pub stage: Stage,
    pub replies: Vec<Reply>,
    /// The number typed so far.
    pub typed: String,
    /// Hints shown.
    pub hints: usize,
    /// The last check of the exercise.
    pub verdicts: Vec<Verdict>,
    pub size: (u16, u16),
    /// Lines of the box that are scrolled away.
    pub scroll: u16,
    /// The exercise is done.
    pub passed: bool,
    plan: Arc<Plan>,
    exercise: Arc<Plan>,
    seed: u64,
    end: Dur,
    /// Steps of the solution that the program did for the learner.
    shown: usize,
    /// A deed that waits until the run is at its time.
    pending: Option<plan::Action>,
    quit: bool,
}

impl Class {
    /// `None`: the scenario is no lesson.
    pub fn new(
        s: &Scenario,
        seed: u64,
        of: usize,
        lang: Lang,
        theme: Theme,
        size: (u16, u16),
    ) -> Option<Class> {
        let lesson = s.lesson.clone()?;
        let mut model = Model::new(s.plan.clone(), seed, Some(s.script.end), theme, size);
        model.muted = true;
        model.lang = lang;
        model.lesson = Some(lesson.clone());
        let mut class = Class {
            model,
            lang,
            exercise: lesson.exercise.plan(&s.plan),
            replies: vec![Reply::default(); lesson.predictions.len()],
            lesson,
            of,
            stage: Stage::Goal,
            typed: String::new(),
            hints: 0,
            verdicts: Vec::new(),
            size,
            scroll: 0,
            passed: false,
            plan: s.plan.clone(),
            seed,
            end: s.script.end,
            shown: 0,
            pending: None,
            quit: false,
        };
        class.resize(size);
        Some(class)
    }

    /// Right answers so far.
    pub fn score(&self) -> usize {
        self.replies.iter().filter(|r| r.right).count()
    }

    /// The present moment, since the deployment was formed.
    pub fn now(&self) -> Dur {
        Dur(self.model.relative(self.model.now()).max(0) as u64)
    }

    /// Whether the learner has left.
    pub fn has_quit(&self) -> bool {
        self.quit
    }

    /// Draws the whole screen.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        draw::screen(self, frame);
    }

    fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.model.reserved = draw::reserved(size);
        update(&mut self.model, Msg::Term(TermEvent::Resize(size.0, size.1)));
    }

    /// The one way in which a lesson changes.
    pub fn update(&mut self, msg: Msg) {
        match msg {
            Msg::Term(TermEvent::Resize(w, h)) => self.resize((w, h)),
            Msg::Term(TermEvent::Key(key)) if key.kind != KeyEventKind::Release => self.key(key),
            Msg::Term(TermEvent::Mouse(mouse)) if !self.is_open() => self.box_mouse(mouse),
            msg => {
                update(&mut self.model, msg);
                self.follow();
            }
        }
        self.quit |= self.model.quit;
    }

    fn key(&mut self, key: KeyEvent) {
        let action = keys::action(key);
        let told = self.is_open();
        if told && self.model.overlay != Overlay::None {
            return update(&mut self.model, Msg::Term(TermEvent::Key(key)));
        }
        if !told && let KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown = key.code {
            return self.scroll_box(key.code);
        }
        let before = self.stage;
        self.staged_key(key, action);
        if self.stage != before {
            self.scroll = 0;
        }
    }

    /// Nothing lies over the player: keys and the mouse are its.
    fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Watch | Stage::Free | Stage::Exercise)
    }

    /// A click in a box goes on, or gives the answer that it is on; the wheel scrolls.
    fn box_mouse(&mut self, mouse: MouseEvent) {
        let at = Position { x: mouse.column, y: mouse.row };
        let code = match (mouse.kind, self.stage) {
            (MouseEventKind::ScrollUp, _) => return self.scroll_box(KeyCode::Up),
            (MouseEventKind::ScrollDown, _) => return self.scroll_box(KeyCode::Down),
            (MouseEventKind::Down(MouseButton::Left), Stage::Ask(_)) => {
                match draw::choice_at(self, at).and_then(|i| char::from_digit(i as u32 + 1, 10)) {
                    Some(digit) => KeyCode::Char(digit),
                    None => return,
                }
            }
            (MouseEventKind::Down(MouseButton::Left), _) if draw::is_in_box(self, at) => KeyCode::Enter,
            _ => return,
        };
        self.key(KeyEvent::from(code));
    }

    /// Scrolls what asks or tells, no further than its last line.
    fn scroll_box(&mut self, code: KeyCode) {
        let most = draw::hidden_lines(self);
        self.scroll = match code {
            KeyCode::Up => self.scroll.saturating_sub(1),
            KeyCode::PageUp => self.scroll.saturating_sub(8),
            KeyCode::Down => self.scroll + 1,
            _ => self.scroll + 8,
        }
        .min(most);
    }

    fn staged_key(&mut self, key: KeyEvent, action: Option<Action>) {
        let next = matches!(key.code, KeyCode::Enter | KeyCode::Char(' '));
        match (self.stage, action) {
            (_, Some(Action::Quit)) => self.quit = true,
            (Stage::Summary | Stage::Exercise | Stage::Advice, Some(Action::LessonOn)) => {}
            (_, Some(Action::LessonOn)) => self.begin_exercise(),
            (Stage::Goal, _) if next => self.watch(),
            (Stage::Known(_), _) if next => self.watch(),
            (Stage::Ask(i), _) => self.answer(i, key.code),
            (Stage::Summary, _) if next => self.quit = true,
            (Stage::Goal | Stage::Known(_) | Stage::Summary, _) => {}
            (Stage::Exercise | Stage::Advice, Some(Action::LessonCheck)) => self.check(),
            (Stage::Exercise | Stage::Advice, Some(Action::LessonHint)) => {
                self.hints = (self.hints + 1).min(self.lesson.exercise.hints.len());
                self.verdicts.clear();
                self.scroll = 0;
                self.stage = Stage::Advice;
            }
            (Stage::Exercise | Stage::Advice, Some(Action::LessonShow)) => {
                self.stage = Stage::Exercise;
                self.show_step();
            }
            (Stage::Advice, _) if next || key.code == KeyCode::Esc => self.stage = Stage::Exercise,
            (stage, _) => {
                // Whoever has read the advice goes on without further ado.
                if stage == Stage::Advice {
                    self.stage = Stage::Exercise;
                }
                update(&mut self.model, Msg::Term(TermEvent::Key(key)));
            }
        }
    }

    fn watch(&mut self) {
        self.stage = Stage::Watch;
        self.model.play();
    }

    fn answer(&mut self, i: usize, code: KeyCode) {
        let given = match (&self.lesson.predictions[i].answer, code) {
            (_, KeyCode::Esc) => None,
            (Answer::Choice(choices), KeyCode::Char(c)) => match c.to_digit(10) {
                Some(n) if n >= 1 && n as usize <= choices.len() => Some(Truth::Choice(n as usize - 1)),
                _ => return,
            },
            (Answer::Number { .. }, KeyCode::Char(c)) if c.is_ascii_digit() && self.typed.len() < 9 => {
                return self.typed.push(c);
            }
            (Answer::Number { .. }, KeyCode::Backspace) => {
                self.typed.pop();
                return;
            }
            (Answer::Number { .. }, KeyCode::Enter) => match self.typed.parse() {
                Ok(n) => Some(Truth::Number(n)),
                Err(_) => return,
            },
            _ => return,
        };
        self.typed.clear();
        self.replies[i].given = given;
        self.watch();
    }

    /// Looks whether the run has come to a question, to an answer or to its end.
    fn follow(&mut self) {
        if self.model.is_waiting() {
            return;
        }
        if let Some(action) = self.pending.take() {
            self.model.deed(action);
        }
        let Some(formed) = self.model.timeline().formed_at().filter(|_| self.stage == Stage::Watch) else {
            return;
        };
        let now = self.now();
        let lesson = self.lesson.clone();
        let due = |r: &Reply, at: Dur, until: Dur| match (r.asked, r.truth.is_some()) {
            (false, _) => Some(at),
            (true, false) => Some(until),
            _ => None,
        };
        let all = lesson.predictions.iter().zip(&self.replies).enumerate();
        let due = all.filter_map(|(i, (p, r))| Some((due(r, p.at, p.until)?, i))).min();
        match due.filter(|(at, _)| *at <= now) {
            Some((at, i)) => {
                self.model.seek(formed + at);
                if self.replies[i].asked {
                    self.reveal(i);
                } else {
                    self.replies[i].asked = true;
                    self.stage = Stage::Ask(i);
                }
            }
            None if now >= self.end => {
                self.model.seek(formed + self.end);
                self.stage = Stage::Free;
            }
            None => {}
        }
    }

    fn reveal(&mut self, i: usize) {
        let p = &self.lesson.predictions[i];
        let (w, book) = replay(&self.plan, self.seed, self.model.timeline().deeds(), p.until);
        let truth = p.truth(&w, &book);
        let r = &mut self.replies[i];
        // A run that the learner changed may not answer: then it is not asked again.
        r.truth = truth.or(Some(Truth::Choice(usize::MAX)));
        r.right = truth.zip(r.given).is_some_and(|(truth, given)| p.is_right(given, truth));
        self.stage = Stage::Known(i);
    }

    fn begin_exercise(&mut self) {
        let (theme, end) = (self.model.theme, self.lesson.exercise.end);
        self.model = Model::new(self.exercise.clone(), self.seed, Some(end), theme, self.size);
        self.model.muted = true;
        self.model.lang = self.lang;
        self.model.lesson = Some(self.lesson.clone());
        self.resize(self.size);
        self.stage = Stage::Exercise;
    }

    fn check(&mut self) {
        if self.model.is_forming() {
            return;
        }
        let deeds: Vec<(SimTime, plan::Action)> = self.model.timeline().deeds().to_vec();
        self.verdicts = self.lesson.exercise.judge(&self.exercise, self.seed, &deeds, self.now());
        self.scroll = 0;
        self.passed |= self.verdicts.iter().all(|v| v.ok);
        self.stage = if self.verdicts.iter().all(|v| v.ok) { Stage::Summary } else { Stage::Advice };
    }

    /// Does the next step of the solution for the learner.
    fn show_step(&mut self) {
        let Some(formed) = self.model.timeline().formed_at() else { return };
        let Some(step) = self.lesson.exercise.solution.get(self.shown).cloned() else { return };
        if self.pending.is_some() {
            return;
        }
        self.shown += 1;
        self.verdicts.clear();
        if self.model.now() < formed + step.at {
            self.model.seek(formed + step.at);
        }
        self.pending = Some(step.action);
    }
}

impl Screen for Class {
    fn update(&mut self, msg: Msg) {
        Class::update(self, msg);
    }
    fn view(&self, frame: &mut Frame<'_>) {
        self.draw(frame);
    }
    fn is_moving(&self) -> bool {
        self.model.playing
    }
    fn is_working(&self) -> bool {
        self.model.is_working()
    }
    fn has_quit(&self) -> bool {
        Class::has_quit(self)
    }
}
