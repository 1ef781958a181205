//! One step at a time: a model that answers while its input still comes.
//!
//! In: a session, and the input of each step as it comes. Out: the output of that step. Invariant: the
//! answers are those of one run over all the inputs.

use super::{Batch, Session, Want};
use crate::tensor::Tensor;

/// A session in the middle of a sequence.
pub struct Streaming<'s> {
    session: &'s mut Session,
    /// One step of one sequence; its starts are the states that the last step left.
    batch: Batch,
    want: Want,
}

impl<'s> Streaming<'s> {
    /// Before the first step. States that are drawn anew for every sequence are drawn from the seed.
    #[must_use]
    pub fn new(session: &'s mut Session, seed: u64) -> Streaming<'s> {
        let starts = session.starts((seed, "stream"), (0, 0), 1);
        let batch = Batch { lengths: vec![1], inputs: Vec::new(), starts };
        let want = Want { roots: vec!["y".to_owned()], gradients: false };
        Streaming { session, batch, want }
    }

    /// One step. `input` holds the numbers of the model's input, as `[1, 1, sizes..]`; the output has
    /// the same form.
    #[must_use]
    pub fn step(&mut self, input: Tensor) -> Tensor {
        self.batch.inputs = vec![input];
        let mut outcome = self.session.run(&self.batch, &self.want);
        self.batch.starts = outcome.finals.into_iter().map(Some).collect();
        outcome.roots.remove("y").expect("the output was asked for")
    }
}
