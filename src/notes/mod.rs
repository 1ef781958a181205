//! Pedantic notes: what is allowed, and yet seldom meant.
//!
//! In: checked definitions ([`written`]), or a built model with its graphs ([`built`]). Out: diagnostics
//! whose codes begin with `W`. Invariant: no note is an error, and none blames a text that the user
//! did not write. One note is one file; its sentences stand in `errors`.

mod branch;
mod cost;
mod equal;
mod errors;
mod outer;
mod place;
mod reach;
mod symmetry;
mod unused;
mod words;
mod zero;

use crate::diag::Diagnostics;
use crate::graph::Program;
use crate::model::Model;
use crate::model::typed::{Checked, Def, DefId};
use crate::source::{Sources, Span};
use crate::syntax::ast;

pub use equal::equal_for_ever;

/// A checked spec.
#[derive(Clone, Copy)]
pub struct Spec<'a> {
    /// Every text it is made of.
    pub sources: &'a Sources,
    /// Its tree, as written.
    pub file: &'a ast::File,
    /// Its definitions.
    pub checked: &'a Checked,
}

/// One model of it, built.
#[derive(Clone, Copy)]
pub struct Built<'a> {
    /// The definition.
    pub def: DefId,
    /// Its equations.
    pub model: &'a Model,
    /// Its graphs, forward.
    pub program: &'a Program,
}

impl<'a> Spec<'a> {
    /// Definitions that the user wrote.
    fn own(self) -> impl Iterator<Item = (DefId, &'a Def)> {
        let all = self.checked.defs.iter().enumerate();
        all.map(|(at, def)| (DefId(at as u32), def.as_ref()))
            .filter(move |(_, def)| !place::is_std(self.sources, def.span.file))
    }
}

/// Notes on definitions as they are written, whatever the sizes.
#[must_use]
pub fn written(spec: Spec<'_>) -> Diagnostics {
    let mut sink = Diagnostics::default();
    unused::emissions(spec, &mut sink);
    unused::past(spec, &mut sink);
    words::hiding(spec, &mut sink);
    words::undressed(spec, &mut sink);
    branch::branches(spec, &mut sink);
    zero::divisors(spec, &mut sink);
    outer::writes(spec, &mut sink);
    sink
}

/// Notes on a model with all its sizes, besides those on its definitions.
#[must_use]
pub fn built(spec: Spec<'_>, built: Built<'_>) -> Diagnostics {
    let mut sink = Diagnostics::default();
    reach::unreached(spec, built, &mut sink);
    // What only decides gets one message: that nothing teaches it.
    let untaught: Vec<Span> = sink.sorted().into_iter().map(|one| one.primary.span).collect();
    for one in written(spec).sorted() {
        let labels = || one.others.iter().map(|label| label.span);
        if one.code.0 != "W0903" || !labels().any(|span| untaught.contains(&span)) {
            sink.push(one.clone());
        }
    }
    cost::costly(spec, built, &mut sink);
    symmetry::unbroken(spec, built, &mut sink);
    sink
}
