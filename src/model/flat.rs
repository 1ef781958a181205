//! The elaborated model: what is left when every call is inlined, every dim a number.
//!
//! A model is a list of arrays. Each has axes, each axis an index variable ([`Var`]) of its own, and a
//! right-hand side that gives one number for every point of the axes. All indices start at 0 here:
//! an axis written `-1..1` in the spec has size 3, and reads of it are moved by 1.

use serde::{Deserialize, Serialize};

use crate::op::Scalar;
use crate::source::Span;

/// An index variable; unique within a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Var(pub u32);

/// An axis: its variable runs over `0..size`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The variable.
    pub var: Var,
    /// What the spec calls the index, or a letter of ours.
    pub name: String,
    /// What the spec calls the dim, for people; empty if it has no name.
    pub dim: String,
    /// Number of points.
    pub size: u32,
}

/// `offset + sum of coefficient * variable`; terms sorted by variable, no zero coefficient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linear {
    /// The constant.
    pub offset: i64,
    /// Variables with their coefficients.
    pub terms: Vec<(Var, i64)>,
}

/// Where along one axis an array is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum At {
    /// An affine function of variables.
    Linear(Linear),
    /// `(of div step) mod radix`, Euclidean.
    Digit {
        /// The number.
        of: Linear,
        /// What it is divided by first.
        step: u32,
        /// What it is reduced by.
        radix: u32,
    },
    /// A whole number computed at run time; always a valid position.
    Value(Box<Term>),
}

/// `left rel right`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cond {
    /// Left side.
    pub left: At,
    /// Relation.
    pub rel: Rel,
    /// Right side.
    pub right: Linear,
}

pub use crate::graph::{Fold, Rel};

/// An array of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Array {
    /// `Model::inputs`.
    Input(u32),
    /// `Model::params`.
    Param(u32),
    /// `Model::states`, the value before this step.
    Prev(u32),
    /// `Model::values`.
    Value(u32),
}

/// What an array holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sort {
    /// Real numbers.
    Real,
    /// Truth values.
    Bool,
    /// Whole numbers; they carry no gradient.
    Int,
    /// Whole numbers `0..below`.
    Index {
        /// One more than the largest.
        below: u32,
        /// Whether along the last axis every number occurs exactly once.
        permutation: bool,
    },
}

/// One number for every assignment of the variables in scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Term {
    /// A constant.
    Real(f64),
    /// A truth value.
    Truth(bool),
    /// A whole number made of variables, as a number.
    Position(Linear),
    /// An entry of an array: one index for each of its axes.
    Read(Array, Vec<At>),
    /// A scalar function.
    Map(Scalar, Vec<Term>),
    /// A reduction over new variables, at the points where every condition holds. A `Sum` with a
    /// condition `Value == variable` is a scatter-add.
    Fold {
        /// How.
        fold: Fold,
        /// Over what, the last fastest.
        over: Vec<Axis>,
        /// Which points count.
        when: Vec<Cond>,
        /// What is combined.
        body: Box<Term>,
    },
    /// The one arm whose conditions hold; they partition the points in scope. An arm is not evaluated
    /// outside its conditions.
    Choose(Vec<(Vec<Cond>, Term)>),
    /// A function of a whole array, read at one place: `softmax(for over: body)[at]`.
    Whole {
        /// Which.
        function: Whole,
        /// The axes of the array.
        over: Vec<Axis>,
        /// Its entries.
        body: Box<Term>,
        /// Where the result is read.
        at: Vec<At>,
    },
}

/// Functions that need a whole array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whole {
    /// Jointly over all axes.
    Softmax,
    /// Positions in ascending order, along the only axis.
    Argsort,
    /// The inverse of `Argsort`.
    Rank,
    /// Positions of the k largest, along the only axis.
    Top {
        /// How many.
        k: u32,
    },
}

/// An equation: `right` at every point of `axes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Its path, for example `read.content.w`.
    pub path: String,
    /// Its axes; families come first.
    pub axes: Vec<Axis>,
    /// What it holds.
    pub sort: Sort,
    /// Its value.
    pub right: Term,
    /// Where it was written.
    #[serde(skip)]
    pub span: Span,
}

/// An input of every step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name: an input of the model, `target`, `mask`, `cotangent/<path>`.
    pub path: String,
    /// Its axes.
    pub axes: Vec<Axis>,
    /// What it holds.
    pub sort: Sort,
}

/// A learned array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its path, for example `write.content.k.weight`, `M.start`.
    pub path: String,
    /// Its axes.
    pub axes: Vec<Axis>,
    /// How its first value is drawn.
    pub start: Draw,
    /// Where it was written.
    #[serde(skip)]
    pub span: Span,
}

/// How a parameter is drawn when the model is built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Draw {
    /// Uniform between two numbers.
    Uniform(f64, f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// A value that may depend on the param's own variables.
    Fixed(Term),
}

/// A value carried from step to step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its path, for example `read.w`.
    pub path: String,
    /// Its axes.
    pub axes: Vec<Axis>,
    /// What it holds.
    pub sort: Sort,
    /// Its value before the first step, over `axes`: reads parameters and `start_values` only.
    pub start: Term,
    /// Where it starts anew in every episode: how it is drawn. `start` is 0 then.
    #[serde(default)]
    pub draw: Option<Draw>,
    /// The value it takes after a step: an entry of `Model::values` with the same axes.
    pub next: u32,
    /// Where it was written.
    #[serde(skip)]
    pub span: Span,
}

/// One emitted quantity, for the summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emission {
    /// Its path.
    pub path: String,
    /// How many numbers, families included.
    pub size: u64,
    /// Whether it is read from a controller's interface (not `emit .. from`).
    pub interface: bool,
}

/// A whole model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its dims and whole-number parameters with their values.
    pub sizes: Vec<(String, i64)>,
    /// Inputs of every step.
    pub inputs: Vec<Input>,
    /// Learned arrays.
    pub params: Vec<Param>,
    /// Carried values.
    pub states: Vec<State>,
    /// Equations of a step, operands before users.
    pub values: Vec<Value>,
    /// Helper equations of the first states, operands before users: they read parameters and each
    /// other only. `State::start` reads them as `Array::Value` of this list.
    pub start_values: Vec<Value>,
    /// The output as the user sees it (squashed into its domain): an entry of `values`.
    pub output: u32,
    /// The loss of one step, already masked: an entry of `values` without axes.
    pub loss: Option<u32>,
    /// What is emitted.
    pub emissions: Vec<Emission>,
}

impl Linear {
    /// A constant.
    #[must_use]
    pub fn constant(offset: i64) -> Linear {
        Linear { offset, terms: Vec::new() }
    }

    /// One variable.
    #[must_use]
    pub fn var(var: Var) -> Linear {
        Linear { offset: 0, terms: vec![(var, 1)] }
    }

    /// From terms in any order, with repeats and zeros.
    pub fn new(offset: i64, terms: impl IntoIterator<Item = (Var, i64)>) -> Linear {
        let mut sum: std::collections::BTreeMap<Var, i64> = std::collections::BTreeMap::new();
        for (var, coefficient) in terms {
            *sum.entry(var).or_default() += coefficient;
        }
        Linear { offset, terms: sum.into_iter().filter(|(_, by)| *by != 0).collect() }
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(&self, other: &Linear) -> Linear {
        Linear::new(self.offset + other.offset, self.terms.iter().chain(&other.terms).copied())
    }

    /// A multiple.
    #[must_use]
    pub fn times(&self, factor: i64) -> Linear {
        Linear::new(self.offset * factor, self.terms.iter().map(|(var, by)| (*var, by * factor)))
    }

    /// Every variable replaced.
    #[must_use]
    pub fn substitute(&self, by: &impl Fn(Var) -> Linear) -> Linear {
        let start = Linear::constant(self.offset);
        self.terms.iter().fold(start, |sum, (var, factor)| sum.plus(&by(*var).times(*factor)))
    }

    /// The number, if no variable occurs.
    #[must_use]
    pub fn as_constant(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.offset)
    }

    /// The variable, if this is one bare variable.
    #[must_use]
    pub fn as_var(&self) -> Option<Var> {
        match self.terms[..] {
            [(var, 1)] if self.offset == 0 => Some(var),
            _ => None,
        }
    }
}

impl At {
    /// One bare variable.
    #[must_use]
    pub fn var(var: Var) -> At {
        At::Linear(Linear::var(var))
    }
}
