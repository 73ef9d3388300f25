//! The hello: how sentinels find each other, and how a new configuration travels. A sentinel publishes it
//! through every data node and sends it to every other sentinel.

use std::sync::Arc;

use memchr::memmem;

use super::state::place;
use super::state::{Asked, GroupId, Hello, InstanceId, Ms};
use super::{HELLO_CHANNEL, Sentinel};
use crate::params::sentinel::{atoi, strtoull};
use crate::redis::repl::stream::Command;
use crate::redis::server::command::request;
use crate::redis::{Addr, Cx};
use crate::resp::Value;
use crate::trace::sentinel::{Detail, Kind};

/// Whose hello came in the same words before.
#[derive(Clone, Copy)]
enum Heard {
    FromMe,
    From(InstanceId),
}

impl Sentinel {
    /// redis: sentinelSendHello @7.0.15
    pub(super) fn send_hello(&mut self, cx: &mut Cx<'_>, x: InstanceId) {
        if self.link(x).disconnected {
            return;
        }
        let g = self.instances[x].group;
        let group = &self.groups[g];
        let of = (self.current_epoch, self.current_address(g), group.config_epoch, self.hello_version);
        let words = match &group.hello {
            Some(hello) if hello.of == of => hello.words.clone(),
            _ => {
                let words = self.hello(x, of.1);
                self.groups[g].hello = Some(Hello { of, words: words.clone() });
                words
            }
        };
        self.send_words(cx, x, Asked::Publish(x), words);
    }

    /// The same for all that belong to a group: the address of a socket is that of this host.
    fn hello(&self, x: InstanceId, master: Addr) -> Command {
        let group = self.group_of(x);
        let port = if self.announce_port != 0 { self.announce_port } else { i64::from(self.conf.port) };
        let tail = format!(
            "{port},{},{},{},{},{},{}",
            self.myid, self.current_epoch, group.name, master.ip, master.port, group.config_epoch
        );
        let payload = match &self.announce_ip {
            Some(ip) => format!("{ip},{tail}"),
            // The address of this very socket.
            None => format!("{},{tail}", self.ip),
        };
        request(&[self.mapped(x, "PUBLISH"), HELLO_CHANNEL, &payload])
    }

    /// A message of a data node's channel.
    ///
    /// redis: sentinelReceiveHelloMessages @7.0.15
    pub(super) fn receive_hello(&mut self, cx: &mut Cx<'_>, value: &Value) {
        let Some([kind, _, message]) = value.as_array() else { return };
        if kind.as_bytes() != Some(b"message") {
            return;
        }
        let Some(text) = message.as_bytes() else { return };
        match self.heard_before(text) {
            // My own hello comes back to me.
            Some(Heard::FromMe) => {}
            None if memmem::find(text, self.myid.as_bytes()).is_some() => {}
            Some(Heard::From(sender)) => self.hears_again(cx, sender),
            None => self.learn(cx, text),
        }
    }

    /// The same text stands for the same id and address, and epochs never go back: nothing in it is new.
    fn hears_again(&mut self, cx: &Cx<'_>, sender: InstanceId) {
        self.instances[sender].peer.last_hello = cx.now.ms() as Ms;
    }

    /// Learns from a hello who else watches the master, which epoch it is, and where the master is.
    ///
    /// redis: sentinelProcessHelloMessage @7.0.15
    pub(super) fn process_hello(&mut self, cx: &mut Cx<'_>, text: &[u8]) {
        match self.heard_before(text) {
            Some(Heard::From(sender)) => self.hears_again(cx, sender),
            _ => self.learn(cx, text),
        }
    }

    /// The same for a text that was not heard before.
    fn learn(&mut self, cx: &mut Cx<'_>, text: &[u8]) {
        let text = &*String::from_utf8_lossy(text);
        let now = cx.now.ms() as Ms;
        self.upheavals += 1;
        let mut tokens = [""; 8];
        let mut count = 0;
        for token in text.split(',') {
            if count == 8 {
                return;
            }
            tokens[count] = token;
            count += 1;
        }
        if count != 8 {
            return;
        }
        let [ip, port, id, current_epoch, name, master_ip, master_port, config_epoch] = tokens;
        let Some(g) = self.group(name) else { return };
        let port = atoi(port);
        let current_epoch = strtoull(current_epoch);
        let config_epoch = strtoull(config_epoch);
        let addr = self.resolve(cx, ip, port).ok();
        let known = addr.and_then(|addr| self.peer(g, Some(id), Some(addr)));
        let sender = known.or_else(|| self.meet(cx, g, ip, port, id));
        if current_epoch > self.current_epoch {
            self.current_epoch = current_epoch;
            self.flush(cx);
            let me = self.groups[g].me;
            self.event(cx, Kind::NewEpoch, Some(me), Detail::Epoch(current_epoch));
        }
        let Some(sender) = sender else { return };
        if self.groups[g].config_epoch < config_epoch {
            self.groups[g].config_epoch = config_epoch;
            self.take_configuration(cx, g, sender, master_ip, atoi(master_port));
        }
        if let Some(s) = self.instances.get_mut(sender) {
            s.peer.last_hello = now;
            s.peer.stale_hello = Some(text.into());
        }
    }

    /// The sender, if its last hello had the same text.
    fn heard_before(&self, text: &[u8]) -> Option<Heard> {
        let g = match self.order[..] {
            [only] => only,
            _ => {
                let mut commas = memchr::memchr_iter(b',', text).skip(3);
                let start = commas.next()? + 1;
                let end = commas.next().unwrap_or(text.len());
                self.group(std::str::from_utf8(&text[start..end]).ok()?)?
            }
        };
        let group = &self.groups[g];
        if group.hello.as_ref().is_some_and(|h| h.words.last().is_some_and(|w| w == text)) {
            return Some(Heard::FromMe);
        }
        let of = |&&s: &&InstanceId| {
            self.instances[s].peer.stale_hello.as_deref().is_some_and(|hello| hello.as_bytes() == text)
        };
        group.sentinels.iter().find(of).copied().map(Heard::From)
    }

    /// A sentinel that is not known, or not at this address.
    fn meet(&mut self, cx: &mut Cx<'_>, g: GroupId, ip: &str, port: i64, id: &str) -> Option<InstanceId> {
        let me = self.groups[g].me;
        let moved = self.remove_peer(cx, g, id);
        if moved {
            let detail = Detail::Moved { ip: ip.into(), port, id: id.into() };
            self.event(cx, Kind::AddressSwitch, Some(me), detail);
        } else {
            let addr = self.resolve(cx, ip, port).ok();
            if let Some(other) = addr.and_then(|addr| self.peer(g, None, Some(addr))) {
                // Two cannot have one address: the older entry is wrong.
                self.event(cx, Kind::InvalidAddress, Some(other), Detail::None);
                if let Some(obsolete) = self.instances[other].runid.clone() {
                    for group in self.order.clone() {
                        self.remove_peer(cx, group, &obsolete);
                    }
                }
            }
        }
        let sender = self.add_sentinel(cx, g, id, ip, port).ok()?;
        if !moved {
            self.event(cx, Kind::Sentinel, Some(sender), Detail::None);
        }
        self.instances[sender].runid = Some(Arc::from(id));
        self.share_link(cx, sender);
        if moved {
            self.update_address_everywhere(cx, sender);
        }
        self.flush(cx);
        Some(sender)
    }

    /// The sender knows a newer configuration: it counts, whoever made it.
    fn take_configuration(&mut self, cx: &mut Cx<'_>, g: GroupId, sender: InstanceId, ip: &str, port: i64) {
        let me = self.groups[g].me;
        let old = self.instances[me].addr;
        let Ok(new) = self.resolve(cx, ip, port) else { return };
        if new == old {
            return;
        }
        self.event(cx, Kind::ConfigUpdate, Some(sender), Detail::None);
        self.event(cx, Kind::Switch, Some(me), Detail::Switch { from: place(old), to: place(new) });
        self.change_address(cx, g, new);
        self.reconfig_script(cx, g, false, old, new);
    }

    /// Has the next run of the timer send the hello to everybody about this master.
    ///
    /// redis: sentinelForceHelloUpdateForMaster @7.0.15
    pub(super) fn force_hello(&mut self, g: GroupId) {
        self.upheavals += 1;
        let back = self.periods.publish + 1;
        let group = &self.groups[g];
        for &x in [group.me].iter().chain(&group.sentinels).chain(&group.replicas) {
            let last = &mut self.instances[x].last_pub;
            if *last >= back {
                *last -= back;
            }
        }
    }
}
