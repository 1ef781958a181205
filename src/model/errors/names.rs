//! Names: not found, found twice, or used as something else.

use crate::diag::Diagnostic;
use crate::source::Span;

use super::new;

fn with_help(mut one: Diagnostic, help: Option<String>) -> Diagnostic {
    one.help = help;
    one
}

/// `nearest` with the place where it is declared.
pub(in crate::model) fn unknown_value(
    span: Span,
    name: &str,
    nearest: Option<(&str, Option<Span>)>,
) -> Diagnostic {
    let one = new("E0101", format!("no value `{name}` here"), span, "not declared".to_owned());
    with_place(one.did_you_mean(nearest.map(|(near, _)| near)), nearest)
}

/// The same for a size; `slot` is the definition with it in brackets.
pub(in crate::model) fn unknown_size(span: Span, name: &str, slot: &str) -> Diagnostic {
    let label = "a size that nothing gives".to_owned();
    new("E0101", format!("no size `{name}` here"), span, label)
        .help(format!("give it in brackets: `{slot}`, or let an argument have it"))
}

/// A label at the place of the name that was meant.
fn with_place(one: Diagnostic, nearest: Option<(&str, Option<Span>)>) -> Diagnostic {
    match nearest {
        Some((near, Some(place))) => one.label(place, format!("`{near}` is declared here")),
        Some((_, None)) | None => one,
    }
}

/// The same for a path that is looked up after the text was read.
pub(in crate::model) fn unknown_path(span: Span, path: &str, nearest: Option<&str>) -> Diagnostic {
    let one = new("E0101", format!("no value `{path}` here"), span, "in this model".to_owned());
    with_help(one, nearest.map(|near| format!("did you mean `{near}`?")))
}

pub(in crate::model) fn unknown_member(
    span: Span,
    part: &str,
    name: &str,
    nearest: Option<(&str, Option<Span>)>,
) -> Diagnostic {
    let message = format!("`{part}` has no value `{name}`");
    let one = new("E0101", message, span, format!("not declared in `{part}`"));
    with_place(one.did_you_mean(nearest.map(|(near, _)| near)), nearest)
}

/// The same where no name is near: those that there are.
pub(in crate::model) fn has_members(one: Diagnostic, part: &str, known: &[&str]) -> Diagnostic {
    let known: Vec<String> =
        known.iter().filter(|name| !name.is_empty()).map(|name| format!("`{name}`")).collect();
    if known.is_empty() { one } else { one.help(format!("`{part}` has {}", known.join(", "))) }
}

pub(in crate::model) fn defines_inside(span: Span, part: &str) -> Diagnostic {
    new(
        "E0101",
        "an equation defines a name of its own block".to_owned(),
        span,
        format!("this would define a value inside `{part}`"),
    )
    .help(format!("write the equation in the block of `{part}`"))
}

/// `member` is what is asked of the value, perhaps a word of another language.
pub(in crate::model) fn no_members(
    span: Span,
    name: &str,
    member: &str,
    value: Span,
) -> Diagnostic {
    let one = new(
        "E0101",
        format!("`{name}` is a value, and no value stands inside it"),
        span,
        "not declared".to_owned(),
    )
    .label(value, format!("`{name}` is declared here"));
    let help = match member {
        "T" | "t" | "transpose" => {
            format!("to transpose, exchange indices where it is read: `{name}[j, i]`")
        }
        "shape" | "size" => format!("sizes have names of their own, in the brackets of `{name}`"),
        "sum" | "mean" | "prod" | "max" | "min" => {
            format!("write `{member}[i] {name}[i]`")
        }
        _ => return one,
    };
    one.help(help)
}

pub(in crate::model) fn unknown_definition(
    span: Span,
    name: &str,
    module: Option<&str>,
    nearest: Option<(&str, Option<&str>)>,
) -> Diagnostic {
    let one = new("E0102", format!("no definition `{name}`"), span, "called here".to_owned());
    match (module, nearest) {
        (Some(module), _) => one.help(format!("it is in {module}: add `use {module}`")),
        (None, Some((near, Some(module)))) => {
            let one = one.did_you_mean(Some(near));
            one.help(format!("did you mean `{near}` of {module}?"))
        }
        (None, None) if said_here(name).is_some() => {
            with_help(one, said_here(name).map(str::to_owned))
        }
        (None, near) => one.did_you_mean(near.map(|(near, _)| near)),
    }
}

/// `np.exp(x)`: definitions are called by their names alone.
pub(in crate::model) fn without_prefix(gone: Span, first: &str, name: &str) -> Diagnostic {
    new("E0101", format!("no value `{first}` here"), gone, "not declared".to_owned())
        .help(format!("`{name}` is called by its name alone"))
        .edit(gone, "")
}

/// A definition where a value belongs: `lstm[H]`, `cat[x, y]`.
pub(in crate::model) fn called_without_arguments(span: Span, name: &str) -> Diagnostic {
    new("E0101", format!("no value `{name}` here"), span, "a definition".to_owned())
        .help(format!("call it: `{name}(...)`"))
}

/// How something is said for which other languages have a function.
fn said_here(name: &str) -> Option<&'static str> {
    Some(match name {
        "dot" | "inner" | "vdot" => "a product of vectors is a sum: `sum[k] u[k] * v[k]`",
        "matmul" | "mm" | "bmm" | "einsum" | "tensordot" => {
            "a product of matrices is a sum: `for i: sum[k] A[i, k] * x[k]`"
        }
        "outer" => "an outer product names its indices: `for i, c: w[i] * a[c]`",
        "ones" | "full" => "a single number joins any array; `for i in N: 1` builds one",
        "range" | "arange" => {
            "an index runs over a dim, `i in N`, or from one number to another, `i in 0..n - 1`"
        }
        "transpose" => "to transpose, exchange indices where it is read: `M[j, i]`",
        "len" | "size" | "shape" => "sizes have names of their own, in the brackets of an array",
        "pow" | "square" => "a power is written `x ^ 2`",
        "roll" => "indices come round with `mod`: `for i in N: w[(i - 1) mod N]`",
        "reshape" | "view" | "flatten" => "`cat(x)` puts all entries into one axis",
        "select" | "cond" => "a choice is written `if c then x else y`",
        _ => return None,
    })
}

/// A value where a definition belongs: `f(x)`, `x -> f`.
pub(in crate::model) fn value_called(
    span: Span,
    name: &str,
    place: Span,
    index: Option<&str>,
) -> Diagnostic {
    let one = new("E0102", format!("no definition `{name}`"), span, "called here".to_owned())
        .label(place, format!("`{name}` is a value"));
    match index {
        Some(index) => one.help(format!("its entries are read in brackets: `{name}[{index}]`")),
        None => one.help(format!("multiply by it, `{name} * ...`, or call a definition")),
    }
}

pub(in crate::model) fn unknown_module(
    span: Span,
    name: &str,
    nearest: Option<&str>,
) -> Diagnostic {
    let one = new("E0108", format!("no module `{name}`"), span, "imported here".to_owned());
    match nearest {
        Some(_) => one.did_you_mean(nearest),
        None => {
            one.help(format!("`use {name}` means std, or the file `{name}.ntm` beside this one"))
        }
    }
}

pub(in crate::model) fn not_in_module(
    span: Span,
    module: &str,
    name: &str,
    nearest: Option<&str>,
) -> Diagnostic {
    let message = format!("`{module}` has no definition `{name}`");
    new("E0102", message, span, "imported here".to_owned()).did_you_mean(nearest)
}

pub(in crate::model) fn ambiguous_definition(
    span: Span,
    name: &str,
    first: (&str, Span),
    second: (&str, Span),
) -> Diagnostic {
    let message = format!("`{name}` comes from both `{}` and `{}`", first.0, second.0);
    new("E0103", message, span, "which of them?".to_owned())
        .label(first.1, "one is imported here")
        .label(second.1, "the other here")
        .help(format!("import it from one: `use {} ({name})`", first.0))
}

pub(in crate::model) fn duplicate_definition(
    span: Span,
    name: &str,
    first: Span,
    free: &str,
) -> Diagnostic {
    new("E0109", format!("`{name}` is defined twice"), span, "and again here".to_owned())
        .label(first, "it is defined here")
        .help("rename one of them")
        .edit(span, free)
}

pub(in crate::model) fn unknown_argument(
    span: Span,
    def: &str,
    name: &str,
    nearest: Option<(&str, bool)>,
    known: &[&str],
) -> Diagnostic {
    let message = format!("`{def}` has no argument `{name}`");
    let one = new("E0104", message, span, "not in the signature".to_owned());
    match nearest {
        Some((near, true)) => {
            let one = one.did_you_mean(Some(near));
            one.help(format!("did you mean `{near}`? It is emitted unless given"))
        }
        Some((near, false)) => one.did_you_mean(Some(near)),
        None if known.is_empty() => one.help(format!("`{def}` takes no argument by name")),
        None => one.help(format!("`{def}` takes {}", listed(known))),
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

pub(in crate::model) fn value_as_index(
    span: Span,
    name: &str,
    declared: Option<Span>,
) -> Diagnostic {
    let message = format!("`{name}` is a value and cannot also be an index");
    let one = new("E0105", message, span, "used as an index here".to_owned());
    let one = match declared {
        Some(place) => one.label(place, "the value"),
        None => one,
    };
    one.help("rename the index")
}

/// The same where a dim stands on the left, as in the declaration of a state.
pub(in crate::model) fn declared_without_state(one: Diagnostic, place: Span) -> Diagnostic {
    one.help("a declaration with dims begins with `state`, or rename the index")
        .edit(place, "state ")
}

pub(in crate::model) fn missing_argument(
    span: Span,
    def: &str,
    slot: &str,
    usual: Option<&str>,
) -> Diagnostic {
    let one = new("E0106", format!("`{def}` needs `{slot}`"), span, "not given here".to_owned());
    with_help(one, usual.map(|usual| format!("usually `{def}({usual})`")))
}

/// The same where the definition can leave it to the controller.
pub(in crate::model) fn emitted_argument(one: Diagnostic, slot: &str) -> Diagnostic {
    one.help(format!("give it, or write `emit {slot}` in the signature: then the controller does"))
}

/// `sum(w)` for `sum[i] w[i]`.
pub(in crate::model) fn reduction_called(
    span: Span,
    name: &str,
    indices: &str,
    body: &str,
) -> Diagnostic {
    let label = "what it runs over is not said".to_owned();
    new("E0102", format!("`{name}` has an index, not arguments"), span, label)
        .help(format!("write `{name}[{indices}] {body}`"))
}

/// A function that is not written in the language has no names for its arguments.
pub(in crate::model) fn too_few_arguments(
    span: Span,
    name: &str,
    takes: usize,
    given: usize,
) -> Diagnostic {
    let count = |number| if number == 1 { "one argument" } else { "arguments" };
    let takes = if takes == 1 { count(1).to_owned() } else { format!("{takes} {}", count(takes)) };
    let given = match given {
        0 => "none is given".to_owned(),
        1 => "one is given".to_owned(),
        more => format!("{more} are given"),
    };
    let one = new("E0106", format!("`{name}` takes {takes}"), span, given);
    let example = match name {
        "clip" => "clip(x, 0, 1)",
        "max" | "min" => {
            return one.help(format!("of an array: `{name}[i] x[i]`; of two: `{name}(a, b)`"));
        }
        _ => return one,
    };
    one.help(format!("the value and its limits: `{example}`"))
}

pub(in crate::model) fn too_many_arguments(span: Span, def: &str, takes: usize) -> Diagnostic {
    let takes = match takes {
        0 => "no argument".to_owned(),
        1 => "one argument".to_owned(),
        more => format!("{more} arguments"),
    };
    new("E0112", format!("`{def}` takes {takes}"), span, "one too many".to_owned())
        .help("remove the argument that is too many")
}

/// `lstm(H, x)` for `lstm[H](x)`.
pub(in crate::model) fn size_by_position(span: Span, def: &str, size: &str) -> Diagnostic {
    let message = format!("`{def}` takes its sizes in brackets");
    new("E0112", message, span, "a size among the arguments".to_owned())
        .help(format!("write `{def}[{size}](...)`"))
}

/// `zeros(N)` for `zeros[N]()`.
pub(in crate::model) fn sizes_in_parentheses(span: Span, sizes: &str) -> Diagnostic {
    new("E0112", "`zeros` takes no argument".to_owned(), span, "sizes stand in brackets".to_owned())
        .help(format!("write `zeros[{sizes}]()`"))
}

pub(in crate::model) fn part_as_value(span: Span, name: &str, value: Option<&str>) -> Diagnostic {
    let message = format!("`{name}` is a part, not a value");
    let one = new("E0111", message, span, "a value is expected here".to_owned());
    match value {
        Some(value) => one
            .help(format!("name one of its values: `{name}.{value}`"))
            .edit(span.after(), format!(".{value}")),
        None => one,
    }
}

/// Arguments by position with the names that they need; `written` is how they are given.
pub(in crate::model) fn by_name_only(
    def: &str,
    meant: &[(Span, String)],
    written: &[String],
) -> Diagnostic {
    let names: Vec<String> = meant.iter().map(|(_, name)| format!("`{name}`")).collect();
    let message = format!("`{def}` takes {} by name alone", names.join(" and "));
    let one = new("E0107", message, meant[0].0, "given by position".to_owned());
    let one = meant[1..].iter().fold(one, |one, (span, _)| one.label(*span, "and this"));
    let one = one.help(format!(
        "an `emit`, `param` or `state` argument is given by name: `{}`",
        written.join(", ")
    ));
    meant.iter().fold(one, |one, (span, name)| one.edit(span.before(), format!("{name} = ")))
}

pub(in crate::model) fn argument_twice(span: Span, def: &str, name: &str) -> Diagnostic {
    new("E0110", format!("`{def}` gets `{name}` twice"), span, "the second time".to_owned())
        .help("remove one of them")
}
