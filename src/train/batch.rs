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
    let draw = |at| task.episode(&mut Stream::new(seed, &[kind], &[step, at as u64]));
    (0..count).map(draw).collect()
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
    let task = settings.goal();
    let episodes = sample(task, settings.seed, "evaluation", 0, settings.episodes);
    let want = Want { roots: vec!["y".to_owned()], gradients: false };
    let (mut loss, mut score) = (0.0, 0.0);
    for (at, piece) in episodes.chunks(PIECE).enumerate() {
        let mut batch = assemble(&session.border().inputs, piece);
        let first = (at * PIECE) as u64;
        batch.starts = session.starts((settings.seed, "evaluation"), (0, first), piece.len());
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
    let count = episodes.len().max(1) as f64;
    Ok(Evaluation { episodes: episodes.len(), loss: loss / count, score: score / count })
}
