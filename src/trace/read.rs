//! The way back: lines of Redis's log become facts, as far as a line says what happened.
//!
//! `line` takes a line apart, [`fact`] reads its text. What Redis prints with numbers that it does not explain
//! stays out: a fact that comes from a log may say less than one of a run.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::sentinel::{Detail, Kind, Place, SentinelEvent, Subject, Watched};
use super::{CantFailover, DenyReason, EpochCause, Fact, FailClearReason, FailoverKind, LogLevel, NodeId};

/// A line of a log, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub pid: u32,
    /// `M`, `S`, `X` or `C`.
    pub role: char,
    /// Microseconds since the epoch, as if the log were written in UTC.
    pub clock: u64,
    pub level: LogLevel,
    pub text: &'a str,
}

/// `PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL TEXT`; `None` for anything else.
///
/// redis: server.c serverLogRaw @7.0.15
pub fn line(text: &str) -> Option<Line<'_>> {
    let (head, rest) = text.trim_end().split_once(' ')?;
    let (pid, role) = head.split_once(':')?;
    let role = Some(role).filter(|r| matches!(*r, "M" | "S" | "X" | "C"))?.chars().next()?;
    let time = rest.get(..24)?;
    let mut tail = rest[24..].strip_prefix(' ')?.chars();
    let level = match tail.next()? {
        '.' => LogLevel::Debug,
        '-' => LogLevel::Verbose,
        '*' => LogLevel::Notice,
        '#' => LogLevel::Warning,
        _ => return None,
    };
    let text = tail.as_str().strip_prefix(' ').unwrap_or("");
    Some(Line { pid: pid.parse().ok()?, role, clock: clock(time)?, level, text })
}

/// Microseconds since the epoch of `23 Nov 2026 09:48:33.119`, taken as UTC.
pub fn clock(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [day, month, year, time] = words[..] else { return None };
    let month = MONTHS.iter().position(|m| *m == month)? as u64 + 1;
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let (hms, ms) = time.split_once('.').unwrap_or((time, "0"));
    let parts: Vec<u64> = hms.split(':').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let [h, m, s] = parts[..] else { return None };
    let ms: u64 = ms.parse().ok()?;
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || h > 23 || m > 59 || s > 60 || ms > 999 {
        return None;
    }
    // Days from civil: years begin in March.
    let (y, mp) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * mp + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + h) * 60 + m) * 60 + s) * 1_000_000 + ms * 1000)
}

/// What a line's text says. `node` gives the id of 40 hex digits; it is asked for each that the text names.
pub fn fact(text: &str, node: &mut dyn FnMut(&str) -> Option<NodeId>) -> Option<Fact> {
    if text.starts_with(['+', '-']) {
        return sentinel(text).map(|e| Fact::Sentinel(Box::new(e)));
    }
    fixed(text).or_else(|| failure(text, node)).or_else(|| election(text, node)).or_else(|| role(text, node))
}

/// Lines without anything that varies.
fn fixed(text: &str) -> Option<Fact> {
    Some(match text {
        "User requested shutdown..." => Fact::ShutdownRequested,
        "Redis is now ready to exit, bye bye..." => Fact::ByeBye,
        "Cluster state changed: ok" => Fact::StateChanged { ok: true },
        "Cluster state changed: fail" => Fact::StateChanged { ok: false },
        "Failover election won: I'm the new master." => Fact::ElectionWon { kind: FailoverKind::Automatic },
        "Forced failover user request accepted." => Fact::ManualAccepted { forced: true },
        "Manual failover user request accepted." => Fact::ManualAccepted { forced: false },
        "Taking over the master (user request)." => Fact::TakingOver,
        "All master replication stream processed, manual failover can start." => Fact::ManualReady,
        "Manual failover timed out." => Fact::ManualTimedOut,
        "Connection with master lost." => Fact::MasterLinkLost,
        "MASTER <-> REPLICA sync started" => Fact::SyncStarted,
        "MASTER <-> REPLICA sync: Finished with success" => Fact::SyncDone,
        "Successful partial resynchronization with master." => Fact::PartialResync { new_replid: None },
        "MASTER timeout: no data nor PING received..." => Fact::MasterTimedOut,
        _ => return None,
    })
}

/// What stands between two texts.
fn between<'a>(text: &'a str, head: &str, tail: &str) -> Option<&'a str> {
    text.strip_prefix(head)?.strip_suffix(tail)
}

fn failure(text: &str, node: &mut dyn FnMut(&str) -> Option<NodeId>) -> Option<Fact> {
    if let Some(id) = between(text, "*** NODE ", " possibly failing") {
        return Some(Fact::Pfail { node: node(id)? });
    }
    if let Some(rest) = text.strip_prefix("Node ")
        && let Some((by, rest)) = rest.split_once(" reported node ")
    {
        return Some(
            match (between(rest, "", " as not reachable."), between(rest, "", " is back online.")) {
                (Some(id), _) => Fact::Reported { by: node(by)?, node: node(id)? },
                (_, Some(id)) => Fact::ReportedBack { by: node(by)?, node: node(id)? },
                _ => return None,
            },
        );
    }
    if let Some(id) = between(text, "Marking node ", " as failing (quorum reached).") {
        return Some(Fact::FailQuorum { node: node(id)?, reports: 0, needed: 0 });
    }
    if let Some((from, id)) = text.strip_prefix("FAIL message received from ")?.split_once(" about ") {
        return Some(Fact::FailMessage { from: node(from)?, node: node(id)? });
    }
    None
}

fn cleared(text: &str, node: &mut dyn FnMut(&str) -> Option<NodeId>) -> Option<Fact> {
    let (id, why) = text.strip_prefix("Clear FAIL state for node ")?.split_once(": ")?;
    let why = match why {
        "replica is reachable again." => FailClearReason::ReplicaReachable,
        "master without slots is reachable again." => FailClearReason::MasterWithoutSlots,
        _ => FailClearReason::NobodyServesItsSlots,
    };
    Some(Fact::FailCleared { node: node(id)?, why })
}

fn election(text: &str, node: &mut dyn FnMut(&str) -> Option<NodeId>) -> Option<Fact> {
    if let Some(rest) = between(text, "Start of election delayed for ", ").") {
        let (delay, rest) = rest.split_once(" milliseconds (rank #")?;
        let (rank, offset) = rest.split_once(", offset ")?;
        return Some(Fact::ElectionScheduled {
            delay_ms: delay.parse().ok()?,
            rank: rank.parse().ok()?,
            offset: offset.parse().ok()?,
        });
    }
    if let Some(rest) = between(text, "Replica rank updated to #", " milliseconds of delay.") {
        let (rank, added) = rest.split_once(", added ")?;
        return Some(Fact::RankUpdated { rank: rank.parse().ok()?, added_ms: added.parse().ok()? });
    }
    if let Some(epoch) = between(text, "Starting a failover election for epoch ", ".") {
        return Some(Fact::ElectionStarted { epoch: epoch.parse().ok()? });
    }
    if let Some(rest) = text.strip_prefix("Failover auth granted to ") {
        let (to, epoch) = rest.split_once(" for epoch ")?;
        return Some(Fact::VoteGranted { to: node(to)?, epoch: epoch.parse().ok()? });
    }
    if let Some(rest) = text.strip_prefix("Failover auth denied to ") {
        let (to, why) = rest.split_once(": ")?;
        return Some(Fact::VoteDenied { to: node(to)?, why: denied(why)? });
    }
    if let Some(epoch) = between(text, "configEpoch set to ", " after successful failover") {
        return Some(Fact::EpochSet { epoch: epoch.parse().ok()?, cause: EpochCause::Failover });
    }
    let why = text.strip_prefix("Currently unable to failover: ")?;
    let why = match why.split(' ').next()? {
        "Disconnected" => CantFailover::DataAge,
        "Waiting" if why.contains("votes") => CantFailover::WaitingVotes,
        "Waiting" => CantFailover::WaitingDelay,
        _ => CantFailover::Expired,
    };
    Some(Fact::CantFailover { why })
}

fn denied(why: &str) -> Option<DenyReason> {
    let number = |text: &str| text.parse().ok();
    if let Some(rest) = between(why, "reqEpoch (", ")") {
        let (requested, current) = rest.split_once(") < curEpoch(")?;
        return Some(DenyReason::OldEpoch { requested: number(requested)?, current: number(current)? });
    }
    if let Some(epoch) = why.strip_prefix("already voted for epoch ") {
        return Some(DenyReason::AlreadyVoted { epoch: number(epoch)? });
    }
    if let Some(ms) = between(why, "can't vote about this master before ", " milliseconds") {
        return Some(DenyReason::VotedRecently { wait_ms: number(ms)? });
    }
    if let Some(rest) = between(why, "slot ", ")") {
        let (slot, rest) = rest.split_once(" epoch (")?;
        let (epoch, requested) = rest.split_once(") > reqEpoch (")?;
        let slot = slot.parse().ok()?;
        return Some(DenyReason::SlotEpoch { slot, epoch: number(epoch)?, requested: number(requested)? });
    }
    Some(match why {
        "it is a master node" => DenyReason::IsMaster,
        "I don't know its master" => DenyReason::UnknownMaster,
        "its master is up" => DenyReason::MasterIsUp,
        _ => return None,
    })
}

fn role(text: &str, node: &mut dyn FnMut(&str) -> Option<NodeId>) -> Option<Fact> {
    let changed = "Configuration change detected. Reconfiguring myself as a replica of ";
    if let Some(id) = text.strip_prefix(changed) {
        return Some(Fact::Reconfigured { master: node(id)? });
    }
    if let Some(id) = between(text, "Manual failover requested by replica ", ".") {
        return Some(Fact::ManualRequested { by: node(id)? });
    }
    if let Some(n) = text.strip_prefix("Received replication offset for paused master manual failover: ") {
        return Some(Fact::ManualOffset { offset: n.parse().ok()? });
    }
    if let Some(id) = text.strip_prefix("Migrating to orphaned master ") {
        return Some(Fact::MigratingTo { master: node(id)? });
    }
    cleared(text, node)
}

/// An event of a sentinel: its name, `TYPE NAME IP PORT` and, of replicas and sentinels, `@ MASTER IP PORT`, then
/// what it adds.
fn sentinel(text: &str) -> Option<SentinelEvent> {
    let (name, payload) = text.split_once(' ').unwrap_or((text, ""));
    let event = Kind::named(name)?;
    let words: Vec<&str> = payload.split(' ').filter(|w| !w.is_empty()).collect();
    let place =
        |ip: &str, port: &str| Some(Place { ip: ip.parse::<Ipv4Addr>().ok()?, port: port.parse().ok()? });
    if event == Kind::Switch {
        let [group, ip, port, new_ip, new_port] = words[..] else { return None };
        let (from, to) = (place(ip, port)?, place(new_ip, new_port)?);
        let group: Arc<str> = group.into();
        let about = Subject { kind: Watched::Master, name: group.clone(), at: from, group, master: from };
        return Some(SentinelEvent { event, about: Some(about), detail: Detail::Switch { from, to } });
    }
    let kind = match words.first() {
        Some(&"master") => Some(Watched::Master),
        Some(&"slave") => Some(Watched::Slave),
        Some(&"sentinel") => Some(Watched::Sentinel),
        _ => None,
    };
    let (about, rest) = match (kind, &words[..]) {
        (Some(kind), [_, name, ip, port, rest @ ..]) => {
            let at = place(ip, port)?;
            let (group, master, rest) = match rest {
                ["@", group, ip, port, rest @ ..] => (*group, place(ip, port)?, rest),
                rest => (*name, at, rest),
            };
            (Some(Subject { kind, name: (*name).into(), at, group: group.into(), master }), rest)
        }
        _ => (None, &words[..]),
    };
    let detail = match (event, rest) {
        (_, []) => Detail::None,
        (_, ["#quorum", counts]) => {
            let (count, quorum) = counts.split_once('/')?;
            Detail::Agree { count: count.parse().ok()?, quorum: quorum.parse().ok()? }
        }
        (_, ["quorum", n]) => Detail::Quorum(n.parse().ok()?),
        (Kind::NewEpoch, [epoch]) => Detail::Epoch(epoch.parse().ok()?),
        (Kind::Vote, [leader, epoch]) => {
            Detail::Vote { leader: (*leader).into(), epoch: epoch.parse().ok()? }
        }
        (_, ["new", "reported", "role", "is", role]) => Detail::Role { master: *role == "master" },
        (_, words) => Detail::Words(words.join(" ").into()),
    };
    Some(SentinelEvent { event, about, detail })
}

#[cfg(test)]
mod tests {
    use super::super::text::log_line;
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let text = "19545:M 23 Nov 2026 09:48:33.169 - Node a reported node b as not reachable.";
        let l = line(text).expect("a line");
        assert_eq!((l.pid, l.role, l.level), (19545, 'M', LogLevel::Verbose));
        assert_eq!(l.clock, 1_795_427_313_169_000);
        assert!(l.text.starts_with("Node a"));
        for bad in ["", "hello", "1:M 23 Foo 2026 09:48:33.169 - x", "1:Q 23 Nov 2026 09:48:33.169 - x"] {
            assert_eq!(line(bad), None, "{bad}");
        }
    }

    struct Ids;

    impl super::super::text::Names for Ids {
        fn node_hex(&self, node: NodeId) -> String {
            format!("{:040x}", node.0)
        }
        fn nick(&self, node: NodeId) -> String {
            node.0.to_string()
        }
        fn host(&self, _: super::super::HostId) -> &str {
            "n"
        }
        fn owner(&self, _: NodeId) -> Option<super::super::HostId> {
            None
        }
    }

    #[test]
    fn what_is_printed_is_read() {
        let node = NodeId(7);
        let facts = [
            Fact::Pfail { node },
            Fact::Reported { by: NodeId(3), node },
            Fact::ReportedBack { by: NodeId(3), node },
            Fact::FailMessage { from: NodeId(3), node },
            Fact::FailCleared { node, why: FailClearReason::NobodyServesItsSlots },
            Fact::StateChanged { ok: false },
            Fact::ElectionScheduled { delay_ms: 833, rank: 1, offset: 20555 },
            Fact::RankUpdated { rank: 1, added_ms: 1000 },
            Fact::ElectionStarted { epoch: 7 },
            Fact::VoteGranted { to: node, epoch: 7 },
            Fact::VoteDenied { to: node, why: DenyReason::OldEpoch { requested: 6, current: 7 } },
            Fact::VoteDenied { to: node, why: DenyReason::VotedRecently { wait_ms: 12 } },
            Fact::VoteDenied { to: node, why: DenyReason::SlotEpoch { slot: 5, epoch: 3, requested: 2 } },
            Fact::EpochSet { epoch: 7, cause: EpochCause::Failover },
            Fact::CantFailover { why: CantFailover::DataAge },
            Fact::CantFailover { why: CantFailover::WaitingVotes },
            Fact::ManualAccepted { forced: true },
            Fact::TakingOver,
            Fact::ManualRequested { by: node },
            Fact::ManualOffset { offset: 99 },
            Fact::ManualReady,
            Fact::Reconfigured { master: node },
            Fact::MigratingTo { master: node },
            Fact::MasterLinkLost,
            Fact::SyncDone,
        ];
        for f in facts {
            let (_, text) = log_line(&f, &Ids).expect("a line");
            let mut id = |hex: &str| u32::from_str_radix(hex, 16).ok().map(NodeId);
            assert_eq!(fact(&text, &mut id), Some(f), "{text}");
        }
    }

    #[test]
    fn events_of_sentinels_are_read() {
        for text in [
            "+monitor master mymaster 127.0.2.1 24000 quorum 2",
            "+odown master mymaster 127.0.2.1 24000 #quorum 3/2",
            "+slave slave 127.0.2.3:24002 127.0.2.3 24002 @ mymaster 127.0.2.1 24000",
            "-role-change slave 127.0.2.3:24002 127.0.2.3 24002 @ mymaster 127.0.2.1 24000 new reported role is master",
            "+new-epoch 1",
            "+vote-for-leader e44075a541b780c9d339669f50f334aff0a965c6 1",
            "+switch-master mymaster 127.0.2.1 24000 127.0.2.2 24001",
        ] {
            let Some(Fact::Sentinel(e)) = fact(text, &mut |_| None) else { panic!("{text}") };
            assert_eq!(format!("{} {e}", e.event.name()), text);
        }
        assert_eq!(fact("+no-such-event x", &mut |_| None), None);
    }
}
