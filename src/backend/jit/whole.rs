//! Nodes that kernels compute: functions of whole arrays, and sums of products.
//!
//! In: a node that is held in memory. Out: machine code that lays out what a kernel needs, and calls it if need be more
//! than once; [`Whole`], a call that follows the code, so that the code calls nobody and may have wide vectors.
//! Invariant: a kernel is given addresses inside the slots of its operands, and strides that stay there.

use cranelift_codegen::ir::{InstBuilder, Value};

use crate::backend::kernels::Product;
use crate::graph::{Graph, NodeId};
use crate::op::Scalar;

use super::call::Call;
use super::called::{Pointers, tile};
use super::emit::{Coord, Emitter};
use super::held::tiled;
use super::layout::{Layout, Region, Slot};
use super::vector::Vector;

/// A function of a whole array, at a place known beforehand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    function: Scalar,
    /// Its arguments, which its values replace, and its second arguments, if it takes two: in which region, and how
    /// many bytes from its start.
    places: [(Region, usize); 2],
    count: usize,
}

/// What follows the machine code of a node, if kernels compute its function for all of it at once.
pub(super) fn whole(
    graph: &Graph,
    layout: &Layout,
    (samples, bytes): (usize, usize),
    id: NodeId,
) -> Option<Whole> {
    let function = tiled(graph, id, layout.tiles)?;
    let own = layout.slot(id)?;
    let two = function.row().takes.len() > 1;
    // Room for second arguments is there where samples are.
    if two && !own.per_sample() {
        return None;
    }
    let second = if two { layout.second } else { own };
    let place = |slot: Slot| (slot.region, slot.offset * slot.beside(samples) * bytes);
    let count = graph.node(id).space.points() as usize * own.beside(samples);
    Some(Whole { function, places: [own, second].map(place), count })
}

impl Whole {
    /// Computes it.
    ///
    /// # Safety
    /// The regions of its places are there, and as large as the plan that this was made from says; the arguments are
    /// written, and nobody else looks at them.
    #[expect(unsafe_code, reason = "kernels take addresses of the memory of a run")]
    pub(super) unsafe fn run(&self, memory: &Pointers<*mut u8>) {
        // SAFETY: the caller's promise; places are slots, or room that the layout keeps for the longest.
        unsafe {
            let [first, second] = self.places.map(|(region, at)| memory.of(region).add(at));
            tile(self.function, first, second, self.count);
        }
    }

    /// Whether it touches the fixed region alone, as what is computed once does.
    pub(super) fn is_fixed(&self) -> bool {
        self.places.iter().all(|(region, _)| *region == Region::Fixed)
    }

    /// What it does, for people.
    pub(super) fn told(&self) -> String {
        let Whole { function, places: [(region, at), _], count } = self;
        format!(
            "then the kernel of {}: {count} numbers at {region:?}+{at:#x}\n",
            function.row().name
        )
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
