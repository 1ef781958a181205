//! Time: states, what is one step ago, and what needs itself.

use crate::diag::Diagnostic;
use crate::source::Span;

use super::new;

pub(in crate::model) fn no_start(span: Span, name: &str, start: &str) -> Diagnostic {
    new(
        "E0301",
        format!("`{name}` needs a value before the first step"),
        span,
        "a state without a start".to_owned(),
    )
    .help(format!("add `= {start}`, or `= learned`"))
    .edit(span.after(), format!(" = {start}"))
}

/// `state` is the declaration that is missing.
pub(in crate::model) fn prev_of_value(
    span: Span,
    name: &str,
    place: Span,
    state: &str,
) -> Diagnostic {
    new("E0302", format!("`{name}` has no previous value"), span, "one step ago of this".to_owned())
        .label(place, "it is computed afresh each step")
        .help(format!("declare {state} to carry `{name}` from step to step"))
}

pub(in crate::model) fn prev_of_call(span: Span, name: &str) -> Diagnostic {
    let message = format!("the call of `{name}` has no previous value");
    new("E0302", message, span, "one step ago of this".to_owned()).help(format!(
        "read back what it is called with, or name its value: `part a = {name}(...)`"
    ))
}

pub(in crate::model) fn never_updated(span: Span, name: &str) -> Diagnostic {
    new(
        "E0303",
        format!("`{name}` never gets a next value"),
        span,
        "a state without an equation".to_owned(),
    )
    .help(format!("write `{name} = prev {name}` if it is meant to stay"))
}

/// The same for a state whose equation has nearly its name.
pub(in crate::model) fn misspelt_state(
    one: Diagnostic,
    word: Span,
    name: &str,
    place: Span,
) -> Diagnostic {
    one.label(place, format!("`{name}` is defined here"))
        .help(format!("did you mean `{name}`?"))
        .edit(word, name)
}

/// Which read of the first value of a circle should look back one step.
pub(in crate::model) enum LookBack<'a> {
    /// The first value is a state; how it is read.
    Read(&'a str),
    /// None is a state: what to declare, and how the first value is read.
    Declare(&'a str, &'a str),
    /// The same for an array whose entries need others of it.
    Axis(&'a str, &'a str),
    /// None is a state, and none can be declared here.
    Somewhere,
}

/// The first place is a state if there is one among them.
pub(in crate::model) fn cycle(places: &[(String, Span)], back: LookBack<'_>) -> Diagnostic {
    let (name, span) = &places[0];
    let names: Vec<String> = places.iter().map(|(name, _)| format!("`{name}`")).collect();
    let message = match &places[1..] {
        [] => format!("`{name}` needs itself within one step"),
        _ => format!(
            "these values need each other within one step: {} -> {}",
            names.join(" -> "),
            names[0]
        ),
    };
    let label = if places.len() > 1 { format!("`{name}` needs the next") } else { String::new() };
    let mut one = new("E0304", message, *span, label);
    for (name, span) in &places[1..] {
        one = one.label(*span, format!("`{name}`"));
    }
    let who = if places.len() > 1 { "one of them" } else { "it" };
    one.help(match back {
        LookBack::Read(read) => format!("{who} should look back one step: `prev {read}`"),
        LookBack::Declare(state, read) => {
            format!("{who} should look back one step: `prev {read}`, with `{state}`")
        }
        LookBack::Axis(state, read) => format!(
            "look back one step: `prev {read}`, with `{state}`; what builds on one another within a \
             step are members of a family: `part p[i: N] {{ v = if i == 0 then ... else p[i - 1].v }}`"
        ),
        LookBack::Somewhere => {
            format!("{who} should look back one step, at `prev` of a state")
        }
    })
}

/// `word` is the name where it is defined again, and `free` one that nothing has.
pub(in crate::model) fn defined_twice(
    span: Span,
    name: &str,
    first: Span,
    (word, free): (Span, &str),
) -> Diagnostic {
    new("E0305", format!("`{name}` is defined twice"), span, "and again here".to_owned())
        .label(first, "it is defined here")
        .help("remove or rename one of them")
        .edit(word, free)
}

/// A declaration that lost its word, beside the equation of what it declares.
pub(in crate::model) fn declared_without_word(
    span: Span,
    name: &str,
    equation: Span,
) -> Diagnostic {
    let label = "this reads like the declaration of a state".to_owned();
    new("E0305", format!("`{name}` is defined twice"), span, label)
        .label(equation, "its equation is here")
        .help("a declaration begins with `state`")
        .edit(span.before(), "state ")
}

pub(in crate::model) fn later_member(span: Span, part: &str) -> Diagnostic {
    new(
        "E0306",
        format!("a member of `{part}` may look only at earlier members"),
        span,
        "not provably earlier".to_owned(),
    )
    .help(
        "use `prev`, or an earlier member behind a guard: `if l == 0 then ... else part[l - 1].x`",
    )
}

pub(in crate::model) fn only_at_a_step(span: Span, name: &str, place: Span) -> Diagnostic {
    new(
        "E0307",
        format!("`{name}` exists only at a step"),
        span,
        "used before the first step".to_owned(),
    )
    .label(place, format!("`{name}` exists from the first step on"))
    .help("a start is made of numbers, dims, params and `learned`")
}

/// What an emission is emitted from, in place of its start.
pub(in crate::model) fn source_as_start(span: Span, name: &str) -> Diagnostic {
    let message = format!("what stands behind the `=` of `{name}` is where it starts");
    new("E0307", message, span, "exists only at a step".to_owned())
        .help("what it is emitted from stands behind `from`")
}

/// The same where `usual` can stand in its place.
pub(in crate::model) fn start_instead(one: Diagnostic, span: Span, usual: &str) -> Diagnostic {
    let help = "a start is made of numbers, dims, params and `learned`";
    one.help(format!("{help}: write `{usual}`")).edit(span, usual)
}

pub(in crate::model) fn start_word(span: Span, name: &str) -> Diagnostic {
    let example = if name == "one_hot" { "one_hot(0)" } else { name };
    new(
        "E0308",
        format!("`{name}` is a start"),
        span,
        "not the start of a state or param".to_owned(),
    )
    .help(format!("write it where something starts: `state s[N] = {example}`"))
}

pub(in crate::model) fn result_missing(
    span: Span,
    name: &str,
    nearest: Option<&str>,
) -> Diagnostic {
    new("E0309", format!("the result `{name}` is never defined"), span, "the result".to_owned())
        .help(format!("add an equation `{name} = ...` or `emit {name}[..] from ...`"))
        .did_you_mean(nearest)
}

pub(in crate::model) fn result_is_an_argument(
    span: Span,
    name: &str,
    argument: Span,
) -> Diagnostic {
    let message = format!("the result `{name}` is an argument, so nothing is computed");
    new("E0309", message, span, "the result".to_owned())
        .label(argument, "the argument of that name")
        .help("give the result a name of its own, and an equation")
}

pub(in crate::model) fn needs_itself(span: Span, name: &str) -> Diagnostic {
    new(
        "E0304",
        format!("the shape of `{name}` depends on itself"),
        span,
        "its equation needs its own value".to_owned(),
    )
    .help(format!("declare its shape: `state {name}[N] = 0`, and use `prev {name}`"))
}

pub(in crate::model) fn draw_inside(span: Span) -> Diagnostic {
    new(
        "E0310",
        "a draw is a whole start, not a part of one".to_owned(),
        span,
        "drawn inside an expression".to_owned(),
    )
    .help("draw a state of its own, `state d[N] = normal(0.1)` with `d = prev d`, and read that")
}
