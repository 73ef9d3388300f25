//! CLUSTER subcommands that show the cluster as this node sees it.

use super::super::super::Server;
use super::super::super::command::{Caller, Reply};
use super::super::{refuse, shown};
use super::lookup_node;
use crate::params::EndpointType;
use crate::redis::bus::packet::kind;
use crate::redis::bus::view::{ME, Row, RowIdx, flag};
use crate::redis::bus::{Bus, Host};
use crate::redis::repl::stream::Command;
use crate::redis::{Cx, registry::Endpoint};
use crate::resp::Value;

/// CLUSTER MYID
pub fn myid(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    s.with_bus(cx, |bus, cx, _| Value::bulk(cx.names.node_name(bus.me().id).to_string()))
}

/// CLUSTER NODES
///
/// redis: clusterGenNodesDescription @7.0.15
pub fn nodes(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    s.with_bus(cx, |bus, cx, _| {
        Value::text(bus.dict.order().iter().map(|&r| node_line(bus, cx, r) + "\n").collect::<String>())
    })
}

/// redis: clusterGenNodeDescription @7.0.15
fn node_line(bus: &Bus, cx: &Cx<'_>, r: RowIdx) -> String {
    let open = bus.row(r).is(flag::MYSELF).then(|| bus.open_slots());
    bus.line(r).text(cx.names, open.as_ref().map(|(to, from)| (&to[..], &from[..])))
}

/// CLUSTER REPLICAS id, CLUSTER SLAVES id
pub fn replicas(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    s.with_bus(cx, |bus, cx, _| match lookup_node(bus, cx, &args[2]) {
        None => refuse(format!("Unknown node {}", shown(&args[2]))),
        Some(r) if bus.row(r).is(flag::SLAVE) => refuse("The specified node is not a master"),
        Some(r) => {
            let replicas = bus.replicas_as_attached(r).into_iter();
            Some(Value::bulks(replicas.map(|s| node_line(bus, cx, s))))
        }
    })?
}

/// CLUSTER COUNT-FAILURE-REPORTS id
pub fn count_failure_reports(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    s.with_bus(cx, |bus, cx, _| match lookup_node(bus, cx, &args[2]) {
        None => refuse(format!("Unknown node {}", shown(&args[2]))),
        Some(r) => Some(Value::Int(bus.failure_reports(cx, r).into())),
    })?
}

/// CLUSTER INFO
pub fn info(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    s.with_bus(cx, |bus, _, _| Value::text(info_text(bus)))
}

/// The text of CLUSTER INFO.
pub fn info_text(bus: &Bus) -> String {
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
    // Send buffers are not modelled, so none exceeds its limit.
    out.push_str("total_cluster_links_buffer_limit_exceeded:0\r\n");
    out
}

/// What a reply says of a node's address.
struct Shown<'a> {
    row: &'a Row,
    at: Endpoint,
    prefer: EndpointType,
}

impl Shown<'_> {
    fn ip(&self) -> Value {
        Value::bulk(self.at.ip.map_or(String::new(), |ip| ip.to_string()))
    }
    fn hostname(&self) -> Option<Value> {
        self.row.rare().hostname.as_deref().map(Value::bulk)
    }
    /// redis: getPreferredEndpoint @7.0.15; CLUSTER SLOTS has nil for an unknown one.
    fn endpoint(&self, unknown: Value) -> Value {
        match self.prefer {
            EndpointType::Ip => self.ip(),
            EndpointType::Hostname => self.hostname().unwrap_or(Value::bulk("?")),
            EndpointType::UnknownEndpoint => unknown,
        }
    }
}

/// A question to the bus, with all that its answer needs.
struct View<'a, 'b> {
    bus: &'a Bus,
    cx: &'a Cx<'b>,
    host: &'a Host,
    prefer: EndpointType,
}

impl View<'_, '_> {
    fn shown(&self, r: RowIdx) -> Shown<'_> {
        let row = self.bus.row(r);
        Shown { row, at: self.cx.names.endpoint_of(row.endpoint), prefer: self.prefer }
    }
    fn id(&self, r: RowIdx) -> Value {
        Value::bulk(self.cx.names.node_name(self.bus.row(r).id).to_string())
    }
    /// Mine is known first hand. redis: replicationGetSlaveOffset @7.0.15
    fn offset(&self, r: RowIdx) -> i64 {
        let replica = self.bus.row(r).is(flag::SLAVE);
        match (r, replica) {
            (ME, true) if !self.host.has_masterhost => 0,
            (ME, _) => self.host.repl_offset,
            _ => self.bus.row(r).repl_offset,
        }
    }
    /// redis: isReplicaAvailable @7.0.15
    fn is_available(&self, r: RowIdx) -> bool {
        !self.bus.row(r).failed() && self.offset(r) != 0
    }

    /// redis: addNodeToNodeReply @7.0.15
    fn slots_node(&self, r: RowIdx) -> Value {
        let shown = self.shown(r);
        let mut others = Vec::new();
        if self.prefer != EndpointType::Ip {
            others.push((Value::bulk("ip"), shown.ip()));
        }
        if let (true, Some(name)) = (self.prefer != EndpointType::Hostname, shown.hostname()) {
            others.push((Value::bulk("hostname"), name));
        }
        let port = Value::Int(shown.at.port.into());
        Value::Array(vec![shown.endpoint(Value::Nil), port, self.id(r), Value::Map(others)])
    }

    /// redis: addNodeDetailsToShardReply @7.0.15
    fn shard_node(&self, r: RowIdx) -> Value {
        let shown = self.shown(r);
        let row = shown.row;
        let replica = row.is(flag::SLAVE);
        let health = match self.offset(r) {
            _ if row.failed() => "fail",
            0 if replica => "loading",
            _ => "online",
        };
        let mut fields = vec![("id", self.id(r))];
        if shown.at.port != 0 {
            fields.push(("port", Value::Int(shown.at.port.into())));
        }
        fields.push(("ip", shown.ip()));
        fields.push(("endpoint", shown.endpoint(Value::bulk(""))));
        fields.extend(shown.hostname().map(|name| ("hostname", name)));
        fields.push(("role", Value::bulk(if replica { "replica" } else { "master" })));
        fields.push(("replication-offset", Value::Int(self.offset(r))));
        fields.push(("health", Value::bulk(health)));
        map(fields)
    }
}

fn map(fields: Vec<(&str, Value)>) -> Value {
    Value::Map(fields.into_iter().map(|(name, value)| (Value::bulk(name), value)).collect())
}

fn look<T>(s: &mut Server, cx: &mut Cx<'_>, f: impl FnOnce(&View<'_, '_>) -> T) -> Option<T> {
    let prefer = s.conf.cluster_preferred_endpoint_type;
    s.with_bus(cx, |bus, cx, host| f(&View { bus, cx, host, prefer }))
}

/// CLUSTER SLOTS
///
/// redis: clusterReplyMultiBulkSlots @7.0.15
pub fn slots(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    look(s, cx, |v| {
        let owned = v.bus.owners.runs().filter_map(|(run, owner)| Some((run, v.bus.find(owner?)?)));
        let rows = owned.map(|(run, r)| {
            let bounds = [Value::Int((*run.start()).into()), Value::Int((*run.end()).into())];
            let replicas = v.bus.replicas_as_attached(r).into_iter().filter(|&s| v.is_available(s));
            let nodes = std::iter::once(r).chain(replicas).map(|n| v.slots_node(n));
            Value::Array(bounds.into_iter().chain(nodes).collect())
        });
        Value::Array(rows.collect())
    })
}

/// CLUSTER SHARDS
///
/// redis: clusterReplyShards @7.0.15
pub fn shards(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    look(s, cx, |v| {
        let order = v.bus.dict.order().iter().copied();
        let shards = order.filter(|&r| v.bus.row(r).is_master()).map(|r| {
            let ranges = v.cx.names.slots(v.bus.row(r).slots).ranges();
            let bounds = ranges.iter().flat_map(|range| [*range.start(), *range.end()]);
            let nodes = std::iter::once(r).chain(v.bus.replicas_as_attached(r));
            let nodes = nodes.map(|n| v.shard_node(n)).collect();
            let slots = bounds.map(|slot| Value::Int(slot.into())).collect();
            map(vec![("slots", Value::Array(slots)), ("nodes", Value::Array(nodes))])
        });
        Value::Array(shards.collect())
    })
}

/// CLUSTER LINKS
///
/// redis: addReplyClusterLinkDescription @7.0.15
/// deviates: send buffers are always empty; a link to me counts from its first packet.
pub fn links(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    s.with_bus(cx, |bus, cx, _| {
        let mut out = Vec::new();
        for row in bus.in_order() {
            let mut link = |direction, ctime: u64, readable: bool| {
                out.push(map(vec![
                    ("direction", Value::bulk(direction)),
                    ("node", Value::bulk(cx.names.node_name(row.id).to_string())),
                    ("create-time", Value::Int(ctime as i64)),
                    ("events", Value::bulk(if readable { "r" } else { "" })),
                    ("send-buffer-allocated", Value::Int(0)),
                    ("send-buffer-used", Value::Int(0)),
                ]));
            };
            if row.link.is_some() {
                link("to", row.link_ctime, row.link_up);
            }
            if row.inbound.is_some() {
                link("from", row.inbound_ctime, true);
            }
        }
        Value::Array(out)
    })
}
