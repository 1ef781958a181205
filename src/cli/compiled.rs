//! What the verbs need of the compiler, and nothing more.

use crate::backend::{Budget, Cost};
use crate::compile::{Choices, Training};
use crate::error::Error;
use crate::graph::Program;
use crate::model::flat;
use crate::model::train::TrainBlock;
use crate::run::{Border, Precision, Trainable};
use crate::source::Sources;
use crate::task::Instance;

use super::backend::Backend;
use super::input;

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
    /// The most bytes that training may take; `None`: those that are free.
    pub memory: Option<u64>,
}

/// A spec ready for training.
pub struct Compiled {
    /// The model, for names and first values of its parameters.
    pub model: flat::Model,
    /// Names and shapes of the program.
    pub border: Border,
    /// The program, to look at numbers that go bad.
    pub program: Program,
    /// The program in its backend, with adjoint and update.
    pub executable: Box<dyn Trainable>,
    /// The block.
    pub block: TrainBlock,
    /// Its tasks, resolved.
    pub tasks: Vec<Instance>,
    /// The optimiser's `lr`, its default where the block gives none.
    pub rate: f64,
    /// The elaborated spec as `.ntm`, with its train block.
    pub expanded: String,
    /// Modules that lie beside the spec, with their texts.
    pub modules: Vec<(String, String)>,
    /// The digest of the effective spec, in hexadecimal.
    pub digest: String,
    /// The texts that spans point into.
    pub sources: Sources,
    /// What it costs on paper.
    pub cost: Cost,
    /// How it fits into memory.
    pub budget: Budget,
    /// Time steps of the longest sequence.
    pub steps: usize,
}

/// Sizes of a step in place of what the train block says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    /// Sequences a step.
    pub(super) batch: Option<u32>,
    /// Time steps of a sequence.
    pub(super) steps: Option<u32>,
}

impl CompileOptions {
    /// What to take of the spec.
    pub(super) fn choices(&self) -> Choices {
        Choices {
            model: None,
            train: self.train.clone(),
            task: self.task.clone(),
            sets: self.sets.clone(),
        }
    }

    /// Threads: those asked for, or as many as the machine has cores for.
    pub(super) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.unwrap_or_else(cores)
    }

    /// A spec made ready for training, in a backend.
    ///
    /// # Errors
    /// What is wrong with the spec, or that it does not fit this machine.
    pub(super) fn for_training(&self, extent: Extent) -> Result<Compiled, Error> {
        let mut spec = input::spec(&self.spec)?;
        let ready = spec.training(&self.choices())?;
        let Training { model, program, block, tasks, rate, effective, digest } = ready;
        let longest = tasks.iter().map(Instance::longest).max().unwrap_or(1);
        let steps = extent.steps.map_or(longest, u64::from) as usize;
        let batch = extent.batch.unwrap_or(block.batch) as usize;
        let (precision, threads) = (self.precision, self.threads());
        let budget = input::within_memory(self.memory, "training this model", |limit| {
            self.backend.budget(&program, (steps, batch), (threads, precision), limit)
        })?;
        let executable = self.backend.ready(&program, precision, &budget)?;
        let text = |file| spec.sources.get(file).text.clone();
        let modules = spec.checked.beside.iter().map(|(name, file)| (name.clone(), text(*file)));
        let modules = modules.collect();
        Ok(Compiled {
            model,
            border: Border::of(&program),
            executable,
            block,
            tasks,
            rate,
            expanded: effective,
            modules,
            digest,
            sources: spec.sources,
            cost: Cost::of(&program, true),
            program,
            budget,
            steps,
        })
    }
}
