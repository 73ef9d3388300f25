//! CLUSTER subcommands that change who belongs to the cluster, as what, and by which epoch.

use std::net::Ipv4Addr;

use super::super::super::Server;
use super::super::super::command::{Caller, Reply, clip};
use super::super::{NOT_AN_INTEGER, SYNTAX, integer, refuse, shown};
use super::lookup_node;
use crate::redis::Cx;
use crate::redis::bus::failover::FailoverOption;
use crate::redis::bus::todo;
use crate::redis::bus::view::{ME, NO_ROW, flag};
use crate::redis::repl::stream::Command;
use crate::resp::Value;
use crate::trace::{EpochCause, Fact};

/// What the port of the cluster bus is above the client port. redis: CLUSTER_PORT_INCR @7.0.15
const PORT_INCR: i64 = 10_000;

fn ok() -> Reply {
    Some(Value::ok())
}

/// The words passed the table, but are too many for the code behind it.
///
/// redis: addReplySubcommandSyntaxError @7.0.15
fn too_many_words(args: &Command) -> Reply {
    refuse(format!(
        "unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
        clip(&args[1], 128),
        shown(&args[0]).to_uppercase()
    ))
}

/// CLUSTER MEET ip port [bus-port]
///
/// redis: clusterStartHandshake @7.0.15
/// deviates: IPv6 addresses are refused.
pub fn meet(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    if args.len() > 5 {
        return too_many_words(args);
    }
    let Some(port) = integer(&args[3]) else {
        return refuse(format!("Invalid TCP base port specified: {}", shown(&args[3])));
    };
    let cport = match args.get(4) {
        None => port.wrapping_add(PORT_INCR),
        Some(word) => match integer(word) {
            Some(cport) => cport,
            None => return refuse(format!("Invalid TCP bus port specified: {}", shown(word))),
        },
    };
    // Both pass through a C int on their way.
    let tcp = |port: i64| u16::try_from(port as i32).ok().filter(|&p| p > 0);
    let ip: Option<Ipv4Addr> = shown(&args[2]).parse().ok();
    let (Some(ip), Some(port), Some(cport)) = (ip, tcp(port), tcp(cport)) else {
        return refuse(format!("Invalid node address specified: {}:{}", shown(&args[2]), shown(&args[3])));
    };
    s.with_bus(cx, |bus, cx, _| bus.start_handshake(cx, ip, port, cport));
    ok()
}

/// CLUSTER FORGET id
pub fn forget(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    s.with_bus(cx, |bus, cx, _| {
        let Some(r) = lookup_node(bus, cx, &args[2]) else {
            return refuse(format!("Unknown node {}", shown(&args[2])));
        };
        if r == ME {
            return refuse("I tried hard but I can't forget myself...");
        }
        if bus.me().is(flag::SLAVE) && bus.me().slaveof == r {
            return refuse("Can't forget my master!");
        }
        bus.forget(cx, r);
        ok()
    })?
}

/// CLUSTER REPLICATE id
pub fn replicate(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let keys = s.db.len();
    s.with_bus(cx, |bus, cx, _| {
        let Some(r) = lookup_node(bus, cx, &args[2]) else {
            return refuse(format!("Unknown node {}", shown(&args[2])));
        };
        if r == ME {
            return refuse("Can't replicate myself");
        }
        if bus.row(r).is(flag::SLAVE) {
            return refuse("I can only replicate a master, not a replica.");
        }
        if bus.me().is_master() && (bus.me().numslots > 0 || keys > 0) {
            return refuse("To set a master the node must be empty and without assigned slots.");
        }
        // A replica that was given slots by hand does not survive this: no reply then.
        if !bus.set_my_master(cx, r) {
            return None;
        }
        bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
        ok()
    })?
}

/// CLUSTER FAILOVER [FORCE|TAKEOVER]
pub fn failover(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let how = match args.get(2).map(|w| w.to_ascii_lowercase()) {
        _ if args.len() > 3 => return too_many_words(args),
        None => FailoverOption::Plain,
        Some(w) if w == b"force" => FailoverOption::Force,
        Some(w) if w == b"takeover" => FailoverOption::Takeover,
        Some(_) => return refuse(SYNTAX),
    };
    s.with_bus(cx, |bus, cx, host| {
        if bus.me().is_master() {
            return refuse("You should send CLUSTER FAILOVER to a replica");
        }
        let master = bus.me().slaveof;
        if master == NO_ROW {
            return refuse("I'm a replica but my master is unknown to me");
        }
        let unreachable = bus.row(master).failed() || !bus.row(master).link.is_some();
        if how == FailoverOption::Plain && unreachable {
            return refuse("Master is down or failed, please use CLUSTER FAILOVER FORCE");
        }
        bus.start_manual_failover(cx, host, how);
        ok()
    })?
}

/// CLUSTER BUMPEPOCH
pub fn bumpepoch(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    s.with_bus(cx, |bus, cx, _| {
        let what = if bus.bump_epoch(cx) { "BUMPED" } else { "STILL" };
        Value::status(format!("{what} {}", bus.me().config_epoch))
    })
}

/// CLUSTER SET-CONFIG-EPOCH epoch
pub fn set_config_epoch(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let Some(epoch) = integer(&args[2]) else { return refuse(NOT_AN_INTEGER) };
    let Ok(epoch) = u64::try_from(epoch) else {
        return refuse(format!("Invalid config epoch specified: {epoch}"));
    };
    s.with_bus(cx, |bus, cx, _| {
        if bus.dict.len() > 1 {
            return refuse(
                "The user can assign a config epoch only when the node does not know any other node.",
            );
        }
        if bus.me().config_epoch != 0 {
            return refuse("Node config epoch is already non-zero");
        }
        bus.me_mut().config_epoch = epoch;
        cx.emit(Fact::EpochSet { epoch, cause: EpochCause::Command });
        bus.current_epoch = bus.current_epoch.max(epoch);
        bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
        ok()
    })?
}

/// CLUSTER SAVECONFIG
pub fn saveconfig(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    s.with_bus(cx, |bus, cx, _| bus.save(cx, true));
    ok()
}

/// CLUSTER RESET [HARD|SOFT]
pub fn reset(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let hard = match args.get(2).map(|w| w.to_ascii_lowercase()) {
        _ if args.len() > 3 => return too_many_words(args),
        Some(w) if w == b"hard" => true,
        Some(w) if w != b"soft" => return refuse(SYNTAX),
        _ => false,
    };
    let keys = s.db.len();
    s.with_bus(cx, |bus, cx, _| {
        if bus.me().is_master() && keys > 0 {
            return refuse("CLUSTER RESET can't be called with master nodes containing keys");
        }
        bus.reset(cx, hard);
        ok()
    })?
}
