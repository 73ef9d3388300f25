//! INFO and ROLE.

use super::super::Server;
use super::super::command::{Caller, Reply};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// redis: server.c infoCommand, genRedisInfoString @7.0.15
pub fn run(s: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    let role = if s.repl.is_replica() { "slave" } else { "master" };
    Some(Value::text(format!(
        "# Replication\r\nrole:{role}\r\n\r\n# Cluster\r\ncluster_enabled:{}\r\n",
        u8::from(s.cluster_enabled)
    )))
}

/// redis: replication.c roleCommand @7.0.15
pub fn role(_: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    None
}
