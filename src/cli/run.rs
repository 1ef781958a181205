//! `ntmc run`: train, evaluate, show.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::backend::Backend;
use super::blame::{Scene, blame};
use super::choose::quoted;
use super::compiled::{CompileOptions, Compiled, Extent};
use super::directory::{Directory, Manifest};
use super::input::bytes;
use super::report::{self, Drawing, Report};
use super::stall::Stall;
use super::start::{Start, begin, go_on, manifest};
use super::watch::{Setup, Signals, Watch};
use super::{Terminal, note, print, rehearsal};
use crate::backend::Budget;
use crate::diag::Diagnostics;
use crate::error::Error;
use crate::model::train::{self as block, TrainBlock};
use crate::run::{Precision, Session};
use crate::source::Sources;
use crate::train::figure::terminal::Letters;
use crate::train::{Clip, Evaluation, Lesson, Settings, State, Stop, evaluate_until, train};

/// Train a model, evaluate it and show what it learned
///
/// Trains as the spec's `train` block says, then prints the loss curve, one episode and the score,
/// and leaves everything in a run directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc run specs/ntm.ntm\n  \
    ntmc run specs/ntm.ntm --task 'copy(bits = 4, length = 1..6)' --steps 6000 --set N=16\n  \
    ntmc run specs/ntm.ntm --time 60s --out runs/try --json\n  \
    ntmc run --resume runs/ntm-copy-1 --steps 20000\n  \
    ntmc run specs/ntm.ntm --fast-dev-run\n  \
    ntmc run specs/ntm.ntm --overfit 4 --steps 2000")]
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
    /// The most memory that training may take, as in 4GiB, of what is free: what does not fit is computed
    /// again, if need be on fewer threads [default: all that is free]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,
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
    /// Train on this many fixed episodes again and again, and evaluate on them: a model that can learn
    /// at all gets them right
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    overfit: Option<u32>,
    /// Run a few steps of everything (every task, evaluation, checkpoint, report), say whether it works,
    /// and leave nothing behind
    #[arg(long, conflicts_with_all = ["resume", "out", "steps", "time"])]
    fast_dev_run: bool,
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

/// The type that [`name_of`] gives this name.
pub(super) fn precision_named(name: &str) -> Option<Precision> {
    [Precision::F32, Precision::F64].into_iter().find(|one| name_of(*one) == name)
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
    /// How many fixed episodes to train and evaluate on.
    pub overfit: Option<u32>,
    /// Whether only a few steps of everything are run.
    pub brief: bool,
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
    tell_budget(&compiled, options.compile.threads());
    if options.brief {
        return rehearsal::run(compiled, &options, json);
    }
    let report = execute(compiled, &options, Signals::listen()?)?;
    match report.stop {
        Stop::Interrupt | Stop::Terminate => {
            note(&format!(
                "interrupted at step {}; go on with: ntmc run --resume {}\n",
                report.steps,
                quoted(&report.out.display().to_string())
            ));
            return Err(Error::Interrupted(report.stop));
        }
        Stop::Done | Stop::Time => {}
    }
    if json { print(&format!("{}\n", report.json())) } else { print(&report.text()) }?;
    if let Some(count) = options.overfit {
        note(&format!("note: it was trained and evaluated on the same {count} episodes\n"));
    }
    if report.stop == Stop::Time {
        note(&format!(
            "note: it ended because its time was up, after step {}; go on with: ntmc run --resume {}\n",
            report.steps,
            quoted(&report.out.display().to_string())
        ));
    }
    Ok(())
}

/// Says what was given up so that the run fits into memory.
fn tell_budget(compiled: &Compiled, asked: usize) {
    let Budget { threads, kept, .. } = compiled.budget;
    if let Some(kept) = kept {
        let all = compiled.steps;
        note(&format!(
            "note: memory holds {kept} of {all} time steps at a time; the others are computed twice\n"
        ));
    }
    if threads < asked {
        note(&format!("note: memory is enough for {threads} of {asked} threads\n"));
    }
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
        memory: args.memory,
    };
    if let (Some(kept), Some(path)) = (&kept, &args.resume) {
        as_kept(&args, kept)?;
        (compile.backend, compile.precision) = kept.computed_by()?;
        spec_of_run(&mut compile, args.spec.is_some(), kept, path)?;
    }
    Ok(Options {
        compile,
        // A run goes on to where it was meant to end.
        steps: args.steps.or(kept.as_ref().map(|kept| kept.steps)),
        seed: kept.as_ref().map_or(args.seed.unwrap_or(0), |kept| kept.seed),
        batch: kept.as_ref().map(|kept| kept.batch).or(args.batch),
        out: if args.fast_dev_run { Some(rehearsal::place()) } else { args.out },
        resume: args.resume,
        time: args.time,
        overfit: kept.as_ref().map_or(args.overfit, |kept| kept.overfit),
        brief: args.fast_dev_run,
        save_every: args.save_every,
        progress,
        letters: terminal.letters,
    })
}

/// Options that a run has fixed are as they were.
fn as_kept(args: &Args, kept: &Manifest) -> Result<(), Error> {
    same(args.seed, kept.seed, "--seed")?;
    if args.overfit.is_some() && args.overfit != kept.overfit {
        let message = "a run cannot change how many episodes it overfits: begin another one";
        return Err(Error::Usage(message.to_owned()));
    }
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
    let settings = asked(settings(&block, tasks, rate, (options.seed, options.batch)), options);
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
        stall: Stall::new(&settings),
    })?;
    let before = state.sequences;
    let result = to_the_end(&mut session, &settings, (&mut state, steps), &mut watch);
    let (stop, evaluation, seconds) = result.map_err(|error| {
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
        seconds,
        evaluation,
        score: settings.goal().task.score,
        parameters: session.size(),
        out: watch.directory.0.clone(),
        curve: watch.lines.clone(),
        example: None,
        letters: options.letters,
    };
    if matches!(stop, Stop::Done | Stop::Time) {
        let drawing = Drawing {
            model: &model,
            settings: &settings,
            spec: texts.0,
            directory: &watch.directory,
        };
        report.example = Some(report::draw(&mut session, &report, &drawing)?);
    }
    Ok(report)
}

/// The settings of a block as the options change them.
fn asked(mut settings: Settings, options: &Options) -> Settings {
    if let Some(count) = options.overfit {
        settings.overfit(count as usize);
    }
    if options.brief {
        rehearsal::shorten(&mut settings);
    }
    settings
}

/// Trains and evaluates: why it ended, the last evaluation, and the seconds that training took.
fn to_the_end(
    session: &mut Session,
    settings: &Settings,
    (state, steps): (&mut State, u64),
    watch: &mut Watch,
) -> Result<(Stop, Option<Evaluation>, f64), crate::train::Error> {
    let result = train(session, settings, state, steps, watch);
    let seconds = watch.elapsed().as_secs_f64();
    watch.finish();
    let stop = result?;
    if matches!(stop, Stop::Interrupt | Stop::Terminate) {
        return Ok((stop, None, seconds));
    }
    // Everything is saved: a signal now ends the evaluation, and the run with it.
    let ends = &mut || watch.interrupted().is_some();
    let found = evaluate_until(session, settings, state.step, ends)?;
    Ok((watch.interrupted().unwrap_or(stop), found, seconds))
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

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
