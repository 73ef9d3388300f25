//! A cluster as it was pasted: nodes, roles, slots, and the host, rack and zone of each.

use std::collections::BTreeMap;

use crate::slot::SLOTS;
use crate::text::{NodeFlags, NodesText, is_check, parse_check, parse_nodes};

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// 40 characters.
    pub id: String,
    /// `ip:port`.
    pub addr: String,
    /// Index of its master; `None` for a master.
    pub master: Option<usize>,
    /// Inclusive ranges.
    pub slots: Vec<(u16, u16)>,
    pub no_failover: bool,
    /// It was failing when the text was taken.
    pub failing: bool,
    pub host: String,
    pub rack: Option<String>,
    pub zone: Option<String>,
}

impl Member {
    /// How many slots it owns.
    pub fn owned(&self) -> u32 {
        self.slots.iter().map(|&(a, b)| u32::from(b - a) + 1).sum()
    }
}

/// A whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub members: Vec<Member>,
    /// What looked odd and was accepted.
    pub notes: Vec<String>,
}

impl Layout {
    /// Reads CLUSTER NODES output, a nodes.conf, or what `redis-cli --cluster check` prints. Without a map, nodes of one address run on one host.
    ///
    /// # Errors
    /// Every mistake: of the text with its line, duplicate names or addresses, slots owned twice, replicas of
    /// unknown masters, nodes in handshake or without address.
    pub fn read(name: &str, text: &[u8]) -> Result<Layout, Vec<String>> {
        let read = if is_check(text) { parse_check(text) } else { parse_nodes(text) };
        let read = read.map_err(|e| e.iter().map(|e| format!("{name}: {e}")).collect::<Vec<_>>())?;
        Layout::of(name, &read)
    }

    fn of(name: &str, read: &NodesText) -> Result<Layout, Vec<String>> {
        let mut wrong = Vec::new();
        let mut notes = Vec::new();
        let mut index = BTreeMap::new();
        let mut addrs = BTreeMap::new();
        for (i, n) in read.nodes.iter().enumerate() {
            let line = i + 1;
            if let Some(first) = index.insert(n.name, i) {
                wrong.push(format!(
                    "{name}: node {} is there twice, as node {} and {line}",
                    n.name,
                    first + 1
                ));
            }
            let addr = format!("{}:{}", n.ip, n.port);
            if n.flags.has(NodeFlags::NOADDR) || n.flags.has(NodeFlags::HANDSHAKE) || n.ip.is_empty() {
                let help = "run CLUSTER MEET or CLUSTER FORGET to its end first";
                wrong.push(format!(
                    "{name}: node {} is no member with an address ({}): {help}",
                    n.name, n.flags
                ));
            } else if let Some(other) = addrs.insert(addr.clone(), n.name) {
                wrong.push(format!("{name}: {addr} is the address of {other} and of {}", n.name));
            }
        }
        if read.nodes.is_empty() {
            wrong.push(format!("{name}: no node; wanted is the output of CLUSTER NODES, or a nodes.conf"));
        }
        let mut owner: Vec<Option<usize>> = vec![None; SLOTS.into()];
        for (i, n) in read.nodes.iter().enumerate() {
            let twice = n
                .slots
                .iter()
                .flat_map(|&(a, b)| a..=b)
                .find(|&s| owner[usize::from(s)].replace(i).is_some());
            if let Some(slot) = twice {
                wrong.push(format!("{name}: slot {slot} has two owners, one is {}", n.name));
            }
            if n.flags.has(NodeFlags::SLAVE) && n.master.is_none_or(|m| !index.contains_key(&m)) {
                wrong.push(format!("{name}: {} is a replica of a node that is not in the text", n.name));
            }
        }
        let bare = owner.iter().filter(|o| o.is_none()).count();
        if bare > 0 && wrong.is_empty() {
            let first = owner.iter().position(Option::is_none).unwrap_or(0);
            wrong.push(format!(
                "{name}: {bare} slots have no owner, the first is {first}: the cluster is down before any loss; \
                 redis-cli --cluster fix repairs it"
            ));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let members: Vec<Member> = read
            .nodes
            .iter()
            .map(|n| {
                let failing = n.flags.has(NodeFlags::PFAIL) || n.flags.has(NodeFlags::FAIL);
                if failing {
                    notes.push(format!("{}:{} is already failing; it is taken as lost", n.ip, n.port));
                }
                Member {
                    id: n.name.to_string(),
                    addr: format!("{}:{}", n.ip, n.port),
                    master: n.master.and_then(|m| index.get(&m).copied()),
                    slots: n.slots.clone(),
                    no_failover: n.flags.has(NodeFlags::NOFAILOVER),
                    failing,
                    host: n.ip.clone(),
                    rack: None,
                    zone: None,
                }
            })
            .collect();
        Ok(Layout { members, notes })
    }

    /// Takes a map of hosts; see [`places`].
    ///
    /// # Errors
    /// As [`places`].
    pub fn place(&mut self, name: &str, text: &str) -> Result<(), Vec<String>> {
        let keys: Vec<(&str, &str)> = self.members.iter().map(|m| (m.addr.as_str(), m.id.as_str())).collect();
        let found = places(name, text, &keys)?;
        for (m, at) in self.members.iter_mut().zip(found) {
            (m.host, m.rack, m.zone) = (at.host, at.rack, at.zone);
        }
        Ok(())
    }

    /// Masters that own slots: those who vote.
    pub fn voters(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.members.len())
            .filter(|&k| self.members[k].master.is_none() && !self.members[k].slots.is_empty())
    }

    pub fn replicas(&self, master: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.members.len()).filter(move |&k| self.members[k].master == Some(master))
    }
}

/// Where something runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub host: String,
    pub rack: Option<String>,
    pub zone: Option<String>,
}

/// Reads a map: lines of `NODE HOST [RACK [ZONE]]`, where NODE is `ip:port`, `ip` for all nodes of an address, or the
/// beginning of a node's name. `#` begins a comment. `keys`: address and name of each node.
///
/// # Errors
/// Every line that names no node, and every node without a line.
pub fn places(name: &str, text: &str, keys: &[(&str, &str)]) -> Result<Vec<Place>, Vec<String>> {
    let mut wrong = Vec::new();
    let mut found: Vec<Option<Place>> = vec![None; keys.len()];
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("");
        let words: Vec<&str> = line.split([' ', '\t', ',']).filter(|w| !w.is_empty()).collect();
        let at = format!("{name}:{}", i + 1);
        match words[..] {
            [] => continue,
            [_] => wrong.push(format!("{at}: `{}` has no host: write NODE HOST [RACK [ZONE]]", words[0])),
            [_, _, _, _, _, ..] => wrong.push(format!("{at}: too many words: write NODE HOST [RACK [ZONE]]")),
            [node, host, ..] => {
                let is_it = |(addr, id): &(&str, &str)| {
                    let ip = addr.rsplit_once(':').is_some_and(|(ip, _)| ip == node);
                    *addr == node || ip || (node.len() >= 4 && id.starts_with(node))
                };
                let hits: Vec<usize> = (0..keys.len()).filter(|&k| is_it(&keys[k])).collect();
                if hits.is_empty() {
                    wrong.push(format!("{at}: there is no node `{node}`"));
                }
                let word = |k: usize| words.get(k).map(|w| w.to_string());
                for k in hits {
                    found[k] = Some(Place { host: host.into(), rack: word(2), zone: word(3) });
                }
            }
        }
    }
    let missing = (0..keys.len()).filter(|&k| found[k].is_none());
    wrong.extend(missing.map(|k| format!("{name}: {} has no line", keys[k].0)));
    if wrong.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(wrong) }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::fuzz;

    /// CLUSTER NODES of masters, each with a replica on the host of another.
    fn nodes(masters: usize) -> String {
        let id = |i: usize| format!("{i:040x}");
        let mut text = String::new();
        for i in 0..masters {
            let (a, b) = (i * 16384 / masters, (i + 1) * 16384 / masters - 1);
            text +=
                &format!("{} 10.0.0.{}:7000@17000 master - 0 0 {} connected {a}-{b}\n", id(i), i + 1, i + 1);
        }
        for i in 0..masters {
            let m = (i + 1) % masters;
            text += &format!(
                "{} 10.0.1.{}:7000@17000 slave {} 0 0 {} connected\n",
                id(masters + i),
                i + 1,
                id(m),
                m + 1
            );
        }
        text
    }

    /// `hosts[i]` has master i and the replica of master i + 1.
    pub fn ring(masters: usize, hosts: &[&str]) -> Layout {
        let text = nodes(masters);
        let mut l = Layout::read("nodes", text.as_bytes()).unwrap();
        let mut map = String::new();
        for i in 0..masters {
            let host = hosts[i % hosts.len()];
            map += &format!("10.0.0.{} {host}\n10.0.1.{} {host}\n", i + 1, i + 1);
        }
        l.place("map", &map).unwrap();
        l
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(fuzz::cases(300)))]

        #[test]
        fn mutated_texts_are_read_or_refused(of_nodes in fuzz::changes(), of_hosts in fuzz::changes()) {
            let hosts = "10.0.0.1 a r1 z1\n10.0.1.1 b # its replica\n10.0.0.2:7000 c\n10.0.1.2 d r2\n";
            let hosts = fuzz::mutate(hosts.as_bytes(), &of_hosts);
            match Layout::read("nodes", &fuzz::mutate(nodes(2).as_bytes(), &of_nodes)) {
                Ok(mut layout) => {
                    let placed = layout.place("hosts", &String::from_utf8_lossy(&hosts));
                    prop_assert!(placed.map_or_else(|wrong| !wrong.is_empty(), |()| true));
                }
                Err(wrong) => prop_assert!(!wrong.is_empty()),
            }
        }
    }

    #[test]
    fn mistakes_are_said_with_their_line() {
        let id = |c: char| String::from(c).repeat(40);
        let line = |c, rest: &str| format!("{} 127.0.0.1:7000@17000 {rest}\n", id(c));
        let all = line('a', "master - 0 0 1 connected 0-16383");
        assert!(Layout::read("n", all.as_bytes()).is_ok());
        for (text, says) in [
            ("".to_string(), "no node"),
            ("hello".into(), "line 1"),
            (line('a', "master - 0 0 1 connected 0-16382"), "1 slots have no owner, the first is 16383"),
            (all.clone() + &all, "twice"),
            (all.clone() + &line('b', "master - 0 0 2 connected 5"), "slot 5 has two owners"),
            (all.clone() + &line('b', &format!("slave {} 0 0 2 connected", id('c'))), "not in the text"),
            (all.clone() + &line('b', "master,bogus - 0 0 2 connected"), "line 2"),
        ] {
            let e = Layout::read("n", text.as_bytes()).unwrap_err().join("\n");
            assert!(e.contains(says), "{e}");
        }
    }

    #[test]
    fn a_map_names_every_node() {
        let mut l = ring(3, &["a", "b", "c"]);
        assert_eq!((l.members[0].host.as_str(), l.members[3].host.as_str()), ("a", "a"));
        let e = l.place("m", "10.0.0.1:7000 x r1 z1\n10.9.9.9 y\n10.0.0.2\n").unwrap_err().join("\n");
        assert!(
            e.contains("m:2: there is no node `10.9.9.9`")
                && e.contains("m:3")
                && e.contains("10.0.1.3:7000 has no line"),
            "{e}"
        );
        let at = places("m", "10.0.0.1:7000 x r1 z1\n", &[("10.0.0.1:7000", "")]).unwrap();
        assert_eq!((at[0].rack.as_deref(), at[0].zone.as_deref()), (Some("r1"), Some("z1")));
    }
}
