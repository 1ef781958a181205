//! How much memory a run takes, worked out before any is taken.
//!
//! In: a program and the size of a batch. Out: a number of bytes, never too small by more than the
//! tensors that the caller holds. Invariant: nothing of the size of a value is allocated and no
//! arithmetic overflows, however absurd the sizes.

use crate::backend::Precision;
use crate::backend::phase::{Wanted, wanted_of, wanted_of_init, wanted_of_step};
use crate::graph::{Array, Cond, Graph, Index, Node, Op, Program};

use super::engine::MAX_CHUNKS;
use super::layout::{Layout, layout};

/// Bytes of one entry of a table of positions.
const POSITION: u64 = 4;

fn elements(arrays: &[Array]) -> u64 {
    let each = arrays.iter().map(|array| points(&array.sizes));
    each.fold(0, u64::saturating_add)
}

fn points(sizes: &[u32]) -> u64 {
    sizes.iter().fold(1, |product: u64, size| product.saturating_mul(u64::from(*size)))
}

/// Bytes that training on a batch takes, the inputs and results of the run included.
pub(super) fn plan_bytes(
    program: &Program,
    steps: usize,
    batch: usize,
    threads: usize,
    precision: Precision,
) -> u64 {
    let number: u64 = match precision {
        Precision::F32 => 4,
        Precision::F64 => 8,
    };
    let (steps, batch) = (steps as u64, batch as u64);
    let workers = (threads.max(1) as u64).min(batch);
    let chunks = (MAX_CHUNKS as u64).min(batch);
    let step = graph_size(&program.step, &wanted_of_step(program, &["y".to_owned()], true));
    let init = graph_size(&program.init, &wanted_of_init(program));
    let update = program.update.as_ref().map_or(Size::default(), |update| {
        let mut size = graph_size(&update.graph, &wanted_of(update));
        // Parameters, gradient and slots cross the border twice.
        size.work = size.work.saturating_add(elements(&update.slots).saturating_mul(2));
        size
    });
    let one = step.tape.saturating_mul(steps.max(1)).saturating_add(step.work);
    let params = elements(&program.params);
    let states = elements(&program.states);
    let y = program.step.root("y").map_or(0, |read| points(&read.sizes));
    let shown = elements(&program.inputs).saturating_mul(2).saturating_add(y);
    let numbers = [
        one.saturating_mul(workers),
        step.fixed,
        init.fixed,
        init.work,
        update.fixed,
        update.work,
        params.saturating_mul(chunks.saturating_add(4)),
        states.saturating_mul(batch.saturating_mul(4)),
        shown.saturating_mul(steps).saturating_mul(batch).saturating_mul(2),
    ];
    let numbers = numbers.into_iter().fold(0, u64::saturating_add).saturating_mul(number);
    let tables = step.tables.saturating_add(init.tables).saturating_add(update.tables);
    numbers.saturating_add(tables.saturating_mul(POSITION))
}

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    fixed: u64,
    tape: u64,
    work: u64,
    tables: u64,
}

fn graph_size(graph: &Graph, wanted: &Wanted) -> Size {
    let Layout { phases, contracted, fixed, tape, work, .. } = layout(graph, wanted);
    let live = graph.ids().filter(|id| phases[id.0 as usize].is_some());
    let tables = live.map(|id| {
        let from = contracted[id.0 as usize].unwrap_or(id);
        let operands = graph.operands(from);
        let affine = operands.iter().all(|(_, operand)| {
            operand.when.is_empty()
                && operand.access.0.iter().all(|index| matches!(index, Index::Affine(_)))
        });
        tables(graph.node(id), operands.len() as u64, affine)
    });
    Size { fixed, tape, work, tables: tables.fold(0, u64::saturating_add) }
}

/// At most this many positions are kept for a node.
fn tables(node: &Node, operands: u64, affine: bool) -> u64 {
    let here = node.space.points();
    let guarded = |when: &[Cond]| !node.space.when.is_empty() || !when.is_empty();
    let all = |points: u64| points.saturating_mul(operands.saturating_add(4));
    match &node.op {
        Op::Leaf(_) => here.saturating_mul(4),
        Op::Map(_) => {
            if affine && !guarded(&[]) {
                0
            } else {
                all(here)
            }
        }
        Op::Reduce { over, when, .. } => {
            if affine && !guarded(when) {
                0
            } else {
                all(here.saturating_mul(points(over)))
            }
        }
        Op::Recur { .. } => all(here),
        // In the worst case every point is a run of its own.
        Op::Join => all(here).saturating_mul(4),
        Op::Opaque { .. } => here,
    }
}
