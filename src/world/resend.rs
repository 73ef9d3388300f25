//! When Linux sends again what got lost: the timers of the kernel, and the retransmission timer of TCP.
//!
//! Measured on Linux 6.18 with links between two servers that were cut by dropping all packets; older kernels
//! (before 6.5) double the pause after each SYN from the first on.

use crate::base::{Dur, SimTime};

/// The kernel's tick. linux: CONFIG_HZ=250
const JIFFY: Dur = Dur::ms(4);
/// linux: TCP_RTO_MIN, TCP_RTO_MAX
const RTO_MIN: Dur = Dur::ms(200);
const RTO_MAX: Dur = Dur::secs(120);
/// linux: TCP_TIMEOUT_MIN
const TIMEOUT_MIN: Dur = Dur(2 * JIFFY.0);
/// linux: TCP_TIMEOUT_INIT
const SYN_RTO: Dur = Dur::secs(1);
/// So many pauses between SYNs are alike before they double. linux: tcp_syn_linear_timeouts
const SYN_LINEAR: u8 = 4;
/// A connection attempt is given up after so many SYNs sent again. linux: tcp_syn_retries + tcp_syn_linear_timeouts
const SYN_TRIES: u8 = 6 + SYN_LINEAR;
/// Segments that may be on their way at once: ten on a new connection; 18 to 20, as ss shows, on one between
/// master and replica, and packets show 19 or 21 after the last acknowledgement.
const WINDOW: u32 = 19;

/// When a timer goes off that is set for `after` from now. It is late rather than early, and the later it is to go
/// off, the coarser the clock: ticks of 4 ms up to a quarter of a second, then 32 ms, 256 ms, 2 s, 16 s.
///
/// linux: kernel/time/timer.c calc_wheel_index
pub fn timer(now: SimTime, after: Dur) -> SimTime {
    let wait = after.0.div_ceil(JIFFY.0);
    let shift = match wait {
        0..63 => 0,
        63..504 => 3,
        504..4032 => 6,
        4032..32_256 => 9,
        _ => 12,
    };
    let expires = now.0 / JIFFY.0 + wait;
    SimTime((((expires >> shift) + 1) << shift) * JIFFY.0)
}

/// How long an acknowledgement is waited for that usually takes `rtt`.
/// linux: tcp_set_rto: the variance counts for at least TCP_RTO_MIN
fn rto(rtt: Dur) -> Dur {
    Dur((RTO_MIN + rtt).0.div_ceil(JIFFY.0) * JIFFY.0)
}

/// When the next SYN leaves after one that was sent now, the last of `tries` that were sent again; `None` if none
/// does. linux: tcp_retransmit_timer, tcp_write_timeout
pub fn next_syn(now: SimTime, tries: u8) -> SimTime {
    timer(now, Dur(SYN_RTO.0 << tries.saturating_sub(SYN_LINEAR)))
}

/// Whether a connection attempt is given up instead of sending the SYN again for the `tries`th time.
pub fn gives_up(tries: u8) -> bool {
    tries > SYN_TRIES
}

/// A sender whose data is not acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Resend {
    /// When the first segment that got lost was sent.
    first: SimTime,
    rtt: Dur,
    /// Segments sent since then.
    sent: u32,
    /// The tail loss probe was sent.
    probed: bool,
    /// The timer is the probe's, not the retransmission's.
    probes: bool,
    /// How long the latest timer of the retransmission ran; it doubles each time.
    rto: Dur,
    /// A retransmission timer ran out: nothing new is sent before an acknowledgement.
    lost: bool,
    /// When the timer goes off.
    pub due: SimTime,
}

impl Resend {
    /// The first segment gets lost that was sent now.
    pub fn begin(now: SimTime, rtt: Dur) -> Resend {
        let rto = rto(rtt);
        // With one segment on its way the probe would come later than the retransmission, and takes its place.
        let due = timer(now, rto);
        Resend { first: now, rtt, sent: 1, probed: false, probes: true, rto, lost: false, due }
    }

    /// Whether something new can be sent, though nothing is acknowledged.
    pub fn sends(&self) -> bool {
        !self.lost && self.sent < WINDOW
    }

    /// How much of what waits goes with the first retransmission, if one is due: what was sent before, as one
    /// segment. The rest waits until that is acknowledged. linux: tcp_enter_loss, tcp_retrans_try_collapse
    pub fn again(&self) -> Option<usize> {
        self.lost.then_some(self.sent as usize)
    }

    /// Another segment was sent now, and gets lost too: the probe waits for what may follow, but not longer than
    /// the retransmission would. linux: tcp_event_new_data_sent, tcp_schedule_loss_probe
    pub fn sent(&mut self, now: SimTime) {
        self.sent += 1;
        self.probes = true;
        let probe = Dur(2 * self.rtt.0) + TIMEOUT_MIN;
        let left = (self.first + rto(self.rtt)).0.saturating_sub(now.0);
        let wait = if left > 0 { probe.min(Dur(left)) } else { probe };
        self.due = timer(now, wait);
    }

    /// The timer went off, and is set anew. Returns whether something was sent.
    /// linux: tcp_send_loss_probe, tcp_rearm_rto, tcp_retransmit_timer
    pub fn fire(&mut self, now: SimTime) -> bool {
        if !self.probes {
            self.lost = true;
            self.rto = Dur((self.rto.0 * 2).min(RTO_MAX.0));
            self.due = timer(now, self.rto);
            return true;
        }
        self.probes = false;
        let first_probe = !std::mem::replace(&mut self.probed, true);
        let wait = if first_probe {
            self.rto
        } else {
            // One probe is enough: the retransmission counts from the first segment again.
            Dur((self.first + self.rto).0.saturating_sub(now.0)).max(JIFFY)
        };
        self.due = timer(now, wait);
        first_probe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SimTime = SimTime(10_001_000);

    /// Milliseconds after the first loss at which something is sent again, for a sender that sends every `gap`.
    fn attempts(gap: Dur, rtt: Dur, count: usize) -> Vec<u64> {
        let mut r = Resend::begin(START, rtt);
        let mut next = START + gap;
        let mut out = Vec::new();
        while out.len() < count {
            if r.sends() && next < r.due {
                r.sent(next);
                next += gap;
                continue;
            }
            let now = r.due;
            if r.fire(now) {
                out.push(now.since(START).as_ms());
            }
        }
        out
    }

    #[test]
    fn timers_are_late_and_coarse() {
        assert_eq!(timer(SimTime(0), Dur::ms(204)), SimTime(208_000));
        assert_eq!(timer(SimTime(4_100), Dur::ms(408)), SimTime(416_000));
        assert_eq!(timer(SimTime(0), Dur::secs(1)), SimTime(1_024_000));
        assert_eq!(timer(SimTime(0), Dur::ms(3264)), SimTime(3_328_000));
    }

    #[test]
    fn the_schedule_of_a_stream_that_is_cut() {
        // 200 writes per second fill the window in 90 ms; the probe, then the doubling pauses. Seen on running
        // pairs: 114, 322, 758, 1618, 3314 ms after the last acknowledgement; 118, 330, 770, 1634, 3334 ms.
        assert_eq!(attempts(Dur::ms(5), Dur::ms(5), 5), [111, 323, 751, 1615, 3311]);
        // One message that nothing follows: the probe comes when the retransmission would.
        assert_eq!(attempts(Dur::secs(100), Dur::us(200), 4), [207, 415, 847, 1679]);
    }

    #[test]
    fn syns_come_each_second_at_first() {
        let mut now = SimTime(0);
        let mut at = Vec::new();
        for tries in 0..=SYN_TRIES {
            now = next_syn(now, tries);
            at.push(now.0 / 1_000_000);
        }
        assert_eq!(at[..8], [1, 2, 3, 4, 5, 7, 11, 19]);
        assert!(!gives_up(SYN_TRIES) && gives_up(SYN_TRIES + 1));
    }
}
