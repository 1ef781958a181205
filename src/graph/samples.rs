//! Graphs for tests: the worked examples of the IR, every op and every form of access.
//!
//! Each has the root `y`, and parameters with values at which it can be differentiated.

use super::{
    Access, Affine, Axis, Bits, Builder, Cond, Fold, Graph, Index, Leaf, NodeId, Op, Operand,
    Origin, Path, Port, Read, Rel, Space, Toward, Type,
};
use crate::op::{Opaque, Scalar, scalar};

/// A graph with values for its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) graph: Graph,
    pub(crate) params: Vec<(Vec<u32>, Vec<f64>)>,
}

/// A sample under construction.
pub(crate) struct Maker {
    pub(crate) builder: Builder,
    params: Vec<(Vec<u32>, Vec<f64>)>,
}

/// Numbers that look random: in 0.1..0.9, all different.
pub(crate) fn noise(at: u64) -> f64 {
    let mixed = (at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    0.1 + 0.8 * ((mixed >> 40) as f64 / (1u64 << 24) as f64)
}

/// Axis number `at`.
pub(crate) fn ax(at: u8) -> Index {
    Index::Affine(lin(0, &[(at, 1)]))
}

/// An affine function.
pub(crate) fn lin(offset: i64, terms: &[(u8, i64)]) -> Affine {
    Affine::new(offset, terms.iter().map(|(axis, by)| (Axis(*axis), *by)))
}

/// An affine index.
pub(crate) fn aff(offset: i64, terms: &[(u8, i64)]) -> Index {
    Index::Affine(lin(offset, terms))
}

/// A digit.
pub(crate) fn dig(of: Affine, step: u32, radix: u32) -> Index {
    Index::Digit { of, step, radix }
}

/// A gather.
pub(crate) fn val(port: u8) -> Index {
    Index::Value(Port(port))
}

/// A condition on an affine function.
pub(crate) fn cond(left: Affine, rel: Rel, right: i64) -> Cond {
    Cond::of(left, rel, right)
}

type Reads<'a> = &'a [(NodeId, &'a [Index])];

impl Maker {
    pub(crate) fn new() -> Maker {
        Maker { builder: Builder::new(), params: Vec::new() }
    }

    pub(crate) fn param(&mut self, sizes: &[u32]) -> NodeId {
        let count: u32 = sizes.iter().product();
        let base = 100 * self.params.len() as u64;
        self.valued(sizes, (0..u64::from(count)).map(|at| noise(base + at)).collect())
    }

    pub(crate) fn valued(&mut self, sizes: &[u32], values: Vec<f64>) -> NodeId {
        let number = self.params.len() as u32;
        self.params.push((sizes.to_vec(), values));
        let origin = Origin { path: Path(format!("p{number}")), ..Origin::default() };
        self.builder.leaf(Leaf::Param(number), sizes, Type::Real, origin)
    }

    pub(crate) fn number(&mut self, value: f64) -> NodeId {
        self.builder.constant(value)
    }

    pub(crate) fn node(&mut self, op: Op, space: Space, ty: Type, reads: Reads<'_>) -> NodeId {
        let edge = |(port, (node, access)): (usize, &(NodeId, &[Index]))| {
            let access = Access(access.to_vec());
            (*node, Operand { port: Port(port as u8), access, when: Vec::new() })
        };
        let operands = reads.iter().enumerate().map(edge).collect();
        self.builder.add(op, space, ty, operands, Origin::default())
    }

    pub(crate) fn map(&mut self, scalar: Scalar, sizes: &[u32], reads: Reads<'_>) -> NodeId {
        let ty = match scalar.row().gives {
            scalar::Sort::Real => Type::Real,
            scalar::Sort::Bool => Type::Bool,
        };
        self.node(Op::Map(scalar), Space::of(sizes), ty, reads)
    }

    pub(crate) fn fold(
        &mut self,
        fold: Fold,
        sizes: &[u32],
        over: &[u32],
        when: Vec<Cond>,
        reads: Reads<'_>,
    ) -> NodeId {
        let op = Op::Reduce { fold, over: over.to_vec(), when };
        self.node(op, Space::of(sizes), Type::Real, reads)
    }

    pub(crate) fn recur(
        &mut self,
        sizes: &[u32],
        along: u8,
        toward: Toward,
        start: f64,
        reads: Reads<'_>,
    ) -> NodeId {
        let op = Op::Recur { along: Axis(along), toward, start: Bits::of(start) };
        self.node(op, Space::of(sizes), Type::Real, reads)
    }

    pub(crate) fn join(&mut self, sizes: &[u32], arms: &[(&[Cond], NodeId, &[Index])]) -> NodeId {
        let edge = |(port, (when, node, access)): (usize, &(&[Cond], NodeId, &[Index]))| {
            let access = Access(access.to_vec());
            (*node, Operand { port: Port(port as u8), access, when: when.to_vec() })
        };
        let operands = arms.iter().enumerate().map(edge).collect();
        self.builder.add(Op::Join, Space::of(sizes), Type::Real, operands, Origin::default())
    }

    pub(crate) fn argsort(&mut self, size: u32, of: NodeId) -> NodeId {
        let ty = Type::Index { below: size, permutation: true };
        let op = Op::Opaque { op: Opaque::Argsort, along: Axis(0) };
        self.node(op, Space::of([size]), ty, &[(of, &[ax(0)])])
    }

    /// Index values `(position * by + offset) mod below`, so that repeats can be asked for.
    pub(crate) fn positions(&mut self, size: u32, values: &[u32], below: u32) -> NodeId {
        // A constant table: a join of entries of 0, 1, 2, ..
        let ty = Type::Index { below, permutation: true };
        let numbers = self.builder.leaf(Leaf::Axis(Axis(0)), &[below], ty, Origin::default());
        let mut arms = Vec::new();
        for at in 0..size {
            let access = Access(vec![aff(i64::from(values[at as usize]), &[])]);
            let when = vec![cond(lin(0, &[(0, 1)]), Rel::Eq, i64::from(at))];
            arms.push((numbers, Operand { port: Port(at as u8), access, when }));
        }
        let ty = Type::Index { below, permutation: false };
        self.builder.add(Op::Join, Space::of([size]), ty, arms, Origin::default())
    }

    pub(crate) fn done(mut self, name: &str, y: NodeId) -> Sample {
        let sizes = self.builder.graph().node(y).space.sizes.clone();
        let access = Access::identity(sizes.len());
        self.builder.root("y", Read { node: y, access, sizes });
        Sample { name: name.to_owned(), graph: self.builder.finish(), params: self.params }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Sample> {
    let mut list = worked();
    list.extend(accesses());
    list.extend(folds());
    list.extend(points());
    list.extend(scalars());
    list
}

/// Section 6 of the IR's description.
fn worked() -> Vec<Sample> {
    vec![shift(), allocation([0.7, 0.2, 0.0, 0.5, 0.9]), stack(), cat(), link()]
}

fn shift() -> Sample {
    let mut m = Maker::new();
    let (w, s) = (m.param(&[5]), m.param(&[3]));
    let roll = dig(lin(1, &[(0, 1), (1, -1)]), 1, 5);
    let product = m.map(scalar::MUL, &[5, 3], &[(w, &[roll]), (s, &[ax(1)])]);
    let y = m.fold(Fold::Sum, &[5], &[3], vec![], &[(product, &[ax(0), ax(1)])]);
    m.done("shift", y)
}

fn allocation(usage: [f64; 5]) -> Sample {
    let mut m = Maker::new();
    let u = m.valued(&[5], usage.to_vec());
    let one = m.number(1.0);
    let zero = m.number(0.0);
    let phi = m.argsort(5, u);
    let p = m.recur(&[5], 0, Toward::Up, 1.0, &[(zero, &[]), (u, &[val(2)]), (phi, &[ax(0)])]);
    let free = m.map(scalar::SUB, &[5], &[(one, &[]), (u, &[val(2)]), (phi, &[ax(0)])]);
    let q = m.map(scalar::MUL, &[5], &[(free, &[ax(0)]), (p, &[ax(0)])]);
    let when = vec![Cond { left: val(1), rel: Rel::Eq, right: lin(0, &[(0, 1)]) }];
    let a = m.fold(Fold::Sum, &[5], &[5], when, &[(q, &[ax(1)]), (phi, &[ax(1)])]);
    m.done("allocation", a)
}

fn stack() -> Sample {
    let mut m = Maker::new();
    let (s0, v0) = (m.valued(&[4], vec![0.5, 0.9, 0.35, 0.8]), m.param(&[4, 3]));
    let (push, pop, v) = (m.valued(&[], vec![0.4]), m.valued(&[], vec![0.95]), m.param(&[3]));
    let (zero, one) = (m.number(0.0), m.number(1.0));
    let b = m.recur(&[4], 0, Toward::Up, 0.0, &[(s0, &[ax(0)]), (one, &[])]);
    let o = m.map(scalar::SUB, &[4], &[(pop, &[]), (b, &[ax(0)])]);
    let o = m.map(scalar::MAX, &[4], &[(zero, &[]), (o, &[ax(0)])]);
    let k = m.map(scalar::SUB, &[4], &[(s0, &[ax(0)]), (o, &[ax(0)])]);
    let l = m.map(scalar::MAX, &[4], &[(zero, &[]), (k, &[ax(0)])]);
    let first = [cond(lin(0, &[(0, 1)]), Rel::Eq, 0)];
    let later = [cond(lin(0, &[(0, 1)]), Rel::Ge, 1)];
    let before = aff(-1, &[(0, 1)]);
    let s = m.join(&[4], &[(&first, push, &[]), (&later, l, std::slice::from_ref(&before))]);
    let new = m.join(&[4, 3], &[(&first, v, &[ax(1)]), (&later, v0, &[before, ax(1)])]);
    let e = m.recur(&[4], 0, Toward::Up, 0.0, &[(s, &[ax(0)]), (one, &[])]);
    let g = m.map(scalar::SUB, &[4], &[(one, &[]), (e, &[ax(0)])]);
    let g = m.map(scalar::MAX, &[4], &[(zero, &[]), (g, &[ax(0)])]);
    let h = m.map(scalar::MIN, &[4], &[(s, &[ax(0)]), (g, &[ax(0)])]);
    let hv = m.map(scalar::MUL, &[4, 3], &[(h, &[ax(0)]), (new, &[ax(0), ax(1)])]);
    let r = m.fold(Fold::Sum, &[3], &[4], vec![], &[(hv, &[ax(1), ax(0)])]);
    m.done("stack", r)
}

fn cat() -> Sample {
    let mut m = Maker::new();
    let (x, r) = (m.param(&[3]), m.param(&[2, 4]));
    let t = lin(0, &[(0, 1)]);
    let rest = lin(-3, &[(0, 1)]);
    let read = [dig(rest.clone(), 4, 2), dig(rest, 1, 4)];
    let z = m.join(
        &[11],
        &[(&[cond(t.clone(), Rel::Lt, 3)], x, &[ax(0)]), (&[cond(t, Rel::Ge, 3)], r, &read)],
    );
    let w = m.param(&[2, 11]);
    let product = m.map(scalar::MUL, &[2, 11], &[(w, &[ax(0), ax(1)]), (z, &[ax(1)])]);
    let y = m.fold(Fold::Sum, &[2], &[11], vec![], &[(product, &[ax(0), ax(1)])]);
    m.done("cat", y)
}

fn link() -> Sample {
    let mut m = Maker::new();
    let (old, w, p) = (m.param(&[4, 4]), m.param(&[4]), m.param(&[4]));
    let one = m.number(1.0);
    let off = Space { sizes: vec![4, 4], when: vec![cond(lin(0, &[(0, 1), (1, -1)]), Rel::Ne, 0)] };
    let map = |m: &mut Maker, scalar, reads: Reads<'_>| {
        m.node(Op::Map(scalar), off.clone(), Type::Real, reads)
    };
    let keep = map(&mut m, scalar::SUB, &[(one, &[]), (w, &[ax(0)])]);
    let keep = map(&mut m, scalar::SUB, &[(keep, &[ax(0), ax(1)]), (w, &[ax(1)])]);
    let keep = map(&mut m, scalar::MUL, &[(keep, &[ax(0), ax(1)]), (old, &[ax(0), ax(1)])]);
    let new = map(&mut m, scalar::MUL, &[(w, &[ax(0)]), (p, &[ax(1)])]);
    let value = map(&mut m, scalar::ADD, &[(keep, &[ax(0), ax(1)]), (new, &[ax(0), ax(1)])]);
    let zero = m.number(0.0);
    let same = [cond(lin(0, &[(0, 1), (1, -1)]), Rel::Eq, 0)];
    let other = [cond(lin(0, &[(0, 1), (1, -1)]), Rel::Ne, 0)];
    let y = m.join(&[4, 4], &[(&same, zero, &[]), (&other, value, &[ax(0), ax(1)])]);
    m.done("link", y)
}

/// One read `y[..] = w[..] * A[f(..)]` for each form of access, the product summed over `over`.
fn read(
    name: &str,
    of: &[u32],
    sizes: &[u32],
    over: &[u32],
    access: &[Index],
    when: Vec<Cond>,
) -> Sample {
    let mut m = Maker::new();
    let a = m.param(of);
    let scope: Vec<u32> = sizes.iter().chain(over).copied().collect();
    let w = m.param(&scope);
    let whole: Vec<Index> = (0..scope.len() as u8).map(ax).collect();
    let space = Space { sizes: scope, when: when.clone() };
    let product = m.node(Op::Map(scalar::MUL), space, Type::Real, &[(w, &whole), (a, access)]);
    let y = match (over.is_empty(), when.is_empty()) {
        (true, true) => product,
        _ => m.fold(
            Fold::Sum,
            sizes,
            if over.is_empty() { &[1] } else { over },
            when,
            &[(product, &whole)],
        ),
    };
    m.done(name, y)
}

fn accesses() -> Vec<Sample> {
    let (i, ij) = (lin(0, &[(0, 1)]), |a, b| lin(0, &[(0, a), (1, b)]));
    let bare = |rel, at| vec![cond(lin(0, &[(0, 1)]), rel, at)];
    let mut list = vec![
        read("transpose", &[3, 2], &[2, 3], &[], &[ax(1), ax(0)], vec![]),
        read("broadcast", &[3], &[2, 3], &[], &[ax(1)], vec![]),
        read("slice", &[7], &[3], &[], &[aff(2, &[(0, 1)])], vec![]),
        read("row", &[4, 3], &[3], &[], &[aff(2, &[]), ax(0)], vec![]),
        read("backwards", &[4], &[4], &[], &[aff(3, &[(0, -1)])], vec![]),
        read("roll", &[5], &[5], &[], &[dig(lin(-2, &[(0, 1)]), 1, 5)], vec![]),
        read("roll backwards", &[5], &[5], &[], &[dig(lin(1, &[(0, -1)]), 1, 5)], vec![]),
        read("roll into a part", &[6], &[4], &[], &[dig(lin(1, &[(0, 1)]), 1, 4)], vec![]),
        read("short roll", &[5], &[3], &[], &[dig(lin(3, &[(0, 1)]), 1, 5)], vec![]),
        read("long roll", &[3], &[7], &[], &[dig(lin(1, &[(0, 1)]), 1, 3)], vec![]),
        read("stretched roll", &[5], &[5], &[], &[dig(lin(1, &[(0, 2)]), 1, 5)], vec![]),
        read("stride", &[8], &[3], &[], &[aff(1, &[(0, 2)])], vec![]),
        read("backward stride", &[8], &[3], &[], &[aff(7, &[(0, -3)])], vec![]),
        read("flatten", &[12], &[4, 3], &[], &[Index::Affine(ij(3, 1))], vec![]),
        read("flatten with a gap", &[16], &[4, 3], &[], &[Index::Affine(ij(4, 1))], vec![]),
        read("flatten with an offset", &[14], &[4, 3], &[], &[aff(1, &[(0, 1), (1, 4)])], vec![]),
        read(
            "unflatten",
            &[4, 3],
            &[12],
            &[],
            &[dig(i.clone(), 3, 4), dig(i.clone(), 1, 3)],
            vec![],
        ),
        read(
            "unflatten into a part",
            &[5, 4],
            &[12],
            &[],
            &[dig(i.clone(), 3, 4), dig(i.clone(), 1, 3)],
            vec![],
        ),
        read("one digit", &[4], &[12], &[], &[dig(i.clone(), 3, 4)], vec![]),
        read("low digit", &[3], &[12], &[], &[dig(i.clone(), 1, 3)], vec![]),
        read("convolution", &[6], &[4], &[3], &[Index::Affine(ij(1, 1))], vec![]),
        read("stretched convolution", &[11], &[4], &[3], &[Index::Affine(ij(2, 2))], vec![]),
        read("odd convolution", &[14], &[4], &[3], &[Index::Affine(ij(2, 3))], vec![]),
        read("diagonal", &[4, 4], &[4], &[], &[ax(0), ax(0)], vec![]),
        read("guarded", &[3], &[5], &[], &[aff(-2, &[(0, 1)])], bare(Rel::Ge, 2)),
        read("guarded roll", &[5], &[5], &[], &[dig(lin(2, &[(0, 1)]), 1, 5)], bare(Rel::Ne, 2)),
        read("triangle", &[4, 4], &[4], &[4], &[ax(1), ax(0)], vec![cond(ij(1, -1), Rel::Lt, 0)]),
        read("two rolls", &[5], &[5], &[5], &[dig(ij(1, 1), 1, 5)], vec![]),
        read("shape of one", &[1, 3], &[3, 1], &[], &[ax(1), ax(0)], vec![]),
        read("one number", &[], &[3], &[2], &[], vec![]),
        gather(),
        scatter(),
        scatter_of_param(),
        gather_of_gather(),
        fixed_gather(),
        permuted(),
        used_twice(),
    ];
    list.push(read(
        "guarded unflatten",
        &[2, 3],
        &[8],
        &[],
        &[dig(lin(-2, &[(0, 1)]), 3, 2), dig(lin(-2, &[(0, 1)]), 1, 3)],
        bare(Rel::Ge, 2),
    ));
    list
}

fn gather() -> Sample {
    let mut m = Maker::new();
    let (memory, w) = (m.param(&[5, 2]), m.param(&[4]));
    let at = m.positions(4, &[3, 0, 3, 1], 5);
    let y =
        m.map(scalar::MUL, &[4, 2], &[(w, &[ax(0)]), (memory, &[val(2), ax(1)]), (at, &[ax(0)])]);
    m.done("gather with a repeat", y)
}

fn when_value(port: u8, axis: u8) -> Vec<Cond> {
    vec![Cond { left: val(port), rel: Rel::Eq, right: lin(0, &[(axis, 1)]) }]
}

fn scatter() -> Sample {
    let mut m = Maker::new();
    let (a, w) = (m.param(&[4, 2]), m.param(&[4]));
    let at = m.positions(4, &[3, 0, 3, 1], 5);
    let product = m.map(scalar::MUL, &[4, 2], &[(w, &[ax(0)]), (a, &[ax(0), ax(1)])]);
    let y = m.fold(
        Fold::Sum,
        &[5, 2],
        &[4],
        when_value(1, 0),
        &[(product, &[ax(2), ax(1)]), (at, &[ax(2)])],
    );
    m.done("scatter", y)
}

fn scatter_of_param() -> Sample {
    let mut m = Maker::new();
    let a = m.param(&[4]);
    let at = m.positions(4, &[3, 0, 3, 1], 5);
    let y = m.fold(Fold::Sum, &[5], &[4], when_value(1, 0), &[(a, &[ax(1)]), (at, &[ax(1)])]);
    m.done("scatter of a parameter", y)
}

fn gather_of_gather() -> Sample {
    let mut m = Maker::new();
    let a = m.param(&[4]);
    let first = m.positions(3, &[2, 0, 2], 4);
    let second = m.positions(4, &[3, 1, 1, 0], 4);
    let y = m.map(scalar::EXP, &[3], &[(a, &[val(1)]), (second, &[val(2)]), (first, &[ax(0)])]);
    m.done("gather of a gather", y)
}

fn fixed_gather() -> Sample {
    let mut m = Maker::new();
    let (a, u) = (m.param(&[4, 2]), m.param(&[4]));
    let phi = m.argsort(4, u);
    let y =
        m.map(scalar::MUL, &[2], &[(a, &[val(2), ax(0)]), (u, &[val(2)]), (phi, &[aff(0, &[])])]);
    m.done("gather at one place", y)
}

fn permuted() -> Sample {
    let mut m = Maker::new();
    let (a, u) = (m.param(&[4]), m.param(&[4]));
    let phi = m.argsort(4, u);
    let y = m.map(scalar::MUL, &[4], &[(a, &[val(2)]), (u, &[ax(0)]), (phi, &[ax(0)])]);
    m.done("gather by a permutation", y)
}

fn used_twice() -> Sample {
    let mut m = Maker::new();
    let a = m.param(&[4]);
    let square = m.map(scalar::MUL, &[4], &[(a, &[ax(0)]), (a, &[ax(0)])]);
    let y = m.map(scalar::MUL, &[4], &[(square, &[ax(0)]), (a, &[aff(3, &[(0, -1)])])]);
    m.done("used three times", y)
}

fn folds() -> Vec<Sample> {
    let mut list = Vec::new();
    for (name, fold) in
        [("sum", Fold::Sum), ("product", Fold::Prod), ("max", Fold::Max), ("min", Fold::Min)]
    {
        let below = vec![cond(lin(0, &[(0, 1), (1, -1)]), Rel::Ge, 0)];
        let mut m = Maker::new();
        let a = m.param(&[3, 4]);
        let y = m.fold(fold, &[3], &[4], vec![], &[(a, &[ax(0), ax(1)])]);
        list.push(m.done(&format!("{name} over an axis"), y));
        let mut m = Maker::new();
        let a = m.param(&[3, 4, 2]);
        let y = m.fold(fold, &[3], &[2, 4], vec![], &[(a, &[ax(0), ax(2), ax(1)])]);
        list.push(m.done(&format!("{name} over two axes"), y));
        let mut m = Maker::new();
        let a = m.param(&[4, 4]);
        let y = m.fold(fold, &[4], &[4], below, &[(a, &[ax(1), ax(0)])]);
        list.push(m.done(&format!("{name} under a condition"), y));
        let mut m = Maker::new();
        let a = m.param(&[5]);
        let at = m.positions(4, &[3, 0, 3, 1], 5);
        let y = m.fold(
            fold,
            &[],
            &[4],
            vec![cond(lin(0, &[(0, 1)]), Rel::Ne, 1)],
            &[(a, &[val(1)]), (at, &[ax(0)])],
        );
        // Equal arguments come from one entry, so shares add up to what differences see.
        list.push(m.done(&format!("{name} of a gather"), y));
        let mut m = Maker::new();
        let a = m.param(&[4]);
        let at = m.positions(4, &[1, 0, 1, 0], 2);
        let y = m.fold(fold, &[2], &[4], when_value(1, 0), &[(a, &[ax(1)]), (at, &[ax(1)])]);
        list.push(m.done(&format!("{name} by value"), y));
    }
    let mut m = Maker::new();
    let a = m.valued(&[5], vec![0.7, 0.0, 0.4, 0.0, 0.9]);
    let y = m.fold(Fold::Prod, &[], &[5], vec![], &[(a, &[ax(0)])]);
    list.push(m.done("product with two zeros", y));
    let mut m = Maker::new();
    let a = m.valued(&[2, 3], vec![0.7, 0.0, 0.4, 0.3, 0.5, 0.9]);
    let y = m.fold(Fold::Prod, &[], &[2, 3], vec![], &[(a, &[ax(0), ax(1)])]);
    list.push(m.done("product over two axes with a zero", y));
    for (name, toward) in [("up", Toward::Up), ("down", Toward::Down)] {
        let mut m = Maker::new();
        let (a, b) = (m.param(&[4, 3]), m.param(&[5]));
        let at = m.positions(4, &[3, 0, 3, 1], 5);
        let y = m.recur(
            &[3, 4],
            1,
            toward,
            0.8,
            &[(a, &[aff(3, &[(1, -1)]), ax(0)]), (b, &[val(2)]), (at, &[ax(1)])],
        );
        list.push(m.done(&format!("recurrence {name}"), y));
    }
    list
}

/// Conventions aside, things between scalars: a value not taken, a number stopped.
fn points() -> Vec<Sample> {
    let mut m = Maker::new();
    let a = m.valued(&[3], vec![0.5, 0.2, -0.4]);
    let zero = m.number(0.0);
    let positive = m.map(scalar::LT, &[3], &[(zero, &[]), (a, &[ax(0)])]);
    let double = m.map(scalar::ADD, &[3], &[(a, &[ax(0)]), (a, &[ax(0)])]);
    let y = m.map(scalar::SELECT, &[3], &[(positive, &[ax(0)]), (double, &[ax(0)]), (zero, &[])]);
    let y = m.map(scalar::MUL, &[3], &[(y, &[ax(0)]), (y, &[ax(0)])]);
    let one = m.done("select", y);

    let mut m = Maker::new();
    let (a, w) = (m.param(&[3, 2]), m.param(&[2]));
    let e = m.map(scalar::EXP, &[3, 2], &[(a, &[ax(0), ax(1)])]);
    let total = m.fold(Fold::Sum, &[3], &[2], vec![], &[(e, &[ax(0), ax(1)])]);
    let soft = m.map(scalar::DIV, &[3, 2], &[(e, &[ax(0), ax(1)]), (total, &[ax(0)])]);
    let sharp = m.map(scalar::POW, &[3, 2], &[(soft, &[ax(0), ax(1)]), (w, &[ax(1)])]);
    let mean = m.fold(Fold::Sum, &[], &[3, 2], vec![], &[(sharp, &[ax(0), ax(1)])]);
    let two = m.done("softmax", mean);
    vec![one, two]
}

/// Every row of the scalar table that has a partial, at ordinary points.
fn scalars() -> Vec<Sample> {
    let mut list = Vec::new();
    for (at, row) in scalar::rows().iter().enumerate() {
        if row.partials.iter().all(Option::is_none) || row.takes[0] == scalar::Sort::Bool {
            continue;
        }
        for case in 0..4u64 {
            let mut m = Maker::new();
            let arguments: Vec<NodeId> = (0..row.takes.len())
                .map(|port| {
                    let value = noise(1000 * at as u64 + 10 * case + port as u64);
                    let signed =
                        if case >= 2 && port == 0 && !matches!(row.name, "pow" | "log" | "sqrt") {
                            -value
                        } else {
                            value
                        };
                    m.valued(&[1], vec![signed])
                })
                .collect();
            let mut reads: Vec<(NodeId, &[Index])> = Vec::new();
            let place = [ax(0)];
            for argument in &arguments {
                reads.push((*argument, &place));
            }
            if row.name == "clip" {
                let (low, high) = (m.number(-0.3), m.number(0.45));
                reads.truncate(1);
                reads.extend([(low, [].as_slice()), (high, [].as_slice())]);
            }
            if row.name == "clip_gradient" {
                // A limit that does not act: differences know nothing of it.
                let far = m.number(1e3);
                reads.truncate(1);
                reads.push((far, [].as_slice()));
            }
            let y = m.map(Scalar(at as u16), &[1], &reads);
            list.push(m.done(&format!("{} case {case}", row.name), y));
        }
    }
    list
}
