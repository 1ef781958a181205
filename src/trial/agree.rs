//! Backends against each other.
//!
//! In: a model. Out: for each backend, how far its results and gradients are from those of the
//! interpreter in `f64`, and how far they may be. A new backend is one entry of [`BACKENDS`].

use super::gradient::Setup;
use super::instance::Instance;
use std::cell::LazyCell;

use crate::backend::interp::Interp;
use crate::backend::jit;
use crate::backend::{Executable, Outcome, Precision, Trainable, Want};
use crate::compile;
use crate::graph::Program;

/// What can run a program, and how far it may be from the definition.
pub struct Backend {
    /// Its name and precision.
    pub name: &'static str,
    /// Makes a program ready; nothing where this machine cannot run it.
    pub make: fn(&Program) -> Option<Box<dyn Trainable>>,
    /// The most that an entry may be off, in units of the largest magnitude of its array (or of 1).
    pub tolerance: f64,
}

/// Everything that is compared with the interpreter in `f64`.
pub const BACKENDS: &[Backend] = &[
    Backend {
        name: "interp f32",
        make: |program| Some(Box::new(Interp::new(program, Precision::F32, 1))),
        tolerance: 1e-3,
    },
    Backend {
        name: "jit f64",
        make: |program| jit::ready(program, Precision::F64, 1).ok(),
        tolerance: 1e-9,
    },
    Backend {
        name: "jit f32",
        make: |program| jit::ready(program, Precision::F32, 1).ok(),
        tolerance: 1e-3,
    },
];

/// Sets the numbers apart from those of the gradients.
const OTHER: u64 = 1 << 32;

/// How many draws are tried.
const TRIES: u64 = 3;

/// How one backend compared.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// The backend.
    pub backend: &'static str,
    /// The worst distance.
    pub error: f64,
    /// Where that was.
    pub of: String,
    /// The most it may be.
    pub tolerance: f64,
    /// How many arrays were compared.
    pub arrays: usize,
}

/// Compares every backend, on inputs away from edges. Where a sort changes its mind because of
/// rounding, other inputs and starts are tried.
pub(super) fn compare(instance: &Instance, seed: u64) -> Vec<Agreement> {
    let mut program = compile::forward(&instance.model);
    let gradients = instance.model.loss.is_some();
    if gradients {
        program = compile::with_adjoints(program);
    }
    let program = compile::optimised(program);
    let program = &program;
    let truth =
        |point| LazyCell::new(move || Truth::find(instance, program, gradients, seed, point));
    let truths: Vec<_> = (0..TRIES).map(truth).collect();
    let each = BACKENDS.iter().filter_map(|backend| {
        let mut executable = (backend.make)(program)?;
        let mut best: Option<Agreement> = None;
        for truth in &truths {
            let agreement = truth.compare(backend, &mut *executable, program);
            let enough = agreement.error <= agreement.tolerance;
            if best.as_ref().is_none_or(|best| agreement.error < best.error) {
                best = Some(agreement);
            }
            if enough {
                break;
            }
        }
        best
    });
    each.collect()
}

/// What the definition says of one draw.
struct Truth {
    setup: Setup,
    want: Want,
    arrays: Vec<(String, Vec<f64>)>,
}

impl Truth {
    fn find(
        instance: &Instance,
        program: &Program,
        gradients: bool,
        seed: u64,
        point: u64,
    ) -> Truth {
        let setup = Setup::draw(instance, program.clone(), seed ^ OTHER, point);
        let roots = program.step.roots.iter().map(|(path, _)| path.0.clone());
        let roots =
            roots.filter(|path| path.starts_with("value/") || path.starts_with("next/")).collect();
        let want = Want { roots, gradients };
        let outcome =
            Interp::new(program, Precision::F64, 1).run(&setup.params, &setup.batch, &want);
        Truth { setup, want, arrays: arrays(program, &outcome) }
    }

    fn compare(
        &self,
        backend: &Backend,
        executable: &mut dyn Executable,
        program: &Program,
    ) -> Agreement {
        let outcome = executable.run(&self.setup.params, &self.setup.batch, &self.want);
        let (mut error, mut of) = (0.0, String::new());
        for ((name, truth), (_, other)) in self.arrays.iter().zip(&arrays(program, &outcome)) {
            let largest = truth.iter().fold(1.0_f64, |most, one| most.max(one.abs()));
            let far = |(truth, other): (&f64, &f64)| distance(*truth, *other, largest);
            let worst = truth.iter().zip(other).map(far).fold(0.0, f64::max);
            if worst > error || of.is_empty() {
                (error, of) = (worst, name.clone());
            }
        }
        let (backend, tolerance) = (backend.name, backend.tolerance);
        Agreement { backend, error, of, tolerance, arrays: self.arrays.len() }
    }
}

/// How far two numbers are apart; where neither is a number, they agree, whatever its sign and payload.
fn distance(truth: f64, other: f64, largest: f64) -> f64 {
    if truth == other || (truth.is_nan() && other.is_nan()) {
        return 0.0;
    }
    let distance = (truth - other).abs() / largest;
    if distance.is_nan() { f64::INFINITY } else { distance }
}

/// Everything that came out, by name.
fn arrays(program: &Program, outcome: &Outcome) -> Vec<(String, Vec<f64>)> {
    let mut all: Vec<(String, Vec<f64>)> = outcome
        .roots
        .iter()
        .map(|(name, one)| {
            let name = name.split_once('/').map_or(name.as_str(), |(_, name)| name);
            (name.to_owned(), one.iter().copied().collect())
        })
        .collect();
    if let Some(found) = &outcome.gradients {
        let kinds = [
            (&program.params, &found.params),
            (&program.inputs, &found.inputs),
            (&program.states, &found.starts),
        ];
        for (arrays, tensors) in kinds {
            for (array, one) in arrays.iter().zip(tensors) {
                all.push((format!("gradient of {}", array.path), one.iter().copied().collect()));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn what_is_no_number_is_so_on_both_sides() {
        assert_eq!(distance(f64::NAN, -f64::NAN, 1.0), 0.0);
        assert_eq!(distance(f64::INFINITY, f64::INFINITY, 1.0), 0.0);
        assert_eq!(distance(f64::NAN, 0.0, 1.0), f64::INFINITY);
        assert_eq!(distance(f64::INFINITY, -f64::INFINITY, 1.0), f64::INFINITY);
        assert_eq!(distance(3.0, 1.0, 4.0), 0.5);
    }
}
