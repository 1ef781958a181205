//! Running a program: the contract every backend fulfils.
//!
//! In: a [`Program`], parameters and a [`Batch`]. Out: an [`Outcome`]. The
//! backend owns the loops over time and samples. Invariant: the same program, precision, parameters,
//! batch and wanted results give the same bits, for any number of threads.

mod aid;
mod block;
mod bytes;
mod cost;
mod domain;
mod engine;
mod float;
mod frames;
pub mod interp;
pub mod jit;
mod kernels;
mod learn;
mod live;
mod phase;
mod plan;
mod sweep;
mod threads;

use std::collections::BTreeMap;

pub use bytes::Budget;
pub use cost::Cost;

use crate::graph::Program;
use crate::source::Span;
use crate::tensor::Tensor;

/// In which floating-point type a backend computes; tensors between rooms are always `f64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Single.
    F32,
    /// Double.
    F64,
}

/// Sequences to run. T is the number of steps of the longest, B the number of samples.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Steps of each sample; the batch size is its length. A sample's later steps are not run: its
    /// state stays and its outputs and loss there are 0.
    pub lengths: Vec<usize>,
    /// One tensor [T, B, sizes..] an input of the program.
    pub inputs: Vec<Tensor>,
    /// One entry a state: a tensor [B, sizes..] that replaces the start the program computes.
    pub starts: Vec<Option<Tensor>>,
}

impl Batch {
    /// Whether it is one for a program. Inputs may be longer than the longest sequence.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn fits(&self, program: &Program) -> Result<(), String> {
        let (steps, samples) =
            (self.lengths.iter().copied().max().unwrap_or(0), self.lengths.len());
        let each = |what: &str, found: usize, wanted: usize| match found == wanted {
            true => Ok(()),
            false => Err(format!("a batch has {found} {what}, the program {wanted}")),
        };
        each("inputs", self.inputs.len(), program.inputs.len())?;
        for (tensor, array) in self.inputs.iter().zip(&program.inputs) {
            let steps = tensor.shape().first().map_or(steps, |own| steps.max(*own));
            let wanted = [&[steps, samples], &array.shape()[..]].concat();
            if tensor.shape() != wanted {
                let (name, found) = (&array.path, tensor.shape());
                return Err(format!("input `{name}` of a batch is {found:?}, not {wanted:?}"));
            }
        }
        if !self.starts.is_empty() {
            each("first states", self.starts.len(), program.states.len())?;
        }
        for (start, array) in self.starts.iter().zip(&program.states) {
            let wanted = [&[samples], &array.shape()[..]].concat();
            if let Some(found) = start.as_ref().map(Tensor::shape).filter(|found| *found != wanted)
            {
                let name = &array.path;
                return Err(format!(
                    "first state `{name}` of a batch is {found:?}, not {wanted:?}"
                ));
            }
        }
        Ok(())
    }
}

/// What to compute besides the loss and the final states.
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// Roots of the step graph to keep at every step, by full name (`y`, `value/read.w`).
    pub roots: Vec<String>,
    /// Gradients of the summed loss; the program must have its adjoint nodes.
    pub gradients: bool,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Loss of each sample, summed over its steps.
    pub loss: Vec<f64>,
    /// The roots asked for, each [T, B, sizes..].
    pub roots: BTreeMap<String, Tensor>,
    /// States after each sample's last step, each [B, sizes..].
    pub finals: Vec<Tensor>,
    /// Gradients, if asked for.
    pub gradients: Option<Gradients>,
}

/// Derivatives of the loss summed over all samples and steps.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    /// One an entry of `Program::params`.
    pub params: Vec<Tensor>,
    /// One an entry of `Program::inputs`, each [T, B, sizes..].
    pub inputs: Vec<Tensor>,
    /// One an entry of `Program::states`, each [B, sizes..]: with respect to the first state.
    pub starts: Vec<Tensor>,
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Kernels of a time step, forward and backward.
    pub kernels: usize,
    /// Bytes kept of the forward sweep for the backward sweep, in the memory of all threads.
    pub tape_bytes: u64,
    /// Threads that the last batch left nothing else to do, so that they help others with single steps as long as that
    /// is found to be faster.
    pub helpers: usize,
}

/// What a part of a run took.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// What was computed: the path of the value, and its shape.
    pub what: String,
    /// When: `forward`, `backward`, `once` for the parameters, in the `end`, by the `optimiser`.
    pub when: &'static str,
    /// The equation it comes from.
    pub span: Span,
    /// How often it ran.
    pub calls: u64,
    /// All its time, in seconds.
    pub seconds: f64,
}

/// A program made ready to run.
pub trait Executable {
    /// Runs a batch of sequences.
    ///
    /// # Panics
    /// Where the batch is not one for the program; see [`Batch::fits`].
    fn run(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Outcome;

    /// The first states of one sample for these parameters, one tensor a state.
    fn starts(&mut self, params: &[Tensor]) -> Vec<Tensor>;

    /// From now on keeps the forward sweep of that many steps at a time, and the states before each such
    /// stretch; what is not kept is computed again when the backward sweep needs it. The number is rounded up
    /// to a multiple that the program asks for, so that every sum is added in the same order and every result
    /// stays the same.
    fn keep_at_most(&mut self, steps: usize);

    /// What the last run took.
    fn facts(&self) -> Facts;

    /// From now on takes the time of each function of the plans it has made so far. Nothing happens in a
    /// backend that has no functions.
    fn measure(&mut self) {}

    /// What each function took since [`Executable::measure`].
    fn spent(&self) -> Vec<Timed> {
        Vec::new()
    }
}

/// What is done to the mean gradient of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// Every component to ± this.
    Value(f64),
    /// The global norm to at most this.
    Norm(f64),
}

/// How far a step of training goes.
#[derive(Clone, Copy, Debug)]
pub struct Advance<'a> {
    /// The learning rate.
    pub rate: f64,
    /// What is done to a large gradient.
    pub clip: Option<Clip>,
    /// One entry a parameter: whether it stays as it is.
    pub frozen: &'a [bool],
}

/// What a step of training found.
#[derive(Clone, Debug)]
pub struct Learned {
    /// Losses and the roots asked for, from before the step; no last states, no gradients.
    pub outcome: Outcome,
    /// The norm of the mean gradient before clipping.
    pub norm: f64,
    /// What is not finite; unless it is a new value, the parameters are as they were.
    pub trouble: Option<Trouble>,
}

/// The first number of a step of training that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The loss of a sample.
    Loss,
    /// The gradient, of this parameter if not of the whole.
    Gradient(Option<usize>),
    /// The new value of this parameter.
    Value(usize),
}

/// The numbers of a model in training.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// One entry of `Program::params` each.
    pub params: Vec<Tensor>,
    /// One entry of `Update::slots` each.
    pub slots: Vec<Tensor>,
}

/// A program with an optimiser, made ready to be trained. It holds parameters and slots in its own
/// precision.
pub trait Trainable: Executable {
    /// The first values of the optimiser's slots.
    fn slots(&mut self) -> Vec<Tensor>;

    /// Takes parameters and slots over, rounded to its precision.
    fn hold(&mut self, params: &[Tensor], slots: &[Tensor]);

    /// The parameters and slots it holds.
    fn held(&self) -> Held;

    /// Runs a batch with the parameters it holds.
    ///
    /// # Panics
    /// As [`Executable::run`].
    fn run_held(&mut self, batch: &Batch, want: &Want) -> Outcome;

    /// Begins one sequence whose inputs still come, with the parameters it holds now. `starts` are those of
    /// a [`Batch`]; `root` is what [`Trainable::answer`] tells at each step.
    fn open(&mut self, starts: &[Option<Tensor>], root: &str);

    /// The next step of the sequence opened last: one tensor of one step an input. The root has the form
    /// [1, 1, sizes..].
    ///
    /// # Panics
    /// Where no sequence was opened, or the inputs are others than the program's.
    fn answer(&mut self, inputs: &[Tensor]) -> Tensor;

    /// One step on a batch: forward, loss, backward, mean, clipping, update. `roots` are told as by a
    /// run.
    ///
    /// # Panics
    /// As [`Executable::run`], and where the batch is empty.
    fn learn(&mut self, batch: &Batch, roots: &[String], advance: &Advance<'_>) -> Learned;

    /// The optimiser alone: all parameters joined (P numbers), their gradient, the learning rate, and
    /// the slots, which are replaced. Returns the new parameters.
    fn update(
        &mut self,
        value: &Tensor,
        gradient: &Tensor,
        rate: f64,
        slots: &mut Vec<Tensor>,
    ) -> Tensor;
}

/// A part of a buffer that holds several arrays one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// First element.
    pub(super) offset: usize,
    /// Number of elements.
    pub(super) len: usize,
}

impl Part {
    /// The parts of a buffer, in order, and its length.
    pub(super) fn list(lens: impl IntoIterator<Item = usize>) -> (Vec<Part>, usize) {
        let mut offset: usize = 0;
        let mut parts = Vec::new();
        for len in lens {
            parts.push(Part { offset, len });
            offset = offset.saturating_add(len);
        }
        (parts, offset)
    }

    /// Its elements.
    pub(super) fn of<F>(self, all: &[F]) -> &[F] {
        &all[self.offset..self.offset + self.len]
    }

    /// Its elements, to be written.
    pub(super) fn of_mut<F>(self, all: &mut [F]) -> &mut [F] {
        &mut all[self.offset..self.offset + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Array, Path, Type};

    fn array(name: &str, sizes: &[u32]) -> Array {
        let path = Path(name.to_owned());
        Array { path, sizes: sizes.to_vec(), axes: Vec::new(), ty: Type::Real }
    }

    #[test]
    fn batches_of_other_programs_are_told_apart() {
        let (inputs, states) = (vec![array("x", &[3])], vec![array("s", &[2]), array("t", &[])]);
        let program = Program { inputs, states, ..Program::default() };
        let zeros = |shape: &[usize]| Tensor::zeros(shape.to_vec());
        let told = |lengths: &[usize], inputs: &[&[usize]], starts: &[Option<&[usize]>]| {
            let inputs = inputs.iter().map(|shape| zeros(shape)).collect();
            let starts = starts.iter().map(|start| start.map(zeros)).collect();
            Batch { lengths: lengths.to_vec(), inputs, starts }.fits(&program).err()
        };
        for (lengths, inputs, starts) in [
            (&[4, 2][..], &[4, 2, 3][..], &[][..]),
            (&[4, 2], &[6, 2, 3], &[None, None]),
            (&[4, 2], &[4, 2, 3], &[Some(&[2, 2][..]), Some(&[2])]),
            (&[], &[0, 0, 3], &[]),
        ] {
            assert_eq!(told(lengths, &[inputs], starts), None);
        }
        for (lengths, inputs, starts, says) in [
            (&[4, 2][..], &[][..], &[][..], "0 inputs, the program 1"),
            (&[4, 2], &[&[3, 2, 3][..]], &[], "`x` of a batch is [3, 2, 3], not [4, 2, 3]"),
            (&[4, 2], &[&[4, 1, 3]], &[], "`x` of a batch is [4, 1, 3], not [4, 2, 3]"),
            (&[4, 2], &[&[4, 2, 1]], &[], "`x` of a batch is [4, 2, 1], not [4, 2, 3]"),
            (&[4, 2], &[&[24]], &[], "`x` of a batch is [24], not"),
            (&[4, 2], &[&[4, 2, 3]], &[None], "1 first states, the program 2"),
            (
                &[4, 2],
                &[&[4, 2, 3]],
                &[None, Some(&[2, 1][..])],
                "`t` of a batch is [2, 1], not [2]",
            ),
        ] {
            let told = told(lengths, inputs, starts).unwrap_or_default();
            assert!(told.contains(says), "{told}");
        }
    }
}
