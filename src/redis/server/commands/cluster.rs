//! CLUSTER.

use std::net::Ipv4Addr;

use super::super::Server;
use super::super::command::{Caller, Reply};
use crate::redis::Cx;
use crate::redis::bus::failover::FailoverOption;
use crate::redis::bus::todo;
use crate::redis::bus::view::{ME, NO_ROW, RowIdx, flag};
use crate::redis::bus::{Bus, packet::kind};
use crate::redis::registry::NodeName;
use crate::redis::repl::stream::Command;
use crate::resp::Value;
use crate::slot::{SLOTS, SlotSet};
use crate::trace::{EpochCause, Fact};

/// redis: cluster.c clusterCommand @7.0.15
pub fn run(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    if !s.cluster_enabled {
        return Some(Value::error("ERR This instance has cluster support disabled"));
    }
    let sub = args[1].to_ascii_lowercase();
    let text = |i: usize| args.get(i).map(|a| String::from_utf8_lossy(a).into_owned()).unwrap_or_default();
    let number = |i: usize| text(i).parse::<i64>().ok();
    let keys = s.db.len();
    let conf_timeout = s.conf.cluster_node_timeout;
    let _ = conf_timeout;
    s.with_bus(cx, |bus, cx, host| match (sub.as_slice(), args.len()) {
        (b"myid", 2) => Value::text(cx.names.node_name(bus.me().id).to_string()),
        (b"nodes", 2) => {
            let image = bus.image(0);
            let full = image.text(cx.names);
            let end = full.rfind("vars currentEpoch").unwrap_or(full.len());
            Value::text(&full[..end])
        }
        (b"info", 2) => info(bus, cx),
        (b"meet", 4 | 5) => {
            let port = number(3).unwrap_or(0) as u16;
            let cport = number(4).map_or(port.wrapping_add(10000), |p| p as u16);
            match text(2).parse::<Ipv4Addr>() {
                Ok(ip) => {
                    bus.start_handshake(cx, ip, port, cport);
                    Value::ok()
                }
                Err(_) => {
                    Value::error(format!("ERR Invalid node address specified: {}:{}", text(2), text(3)))
                }
            }
        }
        (b"addslots", 3..) => {
            let slots: SlotSet =
                args[2..].iter().filter_map(|a| std::str::from_utf8(a).ok()?.parse().ok()).collect();
            bus.rebind(cx, &slots, Some(ME));
            bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
            Value::ok()
        }
        (b"addslotsrange", 4..) => {
            for pair in args[2..].chunks(2) {
                let n =
                    |i: usize| String::from_utf8_lossy(&pair[i]).parse::<u16>().unwrap_or(0).min(SLOTS - 1);
                bus.rebind(cx, &SlotSet::from_range(n(0)..=n(1)), Some(ME));
            }
            bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
            Value::ok()
        }
        (b"set-config-epoch", 3) => {
            let epoch = number(2).unwrap_or(0) as u64;
            if bus.dict.len() > 1 {
                return Value::error(
                    "ERR The user can assign a config epoch only when the node does not know any other node.",
                );
            }
            bus.me_mut().config_epoch = epoch;
            bus.current_epoch = bus.current_epoch.max(epoch);
            cx.emit(Fact::EpochSet { epoch, cause: EpochCause::Command });
            bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
            Value::ok()
        }
        (b"replicate", 3) => match find(bus, cx, &text(2)) {
            None => Value::error(format!("ERR Unknown node {}", text(2))),
            Some(ME) => Value::error("ERR Can't replicate myself"),
            Some(r) if bus.row(r).is(flag::SLAVE) => {
                Value::error("ERR I can only replicate a master, not a replica.")
            }
            Some(_) if bus.me().is_master() && (bus.me().numslots > 0 || keys > 0) => {
                Value::error("ERR To set a master the node must be empty and without assigned slots.")
            }
            Some(r) => {
                bus.set_my_master(cx, r);
                bus.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
                Value::ok()
            }
        },
        (b"forget", 3) => match find(bus, cx, &text(2)) {
            None => Value::error(format!("ERR Unknown node {}", text(2))),
            Some(ME) => Value::error("ERR I tried hard but I can't forget myself..."),
            Some(r) if bus.me().is(flag::SLAVE) && bus.me().slaveof == r => {
                Value::error("ERR Can't forget my master!")
            }
            Some(r) => {
                bus.forget(cx, r);
                Value::ok()
            }
        },
        (b"failover", 2 | 3) => {
            let how = match text(2).to_ascii_lowercase().as_str() {
                "" => FailoverOption::Plain,
                "force" => FailoverOption::Force,
                "takeover" => FailoverOption::Takeover,
                _ => return Value::error("ERR syntax error"),
            };
            let master = bus.me().slaveof;
            if bus.me().is_master() {
                return Value::error("ERR You should send CLUSTER FAILOVER to a replica");
            }
            if master == NO_ROW {
                return Value::error("ERR I'm a replica but my master is unknown to me");
            }
            let unreachable = bus.row(master).failed() || !bus.row(master).link.is_some();
            if how == FailoverOption::Plain && unreachable {
                return Value::error("ERR Master is down or failed, please use CLUSTER FAILOVER FORCE");
            }
            bus.start_manual_failover(cx, host, how);
            Value::ok()
        }
        _ => Value::error(format!("ERR unknown subcommand '{}'. Try CLUSTER HELP.", text(1))),
    })
}

fn find(bus: &Bus, cx: &Cx<'_>, hex: &str) -> Option<RowIdx> {
    bus.find(cx.names.find_node(NodeName::from_hex(hex)?)?)
}

fn info(bus: &Bus, cx: &Cx<'_>) -> Value {
    let (mut assigned, mut ok, mut pfail, mut fail) = (0u32, 0u32, 0u32, 0u32);
    for row in bus.in_order() {
        let n = u32::from(row.numslots);
        assigned += n;
        if row.failed() {
            fail += n;
        } else if row.timed_out() {
            pfail += n;
        } else {
            ok += n;
        }
    }
    let mut out = format!(
        "cluster_state:{}\r\ncluster_slots_assigned:{assigned}\r\ncluster_slots_ok:{ok}\r\n\
         cluster_slots_pfail:{pfail}\r\ncluster_slots_fail:{fail}\r\ncluster_known_nodes:{}\r\n\
         cluster_size:{}\r\ncluster_current_epoch:{}\r\ncluster_my_epoch:{}\r\n",
        if bus.state_ok { "ok" } else { "fail" },
        bus.dict.len(),
        bus.size,
        bus.current_epoch,
        bus.shown_epoch(bus.me()),
    );
    for (stats, way) in [(&bus.stats_sent, "sent"), (&bus.stats_received, "received")] {
        for (name, n) in kind::NAMES.iter().zip(stats.iter()).filter(|(_, n)| **n > 0) {
            out.push_str(&format!("cluster_stats_messages_{name}_{way}:{n}\r\n"));
        }
        out.push_str(&format!("cluster_stats_messages_{way}:{}\r\n", stats.iter().sum::<u64>()));
    }
    out.push_str("total_cluster_links_buffer_limit_exceeded:0\r\n");
    let _ = cx;
    Value::text(out)
}
