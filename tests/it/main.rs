//! The integration tests: one binary, one module for each kind of promise.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod errors;
mod format;
mod support;
mod trees;
