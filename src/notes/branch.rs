//! Branches that depend on a learned number (W0903): the side that is not taken gets no gradient, and
//! neither does the number.

use std::collections::BTreeSet;

use super::place::each_call;
use super::{Spec, errors};
use crate::diag::Diagnostics;
use crate::model::typed::{
    Checked, Def, DefId, Expr, ExprKind, ParamKind, Sort, ValueId, ValueKind,
};
use crate::op::scalar;
use crate::source::Span;

/// Every `if` whose condition compares a learned number. Positions of an order are not numbers: who
/// writes `rank` or `top` knows that no gradient passes; so does who writes `stop`.
pub(super) fn branches(spec: Spec<'_>, sink: &mut Diagnostics) {
    let learned = Learned::of(spec.checked);
    for (id, def) in spec.own() {
        for value in &def.values {
            value.each(&mut |expr| {
                if let ExprKind::If(test, ..) = &expr.kind
                    && let Some(compared) = learned.comparison(id, test)
                {
                    // A condition made elsewhere has to be mended there.
                    let text =
                        (compared.sort != Sort::Bool).then(|| spec.sources.text(compared.span));
                    let declared = declaration(def, compared);
                    sink.push(errors::learned_branch(expr.span, compared.span, text, declared));
                }
            });
        }
    }
}

/// Where the emission or param is declared that an expression reads.
fn declaration(def: &Def, expr: &Expr) -> Option<Span> {
    let ExprKind::Read { value, .. } = &expr.kind else { return None };
    let value = def.value(*value);
    matches!(value.kind, ValueKind::Emission(_) | ValueKind::Param(_)).then_some(value.span)
}

/// The values that depend on something learned, over all definitions.
struct Learned<'a> {
    checked: &'a Checked,
    values: BTreeSet<(DefId, ValueId)>,
}

impl<'a> Learned<'a> {
    /// An argument is learned where some call gives something learned. What a model is given is not.
    fn of(checked: &'a Checked) -> Learned<'a> {
        let mut learned = Learned { checked, values: BTreeSet::new() };
        loop {
            let before = learned.values.len();
            for (at, def) in checked.defs.iter().enumerate() {
                learned.spread(DefId(at as u32), def);
            }
            if learned.values.len() == before {
                return learned;
            }
        }
    }

    /// Adds what one definition makes learned: its own values, and arguments of what it calls.
    fn spread(&mut self, id: DefId, def: &Def) {
        for (at, value) in def.values.iter().enumerate() {
            let is = match &value.kind {
                ValueKind::Emission(_) | ValueKind::Param(_) => true,
                ValueKind::Argument => false,
                ValueKind::State(..) | ValueKind::Computed(_) => {
                    value.written().into_iter().any(|expr| self.in_expr(id, expr))
                }
            };
            if is {
                self.values.insert((id, ValueId(at as u32)));
            }
        }
        let mut given = Vec::new();
        each_call(def, &mut |call| {
            for (param, arg) in self.checked.def(call.def).params.iter().zip(&call.args) {
                if let (ParamKind::Plain(value, _), Some(arg)) = (&param.kind, arg)
                    && self.in_expr(id, arg)
                {
                    given.push((call.def, *value));
                }
            }
        });
        self.values.extend(given);
    }

    /// Whether a number or truth value depends on something learned.
    fn in_expr(&self, id: DefId, expr: &Expr) -> bool {
        match &expr.kind {
            _ if matches!(expr.sort, Sort::Index { .. } | Sort::Int) => false,
            ExprKind::Map(scalar::STOP, _) => false,
            ExprKind::Learned(_) => true,
            ExprKind::Read { value, .. } => self.values.contains(&(id, *value)),
            ExprKind::Call(call) => {
                let owns = self.checked.def(call.def).owns;
                owns.params
                    || owns.emits
                    || expr.parts().into_iter().any(|one| self.in_expr(id, one))
            }
            ExprKind::Real(_)
            | ExprKind::Int(_)
            | ExprKind::Test(_)
            | ExprKind::Index(..)
            | ExprKind::Inside(..)
            | ExprKind::Map(..)
            | ExprKind::If(..)
            | ExprKind::Reduce { .. }
            | ExprKind::For(..)
            | ExprKind::List(_)
            | ExprKind::Cat(_)
            | ExprKind::Whole(..)
            | ExprKind::Squash(..)
            | ExprKind::Fill(..)
            | ExprKind::OneHot(..)
            | ExprKind::Draw(..) => expr.parts().into_iter().any(|one| self.in_expr(id, one)),
        }
    }

    /// The first learned number that a condition compares, or a learned truth value that it reads.
    fn comparison<'e>(&self, id: DefId, test: &'e Expr) -> Option<&'e Expr> {
        if !self.in_expr(id, test) {
            return None;
        }
        let compares = [scalar::LT, scalar::LE, scalar::EQ];
        match &test.kind {
            ExprKind::Map(function, sides) if compares.contains(function) => {
                sides.iter().find(|side| self.in_expr(id, side))
            }
            ExprKind::Map(_, parts) => parts.iter().find_map(|part| self.comparison(id, part)),
            ExprKind::Real(_)
            | ExprKind::Int(_)
            | ExprKind::Test(_)
            | ExprKind::Read { .. }
            | ExprKind::Index(..)
            | ExprKind::Inside(..)
            | ExprKind::If(..)
            | ExprKind::Reduce { .. }
            | ExprKind::For(..)
            | ExprKind::List(_)
            | ExprKind::Cat(_)
            | ExprKind::Whole(..)
            | ExprKind::Squash(..)
            | ExprKind::Fill(..)
            | ExprKind::OneHot(..)
            | ExprKind::Learned(_)
            | ExprKind::Draw(..)
            | ExprKind::Call(_) => Some(test),
        }
    }
}
