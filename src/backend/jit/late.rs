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

/// Gradients of which neighbours have a factor in common.
#[derive(Debug)]
pub(super) struct Late {
    all: Vec<Gradient>,
    /// The time they took, where somebody asks.
    spent: Spent,
}

/// A gradient, or one of the products that it is a sum of.
#[derive(Debug)]
struct Gradient {
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
}

/// A product of a gradient: the place of its result, its factors.
struct Job<'a, F> {
    product: Product,
    to: usize,
    left: &'a [F],
    right: &'a [F],
}

/// All of them, and where two threads part them, about half of the work each: the first of the second, and its place
/// among all gradients.
pub(super) fn late(graph: &Graph, layout: &Layout, wanted: &Wanted) -> (Vec<Late>, (usize, usize)) {
    let mut first = gradients(graph, layout, wanted);
    let (at, place) = middle(&first);
    let second = together(first.split_off(at));
    let first = together(first);
    let at = first.len();
    (first.into_iter().chain(second).collect(), (at, place))
}

/// All of them, in the order of their places.
fn gradients(graph: &Graph, layout: &Layout, wanted: &Wanted) -> Vec<Gradient> {
    let of = |(name, sums): &(String, Vec<Sum>)| {
        let offset = *wanted.sums.get(name)?;
        let sizes = graph.root(name)?.sizes.clone();
        let each = sums.iter().map(|sum| {
            let [left, right] = sum.pair.each_ref().map(|factor| layout.slot(factor.from));
            Some(Gradient {
                name: name.clone(),
                sum: sum.clone(),
                slots: [left?, right?],
                sizes: sizes.clone(),
                offset,
            })
        });
        each.collect::<Option<Vec<Gradient>>>()
    };
    let mut all: Vec<Gradient> = layout.sums.iter().filter_map(of).flatten().collect();
    all.sort_by_key(|gradient| gradient.offset);
    all
}

/// Where two threads part them.
fn middle(all: &[Gradient]) -> (usize, usize) {
    let parts = |at: &usize| all[*at].offset > all[at - 1].offset;
    let each: Vec<u64> = all.iter().map(|gradient| points(&gradient.sizes)).collect();
    let uneven = |at: &usize| {
        let [first, second] = [&each[..*at], &each[*at..]].map(|part| part.iter().sum::<u64>());
        first.abs_diff(second)
    };
    let at = (1..all.len()).filter(parts).min_by_key(uneven);
    at.map_or((0, 0), |at| (at, all[at].offset))
}

/// Neighbours that read the same array, in one.
fn together(all: Vec<Gradient>) -> Vec<Late> {
    let mut groups: Vec<Late> = Vec::new();
    for gradient in all {
        let arrays = gradient.sum.pair.each_ref().map(|factor| factor.from);
        let meets = |group: &&mut Late| {
            let last = group.all.last();
            last.is_some_and(|last| {
                last.sum.pair.iter().any(|factor| arrays.contains(&factor.from))
            })
        };
        match groups.last_mut().filter(meets) {
            Some(group) => group.all.push(gradient),
            None => groups.push(Late { all: vec![gradient], spent: Spent::default() }),
        }
    }
    groups
}

/// Adds all of them, to gradients from a place on.
pub(super) fn add_all<F: Number>(
    all: &[Late],
    tape: &[F],
    extent: (usize, usize, usize),
    (gradient, first): (&mut [F], usize),
) {
    for late in all {
        late.spent.on(|| late.add(tape, extent, (&mut *gradient, first)));
    }
}

impl Late {
    /// Adds them to gradients from a place on, from a tape of frames of that many numbers, of some steps of all
    /// samples. What several read in the same way is laid out for all of them at once.
    fn add<F: Number>(
        &self,
        tape: &[F],
        extent: (usize, usize, usize),
        (gradient, begin): (&mut [F], usize),
    ) {
        let mut jobs = Vec::new();
        self.all.iter().for_each(|own| own.jobs(tape, extent, begin, &mut jobs));
        let alike = |one: &Job<'_, F>, two: &Job<'_, F>| {
            std::ptr::eq(one.right, two.right) && one.product.reads_like(&two.product)
        };
        for jobs in jobs.chunk_by(alike) {
            match jobs {
                [Job { product, to, left, right }] => {
                    F::product(product, &mut gradient[*to..], left, right);
                }
                _ => {
                    let all: Vec<_> =
                        jobs.iter().map(|job| (job.product, job.to, job.left)).collect();
                    F::products(&all, gradient, jobs[0].right);
                }
            }
        }
    }

    /// From now on counts the time anew.
    pub(super) fn measure(&mut self) {
        self.spent = Spent::default();
    }

    /// What they are and what they took.
    pub(super) fn timed(&self, graph: &Graph) -> Timed {
        let (calls, seconds) = self.spent.told();
        let first = &self.all[0];
        let span = graph.node(first.sum.pair[0].from).origin.span;
        let what = match self.all.len() {
            1 => format!("gradient of {}", first.name),
            count => format!("gradients of {} and {} more", first.name, count - 1),
        };
        Timed { what, when: "end", span, calls, seconds }
    }
}

impl Gradient {
    /// Its products, from a tape of frames of that many numbers, of some steps of all samples.
    fn jobs<'a, F: Number>(
        &self,
        tape: &'a [F],
        (frame, steps, samples): (usize, usize, usize),
        begin: usize,
        jobs: &mut Vec<Job<'a, F>>,
    ) {
        let Gradient { sum, slots, sizes, offset, .. } = self;
        let roles = Roles::new(&sum.pair, sizes);
        let out = row_major(sizes);
        let (by, apart) = (samples as i64, frame as isize);
        let one = product(&sum.pair, sizes, &roles, &out, (sizes.len(), [by, by, 1]));
        let over = |strides: Strides| match samples {
            1 => Strides { term: apart, ..strides },
            _ => Strides { term: 1, turn: apart, ..strides },
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
                &tape[at as usize + skipped..]
            });
            let [left, right] = if turned { [second, first] } else { [first, second] };
            jobs.push(Job { product, to: offset - begin + moved(&out) as usize, left, right });
        });
    }
}
