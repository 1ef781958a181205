//! One run: trained, evaluated on its task and on longer ones, and reduced to what is kept of it.

use std::error::Error;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ntmc;

/// What is kept of a run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Seed {
    /// Its seed.
    pub(crate) seed: u64,
    /// Sequences it was trained on.
    pub(crate) sequences: u64,
    /// Wall time of the training in seconds.
    pub(crate) seconds: f64,
    /// Number of parameters.
    pub(crate) parameters: u64,
    /// Sequences after which the running mean of the score over `window` fell below `below` first.
    pub(crate) falls: Vec<Fall>,
    /// The largest running mean of 1,000 after it first fell below 0.01.
    pub(crate) worst_after: Option<f64>,
    /// The running mean of 1,000 at the end.
    pub(crate) last: f64,
    /// Sequences and the mean score since the point before.
    pub(crate) curve: Vec<(u64, f64)>,
    /// On fresh episodes afterwards.
    pub(crate) evaluations: Vec<Evaluation>,
}

/// The score first fell below a mark.
#[derive(Serialize, Deserialize)]
pub(crate) struct Fall {
    pub(crate) below: f64,
    pub(crate) window: u64,
    pub(crate) after: Option<u64>,
}

/// One evaluation.
#[derive(Serialize, Deserialize)]
pub(crate) struct Evaluation {
    pub(crate) task: String,
    pub(crate) score: f64,
    pub(crate) bits: f64,
    /// The score of the best model there can be, on the same episodes, where that is not 0.
    pub(crate) best: Option<f64>,
}

/// Marks of the score, with the windows over which means are taken.
const MARKS: [(f64, u64); 4] = [(1.0, 500), (0.1, 1000), (0.05, 1000), (0.01, 1000)];

/// Points of a curve that are kept.
const POINTS: u64 = 200;

/// What a network that was trained on a task is asked afterwards.
fn questions(task: &str) -> &'static [&'static str] {
    match task {
        "copy" => &["length = 20", "length = 40", "length = 80", "length = 120"],
        "repeat_copy" => {
            &["length = 10, repeats = 10", "length = 20, repeats = 10", "length = 10, repeats = 20"]
        }
        "associative_recall" => {
            &["items = 6", "items = 8", "items = 10", "items = 12", "items = 15"]
        }
        _ => &[""],
    }
}

/// Trains with one seed, or goes on with what is there.
pub(crate) fn train(
    task: &str,
    model: &str,
    seed: u64,
    options: &[String],
) -> Result<Seed, Box<dyn Error>> {
    let directory = format!("runs/reproduce/{task}-{model}-{seed}");
    let options = options.iter().map(String::as_str);
    let spec = format!("specs/paper/{model}.ntm");
    let number = seed.to_string();
    let fresh = ["run", &spec, "--train", task, "--seed", &number, "--out", &directory];
    let again = ["run", "--resume", &directory];
    let there = Path::new(&directory).join("checkpoint.safetensors").exists();
    let start = if there { &again[..] } else { &fresh[..] };
    let done = ntmc(&start.iter().copied().chain(options).collect::<Vec<_>>())?;
    let lines = objects(&directory, "metrics.jsonl")?;
    let timing = objects(&directory, "timing.jsonl")?;
    let scores: Vec<(u64, f64)> = lines
        .iter()
        .filter_map(|line| Some((line["sequences"].as_u64()?, line["score"].as_f64()?)))
        .collect();
    let means = running(&scores, 1000);
    let solved = first(&means, 0.01);
    let after = means.iter().filter(|(at, _)| solved.is_some_and(|solved| *at > solved));
    Ok(Seed {
        seed,
        sequences: done["sequences"].as_u64().unwrap_or(0),
        seconds: timing.last().and_then(|line| line["seconds"].as_f64()).unwrap_or(f64::NAN),
        parameters: done["parameters"].as_u64().unwrap_or(0),
        falls: MARKS
            .map(|(below, window)| Fall {
                below,
                window,
                after: first(&running(&scores, window), below),
            })
            .into(),
        worst_after: after.map(|(_, mean)| *mean).reduce(f64::max),
        last: means.last().map_or(f64::NAN, |(_, mean)| *mean),
        curve: thinned(&scores),
        evaluations: evaluations(&directory, task)?,
    })
}

/// The lines of a file of a run.
fn objects(directory: &str, name: &str) -> Result<Vec<Value>, Box<dyn Error>> {
    let text = std::fs::read_to_string(Path::new(directory).join(name))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn evaluations(directory: &str, task: &str) -> Result<Vec<Evaluation>, Box<dyn Error>> {
    let calls: Vec<String> =
        questions(task).iter().map(|arguments| format!("{task}({arguments})")).collect();
    let mut args = vec!["eval", directory, "--episodes", "1000"];
    calls.iter().for_each(|call| args.extend(["--task", call]));
    let found = ntmc(&args)?;
    let rows = found["evaluations"].as_array().into_iter().flatten();
    let one = |row: &Value| Evaluation {
        task: row["task"].as_str().unwrap_or_default().to_owned(),
        score: row["score"]["value"].as_f64().unwrap_or(f64::NAN),
        bits: row["bits_per_sequence"].as_f64().unwrap_or(f64::NAN),
        best: row["score"]["best"].as_f64().filter(|best| *best != 0.0),
    };
    Ok(rows.map(one).collect())
}

/// Running means over the last `window` sequences, from where there are that many.
fn running(scores: &[(u64, f64)], window: u64) -> Vec<(u64, f64)> {
    let mut means = Vec::new();
    for (at, (end, _)) in scores.iter().enumerate() {
        let (mut count, mut sum, mut back) = (0, 0.0, at);
        while count < window {
            let before = back.checked_sub(1).map_or(0, |before| scores[before].0);
            let own = scores[back].0 - before;
            (count, sum) = (count + own, sum + own as f64 * scores[back].1);
            if back == 0 {
                break;
            }
            back -= 1;
        }
        if count >= window {
            means.push((*end, sum / count as f64));
        }
    }
    means
}

fn first(means: &[(u64, f64)], below: f64) -> Option<u64> {
    means.iter().find(|(_, mean)| *mean < below).map(|(at, _)| *at)
}

/// Neighbours joined until few points are left.
fn thinned(scores: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let each = scores.last().map_or(1, |(last, _)| last.div_ceil(POINTS)).max(1);
    let mut curve: Vec<(u64, f64)> = Vec::new();
    let (mut count, mut sum, mut before) = (0, 0.0, 0);
    for (at, score) in scores {
        (count, sum) = (count + at - before, sum + (at - before) as f64 * score);
        before = *at;
        if count >= each {
            // A thousandth is finer than any figure shows.
            curve.push((*at, (sum / count as f64 * 1e3).round() / 1e3));
            (count, sum) = (0, 0.0);
        }
    }
    curve
}
