//! Terms to nodes: one arm a term.
//!
//! In: a term in a scope. Out: a node as seen from there. Invariant: what comes out mentions variables
//! of the scope only.

use crate::graph::{self, Bits, Fold, Leaf, Op, Origin, Path, Type};
use crate::model::flat::{self, At, Cond, Linear, Sort, Term, Var};
use crate::op::Opaque;
use crate::op::scalar::{self, ADD, EQ, MUL, NEG, SELECT, SUB, Scalar};

use super::node::{Arm, Make};
use super::scope::Scope;
use super::seen::{Guard, Place, Seen, Substitution};
use super::{Lowering, type_of};

/// The variable of axes that lowering adds; they are closed where they are made.
const CAST: Var = Var(u32::MAX);

/// The variable of the single point that a copy through an index value folds over.
const ONE: Var = Var(u32::MAX - 1);

impl Lowering<'_> {
    /// A term where it stands; `want` is what its reader takes it for.
    pub(super) fn term(&mut self, term: &Term, scope: &Scope, want: Sort) -> Seen {
        match term {
            Term::Real(value) => self.number(*value, want),
            Term::Truth(value) => self.constant(truth(*value), Type::Bool),
            Term::Position(of) => self.position(of, scope, want),
            Term::Read(array, at) => self.array(*array, at, scope),
            Term::Map(scalar, arguments) => self.map(*scalar, arguments, scope),
            Term::Fold { fold, over, when, body } => {
                self.fold(*fold, over, when, body, scope, want)
            }
            Term::Choose(arms) => self.choose(arms, scope, want),
            Term::Whole { function, over, body, at } => {
                self.whole(*function, over, body, at, scope)
            }
        }
    }

    /// What a node holds.
    pub(super) fn type_of(&self, seen: &Seen) -> Type {
        self.builder.graph().node(seen.node).ty
    }

    /// A number; where a position is wanted, a position read at that place.
    pub(super) fn number(&mut self, value: f64, want: Sort) -> Seen {
        match want {
            Sort::Index { .. } if value >= 0.0 && value < f64::from(u32::MAX) => {
                self.held(&Linear::constant(value as i64), value as u32 + 1)
            }
            Sort::Real | Sort::Bool | Sort::Int | Sort::Index { .. } => {
                self.constant(Bits::of(value), Type::Real)
            }
        }
    }

    /// A constant belongs to no equation: all that read it share it.
    fn constant(&mut self, bits: Bits, ty: Type) -> Seen {
        let node = self.builder.leaf(Leaf::Const(bits), &[], ty, Origin::default());
        Seen::whole(node, &[])
    }

    /// A whole number as an entry of `0, 1, 2, ..`: what positions join without leaving their type.
    fn held(&mut self, of: &Linear, below: u32) -> Seen {
        let axis = flat::Axis { var: CAST, name: "p".to_owned(), dim: String::new(), size: below };
        let ty = Type::Index { below, permutation: true };
        let whole = self.leaf(Leaf::Axis(graph::Axis(0)), &[axis], ty);
        Seen { node: whole.node, at: vec![Place::Linear(of.clone())] }
    }

    /// What is seen as an index: as it is, or where only a number is known, the position of that number.
    pub(super) fn positional(&mut self, seen: Seen, scope: &Scope, below: u32) -> Seen {
        match self.type_of(&seen) {
            Type::Index { .. } => seen,
            Type::Real | Type::Bool | Type::Int => self.cast(seen, scope, below),
        }
    }

    /// The position of a whole number: the one place along an axis that equals it. It costs an order,
    /// and is needed only for whole numbers that are computed, as by a choice at run time.
    fn cast(&mut self, seen: Seen, scope: &Scope, below: u32) -> Seen {
        let axis = flat::Axis { var: CAST, name: "p".to_owned(), dim: String::new(), size: below };
        let inner = scope.with_axes(std::slice::from_ref(&axis));
        let position = self.held(&Linear::var(CAST), below);
        let hit = self.apply(&inner, EQ, vec![position, seen]);
        let (one, zero) = (self.number(1.0, Sort::Real), self.number(0.0, Sort::Real));
        let hit = self.apply(&inner, SELECT, vec![hit, one, zero]);
        let ty = Type::Index { below, permutation: false };
        let make = Make::Opaque { op: Opaque::TopK { k: 1 }, along: &axis };
        let mut best = self.node(&inner, &make, &[Arm::always(hit)], ty);
        let last = best.at.last_mut().expect("an order has the axis it runs along");
        *last = Place::Linear(Linear::constant(0));
        best
    }

    /// A scalar function of what is already lowered.
    pub(super) fn apply(&mut self, scope: &Scope, scalar: Scalar, arguments: Vec<Seen>) -> Seen {
        let ty = match scalar.row().gives {
            scalar::Sort::Real => Type::Real,
            scalar::Sort::Bool => Type::Bool,
        };
        let arms: Vec<Arm> = arguments.into_iter().map(Arm::always).collect();
        self.node(scope, &Make::Map(scalar), &arms, ty)
    }

    fn leaf(&mut self, leaf: Leaf, axes: &[flat::Axis], ty: Type) -> Seen {
        let sizes: Vec<u32> = axes.iter().map(|axis| axis.size).collect();
        let mut origin = self.origin.clone();
        origin.axes = axes.iter().map(|axis| axis.name.clone()).collect();
        Seen::whole(self.builder.leaf(leaf, &sizes, ty, origin), axes)
    }

    /// A whole number made of variables: the axis itself, or a sum of multiples of axes.
    fn position(&mut self, of: &Linear, scope: &Scope, want: Sort) -> Seen {
        let (low, high) = scope.range(of);
        match (want, u32::try_from(high)) {
            (Sort::Index { .. }, Ok(high)) if low >= 0 => return self.held(of, high + 1),
            (Sort::Index { .. } | Sort::Real | Sort::Bool | Sort::Int, _) => {}
        }
        let mut sum: Option<Seen> = None;
        for (var, by) in &of.terms {
            let axis: Vec<_> = scope.axes.iter().filter(|axis| axis.var == *var).cloned().collect();
            let ty = Type::Index { below: scope.size(*var), permutation: true };
            let axis = self.leaf(Leaf::Axis(graph::Axis(0)), &axis, ty);
            let (joins, size) = match (&sum, by) {
                (Some(_), -1) => (SUB, 1),
                _ => (ADD, *by),
            };
            let term = self.multiple(axis, size, scope);
            sum = Some(match sum {
                Some(sum) => self.apply(scope, joins, vec![sum, term]),
                None => term,
            });
        }
        match sum {
            None => self.number(of.offset as f64, Sort::Real),
            Some(sum) if of.offset == 0 => sum,
            Some(sum) => {
                let (joins, by) = if of.offset < 0 { (SUB, -of.offset) } else { (ADD, of.offset) };
                let by = self.number(by as f64, Sort::Real);
                self.apply(scope, joins, vec![sum, by])
            }
        }
    }

    fn multiple(&mut self, axis: Seen, by: i64, scope: &Scope) -> Seen {
        match by {
            1 => axis,
            -1 => self.apply(scope, NEG, vec![axis]),
            _ => {
                let by = self.number(by as f64, Sort::Real);
                self.apply(scope, MUL, vec![by, axis])
            }
        }
    }

    /// An entry of an array: a read, no node.
    fn array(&mut self, array: flat::Array, at: &[At], scope: &Scope) -> Seen {
        let model = self.model;
        let (axes, leaf, sort) = match array {
            flat::Array::Input(number) => {
                let input = &model.inputs[number as usize];
                (&input.axes, Leaf::Input(number), input.sort)
            }
            flat::Array::Param(number) => {
                (&model.params[number as usize].axes, Leaf::Param(number), Sort::Real)
            }
            flat::Array::Prev(number) => {
                let state = &model.states[number as usize];
                (&state.axes, Leaf::Prev(number), state.sort)
            }
            flat::Array::Value(number) => {
                let axes = &self.list[number as usize].axes;
                let by = self.substitution(axes, at, scope);
                let seen = self.value(number).clone();
                return self.read_at(seen, axes, &by, scope);
            }
        };
        let by = self.substitution(axes, at, scope);
        let whole = self.array_leaf(leaf, axes, sort);
        self.read_at(whole, axes, &by, scope)
    }

    /// The leaf of a named array; its origin is its own name, whoever reads it first.
    fn array_leaf(&mut self, leaf: Leaf, axes: &[flat::Axis], sort: Sort) -> Seen {
        let (path, span) = match leaf {
            Leaf::Input(number) => {
                (&self.model.inputs[number as usize].path, crate::source::Span::default())
            }
            Leaf::Param(number) => {
                let param = &self.model.params[number as usize];
                (&param.path, param.span)
            }
            Leaf::Prev(number) => {
                let state = &self.model.states[number as usize];
                (&state.path, state.span)
            }
            Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_) => {
                panic!("internal error in lower: {leaf:?} is no array of a model")
            }
        };
        let own = Origin { path: Path(path.clone()), span, ..Origin::default() };
        let reader = std::mem::replace(&mut self.origin, own);
        let seen = self.leaf(leaf, axes, type_of(sort));
        self.origin = reader;
        seen
    }

    /// Places for the axes of an array, in the scope of its reader.
    pub(super) fn substitution(
        &mut self,
        axes: &[flat::Axis],
        at: &[At],
        scope: &Scope,
    ) -> Substitution {
        axes.iter()
            .zip(at)
            .map(|(axis, at)| (axis.var, self.place(at, scope, Some(axis.size))))
            .collect()
    }

    /// What is seen over `axes`, read at other places; made into a node of its own where no index can
    /// say it.
    pub(super) fn read_at(
        &mut self,
        seen: Seen,
        axes: &[flat::Axis],
        by: &Substitution,
        scope: &Scope,
    ) -> Seen {
        if let Some(seen) = seen.substitute(by, scope) {
            return seen;
        }
        let whole = self.materialise(seen, &Scope::of(axes));
        whole.substitute(by, scope).expect("a node read axis by axis can be read at any place")
    }

    /// A node that holds what is seen, read by the identity.
    pub(super) fn materialise(&mut self, seen: Seen, scope: &Scope) -> Seen {
        let ty = self.joined(std::slice::from_ref(&seen));
        if !seen.is_gathered() {
            return self.node(scope, &Make::Join, &[Arm::always(seen)], ty);
        }
        let fold = if ty == Type::Real { Fold::Sum } else { Fold::Max };
        let over = flat::Axis { var: ONE, name: "one".to_owned(), dim: String::new(), size: 1 };
        let make = Make::Reduce { fold, over: std::slice::from_ref(&over), when: Vec::new() };
        self.node(scope, &make, &[Arm::always(seen)], ty)
    }

    /// The type of a join of these arms; of permutations it is none any more.
    pub(super) fn joined(&self, arms: &[Seen]) -> Type {
        let joins = |ty: Option<Type>, next: Type| match (ty, next) {
            (None | Some(Type::Bool), Type::Bool) => Some(Type::Bool),
            (None, Type::Index { below, .. }) => Some(Type::Index { below, permutation: false }),
            (Some(Type::Index { below, .. }), Type::Index { below: other, .. }) => {
                Some(Type::Index { below: below.max(other), permutation: false })
            }
            (None | Some(Type::Real | Type::Bool | Type::Int | Type::Index { .. }), _) => {
                Some(Type::Real)
            }
        };
        let types = arms.iter().map(|arm| self.type_of(arm));
        types.fold(None, joins).unwrap_or(Type::Real)
    }

    fn map(&mut self, scalar: Scalar, arguments: &[Term], scope: &Scope) -> Seen {
        let takes = |sort: &scalar::Sort| match sort {
            scalar::Sort::Bool => Sort::Bool,
            scalar::Sort::Real => Sort::Real,
        };
        let arguments = arguments
            .iter()
            .zip(scalar.row().takes)
            .map(|(term, sort)| self.term(term, scope, takes(sort)))
            .collect();
        self.apply(scope, scalar, arguments)
    }

    fn choose(&mut self, arms: &[(Vec<Cond>, Term)], scope: &Scope, want: Sort) -> Seen {
        let mut live: Vec<(Vec<Guard>, &Term)> = Vec::new();
        self.leaves(arms, (scope, &[]), MOST_ARMS, &mut live);
        // The arms partition the scope, so one that always holds is the only one that ever does.
        let only = live.iter().position(|(guards, _)| guards.is_empty());
        if let Some(at) = only.or_else(|| (live.len() == 1).then_some(0)) {
            let (guards, term) = &live[at];
            return self.term(term, &scope.with_guards(guards), want);
        }
        let mut list = Vec::new();
        for (when, term) in live {
            let inner = scope.with_guards(&when);
            list.push(Arm { seen: self.term(term, &inner, want), when });
        }
        let seen: Vec<Seen> = list.iter().map(|arm| arm.seen.clone()).collect();
        let ty = self.joined(&seen);
        self.node(scope, &Make::Join, &list, ty)
    }

    /// The arms that may hold under the conditions of `place`, those of choices inside them in their
    /// stead as long as there are few: `if a then x else if b then y else z` is one choice of three.
    fn leaves<'t>(
        &mut self,
        arms: &'t [(Vec<Cond>, Term)],
        (scope, above): (&Scope, &[Guard]),
        most: usize,
        into: &mut Vec<(Vec<Guard>, &'t Term)>,
    ) {
        let flat = arms.iter().map(|(_, term)| leaf_count(term)).sum::<usize>() <= most;
        for (when, term) in arms {
            let Some(guards) = self.guards(when, &scope.with_guards(above)) else { continue };
            let guards = scope.joined(above, guards);
            match term {
                Term::Choose(inner) if flat && guards.iter().all(|one| !one.left.is_value()) => {
                    self.leaves(inner, (scope, &guards), most, into);
                }
                Term::Real(_)
                | Term::Truth(_)
                | Term::Position(_)
                | Term::Read(..)
                | Term::Map(..)
                | Term::Fold { .. }
                | Term::Choose(_)
                | Term::Whole { .. } => into.push((guards, term)),
            }
        }
    }

    /// The conditions that matter in a scope; `None` if they never all hold.
    pub(super) fn guards(&mut self, when: &[Cond], scope: &Scope) -> Option<Vec<Guard>> {
        let mut guards = Vec::new();
        for cond in when {
            let left = self.place(&cond.left, scope, None);
            let guard = Guard { left, rel: cond.rel, right: cond.right.clone() };
            match scope.with_guards(&guards).decide(&guard) {
                Some(true) => {}
                Some(false) => return None,
                None => guards.push(guard),
            }
        }
        Some(scope.joined(&[], guards))
    }

    /// Where along an axis of that size something is read; without a size, what a condition compares.
    pub(super) fn place(&mut self, at: &At, scope: &Scope, size: Option<u32>) -> Place {
        match at {
            At::Linear(of) => Place::Linear(of.clone()),
            At::Digit { of, step, radix } => scope.digit(of.clone(), *step, *radix),
            At::Value(term) => {
                if let Term::Position(of) = &**term {
                    return Place::Linear(of.clone());
                }
                if let Term::Real(number) = &**term {
                    return Place::Linear(Linear::constant(*number as i64));
                }
                self.value_place(term, scope, size)
            }
        }
    }

    /// A place that a node holds, unless that node is a number or an axis.
    fn value_place(&mut self, term: &Term, scope: &Scope, size: Option<u32>) -> Place {
        let below = size.unwrap_or(u32::MAX);
        let seen = self.term(term, scope, Sort::Index { below, permutation: false });
        let seen = match (self.type_of(&seen), size) {
            (Type::Real | Type::Bool | Type::Int, None) => {
                panic!("internal error in lower: a condition compares {term:?}, which is no index")
            }
            _ => self.positional(seen, scope, below),
        };
        match &self.builder.graph().node(seen.node).op {
            Op::Leaf(Leaf::Const(bits)) => Place::Linear(Linear::constant(bits.value() as i64)),
            Op::Leaf(Leaf::Axis(axis)) => seen.at[usize::from(axis.0)].clone(),
            Op::Leaf(Leaf::Input(_) | Leaf::Param(_) | Leaf::Prev(_) | Leaf::Seed(_))
            | Op::Map(_)
            | Op::Reduce { .. }
            | Op::Recur { .. }
            | Op::Join
            | Op::Opaque { .. } => Place::Value(Box::new(seen)),
        }
    }
}

/// How many arms a choice has when those of the choices inside it stand in their stead.
fn leaf_count(term: &Term) -> usize {
    match term {
        Term::Choose(arms) => arms.iter().map(|(_, term)| leaf_count(term)).sum(),
        Term::Real(_)
        | Term::Truth(_)
        | Term::Position(_)
        | Term::Read(..)
        | Term::Map(..)
        | Term::Fold { .. }
        | Term::Whole { .. } => 1,
    }
}

/// The most arms of one node that choices inside choices are joined to.
const MOST_ARMS: usize = 100;

fn truth(value: bool) -> Bits {
    Bits::of(f64::from(u8::from(value)))
}
