//! `ntmc ir`: every stage of the corridor, to look at.

use super::choose::Pick;
use super::input::{chosen, text};
use super::print;
use crate::backend::jit::{self, Listing};
use crate::compile::{self, Format, Stage};
use crate::error::Error;
use crate::graph::{self, Program};

/// Print a stage of a spec, or read a printed one back
///
/// The stages: what was written (tree), flat equations (model), one time step as a graph (step), the
/// same with gradients (adjoint), the same with less work (opt), what machine code makes of a training
/// step (plan), and its functions for one sequence at a time, as Cranelift takes them (clif) and as the
/// machine runs them (asm).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc ir specs/ntm.ntm --stage adjoint\n  \
    ntmc ir specs/ntm.ntm --stage opt --format dot | dot -Tsvg > step.svg\n  \
    ntmc ir specs/dnc.ntm --stage plan\n  \
    ntmc ir specs/ntm.ntm --stage step > step.ir && ntmc ir step.ir")]
pub(super) struct Args {
    /// The spec, or a file that ends in `.ir`; `-` is a spec on standard input
    spec: String,
    /// Which stage
    #[arg(long, value_enum, default_value_t = StageName::Opt)]
    stage: StageName,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = FormatName::Text)]
    format: FormatName,
    #[command(flatten)]
    pick: Pick,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum StageName {
    Tree,
    Model,
    Step,
    Adjoint,
    Opt,
    Plan,
    Clif,
    Asm,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FormatName {
    Text,
    Dot,
    Ron,
    Json,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let format = match args.format {
        FormatName::Text => Format::Text,
        FormatName::Dot => Format::Dot,
        FormatName::Ron => Format::Ron,
        FormatName::Json => Format::Json,
    };
    if args.spec.ends_with(".ir") {
        let program = graph::text::parse_program(&text(&args.spec)?).map_err(|error| {
            let place = format!("{}:{}:{}", args.spec, error.line, error.column);
            Error::Check(format!("{place}: {}", error.message))
        })?;
        return print(&compile::show(&program, format));
    }
    let (spec, choice, purpose) = chosen(&args.spec, &args.pick.choices())?;
    let stage = match args.stage {
        StageName::Plan | StageName::Clif | StageName::Asm => {
            if !matches!(args.format, FormatName::Text) {
                return Err(Error::Usage("machine code is printed as text".to_owned()));
            }
            let model = compile::with_loss(&spec, &choice, &purpose)?;
            let program = compile::program(&model, Stage::Opt);
            return print(&machine_code(args.stage, &program)?);
        }
        StageName::Tree => Stage::Tree,
        StageName::Model => Stage::Model,
        StageName::Step => Stage::Step,
        StageName::Adjoint => Stage::Adjoint,
        StageName::Opt => Stage::Opt,
    };
    print(&compile::ir(&spec, &choice, &purpose, stage, format)?)
}

/// The plan, or every function that comes of it.
fn machine_code(stage: StageName, program: &Program) -> Result<String, Error> {
    let listing = match stage {
        StageName::Clif => Listing::Clif,
        StageName::Asm => Listing::Asm,
        StageName::Tree
        | StageName::Model
        | StageName::Step
        | StageName::Adjoint
        | StageName::Opt
        | StageName::Plan => return Ok(jit::describe(program)),
    };
    jit::list(program, listing, 1).map_err(Error::Check)
}
