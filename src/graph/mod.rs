//! The IR: a directed graph of array values whose edges say how an operand is read.
//!
//! In: flat equations, lowered. Out: something that every later room reads, rewrites or runs.
//! Broadcast, transpose, roll, slice and gather are *edges* ([`Access`]), never nodes.
//!
//! Laws, checked by [`verify::verify`]:
//! 1. Operands come before their users, so index order is a valid evaluation order.
//! 2. Operand order and access live on the edge ([`Operand`]); petgraph lists incoming edges newest
//!    first, so only [`Graph::operands`] is used to read them.
//! 3. Nodes are never removed. A pass builds a new graph.
//! 4. Every node has a space and an origin; every access provably stays inside its operand wherever
//!    the reader exists.
//! 5. Two equal pure nodes are one node: [`Builder`] shares by [`Key`]. Names are not part of it.
//! 6. Rewriting keeps the origin; a created node inherits the origin of what it replaces.
//! 7. A `Sum` over one term is that term: nothing is added to 0, so -0.0 survives.
//! 8. A `Reduce` folds in ascending order of the axes it folds over, the last fastest.
//! 9. The conditions of a `Join`'s arms partition its space.
//! 10. `Opaque` and `Recur` read whole axes.
//! 11. Ports are numbered without gaps: first the operands that the op combines ([`Graph::arity`]), then
//!     index values, which `Index::Value` refers to and nothing else. The arms of a `Join` are the
//!     ports below the first that is referred to.
//! 12. An index value in a `Join` is read where the conditions it carries hold; the arms that use it
//!     imply them.
//! 13. A condition may hold a `Digit`; it may hold a `Value` in a `Reduce` only.
//! 14. A copy through an index value is a `Sum` over one axis of size 1, a `Max` where it holds no real;
//!     a copy without one is a `Join` of one arm.
//!
//! Every graph between two rooms is in canonical order ([`canonical()`]); `lower` and `compile` see to it.
//!
//! Axes are *positions* in a node's scope: first the axes of `space`, then those that the op binds
//! (`Reduce::over`). Names in [`Origin::axes`] are for printing only.

mod align;
mod build;
pub mod canon;
pub mod dot;
#[doc(hidden)]
pub mod eval;
mod index;
mod origin;
mod parts;
mod program;
mod prove;
#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
pub(crate) mod samples;
pub mod text;
mod types;
pub mod verify;
mod view;

pub use build::{Builder, Key};
pub use canon::canonical;
pub use index::Domain;
pub use origin::{Origin, Path};
pub use parts::Part;
pub use program::{Array, Program, Update};
pub(crate) use text::layout::{distinct, fresh};
pub use verify::{Violation, verified, verify};
pub use view::{View, arms, operands};

use std::sync::Arc;

use petgraph::graph::DiGraph;
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use crate::op::{Opaque, Scalar};

/// Position of an axis in its node's scope: `space.sizes`, then the axes that the op binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Axis(pub u8);

/// Position of an operand of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port(pub u8);

/// A node's number; also its place in the evaluation order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub u32);

/// A box of points `0..size` along each axis, less the points that break a condition. A node's
/// value is an array over the box; it exists only where every condition holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Space {
    /// Size of each axis.
    pub sizes: Vec<u32>,
    /// What must hold of a point, over the axes of the space only.
    pub when: Vec<Cond>,
}

/// Axes with coefficients; one, as there nearly always is, takes no memory of its own.
pub type Terms = SmallVec<[(Axis, i64); 1]>;

/// `offset + sum of coefficient * axis`; terms sorted by axis, no zero coefficient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Affine {
    /// The constant.
    pub offset: i64,
    /// Axes with their coefficients.
    pub terms: Terms,
}

/// Where along one axis of an operand a reader looks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Index {
    /// An affine function of the reader's axes.
    Affine(Affine),
    /// A digit of a mixed-radix number, `(of div step) mod radix` (Euclidean). `step = 1` is a roll;
    /// a run of digits is an unflattening.
    Digit {
        /// The number.
        of: Affine,
        /// What it is divided by first.
        step: u32,
        /// What it is reduced by.
        radix: u32,
    },
    /// The value of another operand of the same node, of type `Index(n)`: a gather.
    Value(Port),
}

/// One index for each axis of the operand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Access(pub Vec<Index>);

/// `left rel right`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cond {
    /// Left side.
    pub left: Index,
    /// Relation.
    pub rel: Rel,
    /// Right side.
    pub right: Affine,
}

/// Relations of conditions; `<=` and `>` are these with the right side moved by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the relation it is named after")]
pub enum Rel {
    Eq,
    Ne,
    Lt,
    Ge,
}

/// The edge, from the value read to the node that reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Operand {
    /// Which operand.
    pub port: Port,
    /// Where it is read.
    pub access: Access,
    /// The points of the reader at which this arm is taken; used by `Join` only.
    pub when: Vec<Cond>,
}

impl Op {
    /// Under which conditions a term counts, over the axes of the scope; only a fold has some.
    #[must_use]
    pub fn conditions(&self) -> &[Cond] {
        match self {
            Op::Reduce { when, .. } => when,
            Op::Leaf(_) | Op::Map(_) | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => &[],
        }
    }
}

impl Operand {
    /// Whether other values say where it is read, or whether it is.
    #[must_use]
    pub fn is_gathered(&self) -> bool {
        self.access.ports().next().is_some() || self.when.iter().any(Cond::is_gathered)
    }
}

/// A value as seen from outside: what roots, and the adjoint pass, hold. The access is over the axes
/// of the root, whose sizes are `sizes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Read {
    /// The node.
    pub node: NodeId,
    /// Where it is read, over the axes of the value seen.
    pub access: Access,
    /// The shape of the value seen.
    pub sizes: Vec<u32>,
}

/// What kind of values a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Type {
    /// Real numbers; the only type that carries gradient.
    Real,
    /// Truth values.
    Bool,
    /// Whole numbers without a limit, in inputs and states; what is computed from them is held as
    /// reals, through which no gradient finds a way back.
    Int,
    /// Whole numbers `0..below`.
    Index {
        /// One more than the largest.
        below: u32,
        /// Whether along the last axis every number occurs exactly once.
        permutation: bool,
    },
}

/// How a `Reduce` combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the fold it is named after")]
pub enum Fold {
    Sum,
    Prod,
    Max,
    Min,
}

/// The direction of a `Recur`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the direction it is named after")]
pub enum Toward {
    Up,
    Down,
}

/// An `f64` by its bits, so that ops can be compared and hashed. Stored as text that reads as a number
/// and keeps every bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Bits(pub u64);

impl Bits {
    /// From the number.
    #[must_use]
    pub fn of(value: f64) -> Bits {
        Bits(value.to_bits())
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// A node without operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Leaf {
    /// An input of the step, by its number among the program's inputs.
    Input(u32),
    /// A parameter, by its number.
    Param(u32),
    /// A state before this step, by its number.
    Prev(u32),
    /// The adjoint arriving at the root of that number, from the loss or from step t + 1.
    Seed(u32),
    /// A constant.
    Const(Bits),
    /// The position along an axis of the space, as an `Index` value.
    Axis(Axis),
}

/// What a node does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Op {
    /// No operands.
    Leaf(Leaf),
    /// One scalar function, point by point. `select` is one of them.
    Map(Scalar),
    /// Folds its operand 0 over `over` (appended to the scope), at points where `when` holds. `when`
    /// may hold `Value(port)` indices, whose operands follow: with `Sum` that is a scatter-add.
    Reduce {
        /// The fold.
        fold: Fold,
        /// Sizes of the axes folded over.
        over: Vec<u32>,
        /// Which points count, over the whole scope.
        when: Vec<Cond>,
    },
    /// Exclusive first-order linear recurrence along an axis of the space:
    /// `y[first] = start; y[next] = a + b * y` with a, b (ports 0, 1) read at the point before `next`.
    Recur {
        /// The axis.
        along: Axis,
        /// Whether `first` is 0 (`Up`) or the last point (`Down`).
        toward: Toward,
        /// The first value.
        start: Bits,
    },
    /// At each point the one operand whose `when` holds.
    Join,
    /// A whole-axis primitive; reads its operand by the identity.
    Opaque {
        /// Which.
        op: Opaque,
        /// The axis of the operand it works along.
        along: Axis,
    },
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// Over which points.
    pub space: Space,
    /// What values it holds.
    pub ty: Type,
    /// Where it comes from; shared with its copies in other graphs.
    pub origin: Arc<Origin>,
}

/// A graph with named results. Root names are dotted paths with a kind before a slash: in a step
/// `next/<state>`, `value/<path>` (everything that can be traced), `y`, `loss`; after `grad`
/// `grad/param/<path>`, `grad/prev/<state>`, `grad/input/<name>`; in an init `start/<state>`.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    dag: DiGraph<Node, Operand, u32>,
    /// Results, sorted by name.
    pub roots: Vec<(Path, Read)>,
}

impl Graph {
    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dag.node_count()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every node in evaluation order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.len() as u32).map(NodeId)
    }

    /// One node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.dag[petgraph::graph::NodeIndex::new(id.0 as usize)]
    }

    /// Operands by port, whatever order petgraph keeps its edges in.
    #[must_use]
    pub fn operands(&self, id: NodeId) -> Vec<(NodeId, &Operand)> {
        use petgraph::{Direction, visit::EdgeRef};
        let at = petgraph::graph::NodeIndex::new(id.0 as usize);
        let mut list: Vec<_> = self
            .dag
            .edges_directed(at, Direction::Incoming)
            .map(|edge| (NodeId(edge.source().index() as u32), edge.weight()))
            .collect();
        list.sort_by_key(|(_, operand)| operand.port);
        list
    }

    /// Sizes of every axis of a node's scope: those of its space, then those its op binds.
    #[must_use]
    pub fn scope(&self, id: NodeId) -> Vec<u32> {
        let node = self.node(id);
        let mut sizes = node.space.sizes.clone();
        if let Op::Reduce { over, .. } = &node.op {
            sizes.extend(over);
        }
        sizes
    }

    /// How many of a node's operands its op combines; the rest are read by `Index::Value` only
    /// (law 11).
    #[must_use]
    pub fn arity(&self, id: NodeId) -> usize {
        match &self.node(id).op {
            Op::Leaf(_) => 0,
            Op::Map(scalar) => scalar.row().takes.len(),
            Op::Reduce { .. } | Op::Opaque { .. } => 1,
            Op::Recur { .. } => 2,
            Op::Join => {
                let operands = self.operands(id);
                let ports = operands.iter().flat_map(|(_, operand)| operand.access.ports());
                ports.map(|port| usize::from(port.0)).min().unwrap_or(operands.len())
            }
        }
    }

    /// The root of that name.
    #[must_use]
    pub fn root(&self, name: &str) -> Option<&Read> {
        self.roots.iter().find(|(path, _)| path.0 == name).map(|(_, read)| read)
    }

    /// The node that is this leaf, if there is one.
    #[must_use]
    pub fn leaf(&self, leaf: &Leaf) -> Option<NodeId> {
        self.ids().find(|id| matches!(&self.node(*id).op, Op::Leaf(own) if own == leaf))
    }
}

impl Space {
    /// A box without conditions.
    pub fn of(sizes: impl Into<Vec<u32>>) -> Space {
        Space { sizes: sizes.into(), when: Vec::new() }
    }

    /// Number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.sizes.len()
    }

    /// Number of points of the box; the largest number there is where it does not fit one.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.sizes.iter().fold(1, |product: u64, size| product.saturating_mul(u64::from(*size)))
    }
}

impl Affine {
    /// A constant.
    #[must_use]
    pub fn constant(offset: i64) -> Affine {
        Affine { offset, terms: Terms::new() }
    }

    /// One axis.
    #[must_use]
    pub fn axis(axis: Axis) -> Affine {
        Affine { offset: 0, terms: smallvec![(axis, 1)] }
    }

    /// From terms in any order, with repeats and zeros.
    pub fn new(offset: i64, terms: impl IntoIterator<Item = (Axis, i64)>) -> Affine {
        let mut all = Terms::new();
        for (axis, coefficient) in terms {
            match all.binary_search_by_key(&axis, |(known, _)| *known) {
                Ok(at) => all[at].1 += coefficient,
                Err(at) => all.insert(at, (axis, coefficient)),
            }
        }
        all.retain(|(_, coefficient)| *coefficient != 0);
        Affine { offset, terms: all }
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(&self, other: &Affine) -> Affine {
        Affine::new(self.offset + other.offset, self.terms.iter().chain(&other.terms).copied())
    }

    /// A multiple.
    #[must_use]
    pub fn times(&self, factor: i64) -> Affine {
        Affine::new(self.offset * factor, self.terms.iter().map(|(axis, by)| (*axis, by * factor)))
    }

    /// Its value at a point.
    #[must_use]
    pub fn at(&self, point: &[u32]) -> i64 {
        let terms = self.terms.iter();
        self.offset
            + terms.map(|(axis, by)| by * i64::from(point[usize::from(axis.0)])).sum::<i64>()
    }

    /// Every axis replaced by an affine function of other axes.
    #[must_use]
    pub fn substitute(&self, by: &impl Fn(Axis) -> Affine) -> Affine {
        self.terms.iter().fold(Affine::constant(self.offset), |sum, (axis, factor)| {
            sum.plus(&by(*axis).times(*factor))
        })
    }

    /// The smallest and largest value over a box.
    #[must_use]
    pub fn range(&self, sizes: &[u32]) -> (i64, i64) {
        self.terms.iter().fold((self.offset, self.offset), |(low, high), (axis, by)| {
            let last = by * (i64::from(sizes[usize::from(axis.0)]) - 1);
            (low + last.min(0), high + last.max(0))
        })
    }

    /// The axis, if this is one bare axis.
    #[must_use]
    pub fn as_axis(&self) -> Option<Axis> {
        match self.terms[..] {
            [(axis, 1)] if self.offset == 0 => Some(axis),
            _ => None,
        }
    }

    /// The number, if no axis occurs.
    #[must_use]
    pub fn as_constant(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.offset)
    }
}

impl Index {
    /// One bare axis.
    #[must_use]
    pub fn axis(axis: usize) -> Index {
        Index::Affine(Affine::axis(Axis(axis as u8)))
    }
}

impl Index {
    /// Its value at a point; `None` for a gather, which depends on data.
    #[must_use]
    pub fn at(&self, point: &[u32]) -> Option<i64> {
        match self {
            Index::Affine(of) => Some(of.at(point)),
            Index::Digit { of, step, radix } => {
                Some(of.at(point).div_euclid(i64::from(*step)).rem_euclid(i64::from(*radix)))
            }
            Index::Value(_) => None,
        }
    }

    /// The operand whose value this is.
    #[must_use]
    pub fn port(&self) -> Option<Port> {
        match self {
            Index::Value(port) => Some(*port),
            Index::Affine(_) | Index::Digit { .. } => None,
        }
    }

    /// The affine function of axes inside, if the index is no value of an operand.
    #[must_use]
    pub fn affine(&self) -> Option<&Affine> {
        match self {
            Index::Affine(of) | Index::Digit { of, .. } => Some(of),
            Index::Value(_) => None,
        }
    }

    /// The axis, if this is one bare axis.
    #[must_use]
    pub fn as_axis(&self) -> Option<Axis> {
        match self {
            Index::Affine(of) => of.as_axis(),
            Index::Digit { .. } | Index::Value(_) => None,
        }
    }
}

impl Cond {
    /// The axes that occur, with repeats.
    pub fn axes(&self) -> impl Iterator<Item = Axis> {
        let left = self.left.affine().into_iter();
        left.chain([&self.right]).flat_map(|side| side.terms.iter().map(|(axis, _)| *axis))
    }
}

impl Access {
    /// Axis k of the operand is axis k of the reader, for the first `rank` axes.
    #[must_use]
    pub fn identity(rank: usize) -> Access {
        Access((0..rank).map(Index::axis).collect())
    }

    /// The operands that indices refer to, in order.
    pub fn ports(&self) -> impl Iterator<Item = Port> {
        self.0.iter().filter_map(Index::port)
    }

    /// Whether this is the identity on `rank` axes.
    #[must_use]
    pub fn is_identity(&self, rank: usize) -> bool {
        self.0.len() == rank
            && self.0.iter().enumerate().all(|(at, index)| *index == Index::axis(at))
    }
}
