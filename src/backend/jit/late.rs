//! Gradients of weights, computed once all steps are done.
//!
//! In: the tape of a sweep. Out: sums of products over its steps and samples, added to the gradients. Invariant: the
//! order of every addition depends on the number of steps and samples alone.

use crate::backend::Timed;
use crate::backend::bytes::points;
use crate::backend::domain::Domain;
use crate::backend::kernels::{Product, Strides};
use crate::backend::phase::Wanted;
use crate::graph::Graph;

use super::called::Number;
use super::emit::row_major;
use super::layout::{Layout, Region, Slot};
use super::product::{Roles, Sum, product};
use super::profile::Spent;

/// A gradient, or one of the products that it is a sum of.
#[derive(Debug)]
pub(super) struct Late {
    /// The root.
    name: String,
    /// What is summed.
    sum: Sum,
    /// Where the factors live.
    slots: [Slot; 2],
    /// Shape of the gradient.
    sizes: Vec<u32>,
    /// Its place among all gradients.
    offset: usize,
    /// The time it took, where somebody asks.
    spent: Spent,
}

/// All of them.
pub(super) fn late(graph: &Graph, layout: &Layout, wanted: &Wanted) -> Vec<Late> {
    let of = |(name, sums): &(String, Vec<Sum>)| {
        let offset = *wanted.sums.get(name)?;
        let sizes = graph.root(name)?.sizes.clone();
        let each = sums.iter().map(|sum| {
            let [left, right] = sum.pair.each_ref().map(|factor| layout.slot(factor.from));
            Some(Late {
                name: name.clone(),
                sum: sum.clone(),
                slots: [left?, right?],
                sizes: sizes.clone(),
                offset,
                spent: Spent::default(),
            })
        });
        each.collect::<Option<Vec<Late>>>()
    };
    let mut all: Vec<Late> = layout.sums.iter().filter_map(of).flatten().collect();
    all.sort_by_key(|late| late.offset);
    all
}

/// Where two threads part them, about half of the work each: the first of the second, and its place among all
/// gradients.
pub(super) fn middle(all: &[Late]) -> (usize, usize) {
    let parts = |at: &usize| all[*at].offset > all[at - 1].offset;
    let each: Vec<u64> = all.iter().map(|late| points(&late.sizes)).collect();
    let uneven = |at: &usize| {
        let [first, second] = [&each[..*at], &each[*at..]].map(|part| part.iter().sum::<u64>());
        first.abs_diff(second)
    };
    let at = (1..all.len()).filter(parts).min_by_key(uneven);
    at.map_or((0, 0), |at| (at, all[at].offset))
}

/// Adds all of them, to gradients from a place on.
pub(super) fn add_all<F: Number>(
    all: &[Late],
    tape: &[F],
    extent: (usize, usize, usize),
    (gradient, first): (&mut [F], usize),
) {
    for late in all {
        late.add(tape, extent, (&mut *gradient, first));
    }
}

impl Late {
    /// Adds it to gradients from a place on, from a tape of frames of that many numbers, of some steps of all samples.
    fn add<F: Number>(
        &self,
        tape: &[F],
        (frame, steps, samples): (usize, usize, usize),
        gradient: (&mut [F], usize),
    ) {
        self.spent.on(|| self.add_up(tape, (frame as isize, steps, samples), gradient));
    }

    fn add_up<F: Number>(
        &self,
        tape: &[F],
        (frame, steps, samples): (isize, usize, usize),
        (gradient, begin): (&mut [F], usize),
    ) {
        let Late { sum, slots, sizes, offset, .. } = self;
        let roles = Roles::new(&sum.pair, sizes);
        let out = row_major(sizes);
        let by = samples as i64;
        let one = product(&sum.pair, sizes, &roles, &out, (sizes.len(), [by, by, 1]));
        let over = |strides: Strides| match samples {
            1 => Strides { term: frame, ..strides },
            _ => Strides { term: 1, turn: frame, ..strides },
        };
        let (terms, turns) = if samples == 1 { (steps, 1) } else { (samples, steps) };
        let (left, right) = (over(one.left), over(one.right));
        let (product, turned) = Product { terms, turns, left, right, add: true, ..one }.arranged();
        let others = roles.others.iter().map(|axis| sizes[*axis]).collect();
        Domain { sizes: others, list: None }.each(|_, point| {
            let moved = |steps: &[i64]| -> i64 {
                roles.others.iter().zip(point).map(|(axis, at)| steps[*axis] * i64::from(*at)).sum()
            };
            let [first, second] = [0, 1].map(|number| {
                let (slot, factor) = (slots[number], &sum.pair[number]);
                let skipped = if slot.region == Region::Before { 0 } else { frame };
                let at = (slot.offset as i64 + factor.first + moved(&factor.steps)) * by;
                &tape[(at + skipped as i64) as usize..]
            });
            let [left, right] = if turned { [second, first] } else { [first, second] };
            let out = &mut gradient[offset - begin + moved(&out) as usize..];
            F::product(&product, out, left, right);
        });
    }

    /// From now on counts the time anew.
    pub(super) fn measure(&mut self) {
        self.spent = Spent::default();
    }

    /// What it is and what it took.
    pub(super) fn timed(&self, graph: &Graph) -> Timed {
        let (calls, seconds) = self.spent.told();
        let span = graph.node(self.sum.pair[0].from).origin.span;
        Timed { what: format!("gradient of {}", self.name), when: "end", span, calls, seconds }
    }
}
