//! What a value of a definition needs of the definition's caller within one step.

use std::collections::BTreeSet;

/// What a value needs at the same step, whatever dims, switches and members are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Entries of the signature.
    pub args: BTreeSet<usize>,
    /// The controller around the call.
    pub controller: bool,
}

impl Needs {
    /// Both needs together.
    pub(super) fn join(&mut self, other: &Needs) {
        self.args.extend(&other.args);
        self.controller |= other.controller;
    }
}
