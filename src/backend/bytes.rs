//! How much memory a run takes, worked out before any is taken.
//!
//! In: a program and the size of a batch. Out: a number of bytes, never too small by more than the
//! tensors that the caller holds. Invariant: nothing of the size of a value is allocated and no
//! arithmetic overflows, however absurd the sizes.

use crate::graph::{Array, Program};

use super::block::block;
use super::engine::MAX_CHUNKS;
use super::phase::{wanted_of, wanted_of_init, wanted_of_step};
use super::plan::{Plan, Size};

/// Bytes of one entry of a table of positions.
const POSITION: u64 = 4;

fn elements(arrays: &[Array]) -> u64 {
    let each = arrays.iter().map(|array| points(&array.sizes));
    each.fold(0, u64::saturating_add)
}

/// Points of a box; the largest number there is where they do not fit one.
pub(super) fn points(sizes: &[u32]) -> u64 {
    sizes.iter().fold(1, |product: u64, size| product.saturating_mul(u64::from(*size)))
}

/// Bytes that training on a batch takes, the inputs and results of the run included.
pub(super) fn plan_bytes<P: Plan>(
    program: &Program,
    (steps, batch): (usize, usize),
    threads: usize,
) -> u64 {
    let number = size_of::<P::Float>() as u64;
    let step = P::size(&program.step, &wanted_of_step(program, &["y".to_owned()], true));
    let most = step.together.min(batch / 2);
    let group = P::GROUPS.iter().copied().find(|size| *size <= most).unwrap_or(1) as u64;
    let (steps, batch) = (steps as u64, batch as u64);
    let chunks = (MAX_CHUNKS as u64).min(batch);
    // Every worker may meet a group of the largest size.
    let workers = (threads.max(1) as u64).min(chunks);
    let init = P::size(&program.init, &wanted_of_init(program));
    let update = program.update.as_ref().map_or(Size::default(), |update| {
        let mut size = P::size(&block(&update.graph).0, &wanted_of(update));
        // Slots are held, and copied to be saved.
        size.work = size.work.saturating_add(elements(&update.slots).saturating_mul(2));
        size
    });
    let one = step.tape.saturating_mul(steps.max(1)).saturating_add(step.work);
    let params = elements(&program.params);
    let states = elements(&program.states);
    let y = program.step.root("y").map_or(0, |read| points(&read.sizes));
    let shown = elements(&program.inputs).saturating_mul(2).saturating_add(y);
    let numbers = [
        one.saturating_mul(group).saturating_mul(workers),
        step.fixed,
        init.fixed,
        init.work,
        update.fixed,
        update.work,
        params.saturating_mul(chunks.saturating_add(4)),
        // Before and after a step and both ways, and as tensors at the start and in the end.
        states.saturating_mul(batch.saturating_mul(8)),
        shown.saturating_mul(steps).saturating_mul(batch).saturating_mul(2),
    ];
    let numbers = numbers.into_iter().fold(0, u64::saturating_add).saturating_mul(number);
    let tables = step.tables.saturating_add(init.tables).saturating_add(update.tables);
    numbers.saturating_add(tables.saturating_mul(POSITION))
}
