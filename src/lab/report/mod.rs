//! Reports of the laboratory: text for people, JSON and CSV for programs, SVG for both.

pub mod spark;
