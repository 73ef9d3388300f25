//! Lessons: a scenario with a goal, a voice that moves with the run, questions to answer before it goes on,
//! and an exercise.
//!
//! Nothing that a learner is told to be true is written down in a lesson: the answer of a [`Prediction`] is
//! measured in the run ([`Measure`]) or is the choice whose expectations hold there, and an [`Exercise`] is
//! judged by the same expectations as a scenario ([`exam`]).
//!
//! Knows texts and runs; never a screen. Read first: [`Lesson`], then `exam`.

pub mod exam;
pub mod page;
pub mod text;

use crate::base::Dur;
use crate::check::{Expect, Pattern};
use crate::world::plan::Step;

pub use text::{Lang, Text};

/// What a scenario file says under `[lesson]`.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// Its place among the lessons, from 1.
    pub order: u32,
    /// The section of the chapter that it belongs to: `5.3.1`.
    pub chapter: String,
    pub title: Text,
    pub goal: Text,
    /// In order of time.
    pub says: Vec<Say>,
    /// In order of the time at which they are asked.
    pub predictions: Vec<Prediction>,
    pub exercise: Exercise,
    pub summary: Text,
    /// The real commands that do what the lesson shows.
    pub commands: Vec<String>,
    pub picture: Option<Picture>,
}

/// What the narrator says from a time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// Since the deployment was formed.
    pub at: Dur,
    pub text: Text,
}

/// A question about what is going to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// The run stops here until the learner has answered; since the deployment was formed.
    pub at: Dur,
    /// From here on the answer is known.
    pub until: Dur,
    pub question: Text,
    pub answer: Answer,
    /// Why it is so.
    pub because: Text,
}

/// How a question is answered, and how the run answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One of these: the only one whose expectations all hold.
    Choice(Vec<Choice>),
    /// A number that may be off by so much, in the measure's unit.
    Number { measure: Measure, near: u64 },
}

/// An answer to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub text: Text,
    /// It is right if these hold when the answer is known.
    pub expect: Vec<Expect>,
}

/// A number that a run gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The slot of a key, by the rules of Redis.
    Slot(String),
    /// How many slots a node owns, by its own word.
    Slots(String),
    /// currentEpoch of a node.
    Epoch(String),
    /// How often it happened since the deployment was formed.
    Times(Pattern),
    /// From the first of one happening to the first of another that follows it.
    Between { from: Pattern, to: Pattern, unit: TimeUnit },
    /// The longest time in which a client that is an application had no success, in whole seconds.
    Gap(String),
    /// A count of the write ledger, by its place in [`crate::check::expect::WRITE_COUNTS`]: of a client or of all.
    Writes { client: Option<String>, count: usize },
    /// The number in the node's last reply to an operator: all of it, or what follows `field:` in it.
    Reply { node: String, field: Option<String> },
}

/// The unit in which a time is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    Seconds,
    Milliseconds,
}

/// Something to achieve by one's own deeds, in a run of its own on the same deployment.
#[derive(Clone, Debug)]
pub struct Exercise {
    pub task: Text,
    /// From a nudge to the whole way.
    pub hints: Vec<Text>,
    /// What happens in it without the learner.
    pub steps: Vec<Step>,
    /// When the check is made: since the deployment was formed.
    pub end: Dur,
    pub check: Vec<Expect>,
    /// Deeds that solve it, in order of time.
    pub solution: Vec<Step>,
}

/// The picture of the screen in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Since the deployment was formed.
    pub at: Dur,
    /// Keys to press before it is made.
    pub keys: String,
    /// What it shows.
    pub caption: Text,
}
