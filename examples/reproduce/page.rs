//! The page of results: for every task its text, a table, a curve and the scores on longer episodes.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use ntmc::run::checkpoint::replace;
use ntmc::train::figure::{self, Curve, Series, Style};
use serde::{Deserialize, Serialize};

use crate::seed::{Evaluation, Seed};

/// What one command found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) task: String,
    pub(crate) model: String,
    pub(crate) command: String,
    pub(crate) seeds: Vec<Seed>,
}

const TASKS: [&str; 5] = ["copy", "repeat_copy", "associative_recall", "ngrams", "priority_sort"];
const MODELS: [&str; 5] = ["ntm-lstm", "ntm-deep-lstm", "ntm-feedforward", "dnc", "lstm"];

/// Writes `results.md` and its curves from `results/*.json` and the texts `results/*.md`.
pub(crate) fn write(docs: &Path) -> Result<(), Box<dyn Error>> {
    let results = docs.join("results");
    let text = |name: &str| std::fs::read_to_string(results.join(name)).unwrap_or_default();
    let mut page = text("introduction.md");
    for task in TASKS {
        let entries: Vec<Entry> = MODELS
            .iter()
            .map(|model| text(&format!("{task}-{model}.json")))
            .filter(|text| !text.is_empty())
            .map(|text| serde_json::from_str(&text))
            .collect::<Result<_, _>>()?;
        if entries.is_empty() {
            continue;
        }
        let picture = figure::svg(&figure::curve(&curve(task, &entries)));
        replace(&results.join(format!("{task}.svg")), picture.as_bytes())?;
        write!(page, "\n## {}\n\n", title(task))?;
        page.push_str(&text(&format!("{task}.md")));
        write!(page, "\n![learning curves](results/{task}.svg)\n\n")?;
        page.push_str(&learned(&entries));
        page.push_str(&asked(&entries));
        page.push_str("\n```sh\n");
        entries.iter().for_each(|entry| page.push_str(&format!("{}\n", entry.command)));
        page.push_str("```\n");
    }
    replace(&docs.join("results.md"), page.as_bytes())?;
    Ok(())
}

/// `repeat_copy` as a heading.
fn title(task: &str) -> String {
    let words = task.replace('_', " ");
    words[..1].to_uppercase() + &words[1..]
}

/// Sequences to each mark, median and all seeds, in thousands.
fn learned(entries: &[Entry]) -> String {
    let marks = entries.iter().flat_map(|entry| &entry.seeds).flat_map(|seed| &seed.falls);
    let fallen = marks.clone().any(|fall| fall.after.is_some());
    let mut out = String::from("| model | parameters | thousand sequences |");
    let names: Vec<String> =
        entries[0].seeds[0].falls.iter().map(|fall| format!(" < {} |", fall.below)).collect();
    if fallen {
        out.push_str(&names.concat());
        out.push_str(" worst mean after < 0.01 |");
    }
    out.push_str(" mean at the end | minutes a seed |\n|");
    let columns = out.matches('|').count() - 2;
    out.push_str(&" --- |".repeat(columns));
    out.push('\n');
    for entry in entries {
        let each = |of: &dyn Fn(&Seed) -> Option<f64>, digits: usize| {
            several(entry.seeds.iter().map(of).collect(), digits)
        };
        let first = &entry.seeds[0];
        let thousands = first.sequences as f64 / 1000.0;
        out.push_str(&format!("| {} | {} | {thousands} |", entry.model, first.parameters));
        for mark in 0..first.falls.len() * usize::from(fallen) {
            let fall = |seed: &Seed| seed.falls[mark].after.map(|after| after as f64 / 1000.0);
            out.push_str(&format!(" {} |", each(&fall, 1)));
        }
        if fallen {
            out.push_str(&format!(" {} |", each(&|seed| seed.worst_after, 3)));
        }
        let minutes = each(&|seed| Some(seed.seconds / 60.0), 1);
        out.push_str(&format!(" {} | {minutes} |\n", each(&|seed| Some(seed.last), 3)));
    }
    out
}

/// Scores on episodes of other lengths.
fn asked(entries: &[Entry]) -> String {
    let rows = &entries[0].seeds[0].evaluations;
    let mut out = String::from("\n| afterwards, 1,000 new episodes |");
    rows.iter().for_each(|row| out.push_str(&format!(" `{}` |", row.task)));
    out.push_str("\n| --- |");
    out.push_str(&" --- |".repeat(rows.len()));
    out.push('\n');
    for entry in entries {
        let row = |of: &dyn Fn(&Evaluation) -> f64| -> String {
            let seeds = |at: usize| entry.seeds.iter().map(move |seed| seed.evaluations.get(at));
            (0..rows.len())
                .map(|at| several(seeds(at).map(|row| row.map(of)).collect(), 2))
                .map(|scores| format!(" {scores} |"))
                .collect()
        };
        out.push_str(&format!("| {} |{}\n", entry.model, row(&|row| row.score)));
        // The paper's unit, where the score is another.
        let all = || entry.seeds.iter().flat_map(|seed| &seed.evaluations);
        if all().any(|row| (row.score - row.bits).abs() > 1e-6 * row.bits) {
            out.push_str(&format!("| {}, cost in bits |{}\n", entry.model, row(&|row| row.bits)));
        }
    }
    let best = |row: &Evaluation| row.best;
    if let Some(best) = rows.first().and_then(best) {
        out.push_str(&format!("| the best there can be | {best:.2} |\n"));
    }
    out
}

/// The median in bold, then all; `-` stands for what was never reached, which is worse than all else.
fn several(mut values: Vec<Option<f64>>, digits: usize) -> String {
    let show = |value: &Option<f64>| match value {
        Some(value) => format!("{value:.digits$}"),
        None => "-".to_owned(),
    };
    let all = values.iter().map(show).collect::<Vec<_>>().join(", ");
    values.sort_by(|left, right| {
        left.unwrap_or(f64::INFINITY).total_cmp(&right.unwrap_or(f64::INFINITY))
    });
    match &values[..] {
        [] => String::new(),
        [_] => all,
        sorted => format!("**{}** ({all})", show(&sorted[sorted.len() / 2])),
    }
}

/// The median over seeds of each model.
fn curve(task: &str, entries: &[Entry]) -> Curve {
    let series = entries.iter().map(|entry| {
        let points = entry.seeds.iter().map(|seed| seed.curve.len()).min().unwrap_or(0);
        let median = |at: usize| {
            let mut scores: Vec<f64> = entry.seeds.iter().map(|seed| seed.curve[at].1).collect();
            scores.sort_by(f64::total_cmp);
            (entry.seeds[0].curve[at].0 as f64, scores[scores.len() / 2])
        };
        Series {
            name: entry.model.clone(),
            points: (0..points).map(median).collect(),
            style: Style::Line,
        }
    });
    let unit = if task == "ngrams" { "bits per sequence" } else { "wrong bits per sequence" };
    Curve {
        title: format!("{}, median of the seeds", title(task)),
        x: "sequences".to_owned(),
        y: unit.to_owned(),
        series: series.collect(),
        size: (560.0, 240.0),
    }
}
