//! The interpreter: runs a program node by node. It is the definition that everything fast is
//! compared with.
//!
//! In: a [`Program`]. Out: an [`Executable`]. Everything that depends on no data (loop nests, tables
//! of positions, the place of every value) is worked out once; then a node costs its points.
//! Invariants: the same program, precision, parameters and batch give the same bits, whatever the
//! number of threads and whatever else is asked for; its one shortcut, a sum of products that is
//! never stored, depends on the graph alone.

mod bytes;
mod check;
mod contract;
mod fold;
mod kernel;
mod layout;
mod line;
mod map;
mod nest;
mod place;
mod plan;
mod trace;

#[cfg(test)]
mod tests;

pub use check::{Bad, Made};

use crate::graph::Program;
use crate::tensor::Tensor;

use super::bytes::budget;
use super::engine::Engine;
use super::{
    Advance, Batch, Budget, Executable, Facts, Held, Learned, Outcome, Precision, Trainable, Want,
};
use plan::Interpreted;

/// A program made ready to be interpreted.
#[derive(Debug)]
pub struct Interp(Inner);

#[derive(Debug)]
enum Inner {
    F32(Box<Engine<Interpreted<f32>>>),
    F64(Box<Engine<Interpreted<f64>>>),
}

/// Runs a body with the engine of either precision.
macro_rules! with_engine {
    ($interp:expr, $engine:ident => $body:expr) => {
        match &mut $interp.0 {
            Inner::F32($engine) => $body,
            Inner::F64($engine) => $body,
        }
    };
}

impl Interp {
    /// Makes a program ready; batches are shared by that many threads.
    #[must_use]
    pub fn new(program: &Program, precision: Precision, threads: usize) -> Interp {
        Interp(match precision {
            Precision::F32 => Inner::F32(Box::new(Engine::new(program, threads))),
            Precision::F64 => Inner::F64(Box::new(Engine::new(program, threads))),
        })
    }

    /// Runs a batch again, forward then backward, and names the value at which the loss or a gradient became NaN or
    /// infinite.
    pub fn first_bad(&mut self, params: &[Tensor], batch: &Batch) -> Option<Bad> {
        with_engine!(self, engine => engine.first_bad(params, batch))
    }

    /// How training on a batch of that many sequences of that many steps fits into `limit` bytes.
    #[must_use]
    pub fn budget(
        program: &Program,
        extent: (usize, usize),
        threads: usize,
        precision: Precision,
        limit: u64,
    ) -> Budget {
        match precision {
            Precision::F32 => budget::<Interpreted<f32>>(program, extent, threads, limit),
            Precision::F64 => budget::<Interpreted<f64>>(program, extent, threads, limit),
        }
    }
}

impl Executable for Interp {
    fn run(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Outcome {
        with_engine!(self, engine => engine.run(params, batch, want))
    }

    fn keep_at_most(&mut self, steps: usize) {
        with_engine!(self, engine => engine.keep_at_most(steps));
    }

    fn starts(&mut self, params: &[Tensor]) -> Vec<Tensor> {
        with_engine!(self, engine => engine.starts(params))
    }

    fn facts(&self) -> Facts {
        match &self.0 {
            Inner::F32(engine) => engine.facts(),
            Inner::F64(engine) => engine.facts(),
        }
    }
}

impl Trainable for Interp {
    fn slots(&mut self) -> Vec<Tensor> {
        with_engine!(self, engine => engine.slots())
    }

    fn hold(&mut self, params: &[Tensor], slots: &[Tensor]) {
        with_engine!(self, engine => engine.hold(params, slots));
    }

    fn held(&self) -> Held {
        match &self.0 {
            Inner::F32(engine) => engine.held(),
            Inner::F64(engine) => engine.held(),
        }
    }

    fn run_held(&mut self, batch: &Batch, want: &Want) -> Outcome {
        with_engine!(self, engine => engine.run_held(batch, want))
    }

    fn open(&mut self, starts: &[Option<Tensor>], root: &str) {
        with_engine!(self, engine => engine.open(starts, root));
    }

    fn answer(&mut self, inputs: &[Tensor]) -> Tensor {
        with_engine!(self, engine => engine.answer(inputs))
    }

    fn learn(&mut self, batch: &Batch, roots: &[String], advance: &Advance<'_>) -> Learned {
        with_engine!(self, engine => engine.learn(batch, roots, advance))
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
