//! Expressions become terms: one number for given indices.
//!
//! An expression with axes is never built as an array; it is asked for the entry at given places. Only
//! what must be whole (values, arguments that are more than reads) becomes an equation of its own.

use super::super::errors;
use super::super::flat::{self, Array, At, Axis, Fold, Linear, Rel, Term};
use super::super::int::{Test, VarId};
use super::super::typed::{Domain, Expr, ExprKind, Extent, Reduction, Whole};
use super::conditions::Arms;
use super::frames::bare;
use super::{Cx, Engine, shifted};
use crate::op::scalar::{ADD, DIV, EQ, MUL, NEG, SELECT, SIGMOID, SOFTPLUS, SQRT, SUB, TANH};

impl Engine<'_> {
    /// The entry of an expression at `idx`, one index for each of its axes, counted as its axes are.
    pub(super) fn term(&mut self, cx: &Cx, expr: &Expr, idx: &[At]) -> Term {
        match &expr.kind {
            ExprKind::Real(value) => Term::Real(*value),
            ExprKind::Int(poly) => match self.at(cx, poly) {
                At::Linear(linear) => match linear.as_constant() {
                    Some(value) => Term::Real(value as f64),
                    None => Term::Position(linear),
                },
                At::Value(term) => *term,
                At::Digit { .. } => {
                    let fixed = Self::fixed(cx);
                    let poly = self.frames[cx.frame.0].reduced(poly, &fixed);
                    self.number_term(cx, &poly)
                }
            },
            ExprKind::Test(test) => {
                let arms = self.arms(cx, test);
                self.choose(arms, &mut |_| Term::Truth(true), &mut |_| Term::Truth(false))
            }
            ExprKind::Read { value, inner, prev, part, at } => {
                let mut all: Vec<At> = at.iter().map(|one| self.index(cx, one)).collect();
                all.extend(idx.iter().cloned());
                self.read(cx, *value, inner, *prev, *part, &all)
            }
            ExprKind::Index(base, at) => {
                let mut all: Vec<At> = at.iter().map(|one| self.index(cx, one)).collect();
                all.extend(idx.iter().cloned());
                self.term(cx, base, &all)
            }
            ExprKind::Inside(test, base, other) => {
                let arms = self.arms(cx, test);
                self.choose(arms, &mut |e| e.term(cx, base, idx), &mut |e| {
                    e.term_or_number(cx, other, idx)
                })
            }
            ExprKind::Map(scalar, args) => {
                let args: Vec<Term> =
                    args.iter().map(|arg| self.term_or_number(cx, arg, idx)).collect();
                match args[..] {
                    // A sign before a number given from outside is part of the number.
                    [Term::Real(value)] if *scalar == NEG => Term::Real(-value),
                    _ => Term::Map(*scalar, args),
                }
            }
            ExprKind::If(test, yes, no) => self.branch(cx, test, yes, no, idx),
            ExprKind::Reduce { fold, over, body } => self.fold(cx, *fold, over, body, idx),
            ExprKind::For(vars, body) => {
                let mut inner = cx.clone();
                for (var, at) in vars.iter().zip(idx) {
                    inner.env.insert(*var, at.clone());
                }
                self.term(&inner, body, &idx[vars.len()..])
            }
            ExprKind::List(items) => {
                let (first, rest) = match idx.split_first() {
                    Some((first, rest)) => (first.clone(), rest),
                    None => (ZERO, idx),
                };
                self.pick(&first, items.len(), &mut |e, at| e.term(cx, &items[at], rest))
            }
            ExprKind::Cat(items) => self.cat(cx, items, &idx[0]),
            ExprKind::Whole(whole, arg) => self.whole(cx, whole, arg, idx),
            ExprKind::Squash(domain, arg) => {
                let (cx, arg) = (cx.clone(), (**arg).clone());
                let shape = arg.shape.clone();
                self.squash(&cx.clone(), domain, &shape, idx, &mut |e, idx| e.term(&cx, &arg, idx))
            }
            ExprKind::Fill(value, _) => self.term(cx, value, &[]),
            ExprKind::OneHot(place, _) => {
                let at = idx.last().cloned().unwrap_or(ZERO);
                let place = self.at(cx, place);
                let arms = self.equal(&at, &place);
                self.choose(arms, &mut |_| Term::Real(1.0), &mut |_| Term::Real(0.0))
            }
            ExprKind::Learned(domain) => self.learned(cx, domain, &expr.shape, idx),
            ExprKind::Draw(..) => self.error(errors::draw_inside(expr.span)),
            ExprKind::Call(call) => {
                let (frame, mut all) = self.call_frame(cx, call);
                let result = self.frames[frame.0].def.result;
                let low = self.lows(frame, result);
                all.extend(idx.iter().zip(low).map(|(at, low)| shifted(at.clone(), -low)));
                let value = self.value(frame, result, &super::Members::new());
                Term::Read(value, all)
            }
        }
    }

    /// The entry at `idx`, or the number itself where the expression is a single one.
    fn term_or_number(&mut self, cx: &Cx, expr: &Expr, idx: &[At]) -> Term {
        if expr.shape.is_empty() { self.term(cx, expr, &[]) } else { self.term(cx, expr, idx) }
    }

    /// An index expression as a place.
    pub(super) fn index(&mut self, cx: &Cx, expr: &Expr) -> At {
        if let ExprKind::Int(poly) = &expr.kind {
            return self.at(cx, poly);
        }
        At::Value(Box::new(self.term(cx, expr, &[])))
    }

    fn branch(&mut self, cx: &Cx, test: &Expr, yes: &Expr, no: &Expr, idx: &[At]) -> Term {
        if let ExprKind::Test(test) = &test.kind {
            let arms = self.arms(cx, test);
            return self.choose(arms, &mut |e| e.term_or_number(cx, yes, idx), &mut |e| {
                e.term_or_number(cx, no, idx)
            });
        }
        let test = self.term(cx, test, &[]);
        if let Term::Truth(holds) = test {
            return self.term_or_number(cx, if holds { yes } else { no }, idx);
        }
        let yes = self.term_or_number(cx, yes, idx);
        let no = self.term_or_number(cx, no, idx);
        Term::Map(SELECT, vec![test, yes, no])
    }

    /// Binds the variables of a reduction to fresh axes.
    fn fold(
        &mut self,
        cx: &Cx,
        fold: Reduction,
        over: &[(VarId, Option<Test>)],
        body: &Expr,
        idx: &[At],
    ) -> Term {
        let mut inner = cx.clone();
        let mut axes = Vec::new();
        let mut arms = Arms { yes: vec![Vec::new()], no: Vec::new() };
        let mut ranged = false;
        for (var, test) in over {
            let axis = self.bind(&mut inner, *var);
            axes.push(axis);
            if let Some(test) = test {
                let more = self.arms(&inner, test);
                ranged = true;
                let Arms { yes, .. } = more;
                arms.yes = arms
                    .yes
                    .iter()
                    .flat_map(|a| yes.iter().map(move |b| a.iter().chain(b).cloned().collect()))
                    .collect();
            }
        }
        let kind = match fold {
            Reduction::Sum | Reduction::Mean => Fold::Sum,
            Reduction::Prod => Fold::Prod,
            Reduction::Max => Fold::Max,
            Reduction::Min => Fold::Min,
        };
        if arms.yes.is_empty() {
            // No point is left: the value that changes nothing.
            return Term::Real(match kind {
                Fold::Sum => 0.0,
                Fold::Prod => 1.0,
                Fold::Max => f64::NEG_INFINITY,
                Fold::Min => f64::INFINITY,
            });
        }
        let term = self.term(&inner, body, idx);
        let one = |when: Vec<flat::Cond>, axes: &[Axis], term: &Term| {
            self.scattered(kind, axes.to_vec(), when, term.clone())
        };
        let join = match kind {
            Fold::Sum => ADD,
            Fold::Prod => MUL,
            Fold::Max => crate::op::scalar::MAX,
            Fold::Min => crate::op::scalar::MIN,
        };
        // Disjoint conditions: the parts combine to the whole.
        let combined = |term: &Term| {
            let parts = arms.yes.iter().map(|when| one(when.clone(), &axes, term));
            parts.reduce(|all, part| Term::Map(join, vec![all, part])).unwrap_or(Term::Real(0.0))
        };
        let sum = combined(&term);
        if fold != Reduction::Mean {
            return sum;
        }
        let count = if ranged {
            combined(&Term::Real(1.0))
        } else {
            Term::Real(axes.iter().map(|axis| f64::from(axis.size)).product())
        };
        Term::Map(DIV, vec![sum, count])
    }

    /// A fresh axis for an index variable, which stands for it from then on.
    pub(super) fn bind(&mut self, cx: &mut Cx, var: VarId) -> Axis {
        let fixed = Self::fixed(cx);
        let info = self.frames[cx.frame.0].def.var(var).clone();
        let mut axis = self.axes(cx.frame, std::slice::from_ref(&info.extent), &fixed).remove(0);
        if !info.name.is_empty() {
            axis.name = info.name;
        }
        let low = self.number(cx.frame, &info.extent.low, &fixed);
        let at = Linear::var(axis.var).plus(&Linear::constant(low));
        cx.env.insert(var, At::Linear(at));
        axis
    }

    /// One of several terms by a place.
    pub(super) fn pick(
        &mut self,
        at: &At,
        count: usize,
        term: &mut dyn FnMut(&mut Self, usize) -> Term,
    ) -> Term {
        match at {
            At::Linear(linear) if linear.as_constant().is_some() => {
                let place = linear.as_constant().unwrap_or(0).clamp(0, count as i64 - 1);
                term(self, place as usize)
            }
            At::Linear(_) | At::Digit { .. } => self.pick_between(at, (0, count), term),
            At::Value(value) => {
                let last = term(self, count - 1);
                (0..count - 1).rev().fold(last, |rest, place| {
                    let same = Term::Map(EQ, vec![(**value).clone(), Term::Real(place as f64)]);
                    Term::Map(SELECT, vec![same, term(self, place), rest])
                })
            }
        }
    }

    /// One of the terms from a first to before a last; many are chosen in two halves.
    fn pick_between(
        &mut self,
        at: &At,
        (from, to): (usize, usize),
        term: &mut dyn FnMut(&mut Self, usize) -> Term,
    ) -> Term {
        if to - from == 1 {
            return term(self, from);
        }
        let arm = |rel, place: usize| {
            let right = Linear::constant(place as i64);
            vec![flat::Cond { left: at.clone(), rel, right }]
        };
        if to - from > MOST_ARMS {
            let middle = usize::midpoint(from, to);
            let low = self.pick_between(at, (from, middle), term);
            let high = self.pick_between(at, (middle, to), term);
            return Term::Choose(vec![(arm(Rel::Lt, middle), low), (arm(Rel::Ge, middle), high)]);
        }
        Term::Choose((from..to).map(|place| (arm(Rel::Eq, place), term(self, place))).collect())
    }

    /// Whether two places are the same.
    pub(super) fn equal(&mut self, at: &At, place: &At) -> Arms {
        let right = match place {
            At::Linear(linear) => linear.clone(),
            At::Digit { .. } | At::Value(_) => Linear::default(),
        };
        if let At::Linear(linear) = at
            && let Some(gap) = linear.plus(&right.times(-1)).as_constant()
        {
            let all = vec![Vec::new()];
            return if gap == 0 {
                Arms { yes: all, no: Vec::new() }
            } else {
                Arms { yes: Vec::new(), no: all }
            };
        }
        let one = |rel| vec![vec![flat::Cond { left: at.clone(), rel, right: right.clone() }]];
        Arms { yes: one(Rel::Eq), no: one(Rel::Ne) }
    }

    /// The piece of a joined vector that holds a place.
    fn cat(&mut self, cx: &Cx, items: &[Expr], at: &At) -> Term {
        let At::Linear(at) = at.clone() else {
            // A digit or computed place into a joined vector: give it a name and read that.
            return self.error(errors::not_affine(items[0].span));
        };
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        let mut offset = 0;
        let all: Vec<_> = items.iter().map(|item| self.members_of(cx, item)).collect();
        for (cx, item) in all.into_iter().flatten() {
            let fixed = Self::fixed(&cx);
            let sizes: Vec<i64> =
                item.shape.iter().map(|axis| self.number(cx.frame, &axis.size, &fixed)).collect();
            let count: i64 = sizes.iter().product();
            if count > 0 {
                pieces.push((offset, count, cx, item, sizes));
            }
            offset += count;
        }
        if let Some(place) = at.as_constant() {
            let found =
                pieces.iter().find(|(from, count, ..)| (*from..from + count).contains(&place));
            return match found {
                Some((from, _, cx, item, sizes)) => {
                    self.piece(cx, item, sizes, &Linear::constant(place - from))
                }
                None => Term::Real(0.0),
            };
        }
        self.joined(&at, &pieces)
    }

    /// The piece that holds a place, by intervals; many are chosen in two halves.
    fn joined(&mut self, at: &Linear, pieces: &[Piece<'_>]) -> Term {
        let limit = |rel, bound| flat::Cond {
            left: At::Linear(at.clone()),
            rel,
            right: Linear::constant(bound),
        };
        match pieces {
            [] => Term::Real(0.0),
            [(from, _, cx, item, sizes)] => {
                self.piece(cx, item, sizes, &at.plus(&Linear::constant(-from)))
            }
            _ if pieces.len() > MOST_ARMS => {
                let (low, high) = pieces.split_at(pieces.len() / 2);
                let middle = high[0].0;
                let (low, high) = (self.joined(at, low), self.joined(at, high));
                let below = (vec![limit(Rel::Lt, middle)], low);
                Term::Choose(vec![below, (vec![limit(Rel::Ge, middle)], high)])
            }
            _ => {
                let last = pieces.len() - 1;
                let mut arms = Vec::new();
                for (k, (from, count, cx, item, sizes)) in pieces.iter().enumerate() {
                    let mut when = Vec::new();
                    if k > 0 {
                        when.push(limit(Rel::Ge, *from));
                    }
                    if k < last {
                        when.push(limit(Rel::Lt, from + count));
                    }
                    let local = at.plus(&Linear::constant(-from));
                    arms.push((when, self.piece(cx, item, sizes, &local)));
                }
                Term::Choose(arms)
            }
        }
    }

    /// What is joined: an array, or the members of a family one by one where they differ in shape.
    fn members_of<'e>(&mut self, cx: &Cx, item: &'e Expr) -> Vec<(Cx, &'e Expr)> {
        if let (ExprKind::For(vars, body), [first, rest @ ..]) = (&item.kind, &item.shape[..])
            && rest.iter().any(|axis| axis.size.mentions(vars[0]))
        {
            let count = self.number(cx.frame, &first.size, &Self::fixed(cx));
            let low = self.number(cx.frame, &first.low, &Self::fixed(cx));
            if count > super::MOST_MEMBERS {
                let text = format!("{count} members joined one by one");
                self.sink.push(errors::too_large(item.span, "the family", &text));
                return Vec::new();
            }
            return (low..low + count)
                .map(|member| {
                    let mut inner = cx.clone();
                    inner.env.insert(vars[0], At::Linear(Linear::constant(member)));
                    (inner, &**body)
                })
                .collect();
        }
        vec![(cx.clone(), item)]
    }

    /// An entry of a flattened array.
    fn piece(&mut self, cx: &Cx, item: &Expr, sizes: &[i64], at: &Linear) -> Term {
        let lows: Vec<i64> = {
            let fixed = Self::fixed(cx);
            item.shape.iter().map(|axis| self.number(cx.frame, &axis.low, &fixed)).collect()
        };
        if sizes.len() <= 1 {
            let idx: Vec<At> =
                lows.iter().map(|low| At::Linear(at.plus(&Linear::constant(*low)))).collect();
            return self.term(cx, item, &idx);
        }
        let mut step: i64 = sizes.iter().product();
        let mut idx = Vec::new();
        for size in sizes {
            step /= size;
            idx.push(match at.as_constant() {
                Some(place) => At::Linear(Linear::constant(place / step % size)),
                None => At::Digit { of: at.clone(), step: step as u32, radix: *size as u32 },
            });
        }
        // Digits can only be read from arrays that start at 0; anything else is built first.
        if is_read(item) && lows.iter().all(|low| *low == 0) {
            return self.term(cx, item, &idx);
        }
        let whole = self.whole_array(cx, item, "joined");
        Term::Read(whole.0, whole.1.into_iter().chain(idx).collect())
    }

    /// An expression built as a value of its own: the array and the indices for its outer axes.
    pub(super) fn whole_array(&mut self, cx: &Cx, expr: &Expr, name: &str) -> (Array, Vec<At>) {
        let mut vars = Vec::new();
        super::frames::vars_in(expr, &mut vars);
        let fixed = Self::fixed(cx);
        let mut inner = cx.clone();
        let mut axes = Vec::new();
        let mut indices = cx.outer.clone();
        let outer = self.frames[cx.frame.0].outer.clone();
        inner.outer.clear();
        for one in &outer {
            let mut axis = one.axis.clone();
            axis.var = self.fresh();
            inner.outer.push(At::var(axis.var));
            axes.push(axis);
        }
        vars.sort();
        vars.dedup();
        for var in vars {
            let Some(at) = cx.env.get(&var).cloned() else { continue };
            if fixed.contains_key(&var) {
                continue;
            }
            let low = self.frames[cx.frame.0].def.var(var).extent.low.clone();
            let low = self.number(cx.frame, &low, &fixed);
            indices.push(shifted(at, -low));
            axes.push(self.bind(&mut inner, var));
        }
        let own = self.axes(cx.frame, &expr.shape, &fixed);
        let idx = self.natural(cx, &expr.shape, &own);
        let right = self.term(&inner, expr, &idx);
        axes.extend(own);
        let mut path = self.frames[cx.frame.0].path.clone();
        super::frames::join(&mut path, name);
        let sort = self.sort(cx.frame, &expr.sort);
        let count = self.model.values.len() + self.model.start_values.len();
        let path = format!("{path}.{count}");
        let value = self.push(flat::Value { path, axes, sort, right, span: expr.span });
        (Array::Value(value), indices)
    }

    /// The places of fresh axes in the counting of a shape.
    pub(super) fn natural(&mut self, cx: &Cx, shape: &[Extent], axes: &[Axis]) -> Vec<At> {
        let fixed = Self::fixed(cx);
        let places = shape.iter().zip(axes).map(|(extent, axis)| {
            let low = self.number(cx.frame, &extent.low, &fixed);
            shifted(bare(axis), low)
        });
        places.collect()
    }

    /// A function of a whole array.
    fn whole(&mut self, cx: &Cx, whole: &Whole, arg: &Expr, idx: &[At]) -> Term {
        let fixed = Self::fixed(cx);
        let over = self.axes(cx.frame, &arg.shape, &fixed);
        let places = self.natural(cx, &arg.shape, &over);
        let body = Box::new(self.term(cx, arg, &places));
        let lows: Vec<i64> =
            arg.shape.iter().map(|axis| self.number(cx.frame, &axis.low, &fixed)).collect();
        let moved =
            |idx: &[At]| idx.iter().zip(&lows).map(|(at, low)| shifted(at.clone(), -low)).collect();
        let function = match whole {
            Whole::Norm => {
                let square = Term::Map(MUL, vec![(*body).clone(), *body]);
                let sum =
                    Term::Fold { fold: Fold::Sum, over, when: Vec::new(), body: Box::new(square) };
                return Term::Map(SQRT, vec![sum]);
            }
            Whole::Softmax => {
                return Term::Whole { function: flat::Whole::Softmax, over, body, at: moved(idx) };
            }
            Whole::Rank => {
                return Term::Whole { function: flat::Whole::Rank, over, body, at: moved(idx) };
            }
            Whole::Argsort => flat::Whole::Argsort,
            Whole::Top(count) => {
                let k = self.number(cx.frame, count, &fixed);
                flat::Whole::Top { k: k.max(0) as u32 }
            }
        };
        Term::Whole { function, over, body, at: idx.to_vec() }
    }

    /// The squash of a domain at one place of an array.
    pub(super) fn squash(
        &mut self,
        cx: &Cx,
        domain: &Domain,
        shape: &[Extent],
        idx: &[At],
        raw: &mut dyn FnMut(&mut Self, &[At]) -> Term,
    ) -> Term {
        let number = Term::Real;
        match domain {
            Domain::Real(None, None) | Domain::Weighting => raw(self, idx),
            Domain::Real(Some(low), Some(high)) => {
                let inner = raw(self, idx);
                match (*low, *high) {
                    (-1.0, 1.0) => Term::Map(TANH, vec![inner]),
                    (0.0, 1.0) => Term::Map(SIGMOID, vec![inner]),
                    (low, high) => {
                        let gate = Term::Map(SIGMOID, vec![inner]);
                        let part = Term::Map(MUL, vec![number(high - low), gate]);
                        Term::Map(ADD, vec![number(low), part])
                    }
                }
            }
            Domain::Real(Some(low), None) => {
                let soft = Term::Map(SOFTPLUS, vec![raw(self, idx)]);
                if *low == 0.0 { soft } else { Term::Map(ADD, vec![number(*low), soft]) }
            }
            Domain::Real(None, Some(high)) => {
                let soft = Term::Map(SOFTPLUS, vec![raw(self, idx)]);
                Term::Map(SUB, vec![number(*high), soft])
            }
            Domain::Simplex | Domain::Sphere => {
                let Some((last, before)) = shape.split_last() else { return raw(self, idx) };
                let fixed = Self::fixed(cx);
                let axis = self.axes(cx.frame, std::slice::from_ref(last), &fixed);
                let place = self.natural(cx, std::slice::from_ref(last), &axis);
                let mut places = idx[..before.len()].to_vec();
                places.extend(place);
                let body = Box::new(raw(self, &places));
                let low = self.number(cx.frame, &last.low, &fixed);
                let at = shifted(idx[before.len()].clone(), -low);
                if *domain == Domain::Simplex {
                    let function = flat::Whole::Softmax;
                    return Term::Whole { function, over: axis, body, at: vec![at] };
                }
                let square = Term::Map(MUL, vec![(*body).clone(), *body]);
                let sum = Term::Fold {
                    fold: Fold::Sum,
                    over: axis,
                    when: Vec::new(),
                    body: Box::new(square),
                };
                let inner = raw(self, idx);
                Term::Map(DIV, vec![inner, Term::Map(SQRT, vec![sum])])
            }
        }
    }

    /// The first index of each of a value's own axes.
    pub(super) fn lows(&mut self, frame: super::FrameId, value: super::ValueId) -> Vec<i64> {
        let shape = self.frames[frame.0].def.value(value).shape.clone();
        shape.iter().map(|axis| self.number(frame, &axis.low, &super::Members::new())).collect()
    }
}

/// The most arms of one choice; a node of the graph reads at most 255 operands.
const MOST_ARMS: usize = 100;

/// A piece of a joined vector: where it begins, how many entries it has, and what it is.
type Piece<'e> = (i64, i64, Cx, &'e Expr, Vec<i64>);

const ZERO: At = At::Linear(Linear { offset: 0, terms: Vec::new() });

/// Whether an expression only reads entries, so that asking for it twice costs nothing.
pub(super) fn is_read(expr: &Expr) -> bool {
    let plain = |kind: &ExprKind| {
        matches!(kind, ExprKind::Read { .. } | ExprKind::Real(_) | ExprKind::Int(_))
    };
    let gathered = matches!(&expr.kind, ExprKind::For(_, body) if plain(&body.kind));
    plain(&expr.kind) || gathered
}
