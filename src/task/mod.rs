//! Tasks: where episodes come from and how an answer is scored.
//!
//! In: the call of a task, `copy(bits = 8, length = 1..20)`. Out: a checked [`Instance`] that knows
//! its ports and draws episodes. Invariant: an episode depends on the arguments and the stream alone,
//! and no answer can be expected to score better than the task's oracle.

mod args;
mod associative_recall;
mod bits;
mod copy;
mod ngrams;
mod priority_sort;
mod random;
mod repeat_copy;

pub use args::{Error, ErrorKind, Value};

use crate::model::train::{ArgValue, TaskArg, TaskCall};
use crate::random::Stream;
use crate::source::Span;
use crate::tensor::Tensor;

/// Every task, sorted by name.
pub const TASKS: &[Task] = &[
    associative_recall::TASK,
    copy::TASK,
    ngrams::TASK,
    priority_sort::TASK,
    random::TASK,
    repeat_copy::TASK,
];

/// How many numbers one episode may hold; more is a limit, not a mistake.
const MOST_NUMBERS: u64 = 1 << 26;

/// One task.
#[derive(Debug)]
pub struct Task {
    /// Its name in a spec.
    pub name: &'static str,
    /// One line: what the network has to do.
    pub summary: &'static str,
    /// Its arguments; all have defaults.
    pub params: &'static [Param],
    /// The shapes it asks of a model.
    pub ports: fn(&[Value]) -> Ports,
    /// Steps of the longest episode.
    pub longest: fn(&[Value]) -> u64,
    /// What must hold between the arguments, beyond what each must be by itself.
    pub agree: fn(&[Value]) -> Result<(), Disagreement>,
    /// Draws an episode.
    pub episode: fn(&[Value], &mut Stream) -> Episode,
    /// The best answer to an episode that can be given without seeing the target beforehand, where
    /// that is not the target itself.
    pub oracle: Option<fn(&[Value], &Episode) -> Tensor>,
    /// How an answer is judged.
    pub score: Score,
}

/// Two arguments that do not go together.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// The parameter to change, by its position in the table.
    pub param: usize,
    /// What is wrong, as in a diagnostic.
    pub message: String,
    /// The value it should have.
    pub instead: Value,
}

/// For tasks whose arguments need not agree.
const ANY: fn(&[Value]) -> Result<(), Disagreement> = |_| Ok(());

/// One argument of a task.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// Its value when it is not given.
    pub default: Value,
    /// One line about it.
    pub doc: &'static str,
}

/// Which values an argument takes; above `most` is a limit.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One whole number.
    Whole {
        /// The smallest that makes sense.
        least: u32,
        /// The largest we run.
        most: u32,
    },
    /// `a..b`, both ends included; a single number stands for both ends.
    Range {
        /// The smallest that makes sense.
        least: u32,
        /// The largest we run.
        most: u32,
    },
    /// One of a few words.
    Word {
        /// The words.
        of: &'static [&'static str],
    },
}

/// The border between a task and a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// X: numbers a step into the model.
    pub input: u32,
    /// Y: numbers a step out of it.
    pub output: u32,
    /// The domain of each output: `real`, `unit` or `simplex`.
    pub domain: &'static str,
}

/// One sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// [T, X].
    pub inputs: Tensor,
    /// [T, Y]; 0 where nothing is asked.
    pub target: Tensor,
    /// `[T]`: 1 at the steps whose output counts, else 0.
    pub mask: Tensor,
}

impl Episode {
    /// An episode of so many steps in which nothing is shown and nothing asked.
    fn silent(steps: usize, input: usize, output: usize) -> Episode {
        Episode {
            inputs: Tensor::zeros(vec![steps, input]),
            target: Tensor::zeros(vec![steps, output]),
            mask: Tensor::zeros(vec![steps]),
        }
    }

    /// Shows rows [n, at most X] in the first channels, one a step from `step` on.
    fn show(&mut self, step: usize, rows: &Tensor) {
        for ((at, channel), value) in pairs(rows) {
            self.inputs[[step + at, channel]] = value;
        }
    }

    /// Asks for rows [n, at most Y] in the first channels, one a step from `step` on.
    fn ask(&mut self, step: usize, rows: &Tensor) {
        for ((at, channel), value) in pairs(rows) {
            self.target[[step + at, channel]] = value;
            self.mask[[step + at]] = 1.0;
        }
    }

    /// T.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.mask.len()
    }
}

/// The numbers of a matrix with their places.
fn pairs(rows: &Tensor) -> impl Iterator<Item = ((usize, usize), f64)> {
    rows.indexed_iter().map(|(at, value)| ((at[0], at[1]), *value))
}

/// How an answer is judged, one number an episode.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// What it is called in reports and files.
    pub name: &'static str,
    /// What it counts, for an axis.
    pub unit: &'static str,
    /// The score of a perfect answer; nothing where chance leaves no answer perfect.
    pub perfect: Option<f64>,
    /// Whether less is better.
    pub lower_is_better: bool,
    /// From the episode and the outputs [T, Y].
    pub of: fn(&Episode, &Tensor) -> f64,
}

impl Score {
    /// Whether the first is strictly better.
    #[must_use]
    pub fn better(&self, left: f64, right: f64) -> bool {
        if self.lower_is_better { left < right } else { left > right }
    }
}

/// A task with its arguments.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The task.
    pub task: &'static Task,
    /// One value a parameter, in their order.
    pub values: Vec<Value>,
}

impl Instance {
    /// The shapes it asks of a model.
    #[must_use]
    pub fn ports(&self) -> Ports {
        (self.task.ports)(&self.values)
    }

    /// Steps of the longest episode.
    #[must_use]
    pub fn longest(&self) -> u64 {
        (self.task.longest)(&self.values)
    }

    /// Draws an episode.
    pub fn episode(&self, stream: &mut Stream) -> Episode {
        (self.task.episode)(&self.values, stream)
    }

    /// The output [T, Y] of the best model there can be.
    #[must_use]
    pub fn oracle(&self, episode: &Episode) -> Tensor {
        match self.task.oracle {
            Some(oracle) => oracle(&self.values, episode),
            None => episode.target.clone(),
        }
    }
}

impl std::fmt::Display for Instance {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let args = self.task.params.iter().zip(&self.values);
        let args: Vec<_> = args.map(|(param, value)| format!("{} = {value}", param.name)).collect();
        write!(out, "{}({})", self.task.name, args.join(", "))
    }
}

/// Random sequences of a shape, for timing.
///
/// # Errors
/// If they would be too large.
pub fn random_like(ports: Ports, steps: u32) -> Result<Instance, Error> {
    let number = |name: &str, value: u32| (name.to_owned(), ArgValue::Number(f64::from(value)));
    let args = [
        number("inputs", ports.input),
        number("outputs", ports.output),
        number("steps", steps),
        ("target".to_owned(), ArgValue::Word(ports.domain.to_owned())),
    ];
    let arg = |(name, value)| TaskArg { name, value, span: Span::default() };
    let args = args.into_iter().map(arg).collect();
    resolve(&TaskCall { name: "random".to_owned(), args, span: Span::default() })
}

/// The task a call names, with its arguments checked.
///
/// # Errors
/// If there is no such task, an argument is unknown, given twice, of the wrong kind or out of range,
/// or an episode would be too large.
pub fn resolve(call: &TaskCall) -> Result<Instance, Error> {
    let Some(task) = TASKS.iter().find(|task| task.name == call.name) else {
        return Err(Error::unknown_task(&call.name));
    };
    let values = args::check(task, &call.args)?;
    (task.agree)(&values).map_err(|found| Error::disagreement(task, &call.args, &found))?;
    let ports = (task.ports)(&values);
    let numbers = (task.longest)(&values) * u64::from(ports.input + ports.output);
    if numbers > MOST_NUMBERS {
        return Err(Error::limit(format!(
            "an episode of `{}` would hold {numbers} numbers, the limit is {MOST_NUMBERS}",
            task.name
        )));
    }
    Ok(Instance { task, values })
}

#[cfg(test)]
mod tests;
