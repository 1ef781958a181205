//! Trees without places: what the expander writes.

use crate::source::Span;
use crate::syntax::ast::{
    Arg, BinaryOp, Binder, BinderRange, Expr, ExprKind, Name, Range, Ref, Segment, UnaryOp,
};

pub(super) fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

pub(super) fn name(text: &str) -> Name {
    Name { text: text.to_owned(), span: Span::default() }
}

/// A whole number.
pub(super) fn whole(value: i64) -> Expr {
    let number = expr(ExprKind::Number(value.unsigned_abs() as f64, value.abs().to_string()));
    if value < 0 { negative(number) } else { number }
}

/// A real number, spelt so that it is not taken for a whole one.
pub(super) fn real(value: f64) -> Expr {
    let number = expr(ExprKind::Number(value.abs(), format!("{:?}", value.abs())));
    if value.is_sign_negative() { negative(number) } else { number }
}

fn negative(inner: Expr) -> Expr {
    expr(ExprKind::Unary(UnaryOp::Neg, Box::new(inner)))
}

pub(super) fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    expr(ExprKind::Binary(op, Box::new(left), Box::new(right)))
}

pub(super) fn unary(op: UnaryOp, inner: Expr) -> Expr {
    expr(ExprKind::Unary(op, Box::new(inner)))
}

pub(super) fn choice(test: Expr, yes: Expr, no: Expr) -> Expr {
    expr(ExprKind::If(Box::new(test), Box::new(yes), Box::new(no)))
}

pub(super) fn arg(value: Expr) -> Arg {
    Arg { name: None, value, to: None, default: None, span: Span::default() }
}

fn args(all: Vec<Expr>) -> Option<Vec<Arg>> {
    Some(all.into_iter().map(arg).collect())
}

fn one(segment: Segment) -> Ref {
    Ref { segments: vec![segment], span: Span::default() }
}

/// `name[indices]`.
pub(super) fn indexed(text: &str, indices: Vec<Expr>) -> Ref {
    let brackets = if indices.is_empty() { None } else { args(indices) };
    one(Segment { name: name(text), brackets, args: None, after: None })
}

pub(super) fn word(text: &str) -> Expr {
    expr(ExprKind::Ref(indexed(text, Vec::new())))
}

/// `name[dims](arguments)[indices]`.
pub(super) fn call(text: &str, dims: Vec<Expr>, given: Vec<Expr>, after: Vec<Expr>) -> Expr {
    let brackets = if dims.is_empty() { None } else { args(dims) };
    let after = if after.is_empty() { None } else { args(after) };
    expr(ExprKind::Ref(one(Segment { name: name(text), brackets, args: args(given), after })))
}

/// `size`, an axis.
pub(super) fn range(size: u32) -> Range {
    Range { start: whole(i64::from(size)), end: None, span: Span::default() }
}

/// `name`, or `name in size`.
pub(super) fn binder(text: &str, size: Option<u32>) -> Binder {
    let range = size.map(|size| BinderRange::In(range(size)));
    Binder { name: name(text), range, span: Span::default() }
}
