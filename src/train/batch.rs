//! From episodes to batches and back.

use super::{Error, Settings};
use crate::random::Stream;
use crate::run::{Array, Batch, Session, Want};
use crate::task::{Episode, Instance};
use crate::tensor::Tensor;

/// How many episodes one call of an evaluation takes.
const PIECE: usize = 64;

/// Episodes of one step; each has a stream of its own, so that their number changes none of them.
#[must_use]
pub fn sample(task: &Instance, seed: u64, kind: &str, step: u64, count: usize) -> Vec<Episode> {
    draw(task, (seed, kind, step), 0..count)
}

/// The same for those of some numbers.
fn draw(
    task: &Instance,
    (seed, kind, step): (u64, &str, u64),
    numbers: std::ops::Range<usize>,
) -> Vec<Episode> {
    let one = |at| task.episode(&mut Stream::new(seed, &[kind], &[step, at as u64]));
    numbers.map(one).collect()
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
}

/// Evaluates on the goal of the run, after so many steps. The episodes are the same every time and never trained on.
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
    let (task, seed) = (settings.goal(), settings.seed);
    let want = Want { roots: vec!["y".to_owned()], gradients: false };
    let (mut loss, mut score) = (0.0, 0.0);
    for first in (0..settings.episodes).step_by(PIECE) {
        if ends() {
            return Ok(None);
        }
        let numbers = first..(first + PIECE).min(settings.episodes);
        let piece = draw(task, (seed, "evaluation", 0), numbers);
        let mut batch = assemble(&session.border().inputs, &piece);
        batch.starts = session.starts((seed, "evaluation"), (0, first as u64), piece.len());
        let outcome = session.run(&batch, &want);
        let outputs = outcome.roots.get("y").expect("the output was asked for");
        loss += outcome.loss.iter().sum::<f64>();
        for (at, episode) in piece.iter().enumerate() {
            score += (task.task.score.of)(episode, &output_of(outputs, at, episode.steps()));
        }
    }
    if !loss.is_finite() {
        return Err(Error::NotFinite { step, what: "loss of an evaluation", param: None });
    }
    let count = settings.episodes.max(1) as f64;
    Ok(Some(Evaluation { episodes: settings.episodes, loss: loss / count, score: score / count }))
}
