//! Calls of functions that are not written in the language.

use crate::diag::Edit;
use crate::op::Scalar;
use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::int::Poly;
use super::super::show;
use super::super::typed::{Expr, ExprKind, Extent, Sort, Whole};
use super::declare::Cx;
use super::slots::domain_named;

impl Cx<'_, '_> {
    pub(super) fn builtin(
        &mut self,
        segment: &ast::Segment,
        piped: &Option<Expr>,
        span: Span,
    ) -> Option<Option<Expr>> {
        let name = segment.name.text.as_str();
        let args = segment.args.as_deref().unwrap_or_default();
        if let Some(function) = Scalar::named(name).filter(|one| one.row().public) {
            return Some(self.scalar_call(function, args, piped, span));
        }
        if let Some(domain) = domain_named(name)
            && name != "weighting"
        {
            return Some(self.arguments(name, args, piped, 1, span).map(|mut args| {
                let arg = args.remove(0);
                let (shape, sort) = (arg.shape.clone(), Sort::Real);
                Expr { kind: ExprKind::Squash(domain, Box::new(arg)), span, shape, sort }
            }));
        }
        match name {
            "softmax" | "norm" | "argsort" | "rank" | "top" => {
                Some(self.whole_call(segment, args, piped, span))
            }
            "cat" => Some(self.cat(args, piped, span)),
            "zeros" => Some(self.zeros(segment, args, span)),
            "one_hot" | "normal" | "uniform" => Some(self.start_call(name, args, span)),
            _ => None,
        }
    }

    /// Exactly `count` plain arguments.
    fn arguments(
        &mut self,
        name: &str,
        args: &[ast::Arg],
        piped: &Option<Expr>,
        count: usize,
        span: Span,
    ) -> Option<Vec<Expr>> {
        let mut all: Vec<Expr> = piped.iter().cloned().collect();
        for arg in args {
            if let Some(word) = &arg.name {
                let one = errors::unknown_argument(word.span, name, &word.text, None, &[]);
                let named = args.iter().filter(|arg| arg.name.is_some()).count();
                let place = args.iter().position(|one| one.span == arg.span).unwrap_or(0);
                let position = Span { end: arg.value.span.start, ..arg.span };
                let edits = if args.len() + usize::from(piped.is_some()) - named >= count {
                    self.without(args, place)
                } else {
                    vec![Edit::new(position, "")]
                };
                self.sink().push(one.edits(edits));
                return None;
            }
            all.push(self.expr(&arg.value, None)?);
        }
        if all.len() > count {
            let span = args.last().map_or(span, |arg| arg.span);
            let one = errors::too_many_arguments(span, name, count);
            let last = args.len().checked_sub(1).filter(|_| all.len() == count + 1);
            let edits = last.map_or(Vec::new(), |last| self.without(args, last));
            self.sink().push(one.edits(edits));
            return None;
        }
        if all.len() < count {
            self.sink().push(errors::too_few_arguments(span, name, count, all.len()));
            return None;
        }
        Some(all)
    }

    fn scalar_call(
        &mut self,
        function: Scalar,
        args: &[ast::Arg],
        piped: &Option<Expr>,
        span: Span,
    ) -> Option<Expr> {
        let row = function.row();
        let args = self.arguments(row.name, args, piped, row.takes.len(), span)?;
        self.map(function, args, span)
    }

    fn whole_call(
        &mut self,
        segment: &ast::Segment,
        args: &[ast::Arg],
        piped: &Option<Expr>,
        span: Span,
    ) -> Option<Expr> {
        let name = segment.name.text.as_str();
        let arg = self.arguments(name, args, piped, 1, span)?.remove(0);
        if arg.shape.is_empty() {
            let one = errors::needs_array(arg.span, name);
            let plain = args.first().filter(|_| piped.is_none()).map(|arg| arg.span);
            let edits =
                plain.map_or(Vec::new(), |plain| self.whole_axis(span, plain, name != "norm"));
            self.sink().push(one.edits(edits));
            return None;
        }
        let one_axis = !matches!(name, "softmax" | "norm");
        if one_axis && arg.shape.len() != 1 {
            self.sink().push(errors::whole_needs_axes(arg.span, name, arg.shape.len()));
            return None;
        }
        let axis = arg.shape[0].clone();
        let order = Sort::Index { below: axis.size.clone(), permutation: true };
        let plain = Extent::of(axis.size.clone());
        let (whole, shape, sort) = match name {
            "softmax" => (Whole::Softmax, arg.shape.clone(), Sort::Real),
            "norm" => (Whole::Norm, Vec::new(), Sort::Real),
            "argsort" => (Whole::Argsort, vec![plain], order),
            "rank" => (Whole::Rank, vec![axis], order),
            _ => {
                let dims = segment.brackets.as_deref().unwrap_or_default();
                let [count] = dims else {
                    self.sink().push(errors::size_not_inferred(span, "top", "K"));
                    return None;
                };
                let count = self.poly(&count.value)?;
                let gap = axis.size.minus(&count);
                if !self.facts.at_least_zero(&gap) {
                    let text = self.def.show(&count);
                    let one = errors::outside(
                        segment.name.span,
                        &format!("top[{text}]"),
                        false,
                        &show::extent(&self.def, &axis),
                        "",
                    );
                    let require = format!("require {text} <= {}", self.def.show(&axis.size));
                    let edits = self.statement_before(&require);
                    self.sink().push(one.help(format!("add `{require}`")).edits(edits));
                    return None;
                }
                let sort = Sort::Index { below: axis.size, permutation: false };
                (Whole::Top(count.clone()), vec![Extent::of(count)], sort)
            }
        };
        Some(Expr { kind: ExprKind::Whole(whole, Box::new(arg)), span, shape, sort })
    }

    fn cat(&mut self, args: &[ast::Arg], piped: &Option<Expr>, span: Span) -> Option<Expr> {
        let mut all: Vec<Expr> = piped.iter().cloned().collect();
        for arg in args {
            let plain = matches!(arg.value.kind, ast::ExprKind::Ref(_) | ast::ExprKind::Prev(_));
            let outer = std::mem::replace(&mut self.joining, plain);
            let one = self.expr(&arg.value, None);
            self.joining = outer;
            all.push(one?);
        }
        let mut size = Poly::default();
        for one in &all {
            size = size.plus(&points(one));
        }
        let shape = vec![Extent::of(size)];
        let sort = self.common_sort(&all)?;
        Some(Expr { kind: ExprKind::Cat(all), span, shape, sort })
    }

    fn zeros(&mut self, segment: &ast::Segment, args: &[ast::Arg], span: Span) -> Option<Expr> {
        if let (Some(first), Some(last)) = (args.first(), args.last()) {
            let sizes = self.text(first.span.to(last.span)).to_owned();
            let written = Span { end: span.end.max(last.span.end), ..segment.name.span };
            let plain = segment.brackets.is_none() && segment.after.is_none();
            let one = errors::sizes_in_parentheses(first.span.to(last.span), &sizes);
            let edit = plain.then(|| Edit::new(written, format!("zeros[{sizes}]()")));
            self.sink().push(one.edits(edit));
            return None;
        }
        let mut shape = Vec::new();
        for dim in segment.brackets.as_deref().unwrap_or_default() {
            shape.push(Extent::of(self.poly(&dim.value)?));
        }
        let zero = Box::new(super::declare::number(0.0, span));
        Some(Expr { kind: ExprKind::Fill(zero, shape.clone()), span, shape, sort: Sort::Real })
    }
}

/// Everything that can be called without a definition.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let scalars = crate::op::scalar::rows().iter().filter(|row| row.public).map(|row| row.name);
    let domains = ["real", "unit", "signed", "positive", "simplex", "sphere"];
    let others = ["softmax", "norm", "argsort", "rank", "top", "cat", "zeros", "one_hot", "normal"];
    scalars.chain(domains).chain(others)
}

/// What a function of other languages is called here.
pub(super) fn elsewhere_called(name: &str) -> Option<&'static str> {
    Some(match name {
        "sigmoid" | "logistic" | "sigm" => "unit",
        "softplus" => "positive",
        "normalize" | "normalise" | "l2_normalize" => "sphere",
        "concat" | "concatenate" | "hstack" => "cat",
        "topk" => "top",
        "sort" | "argsort_ascending" => "argsort",
        "stop_gradient" | "detach" => "stop",
        "gradient_clip" | "grad_clip" | "clip_grad" => "clip_gradient",
        "ln" => "log",
        "clamp" => "clip",
        _ => return None,
    })
}

/// How a start is written that other languages have a name for.
pub(super) fn start_elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "one_hot" => "one_hot(0)",
        "normal" | "random" | "randn" | "gaussian" => "normal(0.1)",
        "rand" | "random_uniform" => "uniform(-0.1..0.1)",
        "zero" | "zeros" | "None" | "null" => "0",
        "one" | "ones" => "1",
        _ => return None,
    })
}

/// The domain that a squash or type of other languages makes.
pub(super) fn domain_elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "sigmoid" | "logistic" | "probability" | "gate" => "unit",
        "tanh" => "signed",
        "softmax" | "distribution" => "simplex",
        "softplus" | "relu" | "exp" | "nonnegative" => "positive",
        "float" | "double" | "f32" | "f64" | "number" | "scalar" => "real",
        "integer" | "long" => "int",
        "boolean" => "bool",
        "normalized" | "normalised" => "sphere",
        _ => return None,
    })
}

/// The number of entries; members that differ in shape are counted one by one.
fn points(expr: &Expr) -> Poly {
    let count = |shape: &[Extent]| {
        shape.iter().fold(Poly::number(1), |product, axis| product.times(&axis.size))
    };
    match (&expr.kind, &expr.shape[..]) {
        (ExprKind::For(vars, _), [first, rest @ ..])
            if rest.iter().any(|axis| axis.size.mentions(vars[0])) =>
        {
            Poly::sum(vars[0], first.size.clone(), &count(rest))
        }
        (_, shape) => count(shape),
    }
}
