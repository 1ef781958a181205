//! Where a run begins or goes on: what its directory must hold, and what is told when it does not.
//!
//! In: a directory, a session, options. Out: a [`Start`], whose session stands where the last checkpoint
//! stood. Invariant: what cannot be used exactly is refused, never guessed.

use std::path::Path;

use super::directory::{Claim, Directory, FORMAT, Manifest};
use super::note;
use super::run::{Options, name_of};
use crate::error::Error;
use crate::run::{Session, checkpoint};
use crate::train::{Settings, State};

/// What `run.ron` will say.
pub(super) fn manifest(
    model: &str,
    digest: &str,
    settings: &Settings,
    steps: u64,
    options: &Options,
) -> Manifest {
    let compile = &options.compile;
    Manifest {
        format: FORMAT,
        spec: compile.spec.clone(),
        digest: digest.to_owned(),
        model: model.to_owned(),
        train: compile.train.clone(),
        task: compile.task.clone(),
        sets: compile.sets.clone(),
        tasks: settings.lessons.iter().map(|lesson| lesson.task.to_string()).collect(),
        seed: settings.seed,
        batch: settings.batch as u32,
        steps,
        overfit: options.overfit,
        backend: compile.backend.name().to_owned(),
        precision: name_of(compile.precision).to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    }
}

/// Where a run begins or goes on.
pub(super) struct Start {
    pub(super) directory: Directory,
    pub(super) claim: Claim,
    pub(super) state: State,
    /// The metrics so far.
    pub(super) lines: Vec<crate::train::Line>,
}

/// A new directory with everything that going on will need.
pub(super) fn begin(
    manifest: &Manifest,
    settings: &Settings,
    (expanded, modules): (&str, &[(String, String)]),
    options: &Options,
) -> Result<Start, Error> {
    let task = settings.goal().task.name;
    let directory = Directory::create(options.out.as_deref(), &manifest.model, task)?;
    let claim = directory.claim()?;
    checkpoint::sweep(&directory.0);
    directory.write("spec.ntm", expanded.as_bytes())?;
    for (name, text) in modules {
        directory.write_module(name, text)?;
    }
    // Last, as it is what makes the directory that of a run: all else is there.
    directory.write_manifest(manifest)?;
    Ok(Start { directory, claim, state: State::default(), lines: Vec::new() })
}

/// The run of a directory, exactly where its checkpoint is.
pub(super) fn go_on(
    path: &Path,
    session: &mut Session,
    manifest: &Manifest,
    options: &Options,
) -> Result<Start, Error> {
    let directory = Directory(path.to_owned());
    let claim = directory.claim()?;
    checkpoint::sweep(path);
    let kept = directory.manifest()?;
    if kept.digest != manifest.digest {
        let place = path.display();
        let own = directory.file("spec.ntm");
        return Err(Error::Check(if options.compile.spec == own.display().to_string() {
            format!(
                "`{}` was changed since the run began\nhelp: give the spec that it was made from: \
                 `ntmc run {} --resume {place}`",
                own.display(),
                kept.spec
            )
        } else {
            format!(
                "the spec is not the one that `{place}` was trained with\nhelp: leave the spec \
                 out, and `ntmc run --resume {place}` uses the run's own"
            )
        }));
    }
    let state = stand(&directory, session, &kept, options.seed)?;
    let lines = directory.cut_metrics(state.step)?;
    directory.cut_timing(state.step)?;
    // The last line ends where the open window begins.
    let (there, due) = (lines.last().map_or(0, |line| line.step), state.step - state.window.steps);
    if there < due {
        note(&format!(
            "note: {} was cut: the lines after step {there} up to step {due} are lost\n",
            directory.file("metrics.jsonl").display()
        ));
    }
    // What the run was first asked for stays, but for how far it goes.
    directory.write_manifest(&Manifest { steps: manifest.steps.max(kept.steps), ..kept })?;
    Ok(Start { directory, claim, state, lines })
}

/// Where the checkpoint of a run stands; its numbers go into the session. A run that was ended before
/// its first checkpoint stands at its beginning.
fn stand(
    directory: &Directory,
    session: &mut Session,
    kept: &Manifest,
    seed: u64,
) -> Result<State, Error> {
    let file = directory.file("checkpoint.safetensors");
    if !file.exists() {
        note("note: the run was ended before its first checkpoint: it begins anew\n");
        return Ok(State::default());
    }
    let corrupt = |message: String| Error::File { path: file.clone(), message };
    let loaded = checkpoint::load(&file, session.border()).map_err(|error| {
        let best = checkpoint::facts(&directory.file("best.safetensors"));
        match best.filter(|best| best.digest == kept.digest) {
            Some(best) => corrupt(format!(
                "{}\nhelp: `best.safetensors` beside it, of step {}, is whole: copy it over this \
                 file to go on from there",
                error.what(),
                best.step
            )),
            None => error.into(),
        }
    })?;
    if loaded.facts.digest != kept.digest {
        return Err(corrupt("it belongs to another spec than the run".to_owned()));
    }
    if loaded.facts.seed != seed {
        return Err(corrupt(format!("its seed is {}, not {seed}", loaded.facts.seed)));
    }
    let state: State = serde_json::from_value(loaded.facts.progress)
        .map_err(|error| corrupt(format!("its progress cannot be read: {error}")))?;
    session.restore(&loaded.held);
    Ok(state)
}
