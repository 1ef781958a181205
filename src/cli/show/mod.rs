//! One episode of a model, looked at: run with everything traced, and drawn.
//!
//! In: a session and a task. Out: [`Shown`], the numbers of every step, and pictures of them. Nothing
//! here knows what the values of a model are called: [`values`] tells what they are like.

pub(super) mod page;
pub(super) mod panels;
pub(super) mod values;

use crate::error::Error;
use crate::model::flat;
use crate::run::{Session, Want};
use crate::task::{Episode, Instance};
use crate::tensor::Tensor;
use crate::train::{assemble, draw, output_of};
use values::{Kinds, Traced};

/// One episode with all that was traced.
pub(super) struct Shown {
    /// The task.
    pub(super) task: Instance,
    /// The episode.
    pub(super) episode: Episode,
    /// The answer, [T, Y].
    pub(super) output: Tensor,
    /// Loss in nats.
    pub(super) loss: f64,
    /// Every traced value.
    pub(super) values: Vec<Traced>,
    /// Carried values after the last step, by path.
    pub(super) finals: Vec<(String, Tensor)>,
    /// What goes into memories and what comes out of them.
    pub(super) traffic: (Vec<String>, Vec<String>),
}

/// Which episode.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    /// One by its number.
    Number(usize),
    /// The longest of the first few of a stream, which shows most.
    Longest(&'static str, usize),
}

/// Of how many the longest is shown.
pub(super) const FEW: usize = 16;

/// The stream of episodes that are looked at and neither trained on nor evaluated.
pub(super) const STREAM: &str = "example";

/// Which episode, and which values of it.
pub(super) struct Wish<'a> {
    /// The seed.
    pub(super) seed: u64,
    /// Which of its episodes.
    pub(super) of: Of,
    /// The values, by path; `None`: all but arrays of two axes that are not carried.
    pub(super) names: Option<&'a [String]>,
    /// Whether too many numbers are an error; else the largest values are left out.
    pub(super) strict: bool,
}

/// How many numbers are traced at most.
const MOST_NUMBERS: u64 = 1 << 26;

impl Shown {
    /// The score of the task.
    pub(super) fn score(&self) -> f64 {
        (self.task.task.score.of)(&self.episode, &self.output)
    }

    /// A value by its path.
    pub(super) fn value(&self, path: &str) -> Option<&Traced> {
        self.values.iter().find(|one| one.path == path)
    }
}

/// Runs an episode.
///
/// # Errors
/// If a value is not known, or the traces would be too large.
pub(super) fn observe(
    session: &mut Session,
    model: &flat::Model,
    task: &Instance,
    wish: &Wish,
) -> Result<Shown, Error> {
    let (episode, number) = episode_of(task, wish);
    let kinds = Kinds::of(model);
    let paths = paths(session, &kinds, wish, episode.steps())?;
    let mut batch = assemble(&session.border().inputs, std::slice::from_ref(&episode));
    batch.starts = session.starts((wish.seed, STREAM), (0, number), 1);
    let roots = paths.iter().map(|path| format!("value/{path}"));
    let roots = std::iter::once("y".to_owned()).chain(roots).collect();
    let mut outcome = session.run(&batch, &Want { roots, gradients: false });
    let mut of = |root: &str| {
        let all = outcome.roots.remove(root);
        all.map(|all| output_of(&all, 0, episode.steps()))
    };
    let output = of("y").unwrap_or_else(|| Tensor::zeros(episode.target.raw_dim()));
    let values: Vec<Traced> =
        paths.iter().filter_map(|path| kinds.traced(path, of(&format!("value/{path}"))?)).collect();
    let states = session.border().states.iter().map(|state| state.path.0.clone());
    let finals = states.zip(outcome.finals).collect();
    let traffic = kinds.traffic(&values);
    let loss = outcome.loss.first().copied().unwrap_or(0.0);
    Ok(Shown { task: task.clone(), episode, output, loss, values, finals, traffic })
}

/// The episode that is meant, and its number.
fn episode_of(task: &Instance, wish: &Wish) -> (Episode, u64) {
    let (kind, numbers) = match wish.of {
        Of::Number(number) => (STREAM, number..number + 1),
        Of::Longest(kind, few) => (kind, 0..few),
    };
    let first = numbers.start as u64;
    let drawn = draw(task, (wish.seed, kind, 0), numbers).into_iter().zip(first..);
    let longest = drawn.max_by_key(|(episode, _)| episode.steps());
    longest.expect("at least one was drawn")
}

/// The paths to trace.
fn paths(
    session: &Session,
    kinds: &Kinds,
    wish: &Wish,
    steps: usize,
) -> Result<Vec<String>, Error> {
    let known = session.border().traces.iter();
    let known: Vec<&str> = known.filter_map(|(root, _)| root.strip_prefix("value/")).collect();
    if let Some(names) = wish.names {
        for name in names {
            if !known.contains(&name.as_str()) {
                let near = crate::diag::nearest(name, known.iter().copied());
                let help = near.map_or_else(
                    || format!("its values are {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(Error::Usage(format!("the model has no value `{name}`\nhelp: {help}")));
            }
        }
    }
    let wanted = |path: &str| match wish.names {
        Some(names) => names.iter().any(|name| name == path),
        None => kinds.size(path).is_some_and(|(_, rank)| rank < 2 || kinds.carried(path)),
    };
    let mut chosen: Vec<String> =
        known.into_iter().filter(|path| wanted(path)).map(str::to_owned).collect();
    let size = |path: &String| kinds.size(path).map_or(0, |(size, _)| size);
    let numbers = |chosen: &[String]| {
        let sizes = chosen.iter().map(size).fold(0, u64::saturating_add);
        sizes.saturating_mul(steps as u64)
    };
    while !wish.strict && numbers(&chosen) > MOST_NUMBERS {
        let largest = chosen.iter().map(size).max().unwrap_or(0);
        chosen.retain(|path| size(path) < largest);
    }
    let numbers = numbers(&chosen);
    if numbers > MOST_NUMBERS {
        return Err(Error::Limit(format!(
            "{numbers} numbers are too many to keep of {steps} steps, the limit is {MOST_NUMBERS}\n\
             help: `--show` with the names of fewer values"
        )));
    }
    Ok(chosen)
}
