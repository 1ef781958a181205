//! `ntmc completions`: for the shells.

use clap::CommandFactory;

use super::{Cli, print};
use crate::error::Error;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ntmc completions bash > ~/.local/share/bash-completion/completions/ntmc\n  \
    ntmc completions fish > ~/.config/fish/completions/ntmc.fish"
)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ntmc", &mut bytes);
    print(&String::from_utf8_lossy(&bytes))
}
