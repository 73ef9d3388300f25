//! CONFIG.

use std::sync::Arc;

use super::super::Server;
use super::super::command::{Caller, Reply};
use crate::params::SetContext;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// redis: config.c configGetCommand, configSetCommand @7.0.15
pub fn run(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(match args[1].to_ascii_lowercase().as_slice() {
        b"get" if args.len() > 2 => {
            let patterns: Vec<String> =
                args[2..].iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect();
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let pairs = s.conf.config_get(&patterns);
            Value::Map(pairs.into_iter().map(|(k, v)| (Value::text(k), Value::text(v))).collect())
        }
        b"set" if args.len() > 3 => {
            let mut conf = (*s.conf).clone();
            match conf.config_set(&args[2..], SetContext { loading: s.loading, local_client: true }) {
                Ok(_) => {
                    s.conf = Arc::new(conf);
                    s.reconfigured(cx);
                    Value::ok()
                }
                Err(e) => Value::error(e.reply()),
            }
        }
        _ => {
            let shown = String::from_utf8_lossy(&args[1]).into_owned();
            Value::error(format!("ERR unknown subcommand '{shown}'. Try CONFIG HELP."))
        }
    })
}
