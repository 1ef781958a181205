//! The integration tests: one binary, one module for each kind of promise.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod agree;
mod bad_numbers;
mod bench;
mod claims;
mod cli;
mod copies;
mod corpus;
mod deferred;
mod digest;
mod drawn;
mod errors;
mod expand;
mod explain;
#[cfg(target_os = "linux")]
mod fence;
mod format;
mod golden;
mod gradients;
mod graphs;
mod guide;
mod ir;
mod layouts;
mod meaning;
mod memory;
mod mutate;
mod mutations;
mod notes;
mod practice;
mod random_graph;
mod readme;
mod resume;
mod scalars;
mod semantics;
mod show;
mod splices;
mod stages;
mod streams;
mod support;
mod threads;
mod tidy;
mod trained;
mod trees;
mod trials;
