//! Every sentence of a note.

use crate::diag::Diagnostic;
use crate::source::Span;

/// A start in the spec, and what to write there instead.
pub(super) struct Change {
    /// The state.
    pub(super) name: String,
    /// Its start as written.
    pub(super) start: Span,
    /// A better one.
    pub(super) to: &'static str,
}

pub(super) fn unread_emission(span: Span, name: &str) -> Diagnostic {
    Diagnostic::new(
        "W0901",
        format!("nothing reads the emission `{name}`"),
        span,
        "its weights will never matter",
    )
    .help(format!("use `{name}` in an equation, or remove it"))
}

pub(super) fn idle_emission(span: Span, name: &str, reader: Span, reads: &str) -> Diagnostic {
    let message = format!("the result does not depend on the emission `{name}`");
    Diagnostic::new("W0901", message, span, "its weights will never matter")
        .label(reader, format!("`{reads}` reads it, and leads nowhere"))
        .help(format!("let the result depend on `{reads}`, or remove both"))
}

pub(super) fn unread_in_call(span: Span, names: &[&str]) -> Diagnostic {
    let message = format!("the result does not depend on {}", list(names));
    Diagnostic::new("W0901", message, span, "what this learns will never matter")
        .help("let the result depend on it, or remove it")
}

pub(super) fn no_gradient(span: Span, names: &[&str]) -> Diagnostic {
    let message = format!("no gradient can reach {}", list(names));
    Diagnostic::new("W0902", message, span, "this never changes in training")
        .help(
            "it only feeds `argsort`, `rank`, `top`, `floor`, a comparison or `stop`; let it also scale \
             what they choose, or make it a number",
        )
}

pub(super) fn learned_branch(
    branch: Span,
    compared: Span,
    text: Option<&str>,
    declared: Option<Span>,
) -> Diagnostic {
    let message = "this branch depends on a learned number, so the gradient sees one side only";
    let mut one = Diagnostic::new("W0903", message, compared, "no gradient passes from here")
        .label(branch, "to learn when to switch, blend: `g * a + (1 - g) * b`");
    if let Some(declared) = declared {
        one = one.label(declared, "this is learned");
    }
    match text {
        Some(text) => one
            .help("if the jump is meant, say that no gradient is wanted")
            .edit(compared, format!("stop({text})")),
        None => one.help("if the jump is meant, write `stop(..)` around what is compared"),
    }
}

pub(super) fn costly(span: Span, path: &str, sizes: &str, cost: u64, share: f64) -> Diagnostic {
    let message = format!(
        "`{path}` costs {sizes} = {} multiply-adds per step, {share:.0} % of the step",
        short(cost)
    );
    Diagnostic::new("W0904", message, span, "more than reading every parameter and state once")
        .help("name the inner sum as a value of its own with fewer axes, if it does not need them all")
}

pub(super) fn hides_std(span: Span, name: &str, module: &str, import: Span) -> Diagnostic {
    let message = format!("`{name}` hides the definition of that name from `{module}`");
    Diagnostic::new("W0905", message, span, "this one is used everywhere in this file")
        .label(import, "brings the other one in")
        .help(format!("rename it, or import only what is used, `use {module} (..)`"))
}

pub(super) fn undressed(span: Span, name: &str, domain: &str, place: Span) -> Diagnostic {
    let message = format!("the emission `{name}` may be any number, and its name says otherwise");
    Diagnostic::new("W0906", message, span, "an emission without a domain is not squashed")
        .help("declare its domain")
        .edit(place, format!(": {domain}"))
}

pub(super) fn past_unread(span: Span, name: &str, equation: Span, given: bool) -> Diagnostic {
    let message = format!("the previous value of the state `{name}` is never read");
    let help = match given {
        true => {
            format!("read `prev {name}`, or make it a plain value: remove it from the signature")
        }
        false => {
            format!("read `prev {name}`, or remove the declaration: `{name}` is a plain value")
        }
    };
    Diagnostic::new("W0907", message, span, "remembered for nothing")
        .label(equation, "computed afresh at each step")
        .help(help)
}

/// An argument at which a function has no value.
pub(super) struct Pole<'a> {
    /// Where it stands.
    pub(super) argument: Span,
    /// Its text.
    pub(super) text: &'a str,
    /// Whether it stands in parentheses.
    pub(super) enclosed: bool,
    /// Whether it divides; else its logarithm is taken.
    pub(super) divides: bool,
    /// Whether it is never below 0.
    pub(super) from_below: bool,
}

pub(super) fn may_be_zero(whole: Span, pole: &Pole<'_>) -> Diagnostic {
    let Pole { argument, text, enclosed, divides, from_below } = pole;
    let (message, fact) = match divides {
        true => (format!("this divides by `{text}`, which may be 0"), "the division"),
        false => (format!("this is the logarithm of `{text}`, which may be 0"), "the logarithm"),
    };
    let label = if *from_below { "0 is the lower end of its range" } else { "0 is in its range" };
    let one = Diagnostic::new("W0908", message, *argument, label).label(whole, fact);
    let above = match enclosed {
        true => format!("{text} + 1e-6"),
        false => format!("({text} + 1e-6)"),
    };
    match (from_below, divides) {
        (true, _) => {
            one.help("keep it above 0, or declare a domain without 0").edit(*argument, above)
        }
        (false, true) => one.help(format!(
            "declare a domain without 0, or guard it: `if {text} == 0 then 0 else ..`"
        )),
        (false, false) => one.help("declare a domain above 0, such as `real(1e-6..)`"),
    }
}

/// What stays equal, in words.
pub(super) struct Alike<'a> {
    /// The state.
    pub(super) path: &'a str,
    /// How many, as the spec calls the number.
    pub(super) dim: &'a str,
    /// One of them: a row, a column, an entry, a member.
    pub(super) noun: &'a str,
}

pub(super) fn unbroken(
    span: Span,
    alike: &Alike<'_>,
    others: &[(Span, &str)],
    change: Option<Change>,
) -> Diagnostic {
    let Alike { path, dim, noun } = alike;
    let plural = if *noun == "entry" { "entries".to_owned() } else { format!("{noun}s") };
    let message = format!("the {dim} {plural} of `{path}` start equal and stay equal for ever");
    let label = format!("every equation treats them alike: this is one {noun}, {dim} times");
    let mut one = Diagnostic::new("W0909", message, span, label);
    for (span, path) in others {
        one = one.label(*span, format!("`{path}` stays equal, too"));
    }
    match change {
        Some(Change { name, start, to }) => {
            one.help(format!("start `{name}` with {plural} that differ")).edit(start, to)
        }
        None if *noun == "member" => {
            one.help("remove `tied`, or let the members start or read something that differs")
        }
        None => {
            one.help("give it, or a weighting that writes it, a start that differs along this axis")
        }
    }
}

pub(super) fn writes_outward(span: Span, head: &str, name: &str, declared: Span) -> Diagnostic {
    let message = format!("the head `{head}` writes the outer state `{name}`");
    Diagnostic::new("W0910", message, span, "each member finds what the one before it has left")
        .label(declared, "declared outside the head")
        .help(format!(
            "if all of them should find `{name}` as it was, move this equation out of the head; if the \
             order is meant, put it into a `part` around the head",
        ))
}

pub(super) fn places_coincide(span: Span, left: Span, name: &str) -> Diagnostic {
    let message = format!("entries of `{name}` may be equal, and then the last one wins");
    let one = Diagnostic::new("W0911", message, span, "two of these may name one place");
    one.label(left, "what loses gets no gradient").help(format!(
        "let `{name}` be an order (`argsort`, `top`), or add up instead: `sum[m] (if {name}[m] == i then .. else 0)`",
    ))
}

/// Names for people: at most three.
fn list(names: &[&str]) -> String {
    let mut all: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    if names.len() > 3 {
        all.push(format!("{} more", names.len() - 3));
    }
    match all.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some(_) | None => all.concat(),
    }
}

/// A count with a unit: `4.2 M`.
fn short(count: u64) -> String {
    let count = count as f64;
    match count {
        _ if count >= 1e9 => format!("{:.1} G", count / 1e9),
        _ if count >= 1e6 => format!("{:.1} M", count / 1e6),
        _ => format!("{:.1} k", count / 1e3),
    }
}
