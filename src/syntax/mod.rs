//! TEXT to TREE: the only room that knows pest.

pub mod ast;
