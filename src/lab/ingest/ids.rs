//! Which node wrote which log.

use std::collections::BTreeSet;

use super::{Known, Log};
use crate::redis::registry::NodeName;
use crate::trace::read::Line;

/// The id of each log's node or sentinel: as told, as the log says when it starts, or the only one that others
/// name and the log itself never does.
pub(super) fn find(
    logs: &[Log],
    lines: &[Vec<Line<'_>>],
    known: &Known,
    wrong: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Vec<Option<String>> {
    let mut own: Vec<Option<String>> = lines.iter().map(|l| said(l)).collect();
    for (name, id) in &known.ids {
        match logs.iter().position(|log| log.name == *name) {
            _ if NodeName::from_hex(id).is_none() => {
                wrong.push(format!("`{id}` is no id: wanted are 40 lower-case hex digits"));
            }
            None => wrong.push(format!("{name} has an id, but there is no log of that name")),
            Some(k) => own[k] = Some(id.clone()),
        }
    }
    let named: Vec<BTreeSet<&str>> = lines.iter().map(|l| mentioned(l)).collect();
    let all: BTreeSet<&str> = named.iter().flatten().copied().collect();
    loop {
        let taken: BTreeSet<&str> = own.iter().flatten().map(String::as_str).collect();
        let free = |k: usize| -> Vec<&str> {
            all.iter().copied().filter(|id| !taken.contains(id) && !named[k].contains(id)).collect()
        };
        let mut found = None;
        for k in (0..logs.len()).filter(|&k| own[k].is_none()) {
            if let [only] = free(k)[..] {
                found = Some((k, only.to_string()));
                break;
            }
        }
        let Some((k, id)) = found else { break };
        own[k] = Some(id);
    }
    let cluster = |k: usize| lines[k].iter().any(|l| matches!(l.role, 'M' | 'S')) && !all.is_empty();
    for k in (0..logs.len()).filter(|&k| own[k].is_none() && cluster(k)) {
        notes.push(format!("which node wrote {} is not clear: say --node {}=ID", logs[k].name, logs[k].name));
    }
    own
}

/// What a log says of its own id.
fn said(lines: &[Line<'_>]) -> Option<String> {
    const HEADS: [&str; 4] = [
        "No cluster configuration found, I'm ",
        "Node configuration loaded, I'm ",
        "Node hard reset, now I'm ",
        "Sentinel ID is ",
    ];
    let id = |l: &Line<'_>| HEADS.iter().find_map(|head| l.text.strip_prefix(head)).map(str::to_string);
    lines.iter().rev().find_map(id)
}

/// Ids of 40 hex digits that a log names as others': a node says such things of nobody but others.
fn mentioned<'a>(lines: &[Line<'a>]) -> BTreeSet<&'a str> {
    const OF_OTHERS: [&str; 7] = [
        "Pinging node ",
        "Connecting with Node ",
        "Connection with Node ",
        "*** NODE ",
        "Node ",
        "Marking node ",
        "FAIL message received from ",
    ];
    let is_id = |w: &&str| w.len() == 40 && w.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let of_others = |l: &&Line<'a>| {
        let own = l.text.starts_with("Node configuration") || l.text.contains("sending an UPDATE message");
        OF_OTHERS.iter().any(|head| l.text.starts_with(head)) && !own
    };
    let words = lines.iter().filter(of_others).flat_map(|l| l.text.split([' ', ',', '.', ':']));
    words.filter(is_id).collect()
}
