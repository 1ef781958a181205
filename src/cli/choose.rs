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

    /// As options of a command that chooses the same, quoted for a shell.
    pub(super) fn quoted(&self) -> String {
        let sets = self.sets.iter().map(|one| ("--set", one));
        let task = self.task.iter().map(|one| ("--task", one));
        let train = self.train.iter().map(|one| ("--train", one));
        let model = self.model.iter().map(|one| ("--model", one));
        let all = sets.chain(task).chain(train).chain(model);
        all.map(|(name, value)| {
            // What looks like an option would be taken for one.
            let between = if value.starts_with('-') { "=" } else { " " };
            format!(" {name}{between}{}", quoted(value))
        })
        .collect()
    }
}

/// One word for a POSIX shell, as it is where nothing in it has a meaning of its own there.
pub(super) fn quoted(word: &str) -> String {
    let plain = |one: char| one.is_ascii_alphanumeric() || "_-./:=,@%+".contains(one);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
