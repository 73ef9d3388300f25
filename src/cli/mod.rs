//! L6: the command line. One file per subcommand.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub mod lab;
pub mod run;
pub mod slot;

#[derive(Parser)]
#[command(name = "slotscope", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Run(run::RunArgs),
    Lab(lab::LabArgs),
    Slot(slot::SlotArgs),
}

/// The program: arguments in, exit code out.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Slot(args) => slot::run(&args),
    }
}

/// The command line as clap knows it: the book's page of commands is made from this.
pub fn command() -> clap::Command {
    Cli::command()
}
