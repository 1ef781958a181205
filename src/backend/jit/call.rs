//! Sums of products as calls of a kernel.
//!
//! In: a node, and the plan of the memory. Out: [`Call`], what the kernel is told, where its arrays lie, and the axes
//! that are looped over around it; without such axes [`Direct`], which needs no machine code. Invariant: a kernel is
//! given positions inside the slots of its operands, and strides that stay there.

use crate::backend::kernels::{Product, Run, Strides};
use crate::graph::{Affine, Axis, Graph, NodeId};

use super::called::{Place, Pointers};
use super::emit::row_major;
use super::layout::{Layout, Slot};
use super::product::{Pair, Roles, of_node, product, scope};

/// A sum of products.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What the kernel is told.
    pub(super) product: Product,
    /// The result and the factors, as the kernel takes them: where each lies, and its position there.
    pub(super) places: [(Slot, Affine); 3],
    /// The axes that are looped over, and their sizes.
    pub(super) loops: Vec<(usize, u32)>,
    /// Samples that lie side by side.
    samples: usize,
}

/// A sum of products that is one call of a kernel, with arrays at places known beforehand.
#[derive(Debug)]
pub(super) struct Direct {
    run: Run,
    product: Product,
    /// The result and the factors.
    places: [Place; 3],
}

/// A node as calls of a kernel, if it is a sum of products.
pub(super) fn call(graph: &Graph, layout: &Layout, samples: usize, id: NodeId) -> Option<Call> {
    let [left, right] = of_node(graph, &|id| layout.strides(graph, id), id)?;
    let slot = |id: NodeId| match layout.slot(id) {
        Some(slot) => slot,
        None => panic!("internal error: jit: a factor that is not held"),
    };
    // A factor that all samples share comes first.
    let swap = slot(left.from).per_sample() && !slot(right.from).per_sample();
    let pair = if swap { [right, left] } else { [left, right] };
    let slots = [slot(pair[0].from), slot(pair[1].from), slot(id)];
    // What is written where it has arrived is a member of a loop.
    assert!(!slots[..2].contains(&slots[2]), "internal error: jit: a product over its factor");
    let sizes = scope(graph, id);
    let out = row_major(&sizes[..graph.node(id).space.rank()]);
    let (product, turned, roles) = describe((&sizes, samples), &out, &pair, slots);
    let terms = roles.others.iter().map(|axis| (Axis(*axis as u8), out[*axis]));
    let [first, second] = [0, 1].map(|at| (slots[at], pair[at].position(&roles.others)));
    let [left, right] = if turned { [second, first] } else { [first, second] };
    let places = [(slots[2], Affine::new(0, terms)), left, right];
    let loops = roles.others.iter().map(|axis| (*axis, sizes[*axis])).collect();
    Some(Call { product, places, loops, samples })
}

/// The product, whether its factors change places, and which axes are left to loop over. Elements of the result lie as
/// far apart as `out` says.
fn describe(
    (sizes, samples): (&[u32], usize),
    out: &[i64],
    pair: &Pair,
    slots: [Slot; 3],
) -> (Product, bool, Roles) {
    let rank = out.len();
    let apart = slots.map(|slot| slot.beside(samples) as i64);
    let mut roles = Roles::new(pair, &sizes[..rank]);
    let steps = |axis: usize| {
        let of = |step: i64, apart: i64| (step * apart) as isize;
        let [left, right] = pair.each_ref().map(|factor| factor.steps[axis]);
        [of(out[axis], apart[2]), of(left, apart[0]), of(right, apart[1])]
    };
    // One axis more is looped over inside the kernel.
    let batched = |mut product: Product, roles: &mut Roles| {
        if let Some(axis) = largest(&roles.others, sizes, |_| true) {
            roles.others.retain(|other| *other != axis);
            (product.batch, product.steps) = (sizes[axis] as usize, steps(axis));
        }
        product
    };
    if samples == 1 || !slots[2].per_sample() {
        let mut found = product(pair, sizes, &roles, out, (rank, apart));
        let beside = largest(&roles.others, sizes, |axis| steps(axis) == [1; 3]);
        if let Some(axis) = beside.filter(|_| !found.vectors()) {
            roles.others.retain(|other| *other != axis);
            found.lanes = sizes[axis] as usize;
        }
        let (found, turned) = batched(found, &mut roles).arranged();
        return (found, turned, roles);
    }
    if slots[0].per_sample() {
        let found = product(pair, sizes, &roles, out, (rank, apart));
        let found = batched(Product { lanes: samples, ..found }, &mut roles);
        return (found, false, roles);
    }
    // The samples are the columns.
    roles.others.extend(roles.col.take());
    roles.others.sort_unstable();
    let found = product(pair, sizes, &roles, out, (rank, apart));
    let right = Strides { place: 1, ..found.right };
    let out = [found.out[0], 1];
    let found = batched(Product { cols: samples, right, out, ..found }, &mut roles);
    (found, false, roles)
}

/// The largest of some axes that fit.
fn largest(axes: &[usize], sizes: &[u32], fits: impl Fn(usize) -> bool) -> Option<usize> {
    axes.iter().copied().filter(|axis| fits(*axis)).max_by_key(|axis| sizes[*axis])
}

impl Call {
    /// The same as one call of a kernel for numbers of that many bytes, if it is one.
    pub(super) fn direct(self, run: Run, bytes: usize) -> Option<Direct> {
        if !self.loops.is_empty() {
            return None;
        }
        let extent = (self.samples, bytes);
        let places = self.places.map(|(slot, at)| Place::of(slot, at.offset as usize, extent));
        Some(Direct { run, product: self.product, places })
    }
}

impl Direct {
    /// Computes the sums.
    ///
    /// # Safety
    /// The regions of its places are there, and as large as the plan that this was made from says; meanwhile nobody
    /// writes what the factors read, and nobody else looks at the result.
    #[expect(unsafe_code, reason = "kernels take addresses of the memory of a run")]
    pub(super) unsafe fn run(&self, memory: &Pointers<*mut u8>) {
        // SAFETY: the caller's promise; places lie inside slots, slots inside regions, and no slot of a result is
        // that of a factor, as `call` has asserted.
        unsafe {
            let [out, left, right] = self.places.map(|place| place.find(memory));
            (self.run)(&raw const self.product, out, left, right);
        }
    }

    /// Whether it may be entered where the fixed region is written, and nothing else is there, or where that is only
    /// read.
    pub(super) fn fits(&self, writes_fixed: bool) -> bool {
        let [out, factors @ ..] = self.places;
        let found = !writes_fixed || factors.iter().all(|factor| factor.is_fixed());
        found && out.is_fixed() == writes_fixed
    }

    /// What it does, for people.
    pub(super) fn told(&self) -> String {
        let Product { rows, cols, terms, turns, lanes, batch, .. } = self.product;
        let [out, left, right] = self.places;
        format!(
            "calls the kernel of products: {out} = {left} * {right}, {rows} rows, {cols} columns, \
             {terms} terms, {turns} turns, {lanes} beside, {batch} times\n"
        )
    }
}
