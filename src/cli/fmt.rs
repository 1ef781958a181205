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
    let mut out = format!("--- {path}\n+++ {path}\n");
    let start = out.len();
    let (mut here, mut there) = (0, 0);
    while here < old.len() || there < new.len() {
        let (gone, come) = until_equal(&old[here..], &new[there..]);
        if (gone, come) == (0, 0) {
            (here, there) = (here + 1, there + 1);
            continue;
        }
        out.push_str(&format!("@@ line {} @@\n", here + 1));
        old[here..here + gone].iter().for_each(|line| out.push_str(&format!("-{line}\n")));
        new[there..there + come].iter().for_each(|line| out.push_str(&format!("+{line}\n")));
        (here, there) = (here + gone, there + come);
    }
    if out.len() == start {
        out.push_str("only the ends of lines change\n");
    }
    out
}

/// How far a line is looked for that stands in both texts.
const WINDOW: usize = 200;

/// How many lines to leave out of each until both go on with the same line, or end.
fn until_equal(old: &[&str], new: &[&str]) -> (usize, usize) {
    let blank = |line: &str| line.trim().is_empty();
    let same = |at: usize, other: usize| match (old.get(at), new.get(other)) {
        // A blank line says nothing about where one is, but right here.
        (Some(left), Some(right)) => left == right && (at + other == 0 || !blank(left)),
        _ => false,
    };
    let pairs = (0..WINDOW).flat_map(|sum| (0..=sum).map(move |at| (at, sum - at)));
    let found = pairs.into_iter().find(|(at, other)| same(*at, *other));
    let rest = || (old.len().min(WINDOW), new.len().min(WINDOW));
    found.unwrap_or_else(rest)
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn lines_that_stay_are_not_shown() {
        let (before, after) = ("a\n\nb=1\nc\n\n\nd\n", "a\n\nb = 1\nc\n\nd\n");
        let shown = diff("f", before, after);
        assert_eq!(shown, "--- f\n+++ f\n@@ line 3 @@\n-b=1\n+b = 1\n@@ line 6 @@\n-\n");
        let shown = diff("f", "a\nx\n", "a\ny\nz\n");
        assert_eq!(shown, "--- f\n+++ f\n@@ line 2 @@\n-x\n+y\n+z\n");
        assert_eq!(diff("f", "a\r\n", "a\n"), "--- f\n+++ f\nonly the ends of lines change\n");
        assert_eq!(diff("f", "a\n", "a\n"), "");
    }

    #[test]
    fn long_changes_end() {
        let (before, after) = ("x\n".repeat(1000), "y\n".repeat(700));
        let shown = diff("f", &before, &after);
        let count = |sign| shown.lines().skip(2).filter(|line| line.starts_with(sign)).count();
        assert_eq!((count('-'), count('+')), (1000, 700));
    }
}
