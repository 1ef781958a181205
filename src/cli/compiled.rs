//! What the verbs need of the compiler, and nothing more.

use crate::model::flat;
use crate::model::train::TrainBlock;
use crate::run::{Border, Executable, Precision};
use crate::source::Sources;
use crate::task::Instance;

use super::backend::Backend;

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
    /// Its tasks, resolved.
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
