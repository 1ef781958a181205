//! Nodes that kernels compute: functions of whole arrays, and sums of products.
//!
//! In: a node that is held in memory. Out: a function that lays out what a kernel needs and calls it.
//! Invariant: a kernel is given addresses inside the slots of its operands, and strides that stay there.

use cranelift_codegen::ir::{InstBuilder, Value};

use crate::backend::kernels::{Product, Strides};
use crate::graph::{Affine, Axis, NodeId};
use crate::op::Scalar;

use super::called::{Tile, tile};
use super::emit::{Coord, Emitter, row_major};
use super::layout::Slot;
use super::product::{Factor, Pair, Roles, of_node, product, scope};
use super::vector::Vector;

/// The largest of some axes that fit.
fn largest(axes: &[usize], sizes: &[u32], fits: impl Fn(usize) -> bool) -> Option<usize> {
    axes.iter().copied().filter(|axis| fits(*axis)).max_by_key(|axis| sizes[*axis])
}

impl<'a, 'g> Emitter<'a, 'g> {
    /// A function of a whole array: its arguments are written where its value will stand.
    pub(super) fn tile(&mut self, id: NodeId, function: Scalar, vector: Option<Vector>) {
        let slots = [self.slot(id), self.layout.second];
        self.points(id, vector, &mut |emitter, point| {
            let values = emitter.arguments(id, point);
            for (slot, value) in slots.iter().zip(&values) {
                emitter.store_in(*slot, id, point, value);
            }
        });
        let [first, second] = slots.map(|slot| self.place_of(slot, Coord::constant(0)));
        let second = if function.row().takes.len() == 2 { second } else { first };
        let samples = if slots[0].per_sample() { self.samples as i64 } else { 1 };
        let count = self.graph.node(id).space.points() as i64 * samples;
        let (row, count) = (self.int(i64::from(function.0)), self.int(count));
        self.call_address(tile as Tile as usize, &[row, first, second, count]);
    }

    /// The address of a position in a slot.
    fn place_of(&mut self, slot: Slot, at: Coord) -> Value {
        let (base, offset) = self.address(slot, at);
        self.to.ins().iadd_imm_s(base, i64::from(offset))
    }

    /// The factors of a node that is a sum of products.
    pub(super) fn factors(&self, id: NodeId) -> Option<Pair> {
        of_node(self.graph, &|id| self.layout.strides(self.graph, id), id)
    }

    /// A sum of products.
    pub(super) fn product(&mut self, id: NodeId, [left, right]: Pair) {
        let per_sample = |factor: &Factor| self.slot(factor.from).per_sample();
        // A factor that all samples share comes first.
        let swap = per_sample(&left) && !per_sample(&right);
        let pair = if swap { [right, left] } else { [left, right] };
        let slots = [self.slot(pair[0].from), self.slot(pair[1].from), self.slot(id)];
        let (product, order, roles) = self.describe(id, &pair, slots);
        let (scope, rank) = (scope(self.graph, id), self.graph.node(id).space.rank());
        let out = row_major(&scope[..rank]);
        let axes: Vec<(usize, u32)> =
            roles.others.iter().map(|axis| (*axis, scope[*axis])).collect();
        let terms = roles.others.iter().map(|axis| (Axis(*axis as u8), out[*axis]));
        let place = Affine::new(0, terms);
        let description: &Product = self.keep(product);
        let description = std::ptr::from_ref(description) as usize as i64;
        let run = self.run as usize;
        let mut point = vec![Coord::constant(0); rank + 1];
        self.nest(&axes, &mut point, Vec::new(), &mut |emitter, point, none| {
            let mut addresses = Vec::new();
            for (slot, position) in [
                (slots[2], place.clone()),
                (slots[0], pair[0].position(&roles.others)),
                (slots[1], pair[1].position(&roles.others)),
            ] {
                let at = emitter.affine(&position, point);
                addresses.push(emitter.place_of(slot, at));
            }
            let description = emitter.int(description);
            let [out, first, second] = [addresses[0], addresses[1], addresses[2]];
            let [left, right] = if order { [second, first] } else { [first, second] };
            emitter.call_address(run, &[description, out, left, right]);
            none
        });
    }

    /// The product, whether its factors change places, and which axes are left to loop over.
    fn describe(&self, id: NodeId, pair: &Pair, slots: [Slot; 3]) -> (Product, bool, Roles) {
        let (scope, rank) = (scope(self.graph, id), self.graph.node(id).space.rank());
        let out = row_major(&scope[..rank]);
        let samples = self.samples as i64;
        let apart = slots.map(|slot| if slot.per_sample() { samples } else { 1 });
        let mut roles = Roles::new(pair, &scope[..rank]);
        let steps = |axis: usize| {
            let of = |step: i64, apart: i64| (step * apart) as isize;
            let [left, right] = pair.each_ref().map(|factor| factor.steps[axis]);
            [of(out[axis], apart[2]), of(left, apart[0]), of(right, apart[1])]
        };
        // One axis more is looped over inside the kernel.
        let batched = |mut product: Product, roles: &mut Roles| {
            if let Some(axis) = largest(&roles.others, &scope, |_| true) {
                roles.others.retain(|other| *other != axis);
                (product.batch, product.steps) = (scope[axis] as usize, steps(axis));
            }
            product
        };
        if samples == 1 || !slots[2].per_sample() {
            let mut found = product(pair, &scope, &roles, &out, (rank, apart));
            let beside = largest(&roles.others, &scope, |axis| steps(axis) == [1; 3]);
            if let Some(axis) = beside.filter(|_| !found.vectors()) {
                roles.others.retain(|other| *other != axis);
                found.lanes = scope[axis] as usize;
            }
            let found = batched(found, &mut roles);
            let (found, turned) = found.arranged();
            return (found, turned, roles);
        }
        if slots[0].per_sample() {
            let found = product(pair, &scope, &roles, &out, (rank, apart));
            let found = batched(Product { lanes: self.samples, ..found }, &mut roles);
            return (found, false, roles);
        }
        // The samples are the columns.
        roles.others.extend(roles.col.take());
        roles.others.sort_unstable();
        let found = product(pair, &scope, &roles, &out, (rank, apart));
        let right = Strides { place: 1, ..found.right };
        let out = [found.out[0], 1];
        let found = batched(Product { cols: self.samples, right, out, ..found }, &mut roles);
        (found, false, roles)
    }

    /// Keeps the description of a product as long as the code.
    fn keep(&mut self, product: Product) -> &Product {
        self.products.push(Box::new(product));
        match self.products.last() {
            Some(product) => product,
            None => panic!("internal error: jit: a description lost"),
        }
    }
}
