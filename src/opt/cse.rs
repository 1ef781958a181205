//! Equal nodes become one.
//!
//! ```text
//! %a[i:N] = exp %x[i]
//! %b[j:N] = exp %x[j]
//! %y[i:N] = %a[i] * %b[i]
//! =>
//! %a[i:N] = exp %x[i]
//! %y[i:N] = %a[i] * %a[i]
//! ```
//!
//! The builder does it; conditions and indices are brought to their normal form before. It
//! deliberately does not share a value with its transposed twin.

use super::Pass;
use super::rebuild::rebuild;
use crate::graph::Graph;

/// The pass.
pub(super) const PASS: Pass =
    Pass { name: "cse", summary: "make equal nodes one", run, idle: |_| true, copies: true };

fn run(graph: &Graph) -> Graph {
    rebuild(graph, &|_, _| None)
}
