//! What is said of claims that do not hold.

use crate::diag::Diagnostic;
use crate::model::claim::{Claim, Claimed};
use crate::model::{domain_name, lies_in};

/// A claim that never holds.
#[must_use]
pub fn refuted(claim: &Claim, why: &str) -> Diagnostic {
    let (name, domain) = (last(&claim.path), lies_in(&claim.domain));
    let one = Diagnostic::new(
        "E0401",
        format!("`{name}` must lie in {domain}, and never does"),
        claim.place,
        why,
    );
    let one = if claim.place == claim.declared {
        one
    } else {
        one.label(claim.declared, format!("`{name}` is declared here"))
    };
    one.help(match claim.kind {
        Claimed::Argument => format!("give a value inside {domain}"),
        Claimed::Value | Claimed::State(_) => {
            format!("give a value inside {domain}, or drop the claim")
        }
    })
}

/// A claim that failed in a trial: `gave` is what was seen, `from` the numbers that it came from, and
/// `mend` how inputs can be declared so that it holds as far as was tried.
#[must_use]
pub fn counterexample(claim: &Claim, gave: &str, from: &str, mend: &[String]) -> Diagnostic {
    let (name, domain) = (last(&claim.path), domain_name(&claim.domain));
    let verb = match claim.kind {
        Claimed::Argument => "is declared",
        Claimed::Value | Claimed::State(_) => "claims",
    };
    let one = Diagnostic::new(
        "E0403",
        format!("`{name}` {verb} `{domain}` but {gave}"),
        claim.place,
        from,
    );
    let one = if claim.place == claim.declared {
        one
    } else {
        one.label(claim.declared, format!("`{domain}` is declared here"))
    };
    let slots: Vec<String> = mend.iter().map(|slot| format!("`{slot}`")).collect();
    one.help(match &slots[..] {
        [] if claim.kind == Claimed::Argument => {
            format!("give a value inside {}", lies_in(&claim.domain))
        }
        [] => "mend the equation, or drop the claim".to_owned(),
        slots => format!("declare {}, or drop the claim", slots.join(" and ")),
    })
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
