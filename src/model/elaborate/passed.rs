//! States that are passed along inside families: which members update one, in which order.
//!
//! In: the part of an update, and the members around it. Out: the members of the update before, or of
//! the last one. Invariant: members are listed once for each part, outermost family first, so that those
//! of one outer member stand side by side and a read costs no look at all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::int::VarId;
use super::super::typed::PartId;
use super::{Engine, FrameId, Members};

/// The members that update a state, in the order in which they do.
pub(super) struct Updates {
    all: Vec<Members>,
    /// Where those stand that begin with some members of the outer families: the first, and one past
    /// the last.
    ranges: BTreeMap<Members, (usize, usize)>,
}

impl Updates {
    /// From members whose families are given outermost first.
    fn new(all: Vec<Members>, families: &[VarId]) -> Updates {
        let mut ranges: BTreeMap<Members, (usize, usize)> = BTreeMap::new();
        for (at, members) in all.iter().enumerate() {
            let mut outer = Members::new();
            for depth in 0..=families.len() {
                ranges.entry(outer.clone()).or_insert((at, at)).1 = at + 1;
                let next = families.get(depth).and_then(|var| members.get_key_value(var));
                outer.extend(next.map(|(var, at)| (*var, *at)));
            }
        }
        Updates { all, ranges }
    }

    /// The last update by these members of the outer families.
    pub(super) fn last(&self, outer: &Members) -> Option<&Members> {
        self.ranges.get(outer).map(|(_, past)| &self.all[past - 1])
    }

    /// The update just before the first one by the inner members, among those of the outer.
    pub(super) fn before(&self, outer: &Members, inner: &Members) -> Option<&Members> {
        let ((low, _), (first, _)) = (self.ranges.get(outer)?, self.ranges.get(inner)?);
        (first > low).then(|| &self.all[first - 1])
    }
}

impl Engine<'_> {
    /// The updates of a state by an equation of a part.
    pub(super) fn updates(&mut self, frame: FrameId, part: PartId) -> Arc<Updates> {
        if let Some(known) = self.updates.get(&(frame, part)) {
            return Arc::clone(known);
        }
        let all = self.all_members(frame, part);
        let families = self.families(frame, part).into_iter();
        let in_order = families.filter(|(owner, _)| self.frames[frame.0].def.part(*owner).in_order);
        let families: Vec<VarId> = in_order.map(|(_, var)| var).collect();
        let updates = Arc::new(Updates::new(all, &families));
        self.updates.insert((frame, part), Arc::clone(&updates));
        updates
    }
}
