//! Keys and the mouse.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::time::{Fine, Kind};
use super::{Ask, Model, Overlay, REAL_TIME, SPEEDS, ZOOM_MAX};
use crate::base::{Dur, Id};
use crate::trace::{HostId, Level};
use crate::tui::console;
use crate::tui::keys::{self, Action};
use crate::tui::layout::{Areas, areas};
use crate::tui::panel::Panel;
use crate::tui::words;
use crate::world::probe::view::Observer;

impl Model {
    pub(super) fn key(&mut self, key: KeyEvent) {
        self.note = None;
        let action = keys::action(key);
        if action == Some(Action::Quit) && !self.is_typing(key) {
            self.quit = true;
            return;
        }
        self.stale = true;
        match std::mem::replace(&mut self.overlay, Overlay::None) {
            Overlay::Asking(Ask::Console, line) => self.console_key(key, line),
            Overlay::Asking(ask, line) => self.typed(key, ask, line),
            Overlay::Panels => self.choose_panel(key),
            Overlay::Acts => self.choose_act(key),
            overlay => {
                if let Some(action) = action {
                    self.act(action, key, overlay);
                } else {
                    self.overlay = overlay;
                }
            }
        }
    }

    /// Whether the key goes into a line of text, or chooses from a menu by its letter.
    fn is_typing(&self, key: KeyEvent) -> bool {
        matches!(self.overlay, Overlay::Asking(..) | Overlay::Panels | Overlay::Acts)
            && matches!(key.code, KeyCode::Char(_))
            && !key.modifiers.contains(KeyModifiers::CONTROL)
    }

    fn typed(&mut self, key: KeyEvent, ask: Ask, mut line: String) {
        match key.code {
            KeyCode::Esc => return,
            KeyCode::Enter => return self.answered(ask, line),
            KeyCode::Backspace => {
                line.pop();
            }
            KeyCode::Char(c) if line.len() < 120 => line.push(c),
            _ => {}
        }
        self.overlay = Overlay::Asking(ask, line);
    }

    fn answered(&mut self, ask: Ask, line: String) {
        match ask {
            Ask::GoTo => self.go_to(&line),
            Ask::Search => {
                self.filter.search = line;
                self.relist();
            }
            Ask::Slot => self.choose_slot(&line),
            Ask::Save if !line.trim().is_empty() => self.save(line.trim()),
            Ask::Name if !line.trim().is_empty() => {
                self.futures[self.future].name = line.trim().to_string();
            }
            Ask::Save | Ask::Name | Ask::Console => {}
        }
    }

    fn console_key(&mut self, key: KeyEvent, mut line: String) {
        match key.code {
            KeyCode::Esc => return,
            KeyCode::Enter => {
                self.overlay = Overlay::Asking(Ask::Console, String::new());
                if !line.trim().is_empty() {
                    self.do_line(&line);
                }
                return;
            }
            KeyCode::Tab => line = console::complete(&line, &self.timeline.world().plan),
            KeyCode::Up => line = self.recall(-1).unwrap_or(line),
            KeyCode::Down => line = self.recall(1).unwrap_or(line),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_add(5),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_sub(5),
            KeyCode::Backspace => {
                line.pop();
            }
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => line.clear(),
            KeyCode::Char(c) if line.len() < 500 && !key.modifiers.contains(KeyModifiers::CONTROL) => {
                line.push(c);
            }
            _ => {}
        }
        self.overlay = Overlay::Asking(Ask::Console, line);
    }

    fn choose_panel(&mut self, key: KeyEvent) {
        if let KeyCode::Char(c) = key.code
            && let Some(panel) = Panel::of(self).into_iter().find(|p| p.letter() == c)
        {
            self.show_panel(panel);
        }
    }

    fn choose_act(&mut self, key: KeyEvent) {
        if let KeyCode::Char(c) = key.code
            && let Some((_, _, line)) = console::ACTS.iter().find(|(k, ..)| *k == c)
        {
            let line = line.replace("{}", self.node_name(self.node));
            self.do_line(&line);
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

    fn scroll_help(&mut self, overlay: Overlay, action: Action) {
        let Overlay::Help(at) = overlay else { return };
        let page = self.area().height.saturating_sub(4);
        let most = crate::tui::view::help_height(self).saturating_sub(self.area().height);
        let at = match action {
            Action::NodeDown => at + 1,
            Action::NodeUp => at.saturating_sub(1),
            Action::LogDown => at + page,
            Action::LogUp => at.saturating_sub(page),
            _ => return,
        };
        self.overlay = Overlay::Help(at.min(most));
    }

    fn act_on_run(&mut self, action: Action, key: KeyEvent) {
        match action {
            Action::PlayPause => self.playing = !self.playing,
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
            Action::NextElection => self.next(Kind::Election),
            Action::PrevElection => self.prev(Kind::Election),
            Action::NextDisagreement => self.next(Kind::Disagreement),
            Action::PrevDisagreement => self.prev(Kind::Disagreement),
            Action::NextLoss => self.next(Kind::Loss),
            Action::PrevLoss => self.prev(Kind::Loss),
            Action::NextPacket => self.fine(Fine::Packet, true),
            Action::PrevPacket => self.fine(Fine::Packet, false),
            Action::NextCron => self.fine(Fine::Cron, true),
            Action::PrevCron => self.fine(Fine::Cron, false),
            Action::Believed => self.believed(),
            Action::Bookmark => self.toggle_bookmark(),
            Action::NextBookmark => self.go_to_bookmark(true),
            Action::PrevBookmark => self.go_to_bookmark(false),
            Action::GoTo => self.ask(Ask::GoTo, String::new()),
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
                if let KeyCode::Char(c) = key.code
                    && let Some(n) = c.to_digit(10)
                {
                    let i = n.saturating_sub(1) as usize;
                    if i < self.nodes() {
                        self.select(i);
                    }
                }
            }
            Action::Slot => self.ask(Ask::Slot, String::new()),
            Action::NextPanel => self.step_panel(1),
            Action::PrevPanel => self.step_panel(-1),
            Action::PanelMenu => self.overlay = Overlay::Panels,
            Action::ZoomPanel => self.expanded = !self.expanded,
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
            Action::Search => self.ask(Ask::Search, self.filter.search.clone()),
            Action::KillOrStart => self.kill_or_start(),
            Action::PauseOrResume => self.pause_or_resume(),
            Action::Acts => self.overlay = Overlay::Acts,
            Action::Console => self.open_console(),
            Action::Undo => self.undo(),
            Action::NextFuture => self.next_future(),
            Action::Compare if self.panel == Panel::Futures => self.show_panel(Panel::Events),
            Action::Compare => self.show_panel(Panel::Futures),
            Action::Rename => self.ask(Ask::Name, self.future_name(self.future).to_string()),
            Action::Steps => self.overlay = Overlay::Steps,
            Action::Save => self.ask(Ask::Save, String::new()),
            Action::LessonOn | Action::LessonCheck | Action::LessonHint | Action::LessonShow => {
                self.note = Some(self.say(words::LESSON_KEY).into());
            }
            Action::Palette => {
                self.theme = self.theme.next();
                self.note = Some(self.say(self.theme.palette.what()).into());
            }
            Action::Help | Action::Why | Action::Back | Action::Quit => {}
        }
    }

    fn ask(&mut self, ask: Ask, line: String) {
        self.overlay = Overlay::Asking(ask, line);
    }

    fn step_panel(&mut self, by: i64) {
        let all = Panel::of(self);
        let at = all.iter().position(|p| *p == self.panel).unwrap_or(0) as i64;
        self.show_panel(all[(at + by).rem_euclid(all.len() as i64) as usize]);
    }

    fn back(&mut self, overlay: Overlay) {
        if overlay != Overlay::None {
            return;
        }
        if self.expanded {
            self.expanded = false;
        } else if self.panel != Panel::Events {
            self.show_panel(Panel::Events);
        } else if !self.filter.search.is_empty() || self.filter.node.is_some() {
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

    pub(super) fn select(&mut self, i: usize) {
        self.node = i.min(self.nodes().saturating_sub(1));
        if self.filter.node.is_some() {
            self.filter.node = Some(self.node);
            self.relist();
        }
    }

    /// A page of the panel that has the keys: of the list of events, if it is shown.
    fn page(&mut self, by: i64) {
        let a = areas(self);
        if self.panel == Panel::Events {
            return self.move_cursor(by * (i64::from(a.log_rows.height.max(2)) - 1));
        }
        self.scroll_panel(by * (i64::from(a.panel().height.max(2)) - 1));
    }

    fn scroll_panel(&mut self, by: i64) {
        self.scroll = (i64::from(self.scroll) + by).clamp(0, 10_000) as u16;
    }

    fn move_cursor(&mut self, by: i64) {
        if self.listed.is_empty() {
            return;
        }
        let at = (self.current_row() as i64 + by).clamp(0, self.listed.len() as i64 - 1);
        self.show(self.listed[at as usize]);
    }

    // ---- mouse ------------------------------------------------------------------------------------

    pub(super) fn mouse(&mut self, mouse: MouseEvent) {
        let a = areas(self);
        let at = Position { x: mouse.column, y: mouse.row };
        self.stale = true;
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => self.click(&a, at),
            MouseEventKind::Drag(MouseButton::Left) if a.chart.contains(at) => self.scrub(&a, at),
            MouseEventKind::ScrollUp if a.chart.contains(at) => self.zoom = (self.zoom + 1).min(ZOOM_MAX),
            MouseEventKind::ScrollDown if a.chart.contains(at) => self.zoom = self.zoom.saturating_sub(1),
            MouseEventKind::ScrollUp if a.is_log(self, at) => self.move_cursor(-1),
            MouseEventKind::ScrollDown if a.is_log(self, at) => self.move_cursor(1),
            MouseEventKind::ScrollUp if a.panel().contains(at) => self.scroll_panel(-2),
            MouseEventKind::ScrollDown if a.panel().contains(at) => self.scroll_panel(2),
            _ => {}
        }
    }

    fn click(&mut self, a: &Areas, at: Position) {
        if is_help(&self.overlay) || matches!(self.overlay, Overlay::Panels | Overlay::Acts | Overlay::Steps)
        {
            self.overlay = Overlay::None;
            return;
        }
        if let Some(panel) = a.tabs.iter().find(|(_, r)| r.contains(at)).map(|(p, _)| *p) {
            return self.show_panel(panel);
        }
        if a.slots.contains(at) {
            return self.click_slot(a, at);
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
        if a.is_log(self, at) {
            let row = a.first_event + usize::from(at.y - a.log_rows.y);
            if let Some(&i) = self.listed.get(row) {
                self.show(i);
            }
        }
    }

    fn click_slot(&mut self, a: &Areas, at: Position) {
        let width = u32::from(a.slots.width.saturating_sub(2));
        let x = u32::from(at.x.saturating_sub(a.slots.x + 1)).min(width.saturating_sub(1));
        let cell = u32::from(at.y - a.slots.y) * width + x;
        let cells = (width * u32::from(a.slots.height)).max(1);
        self.slot = (cell * u32::from(crate::slot::SLOTS) / cells) as u16;
        self.show_panel(Panel::Slot);
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
