//! `ntmc check`: what is wrong with a spec; if nothing is, what it amounts to.

use serde_json::{Value, json};

use super::choose::Pick;
use super::input::{size, spec as read};
use super::print;
use crate::backend::{Cost, jit};
use crate::claims;
use crate::compile::{self, Choice, Choices, Spec, Stage};
use crate::diag::{self, Style};
use crate::error::Error;
use crate::graph::{Graph, Op, Program};
use crate::model::Model;
use crate::model::typed::DimKind;
use crate::op::scalar;

/// Check specs and say what they amount to
///
/// Prints everything that is wrong, or a summary: parameters, state, interface, work a step.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc check specs/ntm.ntm\n  \
    ntmc check specs/*.ntm --pedantic\n  \
    ntmc check specs/ntm.ntm --train paper --json\n  \
    ntmc check specs/ntm.ntm --set N=64\n  \
    ntmc check model.ntm --format github   # annotations in a GitHub workflow\n\n\
    JSON: one object with `schema` on one line. A spec that is right has `model`, `sizes`,\n\
    `parameters`, `state`, `interface`, `multiply_adds`, `bytes`, `tape`, `digest` and `notes`. One that is\n\
    wrong has `error` with `exit`, `message` and `diagnostics`: each with `code`, `severity`,\n\
    `message`, `help`, `labels` and `edits`. A place has `file`, `line`, `column`, `end_line`, `end_column`\n\
    (from 1, in characters) and `start`, `end` (bytes from 0). Edits together are the help: put\n\
    `text` in place of what stands there. Several specs stand in `specs`, each with its `spec`.")]
pub(super) struct Args {
    /// The specs; `-` is standard input
    #[arg(required = true)]
    specs: Vec<String>,
    #[command(flatten)]
    pick: Pick,
    /// Also print notes on what is allowed but perhaps not meant
    #[arg(long)]
    pedantic: bool,
    /// Exit with 1 if there is a note; implies `--pedantic`
    #[arg(long)]
    deny_notes: bool,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as `--format json`: one object on standard output and nothing else there
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// How what was found is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object for programs
    Json,
    /// Annotations of a GitHub workflow
    Github,
}

/// A spec that is right.
struct Right {
    spec: Spec,
    text: String,
    json: Value,
}

pub(super) fn run(args: &Args, style: Style) -> Result<(), Error> {
    let format = if args.json { Format::Json } else { args.format };
    let (mut objects, mut wrong, mut noted) = (Vec::new(), Vec::new(), 0);
    for path in &args.specs {
        let found = one(path, args);
        let notes = match &found {
            Ok(right) if args.pedantic() => Some((&right.spec.notes, &right.spec.sources)),
            Ok(_) | Err(_) => None,
        };
        match format {
            Format::Text => {
                if let Some((notes, sources)) = notes {
                    super::note(&diag::render(notes, sources, style));
                }
                match &found {
                    Ok(right) => print(&right.text)?,
                    Err(error) => super::note(&error.render(style)),
                }
            }
            Format::Json => {
                objects.push(object(path, &found));
                if let Err(error) = &found {
                    super::note(&error.render(style));
                }
            }
            Format::Github => {
                if let Some((notes, sources)) = notes {
                    print(&diag::github(notes, sources))?;
                }
                if let Err(error) = &found {
                    print(&annotations(error))?;
                }
            }
        }
        noted += notes.map_or(0, |(notes, _)| notes.sorted().len());
        wrong.extend(found.err().map(|error| error.exit_code()));
    }
    if format == Format::Json {
        let object = match &mut objects[..] {
            [one] => one.take(),
            all => json!({ "schema": 1, "specs": all }),
        };
        print(&format!("{object}\n"))?;
    }
    if noted > 0 && args.deny_notes && wrong.is_empty() {
        let notes = if noted == 1 { "1 note".to_owned() } else { format!("{noted} notes") };
        super::note(&format!("{notes}, and notes are denied\n"));
        return Err(Error::Told(1));
    }
    let Some(exit) = wrong.iter().max() else { return Ok(()) };
    if args.specs.len() > 1 && format == Format::Text {
        super::note(&format!("{} of {} specs are wrong\n", wrong.len(), args.specs.len()));
    }
    Err(Error::Told(*exit))
}

impl Args {
    fn pedantic(&self) -> bool {
        self.pedantic || self.deny_notes
    }
}

/// What was found as an object.
fn object(path: &str, found: &Result<Right, Error>) -> Value {
    let mut object = match found {
        Ok(right) => right.json.clone(),
        Err(error) => error.json(),
    };
    object["spec"] = json!(path);
    object
}

/// An error as annotations.
fn annotations(error: &Error) -> String {
    match error {
        Error::Spec { diagnostics, sources } => diag::github(diagnostics, sources),
        Error::Check(_)
        | Error::Usage(_)
        | Error::Limit(_)
        | Error::File { .. }
        | Error::Interrupted(_)
        | Error::Told(_)
        | Error::Closed => diag::github_plain(&error.render(Style::Plain)),
    }
}

/// A file of definitions alone: they have been checked when it was read.
fn module(path: &str, mut spec: Spec, args: &Args) -> Right {
    let count = spec.file.items.len();
    let text = format!("{path}: {}, right\n", counted(count as u64, "definition"));
    let json = json!({ "schema": 1, "definitions": count });
    if args.pedantic() {
        spec.notes = spec.pedantic(None);
    }
    Right { text, json, spec }.with_notes()
}

/// A line of the summary.
fn row(name: &str, value: &str) -> String {
    format!("  {name:<14} {value}\n")
}

/// A number with its noun.
fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Checks the model, task, settings and optimiser of every training block, not only of the chosen one.
fn every_block(spec: &mut Spec) -> Result<(), Error> {
    let named = spec.checked.trains.iter().map(|train| train.name.as_ref());
    let names: Vec<Option<String>> = named.map(|name| name.map(|one| one.text.clone())).collect();
    for (at, train) in names.into_iter().enumerate() {
        // A block without a name can be chosen only where it is the first.
        if train.is_none() && at > 0 {
            continue;
        }
        let choice = spec.choose(&Choices { train, ..Choices::default() })?;
        let block = spec.block(&choice)?;
        compile::resolve_tasks(&block, &spec.sources)?;
        spec.optimiser(&block, 1)?;
        if !block.freeze.is_empty() || block.clip_backward.is_some() {
            let purpose = spec.purpose(&choice)?;
            let mut model = spec.elaborate(&choice, &purpose)?;
            spec.clip_backward(&block, &mut model)?;
            let params: Vec<&str> = model.params.iter().map(|param| param.path.as_str()).collect();
            let wrong = block.unknown_frozen(&params);
            if !wrong.is_empty() {
                return Err(compile::failure(wrong, spec.sources.clone()));
            }
        }
    }
    Ok(())
}

/// Checks one spec.
fn one(path: &str, args: &Args) -> Result<Right, Error> {
    let choices = args.pick.choices();
    let mut spec = read(path)?;
    let definitions = spec.checked.models.is_empty() && spec.checked.trains.is_empty();
    if definitions && choices == Choices::default() {
        return Ok(module(path, spec, args));
    }
    every_block(&mut spec)?;
    let choice = spec.choose(&choices)?;
    let purpose = spec.purpose(&choice)?;
    let def = spec.checked.def(choice.model);
    let unbound: Vec<&str> = def
        .dims
        .iter()
        .filter(|dim| dim.default.is_none() && !choice.given.contains_key(&dim.name))
        // The length of a list is that of the list.
        .filter(|dim| {
            let is = |list: &DimKind| {
                matches!(list, DimKind::List(of) if def.dims[of.0 as usize].name == dim.name)
            };
            !def.dims.iter().any(|list| is(&list.kind))
        })
        .map(|dim| dim.name.as_str())
        .collect();
    if purpose.ports.is_none() && !unbound.is_empty() {
        // Nothing says how wide the input is: the definitions are right, sizes are open.
        let list = unbound.join(", ");
        let text = format!(
            "{}: right; {list} are open: a `train` block or `--set {}=8` binds them\n",
            def.name, unbound[0]
        );
        let json = json!({ "schema": 1, "model": def.name, "open": unbound });
        if args.pedantic() {
            spec.notes = spec.pedantic(None);
        }
        return Ok(Right { text, json, spec }.with_digest(&choice).with_notes());
    }
    let (model, claims) = spec.elaborate_with_claims(&choice, &purpose)?;
    let verdicts = claims::decide(&model, &claims, claims::Effort::QUICK);
    let refuted = claims::refuted(&claims, &verdicts);
    if !refuted.is_empty() {
        return Err(compile::failure(refuted, spec.sources.clone()));
    }
    let program = compile::program(&model, Stage::Step);
    let mut summary = Summary::of(&model, &program.step);
    summary.proved = verdicts.iter().filter(|one| **one == claims::Verdict::Proved).count();
    summary.open = verdicts.len() - summary.proved;
    if purpose.ports.is_some() {
        let model = compile::with_loss(&spec, &choice, &purpose)?;
        summary.tape = Some(Tape::of(&compile::program(&model, Stage::Opt)));
    }
    let (text, json) = (summary.text(), summary.json());
    if args.pedantic() {
        spec.notes = spec.pedantic(Some((choice.model, &model, &program)));
    }
    Ok(Right { text, json, spec }.with_digest(&choice).with_notes())
}

impl Right {
    /// With the digest of the effective spec, by which `run.ron` and checkpoints know it.
    fn with_digest(mut self, choice: &Choice) -> Right {
        let (digest, _) = self.spec.effective(choice);
        self.text += &row("digest", &digest);
        self.json["digest"] = json!(digest);
        self
    }

    /// With the notes in the object, too.
    fn with_notes(mut self) -> Right {
        self.json["notes"] = json!(diag::json(&self.spec.notes, &self.spec.sources));
        self
    }
}

/// What a model amounts to.
struct Summary<'a> {
    model: &'a Model,
    parameters: u64,
    state: u64,
    interface: u64,
    multiply_adds: u64,
    bytes: u64,
    /// Claims that surely hold, and those for `ntmc test` to try.
    proved: usize,
    open: usize,
    /// What training keeps, where it is known what a model is trained on.
    tape: Option<Tape>,
}

/// Bytes of the forward sweep for the backward sweep, a sequence and time step, in single precision.
#[derive(Clone, Copy)]
struct Tape {
    /// Kept by machine code.
    kept: u64,
    /// Of the values that the backward sweep reads.
    read: u64,
}

impl Tape {
    fn of(program: &Program) -> Tape {
        let kept = jit::counts(program).tape as u64;
        Tape { kept, read: Cost::of(program, true).kept.saturating_mul(4) }
    }
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
            proved: 0,
            open: 0,
            tape: None,
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
            text.push_str(&row(name, &value));
        };
        let arrays = |all: usize| counted(all as u64, "array");
        let numbers = |all| counted(all, "number");
        if !sizes.is_empty() {
            line("sizes", sizes.join(", "));
        }
        line("parameters", format!("{} in {}", self.parameters, arrays(self.model.params.len())));
        line("state", format!("{} in {}", numbers(self.state), arrays(self.model.states.len())));
        if !rows.is_empty() {
            line("interface", format!("{}: {}", numbers(self.interface), rows.join(", ")));
        }
        line("a step", counted(self.multiply_adds, "multiply-add"));
        line("", format!("{} for all values in f32", size(self.bytes)));
        if let Some(Tape { kept, read }) = self.tape {
            let (kept, read) = (size(kept), size(read));
            line(
                "training",
                format!("keeps {kept} a sequence and time step; its backward sweep reads {read}"),
            );
        }
        match (self.proved, self.open) {
            (0, 0) => {}
            (proved, 0) => line("claims", format!("{proved} proved")),
            (proved, open) => {
                line("claims", format!("{proved} proved, {open} open: `ntmc test` tries them"));
            }
        }
        text
    }

    fn json(&self) -> Value {
        let sizes: serde_json::Map<_, _> =
            self.model.sizes.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let parts: Vec<_> = self
            .interface()
            .into_iter()
            .map(|(path, size)| json!({ "path": path, "size": size }))
            .collect();
        let mut all = json!({
            "schema": 1,
            "model": self.model.name,
            "sizes": sizes,
            "parameters": self.parameters,
            "state": self.state,
            "interface": { "size": self.interface, "parts": parts },
            "multiply_adds": self.multiply_adds,
            "bytes": self.bytes,
            "claims": { "proved": self.proved, "open": self.open },
        });
        if let Some(Tape { kept, read }) = self.tape {
            all["tape"] = json!({ "bytes": kept, "adjoint_reads_bytes": read });
        }
        all
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
