//! Conditions of reductions as limits of their binders.

use super::super::flat::{At, Axis, Cond, Linear, Rel, Var};
use crate::syntax::ast::BinaryOp;

/// A condition as the limit of the last binder it mentions: `m < j`.
pub(super) fn limit(cond: &Cond, over: &[Axis]) -> Option<(usize, BinaryOp, Linear)> {
    let At::Linear(left) = &cond.left else { return None };
    let has = |of: &Linear, var: Var| of.terms.iter().any(|(own, _)| *own == var);
    let last = over.iter().rposition(|axis| has(left, axis.var) || has(&cond.right, axis.var))?;
    let var = over[last].var;
    if left.as_var() == Some(var) && !has(&cond.right, var) {
        let op = match cond.rel {
            Rel::Eq => BinaryOp::Eq,
            Rel::Ne => BinaryOp::Ne,
            Rel::Lt => BinaryOp::Lt,
            Rel::Ge => BinaryOp::Ge,
        };
        return Some((last, op, cond.right.clone()));
    }
    if cond.right.as_var() == Some(var) && !has(left, var) {
        let op = match cond.rel {
            Rel::Eq => BinaryOp::Eq,
            Rel::Ne => BinaryOp::Ne,
            Rel::Lt => BinaryOp::Gt,
            Rel::Ge => BinaryOp::Le,
        };
        return Some((last, op, left.clone()));
    }
    None
}

pub(super) fn negated(cond: &Cond) -> Cond {
    let rel = match cond.rel {
        Rel::Eq => Rel::Ne,
        Rel::Ne => Rel::Eq,
        Rel::Lt => Rel::Ge,
        Rel::Ge => Rel::Lt,
    };
    Cond { rel, ..cond.clone() }
}
