//! L1: RESP, the language between clients and servers.
//!
//! Values and their two wire forms, requests and their length, the quoting rules of command lines, and
//! the text that `redis-cli` prints. Knows bytes; never commands, nodes or time.
//! Read first: [`Value`], then [`command_len`] and [`split_args`].

mod args;
mod codec;
mod value;

pub use args::{Unbalanced, Word, command_len, encode_command, glob_match, quote, split_args, split_words};
pub use codec::{ProtocolError, ReplyReader, RequestLimits, RequestReader};
pub use value::{Protocol, Value};

/// Against what redis-server and redis-cli 7.0.15 said. In these files each character is one byte.
#[cfg(test)]
mod tests {
    use super::*;

    fn recorded<T: serde::de::DeserializeOwned>(file: &str) -> T {
        let path = format!("{}/tests/fixtures/real/{file}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn bytes(text: &str) -> Vec<u8> {
        text.chars().map(|c| c as u8).collect()
    }

    /// Bytes sent, and the protocol error that the server replied; empty if none.
    #[test]
    fn broken_requests_are_judged_as_a_recorded_server_judges_them() {
        let cases: Vec<(String, String)> = recorded("requests.json");
        for (sent, want) in cases {
            let mut reader = RequestReader::default();
            reader.feed(&bytes(&sent));
            let ours = loop {
                match reader.next_request() {
                    Ok(Some(_)) => {}
                    Ok(None) => break String::new(),
                    Err(error) => break error.to_string(),
                }
            };
            assert_eq!(ours, want, "{sent:?}");
        }
    }

    /// Version of RESP, command, reply on the wire, redis-cli's output on a terminal and elsewhere.
    #[test]
    fn replies_are_printed_as_a_recorded_redis_cli_prints_them() {
        let cases: Vec<(u8, String, String, String, String)> = recorded("cli_replies.json");
        for (version, command, wire, terminal, raw) in cases {
            let protocol = if version == 3 { Protocol::Resp3 } else { Protocol::Resp2 };
            let mut reader = ReplyReader::default();
            reader.feed(&bytes(&wire));
            let value = reader.next_reply().unwrap().unwrap();
            assert_eq!(value.to_bytes(protocol), bytes(&wire), "{command}");
            assert_eq!(bytes(&terminal), format!("{value}\n").as_bytes(), "{command}");
            assert_eq!(bytes(&raw), [value.to_raw(), b"\n".to_vec()].concat(), "{command}");
        }
    }
}
