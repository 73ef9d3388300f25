//! What is sent again and again: INFO, PING and the hello; and what a PING brings back.

use super::Sentinel;
use super::state::{Asked, InstanceId, Ms, flag};
use crate::redis::Cx;
use crate::resp::Value;
use crate::trace::sentinel::Watched;

/// Commands without an answer that a link may have, per user of it.
///
/// redis: SENTINEL_MAX_PENDING_COMMANDS @7.0.15
const MAX_PENDING: i64 = 100;
/// Period of INFO while something happens. redis: sentinelSendPeriodicCommands @7.0.15
const FAST_INFO: Ms = 1000;

impl Sentinel {
    /// redis: sentinelSendPeriodicCommands @7.0.15
    pub(super) fn send_periodic(&mut self, cx: &mut Cx<'_>, x: InstanceId, now: Ms) {
        let instance = &self.instances[x];
        let link = &self.links[instance.link];
        if link.disconnected || link.pending >= MAX_PENDING * i64::from(link.users) {
            return;
        }
        let (kind, last_pub) = (instance.kind, instance.last_pub);
        let ping_period = instance.down_after.min(self.periods.ping);
        let wants_ping = now - link.last_pong > ping_period && now - link.last_ping > ping_period / 2;
        let wants_info = kind != Watched::Sentinel && {
            let urgent = kind == Watched::Slave
                && (instance.slave.master_link_down != 0
                    || self.master(instance.group).is(flag::O_DOWN | flag::FAILOVER_IN_PROGRESS));
            let period = if urgent { FAST_INFO } else { self.periods.info };
            instance.info_refresh == 0 || now - instance.info_refresh > period
        };
        if wants_info {
            let words = match self.mapped(x, "INFO") {
                "INFO" => self.info.clone(),
                other => crate::redis::server::command::request(&[other]),
            };
            self.send_words(cx, x, Asked::Info(x), words);
        }
        if wants_ping {
            self.send_ping(cx, x, now);
        }
        if now - last_pub > self.periods.publish {
            self.send_hello(cx, x);
        }
    }

    /// Sends PING; the clock of a missing answer starts at the first that is not answered.
    ///
    /// redis: sentinelSendPing @7.0.15
    pub(super) fn send_ping(&mut self, cx: &mut Cx<'_>, x: InstanceId, now: Ms) {
        let words = match self.mapped(x, "PING") {
            "PING" => self.ping.clone(),
            other => crate::redis::server::command::request(&[other]),
        };
        self.send_words(cx, x, Asked::Ping(x), words);
        let link = self.link_mut(x);
        let shared = link.users > 1;
        link.last_ping = now;
        if link.act_ping == 0 {
            link.act_ping = now;
        }
        if shared {
            // Those who share the connection wait for the answer too.
            self.upheavals += 1;
        }
    }

    /// An answer to PING. Some errors count as a sign of life, others do not.
    ///
    /// redis: sentinelPingReplyCallback @7.0.15
    pub(super) fn ping_reply(&mut self, cx: &mut Cx<'_>, x: InstanceId, value: &Value, now: Ms) {
        let text = match value {
            Value::Status(text) => text,
            Value::Error(text) => text.as_str(),
            _ => "",
        };
        if text != "PONG" {
            self.upheavals += 1;
        }
        if ["PONG", "LOADING", "MASTERDOWN"].iter().any(|good| text.starts_with(good)) {
            let link = self.link_mut(x);
            link.last_avail = now;
            link.act_ping = 0;
            if text.starts_with("PONG") {
                self.instances[x].flags &= !flag::MASTER_REBOOT;
            }
        } else if text.starts_with("BUSY") {
            let instance = &self.instances[x];
            if instance.is(flag::S_DOWN) && !instance.is(flag::SCRIPT_KILL_SENT) {
                self.send(cx, x, Asked::Discard, &["SCRIPT", "KILL"]);
                self.instances[x].flags |= flag::SCRIPT_KILL_SENT;
            }
        }
        self.link_mut(x).last_pong = now;
    }
}
