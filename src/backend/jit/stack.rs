//! Small products that share a factor, stacked into one.
//!
//! In: a graph. Out: the same graph, in which products of several matrices of parameters with one vector are one
//! product with all their rows, and so are the products with their columns whose results are added up. A head has a
//! dozen vectors of a few numbers, each an affine map of the controller's output; one by one they are calls of
//! a few rows. Invariant: every value is there as before, as a part of a longer one; only the order in which
//! a sum of several products is added up changes.

use std::collections::BTreeMap;

use crate::backend::domain::unravel;
use crate::graph::{
    Access, Affine, Axis, Builder, Cond, Fold, Graph, Index, Leaf, NodeId, Op, Operand, Origin,
    Path, Port, Read, Rel, Space, Type,
};
use crate::op::scalar;

use super::aligned::whole as whole_lines;
use super::emit::row_major;
use super::layout::LONG;
use super::product::{affine, compose};

/// The most terms of a product, in all, that is worth being stacked.
const MOST_TERMS: u64 = 1 << 13;

/// The most lines of a stack, each of which is copied on its own.
const MOST_LINES: u32 = 32;

/// Products of some matrices with one vector.
#[derive(Debug)]
struct Stack {
    /// The vector, and its length.
    input: NodeId,
    terms: u32,
    /// Each a matrix and the product.
    members: Vec<Member>,
    /// The products with the columns of the same matrices, if they are added up and no one reads them otherwise: in the
    /// order of the members, each the vector it is made with and the product.
    back: Option<Vec<(NodeId, NodeId)>>,
}

#[derive(Clone, Debug)]
struct Member {
    weight: NodeId,
    product: NodeId,
    /// Sizes of the product, its first row in the stack, and how many it has.
    sizes: Vec<u32>,
    first: u32,
    rows: u32,
}

impl Member {
    /// Rows that lie along its last axis, and how many such lines there are.
    fn lines(&self) -> (u32, u32) {
        let line = self.sizes.last().copied().unwrap_or(1);
        (line, self.rows / line.max(1))
    }
}

/// Two factors, each with where it is read over the axes of a sum.
type Factors = [(NodeId, Vec<Affine>); 2];

/// What readers of an old node read.
#[derive(Clone, Copy, Debug)]
enum Image {
    Node(NodeId),
    /// Rows of a stacked product, from that one on.
    Rows(NodeId, u32),
    /// Nothing: it is a part of another sum.
    Gone,
}

/// Whether a value is read at these axes, one after the other.
fn at(place: &[Affine], axes: impl Iterator<Item = usize>) -> bool {
    place.iter().map(Affine::as_axis).eq(axes.map(|axis| Some(Axis(axis as u8))))
}

/// The factors of a plain sum of products.
fn factors(graph: &Graph, id: NodeId) -> Option<Factors> {
    let node = graph.node(id);
    let Op::Reduce { fold: Fold::Sum, when, .. } = &node.op else { return None };
    let [(from, operand)] = graph.operands(id)[..] else { return None };
    let product = graph.node(from);
    let plain = when.is_empty() && node.space.when.is_empty() && product.space.when.is_empty();
    if !plain || product.op != Op::Map(scalar::MUL) {
        return None;
    }
    let outer = affine(&operand.access)?;
    let [left, right] = graph.operands(from)[..] else { return None };
    let of = |(from, operand): (NodeId, &Operand)| Some((from, compose(&operand.access, &outer)?));
    Some([of(left)?, of(right)?])
}

/// The factor that is a parameter, then the other.
fn weighed(graph: &Graph, [left, right]: Factors) -> Option<Factors> {
    let weight = |factor: &(NodeId, _)| matches!(graph.node(factor.0).op, Op::Leaf(Leaf::Param(_)));
    match (weight(&left), weight(&right)) {
        (true, false) => Some([left, right]),
        (false, true) => Some([right, left]),
        _ => None,
    }
}

/// All readers of each node; a root reads too.
struct Readers {
    nodes: Vec<Vec<NodeId>>,
    roots: Vec<usize>,
}

impl Readers {
    fn of(graph: &Graph) -> Readers {
        let mut nodes = vec![Vec::new(); graph.len()];
        for id in graph.ids() {
            for (from, _) in graph.operands(id) {
                nodes[from.0 as usize].push(id);
            }
        }
        let mut roots = vec![0; graph.len()];
        graph.roots.iter().for_each(|(_, read)| roots[read.node.0 as usize] += 1);
        Readers { nodes, roots }
    }

    /// The sum that a value is a term of, if nothing else is done with it.
    fn sum(&self, graph: &Graph, id: NodeId) -> Option<NodeId> {
        let ([reader], 0) = (&self.nodes[id.0 as usize][..], self.roots[id.0 as usize]) else {
            return None;
        };
        let (node, own) = (graph.node(*reader), graph.node(id));
        let whole = |operand: &Operand| operand.access.is_identity(own.space.rank());
        let alike = node.space == own.space && node.ty == own.ty;
        let terms = graph.operands(*reader).iter().all(|(_, operand)| whole(operand));
        (node.op == Op::Map(scalar::ADD) && alike && terms).then_some(*reader)
    }

    /// Whether everyone who reads a value says where by affine functions.
    fn affine(&self, graph: &Graph, id: NodeId) -> bool {
        let plain = |access: &Access| affine(access).is_some();
        let mut readers = self.nodes[id.0 as usize].iter();
        let roots = graph.roots.iter().filter(|(_, read)| read.node == id);
        readers.all(|reader| {
            let operands = graph.operands(*reader);
            operands.iter().all(|(from, operand)| *from != id || plain(&operand.access))
                && !matches!(graph.node(*reader).op, Op::Opaque { .. })
        }) && roots.into_iter().all(|(_, read)| plain(&read.access))
    }
}

/// A product of a matrix with a vector: the matrix, the vector and its length.
fn forward(graph: &Graph, readers: &Readers, id: NodeId) -> Option<(Member, NodeId, u32)> {
    let node = graph.node(id);
    let Op::Reduce { over, .. } = &node.op else { return None };
    let ([terms], rank) = (&over[..], node.space.rank()) else { return None };
    let [(weight, of_weight), (input, of_input)] = weighed(graph, factors(graph, id)?)?;
    let points = node.space.points().saturating_mul(u64::from(*terms));
    let sizes = &graph.node(weight).space.sizes;
    let whole = sizes[..].split_last() == Some((terms, &node.space.sizes[..]));
    let vector = graph.node(input).space.sizes == [*terms];
    let fits = rank > 0 && points > 0 && points <= MOST_TERMS && whole && vector;
    let placed = at(&of_weight, 0..rank + 1) && at(&of_input, rank..rank + 1);
    if !fits || !placed || node.ty != Type::Real || !readers.affine(graph, id) {
        return None;
    }
    let (sizes, rows) = (node.space.sizes.clone(), node.space.points() as u32);
    Some((Member { weight, product: id, sizes, first: 0, rows }, input, *terms))
}

/// Stacks of products that share a vector.
fn stacks(graph: &Graph, readers: &Readers) -> Vec<Stack> {
    let mut all: BTreeMap<NodeId, Stack> = BTreeMap::new();
    for id in graph.ids() {
        let Some((member, input, terms)) = forward(graph, readers, id) else { continue };
        let empty = || Stack { input, terms, members: Vec::new(), back: None };
        let stack = all.entry(input).or_insert_with(empty);
        let first = stack.members.last().map_or(0, |last| last.first + last.rows);
        let lines: u32 = stack.members.iter().chain([&member]).map(|one| one.lines().1).sum();
        if lines <= MOST_LINES {
            stack.members.push(Member { first, ..member });
        }
    }
    let mut stacks: Vec<Stack> = all.into_values().filter(|one| one.members.len() > 1).collect();
    for stack in &mut stacks {
        stack.back = backward(graph, readers, stack);
    }
    stacks
}

/// The products with the columns of a stack's matrices, if all are terms of one sum.
fn backward(graph: &Graph, readers: &Readers, stack: &Stack) -> Option<Vec<(NodeId, NodeId)>> {
    let mut found = Vec::new();
    let mut total = None;
    for Member { weight, sizes, .. } in &stack.members {
        let product = |id: &NodeId| {
            let Op::Reduce { over, .. } = &graph.node(*id).op else { return None };
            let [(own, of_weight), (vector, of_vector)] = weighed(graph, factors(graph, *id)?)?;
            let axes = 1..1 + sizes.len();
            let fits = own == *weight
                && over == sizes
                && graph.node(*id).space.sizes == [stack.terms]
                && graph.node(vector).space.sizes == *sizes
                && at(&of_weight, axes.clone().chain([0]))
                && at(&of_vector, axes);
            fits.then_some((vector, *id))
        };
        let of_weight = readers.nodes[weight.0 as usize].iter();
        // Its readers multiply; theirs add up.
        let sums = of_weight.flat_map(|reader| &readers.nodes[reader.0 as usize]);
        let mut all: Vec<(NodeId, NodeId)> = sums.filter_map(product).collect();
        all.sort_unstable();
        all.dedup();
        let [(vector, id)] = all[..] else { return None };
        // What becomes rows of a stack is no vector of its own.
        let whole = |id: NodeId| forward(graph, readers, id).is_none();
        let terms = |sum: NodeId| graph.operands(sum).iter().all(|(from, _)| whole(*from));
        let mut top = readers.sum(graph, id).filter(|sum| terms(*sum))?;
        while let Some(next) = readers.sum(graph, top).filter(|sum| terms(*sum)) {
            top = next;
        }
        if !whole(vector) {
            return None;
        }
        if *total.get_or_insert(top) != top {
            return None;
        }
        found.push((vector, id));
    }
    Some(found)
}

/// The graph with small products stacked; `None` if there are none.
pub(super) fn stacked(graph: &Graph) -> Option<Graph> {
    let readers = Readers::of(graph);
    let stacks = stacks(graph, &readers);
    if stacks.is_empty() {
        return None;
    }
    let mut making = Making { graph, builder: Builder::new(), images: Vec::new() };
    let mut made: Vec<Option<NodeId>> = vec![None; stacks.len()];
    for id in graph.ids() {
        let own = stacks.iter().enumerate().find_map(|(number, stack)| {
            let at = stack.members.iter().position(|member| member.product == id)?;
            Some((number, at))
        });
        let back = stacks.iter().find_map(|stack| {
            let back = stack.back.as_ref()?;
            let last = back.iter().map(|(_, id)| *id).max();
            back.iter().any(|(_, product)| *product == id).then_some((stack, last == Some(id)))
        });
        let image = match (own, back) {
            (Some((number, at)), _) => {
                let stack = &stacks[number];
                let product = *made[number].get_or_insert_with(|| making.product(stack));
                Image::Rows(product, stack.members[at].first)
            }
            (None, Some((stack, true))) => Image::Node(making.back(stack)),
            (None, Some((_, false))) => Image::Gone,
            (None, None) => making.copy(id),
        };
        making.images.push(image);
    }
    for (path, root) in &graph.roots {
        let (node, access) = making.read(root.node, &root.access);
        making.builder.root(path.0.clone(), Read { node, access, sizes: root.sizes.clone() });
    }
    Some(making.builder.finish())
}

/// A graph on its way.
struct Making<'g> {
    graph: &'g Graph,
    builder: Builder,
    images: Vec<Image>,
}

impl Making<'_> {
    fn image(&self, id: NodeId) -> NodeId {
        match self.images[id.0 as usize] {
            Image::Node(node) | Image::Rows(node, _) => node,
            Image::Gone => panic!("internal error: jit: a part of a sum is read by others"),
        }
    }

    /// How an old value is read.
    fn read(&self, from: NodeId, access: &Access) -> (NodeId, Access) {
        let Image::Rows(node, first) = self.images[from.0 as usize] else {
            return (self.image(from), access.clone());
        };
        let by = row_major(&self.graph.node(from).space.sizes);
        let places = affine(access).into_iter().flatten().zip(by);
        let start = Affine::constant(i64::from(first));
        let row = places.fold(start, |sum, (at, by)| sum.plus(&at.times(by)));
        (node, Access(vec![Index::Affine(row)]))
    }

    /// A node as it was; of a sum what is left of it.
    fn copy(&mut self, id: NodeId) -> Image {
        let node = self.graph.node(id);
        let operands = self.graph.operands(id);
        let gone = |from: NodeId| matches!(self.images[from.0 as usize], Image::Gone);
        if let [(left, _), (right, _)] = operands[..]
            && (gone(left) || gone(right))
        {
            return self.images[if gone(left) { right } else { left }.0 as usize];
        }
        let operands = operands.into_iter().map(|(from, operand)| {
            let (node, access) = self.read(from, &operand.access);
            (node, Operand { access, ..operand.clone() })
        });
        let operands = operands.collect();
        let (op, space) = (node.op.clone(), node.space.clone());
        Image::Node(self.builder.add(op, space, node.ty, operands, node.origin.clone()))
    }

    /// The matrices of a stack or, without `terms`, vectors of theirs, one under the other.
    fn under(
        &mut self,
        stack: &Stack,
        (parts, terms): (Vec<NodeId>, Option<u32>),
        origin: Origin,
    ) -> NodeId {
        let rows: u32 = stack.members.iter().map(|member| member.rows).sum();
        let row = Affine::axis(Axis(0));
        // Rows begin lines of the cache; behind the last number of each are zeros.
        let long = terms.filter(|terms| *terms >= LONG);
        let cols =
            long.map_or(terms, |terms| Some(whole_lines(terms as usize, terms.into()) as u32));
        let edge = terms
            .filter(|_| cols != terms)
            .map(|terms| Cond::of(Affine::axis(Axis(1)), Rel::Lt, i64::from(terms)));
        let mut operands = Vec::new();
        for (member, part) in stack.members.iter().zip(parts) {
            let (line, lines) = member.lines();
            for number in 0..lines {
                let first = i64::from(member.first + number * line);
                let end = first + i64::from(line);
                let others = &member.sizes[..member.sizes.len() - 1];
                let mut at = vec![0; others.len()];
                unravel(others, number as usize, &mut at);
                let place = |at: &u32| Index::Affine(Affine::constant(i64::from(*at)));
                let mut access: Vec<Index> = at.iter().map(place).collect();
                access.push(Index::Affine(row.plus(&Affine::constant(-first))));
                access.extend(terms.map(|_| Index::axis(1)));
                let from = (first > 0).then(|| Cond::of(row.clone(), Rel::Ge, first));
                let to = (end < i64::from(rows)).then(|| Cond::of(row.clone(), Rel::Lt, end));
                let when = from.into_iter().chain(to).chain(edge.clone()).collect();
                let port = Port(operands.len() as u8);
                operands.push((part, Operand { port, access: Access(access), when }));
            }
        }
        if let Some(edge) = edge {
            let (access, when) = (Access::default(), vec![edge.negated()]);
            let port = Port(operands.len() as u8);
            operands.push((self.builder.constant(0.0), Operand { port, access, when }));
        }
        let sizes: Vec<u32> = [rows].into_iter().chain(cols).collect();
        self.builder.add(Op::Join, Space::of(sizes), Type::Real, operands, origin)
    }

    /// A name for what is stacked.
    fn origin(&self, stack: &Stack, first: NodeId) -> Origin {
        let origin = &self.graph.node(first).origin;
        let path = format!("{} and {} more", origin.path, stack.members.len() - 1);
        Origin { path: Path(path), axes: Vec::new(), span: origin.span, adjoint: origin.adjoint }
    }

    fn weights(&mut self, stack: &Stack) -> NodeId {
        // A leaf may come only later.
        let leaf = |member: &Member| {
            let node = self.graph.node(member.weight);
            let (op, space) = (node.op.clone(), node.space.clone());
            self.builder.add(op, space, node.ty, Vec::new(), node.origin.clone())
        };
        let parts = stack.members.iter().map(leaf).collect();
        let origin = self.origin(stack, stack.members[0].weight);
        self.under(stack, (parts, Some(stack.terms)), origin)
    }

    /// All products of a stack.
    fn product(&mut self, stack: &Stack) -> NodeId {
        let weights = (self.weights(stack), Access::identity(2));
        let input = self.read(stack.input, &Access(vec![Index::axis(1)]));
        let rows = stack.members.iter().map(|member| member.rows).sum();
        let origin = self.origin(stack, stack.members[0].product);
        self.sum([weights, input], [rows, stack.terms], origin)
    }

    /// The sum of all products with the columns of its matrices.
    fn back(&mut self, stack: &Stack) -> NodeId {
        let back = stack.back.as_deref().unwrap_or_default();
        let parts = back.iter().map(|(vector, _)| self.image(*vector)).collect();
        let vector = self.under(stack, (parts, None), self.origin(stack, back[0].0));
        let vector = (vector, Access(vec![Index::axis(1)]));
        let across = Access(vec![Index::axis(1), Index::axis(0)]);
        let weights = (self.weights(stack), across);
        let rows = stack.members.iter().map(|member| member.rows).sum();
        let origin = self.origin(stack, back[0].1);
        self.sum([vector, weights], [stack.terms, rows], origin)
    }

    /// The sum over the second axis of the product of two values.
    fn sum(
        &mut self,
        factors: [(NodeId, Access); 2],
        [size, over]: [u32; 2],
        origin: Origin,
    ) -> NodeId {
        let operand = |(port, (from, access)): (usize, (NodeId, Access))| {
            (from, Operand { port: Port(port as u8), access, when: Vec::new() })
        };
        let operands = factors.into_iter().enumerate().map(operand).collect();
        let space = Space::of([size, over]);
        let product =
            self.builder.add(Op::Map(scalar::MUL), space, Type::Real, operands, origin.clone());
        let op = Op::Reduce { fold: Fold::Sum, over: vec![over], when: Vec::new() };
        let all = operand((0, (product, Access::identity(2))));
        self.builder.add(op, Space::of([size]), Type::Real, vec![all], origin)
    }
}
