//! The commands, by what they are about. Each takes the server, the context, the caller and the words.

pub mod basic;
pub mod cluster;
pub mod config;
pub mod data;
pub mod info;
pub mod replication;
