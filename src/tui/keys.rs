//! What every key does, once. [`KEYMAP`] drives dispatch, the footer, the help screen and the page of
//! keys in the book.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    PlayPause,
    Faster,
    Slower,
    RealTime,
    NextEvent,
    PrevEvent,
    /// By so many milliseconds.
    Skip(i64),
    NextLandmark,
    PrevLandmark,
    NextFailure,
    PrevFailure,
    NextElection,
    PrevElection,
    NextDisagreement,
    PrevDisagreement,
    NextLoss,
    PrevLoss,
    NextPacket,
    PrevPacket,
    NextCron,
    PrevCron,
    Believed,
    Bookmark,
    NextBookmark,
    PrevBookmark,
    GoTo,
    Home,
    End,
    ZoomIn,
    ZoomOut,
    ZoomAll,
    NextObserver,
    PrevObserver,
    ObserveNode,
    ObserveTruth,
    NodeUp,
    NodeDown,
    /// By the digit pressed.
    NodeByNumber,
    Slot,
    NextPanel,
    PrevPanel,
    PanelMenu,
    ZoomPanel,
    LogUp,
    LogDown,
    LogLevel,
    LogNode,
    Search,
    Why,
    KillOrStart,
    PauseOrResume,
    Acts,
    Console,
    Undo,
    NextFuture,
    Compare,
    Rename,
    Steps,
    Save,
    LessonOn,
    LessonCheck,
    LessonHint,
    LessonShow,
    Help,
    Back,
    Quit,
}

/// Headings of the help screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Time,
    Jump,
    Look,
    Panels,
    Log,
    Break,
    Futures,
    Lesson,
    Program,
}

impl Group {
    pub const ALL: [Group; 9] = [
        Group::Time,
        Group::Jump,
        Group::Look,
        Group::Panels,
        Group::Log,
        Group::Break,
        Group::Futures,
        Group::Lesson,
        Group::Program,
    ];
    pub fn title(self) -> &'static str {
        match self {
            Group::Time => "Time",
            Group::Jump => "Jump",
            Group::Look => "Look",
            Group::Panels => "Panels",
            Group::Log => "Events",
            Group::Break => "Act",
            Group::Futures => "Futures",
            Group::Lesson => "Lessons",
            Group::Program => "Program",
        }
    }
}

/// A key on the keyboard. Shift is part of a character, a modifier of other keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub KeyCode, pub KeyModifiers);

impl Key {
    const fn char(c: char) -> Key {
        Key(KeyCode::Char(c), KeyModifiers::NONE)
    }
    const fn code(code: KeyCode) -> Key {
        Key(code, KeyModifiers::NONE)
    }
    fn of(event: KeyEvent) -> Key {
        let held = event.modifiers & (KeyModifiers::SHIFT | KeyModifiers::CONTROL | KeyModifiers::ALT);
        match event.code {
            KeyCode::Char(_) | KeyCode::BackTab => Key(event.code, held - KeyModifiers::SHIFT),
            code => Key(code, held),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (bit, name) in [(KeyModifiers::CONTROL, "ctrl "), (KeyModifiers::SHIFT, "shift ")] {
            if self.1.contains(bit) {
                f.write_str(name)?;
            }
        }
        match self.0 {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::PageUp => f.write_str("pgup"),
            KeyCode::PageDown => f.write_str("pgdn"),
            KeyCode::Home => f.write_str("home"),
            KeyCode::End => f.write_str("end"),
            KeyCode::Enter => f.write_str("enter"),
            KeyCode::Tab => f.write_str("tab"),
            KeyCode::Backspace => f.write_str("backspace"),
            KeyCode::BackTab => f.write_str("shift tab"),
            KeyCode::Esc => f.write_str("esc"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// One line of the keymap.
pub struct Binding {
    pub action: Action,
    pub keys: &'static [Key],
    pub group: Group,
    /// For the footer, if it is shown there: the most wanted first.
    pub footer: Option<(u8, &'static str)>,
    pub help: &'static str,
}

const fn bind(
    action: Action,
    keys: &'static [Key],
    group: Group,
    footer: Option<(u8, &'static str)>,
    help: &'static str,
) -> Binding {
    Binding { action, keys, group, footer, help }
}

const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

/// Every key of the player.
pub const KEYMAP: &[Binding] = &[
    bind(Action::PlayPause, &[Key::char(' ')], Group::Time, Some((1, "play")), "play or pause"),
    bind(
        Action::Faster,
        &[Key::char('+'), Key::char('=')],
        Group::Time,
        Some((11, "speed")),
        "faster, up to 100,000 times real time",
    ),
    bind(Action::Slower, &[Key::char('-')], Group::Time, None, "slower, down to a thousandth"),
    bind(Action::RealTime, &[Key::char('\\')], Group::Time, None, "real time"),
    bind(
        Action::NextEvent,
        &[Key::code(KeyCode::Right)],
        Group::Time,
        Some((2, "step")),
        "the next event of the list",
    ),
    bind(Action::PrevEvent, &[Key::code(KeyCode::Left)], Group::Time, None, "the event before, back in time"),
    bind(Action::Skip(1000), &[Key(KeyCode::Right, SHIFT), Key::char('.')], Group::Time, None, "1 s forward"),
    bind(Action::Skip(-1000), &[Key(KeyCode::Left, SHIFT), Key::char(',')], Group::Time, None, "1 s back"),
    bind(
        Action::Skip(10_000),
        &[Key(KeyCode::Right, CTRL), Key::char('>')],
        Group::Time,
        None,
        "10 s forward",
    ),
    bind(Action::Skip(-10_000), &[Key(KeyCode::Left, CTRL), Key::char('<')], Group::Time, None, "10 s back"),
    bind(
        Action::NextLandmark,
        &[Key::char('n')],
        Group::Jump,
        Some((3, "next")),
        "the next headline: a fault, a decision, a word of the narrator",
    ),
    bind(Action::PrevLandmark, &[Key::char('p')], Group::Jump, None, "the headline before"),
    bind(
        Action::NextFailure,
        &[Key::char('f')],
        Group::Jump,
        Some((4, "failure")),
        "the next failure or election, found by running on if need be",
    ),
    bind(Action::PrevFailure, &[Key::char('F')], Group::Jump, None, "the failure or election before"),
    bind(
        Action::NextElection,
        &[Key::char('e')],
        Group::Jump,
        None,
        "the next election, or what comes of it",
    ),
    bind(Action::PrevElection, &[Key::char('E')], Group::Jump, None, "the election before"),
    bind(
        Action::NextDisagreement,
        &[Key::char('d')],
        Group::Jump,
        None,
        "the next moment at which nodes begin to differ: about a failure, a state, an owner",
    ),
    bind(Action::PrevDisagreement, &[Key::char('D')], Group::Jump, None, "the disagreement before"),
    bind(Action::NextLoss, &[Key::char('u')], Group::Jump, None, "the next loss of an acknowledged write"),
    bind(Action::PrevLoss, &[Key::char('U')], Group::Jump, None, "the loss before"),
    bind(Action::NextPacket, &[Key::char('r')], Group::Jump, None, "the next packet of the bus that is read"),
    bind(Action::PrevPacket, &[Key::char('R')], Group::Jump, None, "the packet before"),
    bind(Action::NextCron, &[Key::char('c')], Group::Jump, None, "the next tick of a serverCron"),
    bind(Action::PrevCron, &[Key::char('C')], Group::Jump, None, "the tick before"),
    bind(
        Action::Believed,
        &[Key::char('y')],
        Group::Jump,
        None,
        "when the observer last changed its mind about the selected node",
    ),
    bind(Action::Bookmark, &[Key::char('b')], Group::Jump, None, "set a bookmark here, or remove it"),
    bind(Action::NextBookmark, &[Key::char('\'')], Group::Jump, None, "the next bookmark"),
    bind(Action::PrevBookmark, &[Key::char('"')], Group::Jump, None, "the bookmark before"),
    bind(Action::GoTo, &[Key::char('g')], Group::Jump, None, "go to a time: 12.5, 250ms, 2m, -3"),
    bind(
        Action::Home,
        &[Key::code(KeyCode::Home), Key::char('0')],
        Group::Jump,
        None,
        "time zero: the deployment is formed",
    ),
    bind(
        Action::End,
        &[Key::code(KeyCode::End), Key::char('$')],
        Group::Jump,
        None,
        "the end of the scenario",
    ),
    bind(
        Action::NextObserver,
        &[Key::code(KeyCode::Tab), Key::char('v')],
        Group::Look,
        Some((5, "observer")),
        "see with the eyes of the next node, then the truth",
    ),
    bind(Action::PrevObserver, &[Key::code(KeyCode::BackTab)], Group::Look, None, "the observer before"),
    bind(
        Action::ObserveNode,
        &[Key::code(KeyCode::Enter)],
        Group::Look,
        None,
        "see with the eyes of the selected node",
    ),
    bind(Action::ObserveTruth, &[Key::char('t')], Group::Look, None, "see what is so, which no node knows"),
    bind(Action::NodeUp, &[Key::code(KeyCode::Up)], Group::Look, None, "select the node above"),
    bind(Action::NodeDown, &[Key::code(KeyCode::Down)], Group::Look, None, "select the node below"),
    bind(
        Action::NodeByNumber,
        &[
            Key::char('1'),
            Key::char('2'),
            Key::char('3'),
            Key::char('4'),
            Key::char('5'),
            Key::char('6'),
            Key::char('7'),
            Key::char('8'),
            Key::char('9'),
        ],
        Group::Look,
        None,
        "select a node by its place",
    ),
    bind(Action::ZoomIn, &[Key::char('z')], Group::Look, None, "show a shorter time around now"),
    bind(Action::ZoomOut, &[Key::char('x')], Group::Look, None, "show a longer time"),
    bind(Action::ZoomAll, &[Key::char('a')], Group::Look, None, "show all of the run"),
    bind(
        Action::Slot,
        &[Key::char('s')],
        Group::Look,
        None,
        "look at one slot, by its number or a key in it",
    ),
    bind(
        Action::NextPanel,
        &[Key::char(']')],
        Group::Panels,
        Some((6, "panel")),
        "the next panel of the lower half",
    ),
    bind(Action::PrevPanel, &[Key::char('[')], Group::Panels, None, "the panel before"),
    bind(
        Action::PanelMenu,
        &[Key::char('m')],
        Group::Panels,
        Some((10, "menu")),
        "choose a panel from a menu",
    ),
    bind(
        Action::ZoomPanel,
        &[Key::char('Z')],
        Group::Panels,
        None,
        "give the panel the whole screen, or back",
    ),
    bind(
        Action::LogUp,
        &[Key::code(KeyCode::PageUp)],
        Group::Panels,
        None,
        "a page back, in the events or the panel",
    ),
    bind(Action::LogDown, &[Key::code(KeyCode::PageDown)], Group::Panels, None, "a page on"),
    bind(
        Action::LogLevel,
        &[Key::char('l')],
        Group::Log,
        None,
        "how much to list: headlines, notices, everything",
    ),
    bind(Action::LogNode, &[Key::char('o')], Group::Log, None, "list only the selected node, or all"),
    bind(
        Action::Search,
        &[Key::char('/')],
        Group::Log,
        Some((12, "search")),
        "list only what contains a text",
    ),
    bind(Action::Why, &[Key::char('w')], Group::Log, Some((7, "why")), "why: what led to the selected event"),
    bind(
        Action::KillOrStart,
        &[Key::char('K')],
        Group::Break,
        None,
        "kill -9 the selected node, or start it again; the future is open from here",
    ),
    bind(
        Action::PauseOrResume,
        &[Key::char('S')],
        Group::Break,
        None,
        "stop the selected node's process (SIGSTOP), or let it go on",
    ),
    bind(
        Action::Acts,
        &[Key::char('!')],
        Group::Break,
        Some((8, "act")),
        "choose from a menu what to do to the selected node",
    ),
    bind(
        Action::Console,
        &[Key::char(':')],
        Group::Break,
        Some((9, "console")),
        "the console: commands to nodes, redis-cli, faults; tab completes, up recalls",
    ),
    bind(
        Action::Undo,
        &[Key::code(KeyCode::Backspace)],
        Group::Break,
        None,
        "back to the moment before the last thing done by hand",
    ),
    bind(Action::NextFuture, &[Key::char('X')], Group::Futures, None, "the next future of those kept"),
    bind(
        Action::Compare,
        &[Key::char('|')],
        Group::Futures,
        None,
        "this future and the other side by side, aligned on time",
    ),
    bind(Action::Rename, &[Key::char('N')], Group::Futures, None, "give this future a name"),
    bind(Action::Steps, &[Key::char('P')], Group::Futures, None, "what was done by hand, as scenario steps"),
    bind(
        Action::Save,
        &[Key(KeyCode::Char('s'), CTRL)],
        Group::Futures,
        None,
        "write this future as a scenario file",
    ),
    bind(
        Action::LessonOn,
        &[Key::char('L')],
        Group::Lesson,
        None,
        "leave the run of the lesson, begin its exercise",
    ),
    bind(
        Action::LessonCheck,
        &[Key::char('V')],
        Group::Lesson,
        None,
        "verify the exercise: runs ahead to its end, and judges what you did",
    ),
    bind(
        Action::LessonHint,
        &[Key::char('H')],
        Group::Lesson,
        None,
        "a hint for the exercise, then the next",
    ),
    bind(
        Action::LessonShow,
        &[Key::char('W')],
        Group::Lesson,
        None,
        "show the way: does the next step of the solution",
    ),
    bind(Action::Help, &[Key::char('?'), Key::char('h')], Group::Program, Some((0, "help")), "this page"),
    bind(
        Action::Back,
        &[Key::code(KeyCode::Esc)],
        Group::Program,
        None,
        "close what is open; then drop search and filter",
    ),
    bind(
        Action::Quit,
        &[Key::char('q'), Key(KeyCode::Char('c'), CTRL)],
        Group::Program,
        Some((13, "quit")),
        "quit",
    ),
];

/// What a key press asks for.
pub fn action(event: KeyEvent) -> Option<Action> {
    let key = Key::of(event);
    KEYMAP.iter().find(|b| b.keys.contains(&key)).map(|b| b.action)
}

impl Binding {
    /// Its keys for people: `+ or =`; a row of digits as `1-9`.
    pub fn keys_text(&self) -> String {
        match self.keys {
            [first, .., last] if self.keys.len() > 3 => format!("{first}-{last}"),
            keys => keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" or "),
        }
    }
}

/// The page of keys as Markdown.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Keys of the player\n\n\
         The mouse works too: click a lane or the axis to go there, a row to select a node, an event to\n\
         see it, a cell of the slot map to look at its slot, a tab to choose a panel; the wheel scrolls\n\
         events and panels and zooms time.\n",
    );
    for group in Group::ALL {
        out.push_str(&format!("\n## {}\n\n| key | does |\n| --- | --- |\n", group.title()));
        for b in KEYMAP.iter().filter(|b| b.group == group) {
            let keys = b.keys_text().replace('\\', "\\\\");
            out.push_str(&format!("| {keys} | {} |\n", b.help));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        let all: Vec<Key> = KEYMAP.iter().flat_map(|b| b.keys.iter().copied()).collect();
        for (i, k) in all.iter().enumerate() {
            assert!(!all[..i].contains(k), "{k}");
        }
    }

    #[test]
    fn shift_is_part_of_a_character() {
        let press = |c, m| action(KeyEvent::new(KeyCode::Char(c), m));
        assert_eq!(press('F', SHIFT), Some(Action::PrevFailure));
        assert_eq!(press('F', KeyModifiers::NONE), Some(Action::PrevFailure));
        assert_eq!(press('?', SHIFT), Some(Action::Help));
        assert_eq!(press('c', CTRL), Some(Action::Quit));
        assert_eq!(press('c', KeyModifiers::NONE), Some(Action::NextCron));
        assert_eq!(press('j', KeyModifiers::NONE), None);
        let right = |m| action(KeyEvent::new(KeyCode::Right, m));
        assert_eq!(right(SHIFT), Some(Action::Skip(1000)));
        assert_eq!(right(CTRL), Some(Action::Skip(10_000)));
    }
}
