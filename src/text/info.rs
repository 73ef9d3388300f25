//! The texts of INFO and CLUSTER INFO.

use std::fmt;

use super::{TextError, lines};

/// One section of INFO: its title and its lines `name:value`, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InfoSection {
    /// The title after `#`; empty for lines before the first title, as all of CLUSTER INFO is.
    pub title: String,
    pub fields: Vec<(String, String)>,
}

/// CLUSTER INFO. Its `Display` is the text that Redis writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterInfo {
    /// `cluster_state:ok`
    pub state_ok: bool,
    pub slots_assigned: u32,
    pub slots_ok: u32,
    pub slots_pfail: u32,
    pub slots_fail: u32,
    pub known_nodes: u32,
    pub size: u32,
    pub current_epoch: u64,
    pub my_epoch: u64,
    /// Messages by type, those with a count above zero, in Redis's order of types.
    pub sent: Vec<(String, u64)>,
    pub messages_sent: u64,
    pub received: Vec<(String, u64)>,
    pub messages_received: u64,
    pub links_buffer_limit_exceeded: u64,
}

/// Reads INFO or CLUSTER INFO: titles, blank lines and lines `name:value`; anything else is a mistake.
///
/// redis: server.c genRedisInfoString @7.0.15
pub fn parse_info(text: impl AsRef<[u8]>) -> Result<Vec<InfoSection>, TextError> {
    let mut sections: Vec<InfoSection> = Vec::new();
    for line in lines(text.as_ref())? {
        if line.text.is_empty() {
            continue;
        }
        if let Some(title) = line.text.strip_prefix("# ") {
            sections.push(InfoSection { title: title.into(), fields: Vec::new() });
            continue;
        }
        let Some((name, value)) = line.text.split_once(':') else {
            return Err(line.error_at(line.text, "neither '# Title' nor 'name:value'"));
        };
        if name.is_empty() || name.contains(' ') {
            return Err(line.error_at(name, "not the name of a field"));
        }
        if sections.is_empty() {
            sections.push(InfoSection::default());
        }
        if let Some(section) = sections.last_mut() {
            section.fields.push((name.into(), value.into()));
        }
    }
    Ok(sections)
}

/// Reads CLUSTER INFO; a field that Redis 7.0.15 does not write, or one that is missing or out of order,
/// is a mistake.
///
/// redis: cluster.c clusterCommand (INFO) @7.0.15
pub fn parse_cluster_info(text: impl AsRef<[u8]>) -> Result<ClusterInfo, TextError> {
    let mut found = ClusterInfo::default();
    let lines: Vec<_> = lines(text.as_ref())?.into_iter().filter(|line| !line.text.is_empty()).collect();
    for line in &lines {
        let Some((name, value)) = line.text.split_once(':') else {
            return Err(line.error_at(line.text, "not 'name:value'"));
        };
        if name == "cluster_state" {
            found.state_ok = match value {
                "ok" => true,
                "fail" => false,
                _ => return Err(line.error_at(value, "not a state: ok or fail")),
            };
            continue;
        }
        let wrong = || line.error_at(value, "not a number");
        let number: u64 = value.parse().map_err(|_| wrong())?;
        let small = || u32::try_from(number).map_err(|_| wrong());
        match name {
            "cluster_slots_assigned" => found.slots_assigned = small()?,
            "cluster_slots_ok" => found.slots_ok = small()?,
            "cluster_slots_pfail" => found.slots_pfail = small()?,
            "cluster_slots_fail" => found.slots_fail = small()?,
            "cluster_known_nodes" => found.known_nodes = small()?,
            "cluster_size" => found.size = small()?,
            "cluster_current_epoch" => found.current_epoch = number,
            "cluster_my_epoch" => found.my_epoch = number,
            "cluster_stats_messages_sent" => found.messages_sent = number,
            "cluster_stats_messages_received" => found.messages_received = number,
            "total_cluster_links_buffer_limit_exceeded" => found.links_buffer_limit_exceeded = number,
            _ => {
                let kind = name.strip_prefix("cluster_stats_messages_");
                let sent = kind.and_then(|kind| kind.strip_suffix("_sent"));
                let received = kind.and_then(|kind| kind.strip_suffix("_received"));
                match (sent, received) {
                    (Some(kind), _) => found.sent.push((kind.into(), number)),
                    (_, Some(kind)) => found.received.push((kind.into(), number)),
                    _ => return Err(line.error_at(name, "not a field of CLUSTER INFO")),
                }
            }
        }
    }
    // What is left out, doubled or out of order shows when the text is written again.
    let written = found.to_string();
    let mut want = written.lines();
    for line in &lines {
        let want = want.next().unwrap_or_default();
        if line.text != want {
            return Err(line.error_at(line.text, format!("expected '{want}' here")));
        }
    }
    match (want.next(), lines.last()) {
        (Some(missing), Some(last)) => {
            Err(last.error(last.text.len(), 0, format!("expected '{missing}' after this")))
        }
        (Some(_), None) => Err(super::Line { number: 1, start: 0, text: "" }.error(0, 0, "an empty text")),
        _ => Ok(found),
    }
}

/// The parts of a value such as `ip=127.0.0.1,port=7001,state=online`.
pub fn subfields(value: &str) -> Vec<(&str, &str)> {
    value.split(',').filter_map(|part| part.split_once('=')).collect()
}

impl InfoSection {
    /// The value of the first field of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }
}

impl fmt::Display for ClusterInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.state_ok { "ok" } else { "fail" };
        let mut line = |name: &str, value: &dyn fmt::Display| write!(f, "{name}:{value}\r\n");
        line("cluster_state", &state)?;
        line("cluster_slots_assigned", &self.slots_assigned)?;
        line("cluster_slots_ok", &self.slots_ok)?;
        line("cluster_slots_pfail", &self.slots_pfail)?;
        line("cluster_slots_fail", &self.slots_fail)?;
        line("cluster_known_nodes", &self.known_nodes)?;
        line("cluster_size", &self.size)?;
        line("cluster_current_epoch", &self.current_epoch)?;
        line("cluster_my_epoch", &self.my_epoch)?;
        for (kind, count) in &self.sent {
            line(&format!("cluster_stats_messages_{kind}_sent"), count)?;
        }
        line("cluster_stats_messages_sent", &self.messages_sent)?;
        for (kind, count) in &self.received {
            line(&format!("cluster_stats_messages_{kind}_received"), count)?;
        }
        line("cluster_stats_messages_received", &self.messages_received)?;
        line("total_cluster_links_buffer_limit_exceeded", &self.links_buffer_limit_exceeded)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::fuzz;

    const INFO: &str = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n\
        cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:6\r\ncluster_size:3\r\n\
        cluster_current_epoch:6\r\ncluster_my_epoch:1\r\ncluster_stats_messages_ping_sent:45\r\n\
        cluster_stats_messages_pong_sent:50\r\ncluster_stats_messages_sent:95\r\n\
        cluster_stats_messages_ping_received:45\r\ncluster_stats_messages_auth-req_received:5\r\n\
        cluster_stats_messages_received:50\r\ntotal_cluster_links_buffer_limit_exceeded:0\r\n";

    #[test]
    fn cluster_info_is_read_and_written_back() {
        let info = parse_cluster_info(INFO).unwrap();
        assert_eq!(info.to_string(), INFO);
        assert_eq!((info.size, info.sent[1].1), (3, 50));
        let gone = INFO.replace("cluster_size:3\r\n", "");
        assert!(parse_cluster_info(gone).unwrap_err().message.contains("expected 'cluster_size:0'"));
        let error = parse_cluster_info("cluster_state:bad").unwrap_err();
        assert_eq!((error.line, error.column), (1, 15));
        assert!(parse_cluster_info("").is_err());
    }

    #[test]
    fn info_sections() {
        let text = "# Replication\r\nrole:master\r\nslave0:ip=::1,port=7001\r\n\r\n# Cluster\r\ncluster_enabled:1\r\n";
        let sections = parse_info(text).unwrap();
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].get("role"), Some("master"));
        assert_eq!(subfields(sections[0].get("slave0").unwrap()), [("ip", "::1"), ("port", "7001")]);
        assert_eq!(parse_info("x:1\nnonsense").unwrap_err().line, 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::base::fuzz::cases(500)))]

        #[test]
        fn mutated_texts_are_read_or_refused(changes in fuzz::changes()) {
            let text = fuzz::mutate(INFO.as_bytes(), &changes);
            let _ = parse_info(&text);
            match parse_cluster_info(&text) {
                Ok(info) => prop_assert_eq!(parse_cluster_info(info.to_string()).unwrap(), info),
                Err(error) => prop_assert!(error.start + error.len <= text.len()),
            }
        }
    }
}
