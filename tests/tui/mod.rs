//! The player: what it draws (glyphs and styles), what its keys do, and that time travel shows what a run
//! shows.
//!
//! Pictures are of a story told by hand, so that they change when the screen changes and not when the
//! engine does. New pictures: `INSTA_UPDATE=always cargo test --test main tui`.

mod futures;
mod keys;
mod lesson;
mod outputs;
mod screen;
mod story;
mod terminal;
mod walk;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use slotscope::tui::{Model, Msg, press, update, view};

/// Lets the model do all that it wants, and brings it up to date.
fn settle(m: &mut Model) {
    while m.is_working() {
        update(m, Msg::Work(10_000));
    }
    update(m, Msg::Present);
}

/// Presses keys, each of which has its full effect before the next.
fn type_keys(m: &mut Model, keys: &str) {
    for c in keys.chars() {
        press(m, c);
        settle(m);
    }
}

/// The screen of the model at its size.
fn draw(m: &Model) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(m.size.0, m.size.1)).expect("a terminal in memory");
    terminal.draw(|frame| view(m, frame)).expect("a terminal in memory");
    terminal.backend().buffer().clone()
}

/// The rows of a screen, without blanks at their ends.
fn rows(b: &Buffer) -> Vec<String> {
    let row = |y| (0..b.area.width).map(|x| b[(x, y)].symbol()).collect::<String>();
    (0..b.area.height).map(|y| row(y).trim_end().to_string()).collect()
}

fn look(cell: &Cell) -> String {
    let mut out = format!("{:?} on {:?} {:?}", cell.fg, cell.bg, cell.modifier).replace("Reset", "default");
    for empty in [" on default", " NONE"] {
        out = out.replace(empty, "");
    }
    out
}

/// Two grids: the glyphs, and a letter for the style of each cell; then what the letters mean.
fn picture(b: &Buffer) -> String {
    let mut looks: Vec<String> = Vec::new();
    let mut styles = String::new();
    for y in 0..b.area.height {
        let mut line = String::new();
        for x in 0..b.area.width {
            let cell = &b[(x, y)];
            let name = look(cell);
            let i = looks.iter().position(|l| *l == name).unwrap_or_else(|| {
                looks.push(name.clone());
                looks.len() - 1
            });
            let plain = name == "default" || cell.symbol() == " " && !name.contains("REVERSED");
            line.push(if plain { ' ' } else { char::from_u32('A' as u32 + i as u32).unwrap_or('~') });
        }
        styles.push_str(line.trim_end());
        styles.push('\n');
    }
    let mut out = rows(b).join("\n");
    out.push_str("\n\n---- styles ----\n");
    out.push_str(&styles);
    out.push_str("---- letters ----\n");
    for (i, l) in looks.iter().enumerate().filter(|(_, l)| *l != "default") {
        out.push_str(&format!("{} {l}\n", char::from_u32('A' as u32 + i as u32).unwrap_or('~')));
    }
    out
}
