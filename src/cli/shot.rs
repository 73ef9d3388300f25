//! `slotscope shot`: the player's screen at a moment, as a picture or as a recording of a terminal.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::play::{load, model, moment, parse_size, write};
use crate::base::{Dur, Id};
use crate::scenario::lesson::Lang;
use crate::trace::HostId;
use crate::tui::cast::{self, Recording, settle};
use crate::tui::panel::Panel;
use crate::tui::theme::{Depth, Palette, Theme};
use crate::tui::{Model, Msg, picture, press, text, update};
use crate::world::probe::view::Observer;

/// Draws the player's screen at a moment, or records it as it plays
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("out").required(true).multiple(true)))]
pub struct ShotArgs {
    /// A scenario file, or the name of a scenario that comes with the program
    file: PathBuf,
    /// Another run of the same scenario
    #[arg(long)]
    seed: Option<u64>,
    /// The moment: seconds since the deployment was formed, or for instance 250ms
    #[arg(long, value_name = "TIME", default_value = "0", allow_hyphen_values = true)]
    at: String,
    /// The panel of the lower half: events, inspector, topology, beliefs, slot, sentinels, writes, votes, packets,
    /// health, futures, console
    #[arg(long, value_name = "PANEL", default_value = "events")]
    view: String,
    /// Shows everything as this node sees it
    #[arg(long = "as", value_name = "NODE")]
    observer: Option<String>,
    /// Selects this node
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Gives the panel the whole screen
    #[arg(long)]
    zoom: bool,
    /// Lines of the console to carry out at that moment, one after another
    #[arg(long = "do", value_name = "LINE")]
    lines: Vec<String>,
    /// How much later the picture is taken, after those lines
    #[arg(long, value_name = "TIME", default_value = "0")]
    then: String,
    /// Keys to press last
    #[arg(long, default_value = "")]
    keys: String,
    /// The size of the screen in cells
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "120x36")]
    size: String,
    /// The language of the screen: en or zh
    #[arg(long, value_parser = super::lessons::lang, default_value = "en")]
    lang: Lang,
    /// The colours: okabe-ito, brightness or plain
    #[arg(long, value_parser = super::play::palette, default_value = "okabe-ito")]
    palette: Palette,
    /// Writes an SVG picture to this file (`-` for standard output)
    #[arg(long, value_name = "OUT.svg", group = "out")]
    svg: Option<PathBuf>,
    /// Writes a recording in the format of asciinema to this file (`-` for standard output)
    #[arg(long, value_name = "OUT.cast", group = "out")]
    cast: Option<PathBuf>,
    /// Where the recording ends; without it, at the end of the scenario
    #[arg(long, value_name = "TIME", requires = "cast")]
    until: Option<String>,
    /// How many times as fast as real time the recording plays
    #[arg(long, value_name = "N", default_value_t = 1.0, requires = "cast")]
    speed: f64,
    /// Pictures in a second of the recording
    #[arg(long, value_name = "N", default_value_t = 10, requires = "cast", value_parser = clap::value_parser!(u32).range(1..=60))]
    frames: u32,
}

/// Draws what the arguments say.
pub fn run(args: &ShotArgs) -> ExitCode {
    match shot(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn shot(args: &ShotArgs) -> Result<(), String> {
    let s = load(&args.file)?;
    let size = parse_size(&args.size)?;
    let theme = Theme::new(Depth::True).with(args.palette);
    let mut m = model(&s, args.seed.unwrap_or(s.seed), theme, size);
    m.lang = args.lang;
    settle(&mut m);
    prepare(args, &mut m)?;
    if let Some(out) = &args.svg {
        write(out, &picture::picture(&m))?;
    }
    if let Some(out) = &args.cast {
        if !(args.speed.is_finite() && (0.001..=100_000.0).contains(&args.speed)) {
            return Err(format!("--speed {}: from 0.001 to 100000", args.speed));
        }
        let to = match &args.until {
            Some(t) => moment(&m, t).map_err(|e| format!("--until: {e}"))?,
            None => m.end(),
        };
        let per_second = Dur((args.speed * 1e6) as u64);
        let recording = Recording { from: m.now(), to, per_second, frames: args.frames };
        let text = cast::cast(&mut m, recording).ok_or_else(|| {
            format!("more than {} pictures: raise --speed or choose a shorter time", cast::MAX_FRAMES)
        })?;
        write(out, &text)?;
    }
    Ok(())
}

/// Goes to the moment and does what is asked there.
fn prepare(args: &ShotArgs, m: &mut Model) -> Result<(), String> {
    let t = moment(m, &args.at).map_err(|e| format!("--at: {e}"))?;
    m.seek(t);
    settle(m);
    for line in &args.lines {
        m.note = None;
        update(m, Msg::Line(line.clone()));
        settle(m);
        if m.timeline().deeds().is_empty()
            && let Some(why) = &m.note
        {
            return Err(format!("--do `{line}`: {why}"));
        }
    }
    let later = text::parse_time(&args.then).map_err(|e| format!("--then: {e}"))?;
    if later != 0 {
        m.seek(crate::base::SimTime(m.now().0.saturating_add_signed(later)));
        settle(m);
    }
    if let Some(name) = &args.node {
        m.node = find(m, name).map_err(|e| format!("--node: {e}"))?;
    }
    if let Some(name) = &args.observer {
        m.observer = Observer::Node(HostId::new(find(m, name).map_err(|e| format!("--as: {e}"))?));
    }
    let panel = Panel::ALL.into_iter().find(|p| p.name().eq_ignore_ascii_case(&args.view));
    m.show_panel(panel.ok_or_else(|| {
        let names: Vec<String> = Panel::ALL.iter().map(|p| p.name().to_lowercase()).collect();
        format!("--view {}: there are {}", args.view, names.join(", "))
    })?);
    m.expanded = args.zoom;
    settle(m);
    for c in args.keys.chars() {
        press(m, c);
        settle(m);
    }
    Ok(())
}

fn find(m: &Model, name: &str) -> Result<usize, String> {
    (0..m.nodes()).find(|&i| m.node_name(i) == name).ok_or_else(|| {
        let names: Vec<&str> = (0..m.nodes().min(12)).map(|i| m.node_name(i)).collect();
        format!("there is no node `{name}`; there are {}", names.join(", "))
    })
}
