//! Running a program on bound tensors, and naming what comes out.
//!
//! In: a [`Compiled`] program and a [`Case`]. Out: [`Results`]: every array by name, and the forms that
//! made the given ones, through which gradients go back to the file.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::file::File;
use super::form::Form;
use super::place::{self, Lead};
use super::resolve::{Bindings, Case, LossKind, is_given};
use crate::backend::{Batch, Executable, Gradients, Outcome, Want};
use crate::graph::{self, Program};
use crate::tensor::Tensor;

/// A program with something that runs it.
pub struct Compiled {
    /// Names and shapes of its arrays.
    pub program: Program,
    /// What runs it.
    pub executable: Box<dyn Executable>,
    /// First states that are drawn: one entry a state, a tensor [B, sizes..] for so many samples.
    pub drawn: Box<dyn Fn(usize) -> Vec<Option<Tensor>>>,
    /// Paths of the values and states that are whole numbers.
    pub whole: BTreeSet<String>,
}

/// Makes programs out of the spec; the command line provides it.
pub trait Compile {
    /// What can go wrong, ours included.
    type Error: From<Error>;

    /// The program of these sizes and this loss.
    fn compile(&mut self, bindings: &Bindings) -> Result<Compiled, Self::Error>;
}

/// What came out of a run.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Arrays by name: `y`, `loss`, `value/<path>`, `next/<path>`, `final/<path>`, `start/<path>`,
    /// `grad/<given>`.
    pub arrays: BTreeMap<String, Tensor>,
    /// What the given arrays were made of, by name.
    pub given: BTreeMap<String, Form>,
}

/// Runs a case. Every parameter and input must be bound, and every name of the case must be known.
pub fn run(compiled: &mut Compiled, case: &Case, file: &File) -> Result<Results, Error> {
    let program = &compiled.program;
    let mut given = Given { case, file, forms: BTreeMap::new() };
    let params = each(&program.params, |array| given.required("param", array, Lead::None))?;
    let inputs = each(&program.inputs, |array| given.input(array, program))?;
    let mut starts = each(&program.states, |array| given.optional("init", array, Lead::Batch))?;
    for (start, drawn) in starts.iter_mut().zip((compiled.drawn)(case.batch)) {
        *start = start.take().or(drawn);
    }
    let forms = given.forms;
    let roots = roots(program, case);
    check_names(program, case, &roots)?;
    let batch = Batch { lengths: vec![case.steps; case.batch], inputs, starts };
    let want = Want { roots, gradients: case.bindings.gradients };
    let first = compiled.executable.starts(&params);
    let outcome = compiled.executable.run(&params, &batch, &want);
    let mut results = name(&compiled.program, outcome);
    for ((state, own), bound) in compiled.program.states.iter().zip(first).zip(&batch.starts) {
        let repeated = || broadcast(&own, case.batch);
        let start = bound.clone().unwrap_or_else(repeated);
        results.insert(format!("start/{}", state.path), start);
    }
    Ok(Results { arrays: results, given: forms })
}

fn each<T>(
    arrays: &[graph::Array],
    get: impl FnMut(&graph::Array) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    arrays.iter().map(get).collect()
}

fn broadcast(own: &Tensor, batch: usize) -> Tensor {
    let shape = [&[batch], own.shape()].concat();
    own.broadcast(shape).map(|wide| wide.to_owned()).unwrap_or_else(|| own.clone())
}

/// Collects the tensors to run on and the forms that made them.
struct Given<'a> {
    case: &'a Case,
    file: &'a File,
    forms: BTreeMap<String, Form>,
}

impl Given<'_> {
    fn optional(
        &mut self,
        kind: &str,
        array: &graph::Array,
        lead: Lead,
    ) -> Result<Option<Tensor>, Error> {
        let path = array.path.0.as_str();
        let form = place::assemble(self.case, kind, path, &array.shape(), lead)?;
        Ok(form.map(|form| {
            let tensor = form.apply(&self.file.numbers);
            let name = if kind.is_empty() { path.to_owned() } else { format!("{kind}/{path}") };
            self.forms.insert(name, form);
            tensor
        }))
    }

    fn required(&mut self, kind: &str, array: &graph::Array, lead: Lead) -> Result<Tensor, Error> {
        let found = self.optional(kind, array, lead)?;
        found.ok_or_else(|| {
            let name = format!("{kind}/{}", array.path);
            let bound = self.case.arrays.iter().map(|bound| bound.name.as_str());
            let near = crate::diag::nearest(&name, bound.filter(|name| is_given(name)));
            let hint = near.map(|near| format!("; `{near}` is")).unwrap_or_default();
            Error::data(name, format!("nothing is bound to it (shape {:?}){hint}", array.shape()))
        })
    }

    /// An input: the model's own by `x/<name>`, or `x` for the only one; what a loss needs by name.
    fn input(&mut self, array: &graph::Array, program: &Program) -> Result<Tensor, Error> {
        let path = array.path.0.as_str();
        if path == "mask" || path == "target" || path.starts_with("cotangent/") {
            if let Some(tensor) = self.optional("", array, Lead::Steps)? {
                return Ok(tensor);
            }
            if path == "mask" {
                let shape = [&[self.case.steps, self.case.batch], &array.shape()[..]].concat();
                return Ok(Tensor::ones(shape));
            }
            return Err(Error::data(path, "nothing is bound to it"));
        }
        let own = |array: &&graph::Array| !is_given(&array.path.0) || array.path.0 == "x";
        let alone = program.inputs.iter().filter(own).count() == 1;
        if (alone || path == "x") && self.case.arrays.iter().any(|bound| bound.name == "x") {
            // The form is remembered under the name of the gradient: `x/<input>`.
            let renamed = graph::Array { path: graph::Path("x".to_owned()), ..array.clone() };
            let tensor = self.optional("", &renamed, Lead::Steps)?;
            if let Some(form) = self.forms.remove("x") {
                self.forms.insert(format!("x/{path}"), form);
            }
            return tensor.ok_or_else(|| Error::data("x", "nothing is bound to it"));
        }
        self.required("x", array, Lead::Steps)
    }
}

/// The roots to keep: the output, and the value, or else the state, of every path asked for.
fn roots(program: &Program, case: &Case) -> Vec<String> {
    let names = || program.step.roots.iter().map(|(path, _)| path.0.as_str());
    let mut roots = vec!["y".to_owned()];
    for wanted in &case.bindings.traces {
        for kind in ["value/", "next/"] {
            let found: Vec<String> = names()
                .filter(|root| root.strip_prefix(kind).is_some_and(|path| meets(wanted, path)))
                .map(str::to_owned)
                .collect();
            if !found.is_empty() {
                roots.extend(found);
                break;
            }
        }
    }
    roots.sort();
    roots.dedup();
    roots
}

fn meets(wanted: &str, path: &str) -> bool {
    place::meet(wanted, path).is_some()
}

/// Every given name of the map must mean an array of the program.
fn check_names(program: &Program, case: &Case, roots: &[String]) -> Result<(), Error> {
    let mut known: Vec<String> = Vec::new();
    known.extend(program.params.iter().map(|array| format!("param/{}", array.path)));
    known.extend(program.states.iter().map(|array| format!("init/{}", array.path)));
    let special = |path: &str| is_given(path) && path != "x";
    known.extend(program.inputs.iter().map(|array| match array.path.0.as_str() {
        path if special(path) => path.to_owned(),
        path => format!("x/{path}"),
    }));
    for bound in &case.arrays {
        let name = bound.name.as_str();
        if is_given(name)
            && name != "x"
            && !known.iter().any(|array| place::meet(name, array).is_some())
        {
            return Err(place::unknown(name, &known));
        }
    }
    for wanted in &case.bindings.traces {
        let found = roots
            .iter()
            .any(|root| root.split_once('/').is_some_and(|(_, path)| meets(wanted, path)));
        // The output's own name may have no root beside `y`.
        if !found && !case.arrays.iter().any(|bound| bound.name == format!("y/{wanted}")) {
            let values = program.step.roots.iter();
            let values = values.filter_map(|(path, _)| path.0.strip_prefix("value/"));
            return Err(place::unknown(wanted, &values.map(str::to_owned).collect::<Vec<_>>()));
        }
    }
    Ok(())
}

/// Everything that came out, by name.
fn name(program: &Program, outcome: Outcome) -> BTreeMap<String, Tensor> {
    let mut arrays = outcome.roots;
    let loss = outcome.loss.iter().sum::<f64>();
    arrays.insert("loss".to_owned(), Tensor::from_elem(ndarray::IxDyn(&[1]), loss));
    for (state, last) in program.states.iter().zip(outcome.finals) {
        arrays.insert(format!("final/{}", state.path), last);
    }
    if let Some(Gradients { params, inputs, starts }) = outcome.gradients {
        let named = |kind: &'static str, list: &[graph::Array], tensors: Vec<Tensor>| {
            let names = list.iter().map(|array| format!("grad/{kind}/{}", array.path));
            names.zip(tensors).collect::<Vec<_>>()
        };
        arrays.extend(named("param", &program.params, params));
        arrays.extend(named("init", &program.states, starts));
        arrays.extend(named("x", &program.inputs, inputs));
    }
    arrays
}

impl Results {
    /// The file that `ntmc exec` writes of a case: results, the traces asked for, last states, the loss,
    /// and gradients with respect to everything the program learns, starts from or reads.
    #[must_use]
    pub fn output(&self, compiled: &Compiled, case: &Case) -> File {
        let program = &compiled.program;
        let named: Vec<(&String, String)> = self
            .arrays
            .keys()
            .filter_map(|name| Some((name, renamed(name, program, case)?)))
            .map(|(name, new)| (name, format!("{}{new}", case.prefix)))
            .collect();
        let arrays = named.iter().map(|(name, new)| (new.clone(), self.arrays[*name].clone()));
        let is_whole = |name: &str| {
            let value = name.split_once('/').filter(|(kind, _)| *kind != "grad");
            value.is_some_and(|(_, path)| compiled.whole.contains(path))
        };
        let whole = named.iter().filter(|(name, _)| is_whole(name));
        File {
            whole: whole.map(|(_, new)| new.clone()).collect(),
            ..File::of("", &arrays.collect())
        }
    }
}

/// What an array is called in the file that `ntmc exec` writes; nothing for those that are left out.
fn renamed(name: &str, program: &Program, case: &Case) -> Option<String> {
    let result = |path: &str| match &case.bindings.loss {
        LossKind::Cotangents(paths) => paths.iter().any(|one| one == path),
        LossKind::HalfSquares | LossKind::Domain { .. } => false,
    };
    if let Some(path) = name.strip_prefix("value/").or_else(|| name.strip_prefix("next/")) {
        let kind = if result(path) { "y" } else { "trace" };
        return Some(format!("{kind}/{path}"));
    }
    if let Some(input) = name.strip_prefix("grad/x/") {
        let own = |path: &str| !is_given(path) || path == "x";
        let mut inputs =
            program.inputs.iter().map(|array| array.path.0.as_str()).filter(|p| own(p));
        let alone = input == "x" && inputs.next() == Some("x") && inputs.next().is_none();
        return own(input).then(|| if alone { "grad/x".to_owned() } else { name.to_owned() });
    }
    (!name.starts_with("start/")).then(|| name.to_owned())
}
