//! Numbers that stand still along a row.
//!
//! In: what a fused loop reads where it stands. Out: loads that may be done once, before the row. Invariants: the loop
//! does not write what they load, and no condition says whether it may be read.

use cranelift_codegen::ir::{MemFlagsData, Value};

use crate::graph::{Access, Affine, Index};

use super::emit::{Coord, Emitter, Position, flags};
use super::fuse::Fused;
use super::layout::{Layout, Slot};

/// The row that a fused loop goes through.
#[derive(Debug)]
pub(super) struct Row {
    /// The column where it stands, if that moves.
    pub(super) column: Option<Value>,
    /// What the loop writes.
    written: Vec<Slot>,
}

impl Row {
    /// A row of a loop.
    pub(super) fn new(fused: &Fused, layout: &Layout) -> Row {
        let members = fused.members.iter().map(|member| &member.node);
        let written = members.chain(&layout.overwritten).filter_map(|id| layout.slot(*id));
        Row { column: None, written: written.collect() }
    }
}

/// Flags of a load that may be done before the row.
fn still() -> MemFlagsData {
    flags().with_readonly().with_can_move()
}

impl Emitter<'_, '_> {
    /// Loads what an access reads at a point: once a row, if it stands still.
    pub(super) fn load_still(
        &mut self,
        slot: Slot,
        position: Position,
        (access, point): (&Access, &[Coord]),
    ) -> Vec<Value> {
        if self.stands_still(slot, access, point) {
            self.loads = still();
        }
        let values = self.load(slot, position);
        self.loads = flags();
        values
    }

    /// Whether what is read is the same at all columns, and the loop does not write it.
    fn stands_still(&self, slot: Slot, access: &Access, point: &[Coord]) -> bool {
        let Some(Row { column: Some(column), written }) = &self.row else { return false };
        let still = |affine: &Affine| {
            affine.terms.iter().all(|(axis, _)| point[usize::from(axis.0)].base != Some(*column))
        };
        let all = access.0.iter().all(|index| match index {
            Index::Affine(affine) | Index::Digit { of: affine, .. } => still(affine),
            Index::Value(_) => false,
        });
        all && !written.contains(&slot)
    }
}
