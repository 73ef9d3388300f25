//! The integration tests, in one binary: one module per subject.

mod commands;
mod differential;
mod engine;
mod render;
mod sentinel;
mod slot_cli;
mod support;
mod tidy;
mod tui;
mod writes;
