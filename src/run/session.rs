//! A program, a backend and all the numbers between them.

use super::{
    Advance, Batch, Clip, Error, Facts, Held, Learned, Outcome, Precision, Timed, Trainable, Want,
    start,
};
use crate::graph::{Array, Program};
use crate::model::flat;
use crate::tensor::Tensor;

/// Names and shapes at the border of a program.
#[derive(Clone, Debug, Default)]
pub struct Border {
    /// Parameters.
    pub params: Vec<Array>,
    /// Inputs of a step: the model's own, then `target` and `mask`.
    pub inputs: Vec<Array>,
    /// States.
    pub states: Vec<Array>,
    /// Slots of the optimiser.
    pub slots: Vec<Array>,
    /// Everything that can be traced, by full root name: `y`, `value/read.w`.
    pub traces: Vec<(String, Vec<u32>)>,
}

impl Border {
    /// The border of a program.
    #[must_use]
    pub fn of(program: &Program) -> Border {
        let roots = program.step.roots.iter();
        let traced = roots.filter(|(path, _)| path.0 == "y" || path.0.starts_with("value/"));
        Border {
            params: program.params.clone(),
            inputs: program.inputs.clone(),
            states: program.states.clone(),
            slots: program.update.as_ref().map_or_else(Vec::new, |update| update.slots.clone()),
            traces: traced.map(|(path, read)| (path.0.clone(), read.sizes.clone())).collect(),
        }
    }
}

/// A model that can be run and trained.
pub struct Session {
    border: Border,
    backend: Box<dyn Trainable>,
    precision: Precision,
    frozen: Vec<bool>,
    /// How each state is drawn anew in every episode; nothing for the others.
    draws: Vec<Option<flat::Draw>>,
}

impl Session {
    /// A session with freshly drawn parameters.
    ///
    /// # Errors
    /// If the start of a parameter cannot be evaluated.
    pub fn new(
        border: Border,
        model: &flat::Model,
        mut backend: Box<dyn Trainable>,
        precision: Precision,
        seed: u64,
    ) -> Result<Session, Error> {
        let mut params = Vec::new();
        for array in &border.params {
            let found = model.params.iter().find(|param| param.path == array.path.0);
            let param = found.expect("a program has the parameters of its model");
            params.push(start::draw(param, seed)?);
        }
        let slots = backend.slots();
        backend.hold(&params, &slots);
        let frozen = vec![false; params.len()];
        let draw = |array: &Array| {
            let found = model.states.iter().find(|state| state.path == array.path.0);
            found.and_then(|state| state.draw.clone())
        };
        let draws = border.states.iter().map(draw).collect();
        Ok(Session { border, backend, precision, frozen, draws })
    }

    /// Names and shapes.
    #[must_use]
    pub fn border(&self) -> &Border {
        &self.border
    }

    /// The type it computes in.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// A copy of the parameters and the slots of the optimiser, in the order of the border.
    #[must_use]
    pub fn held(&self) -> Held {
        self.backend.held()
    }

    /// Number of parameters, counted as numbers.
    #[must_use]
    pub fn size(&self) -> usize {
        self.border.params.iter().map(Array::len).sum()
    }

    /// Replaces parameters and slots, for example by those of a checkpoint.
    pub fn restore(&mut self, held: &Held) {
        assert_eq!(held.params.len(), self.border.params.len());
        self.backend.hold(&held.params, &held.slots);
    }

    /// Keeps a parameter, or all parameters of a part, as they are. Returns how many it found.
    pub fn freeze(&mut self, name: &str) -> usize {
        let mut found = 0;
        for (array, frozen) in self.border.params.iter().zip(&mut self.frozen) {
            let inside = array.path.0.strip_prefix(name);
            if inside.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])) {
                *frozen = true;
                found += 1;
            }
        }
        found
    }

    /// First states of episodes: those that are drawn anew for each. `kind` and `step` say which
    /// episodes these are, `first` the number of the first among them.
    #[must_use]
    pub fn starts(
        &self,
        seed: (u64, &str),
        (step, first): (u64, u64),
        samples: usize,
    ) -> Vec<Option<Tensor>> {
        let all = self.border.states.iter().zip(&self.draws);
        let one = |array: &Array, draw: &flat::Draw| {
            start::draw_state(array, draw, seed, (step, first), samples)
        };
        all.map(|(array, draw)| draw.as_ref().map(|draw| one(array, draw))).collect()
    }

    /// Runs a batch with the current parameters.
    ///
    /// # Panics
    /// Where the batch is not one for the program; see [`Batch::fits`].
    pub fn run(&mut self, batch: &Batch, want: &Want) -> Outcome {
        self.backend.run_held(batch, want)
    }

    /// Begins a sequence whose inputs still come, from these first states; `root` is told at each step.
    pub(super) fn open(&mut self, starts: &[Option<Tensor>], root: &str) {
        self.backend.open(starts, root);
    }

    /// The next step of that sequence.
    pub(super) fn answer(&mut self, inputs: &[Tensor]) -> Tensor {
        self.backend.answer(inputs)
    }

    /// One step of training on a batch; frozen parameters stay. `roots` are told as by a run.
    ///
    /// # Panics
    /// As [`Session::run`], and where the batch is empty.
    pub fn learn(
        &mut self,
        batch: &Batch,
        roots: &[String],
        (rate, clip): (f64, Option<Clip>),
    ) -> Learned {
        self.backend.learn(batch, roots, &Advance { rate, clip, frozen: &self.frozen })
    }

    /// From now on takes the time of each function of what has run so far.
    pub fn measure(&mut self) {
        self.backend.measure();
    }

    /// What each function took since then.
    #[must_use]
    pub fn spent(&self) -> Vec<Timed> {
        self.backend.spent()
    }

    /// What the last run took.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.backend.facts()
    }
}
