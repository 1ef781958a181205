//! Arguments whose shapes do not fit: in each other's place, of other axes, of another dim.
//!
//! In: a call whose arguments are known. Out: one message that says which of them to change. Invariant:
//! a replacement makes the argument fit.

use std::sync::Arc;

use crate::diag::{Diagnostic, Edit};
use crate::source::Span;
use crate::syntax::ast;

use super::super::typed::{
    Def, Expr, ExprKind, Extent, Param, ParamKind, Value, ValueId, ValueKind,
};
use super::super::{errors, show};
use super::calls::{Binding, sizes_of};
use super::declare::Cx;
use super::repairs::owned;

impl Cx<'_, '_> {
    /// Tells of two arguments that do not fit as they stand and would if they were exchanged.
    pub(super) fn in_each_others_place(
        &mut self,
        binding: &Binding,
        segment: &ast::Segment,
    ) -> bool {
        if self.all_fit(binding) {
            return false;
        }
        let written: Vec<Span> = segment.args.iter().flatten().map(|arg| arg.value.span).collect();
        let here = |at: &usize| {
            let arg = binding.args[*at].as_ref().map(|arg| arg.span);
            matches!(binding.def.params[*at].kind, ParamKind::Plain(..))
                && arg.is_some_and(|span| written.contains(&span))
        };
        let plain: Vec<usize> = (0..binding.args.len()).filter(here).collect();
        let pairs = plain.iter().flat_map(|a| plain.iter().map(move |b| (*a, *b)));
        for (a, b) in pairs.filter(|(a, b)| a < b) {
            let mut other = binding.clone();
            other.args.swap(a, b);
            if !self.all_fit(&other) {
                continue;
            }
            let (Some(first), Some(second)) = (&binding.args[a], &binding.args[b]) else {
                continue;
            };
            let wants = |at: usize| self.slot_of(&binding.def, at);
            let found = |arg: &Expr| self.shown(&arg.shape);
            let one = errors::swapped_arguments(
                &binding.def.name,
                (first.span, &wants(a), &found(first)),
                (second.span, &wants(b), &found(second)),
            );
            let edits = [
                Edit::new(first.span, self.text(second.span)),
                Edit::new(second.span, self.text(first.span)),
            ];
            self.sink().push(one.edits(edits));
            return true;
        }
        false
    }

    /// Tells of arguments by position that are meant for what a definition owns, which gets them by name:
    /// those after the plain ones, and an array where a number may be left out.
    pub(super) fn owned_by_position(&mut self, def: &Def, all: &[ast::Arg], piped: bool) -> bool {
        let plain: Vec<&Param> = def
            .params
            .iter()
            .filter(|param| !owned(&param.kind))
            .skip(usize::from(piped))
            .collect();
        let given = |param: &&Param| {
            all.iter().any(|arg| arg.name.as_ref().is_some_and(|name| name.text == param.name))
        };
        let mut free: Vec<&str> = def
            .params
            .iter()
            .filter(|param| owned(&param.kind) && !given(param))
            .map(|param| param.name.as_str())
            .collect();
        let positional: Vec<&ast::Arg> = all.iter().filter(|arg| arg.name.is_none()).collect();
        let astray = |at: usize, cx: &mut Self| match plain.get(at) {
            None => true,
            Some(param) => {
                matches!(param.kind, ParamKind::Plain(_, Some(_)))
                    && (free.contains(&cx.text(positional[at].span)) || cx.is_array(positional[at]))
            }
        };
        let Some(first) = (0..positional.len()).find(|at| astray(*at, self)) else { return false };
        let wrong = &positional[first..];
        if wrong.len() > free.len() {
            return false;
        }
        let mut names: Vec<Option<String>> = Vec::new();
        for arg in wrong {
            let same = free.iter().position(|name| *name == self.text(arg.span));
            names.push(same.map(|at| free.remove(at).to_owned()));
        }
        for name in names.iter_mut().filter(|name| name.is_none()) {
            *name = Some(free.remove(0).to_owned());
        }
        let names: Vec<String> = names.into_iter().flatten().collect();
        let meant: Vec<(Span, String)> =
            wrong.iter().map(|arg| arg.span).zip(names.iter().cloned()).collect();
        let written: Vec<String> =
            meant.iter().map(|(span, name)| format!("{name} = {}", self.text(*span))).collect();
        let one = errors::by_name_only(&def.name, &meant, &written);
        self.sink().push(one);
        true
    }

    /// Whether an argument is a value with axes.
    fn is_array(&mut self, arg: &ast::Arg) -> bool {
        let (ast::ExprKind::Ref(one) | ast::ExprKind::Prev(one)) = &arg.value.kind else {
            return false;
        };
        if one.segments.iter().any(|segment| segment.args.is_some()) {
            return false;
        }
        let kept = self.sink().clone();
        let found = self.expr(&arg.value, None);
        *self.sink() = kept;
        found.is_some_and(|found| !found.shape.is_empty())
    }

    /// Whether every argument has the shape that it should have.
    fn all_fit(&mut self, binding: &Binding) -> bool {
        let mut found = binding.clone();
        self.unify(&mut found, None);
        let def = &binding.def;
        for (at, dim) in def.dims.iter().enumerate() {
            if found.dims[at].is_none()
                && let Some(default) = &dim.default
            {
                let so_far = sizes_of(&found);
                found.dims[at] = Some(default.iter().map(|one| one.map(&so_far)).collect());
            }
        }
        let sizes = sizes_of(&found);
        def.params.iter().zip(&found.args).all(|(param, arg)| {
            let (Some(value), Some(arg)) = (array_of(&param.kind), arg) else { return true };
            arg.shape == sizes.shape(&def.value(value).shape)
        })
    }

    /// What a definition takes at a place, as it is declared: `w[N]`.
    fn slot_of(&self, def: &Def, at: usize) -> String {
        let param = &def.params[at];
        match array_of(&param.kind).map(|value| &def.value(value).shape) {
            Some(shape) if !shape.is_empty() => {
                format!("{}{}", param.name, show::shape(def, shape))
            }
            Some(_) | None => param.name.clone(),
        }
    }

    /// The argument that would tell an unknown size, but has another number of axes.
    pub(super) fn of_other_axes(&self, binding: &Binding, dim: usize) -> Option<Diagnostic> {
        let def = &binding.def;
        let tells = |shape: &[Extent]| {
            shape.iter().any(|axis| axis.size.as_dim().is_some_and(|own| own.0 as usize == dim))
        };
        def.params.iter().zip(&binding.args).find_map(|(param, arg)| {
            let declared = &def.value(array_of(&param.kind)?).shape;
            let arg = arg.as_ref()?;
            if !tells(declared) || declared.len() == arg.shape.len() {
                return None;
            }
            let (wanted, found) = (show::shape(def, declared), self.shown(&arg.shape));
            Some(errors::argument_shape(arg.span, &param.name, &wanted, &found, param.span))
        })
    }

    /// An argument of another shape than the others ask for.
    pub(super) fn argument_differs(
        &mut self,
        def: &Def,
        args: &[Option<Arc<Expr>>],
        (at, arg): (usize, &Expr),
        wanted: &[Extent],
    ) -> Diagnostic {
        let param = &def.params[at];
        let edits = self.reordered(arg, wanted);
        let (want, found) = (self.shown(wanted), self.shown(&arg.shape));
        let one = errors::argument_shape(arg.span, &param.name, &want, &found, param.span);
        if let Some(edit) = self.row_here(arg, wanted) {
            let row = format!("{}{}", self.text(arg.span), edit.text);
            return errors::one_row(one, &row).edits([edit]);
        }
        if !edits.is_empty() || wanted.len() != arg.shape.len() {
            return one.edits(edits);
        }
        // The first axis that differs, and the argument that said how long it is.
        let Some(axis) = (0..wanted.len()).find(|axis| wanted[*axis] != arg.shape[*axis]) else {
            return one;
        };
        let shape_of = |at: usize| array_of(&def.params[at].kind).map(|id| &def.value(id).shape);
        let dim = shape_of(at).and_then(|shape| shape.get(axis)?.size.as_dim());
        let teller = dim.and_then(|dim| {
            (0..args.len()).filter(|other| *other != at).find_map(|other| {
                let place =
                    shape_of(other)?.iter().position(|one| one.size.as_dim() == Some(dim))?;
                let teller = args[other].as_ref()?;
                (teller.shape.get(place) == Some(&wanted[axis])).then_some((other, place, teller))
            })
        });
        let one = match teller {
            Some((other, _, teller)) => {
                let shape = self.shown(&teller.shape);
                one.label(teller.span, format!("`{}` is {shape}", def.params[other].name))
            }
            None => one,
        };
        let mine = self.redeclared(arg, wanted);
        let theirs = teller.and_then(|(_, place, teller)| {
            let mut shape = teller.shape.clone();
            shape[place] = arg.shape[axis].clone();
            self.redeclared(teller, &shape)
        });
        let best = match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(if theirs.0 && !mine.0 { theirs } else { mine }),
            (mine, theirs) => mine.or(theirs),
        };
        match best {
            Some((_, place, slot, edit)) => errors::declared_with(one, place, &slot).edits([edit]),
            None => one,
        }
    }

    /// Where a whole emission or state of this body gets another shape: whether it is an emission, its
    /// declaration, what that becomes, and the change.
    fn redeclared(&self, arg: &Expr, shape: &[Extent]) -> Option<(bool, Span, String, Edit)> {
        let ExprKind::Read { value, inner, .. } = &arg.kind else { return None };
        let Value { kind, span, shape: own, name, .. } = self.def.value(*value);
        let emitted = matches!(kind, ValueKind::Emission(_));
        let whole = own.len() == arg.shape.len();
        if !inner.is_empty() || !whole || !(emitted || matches!(kind, ValueKind::State(..))) {
            return None;
        }
        let text = self.text(*span);
        let (open, close) = (text.find('[')?, text.find(']')?);
        if text[..open].trim() != name {
            return None;
        }
        let start = span.start + open as u32;
        let brackets = Span { start, end: span.start + close as u32 + 1, ..*span };
        let shown = self.bracketed(shape);
        let edit = Edit::new(brackets, shown.clone());
        Some((emitted, *span, format!("{name}{shown}"), edit))
    }
}

/// What a call emits of a definition's signature, by name.
pub(super) fn emitted_by<'d>(def: &'d Def, args: &[Option<Arc<Expr>>]) -> Vec<&'d str> {
    let emitted = def
        .params
        .iter()
        .zip(args)
        .filter(|(param, arg)| arg.is_none() && matches!(param.kind, ParamKind::Emit(_)));
    emitted.map(|(param, _)| param.name.as_str()).collect()
}

/// The array a signature entry stands for.
pub(super) fn array_of(kind: &ParamKind) -> Option<ValueId> {
    match kind {
        ParamKind::Plain(value, _)
        | ParamKind::Emit(value)
        | ParamKind::Param(value)
        | ParamKind::State(value) => Some(*value),
        ParamKind::Int(_) | ParamKind::Flag(_) => None,
    }
}
