//! `ntmc`: a compiler for memory-augmented neural networks written as equations.

pub mod backend;
pub mod diag;
pub mod grad;
pub mod graph;
pub mod lower;
pub mod model;
pub mod op;
pub mod opt;
pub mod source;
pub mod syntax;
pub mod tensor;
