//! Time travel: a run with checkpoints, so that any moment can be shown, forward or back.

use std::sync::Arc;

use super::World;
use super::plan::{Action, Plan};
use crate::base::{Dur, SimTime};
use crate::trace::Level;

/// A world at any time of its run. Going back restores the last checkpoint before and runs forward
/// from it: the same events in the same order, whatever the spacing.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// (time, world at that time), ascending; the first is the start of the run.
    checkpoints: Vec<(SimTime, World)>,
    spacing: Dur,
    now: World,
    /// Deeds done by hand, in order of time: part of the run from then on.
    deeds: Vec<(SimTime, Action)>,
}

impl Timeline {
    pub fn new(plan: Arc<Plan>, seed: u64, level: Level, spacing: Dur) -> Timeline {
        let world = World::new(plan, seed, level);
        Timeline { checkpoints: vec![(SimTime::ZERO, world.clone())], spacing, now: world, deeds: Vec::new() }
    }

    pub fn world(&self) -> &World {
        &self.now
    }
    pub fn now(&self) -> SimTime {
        self.now.now()
    }
    pub fn checkpoints(&self) -> usize {
        self.checkpoints.len()
    }
    pub fn deeds(&self) -> &[(SimTime, Action)] {
        &self.deeds
    }

    /// Shows the world at the time, all events up to and including it done.
    pub fn seek(&mut self, t: SimTime) {
        if t < self.now.now() {
            let i = self.checkpoints.partition_point(|(at, _)| *at <= t).saturating_sub(1);
            self.now = self.checkpoints[i].1.clone();
        }
        self.forward(t);
    }

    fn forward(&mut self, t: SimTime) {
        loop {
            let last = self.checkpoints.last().map_or(SimTime::ZERO, |(at, _)| *at);
            let next_mark = last + self.spacing;
            let at_mark = next_mark <= t && self.now.now() < next_mark;
            let stop = if at_mark { next_mark } else { t };
            self.run_with_deeds(stop);
            if at_mark {
                self.checkpoints.push((next_mark, self.now.clone()));
            } else {
                return;
            }
        }
    }

    fn run_with_deeds(&mut self, t: SimTime) {
        let from = self.now.now();
        let due: Vec<(SimTime, Action)> =
            self.deeds.iter().filter(|(at, _)| *at > from && *at <= t).cloned().collect();
        for (at, action) in due {
            self.now.run_until(at);
            self.now.act(&action);
        }
        self.now.run_until(t);
    }

    /// Dispatches one event.
    pub fn step(&mut self) {
        if let Some(t) = self.now.next_time() {
            if self.deeds.iter().any(|(at, _)| *at > self.now.now() && *at <= t) {
                self.forward(t);
            } else {
                self.now.step();
            }
        }
    }

    /// Does something now; what was recorded after this moment is another future and is dropped.
    pub fn act(&mut self, action: Action) {
        let t = self.now.now();
        self.checkpoints.retain(|(at, _)| *at < t || *at == SimTime::ZERO);
        self.deeds.retain(|(at, _)| *at <= t);
        self.now.act(&action);
        self.deeds.push((t, action));
        self.checkpoints.push((t, self.now.clone()));
    }

    /// Runs until the deployment is formed; false if it never is.
    pub fn run_until_formed(&mut self) -> bool {
        while self.now.formed_at.is_none() && self.now.now() < SimTime::ZERO + super::FORMATION_LIMIT {
            let next = self.now.now() + Dur::ms(10);
            self.forward(next);
        }
        self.now.formed_at.is_some()
    }
}
