//! Divisions and logarithms whose argument may be 0 (W0908).
//!
//! Bounds follow from domains: a claim such as `unit` bounds a value, and the interval rules of the
//! table bound what is made of it. A branch of an `if` whose condition speaks of the divisor is trusted.

use super::{Spec, errors};
use crate::diag::Diagnostics;
use crate::model::typed::{
    Checked, Def, Domain, Expr, ExprKind, ParamKind, Reduction, ValueId, ValueKind, Whole,
};
use crate::op::interval::Interval;
use crate::op::{Scalar, scalar};
use crate::source::{Sources, Span};

/// How many equations deep a bound is looked for.
const DEEPEST: usize = 8;
/// How many expressions are looked at for one bound.
const MOST: usize = 2_000;

/// What is known of a number. Where the interval is wild, nothing is, and nothing is blamed.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    interval: Interval,
    /// Whether it is never 0, though it may come as near as one likes: `exp`, powers of such numbers.
    never_zero: bool,
}

impl Bounds {
    const UNKNOWN: Bounds = Bounds::of(Interval::WILD);
    const NOT_NEGATIVE: Bounds = Bounds::of(Interval { lo: 0.0, hi: f64::INFINITY, wild: false });

    const fn of(interval: Interval) -> Bounds {
        Bounds { interval, never_zero: false }
    }

    fn of_domain(domain: &Domain) -> Bounds {
        Bounds::of(match domain {
            Domain::Real(low, high) => {
                Interval::new(low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY))
            }
            Domain::Simplex | Domain::Weighting => Interval::UNIT,
            Domain::Sphere => Interval::new(-1.0, 1.0),
        })
    }

    fn but_zero(self, never_zero: bool) -> Bounds {
        Bounds { never_zero: self.never_zero || never_zero, ..self }
    }

    /// Whether it is known to be above 0.
    fn is_positive(self) -> bool {
        self.interval.lo >= 0.0 && (self.never_zero || self.interval.excludes_zero())
    }

    fn may_be_zero(self) -> bool {
        let Interval { lo, hi, wild } = self.interval;
        !wild && lo <= 0.0 && hi >= 0.0 && !self.never_zero
    }

    fn or(self, other: Bounds) -> Bounds {
        let never_zero = [self, other].iter().all(|one| !one.may_be_zero());
        Bounds { interval: self.interval.hull(other.interval), never_zero }
    }
}

/// Every division and logarithm whose argument may be 0 as far as domains tell.
pub(super) fn divisors(spec: Spec<'_>, sink: &mut Diagnostics) {
    for (_, def) in spec.own() {
        let scene = Scene { sources: spec.sources, checked: spec.checked, def };
        for value in &def.values {
            for expr in value.written() {
                scene.search(expr, &mut Vec::new(), sink);
            }
        }
    }
}

/// Where bounds are looked for.
#[derive(Clone, Copy)]
struct Scene<'a> {
    sources: &'a Sources,
    checked: &'a Checked,
    def: &'a Def,
}

impl<'a> Scene<'a> {
    /// Looks through an expression, with the conditions that hold there.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only two functions have a pole")]
    fn search(self, expr: &'a Expr, given: &mut Vec<&'a Expr>, sink: &mut Diagnostics) {
        let (divides, argument) = match &expr.kind {
            ExprKind::Map(scalar::DIV, args) => (true, args.get(1)),
            ExprKind::Map(scalar::LOG, args) => (false, args.first()),
            _ => (false, None),
        };
        if let Some(argument) = argument {
            let bounds = self.bounds(argument, DEEPEST, &mut MOST.clone());
            if bounds.may_be_zero() && !self.is_guarded(argument, given) {
                let pole = errors::Pole {
                    argument: argument.span,
                    text: self.sources.text(argument.span),
                    enclosed: self.is_enclosed(argument.span),
                    divides,
                    from_below: bounds.interval.lo >= 0.0,
                };
                sink.push(errors::may_be_zero(expr.span, &pole));
            }
        }
        if let ExprKind::If(test, yes, no) = &expr.kind {
            self.search(test, given, sink);
            given.push(test);
            self.search(yes, given, sink);
            self.search(no, given, sink);
            given.pop();
        } else {
            expr.parts().into_iter().for_each(|one| self.search(one, given, sink));
        }
    }

    /// Whether a condition around speaks of the very same expression.
    fn is_guarded(self, argument: &Expr, given: &[&Expr]) -> bool {
        let text = self.sources.text(argument.span);
        let mut found = false;
        for test in given {
            test.each(&mut |one| found |= self.sources.text(one.span) == text);
        }
        found
    }

    /// Whether parentheses stand right around a place.
    fn is_enclosed(self, span: Span) -> bool {
        let text = &self.sources.get(span.file).text;
        let (before, after) = (&text[..span.start as usize], &text[span.end as usize..]);
        before.ends_with('(') && after.starts_with(')')
    }

    fn bounds(self, expr: &Expr, depth: usize, left: &mut usize) -> Bounds {
        let Some(fewer) = left.checked_sub(1) else { return Bounds::UNKNOWN };
        *left = fewer;
        let mut hull = |all: &[&Expr]| {
            let each = all.iter().map(|one| self.bounds(one, depth, left));
            each.reduce(Bounds::or).unwrap_or(Bounds::UNKNOWN)
        };
        match &expr.kind {
            ExprKind::Real(value) => Bounds::of(Interval::point(*value)),
            // Sizes are chosen, not computed.
            ExprKind::Int(poly) => poly
                .as_number()
                .map_or(Bounds::UNKNOWN, |number| Bounds::of(Interval::point(number as f64))),
            ExprKind::Test(_) | ExprKind::OneHot(..) => Bounds::of(Interval::UNIT),
            ExprKind::Read { value, inner, .. } if inner.is_empty() => {
                self.value(*value, depth, left)
            }
            ExprKind::Read { .. } | ExprKind::Draw(..) => Bounds::UNKNOWN,
            ExprKind::Index(base, _) => hull(&[base]),
            ExprKind::Inside(_, base, default) => hull(&[base, default]),
            ExprKind::If(_, yes, no) => hull(&[yes, no]),
            ExprKind::For(_, body) | ExprKind::Fill(body, _) => hull(&[body]),
            ExprKind::List(all) | ExprKind::Cat(all) => hull(&all.iter().collect::<Vec<_>>()),
            ExprKind::Squash(domain, _) | ExprKind::Learned(domain) => Bounds::of_domain(domain),
            ExprKind::Whole(Whole::Softmax, _) => Bounds::of(Interval::UNIT),
            ExprKind::Whole(Whole::Norm | Whole::Argsort | Whole::Rank | Whole::Top(_), _) => {
                Bounds::NOT_NEGATIVE
            }
            ExprKind::Call(call) => {
                let def = self.checked.def(call.def);
                Bounds::of_domain(&def.value(def.result).domain)
            }
            ExprKind::Reduce { fold, over, body } => {
                let whole = over.iter().all(|(_, test)| test.is_none());
                let bounds = self.bounds(body, depth, left);
                fold_bounds(*fold, bounds, whole, self.is_distribution(body))
            }
            ExprKind::Map(function, args) => {
                let all = args.iter().map(|one| self.bounds(one, depth, left)).collect::<Vec<_>>();
                self.map(*function, args, &all)
            }
        }
    }

    /// The bounds of a value: its domain, its default, or those of its equation.
    fn value(self, id: ValueId, depth: usize, left: &mut usize) -> Bounds {
        let value = self.def.value(id);
        if value.domain != Domain::REAL {
            return Bounds::of_domain(&value.domain);
        }
        let default = self.def.params.iter().find_map(|param| {
            let ParamKind::Plain(of, Some(default)) = &param.kind else { return None };
            (*of == id).then_some(default)
        });
        let equation = match &value.kind {
            ValueKind::Computed(equation) => Some(&equation.right),
            ValueKind::Argument
            | ValueKind::Param(_)
            | ValueKind::State(..)
            | ValueKind::Emission(_) => None,
        };
        match (default.or(equation), depth.checked_sub(1)) {
            (Some(expr), Some(depth)) => self.bounds(expr, depth, left),
            (Some(_), None) => Bounds::UNKNOWN,
            (None, _) => Bounds::of(Interval::REAL),
        }
    }

    /// Whether these are the entries of a simplex, or powers of them: they are never all 0.
    fn is_distribution(self, body: &Expr) -> bool {
        if let ExprKind::Map(scalar::POW, args) = &body.kind {
            return args.first().is_some_and(|base| self.is_distribution(base));
        }
        let ExprKind::Read { value, .. } = &body.kind else { return false };
        self.def.value(*value).domain == Domain::Simplex
    }

    /// The rule of the function's row, and what it does not see.
    fn map(self, function: Scalar, args: &[Expr], all: &[Bounds]) -> Bounds {
        let intervals: Vec<Interval> = all.iter().map(|one| one.interval).collect();
        let ranged = Bounds::of((function.row().range)(&intervals));
        let text = |one: &Expr| self.sources.text(one.span);
        match (function, all) {
            (scalar::MUL, [left, _]) if text(&args[0]) == text(&args[1]) => {
                Bounds { interval: left.interval.power(2), never_zero: left.never_zero }
            }
            (scalar::ADD, [left, right]) => {
                let above = left.interval.lo >= 0.0 && right.interval.lo >= 0.0;
                ranged.but_zero(above && (left.is_positive() || right.is_positive()))
            }
            (scalar::MUL, [left, right]) => {
                ranged.but_zero(!left.may_be_zero() && !right.may_be_zero())
            }
            (scalar::EXP, _) => ranged.but_zero(true),
            (scalar::POW | scalar::DIV, [left, _]) => ranged.but_zero(!left.may_be_zero()),
            (scalar::SQRT | scalar::ABS | scalar::NEG | scalar::STOP, [of]) => {
                ranged.but_zero(!of.may_be_zero())
            }
            (scalar::MAX, [left, right]) => {
                ranged.but_zero(left.is_positive() || right.is_positive())
            }
            (scalar::MIN, [left, right]) => {
                ranged.but_zero(left.is_positive() && right.is_positive())
            }
            (scalar::SELECT, [_, yes, no]) => yes.or(*no),
            _ => ranged,
        }
    }
}

/// The bounds of a reduction; `whole`: over all points of its ranges, so over one at least.
fn fold_bounds(fold: Reduction, body: Bounds, whole: bool, is_distribution: bool) -> Bounds {
    let Interval { lo, hi, wild } = body.interval;
    match fold {
        Reduction::Sum | Reduction::Mean if whole && is_distribution => {
            Bounds::NOT_NEGATIVE.but_zero(true)
        }
        Reduction::Sum | Reduction::Mean => {
            let low = if lo >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
            let high = if hi <= 0.0 { 0.0 } else { f64::INFINITY };
            let sign = lo >= 0.0 || hi <= 0.0;
            let sum = Bounds::of(Interval::new(low, high).wild_if(wild));
            sum.but_zero(whole && sign && !body.may_be_zero())
        }
        Reduction::Prod => {
            let low = if lo >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
            let product = Bounds::of(Interval::new(low, f64::INFINITY).wild_if(wild));
            product.but_zero(!body.may_be_zero())
        }
        Reduction::Max | Reduction::Min => body,
    }
}
