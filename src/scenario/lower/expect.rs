//! What a step expects.

use std::ops::Range;

use serde_spanned::Spanned;

use super::super::schema::{self, LinkWord, Named, Number, SlotsWord, StateWord, Words};
use super::Lower;
use crate::base::Dur;
use crate::check::expect::{REFUSALS, ReplyWanted, SlotsWanted, WritesWanted};
use crate::check::happening::{HAPPENINGS, happening};
use crate::check::{Cause, Count, Expect, Expectation, Pattern, Role};
use crate::params::nearest;
use crate::slot::{SLOTS, SlotSet};
use crate::world::probe::health::Overall;

impl Lower {
    pub(super) fn expect(&mut self, e: &schema::Expect, place: Range<usize>, at: Dur, line: u32) {
        let mut found: Vec<Expect> = Vec::new();
        for (who, state) in &e.cluster_state {
            let ok = *state.get_ref() == StateWord::Ok;
            found.push(Expect::ClusterState { node: self.node_or_all(who), ok });
        }
        for (node, role) in &e.role {
            let node = self.node(node);
            let role = self.role(role);
            found.extend(role.map(|role| Expect::Role { node, role }));
        }
        for (node, want) in &e.slots {
            let node = self.node(node);
            let want = self.slots(want);
            found.extend(want.map(|want| Expect::Slots { node, want }));
        }
        for (who, Number(want)) in e.epoch.iter().map(|(k, v)| (k, v.get_ref())) {
            found.push(Expect::Epoch { node: self.node_or_all(who), want: *want });
        }
        if let Some(f) = &e.failover {
            found.extend(self.failover(f));
        }
        if let Some(of) = &e.no_failover {
            let of = if of.get_ref() == "any" { None } else { Some(self.node(of)) };
            found.push(Expect::NoFailover { of });
        }
        if let Some(r) = &e.refused {
            found.extend(self.refused(r));
        }
        if let Some(m) = &e.migrated {
            let t = m.get_ref();
            let to = t.to.as_ref().map(|to| self.node(to));
            let node = self.needed_node(t.node.as_ref(), m.span());
            found.extend(node.map(|node| Expect::Migrated { node, to }));
        }
        self.known(&e.known, true, &mut found);
        self.known(&e.forgotten, false, &mut found);
        if let Some(w) = &e.writes {
            found.extend(self.writes(w));
        }
        for (node, link) in &e.link {
            found.push(Expect::Link { node: self.node(node), up: *link.get_ref() == LinkWord::Up });
        }
        if let Some(k) = &e.key {
            let t = k.get_ref();
            let node = self.needed_node(t.node.as_ref(), k.span());
            if t.name.is_none() {
                self.missing(k.span(), "expect.key does not say which key", "add: name = \"...\"");
            }
            let (node, key) = (node.unwrap_or_default(), t.name.clone().unwrap_or_default());
            found.push(Expect::Key { node, key, value: t.value.clone() });
        }
        for (who, word) in &e.health {
            let node = self.node_or_all(who);
            found.extend(self.health(word).map(|overall| Expect::Health { node, overall }));
        }
        if let Some(c) = &e.redis_cli {
            let t = c.get_ref();
            let exit = t.exit.as_ref().and_then(|n| self.number(n, 0..=255, "exit code"));
            if t.exit.is_none() && t.prints.is_none() {
                self.missing(c.span(), "expect.redis-cli asks for nothing", "add: exit = 0");
            }
            found.push(Expect::RedisCli { exit: exit.map(|n| n as u8), prints: t.prints.clone() });
        }
        if let Some(r) = &e.reply {
            found.extend(self.reply(r));
        }
        if let Some(h) = &e.happened {
            let t = h.get_ref();
            let what = self.pattern(t.what.as_ref(), t.on.as_ref(), t.about.as_ref(), h.span());
            let times = t.times.map_or(Count::AtLeast(1), |n| n.0);
            let since = t.since.map(|s| s.0);
            found.extend(what.map(|what| Expect::Happened { what, times, since }));
        }
        if let Some(list) = &e.order {
            found.extend(self.order(list));
        }
        if let Some(yes) = &e.agreement {
            if *yes.get_ref() {
                found.push(Expect::Agreement);
            } else {
                self.wrong(yes.span(), "disagreement cannot be expected", Some("leave it out".into()));
            }
        }
        if found.is_empty() {
            self.missing(
                place,
                "nothing is expected",
                "add for example: expect.cluster-state = { all = \"ok\" }",
            );
        }
        self.expectations.extend(found.into_iter().map(|expect| Expectation { at, line, expect }));
    }

    fn node_or_all(&mut self, who: &Spanned<String>) -> Option<String> {
        if who.get_ref() == "all" { None } else { Some(self.node(who)) }
    }

    pub(super) fn needed_node(
        &mut self,
        node: Option<&Spanned<String>>,
        place: Range<usize>,
    ) -> Option<String> {
        match node {
            Some(n) => Some(self.node(n)),
            None => {
                self.missing(place, "this does not say which node", "add: node = \"n1\"");
                None
            }
        }
    }

    fn health(&mut self, word: &Spanned<String>) -> Option<Overall> {
        let found = Overall::ALL.into_iter().find(|o| o.name() == word.get_ref());
        if found.is_none() {
            let help = format!("there are {}", Overall::ALL.map(Overall::name).join(", "));
            self.wrong(word.span(), format!("`{}` is no health", word.get_ref()), Some(help));
        }
        found
    }

    fn role(&mut self, text: &Spanned<String>) -> Option<Role> {
        match text.get_ref().as_str() {
            "master" => Some(Role::Master),
            "replica" => Some(Role::Replica),
            "down" => Some(Role::Down),
            other => match other.strip_prefix("replica of ") {
                Some(master) => {
                    let master = Spanned::new(text.span(), master.trim().to_string());
                    Some(Role::ReplicaOf(self.node(&master)))
                }
                None => {
                    let help = "write \"master\", \"replica\", \"replica of n1\" or \"down\"".to_string();
                    self.wrong(text.span(), format!("`{other}` is no role"), Some(help));
                    None
                }
            },
        }
    }

    fn slots(&mut self, want: &Spanned<SlotsWord>) -> Option<SlotsWanted> {
        match want.get_ref() {
            SlotsWord::Number(n) => Some(SlotsWanted::Count(*n)),
            SlotsWord::Text(text) => {
                let set = slot_set(text);
                if set.is_none() {
                    let message = format!("`{text}` are no slots");
                    let help = "write for example \"0-5460 5462\"; slots go from 0 to 16383".to_string();
                    self.wrong(want.span(), message, Some(help));
                }
                set.map(|set| SlotsWanted::These(Box::new(set)))
            }
        }
    }

    fn failover(&mut self, f: &Spanned<schema::Failover>) -> Option<Expect> {
        let t = f.get_ref();
        let by: Vec<String> = t.by.iter().flat_map(|w| &w.0).map(|n| self.node(n)).collect();
        let Some(of) = &t.of else {
            self.missing(f.span(), "expect.failover does not say of which node", "add: of = \"n1\"");
            return None;
        };
        Some(Expect::Failover { of: self.node(of), by, within: t.within.map(|t| t.0) })
    }

    fn refused(&mut self, r: &Spanned<schema::Refused>) -> Option<Expect> {
        let t = r.get_ref();
        let node = self.needed_node(t.node.as_ref(), r.span());
        let names = REFUSALS.map(|(name, _)| name);
        let Some(why) = &t.why else {
            self.missing(r.span(), "expect.refused does not say why", "add: why = \"data-age\"");
            return None;
        };
        match REFUSALS.iter().find(|(name, _)| name == why.get_ref()) {
            Some((_, why)) => node.map(|node| Expect::Refused { node, why: *why }),
            None => {
                let near = nearest(why.get_ref(), names);
                let help = near.map_or_else(
                    || format!("there are {}", names.join(", ")),
                    |n| format!("did you mean `{n}`?"),
                );
                self.wrong(why.span(), format!("`{}` is no reason", why.get_ref()), Some(help));
                None
            }
        }
    }

    fn known(&mut self, table: &Named<Words>, knows: bool, found: &mut Vec<Expect>) {
        for (who, names) in table {
            let who = self.node_or_all(who);
            for name in &names.get_ref().0 {
                found.push(Expect::Knows { who: who.clone(), node: self.node(name), knows });
            }
        }
    }

    fn writes(&mut self, w: &Spanned<schema::Writes>) -> Option<Expect> {
        let t = w.get_ref();
        if let Some(c) = &t.client {
            let known: Vec<String> = self.clients.iter().map(|c| c.name.clone()).collect();
            let many = known.iter().any(|k| k.rsplit_once('-').is_some_and(|(name, _)| name == c.get_ref()));
            if !known.contains(c.get_ref()) && !many {
                self.unknown_name(c, "client", &known);
            }
        }
        let counts = [t.acked, t.kept, t.lost, t.refused, t.unknown, t.unserved, t.stale_reads];
        let mut lost_by = Vec::new();
        for (name, count) in &t.lost_by {
            match Cause::ALL.into_iter().find(|c| c.name() == name.get_ref()) {
                Some(cause) => lost_by.push((cause, count.get_ref().0)),
                None => {
                    let known = Cause::ALL.map(|c| c.name().to_string());
                    self.unknown_name(name, "cause of a loss", &known);
                }
            }
        }
        let want = WritesWanted {
            client: t.client.as_ref().map(|c| c.get_ref().clone()),
            counts: counts.map(|n| n.map(|n| n.0)),
            lost_by,
        };
        if counts.iter().all(Option::is_none) && t.lost_by.is_empty() {
            self.missing(w.span(), "nothing is expected of the writes", "add for example: lost = 0");
            return None;
        }
        Some(Expect::Writes(want))
    }

    fn reply(&mut self, r: &Spanned<schema::Reply>) -> Option<Expect> {
        let t = r.get_ref();
        let node = self.needed_node(t.node.as_ref(), r.span());
        let wants: Vec<ReplyWanted> = [
            t.is.clone().map(ReplyWanted::Is),
            t.starts.clone().map(ReplyWanted::StartsWith),
            t.contains.clone().map(ReplyWanted::Contains),
        ]
        .into_iter()
        .flatten()
        .collect();
        match <[ReplyWanted; 1]>::try_from(wants) {
            Ok([want]) => node.map(|node| Expect::Reply { node, want }),
            Err(_) => {
                self.missing(r.span(), "expect.reply takes one of is, starts, contains", "add: is = \"OK\"");
                None
            }
        }
    }

    fn order(&mut self, list: &Spanned<Vec<Spanned<schema::What>>>) -> Option<Expect> {
        let mut patterns = Vec::new();
        for item in list.get_ref() {
            let t = item.get_ref();
            patterns.extend(self.pattern(t.what.as_ref(), t.on.as_ref(), t.about.as_ref(), item.span()));
        }
        if list.get_ref().len() < 2 {
            self.missing(list.span(), "an order has at least two parts", "add what comes next");
            return None;
        }
        Some(Expect::Order(patterns))
    }

    pub(super) fn pattern(
        &mut self,
        what: Option<&Spanned<String>>,
        on: Option<&Spanned<String>>,
        about: Option<&Spanned<String>>,
        place: Range<usize>,
    ) -> Option<Pattern> {
        let on = on.map(|n| self.node_or_client(n));
        let about = about.map(|n| self.node_or_client(n));
        let Some(what) = what else {
            self.missing(place, "this does not say what happens", "add: what = \"promoted\"");
            return None;
        };
        let Some(known) = happening(what.get_ref()) else {
            let names = HAPPENINGS.iter().map(|h| h.name);
            let near = nearest(what.get_ref(), names.clone());
            let list = || names.collect::<Vec<_>>().join(", ");
            let help =
                near.map_or_else(|| format!("there are {}", list()), |n| format!("did you mean `{n}`?"));
            self.wrong(
                what.span(),
                format!("nothing that can happen is called `{}`", what.get_ref()),
                Some(help),
            );
            return None;
        };
        Some(Pattern::new(known, on, about))
    }

    pub(super) fn node_or_client(&mut self, name: &Spanned<String>) -> String {
        let mut known = self.node_names();
        known.extend(self.clients.iter().map(|c| c.name.clone()));
        if !known.contains(name.get_ref()) {
            self.unknown_name(name, "node or client", &known);
        }
        name.get_ref().clone()
    }
}

/// `0-5460 5462`, separated by spaces or commas; empty: none.
fn slot_set(text: &str) -> Option<SlotSet> {
    let mut set = SlotSet::EMPTY;
    for part in text.split([' ', ',']).filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= SLOTS {
            return None;
        }
        set.insert_range(first..=last);
    }
    Some(set)
}
