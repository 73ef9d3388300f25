//! Changing the run, and keeping what it would have been: its futures.

use super::{Accounts, Ask, Model, Overlay};
use crate::base::{Dur, Id, SimTime};
use crate::trace::{Event, Fact, HostId};
use crate::tui::console::{self, Asked};
use crate::tui::panel::Panel;
use crate::tui::words::said;
use crate::tui::{steps, text};
use crate::world::plan::Action;
use crate::world::probe::view::Process;
use crate::world::timeline::Timeline;

/// So many futures are kept; the oldest but the first gives way.
const MAX_FUTURES: usize = 9;

/// One way in which the run goes on.
pub struct Future {
    /// Empty for the run as it was written.
    pub name: String,
    /// `None` for the present one: its timeline is the model's.
    pub timeline: Option<Timeline>,
    /// When it parts from the one that it comes from.
    pub parted: Option<SimTime>,
}

impl Future {
    pub(super) fn original() -> Future {
        Future { name: String::new(), timeline: None, parted: None }
    }
}

/// Two records side by side: an event of both, or of one of them (by its place in the record).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Both(usize, usize),
    Left(usize),
    Right(usize),
}

/// Two records in one order of time; events that are the same stand in one row. Only what `shown` keeps.
pub fn merged(a: &[Event], b: &[Event], shown: impl Fn(&Event) -> bool) -> Vec<Row> {
    let keep = |all: &[Event]| -> Vec<usize> { (0..all.len()).filter(|&i| shown(&all[i])).collect() };
    let (left, right) = (keep(a), keep(b));
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < left.len() || j < right.len() {
        let (x, y) = (left.get(i).map(|&i| &a[i]), right.get(j).map(|&j| &b[j]));
        match (x, y) {
            (Some(x), Some(y)) if x.at == y.at && x.host == y.host && same(&x.fact, &y.fact) => {
                out.push(Row::Both(left[i], right[j]));
                (i, j) = (i + 1, j + 1);
            }
            (Some(x), Some(y)) if x.at <= y.at => {
                out.push(Row::Left(left[i]));
                i += 1;
            }
            (Some(_), None) => {
                out.push(Row::Left(left[i]));
                i += 1;
            }
            _ => {
                out.push(Row::Right(right[j]));
                j += 1;
            }
        }
    }
    out
}

/// The reply to a command may be known in one record and not yet in the other.
fn same(a: &Fact, b: &Fact) -> bool {
    match (a, b) {
        (Fact::Command { text: a, .. }, Fact::Command { text: b, .. }) => a == b,
        _ => a == b,
    }
}

impl Model {
    /// Does what a line of the console says.
    pub(super) fn do_line(&mut self, line: &str) {
        self.recalled = None;
        if !line.trim().is_empty() && self.history.last().is_none_or(|last| last != line.trim()) {
            self.history.push(line.trim().to_string());
        }
        let asked = console::read(line, &self.timeline.world().plan, self.node, self.lang);
        match asked {
            Ok(Asked::Do(actions)) => self.do_all(actions),
            Ok(Asked::GoTo(time)) => self.go_to(&time),
            Ok(Asked::When { believer, about, opinion }) => self.when(believer, about, opinion),
            Ok(Asked::Slot(slot)) => self.choose_slot(&slot),
            Ok(Asked::Save(file)) => self.save(&file),
            Ok(Asked::Name(name)) => self.futures[self.future].name = name,
            Ok(Asked::Steps) => self.overlay = Overlay::Steps,
            Ok(Asked::Help) => {
                let (now, lang) = (self.now(), self.lang);
                let lines = console::VERBS
                    .iter()
                    .map(|v| (now, format!("{:<38} {}", format!("{} {}", v.word, v.form), v.what.get(lang))));
                self.printed.extend(lines);
                let any = said("any command of Redis, to a node", "任何 Redis 命令，发给某个节点").get(lang);
                self.printed.push((now, format!("{:<38} {any}", "NODE> COMMAND")));
            }
            Err(why) => self.note = Some(why),
        }
        self.stale = true;
    }

    /// Changes the run from now on; what it was before is kept as a future of its own.
    pub(super) fn do_all(&mut self, actions: Vec<Action>) {
        let Some(formed) = self.timeline.formed_at().filter(|t| *t <= self.now()) else {
            return self.notice(said("wait until the cluster is formed", "请等集群组建完成"), &[]);
        };
        let Some(first) = actions.first() else { return };
        self.goal = super::Goal::Nothing;
        self.cursor = None;
        let now = self.now();
        if self.timeline.known_to() > now || self.timeline.deeds().is_empty() {
            let (what, at) = (steps::short(first), text::seconds(self.relative(now), 3));
            self.fork(said("{0} at {1} s", "{0} 于 {1} s").with(self.lang, &[&what, &at]));
        }
        for action in actions {
            self.timeline.act(action);
        }
        let last = self.timeline.known_to();
        self.end = self.end.max(last.since(formed) + Dur::secs(5));
        self.accounts = Accounts::new(&self.timeline);
        self.forget_history();
    }

    /// The present future stays as it is; a copy of it goes on under another name.
    fn fork(&mut self, name: String) {
        if self.futures.len() >= MAX_FUTURES {
            let gone = (1..self.futures.len()).find(|&i| i != self.future).unwrap_or(1);
            self.futures.remove(gone);
            self.future -= usize::from(gone < self.future);
            self.other = None;
        }
        self.futures[self.future].timeline = Some(self.timeline.clone());
        self.other = Some(self.future);
        self.futures.push(Future { name, timeline: None, parted: Some(self.now()) });
        self.future = self.futures.len() - 1;
        let name = self.futures[self.future].name.clone();
        let new = said(
            "a new future (X goes to the other, | compares): {0}",
            "新的未来（X 去另一个，| 并排比较）：{0}",
        );
        self.notice(new, &[&name]);
    }

    /// Goes to another future, at the same time.
    pub(super) fn switch_to(&mut self, i: usize) {
        if i == self.future || i >= self.futures.len() {
            let none = said("there is no other future: change something", "没有别的未来：先改变点什么");
            return self.notice(none, &[]);
        }
        let now = self.now();
        let Some(timeline) = self.futures[i].timeline.take() else { return };
        self.futures[self.future].timeline = Some(std::mem::replace(&mut self.timeline, timeline));
        self.other = Some(self.future);
        self.future = i;
        self.accounts = Accounts::new(&self.timeline);
        self.forget_history();
        self.seek(now);
    }

    pub(super) fn next_future(&mut self) {
        self.switch_to((self.future + 1) % self.futures.len());
    }

    /// Goes to the moment before the last deed by hand.
    pub(super) fn undo(&mut self) {
        let now = self.now();
        match self.timeline.deeds().iter().rev().find(|(at, _)| *at <= now) {
            Some((at, action)) => {
                let (at, words) = (SimTime(at.0 - 1), steps::short(action));
                self.seek(at);
                let back = said(
                    "the moment before {0}; another deed here drops it",
                    "{0} 之前的一刻；在这里做别的会取代它",
                );
                self.notice(back, &[&words]);
            }
            None => self.notice(said("nothing was done by hand before", "之前没有手动做过什么"), &[]),
        }
    }

    /// Chooses a slot by its number, or by a key in it.
    pub(super) fn choose_slot(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match text.parse::<u64>() {
            Ok(n) if n < u64::from(crate::slot::SLOTS) => self.slot = n as u16,
            Ok(_) => {
                return self.notice(said("slots are numbered from 0 to 16383", "槽的编号是 0 到 16383"), &[]);
            }
            Err(_) => {
                self.slot = crate::slot::key_slot(text.as_bytes());
                let slot = self.slot;
                self.notice(said("the key {0} is in slot {1}", "键 {0} 在槽 {1}"), &[&text, &slot]);
            }
        }
        self.show_panel(Panel::Slot);
    }

    pub(super) fn kill_or_start(&mut self) {
        let node = self.node_name(self.node).to_string();
        let running = !matches!(self.process(), Process::Stopped | Process::Off);
        let action = if running { Action::Kill { node } } else { Action::Start { node, wipe: false } };
        self.do_all(vec![action]);
    }

    pub(super) fn pause_or_resume(&mut self) {
        let node = self.node_name(self.node).to_string();
        match self.process() {
            Process::Paused => self.do_all(vec![Action::Resume { node }]),
            Process::Up | Process::Busy => self.do_all(vec![Action::Pause { node }]),
            _ => self.notice(said("{0} is not running", "{0} 没有运行"), &[&node]),
        }
    }

    fn process(&self) -> Process {
        self.timeline.world().process(HostId::new(self.node))
    }

    /// What was done by hand so far, as steps of a scenario.
    pub fn steps_text(&self) -> String {
        let formed = self.timeline.formed_at().unwrap_or_default();
        let plan = self.timeline.plan();
        let deeds = self.timeline.deeds().iter();
        deeds.map(|(at, action)| steps::toml(&plan, at.since(formed), action)).collect()
    }

    /// Writes the present future as a scenario file.
    pub(super) fn save(&mut self, file: &str) {
        let Some(source) = &self.source else {
            let none =
                said("there is no scenario file to add the steps to", "没有可以加入这些步骤的场景文件");
            return self.notice(none, &[]);
        };
        let formed = self.timeline.formed_at().unwrap_or_default();
        let deeds: Vec<(Dur, Action)> =
            self.timeline.deeds().iter().map(|(at, a)| (at.since(formed), a.clone())).collect();
        self.note = Some(
            match steps::save(source, self.seed, &deeds, self.end, std::path::Path::new(file), self.lang) {
                Ok(()) => said("written: {0}", "已写入：{0}").with(self.lang, &[&file]),
                Err(why) => why,
            },
        );
    }

    /// What the console shows: what was done, what it answered, until now. True: a line of the user.
    pub fn transcript(&self) -> Vec<(SimTime, bool, String)> {
        let mut out: Vec<(SimTime, bool, String)> = Vec::new();
        let now = self.now();
        let deeds = self.timeline.deeds().iter().filter(|(at, _)| *at <= now);
        out.extend(deeds.map(|(at, action)| (*at, true, steps::line(action))));
        let mine = |t: SimTime| self.timeline.deeds().iter().any(|(at, _)| *at == t);
        for e in self.record().iter().take_while(|e| e.at <= now) {
            match &e.fact {
                Fact::Command { reply, .. } if mine(e.at) && reply.is_empty() => {
                    out.push((e.at, false, self.say(said("(no answer so far)", "（还没有回答）")).into()));
                }
                Fact::Command { reply, .. } if mine(e.at) => {
                    out.extend(reply.lines().map(|l| (e.at, false, l.to_string())));
                }
                Fact::Printed { text, .. } => out.push((e.at, false, text.to_string())),
                _ => {}
            }
        }
        out.extend(self.printed.iter().map(|(at, l)| (*at, false, l.clone())));
        out.sort_by_key(|(at, mine, _)| (*at, !mine));
        out
    }

    pub(super) fn open_console(&mut self) {
        self.show_panel(Panel::Console);
        self.overlay = Overlay::Asking(Ask::Console, String::new());
    }

    /// An earlier or later line of the console.
    pub(super) fn recall(&mut self, by: i64) -> Option<String> {
        let at = self.recalled.unwrap_or(self.history.len()) as i64 + by;
        let at = usize::try_from(at).ok()?.min(self.history.len());
        self.recalled = Some(at);
        Some(self.history.get(at).cloned().unwrap_or_default())
    }
}
