//! The state of the player and the only function that changes it.

use std::sync::Arc;

use ratatui::crossterm::event::{
    Event as TermEvent, KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Position;

use super::keys::{self, Action};
use super::layout::{Areas, areas};
use super::text;
use super::theme::Theme;
use crate::base::{Dur, Id, SimTime};
use crate::trace::{Event, Fact, HostId, Level};
use crate::world::plan::{self, Plan};
use crate::world::probe::lanes::Lanes;
use crate::world::probe::view::{ClusterView, Observer, Process};
use crate::world::timeline::Timeline;

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
/// How far a search for the next event runs ahead.
const SEARCH_LIMIT: Dur = Dur::secs(600);
const ZOOM_MAX: u8 = 16;
/// A formation that takes longer has failed.
const FORM_LIMIT: Dur = Dur::secs(600);

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
}

/// What the player wants of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Nothing,
    Formed,
    At(SimTime),
    /// The next event of a kind after this many, no later than the time.
    Find {
        what: Kind,
        from: usize,
        until: SimTime,
    },
}

/// Kinds of events that one can jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What the list shows.
    Listed,
    Landmark,
    Failure,
}

/// What lies over the screen, or is asked for in its last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    None,
    /// Scrolled down by so many lines.
    Help(u16),
    Why,
    GoTo(String),
    Search(String),
}

/// Which events are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub level: Level,
    /// Only this node, and events that name it.
    pub node: Option<usize>,
    pub search: String,
}

/// The player.
pub struct Model {
    pub seed: u64,
    /// Since formation.
    end: Dur,
    pub theme: Theme,
    pub size: (u16, u16),
    timeline: Timeline,
    pub lanes: Lanes,
    /// What the observer sees at the present moment.
    pub shot: ClusterView,
    pub observer: Observer,
    /// The selected node, by its place in the plan.
    pub node: usize,
    pub playing: bool,
    speed: usize,
    /// Wall-clock time times speed that is less than a microsecond.
    carry: u64,
    goal: Goal,
    pub filter: Filter,
    /// Listed events, by their place in the record.
    pub listed: Vec<usize>,
    listed_done: usize,
    /// The selected event; `None`: the last one before now.
    cursor: Option<usize>,
    zoom: u8,
    pub overlay: Overlay,
    /// A line for the user until the next key.
    pub note: Option<String>,
    pub quit: bool,
    roles_known: bool,
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
        let nodes = timeline.world().plan.nodes.len();
        let seed = timeline.world().seed;
        let shot = timeline.world().view(Observer::Truth);
        Model {
            seed,
            end,
            theme,
            size,
            timeline,
            lanes: Lanes::new(nodes),
            shot,
            observer: Observer::Truth,
            node: 0,
            playing: false,
            speed: REAL_TIME,
            carry: 0,
            goal: Goal::Formed,
            filter: Filter { level: Level::Headline, node: None, search: String::new() },
            listed: Vec::new(),
            listed_done: 0,
            cursor: None,
            zoom: 0,
            overlay: Overlay::None,
            note: None,
            quit: false,
            roles_known: false,
            stale: true,
        }
    }

    // ---- what views ask ---------------------------------------------------------------------------

    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }
    pub fn title(&self) -> &str {
        &self.timeline.world().plan.title
    }
    pub fn now(&self) -> SimTime {
        self.timeline.now()
    }
    pub fn record(&self) -> &[Event] {
        self.timeline.record()
    }
    /// Whether something is being computed that the screen waits for.
    pub fn is_working(&self) -> bool {
        self.goal != Goal::Nothing
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
    pub fn words(&self, event: &Event) -> String {
        text::words(self.timeline.world(), event)
    }
    pub fn observer_text(&self) -> String {
        match self.observer {
            Observer::Truth => "as it is".to_string(),
            Observer::Node(h) => format!("as {} sees it", self.host_name(h)),
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
        let n = self.record().partition_point(|e| e.at <= self.now());
        self.record()[..n].iter().rev().find_map(|e| match &e.fact {
            Fact::Say { text } => Some(&**text),
            _ => None,
        })
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
        Msg::Term(TermEvent::Key(key)) if key.kind != KeyEventKind::Release => m.key(key),
        Msg::Term(TermEvent::Mouse(mouse)) => m.mouse(mouse),
        Msg::Term(TermEvent::Resize(w, h)) => m.size = (w, h),
        Msg::Term(_) => {}
    }
}

/// Presses the key of a character; for pictures and tests.
pub fn press(m: &mut Model, c: char) {
    let code = if c == '\t' { KeyCode::Tab } else { KeyCode::Char(c) };
    update(m, Msg::Term(TermEvent::Key(KeyEvent::from(code))));
}

impl Model {
    // ---- time -------------------------------------------------------------------------------------

    fn tick(&mut self, passed: Dur) {
        if !self.playing || self.is_working() {
            return;
        }
        let (mul, div) = SPEEDS[self.speed];
        let us = passed.0 * mul + self.carry;
        self.carry = us % div;
        self.goal = Goal::At(self.now() + Dur(us / div));
    }

    fn work(&mut self, events: u64) {
        let known = self.timeline.record().len();
        match self.goal {
            Goal::Nothing => return,
            Goal::Formed => self.form(events),
            Goal::At(t) => {
                if self.timeline.approach(t, events) {
                    self.goal = Goal::Nothing;
                }
            }
            Goal::Find { what, from, until } => {
                // No further than a little ahead, so that what is found is near.
                let step = (self.timeline.known_to() + Dur::secs(1)).min(until);
                let arrived = self.timeline.approach(step, events) && step == until;
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
            self.note = Some("this deployment did not form a cluster within 10 minutes".into());
        }
    }

    /// Takes in what the run has newly shown.
    fn learn(&mut self) {
        if self.timeline.record().len() < self.lanes.done() {
            self.lanes = Lanes::new(self.nodes());
            self.roles_known = false;
        }
        if let Some(formed) = self.timeline.formed_at()
            && !self.roles_known
            && self.now() >= formed
        {
            let upto = self.record().partition_point(|e| e.at <= formed);
            self.lanes.read(&self.timeline.record()[..upto], &self.timeline.world().names);
            for i in 0..self.nodes() {
                let role = self.timeline.world().view_role(HostId::new(i));
                self.lanes.set_role(i, formed, role);
            }
            self.roles_known = true;
        }
        if self.roles_known {
            self.lanes.read(self.timeline.record(), &self.timeline.world().names);
        }
    }

    fn present(&mut self) {
        if !self.stale {
            return;
        }
        self.stale = false;
        self.learn();
        self.shot = self.timeline.world().view(self.observer);
        self.list();
    }

    /// Brings the list of events up to date.
    fn list(&mut self) {
        if self.listed_done > self.record().len() {
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

    fn is_listed(&self, e: &Event) -> bool {
        let f = &self.filter;
        if e.fact.level() > f.level {
            return false;
        }
        if let Some(node) = f.node
            && e.host != HostId::new(node)
            && !names(&self.words(e), self.node_name(node))
        {
            return false;
        }
        if f.search.is_empty() {
            return true;
        }
        let wanted = f.search.to_lowercase();
        self.words(e).to_lowercase().contains(&wanted) || self.host_name(e.host).to_lowercase() == wanted
    }

    /// Goes to a time, in the slices of work that follow.
    pub fn seek(&mut self, t: SimTime) {
        self.playing = false;
        self.cursor = None;
        self.goal = Goal::At(t);
    }

    fn skip(&mut self, ms: i64) {
        let t = self.now().0.saturating_add_signed(ms * 1000);
        self.seek(SimTime(t));
    }

    /// Shows the moment of an event and selects it.
    fn show(&mut self, i: usize) {
        self.seek(self.record()[i].at);
        self.cursor = Some(i);
    }

    fn is_kind(&self, i: usize, what: Kind) -> bool {
        let e = &self.record()[i];
        match what {
            Kind::Listed => self.is_listed(e),
            Kind::Landmark => is_landmark(&e.fact),
            Kind::Failure => is_failure(&e.fact),
        }
    }

    fn next(&mut self, what: Kind) {
        let from = match self.cursor {
            Some(i) => i + 1,
            None => self.record().partition_point(|e| e.at <= self.now()),
        };
        let until = self.timeline.known_to().max(self.now()) + SEARCH_LIMIT;
        self.playing = false;
        self.look(what, from, false);
        if self.goal == Goal::Nothing {
            self.goal = Goal::Find { what, from: self.record().len().max(from), until };
        }
    }

    /// Looks for an event among the known ones.
    fn look(&mut self, what: Kind, from: usize, give_up: bool) {
        if let Some(i) = (from..self.record().len()).find(|&i| self.is_kind(i, what)) {
            self.show(i);
        } else if give_up {
            self.goal = Goal::Nothing;
            self.note = Some("nothing of the kind happens in the next 10 minutes".into());
        } else if let Goal::Find { what, until, .. } = self.goal {
            self.goal = Goal::Find { what, from: self.record().len().max(from), until };
        }
    }

    fn prev(&mut self, what: Kind) {
        let before = match self.cursor {
            Some(i) => i,
            None => self.record().partition_point(|e| e.at < self.now()),
        };
        match (0..before).rev().find(|&i| self.is_kind(i, what)) {
            Some(i) => self.show(i),
            None => self.note = Some("nothing of the kind before".into()),
        }
    }

    // ---- keys and mouse ---------------------------------------------------------------------------

    fn key(&mut self, key: KeyEvent) {
        self.note = None;
        let action = keys::action(key);
        if action == Some(Action::Quit) && !self.is_typing(key) {
            self.quit = true;
            return;
        }
        match std::mem::replace(&mut self.overlay, Overlay::None) {
            Overlay::GoTo(line) => self.typed(key, line, Overlay::GoTo, Model::go_to),
            Overlay::Search(line) => self.typed(key, line, Overlay::Search, |m, line| {
                m.filter.search = line;
                m.relist();
            }),
            overlay => {
                if let Some(action) = action {
                    self.act(action, key, overlay);
                } else {
                    self.overlay = overlay;
                }
            }
        }
        self.stale = true;
    }

    /// Whether the key goes into a line of text.
    fn is_typing(&self, key: KeyEvent) -> bool {
        matches!(self.overlay, Overlay::GoTo(_) | Overlay::Search(_))
            && matches!(key.code, KeyCode::Char(_))
            && !key.modifiers.contains(ratatui::crossterm::event::KeyModifiers::CONTROL)
    }

    fn typed(
        &mut self,
        key: KeyEvent,
        mut line: String,
        open: fn(String) -> Overlay,
        done: impl FnOnce(&mut Model, String),
    ) {
        match key.code {
            KeyCode::Esc => return,
            KeyCode::Enter => return done(self, line),
            KeyCode::Backspace => {
                line.pop();
            }
            KeyCode::Char(c) if line.len() < 60 => line.push(c),
            _ => {}
        }
        self.overlay = open(line);
    }

    fn go_to(&mut self, line: String) {
        match text::parse_time(&line) {
            Ok(us) => {
                let zero = self.timeline.formed_at().unwrap_or_default();
                self.seek(SimTime(zero.0.saturating_add_signed(us)));
            }
            Err(e) => self.note = Some(e),
        }
    }

    fn act(&mut self, action: Action, key: KeyEvent, overlay: Overlay) {
        match action {
            Action::Quit => self.quit = true,
            Action::Help => self.overlay = if is_help(&overlay) { Overlay::None } else { Overlay::Help(0) },
            Action::Why => self.overlay = if overlay == Overlay::Why { Overlay::None } else { Overlay::Why },
            Action::Back => self.back(overlay),
            _ if is_help(&overlay) => self.scroll_help(overlay, action),
            _ => {
                // The causes stay open while one walks through the events.
                if overlay == Overlay::Why {
                    self.overlay = overlay;
                }
                self.act_on_run(action, key);
            }
        }
    }

    /// While help is open, the keys that move scroll it; any other closes it.
    fn scroll_help(&mut self, overlay: Overlay, action: Action) {
        let Overlay::Help(at) = overlay else { return };
        let page = self.size.1.saturating_sub(4);
        let most = super::view::help_height(self).saturating_sub(page + 2);
        self.overlay = match action {
            Action::NodeUp => Overlay::Help(at.saturating_sub(1)),
            Action::NodeDown => Overlay::Help((at + 1).min(most)),
            Action::LogUp => Overlay::Help(at.saturating_sub(page)),
            Action::LogDown | Action::PlayPause => Overlay::Help((at + page).min(most)),
            _ => Overlay::None,
        };
    }

    fn act_on_run(&mut self, action: Action, key: KeyEvent) {
        match action {
            Action::PlayPause => {
                self.playing = !self.playing;
                self.cursor = None;
            }
            Action::Faster => self.speed = (self.speed + 1).min(SPEEDS.len() - 1),
            Action::Slower => self.speed = self.speed.saturating_sub(1),
            Action::RealTime => self.speed = REAL_TIME,
            Action::NextEvent => self.next(Kind::Listed),
            Action::PrevEvent => self.prev(Kind::Listed),
            Action::Skip(ms) => self.skip(ms),
            Action::NextLandmark => self.next(Kind::Landmark),
            Action::PrevLandmark => self.prev(Kind::Landmark),
            Action::NextFailure => self.next(Kind::Failure),
            Action::PrevFailure => self.prev(Kind::Failure),
            Action::GoTo => self.overlay = Overlay::GoTo(String::new()),
            Action::Home => self.seek(self.timeline.formed_at().unwrap_or_default()),
            Action::End => self.seek(self.end()),
            Action::ZoomIn => self.zoom = (self.zoom + 1).min(ZOOM_MAX),
            Action::ZoomOut => self.zoom = self.zoom.saturating_sub(1),
            Action::ZoomAll => self.zoom = 0,
            Action::NextObserver => self.observe(1),
            Action::PrevObserver => self.observe(-1),
            Action::ObserveNode => self.observer = Observer::Node(HostId::new(self.node)),
            Action::ObserveTruth => self.observer = Observer::Truth,
            Action::NodeUp => self.select(self.node.saturating_sub(1)),
            Action::NodeDown => self.select(self.node + 1),
            Action::NodeByNumber => {
                if let KeyCode::Char(c) = key.code {
                    let i = c.to_digit(10).unwrap_or(1) as usize - 1;
                    if i < self.nodes() {
                        self.select(i);
                    }
                }
            }
            Action::LogUp => self.page(-1),
            Action::LogDown => self.page(1),
            Action::LogLevel => {
                self.filter.level = match self.filter.level {
                    Level::Headline => Level::Notice,
                    Level::Notice => Level::Debug,
                    _ => Level::Headline,
                };
                self.relist();
            }
            Action::LogNode => {
                self.filter.node = if self.filter.node == Some(self.node) { None } else { Some(self.node) };
                self.relist();
            }
            Action::Search => self.overlay = Overlay::Search(self.filter.search.clone()),
            Action::KillOrStart => self.kill_or_start(),
            Action::PauseOrResume => self.pause_or_resume(),
            Action::Help | Action::Why | Action::Back | Action::Quit => {}
        }
    }

    fn back(&mut self, overlay: Overlay) {
        if overlay != Overlay::None {
            return;
        }
        if !self.filter.search.is_empty() || self.filter.node.is_some() {
            self.filter.search.clear();
            self.filter.node = None;
            self.relist();
        } else {
            self.cursor = None;
        }
    }

    fn observe(&mut self, by: i64) {
        let n = self.nodes() as i64 + 1;
        let at = match self.observer {
            Observer::Truth => 0,
            Observer::Node(h) => h.index() as i64 + 1,
        };
        let next = (at + by).rem_euclid(n);
        self.observer = match next {
            0 => Observer::Truth,
            i => Observer::Node(HostId::new(i as usize - 1)),
        };
    }

    fn select(&mut self, i: usize) {
        self.node = i.min(self.nodes().saturating_sub(1));
        if self.filter.node.is_some() {
            self.filter.node = Some(self.node);
            self.relist();
        }
    }

    fn page(&mut self, by: i64) {
        let rows = i64::from(areas(self).log_rows.height.max(2)) - 1;
        self.move_cursor(by * rows);
    }

    fn move_cursor(&mut self, by: i64) {
        if self.listed.is_empty() {
            return;
        }
        let at = (self.current_row() as i64 + by).clamp(0, self.listed.len() as i64 - 1);
        self.show(self.listed[at as usize]);
    }

    fn kill_or_start(&mut self) {
        let node = self.node_name(self.node).to_string();
        let running = !matches!(self.process(), Process::Stopped | Process::Off);
        let action =
            if running { plan::Action::Kill { node } } else { plan::Action::Start { node, wipe: false } };
        self.deed(action);
    }

    fn pause_or_resume(&mut self) {
        let node = self.node_name(self.node).to_string();
        match self.process() {
            Process::Paused => self.deed(plan::Action::Resume { node }),
            Process::Up | Process::Busy => self.deed(plan::Action::Pause { node }),
            _ => self.note = Some(format!("{node} is not running")),
        }
    }

    fn process(&self) -> Process {
        self.timeline.world().process(HostId::new(self.node))
    }

    /// Changes the run from now on.
    fn deed(&mut self, action: plan::Action) {
        if self.is_forming() {
            self.note = Some("wait until the cluster is formed".into());
            return;
        }
        self.goal = Goal::Nothing;
        self.cursor = None;
        self.timeline.act(action);
        // What was recorded of the other future is gone.
        self.lanes = Lanes::new(self.nodes());
        self.roles_known = false;
        self.relist();
    }

    fn mouse(&mut self, mouse: MouseEvent) {
        let a = areas(self);
        let at = Position { x: mouse.column, y: mouse.row };
        self.stale = true;
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => self.click(&a, at),
            MouseEventKind::Drag(MouseButton::Left) if a.chart.contains(at) => self.scrub(&a, at),
            MouseEventKind::ScrollUp if a.chart.contains(at) => self.zoom = (self.zoom + 1).min(ZOOM_MAX),
            MouseEventKind::ScrollDown if a.chart.contains(at) => self.zoom = self.zoom.saturating_sub(1),
            MouseEventKind::ScrollUp if a.log_rows.contains(at) => self.move_cursor(-1),
            MouseEventKind::ScrollDown if a.log_rows.contains(at) => self.move_cursor(1),
            _ => {}
        }
    }

    fn click(&mut self, a: &Areas, at: Position) {
        if is_help(&self.overlay) {
            self.overlay = Overlay::None;
            return;
        }
        if a.node_rows.contains(at) || (a.chart.contains(at) && at.y >= a.node_rows.y) {
            let i = a.first_node + usize::from(at.y - a.node_rows.y);
            if i < self.nodes() && at.y < a.node_rows.bottom() {
                self.select(i);
            }
        }
        if a.chart.contains(at) {
            self.scrub(a, at);
        }
        if a.log_rows.contains(at) {
            let row = a.first_event + usize::from(at.y - a.log_rows.y);
            if let Some(&i) = self.listed.get(row) {
                self.show(i);
            }
        }
    }

    fn scrub(&mut self, a: &Areas, at: Position) {
        let (from, to) = self.window();
        let x = u64::from(at.x - a.chart.x);
        let t = from + Dur(to.since(from).0 * x / u64::from(a.chart.width.max(1)));
        self.seek(t);
    }
}

fn is_help(overlay: &Overlay) -> bool {
    matches!(overlay, Overlay::Help(_))
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

/// What a reader of the run must not miss.
pub fn is_landmark(fact: &Fact) -> bool {
    is_fault(fact)
        || is_failure(fact)
        || matches!(
            fact,
            Fact::Formed
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
    is_fault(fact)
        || matches!(
            fact,
            Fact::FailQuorum { .. }
                | Fact::ElectionStarted { .. }
                | Fact::ElectionWon { .. }
                | Fact::Promoted { .. }
        )
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
