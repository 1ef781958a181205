//! How much memory a run takes, worked out before any is taken.
//!
//! In: a program and the size of a batch. Out: a number of bytes, never too small by more than the
//! tensors that the caller holds. Invariant: nothing of the size of a value is allocated and no
//! arithmetic overflows, however absurd the sizes.

use crate::backend::Precision;
use crate::backend::phase::{Wanted, wanted_of, wanted_of_init, wanted_of_step};
use crate::graph::{Array, Graph, Program};

use super::engine::{GROUPS, MAX_CHUNKS};
use super::layout::layout;

/// Elements of the regions of a graph: fixed, and those of one sample on the tape and at work.
fn regions(graph: &Graph, wanted: &Wanted) -> [u64; 3] {
    let layout = layout(graph, wanted);
    [layout.fixed, layout.tape, layout.work].map(|elements| elements as u64)
}

fn elements(arrays: &[Array]) -> u64 {
    arrays.iter().fold(0, |sum: u64, array| sum.saturating_add(array.len() as u64))
}

/// Bytes that training on a batch takes, the inputs and results of the run included.
pub(super) fn plan_bytes(
    program: &Program,
    (steps, batch): (usize, usize),
    threads: usize,
    precision: Precision,
) -> u64 {
    let number: u64 = match precision {
        Precision::F32 => 4,
        Precision::F64 => 8,
    };
    let group = GROUPS.into_iter().find(|size| *size <= batch).unwrap_or(1) as u64;
    let (steps, batch) = (steps as u64, batch as u64);
    // Every worker may meet a group of the largest size.
    let workers = (threads.max(1) as u64).min(batch).min(MAX_CHUNKS as u64);
    let chunks = (MAX_CHUNKS as u64).min(batch);
    let [fixed, tape, work] =
        regions(&program.step, &wanted_of_step(program, &["y".to_owned()], true));
    let one = tape.saturating_mul(steps.max(1)).saturating_add(work);
    let others = [
        regions(&program.init, &wanted_of_init(program)),
        program.update.as_ref().map_or([0; 3], |update| {
            let [fixed, tape, work] = regions(&update.graph, &wanted_of(update));
            // Parameters, gradient and slots cross the border twice.
            [fixed, tape, work.saturating_add(elements(&update.slots).saturating_mul(2))]
        }),
    ];
    let others = others.into_iter().flatten().fold(0, u64::saturating_add);
    let outputs = program.step.root("y").map_or(0, |read| {
        read.sizes.iter().fold(1, |product: u64, size| product.saturating_mul(u64::from(*size)))
    });
    let shown = elements(&program.inputs).saturating_mul(2).saturating_add(outputs);
    let all = [
        one.saturating_mul(group).saturating_mul(workers),
        fixed,
        others,
        elements(&program.params).saturating_mul(chunks.saturating_add(4)),
        elements(&program.states).saturating_mul(batch.saturating_mul(4)),
        shown.saturating_mul(steps).saturating_mul(batch).saturating_mul(2),
    ];
    all.into_iter().fold(0, u64::saturating_add).saturating_mul(number)
}
