//! A backend for tests: logistic regression of the output on the input of each step, with plain
//! gradient descent with momentum. Its gradient is exact, its state has no effect.

use std::collections::BTreeMap;

use crate::graph::{Path, Type};
use crate::model::flat;
use crate::op::scalar;
use crate::run::{
    Advance, Array, Batch, Border, Clip, Executable, Gradients, Held, Learned, Outcome, Precision,
    Session, Trainable, Trouble, Want,
};
use crate::source::Span;
use crate::tensor::Tensor;

pub(crate) struct Fake {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// After how many runs the loss becomes NaN.
    pub(crate) breaks_after: Option<usize>,
    /// Its numbers, rounded to this precision.
    held: Held,
    precision: Precision,
}

impl Fake {
    pub(crate) fn new(inputs: u32, outputs: u32, precision: Precision) -> Fake {
        let held = Held { params: Vec::new(), slots: Vec::new() };
        let (inputs, outputs) = (inputs as usize, outputs as usize);
        Fake { inputs, outputs, breaks_after: None, held, precision }
    }

    fn round(&self, tensor: &Tensor) -> Tensor {
        match self.precision {
            Precision::F32 => tensor.mapv(|value| f64::from(value as f32)),
            Precision::F64 => tensor.clone(),
        }
    }
}

fn array(path: &str, sizes: &[u32]) -> Array {
    let axes = vec!["i".to_owned(); sizes.len()];
    Array { path: Path(path.to_owned()), sizes: sizes.to_vec(), axes, ty: Type::Real }
}

/// A session of this backend, fitting a task with these widths.
pub(crate) fn session(inputs: u32, outputs: u32, precision: Precision, seed: u64) -> Session {
    session_of(Fake::new(inputs, outputs, precision), seed)
}

pub(crate) fn session_of(backend: Fake, seed: u64) -> Session {
    let precision = backend.precision;
    let (x, y) = (backend.inputs as u32, backend.outputs as u32);
    Session::new(border(x, y), &model(x, y), Box::new(backend), precision, seed).expect("starts")
}

pub(crate) fn border(x: u32, y: u32) -> Border {
    Border {
        params: vec![array("y.weight", &[y, x]), array("y.bias", &[y])],
        inputs: vec![array("x", &[x]), array("target", &[y]), array("mask", &[])],
        states: Vec::new(),
        slots: vec![array("momentum", &[y * x + y])],
        traces: vec![("y".to_owned(), vec![y]), ("value/read.w".to_owned(), vec![12])],
    }
}

pub(crate) fn model(x: u32, y: u32) -> flat::Model {
    let axes = |sizes: &[u32]| {
        let each = sizes.iter().enumerate().map(|(at, size)| flat::Axis {
            var: flat::Var(at as u32),
            name: "i".to_owned(),
            dim: String::new(),
            size: *size,
        });
        each.collect::<Vec<_>>()
    };
    let param = |path: &str, sizes: &[u32], start| flat::Param {
        path: path.to_owned(),
        axes: axes(sizes),
        start,
        span: Span::default(),
    };
    flat::Model {
        name: "fake".to_owned(),
        params: vec![
            param("y.weight", &[y, x], flat::Draw::Uniform(-0.3, 0.3)),
            param("y.bias", &[y], flat::Draw::Fixed(flat::Term::Real(0.0))),
        ],
        ..flat::Model::default()
    }
}

impl Executable for Fake {
    fn keep_at_most(&mut self, _: usize) {}

    fn facts(&self) -> crate::backend::Facts {
        crate::backend::Facts::default()
    }

    fn run(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Outcome {
        let [x, target, mask] = &batch.inputs[..] else { panic!("three inputs") };
        let (steps, count) = (x.shape()[0], x.shape()[1]);
        let mut y = Tensor::zeros(vec![steps, count, self.outputs]);
        let mut loss = vec![0.0; count];
        let mut weight = Tensor::zeros(vec![self.outputs, self.inputs]);
        let mut bias = Tensor::zeros(vec![self.outputs]);
        for sample in 0..count {
            for t in 0..batch.lengths[sample] {
                for o in 0..self.outputs {
                    let terms = (0..self.inputs).map(|i| params[0][[o, i]] * x[[t, sample, i]]);
                    let z = params[1][[o]] + terms.sum::<f64>();
                    let p = (scalar::SIGMOID.row().eval)(&[z]);
                    y[[t, sample, o]] = p;
                    let (wanted, counts) = (target[[t, sample, o]], mask[[t, sample]]);
                    loss[sample] += counts * ((scalar::SOFTPLUS.row().eval)(&[z]) - wanted * z);
                    let back = counts * (p - wanted);
                    bias[[o]] += back;
                    (0..self.inputs).for_each(|i| weight[[o, i]] += back * x[[t, sample, i]]);
                }
            }
        }
        if let Some(left) = &mut self.breaks_after {
            if *left == 0 {
                loss[0] = f64::NAN;
            }
            *left = left.saturating_sub(1);
        }
        let mut roots = BTreeMap::new();
        for root in &want.roots {
            let tensor = if root == "y" {
                y.clone()
            } else {
                Tensor::from_shape_fn(vec![steps, count, 12], |at| {
                    let far = at[0] as f64 - at[2] as f64;
                    (-far * far / 2.0).exp() / 3.0
                })
            };
            roots.insert(root.clone(), tensor);
        }
        let gradients = want.gradients.then(|| Gradients {
            params: vec![weight, bias],
            inputs: Vec::new(),
            starts: Vec::new(),
        });
        Outcome { loss, roots, finals: Vec::new(), gradients }
    }

    fn starts(&mut self, _: &[Tensor]) -> Vec<Tensor> {
        Vec::new()
    }
}

impl Trainable for Fake {
    fn slots(&mut self) -> Vec<Tensor> {
        vec![Tensor::zeros(vec![self.outputs * (self.inputs + 1)])]
    }

    fn hold(&mut self, params: &[Tensor], slots: &[Tensor]) {
        let round = |all: &[Tensor]| all.iter().map(|one| self.round(one)).collect();
        self.held = Held { params: round(params), slots: round(slots) };
    }

    fn held(&self) -> Held {
        self.held.clone()
    }

    fn run_held(&mut self, batch: &Batch, want: &Want) -> Outcome {
        let params = self.held.params.clone();
        self.run(&params, batch, want)
    }

    fn open(&mut self, _: &[Option<Tensor>], _: &str) {}

    fn answer(&mut self, inputs: &[Tensor]) -> Tensor {
        inputs[0].clone()
    }

    fn learn(&mut self, batch: &Batch, roots: &[String], advance: &Advance<'_>) -> Learned {
        let want = Want { roots: roots.to_vec(), gradients: true };
        let mut outcome = self.run_held(batch, &want);
        let gradients = outcome.gradients.take().expect("they were asked for").params;
        let all = gradients.iter().zip(advance.frozen);
        let all =
            all.flat_map(|(one, frozen)| one.iter().map(move |v| if *frozen { 0.0 } else { *v }));
        let mean: Vec<f64> = all.map(|value| value / batch.lengths.len() as f64).collect();
        let mut gradient = Tensor::from_shape_vec(vec![mean.len()], mean).expect("one axis");
        let norm = gradient.iter().map(|value| value * value).sum::<f64>().sqrt();
        if outcome.loss.iter().any(|loss| !loss.is_finite()) {
            return Learned { outcome, norm, trouble: Some(Trouble::Loss) };
        }
        match advance.clip {
            Some(Clip::Value(limit)) => gradient.mapv_inplace(|one| one.clamp(-limit, limit)),
            Some(Clip::Norm(limit)) => gradient.mapv_inplace(|one| one * (limit / norm).min(1.0)),
            None => {}
        }
        let values = self.held.params.iter().flat_map(|one| one.iter().copied()).collect();
        let value = Tensor::from_shape_vec(vec![gradient.len()], values).expect("one axis");
        let mut slots = std::mem::take(&mut self.held.slots);
        let next = self.update(&value, &gradient, advance.rate, &mut slots);
        let mut next = next.into_iter();
        for (param, frozen) in self.held.params.iter_mut().zip(advance.frozen) {
            for number in param.iter_mut() {
                let new = next.next().expect("as many numbers");
                *number = if *frozen { *number } else { new };
            }
        }
        let params = std::mem::take(&mut self.held.params);
        self.hold(&params, &slots);
        Learned { outcome, norm, trouble: None }
    }

    fn update(
        &mut self,
        value: &Tensor,
        gradient: &Tensor,
        rate: f64,
        slots: &mut Vec<Tensor>,
    ) -> Tensor {
        slots[0] = &slots[0] * 0.9 + gradient;
        value - &(&slots[0] * rate)
    }
}
