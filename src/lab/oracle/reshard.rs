//! S10: redis-cli moves slots from one master to another while two clients write to them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Recorder, round1};
use crate::base::Dur;
use crate::lab::stats;
use crate::redis::client::setter::{Answers, Pick, Setter, Spec};
use crate::redis::server::keyspace::Object;
use crate::slot::key_slot;
use crate::trace::{EpochCause, Fact, HostId};
use crate::world::host::Program;
use crate::world::plan::Action;

/// What S10 moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub slots: u32,
    pub keys_per_slot: u32,
    pub value_size: u32,
    /// A second client writes to the slot that moves at the moment. The first recordings had one client and
    /// other names for its counters.
    pub chaser: bool,
}

impl Default for Load {
    fn default() -> Load {
        Load { slots: 1000, keys_per_slot: 20, value_size: 100, chaser: true }
    }
}

/// What asyncio takes to start a process and see its end, beyond what the process takes.
const SPAWN: Dur = Dur::ms(4);

impl Recorder<'_> {
    pub(super) fn reshard(&mut self) {
        let load = self.o.load;
        self.victim = self.masters[0];
        let source = self.victim;
        let target = self.masters[1 + (self.turn % (self.masters.len() as u64 - 1)) as usize];
        let spec = self.spec(source);
        let filler = self.setter("filler", Spec { pick: Pick::All, ..spec.clone() });
        self.until(60_000.0, |r| r.set_by(filler).is_done());
        self.sleep(1000.0);
        let mut clients =
            vec![("uniform", self.setter("uniform", Spec { pick: Pick::Uniform, ..spec.clone() }))];
        if load.chaser {
            clients.push(("chaser", self.setter("chaser", Spec { pick: Pick::Chaser, ..spec.clone() })));
        }
        self.sleep(1000.0);
        let base: Vec<(Answers, usize)> =
            clients.iter().map(|&(_, c)| (self.set_by(c).answers, self.set_by(c).took.len())).collect();
        self.t0 = self.now();
        self.w.run_for(SPAWN);
        let id = |h: HostId| self.w.names.node_name(self.about(h)).to_string();
        let words = [
            "--cluster".to_string(),
            "reshard".into(),
            self.addr(source).to_string(),
            "--cluster-from".into(),
            id(source),
            "--cluster-to".into(),
            id(target),
            "--cluster-slots".into(),
            load.slots.to_string(),
            "--cluster-yes".into(),
        ];
        let cli = self.w.run_redis_cli(&words, &[]);
        let done = |r: &Self| matches!(&r.w.hosts[cli].program, Some(Program::Admin(a)) if a.is_done());
        self.until(300_000.0, done);
        let (t0, t1) = (self.t0, self.now());
        self.put_rel("reshard_ms", Some(t1), t0);
        self.put("ms_per_slot", Some(((t1 - t0) / f64::from(load.slots) * 100.0).round() / 100.0));
        let agreed = self.agreement(target, &spec);
        self.put_rel("views_agree_after_reshard", agreed, t1);
        self.sleep(1000.0);
        let lost = self.stop_and_count(&clients, target);
        let moved = match &self.w.hosts[cli].program {
            Some(Program::Admin(a)) => a.output().iter().filter(|l| l.starts_with("Moving slot")).count(),
            _ => 0,
        };
        self.put("slots_moved", Some(moved as f64));
        let keys = f64::from(load.slots * load.keys_per_slot);
        self.put(if load.chaser { "keys_preloaded" } else { "keys_moved" }, Some(keys));
        for (&(name, client), (before, from)) in clients.iter().zip(&base) {
            self.counters(name, client, before, *from);
        }
        self.put("writes_lost", Some(lost as f64));
        let bumps = self.all(t0, |h, f| {
            h == target && matches!(f, Fact::EpochSet { cause: EpochCause::Import { .. }, .. })
        });
        self.put("epoch_bumps_importing", Some(bumps.len() as f64));
        self.wait_stable(30_000.0);
        for m in self.masters.clone() {
            let node = self.name(m);
            self.act(Action::Command { node, words: vec!["FLUSHALL".into()] });
        }
        self.sleep(1000.0);
    }

    /// The lowest slots of the source, each with a tag that leads to it.
    fn spec(&self, source: HostId) -> Spec {
        let load = self.o.load;
        let bus = self.w.bus(source).expect("a master runs");
        let mine = bus.me().id;
        let owned = (0..crate::slot::SLOTS).filter(|&s| bus.owners.get(s) == Some(mine));
        let slots: Vec<u16> = owned.take(load.slots as usize).collect();
        let mut tags: BTreeMap<u16, String> = BTreeMap::new();
        for i in 0.. {
            if tags.len() == slots.len() {
                break;
            }
            let tag = format!("t{i}");
            let slot = key_slot(tag.as_bytes());
            if slots.binary_search(&slot).is_ok() {
                tags.entry(slot).or_insert(tag);
            }
        }
        Spec {
            pick: Pick::All,
            slots: Arc::new(tags.into_iter().collect()),
            keys_per_slot: load.keys_per_slot,
            value: vec![b'0'; load.value_size as usize],
            source: self.addr(source),
            seed: self.addr(self.nodes[0]),
            interval: Dur::us((1_000_000.0 / self.o.rate) as u64),
        }
    }

    fn setter(&mut self, name: &str, spec: Spec) -> HostId {
        let name = format!("{name} {}", self.turn);
        let program = Program::Setter(Box::new(Setter::new(spec)));
        self.w.add_client(&name, Ipv4Addr::new(127, 0, 0, 1), program)
    }

    fn set_by(&self, client: HostId) -> &Setter {
        match &self.w.hosts[client].program {
            Some(Program::Setter(s)) => s,
            _ => panic!("not a client of this trial"),
        }
    }

    /// Lets time pass until the condition holds.
    fn until(&mut self, limit_ms: f64, done: impl Fn(&Self) -> bool) {
        let end = self.now() + limit_ms;
        while !done(self) && self.now() < end {
            self.w.run_for(Dur::us(500));
        }
    }

    /// When the last node saw all moved slots with their new owner.
    fn agreement(&mut self, target: HostId, spec: &Spec) -> Option<f64> {
        let id = self.about(target);
        let mut left = self.nodes.clone();
        let end = self.now() + 30_000.0;
        let mut last = None;
        while !left.is_empty() && self.now() < end {
            for h in left.clone() {
                self.request_time();
                let Some(bus) = self.w.bus(h) else { continue };
                if spec.slots.iter().all(|(slot, _)| bus.owners.get(*slot) == Some(id)) {
                    left.retain(|&x| x != h);
                    last = Some(self.now());
                }
            }
            self.sleep(20.0);
        }
        last.filter(|_| left.is_empty())
    }

    /// Ends the clients; how many of the values that they were acknowledged are not there.
    fn stop_and_count(&mut self, clients: &[(&str, HostId)], target: HostId) -> usize {
        for &(_, client) in clients {
            if let Some(Program::Setter(s)) = &mut self.w.hosts[client].program {
                s.stop();
            }
        }
        let all = clients.to_vec();
        self.until(5000.0, |r| all.iter().all(|&(_, c)| r.set_by(c).is_done()));
        let target = self.addr(target);
        let mut lost = 0;
        for &(_, client) in clients {
            let s = self.set_by(client);
            for (key, value) in &s.last {
                let holds = |addr| {
                    let node = self.nodes.iter().find(|&&h| self.addr(h) == addr);
                    let found = node.and_then(|&h| self.w.server(h)?.db.get(key.as_bytes()));
                    matches!(found, Some(Object::String(v)) if **v == *value.as_bytes())
                };
                lost += usize::from(!holds(s.believes(key_slot(key.as_bytes()))) && !holds(target));
            }
        }
        lost
    }

    fn counters(&mut self, name: &str, client: HostId, before: &Answers, from: usize) {
        let (after, took) = (self.set_by(client).answers, self.set_by(client).took[from..].to_vec());
        let counts = [
            ("moved", after.moved - before.moved),
            ("ask", after.ask - before.ask),
            ("tryagain", after.tryagain - before.tryagain),
            ("clusterdown", after.clusterdown - before.clusterdown),
            ("other", after.other - before.other),
        ];
        let ok = (after.ok - before.ok) as f64;
        if self.o.load.chaser {
            self.put(&format!("{name}_ok_writes"), Some(ok));
        } else {
            self.put("writes_ok_during", Some(ok));
        }
        for (what, n) in counts {
            if self.o.load.chaser {
                self.put(&format!("{name}_{what}_seen"), Some(n as f64));
            } else if what != "other" {
                self.put(&format!("{what}_seen"), Some(n as f64));
            }
        }
        let ms: Vec<f64> = took.iter().map(|d| d.0 as f64 / 1000.0).collect();
        let ms = stats::sorted(&ms);
        let prefix = if name == "chaser" { "chaser" } else { "write" };
        self.put(&format!("{prefix}_latency_max_ms"), ms.last().copied().map(round1));
        let mid = stats::quantile(&ms, 0.5).map(|v| (v * 100.0).round() / 100.0);
        self.put(&format!("{prefix}_latency_p50_ms"), mid);
    }
}
