//! The integration tests, in one binary: one module per subject.

mod bad_input;
mod commands;
mod determinism;
mod differential;
mod engine;
mod hunt;
mod ingest;
mod lessons;
mod regressions;
mod render;
mod sentinel;
mod shards;
mod slot_cli;
mod support;
mod tidy;
mod tui;
mod verify;
mod what_if;
mod writes;
