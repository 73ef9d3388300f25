//! Colours: the Okabe-Ito palette, which people with any colour vision can tell apart, in as many
//! colours as the terminal has; or shades of grey, which need no colour vision at all. Everything coloured also
//! differs in its glyph or its words.

use ratatui::style::{Color, Modifier, Style};

use super::words::{Said, said};

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    Indexed,
    /// The 16 of ANSI.
    Sixteen,
    /// None: only bold, dim and reversed.
    Mono,
}

impl Depth {
    /// From the values of `NO_COLOR`, `COLORTERM` and `TERM`.
    pub fn detect(no_color: Option<&str>, colorterm: Option<&str>, term: Option<&str>) -> Depth {
        if no_color.is_some_and(|v| !v.is_empty()) || term == Some("dumb") {
            return Depth::Mono;
        }
        match (colorterm, term) {
            (Some("truecolor" | "24bit"), _) => Depth::True,
            (_, Some(t)) if t.contains("direct") => Depth::True,
            (_, Some(t)) if t.contains("256color") => Depth::Indexed,
            _ => Depth::Sixteen,
        }
    }
}

/// Which colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    /// Eight hues that any colour vision can tell apart.
    #[default]
    OkabeIto,
    /// No hue: brightness and glyphs tell things apart.
    Brightness,
    /// The terminal's own colour for everything, as with `NO_COLOR`.
    Plain,
}

impl Palette {
    pub const ALL: [Palette; 3] = [Palette::OkabeIto, Palette::Brightness, Palette::Plain];

    /// As `--palette` and `SLOTSCOPE_PALETTE` name it.
    pub fn name(self) -> &'static str {
        match self {
            Palette::OkabeIto => "okabe-ito",
            Palette::Brightness => "brightness",
            Palette::Plain => "plain",
        }
    }

    /// What it is, for people.
    pub fn what(self) -> Said {
        match self {
            Palette::OkabeIto => said("colours: Okabe-Ito", "颜色：Okabe-Ito"),
            Palette::Brightness => {
                said("colours: brightness and glyphs alone, no hue", "颜色：只用明暗和字形，不用色相")
            }
            Palette::Plain => said("colours: none", "颜色：无"),
        }
    }

    pub fn of(name: &str) -> Option<Palette> {
        Palette::ALL.into_iter().find(|p| p.name() == name)
    }

    fn next(self) -> Palette {
        match self {
            Palette::OkabeIto => Palette::Brightness,
            Palette::Brightness => Palette::Plain,
            Palette::Plain => Palette::OkabeIto,
        }
    }
}

/// What a thing on the screen means; the theme decides how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Text,
    Strong,
    /// Of less weight: rules, units, what has not happened yet.
    Faint,
    /// Titles, keys.
    Accent,
    Good,
    Warn,
    Bad,
    Paused,
    /// The narrator.
    Voice,
    /// A node, by its place.
    Node(usize),
}

/// Glyphs of slot owners, by place; with six colours, 24 owners differ in both.
pub const OWNER_GLYPHS: [char; 8] = ['■', '▤', '▦', '▥', '▧', '▨', '▩', '□'];

/// The look of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// What the terminal can show.
    pub depth: Depth,
    pub palette: Palette,
}

#[derive(Clone, Copy)]
struct Hue {
    rgb: (u8, u8, u8),
    indexed: u8,
    ansi: Color,
}

const ORANGE: Hue = Hue { rgb: (0xE6, 0x9F, 0x00), indexed: 214, ansi: Color::Yellow };
const SKY: Hue = Hue { rgb: (0x56, 0xB4, 0xE9), indexed: 74, ansi: Color::LightCyan };
const GREEN: Hue = Hue { rgb: (0x00, 0x9E, 0x73), indexed: 36, ansi: Color::Green };
const YELLOW: Hue = Hue { rgb: (0xF0, 0xE4, 0x42), indexed: 227, ansi: Color::LightYellow };
const BLUE: Hue = Hue { rgb: (0x00, 0x72, 0xB2), indexed: 32, ansi: Color::LightBlue };
const VERMILLION: Hue = Hue { rgb: (0xD5, 0x5E, 0x00), indexed: 166, ansi: Color::LightRed };
const PURPLE: Hue = Hue { rgb: (0xCC, 0x79, 0xA7), indexed: 175, ansi: Color::LightMagenta };
/// Vermillion is kept for failures.
const OWNERS: [Hue; 6] = [SKY, ORANGE, GREEN, PURPLE, BLUE, YELLOW];

/// Three shades that are easily told apart on a dark ground; the middle one is that of faint text.
const BRIGHT: Hue = Hue { rgb: (0xFF, 0xFF, 0xFF), indexed: 231, ansi: Color::White };
const LIGHT: Hue = Hue { rgb: (0xB4, 0xB4, 0xB4), indexed: 249, ansi: Color::Gray };
const DARK: Hue = Hue { rgb: (0x80, 0x86, 0x8E), indexed: 245, ansi: Color::DarkGray };
const SHADES: [Hue; 3] = [BRIGHT, DARK, LIGHT];

impl Theme {
    pub fn new(depth: Depth) -> Theme {
        Theme { depth, palette: Palette::default() }
    }

    pub fn with(self, palette: Palette) -> Theme {
        Theme { palette, ..self }
    }

    /// The same with the next palette.
    pub fn next(self) -> Theme {
        self.with(self.palette.next())
    }

    fn shows_colours(self) -> bool {
        self.depth != Depth::Mono && self.palette != Palette::Plain
    }

    pub fn style(self, ink: Ink) -> Style {
        let plain = Style::new();
        match ink {
            Ink::Text => return plain,
            Ink::Strong => return plain.add_modifier(Modifier::BOLD),
            Ink::Faint if self.shows_colours() => return self.hue(DARK),
            Ink::Faint => return plain.add_modifier(Modifier::DIM),
            _ => {}
        }
        match self.palette {
            Palette::Brightness => self.shade(ink),
            Palette::OkabeIto | Palette::Plain => self.colour(ink),
        }
    }

    /// Good is quiet, bad is bright and underlined; a node has one of three shades, and its glyph.
    fn shade(self, ink: Ink) -> Style {
        match ink {
            Ink::Text | Ink::Strong | Ink::Faint => Style::new(),
            Ink::Accent => self.hue(BRIGHT).add_modifier(Modifier::BOLD),
            Ink::Good => self.hue(LIGHT),
            Ink::Warn => self.hue(BRIGHT).add_modifier(Modifier::UNDERLINED),
            Ink::Bad => self.hue(BRIGHT).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Ink::Paused => self.hue(LIGHT).add_modifier(Modifier::UNDERLINED),
            Ink::Voice => self.hue(BRIGHT),
            Ink::Node(i) => self.hue(SHADES[i % SHADES.len()]),
        }
    }

    fn colour(self, ink: Ink) -> Style {
        match ink {
            Ink::Text | Ink::Strong | Ink::Faint => Style::new(),
            Ink::Accent => self.hue(SKY).add_modifier(Modifier::BOLD),
            Ink::Good => self.hue(GREEN),
            Ink::Warn => self.hue(ORANGE),
            Ink::Bad => self.hue(VERMILLION).add_modifier(Modifier::BOLD),
            Ink::Paused => self.hue(PURPLE),
            Ink::Voice => self.hue(YELLOW),
            Ink::Node(i) => self.hue(OWNERS[i % OWNERS.len()]),
        }
    }

    /// The glyph for what a node owns.
    pub fn owner_glyph(self, node: usize) -> char {
        OWNER_GLYPHS[node % OWNER_GLYPHS.len()]
    }

    fn hue(self, hue: Hue) -> Style {
        let (r, g, b) = hue.rgb;
        match self.depth {
            _ if !self.shows_colours() => Style::new(),
            Depth::True => Style::new().fg(Color::Rgb(r, g, b)),
            Depth::Indexed => Style::new().fg(Color::Indexed(hue.indexed)),
            Depth::Sixteen => Style::new().fg(hue.ansi),
            Depth::Mono => Style::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_says_how_many_colours_it_has() {
        let d = Depth::detect;
        assert_eq!(d(Some("1"), Some("truecolor"), Some("xterm-256color")), Depth::Mono);
        assert_eq!(d(Some(""), Some("truecolor"), None), Depth::True);
        assert_eq!(d(None, None, Some("screen-256color")), Depth::Indexed);
        assert_eq!(d(None, None, Some("xterm")), Depth::Sixteen);
        assert_eq!(d(None, None, Some("dumb")), Depth::Mono);
    }

    #[test]
    fn sixteen_colours_use_no_others() {
        let inks = (0..9).map(Ink::Node).chain([Ink::Faint, Ink::Bad, Ink::Warn, Ink::Good, Ink::Voice]);
        for ink in inks {
            let fg = Theme::new(Depth::Sixteen).style(ink).fg;
            assert!(!matches!(fg, Some(Color::Rgb(..) | Color::Indexed(_)) | None), "{ink:?}");
            assert_eq!(Theme::new(Depth::Mono).style(ink).fg, None, "{ink:?}");
        }
    }

    /// Neither hue nor, in sixteen colours, anything but white and greys.
    #[test]
    fn brightness_has_no_hue() {
        let inks = (0..9).map(Ink::Node).chain([Ink::Faint, Ink::Bad, Ink::Warn, Ink::Good, Ink::Paused]);
        for ink in inks {
            for depth in [Depth::True, Depth::Indexed, Depth::Sixteen] {
                let grey = match Theme::new(depth).with(Palette::Brightness).style(ink).fg {
                    Some(Color::Rgb(r, g, b)) => r.max(g).max(b) - r.min(g).min(b) < 16,
                    Some(Color::Indexed(i)) => i >= 231,
                    fg => matches!(fg, Some(Color::White | Color::Gray | Color::DarkGray)),
                };
                assert!(grey, "{ink:?} {depth:?}");
            }
            assert_eq!(Theme::new(Depth::True).with(Palette::Plain).style(ink).fg, None, "{ink:?}");
        }
    }

    #[test]
    fn states_differ_without_hue() {
        for depth in [Depth::True, Depth::Indexed, Depth::Sixteen] {
            let t = Theme::new(depth).with(Palette::Brightness);
            let all =
                [Ink::Good, Ink::Warn, Ink::Bad, Ink::Paused, Ink::Voice, Ink::Faint].map(|i| t.style(i));
            for (i, a) in all.iter().enumerate() {
                assert!(!all[..i].contains(a), "{depth:?}: {i}");
            }
        }
    }

    #[test]
    fn palettes_have_names() {
        for p in Palette::ALL {
            assert_eq!(Palette::of(p.name()), Some(p));
        }
        assert_eq!(Palette::of("pastel"), None);
        let t = Theme::new(Depth::True);
        assert_eq!(t.next().next().next(), t);
    }

    #[test]
    fn owners_side_by_side_differ_in_colour_and_glyph() {
        let t = Theme::new(Depth::Sixteen);
        for i in 0..5 {
            for j in i + 1..6 {
                assert_ne!(t.style(Ink::Node(i)), t.style(Ink::Node(j)));
                assert_ne!(t.owner_glyph(i), t.owner_glyph(j));
            }
            let t = t.with(Palette::Brightness);
            assert_ne!(t.style(Ink::Node(i)), t.style(Ink::Node(i + 1)));
        }
    }
}
