//! Gradients of whole programs against central differences of their loss, and optimisers against
//! trajectories written by hand.

mod kinks;
mod library;
mod models;
mod optimisers;

use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Executable, Outcome, Precision, Want};
use ntmc::compile::{self, Choices, Purpose, Spec};
use ntmc::graph::{Array, Program, Type};
use ntmc::model::library::StdOnly;
use ntmc::model::{Loss, Model, Ports};
use ntmc::random::Stream;
use ntmc::source::Source;
use ntmc::tensor::Tensor;

/// Steps of the first sample; the second has one less.
const STEPS: usize = 3;
/// Samples.
const SAMPLES: usize = 2;
/// How far from a whole program's differences its gradient may lie, in units of the largest of its
/// entries (or of 1).
const NEAR: f64 = 1e-7;

/// Where the first states come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Firsts {
    /// From the program, so that gradients reach parameters through them.
    Computed,
    /// Given in the batch, inside their domains; their own gradients are compared too.
    Drawn,
}

/// A text at some sizes, with a loss.
struct Case<'a> {
    name: &'a str,
    text: &'a str,
    /// `NAME=SIZE`, with spaces between them.
    sizes: &'a str,
    loss: Loss,
}

impl Case<'_> {
    /// The model; with a target, a task binds X and Y.
    fn model(&self) -> Model {
        let targeted = matches!(self.loss, Loss::Target { .. });
        let size = |name: &str| {
            let mut sizes = self.sizes.split(' ').filter_map(|one| one.split_once('='));
            sizes.find(|(own, _)| *own == name).map(|(_, size)| size.parse().unwrap())
        };
        let port = |word: &str| word.starts_with("X=") || word.starts_with("Y=");
        let words = self.sizes.split(' ').filter(|word| !word.is_empty());
        let sets = words.filter(|word| !(targeted && port(word))).map(str::to_owned).collect();
        let ports = targeted.then(|| Ports {
            input: size("X").unwrap(),
            output: size("Y").unwrap(),
            domain: "unit".to_owned(),
            place: ntmc::source::Span::default(),
        });
        let wrong = |error| -> Spec { panic!("{}: {error}\n{}", self.name, self.text) };
        let mut spec =
            Spec::read(Source::new(self.name, self.text), &StdOnly).unwrap_or_else(wrong);
        let choices = Choices { sets, ..Choices::default() };
        let choice = spec.choose(&choices).unwrap_or_else(|error| panic!("{error}"));
        let purpose = Purpose { ports, loss: self.loss.clone(), ..Purpose::default() };
        let model = spec.elaborate(&choice, &purpose);
        model.unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, self.text))
    }

    /// Compares gradients before and after optimisation with differences.
    fn check(&self, firsts: Firsts) {
        let model = self.model();
        let plain = compile::with_adjoints(compile::forward(&model));
        let better = compile::optimised(plain.clone());
        let forward = compile::optimised(compile::forward(&model));
        let (point, slopes) = smooth(self.name, &forward, firsts);
        for (stage, program) in [("before", &plain), ("after", &better)] {
            let outcome = run(program, &point, true);
            let gradients = arrays(program, &outcome, firsts);
            let largest = gradients.iter().flat_map(|(_, all)| all).fold(0.0_f64, |most, one| {
                assert!(one.is_finite(), "{}: {one}", self.name);
                most.max(one.abs())
            });
            assert!(largest > 1e-6, "{}: nothing depends on anything", self.name);
            assert_eq!(gradients.len(), slopes.len(), "{}", self.name);
            for ((path, gradient), slopes) in gradients.iter().zip(&slopes) {
                assert_eq!(gradient.len(), slopes.len(), "{}: {path}", self.name);
                for (at, (gradient, slope)) in gradient.iter().zip(slopes).enumerate() {
                    assert!(
                        (gradient - slope).abs() <= NEAR * largest.max(1.0),
                        "{}, {stage} optimisation, {firsts:?} first states: entry {at} of {path} \
                         has the gradient {gradient} but the slope {slope}",
                        self.name
                    );
                }
            }
        }
    }
}

/// Everything a loss depends on.
#[derive(Clone)]
struct Point {
    params: Vec<Tensor>,
    batch: Batch,
}

impl Point {
    /// Parameters, inputs, and the first states that are given.
    fn arrays(&mut self) -> Vec<&mut Tensor> {
        let inputs = self.batch.inputs.iter_mut();
        let starts = self.batch.starts.iter_mut().flatten();
        self.params.iter_mut().chain(inputs).chain(starts).collect()
    }
}

fn run(program: &Program, point: &Point, gradients: bool) -> Outcome {
    let mut interp = Interp::new(program, Precision::F64, 1);
    interp.run(&point.params, &point.batch, &Want { gradients, ..Want::default() })
}

/// Gradients in the order of [`Point::arrays`], with the names of what they belong to.
fn arrays(program: &Program, outcome: &Outcome, firsts: Firsts) -> Vec<(String, Vec<f64>)> {
    let found = outcome.gradients.as_ref().unwrap();
    let named = |kind: &str, arrays: &[Array], tensors: &[Tensor]| -> Vec<(String, Vec<f64>)> {
        let pairs = arrays.iter().zip(tensors).filter(|(array, _)| array.ty == Type::Real);
        pairs
            .map(|(array, one)| (format!("{kind} `{}`", array.path), one.iter().copied().collect()))
            .collect()
    };
    let mut all = named("param", &program.params, &found.params);
    all.extend(named("input", &program.inputs, &found.inputs));
    if firsts == Firsts::Drawn {
        all.extend(named("state", &program.states, &found.starts));
    }
    all
}

/// A point out of a fixed stream. States other than memories lie in 0.05..0.45, so that weightings and
/// usages stay inside their domains.
fn drawn(program: &Program, seed: u64, firsts: Firsts) -> Point {
    let tensor = |kind: &str, array: &Array, before: &[usize], low: f64, high: f64| {
        let mut stream = Stream::new(seed, &[kind, &array.path.0], &[]);
        let shape: Vec<usize> = before.iter().copied().chain(array.shape()).collect();
        Tensor::from_shape_simple_fn(shape, || stream.uniform(low, high))
    };
    let input = |array: &Array| {
        let (low, high) = match array.path.0.as_str() {
            "target" => (0.1, 0.9),
            "mask" => (0.5, 1.5),
            _ => (-1.0, 1.0),
        };
        tensor("input", array, &[STEPS, SAMPLES], low, high)
    };
    let start = |array: &Array| {
        let last = array.path.0.rsplit('.').next().unwrap_or_default();
        let signed = ["M", "S", "V", "h", "c", "r"].contains(&last);
        let (low, high) = if signed { (-0.8, 0.8) } else { (0.05, 0.45) };
        let given = firsts == Firsts::Drawn && array.ty == Type::Real;
        given.then(|| tensor("start", array, &[SAMPLES], low, high))
    };
    let params = program.params.iter().map(|array| tensor("param", array, &[], -0.8, 0.8));
    Point {
        params: params.collect(),
        batch: Batch {
            lengths: (0..SAMPLES).map(|sample| STEPS - sample).collect(),
            inputs: program.inputs.iter().map(input).collect(),
            starts: program.states.iter().map(start).collect(),
        },
    }
}

/// The first of a few fixed points that is not near a kink, with the slopes there. A kink (two sort
/// keys, or both arguments of a `max`, within 2e-3 of a parameter's move) shows in the differences
/// alone: those of long and of short steps disagree. The gradients under test have no say in this.
fn smooth(name: &str, forward: &Program, firsts: Firsts) -> (Point, Vec<Vec<f64>>) {
    let mut worst = Vec::new();
    for seed in 1..=8 {
        let mut point = drawn(forward, seed, firsts);
        let (slopes, rough) = differences(forward, &mut point);
        if rough <= 10.0 * NEAR {
            return (point, slopes);
        }
        worst.push(rough);
    }
    panic!("{name}: every point is near a kink, or too curved: {worst:?}");
}

/// Slopes of the loss along every entry, of sixth order, and by how much those of fourth order with
/// steps of 1e-3 and 2e-3 differ at most, in units of the largest slope (or of 1).
fn differences(forward: &Program, point: &mut Point) -> (Vec<Vec<f64>>, f64) {
    let mut interp = Interp::new(forward, Precision::F64, 1);
    let mut loss = |point: &Point| -> f64 {
        interp.run(&point.params, &point.batch, &Want::default()).loss.iter().sum()
    };
    let lengths: Vec<usize> = point.arrays().iter().map(|array| array.len()).collect();
    let (mut slopes, mut rough, mut largest) = (Vec::new(), 0.0_f64, 1.0_f64);
    for (array, length) in lengths.into_iter().enumerate() {
        let mut along = Vec::new();
        for entry in 0..length {
            let mut moved = |by: f64| {
                let place = |point: &mut Point, value: Option<f64>| {
                    let mut arrays = point.arrays();
                    let slot = &mut arrays[array].as_slice_mut().unwrap()[entry];
                    std::mem::replace(slot, value.unwrap_or(*slot + by))
                };
                let before = place(point, None);
                let found = loss(point);
                place(point, Some(before));
                found
            };
            let mut central = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
            let [short, middle, long] = [5e-4, 1e-3, 2e-3].map(&mut central);
            let fine = (4.0 * short - middle) / 3.0;
            let coarse = (4.0 * middle - long) / 3.0;
            let slope = (16.0 * fine - coarse) / 15.0;
            rough = rough.max((fine - coarse).abs());
            largest = largest.max(slope.abs());
            along.push(slope);
        }
        slopes.push(along);
    }
    (slopes, rough / largest)
}
