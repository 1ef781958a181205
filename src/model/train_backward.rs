//! Gradients limited inside the backward sweep, by a setting of the training block.
//!
//! In: the setting `clip_backward`, and a model. Out: the model with `clip_gradient` around the values that
//! the setting names. Invariant: no value changes, only what flows back through it.

use super::flat::{Model, Sort, Term};
use super::train::{Wrong, above_zero, call, path};
use super::train_errors as errors;
use crate::diag::{Diagnostics, nearest};
use crate::op::scalar::CLIP_GRADIENT;
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind};

/// Which gradients are limited on their way back, and to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Backward {
    /// Every component to ± this, at every step.
    pub limit: f64,
    /// The values.
    pub at: Vec<(String, Span)>,
}

/// One line about the setting.
pub(super) const SUMMARY: &str = "limit what flows back through these values, at every step";

/// A line that can be pasted.
pub(super) const EXAMPLE: &str = "clip_backward = value(10, at = [h])";

const TAKES: &str = "`value(c, at = [names of values])`";

/// Reads the setting.
pub(super) fn read(setting: &ast::Setting) -> Result<Backward, Wrong> {
    let whole = &setting.value;
    let wrong = || Wrong::Kind(whole.span, TAKES);
    let (name, args) = call(&whole.value).ok_or_else(wrong)?;
    let ([limit, names], "value") = (args, name.text.as_str()) else { return Err(wrong()) };
    let named = names.name.as_ref().is_some_and(|name| name.text == "at");
    let (ExprKind::List(items), true, None) = (&names.value.kind, named, &limit.name) else {
        return Err(wrong());
    };
    let one = |item: &ast::Arg| {
        let name = path(&item.value).ok_or(Wrong::Kind(item.span, TAKES))?;
        Ok((name, item.value.span))
    };
    let at = items.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    if at.is_empty() {
        Err(wrong())
    } else {
        Ok(Backward { limit: above_zero(&limit.value, TAKES)?, at })
    }
}

impl Backward {
    /// Limits the gradients of a model; names that are no real value of it are reported.
    #[must_use]
    pub fn apply(&self, model: &mut Model) -> Diagnostics {
        let mut wrong = Diagnostics::default();
        for (name, span) in &self.at {
            let real = |sort: Sort| sort == Sort::Real;
            let mut found = false;
            for value in model.values.iter_mut() {
                if value.path == *name && real(value.sort) {
                    let right = std::mem::replace(&mut value.right, Term::Real(0.0));
                    value.right = Term::Map(CLIP_GRADIENT, vec![right, Term::Real(self.limit)]);
                    found = true;
                }
            }
            if !found {
                let all = model.values.iter().filter(|value| real(value.sort));
                let near = nearest(name, all.map(|value| value.path.as_str()));
                wrong.push(errors::unknown_value(*span, name, near));
            }
        }
        wrong
    }
}
