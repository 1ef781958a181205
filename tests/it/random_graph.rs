//! Random graphs that obey every law, for property tests.
//!
//! In: a seed and a number of equations. Out: a graph made with `Builder` only. Invariant: the same seed
//! gives the same graph.

use ntmc::graph::{
    Access, Affine, Axis, Bits, Builder, Cond, Fold, Graph, Index, Leaf, NodeId, Op, Operand,
    Origin, Path, Port, Read, Rel, Space, Toward, Type,
};
use ntmc::op::{Opaque, Scalar, scalar};

/// A small generator of numbers (splitmix64), so that a seed is the whole input.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }
}

struct Growth {
    dice: Dice,
    /// Rows and columns of a matrix whose sizes come up again and again; nothing, if all axes are short.
    long: Option<[u32; 2]>,
    builder: Builder,
    origin: Origin,
}

/// A valid random graph, whose axes have at most five places.
pub(crate) fn random_graph(seed: u64, equations: usize) -> Graph {
    grown(Dice(seed), equations, None)
}

/// A valid random graph, most of whose axes are long enough for loops over several values, and for products that are
/// laid out anew.
pub(crate) fn random_large_graph(seed: u64, equations: usize) -> Graph {
    let mut dice = Dice(seed);
    let sizes = [8, 12, 16, 20, 24, 32, 36, 40];
    let long = [(); 2].map(|()| sizes[dice.roll(sizes.len())]);
    grown(dice, equations, Some(long))
}

fn grown(dice: Dice, equations: usize, long: Option<[u32; 2]>) -> Graph {
    let mut growth = Growth { dice, long, builder: Builder::new(), origin: Origin::default() };
    growth.leaves();
    for _ in 0..equations {
        growth.equation();
    }
    growth.roots();
    growth.builder.finish()
}

fn affine(offset: i64, terms: &[(usize, i64)]) -> Affine {
    Affine::new(offset, terms.iter().map(|(axis, by)| (Axis(*axis as u8), *by)))
}

fn cond(left: Affine, rel: Rel, right: Affine) -> Cond {
    Cond { left: Index::Affine(left), rel, right }
}

/// Operands of a node under construction: those combined, then indices.
#[derive(Default)]
struct Table {
    bases: Vec<(NodeId, Operand)>,
    indices: Vec<(NodeId, Operand)>,
}

impl Growth {
    fn sizes(&mut self, most: usize) -> Vec<u32> {
        let mut sizes: Vec<u32> = (0..self.dice.roll(most + 1)).map(|_| self.size(5)).collect();
        // Two long ones are enough for a loop; more would take long.
        for size in sizes.iter_mut().filter(|size| **size > 5).skip(2) {
            *size = 2;
        }
        sizes
    }

    /// A size of at most so many places, or a long one.
    fn size(&mut self, most: usize) -> u32 {
        match self.long {
            Some(long) if self.dice.chance(80) => long[self.dice.roll(2)],
            Some(_) | None => 1 + self.dice.roll(most) as u32,
        }
    }

    fn new_origin(&mut self, rank: usize) {
        let paths = ["a", "b", "read[0].w", "layer[2]", "write.content.k", "", "odd path"];
        let names = ["i", "j", "k", "l", "m", "n"];
        let named = if self.dice.chance(15) { self.dice.roll(rank + 1) } else { rank };
        self.origin = Origin {
            path: Path(paths[self.dice.roll(paths.len())].to_owned()),
            axes: names.iter().take(named).map(|name| (*name).to_owned()).collect(),
            adjoint: self.dice.chance(30),
            ..Origin::default()
        };
    }

    fn leaves(&mut self) {
        for number in 0..3 {
            for leaf in [Leaf::Input(number), Leaf::Param(number), Leaf::Prev(number)] {
                let sizes = match (self.long, number) {
                    (Some(long), 0) => long.to_vec(),
                    (Some(long), 1) => vec![long[self.dice.roll(2)]],
                    (Some(_), _) | (None, _) => self.sizes(3),
                };
                self.new_origin(sizes.len());
                self.builder.leaf(leaf, &sizes, Type::Real, self.origin.clone());
            }
        }
        for number in 3..5 {
            self.new_origin(1);
            let ty = Type::Index { below: 1 + self.dice.roll(4) as u32, permutation: false };
            let size = 1 + self.dice.roll(5) as u32;
            self.builder.leaf(Leaf::Input(number), &[size], ty, self.origin.clone());
        }
    }

    /// A node of the wanted type that exists everywhere.
    fn pick(&mut self, wanted: impl Fn(Type) -> bool) -> Option<NodeId> {
        let graph = self.builder.graph();
        let fits =
            |id: &NodeId| wanted(graph.node(*id).ty) && graph.node(*id).space.when.is_empty();
        let list: Vec<NodeId> = graph.ids().filter(fits).collect();
        if list.is_empty() { None } else { Some(list[self.dice.roll(list.len())]) }
    }

    /// An index into an axis of that size, from a scope of those sizes.
    fn index(&mut self, size: u32, scope: &[u32], table: &mut Table, arity: usize) -> Index {
        let fitting: Vec<usize> = (0..scope.len()).filter(|at| scope[*at] <= size).collect();
        let axis = (!fitting.is_empty()).then(|| fitting[self.dice.roll(fitting.len())]);
        let choice = self.dice.roll(10);
        match (axis, choice) {
            (Some(axis), 0..=4) => Index::axis(axis),
            (Some(axis), 5) => {
                let room = size - scope[axis];
                Index::Affine(affine(self.dice.roll(room as usize + 1) as i64, &[(axis, 1)]))
            }
            (Some(axis), 6) => Index::Affine(affine(i64::from(size) - 1, &[(axis, -1)])),
            (_, 7) if !scope.is_empty() => {
                let (one, two) = (self.dice.roll(scope.len()), self.dice.roll(scope.len()));
                let by = self.dice.roll(3) as i64 - 1;
                let of = affine(self.dice.roll(7) as i64 - 3, &[(one, 1), (two, by)]);
                Index::Digit { of, step: 1 + self.dice.roll(2) as u32, radix: size }
            }
            (_, 8) => self.gather(size, scope, table, arity),
            _ => Index::Affine(Affine::constant(self.dice.roll(size as usize) as i64)),
        }
    }

    fn gather(&mut self, size: u32, scope: &[u32], table: &mut Table, arity: usize) -> Index {
        let small = |ty: Type| matches!(ty, Type::Index { below, .. } if below <= size);
        let Some(from) = self.pick(small) else { return Index::Affine(Affine::constant(0)) };
        let access = self.access(from, scope, table, arity);
        let port = Port((arity + table.indices.len()) as u8);
        table.indices.push((from, Operand { port, access, when: Vec::new() }));
        Index::Value(port)
    }

    fn access(&mut self, from: NodeId, scope: &[u32], table: &mut Table, arity: usize) -> Access {
        let sizes = self.builder.graph().node(from).space.sizes.clone();
        Access(sizes.into_iter().map(|size| self.index(size, scope, table, arity)).collect())
    }

    /// Reads some node of the wanted type, now and then a constant or a nested expression.
    fn base(
        &mut self,
        bool_wanted: bool,
        scope: &[u32],
        table: &mut Table,
        arity: usize,
        depth: usize,
    ) {
        let wanted = |ty: Type| (ty == Type::Bool) == bool_wanted;
        let choice = self.dice.roll(10);
        let nested = (choice < 4 && depth > 0).then(|| self.map(scope, Vec::new(), depth - 1));
        let nested = nested.flatten().filter(|id| wanted(self.builder.graph().node(*id).ty));
        let port = Port(table.bases.len() as u8);
        let (from, access) = match (nested, self.pick(wanted)) {
            (Some(from), _) => (from, Access::identity(scope.len())),
            (None, Some(from)) if choice < 8 || bool_wanted => {
                (from, self.access(from, scope, table, arity))
            }
            (None, Some(_) | None) if bool_wanted => {
                let truth = Leaf::Const(Bits::of(1.0));
                let from = self.builder.leaf(truth, &[], Type::Bool, Origin::default());
                (from, Access::default())
            }
            (None, Some(_) | None) => {
                let values = [0.0, 1.0, -1.0, 0.5, -0.0, f64::INFINITY, 1e-9, f64::NAN];
                let value = values[self.dice.roll(values.len())];
                (self.builder.constant(value), Access::default())
            }
        };
        table.bases.push((from, Operand { port, access, when: Vec::new() }));
    }

    fn map(&mut self, sizes: &[u32], when: Vec<Cond>, depth: usize) -> Option<NodeId> {
        let at = Scalar(self.dice.roll(scalar::rows().len()) as u16);
        let row = at.row();
        let mut table = Table::default();
        for sort in row.takes {
            self.base(*sort == scalar::Sort::Bool, sizes, &mut table, row.takes.len(), depth);
        }
        let ty = if row.gives == scalar::Sort::Bool { Type::Bool } else { Type::Real };
        let space = Space { sizes: sizes.to_vec(), when };
        Some(self.add(Op::Map(at), space, ty, table))
    }

    fn add(&mut self, op: Op, space: Space, ty: Type, mut table: Table) -> NodeId {
        table.bases.append(&mut table.indices);
        self.builder.add(op, space, ty, table.bases, self.origin.clone())
    }

    /// A real node of these sizes that exists everywhere.
    fn pick_sized(&mut self, sizes: &[u32]) -> Option<NodeId> {
        let graph = self.builder.graph();
        let fits = |id: &NodeId| {
            let node = graph.node(*id);
            node.ty == Type::Real && node.space.when.is_empty() && node.space.sizes == sizes
        };
        let list: Vec<NodeId> = graph.ids().filter(fits).collect();
        if list.is_empty() { None } else { Some(list[self.dice.roll(list.len())]) }
    }

    /// A matrix times a vector that goes along its rows or its columns: their product, or a matrix.
    fn dense(&mut self, long: [u32; 2]) {
        let along = self.dice.roll(2);
        let (matrix, vector) = (self.pick_sized(&long), self.pick_sized(&[long[along]]));
        let Some((matrix, vector)) = matrix.zip(vector) else { return };
        // The axis of the vector comes last.
        let place = |axis: usize| Index::axis(usize::from(axis == along));
        let read =
            |port, access| Operand { port: Port(port), access: Access(access), when: Vec::new() };
        let bases = vec![
            (matrix, read(0, vec![place(0), place(1)])),
            (vector, read(1, vec![Index::axis(1)])),
        ];
        let sizes = vec![long[1 - along], long[along]];
        let function = [scalar::MUL, scalar::MUL, scalar::ADD, scalar::MAX][self.dice.roll(4)];
        self.new_origin(2);
        let table = Table { bases, indices: Vec::new() };
        let product = self.add(Op::Map(function), Space::of(sizes.clone()), Type::Real, table);
        let folds = self.dice.chance(60);
        self.new_origin(2);
        let access =
            if folds { vec![Index::axis(0), Index::axis(1)] } else { vec![place(0), place(1)] };
        let bases = vec![(product, read(0, access))];
        let table = Table { bases, indices: Vec::new() };
        let (op, sizes) = match folds {
            true => (
                Op::Reduce { fold: Fold::Sum, over: vec![sizes[1]], when: Vec::new() },
                vec![sizes[0]],
            ),
            false => (Op::Map(scalar::TANH), long.to_vec()),
        };
        self.add(op, Space::of(sizes), Type::Real, table);
    }

    fn equation(&mut self) {
        if let Some(long) = self.long
            && self.dice.chance(60)
        {
            return self.dense(long);
        }
        let sizes = self.sizes(3);
        self.new_origin(sizes.len());
        match self.dice.roll(8) {
            0 | 1 => {
                self.map(&sizes, Vec::new(), 2);
            }
            2 => self.guarded(sizes),
            3 | 4 => self.reduce(&sizes),
            5 => self.join(sizes),
            6 => self.recur(sizes),
            _ => self.ordered(sizes),
        }
    }

    /// A map that exists from 1 on, a join with it, and a read of it.
    fn guarded(&mut self, mut sizes: Vec<u32>) {
        sizes.push(2 + self.dice.roll(3) as u32);
        let last = sizes.len() - 1;
        self.new_origin(sizes.len());
        let from_one = vec![cond(affine(0, &[(last, 1)]), Rel::Ge, affine(1, &[]))];
        let at_zero = vec![cond(affine(0, &[(last, 1)]), Rel::Eq, affine(0, &[]))];
        let Some(inner) = self.map(&sizes, from_one.clone(), 1) else { return };
        if self.builder.graph().node(inner).ty != Type::Real {
            return;
        }
        let zero = self.builder.constant(0.0);
        let identity = Access::identity(sizes.len());
        let arm = |port, access, when| Operand { port: Port(port), access, when };
        let bases =
            vec![(zero, arm(0, Access::default(), at_zero)), (inner, arm(1, identity, from_one))];
        self.add(Op::Join, Space::of(sizes), Type::Real, Table { bases, indices: Vec::new() });
    }

    fn reduce(&mut self, sizes: &[u32]) {
        let over = [self.size(4), 1 + self.dice.roll(3) as u32];
        let over = over[..1 + self.dice.roll(2)].to_vec();
        let scope: Vec<u32> = sizes.iter().chain(&over).copied().collect();
        self.new_origin(scope.len());
        let mut table = Table::default();
        let bound = affine(0, &[(sizes.len(), 1)]);
        let when = match self.dice.roll(4) {
            0 if !sizes.is_empty() => vec![cond(bound, Rel::Lt, affine(1, &[(0, 1)]))],
            1 if !sizes.is_empty() => {
                let left = self.gather(9, &scope, &mut table, 1);
                let plain = Index::Affine(bound);
                let left = if left.port().is_some() { left } else { plain };
                vec![Cond { left, rel: Rel::Eq, right: affine(0, &[(0, 1)]) }]
            }
            _ => Vec::new(),
        };
        self.base(false, &scope, &mut table, 1, 2);
        let fold = [Fold::Sum, Fold::Prod, Fold::Max, Fold::Min][self.dice.roll(4)];
        self.add(Op::Reduce { fold, over, when }, Space::of(sizes), Type::Real, table);
    }

    fn join(&mut self, mut sizes: Vec<u32>) {
        let cut = self.dice.roll(4) as i64;
        let square = self.dice.chance(40) && !sizes.is_empty();
        if square {
            sizes.push(sizes[0]);
        } else {
            sizes.insert(0, 3);
        }
        self.new_origin(sizes.len());
        let right = if square { affine(0, &[(sizes.len() - 1, 1)]) } else { affine(cut, &[]) };
        let (one, two) = if square { (Rel::Eq, Rel::Ne) } else { (Rel::Lt, Rel::Ge) };
        let mut table = Table::default();
        for rel in [one, two] {
            self.base(false, &sizes, &mut table, 2, 0);
            let when = vec![cond(affine(0, &[(0, 1)]), rel, right.clone())];
            // Indices met in an arm are read under its conditions.
            for (_, index) in table.indices.iter_mut().filter(|(_, index)| index.when.is_empty()) {
                index.when.clone_from(&when);
            }
            if let Some((_, base)) = table.bases.last_mut() {
                base.when = when;
            }
        }
        self.add(Op::Join, Space::of(sizes), Type::Real, table);
    }

    fn recur(&mut self, mut sizes: Vec<u32>) {
        sizes.push(4);
        self.new_origin(sizes.len());
        let mut table = Table::default();
        self.base(false, &sizes, &mut table, 2, 2);
        self.base(false, &sizes, &mut table, 2, 1);
        let along = Axis(self.dice.roll(sizes.len()) as u8);
        let toward = if self.dice.chance(50) { Toward::Up } else { Toward::Down };
        let start = Bits::of([0.0, 1.0, -1.0, -0.0][self.dice.roll(4)]);
        self.add(Op::Recur { along, toward, start }, Space::of(sizes), Type::Real, table);
    }

    /// An order of some node, or positions.
    fn ordered(&mut self, sizes: Vec<u32>) {
        let picked = self.pick(|ty| ty != Type::Bool);
        let from = picked.filter(|id| self.builder.graph().node(*id).space.rank() > 0);
        let Some(from) = from else {
            if let Some(last) = sizes.len().checked_sub(1) {
                let ty = Type::Index { below: sizes[last], permutation: true };
                let leaf = Leaf::Axis(Axis(last as u8));
                self.builder.leaf(leaf, &sizes, ty, self.origin.clone());
            }
            return;
        };
        let mut sizes = self.builder.graph().node(from).space.sizes.clone();
        self.new_origin(sizes.len());
        let along = self.dice.roll(sizes.len());
        let whole = sizes[along];
        let sorts = self.dice.chance(50);
        let op = if sorts { Opaque::Argsort } else { Opaque::TopK { k: 1 + whole / 2 } };
        sizes[along] = op.size(whole);
        let ty = Type::Index { below: whole, permutation: sorts && along + 1 == sizes.len() };
        let access = Access::identity(sizes.len());
        let bases = vec![(from, Operand { port: Port(0), access, when: Vec::new() })];
        let table = Table { bases, indices: Vec::new() };
        self.add(Op::Opaque { op, along: Axis(along as u8) }, Space::of(sizes), ty, table);
    }

    fn roots(&mut self) {
        for number in 0..4 {
            let Some(node) = self.pick(|_| true) else { continue };
            let sizes = self.builder.graph().node(node).space.sizes.clone();
            let access = if self.dice.chance(70) {
                Access::identity(sizes.len())
            } else {
                self.access_of_root(&sizes)
            };
            self.builder.root(format!("value/r[{number}].x"), Read { node, access, sizes });
        }
    }

    fn access_of_root(&mut self, sizes: &[u32]) -> Access {
        let mut index = |(at, size): (usize, &u32)| match self.dice.roll(3) {
            0 => Index::axis(at),
            1 => Index::Affine(affine(i64::from(*size) - 1, &[(at, -1)])),
            _ => Index::Affine(Affine::constant(0)),
        };
        Access(sizes.iter().enumerate().map(&mut index).collect())
    }
}
