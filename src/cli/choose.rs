//! Options that several verbs share: which model, which train block, which overrides.

use crate::compile::Choices;

/// What to take of a spec, and what to put in place of what it says.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Pick {
    /// Override a dim, a setting, an argument or an emission: `N=32`, `train.batch=8`, `copy.bits=6`,
    /// `read[2].interpolate.g=1`
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
    /// Another task, in place of the train block's
    #[arg(long, value_name = "CALL")]
    task: Option<String>,
    /// Which train block [default: the first]
    #[arg(long, value_name = "NAME")]
    train: Option<String>,
    /// Which model [default: that of the train block, or the last]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

impl Pick {
    /// As the compiler takes it.
    pub(super) fn choices(&self) -> Choices {
        Choices {
            model: self.model.clone(),
            train: self.train.clone(),
            task: self.task.clone(),
            sets: self.sets.clone(),
        }
    }
}
