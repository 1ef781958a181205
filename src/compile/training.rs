//! A spec made ready for training: its tasks bind the sizes, std gives the loss and the optimiser.

use super::{Choice, Choices, Purpose, Spec, forward, optimised, with_adjoints, with_optimiser};
use crate::diag::Diagnostics;
use crate::error::Error;
use crate::graph::{Array, Program};
use crate::model::train::{TaskCall, TrainBlock};
use crate::model::{Loss, Model, Ports, train_errors};
use crate::source::{Sources, Span};
use crate::task::{self, Instance};

/// Everything that training needs of a spec.
pub struct Training {
    /// The model, for names and first values of its parameters.
    pub model: Model,
    /// Its program with adjoints and optimiser.
    pub program: Program,
    /// The train block.
    pub block: TrainBlock,
    /// Its tasks; all have the same ports.
    pub tasks: Vec<Instance>,
    /// The optimiser's learning rate.
    pub rate: f64,
    /// The effective spec, ready to be read again.
    pub effective: String,
    /// Its digest, in hexadecimal.
    pub digest: String,
}

impl Spec {
    /// The program of a train block.
    ///
    /// # Errors
    /// What is wrong with the block, its task, or the model at the sizes they bind.
    pub fn training(&mut self, choices: &Choices) -> Result<Training, Error> {
        self.prepare(choices, with_adjoints)
    }

    /// The same without gradients: what runs a trained model and judges it.
    ///
    /// # Errors
    /// What is wrong with the block, its task, or the model at the sizes they bind.
    pub fn judging(&mut self, choices: &Choices) -> Result<Training, Error> {
        self.prepare(choices, |program| program)
    }

    fn prepare(
        &mut self,
        choices: &Choices,
        gradients: fn(Program) -> Program,
    ) -> Result<Training, Error> {
        let choice = self.choose(choices)?;
        let block = self.block(&choice)?;
        let tasks = resolve_tasks(&block, &self.sources)?;
        let loss = Loss::Target { masked: true };
        let ports = ports(&tasks, &block);
        let purpose = Purpose { ports, loss, ..Purpose::default() };
        let mut model = self.elaborate(&choice, &purpose)?;
        self.clip_backward(&block, &mut model)?;
        let program = gradients(forward(&model));
        let size: usize = program.params.iter().map(Array::len).sum();
        let size = u32::try_from(size).map_err(|_| {
            Error::Limit(format!("{size} parameters are more than this program trains"))
        })?;
        let (optimiser, rate) = self.optimiser(&block, size)?;
        let program = optimised(with_optimiser(program, &optimiser));
        let (digest, effective) = self.effective(&choice);
        Ok(Training { model, program, block, tasks, rate, effective, digest })
    }

    /// Limits the gradients of a model as its block says.
    ///
    /// # Errors
    /// Names that are no value of the model.
    pub fn clip_backward(&self, block: &TrainBlock, model: &mut Model) -> Result<(), Error> {
        let wrong = block.clip_backward.as_ref().map(|clip| clip.apply(model));
        match wrong.filter(|wrong| !wrong.is_empty()) {
            Some(wrong) => Err(super::failure(wrong, self.sources.clone())),
            None => Ok(()),
        }
    }

    /// The model of a train block, its program for answering alone, without loss, gradient and
    /// optimiser, and its tasks.
    ///
    /// # Errors
    /// What is wrong with the block, its task, or the model at the sizes they bind.
    pub fn answering(
        &mut self,
        choices: &Choices,
    ) -> Result<(Model, Program, Vec<Instance>), Error> {
        let choice = self.choose(choices)?;
        let block = self.block(&choice)?;
        let tasks = resolve_tasks(&block, &self.sources)?;
        let purpose = Purpose { ports: ports(&tasks, &block), ..Purpose::default() };
        let model = self.elaborate(&choice, &purpose)?;
        let program = optimised(forward(&model));
        Ok((model, program, tasks))
    }

    /// What the choice's task binds, if it has a train block.
    ///
    /// # Errors
    /// What is wrong with the block or its task.
    pub fn purpose(&self, choice: &Choice) -> Result<Purpose, Error> {
        let mut purpose = Purpose::default();
        if choice.train.is_some() {
            let block = self.block(choice)?;
            purpose.ports = ports(&resolve_tasks(&block, &self.sources)?, &block);
        }
        Ok(purpose)
    }
}

/// What a task binds, in the words of the model.
fn ports(tasks: &[Instance], block: &TrainBlock) -> Option<Ports> {
    let (ports, place) = (tasks.first()?.ports(), block.tasks.first()?.span);
    let domain = ports.domain.to_owned();
    Some(Ports { input: ports.input, output: ports.output, domain, place })
}

/// Looks up the tasks of a block; all lessons of a curriculum must have the same ports.
///
/// # Errors
/// A diagnostic at the call or argument, or a limit.
pub fn resolve_tasks(block: &TrainBlock, sources: &Sources) -> Result<Vec<Instance>, Error> {
    let mut diagnostics = Diagnostics::default();
    let mut found: Vec<Instance> = Vec::new();
    for call in &block.tasks {
        match task::resolve(call) {
            Ok(instance) => {
                if let Some(first) = found.first().filter(|first| first.ports() != instance.ports())
                {
                    let message = format!("`{instance}` does not fit the model of `{first}`");
                    let help = "the lessons of a curriculum have the same inputs and outputs";
                    diagnostics.push(train_errors::task(call.span, &message, Some(help), None));
                }
                found.push(instance);
            }
            Err(error) => match error.kind {
                task::ErrorKind::Limit => return Err(Error::Limit(error.message)),
                task::ErrorKind::Wrong => {
                    let span = place(call, &error);
                    let (help, instead) = (error.help.as_deref(), error.instead.as_deref());
                    diagnostics.push(train_errors::task(span, &error.message, help, instead));
                }
            },
        }
    }
    if diagnostics.has_errors() {
        return Err(Error::Spec { diagnostics, sources: Box::new(sources.clone()) });
    }
    Ok(found)
}

/// Where an error stands: at a name, if it is about one, else at the argument or the whole call.
fn place(call: &TaskCall, error: &task::Error) -> Span {
    let (whole, name) = match error.argument.and_then(|at| call.args.get(at)) {
        Some(arg) => (arg.span, arg.name.len()),
        None => (call.span, call.name.len()),
    };
    // Both begin with their name.
    if error.at_name { Span { end: whole.start + name as u32, ..whole } } else { whole }
}
