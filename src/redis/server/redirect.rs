//! Where the keys of a request live, if not here.

use super::Server;
use super::command::{Spec, prop};
use super::dispatch::Props;
use crate::base::Bytes;
use crate::params::EndpointType;
use crate::redis::Cx;
use crate::redis::bus::view::{NO_ROW, flag};
use crate::resp::Value;
use crate::slot::key_slot;
use crate::trace::NodeId;

impl Server {
    /// What the client is told if these commands are not for this node; the first rule that matches
    /// decides.
    ///
    /// redis: getNodeByQuery, clusterRedirectClient @7.0.15
    pub(super) fn redirect<'a>(
        &self,
        cx: &Cx<'_>,
        spec: &Spec,
        commands: impl Iterator<Item = (&'a Spec, &'a [Bytes])>,
        props: Props,
        asking: bool,
        readonly: bool,
    ) -> Option<Value> {
        let error = |text: &str| Some(Value::error(text));
        let bus = self.bus.as_ref()?;
        let me = bus.me().id;
        let now = cx.now.ms();
        let mut keys = commands.flat_map(|(spec, args)| spec.keys_of(args));
        let first = keys.next()?;
        let slot = key_slot(first);
        let Some(owner) = bus.owners.get(slot) else { return error("CLUSTERDOWN Hash slot not served") };
        let migrating = if owner == me { bus.migrating_to.get(&slot) } else { None };
        let importing = migrating.is_none() && bus.importing_from.contains_key(&slot);
        let open = migrating.is_some() || importing;
        let (mut missing, mut present, mut several) = (false, false, false);
        for key in std::iter::once(first).chain(keys) {
            if key != first {
                several = true;
                if key_slot(key) != slot {
                    return error("CROSSSLOT Keys in request don't hash to the same slot");
                }
            }
            if open {
                let here = self.db.contains(key) && !self.has_expired(key, now);
                missing |= !here;
                present |= here;
            }
        }
        let write = props.has(prop::WRITE);
        if !bus.state_ok {
            if !self.conf.cluster_allow_reads_when_down {
                return error("CLUSTERDOWN The cluster is down");
            }
            // The flags of EXEC itself: a transaction that writes gets through.
            if spec.is(prop::WRITE) {
                return error("CLUSTERDOWN The cluster is down and only accepts read commands");
            }
        }
        if open && spec.name == "migrate" {
            return None;
        }
        if let Some(&target) = migrating.filter(|_| missing) {
            return match present {
                true => error("TRYAGAIN Multiple keys request during rehashing of slot"),
                false => Some(self.redirection(cx, "ASK", slot, target)),
            };
        }
        if importing && (asking || spec.is(prop::ASKING)) {
            return match several && missing {
                true => error("TRYAGAIN Multiple keys request during rehashing of slot"),
                false => None,
            };
        }
        if readonly && !write && bus.me().is(flag::SLAVE) {
            let master = bus.me().slaveof;
            if master != NO_ROW && bus.row(master).id == owner {
                return None;
            }
        }
        if owner == me { None } else { Some(self.redirection(cx, "MOVED", slot, owner)) }
    }

    fn redirection(&self, cx: &Cx<'_>, how: &str, slot: u16, node: NodeId) -> Value {
        let bus = self.bus.as_ref().expect("redirections come from the bus");
        let (endpoint, hostname) = bus.find(node).map_or((Default::default(), None), |r| {
            (bus.row(r).endpoint, bus.row(r).rare().hostname.clone())
        });
        let e = cx.names.endpoint_of(endpoint);
        let ip = e.ip.map_or(String::new(), |i| i.to_string());
        let at = match self.conf.cluster_preferred_endpoint_type {
            EndpointType::Ip => ip,
            EndpointType::Hostname => hostname.map_or("?".to_string(), |h| h.to_string()),
            EndpointType::UnknownEndpoint => String::new(),
        };
        Value::error(format!("{how} {slot} {at}:{}", e.port))
    }
}
