//! The range of an index, from the places where it stands bare.

use crate::source::Span;
use crate::syntax::ast;

use super::super::show;
use super::super::typed::{Extent, PartId, ValueId};
use super::declare::{Cx, Named};
use super::equations::bare;

/// A range with the place it was seen at and how it reads there.
pub(super) type Seen = (Extent, (Span, String));

impl Cx<'_, '_> {
    /// The dim at the first place where an index stands bare in one of these expressions.
    pub(super) fn infer(&mut self, name: &str, trees: &[&ast::Expr]) -> Option<Seen> {
        let circle = self.circle.clone();
        let found = trees.iter().find_map(|tree| self.infer_in(name, tree));
        if found.is_some() {
            // A place whose array has no shape yet does not matter where another tells the range.
            self.circle = circle;
        }
        found
    }

    fn infer_in(&mut self, name: &str, tree: &ast::Expr) -> Option<Seen> {
        match &tree.kind {
            ast::ExprKind::Number(..) | ast::ExprKind::Text(_) => None,
            ast::ExprKind::Pipe(left, stage) => {
                self.infer_in(name, left).or_else(|| self.infer_ref(name, stage))
            }
            ast::ExprKind::If(a, b, c) => self.infer(name, &[a, b, c]),
            ast::ExprKind::For(binders, body) | ast::ExprKind::Reduce(_, binders, body) => {
                let limits = binders.iter().filter_map(|binder| match &binder.range {
                    Some(ast::BinderRange::Compare(_, limit)) => Some(limit),
                    Some(ast::BinderRange::In(_)) | None => None,
                });
                let limits: Vec<&ast::Expr> = limits.collect();
                let shadowed = binders.iter().any(|binder| binder.name.text == name);
                let inner = (!shadowed).then_some(&**body);
                limits.into_iter().chain(inner).find_map(|tree| self.infer_in(name, tree))
            }
            ast::ExprKind::Binary(_, left, right) => self.infer(name, &[left, right]),
            ast::ExprKind::Unary(_, inner) | ast::ExprKind::Paren(inner) => {
                self.infer_in(name, inner)
            }
            ast::ExprKind::Prev(one) | ast::ExprKind::Ref(one) => self.infer_ref(name, one),
            ast::ExprKind::List(items) => {
                items.iter().find_map(|item| self.infer_in(name, &item.value))
            }
        }
    }

    fn infer_ref(&mut self, name: &str, one: &ast::Ref) -> Option<Seen> {
        let mut at: Option<(Option<PartId>, Vec<ast::Segment>)> = None;
        for (depth, segment) in one.segments.iter().enumerate() {
            if let Some(args) = &segment.args {
                if let Some(found) = args.iter().find_map(|arg| self.infer_arg(name, arg)) {
                    return Some(found);
                }
                if let Some(after) = &segment.after
                    && after.iter().any(|index| is(index, name))
                {
                    let shape = self.probe(segment)?;
                    return self.seen_at(
                        name,
                        after,
                        &shape,
                        &format!("of `{}`", segment.name.text),
                    );
                }
                continue;
            }
            let (inside, before) = at.take().unwrap_or((None, Vec::new()));
            let axes = match self.segment_axes(inside, segment) {
                Some(axes) => Some(axes),
                None => self.instance_axes(name, one, depth),
            };
            if let (Some(indices), Some((axes, what))) = (&segment.brackets, &axes)
                && let Some(found) = self.seen_at(name, indices, axes, what)
            {
                return Some(found);
            }
            // Indices inside index expressions: `u[phi[j]]`.
            if let Some(indices) = &segment.brackets
                && let Some(found) = indices.iter().find_map(|index| self.infer_arg(name, index))
            {
                return Some(found);
            }
            at = Some((self.segment_part(inside, segment), before));
        }
        None
    }

    fn infer_arg(&mut self, name: &str, arg: &ast::Arg) -> Option<Seen> {
        if is(arg, name) {
            return None;
        }
        self.infer_in(name, &arg.value)
            .or_else(|| arg.default.as_ref().and_then(|tree| self.infer_in(name, tree)))
    }

    /// The axis at which a bare index stands in a bracket.
    fn seen_at(
        &self,
        name: &str,
        indices: &[ast::Arg],
        axes: &[Extent],
        what: &str,
    ) -> Option<Seen> {
        let at = indices.iter().position(|index| is(index, name))?;
        let extent = axes.get(at)?.clone();
        let told =
            format!("{}, {}", show::extent(&self.def, &extent), axis_of(at, axes.len(), what));
        Some((extent, (indices[at].span, told)))
    }

    /// What a segment names: in a part (the segment before it), or in scope.
    fn segment_named(&self, inside: Option<PartId>, segment: &ast::Segment) -> Option<Named> {
        match inside {
            Some(part) => self.names[part.0 as usize].get(&segment.name.text).copied(),
            None => self.named(&segment.name.text),
        }
    }

    fn segment_part(&self, inside: Option<PartId>, segment: &ast::Segment) -> Option<PartId> {
        match self.segment_named(inside, segment) {
            Some(Named::Part(part)) => Some(part),
            Some(Named::Value(_) | Named::Dim(_) | Named::Flag(_)) | None => None,
        }
    }

    /// The axes that the brackets of a segment index.
    fn segment_axes(
        &mut self,
        inside: Option<PartId>,
        segment: &ast::Segment,
    ) -> Option<(Vec<Extent>, String)> {
        match self.segment_named(inside, segment)? {
            Named::Value(id) => self.value_axes(id),
            Named::Part(part) => {
                let mut axes = Vec::new();
                if let Some(var) = self.def.part(part).family {
                    axes.push(self.def.var(var).extent.clone());
                }
                if let Some(value) = self.def.part(part).instance {
                    axes.extend(self.value_axes(value)?.0);
                }
                Some((axes, format!("the members of `{}`", self.def.part(part).name)))
            }
            Named::Dim(_) | Named::Flag(_) => None,
        }
    }

    /// The axes of a value inside a named instance: the path is read without its last indices.
    fn instance_axes(
        &mut self,
        name: &str,
        one: &ast::Ref,
        depth: usize,
    ) -> Option<(Vec<Extent>, String)> {
        let last = one.segments.get(depth)?;
        if depth == 0 || !last.brackets.iter().flatten().any(|index| is(index, name)) {
            return None;
        }
        let mut segments = one.segments[..=depth].to_vec();
        segments[depth].brackets = None;
        let path = ast::Ref { segments, span: one.span };
        let kept = std::mem::take(self.sink());
        let found = self.reference(&path, false, None, one.span);
        *self.sink() = kept;
        let what = format!("of `{}`", last.name.text);
        found.map(|expr| (expr.shape, what))
    }

    fn value_axes(&mut self, id: ValueId) -> Option<(Vec<Extent>, String)> {
        if !self.shape_known(id) && !self.ensure(id) {
            return None;
        }
        let value = self.def.value(id);
        let what = format!("of `{}{}`", value.name, self.bracketed(&value.shape));
        Some((value.shape.clone(), what))
    }

    /// A shape as it follows a name; nothing for a single number.
    pub(super) fn bracketed(&self, shape: &[Extent]) -> String {
        if shape.is_empty() { String::new() } else { self.shown(shape) }
    }

    /// The shape of a call, checked for that alone: what it reports is thrown away.
    fn probe(&mut self, segment: &ast::Segment) -> Option<Vec<Extent>> {
        let mut plain = segment.clone();
        plain.after = None;
        let kept = std::mem::take(self.sink());
        let called = self.called.clone();
        let found = self.call(&plain, None, None, segment.name.span);
        self.called = called;
        *self.sink() = kept;
        found.map(|expr| expr.shape)
    }
}

fn is(index: &ast::Arg, name: &str) -> bool {
    bare(index).is_some_and(|word| word.text == name)
}

/// `the first axis of ...`.
pub(super) fn axis_of(at: usize, axes: usize, what: &str) -> String {
    let which = match (at, axes) {
        (_, 1) => "the axis",
        (0, _) => "the first axis",
        (1, 2) => "the last axis",
        (1, _) => "the second axis",
        (2, _) => "the third axis",
        _ => "an axis",
    };
    format!("{which} {what}")
}

/// Names of everything called in an expression, in order.
pub(super) fn calls_in(tree: &ast::Expr, names: &mut Vec<String>) {
    let in_ref = |one: &ast::Ref, stage: bool, names: &mut Vec<String>| {
        for segment in &one.segments {
            if stage || segment.args.is_some() {
                names.push(segment.name.text.clone());
            }
            let all = segment.brackets.iter().chain(&segment.args).chain(&segment.after).flatten();
            for arg in all {
                calls_in(&arg.value, names);
                arg.default.iter().for_each(|tree| calls_in(tree, names));
            }
        }
    };
    match &tree.kind {
        ast::ExprKind::Number(..) | ast::ExprKind::Text(_) => {}
        ast::ExprKind::Pipe(left, stage) => {
            calls_in(left, names);
            in_ref(stage, true, names);
        }
        ast::ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|one| calls_in(one, names)),
        ast::ExprKind::For(_, body) | ast::ExprKind::Reduce(_, _, body) => calls_in(body, names),
        ast::ExprKind::Binary(_, left, right) => {
            calls_in(left, names);
            calls_in(right, names);
        }
        ast::ExprKind::Unary(_, inner) | ast::ExprKind::Paren(inner) => calls_in(inner, names),
        ast::ExprKind::Prev(one) | ast::ExprKind::Ref(one) => in_ref(one, false, names),
        ast::ExprKind::List(items) => items.iter().for_each(|item| calls_in(&item.value, names)),
    }
}

/// Single names that stand for numbers in an expression, in order; binders of its own are left out.
pub(super) fn names_in(tree: &ast::Expr, names: &mut Vec<ast::Name>) {
    let in_ref = |one: &ast::Ref, names: &mut Vec<ast::Name>| {
        if let [segment] = &one.segments[..]
            && segment.brackets.is_none()
            && segment.args.is_none()
        {
            names.push(segment.name.clone());
        }
        for segment in &one.segments {
            let all = segment.brackets.iter().chain(&segment.args).chain(&segment.after).flatten();
            for arg in all {
                names_in(&arg.value, names);
                arg.default.iter().for_each(|tree| names_in(tree, names));
            }
        }
    };
    match &tree.kind {
        ast::ExprKind::Number(..) | ast::ExprKind::Text(_) => {}
        ast::ExprKind::Pipe(left, stage) => {
            names_in(left, names);
            for arg in stage.segments.iter().flat_map(|one| one.args.iter().flatten()) {
                names_in(&arg.value, names);
            }
        }
        ast::ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|one| names_in(one, names)),
        ast::ExprKind::For(binders, body) | ast::ExprKind::Reduce(_, binders, body) => {
            let mut inner = Vec::new();
            names_in(body, &mut inner);
            inner.retain(|name| binders.iter().all(|binder| binder.name.text != name.text));
            names.extend(inner);
        }
        ast::ExprKind::Binary(_, left, right) => {
            names_in(left, names);
            names_in(right, names);
        }
        ast::ExprKind::Unary(_, inner) | ast::ExprKind::Paren(inner) => names_in(inner, names),
        ast::ExprKind::Prev(one) | ast::ExprKind::Ref(one) => in_ref(one, names),
        ast::ExprKind::List(items) => items.iter().for_each(|item| names_in(&item.value, names)),
    }
}
