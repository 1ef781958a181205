//! Making one node: its space is exactly the variables that occur in what it reads.
//!
//! In: an op with what it reads, in variables of the model. Out: a node over positions. Invariant: a
//! node exists wherever its readers need it, and every access stays inside its operand there.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{
    self, Access, Affine, Bits, Domain, Fold, Graph, Index, NodeId, Op, Operand, Origin, Port, Rel,
    Space, Toward, Type,
};
use crate::model::flat::{Axis, Linear, Var};
use crate::op::{Opaque, Scalar};

use super::Lowering;
use super::scope::Scope;
use super::seen::{Guard, Place, Seen, Substitution};

/// An op before its axes have positions.
pub(super) enum Make<'a> {
    Map(Scalar),
    Reduce {
        fold: Fold,
        over: &'a [Axis],
        when: Vec<Guard>,
    },
    Recur {
        along: &'a Axis,
        toward: Toward,
        start: f64,
    },
    Join,
    /// A `Join` of one arm that has an axis its arm does not mention.
    Repeat {
        along: &'a Axis,
    },
    Opaque {
        op: Opaque,
        along: &'a Axis,
    },
}

/// Something read, and for a `Join` where it is taken.
pub(super) struct Arm {
    pub(super) seen: Seen,
    pub(super) when: Vec<Guard>,
}

impl Arm {
    /// Read everywhere.
    pub(super) fn always(seen: Seen) -> Arm {
        Arm { seen, when: Vec::new() }
    }
}

impl Make<'_> {
    fn over(&self) -> &[Axis] {
        match self {
            Make::Reduce { over, .. } => over,
            Make::Map(_)
            | Make::Recur { .. }
            | Make::Join
            | Make::Repeat { .. }
            | Make::Opaque { .. } => &[],
        }
    }

    fn conditions(&self) -> &[Guard] {
        match self {
            Make::Reduce { when, .. } => when,
            Make::Map(_)
            | Make::Recur { .. }
            | Make::Join
            | Make::Repeat { .. }
            | Make::Opaque { .. } => &[],
        }
    }

    /// The axis that the node has even if no operand mentions it.
    fn along(&self) -> Option<Var> {
        match self {
            Make::Recur { along, .. } | Make::Repeat { along } | Make::Opaque { along, .. } => {
                Some(along.var)
            }
            Make::Map(_) | Make::Reduce { .. } | Make::Join => None,
        }
    }

    fn vars(&self, arms: &[Arm]) -> BTreeSet<Var> {
        let mut vars: BTreeSet<Var> = self.along().into_iter().collect();
        for arm in arms {
            arm.seen.vars(&mut vars);
            arm.when.iter().for_each(|guard| guard.vars(&mut vars));
        }
        self.conditions().iter().for_each(|guard| guard.vars(&mut vars));
        vars
    }
}

/// Positions of variables and ports of index values, for one node.
struct Ports {
    axes: BTreeMap<Var, u8>,
    /// The first port that is free for an index value.
    first: usize,
    /// Index values, and in a join the conditions of the arm that each belongs to.
    gathers: Vec<(Seen, Vec<Guard>)>,
}

impl Ports {
    fn affine(&self, of: &Linear) -> Affine {
        let axis = |var: &Var| {
            let at = self.axes.get(var);
            graph::Axis(
                *at.unwrap_or_else(|| panic!("internal error in lower: {var:?} has no axis")),
            )
        };
        Affine::new(of.offset, of.terms.iter().map(|(var, by)| (axis(var), *by)))
    }

    fn index(&mut self, place: &Place, when: &[Guard]) -> Index {
        match place {
            Place::Linear(of) => Index::Affine(self.affine(of)),
            Place::Digit { of, step, radix } => {
                Index::Digit { of: self.affine(of), step: *step, radix: *radix }
            }
            Place::Value(seen) => {
                let entry = ((**seen).clone(), when.to_vec());
                let known = self.gathers.iter().position(|gather| *gather == entry);
                let at = known.unwrap_or_else(|| {
                    self.gathers.push(entry);
                    self.gathers.len() - 1
                });
                Index::Value(port(self.first + at))
            }
        }
    }

    fn access(&mut self, at: &[Place], when: &[Guard]) -> Access {
        Access(at.iter().map(|place| self.index(place, when)).collect())
    }

    fn conds(&mut self, guards: &[Guard]) -> Vec<graph::Cond> {
        let mut conds: Vec<_> = guards.iter().map(|guard| self.cond(guard)).collect();
        conds.sort();
        conds.dedup();
        conds
    }

    /// One form for all ways to write an affine condition, so that equal nodes are shared.
    fn cond(&mut self, guard: &Guard) -> graph::Cond {
        let Some(difference) = guard.difference() else {
            let right = self.affine(&guard.right);
            return graph::Cond { left: self.index(&guard.left, &[]), rel: guard.rel, right };
        };
        let difference = self.affine(&difference);
        // Equations lead with the outermost axis, `i == j`; orders with the innermost, `m < j`.
        let leader = match guard.rel {
            Rel::Eq | Rel::Ne => difference.terms.first(),
            Rel::Lt | Rel::Ge => difference.terms.last(),
        };
        let (difference, rel) = match (guard.rel, leader.is_some_and(|(_, by)| *by < 0)) {
            (rel, false) => (difference, rel),
            (Rel::Eq, true) => (difference.times(-1), Rel::Eq),
            (Rel::Ne, true) => (difference.times(-1), Rel::Ne),
            (Rel::Lt, true) => (difference.times(-1).plus(&Affine::constant(-1)), Rel::Ge),
            (Rel::Ge, true) => (difference.times(-1).plus(&Affine::constant(-1)), Rel::Lt),
        };
        let side = |keep: fn(i64) -> bool| {
            Affine::new(0, difference.terms.iter().copied().filter(|(_, by)| keep(*by)))
        };
        let right = side(|by| by < 0).plus(&Affine::constant(difference.offset)).times(-1);
        graph::Cond { left: Index::Affine(side(|by| by > 0)), rel, right }
    }

    /// The operands: first what the op combines, then index values, whose own reads may add more.
    fn operands(&mut self, arms: &[Arm]) -> Vec<(NodeId, Operand)> {
        let mut list = Vec::new();
        for (at, arm) in arms.iter().enumerate() {
            let (access, when) = (self.access(&arm.seen.at, &arm.when), self.conds(&arm.when));
            list.push((arm.seen.node, Operand { port: port(at), access, when }));
        }
        let mut next = 0;
        while let Some((gather, when)) = self.gathers.get(next).cloned() {
            let (access, when) = (self.access(&gather.at, &when), self.conds(&when));
            let port = port(self.first + next);
            list.push((gather.node, Operand { port, access, when }));
            next += 1;
        }
        list
    }
}

fn port(at: usize) -> Port {
    Port(
        u8::try_from(at)
            .unwrap_or_else(|_| panic!("internal error in lower: a node reads too much")),
    )
}

impl Lowering<'_> {
    /// Adds a node, or finds the equal one.
    pub(super) fn node(&mut self, scope: &Scope, make: &Make<'_>, arms: &[Arm], ty: Type) -> Seen {
        let over = make.over();
        let mut vars = make.vars(arms);
        over.iter().for_each(|axis| {
            vars.remove(&axis.var);
        });
        let axes = scope.among(&vars);
        let all = [axes.as_slice(), over].concat();
        let positions = all.iter().enumerate().map(|(at, axis)| (axis.var, at as u8)).collect();
        let mut ports = Ports { axes: positions, first: arms.len(), gathers: Vec::new() };
        let guards = existence(self.builder.graph(), scope, &vars, over, make.conditions(), arms);
        let mut space = Space {
            sizes: axes.iter().map(|axis| axis.size).collect(),
            when: ports.conds(&guards),
        };
        // Numbered before the operands that follow, since conditions of a `Reduce` may read values.
        let when = ports.conds(make.conditions());
        let mut operands = ports.operands(arms);
        let sizes: Vec<u32> = all.iter().map(|axis| axis.size).collect();
        let counted = when.iter().filter(|cond| !cond.is_gathered());
        let given: Vec<_> = space.when.iter().chain(counted).cloned().collect();
        operands.iter_mut().for_each(|(_, edge)| settle(edge, &sizes, &given));
        let op = match make {
            Make::Map(scalar) => Op::Map(*scalar),
            Make::Reduce { fold, .. } => {
                Op::Reduce { fold: *fold, over: over.iter().map(|axis| axis.size).collect(), when }
            }
            Make::Recur { along, toward, start } => {
                let along = graph::Axis(ports.axes[&along.var]);
                Op::Recur { along, toward: *toward, start: Bits::of(*start) }
            }
            Make::Join | Make::Repeat { .. } => Op::Join,
            Make::Opaque { op, along } => {
                let at = ports.axes[&along.var];
                space.sizes[usize::from(at)] = op.size(along.size);
                Op::Opaque { op: *op, along: graph::Axis(at) }
            }
        };
        let names = all.iter().map(|axis| axis.name.clone()).collect();
        let origin = Origin { axes: names, ..self.origin.clone() };
        Seen::whole(self.builder.add(op, space, ty, operands, origin), &axes)
    }
}

/// Digits in their normal form, which every later room gives them too.
fn settle(edge: &mut Operand, sizes: &[u32], given: &[graph::Cond]) {
    let given: Vec<_> = given.iter().chain(&edge.when).cloned().collect();
    let domain = Domain { sizes, given: &given };
    for index in &mut edge.access.0 {
        if matches!(index, Index::Digit { .. }) {
            *index = index.normal(domain);
        }
    }
}

/// The conditions under which a node over some variables exists. Those of the scope that say something
/// about its variables alone; and, only where an access would else leave its operand, what the others
/// imply for them.
fn existence(
    graph: &Graph,
    scope: &Scope,
    vars: &BTreeSet<Var>,
    over: &[Axis],
    when: &[Guard],
    arms: &[Arm],
) -> Vec<Guard> {
    let (mut whole, mut partial) = (Vec::new(), Vec::new());
    for guard in &scope.guards {
        let mut mine = BTreeSet::new();
        guard.vars(&mut mine);
        if mine.is_subset(vars) {
            whole.push(guard.clone());
        } else if !mine.is_disjoint(vars) {
            partial.push(guard);
        }
    }
    // In the form the box alone suggests.
    let mut whole = Scope::of(&scope.axes).joined(&[], whole);
    let axes = [scope.axes.as_slice(), over].concat();
    let known = Scope { axes, guards: Vec::new() }.with_guards(whole.iter().chain(when));
    if !partial.is_empty() && !arms.iter().all(|arm| stays_inside(graph, arm, &known)) {
        whole.extend(partial.into_iter().flat_map(|guard| projection(scope, guard, vars)));
    }
    whole
}

/// Whether everything that an arm reads exists.
fn stays_inside(graph: &Graph, arm: &Arm, known: &Scope) -> bool {
    inside(graph, &arm.seen, &known.with_guards(&arm.when))
}

/// Whether a node is read at places where it exists, wherever the reader exists.
pub(super) fn inside(graph: &Graph, seen: &Seen, known: &Scope) -> bool {
    let space = &graph.node(seen.node).space;
    let fits = |(place, size): (&Place, &u32)| match place {
        Place::Linear(of) => {
            let (low, high) = known.range(of);
            low >= 0 && high < i64::from(*size)
        }
        Place::Digit { .. } => true,
        Place::Value(index) => inside(graph, index, known),
    };
    let by: Substitution =
        seen.at.iter().enumerate().map(|(at, place)| (Var(at as u32), place.clone())).collect();
    let holds = |cond: &graph::Cond| {
        let guard = positional(cond).and_then(|guard| guard.substitute(&by, known));
        guard.is_some_and(|guard| known.decide(&guard) == Some(true))
    };
    seen.at.iter().zip(&space.sizes).all(fits) && space.when.iter().all(holds)
}

/// A condition of a space with its axes as variables; `None` if it reads a value.
fn positional(cond: &graph::Cond) -> Option<Guard> {
    let linear = |of: &Affine| {
        Linear::new(of.offset, of.terms.iter().map(|(axis, by)| (Var(u32::from(axis.0)), *by)))
    };
    let left = match &cond.left {
        Index::Affine(of) => Place::Linear(linear(of)),
        Index::Digit { of, step, radix } => {
            Place::Digit { of: linear(of), step: *step, radix: *radix }
        }
        Index::Value(_) => return None,
    };
    Some(Guard { left, rel: cond.rel, right: linear(&cond.right) })
}

/// What a condition implies for some of its variables, whatever the others are.
fn projection(scope: &Scope, guard: &Guard, vars: &BTreeSet<Var>) -> Vec<Guard> {
    let Some(difference) = guard.difference() else { return Vec::new() };
    let (kept, lost): (Vec<_>, Vec<_>) =
        difference.terms.iter().partition(|(var, _)| vars.contains(var));
    let (low, high) = scope.range(&Linear::new(0, lost));
    let least = Guard::of(Linear::new(difference.offset + low, kept.clone()), Rel::Lt);
    let most = Guard::of(Linear::new(difference.offset + high, kept.clone()), Rel::Ge);
    match guard.rel {
        Rel::Lt => vec![least],
        Rel::Ge => vec![most],
        // `kept + low <= 0 <= kept + high`.
        Rel::Eq => {
            let least = Linear::new(difference.offset + low - 1, kept);
            vec![Guard::of(least, Rel::Lt), most]
        }
        Rel::Ne => Vec::new(),
    }
}
