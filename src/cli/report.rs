//! What is shown after a run: numbers, a curve, an episode, pictures.

use std::path::PathBuf;

use super::directory::Directory;
use crate::error::Error;
use crate::run::{Session, Want};
use crate::task::{Episode, Score};
use crate::tensor::Tensor;
use crate::train::figure::terminal::{Letters, blocks, chart};
use crate::train::figure::{self, Curve, Panel, Picture, Series};
use crate::train::{Evaluation, Line, Settings, Stop, assemble, output_of, sample};

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Why it ended.
    pub stop: Stop,
    /// The model.
    pub model: String,
    /// The task it was evaluated on.
    pub task: String,
    /// The backend.
    pub backend: String,
    /// `f32` or `f64`.
    pub precision: String,
    /// The seed.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// Sequences in all.
    pub sequences: u64,
    /// Sequences of this call: fewer than in all where a run went on.
    pub trained: u64,
    /// Wall time of this call's training.
    pub seconds: f64,
    /// The last evaluation, unless the run was interrupted.
    pub evaluation: Option<Evaluation>,
    /// What the score is.
    pub score: Score,
    /// Number of parameters.
    pub parameters: usize,
    /// The run directory.
    pub out: PathBuf,
    /// Every line of metrics.
    pub curve: Vec<Line>,
    /// One episode, drawn for a terminal.
    pub example: Option<String>,
    /// Which characters the text may use.
    pub letters: Letters,
}

/// Width of everything printed.
const WIDTH: usize = 78;

impl Report {
    /// One object for programs.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let stop = match self.stop {
            Stop::Done => "done",
            Stop::Time => "time",
            Stop::Interrupt => "interrupt",
            Stop::Terminate => "terminate",
        };
        let loss = self.evaluation.map(|found| found.loss);
        serde_json::json!({
            "schema": 1,
            "model": self.model,
            "task": self.task,
            "backend": self.backend,
            "precision": self.precision,
            "seed": self.seed,
            "steps": self.steps,
            "sequences": self.sequences,
            "seconds": self.seconds,
            "loss": loss,
            "bits_per_sequence": loss.map(|nats| nats / std::f64::consts::LN_2),
            "score": {
                "name": self.score.name,
                "value": self.evaluation.map(|found| found.score),
                "unit": self.score.unit,
            },
            "parameters": self.parameters,
            "out": self.out.display().to_string(),
            "stopped": stop,
        })
    }

    /// The same for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{} on {}\n\n", self.model, self.task);
        let points: Vec<_> =
            self.curve.iter().map(|line| (line.sequences as f64, line.bits_per_sequence)).collect();
        let curve = chart(&points, "sequences", WIDTH, 12, self.letters);
        if !curve.is_empty() {
            out.push_str(&format!("loss in bits per sequence\n{curve}\n"));
        }
        if let Some(example) = &self.example {
            out.push_str(&format!("one new episode\n{example}\n"));
        }
        let rate = self.trained as f64 / self.seconds.max(1e-9);
        out.push_str(&format!(
            "{} parameters, {} steps, {} sequences in {:.1} s ({rate:.0} sequences/s)\n",
            self.parameters, self.steps, self.sequences, self.seconds
        ));
        if let Some(found) = self.evaluation {
            out.push_str(&format!(
                "on {} new episodes: {:.3} {}, {:.3} bits per sequence\n",
                found.episodes,
                found.score,
                self.score.unit,
                found.loss / std::f64::consts::LN_2
            ));
        }
        out.push_str(&format!("pictures and checkpoints: {}\n", self.out.display()));
        out
    }
}

/// Draws the curve, an episode and the weightings into the directory; returns the episode as text.
pub(super) fn draw(
    session: &mut Session,
    settings: &Settings,
    report: &Report,
    directory: &Directory,
) -> Result<String, Error> {
    // The longest of a few shows most.
    let few = match settings.overfit {
        Some(count) => {
            sample(settings.goal(), settings.seed, settings.examined(), 0, count.min(16))
        }
        None => sample(settings.goal(), settings.seed, "example", 0, 16),
    };
    let longest = few.into_iter().max_by_key(Episode::steps);
    let episode = longest.expect("at least one was drawn");
    let mut batch = assemble(&session.border().inputs, std::slice::from_ref(&episode));
    batch.starts = session.starts((settings.seed, "example"), (0, 0), 1);
    let traced = candidates(session);
    let roots = std::iter::once("y".to_owned()).chain(traced.iter().cloned()).collect();
    let outcome = session.run(&batch, &Want { roots, gradients: false });
    let of = |root: &str| outcome.roots.get(root).map(|all| output_of(all, 0, episode.steps()));
    let output = of("y").unwrap_or_else(|| Tensor::zeros(episode.target.raw_dim()));
    let shown = episode_panels(&episode, &output);
    let title = format!("{} on {}, step {}", report.model, report.task, report.steps);
    save(directory, "episode", &figure::heat(&title, &shown))?;
    let weightings: Vec<Panel> = traced
        .iter()
        .filter_map(|root| weighting(root.strip_prefix("value/").unwrap_or(root), &of(root)?))
        .flatten()
        .take(MOST_PANELS)
        .collect();
    if !weightings.is_empty() {
        save(directory, "weightings", &figure::heat(&title, &weightings))?;
    }
    save(directory, "loss", &figure::curve(&loss_curve(report)))?;
    let rows =
        shown.iter().map(|panel| blocks(&panel.title, &panel.values, WIDTH, 16, report.letters));
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

/// More heat maps than this are no picture.
const MOST_PANELS: usize = 12;

fn save(directory: &Directory, name: &str, picture: &Picture) -> Result<(), Error> {
    directory.write(&format!("figures/{name}.svg"), figure::svg(picture).as_bytes())?;
    directory.write(&format!("figures/{name}.png"), &figure::png(picture))
}

fn loss_curve(report: &Report) -> Curve {
    let bits = |nats: f64| nats / std::f64::consts::LN_2;
    let training = report.curve.iter().map(|line| (line.sequences as f64, line.bits_per_sequence));
    let evaluated = report
        .curve
        .iter()
        .filter_map(|line| line.evaluation.map(|found| (line.sequences as f64, bits(found.loss))));
    Curve {
        title: format!("{} on {}", report.model, report.task),
        x: "sequences".to_owned(),
        y: "loss in bits per sequence".to_owned(),
        series: vec![
            Series { name: "training".to_owned(), points: training.collect(), dots: false },
            Series { name: "evaluation".to_owned(), points: evaluated.collect(), dots: true },
        ],
    }
}

/// Input, target and output; steps whose output does not count are left blank.
fn episode_panels(episode: &Episode, output: &Tensor) -> Vec<Panel> {
    let asked = |values: &Tensor| {
        Tensor::from_shape_fn(values.raw_dim(), |at| {
            if episode.mask[[at[0]]] > 0.0 { values[&at] } else { f64::NAN }
        })
    };
    let panel = |title: &str, values: Tensor| {
        let inside = values.iter().all(|value| value.is_nan() || (0.0..=1.0).contains(value));
        let range = inside.then_some((0.0, 1.0));
        Panel { title: title.to_owned(), rows: "channel".to_owned(), values, range }
    };
    vec![
        panel("input", episode.inputs.clone()),
        panel("target", asked(&episode.target)),
        panel("output", asked(output)),
    ]
}

/// Traced vectors, and small families of them; carried ones if there are any.
fn candidates(session: &Session) -> Vec<String> {
    let border = session.border();
    let vector = |sizes: &[u32]| match sizes {
        [size] => *size > 1,
        [members, size] => *size > 1 && *members <= 16,
        _ => false,
    };
    let traced = border.traces.iter().filter(|(root, sizes)| root != "y" && vector(sizes));
    let all: Vec<&String> = traced.map(|(root, _)| root).collect();
    let carried: Vec<&String> = all
        .iter()
        .copied()
        .filter(|root| {
            let path = root.strip_prefix("value/").unwrap_or(root);
            border.states.iter().any(|state| state.path.0 == path)
        })
        .collect();
    let chosen = if carried.is_empty() { all } else { carried };
    chosen.into_iter().cloned().collect()
}

/// A value is shown as a weighting for what it is like, whatever its name: nothing negative, no sum
/// above 1, and at some step a real focus; one panel a member of a family.
fn weighting(path: &str, values: &Tensor) -> Option<Vec<Panel>> {
    const SLACK: f64 = 1e-3;
    let last = ndarray::Axis(values.ndim() - 1);
    let sums = values.sum_axis(last);
    let plausible = values.iter().all(|value| *value >= -SLACK)
        && sums.iter().all(|sum| *sum <= 1.0 + SLACK)
        && sums.iter().any(|sum| *sum > 0.01);
    // Rows of a matrix are weightings of a family only if they weigh most of the time; this leaves
    // out sparse matrices such as those that say which slot follows which.
    let family = values.ndim() == 3;
    if !plausible || (family && sums.mean().unwrap_or(0.0) < 0.5) {
        return None;
    }
    let panel = |title: String, values: Tensor| Panel {
        title,
        rows: "location".to_owned(),
        values,
        range: Some((0.0, 1.0)),
    };
    if !family {
        return Some(vec![panel(path.to_owned(), values.clone())]);
    }
    let members = values.axis_iter(ndarray::Axis(1)).enumerate();
    Some(members.map(|(at, member)| panel(format!("{path}, {at}"), member.to_owned())).collect())
}
