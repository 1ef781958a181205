//! A run that is there already: its model with the parameters of a checkpoint, and what to ask of it.

use std::path::{Path, PathBuf};

use super::compiled::CompileOptions;
use super::directory::{Directory, Manifest};
use super::input;
use super::run::{settings, within_limits};
use crate::compile::{Choices, Spec, Training, resolve_tasks};
use crate::error::Error;
use crate::model::flat;
use crate::model::train::{TaskCall, TrainBlock};
use crate::run::{Border, Session, checkpoint};
use crate::task::Instance;
use crate::train::Settings;

/// Which run, and what of it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Which {
    /// The run directory
    pub(super) run: PathBuf,
    /// Take the best checkpoint instead of the last
    #[arg(long)]
    pub(super) best: bool,
    /// Seed of the episodes [default: that of the run]
    #[arg(long)]
    pub(super) seed: Option<u64>,
}

impl Which {
    /// The name of the checkpoint.
    pub(super) fn checkpoint(&self) -> &'static str {
        if self.best { "best" } else { "checkpoint" }
    }
}

/// A run, ready to be asked.
pub(super) struct Saved {
    /// Where it lies.
    pub(super) directory: Directory,
    /// What was run.
    pub(super) manifest: Manifest,
    /// Its model.
    pub(super) model: flat::Model,
    /// The model with the parameters of the checkpoint.
    pub(super) session: Session,
    /// Steps before the checkpoint.
    pub(super) steps: u64,
    block: TrainBlock,
    tasks: Vec<Instance>,
    rate: f64,
    seed: u64,
}

/// Opens a run for these tasks (its own, if there are none), of which `batch` sequences are run at a
/// time. With it come its settings, once with each task in place of its own.
///
/// # Errors
/// If it is no run, its checkpoint is damaged or of another spec, or a task does not fit.
pub(super) fn open(
    which: &Which,
    calls: &[String],
    batch: usize,
) -> Result<(Saved, Vec<Settings>), Error> {
    let directory = Directory(which.run.clone());
    let manifest = directory.manifest()?;
    let (backend, precision) = manifest.computed_by()?;
    let options = CompileOptions {
        // The expanded spec already holds every choice that was made.
        spec: directory.file("spec.ntm").display().to_string(),
        train: None,
        task: None,
        sets: manifest.sets.clone(),
        backend,
        precision,
        threads: None,
        memory: None,
    };
    let mut spec = input::spec(&options.spec)?;
    let ready = spec.judging(&options.choices())?;
    let Training { model, program, block, tasks, rate, digest, .. } = ready;
    let own = tasks.last().ok_or_else(|| Error::Check("the run has no task".to_owned()))?;
    let calls = calls.iter().map(|call| resolve(&mut spec, &block, own, call));
    let mut asked: Vec<Instance> = calls.collect::<Result<_, _>>()?;
    if asked.is_empty() {
        asked.push(own.clone());
    }
    let longest = asked.iter().map(Instance::longest).max().unwrap_or(1);
    let budget = input::within_memory(None, "an episode this long", |limit| {
        backend.budget(&program, (longest as usize, batch), (options.threads(), precision), limit)
    })?;
    let executable = backend.ready(&program, precision, &budget)?;
    let border = Border::of(&program);
    let mut session = Session::new(border, &model, executable, precision, manifest.seed)?;
    let steps = restore(&mut session, &directory, which, &digest)?;
    let seed = which.seed.unwrap_or(manifest.seed);
    let saved = Saved { directory, manifest, model, session, steps, block, tasks, rate, seed };
    let asked = asked.into_iter().map(|task| saved.ask(task)).collect::<Result<_, _>>()?;
    Ok((saved, asked))
}

impl Saved {
    /// The settings of the run with another task, if that fits the model and this machine.
    fn ask(&self, task: Instance) -> Result<Settings, Error> {
        fits(self.tasks.last().unwrap_or(&task), &task)?;
        // Nothing is trained: a batch is what an evaluation makes of its episodes.
        let asked = settings(&self.block, vec![task], self.rate, (self.seed, Some(1)));
        within_limits(&asked)?;
        Ok(asked)
    }
}

/// The task of a call on the command line. What it leaves out is as in the run, where that had the same
/// task.
fn resolve(
    spec: &mut Spec,
    block: &TrainBlock,
    own: &Instance,
    call: &str,
) -> Result<Instance, Error> {
    let choices = Choices { task: Some(call.to_owned()), ..Choices::default() };
    let choice = spec.choose(&choices)?;
    let mut asked = spec.block(&choice)?;
    let kept: &[_] = block.tasks.last().map_or(&[], |kept| &kept.args);
    for call in asked.tasks.iter_mut().filter(|call| call.name == own.task.name) {
        let TaskCall { args, span, .. } = call;
        let missing = kept.iter().filter(|kept| args.iter().all(|arg| arg.name != kept.name));
        let missing: Vec<_> = missing.cloned().collect();
        args.extend(missing.into_iter().map(|mut arg| {
            arg.span = *span;
            arg
        }));
    }
    let found = resolve_tasks(&asked, &spec.sources)?;
    found.into_iter().next_back().ok_or_else(|| Error::Usage(format!("`{call}` is no task")))
}

/// Whether a task asks of a model what it was trained for.
fn fits(own: &Instance, task: &Instance) -> Result<(), Error> {
    let (here, there) = (own.ports(), task.ports());
    let number = |name: &str, here: u32, there: u32| {
        (here != there).then(|| format!("{name} is {here} in the run and {there} in the task"))
    };
    let wrong = [
        number("X, the width of the input,", here.input, there.input),
        number("Y, the width of the output,", here.output, there.output),
        (here.domain != there.domain).then(|| {
            let (here, there) = (here.domain, there.domain);
            format!("outputs are `{here}` in the run and `{there}` in the task")
        }),
    ];
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::Check(format!(
        "`{task}` does not fit this run: {}\nhelp: the run was trained on `{own}`",
        wrong.join("; ")
    )))
}

/// Puts the numbers of the checkpoint into the session; returns its step.
fn restore(
    session: &mut Session,
    directory: &Directory,
    which: &Which,
    digest: &str,
) -> Result<u64, Error> {
    let file = directory.file(&format!("{}.safetensors", which.checkpoint()));
    let loaded = checkpoint::load(&file, session.border())?;
    if loaded.facts.digest != digest {
        return Err(not_its_spec(&file));
    }
    let step = loaded.facts.step;
    session.restore(&loaded.held);
    Ok(step)
}

fn not_its_spec(file: &Path) -> Error {
    let message = "it belongs to another spec than the `spec.ntm` beside it".to_owned();
    Error::File { path: file.to_owned(), message }
}
