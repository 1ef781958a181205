//! `ntmc exec`: run a spec on the tensors of a file, without training.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::backend::Backend;
use super::choose::Pick;
use crate::backend::Precision;
use crate::vectors::{self, Compile, Error, File, Map};

/// Run a spec on named tensors and write what comes out: outputs, traces, last states, the loss and
/// its gradients.
///
/// Tensors are called `x` or `x/<input>`, `param/<path>`, `init/<path>`, `target`, `mask`,
/// `cotangent/<result>`; a map gives them to files that use other names.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ntmc exec specs/ntm.ntm --in weights.safetensors --out numbers.safetensors --trace read.w,M --grad\n  \
    ntmc exec SPEC --map MAP.ron --in theirs.safetensors --in inputs.safetensors --out y.safetensors")]
pub struct Args {
    /// The spec.
    pub spec: PathBuf,
    /// The file with parameters, first states and inputs (`-`: standard input); given several times,
    /// all their tensors together.
    #[arg(long = "in", value_name = "FILE", required = true)]
    pub inputs: Vec<PathBuf>,
    /// The file to write.
    #[arg(long = "out", value_name = "FILE")]
    pub output: PathBuf,
    /// How the tensors of the file become those of the spec.
    #[arg(long, value_name = "FILE.ron")]
    pub map: Option<PathBuf>,
    /// Values to write for every step, by path.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub trace: Vec<String>,
    /// Write the gradient of the loss with respect to parameters, first states and inputs.
    #[arg(long)]
    pub grad: bool,
    /// Seed of first states that the spec draws anew for every episode and the file does not give.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print one line of JSON.
    #[arg(long)]
    pub json: bool,
    /// What computes.
    #[command(flatten)]
    pub engine: Engine,
}

/// What computes, and with which sizes.
#[derive(Clone, Debug, clap::Args)]
pub struct Engine {
    /// Floating-point type to compute in.
    #[arg(long, default_value = "f64", value_parser = precision)]
    pub precision: Precision,
    /// What runs the program.
    #[arg(long, value_enum, default_value = "interp")]
    pub backend: Backend,
    #[command(flatten)]
    pub(super) pick: Pick,
}

fn precision(text: &str) -> Result<Precision, String> {
    match text {
        "f32" => Ok(Precision::F32),
        "f64" => Ok(Precision::F64),
        _ => Err("expected f32 or f64".to_owned()),
    }
}

/// The verb with the real compiler.
pub(super) fn command(args: &Args) -> Result<(), crate::error::Error> {
    let spec = args.spec.display().to_string();
    let front = super::engine::Front::read(&spec, &args.engine)?;
    let mut front = front.with_seed(args.seed);
    run(args, &mut front).map(|_| ())
}

/// Runs the verb; the answer is the exit code.
pub fn run<C: Compile + ?Sized>(args: &Args, compile: &mut C) -> Result<u8, C::Error> {
    let files: Result<_, Error> = args.inputs.iter().map(|path| tensors(path)).collect();
    let file = File::join(files?)?;
    let map = match &args.map {
        Some(path) => map_at(path)?,
        None => Map::plain(&file),
    };
    let mut all = Vec::new();
    for case in vectors::resolve(&map, &file)? {
        let case = case.to_run(&args.trace, args.grad);
        let mut compiled = compile.compile(&case.bindings)?;
        let results = vectors::run(&mut compiled, &case, &file)?;
        all.push(results.output(&compiled, &case));
    }
    let out = File { name: args.output.display().to_string(), ..File::join(all)? };
    std::fs::write(&args.output, out.bytes()).map_err(|why| Error::file(out.name.as_str(), why))?;
    let line = if args.json {
        let shapes: serde_json::Map<_, _> = out
            .slots
            .iter()
            .map(|(name, slot)| (name.clone(), serde_json::json!(slot.shape)))
            .collect();
        serde_json::json!({ "schema": 1, "out": out.name, "tensors": shapes }).to_string()
    } else {
        let width = out.slots.keys().map(String::len).max().unwrap_or(0);
        let rows = out.slots.iter().map(|(name, slot)| format!("{name:width$}  {:?}", slot.shape));
        rows.collect::<Vec<_>>().join("\n")
    };
    say(&line)?;
    Ok(0)
}

/// Reads a file of tensors.
pub(super) fn tensors(path: &Path) -> Result<File, Error> {
    let name = path.display().to_string();
    let bytes = if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|why| Error::file(name.as_str(), why))?;
    crate::run::checkpoint::intact(&bytes).map_err(|why| Error::file(name.as_str(), why))?;
    File::parse(&name, &bytes)
}

/// Reads a map, or the one beside it that it is like.
pub(super) fn map_at(path: &Path) -> Result<Map, Error> {
    let read = |path: &Path| Map::parse(&path.display().to_string(), &text(path)?);
    let map = read(path)?;
    let Some(other) = &map.like else { return Ok(map) };
    let other = path.with_file_name(other);
    let meant = read(&other)?;
    if meant.like.is_some() {
        let why = format!("{} is like this map, and this one like another", path.display());
        return Err(Error::file(other.display().to_string(), why));
    }
    Ok(meant)
}

/// Reads a file of text.
fn text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|why| Error::file(path.display().to_string(), why))
}

/// Prints to standard output.
pub(super) fn say(line: &str) -> Result<(), Error> {
    let written = writeln!(std::io::stdout().lock(), "{line}");
    written.map_err(|why| Error::file("standard output", why))
}
