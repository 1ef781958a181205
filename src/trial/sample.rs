//! Claims on random numbers, and the smallest numbers found that break one.
//!
//! In: a model with claims. Out: for each claim, the first draw that breaks it, made simpler where that
//! is cheap. Parameters are drawn once a batch, inputs once a sample and step.

use super::draw::{Kind, Style, outside, short};
use super::instance::Instance;
use crate::backend::interp::Interp;
use crate::backend::{Batch, Executable, Precision, Want};
use crate::claims::TOLERANCE;
use crate::compile;
use crate::model::Model;
use crate::model::claim::Claim;
use crate::model::flat::{Axis, Sort, Value};
use crate::model::typed::Domain;
use crate::random::Stream;
use crate::tensor::Tensor;

/// Steps of every sample.
const STEPS: usize = 5;
/// Samples that are drawn together.
const SAMPLES: usize = 128;

/// Numbers that break a claim.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What the claimed value was: `gave -3.1 at [2]`.
    pub gave: String,
    /// What it came from: `with ww = [..] at step 2`.
    pub from: String,
    /// The step, from 1.
    pub step: usize,
    /// Which draw it was, from 1.
    pub draw: u64,
    /// Every input, by name, with its numbers at every step up to that one.
    pub inputs: Vec<(String, Vec<Vec<f64>>)>,
}

/// A model whose claims are values that can be asked for.
pub(super) struct Bench {
    executable: Interp,
    pub kinds: Vec<Kind>,
    names: Vec<String>,
    params: Vec<Kind>,
    starts: Vec<Option<Kind>>,
    roots: Vec<String>,
    claimed: Vec<Vec<usize>>,
}

/// Everything a run depends on.
#[derive(Clone)]
struct Point {
    params: Vec<Tensor>,
    batch: Batch,
}

fn sizes(axes: &[Axis]) -> Vec<usize> {
    axes.iter().map(|axis| axis.size as usize).collect()
}

fn tensor(shape: Vec<usize>, numbers: Vec<f64>) -> Tensor {
    Tensor::from_shape_vec(shape, numbers).expect("one number an entry")
}

/// The model with a value for every claim.
fn with_claims(instance: &Instance) -> Model {
    let mut model = instance.model.clone();
    for (at, claim) in instance.claims.all.iter().enumerate() {
        model.values.push(Value {
            path: format!("claim{at}"),
            axes: claim.axes.clone(),
            sort: Sort::Real,
            right: claim.term.clone(),
            span: claim.place,
        });
    }
    model
}

impl Bench {
    pub(super) fn new(instance: &Instance) -> Bench {
        let model = with_claims(instance);
        let program = compile::optimised(compile::forward(&model));
        let domain = |at: usize| instance.claims.inputs.get(at).cloned().unwrap_or(Domain::REAL);
        let kinds = model.inputs.iter().enumerate().map(|(at, input)| Kind {
            sort: input.sort,
            domain: domain(at),
            sizes: sizes(&input.axes),
        });
        let params = model.params.iter().map(|param| Kind {
            sort: Sort::Real,
            domain: Domain::REAL,
            sizes: sizes(&param.axes),
        });
        let start = |at: usize| {
            let free = instance.claims.free.iter().find(|(state, _)| *state as usize == at);
            let state = &model.states[at];
            free.map(|(_, domain)| Kind {
                sort: state.sort,
                domain: domain.clone(),
                sizes: sizes(&state.axes),
            })
        };
        let claims = &instance.claims.all;
        Bench {
            executable: Interp::new(&program, Precision::F64, 1),
            kinds: kinds.collect(),
            names: model.inputs.iter().map(|input| input.path.clone()).collect(),
            params: params.collect(),
            starts: (0..model.states.len()).map(start).collect(),
            roots: (0..claims.len()).map(|at| format!("value/claim{at}")).collect(),
            claimed: claims.iter().map(|claim| sizes(&claim.axes)).collect(),
        }
    }

    /// A batch of that many samples out of the stream of one number.
    fn point(&self, name: &str, seed: u64, batch: u64, samples: usize) -> Point {
        let mut stream = Stream::new(seed, &["trial", name], &[batch]);
        let scale = [0.1, 1.0, 1.0, 5.0][stream.whole(0, 3) as usize];
        let params = self.params.iter().map(|kind| {
            Tensor::from_shape_simple_fn(kind.sizes.clone(), || scale * stream.normal())
        });
        let params = params.collect();
        let styles: Vec<Style> = (0..samples).map(|_| Style::draw(&mut stream)).collect();
        // A sample is of one style, and now and then an array of it of another.
        let style = |sample: usize, stream: &mut Stream| {
            if stream.whole(0, 3) == 0 { Style::draw(stream) } else { styles[sample] }
        };
        let mut inputs = Vec::new();
        for kind in &self.kinds {
            let mut all = Vec::new();
            for _ in 0..STEPS {
                for sample in 0..samples {
                    let style = style(sample, &mut stream);
                    all.extend(kind.draw(style, &mut stream));
                }
            }
            let shape = [&[STEPS, samples][..], &kind.sizes].concat();
            inputs.push(tensor(shape, all));
        }
        let mut starts = Vec::new();
        for kind in &self.starts {
            starts.push(kind.as_ref().map(|kind| {
                let mut all = Vec::new();
                for sample in 0..samples {
                    let style = style(sample, &mut stream);
                    all.extend(kind.draw(style, &mut stream));
                }
                tensor([&[samples][..], &kind.sizes].concat(), all)
            }));
        }
        Point { params, batch: Batch { lengths: vec![STEPS; samples], inputs, starts } }
    }

    /// The first step and sample at which a claim does not hold, and what it gave.
    fn broken(
        &mut self,
        claim: &Claim,
        at: usize,
        point: &Point,
    ) -> Option<(usize, usize, String)> {
        let want = Want { roots: vec![self.roots[at].clone()], gradients: false };
        let outcome = self.executable.run(&point.params, &point.batch, &want);
        self.first(claim, at, &outcome.roots[&self.roots[at]], point.batch.lengths.len())
    }

    fn first(
        &self,
        claim: &Claim,
        at: usize,
        root: &Tensor,
        samples: usize,
    ) -> Option<(usize, usize, String)> {
        let shape = &self.claimed[at];
        let width = shape.iter().product::<usize>().max(1);
        let all = root.as_standard_layout();
        let all = all.as_slice()?;
        let mut one = all.chunks(width).enumerate().filter_map(|(entry, numbers)| {
            let gave = outside(&claim.domain, shape, numbers, TOLERANCE)?;
            Some((entry / samples, entry % samples, gave))
        });
        one.next()
    }

    /// The first draw that breaks each claim, out of that many draws.
    pub(super) fn search(
        &mut self,
        instance: &Instance,
        draws: u64,
        seed: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Vec<Option<Counterexample>> {
        let claims = &instance.claims.all;
        let mut found: Vec<Option<Counterexample>> = vec![None; claims.len()];
        if claims.is_empty() {
            return found;
        }
        let mut done = 0;
        for batch in 0.. {
            let samples = (draws - done).min(SAMPLES as u64) as usize;
            if samples == 0 {
                break;
            }
            let point = self.point(&instance.name, seed, batch, samples);
            let want = Want { roots: self.roots.clone(), gradients: false };
            let outcome = self.executable.run(&point.params, &point.batch, &want);
            for (at, claim) in claims
                .iter()
                .enumerate()
                .filter(|(at, _)| claim_open(&found, *at))
                .collect::<Vec<_>>()
            {
                let root = &outcome.roots[&self.roots[at]];
                if let Some((_, sample, _)) = self.first(claim, at, root, samples) {
                    found[at] = self.simplest(claim, at, &point, sample, done + sample as u64 + 1);
                }
            }
            done += samples as u64;
            progress(done);
        }
        found
    }

    /// The sample alone, with as much as possible of it made simple.
    fn simplest(
        &mut self,
        claim: &Claim,
        at: usize,
        point: &Point,
        sample: usize,
        draw: u64,
    ) -> Option<Counterexample> {
        let mut point = alone(point, sample);
        let (mut step, _, mut gave) = self.broken(claim, at, &point)?;
        for input in 0..self.kinds.len() {
            for simple in self.kinds[input].simple() {
                let mut other = point.clone();
                let numbers = simple.iter().copied().cycle();
                other.batch.inputs[input].iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
                if let Some((now, _, told)) = self.broken(claim, at, &other) {
                    (point, step, gave) = (other, now, told);
                    break;
                }
            }
            let mut other = point.clone();
            if matches!(self.kinds[input].domain, Domain::Real(..)) {
                other.batch.inputs[input].mapv_inplace(|one| (one * 100.0).round() / 100.0);
                let held = other.batch.inputs[input]
                    .iter()
                    .all(|one| outside(&self.kinds[input].domain, &[], &[*one], 0.0).is_none());
                if held && let Some((now, _, told)) = self.broken(claim, at, &other) {
                    (point, step, gave) = (other, now, told);
                }
            }
        }
        let mut inputs = Vec::new();
        for (name, tensor) in self.names.iter().zip(&point.batch.inputs) {
            let width = tensor.len() / STEPS;
            let all: Vec<f64> = tensor.iter().copied().collect();
            let steps = all.chunks(width.max(1)).take(step + 1).map(<[f64]>::to_vec);
            inputs.push((name.clone(), steps.collect()));
        }
        let from = self.told(&inputs, step);
        Some(Counterexample { gave, from, step: step + 1, draw, inputs })
    }

    /// The numbers of the step, as far as people read them.
    fn told(&self, inputs: &[(String, Vec<Vec<f64>>)], step: usize) -> String {
        let mut all = Vec::new();
        for (name, steps) in inputs {
            let numbers = &steps[step.min(steps.len() - 1)];
            let list: Vec<String> =
                numbers.iter().take(MOST_NUMBERS).map(|one| short(*one)).collect();
            let more = if numbers.len() > MOST_NUMBERS { ", .." } else { "" };
            all.push(match &list[..] {
                [one] if numbers.len() == 1 => format!("{name} = {one}"),
                list => format!("{name} = [{}{more}]", list.join(", ")),
            });
        }
        let with = if all.is_empty() { String::new() } else { format!(" with {}", all.join(", ")) };
        format!("at step {}{with}", step + 1)
    }
}

/// How many numbers of an array are shown.
const MOST_NUMBERS: usize = 12;

fn claim_open(found: &[Option<Counterexample>], at: usize) -> bool {
    found[at].is_none()
}

/// One sample of a batch.
fn alone(point: &Point, sample: usize) -> Point {
    let of = |tensor: &Tensor, axis: usize| {
        let one = tensor.index_axis(ndarray::Axis(axis), sample).to_owned();
        one.insert_axis(ndarray::Axis(axis))
    };
    let batch = Batch {
        lengths: vec![STEPS],
        inputs: point.batch.inputs.iter().map(|one| of(one, 1)).collect(),
        starts: point.batch.starts.iter().map(|one| one.as_ref().map(|one| of(one, 0))).collect(),
    };
    Point { params: point.params.clone(), batch }
}
