//! How the learning rate changes from step to step.
//!
//! In: the setting `schedule` of a training block. Out: a [`Schedule`], and from it the factor of each
//! step. Invariant: a factor depends on the number of the step and on the steps of the block alone,
//! never on how many steps a run was asked for: so runs can be stopped and go on.

use super::train::{MOST, Wrong, above_zero, call, number, plain, whole};
use crate::syntax::ast;

/// A rise to the whole rate, then a shape.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Over so many steps the rate rises in equal parts to its whole; none: it starts there.
    pub warmup: u64,
    /// What comes then.
    pub shape: Shape,
}

/// What the rate does after its rise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shape {
    /// It stays.
    #[default]
    Constant,
    /// It is multiplied by `factor` after every `every` steps.
    Decay {
        /// Above 0, at most 1.
        factor: f64,
        /// Steps between two changes.
        every: u64,
    },
    /// It falls along half a cosine to a part of itself at the last step of the block, where it stays
    /// (Loshchilov & Hutter 2017, eq. 5, without restarts).
    Cosine {
        /// The part that is left, 0 to 1.
        end: f64,
    },
}

impl Schedule {
    /// What the learning rate is multiplied by at a step, counted from 0, of a block of `horizon` steps.
    #[must_use]
    pub fn factor(&self, step: u64, horizon: u64) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let since = step - self.warmup;
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Decay { factor, every } => factor.powf((since / every) as f64),
            Shape::Cosine { end } => {
                let last = horizon.saturating_sub(self.warmup).saturating_sub(1).max(1);
                let part = (since as f64 / last as f64).min(1.0);
                end + (1.0 - end) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
        }
    }
}

/// One line about the setting.
pub(super) const SUMMARY: &str = "how the learning rate changes: constant, warmup, decay, cosine";

/// A line that can be pasted.
pub(super) const EXAMPLE: &str = "schedule = cosine(end = 0.1, warmup = 500)";

const TAKES: &str = "`constant`, `warmup(steps = n)`, `decay(factor = f, every = n)` or \
                     `cosine(end = f)`, the last two perhaps with `warmup = n`";

/// Reads the setting.
pub(super) fn read(setting: &ast::Setting) -> Result<Schedule, Wrong> {
    let value = plain(&setting.value, TAKES)?;
    let wrong = || Wrong::Kind(value.span, TAKES);
    let (name, args) = call(value).ok_or_else(wrong)?;
    let mut left: Vec<&ast::Arg> = args.iter().collect();
    let mut take = |wanted: &str| {
        let named = |arg: &&ast::Arg| arg.name.as_ref().is_some_and(|name| name.text == wanted);
        let at = left.iter().position(named)?;
        Some(&left.remove(at).value)
    };
    let shape = match name.text.as_str() {
        "constant" | "warmup" => Shape::Constant,
        "decay" => {
            let (factor, every) = (take("factor").ok_or_else(wrong)?, take("every"));
            let ratio = above_zero(factor, TAKES)?;
            if ratio > 1.0 {
                return Err(Wrong::Range(factor.span, "given a factor in 0..1", ratio));
            }
            Shape::Decay { factor: ratio, every: whole(every.ok_or_else(wrong)?, MOST)? }
        }
        "cosine" => {
            let Some(end) = take("end") else { return Err(wrong()) };
            let part = number(end).ok_or(Wrong::Kind(end.span, TAKES))?;
            if !(0.0..=1.0).contains(&part) {
                return Err(Wrong::Range(end.span, "given an end in 0..1", part));
            }
            Shape::Cosine { end: part }
        }
        _ => return Err(wrong()),
    };
    let warmup = match name.text.as_str() {
        "warmup" => Some(take("steps").ok_or_else(wrong)?),
        "decay" | "cosine" => take("warmup"),
        _ => None,
    };
    let warmup = warmup.map_or(Ok(0), |steps| whole(steps, MOST))?;
    if left.is_empty() { Ok(Schedule { warmup, shape }) } else { Err(wrong()) }
}
