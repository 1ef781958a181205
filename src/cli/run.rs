//! `ntmc run`: train, evaluate, show.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::backend::Backend;
use super::blame::{Scene, blame};
use super::compiled::{CompileOptions, Compiled, Extent};
use super::directory::{Claim, Directory, FORMAT, Manifest};
use super::report::{self, Report};
use super::watch::{Setup, Signals, Watch};
use super::{Terminal, note, print};
use crate::diag::Diagnostics;
use crate::error::Error;
use crate::model::train::{self as block, TrainBlock};
use crate::run::{Precision, Session, checkpoint};
use crate::source::Sources;
use crate::train::figure::terminal::Letters;
use crate::train::{Clip, Lesson, Settings, State, Stop, evaluate_until, train};

/// Train a model, evaluate it and show what it learned
///
/// Trains as the spec's `train` block says, then prints the loss curve, one episode and the score,
/// and leaves everything in a run directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc run specs/ntm.ntm\n  \
    ntmc run specs/ntm.ntm --task 'copy(bits = 4, length = 1..6)' --steps 6000 --set N=16\n  \
    ntmc run specs/ntm.ntm --time 60s --out runs/try --json\n  \
    ntmc run --resume runs/ntm-copy-1 --steps 20000")]
pub(super) struct Args {
    /// The spec; `-` is standard input. With `--resume` the run's own spec if left out
    #[arg(required_unless_present = "resume")]
    spec: Option<String>,
    /// Optimiser steps in all, also with `--resume` [default: those of the train block]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Seed of everything random [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Sequences a step [default: that of the train block]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// What runs the program [default: jit]
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// Floating-point type [default: f32]
    #[arg(long, value_enum)]
    precision: Option<PrecisionName>,
    /// Threads [default: as many as the backend can use]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Override a dim, a setting, an argument or an emission
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
    /// Another task, in place of the train block's
    #[arg(long, value_name = "CALL")]
    task: Option<String>,
    /// Which train block [default: the first]
    #[arg(long, value_name = "NAME")]
    train: Option<String>,
    /// The run directory; if left out `runs/<model>-<task>-<n>`
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Go on with a run, exactly where its checkpoint is
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Stop after this time: 90s, 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Save at least this often, besides after every evaluation
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    save_every: Duration,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PrecisionName {
    F32,
    F64,
}

pub(super) fn precision(name: PrecisionName) -> Precision {
    match name {
        PrecisionName::F32 => Precision::F32,
        PrecisionName::F64 => Precision::F64,
    }
}

pub(super) fn name_of(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::F64 => "f64",
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 =
        digits.parse().map_err(|_| "a number with s, m or h, such as 60s".to_owned())?;
    let unit = match &text[digits.len()..] {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("the unit is ms, s, m or h, as in 60s".to_owned()),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|error| error.to_string())
}

/// Everything about a run that the compiler need not know.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the spec was compiled: kept, so that resuming compiles it the same way.
    pub compile: CompileOptions,
    /// Steps in all.
    pub steps: Option<u64>,
    /// The seed.
    pub seed: u64,
    /// Sequences a step in place of the block's.
    pub batch: Option<u32>,
    /// The run directory.
    pub out: Option<PathBuf>,
    /// A run to go on with.
    pub resume: Option<PathBuf>,
    /// How long.
    pub time: Option<Duration>,
    /// How old a checkpoint may get.
    pub save_every: Duration,
    /// Whether a progress bar is shown.
    pub progress: bool,
    /// Which characters the report may use.
    pub letters: Letters,
}

pub(super) fn run(args: Args, terminal: Terminal) -> Result<(), Error> {
    let json = args.json;
    let options = options(args, terminal, terminal.progress && !json)?;
    let extent = Extent { batch: options.batch, steps: None };
    let compiled = options.compile.for_training(extent)?;
    let report = execute(compiled, &options, Signals::listen()?)?;
    match report.stop {
        Stop::Interrupt | Stop::Terminate => {
            note(&format!(
                "interrupted at step {}; go on with: ntmc run --resume {}\n",
                report.steps,
                report.out.display()
            ));
            return Err(Error::Interrupted(report.stop));
        }
        Stop::Done | Stop::Time => {}
    }
    if json { print(&format!("{}\n", report.json())) } else { print(&report.text()) }
}

/// From arguments and, with `--resume`, the manifest of the run.
fn options(args: Args, terminal: Terminal, progress: bool) -> Result<Options, Error> {
    let kept = match &args.resume {
        Some(path) => Some(Directory(path.clone()).manifest()?),
        None => None,
    };
    let mut compile = CompileOptions {
        spec: args.spec.clone().unwrap_or_default(),
        train: args.train.clone(),
        task: args.task.clone(),
        sets: args.sets.clone(),
        backend: args.backend.unwrap_or(Backend::Jit),
        precision: args.precision.map_or(Precision::F32, precision),
        threads: args.threads.map(usize::from),
    };
    if let (Some(kept), Some(path)) = (&kept, &args.resume) {
        as_kept(&args, kept)?;
        compile.backend = Backend::named(&kept.backend).ok_or_else(|| {
            Error::Usage(format!("this version has no backend `{}`", kept.backend))
        })?;
        compile.precision = if kept.precision == "f64" { Precision::F64 } else { Precision::F32 };
        spec_of_run(&mut compile, args.spec.is_some(), kept, path)?;
    }
    Ok(Options {
        compile,
        // A run goes on to where it was meant to end.
        steps: args.steps.or(kept.as_ref().map(|kept| kept.steps)),
        seed: kept.as_ref().map_or(args.seed.unwrap_or(0), |kept| kept.seed),
        batch: kept.as_ref().map(|kept| kept.batch).or(args.batch),
        out: args.out,
        resume: args.resume,
        time: args.time,
        save_every: args.save_every,
        progress,
        letters: terminal.letters,
    })
}

/// Options that a run has fixed are as they were.
fn as_kept(args: &Args, kept: &Manifest) -> Result<(), Error> {
    same(args.seed, kept.seed, "--seed")?;
    same(args.batch, kept.batch, "--batch")?;
    let asked = args.precision.map(|asked| name_of(precision(asked)).to_owned());
    same(asked, kept.precision.clone(), "--precision")?;
    let asked = args.backend.map(|asked| asked.name().to_owned());
    same(asked, kept.backend.clone(), "--backend")
}

/// The spec of a run that goes on: its own, or the one that is given again.
fn spec_of_run(
    compile: &mut CompileOptions,
    given: bool,
    kept: &Manifest,
    path: &Path,
) -> Result<(), Error> {
    if given {
        compile.train = compile.train.take().or_else(|| kept.train.clone());
        compile.task = compile.task.take().or_else(|| kept.task.clone());
        if compile.sets.is_empty() {
            compile.sets.clone_from(&kept.sets);
        }
        return Ok(());
    }
    if compile.train.is_some() || compile.task.is_some() || !compile.sets.is_empty() {
        let message = "`--train`, `--task` and `--set` need the spec too when a run goes on";
        return Err(Error::Usage(message.to_owned()));
    }
    // The expanded spec already holds every choice that was made.
    compile.spec = path.join("spec.ntm").display().to_string();
    // Emissions that were given numbers are not in the spec; all else only says the same again.
    compile.sets.clone_from(&kept.sets);
    Ok(())
}

/// An option that a run has fixed may be repeated, not changed.
fn same<T: PartialEq + std::fmt::Display>(
    asked: Option<T>,
    kept: T,
    option: &str,
) -> Result<(), Error> {
    match asked {
        Some(asked) if asked != kept => Err(Error::Usage(format!(
            "the run has `{option} {kept}` and cannot go on with {asked}"
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Trains, evaluates and draws.
///
/// # Errors
/// If a file cannot be used, a number goes bad, or the batch is too large.
pub fn execute(compiled: Compiled, options: &Options, signals: Signals) -> Result<Report, Error> {
    let Compiled { model, border, program, executable, block, tasks, rate, .. } = compiled;
    let (digest, sources) = (compiled.digest, compiled.sources);
    let texts = (compiled.expanded.as_str(), &compiled.modules[..]);
    let settings = settings(&block, tasks, rate, (options.seed, options.batch));
    within_limits(&settings)?;
    let steps = options.steps.unwrap_or_else(|| settings.horizon());
    let precision = options.compile.precision;
    let mut session = Session::new(border, &model, executable, precision, options.seed)?;
    freeze(&mut session, &block)
        .map_err(|diagnostics| Error::Spec { diagnostics, sources: Box::new(sources.clone()) })?;
    let manifest = manifest(&model.name, &digest, &settings, steps, options);
    let Start { directory, claim, mut state, lines } = match &options.resume {
        Some(path) => go_on(path, &mut session, &manifest, options)?,
        None => begin(&manifest, &settings, texts, options)?,
    };
    let mut watch = Watch::new(Setup {
        directory,
        lines,
        signals,
        limit: options.time,
        save_every: options.save_every,
        claim,
        seed: options.seed,
        digest,
        progress: options.progress,
        steps: (state.step, steps),
    })?;
    let before = state.sequences;
    let result = train(&mut session, &settings, &mut state, steps, &mut watch);
    watch.finish();
    let stop = result.map_err(|error| {
        let scene = Scene {
            program: &program,
            session: &session,
            settings: &settings,
            state: &state,
            curve: &watch.lines,
            optimiser: block.optimiser.span,
        };
        failed(error, &watch.directory, (&scene, &sources))
    })?;
    let mut report = Report {
        stop,
        model: manifest.model,
        task: settings.goal().to_string(),
        backend: manifest.backend,
        precision: manifest.precision,
        seed: options.seed,
        steps: state.step,
        sequences: state.sequences,
        trained: state.sequences - before,
        seconds: watch.elapsed().as_secs_f64(),
        evaluation: None,
        score: settings.goal().task.score,
        parameters: session.size(),
        out: watch.directory.0.clone(),
        curve: watch.lines.clone(),
        example: None,
        letters: options.letters,
    };
    if matches!(stop, Stop::Done | Stop::Time) {
        // Everything is saved: a signal now ends the evaluation, and the run with it.
        let ends = &mut || watch.interrupted().is_some();
        report.evaluation = evaluate_until(&mut session, &settings, state.step, ends)?;
        report.stop = watch.interrupted().unwrap_or(stop);
    }
    if report.stop == stop && report.evaluation.is_some() {
        report.example = Some(report::draw(&mut session, &settings, &report, &watch.directory)?);
    }
    Ok(report)
}

/// A run that failed says what went bad, and where its last good state is.
fn failed(
    error: crate::train::Error,
    directory: &Directory,
    (scene, sources): (&Scene<'_>, &Sources),
) -> Error {
    let told = blame(&error, scene);
    let bad = matches!(error, crate::train::Error::NotFinite { .. });
    let saved = bad && directory.file("checkpoint.safetensors").exists();
    let place = format!("note: the last checkpoint is in {}", directory.0.display());
    match (told, Error::from(error)) {
        (Some(diagnostics), _) => {
            if saved {
                note(&format!("{place}\n"));
            }
            Error::Spec { diagnostics, sources: Box::new(sources.clone()) }
        }
        (None, Error::Check(message)) if saved => Error::Check(format!("{message}\n{place}")),
        (None, error) => error,
    }
}

/// Numbers of the block with the overrides of the command line.
pub(super) fn settings(
    block: &TrainBlock,
    tasks: Vec<crate::task::Instance>,
    rate: f64,
    (seed, batch): (u64, Option<u32>),
) -> Settings {
    let count = tasks.len().max(1) as u64;
    let shared = block.steps.first().copied().unwrap_or(1);
    let steps_of = |at: usize| {
        if block.steps.len() == tasks.len() {
            block.steps[at]
        } else {
            // One number for several lessons is shared; the last takes what is left over.
            let share = (shared / count).max(1);
            if at + 1 == tasks.len() {
                shared.saturating_sub(share * (count - 1)).max(1)
            } else {
                share
            }
        }
    };
    let lesson = |(at, task): (usize, &crate::task::Instance)| Lesson {
        task: task.clone(),
        steps: steps_of(at),
    };
    let lessons: Vec<Lesson> = tasks.iter().enumerate().map(lesson).collect();
    let horizon = lessons.iter().map(|lesson| lesson.steps).fold(0, u64::saturating_add);
    Settings {
        seed,
        batch: batch.unwrap_or(block.batch) as usize,
        lessons,
        rate,
        schedule: block.schedule,
        clip: block.clip.map(|clip| match clip {
            block::Clip::Value(limit) => Clip::Value(limit),
            block::Clip::Norm(limit) => Clip::Norm(limit),
        }),
        evaluate_every: block.evaluate_every.unwrap_or((horizon / 10).max(1)),
        episodes: block.episodes as usize,
        overfit: None,
    }
}

/// Numbers one batch may hold at its border.
const MOST_NUMBERS: u64 = 1 << 28;

pub(super) fn within_limits(settings: &Settings) -> Result<(), Error> {
    for lesson in &settings.lessons {
        let ports = lesson.task.ports();
        let row = u64::from(ports.input) + u64::from(ports.output) + 1;
        let samples = settings.batch.max(settings.episodes.min(64)) as u64;
        let numbers = lesson.task.longest().saturating_mul(row).saturating_mul(samples);
        if numbers > MOST_NUMBERS {
            return Err(Error::Limit(format!(
                "a batch of {samples} sequences of `{}` holds {numbers} numbers, the limit is \
                 {MOST_NUMBERS}\nhelp: a smaller `--batch`",
                lesson.task
            )));
        }
    }
    Ok(())
}

pub(super) fn freeze(session: &mut Session, block: &TrainBlock) -> Result<(), Diagnostics> {
    let params = session.border().params.iter().map(|array| array.path.0.as_str());
    let wrong = block.unknown_frozen(&params.collect::<Vec<_>>());
    for (name, _) in &block.freeze {
        session.freeze(name);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn manifest(
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
        backend: compile.backend.name().to_owned(),
        precision: name_of(compile.precision).to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    }
}

/// Where a run begins or goes on.
struct Start {
    directory: Directory,
    claim: Claim,
    state: State,
    /// The metrics so far.
    lines: Vec<crate::train::Line>,
}

fn begin(
    manifest: &Manifest,
    settings: &Settings,
    (expanded, modules): (&str, &[(String, String)]),
    options: &Options,
) -> Result<Start, Error> {
    let task = settings.goal().task.name;
    let directory = Directory::create(options.out.as_deref(), &manifest.model, task)?;
    let claim = directory.claim()?;
    directory.write("spec.ntm", expanded.as_bytes())?;
    for (name, text) in modules {
        directory.write_module(name, text)?;
    }
    // Last, as it is what makes the directory that of a run: all else is there.
    directory.write_manifest(manifest)?;
    Ok(Start { directory, claim, state: State::default(), lines: Vec::new() })
}

fn go_on(
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
        return Err(Error::Check(format!(
            "the spec is not the one that `{}` was trained with\nhelp: leave the spec out, and \
             `ntmc run --resume {}` uses the run's own",
            path.display(),
            path.display()
        )));
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

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
