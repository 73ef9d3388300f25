//! A screen as an SVG picture: the same on every machine.

use std::fmt::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::{Model, view};

/// Size of a cell, in pixels.
const W: u32 = 9;
const H: u32 = 20;
const BACKGROUND: &str = "#16191d";
const FOREGROUND: &str = "#d8dce2";

/// Draws the model at its size.
pub fn picture(model: &Model) -> String {
    let mut terminal =
        Terminal::new(TestBackend::new(model.size.0, model.size.1)).expect("no terminal needed");
    terminal.draw(|frame| view(model, frame)).expect("no terminal needed");
    svg(terminal.backend().buffer())
}

/// A buffer as SVG. Runs of equal style become one text, stretched to their cells; solid glyphs and lines
/// are drawn, so that they join.
pub fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (w, h) = (u32::from(area.width) * W + 2 * W, u32::from(area.height) * H + H);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"15\">\n\
         <rect width=\"{w}\" height=\"{h}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for y in 0..area.height {
        row(&mut out, buffer, y);
    }
    out.push_str("</svg>\n");
    out
}

#[derive(Clone, PartialEq)]
struct Look {
    fg: String,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

fn look(cell: &Cell) -> Look {
    let has = |m| cell.modifier.contains(m);
    let (mut fg, mut bg) = (color(cell.fg), color(cell.bg));
    if has(Modifier::REVERSED) {
        (fg, bg) = (
            Some(bg.unwrap_or_else(|| BACKGROUND.to_string())),
            Some(fg.unwrap_or_else(|| FOREGROUND.to_string())),
        );
    }
    Look {
        fg: fg.unwrap_or_else(|| FOREGROUND.to_string()),
        bg,
        bold: has(Modifier::BOLD),
        dim: has(Modifier::DIM),
        underlined: has(Modifier::UNDERLINED),
    }
}

/// `None` for the terminal's own colour. The theme of pictures has true colours; others are near enough.
fn color(c: Color) -> Option<String> {
    match c {
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Reset => None,
        Color::Black => Some("#000000".into()),
        Color::DarkGray => Some("#80868e".into()),
        _ => Some(FOREGROUND.into()),
    }
}

fn row(out: &mut String, buffer: &Buffer, y: u16) {
    let cell = |x: u16| &buffer[(x, y)];
    let width = buffer.area.width;
    let top = u32::from(y) * H + H / 2;
    let mut x = 0;
    while x < width {
        let style = look(cell(x));
        let solid = shape(cell(x).symbol()).is_some();
        let mut end = x + 1;
        while end < width && look(cell(end)) == style && shape(cell(end).symbol()).is_some() == solid {
            end += 1;
        }
        let symbols: Vec<&str> = (x..end).map(|i| cell(i).symbol()).collect();
        let left = u32::from(x) * W + W;
        if let Some(bg) = &style.bg {
            let w = u32::from(end - x) * W;
            let _ =
                writeln!(out, "<rect x=\"{left}\" y=\"{top}\" width=\"{w}\" height=\"{H}\" fill=\"{bg}\"/>");
        }
        if solid {
            shapes(out, &symbols, left, top, &style);
        } else {
            text(out, &symbols, left, top, &style);
        }
        x = end;
    }
}

/// What tells a square from a full one: lines in the colour of the background.
fn filling(out: &mut String, symbol: &str, x: u32, y: u32) {
    let d = match symbol {
        "□" => format!("M{} {}h3v7h-3z", x + 2, y + 2),
        "▤" => format!("M{x} {}h7m-7 4h7", y + 3),
        "▥" => format!("M{} {y}v11m3 -11v11", x + 2),
        "▦" => format!("M{x} {}h7M{} {y}v11", y + 5, x + 3),
        "▧" => format!("M{x} {}l7 7", y + 2),
        "▨" => format!("M{x} {}l7 -7", y + 9),
        "▩" => format!("M{x} {}l7 7m-7 0l7 -7", y + 2),
        _ => return,
    };
    let _ = writeln!(out, "<path d=\"{d}\" stroke=\"{BACKGROUND}\" stroke-width=\"1.4\" fill=\"none\"/>");
}

fn opacity(style: &Look) -> &'static str {
    if style.dim { " opacity=\"0.5\"" } else { "" }
}

fn text(out: &mut String, symbols: &[&str], left: u32, top: u32, style: &Look) {
    let lead = symbols.iter().take_while(|s| **s == " ").count();
    let tail = symbols.iter().rev().take_while(|s| **s == " ").count();
    if lead == symbols.len() {
        return;
    }
    let shown = symbols[lead..symbols.len() - tail].concat();
    let n = (symbols.len() - lead - tail) as u32;
    let x = left + lead as u32 * W;
    let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
    let line = if style.underlined { " text-decoration=\"underline\"" } else { "" };
    let escaped = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" fill=\"{}\"{weight}{line}{}>{escaped}</text>",
        top + 15,
        n * W,
        style.fg,
        opacity(style),
    );
}

/// A glyph as a rectangle in a cell: x, y, width and height.
fn shape(symbol: &str) -> Option<(u32, u32, u32, u32)> {
    Some(match symbol {
        "█" => (0, 0, W, H),
        "━" => (0, H / 2 - 2, W, 3),
        "─" => (0, H / 2 - 1, W, 1),
        "│" => (W / 2, 0, 1, H),
        "┃" => (W / 2 - 1, 0, 3, H),
        "▌" => (0, 0, W / 2, H),
        "▁" => (0, H - 3, W, 3),
        "▂" => (0, H - 5, W, 5),
        "▃" => (0, H - 8, W, 8),
        "▄" => (0, H - 10, W, 10),
        "▅" => (0, H - 13, W, 13),
        "▆" => (0, H - 15, W, 15),
        "■" | "□" | "▤" | "▥" | "▦" | "▧" | "▨" | "▩" => (1, 5, W - 2, 11),
        _ => return None,
    })
}

fn shapes(out: &mut String, symbols: &[&str], left: u32, top: u32, style: &Look) {
    let mut i = 0;
    while i < symbols.len() {
        let (dx, dy, w, h) = shape(symbols[i]).expect("checked by the caller");
        let joins = dx == 0 && w == W;
        let mut n = 1;
        while joins && i + n < symbols.len() && symbols[i + n] == symbols[i] {
            n += 1;
        }
        let x = left + i as u32 * W + dx;
        let fill = format!("fill=\"{}\"", style.fg);
        let width = if joins { n as u32 * W } else { w };
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{h}\" {fill}{}/>",
            top + dy,
            opacity(style)
        );
        filling(out, symbols[i], x, top + dy);
        i += n;
    }
}
