//! Folds: a `Reduce`, or, below or above a running limit, a `Recur` read at the limit.
//!
//! ```text
//! prod[m < j] u[m]    becomes    p[m] = recur[m up from 1] 0 + u[m] * self    read at m := j
//! ```
//!
//! In: a fold. Out: a node as seen from where the fold stands. Invariant: a prefix sum or product
//! costs one step a point.

use crate::graph::{Fold, Rel, Toward, Type};
use crate::model::flat::{Axis, Cond, Linear, Sort, Term};
use crate::op::scalar::{ADD, MUL};

use super::Lowering;
use super::node::{Arm, Make, inside};
use super::scope::Scope;
use super::seen::{Guard, Place, Seen, Substitution, linear_vars};

/// A one-sided limit on a variable.
struct Limit {
    /// `Up`: the variable is below `bound`; `Down`: it is at least `bound`.
    toward: Toward,
    bound: Linear,
}

impl Lowering<'_> {
    pub(super) fn fold(
        &mut self,
        fold: Fold,
        over: &[Axis],
        when: &[Cond],
        body: &Term,
        scope: &Scope,
        want: Sort,
    ) -> Seen {
        let over = &scope.renamed(over)[..];
        let inner = scope.with_axes(over);
        if over.iter().any(|axis| axis.size == 0) {
            return self.number(identity(fold), Sort::Real);
        }
        let Some(when) = self.guards(when, &inner) else {
            return self.number(identity(fold), Sort::Real);
        };
        let body = self.term(body, &inner.with_guards(&when), want);
        if over.is_empty() && when.is_empty() {
            return body;
        }
        if let ([along], [guard]) = (over, &when[..])
            && let Some(seen) = self.running(fold, along, guard, &body, scope)
        {
            return seen;
        }
        let ty = self.folded(fold, &body, when.is_empty());
        self.node(scope, &Make::Reduce { fold, over, when }, &[Arm::always(body)], ty)
    }

    /// The largest of some positions is one, unless there may be none.
    fn folded(&self, fold: Fold, body: &Seen, always: bool) -> Type {
        match (fold, self.type_of(body)) {
            (Fold::Max | Fold::Min, Type::Index { below, .. }) if always => {
                Type::Index { below, permutation: false }
            }
            (Fold::Max | Fold::Min, Type::Bool) => Type::Bool,
            (Fold::Sum | Fold::Prod | Fold::Max | Fold::Min, _) => Type::Real,
        }
    }

    /// A sum or product up to a limit that varies, as one recurrence.
    fn running(
        &mut self,
        fold: Fold,
        along: &Axis,
        guard: &Guard,
        body: &Seen,
        scope: &Scope,
    ) -> Option<Seen> {
        let limit = limit(guard, along)?;
        let mut bounds = std::collections::BTreeSet::new();
        linear_vars(&limit.bound, &mut bounds);
        let whole = scope.with_axes(std::slice::from_ref(along));
        let running = !bounds.is_empty() && !bounds.iter().any(|var| body.mentions(*var));
        // The recurrence passes over every point, also those beyond the largest limit.
        if !running || !inside(self.builder.graph(), body, &whole) {
            return None;
        }
        // `read` is where the exclusive recurrence is read; an inclusive one adds the element there.
        let last = i64::from(along.size) - 1;
        let before = limit.bound.plus(&Linear::constant(-1));
        let fits = |at: &Linear| {
            let (low, high) = scope.range(at);
            low >= 0 && high <= last
        };
        let (open, closed) = match limit.toward {
            Toward::Up => (limit.bound, before),
            Toward::Down => (before, limit.bound),
        };
        let (read, inclusive) = match (fits(&open), fits(&closed)) {
            (true, _) => (open, false),
            (false, true) => (closed, true),
            (false, false) => return None,
        };
        let recur = self.recur(fold, along, limit.toward, body.clone(), &whole)?;
        let by: Substitution = [(along.var, Place::Linear(read))].into();
        let axes = std::slice::from_ref(along);
        let outside = self.read_at(recur, axes, &by, scope);
        if !inclusive {
            return Some(outside);
        }
        let element = body.substitute(&by, scope)?;
        let joins = if fold == Fold::Prod { MUL } else { ADD };
        Some(self.apply(scope, joins, vec![outside, element]))
    }

    fn recur(
        &mut self,
        fold: Fold,
        along: &Axis,
        toward: Toward,
        body: Seen,
        scope: &Scope,
    ) -> Option<Seen> {
        let (start, arms) = match fold {
            Fold::Sum => (0.0, vec![body, self.number(1.0, Sort::Real)]),
            Fold::Prod => (1.0, vec![self.number(0.0, Sort::Real), body]),
            Fold::Max | Fold::Min => return None,
        };
        let arms: Vec<Arm> = arms.into_iter().map(Arm::always).collect();
        Some(self.node(scope, &Make::Recur { along, toward, start }, &arms, Type::Real))
    }
}

/// What a condition says of one variable, if it is a limit from one side.
fn limit(guard: &Guard, along: &Axis) -> Option<Limit> {
    let difference = guard.difference()?;
    let by = difference.terms.iter().find(|(var, _)| *var == along.var)?.1;
    let rest = difference.plus(&Linear::new(0, [(along.var, -by)]));
    let next = Linear::constant(1);
    let (toward, bound) = match (by, guard.rel) {
        (1, Rel::Lt) => (Toward::Up, rest.times(-1)),
        (1, Rel::Ge) => (Toward::Down, rest.times(-1)),
        (-1, Rel::Lt) => (Toward::Down, rest.plus(&next)),
        (-1, Rel::Ge) => (Toward::Up, rest.plus(&next)),
        _ => return None,
    };
    Some(Limit { toward, bound })
}

/// What a fold over nothing is.
fn identity(fold: Fold) -> f64 {
    match fold {
        Fold::Sum => 0.0,
        Fold::Prod => 1.0,
        Fold::Max => f64::NEG_INFINITY,
        Fold::Min => f64::INFINITY,
    }
}
