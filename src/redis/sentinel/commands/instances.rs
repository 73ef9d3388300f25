//! SENTINEL subcommands that ask: masters, replicas, sentinels, addresses.

use super::{Reply, Words, integer, refuse, text};
use crate::redis::Cx;
use crate::redis::sentinel::Sentinel;
use crate::redis::sentinel::state::{GroupId, InstanceId, Ms};
use crate::resp::Value;
use crate::trace::ConnId;

pub const NO_SUCH_MASTER: &str = "No such master with that name";
const NOT_AN_INTEGER: &str = "value is not an integer or out of range";

/// The group that the third word names, or what to answer.
///
/// redis: sentinelGetMasterByNameOrReplyError @7.0.15
pub fn named(s: &Sentinel, words: &Words) -> Result<GroupId, Reply> {
    s.group(&text(&words[2])).ok_or_else(|| refuse(NO_SUCH_MASTER))
}

fn list(s: &Sentinel, cx: &Cx<'_>, all: impl Iterator<Item = InstanceId>) -> Reply {
    let now = cx.now.ms() as Ms;
    Some(Value::Array(all.map(|x| s.view(x, now)).collect()))
}

/// SENTINEL MASTERS
pub fn masters(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, _: &Words) -> Reply {
    list(s, cx, s.order.iter().map(|&g| s.groups[g].me))
}

/// SENTINEL MASTER name
pub fn master(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    match named(s, words) {
        Ok(g) => Some(s.view(s.groups[g].me, cx.now.ms() as Ms)),
        Err(refusal) => refusal,
    }
}

/// SENTINEL REPLICAS name. Those that do not want to be announced are left out.
///
/// redis: addReplyDictOfRedisInstances @7.0.15
pub fn replicas(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    match named(s, words) {
        Ok(g) => {
            let announced = |r: &InstanceId| s.instances[*r].slave.announced != 0;
            list(s, cx, s.groups[g].replicas.iter().copied().filter(announced))
        }
        Err(refusal) => refusal,
    }
}

/// SENTINEL SENTINELS name
pub fn sentinels(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    match named(s, words) {
        Ok(g) => list(s, cx, s.groups[g].sentinels.iter().copied()),
        Err(refusal) => refusal,
    }
}

/// SENTINEL GET-MASTER-ADDR-BY-NAME name
pub fn address(s: &mut Sentinel, _: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let Some(g) = s.group(&text(&words[2])) else { return Some(Value::NilArray) };
    let addr = s.current_address(g);
    Some(Value::bulks([addr.ip.to_string(), addr.port.to_string()]))
}

/// SENTINEL IS-MASTER-DOWN-BY-ADDR ip port epoch id
pub fn is_master_down(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let (Some(port), Some(epoch)) = (integer(&words[3]), integer(&words[4])) else {
        return refuse(NOT_AN_INTEGER);
    };
    Some(s.is_master_down(cx, &text(&words[2]), port, epoch as u64, &text(&words[5])))
}

/// SENTINEL INFO-CACHE name...
///
/// redis: sentinelCommand @7.0.15
pub fn info_cache(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let now = cx.now.ms() as Ms;
    let wanted: Vec<String> = words[2..].iter().map(|w| text(w)).collect();
    let mut out = Vec::new();
    for &g in s.order.iter().filter(|&&g| wanted.iter().any(|w| **w == *s.groups[g].name)) {
        let group = &s.groups[g];
        out.push(Value::bulk(&*group.name));
        // The age of a replica's INFO is shown if the master's ever came.
        let known = s.master(g).info_refresh != 0;
        let entry = |x: InstanceId| {
            let x = &s.instances[x];
            let age = if known { now - x.info_refresh } else { 0 };
            Value::Array(vec![Value::Int(age), x.info.as_ref().map_or(Value::Nil, |i| Value::bulk(&**i))])
        };
        let all = [group.me].into_iter().chain(group.replicas.iter().copied());
        out.push(Value::Array(all.map(entry).collect()));
    }
    Some(Value::Array(out))
}
