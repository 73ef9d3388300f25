//! The integration tests, in one binary: one module per subject.

mod commands;
mod render;
mod support;
mod tidy;
