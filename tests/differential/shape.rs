//! Replies as far as two clusters can be compared: node ids and ports by the roles of their nodes, without
//! times and offsets.

use slotscope::resp::Value;
use slotscope::text::{
    InfoSection, NodeFlags, NodeLine, NodesText, OpenSlot, parse_cluster_info, parse_info, parse_links,
    parse_nodes, parse_shards, parse_slots, subfields,
};

/// What one side calls the nodes, and how epochs are shown.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Role, id, port.
    pub nodes: Vec<(String, String, u16)>,
    pub epochs: Epochs,
}

/// How far epochs can be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epochs {
    /// Before the first of them depends on chance: number by number.
    #[default]
    Exact,
    /// By what must hold of them: which are zero, that no two masters share one, that a replica shows its
    /// master's, that nobody is ahead of currentEpoch.
    ByStructure,
}

impl Names {
    /// A text with roles for ids and ports.
    pub fn plain(&self, text: &str) -> String {
        self.nodes.iter().fold(text.to_string(), |text, (role, id, port)| {
            text.replace(id, &format!("<{role}>"))
                .replace(&(port + 10_000).to_string(), &format!("<{role} bus>"))
                .replace(&port.to_string(), &format!("<{role} port>"))
        })
    }

    /// The id of the node in a role.
    pub fn id(&self, role: &str) -> &str {
        &self.nodes.iter().find(|(r, ..)| r == role).expect("a role").1
    }

    fn role(&self, id: &str) -> String {
        let found = self.nodes.iter().find(|(_, other, _)| other == id);
        found.map_or_else(|| format!("unknown {id}"), |(role, ..)| role.clone())
    }

    fn port(&self, port: u16) -> String {
        let found = self.nodes.iter().find(|(.., other)| *other == port);
        found.map_or_else(|| port.to_string(), |(role, ..)| format!("<{role} port>"))
    }

    /// A reply with roles for ids and ports, errors byte for byte otherwise.
    pub fn value(&self, value: &Value) -> String {
        self.plain(&show(value))
    }
}

/// A reply with its types, strings as texts.
fn show(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(show).collect::<Vec<_>>().join(", ");
    match value {
        Value::Bulk(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Value::Verbatim { text, .. } => format!("text {:?}", String::from_utf8_lossy(text)),
        Value::Array(items) => format!("[{}]", list(items)),
        Value::Set(items) => format!("set [{}]", list(items)),
        Value::Map(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{}: {}", show(k), show(v))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value:?}"))
}

/// The configEpoch of a row among all rows, for a reader.
fn epoch(names: &Names, nodes: &[NodeLine], row: &NodeLine) -> String {
    if names.epochs == Epochs::Exact {
        return row.epoch.to_string();
    }
    let owner = row.master.and_then(|m| nodes.iter().find(|n| n.name == m));
    let what = match owner {
        _ if row.epoch == 0 => "none",
        Some(master) if master.epoch == row.epoch => "its master's",
        Some(_) => "not its master's",
        None => {
            let others = nodes.iter().filter(|n| n.name != row.name && n.master.is_none());
            if others.map(|n| n.epoch).any(|e| e == row.epoch) { "shared" } else { "its own" }
        }
    };
    what.to_string()
}

/// CLUSTER BUMPEPOCH: whether there was a need.
pub fn bump(names: &Names, value: &Value) -> String {
    match (text(value).split_once(' '), names.epochs) {
        (Some((what, epoch)), Epochs::ByStructure) => {
            format!("{what} {}", if epoch.parse::<u64>().is_ok_and(|e| e > 0) { "N" } else { epoch })
        }
        _ => text(value).to_string(),
    }
}

/// CLUSTER NODES, or a list of its lines.
pub fn nodes(names: &Names, value: &Value) -> String {
    let read = match value.as_array() {
        None => parse_nodes(text(value)),
        Some(rows) => parse_nodes(rows.iter().map(|row| text(row).to_string() + "\n").collect::<String>()),
    };
    let NodesText { nodes, vars } = read.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(vars, None);
    let mut lines: Vec<String> = nodes
        .iter()
        .map(|n| {
            let open: Vec<String> = n
                .open
                .iter()
                .map(|o| match o {
                    OpenSlot::Migrating(slot, to) => format!("{slot}>{}", names.role(to.as_str())),
                    OpenSlot::Importing(slot, from) => format!("{slot}<{}", names.role(from.as_str())),
                })
                .collect();
            format!(
                "{} {}:{}@{} '{}' {} master {} epoch {} connected {} slots {:?} open {open:?}",
                names.role(n.name.as_str()),
                n.ip,
                names.port(n.port),
                names.plain(&n.cport.to_string()),
                n.hostname,
                n.flags,
                n.master.map_or("-".into(), |m| names.role(m.as_str())),
                epoch(names, &nodes, n),
                // A link to a dead node comes and goes.
                if n.flags.has(NodeFlags::FAIL) {
                    "sometimes"
                } else if n.connected {
                    "yes"
                } else {
                    "no"
                },
                n.slots,
            )
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

/// CLUSTER INFO, without what was said on the bus.
pub fn cluster_info(names: &Names, value: &Value) -> String {
    let mut info = parse_cluster_info(text(value)).unwrap_or_else(|e| panic!("{e}"));
    info.sent.clear();
    info.received.clear();
    info.messages_sent = 0;
    info.messages_received = 0;
    if names.epochs == Epochs::ByStructure {
        // The numbers differ; which are zero, and that nobody is ahead of the cluster, does not.
        assert!(info.my_epoch <= info.current_epoch, "{info:?}");
        info.my_epoch = info.my_epoch.min(1);
        info.current_epoch = info.current_epoch.min(1);
    }
    format!("{info:?}")
}

/// CLUSTER SLOTS: all of it.
pub fn slots(names: &Names, value: &Value) -> String {
    let rows = parse_slots(value).unwrap_or_else(|e| panic!("{e}"));
    names.plain(&format!("{rows:?}"))
}

/// CLUSTER SHARDS, by first slot, without offsets.
pub fn shards(names: &Names, value: &Value) -> String {
    let mut shards = parse_shards(value).unwrap_or_else(|e| panic!("{e}"));
    shards.iter_mut().flat_map(|s| &mut s.nodes).for_each(|n| n.replication_offset = 0);
    shards.sort_by(|a, b| (&a.slots, a.nodes.len()).cmp(&(&b.slots, b.nodes.len())));
    names.plain(&format!("{shards:?}"))
}

/// CLUSTER LINKS: which way, and to whom.
pub fn links(names: &Names, value: &Value) -> String {
    let links = parse_links(value).unwrap_or_else(|e| panic!("{e}"));
    let mut rows: Vec<String> =
        links.iter().map(|l| format!("{} {} {}", l.to, names.role(l.node.as_str()), l.events)).collect();
    rows.sort();
    rows.join("\n")
}

/// ROLE, without offsets.
pub fn role(names: &Names, value: &Value) -> String {
    let mut value = value.clone();
    if let Value::Array(items) = &mut value {
        match &mut items[..] {
            [_, offset, Value::Array(replicas)] => {
                *offset = Value::Int(0);
                for replica in replicas {
                    if let Value::Array(fields) = replica {
                        fields.truncate(2);
                    }
                }
            }
            [.., offset] => *offset = Value::Int(0),
            [] => {}
        }
    }
    names.value(&value)
}

/// Fields of INFO whose values belong to a machine, a moment or a history.
const OWN: &[&str] = &[
    "redis_build_id",
    "os",
    "monotonic_clock",
    "gcc_version",
    "process_id",
    "run_id",
    "server_time_usec",
    "uptime_in_seconds",
    "lru_clock",
    "executable",
    "config_file",
    "maxclients",
    "client_recent_max_input_buffer",
    "client_recent_max_output_buffer",
    "rdb_last_save_time",
    "rdb_last_cow_size",
    "rdb_last_bgsave_time_sec",
    "latest_fork_usec",
    "total_connections_received",
    "total_commands_processed",
    "used_memory",
    "used_memory_human",
    "used_memory_overhead",
    "used_memory_dataset",
    "mem_replication_backlog",
    "master_last_io_seconds_ago",
    "slave_read_repl_offset",
    "slave_repl_offset",
    "master_replid",
    "master_repl_offset",
    "repl_backlog_histlen",
];

/// Fields that say whether there is another history, and which.
const HISTORY: &[&str] = &["master_replid2", "second_repl_offset"];

/// Sections of which the simulator writes a part.
const PARTIAL: &[&str] = &["Memory", "Stats"];
/// Sections that it leaves out.
const LEFT_OUT: &[&str] = &["CPU", "Commandstats", "Latencystats"];

/// INFO. Of the partial sections only the fields that the simulator has are kept, in Redis's order.
pub fn info(names: &Names, value: &Value, ours: &Value) -> String {
    let read = |v: &Value| parse_info(text(v)).unwrap_or_else(|e| panic!("{e}"));
    let kept: Vec<InfoSection> = read(ours);
    let known = |title: &str, field: &str| {
        let section = kept.iter().find(|s| s.title == title);
        section.is_some_and(|s| s.get(field).is_some())
    };
    let mut out = String::new();
    for section in read(value).iter().filter(|s| !LEFT_OUT.contains(&s.title.as_str())) {
        out += &format!("# {}\n", section.title);
        for (name, value) in &section.fields {
            if PARTIAL.contains(&section.title.as_str()) && !known(&section.title, name) {
                continue;
            }
            let none = value.bytes().all(|b| b == b'0') || value == "-1";
            let value = if OWN.contains(&name.as_str()) {
                "*".to_string()
            } else if HISTORY.contains(&name.as_str()) {
                if none { "none".to_string() } else { "some".to_string() }
            } else if name.starts_with("slave") && value.starts_with("ip=") {
                let fields = subfields(value).into_iter().map(|(name, value)| match name {
                    "offset" | "lag" => format!("{name}=*"),
                    _ => format!("{name}={value}"),
                });
                names.plain(&fields.collect::<Vec<_>>().join(","))
            } else {
                names.plain(value)
            };
            out += &format!("{name}:{value}\n");
        }
    }
    out
}

/// Directives of CONFIG GET whose values belong to a process or a machine.
const OWN_CONFIG: &[&str] = &["dir", "logfile", "pidfile", "port", "maxclients", "daemonize"];

/// CONFIG GET, by name.
pub fn config(names: &Names, value: &Value) -> String {
    let mut pairs: Vec<(&str, &str)> =
        value.as_pairs().expect("pairs").iter().map(|(k, v)| (text(k), text(v))).collect();
    pairs.sort();
    let line = |(name, value): (&str, &str)| match OWN_CONFIG.contains(&name) {
        true => format!("{name} *"),
        false => format!("{name} {}", names.plain(value)),
    };
    pairs.into_iter().map(line).collect::<Vec<_>>().join("\n")
}
