//! What the panel itself says, in every language.

pub(super) use crate::tui::words::Said;

macro_rules! said {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        $(pub(super) const $name: Said = Said { en: $en, zh: $zh };)*
        #[cfg(test)]
        const ALL: &[Said] = &[$($name,)*];
    };
}

said! {
    LESSON: "Lesson", "课程";
    GOAL: "What this is about", "这一课讲什么";
    QUESTION: "Predict, before you see it", "先猜，再看";
    RIGHT: "Right.", "答对了。";
    WRONG: "Not so.", "不对。";
    SKIPPED: "Skipped.", "跳过了。";
    ANSWER: "The run says:", "运行结果：";
    NO_ANSWER: "the run that you changed does not say", "你改过的这次运行里没有答案";
    YOU_SAID: "You said:", "你的回答：";
    SUMMARY: "Summary", "小结";
    EXERCISE: "Exercise", "练习";
    COMMANDS: "With a real cluster:", "在真实集群上：";
    SCORE: "Predictions right:", "猜对：";
    FREE: "The run is over. Play with it: go back, kill nodes (K), look with other eyes (tab). L begins the exercise.",
        "运行结束了。可以随便玩：倒回去、杀节点（K）、换一个节点的眼睛看（tab）。按 L 开始练习。";
    HINT: "Hint", "提示";
    FAILED: "Not yet, looking ahead to", "还没完成，推演到";
    KEYS_GOAL: "enter begin  q leave", "enter 开始  q 离开";
    KEYS_WATCH: "space play  + faster  n next  L exercise  ? keys  q leave", "空格 播放  + 加速  n 下一个  L 练习  ? 按键  q 离开";
    KEYS_CHOOSE: "1-9 answer  esc skip", "1-9 选择  esc 跳过";
    KEYS_TYPE: "type a number, enter  esc skip", "输入数字后按 enter  esc 跳过";
    KEYS_ON: "enter go on", "enter 继续";
    KEYS_EXERCISE: ": console  g go to a time  V verify  H hint  W show a step  ? keys  q leave", ": 控制台  g 跳到某个时间  V 检查  H 提示  W 替我做一步  ? 按键  q 离开";
    KEYS_ADVICE: "enter go on  H next hint  W show a step  q leave", "enter 继续  H 下一条提示  W 替我做一步  q 离开";
    KEYS_DONE: "enter back to the list", "enter 回到列表";
    SCROLL: "... up and down for all of it", "……用 ↑ ↓ 看全部";
    PROGRESS: "lessons done", "课完成";
    CHOOSE: "choose a lesson or a scenario", "请选择课程或场景";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_its_twin() {
        for said in ALL {
            assert!(!said.en.is_empty() && !said.zh.is_empty(), "{} {}", said.en, said.zh);
            assert!(said.zh.chars().any(|c| c > '\u{2e80}'), "no Chinese: {}", said.zh);
            assert!(said.en.is_ascii(), "{}", said.en);
        }
    }
}
