//! The text form of graphs: one equation a line.
//!
//! In: a [`Graph`](super::Graph) or [`Program`](super::Program). Out: text, and back. Invariant: what
//! was printed parses to the same nodes in the same order with the same origins, up to places in
//! the spec and to names of axes that cannot be written.
//!
//! ```text
//! %w[i:5] = input 0 -- w                                    a leaf; the name after `--` is its path
//! %s[k:3] = param 2 -- s
//! %out[i:5] = sum[k:3] %w[(i - k + 1) mod 5] * %s[k] -- out  %out is named after its path
//! %phi[j:5]: permutation(5) = argsort %w[j]                 types where not real
//! %a[i:5] = sum[j:5 | %phi[j] == i] %w[j]                    conditions after `|`
//! %v[i:5] = join { i == 0: 1; i >= 1: %w[i - 1] }
//! %p[j:5] = recur[j up from 1] 0 + %w[%phi[j]] * self
//! %v'[i:5 | i >= 1] = -%w[i - 1] -- adjoint v                exists where i >= 1, backward sweep
//! next/out[i:5] = %out[i]                                    a root
//! ```
//!
//! Lines that start with `;` or `#` are comments. A node whose index operands are not numbered in
//! the order in which they occur names them: `%x[@2] * %y[@1] where @1 = %i[j]; @2 = %k[j]`.

mod cursor;
pub(super) mod layout;
mod make;
mod parse;
mod print;
mod program;
mod tokens;

pub use parse::parse;
pub(super) use print::lines;
pub use print::print;
pub use program::{parse_program, program_text};

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// One sentence.
    pub message: String,
}

impl std::fmt::Display for TextError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for TextError {}
