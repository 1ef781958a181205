//! Trains a model on a task of the NTM paper for several seeds and writes what came out into
//! `docs/results`.
//!
//! `cargo run --release --example reproduce -- TASK MODEL SEEDS [--steps STEPS] [RUN OPTIONS..]`, as in
//! `cargo run --release --example reproduce -- copy ntm-lstm 1..5`
//!
//! TASK is a train block of `specs/paper/MODEL.ntm`. Every run is one of `ntmc run`, kept in
//! `runs/reproduce`: one that was interrupted goes on where it was, one that has ended is only read.
//! Without arguments the page alone is written anew.

mod page;
mod seed;

use std::error::Error;
use std::path::Path;
use std::process::Command;

use page::Entry;

/// Where results are kept, below the folder of the package.
const RESULTS: &str = "docs/results";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [] => {}
        [task, model, seeds, options @ ..] => reproduce(task, model, seeds, options)?,
        _ => return Err("TASK MODEL SEEDS, as in `copy ntm-lstm 1..5`".into()),
    }
    page::write(Path::new("docs"))
}

#[expect(clippy::print_stderr, reason = "an example says how far it is")]
fn reproduce(
    task: &str,
    model: &str,
    seeds: &str,
    options: &[String],
) -> Result<(), Box<dyn Error>> {
    let command = ["cargo run --release --example reproduce --", task, model, seeds];
    let command = command.into_iter().chain(options.iter().map(String::as_str));
    let mut entry = Entry {
        task: task.to_owned(),
        model: model.to_owned(),
        command: command.collect::<Vec<_>>().join(" "),
        seeds: Vec::new(),
    };
    for seed in numbers(seeds)? {
        eprintln!("{task} by {model}, seed {seed}");
        entry.seeds.push(seed::train(task, model, seed, options)?);
    }
    let file = format!("{RESULTS}/{task}-{model}.json");
    std::fs::create_dir_all(RESULTS)?;
    ntmc::run::checkpoint::replace(
        file.as_ref(),
        (serde_json::to_string(&entry)? + "\n").as_bytes(),
    )?;
    Ok(())
}

/// `1..5`, both ends included, or `3`.
fn numbers(text: &str) -> Result<std::ops::RangeInclusive<u64>, Box<dyn Error>> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    Ok(first.parse()?..=last.parse()?)
}

/// Runs `ntmc`, made by the cargo that runs this, and reads the object it prints.
fn ntmc(args: &[&str]) -> Result<serde_json::Value, Box<dyn Error>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let run = ["run", "--release", "--quiet", "--locked", "--"];
    let output = Command::new(cargo).args(run).args(args).arg("--json").output()?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("ntmc {}: {message}", args.join(" ")).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
