//! The events of Redis Sentinel: what it logs and publishes, name and payload.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Serialize;

use super::text::{Names, Topic};
use super::{Level, LogLevel};

/// Host and port of an instance. Port 0 means that the address is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub ip: Ipv4Addr,
    pub port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.ip, self.port)
    }
}

/// What a watched instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Watched {
    Master,
    Slave,
    Sentinel,
}

impl Watched {
    pub fn name(self) -> &'static str {
        match self {
            Watched::Master => "master",
            Watched::Slave => "slave",
            Watched::Sentinel => "sentinel",
        }
    }
}

/// The instance that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    pub kind: Watched,
    pub name: Arc<str>,
    pub at: Place,
    /// The monitored master that it belongs to.
    pub group: Arc<str>,
    /// Where that master is.
    pub master: Place,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind.name(), self.name, self.at)?;
        match self.kind {
            Watched::Master => Ok(()),
            _ => write!(f, " @ {} {}", self.group, self.master),
        }
    }
}

/// What an event says besides whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Detail {
    None,
    /// Sentinels that say the master is down, and the quorum.
    Agree {
        count: u32,
        quorum: i64,
    },
    Quorum(i64),
    Epoch(u64),
    Vote {
        leader: Arc<str>,
        epoch: u64,
    },
    Role {
        master: bool,
    },
    Switch {
        from: Place,
        to: Place,
    },
    /// A sentinel is at another address now.
    Moved {
        ip: Arc<str>,
        port: i64,
        id: Arc<str>,
    },
    Matching(usize),
    /// Words of an option, a script, or a remark.
    Words(Arc<str>),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal $level:ident $keep:ident,)*) => {
        /// An event's name. Those at debug level are logged and not published.
        ///
        /// redis: sentinel.c sentinelEvent @7.0.15
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }
        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$name,)*];
            /// The name in the log, which is also the channel.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$name => $text,)* }
            }
            pub fn log_level(self) -> LogLevel {
                match self { $(Kind::$name => LogLevel::$level,)* }
            }
            /// The coarsest trace that keeps it.
            pub fn level(self) -> Level {
                match self { $(Kind::$name => Level::$keep,)* }
            }
        }
    };
}

kinds! {
    Monitor = "+monitor" Warning Notice,
    MonitorRemoved = "-monitor" Warning Headline,
    Set = "+set" Warning Headline,
    Reset = "+reset-master" Warning Headline,
    Slave = "+slave" Notice Notice,
    Sentinel = "+sentinel" Notice Notice,
    AddressSwitch = "+sentinel-address-switch" Notice Headline,
    AddressUpdate = "+sentinel-address-update" Notice Notice,
    InvalidAddress = "+sentinel-invalid-addr" Notice Headline,
    Reboot = "+reboot" Notice Headline,
    /// The role that an instance reports is what it should be.
    RoleAsExpected = "+role-change" Verbose Headline,
    RoleUnexpected = "-role-change" Verbose Headline,
    Sdown = "+sdown" Warning Headline,
    SdownCleared = "-sdown" Warning Headline,
    Odown = "+odown" Warning Headline,
    OdownCleared = "-odown" Warning Headline,
    NewEpoch = "+new-epoch" Warning Headline,
    TryFailover = "+try-failover" Warning Headline,
    Vote = "+vote-for-leader" Warning Headline,
    Elected = "+elected-leader" Warning Headline,
    SelectSlave = "+failover-state-select-slave" Warning Headline,
    AbortNotElected = "-failover-abort-not-elected" Warning Headline,
    AbortNoGoodSlave = "-failover-abort-no-good-slave" Warning Headline,
    AbortSlaveTimeout = "-failover-abort-slave-timeout" Warning Headline,
    Selected = "+selected-slave" Warning Headline,
    SendSlaveofNoOne = "+failover-state-send-slaveof-noone" Notice Headline,
    WaitPromotion = "+failover-state-wait-promotion" Notice Headline,
    Promoted = "+promoted-slave" Warning Headline,
    ReconfSlaves = "+failover-state-reconf-slaves" Warning Headline,
    ReconfSent = "+slave-reconf-sent" Notice Headline,
    ReconfInprog = "+slave-reconf-inprog" Notice Headline,
    ReconfDone = "+slave-reconf-done" Notice Headline,
    ReconfSentBestEffort = "+slave-reconf-sent-be" Notice Headline,
    ReconfTimeout = "-slave-reconf-sent-timeout" Notice Headline,
    EndForTimeout = "+failover-end-for-timeout" Warning Headline,
    End = "+failover-end" Warning Headline,
    Switch = "+switch-master" Warning Headline,
    ConfigUpdate = "+config-update-from" Warning Headline,
    ConvertToSlave = "+convert-to-slave" Notice Headline,
    FixSlaveConfig = "+fix-slave-config" Notice Headline,
    Tilt = "+tilt" Warning Headline,
    TiltOver = "-tilt" Warning Headline,
    ScriptStarted = "+script-child" Debug Notice,
    CmdLinkFailed = "-cmd-link-reconnection" Debug Debug,
    PubsubLinkFailed = "-pubsub-link-reconnection" Debug Debug,
}

impl Kind {
    /// Whether the payload begins with the instance. The others carry it for those who read traces.
    fn names_instance(self) -> bool {
        use Kind::*;
        !matches!(self, NewEpoch | Vote | Switch | Tilt | TiltOver | ScriptStarted)
    }
    pub fn is_published(self) -> bool {
        self.log_level() != LogLevel::Debug
    }
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|k| k.name() == name)
    }
}

impl Kind {
    pub fn topic(self) -> Topic {
        use Kind::*;
        match self {
            Sdown | SdownCleared | Odown | OdownCleared | Reboot => Topic::Detection,
            NewEpoch | TryFailover | Vote | Elected | AbortNotElected => Topic::Election,
            SelectSlave | AbortNoGoodSlave | AbortSlaveTimeout | Selected | SendSlaveofNoOne
            | WaitPromotion | Promoted | ReconfSlaves | ReconfSent | ReconfInprog | ReconfDone
            | ReconfSentBestEffort | ReconfTimeout | EndForTimeout | End | Switch | ConfigUpdate
            | ConvertToSlave | FixSlaveConfig | RoleAsExpected | RoleUnexpected => Topic::Role,
            Tilt | TiltOver => Topic::State,
            Set | Reset | MonitorRemoved => Topic::Deed,
            _ => Topic::Process,
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentinelEvent {
    pub event: Kind,
    pub about: Option<Subject>,
    pub detail: Detail,
}

impl SentinelEvent {
    /// What is published, and what stands in the log after the name.
    pub fn payload(&self) -> String {
        self.to_string()
    }
    /// The name of the monitored master, if the event is about one.
    pub fn group(&self) -> Option<&str> {
        self.about.as_ref().map(|s| s.group.as_ref())
    }
    /// Whether the event is about the monitored master itself.
    pub fn about_master(&self) -> bool {
        self.about.as_ref().is_some_and(|s| s.kind == Watched::Master)
    }
}

/// What people call who goes by this id, or the first digits of it.
fn called(id: &str, names: &impl Names) -> String {
    names.called_by(id).unwrap_or_else(|| id.chars().take(8).collect())
}

impl SentinelEvent {
    /// In plain words, after the name of the sentinel.
    pub fn headline(&self, names: &impl Names) -> String {
        use Kind::*;
        let group = self.group().unwrap_or("?");
        let about = match &self.about {
            Some(s) => match s.kind {
                Watched::Sentinel => format!("sentinel {}", called(&s.name, names)),
                Watched::Master => format!("master {group} at {}:{}", s.at.ip, s.at.port),
                Watched::Slave => format!("replica {}", s.name),
            },
            None => String::new(),
        };
        let rest = match &self.detail {
            Detail::Vote { leader, epoch } => format!("for {} in epoch {epoch}", called(leader, names)),
            Detail::Agree { count, quorum } => format!("{count} say so, quorum is {quorum}"),
            Detail::Switch { from, to } => {
                format!("from {}:{} to {}:{}", from.ip, from.port, to.ip, to.port)
            }
            Detail::Moved { ip, port, id } => format!("{} is at {ip}:{port} now", called(id, names)),
            Detail::Epoch(epoch) => epoch.to_string(),
            Detail::Words(words) => words.to_string(),
            Detail::Matching(n) => format!("{n} more entries"),
            Detail::None | Detail::Quorum(_) | Detail::Role { .. } => String::new(),
        };
        let role = matches!(self.detail, Detail::Role { master: true });
        match self.event {
            Monitor => format!("watches {about}"),
            MonitorRemoved => format!("watches {about} no more"),
            Set => format!("has a setting of {group} changed: {rest}"),
            Reset => format!("forgets all it knew of {group}"),
            Slave => format!("learns of {about} of {group}"),
            Sentinel => format!("learns of {about}"),
            AddressSwitch => format!("learns that sentinel {rest}"),
            AddressUpdate => format!("corrects the address of {about} in {rest}"),
            InvalidAddress => format!("forgets {about}: another has its address"),
            Reboot => format!("sees that {about} was restarted"),
            RoleAsExpected | RoleUnexpected => {
                format!("sees that {about} is a {} now", if role { "master" } else { "replica" })
            }
            Sdown => format!("believes that {about} is down"),
            SdownCleared => format!("believes that {about} is up again"),
            Odown => format!("{about} is down by quorum: {rest}"),
            OdownCleared => format!("{about} is not down by quorum any more"),
            NewEpoch => format!("goes to epoch {rest}"),
            TryFailover => format!("starts a failover of {group}"),
            Vote => format!("votes {rest}"),
            Elected => format!("is elected to lead the failover of {group}"),
            SelectSlave => format!("looks for the best replica of {group}"),
            AbortNotElected => format!("gives the failover of {group} up: not elected in time"),
            AbortNoGoodSlave => format!("gives the failover of {group} up: no replica is good enough"),
            AbortSlaveTimeout => format!("gives the failover of {group} up: the replica was not promoted"),
            Selected => format!("chooses {about} to be the new master"),
            SendSlaveofNoOne => format!("will tell {about} to be a master"),
            WaitPromotion => format!("has told {about} to be a master and waits for its INFO"),
            Promoted => format!("sees that {about} is a master: the new configuration counts"),
            ReconfSlaves => format!("points the other replicas of {group} to the new master"),
            ReconfSent => format!("tells {about} to follow the new master"),
            ReconfInprog => format!("sees that {about} is about to follow the new master"),
            ReconfDone => format!("sees that {about} is in sync with the new master"),
            ReconfSentBestEffort => format!("tells {about} to follow the new master, without waiting"),
            ReconfTimeout => format!("waits no more for {about}"),
            EndForTimeout => format!("ends the failover of {group}: it took too long"),
            End => format!("the failover of {group} is over"),
            Switch => format!("the master of {group} moves {rest}"),
            ConfigUpdate => format!("takes a newer configuration of {group} from {about}"),
            ConvertToSlave => format!("makes {about} a replica again"),
            FixSlaveConfig => format!("makes {about} follow the right master"),
            Tilt => "finds its own clock odd: it does not act for a while (TILT)".into(),
            TiltOver => "acts again after TILT".into(),
            ScriptStarted => format!("runs {rest}"),
            CmdLinkFailed | PubsubLinkFailed => format!("cannot connect to {about}"),
        }
    }
}

impl SentinelNote {
    pub fn topic(&self) -> Topic {
        match self {
            SentinelNote::Running { .. } | SentinelNote::Id(_) | SentinelNote::Saved => Topic::Process,
            SentinelNote::Manual { .. } | SentinelNote::WillCrash { .. } | SentinelNote::Crash => Topic::Deed,
            SentinelNote::VoteHeard { .. } | SentinelNote::Delay { .. } => Topic::Election,
        }
    }

    pub fn headline(&self, names: &impl Names) -> String {
        match self {
            SentinelNote::Running { port } => format!("accepts connections on port {port}"),
            SentinelNote::Id(id) => format!("goes by the id {}", id.chars().take(8).collect::<String>()),
            SentinelNote::Saved => "saves its configuration".into(),
            SentinelNote::VoteHeard { by, leader, epoch } => {
                let (by, leader) = (called(by, names), called(leader, names));
                format!("hears that {by} voted for {leader} in epoch {epoch}")
            }
            SentinelNote::Delay { group, until } => {
                let at = super::log::ctime(*until);
                format!("will not try to fail {group} over before {at}: an attempt was made lately")
            }
            SentinelNote::Manual { group } => format!("is asked to fail {group} over"),
            SentinelNote::WillCrash { after_promotion: false } => "will crash once it is elected".into(),
            SentinelNote::WillCrash { after_promotion: true } => {
                "will crash once a replica is promoted".into()
            }
            SentinelNote::Crash => "crashes, as it was told to".into(),
        }
    }
}

/// What a sentinel logs that is not an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum SentinelNote {
    /// It accepts connections.
    Running {
        port: u16,
    },
    /// It goes by this id.
    Id(Arc<str>),
    /// Its configuration file is rewritten.
    Saved,
    /// The answer of another sentinel brought its vote.
    VoteHeard {
        by: Arc<str>,
        leader: Arc<str>,
        epoch: u64,
    },
    /// It would start a failover, but the last attempt is too young. Unix seconds.
    Delay {
        group: Arc<str>,
        until: u64,
    },
    /// SENTINEL FAILOVER was accepted.
    Manual {
        group: Arc<str>,
    },
    /// SENTINEL SIMULATE-FAILURE was accepted.
    WillCrash {
        after_promotion: bool,
    },
    Crash,
}

impl SentinelNote {
    pub fn level(&self) -> Level {
        match self {
            SentinelNote::Saved | SentinelNote::Id(_) => Level::Notice,
            _ => Level::Headline,
        }
    }

    /// The log line. redis: sentinel.c sentinelFlushConfig, sentinelIsRunning @7.0.15
    pub fn log_line(&self) -> (LogLevel, String) {
        let text = match self {
            SentinelNote::Running { port } => {
                return (LogLevel::Notice, format!("Running mode=sentinel, port={port}."));
            }
            SentinelNote::Saved => {
                return (LogLevel::Notice, "Sentinel new configuration saved on disk".into());
            }
            SentinelNote::Id(id) => format!("Sentinel ID is {id}"),
            SentinelNote::VoteHeard { by, leader, epoch } => format!("{by} voted for {leader} {epoch}"),
            SentinelNote::Delay { until, .. } => {
                let at = super::log::ctime(*until);
                format!("Next failover delay: I will not start a failover before {at}")
            }
            SentinelNote::Manual { group } => format!("Executing user requested FAILOVER of '{group}'"),
            SentinelNote::WillCrash { after_promotion: false } => {
                "Failure simulation: this Sentinel will crash after being successfully elected as failover \
                 leader"
                    .into()
            }
            SentinelNote::WillCrash { after_promotion: true } => {
                "Failure simulation: this Sentinel will crash after promoting the selected replica to master"
                    .into()
            }
            SentinelNote::Crash => "Sentinel CRASH because of SENTINEL simulate-failure".into(),
        };
        (LogLevel::Warning, text)
    }
}

/// The payload. redis: sentinel.c sentinelEvent @7.0.15
impl fmt::Display for SentinelEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.event.names_instance();
        if let (true, Some(about)) = (named, &self.about) {
            write!(f, "{about}")?;
            if self.detail != Detail::None {
                write!(f, " ")?;
            }
        }
        match &self.detail {
            Detail::None => Ok(()),
            Detail::Agree { count, quorum } => write!(f, "#quorum {count}/{quorum}"),
            Detail::Quorum(q) => write!(f, "quorum {q}"),
            Detail::Epoch(epoch) => write!(f, "{epoch}"),
            Detail::Vote { leader, epoch } => write!(f, "{leader} {epoch}"),
            Detail::Role { master } => {
                write!(f, "new reported role is {}", if *master { "master" } else { "slave" })
            }
            Detail::Switch { from, to } => {
                write!(f, "{} {from} {to}", self.group().unwrap_or(""))
            }
            Detail::Moved { ip, port, id } => write!(f, "ip {ip} port {port} for {id}"),
            Detail::Matching(n) => write!(f, "{n} additional matching instances"),
            Detail::Words(words) => write!(f, "{words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(kind: Watched) -> Subject {
        let at = |last, port| Place { ip: Ipv4Addr::new(127, 0, 2, last), port };
        let (name, here) = match kind {
            Watched::Master => ("mymaster", at(1, 24000)),
            Watched::Slave => ("127.0.2.3:24002", at(3, 24002)),
            Watched::Sentinel => ("e44075a541b780c9d339669f50f334aff0a965c6", at(12, 24011)),
        };
        Subject { kind, name: name.into(), at: here, group: "mymaster".into(), master: at(1, 24000) }
    }

    fn line(event: Kind, kind: Watched, detail: Detail) -> String {
        format!("{} {}", event.name(), SentinelEvent { event, about: Some(subject(kind)), detail })
    }

    #[test]
    fn lines_are_those_of_a_recorded_log() {
        let place = |last, port| Place { ip: Ipv4Addr::new(127, 0, 2, last), port };
        let cases = [
            (
                line(Kind::Monitor, Watched::Master, Detail::Quorum(2)),
                "+monitor master mymaster 127.0.2.1 24000 quorum 2",
            ),
            (
                line(Kind::Odown, Watched::Master, Detail::Agree { count: 3, quorum: 2 }),
                "+odown master mymaster 127.0.2.1 24000 #quorum 3/2",
            ),
            (
                line(Kind::Slave, Watched::Slave, Detail::None),
                "+slave slave 127.0.2.3:24002 127.0.2.3 24002 @ mymaster 127.0.2.1 24000",
            ),
            (
                line(Kind::RoleUnexpected, Watched::Slave, Detail::Role { master: true }),
                "-role-change slave 127.0.2.3:24002 127.0.2.3 24002 @ mymaster 127.0.2.1 24000 new reported \
                 role is master",
            ),
            (line(Kind::NewEpoch, Watched::Master, Detail::Epoch(1)), "+new-epoch 1"),
            (
                line(
                    Kind::Switch,
                    Watched::Master,
                    Detail::Switch { from: place(1, 24000), to: place(2, 24001) },
                ),
                "+switch-master mymaster 127.0.2.1 24000 127.0.2.2 24001",
            ),
            (
                line(Kind::ConfigUpdate, Watched::Sentinel, Detail::None),
                "+config-update-from sentinel e44075a541b780c9d339669f50f334aff0a965c6 127.0.2.12 24011 @ \
                 mymaster 127.0.2.1 24000",
            ),
        ];
        for (ours, recorded) in cases {
            assert_eq!(ours, recorded);
        }
    }

    #[test]
    fn names_are_unique() {
        for (i, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(Kind::named(kind.name()), Some(*kind));
            assert!(Kind::ALL[..i].iter().all(|other| other.name() != kind.name()));
        }
    }
}
