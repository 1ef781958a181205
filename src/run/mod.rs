//! A model with its numbers: parameters, optimiser slots, checkpoints.
//!
//! In: the names and shapes at the border of a program, and a [`Trainable`]. Out: a [`Session`] that
//! runs batches and takes optimiser steps, and files that hold all its numbers. Invariant: what a
//! session holds is already rounded to its precision, so a checkpoint read back is the same to the bit.

pub mod checkpoint;
mod seal;
mod session;
mod start;
mod stream;

pub use crate::backend::{
    Advance, Batch, Clip, Executable, Facts, Gradients, Held, Learned, Outcome, Precision, Timed,
    Trainable, Trouble, Want,
};
pub use crate::graph::Array;
pub use session::{Border, Session};
pub use start::{draw, draw_state};
pub use stream::Streaming;

use std::path::PathBuf;

/// Why a model cannot be started, saved or loaded.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The start of a parameter is not a constant of its position.
    Start {
        /// The parameter.
        path: String,
        /// What it needs.
        what: &'static str,
    },
    /// A file could not be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// A file is not a checkpoint, is cut short, or belongs to another model.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    /// What is wrong, without the name of the file.
    #[must_use]
    pub fn what(&self) -> &str {
        match self {
            Error::Start { what, .. } => what,
            Error::File { message, .. } | Error::Corrupt { message, .. } => message,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Start { path, what } => {
                write!(out, "the start of parameter `{path}` {what}")
            }
            Error::File { path, message } => write!(out, "{}: {message}", path.display()),
            Error::Corrupt { path, message } => {
                write!(out, "{} cannot be used: {message}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {}
