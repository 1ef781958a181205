//! What a look at claims may cost.
//!
//! In: how many steps may be taken. Out: how many are left. Steps are counted, never timed, so that the
//! same model gets the same verdicts everywhere. Invariant: a look that was cut short says nothing.

use super::prover::Prover;

/// How far to go before a claim stays open. A step is a term or a product of unknowns that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The most steps for one value.
    pub look: u64,
    /// The most steps for all of them together.
    pub whole: u64,
    /// Whether claims that do not follow one by one are looked at together.
    pub together: bool,
}

impl Effort {
    /// For an answer while somebody waits.
    pub const QUICK: Effort = Effort { look: 1_000, whole: 12_000, together: false };
    /// For a trial, which takes its time anyway.
    pub const THOROUGH: Effort = Effort { look: 100_000, whole: 5_000_000, together: true };
}

/// Steps that are left.
#[derive(Debug)]
pub(super) struct Purse {
    look: u64,
    whole: u64,
    left: u64,
}

impl Purse {
    pub(super) fn new(effort: Effort) -> Purse {
        Purse { look: effort.look, whole: effort.whole, left: effort.whole }
    }

    /// Whether at least as much is left as was spent: a closer look costs more than the first.
    pub(super) fn suffices_for_more(&self) -> bool {
        self.left >= self.whole - self.left
    }

    /// What the next look may cost.
    pub(super) fn take(&self) -> u64 {
        self.look.min(self.left)
    }

    /// Pays for a look that was given that many steps; whether they sufficed.
    pub(super) fn paid(&mut self, given: u64, prover: &Prover) -> bool {
        self.left -= given - prover.steps;
        prover.steps > 0
    }
}
