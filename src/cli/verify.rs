//! `ntmc verify`: compare a spec with the numbers of another implementation.

use std::path::PathBuf;

use super::exec::{Engine, map_at, say, tensors};
use crate::backend::Precision;
use crate::vectors::{self, Compile};

/// Run a spec on somebody else's weights and inputs and compare outputs, traces and gradients.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ntmc verify specs/ntm.ntm --against numbers.safetensors --map numbers.map.ron")]
pub struct Args {
    /// The spec.
    pub spec: PathBuf,
    /// The file with weights, inputs and the numbers to reproduce.
    #[arg(long, value_name = "VECTORS.safetensors")]
    pub against: PathBuf,
    /// How the tensors of the file become those of the spec [default: SPEC with the ending .map.ron].
    #[arg(long, value_name = "FILE.ron")]
    pub map: Option<PathBuf>,
    /// The largest error that passes, relative to the larger of 1 and the largest magnitude
    /// [default: 1e-9 in f64, 1e-3 in f32].
    #[arg(long)]
    pub tolerance: Option<f64>,
    /// Print one line of JSON.
    #[arg(long)]
    pub json: bool,
    /// What computes.
    #[command(flatten)]
    pub engine: Engine,
}

/// The verb with the real compiler.
pub(super) fn command(args: &Args) -> Result<(), crate::error::Error> {
    let spec = args.spec.display().to_string();
    let mut front = super::engine::Front::read(&spec, &args.engine)?;
    match run(args, &mut front)? {
        0 => Ok(()),
        // The object has said it all.
        code if args.json => Err(crate::error::Error::Told(code)),
        _ => Err(crate::error::Error::Check(
            "the numbers differ by more than the tolerance".to_owned(),
        )),
    }
}

/// Runs the verb; the answer is the exit code.
pub fn run<C: Compile + ?Sized>(args: &Args, compile: &mut C) -> Result<u8, C::Error> {
    let path = args.map.clone().unwrap_or_else(|| args.spec.with_extension("map.ron"));
    if !path.exists() {
        let why = "there is no map; it says which tensor of the file is which of the spec: give one with `--map FILE.ron`";
        return Err(crate::vectors::Error::file(path.display().to_string(), why).into());
    }
    let map = map_at(&path)?;
    let file = tensors(&args.against)?;
    let tolerance = args.tolerance.unwrap_or(match args.engine.precision {
        Precision::F64 => 1e-9,
        Precision::F32 => 1e-3,
    });
    let report = vectors::verify(&map, &file, tolerance, compile)?;
    let shown = if args.json { serde_json::json!(report).to_string() } else { report.to_string() };
    say(&shown)?;
    Ok(u8::from(!report.passed))
}
