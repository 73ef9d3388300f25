//! The fixed texts of the player, each in every language.
//!
//! A text is a [`Said`]: it cannot be written in one language alone. What is said in one place stands there; what is
//! said in several, or of things of other layers, is here. What Redis itself says, and the facts of a run, stay in
//! English. `tests/tidy/twins.rs` reads the sources and finds a text that has no twin.

use std::fmt::Display;

use crate::check::ledger::Cause;
use crate::scenario::lesson::Lang;
use crate::trace::text::Topic;
use crate::world::probe::view::{HealthLevel, Process};

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
    AS_WRITTEN: "as written", "原样";
    EPOCH: "epoch", "纪元";
    NOBODY: "nobody", "无人";
    UNKNOWN: "unknown", "未知";
    UP_FAIL: "up, fail", "运行，fail";
    ME_OK: "me, ok", "我，ok";
    ME_FAIL: "me, fail", "我，fail";
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

/// The word for what a process does.
pub const fn process(p: Process) -> Said {
    match p {
        Process::Up => said("up", "运行"),
        Process::Busy => said("busy", "忙"),
        Process::Paused => said("paused", "暂停"),
        Process::Starting => said("starting", "启动中"),
        Process::Stopped => said("stopped", "已停止"),
        Process::Off => said("off", "断电"),
    }
}

/// What an event is about.
pub fn topic(t: Topic) -> Said {
    let zh = match t {
        Topic::Deed => "故障或步骤",
        Topic::Detection => "故障检测",
        Topic::Election => "选举",
        Topic::Role => "角色与槽",
        Topic::State => "集群状态",
        Topic::Process => "进程或链路",
        Topic::Replication => "复制",
        Topic::Client => "客户端",
    };
    said(t.name(), zh)
}

/// A phase of a failover, by its name in the chart and in explanations.
pub fn phase(name: &'static str) -> Said {
    let zh = match name {
        "silence" => "沉默",
        "agree" | "agreement" => "达成一致",
        "delay" => "延迟",
        "vote" | "votes" => "投票",
        "spread" | "propagation" => "传播",
        "first write" => "首次写入",
        "failed attempt" => "失败的尝试",
        "election delay" => "选举延迟",
        "start" => "发起",
        "request" => "请求",
        "offset" => "偏移量",
        "catch-up" => "追上",
        other => other,
    };
    said(name, zh)
}

/// Why a write was lost.
pub fn loss(cause: Cause) -> Said {
    let zh = match cause {
        Cause::DiedFirst => "从节点还没收到，主节点就死了",
        Cause::Forced => "强制故障转移",
        Cause::Frozen => "卡住的主节点",
        Cause::Partitioned => "被隔离的主节点",
        Cause::Superseded => "已被取代的主节点",
        Cause::LeftBehind => "槽迁走了，键没迁",
        Cause::Resynced => "REPLICAOF 时被丢弃",
        Cause::EmptyRestart => "重启后没有数据",
        Cause::OldFile => "从旧文件重启",
        Cause::Deleted => "被命令删除",
        Cause::Overtaken => "更早的写迟到",
        Cause::Unexplained => "原因不明",
    };
    said(cause.name(), zh)
}

/// What would have kept the write.
pub fn remedy(cause: Cause) -> Said {
    let zh = match cause {
        Cause::DiedFirst => "写之后 WAIT 1：从节点收到之前不算确认",
        Cause::Forced => "CLUSTER FAILOVER 不带 FORCE 或 TAKEOVER：主节点先停写并交出全部数据",
        Cause::Frozen => {
            "写之后 WAIT 1，或客户端超时小于 cluster-node-timeout：那么这次写是“未知”，不是“已确认”"
        }
        Cause::Partitioned => {
            "min-replicas-to-write 1 加上较小的 min-replicas-max-lag：主节点会自己停写；WAIT 1 会马上告诉客户端"
        }
        Cause::Superseded => "写之后 WAIT 1：已不是主节点的节点没有从节点",
        Cause::LeftBehind => "在 CLUSTER SETSLOT NODE 之前用 redis-cli --cluster fix，或 MIGRATE 每一个键",
        Cause::Resynced => "用 FAILOVER 代替 REPLICAOF：主节点先停写并交出全部数据，再变成从节点",
        Cause::EmptyRestart => {
            "appendonly yes，或不要比 cluster-node-timeout 更快地自动重启：那样从节点会接管"
        }
        Cause::OldFile => "appendonly yes 加 appendfsync always，或在故障转移之后再重启",
        Cause::Deleted => "备份",
        Cause::Overtaken => "在值中带编号，用脚本只保留较大者：客户端放弃的写仍可能到达",
        Cause::Unexplained => "不知道",
    };
    said(cause.remedy(), zh)
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
