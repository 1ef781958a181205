//! Memory that a pass over a large array comes to soon.
//!
//! In: what a fused loop reads or writes where it stands. Out: an instruction that fetches what lies two pages further
//! on. The machine follows streams by itself, but each anew from page to page, and a pass over rows and columns has one
//! for every array. What is fetched goes to the second cache: the first holds what all rows read again, which would be
//! driven out. Invariant: nothing is read by it that the function sees, so that it may lead behind the end.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, types};

use crate::graph::NodeId;

use super::aligned::LINE;
use super::emit::{Coord, Emitter};
use super::layout::Slot;

/// Bytes between what is read and what is asked for: two pages, or memory takes longer than what lies between.
const AHEAD: i64 = 8192;
/// Arrays of fewer numbers stay near the core from one pass to the next.
const FAR: u64 = 1 << 15;

impl Emitter<'_, '_> {
    /// Asks for what comes after a position of a value, once a point.
    pub(super) fn ask_ahead(&mut self, id: NodeId, slot: Slot, at: Coord) {
        let far = self.graph.node(id).space.points() >= FAR;
        let beside = self.wide && self.shape.width > 1 && at.step == 1;
        let Some(stand) = &mut self.stand else { return };
        if !far || !beside || stand.asked.contains(&slot) {
            return;
        }
        stand.asked.push(slot);
        let (base, offset) = self.address(slot, at);
        for line in (0..self.shape.count() as i64 * self.bytes()).step_by(LINE) {
            // Cranelift has no instruction for it. It keeps a load that may trap though nobody reads what is loaded,
            // and functions with wide vectors fetch instead.
            let ahead = offset + (AHEAD + line) as i32;
            self.to.ins().load(types::I8, MemFlagsData::new(), base, ahead);
        }
    }
}
