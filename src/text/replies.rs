//! The replies of CLUSTER SLOTS, SHARDS and LINKS as plain data.
//!
//! Every item must be understood: one that is missing, left over or of another type is a mistake.

use super::nodes::NodeName;
use crate::resp::Value;
use crate::slot::SLOTS;

/// One range of CLUSTER SLOTS: the master first, then its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotsRow {
    pub first: u16,
    pub last: u16,
    pub nodes: Vec<Endpoint>,
}

/// How CLUSTER SLOTS names a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The preferred endpoint: ip, hostname or `?`; none when it is unknown.
    pub endpoint: Option<String>,
    pub port: u16,
    pub name: NodeName,
    /// Other endpoints by kind: `ip`, `hostname`.
    pub others: Vec<(String, String)>,
}

/// One shard of CLUSTER SHARDS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Inclusive ranges.
    pub slots: Vec<(u16, u16)>,
    pub nodes: Vec<ShardNode>,
}

/// A node of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardNode {
    pub name: NodeName,
    pub port: Option<u16>,
    pub tls_port: Option<u16>,
    pub ip: String,
    /// None when the endpoint is unknown.
    pub endpoint: Option<String>,
    pub hostname: Option<String>,
    /// `master`; otherwise `replica`.
    pub is_master: bool,
    pub replication_offset: i64,
    /// `online`, `fail` or `loading`.
    pub health: String,
}

/// One link of CLUSTER LINKS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// Direction `to`: this node opened it; otherwise `from`.
    pub to: bool,
    pub node: NodeName,
    /// Milliseconds of Unix time.
    pub create_time: i64,
    /// `r`, `w` or `rw`.
    pub events: String,
    pub send_buffer_allocated: u64,
    pub send_buffer_used: u64,
}

/// What is wrong with a reply, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct ReplyError {
    /// Items on the way, counted from 1 as redis-cli does: `2.nodes.1.port`.
    pub path: String,
    pub why: String,
}

type Read<T> = Result<T, ReplyError>;

/// redis: cluster.c clusterReplyMultiBulkSlots @7.0.15
pub fn parse_slots(reply: &Value) -> Read<Vec<SlotsRow>> {
    each(reply, "", |row, at| {
        let items = array(row, at)?;
        let [first, last, nodes @ ..] = items else { return wrong(at, "fewer than two items") };
        let nodes = nodes.iter().enumerate().map(|(i, node)| endpoint(node, &join(at, i + 3)));
        Ok(SlotsRow {
            first: slot(first, &join(at, 1))?,
            last: slot(last, &join(at, 2))?,
            nodes: nodes.collect::<Read<_>>()?,
        })
    })
}

/// redis: cluster.c clusterReplyShards @7.0.15
pub fn parse_shards(reply: &Value) -> Read<Vec<Shard>> {
    each(reply, "", |row, at| {
        let mut fields = Fields::new(row, at)?;
        let (slots, slots_at) = fields.need("slots")?;
        let bounds = each(slots, &slots_at, slot)?;
        if bounds.len() % 2 == 1 {
            return wrong(&slots_at, "a range without its end");
        }
        let (nodes, nodes_at) = fields.need("nodes")?;
        let nodes = each(nodes, &nodes_at, shard_node)?;
        fields.end()?;
        Ok(Shard { slots: bounds.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(), nodes })
    })
}

/// redis: cluster.c addReplyClusterLinkDescription @7.0.15
pub fn parse_links(reply: &Value) -> Read<Vec<LinkRow>> {
    each(reply, "", |row, at| {
        let mut fields = Fields::new(row, at)?;
        let link = LinkRow {
            to: fields.read("direction", |value, at| match text(value, at)? {
                "to" => Ok(true),
                "from" => Ok(false),
                other => wrong(at, format!("not a direction: '{other}'")),
            })?,
            node: fields.read("node", name)?,
            create_time: fields.read("create-time", int)?,
            events: fields.read("events", owned)?,
            send_buffer_allocated: fields.read("send-buffer-allocated", int)?,
            send_buffer_used: fields.read("send-buffer-used", int)?,
        };
        fields.end()?;
        Ok(link)
    })
}

fn endpoint(value: &Value, at: &str) -> Read<Endpoint> {
    let [endpoint, port, id, others] = array(value, at)? else { return wrong(at, "not four items") };
    let at_others = join(at, 4);
    let Some(others) = others.as_pairs() else { return wrong(&at_others, "not a map") };
    let others =
        others.into_iter().map(|(kind, other)| Ok((owned(kind, &at_others)?, owned(other, &at_others)?)));
    Ok(Endpoint {
        endpoint: optional(endpoint, &join(at, 1))?,
        port: int(port, &join(at, 2))?,
        name: name(id, &join(at, 3))?,
        others: others.collect::<Read<_>>()?,
    })
}

fn shard_node(value: &Value, at: &str) -> Read<ShardNode> {
    let mut fields = Fields::new(value, at)?;
    let node = ShardNode {
        name: fields.read("id", name)?,
        port: fields.maybe("port", int)?,
        tls_port: fields.maybe("tls-port", int)?,
        ip: fields.read("ip", owned)?,
        endpoint: fields.read("endpoint", optional)?,
        hostname: fields.maybe("hostname", owned)?,
        is_master: fields.read("role", |value, at| match text(value, at)? {
            "master" => Ok(true),
            "replica" => Ok(false),
            other => wrong(at, format!("not a role: '{other}'")),
        })?,
        replication_offset: fields.read("replication-offset", int)?,
        health: fields.read("health", |value, at| match text(value, at)? {
            health @ ("online" | "fail" | "loading") => Ok(health.to_string()),
            other => wrong(at, format!("not a health: '{other}'")),
        })?,
    };
    fields.end()?;
    Ok(node)
}

/// The fields of a map, read in any order; none may be left.
struct Fields<'a> {
    at: String,
    pairs: Vec<(&'a Value, &'a Value)>,
}

impl<'a> Fields<'a> {
    fn new(value: &'a Value, at: &str) -> Read<Self> {
        match value.as_pairs() {
            Some(pairs) => Ok(Fields { at: at.into(), pairs }),
            None => wrong(at, "neither a map nor a flat list of pairs"),
        }
    }
    fn take(&mut self, name: &str) -> Option<&'a Value> {
        let place = self.pairs.iter().position(|(key, _)| key.as_str() == Some(name))?;
        Some(self.pairs.remove(place).1)
    }
    fn need(&mut self, name: &str) -> Read<(&'a Value, String)> {
        match self.take(name) {
            Some(value) => Ok((value, join(&self.at, name))),
            None => wrong(&self.at, format!("no field '{name}'")),
        }
    }
    fn read<T>(&mut self, name: &str, read: impl FnOnce(&'a Value, &str) -> Read<T>) -> Read<T> {
        let (value, at) = self.need(name)?;
        read(value, &at)
    }
    fn maybe<T>(&mut self, name: &str, read: impl FnOnce(&'a Value, &str) -> Read<T>) -> Read<Option<T>> {
        let at = join(&self.at, name);
        self.take(name).map(|value| read(value, &at)).transpose()
    }
    fn end(self) -> Read<()> {
        match self.pairs.first() {
            None => Ok(()),
            Some((key, _)) => wrong(&self.at, format!("unknown field {key}")),
        }
    }
}

fn each<'a, T>(value: &'a Value, at: &str, read: impl Fn(&'a Value, &str) -> Read<T>) -> Read<Vec<T>> {
    array(value, at)?.iter().enumerate().map(|(i, item)| read(item, &join(at, i + 1))).collect()
}

fn array<'a>(value: &'a Value, at: &str) -> Read<&'a [Value]> {
    value.as_array().map_or_else(|| wrong(at, "not an array"), Ok)
}

fn slot(value: &Value, at: &str) -> Read<u16> {
    match int(value, at)? {
        slot if slot < SLOTS => Ok(slot),
        slot => wrong(at, format!("not a slot: {slot}")),
    }
}

fn int<T: TryFrom<i64>>(value: &Value, at: &str) -> Read<T> {
    let number = value.as_int().and_then(|number| T::try_from(number).ok());
    number.map_or_else(|| wrong(at, "not an integer in range"), Ok)
}

fn name(value: &Value, at: &str) -> Read<NodeName> {
    NodeName::new(text(value, at)?).map_or_else(|| wrong(at, "not a node name"), Ok)
}

fn text<'a>(value: &'a Value, at: &str) -> Read<&'a str> {
    match value {
        Value::Bulk(_) | Value::Status(_) => value.as_str().map_or_else(|| wrong(at, "not UTF-8"), Ok),
        _ => wrong(at, "not a string"),
    }
}

fn owned(value: &Value, at: &str) -> Read<String> {
    text(value, at).map(str::to_string)
}

fn optional(value: &Value, at: &str) -> Read<Option<String>> {
    if *value == Value::Nil { Ok(None) } else { owned(value, at).map(Some) }
}

fn join(at: &str, next: impl std::fmt::Display) -> String {
    if at.is_empty() { next.to_string() } else { format!("{at}.{next}") }
}

fn wrong<T>(at: &str, why: impl Into<String>) -> Read<T> {
    let path = if at.is_empty() { "reply" } else { at };
    Err(ReplyError { path: path.into(), why: why.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{parse_cli, parse_cluster_info, parse_info, parse_nodes};

    const A: &str = "f18cb48f07e47f7e84157e6cfb34f2f2d713c63f";

    #[test]
    fn mistakes_name_the_item() {
        let row = Value::Array(vec![Value::Int(0), Value::Int(16384)]);
        assert_eq!(parse_slots(&Value::Array(vec![row])).unwrap_err().to_string(), "1.2: not a slot: 16384");
        let link = Value::Map(vec![(Value::bulk("direction"), Value::bulk("up"))]);
        assert_eq!(parse_links(&Value::Array(vec![link])).unwrap_err().path, "1.direction");
        assert!(parse_shards(&Value::Nil).is_err());
        let node = Value::Array(vec![Value::Nil, Value::Int(7000), Value::bulk(A), Value::Map(vec![])]);
        let rows =
            parse_slots(&Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(9), node])])).unwrap();
        assert_eq!((rows[0].last, &rows[0].nodes[0].endpoint), (9, &None));
    }

    /// Every field and line of what a real cluster printed.
    #[test]
    fn texts_of_a_real_cluster_are_read_whole() {
        let mut seen = [0; 6];
        for file in ["six_nodes_before.txt", "six_nodes_after_failover.txt"] {
            let path = format!("{}/tests/fixtures/real/{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            for section in text.split("##### ").skip(1) {
                let (title, body) = section.split_once('\n').unwrap();
                let body = body.trim_end_matches('\n');
                let cli = || {
                    let value = parse_cli(body).unwrap_or_else(|e| panic!("{title}: {e}"));
                    assert_eq!(value.to_string(), body, "{title}");
                    value
                };
                let command = title.split_once("> ").map_or("", |(_, command)| command);
                let place = match command {
                    "CLUSTER NODES" => {
                        let nodes = parse_nodes(body).unwrap();
                        assert_eq!(nodes.to_string().trim_end(), body);
                        assert_eq!((nodes.nodes.len(), nodes.check_loadable()), (6, Ok(())));
                        0
                    }
                    "CLUSTER INFO" => {
                        let info = parse_cluster_info(body).unwrap();
                        assert_eq!((info.known_nodes, info.slots_assigned), (6, SLOTS.into()));
                        1
                    }
                    "INFO replication" => {
                        let sections = parse_info(body).unwrap();
                        assert_eq!((sections.len(), sections[0].title.as_str()), (1, "Replication"));
                        assert_eq!(sections[0].fields.len(), body.lines().count() - 1);
                        2
                    }
                    "CLUSTER SLOTS" => {
                        let rows = parse_slots(&cli()).unwrap();
                        assert_eq!(rows.iter().map(|row| row.last - row.first + 1).sum::<u16>(), SLOTS);
                        3
                    }
                    "CLUSTER SHARDS" => {
                        let shards = parse_shards(&cli()).unwrap();
                        assert_eq!(shards.iter().map(|shard| shard.nodes.len()).sum::<usize>(), 6);
                        4
                    }
                    "CLUSTER LINKS" => {
                        assert!(!parse_links(&cli()).unwrap().is_empty());
                        5
                    }
                    other => panic!("unknown section '{other}' of '{title}'"),
                };
                seen[place] += 1;
            }
        }
        assert!(seen.iter().all(|&count| count >= 4), "{seen:?}");
    }
}
