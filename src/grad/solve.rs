//! The adjoint of a read: from "reader m at q reads A at f(q)" to a value over the axes p of A.
//!
//! In: what flows back along one edge ([`Flow`]). Out: `sum[q | f(q) = p and d(q)] value(q)` as a
//! [`View`] over the axes of A: a read, a `Join` with 0, or a `Reduce`.
//!
//! Note: how the sum is solved. The scope is `p, q`; the conditions are `f_k(q) == p_k` and d. Each
//! equation that determines an axis of q takes that axis out of the sum, and the axis is replaced
//! everywhere else; an equation that determines none stays as a condition of the sum, so nothing
//! here can fail. What an axis is replaced by must fit in all places where it occurs: if a roll
//! would have to be multiplied, the axis stays and the sum is only slower.

use crate::graph::{
    Access, Affine, Axis, Builder, Cond, Domain, Fold, Index, NodeId, Op, Origin, Port, Rel, Space,
    Terms, Type, View, arms, fresh, operands,
};

/// What flows back along one read.
pub(super) struct Flow<'a> {
    /// What arrives at the reader, over the reader's scope.
    pub(super) value: View,
    /// Sizes of the reader's scope.
    pub(super) scope: Vec<u32>,
    /// Names of its axes.
    pub(super) names: &'a [String],
    /// Where the target is read, over that scope.
    pub(super) access: Access,
    /// Where in the scope the read happens.
    pub(super) when: Vec<Cond>,
    /// What `Value(port)` means in `access` and `when`.
    pub(super) ports: Vec<(NodeId, Access)>,
}

/// The contribution of one read to the adjoint of `target`; `None` if it is 0 everywhere.
pub(super) fn pull(builder: &mut Builder, target: NodeId, flow: Flow<'_>) -> Option<View> {
    let names = flow.names.to_vec();
    let mut system = System::new(builder, target, flow);
    system.solve(builder);
    if system.empty {
        return None;
    }
    Some(system.emit(builder, target, &names))
}

/// Equations and conditions over the axes of the target, then those of the reader.
struct System {
    /// Number of axes of the target.
    rank: usize,
    sizes: Vec<u32>,
    /// Which axes are still summed over.
    summed: Vec<Axis>,
    conds: Vec<Cond>,
    value: View,
    /// What holds of the target's axes anyway.
    given: Vec<Cond>,
    empty: bool,
}

/// `of div step mod radix == right`: the number, the step, the radix, the right side.
type Digit = (Affine, u32, u32, Affine);

/// Axes and what takes their place.
type Solution = Vec<(Axis, Index)>;

impl System {
    fn new(builder: &Builder, target: NodeId, flow: Flow<'_>) -> System {
        let space = &builder.graph().node(target).space;
        let rank = space.rank();
        let up = |axis: Axis| Index::axis(rank + usize::from(axis.0));
        let shift = |access: &Access| access.substitute(&up).expect("renaming fits everywhere");
        // One list of gathers: those of the reader, then those of the value.
        let behind = flow.ports.len();
        let value = flow.value.gathers.iter().map(|(node, access)| (*node, access.moved(behind)));
        let gathers = flow.ports.iter().cloned().chain(value);
        let gathers = gathers.map(|(node, access)| (node, shift(&access))).collect();
        let access = shift(&flow.value.access.moved(behind));
        let equation =
            |(at, left)| Cond { left, rel: Rel::Eq, right: Affine::axis(Axis(at as u8)) };
        let equations = shift(&flow.access).0.into_iter().enumerate().map(equation);
        let when =
            flow.when.iter().map(|cond| cond.substitute(&up).expect("renaming fits everywhere"));
        // A gather that nothing uses would only stand in the way of a solution.
        let value = View { node: flow.value.node, access, gathers };
        let (value, conds) = value.tidy_with(&equations.chain(when).collect::<Vec<_>>());
        System {
            rank,
            sizes: space.sizes.iter().chain(&flow.scope).copied().collect(),
            summed: (rank..rank + flow.scope.len()).map(|at| Axis(at as u8)).collect(),
            conds,
            value,
            given: space.when.clone(),
            empty: false,
        }
    }

    fn solve(&mut self, builder: &Builder) {
        loop {
            self.settle();
            let progress = !self.empty
                && (self.join_digits()
                    || self.each_equation(|system, cond| system.affine(cond, true))
                    || self.each_equation(System::mixed)
                    || self.each_equation(System::roll)
                    || self.each_equation(|system, cond| system.gathered(cond, builder))
                    || self.each_equation(|system, cond| system.affine(cond, false)));
            if !progress {
                return;
            }
        }
    }

    /// Normal forms; conditions that always hold go, axes of size 1 are at 0.
    fn settle(&mut self) {
        for axis in self.summed.clone() {
            if self.sizes[usize::from(axis.0)] == 1 {
                self.replace(&[(axis, Index::Affine(Affine::constant(0)))], None, Vec::new());
            }
        }
        let mut kept: Vec<Cond> = Vec::new();
        let list = std::mem::take(&mut self.conds);
        for (at, cond) in list.iter().enumerate() {
            // Only conditions that stay may be the reason for which another one goes.
            let known: Vec<_> =
                self.given.iter().chain(&kept).chain(&list[at + 1..]).cloned().collect();
            let base = Domain { sizes: &self.sizes, given: &self.given };
            let cond = cond.normal(base);
            match (Domain { sizes: &self.sizes, given: &known }).decide(&cond) {
                Some(true) => {}
                Some(false) => self.empty = true,
                None => kept.push(cond),
            }
        }
        self.conds = kept;
        let domain = Domain { sizes: &self.sizes, given: &self.given };
        self.value.access = self.value.access.normal(domain);
        for (_, access) in &mut self.value.gathers {
            *access = access.normal(domain);
        }
    }

    fn is_summed(&self, axis: Axis) -> bool {
        self.summed.contains(&axis)
    }

    fn size(&self, axis: Axis) -> i64 {
        i64::from(self.sizes[usize::from(axis.0)])
    }

    /// Puts indices in the place of axes, takes one equation away and adds conditions; leaves all
    /// as it was if some place cannot hold the new index.
    fn replace(
        &mut self,
        solution: &[(Axis, Index)],
        used: Option<&Cond>,
        mut extra: Vec<Cond>,
    ) -> bool {
        let by = |axis: Axis| {
            let found = solution.iter().find(|(of, _)| *of == axis);
            found.map_or_else(|| Index::axis(usize::from(axis.0)), |(_, index)| index.clone())
        };
        let others = self.conds.iter().filter(|cond| Some(*cond) != used);
        let Some(conds) = others.map(|cond| cond.substitute(&by)).collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        let Some(access) = self.value.access.substitute(&by) else { return false };
        let gather = |(node, access): &(NodeId, Access)| Some((*node, access.substitute(&by)?));
        let Some(gathers) = self.value.gathers.iter().map(gather).collect() else { return false };
        self.value = View { node: self.value.node, access, gathers };
        extra.extend(conds);
        self.conds = extra;
        self.summed.retain(|axis| solution.iter().all(|(of, _)| of != axis));
        true
    }

    fn each_equation(&mut self, attempt: impl Fn(&mut System, &Cond) -> bool) -> bool {
        let equations: Vec<_> =
            self.conds.iter().filter(|cond| cond.rel == Rel::Eq).cloned().collect();
        equations.iter().any(|cond| attempt(self, cond))
    }

    /// `..±a.. == ..`: an axis that counts once. If `alone`, only where no other axis is summed.
    fn affine(&mut self, cond: &Cond, alone: bool) -> bool {
        let Some(difference) = cond.difference() else { return false };
        let summed = difference.terms.iter().filter(|(axis, _)| self.is_summed(*axis));
        if alone && summed.clone().count() != 1 {
            return false;
        }
        let mut candidates: Vec<_> = summed.filter(|(_, by)| by.abs() == 1).copied().collect();
        candidates.sort_by_key(|(axis, _)| (std::cmp::Reverse(self.size(*axis)), *axis));
        candidates.into_iter().any(|(axis, sign)| {
            let place = difference.without(axis).times(-sign);
            let extra = within(&place, self.size(axis));
            self.replace(&[(axis, Index::Affine(place))], Some(cond), extra)
        })
    }

    /// `c + w0*a + w1*b + .. == e` with w1 = w0 * size of a, ..: every axis is a digit of `e - c`.
    fn mixed(&mut self, cond: &Cond) -> bool {
        let Some(difference) = cond.difference() else { return false };
        let (mut digits, others): (Terms, Terms) =
            difference.terms.iter().copied().partition(|(axis, _)| self.is_summed(*axis));
        let Some((_, first)) = digits.first() else { return false };
        let sign = first.signum();
        digits.iter_mut().for_each(|(_, weight)| *weight *= sign);
        digits.sort_by_key(|(_, weight)| *weight);
        let number = Affine { offset: difference.offset, terms: others }.times(-sign);
        let step = digits[0].1;
        let mut place = step;
        let mut solution = Solution::new();
        for (axis, weight) in digits {
            let (Ok(step), Ok(radix)) = (u32::try_from(place), u32::try_from(self.size(axis)))
            else {
                return false;
            };
            if weight != place {
                return false;
            }
            solution.push((axis, Index::Digit { of: number.clone(), step, radix }));
            place *= self.size(axis);
        }
        let mut extra = within(&number, place);
        if step > 1 {
            let left = Index::Digit { of: number, step: 1, radix: step as u32 };
            extra.push(Cond { left, rel: Rel::Eq, right: Affine::constant(0) });
        }
        self.replace(&solution, Some(cond), extra)
    }

    /// `(±a + c) mod N == e`: a roll, undone by the opposite roll.
    fn roll(&mut self, cond: &Cond) -> bool {
        let Index::Digit { of, step: 1, radix } = &cond.left else { return false };
        let fits = |(axis, by): &&(Axis, i64)| {
            let free = self.is_summed(*axis) && cond.right.coefficient(*axis) == 0;
            free && by.abs() == 1 && self.size(*axis) <= i64::from(*radix)
        };
        let mut candidates: Vec<_> = of.terms.iter().filter(fits).copied().collect();
        candidates.sort_by_key(|(axis, _)| (std::cmp::Reverse(self.size(*axis)), *axis));
        candidates.into_iter().any(|(axis, sign)| {
            let back = cond.right.minus(&of.without(axis)).times(sign);
            let place = Index::Digit { of: back, step: 1, radix: *radix };
            let mut extra = within(&cond.right, i64::from(*radix));
            let size = self.size(axis);
            if size < i64::from(*radix) {
                extra.push(Cond {
                    left: place.clone(),
                    rel: Rel::Lt,
                    right: Affine::constant(size),
                });
            }
            self.replace(&[(axis, place)], Some(cond), extra)
        })
    }

    /// `value == a`: the axis is where the value says, so a scatter turns back into a gather.
    fn gathered(&mut self, cond: &Cond, builder: &Builder) -> bool {
        let (Index::Value(port), Some(axis)) = (&cond.left, cond.right.as_axis()) else {
            return false;
        };
        let Type::Index { below, .. } = builder.graph().node(self.gather(*port).0).ty else {
            return false;
        };
        if !self.is_summed(axis) || self.size(axis) < i64::from(below) || self.depends(*port, axis)
        {
            return false;
        }
        self.replace(&[(axis, cond.left.clone())], Some(cond), Vec::new())
    }

    fn gather(&self, port: Port) -> &(NodeId, Access) {
        &self.value.gathers[usize::from(port.0)]
    }

    /// Whether the position at which an index value is read depends on the axis.
    fn depends(&self, port: Port, axis: Axis) -> bool {
        self.gather(port).1.0.iter().any(|index| match index {
            Index::Affine(_) | Index::Digit { .. } => index.uses(axis),
            Index::Value(inner) => self.depends(*inner, axis),
        })
    }

    /// `n div s0 mod r0 == e0, n div s1 mod r1 == e1, ..` with s0 = 1, s1 = s0 * r0, .. and n below
    /// the last: all digits of n, so n itself is known.
    fn join_digits(&mut self) -> bool {
        let mut digits: Vec<Digit> = Vec::new();
        for cond in self.conds.iter().filter(|cond| cond.rel == Rel::Eq) {
            if let Index::Digit { of, step, radix } = &cond.left {
                digits.push((of.clone(), *step, *radix, cond.right.clone()));
            }
        }
        digits.sort();
        let same = digits.chunk_by(|left, right| left.0 == right.0).map(<[_]>::to_vec);
        let mut apart = digits.clone();
        apart.sort_by(|left, right| (&left.0.terms, left.1).cmp(&(&right.0.terms, right.1)));
        let moved = apart.chunk_by(|left, right| left.0.terms == right.0.terms).map(<[_]>::to_vec);
        let found = same.chain(moved).find_map(|run| Some((self.covered(&run)?, run)));
        let Some((of, run)) = found else { return false };
        let used = |cond: &Cond| {
            let Index::Digit { of, step, radix } = &cond.left else { return false };
            cond.rel == Rel::Eq && run.contains(&(of.clone(), *step, *radix, cond.right.clone()))
        };
        self.conds.retain(|cond| !used(cond));
        let mut number = Affine::constant(0);
        for (_, step, radix, right) in &run {
            number = number.plus(&right.times(i64::from(*step)));
            self.conds.extend(within(right, i64::from(*radix)));
        }
        self.conds.push(Cond { left: Index::Affine(of), rel: Rel::Eq, right: number });
        true
    }

    /// The number that a run holds all digits of, which is below their number. A digit is the same of
    /// numbers that differ by a multiple of its step times its radix, so digits of numbers that are
    /// written differently (`i mod 4` and `(i - 8) div 4 mod 2`) may be of one.
    fn covered(&self, run: &[Digit]) -> Option<Affine> {
        let mut place = 1;
        let (last, ..) = run.last()?;
        for (of, step, radix, _) in run {
            if i64::from(*step) != place {
                return None;
            }
            place *= i64::from(*radix);
            if (of.offset - last.offset).rem_euclid(place) != 0 {
                return None;
            }
        }
        let known: Vec<_> = self.given.iter().chain(&self.conds).cloned().collect();
        let (low, high) = Domain { sizes: &self.sizes, given: &known }.bounds(last);
        let turns = -low.div_euclid(place);
        let inside = high + turns * place < place;
        inside.then(|| last.plus(&Affine::constant(turns * place)))
    }

    /// The solved sum as a value over the target's axes.
    fn emit(mut self, builder: &mut Builder, target: NodeId, names: &[String]) -> View {
        let (rank, node) = (self.rank, builder.graph().node(target).clone());
        let mut origin = node.origin.backward(rank);
        origin.axes.resize(rank, String::new());
        for axis in &self.summed {
            let name = names.get(usize::from(axis.0) - rank).map_or("", String::as_str);
            origin.axes.push(fresh(name, &origin.axes));
        }
        // What is summed over follows the target's axes without gaps.
        let order = self.summed.clone();
        let place = |axis: Axis| {
            let at = order.iter().position(|summed| *summed == axis);
            Index::axis(at.map_or(usize::from(axis.0), |at| rank + at))
        };
        let renumbering: Solution = order.iter().map(|axis| (*axis, place(*axis))).collect();
        let over: Vec<u32> = order.iter().map(|axis| self.sizes[usize::from(axis.0)]).collect();
        self.replace(&renumbering, None, Vec::new());
        self.conds.sort();
        self.conds.dedup();
        let gathered = self.value.is_gathered() || self.conds.iter().any(Cond::is_gathered);
        if over.is_empty() && self.conds.is_empty() {
            return self.value.tidy();
        }
        let id = if over.is_empty() && !gathered {
            join_with_zero(builder, &self.value, &self.conds, node.space, origin)
        } else {
            sum(builder, &self.value, &self.conds, over, node.space, origin)
        };
        View::whole(id, rank)
    }
}

/// `0 <= place < size`.
fn within(place: &Affine, size: i64) -> Vec<Cond> {
    vec![Cond::of(place.clone(), Rel::Ge, 0), Cond::of(place.clone(), Rel::Lt, size)]
}

/// The value where all conditions hold, 0 elsewhere; the arms are disjoint, each at the first
/// condition that fails.
pub(super) fn join_with_zero(
    builder: &mut Builder,
    value: &View,
    when: &[Cond],
    space: Space,
    origin: Origin,
) -> NodeId {
    join_with(builder, value, 0.0, when, space, origin)
}

/// The value where all conditions hold, a number elsewhere.
pub(super) fn join_with(
    builder: &mut Builder,
    value: &View,
    other: f64,
    when: &[Cond],
    space: Space,
    origin: Origin,
) -> NodeId {
    let other = View::scalar(builder.constant(other));
    let mut list = vec![(value.clone(), when.to_vec())];
    for (at, cond) in when.iter().enumerate() {
        let failed = when[..at].iter().cloned().chain([cond.negated()]).collect();
        list.push((other.clone(), failed));
    }
    builder.add(Op::Join, space, Type::Real, arms(&list), origin)
}

/// A sum under conditions; without axes it runs over one of size 1, which every backend can say.
pub(super) fn sum(
    builder: &mut Builder,
    value: &View,
    when: &[Cond],
    over: Vec<u32>,
    space: Space,
    origin: Origin,
) -> NodeId {
    let over = if over.is_empty() { vec![1] } else { over };
    let (edges, when) = operands(std::slice::from_ref(value), when);
    let op = Op::Reduce { fold: Fold::Sum, over, when };
    builder.add(op, space, Type::Real, edges, origin)
}
