//! Domains, and instances of definitions.

use crate::diag::Diagnostic;
use crate::source::Span;

use super::new;

pub(in crate::model) fn outside_domain(
    span: Span,
    name: &str,
    domain: &str,
    value: f64,
    declared: Span,
    inside: Option<String>,
) -> Diagnostic {
    let one = new(
        "E0401",
        format!("`{name}` must lie in {domain}, this is {value}"),
        span,
        "outside".to_owned(),
    )
    .label(declared, format!("`{name}` is declared here"))
    .help(format!("give a value inside {domain}"));
    match inside {
        Some(inside) => one.edit(span, inside),
        None => one,
    }
}

/// `inside` is a start in the domain, and `claim` the place that names the domain.
pub(in crate::model) fn bad_start(
    span: Span,
    name: &str,
    domain: &str,
    why: &str,
    inside: Option<String>,
) -> Diagnostic {
    let help = if why.contains("sum") {
        "use `uniform` or `one_hot(0)`".to_owned()
    } else {
        format!("start inside {domain}, or drop the claim")
    };
    let one = new(
        "E0402",
        format!("`{name}` is declared {domain}, and its start {why}"),
        span,
        why.to_owned(),
    )
    .help(help);
    match inside {
        Some(inside) => one.edit(span, inside),
        None => one,
    }
}

pub(in crate::model) fn not_emittable(span: Span, domain: &str) -> Diagnostic {
    let article = if domain.starts_with(['i', 'u']) { "an" } else { "a" };
    let help = match domain {
        "weighting" => "emit a `simplex` and multiply by an emitted `unit`",
        _ => "emit numbers and order or compare them",
    };
    let message = format!("{article} `{domain}` cannot be emitted");
    let one = new("E0404", message, span, "no map leads into it".to_owned()).help(help);
    if domain == "weighting" { one.edit(span, "simplex") } else { one }
}

pub(in crate::model) fn unknown_domain(
    span: Span,
    name: &str,
    nearest: Option<&str>,
) -> Diagnostic {
    let one = new("E0405", format!("no domain `{name}`"), span, "unknown".to_owned());
    let all = "real, unit, signed, positive, simplex, weighting, sphere, index, int, bool";
    one.help(format!("the domains are {all}")).did_you_mean(nearest)
}

pub(in crate::model) fn bad_bounds(span: Span, right: Option<String>) -> Diagnostic {
    let one = new(
        "E0406",
        "these are not the bounds of a domain".to_owned(),
        span,
        "expected numbers, the lower first".to_owned(),
    )
    .help("write `real(0..1)`, `real(1..)` or `real(..0)`; `index(N)` takes a dim");
    match right {
        Some(right) => one.edit(span, right),
        None => one,
    }
}

/// `emitted` is what a call would emit, as far as it has names; nothing for an emission by itself.
pub(in crate::model) fn no_controller(span: Span, name: &str, emitted: &[&str]) -> Diagnostic {
    let label = match emitted {
        [] => "emitted here".to_owned(),
        names => format!("this emits {}", listed(names)),
    };
    let message = format!("nothing to emit from: no controller encloses `{name}`");
    new("E0501", message, span, label).help("add `controller h = lstm[H](...)`, or `from z`")
}

/// `a`, `b` and `c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [before @ .., last] => {
            let before: Vec<String> = before.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and `{last}`", before.join(", "))
        }
    }
}

/// `emitted` is what the call emits, as far as it has names.
pub(in crate::model) fn shared_emission(
    span: Span,
    (def, emitted): (&str, &[&str]),
    index: &str,
    dim: &str,
) -> Diagnostic {
    let what = match emitted {
        [] => format!("`{def}` emits, so all `{index}` would share one emission"),
        [_] => format!("`{def}` emits {}, so all `{index}` would share it", listed(emitted)),
        _ => format!("`{def}` emits {}, so all `{index}` would share them", listed(emitted)),
    };
    new("E0502", what, span, format!("called under the index `{index}`"))
        .help(format!("make a family: `part each[{index}: {dim}] {{ ... }}`"))
}

pub(in crate::model) fn state_under_index(
    span: Span,
    def: &str,
    index: &str,
    dim: &str,
) -> Diagnostic {
    new(
        "E0503",
        format!("`{def}` keeps state and cannot stand under the index `{index}`"),
        span,
        "called here".to_owned(),
    )
    .help(format!("make a family: `part each[{index}: {dim}] {{ ... {def}(...) }}`"))
}

/// `through` are the definitions between the two calls.
pub(in crate::model) fn recursion(span: Span, name: &str, through: &[String]) -> Diagnostic {
    let through: Vec<String> = through.iter().map(|one| format!("`{one}`")).collect();
    let message = match &through[..] {
        [] => format!("`{name}` calls itself"),
        between => format!("`{name}` calls itself through {}", between.join(" and ")),
    };
    new("E0504", message, span, "through this call".to_owned())
        .help("definitions cannot be recursive; repeat with a family")
}

pub(in crate::model) fn two_owning_calls(span: Span, def: &str, first: Span) -> Diagnostic {
    new(
        "E0505",
        format!("`{def}` is called twice in one equation, and each call owns weights or state"),
        span,
        "the second call".to_owned(),
    )
    .label(first, "the first call")
    .help("give each its own equation or part, so that each has a name")
}

/// `word` is the word `controller` before the second.
pub(in crate::model) fn two_controllers(span: Span, first: Span, word: Span) -> Diagnostic {
    new("E0507", "two controllers in one block".to_owned(), span, "the second".to_owned())
        .label(first, "the first")
        .help("nothing is emitted from the second if it is a plain equation")
        .edit(word, "")
}

pub(in crate::model) fn not_a_stage(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
    new(
        "E0508",
        format!("`{name}` cannot stand here: only a function of each number can"),
        span,
        "a stage between an affine map and its squash".to_owned(),
    )
    .help("use a function of one number such as `clip(-20, 20)`, or a definition `def f(a) -> b`")
    .did_you_mean(nearest)
}

/// A function of a whole vector where one of each number stands.
pub(in crate::model) fn joint_stage(span: Span, name: &str) -> Diagnostic {
    new(
        "E0508",
        format!("`{name}` cannot stand here: only a function of each number can"),
        span,
        "it is one of a whole vector".to_owned(),
    )
    .help("emit raw numbers, apply it to all of them joined, and cut what comes out")
}

pub(in crate::model) fn not_callable(span: Span, name: &str) -> Diagnostic {
    new("E0509", format!("`{name}` is not a call"), span, "expected a call".to_owned())
        .help(format!("write `{name}(...)`"))
}

/// The same for a size or switch, which has nothing inside it.
pub(in crate::model) fn no_parts(span: Span, name: &str, rest: Span) -> Diagnostic {
    new("E0509", format!("`{name}` is a number and has no parts"), span, "a number".to_owned())
        .help(format!("write `{name}`"))
        .edit(rest, "")
}

pub(in crate::model) fn param_argument(span: Span, name: &str) -> Diagnostic {
    new(
        "E0510",
        format!("`{name}` is a param and can only be given a param"),
        span,
        "not a param".to_owned(),
    )
    .help("pass a declared `param`, or leave it out: then the call has its own")
}
