//! The integration tests: one binary, one module for each kind of promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod errors;
mod format;
mod graphs;
mod ir;
mod random_graph;
mod support;
