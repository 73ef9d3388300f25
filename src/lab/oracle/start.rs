//! How the recorder starts its servers: one after the other, all on the two processors of one machine.
//!
//! Starting up is work for a processor, and the servers do it at the same time. The script needs a processor too, to
//! execute the next one, and waits until the one before is executed; who wakes while both processors are at work
//! waits for a tick of the kernel. So six servers are up after some 35 ms and 24 after some 125, in another
//! order than they were executed in.

use crate::base::{Dur, Quantiles, Rng};

/// Processor time from exec to the end of start-up: what the scheduler's statistics of 132 servers say, 6 or 24 of
/// them at once. One alone takes 7.7 ms; two processors at work share their caches.
const BOOT: Quantiles = Quantiles::new(7100, 9500, 10_900, 11_700, 12_000);
/// What the script does for each process, and what the child does until it is executed.
const FORK: Dur = Dur::us(200);
const EXEC: Dur = Dur::us(100);
/// The kernel's tick: the others that want the processor have their turn. linux: CONFIG_HZ=250
const TICK: Dur = Dur::ms(4);
/// Time goes on in steps of this length.
const STEP: Dur = Dur::us(100);

/// What wants a processor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Script,
    Server(usize),
}

#[derive(Default)]
struct Processor {
    runs: Option<Task>,
    /// Who wants it too, the next one first.
    queue: Vec<Task>,
    /// Time of its ticks after a multiple of the period.
    phase: Dur,
}

impl Processor {
    fn load(&self) -> usize {
        self.queue.len() + usize::from(self.runs.is_some())
    }
    /// A task woke here: it has used the processor less than all others.
    fn wake(&mut self, task: Task) {
        self.queue.insert(0, task);
    }
}

/// When each server is up, and when the script has executed the last one.
pub struct Started {
    pub up: Vec<Dur>,
    pub done: Dur,
}

/// Starts so many servers.
pub fn servers(n: usize, rng: &mut Rng) -> Started {
    let mut cpus = [(); super::PROCESSORS as usize].map(|()| Processor {
        phase: Dur::us(u64::from(rng.below(TICK.0 as u32)) / STEP.0 * STEP.0),
        ..Processor::default()
    });
    let work: Vec<Dur> = (0..n).map(|_| EXEC + BOOT.draw(rng)).collect();
    let mut left = work.clone();
    let mut up = vec![Dur::ZERO; n];
    let (mut next, mut forking, mut done) = (0, FORK, Dur::ZERO);
    // Where the script was last.
    let mut home = 0;
    cpus[home].wake(Task::Script);
    let mut now = Dur::ZERO;
    while next < n || left.iter().any(|&d| d > Dur::ZERO) {
        for i in 0..cpus.len() {
            // One that has nothing to do takes over what waits for another.
            if cpus[i].load() == 0
                && let Some(other) = cpus.iter().position(|c| !c.queue.is_empty())
            {
                let task = cpus[other].queue.remove(0);
                cpus[i].wake(task);
            }
            let cpu = &mut cpus[i];
            let ticks = (now.0 + TICK.0 - cpu.phase.0).is_multiple_of(TICK.0);
            if (ticks || cpu.runs.is_none()) && !cpu.queue.is_empty() {
                let task = cpu.queue.remove(0);
                cpu.queue.extend(cpu.runs.replace(task));
            }
            match cpu.runs {
                None => {}
                Some(Task::Script) => {
                    forking = Dur(forking.0.saturating_sub(STEP.0));
                    if forking == Dur::ZERO {
                        (cpu.runs, home) = (None, i);
                        let idlest = (0..cpus.len()).min_by_key(|&c| cpus[c].load()).unwrap_or(i);
                        cpus[idlest].wake(Task::Server(next));
                        next += 1;
                    }
                }
                Some(Task::Server(k)) => {
                    let before = left[k];
                    left[k] = Dur(before.0.saturating_sub(STEP.0));
                    let executed = |left: Dur| work[k].0 - left.0 >= EXEC.0;
                    if left[k] == Dur::ZERO {
                        cpu.runs = None;
                        up[k] = now + STEP;
                    }
                    if executed(left[k]) && !executed(before) {
                        done = now + STEP;
                        if next < n {
                            forking = FORK;
                            let idle = (0..cpus.len()).find(|&c| cpus[c].load() == 0);
                            cpus[idle.unwrap_or(home)].wake(Task::Script);
                        }
                    }
                }
            }
        }
        now += STEP;
    }
    Started { up, done }
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
}
