//! A process's log file as Redis writes it: `pid:R dd Mon yyyy HH:MM:SS.mmm L text`.
//!
//! [`Logger`] walks a trace and keeps what a line needs besides its text: the process id, whether the
//! process follows a master at that moment, its forked child.
//!
//! redis: serverLogRaw @7.0.15
//! deviates: memory figures and the sizes of what a child wrote are not modelled, so the lines that
//! only tell those are left out; the time zone is UTC.

use std::collections::BTreeMap;
use std::fmt;

use crate::base::Hex;

use super::text::{Names, log_line, packet_kind};
use super::{Event, Fact, HostId, Job, LogLevel};

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub pid: u32,
    /// `M` master, `S` replica, `X` sentinel, `C` child, or a server that is starting.
    pub role: char,
    /// The host's clock, microseconds since the epoch; printed as UTC.
    pub clock: u64,
    pub level: LogLevel,
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pid, role, mark) = (self.pid, self.role, self.level.mark());
        write!(f, "{pid}:{role} {} {mark} {}", Date(self.clock), self.text)
    }
}

/// A moment as Redis's log prints it, `02 Jan 2006 15:04:05.678`; microseconds since the epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (ms, secs) = (self.0 / 1000 % 1000, self.0 / 1_000_000);
        let (year, month, day) = civil(secs / 86_400);
        let s = secs % 86_400;
        let month = MONTHS[month as usize - 1];
        write!(f, "{day:02} {month} {year} {:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// Year, month (1 to 12) and day of the month of a day since 1 January 1970. Eras of 400 years have
/// 146,097 days each; years are counted from March, so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// What `ctime` makes of Unix seconds, without the line end: `Mon Nov 23 09:49:26 2026`, in UTC.
pub fn ctime(secs: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let day = DAYS[(secs / 86_400 % 7) as usize];
    let date = Date(secs * 1_000_000).to_string();
    let (date_part, time) = (&date[..11], &date[12..20]);
    let (d, month, year) = (&date_part[..2], &date_part[3..6], &date_part[7..]);
    format!("{day} {month} {:>2} {time} {year}", d.trim_start_matches('0'))
}

/// How far a starting process is with the lines that Redis prints before it serves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Stage {
    #[default]
    Executed,
    ClockTold,
    ModeTold,
}

/// What the lines of one process need.
#[derive(Clone, Debug, Default)]
struct Process {
    pid: u32,
    replica: bool,
    stage: Stage,
    cluster: bool,
    sentinel: bool,
    children: u32,
    sockets: bool,
}

/// Makes log lines of the events of a trace, which it must be given in order.
#[derive(Clone, Debug, Default)]
pub struct Logger {
    processes: BTreeMap<HostId, Process>,
}

impl Logger {
    /// Appends the lines that the host of event `i` logs for it.
    pub fn lines(&mut self, events: &[Event], i: usize, names: &impl Names, out: &mut Vec<LogLine>) {
        use LogLevel::{Debug, Notice, Warning};
        let e = &events[i];
        let p = self.processes.entry(e.host).or_default();
        match e.fact {
            Fact::Started { pid, .. } => *p = Process { pid, ..Process::default() },
            // The letter follows masterhost, which is set, or cleared, before these are logged.
            Fact::CachedMasterMade | Fact::ConnectingToMaster { .. } => p.replica = true,
            Fact::Promoted { .. } | Fact::SecondaryReplid { .. } => p.replica = false,
            Fact::NodeConfigNew { .. } | Fact::NodeConfigLoaded { .. } => p.cluster = true,
            Fact::SentinelNote(_) => p.sentinel = true,
            Fact::BgsaveStarted { sockets } => p.sockets = sockets,
            Fact::ChildForked { .. } => p.children += 1,
            _ => {}
        }
        let pid = p.pid;
        let role = match p.replica {
            _ if p.sentinel => 'X',
            true => 'S',
            false => 'M',
        };
        let mut put = |role: char, level: LogLevel, text: String| {
            out.push(LogLine { pid, role, clock: e.clock, level, text });
        };
        if let Fact::ChildForked { job } = e.fact {
            // Process ids are made up: a child's lies between its parent's and the next host's.
            let child = pid + 50 + p.children % 50;
            let what = match job {
                Job::Sockets => "Background RDB transfer",
                Job::Disk => "Background saving",
                Job::Aof => "Background append only file rewriting",
            };
            put(role, Notice, format!("{what} started by pid {child}"));
        }
        let Some((level, text)) = log_line(&e.fact, names) else { return };
        if let Fact::Started { .. } = e.fact {
            put('C', level, text);
            let version = format!(
                "Redis version=7.0.15, bits=64, commit=00000000, modified=0, pid={pid}, just started"
            );
            put('C', Warning, version);
            put('C', Warning, "Configuration loaded".into());
            return;
        }
        if p.stage == Stage::Executed {
            p.stage = Stage::ClockTold;
            put(role, Notice, "monotonic clock: POSIX clock_gettime".into());
        }
        if p.stage == Stage::ClockTold && matches!(e.fact, Fact::Ready { .. } | Fact::Loaded { .. }) {
            p.stage = Stage::ModeTold;
            let mode = if p.cluster { "cluster" } else { "standalone" };
            let port = events[i..].iter().filter(|l| l.host == e.host).find_map(|l| match l.fact {
                Fact::Ready { port } => Some(port),
                _ => None,
            });
            if let Some(port) = port {
                put(role, Notice, format!("Running mode={mode}, port={port}."));
            }
            put(role, Warning, "Server initialized".into());
        }
        // What comes before the main line.
        match &e.fact {
            Fact::Loaded { keys, .. } => {
                put(role, Notice, "Loading RDB produced by version 7.0.15".into());
                put(role, Notice, format!("Done loading RDB, keys loaded: {keys}, keys expired: 0."));
            }
            Fact::ReplicaSynced { addr } if p.sockets => put(
                role,
                Notice,
                format!(
                    "Streamed RDB transfer with replica {addr} succeeded (socket). Waiting for REPLCONF ACK \
                     from slave to enable streaming"
                ),
            ),
            _ => {}
        }
        put(role, level, text);
        // What comes after it.
        match &e.fact {
            Fact::PartialResync { new_replid } => {
                if let Some(new) = new_replid {
                    put(role, Warning, format!("Master replication ID changed to {}", Hex(new)));
                }
                let text = "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.";
                put(role, Notice, text.into());
            }
            Fact::SyncLoading => put(role, Notice, "Loading RDB produced by version 7.0.15".into()),
            Fact::PacketReceived { from, kind, .. } if *kind <= 2 => {
                put(
                    role,
                    Debug,
                    format!("{} packet received: {}", packet_kind(*kind), names.node_hex(*from)),
                );
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(ctime(1_795_427_366), "Mon Nov 23 09:49:26 2026");
        assert_eq!(ctime(951_782_400), "Tue Feb 29 00:00:00 2000");
        assert_eq!(ctime(0), "Thu Jan  1 00:00:00 1970");
        for (us, text) in [
            (0, "01 Jan 1970 00:00:00.000"),
            (951_782_399_999_999, "28 Feb 2000 23:59:59.999"),
            (951_782_400_000_000, "29 Feb 2000 00:00:00.000"),
            (1_795_427_313_119_000, "23 Nov 2026 09:48:33.119"),
            (4_107_542_400_000_000, "01 Mar 2100 00:00:00.000"),
        ] {
            assert_eq!(Date(us).to_string(), text);
        }
    }
}
