//! Moving through a run: play, seek, and jumps to the next or last event of a kind.

use super::{Model, SPEEDS};
use crate::base::{Dur, Id, SimTime};
use crate::trace::{Event, Fact, FactId, HostId};
use crate::tui::console;
use crate::tui::words::{Said, said};
use crate::world::probe::messages::{Flight, Search, flights, ticks};
use crate::world::probe::view::{Observer, Opinion};

/// How far a search for the next event runs ahead.
const SEARCH_LIMIT: Dur = Dur::secs(600);
/// A formation that takes longer has failed.
const FORM_LIMIT: Dur = Dur::secs(600);
/// How far to look for a packet or a tick: there are several of each in every second.
const NEAR: Dur = Dur::ms(300);
const FAR: Dur = Dur::secs(3);

/// What the player wants of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Nothing,
    Formed,
    At(SimTime),
    /// The next event of a kind after this many, no later than the time.
    Find {
        what: Kind,
        from: usize,
        /// Where the search began.
        after: SimTime,
        until: SimTime,
    },
}

/// Kinds of events that one can jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the list shows.
    Listed,
    Landmark,
    Failure,
    Election,
    Disagreement,
    /// An acknowledged write is lost.
    Loss,
}

impl Kind {
    fn name(self) -> Said {
        match self {
            Kind::Listed => said("event of the list", "列表中的事件"),
            Kind::Landmark => said("headline", "要闻"),
            Kind::Failure => said("failure", "故障"),
            Kind::Election => said("election", "选举"),
            Kind::Disagreement => said("disagreement", "分歧"),
            Kind::Loss => said("lost write", "丢失的写"),
        }
    }
}

/// The packets of a stretch of time, which are the same for every moment in its middle. To find them, a copy of the
/// world must run: nobody waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Packets {
    of: Option<Stretch>,
    all: Vec<Flight>,
    search: Option<(Stretch, Search)>,
}

/// Which future, how much was done by hand in it, and the number of the stretch.
type Stretch = (usize, usize, u64);

impl Model {
    fn stretch(&self) -> Stretch {
        let step = stretch(self.nodes() as u64).0;
        (self.future, self.timeline.deeds().len(), self.now().0 / step)
    }

    /// Whether the packets around now are known.
    pub fn has_packets(&self) -> bool {
        self.packets.of == Some(self.stretch())
    }

    /// Looks for the packets around now, by at most so many dispatched events.
    pub(super) fn look_for_packets(&mut self, events: u64) {
        let of = self.stretch();
        if self.packets.search.as_ref().is_none_or(|(which, _)| *which != of) {
            let step = stretch(self.nodes() as u64).0;
            let from = SimTime((of.2 * step).saturating_sub(step));
            self.packets.search = Some((of, Search::new(&self.timeline, from, SimTime((of.2 + 2) * step))));
        }
        let Some((_, search)) = &mut self.packets.search else { return };
        if let Some(all) = search.go_on(events) {
            self.packets = Packets { of: Some(of), all, search: None };
        }
    }

    /// Packets before and after now, about as many as there are rows. Until those of this stretch are found, the last
    /// ones do for the next stretch too: they reach into it.
    pub(super) fn packets_around(&self, rows: usize) -> Vec<Flight> {
        let (future, deeds, number) = self.stretch();
        let reach = |of: &Stretch| (of.0, of.1) == (future, deeds) && of.2.abs_diff(number) <= 1;
        let all: &[Flight] =
            if self.packets.of.as_ref().is_some_and(reach) { &self.packets.all } else { &[] };
        let before = all.partition_point(|f| f.begins() <= self.now());
        let first = before.saturating_sub((rows * 2 / 3).max(1));
        all[first..].iter().take(rows).copied().collect()
    }
}

/// A time in which about sixty packets are sent: a node sends a few in a second, and more the more others there are.
fn stretch(nodes: u64) -> Dur {
    Dur((60_000_000 / (nodes * nodes / 10 + 2 * nodes).max(1)).clamp(20_000, 2_000_000))
}

/// Moments that are no events of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fine {
    Packet,
    Cron,
}

impl Model {
    pub(super) fn tick(&mut self, passed: Dur) {
        if !self.playing || self.is_waiting() {
            return;
        }
        let (mul, div) = SPEEDS[self.speed];
        let us = passed.0 * mul + self.carry;
        self.carry = us % div;
        self.goal = Goal::At(self.now() + Dur(us / div));
    }

    pub(super) fn work(&mut self, events: u64) {
        let known = self.timeline.record().len();
        match self.goal {
            Goal::Nothing if self.has_background() => return self.background(events),
            Goal::Nothing => return,
            Goal::Formed => self.form(events),
            Goal::At(t) => {
                if self.timeline.approach(t, events) {
                    self.goal = Goal::Nothing;
                }
            }
            Goal::Find { what: Kind::Loss, .. } if !self.accounts.are_ready(&self.timeline) => {
                self.accounts.go_on(&self.timeline, events);
                self.look(Kind::Loss, 0, false);
            }
            Goal::Find { what, from, until, .. } => {
                // No further than a little ahead, so that what is found is near.
                let step = (self.timeline.known_to() + Dur::secs(1)).min(until);
                let arrived = self.timeline.approach(step, events) && step == until;
                self.learn();
                self.look(what, from, arrived);
            }
        }
        self.stale = true;
        if self.timeline.record().len() > known || !self.roles_known {
            self.learn();
        }
    }

    fn form(&mut self, events: u64) {
        // In small steps of time, so that it stops near the moment of formation.
        let next = self.now() + Dur::ms(100);
        if !self.timeline.approach(next, events) {
            return;
        }
        if let Some(formed) = self.timeline.formed_at() {
            self.goal = Goal::At(formed);
        } else if self.now() > SimTime::ZERO + FORM_LIMIT {
            self.goal = Goal::Nothing;
            let never = said(
                "this deployment did not form a cluster within 10 minutes",
                "这个部署在 10 分钟内没有组成集群",
            );
            self.notice(never, &[]);
        }
    }

    /// Goes to a time, in the slices of work that follow.
    pub fn seek(&mut self, t: SimTime) {
        self.playing = false;
        self.cursor = None;
        self.goal = Goal::At(t);
    }

    pub(super) fn skip(&mut self, ms: i64) {
        let t = self.now().0.saturating_add_signed(ms * 1000);
        self.seek(SimTime(t));
    }

    /// Shows the moment of an event and selects it.
    pub(super) fn show(&mut self, i: usize) {
        self.seek(self.record()[i].at);
        self.cursor = Some(i);
    }

    fn is_kind(&self, i: usize, what: Kind) -> bool {
        let e = &self.record()[i];
        match what {
            Kind::Listed => self.is_listed(e),
            Kind::Landmark => is_landmark(&e.fact),
            Kind::Failure => is_failure(&e.fact),
            Kind::Election => is_election(&e.fact),
            Kind::Disagreement => self.lanes.disagreements.binary_search(&FactId::new(i)).is_ok(),
            Kind::Loss => false,
        }
    }

    pub(super) fn next(&mut self, what: Kind) {
        let from = match self.cursor {
            Some(i) => i + 1,
            None => self.record().partition_point(|e| e.at <= self.now()),
        };
        let until = self.timeline.known_to().max(self.now()) + SEARCH_LIMIT;
        self.playing = false;
        if what == Kind::Loss && self.accounts.clients() == 0 {
            let none = said("no client writes here: nothing can be lost", "这里没有客户端在写：没有什么可丢");
            return self.notice(none, &[]);
        }
        self.look(what, from, false);
        if self.goal == Goal::Nothing {
            self.goal = Goal::Find { what, from: self.record().len().max(from), after: self.now(), until };
        }
    }

    /// Looks for an event among the known ones.
    fn look(&mut self, what: Kind, from: usize, give_up: bool) {
        if what == Kind::Loss {
            let ready = self.accounts.are_ready(&self.timeline);
            let after = match self.goal {
                Goal::Find { after, .. } => after,
                _ => self.now(),
            };
            if let Some(t) = self.accounts.next_loss(after) {
                self.seek(t);
            } else if give_up && ready {
                self.give_up(what);
            }
            return;
        }
        if let Some(i) = (from..self.record().len()).find(|&i| self.is_kind(i, what)) {
            self.show(i);
        } else if give_up {
            self.give_up(what);
        } else if let Goal::Find { from: place, .. } = &mut self.goal {
            *place = self.timeline.record().len().max(from);
        }
    }

    fn give_up(&mut self, what: Kind) {
        self.goal = Goal::Nothing;
        let name = self.say(what.name());
        self.notice(said("no {0} in the next 10 minutes", "接下来 10 分钟没有{0}"), &[&name]);
    }

    pub(super) fn prev(&mut self, what: Kind) {
        if what == Kind::Loss {
            match self.accounts.last_loss(self.now()) {
                Some(t) => self.seek(t),
                None => {
                    let none = said(
                        "no lost write before, as far as the run was counted",
                        "就已数过的部分，之前没有丢失的写",
                    );
                    self.notice(none, &[]);
                }
            }
            return;
        }
        let before = match self.cursor {
            Some(i) => i,
            None => self.record().partition_point(|e| e.at < self.now()),
        };
        match (0..before).rev().find(|&i| self.is_kind(i, what)) {
            Some(i) => self.show(i),
            None => {
                let name = self.say(what.name());
                self.notice(said("no {0} before", "之前没有{0}"), &[&name]);
            }
        }
    }

    // ---- packets and ticks ------------------------------------------------------------------------

    /// The next, or the last, packet read or tick of a serverCron.
    pub(super) fn fine(&mut self, what: Fine, forward: bool) {
        let now = self.now();
        for reach in [NEAR, FAR] {
            let back = SimTime(now.0.saturating_sub(reach.0));
            let (from, to) =
                if forward { (now, now + reach) } else { (back, SimTime(now.0.saturating_sub(1))) };
            let found = match what {
                Fine::Packet => {
                    let mut all: Vec<Flight> = flights(&self.timeline, from, to);
                    all.retain(|f| f.read.is_some_and(|t| t > from && t <= to));
                    all.sort_by_key(|f| f.read);
                    let f = if forward { all.first() } else { all.last() };
                    f.map(|f| (f.read.unwrap_or_default(), self.flight_words(f)))
                }
                Fine::Cron => {
                    let all = ticks(&self.timeline, from, to);
                    let t = if forward { all.first() } else { all.last() };
                    let runs = said("{0} runs its serverCron", "{0} 执行 serverCron");
                    t.map(|t| (t.at, runs.with(self.lang, &[&self.host_name(t.host)])))
                }
            };
            if let Some((t, words)) = found {
                self.seek(t);
                self.note = Some(words);
                return;
            }
        }
        let none = match what {
            Fine::Packet => said("no packet within {0} s", "{0} s 之内没有报文"),
            Fine::Cron => said("no tick of a serverCron within {0} s", "{0} s 之内没有 serverCron"),
        };
        self.notice(none, &[&(FAR.0 / 1_000_000)]);
    }

    /// A packet in a few words.
    pub fn flight_words(&self, f: &Flight) -> String {
        let to = f.to.map_or("?", |h| self.host_name(h));
        let kind = crate::trace::text::packet_kind(f.kind);
        let took = match (f.sent, f.read) {
            (Some(a), Some(b)) => said(", {0} after it was sent", "，发出后 {0}")
                .with(self.lang, &[&super::text::about(b.since(a))]),
            _ => String::new(),
        };
        said("{0} reads {1} from {2}{3}", "{0} 读到 {2} 的 {1}{3}")
            .with(self.lang, &[&to, &kind, &self.host_name(f.from), &took])
    }

    // ---- bookmarks and beliefs --------------------------------------------------------------------

    pub(super) fn toggle_bookmark(&mut self) {
        let now = self.now();
        match self.bookmarks.binary_search(&now) {
            Ok(i) => {
                self.bookmarks.remove(i);
                self.notice(said("bookmark removed", "书签已删除"), &[]);
            }
            Err(i) => {
                self.bookmarks.insert(i, now);
                let set = said(
                    "bookmark set; ' and \" go from one to the next",
                    "已设书签；用 ' 和 \" 在书签间跳转",
                );
                self.notice(set, &[]);
            }
        }
    }

    pub(super) fn go_to_bookmark(&mut self, forward: bool) {
        let now = self.now();
        let found = if forward {
            self.bookmarks.iter().find(|t| **t > now)
        } else {
            self.bookmarks.iter().rev().find(|t| **t < now)
        };
        match found {
            Some(&t) => self.seek(t),
            None => self.notice(said("no bookmark there; b sets one", "那边没有书签；按 b 设一个"), &[]),
        }
    }

    /// What a node's opinion of another was from each time on, as far as now.
    fn opinions(&self, believer: usize, about: usize) -> Vec<(SimTime, Opinion, usize)> {
        let mut out = vec![(SimTime::ZERO, Opinion::Fine, 0)];
        let names = &self.timeline.world().names;
        for (i, e) in self.record().iter().enumerate().take_while(|(_, e)| e.at <= self.now()) {
            if e.host != HostId::new(believer) {
                continue;
            }
            if let Some((node, opinion)) = changed_opinion(e)
                && names.owner(node) == Some(HostId::new(about))
            {
                out.push((e.at, opinion, i));
            }
        }
        out
    }

    /// Goes to the last moment at which the believer held this opinion; without one, at which it changed its mind.
    pub(super) fn when(&mut self, believer: usize, about: usize, opinion: Option<Opinion>) {
        let all = self.opinions(believer, about);
        let (who, whom) = (self.node_name(believer).to_string(), self.node_name(about).to_string());
        let Some(wanted) = opinion else {
            match all.iter().skip(1).rev().find(|(at, ..)| *at < self.now()) {
                Some(&(_, o, i)) => {
                    self.show(i);
                    let from = said("{0} holds {1} for {2} from here on", "从这里起 {0} 认为 {1} 是 {2}");
                    self.notice(from, &[&who, &whom, &o.word()]);
                }
                None => {
                    let never = said("{0} never thought otherwise of {1}", "{0} 对 {1} 的看法从未改变");
                    self.notice(never, &[&who, &whom]);
                }
            }
            return;
        };
        match all.iter().rposition(|(_, o, _)| *o == wanted) {
            Some(i) if i + 1 == all.len() => {
                let now = said("{0} holds {1} for {2} now", "{0} 现在就认为 {1} 是 {2}");
                self.notice(now, &[&who, &whom, &wanted.word()]);
            }
            Some(i) => {
                self.seek(SimTime(all[i + 1].0.0.saturating_sub(1)));
                let last =
                    said("the last moment at which {0} held {1} for {2}", "{0} 最后一刻认为 {1} 是 {2}");
                self.notice(last, &[&who, &whom, &wanted.word()]);
            }
            None => {
                let never = said("{0} never held {1} for {2} so far", "到目前为止 {0} 从未认为 {1} 是 {2}");
                self.notice(never, &[&who, &whom, &wanted.word()]);
            }
        }
    }

    /// When the observer, or else anybody, last changed its mind about the selected node.
    pub(super) fn believed(&mut self) {
        if let Observer::Node(h) = self.observer {
            return self.when(h.index(), self.node, None);
        }
        let names = &self.timeline.world().names;
        let about = Some(HostId::new(self.node));
        let before = self.cursor.unwrap_or_else(|| self.record().partition_point(|e| e.at < self.now()));
        let is = |e: &Event| changed_opinion(e).is_some_and(|(node, _)| names.owner(node) == about);
        match (0..before).rev().find(|&i| is(&self.record()[i])) {
            Some(i) => self.show(i),
            None => {
                let whom = self.node_name(self.node).to_string();
                let nobody = said("nobody thought otherwise of {0} before", "之前没有谁对 {0} 改变过看法");
                self.notice(nobody, &[&whom]);
            }
        }
    }

    pub(super) fn go_to(&mut self, line: &str) {
        match super::text::parse_time(line) {
            Ok(us) => {
                let zero = self.timeline.formed_at().unwrap_or_default();
                self.seek(SimTime(zero.0.saturating_add_signed(us)));
            }
            Err(_) => self.notice(console::NO_TIME, &[&line.trim()]),
        }
    }
}

/// Whom a fact changes its host's opinion of, and what it is from then on.
fn changed_opinion(e: &Event) -> Option<(crate::trace::NodeId, Opinion)> {
    match e.fact {
        Fact::Pfail { node } => Some((node, Opinion::Suspected)),
        Fact::FailQuorum { node, .. } | Fact::FailMessage { node, .. } => Some((node, Opinion::Failed)),
        Fact::PfailCleared { node } | Fact::FailCleared { node, .. } => Some((node, Opinion::Fine)),
        _ => None,
    }
}

/// What a reader of the run must not miss.
pub fn is_landmark(fact: &Fact) -> bool {
    is_fault(fact)
        || is_failure(fact)
        || is_election(fact)
        || matches!(
            fact,
            Fact::Formed
                | Fact::Begun
                | Fact::Started { .. }
                | Fact::Resumed
                | Fact::LinkHealed { .. }
                | Fact::Command { .. }
                | Fact::Say { .. }
                | Fact::StateChanged { .. }
        )
}

fn is_fault(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Killed
            | Fact::Exited { .. }
            | Fact::Crashed
            | Fact::Paused
            | Fact::Busy { .. }
            | Fact::LinkCut { .. }
            | Fact::ClockJumped { .. }
    )
}

/// Faults, failures found, elections.
fn is_failure(fact: &Fact) -> bool {
    use crate::trace::sentinel::Kind as Sentinel;
    is_fault(fact)
        || matches!(
            fact,
            Fact::FailQuorum { .. }
                | Fact::ElectionStarted { .. }
                | Fact::ElectionWon { .. }
                | Fact::Promoted { .. }
        )
        || matches!(fact, Fact::Sentinel(e) if matches!(e.event, Sentinel::Odown | Sentinel::Switch))
}

/// Elections and what comes of them.
fn is_election(fact: &Fact) -> bool {
    use crate::trace::sentinel::Kind as Sentinel;
    matches!(fact, Fact::ElectionStarted { .. } | Fact::ElectionWon { .. } | Fact::Promoted { .. })
        || matches!(fact, Fact::Sentinel(e) if matches!(e.event, Sentinel::TryFailover | Sentinel::Elected))
}
