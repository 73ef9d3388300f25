//! The fixed texts of the player, each in every language.
//!
//! A text is a [`Said`]: it cannot be written in one language alone. The tables of
//! keys and panels hold [`Said`]s too. What Redis itself says, and the facts of a run, stay in English; so do, so far,
//! the lines inside the panels and the notices.

use std::fmt::Display;

use crate::scenario::lesson::Lang;
use crate::world::probe::view::HealthLevel;

/// A text with its twin. `{0}`, `{1}`, ... are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    pub en: &'static str,
    pub zh: &'static str,
}

/// A text with its twin, for tables.
pub const fn said(en: &'static str, zh: &'static str) -> Said {
    Said { en, zh }
}

impl Said {
    pub fn get(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }

    /// The text with its places filled in.
    pub fn with(&self, lang: Lang, parts: &[&dyn Display]) -> String {
        let mut out = String::new();
        let mut rest = self.get(lang);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (number, after) = after.split_once('}').unwrap_or(("", after));
            if let Some(part) = number.parse::<usize>().ok().and_then(|i| parts.get(i)) {
                out.push_str(&part.to_string());
            }
            rest = after;
        }
        out + rest
    }
}

macro_rules! said {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        $(pub const $name: Said = said($en, $zh);)*
        #[cfg(test)]
        const ALL: &[Said] = &[$($name,)*];
    };
}

said! {
    SEED: "seed {0}", "种子 {0}";
    FORMING: "forming the cluster", "正在组建集群";
    RUNNING: "running…", "运行中…";
    HEALTHY: "healthy", "健康";
    DEGRADED: "degraded", "降级";
    UNHEALTHY: "unhealthy", "不健康";
    AS_IT_IS: "as it is", "实际情况";
    AS_SEEN: "as {0} sees it", "{0} 眼中";
    SMALL_IS: "This terminal has {0} x {1} cells.", "终端现在是 {0} x {1}。";
    SMALL_NEEDS: "Slotscope needs {0} x {1}: make it larger.", "Slotscope 需要 {0} x {1}：请放大窗口。";
    SMALL_QUIT: "q quits.", "按 q 退出。";
    ASK_CONSOLE: "  tab completes, ↑ recalls, help lists, esc leaves", "  tab 补全，↑ 历史，help 列出全部，esc 离开";
    ASK_OTHER: "  enter does it, esc leaves it", "  enter 确认，esc 取消";
    GO_TO: "go to (seconds, or 250ms, 2m): ", "跳到（秒，或 250ms、2m）：";
    SEARCH: "search: ", "搜索：";
    SLOT: "slot number, or a key: ", "槽号，或一个键：";
    SAVE: "save this future as: ", "把这个未来保存为：";
    NAME: "name of this future: ", "这个未来的名字：";
    MORE_LINES: " {0} more: pgdn ", " 还有 {0} 行：pgdn ";
    NODES: "Nodes and time", "节点与时间";
    SLOTS: "Slots", "槽";
    NOT_RUNNING: "its process is not running: it sees nothing", "它的进程没有运行：什么也看不到";
    IS_PAUSED: "its process is paused: what it knew then", "它的进程被暂停：看到的是当时所知";
    MORE_NODES: "{0} more: ↑ ↓", "还有 {0} 个：↑ ↓";
    HELP: "Keys and signs", "按键与符号";
    HELP_MORE: "Keys and signs: ↑ ↓ for more", "按键与符号：↑ ↓ 看更多";
    SIGNS_CHART: " The chart", " 时间图";
    SIGNS_SLOTS: " The slots", " 槽";
    SIGNS_EVENTS: " Events", " 事件";
    PANELS: "Panels: press a letter", "面板：按字母选择";
    ACTS: "Do to {0}: press a letter", "对 {0} 做什么：按字母选择";
    STEPS: "Done by hand in “{0}”: steps of a scenario", "在“{0}”里手动做过的：场景步骤";
    NO_STEPS: " nothing yet: ! or : does something", " 还没有：按 ! 或 : 做点什么";
    WHY: "Why", "为什么";
    NO_CAUSE: "nothing recorded led to it", "没有记录到起因";
    LESSON_KEY: "that key is for lessons: `slotscope lessons` lists them", "这个键用于课程：`slotscope lessons` 列出课程";
    PICK_CHOOSE: " choose  ", " 选择  ";
    PICK_PLAY: " play  ", " 开始  ";
    PICK_QUIT: " quit", " 退出";
}

/// The word for a state of health.
pub const fn health(level: HealthLevel) -> Said {
    match level {
        HealthLevel::Healthy => HEALTHY,
        HealthLevel::Degraded => DEGRADED,
        HealthLevel::Unhealthy => UNHEALTHY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keys::{Group, KEYMAP};
    use crate::tui::panel::Panel;

    /// Every fixed text: of this table, of the keys and of the panels.
    fn all() -> Vec<Said> {
        let keys = KEYMAP.iter().flat_map(|b| [Some(b.help), b.footer.map(|(_, s)| s)]).flatten();
        let panels = Panel::ALL.iter().flat_map(|p| [p.title(), p.what()]);
        let groups = Group::ALL.iter().map(|g| g.title());
        ALL.iter().copied().chain(keys).chain(panels).chain(groups).collect()
    }

    #[test]
    fn every_text_has_its_twin() {
        for s in all() {
            assert!(!s.en.trim().is_empty() && !s.zh.trim().is_empty(), "{s:?}");
            assert!(s.zh.chars().any(|c| c > '\u{2e80}'), "no Chinese: {s:?}");
            assert!(s.en.chars().all(|c| c < '\u{2e80}'), "no English: {s:?}");
        }
    }

    #[test]
    fn twins_have_the_same_places_to_fill_in() {
        for s in all() {
            for i in 0..4 {
                let place = format!("{{{i}}}");
                assert_eq!(s.en.contains(&place), s.zh.contains(&place), "{s:?}");
            }
        }
        assert_eq!(AS_SEEN.with(Lang::Zh, &[&"n3"]), "n3 眼中");
        assert_eq!(SMALL_IS.with(Lang::En, &[&3, &4]), "This terminal has 3 x 4 cells.");
    }
}
