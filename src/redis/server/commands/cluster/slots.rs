//! CLUSTER subcommands about slots: who owns them, where they move, which keys they hold.

use super::super::super::Server;
use super::super::super::command::{Caller, Reply};
use super::super::{NOT_AN_INTEGER, integer, refuse, shown};
use super::lookup_node;
use crate::redis::Cx;
use crate::redis::bus::view::{ME, RowIdx, flag};
use crate::redis::bus::{Bus, todo};
use crate::redis::repl::stream::Command;
use crate::resp::Value;
use crate::slot::{SLOTS, SlotSet, key_slot};

const BAD_SLOT: &str = "Invalid or out of range slot";

/// redis: getSlotOrReply @7.0.15
fn slot(word: &[u8]) -> Option<u16> {
    integer(word).and_then(|n| u16::try_from(n).ok()).filter(|&s| s < SLOTS)
}

/// CLUSTER ADDSLOTS slot...
pub fn addslots(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    each_slot(s, cx, args, Some(ME))
}

/// CLUSTER DELSLOTS slot...
pub fn delslots(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    each_slot(s, cx, args, None)
}

/// CLUSTER ADDSLOTSRANGE first last...
pub fn addslotsrange(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    each_range(s, cx, args, Some(ME))
}

/// CLUSTER DELSLOTSRANGE first last...
pub fn delslotsrange(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    each_range(s, cx, args, None)
}

fn each_slot(s: &mut Server, cx: &mut Cx<'_>, args: &Command, to: Option<RowIdx>) -> Reply {
    // Every word is read before any slot is looked at.
    let Some(slots) = args[2..].iter().map(|w| slot(w)).collect::<Option<Vec<u16>>>() else {
        return refuse(BAD_SLOT);
    };
    s.with_bus(cx, |bus, cx, _| {
        let mut chosen = SlotSet::EMPTY;
        for slot in slots {
            if let Err(text) = choose(bus, &mut chosen, slot, to) {
                return refuse(text);
            }
        }
        bind(bus, cx, &chosen, to)
    })?
}

fn each_range(s: &mut Server, cx: &mut Cx<'_>, args: &Command, to: Option<RowIdx>) -> Reply {
    if !args.len().is_multiple_of(2) {
        let name = shown(&args[1]).to_lowercase();
        return refuse(format!("wrong number of arguments for 'cluster|{name}' command"));
    }
    s.with_bus(cx, |bus, cx, _| {
        let mut chosen = SlotSet::EMPTY;
        for pair in args[2..].chunks_exact(2) {
            let (Some(first), Some(last)) = (slot(&pair[0]), slot(&pair[1])) else {
                return refuse(BAD_SLOT);
            };
            if first > last {
                return refuse(format!("start slot number {first} is greater than end slot number {last}"));
            }
            for slot in first..=last {
                if let Err(text) = choose(bus, &mut chosen, slot, to) {
                    return refuse(text);
                }
            }
        }
        bind(bus, cx, &chosen, to)
    })?
}

/// redis: checkSlotAssignmentsOrReply @7.0.15
fn choose(bus: &Bus, chosen: &mut SlotSet, slot: u16, to: Option<RowIdx>) -> Result<(), String> {
    match (to, bus.owners.get(slot)) {
        (None, None) => Err(format!("Slot {slot} is already unassigned")),
        (Some(_), Some(_)) => Err(format!("Slot {slot} is already busy")),
        _ if !chosen.insert(slot) => Err(format!("Slot {slot} specified multiple times")),
        _ => Ok(()),
    }
}

/// redis: clusterUpdateSlots @7.0.15
fn bind(bus: &mut Bus, cx: &mut Cx<'_>, slots: &SlotSet, to: Option<RowIdx>) -> Reply {
    bus.importing_from.retain(|&slot, _| !slots.contains(slot));
    bus.rebind(cx, slots, to);
    bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
    Some(Value::ok())
}

/// CLUSTER FLUSHSLOTS
pub fn flushslots(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    if !s.db.is_empty() {
        return refuse("DB must be empty to perform CLUSTER FLUSHSLOTS.");
    }
    s.with_bus(cx, |bus, cx, _| {
        let mine = cx.names.slots(bus.me().slots).clone();
        bus.rebind(cx, &mine, None);
        bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
        Value::ok()
    })
}

/// CLUSTER SETSLOT slot MIGRATING id | IMPORTING id | STABLE | NODE id
pub fn setslot(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let db = s.db.snapshot();
    s.with_bus(cx, |bus, cx, host| {
        if bus.me().is(flag::SLAVE) {
            return refuse("Please use SETSLOT only with masters.");
        }
        let Some(slot) = slot(&args[2]) else { return refuse(BAD_SLOT) };
        let mine = bus.owners.get(slot) == Some(bus.me().id);
        let node = |bus: &Bus, cx: &Cx<'_>, unknown: &str| match lookup_node(bus, cx, &args[4]) {
            None => Err(format!("{unknown} {}", shown(&args[4]))),
            Some(r) if bus.row(r).is(flag::SLAVE) => Err("Target node is not a master".to_string()),
            Some(r) => Ok(r),
        };
        match (args[3].to_ascii_lowercase().as_slice(), args.len()) {
            (b"migrating", 5) => {
                if !mine {
                    return refuse(format!("I'm not the owner of hash slot {slot}"));
                }
                match node(bus, cx, "I don't know about node") {
                    Ok(r) => bus.migrating_to.insert(slot, bus.row(r).id),
                    Err(text) => return refuse(text),
                };
            }
            (b"importing", 5) => {
                if mine {
                    return refuse(format!("I'm already the owner of hash slot {slot}"));
                }
                match node(bus, cx, "I don't know about node") {
                    Ok(r) => bus.importing_from.insert(slot, bus.row(r).id),
                    Err(text) => return refuse(text),
                };
            }
            (b"stable", 4) => {
                bus.importing_from.remove(&slot);
                bus.migrating_to.remove(&slot);
            }
            (b"node", 5) => {
                let r = match node(bus, cx, "Unknown node") {
                    Ok(r) => r,
                    Err(text) => return refuse(text),
                };
                let keys = db.count_in_slot(slot);
                if mine && r != ME && keys > 0 {
                    return refuse(format!(
                        "Can't assign hashslot {slot} to a different node while I still hold keys for this \
                         hash slot."
                    ));
                }
                bus.assign_slot(cx, host, slot, r, keys > 0);
            }
            _ => {
                return refuse("Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP");
            }
        }
        bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
        Some(Value::ok())
    })?
}

/// CLUSTER KEYSLOT key
pub fn keyslot(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(Value::Int(key_slot(&args[2]).into()))
}

/// CLUSTER COUNTKEYSINSLOT slot
pub fn countkeysinslot(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    if integer(&args[2]).is_none() {
        return refuse(NOT_AN_INTEGER);
    }
    match slot(&args[2]) {
        Some(slot) => Some(Value::Int(s.db.count_in_slot(slot) as i64)),
        None => refuse("Invalid slot"),
    }
}

/// CLUSTER GETKEYSINSLOT slot count: the latest inserted first.
pub fn getkeysinslot(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let (Some(_), Some(count)) = (integer(&args[2]), integer(&args[3])) else {
        return refuse(NOT_AN_INTEGER);
    };
    match (slot(&args[2]), usize::try_from(count)) {
        (Some(slot), Ok(count)) => Some(Value::bulks(s.db.keys_in_slot(slot).into_iter().take(count))),
        _ => refuse("Invalid slot or number of keys"),
    }
}
