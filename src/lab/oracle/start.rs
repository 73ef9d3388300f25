//! How the recorder starts its servers: one after the other, all on the two processors of one machine.
//!
//! Starting up is work for a processor, and the servers do it at the same time. The script needs a processor too, to
//! execute the next one, and waits until the one before is executed. The kernel shares the processors fairly: of those
//! that have had less than the average it takes the one whose turn ends first, at each tick and when one wakes. A
//! server that is new begins with the average and a shorter turn, so it runs before those that came earlier. So six
//! servers are up after some 35 ms and 24 after some 125, and those that are executed first are up hardly sooner than
//! the next ones: of six, the first one is the first in less than half of the starts.

use crate::base::{Dur, Quantiles, Rng};

/// Processor time from exec to the end of start-up: what the scheduler's statistics of 132 servers say, 6 or 24 of
/// them at once. One alone takes 7.7 ms; two processors at work share their caches.
const BOOT: Quantiles = Quantiles::new(7100, 9500, 10_900, 11_700, 12_000);
/// What the script does for each process, and what the child does until it is executed.
const FORK: i64 = 200;
const EXEC: i64 = 100;
/// The kernel's tick: only then one that runs has to give way to others that are ready. linux: CONFIG_HZ=250
const TICK: i64 = 4000;
/// The length of a turn, which decides who is the next. linux: sysctl_sched_base_slice, on two processors
const TURN: i64 = 1400;
/// Time goes on in steps of this length.
const STEP: i64 = 100;

/// The script, or a server by its number. All times are in us.
#[derive(Clone, Copy)]
struct Task {
    server: Option<usize>,
    /// What it has had of its processor, counted so that one that comes has had the average.
    had: i64,
    /// Its turn ends when it has had so much.
    until: i64,
}

#[derive(Default)]
struct Processor {
    runs: Option<Task>,
    ready: Vec<Task>,
}

impl Processor {
    fn load(&self) -> usize {
        self.ready.len() + usize::from(self.runs.is_some())
    }
    fn average(&self) -> i64 {
        let sum: i64 = self.ready.iter().chain(&self.runs).map(|t| t.had).sum();
        sum / (self.load() as i64).max(1)
    }
    /// Takes the one that is to run next. linux: pick_eevdf
    fn next(&mut self) -> Option<Task> {
        let average = self.average();
        let due = |t: &Task| (t.had > average, t.until);
        let best = (0..self.ready.len()).min_by_key(|&i| due(&self.ready[i]))?;
        Some(self.ready.remove(best))
    }
    /// A task comes that has had so much more than the average, and runs at once if it comes first.
    /// linux: place_entity, check_preempt_wakeup_fair
    fn add(&mut self, server: Option<usize>, more: i64, turn: i64) {
        let had = self.average() + more;
        self.ready.push(Task { server, had, until: had + turn });
        let average = self.average();
        if self.runs.is_some_and(|r| had + turn < r.until && had <= average) {
            self.ready.extend(self.runs.take());
        }
    }
}

/// When each server is up, and when the script has executed the last one.
pub struct Started {
    pub up: Vec<Dur>,
    pub done: Dur,
}

/// Starts so many servers.
pub fn servers(n: usize, rng: &mut Rng) -> Started {
    let mut cpus = [(); super::PROCESSORS as usize].map(|()| Processor::default());
    let phase = i64::from(rng.below((TICK / STEP) as u32)) * STEP;
    let work: Vec<i64> = (0..n).map(|_| EXEC + BOOT.draw(rng).0 as i64).collect();
    let mut left = work.clone();
    let mut up = vec![Dur::ZERO; n];
    let (mut next, mut forking, mut done) = (0, FORK, 0);
    // Where the script was last, and how much more than the others it had had.
    let (mut home, mut more) = (0, 0);
    cpus[home].add(None, 0, TURN);
    let mut now = 0;
    while left.iter().any(|&us| us > 0) {
        for i in 0..cpus.len() {
            // One that has nothing to do takes over what waits for another.
            if cpus[i].load() == 0
                && let Some(other) = cpus.iter().position(|c| !c.ready.is_empty())
            {
                let task = cpus[other].ready.remove(0);
                cpus[i].add(task.server, 0, TURN);
            }
            let cpu = &mut cpus[i];
            if (now - phase) % TICK == 0 && !cpu.ready.is_empty() {
                cpu.ready.extend(cpu.runs.take().map(|t| Task { until: t.had + TURN, ..t }));
            }
            if cpu.runs.is_none() {
                cpu.runs = cpu.next();
            }
            let Some(task) = &mut cpu.runs else { continue };
            task.had += STEP;
            if task.had >= task.until {
                task.until += TURN;
            }
            match task.server {
                None => {
                    forking -= STEP;
                    if forking > 0 {
                        continue;
                    }
                    more = (task.had - cpu.average()).clamp(-TURN, TURN);
                    (cpu.runs, home) = (None, i);
                    let loads = cpus.each_ref().map(Processor::load);
                    let least = loads.iter().min().expect("processors");
                    let idlest: Vec<usize> = (0..cpus.len()).filter(|&c| loads[c] == *least).collect();
                    cpus[idlest[rng.below(idlest.len() as u32) as usize]].add(Some(next), 0, TURN / 2);
                    next += 1;
                }
                Some(k) => {
                    let was_executed = work[k] - left[k] >= EXEC;
                    left[k] = (left[k] - STEP).max(0);
                    if left[k] == 0 {
                        cpu.runs = None;
                        up[k] = Dur::us((now + STEP) as u64);
                    }
                    if !was_executed && work[k] - left[k] >= EXEC {
                        done = now + STEP;
                        if next < n {
                            forking = FORK;
                            let idle = (0..cpus.len()).find(|&c| cpus[c].load() == 0);
                            cpus[idle.unwrap_or(home)].add(None, more, TURN);
                        }
                    }
                }
            }
        }
        now += STEP;
    }
    Started { up, done: Dur::us(done as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_servers_take_as_long_as_their_work_on_two_processors() {
        let mut rng = Rng::named(1, "start");
        for (n, least, most) in [(1, 7, 15), (6, 24, 45), (24, 105, 145)] {
            let s = servers(n, &mut rng);
            let last = s.up.iter().max().expect("there are some").as_ms();
            assert!((least..most).contains(&last), "{n}: {last}");
            assert!(s.up.iter().all(|&t| t >= Dur::ms(7)) && s.done.as_ms() <= last, "{n}");
        }
    }

    #[test]
    fn the_first_of_six_servers_is_mostly_not_up_first() {
        let mut rng = Rng::named(1, "start");
        let (mut first, mut sum) = (0, 0);
        for _ in 0..200 {
            let up = servers(6, &mut rng).up;
            first += u32::from(up[0] == *up.iter().min().expect("six"));
            sum += up[0].as_ms();
        }
        // Of 40 starts of real servers it was in 17; it was up after 26 ms (median).
        assert!((60..130).contains(&first), "{first}");
        assert!((17..28).contains(&(sum / 200)), "{}", sum / 200);
    }
}
