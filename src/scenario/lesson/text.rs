//! Texts in every language of the program.

/// A language of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    En,
    Zh,
}

impl Lang {
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Zh];

    /// As `--lang` and scenario files name it.
    pub fn name(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh",
        }
    }

    /// The language of this name, or of a locale such as `zh_CN.UTF-8`.
    pub fn of(name: &str) -> Option<Lang> {
        let word = name.split(['_', '-', '.', '@']).next().unwrap_or(name);
        Lang::ALL.into_iter().find(|l| l.name() == word.to_lowercase())
    }

    /// From the values of `LC_ALL`, `LC_MESSAGES` and `LANG`: the first that is set decides.
    pub fn detect(values: [Option<String>; 3]) -> Lang {
        let set = values.into_iter().flatten().find(|v| !v.is_empty());
        set.and_then(|v| Lang::of(&v)).unwrap_or_default()
    }
}

/// One text, in every language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub en: String,
    pub zh: String,
}

impl Text {
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }
}

/// A text as it is written over several lines, each paragraph in one: lines are joined by a space where
/// both sides are Latin, and without one next to Chinese.
pub(crate) fn unfold(text: &str) -> String {
    let mut out = String::new();
    let mut gap = false;
    for line in text.trim().lines().map(str::trim) {
        if line.is_empty() {
            gap = true;
            continue;
        }
        if gap {
            out.push_str("\n\n");
        } else if let (Some(a), Some(b)) = (out.chars().last(), line.chars().next())
            && !(is_wide(a) || is_wide(b))
        {
            out.push(' ');
        }
        gap = false;
        out.push_str(line);
    }
    out
}

/// Whether a character takes two columns: Chinese, and its punctuation.
pub fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_found_by_locale() {
        let detect = |a: &str, b: &str, c: &str| {
            Lang::detect([a, b, c].map(|v| Some(v.to_string()).filter(|v| !v.is_empty())))
        };
        assert_eq!(detect("", "", "zh_CN.UTF-8"), Lang::Zh);
        assert_eq!(detect("C.UTF-8", "", "zh_CN.UTF-8"), Lang::En);
        assert_eq!(detect("", "ZH", "en_US"), Lang::Zh);
        assert_eq!(detect("", "", ""), Lang::En);
        assert_eq!(Lang::of("zhuang"), None);
    }

    #[test]
    fn lines_are_joined_as_their_language_wants() {
        assert_eq!(unfold("one\n  two\n\nthree"), "one two\n\nthree");
        assert_eq!(unfold("主节点\n被杀死。\nn1 停了"), "主节点被杀死。n1 停了");
    }
}
