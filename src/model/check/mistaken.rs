//! Values taken for something else: for a state (`prev` of what is none), for a definition (`f(x)`).
//!
//! In: such a use. Out: its message, with what is missing ready to be pasted. Invariant: a value whose
//! shape is not known yet is not asked for it.

use crate::diag::{Diagnostic, Edit};
use crate::op::Scalar;
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind};

use super::super::errors;
use super::super::int::Poly;
use super::super::typed::{DefId, Expr, ExprKind as TypedKind, Extent, Sort, ValueId, ValueKind};
use super::declare::{Cx, Named, Pending, Progress};
use super::equations::bare;

impl Cx<'_, '_> {
    /// Tells of a value that looks back at itself and is no state; false where a path is no such value.
    pub(super) fn looks_back(&mut self, path: &ast::Ref, span: Span) -> bool {
        let Some(id) = self.in_progress(path) else { return false };
        let value = self.def.value(id);
        let (name, place) = (value.name.clone(), value.span);
        if self.misspelt_state(&name).is_some() {
            // Told at the state.
            return true;
        }
        let shape = self.shape_to_be(id);
        let shape = shape.map(|shape| self.bracketed(&shape));
        let edit = shape.as_deref().and_then(|shape| self.state_for(id, shape));
        let state = match shape {
            Some(shape) => format!("`state {name}{shape} = 0`"),
            None => format!("`state {name}[...] = 0`, with its sizes"),
        };
        let one = errors::prev_of_value(span, &name, place, &state);
        self.sink().push(one.edits(edit));
        true
    }

    /// The value of a path whose equation is being checked, and whose shape is not known yet.
    fn in_progress(&self, path: &ast::Ref) -> Option<ValueId> {
        let mut named = self.named(&path.segments[0].name.text)?;
        for segment in &path.segments[1..] {
            let Named::Part(part) = named else { return None };
            named = *self.names[part.0 as usize].get(&segment.name.text)?;
        }
        let Named::Value(id) = named else { return None };
        let running = self.progress.get(&id) == Some(&Progress::Running);
        let computed = matches!(self.def.value(id).kind, ValueKind::Computed(_));
        (running && computed && !self.shape_known(id)).then_some(id)
    }

    /// The shape that an equation gives its value, as far as what it reads besides tells.
    fn shape_to_be(&mut self, id: ValueId) -> Option<Vec<Extent>> {
        let Some(Pending::Equation(tree, part)) = self.pending.get(&id).cloned() else {
            return None;
        };
        if let Some(indices) = &tree.left.segments[0].brackets {
            if self.stack.last() != Some(&id) {
                return None;
            }
            let families = self.def.families(part);
            let own = self.scope.iter().map(|(_, var)| *var).filter(|var| !families.contains(var));
            return Some(own.take(indices.len()).map(|v| self.def.var(v).extent.clone()).collect());
        }
        let circle = std::mem::take(&mut self.circle);
        let shape = self.within(part, |cx| cx.pointwise_shape(&tree.right));
        self.circle = circle;
        shape
    }

    /// The shape of an expression that is the same at every entry, values under check left out.
    fn pointwise_shape(&mut self, tree: &ast::Expr) -> Option<Vec<Extent>> {
        let parts: Vec<&ast::Expr> = match &tree.kind {
            ExprKind::Number(..) => Vec::new(),
            ExprKind::Binary(_, left, right) => vec![left, right],
            ExprKind::If(_, yes, no) => vec![yes, no],
            ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => vec![inner],
            ExprKind::Prev(one) | ExprKind::Ref(one) => match &one.segments[..] {
                _ if self.in_progress(one).is_some() => Vec::new(),
                [segment] if segment.args.is_some() => {
                    Scalar::named(&segment.name.text)?;
                    segment.args.iter().flatten().map(|arg| &arg.value).collect()
                }
                _ => return self.expr(tree, None).map(|found| found.shape),
            },
            ExprKind::Reduce(..) | ExprKind::For(..) | ExprKind::List(_) => {
                return self.expr(tree, None).map(|found| found.shape);
            }
            ExprKind::Text(_) | ExprKind::Pipe(..) => return None,
        };
        let mut shape = Vec::new();
        for part in parts {
            let found = self.pointwise_shape(part)?;
            if shape.is_empty() {
                shape = found;
            }
        }
        Some(shape)
    }

    /// The definition that a call names.
    pub(super) fn called_definition(&mut self, segment: &ast::Segment) -> Option<DefId> {
        if self.calls_value(segment) || self.calls_reduction(segment) {
            return None;
        }
        let module = self.module;
        self.global.lookup(module, &segment.name)
    }

    /// Tells of `sum(w)`: here an index says what is summed over.
    fn calls_reduction(&mut self, segment: &ast::Segment) -> bool {
        let name = &segment.name;
        let known = self.global.modules[self.module].scope.contains_key(&name.text);
        if known || !["sum", "prod", "mean"].contains(&name.text.as_str()) {
            return false;
        }
        let [arg] = segment.args.as_deref().unwrap_or_default() else { return false };
        let Some(value) = self.expr(&arg.value, None) else { return true };
        let indices = self.fresh_indices(value.shape.len()).unwrap_or_default().join(", ");
        let text = self.text(arg.value.span).to_owned();
        let plain = text.chars().all(|c| c.is_alphanumeric() || "_. ".contains(c));
        let whole = Span { end: arg.span.end + 1, ..name.span };
        if !plain || indices.is_empty() || !self.text(whole).ends_with(')') {
            let one = errors::reduction_called(name.span, &name.text, "i", "w[i]");
            self.sink().push(one);
            return true;
        }
        let body = format!("{text}[{indices}]");
        let one = errors::reduction_called(name.span, &name.text, &indices, &body);
        let edit = Edit::new(whole, format!("({}[{indices}] {body})", name.text));
        self.sink().push(one.edits([edit]));
        true
    }

    /// Tells of a call of something that is no definition but a value: `f(x)`, `x -> f`.
    fn calls_value(&mut self, segment: &ast::Segment) -> bool {
        let name = &segment.name;
        if self.global.modules[self.module].scope.contains_key(&name.text) {
            return false;
        }
        let Some(named) = self.named(&name.text) else { return false };
        let args = segment.args.as_deref().unwrap_or_default();
        let index = |arg: &ast::Arg| bare(arg).is_some_and(|i| self.in_scope(&i.text).is_some());
        let indices = !args.is_empty() && segment.after.is_none() && args.iter().all(index);
        let inside = args.first().zip(args.last()).map(|(a, b)| a.span.to(b.span));
        let inside = inside.filter(|_| indices && segment.brackets.is_none());
        let text = inside.map(|span| self.text(span).to_owned());
        let one = errors::value_called(name.span, &name.text, self.place(named), text.as_deref());
        let edits = inside.iter().flat_map(|inside| {
            let open = Span { start: name.span.end, end: inside.start, ..name.span };
            let close = Span { start: inside.end, end: inside.end + 1, ..name.span };
            [Edit::new(open, "["), Edit::new(close, "]")]
        });
        let closed = inside.is_some_and(|inside| {
            let end = Span { start: inside.end, end: inside.end + 1, ..name.span };
            self.text(end) == ")"
        });
        let mut edits: Vec<Edit> = edits.filter(|_| closed).collect();
        // `a (1 + x)` is meant as a product, and a single number can be nothing else.
        let number = matches!(named, Named::Value(id)
            if self.ensure(id) && self.def.value(id).shape.is_empty());
        let next = Span { start: name.span.end, end: name.span.end + 1, ..name.span };
        if text.is_none() && !args.is_empty() && (number || self.text(next) == " ") {
            edits.push(Edit::new(name.span.after(), if number { " * " } else { " *" }));
        }
        self.sink().push(one.edits(edits));
        true
    }

    /// The declaration of a state before the equation that defines a value.
    pub(super) fn state_for(&self, id: ValueId, shape: &str) -> Option<Edit> {
        let Pending::Equation(tree, _) = self.pending.get(&id)? else { return None };
        let left = tree.left.span;
        // In `def f(x) -> y = e` the result is declared where no statement can stand.
        let block = left.end <= tree.span.end && left.start >= tree.span.start;
        let state = format!("state {}{shape} = 0", self.def.value(id).name);
        block.then(|| self.line_before(tree.span, &state))
    }

    // ---- what a message disagrees with -----------------------------------------------------------

    /// An index that is not bound: the left side, which does not name it.
    pub(super) fn push_with_left(&mut self, one: Diagnostic, name: &str) {
        let one = match self.equation_here().map(|tree| tree.left.span) {
            Some(left) => one.label(left, format!("the left does not name `{name}`")),
            None => one,
        };
        self.sink().push(one);
    }

    /// An index that may leave its axis: the ranges of what it is made of.
    pub(super) fn with_ranges(&self, one: Diagnostic, index: &Poly) -> Diagnostic {
        let seen = self.seen.iter().filter(|(var, _)| index.mentions(**var));
        seen.fold(one, |one, (var, (place, told))| {
            one.label(*place, format!("`{}` runs over {told}", self.def.var(*var).name))
        })
    }

    /// The same before its sort is known: the value that is named.
    pub(super) fn with_named_order(&mut self, one: Diagnostic, tree: &ast::Expr) -> Diagnostic {
        let ExprKind::Ref(path) = &tree.kind else { return one };
        let [segment] = &path.segments[..] else { return one };
        let Some(Named::Value(id)) = self.named(&segment.name.text) else { return one };
        let value = self.def.value(id);
        one.label(value.span, format!("`{}` does not name every entry once", value.name))
    }

    /// A left side through an array that is no permutation: that array.
    pub(super) fn with_order(&self, one: Diagnostic, order: &Expr) -> Diagnostic {
        let TypedKind::Read { value, inner, .. } = &order.kind else { return one };
        let value = self.def.value(*value);
        if !inner.is_empty() || matches!(value.sort, Sort::Index { permutation: true, .. }) {
            return one;
        }
        one.label(value.span, format!("`{}` is not a permutation", value.name))
    }
}
