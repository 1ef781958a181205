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
    whole(|line| line.expr(expr, at))
}

/// An expression where it stands, if it takes no more than that many columns.
pub(super) fn flat_within(expr: &Expr, at: Slotted, columns: usize) -> Option<String> {
    within(columns, |line| line.expr(expr, at))
}

/// What may stand left of `->`: a pipe, or a chain of operators.
pub(super) fn pipe_left(left: &Expr) -> Slotted {
    if matches!(left.kind, ExprKind::Pipe(..)) { LOOSE } else { CHAIN }
}

/// Binders with commas.
pub(super) fn flat_binders(binders: &[Binder]) -> String {
    whole(|line| line.binders(binders))
}

/// `N` or `a..b`.
pub(super) fn flat_range(range: &Range) -> String {
    whole(|line| line.range(range))
}

/// A reference.
pub(super) fn flat_ref(name: &Ref) -> String {
    whole(|line| line.reference(name))
}

/// A reference, if it takes no more than that many columns.
pub(super) fn flat_ref_within(name: &Ref, columns: usize) -> Option<String> {
    within(columns, |line| line.reference(name))
}

/// One segment of a reference.
pub(super) fn flat_segment(segment: &Segment) -> String {
    whole(|line| line.segment(segment))
}

/// A dim of a definition with its default.
pub(super) fn flat_generic(generic: &Generic) -> String {
    whole(|line| line.generic(generic))
}

/// An argument, index or element.
pub(super) fn flat_arg(arg: &Arg) -> String {
    whole(|line| line.arg(arg))
}

/// An argument, if it takes no more than that many columns.
pub(super) fn flat_arg_within(arg: &Arg, columns: usize) -> Option<String> {
    within(columns, |line| line.arg(arg))
}

/// A slot, if it takes no more than that many columns.
pub(super) fn flat_slot_within(slot: &Slot, columns: usize) -> Option<String> {
    within(columns, |line| line.slot(slot))
}

/// A slot without its value.
pub(super) fn flat_slot_head(slot: &Slot) -> String {
    whole(|line| line.slot_head(slot))
}

fn whole(write: impl FnOnce(&mut Line) -> Option<()>) -> String {
    within(usize::MAX, write).unwrap_or_default()
}

fn within(columns: usize, write: impl FnOnce(&mut Line) -> Option<()>) -> Option<String> {
    let mut line = Line { text: String::new(), left: columns };
    write(&mut line)?;
    Some(line.text)
}

/// A line in the making. What does not fit ends at once, so that asking whether something long fits
/// costs no more than a line.
struct Line {
    text: String,
    /// Columns that are left.
    left: usize,
}

impl Line {
    fn push(&mut self, text: &str) -> Option<()> {
        self.left = self.left.checked_sub(text.chars().count())?;
        self.text.push_str(text);
        Some(())
    }

    /// Things with something between them.
    fn joined<T>(
        &mut self,
        all: &[T],
        between: &str,
        one: impl Fn(&mut Line, &T) -> Option<()>,
    ) -> Option<()> {
        for (place, item) in all.iter().enumerate() {
            if place > 0 {
                self.push(between)?;
            }
            one(self, item)?;
        }
        Some(())
    }

    /// An expression after a word, if there is one.
    fn after(&mut self, word: &str, expr: Option<&Expr>) -> Option<()> {
        let Some(expr) = expr else { return Some(()) };
        self.push(word)?;
        self.expr(expr, LOOSE)
    }

    fn expr(&mut self, expr: &Expr, at: Slotted) -> Option<()> {
        if needs_parentheses(expr, at) {
            self.push("(")?;
            self.expr(expr, LOOSE)?;
            return self.push(")");
        }
        match &expr.kind {
            ExprKind::Number(_, spelling) => self.push(spelling),
            ExprKind::Text(text) => {
                self.push("\"")?;
                self.push(text)?;
                self.push("\"")
            }
            ExprKind::Pipe(left, stage) => {
                self.expr(left, pipe_left(left))?;
                self.push(" -> ")?;
                self.reference(stage)
            }
            ExprKind::If(condition, yes, no) => {
                self.after("if ", Some(condition))?;
                self.after(" then ", Some(yes))?;
                self.after(" else ", Some(no))
            }
            ExprKind::For(binders, body) => {
                self.push("for ")?;
                self.binders(binders)?;
                self.after(": ", Some(body))
            }
            ExprKind::Binary(op, left, right) => {
                let (before, after) = sides(*op, at);
                self.expr(left, before)?;
                self.push(&spaced(*op, left, right))?;
                self.expr(right, after)
            }
            ExprKind::Unary(op, inner) => {
                self.push(prefix(*op))?;
                self.expr(inner, signed(*op, at))
            }
            ExprKind::Reduce(which, binders, body) => {
                self.push(reduction(*which))?;
                self.push("[")?;
                self.binders(binders)?;
                self.push("] ")?;
                self.expr(body, TERM)
            }
            ExprKind::Prev(name) => {
                self.push("prev ")?;
                self.reference(name)
            }
            ExprKind::Ref(name) => self.reference(name),
            ExprKind::Paren(inner) => {
                self.after("(", Some(inner))?;
                self.push(")")
            }
            ExprKind::List(items) => self.args("[", Some(items), "]"),
        }
    }

    fn binders(&mut self, binders: &[Binder]) -> Option<()> {
        self.joined(binders, ", ", |line, binder| {
            line.push(&binder.name.text)?;
            match &binder.range {
                None => Some(()),
                Some(BinderRange::In(range)) => {
                    line.push(" in ")?;
                    line.range(range)
                }
                Some(BinderRange::Compare(op, limit)) => {
                    line.push(&format!(" {} ", op.sign()))?;
                    line.expr(limit, SUM)
                }
            }
        })
    }

    fn range(&mut self, range: &Range) -> Option<()> {
        self.expr(&range.start, SUM)?;
        let Some(end) = &range.end else { return Some(()) };
        self.push("..")?;
        self.expr(end, SUM)
    }

    fn reference(&mut self, name: &Ref) -> Option<()> {
        self.joined(&name.segments, ".", Line::segment)
    }

    fn segment(&mut self, segment: &Segment) -> Option<()> {
        self.push(&segment.name.text)?;
        self.args("[", segment.brackets.as_deref(), "]")?;
        self.args("(", segment.args.as_deref(), ")")?;
        self.args("[", segment.after.as_deref(), "]")
    }

    /// Arguments in brackets, if there are any brackets.
    fn args(&mut self, open: &str, args: Option<&[Arg]>, close: &str) -> Option<()> {
        let Some(args) = args else { return Some(()) };
        self.push(open)?;
        self.joined(args, ", ", Line::arg)?;
        self.push(close)
    }

    fn arg(&mut self, arg: &Arg) -> Option<()> {
        if let Some(name) = &arg.name {
            self.push(&name.text)?;
            self.push(" = ")?;
        }
        self.expr(&arg.value, LOOSE)?;
        self.after("..", arg.to.as_ref())?;
        self.after(" else ", arg.default.as_ref())
    }

    fn generic(&mut self, generic: &Generic) -> Option<()> {
        self.push(&generic.name.text)?;
        if let Some(list) = &generic.list {
            self.push(&format!("[{}]", list.text))?;
        }
        self.after(" = ", generic.default.as_ref())
    }

    fn slot(&mut self, slot: &Slot) -> Option<()> {
        self.slot_head(slot)?;
        self.after(" = ", slot.value.as_ref())
    }

    fn slot_head(&mut self, slot: &Slot) -> Option<()> {
        self.push(&slot.name.text)?;
        if !slot.shape.is_empty() {
            self.push("[")?;
            self.joined(&slot.shape, ", ", Line::range)?;
            self.push("]")?;
        }
        let Some(of) = &slot.of else { return Some(()) };
        self.push(": ")?;
        self.of(of)
    }

    /// `real(1..) via oneplus_exp`.
    fn of(&mut self, of: &Of) -> Option<()> {
        self.push(&of.name.text)?;
        if let Some(bounds) = &of.bounds {
            self.push("(")?;
            let (low, high) = match bounds {
                Bounds::One(one) => (Some(one), None),
                Bounds::Between(low, high) => (low.as_ref(), high.as_ref()),
            };
            low.map_or(Some(()), |low| self.expr(low, SUM))?;
            if matches!(bounds, Bounds::Between(..)) {
                self.push("..")?;
            }
            high.map_or(Some(()), |high| self.expr(high, SUM))?;
            self.push(")")?;
        }
        let Some(via) = &of.via else { return Some(()) };
        self.push(" via ")?;
        self.push(&via.text)
    }
}
