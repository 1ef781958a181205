//! Training: the loop, what it measures and when it stops.
//!
//! In: a [`Session`], [`Settings`] and a [`State`] (fresh or from a checkpoint). Out: a trained
//! session; progress goes to an [`Observer`], so nothing here prints, saves or looks at a clock.
//! Invariant: same seed, same numbers, wherever a run was interrupted and resumed. So nothing below
//! may depend on how many steps were asked for this time, only on [`Settings`].

mod batch;
pub mod events;
pub mod figure;
mod metrics;

pub use batch::{
    Evaluation, PIECE, assemble, best_score, draw, evaluate, evaluate_until, lesson, output_of,
    sample, trial, trials,
};
pub use metrics::{Evaluated, Line, State, Window};

pub use crate::model::train::{Schedule, Shape};
pub use crate::run::Clip;
use crate::run::{Batch, Outcome, Session, Trouble};
use crate::task::Instance;

/// What to train on and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The seed of everything drawn.
    pub seed: u64,
    /// Sequences a step.
    pub batch: usize,
    /// Tasks with their numbers of steps; the last goes on for as long as it takes.
    pub lessons: Vec<Lesson>,
    /// The learning rate.
    pub rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// What is done to a large gradient.
    pub clip: Option<Clip>,
    /// Steps between evaluations.
    pub evaluate_every: u64,
    /// Episodes an evaluation.
    pub episodes: usize,
    /// Train on that many fixed episodes of the goal again and again, and evaluate on them.
    pub overfit: Option<usize>,
}

/// One task of a curriculum.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// The task.
    pub task: Instance,
    /// For how many steps.
    pub steps: u64,
}

impl Settings {
    /// Trains on that many fixed episodes of the goal, and evaluates on them.
    pub fn overfit(&mut self, count: usize) {
        self.overfit = Some(count);
        self.episodes = count;
        // More than all of them at once teaches nothing more.
        self.batch = self.batch.min(count);
    }

    /// Steps of all lessons: the horizon of the block.
    #[must_use]
    pub fn horizon(&self) -> u64 {
        self.lessons.iter().map(|lesson| lesson.steps).fold(0, u64::saturating_add)
    }

    /// The task of a step, counted from 0.
    #[must_use]
    pub fn task_at(&self, step: u64) -> &Instance {
        if self.overfit.is_some() {
            return self.goal();
        }
        let mut end = 0u64;
        let current = self.lessons.iter().find(|lesson| {
            end = end.saturating_add(lesson.steps);
            step < end
        });
        &current.or(self.lessons.last()).expect("a block has a task").task
    }

    /// The task that the run is judged by: the last.
    #[must_use]
    pub fn goal(&self) -> &Instance {
        &self.lessons.last().expect("a block has a task").task
    }

    /// The stream of the episodes of an evaluation.
    #[must_use]
    pub fn examined(&self) -> &'static str {
        if self.overfit.is_some() { "episode" } else { "evaluation" }
    }

    /// The learning rate of a step, counted from 0.
    #[must_use]
    pub fn rate_at(&self, step: u64) -> f64 {
        self.rate * self.schedule.factor(step, self.horizon())
    }

    /// Whether a state still lacks its evaluation: one is due, and the line that it ends is open.
    fn evaluates(&self, state: &State) -> bool {
        state.step.is_multiple_of(self.evaluate_every) && state.window.steps > 0
    }

    /// Whether a line of metrics ends after this many steps: often at first, then at a pace that
    /// gives the whole block about 500 lines.
    #[must_use]
    pub fn logs_after(&self, steps: u64) -> bool {
        let pace = (self.horizon() / 500).clamp(1, 100);
        let early = 10u64.pow(steps.max(1).ilog10());
        steps.is_multiple_of(pace.min(early))
    }
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All steps were done.
    Done,
    /// The time was up.
    Time,
    /// Interrupted from the keyboard (exit code 130).
    Interrupt,
    /// Asked to end (exit code 143).
    Terminate,
}

/// Why the loop failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// A number went bad.
    NotFinite {
        /// The step, counted from 1.
        step: u64,
        /// Which number.
        what: &'static str,
        /// A gradient component's parameter, if it is known.
        param: Option<String>,
    },
    /// Saving failed.
    Run(crate::run::Error),
}

impl From<crate::run::Error> for Error {
    fn from(error: crate::run::Error) -> Error {
        Error::Run(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::NotFinite { step, what, param: Some(param) } => {
                write!(out, "the {what} of `{param}` is not finite at step {step}")
            }
            Error::NotFinite { step, what, param: None } => {
                write!(out, "the {what} is not finite at step {step}")
            }
            Error::Run(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Error {}

/// Who is told about progress, and may end it.
pub trait Observer {
    /// Asked before every step.
    fn stop(&mut self) -> Option<Stop>;

    /// After every step: the state and the step's loss, in nats a sequence.
    fn step(&mut self, state: &State, loss: f64);

    /// A line of metrics is complete.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn line(&mut self, line: &Line) -> Result<(), crate::run::Error>;

    /// Asked after every step: whether the last save is too long ago.
    fn due(&mut self) -> bool {
        false
    }

    /// A good moment to save; `best`: no evaluation so far was better.
    ///
    /// # Errors
    /// If it cannot be saved.
    fn save(
        &mut self,
        session: &Session,
        state: &State,
        best: bool,
    ) -> Result<(), crate::run::Error>;
}

/// An observer that keeps nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn stop(&mut self) -> Option<Stop> {
        None
    }

    fn step(&mut self, _: &State, _: f64) {}

    fn line(&mut self, _: &Line) -> Result<(), crate::run::Error> {
        Ok(())
    }

    fn save(&mut self, _: &Session, _: &State, _: bool) -> Result<(), crate::run::Error> {
        Ok(())
    }
}

/// Trains until `state.step` reaches `steps`, the observer says stop, or a number goes bad.
///
/// # Errors
/// If a loss, gradient or parameter is not finite, or the observer fails. The last saved state stays.
pub fn train(
    session: &mut Session,
    settings: &Settings,
    state: &mut State,
    steps: u64,
    observer: &mut dyn Observer,
) -> Result<Stop, Error> {
    loop {
        if settings.evaluates(state) {
            let mut stop = None;
            let found = evaluate_until(session, settings, state.step, &mut || {
                stop = observer.stop();
                stop.is_some()
            })?;
            let Some(found) = found else {
                // The state still lacks the evaluation: whoever goes on begins with it.
                observer.save(session, state, false)?;
                return Ok(stop.unwrap_or(Stop::Done));
            };
            let better = state.judge(settings.goal().task.score, &found);
            observer.line(&state.line(settings, Some(&found)))?;
            observer.save(session, state, better)?;
        }
        if state.step >= steps {
            break;
        }
        if let Some(stop) = observer.stop() {
            observer.save(session, state, false)?;
            return Ok(stop);
        }
        let loss = one_step(session, settings, state)?;
        observer.step(state, loss);
        if settings.evaluates(state) {
            continue;
        }
        if settings.logs_after(state.step) {
            observer.line(&state.line(settings, None))?;
        }
        if observer.due() {
            observer.save(session, state, false)?;
        }
    }
    // A run too short for an evaluation still leaves a best checkpoint: its last.
    observer.save(session, state, state.best.is_none())?;
    Ok(Stop::Done)
}

/// Draws a batch, learns from it and keeps count. Returns the loss in nats a sequence.
fn one_step(session: &mut Session, settings: &Settings, state: &mut State) -> Result<f64, Error> {
    let step = state.step;
    let task = settings.task_at(step);
    let (episodes, batch) = lesson(session, settings, step);
    let pace = Pace { step, rate: settings.rate_at(step), clip: settings.clip };
    let Learned { loss, norm, outcome } = learn(session, &batch, pace)?;
    let score = task.task.score.of;
    let outputs = outcome.roots.get("y").expect("the output was asked for");
    let scores = episodes.iter().enumerate();
    let score: f64 =
        scores.map(|(at, episode)| score(episode, &output_of(outputs, at, episode.steps()))).sum();
    state.count(episodes.len() as u64, outcome.loss.iter().sum(), score, norm);
    Ok(loss)
}

/// How far an optimiser step goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Its number, counted from 0.
    pub step: u64,
    /// The learning rate.
    pub rate: f64,
    /// What is done to a large gradient.
    pub clip: Option<Clip>,
}

/// What an optimiser step found.
#[derive(Clone, Debug)]
pub struct Learned {
    /// The loss before it, in nats a sequence.
    pub loss: f64,
    /// The norm of the mean gradient before clipping.
    pub norm: f64,
    /// All that the backend gave, with the output `y`.
    pub outcome: Outcome,
}

/// One optimiser step on a batch: forward, loss, backward, clipping, update.
///
/// # Errors
/// If a loss, gradient or parameter is not finite.
pub fn learn(session: &mut Session, batch: &Batch, pace: Pace) -> Result<Learned, Error> {
    let learned = session.learn(batch, &["y".to_owned()], (pace.rate, pace.clip));
    let crate::run::Learned { outcome, norm, trouble } = learned;
    let path = |param: usize| session.border().params[param].path.0.clone();
    let found = trouble.map(|trouble| match trouble {
        Trouble::Loss => ("loss", None),
        Trouble::Gradient(param) => ("gradient", param),
        Trouble::Value(param) => ("new value", Some(param)),
    });
    if let Some((what, param)) = found {
        return Err(Error::NotFinite { step: pace.step + 1, what, param: param.map(path) });
    }
    let loss = outcome.loss.iter().sum::<f64>() / batch.lengths.len() as f64;
    Ok(Learned { loss, norm, outcome })
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
