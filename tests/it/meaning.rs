//! What the features of the language mean: every file of `tests/ok` may say, in numbers worked out by
//! hand, what it computes (the form of these lines is that of [`parse`]). The interpreter must agree
//! before and after optimisation.
//!
//! On the left of `->`: inputs (one entry a time step; 0 where absent), parameters by path (`*.weight`
//! means all that end so; a drawn one is 0 unless given, any other starts as the spec says),
//! `prev NAME` for the state before the first step. A single number fills any shape. On the right: the
//! output or any value by path, `final NAME` and `start NAME` of states, `grad NAME` of an input, a
//! parameter or `prev NAME`, `loss`, `params` (how many numbers are learned), or an error's code.
//! Where `gradient` is given, the optimiser of the first train block takes a step for each of its entries.
//! Without a task the loss is half the sum of squares of the output.

pub(crate) mod parse;

use std::path::{Path, PathBuf};

use ndarray::IxDyn;
use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Executable, Precision, Trainable, Want};
use ntmc::compile::{self, Choices, Spec, Stage};
use ntmc::diag::Style;
use ntmc::error::Error;
use ntmc::graph::{Array, Program};
use ntmc::model::Model;
use ntmc::model::flat::Draw;
use ntmc::tensor::Tensor;

use crate::support::{beside, elaborate_chosen, program, source, specs_below};
use parse::{Claim, Expectation, Value, expectations};

/// How far a number may be from the one written, relative to the larger of 1 and its size.
const NEAR: f64 = 1e-11;

/// The model of a file with the overrides of an expectation.
fn model(path: &Path, sets: &[String]) -> Result<Model, Error> {
    let mut spec = Spec::read(source(path), &beside(path))?;
    let choice = spec.choose(&Choices { sets: sets.to_vec(), ..Choices::default() })?;
    elaborate_chosen(&spec, &choice, &[])
}

/// A value in a shape; one number fills it.
fn tensor(value: &Value, shape: &[usize]) -> Result<Tensor, String> {
    let flat = value.flat();
    if let Value::Number(number) = value {
        return Ok(Tensor::from_elem(IxDyn(shape), *number));
    }
    let count = flat.len();
    Tensor::from_shape_vec(IxDyn(shape), flat).map_err(|_| format!("{count} numbers for {shape:?}"))
}

/// Whether a name on the left means a path.
fn names(name: &str, path: &str) -> bool {
    name == path || name.strip_prefix('*').is_some_and(|end| path.ends_with(end))
}

/// What an expectation gives to one program.
struct Run<'a> {
    program: &'a Program,
    model: &'a Model,
    one: &'a Expectation,
}

impl Run<'_> {
    fn given(&self, kind: &str, path: &str) -> Option<&Value> {
        let name = |name: &str| match kind {
            "" => names(name, path),
            kind => name.strip_prefix(kind).is_some_and(|name| names(name, path)),
        };
        self.one.given.iter().rev().find(|(own, _)| name(own)).map(|(_, value)| value)
    }

    fn steps(&self) -> usize {
        let inputs = self.program.inputs.iter().filter_map(|input| self.given("", &input.path.0));
        let outputs = self.one.then.iter().filter_map(|claim| match claim {
            Claim::Equal(name, value) if !name.contains(' ') => Some(value),
            Claim::Equal(..) | Claim::Refused(_) => None,
        });
        inputs.chain(outputs).filter_map(Value::steps).max().unwrap_or(1)
    }

    fn inputs(&self, steps: usize) -> Result<Vec<Tensor>, String> {
        let one = |input: &Array| {
            let path = input.path.0.as_str();
            let absent = Value::Number(if path == "mask" { 1.0 } else { 0.0 });
            let shape = [&[steps, 1], &input.shape()[..]].concat();
            let value = self.given("", path).unwrap_or(&absent);
            tensor(value, &shape).map_err(|what| format!("{path}: {what}"))
        };
        self.program.inputs.iter().map(one).collect()
    }

    fn params(&self) -> Result<Vec<Tensor>, String> {
        let one = |array: &Array| {
            let path = array.path.0.as_str();
            if let Some(value) = self.given("", path) {
                return tensor(value, &array.shape()).map_err(|what| format!("{path}: {what}"));
            }
            let param = self.model.params.iter().find(|param| param.path == path).unwrap();
            match &param.start {
                Draw::Fixed(_) => ntmc::run::draw(param, 0).map_err(|error| error.to_string()),
                Draw::Uniform(..) | Draw::Normal(_) => Ok(Tensor::zeros(IxDyn(&array.shape()))),
            }
        };
        self.program.params.iter().map(one).collect()
    }

    fn starts(&self) -> Result<Vec<Option<Tensor>>, String> {
        let one = |array: &Array| {
            let shape = [&[1], &array.shape()[..]].concat();
            self.given("prev ", &array.path.0).map(|value| tensor(value, &shape)).transpose()
        };
        self.program.states.iter().map(one).collect()
    }

    /// Every name on the left must mean something.
    fn all_known(&self) -> Result<(), String> {
        let known = |name: &str| match name.strip_prefix("prev ") {
            Some(name) => self.program.states.iter().any(|state| names(name, &state.path.0)),
            None => {
                let arrays = self.program.inputs.iter().chain(&self.program.params);
                arrays.into_iter().any(|array| names(name, &array.path.0))
            }
        };
        let strange = self.one.given.iter().find(|(name, _)| !known(name));
        strange.map_or(Ok(()), |(name, _)| Err(format!("nothing is called {name}")))
    }

    fn check(&self) -> Result<(), String> {
        self.all_known()?;
        let steps = self.steps();
        let params = self.params()?;
        let batch =
            Batch { lengths: vec![steps], inputs: self.inputs(steps)?, starts: self.starts()? };
        let roots = self.program.step.roots.iter().map(|(path, _)| path.0.clone());
        let kept = roots.filter(|root| root == "y" || root.contains('/'));
        let kept = kept.filter(|root| !root.starts_with("grad/"));
        let want = Want { roots: kept.collect(), gradients: true };
        let mut interp = Interp::new(self.program, Precision::F64, 1);
        let firsts = interp.starts(&params);
        let outcome = interp.run(&params, &batch, &want);
        let found = outcome.gradients.as_ref().unwrap();
        let among = |arrays: &[Array], name: &str, tensors: &[Tensor]| {
            let at = arrays.iter().position(|array| array.path.0 == name)?;
            tensors.get(at).cloned()
        };
        let numbers = |name: &str| {
            let states = &self.program.states;
            if let Some(name) = name.strip_prefix("grad prev ") {
                return among(states, name, &found.starts);
            }
            if let Some(name) = name.strip_prefix("grad ") {
                let input = among(&self.program.inputs, name, &found.inputs);
                return input.or_else(|| among(&self.program.params, name, &found.params));
            }
            if let Some(name) = name.strip_prefix("final ") {
                return among(states, name, &outcome.finals);
            }
            if let Some(name) = name.strip_prefix("start ") {
                return among(states, name, &firsts);
            }
            let single = |number: f64| Some(Tensor::from_elem(IxDyn(&[1]), number));
            match name {
                "loss" => single(outcome.loss.iter().sum()),
                "params" => single(self.program.params.iter().map(|one| one.len() as f64).sum()),
                "y" => outcome.roots.get("y").cloned(),
                name => {
                    let kinds = ["value", "next"];
                    let full = kinds.map(|kind| format!("{kind}/{name}"));
                    full.iter().find_map(|full| outcome.roots.get(full)).cloned()
                }
            }
        };
        for claim in &self.one.then {
            let Claim::Equal(name, value) = claim else {
                return Err("it is not refused".to_owned());
            };
            let found = numbers(name).ok_or_else(|| format!("no {name}"))?;
            let wanted = tensor(value, found.shape()).map_err(|what| format!("{name}: {what}"))?;
            let near = |(found, wanted): (&f64, &f64)| {
                (found - wanted).abs() <= NEAR * wanted.abs().max(1.0)
            };
            if !found.iter().zip(&wanted).all(near) {
                let found: Vec<f64> = found.iter().copied().collect();
                return Err(format!("{name} is {found:?}, not {:?}", value.flat()));
            }
        }
        Ok(())
    }
}

/// Optimiser steps of the first train block: `gradient` has one entry a step, `value` is the parameter
/// before the first step on the left and after each on the right.
fn update(path: &Path, one: &Expectation) -> Result<(), String> {
    let shown = |error: Error| error.render(Style::Plain);
    let mut spec = Spec::read(source(path), &beside(path)).map_err(shown)?;
    let choices = Choices { sets: one.sets.clone(), ..Choices::default() };
    let choice = spec.choose(&choices).map_err(shown)?;
    let block = spec.block(&choice).map_err(shown)?;
    let given = |name: &str| one.given.iter().find(|(own, _)| own == name);
    let gradients = match given("gradient") {
        Some((_, Value::List(steps))) => steps,
        Some((_, Value::Number(_))) | None => return Err("gradient is a list of steps".to_owned()),
    };
    let size = gradients[0].flat().len();
    let (optimiser, rate) = spec.optimiser(&block, size as u32).map_err(shown)?;
    let model = elaborate_chosen(&spec, &choice, &[]).map_err(shown)?;
    let program = compile::with_optimiser(program(&model, Stage::Opt), &optimiser);
    let mut interp = Interp::new(&program, Precision::F64, 1);
    let mut slots = interp.slots();
    let mut value =
        tensor(given("value").map_or(&Value::Number(0.0), |(_, value)| value), &[size])?;
    let mut found = Vec::new();
    for gradient in gradients {
        value = interp.update(&value, &tensor(gradient, &[size])?, rate, &mut slots);
        found.extend(value.iter().copied());
    }
    match &one.then[..] {
        [Claim::Equal(name, wanted)] if name == "value" => {
            let wanted = tensor(wanted, &[found.len()])?;
            let near = |(found, wanted): (&f64, &f64)| (found - wanted).abs() <= NEAR;
            let right = found.iter().zip(&wanted).all(near);
            right.then_some(()).ok_or_else(|| format!("value is {found:?}"))
        }
        _ => Err("only `value` comes out of an update".to_owned()),
    }
}

/// Checks one expectation of a file.
fn check(path: &Path, one: &Expectation) -> Result<(), String> {
    if one.given.iter().any(|(name, _)| name == "gradient") {
        return update(path, one);
    }
    let model = match model(path, &one.sets) {
        Ok(model) => model,
        Err(Error::Spec { diagnostics, sources }) => {
            let codes: Vec<_> = diagnostics.sorted().iter().map(|one| one.code.0).collect();
            let [Claim::Refused(code)] = &one.then[..] else {
                return Err(Error::Spec { diagnostics, sources }.render(Style::Plain));
            };
            let right = codes == [code.as_str()];
            return right.then_some(()).ok_or_else(|| format!("refused with {codes:?}"));
        }
        Err(error) => return Err(error.render(Style::Plain)),
    };
    for stage in [Stage::Adjoint, Stage::Opt] {
        let program = program(&model, stage);
        Run { program: &program, model: &model, one }.check()?;
    }
    Ok(())
}

/// The files that say what they mean, with what they say.
fn meanings() -> Vec<(PathBuf, Vec<Expectation>)> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let all = expectations(&text);
        (path, all)
    };
    let all = specs_below("tests/ok").into_iter().map(read);
    all.filter(|(_, all)| !all.is_empty()).collect()
}

#[test]
fn specs_mean_what_they_say() {
    let mut wrong = String::new();
    for (path, all) in meanings() {
        for one in &all {
            if let Err(what) = check(&path, one) {
                let name = path.file_name().unwrap().display();
                wrong += &format!("{name}:{}: {what}\n", one.line);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
