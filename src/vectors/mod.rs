//! Numbers of other programs: read, mapped onto a model, run, compared.
//!
//! In: the bytes of a file of tensors ([`File`]), a [`Map`], and something that compiles the spec
//! ([`Compile`]). Out: the [`Results`] of a run, or a [`Report`] of how far they are from the file's.
//! Invariant: nothing in a file or a map makes this room panic; what is wrong is an [`Error`] that
//! names the file and the tensor or pattern. The room reads no disk and prints nothing.

mod arith;
mod error;
mod exec;
mod file;
mod form;
mod map;
mod place;
mod resolve;
mod value;
mod verify;

pub use error::{Error, Kind};
pub use exec::{Compile, Compiled, Results, run};
pub use file::{File, Slot};
pub use form::{Cell, Form};
pub use map::{Block, Expr, Item, Map};
pub use resolve::{Bindings, Bound, Case, LossKind, resolve};
pub use value::Value;
pub use verify::{CaseReport, Report, Row, compare, verify};

#[cfg(test)]
mod tests;
