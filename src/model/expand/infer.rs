//! What the checker will see as the range of an index: the first place where it stands bare.

use std::collections::BTreeMap;

use crate::syntax::ast::{Arg, Binder, BinderRange, Expr, ExprKind, Ref};

/// The range of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It stands bare nowhere.
    Nothing,
    /// The size of the axis at its first bare place.
    Size(u32),
    /// Its first bare place has an axis whose size is not known here.
    Unsure,
}

/// Sizes of arrays by name.
pub(super) type Shapes = BTreeMap<String, Vec<u32>>;

pub(super) fn infer(name: &str, trees: &[&Expr], shapes: &Shapes) -> Found {
    let found = trees.iter().map(|tree| in_tree(name, tree, shapes));
    found.into_iter().find(|one| *one != Found::Nothing).unwrap_or(Found::Nothing)
}

fn in_tree(name: &str, tree: &Expr, shapes: &Shapes) -> Found {
    match &tree.kind {
        ExprKind::Number(..) | ExprKind::Text(_) => Found::Nothing,
        ExprKind::Pipe(..) => Found::Unsure,
        ExprKind::If(a, b, c) => infer(name, &[a, b, c], shapes),
        ExprKind::For(binders, body) | ExprKind::Reduce(_, binders, body) => {
            let mut trees: Vec<&Expr> = binders.iter().filter_map(limit).collect();
            if !binders.iter().any(|binder| binder.name.text == name) {
                trees.push(body);
            }
            infer(name, &trees, shapes)
        }
        ExprKind::Binary(_, left, right) => infer(name, &[left, right], shapes),
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => in_tree(name, inner, shapes),
        ExprKind::Prev(one) | ExprKind::Ref(one) => in_ref(name, one, shapes),
        ExprKind::List(items) => {
            infer(name, &items.iter().map(|item| &item.value).collect::<Vec<_>>(), shapes)
        }
    }
}

fn limit(binder: &Binder) -> Option<&Expr> {
    match &binder.range {
        Some(BinderRange::Compare(_, limit)) => Some(limit),
        Some(BinderRange::In(_)) | None => None,
    }
}

fn in_ref(name: &str, one: &Ref, shapes: &Shapes) -> Found {
    let Some(segment) = one.segments.first() else { return Found::Nothing };
    let inside = |args: &[Arg]| {
        let trees: Vec<&Expr> =
            args.iter().filter(|arg| !is(arg, name)).map(|arg| &arg.value).collect();
        infer(name, &trees, shapes)
    };
    if let Some(args) = &segment.args {
        let found = inside(args);
        if found != Found::Nothing {
            return found;
        }
        let bare = segment.after.iter().flatten().any(|arg| is(arg, name));
        return if bare { Found::Unsure } else { Found::Nothing };
    }
    let Some(indices) = &segment.brackets else { return Found::Nothing };
    if let Some(at) = indices.iter().position(|arg| is(arg, name)) {
        let size = shapes.get(&segment.name.text).and_then(|shape| shape.get(at));
        return size.map_or(Found::Unsure, |size| Found::Size(*size));
    }
    inside(indices)
}

/// Whether an index is the bare word.
fn is(arg: &Arg, name: &str) -> bool {
    let ExprKind::Ref(one) = &arg.value.kind else { return false };
    match &one.segments[..] {
        [segment] => {
            segment.name.text == name && segment.brackets.is_none() && segment.args.is_none()
        }
        _ => false,
    }
}
