//! SENTINEL SET, SENTINEL CONFIG and SENTINEL DEBUG: settings while it runs.

use std::sync::Arc;

use super::instances::named;
use super::{Reply, Words, integer, refuse, text};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::sentinel::state::{GroupId, Ms};
use crate::redis::sentinel::{Periods, Sentinel};
use crate::resp::{Value, glob_match};
use crate::trace::ConnId;
use crate::trace::sentinel::{Detail, Kind};

const SCRIPTS_DENIED: &str = "Reconfiguration of scripts path is denied for security reasons. Check the \
                              deny-scripts-reconfig configuration directive in your Sentinel configuration";

/// SENTINEL SET name option value [option value...]. Options count one by one: one that is refused does
/// not undo those before it.
///
/// redis: sentinelSetCommand @7.0.15
pub fn set(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let g = match named(s, words) {
        Ok(g) => g,
        Err(refusal) => return refusal,
    };
    let me = s.groups[g].me;
    let mut rest = &words[3..];
    let mut changes = 0;
    while let Some((option, more)) = rest.split_first() {
        let name = text(option);
        let taken = match set_one(s, cx, g, &name, more) {
            Ok(taken) => taken,
            Err(why) => {
                if changes > 0 {
                    s.flush(cx);
                }
                return refuse(why);
            }
        };
        changes += 1;
        let secret = name.eq_ignore_ascii_case("auth-pass");
        let shown: Vec<String> = match secret {
            true => vec!["******".into()],
            false => more[..taken].iter().map(|w| text(w)).collect(),
        };
        let shown: Arc<str> = format!("{name} {}", shown.join(" ")).into();
        s.event(cx, Kind::Set, Some(me), Detail::Words(shown));
        rest = &more[taken..];
    }
    s.flush(cx);
    Some(Value::ok())
}

/// Sets one option; how many words its value took.
fn set_one(
    s: &mut Sentinel,
    cx: &mut Cx<'_>,
    g: GroupId,
    option: &str,
    values: &[Bytes],
) -> Result<usize, String> {
    let unknown = || format!("Unknown option or number of arguments for SENTINEL SET '{option}'");
    let value = values.first().ok_or_else(unknown)?;
    let bad = |word: &[u8]| format!("Invalid argument '{}' for SENTINEL SET '{option}'", text(word));
    let number = |least: i64| integer(value).filter(|&n| n >= least).ok_or_else(|| bad(value));
    let some = || Some(text(value)).filter(|t| !t.is_empty()).map(Arc::from);
    let me = s.groups[g].me;
    match option.to_ascii_lowercase().as_str() {
        "down-after-milliseconds" => {
            s.instances[me].down_after = number(1)?;
            s.propagate_down_after(g);
        }
        "failover-timeout" => s.groups[g].failover_timeout = number(1)?,
        "parallel-syncs" => s.groups[g].parallel_syncs = number(1)?,
        "quorum" => s.groups[g].quorum = number(1)?,
        "master-reboot-down-after-period" => s.groups[g].reboot_down_after = number(0)?,
        "notification-script" | "client-reconfig-script" if s.deny_scripts_reconfig => {
            return Err(SCRIPTS_DENIED.into());
        }
        "notification-script" => s.groups[g].notification_script = some(),
        "client-reconfig-script" => s.groups[g].client_reconfig_script = some(),
        "auth-pass" => {
            s.groups[g].auth_pass = some();
            s.drop_connections(cx, g);
        }
        "auth-user" => {
            s.groups[g].auth_user = some();
            s.drop_connections(cx, g);
        }
        "rename-command" => {
            let [old, new, ..] = values else { return Err(unknown()) };
            if old.is_empty() || new.is_empty() {
                return Err(bad(if new.is_empty() { new } else { old }));
            }
            let (old, new) = (text(old), text(new));
            let renamed = &mut s.groups[g].renamed;
            renamed.retain(|(o, _)| !o.eq_ignore_ascii_case(&old));
            if !old.eq_ignore_ascii_case(&new) {
                renamed.push((old, new));
            }
            s.hello_version += 1;
            return Ok(2);
        }
        _ => return Err(unknown()),
    }
    Ok(1)
}

/// SENTINEL CONFIG GET glob, SENTINEL CONFIG SET option value
///
/// redis: sentinelConfigSetCommand, sentinelConfigGetCommand @7.0.15
pub fn config(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    match (text(&words[2]).to_ascii_lowercase().as_str(), words.len()) {
        ("set", 5) => config_set(s, cx, &text(&words[3]), &words[4]),
        ("get", 4) => config_get(s, &words[3]),
        _ => refuse("Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported."),
    }
}

fn config_set(s: &mut Sentinel, cx: &mut Cx<'_>, option: &str, value: &[u8]) -> Reply {
    let shown = text(value);
    let bad = || refuse(format!("Invalid value '{shown}' to SENTINEL CONFIG SET '{option}'"));
    let yes_no = match shown.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let some = Some(shown.as_str()).filter(|t| !t.is_empty()).map(Arc::from);
    let mut drop = false;
    match (option.to_ascii_lowercase().as_str(), yes_no) {
        ("resolve-hostnames", Some(on)) => s.resolve_hostnames = on,
        ("announce-hostnames", Some(on)) => s.announce_hostnames = on,
        ("resolve-hostnames" | "announce-hostnames", None) => return bad(),
        // An empty address is announced as such.
        ("announce-ip", _) => s.announce_ip = Some(shown.as_str().into()),
        ("announce-port", _) => match integer(value).filter(|port| (0..=65_535).contains(port)) {
            Some(port) => s.announce_port = port,
            None => return bad(),
        },
        ("sentinel-user", _) => (s.sentinel_user, drop) = (some, true),
        ("sentinel-pass", _) => (s.sentinel_pass, drop) = (some, true),
        _ => return refuse(format!("Invalid argument '{option}' to SENTINEL CONFIG SET")),
    }
    s.hello_version += 1;
    s.flush(cx);
    if drop {
        s.drop_peer_connections(cx);
    }
    Some(Value::ok())
}

fn config_get(s: &Sentinel, pattern: &[u8]) -> Reply {
    let yes_no = |on: bool| if on { "yes" } else { "no" }.to_string();
    let some = |value: &Option<Arc<str>>| value.as_deref().unwrap_or("").to_string();
    let all = [
        ("resolve-hostnames", yes_no(s.resolve_hostnames)),
        ("announce-hostnames", yes_no(s.announce_hostnames)),
        ("announce-ip", some(&s.announce_ip)),
        ("announce-port", s.announce_port.to_string()),
        ("sentinel-user", some(&s.sentinel_user)),
        ("sentinel-pass", some(&s.sentinel_pass)),
    ];
    let found = all.into_iter().filter(|(name, _)| glob_match(pattern, name.as_bytes(), true));
    Some(Value::Map(found.map(|(name, value)| (Value::bulk(name), Value::bulk(value))).collect()))
}

/// A time that SENTINEL DEBUG knows.
type Period = (&'static str, fn(&mut Periods) -> &mut Ms);

/// In the order in which SENTINEL DEBUG lists them.
///
/// redis: addReplySentinelDebugInfo @7.0.15
const PERIODS: [Period; 13] = [
    ("info-period", |p| &mut p.info),
    ("ping-period", |p| &mut p.ping),
    ("ask-period", |p| &mut p.ask),
    ("publish-period", |p| &mut p.publish),
    ("default-down-after", |p| &mut p.default_down_after),
    ("default-failover-timeout", |p| &mut p.default_failover_timeout),
    ("tilt-trigger", |p| &mut p.tilt_trigger),
    ("tilt-period", |p| &mut p.tilt),
    ("slave-reconf-timeout", |p| &mut p.slave_reconf_timeout),
    ("min-link-reconnect-period", |p| &mut p.min_link_reconnect),
    ("election-timeout", |p| &mut p.election_timeout),
    ("script-max-runtime", |p| &mut p.script_max_runtime),
    ("script-retry-delay", |p| &mut p.script_retry_delay),
];

/// SENTINEL DEBUG [name ms...]
///
/// redis: sentinelSetDebugConfigParameters @7.0.15
pub fn debug(s: &mut Sentinel, _: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    if words.len() == 2 {
        let show = |&(name, field): &Period| {
            let value = *field(&mut s.periods.clone());
            (Value::bulk(name.to_uppercase()), Value::bulk(value.to_string()))
        };
        return Some(Value::Map(PERIODS.iter().map(show).collect()));
    }
    for pair in words[2..].chunks(2) {
        let option = text(&pair[0]);
        let found = PERIODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&option));
        let (Some((_, field)), Some(value)) = (found, pair.get(1)) else {
            return refuse(format!("Unknown option or number of arguments for SENTINEL DEBUG '{option}'"));
        };
        match integer(value).filter(|&ms| ms > 0) {
            Some(ms) => *field(&mut s.periods) = ms,
            None => {
                return refuse(format!("Invalid argument '{}' for SENTINEL DEBUG '{option}'", text(value)));
            }
        }
    }
    Some(Value::ok())
}
