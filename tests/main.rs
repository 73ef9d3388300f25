//! The integration tests, in one binary: one module per subject.

mod commands;
mod support;
mod tidy;
