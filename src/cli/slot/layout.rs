//! Who owns which slot: from N masters or from the text of a cluster.

use std::path::Path;

use crate::slot::{SlotSet, even_split};
use crate::text::{NodeFlags, parse_nodes};

/// The masters that own slots, and how to reach one of them.
pub struct Layout {
    pub masters: Vec<Master>,
    /// Owner of each slot, by place in `masters`.
    owners: Vec<Option<usize>>,
}

/// A master and its slots.
pub struct Master {
    /// As it is shown: an address, or `master 1`.
    pub name: String,
    /// The node's id, if it is known.
    pub id: Option<String>,
    pub slots: SlotSet,
}

impl Layout {
    fn new(masters: Vec<Master>) -> Layout {
        let mut owners = vec![None; 16384];
        for (i, m) in masters.iter().enumerate() {
            for slot in m.slots.iter() {
                owners[usize::from(slot)] = Some(i);
            }
        }
        Layout { masters, owners }
    }

    /// The split that `redis-cli --cluster create` makes.
    pub fn even(masters: u16) -> Layout {
        let named = even_split(masters).into_iter().enumerate();
        Layout::new(
            named.map(|(i, slots)| Master { name: format!("master {}", i + 1), id: None, slots }).collect(),
        )
    }

    /// From the output of CLUSTER NODES or a nodes.conf. The error is a text for people.
    pub fn from_file(path: &Path) -> Result<Layout, String> {
        let text = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let nodes = parse_nodes(&text).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(|e| format!("{}: {e}", path.display())).collect();
            all.join("\n")
        })?;
        let owners = nodes.nodes.iter().filter(|n| n.flags.has(NodeFlags::MASTER) && !n.slots.is_empty());
        let masters: Vec<Master> = owners
            .map(|n| {
                let mut slots = SlotSet::EMPTY;
                n.slots.iter().for_each(|&(a, b)| slots.insert_range(a..=b.min(16383)));
                let name = if n.ip.is_empty() {
                    n.name.as_str()[..8].to_owned()
                } else {
                    format!("{}:{}", n.ip, n.port)
                };
                Master { name, id: Some(n.name.as_str().to_owned()), slots }
            })
            .collect();
        if masters.is_empty() {
            return Err(format!("{}: no master there owns a slot", path.display()));
        }
        Ok(Layout::new(masters))
    }

    pub fn owner(&self, slot: u16) -> Option<&Master> {
        self.masters.get((*self.owners.get(usize::from(slot))?)?)
    }

    pub fn sets(&self) -> Vec<SlotSet> {
        self.masters.iter().map(|m| m.slots.clone()).collect()
    }
}
