//! Reports of the laboratory: text for people, JSON and CSV for programs, charts for both.
//!
//! Must never compute a statistic: it shows what [`compare`](mod@super::compare) and
//! [`stats`](super::stats) found.

pub mod charts;
pub mod experiment;
pub mod html;
pub mod rows;
pub mod spark;
pub mod svg;
pub mod text;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::compare::Comparison;
use super::samples::Samples;

/// Writes a comparison as JSON to `path`, and beside it one SVG per variant with both distribution
/// functions of each metric: `report.json` gets `report.kill.svg`. The JSON names them under `charts`.
/// Returns all files written, the JSON first.
///
/// # Errors
/// As the file system gives them, with the path in the message.
pub fn write_comparison(
    path: &Path,
    comparison: &Comparison,
    simulated: &Samples,
    recorded: &Samples,
) -> io::Result<Vec<PathBuf>> {
    #[derive(Serialize)]
    struct Report<'a> {
        #[serde(flatten)]
        comparison: &'a Comparison,
        charts: Vec<String>,
    }
    let write = |path: &Path, text: &str| {
        fs::write(path, text).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    };
    let stem = path.file_stem().map_or_else(|| "report".to_owned(), |s| s.to_string_lossy().into_owned());
    let mut written = vec![path.to_owned()];
    for variant in comparison.trials.keys() {
        let Some(chart) = svg::distributions(comparison, variant, simulated, recorded) else { continue };
        let file = path.with_file_name(format!("{stem}.{}.svg", file_part(variant)));
        write(&file, &chart)?;
        written.push(file);
    }
    let name = |p: &PathBuf| p.file_name().map(|n| n.to_string_lossy().into_owned());
    let charts = written[1..].iter().filter_map(name).collect();
    let json = serde_json::to_string_pretty(&Report { comparison, charts })?;
    write(path, &(json + "\n"))?;
    Ok(written)
}

/// A name as part of a file name, whatever it holds.
fn file_part(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
        .take(60)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::compare::{Options, compare_recording};
    use crate::lab::recording::Recording;
    use crate::lab::stats::Bootstrap;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/oracle");

    #[test]
    fn writes_json_and_a_chart_per_variant() {
        let file = Path::new(FOLDER).join("S2_nt2000.json");
        let r = Recording::read(&file).unwrap();
        let s = r.samples();
        let bootstrap = Bootstrap { seed: 0, resamples: 200 };
        let c = compare_recording("a/S2_nt2000.json", &s, &r, Options { bootstrap, ..Options::default() });
        let dir = tempfile::tempdir().unwrap();
        let files = write_comparison(&dir.path().join("out.json"), &c, &s, &s).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["out.json", "out.equal.svg", "out.lag.svg"]);
        let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&files[0]).unwrap()).unwrap();
        assert_eq!(json["charts"][1], "out.lag.svg");
        assert_eq!((&json["passes"], &json["source"]["file"]), (&true.into(), &"S2_nt2000.json".into()));
        let row = json["rows"].as_array().unwrap().iter().find(|r| r["metric"] == "won").unwrap();
        assert_eq!((&row["recorded"]["n"], &row["recorded"]["trials"]), (&15.into(), &15.into()));
        assert!(row["p_holm"].is_number() && row["interval"]["low"].is_number());
        assert!(fs::read_to_string(&files[1]).unwrap().starts_with("<svg"));
        assert!(write_comparison(&dir.path().join("none/out.json"), &c, &s, &s).is_err());
    }

    #[test]
    fn file_names_stay_in_their_folder() {
        assert_eq!(file_part("../a b/é"), "___a_b__");
    }
}
