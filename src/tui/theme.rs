//! Colours: the Okabe-Ito palette, which people with any colour vision can tell apart, in as many
//! colours as the terminal has. Everything coloured also differs in its glyph or its words.

use ratatui::style::{Color, Modifier, Style};

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
    pub depth: Depth,
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

impl Theme {
    pub fn new(depth: Depth) -> Theme {
        Theme { depth }
    }

    pub fn style(self, ink: Ink) -> Style {
        let plain = Style::new();
        match ink {
            Ink::Text => plain,
            Ink::Strong => plain.add_modifier(Modifier::BOLD),
            Ink::Faint => match self.depth {
                Depth::True => plain.fg(Color::Rgb(0x80, 0x86, 0x8E)),
                Depth::Indexed => plain.fg(Color::Indexed(245)),
                Depth::Sixteen => plain.fg(Color::DarkGray),
                Depth::Mono => plain.add_modifier(Modifier::DIM),
            },
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

    #[test]
    fn owners_side_by_side_differ_in_colour_and_glyph() {
        let t = Theme::new(Depth::Sixteen);
        for i in 0..5 {
            for j in i + 1..6 {
                assert_ne!(t.style(Ink::Node(i)), t.style(Ink::Node(j)));
                assert_ne!(t.owner_glyph(i), t.owner_glyph(j));
            }
        }
    }
}
