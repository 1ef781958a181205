//! `ntmc`: a compiler for memory-augmented neural networks written as equations.
//!
//! A researcher writes a `.ntm` file whose equations read like the paper. It is checked, differentiated
//! symbolically, run and trained. This page is the architecture.
//!
//! # The corridor
//!
//! Text goes in at one end, a running model comes out at the other. Each room turns one type into the
//! next and knows only rooms behind it:
//!
//! | room | from | to |
//! | --- | --- | --- |
//! | [`syntax`] | text | tree; the only room that knows pest |
//! | [`model`] | tree | checked definitions, then a flat [`model::Model`] |
//! | [`lower`] | model | [`graph::Program`]: graphs of the first states and of one step |
//! | [`grad`] | graph | the same graph with adjoint nodes |
//! | [`opt`] | graph | the same meaning, less work |
//! | [`backend`] | program | numbers; `interp` defines what a program means, `jit` is machine code |
//!
//! Beside it: [`notes`] sees what is allowed and yet seldom meant, [`op`] says what a node may compute, [`graph`] is
//! the IR (the only room that knows petgraph), [`compile`] is the corridor on one screen, [`run`] holds parameters and
//! checkpoints, [`explain`] has a page for every code of a message, [`claims`] decides what is claimed of a model,
//! [`trial`] tries what it cannot decide, [`passes`] takes the time of the compiler's passes, [`task`] makes episodes,
//! [`train`] is the loop and its pictures, [`vectors`] compares with numbers of other programs, [`cli`] is the command
//! line. `src/std` is the standard library, in the language itself: addressing, controllers, memories, losses and
//! optimisers are written there.
//!
//! # Invariants
//!
//! 1. Rust code knows no mechanism: there is no head, controller or optimiser in it.
//! 2. Holding a [`model::Model`] means that the spec is right: nothing later fails because of it.
//! 3. Holding a [`graph::Graph`] means that [`graph::verify()`] accepts it.
//! 4. Same input, same bytes: nothing depends on hash order, the clock, threads or statement order.
//! 5. Users' mistakes are [`diag::Diagnostic`]s or [`error::Error`]s; a panic is a bug of ours.
//! 6. Only [`cli`] and checkpoints in [`run`] touch files; only [`cli`] prints.
//!
//! # Use as a library
//!
//! ```
//! use ntmc::compile::{Choices, Stage, stage};
//!
//! let spec = "ntm 1
//! model leak[N = 2](x[N]) -> y[N] {
//!   state s[N] = 0
//!   s[i] = 0.9 * prev s[i] + x[i]
//!   y = s
//! }";
//! let step = stage(spec, Stage::Step, &Choices::default())?;
//! assert!(step.contains("0.9 * %s"));
//! # Ok::<(), ntmc::error::Error>(())
//! ```

pub mod backend;
pub mod claims;
pub mod cli;
pub mod compile;
pub mod diag;
pub mod error;
pub mod explain;
pub mod grad;
pub mod graph;
pub mod lower;
pub mod model;
pub mod notes;
pub mod op;
pub mod opt;
pub mod passes;
pub mod random;
pub mod run;
pub mod source;
pub mod syntax;
pub mod task;
pub mod tensor;
pub mod train;
pub mod trial;
pub mod vectors;
