//! What `redis-cli --cluster check` prints, as the table of CLUSTER NODES that it was made from.

use super::nodes::{NodeFlags, NodeLine, NodesText, flags, name, number, slot};
use super::{Line, MAX_TEXT_ERRORS, TextError, lines};

/// Whether the text looks like output of `redis-cli --cluster check` (or `create`, `info` and others that list nodes
/// so): it has a line that begins with `M: ` or `S: `.
pub fn is_check(text: impl AsRef<[u8]>) -> bool {
    let text = String::from_utf8_lossy(text.as_ref()).into_owned();
    text.lines().any(|l| head(&plain(l)).is_some())
}

/// Reads the nodes that `redis-cli --cluster check` lists; its other lines, and colours, do not count. Epochs and
/// times are 0, since it does not print them. If it lists a node more than once (before and after a repair), the last
/// list counts.
///
/// redis: redis-cli.c clusterManagerNodeInfo @7.0.15
///
/// # Errors
/// Every mistake in the lines of nodes, with its place.
pub fn parse_check(text: impl AsRef<[u8]>) -> Result<NodesText, Vec<TextError>> {
    let text = text.as_ref();
    // Colours are bytes of their own: without them places are those of the text as one sees it.
    let seen: Vec<u8> = plain(&String::from_utf8_lossy(text)).into_bytes();
    let all = lines(&seen).map_err(|e| vec![e])?;
    let mut found = NodesText { nodes: Vec::new(), vars: None };
    let mut errors = Vec::new();
    let mut last = 0;
    for line in &all {
        if line.text.starts_with(">>> Performing Cluster Check") {
            found.nodes.clear();
        }
        let read = match head(line.text) {
            Some(rest) => {
                last = line.number;
                node(line, rest).map(|n| found.nodes.push(n))
            }
            None => match found.nodes.last_mut() {
                Some(n) if line.number <= last + 3 => detail(line, n),
                _ => Ok(()),
            },
        };
        if let Err(e) = read {
            errors.push(e);
            if errors.len() == MAX_TEXT_ERRORS {
                break;
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// Without `ESC [ ... m`.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out += before;
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest.strip_prefix('m').unwrap_or(rest);
    }
    out + rest
}

fn head(line: &str) -> Option<&str> {
    line.strip_prefix("M: ").or_else(|| line.strip_prefix("S: "))
}

fn node(line: &Line<'_>, rest: &str) -> Result<NodeLine, TextError> {
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let [id, addr] = words[..] else {
        return Err(line.error_at(rest, "a node is listed as `M: ID IP:PORT`"));
    };
    let Some((ip, port)) = addr.rsplit_once(':') else {
        return Err(line.error_at(addr, "not an address: ip:port"));
    };
    let port: u16 = number(line, port, "a port")?;
    let role = if line.text.starts_with('M') { NodeFlags::MASTER } else { NodeFlags::SLAVE };
    Ok(NodeLine {
        name: name(line, id)?,
        ip: ip.into(),
        port,
        cport: port.saturating_add(10_000),
        hostname: String::new(),
        aux: Vec::new(),
        flags: role,
        master: None,
        ping_sent: 0,
        pong_received: 0,
        epoch: 0,
        connected: true,
        slots: Vec::new(),
        open: Vec::new(),
    })
}

/// `   slots:[0-5460],[7000] (5462 slots) master`, `   replicates ID`.
fn detail(line: &Line<'_>, n: &mut NodeLine) -> Result<(), TextError> {
    let text = line.text.trim_start();
    if let Some(id) = text.strip_prefix("replicates ") {
        n.master = Some(name(line, id.trim_end())?);
    } else if let Some(rest) = text.strip_prefix("slots:") {
        let (list, rest) = rest.split_once(" (").unwrap_or((rest, ""));
        for range in list.split(',').map(|r| r.trim_matches(['[', ']', ' '])).filter(|r| !r.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (slot(line, first)?, slot(line, last)?);
            if first > last {
                return Err(line.error_at(range, "a range of slots that ends before it begins"));
            }
            n.slots.push((first, last));
        }
        if let Some((_, words)) = rest.split_once("slots)") {
            for word in words.split_ascii_whitespace() {
                n.flags = n.flags.with(flags(line, word)?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "127.0.0.1:7000 (aaaaaaaa...) -> 0 keys | 8192 slots | 1 slaves.\n\
        \x1b[0m[OK] 0 keys in 2 masters.\n\
        0.00 keys per slot on average.\n\
        >>> Performing Cluster Check (using node 127.0.0.1:7000)\n\
        M: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 127.0.0.1:7000\n   \
           slots:[0-8190],[8191] (8192 slots) master\n   \
           1 additional replica(s)\n\
        \x1b[31;1mM: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 127.0.0.1:7001\x1b[0m\n   \
           slots:[8192-16383] (8192 slots) master\n\
        S: cccccccccccccccccccccccccccccccccccccccc 127.0.0.1:7002\n   \
           slots: (0 slots) slave,fail?\n   \
           replicates aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\
        [OK] All nodes agree about slots configuration.\n";

    #[test]
    fn what_check_lists_is_a_table_of_nodes() {
        assert!(is_check(TEXT) && !is_check("hello"));
        let read = parse_check(TEXT).unwrap();
        assert_eq!(read.nodes.len(), 3);
        assert_eq!(read.nodes[0].slots, [(0, 8190), (8191, 8191)]);
        assert_eq!((read.nodes[1].port, read.nodes[1].slots.len()), (7001, 1));
        let replica = &read.nodes[2];
        assert!(replica.flags.has(NodeFlags::SLAVE.with(NodeFlags::PFAIL)));
        assert_eq!(replica.master, Some(read.nodes[0].name));
        // Twice the same list is one list.
        let again = parse_check([TEXT, TEXT].concat()).unwrap();
        assert_eq!(again, read);
    }

    #[test]
    fn mistakes_have_places() {
        for (from, to, says) in [
            ("slots:[8192-16383]", "slots:[8192-16384]", "line 9, column 16: not a slot"),
            ("127.0.0.1:7002", "nowhere", "line 10"),
            ("slave,fail?", "slave,bogus", "line 11"),
            ("S: cccc", "S: ccc", "line 10"),
        ] {
            let errors = parse_check(TEXT.replace(from, to)).unwrap_err();
            assert!(errors[0].to_string().starts_with(says), "{}", errors[0]);
        }
    }
}
