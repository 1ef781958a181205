//! A node as a term sees it: which node, and where it is read, in index variables of the model.
//!
//! In: reads of values through reads of values. Out: one read of one node. Invariant: composing never
//! changes what is read; where no single index says it, composing answers `None`.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{NodeId, Rel};
use crate::model::flat::{Axis, Linear, Var};

use super::scope::Scope;

/// Where along one axis a node is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// An affine function of variables.
    Linear(Linear),
    /// `(of div step) mod radix`, Euclidean.
    Digit { of: Linear, step: u32, radix: u32 },
    /// A whole number that a node holds.
    Value(Box<Seen>),
}

/// A node, read at one place along each of its axes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// The node.
    pub(super) node: NodeId,
    /// One place for each of its axes.
    pub(super) at: Vec<Place>,
}

/// `left rel right`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Guard {
    /// Left side.
    pub(super) left: Place,
    /// Relation.
    pub(super) rel: Rel,
    /// Right side.
    pub(super) right: Linear,
}

/// What stands for a variable.
pub(super) type Substitution = BTreeMap<Var, Place>;

impl Place {
    /// One bare variable.
    pub(super) fn var(var: Var) -> Place {
        Place::Linear(Linear::var(var))
    }

    /// Adds the variables that occur.
    pub(super) fn vars(&self, into: &mut BTreeSet<Var>) {
        match self {
            Place::Linear(of) | Place::Digit { of, .. } => linear_vars(of, into),
            Place::Value(seen) => seen.vars(into),
        }
    }

    /// Whether it is known only at run time.
    pub(super) fn is_value(&self) -> bool {
        matches!(self, Place::Value(_))
    }

    fn substitute(&self, by: &Substitution, scope: &Scope) -> Option<Place> {
        match self {
            Place::Linear(of) => linear_at(of, by),
            Place::Digit { of, step, radix } => digit_at(of, *step, *radix, by, scope),
            Place::Value(seen) => Some(Place::Value(Box::new(seen.substitute(by, scope)?))),
        }
    }
}

/// Adds the variables that occur.
pub(super) fn linear_vars(of: &Linear, into: &mut BTreeSet<Var>) {
    into.extend(of.terms.iter().map(|(var, _)| *var));
}

impl Seen {
    /// All of a node, its axes being these.
    pub(super) fn whole(node: NodeId, axes: &[Axis]) -> Seen {
        Seen { node, at: axes.iter().map(|axis| Place::var(axis.var)).collect() }
    }

    /// Adds the variables that occur.
    pub(super) fn vars(&self, into: &mut BTreeSet<Var>) {
        self.at.iter().for_each(|place| place.vars(into));
    }

    /// Whether the variable occurs.
    pub(super) fn mentions(&self, var: Var) -> bool {
        let mut vars = BTreeSet::new();
        self.vars(&mut vars);
        vars.contains(&var)
    }

    /// Whether it is read through the value of another node.
    pub(super) fn is_gathered(&self) -> bool {
        self.at.iter().any(Place::is_value)
    }

    /// This node read with places for variables, if one index along each axis can say so. `scope` is
    /// that of the places.
    pub(super) fn substitute(&self, by: &Substitution, scope: &Scope) -> Option<Seen> {
        let at: Option<_> = self.at.iter().map(|place| place.substitute(by, scope)).collect();
        Some(Seen { node: self.node, at: at? })
    }
}

impl Guard {
    /// Adds the variables that occur.
    pub(super) fn vars(&self, into: &mut BTreeSet<Var>) {
        self.left.vars(into);
        linear_vars(&self.right, into);
    }

    /// `left - right`, if both are affine.
    pub(super) fn difference(&self) -> Option<Linear> {
        match &self.left {
            Place::Linear(left) => Some(left.plus(&self.right.times(-1))),
            Place::Digit { .. } | Place::Value(_) => None,
        }
    }

    /// `difference rel 0`.
    pub(super) fn of(difference: Linear, rel: Rel) -> Guard {
        Guard { left: Place::Linear(difference), rel, right: Linear::default() }
    }

    /// With places for variables; `None` where one of them is no affine function.
    pub(super) fn substitute(&self, by: &Substitution, scope: &Scope) -> Option<Guard> {
        let left = self.left.substitute(by, scope)?;
        match linear_at(&self.right, by)? {
            Place::Linear(right) => Some(Guard { left, rel: self.rel, right }),
            Place::Digit { .. } | Place::Value(_) => None,
        }
    }
}

/// What stands for the variable; itself if nothing does.
fn place_of(var: Var, by: &Substitution) -> Place {
    by.get(&var).cloned().unwrap_or_else(|| Place::var(var))
}

fn linear_at(of: &Linear, by: &Substitution) -> Option<Place> {
    match of.as_var() {
        Some(var) => Some(place_of(var, by)),
        None => sum_at(of, by, &|_| false).map(Place::Linear),
    }
}

/// The sum with affine places put in; a roll passes as its argument where `unrolls` says so.
fn sum_at(of: &Linear, by: &Substitution, unrolls: &dyn Fn(u32) -> bool) -> Option<Linear> {
    of.terms.iter().try_fold(Linear::constant(of.offset), |sum, (var, factor)| {
        match place_of(*var, by) {
            Place::Linear(place) => Some(sum.plus(&place.times(*factor))),
            Place::Digit { of, step: 1, radix } if unrolls(radix) => {
                Some(sum.plus(&of.times(*factor)))
            }
            Place::Digit { .. } | Place::Value(_) => None,
        }
    })
}

fn digit_at(of: &Linear, step: u32, radix: u32, by: &Substitution, scope: &Scope) -> Option<Place> {
    if let Some(Place::Digit { of: inner, step: by_step, radix: inner_radix }) =
        of.as_var().map(|var| place_of(var, by))
    {
        return digit_of_digit((step, radix), (inner, by_step, inner_radix), scope);
    }
    // (c + k * (x mod m)) mod n = (c + k * x) mod n when n divides m.
    let unrolls = |inner: u32| step == 1 && inner.is_multiple_of(radix);
    Some(scope.digit(sum_at(of, by, &unrolls)?, step, radix))
}

/// `((x div s') mod r') div s mod r` as one digit of x, where it is one.
fn digit_of_digit(
    (step, radix): (u32, u32),
    (of, inner_step, inner_radix): (Linear, u32, u32),
    scope: &Scope,
) -> Option<Place> {
    if !inner_radix.is_multiple_of(step) {
        return None;
    }
    let left = inner_radix / step;
    let step = inner_step.checked_mul(step)?;
    if radix >= left {
        Some(scope.digit(of, step, left))
    } else {
        left.is_multiple_of(radix).then(|| scope.digit(of, step, radix))
    }
}
