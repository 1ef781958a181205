//! Every sentence that the checker and the elaborator can say, by what it is about.
//!
//! One factory a mistake; the caller passes what it has, the factory owns wording, labels and help.

mod domains;
mod models;
mod names;
mod shapes;
mod time;

pub(super) use domains::*;
pub(super) use models::*;
pub(super) use names::*;
pub(super) use shapes::*;
pub(super) use time::*;

use crate::diag::Diagnostic;
use crate::source::Span;

fn new(code: &'static str, message: String, span: Span, label: String) -> Diagnostic {
    Diagnostic::new(code, message, span, label)
}
