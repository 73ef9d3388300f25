//! Names for what can happen, for scenarios to expect: each is one kind of fact, with the node that it
//! is about.

use std::fmt;

use crate::trace::sentinel::{Kind, Place, SentinelEvent};
use crate::trace::{Event, Fact, HostId};
use crate::world::World;
use crate::world::plan::NodeSpec;

/// One kind of thing that can happen.
pub struct Happening {
    pub name: &'static str,
    /// One line for people: what happened `on` a node, and whom it is `about`.
    pub doc: &'static str,
    read: fn(&Fact) -> Option<About>,
}

/// Whom a fact concerns besides the node it happened on.
enum About {
    Nobody,
    Node(crate::trace::NodeId),
    Host(HostId),
    /// Who listens there.
    Address(Place),
}

use About::{Address, Host, Nobody, Node};

/// The instance that a sentinel's event is about.
fn watched(e: &SentinelEvent) -> About {
    e.about.as_ref().map_or(Nobody, |about| Address(about.at))
}

macro_rules! happenings {
    ($($name:literal, $doc:literal, $pattern:pat $(if $only:expr)? => $about:expr;)*) => {
        &[$(Happening {
            name: $name,
            doc: $doc,
            read: |fact| match fact { $pattern $(if $only)? => Some($about), _ => None },
        },)*]
    };
}

/// Everything that `expect.happened` and `expect.order` can name.
pub const HAPPENINGS: &[Happening] = happenings! {
    "killed", "The process was killed (kill -9).", Fact::Killed => Nobody;
    "crashed", "The machine lost power.", Fact::Crashed => Nobody;
    "exited", "The process ended by itself.", Fact::Exited { .. } => Nobody;
    "ready", "The process is up and accepts connections.", Fact::Ready { .. } => Nobody;
    "paused", "The process was stopped (SIGSTOP).", Fact::Paused => Nobody;
    "busy", "The event loop of `on` does one long thing, and nothing else.", Fact::Busy { .. } => Nobody;
    "resumed", "The process runs again (SIGCONT).", Fact::Resumed => Nobody;
    "pfail", "`on` suspects `about`: no answer within cluster-node-timeout.", Fact::Pfail { node } => Node(*node);
    "pfail-cleared", "`on` no longer suspects `about`.", Fact::PfailCleared { node } => Node(*node);
    "report", "`on` heard that another master suspects `about`.", Fact::Reported { node, .. } => Node(*node);
    "fail", "`on` marks `about` as FAIL: it saw a majority agree.", Fact::FailQuorum { node, .. } => Node(*node);
    "fail-heard", "`on` marks `about` as FAIL: it was told.", Fact::FailMessage { node, .. } => Node(*node);
    "fail-cleared", "`on` takes the FAIL mark from `about`.", Fact::FailCleared { node, .. } => Node(*node);
    "state-ok", "`on` says cluster_state:ok.", Fact::StateChanged { ok: true } => Nobody;
    "state-fail", "`on` says cluster_state:fail.", Fact::StateChanged { ok: false } => Nobody;
    "election-scheduled", "The replica `on` plans an election.", Fact::ElectionScheduled { .. } => Nobody;
    "election-started", "The replica `on` asks for votes.", Fact::ElectionStarted { .. } => Nobody;
    "vote-granted", "The master `on` votes for `about`.", Fact::VoteGranted { to, .. } => Node(*to);
    "vote-denied", "The master `on` refuses its vote to `about`.", Fact::VoteDenied { to, .. } => Node(*to);
    "election-won", "The replica `on` has a majority of the votes.", Fact::ElectionWon { .. } => Nobody;
    "cannot-fail-over", "The replica `on` says why it cannot fail over.", Fact::CantFailover { .. } => Nobody;
    "promoted", "`on` became a master and took the slots of `about`.", Fact::Promoted { from } => Node(*from);
    "reconfigured", "`on` became a replica of `about`, which serves its slots now.",
        Fact::Reconfigured { master } => Node(*master);
    "migrating", "The replica `on` moves to `about`, a master without replicas.",
        Fact::MigratingTo { master } => Node(*master);
    "epoch-collision", "`on` and `about` had the same configEpoch; `on` took a new one.",
        Fact::EpochSet { cause: crate::trace::EpochCause::Collision { with }, .. } => Node(*with);
    "handshake", "`on` begins to meet another node.", Fact::HandshakeStarted { .. } => Nobody;
    "discovered", "`on` hears of the node `about` by gossip.", Fact::NodeDiscovered { node, .. } => Node(*node);
    "forgotten", "`on` takes `about` out of its table.", Fact::NodeForgotten { node } => Node(*node);
    "master-link-lost", "The replica `on` lost its master.", Fact::MasterLinkLost => Nobody;
    "full-resync", "The replica `on` gets all data anew.", Fact::FullResync { .. } => Nobody;
    "partial-resync", "The replica `on` gets what it missed.", Fact::PartialResync { .. } => Nobody;
    "write-accepted", "`on` accepts a client's writes (again); or the client `about` sees that.",
        Fact::WriteAccepted { by, .. } => Host(*by);
    "write-refused", "`on` begins to refuse a client's writes; or the client `about` sees that.",
        Fact::WriteRefused { by, .. } => Host(*by);
    "+sdown", "The sentinel `on` believes that an instance is down.", Fact::Sentinel(e) if e.event == Kind::Sdown => watched(e);
    "-sdown", "It is up again.", Fact::Sentinel(e) if e.event == Kind::SdownCleared => watched(e);
    "+odown", "Enough sentinels say that the master is down.", Fact::Sentinel(e) if e.event == Kind::Odown => watched(e);
    "-odown", "They do not any more.", Fact::Sentinel(e) if e.event == Kind::OdownCleared => watched(e);
    "+try-failover", "The sentinel `on` starts a failover.", Fact::Sentinel(e) if e.event == Kind::TryFailover => watched(e);
    "+vote-for-leader", "The sentinel `on` votes.", Fact::Sentinel(e) if e.event == Kind::Vote => watched(e);
    "+elected-leader", "The sentinel `on` has a majority of the votes.", Fact::Sentinel(e) if e.event == Kind::Elected => watched(e);
    "+selected-slave", "The replica `about` is to be the master.", Fact::Sentinel(e) if e.event == Kind::Selected => watched(e);
    "+promoted-slave", "The replica `about` says that it is a master.", Fact::Sentinel(e) if e.event == Kind::Promoted => watched(e);
    "+slave-reconf-sent", "The replica `about` is told to follow the new master.", Fact::Sentinel(e) if e.event == Kind::ReconfSent => watched(e);
    "+slave-reconf-done", "The replica `about` follows it.", Fact::Sentinel(e) if e.event == Kind::ReconfDone => watched(e);
    "+failover-end", "The failover is over.", Fact::Sentinel(e) if e.event == Kind::End => watched(e);
    "+failover-end-for-timeout", "It took too long.", Fact::Sentinel(e) if e.event == Kind::EndForTimeout => watched(e);
    "+switch-master", "For the sentinel `on`, the master is another.", Fact::Sentinel(e) if e.event == Kind::Switch => watched(e);
    "+convert-to-slave", "`about` is made a replica.", Fact::Sentinel(e) if e.event == Kind::ConvertToSlave => watched(e);
    "+fix-slave-config", "`about` is made to follow the right master.", Fact::Sentinel(e) if e.event == Kind::FixSlaveConfig => watched(e);
    "+reboot", "`about` was restarted.", Fact::Sentinel(e) if e.event == Kind::Reboot => watched(e);
    "+reset-master", "SENTINEL RESET.", Fact::Sentinel(e) if e.event == Kind::Reset => watched(e);
    "+tilt", "The clock of the sentinel `on` is odd: it does not act.", Fact::Sentinel(e) if e.event == Kind::Tilt => watched(e);
    "-tilt", "It acts again.", Fact::Sentinel(e) if e.event == Kind::TiltOver => watched(e);
    "-failover-abort-not-elected", "Nobody was elected in time.", Fact::Sentinel(e) if e.event == Kind::AbortNotElected => watched(e);
    "-failover-abort-no-good-slave", "No replica was good enough.", Fact::Sentinel(e) if e.event == Kind::AbortNoGoodSlave => watched(e);
    "-failover-abort-slave-timeout", "The replica was not promoted in time.", Fact::Sentinel(e) if e.event == Kind::AbortSlaveTimeout => watched(e);
    "file-copied", "An operator copied a file.", Fact::FileCopied { found: true, .. } => Nobody;
    "file-missing", "The file that an operator wanted to copy is not there.",
        Fact::FileCopied { found: false, .. } => Nobody;
    "clock-jumped", "The clock of `on` was set.", Fact::ClockJumped { .. } => Nobody;
};

/// The happening of this name.
pub fn happening(name: &str) -> Option<&'static Happening> {
    HAPPENINGS.iter().find(|h| h.name == name)
}

/// A happening, on some node or any, about some node or any.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    name: &'static str,
    pub on: Option<String>,
    pub about: Option<String>,
}

impl Pattern {
    pub fn new(what: &'static Happening, on: Option<String>, about: Option<String>) -> Pattern {
        Pattern { name: what.name, on, about }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn matches(&self, w: &World, e: &Event) -> bool {
        let Some(about) = happening(self.name).and_then(|h| (h.read)(&e.fact)) else { return false };
        let is = |host: Option<HostId>, want: &Option<String>| {
            want.as_ref().is_none_or(|name| host.is_some_and(|h| w.names.host_name(h) == name))
        };
        let subject = match about {
            Nobody => None,
            Node(id) => w.names.owner(id),
            Host(id) => Some(id),
            Address(at) => {
                let here = |n: &NodeSpec| n.ip == at.ip && n.conf.port == at.port;
                w.plan.nodes.iter().position(here).map(|i| HostId(i as u32))
            }
        };
        is(Some(e.host), &self.on) && is(subject, &self.about)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(on) = &self.on {
            write!(f, " on {on}")?;
        }
        if let Some(about) = &self.about {
            write!(f, " about {about}")?;
        }
        Ok(())
    }
}
impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_their_own_fact() {
        for (i, h) in HAPPENINGS.iter().enumerate() {
            assert!(HAPPENINGS[..i].iter().all(|other| other.name != h.name), "{}", h.name);
            assert!(h.doc.ends_with('.'), "{}", h.name);
        }
        let of = |fact: &Fact| -> Vec<&str> {
            HAPPENINGS.iter().filter(|h| (h.read)(fact).is_some()).map(|h| h.name).collect()
        };
        assert_eq!(of(&Fact::Killed), ["killed"]);
        assert_eq!(of(&Fact::StateChanged { ok: false }), ["state-fail"]);
        assert_eq!(of(&Fact::ReplicaDelayed), [""; 0]);
    }
}
