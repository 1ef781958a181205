//! `ntmc trace`: one episode of a finished run, as pictures and numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::directory::Directory;
use super::print;
use super::report::save;
use super::saved::{self, Saved, Which};
use super::show::page::Statistics;
use super::show::{self, FEW, Of, STREAM, Shown, Wish, panels};
use crate::error::Error;
use crate::tensor::Tensor;
use crate::train::figure::heat;
use crate::vectors::File;

/// Run one episode of a finished run and write pictures and numbers
///
/// Pictures (SVG and PNG): `overview`, what goes into memories beside what comes out of them, as in the
/// NTM paper; `episode`, what was shown, asked and answered, errors crossed; `weightings`, every one
/// over time; `vectors`, what is emitted and carried; `memory`, after some steps. Numbers:
/// `trace.safetensors`, which `ntmc exec` reads as inputs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc trace runs/ntm-copy-1\n  \
    ntmc trace runs/ntm-copy-1 --task 'copy(length = 20)' --seed 7 --out figures\n  \
    ntmc trace runs/ntm-copy-1 --show write.w,read.w,M --at 0,10,20 --json")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// A task in place of that of the run. Arguments that it leaves out are those of the run where that
    /// has the same task
    #[arg(long, value_name = "CALL")]
    task: Option<String>,
    /// Which episode of the seed [default: the longest of the first 16]
    #[arg(long, value_name = "N")]
    episode: Option<u32>,
    /// Values to show, by path [default: all of at most one axis, and memories]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    show: Vec<String>,
    /// Steps after which memories are drawn [default: the first, the last and two between]
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    at: Vec<usize>,
    /// The folder to write to [default: `trace` in the run directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let calls: Vec<String> = args.task.iter().cloned().collect();
    let (mut saved, asked) = saved::open(&args.which, &calls, 1)?;
    let settings = asked.first().expect("one task at least was asked for");
    let names = (!args.show.is_empty()).then_some(args.show.as_slice());
    let of = match args.episode {
        Some(number) => Of::Number(number as usize),
        None => Of::Longest(STREAM, FEW),
    };
    let wish = Wish { seed: settings.seed, of, names, strict: true };
    let shown = show::observe(&mut saved.session, &saved.model, settings.goal(), &wish)?;
    let steps = shown.episode.steps();
    if let Some(late) = args.at.iter().find(|at| **at >= steps) {
        let last = steps - 1;
        return Err(Error::Usage(format!("the episode has no step {late}, its last is {last}")));
    }
    let out = args.out.clone().unwrap_or_else(|| saved.directory.file("trace"));
    let folder = Directory::folder(out)?;
    let pictures = pictures(args, &saved, &shown, &folder)?;
    folder.write("trace.safetensors", &numbers(&shown).bytes())?;
    if args.json {
        print(&format!("{}\n", object(args, &saved, &shown, (&folder, settings.seed), &pictures)))
    } else {
        print(&text(&shown, &folder, &pictures))
    }
}

/// Writes the pictures; returns their names.
fn pictures(
    args: &Args,
    saved: &Saved,
    shown: &Shown,
    folder: &Directory,
) -> Result<Vec<&'static str>, Error> {
    let title = format!("{} on {}, step {}", saved.manifest.model, shown.task, saved.steps);
    let steps =
        if args.at.is_empty() { panels::moments(shown.episode.steps()) } else { args.at.clone() };
    let chosen = |path: &str| args.show.is_empty() || args.show.iter().any(|name| name == path);
    let rest = shown.values.iter().filter(|one| !args.show.is_empty() && chosen(&one.path));
    let all = [
        ("overview", heat(&title, &panels::overview(shown), panels::WIDE / 2.0)),
        ("episode", panels::stacked(&title, panels::episode(shown))),
        ("weightings", panels::stacked(&title, panels::weightings(shown, true))),
        ("vectors", panels::stacked(&title, panels::vectors(shown))),
        ("memory", heat(&title, &panels::memories(shown, &steps), panels::WIDE / 2.0)),
        ("chosen", panels::stacked(&title, rest.flat_map(panels::over_time).collect())),
    ];
    let mut written = Vec::new();
    for (name, picture) in all {
        // A picture with nothing but its title says nothing.
        if picture.shapes.len() > 1 {
            save(folder, name, &picture)?;
            written.push(name);
        }
    }
    Ok(written)
}

/// The numbers, with an axis for the batch as `exec` reads and writes them.
fn numbers(shown: &Shown) -> File {
    let batch = |all: &Tensor| all.clone().insert_axis(ndarray::Axis(1));
    let mut tensors = BTreeMap::from([
        ("x".to_owned(), batch(&shown.episode.inputs)),
        ("target".to_owned(), batch(&shown.episode.target)),
        ("mask".to_owned(), shown.episode.mask.clone()),
        ("y".to_owned(), batch(&shown.output)),
    ]);
    tensors
        .extend(shown.values.iter().map(|one| (format!("trace/{}", one.path), batch(&one.values))));
    let finals = shown.finals.iter();
    tensors.extend(finals.map(|(path, value)| (format!("final/{path}"), value.clone())));
    File::of("trace.safetensors", &tensors)
}

fn object(
    args: &Args,
    saved: &Saved,
    shown: &Shown,
    (folder, seed): (&Directory, u64),
    pictures: &[&str],
) -> Value {
    let value = |one: &show::values::Traced| {
        let Statistics { least, mean, most, deviation } = Statistics::of(&one.values);
        json!({
            "path": one.path,
            "shape": one.values.shape(),
            "families": one.families,
            "carried": one.carried,
            "emitted": one.emitted,
            "weighting": one.weighting,
            "min": least, "mean": mean, "max": most, "deviation": deviation,
        })
    };
    let score = shown.task.task.score;
    json!({
        "schema": 1,
        "run": saved.directory.0.display().to_string(),
        "model": saved.manifest.model,
        "checkpoint": args.which.checkpoint(),
        "steps": saved.steps,
        "task": shown.task.to_string(),
        "seed": seed,
        "timesteps": shown.episode.steps(),
        "loss": shown.loss,
        "bits_per_sequence": shown.loss / std::f64::consts::LN_2,
        "score": { "name": score.name, "value": shown.score(), "unit": score.unit },
        "out": folder.0.display().to_string(),
        "pictures": pictures,
        "numbers": "trace.safetensors",
        "values": shown.values.iter().map(value).collect::<Vec<_>>(),
    })
}

fn text(shown: &Shown, folder: &Directory, pictures: &[&str]) -> String {
    let plural = if shown.episode.steps() == 1 { "" } else { "s" };
    format!(
        "{}: an episode of {} step{plural}, {:.3} {}, {:.3} bits\n{}: {} (SVG and PNG), \
         trace.safetensors ({} values)\n",
        shown.task,
        shown.episode.steps(),
        shown.score(),
        shown.task.task.score.unit,
        shown.loss / std::f64::consts::LN_2,
        folder.0.display(),
        pictures.join(", "),
        shown.values.len(),
    )
}
