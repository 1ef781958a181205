//! Integration tests: one binary, a module a subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod graphs;
mod ir;
mod random_graph;
