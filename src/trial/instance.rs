//! What is put to the trial: the models of a spec, and each of its definitions alone.
//!
//! In: a checked spec. Out: models with their claims. A definition alone is built at small sizes, all
//! different, that satisfy its `require`s; its arguments are inputs.

use crate::compile::{Choice, Choices, Purpose, Spec};
use crate::error::Error;
use crate::model::claim::Claims;
use crate::model::flat::Sort;
use crate::model::typed::{Def, DefId, DimKind};
use crate::model::{Given, Loss, Model};
use crate::random::Stream;
use crate::syntax::ast;

/// A model, or a definition alone.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Whether it is a definition alone.
    pub alone: bool,
    /// Equations, at sizes.
    pub model: Model,
    /// What is claimed of it.
    pub claims: Claims,
}

/// Small sizes, in the order in which dims get them.
const SIZES: [i64; 8] = [4, 3, 5, 2, 6, 7, 8, 9];
/// How many ways to hand them out are tried.
const MOST_TRIES: u64 = 200;

/// The definitions of a spec's own text, in order.
#[must_use]
pub fn definitions(spec: &Spec) -> Vec<(String, DefId)> {
    let named = |item: &ast::Item| {
        let ast::Item::Def(def) = item else { return None };
        let same = |one: &std::sync::Arc<Def>| {
            one.name == def.name.text && one.span.file == def.name.span.file
        };
        let at = spec.checked.defs.iter().position(same)?;
        Some((def.name.text.clone(), DefId(at as u32)))
    };
    spec.file.items.iter().filter_map(named).collect()
}

/// A definition alone.
///
/// # Errors
/// What is wrong with it at every choice of sizes that was tried.
pub fn alone(spec: &Spec, id: DefId) -> Result<Instance, Error> {
    let def = spec.checked.def(id);
    let choice = Choice { model: id, train: None, given: std::collections::BTreeMap::new() };
    let mut first = None;
    for attempt in 0..MOST_TRIES {
        let given = sizes(def, attempt);
        let purpose = Purpose { everything: true, alone: true, given, ..Purpose::default() };
        match built(spec, &choice, purpose) {
            Ok((model, claims)) => {
                return Ok(Instance { name: def.name.clone(), alone: true, model, claims });
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    let nothing = || Error::Check(format!("`{}` cannot be built alone", def.name));
    Err(first.unwrap_or_else(nothing))
}

/// The model whose loss is its result times random numbers, where that has gradients.
fn built(spec: &Spec, choice: &Choice, purpose: Purpose) -> Result<(Model, Claims), Error> {
    let (model, claims) = spec.elaborate_with_claims(choice, &purpose)?;
    if model.values.get(model.output as usize).is_none_or(|one| one.sort != Sort::Real) {
        return Ok((model, claims));
    }
    let loss = Loss::Cotangents(vec!["y".to_owned()]);
    spec.elaborate_with_claims(choice, &Purpose { loss, ..purpose })
}

/// A size for every dim that needs one: at first in order, later in some other.
fn sizes(def: &Def, attempt: u64) -> Vec<(String, Given)> {
    let mut left: Vec<i64> = SIZES.to_vec();
    let mut stream = Stream::new(attempt, &["sizes", &def.name], &[]);
    let mut next = || {
        if left.is_empty() {
            left = SIZES.to_vec();
        }
        let at = if attempt == 0 { 0 } else { stream.whole(0, left.len() as u32 - 1) as usize };
        left.remove(at)
    };
    let lengths: Vec<_> = def
        .dims
        .iter()
        .filter_map(|dim| match dim.kind {
            DimKind::List(length) => Some(length.0 as usize),
            DimKind::Explicit | DimKind::Implicit | DimKind::Int => None,
        })
        .collect();
    let mut given = Vec::new();
    for (at, dim) in def.dims.iter().enumerate() {
        let value = match dim.kind {
            DimKind::List(_) => Given::List(vec![next() as f64, next() as f64]),
            DimKind::Explicit | DimKind::Implicit if !lengths.contains(&at) => {
                Given::Number(next() as f64)
            }
            DimKind::Int if dim.default.is_none() => Given::Number(1.0),
            DimKind::Explicit | DimKind::Implicit | DimKind::Int => continue,
        };
        given.push((dim.name.clone(), value));
    }
    given
}

/// The chosen model of a spec, at the sizes of its task, or at small ones where nothing binds them.
///
/// # Errors
/// What is wrong with it.
pub fn chosen(spec: &mut Spec, choices: &Choices) -> Result<Instance, Error> {
    let choice = spec.choose(choices)?;
    let bound = spec.purpose(&choice)?;
    let def = spec.checked.def(choice.model);
    let open = |dim: &&crate::model::typed::Dim| {
        bound.ports.is_none() && dim.default.is_none() && !choice.given.contains_key(&dim.name)
    };
    let open: Vec<String> = def.dims.iter().filter(open).map(|dim| dim.name.clone()).collect();
    let mut first = None;
    for attempt in 0..if open.is_empty() { 1 } else { MOST_TRIES } {
        let given = sizes(def, attempt).into_iter().filter(|(name, _)| open.contains(name));
        let purpose = Purpose {
            ports: bound.ports.clone(),
            everything: true,
            given: given.collect(),
            ..Purpose::default()
        };
        match built(spec, &choice, purpose) {
            Ok((model, claims)) => {
                let name = def.name.clone();
                return Ok(Instance { name, alone: false, model, claims });
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    let nothing = || Error::Check(format!("`{}` cannot be built", def.name));
    Err(first.unwrap_or_else(nothing))
}
