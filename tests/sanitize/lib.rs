//! `src/slot`, the only room of the house with `unsafe`, as a crate of its own; see `Cargo.toml` here.

#[path = "../../src/slot/mod.rs"]
pub mod slot;
