//! How much memory a run takes, worked out before any is taken, and how it fits into a limit.
//!
//! In: a program, the size of a batch, a number of bytes. Out: a [`Budget`], never too small by more than the
//! tensors that the caller holds. Invariant: nothing of the size of a value is allocated and no
//! arithmetic overflows, however absurd the sizes.

use crate::graph::{Array, Program};

use super::block::block;
use super::engine::MAX_CHUNKS;
use super::learn::MOST_ROOMS;
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

/// How training on a batch fits into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// All that it takes, the inputs and results of the run included; the largest number there is where it
    /// does not fit one.
    pub bytes: u64,
    /// Threads.
    pub threads: usize,
    /// Steps of the forward sweep kept at a time, where not all can be.
    pub kept: Option<usize>,
}

/// What a program takes, by how it grows.
struct Need {
    /// Whatever the length of a sequence.
    fixed: u64,
    /// A worker.
    worker: u64,
    /// A worker and step that is kept.
    step: u64,
    /// A worker and stretch, if there are several.
    stretch: u64,
}

impl Need {
    /// All of it.
    fn bytes(&self, workers: usize, steps: usize, kept: usize) -> u64 {
        let kept = kept.clamp(1, steps.max(1));
        let stretches = steps.div_ceil(kept);
        let states = if stretches > 1 { self.stretch.saturating_mul(stretches as u64) } else { 0 };
        let steps = self.step.saturating_mul(kept as u64);
        let worker = self.worker.saturating_add(steps).saturating_add(states);
        worker.saturating_mul(workers as u64).saturating_add(self.fixed)
    }
}

/// The most stretches that a sequence is cut into.
const MOST_STRETCHES: usize = 1 << 12;

/// How training on a batch fits into that many bytes: with everything kept, or as long stretches as fit, or,
/// if none do, on fewer threads. Where nothing fits, the least that it takes.
pub(super) fn budget<P: Plan>(
    program: &Program,
    (steps, batch): (usize, usize),
    threads: usize,
    limit: u64,
) -> Budget {
    let step = P::size(&program.step, &wanted_of_step(program, &["y".to_owned()], true));
    let block = usize::try_from(step.block).unwrap_or(1).max(1);
    let need = need::<P>(program, step, (steps, batch));
    // More threads than chunks take no more: they help with single steps, or do nothing.
    let most = threads.clamp(1, MAX_CHUNKS.min(batch.max(1)));
    let mut least = Budget { bytes: u64::MAX, threads: 1, kept: None };
    for workers in (1..=most).rev() {
        let threads = if workers == most { threads.max(1) } else { workers };
        let mut last = 0;
        for stretches in 1..=steps.clamp(1, MOST_STRETCHES) {
            let kept = match stretches {
                1 => steps.max(1),
                more => steps.div_ceil(more).next_multiple_of(block),
            };
            // A stretch of a block is the shortest.
            if kept == last || stretches > 1 && kept >= steps {
                continue;
            }
            last = kept;
            let bytes = need.bytes(workers, steps, kept);
            let one = Budget { bytes, threads, kept: (stretches > 1).then_some(kept) };
            if bytes <= limit {
                return one;
            }
            if bytes < least.bytes {
                least = one;
            }
        }
    }
    least
}

fn need<P: Plan>(program: &Program, step: Size, (steps, batch): (usize, usize)) -> Need {
    let number = size_of::<P::Float>() as u64;
    let most = step.together.min(batch / 2);
    let group = P::GROUPS.iter().copied().find(|size| *size <= most).unwrap_or(1) as u64;
    let (steps, batch) = (steps as u64, batch as u64);
    let chunks = (MAX_CHUNKS as u64).min(batch);
    let params = elements(&program.params);
    let init = P::size(&program.init, &wanted_of_init(program));
    let update = program.update.as_ref().map_or(Size::default(), |update| {
        let (graph, numbers) = block(&update.graph);
        let mut size = P::size(&graph, &wanted_of(update));
        // Threads that share the blocks have a memory each.
        let rooms = params.div_ceil(numbers.max(1) as u64).min(MOST_ROOMS as u64);
        size.work = size.work.saturating_mul(rooms);
        // Slots are held, and copied to be saved.
        size.work = size.work.saturating_add(elements(&update.slots).saturating_mul(2));
        size
    });
    let states = elements(&program.states);
    let y = program.step.root("y").map_or(0, |read| points(&read.sizes));
    let shown = elements(&program.inputs).saturating_mul(2).saturating_add(y);
    let numbers = [
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
    // Every worker may meet a group of the largest size.
    let each = |numbers: u64| numbers.saturating_mul(group).saturating_mul(number);
    Need {
        fixed: numbers.saturating_add(tables.saturating_mul(POSITION)),
        worker: each(step.work),
        step: each(step.tape),
        stretch: each(states),
    }
}
