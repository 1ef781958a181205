//! The plan of a training step, to look at.
//!
//! In: a program. Out: lines that say what is held where, and what each function does. Invariant: what is
//! shown is what [`Compiled`](super::plan::Compiled) is made of.

use std::fmt::Write;

use crate::backend::phase::{Phase, Wanted, wanted_of_step};
use crate::graph::{Graph, NodeId, Op, Program};

use super::code::{Code, Group, probe};
use super::forks::{Fork, WORTH, Walk};
use super::fuse::{Fused, Role};
use super::held::tiled;
use super::layout::{Layout, Region, layout};
use super::make::{Listing, Task};
use super::plan::Lists;
use super::product::of_node;
use super::turn::arranged;

/// Numbers of a plan in single precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Functions run at a step, forward and backward.
    pub functions: usize,
    /// Of these, sums of products.
    pub products: usize,
    /// Of these, functions of whole arrays.
    pub arrays: usize,
    /// Of these, loops that compute several values.
    pub fused: usize,
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

struct Look {
    graph: Graph,
    layout: Layout,
    wanted: Wanted,
    tasks: [Vec<Task>; 4],
}

/// The phases, as they are told.
const PHASES: [(&str, Phase); 4] = [
    ("once for all", Phase::Constant),
    ("once for these parameters", Phase::Params),
    ("forward, at every step", Phase::Forward),
    ("backward, at every step", Phase::Backward),
];

impl Look {
    fn new(program: &Program) -> Look {
        let gradients = program.step.roots.iter().any(|(path, _)| path.0.starts_with("grad/"));
        let wanted = wanted_of_step(program, &["y".to_owned()], gradients);
        let turned = arranged(&program.step);
        let layout = layout(&turned.graph, &wanted, true);
        let Lists { tasks, .. } = Lists::of(&turned, &layout, &wanted);
        Look { graph: turned.graph, layout, wanted, tasks }
    }

    /// The functions of a phase, but for those that add to gradients.
    fn functions(&self, phase: Phase) -> Vec<&Task> {
        self.tasks[phase as usize].iter().filter(|task| !matches!(task, Task::Sum(..))).collect()
    }

    /// What a function does.
    fn kind(&self, id: NodeId) -> String {
        let node = self.graph.node(id);
        if let Some(function) = tiled(&self.graph, id, true) {
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
        of_node(&self.graph, &|id| self.layout.strides(&self.graph, id), id).is_some()
    }

    fn line(&self, text: &mut String, number: usize, task: &Task) {
        let _ = match task {
            Task::Node(id) => writeln!(text, "  {number:>4} {}", self.value(*id, &self.kind(*id))),
            Task::Sum(..) => writeln!(text, "  {number:>4} added to a gradient"),
            Task::Fused(at) => {
                let Fused { rows, cols, members, .. } = &self.layout.fused[*at];
                let _ = writeln!(text, "  {number:>4} one pass over {rows} rows of {cols}:");
                for member in members {
                    let kind = match member.role {
                        Role::Point => "point by point",
                        Role::Row => "row by row",
                        Role::Column => "column by column",
                    };
                    let _ = writeln!(text, "         {}", self.value(member.node, kind));
                }
                Ok(())
            }
        };
    }

    fn value(&self, id: NodeId, kind: &str) -> String {
        let node = self.graph.node(id);
        let place = match self.layout.slot(id).map(|slot| slot.region) {
            _ if self.layout.standing().any(|(one, _)| one == id) => "step before, in place",
            Some(Region::Fixed) => "fixed",
            Some(Region::Tape | Region::Before) => "tape",
            Some(Region::Arriving | Region::Leaving) => "step before",
            Some(Region::Work) => "work",
            None => "register",
        };
        format!("{}{:?}: {kind} -> {place}", node.origin.path, node.space.sizes)
    }

    /// What two threads run at once, where a second one has nothing else to do; functions are numbered from `first` on.
    fn forks(&self, text: &mut String, first: usize, phase: Phase) {
        let tasks = &self.tasks[phase as usize];
        let walk = match phase {
            Phase::Forward | Phase::Backward => {
                Walk::shared(&self.graph, &self.layout, (tasks, 0..tasks.len()), WORTH)
            }
            Phase::Constant | Phase::Params => return,
        };
        for Fork { own, other } in &walk.forks {
            let [own, other] = [own, other].map(|part| {
                let numbers = walk.order[part.clone()].iter().map(|at| (first + at).to_string());
                numbers.collect::<Vec<_>>().join(", ")
            });
            let _ = writeln!(text, "       a second thread may run {other} beside {own}");
        }
    }

    fn counts(&self) -> Counts {
        let tasks: Vec<&Task> =
            [Phase::Forward, Phase::Backward].into_iter().flat_map(|p| self.functions(p)).collect();
        let node = |task: &&Task| match task {
            Task::Node(id) => Some(*id),
            Task::Fused(_) | Task::Sum(..) => None,
        };
        let steps: Vec<NodeId> = tasks.iter().filter_map(node).collect();
        let sums = self.tasks.iter().flatten().filter(|task| matches!(task, Task::Sum(..))).count();
        let tiled = |id: &&NodeId| tiled(&self.graph, **id, true).is_some();
        let work = self.layout.work.saturating_add(self.layout.seeds.saturating_mul(2));
        Counts {
            functions: tasks.len() + sums,
            products: steps.iter().filter(|id| self.is_product(**id)).count(),
            arrays: steps.iter().filter(tiled).count(),
            fused: self.layout.fused.len(),
            late: self.layout.sums.len(),
            fixed: self.layout.fixed.saturating_mul(BYTES),
            tape: self.layout.tape.saturating_mul(BYTES),
            work: work.saturating_mul(BYTES),
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
    for (title, phase) in PHASES {
        let functions = look.functions(phase);
        if functions.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}:");
        look.forks(&mut text, number, phase);
        for task in functions {
            look.line(&mut text, number, task);
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

/// The functions of a training step in single precision, as they are compiled for groups of that many
/// sequences.
///
/// # Errors
/// Why this machine cannot run machine code made for it.
pub fn list(program: &Program, listing: Listing, samples: usize) -> Result<String, String> {
    probe()?;
    let look = Look::new(program);
    let [constants, params, forward, backward] = &look.tasks;
    let fixed = Group { samples: 1, writes_fixed: true };
    let group = Group { samples, writes_fixed: false };
    let mut text = String::new();
    let mut number = 0;
    for (tasks, group) in
        [([&constants[..], params].concat(), fixed), ([&forward[..], backward].concat(), group)]
    {
        let all = Code::listing::<f32>(&look.graph, &look.layout, &tasks, group, listing);
        for (task, code) in tasks.iter().zip(all) {
            look.line(&mut text, number, task);
            text.push_str(&code);
            text.push('\n');
            number += 1;
        }
    }
    Ok(text)
}

impl std::fmt::Display for Counts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { functions, products, arrays, fused, late, fixed, tape, work } = self;
        writeln!(
            out,
            "{functions} functions a step: {products} products, {arrays} functions of whole arrays, \
             {fused} passes for several values, {} loops; {late} gradients in the end",
            functions - products - arrays - fused
        )?;
        writeln!(
            out,
            "{fixed} bytes for all, {tape} bytes of tape a step and sequence, {work} bytes of work a \
             sequence"
        )
    }
}
