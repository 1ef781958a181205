//! Watching a run: signals, the clock, the progress bar, and what is saved on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::directory::{Claim, Directory, Lines, Timing};
use super::note;
use super::stall::Stall;
use crate::error::Error;
use crate::run::{Session, checkpoint};
use crate::train::{Line, Observer, State, Stop};

/// Flags that signals set; the loop looks at them between two steps.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// Whether any of them came.
    asked: Arc<AtomicBool>,
    interrupt: Arc<AtomicBool>,
    terminate: Arc<AtomicBool>,
}

impl Signals {
    /// From now on Ctrl-C and SIGTERM end the run after saving; a second one ends it at once.
    pub(super) fn listen() -> Result<Signals, Error> {
        let signals = Signals::default();
        let pairs = [(SIGINT, &signals.interrupt, 130), (SIGTERM, &signals.terminate, 143)];
        for (signal, flag, code) in pairs {
            // The order matters: the shutdown looks at the flag before this signal sets it.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                code,
                Arc::clone(&signals.asked),
            )
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&signals.asked)))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(flag)))
            .map_err(|error| Error::Check(format!("signals cannot be caught: {error}")))?;
        }
        Ok(signals)
    }

    /// Which of them came.
    pub(super) fn stop(&self) -> Option<Stop> {
        if self.interrupt.load(Ordering::Relaxed) {
            Some(Stop::Interrupt)
        } else if self.terminate.load(Ordering::Relaxed) {
            Some(Stop::Terminate)
        } else {
            None
        }
    }
}

/// The observer of a run with a directory.
pub(super) struct Watch {
    pub(super) directory: Directory,
    /// Everything in `metrics.jsonl`.
    pub(super) lines: Vec<Line>,
    metrics: Lines,
    timing: Lines,
    bar: ProgressBar,
    signals: Signals,
    started: Instant,
    limit: Option<Duration>,
    /// When the last checkpoint was written, and how old it may get.
    saved: Instant,
    save_every: Duration,
    /// No other process writes into the directory.
    _claim: Claim,
    /// What every checkpoint says of its run.
    seed: u64,
    digest: String,
    mean: Option<f64>,
    stall: Stall,
}

/// What a watch needs to know.
pub(super) struct Setup {
    pub(super) directory: Directory,
    pub(super) lines: Vec<Line>,
    pub(super) signals: Signals,
    pub(super) limit: Option<Duration>,
    pub(super) save_every: Duration,
    pub(super) claim: Claim,
    pub(super) seed: u64,
    pub(super) digest: String,
    /// Whether a bar is shown.
    pub(super) progress: bool,
    /// Where the bar starts and ends.
    pub(super) steps: (u64, u64),
    /// Looks for plateaus.
    pub(super) stall: Stall,
}

impl Watch {
    pub(super) fn new(setup: Setup) -> Result<Watch, Error> {
        let target = if setup.progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(setup.steps.1), target);
        let style = "{bar:30} {pos}/{len} steps  {per_sec}  {eta} left  {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is constant"));
        bar.set_position(setup.steps.0);
        bar.reset_eta();
        Ok(Watch {
            metrics: setup.directory.append("metrics.jsonl")?,
            timing: setup.directory.append("timing.jsonl")?,
            directory: setup.directory,
            lines: setup.lines,
            bar,
            signals: setup.signals,
            started: Instant::now(),
            limit: setup.limit,
            saved: Instant::now(),
            save_every: setup.save_every,
            _claim: setup.claim,
            seed: setup.seed,
            digest: setup.digest,
            mean: None,
            stall: setup.stall,
        })
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The signal that came, if any.
    pub(super) fn interrupted(&self) -> Option<Stop> {
        self.signals.stop()
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Watch {
    fn stop(&mut self) -> Option<Stop> {
        let late = self.limit.is_some_and(|limit| self.started.elapsed() >= limit);
        self.signals.stop().or(late.then_some(Stop::Time))
    }

    fn step(&mut self, state: &State, loss: f64) {
        // A moving mean for the eye only; the files hold the exact ones.
        let mean = self.mean.map_or(loss, |mean| mean + (loss - mean) * 0.05);
        self.mean = Some(mean);
        self.bar.set_position(state.step);
        self.bar.set_message(format!("{:.2} bits/sequence", mean / std::f64::consts::LN_2));
    }

    fn line(&mut self, line: &Line) -> Result<(), crate::run::Error> {
        self.metrics.push(line)?;
        let seconds = self.started.elapsed().as_secs_f64();
        self.timing.push(&Timing { step: line.step, seconds })?;
        self.lines.push(line.clone());
        if let Some(text) = self.stall.look(&self.lines) {
            self.bar.suspend(|| note(&text));
        }
        Ok(())
    }

    fn due(&mut self) -> bool {
        self.saved.elapsed() >= self.save_every
    }

    fn save(
        &mut self,
        session: &Session,
        state: &State,
        best: bool,
    ) -> Result<(), crate::run::Error> {
        let facts = checkpoint::Facts {
            format: checkpoint::FORMAT,
            step: state.step,
            seed: self.seed,
            digest: self.digest.clone(),
            progress: serde_json::to_value(state).expect("plain numbers"),
        };
        // A checkpoint never tells of lines that the disk does not hold, nor of a best one.
        self.metrics.sync()?;
        let events = crate::train::events::events(&self.lines);
        checkpoint::replace(&self.directory.file(crate::train::events::NAME), &events)?;
        if best {
            checkpoint::save(&self.directory.file("best.safetensors"), session, &facts)?;
        }
        checkpoint::save(&self.directory.file("checkpoint.safetensors"), session, &facts)?;
        self.saved = Instant::now();
        Ok(())
    }
}
