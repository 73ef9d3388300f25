//! Finished trials on disk: a folder that a killed run can go on from, and that several machines' parts
//! are merged from.
//!
//! `experiment.json` says what the rows belong to. `trials-I-of-N.jsonl` has a row per finished trial, in
//! the order in which they finished, each written at once; a half-written last line (a killed run, a full
//! disk) is not a row and is cut off when the run goes on.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::experiment::{Grid, Identity, Place};
use super::report::rows::TrialRow;

const IDENTITY: &str = "experiment.json";

/// A folder that rows are added to.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: Mutex<File>,
}

impl Store {
    /// Opens the folder for this part of the experiment; returns the rows it already holds.
    ///
    /// # Errors
    /// The folder cannot be made or written; it holds another experiment; it holds rows and `resume` is
    /// not wanted.
    pub fn open(
        dir: &Path,
        identity: &Identity,
        place: Place,
        resume: bool,
    ) -> Result<(Store, Vec<TrialRow>), String> {
        let fail = |path: &Path, e: io::Error| format!("{}: {e}", path.display());
        fs::create_dir_all(dir).map_err(|e| fail(dir, e))?;
        let about = dir.join(IDENTITY);
        if about.exists() {
            let found = read_identity(&about)?;
            if found != *identity {
                return Err(differs(dir, &found, identity));
            }
        } else {
            let text = serde_json::to_string_pretty(identity).map_err(|e| e.to_string())?;
            write_whole(&about, &(text + "\n")).map_err(|e| fail(&about, e))?;
        }
        let path = dir.join(format!("trials-{}-of-{}.jsonl", place.index, place.of));
        let mut rows = Vec::new();
        if path.exists() {
            let bytes = fs::read(&path).map_err(|e| fail(&path, e))?;
            if !bytes.is_empty() && !resume {
                let help = "--resume goes on with it, another --out begins anew";
                return Err(format!("{} already has trials: {help}", path.display()));
            }
            let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
            rows = read_rows(&path, &bytes[..whole])?;
            if whole < bytes.len() {
                let f = OpenOptions::new().write(true).open(&path).map_err(|e| fail(&path, e))?;
                f.set_len(whole as u64).map_err(|e| fail(&path, e))?;
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(|e| fail(&path, e))?;
        Ok((Store { path, file: Mutex::new(file) }, rows))
    }

    /// Adds a finished trial; it is with the operating system when this returns.
    ///
    /// # Errors
    /// Of the file system, with the path.
    pub fn add(&self, row: &TrialRow) -> Result<(), String> {
        let mut line = serde_json::to_vec(row).map_err(|e| e.to_string())?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(&line).map_err(|e| format!("{}: {e}", self.path.display()))
    }
}

/// Reads the rows of all parts in the folders, which must be one experiment, whole.
///
/// # Errors
/// A folder that is none, two experiments, a trial that is missing or there twice with different results.
pub fn merge(dirs: &[PathBuf]) -> Result<(Identity, Vec<TrialRow>), String> {
    let mut identity: Option<Identity> = None;
    let mut rows: Vec<TrialRow> = Vec::new();
    for dir in dirs {
        let found = read_identity(&dir.join(IDENTITY))?;
        match &identity {
            Some(first) if *first != found => return Err(differs(dir, &found, first)),
            _ => identity = Some(found),
        }
        let listing = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let mut files: Vec<PathBuf> = listing.filter_map(|f| f.ok().map(|f| f.path())).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "jsonl"));
        files.sort();
        for path in files {
            let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
            rows.extend(read_rows(&path, &bytes[..whole])?);
        }
    }
    let identity = identity.ok_or("no folder to merge")?;
    rows.sort_by(|a, b| (&a.variant, a.trial).cmp(&(&b.variant, b.trial)));
    for pair in rows.windows(2) {
        if (&pair[0].variant, pair[0].trial) == (&pair[1].variant, pair[1].trial) && pair[0] != pair[1] {
            let (v, t) = (&pair[0].variant, pair[0].trial);
            return Err(format!("trial {t} of `{v}` is there twice, with different results"));
        }
    }
    rows.dedup();
    Ok((identity, rows))
}

/// The trials of the experiment that the rows do not have, `(point, number)`.
pub fn missing(grid: &Grid, rows: &[TrialRow], place: Place) -> Vec<(usize, u64)> {
    let have: BTreeSet<(Option<usize>, u64)> =
        rows.iter().map(|r| (grid.find(&r.variant), r.trial)).collect();
    let trials = grid.identity.trials;
    let all = (0..grid.points.len()).flat_map(|p| (0..trials).map(move |i| (p, i)));
    all.filter(|&(p, i)| place.has(p as u64 * trials + i) && !have.contains(&(Some(p), i))).collect()
}

/// Writes a file so that it is either as before or whole.
///
/// # Errors
/// Of the file system.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, text).and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
        let _ = fs::remove_file(&part);
    })
}

// ---- helpers ----

fn read_identity(path: &Path) -> Result<Identity, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn read_rows(path: &Path, bytes: &[u8]) -> Result<Vec<TrialRow>, String> {
    let lines = bytes.split(|&b| b == b'\n').enumerate().filter(|(_, l)| !l.is_empty());
    lines
        .map(|(i, l)| serde_json::from_slice(l).map_err(|e| format!("{}:{}: {e}", path.display(), i + 1)))
        .collect()
}

/// In what two experiments differ.
fn differs(dir: &Path, found: &Identity, wanted: &Identity) -> String {
    let mut what = Vec::new();
    let mut check = |name: &str, same: bool| {
        if !same {
            what.push(name.to_string());
        }
    };
    check("format", found.format == wanted.format);
    check("scenario", found.scenario == wanted.scenario);
    check("text of the scenario", found.text == wanted.text);
    check("settings", found.settings == wanted.settings);
    check("sweeps", found.sweeps == wanted.sweeps);
    check("first seed", found.first_seed == wanted.first_seed);
    check("number of trials", found.trials == wanted.trials);
    check("precision", found.precision == wanted.precision);
    format!("{} holds another experiment: {} differ", dir.display(), what.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::experiment::{Experiment, FORMAT};

    fn experiment(trials: u64) -> Experiment {
        let text = "title = \"idle\"\nend = \"1s\"\n[cluster]\nmasters = 3\nreplicas-per-master = 0\n";
        let identity = Identity {
            format: FORMAT,
            scenario: "idle".into(),
            title: String::new(),
            text: text.into(),
            settings: Vec::new(),
            sweeps: vec!["cluster-node-timeout=1000,2000".parse().unwrap()],
            first_seed: 1,
            trials,
            precision: None,
        };
        Experiment::new(Path::new(""), identity).unwrap()
    }

    #[test]
    fn a_killed_run_goes_on_and_parts_make_the_whole() {
        let e = experiment(3);
        let whole: Vec<TrialRow> =
            missing(&e.grid, &[], Place::WHOLE).iter().map(|&(p, i)| e.trial(p, i)).collect();
        assert_eq!(whole.len(), 6);
        let dir = tempfile::tempdir().unwrap();
        let mut dirs = Vec::new();
        for index in 0..2 {
            let place = Place { index, of: 2 };
            let part = dir.path().join(format!("part{index}"));
            let (store, rows) = Store::open(&part, &e.grid.identity, place, false).unwrap();
            assert!(rows.is_empty());
            let todo = missing(&e.grid, &rows, place);
            store.add(&e.trial(todo[0].0, todo[0].1)).unwrap();
            drop(store);
            // Killed while it wrote the second row.
            let file = part.join(format!("trials-{index}-of-2.jsonl"));
            let mut f = OpenOptions::new().append(true).open(&file).unwrap();
            f.write_all(b"{\"trial\":1,\"se").unwrap();
            assert!(Store::open(&part, &e.grid.identity, place, false).unwrap_err().contains("--resume"));
            let (store, rows) = Store::open(&part, &e.grid.identity, place, true).unwrap();
            assert_eq!(rows.len(), 1);
            for (p, i) in missing(&e.grid, &rows, place) {
                store.add(&e.trial(p, i)).unwrap();
            }
            dirs.push(part);
        }
        let (identity, mut rows) = merge(&dirs).unwrap();
        e.grid.in_order(&mut rows);
        assert_eq!((identity, rows.clone()), (e.grid.identity.clone(), whole));
        assert!(missing(&e.grid, &rows, Place::WHOLE).is_empty());
        // One part alone is not the whole, and a part of something else is refused.
        assert_eq!(missing(&e.grid, &merge(&dirs[..1]).unwrap().1, Place::WHOLE).len(), 3);
        let other = experiment(4);
        let says = Store::open(&dirs[0], &other.grid.identity, Place { index: 0, of: 2 }, true).unwrap_err();
        assert!(says.contains("number of trials differ"), "{says}");
        assert!(merge(&[dir.path().join("nowhere")]).is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said_before_anything_runs() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(Store::open(&file.join("out"), &experiment(1).grid.identity, Place::WHOLE, false).is_err());
    }
}
