//! The text of CLUSTER NODES and of nodes.conf, read and written.

use std::fmt;

use super::{Line, MAX_TEXT_ERRORS, TextError, lines};
use crate::resp::split_words;
use crate::slot::SLOTS;

/// What redis-server logs before it exits when nodes.conf is not as it should be.
///
/// redis: cluster.c clusterLoadConfig @7.0.15
pub const CORRUPTED: &str = "Unrecoverable error: corrupted cluster config file.";

/// The name of a node: 40 characters of `a-z0-9`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName([u8; 40]);

/// Flags of a node line, a set. The order of the constants is the order in which Redis writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeFlags(u8);

/// One line of CLUSTER NODES. Times are in milliseconds of Unix time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLine {
    pub name: NodeName,
    /// Empty when it is not known.
    pub ip: String,
    pub port: u16,
    /// Port of the cluster bus.
    pub cport: u16,
    /// Empty when there is none.
    pub hostname: String,
    /// What later versions add after the hostname: `shard-id=...`.
    pub aux: Vec<String>,
    pub flags: NodeFlags,
    pub master: Option<NodeName>,
    pub ping_sent: i64,
    pub pong_received: i64,
    pub epoch: u64,
    pub connected: bool,
    /// Inclusive ranges.
    pub slots: Vec<(u16, u16)>,
    /// Open slots of the node that wrote the line, in the order of the line.
    pub open: Vec<OpenSlot>,
}

/// A slot on the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenSlot {
    /// `[slot->-name]`
    Migrating(u16, NodeName),
    /// `[slot-<-name]`
    Importing(u16, NodeName),
}

/// The `vars` line of nodes.conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodesVars {
    pub current_epoch: u64,
    pub last_vote_epoch: u64,
}

/// A whole text: node lines, and the `vars` line if it is a nodes.conf. Its `Display` is the text that
/// Redis writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodesText {
    pub nodes: Vec<NodeLine>,
    pub vars: Option<NodesVars>,
}

/// Reads CLUSTER NODES output or a nodes.conf. Every mistake is reported, up to
/// [`MAX_TEXT_ERRORS`].
///
/// For each of them redis-server logs [`CORRUPTED`] or stops at an assertion.
///
/// deviates: Redis reads numbers with atoi, which takes `70x` for 70, and ignores a range that ends before
/// it begins; here these are mistakes.
///
/// redis: cluster.c clusterLoadConfig @7.0.15
pub fn parse_nodes(text: impl AsRef<[u8]>) -> Result<NodesText, Vec<TextError>> {
    let lines = lines(text.as_ref()).map_err(|error| vec![error])?;
    let mut found = NodesText::default();
    let mut errors = Vec::new();
    for line in lines.iter().filter(|line| !line.text.trim().is_empty()) {
        if let Err(error) = read_line(line, &mut found) {
            errors.push(error);
            if errors.len() == MAX_TEXT_ERRORS {
                break;
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

impl NodesText {
    /// The line of the node that wrote the text.
    pub fn myself(&self) -> Option<&NodeLine> {
        self.nodes.iter().find(|node| node.flags.has(NodeFlags::MYSELF))
    }

    /// The line of this node.
    pub fn node(&self, name: NodeName) -> Option<&NodeLine> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Whether redis-server would start with this nodes.conf; the error says why not, after which it logs
    /// [`CORRUPTED`] or stops at an assertion.
    ///
    /// redis: cluster.c clusterLoadConfig @7.0.15
    pub fn check_loadable(&self) -> Result<(), String> {
        match self.nodes.iter().filter(|node| node.flags.has(NodeFlags::MYSELF)).count() {
            0 => Err("no line has the flag 'myself'".into()),
            1 => Ok(()),
            many => Err(format!("{many} lines have the flag 'myself'")),
        }
    }
}

impl NodeName {
    /// The name of these 40 characters of `a-z0-9`.
    ///
    /// redis: cluster.c verifyClusterNodeId @7.0.15
    pub fn new(text: impl AsRef<[u8]>) -> Option<Self> {
        let bytes: [u8; 40] = text.as_ref().try_into().ok()?;
        bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).then_some(NodeName(bytes))
    }
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeName({self})")
    }
}

impl NodeFlags {
    pub const NONE: NodeFlags = NodeFlags(0);
    pub const MYSELF: NodeFlags = NodeFlags(1);
    pub const MASTER: NodeFlags = NodeFlags(2);
    pub const SLAVE: NodeFlags = NodeFlags(4);
    pub const PFAIL: NodeFlags = NodeFlags(8);
    pub const FAIL: NodeFlags = NodeFlags(16);
    pub const HANDSHAKE: NodeFlags = NodeFlags(32);
    pub const NOADDR: NodeFlags = NodeFlags(64);
    pub const NOFAILOVER: NodeFlags = NodeFlags(128);

    /// Redis's words, lowest bit first.
    pub const NAMES: [&str; 8] =
        ["myself", "master", "slave", "fail?", "fail", "handshake", "noaddr", "nofailover"];

    /// Whether all of `flags` are set.
    pub fn has(self, flags: NodeFlags) -> bool {
        self.0 & flags.0 == flags.0
    }
    /// These flags and `flags`.
    #[must_use]
    pub fn with(self, flags: NodeFlags) -> NodeFlags {
        NodeFlags(self.0 | flags.0)
    }
}

/// redis: cluster.c representClusterNodeFlags @7.0.15
impl fmt::Display for NodeFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = (0..8).filter(|bit| self.0 >> bit & 1 == 1).map(|bit| Self::NAMES[bit]);
        f.write_str(words.next().unwrap_or("noflags"))?;
        words.try_for_each(|word| write!(f, ",{word}"))
    }
}

/// redis: cluster.c clusterGenNodeDescription @7.0.15
impl fmt::Display for NodeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}@{}", self.name, self.ip, self.port, self.cport)?;
        if !self.hostname.is_empty() || !self.aux.is_empty() {
            write!(f, ",{}", self.hostname)?;
        }
        self.aux.iter().try_for_each(|aux| write!(f, ",{aux}"))?;
        write!(f, " {} ", self.flags)?;
        match self.master {
            Some(master) => write!(f, "{master}")?,
            None => f.write_str("-")?,
        }
        let state = if self.connected { "connected" } else { "disconnected" };
        write!(f, " {} {} {} {state}", self.ping_sent, self.pong_received, self.epoch)?;
        for &(first, last) in &self.slots {
            if first == last {
                write!(f, " {first}")?;
            } else {
                write!(f, " {first}-{last}")?;
            }
        }
        self.open.iter().try_for_each(|open| match open {
            OpenSlot::Migrating(slot, name) => write!(f, " [{slot}->-{name}]"),
            OpenSlot::Importing(slot, name) => write!(f, " [{slot}-<-{name}]"),
        })
    }
}

/// redis: cluster.c clusterGenNodesDescription, clusterSaveConfig @7.0.15
impl fmt::Display for NodesText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nodes.iter().try_for_each(|node| writeln!(f, "{node}"))?;
        match self.vars {
            Some(vars) => {
                writeln!(f, "vars currentEpoch {} lastVoteEpoch {}", vars.current_epoch, vars.last_vote_epoch)
            }
            None => Ok(()),
        }
    }
}

fn read_line(line: &Line<'_>, found: &mut NodesText) -> Result<(), TextError> {
    // Redis splits these lines as it splits commands; quotes have no place in them.
    if let Err(unbalanced) = split_words(line.text.as_bytes()) {
        return Err(line.error(unbalanced.open, 1, "a quote that is not closed"));
    }
    let words: Vec<&str> = line.text.split_ascii_whitespace().collect();
    if words[0].eq_ignore_ascii_case("vars") {
        found.vars = Some(read_vars(line, &words)?);
        return Ok(());
    }
    if words.len() < 8 {
        let message = format!(
            "{} fields where a node line has at least 8: name, address, flags, master, ping sent, pong \
             received, epoch, link state, then slots",
            words.len()
        );
        return Err(line.error_at(line.text.trim(), message));
    }
    found.nodes.push(read_node(line, &words)?);
    Ok(())
}

fn read_vars(line: &Line<'_>, words: &[&str]) -> Result<NodesVars, TextError> {
    let mut vars = NodesVars { current_epoch: 0, last_vote_epoch: 0 };
    if words.len().is_multiple_of(2) {
        return Err(line.error_at(words[words.len() - 1], "a variable without a value"));
    }
    for pair in words[1..].chunks_exact(2) {
        let value = number(line, pair[1], "an epoch")?;
        if pair[0].eq_ignore_ascii_case("currentEpoch") {
            vars.current_epoch = value;
        } else if pair[0].eq_ignore_ascii_case("lastVoteEpoch") {
            vars.last_vote_epoch = value;
        }
        // Redis skips other variables with a warning.
    }
    Ok(vars)
}

fn read_node(line: &Line<'_>, words: &[&str]) -> Result<NodeLine, TextError> {
    let mut node = NodeLine {
        name: name(line, words[0])?,
        ip: String::new(),
        port: 0,
        cport: 0,
        hostname: String::new(),
        aux: Vec::new(),
        flags: flags(line, words[2])?,
        master: match words[3] {
            "-" => None,
            text => Some(name(line, text)?),
        },
        ping_sent: number(line, words[4], "a time in milliseconds")?,
        pong_received: number(line, words[5], "a time in milliseconds")?,
        epoch: number(line, words[6], "an epoch")?,
        connected: match words[7] {
            "connected" => true,
            "disconnected" => false,
            text => return Err(line.error_at(text, "not a link state: connected or disconnected")),
        },
        slots: Vec::new(),
        open: Vec::new(),
    };
    address(line, words[1], &mut node)?;
    for &word in &words[8..] {
        if word.starts_with('[') {
            node.open.push(open_slot(line, word)?);
            continue;
        }
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (first, last) = (slot(line, first)?, slot(line, last)?);
        if first > last {
            return Err(line.error_at(word, "a range of slots that ends before it begins"));
        }
        node.slots.push((first, last));
    }
    Ok(node)
}

/// `ip:port[@cport][,hostname[,aux]...]`; the ip may have colons, or be empty.
fn address(line: &Line<'_>, word: &str, node: &mut NodeLine) -> Result<(), TextError> {
    let mut parts = word.split(',');
    let host = parts.next().unwrap_or_default();
    node.hostname = parts.next().unwrap_or_default().into();
    node.aux = parts.map(str::to_string).collect();
    let Some((ip, ports)) = host.rsplit_once(':') else {
        return Err(line.error_at(word, "not an address: ip:port@bus-port"));
    };
    node.ip = ip.into();
    let (port, cport) = match ports.split_once('@') {
        Some((port, cport)) => (port, Some(cport)),
        None => (ports, None),
    };
    node.port = number(line, port, "a port")?;
    node.cport = match cport {
        Some(cport) => number(line, cport, "a bus port")?,
        None => match node.port.checked_add(10_000) {
            Some(cport) => cport,
            None => return Err(line.error_at(port, "a port above 55535, and no bus port")),
        },
    };
    Ok(())
}

pub(super) fn flags(line: &Line<'_>, word: &str) -> Result<NodeFlags, TextError> {
    let mut flags = NodeFlags::NONE;
    for part in word.split(',') {
        if part.eq_ignore_ascii_case("noflags") {
            continue;
        }
        match NodeFlags::NAMES.iter().position(|name| name.eq_ignore_ascii_case(part)) {
            Some(bit) => flags = flags.with(NodeFlags(1 << bit)),
            None => {
                let message = format!("not a flag: {} or noflags", NodeFlags::NAMES.join(", "));
                return Err(line.error_at(if part.is_empty() { word } else { part }, message));
            }
        }
    }
    Ok(flags)
}

fn open_slot(line: &Line<'_>, word: &str) -> Result<OpenSlot, TextError> {
    let parts = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
    let migrating = parts.and_then(|parts| parts.split_once("->-"));
    let importing = parts.and_then(|parts| parts.split_once("-<-"));
    match (migrating, importing) {
        (Some((number, to)), _) => Ok(OpenSlot::Migrating(slot(line, number)?, name(line, to)?)),
        (_, Some((number, from))) => Ok(OpenSlot::Importing(slot(line, number)?, name(line, from)?)),
        _ => Err(line.error_at(word, "not an open slot: [slot->-name] or [slot-<-name]")),
    }
}

pub(super) fn slot(line: &Line<'_>, word: &str) -> Result<u16, TextError> {
    let slot: u16 = number(line, word, "a slot")?;
    if slot < SLOTS { Ok(slot) } else { Err(line.error_at(word, "not a slot: 0 to 16383")) }
}

pub(super) fn name(line: &Line<'_>, word: &str) -> Result<NodeName, TextError> {
    NodeName::new(word).ok_or_else(|| {
        let message = format!("not a node name: 40 of a-z and 0-9, and this has {}", word.len());
        line.error_at(word, message)
    })
}

pub(super) fn number<T: std::str::FromStr>(line: &Line<'_>, word: &str, what: &str) -> Result<T, TextError> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let value = if plain { word.parse().ok() } else { None };
    value.ok_or_else(|| line.error_at(word, format!("not {what}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::fuzz;

    const A: &str = "f18cb48f07e47f7e84157e6cfb34f2f2d713c63f";
    const B: &str = "0849bffd06e35fced866d139d23458693d33dccf";

    fn sample() -> String {
        format!(
            "{A} 127.0.1.1:7000@17000,a.example myself,master - 0 1795427309000 1 connected 0-99 200 \
             [5->-{B}] [300-<-{B}]\n\
             {B} ::1:7001@17001 slave,fail?,nofailover {A} 1795427313370 0 1 disconnected\n\
             {} :0@0 noflags - 0 0 0 disconnected\n\
             vars currentEpoch 7 lastVoteEpoch 6\n",
            "0".repeat(40)
        )
    }

    #[test]
    fn a_nodes_conf_is_read_and_written_back() {
        let text = sample();
        let nodes = parse_nodes(&text).unwrap();
        assert_eq!(nodes.to_string(), text);
        assert_eq!(nodes.check_loadable(), Ok(()));
        let myself = nodes.myself().unwrap();
        assert_eq!((myself.ip.as_str(), myself.port, myself.cport), ("127.0.1.1", 7000, 17000));
        assert_eq!(myself.slots, [(0, 99), (200, 200)]);
        assert_eq!(myself.open[0], OpenSlot::Migrating(5, NodeName::new(B).unwrap()));
        let other = nodes.node(NodeName::new(B).unwrap()).unwrap();
        assert_eq!((other.ip.as_str(), other.master), ("::1", NodeName::new(A)));
        assert!(other.flags.has(NodeFlags::PFAIL) && !other.flags.has(NodeFlags::FAIL));
        assert_eq!(nodes.vars, Some(NodesVars { current_epoch: 7, last_vote_epoch: 6 }));
    }

    #[test]
    fn other_versions_lines() {
        let old = format!("{A} 10.0.0.1:7000 master - 0 0 1 connected\n");
        assert_eq!(parse_nodes(old).unwrap().nodes[0].cport, 17000);
        let new = format!("{A} 10.0.0.1:7000@17000,,tls-port=0,shard-id=x myself,master - 0 0 1 connected\n");
        let nodes = parse_nodes(&new).unwrap();
        assert_eq!(nodes.nodes[0].aux, ["tls-port=0", "shard-id=x"]);
        assert_eq!(nodes.to_string(), new);
    }

    #[test]
    fn mistakes_have_places() {
        let text = format!(
            "{A} 127.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-16384\n\
             short line\n\
             {A} 127.0.0.1:7000@17000 mastr - 0 0 1 connected\n\
             {A} nowhere master - 0 0 1 connected\n\
             {} 127.0.0.1:7000@17000 master - 0 0 1 connected\n\
             {A} 127.0.0.1:7000@17000 master - 0 0 1 connected [5-{B}]\n\
             vars currentEpoch\n",
            &A[1..]
        );
        let errors = parse_nodes(&text).unwrap_err();
        let got: Vec<_> =
            errors.iter().map(|e| (e.line, e.column, &text[e.start..e.start + e.len])).collect();
        assert_eq!(
            got,
            [
                (1, 97, "16384"),
                (2, 1, "short line"),
                (3, 63, "mastr"),
                (4, 42, "nowhere"),
                (5, 1, &A[1..]),
                (6, 88, &*format!("[5-{B}]")),
                (7, 6, "currentEpoch")
            ]
        );
        let shown = errors[2].to_string();
        assert!(
            shown.starts_with("line 3, column 63: not a flag: myself, master, slave, fail?, fail"),
            "{shown}"
        );
        assert!(shown.ends_with(&format!("\n  | {}^^^^^", " ".repeat(60))), "{shown}");
        assert_eq!(parse_nodes("").unwrap().check_loadable().unwrap_err(), "no line has the flag 'myself'");
        assert_eq!(parse_nodes(b"\0\0").unwrap_err().len(), 1);
        assert_eq!(parse_nodes(b"\xff\xfe").unwrap_err().len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::base::fuzz::cases(500)))]

        #[test]
        fn mutated_texts_are_read_or_refused(changes in fuzz::changes()) {
            let text = fuzz::mutate(sample().as_bytes(), &changes);
            match parse_nodes(&text) {
                Ok(nodes) => {
                    let again = parse_nodes(nodes.to_string()).unwrap();
                    prop_assert_eq!(again, nodes);
                }
                Err(errors) => {
                    prop_assert!(!errors.is_empty() && errors.len() <= MAX_TEXT_ERRORS);
                    for error in errors {
                        prop_assert!(error.start + error.len <= text.len());
                        prop_assert!(error.to_string().len() < 2000);
                    }
                }
            }
        }
    }
}
