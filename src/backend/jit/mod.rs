//! Machine code: runs a program as functions made for its shapes.
//!
//! In: a [`Program`]. Out: a [`Trainable`]. A value that is read more than once and is not cheap is
//! computed by a function of its own, whose loops and positions are known when it is made; others are
//! computed where they are read. Sums of products and functions of whole arrays are left to kernels, and
//! gradients of weights are computed once all steps are done. Values over the same two axes share a
//! loop. Samples of equal length run together in groups, side by side in
//! memory and in vectors; a lone sample uses vectors along the axes of its values, and four samples share them with
//! neighbours. Threads that a batch leaves nothing else to do run parts of a step. Invariants: the
//! same program, precision, parameters, batch and wanted results give the same bits, whatever the number of
//! threads (other results may be computed elsewhere, and sums of fewer than eight samples added in another order);
//! given equal inputs, scalar functions have the bits that the interpreter gives them.

mod ahead;
mod aligned;
mod apart;
mod beside;
mod call;
mod called;
mod clear;
mod code;
mod crew;
mod describe;
mod emit;
mod forks;
mod fuse;
mod fused;
mod guards;
mod held;
mod kernels;
mod lanes;
mod late;
mod layout;
mod make;
mod plan;
mod product;
mod profile;
mod rings;
mod roots;
mod scalar;
mod stack;
mod still;
mod strips;
#[cfg(test)]
mod tests;
mod turn;
mod vector;
mod whole;
mod wide;

use crate::graph::{self, Graph, Program};

use super::bytes;
use super::engine::Engine;
use super::{Budget, Precision, Trainable};
use forks::WORTH;
use plan::Compiled;

pub use describe::{Counts, counts, describe, list};
pub use make::Listing;

/// Makes a program ready; batches are shared by at most that many threads, of which one may help each other one with
/// single steps. Making machine code takes up to
/// four of the cores there are, whatever that number says.
///
/// # Errors
/// Why this machine cannot run machine code made for it.
///
/// # Panics
/// With an internal error, if a graph of the program is not one that [`graph::verify()`] accepts:
/// machine code reads where it proves that something is.
pub fn ready(
    program: &Program,
    precision: Precision,
    threads: usize,
) -> Result<Box<dyn Trainable>, String> {
    ready_sharing(program, precision, threads, WORTH)
}

/// The same, telling from which size on functions of a step are shared with a thread that has nothing else to do:
/// about as many terms of a sum of products. Whatever the number, the results have the same bits.
///
/// # Errors
/// As [`ready`].
///
/// # Panics
/// As [`ready`].
pub fn ready_sharing(
    program: &Program,
    precision: Precision,
    threads: usize,
    worth: u64,
) -> Result<Box<dyn Trainable>, String> {
    let update = program.update.iter().flat_map(|update| [&update.graph, &update.init]);
    [&program.init].into_iter().chain(update).for_each(lawful);
    code::probe()?;
    // The graph of a step is the largest, and not run before this returns.
    let step = || lawful(&program.step);
    Ok(std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, step).ok();
        let engine: Box<dyn Trainable> = match precision {
            Precision::F32 => Box::new(Engine::<Compiled<f32>>::new(program, threads).worth(worth)),
            Precision::F64 => Box::new(Engine::<Compiled<f64>>::new(program, threads).worth(worth)),
        };
        match thread {
            Some(thread) => {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
            // A thread that cannot be had is done without.
            None => step(),
        }
        engine
    }))
}

/// Checks a graph, whatever the build: that machine code stays inside its memory follows from the laws.
fn lawful(graph: &Graph) {
    if let Err(violation) = graph::verify(graph) {
        panic!("internal error: jit: {violation}");
    }
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
        Precision::F32 => bytes::budget::<Compiled<f32>>(program, extent, threads, limit),
        Precision::F64 => bytes::budget::<Compiled<f64>>(program, extent, threads, limit),
    }
}
