//! The laws of the graph, checked. What passes here, a backend can run.
//!
//! In: any graph, however it was made. Out: nothing, or the first node that breaks a law and a
//! sentence that says how. Invariant: no read of a verified graph leaves its operand, and every value
//! read exists.
//!
//! Note: guards. A read is checked at the points where it happens: inside the conditions of the
//! reader's space; for an arm of a `Join` inside the arm's conditions; for the operand of a `Reduce`
//! inside its conditions. An operand that only an index refers to is read wherever the reader
//! exists, or, if it carries conditions itself (in a `Join`), inside those; then the arm that uses
//! it must imply them.

use std::collections::{BTreeMap, BTreeSet};

use super::prove::{Domain, Test};
use super::{
    Access, Affine, Axis, Cond, Graph, Index, Key, NodeId, Op, Operand, Path, Port, Read, Rel,
    Type, types,
};
use crate::op::Opaque;

/// A broken law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The node that breaks it, or that a root reads.
    pub node: NodeId,
    /// What is wrong, in one sentence.
    pub sentence: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "node {}: {}", self.node.0, self.sentence)
    }
}

impl std::error::Error for Violation {}

type Checked = Result<(), String>;

fn require(holds: bool, sentence: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(sentence()) }
}

/// Numbers in affine functions, and their products with sizes, stay below this, so that no sum of
/// products of two of them overflows.
const LARGEST: i64 = 1 << 30;

/// Axes, digits and gathered indices of one node; an [`Axis`] has eight bits.
const MOST_AXES: usize = 100;

/// Checks every law at the top of [`super`].
///
/// # Errors
/// The first node, in order, that breaks a law.
pub fn verify(graph: &Graph) -> Result<(), Violation> {
    let mut known = BTreeMap::new();
    for id in graph.ids() {
        let violation = |sentence| Violation { node: id, sentence };
        check_node(graph, id).map_err(violation)?;
        if let Some(twin) = known.insert(Key::of(graph, id), id) {
            return Err(violation(format!("it is the same as node {}", twin.0)));
        }
    }
    let mut last: Option<&Path> = None;
    for (path, read) in &graph.roots {
        let violation = |sentence| Violation { node: read.node, sentence };
        check_root(graph, read).map_err(|text| violation(format!("root `{path}`: {text}")))?;
        if last.is_some_and(|last| last >= path) {
            return Err(violation(format!("root `{path}` stands out of order, or twice")));
        }
        last = Some(path);
    }
    Ok(())
}

/// The graph, which keeps every law; `made` says what made it. Debug builds check that.
///
/// # Panics
/// In debug builds, with the printed graph, if a law is broken.
#[must_use]
pub fn verified(graph: Graph, made: &str) -> Graph {
    if cfg!(debug_assertions)
        && let Err(violation) = verify(&graph)
    {
        panic!(
            "internal error: graph invalid after {made}: {violation}\n{}",
            super::text::print(&graph)
        );
    }
    graph
}

fn check_node(graph: &Graph, id: NodeId) -> Checked {
    check_ports(graph, id)?;
    check_forms(graph, id)?;
    check_values(graph, id)?;
    types::check(graph, id)?;
    check_reads(graph, id)?;
    match &graph.node(id).op {
        Op::Join => check_partition(graph, id),
        Op::Recur { along, .. } => check_whole(graph, id, *along),
        Op::Opaque { op, along } => check_opaque(graph, id, *op, *along),
        Op::Leaf(_) | Op::Map(_) | Op::Reduce { .. } => Ok(()),
    }
}

// ---- order, ports, normal forms ---------------------------------------------------------------

fn check_ports(graph: &Graph, id: NodeId) -> Checked {
    let operands = graph.operands(id);
    for (at, (from, operand)) in operands.iter().enumerate() {
        require(usize::from(operand.port.0) == at, || {
            format!("port {at} is missing or taken twice")
        })?;
        require(*from < id, || format!("operand {at} comes after its user"))?;
        let rank = graph.node(*from).space.rank();
        require(operand.access.0.len() == rank, || {
            let given = operand.access.0.len();
            format!("operand {at} has {rank} axes but is read at {given} indices")
        })?;
        let joined = graph.node(id).op == Op::Join;
        require(joined || operand.when.is_empty(), || {
            format!("operand {at} has conditions, which only an arm of a join may have")
        })?;
    }
    let arity = graph.arity(id);
    require(operands.len() >= arity, || {
        format!("it needs {arity} operands and has {}", operands.len())
    })?;
    let arms = arity > 0 || graph.node(id).op != Op::Join;
    require(arms, || "a join needs an arm".to_owned())
}

fn check_forms(graph: &Graph, id: NodeId) -> Checked {
    let node = graph.node(id);
    let scope = graph.scope(id);
    require(scope.len() <= MOST_AXES, || format!("it has {} axes", scope.len()))?;
    check_conditions(&node.space.when, &node.space.sizes)?;
    if let Op::Reduce { when, .. } = &node.op {
        check_conditions(when, &scope)?;
    }
    for (_, operand) in graph.operands(id) {
        check_access(&operand.access, &scope)?;
        check_conditions(&operand.when, &scope)?;
    }
    Ok(())
}

fn check_conditions(conditions: &[Cond], sizes: &[u32]) -> Checked {
    conditions.iter().try_for_each(|cond| {
        check_index(&cond.left, sizes)?;
        check_affine(&cond.right, sizes)
    })
}

fn check_access(access: &Access, sizes: &[u32]) -> Checked {
    access.0.iter().try_for_each(|index| check_index(index, sizes))
}

fn check_index(index: &Index, sizes: &[u32]) -> Checked {
    match index {
        Index::Affine(of) => check_affine(of, sizes),
        Index::Digit { of, step, radix } => {
            let sized = (1..LARGEST).contains(&i64::from(*step))
                && (1..LARGEST).contains(&i64::from(*radix));
            require(sized, || format!("a digit with step {step} and radix {radix}"))?;
            check_affine(of, sizes)
        }
        Index::Value(_) => Ok(()),
    }
}

fn check_affine(affine: &Affine, sizes: &[u32]) -> Checked {
    let sorted = affine.terms.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let sparse = affine.terms.iter().all(|(_, by)| *by != 0);
    require(sorted && sparse, || "an index is not in its normal form".to_owned())?;
    let inside = affine.terms.iter().all(|(axis, _)| usize::from(axis.0) < sizes.len());
    require(inside, || "an index refers to an axis that the scope lacks".to_owned())?;
    let moderate = affine.terms.iter().all(|(axis, by)| {
        let size = i64::from(sizes[usize::from(axis.0)].max(1));
        by.checked_abs().and_then(|by| by.checked_mul(size)).is_some_and(|reach| reach < LARGEST)
    });
    let small = moderate && affine.offset.checked_abs().is_some_and(|offset| offset < LARGEST);
    require(small, || "a number in an index is too large".to_owned())
}

// ---- gathered indices -------------------------------------------------------------------------

fn check_values(graph: &Graph, id: NodeId) -> Checked {
    let node = graph.node(id);
    let operands = graph.operands(id);
    let mut referred: BTreeSet<Port> =
        operands.iter().flat_map(|(_, o)| o.access.ports()).collect();
    let gathered = |conditions: &[Cond]| conditions.iter().any(|cond| cond.left.port().is_some());
    require(!gathered(&node.space.when), || "its space depends on a value".to_owned())?;
    let arms = operands.iter().any(|(_, operand)| gathered(&operand.when));
    require(!arms, || "the condition of an arm depends on a value".to_owned())?;
    if let Op::Reduce { when, .. } = &node.op {
        referred.extend(when.iter().filter_map(|cond| cond.left.port()));
    }
    for port in &referred {
        let at = usize::from(port.0);
        require(at >= graph.arity(id) && at < operands.len(), || {
            format!("an index refers to port {at}, which is no index operand")
        })?;
        require(below(graph, operands[at].0).is_some(), || {
            let ty = types::name(graph.node(operands[at].0).ty);
            format!("operand {at} is {ty}, so it cannot be an index")
        })?;
    }
    require(graph.arity(id) + referred.len() == operands.len(), || {
        format!("it has {} operands, some of which nothing uses", operands.len())
    })?;
    check_acyclic(&operands)
}

fn below(graph: &Graph, node: NodeId) -> Option<u32> {
    match graph.node(node).ty {
        Type::Index { below, .. } => Some(below),
        Type::Real | Type::Bool | Type::Int => None,
    }
}

/// No index may wait for itself. Every port referred to exists.
fn check_acyclic(operands: &[(NodeId, &Operand)]) -> Checked {
    let mut ready = vec![false; operands.len()];
    for _ in 0..operands.len() {
        for (at, (_, operand)) in operands.iter().enumerate() {
            ready[at] = operand.access.ports().all(|port| ready[usize::from(port.0)]);
        }
    }
    require(ready.iter().all(|ready| *ready), || "an index depends on itself".to_owned())
}

// ---- reads ------------------------------------------------------------------------------------

/// The points of a node's scope, and the variables that stand for gathered indices.
struct Points {
    domain: Domain,
    values: BTreeMap<Port, Affine>,
}

impl Points {
    fn of(graph: &Graph, id: NodeId) -> Points {
        let mut domain = Domain::of(&graph.scope(id));
        let mut values = BTreeMap::new();
        for (from, operand) in graph.operands(id).into_iter().skip(graph.arity(id)) {
            if let Some(below) = below(graph, from) {
                values.insert(operand.port, domain.free(below));
            }
        }
        let mut points = Points { domain, values };
        points.assume(&graph.node(id).space.when);
        points
    }

    fn clone_with(&self, conditions: &[Cond]) -> Points {
        let mut points = Points { domain: self.domain.clone(), values: self.values.clone() };
        points.assume(conditions);
        points
    }

    fn assume(&mut self, conditions: &[Cond]) {
        for cond in conditions {
            let test = self.test(cond, &Affine::axis);
            self.domain.assume(test);
        }
    }

    /// The index as a function of the variables.
    fn number(&mut self, index: &Index, axes: &impl Fn(Axis) -> Affine) -> Affine {
        match index {
            Index::Affine(of) => of.substitute(axes),
            Index::Digit { of, step, radix } => {
                let of = of.substitute(axes);
                self.domain.digit(of, *step, *radix)
            }
            Index::Value(port) => self.values[port].clone(),
        }
    }

    fn test(&mut self, cond: &Cond, axes: &impl Fn(Axis) -> Affine) -> Test {
        let left = self.number(&cond.left, axes);
        Test::new(&left, cond.rel, &cond.right.substitute(axes))
    }

    /// Checks one read: each index inside, and the value there.
    fn check(mut self, graph: &Graph, from: NodeId, access: &Access) -> Checked {
        let space = &graph.node(from).space;
        let mut at = Vec::new();
        for (axis, (index, size)) in access.0.iter().zip(&space.sizes).enumerate() {
            let number = self.number(index, &Affine::axis);
            let size = Affine::constant(i64::from(*size));
            let inside = self.domain.proves(&Test::new(&number, Rel::Ge, &Affine::constant(0)))
                && self.domain.proves(&Test::new(&number, Rel::Lt, &size));
            require(inside, || {
                format!("node {} is read outside 0..{} of its axis {axis}", from.0, size.offset)
            })?;
            at.push(number);
        }
        let place = |axis: Axis| at[usize::from(axis.0)].clone();
        for cond in &space.when {
            let test = self.test(cond, &place);
            require(self.domain.proves(&test), || {
                format!("node {} is read where it does not exist", from.0)
            })?;
        }
        Ok(())
    }
}

/// Counts the variables a read may need, so that they fit an [`Axis`].
fn check_budget(graph: &Graph, id: NodeId) -> Checked {
    let conditions = |node: NodeId| graph.node(node).space.when.len();
    let mut most = 0;
    let operands = graph.operands(id);
    for (from, operand) in &operands {
        let local = operand.access.0.len() + operand.when.len() + conditions(*from);
        most = most.max(local);
    }
    let arms: usize = operands.iter().map(|(_, operand)| operand.when.len()).sum();
    let own = match &graph.node(id).op {
        Op::Reduce { when, .. } => when.len(),
        Op::Leaf(_) | Op::Map(_) | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => arms,
    };
    let total = graph.scope(id).len() + operands.len() + conditions(id) + own + most;
    require(total <= usize::from(u8::MAX), || {
        "it has too many axes, operands and conditions".to_owned()
    })
}

fn check_reads(graph: &Graph, id: NodeId) -> Checked {
    check_budget(graph, id)?;
    let points = Points::of(graph, id);
    let operands = graph.operands(id);
    let counted: Vec<Cond> = match &graph.node(id).op {
        Op::Reduce { when, .. } => when.clone(),
        Op::Leaf(_) | Op::Map(_) | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => Vec::new(),
    };
    let still = |cond: &&Cond| cond.left.port().is_none();
    let fixed: Vec<Cond> = counted.iter().filter(still).cloned().collect();
    for (at, (from, operand)) in operands.iter().enumerate() {
        if matches!(graph.node(id).op, Op::Opaque { .. }) {
            continue;
        }
        let counted = if at < graph.arity(id) { &counted } else { &fixed };
        let mut here = points.clone_with(counted);
        here.assume(&operand.when);
        for port in operand.access.ports() {
            let needed = &operands[usize::from(port.0)].1.when;
            let tests: Vec<Test> =
                needed.iter().map(|cond| here.test(cond, &Affine::axis)).collect();
            require(tests.iter().all(|test| here.domain.proves(test)), || {
                format!("operand {at} uses index {} where it is not read", port.0)
            })?;
        }
        here.check(graph, *from, &operand.access)
            .map_err(|text| format!("operand {at}: {text}"))?;
    }
    Ok(())
}

fn check_root(graph: &Graph, read: &Read) -> Checked {
    require((read.node.0 as usize) < graph.len(), || "it reads an absent node".to_owned())?;
    let rank = graph.node(read.node).space.rank();
    require(read.access.0.len() == rank && read.sizes.len() <= MOST_AXES, || {
        format!("a node of {rank} axes is read at {} indices", read.access.0.len())
    })?;
    check_access(&read.access, &read.sizes)?;
    require(read.access.ports().next().is_none(), || "it reads at an index value".to_owned())?;
    let points = Points { domain: Domain::of(&read.sizes), values: BTreeMap::new() };
    points.check(graph, read.node, &read.access)
}

// ---- ops with laws of their own ---------------------------------------------------------------

fn check_partition(graph: &Graph, id: NodeId) -> Checked {
    let mut points = Points::of(graph, id);
    let mut arms = Vec::new();
    for (_, operand) in graph.operands(id).into_iter().take(graph.arity(id)) {
        let tests = operand.when.iter().map(|cond| points.test(cond, &Affine::axis));
        arms.push(tests.collect::<Vec<_>>());
    }
    if let Some((one, two)) = points.domain.overlap(&arms) {
        return Err(format!("arms {one} and {two} of the join may overlap"));
    }
    require(points.domain.covered(&arms), || {
        "the arms of the join do not provably cover its space".to_owned()
    })
}

fn mentions(conditions: &[Cond], along: Axis) -> bool {
    conditions.iter().any(|cond| cond.axes().any(|axis| axis == along))
}

fn check_whole(graph: &Graph, id: NodeId, along: Axis) -> Checked {
    let space = &graph.node(id).space;
    require(usize::from(along.0) < space.rank(), || "it has no such axis".to_owned())?;
    require(!mentions(&space.when, along), || "it does not exist along its whole axis".to_owned())
}

fn check_opaque(graph: &Graph, id: NodeId, op: Opaque, along: Axis) -> Checked {
    check_whole(graph, id, along)?;
    let node = graph.node(id);
    let (from, operand) = graph.operands(id)[0];
    let taken = &graph.node(from).space;
    require(!mentions(&taken.when, along), || "its operand has gaps along the axis".to_owned())?;
    require(operand.access.is_identity(node.space.rank()), || {
        "it does not read its operand as it is".to_owned()
    })?;
    for (at, (own, size)) in node.space.sizes.iter().zip(&taken.sizes).enumerate() {
        let expected = if at == usize::from(along.0) { op.size(*size) } else { *size };
        require(*own == expected && expected <= *size, || {
            format!("axis {at} has size {own}, from an operand of size {size}")
        })?;
    }
    // Off the axis the operand must exist wherever the result does.
    let points = Points::of(graph, id);
    let sized = Access::identity(node.space.rank());
    points.check(graph, from, &sized)
}
