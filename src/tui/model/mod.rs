//! The state of the player, and [`update`], the only function that changes it. `time` moves through the run,
//! `input` takes keys and the mouse, `deeds` changes the run and keeps its futures, `accounts` counts writes.

mod accounts;
mod deeds;
mod input;
mod time;

use std::sync::Arc;

use ratatui::crossterm::event::{Event as TermEvent, KeyCode, KeyEvent, KeyEventKind};
use ratatui::layout::Rect;

use super::panel::Panel;
use super::theme::Theme;
use super::words::{self, Said};
use super::{chinese, text};
use crate::base::{Dur, Id, SimTime};
use crate::explain::{self, Failover};
use crate::scenario::Lesson;
use crate::scenario::lesson::Lang;
use crate::trace::{Event, Fact, HostId, Level};
use crate::world::plan::Plan;
use crate::world::probe::beliefs::{Beliefs, SlotBelief};
use crate::world::probe::inspect::{Entry, LinkView};
use crate::world::probe::lanes::{LaneState, Lanes};
use crate::world::probe::messages::Flight;
use crate::world::probe::sentinels::SentinelView;
use crate::world::probe::view::{ClusterView, Observer, Role};
use crate::world::timeline::Timeline;

pub use accounts::Accounts;
pub use deeds::{Future, Row, merged};
pub use time::is_landmark;
use time::{Goal, Kind, Packets};

/// Speeds of play, as times real time: (multiplied by, divided by).
pub const SPEEDS: [(u64, u64); 25] = [
    (1, 1000),
    (2, 1000),
    (5, 1000),
    (1, 100),
    (2, 100),
    (5, 100),
    (1, 10),
    (2, 10),
    (5, 10),
    (1, 1),
    (2, 1),
    (5, 1),
    (10, 1),
    (20, 1),
    (50, 1),
    (100, 1),
    (200, 1),
    (500, 1),
    (1000, 1),
    (2000, 1),
    (5000, 1),
    (10_000, 1),
    (20_000, 1),
    (50_000, 1),
    (100_000, 1),
];
const REAL_TIME: usize = 9;
const ZOOM_MAX: u8 = 16;

/// What happens to the player.
#[derive(Clone, Debug)]
pub enum Msg {
    /// The terminal says something.
    Term(TermEvent),
    /// So much wall-clock time has passed.
    Tick(Dur),
    /// Go on with what is asked of the world, by at most so many dispatched events.
    Work(u64),
    /// A picture is about to be made: bring what it shows up to date.
    Present,
    /// Do what a line of the console says.
    Line(String),
}

/// A line of text that is asked for at the bottom of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    GoTo,
    Search,
    Slot,
    Save,
    Name,
    Console,
}

impl Ask {
    pub fn question(self) -> Said {
        match self {
            Ask::GoTo => words::GO_TO,
            Ask::Search => words::SEARCH,
            Ask::Slot => words::SLOT,
            Ask::Save => words::SAVE,
            Ask::Name => words::NAME,
            // The node's name stands there.
            Ask::Console => words::ASK_CONSOLE,
        }
    }
}

/// What lies over the screen, or is asked for in its last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    None,
    /// Scrolled down by so many lines.
    Help(u16),
    Why,
    Panels,
    /// What one can do to the selected node.
    Acts,
    /// The deeds so far, as scenario steps.
    Steps,
    Asking(Ask, String),
}

/// Which events are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub level: Level,
    /// Only this node, and events that name it.
    pub node: Option<usize>,
    pub search: String,
}

/// What the panel in view needs beyond [`ClusterView`]; brought up to date with the picture.
#[derive(Clone, Debug, Default)]
pub struct Details {
    pub beliefs: Beliefs,
    /// The first slot of each run of the slot map, and whose it is according to each node.
    pub owners: Vec<(u16, Vec<SlotBelief>)>,
    pub slot: Vec<SlotBelief>,
    /// Keys of the selected slot on its owner.
    pub slot_keys: Vec<String>,
    pub links: Vec<LinkView>,
    pub node: Vec<Entry>,
    pub sentinels: Vec<SentinelView>,
    pub flights: Vec<Flight>,
    pub failovers: Vec<Failover>,
    /// The verdict of a monitor that asks each node; `None`: it does not answer.
    pub health: Vec<Option<crate::world::probe::health::Health>>,
}

/// The player.
pub struct Model {
    pub seed: u64,
    /// Since formation.
    end: Dur,
    pub theme: Theme,
    /// Of the fixed texts.
    pub lang: Lang,
    /// The lesson whose run it is: its title and its narration are in every language.
    pub lesson: Option<Arc<Lesson>>,
    /// Of the terminal, in cells.
    pub size: (u16, u16),
    /// Columns at the right and rows at the bottom that the player leaves to others.
    pub reserved: (u16, u16),
    timeline: Timeline,
    pub lanes: Lanes,
    /// The lanes as the observer sees them; empty for the truth.
    pub seen: Vec<Vec<(SimTime, LaneState)>>,
    /// What the observer sees at the present moment.
    pub shot: ClusterView,
    pub details: Details,
    packets: Packets,
    /// The length of the record for which `details.failovers` holds.
    explained: usize,
    /// Keys by cell of the slot map, as many cells as it has.
    pub keys_by_cell: Vec<u64>,
    pub observer: Observer,
    /// The selected node, by its place in the plan.
    pub node: usize,
    /// The selected slot.
    pub slot: u16,
    pub playing: bool,
    speed: usize,
    /// Wall-clock time times speed that is less than a microsecond.
    carry: u64,
    goal: Goal,
    pub filter: Filter,
    /// Listed events, by their place in the record.
    pub listed: Vec<usize>,
    listed_done: usize,
    /// Whose list it is.
    listed_for: Observer,
    /// The selected event; `None`: the last one before now.
    cursor: Option<usize>,
    said: Option<Arc<str>>,
    /// Somebody else tells what the narrator says.
    pub muted: bool,
    zoom: u8,
    pub overlay: Overlay,
    pub panel: Panel,
    /// The panel has the screen for itself.
    pub expanded: bool,
    /// Lines of the panel that are scrolled away.
    pub scroll: u16,
    /// Moments to come back to, ascending.
    pub bookmarks: Vec<SimTime>,
    /// All futures of this run; the present one's timeline is the model's own.
    pub futures: Vec<Future>,
    pub future: usize,
    /// The future that is compared with the present one.
    pub other: Option<usize>,
    pub accounts: Accounts,
    history: Vec<String>,
    /// The place in the history that the console shows.
    recalled: Option<usize>,
    /// Lines that the console printed of its own.
    pub printed: Vec<(SimTime, String)>,
    /// What a save is made from: the text of the scenario file, and where it stands.
    pub source: Option<crate::scenario::Source>,
    /// A line for the user until the next key.
    pub note: Option<String>,
    pub quit: bool,
    /// Whether the lanes know the roles that the nodes have once formed.
    roles_known: bool,
    /// Those roles: the same in every future.
    formed_roles: Vec<Role>,
    stale: bool,
}

impl Model {
    /// `end`: how long after formation the scenario is over; guessed from its steps if `None`.
    pub fn new(plan: Arc<Plan>, seed: u64, end: Option<Dur>, theme: Theme, size: (u16, u16)) -> Model {
        let end = end.unwrap_or_else(|| guessed_end(&plan));
        Model::of(Timeline::new(plan, seed, Level::Debug), end, theme, size)
    }

    /// Plays a timeline from where it stands.
    pub fn of(timeline: Timeline, end: Dur, theme: Theme, size: (u16, u16)) -> Model {
        let seed = timeline.world().seed;
        let shot = timeline.world().view(Observer::Truth);
        Model {
            seed,
            end,
            theme,
            lang: Lang::default(),
            lesson: None,
            size,
            reserved: (0, 0),
            accounts: Accounts::new(&timeline),
            lanes: Lanes::new(&timeline.world().plan),
            timeline,
            seen: Vec::new(),
            shot,
            details: Details::default(),
            packets: Packets::default(),
            explained: usize::MAX,
            keys_by_cell: Vec::new(),
            observer: Observer::Truth,
            node: 0,
            slot: 0,
            playing: false,
            speed: REAL_TIME,
            carry: 0,
            goal: Goal::Formed,
            filter: Filter { level: Level::Headline, node: None, search: String::new() },
            listed: Vec::new(),
            listed_done: 0,
            listed_for: Observer::Truth,
            cursor: None,
            said: None,
            muted: false,
            zoom: 0,
            overlay: Overlay::None,
            panel: Panel::Events,
            expanded: false,
            scroll: 0,
            bookmarks: Vec::new(),
            futures: vec![Future::original()],
            future: 0,
            other: None,
            history: Vec::new(),
            recalled: None,
            printed: Vec::new(),
            source: None,
            note: None,
            quit: false,
            roles_known: false,
            formed_roles: Vec::new(),
            stale: true,
        }
    }

    // ---- what views ask ---------------------------------------------------------------------------

    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }
    /// What a future is called on the screen.
    pub fn future_name(&self, i: usize) -> &str {
        match self.futures[i].name.as_str() {
            "" => self.say(words::AS_WRITTEN),
            name => name,
        }
    }
    /// A line for the user until the next key.
    fn notice(&mut self, said: Said, parts: &[&dyn std::fmt::Display]) {
        self.note = Some(said.with(self.lang, parts));
    }
    /// A fixed text in the language of the screen.
    pub fn say(&self, said: Said) -> &'static str {
        said.get(self.lang)
    }
    pub fn title(&self) -> &str {
        self.lesson.as_ref().map_or(&self.timeline.world().plan.title, |l| l.title.get(self.lang))
    }
    pub fn now(&self) -> SimTime {
        self.timeline.now()
    }
    pub fn record(&self) -> &[Event] {
        self.timeline.record()
    }
    /// The part of the screen that is the player's.
    pub fn area(&self) -> Rect {
        let (w, h) = self.size;
        Rect::new(0, 0, w.saturating_sub(self.reserved.0), h.saturating_sub(self.reserved.1))
    }
    /// Whether something is being computed that the screen waits for.
    pub fn is_waiting(&self) -> bool {
        self.goal != Goal::Nothing
    }
    /// Whether there is something to compute at all.
    pub fn is_working(&self) -> bool {
        self.is_waiting() || self.has_background()
    }
    pub fn is_forming(&self) -> bool {
        self.goal == Goal::Formed
    }
    pub fn speed_text(&self) -> String {
        text::speed(SPEEDS[self.speed])
    }
    /// Microseconds since formation; since the start of the run if it was never formed.
    pub fn relative(&self, t: SimTime) -> i64 {
        t.0 as i64 - self.timeline.formed_at().unwrap_or_default().0 as i64
    }
    pub fn nodes(&self) -> usize {
        self.timeline.world().plan.nodes.len()
    }
    pub fn node_name(&self, i: usize) -> &str {
        &self.timeline.world().plan.nodes[i].name
    }
    pub fn host_name(&self, host: HostId) -> &str {
        self.timeline.world().names.host_name(host)
    }
    /// An event in the language of the screen.
    pub fn words(&self, event: &Event) -> String {
        match &event.fact {
            Fact::Say { text } => format!("“{}”", self.translated(text)),
            _ => chinese::event(text::words(self.timeline.names(), event), self.lang),
        }
    }
    /// What the narrator of a lesson says, in the language of the screen.
    fn translated<'a>(&'a self, said: &'a str) -> &'a str {
        self.lesson.as_ref().map_or(said, |l| l.translate(said, self.lang))
    }
    pub fn observer_text(&self) -> String {
        match self.observer {
            Observer::Truth => self.say(words::AS_IT_IS).to_string(),
            Observer::Node(h) => words::AS_SEEN.with(self.lang, &[&self.host_name(h)]),
        }
    }

    /// The event the screen is about: the selected one, or the last listed one until now.
    pub fn current(&self) -> Option<usize> {
        self.cursor.or_else(|| {
            let n = self.listed.partition_point(|&i| self.record()[i].at <= self.now());
            n.checked_sub(1).map(|i| self.listed[i])
        })
    }

    /// The place of the current event in the list: how many listed events are before it.
    pub fn current_row(&self) -> usize {
        let at = self.current().unwrap_or(0);
        self.listed.partition_point(|&i| i < at)
    }

    /// What the narrator said last.
    pub fn narration(&self) -> Option<&str> {
        self.said.as_deref().filter(|_| !self.muted)
    }

    /// When the scenario is over.
    pub fn end(&self) -> SimTime {
        self.timeline.formed_at().unwrap_or_default() + self.end
    }

    /// First and last moment of the chart.
    pub fn window(&self) -> (SimTime, SimTime) {
        let (from, to) = self.whole();
        if self.zoom == 0 {
            return (from, to);
        }
        let span = Dur((to.since(from).0 >> self.zoom).max(1000));
        let ahead = Dur(span.0 * 2 / 5);
        let end = (self.now() + ahead).clamp(from + span, to.max(from + span));
        (SimTime(end.0 - span.0), end)
    }

    fn whole(&self) -> (SimTime, SimTime) {
        let to = self.end().max(self.timeline.known_to()) + Dur::ms(1);
        match self.timeline.formed_at() {
            Some(formed) if self.now() >= formed => (formed, to),
            _ => (SimTime::ZERO, to),
        }
    }
}

/// The one way in which a player changes.
pub fn update(m: &mut Model, msg: Msg) {
    match msg {
        Msg::Tick(passed) => m.tick(passed),
        Msg::Work(events) => m.work(events),
        Msg::Present => m.present(),
        Msg::Line(line) => m.do_line(&line),
        Msg::Term(TermEvent::Key(key)) if key.kind != KeyEventKind::Release => m.key(key),
        Msg::Term(TermEvent::Mouse(mouse)) => m.mouse(mouse),
        Msg::Term(TermEvent::Resize(w, h)) => {
            m.size = (w, h);
            m.stale = true;
        }
        Msg::Term(_) => {}
    }
}

/// Presses the key of a character; for pictures and tests.
pub fn press(m: &mut Model, c: char) {
    let code = match c {
        '\t' => KeyCode::Tab,
        '\n' => KeyCode::Enter,
        '\u{1b}' => KeyCode::Esc,
        c => KeyCode::Char(c),
    };
    update(m, Msg::Term(TermEvent::Key(KeyEvent::from(code))));
}

impl Model {
    /// Goes on in time.
    pub fn play(&mut self) {
        self.playing = true;
        self.cursor = None;
    }

    /// Does something at the present moment.
    pub fn deed(&mut self, action: crate::world::plan::Action) {
        self.do_all(vec![action]);
        self.stale = true;
    }

    // ---- keeping up -------------------------------------------------------------------------------

    /// Work that no one waits for: it goes on while the screen is shown.
    fn has_background(&self) -> bool {
        if self.is_forming() {
            return false;
        }
        let behind = self.compared().is_some_and(|t| t.now() != self.now());
        let looks = self.panel == Panel::Packets && !self.has_packets();
        behind || looks || (self.wants_accounts() && !self.accounts.are_ready(&self.timeline))
    }

    fn wants_accounts(&self) -> bool {
        self.panel == Panel::Writes || matches!(self.goal, Goal::Find { what: Kind::Loss, .. })
    }

    /// The other future, while it is looked at.
    pub fn compared(&self) -> Option<&Timeline> {
        let other = self.other.filter(|&i| i != self.future && self.panel == Panel::Futures)?;
        self.futures.get(other)?.timeline.as_ref()
    }

    fn background(&mut self, events: u64) {
        let now = self.now();
        if self.compared().is_some()
            && let Some(t) = self.other.and_then(|i| self.futures[i].timeline.as_mut())
            && t.now() != now
        {
            t.approach(now, events);
        } else if self.panel == Panel::Packets && !self.has_packets() {
            self.look_for_packets(events);
        } else if self.wants_accounts() {
            self.accounts.go_on(&self.timeline, events);
        }
        self.stale = true;
    }

    /// Takes in what the run has newly shown.
    fn learn(&mut self) {
        if self.timeline.record().len() < self.lanes.done() {
            self.forget_history();
        }
        if let Some(formed) = self.timeline.formed_at()
            && !self.roles_known
            && self.now() >= formed
        {
            let upto = self.record().partition_point(|e| e.at <= formed);
            self.lanes.read(&self.timeline.record()[..upto], &self.timeline.world().names);
            if self.formed_roles.is_empty() {
                let w = self.timeline.world();
                self.formed_roles = w.node_hosts().map(|h| w.view_role(h)).collect();
            }
            for (i, &role) in self.formed_roles.iter().enumerate().filter(|(_, r)| **r != Role::Unknown) {
                self.lanes.set_role(i, formed, role);
            }
            self.roles_known = true;
        }
        if self.roles_known {
            self.lanes.read(self.timeline.record(), &self.timeline.world().names);
        }
    }

    /// What was made of a record that is no longer this run's.
    fn forget_history(&mut self) {
        self.lanes = Lanes::new(&self.timeline.world().plan);
        self.roles_known = false;
        self.explained = usize::MAX;
        self.packets = Packets::default();
        self.relist();
    }

    fn present(&mut self) {
        if !self.stale {
            return;
        }
        self.stale = false;
        self.learn();
        self.shot = self.timeline.world().view(self.observer);
        let n = self.record().partition_point(|e| e.at <= self.now());
        self.said = self.record()[..n].iter().rev().find_map(|e| match &e.fact {
            Fact::Say { text } => Some(Arc::clone(text)),
            _ => None,
        });
        self.seen = match self.observer {
            Observer::Truth => Vec::new(),
            Observer::Node(by) => (0..self.nodes()).map(|i| self.lanes.as_seen(i, by.index())).collect(),
        };
        self.list();
        self.look_closer();
    }

    /// What the panel in view shows.
    fn look_closer(&mut self) {
        let areas = super::layout::areas(self);
        let w = self.timeline.world();
        let cells = usize::from(areas.slots.width.saturating_sub(2)) * usize::from(areas.slots.height);
        self.keys_by_cell = if cells > 0 { w.keys_by_part(&self.shot.slots, cells) } else { Vec::new() };
        match self.panel {
            Panel::Inspector => self.details.node = w.inspect_node(HostId::new(self.node)),
            Panel::Topology => self.details.links = w.link_views(),
            Panel::Beliefs => {
                self.details.beliefs = w.beliefs();
                let rows = usize::from(areas.panel().height);
                let runs = self.shot.slots.iter().take(rows);
                self.details.owners = runs.map(|r| (r.first, w.slot_beliefs(r.first))).collect();
            }
            Panel::Slot => {
                self.details.slot = w.slot_beliefs(self.slot);
                let holder = self.details.slot.iter().max_by_key(|b| (b.keys, b.owner == Some(b.believer)));
                let keys = holder.map(|b| w.keys_of_slot(b.believer, self.slot, 24));
                self.details.slot_keys = keys.unwrap_or_default();
            }
            Panel::Sentinels => self.details.sentinels = w.sentinel_views(),
            Panel::Packets => {
                let rows = usize::from(areas.panel().height);
                self.details.flights = self.packets_around(rows);
            }
            Panel::Votes if self.explained != self.record().len() => {
                let mut trace = crate::trace::Trace::new(Level::Debug);
                trace.events = self.record().to_vec();
                self.details.failovers = explain::failovers(&trace, &w.names, &w.plan);
                self.explained = trace.events.len();
            }
            Panel::Health => self.details.health = w.node_hosts().map(|h| w.health(h)).collect(),
            _ => {}
        }
    }

    /// Brings the list of events up to date.
    fn list(&mut self) {
        if self.listed_done > self.record().len() || self.listed_for != self.observer {
            self.listed_for = self.observer;
            self.relist();
        }
        for i in self.listed_done..self.record().len() {
            if self.is_listed(&self.record()[i]) {
                self.listed.push(i);
            }
        }
        self.listed_done = self.record().len();
    }

    fn relist(&mut self) {
        self.listed.clear();
        self.listed_done = 0;
        self.stale = true;
    }

    /// Whether the observer has part in an event: a node knows what it does, hears and decides itself. What the
    /// narrator says is for everybody.
    fn is_noticed(&self, e: &Event) -> bool {
        match self.observer {
            Observer::Truth => true,
            Observer::Node(h) => e.host == h || matches!(e.fact, Fact::Say { .. }),
        }
    }

    fn is_listed(&self, e: &Event) -> bool {
        let f = &self.filter;
        if e.fact.level() > f.level || !self.is_noticed(e) {
            return false;
        }
        if let Some(node) = f.node
            && e.host != HostId::new(node)
            && !names(&text::words(self.timeline.names(), e), self.node_name(node))
        {
            return false;
        }
        if f.search.is_empty() {
            return true;
        }
        let wanted = f.search.to_lowercase();
        self.words(e).to_lowercase().contains(&wanted) || self.host_name(e.host).to_lowercase() == wanted
    }

    /// Shows a panel; the list of events gives way to it where there is no room for both.
    pub fn show_panel(&mut self, panel: Panel) {
        if self.panel != panel {
            self.scroll = 0;
        }
        self.panel = panel;
        if panel == Panel::Futures && self.other.is_none_or(|i| i == self.future) {
            self.other = (0..self.futures.len()).rev().find(|&i| i != self.future);
        }
        self.stale = true;
    }
}

/// The last step of a plan and time to recover from it.
fn guessed_end(plan: &Plan) -> Dur {
    let last = plan.steps.iter().map(|s| s.at).max().unwrap_or_default();
    let timeout = plan.nodes.iter().map(|n| n.conf.cluster_node_timeout).max().unwrap_or(0);
    last + Dur::ms(2 * timeout) + Dur::secs(5)
}

/// Whether the text names the node: the name as a whole word.
fn names(text: &str, node: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(|w| w == node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_by_a_whole_word() {
        assert!(names("n1 is suspected (PFAIL)", "n1"));
        assert!(names("votes for n1.", "n1"));
        assert!(!names("n10 and n-1", "n1"));
    }
}
