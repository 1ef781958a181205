//! Which nodes the text form writes inside the line of their user.
//!
//! In: a graph. Out: for each node, whether it has a line of its own. Invariant: reading the lines
//! back makes the same nodes in the same order, because what a line contains is created just before
//! it, operands first, in port order.
//!
//! A `Map` is nested when it is used once, by a node of the same origin, at axes that are its own in
//! the order of the user's, all of which occur in it; it must exist exactly where the user asks.
//! Constants without axes are written as literals wherever they are read; a line shows one only if it
//! has an origin, or is created elsewhere than at its first use.

use std::collections::BTreeSet;

use crate::graph::{
    Axis, Cond, Graph, Index, Leaf, Node, NodeId, Op, Operand, Origin, Port, Type, types,
};

/// The deepest expression on one line; deeper ones are cut, for the reader's sake.
const DEEPEST: usize = 7;

/// What a node may look like, whatever its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Form {
    /// A line of its own.
    Line,
    /// Inside the line of its one user.
    Nested,
    /// A number or truth value, created at its first use.
    Literal,
}

/// The name of each axis of a scope as text shows it: unusable names become `_k`, repeated ones become
/// others ([`fresh`]).
pub(in crate::graph) fn axis_names(axes: &[String], rank: usize) -> Vec<String> {
    let usable = |at: usize| axes.get(at).filter(|name| is_axis_name(name)).cloned();
    let given: Vec<String> = (0..rank).filter_map(usable).collect();
    let mut names: Vec<String> = Vec::new();
    for at in 0..rank {
        let mut name = usable(at).unwrap_or_else(|| format!("_{at}"));
        if names.contains(&name) {
            name = fresh(&name, &[given.as_slice(), &names].concat());
        }
        names.push(name);
    }
    names
}

/// A name like the given one that is not taken: the next free letter, or more primes.
#[must_use]
pub(crate) fn fresh(name: &str, taken: &[String]) -> String {
    let free = |name: &String| !taken.contains(name);
    if let [letter @ b'a'..=b'z'] = name.as_bytes()
        && let Some(name) = (*letter..=b'z').map(|at| char::from(at).to_string()).find(free)
    {
        return name;
    }
    let mut name = name.to_owned();
    while !free(&name) {
        name.push('\'');
    }
    name
}

/// The names of the axes of a scope as an origin holds them, every one usable and none twice; nothing, if they are so.
#[must_use]
pub(crate) fn distinct(axes: &[String], rank: usize) -> Option<Vec<String>> {
    let fine = |(at, name): (usize, &String)| is_axis_name(name) && !axes[..at].contains(name);
    if axes.len() <= rank && axes.iter().enumerate().all(fine) {
        return None;
    }
    Some(kept_names(&axis_names(axes, rank)))
}

fn is_axis_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '\'';
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(plain)
        && !["mod", "div", "if", "where"].contains(&name)
}

/// The inverse of [`axis_names`]: what an origin holds.
pub(in crate::graph) fn kept_names(names: &[String]) -> Vec<String> {
    let keep = |name: &String| if name.starts_with('_') { String::new() } else { name.clone() };
    let mut kept: Vec<String> = names.iter().map(keep).collect();
    while kept.last().is_some_and(String::is_empty) {
        kept.pop();
    }
    kept
}

/// The value of a constant that is written as a literal.
pub(in crate::graph) fn literal(node: &Node) -> Option<String> {
    let Op::Leaf(Leaf::Const(bits)) = &node.op else { return None };
    if node.space.rank() > 0 || !node.space.when.is_empty() {
        return None;
    }
    match node.ty {
        Type::Real => Some(bits.to_string()),
        Type::Int => None,
        Type::Bool => Some((bits.value() != 0.0).to_string()),
        Type::Index { .. } => None,
    }
}

/// The axes of the user that an operand's axes are, if they are bare, ascending and whole.
fn bare_axes(graph: &Graph, user: NodeId, from: NodeId, operand: &Operand) -> Option<Vec<Axis>> {
    let axes: Option<Vec<Axis>> = operand.access.0.iter().map(|index| index.as_axis()).collect();
    let axes = axes?;
    let scope = graph.scope(user);
    let ascending = axes.windows(2).all(|pair| pair[0] < pair[1]);
    let whole = axes
        .iter()
        .zip(&graph.node(from).space.sizes)
        .all(|(axis, size)| scope.get(usize::from(axis.0)) == Some(size));
    (ascending && whole).then_some(axes)
}

/// The conditions under which a user reads an operand, over the given axes of its scope, renumbered
/// to them. The values that conditions of a `Reduce` may hold are left out.
pub(in crate::graph) fn guard<'a>(
    conditions: impl IntoIterator<Item = &'a Cond>,
    axes: &[Axis],
) -> Vec<Cond> {
    let place = |axis: Axis| axes.iter().position(|own| *own == axis);
    let inside =
        |cond: &&Cond| cond.left.port().is_none() && cond.axes().all(|axis| place(axis).is_some());
    let own = |axis: Axis| Index::axis(place(axis).unwrap_or(0));
    let renamed = |cond: &Cond| cond.substitute(&own).expect("renaming fits everywhere");
    conditions.into_iter().filter(inside).map(renamed).collect()
}

/// The conditions under which a node reads an operand.
pub(in crate::graph) fn picked<'a>(
    node: &'a Node,
    operand: &'a Operand,
) -> impl Iterator<Item = &'a Cond> {
    node.space.when.iter().chain(node.op.conditions()).chain(&operand.when)
}

/// Whether every axis of a node's space occurs in the indices at which it reads.
fn all_axes_occur(graph: &Graph, id: NodeId) -> bool {
    let operands = graph.operands(id);
    let indices = operands.iter().flat_map(|(_, operand)| &operand.access.0);
    let terms = indices.filter_map(|index| index.affine()).flat_map(|affine| &affine.terms);
    let occurring: BTreeSet<Axis> = terms.map(|(axis, _)| *axis).collect();
    occurring.len() == graph.node(id).space.rank()
}

fn may_nest(graph: &Graph, user: NodeId, from: NodeId, operand: &Operand) -> bool {
    let (reader, node) = (graph.node(user), graph.node(from));
    let Op::Map(scalar) = node.op else { return false };
    // A whole-axis primitive takes a value, not an expression.
    if from >= user || matches!(reader.op, Op::Opaque { .. }) {
        return false;
    }
    let Some(axes) = bare_axes(graph, user, from, operand) else { return false };
    let shown = axis_names(&reader.origin.axes, graph.scope(user).len());
    let names: Vec<String> = axes.iter().map(|axis| shown[usize::from(axis.0)].clone()).collect();
    node.origin.path == reader.origin.path
        && node.origin.adjoint == reader.origin.adjoint
        && node.origin.axes == kept_names(&names)
        && node.space.when == guard(picked(reader, operand), &axes)
        && node.ty == types::given(scalar.row().gives)
        && all_axes_occur(graph, from)
        && standard_ports(graph, from)
}

/// What each node may look like.
pub(in crate::graph) fn forms(graph: &Graph) -> Vec<Form> {
    let mut uses = vec![0_u32; graph.len()];
    let mut named = vec![false; graph.len()];
    for (_, read) in &graph.roots {
        if let Some(named) = named.get_mut(read.node.0 as usize) {
            *named = true;
        }
    }
    let mut forms = vec![Form::Line; graph.len()];
    let mut depths = vec![1_usize; graph.len()];
    for id in graph.ids() {
        for (from, _) in graph.operands(id) {
            uses[from.0 as usize] += 1;
        }
    }
    for id in graph.ids() {
        let at = id.0 as usize;
        if literal(graph.node(id)).is_some() && !named[at] {
            let origin = &graph.node(id).origin;
            let plain = **origin == Origin { span: origin.span, ..Origin::default() };
            forms[at] = if plain { Form::Literal } else { Form::Line };
        }
        for (from, operand) in graph.operands(id).into_iter().take(graph.arity(id)) {
            let from_at = from.0 as usize;
            let once = uses[from_at] == 1 && !named[from_at] && depths[from_at] < DEEPEST;
            if once && may_nest(graph, id, from, operand) {
                forms[from_at] = Form::Nested;
                depths[at] = depths[at].max(depths[from_at] + 1);
            }
        }
    }
    forms
}

/// The nodes that a line creates before its own, in the order of their creation.
pub(in crate::graph) fn created(
    graph: &Graph,
    id: NodeId,
    inline: &impl Fn(NodeId) -> bool,
    list: &mut Vec<NodeId>,
) {
    for (from, _) in graph.operands(id).into_iter().take(graph.arity(id)) {
        if inline(from) && !list.contains(&from) {
            created(graph, from, inline, list);
            list.push(from);
        }
    }
}

/// Whether each node is written inside another line, given the order the graph has.
pub(super) fn inline(graph: &Graph) -> Vec<bool> {
    let forms = forms(graph);
    let mut inline = vec![false; graph.len()];
    let mut rest = graph.len();
    // From the last line to the first: the nodes before a line are its own as far as they are what
    // it would create, read backwards.
    while rest > 0 {
        let line = NodeId(rest as u32 - 1);
        rest -= 1;
        let mut next = rest;
        claim(graph, line, &forms, &mut inline, &mut next);
        let mut list = Vec::new();
        let mine = |id: NodeId| inline[id.0 as usize] && (next..rest).contains(&(id.0 as usize));
        created(graph, line, &mine, &mut list);
        let expected = (next..rest).map(|at| NodeId(at as u32));
        if list.into_iter().eq(expected) {
            rest = next;
        } else {
            inline[next..rest].fill(false);
        }
    }
    inline
}

fn claim(graph: &Graph, id: NodeId, forms: &[Form], inline: &mut [bool], next: &mut usize) {
    let operands = graph.operands(id);
    for (from, _) in operands.into_iter().take(graph.arity(id)).rev() {
        let at = from.0 as usize;
        if at + 1 == *next && forms[at] != Form::Line {
            inline[at] = true;
            *next = at;
            claim(graph, from, forms, inline, next);
        }
    }
}

/// Whether a reader of the text would number a node's index operands as they are: by first
/// occurrence, conditions of a `Reduce` before operands, inner indices before outer ones, none twice,
/// each read under the conditions of its arm.
pub(super) fn standard_ports(graph: &Graph, id: NodeId) -> bool {
    let operands = graph.operands(id);
    let mut next = graph.arity(id);
    let mut fine = true;
    let mut visit = Visit { operands: &operands, next: &mut next, fine: &mut fine };
    if let Op::Reduce { when, .. } = &graph.node(id).op {
        for port in when.iter().filter_map(|cond| cond.left.port()) {
            visit.port(port, &[]);
        }
    }
    for (_, operand) in operands.iter().take(graph.arity(id)) {
        operand.access.ports().for_each(|port| visit.port(port, &operand.when));
    }
    let extras = &operands[graph.arity(id).min(operands.len())..];
    let same = |a: &(NodeId, &Operand), b: &(NodeId, &Operand)| {
        a.0 == b.0 && a.1.access == b.1.access && a.1.when == b.1.when
    };
    let repeated =
        (1..extras.len()).any(|at| extras[..at].iter().any(|one| same(one, &extras[at])));
    fine && !repeated && next == operands.len()
}

struct Visit<'a> {
    operands: &'a [(NodeId, &'a Operand)],
    next: &'a mut usize,
    fine: &'a mut bool,
}

impl Visit<'_> {
    fn port(&mut self, port: Port, when: &[Cond]) {
        let at = usize::from(port.0);
        let Some((_, operand)) = self.operands.get(at) else {
            *self.fine = false;
            return;
        };
        *self.fine &= operand.when == when;
        if at < *self.next || !*self.fine {
            return;
        }
        // An inner index that is not numbered before this one ends the walk.
        for inner in operand.access.ports() {
            if inner >= port {
                *self.fine = false;
                return;
            }
            self.port(inner, when);
        }
        *self.fine &= at == *self.next;
        *self.next += 1;
    }
}
