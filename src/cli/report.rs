//! What is shown after a run: numbers, a curve, an episode, pictures.

use std::path::PathBuf;

use super::directory::Directory;
use super::show::page::{self, Page};
use super::show::{self, FEW, Of, STREAM, Wish, panels};
use crate::error::Error;
use crate::model::flat::Model;
use crate::run::Session;
use crate::task::Score;
use crate::train::figure::terminal::{Letters, blocks, chart};
use crate::train::figure::{self, Curve, Picture};
use crate::train::{Evaluation, Line, Settings, Stop};

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
                "error": self.evaluation.and_then(|found| found.score_error),
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
        let report = self.out.join("report.html");
        out.push_str(&format!("all of it in a browser: {}\n", report.display()));
        out
    }
}

/// What is needed to draw a run.
pub(super) struct Drawing<'r> {
    /// The model.
    pub(super) model: &'r Model,
    /// How it was trained.
    pub(super) settings: &'r Settings,
    /// The spec in full.
    pub(super) spec: &'r str,
    /// Where to.
    pub(super) directory: &'r Directory,
}

/// Draws the curve, an episode and the weightings into the directory, and all of it on one page; returns
/// the episode as text.
pub(super) fn draw(
    session: &mut Session,
    report: &Report,
    drawing: &Drawing,
) -> Result<String, Error> {
    let Drawing { model, settings, spec, directory } = *drawing;
    let (kind, few) = match settings.overfit {
        Some(count) => (settings.examined(), count.min(FEW)),
        None => (STREAM, FEW),
    };
    let wish = Wish { seed: settings.seed, of: Of::Longest(kind, few), names: None, strict: false };
    let shown = show::observe(session, model, settings.goal(), &wish)?;
    let title = format!("{} on {}, step {}", report.model, report.task, report.steps);
    let episode = panels::episode(&shown);
    save(directory, "figures/episode", &panels::stacked(&title, episode.clone()))?;
    let weightings = panels::weightings(&shown, false);
    if !weightings.is_empty() {
        save(directory, "figures/weightings", &panels::stacked(&title, weightings))?;
    }
    let named =
        |chart: Curve| Curve { title: format!("{} on {}", report.model, report.task), ..chart };
    save(directory, "figures/loss", &figure::curve(&named(page::loss(&report.curve))))?;
    let score = page::score(&report.curve, report.score.unit);
    save(directory, "figures/score", &figure::curve(&named(score)))?;
    let html = page::html(&Page {
        manifest: &directory.manifest()?,
        settings,
        model,
        parameters: report.parameters,
        trained: (report.steps, report.sequences),
        lines: &report.curve,
        evaluation: report.evaluation,
        shown: &shown,
        spec,
    });
    directory.write("report.html", html.as_bytes())?;
    let rows =
        episode.iter().map(|panel| blocks(&panel.title, &panel.values, WIDTH, 16, report.letters));
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

/// Writes a picture as SVG and PNG.
pub(super) fn save(directory: &Directory, name: &str, picture: &Picture) -> Result<(), Error> {
    directory.write(&format!("{name}.svg"), figure::svg(picture).as_bytes())?;
    directory.write(&format!("{name}.png"), &figure::png(picture))
}
