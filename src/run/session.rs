//! A program, a backend and all the numbers between them.

use super::{Batch, Error, Executable, Facts, Outcome, Precision, Want, start};
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
    backend: Box<dyn Executable>,
    precision: Precision,
    params: Vec<Tensor>,
    slots: Vec<Tensor>,
    frozen: Vec<bool>,
    /// Whether the backend has seen the parameters.
    seen: bool,
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
        mut backend: Box<dyn Executable>,
        precision: Precision,
        seed: u64,
    ) -> Result<Session, Error> {
        let mut params = Vec::new();
        for array in &border.params {
            let found = model.params.iter().find(|param| param.path == array.path.0);
            let param = found.expect("a program has the parameters of its model");
            params.push(rounded(start::draw(param, seed)?, precision));
        }
        let slots = backend.slots().into_iter().map(|slot| rounded(slot, precision)).collect();
        let frozen = vec![false; params.len()];
        let draw = |array: &Array| {
            let found = model.states.iter().find(|state| state.path == array.path.0);
            found.and_then(|state| state.draw.clone())
        };
        let draws = border.states.iter().map(draw).collect();
        Ok(Session { border, backend, precision, params, slots, frozen, seen: false, draws })
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

    /// Parameters, one an entry of the border.
    #[must_use]
    pub fn params(&self) -> &[Tensor] {
        &self.params
    }

    /// Slots of the optimiser.
    #[must_use]
    pub fn slots(&self) -> &[Tensor] {
        &self.slots
    }

    /// Number of parameters, counted as numbers.
    #[must_use]
    pub fn size(&self) -> usize {
        self.params.iter().map(Tensor::len).sum()
    }

    /// Replaces parameters and slots, for example by those of a checkpoint.
    pub fn restore(&mut self, params: Vec<Tensor>, slots: Vec<Tensor>) {
        assert_eq!(params.len(), self.params.len());
        self.seen = false;
        self.params = params.into_iter().map(|one| rounded(one, self.precision)).collect();
        self.slots = slots.into_iter().map(|one| rounded(one, self.precision)).collect();
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
    pub fn run(&mut self, batch: &Batch, want: &Want) -> Outcome {
        if std::mem::replace(&mut self.seen, true) {
            return self.backend.run_again(&self.params, batch, want);
        }
        self.backend.run(&self.params, batch, want)
    }

    /// What the last run took.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.backend.facts()
    }

    /// The gradient as one vector of P numbers, 0 for frozen parameters.
    #[must_use]
    pub fn join(&self, tensors: &[Tensor]) -> Tensor {
        let mut all = Vec::with_capacity(self.size());
        for (part, frozen) in tensors.iter().zip(&self.frozen) {
            if *frozen {
                all.resize(all.len() + part.len(), 0.0);
            } else {
                append(&mut all, part);
            }
        }
        Tensor::from_shape_vec(vec![all.len()], all).expect("one axis")
    }

    /// One optimiser step with a joined gradient.
    pub fn update(&mut self, gradient: &Tensor, rate: f64) {
        self.seen = false;
        let mut all = Vec::with_capacity(self.size());
        self.params.iter().for_each(|part| append(&mut all, part));
        let value = Tensor::from_shape_vec(vec![all.len()], all).expect("one axis");
        let next = self.backend.update(&value, gradient, rate, &mut self.slots);
        let mut rest = next.as_slice().expect("one axis");
        for (param, frozen) in self.params.iter_mut().zip(&self.frozen) {
            let (own, others) = rest.split_at(param.len());
            rest = others;
            // Decay of weights would move even a parameter whose gradient is 0.
            if !frozen {
                let shape = param.raw_dim();
                let own = own.iter().map(|number| round(*number, self.precision)).collect();
                *param = Tensor::from_shape_vec(shape, own).expect("as many numbers");
            }
        }
        let precision = self.precision;
        self.slots.iter_mut().for_each(|slot| slot.mapv_inplace(|value| round(value, precision)));
    }
}

/// Appends the numbers of a tensor.
fn append(all: &mut Vec<f64>, part: &Tensor) {
    match part.as_slice() {
        Some(numbers) => all.extend_from_slice(numbers),
        None => all.extend(part.iter()),
    }
}

#[inline]
fn round(value: f64, precision: Precision) -> f64 {
    match precision {
        Precision::F32 => f64::from(value as f32),
        Precision::F64 => value,
    }
}

fn rounded(tensor: Tensor, precision: Precision) -> Tensor {
    tensor.mapv_into(|value| round(value, precision))
}
