//! `--backend`: what runs the program.

use crate::backend::interp::Interp;
use crate::backend::{Precision, Trainable, jit};
use crate::error::Error;
use crate::graph::Program;

/// What runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// Node by node, in the order of the graph: the definition.
    Interp,
    /// Machine code, made for the program when it starts.
    Jit,
}

impl Backend {
    /// Its name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Backend::Interp => "interp",
            Backend::Jit => "jit",
        }
    }

    /// The backend of that name.
    pub(super) fn named(name: &str) -> Option<Backend> {
        [Backend::Interp, Backend::Jit].into_iter().find(|backend| backend.name() == name)
    }

    /// Makes a program ready.
    ///
    /// # Errors
    /// Where this machine cannot run it.
    pub(super) fn ready(
        self,
        program: &Program,
        precision: Precision,
        threads: usize,
    ) -> Result<Box<dyn Trainable>, Error> {
        match self {
            Backend::Interp => Ok(Box::new(Interp::new(program, precision, threads))),
            Backend::Jit => jit::ready(program, precision, threads).map_err(|why| {
                Error::Limit(format!(
                    "no machine code on this machine ({why}): use `--backend interp`"
                ))
            }),
        }
    }

    /// Bytes that training on a batch of that many sequences of that many steps takes.
    pub(super) fn plan_bytes(
        self,
        program: &Program,
        (steps, batch): (usize, usize),
        threads: usize,
        precision: Precision,
    ) -> u64 {
        match self {
            Backend::Interp => Interp::plan_bytes(program, steps, batch, threads, precision),
            Backend::Jit => jit::plan_bytes(program, steps, batch, threads, precision),
        }
    }
}
