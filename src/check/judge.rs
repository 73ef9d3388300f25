//! Whether an expectation holds in a world at its present moment.

use super::expect::{Expect, ReplyWanted, Role, SlotsWanted, WRITE_COUNTS};
use super::happening::Pattern;
use super::ledger::{Book, ledger};
use super::{Expectation, Verdict};
use crate::base::{Dur, SimTime};
use crate::redis::bus::Bus;
use crate::redis::bus::view::{NO_ROW, flag};
use crate::redis::repl::LinkState;
use crate::redis::server::Server;
use crate::redis::server::keyspace::Object;
use crate::trace::{Event, Fact, HostId, NodeId};
use crate::world::World;

/// Judges the expectation now; the caller has run the world to its time.
pub fn judge(w: &World, book: &Book, e: &Expectation) -> Verdict {
    let (ok, seen) = answer(w, book, &e.expect);
    Verdict { at: e.at, line: e.line, text: e.expect.to_string(), ok, seen }
}

type Answer = (bool, String);

fn answer(w: &World, book: &Book, expect: &Expect) -> Answer {
    match expect {
        Expect::ClusterState { node, ok } => each(w, node, |_, bus| {
            let says = if bus.state_ok { "ok" } else { "fail" };
            (bus.state_ok == *ok, says.into())
        }),
        Expect::Epoch { node, want } => {
            each(w, node, |_, bus| (want.holds(bus.current_epoch), bus.current_epoch.to_string()))
        }
        Expect::Role { node, role } => {
            let is = role_of(w, node);
            let ok = match (role, &is) {
                (Role::Replica, Role::ReplicaOf(_)) => true,
                (want, is) => want == is,
            };
            (ok, format!("it is {is}"))
        }
        Expect::Slots { node, want } => slots(w, node, want),
        Expect::Failover { of, by, within } => failover(w, of, by, *within),
        Expect::NoFailover { of } => {
            let found = promotions(w, of.as_deref()).next();
            let seen = found.map_or("there was none".into(), |(e, _)| {
                format!("{} was promoted at {}", w.names.host_name(e.host), when(w, e.at))
            });
            (found.is_none(), seen)
        }
        Expect::Refused { node, why } => {
            let mut said: Vec<String> = Vec::new();
            let mut ok = false;
            for e in on(w, node) {
                if let Fact::CantFailover { why: because } = e.fact {
                    ok |= because == *why;
                    said.push(format!("{because:?}"));
                }
            }
            (
                ok,
                if said.is_empty() {
                    "it said nothing".into()
                } else {
                    format!("it said {}", said.join(", "))
                },
            )
        }
        Expect::Migrated { node, to } => {
            let moves: Vec<String> = on(w, node)
                .filter_map(|e| match e.fact {
                    Fact::MigratingTo { master } => Some(w.names.nick(master)),
                    _ => None,
                })
                .collect();
            let ok = to.as_ref().map_or(!moves.is_empty(), |to| moves.contains(to));
            (
                ok,
                if moves.is_empty() {
                    "it stayed".into()
                } else {
                    format!("it moved to {}", moves.join(", "))
                },
            )
        }
        Expect::Knows { who, node, knows } => {
            let Some(id) = w.host(node).and_then(|h| w.node_id(h)) else {
                return (!knows, format!("{node} never had a cluster id"));
            };
            each(w, who, |_, bus| {
                let found = bus.find(id).is_some();
                (found == *knows || bus.me().id == id, if found { "knows it" } else { "does not" }.into())
            })
        }
        Expect::Writes(want) => {
            let l = ledger(w, book, want.client.as_deref());
            let counts = [l.acked, l.kept, l.lost, l.refused, l.unknown, l.unserved, l.stale_reads];
            let by = |cause| l.lost_by_cause.get(cause).copied().unwrap_or(0);
            let ok = want.counts.iter().zip(counts).all(|(want, n)| want.is_none_or(|c| c.holds(n)))
                && want.lost_by.iter().all(|(cause, want)| want.holds(by(cause)));
            let parts: Vec<String> =
                WRITE_COUNTS.iter().zip(counts).map(|(name, n)| format!("{n} {name}")).collect();
            let causes: Vec<String> =
                l.lost_by_cause.iter().map(|(cause, n)| format!("{n} {}", cause.name())).collect();
            let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
            let seen = format!("{} sent, {}{causes}", l.sent, parts.join(", "));
            (ok, seen)
        }
        Expect::Link { node, up } => match server(w, node) {
            None => (!up, "it is down".into()),
            Some(s) => {
                let is = s.repl.is_replica() && s.repl.state == LinkState::Connected;
                let seen = match s.repl.is_replica() {
                    false => "it has no master".into(),
                    true => format!("the state of the link is {:?}", s.repl.state),
                };
                (is == *up, seen)
            }
        },
        Expect::Key { node, key, value } => match server(w, node) {
            None => (false, "it is down".into()),
            Some(s) => match (s.db.get(key.as_bytes()), value) {
                (None, want) => (want.is_none(), "there is no such key".into()),
                (Some(Object::String(is)), want) => {
                    let is = String::from_utf8_lossy(is);
                    (want.as_deref() == Some(&*is), format!("it is {is}"))
                }
                (Some(other), _) => (false, format!("it is a {}", other.type_name())),
            },
        },
        Expect::Health { node, overall } => each(w, node, |host, _| match w.health(host) {
            None => (false, "it does not answer".into()),
            Some(health) => (health.overall == *overall, health.to_string()),
        }),
        Expect::RedisCli { exit, prints } => tool(w, *exit, prints.as_deref()),
        Expect::Reply { node, want } => {
            let host = w.host(node);
            let Some((_, _, shown, value)) = w.replies.iter().rev().find(|r| Some(r.1) == host) else {
                return (false, "it has not replied to any command".into());
            };
            let text = value.as_str().unwrap_or(shown);
            let ok = match want {
                ReplyWanted::Is(t) => t == text,
                ReplyWanted::StartsWith(t) => text.starts_with(t.as_str()),
                ReplyWanted::Contains(t) => text.contains(t.as_str()),
            };
            (ok, format!("it replied {}", text.chars().take(200).collect::<String>()))
        }
        Expect::Happened { what, times, since } => {
            let from = w.formed_at.unwrap_or_default() + since.unwrap_or_default();
            let found: Vec<&Event> =
                w.trace.events.iter().filter(|e| e.at >= from && what.matches(w, e)).collect();
            let seen = match found.first() {
                None => "it did not happen".into(),
                Some(e) => format!("{} times, first at {}", found.len(), when(w, e.at)),
            };
            (times.holds(found.len() as u64), seen)
        }
        Expect::Order(patterns) => order(w, patterns),
        Expect::Agreement => agreement(w),
    }
}

/// The answer for one node, or for every running node: all must be right; those that are not are named.
fn each(w: &World, node: &Option<String>, f: impl Fn(HostId, &Bus) -> Answer) -> Answer {
    if let Some(name) = node {
        return match w.host(name).and_then(|h| Some((h, w.bus(h)?))) {
            None => (false, "it is down".into()),
            Some((h, bus)) => f(h, bus),
        };
    }
    let answers: Vec<(&str, Answer)> = running(w).map(|(h, bus)| (w.names.host_name(h), f(h, bus))).collect();
    let wrong: Vec<String> = answers
        .iter()
        .filter(|(_, (ok, _))| !ok)
        .map(|(name, (_, seen))| format!("{name}: {seen}"))
        .collect();
    match (answers.is_empty(), wrong.is_empty()) {
        (true, _) => (false, "no node is running".into()),
        (_, true) => (true, "all of them".into()),
        _ => (false, wrong.join(", ")),
    }
}

/// Nodes that can speak: up and not stopped.
pub(super) fn running(w: &World) -> impl Iterator<Item = (HostId, &Bus)> {
    w.servers().filter(|(h, _)| !w.hosts[*h].paused).filter_map(|(h, s)| Some((h, s.bus.as_ref()?)))
}

fn server<'a>(w: &'a World, node: &str) -> Option<&'a Server> {
    w.server(w.host(node)?)
}

/// What happened on a node since the deployment was formed.
fn on<'a>(w: &'a World, node: &str) -> impl Iterator<Item = &'a Event> {
    let host = w.host(node);
    let from = w.formed_at.unwrap_or_default();
    w.trace.events.iter().filter(move |e| e.at >= from && Some(e.host) == host)
}

/// To the millisecond: this is for reading.
fn when(w: &World, t: SimTime) -> Dur {
    Dur::ms(w.since_formed(t).max(0) as u64 / 1000)
}

/// What the redis-cli that was started last came to.
fn tool(w: &World, exit: Option<u8>, prints: Option<&str>) -> Answer {
    let Some(tool) = w.tools().last() else { return (false, "it was never run".into()) };
    let last = tool.output().last().map_or("nothing".to_string(), |l| l.to_string());
    let Some(code) = tool.exit_code() else {
        return (false, format!("it still runs; its last line: {last}"));
    };
    if exit.is_some_and(|want| want != code) {
        return (false, format!("its exit code is {code}; its last line: {last}"));
    }
    match prints {
        Some(text) if !tool.output().iter().any(|l| l.contains(text)) => {
            (false, format!("it did not; its last line: {last}"))
        }
        _ => (true, format!("its last line: {last}")),
    }
}

fn role_of(w: &World, node: &str) -> Role {
    let Some(s) = server(w, node) else { return Role::Down };
    match &s.bus {
        Some(bus) if bus.me().is(flag::SLAVE) => {
            let master = bus.me().slaveof;
            Role::ReplicaOf(if master == NO_ROW { "nobody".into() } else { w.names.nick(bus.row(master).id) })
        }
        None if s.repl.is_replica() => {
            let master = s.repl.masterhost.expect("a replica has a master");
            let found = w.plan.nodes.iter().find(|n| n.addr() == master);
            Role::ReplicaOf(found.map_or_else(|| master.to_string(), |n| n.name.clone()))
        }
        _ => Role::Master,
    }
}

fn slots(w: &World, node: &str, want: &SlotsWanted) -> Answer {
    let Some(bus) = w.host(node).and_then(|h| w.bus(h)) else { return (false, "it is down".into()) };
    let claim = bus.me().slots;
    match want {
        SlotsWanted::Count(n) => {
            let len = w.names.claim_len(claim);
            (n.holds(len.into()), format!("it owns {len}"))
        }
        SlotsWanted::These(set) => {
            let is = w.names.slots(claim);
            (**is == **set, if is.is_empty() { "it owns none".into() } else { format!("it owns {is}") })
        }
    }
}

/// Promotions since the deployment was formed, with the node whose slots were taken.
fn promotions<'a>(w: &'a World, of: Option<&str>) -> impl Iterator<Item = (&'a Event, NodeId)> {
    let of = of.map(|name| w.host(name));
    let from = w.formed_at.unwrap_or_default();
    w.trace.events.iter().filter(move |e| e.at >= from).filter_map(move |e| match e.fact {
        Fact::Promoted { from } if of.is_none_or(|of| w.names.owner(from) == of) => Some((e, from)),
        _ => None,
    })
}

fn failover(w: &World, of: &str, by: &[String], within: Option<Dur>) -> Answer {
    let mut seen: Vec<String> = Vec::new();
    let mut ok = false;
    for (e, _) in promotions(w, Some(of)) {
        let winner = w.names.host_name(e.host);
        let took = last_fault(w, of, e.at).map(|t| e.at.since(t));
        let after = took.map_or(String::new(), |d| format!(" {}ms after the fault", d.as_ms()));
        seen.push(format!("{winner} took over{after}"));
        let in_time = within.is_none_or(|limit| took.is_some_and(|d| d <= limit));
        ok |= in_time && (by.is_empty() || by.iter().any(|b| b == winner));
    }
    (ok, if seen.is_empty() { format!("nobody took over the slots of {of}") } else { seen.join(", ") })
}

/// When the node was last hit before `until`.
fn last_fault(w: &World, node: &str, until: SimTime) -> Option<SimTime> {
    let host = w.host(node)?;
    let hits = |e: &&Event| match e.fact {
        Fact::Killed | Fact::Crashed | Fact::Paused | Fact::Busy { .. } | Fact::ShutdownRequested => {
            e.host == host
        }
        Fact::Exited { .. } => e.host == host,
        Fact::LinkCut { from, to } => from == host || to == host,
        _ => false,
    };
    w.trace.events.iter().rev().filter(|e| e.at <= until).find(hits).map(|e| e.at)
}

fn order(w: &World, patterns: &[Pattern]) -> Answer {
    let formed = w.formed_at.unwrap_or_default();
    let mut from = w.trace.events.partition_point(|e| e.at < formed);
    for p in patterns {
        match w.trace.events[from..].iter().position(|e| p.matches(w, e)) {
            Some(i) => from += i + 1,
            None => return (false, format!("there was no \"{p}\" after the ones before it")),
        }
    }
    (true, "in this order".into())
}

fn agreement(w: &World) -> Answer {
    let mut views = running(w).filter(|(_, bus)| bus.dict.len() > 1);
    let Some((first, reference)) = views.next() else { return (false, "no node is running".into()) };
    let wanted = roles(w, reference);
    for (h, bus) in views {
        let (a, b) = (w.names.host_name(first), w.names.host_name(h));
        if !bus.owners.same_as(&reference.owners) {
            return (false, format!("{a} and {b} differ on who owns some slot"));
        }
        if roles(w, bus) != wanted {
            return (false, format!("{a} and {b} differ on who is a replica of whom"));
        }
    }
    (true, "they do".into())
}

/// (node, its master) of all running nodes as one node sees them.
fn roles(w: &World, bus: &Bus) -> Vec<(NodeId, NodeId)> {
    let up = |id: NodeId| w.names.owner(id).is_some_and(|h| w.server(h).is_some() && !w.hosts[h].paused);
    let mut out: Vec<(NodeId, NodeId)> = bus
        .in_order()
        .filter(|r| up(r.id))
        .map(|r| (r.id, if r.slaveof == NO_ROW { NodeId::NONE } else { bus.row(r.slaveof).id }))
        .collect();
    out.sort_unstable();
    out
}
