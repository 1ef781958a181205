//! Nodes that kernels compute: functions of whole arrays, and sums of products.
//!
//! In: a node that is held in memory. Out: a function that lays out what a kernel needs and calls it.
//! Invariant: a kernel is given addresses inside the slots of its operands, and strides that stay there.

use cranelift_codegen::ir::{InstBuilder, Value};

use crate::backend::kernels::Product;
use crate::graph::NodeId;
use crate::op::Scalar;

use super::call::Call;
use super::called::{Tile, tile};
use super::emit::{Coord, Emitter};
use super::layout::Slot;
use super::vector::Vector;

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
        let samples = slots[0].beside(self.samples) as i64;
        let count = self.graph.node(id).space.points() as i64 * samples;
        let (row, count) = (self.int(i64::from(function.0)), self.int(count));
        self.call_address(tile as Tile as usize, &[row, first, second, count]);
    }

    /// The address of a position in a slot.
    fn place_of(&mut self, slot: Slot, at: Coord) -> Value {
        let (base, offset) = self.address(slot, at);
        self.to.ins().iadd_imm_s(base, i64::from(offset))
    }

    /// A sum of products.
    pub(super) fn product(&mut self, id: NodeId, Call { product, places, loops, .. }: Call) {
        let rank = self.graph.node(id).space.rank();
        let description = std::ptr::from_ref(self.keep(product)) as usize as i64;
        let run = self.run as usize;
        let mut point = vec![Coord::constant(0); rank + 1];
        self.nest(&loops, &mut point, Vec::new(), &mut |emitter, point, none| {
            let mut args = vec![emitter.int(description)];
            for (slot, position) in &places {
                let at = emitter.affine(position, point);
                args.push(emitter.place_of(*slot, at));
            }
            emitter.call_address(run, &args);
            none
        });
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
