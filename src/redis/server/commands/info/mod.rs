//! INFO and ROLE. Each section writes its fields in Redis's order.

mod replication;
pub(in crate::redis) mod server;
mod storage;

pub use replication::role;

use std::collections::BTreeSet;
use std::fmt::Write;

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::shown;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// The version of Redis that is modelled.
pub const VERSION: &str = "7.0.15";

/// One section of INFO.
struct Section {
    /// What INFO is asked for.
    name: &'static str,
    title: &'static str,
    write: fn(&Server, &Cx<'_>, &mut Fields),
}

/// In Redis's order.
///
/// redis: genRedisInfoString @7.0.15
/// deviates: no sections cpu and latencystats; server time is not spent on commands.
const SECTIONS: &[Section] = &[
    Section { name: "server", title: "Server", write: server::server },
    Section { name: "clients", title: "Clients", write: server::clients },
    Section { name: "memory", title: "Memory", write: storage::memory },
    Section { name: "persistence", title: "Persistence", write: storage::persistence },
    Section { name: "stats", title: "Stats", write: server::stats },
    Section { name: "replication", title: "Replication", write: replication::replication },
    Section { name: "module_list", title: "Modules", write: |_, _, _| {} },
    Section { name: "commandstats", title: "Commandstats", write: server::commandstats },
    Section { name: "errorstats", title: "Errorstats", write: server::errorstats },
    Section { name: "cluster", title: "Cluster", write: server::cluster },
    Section { name: "keyspace", title: "Keyspace", write: storage::keyspace },
];

/// Lines `name:value` of one section.
#[derive(Default)]
pub(in crate::redis) struct Fields(pub String);

impl Fields {
    #[inline(always)] // nearly all names are literals: their length is known here
    pub fn put(&mut self, name: &str, value: impl Shown) {
        self.0.push_str(name);
        self.0.push(':');
        value.show(&mut self.0);
        self.0.push_str("\r\n");
    }
    fn all<const N: usize>(&mut self, fields: [(&str, u64); N]) {
        fields.iter().for_each(|(name, value)| self.put(name, value));
    }
}

/// What a field can hold. Most are whole numbers, which need no formatter.
pub(in crate::redis) trait Shown {
    fn show(&self, out: &mut String);
}

macro_rules! shown_numbers {
    ($($number:ty)*) => {$(
        impl Shown for $number {
            fn show(&self, out: &mut String) {
                out.push_str(itoa::Buffer::new().format(*self));
            }
        }
    )*};
}
shown_numbers!(u8 u16 u32 u64 usize i32 i64);

impl Shown for str {
    fn show(&self, out: &mut String) {
        out.push_str(self);
    }
}
impl Shown for String {
    fn show(&self, out: &mut String) {
        out.push_str(self);
    }
}
impl Shown for std::fmt::Arguments<'_> {
    fn show(&self, out: &mut String) {
        let _ = out.write_fmt(*self);
    }
}
impl Shown for std::net::Ipv4Addr {
    fn show(&self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}
impl<T: Shown + ?Sized> Shown for &T {
    fn show(&self, out: &mut String) {
        (*self).show(out);
    }
}

/// INFO [section...]
///
/// redis: infoCommand, genInfoSectionDict @7.0.15
pub fn run(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let is_default = |name: &str| name != "commandstats";
    let mut chosen: BTreeSet<String> = BTreeSet::new();
    let mut default = args.len() == 1;
    let mut all = false;
    for word in &args[1..] {
        match shown(word).to_ascii_lowercase() {
            w if w == "default" => default = true,
            w if w == "all" || w == "everything" => all = true,
            w if w == "modules" => chosen.extend(["module_list".to_string()]),
            w => chosen.extend([w]),
        }
    }
    let mut text = Fields(String::with_capacity(4096));
    for section in SECTIONS {
        if !(all || default && is_default(section.name) || chosen.contains(section.name)) {
            continue;
        }
        if !text.0.is_empty() {
            text.0.push_str("\r\n");
        }
        text.0.push_str("# ");
        text.0.push_str(section.title);
        text.0.push_str("\r\n");
        (section.write)(s, cx, &mut text);
    }
    Some(Value::Verbatim { format: *b"txt", text: text.0.into_bytes() })
}
