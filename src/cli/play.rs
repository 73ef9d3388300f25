//! `slotscope play`: the player, on a terminal or as a picture.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::lessons;
use crate::base::{Dur, SimTime};
use crate::scenario::lesson::Lang;
use crate::scenario::{self, Scenario, library};
use crate::tui::cast::settle;
use crate::tui::lesson::progress::{self, Mark, Progress};
use crate::tui::lesson::{Class, banner};
use crate::tui::theme::{Depth, Palette, Theme};
use crate::tui::{self, Model, Picker, layout, picture, text};

/// Plays a scenario on the terminal: forward, back, and as any node sees it
#[derive(Args, Debug)]
pub struct PlayArgs {
    /// A scenario file, or the name of a scenario that comes with the program
    file: PathBuf,
    /// Plays another run of the same scenario
    #[arg(long)]
    seed: Option<u64>,
    /// The language of lessons and of the player: en or zh; without it, that of LC_ALL, LC_MESSAGES or LANG
    #[arg(long, value_parser = lessons::lang)]
    lang: Option<Lang>,
    /// The colours: okabe-ito, brightness (no hue: glyphs and shades of grey) or plain (none); without it, what
    /// SLOTSCOPE_PALETTE says, or else okabe-ito. With NO_COLOR there are none
    #[arg(long, value_parser = palette)]
    palette: Option<Palette>,
    /// Writes the screen as an SVG picture to this file instead (`-` for standard output)
    #[arg(long, value_name = "OUT.svg")]
    picture: Option<PathBuf>,
    /// The moment of the picture: seconds since the deployment was formed, or for instance 250ms
    #[arg(long, value_name = "TIME", requires = "picture", allow_hyphen_values = true)]
    at: Option<String>,
    /// The size of the picture in cells
    #[arg(long, value_name = "COLUMNSxROWS", requires = "picture", default_value = "120x36")]
    size: String,
    /// Keys to press for the picture, after it has gone to its moment
    #[arg(long, requires = "picture", default_value = "")]
    keys: String,
}

/// Plays what the arguments say.
pub fn run(args: &PlayArgs) -> ExitCode {
    match load(&args.file).and_then(|s| play(args, &s)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Lets the user choose a lesson or a scenario of the program and plays it, as long as they choose; without a
/// terminal, says how to begin.
pub fn open(lang: Option<Lang>, palette: Option<Palette>) -> ExitCode {
    let lang = lessons::chosen(lang);
    let theme = match theme(palette) {
        Ok(theme) => theme,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let scenarios: Vec<(String, Scenario)> = library::paths()
        .filter_map(|path| Some((library_name(&path), scenario::load(Path::new(&path)).ok()?)))
        .collect();
    if !is_terminal() {
        print!("{}", how_to_begin(&scenarios));
        return ExitCode::SUCCESS;
    }
    let of = scenarios.iter().filter(|(_, s)| s.lesson.is_some()).count();
    // The first lesson that is not done.
    let done = progress();
    let mut chosen = scenarios.iter().position(|(_, s)| !is_passed(&done, s)).unwrap_or(0);
    loop {
        let done = progress();
        let items = scenarios.iter().map(|(name, s)| (name.clone(), item(&done, s, lang))).collect();
        let banner = banner(done.passed(), of, lang);
        let played = tui::pick(Picker { theme, lang, items, chosen, banner }).and_then(|pick| match pick {
            Some(i) => {
                chosen = i;
                let (name, s) = &scenarios[i];
                let learned = begin(s, Path::new(name), s.seed, (lang, theme))?;
                chosen += usize::from(learned && i + 1 < scenarios.len());
                Ok(true)
            }
            None => Ok(false),
        });
        match played {
            Ok(true) => {}
            Ok(false) => return ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("the terminal failed: {e}");
                return ExitCode::from(2);
            }
        }
    }
}

/// Plays a scenario, or teaches it; whether the exercise of a lesson was done.
fn begin(s: &Scenario, file: &Path, seed: u64, (lang, theme): (Lang, Theme)) -> io::Result<bool> {
    let of = library::paths().filter(|p| p.starts_with("@/lessons/")).count();
    match Class::new(s, seed, of, lang, theme, layout::SMALLEST) {
        None => {
            let mut m = with_source(model(s, seed, theme, layout::SMALLEST), file);
            m.lang = lang;
            tui::run(m).map(|()| false)
        }
        Some(mut class) => {
            class.model = with_source(class.model, file);
            let class = tui::learn(class)?;
            let mut done = progress();
            let mark = Mark { right: class.score(), questions: class.replies.len(), passed: class.passed };
            done.note(&s.name, mark);
            if let Some(Err(e)) = progress_file().map(|path| done.save(&path)) {
                eprintln!("your progress cannot be kept: {e}");
            }
            Ok(class.passed)
        }
    }
}

fn progress_file() -> Option<PathBuf> {
    let var = |name: &str| std::env::var(name).ok();
    progress::path(var("XDG_STATE_HOME"), var("HOME"))
}

fn progress() -> Progress {
    progress_file().map(|path| Progress::load(&path)).unwrap_or_default()
}

fn is_passed(done: &Progress, s: &Scenario) -> bool {
    done.0.get(&s.name).is_some_and(|m| m.passed)
}

/// A line of the list: what was done, and the title.
fn item(done: &Progress, s: &Scenario, lang: Lang) -> String {
    let Some(lesson) = &s.lesson else { return s.title.clone() };
    let mark = match done.0.get(&s.name) {
        Some(m) if m.passed => format!("✓ {}/{}", m.right, m.questions),
        Some(m) => format!("… {}/{}", m.right, m.questions),
        None => "·    ".into(),
    };
    format!("{mark}  {:>2}  {}", lesson.order, lesson.title.get(lang))
}

fn how_to_begin(scenarios: &[(String, Scenario)]) -> String {
    let mut out = String::from(
        "Slotscope runs a Redis Cluster in virtual time.\n\n\
         In a terminal, `slotscope` opens the lessons, and scenarios to watch. Without one:\n\
         \n  slotscope lessons              list the lessons; with a name, read one\n\
         \x20 slotscope run FILE or NAME     run a scenario and print what happened\n\
         \x20 slotscope --help               everything else\n\nScenarios that come with it:\n",
    );
    let width = scenarios.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, s) in scenarios {
        out.push_str(&format!("  {name:<width$}  {}\n", s.title));
    }
    out
}

fn library_name(path: &str) -> String {
    path.trim_start_matches("@/").trim_end_matches(".toml").to_string()
}

/// A file, or else a scenario of the program by name.
pub(super) fn load(file: &Path) -> Result<Scenario, String> {
    library::open(file).map_err(|mistakes| mistakes.to_string())
}

fn path_of(file: &Path) -> PathBuf {
    let named = file.to_str().filter(|_| !file.exists()).and_then(library::find);
    named.map_or_else(|| file.to_path_buf(), PathBuf::from)
}

fn play(args: &PlayArgs, s: &Scenario) -> Result<(), String> {
    let seed = args.seed.unwrap_or(s.seed);
    match &args.picture {
        Some(out) => write(out, &make_picture(args, s, seed)?),
        None if is_terminal() => {
            let look = (lessons::chosen(args.lang), theme(args.palette)?);
            begin(s, &args.file, seed, look).map(|_| ()).map_err(|e| format!("the terminal failed: {e}"))
        }
        None => {
            Err("`play` needs a terminal; `run` prints what happens, `play --picture OUT.svg` draws it"
                .into())
        }
    }
}

fn make_picture(args: &PlayArgs, s: &Scenario, seed: u64) -> Result<String, String> {
    let theme = Theme::new(Depth::True).with(args.palette.unwrap_or_default());
    let mut model = model(s, seed, theme, parse_size(&args.size)?);
    model.lang = args.lang.unwrap_or_default();
    settle(&mut model);
    if let Some(at) = &args.at {
        let t = moment(&model, at).map_err(|e| format!("--at: {e}"))?;
        model.seek(t);
        settle(&mut model);
    }
    for c in args.keys.chars() {
        tui::press(&mut model, c);
        settle(&mut model);
    }
    Ok(picture::picture(&model))
}

/// A moment of the run, written as people do.
pub(super) fn moment(model: &Model, at: &str) -> Result<SimTime, String> {
    let us = text::parse_time(at)?;
    let zero = model.timeline().formed_at().unwrap_or_default();
    Ok(SimTime(zero.0.saturating_add_signed(us)))
}

pub(super) fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let size = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let fits = |&(w, h): &(u16, u16)| {
        (layout::SMALLEST.0..=400).contains(&w) && (layout::SMALLEST.1..=200).contains(&h)
    };
    size.filter(fits).ok_or_else(|| {
        let (w, h) = layout::SMALLEST;
        format!("--size `{text}`: write columns and rows like 120x36, from {w}x{h} to 400x200")
    })
}

/// The model knows the text that a save begins with.
fn with_source(mut m: Model, file: &Path) -> Model {
    m.source = scenario::source(&path_of(file)).ok();
    m
}

pub(super) fn model(s: &Scenario, seed: u64, theme: Theme, size: (u16, u16)) -> Model {
    let end: Dur = s.script.end;
    Model::new(Arc::clone(&s.plan), seed, Some(end), theme, size)
}

pub(super) fn write(out: &Path, text: &str) -> Result<(), String> {
    if out == Path::new("-") {
        return std::io::stdout().write_all(text.as_bytes()).map_err(|e| format!("standard output: {e}"));
    }
    std::fs::write(out, text).map_err(|e| format!("{}: cannot be written: {e}", out.display()))
}

fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Reads the value of `--palette`.
pub(super) fn palette(text: &str) -> Result<Palette, String> {
    Palette::of(text).ok_or_else(|| {
        format!("`{text}` is no palette: there are {}", Palette::ALL.map(Palette::name).join(", "))
    })
}

/// The theme that fits the terminal, with the palette that is asked for here or in the environment.
fn theme(asked: Option<Palette>) -> Result<Theme, String> {
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let (no_color, colorterm, term) = (var("NO_COLOR"), var("COLORTERM"), var("TERM"));
    let depth = Depth::detect(no_color.as_deref(), colorterm.as_deref(), term.as_deref());
    let named = || var("SLOTSCOPE_PALETTE").map(|v| palette(&v)).transpose();
    let palette = match asked {
        Some(palette) => palette,
        None => named().map_err(|e| format!("SLOTSCOPE_PALETTE: {e}"))?.unwrap_or_default(),
    };
    Ok(Theme::new(depth).with(palette))
}
