//! What a flat model means, point by point: the definition that graphs are compared with.

use std::collections::BTreeMap;

use crate::graph::{Fold, Rel};
use crate::model::flat::*;
use crate::op::Opaque;

type Env = BTreeMap<Var, i64>;

/// A model with the list that `Array::Value` numbers.
pub(super) struct Meaning<'m> {
    model: &'m Model,
    list: &'m [Value],
}

/// The number that a leaf holds in every test: fixed, and different at every point.
pub(super) fn datum(kind: u32, number: u32, point: &[i64], sort: Sort) -> f64 {
    let place = point.iter().fold(1.0, |sum, at| sum * 1.7 + *at as f64);
    let number = f64::from(kind) * 12.9898 + f64::from(number) * 78.233 + place * 3.7;
    let unit = (number.sin() * 43_758.545_3).rem_euclid(1.0);
    match sort {
        Sort::Real => unit,
        Sort::Bool => unit.round(),
        Sort::Int => (4.0 * unit).floor(),
        Sort::Index { below, .. } => (unit * f64::from(below)).floor(),
    }
}

fn axes_points(axes: &[Axis]) -> Vec<Env> {
    axes.iter().fold(vec![Env::new()], |points, axis| {
        let with =
            |env: &Env, at| env.iter().map(|(v, a)| (*v, *a)).chain([(axis.var, at)]).collect();
        let extend = |env: Env| (0..i64::from(axis.size)).map(move |at| with(&env, at)).collect();
        points.into_iter().flat_map::<Vec<Env>, _>(extend).collect()
    })
}

fn linear(of: &Linear, env: &Env) -> i64 {
    of.terms.iter().map(|(var, by)| env[var] * by).sum::<i64>() + of.offset
}

impl<'m> Meaning<'m> {
    pub(super) fn of(model: &'m Model, list: &'m [Value]) -> Meaning<'m> {
        Meaning { model, list }
    }

    /// An equation at every point, the last axis fastest.
    pub(super) fn array(&self, axes: &[Axis], right: &Term) -> Vec<f64> {
        axes_points(axes).iter().map(|env| self.term(right, env)).collect()
    }

    fn at(&self, at: &At, env: &Env) -> i64 {
        match at {
            At::Linear(of) => linear(of, env),
            At::Digit { of, step, radix } => {
                linear(of, env).div_euclid(i64::from(*step)).rem_euclid(i64::from(*radix))
            }
            At::Value(term) => self.term(term, env) as i64,
        }
    }

    fn holds(&self, when: &[Cond], env: &Env) -> bool {
        when.iter().all(|cond| {
            let (left, right) = (self.at(&cond.left, env), linear(&cond.right, env));
            match cond.rel {
                Rel::Eq => left == right,
                Rel::Ne => left != right,
                Rel::Lt => left < right,
                Rel::Ge => left >= right,
            }
        })
    }

    fn read(&self, array: Array, point: &[i64]) -> f64 {
        match array {
            Array::Input(k) => datum(0, k, point, self.model.inputs[k as usize].sort),
            Array::Param(k) => datum(1, k, point, Sort::Real),
            Array::Prev(k) => datum(2, k, point, self.model.states[k as usize].sort),
            Array::Value(k) => {
                let value = &self.list[k as usize];
                let env = value.axes.iter().map(|axis| axis.var).zip(point.iter().copied());
                self.term(&value.right, &env.collect())
            }
        }
    }

    fn within(&self, env: &Env, over: &[Axis]) -> Vec<Env> {
        let extend = |inner: Env| env.clone().into_iter().chain(inner).collect();
        axes_points(over).into_iter().map(extend).collect()
    }

    fn term(&self, term: &Term, env: &Env) -> f64 {
        match term {
            Term::Real(value) => *value,
            Term::Truth(value) => f64::from(u8::from(*value)),
            Term::Position(of) => linear(of, env) as f64,
            Term::Read(array, at) => {
                let point: Vec<i64> = at.iter().map(|at| self.at(at, env)).collect();
                self.read(*array, &point)
            }
            Term::Map(scalar, arguments) => {
                let arguments: Vec<f64> = arguments.iter().map(|a| self.term(a, env)).collect();
                (scalar.row().eval)(&arguments)
            }
            Term::Fold { fold, over, when, body } => {
                let points = self.within(env, over).into_iter();
                let terms =
                    points.filter(|env| self.holds(when, env)).map(|env| self.term(body, &env));
                match fold {
                    Fold::Sum => terms.sum(),
                    Fold::Prod => terms.product(),
                    Fold::Max => terms.fold(f64::NEG_INFINITY, f64::max),
                    Fold::Min => terms.fold(f64::INFINITY, f64::min),
                }
            }
            Term::Choose(arms) => {
                let taken: Vec<_> = arms.iter().filter(|(when, _)| self.holds(when, env)).collect();
                assert_eq!(taken.len(), 1, "arms partition the points");
                self.term(&taken[0].1, env)
            }
            Term::Whole { function, over, body, at } => self.whole(*function, over, body, at, env),
        }
    }

    fn whole(&self, function: Whole, over: &[Axis], body: &Term, at: &[At], env: &Env) -> f64 {
        let line: Vec<f64> =
            self.within(env, over).iter().map(|env| self.term(body, env)).collect();
        let place = over
            .iter()
            .zip(at)
            .fold(0, |place, (axis, at)| place * i64::from(axis.size) + self.at(at, env))
            as usize;
        let order = Opaque::Argsort.positions(&line);
        match function {
            Whole::Softmax => line[place].exp() / line.iter().map(|x| x.exp()).sum::<f64>(),
            Whole::Argsort => f64::from(order[place]),
            Whole::Rank => {
                order.iter().position(|at| *at as usize == place).map_or(-1.0, |at| at as f64)
            }
            Whole::Top { k } => f64::from(Opaque::TopK { k }.positions(&line)[place]),
        }
    }
}
