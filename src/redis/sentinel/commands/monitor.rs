//! SENTINEL subcommands that act on a monitored master.

use super::instances::named;
use super::{Reply, Words, integer, refuse, text};
use crate::redis::Cx;
use crate::redis::sentinel::Sentinel;
use crate::redis::sentinel::state::{GroupId, Ms, flag};
use crate::resp::{Value, glob_match};
use crate::trace::ConnId;
use crate::trace::sentinel::{Detail, Kind, SentinelNote};

impl Sentinel {
    /// Sentinels that answer, this one included; whether they make the quorum; whether they are the
    /// majority that a failover needs.
    ///
    /// redis: sentinelIsQuorumReachable @7.0.15
    pub fn quorum_reachable(&self, g: GroupId) -> (usize, bool, bool) {
        let group = &self.groups[g];
        let up = group.sentinels.iter().filter(|&&s| !self.instances[s].is(flag::S_DOWN | flag::O_DOWN));
        let usable = 1 + up.count();
        (usable, usable as i64 >= group.quorum, usable > group.voters() / 2)
    }
}

/// SENTINEL CKQUORUM name
pub fn ckquorum(s: &mut Sentinel, _: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let g = match named(s, words) {
        Ok(g) => g,
        Err(refusal) => return refusal,
    };
    let (usable, quorum, majority) = s.quorum_reachable(g);
    if quorum && majority {
        return Some(Value::status(format!(
            "OK {usable} usable Sentinels. Quorum and failover authorization can be reached"
        )));
    }
    let mut why = Vec::new();
    if !quorum {
        why.push("Not enough available Sentinels to reach the specified quorum for this master");
    }
    if !majority {
        why.push("Not enough available Sentinels to reach the majority and authorize a failover");
    }
    Some(Value::error(format!("NOQUORUM {usable} usable Sentinels. {}", why.join(". "))))
}

/// SENTINEL FAILOVER name: no quorum and no votes are needed.
///
/// redis: sentinelCommand @7.0.15
pub fn failover(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let g = match named(s, words) {
        Ok(g) => g,
        Err(refusal) => return refusal,
    };
    let me = s.groups[g].me;
    if s.instances[me].is(flag::FAILOVER_IN_PROGRESS) {
        return Some(Value::error("INPROG Failover already in progress"));
    }
    if s.select_slave(g, cx.now.ms() as Ms).is_none() {
        return Some(Value::error("NOGOODSLAVE No suitable replica to promote"));
    }
    let group = s.groups[g].name.clone();
    s.note(cx, SentinelNote::Manual { group });
    s.groups[g].because = cx.cause;
    s.start_failover(cx, g);
    s.instances[me].flags |= flag::FORCE_FAILOVER;
    Some(Value::ok())
}

/// SENTINEL FLUSHCONFIG
pub fn flushconfig(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, _: &Words) -> Reply {
    s.flush(cx);
    Some(Value::ok())
}

/// SENTINEL MONITOR name ip port quorum
///
/// redis: sentinelCommand @7.0.15
pub fn monitor(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let Some(quorum) = integer(&words[5]) else { return refuse("Invalid quorum") };
    let Some(port) = integer(&words[4]) else { return refuse("Invalid port") };
    if quorum <= 0 {
        return refuse("Quorum must be 1 or greater.");
    }
    let host = text(&words[3]);
    if s.resolve(cx, &host, 0).is_err() {
        return refuse("Invalid IP address or hostname specified");
    }
    match s.add_master(cx, &text(&words[2]), &host, port, quorum) {
        Ok(g) => {
            s.flush(cx);
            let me = s.groups[g].me;
            s.event(cx, Kind::Monitor, Some(me), Detail::Quorum(quorum));
            Some(Value::ok())
        }
        Err(why) => refuse(why),
    }
}

/// SENTINEL REMOVE name
pub fn remove(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let g = match named(s, words) {
        Ok(g) => g,
        Err(refusal) => return refusal,
    };
    let me = s.groups[g].me;
    s.event(cx, Kind::MonitorRemoved, Some(me), Detail::None);
    s.remove_master(cx, g);
    s.flush(cx);
    Some(Value::ok())
}

/// SENTINEL RESET pattern
///
/// redis: sentinelResetMastersByPattern @7.0.15
pub fn reset(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let matching = |g: &GroupId| glob_match(&words[2], s.groups[*g].name.as_bytes(), false);
    let chosen: Vec<GroupId> = s.order.iter().copied().filter(matching).collect();
    let count = chosen.len();
    chosen.into_iter().for_each(|g| s.reset(cx, g, true, true));
    Some(Value::Int(count as i64))
}

/// SENTINEL SIMULATE-FAILURE crash-after-election|crash-after-promotion|help...
///
/// redis: sentinelCommand @7.0.15
pub fn simulate_failure(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    (s.crash_after_election, s.crash_after_promotion) = (false, false);
    for word in &words[2..] {
        match text(word).to_ascii_lowercase().as_str() {
            "crash-after-election" => {
                s.crash_after_election = true;
                s.note(cx, SentinelNote::WillCrash { after_promotion: false });
            }
            "crash-after-promotion" => {
                s.crash_after_promotion = true;
                s.note(cx, SentinelNote::WillCrash { after_promotion: true });
            }
            "help" => return Some(Value::bulks(["crash-after-election", "crash-after-promotion"])),
            _ => return refuse("Unknown failure simulation specified"),
        }
    }
    Some(Value::ok())
}
