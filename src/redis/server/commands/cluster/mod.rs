//! CLUSTER: the table of subcommands. `view` answers questions, `members` changes who belongs to the
//! cluster and as what, `slots` changes who owns which slot.

mod members;
mod slots;
mod view;

pub use view::info_text;

use super::super::command::{Spec, prop::*, sub};
use super::help;
use crate::redis::Cx;
use crate::redis::bus::Bus;
use crate::redis::bus::view::RowIdx;
use crate::redis::registry::NodeName;

const ASK: u16 = STALE | CLUSTER;
const CHANGE: u16 = ADMIN | STALE | CLUSTER;

/// In the order of CLUSTER HELP. redis: clusterCommand @7.0.15
#[rustfmt::skip]
pub const SUBS: &[Spec] = &[
    sub("addslots", -3, CHANGE, slots::addslots, "ADDSLOTS <slot> [<slot> ...]",
        "Assign slots to current node."),
    sub("addslotsrange", -4, CHANGE, slots::addslotsrange,
        "ADDSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
        "Assign slots which are between <start-slot> and <end-slot> to current node."),
    sub("bumpepoch", 2, CHANGE, members::bumpepoch, "BUMPEPOCH",
        "Advance the cluster config epoch."),
    sub("count-failure-reports", 3, CHANGE, view::count_failure_reports, "COUNT-FAILURE-REPORTS <node-id>",
        "Return number of failure reports for <node-id>."),
    sub("countkeysinslot", 3, ASK, slots::countkeysinslot, "COUNTKEYSINSLOT <slot>",
        "Return the number of keys in <slot>."),
    sub("delslots", -3, CHANGE, slots::delslots, "DELSLOTS <slot> [<slot> ...]",
        "Delete slots information from current node."),
    sub("delslotsrange", -4, CHANGE, slots::delslotsrange,
        "DELSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
        "Delete slots information which are between <start-slot> and <end-slot> from current node."),
    sub("failover", -2, CHANGE, members::failover, "FAILOVER [FORCE|TAKEOVER]",
        "Promote current replica node to being a master."),
    sub("forget", 3, CHANGE, members::forget, "FORGET <node-id>",
        "Remove a node from the cluster."),
    sub("getkeysinslot", 4, ASK, slots::getkeysinslot, "GETKEYSINSLOT <slot> <count>",
        "Return key names stored by current node in a slot."),
    sub("flushslots", 2, CHANGE, slots::flushslots, "FLUSHSLOTS",
        "Delete current node own slots information."),
    sub("info", 2, ASK, view::info, "INFO",
        "Return information about the cluster."),
    sub("keyslot", 3, ASK, slots::keyslot, "KEYSLOT <key>",
        "Return the hash slot for <key>."),
    sub("meet", -4, CHANGE, members::meet, "MEET <ip> <port> [<bus-port>]",
        "Connect nodes into a working cluster."),
    sub("myid", 2, ASK, view::myid, "MYID",
        "Return the node id."),
    sub("nodes", 2, ASK, view::nodes, "NODES",
        "Return cluster configuration seen by node. Output format:\n\
         <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ..."),
    sub("replicate", 3, CHANGE, members::replicate, "REPLICATE <node-id>",
        "Configure current node as replica to <node-id>."),
    sub("reset", -2, CHANGE, members::reset, "RESET [HARD|SOFT]",
        "Reset current node (default: soft)."),
    sub("set-config-epoch", 3, CHANGE, members::set_config_epoch, "SET-CONFIG-EPOCH <epoch>",
        "Set config epoch of current node."),
    sub("setslot", -4, CHANGE, slots::setslot,
        "SETSLOT <slot> (IMPORTING <node-id>|MIGRATING <node-id>|STABLE|NODE <node-id>)",
        "Set slot state."),
    sub("replicas", 3, CHANGE, view::replicas, "REPLICAS <node-id>",
        "Return <node-id> replicas."),
    sub("saveconfig", 2, CHANGE, members::saveconfig, "SAVECONFIG",
        "Force saving cluster configuration on disk."),
    sub("slots", 2, ASK, view::slots, "SLOTS",
        "Return information about slots range mappings. Each range is made of:\n\
         start, end, master and replicas IP addresses, ports and ids"),
    sub("shards", 2, ASK, view::shards, "SHARDS",
        "Return information about slot range mappings and the nodes associated with them."),
    sub("links", 2, ASK, view::links, "LINKS",
        "Return information about all network links between this node and its peers.\n\
         Output format is an array where each array element is a map containing attributes of a link"),
    sub("help", 2, STALE | LOADING | CLUSTER, help, "HELP",
        "Prints this help."),
    sub("slaves", 3, CHANGE, view::replicas, "", "The old name of REPLICAS."),
];

/// The row of the node with this id, which must be 40 lower-case digits. redis: clusterLookupNode @7.0.15
fn lookup_node(bus: &Bus, cx: &Cx<'_>, word: &[u8]) -> Option<RowIdx> {
    let name = NodeName::from_hex(std::str::from_utf8(word).ok()?)?;
    bus.find(cx.names.find_node(name)?)
}
