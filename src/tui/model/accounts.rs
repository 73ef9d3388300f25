//! What became of the clients' writes, at every moment of a run.
//!
//! The book of writes must see every event, so it cannot be opened in the middle. It is kept by a run of its own,
//! of the same plan and seed, which goes ahead in the background while somebody looks.

use std::sync::Arc;

use crate::base::{Dur, SimTime};
use crate::check::{Book, Ledger, ledger};
use crate::trace::{Fact, Level};
use crate::world::World;
use crate::world::plan::Plan;
use crate::world::timeline::Timeline;

/// Losses that come by and by are noticed this often.
const PERIOD: Dur = Dur::ms(500);

/// The ledger of one future over its time.
#[derive(Clone, Debug)]
pub struct Accounts {
    run: Option<(World, Book)>,
    plan: Arc<Plan>,
    seed: u64,
    /// Deeds of the run that is counted.
    deeds: usize,
    /// From each time on.
    pages: Vec<(SimTime, Ledger)>,
    next: SimTime,
}

impl Accounts {
    pub fn new(timeline: &Timeline) -> Accounts {
        Accounts {
            run: None,
            plan: timeline.plan(),
            seed: timeline.world().seed,
            deeds: timeline.deeds().len(),
            pages: Vec::new(),
            next: SimTime::ZERO,
        }
    }

    /// How many clients write.
    pub fn clients(&self) -> usize {
        self.plan.clients.len()
    }

    /// How far the run is counted.
    pub fn counted_to(&self) -> SimTime {
        self.run.as_ref().map_or(SimTime::ZERO, |(w, _)| w.now())
    }

    /// Whether the run is counted as far as it is known.
    pub fn are_ready(&self, timeline: &Timeline) -> bool {
        self.clients() == 0
            || (self.deeds == timeline.deeds().len() && self.counted_to() >= timeline.known_to())
    }

    /// The ledger at a time.
    pub fn at(&self, t: SimTime) -> Option<&Ledger> {
        let i = self.pages.partition_point(|(at, _)| *at <= t);
        i.checked_sub(1).map(|i| &self.pages[i].1)
    }

    /// Every page, from its time on.
    pub fn pages(&self) -> &[(SimTime, Ledger)] {
        &self.pages
    }

    /// Counts on, by about so many events.
    pub fn go_on(&mut self, timeline: &Timeline, events: u64) {
        if self.deeds != timeline.deeds().len() {
            *self = Accounts::new(timeline);
        }
        let (plan, seed) = (&self.plan, self.seed);
        let (mut world, mut book) = self
            .run
            .take()
            .unwrap_or_else(|| (World::new(Arc::clone(plan), seed, Level::Headline), Book::default()));
        let to = timeline.known_to();
        for _ in 0..events {
            if world.next_time().is_none_or(|next| next > to) {
                world.run_until(to);
                self.page(&world, &book);
                break;
            }
            let before = world.trace.events.len();
            world.step();
            book.watch(&world);
            let turns = |f: &Fact| {
                matches!(
                    f,
                    Fact::Promoted { .. } | Fact::SlotsMoved { .. } | Fact::Ready { .. } | Fact::Killed
                )
            };
            let turned = world.trace.events[before..].iter().any(|e| turns(&e.fact));
            if world.formed_at.is_some() && (turned || world.now() >= self.next) {
                self.next = world.now() + PERIOD;
                self.page(&world, &book);
            }
        }
        self.run = Some((world, book));
    }

    fn page(&mut self, world: &World, book: &Book) {
        let page = ledger(world, book, None);
        if self.pages.last().is_none_or(|(_, last)| *last != page) {
            self.pages.push((world.now(), page));
        }
    }

    /// When acknowledged writes are lost, and how many.
    pub fn losses(&self) -> impl DoubleEndedIterator<Item = (SimTime, u64)> + '_ {
        let lost = |i: usize| self.pages[i].1.lost;
        let grown = move |i: usize| lost(i) - i.checked_sub(1).map_or(0, lost).min(lost(i));
        (0..self.pages.len()).filter(move |&i| grown(i) > 0).map(move |i| (self.pages[i].0, grown(i)))
    }
    pub fn next_loss(&self, after: SimTime) -> Option<SimTime> {
        self.losses().map(|(t, _)| t).find(|t| *t > after)
    }
    pub fn last_loss(&self, before: SimTime) -> Option<SimTime> {
        self.losses().rev().map(|(t, _)| t).find(|t| *t < before)
    }
}
