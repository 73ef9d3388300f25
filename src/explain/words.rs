//! Why one thing follows from another, in a sentence, and mechanisms in words.

use super::{Loser, LoserWhy, Mechanism};
use crate::trace::text::cannot;
use crate::trace::{Fact, HostId, Names};

/// Why the fact comes when it comes: the rule of Redis behind it. `None` where the fact says it all.
pub fn why(fact: &Fact) -> Option<&'static str> {
    Some(match fact {
        Fact::Pfail { .. } => {
            "A ping unanswered for cluster-node-timeout, with nothing else heard meanwhile, makes a node \
             suspect the other. That is an opinion: it changes nothing yet."
        }
        Fact::Reported { .. } => "Gossip carries opinions; only those of masters count as reports.",
        Fact::FailQuorum { .. } => {
            "It suspects the node itself, and with the reports of the last 2 x cluster-node-timeout a \
             majority of the masters does. FAIL is told to everybody at once."
        }
        Fact::FailMessage { .. } => "A FAIL message is believed without a second opinion.",
        Fact::ElectionScheduled { .. } => {
            "The replicas of a failed master wait 500 ms for the news to spread, up to 500 ms by chance so \
             that they do not collide, and 1000 ms for each sibling with newer data."
        }
        Fact::RankUpdated { .. } => "Siblings tell each other their offsets when they plan an election.",
        Fact::ElectionStarted { .. } => "The delay is over: it takes a new epoch and asks every master.",
        Fact::VoteGranted { .. } => {
            "One vote per epoch, and for a failed master's replica only; none for the same master within \
             2 x cluster-node-timeout."
        }
        Fact::ElectionWon { .. } => "A majority of all masters that own slots, the dead one counted too.",
        Fact::Promoted { .. } => "It claims the slots under its new, higher configEpoch: others must follow.",
        Fact::StateChanged { ok: true } => {
            "All slots have an owner that is not FAIL, and a majority is there."
        }
        Fact::ManualRequested { .. } => "The master holds back writes, so that its replica can catch up.",
        Fact::ManualReady => "No write can be lost now: the replica has all of them.",
        Fact::CantFailover { .. } => "Redis logs this at most every 5 minutes.",
        _ => return None,
    })
}

fn list(hosts: &[HostId], names: &impl Names) -> String {
    let all: Vec<&str> = hosts.iter().map(|h| names.host(*h)).collect();
    match all.as_slice() {
        [] => "nobody".into(),
        [one] => (*one).to_string(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl Mechanism {
    /// What happened, and why it can.
    pub fn text(&self, names: &impl Names) -> String {
        match self {
            Mechanism::SplitVote { candidates, apart } => format!(
                "{} asked for votes within {apart} of each other. A master votes once per epoch and once per \
                 failed master, so the votes were split and nobody had a majority.",
                list(candidates, names)
            ),
            Mechanism::Contested { candidates, apart } => format!(
                "{} asked for votes within {apart} of each other. One of them reached a majority first.",
                list(candidates, names)
            ),
            Mechanism::Retry { host, waited } => format!(
                "{} asked again {waited} after its first attempt: a failed attempt is given up after 2 x \
                 cluster-node-timeout, and the next planned after 4 x (2 and 4 seconds at least).",
                names.host(*host)
            ),
            Mechanism::FailByReplica { host } => format!(
                "{} is a replica and was the first to see that a majority of the masters agrees. Replicas \
                 count the masters' reports, too, and their FAIL message is believed like any other.",
                names.host(*host)
            ),
            Mechanism::StateBlip { hosts } => format!(
                "{} said ok, then fail again, then ok. A majority of masters is back: ok. Then a master that \
                 is still away becomes FAIL and its slots are uncovered: fail. Then its replica takes over: ok.",
                list(hosts, names)
            ),
            Mechanism::CoverageBlip { hosts, longest } => format!(
                "{} said fail for {longest} after the failover: the old owner was seen as a replica before the \
                 new owner's claim came, so nobody owned the slots for that moment.",
                list(hosts, names)
            ),
            Mechanism::RankUpdated { host, rank, added_ms } => format!(
                "{} learned while it waited that a sibling has newer data: its rank became {rank}, its delay \
                 {added_ms} ms longer.",
                names.host(*host)
            ),
            Mechanism::StaleReplica { host } => format!(
                "{} did not try: it had been cut off from its master for longer than \
                 cluster-replica-validity-factor x cluster-node-timeout + repl-ping-replica-period.",
                names.host(*host)
            ),
            Mechanism::Migration { host, to } => format!(
                "{} left its master, which has other replicas, for {}, which had none (cluster-migration-barrier).",
                names.host(*host),
                names.host(*to)
            ),
            Mechanism::DelayedAck { late, of, longest } => format!(
                "{} of {of} nodes ({}) learned of the new master up to {longest} after it had won. Its packet \
                 to them waited for the acknowledgement of the one before: bus connections use Nagle's \
                 algorithm, and the receiver's kernel delays acknowledgements by 40 ms.",
                late.len(),
                list(late, names)
            ),
        }
    }
}

impl Loser {
    /// Why it did not win.
    pub fn text(&self, names: &impl Names) -> String {
        let host = names.host(self.host);
        match &self.why {
            LoserWhy::TooLate => format!("{host} had not begun its election when another had won"),
            LoserWhy::TooFewVotes { granted, needed, denied } => {
                format!("{host} got {granted} of {needed} votes needed, {denied} were refused")
            }
            LoserWhy::Refused(why) => format!("{host} did not try: {}", cannot(*why)),
            LoserWhy::NeverPlanned => format!("{host} learned of the winner before it planned an election"),
            LoserWhy::Unfinished => format!("{host} had an election before it when the run ended"),
        }
    }
}
