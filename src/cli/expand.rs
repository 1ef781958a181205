//! `ntmc expand`: the elaborated model as a spec.

use super::choose::Pick;
use super::input::chosen;
use super::print;
use crate::error::Error;
use crate::model;

/// Print the elaborated model as a spec of flat equations
///
/// Pipes and calls are written out as the equations they stand for, every size is a number. A comment
/// has the digest of the effective spec, which `check` prints and a run keeps in `run.ron`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc expand specs/ntm.ntm --set N=16")]
pub(super) struct Args {
    /// The spec; `-` is standard input
    spec: String,
    #[command(flatten)]
    pick: Pick,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let (spec, choice, purpose) = chosen(&args.spec, &args.pick.choices())?;
    let text = model::expand(&spec.elaborate(&choice, &purpose)?);
    let (digest, _) = spec.effective(&choice);
    let (version, rest) = text.split_once('\n').unwrap_or((&text, ""));
    print(&format!("{version}\n\n# Digest of the effective spec: {digest}\n{rest}"))
}
