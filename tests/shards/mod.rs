//! An experiment in parts: schedulers' variables say which part, the parts give the report of the whole, and neither a
//! disk without room nor a killed run loses a finished trial.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // processes run on real time

use std::path::Path;
use std::process::{Command, Output};

const SCENARIO: &str = "title = \"t\"\nend = \"1s\"\n[cluster]\nmasters = 3\nreplicas-per-master = 0\nform = \"nodes.conf\"\n\
                        [[step]]\nat = \"1s\"\nexpect.cluster-state = { all = \"ok\" }\n";

fn lab(words: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slotscope"));
    command.arg("lab").args(words).envs(env.iter().copied()).output().expect("slotscope runs")
}

fn scenario(dir: &Path) -> String {
    let file = dir.join("t.toml");
    std::fs::write(&file, SCENARIO).expect("a file");
    file.display().to_string()
}

#[test]
fn parts_named_by_a_scheduler_give_the_report_of_the_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = scenario(dir.path());
    let whole = lab(&[&file, "--trials", "12"], &[]);
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));
    for (place, kubernetes) in [("auto", false), ("auto/3", true)] {
        let mut merge = vec!["merge".to_string()];
        for index in 0..3 {
            let out = dir.path().join(format!("{kubernetes}{index}")).display().to_string();
            let (id, index) = ((index + 5).to_string(), index.to_string());
            let slurm = [
                ("SLURM_ARRAY_TASK_ID", id.as_str()),
                ("SLURM_ARRAY_TASK_MIN", "5"),
                ("SLURM_ARRAY_TASK_COUNT", "3"),
            ];
            let job = [("JOB_COMPLETION_INDEX", index.as_str())];
            let env: &[(&str, &str)] = if kubernetes { &job } else { &slurm };
            let part = lab(&[&file, "--trials", "12", "--shard", place, "--out", &out], env);
            assert_eq!(part.status.code(), Some(0), "{}", String::from_utf8_lossy(&part.stderr));
            merge.push(out);
        }
        let words: Vec<&str> = merge.iter().map(String::as_str).collect();
        assert_eq!(lab(&words, &[]).stdout, whole.stdout);
        // One part less is said.
        let less = lab(&words[..3], &[]);
        assert!(less.status.code() == Some(2), "{}", String::from_utf8_lossy(&less.stderr));
    }
}

#[cfg(unix)]
#[test]
fn a_disk_without_room_loses_no_finished_trial() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = scenario(dir.path());
    let whole = lab(&[&file, "--trials", "40", "--format", "csv"], &[]);
    let out = dir.path().join("out").display().to_string();
    // No file may grow beyond this: writes fail, as they do on a full disk.
    let limited = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let program = env!("CARGO_BIN_EXE_slotscope");
    let full = Command::new("sh")
        .args(["-c", limited, "sh", program, "lab", &file, "--trials", "40", "--out", &out])
        .output()
        .expect("sh runs");
    let says = String::from_utf8_lossy(&full.stderr);
    assert!(full.status.code() == Some(2) && says.contains("trials-0-of-1.jsonl"), "{says}");
    let kept = std::fs::read_to_string(dir.path().join("out/trials-0-of-1.jsonl")).expect("rows");
    let finished = kept.lines().count() - usize::from(!kept.ends_with('\n'));
    assert!((1..40).contains(&finished), "{finished}");
    let again = lab(&[&file, "--trials", "40", "--out", &out, "--resume", "--format", "csv"], &[]);
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(again.stdout, whole.stdout);
}
