//! Training on numbers that a backend holds in its own type.
//!
//! In: parameters and slots once, then batches. Out: the loss, and new parameters and slots, which
//! stay here until they are asked for: on their way through `f64` tensors and back they would take a
//! third of a small network's step. Invariant: what is held is what [`Trainable::update`] gives for the
//! same gradient.

use std::sync::Mutex;

use crate::graph::{Array, Leaf, Update};
use crate::tensor::Tensor;

use super::block::block;
use super::engine::{Engine, Ready, alone, flat, once, tensor, widen};
use super::float::{Float, round};
use super::frames::Frames;
use super::kernels::{Level, cut, finite, squares};
use super::phase::{Wanted, names, wanted_of};
use super::plan::{At, Blind, PASSING, Plan, Root, Source};
use super::sweep::Memory;
use super::threads::on_threads;
use super::{Advance, Batch, Clip, Held, Learned, Outcome, Part, Timed, Trainable, Trouble, Want};

/// Parameters and slots in the type of a backend.
#[derive(Debug)]
pub(super) struct Numbers<P: Plan> {
    /// All parameters, and a list for each slot.
    frames: Frames<P::Float>,
    /// Whether the plans have not seen these parameters.
    new: bool,
    /// The optimiser's memory of each thread.
    memories: Vec<Room<P>>,
}

/// The most threads that update parameters, each with a room of its own.
pub(super) const MOST_ROOMS: usize = 16;

/// What a thread needs to update a block.
#[derive(Debug)]
struct Room<P: Plan> {
    memory: P::Memory,
    next: Vec<P::Float>,
}

impl<P: Plan> Default for Room<P> {
    fn default() -> Room<P> {
        Room { memory: P::Memory::default(), next: Vec::new() }
    }
}

/// An optimiser made ready.
#[derive(Debug)]
pub(super) struct Rule<P: Plan> {
    plan: P,
    /// Parameters that it updates at once.
    block: usize,
    /// Whether it writes them where they are; otherwise they are copied there and back.
    in_place: bool,
    /// How the new parameters and slots are read.
    roots: Vec<Option<Root<P::Read>>>,
}

/// The list of the parameters; those of the slots follow.
const VALUES: usize = 0;

/// Below this many parameters a second thread costs more than it brings.
const FOR_THREADS: usize = 1 << 18;

impl<P: Plan> Default for Numbers<P> {
    fn default() -> Numbers<P> {
        Numbers { frames: Frames::default(), new: true, memories: Vec::new() }
    }
}

impl<P: Plan> Rule<P> {
    pub(super) fn new(update: &Update) -> Rule<P> {
        let (graph, block) = block(&update.graph);
        let wanted = wanted_of(update);
        let mut names = names("next", &update.slots);
        names.insert(VALUES, "value".to_owned());
        let leaves = (0..update.slots.len()).map(|slot| Leaf::Prev(slot as u32));
        let leaves = [Leaf::Input(0)].into_iter().chain(leaves);
        let pairs: Vec<(Leaf, &str)> = leaves.zip(names.iter().map(String::as_str)).collect();
        let own = P::in_place(&graph, &wanted, &pairs, block);
        let in_place = own.is_some();
        let plan = alone(own.unwrap_or_else(|| P::new(&graph, &wanted)));
        let roots = names.iter().map(|name| plan.root(name)).collect();
        Rule { in_place, roots, block: block.max(1), plan }
    }

    /// From now on takes the time of each function.
    pub(super) fn measure(&mut self) {
        self.plan.measure();
    }

    /// What each function took since then.
    pub(super) fn spent(&self) -> impl Iterator<Item = Timed> + use<P> {
        self.plan.spent().into_iter().map(|one| Timed { when: "optimiser", ..one })
    }

    /// Updates a stretch of frames that hold that many parameters. `gradient` fills the gradient from a place in the
    /// stretch on.
    fn run(
        &self,
        room: &mut Room<P>,
        (frames, count): (&mut [P::Float], usize),
        rate: f64,
        gradient: impl Fn(usize, &mut [P::Float]),
    ) {
        self.plan.fit(&mut room.memory, if self.in_place { 0 } else { PASSING }, 1);
        for (number, frame) in frames.chunks_exact_mut(self.block * self.roots.len()).enumerate() {
            let first = number * self.block;
            let len = self.block.min(count.saturating_sub(first));
            let fill = |source: Source, out: &mut [P::Float]| match source {
                Source::Input(1) => {
                    gradient(first, &mut out[..len]);
                    // What lies behind the last parameter is updated too, and never looked at.
                    out[len..].fill(P::Float::of(0.0));
                }
                Source::Input(2) => out.fill(P::Float::of(rate)),
                Source::Input(_) | Source::Prev(_) | Source::Param(_) | Source::Seed(_) => {}
            };
            if self.in_place {
                self.plan.run_in_place(&mut room.memory, frame, fill);
            } else {
                self.run_beside(room, frame, fill);
            }
        }
    }

    /// Updates a block by way of the plan's own memory.
    fn run_beside(
        &self,
        Room { memory, next }: &mut Room<P>,
        frame: &mut [P::Float],
        fill: impl Fn(Source, &mut [P::Float]),
    ) {
        let of = |list: usize| list * self.block..(list + 1) * self.block;
        let take = |source: Source, out: &mut [P::Float]| match source {
            Source::Input(0) => out.copy_from_slice(&frame[of(VALUES)]),
            Source::Prev(slot) => out.copy_from_slice(&frame[of(VALUES + 1 + slot)]),
            Source::Input(_) | Source::Param(_) | Source::Seed(_) => fill(source, out),
        };
        self.plan.forward(memory, At::ONCE, take, &mut Blind);
        for (list, root) in self.roots.iter().enumerate() {
            let Some(root) = root else { continue };
            next.resize(root.len, P::Float::of(0.0));
            self.plan.read(memory, root, At::ONCE, next);
            frame[of(list)].copy_from_slice(next);
        }
    }
}

impl<P: Plan> Numbers<P> {
    /// The plans have seen other parameters.
    pub(super) fn forget(&mut self) {
        self.new = true;
    }
}

impl<P: Plan> Engine<P> {
    /// Runs a batch with the parameters held; the sum of the gradients stays in the first share.
    fn run_with(
        &mut self,
        numbers: &mut Numbers<P>,
        batch: &Batch,
        want: &Want,
        tensors: bool,
    ) -> Outcome {
        let ready = self.ready_with(numbers, want);
        self.run_ready(ready, batch, tensors)
    }

    /// A plan with the parameters held in it.
    fn ready_with(&mut self, numbers: &mut Numbers<P>, want: &Want) -> Ready<P> {
        let new = std::mem::replace(&mut numbers.new, false);
        let parts = self.params.clone();
        let fill = |param: usize, first: usize, out: &mut [P::Float]| {
            numbers.frames.take(VALUES, parts[param].offset + first, out);
        };
        self.ready_for(new, want, fill)
    }

    /// One step of the optimiser on numbers that are held; `gradient` fills the gradient from a place on. Some may have
    /// a helper, who takes half.
    fn advance(
        &self,
        numbers: &mut Numbers<P>,
        helped: Option<&mut Memory<P>>,
        rate: f64,
        gradient: impl Fn(usize, &mut [P::Float]) + Sync,
    ) {
        let Some(rule) = &self.update else {
            panic!("internal error: backend: a program without an optimiser cannot update")
        };
        let Numbers { frames, memories, .. } = numbers;
        let len = frames.len();
        let many = len >= FOR_THREADS;
        let parts = match many {
            true => self.threads.min(MOST_ROOMS),
            false => 1 + usize::from(helped.is_some()),
        };
        let blocks = len.div_ceil(rule.block).div_ceil(parts).max(1);
        let stretch = blocks * rule.block;
        memories.resize_with(parts.max(memories.len()), Room::default);
        let work = |(at, (frames, room)): (usize, (&mut [P::Float], &mut Room<P>))| {
            let first = at * stretch;
            let held = (frames, len.saturating_sub(first).min(stretch));
            rule.run(room, held, rate, |next, out| gradient(first + next, out));
        };
        let mut work_of = frames.stretches(blocks).zip(memories).enumerate();
        if let Some(helped) = helped.filter(|_| !many) {
            let (own, other) = (work_of.next(), work_of.next());
            return helped
                .both(|| own.into_iter().for_each(work), || other.into_iter().for_each(work));
        }
        let queue = Mutex::new(work_of);
        let next = || queue.lock().map_or(None, |mut queue| queue.next());
        on_threads((), (1..len.div_ceil(stretch)).map(|_| ()), |()| {
            std::iter::from_fn(next).for_each(work)
        });
    }

    /// Parameters and slots as the optimiser takes them.
    fn frames(&self, values: Vec<P::Float>, slots: &[Tensor]) -> Frames<P::Float> {
        let block = self.update.as_ref().map_or(values.len(), |rule| rule.block);
        let lists: Vec<Vec<P::Float>> =
            [values].into_iter().chain(slots.iter().map(narrow)).collect();
        Frames::new(&lists, block)
    }

    /// The mean gradient of the batch just run, its frozen parts 0: what to multiply the sum with, and
    /// the norm of the product.
    fn mean(&mut self, samples: usize, frozen: &[bool]) -> (f64, f64) {
        let Some(share) = self.shares.first_mut() else { return (0.0, 0.0) };
        for (part, _) in self.params.iter().zip(frozen).filter(|(_, frozen)| **frozen) {
            part.of_mut(&mut share.sum).fill(P::Float::of(0.0));
        }
        let scale = 1.0 / samples as f64;
        (scale, squares(Level::here(), &share.sum).sqrt() * scale)
    }
}

/// The numbers of a tensor, rounded.
fn narrow<F: Float>(tensor: &Tensor) -> Vec<F> {
    let mut all = vec![F::of(0.0); tensor.len()];
    round(&mut all, &flat(tensor));
    all
}

impl<P: Plan> Trainable for Engine<P> {
    fn slots(&mut self) -> Vec<Tensor> {
        let Some(update) = &self.program.update else { return Vec::new() };
        let wanted = Wanted { forward: names("start", &update.slots), ..Wanted::default() };
        let plan = alone(P::new(&update.init, &wanted));
        let roots = once(&plan, &wanted.forward, |_, _| {});
        let slots = update.slots.iter().zip(roots).map(|(array, root)| {
            let value = root.unwrap_or_else(|| vec![P::Float::of(0.0); array.len()]);
            tensor(&array.shape(), widen(&value))
        });
        slots.collect()
    }

    fn hold(&mut self, params: &[Tensor], slots: &[Tensor]) {
        let values = params.iter().flat_map(narrow).collect();
        self.numbers.frames = self.frames(values, slots);
        self.numbers.new = true;
    }

    fn held(&self) -> Held {
        let slots = self.program.update.iter().flat_map(|update| &update.slots).enumerate();
        let frames = &self.numbers.frames;
        let slot =
            |list, array: &Array| tensor(&array.shape(), widen(&frames.list(VALUES + 1 + list)));
        Held {
            params: self.per_param(&frames.list(VALUES)),
            slots: slots.map(|(list, array)| slot(list, array)).collect(),
        }
    }

    fn run_held(&mut self, batch: &Batch, want: &Want) -> Outcome {
        self.demand(batch);
        let mut numbers = std::mem::take(&mut self.numbers);
        let outcome = self.run_with(&mut numbers, batch, want, true);
        self.numbers = numbers;
        outcome
    }

    fn open(&mut self, starts: &[Option<Tensor>], root: &str) {
        let mut numbers = std::mem::take(&mut self.numbers);
        if let Some(old) = self.live.take() {
            self.keep(old.ready);
            // It may not have seen the last ones.
            numbers.forget();
        }
        let want = Want { roots: vec![root.to_owned()], gradients: false };
        let ready = self.ready_with(&mut numbers, &want);
        self.live = Some(self.live(ready, starts));
        // The plan is no longer there for others, which have not seen its memory.
        numbers.forget();
        self.memories.clear();
        self.numbers = numbers;
    }

    fn answer(&mut self, inputs: &[Tensor]) -> Tensor {
        let sizes = inputs.iter().map(Tensor::len);
        let fits = sizes.eq(self.program.inputs.iter().map(Array::len));
        assert!(fits, "internal error: backend: inputs of a step of other sizes");
        let Some(mut live) = self.live.take() else {
            panic!("internal error: backend: no sequence was opened")
        };
        let answer = self.next(&mut live, inputs);
        self.live = Some(live);
        answer
    }

    fn learn(&mut self, batch: &Batch, roots: &[String], advance: &Advance<'_>) -> Learned {
        assert!(!batch.lengths.is_empty(), "internal error: backend: nothing to learn from");
        self.demand(batch);
        let mut numbers = std::mem::take(&mut self.numbers);
        let want = Want { roots: roots.to_vec(), gradients: true };
        let outcome = self.run_with(&mut numbers, batch, &want, false);
        let (scale, norm) = self.mean(batch.lengths.len(), advance.frozen);
        let mut memories = std::mem::take(&mut self.memories);
        let sum = self.shares.first().map_or(&[][..], |share| &share.sum);
        let trouble = if !outcome.loss.iter().all(|loss| loss.is_finite()) {
            Some(Trouble::Loss)
        } else if !norm.is_finite() {
            Some(Trouble::Gradient(
                self.params.iter().position(|part| !finite(Level::here(), part.of(sum))),
            ))
        } else {
            let gradient = |first: usize, out: &mut [P::Float]| {
                let sum = &sum[first..first + out.len()];
                clipped(advance.clip, (scale, norm), sum, out);
            };
            // Decay of weights would move even a parameter whose gradient is 0.
            let frozen = self.params.iter().zip(advance.frozen).filter(|(_, frozen)| **frozen);
            let kept = frozen.map(|(part, _)| {
                let mut values = vec![P::Float::of(0.0); part.len];
                numbers.frames.take(VALUES, part.offset, &mut values);
                (part, values)
            });
            let kept: Vec<_> = kept.collect();
            let helped = memories.first_mut().filter(|memory| memory.is_helped());
            self.advance(&mut numbers, helped, advance.rate, gradient);
            for (part, values) in kept {
                numbers.frames.put(VALUES, part.offset, &values);
            }
            numbers.new = true;
            let frames = &numbers.frames;
            let bad = |values: &[P::Float]| !finite(Level::here(), values);
            let wrong = |part: &Part| frames.any(VALUES, part.offset..part.offset + part.len, bad);
            self.params.iter().position(wrong).map(Trouble::Value)
        };
        (self.numbers, self.memories) = (numbers, memories);
        Learned { outcome, norm, trouble }
    }

    fn update(
        &mut self,
        value: &Tensor,
        gradient: &Tensor,
        rate: f64,
        slots: &mut Vec<Tensor>,
    ) -> Tensor {
        let gradient: Vec<P::Float> = narrow(gradient);
        let frames = self.frames(narrow(value), slots);
        let mut numbers = Numbers { frames, ..Numbers::<P>::default() };
        self.advance(&mut numbers, None, rate, |first, out| {
            out.copy_from_slice(&gradient[first..first + out.len()]);
        });
        let frames = &numbers.frames;
        for (at, slot) in slots.iter_mut().enumerate() {
            *slot = tensor(slot.shape(), widen(&frames.list(VALUES + 1 + at)));
        }
        tensor(value.shape(), widen(&frames.list(VALUES)))
    }
}

/// Clips a mean gradient: `sum` times `scale`, whose norm is known.
fn clipped<F: Float>(clip: Option<Clip>, (scale, norm): (f64, f64), sum: &[F], out: &mut [F]) {
    let (scale, limit) = match clip {
        Some(Clip::Norm(limit)) if norm > limit => (scale * (limit / norm), f64::INFINITY),
        Some(Clip::Norm(_)) | None => (scale, f64::INFINITY),
        Some(Clip::Value(limit)) => (scale, limit),
    };
    let own = F::of(scale);
    if own.wide() == scale {
        // The product of two numbers of this type, rounded once, then cut: so is the wide one, cut and then rounded.
        cut(Level::here(), sum, own, F::of(limit), out);
    } else {
        out.iter_mut()
            .zip(sum)
            .for_each(|(out, sum)| *out = F::of((sum.wide() * scale).clamp(-limit, limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_limits_components_or_the_norm() {
        let clip = |clip, sum: [f64; 2], scale: f64| {
            let mut out = [0.0; 2];
            clipped(
                Some(clip),
                (scale, squares(Level::here(), &sum).sqrt() * scale),
                &sum,
                &mut out,
            );
            out
        };
        assert_eq!(clip(Clip::Norm(10.0), [3.0, -4.0], 1.0), [3.0, -4.0]);
        assert_eq!(clip(Clip::Norm(10.0), [6.0, -8.0], 0.5), [3.0, -4.0]);
        assert_eq!(clip(Clip::Norm(2.5), [6.0, -8.0], 0.5), [1.5, -2.0]);
        assert_eq!(clip(Clip::Value(1.0), [3.0, -0.5], 1.0), [1.0, -0.5]);
        assert_eq!(clip(Clip::Value(1.0), [3.0, -0.5], 0.1), [0.3 + 2f64.powi(-54), -0.05]);
    }
}
