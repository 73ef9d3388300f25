//! What stands under `[lesson]`.

use std::ops::Range;

use serde_spanned::Spanned;

use super::super::lesson::text::unfold;
use super::super::lesson::{
    Answer, Choice, Exercise, Lesson, Measure, Picture, Prediction, Say, Text, TimeUnit,
};
use super::super::schema;
use super::Lower;
use crate::base::Dur;
use crate::check::expect::WRITE_COUNTS;
use crate::check::{Expectation, Pattern};
use crate::world::plan::{Action, Step};

impl Lower {
    /// Reads the lesson; what it says becomes steps of the run. `initial`: steps that belong to the network, in
    /// the exercise too.
    pub(super) fn lesson(&mut self, l: &Spanned<schema::Lesson>, initial: Vec<Step>) -> Option<Lesson> {
        let (t, place) = (l.get_ref(), l.span());
        let order = match &t.order {
            Some(n) => self.number(n, 1..=999, "place of a lesson").unwrap_or(1) as u32,
            None => {
                self.missing(place.clone(), "the lesson has no order", "add: order = 1");
                1
            }
        };
        let title = self.text(t.title.as_ref(), &place, "title");
        let goal = self.text(t.goal.as_ref(), &place, "goal");
        let summary = self.text(t.summary.as_ref(), &place, "summary");
        let says = self.says(&t.say);
        let predictions = t.predict.iter().filter_map(|p| self.prediction(p)).collect();
        let exercise = self.exercise(t.exercise.as_ref(), &place, initial)?;
        let picture = t.picture.as_ref().map(|p| {
            let caption = self.text(p.get_ref().caption.as_ref(), &p.span(), "caption");
            let at = self.time(p.get_ref().at.as_ref(), &p.span(), "the picture");
            Picture { at, keys: p.get_ref().keys.clone(), caption }
        });
        let chapter = t.chapter.clone().unwrap_or_default();
        let commands = t.commands.clone();
        Some(Lesson { order, chapter, title, goal, says, predictions, exercise, summary, commands, picture })
    }

    fn says(&mut self, list: &[Spanned<schema::Say>]) -> Vec<Say> {
        let mut says: Vec<Say> = Vec::new();
        for say in list {
            let at = self.time(say.get_ref().at.as_ref(), &say.span(), "what is said");
            let text = self.text(say.get_ref().text.as_ref(), &say.span(), "text");
            if says.last().is_some_and(|before| at < before.at) {
                self.wrong(say.span(), "time goes back", Some("what is said comes in order of time".into()));
            }
            // Before what is done at the same time.
            let place = self.steps.partition_point(|s| s.at < at);
            self.steps.insert(place, Step { at, action: Action::Say { text: text.en.clone() } });
            says.push(Say { at, text });
        }
        says
    }

    fn prediction(&mut self, p: &Spanned<schema::Predict>) -> Option<Prediction> {
        let (t, place) = (p.get_ref(), p.span());
        let at = self.time(t.at.as_ref(), &place, "the question");
        let until = self.time(t.until.as_ref(), &place, "the answer (until)");
        if until < at {
            self.wrong(place.clone(), "the answer is known before the question is asked", None);
        }
        let question = self.text(t.question.as_ref(), &place, "question");
        let because = self.text(t.because.as_ref(), &place, "because");
        let answer = match (&t.number, t.choices.len()) {
            (Some(measure), 0) => {
                let near = t.near.as_ref().and_then(|n| self.number(n, 0..=1_000_000, "distance"));
                Answer::Number { measure: self.measure(measure)?, near: near.unwrap_or(0) as u64 }
            }
            (None, 2..) => Answer::Choice(t.choices.iter().map(|c| self.choice(c, until)).collect()),
            _ => {
                let help = "give it `number`, or two `choices` and more";
                self.missing(place, "the question has no way to be answered", help);
                return None;
            }
        };
        Some(Prediction { at, until, question, answer, because })
    }

    fn choice(&mut self, c: &Spanned<schema::Choice>, at: Dur) -> Choice {
        let text = self.text(c.get_ref().text.as_ref(), &c.span(), "text");
        let expect = match &c.get_ref().expect {
            Some(e) => self.apart(|l| l.expect(e.get_ref(), e.span(), at, 0)).1,
            None => {
                let help = "add expect: what holds in the run if this is the answer";
                self.missing(c.span(), "nothing says when this choice is right", help);
                Vec::new()
            }
        };
        Choice { text, expect: expect.into_iter().map(|e| e.expect).collect() }
    }

    fn measure(&mut self, m: &Spanned<schema::Measure>) -> Option<Measure> {
        let place = m.span();
        Some(match m.get_ref() {
            schema::Measure::Slot(key) => Measure::Slot(key.clone()),
            schema::Measure::Slots(node) => Measure::Slots(self.node(node)),
            schema::Measure::Epoch(node) => Measure::Epoch(self.node(node)),
            schema::Measure::Times(what) => Measure::Times(self.what(what, place)?),
            schema::Measure::Seconds(b) => self.between(b, place, TimeUnit::Seconds)?,
            schema::Measure::Milliseconds(b) => self.between(b, place, TimeUnit::Milliseconds)?,
            schema::Measure::Gap(client) => Measure::Gap(self.node_or_client(client)),
            schema::Measure::Writes(w) => {
                let client = w.client.as_ref().map(|c| self.node_or_client(c));
                let Some(count) = &w.count else {
                    self.missing(place, "this does not say which count", "add: count = \"lost\"");
                    return None;
                };
                let found = WRITE_COUNTS.iter().position(|name| name == count.get_ref());
                if found.is_none() {
                    let known = WRITE_COUNTS.map(str::to_string);
                    self.unknown_name(count, "count of writes", &known);
                }
                Measure::Writes { client, count: found? }
            }
            schema::Measure::Reply(r) => {
                let node = self.needed_node(r.node.as_ref(), place)?;
                Measure::Reply { node, field: r.field.clone() }
            }
        })
    }

    fn between(&mut self, b: &schema::Between, place: Range<usize>, unit: TimeUnit) -> Option<Measure> {
        let (Some(from), Some(to)) = (&b.from, &b.to) else {
            let help = "write: seconds = { from = { what = \"killed\" }, to = { what = \"promoted\" } }";
            self.missing(place, "a time lies between two happenings", help);
            return None;
        };
        let (from, to) = (self.what(from.get_ref(), from.span())?, self.what(to.get_ref(), to.span())?);
        Some(Measure::Between { from, to, unit })
    }

    fn what(&mut self, t: &schema::What, place: Range<usize>) -> Option<Pattern> {
        self.pattern(t.what.as_ref(), t.on.as_ref(), t.about.as_ref(), place)
    }

    fn exercise(
        &mut self,
        e: Option<&Spanned<schema::Exercise>>,
        lesson: &Range<usize>,
        mut steps: Vec<Step>,
    ) -> Option<Exercise> {
        let Some(e) = e else {
            self.missing(lesson.clone(), "the lesson has no exercise", "add: [lesson.exercise]");
            return None;
        };
        let (t, place) = (e.get_ref(), e.span());
        let task = self.text(t.task.as_ref(), &place, "task");
        let hints = t.hints.iter().map(|h| self.text(Some(h), &place, "hint")).collect();
        let end = self.time(t.end.as_ref(), &place, "the exercise (end)");
        steps.extend(self.apart(|l| l.steps(&t.step)).0);
        let (solution, _) = self.apart(|l| l.steps(&t.solution));
        let (_, check) = self.apart(|l| {
            for c in &t.check {
                l.expect(c.get_ref(), c.span(), end, 0);
            }
        });
        if check.is_empty() || solution.is_empty() {
            let help = "add [[lesson.exercise.check]] and [[lesson.exercise.solution]]";
            self.missing(place.clone(), "the exercise has no check, or no solution", help);
        }
        if steps.iter().chain(&solution).any(|s| s.at > end) {
            self.wrong(place, "the exercise ends before its last step", None);
        }
        let check = check.into_iter().map(|e| e.expect).collect();
        Some(Exercise { task, hints, steps, end, check, solution })
    }

    /// What `f` reads, without adding it to the run.
    fn apart(&mut self, f: impl FnOnce(&mut Lower)) -> (Vec<Step>, Vec<Expectation>) {
        let run = (std::mem::take(&mut self.steps), std::mem::take(&mut self.expectations));
        f(self);
        let found = (std::mem::take(&mut self.steps), std::mem::take(&mut self.expectations));
        (self.steps, self.expectations) = run;
        found
    }

    fn time(&mut self, time: Option<&Spanned<schema::Time>>, place: &Range<usize>, what: &str) -> Dur {
        match time {
            Some(t) => t.get_ref().0,
            None => {
                self.missing(place.clone(), format!("{what} has no time"), "add for example: at = \"10s\"");
                Dur::ZERO
            }
        }
    }

    /// A text with all its twins.
    fn text(&mut self, text: Option<&Spanned<schema::Text>>, place: &Range<usize>, what: &str) -> Text {
        let Some(t) = text else {
            let help = format!("add: {what} = {{ en = \"...\", zh = \"...\" }}");
            self.missing(place.clone(), format!("there is no {what}"), &help);
            return Text::default();
        };
        let mut one = |text: &Option<String>, lang: &str| {
            let text = text.as_deref().map(unfold).unwrap_or_default();
            if text.is_empty() {
                self.missing(t.span(), format!("the {what} has no `{lang}`"), "every text is in en and zh");
            }
            text
        };
        Text { en: one(&t.get_ref().en, "en"), zh: one(&t.get_ref().zh, "zh") }
    }
}
