//! Machine code: runs a program as functions made for its shapes.
//!
//! In: a [`Program`]. Out: an [`Executable`]. Every value that is read more than once is computed by a
//! function of its own, whose loops and positions are known when it is made; a value that is read once
//! is computed where it is read. Samples of equal length run together in groups, side by side in
//! memory and in vectors; a lone sample uses vectors along the axes of its values. Invariants: the
//! same program, precision, parameters and batch give the same bits, whatever the number of threads;
//! given equal inputs, scalar functions have the bits that the interpreter gives them.

mod bytes;
mod code;
mod emit;
mod engine;
mod helpers;
mod kernels;
mod layout;
mod plan;
mod scalar;
mod sweep;
mod vector;

use crate::graph::{self, Program};
use crate::tensor::Tensor;

use super::{Batch, Executable, Outcome, Precision, Want};
use engine::Engine;

/// A program made ready to run as machine code.
#[derive(Debug)]
pub struct Jit(Inner);

#[derive(Debug)]
enum Inner {
    F32(Box<Engine<f32>>),
    F64(Box<Engine<f64>>),
}

/// Runs a body with the engine of either precision.
macro_rules! with_engine {
    ($jit:expr, $engine:ident => $body:expr) => {
        match &mut $jit.0 {
            Inner::F32($engine) => $body,
            Inner::F64($engine) => $body,
        }
    };
}

impl Jit {
    /// Makes a program ready; batches are shared by that many threads.
    ///
    /// # Panics
    /// With an internal error, if a graph of the program is not one that [`graph::verify()`] accepts:
    /// machine code reads where it proves that something is.
    #[must_use]
    pub fn new(program: &Program, precision: Precision, threads: usize) -> Jit {
        let update = program.update.iter().flat_map(|update| [&update.graph, &update.init]);
        for graph in [&program.init, &program.step].into_iter().chain(update) {
            if let Err(violation) = graph::verify(graph) {
                panic!("internal error: jit: {violation}");
            }
        }
        Jit(match precision {
            Precision::F32 => Inner::F32(Box::new(Engine::new(program, threads))),
            Precision::F64 => Inner::F64(Box::new(Engine::new(program, threads))),
        })
    }

    /// Bytes that training on a batch of that many sequences of that many steps takes; the largest
    /// number there is where it does not fit one.
    #[must_use]
    pub fn plan_bytes(
        program: &Program,
        steps: usize,
        batch: usize,
        threads: usize,
        precision: Precision,
    ) -> u64 {
        bytes::plan_bytes(program, (steps, batch), threads, precision)
    }
}

impl Executable for Jit {
    fn run(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Outcome {
        with_engine!(self, engine => engine.run(params, batch, want))
    }

    fn starts(&mut self, params: &[Tensor]) -> Vec<Tensor> {
        with_engine!(self, engine => engine.starts(params))
    }

    fn slots(&mut self) -> Vec<Tensor> {
        with_engine!(self, engine => engine.slots())
    }

    fn update(
        &mut self,
        value: &Tensor,
        gradient: &Tensor,
        rate: f64,
        slots: &mut Vec<Tensor>,
    ) -> Tensor {
        with_engine!(self, engine => engine.update(value, gradient, rate, slots))
    }
}
