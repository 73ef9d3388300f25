//! Slotscope: a deterministic simulator of Redis Cluster and Redis Sentinel.
//!
//! A run is `(Plan, Seed) -> Trace`. Everything else writes plans or reads traces.
//!
//! The modules are layers, in reading order; a module imports only from modules above it in this
//! list. `tests/` holds that table and fails on an edge that points down.
//!
//! | layer | module | what it is |
//! | --- | --- | --- |
//! | L0 | [`base`] | time, random streams, samplers, typed ids |
//! | L1 | [`slot`] | key to slot: hash tags, CRC16, sets of slots |
//! | L1 | [`resp`] | RESP values and codec, quoting, what redis-cli prints |
//! | L1 | [`params`] | every directive of redis.conf, declared once |
//! | L1 | [`text`] | the texts that Redis writes: CLUSTER NODES, nodes.conf, INFO, SLOTS, SHARDS, LINKS |
//! | L1 | [`trace`] | what happened: facts with time, host and cause |
//! | L2 | [`redis`] | the modelled programs as pure state machines |
//! | L3 | [`world`] | one deterministic universe: hosts, network, plan, time travel |
//! | L4 | [`check`] | what a scenario expects, and what must hold in every run |
//! | L4 | [`explain`] | why: phases, causes, votes and mechanisms of each failover |
//! | L5 | [`scenario`] | scenario files: reading, every mistake at once, writing |
//! | L5 | [`lab`] | many runs: statistics, comparison with recordings of real Redis, reports |
//! | L6 | [`tui`] | the terminal: model, update, view |
//! | L6 | [`cli`] | the command line, one file per subcommand |

#![deny(unsafe_code)]

#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod base;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod check;
#[allow(clippy::disallowed_types, clippy::disallowed_methods)] // the world outside: clocks, files
pub mod cli;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod explain;
#[allow(clippy::disallowed_types)] // floats: nothing here flows back into a run
pub mod lab;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod params;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod redis;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod resp;
pub mod scenario;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod slot;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod text;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod trace;
#[allow(clippy::disallowed_types, clippy::disallowed_methods)] // the wall clock of the player
pub mod tui;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod world;
