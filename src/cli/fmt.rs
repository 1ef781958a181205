//! `ntmc fmt`: the one way to lay out a spec.

use std::path::Path;

use super::input::text;
use super::print;
use crate::diag::Diagnostics;
use crate::error::Error;
use crate::run::checkpoint;
use crate::source::{Source, Sources};
use crate::syntax;

/// Lay out specs in the canonical form
///
/// Files are rewritten in place; standard input is written to standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc fmt specs/ntm.ntm\n  ntmc fmt --check specs/*.ntm\n  \
    ntmc fmt --diff specs/ntm.ntm")]
pub(super) struct Args {
    /// Specs; `-` is standard input
    #[arg(required = true)]
    specs: Vec<String>,
    /// Change nothing; exit with 1 if a file is laid out otherwise
    #[arg(long)]
    check: bool,
    /// Change nothing; print what would change
    #[arg(long)]
    diff: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let mut different = Vec::new();
    for path in &args.specs {
        let before = text(path)?;
        let after = formatted(path, &before)?;
        if before != after {
            different.push(path.as_str());
        }
        if args.diff {
            print(&diff(path, &before, &after))?;
        } else if path == "-" && !args.check {
            print(&after)?;
        } else if !args.check && before != after {
            checkpoint::replace(Path::new(path), after.as_bytes())?;
        }
    }
    if (args.check || args.diff) && !different.is_empty() {
        let list = different.join(", ");
        return Err(Error::Check(format!("laid out otherwise: {list}\nhelp: `ntmc fmt {list}`")));
    }
    Ok(())
}

fn formatted(path: &str, text: &str) -> Result<String, Error> {
    let mut sources = Sources::default();
    let id = sources.add(Source::new(path, text));
    let mut sink = Diagnostics::default();
    let file = syntax::parse(&sources, id, &mut sink);
    match file {
        Some(file) if !sink.has_errors() => Ok(syntax::format(&file)),
        _ => Err(crate::compile::failure(sink, sources)),
    }
}

/// Lines that change, with their numbers; enough for a look, not for `patch`.
fn diff(path: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let limit = old.len().min(new.len()) - same;
    let tail =
        old.iter().rev().zip(new.iter().rev()).take(limit).take_while(|(a, b)| a == b).count();
    let mut out = format!("--- {path}\n+++ {path}\n@@ line {} @@\n", same + 1);
    old[same..old.len() - tail].iter().for_each(|line| out.push_str(&format!("-{line}\n")));
    new[same..new.len() - tail].iter().for_each(|line| out.push_str(&format!("+{line}\n")));
    out
}
