//! What work costs on a host: how long its processors and its disk take for so many keys and bytes.
//!
//! The defaults were measured with redis-server 7.0.15 on two cores of an AMD Zen 4, as processor time
//! (SAVE, DEBUG RELOAD and FLUSHALL with 100,000 to 500,000 keys of 10, 100 and 1,000 random bytes; values
//! of random bytes are the slowest to compress). Of many runs the shortest counts: other work on the machine
//! only adds. The fork is that of a virtual machine with pages of 4 KiB. What MIGRATE takes was read from the
//! packets of a reshard of 1,000 slots with 1, 10 and 20 keys in each MIGRATE, from their time stamps; what
//! redis-cli takes is its processor time by the number of its requests. What slots take was read from INFO
//! commandstats after DELSLOTSRANGE (362 us) and ADDSLOTSRANGE (48 us) of 5,461 slots.

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
    /// MIGRATE: making the payload of a key.
    pub payload_key_ns: u64,
    /// RESTORE of a small key, its arguments read.
    pub restore_key: Dur,
    /// MIGRATE: reading what the target said of a key, one byte with each call of the kernel, and deleting it.
    pub moved_key: Dur,
    /// What redis-cli takes from an answer to its next question.
    pub tool_request: Dur,
    /// Freeing a key.
    pub flush_key_ns: u64,
    /// Taking a slot from its owner: its channels are looked for too. redis: clusterDelSlot @7.0.15
    pub lose_slot_ns: u64,
    /// Giving a slot to an owner.
    pub gain_slot_ns: u64,
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
            dump_byte_ns: 9,
            load_key_ns: 500,
            load_byte_cns: 170,
            payload_key_ns: 1600,
            restore_key: Dur::us(3),
            moved_key: Dur::us(6),
            tool_request: Dur::us(23),
            flush_key_ns: 300,
            lose_slot_ns: 66,
            gain_slot_ns: 9,
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
/// Making a payload and reading it, per byte, in hundredths of a nanosecond: nothing is compressed, and as fast
/// as a file is loaded.
const DUMP_BYTE_CNS: u64 = 250;
const RESTORE_BYTE_CNS: u64 = 500;
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
    /// How long MIGRATE takes to make the payloads of so many keys.
    pub fn payloads(&self, keys: u64, bytes: u64) -> Dur {
        Dur((keys * self.payload_key_ns + bytes * DUMP_BYTE_CNS / 100) / 1000)
    }
    /// How long RESTORE of a payload of so many bytes takes.
    pub fn restore(&self, bytes: u64) -> Dur {
        self.restore_key + Dur(bytes * RESTORE_BYTE_CNS / 100 / 1000)
    }
    /// How long freeing so many keys takes.
    pub fn flush(&self, keys: u64) -> Dur {
        Dur(keys * self.flush_key_ns / 1000)
    }
    /// How long it takes to enter into the table of slots that so many lost their owner and so many got one.
    pub fn slots(&self, lost: u32, gained: u32) -> Dur {
        Dur((u64::from(lost) * self.lose_slot_ns + u64::from(gained) * self.gain_slot_ns) / 1000)
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
        assert_eq!(m.slots(5461, 5461), Dur::us(409));
        assert_eq!(m.dump(100_000, 100_000_000, false), Dur::us(951_200));
        assert!(m.load(100_000, 100_000_000) < Dur::ms(250));
        let slow = Machine { disk_rate: 10_000_000, ..m };
        assert_eq!(slow.dump(100_000, 100_000_000, true), Dur::secs(10) + m.fsync);
    }
}
