//! Trials: a spec put to the test with random numbers.
//!
//! In: a checked spec. Out: for each model, or each definition alone, the verdict on every claim, with a
//! counterexample where one is found; how far gradients are from differences; how far backends are from
//! each other. Invariant: what is found is found again with the same seed.

mod agree;
mod draw;
mod gradient;
mod instance;
mod sample;

pub use agree::{Agreement, BACKENDS, Backend};
pub use gradient::{Slope, Slopes, TOLERANCE};
pub use instance::{Instance, alone, chosen, definitions};
pub use sample::Counterexample;

use crate::claims::{self, Doubt, Effort, Verdict};
use crate::diag::Diagnostics;
use crate::model::claim::Claimed;

/// What a trial found.
#[derive(Clone, Debug)]
pub struct Report {
    /// For each claim: what is proved, and numbers that break it.
    pub claims: Vec<(Verdict, Option<Counterexample>)>,
    /// For each claim that is open, why.
    pub doubts: Vec<Option<Doubt>>,
    /// Gradients against differences; nothing where the result has none.
    pub slopes: Option<Slopes>,
    /// Backends against the interpreter in `f64`.
    pub agreements: Vec<Agreement>,
}

/// How a trial is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many samples are drawn for the claims.
    pub draws: u64,
    /// Where random numbers start.
    pub seed: u64,
}

/// Puts an instance on trial; `progress` hears how many samples have been drawn.
#[must_use]
pub fn run(instance: &Instance, options: Options, progress: &mut dyn FnMut(u64)) -> Report {
    let decided = claims::decide_with_doubts(&instance.model, &instance.claims, Effort::THOROUGH);
    let (verdicts, doubts): (Vec<Verdict>, Vec<Option<Doubt>>) = decided.into_iter().unzip();
    let found = falsify(instance, options, progress);
    Report {
        claims: verdicts.into_iter().zip(found).collect(),
        doubts,
        slopes: gradient::compare(instance, options.seed),
        agreements: agree::compare(instance, options.seed),
    }
}

/// Only looks for numbers that break claims: for each, the first draw that does.
#[must_use]
pub fn falsify(
    instance: &Instance,
    options: Options,
    progress: &mut dyn FnMut(u64),
) -> Vec<Option<Counterexample>> {
    if instance.claims.all.is_empty() {
        return Vec::new();
    }
    sample::Bench::new(instance).search(instance, options.draws, options.seed, progress)
}

impl Report {
    /// Whether everything holds as far as was tried.
    #[must_use]
    pub fn holds(&self) -> bool {
        let claim = |(verdict, found): &(Verdict, Option<Counterexample>)| {
            found.is_none() && !refuted(verdict)
        };
        let slopes = self.slopes.iter().flat_map(|slopes| &slopes.all);
        self.claims.iter().all(claim)
            && slopes.into_iter().all(|slope| slope.error <= TOLERANCE)
            && self.agreements.iter().all(|one| one.error <= one.tolerance)
    }

    /// What does not hold of the claims, as diagnostics.
    #[must_use]
    pub fn diagnostics(&self, instance: &Instance, seed: u64) -> Diagnostics {
        let mut sink = Diagnostics::default();
        // What a call is given wrongly explains whatever is wrong in it.
        let broken = instance.claims.all.iter().zip(&self.claims);
        let broken = broken.filter(|(claim, one)| {
            claim.kind == Claimed::Argument && (one.1.is_some() || refuted(&one.0))
        });
        let calls: Vec<String> = broken.filter_map(|(claim, _)| within(&claim.path)).collect();
        for (claim, (verdict, found)) in instance.claims.all.iter().zip(&self.claims) {
            let follows = calls.iter().any(|call| claim.path.starts_with(call.as_str()));
            if claim.kind != Claimed::Argument && follows {
                continue;
            }
            if let Some(found) = found {
                let from = format!("{} (seed {seed}, draw {})", found.from, found.draw);
                let mut claim = claim.clone();
                if let (Claimed::State(state), 1..) = (claim.kind, found.step) {
                    // After a step it is the equation that gave it.
                    let next = instance.model.states[state as usize].next;
                    claim.place = instance.model.values[next as usize].span;
                }
                sink.push(claims::counterexample(&claim, &found.gave, &from, &found.mend));
            } else if let Verdict::Refuted(why) = verdict {
                sink.push(claims::refuted_one(claim, why));
            }
        }
        sink
    }
}

fn refuted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Refuted(_))
}

/// How the paths of all that stands in a call begin, from that of one of its arguments.
fn within(path: &str) -> Option<String> {
    path.rsplit_once('.').map(|(call, _)| format!("{call}."))
}
