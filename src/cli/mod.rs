//! The command line: one file a verb.

pub mod exec;
pub mod verify;
