//! What runs for one node.
//!
//! In: a node, where its operands live and how they are read. Out: a [`Kernel`] with everything
//! that depends on no data worked out. Invariant: a kernel writes exactly the points of its node's
//! space, so points outside keep the 0 they were made with.

use crate::backend::domain::{Domain, row_major};
use crate::backend::float::Float;
use crate::graph::{
    Access, Affine, Axis, Cond, Fold, Graph, Index, Leaf, Node, NodeId, Op, Operand, Port, Rel,
};
use crate::op::{Scalar, scalar};

use super::contract::Contract;
use super::fold::{Check, Scatter, Segments, Solved, Whole};
use super::line::{self, Along, Arm, Copies, Recur, Run};
use super::map::{Map, Walk};
use super::nest;
use super::place::{Listed, Reader, Regions, Slot, Strided};

/// The work of one node.
#[derive(Clone, Debug)]
pub(super) enum Kernel {
    /// Filled from outside, or without any point.
    Nothing,
    /// A number at every point listed.
    Fill(Vec<u32>, f64),
    /// A number a point listed.
    Number(Vec<(u32, f64)>),
    /// A scalar function.
    Map(Map),
    /// A fold of a strided view.
    Fold(Whole),
    /// A fold over listed points.
    Segments(Segments),
    /// A sum of products that are not stored.
    Contract(Contract),
    /// A fold whose points depend on data.
    Scatter(Box<Scatter>),
    /// A recurrence.
    Recur(Box<Recur>),
    /// A join.
    Join(Vec<Arm>),
    /// A whole-axis primitive.
    Opaque(line::Whole),
}

impl Kernel {
    /// Evaluates.
    #[inline]
    pub(super) fn run<F: Float>(
        &self,
        out: &mut [F],
        regions: Regions<'_, F>,
        spare: &mut [Vec<u32>; 3],
    ) {
        match self {
            Kernel::Nothing => {}
            Kernel::Fill(list, value) => {
                list.iter().for_each(|at| out[*at as usize] = F::of(*value));
            }
            Kernel::Number(list) => {
                list.iter().for_each(|(at, value)| out[*at as usize] = F::of(*value));
            }
            Kernel::Map(map) => map.run(out, regions, spare),
            Kernel::Fold(fold) => fold.run(out, regions),
            Kernel::Segments(segments) => segments.run(out, regions, spare),
            Kernel::Contract(contract) => contract.run(out, regions),
            Kernel::Scatter(scatter) => scatter.run(out, regions, spare),
            Kernel::Recur(recur) => recur.run(out, regions, spare),
            Kernel::Join(arms) => arms.iter().for_each(|arm| arm.run(out, regions, spare)),
            Kernel::Opaque(whole) => whole.run(out, regions),
        }
    }
}

/// The product that a sum contracts instead of reading it, by the node of the sum.
pub(super) type Contracted = Option<NodeId>;

/// Makes the kernel of a node.
pub(super) fn compile(
    graph: &Graph,
    slots: &[Slot],
    id: NodeId,
    contracted: Contracted,
    accumulate: bool,
) -> Kernel {
    let node = graph.node(id);
    let operands = graph.operands(id);
    let reader = Reader { graph, slots, operands: &operands };
    let space = Domain::new(&node.space.sizes, &node.space.when);
    if space.len() == 0 {
        return Kernel::Nothing;
    }
    match &node.op {
        Op::Leaf(leaf) => compile_leaf(leaf, &space),
        Op::Map(scalar) => Kernel::Map(compile_map(*scalar, reader, &space, accumulate)),
        Op::Reduce { fold, over, when } => match contracted {
            Some(product) => compile_contraction(graph, slots, product, node, over),
            None => compile_fold(reader, node, *fold, over, when),
        },
        Op::Recur { along, toward, start } => {
            let full = Domain { sizes: space.sizes.clone(), list: None };
            Kernel::Recur(Box::new(Recur {
                along: Along::new(&full.sizes, usize::from(along.0)),
                toward: *toward,
                start: start.value(),
                slots: [reader.slot(Port(0)), reader.slot(Port(1))],
                reads: [reader.listed(Port(0), &full), reader.listed(Port(1), &full)],
                inside: inside(&space),
            }))
        }
        Op::Join => Kernel::Join(compile_join(reader, node)),
        Op::Opaque { op, along } => Kernel::Opaque(line::Whole {
            op: *op,
            slot: reader.slot(Port(0)),
            from: Along::new(reader.sizes(Port(0)), usize::from(along.0)),
            to: Along::new(&node.space.sizes, usize::from(along.0)),
            inside: inside(&space),
        }),
    }
}

/// Which points of the box a domain visits; `None` for all.
fn inside(domain: &Domain) -> Option<Vec<bool>> {
    let list = domain.list.as_ref()?;
    let mut inside = vec![false; domain.box_len()];
    list.iter().for_each(|at| inside[*at as usize] = true);
    Some(inside)
}

fn compile_leaf(leaf: &Leaf, space: &Domain) -> Kernel {
    match leaf {
        Leaf::Input(_) | Leaf::Param(_) | Leaf::Prev(_) | Leaf::Seed(_) => Kernel::Nothing,
        Leaf::Const(bits) => Kernel::Fill(places(space), bits.value()),
        Leaf::Axis(axis) => {
            let mut list = Vec::new();
            space.each(|at, point| list.push((at as u32, f64::from(point[usize::from(axis.0)]))));
            Kernel::Number(list)
        }
    }
}

fn places(domain: &Domain) -> Vec<u32> {
    match &domain.list {
        Some(list) => list.clone(),
        None => (0..domain.box_len() as u32).collect(),
    }
}

fn compile_map(scalar: Scalar, reader: Reader<'_>, space: &Domain, accumulate: bool) -> Map {
    let ports: Vec<Port> = (0..scalar.row().takes.len()).map(|port| Port(port as u8)).collect();
    let slots = ports.iter().map(|port| reader.slot(*port)).collect();
    let views: Option<Vec<Strided>> =
        ports.iter().map(|port| reader.strided(*port, space)).collect();
    let walk = match views {
        Some(views) => {
            let loops = nest::loops(&space.sizes, 0..space.sizes.len(), &views);
            let (outer, inner) = nest::innermost(loops);
            Walk::Nest { outer, inner, bases: nest::bases(&views) }
        }
        None => Walk::List {
            out: space.list.clone(),
            reads: ports.iter().map(|port| reader.listed(*port, space)).collect(),
        },
    };
    Map { scalar, slots, walk, accumulate }
}

/// Sizes of a node's space followed by those it folds over.
pub(super) fn scope(node: &Node, over: &[u32]) -> Vec<u32> {
    node.space.sizes.iter().chain(over).copied().collect()
}

fn compile_contraction(
    graph: &Graph,
    slots: &[Slot],
    product: NodeId,
    node: &Node,
    over: &[u32],
) -> Kernel {
    let operands = graph.operands(product);
    let reader = Reader { graph, slots, operands: &operands };
    let domain = Domain { sizes: scope(node, over), list: None };
    let sources = [reader.slot(Port(0)), reader.slot(Port(1))];
    let views = [reader.strided(Port(0), &domain), reader.strided(Port(1), &domain)];
    if let [Some(first), Some(second)] = views {
        let views = [first, second];
        let rank = node.space.rank();
        let out = nest::loops(&domain.sizes, 0..rank, &views);
        let sum = nest::loops(&domain.sizes, rank..domain.sizes.len(), &views);
        return Kernel::Contract(Contract::new(sources, nest::bases(&views), out, sum));
    }
    let each: usize = over.iter().map(|size| *size as usize).product();
    let out = domain_of(node);
    Kernel::Segments(Segments {
        fold: Fold::Sum,
        slots: sources.to_vec(),
        reads: vec![reader.listed(Port(0), &domain), reader.listed(Port(1), &domain)],
        ends: (1..=out.len()).map(|count| (count * each) as u32).collect(),
        out: places(&out),
    })
}

fn domain_of(node: &Node) -> Domain {
    Domain::new(&node.space.sizes, &node.space.when)
}

fn compile_fold(
    reader: Reader<'_>,
    node: &Node,
    fold: Fold,
    over: &[u32],
    when: &[Cond],
) -> Kernel {
    if when.iter().any(|cond| matches!(cond.left, Index::Value(_))) {
        return Kernel::Scatter(Box::new(compile_scatter(reader, node, fold, over, when)));
    }
    let sizes = scope(node, over);
    let domain = Domain::new(&sizes, node.space.when.iter().chain(when));
    let slot = reader.slot(Port(0));
    if let Some(view) = reader.strided(Port(0), &domain) {
        let views = [view];
        let rank = node.space.rank();
        let (outer, inner) = nest::innermost(nest::loops(&sizes, 0..rank, &views));
        let over = nest::loops(&sizes, rank..sizes.len(), &views);
        return Kernel::Fold(Whole { fold, slot, bases: nest::bases(&views), outer, inner, over });
    }
    let out = places(&domain_of(node));
    let each: usize = over.iter().map(|size| *size as usize).product();
    let mut ends = vec![0; out.len()];
    let mut value = 0;
    let mut count = 0;
    domain.each(|at, _| {
        // Points come in row-major order, so those of one value follow each other.
        while out[value] as usize != at / each {
            ends[value] = count;
            value += 1;
        }
        count += 1;
    });
    ends[value..].fill(count);
    let reads = vec![reader.listed(Port(0), &domain)];
    Kernel::Segments(Segments { fold, slots: vec![slot], reads, out, ends })
}

/// The axis a condition `value == axis` solves for, if it is of that form.
fn solvable(cond: &Cond) -> Option<(Port, Axis)> {
    match (&cond.left, cond.rel) {
        (Index::Value(port), Rel::Eq) => Some((*port, cond.right.as_axis()?)),
        (Index::Value(_) | Index::Affine(_) | Index::Digit { .. }, _) => None,
    }
}

fn mentions(affine: &Affine, axis: Axis) -> bool {
    affine.terms.iter().any(|(term, _)| *term == axis)
}

/// An access with a solved axis replaced by the value it equals; `None` where it occurs otherwise.
fn solve(access: &Access, axis: Axis, port: Port) -> Option<Access> {
    let indices = access.0.iter().map(|index| match index {
        Index::Affine(affine) if affine.as_axis() == Some(axis) => Some(Index::Value(port)),
        Index::Affine(affine) => (!mentions(affine, axis)).then(|| index.clone()),
        Index::Digit { of, .. } => (!mentions(of, axis)).then(|| index.clone()),
        Index::Value(_) => Some(index.clone()),
    });
    Some(Access(indices.collect::<Option<Vec<Index>>>()?))
}

/// Whether an operand is read in a way that depends on an axis, gathers followed.
fn reads_along(reader: Reader<'_>, port: Port, axis: Axis) -> bool {
    let access = &reader.operand(port).1.access;
    access.0.iter().any(|index| match index {
        Index::Affine(affine) => mentions(affine, axis),
        Index::Digit { of, .. } => mentions(of, axis),
        Index::Value(port) => reads_along(reader, *port, axis),
    })
}

/// The conditions solved, and the access to operand 0 that remains; nothing if not all can be.
fn solve_all(
    reader: Reader<'_>,
    node: &Node,
    when: &[Cond],
) -> Option<(Vec<(Port, Axis)>, Access)> {
    let values = when.iter().filter(|cond| matches!(cond.left, Index::Value(_)));
    let solved: Vec<(Port, Axis)> = values.map(solvable).collect::<Option<_>>()?;
    let mut access = reader.operand(Port(0)).1.access.clone();
    for (at, (port, axis)) in solved.iter().enumerate() {
        let repeated = solved[..at].iter().any(|(_, other)| other == axis);
        let read = solved.iter().any(|(port, _)| reads_along(reader, *port, *axis));
        let gathered = access.0.iter().any(|index| match index {
            Index::Affine(_) | Index::Digit { .. } => false,
            Index::Value(port) => reads_along(reader, *port, *axis),
        });
        let fixed = node.space.when.iter().chain(when).any(|cond| match &cond.left {
            Index::Affine(affine) => mentions(affine, *axis) || mentions(&cond.right, *axis),
            Index::Digit { of, .. } => mentions(of, *axis) || mentions(&cond.right, *axis),
            Index::Value(_) => false,
        });
        if repeated || read || gathered || fixed {
            return None;
        }
        access = solve(&access, *axis, *port)?;
    }
    Some((solved, access))
}

fn compile_scatter(
    reader: Reader<'_>,
    node: &Node,
    fold: Fold,
    over: &[u32],
    when: &[Cond],
) -> Scatter {
    let mut sizes = scope(node, over);
    let rank = node.space.rank();
    let steps = row_major(&node.space.sizes);
    let solution = solve_all(reader, node, when);
    let axes = sizes.clone();
    // A solved axis keeps one point, which the value then moves.
    for (_, axis) in solution.iter().flat_map(|(solved, _)| solved) {
        sizes[usize::from(axis.0)] = 1;
    }
    let domain = Domain::new(&sizes, node.space.when.iter().chain(when));
    let mut out = Vec::with_capacity(domain.len());
    domain.each(|_, point| {
        out.push(steps.iter().zip(point).map(|(step, at)| *step as u32 * at).sum());
    });
    let own = reader.operand(Port(0)).1.access.clone();
    let (solved, access) = solution.clone().unwrap_or((Vec::new(), own));
    let solved = solved.into_iter().map(|(port, axis)| {
        let axis = usize::from(axis.0);
        let by = if axis < rank { steps[axis] as u32 } else { 0 };
        Solved { slot: reader.slot(port), at: reader.listed(port, &domain), by, size: axes[axis] }
    });
    let checks = when.iter().filter(|_| solution.is_none()).filter_map(|cond| match &cond.left {
        Index::Affine(_) | Index::Digit { .. } => None,
        Index::Value(port) => {
            let mut right = Vec::with_capacity(domain.len());
            domain.each(|_, point| right.push(cond.right.at(point)));
            let at = reader.listed(*port, &domain);
            Some(Check { slot: reader.slot(*port), at, rel: cond.rel, right })
        }
    });
    Scatter {
        fold,
        slot: reader.slot(Port(0)),
        read: reader.listed_by(&access, reader.sizes(Port(0)), &domain),
        out,
        solved: solved.collect(),
        checks: checks.collect(),
        inside: domain_of(node).list,
    }
}

fn compile_join(reader: Reader<'_>, node: &Node) -> Vec<Arm> {
    let arms = reader.operands.iter().filter(|(_, operand)| !indexes(reader, operand.port));
    arms.filter_map(|(_, operand)| {
        let conds = node.space.when.iter().chain(&operand.when);
        let domain = Domain::new(&node.space.sizes, conds);
        if domain.len() == 0 {
            return None;
        }
        let at = reader.listed(operand.port, &domain);
        Some(Arm { slot: reader.slot(operand.port), copies: copies(&domain, at) })
    })
    .collect()
}

/// Whether a port of a join holds positions for another port, rather than an arm.
fn indexes(reader: Reader<'_>, port: Port) -> bool {
    let by = |operand: &Operand| operand.access.0.contains(&Index::Value(port));
    reader.operands.iter().any(|(_, operand)| by(operand))
}

fn copies(domain: &Domain, at: Listed) -> Copies {
    let places = places(domain);
    match at.as_static() {
        Some(from) => Copies::Runs(Run::list(places.iter().copied(), from)),
        None => Copies::Gather(places, at),
    }
}

/// A copy of a whole value as seen through an access without gathers, for roots.
pub(super) fn compile_read(access: &Access, from: &[u32], sizes: &[u32], slot: Slot) -> Arm {
    let domain = Domain { sizes: sizes.to_vec(), list: None };
    let graph = Graph::default();
    let reader = Reader { graph: &graph, slots: &[], operands: &[] };
    let at = reader.listed_by(access, from, &domain);
    Arm { slot, copies: copies(&domain, at) }
}

/// The product that a sum may contract: one without conditions, which nobody else reads.
pub(super) fn contractible(graph: &Graph, id: NodeId, uses: &[usize]) -> Contracted {
    let node = graph.node(id);
    let Op::Reduce { fold: Fold::Sum, over, when } = &node.op else { return None };
    let operands = graph.operands(id);
    let [(product, operand)] = operands[..] else { return None };
    let factor = graph.node(product);
    let sizes = scope(node, over);
    let plain = when.is_empty() && node.space.when.is_empty() && factor.space.when.is_empty();
    let whole = operand.access.is_identity(sizes.len()) && factor.space.sizes == sizes;
    let alone = uses[product.0 as usize] == 1;
    (plain && whole && alone && factor.op == Op::Map(scalar::MUL)).then_some(product)
}
