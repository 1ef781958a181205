//! Shapes, domains and other things known when a model is built.

use crate::diag::{Edit, nearest};
use crate::source::Span;
use crate::syntax::ast::{self, DOMAINS};

use super::super::errors;
use super::super::int::{Poly, Test};
use super::super::show;
use super::super::typed::{DimKind, Domain, Expr, ExprKind, Extent, Sort};
use super::declare::Cx;

/// Sizes from here on are larger than any array may be, and no longer exact.
const LARGEST: f64 = 9_007_199_254_740_992.0;

impl Cx<'_, '_> {
    /// An axis: `N`, or `a..b`.
    pub(super) fn extent(&mut self, range: &ast::Range) -> Option<Extent> {
        for end in std::iter::once(&range.start).chain(&range.end) {
            self.known_size(end)?;
        }
        let start = self.poly(&range.start)?;
        match &range.end {
            None => Some(Extent::of(start)),
            Some(end) => {
                let size = self.poly(end)?.minus(&start).add(1);
                Some(Extent { low: start, size })
            }
        }
    }

    /// Tells, once for each name, of a size that nothing gives.
    fn known_size(&mut self, tree: &ast::Expr) -> Option<()> {
        let ast::ExprKind::Ref(path) = &tree.kind else { return Some(()) };
        let [ast::Segment { name, brackets: None, args: None, .. }] = &path.segments[..] else {
            return Some(());
        };
        let known = self.visible();
        let near = nearest(&name.text, known.iter().map(String::as_str)).is_some();
        if near || self.named(&name.text).is_some() || self.in_scope(&name.text).is_some() {
            return Some(());
        }
        let told: Vec<Span> = self.sink().iter().map(|one| one.primary.span).collect();
        if told.into_iter().any(|span| self.text(span) == name.text) {
            return None;
        }
        let given = if self.is_model { format!("{} = 8", name.text) } else { name.text.clone() };
        let first = self.def.dims.iter().find(|dim| dim.kind == DimKind::Explicit);
        let (place, text) = match first {
            Some(first) => (first.span.before(), format!("{given}, ")),
            None => (self.def.span.after(), format!("[{given}]")),
        };
        let slot = format!("{}[{given}]", self.def.name);
        let one = errors::unknown_size(name.span, &name.text, &slot);
        self.sink().push(one.edits([Edit::new(place, text)]));
        None
    }

    /// A whole number known when the model is built.
    pub(super) fn poly(&mut self, tree: &ast::Expr) -> Option<Poly> {
        let expr = self.expr(tree, None)?;
        if let ExprKind::Int(poly) = expr.kind {
            return Some(poly);
        }
        let whole = if let ExprKind::Real(value) = expr.kind { Some(value) } else { None };
        let one = match whole.filter(|value| value.fract() == 0.0) {
            Some(value) if value.abs() < LARGEST => {
                errors::written_as_a_real(tree.span, &format!("{value}"))
            }
            Some(_) => errors::too_large(tree.span, "the size", self.text(tree.span)),
            None => errors::not_a_whole_number(tree.span, "this"),
        };
        self.sink().push(one);
        None
    }

    /// A condition known when the model is built.
    pub(super) fn test(&mut self, tree: &ast::Expr) -> Option<Test> {
        let expr = self.expr(tree, None)?;
        if let ExprKind::Test(test) = expr.kind {
            return Some(test);
        }
        let wanted = "a condition on dims, indices and parameters";
        self.sink().push(errors::wrong_sort(tree.span, wanted, "something else"));
        None
    }

    /// What stands after the colon of a slot.
    pub(super) fn sort_and_domain(&mut self, of: Option<&ast::Of>) -> Option<(Sort, Domain)> {
        let Some(of) = of else { return Some((Sort::Real, Domain::REAL)) };
        let sort = match of.name.text.as_str() {
            "index" => return self.index_sort(of).map(|sort| (sort, Domain::REAL)),
            "bool" => Sort::Bool,
            "int" => Sort::Int,
            _ => Sort::Real,
        };
        self.domain(of).map(|domain| (sort, domain))
    }

    fn index_sort(&mut self, of: &ast::Of) -> Option<Sort> {
        let Some(ast::Bounds::One(below)) = &of.bounds else {
            let right = self.right_bounds(of);
            self.sink().push(errors::bad_bounds(of.span, right));
            return None;
        };
        let below = self.poly(below)?;
        Some(Sort::Index { below, permutation: false })
    }

    /// A domain by its name and bounds.
    fn domain(&mut self, of: &ast::Of) -> Option<Domain> {
        if let Some(domain) = domain_named(&of.name.text)
            && of.bounds.is_none()
        {
            return Some(domain);
        }
        match (of.name.text.as_str(), &of.bounds) {
            ("int" | "bool", None) => Some(Domain::REAL),
            ("real", Some(ast::Bounds::Between(low, high))) => {
                let end = |end: &Option<ast::Expr>| {
                    end.as_ref().map(constant).map_or(Ok(None), |v| v.map(Some).ok_or(()))
                };
                match (end(low), end(high)) {
                    (Ok(low), Ok(high)) if low.zip(high).is_none_or(|(low, high)| low < high) => {
                        Some(Domain::Real(low, high))
                    }
                    _ => {
                        let right = self.right_bounds(of);
                        self.sink().push(errors::bad_bounds(of.span, right));
                        None
                    }
                }
            }
            (name, _) if DOMAINS.contains(&name) => {
                let right = self.right_bounds(of);
                self.sink().push(errors::bad_bounds(of.span, right));
                None
            }
            (name, _) => {
                let other = super::builtins::domain_elsewhere(name);
                let near = other.or_else(|| nearest(name, DOMAINS.iter().copied()));
                self.sink().push(errors::unknown_domain(of.name.span, name, near));
                None
            }
        }
    }

    /// A shape for a message.
    pub(super) fn shown(&self, shape: &[Extent]) -> String {
        show::shape(&self.def, shape)
    }
}

/// A domain without bounds, by name.
pub(in crate::model) fn domain_named(name: &str) -> Option<Domain> {
    Some(match name {
        "real" => Domain::REAL,
        "unit" => Domain::Real(Some(0.0), Some(1.0)),
        "signed" => Domain::Real(Some(-1.0), Some(1.0)),
        "positive" => Domain::Real(Some(0.0), None),
        "simplex" => Domain::Simplex,
        "weighting" => Domain::Weighting,
        "sphere" => Domain::Sphere,
        _ => return None,
    })
}

/// The number a tree spells, a sign included.
fn constant(tree: &ast::Expr) -> Option<f64> {
    match &tree.kind {
        ast::ExprKind::Number(value, _) => Some(*value),
        ast::ExprKind::Unary(ast::UnaryOp::Neg, inner) => constant(inner).map(|value| -value),
        ast::ExprKind::Paren(inner) => constant(inner),
        ast::ExprKind::Text(_)
        | ast::ExprKind::Pipe(..)
        | ast::ExprKind::If(..)
        | ast::ExprKind::For(..)
        | ast::ExprKind::Binary(..)
        | ast::ExprKind::Unary(ast::UnaryOp::Not, _)
        | ast::ExprKind::Reduce(..)
        | ast::ExprKind::Prev(_)
        | ast::ExprKind::Ref(_)
        | ast::ExprKind::List(_) => None,
    }
}

/// The number a checked expression is, if it is one for certain.
pub(in crate::model) fn constant_of(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        ExprKind::Real(value) => Some(*value),
        ExprKind::Int(poly) => poly.as_number().map(|value| value as f64),
        ExprKind::Map(scalar, args) => {
            let args: Option<Vec<f64>> = args.iter().map(constant_of).collect();
            args.map(|args| (scalar.row().eval)(&args))
        }
        ExprKind::Fill(value, _) => constant_of(value),
        ExprKind::Test(_)
        | ExprKind::Read { .. }
        | ExprKind::Index(..)
        | ExprKind::Inside(..)
        | ExprKind::If(..)
        | ExprKind::Reduce { .. }
        | ExprKind::For(..)
        | ExprKind::List(_)
        | ExprKind::Cat(_)
        | ExprKind::Whole(..)
        | ExprKind::Squash(..)
        | ExprKind::OneHot(..)
        | ExprKind::Learned(_)
        | ExprKind::Draw(..)
        | ExprKind::Call(_) => None,
    }
}

/// Whether a number lies in a domain.
pub(super) fn holds(domain: &Domain, value: f64) -> bool {
    match domain {
        Domain::Real(low, high) => {
            low.is_none_or(|low| value >= low) && high.is_none_or(|high| value <= high)
        }
        Domain::Simplex | Domain::Weighting | Domain::Sphere => true,
    }
}
