//! The recorder's script: start, wait, settle, hurt, watch, ask.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::events::{Line, events, round1};
use super::extract::{Extract, Marks, extract};
use super::setup::{GROUP, Knobs, Setup, secs};
use super::writers;
use crate::base::{Dur, Rng};
use crate::lab::oracle::Metrics;
use crate::redis::Addr;
use crate::redis::client::sentinel::{Preset, SentinelClient, SentinelClientSpec};
use crate::resp::Value;
use crate::trace::sentinel::{Kind, SentinelEvent};
use crate::trace::{Fact, HostId, Level};
use crate::world::World;
use crate::world::host::Program;
use crate::world::plan::Action;

/// The recorder at work on one deployment.
pub struct Recorder<'a> {
    setup: &'a Setup,
    knobs: Knobs,
    variant: String,
    pub w: World,
    rng: Rng,
    /// Time zero, ms of the wall clock with fractions.
    pub t0: f64,
    pub marks: Marks,
    m: Metrics,
    master: HostId,
    replicas: Vec<HostId>,
    sentinels: Vec<HostId>,
    writers: Vec<HostId>,
    /// Events of sentinels are looked for from here on.
    seen: usize,
}

impl<'a> Recorder<'a> {
    pub fn new(setup: &'a Setup, variant: &str, seed: u64) -> Recorder<'a> {
        let knobs = setup.knobs_of(variant);
        let plan = setup.plan(&knobs, variant);
        let n = knobs.replicas + 1;
        Recorder {
            setup,
            variant: variant.into(),
            w: World::new(Arc::new(plan), seed, Level::Notice),
            rng: Rng::named(seed, "recorder"),
            t0: 0.0,
            marks: Marks::new(),
            m: Metrics::new(),
            master: HostId(0),
            replicas: (1..n).map(HostId).collect(),
            sentinels: (n..n + knobs.sentinels).map(HostId).collect(),
            writers: Vec::new(),
            knobs,
            seen: 0,
        }
    }

    /// One trial; its metrics, or none if the deployment did not come up.
    pub fn run(&mut self) -> Option<Metrics> {
        self.deploy()?;
        match self.setup.scenario.as_str() {
            "T1" => self.kill_master(),
            "T2" => self.five_sentinels(),
            "T3" => self.stop_master(),
            "T4" => self.manual(),
            "T5" => self.two_sentinels(),
            "T6" => self.partition(),
            "T7" => self.choice(),
            "T8" => self.replica_dies(),
            "T9" => self.fast_restart(),
            _ => self.tilt(),
        }
        Some(std::mem::take(&mut self.m))
    }

    // ---- time -----------------------------------------------------------------------------------

    fn now(&self) -> f64 {
        (self.w.plan.epoch_us + self.w.now().0) as f64 / 1000.0
    }
    fn since(&self) -> f64 {
        self.now() - self.t0
    }
    /// Lets time pass, and the fraction of a millisecond by which a sleeping script wakes late.
    fn sleep(&mut self, s: f64) {
        let late = Dur::us(60 + u64::from(self.rng.below(300)));
        let end = self.w.now() + Dur(secs(s.max(0.0)).0 + late.0);
        self.w.run_until(end);
    }
    /// A question on a fresh connection takes a script so long.
    fn question(&mut self) {
        let us = 300 + u64::from(self.rng.below(400));
        self.w.run_for(Dur::us(us));
    }
    fn mark(&mut self, name: &str) {
        let at = round1(self.since());
        self.marks.insert(name.into(), at);
    }
    fn put(&mut self, name: &str, v: f64) {
        self.m.insert(name.into(), Some(v));
    }
    fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * f64::from(self.rng.below(1 << 30)) / f64::from(1 << 30)
    }
    fn act(&mut self, action: Action) {
        self.w.act(&action);
    }
    fn name(&self, h: HostId) -> String {
        self.w.hosts[h].name.clone()
    }
    fn addr(&self, h: HostId) -> Addr {
        self.w.plan.nodes[h.0 as usize].addr()
    }

    // ---- set-up ---------------------------------------------------------------------------------

    fn start(&mut self, h: HostId) {
        let node = self.name(h);
        self.act(Action::Start { node, wipe: false });
    }
    fn kill(&mut self, h: HostId) {
        let node = self.name(h);
        self.act(Action::Kill { node });
    }

    /// Waits for something, looking every `step` seconds; false if it does not come.
    fn until(&mut self, limit: f64, step: f64, ready: impl Fn(&Recorder<'_>) -> bool) -> bool {
        let end = self.now() + limit * 1000.0;
        while self.now() < end {
            self.question();
            if ready(self) {
                return true;
            }
            self.sleep(step);
        }
        false
    }

    fn deploy(&mut self) -> Option<()> {
        // Trials begin anywhere in a second of the clock, and servers count whole seconds of it.
        let phase = self.uniform(0.0, 1.0);
        self.sleep(phase);
        let data: Vec<HostId> = [self.master].into_iter().chain(self.replicas.clone()).collect();
        for &h in &data {
            self.start(h);
            self.sleep(0.002);
        }
        let ready = self.until(20.0, 0.05, |r| {
            r.w.server(r.master).is_some_and(|m| m.online_replicas() == r.replicas.len())
                && r.replicas.iter().all(|&h| r.in_sync(h))
        });
        if !ready {
            return None;
        }
        // Moves the offset off zero before the sentinels look at it.
        for i in 0..10 {
            self.w.ask(self.master, &["SET", &format!("seed:{i}"), &i.to_string()]);
        }
        self.sleep(0.01);
        for s in self.sentinels.clone() {
            self.start(s);
            let wait = self.uniform(0.0, 0.3);
            self.sleep(wait);
        }
        if !self.until(40.0, 0.1, |r| r.sentinels.iter().all(|&s| r.knows_all(s))) {
            return None;
        }
        let (lo, hi) = self.knobs.settle;
        let settle = self.uniform(lo, hi);
        self.sleep(settle);
        Some(())
    }

    fn in_sync(&self, h: HostId) -> bool {
        self.w.server(h).is_some_and(|s| s.repl.is_replica() && s.repl.is_connected())
    }

    /// Whether the sentinel sees all others, and every replica in sync, as SENTINEL MASTER, REPLICAS and
    /// SENTINELS tell.
    fn knows_all(&self, s: HostId) -> bool {
        use crate::trace::sentinel::Watched;
        let Some(s) = self.w.sentinel(s) else { return false };
        let Some(g) = s.group(GROUP) else { return false };
        let group = &s.groups[g];
        s.flags_text(group.me) == "master"
            && group.sentinels.len() + 1 == self.sentinels.len()
            && group.replicas.len() == self.replicas.len()
            && group.sentinels.iter().all(|&x| s.flags_text(x) == Watched::Sentinel.name())
            && group.replicas.iter().all(|&x| {
                let slave = &s.instances[x].slave;
                s.flags_text(x) == Watched::Slave.name() && slave.link_up && slave.repl_offset > 0
            })
    }

    // ---- clients --------------------------------------------------------------------------------

    fn client(&mut self, name: &str, preset: Preset, window: usize, ip: Ipv4Addr) {
        let spec = SentinelClientSpec {
            preset,
            group: GROUP.into(),
            sentinels: self.sentinels.iter().map(|&s| self.addr(s)).collect(),
            addr: (preset == Preset::Sticky).then(|| self.addr(self.master)),
            prefix: name.into(),
            interval: secs(1.0 / self.knobs.rate.max(0.001)),
            window,
            timeout: Dur::ms(500),
        };
        let mut c = SentinelClient::new(spec);
        c.at_once = true;
        let h = self.w.add_client(name, ip, Program::SentinelClient(Box::new(c)));
        self.writers.push(h);
    }
    fn resolver(&mut self) {
        self.client("w", Preset::Resolve, 1, Ipv4Addr::LOCALHOST);
    }
    fn sticky(&mut self, name: &str, window: usize) {
        self.client(name, Preset::Sticky, window, Ipv4Addr::LOCALHOST);
    }

    // ---- injection and observation --------------------------------------------------------------

    /// Call right before the fault: fixes time zero.
    fn inject(&mut self) {
        for _ in 0..2 * self.sentinels.len() {
            self.question();
        }
        self.t0 = self.now();
        self.seen = self.w.trace.events.len();
    }

    /// Events of sentinels since the injection.
    fn sentinel_events(&self) -> impl Iterator<Item = (HostId, &SentinelEvent)> {
        self.w.trace.events[self.seen..].iter().filter_map(|e| match &e.fact {
            Fact::Sentinel(event) => Some((e.host, &**event)),
            _ => None,
        })
    }

    /// Waits until every sentinel that lives announced +switch-master.
    fn wait_switch(&mut self, limit: f64) -> bool {
        let want: Vec<HostId> =
            self.sentinels.iter().copied().filter(|&s| self.w.sentinel(s).is_some()).collect();
        let end = self.now() + limit * 1000.0;
        while self.now() < end {
            let switched =
                |s: &HostId| self.sentinel_events().any(|(h, e)| h == *s && e.event == Kind::Switch);
            if want.iter().all(switched) {
                return true;
            }
            self.sleep(0.02);
        }
        false
    }

    /// Waits for an event of a sentinel, which the watcher hears at once.
    fn wait_event(&mut self, kind: Kind, limit: f64) -> Option<(HostId, SentinelEvent)> {
        let end = self.now() + limit * 1000.0;
        while self.now() < end {
            let found = self.sentinel_events().find(|(_, e)| e.event == kind).map(|(h, e)| (h, e.clone()));
            if found.is_some() {
                // What the message takes to the watcher, and the watcher to its thread.
                let us = 200 + u64::from(self.rng.below(600));
                self.w.run_for(Dur::us(us));
                return found;
            }
            self.w.run_for(Dur::us(200));
        }
        None
    }

    /// Polls ROLE until the node is a connected replica.
    fn wait_synced(&mut self, h: HostId, limit: f64) -> bool {
        let synced = self.until(limit, 0.05, |r| r.in_sync(h));
        if synced {
            let name = format!("{}_connected", self.name(h));
            self.mark(&name);
        }
        synced
    }

    fn failover_happened(&self) -> f64 {
        f64::from(u8::from(self.sentinel_events().any(|(_, e)| e.event == Kind::Switch)))
    }

    /// Whom most sentinels that live name as the master.
    fn current_master(&self) -> Option<HostId> {
        let named = self.sentinels.iter().filter_map(|&s| {
            let s = self.w.sentinel(s)?;
            Some(s.current_address(s.group(GROUP)?))
        });
        let mut votes: Vec<(Addr, usize)> = Vec::new();
        for addr in named {
            match votes.iter_mut().find(|(a, _)| *a == addr) {
                Some((_, n)) => *n += 1,
                None => votes.push((addr, 1)),
            }
        }
        // The first of those with most votes, as Python's Counter has it.
        let most = votes.iter().map(|v| v.1).max()?;
        let (addr, _) = votes.into_iter().find(|v| v.1 == most)?;
        self.w.node_hosts().find(|&h| self.addr(h) == addr)
    }

    /// The event list, as the recorder would write it.
    pub fn events(&self) -> Vec<Line> {
        events(&self.w, self.t0)
    }

    /// Ends the clients and takes the metrics; `fin`: whose data count.
    fn finish(&mut self, fin: Option<HostId>) -> Extract {
        for &c in &self.writers {
            self.w.stop_client(c);
        }
        let master = self.addr(self.master);
        let old = format!("{} {}", master.ip, master.port);
        let mut x = extract(&self.events(), &self.name(self.master), &old, &self.marks);
        let first = self.writers.first().and_then(|&c| self.w.sentinel_client(c));
        if let Some(c) = first.filter(|c| c.spec.preset == Preset::Resolve)
            && let Some(at) = writers::first_write_elsewhere(c, master, self.t0)
        {
            x.metrics.insert("first_write_new_master".into(), Some(at));
            if let Some(Some(switch)) = x.metrics.get("switch_first").copied() {
                x.metrics.insert("d_switch_first_to_first_write".into(), Some(round1(at - switch)));
            }
        }
        for &c in &self.writers {
            writers::report(&self.w, c, fin, &mut x.metrics);
        }
        let own = std::mem::take(&mut self.m);
        self.m = x.metrics.clone();
        self.m.extend(own);
        x
    }

    // ---- the scenarios --------------------------------------------------------------------------

    /// T1: kill -9 of the master; `return` starts it again 1 s after the failover.
    fn kill_master(&mut self) {
        self.resolver();
        self.sleep(1.0);
        self.inject();
        self.kill(self.master);
        if self.wait_switch(self.knobs.down_after as f64 / 1000.0 + 60.0) {
            self.mark("all_switched");
        }
        self.sleep(1.0);
        if self.variant == "return" {
            self.sleep(1.0);
            self.mark("restart");
            self.start(self.master);
            self.wait_synced(self.master, 60.0);
            self.sleep(0.5);
        }
        let fin = self.current_master();
        self.finish(fin);
    }

    /// T2: five sentinels; three of them may be killed before.
    fn five_sentinels(&mut self) {
        self.resolver();
        let mut dead = Vec::new();
        if self.variant == "nomajority" {
            let mut left = self.sentinels.clone();
            for _ in 0..3 {
                let i = self.rng.below(left.len() as u32) as usize;
                dead.push(left.remove(i));
            }
            for &s in &dead {
                self.kill(s);
            }
            self.sleep(3.0);
        } else {
            self.sleep(1.0);
        }
        self.inject();
        self.kill(self.master);
        if !dead.is_empty() {
            self.sleep(48.0);
            let happened = self.failover_happened();
            self.put("failover_happened", happened);
            self.finish(None);
            return;
        }
        if self.wait_switch(60.0) {
            self.mark("all_switched");
        }
        self.sleep(1.5);
        let fin = self.current_master();
        self.finish(fin);
    }

    /// T3: SIGSTOP of the master, SIGCONT some seconds later.
    fn stop_master(&mut self) {
        let time = match self.variant.as_str() {
            "stop3" => 3.0,
            "stop15" => 15.0,
            _ => 6.0,
        };
        self.resolver();
        self.sticky("sticky", 1);
        self.sticky("stickypipe", 10_000);
        self.sleep(1.0);
        self.inject();
        let node = self.name(self.master);
        self.act(Action::Pause { node: node.clone() });
        self.sleep(time - self.since() / 1000.0);
        self.mark("cont");
        self.act(Action::Resume { node });
        self.wait_switch(30.0);
        self.wait_synced(self.master, 60.0);
        self.sleep(1.0);
        let fin = self.current_master();
        self.finish(fin);
    }

    /// T4: SENTINEL FAILOVER to a random sentinel; the old master stays up.
    fn manual(&mut self) {
        self.resolver();
        self.sticky("sticky", 1);
        self.sleep(1.0);
        let i = self.rng.below(self.sentinels.len() as u32) as usize;
        let s = self.sentinels[i];
        self.question();
        self.inject();
        // What the request takes to the sentinel.
        self.w.run_for(Dur::us(100 + u64::from(self.rng.below(150))));
        self.w.ask(s, &["SENTINEL", "FAILOVER", GROUP]);
        self.mark("command_reply");
        let second = self.w.ask(s, &["SENTINEL", "FAILOVER", GROUP]);
        debug_assert!(second.is_none_or(|v| v == Value::error("INPROG Failover already in progress")));
        if self.wait_switch(30.0) {
            self.mark("all_switched");
        }
        self.wait_synced(self.master, 60.0);
        self.sleep(1.0);
        let fin = self.current_master();
        self.finish(fin);
    }

    /// T5: one of two sentinels is killed together with the master.
    fn two_sentinels(&mut self) {
        self.resolver();
        self.sleep(1.0);
        let i = self.rng.below(self.sentinels.len() as u32) as usize;
        let s = self.sentinels[i];
        self.inject();
        self.kill(self.master);
        self.kill(s);
        self.sleep(48.0);
        let happened = self.failover_happened();
        self.put("failover_happened", happened);
        self.finish(None);
    }

    /// T6: the master and a client are cut off from everybody else for 15 s.
    fn partition(&mut self) {
        self.client("w", Preset::Resolve, 1, Ipv4Addr::new(127, 0, 2, 102));
        self.client("minority", Preset::Sticky, 1, Ipv4Addr::new(127, 0, 2, 101));
        self.sleep(1.0);
        let names = |r: &Recorder<'_>, hosts: &[HostId]| hosts.iter().map(|&h| r.name(h)).collect::<Vec<_>>();
        let minority = self.writers[1];
        let alone = names(self, &[self.master, minority]);
        let mut rest = names(self, &self.replicas);
        rest.extend(names(self, &self.sentinels));
        rest.push(self.name(self.writers[0]));
        self.inject();
        self.act(Action::Cut { from: alone, to: rest, both: true });
        self.mark("cut_done");
        self.sleep(15.0 - self.since() / 1000.0);
        self.mark("heal");
        self.act(Action::Heal { from: Vec::new(), to: Vec::new() });
        self.wait_synced(self.master, 90.0);
        self.sleep(1.0);
        let fin = self.current_master();
        self.finish(fin);
        let times =
            self.w.sentinel_client(minority).map(|c| writers::ack_times(c, self.t0)).unwrap_or_default();
        let before = times.iter().copied().rfind(|t| *t < 15_000.0).map(round1);
        self.m.insert("minority_last_ack_before_heal".into(), before);
        self.put("minority_acks_after_heal", times.iter().filter(|t| **t >= 15_000.0).count() as f64);
    }

    /// T7: which replica is chosen.
    fn choice(&mut self) {
        if self.variant != "tie" {
            self.resolver();
        }
        self.sleep(1.0);
        let run_id = |r: &Recorder<'_>, h: HostId| r.w.server(h).map(|s| s.run_id);
        let smallest = self.replicas.iter().copied().min_by_key(|&h| run_id(self, h));
        let lag = match self.variant.as_str() {
            "offset" => smallest,
            "lowprio_lagging" => self.replicas.get(1).copied(),
            _ => None,
        };
        if let Some(lag) = lag {
            let (from, to) = (vec![self.name(self.master)], vec![self.name(lag)]);
            self.act(Action::Cut { from, to, both: true });
            // Longer than the period of INFO.
            self.sleep(11.5);
        }
        for _ in 0..self.replicas.len() {
            self.question();
        }
        self.inject();
        self.kill(self.master);
        if self.variant == "allprio0" {
            self.sleep(30.0);
            let happened = self.failover_happened();
            self.put("failover_happened", happened);
            self.finish(None);
            return;
        }
        self.wait_switch(40.0);
        self.sleep(1.5);
        let fin = self.current_master();
        let x = self.finish(fin);
        let want = match self.variant.as_str() {
            "offset" => self.replicas.iter().copied().find(|&h| Some(h) != lag),
            "tie" => smallest,
            _ => self.replicas.get(1).copied(),
        };
        let want = want.map(|h| self.name(h));
        self.put("chosen_as_expected", f64::from(u8::from(x.promoted == want)));
    }

    /// T8: the chosen replica is killed during the failover.
    fn replica_dies(&mut self) {
        self.resolver();
        self.sleep(1.0);
        let kind = if self.variant == "at_selected" { Kind::Selected } else { Kind::WaitPromotion };
        self.inject();
        self.kill(self.master);
        if let Some((_, event)) = self.wait_event(kind, 40.0) {
            let at = event.about.map(|a| Addr { ip: a.at.ip, port: a.at.port });
            if let Some(victim) = self.replicas.iter().copied().find(|&r| Some(self.addr(r)) == at) {
                self.kill(victim);
                self.mark("replica_killed");
            }
        }
        if self.wait_switch(70.0) {
            self.mark("all_switched");
        }
        self.sleep(1.5);
        let fin = self.current_master();
        self.finish(fin);
    }

    /// T9: the master is started again 300 ms after it stopped.
    fn fast_restart(&mut self) {
        self.resolver();
        self.sleep(2.0);
        for _ in 0..=self.replicas.len() {
            self.question();
        }
        self.inject();
        if self.variant == "rdb_shutdown" {
            self.w.ask(self.master, &["SHUTDOWN", "SAVE"]);
            let end = self.now() + 5000.0;
            while self.w.server(self.master).is_some() && self.now() < end {
                self.w.run_for(Dur::us(200));
            }
        } else {
            self.kill(self.master);
        }
        self.mark("stopped");
        self.sleep(0.3);
        self.mark("restart");
        self.start(self.master);
        self.until(10.0, 0.02, |r| r.w.server(r.master).is_some_and(|s| !s.loading));
        self.mark("m1_answers");
        let mut left = self.replicas.clone();
        let end = self.now() + 20_000.0;
        let answers = self.marks.get("m1_answers").copied().unwrap_or_default();
        while !left.is_empty() && self.now() < end {
            for r in self.replicas.clone() {
                self.question();
                let offset = self.w.server(r).map_or(0, |s| s.repl.announced_offset());
                if left.contains(&r) && self.in_sync(r) && offset > 0 && answers < self.since() - 300.0 {
                    left.retain(|&h| h != r);
                    let name = format!("{}_connected", self.name(r));
                    self.mark(&name);
                }
            }
            self.sleep(0.05);
        }
        // Long enough for INFO to notice the new run id.
        self.sleep(12.0);
        let happened = self.failover_happened();
        self.put("failover_happened", happened);
        let fin = self.current_master();
        self.finish(fin);
        let reboots: Vec<f64> =
            self.events().iter().filter(|e| e.text.starts_with("+reboot")).map(|e| e.ms).collect();
        if let (Some(&first), Some(&last)) = (reboots.first(), reboots.last()) {
            self.put("reboot_first", first);
            self.put("reboot_last", last);
        }
    }

    /// T10: one or two sentinels are stopped for 5 s; the master may be killed after.
    fn tilt(&mut self) {
        self.resolver();
        self.sleep(1.0);
        let mut left = self.sentinels.clone();
        let count = if self.variant == "two_kill" { 2 } else { 1 };
        let stopped: Vec<HostId> = (0..count)
            .map(|_| {
                let i = self.rng.below(left.len() as u32) as usize;
                left.remove(i)
            })
            .collect();
        self.inject();
        for &s in &stopped {
            let node = self.name(s);
            self.act(Action::Pause { node });
        }
        self.sleep(5.0 - self.since() / 1000.0);
        self.mark("cont");
        for &s in &stopped {
            let node = self.name(s);
            self.act(Action::Resume { node });
        }
        if self.variant == "one" {
            self.sleep(36.5);
        } else {
            self.sleep(1.0);
            self.mark("master_killed");
            self.kill(self.master);
            if self.wait_switch(60.0) {
                self.mark("all_switched");
            }
            self.sleep(37.0 - self.since() / 1000.0);
        }
        let fin = self.current_master();
        self.finish(fin);
        let get = |m: &Metrics, name: &str| m.get(name).copied().flatten();
        let cont = self.marks["cont"];
        for name in ["tilt_first", "tilt_end_first"] {
            if let Some(at) = get(&self.m, name) {
                self.put(&format!("d_cont_to_{name}"), round1(at - cont));
            }
        }
        if let (Some(from), Some(to)) = (get(&self.m, "tilt_first"), get(&self.m, "tilt_end_first")) {
            self.put("d_tilt_length", round1(to - from));
        }
        let Some(&killed) = self.marks.get("master_killed") else { return };
        const AFTER: [&str; 7] = [
            "sdown_first",
            "odown_first",
            "leader_try",
            "leader_elected",
            "leader_switch",
            "switch_last",
            "first_write_new_master",
        ];
        for name in AFTER {
            if let Some(at) = get(&self.m, name) {
                self.put(&format!("d_kill_to_{name}"), round1(at - killed));
            }
        }
    }
}
