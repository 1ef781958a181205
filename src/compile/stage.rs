//! Every stage as text: what `ntmc ir` prints and snapshots hold.

use serde::Serialize;

use super::{Choice, Choices, Purpose, Spec, forward, optimised, with_adjoints};
use crate::error::Error;
use crate::graph::{self, Program};
use crate::model::library::StdOnly;
use crate::model::{Loss, Model};
use crate::source::Source;
use crate::syntax;

/// A stage of the corridor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What was written.
    Tree,
    /// Flat equations with every dim a number.
    Model,
    /// The graphs of the first states and of one step.
    Step,
    /// The same with the adjoints of the loss.
    Adjoint,
    /// The same with less work.
    Opt,
}

/// How a stage is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For Graphviz.
    Dot,
    /// Rusty object notation.
    Ron,
    /// JSON.
    Json,
}

/// A stage of a spec as text, for snapshots of one's own specs: the spec is read, the first train block
/// (or what `choices` say) binds its sizes.
///
/// # Errors
/// What is wrong with the spec.
pub fn stage(spec: &str, stage: Stage, choices: &Choices) -> Result<String, Error> {
    let mut spec = Spec::read(Source::new("spec", spec), &StdOnly)?;
    let choice = spec.choose(choices)?;
    let purpose = spec.purpose(&choice)?;
    ir(&spec, &choice, &purpose, stage, Format::Text)
}

/// A stage of a spec in a format. The loss is that of the task where the spec has one, else half the sum
/// of squares of the output.
///
/// # Errors
/// What is wrong with the spec.
pub fn ir(
    spec: &Spec,
    choice: &Choice,
    purpose: &Purpose,
    stage: Stage,
    format: Format,
) -> Result<String, Error> {
    if stage == Stage::Tree {
        return Ok(match format {
            Format::Text => syntax::outline(&spec.file),
            Format::Dot => super::tree_dot(&spec.file),
            Format::Ron => ron(&spec.file),
            Format::Json => json(&spec.file),
        });
    }
    let model = with_loss(spec, choice, purpose)?;
    if stage == Stage::Model {
        return Ok(match format {
            Format::Text => crate::model::expand(&model),
            Format::Dot => crate::model::dot(&model),
            Format::Ron => ron(&model),
            Format::Json => json(&model),
        });
    }
    Ok(show(&program(&model, stage), format))
}

/// The model of a spec with the loss of its task, or with half the sum of squares of the output.
///
/// # Errors
/// What is wrong with the spec.
pub fn with_loss(spec: &Spec, choice: &Choice, purpose: &Purpose) -> Result<Model, Error> {
    let mut purpose = purpose.clone();
    if purpose.loss == Loss::None {
        purpose.loss =
            if purpose.ports.is_some() { Loss::Target { masked: true } } else { Loss::HalfSquares };
    }
    spec.elaborate(choice, &purpose)
}

/// The program of a model at a graph stage.
#[must_use]
pub fn program(model: &Model, stage: Stage) -> Program {
    let program = forward(model);
    match stage {
        Stage::Tree | Stage::Model | Stage::Step => program,
        Stage::Adjoint => with_adjoints(program),
        Stage::Opt => optimised(with_adjoints(program)),
    }
}

/// A program in a format.
#[must_use]
pub fn show(program: &Program, format: Format) -> String {
    match format {
        Format::Text => graph::text::program_text(program),
        Format::Dot => {
            format!("{}{}", graph::dot::dot(&program.init), graph::dot::dot(&program.step))
        }
        Format::Ron => ron(program),
        Format::Json => json(program),
    }
}

fn ron(value: &impl Serialize) -> String {
    let pretty = ron::ser::PrettyConfig::default();
    ron::ser::to_string_pretty(value, pretty).expect("plain data serialises") + "\n"
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data serialises") + "\n"
}
