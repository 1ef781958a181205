//! `ntmc`: a compiler for memory-augmented neural networks written as equations.

pub mod backend;
pub mod cli;
pub mod compile;
pub mod diag;
pub mod error;
pub mod grad;
pub mod graph;
pub mod lower;
pub mod model;
pub mod op;
pub mod opt;
pub mod random;
pub mod run;
pub mod source;
pub mod syntax;
pub mod task;
pub mod tensor;
pub mod train;
pub mod vectors;
