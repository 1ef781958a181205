//! One step at a time: a model that answers while its input still comes.
//!
//! In: a session, and the input of each step as it comes. Out: the output of that step. Invariant: the
//! answers are those of one run over all the inputs.

use super::Session;
use crate::tensor::Tensor;

/// A session in the middle of a sequence.
pub struct Streaming<'s> {
    session: &'s mut Session,
}

impl<'s> Streaming<'s> {
    /// Before the first step. States that are drawn anew for every sequence are drawn from the seed.
    #[must_use]
    pub fn new(session: &'s mut Session, seed: u64) -> Streaming<'s> {
        let starts = session.starts((seed, "stream"), (0, 0), 1);
        session.open(&starts, "y");
        Streaming { session }
    }

    /// One step. `input` holds the numbers of the model's input, as `[1, 1, sizes..]`; the output has
    /// the same form.
    ///
    /// # Panics
    /// Where the input has another size.
    #[must_use]
    pub fn step(&mut self, input: Tensor) -> Tensor {
        self.session.answer(&[input])
    }
}
