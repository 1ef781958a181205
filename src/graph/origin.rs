//! Names: of values, and of where a node comes from.
//!
//! In: what a spec calls things. Out: names that text shows. Invariant: no name is part of what makes two nodes one.

use serde::{Deserialize, Serialize};

use crate::source::Span;

/// A dotted name such as `read[0].w`; `#` never occurs in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path(pub String);

impl std::fmt::Display for Path {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// Where a node comes from; never part of its identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The value whose equation made it.
    pub path: Path,
    /// The place in the spec; not printed, and absent after reading a graph from text.
    #[serde(skip)]
    pub span: Span,
    /// Names of the axes of its scope, for printing; may be shorter than the scope.
    pub axes: Vec<String>,
    /// Whether it belongs to the backward sweep.
    pub adjoint: bool,
}

impl Origin {
    /// The origin of a node of the backward sweep that is made for one of this origin, over its first axes.
    #[must_use]
    pub(crate) fn backward(&self, rank: usize) -> Origin {
        let axes = self.axes.iter().take(rank).cloned().collect();
        Origin { path: self.path.clone(), span: self.span, axes, adjoint: true }
    }
}
