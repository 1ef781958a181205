//! The plan of a training step, to look at.
//!
//! In: a program. Out: lines that say what is held where, and what each function does. Invariant: what is
//! shown is what [`Compiled`](super::plan::Compiled) is made of.

use std::fmt::Write;

use crate::backend::phase::{Phase, Wanted, wanted_of_step};
use crate::graph::{Graph, Leaf, NodeId, Op, Program};

use super::held::tiled;
use super::layout::{Layout, Region, layout};
use super::product::of_node;

/// Numbers of a plan in single precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Functions run at a step, forward and backward.
    pub functions: usize,
    /// Of these, sums of products.
    pub products: usize,
    /// Of these, functions of whole arrays.
    pub arrays: usize,
    /// Gradients that are computed once all steps are done.
    pub late: usize,
    /// Bytes of what is the same for all steps and sequences.
    pub fixed: usize,
    /// Bytes of the tape a step and sequence.
    pub tape: usize,
    /// Bytes a sequence of what every step overwrites.
    pub work: usize,
}

/// Bytes of a number in single precision.
const BYTES: usize = 4;

struct Look<'g> {
    graph: &'g Graph,
    layout: Layout,
    wanted: Wanted,
}

impl<'g> Look<'g> {
    fn new(program: &'g Program) -> Look<'g> {
        let gradients = program.step.roots.iter().any(|(path, _)| path.0.starts_with("grad/"));
        let wanted = wanted_of_step(program, &["y".to_owned()], gradients);
        Look { graph: &program.step, layout: layout(&program.step, &wanted, true), wanted }
    }

    /// The functions of a phase.
    fn functions(&self, phase: Phase) -> Vec<NodeId> {
        let runs = |id: &NodeId| {
            let node = self.graph.node(*id);
            self.layout.phases[id.0 as usize] == Some(phase)
                && self.layout.slot(*id).is_some()
                && node.space.points() > 0
                && (!matches!(node.op, Op::Leaf(_)) || self.is_number(*id))
        };
        self.graph.ids().filter(runs).collect()
    }

    fn is_number(&self, id: NodeId) -> bool {
        matches!(self.graph.node(id).op, Op::Leaf(Leaf::Const(_) | Leaf::Axis(_)))
    }

    /// What a function does.
    fn kind(&self, id: NodeId) -> String {
        let node = self.graph.node(id);
        if let Some(function) = tiled(self.graph, id, true) {
            return format!("{} of the whole array", function.row().name);
        }
        match &node.op {
            Op::Leaf(_) => "number".to_owned(),
            Op::Map(function) => format!("loop, {} last", function.row().name),
            Op::Reduce { fold, over, .. } => {
                let fold = format!("{fold:?}").to_lowercase();
                let product = self.is_product(id);
                let kind = if product { "product, sum" } else { &fold };
                format!("{kind} over {over:?}")
            }
            Op::Recur { .. } => "recurrence".to_owned(),
            Op::Join => "join".to_owned(),
            Op::Opaque { op, .. } => format!("{op:?}").to_lowercase(),
        }
    }

    fn is_product(&self, id: NodeId) -> bool {
        of_node(self.graph, &|id| self.layout.slot(id).is_some(), id).is_some()
    }

    fn line(&self, text: &mut String, number: usize, id: NodeId) {
        let node = self.graph.node(id);
        let place = match self.layout.slot(id).map(|slot| slot.region) {
            Some(Region::Fixed) => "fixed",
            Some(Region::Tape | Region::Before) => "tape",
            Some(Region::Arriving | Region::Leaving) => "step before",
            Some(Region::Work) | None => "work",
        };
        let shape = format!("{:?}", node.space.sizes);
        let path = &node.origin.path;
        let _ = writeln!(text, "  {number:>4} {path}{shape}: {} -> {place}", self.kind(id));
    }

    fn counts(&self) -> Counts {
        let steps: Vec<NodeId> =
            [Phase::Forward, Phase::Backward].into_iter().flat_map(|p| self.functions(p)).collect();
        let sums = self.wanted.sums.len() - self.layout.sums.len();
        let tiled = |id: &&NodeId| tiled(self.graph, **id, true).is_some();
        Counts {
            functions: steps.len() + sums,
            products: steps.iter().filter(|id| self.is_product(**id)).count(),
            arrays: steps.iter().filter(tiled).count(),
            late: self.layout.sums.len(),
            fixed: self.layout.fixed * BYTES,
            tape: self.layout.tape * BYTES,
            work: (self.layout.work + 2 * self.layout.seeds) * BYTES,
        }
    }
}

/// The numbers of the plan of a training step in single precision.
#[must_use]
pub fn counts(program: &Program) -> Counts {
    Look::new(program).counts()
}

/// The plan of a training step in single precision.
#[must_use]
pub fn describe(program: &Program) -> String {
    let look = Look::new(program);
    let mut text = look.counts().to_string();
    let mut number = 0;
    for (title, phase) in [
        ("once for all", Phase::Constant),
        ("once for these parameters", Phase::Params),
        ("forward, at every step", Phase::Forward),
        ("backward, at every step", Phase::Backward),
    ] {
        let functions = look.functions(phase);
        if functions.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}:");
        for id in functions {
            look.line(&mut text, number, id);
            number += 1;
        }
    }
    let late = |name: &str| look.layout.sums.iter().any(|(own, _)| own == name);
    let each = look.wanted.sums.keys().filter(|name| !late(name));
    for (title, names) in [
        ("added to a gradient at every step", each.cloned().collect::<Vec<_>>()),
        (
            "once after the last step, over all steps and sequences",
            look.layout.sums.iter().map(|(name, _)| name.clone()).collect(),
        ),
    ] {
        if !names.is_empty() {
            let _ = writeln!(text, "{title}:");
        }
        for name in names {
            let sizes = look.graph.root(&name).map_or(&[][..], |read| &read.sizes);
            let _ = writeln!(text, "       {name}{sizes:?}");
        }
    }
    text
}

impl std::fmt::Display for Counts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { functions, products, arrays, late, fixed, tape, work } = self;
        writeln!(
            out,
            "{functions} functions a step: {products} products, {arrays} functions of whole arrays, \
             {} loops; {late} gradients in the end",
            functions - products - arrays
        )?;
        writeln!(
            out,
            "{fixed} bytes for all, {tape} bytes of tape a step and sequence, {work} bytes of work a \
             sequence"
        )
    }
}
