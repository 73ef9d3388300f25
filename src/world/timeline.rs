//! Time travel: a run with checkpoints, so that any moment can be shown, forward or back.
//!
//! Checkpoints lie a number of dispatched events apart, because events are what replay costs: any
//! moment that was ever reached is at most that many events away. When checkpoints weigh too much,
//! every other one goes and the distance doubles.

use std::collections::VecDeque;
use std::sync::Arc;

use super::World;
use super::host::Program;
use super::plan::{Action, Plan, Step};
use crate::base::{Dur, SimTime};
use crate::redis::registry::Registry;
use crate::trace::{Event, Fact, Level};

/// Dispatched events between checkpoints: a few milliseconds of replay at most.
const SPACING: u64 = 4_000;
/// Bytes that checkpoints may hold, roughly.
const BUDGET: u64 = 192 << 20;
/// What a host weighs apart from its tables, bytes, roughly.
const HOST_WEIGHT: u64 = 8 << 10;

/// A world at some time of its run. Going back restores the last checkpoint before and runs forward
/// from it: the same events in the same order, whatever the spacing.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Ascending; the first is the start of the run.
    checkpoints: Vec<Arc<Checkpoint>>,
    spacing: u64,
    now: World,
    /// Deeds that are in the plan of `now`.
    deeds_done: usize,
    /// Deeds done by hand, in order of time: steps of the run's plan from then on.
    deeds: Vec<(SimTime, Action)>,
    /// All facts of this run as far as it was ever run.
    record: Vec<Event>,
    /// How far that is.
    known_to: SimTime,
    formed_at: Option<SimTime>,
}

/// A copy of a world on its way from one time to another. The way to the first is at most that between two
/// checkpoints.
#[derive(Clone, Debug)]
pub struct Replay {
    world: World,
    /// Those that the copy has not come to.
    deeds: VecDeque<(SimTime, Action)>,
    from: SimTime,
    to: SimTime,
    /// Of its trace.
    level: Level,
    has_begun: bool,
}

impl Replay {
    /// The copy; what it recorded after the first time is in its trace.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Goes on by at most so many dispatched events, of which `step` dispatches those after the first time; true when
    /// it is there.
    pub fn go_on(&mut self, events: u64, mut step: impl FnMut(&mut World)) -> bool {
        let mut left = events;
        if !self.has_begun {
            let quiet = |w: &mut World| {
                w.step();
            };
            if !self.run(self.from, &mut left, quiet) {
                return false;
            }
            self.world.trace.events.clear();
            self.world.trace.level = self.level;
            self.has_begun = true;
        }
        self.run(self.to, &mut left, &mut step)
    }

    fn run(&mut self, to: SimTime, left: &mut u64, mut step: impl FnMut(&mut World)) -> bool {
        loop {
            let deed = self.deeds.front().map(|(at, _)| *at).filter(|at| *at <= to);
            let stop = deed.map_or(to, |at| SimTime(at.0 - 1));
            while self.world.next_time().is_some_and(|next| next <= stop) {
                if *left == 0 {
                    return false;
                }
                *left -= 1;
                step(&mut self.world);
            }
            self.world.run_until(stop);
            match deed.and_then(|_| self.deeds.pop_front()) {
                Some((at, action)) => self.world.add_step(at, action),
                None => return true,
            }
        }
    }
}

/// A world whose facts are in the record.
#[derive(Clone, Debug)]
struct Checkpoint {
    world: World,
    facts: usize,
    deeds_done: usize,
    /// Commands of the record that had no reply yet.
    unanswered: Vec<usize>,
    weight: u64,
}

impl Timeline {
    /// The names of all that the record speaks of, also while the run is looked at where they were not given yet.
    pub fn names(&self) -> &Registry {
        let (now, last) = (&self.now.names, self.checkpoints.last().map(|c| &c.world.names));
        last.filter(|n| n.node_count() > now.node_count()).unwrap_or(now)
    }

    pub fn new(plan: Arc<Plan>, seed: u64, level: Level) -> Timeline {
        Timeline::spaced(plan, seed, level, SPACING)
    }

    /// With another number of dispatched events between checkpoints.
    pub fn spaced(plan: Arc<Plan>, seed: u64, level: Level, spacing: u64) -> Timeline {
        Timeline::of(World::new(plan, seed, level), spacing)
    }

    /// Begins with a world that has run already; earlier moments cannot be shown.
    pub fn of(world: World, spacing: u64) -> Timeline {
        let mut t = Timeline {
            checkpoints: Vec::new(),
            spacing: spacing.max(1),
            now: world,
            deeds_done: 0,
            deeds: Vec::new(),
            record: Vec::new(),
            known_to: SimTime::ZERO,
            formed_at: None,
        };
        t.checkpoint();
        t
    }

    /// The world at the present moment.
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
    /// All facts of this run as far as it was ever run, those of the future too.
    pub fn record(&self) -> &[Event] {
        &self.record
    }
    /// The furthest moment that this run has reached.
    pub fn known_to(&self) -> SimTime {
        self.known_to
    }
    /// When the deployment was formed, if the run got there.
    pub fn formed_at(&self) -> Option<SimTime> {
        self.formed_at
    }

    /// Shows the world at the time, all events up to and including it done.
    pub fn seek(&mut self, t: SimTime) {
        while !self.approach(t, u64::MAX) {}
    }

    /// Goes towards the time by at most so many dispatched events; true when it is there. What a screen
    /// calls in slices, so that it never waits long.
    pub fn approach(&mut self, t: SimTime, events: u64) -> bool {
        self.jump(t);
        let mut left = events;
        loop {
            let deed = self.deeds.get(self.deeds_done).filter(|(at, _)| *at <= t).cloned();
            let stop = deed.as_ref().map_or(t, |(at, _)| SimTime(at.0 - 1));
            while self.now.next_time().is_some_and(|next| next <= stop) {
                if left == 0 {
                    self.learn();
                    return false;
                }
                left -= 1;
                self.now.step();
                self.checkpoint_if_due();
            }
            self.now.run_until(stop);
            match deed {
                Some((at, action)) => {
                    self.now.add_step(at, action);
                    self.deeds_done += 1;
                }
                None => {
                    self.learn();
                    return true;
                }
            }
        }
    }

    /// Does something at the next moment at which nothing else happens, a microsecond or a few from now, and goes
    /// there. It becomes a step of the run's plan. What was recorded after this moment is another future and is
    /// dropped, with the deeds in it. Before the deployment is formed nothing can be done.
    pub fn act(&mut self, action: Action) {
        if self.now.formed_at.is_none() {
            return;
        }
        self.seek(self.now.now());
        let mut at = SimTime(self.now.now().0 + 1);
        while self.now.next_time() == Some(at) {
            self.now.run_until(at);
            at = SimTime(at.0 + 1);
        }
        self.deeds.truncate(self.deeds_done);
        self.record.truncate(self.now.trace.events.len());
        self.checkpoints.retain(|c| c.world.dispatched() <= self.now.dispatched());
        self.formed_at = self.now.formed_at;
        self.known_to = self.now.now();
        self.deeds.push((at, action));
        self.seek(at);
    }

    /// A copy of the world that will run from one time to another, for looking at what a record does not hold.
    pub fn replay(&self, from: SimTime, to: SimTime, level: Level) -> Replay {
        let c = self.checkpoint_before(from);
        let deeds = self.deeds[c.deeds_done..].iter().filter(|(at, _)| *at <= to).cloned().collect();
        Replay { world: c.world.clone(), deeds, from, to, level, has_begun: false }
    }

    /// The plan of this run with all that was done by hand: alone, it makes the same run.
    pub fn plan(&self) -> Arc<Plan> {
        let mut plan = Plan::clone(&self.checkpoints[0].world.plan);
        let formed = self.formed_at.unwrap_or_default();
        for (at, action) in &self.deeds {
            let after = at.since(formed);
            let i = plan.steps.partition_point(|s| s.at <= after);
            plan.steps.insert(i, Step { at: after, action: action.clone() });
        }
        Arc::new(plan)
    }

    fn checkpoint_before(&self, t: SimTime) -> &Arc<Checkpoint> {
        let i = self.checkpoints.partition_point(|c| c.world.now() <= t).saturating_sub(1);
        &self.checkpoints[i]
    }

    /// Runs until the deployment is formed; false if it never is.
    pub fn run_until_formed(&mut self) -> bool {
        while self.now.formed_at.is_none() && self.now.now() < SimTime::ZERO + super::FORMATION_LIMIT {
            let next = self.now.now() + Dur::ms(10);
            self.seek(next);
        }
        self.now.formed_at.is_some()
    }

    /// Restores the checkpoint from which the time is nearest, if that is nearer than from here.
    fn jump(&mut self, t: SimTime) {
        let back = t < self.now.now();
        let c = Arc::clone(self.checkpoint_before(t));
        if !back && c.world.dispatched() <= self.now.dispatched() {
            return;
        }
        let mut world = c.world.clone();
        // What both have in common stays where it is: a record is long, and most ways are short.
        let mut events = std::mem::take(&mut self.now.trace.events);
        events.truncate(c.facts);
        events.extend_from_slice(&self.record[events.len()..c.facts]);
        world.trace.events = events;
        for &i in &c.unanswered {
            if let Fact::Command { reply, .. } = &mut world.trace.events[i].fact {
                *reply = "".into();
            }
        }
        self.deeds_done = c.deeds_done;
        self.now = world;
    }

    fn checkpoint_if_due(&mut self) {
        let last = self.checkpoints.last().map_or(0, |c| c.world.dispatched());
        if self.now.dispatched() >= last + self.spacing {
            self.checkpoint();
        }
    }

    fn checkpoint(&mut self) {
        self.learn();
        let events = std::mem::take(&mut self.now.trace.events);
        let world = self.now.clone();
        self.now.trace.events = events;
        let unanswered = unanswered(&self.now.trace.events);
        let facts = self.now.trace.events.len();
        let weight = weight(&world);
        let deeds_done = self.deeds_done;
        self.checkpoints.push(Arc::new(Checkpoint { world, facts, deeds_done, unanswered, weight }));
        while self.checkpoints.len() > 2 && self.checkpoints.iter().map(|c| c.weight).sum::<u64>() > BUDGET {
            let mut i = 0;
            self.checkpoints.retain(|_| {
                i += 1;
                i % 2 == 1
            });
            self.spacing *= 2;
        }
    }

    /// Keeps what this run has shown so far.
    fn learn(&mut self) {
        let facts = &self.now.trace.events;
        if facts.len() >= self.record.len() {
            for i in unanswered(&self.record) {
                self.record[i] = facts[i].clone();
            }
            self.record.extend_from_slice(&facts[self.record.len()..]);
        }
        self.known_to = self.known_to.max(self.now.now());
        self.formed_at = self.formed_at.or(self.now.formed_at);
    }
}

/// Commands without a reply among the latest facts: replies come within a moment or, from a node that
/// died, never.
fn unanswered(facts: &[Event]) -> Vec<usize> {
    let from = facts.len().saturating_sub(256);
    let open = |e: &Event| matches!(&e.fact, Fact::Command { reply, .. } if reply.is_empty());
    (from..facts.len()).filter(|&i| open(&facts[i])).collect()
}

/// Bytes of a checkpoint, roughly: what grows with the deployment and with the run.
fn weight(world: &World) -> u64 {
    let host = |program: &Option<Program>| match program {
        Some(Program::Server(s)) => s.bus.as_ref().map_or(0, |b| b.table_bytes()),
        Some(Program::Client(c)) => c.bytes(),
        _ => 0,
    };
    world.hosts.iter().map(|h| HOST_WEIGHT + host(&h.program) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Config;

    use crate::world::plan::{Formation, NodeSpec, Start};

    fn conf(port: u16) -> Config {
        let mut conf = Config::default();
        conf.port = port;
        conf.cluster_enabled = true;
        conf.cluster_node_timeout = 2000;
        conf
    }

    fn plan() -> Arc<Plan> {
        let nodes = (0..6u16)
            .map(|i| NodeSpec {
                start: Start::At(Dur::ZERO),
                ..NodeSpec::new(format!("n{}", i + 1), conf(7000 + i))
            })
            .collect();
        Arc::new(Plan {
            formation: Formation::NodesConf { masters: 3 },
            steps: vec![
                Step { at: Dur::secs(1), action: Action::Kill { node: "n1".into() } },
                Step {
                    at: Dur::secs(2),
                    action: Action::Command { node: "n2".into(), words: vec!["PING".into()] },
                },
            ],
            ..Plan::new("a master dies", nodes)
        })
    }

    fn after(t: &Timeline, d: Dur) -> SimTime {
        t.formed_at().expect("formed") + d
    }

    #[test]
    fn seeking_is_the_same_as_running_whatever_the_spacing() {
        let mut straight = World::new(plan(), 1, Level::Debug);
        assert!(straight.run_until_formed());
        let formed = straight.now();
        let ends: Vec<Dur> = [7000, 2000, 2001, 500, 6500, 1000, 999].into_iter().map(Dur::ms).collect();
        for spacing in [1, 97, 5000, u64::MAX / 2] {
            let mut t = Timeline::spaced(plan(), 1, Level::Debug, spacing);
            assert!(t.run_until_formed());
            for &d in &ends {
                t.seek(formed + d);
                let mut w = World::new(plan(), 1, Level::Debug);
                w.run_until(formed + d);
                assert_eq!(t.world().trace.digest, w.trace.digest, "spacing {spacing}, {d}");
                assert_eq!(t.world().trace.events, w.trace.events, "spacing {spacing}, {d}");
                assert_eq!(t.now(), w.now());
            }
        }
    }

    #[test]
    fn slices_arrive_where_one_go_does() {
        let mut a = Timeline::new(plan(), 3, Level::Headline);
        assert!(a.run_until_formed());
        let mut b = a.clone();
        let to = after(&a, Dur::secs(5));
        a.seek(to);
        let mut slices = 0;
        while !b.approach(to, 50) {
            slices += 1;
        }
        assert!(slices > 10);
        assert_eq!(a.world().trace.digest, b.world().trace.digest);
    }

    #[test]
    fn the_known_future_stays_until_a_deed_changes_it() {
        let mut t = Timeline::spaced(plan(), 1, Level::Headline, 500);
        assert!(t.run_until_formed());
        let (early, late) = (after(&t, Dur::ms(500)), after(&t, Dur::secs(8)));
        t.seek(late);
        let record = t.record().len();
        t.seek(early);
        assert_eq!((t.record().len(), t.known_to()), (record, late));
        t.act(Action::Kill { node: "n2".into() });
        assert_eq!(t.known_to(), SimTime(early.0 + 1));
        assert!(t.record().len() < record);
        let dead = t.world().host("n2").expect("n2");
        t.seek(late);
        let digest = t.world().trace.digest.clone();
        t.seek(early);
        assert!(t.world().server(dead).is_some(), "the moment before the deed");
        t.seek(SimTime(early.0 + 1));
        assert!(t.world().server(dead).is_none(), "the deed is part of the moment");
        t.seek(late);
        assert_eq!(t.world().trace.digest, digest, "the deed is replayed");
        let mut straight = World::new(t.plan(), 1, Level::Headline);
        straight.run_until(late);
        assert_eq!(straight.trace.digest, digest, "a plan that has the deed as a step makes the same run");
        let mut copy = t.replay(early, late, Level::Headline);
        let mut steps = 0;
        let mut slices = 1;
        let mut step = |w: &mut World| {
            w.step();
            steps += 1;
        };
        while !copy.go_on(50, &mut step) {
            slices += 1;
        }
        assert_eq!(copy.world().trace.digest, digest, "and so does a copy");
        assert!(slices > 10 && steps > 50 * (slices - 10), "{steps} events in {slices} slices");
        t.seek(SimTime::ZERO);
        assert!(t.world().formed_at.is_none() && t.formed_at().is_some());
    }
}
