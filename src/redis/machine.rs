//! What work costs on a host: how long its processors and its disk take for so many keys and bytes.
//!
//! The defaults were measured with redis-server 7.0.15 on two cores of an AMD Zen 4, as processor time
//! (SAVE, DEBUG RELOAD and FLUSHALL with 100,000 to 500,000 keys of 10, 100 and 1,000 random bytes; values
//! of random bytes are the slowest to compress). The fork is that of a virtual machine with pages of 4 KiB.

use crate::base::Dur;

/// Rates of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// fork: page tables of so many bytes, per GB.
    pub fork_per_gb: Dur,
    /// Writing a dump: per key and per byte.
    pub dump_key_ns: u64,
    pub dump_byte_ns: u64,
    /// Reading a dump.
    pub load_key_ns: u64,
    /// Hundredths of a nanosecond.
    pub load_byte_cns: u64,
    /// Freeing a key.
    pub flush_key_ns: u64,
    /// Bytes per second from a file, or a pipe, into a socket and out of it into a file.
    pub copy_rate: u64,
    /// Bytes per second that the disk writes and reads; 0 = no limit.
    pub disk_rate: u64,
    /// What one fdatasync of a small file takes.
    pub fsync: Dur,
}

impl Default for Machine {
    fn default() -> Self {
        Machine {
            fork_per_gb: Dur::ms(28),
            dump_key_ns: 500,
            dump_byte_ns: 10,
            load_key_ns: 500,
            load_byte_cns: 170,
            flush_key_ns: 300,
            copy_rate: 500_000_000,
            disk_rate: 0,
            fsync: Dur::ms(2),
        }
    }
}

/// From the fork to the first byte that the child writes.
const CHILD_START: Dur = Dur::us(1200);
/// Opening and checking a dump.
const LOAD_START: Dur = Dur::us(300);
/// The fork of a process without data.
const FORK_START: Dur = Dur::us(150);

impl Machine {
    fn disk_time(&self, bytes: u64) -> Dur {
        Dur((bytes * 1_000_000).checked_div(self.disk_rate).unwrap_or(0))
    }
    /// How long the main thread stands still for a fork of so many bytes of data.
    pub fn fork(&self, bytes: u64) -> Dur {
        FORK_START + Dur(bytes / 1000 * self.fork_per_gb.0 / 1_000_000)
    }
    /// How long a child takes to write a dump; `to_disk`: into a file that it syncs.
    pub fn dump(&self, keys: u64, bytes: u64, to_disk: bool) -> Dur {
        let work = CHILD_START + Dur((keys * self.dump_key_ns + bytes * self.dump_byte_ns) / 1000);
        if to_disk { work.max(self.disk_time(bytes)) + self.fsync } else { work }
    }
    /// How long reading a dump takes.
    pub fn load(&self, keys: u64, bytes: u64) -> Dur {
        let work = Dur((keys * self.load_key_ns + bytes * self.load_byte_cns / 100) / 1000);
        LOAD_START + work.max(self.disk_time(bytes))
    }
    /// How long freeing so many keys takes.
    pub fn flush(&self, keys: u64) -> Dur {
        Dur(keys * self.flush_key_ns / 1000)
    }
    /// How long so many bytes take into a socket.
    pub fn copy(&self, bytes: u64) -> Dur {
        Dur((bytes * 1_000_000).checked_div(self.copy_rate).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_megabytes() {
        let m = Machine::default();
        assert_eq!(m.fork(1_000_000_000), Dur::us(28_150));
        assert_eq!(m.dump(100_000, 100_000_000, false), Dur::us(1_051_200));
        assert!(m.load(100_000, 100_000_000) < Dur::ms(250));
        let slow = Machine { disk_rate: 10_000_000, ..m };
        assert_eq!(slow.dump(100_000, 100_000_000, true), Dur::secs(10) + m.fsync);
    }
}
