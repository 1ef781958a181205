//! A spec made ready for `exec` and `verify`: sizes from a map, then graphs, then a backend.

use crate::backend::Precision;
use crate::compile::{self, Choices, Purpose, Spec};
use crate::error::Error;
use crate::graph::Array;
use crate::model::flat::{Draw, Sort};
use crate::model::{Given, Loss};
use crate::run::draw_state;
use crate::vectors::{Bindings, Compile, Compiled, LossKind, Value};

use super::backend::Backend;
use super::input;

/// The compiler as the room of vectors sees it.
pub(super) struct Front {
    spec: Spec,
    choices: Choices,
    precision: Precision,
    backend: Backend,
    seed: u64,
}

impl Front {
    /// Reads a spec.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(path: &str, engine: &super::exec::Engine) -> Result<Front, Error> {
        let (precision, backend) = (engine.precision, engine.backend);
        let (spec, choices) = (input::spec(path)?, engine.pick.choices());
        Ok(Front { spec, choices, precision, backend, seed: 0 })
    }

    /// With the seed of first states that are drawn.
    pub(super) fn with_seed(self, seed: u64) -> Front {
        Front { seed, ..self }
    }
}

impl Compile for Front {
    type Error = Error;

    fn compile(&mut self, bindings: &Bindings) -> Result<Compiled, Error> {
        let choice = self.spec.choose(&self.choices)?;
        let mut given = Vec::new();
        for (name, value) in &bindings.sizes {
            given.push((name.clone(), as_given(name, value)?));
        }
        let loss = match &bindings.loss {
            LossKind::HalfSquares => Loss::HalfSquares,
            LossKind::Domain { mask } => Loss::Target { masked: *mask },
            LossKind::Cotangents(paths) => Loss::Cotangents(paths.clone()),
        };
        // Sizes come from the map; without one, from the task of the train block.
        let ports = if given.is_empty() { self.spec.purpose(&choice)?.ports } else { None };
        let purpose = Purpose { ports, loss, everything: true, given, alone: false };
        let model = self.spec.elaborate(&choice, &purpose)?;
        let mut program = compile::forward(&model);
        if bindings.gradients {
            program = compile::with_adjoints(program);
        }
        let program = compile::optimised(program);
        let budget = input::within_memory(None, "one step of this model", |limit| {
            self.backend.budget(&program, (1, 1), (1, self.precision), limit)
        })?;
        let executable = self.backend.ready(&program, self.precision, &budget)?;
        let draws: Vec<_> = model.states.iter().map(|state| state.draw.clone()).collect();
        let (arrays, seed) = (program.states.clone(), self.seed);
        let drawn = Box::new(move |samples: usize| {
            let one = |(array, draw): (&Array, &Option<Draw>)| {
                let draw = draw.as_ref()?;
                Some(draw_state(array, draw, (seed, "exec"), (0, 0), samples))
            };
            arrays.iter().zip(&draws).map(one).collect()
        });
        let whole = |sort: Sort| matches!(sort, Sort::Int | Sort::Index { .. });
        let values = model.values.iter().map(|one| (one.sort, &one.path));
        let states = model.states.iter().map(|one| (one.sort, &one.path));
        let whole = values.chain(states).filter(|(sort, _)| whole(*sort));
        let whole = whole.map(|(_, path)| path.clone()).collect();
        Ok(Compiled { program, executable, drawn, whole })
    }
}

fn as_given(name: &str, value: &Value) -> Result<Given, Error> {
    let whole = |value: &Value| match value {
        Value::Int(value) => Some(*value as f64),
        Value::Real(_) | Value::Truth(_) | Value::Text(_) | Value::List(_) | Value::Record(_) => {
            None
        }
    };
    let given = match value {
        Value::Int(value) => Some(Given::Number(*value as f64)),
        Value::Real(value) => Some(Given::Number(*value)),
        Value::Truth(value) => Some(Given::Truth(*value)),
        Value::List(all) => all.iter().map(whole).collect::<Option<Vec<f64>>>().map(Given::List),
        Value::Text(_) | Value::Record(_) => None,
    };
    given.ok_or_else(|| {
        Error::Check(format!("the map gives `{name}` something that is no number, switch or list"))
    })
}
