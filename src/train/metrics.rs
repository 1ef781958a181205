//! What a run measures: running means between two lines, and the lines.

use serde::{Deserialize, Serialize};

use super::{Evaluation, Settings};
use crate::task::Score;

/// Where a run stands; together with the session this is everything that resuming needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Optimiser steps done.
    pub step: u64,
    /// Sequences seen.
    pub sequences: u64,
    /// What happened since the last line.
    pub window: Window,
    /// The best evaluation so far.
    pub best: Option<Evaluated>,
}

/// Sums over the steps since the last line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Steps.
    pub steps: u64,
    /// Sequences.
    pub sequences: u64,
    /// Of the loss of each sequence.
    pub loss: f64,
    /// Of the score of each sequence.
    pub score: f64,
    /// Of the gradient norm of each step.
    pub gradient_norm: f64,
}

/// One evaluation, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// After how many steps.
    pub step: u64,
    /// Mean loss in nats a sequence.
    pub loss: f64,
    /// Mean score.
    pub score: f64,
}

/// One line of `metrics.jsonl`: means since the line before. Holds no wall time, so that equal runs
/// give equal files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Steps done.
    pub step: u64,
    /// Sequences seen.
    pub sequences: u64,
    /// Loss in nats a sequence.
    pub loss: f64,
    /// The same in bits.
    pub bits_per_sequence: f64,
    /// What `score` is.
    pub score_name: String,
    /// The task's score, mean over sequences.
    pub score: f64,
    /// Norm of the gradient before clipping, mean over steps.
    pub gradient_norm: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// An evaluation on fresh episodes, where one was due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evaluation: Option<Evaluated>,
}

impl State {
    /// Adds one step.
    pub(super) fn count(&mut self, sequences: u64, loss: f64, score: f64, norm: f64) {
        self.step += 1;
        self.sequences += sequences;
        self.window.steps += 1;
        self.window.sequences += sequences;
        self.window.loss += loss;
        self.window.score += score;
        self.window.gradient_norm += norm;
    }

    /// Remembers an evaluation if it is the best; a smaller loss decides between equal scores.
    pub(super) fn judge(&mut self, score: Score, found: &Evaluation) -> bool {
        let better = self.best.is_none_or(|best| {
            score.better(found.score, best.score)
                || (found.score == best.score && found.loss < best.loss)
        });
        if better {
            self.best = Some(Evaluated { step: self.step, loss: found.loss, score: found.score });
        }
        better
    }

    /// The line that ends now; a new window begins.
    pub(super) fn line(&mut self, settings: &Settings, found: Option<&Evaluation>) -> Line {
        let window = std::mem::take(&mut self.window);
        let sequences = window.sequences.max(1) as f64;
        let last = self.step.saturating_sub(1);
        let loss = window.loss / sequences;
        Line {
            step: self.step,
            sequences: self.sequences,
            loss,
            bits_per_sequence: loss / std::f64::consts::LN_2,
            score_name: settings.task_at(last).task.score.name.to_owned(),
            score: window.score / sequences,
            gradient_norm: window.gradient_norm / window.steps.max(1) as f64,
            learning_rate: settings.rate_at(last),
            evaluation: found.map(|found| Evaluated {
                step: self.step,
                loss: found.loss,
                score: found.score,
            }),
        }
    }
}
