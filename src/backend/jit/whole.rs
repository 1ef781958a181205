//! Nodes that kernels compute: functions of whole arrays, and sums of products.
//!
//! In: a node that is held in memory. Out: machine code that lays out arguments, and [`Tile`], a call of a kernel that
//! follows it, so that the code calls nobody and may have wide vectors; machine code that loops over calls of products.
//! Invariant: a kernel is given addresses inside the slots of its operands, and strides that stay there.

use cranelift_codegen::ir::{InstBuilder, Value};

use crate::backend::kernels::Product;
use crate::graph::{Graph, NodeId};
use crate::op::Scalar;

use super::call::Call;
use super::called::{Place, Pointers, tile};
use super::emit::{Coord, Emitter};
use super::held::tiled;
use super::layout::{Layout, Slot};
use super::vector::Vector;

/// A function of a whole array of single precision, at a place known beforehand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    function: Scalar,
    /// Its arguments, which its values replace.
    first: Place,
    /// Its second arguments, if it takes two.
    second: Option<Place>,
    count: usize,
}

/// What follows the machine code of a node, if a kernel computes its function for all of it at once.
pub(super) fn tile_of(graph: &Graph, layout: &Layout, samples: usize, id: NodeId) -> Option<Tile> {
    let function = tiled(graph, id, layout.tiles)?;
    let own = layout.slot(id)?;
    let two = function.row().takes.len() > 1;
    // Room for second arguments is there where samples are.
    if two && !own.per_sample() {
        return None;
    }
    let place = |slot: Slot| Place::of(slot, 0, (samples, size_of::<f32>()));
    let count = graph.node(id).space.points() as usize * own.beside(samples);
    Some(Tile { function, first: place(own), second: two.then(|| place(layout.second)), count })
}

impl Tile {
    /// Computes it.
    ///
    /// # Safety
    /// The regions of its places are there, and as large as the plan that this was made from says; the arguments are
    /// written, and nobody else looks at them.
    #[expect(unsafe_code, reason = "kernels take addresses of the memory of a run")]
    pub(super) unsafe fn run(&self, memory: &Pointers<*mut u8>) {
        let Tile { function, first, second, count } = *self;
        // SAFETY: the caller's promise; places are slots, or room of its own that the layout keeps for the longest, so
        // that they hold as many numbers and do not overlap.
        unsafe {
            let second = second.map_or(std::ptr::null(), |second| second.find(memory).cast_const());
            tile(function, first.find(memory), second, count);
        }
    }

    /// Whether it may be entered where the fixed region is written, and nothing else is there, or where that is only
    /// read.
    pub(super) fn fits(&self, writes_fixed: bool) -> bool {
        self.first.is_fixed() == writes_fixed && !(writes_fixed && self.second.is_some())
    }

    /// What it does, for people.
    pub(super) fn told(&self) -> String {
        let Tile { function, first, second, count } = self;
        let second = second.map_or(String::new(), |second| format!(" and {second}"));
        format!("then the kernel of {}: {count} numbers at {first}{second}\n", function.row().name)
    }
}

impl<'a, 'g> Emitter<'a, 'g> {
    /// The arguments of a function of a whole array: the first are written where its value will stand.
    pub(super) fn lay_arguments(&mut self, id: NodeId, vector: Option<Vector>) {
        let slots = [self.slot(id), self.layout.second];
        self.points(id, vector, &mut |emitter, point| {
            let values = emitter.arguments(id, point);
            for (slot, value) in slots.iter().zip(&values) {
                emitter.store_in(*slot, id, point, value);
            }
        });
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
