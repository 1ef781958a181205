//! Writing flat models in tests, and comparing their graphs with what they mean.

use super::super::lower;
use super::flatly::{Meaning, datum};
use crate::graph::eval::{Values, evaluate as values_of};
use crate::graph::{Graph, Leaf, Op, Program, Read, Rel};
use crate::model::flat::*;
use crate::op::scalar::{ADD, MUL, SUB, Scalar};
use crate::source::Span;

/// A flat model in the making.
#[derive(Default)]
pub(super) struct Flat {
    pub(super) model: Model,
    next: u32,
}

impl Flat {
    pub(super) fn axis(&mut self, name: &str, size: u32) -> Axis {
        self.next += 1;
        Axis { var: Var(self.next), name: name.to_owned(), dim: String::new(), size }
    }

    fn axes(&mut self, sizes: &[u32]) -> Vec<Axis> {
        sizes.iter().map(|size| self.axis("a", *size)).collect()
    }

    pub(super) fn input(&mut self, path: &str, sizes: &[u32]) -> Array {
        self.index_input(path, sizes, Sort::Real)
    }

    pub(super) fn index_input(&mut self, path: &str, sizes: &[u32], sort: Sort) -> Array {
        let axes = self.axes(sizes);
        self.model.inputs.push(Input { path: path.to_owned(), axes, sort });
        Array::Input(self.model.inputs.len() as u32 - 1)
    }

    pub(super) fn param(&mut self, path: &str, sizes: &[u32]) -> Array {
        let axes = self.axes(sizes);
        let start = Draw::Normal(1.0);
        self.model.params.push(Param { path: path.to_owned(), axes, start, span: Span::default() });
        Array::Param(self.model.params.len() as u32 - 1)
    }

    /// A state that starts at 0; `steps_to` names its next value.
    pub(super) fn state(&mut self, path: &str, sizes: &[u32]) -> Array {
        let axes = self.axes(sizes);
        self.model.states.push(State {
            path: path.to_owned(),
            axes,
            sort: Sort::Real,
            start: Term::Real(0.0),
            draw: None,
            next: 0,
            span: Span::default(),
        });
        Array::Prev(self.model.states.len() as u32 - 1)
    }

    pub(super) fn steps_to(&mut self, state: Array, value: Array) {
        match (state, value) {
            (Array::Prev(state), Array::Value(value)) => {
                self.model.states[state as usize].next = value;
            }
            other => panic!("not a state and a value: {other:?}"),
        }
    }

    pub(super) fn value(&mut self, path: &str, axes: &[&Axis], right: Term) -> Array {
        self.sorted(path, axes, Sort::Real, right)
    }

    pub(super) fn sorted(&mut self, path: &str, axes: &[&Axis], sort: Sort, right: Term) -> Array {
        let axes = axes.iter().map(|axis| (*axis).clone()).collect();
        let value = Value { path: path.to_owned(), axes, sort, right, span: Span::default() };
        self.model.values.push(value);
        self.model.output = self.model.values.len() as u32 - 1;
        Array::Value(self.model.output)
    }
}

pub(super) fn read(array: Array, at: &[At]) -> Term {
    Term::Read(array, at.to_vec())
}

/// An entry at bare variables.
pub(super) fn entry(array: Array, at: &[&Axis]) -> Term {
    Term::Read(array, at.iter().map(|axis| At::var(axis.var)).collect())
}

pub(super) fn at(axis: &Axis) -> At {
    At::var(axis.var)
}

pub(super) fn lin(axis: &Axis) -> Linear {
    Linear::var(axis.var)
}

pub(super) fn plus(axis: &Axis, offset: i64) -> Linear {
    lin(axis).plus(&Linear::constant(offset))
}

pub(super) fn map(scalar: Scalar, arguments: impl Into<Vec<Term>>) -> Term {
    Term::Map(scalar, arguments.into())
}

pub(super) fn mul(left: Term, right: Term) -> Term {
    map(MUL, [left, right])
}

pub(super) fn add(left: Term, right: Term) -> Term {
    map(ADD, [left, right])
}

pub(super) fn sub(left: Term, right: Term) -> Term {
    map(SUB, [left, right])
}

pub(super) fn fold(fold: Fold, over: &[&Axis], when: Vec<Cond>, body: Term) -> Term {
    let over = over.iter().map(|axis| (*axis).clone()).collect();
    Term::Fold { fold, over, when, body: Box::new(body) }
}

pub(super) fn sum(over: &[&Axis], body: Term) -> Term {
    fold(Fold::Sum, over, Vec::new(), body)
}

pub(super) fn whole(function: Whole, over: &Axis, body: Term, at: At) -> Term {
    Term::Whole { function, over: vec![over.clone()], body: Box::new(body), at: vec![at] }
}

pub(super) fn cond(left: Linear, rel: Rel, right: Linear) -> Cond {
    Cond { left: At::Linear(left), rel, right }
}

/// `if left == right then yes else no`.
pub(super) fn if_equal(left: Linear, right: Linear, yes: Term, no: Term) -> Term {
    Term::Choose(vec![
        (vec![cond(left.clone(), Rel::Eq, right.clone())], yes),
        (vec![cond(left, Rel::Ne, right)], no),
    ])
}

/// Lowers a model and compares every root with what the model means.
pub(super) fn checked(flat: &Flat) -> Program {
    let model = &flat.model;
    let program = lower(model);
    let step = Meaning::of(model, &model.values);
    for value in &model.values {
        let right = step.array(&value.axes, &value.right);
        agree(&program.step, &format!("value/{}", value.path), &right, model);
    }
    for state in &model.states {
        let next = &model.values[state.next as usize];
        let right = step.array(&next.axes, &next.right);
        agree(&program.step, &format!("next/{}", state.path), &right, model);
        let start = Meaning::of(model, &model.start_values).array(&state.axes, &state.start);
        agree(&program.init, &format!("start/{}", state.path), &start, model);
    }
    program
}

fn agree(graph: &Graph, root: &str, right: &[f64], model: &Model) {
    let read = graph.root(root).unwrap_or_else(|| panic!("no root {root}"));
    let seen = values(graph, model).read(read);
    assert_eq!(seen.len(), right.len(), "{root}");
    for (at, (seen, right)) in seen.iter().zip(right).enumerate() {
        let close = (seen - right).abs() <= 1e-12 * right.abs().max(1.0);
        assert!(close, "{root} at {at}: {seen} in the graph, {right} in the model");
    }
}

/// The values of a graph whose leaves hold what they hold in every test.
fn values<'g>(graph: &'g Graph, model: &Model) -> Values<'g> {
    let leaf = |leaf: &Leaf, point: &[u32]| {
        let point: Vec<i64> = point.iter().map(|at| i64::from(*at)).collect();
        match leaf {
            Leaf::Input(k) => datum(0, *k, &point, model.inputs[*k as usize].sort),
            Leaf::Param(k) => datum(1, *k, &point, Sort::Real),
            Leaf::Prev(k) => datum(2, *k, &point, model.states[*k as usize].sort),
            Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_) => panic!("{leaf:?} has no value"),
        }
    };
    values_of(graph, &leaf)
}

/// The values of a root.
pub(super) fn evaluate(program: &Program, root: &str, model: &Model) -> Vec<f64> {
    values(&program.step, model).read(root_of(program, root))
}

pub(super) fn root_of<'p>(program: &'p Program, root: &str) -> &'p Read {
    program.step.root(root).unwrap_or_else(|| panic!("no root {root}"))
}

/// How many nodes have an op like that.
pub(super) fn count(graph: &Graph, like: impl Fn(&Op) -> bool) -> usize {
    graph.ids().filter(|id| like(&graph.node(*id).op)).count()
}

pub(super) fn is_map(scalar: Scalar) -> impl Fn(&Op) -> bool {
    move |op| *op == Op::Map(scalar)
}

pub(super) fn is_reduce(op: &Op) -> bool {
    matches!(op, Op::Reduce { .. })
}

pub(super) fn is_recur(op: &Op) -> bool {
    matches!(op, Op::Recur { .. })
}

pub(super) fn is_join(op: &Op) -> bool {
    matches!(op, Op::Join)
}
