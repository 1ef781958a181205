//! `ntmc eval`: how well a finished run does, on its own task or another.

use serde_json::{Value, json};

use super::print;
use super::saved::{self, Saved, Which};
use crate::error::Error;
use crate::train::{Evaluation, Settings, best_score, evaluate};

/// Evaluate a finished run, on its task or on others
///
/// Runs fresh episodes through the trained model and tells the loss in bits per sequence and the score
/// of the task, each with its standard error. With the seed of the run (the default) the episodes are
/// those of the run's own evaluations. Tasks may be longer than in training; their inputs and outputs
/// must have the widths that the model was trained on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc eval runs/ntm-copy-1\n  \
    ntmc eval runs/ntm-copy-1 --best --episodes 1000 --seed 7\n  \
    ntmc eval runs/ntm-copy-1 --task 'copy(length = 20)' --task 'copy(length = 40)' --json")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// A task; given several times, one after the other. Arguments that it leaves out are those of
    /// the run where that has the same task [default: the task of the run]
    #[arg(long = "task", value_name = "CALL")]
    tasks: Vec<String>,
    /// Fresh episodes a task [default: as many as the run's evaluations take]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: Option<u32>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    json: bool,
}

/// One task and what was found.
type Row = (Settings, Evaluation);

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let most = args.episodes.map_or(crate::train::PIECE, |episodes| episodes as usize);
    let batch = most.min(crate::train::PIECE);
    let (mut saved, asked) = saved::open(&args.which, &args.tasks, batch)?;
    let mut rows = Vec::new();
    for mut settings in asked {
        if let Some(episodes) = args.episodes {
            settings.episodes = episodes as usize;
        }
        let found = evaluate(&mut saved.session, &settings, saved.steps)?;
        rows.push((settings, found));
    }
    if args.json {
        print(&format!("{}\n", object(args, &saved, &rows)))
    } else {
        print(&text(args, &saved, &rows))
    }
}

fn bits(nats: f64) -> f64 {
    nats / std::f64::consts::LN_2
}

fn object(args: &Args, saved: &Saved, rows: &[Row]) -> Value {
    let row = |(settings, found): &Row| {
        let score = settings.goal().task.score;
        json!({
            "task": settings.goal().to_string(),
            "seed": settings.seed,
            "episodes": found.episodes,
            "loss": found.loss,
            "loss_error": found.loss_error,
            "bits_per_sequence": bits(found.loss),
            "bits_per_sequence_error": found.loss_error.map(bits),
            "score": {
                "name": score.name,
                "value": found.score,
                "error": found.score_error,
                "unit": score.unit,
                "best": best_score(settings).or(score.perfect),
            },
        })
    };
    json!({
        "schema": 1,
        "run": saved.directory.0.display().to_string(),
        "model": saved.manifest.model,
        "checkpoint": args.which.checkpoint(),
        "steps": saved.steps,
        "evaluations": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn text(args: &Args, saved: &Saved, rows: &[Row]) -> String {
    let checkpoint = if args.which.best { "best checkpoint, after" } else { "after" };
    let mut out = format!("{}, {checkpoint} {} steps\n", saved.manifest.model, saved.steps);
    let number = |value: f64, error: Option<f64>| match error {
        Some(error) => format!("{value:.3} +- {error:.3}"),
        None => format!("{value:.3}"),
    };
    for (settings, found) in rows {
        let plural = if found.episodes == 1 { "" } else { "s" };
        out.push_str(&format!(
            "\n{}: {} episode{plural}, seed {}\n  {} {}\n  {} bits per sequence\n",
            settings.goal(),
            found.episodes,
            settings.seed,
            number(found.score, found.score_error),
            settings.goal().task.score.unit,
            number(bits(found.loss), found.loss_error.map(bits)),
        ));
        if let Some(best) = best_score(settings) {
            out.push_str(&format!("  {best:.3} is the best there can be on these episodes\n"));
        }
    }
    out
}
