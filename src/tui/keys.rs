//! What every key does, once. [`KEYMAP`] drives dispatch, the footer, the help screen and the page of
//! keys in the book.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::words::{Said, said};

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
    Palette,
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
    pub fn title(self) -> Said {
        match self {
            Group::Time => said("Time", "时间"),
            Group::Jump => said("Jump", "跳转"),
            Group::Look => said("Look", "观察"),
            Group::Panels => said("Panels", "面板"),
            Group::Log => said("Events", "事件"),
            Group::Break => said("Act", "动作"),
            Group::Futures => said("Futures", "未来"),
            Group::Lesson => said("Lessons", "课程"),
            Group::Program => said("Program", "程序"),
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
    pub footer: Option<(u8, Said)>,
    pub help: Said,
}

const fn bind(
    action: Action,
    keys: &'static [Key],
    group: Group,
    footer: Option<(u8, Said)>,
    help: Said,
) -> Binding {
    Binding { action, keys, group, footer, help }
}

const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

/// Every key of the player.
pub const KEYMAP: &[Binding] = &[
    bind(
        Action::PlayPause,
        &[Key::char(' ')],
        Group::Time,
        Some((1, said("play", "播放"))),
        said("play or pause", "播放或暂停"),
    ),
    bind(
        Action::Faster,
        &[Key::char('+'), Key::char('=')],
        Group::Time,
        Some((11, said("speed", "加速"))),
        said("faster, up to 100,000 times real time", "加速，最快十万倍"),
    ),
    bind(
        Action::Slower,
        &[Key::char('-')],
        Group::Time,
        None,
        said("slower, down to a thousandth", "减速，最慢千分之一"),
    ),
    bind(Action::RealTime, &[Key::char('\\')], Group::Time, None, said("real time", "实时速度")),
    bind(
        Action::NextEvent,
        &[Key::code(KeyCode::Right)],
        Group::Time,
        Some((2, said("step", "单步"))),
        said("the next event of the list", "列表中的下一个事件"),
    ),
    bind(
        Action::PrevEvent,
        &[Key::code(KeyCode::Left)],
        Group::Time,
        None,
        said("the event before, back in time", "上一个事件，时间倒回"),
    ),
    bind(
        Action::Skip(1000),
        &[Key(KeyCode::Right, SHIFT), Key::char('.')],
        Group::Time,
        None,
        said("1 s forward", "前进 1 s"),
    ),
    bind(
        Action::Skip(-1000),
        &[Key(KeyCode::Left, SHIFT), Key::char(',')],
        Group::Time,
        None,
        said("1 s back", "后退 1 s"),
    ),
    bind(
        Action::Skip(10_000),
        &[Key(KeyCode::Right, CTRL), Key::char('>')],
        Group::Time,
        None,
        said("10 s forward", "前进 10 s"),
    ),
    bind(
        Action::Skip(-10_000),
        &[Key(KeyCode::Left, CTRL), Key::char('<')],
        Group::Time,
        None,
        said("10 s back", "后退 10 s"),
    ),
    bind(
        Action::NextLandmark,
        &[Key::char('n')],
        Group::Jump,
        Some((3, said("next", "下一个"))),
        said(
            "the next headline: a fault, a decision, a word of the narrator",
            "下一条要闻：故障、决定或旁白",
        ),
    ),
    bind(
        Action::PrevLandmark,
        &[Key::char('p')],
        Group::Jump,
        None,
        said("the headline before", "上一条要闻"),
    ),
    bind(
        Action::NextFailure,
        &[Key::char('f')],
        Group::Jump,
        Some((4, said("failure", "故障"))),
        said(
            "the next failure or election, found by running on if need be",
            "下一次故障或选举，必要时继续运行去找",
        ),
    ),
    bind(
        Action::PrevFailure,
        &[Key::char('F')],
        Group::Jump,
        None,
        said("the failure or election before", "上一次故障或选举"),
    ),
    bind(
        Action::NextElection,
        &[Key::char('e')],
        Group::Jump,
        None,
        said("the next election, or what comes of it", "下一次选举，或它的结果"),
    ),
    bind(
        Action::PrevElection,
        &[Key::char('E')],
        Group::Jump,
        None,
        said("the election before", "上一次选举"),
    ),
    bind(
        Action::NextDisagreement,
        &[Key::char('d')],
        Group::Jump,
        None,
        said(
            "the next moment at which nodes begin to differ: about a failure, a state, an owner",
            "下一个节点看法开始不一的时刻：故障、状态、属主",
        ),
    ),
    bind(
        Action::PrevDisagreement,
        &[Key::char('D')],
        Group::Jump,
        None,
        said("the disagreement before", "上一次分歧"),
    ),
    bind(
        Action::NextLoss,
        &[Key::char('u')],
        Group::Jump,
        None,
        said("the next loss of an acknowledged write", "下一次丢失已确认的写"),
    ),
    bind(Action::PrevLoss, &[Key::char('U')], Group::Jump, None, said("the loss before", "上一次丢失")),
    bind(
        Action::NextPacket,
        &[Key::char('r')],
        Group::Jump,
        None,
        said("the next packet of the bus that is read", "总线上下一个被读到的报文"),
    ),
    bind(Action::PrevPacket, &[Key::char('R')], Group::Jump, None, said("the packet before", "上一个报文")),
    bind(
        Action::NextCron,
        &[Key::char('c')],
        Group::Jump,
        None,
        said("the next tick of a serverCron", "下一次 serverCron"),
    ),
    bind(Action::PrevCron, &[Key::char('C')], Group::Jump, None, said("the tick before", "上一次")),
    bind(
        Action::Believed,
        &[Key::char('y')],
        Group::Jump,
        None,
        said(
            "when the observer last changed its mind about the selected node",
            "观察者上次改变对选中节点看法的时刻",
        ),
    ),
    bind(
        Action::Bookmark,
        &[Key::char('b')],
        Group::Jump,
        None,
        said("set a bookmark here, or remove it", "在这里设书签，或删除"),
    ),
    bind(
        Action::NextBookmark,
        &[Key::char('\'')],
        Group::Jump,
        None,
        said("the next bookmark", "下一个书签"),
    ),
    bind(
        Action::PrevBookmark,
        &[Key::char('"')],
        Group::Jump,
        None,
        said("the bookmark before", "上一个书签"),
    ),
    bind(
        Action::GoTo,
        &[Key::char('g')],
        Group::Jump,
        None,
        said("go to a time: 12.5, 250ms, 2m, -3", "跳到某个时间：12.5、250ms、2m、-3"),
    ),
    bind(
        Action::Home,
        &[Key::code(KeyCode::Home), Key::char('0')],
        Group::Jump,
        None,
        said("time zero: the deployment is formed", "零时刻：部署组建完成"),
    ),
    bind(
        Action::End,
        &[Key::code(KeyCode::End), Key::char('$')],
        Group::Jump,
        None,
        said("the end of the scenario", "场景结束"),
    ),
    bind(
        Action::NextObserver,
        &[Key::code(KeyCode::Tab), Key::char('v')],
        Group::Look,
        Some((5, said("observer", "观察者"))),
        said("see with the eyes of the next node, then the truth", "换成下一个节点的眼睛，最后是实际情况"),
    ),
    bind(
        Action::PrevObserver,
        &[Key::code(KeyCode::BackTab)],
        Group::Look,
        None,
        said("the observer before", "上一个观察者"),
    ),
    bind(
        Action::ObserveNode,
        &[Key::code(KeyCode::Enter)],
        Group::Look,
        None,
        said("see with the eyes of the selected node", "用选中节点的眼睛看"),
    ),
    bind(
        Action::ObserveTruth,
        &[Key::char('t')],
        Group::Look,
        None,
        said("see what is so, which no node knows", "看实际情况，没有节点知道它"),
    ),
    bind(
        Action::NodeUp,
        &[Key::code(KeyCode::Up)],
        Group::Look,
        None,
        said("select the node above", "选上面的节点"),
    ),
    bind(
        Action::NodeDown,
        &[Key::code(KeyCode::Down)],
        Group::Look,
        None,
        said("select the node below", "选下面的节点"),
    ),
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
        said("select a node by its place", "按位置选节点"),
    ),
    bind(
        Action::ZoomIn,
        &[Key::char('z')],
        Group::Look,
        None,
        said("show a shorter time around now", "显示更短的时间"),
    ),
    bind(Action::ZoomOut, &[Key::char('x')], Group::Look, None, said("show a longer time", "显示更长的时间")),
    bind(Action::ZoomAll, &[Key::char('a')], Group::Look, None, said("show all of the run", "显示整个运行")),
    bind(
        Action::Slot,
        &[Key::char('s')],
        Group::Look,
        None,
        said("look at one slot, by its number or a key in it", "看一个槽，按槽号或其中的键"),
    ),
    bind(
        Action::NextPanel,
        &[Key::char(']')],
        Group::Panels,
        Some((6, said("panel", "面板"))),
        said("the next panel of the lower half", "下半屏的下一个面板"),
    ),
    bind(Action::PrevPanel, &[Key::char('[')], Group::Panels, None, said("the panel before", "上一个面板")),
    bind(
        Action::PanelMenu,
        &[Key::char('m')],
        Group::Panels,
        Some((10, said("menu", "菜单"))),
        said("choose a panel from a menu", "从菜单选面板"),
    ),
    bind(
        Action::ZoomPanel,
        &[Key::char('Z')],
        Group::Panels,
        None,
        said("give the panel the whole screen, or back", "面板占满屏幕，或恢复"),
    ),
    bind(
        Action::LogUp,
        &[Key::code(KeyCode::PageUp)],
        Group::Panels,
        None,
        said("a page back, in the events or the panel", "事件或面板往前一页"),
    ),
    bind(
        Action::LogDown,
        &[Key::code(KeyCode::PageDown)],
        Group::Panels,
        None,
        said("a page on", "往后一页"),
    ),
    bind(
        Action::LogLevel,
        &[Key::char('l')],
        Group::Log,
        None,
        said("how much to list: headlines, notices, everything", "列出多少：要闻、通知、全部"),
    ),
    bind(
        Action::LogNode,
        &[Key::char('o')],
        Group::Log,
        None,
        said("list only the selected node, or all", "只列选中的节点，或全部"),
    ),
    bind(
        Action::Search,
        &[Key::char('/')],
        Group::Log,
        Some((12, said("search", "搜索"))),
        said("list only what contains a text", "只列含某段文字的"),
    ),
    bind(
        Action::Why,
        &[Key::char('w')],
        Group::Log,
        Some((7, said("why", "为什么"))),
        said("why: what led to the selected event", "为什么：选中事件的起因"),
    ),
    bind(
        Action::KillOrStart,
        &[Key::char('K')],
        Group::Break,
        None,
        said(
            "kill -9 the selected node, or start it again; the future is open from here",
            "对选中节点 kill -9，或再启动；未来从这里重新展开",
        ),
    ),
    bind(
        Action::PauseOrResume,
        &[Key::char('S')],
        Group::Break,
        None,
        said(
            "stop the selected node's process (SIGSTOP), or let it go on",
            "暂停选中节点的进程（SIGSTOP），或让它继续",
        ),
    ),
    bind(
        Action::Acts,
        &[Key::char('!')],
        Group::Break,
        Some((8, said("act", "动作"))),
        said("choose from a menu what to do to the selected node", "从菜单选择对选中节点做什么"),
    ),
    bind(
        Action::Console,
        &[Key::char(':')],
        Group::Break,
        Some((9, said("console", "控制台"))),
        said(
            "the console: commands to nodes, redis-cli, faults; tab completes, up recalls",
            "控制台：节点命令、redis-cli、故障；tab 补全，↑ 历史",
        ),
    ),
    bind(
        Action::Undo,
        &[Key::code(KeyCode::Backspace)],
        Group::Break,
        None,
        said("back to the moment before the last thing done by hand", "回到上一次手动动作之前"),
    ),
    bind(
        Action::NextFuture,
        &[Key::char('X')],
        Group::Futures,
        None,
        said("the next future of those kept", "保留的下一个未来"),
    ),
    bind(
        Action::Compare,
        &[Key::char('|')],
        Group::Futures,
        None,
        said("this future and the other side by side, aligned on time", "两个未来并排，按时间对齐"),
    ),
    bind(
        Action::Rename,
        &[Key::char('N')],
        Group::Futures,
        None,
        said("give this future a name", "给这个未来起名"),
    ),
    bind(
        Action::Steps,
        &[Key::char('P')],
        Group::Futures,
        None,
        said("what was done by hand, as scenario steps", "手动做过的，写成场景步骤"),
    ),
    bind(
        Action::Save,
        &[Key(KeyCode::Char('s'), CTRL)],
        Group::Futures,
        None,
        said("write this future as a scenario file", "把这个未来写成场景文件"),
    ),
    bind(
        Action::LessonOn,
        &[Key::char('L')],
        Group::Lesson,
        None,
        said("leave the run of the lesson, begin its exercise", "离开课程的运行，开始练习"),
    ),
    bind(
        Action::LessonCheck,
        &[Key::char('V')],
        Group::Lesson,
        None,
        said(
            "verify the exercise: runs ahead to its end, and judges what you did",
            "检查练习：推演到结束，评判你做的",
        ),
    ),
    bind(
        Action::LessonHint,
        &[Key::char('H')],
        Group::Lesson,
        None,
        said("a hint for the exercise, then the next", "练习的提示，一条接一条"),
    ),
    bind(
        Action::LessonShow,
        &[Key::char('W')],
        Group::Lesson,
        None,
        said("show the way: does the next step of the solution", "示范：替你做解答的下一步"),
    ),
    bind(
        Action::Palette,
        &[Key::char('T')],
        Group::Program,
        None,
        said(
            "other colours: Okabe-Ito, brightness and glyphs alone, none",
            "换颜色：Okabe-Ito、只用明暗和字形、无颜色",
        ),
    ),
    bind(
        Action::Help,
        &[Key::char('?'), Key::char('h')],
        Group::Program,
        Some((0, said("help", "帮助"))),
        said("this page", "本页"),
    ),
    bind(
        Action::Back,
        &[Key::code(KeyCode::Esc)],
        Group::Program,
        None,
        said("close what is open; then drop search and filter", "关闭打开的；再清除搜索和过滤"),
    ),
    bind(
        Action::Quit,
        &[Key::char('q'), Key(KeyCode::Char('c'), CTRL)],
        Group::Program,
        Some((13, said("quit", "退出"))),
        said("quit", "退出"),
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
        out.push_str(&format!("\n## {}\n\n| key | does |\n| --- | --- |\n", group.title().en));
        for b in KEYMAP.iter().filter(|b| b.group == group) {
            let keys = b.keys_text().replace('\\', "\\\\");
            out.push_str(&format!("| {keys} | {} |\n", b.help.en));
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
