//! Training on numbers that a backend holds in its own type.
//!
//! In: parameters and slots once, then batches. Out: the loss, and new parameters and slots, which
//! stay here until they are asked for: on their way through `f64` tensors and back they would take a
//! third of a small network's step. Invariant: what is held is what [`Trainable::update`] gives for the
//! same gradient.

use crate::graph::Update;
use crate::tensor::Tensor;

use super::block::block;
use super::engine::{Engine, Ready, alone, flat, once, tensor, widen};
use super::float::{Float, round};
use super::phase::{Wanted, names, wanted_of};
use super::plan::{At, Blind, PASSING, Plan, Root, Source};
use super::{Advance, Batch, Clip, Held, Learned, Outcome, Timed, Trainable, Trouble, Want};

/// Parameters and slots in the type of a backend.
#[derive(Debug)]
pub(super) struct Numbers<P: Plan> {
    /// All parameters, one after the other.
    values: Vec<P::Float>,
    /// One list a slot, each with a number a parameter.
    slots: Vec<Vec<P::Float>>,
    /// Whether the plans have not seen these parameters.
    new: bool,
    /// The optimiser's memory of each thread.
    memories: Vec<Room<P>>,
}

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
    value: Option<Root<P::Read>>,
    slots: Vec<Option<Root<P::Read>>>,
}

/// Below this many parameters a second thread costs more than it brings.
const FOR_THREADS: usize = 1 << 18;

impl<P: Plan> Default for Numbers<P> {
    fn default() -> Numbers<P> {
        Numbers { values: Vec::new(), slots: Vec::new(), new: true, memories: Vec::new() }
    }
}

impl<P: Plan> Rule<P> {
    pub(super) fn new(update: &Update) -> Rule<P> {
        let (graph, block) = block(&update.graph);
        let plan = alone(P::new(&graph, &wanted_of(update)));
        let slots = names("next", &update.slots);
        Rule {
            value: plan.root("value"),
            slots: slots.iter().map(|name| plan.root(name)).collect(),
            block: block.max(1),
            plan,
        }
    }

    /// From now on takes the time of each function.
    pub(super) fn measure(&mut self) {
        self.plan.measure();
    }

    /// What each function took since then.
    pub(super) fn spent(&self) -> impl Iterator<Item = Timed> + use<P> {
        self.plan.spent().into_iter().map(|one| Timed { when: "optimiser", ..one })
    }

    /// Updates a stretch of the parameters, block by block. `gradient` fills the gradient from a place in
    /// the stretch on.
    fn run(
        &self,
        room: &mut Room<P>,
        values: &mut [P::Float],
        slots: &mut [&mut [P::Float]],
        rate: f64,
        gradient: impl Fn(usize, &mut [P::Float]),
    ) {
        let Room { memory, next } = room;
        self.plan.fit(memory, PASSING, 1);
        next.resize(self.block, P::Float::of(0.0));
        for first in (0..values.len()).step_by(self.block) {
            let range = first..(first + self.block).min(values.len());
            let len = range.len();
            // What lies behind the last parameter is updated too, and never looked at.
            let take = |from: &[P::Float], out: &mut [P::Float]| {
                out[..len].copy_from_slice(&from[range.clone()]);
            };
            let fill = |source: Source, out: &mut [P::Float]| match source {
                Source::Input(0) => take(values, out),
                Source::Input(1) => gradient(first, &mut out[..len]),
                Source::Input(_) => out.fill(P::Float::of(rate)),
                Source::Prev(at) => take(slots[at], out),
                Source::Param(_) | Source::Seed(_) => {}
            };
            self.plan.forward(memory, At::ONCE, fill, &mut Blind);
            let mut read = |root: &Option<Root<P::Read>>, out: &mut [P::Float]| {
                let Some(root) = root else { return };
                let out = &mut out[range.clone()];
                if len == self.block {
                    return self.plan.read(memory, root, At::ONCE, out);
                }
                self.plan.read(memory, root, At::ONCE, next);
                out.copy_from_slice(&next[..len]);
            };
            slots.iter_mut().zip(&self.slots).for_each(|(slot, root)| read(root, slot));
            read(&self.value, values);
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
        let fill = |param: usize, out: &mut [P::Float]| {
            out.copy_from_slice(parts[param].of(&numbers.values));
        };
        self.ready_for(new, want, fill)
    }

    /// One step of the optimiser on numbers that are held; `gradient` fills the gradient from a place on.
    fn advance(
        &self,
        numbers: &mut Numbers<P>,
        rate: f64,
        gradient: impl Fn(usize, &mut [P::Float]) + Sync,
    ) {
        let Some(rule) = &self.update else {
            panic!("internal error: backend: a program without an optimiser cannot update")
        };
        let Numbers { values, slots, memories, .. } = numbers;
        let threads = if values.len() < FOR_THREADS { 1 } else { self.threads };
        let blocks = values.len().div_ceil(rule.block);
        let stretch = (blocks.div_ceil(threads) * rule.block).max(1);
        memories.resize_with(threads.max(memories.len()), Room::default);
        let mut pieces: Vec<Vec<&mut [P::Float]>> =
            values.chunks_mut(stretch).map(|one| vec![one]).collect();
        for slot in slots {
            let more = slot.chunks_mut(stretch);
            pieces.iter_mut().zip(more).for_each(|(piece, more)| piece.push(more));
        }
        let work = |at: usize, mut piece: Vec<&mut [P::Float]>, room: &mut Room<P>| {
            let Some((values, slots)) = piece.split_first_mut() else { return };
            rule.run(room, values, slots, rate, |first, out| gradient(at * stretch + first, out));
        };
        let mut work_of = pieces.into_iter().zip(memories).enumerate();
        let own = work_of.next();
        std::thread::scope(|scope| {
            for (at, (piece, room)) in work_of {
                let work = &work;
                scope.spawn(move || work(at, piece, room));
            }
            if let Some((at, (piece, room))) = own {
                work(at, piece, room);
            }
        });
    }

    /// The mean gradient of the batch just run, its frozen parts 0: what to multiply the sum with, and
    /// the norm of the product.
    fn mean(&mut self, samples: usize, frozen: &[bool]) -> (f64, f64) {
        let Some(share) = self.shares.first_mut() else { return (0.0, 0.0) };
        for (part, _) in self.params.iter().zip(frozen).filter(|(_, frozen)| **frozen) {
            part.of_mut(&mut share.sum).fill(P::Float::of(0.0));
        }
        let scale = 1.0 / samples as f64;
        (scale, squares(&share.sum).sqrt() * scale)
    }
}

/// The sum of squares, in lanes whose number is fixed.
fn squares<F: Float>(values: &[F]) -> f64 {
    const LANES: usize = 16;
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value.wide() * value.wide());
    }
    let rest: f64 = rest.iter().map(|value| value.wide() * value.wide()).sum();
    lanes.iter().sum::<f64>() + rest
}

/// The numbers of a tensor, rounded.
fn narrow<F: Float>(tensor: &Tensor) -> Vec<F> {
    let mut all = vec![F::of(0.0); tensor.len()];
    round(&mut all, &flat(tensor));
    all
}

/// Whether a number is NaN or infinite.
fn bad<F: Float>(values: &[F]) -> bool {
    values.iter().fold(false, |bad, value| bad | !value.wide().is_finite())
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
        let numbers = &mut self.numbers;
        numbers.values = params.iter().flat_map(narrow).collect();
        numbers.slots = slots.iter().map(narrow).collect();
        numbers.new = true;
    }

    fn held(&self) -> Held {
        let slots = self.program.update.iter().flat_map(|update| &update.slots);
        let slots = slots.zip(&self.numbers.slots);
        Held {
            params: self.per_param(&self.numbers.values),
            slots: slots.map(|(array, slot)| tensor(&array.shape(), widen(slot))).collect(),
        }
    }

    fn run_held(&mut self, batch: &Batch, want: &Want) -> Outcome {
        let mut numbers = std::mem::take(&mut self.numbers);
        let outcome = self.run_with(&mut numbers, batch, want, true);
        self.numbers = numbers;
        outcome
    }

    fn open(&mut self, starts: &[Option<Tensor>], root: &str) {
        if let Some(old) = self.live.take() {
            self.keep(old.ready);
        }
        let mut numbers = std::mem::take(&mut self.numbers);
        let want = Want { roots: vec![root.to_owned()], gradients: false };
        let ready = self.ready_with(&mut numbers, &want);
        self.live = Some(self.live(ready, starts));
        // The plan is no longer there for others, which have not seen its memory.
        numbers.forget();
        self.memories.clear();
        self.numbers = numbers;
    }

    fn answer(&mut self, inputs: &[Tensor]) -> Tensor {
        let Some(mut live) = self.live.take() else {
            panic!("internal error: backend: no sequence was opened")
        };
        let answer = self.next(&mut live, inputs);
        self.live = Some(live);
        answer
    }

    fn learn(&mut self, batch: &Batch, roots: &[String], advance: &Advance<'_>) -> Learned {
        let mut numbers = std::mem::take(&mut self.numbers);
        let want = Want { roots: roots.to_vec(), gradients: true };
        let outcome = self.run_with(&mut numbers, batch, &want, false);
        let (scale, norm) = self.mean(batch.lengths.len(), advance.frozen);
        let sum = self.shares.first().map_or(&[][..], |share| &share.sum);
        let first_bad = |all: &[P::Float]| self.params.iter().position(|part| bad(part.of(all)));
        let trouble = if !outcome.loss.iter().all(|loss| loss.is_finite()) {
            Some(Trouble::Loss)
        } else if !norm.is_finite() {
            Some(Trouble::Gradient(first_bad(sum)))
        } else {
            let gradient = |first: usize, out: &mut [P::Float]| {
                let sum = &sum[first..first + out.len()];
                clipped(advance.clip, (scale, norm), sum, out);
            };
            // Decay of weights would move even a parameter whose gradient is 0.
            let frozen = self.params.iter().zip(advance.frozen).filter(|(_, frozen)| **frozen);
            let kept: Vec<_> =
                frozen.map(|(part, _)| (part, part.of(&numbers.values).to_vec())).collect();
            self.advance(&mut numbers, advance.rate, gradient);
            for (part, values) in kept {
                part.of_mut(&mut numbers.values).copy_from_slice(&values);
            }
            numbers.new = true;
            first_bad(&numbers.values).map(Trouble::Value)
        };
        self.numbers = numbers;
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
        let mut numbers = Numbers {
            values: narrow(value),
            slots: slots.iter().map(narrow).collect(),
            ..Numbers::<P>::default()
        };
        self.advance(&mut numbers, rate, |first, out| {
            out.copy_from_slice(&gradient[first..first + out.len()]);
        });
        for (slot, new) in slots.iter_mut().zip(&numbers.slots) {
            *slot = tensor(slot.shape(), widen(new));
        }
        tensor(value.shape(), widen(&numbers.values))
    }
}

/// Clips a mean gradient: `sum` times `scale`, whose norm is known.
fn clipped<F: Float>(clip: Option<Clip>, (scale, norm): (f64, f64), sum: &[F], out: &mut [F]) {
    let pairs = out.iter_mut().zip(sum);
    match clip {
        Some(Clip::Value(limit)) => pairs.for_each(|(out, sum)| {
            *out = F::of((sum.wide() * scale).clamp(-limit, limit));
        }),
        Some(Clip::Norm(limit)) if norm > limit => {
            let scale = scale * (limit / norm);
            pairs.for_each(|(out, sum)| *out = F::of(sum.wide() * scale));
        }
        Some(Clip::Norm(_)) | None => {
            pairs.for_each(|(out, sum)| *out = F::of(sum.wide() * scale));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_limits_components_or_the_norm() {
        let clip = |clip, sum: [f64; 2], scale: f64| {
            let mut out = [0.0; 2];
            clipped(Some(clip), (scale, squares(&sum).sqrt() * scale), &sum, &mut out);
            out
        };
        assert_eq!(clip(Clip::Norm(10.0), [3.0, -4.0], 1.0), [3.0, -4.0]);
        assert_eq!(clip(Clip::Norm(10.0), [6.0, -8.0], 0.5), [3.0, -4.0]);
        assert_eq!(clip(Clip::Norm(2.5), [6.0, -8.0], 0.5), [1.5, -2.0]);
        assert_eq!(clip(Clip::Value(1.0), [3.0, -0.5], 1.0), [1.0, -0.5]);
        assert_eq!(clip(Clip::Value(1.0), [3.0, -0.5], 0.1), [0.3 + 2f64.powi(-54), -0.05]);
    }

    #[test]
    fn squares_are_summed_whatever_their_number() {
        for count in [0, 1, 15, 16, 17, 100] {
            let values: Vec<f32> = (1..=count).map(|at| at as f32).collect();
            let exact = f64::from(count * (count + 1) * (2 * count + 1)) / 6.0;
            assert_eq!(squares(&values), exact);
        }
        assert!(bad(&[0.0, f32::NAN]) && bad(&[f32::INFINITY]) && !bad(&[f32::MAX, 0.0]));
    }
}
