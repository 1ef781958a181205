//! The integration tests: one binary, one module for each kind of promise.

mod errors;
mod format;
mod support;
