//! CONFIG.

use std::sync::Arc;

use super::super::Server;
use super::super::command::{Caller, Reply, Spec, prop::*, sub};
use super::super::stats::Stats;
use super::help;
use crate::base::Dur;
use crate::params::{ReplicaOf, SetContext};
use crate::redis::repl::stream::Command;
use crate::redis::{Cx, DiskWrite};
use crate::resp::Value;
use crate::trace::Fact;

const ANY: u16 = ADMIN | STALE | LOADING;

/// In the order of CONFIG HELP. redis: configHelpCommand @7.0.15
#[rustfmt::skip]
pub const SUBS: &[Spec] = &[
    sub("get", -3, ANY, get, "GET <pattern>",
        "Return parameters matching the glob-like <pattern> and their values."),
    sub("set", -4, ANY, set, "SET <directive> <value>",
        "Set the configuration <directive> to <value>."),
    sub("resetstat", 2, ANY, resetstat, "RESETSTAT",
        "Reset statistics reported by the INFO command."),
    sub("rewrite", 2, ANY, rewrite, "REWRITE",
        "Rewrite the configuration file."),
    sub("help", 2, STALE | LOADING, help, "HELP",
        "Prints this help."),
];

/// CONFIG GET pattern...
pub fn get(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let pairs = s.conf.config_get(&args[2..]);
    Some(Value::Map(pairs.into_iter().map(|(k, v)| (Value::bulk(k), Value::bulk(v))).collect()))
}

/// CONFIG SET name value...
pub fn set(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let mut conf = (*s.conf).clone();
    let context = SetContext { loading: s.loading, local_client: s.is_local(caller.conn) };
    Some(match conf.config_set(&args[2..], context) {
        Ok(changed) => {
            s.conf = Arc::new(conf);
            if !changed.is_empty() {
                s.reconfigured(cx);
                s.repl.resize_backlog(s.conf.repl_backlog_size);
                s.switch_aof(cx);
                s.count_good_replicas(cx.now.unix());
            }
            Value::ok()
        }
        Err(e) => Value::error(e.reply()),
    })
}

/// CONFIG RESETSTAT
///
/// redis: resetServerStats @7.0.15
pub fn resetstat(s: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    s.stats = Stats::default();
    s.persist.forks = 0;
    s.persist.last_fork = Dur::ZERO;
    s.repl.sync_full = 0;
    s.repl.sync_partial_ok = 0;
    s.repl.sync_partial_err = 0;
    Some(Value::ok())
}

/// CONFIG REWRITE: the next life of the process starts with the present configuration.
///
/// redis: configRewriteCommand @7.0.15
/// deviates: every server of the model has a configuration file.
pub fn rewrite(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    let mut conf = (*s.conf).clone();
    // Whom it follows now, whatever the file said. redis: rewriteConfigReplicaOfOption @7.0.15
    conf.replicaof = s.repl.masterhost.map(|m| ReplicaOf { host: m.ip.to_string(), port: m.port });
    s.conf = Arc::new(conf);
    cx.persist(DiskWrite::Conf(s.conf.clone()));
    cx.emit(Fact::ConfigRewritten);
    Some(Value::ok())
}
