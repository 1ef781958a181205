//! The corridor on one screen: text in, a program out, every stage to look at on the way.
//!
//! In: a spec as a [`Source`] and a [`Library`] for the modules beside it. Out: a [`Spec`] (checked), a
//! flat [`Model`] (elaborated), a [`Program`] (graphs). Invariant: what can be wrong with a spec is
//! said before a `Program` exists; nothing after that fails because of the spec.

mod effective;
mod overrides;
mod stage;
mod training;
mod tree;

use crate::diag::{Diagnostics, Style, render};
use crate::error::Error;
use crate::grad::{Seed, SeedFrom, Wanted, differentiate};
use crate::graph::{Graph, Leaf, Program, Update, canonical};
use crate::lower::{lower, lower_update};
use crate::model::claim::Claims;
use crate::model::library::Library;
use crate::model::train::{self, TrainBlock};
use crate::model::typed::{Checked, DefId};
use crate::model::{self, Loss, Model, Ports, Setting};
use crate::notes;
use crate::opt;
use crate::passes::timed;
use crate::source::{Source, Sources};
use crate::syntax::{self, ast};

pub use stage::{Format, Stage, ir, program, show, stage, with_loss};
pub use training::{Training, resolve_tasks};
pub use tree::tree_dot;

/// What may be given besides a spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Which model, by name; `None`: that of the train block, or the last of the file.
    pub model: Option<String>,
    /// Which train block, by name; `None`: the first.
    pub train: Option<String>,
    /// A task in place of the train block's.
    pub task: Option<String>,
    /// `PATH=VALUE` overrides.
    pub sets: Vec<String>,
}

/// A checked spec.
pub struct Spec {
    /// Every text it is made of.
    pub sources: Sources,
    /// Its tree, as written.
    pub file: ast::File,
    /// Its definitions.
    pub checked: Checked,
    /// Pedantic notes.
    pub notes: Diagnostics,
}

/// What a model is elaborated for.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// What a task binds.
    pub ports: Option<Ports>,
    /// The loss.
    pub loss: Loss,
    /// Whether every equation is built, read or not.
    pub everything: bool,
    /// Whether a definition is built without a caller: what it would emit, or be given, is an input.
    pub alone: bool,
    /// Sizes, numbers and switches by name.
    pub given: Vec<(String, model::Given)>,
}

/// The chosen parts of a spec: its model, and its train block with every override.
pub struct Choice {
    /// The model.
    pub model: DefId,
    /// The train block as written, overridden.
    pub train: Option<ast::Train>,
    /// Overrides of the model's dims, numbers and emissions.
    pub given: std::collections::BTreeMap<String, (model::Given, model::Place)>,
}

impl Spec {
    /// Reads and checks a spec.
    ///
    /// # Errors
    /// Everything wrong with it, in one go.
    pub fn read(source: Source, library: &dyn Library) -> Result<Spec, Error> {
        let mut sources = Sources::default();
        let id = sources.add(source);
        let mut sink = Diagnostics::default();
        let file = timed("parse", || deep(|| syntax::parse(&sources, id, &mut sink)));
        let Some(file) = file.filter(|_| !sink.has_errors()) else {
            return Err(failure(sink, sources));
        };
        let checked =
            timed("check", || deep(|| model::check(&file, library, &mut sources, &mut sink)));
        for block in &checked.trains {
            train::check(block, &mut sink);
        }
        if sink.has_errors() {
            return Err(failure(sink, sources));
        }
        Ok(Spec { sources, file, checked, notes: sink })
    }

    /// The model and train block that are meant, with every override applied.
    ///
    /// # Errors
    /// A name that is not there, or an override that fits nothing.
    pub fn choose(&mut self, choices: &Choices) -> Result<Choice, Error> {
        let mut sink = Diagnostics::default();
        let choice = overrides::choose(self, choices, &mut sink);
        match choice {
            Some(choice) if !sink.has_errors() => Ok(choice),
            _ => Err(failure(sink, self.sources.clone())),
        }
    }

    /// The checked train block of a choice.
    ///
    /// # Errors
    /// What an override broke, or that there is no block.
    pub fn block(&self, choice: &Choice) -> Result<TrainBlock, Error> {
        let Some(tree) = &choice.train else {
            let name = &self.checked.def(choice.model).name;
            let help = "add `train NAME: MODEL on TASK { optimizer = ... steps = ... }`";
            return Err(Error::Check(format!("`{name}` has no train block\nhelp: {help}")));
        };
        let mut sink = Diagnostics::default();
        let block = train::check(tree, &mut sink);
        block.ok_or_else(|| failure(sink, self.sources.clone()))
    }

    /// Spells out the chosen model.
    ///
    /// # Errors
    /// What is wrong with it at these sizes.
    pub fn elaborate(&self, choice: &Choice, purpose: &Purpose) -> Result<Model, Error> {
        self.elaborate_with_claims(choice, purpose).map(|(model, _)| model)
    }

    /// The same with everything that is claimed of the model.
    ///
    /// # Errors
    /// What is wrong with it at these sizes.
    pub fn elaborate_with_claims(
        &self,
        choice: &Choice,
        purpose: &Purpose,
    ) -> Result<(Model, Claims), Error> {
        let mut given = choice.given.clone();
        for (name, value) in &purpose.given {
            given
                .entry(name.clone())
                .or_insert((value.clone(), self.checked.def(choice.model).span.into()));
        }
        let setting = Setting {
            given,
            ports: purpose.ports.clone(),
            loss: purpose.loss.clone(),
            everything: purpose.everything,
            alone: purpose.alone,
        };
        let mut sink = Diagnostics::default();
        // Families built in order recurse as deep as they are long.
        let model = timed("elaborate", || {
            deep(|| model::elaborate_with_claims(&self.checked, choice.model, &setting, &mut sink))
        });
        model.ok_or_else(|| failure(sink, self.sources.clone()))
    }

    /// The optimiser of a block as a model over that many parameters, and its learning rate.
    ///
    /// # Errors
    /// An unknown optimiser or argument.
    pub fn optimiser(&self, block: &TrainBlock, size: u32) -> Result<(Model, f64), Error> {
        let call = &block.optimiser;
        let args: Vec<_> =
            call.args.iter().map(|arg| (arg.name.clone(), arg.value, arg.span)).collect();
        let mut sink = Diagnostics::default();
        let name = (call.name.as_str(), call.span);
        let model = timed("elaborate", || {
            deep(|| model::elaborate_optimiser(&self.checked, name, &args, size, &mut sink))
        });
        let rate = model::learning_rate(&self.checked, &call.name, &args);
        match (model, rate) {
            (Some(model), Some(rate)) => Ok((model, rate)),
            _ => Err(failure(sink, self.sources.clone())),
        }
    }

    /// Everything pedantic: notes on what is written, and on a built model with its forward graphs, if
    /// there is one.
    #[must_use]
    pub fn pedantic(&self, built: Option<(DefId, &Model, &Program)>) -> Diagnostics {
        let spec = notes::Spec { sources: &self.sources, file: &self.file, checked: &self.checked };
        let mut all = self.notes.clone();
        all.extend(match built {
            Some((def, model, program)) => notes::built(spec, notes::Built { def, model, program }),
            None => notes::written(spec),
        });
        all
    }

    /// The digest of the effective spec and the text of it, ready to be read again.
    #[must_use]
    pub fn effective(&self, choice: &Choice) -> (String, String) {
        let text = effective::text(self, choice);
        (effective::digest(self, choice, &text), text)
    }

    /// What is wrong, drawn.
    #[must_use]
    pub fn render(&self, diagnostics: &Diagnostics, style: Style) -> String {
        render(diagnostics, &self.sources, style)
    }
}

/// Graphs of a model, forward only.
#[must_use]
pub fn forward(model: &Model) -> Program {
    timed("lower", || deep(|| lower(model)))
}

/// Every graph in canonical order: the adjoint pass adds in the order of the nodes, and text reads best.
fn ordered(program: Program) -> Program {
    let Program { params, inputs, states, init, step, update } = program;
    Program { params, inputs, states, init: canonical(init), step: canonical(step), update }
}

/// Adds the adjoints of the loss with respect to parameters, inputs and first states.
#[must_use]
pub fn with_adjoints(program: Program) -> Program {
    timed("differentiate", || deep(|| adjoints(program)))
}

fn adjoints(program: Program) -> Program {
    let Program { params, inputs, states, init, step, update } = program;
    let leaf = |root: String, at: usize| Seed { root, from: SeedFrom::Leaf(at as u32) };
    let mut seeds = vec![Seed { root: "loss".to_owned(), from: SeedFrom::One }];
    let next =
        states.iter().enumerate().map(|(at, state)| leaf(format!("next/{}", state.path), at));
    seeds.extend(next);
    let wanted = |kind: &str, array: &crate::graph::Array, leaf: Leaf| Wanted {
        leaf,
        sizes: array.sizes.clone(),
        root: format!("grad/{kind}/{}", array.path),
    };
    let of_params = || {
        params.iter().enumerate().map(|(at, array)| wanted("param", array, Leaf::Param(at as u32)))
    };
    let mut all: Vec<Wanted> = of_params().collect();
    let real = |array: &crate::graph::Array| array.ty == crate::graph::Type::Real;
    for (at, array) in inputs.iter().enumerate().filter(|(_, array)| real(array)) {
        all.push(wanted("input", array, Leaf::Input(at as u32)));
    }
    for (at, array) in states.iter().enumerate().filter(|(_, array)| real(array)) {
        all.push(wanted("prev", array, Leaf::Prev(at as u32)));
    }
    let step = differentiate(step, &seeds, &all);
    let starts: Vec<Seed> = states
        .iter()
        .enumerate()
        .map(|(at, state)| leaf(format!("start/{}", state.path), at))
        .collect();
    let init = differentiate(init, &starts, &of_params().collect::<Vec<_>>());
    ordered(Program { params, inputs, states, init, step, update })
}

/// The same program with less work in it.
#[must_use]
pub fn optimised(program: Program) -> Program {
    timed("simplify", || deep(|| optimise(program)))
}

fn optimise(program: Program) -> Program {
    let better = |graph: Graph| canonical(opt::optimise(graph));
    let Program { params, inputs, states, init, step, update } = program;
    let update = update.map(|update| Update {
        graph: better(update.graph),
        init: better(update.init),
        ..update
    });
    Program { params, inputs, states, init: better(init), step: better(step), update }
}

/// Adds an optimiser.
#[must_use]
pub fn with_optimiser(mut program: Program, optimiser: &Model) -> Program {
    let Update { graph, inputs, slots, init } = lower_update(optimiser);
    let (graph, init) = (canonical(graph), canonical(init));
    program.update = Some(Update { graph, inputs, slots, init });
    program
}

/// Everything wrong with a spec as an error.
pub(crate) fn failure(diagnostics: Diagnostics, sources: Sources) -> Error {
    Error::Spec { diagnostics, sources: Box::new(sources) }
}

/// Bytes of stack for rooms that recurse as deep as values depend on each other.
const STACK_BYTES: usize = 1 << 30;

/// Runs with a stack deep enough for what the limits of the checker allow. Where the system gives no
/// such stack, the caller's has to do.
fn deep<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    let slot = std::sync::Mutex::new(Some(run));
    let take = || {
        let run = slot.lock().ok().and_then(|mut slot| slot.take());
        run.expect("it runs once")()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        match thread.spawn_scoped(scope, take) {
            Ok(thread) => match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            Err(_) => take(),
        }
    })
}
