//! One place where events leave: into the log, to subscribers, to the notification script.

use std::sync::Arc;

use super::Sentinel;
use super::state::{InstanceId, subject};
use crate::redis::Cx;
use crate::trace::sentinel::{Detail, Kind, SentinelEvent, SentinelNote, Subject};
use crate::trace::thought::SentinelThought;
use crate::trace::{Fact, FactId, Level, LogLevel};

impl Sentinel {
    pub(super) fn subject(&self, x: InstanceId) -> Subject {
        let instance = &self.instances[x];
        let group = &self.groups[instance.group];
        subject(instance, group, self.instances[group.me].addr)
    }

    /// Logs and publishes an event. What follows in this turn is caused by it.
    ///
    /// redis: sentinelEvent @7.0.15
    pub(super) fn event(
        &mut self,
        cx: &mut Cx<'_>,
        event: Kind,
        about: Option<InstanceId>,
        detail: Detail,
    ) -> FactId {
        let cause = cx.cause;
        self.event_because(cx, event, about, detail, cause)
    }

    /// An event with a cause that was remembered.
    pub(super) fn event_because(
        &mut self,
        cx: &mut Cx<'_>,
        event: Kind,
        about: Option<InstanceId>,
        detail: Detail,
        cause: FactId,
    ) -> FactId {
        self.upheavals += 1;
        let event = SentinelEvent { event, about: about.map(|x| self.subject(x)), detail };
        if event.event.is_published() && !self.pubsub.is_empty() {
            let payload = event.payload();
            self.pubsub.publish(cx, event.event.name().as_bytes(), payload.as_bytes());
        }
        let script = about.and_then(|x| self.group_of(x).notification_script.clone());
        let call = script
            .filter(|_| event.event.log_level() == LogLevel::Warning)
            .map(|path| format!("{path} {} {}", event.event.name(), event));
        let fact = cx.emit_because(Fact::Sentinel(Box::new(event)), cause);
        cx.cause = fact;
        if let Some(call) = call {
            self.script(cx, call);
        }
        fact
    }

    /// A script is started.
    ///
    /// redis: sentinelScheduleScriptExecution, sentinelCallClientReconfScript @7.0.15
    /// deviates: scripts end at once and well, so nothing of the queue, of retries and of time limits is
    /// modelled; that a script was run is a fact.
    pub(super) fn script(&mut self, cx: &mut Cx<'_>, call: String) {
        let cause = cx.cause;
        let event =
            SentinelEvent { event: Kind::ScriptStarted, about: None, detail: Detail::Words(call.into()) };
        cx.emit_because(Fact::Sentinel(Box::new(event)), cause);
        cx.cause = cause;
    }

    /// Tells clients of a new master, by the script that the administrator named for it.
    ///
    /// redis: sentinelCallClientReconfScript @7.0.15
    pub(super) fn reconfig_script(
        &mut self,
        cx: &mut Cx<'_>,
        g: super::state::GroupId,
        leader: bool,
        from: crate::redis::Addr,
        to: crate::redis::Addr,
    ) {
        let group = &self.groups[g];
        let Some(path) = group.client_reconfig_script.clone() else { return };
        let role = if leader { "leader" } else { "observer" };
        let name: Arc<str> = group.name.clone();
        let call = format!("{path} {name} {role} start {} {} {} {}", from.ip, from.port, to.ip, to.port);
        self.script(cx, call);
    }

    /// Records why something is decided, if the trace keeps that.
    pub(super) fn think(&self, cx: &mut Cx<'_>, thought: impl FnOnce() -> SentinelThought) {
        cx.note(Level::Notice, || Fact::SentinelThought(Box::new(thought())));
    }

    pub(super) fn note(&mut self, cx: &mut Cx<'_>, note: SentinelNote) {
        cx.emit(Fact::SentinelNote(note));
    }
}
