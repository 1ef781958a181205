//! `--backend`: what runs the program.

use crate::backend::interp::Interp;
use crate::backend::{Budget, Precision, Trainable, jit};
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

    /// Makes a program ready for what its memory was planned for.
    ///
    /// # Errors
    /// Where this machine cannot run it.
    pub(super) fn ready(
        self,
        program: &Program,
        precision: Precision,
        budget: &Budget,
    ) -> Result<Box<dyn Trainable>, Error> {
        let threads = budget.threads;
        let mut ready: Box<dyn Trainable> = match self {
            Backend::Interp => Box::new(Interp::new(program, precision, threads)),
            Backend::Jit => jit::ready(program, precision, threads).map_err(|why| {
                Error::Limit(format!(
                    "no machine code on this machine ({why}): use `--backend interp`"
                ))
            })?,
        };
        if let Some(kept) = budget.kept {
            ready.keep_at_most(kept);
        }
        Ok(ready)
    }

    /// How training on a batch of that many sequences of that many steps fits into `limit` bytes.
    pub(super) fn budget(
        self,
        program: &Program,
        extent: (usize, usize),
        (threads, precision): (usize, Precision),
        limit: u64,
    ) -> Budget {
        match self {
            Backend::Interp => Interp::budget(program, extent, threads, precision, limit),
            Backend::Jit => jit::budget(program, extent, threads, precision, limit),
        }
    }
}
