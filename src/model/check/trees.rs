//! Looking for places in a tree: indices, binders, divisors, whole arrays.

use crate::source::Span;
use crate::syntax::ast::{self, BinaryOp, ExprKind};

/// Every expression directly inside another one; binders and their limits are not.
pub(super) fn inner(tree: &ast::Expr) -> Vec<&ast::Expr> {
    match &tree.kind {
        ExprKind::Number(..) | ExprKind::Text(_) => Vec::new(),
        ExprKind::Pipe(left, stage) => {
            let mut all = vec![&**left];
            all.extend(in_ref(stage));
            all
        }
        ExprKind::If(a, b, c) => vec![a, b, c],
        ExprKind::For(_, body) | ExprKind::Reduce(_, _, body) => vec![body],
        ExprKind::Binary(_, left, right) => vec![left, right],
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => vec![inner],
        ExprKind::Prev(one) | ExprKind::Ref(one) => in_ref(one),
        ExprKind::List(items) => items.iter().map(|item| &item.value).collect(),
    }
}

fn in_ref(one: &ast::Ref) -> Vec<&ast::Expr> {
    one.segments
        .iter()
        .flat_map(|segment| {
            segment.brackets.iter().chain(&segment.args).chain(&segment.after).flatten()
        })
        .flat_map(|arg| std::iter::once(&arg.value).chain(&arg.to).chain(&arg.default))
        .collect()
}

/// The places where `name` is an index: in a binder, or somewhere in brackets of indices.
pub(super) fn indices_of(tree: &ast::Expr, name: &str, places: &mut Vec<Span>) {
    if let ExprKind::For(binders, _) | ExprKind::Reduce(_, binders, _) = &tree.kind {
        for binder in binders {
            if binder.name.text == name {
                places.push(binder.name.span);
            }
            match &binder.range {
                Some(ast::BinderRange::Compare(_, limit)) => words_of(limit, name, places),
                Some(ast::BinderRange::In(_)) | None => {}
            }
        }
    }
    match &tree.kind {
        ExprKind::Prev(one) | ExprKind::Ref(one) => indices_of_ref(one, name, places),
        ExprKind::Pipe(left, stage) => {
            indices_of(left, name, places);
            indices_of_ref(stage, name, places);
        }
        ExprKind::Number(..)
        | ExprKind::Text(_)
        | ExprKind::If(..)
        | ExprKind::For(..)
        | ExprKind::Reduce(..)
        | ExprKind::Binary(..)
        | ExprKind::Unary(..)
        | ExprKind::Paren(_)
        | ExprKind::List(_) => {
            inner(tree).into_iter().for_each(|one| indices_of(one, name, places));
        }
    }
}

/// The same in a reference: brackets before arguments hold dims, all others indices.
pub(super) fn indices_of_ref(one: &ast::Ref, name: &str, places: &mut Vec<Span>) {
    for segment in &one.segments {
        let dims = segment.args.is_some();
        let before = segment.brackets.iter().flatten().filter(|_| !dims);
        for index in before.chain(segment.after.iter().flatten()) {
            words_of(&index.value, name, places);
        }
        for arg in segment.args.iter().flatten() {
            indices_of(&arg.value, name, places);
        }
    }
}

/// Everything that has `name` somewhere in brackets of its own.
pub(super) fn indexed_by<'t>(tree: &'t ast::Expr, name: &str, found: &mut Vec<&'t ast::Ref>) {
    if let ExprKind::Prev(one) | ExprKind::Ref(one) = &tree.kind {
        let brackets = |segment: &'t ast::Segment| {
            let before = segment.brackets.iter().filter(|_| segment.args.is_none());
            before.chain(&segment.after).flatten()
        };
        let mut places = Vec::new();
        for index in one.segments.iter().flat_map(brackets) {
            words_of(&index.value, name, &mut places);
        }
        if !places.is_empty() {
            found.push(one);
        }
    }
    inner(tree).into_iter().for_each(|one| indexed_by(one, name, found));
}

/// The named arguments of a call, or of the last stage of a pipe.
pub(super) fn arguments(tree: &ast::Expr) -> Vec<&str> {
    let (ExprKind::Ref(one) | ExprKind::Pipe(_, one)) = &tree.kind else { return Vec::new() };
    let args = one.segments.iter().flat_map(|segment| segment.args.iter().flatten());
    args.filter_map(|arg| arg.name.as_ref()).map(|name| name.text.as_str()).collect()
}

/// The places where a bare `name` stands.
fn words_of(tree: &ast::Expr, name: &str, places: &mut Vec<Span>) {
    if let ExprKind::Ref(one) = &tree.kind
        && let [segment] = &one.segments[..]
        && segment.name.text == name
        && segment.brackets.is_none()
        && segment.args.is_none()
    {
        places.push(segment.name.span);
    }
    inner(tree).into_iter().for_each(|one| words_of(one, name, places));
}

/// The bare names in brackets of indices that no `for` or reduction around them binds, in the order of
/// the text. `bound` holds those that are bound outside.
pub(super) fn free_indices<'t>(
    tree: &'t ast::Expr,
    bound: &mut Vec<&'t str>,
    found: &mut Vec<&'t ast::Name>,
) {
    if let ExprKind::Prev(one) | ExprKind::Ref(one) | ExprKind::Pipe(_, one) = &tree.kind {
        for segment in &one.segments {
            let before = segment.brackets.iter().filter(|_| segment.args.is_none());
            for index in before.chain(&segment.after).flatten() {
                let bare = super::equations::bare(index);
                found.extend(bare.filter(|name| !bound.contains(&name.text.as_str())));
            }
        }
    }
    let outer = bound.len();
    if let ExprKind::For(binders, _) | ExprKind::Reduce(_, binders, _) = &tree.kind {
        bound.extend(binders.iter().map(|binder| binder.name.text.as_str()));
    }
    inner(tree).into_iter().for_each(|one| free_indices(one, bound, found));
    bound.truncate(outer);
}

/// The term of a sum that holds every place of the index `name`: what a reduction before it takes.
pub(super) fn term_of<'t>(tree: &'t ast::Expr, name: &str) -> Option<&'t ast::Expr> {
    let holds = |one: &&ast::Expr| {
        let mut places = Vec::new();
        indices_of(one, name, &mut places);
        !places.is_empty()
    };
    let only = |parts: Vec<&'t ast::Expr>| {
        let mut all = parts.into_iter().filter(holds);
        all.next().filter(|_| all.next().is_none()).and_then(|one| term_of(one, name))
    };
    match &tree.kind {
        ExprKind::Binary(BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Pow, _, _)
        | ExprKind::Number(..)
        | ExprKind::Text(_)
        | ExprKind::Prev(_) => Some(tree),
        ExprKind::Ref(one) => match &one.segments[..] {
            [segment] if segment.after.is_none() => match &segment.args {
                Some(args) => only(args.iter().map(|arg| &arg.value).collect()),
                None => Some(tree),
            },
            _ => Some(tree),
        },
        ExprKind::Pipe(left, _) => only(vec![&**left]),
        ExprKind::If(..)
        | ExprKind::For(..)
        | ExprKind::Reduce(..)
        | ExprKind::Binary(..)
        | ExprKind::Unary(..)
        | ExprKind::Paren(_)
        | ExprKind::List(_) => only(inner(tree)),
    }
}

/// Whether a `for` or reduction without an explicit range binds an index at a place.
pub(super) fn binds(tree: &ast::Expr, place: Span) -> bool {
    let here = match &tree.kind {
        ExprKind::For(binders, _) | ExprKind::Reduce(_, binders, _) => {
            binders.iter().any(|one| one.name.span == place && one.range.is_none())
        }
        ExprKind::Number(..)
        | ExprKind::Text(_)
        | ExprKind::Pipe(..)
        | ExprKind::If(..)
        | ExprKind::Binary(..)
        | ExprKind::Unary(..)
        | ExprKind::Prev(_)
        | ExprKind::Ref(_)
        | ExprKind::Paren(_)
        | ExprKind::List(_) => false,
    };
    here || inner(tree).into_iter().any(|one| binds(one, place))
}

/// What an expression that holds `name` is divided by in a `mod`.
pub(super) fn divisor(tree: &ast::Expr, name: &str) -> Option<Span> {
    if let ExprKind::Binary(BinaryOp::Mod, left, right) = &tree.kind {
        let mut places = Vec::new();
        words_of(left, name, &mut places);
        if !places.is_empty() {
            return Some(right.span);
        }
    }
    inner(tree).into_iter().find_map(|one| divisor(one, name))
}

/// Whether a tree is arithmetic on whole values alone; gathers those that are named.
pub(super) fn pointwise(tree: &ast::Expr, arrays: &mut Vec<ast::Expr>) -> bool {
    let whole = |one: &ast::Ref| {
        one.segments.iter().all(|segment| segment.brackets.is_none() && segment.args.is_none())
    };
    match &tree.kind {
        ExprKind::Number(..) => true,
        ExprKind::Binary(_, left, right) => pointwise(left, arrays) && pointwise(right, arrays),
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => pointwise(inner, arrays),
        ExprKind::Prev(one) | ExprKind::Ref(one) if whole(one) => {
            arrays.push(tree.clone());
            true
        }
        ExprKind::Text(_)
        | ExprKind::Pipe(..)
        | ExprKind::If(..)
        | ExprKind::For(..)
        | ExprKind::Reduce(..)
        | ExprKind::Prev(_)
        | ExprKind::Ref(_)
        | ExprKind::List(_) => false,
    }
}
