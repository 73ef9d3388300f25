//! A trace for other programs: one JSON object per line and event, in order.
//!
//! | key | value |
//! | --- | --- |
//! | `time_us` | true time in microseconds since the deployment was formed; negative before |
//! | `host` | the name of the host; `world` for what has no place |
//! | `fact` | the name of the fact, as in the list of facts |
//! | ... | the fields of the fact, by their names |
//! | `cause` | the number of the line, from 0, of the event that led to it; missing if none is recorded |
//!
//! Fields that name a node have the name of its host, or its 40 hex digits if no host goes by them, or
//! null for no node. Lengths of time are microseconds unless the name ends in another unit; replication
//! ids are 40 hex digits; choices with data are objects with one key, the choice.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::text::Names;
use super::{Event, FactId, HostId, NodeId, Trace};
use crate::base::{Dur, SimTime};

/// Marks of ids in a value that was made without names; no field can be called so.
const NODE: &str = "$node";
const HOST: &str = "$host";

fn marked<S: Serializer>(s: S, mark: &str, id: u32) -> Result<S::Ok, S::Error> {
    let mut map = s.serialize_map(Some(1))?;
    map.serialize_entry(mark, &id)?;
    map.end()
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        marked(s, NODE, self.0)
    }
}
impl Serialize for HostId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        marked(s, HOST, self.0)
    }
}
impl Serialize for Dur {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(self.0)
    }
}

/// One event as an object with its keys in the order of the table above.
struct Line<'a, N> {
    event: &'a Event,
    formed: SimTime,
    names: &'a N,
}

impl<N: Names> Serialize for Line<'_, N> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (e, names) = (self.event, self.names);
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("time_us", &(e.at.0 as i64 - self.formed.0 as i64))?;
        map.serialize_entry("host", names.host(e.host))?;
        let (fact, fields) = match serde_json::to_value(&e.fact).map_err(serde::ser::Error::custom)? {
            Value::Object(choice) => choice.into_iter().next().unwrap_or_default(),
            Value::String(name) => (name, Value::Null),
            other => (other.to_string(), Value::Null),
        };
        map.serialize_entry("fact", &fact)?;
        if let Value::Object(fields) = fields {
            for (key, value) in fields {
                map.serialize_entry(&key, &named(value, names))?;
            }
        }
        if e.cause != FactId::NONE {
            map.serialize_entry("cause", &e.cause.0)?;
        }
        map.end()
    }
}

/// The value with names in place of marked ids, and hex digits in place of 20 bytes.
fn named(value: Value, names: &impl Names) -> Value {
    match value {
        Value::Object(map) => {
            let id = |mark: &str| map.get(mark).and_then(Value::as_u64).map(|n| n as u32);
            if let Some(n) = id(NODE).map(NodeId) {
                return if n.is_some() { names.called(n).into() } else { Value::Null };
            }
            if let Some(n) = id(HOST) {
                return names.host(HostId(n)).into();
            }
            Value::Object(map.into_iter().map(|(k, v)| (k, named(v, names))).collect())
        }
        Value::Array(bytes) if bytes.len() == 20 => {
            bytes.iter().map(|b| format!("{:02x}", b.as_u64().unwrap_or(0))).collect::<String>().into()
        }
        other => other,
    }
}

/// Writes all events of a trace.
///
/// # Errors
/// Those of the writer.
pub fn write(trace: &Trace, names: &impl Names, out: &mut impl Write) -> io::Result<()> {
    let formed = trace.events.iter().find(|e| e.fact.is_time_zero()).map_or(SimTime::ZERO, |e| e.at);
    for event in &trace.events {
        serde_json::to_writer(&mut *out, &Line { event, formed, names })?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{DenyReason, Fact};

    struct Few;
    impl Names for Few {
        fn node_hex(&self, node: NodeId) -> String {
            format!("{:040x}", node.0)
        }
        fn nick(&self, node: NodeId) -> String {
            format!("n{}", node.0)
        }
        fn owner(&self, node: NodeId) -> Option<HostId> {
            (node.0 < 3).then_some(HostId(node.0))
        }
        fn host(&self, host: HostId) -> &str {
            ["n0", "n1", "n2"].get(host.0 as usize).copied().unwrap_or("world")
        }
    }

    fn text(fact: Fact, host: HostId, cause: FactId) -> String {
        let event = Event { at: SimTime(1_500), clock: 0, host, cause, fact };
        let line = Line { event: &event, formed: SimTime(2_000), names: &Few };
        serde_json::to_string(&line).expect("it is plain data")
    }

    #[test]
    fn events_are_objects_with_names_instead_of_numbers() {
        let world = HostId(u32::MAX);
        assert_eq!(
            text(Fact::Killed, HostId(1), FactId::NONE),
            r#"{"time_us":-500,"host":"n1","fact":"Killed"}"#
        );
        assert_eq!(
            text(Fact::LinkCut { from: HostId(0), to: HostId(2) }, world, FactId(7)),
            r#"{"time_us":-500,"host":"world","fact":"LinkCut","from":"n0","to":"n2","cause":7}"#
        );
        let why = DenyReason::AlreadyVoted { epoch: 4 };
        assert_eq!(
            text(Fact::VoteDenied { to: NodeId(2), why }, HostId(0), FactId::NONE),
            r#"{"time_us":-500,"host":"n0","fact":"VoteDenied","to":"n2","why":{"AlreadyVoted":{"epoch":4}}}"#
        );
        let moved = Fact::SlotsMoved { to: NodeId(9), from: NodeId::NONE, count: 5 };
        let stranger = "0".repeat(39) + "9";
        assert_eq!(
            text(moved, HostId(0), FactId::NONE),
            format!(
                r#"{{"time_us":-500,"host":"n0","fact":"SlotsMoved","count":5,"from":null,"to":"{stranger}"}}"#
            )
        );
        let replid = Fact::BacklogCreated { replid: [0xab; 20] };
        assert!(text(replid, HostId(0), FactId::NONE).contains(&"ab".repeat(20)));
        let busy = Fact::Busy { what: "slow command", time: Dur::ms(2) };
        assert!(text(busy, HostId(0), FactId::NONE).contains(r#""time":2000"#));
    }
}
