//! What the verbs need of the compiler, and nothing more.

use crate::diag::Diagnostics;
use crate::error::Error;
use crate::model::train::{TaskCall, TrainBlock};
use crate::model::{flat, train_errors};
use crate::run::{Border, Executable, Precision};
use crate::source::Sources;
use crate::task::{self, Instance};

/// What runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// Node by node, in the order of the graph.
    Interp,
}

impl Backend {
    /// Its name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Backend::Interp => "interp",
        }
    }
}

/// How a spec is to be made ready for training.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// The spec: a path, or `-` for standard input.
    pub spec: String,
    /// Which `train` block; `None`: the first.
    pub train: Option<String>,
    /// A task in place of the block's.
    pub task: Option<String>,
    /// `PATH=VALUE` overrides.
    pub sets: Vec<String>,
    /// The backend.
    pub backend: Backend,
    /// Its floating-point type.
    pub precision: Precision,
    /// Threads; `None`: the backend decides.
    pub threads: Option<usize>,
}

/// A spec ready for training.
pub struct Compiled {
    /// The model, for names and first values of its parameters.
    pub model: flat::Model,
    /// Names and shapes of the program.
    pub border: Border,
    /// The program in its backend, with adjoint and update.
    pub executable: Box<dyn Executable>,
    /// The block.
    pub block: TrainBlock,
    /// Its tasks, resolved: see [`resolve_tasks`].
    pub tasks: Vec<Instance>,
    /// The optimiser's `lr`, its default where the block gives none.
    pub rate: f64,
    /// The elaborated spec as `.ntm`, with its train block.
    pub expanded: String,
    /// The digest of the effective spec, in hexadecimal.
    pub digest: String,
    /// The texts that spans point into.
    pub sources: Sources,
}

/// Looks up the tasks of a block; all lessons of a curriculum must have the same ports.
///
/// # Errors
/// A diagnostic at the call or argument, or a limit.
pub fn resolve_tasks(block: &TrainBlock, sources: &Sources) -> Result<Vec<Instance>, Error> {
    let mut diagnostics = Diagnostics::default();
    let mut found: Vec<Instance> = Vec::new();
    for call in &block.tasks {
        match task::resolve(call) {
            Ok(instance) => {
                if let Some(first) = found.first().filter(|first| first.ports() != instance.ports())
                {
                    let message = format!("`{instance}` does not fit the model of `{first}`");
                    let help = "the lessons of a curriculum have the same inputs and outputs";
                    diagnostics.push(train_errors::task(call.span, &message, Some(help)));
                }
                found.push(instance);
            }
            Err(error) => match error.kind {
                task::ErrorKind::Limit => return Err(Error::Limit(error.message)),
                task::ErrorKind::Wrong => {
                    let span = place(call, error.argument);
                    let help = error.help.as_deref();
                    diagnostics.push(train_errors::task(span, &error.message, help));
                }
            },
        }
    }
    if diagnostics.has_errors() {
        return Err(Error::Spec { diagnostics, sources: Box::new(sources.clone()) });
    }
    Ok(found)
}

fn place(call: &TaskCall, argument: Option<usize>) -> crate::source::Span {
    argument.and_then(|at| call.args.get(at)).map_or(call.span, |arg| arg.span)
}
