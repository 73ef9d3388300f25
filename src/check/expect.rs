//! What can be expected, as data, and as a sentence.

use std::fmt;

use super::happening::Pattern;
use super::ledger::Cause;
use crate::base::Dur;
use crate::slot::SlotSet;
use crate::trace::CantFailover;
use crate::world::probe::health::Overall;

/// A condition on a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exactly(u64),
    AtLeast(u64),
    AtMost(u64),
}

impl Count {
    pub fn holds(self, n: u64) -> bool {
        match self {
            Count::Exactly(want) => n == want,
            Count::AtLeast(want) => n >= want,
            Count::AtMost(want) => n <= want,
        }
    }

    /// Reads `5`, `>= 5`, `<= 5`, `> 5` or `< 5`.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn parse(text: &str) -> Result<Count, String> {
        let t = text.trim();
        let split = t.find(|c: char| c.is_ascii_digit()).unwrap_or(t.len());
        let (sign, digits) = t.split_at(split);
        let bad =
            || format!("`{text}` is not a condition on a number: write for example 5, \">= 5\" or \"<= 5\"");
        let n: u64 = digits.parse().map_err(|_| bad())?;
        match sign.trim() {
            "" | "=" | "==" => Ok(Count::Exactly(n)),
            ">=" => Ok(Count::AtLeast(n)),
            "<=" => Ok(Count::AtMost(n)),
            ">" => n.checked_add(1).map(Count::AtLeast).ok_or_else(bad),
            "<" => n.checked_sub(1).map(Count::AtMost).ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Count::Exactly(n) => write!(f, "{n}"),
            Count::AtLeast(n) => write!(f, "at least {n}"),
            Count::AtMost(n) => write!(f, "at most {n}"),
        }
    }
}

/// What a node is, by its own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    Master,
    Replica,
    ReplicaOf(String),
    /// Not running.
    Down,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Master => f.write_str("a master"),
            Role::Replica => f.write_str("a replica"),
            Role::ReplicaOf(master) => write!(f, "a replica of {master}"),
            Role::Down => f.write_str("down"),
        }
    }
}

/// Slots that a node owns, by its own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotsWanted {
    Count(Count),
    These(Box<SlotSet>),
}

/// What a reply must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyWanted {
    Is(String),
    StartsWith(String),
    Contains(String),
}

/// What a write ledger must say. `None`: anything.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WritesWanted {
    /// One client, or all together.
    pub client: Option<String>,
    /// In the order of [`WRITE_COUNTS`].
    pub counts: [Option<Count>; 7],
    pub lost_by: Vec<(Cause, Count)>,
}

/// What of a ledger can be expected, as a sentence names it.
pub const WRITE_COUNTS: [&str; 7] =
    ["acknowledged", "kept", "lost", "refused", "unknown", "unserved", "stale reads"];

/// Everything that can be expected. Where a node is optional, `None` means every running node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// `cluster_state` as the node says it.
    ClusterState {
        node: Option<String>,
        ok: bool,
    },
    Role {
        node: String,
        role: Role,
    },
    Slots {
        node: String,
        want: SlotsWanted,
    },
    /// `cluster_current_epoch` as the node says it.
    Epoch {
        node: Option<String>,
        want: Count,
    },
    /// A replica took the slots of `of` over, `within` so long after the last fault of `of`.
    Failover {
        of: String,
        by: Vec<String>,
        within: Option<Dur>,
    },
    /// Nobody took over the slots of this node, or of any.
    NoFailover {
        of: Option<String>,
    },
    /// The replica said why it cannot fail over.
    Refused {
        node: String,
        why: CantFailover,
    },
    /// The replica moved to another master by itself.
    Migrated {
        node: String,
        to: Option<String>,
    },
    /// Whether `who` has `node` in its table.
    Knows {
        who: Option<String>,
        node: String,
        knows: bool,
    },
    Writes(WritesWanted),
    /// Whether the replica is in sync with its master.
    Link {
        node: String,
        up: bool,
    },
    /// The string at the key in this node's data; `None`: no such key.
    Key {
        node: String,
        key: String,
        value: Option<String>,
    },
    /// How a monitor that asks this node judges the cluster.
    Health {
        node: Option<String>,
        overall: Overall,
    },
    /// The redis-cli that was started last is done, with this exit code and this among its lines.
    RedisCli {
        exit: Option<u8>,
        prints: Option<String>,
    },
    /// The last reply that the node gave to an operator.
    Reply {
        node: String,
        want: ReplyWanted,
    },
    Happened {
        what: Pattern,
        times: Count,
        since: Option<Dur>,
    },
    /// The first of each came in this order.
    Order(Vec<Pattern>),
    /// All running nodes agree on who owns every slot, and on who replicates whom.
    Agreement,
}

/// Redis's words for why a replica cannot fail over, as scenarios write them.
pub const REFUSALS: [(&str, CantFailover); 4] = [
    ("data-age", CantFailover::DataAge),
    ("waiting-delay", CantFailover::WaitingDelay),
    ("expired", CantFailover::Expired),
    ("waiting-votes", CantFailover::WaitingVotes),
];

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |node: &Option<String>| node.clone().unwrap_or_else(|| "every running node".into());
        match self {
            Expect::ClusterState { node, ok } => {
                write!(f, "{} says cluster_state:{}", who(node), if *ok { "ok" } else { "fail" })
            }
            Expect::Role { node, role } => write!(f, "{node} is {role}"),
            Expect::Slots { node, want: SlotsWanted::Count(n) } => write!(f, "{node} owns {n} slots"),
            Expect::Slots { node, want: SlotsWanted::These(s) } => write!(f, "{node} owns the slots {s}"),
            Expect::Epoch { node, want } => write!(f, "currentEpoch of {} is {want}", who(node)),
            Expect::Failover { of, by, within } => {
                let by = if by.is_empty() { "a replica".into() } else { by.join(" or ") };
                write!(f, "{by} takes over the slots of {of}")?;
                within.map_or(Ok(()), |d| write!(f, " within {d} of its fault"))
            }
            Expect::NoFailover { of: Some(of) } => write!(f, "nobody takes over the slots of {of}"),
            Expect::NoFailover { of: None } => f.write_str("no failover happens"),
            Expect::Refused { node, why } => {
                let why = REFUSALS.iter().find(|(_, w)| w == why).map_or("", |(name, _)| name);
                write!(f, "{node} says that it cannot fail over: {why}")
            }
            Expect::Migrated { node, to: Some(to) } => write!(f, "{node} migrates to {to}"),
            Expect::Migrated { node, to: None } => write!(f, "{node} migrates to another master"),
            Expect::Knows { who: w, node, knows: true } => write!(f, "{} knows {node}", who(w)),
            Expect::Knows { who: Some(w), node, knows: false } => write!(f, "{w} does not know {node}"),
            Expect::Knows { who: None, node, knows: false } => write!(f, "no running node knows {node}"),
            Expect::Writes(w) => {
                let of = w.client.as_deref().unwrap_or("all clients");
                let counts = WRITE_COUNTS.iter().zip(&w.counts);
                let counts = counts.filter_map(|(name, c)| c.map(|c| format!("{name} {c}")));
                let by = w.lost_by.iter().map(|(cause, c)| format!("lost ({}) {c}", cause.name()));
                let parts: Vec<String> = counts.chain(by).collect();
                write!(f, "writes of {of}: {}", parts.join(", "))
            }
            Expect::Link { node, up } => {
                write!(f, "{node} is {} with its master", if *up { "in sync" } else { "not in sync" })
            }
            Expect::Key { node, key, value: Some(v) } => write!(f, "{key} on {node} is {v}"),
            Expect::Key { node, key, value: None } => write!(f, "{node} has no {key}"),
            Expect::Health { node, overall } => {
                write!(f, "the cluster is {} in the eyes of {}", overall.name(), who(node))
            }
            Expect::RedisCli { exit, prints } => {
                f.write_str("redis-cli is done")?;
                exit.map_or(Ok(()), |code| write!(f, " with exit code {code}"))?;
                prints.as_ref().map_or(Ok(()), |text| write!(f, " and printed {text}"))
            }
            Expect::Reply { node, want } => match want {
                ReplyWanted::Is(t) => write!(f, "{node} replied {t}"),
                ReplyWanted::StartsWith(t) => write!(f, "{node} replied {t}..."),
                ReplyWanted::Contains(t) => write!(f, "{node} replied ...{t}..."),
            },
            Expect::Happened { what, times, since } => {
                match times {
                    Count::Exactly(0) | Count::AtMost(0) => write!(f, "never: {what}")?,
                    Count::AtLeast(1) => write!(f, "{what}")?,
                    n => write!(f, "{what}, {n} times")?,
                }
                since.map_or(Ok(()), |d| write!(f, ", since {d}"))
            }
            Expect::Order(list) => {
                let parts: Vec<String> = list.iter().map(|p| p.to_string()).collect();
                f.write_str(&parts.join(", then "))
            }
            Expect::Agreement => f.write_str("all running nodes agree on slots and roles"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_and_hold() {
        assert!(Count::parse(">= 3").unwrap().holds(3));
        assert!(!Count::parse("> 3").unwrap().holds(3));
        assert!(Count::parse("< 3").unwrap().holds(2));
        assert_eq!(Count::parse(" 7 "), Ok(Count::Exactly(7)));
        for bad in ["", "x", ">=", "=> 3", "-1", "< 0", "> 18446744073709551615", "1 2"] {
            assert!(Count::parse(bad).is_err(), "{bad}");
        }
    }
}
