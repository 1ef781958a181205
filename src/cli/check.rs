//! `ntmc check`: what is wrong with a spec; if nothing is, what it amounts to.

use serde_json::json;

use super::choose::Pick;
use super::input::{chosen, size};
use super::print;
use crate::compile::{self, Stage};
use crate::error::Error;
use crate::graph::{Graph, Op};
use crate::model::Model;
use crate::op::scalar;

/// Check a spec and say what it amounts to
///
/// Prints everything that is wrong, or a summary: parameters, state, interface, work a step.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc check specs/ntm.ntm\n  \
    ntmc check specs/ntm.ntm --train paper --json\n  \
    ntmc check specs/ntm.ntm --set N=64")]
pub(super) struct Args {
    /// The spec; `-` is standard input
    spec: String,
    #[command(flatten)]
    pick: Pick,
    /// Also print notes on what is allowed but perhaps not meant
    #[arg(long)]
    pedantic: bool,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, style: crate::diag::Style) -> Result<(), Error> {
    let (spec, choice, purpose) = chosen(&args.spec, &args.pick.choices())?;
    if args.pedantic && !spec.notes.is_empty() {
        super::note(&spec.render(&spec.notes, style));
    }
    let def = spec.checked.def(choice.model);
    let unbound: Vec<&str> = def
        .dims
        .iter()
        .filter(|dim| dim.default.is_none() && !choice.given.contains_key(&dim.name))
        .map(|dim| dim.name.as_str())
        .collect();
    if purpose.ports.is_none() && !unbound.is_empty() {
        // Nothing says how wide the input is: the definitions are right, sizes are open.
        let list = unbound.join(", ");
        if args.json {
            let object = json!({ "schema": 1, "model": def.name, "open": unbound });
            return print(&format!("{object}\n"));
        }
        let message = format!(
            "{}: right; {list} are open: a `train` block or `--set {}=8` binds them\n",
            def.name, unbound[0]
        );
        return print(&message);
    }
    let model = spec.elaborate(&choice, &purpose)?;
    let program = compile::program(&model, Stage::Step);
    let summary = Summary::of(&model, &program.step);
    if args.json { print(&format!("{}\n", summary.json())) } else { print(&summary.text()) }
}

/// What a model amounts to.
struct Summary<'a> {
    model: &'a Model,
    parameters: u64,
    state: u64,
    interface: u64,
    multiply_adds: u64,
    bytes: u64,
}

impl Summary<'_> {
    fn of<'m>(model: &'m Model, step: &Graph) -> Summary<'m> {
        let points = |axes: &[crate::model::flat::Axis]| {
            axes.iter().map(|axis| u64::from(axis.size)).fold(1u64, u64::saturating_mul)
        };
        let sum = |all: Vec<u64>| all.into_iter().fold(0u64, u64::saturating_add);
        let emitted = model.emissions.iter().filter(|one| one.interface);
        Summary {
            model,
            parameters: sum(model.params.iter().map(|one| points(&one.axes)).collect()),
            state: sum(model.states.iter().map(|one| points(&one.axes)).collect()),
            interface: sum(emitted.map(|one| one.size).collect()),
            multiply_adds: multiply_adds(step),
            bytes: sum(step.ids().map(|id| step.node(id).space.points()).collect())
                .saturating_mul(4),
        }
    }

    fn interface(&self) -> Vec<(String, u64)> {
        let read = self.model.emissions.iter().filter(|one| one.interface);
        read.map(|one| (one.path.clone(), one.size)).collect()
    }

    fn text(&self) -> String {
        let sizes: Vec<String> =
            self.model.sizes.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let rows: Vec<String> =
            self.interface().iter().map(|(path, size)| format!("{path} {size}")).collect();
        let mut text = format!("{}: right\n", self.model.name);
        let mut line = |name: &str, value: String| {
            text.push_str(&format!("  {name:<14} {value}\n"));
        };
        line("sizes", sizes.join(", "));
        line("parameters", format!("{} in {} arrays", self.parameters, self.model.params.len()));
        line("state", format!("{} numbers in {} arrays", self.state, self.model.states.len()));
        line("interface", format!("{} numbers: {}", self.interface, rows.join(", ")));
        line("a step", format!("{} multiply-adds", self.multiply_adds));
        line("", format!("{} for all values in f32", size(self.bytes)));
        text
    }

    fn json(&self) -> String {
        let sizes: serde_json::Map<_, _> =
            self.model.sizes.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let parts: Vec<_> = self
            .interface()
            .into_iter()
            .map(|(path, size)| json!({ "path": path, "size": size }))
            .collect();
        json!({
            "schema": 1,
            "model": self.model.name,
            "sizes": sizes,
            "parameters": self.parameters,
            "state": self.state,
            "interface": { "size": self.interface, "parts": parts },
            "multiply_adds": self.multiply_adds,
            "bytes": self.bytes,
        })
        .to_string()
    }
}

/// Multiplications that a step does, forward: each is at most one multiply-add.
fn multiply_adds(step: &Graph) -> u64 {
    let is_product = |op: &Op| matches!(op, Op::Map(one) if *one == scalar::MUL);
    step.ids()
        .map(|id| step.node(id))
        .filter(|node| is_product(&node.op))
        .map(|node| node.space.points())
        .fold(0, u64::saturating_add)
}
