//! The integration tests: one binary, one module for each kind of promise.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod errors;
mod expand;
mod format;
mod gradients;
mod graphs;
mod ir;
mod random_graph;
mod support;
mod trees;
