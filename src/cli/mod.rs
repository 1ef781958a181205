//! The command line: one file a verb.
//!
//! In: arguments. Out: text, files and an exit code: 0 fine, 1 the spec, data or a check is wrong, 2
//! wrong usage, 3 a limit, 4 a file, 101 a bug of ours, 130 and 143 interrupted after saving.
//! Invariant: results go to standard output, everything else to standard error.

mod backend;
mod bench;
mod blame;
mod check;
mod choose;
mod compiled;
mod completions;
mod directory;
mod engine;
mod eval;
pub mod exec;
mod expand;
mod explain;
mod fmt;
mod input;
mod ir;
mod profile;
mod rehearsal;
mod report;
mod run;
mod saved;
mod show;
mod stall;
mod start;
mod tasks;
mod test;
mod trace;
pub mod verify;
mod watch;

pub use backend::Backend;
pub use compiled::{CompileOptions, Compiled};
pub use report::Report;
pub use run::{Options, execute};
pub use watch::Signals;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::diag::Style;
use crate::error::Error;
use crate::train::figure::terminal::Letters;

/// A compiler for memory-augmented neural networks written as equations.
#[derive(Debug, Parser)]
#[command(name = "ntmc", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    /// Whether messages are coloured; `NO_COLOR` in the environment means never.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

/// One verb a row; its arguments and help stand in its file.
#[derive(Debug, Subcommand)]
enum Verb {
    Run(Box<run::Args>),
    Check(check::Args),
    Ir(ir::Args),
    Expand(expand::Args),
    Explain(explain::Args),
    Fmt(fmt::Args),
    Exec(exec::Args),
    Verify(verify::Args),
    Test(test::Args),
    Bench(Box<bench::Args>),
    Eval(eval::Args),
    Trace(trace::Args),
    Tasks(tasks::Args),
    Completions(completions::Args),
}

impl Verb {
    fn run(self, terminal: Terminal) -> Result<(), Error> {
        match self {
            Verb::Run(args) => run::run(*args, terminal),
            Verb::Check(args) => check::run(&args, terminal.style),
            Verb::Ir(args) => ir::run(&args),
            Verb::Expand(args) => expand::run(&args),
            Verb::Explain(args) => explain::run(&args),
            Verb::Fmt(args) => fmt::run(&args),
            Verb::Exec(args) => exec::command(&args),
            Verb::Verify(args) => verify::command(&args),
            Verb::Test(args) => test::run(&args, terminal),
            Verb::Bench(args) => bench::run(&args, terminal),
            Verb::Eval(args) => eval::run(&args),
            Verb::Trace(args) => trace::run(&args),
            Verb::Tasks(args) => tasks::run(&args),
            Verb::Completions(args) => completions::run(&args),
        }
    }
}

/// What the standard streams can show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// How diagnostics are drawn.
    pub(crate) style: Style,
    /// Whether a progress bar makes sense on standard error.
    pub(crate) progress: bool,
    /// Which characters standard output can show.
    pub(crate) letters: Letters,
}

/// The program: reads the arguments of the process, returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    ask_for_a_report_on_panic();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to standard output; clap knows which is which.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let terminal = terminal(cli.color);
    match cli.verb.run(terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.exit_code();
            if asked_for_json() && !matches!(error, Error::Closed | Error::Told(_)) {
                let _ = print(&format!("{}\n", error.json()));
            }
            note(&error.render(terminal.style));
            ExitCode::from(code)
        }
    }
}

/// Whether the verb was asked for one object on standard output; then an error is one too.
fn asked_for_json() -> bool {
    std::env::args_os().skip(1).take_while(|one| one != "--").any(|one| one == "--json")
}

fn terminal(colour: Colour) -> Terminal {
    let progress = std::io::stderr().is_terminal();
    // https://no-color.org: set and not empty, whatever the value.
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let coloured = match colour {
        Colour::Auto => progress && !refused,
        Colour::Always => true,
        Colour::Never => false,
    };
    let style = if coloured { Style::Colour } else { Style::Plain };
    // The first of these that is set and not empty decides (POSIX, "Environment Variables").
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty())
        .map(|value| value.to_string_lossy().to_lowercase());
    // No locale at all is what containers have, with a terminal that reads UTF-8 nevertheless.
    let letters = match locale {
        Some(locale) if !locale.contains("utf-8") && !locale.contains("utf8") => Letters::Ascii,
        Some(_) | None => Letters::Unicode,
    };
    Terminal { style, progress, letters }
}

/// Writes to standard output.
///
/// # Errors
/// [`Error::Closed`] if the reader has gone, as with `ntmc tasks | head -1`.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Error::Closed
        } else {
            Error::File { path: "standard output".into(), message: error.to_string() }
        }
    })
}

/// Writes to standard error; there is nobody to tell if that fails.
pub(crate) fn note(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// A panic is a bug of ours: say so, and what helps to find it.
fn ask_for_a_report_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        note(
            "\nntmc has a bug: this should not happen, whatever the spec says.\n\
             Please report it with the message above, the spec and the command line.\n",
        );
    }));
}

#[cfg(test)]
mod tests;
