//! `slotscope export`: a run as a file that others can look at.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::play::{load, model, write};
use crate::tui::cast::settle;
use crate::tui::theme::{Depth, Theme};
use crate::tui::{html, layout};

/// Writes a run as one HTML file that plays in a browser, without a network
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// A scenario file, or the name of a scenario that comes with the program
    file: PathBuf,
    /// Another run of the same scenario
    #[arg(long)]
    seed: Option<u64>,
    /// The file to write (`-` for standard output)
    #[arg(long, value_name = "OUT.html")]
    html: PathBuf,
}

/// Writes what the arguments say.
pub fn run(args: &ExportArgs) -> ExitCode {
    let page = load(&args.file).map(|s| {
        let mut m = model(&s, args.seed.unwrap_or(s.seed), Theme::new(Depth::True), layout::SMALLEST);
        settle(&mut m);
        html::page(&mut m)
    });
    match page.and_then(|page| write(&args.html, &page)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
