//! Expressions on one line, with exactly the parentheses that their tree needs.
//!
//! Trees from the parser carry their parentheses as nodes and get no others; trees made by a program
//! get those without which the text would mean something else.

use crate::syntax::ast::*;

/// Where an expression stands: what binds at least how tightly, and what comes after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slotted {
    /// The loosest level that may stand here bare.
    pub(super) least: u8,
    /// Whether `*`, `/`, `mod` or `^` follows, which a bare reduction would swallow.
    pub(super) followed: bool,
}

/// Anything may stand here.
pub(super) const LOOSE: Slotted = Slotted { least: 0, followed: false };

/// A choice may not stand here bare.
pub(super) const CHAIN: Slotted = Slotted { least: 1, followed: false };

/// A sum may stand here bare.
pub(super) const SUM: Slotted = Slotted { least: 5, followed: false };

/// What may stand as the body of a reduction.
pub(super) const TERM: Slotted = Slotted { least: 6, followed: false };

/// How tightly an expression holds together; atoms most.
fn level(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::Pipe(..) | ExprKind::If(..) | ExprKind::For(..) => 0,
        ExprKind::Binary(op, ..) => operator_level(*op),
        ExprKind::Unary(UnaryOp::Not, _) => 3,
        ExprKind::Unary(UnaryOp::Neg, _) => 7,
        ExprKind::Number(_, spelling) if spelling.starts_with('-') => 7,
        ExprKind::Number(..)
        | ExprKind::Text(_)
        | ExprKind::Reduce(..)
        | ExprKind::Prev(_)
        | ExprKind::Ref(_)
        | ExprKind::Paren(_)
        | ExprKind::List(_) => 9,
    }
}

/// The level of an operator.
pub(super) fn operator_level(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne => {
            4
        }
        BinaryOp::Add | BinaryOp::Sub => 5,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 6,
        BinaryOp::Pow => 8,
    }
}

/// What may stand left and right of an operator that itself stands in `at`.
pub(super) fn sides(op: BinaryOp, at: Slotted) -> (Slotted, Slotted) {
    let level = operator_level(op);
    let loose = |least| Slotted { least, followed: false };
    match level {
        4 => (loose(5), loose(5)),
        6 => {
            let left = Slotted { least: 6, followed: true };
            (left, Slotted { least: 7, followed: at.followed })
        }
        8 => {
            let left = Slotted { least: 9, followed: true };
            (left, Slotted { least: 7, followed: at.followed })
        }
        _ => (loose(level), loose(level + 1)),
    }
}

/// What may stand after a sign.
pub(super) fn signed(op: UnaryOp, at: Slotted) -> Slotted {
    match op {
        UnaryOp::Not => Slotted { least: 3, followed: false },
        UnaryOp::Neg => Slotted { least: 7, followed: at.followed },
    }
}

/// Whether an expression needs parentheses of our own where it stands.
pub(super) fn needs_parentheses(expr: &Expr, at: Slotted) -> bool {
    level(expr) < at.least || (at.followed && matches!(expr.kind, ExprKind::Reduce(..)))
}

/// How a prefix is written, with its blank.
pub(super) fn prefix(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Neg => "-",
        UnaryOp::Not => "not ",
    }
}

/// How a reduction is written.
pub(super) fn reduction(which: Reduction) -> &'static str {
    match which {
        Reduction::Sum => "sum",
        Reduction::Prod => "prod",
        Reduction::Max => "max",
        Reduction::Min => "min",
        Reduction::Mean => "mean",
    }
}

/// Whether an expression is one token, so that `^` beside it needs no blanks.
fn is_token(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_, spelling) => !spelling.starts_with('-'),
        ExprKind::Ref(name) => match name.segments.as_slice() {
            [one] => one.brackets.is_none() && one.args.is_none(),
            _ => false,
        },
        ExprKind::Text(_)
        | ExprKind::Pipe(..)
        | ExprKind::If(..)
        | ExprKind::For(..)
        | ExprKind::Binary(..)
        | ExprKind::Unary(..)
        | ExprKind::Reduce(..)
        | ExprKind::Prev(_)
        | ExprKind::Paren(_)
        | ExprKind::List(_) => false,
    }
}

/// The sign between two operands, with its blanks.
pub(super) fn spaced(op: BinaryOp, left: &Expr, right: &Expr) -> String {
    let tight = op == BinaryOp::Pow && is_token(left) && is_token(right);
    if tight { op.sign().to_owned() } else { format!(" {} ", op.sign()) }
}

/// An expression where anything may stand.
pub(super) fn flat(expr: &Expr) -> String {
    flat_at(expr, LOOSE)
}

/// An expression where it stands.
pub(super) fn flat_at(expr: &Expr, at: Slotted) -> String {
    if needs_parentheses(expr, at) {
        return format!("({})", flat(expr));
    }
    match &expr.kind {
        ExprKind::Number(_, spelling) => spelling.clone(),
        ExprKind::Text(text) => format!("\"{text}\""),
        ExprKind::Pipe(left, stage) => {
            format!("{} -> {}", flat_at(left, pipe_left(left)), flat_ref(stage))
        }
        ExprKind::If(condition, yes, no) => {
            format!("if {} then {} else {}", flat(condition), flat(yes), flat(no))
        }
        ExprKind::For(binders, body) => format!("for {}: {}", flat_binders(binders), flat(body)),
        ExprKind::Binary(op, left, right) => {
            let (before, after) = sides(*op, at);
            let sign = spaced(*op, left, right);
            format!("{}{sign}{}", flat_at(left, before), flat_at(right, after))
        }
        ExprKind::Unary(op, inner) => {
            format!("{}{}", prefix(*op), flat_at(inner, signed(*op, at)))
        }
        ExprKind::Reduce(which, binders, body) => {
            let binders = flat_binders(binders);
            format!("{}[{binders}] {}", reduction(*which), flat_at(body, TERM))
        }
        ExprKind::Prev(name) => format!("prev {}", flat_ref(name)),
        ExprKind::Ref(name) => flat_ref(name),
        ExprKind::Paren(inner) => format!("({})", flat(inner)),
        ExprKind::List(items) => format!("[{}]", flat_args(items)),
    }
}

/// What may stand left of `->`: a pipe, or a chain of operators.
pub(super) fn pipe_left(left: &Expr) -> Slotted {
    if matches!(left.kind, ExprKind::Pipe(..)) { LOOSE } else { CHAIN }
}

/// Binders with commas.
pub(super) fn flat_binders(binders: &[Binder]) -> String {
    let one = |binder: &Binder| match &binder.range {
        None => binder.name.text.clone(),
        Some(BinderRange::In(range)) => format!("{} in {}", binder.name.text, flat_range(range)),
        Some(BinderRange::Compare(op, limit)) => {
            format!("{} {} {}", binder.name.text, op.sign(), flat_at(limit, SUM))
        }
    };
    binders.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `N` or `a..b`.
pub(super) fn flat_range(range: &Range) -> String {
    let start = flat_at(&range.start, SUM);
    match &range.end {
        Some(end) => format!("{start}..{}", flat_at(end, SUM)),
        None => start,
    }
}

/// A reference.
pub(super) fn flat_ref(name: &Ref) -> String {
    name.segments.iter().map(flat_segment).collect::<Vec<_>>().join(".")
}

/// One segment of a reference.
pub(super) fn flat_segment(segment: &Segment) -> String {
    let mut out = segment.name.text.clone();
    if let Some(brackets) = &segment.brackets {
        out += &format!("[{}]", flat_args(brackets));
    }
    if let Some(args) = &segment.args {
        out += &format!("({})", flat_args(args));
    }
    if let Some(after) = &segment.after {
        out += &format!("[{}]", flat_args(after));
    }
    out
}

fn flat_args(args: &[Arg]) -> String {
    args.iter().map(flat_arg).collect::<Vec<_>>().join(", ")
}

/// A dim of a definition with its default.
pub(super) fn flat_generic(generic: &Generic) -> String {
    let list = generic.list.as_ref().map_or(String::new(), |list| format!("[{}]", list.text));
    let default = generic.default.as_ref().map_or(String::new(), |one| format!(" = {}", flat(one)));
    format!("{}{list}{default}", generic.name.text)
}

/// An argument, index or element.
pub(super) fn flat_arg(arg: &Arg) -> String {
    let name = arg.name.as_ref().map_or(String::new(), |name| format!("{} = ", name.text));
    let to = arg.to.as_ref().map_or(String::new(), |to| format!("..{}", flat(to)));
    let default = arg.default.as_ref().map_or(String::new(), |one| format!(" else {}", flat(one)));
    format!("{name}{}{to}{default}", flat(&arg.value))
}

/// A slot with its value.
pub(super) fn flat_slot(slot: &Slot) -> String {
    let head = flat_slot_head(slot);
    slot.value.as_ref().map_or(head.clone(), |value| format!("{head} = {}", flat(value)))
}

/// A slot without its value.
pub(super) fn flat_slot_head(slot: &Slot) -> String {
    let mut out = slot.name.text.clone();
    if !slot.shape.is_empty() {
        let shape: Vec<_> = slot.shape.iter().map(flat_range).collect();
        out += &format!("[{}]", shape.join(", "));
    }
    if let Some(of) = &slot.of {
        out += &format!(": {}", flat_of(of));
    }
    out
}

/// `real(1..) via oneplus_exp`.
fn flat_of(of: &Of) -> String {
    let side = |one: &Option<Expr>| one.as_ref().map_or(String::new(), |e| flat_at(e, SUM));
    let bounds = match &of.bounds {
        None => String::new(),
        Some(Bounds::One(one)) => format!("({})", flat_at(one, SUM)),
        Some(Bounds::Between(low, high)) => format!("({}..{})", side(low), side(high)),
    };
    let via = of.via.as_ref().map_or(String::new(), |via| format!(" via {}", via.text));
    format!("{}{bounds}{via}", of.name.text)
}
