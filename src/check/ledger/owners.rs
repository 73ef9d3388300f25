//! Whose data counts: the node that serves each slot.

use std::ops::RangeInclusive;

use crate::redis::bus::view::ME;
use crate::redis::registry::ClaimId;
use crate::slot::{SLOTS, SlotSet};
use crate::trace::HostId;
use crate::world::World;

/// A process: a host and how often it has booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub host: HostId,
    pub boots: u32,
}

/// What one running master claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    process: Process,
    epoch: u64,
    /// `None`: all slots, without a cluster.
    slots: Option<ClaimId>,
}

/// Who serves each slot: of the running masters that claim it the one with the highest configEpoch; without a
/// cluster, the first running master. A slot that nobody running claims stays with its last owner.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    claims: Vec<Claim>,
    of_slot: Vec<Option<Process>>,
    /// What each claim came to, at the last look.
    won: Vec<(Process, SlotSet)>,
}

/// Slots that changed their owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub slots: RangeInclusive<u16>,
    pub from: Option<Process>,
    pub to: Process,
}

impl Owners {
    pub fn of(&self, slot: u16) -> Option<Process> {
        self.of_slot.get(usize::from(slot)).copied().flatten()
    }

    /// Whether a running node claims it now.
    pub fn serves(&self, w: &World, p: Process) -> bool {
        w.server(p.host).is_some() && w.hosts[p.host].boots == p.boots
    }

    /// Looks again; the slots that changed hands.
    pub fn update(&mut self, w: &World) -> Vec<Move> {
        let mut claims: Vec<Claim> = w
            .servers()
            .filter(|(_, s)| !s.loading)
            .filter_map(|(host, s)| {
                let process = Process { host, boots: w.hosts[host].boots };
                match &s.bus {
                    Some(bus) if bus.me().is_master() => {
                        let (epoch, slots) = (bus.row(ME).config_epoch, bus.me().slots);
                        (slots != ClaimId::EMPTY).then_some(Claim { process, epoch, slots: Some(slots) })
                    }
                    None if !s.repl.is_replica() => Some(Claim { process, epoch: 0, slots: None }),
                    _ => None,
                }
            })
            .collect();
        if claims == self.claims {
            return Vec::new();
        }
        self.claims.clone_from(&claims);
        // The first of those with the highest epoch has the slot.
        claims.sort_by_key(|c| std::cmp::Reverse(c.epoch));
        let mut free = SlotSet::from_range(0..=SLOTS - 1);
        let mut moves = Vec::new();
        self.of_slot.resize(SLOTS.into(), None);
        let before = std::mem::take(&mut self.won);
        for c in &claims {
            let mut won = free.clone();
            if let Some(id) = c.slots {
                won.keep_all(w.names.slots(id));
            }
            free.remove_all(&won);
            let had = before.iter().find(|(process, _)| *process == c.process).map(|(_, had)| had);
            // Nobody else can have taken what it had.
            let new = had.map_or_else(|| won.clone(), |had| won.without(had));
            for range in new.ranges() {
                let mut first = *range.start();
                let slots = &mut self.of_slot[usize::from(first)..=usize::from(*range.end())];
                for part in slots.chunk_by(|a, b| a == b) {
                    let last = first + (part.len() - 1) as u16;
                    if part[0] != Some(c.process) {
                        moves.push(Move { slots: first..=last, from: part[0], to: c.process });
                    }
                    first = last.wrapping_add(1);
                }
                slots.fill(Some(c.process));
            }
            self.won.push((c.process, won));
        }
        moves.sort_unstable_by_key(|m| *m.slots.start());
        moves
    }
}
