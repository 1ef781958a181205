//! Integration tests: one binary, a module a subject.

mod graphs;
mod ir;
mod random_graph;
