//! `ntmc tasks`: what a model can be trained on.

use super::print;
use crate::error::Error;
use crate::task::{Kind, TASKS};

/// List the tasks with their arguments
///
/// A `train` block names one: `train ntm on copy(bits = 8, length = 1..20) { .. }`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc tasks\n  ntmc tasks --json\n  \
    ntmc run specs/ntm.ntm --task 'copy(bits = 4, length = 1..6)'")]
pub(super) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    if args.json { print(&format!("{}\n", json())) } else { print(&text()) }
}

fn text() -> String {
    let mut out = String::new();
    for task in TASKS {
        let defaults = task.params.iter().map(|param| param.default).collect::<Vec<_>>();
        let ports = (task.ports)(&defaults);
        out.push_str(&format!("{}\n  {}\n", task.name, task.summary));
        for param in task.params {
            let usage = format!("{} = {}", param.name, param.default);
            out.push_str(&format!("    {usage:<20} {}\n", param.doc));
        }
        out.push_str(&format!(
            "  with these: X = {}, Y = {} ({}), score: {}\n\n",
            ports.input, ports.output, ports.domain, task.score.unit
        ));
    }
    out
}

fn json() -> serde_json::Value {
    let tasks: Vec<_> = TASKS
        .iter()
        .map(|task| {
            let params = task.params.iter().map(|param| {
                let kind = match param.kind {
                    Kind::Whole { .. } => "whole",
                    Kind::Range { .. } => "range",
                    Kind::Word { .. } => "word",
                };
                serde_json::json!({
                    "name": param.name, "kind": kind, "doc": param.doc,
                    "default": param.default.to_string(),
                })
            });
            serde_json::json!({
                "name": task.name, "summary": task.summary, "params": params.collect::<Vec<_>>(),
                "score": { "name": task.score.name, "unit": task.score.unit,
                           "lower_is_better": task.score.lower_is_better },
            })
        })
        .collect();
    serde_json::json!({ "schema": 1, "tasks": tasks })
}
