//! What the values of a model are like: told from their shapes, their numbers and the equations
//! between them, never from their names.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::flat::{Array, At, Axis, Cond, Model, Term, Var};
use crate::tensor::Tensor;

/// A value over the steps of one episode.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    /// Its path.
    pub(crate) path: String,
    /// Names of its axes, time left aside: a dim of the spec, or nothing.
    pub(crate) dims: Vec<String>,
    /// How many of the axes, the first ones, stand for members of families.
    pub(crate) families: usize,
    /// [T, sizes..].
    pub(crate) values: Tensor,
    /// Whether it is carried from step to step.
    pub(crate) carried: bool,
    /// Whether it is emitted by the network.
    pub(crate) emitted: bool,
    /// Whether it says how much each of several places counts.
    pub(crate) weighting: bool,
}

impl Traced {
    /// Axes that are its own.
    pub(crate) fn rank(&self) -> usize {
        self.dims.len() - self.families
    }

    /// What its last axis is called.
    pub(crate) fn last_dim(&self) -> &str {
        self.dims.last().map_or("", String::as_str)
    }

    /// Its members, each with its name and its numbers [T, own sizes..].
    pub(crate) fn members(&self) -> Vec<(String, Tensor)> {
        let shape = self.values.shape();
        let count: usize = shape[1..=self.families].iter().product();
        let mut flat = vec![shape[0], count];
        flat.extend(&shape[1 + self.families..]);
        let all = self.values.to_shape(flat).expect("as many numbers").into_owned();
        let name = |mut at: usize| {
            let mut places = Vec::new();
            for size in shape[1..=self.families].iter().rev() {
                places.push((at % size).to_string());
                at /= size;
            }
            places.reverse();
            format!("{}, {}", self.path, places.join(", "))
        };
        let members = all.axis_iter(ndarray::Axis(1)).enumerate();
        members
            .map(|(at, one)| (if count > 1 { name(at) } else { self.path.clone() }, one.to_owned()))
            .collect()
    }
}

/// What is known of the values of a model before it runs.
pub(crate) struct Kinds<'m> {
    model: &'m Model,
    family: BTreeSet<(String, u32)>,
    made_of: BTreeSet<(String, u32)>,
    shared: BTreeSet<Var>,
    emitted: BTreeSet<&'m str>,
    by_path: BTreeMap<&'m str, usize>,
}

impl<'m> Kinds<'m> {
    pub(crate) fn of(model: &'m Model) -> Kinds<'m> {
        // The members of a family share the variable of its axis, whatever their other axes.
        let mut rests: BTreeMap<Var, BTreeSet<Vec<Var>>> = BTreeMap::new();
        for axes in model.values.iter().map(|value| &value.axes) {
            if let Some((first, rest)) = axes.split_first() {
                let rest = rest.iter().map(|axis| axis.var).collect();
                rests.entry(first.var).or_default().insert(rest);
            }
        }
        let shared: BTreeSet<Var> =
            rests.into_iter().filter(|(_, rests)| rests.len() > 1).map(|(var, _)| var).collect();
        let name = |axis: &Axis| (axis.dim.clone(), axis.size);
        // What a carried value is made of is no family, even where something is called for each place.
        let carried = model.states.iter().filter_map(|state| match &state.axes[..] {
            [one] if shared.contains(&one.var) => None,
            axes => axes.last().map(name),
        });
        let made_of: BTreeSet<_> = carried.collect();
        let firsts = model.values.iter().filter_map(|value| value.axes.first());
        let family = firsts
            .filter(|axis| shared.contains(&axis.var) && !axis.dim.is_empty())
            .map(name)
            .filter(|name| !made_of.contains(name))
            .collect();
        let by_path =
            model.values.iter().enumerate().map(|(at, value)| (value.path.as_str(), at)).collect();
        let emitted = model.emissions.iter().map(|one| one.path.as_str()).collect();
        Kinds { model, family, made_of, shared, emitted, by_path }
    }

    /// How many of the axes, the first ones, are those of families.
    fn families(&self, axes: &[Axis]) -> usize {
        let is_family = |axis: &&Axis| {
            let name = (axis.dim.clone(), axis.size);
            let known = self.family.contains(&name) || self.shared.contains(&axis.var);
            known && !self.made_of.contains(&name)
        };
        axes.iter().take_while(is_family).count()
    }

    /// How many numbers a step a value has, and how many axes of its own.
    pub(crate) fn size(&self, path: &str) -> Option<(u64, usize)> {
        let axes = &self.model.values[*self.by_path.get(path)?].axes;
        let size = axes.iter().map(|axis| u64::from(axis.size)).product();
        Some((size, axes.len() - self.families(axes)))
    }

    /// Whether a value is carried from step to step.
    pub(crate) fn carried(&self, path: &str) -> bool {
        self.model.states.iter().any(|state| state.path == path)
    }

    /// A value with its numbers.
    pub(crate) fn traced(&self, path: &str, values: Tensor) -> Option<Traced> {
        let axes = &self.model.values[*self.by_path.get(path)?].axes;
        let families = self.families(axes);
        let place = axes.last().map(|axis| (axis.dim.clone(), axis.size));
        let one = Traced {
            path: path.to_owned(),
            dims: axes.iter().map(|axis| axis.dim.clone()).collect(),
            families,
            carried: self.carried(path),
            emitted: self.emitted.contains(path),
            weighting: false,
            values,
        };
        // Where there are memories, a weighting is one over the places of a memory.
        let places = self.places();
        let fits = places.is_empty() || place.is_some_and(|place| places.contains(&place));
        let weighting = one.rank() == 1 && fits && weighs(&one.values);
        Some(Traced { weighting, ..one })
    }

    /// The first axes of carried arrays of two axes.
    fn places(&self) -> BTreeSet<(String, u32)> {
        let first = |axes: &[Axis]| match &axes[self.families(axes)..] {
            [first, _] => Some((first.dim.clone(), first.size)),
            _ => None,
        };
        self.model.states.iter().filter_map(|state| first(&state.axes)).collect()
    }

    /// What goes into the memories of the model within a step, and what comes out of them: values of
    /// one own axis, each by its path. A memory is a carried array of two axes of its own.
    pub(crate) fn traffic(&self, shown: &[Traced]) -> (Vec<String>, Vec<String>) {
        let known: BTreeMap<&str, &Traced> =
            shown.iter().map(|one| (one.path.as_str(), one)).collect();
        let ends = |path: &str| {
            let stop = |one: &&Traced| one.carried || one.emitted || one.weighting;
            known.get(path).is_some_and(stop)
        };
        // On the way from a memory to a weighting others may lie.
        let held = |path: &str| known.get(path).is_some_and(|one| one.carried || one.emitted);
        let matrix = |at: &usize| {
            let axes = &self.model.states[*at].axes;
            axes.len() - self.families(axes) == 2
        };
        let memories: Vec<usize> = (0..self.model.states.len()).filter(matrix).collect();
        let vector = |path: &String| known.get(path.as_str()).is_some_and(|one| one.rank() == 1);
        let mut into = Vec::new();
        for memory in &memories {
            let found = self.sources(self.model.states[*memory].next, &ends);
            into.extend(found.values.into_iter().filter(vector).filter(|path| !self.carries(path)));
        }
        let mut seen = BTreeSet::new();
        into.retain(|path| seen.insert(path.clone()));
        let memory = |path: &str| memories.iter().any(|at| self.model.states[*at].path == path);
        let out = shown.iter().filter(|one| {
            let reads = one.rank() == 1 && one.carried && !seen.contains(&one.path);
            reads
                && self.by_path.get(one.path.as_str()).is_some_and(|at| {
                    let found = self.sources(*at as u32, &held);
                    found.values.iter().chain(&found.before).any(|path| memory(path))
                })
        });
        let out = out.map(|one| one.path.clone()).collect();
        (into, out)
    }

    /// Whether a path is that of a memory itself.
    fn carries(&self, path: &str) -> bool {
        self.model
            .states
            .iter()
            .any(|state| state.path == path && state.axes.len() - self.families(&state.axes) == 2)
    }

    /// What a value is computed from: values where `ends` holds, and carried ones of the step before.
    fn sources(&self, value: u32, ends: &dyn Fn(&str) -> bool) -> Sources {
        let mut found = Sources::default();
        let mut seen = BTreeSet::new();
        let mut open = vec![value];
        while let Some(at) = open.pop() {
            let mut arrays = Vec::new();
            reads(&self.model.values[at as usize].right, &mut arrays);
            for array in arrays {
                match array {
                    Array::Prev(state) => {
                        found.before.insert(self.model.states[state as usize].path.clone());
                    }
                    Array::Value(next) if seen.insert(next) => {
                        let path = &self.model.values[next as usize].path;
                        if ends(path) {
                            found.values.push(path.clone());
                        } else {
                            open.push(next);
                        }
                    }
                    Array::Value(_) | Array::Input(_) | Array::Param(_) => {}
                }
            }
        }
        found.values.sort();
        found
    }
}

#[derive(Default)]
struct Sources {
    values: Vec<String>,
    before: BTreeSet<String>,
}

/// The arrays that a term reads.
fn reads(term: &Term, out: &mut Vec<Array>) {
    let place = |at: &At, out: &mut Vec<Array>| {
        if let At::Value(term) = at {
            reads(term, out);
        }
    };
    let conditions = |all: &[Cond], out: &mut Vec<Array>| {
        all.iter().for_each(|one| place(&one.left, out));
    };
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => {}
        Term::Read(array, at) => {
            out.push(*array);
            at.iter().for_each(|one| place(one, out));
        }
        Term::Map(_, args) => args.iter().for_each(|one| reads(one, out)),
        Term::Fold { when, body, .. } => {
            conditions(when, out);
            reads(body, out);
        }
        Term::Choose(arms) => {
            for (when, arm) in arms {
                conditions(when, out);
                reads(arm, out);
            }
        }
        Term::Whole { body, at, .. } => {
            reads(body, out);
            at.iter().for_each(|one| place(one, out));
        }
    }
}

/// Numbers are a weighting for what they are like: nothing negative, no sum above 1, and at some step a
/// real focus.
fn weighs(values: &Tensor) -> bool {
    const SLACK: f64 = 1e-3;
    if values.shape().last().is_none_or(|size| *size < 2) {
        return false;
    }
    let sums = values.sum_axis(ndarray::Axis(values.ndim() - 1));
    values.iter().all(|value| *value >= -SLACK)
        && sums.iter().all(|sum| *sum <= 1.0 + SLACK)
        && sums.iter().any(|sum| *sum > 0.01)
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
