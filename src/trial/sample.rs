//! Claims on random numbers, and the smallest numbers found that break one.
//!
//! In: a model with claims. Out: for each claim, the first draw that breaks it, made simpler where that
//! is cheap. Parameters are drawn once a batch, inputs once a sample and step. Steps are counted from 1;
//! a state is looked at before the first step and after every one, the last included.

use super::draw::{Kind, Style, outside, short};
use super::instance::Instance;
use crate::backend::interp::Interp;
use crate::backend::{Batch, Executable, Outcome, Precision, Want};
use crate::claims::TOLERANCE;
use crate::compile;
use crate::model::claim::{Claim, Claimed};
use crate::model::flat::{Array, Axis, Sort, Term, Value};
use crate::model::typed::Domain;
use crate::model::{Model, domain_name};
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
    /// What it came from: `at step 2 with ww = [..]`.
    pub from: String,
    /// The step, from 1; 0 for a state before the first.
    pub step: usize,
    /// Which draw it was, from 1.
    pub draw: u64,
    /// Every input, by name, with its numbers at every step up to that one.
    pub inputs: Vec<(String, Vec<Vec<f64>>)>,
    /// Declarations of inputs with which no draw breaks the claim: `ww[N]: weighting`.
    pub mend: Vec<String>,
}

/// Where a claim was seen not to hold.
struct Seen {
    /// The step, from 1; 0 for a state before the first.
    step: usize,
    sample: usize,
    gave: String,
}

/// A model whose claims are values that can be asked for.
pub(super) struct Bench {
    executable: Interp,
    pub kinds: Vec<Kind>,
    names: Vec<String>,
    params: Vec<Kind>,
    starts: Vec<Option<Kind>>,
    /// The names of each claimed array: of a state before a step, then after it.
    roots: Vec<Vec<String>>,
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
        let mut add = |path: String, right: Term| {
            let (axes, span) = (claim.axes.clone(), claim.place);
            model.values.push(Value { path, axes, sort: Sort::Real, right, span });
        };
        add(format!("claim{at}"), claim.term.clone());
        if let (Claimed::State(state), Term::Read(_, places)) = (claim.kind, &claim.term) {
            let next = Array::Value(instance.model.states[state as usize].next);
            add(format!("next{at}"), Term::Read(next, places.clone()));
        }
    }
    model
}

/// What is asked for to see a claim.
fn roots(at: usize, claim: &Claim) -> Vec<String> {
    let mut all = vec![format!("value/claim{at}")];
    if let Claimed::State(_) = claim.kind {
        all.push(format!("value/next{at}"));
    }
    all
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
            roots: claims.iter().enumerate().map(|(at, claim)| roots(at, claim)).collect(),
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

    /// Where a claim does not hold first.
    fn broken(&mut self, claim: &Claim, at: usize, point: &Point) -> Option<Seen> {
        let want = Want { roots: self.roots[at].clone(), gradients: false };
        let outcome = self.executable.run(&point.params, &point.batch, &want);
        self.first(claim, at, &outcome, point.batch.lengths.len())
    }

    fn first(&self, claim: &Claim, at: usize, outcome: &Outcome, samples: usize) -> Option<Seen> {
        let shape = &self.claimed[at];
        let width = shape.iter().product::<usize>().max(1);
        let mut all = self.roots[at].iter().enumerate().filter_map(|(after, name)| {
            let root = outcome.roots[name].as_standard_layout();
            let before = matches!(claim.kind, Claimed::State(_)) && after == 0;
            let mut seen = root.as_slice()?.chunks(width).enumerate().filter_map(|(entry, one)| {
                let gave = outside(&claim.domain, shape, one, TOLERANCE)?;
                let step = if before { entry / samples } else { entry / samples + 1 };
                Some(Seen { step, sample: entry % samples, gave })
            });
            seen.next()
        });
        // Of a state the value before a step is the one after the step before.
        let first = all.next();
        first.into_iter().chain(all).min_by_key(|seen| seen.step)
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
            let want = Want { roots: self.roots.concat(), gradients: false };
            let outcome = self.executable.run(&point.params, &point.batch, &want);
            let open: Vec<usize> = (0..claims.len()).filter(|at| found[*at].is_none()).collect();
            for at in open {
                if let Some(seen) = self.first(&claims[at], at, &outcome, samples) {
                    let draw = done + seen.sample as u64 + 1;
                    found[at] = self.simplest(&claims[at], at, &point, seen.sample, draw);
                    let mend = self.declared_closer(instance, at, seed);
                    if let Some(found) = &mut found[at] {
                        found.mend = mend;
                    }
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
        let mut seen = self.broken(claim, at, &point)?;
        for input in 0..self.kinds.len() {
            for simple in self.kinds[input].simple() {
                let mut other = point.clone();
                let numbers = simple.iter().copied().cycle();
                other.batch.inputs[input].iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
                if let Some(now) = self.broken(claim, at, &other) {
                    (point, seen) = (other, now);
                    break;
                }
            }
            let mut other = point.clone();
            if matches!(self.kinds[input].domain, Domain::Real(..)) {
                other.batch.inputs[input].mapv_inplace(|one| (one * 100.0).round() / 100.0);
                let held = other.batch.inputs[input]
                    .iter()
                    .all(|one| outside(&self.kinds[input].domain, &[], &[*one], 0.0).is_none());
                if held && let Some(now) = self.broken(claim, at, &other) {
                    (point, seen) = (other, now);
                }
            }
        }
        let mut inputs = Vec::new();
        for (name, tensor) in self.names.iter().zip(&point.batch.inputs) {
            let width = tensor.len() / STEPS;
            let all: Vec<f64> = tensor.iter().copied().collect();
            let steps = all.chunks(width.max(1)).take(seen.step).map(<[f64]>::to_vec);
            inputs.push((name.clone(), steps.collect()));
        }
        let from = told(&inputs, seen.step, matches!(claim.kind, Claimed::State(_)));
        let Seen { step, gave, .. } = seen;
        Some(Counterexample { gave, from, step, draw, inputs, mend: Vec::new() })
    }

    /// Which input, declared closer, keeps a claim that was seen to break: of those that may be anything
    /// the first for which no draw breaks it any more, or all of them together.
    fn declared_closer(&mut self, instance: &Instance, at: usize, seed: u64) -> Vec<String> {
        let claim = &instance.claims.all[at];
        let real = |one: &usize| {
            let (kind, name) = (&self.kinds[*one], &self.names[*one]);
            kind.sort == Sort::Real && kind.domain == Domain::REAL && !is_cotangent(name)
        };
        let open: Vec<usize> = (0..self.kinds.len()).filter(real).collect();
        if !instance.alone || open.is_empty() {
            return Vec::new();
        }
        let one_by_one = open.iter().map(|one| vec![*one]);
        let together = (open.len() > 1).then(|| open.clone());
        for inputs in one_by_one.chain(together) {
            for domain in CLOSER {
                let row = matches!(domain, Domain::Weighting | Domain::Simplex);
                if row && inputs.iter().any(|one| self.kinds[*one].sizes.is_empty()) {
                    continue;
                }
                inputs.iter().for_each(|one| self.kinds[*one].domain = domain.clone());
                let holds = (0..CLOSER_BATCHES).all(|batch| {
                    let point = self.point(&instance.name, seed, batch, SAMPLES);
                    self.broken(claim, at, &point).is_none()
                });
                inputs.iter().for_each(|one| self.kinds[*one].domain = Domain::REAL);
                if holds {
                    return inputs.iter().map(|one| slot(instance, *one, domain)).collect();
                }
            }
        }
        Vec::new()
    }
}

/// Domains that an input may be declared with, the widest first.
const CLOSER: &[Domain] = &[
    Domain::Real(Some(0.0), None),
    Domain::Real(Some(-1.0), Some(1.0)),
    Domain::Real(Some(0.0), Some(1.0)),
    Domain::Weighting,
    Domain::Simplex,
];
/// How many batches a closer declaration is tried on.
const CLOSER_BATCHES: u64 = 4;

/// An input as it would be declared: `ww[N]: weighting`.
fn slot(instance: &Instance, input: usize, domain: &Domain) -> String {
    let input = &instance.model.inputs[input];
    let size = |axis: &Axis| {
        if axis.dim.is_empty() { axis.size.to_string() } else { axis.dim.clone() }
    };
    let sizes: Vec<String> = input.axes.iter().map(size).collect();
    let shape = if sizes.is_empty() { String::new() } else { format!("[{}]", sizes.join(", ")) };
    format!("{}{shape}: {}", input.path, domain_name(domain))
}

/// What the loss of a definition alone is made with; nobody wrote it.
fn is_cotangent(name: &str) -> bool {
    name.starts_with("cotangent")
}

/// The numbers that went into a step, as far as people read them.
fn told(inputs: &[(String, Vec<Vec<f64>>)], step: usize, after: bool) -> String {
    if step == 0 {
        return "before the first step".to_owned();
    }
    let mut all = Vec::new();
    for (name, steps) in inputs.iter().filter(|(name, _)| !is_cotangent(name)) {
        let Some(numbers) = steps.last() else { continue };
        let list: Vec<String> = numbers.iter().take(MOST_NUMBERS).map(|one| short(*one)).collect();
        let more = if numbers.len() > MOST_NUMBERS { ", .." } else { "" };
        all.push(match &list[..] {
            [one] if numbers.len() == 1 => format!("{name} = {one}"),
            list => format!("{name} = [{}{more}]", list.join(", ")),
        });
    }
    let with = if all.is_empty() { String::new() } else { format!(" with {}", all.join(", ")) };
    format!("{} step {step}{with}", if after { "after" } else { "at" })
}

/// How many numbers of an array are shown.
const MOST_NUMBERS: usize = 12;

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
