//! The scenarios that come with the program, so that it can show something wherever it stands. Their
//! paths begin with `@`, as in `@/cluster/chapter-cluster.toml`.

use std::path::{Component, Path, PathBuf};

use super::{Diagnostics, Scenario};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../scenarios/", $path)))),*]
    };
}

/// Every file of `scenarios/` but `oracle/` and `verify/`: scenarios in the order in which they are shown, and what they name.
const FILES: &[(&str, &str)] = files![
    "lessons/01-one-node.toml",
    "lessons/02-architecture.toml",
    "lessons/03-config.toml",
    "lessons/04-create.toml",
    "lessons/05-by-hand.toml",
    "lessons/06-hash-slots.toml",
    "lessons/07-distribution.toml",
    "lessons/08-hash-tags.toml",
    "lessons/09-monitoring.toml",
    "lessons/10-add-node.toml",
    "lessons/11-reshard.toml",
    "lessons/12-manual-failover.toml",
    "lessons/13-sentinel.toml",
    "lessons/14-sentinel-config.toml",
    "lessons/15-quorum.toml",
    "lessons/16-sentinel-clients.toml",
    "lessons/17-failure-detection.toml",
    "lessons/18-automatic-failover.toml",
    "lessons/19-failed-slots.toml",
    "lessons/20-lost-writes.toml",
    "lessons/21-wait.toml",
    "lessons/22-backup.toml",
    "lessons/23-exam.toml",
    "cluster/chapter-cluster.toml",
    "cluster/two-replicas.toml",
    "cluster/majority-lost.toml",
    "cluster/minority-partition.toml",
    "cluster/pause-and-return.toml",
    "cluster/long-pause.toml",
    "cluster/rolling-restart.toml",
    "cluster/replica-migration.toml",
    "cluster/stale-replica.toml",
    "cluster/meet.toml",
    "cluster/forget-everywhere.toml",
    "cluster/forget-returns.toml",
    "operations/grow.toml",
    "operations/shrink.toml",
    "operations/half-moved.toml",
    "operations/reshard-under-load.toml",
    "operations/backup-and-restore.toml",
    "operations/uncovered.toml",
    "operations/manual-failover.toml",
    "replication/switch-master.toml",
    "replication/persistence.toml",
    "replication/page-cache.toml",
    "replication/backlog-size.toml",
    "replication/failover-command.toml",
    "incidents/frozen-master.toml",
    "incidents/partition-without-min-replicas.toml",
    "incidents/partition-with-min-replicas.toml",
    "incidents/wait-is-no-promise.toml",
    "incidents/empty-restart.toml",
    "incidents/half-finished-migration.toml",
    "incidents/takeover-conflict.toml",
    "incidents/stale-reads.toml",
    "incidents/client-libraries.toml",
    "incidents/several-masters-die.toml",
    "incidents/one-shard-down.toml",
    "incidents/two-clusters-meet.toml",
    "incidents/announced-address.toml",
    "sentinel/chapter-sentinel.toml",
    "sentinel/five-sentinels.toml",
    "sentinel/quorum-without-majority.toml",
    "sentinel/two-sentinels.toml",
    "sentinel/split-vote.toml",
    "sentinel/partitioned-master-min-replicas-0.toml",
    "sentinel/partitioned-master-min-replicas-1.toml",
    "sentinel/promoted-replica-dies.toml",
    "sentinel/chosen-replica-dies.toml",
    "sentinel/tilt.toml",
    "sentinel/tilt-too-long.toml",
    "sentinel/reboot-without-data.toml",
    "sentinel/reboot-with-data.toml",
    "sentinel/priorities.toml",
    "sentinel/priority-zero-everywhere.toml",
    "sentinel/offsets.toml",
    "sentinel/manual-failover.toml",
    "sentinel/client-libraries.toml",
    "sentinel/parallel-syncs-one.toml",
    "sentinel/parallel-syncs-many.toml",
    "sentinel/flapping.toml",
    "sentinel/phantom-sentinels.toml",
    "sentinel/never-synced-replica.toml",
    "sentinel/needless-second-failover.toml",
    "hunt/cluster.toml",
    "hunt/sentinel.toml",
    "regressions/ok-fail-ok.toml",
    "regressions/fail-by-replica.toml",
    "lessons/conf/26379.conf",
    "lessons/conf/26380.conf",
    "lessons/conf/26381.conf",
    "lessons/conf/7000.conf",
    "lessons/conf/7001.conf",
    "lessons/conf/7002.conf",
    "lessons/conf/7003.conf",
    "lessons/conf/7004.conf",
    "lessons/conf/7005.conf",
    "regressions/old-votes.toml",
    "regressions/old-votes-forced.toml",
    "regressions/ghost-keys.toml",
    "regressions/chosen-without-data.toml",
    "regressions/clusterdown-alone.toml",
    "regressions/stale-mark.toml",
    "regressions/given-up-to-each-other.toml",
    "regressions/late-write.toml",
    "regressions/pings-alone.toml",
    "cluster/conf/7000.conf",
    "cluster/conf/7001.conf",
    "cluster/conf/7002.conf",
    "cluster/conf/7003.conf",
    "cluster/conf/7004.conf",
    "cluster/conf/7005.conf",
    "sentinel/conf/26379.conf",
    "sentinel/conf/26380.conf",
    "sentinel/conf/26381.conf",
];

/// The paths of the scenarios, for [`super::load`].
pub fn paths() -> impl Iterator<Item = String> {
    FILES.iter().filter(|(path, _)| path.ends_with(".toml")).map(|(path, _)| format!("@/{path}"))
}

/// The path of the scenario of this name: its path without `@/`, or the name of its file without ending.
pub fn find(name: &str) -> Option<String> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    paths().find(|path| {
        let inside = path.trim_start_matches("@/").trim_end_matches(".toml");
        inside == name || inside.rsplit('/').next() == Some(name)
    })
}

/// Reads a scenario from a file or, if there is no such file, the scenario of the program with this name.
///
/// # Errors
/// All mistakes, each with its place.
pub fn open(file: &Path) -> Result<Scenario, Box<Diagnostics>> {
    let named = file.to_str().filter(|_| !file.exists()).and_then(find);
    super::load(&named.map_or_else(|| file.to_path_buf(), PathBuf::from))
}

/// The lessons of the program with their names, in order.
pub fn lessons() -> Vec<(String, Scenario)> {
    let lessons = paths().filter(|path| path.starts_with("@/lessons/"));
    let named = lessons.map(|path| {
        let name = path.rsplit('/').next().unwrap_or(&path).trim_end_matches(".toml").to_string();
        (name, path)
    });
    let mut found: Vec<(String, Scenario)> =
        named.filter_map(|(name, path)| Some((name, super::load(Path::new(&path)).ok()?))).collect();
    found.sort_by_key(|(_, s)| s.lesson.as_ref().map_or(u32::MAX, |l| l.order));
    found
}

/// The text behind a path that begins with `@`.
pub(super) fn text(path: &Path) -> Option<&'static str> {
    let inside = path.strip_prefix("@").ok()?;
    let parts: Vec<&str> = inside
        .components()
        .map(|c| match c {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let wanted = parts.join("/");
    FILES.iter().find(|(path, _)| *path == wanted).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files_below(dir: &Path, inside: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = format!("{inside}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                files_below(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }

    #[test]
    fn every_file_of_scenarios_is_in_the_program() {
        let mut found = Vec::new();
        files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), "", &mut found);
        // The laboratory reads those that stand beside real servers from the disk.
        found.retain(|path| !path.starts_with("oracle/") && !path.starts_with("verify/"));
        found.sort();
        let mut have: Vec<String> = FILES.iter().map(|(path, _)| path.to_string()).collect();
        have.sort();
        assert_eq!(have, found, "the list FILES of src/scenario/library.rs");
    }

    #[test]
    fn every_scenario_of_the_program_loads() {
        for path in paths() {
            let scenario = super::super::load(Path::new(&path));
            assert!(scenario.is_ok_and(|s| !s.title.is_empty()), "{path}");
        }
    }

    #[test]
    fn scenarios_are_found_by_name() {
        let path = Some("@/cluster/chapter-cluster.toml".to_string());
        assert_eq!(find("chapter-cluster"), path);
        assert_eq!(find("cluster/chapter-cluster.toml"), path);
        assert_eq!(find("chapter"), None);
        assert_eq!(text(Path::new("cluster/chapter-cluster.toml")), None);
        assert_eq!(text(Path::new("@/../Cargo.toml")), None);
    }
}
