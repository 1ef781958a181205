//! What a spec says of its values beyond their equations: claims, and what may be assumed of inputs.
//!
//! In: domains as they were declared. Out: for each an array of numbers, as a term over axes, and where
//! it must lie. Invariant: a claim never changes the model it speaks of.

use crate::source::Span;

use super::flat::{Axis, Term};
use super::typed::Domain;

/// A value with a declared domain that no squash makes so.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What it speaks of, for example `read.usage.u`.
    pub path: String,
    /// What kind of value that is.
    pub kind: Claimed,
    /// Where it must lie.
    pub domain: Domain,
    /// The axes of the array; the last is the one that a domain of whole vectors speaks of.
    pub axes: Vec<Axis>,
    /// Its entry over the axes.
    pub term: Term,
    /// Where the domain is declared.
    pub declared: Span,
    /// Where the value comes from: the equation, the start, or the argument of the call.
    pub place: Span,
}

/// Kinds of values with claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Given by an equation.
    Value,
    /// The state of that number: at its start and after every step.
    State(u32),
    /// Passed to a definition.
    Argument,
}

/// Everything said of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// What must hold.
    pub all: Vec<Claim>,
    /// Where each input of the model lies.
    pub inputs: Vec<Domain>,
    /// States that a caller may start, when a definition is built alone, with where they start.
    pub free: Vec<(u32, Domain)>,
}
