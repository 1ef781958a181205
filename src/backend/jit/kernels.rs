//! The loops of one node.
//!
//! In: a node that is held in memory, and how its values lie in registers. Out: a function that writes
//! every point of its space. Invariant: a fold starts from its identity and goes through the axes
//! folded over in ascending order; along an axis whose neighbours share a vector it is cut into as many
//! sums as a vector has numbers, added by a fixed tree.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use crate::graph::{Affine, Axis, Cond, Fold, Index, NodeId, Op, Operand, Port, Read, Rel, Toward};
use crate::op::{Opaque, scalar};

use super::call::call;
use super::called::{Number, Order};
use super::emit::{Coord, Emitter, Shape, row_major};
use super::vector::Vector;

/// One operand of a node, and the node it comes from.
type Operands<'g> = Vec<(NodeId, &'g Operand)>;

impl<'a, 'g> Emitter<'a, 'g> {
    /// The body of the function of a node.
    pub(super) fn node(&mut self, id: NodeId, vector: Option<Vector>) {
        let (graph, layout) = (self.graph, self.layout);
        let node = graph.node(id);
        match &node.op {
            Op::Map(_) | Op::Leaf(_) => self.points(id, vector, &mut |emitter, point| {
                let value = emitter.compute(id, point);
                emitter.store_at(id, point, &value);
            }),
            Op::Join => self.points(id, vector, &mut |emitter, point| {
                let value = emitter.join(id, point);
                emitter.store_at(id, point, &value);
            }),
            Op::Reduce { fold, over, when } => match call(graph, layout, self.samples, id) {
                Some(call) => self.product(id, call),
                None => self.reduce(id, *fold, over, when, vector),
            },
            Op::Recur { along, toward, start } => {
                self.recur(id, usize::from(along.0), *toward, start.value(), vector);
            }
            Op::Opaque { op, along } => self.opaque(id, *op, usize::from(along.0)),
        }
    }

    /// What a fold over nothing gives; a sum starts from -0, to which any number can be added.
    pub(super) fn identity(&mut self, fold: Fold) -> Vec<Value> {
        self.constant(match fold {
            Fold::Sum => -0.0,
            Fold::Prod => 1.0,
            Fold::Max => f64::NEG_INFINITY,
            Fold::Min => f64::INFINITY,
        })
    }

    pub(super) fn fold(&mut self, fold: Fold, left: Value, right: Value) -> Value {
        match fold {
            Fold::Sum => self.sum_of(left, right),
            Fold::Prod => self.to.ins().fmul(left, right),
            Fold::Max => self.larger(left, right),
            Fold::Min => self.smaller(left, right),
        }
    }

    /// Folds a tuple into another, or into one vector, part by part.
    pub(super) fn fold_all(&mut self, fold: Fold, left: &[Value], right: &[Value]) -> Vec<Value> {
        if left.len() == right.len() {
            let pairs = left.iter().zip(right);
            return pairs.map(|(left, right)| self.fold(fold, *left, *right)).collect();
        }
        debug_assert_eq!(left.len(), 1);
        vec![right.iter().fold(left[0], |sum, part| self.fold(fold, sum, *part))]
    }

    fn reduce(
        &mut self,
        id: NodeId,
        fold: Fold,
        over: &[u32],
        when: &[Cond],
        vector: Option<Vector>,
    ) {
        if let Some(scatter) = self.scatter(id, fold, when) {
            return self.scattered(id, over, when, scatter);
        }
        let graph = self.graph;
        let sizes = graph.scope(id);
        let rank = graph.node(id).space.rank();
        let empty = !when.is_empty() || over.contains(&0);
        let split = vector.filter(|vector| vector.axis >= rank);
        let mut body = |emitter: &mut Emitter<'a, 'g>, point: &mut Vec<Coord>| {
            point.resize(sizes.len(), Coord::constant(0));
            let mut value = match split {
                Some(split) => emitter.split_fold(id, fold, when, &sizes, split, point),
                None => {
                    let axes: Vec<(usize, u32)> =
                        sizes.iter().copied().enumerate().skip(rank).collect();
                    let start = emitter.identity(fold);
                    emitter.nest(&axes, point, start, &mut |emitter, point, carried| {
                        emitter.term(id, fold, when, &sizes, point, carried)
                    })
                }
            };
            point.truncate(rank);
            if fold == Fold::Sum && empty {
                // An empty sum is 0, not -0.
                let zero = emitter.constant(0.0);
                value = emitter.fold_all(fold, &value, &zero);
            }
            emitter.store_at(id, point, &value);
        };
        self.points(id, vector.filter(|vector| vector.axis < rank), &mut body);
    }

    /// One term of a fold, at the points that count.
    pub(super) fn term(
        &mut self,
        id: NodeId,
        fold: Fold,
        when: &[Cond],
        sizes: &[u32],
        point: &mut Vec<Coord>,
        carried: Vec<Value>,
    ) -> Vec<Value> {
        let operands = self.graph.operands(id);
        let gathered = |cond: &&Cond| matches!(cond.left, Index::Value(_));
        let fixed: Vec<&Cond> = when.iter().filter(|cond| !gathered(cond)).collect();
        let values: Vec<&Cond> = when.iter().filter(gathered).collect();
        self.guard(&fixed, sizes, point, carried, &mut |emitter, point, carried| {
            let reader = (sizes, &point[..]);
            emitter.careful = !values.is_empty();
            let mut sum = match emitter.added(fold, &operands, reader, &carried) {
                Some(sum) => sum,
                None => {
                    let (from, operand) = operands[0];
                    let term = emitter.read(from, &operand.access, reader, &operands);
                    emitter.fold_all(fold, &carried, &term)
                }
            };
            emitter.careful = false;
            for cond in &values {
                let Index::Value(port) = cond.left else { continue };
                let left = emitter.port(&operands, port, reader);
                let right = emitter.affine(&cond.right, point);
                let right = emitter.place(right);
                for part in 0..sum.len() {
                    let holds = emitter.compare(left[part], cond.rel, right[part]);
                    sum[part] = emitter.choose(holds, sum[part], carried[part]);
                }
            }
            sum
        })
    }

    /// A sum with a product added, rounded once, where this machine can; so do kernels of products.
    fn added(
        &mut self,
        fold: Fold,
        operands: &Operands<'g>,
        (sizes, point): (&[u32], &[Coord]),
        sum: &[Value],
    ) -> Option<Vec<Value>> {
        let (from, operand) = operands[0];
        let product = self.graph.node(from).op == Op::Map(scalar::MUL);
        let inside = self.layout.slot(from).is_none() && self.known.iter().all(|one| one.0 != from);
        if fold != Fold::Sum || !product || !inside || !self.wide || operands.len() > 1 {
            return None;
        }
        let factors = self.arguments_of(from, &operand.access, (sizes, point));
        let mut sums = sum.to_vec();
        for part in 0..factors[0].len() {
            let sum = &mut sums[if sum.len() == 1 { 0 } else { part }];
            *sum = self.product_and(factors[0][part], factors[1][part], *sum);
        }
        Some(sums)
    }

    fn port(
        &mut self,
        operands: &Operands<'g>,
        port: Port,
        reader: (&[u32], &[Coord]),
    ) -> Vec<Value> {
        let Some((from, operand)) = operands.iter().find(|(_, operand)| operand.port == port)
        else {
            panic!("internal error: jit: no operand at port {}", port.0)
        };
        self.read(*from, &operand.access, reader, operands)
    }

    /// A fold along an axis whose neighbours share a vector.
    fn split_fold(
        &mut self,
        id: NodeId,
        fold: Fold,
        when: &[Cond],
        sizes: &[u32],
        split: Vector,
        point: &mut Vec<Coord>,
    ) -> Vec<Value> {
        let plain = self.shape;
        let rank = self.graph.node(id).space.rank();
        let others: Vec<(usize, u32)> = sizes
            .iter()
            .copied()
            .enumerate()
            .skip(rank)
            .filter(|(axis, _)| *axis != split.axis)
            .collect();
        let size = i64::from(sizes[split.axis]);
        let by = split.shape.count() as i64;
        let whole = size - size % by;
        self.shape = split.shape;
        let mut start = self.identity(fold);
        self.shape = plain;
        start.extend(self.identity(fold));
        let all = self.nest(&others, point, start, &mut |emitter, point, mut carried| {
            let rest = carried.split_off(split.shape.parts);
            emitter.shape = split.shape;
            let range = (0, whole, by);
            let mut tuple = emitter.repeat(
                split.axis,
                range,
                point,
                carried,
                &mut |emitter, point, carried| emitter.term(id, fold, when, sizes, point, carried),
            );
            emitter.shape = plain;
            let range = (whole, size, 1);
            tuple.extend(emitter.repeat(
                split.axis,
                range,
                point,
                rest,
                &mut |emitter, point, carried| emitter.term(id, fold, when, sizes, point, carried),
            ));
            tuple
        });
        self.shape = split.shape;
        let total = self.gather_up(fold, &all[..split.shape.parts]);
        self.shape = plain;
        vec![self.fold(fold, total, all[split.shape.parts])]
    }

    /// The axis of the space that a sum scatters along: its one condition is `value == axis`, and
    /// nothing else depends on that axis.
    fn scatter(&self, id: NodeId, fold: Fold, when: &[Cond]) -> Option<(Port, usize)> {
        let node = self.graph.node(id);
        let values: Vec<&Cond> =
            when.iter().filter(|cond| matches!(cond.left, Index::Value(_))).collect();
        let [Cond { left: Index::Value(port), rel: Rel::Eq, right }] = values[..] else {
            return None;
        };
        let axis = right.as_axis()?;
        let inside = usize::from(axis.0) < node.space.rank();
        let reads = self.graph.operands(id).iter().any(|(_, operand)| {
            operand.access.0.iter().any(|index| index.affine().is_some_and(|of| mentions(of, axis)))
        });
        let fixed = when.iter().any(|cond| {
            !matches!(cond.left, Index::Value(_)) && cond.axes().any(|other| other == axis)
        });
        let plain = fold == Fold::Sum && node.space.when.is_empty();
        (plain && inside && !reads && !fixed).then_some((*port, usize::from(axis.0)))
    }

    /// A sum whose terms choose where they go.
    fn scattered(&mut self, id: NodeId, over: &[u32], when: &[Cond], to: (Port, usize)) {
        let (port, axis) = to;
        let graph = self.graph;
        let (sizes, rank) = (graph.scope(id), graph.node(id).space.rank());
        self.points(id, None, &mut |emitter, point| {
            let zero = emitter.constant(0.0);
            emitter.store_at(id, point, &zero);
        });
        let fixed: Vec<&Cond> =
            when.iter().filter(|cond| !matches!(cond.left, Index::Value(_))).collect();
        let axes: Vec<(usize, u32)> =
            sizes.iter().copied().enumerate().filter(|(other, _)| *other != axis).collect();
        debug_assert_eq!(sizes.len(), rank + over.len());
        let operands = graph.operands(id);
        let mut point = vec![Coord::constant(0); sizes.len()];
        let by = row_major(&graph.node(id).space.sizes)[axis];
        self.nest(&axes, &mut point, Vec::new(), &mut |emitter, point, none| {
            emitter.guard(&fixed, &sizes, point, none, &mut |emitter, point, none| {
                let reader = (&sizes[..], &point[..]);
                emitter.careful = true;
                let term = emitter.read(operands[0].0, &operands[0].1.access, reader, &operands);
                emitter.careful = false;
                let target = emitter.port(&operands, port, reader);
                emitter.add_at(id, &point[..rank], (by, sizes[axis]), &target, &term);
                none
            })
        });
    }

    /// Adds each number of a tuple where its target says.
    fn add_at(
        &mut self,
        id: NodeId,
        point: &[Coord],
        along: (i64, u32),
        target: &[Value],
        term: &[Value],
    ) {
        let Some(slot) = self.layout.slot(id) else { return };
        let sizes = &self.graph.node(id).space.sizes;
        let strides = row_major(sizes);
        let terms = strides.iter().enumerate().map(|(axis, by)| (Axis(axis as u8), *by));
        let common = self.affine(&Affine::new(0, terms), point);
        let (base, offset) = self.address(slot, common);
        let (_, apart) = self.base(slot);
        let (targets, terms) = (self.numbers(target), self.numbers(term));
        for (number, (target, term)) in targets.into_iter().zip(terms).enumerate() {
            let whole = self.to.ins().fcvt_to_uint_sat(types::I64, target);
            let last = self.int(i64::from(along.1) - 1);
            let kept = self.to.ins().umin(whole, last);
            let bytes = self.bytes();
            let at = self.to.ins().imul_imm_s(kept, along.0 * apart * bytes);
            let address = self.to.ins().iadd(base, at);
            let own = if slot.per_sample() { number as i64 * bytes } else { 0 };
            let offset = offset + own as i32;
            let before = self.to.ins().load(self.float, super::emit::flags(), address, offset);
            let sum = self.to.ins().fadd(before, term);
            // A value that is no position along this axis meets the condition nowhere.
            let position = self.to.ins().fcvt_from_uint(self.float, kept);
            let meets = self.to.ins().fcmp(FloatCC::Equal, position, target);
            let sum = self.to.ins().select(meets, sum, before);
            self.to.ins().store(super::emit::flags(), sum, address, offset);
        }
    }

    fn recur(
        &mut self,
        id: NodeId,
        along: usize,
        toward: Toward,
        start: f64,
        vector: Option<Vector>,
    ) {
        let graph = self.graph;
        let node = graph.node(id);
        let sizes = &node.space.sizes;
        let conds: Vec<&Cond> = node.space.when.iter().collect();
        let operands = graph.operands(id);
        let axes: Vec<(usize, u32)> =
            sizes.iter().copied().enumerate().filter(|(axis, _)| *axis != along).collect();
        let size = i64::from(sizes[along]);
        let mut point = vec![Coord::constant(0); sizes.len()];
        self.spread((&axes, vector, &[]), &mut point, &mut |emitter, point| {
            let start = emitter.constant(start);
            let range = (0, size, 1);
            emitter.repeat(along, range, point, start, &mut |emitter, point, carried| {
                if toward == Toward::Down {
                    let at = emitter.coord(point[along]);
                    let last = emitter.int(size - 1);
                    let base = emitter.to.ins().isub(last, at);
                    point[along] = Coord { base: Some(base), add: 0, step: 0 };
                }
                emitter.guard(&conds, sizes, point, carried, &mut |emitter, point, carried| {
                    emitter.store_at(id, point, &carried);
                    let reader = (&sizes[..], &point[..]);
                    let a = emitter.port(&operands, Port(0), reader);
                    let b = emitter.port(&operands, Port(1), reader);
                    let parts = carried.iter().zip(a.iter().zip(&b)).map(|(value, (a, b))| {
                        let product = emitter.to.ins().fmul(*b, *value);
                        emitter.to.ins().fadd(*a, product)
                    });
                    parts.collect()
                })
            });
        });
    }

    fn opaque(&mut self, id: NodeId, op: Opaque, along: usize) {
        let graph = self.graph;
        let node = graph.node(id);
        let from = graph.operands(id)[0].0;
        let (Some(source), Some(target)) = (self.layout.slot(from), self.layout.slot(id)) else {
            panic!("internal error: jit: a sort of what is not held")
        };
        let (before, after) = (&graph.node(from).space.sizes, &node.space.sizes);
        let axes: Vec<(usize, u32)> =
            after.iter().copied().enumerate().filter(|(axis, _)| *axis != along).collect();
        let mut point = vec![Coord::constant(0); after.len()];
        self.nest(&axes, &mut point, Vec::new(), &mut |emitter, point, none| {
            point[along] = Coord::constant(0);
            let mut lines = [(source, before), (target, after)].map(|(slot, sizes)| {
                let strides = row_major(sizes);
                let terms = strides.iter().enumerate().map(|(axis, by)| (Axis(axis as u8), *by));
                let at = emitter.affine(&Affine::new(0, terms), point);
                let (base, offset) = emitter.address(slot, at);
                let base = emitter.to.ins().iadd_imm_s(base, i64::from(offset));
                let (_, apart) = emitter.base(slot);
                (base, strides[along] * apart, i64::from(sizes[along]), slot.per_sample())
            });
            for _ in 0..emitter.samples {
                let [from, to] = lines;
                let top = match op {
                    Opaque::Argsort => 0,
                    Opaque::TopK { k } => i64::from(k) + 1,
                };
                let numbers = [from.1, from.2].map(|number| emitter.int(number));
                let results = [to.1, to.2, top].map(|number| emitter.int(number));
                let address = if emitter.float == types::F32 { f32::ORDER } else { f64::ORDER };
                let args = [&[from.0], &numbers[..], &[to.0], &results[..]].concat();
                emitter.call_address(address as Order as usize, &args);
                for line in &mut lines {
                    if line.3 {
                        let bytes = emitter.bytes();
                        line.0 = emitter.to.ins().iadd_imm_s(line.0, bytes);
                    }
                }
            }
            none
        });
    }

    /// Adds a root to the gradient, all samples of the group together.
    pub(super) fn sum(&mut self, read: &Read, offset: usize, vector: Option<Vector>) {
        let sizes = &read.sizes;
        let axes: Vec<(usize, u32)> = sizes.iter().copied().enumerate().collect();
        let mut point = vec![Coord::constant(0); sizes.len()];
        let bytes = self.bytes();
        let strides = row_major(sizes);
        self.spread((&axes, vector, &[]), &mut point, &mut |emitter, point| {
            let mut value = emitter.read(read.node, &read.access, (sizes, point), &[]);
            let terms = strides.iter().enumerate().map(|(axis, by)| (Axis(axis as u8), by * bytes));
            let at = emitter.affine(&Affine::new(0, terms), point);
            let first = offset as i64 * bytes;
            let (base, offset) = emitter.sum_address(emitter.regions.gradient, at, first);
            let shape = emitter.shape;
            if shape.samples {
                let total = emitter.gather_up(Fold::Sum, &value);
                emitter.shape = Shape { width: 1, parts: 1, samples: true };
                value = vec![total];
            }
            let before = emitter.load_step(base, offset, 1);
            let after = emitter.fold_all(Fold::Sum, &before, &value);
            emitter.store(base, offset, &after);
            emitter.shape = shape;
        });
    }
}

/// Whether an axis occurs.
pub(super) fn mentions(affine: &Affine, axis: Axis) -> bool {
    affine.terms.iter().any(|(term, _)| *term == axis)
}
