//! What a run answers: the truth of a prediction, and whether an exercise is done.

use std::sync::Arc;

use super::{Answer, Exercise, Lesson, Measure, Prediction, TimeUnit};
use crate::base::{Dur, SimTime};
use crate::check::ledger::{self, Book, ledger as count_writes};
use crate::check::{Expectation, Monitor, Pattern, Verdict, advance, form, judge};
use crate::redis::bus::Bus;
use crate::slot::key_slot;
use crate::trace::{Event, Level};
use crate::world::World;
use crate::world::plan::{Action, Plan};

/// What is true of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// The choice at this place.
    Choice(usize),
    Number(u64),
}

/// Runs a plan, and deeds by hand in order of time, to a time since the deployment was formed.
///
/// Deeds happen as in [`crate::world::timeline::Timeline::act`]: after all events of their time.
pub fn replay(plan: &Arc<Plan>, seed: u64, deeds: &[(SimTime, Action)], to: Dur) -> (World, Book) {
    let mut world = World::new(plan.clone(), seed, Level::Headline);
    let mut monitor = Monitor::default();
    form(&mut world, &mut monitor);
    if let Some(formed) = world.formed_at {
        for (at, action) in deeds.iter().filter(|(at, _)| *at <= formed + to) {
            advance(&mut world, &mut monitor, *at);
            world.act(action);
        }
        advance(&mut world, &mut monitor, formed + to);
        monitor.watch(&world);
    }
    (world, monitor.book)
}

impl Prediction {
    /// The truth in a world that has come to `until`; `None` if the run gives no answer, or more than one.
    pub fn truth(&self, w: &World, book: &Book) -> Option<Truth> {
        match &self.answer {
            Answer::Choice(choices) => {
                let holds = |i: &usize| choices[*i].expect.iter().all(|e| holds(w, book, self.until, e).ok);
                let mut right = (0..choices.len()).filter(holds);
                match (right.next(), right.next()) {
                    (Some(i), None) => Some(Truth::Choice(i)),
                    _ => None,
                }
            }
            Answer::Number { measure, .. } => measure.value(w, book).map(Truth::Number),
        }
    }

    /// Whether an answer counts as right.
    pub fn is_right(&self, given: Truth, truth: Truth) -> bool {
        match (&self.answer, given, truth) {
            (Answer::Number { near, .. }, Truth::Number(a), Truth::Number(b)) => a.abs_diff(b) <= *near,
            (Answer::Choice(_), given, truth) => given == truth,
            _ => false,
        }
    }
}

impl Lesson {
    /// The truth of each prediction in a run of the lesson's plan.
    pub fn truths(&self, plan: &Arc<Plan>, seed: u64) -> Vec<Option<Truth>> {
        let mut world = World::new(plan.clone(), seed, Level::Headline);
        let mut monitor = Monitor::default();
        form(&mut world, &mut monitor);
        let mut order: Vec<usize> = (0..self.predictions.len()).collect();
        order.sort_by_key(|&i| self.predictions[i].until);
        let mut found = vec![None; order.len()];
        for i in order {
            let p = &self.predictions[i];
            if let Some(formed) = world.formed_at {
                advance(&mut world, &mut monitor, formed + p.until);
                found[i] = p.truth(&world, &monitor.book);
            }
        }
        found
    }

    /// The narration in force at a time since formation, by its place.
    pub fn saying(&self, at: Dur) -> Option<usize> {
        self.says.partition_point(|s| s.at <= at).checked_sub(1)
    }

    /// The text of a lesson in another language; a text that is none of its sayings stays as it is.
    pub fn translate<'a>(&'a self, said: &'a str, lang: super::Lang) -> &'a str {
        self.says.iter().find(|s| s.text.en == said).map_or(said, |s| s.text.get(lang))
    }
}

impl Exercise {
    /// The exercise on the deployment of its lesson.
    pub fn plan(&self, lesson: &Plan) -> Arc<Plan> {
        Arc::new(Plan { steps: self.steps.clone(), ..lesson.clone() })
    }

    /// The verdicts on a run of [`Exercise::plan`] with these deeds, judged at the end of the exercise or, if that
    /// is later, at `now`.
    pub fn judge(&self, plan: &Arc<Plan>, seed: u64, deeds: &[(SimTime, Action)], now: Dur) -> Vec<Verdict> {
        let at = self.end.max(now);
        let (w, book) = replay(plan, seed, deeds, at);
        self.check.iter().map(|e| holds(&w, &book, at, e)).collect()
    }

    /// The verdicts on a run of [`Exercise::plan`] with the deeds of the solution.
    pub fn solved(&self, plan: &Arc<Plan>, seed: u64) -> Vec<Verdict> {
        let mut world = World::new(plan.clone(), seed, Level::Headline);
        form(&mut world, &mut Monitor::default());
        let formed = world.formed_at.unwrap_or_default();
        let deeds: Vec<(SimTime, Action)> =
            self.solution.iter().map(|s| (formed + s.at, s.action.clone())).collect();
        self.judge(plan, seed, &deeds, Dur::ZERO)
    }
}

fn holds(w: &World, book: &Book, at: Dur, expect: &crate::check::Expect) -> Verdict {
    judge(w, book, &Expectation { at, line: 0, expect: expect.clone() })
}

impl Measure {
    /// The number in a world at its present moment.
    pub fn value(&self, w: &World, book: &Book) -> Option<u64> {
        match self {
            Measure::Slot(key) => Some(key_slot(key.as_bytes()).into()),
            Measure::Slots(node) => bus(w, node).map(|b| w.names.claim_len(b.me().slots).into()),
            Measure::Epoch(node) => bus(w, node).map(|b| b.current_epoch),
            Measure::Times(what) => {
                let from = w.formed_at?;
                let found = w.trace.events.iter().filter(|e| e.at >= from && what.matches(w, e));
                Some(found.count() as u64)
            }
            Measure::Between { from, to, unit } => {
                let formed = w.formed_at?;
                let begin = first(w, from, formed)?;
                let end = first(w, to, begin.at)?;
                let us = end.at.since(begin.at).0;
                Some(match unit {
                    TimeUnit::Seconds => (us + 500_000) / 1_000_000,
                    TimeUnit::Milliseconds => (us + 500) / 1000,
                })
            }
            Measure::Gap(client) => {
                let host = w.host(client)?;
                let (_, client) = ledger::clients(w).find(|(h, _)| *h == host)?;
                let now = w.hosts[host].clock.read(w.now());
                Some((client.app()?.history.longest_outage(now).0 + 500_000) / 1_000_000)
            }
            Measure::Writes { client, count } => {
                let l = count_writes(w, book, client.as_deref());
                [l.acked, l.kept, l.lost, l.refused, l.unknown, l.unserved, l.stale_reads]
                    .get(*count)
                    .copied()
            }
            Measure::Reply { node, field } => {
                let host = w.host(node);
                let (_, _, shown, value) = w.replies.iter().rev().find(|r| Some(r.1) == host)?;
                let text = value.as_str().unwrap_or(shown);
                number_in(text, field.as_deref())
            }
        }
    }
}

fn bus<'a>(w: &'a World, node: &str) -> Option<&'a Bus> {
    w.bus(w.host(node)?)
}

fn first<'a>(w: &'a World, what: &Pattern, from: SimTime) -> Option<&'a Event> {
    let i = w.trace.events.partition_point(|e| e.at < from);
    w.trace.events[i..].iter().find(|e| what.matches(w, e))
}

/// The number that a reply is, or that stands behind `field:` in it.
fn number_in(text: &str, field: Option<&str>) -> Option<u64> {
    let text = match field {
        None => text.trim_start_matches("(integer) "),
        Some(field) => text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?,
    };
    let digits: String = text.trim_matches(['"', ' ']).chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number_in;

    #[test]
    fn numbers_are_found_in_replies() {
        assert_eq!(number_in("(integer) 5798", None), Some(5798));
        assert_eq!(number_in("cluster_state:ok\r\ncluster_size:3\r\n", Some("cluster_size")), Some(3));
        assert_eq!(number_in("lag=1", Some("lag")), None);
        assert_eq!(number_in("OK", None), None);
    }
}
