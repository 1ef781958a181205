//! Folds: conditions become limits of binders or guards; a remainder is written `mod`.

use super::super::flat::{Axis, Cond, Fold, Linear, Term};
use super::infer::Found;
use super::limit::limit;
use super::term::Scope;
use super::tree::{binder, choice, expr, real, whole};
use crate::op::scalar::{self, Scalar};
use crate::syntax::ast::{BinaryOp, Binder, BinderRange, Expr, ExprKind, Reduction};

impl Scope<'_, '_> {
    /// A reduction; `neutral` stands in for the points that do not count.
    pub(super) fn fold(
        &mut self,
        fold: Fold,
        over: &[Axis],
        when: &[Cond],
        body: &Term,
        neutral: f64,
    ) -> Expr {
        for axis in over {
            self.enter(axis);
        }
        let mut body = self.term(body);
        let word = match fold {
            Fold::Sum => Reduction::Sum,
            Fold::Prod => Reduction::Prod,
            Fold::Max => Reduction::Max,
            Fold::Min => Reduction::Min,
        };
        let mut limits: Vec<Option<(BinaryOp, Linear)>> = vec![None; over.len()];
        let mut guards = Vec::new();
        for cond in when {
            match limit(cond, over) {
                Some((at, op, of)) if limits[at].is_none() => limits[at] = Some((op, of)),
                _ => guards.push(cond.clone()),
            }
        }
        // A limited binder has no place for a range, so its range must be seen where it stands.
        let mut binders: Vec<Binder> = Vec::new();
        for (at, axis) in over.iter().enumerate().rev() {
            let name = self.enter(axis);
            let seen = self.seen_behind(&name, &binders, &body);
            let limited = limits[at].take().filter(|(_, of)| match seen {
                Found::Size(size) => size == axis.size,
                Found::Nothing => {
                    of.as_var().is_some_and(|var| self.sizes.get(&var) == Some(&axis.size))
                }
                Found::Unsure => false,
            });
            let one = match limited {
                Some((op, of)) => {
                    let range = Some(BinderRange::Compare(op, self.linear(&of)));
                    Binder { range, ..binder(&name, None) }
                }
                None => {
                    guards.extend(
                        when.iter()
                            .filter(|cond| {
                                limit(cond, over).is_some_and(|(place, ..)| place == at)
                                    && !guards.contains(cond)
                            })
                            .cloned()
                            .collect::<Vec<_>>(),
                    );
                    let known = seen == Found::Size(axis.size);
                    binder(&name, (!known).then_some(axis.size))
                }
            };
            binders.insert(0, one);
        }
        if !guards.is_empty() {
            let test = self.all(BinaryOp::And, &guards);
            let none = if self.whole && neutral.abs() < WHOLE {
                whole(neutral as i64)
            } else {
                real(neutral)
            };
            body = choice(test, body, none);
        }
        expr(ExprKind::Reduce(word, binders, Box::new(body)))
    }

    fn seen_behind(&self, name: &str, later: &[Binder], body: &Expr) -> Found {
        let limits = later.iter().filter_map(|binder| match &binder.range {
            Some(BinderRange::Compare(_, limit)) => Some(limit),
            Some(BinderRange::In(_)) | None => None,
        });
        let trees: Vec<&Expr> = limits.chain(std::iter::once(body)).collect();
        self.inferred(name, &trees)
    }
}

/// Numbers from here on are not all written as whole ones.
pub(super) const WHOLE: f64 = 9e15;

/// The a and n of `a - n * floor(a / n)`, which is `a mod n`.
pub(super) fn remainder(scalar: Scalar, all: &[Term]) -> Option<(&Term, &Term)> {
    let (scalar::SUB, [a, Term::Map(scalar::MUL, product)]) = (scalar, all) else { return None };
    let [n, Term::Map(scalar::FLOOR, floor)] = &product[..] else { return None };
    let [Term::Map(scalar::DIV, ratio)] = &floor[..] else { return None };
    (ratio[..] == [a.clone(), n.clone()]).then_some((a, n))
}
