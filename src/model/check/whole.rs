//! Whole numbers at run time: what may stand where an `int`, a `bool` or an `index(N)` is wanted.
//!
//! In: a checked expression and the sort of its place. Out: nothing, or a message. Invariant: a whole
//! number that is taken for an index provably lies inside its axis, whatever the values at run time.

use crate::op::scalar::{self, Scalar};
use crate::source::Span;

use super::super::errors;
use super::super::int::{Atom, Facts, Poly, VarId};
use super::super::show;
use super::super::typed::{Expr, ExprKind, Extent, Reduction, Sort, ValueId, ValueKind};
use super::declare::Cx;

/// Functions whose value is whole where their arguments are.
const WHOLE: &[Scalar] = &[
    scalar::ADD,
    scalar::SUB,
    scalar::MUL,
    scalar::NEG,
    scalar::ABS,
    scalar::MAX,
    scalar::MIN,
    scalar::CLIP,
    scalar::STOP,
];

/// The most bounds of one expression that are tried.
const MOST_BOUNDS: usize = 16;

/// How many equations a proof looks into, one behind the other.
const DEPTH: usize = 8;

/// Which end of an interval.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Low,
    High,
}

impl End {
    fn other(self) -> End {
        match self {
            End::Low => End::High,
            End::High => End::Low,
        }
    }
}

impl Sort {
    /// Whether its values are whole numbers.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Sort::Int | Sort::Index { .. } => true,
            Sort::Real | Sort::Bool => false,
        }
    }

    /// The sort of a place where either of two may stand; `None` for a number and a condition.
    pub(super) fn join(&self, other: &Sort) -> Option<Sort> {
        match (self, other) {
            (left, right) if left == right => Some(left.clone()),
            (Sort::Bool, _) | (_, Sort::Bool) => None,
            (left, right) if left.is_whole() && right.is_whole() => Some(Sort::Int),
            _ => Some(Sort::Real),
        }
    }
}

/// The sort of an array of these entries, the last of whose axes a variable runs along; a permutation
/// stays one only where the entries go through it one by one.
pub(super) fn sort_of_entries(entry: &Expr, last: Option<VarId>) -> Sort {
    let through = || last.is_some_and(|var| goes_through(entry, var));
    match &entry.sort {
        Sort::Index { below, permutation: true } if entry.shape.is_empty() && !through() => {
            Sort::Index { below: below.clone(), permutation: false }
        }
        sort @ (Sort::Real | Sort::Int | Sort::Bool | Sort::Index { .. }) => sort.clone(),
    }
}

/// Whether an expression reads one row of an array, entry by entry as a variable counts.
fn goes_through(entry: &Expr, var: VarId) -> bool {
    let (ExprKind::Read { at, .. } | ExprKind::Index(_, at)) = &entry.kind else { return false };
    let Some((last, row)) = at.split_last() else { return false };
    let counts = matches!(&last.kind, ExprKind::Int(poly) if poly.as_var() == Some(var));
    let mut fixed = true;
    let mut look = |one: &Expr| {
        if let ExprKind::Int(poly) = &one.kind {
            fixed &= !poly.mentions(var);
        } else if let ExprKind::Test(test) | ExprKind::Inside(test, ..) = &one.kind {
            fixed &= !test.any(&|atom| *atom == Atom::Var(var));
        }
    };
    row.iter().for_each(|one| one.each(&mut look));
    counts && fixed
}

/// The sort of a scalar function of numbers.
pub(super) fn numeric(scalar: Scalar, args: &[Expr]) -> Sort {
    let whole = WHOLE.contains(&scalar) && args.iter().all(|arg| arg.sort.is_whole());
    if whole || scalar == scalar::FLOOR { Sort::Int } else { Sort::Real }
}

impl Cx<'_, '_> {
    /// `a mod n` of whole numbers at run time: `a - n * floor(a / n)`.
    pub(super) fn remainder(&mut self, two: Vec<Expr>, span: Span) -> Option<Expr> {
        if let Some(odd) = two.iter().find(|one| !one.sort.is_whole()) {
            let found = if odd.sort == Sort::Bool { "a condition" } else { "a real number" };
            self.sink().push(errors::wrong_sort(odd.span, "a whole number", found));
            return None;
        }
        let [of, by] = &two[..] else { return None };
        let ratio = self.map(scalar::DIV, vec![of.clone(), by.clone()], span)?;
        let times = self.map(scalar::FLOOR, vec![ratio], span)?;
        let whole = self.map(scalar::MUL, vec![by.clone(), times], span)?;
        let rest = self.map(scalar::SUB, vec![of.clone(), whole], span)?;
        if let ExprKind::Int(radix) = &by.kind
            && self.facts.at_least_zero(&radix.add(-1))
        {
            let sort = Sort::Index { below: radix.clone(), permutation: false };
            return Some(Expr { sort, ..rest });
        }
        Some(rest)
    }

    /// The sort of an array of all these.
    pub(super) fn common_sort(&mut self, all: &[Expr]) -> Option<Sort> {
        let mut sort = all.first().map_or(Sort::Real, |first| first.sort.clone());
        for one in all {
            let Some(joined) = sort.join(&one.sort) else {
                let why = "a number and a condition";
                self.sink().push(errors::wrong_sort(one.span, "all of a kind", why));
                return None;
            };
            sort = joined;
        }
        // Joined with others: no permutation any more.
        if let Sort::Index { permutation, .. } = &mut sort {
            *permutation = false;
        }
        Some(sort)
    }

    /// Whether an expression may stand where this sort is wanted.
    pub(super) fn suits(&mut self, expr: &Expr, sort: &Sort) -> Option<()> {
        let found = match &expr.sort {
            Sort::Bool => "a condition",
            Sort::Real => "a real number",
            Sort::Int | Sort::Index { .. } => "a whole number",
        };
        let wanted = match (sort, &expr.sort) {
            (Sort::Real, Sort::Bool) => "a number".to_owned(),
            (Sort::Bool, Sort::Real | Sort::Int | Sort::Index { .. }) => "a condition".to_owned(),
            (Sort::Int, Sort::Real | Sort::Bool) => "a whole number".to_owned(),
            (Sort::Index { below, .. }, Sort::Real | Sort::Bool) => {
                format!("an index below {}", show::poly(&self.def, below))
            }
            (Sort::Index { below, .. }, Sort::Int | Sort::Index { .. }) => {
                return self.inside_of(expr, &Extent::of(below.clone()));
            }
            (Sort::Real | Sort::Int, _) | (Sort::Bool, Sort::Bool) => return Some(()),
        };
        let mut one = errors::wrong_sort(expr.span, &wanted, found);
        if expr.sort == Sort::Bool && *sort == Sort::Real {
            let edits = self.as_number(expr.span);
            one = one.edits(edits);
        }
        self.sink().push(one);
        None
    }

    /// Whether a whole number provably lies in a range; says so where it does not.
    pub(super) fn inside_of(&mut self, expr: &Expr, extent: &Extent) -> Option<()> {
        for value in reads(expr) {
            // Its equation may still be waiting.
            if matches!(self.def.value(value).kind, ValueKind::Computed(_)) {
                self.ensure(value);
            }
        }
        let low = self.reaches(expr, End::Low, &extent.low, DEPTH);
        let high = self.reaches(expr, End::High, &extent.high(), DEPTH);
        if low && high {
            return Some(());
        }
        let text = self.global.sources.text(expr.span).to_owned();
        let size = show::poly(&self.def, &extent.size);
        let one = errors::whole_outside(expr.span, &text, !low, &size);
        self.sink().push(one);
        None
    }

    /// Whether an expression is provably at least, or at most, a number; `depth` counts the equations
    /// that may still be looked into.
    fn reaches(&self, expr: &Expr, end: End, limit: &Poly, depth: usize) -> bool {
        let each = |one: &Expr| self.reaches(one, end, limit, depth);
        let found = match &expr.kind {
            ExprKind::If(_, yes, no) | ExprKind::Inside(_, yes, no) => each(yes) && each(no),
            ExprKind::List(items) | ExprKind::Cat(items) => items.iter().all(each),
            ExprKind::For(_, body) | ExprKind::Fill(body, _) | ExprKind::Index(body, _) => {
                each(body)
            }
            ExprKind::Reduce { fold, over, body } => {
                matches!(fold, Reduction::Max | Reduction::Min)
                    && over.iter().all(|(_, test)| test.is_none())
                    && each(body)
            }
            ExprKind::Map(scalar, args) => match (*scalar, &args[..], end) {
                (scalar::MAX, _, End::Low) | (scalar::MIN, _, End::High) => args.iter().any(each),
                (scalar::MAX, _, End::High) | (scalar::MIN, _, End::Low) => args.iter().all(each),
                (scalar::STOP, [value], _) | (scalar::CLIP_GRADIENT, [value, _], _) => each(value),
                // The smaller of `high` and the larger of `low` and the value.
                (scalar::CLIP, [value, low, high], End::High) => {
                    each(high) || (each(value) && each(low))
                }
                (scalar::CLIP, [value, low, high], End::Low) => {
                    each(high) && (each(value) || each(low))
                }
                _ => false,
            },
            ExprKind::Read { value, inner, prev: false, .. } if inner.is_empty() && depth > 0 => {
                match &self.def.value(*value).kind {
                    ValueKind::Computed(equation) => {
                        self.reaches(&equation.right, end, limit, depth - 1)
                    }
                    ValueKind::Argument
                    | ValueKind::Param(_)
                    | ValueKind::State(..)
                    | ValueKind::Emission(_) => false,
                }
            }
            ExprKind::Read { .. }
            | ExprKind::Real(_)
            | ExprKind::Int(_)
            | ExprKind::Test(_)
            | ExprKind::Whole(..)
            | ExprKind::Squash(..)
            | ExprKind::OneHot(..)
            | ExprKind::Learned(_)
            | ExprKind::Draw(..)
            | ExprKind::Call(_) => false,
        };
        found || self.bounds(expr, end).iter().any(|bound| self.ordered(limit, bound, end))
    }

    /// `left <= right` for low ends, `left >= right` for high ones, whatever the variables are.
    fn ordered(&self, left: &Poly, right: &Poly, end: End) -> bool {
        let gap = match end {
            End::Low => right.minus(left),
            End::High => left.minus(right),
        };
        self.ranging(&gap).at_least_zero(&gap)
    }

    /// The facts with the ranges of all variables of a number, also of those out of scope.
    fn ranging(&self, number: &Poly) -> Facts {
        let vars = std::cell::RefCell::new(Vec::new());
        number.any(&|atom| {
            if let Atom::Var(var) = atom {
                vars.borrow_mut().push(*var);
            }
            false
        });
        let mut facts = self.facts.clone();
        for VarId(var) in vars.into_inner() {
            if let Some(info) = self.def.vars.get(var as usize) {
                facts.range(VarId(var), info.extent.low.clone(), info.extent.high());
            }
        }
        facts
    }

    /// Numbers that an expression is at least, or at most.
    fn bounds(&self, expr: &Expr, end: End) -> Vec<Poly> {
        let of_sort = || match &expr.sort {
            Sort::Index { below, .. } => vec![match end {
                End::Low => Poly::number(0),
                End::High => below.add(-1),
            }],
            Sort::Real | Sort::Int | Sort::Bool => Vec::new(),
        };
        let mut all = match &expr.kind {
            ExprKind::Int(poly) => vec![poly.clone()],
            ExprKind::Map(scalar, args) => self.bounds_of_map(*scalar, args, end),
            ExprKind::Fill(body, _) | ExprKind::Index(body, _) => self.bounds(body, end),
            ExprKind::If(..)
            | ExprKind::Inside(..)
            | ExprKind::List(_)
            | ExprKind::Cat(_)
            | ExprKind::For(..)
            | ExprKind::Reduce { .. }
            | ExprKind::Real(_)
            | ExprKind::Test(_)
            | ExprKind::Read { .. }
            | ExprKind::Whole(..)
            | ExprKind::Squash(..)
            | ExprKind::OneHot(..)
            | ExprKind::Learned(_)
            | ExprKind::Draw(..)
            | ExprKind::Call(_) => Vec::new(),
        };
        all.extend(of_sort());
        all.truncate(MOST_BOUNDS);
        all
    }

    fn bounds_of_map(&self, scalar: Scalar, args: &[Expr], end: End) -> Vec<Poly> {
        let pairs = |left: Vec<Poly>, right: Vec<Poly>, join: &dyn Fn(&Poly, &Poly) -> Poly| {
            let join = &join;
            left.iter().flat_map(|a| right.iter().map(move |b| join(a, b))).collect()
        };
        match (scalar, args) {
            (scalar::ADD, [a, b]) => pairs(self.bounds(a, end), self.bounds(b, end), &Poly::plus),
            (scalar::SUB, [a, b]) if remainder(a, b).is_some() => {
                let radix = remainder(a, b).unwrap_or_default();
                let positive = self.facts.at_least_zero(&radix.add(-1));
                match end {
                    End::Low if positive => vec![Poly::number(0)],
                    End::High if positive => vec![radix.add(-1)],
                    End::Low | End::High => Vec::new(),
                }
            }
            (scalar::SUB, [a, b]) => {
                pairs(self.bounds(a, end), self.bounds(b, end.other()), &Poly::minus)
            }
            (scalar::NEG, [a]) => {
                let all = self.bounds(a, end.other());
                all.iter().map(|one| one.times(&Poly::number(-1))).collect()
            }
            (scalar::MUL, [a, b]) => match (&a.kind, &b.kind) {
                (ExprKind::Int(by), _) => self.multiples(b, by, end),
                (_, ExprKind::Int(by)) => self.multiples(a, by, end),
                _ => Vec::new(),
            },
            (scalar::ABS, [_]) if end == End::Low => vec![Poly::number(0)],
            (scalar::MAX, [a, b]) if end == End::Low => self.either(a, b, end),
            (scalar::MIN, [a, b]) if end == End::High => self.either(a, b, end),
            (scalar::CLIP, [_, _, high]) if end == End::High => self.bounds(high, end),
            _ => Vec::new(),
        }
    }

    fn either(&self, a: &Expr, b: &Expr, end: End) -> Vec<Poly> {
        let mut all = self.bounds(a, end);
        all.extend(self.bounds(b, end));
        all
    }

    fn multiples(&self, of: &Expr, by: &Poly, end: End) -> Vec<Poly> {
        let minus = by.times(&Poly::number(-1));
        let end = if self.facts.at_least_zero(by) {
            end
        } else if self.facts.at_least_zero(&minus) {
            end.other()
        } else {
            return Vec::new();
        };
        self.bounds(of, end).iter().map(|one| one.times(by)).collect()
    }
}

/// The n of `a - n * floor(a / n)`, which is `a mod n`.
fn remainder(a: &Expr, b: &Expr) -> Option<Poly> {
    let ExprKind::Map(scalar::MUL, two) = &b.kind else { return None };
    let [Expr { kind: ExprKind::Int(radix), .. }, floor] = &two[..] else { return None };
    let ExprKind::Map(scalar::FLOOR, one) = &floor.kind else { return None };
    let ExprKind::Map(scalar::DIV, ratio) = &one[0].kind else { return None };
    let same = matches!(&ratio[1].kind, ExprKind::Int(by) if by == radix);
    (same && a.span == ratio[0].span).then(|| radix.clone())
}

/// The values that an expression is made of by arithmetic.
fn reads(expr: &Expr) -> Vec<ValueId> {
    match &expr.kind {
        ExprKind::Read { value, inner, prev: false, .. } if inner.is_empty() => vec![*value],
        ExprKind::Map(_, all) | ExprKind::List(all) | ExprKind::Cat(all) => {
            all.iter().flat_map(reads).collect()
        }
        ExprKind::If(_, yes, no) | ExprKind::Inside(_, yes, no) => {
            [yes, no].into_iter().flat_map(|one| reads(one)).collect()
        }
        ExprKind::For(_, body)
        | ExprKind::Fill(body, _)
        | ExprKind::Index(body, _)
        | ExprKind::Reduce { body, .. } => reads(body),
        ExprKind::Read { .. }
        | ExprKind::Real(_)
        | ExprKind::Int(_)
        | ExprKind::Test(_)
        | ExprKind::Whole(..)
        | ExprKind::Squash(..)
        | ExprKind::OneHot(..)
        | ExprKind::Learned(_)
        | ExprKind::Draw(..)
        | ExprKind::Call(_) => Vec::new(),
    }
}
