//! From episodes to batches and back.

use super::{Error, Settings};
use crate::random::Stream;
use crate::run::{Array, Batch, Session, Want};
use crate::task::{Episode, Instance};
use crate::tensor::Tensor;

/// How many episodes one call of an evaluation takes.
pub const PIECE: usize = 64;

/// Episodes of one step; each has a stream of its own, so that their number changes none of them.
#[must_use]
pub fn sample(task: &Instance, seed: u64, kind: &str, step: u64, count: usize) -> Vec<Episode> {
    draw(task, (seed, kind, step), 0..count)
}

/// The same for those of some numbers.
#[must_use]
pub fn draw(
    task: &Instance,
    (seed, kind, step): (u64, &str, u64),
    numbers: std::ops::Range<usize>,
) -> Vec<Episode> {
    let one = |at| task.episode(&mut Stream::new(seed, &[kind], &[step, at as u64]));
    numbers.map(one).collect()
}

/// The episodes of a training step, counted from 0, and their batch.
#[must_use]
pub fn lesson(session: &Session, settings: &Settings, step: u64) -> (Vec<Episode>, Batch) {
    let (seed, inputs) = (settings.seed, &session.border().inputs);
    let Some(fixed) = settings.overfit else {
        let episodes = sample(settings.task_at(step), seed, "episode", step, settings.batch);
        let mut batch = assemble(inputs, &episodes);
        batch.starts = session.starts((seed, "episode"), (step, 0), episodes.len());
        return (episodes, batch);
    };
    let first = step.wrapping_mul(settings.batch as u64);
    let numbers = (0..settings.batch as u64).map(|at| first.wrapping_add(at) % fixed as u64);
    let numbers: Vec<usize> = numbers.map(|number| number as usize).collect();
    let one = |at: &usize| draw(settings.task_at(step), (seed, "episode", 0), *at..*at + 1);
    let episodes: Vec<Episode> = numbers.iter().flat_map(one).collect();
    let mut batch = assemble(inputs, &episodes);
    let one = |at: &usize| session.starts((seed, "episode"), (0, *at as u64), 1);
    batch.starts = side_by_side(numbers.iter().map(one).collect());
    (episodes, batch)
}

/// First states of single samples as those of one batch.
fn side_by_side(samples: Vec<Vec<Option<Tensor>>>) -> Vec<Option<Tensor>> {
    let states = samples.first().map_or(0, Vec::len);
    let of = |state: usize| {
        let rows: Option<Vec<_>> =
            samples.iter().map(|sample| sample[state].as_ref().map(|row| row.view())).collect();
        let rows = rows?;
        Some(ndarray::concatenate(ndarray::Axis(0), &rows).expect("all of one state"))
    };
    (0..states).map(of).collect()
}

/// How many batches an evaluation has.
#[must_use]
pub fn trials(settings: &Settings) -> usize {
    settings.episodes.div_ceil(PIECE)
}

/// The mean score, on the episodes of an evaluation, of the best model there can be; nothing where the
/// target itself is the best answer.
#[must_use]
pub fn best_score(settings: &Settings) -> Option<f64> {
    let task = settings.goal();
    task.task.oracle?;
    let numbers = 0..settings.episodes;
    let episodes = draw(task, (settings.seed, settings.examined(), 0), numbers);
    let score = |episode: &Episode| (task.task.score.of)(episode, &task.oracle(episode));
    Some(episodes.iter().map(score).sum::<f64>() / settings.episodes.max(1) as f64)
}

/// The episodes of one of the batches of an evaluation, and the batch.
#[must_use]
pub fn trial(session: &Session, settings: &Settings, number: usize) -> (Vec<Episode>, Batch) {
    let (seed, kind) = (settings.seed, settings.examined());
    let first = number * PIECE;
    let numbers = first..(first + PIECE).min(settings.episodes);
    let episodes = draw(settings.goal(), (seed, kind, 0), numbers);
    let mut batch = assemble(&session.border().inputs, &episodes);
    batch.starts = session.starts((seed, kind), (0, first as u64), episodes.len());
    (episodes, batch)
}

/// A batch in the order of a program's inputs: its own first input is the episodes', `target` and
/// `mask` are found by name. Shorter episodes are padded with zeros.
#[must_use]
pub fn assemble(inputs: &[Array], episodes: &[Episode]) -> Batch {
    let lengths: Vec<usize> = episodes.iter().map(Episode::steps).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let stack = |array: &Array| {
        let mut shape = vec![longest, episodes.len()];
        shape.extend(array.shape());
        let mut all = Tensor::zeros(shape);
        for (at, episode) in episodes.iter().enumerate() {
            let part = match array.path.0.as_str() {
                "target" => &episode.target,
                "mask" => &episode.mask,
                _ => &episode.inputs,
            };
            for (step, row) in part.outer_iter().enumerate() {
                let mut to = all.index_axis_mut(ndarray::Axis(0), step);
                to.index_axis_mut(ndarray::Axis(0), at).assign(&row);
            }
        }
        all
    };
    Batch { inputs: inputs.iter().map(stack).collect(), lengths, starts: Vec::new() }
}

/// One sample of a traced value [T, B, ..], without the padding.
#[must_use]
pub fn output_of(traced: &Tensor, sample: usize, steps: usize) -> Tensor {
    let one = traced.index_axis(ndarray::Axis(1), sample);
    one.slice_axis(ndarray::Axis(0), ndarray::Slice::from(..steps)).to_owned()
}

/// Means over fresh episodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// How many episodes.
    pub episodes: usize,
    /// Loss in nats a sequence.
    pub loss: f64,
    /// The task's score.
    pub score: f64,
    /// Standard error of the loss; a single episode has none.
    pub loss_error: Option<f64>,
    /// Standard error of the score.
    pub score_error: Option<f64>,
}

/// A mean and its standard error.
fn mean(values: &[f64]) -> (f64, Option<f64>) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt()))
}

/// Evaluates on the goal of the run, after so many steps. The episodes are the same every time, and never
/// trained on unless a run overfits on purpose.
///
/// # Errors
/// If the loss is not finite.
pub fn evaluate(
    session: &mut Session,
    settings: &Settings,
    step: u64,
) -> Result<Evaluation, Error> {
    let found = evaluate_until(session, settings, step, &mut || false)?;
    Ok(found.expect("nobody ended it"))
}

/// The same, unless somebody ends it meanwhile: then nothing. `ends` is asked between two batches.
///
/// # Errors
/// If the loss is not finite.
pub fn evaluate_until(
    session: &mut Session,
    settings: &Settings,
    step: u64,
    ends: &mut dyn FnMut() -> bool,
) -> Result<Option<Evaluation>, Error> {
    let task = settings.goal();
    let want = Want { roots: vec!["y".to_owned()], gradients: false };
    let (mut loss, mut score) = (Vec::new(), Vec::new());
    for number in 0..trials(settings) {
        if ends() {
            return Ok(None);
        }
        let (piece, batch) = trial(session, settings, number);
        let outcome = session.run(&batch, &want);
        let outputs = outcome.roots.get("y").expect("the output was asked for");
        loss.extend_from_slice(&outcome.loss);
        for (at, episode) in piece.iter().enumerate() {
            score.push((task.task.score.of)(episode, &output_of(outputs, at, episode.steps())));
        }
    }
    let ((loss, loss_error), (score, score_error)) = (mean(&loss), mean(&score));
    if !loss.is_finite() {
        return Err(Error::NotFinite { step, what: "loss of an evaluation", param: None });
    }
    let episodes = settings.episodes;
    Ok(Some(Evaluation { episodes, loss, score, loss_error, score_error }))
}
