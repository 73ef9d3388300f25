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
