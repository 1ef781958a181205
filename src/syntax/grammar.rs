//! The derived parser, and the one call into it.
//!
//! In: a text and the rule to read it by. Out: pest's pairs, or where it stopped and why.

use std::num::NonZeroUsize;
use std::sync::Once;

use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::Pairs;

pub(super) use derived::Rule;

mod derived {
    #![allow(missing_docs, reason = "pest derives the rules without documentation")]

    /// The parser that pest derives from the grammar.
    #[derive(pest_derive::Parser)]
    #[grammar = "grammar/ntm.pest"]
    pub(in crate::syntax) struct Grammar;
}

/// Rule calls before pest gives up: a backstop, many times what the largest file needs.
const CALLS: usize = 500_000_000;

/// Where parsing stopped.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    /// The byte that could not be read.
    pub(super) at: usize,
    /// What could have stood there.
    pub(super) wanted: Vec<Rule>,
    /// Whether pest gave up rather than finding a mistake.
    pub(super) gave_up: bool,
}

/// Reads all of `text` by `rule`.
pub(super) fn read(rule: Rule, text: &str) -> Result<Pairs<'_, Rule>, Stop> {
    static LIMIT: Once = Once::new();
    LIMIT.call_once(|| pest::set_call_limit(NonZeroUsize::new(CALLS)));
    derived::Grammar::parse(rule, text).map_err(|error| {
        let at = match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        };
        match error.variant {
            ErrorVariant::ParsingError { positives, .. } => {
                Stop { at, wanted: positives, gave_up: false }
            }
            ErrorVariant::CustomError { .. } => Stop { at, wanted: Vec::new(), gave_up: true },
        }
    })
}
