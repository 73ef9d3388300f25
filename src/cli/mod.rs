//! L6: the command line. One file per subcommand.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser};
use indicatif::{ProgressBar, ProgressStyle};

use crate::scenario::lesson::Lang;
use crate::scenario::library;
use crate::tui::theme::Palette;

pub mod budget;
pub mod explain;
pub mod export;
pub mod hunt;
pub mod ingest;
pub mod lab;
pub mod lessons;
pub mod no_return;
pub mod play;
pub mod run;
pub mod shot;
pub mod slot;
pub mod verify;
pub mod what_if;

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Parser)]
#[command(name = "slotscope", version, about)]
struct Cli {
    /// Without one: a list of lessons and scenarios to choose from.
    #[command(subcommand)]
    command: Option<Command>,
    /// The language of lessons and of the player: en or zh; without it, that of LC_ALL, LC_MESSAGES or LANG
    #[arg(long, value_parser = lessons::lang)]
    lang: Option<Lang>,
    /// The colours: okabe-ito, brightness (no hue: glyphs and shades of grey) or plain (none); without it, what
    /// SLOTSCOPE_PALETTE says, or else okabe-ito. With NO_COLOR there are none
    #[arg(long, value_parser = play::palette)]
    palette: Option<Palette>,
}

#[derive(clap::Subcommand)]
enum Command {
    Play(play::PlayArgs),
    Run(run::RunArgs),
    Shot(shot::ShotArgs),
    Export(export::ExportArgs),
    Explain(explain::ExplainArgs),
    Lab(lab::LabArgs),
    Lessons(lessons::LessonsArgs),
    NoReturn(no_return::NoReturnArgs),
    Budget(budget::BudgetArgs),
    Hunt(hunt::HuntArgs),
    Ingest(ingest::IngestArgs),
    Slot(slot::SlotArgs),
    Verify(verify::VerifyArgs),
    WhatIf(what_if::WhatIfArgs),
}

/// The program: arguments in, exit code out.
pub fn main() -> ExitCode {
    let cli = arguments();
    match cli.command {
        None => play::open(cli.lang, cli.palette),
        Some(Command::Play(args)) => play::run(&args),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Shot(args)) => shot::run(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Lab(args)) => lab::run(&args),
        Some(Command::Lessons(args)) => lessons::run(&args),
        Some(Command::NoReturn(args)) => no_return::run(&args),
        Some(Command::Budget(args)) => budget::run(&args),
        Some(Command::Hunt(args)) => hunt::run(&args),
        Some(Command::Ingest(args)) => ingest::run(&args),
        Some(Command::Slot(args)) => slot::run(&args),
        Some(Command::Verify(args)) => verify::run(&args),
        Some(Command::WhatIf(args)) => what_if::run(&args),
    }
}

/// The arguments; without a command, the name of a scenario is a mistake with an obvious remedy.
fn arguments() -> Cli {
    Cli::try_parse().unwrap_or_else(|mut wrong| {
        if let Some(ContextValue::String(word)) = wrong.get(ContextKind::InvalidSubcommand)
            && (library::find(word).is_some() || Path::new(word).is_file())
        {
            let tip = format!("`{word}` is a scenario: slotscope play {word}").into();
            wrong.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
        }
        wrong.exit()
    })
}

/// The command line as clap knows it: the book's page of commands is made from this.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The exit code of a command; a mistake of the caller is said on stderr and is 2.
fn ended(command: &str, done: Result<ExitCode, String>) -> ExitCode {
    done.unwrap_or_else(|e| {
        eprintln!("slotscope {command}: {}", e.trim_end());
        ExitCode::from(2)
    })
}

/// A bar with rate and time left, hidden unless stderr is a terminal. `what`: what is counted.
fn progress(total: u64, what: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!(
        "{{wide_bar}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left"
    ));
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Is set by the first Ctrl-C or SIGTERM; the second Ctrl-C ends the program.
fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, 130, stop.clone());
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let _ = signal_hook::flag::register(signal, stop.clone());
    }
    stop
}
