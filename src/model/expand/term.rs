//! Terms become expressions: places become indices, conditions become guards and limits.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::super::flat::{Array, At, Axis, Cond, Fold, Linear, Rel, Term, Var, Whole};
use super::Writer;
use super::cat::{Piece, each_at, joined, substitute};
use super::fold::{WHOLE, remainder};
use super::infer::{Found, infer};
use super::limit::negated;
use super::names::mangled;
use super::tree::{binary, binder, call, choice, expr, indexed, real, unary, whole, word};
use crate::op::scalar::{self, Scalar};
use crate::syntax::ast::{BinaryOp, Binder, Expr, ExprKind, UnaryOp};

/// The expressions of one equation.
pub(super) struct Scope<'w, 'm> {
    writer: &'w Writer<'m>,
    /// Whether `Array::Value` means a helper of the first states, which is written out.
    starting: bool,
    /// Variables of which the `if`s around a term already say something.
    guarded: Vec<Var>,
    names: BTreeMap<Var, String>,
    pub(super) sizes: BTreeMap<Var, u32>,
    used: BTreeSet<String>,
    /// Whether whole numbers stay whole: what is written is an `int` or an index.
    pub(super) whole: bool,
    /// Variables of our own count down from the last.
    next: u32,
}

impl<'w, 'm> Scope<'w, 'm> {
    pub(super) fn new(writer: &'w Writer<'m>, starting: bool) -> Scope<'w, 'm> {
        Scope {
            writer,
            starting,
            guarded: Vec::new(),
            names: BTreeMap::new(),
            sizes: BTreeMap::new(),
            used: writer.used.clone(),
            whole: false,
            next: u32::MAX,
        }
    }

    /// Enters an axis; the same variable keeps its name.
    pub(super) fn enter(&mut self, axis: &Axis) -> String {
        self.sizes.insert(axis.var, axis.size);
        if let Some(name) = self.names.get(&axis.var) {
            return name.clone();
        }
        let base = if axis.name.is_empty() { "i" } else { &axis.name };
        let name = mangled(base, &mut self.used);
        self.names.insert(axis.var, name.clone());
        name
    }

    fn own_axis(&mut self, size: u32) -> Axis {
        self.next -= 1;
        Axis { var: Var(self.next), name: String::new(), dim: String::new(), size }
    }

    /// The smallest and the largest value of a place.
    fn range(&self, of: &Linear) -> (i64, i64) {
        of.terms.iter().fold((of.offset, of.offset), |(low, high), (var, by)| {
            let far = by * (i64::from(self.sizes.get(var).copied().unwrap_or(1)) - 1);
            (low + far.min(0), high + far.max(0))
        })
    }

    /// What an index word is inferred to run over.
    pub(super) fn inferred(&self, name: &str, trees: &[&Expr]) -> Found {
        infer(name, trees, &self.writer.shapes)
    }

    pub(super) fn term(&mut self, term: &Term) -> Expr {
        match term {
            Term::Real(value) if self.whole && value.fract() == 0.0 && value.abs() < WHOLE => {
                whole(*value as i64)
            }
            Term::Real(value) => real(*value),
            Term::Truth(value) => word(if *value { "true" } else { "false" }),
            Term::Position(of) => self.linear(of),
            Term::Read(array, at) => self.read(*array, at),
            Term::Map(scalar, all) => self.map(*scalar, all),
            Term::Fold { fold, over, when, body } => {
                // What changes nothing stands in for the points that do not count.
                let neutral = match fold {
                    Fold::Sum => 0.0,
                    Fold::Prod => 1.0,
                    Fold::Max => f64::MIN,
                    Fold::Min => f64::MAX,
                };
                self.fold(*fold, over, when, body, neutral)
            }
            Term::Choose(arms) => self.choose(term, arms),
            Term::Whole { function, over, body, at } => {
                let after = at.iter().map(|at| self.at(at)).collect();
                self.whole(*function, over, body, after)
            }
        }
    }

    // ---- whole arrays -------------------------------------------------------------------------

    /// The entries of an array as an expression over the last of its axes, and how many those are.
    pub(super) fn rows(&mut self, axes: &[Axis], term: &Term) -> (usize, Expr) {
        for axis in axes {
            self.enter(axis);
        }
        let bare = |at: &[At]| {
            let pairs = at.iter().rev().zip(axes.iter().rev());
            pairs.take_while(|(at, axis)| **at == At::var(axis.var)).count()
        };
        match term {
            Term::Read(array, at) if !(self.starting && matches!(array, Array::Value(_))) => {
                let shape = self.shape(*array);
                let sizes = axes.iter().rev().zip(shape.iter().rev());
                let same = sizes.take_while(|(axis, size)| axis.size == **size).count();
                let count = bare(at).min(same);
                let (lead, tail) = at.split_at(at.len() - count);
                let free = |tail: &At| match tail {
                    At::Linear(of) => of
                        .as_var()
                        .is_some_and(|var| !mentions(&Term::Read(*array, lead.to_vec()), var)),
                    At::Digit { .. } | At::Value(_) => false,
                };
                if count > 0 && tail.iter().all(free) {
                    return (count, self.read(*array, lead));
                }
            }
            Term::Whole { function, over, body, at } => {
                let count = at.len();
                let tail = &axes[axes.len() - count.min(axes.len())..];
                let free = tail.iter().all(|axis| !mentions(body, axis.var));
                if bare(at) == count && free {
                    return (count, self.whole(*function, over, body, Vec::new()));
                }
            }
            Term::Choose(_) => {
                if let Some((at, pieces)) = self.joined(term)
                    && let Some(last) = axes.last()
                    && at == Linear::var(last.var)
                    && pieces.last().is_some_and(|piece| piece.to == i64::from(last.size))
                    && let Some(expr) = self.cat(&at, &pieces, Vec::new())
                {
                    return (1, expr);
                }
            }
            Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Read(..)
            | Term::Map(..)
            | Term::Fold { .. } => {}
        }
        (0, self.term(term))
    }

    /// `for i, j: body`, or less where the body is itself an array.
    pub(super) fn array(&mut self, axes: &[Axis], term: &Term) -> Expr {
        let (rows, body) = self.rows(axes, term);
        self.over(&axes[..axes.len() - rows], body)
    }

    /// `for` in front of an expression.
    pub(super) fn over(&mut self, axes: &[Axis], body: Expr) -> Expr {
        if axes.is_empty() {
            return body;
        }
        let binders: Vec<Binder> =
            axes.iter().map(|axis| self.plain_binder(axis, &[&body])).collect();
        expr(ExprKind::For(binders, Box::new(body)))
    }

    /// A binder, with its range where that cannot be seen.
    fn plain_binder(&mut self, axis: &Axis, trees: &[&Expr]) -> Binder {
        let name = self.enter(axis);
        let seen = self.inferred(&name, trees) == Found::Size(axis.size);
        binder(&name, (!seen).then_some(axis.size))
    }

    fn whole(&mut self, function: Whole, over: &[Axis], body: &Term, after: Vec<Expr>) -> Expr {
        let given = vec![self.array(over, body)];
        let (name, dims) = match function {
            Whole::Softmax => ("softmax", Vec::new()),
            Whole::Argsort => ("argsort", Vec::new()),
            Whole::Rank => ("rank", Vec::new()),
            Whole::Top { k } => ("top", vec![whole(i64::from(k))]),
        };
        call(name, dims, given, after)
    }

    // ---- reads --------------------------------------------------------------------------------

    fn shape(&self, array: Array) -> Vec<u32> {
        let model = self.writer.model;
        let axes = match array {
            Array::Input(at) => &model.inputs[at as usize].axes,
            Array::Param(at) => &model.params[at as usize].axes,
            Array::Prev(at) => &model.states[at as usize].axes,
            Array::Value(at) if self.starting => &model.start_values[at as usize].axes,
            Array::Value(at) => &model.values[at as usize].axes,
        };
        axes.iter().map(|axis| axis.size).collect()
    }

    fn read(&mut self, array: Array, at: &[At]) -> Expr {
        if let (Array::Value(value), true) = (array, self.starting) {
            return self.helper(value, at);
        }
        let shape = self.shape(array);
        if let Some((lead, of)) = flattened(at, &shape) {
            let row = self.read(array, &at[..lead]);
            let place = self.linear(&of);
            return call("cat", Vec::new(), vec![row], vec![place]);
        }
        let digit = at.iter().position(|at| matches!(at, At::Digit { step, .. } if *step > 1));
        if let Some(place) = digit
            && let At::Digit { radix, .. } = at[place]
        {
            return self.member(array, at, place, radix);
        }
        let name = self.writer.name(array).to_owned();
        let indices = at.iter().map(|at| self.at(at)).collect();
        let found = indexed(&name, indices);
        match array {
            Array::Prev(_) => expr(ExprKind::Prev(found)),
            Array::Input(_) | Array::Param(_) | Array::Value(_) => expr(ExprKind::Ref(found)),
        }
    }

    /// A read at a digit that no index says: one case for each of its values.
    fn member(&mut self, array: Array, at: &[At], place: usize, radix: u32) -> Expr {
        let mut cases: Vec<Expr> = (0..i64::from(radix))
            .map(|value| {
                let mut at = at.to_vec();
                at[place] = At::Linear(Linear::constant(value));
                self.read(array, &at)
            })
            .collect();
        let Some(mut rest) = cases.pop() else { return real(0.0) };
        for (value, case) in cases.into_iter().enumerate().rev() {
            let right = Linear::constant(value as i64);
            let test = self.cond(&Cond { left: at[place].clone(), rel: Rel::Eq, right });
            rest = choice(test, case, rest);
        }
        rest
    }

    /// A helper of the first states, written where it is read.
    fn helper(&mut self, value: u32, at: &[At]) -> Expr {
        let value = &self.writer.model.start_values[value as usize];
        let place = |var: Var| value.axes.iter().position(|axis| axis.var == var);
        let odd = each_at(&value.right, &|one| match one {
            At::Linear(of) => match of.as_var().and_then(place).map(|place| &at[place]) {
                Some(other @ (At::Digit { .. } | At::Value(_))) => Some(other.clone()),
                Some(At::Linear(_)) | None => None,
            },
            At::Digit { .. } | At::Value(_) => None,
        });
        let term = substitute(&odd, &|var| match place(var).map(|place| &at[place]) {
            Some(At::Linear(of)) => of.clone(),
            Some(At::Digit { .. } | At::Value(_)) | None => Linear::var(var),
        });
        self.term(&term)
    }

    // ---- places and conditions ----------------------------------------------------------------

    fn at(&mut self, at: &At) -> Expr {
        match at {
            At::Linear(of) => self.linear(of),
            At::Digit { of, radix, .. } => {
                let of = self.linear(of);
                binary(BinaryOp::Mod, of, whole(i64::from(*radix)))
            }
            At::Value(term) => {
                let around = std::mem::replace(&mut self.whole, true);
                let place = self.term(term);
                self.whole = around;
                place
            }
        }
    }

    pub(super) fn linear(&mut self, of: &Linear) -> Expr {
        let mut terms = of.terms.clone();
        terms.sort_by_key(|(_, by)| *by < 0);
        let mut sum: Option<Expr> = None;
        for (var, by) in terms {
            let name = word(self.names.get(&var).map_or("i", String::as_str));
            let size = if sum.is_some() { by.abs() } else { by };
            let term = match size {
                1 => name,
                -1 => unary(UnaryOp::Neg, name),
                size => binary(BinaryOp::Mul, whole(size), name),
            };
            sum = Some(match sum {
                None => term,
                Some(left) => {
                    binary(if by < 0 { BinaryOp::Sub } else { BinaryOp::Add }, left, term)
                }
            });
        }
        match (sum, of.offset) {
            (None, offset) => whole(offset),
            (Some(sum), 0) => sum,
            (Some(sum), offset) if offset < 0 => binary(BinaryOp::Sub, sum, whole(-offset)),
            (Some(sum), offset) => binary(BinaryOp::Add, sum, whole(offset)),
        }
    }

    fn cond(&mut self, cond: &Cond) -> Expr {
        if let At::Digit { of, step, radix } = &cond.left
            && *step > 1
        {
            return self.digit_cond(of, i64::from(*step), i64::from(*radix), cond);
        }
        let (left, right) = (self.at(&cond.left), self.linear(&cond.right));
        let op = match cond.rel {
            Rel::Eq => BinaryOp::Eq,
            Rel::Ne => BinaryOp::Ne,
            Rel::Lt => BinaryOp::Lt,
            Rel::Ge => BinaryOp::Ge,
        };
        binary(op, left, right)
    }

    /// `(of div step) mod radix` is compared through the numbers that have this digit.
    fn digit_cond(&mut self, of: &Linear, step: i64, radix: i64, cond: &Cond) -> Expr {
        let (low, high) = self.range(of);
        let mut place = self.linear(of);
        if low < 0 || high >= step * radix {
            place = binary(BinaryOp::Mod, place, whole(step * radix));
        }
        let first = cond.right.times(step);
        let (start, end) = (self.linear(&first), self.linear(&first.plus(&Linear::constant(step))));
        let from = binary(BinaryOp::Ge, place.clone(), start.clone());
        match cond.rel {
            Rel::Lt => binary(BinaryOp::Lt, place, start),
            Rel::Ge => from,
            Rel::Eq | Rel::Ne => {
                let both = binary(BinaryOp::And, from, binary(BinaryOp::Lt, place, end));
                if cond.rel == Rel::Eq { both } else { unary(UnaryOp::Not, both) }
            }
        }
    }

    /// Conditions joined by a word; no conditions always hold.
    pub(super) fn all(&mut self, op: BinaryOp, conds: &[Cond]) -> Expr {
        let mut joined: Option<Expr> = None;
        for cond in conds {
            let one = self.cond(cond);
            joined = Some(match joined {
                None => one,
                Some(left) => binary(op, left, one),
            });
        }
        joined.unwrap_or_else(|| word("true"))
    }

    // ---- choices ------------------------------------------------------------------------------

    /// A joined vector. Behind a guard a choice stays a choice: its pieces may need what the guard says
    /// of their place.
    fn joined(&self, term: &Term) -> Option<(Linear, Vec<Piece>)> {
        if let Term::Choose(arms) = term
            && let At::Linear(place) = &arms.first()?.0.first()?.left
            && place.terms.iter().any(|(var, _)| self.guarded.contains(var))
        {
            return None;
        }
        joined(term, &|of| self.range(of))
    }

    fn choose(&mut self, term: &Term, arms: &[(Vec<Cond>, Term)]) -> Expr {
        if let Some((at, pieces)) = self.joined(term) {
            let place = self.linear(&at);
            if let Some(expr) = self.cat(&at, &pieces, vec![place]) {
                return expr;
            }
        }
        let outside = self.guarded.len();
        let places = arms.iter().flat_map(|(when, _)| when).filter_map(|cond| match &cond.left {
            At::Linear(of) => Some(of.terms.iter().map(|(var, _)| *var)),
            At::Digit { .. } | At::Value(_) => None,
        });
        self.guarded.extend(places.flatten());
        let chain = self.chain(arms);
        self.guarded.truncate(outside);
        chain
    }

    /// A choice as a chain of `if`s.
    fn chain(&mut self, arms: &[(Vec<Cond>, Term)]) -> Expr {
        let Some((_, first)) = arms.first() else { return real(0.0) };
        let split = arms.iter().position(|(_, term)| term != first).unwrap_or(arms.len());
        let (yes, no) = arms.split_at(split);
        let one_other = no.iter().all(|(_, term)| Some(term) == no.first().map(|(_, term)| term));
        if let (true, [_, _, ..], [(when, other)]) = (one_other, yes, no) {
            let none: Vec<Cond> = when.iter().map(negated).collect();
            let test = self.all(BinaryOp::Or, &none);
            let (first, other) = (self.term(first), self.term(other));
            return choice(test, first, other);
        }
        if let (true, [(when, _)], [(_, other), ..]) = (one_other, yes, no) {
            let test = self.all(BinaryOp::And, when);
            let (first, other) = (self.term(first), self.term(other));
            return choice(test, first, other);
        }
        let (when, _) = &arms[0];
        let first = self.term(first);
        if arms.len() == 1 {
            return first;
        }
        let test = self.all(BinaryOp::And, when);
        let other = match &arms[1..] {
            [(_, term)] => self.term(term),
            rest => self.chain(rest),
        };
        choice(test, first, other)
    }

    /// `cat(a, b)[at]`; nothing where no variable can be given up for the pieces' own.
    fn cat(&mut self, at: &Linear, pieces: &[Piece], after: Vec<Expr>) -> Option<Expr> {
        let var = at.terms.iter().rev().find(|(_, by)| *by == 1)?.0;
        let rest = at.plus(&Linear::var(var).times(-1));
        let given = pieces.iter().map(|piece| self.piece(at, var, &rest, piece)).collect();
        Some(call("cat", Vec::new(), given, after))
    }

    /// A piece as an array of its own: flattened, where its entries are read at digits.
    fn piece(&mut self, at: &Linear, var: Var, rest: &Linear, piece: &Piece) -> Expr {
        let size = piece.to - piece.from;
        if !mentions(&piece.term, var) {
            if size == 1 {
                return self.term(&piece.term);
            }
            let axis = self.own_axis(size as u32);
            return self.array(&[axis], &piece.term);
        }
        let local = at.plus(&Linear::constant(-piece.from));
        let mut radices = BTreeMap::new();
        digits_of(&piece.term, &local, &mut radices);
        let steps: Vec<(u32, u32)> = radices.into_iter().rev().collect();
        let whole = steps.iter().map(|(_, radix)| i64::from(*radix)).product::<i64>() == size
            && steps.iter().zip(steps.iter().skip(1)).all(|(a, b)| a.0 == b.0 * b.1)
            && steps.last().is_some_and(|last| last.0 == 1);
        let steps = if whole { steps } else { vec![(1, size as u32)] };
        let axes: Vec<Axis> = steps.iter().map(|(_, radix)| self.own_axis(*radix)).collect();
        let mut term = piece.term.clone();
        if whole {
            term = each_at(&term, &|at| match at {
                At::Digit { of, step, .. } if *of == local => {
                    let place = steps.iter().position(|one| one.0 == *step)?;
                    Some(At::var(axes[place].var))
                }
                At::Digit { .. } | At::Linear(_) | At::Value(_) => None,
            });
        }
        let number =
            steps.iter().zip(&axes).fold(Linear::constant(piece.from), |sum, ((step, _), axis)| {
                sum.plus(&Linear::var(axis.var).times(i64::from(*step)))
            });
        let place = number.plus(&rest.times(-1));
        let term =
            substitute(&term, &|one| if one == var { place.clone() } else { Linear::var(one) });
        self.array(&axes, &term)
    }

    // ---- functions ----------------------------------------------------------------------------

    fn map(&mut self, scalar: Scalar, all: &[Term]) -> Expr {
        // A bound for the points of a fold that do not count stands where they would.
        if let [Term::Fold { fold, over, when, body }, Term::Real(bound)] = all
            && matches!((scalar, fold), (scalar::MAX, Fold::Max) | (scalar::MIN, Fold::Min))
            && when.iter().any(|cond| matches!(cond.left, At::Value(_)))
        {
            return self.fold(*fold, over, when, body, *bound);
        }
        if let (true, Some((of, radix))) = (self.whole, remainder(scalar, all)) {
            return binary(BinaryOp::Mod, self.term(of), self.term(radix));
        }
        let mut terms: Vec<Expr> = all.iter().map(|term| self.term(term)).collect();
        let op = match scalar {
            scalar::ADD => Some(BinaryOp::Add),
            scalar::SUB => Some(BinaryOp::Sub),
            scalar::MUL => Some(BinaryOp::Mul),
            scalar::DIV => Some(BinaryOp::Div),
            scalar::POW => Some(BinaryOp::Pow),
            scalar::LT => Some(BinaryOp::Lt),
            scalar::LE => Some(BinaryOp::Le),
            scalar::EQ => Some(BinaryOp::Eq),
            scalar::AND => Some(BinaryOp::And),
            scalar::OR => Some(BinaryOp::Or),
            _ => None,
        };
        match (op, &mut terms[..]) {
            (Some(op), [left, right]) => binary(op, left.clone(), right.clone()),
            (None, [one]) if scalar == scalar::NEG => unary(UnaryOp::Neg, one.clone()),
            (None, [one]) if scalar == scalar::NOT => unary(UnaryOp::Not, one.clone()),
            (None, [test, yes, no]) if scalar == scalar::SELECT => {
                choice(test.clone(), yes.clone(), no.clone())
            }
            _ => {
                // Squashes without a name of their own are those of domains.
                let name = match scalar {
                    scalar::SIGMOID => "unit",
                    scalar::SOFTPLUS => "positive",
                    other => other.row().name,
                };
                call(name, Vec::new(), terms, Vec::new())
            }
        }
    }
}

/// Whether a variable occurs in a term.
pub(in crate::model) fn mentions(term: &Term, var: Var) -> bool {
    let found = Cell::new(false);
    substitute(term, &|one| {
        found.set(found.get() || one == var);
        Linear::var(one)
    });
    found.get()
}

/// Steps and radices at which a term reads digits of a number.
fn digits_of(term: &Term, number: &Linear, into: &mut BTreeMap<u32, u32>) {
    let found = std::cell::RefCell::new(std::mem::take(into));
    each_at(term, &|at| {
        if let At::Digit { of, step, radix } = at
            && of == number
        {
            found.borrow_mut().insert(*step, *radix);
        }
        None
    });
    *into = found.into_inner();
}

/// Where the last indices are all digits of one number that counts the entries in order.
fn flattened(at: &[At], shape: &[u32]) -> Option<(usize, Linear)> {
    let Some(At::Digit { of, .. }) = at.last() else { return None };
    let mut step = 1;
    let mut lead = at.len();
    for (one, size) in at.iter().zip(shape).rev() {
        match one {
            At::Digit { of: other, step: own, radix }
                if other == of && *own == step && radix == size =>
            {
                lead -= 1;
                step *= size;
            }
            At::Digit { .. } | At::Linear(_) | At::Value(_) => break,
        }
    }
    (at.len() - lead > 1).then(|| (lead, of.clone()))
}
