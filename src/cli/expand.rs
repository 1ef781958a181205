//! `ntmc expand`: the elaborated model as a spec.

use super::choose::Pick;
use super::input::chosen;
use super::print;
use crate::error::Error;
use crate::model;

/// Print the elaborated model as a spec of flat equations
///
/// Pipes and calls are written out as the equations they stand for, every size is a number.
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
    print(&model::expand(&spec.elaborate(&choice, &purpose)?))
}
