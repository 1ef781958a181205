//! PAIRS to TREE: expressions and references.

use super::{Builder, Node, inside, text};
use crate::source::Span;
use crate::syntax::ast::*;
use crate::syntax::errors;
use crate::syntax::grammar::Rule;

impl Builder<'_> {
    /// An expression of any level.
    pub(in crate::syntax) fn expr(&mut self, pair: Node<'_>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::number => self.number(&pair, span),
            Rule::string => ExprKind::Text(text(&pair)),
            Rule::ref_ => ExprKind::Ref(self.reference(pair)),
            Rule::prev => {
                let last = pair.into_inner().last().expect("a name follows `prev`");
                ExprKind::Prev(self.reference(last))
            }
            Rule::paren => ExprKind::Paren(Box::new(self.expr(inside(pair).any()))),
            Rule::list => ExprKind::List(self.args(pair)),
            Rule::if_ => {
                let mut parts = pair.into_inner().filter(|one| one.as_rule() == Rule::expr);
                let mut part = || Box::new(self.expr(parts.next().expect("`if` has three parts")));
                ExprKind::If(part(), part(), part())
            }
            Rule::for_ => {
                let mut inner = inside(pair);
                inner.the(Rule::FOR);
                let binders = self.binders(inner.many(Rule::binder));
                ExprKind::For(binders, Box::new(self.expr(inner.any())))
            }
            Rule::reduce => {
                let mut inner = inside(pair);
                let which = reduction(inner.any().as_str());
                let binders = self.binders(inner.many(Rule::binder));
                ExprKind::Reduce(which, binders, Box::new(self.expr(inner.any())))
            }
            Rule::not_ | Rule::unary => return self.prefixed(pair, span),
            _ => return self.chain(pair),
        };
        Expr { kind, span }
    }

    /// Operands with operators between them, grouped from the left. A single one is itself.
    fn chain(&mut self, pair: Node<'_>) -> Expr {
        let rule = pair.as_rule();
        let mut inner = inside(pair);
        let mut left = self.expr(inner.any());
        while let Some(next) = inner.0.next() {
            let start = left.span;
            let (kind, end) = if rule == Rule::expr {
                let stage = self.reference(next);
                let end = stage.span;
                (ExprKind::Pipe(Box::new(left), stage), end)
            } else {
                // The exponent follows its base directly, the others follow their operator.
                let power = rule == Rule::power;
                let op = if power { BinaryOp::Pow } else { binary(next.as_str()) };
                let right = self.expr(if power { next } else { inner.any() });
                let end = right.span;
                (ExprKind::Binary(op, Box::new(left), Box::new(right)), end)
            };
            left = Expr { kind, span: start.to(end) };
        }
        left
    }

    /// `-a`, `not a`, any number of times.
    fn prefixed(&mut self, pair: Node<'_>, span: Span) -> Expr {
        let mut signs = Vec::new();
        let mut inner = inside(pair);
        let operand = loop {
            let next = inner.any();
            let op = match next.as_rule() {
                Rule::neg => UnaryOp::Neg,
                Rule::NOT => UnaryOp::Not,
                _ => break self.expr(next),
            };
            signs.push((op, self.span(&next)));
        };
        signs.into_iter().rev().fold(operand, |inner, (op, at)| Expr {
            kind: ExprKind::Unary(op, Box::new(inner)),
            span: Span { start: at.start, ..span },
        })
    }

    fn number(&mut self, pair: &Node<'_>, span: Span) -> ExprKind {
        let spelling = pair.as_str();
        // Digits, underscores, a point and an exponent: always a number for Rust, too.
        let value: f64 = spelling.replace('_', "").parse().unwrap_or(f64::INFINITY);
        if value.is_infinite() {
            self.found.push(errors::huge_number(span));
        }
        ExprKind::Number(value, spelling.to_owned())
    }

    fn binders(&mut self, pairs: Vec<Node<'_>>) -> Vec<Binder> {
        pairs.into_iter().map(|one| self.binder(one)).collect()
    }

    fn binder(&mut self, pair: Node<'_>) -> Binder {
        let span = self.span(&pair);
        let mut inner = inside(pair);
        let name = self.name(&inner.the(Rule::name));
        let range = inner.0.next().map(|word| match word.as_rule() {
            Rule::IN => BinderRange::In(self.range(inner.the(Rule::range))),
            _ => BinderRange::Compare(binary(word.as_str()), self.expr(inner.any())),
        });
        Binder { name, range, span }
    }

    /// Names, indexing, dims and calls.
    pub(in crate::syntax) fn reference(&mut self, pair: Node<'_>) -> Ref {
        let span = self.span(&pair);
        let segments = inside(pair).many(Rule::seg);
        Ref { segments: segments.into_iter().map(|one| self.segment(one)).collect(), span }
    }

    fn segment(&mut self, pair: Node<'_>) -> Segment {
        let mut inner = inside(pair);
        let name = self.name(&inner.the(Rule::name));
        let mut brackets = |rule| inner.maybe(rule).map(|pair| self.args(pair));
        let (first, args) = (brackets(Rule::brackets), brackets(Rule::args));
        Segment { name, brackets: first, args, after: brackets(Rule::brackets) }
    }

    fn args(&mut self, pair: Node<'_>) -> Vec<Arg> {
        inside(pair).many(Rule::item_expr).into_iter().map(|one| self.arg(one)).collect()
    }

    /// What may stand in brackets or parentheses.
    pub(in crate::syntax) fn arg(&mut self, pair: Node<'_>) -> Arg {
        let span = self.span(&pair);
        let mut inner = inside(pair);
        let name = inner.maybe(Rule::key).map(|pair| self.name(&inside(pair).any()));
        inner.maybe(Rule::is);
        let value = self.expr(inner.any());
        let to = inner.maybe(Rule::upper).map(|pair| self.expr(inside(pair).any()));
        let default = inner.maybe(Rule::default).map(|pair| self.worded(pair));
        Arg { name, value, to, default, span }
    }
}

/// The reduction with this name.
fn reduction(word: &str) -> Reduction {
    match word {
        "sum" => Reduction::Sum,
        "prod" => Reduction::Prod,
        "max" => Reduction::Max,
        "min" => Reduction::Min,
        "mean" => Reduction::Mean,
        other => unreachable!("`{other}` is no reduction"),
    }
}

/// The operator spelt like this.
fn binary(sign: &str) -> BinaryOp {
    match sign {
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Sub,
        "*" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "mod" => BinaryOp::Mod,
        "<" => BinaryOp::Lt,
        "<=" => BinaryOp::Le,
        ">" => BinaryOp::Gt,
        ">=" => BinaryOp::Ge,
        "==" => BinaryOp::Eq,
        "!=" => BinaryOp::Ne,
        "and" => BinaryOp::And,
        "or" => BinaryOp::Or,
        other => unreachable!("`{other}` is no operator"),
    }
}
