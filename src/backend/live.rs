//! One sequence whose inputs still come.
//!
//! In: a plan of the forward sweep, first states, the inputs of one step after the other. Out: a root at each.
//! Invariant: the numbers of one sweep over all the inputs. States stay in the type of the backend, in its
//! memory: as tensors they would take longer than a small network's step.

use crate::tensor::Tensor;

use super::engine::{Engine, Ready, flat, tensor, widen};
use super::float::{Float, round};
use super::plan::{At, Blind, PASSING, Plan, Source};

/// A sequence, and where it stands.
#[derive(Debug)]
pub(super) struct Live<P: Plan> {
    pub(super) ready: Ready<P>,
    memory: P::Memory,
    state: Vec<P::Float>,
    next: Vec<P::Float>,
    step: usize,
}

impl<P: Plan> Engine<P> {
    /// Begins a sequence, by a plan with parameters in it.
    pub(super) fn live(&self, mut ready: Ready<P>, starts: &[Option<Tensor>]) -> Live<P> {
        ready.plan.prepare(1);
        let mut state = self.first_states().into_owned();
        for (part, start) in self.states.iter().zip(starts) {
            if let Some(start) = start {
                round(part.of_mut(&mut state), &flat(start));
            }
        }
        let mut memory = P::Memory::default();
        ready.plan.fit(&mut memory, PASSING, 1);
        Live { ready, memory, next: state.clone(), state, step: 0 }
    }

    /// The next step of a sequence: the first root that was asked for, as `[1, 1, sizes..]`.
    pub(super) fn next(&self, live: &mut Live<P>, inputs: &[Tensor]) -> Tensor {
        let Live { ready, memory, state, next, step } = live;
        let inputs: Vec<_> = inputs.iter().map(flat).collect();
        let at = At::passing(*step, 1);
        let fill = |source: Source, out: &mut [P::Float]| match source {
            Source::Input(input) => round(out, &inputs[input]),
            Source::Prev(number) => out.copy_from_slice(self.states[number].of(state)),
            Source::Param(_) | Source::Seed(_) => {}
        };
        ready.plan.forward(memory, at, fill, &mut Blind);
        let answer = ready.ports.asked.first().map(|(_, root)| {
            let mut value = vec![P::Float::of(0.0); root.len];
            ready.plan.read(memory, root, at, &mut value);
            let sizes = root.sizes.iter().map(|size| *size as usize);
            tensor(&[1, 1].into_iter().chain(sizes).collect::<Vec<_>>(), widen(&value))
        });
        for (number, (part, root)) in self.states.iter().zip(&ready.ports.next).enumerate() {
            if ready.plan.carries(number) {
                continue;
            }
            match root {
                Some(root) => ready.plan.read(memory, root, at, part.of_mut(next)),
                None => part.of_mut(next).copy_from_slice(part.of(state)),
            }
        }
        std::mem::swap(state, next);
        *step += 1;
        match answer {
            Some(answer) => answer,
            None => panic!("internal error: backend: what a sequence should tell is missing"),
        }
    }
}
