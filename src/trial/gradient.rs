//! Gradients against differences.
//!
//! In: a model whose loss is its result times random numbers. Out: for each parameter, input and first
//! state, the worst distance between an entry of the gradient and the slope of the loss. Where slopes of
//! short and long steps, or to the left and to the right, disagree there is a kink (two sort keys or both
//! sides of a `max` near each other): the point is drawn again, away from the declared starts, where keys
//! are often equal. What is near a kink at every point is counted, not compared.

use super::draw::{Kind, Style};
use super::instance::Instance;
use crate::backend::interp::Interp;
use crate::backend::{Batch, Executable, Gradients, Precision, Want};
use crate::compile;
use crate::graph::{Array, Program, Type};
use crate::model::Model;
use crate::model::flat::{At, Cond, Sort, Term};
use crate::model::typed::Domain;
use crate::op::scalar::{CLIP_GRADIENT, STOP};
use crate::random::Stream;
use crate::tensor::Tensor;

/// Steps of the sample.
const STEPS: usize = 3;
/// Points that are tried.
const POINTS: u64 = 6;
/// How far a gradient may be from a slope, in units of the largest entry of its array (or of 1).
pub const TOLERANCE: f64 = 1e-6;
/// How many runs all differences together may take.
const MOST_RUNS: usize = 6_000;
/// Runs for the slope of one entry.
const RUNS: usize = 7;
/// How far a start may be moved from the declared one.
const NUDGE: f64 = 0.1;

/// How one array compared.
#[derive(Clone, Debug)]
pub struct Slope {
    /// What it is: `param write.content.k.weight`, `input x`, `state M`.
    pub name: String,
    /// The worst distance, in units of the largest entry of the array (or of 1).
    pub error: f64,
    /// How many entries were compared.
    pub compared: usize,
    /// How many entries are near a kink at every point.
    pub kinks: usize,
}

/// What came out of the comparison.
#[derive(Clone, Debug, Default)]
pub struct Slopes {
    /// Every array with a gradient.
    pub all: Vec<Slope>,
    /// Whether `stop` was taken out: differences see through it.
    pub stops: bool,
}

impl Slopes {
    /// The array that is furthest off.
    #[must_use]
    pub fn worst(&self) -> Option<&Slope> {
        let compared = self.all.iter().filter(|one| one.compared > 0);
        compared.max_by(|a, b| a.error.total_cmp(&b.error))
    }
}

/// A program with numbers to run it on.
pub(super) struct Setup {
    pub program: Program,
    pub params: Vec<Tensor>,
    pub batch: Batch,
}

impl Setup {
    /// Numbers away from the edges of domains. States start as declared at the first try; later they
    /// start somewhat off, which parts sort keys that are equal at the start.
    pub(super) fn draw(instance: &Instance, program: Program, seed: u64, attempt: u64) -> Setup {
        let mut stream = Stream::new(seed, &["slope", &instance.name], &[attempt]);
        let nudge = if attempt == 0 { 0.0 } else { NUDGE };
        let usize_of = |array: &Array| array.sizes.iter().map(|size| *size as usize).collect();
        let params: Vec<Tensor> = program
            .params
            .iter()
            .map(|array| Tensor::from_shape_simple_fn(array.shape(), || stream.uniform(-0.8, 0.8)))
            .collect();
        let mut inputs = Vec::new();
        for (at, array) in program.inputs.iter().enumerate() {
            let domain = instance.claims.inputs.get(at).cloned().unwrap_or(Domain::REAL);
            let kind = Kind { sort: sort_of(array.ty), domain, sizes: usize_of(array) };
            let all: Vec<f64> =
                (0..STEPS).flat_map(|_| kind.draw(Style::Plain, &mut stream)).collect();
            inputs.push(shaped(&[&[STEPS, 1][..], &array.shape()].concat(), all));
        }
        let computed = Interp::new(&program, Precision::F64, 1).starts(&params);
        let mut starts = Vec::new();
        for (at, array) in program.states.iter().enumerate() {
            let free = instance.claims.free.iter().find(|(state, _)| *state as usize == at);
            let shape = [&[1][..], &array.shape()].concat();
            let all = match free {
                Some((_, domain)) => {
                    let sizes = usize_of(array);
                    let kind = Kind { sort: sort_of(array.ty), domain: domain.clone(), sizes };
                    kind.draw(Style::Plain, &mut stream)
                }
                None => computed[at].iter().map(|one| one + stream.uniform(0.0, nudge)).collect(),
            };
            starts.push((array.ty == Type::Real).then(|| shaped(&shape, all)));
        }
        Setup { program, params, batch: Batch { lengths: vec![STEPS], inputs, starts } }
    }
}

fn shaped(shape: &[usize], numbers: Vec<f64>) -> Tensor {
    Tensor::from_shape_vec(shape.to_vec(), numbers).expect("one number an entry")
}

fn sort_of(ty: Type) -> Sort {
    match ty {
        Type::Real => Sort::Real,
        Type::Bool => Sort::Bool,
        Type::Int => Sort::Int,
        Type::Index { below, permutation } => Sort::Index { below, permutation },
    }
}

/// Compares every gradient of a model with differences of its loss.
pub(super) fn compare(instance: &Instance, seed: u64) -> Option<Slopes> {
    let (model, stops) = without_stops(&instance.model);
    model.loss?;
    let forward = compile::forward(&model);
    let adjoint = compile::optimised(compile::with_adjoints(forward.clone()));
    let forward = compile::optimised(forward);
    let mut all: Vec<Slope> = Vec::new();
    let mut interp =
        (Interp::new(&forward, Precision::F64, 1), Interp::new(&adjoint, Precision::F64, 1));
    for point in 0..POINTS {
        let mut setup = Setup::draw(instance, forward.clone(), seed, point);
        let want = Want { gradients: true, ..Want::default() };
        let outcome = interp.1.run(&setup.params, &setup.batch, &want);
        let arrays = arrays(&setup.program, &outcome.gradients?);
        let most = (MOST_RUNS / (RUNS * arrays.len().max(1))).clamp(1, 12);
        for (at, (name, gradient)) in arrays.iter().enumerate() {
            let done = all.get(at).is_some_and(|one: &Slope| one.kinks == 0);
            if done {
                continue;
            }
            let slope =
                array_slope(&mut interp.0, &mut setup, (at, name), gradient, most, seed + point);
            match all.get_mut(at) {
                Some(old) if slope.kinks < old.kinks => *old = slope,
                Some(_) => {}
                None => all.push(slope),
            }
        }
        if all.iter().all(|one| one.kinks == 0) {
            break;
        }
    }
    Some(Slopes { all, stops })
}

/// Gradients by the name of what they belong to, in the order in which numbers are moved.
fn arrays(program: &Program, found: &Gradients) -> Vec<(String, Vec<f64>)> {
    let named = |kind: &str, arrays: &[Array], tensors: &[Tensor]| -> Vec<(String, Vec<f64>)> {
        let real = arrays.iter().zip(tensors).filter(|(array, _)| array.ty == Type::Real);
        real.map(|(array, one)| (format!("{kind} {}", array.path), one.iter().copied().collect()))
            .collect()
    };
    let mut all = named("param", &program.params, &found.params);
    all.extend(named("input", &program.inputs, &found.inputs));
    all.extend(named("state", &program.states, &found.starts));
    all
}

/// The numbers that the gradient of that position belongs to.
fn moved(setup: &mut Setup, at: usize) -> Option<&mut Tensor> {
    let Setup { program, params, batch } = setup;
    let real = |array: &Array| array.ty == Type::Real;
    let params = params.iter_mut().zip(&program.params).filter(|(_, array)| real(array));
    let inputs = batch.inputs.iter_mut().zip(&program.inputs).filter(|(_, array)| real(array));
    let starts = batch.starts.iter_mut().zip(&program.states).filter(|(_, array)| real(array));
    let all = params.map(|(one, _)| one).chain(inputs.map(|(one, _)| one));
    all.chain(starts.filter_map(|(one, _)| one.as_mut())).nth(at)
}

fn array_slope(
    interp: &mut Interp,
    setup: &mut Setup,
    (at, name): (usize, &str),
    gradient: &[f64],
    most: usize,
    seed: u64,
) -> Slope {
    let mut slope = Slope { name: name.to_owned(), error: 0.0, compared: 0, kinks: 0 };
    let largest = gradient.iter().fold(1.0_f64, |most, one| most.max(one.abs()));
    let mut stream = Stream::new(seed, &["entries", name], &[]);
    let entries: Vec<usize> = if gradient.len() <= most {
        (0..gradient.len()).collect()
    } else {
        (0..most).map(|_| stream.whole(0, gradient.len() as u32 - 1) as usize).collect()
    };
    for entry in entries {
        let mut loss = |by: f64| {
            let tensor = moved(setup, at)?;
            let slot = tensor.iter_mut().nth(entry)?;
            let before = std::mem::replace(slot, *slot + by);
            let found = interp.run(&setup.params, &setup.batch, &Want::default()).loss[0];
            *moved(setup, at)?.iter_mut().nth(entry)? = before;
            Some(found)
        };
        let Some(losses) = STENCIL.iter().map(|step| loss(*step)).collect::<Option<Vec<f64>>>()
        else {
            continue;
        };
        let exact = gradient[entry];
        let Some(found) = smooth(&losses, largest) else {
            slope.kinks += 1;
            continue;
        };
        slope.compared += 1;
        let difference = (found - exact).abs() / largest;
        let difference = if difference.is_finite() { difference } else { f64::INFINITY };
        slope.error = slope.error.max(difference);
    }
    slope
}

/// Where the loss is taken for a slope.
const STENCIL: [f64; RUNS] = [-2e-3, -1e-3, -5e-4, 0.0, 5e-4, 1e-3, 2e-3];

/// The slope in the middle of the stencil, unless there is a kink: where both sides have one slope, it
/// is that of short and of long steps, and every loss is a number.
fn smooth(losses: &[f64], largest: f64) -> Option<f64> {
    let [left_long, left_middle, left_short, here, short, middle, long] = losses else {
        return None;
    };
    if losses.iter().any(|loss| !loss.is_finite()) {
        return None;
    }
    let step = STENCIL[4];
    // Of one side: exact for cubics.
    let side = |short: &f64, middle: &f64, long: &f64| {
        (32.0 * (short - here) - 12.0 * (middle - here) + (long - here)) / (12.0 * step)
    };
    let (left, right) = (-side(left_short, left_middle, left_long), side(short, middle, long));
    let central = |below: &f64, above: &f64, steps: f64| (above - below) / (2.0 * steps * step);
    let fine = (4.0 * central(left_short, short, 1.0) - central(left_middle, middle, 2.0)) / 3.0;
    let coarse = (4.0 * central(left_middle, middle, 2.0) - central(left_long, long, 4.0)) / 3.0;
    let scale = 1e-7 * largest.max(fine.abs());
    // What both sides leave out is larger than what the middle does.
    let kink = (fine - coarse).abs() > scale || (left - right).abs() > 10.0 * scale;
    (!kink).then_some((16.0 * fine - coarse) / 15.0)
}

/// The model with every `stop(x)` and `clip_gradient(x, c)` as x, and whether there was one.
fn without_stops(model: &Model) -> (Model, bool) {
    let (mut model, mut found) = (model.clone(), false);
    for value in model.values.iter_mut().chain(&mut model.start_values) {
        strip(&mut value.right, &mut found);
    }
    for state in &mut model.states {
        strip(&mut state.start, &mut found);
    }
    (model, found)
}

fn strip(term: &mut Term, found: &mut bool) {
    if let Term::Map(scalar, all) = term
        && [STOP, CLIP_GRADIENT].contains(scalar)
    {
        *found = true;
        *term = all.remove(0);
        return strip(term, found);
    }
    let in_place = |at: &mut At, found: &mut bool| {
        if let At::Value(term) = at {
            strip(term, found);
        }
    };
    let in_conds = |when: &mut Vec<Cond>, found: &mut bool| {
        when.iter_mut().for_each(|cond| in_place(&mut cond.left, found));
    };
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => {}
        Term::Read(_, at) => at.iter_mut().for_each(|at| in_place(at, found)),
        Term::Map(_, all) => all.iter_mut().for_each(|one| strip(one, found)),
        Term::Fold { when, body, .. } => {
            in_conds(when, found);
            strip(body, found);
        }
        Term::Choose(arms) => {
            for (when, term) in arms {
                in_conds(when, found);
                strip(term, found);
            }
        }
        Term::Whole { body, at, .. } => {
            strip(body, found);
            at.iter_mut().for_each(|at| in_place(at, found));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Spec;
    use crate::model::library::StdOnly;
    use crate::source::Source;

    #[test]
    fn a_wrong_gradient_is_seen() {
        let text = "ntm 1\n\ndef f(x[N]) -> y[N] { y[i] = tanh(x[i]) * x[0] }\n";
        let spec = Spec::read(Source::new("text.ntm", text), &StdOnly).unwrap();
        let (_, id) = crate::trial::definitions(&spec).remove(0);
        let instance = crate::trial::alone(&spec, id).unwrap();
        let program = compile::forward(&instance.model);
        let adjoint = compile::with_adjoints(program.clone());
        let mut setup = Setup::draw(&instance, program.clone(), 1, 0);
        let want = Want { gradients: true, ..Want::default() };
        let mut interp = Interp::new(&adjoint, Precision::F64, 1);
        let outcome = interp.run(&setup.params, &setup.batch, &want);
        let found = arrays(&program, &outcome.gradients.unwrap());
        let (name, right) = &found[0];
        let mut wrong = right.clone();
        wrong[1] *= 1.01;
        let mut forward = Interp::new(&program, Precision::F64, 1);
        let mut error = |gradient: &[f64]| {
            let slope = array_slope(&mut forward, &mut setup, (0, name), gradient, 12, 1);
            assert_eq!((slope.compared, slope.kinks), (gradient.len(), 0));
            slope.error
        };
        assert!(error(right) < 1e-9 && error(&wrong) > TOLERANCE);
    }
}
