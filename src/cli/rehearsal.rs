//! `ntmc run --fast-dev-run`: a few steps of everything, so that a mistake shows now and not after hours.
//!
//! In: a compiled spec. Out: a sentence that says that all works. Invariant: nothing is left behind.

use std::path::{Path, PathBuf};

use super::compiled::Compiled;
use super::run::{Options, execute};
use super::watch::Signals;
use super::{note, print};
use crate::error::Error;
use crate::run::checkpoint;
use crate::train::{Settings, Stop};

/// Steps of each task.
const STEPS: u64 = 3;

/// Where it is run: a directory of this process alone.
pub(super) fn place() -> PathBuf {
    std::env::temp_dir().join(format!("ntmc-fast-dev-run-{}", std::process::id()))
}

/// A few steps of each task, an evaluation of a few episodes.
pub(super) fn shorten(settings: &mut Settings) {
    settings.lessons.iter_mut().for_each(|lesson| lesson.steps = STEPS);
    settings.evaluate_every = STEPS;
    settings.episodes = settings.episodes.min(4);
}

/// Does everything and says so.
pub(super) fn run(compiled: Compiled, options: &Options, json: bool) -> Result<(), Error> {
    let place = options.out.clone().unwrap_or_else(place);
    let whole = compiled.block.steps.iter().fold(0, |sum: u64, steps| sum.saturating_add(*steps));
    let result = execute(compiled, options, Signals::listen()?).and_then(|report| {
        whole_checkpoint(&place, "checkpoint.safetensors")?;
        whole_checkpoint(&place, "best.safetensors")?;
        Ok(report)
    });
    if let Err(error) = std::fs::remove_dir_all(&place) {
        note(&format!("note: {} is left: {error}\n", place.display()));
    }
    let report = result?;
    if matches!(report.stop, Stop::Interrupt | Stop::Terminate) {
        return Err(Error::Interrupted(report.stop));
    }
    if json {
        let mut object = report.json();
        object["fast_dev_run"] = true.into();
        object["out"] = serde_json::Value::Null;
        return print(&format!("{object}\n"));
    }
    let step = report.seconds / report.steps.max(1) as f64;
    print(&format!(
        "{}: {} steps, an evaluation, checkpoints and pictures: all works\n\
         about {:.3} s a step with evaluations and saving; the block asks for {whole} steps\n",
        report.model, report.steps, step
    ))
}

/// A checkpoint must be there and read back.
fn whole_checkpoint(place: &Path, name: &str) -> Result<(), Error> {
    let path = place.join(name);
    match checkpoint::facts(&path) {
        Some(_) => Ok(()),
        None => Err(Error::File { path, message: "it does not read back".to_owned() }),
    }
}
