//! TREE to MODEL: names, dims, domains and time are checked; then one model is spelled out.
//!
//! In: the trees of a spec and of the modules it uses. Out: first [`typed::Checked`], every definition
//! checked once and generically; then, with all dims bound, a [`Model`]: flat equations over numbered
//! index variables, without calls, families, domains or emissions. Invariant: holding a `Model` means
//! that the spec is right; no later room may fail because of it.

pub mod claim;
pub mod flat;
pub mod int;
pub mod library;
pub mod needs;
pub mod point;
pub mod train;
mod train_backward;
pub mod train_errors;
mod train_schedule;
mod train_settings;
pub mod typed;

pub(crate) mod command_errors;

mod check;
mod elaborate;
mod errors;
mod expand;
mod places;
mod show;

pub use check::check;
pub use elaborate::{
    Given, Loss, Place, Ports, Setting, elaborate, elaborate_optimiser, elaborate_with_claims,
    learning_rate,
};
pub use expand::{dot, expand};
pub use flat::Model;
pub use show::{domain as domain_name, lies_in};
