//! Stages between an affine map and its squash, and maps into a domain: functions of each number.
//!
//! In: what stands after `through` or `via`. Out: a [`Stage`]. Invariant: a stage takes one number,
//! gives one, and owns nothing.

use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::typed::{Expr, ExprKind, Pointwise, Sort, Stage};
use super::declare::{Cx, number};

impl Cx<'_, '_> {
    /// The stage between an affine map and its squash: a function of each number.
    pub(super) fn stage(&mut self, tree: &ast::Ref) -> Option<Stage> {
        let [segment] = &tree.segments[..] else {
            self.sink().push(errors::not_a_stage(tree.span, &tree.segments[0].name.text, None));
            return None;
        };
        if self.global.modules[self.module].scope.contains_key(&segment.name.text) {
            return self.stage_of(segment, tree.span);
        }
        let scalar = crate::op::Scalar::named(&segment.name.text).filter(|one| one.row().public);
        let Some(scalar) = scalar else {
            let known = crate::op::scalar::rows().iter().filter(|row| row.public);
            let known = known.filter(|row| row.takes.len() == 1).map(|row| row.name);
            let near = crate::diag::nearest(&segment.name.text, known);
            let near = near.filter(|_| segment.args.is_none());
            self.sink().push(errors::not_a_stage(tree.span, &segment.name.text, near));
            return None;
        };
        let mut args = Vec::new();
        for arg in segment.args.as_deref().unwrap_or_default() {
            args.push(self.expr(&arg.value, None)?);
        }
        if args.len() + 1 != scalar.row().takes.len() {
            self.sink().push(errors::not_a_stage(tree.span, &segment.name.text, None));
            return None;
        }
        Some(Stage { function: Pointwise::Scalar(scalar), args })
    }

    /// A definition as a stage: called with one number, it gives one.
    fn stage_of(&mut self, segment: &ast::Segment, span: Span) -> Option<Stage> {
        let name = &segment.name.text;
        let reported = self.sink().clone();
        let module = self.module;
        let id = self.global.lookup(module, &segment.name)?;
        let def = self.global.checked.def(id).clone();
        let owns = def.owns;
        let scalar = def.value(def.result).shape.is_empty();
        if owns.state || owns.params || owns.emits || !scalar {
            *self.sink() = reported;
            self.sink().push(errors::not_a_stage(span, name, None));
            return None;
        }
        // It is no call of the block: it takes part in no count, and is named after itself.
        let outer = (self.calls.clone(), self.called.clone());
        let found = self.call(segment, Some(number(0.5, span)), None, span);
        (self.calls, self.called) = outer;
        let Expr { kind: ExprKind::Call(mut call), shape, sort, .. } = found? else { return None };
        call.name.clone_from(&def.name);
        if !shape.is_empty() || sort == Sort::Bool {
            self.sink().push(errors::not_a_stage(span, name, None));
            return None;
        }
        Some(Stage { function: Pointwise::Def(call), args: Vec::new() })
    }
}
