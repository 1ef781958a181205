//! TREE to MODEL: names, dims, domains and time are checked; then one model is spelled out.
//!
//! In: the trees of a spec and of the modules it uses. Out: first [`typed::Checked`], every definition
//! checked once and generically; then, with all dims bound, a [`Model`]: flat equations over numbered
//! index variables, without calls, families, domains or emissions. Invariant: holding a `Model` means
//! that the spec is right; no later room may fail because of it.

pub mod flat;
pub mod int;
pub mod library;
pub mod train;
pub mod train_errors;
pub mod typed;

mod check;
mod errors;
mod show;

pub use check::check;
pub use flat::Model;
