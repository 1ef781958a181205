//! MODEL to PROGRAM: flat equations to graphs.
//!
//! In: an elaborated model, every index a variable. Out: one graph a phase, every index a position.
//! A read of an array is an edge, never a node; a value whose right side is a bare read has no node of
//! its own. Invariant: the graphs depend on the data flow of a model, not on the order of its lists of
//! values: these are walked depth-first from their sorted paths.

mod fold;
mod node;
mod scope;
mod seen;
mod term;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::graph::{
    self, Array, Builder, Graph, Origin, Path, Program, Read, Type, Update, canonical, distinct,
    verified,
};
use crate::model::flat::{self, At, Axis, Model, Sort, Term, Value};

use scope::Scope;
use seen::{Place, Seen};

/// The forward graphs of a model; there is no optimiser in it yet.
#[must_use]
pub fn lower(model: &Model) -> Program {
    let params = model.params.iter().map(|param| array(&param.path, &param.axes, Sort::Real));
    Program {
        params: params.collect(),
        inputs: inputs(model),
        states: states(model),
        init: init(model),
        step: step(model),
        update: None,
    }
}

/// The graphs of an optimiser: a model with the inputs `value`, `gradient` and `rate`, whose states are
/// the slots and whose output is the new value.
#[must_use]
pub fn lower_update(model: &Model) -> Update {
    let mut lowering = Lowering::new(model, &model.values);
    lowering.values();
    lowering.next_roots();
    lowering.root("value".to_owned(), model.output);
    Update {
        graph: lowering.finish("lower update"),
        inputs: inputs(model),
        slots: states(model),
        init: init(model),
    }
}

fn init(model: &Model) -> Graph {
    let mut lowering = Lowering::new(model, &model.start_values);
    lowering.values();
    for state in &model.states {
        let right =
            lowering.equation(&state.path, state.span, &state.axes, &state.start, state.sort);
        let read = read(&right, &state.axes);
        lowering.builder.root(format!("start/{}", state.path), read);
    }
    lowering.finish("lower init")
}

fn step(model: &Model) -> Graph {
    let mut lowering = Lowering::new(model, &model.values);
    lowering.values();
    lowering.next_roots();
    for (at, value) in model.values.iter().enumerate() {
        lowering.root(format!("value/{}", value.path), at as u32);
    }
    lowering.root("y".to_owned(), model.output);
    if let Some(loss) = model.loss {
        lowering.root("loss".to_owned(), loss);
    }
    lowering.finish("lower step")
}

fn inputs(model: &Model) -> Vec<Array> {
    model.inputs.iter().map(|input| array(&input.path, &input.axes, input.sort)).collect()
}

fn states(model: &Model) -> Vec<Array> {
    model.states.iter().map(|state| array(&state.path, &state.axes, state.sort)).collect()
}

fn array(path: &str, axes: &[Axis], sort: Sort) -> Array {
    let names: Vec<String> = axes.iter().map(|axis| axis.name.clone()).collect();
    Array {
        path: Path(path.to_owned()),
        sizes: axes.iter().map(|axis| axis.size).collect(),
        axes: distinct(&names, axes.len()).unwrap_or(names),
        ty: type_of(sort),
    }
}

fn type_of(sort: Sort) -> Type {
    match sort {
        Sort::Real => Type::Real,
        Sort::Bool => Type::Bool,
        Sort::Int => Type::Int,
        // Only an order and a bare axis show that they are permutations.
        Sort::Index { below, .. } => Type::Index { below, permutation: false },
    }
}

/// One graph in the making.
struct Lowering<'m> {
    model: &'m Model,
    /// The list that `Array::Value` numbers.
    list: &'m [Value],
    /// What each of them is seen as, over its own axes and through no gather.
    done: Vec<Option<Seen>>,
    builder: Builder,
    /// The equation being lowered.
    origin: Origin,
}

impl<'m> Lowering<'m> {
    fn new(model: &'m Model, list: &'m [Value]) -> Lowering<'m> {
        let done = vec![None; list.len()];
        Lowering { model, list, done, builder: Builder::new(), origin: Origin::default() }
    }

    /// The graph in canonical order.
    fn finish(self, made: &str) -> Graph {
        verified(canonical(self.builder.finish()), made)
    }

    /// Lowers every equation of the list.
    fn values(&mut self) {
        for at in order(self.list) {
            let value = &self.list[at];
            let right =
                self.equation(&value.path, value.span, &value.axes, &value.right, value.sort);
            self.done[at] = Some(right);
        }
    }

    /// A right side over its axes, in a form that a root can show.
    fn equation(
        &mut self,
        path: &str,
        span: crate::source::Span,
        axes: &[Axis],
        right: &Term,
        sort: Sort,
    ) -> Seen {
        self.origin = Origin { path: Path(path.to_owned()), span, ..Origin::default() };
        let scope = Scope::of(&Scope::default().renamed(axes));
        let seen = self.term(right, &scope, sort);
        let seen = match sort {
            Sort::Index { below, .. } => self.positional(seen, &scope, below),
            Sort::Real | Sort::Bool | Sort::Int => seen,
        };
        if seen.is_gathered() { self.materialise(seen, &scope) } else { seen }
    }

    fn value(&self, at: u32) -> &Seen {
        let seen = self.done[at as usize].as_ref();
        seen.expect("operands are lowered before their users, since the walk is depth-first")
    }

    fn root(&mut self, name: String, value: u32) {
        let read = read(self.value(value), &self.list[value as usize].axes);
        self.builder.root(name, read);
    }

    fn next_roots(&mut self) {
        for state in &self.model.states {
            self.root(format!("next/{}", state.path), state.next);
        }
    }
}

/// What a root holds: positions of its own axes instead of variables.
fn read(seen: &Seen, axes: &[Axis]) -> Read {
    let affine = |of: &flat::Linear| {
        let axis = |var| {
            let at = axes.iter().position(|axis| axis.var == var);
            graph::Axis(at.expect("an equation mentions its own axes only") as u8)
        };
        graph::Affine::new(of.offset, of.terms.iter().map(|(var, by)| (axis(*var), *by)))
    };
    let index = |place: &Place| match place {
        Place::Linear(of) => graph::Index::Affine(affine(of)),
        Place::Digit { of, step, radix } => {
            graph::Index::Digit { of: affine(of), step: *step, radix: *radix }
        }
        Place::Value(_) => panic!("internal error in lower: a root is read through a value"),
    };
    let sizes: Vec<u32> = axes.iter().map(|axis| axis.size).collect();
    let domain = graph::Domain { sizes: &sizes, given: &[] };
    let index = |place: &Place| match index(place) {
        index @ graph::Index::Digit { .. } => index.normal(domain),
        index @ (graph::Index::Affine(_) | graph::Index::Value(_)) => index,
    };
    let access = graph::Access(seen.at.iter().map(index).collect());
    Read { node: seen.node, access, sizes }
}

/// The values, operands before users, depth-first from their sorted paths.
fn order(list: &[Value]) -> Vec<usize> {
    let mut starts: Vec<usize> = (0..list.len()).collect();
    starts.sort_by_key(|at| &list[*at].path);
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    // A stack of its own, since an unrolled family makes long chains.
    let mut stack: Vec<(usize, bool)> = starts.into_iter().rev().map(|at| (at, false)).collect();
    while let Some((at, ready)) = stack.pop() {
        if ready {
            order.push(at);
        } else if seen.insert(at) {
            stack.push((at, true));
            let mut operands = Vec::new();
            values_in(&list[at].right, &mut operands);
            stack.extend(operands.into_iter().rev().map(|operand| (operand, false)));
        }
    }
    order
}

fn values_in(term: &Term, into: &mut Vec<usize>) {
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => {}
        Term::Read(array, at) => {
            if let flat::Array::Value(value) = array {
                into.push(*value as usize);
            }
            at.iter().for_each(|at| values_at(at, into));
        }
        Term::Map(_, arguments) => arguments.iter().for_each(|term| values_in(term, into)),
        Term::Fold { when, body, .. } => {
            when.iter().for_each(|cond| values_at(&cond.left, into));
            values_in(body, into);
        }
        Term::Choose(arms) => {
            for (when, term) in arms {
                when.iter().for_each(|cond| values_at(&cond.left, into));
                values_in(term, into);
            }
        }
        Term::Whole { body, at, .. } => {
            values_in(body, into);
            at.iter().for_each(|at| values_at(at, into));
        }
    }
}

fn values_at(at: &At, into: &mut Vec<usize>) {
    match at {
        At::Linear(_) | At::Digit { .. } => {}
        At::Value(term) => values_in(term, into),
    }
}
