//! Everything that can go wrong without being a bug, with the exit code it means.

use std::path::PathBuf;

use crate::diag::{self, Diagnostics};
use crate::source::Sources;
use crate::train::Stop;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// The spec is wrong.
    Spec {
        /// What is wrong with it.
        diagnostics: Diagnostics,
        /// The texts that the diagnostics point into.
        sources: Box<Sources>,
    },
    /// A check failed, or the data or a run is bad: one sentence.
    Check(String),
    /// The command was called wrongly.
    Usage(String),
    /// Larger than this program runs.
    Limit(String),
    /// A file is missing, cannot be written, or is corrupt.
    File {
        /// The file.
        path: PathBuf,
        /// What is the matter.
        message: String,
    },
    /// Ended from outside, after saving.
    Interrupted(Stop),
    /// Told already, in a form of its own; the exit code is left.
    Told(u8),
    /// Whoever read our output has gone: not a failure.
    Closed,
}

impl Error {
    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Closed | Error::Interrupted(Stop::Done | Stop::Time) => 0,
            Error::Spec { diagnostics, .. } if diagnostics.over_limit() => 3,
            Error::Spec { .. } | Error::Check(_) => 1,
            Error::Usage(_) => 2,
            Error::Limit(_) => 3,
            Error::File { .. } => 4,
            Error::Told(code) => *code,
            Error::Interrupted(Stop::Interrupt) => 130,
            Error::Interrupted(Stop::Terminate) => 143,
        }
    }

    /// The error as one object for programs.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let all: Vec<_> = match self {
            Error::Spec { diagnostics, sources } => diag::json(diagnostics, sources),
            Error::Check(_)
            | Error::Usage(_)
            | Error::Limit(_)
            | Error::File { .. }
            | Error::Interrupted(_)
            | Error::Told(_)
            | Error::Closed => Vec::new(),
        };
        let message = match self {
            Error::Interrupted(stop) => format!("{stop:?}").to_lowercase(),
            Error::Closed | Error::Told(_) => String::new(),
            Error::Spec { .. }
            | Error::Check(_)
            | Error::Usage(_)
            | Error::Limit(_)
            | Error::File { .. } => self.render(diag::Style::Plain).trim_end().to_owned(),
        };
        let error = serde_json::json!({
            "exit": self.exit_code(),
            "message": message,
            "diagnostics": all,
        });
        serde_json::json!({ "schema": 1, "error": error })
    }

    /// The message for a person; empty if there is nothing to say.
    #[must_use]
    pub fn render(&self, style: diag::Style) -> String {
        match self {
            Error::Spec { diagnostics, sources } => diag::render(diagnostics, sources, style),
            Error::Check(message)
            | Error::Usage(message)
            | Error::Limit(message)
            | Error::File { message, .. } => {
                let place = match self {
                    Error::File { path, .. } => format!("{}: ", path.display()),
                    Error::Spec { .. }
                    | Error::Check(_)
                    | Error::Usage(_)
                    | Error::Limit(_)
                    | Error::Interrupted(_)
                    | Error::Told(_)
                    | Error::Closed => String::new(),
                };
                let word = match style {
                    diag::Style::Plain => "error:",
                    diag::Style::Colour => "\u{1b}[1;31merror:\u{1b}[0m",
                };
                format!("{word} {place}{message}\n")
            }
            Error::Interrupted(_) | Error::Told(_) | Error::Closed => String::new(),
        }
    }
}

impl From<crate::run::Error> for Error {
    fn from(error: crate::run::Error) -> Error {
        match error {
            crate::run::Error::Start { .. } => Error::Check(error.to_string()),
            crate::run::Error::File { path, message }
            | crate::run::Error::Corrupt { path, message } => Error::File { path, message },
        }
    }
}

impl From<crate::train::Error> for Error {
    fn from(error: crate::train::Error) -> Error {
        match error {
            crate::train::Error::Run(error) => error.into(),
            crate::train::Error::NotFinite { .. } => Error::Check(format!(
                "{error}\nhelp: a lower learning rate, or `clip = norm(10)`, usually cures this"
            )),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.render(diag::Style::Plain))
    }
}

impl std::error::Error for Error {}

impl From<crate::vectors::Error> for Error {
    fn from(error: crate::vectors::Error) -> Error {
        match error.exit_code() {
            4 => Error::File { path: PathBuf::from(&error.file), message: error.what() },
            3 => Error::Limit(error.to_string()),
            _ => Error::Check(error.to_string()),
        }
    }
}
