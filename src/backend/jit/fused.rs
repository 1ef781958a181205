//! One pass over rows and columns, for several values.
//!
//! In: a [`Fused`] loop. Out: a function that computes its members point by point. What a member reads of
//! another at its own point comes from a register. A row is cut into strips, or goes round a diagonal that
//! conditions ask for. Invariants: folds over columns are carried through each strip, in as many sums as a
//! step has numbers, or as one vector has where more would leave no registers; those of the strips are added in
//! their order, then the numbers by a fixed tree. Folds over rows are added up in ascending order, in memory, or in
//! registers where there are no others.

use cranelift_codegen::ir::Value;

use crate::backend::domain::Domain;
use crate::graph::{Cond, Fold, NodeId, Op};

use super::apart::Stand;
use super::clear::Diagonal;
use super::emit::{Body, Coord, Emitter, Shape};
use super::fuse::{Fused, Member, Role};
use super::lanes::AT_ONCE;
use super::still::Row;
use super::vector::PARTS;

/// The most vectors of four numbers that folds carry through a row; more would not stay in registers.
const MOST_CARRIED: usize = 16;

/// The most results of folds of which every wide vector of a step has a sum of its own; of more, all vectors of a step
/// are added to one, for what is read at each step needs registers too.
const MOST_UNSHARED: usize = 2;

/// The most wide vectors of samples side by side at a step: a function's own memory holds as many.
const MOST_PAIRS: usize = PARTS / 2;

/// The most points of a loop that goes down its columns: an array of them fits the first cache.
const MOST_NEAR: u64 = 1 << 13;

/// The most steps of a row that are written out one after the other.
const MOST_WRITTEN: i64 = 4;

/// From, to, and by how many columns.
type Columns = (i64, i64, i64);

/// A part of a row.
struct Strip {
    /// How neighbours lie in registers.
    shape: Shape,
    /// Vectors in which each fold is carried through it: as many as a tuple has, or one.
    sums: usize,
    cols: Columns,
}

/// What folds have carried through a part of a row.
struct Ended {
    shape: Shape,
    sums: usize,
    /// What they started from.
    start: Vec<Value>,
    carried: Vec<Value>,
}

/// Every combination of coordinates along some axes.
fn beside(sizes: &[u32], axes: &[usize]) -> Vec<Vec<(usize, i64)>> {
    let mut all = Vec::new();
    let sizes = axes.iter().map(|axis| sizes[*axis]).collect();
    Domain { sizes, list: None }.each(|_, at| {
        all.push(axes.iter().copied().zip(at.iter().map(|at| i64::from(*at))).collect());
    });
    all
}

/// Puts coordinates in their places.
fn set(point: &mut [Coord], at: &[(usize, i64)]) {
    for (axis, add) in at {
        point[*axis] = Coord::constant(*add);
    }
}

impl<'a, 'g> Emitter<'a, 'g> {
    /// The body of the function of a loop; `width` is that of a vector.
    pub(super) fn fused(&mut self, fused: &Fused, width: usize) {
        let plain = self.shape;
        // Where more is folded, what stands still would have no registers.
        let few = self.carried(fused) <= MOST_UNSHARED;
        self.row = few.then(|| Row::new(fused, self.layout));
        let written = self.plain(fused);
        let diagonal = self.diagonal(fused);
        let strips = self.strips(fused, (width, written));
        if self.goes_down(fused) {
            self.down(fused, &strips);
        } else {
            self.row_by_row(fused, &strips, (written, diagonal));
        }
        self.shape = plain;
        self.row = None;
    }

    /// One row after the other; folds over rows are added up in memory.
    fn row_by_row(
        &mut self,
        fused: &Fused,
        strips: &[Strip],
        (written, diagonal): (bool, Option<Diagonal>),
    ) {
        let plain = self.shape;
        let rows = (0, i64::from(fused.rows), 1);
        let mut place = vec![Coord::constant(0); 2];
        for Strip { shape, cols, .. } in strips {
            self.shape = *shape;
            self.repeat(1, *cols, &mut place, Vec::new(), &mut |emitter, place, none| {
                emitter.clear_columns(fused, place);
                none
            });
        }
        self.repeat(0, rows, &mut place, Vec::new(), &mut |emitter, place, none| {
            let mut ended = Vec::new();
            for Strip { shape, sums, cols } in strips {
                emitter.shape = *shape;
                let start = emitter.start_row(fused, *sums);
                let range = (*cols, written, diagonal);
                let carried =
                    emitter.across(range, place, start.clone(), &mut |emitter, place, carried| {
                        emitter.stand_at(fused, place);
                        emitter.at(fused, place, (carried, *sums))
                    });
                ended.push(Ended { shape: *shape, sums: *sums, start, carried });
            }
            emitter.shape = plain;
            emitter.end_row(fused, place, &ended);
            none
        });
    }

    /// Whether a loop goes down its columns: nothing is folded along a row, and what it goes through stays near the
    /// core though neighbours of a column lie apart.
    fn goes_down(&self, fused: &Fused) -> bool {
        let folds = fused.members.iter().filter(|member| member.role == Role::Column).count();
        let near = u64::from(fused.rows) * u64::from(fused.cols) <= MOST_NEAR;
        let along = fused.members.iter().any(|member| member.role == Role::Row);
        self.samples == 1 && near && folds > 0 && !along
    }

    /// Some columns after the others, each row by row; folds over rows stay in registers.
    fn down(&mut self, fused: &Fused, strips: &[Strip]) {
        let mut place = vec![Coord::constant(0); 2];
        let rows = (0, i64::from(fused.rows), 1);
        for Strip { shape, cols, .. } in strips {
            self.shape = *shape;
            self.repeat(1, *cols, &mut place, Vec::new(), &mut |emitter, place, none| {
                let start = emitter.start_row(fused, shape.parts);
                let sums = emitter.repeat(0, rows, place, start, &mut |emitter, place, carried| {
                    emitter.stand_at(fused, place);
                    emitter.at(fused, place, (carried, shape.parts))
                });
                let mut sums = sums.chunks(shape.parts);
                for member in &fused.members {
                    for (at, sum) in emitter.results(fused, member).iter().zip(&mut sums) {
                        let mut point = emitter.stand(member, place);
                        set(&mut point, at);
                        point.truncate(emitter.graph.node(member.node).space.rank());
                        emitter.store_at(member.node, &point, sum);
                    }
                }
                none
            });
        }
    }

    /// Where the loop stands: the column, and all of it if a lone sample goes through it.
    fn stand_at(&mut self, fused: &Fused, place: &[Coord]) {
        if let Some(row) = &mut self.row {
            row.column = place[1].base;
        }
        if self.samples == 1 {
            let copies = self.stand.take().map_or(Vec::new(), |stand| stand.copies);
            let place = [place[0], place[1]];
            self.stand = Some(Stand { place, cols: fused.cols, copies, asked: Vec::new() });
        }
    }

    /// The parts of a row, and how neighbours in each lie in registers: what is left of the widest vectors goes
    /// into narrower ones.
    fn strips(&self, fused: &Fused, (width, plain): (usize, bool)) -> Vec<Strip> {
        let cols = fused.cols as usize;
        if self.samples > 1 {
            // Wide vectors are two of four numbers.
            let most = MOST_CARRIED / 2 / self.carried(fused).max(1);
            let shape = self.neighbours(cols, most.min(MOST_PAIRS));
            let by = (shape.count() / self.samples) as i64;
            return vec![self.part_of_row(fused, (shape, width), (0, cols as i64, by))];
        }
        let rest = if self.wide && plain && cols > 2 * width { cols % (2 * width) } else { 0 };
        let wide = self.along(fused, cols - rest, width);
        if rest == 0 || wide.width == width {
            let shape = self.along(fused, cols, width);
            // Another vector needs no registers of its own for folds.
            let second = shape.width > width && shape.parts == 1 && !self.goes_down(fused);
            let second = second && cols.is_multiple_of(2 * shape.width);
            let shape = if second { Shape { parts: 2, ..shape } } else { shape };
            let cols = (0, cols as i64, shape.count() as i64);
            return vec![self.part_of_row(fused, (shape, width), cols)];
        }
        let last = Shape { width, parts: rest / width, samples: false };
        let (cut, cols) = ((cols - rest) as i64, cols as i64);
        vec![
            self.part_of_row(fused, (wide, width), (0, cut, wide.count() as i64)),
            self.part_of_row(fused, (last, width), (cut, cols, rest as i64)),
        ]
    }

    /// A part of a row, and how many sums each fold has there.
    fn part_of_row(&self, fused: &Fused, (shape, width): (Shape, usize), cols: Columns) -> Strip {
        let shared = shape.width > width && !shape.samples && !self.goes_down(fused);
        let sums = match shared && self.carried(fused) > MOST_UNSHARED {
            true => 1,
            false => shape.parts,
        };
        Strip { shape, sums, cols }
    }

    /// A part of a row; a short one may be written out, so that its places are constants.
    fn across(
        &mut self,
        (range, written, diagonal): (Columns, bool, Option<Diagonal>),
        place: &mut Vec<Coord>,
        carried: Vec<Value>,
        body: Body<'_, 'a, 'g>,
    ) -> Vec<Value> {
        let (first, end, by) = range;
        if let Some(diagonal) = diagonal.filter(|_| self.worth(range)) {
            return self.around(diagonal, (end, by), place, carried, body);
        }
        if !written || (end - first) / by > MOST_WRITTEN {
            return self.repeat(1, range, place, carried, body);
        }
        (first..end).step_by(by as usize).fold(carried, |carried, at| {
            place[1] = Coord { base: None, add: at, step: 1 };
            body(self, place, carried)
        })
    }

    /// Whether steps that are clear of a diagonal are worth a loop of their own.
    fn worth(&self, (first, end, by): Columns) -> bool {
        first == 0 && by > 1 && by.count_ones() == 1 && end / by > 2
    }

    /// Whether rows of a loop may be written out: not where conditions ask for masks of their own at each step.
    fn plain(&self, fused: &Fused) -> bool {
        let moves = |member: &Member| {
            let runs = |axis: usize| axis == member.rows || axis == member.cols;
            let conds = self.conditions(member);
            conds.into_iter().any(|cond| cond.axes().any(|axis| runs(usize::from(axis.0))))
        };
        self.samples == 1 && !fused.members.iter().any(moves)
    }

    /// All conditions that a member asks for.
    pub(super) fn conditions(&self, member: &Member) -> Vec<&'g Cond> {
        let node = self.graph.node(member.node);
        let arms = self.graph.operands(member.node);
        let arms = arms.into_iter().flat_map(|(_, operand)| &operand.when);
        node.space.when.iter().chain(node.op.conditions()).chain(arms).collect()
    }

    /// How the neighbours along that many columns lie in registers.
    fn along(&self, fused: &Fused, cols: usize, width: usize) -> Shape {
        let carried = self.carried(fused);
        let fits = |parts: &usize| {
            cols.is_multiple_of(parts * width) && parts * carried.max(1) <= MOST_CARRIED
        };
        // Vectors that come in pairs can be wide.
        let paired = |parts: &usize| self.wide && parts.is_multiple_of(2) && fits(parts);
        let parts = (1..=PARTS).rev().find(paired).or_else(|| (1..=PARTS).rev().find(fits));
        let shape = Shape { width, parts: parts.unwrap_or(1), samples: false };
        if self.wide { shape.widened() } else { shape }
    }

    /// How many results of folds are carried through a row.
    fn carried(&self, fused: &Fused) -> usize {
        fused.members.iter().map(|member| self.results(fused, member).len()).sum()
    }

    /// The results beside each other of a fold that stays in registers.
    fn results(&self, fused: &Fused, member: &Member) -> Vec<Vec<(usize, i64)>> {
        if self.carries(fused, member) { self.others(member, true) } else { Vec::new() }
    }

    /// Whether a member is a fold whose sums stay in registers.
    fn carries(&self, fused: &Fused, member: &Member) -> bool {
        match member.role {
            Role::Point => false,
            Role::Row => true,
            Role::Column => self.goes_down(fused),
        }
    }

    /// All combinations of coordinates along a member's other axes: those of its space, or those it folds
    /// over.
    fn others(&self, member: &Member, space: bool) -> Vec<Vec<(usize, i64)>> {
        let scope = self.graph.scope(member.node);
        let rank = self.graph.node(member.node).space.rank();
        let fits =
            |axis: &usize| (*axis < rank) == space && *axis != member.rows && *axis != member.cols;
        beside(&scope, &(0..scope.len()).filter(fits).collect::<Vec<_>>())
    }

    /// A member's point where the loop stands.
    fn stand(&self, member: &Member, place: &[Coord]) -> Vec<Coord> {
        let mut point = vec![Coord::constant(0); self.graph.scope(member.node).len()];
        point[member.rows] = place[0];
        point[member.cols] = place[1];
        point
    }

    /// What a fold starts from. Adding to 0 what may be nothing gives 0, not -0.
    fn first(&mut self, id: NodeId) -> Vec<Value> {
        match &self.graph.node(id).op {
            Op::Reduce { fold: Fold::Sum, when, over } if !when.is_empty() || over.contains(&0) => {
                self.constant(0.0)
            }
            Op::Reduce { fold, .. } => self.identity(*fold),
            Op::Map(_) | Op::Leaf(_) | Op::Join | Op::Recur { .. } | Op::Opaque { .. } => {
                panic!("internal error: jit: no fold to start")
            }
        }
    }

    fn clear_columns(&mut self, fused: &Fused, place: &[Coord]) {
        for member in fused.members.iter().filter(|member| member.role == Role::Column) {
            let rank = self.graph.node(member.node).space.rank();
            for at in self.others(member, true) {
                let mut point = self.stand(member, place);
                set(&mut point, &at);
                let start = self.first(member.node);
                self.store_at(member.node, &point[..rank], &start);
            }
        }
    }

    fn start_row(&mut self, fused: &Fused, sums: usize) -> Vec<Value> {
        let mut carried = Vec::new();
        for member in &fused.members {
            for _ in self.results(fused, member) {
                carried.extend(&self.first(member.node)[..sums]);
            }
        }
        carried
    }

    /// Writes what was carried through the parts of a row, some results at a time, or their numbers would need
    /// registers all at once.
    fn end_row(&mut self, fused: &Fused, place: &[Coord], ended: &[Ended]) {
        let plain = self.shape;
        let mut results: Vec<(&Member, Fold, Vec<Coord>)> = Vec::new();
        for member in &fused.members {
            let Op::Reduce { fold, .. } = &self.graph.node(member.node).op else { continue };
            for at in self.results(fused, member) {
                let mut point = self.stand(member, place);
                set(&mut point, &at);
                point.truncate(self.graph.node(member.node).space.rank());
                results.push((member, *fold, point));
            }
        }
        let alike = |left: &(_, Fold, _), right: &(_, Fold, _)| left.1 == right.1;
        let mut next = 0;
        for some in results.chunk_by(alike).flat_map(|alike| alike.chunks(AT_ONCE)) {
            let vectors: Vec<Vec<Value>> =
                some.iter().zip(next..).map(|(one, at)| self.ended(one.1, ended, at)).collect();
            next += some.len();
            let samples = self.shape.samples;
            let open: Vec<Value> = match samples {
                true => Vec::new(),
                false => vectors.iter().filter_map(|one| one.first()).copied().collect(),
            };
            let mut gathered = self.gathered_all(some[0].1, &open).into_iter();
            for ((member, _, point), own) in some.iter().zip(vectors) {
                let value = match own[..] {
                    [] => {
                        self.shape = Shape { width: 1, parts: 1, samples: false };
                        self.first(member.node)
                    }
                    _ if samples => own,
                    _ => gathered.next().into_iter().collect(),
                };
                self.shape = plain;
                self.store_at(member.node, point, &value);
            }
        }
    }

    /// What was carried for a result through the parts of a row, in one vector of the narrow kind, or in all of
    /// samples; nothing, if nothing was folded in.
    fn ended(&mut self, fold: Fold, ended: &[Ended], result: usize) -> Vec<Value> {
        let mut value = Vec::new();
        for Ended { shape, sums, start, carried } in ended {
            let own = result * sums..(result + 1) * sums;
            let parts = &carried[own.clone()];
            self.shape = *shape;
            if shape.samples {
                return match self.several() {
                    // Samples that do not fill a wide vector share it with those of another place.
                    true if shape.width > self.samples => vec![self.narrowed(fold, parts)],
                    true => vec![self.vector_of(fold, parts)],
                    false => parts.to_vec(),
                };
            }
            if *parts == start[own] {
                continue;
            }
            let own = self.narrowed(fold, parts);
            value = match value[..] {
                [before] => vec![self.fold(fold, before, own)],
                _ => vec![own],
            };
        }
        value
    }

    /// All members at a point.
    fn at(
        &mut self,
        fused: &Fused,
        place: &[Coord],
        (carried, sums): (Vec<Value>, usize),
    ) -> Vec<Value> {
        let mut before = carried.chunks(sums);
        let mut after = Vec::new();
        for id in &self.layout.overwritten {
            let value = self.load_at(*id, place);
            self.known.push((*id, place.to_vec(), value));
        }
        for member in &fused.members {
            let id = member.node;
            let rank = self.graph.node(id).space.rank();
            for at in self.others(member, true) {
                let mut point = self.stand(member, place);
                set(&mut point, &at);
                match member.role {
                    Role::Point => {
                        let value = self.number(member, &point);
                        point.truncate(rank);
                        if self.layout.slot(id).is_some() {
                            self.store_at(id, &point, &value);
                        }
                        self.known.push((id, point, value));
                    }
                    Role::Row | Role::Column if self.carries(fused, member) => {
                        let Some(sum) = before.next() else { continue };
                        after.extend(self.terms_into(member, &mut point, sum.to_vec()));
                    }
                    Role::Row | Role::Column => {
                        let sum = self.load_at(id, &point[..rank]);
                        let sum = self.terms(member, &mut point, sum);
                        self.store_at(id, &point[..rank], &sum);
                    }
                }
            }
        }
        self.known.clear();
        after
    }

    /// Adds the terms of a fold that belong to a point to what a row carries. Where one vector is carried for all
    /// parts, and a mask tells apart what counts, they are folded on their own first.
    fn terms_into(
        &mut self,
        member: &Member,
        point: &mut Vec<Coord>,
        sum: Vec<Value>,
    ) -> Vec<Value> {
        let Op::Reduce { fold, when, .. } = &self.graph.node(member.node).op else { return sum };
        let others = self.others(member, false);
        let known = others.iter().all(|at| {
            set(point, at);
            when.iter().all(|cond| self.cleared(cond, point).is_some())
        });
        if sum.len() == self.shape.parts || known {
            return self.terms(member, point, sum);
        }
        let start = self.identity(*fold);
        let own = self.terms(member, point, start);
        self.fold_all(*fold, &sum, &own)
    }

    /// Adds the terms of a fold that belong to a point.
    fn terms(
        &mut self,
        member: &Member,
        point: &mut Vec<Coord>,
        mut sum: Vec<Value>,
    ) -> Vec<Value> {
        let graph = self.graph;
        let Op::Reduce { fold, when, .. } = &graph.node(member.node).op else { return sum };
        let scope = graph.scope(member.node);
        for at in self.others(member, false) {
            set(point, &at);
            sum = self.term(member.node, *fold, when, &scope, point, sum);
        }
        sum
    }

    /// The value of a member that has one at each point; 0 where it does not exist.
    fn number(&mut self, member: &Member, point: &[Coord]) -> Vec<Value> {
        let id = member.node;
        let node = self.graph.node(id);
        let conds: Vec<&Cond> = node.space.when.iter().collect();
        let (sizes, rank) = (&node.space.sizes, node.space.rank());
        let zero = self.constant(0.0);
        let mut own = point[..rank].to_vec();
        self.guard(&conds, sizes, &mut own, zero, &mut |emitter, own, _| match &node.op {
            Op::Join => emitter.join(id, own),
            Op::Reduce { .. } => {
                let first = emitter.first(id);
                emitter.terms(member, &mut point.to_vec(), first)
            }
            Op::Map(_) | Op::Leaf(_) | Op::Recur { .. } | Op::Opaque { .. } => {
                emitter.compute(id, own)
            }
        })
    }
}
