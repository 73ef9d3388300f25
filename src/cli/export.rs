//! `slotscope export`: a run as a file that others can look at, or the deployment as files for real servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::play::{load, model, write};
use crate::lab::real::files::{SCRIPT, homes, script};
use crate::lab::real::loopback::{left_out, own_ports, placed};
use crate::lab::real::servers::write_home;
use crate::scenario::Scenario;
use crate::tui::cast::settle;
use crate::tui::theme::{Depth, Theme};
use crate::tui::{html, layout};

/// Writes a run as one HTML file that plays in a browser, without a network; or the deployment as files for real
/// servers
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["html", "deploy"])))]
pub struct ExportArgs {
    /// A scenario file, or the name of a scenario that comes with the program
    file: PathBuf,
    /// Another run of the same scenario
    #[arg(long)]
    seed: Option<u64>,
    /// The file to write (`-` for standard output)
    #[arg(long, value_name = "OUT.html")]
    html: Option<PathBuf>,
    /// Write a folder per node with its redis.conf or sentinel.conf, and a script that starts the servers on
    /// loopback, forms the cluster as the scenario does, and ends them
    #[arg(long, value_name = "DIR")]
    deploy: Option<PathBuf>,
}

/// Writes what the arguments say.
pub fn run(args: &ExportArgs) -> ExitCode {
    let written = load(&args.file).and_then(|s| {
        let seed = args.seed.unwrap_or(s.seed);
        if let Some(path) = &args.html {
            let mut m = model(&s, seed, Theme::new(Depth::True), layout::SMALLEST);
            settle(&mut m);
            write(path, &html::page(&mut m))?;
        }
        args.deploy.as_deref().map_or(Ok(()), |dir| deploy(dir, &s, seed))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn deploy(dir: &Path, s: &Scenario, seed: u64) -> Result<(), String> {
    let fail = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    let script_path = dir.join(SCRIPT);
    if script_path.exists() {
        return Err(format!("{} is there already: give another folder", script_path.display()));
    }
    let plan = placed(&s.plan, &own_ports(&s.plan));
    for home in homes(&plan, seed) {
        write_home(&dir.join(&home.node), &home)?;
    }
    fs::write(&script_path, script(&s.title, &plan)).map_err(|e| fail(&script_path, e))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&script_path, fs::Permissions::from_mode(0o755))
            .map_err(|e| fail(&script_path, e))?;
    }
    println!("{} nodes in {}; begin with {} start", plan.nodes.len(), dir.display(), script_path.display());
    left_out(&s.plan).iter().for_each(|what| println!("not written: {what}"));
    Ok(())
}
