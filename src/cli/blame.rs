//! A run whose numbers went bad: which value, when, where in the spec, and why, as far as can be seen.
//!
//! In: the error of the loop. Out: a diagnostic. The step is run again by the interpreter, node by node;
//! where that finds nothing, the error stays as it was. Invariant: nothing here knows a model.

use super::input::free_memory;
use crate::backend::Executable;
use crate::backend::interp::{Bad, Interp, Made};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::Program;
use crate::run::{Batch, Precision, Session};
use crate::source::Span;
use crate::train::{self, Line, Settings, State, lesson, trial, trials};

/// What is known of a run that failed.
pub(super) struct Scene<'a> {
    pub(super) program: &'a Program,
    pub(super) session: &'a Session,
    pub(super) settings: &'a Settings,
    pub(super) state: &'a State,
    pub(super) curve: &'a [Line],
    /// The call of the optimiser in the spec.
    pub(super) optimiser: Span,
}

/// The diagnostic of a number that is not finite.
pub(super) fn blame(error: &train::Error, scene: &Scene<'_>) -> Option<Diagnostics> {
    let train::Error::NotFinite { step, what, param } = error else { return None };
    let precision = scene.session.precision();
    let found = match (*what, param) {
        ("new value", Some(param)) => {
            not_finite_update(scene.optimiser, param, *step, &slots(scene.session))
        }
        ("loss of an evaluation", _) => {
            let pieces =
                (0..trials(scene.settings)).map(|at| trial(scene.session, scene.settings, at));
            let bad = search(scene, pieces.map(|(_, batch)| batch))?;
            not_finite(scene, &bad, &format!("in the evaluation after step {step}"), precision)
        }
        _ => {
            let (_, batch) = lesson(scene.session, scene.settings, step.checked_sub(1)?);
            let bad = search(scene, std::iter::once(batch))?;
            not_finite(scene, &bad, &format!("in training step {step}"), precision)
        }
    };
    let found = match exploded(scene) {
        Some((low, high)) => found.help(format!(
            "the loss had grown from {low:.3} to {high:.3e} nats before: a learning rate below {}, or \
             `clip = norm(10)`, usually cures this",
            scene.settings.rate
        )),
        None => found,
    };
    let mut all = Diagnostics::default();
    all.push(found);
    Some(all)
}

/// The first bad value of some batches.
fn search(scene: &Scene<'_>, batches: impl Iterator<Item = Batch>) -> Option<Bad> {
    scene.program.step.root("loss")?;
    let mut interp = Interp::new(scene.program, scene.session.precision(), 1);
    let params = scene.session.held().params;
    let mut all = batches.map(|batch| {
        // The run that failed is still there, and may have filled most of the memory.
        let longest = batch.lengths.iter().copied().max().unwrap_or(1);
        let precision = scene.session.precision();
        let budget = Interp::budget(scene.program, (longest, 1), 1, precision, free_memory());
        if let Some(kept) = budget.kept {
            interp.keep_at_most(kept);
        }
        interp.first_bad(&params, &batch)
    });
    all.find_map(|bad| bad)
}

/// Slots of the optimiser that hold something bad.
fn slots(session: &Session) -> Vec<String> {
    let held = session.held().slots;
    let bad = |slot: &crate::tensor::Tensor| slot.iter().any(|value| !value.is_finite());
    let all = session.border().slots.iter().zip(&held).filter(|(_, slot)| bad(slot));
    all.map(|(array, _)| format!("`{}`", array.path)).collect()
}

/// The least mean loss and the last, if the loss grew tenfold or more.
fn exploded(scene: &Scene<'_>) -> Option<(f64, f64)> {
    let window = &scene.state.window;
    let open = (window.sequences > 0).then(|| window.loss / window.sequences as f64);
    let losses: Vec<f64> = scene.curve.iter().map(|line| line.loss).chain(open).collect();
    let last = *losses.last()?;
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    (least > 0.0 && last > 10.0 * least).then_some((least, last))
}

/// E0701: a value became NaN or infinite.
fn not_finite(scene: &Scene<'_>, bad: &Bad, moment: &str, precision: Precision) -> Diagnostic {
    let of = if bad.adjoint { "the gradient at " } else { "" };
    let path = &bad.path;
    let message = format!(
        "{of}`{path}` is not finite at time step {} of sample {}, {moment}",
        bad.step + 1,
        bad.sample + 1
    );
    let (label, help) = cause(scene, bad, precision);
    let label = if bad.adjoint { format!("in its derivative: {label}") } else { label };
    Diagnostic::new("E0701", message, bad.span, label).help(help)
}

/// E0701: the optimiser made a parameter NaN or infinite.
fn not_finite_update(optimiser: Span, param: &str, step: u64, slots: &[String]) -> Diagnostic {
    let message = format!("the new value of `{param}` is not finite after training step {step}");
    let label = match slots {
        [] => "from finite numbers".to_owned(),
        slots => format!("its {} is not finite", slots.join(", ")),
    };
    Diagnostic::new("E0701", message, optimiser, label)
        .help("the gradient was finite: a lower learning rate, or a larger `eps`")
}

/// What happened, and what may help.
fn cause(scene: &Scene<'_>, bad: &Bad, precision: Precision) -> (String, String) {
    let name = |all: &[crate::graph::Array], at: u32| all[at as usize].path.to_string();
    let told = |what: String, help: &str| (what, help.to_owned());
    match &bad.made {
        Made::Input(at) => {
            let input = name(&scene.program.inputs, *at);
            told(format!("the task gave a bad `{input}`"), "look at the data of the task")
        }
        Made::Param(at) => {
            let param = name(&scene.program.params, *at);
            told(
                format!("the parameter `{param}` is not finite"),
                "a lower learning rate, or a start that is finite",
            )
        }
        Made::Start(at) => {
            let state = name(&scene.program.states, *at);
            told(format!("`{state}` starts so"), "give the state a start that is finite")
        }
        Made::Map { scalar, given, norms } => {
            of_function(scalar.row().name, given, *norms, precision)
                .unwrap_or_else(|| overflow(scalar.row().name, given, precision))
        }
        Made::Fold => overflow("sum", &[], precision),
    }
}

/// Functions that have no finite value where they were asked.
fn of_function(
    name: &str,
    given: &[f64],
    norms: bool,
    precision: Precision,
) -> Option<(String, String)> {
    let told = |what: String, help: &str| Some((what, help.to_owned()));
    let zero = if norms {
        "the norm of a vector of zeros is 0: add a small number to the product of the norms, as \
         std.address does"
    } else {
        "keep the divisor away from 0: `max(d, 1e-6)` or `d + 1e-6`"
    };
    match (name, given) {
        ("div", [above, below]) if *below == 0.0 => {
            told(format!("{} divided by 0", short(*above)), zero)
        }
        ("pow", [base, power]) if *base == 0.0 && *power < 0.0 => told(
            format!("0 to the power of {}", short(*power)),
            "keep the base above 0: `(x + 1e-6) ^ p`",
        ),
        ("pow", [base, power]) if *base < 0.0 => told(
            format!("{} to the power of {}", short(*base), short(*power)),
            "a negative number has whole powers only: keep the base above 0",
        ),
        ("log", [of]) if *of <= 0.0 => told(
            format!("the logarithm of {}", short(*of)),
            "keep the argument above 0: `log(x + 1e-6)`",
        ),
        ("sqrt", [of]) if *of < 0.0 => told(
            format!("the square root of {}", short(*of)),
            "keep the argument from falling below 0: `sqrt(max(x, 0))`",
        ),
        ("exp", [of]) => told(
            format!(
                "exp({}) is more than the largest {}",
                short(*of),
                super::run::name_of(precision)
            ),
            "subtract the largest exponent first, as `softmax` does, or bound it",
        ),
        _ => None,
    }
}

/// Finite numbers whose result is too large.
fn overflow(name: &str, given: &[f64], precision: Precision) -> (String, String) {
    let numbers: Vec<String> = given.iter().map(|value| short(*value)).collect();
    let of =
        if numbers.is_empty() { String::new() } else { format!(" of {}", numbers.join(" and ")) };
    let largest = match precision {
        Precision::F32 => "f32 (3.4e38)",
        Precision::F64 => "f64 (1.8e308)",
    };
    (
        format!("`{name}`{of} is more than the largest {largest}"),
        "numbers grow from step to step: a lower learning rate, or something that bounds them"
            .to_owned(),
    )
}

/// A number in a few digits.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.3e}")
    }
}
