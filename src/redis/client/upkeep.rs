//! What an application's client does beside its commands: connections that open and close, the map of slots,
//! deadlines and wakes.

use super::app::{App, NEVER, ReadFrom, Refresh, Stage, Wake, Why};
use super::library::{Sharing, Sources, Trouble};
use super::links::Expected;
use super::topology::{NOBODY, Node};
use super::{EXPIRE, Outcome, WAKE};
use crate::base::{Dur, NodeTime};
use crate::redis::{Addr, Cx, Timer};
use crate::resp::Value;
use crate::trace::ConnId;

/// A connection that is opened again waits at most so long. lettuce: DefaultClientResources.DEFAULT_RECONNECT_DELAY
const RECONNECT_MAX: Dur = Dur::secs(30);

impl App {
    fn addr(&self, node: Node) -> Addr {
        self.topology.nodes[usize::from(node)]
    }

    // ---- connections ----------------------------------------------------------------------------

    /// A connection to the node: an idle one, the shared one, or one that is being opened.
    pub(super) fn link_to(&mut self, cx: &mut Cx<'_>, node: Node) -> u32 {
        let shared = self.spec.rules.sharing == Sharing::Shared;
        if let Some(link) = self.links.take(node, shared) {
            return link;
        }
        let link = self.links.add(node, shared);
        self.open(cx, link);
        link
    }

    fn open(&mut self, cx: &mut Cx<'_>, link: u32) {
        let addr = self.addr(self.links.get(link).node);
        let conn = cx.connect(addr, link);
        let l = self.links.get_mut(link);
        l.conn = conn;
        l.attempts += 1;
    }

    /// The connection of an event, if it is still that one.
    fn current(&self, conn: ConnId, tag: u32) -> bool {
        self.links.has(tag) && self.links.get(tag).conn == conn
    }

    pub(super) fn connected(&mut self, cx: &mut Cx<'_>, conn: ConnId, tag: u32) {
        if !self.current(conn, tag) {
            return;
        }
        let l = self.links.get_mut(tag);
        l.up = true;
        l.attempts = 0;
        let waiting = std::mem::take(&mut l.waiting);
        if self.spec.read_from == ReadFrom::Replica {
            self.links.words(cx, tag, &["READONLY"], Expected::Nothing);
        }
        if self.refresh.as_ref().is_some_and(|r| r.link == tag) {
            self.ask_map(cx, tag);
        }
        for lane in waiting {
            if self.lanes[lane as usize].stage == Stage::Connecting && self.lanes[lane as usize].link == tag {
                self.transmit(cx, lane);
            }
        }
    }

    pub(super) fn lost(&mut self, cx: &mut Cx<'_>, conn: ConnId, tag: u32, refused: bool) {
        if !self.current(conn, tag) {
            return;
        }
        let refreshing = self.refresh.as_ref().is_some_and(|r| r.link == tag);
        if self.links.get(tag).shared && self.waits_for_links() {
            self.reopen(cx, tag);
        } else {
            let gone = self.links.remove(tag);
            let why = if refused { Why::Refused } else { Why::Closed };
            for expected in gone.expected {
                if let Expected::Command { lane, serial } = expected
                    && self.lanes[lane as usize].serial == serial
                {
                    self.trouble(cx, lane, why);
                }
            }
            for lane in gone.waiting {
                if self.lanes[lane as usize].stage == Stage::Connecting
                    && self.lanes[lane as usize].link == tag
                {
                    self.trouble(cx, lane, why);
                }
            }
        }
        if refreshing {
            self.ask_next(cx);
        }
    }

    /// A shared connection is lost: its commands wait, those under way too, and it is opened again.
    fn reopen(&mut self, cx: &mut Cx<'_>, link: u32) {
        let l = self.links.get_mut(link);
        l.up = false;
        l.conn = ConnId::NONE;
        let attempts = l.attempts;
        for expected in std::mem::take(&mut l.expected) {
            if let Expected::Command { lane, serial } = expected {
                let at = &mut self.lanes[lane as usize];
                if at.serial == serial && matches!(at.stage, Stage::Sent | Stage::Waits) {
                    at.stage = Stage::Connecting;
                    at.serial = at.serial.wrapping_add(1);
                    at.maybe = true;
                    self.links.wait(link, lane);
                }
            }
        }
        if let Trouble::Reconnect { refresh: Some((from, rest)) } = self.spec.rules.trouble
            && attempts >= from
        {
            self.refresh_beside(cx, rest);
        }
        let delay = Dur::ms(1 << attempts.min(20)).min(RECONNECT_MAX);
        self.wake(cx, delay, Wake::Link(link));
    }

    pub(super) fn reply(&mut self, cx: &mut Cx<'_>, conn: ConnId, tag: u32, v: &Value) {
        if !self.current(conn, tag) {
            return;
        }
        match self.links.get_mut(tag).expected.pop_front() {
            Some(Expected::Command { lane, serial }) => {
                if self.lanes[lane as usize].serial == serial {
                    self.answered(cx, lane, v);
                }
            }
            Some(Expected::Map) => self.heard_map(cx, tag, v),
            Some(Expected::Nothing) | None => {}
        }
    }

    // ---- the map --------------------------------------------------------------------------------

    /// The command waits until the map is there; then it is routed again.
    pub(super) fn await_map(&mut self, cx: &mut Cx<'_>, lane: u32) {
        if self.refresh.is_none() {
            self.start_refresh(cx, None);
        }
        match &mut self.refresh {
            Some(r) => r.waiting.push(lane),
            None => self.end(cx, lane, Outcome::Refused, "no node to ask for the slots"),
        }
    }

    /// Asks for the map beside the commands, unless that was done within `rest`.
    pub(super) fn refresh_beside(&mut self, cx: &mut Cx<'_>, rest: Dur) {
        if self.refresh.is_some() || self.asked_at.is_some_and(|t| cx.now.since(t) < rest) {
            return;
        }
        self.asked_at = Some(cx.now);
        self.start_refresh(cx, None);
    }

    /// Asks for the map, first of `first`.
    pub(super) fn start_refresh(&mut self, cx: &mut Cx<'_>, first: Option<Node>) {
        let mut queue: Vec<Node> = (0..self.topology.nodes.len() as Node).collect();
        if self.spec.rules.sources == Sources::Random {
            for i in (1..queue.len()).rev() {
                queue.swap(i, self.chance.below(i as u32 + 1) as usize);
            }
        }
        queue.reverse();
        if let Some(first) = first {
            queue.retain(|&n| n != first);
            queue.push(first);
        }
        self.refresh = Some(Refresh { queue, link: u32::MAX, deadline: NEVER, waiting: Vec::new() });
        self.ask_next(cx);
    }

    /// Asks the next node for the map.
    fn ask_next(&mut self, cx: &mut Cx<'_>) {
        let Some(node) = self.refresh.as_mut().and_then(|r| r.queue.pop()) else {
            return self.refreshed(cx, false);
        };
        // A pooled connection, or one of its own: a shared one may be in the middle of being opened again.
        let link = match self.links.take(node, self.spec.rules.sharing == Sharing::Shared) {
            Some(link) if self.links.is_up(link) => link,
            Some(_) => return self.ask_next(cx),
            None => self.link_to(cx, node),
        };
        let up = self.links.is_up(link);
        let timeout = if up { self.spec.rules.timeout } else { self.spec.rules.connect_timeout };
        let deadline = timeout.map_or(NEVER, |t| cx.now + t);
        if let Some(r) = &mut self.refresh {
            (r.link, r.deadline) = (link, deadline);
        }
        self.expire_by(cx, deadline);
        if up {
            self.ask_map(cx, link);
        }
    }

    fn ask_map(&mut self, cx: &mut Cx<'_>, link: u32) {
        let deadline = self.spec.rules.timeout.map_or(NEVER, |t| cx.now + t);
        if let Some(r) = &mut self.refresh {
            r.deadline = deadline;
        }
        self.links.words(cx, link, &["CLUSTER", "SLOTS"], Expected::Map);
        self.expire_by(cx, deadline);
    }

    fn heard_map(&mut self, cx: &mut Cx<'_>, link: u32, v: &Value) {
        self.links.give_back(link);
        if self.refresh.as_ref().is_none_or(|r| r.link != link) {
            return;
        }
        let from = self.addr(self.links.get(link).node);
        match self.topology.replace(v, from) {
            true => {
                if !self.grouped {
                    self.grouped = true;
                    let topology = &self.topology;
                    self.history.group(|slot| topology.group(slot));
                }
                self.history.counts.refreshes += 1;
                self.refreshed_at = cx.now;
                self.refreshed(cx, true);
            }
            false => self.ask_next(cx),
        }
    }

    /// The map was heard, or nobody has one: commands that waited go on.
    fn refreshed(&mut self, cx: &mut Cx<'_>, heard: bool) {
        let Some(r) = self.refresh.take() else { return };
        for lane in r.waiting {
            if self.lanes[lane as usize].stage != Stage::NeedsMap {
                continue;
            }
            let node = self.lanes[lane as usize].node;
            if !self.topology.is_known() || (!heard && self.spec.rules.needs_map) {
                self.end(cx, lane, Outcome::Refused, "no node told the slots");
            } else if node == NOBODY {
                self.route(cx, lane);
            } else {
                self.send_to(cx, lane, node);
            }
        }
    }

    // ---- time -----------------------------------------------------------------------------------

    pub(super) fn wake(&mut self, cx: &mut Cx<'_>, after: Dur, what: Wake) {
        let at = cx.now + after;
        self.wakes.insert((at, what));
        if at < self.wake_at {
            self.wake_at = at;
            cx.arm(Timer::Tick(WAKE), after);
        }
    }

    /// Everything whose time has come.
    pub(super) fn woken(&mut self, cx: &mut Cx<'_>) {
        self.wake_at = NEVER;
        while let Some(&(at, what)) = self.wakes.first().filter(|(at, _)| *at <= cx.now) {
            self.wakes.remove(&(at, what));
            match what {
                Wake::Lane(lane) => match self.lanes[lane as usize].stage {
                    Stage::Thinking => self.think_over(cx, lane),
                    Stage::Sleeping => self.slept(cx, lane),
                    _ => {}
                },
                Wake::Link(link) => {
                    if self.links.has(link) && !self.links.get(link).conn.is_some() {
                        self.open(cx, link);
                    }
                }
            }
        }
        if let Some(&(at, _)) = self.wakes.first()
            && at < self.wake_at
        {
            self.wake_at = at;
            cx.arm(Timer::Tick(WAKE), at.since(cx.now));
        }
    }

    /// A pause before another attempt is over.
    fn slept(&mut self, cx: &mut Cx<'_>, lane: u32) {
        let node = self.lanes[lane as usize].node;
        let first = self.lanes[lane as usize].failures < 2;
        match self.spec.rules.trouble {
            // A new map is part of another attempt.
            Trouble::RefreshAndRetry | Trouble::RetryThenRefresh if node == NOBODY => {
                self.lanes[lane as usize].stage = Stage::NeedsMap;
                self.await_map(cx, lane);
            }
            Trouble::Retry if !first => self.route(cx, lane),
            _ => self.send_to(cx, lane, node),
        }
    }

    /// Something is due by then.
    pub(super) fn expire_by(&mut self, cx: &mut Cx<'_>, deadline: NodeTime) {
        if deadline < self.expiry_at {
            self.expiry_at = deadline;
            cx.arm(Timer::Tick(EXPIRE), deadline.since(cx.now));
        }
    }

    /// What should have been answered by now is late.
    pub(super) fn expire(&mut self, cx: &mut Cx<'_>) {
        self.expiry_at = NEVER;
        if self.refresh.as_ref().is_some_and(|r| r.deadline <= cx.now) {
            let link = self.refresh.as_ref().map_or(0, |r| r.link);
            self.drop_link(cx, link);
            self.ask_next(cx);
        }
        for lane in 0..self.lanes.len() as u32 {
            let l = &self.lanes[lane as usize];
            if l.deadline <= cx.now && matches!(l.stage, Stage::Connecting | Stage::Sent | Stage::Waits) {
                let link = l.link;
                if !self.waits_for_links() {
                    self.drop_link(cx, link);
                }
                self.trouble(cx, lane, Why::Late);
            }
        }
        let next =
            self.lanes.iter().filter(|l| matches!(l.stage, Stage::Connecting | Stage::Sent | Stage::Waits));
        let next = next.map(|l| l.deadline).chain(self.refresh.as_ref().map(|r| r.deadline)).min();
        self.expire_by(cx, next.unwrap_or(NEVER));
    }

    /// Closes a connection of one command.
    fn drop_link(&mut self, cx: &mut Cx<'_>, link: u32) {
        if self.links.has(link) && !self.links.get(link).shared {
            let gone = self.links.remove(link);
            if gone.conn.is_some() {
                cx.close(gone.conn);
            }
        }
    }
}
