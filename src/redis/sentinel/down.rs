//! Whether somebody is down: for this sentinel alone (SDOWN), and, for a master, for enough of them
//! (ODOWN). What the others believe is asked for while this one believes it.

use super::Sentinel;
use super::state::{Asked, GroupId, Instance, InstanceId, Ms, Role, State, flag, place};
use crate::redis::Cx;
use crate::resp::Value;
use crate::trace::sentinel::{Detail, Kind, SentinelNote};
use crate::trace::thought::{DownWhy, Opinion, SentinelThought};

impl Sentinel {
    /// redis: sentinelCheckSubjectivelyDown @7.0.15
    pub(super) fn check_subjectively_down(&mut self, cx: &mut Cx<'_>, x: InstanceId, now: Ms) {
        let instance = &self.instances[x];
        let (id, down_after) = (instance.link, instance.down_after);
        let link = &self.links[id];
        let elapsed = match link.act_ping {
            0 if link.disconnected => now - link.last_avail,
            0 => 0,
            since => now - since,
        };
        // A connection that seems fine and brings no answers is replaced.
        if link.cc.is_some()
            && now - link.cc_conn_time > self.periods.min_link_reconnect
            && link.act_ping != 0
            && now - link.act_ping > down_after / 2
            && now - link.last_pong > down_after / 2
        {
            self.close_commands(cx, id);
        }
        let link = &self.links[id];
        if link.pc.is_some()
            && now - link.pc_conn_time > self.periods.min_link_reconnect
            && now - link.pc_last_activity > self.periods.publish * 3
        {
            self.close_pubsub(cx, id);
        }
        let instance = &self.instances[x];
        let demoted = || {
            let long = down_after + self.periods.info * 2;
            instance.is_master() && instance.role == Role::Slave && now - instance.role_since > long
        };
        let rebooted = || {
            let long = self.group_of(x).reboot_down_after;
            instance.is(flag::MASTER_REBOOT) && now - instance.reboot_since > long
        };
        let down = elapsed > down_after || demoted() || rebooted();
        if down == instance.is(flag::S_DOWN) {
            return;
        }
        if down {
            let (why, for_ms, limit_ms) = match () {
                () if elapsed > down_after => (DownWhy::Silent, elapsed, down_after),
                () if demoted() => {
                    (DownWhy::SaysReplica, now - instance.role_since, down_after + self.periods.info * 2)
                }
                () => (DownWhy::Rebooted, now - instance.reboot_since, self.group_of(x).reboot_down_after),
            };
            self.think(cx, || SentinelThought::Down { about: self.subject(x), for_ms, limit_ms, why });
            let cause = self.instances[x].because;
            let fact = self.event_because(cx, Kind::Sdown, Some(x), Detail::None, cause);
            let instance = &mut self.instances[x];
            instance.s_down_since = now;
            instance.flags |= flag::S_DOWN;
            instance.because = fact;
        } else {
            self.event(cx, Kind::SdownCleared, Some(x), Detail::None);
            let instance = &mut self.instances[x];
            instance.flags &= !(flag::S_DOWN | flag::SCRIPT_KILL_SENT);
            instance.because = crate::trace::FactId::NONE;
        }
    }

    /// Whether enough sentinels say that the master is down. What they said some time ago counts too.
    ///
    /// redis: sentinelCheckObjectivelyDown @7.0.15
    pub(super) fn check_objectively_down(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        let group = &self.groups[g];
        let (me, quorum) = (group.me, group.quorum);
        let master = &self.instances[me];
        let was = master.is(flag::O_DOWN);
        let mut count = 0;
        let mut said = master.because;
        if master.is(flag::S_DOWN) {
            count = 1;
            for &s in &group.sentinels {
                let s = &self.instances[s];
                if s.is(flag::MASTER_DOWN) {
                    count += 1;
                    if s.peer.said.is_some() {
                        said = s.peer.said;
                    }
                }
            }
        }
        let down = count > 0 && i64::from(count) >= quorum;
        if down == was {
            return;
        }
        if down {
            self.note_opinions(cx, g, now);
            let detail = Detail::Agree { count, quorum };
            let fact = self.event_because(cx, Kind::Odown, Some(me), detail, said);
            let master = &mut self.instances[me];
            master.flags |= flag::O_DOWN;
            master.o_down_since = now;
            self.groups[g].because = fact;
        } else {
            self.event(cx, Kind::OdownCleared, Some(me), Detail::None);
            self.instances[me].flags &= !flag::O_DOWN;
        }
    }

    /// Records who else said that the master is down, when, and of which address.
    fn note_opinions(&self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        self.think(cx, || {
            let group = &self.groups[g];
            let sentinels = group.sentinels.iter().map(|&s| &self.instances[s]);
            let opinion = |s: &Instance| Opinion {
                of: s.name.clone(),
                age_ms: now - s.peer.last_down_reply,
                about: s.peer.said_of.unwrap_or(place(self.master(g).addr)),
            };
            let yes = sentinels.filter(|s| s.is(flag::MASTER_DOWN)).map(opinion).collect();
            SentinelThought::Opinions { group: group.name.clone(), yes }
        });
    }

    /// Asks the other sentinels whether they see the master down too, and for their votes if a failover
    /// runs here.
    ///
    /// redis: sentinelAskMasterStateToOtherSentinels @7.0.15
    pub(super) fn ask_others(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms, forced: bool) {
        let group = &self.groups[g];
        let master = &self.instances[group.me];
        let (down, addr, because) = (master.is(flag::S_DOWN), master.addr, master.because);
        let seeks_vote = group.state > State::None;
        for i in 0..self.groups[g].sentinels.len() {
            let s = self.groups[g].sentinels[i];
            let peer = &mut self.instances[s];
            let age = now - peer.peer.last_down_reply;
            if age > self.periods.ask * 5 {
                peer.flags &= !flag::MASTER_DOWN;
                peer.peer.leader = None;
            }
            if !down || self.links[peer.link].disconnected || (!forced && age < self.periods.ask) {
                continue;
            }
            let id = if seeks_vote { self.myid.clone() } else { "*".into() };
            let (ip, port) = (addr.ip.to_string(), addr.port.to_string());
            let epoch = self.current_epoch.to_string();
            let words = ["SENTINEL", "is-master-down-by-addr", &ip, &port, &epoch, &id];
            let before = cx.cause;
            cx.cause = if seeks_vote { self.groups[g].because } else { because };
            self.instances[s].peer.asked_of = Some(place(addr));
            self.send(cx, s, Asked::MasterDown(s), &words);
            cx.cause = before;
        }
    }

    /// Another sentinel says whether it sees the master down, and whom it voted for.
    ///
    /// redis: sentinelReceiveIsMasterDownReply @7.0.15
    pub(super) fn master_down_reply(&mut self, cx: &mut Cx<'_>, s: InstanceId, value: &Value, now: Ms) {
        let Some([Value::Int(down), Value::Bulk(leader), Value::Int(epoch)]) = value.as_array() else {
            return;
        };
        self.upheavals += 1;
        let (down, epoch) = (*down == 1, *epoch as u64);
        let peer = &mut self.instances[s];
        peer.peer.last_down_reply = now;
        match down {
            true => peer.flags |= flag::MASTER_DOWN,
            false => peer.flags &= !flag::MASTER_DOWN,
        }
        peer.peer.said = cx.cause;
        peer.peer.said_of = peer.peer.asked_of;
        if leader == b"*" {
            return;
        }
        let leader: std::sync::Arc<str> = String::from_utf8_lossy(leader).into();
        if peer.peer.leader_epoch != epoch {
            let by = peer.name.clone();
            self.note(cx, SentinelNote::VoteHeard { by, leader: leader.clone(), epoch });
            let g = self.instances[s].group;
            self.groups[g].because = cx.cause;
        }
        let peer = &mut self.instances[s].peer;
        peer.leader = Some(leader);
        peer.leader_epoch = epoch;
    }

    /// Answers another sentinel: whether this one sees the master at the address down, and, if asked,
    /// whom it votes for.
    ///
    /// redis: sentinelCommand (is-master-down-by-addr) @7.0.15
    pub(super) fn is_master_down(
        &mut self,
        cx: &mut Cx<'_>,
        ip: &str,
        port: i64,
        epoch: u64,
        candidate: &str,
    ) -> Value {
        let addr = self.resolve(cx, ip, port).ok();
        let found = self.order.iter().copied().find(|&g| Some(self.master(g).addr) == addr);
        let down = !self.tilt && found.is_some_and(|g| self.master(g).is(flag::S_DOWN));
        let (mut leader, mut leader_epoch) = (None, 0);
        if let Some(g) = found.filter(|_| candidate != "*") {
            let before = self.groups[g].leader_epoch;
            (leader, leader_epoch) = self.vote(cx, g, epoch, candidate);
            if leader_epoch == before {
                self.think(cx, || SentinelThought::VoteKept {
                    group: self.groups[g].name.clone(),
                    by: candidate.into(),
                    epoch,
                    given: leader.clone(),
                    given_epoch: leader_epoch,
                });
            }
        }
        Value::Array(vec![
            Value::Int(i64::from(down)),
            Value::bulk(leader.as_deref().unwrap_or("*")),
            Value::Int(leader_epoch as i64),
        ])
    }
}
