//! A whole model as graphs, one a phase: what lowering makes and a backend takes.

use serde::{Deserialize, Serialize};

use super::{Graph, Path, Type};

/// A named array at the border of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Array {
    /// Its name: an input `x`, a parameter `write.content.k.weight`, a state `read.w`.
    pub path: Path,
    /// Its shape, one sample.
    pub sizes: Vec<u32>,
    /// Names of its axes, for printing.
    pub axes: Vec<String>,
    /// What it holds.
    pub ty: Type,
}

/// Everything a backend needs; the backend owns the loops over time, batch and optimiser steps. The
/// batch is not an axis of any graph: every value but parameters is per sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Parameters, by the number in `Leaf::Param`.
    pub params: Vec<Array>,
    /// Inputs of one time step, by the number in `Leaf::Input`: the model's own, then `target` and
    /// `mask` or `cotangent/<path>` where a loss needs them.
    pub inputs: Vec<Array>,
    /// States, by the number in `Leaf::Prev` and, in adjoint nodes, `Leaf::Seed`.
    pub states: Vec<Array>,
    /// Parameters to first states: roots `start/<state>`; with adjoints `grad/param/<path>`, from
    /// `Leaf::Seed(k)`, the adjoint arriving at the start of state k.
    pub init: Graph,
    /// One time step. Roots: `next/<state>`, `y`, `loss`, `value/<path>`; with adjoints
    /// `grad/param/<path>` and `grad/input/<name>` (this step's share) and `grad/prev/<state>`, from
    /// `Leaf::Seed(k)`, the adjoint arriving at the next value of state k.
    pub step: Graph,
    /// One optimiser step on all parameters joined into one vector of P numbers.
    pub update: Option<Update>,
}

/// The optimiser. Inputs of its graph: 0 `value` `[P]`, 1 `gradient` `[P]`, 2 `rate` `[]` (the learning
/// rate of this step). Roots: `value` `[P]` and `next/<slot>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The graph.
    pub graph: Graph,
    /// Its inputs.
    pub inputs: Vec<Array>,
    /// Optimiser slots, by the number in `Leaf::Prev`.
    pub slots: Vec<Array>,
    /// First values of the slots, as an init graph: roots `start/<slot>`.
    pub init: Graph,
}

impl Array {
    /// Number of elements; the largest number there is where it does not fit one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sizes.iter().fold(1, |product: usize, size| product.saturating_mul(*size as usize))
    }

    /// Whether some axis has size 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape as `usize`.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        self.sizes.iter().map(|size| *size as usize).collect()
    }
}
