//! Every sentence that the checker and the elaborator can say.
//!
//! One factory a mistake; the caller passes what it has, the factory owns wording, labels and help.

use crate::diag::{Diagnostic, Edit};
use crate::source::Span;

fn new(code: &'static str, message: String, span: Span, label: String) -> Diagnostic {
    Diagnostic::new(code, message, span, label)
}

fn with_help(mut one: Diagnostic, help: Option<String>) -> Diagnostic {
    one.help = help;
    one
}

// ---- names ------------------------------------------------------------------------------------

/// `nearest` with the place where it is declared.
pub(super) fn unknown_value(
    span: Span,
    name: &str,
    nearest: Option<(&str, Option<Span>)>,
) -> Diagnostic {
    let one = new("E0101", format!("no value `{name}` here"), span, "not declared".to_owned());
    with_place(one.did_you_mean(nearest.map(|(near, _)| near)), nearest)
}

/// A label at the place of the name that was meant.
fn with_place(one: Diagnostic, nearest: Option<(&str, Option<Span>)>) -> Diagnostic {
    match nearest {
        Some((near, Some(place))) => one.label(place, format!("`{near}` is declared here")),
        Some((_, None)) | None => one,
    }
}

/// The same for a path that is looked up after the text was read.
pub(super) fn unknown_path(span: Span, path: &str, nearest: Option<&str>) -> Diagnostic {
    let one = new("E0101", format!("no value `{path}` here"), span, "in this model".to_owned());
    with_help(one, nearest.map(|near| format!("did you mean `{near}`?")))
}

pub(super) fn unknown_member(
    span: Span,
    part: &str,
    name: &str,
    nearest: Option<(&str, Option<Span>)>,
) -> Diagnostic {
    let message = format!("`{part}` has no value `{name}`");
    let one = new("E0101", message, span, format!("not declared in `{part}`"));
    with_place(one.did_you_mean(nearest.map(|(near, _)| near)), nearest)
}

pub(super) fn defines_inside(span: Span, part: &str) -> Diagnostic {
    new(
        "E0101",
        "an equation defines a name of its own block".to_owned(),
        span,
        format!("this would define a value inside `{part}`"),
    )
    .help(format!("write the equation in the block of `{part}`"))
}

pub(super) fn no_members(span: Span, name: &str, value: Span) -> Diagnostic {
    new(
        "E0101",
        format!("`{name}` is a value, and no value stands inside it"),
        span,
        "not declared".to_owned(),
    )
    .label(value, format!("`{name}` is declared here"))
}

pub(super) fn unknown_definition(
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
        (None, near) => one.did_you_mean(near.map(|(near, _)| near)),
    }
}

/// A value where a definition belongs: `f(x)`, `x -> f`.
pub(super) fn value_called(span: Span, name: &str, place: Span, index: Option<&str>) -> Diagnostic {
    let one = new("E0102", format!("no definition `{name}`"), span, "called here".to_owned())
        .label(place, format!("`{name}` is a value"));
    match index {
        Some(index) => one.help(format!("its entries are read in brackets: `{name}[{index}]`")),
        None => one.help(format!("multiply by it, `{name} * ...`, or call a definition")),
    }
}

pub(super) fn unknown_module(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
    let one = new("E0108", format!("no module `{name}`"), span, "imported here".to_owned());
    match nearest {
        Some(_) => one.did_you_mean(nearest),
        None => {
            one.help(format!("`use {name}` means std, or the file `{name}.ntm` beside this one"))
        }
    }
}

pub(super) fn not_in_module(
    span: Span,
    module: &str,
    name: &str,
    nearest: Option<&str>,
) -> Diagnostic {
    let message = format!("`{module}` has no definition `{name}`");
    new("E0102", message, span, "imported here".to_owned()).did_you_mean(nearest)
}

pub(super) fn ambiguous_definition(
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

pub(super) fn duplicate_definition(span: Span, name: &str, first: Span, free: &str) -> Diagnostic {
    new("E0109", format!("`{name}` is defined twice"), span, "and again here".to_owned())
        .label(first, "it is defined here")
        .help("rename one of them")
        .edit(span, free)
}

pub(super) fn unknown_argument(
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

pub(super) fn value_as_index(span: Span, name: &str, declared: Option<Span>) -> Diagnostic {
    let message = format!("`{name}` is a value and cannot also be an index");
    let one = new("E0105", message, span, "used as an index here".to_owned());
    let one = match declared {
        Some(place) => one.label(place, "the value"),
        None => one,
    };
    one.help("rename the index")
}

/// The same where a dim stands on the left, as in the declaration of a state.
pub(super) fn declared_without_state(one: Diagnostic, place: Span) -> Diagnostic {
    one.help("a declaration with dims begins with `state`, or rename the index")
        .edit(place, "state ")
}

pub(super) fn missing_argument(
    span: Span,
    def: &str,
    slot: &str,
    usual: Option<&str>,
) -> Diagnostic {
    let one = new("E0106", format!("`{def}` needs `{slot}`"), span, "not given here".to_owned());
    with_help(one, usual.map(|usual| format!("usually `{def}({usual})`")))
}

pub(super) fn too_many_arguments(span: Span, def: &str, takes: usize) -> Diagnostic {
    let takes = match takes {
        0 => "no argument".to_owned(),
        1 => "one argument".to_owned(),
        more => format!("{more} arguments"),
    };
    new("E0112", format!("`{def}` takes {takes}"), span, "one too many".to_owned())
        .help("remove the argument that is too many")
}

pub(super) fn part_as_value(span: Span, name: &str, value: Option<&str>) -> Diagnostic {
    let message = format!("`{name}` is a part, not a value");
    let one = new("E0111", message, span, "a value is expected here".to_owned());
    match value {
        Some(value) => one
            .help(format!("name one of its values: `{name}.{value}`"))
            .edit(span.after(), format!(".{value}")),
        None => one,
    }
}

/// `likely` is the first argument that may only be given by name.
pub(super) fn by_name_only(span: Span, def: &str, likely: Option<&str>) -> Diagnostic {
    let one = new(
        "E0107",
        format!("`{def}` gets more arguments by position than it has plain ones"),
        span,
        "one too many".to_owned(),
    )
    .help("an `emit`, `param` or `state` argument is given by name");
    match likely {
        Some(likely) => one.edit(span.before(), format!("{likely} = ")),
        None => one,
    }
}

pub(super) fn argument_twice(span: Span, def: &str, name: &str) -> Diagnostic {
    new("E0110", format!("`{def}` gets `{name}` twice"), span, "the second time".to_owned())
        .help("remove one of them")
}

// ---- indices and shapes -----------------------------------------------------------------------

pub(super) fn unbound_index(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
    let message = format!("index `{name}` is not bound");
    let label = "on the left of no `=`, in no `sum` or `for`".to_owned();
    let one = new("E0201", message, span, label);
    match nearest {
        Some(near) => one
            .help(format!("did you mean `{near}`? or bind it: `sum[{name}] ...`"))
            .edit(span, near),
        None => one.help(format!("bind it: `sum[{name}] ...`, or name it on the left")),
    }
}

pub(super) fn two_dims(
    span: Span,
    name: &str,
    here: (&str, &str),
    first: (Span, &str),
    nearest: Option<&str>,
) -> Diagnostic {
    let message = format!("index `{name}` stands for two different dims");
    new("E0202", message, span, format!("here `{name}` runs over {}, {}", here.0, here.1))
        .label(first.0, format!("here `{name}` runs over {}", first.1))
        .help("each dim has an index of its own")
        .did_you_mean(nearest)
}

pub(super) fn unseen_range(span: Span, name: &str) -> Diagnostic {
    new(
        "E0203",
        format!("the range of `{name}` cannot be seen"),
        span,
        "it never stands alone as an index".to_owned(),
    )
    .help(format!("give it: `{name} in N`, or `{name} in -range..range`"))
}

pub(super) fn outside(span: Span, index: &str, below: bool, axis: &str, size: &str) -> Diagnostic {
    let message = if below {
        format!("the index `{index}` can be below the first entry of {axis}")
    } else {
        format!("the index `{index}` can be past the last entry of {axis}")
    };
    let whole = if index.contains(' ') { format!("({index})") } else { index.to_owned() };
    let help = format!(
        "wrap it `{whole} mod {size}`, give a default `{index} else 0`, or guard it with `if`"
    );
    new("E0204", message, span, "cannot be proved to stay inside".to_owned()).help(help)
}

/// The same for an index that takes no default.
pub(super) fn outside_wrapped(one: Diagnostic, span: Span, index: &str, size: &str) -> Diagnostic {
    let whole = if index.contains(' ') { format!("({index})") } else { index.to_owned() };
    let wrapped = format!("{whole} mod {size}");
    one.help(format!("wrap it `{wrapped}`, or guard it with `if`")).edit(span, wrapped)
}

/// A whole number computed at run time where an index is wanted.
pub(super) fn whole_outside(span: Span, text: &str, below: bool, size: &str) -> Diagnostic {
    let end = if below { "be negative".to_owned() } else { format!("reach {size}") };
    let message = format!("`{text}` may {end}, so it is no index below {size}");
    let inside = format!("clip({text}, 0, {size} - 1)");
    new("E0204", message, span, "cannot be proved to stay inside".to_owned())
        .help(format!("keep it inside: `{inside}`"))
        .edit(span, inside)
}

pub(super) fn shapes_differ(span: Span, left: (Span, &str), right: (Span, &str)) -> Diagnostic {
    let message =
        format!("shapes {} and {} do not match, and nothing is broadcast", left.1, right.1);
    new("E0205", message, span, "these two".to_owned())
        .label(left.0, left.1.to_owned())
        .label(right.0, right.1.to_owned())
        .help("name the axes with indices")
}

/// `declared` is where the wanted shape was written or found.
pub(super) fn wrong_shape(
    span: Span,
    what: &str,
    wanted: &str,
    found: &str,
    declared: Option<Span>,
) -> Diagnostic {
    let message = format!("{what} has shape {wanted}, and this is {found}");
    let one = if swapped(wanted, found) {
        new("E0208", message, span, found.to_owned()).help(BY_NAME)
    } else {
        new("E0205", message, span, found.to_owned())
            .help("nothing is broadcast: name the axes with indices or `for`")
    };
    match declared {
        Some(place) => one.label(place, wanted.to_owned()),
        None => one,
    }
}

const BY_NAME: &str = "dims are compared by name, never by value: name the axes";

/// Whether two shapes have the same axes in another order.
fn swapped(wanted: &str, found: &str) -> bool {
    let sorted = |shape: &str| {
        let mut axes: Vec<String> =
            shape.trim_matches(['[', ']']).split(", ").map(str::to_owned).collect();
        axes.sort();
        axes
    };
    wanted != found && sorted(wanted) == sorted(found)
}

pub(super) fn argument_shape(
    span: Span,
    argument: &str,
    wanted: &str,
    found: &str,
    declared: Span,
) -> Diagnostic {
    let code = if swapped(wanted, found) { "E0208" } else { "E0205" };
    new(
        code,
        format!("argument `{argument}`: expected {wanted}, found {found}"),
        span,
        format!("this is {found}"),
    )
    .label(declared, format!("`{argument}` is declared here"))
    .help(BY_NAME)
}

pub(super) fn too_many_indices(span: Span, what: &str, axes: usize, given: usize) -> Diagnostic {
    let axes = match axes {
        0 => "no axis".to_owned(),
        1 => "one axis".to_owned(),
        more => format!("{more} axes"),
    };
    let given = if given == 1 { "an index".to_owned() } else { format!("{given} indices") };
    new("E0206", format!("{what} has {axes} and gets {given}"), span, "too many".to_owned())
        .help("remove the index that is too many")
}

pub(super) fn too_many_dims(span: Span, def: &str, takes: usize, given: usize) -> Diagnostic {
    let takes = match takes {
        0 => "no dim".to_owned(),
        1 => "one dim".to_owned(),
        more => format!("{more} dims"),
    };
    let message = format!("`{def}` takes {takes} in brackets and gets {given}");
    new("E0206", message, span, "too many".to_owned()).help("remove the dim that is too many")
}

pub(super) fn nothing_elsewhere(span: Span) -> Diagnostic {
    new(
        "E0217",
        "`elsewhere` has nothing to fill".to_owned(),
        span,
        "every entry is written".to_owned(),
    )
    .help("leave `elsewhere` out, or write at computed places: `M[P[j], c] = ..`")
}

pub(super) fn not_one_to_one(span: Span) -> Diagnostic {
    new(
        "E0207",
        "the left side may name a slot twice, or never".to_owned(),
        span,
        "not a permutation of a bare index".to_owned(),
    )
    .help("sum over it: every entry gets the sum of what names it")
}

pub(super) fn size_not_inferred(span: Span, def: &str, dim: &str) -> Diagnostic {
    new(
        "E0209",
        format!("the size {dim} of `{def}` cannot be inferred"),
        span,
        "called here".to_owned(),
    )
    .help(format!("give it: `{def}[{dim}](...)`"))
}

/// An instance whose arguments look back at its own state.
pub(super) fn own_size_not_inferred(span: Span, instance: &str, value: &str) -> Diagnostic {
    new(
        "E0209",
        format!("the size of `{instance}.{value}` is not known before the arguments are"),
        span,
        format!("`{instance}` looks back at itself"),
    )
    .help("call a definition that takes its sizes in brackets, as `lstm[H](...)` does")
}

pub(super) fn needs_array(span: Span, function: &str) -> Diagnostic {
    new(
        "E0210",
        format!("`{function}` takes a whole axis, and this is one number"),
        span,
        "a single number".to_owned(),
    )
    .help(format!("`{function}(for i: ...)` builds the array"))
}

pub(super) fn ragged(span: Span, part: &str) -> Diagnostic {
    new(
        "E0211",
        format!("the members of `{part}` differ in shape"),
        span,
        "used as one array here".to_owned(),
    )
    .help("use a member, or join them with `cat`")
    .edit(span.before(), "cat(")
    .edit(span.after(), ")")
}

pub(super) fn tied_differ(
    span: Span,
    part: &str,
    weight: &str,
    one: &[u32],
    other: &[u32],
) -> Diagnostic {
    new(
        "E0211",
        format!("the members of `{part}` cannot share `{weight}`: {one:?} and {other:?}"),
        span,
        "weights of different shapes are tied here".to_owned(),
    )
    .help("give every member inputs of one size, or tie only those that have it")
}

pub(super) fn not_a_whole_number(span: Span, what: &str) -> Diagnostic {
    new(
        "E0212",
        format!("{what} must be a whole number known when the model is built"),
        span,
        "this is not".to_owned(),
    )
    .help("use dims, `int` parameters and indices only")
}

/// A size written with a point or exponent: `whole` is how it is written.
pub(super) fn written_as_a_real(span: Span, whole: &str) -> Diagnostic {
    new(
        "E0212",
        "a size is written without a point or exponent".to_owned(),
        span,
        "this is a real number".to_owned(),
    )
    .help(format!("write `{whole}`"))
    .edit(span, whole)
}

pub(super) fn not_affine(span: Span) -> Diagnostic {
    new(
        "E0213",
        "an index may add and scale index variables, not multiply them".to_owned(),
        span,
        "a product of indices".to_owned(),
    )
    .help("split the axis in two, one for each index")
}

pub(super) fn not_an_index(span: Span) -> Diagnostic {
    new("E0214", "an index is a whole number".to_owned(), span, "this is not".to_owned())
        .help("use an index variable, a number, or values of sort `index(N)`")
}

pub(super) fn whole_needs_axes(span: Span, function: &str, axes: usize) -> Diagnostic {
    let message = format!("`{function}` orders one axis, and this has {axes}");
    new("E0215", message, span, "too many axes".to_owned())
        .help(format!("one row at a time: `{function}(x[i])`"))
}

pub(super) fn wrong_sort(span: Span, wanted: &str, found: &str) -> Diagnostic {
    new("E0216", format!("expected {wanted}, found {found}"), span, found.to_owned())
        .help("`if`, `and`, `or`, `not` take conditions; arithmetic takes numbers")
}

// ---- time -------------------------------------------------------------------------------------

pub(super) fn no_start(span: Span, name: &str, start: &str) -> Diagnostic {
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
pub(super) fn prev_of_value(span: Span, name: &str, place: Span, state: &str) -> Diagnostic {
    new("E0302", format!("`{name}` has no previous value"), span, "one step ago of this".to_owned())
        .label(place, "it is computed afresh each step")
        .help(format!("declare {state} to carry `{name}` from step to step"))
}

pub(super) fn prev_of_call(span: Span, name: &str) -> Diagnostic {
    let message = format!("the call of `{name}` has no previous value");
    new("E0302", message, span, "one step ago of this".to_owned()).help(format!(
        "read back what it is called with, or name its value: `part a = {name}(...)`"
    ))
}

pub(super) fn never_updated(span: Span, name: &str) -> Diagnostic {
    new(
        "E0303",
        format!("`{name}` never gets a next value"),
        span,
        "a state without an equation".to_owned(),
    )
    .help(format!("write `{name} = prev {name}` if it is meant to stay"))
}

/// The same for a state whose equation has nearly its name.
pub(super) fn misspelt_state(one: Diagnostic, word: Span, name: &str, place: Span) -> Diagnostic {
    one.label(place, format!("`{name}` is defined here"))
        .help(format!("did you mean `{name}`?"))
        .edit(word, name)
}

/// The first place is a state if there is one among them.
///
/// `reads` are the places where that state is read and could be read one step ago.
pub(super) fn cycle(places: &[(String, Span)], state: bool, reads: &[Span]) -> Diagnostic {
    let (name, span) = &places[0];
    let names: Vec<String> = places.iter().map(|(name, _)| format!("`{name}`")).collect();
    let message = format!(
        "these values need each other within one step: {} -> {}",
        names.join(" -> "),
        names[0]
    );
    let mut one = new("E0304", message, *span, format!("`{name}` needs the next"));
    for (name, span) in &places[1..] {
        one = one.label(*span, format!("`{name}`"));
    }
    // A dotted name belongs to an instance or a part: no state of that name can be written here.
    let help = match (state, name.contains('.')) {
        (true, _) => format!("one of them should look back one step: `prev {name}`"),
        (false, false) => {
            format!("one of them should look back one step: `prev {name}`, with `state {name}`")
        }
        (false, true) => "one of them should look back one step, at `prev` of a state".to_owned(),
    };
    one.help(help).edits(reads.iter().map(|read| Edit::new(read.before(), "prev ")))
}

/// `word` is the name where it is defined again, and `free` one that nothing has.
pub(super) fn defined_twice(
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
pub(super) fn declared_without_word(span: Span, name: &str, equation: Span) -> Diagnostic {
    let label = "this reads like the declaration of a state".to_owned();
    new("E0305", format!("`{name}` is defined twice"), span, label)
        .label(equation, "its equation is here")
        .help("a declaration begins with `state`")
        .edit(span.before(), "state ")
}

pub(super) fn later_member(span: Span, part: &str) -> Diagnostic {
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

pub(super) fn only_at_a_step(span: Span, name: &str) -> Diagnostic {
    new(
        "E0307",
        format!("`{name}` exists only at a step"),
        span,
        "used before the first step".to_owned(),
    )
    .help("a start is made of numbers, dims, params and `learned`")
}

pub(super) fn start_word(span: Span, name: &str) -> Diagnostic {
    let example = if name == "one_hot" { "one_hot(0)" } else { name };
    new(
        "E0308",
        format!("`{name}` is a start"),
        span,
        "not the start of a state or param".to_owned(),
    )
    .help(format!("write it where something starts: `state s[N] = {example}`"))
}

pub(super) fn result_missing(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
    new("E0309", format!("the result `{name}` is never defined"), span, "the result".to_owned())
        .help(format!("add an equation `{name} = ...` or `emit {name}[..] from ...`"))
        .did_you_mean(nearest)
}

pub(super) fn result_is_an_argument(span: Span, name: &str, argument: Span) -> Diagnostic {
    let message = format!("the result `{name}` is an argument, so nothing is computed");
    new("E0309", message, span, "the result".to_owned())
        .label(argument, "the argument of that name")
        .help("give the result a name of its own, and an equation")
}

pub(super) fn needs_itself(span: Span, name: &str) -> Diagnostic {
    new(
        "E0304",
        format!("the shape of `{name}` depends on itself"),
        span,
        "its equation needs its own value".to_owned(),
    )
    .help(format!("declare its shape: `state {name}[N] = 0`, and use `prev {name}`"))
}

pub(super) fn draw_inside(span: Span) -> Diagnostic {
    new(
        "E0310",
        "a draw is a whole start, not a part of one".to_owned(),
        span,
        "drawn inside an expression".to_owned(),
    )
    .help("draw a state of its own, `state d[N] = normal(0.1)` with `d = prev d`, and read that")
}

// ---- domains and instances --------------------------------------------------------------------

pub(super) fn outside_domain(
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
pub(super) fn bad_start(
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

pub(super) fn not_emittable(span: Span, domain: &str) -> Diagnostic {
    let article = if domain.starts_with(['i', 'u']) { "an" } else { "a" };
    let help = match domain {
        "weighting" => "emit a `simplex` and multiply by an emitted `unit`",
        _ => "emit numbers and order or compare them",
    };
    let message = format!("{article} `{domain}` cannot be emitted");
    let one = new("E0404", message, span, "no map leads into it".to_owned()).help(help);
    if domain == "weighting" { one.edit(span, "simplex") } else { one }
}

pub(super) fn unknown_domain(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
    let one = new("E0405", format!("no domain `{name}`"), span, "unknown".to_owned());
    let all = "real, unit, signed, positive, simplex, weighting, sphere, index, int, bool";
    one.help(format!("the domains are {all}")).did_you_mean(nearest)
}

pub(super) fn bad_bounds(span: Span, right: Option<String>) -> Diagnostic {
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

pub(super) fn no_controller(span: Span, name: &str) -> Diagnostic {
    new(
        "E0501",
        format!("nothing to emit from: no controller encloses `{name}`"),
        span,
        "emitted here".to_owned(),
    )
    .help("add `controller h = lstm[H](...)`, or `from z`")
}

pub(super) fn shared_emission(span: Span, def: &str, index: &str, dim: &str) -> Diagnostic {
    new(
        "E0502",
        format!("`{def}` emits, so all `{index}` would share one emission"),
        span,
        format!("called under the index `{index}`"),
    )
    .help(format!("make a family: `part each[{index}: {dim}] {{ ... }}`"))
}

pub(super) fn state_under_index(span: Span, def: &str, index: &str, dim: &str) -> Diagnostic {
    new(
        "E0503",
        format!("`{def}` keeps state and cannot stand under the index `{index}`"),
        span,
        "called here".to_owned(),
    )
    .help(format!("make a family: `part each[{index}: {dim}] {{ ... {def}(...) }}`"))
}

/// `through` are the definitions between the two calls.
pub(super) fn recursion(span: Span, name: &str, through: &[String]) -> Diagnostic {
    let through: Vec<String> = through.iter().map(|one| format!("`{one}`")).collect();
    let message = match &through[..] {
        [] => format!("`{name}` calls itself"),
        between => format!("`{name}` calls itself through {}", between.join(" and ")),
    };
    new("E0504", message, span, "through this call".to_owned())
        .help("definitions cannot be recursive; repeat with a family")
}

pub(super) fn two_owning_calls(span: Span, def: &str, first: Span) -> Diagnostic {
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
pub(super) fn two_controllers(span: Span, first: Span, word: Span) -> Diagnostic {
    new("E0507", "two controllers in one block".to_owned(), span, "the second".to_owned())
        .label(first, "the first")
        .help("nothing is emitted from the second if it is a plain equation")
        .edit(word, "")
}

pub(super) fn not_a_stage(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
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
pub(super) fn joint_stage(span: Span, name: &str) -> Diagnostic {
    new(
        "E0508",
        format!("`{name}` cannot stand here: only a function of each number can"),
        span,
        "it is one of a whole vector".to_owned(),
    )
    .help("emit raw numbers, apply it to all of them joined, and cut what comes out")
}

pub(super) fn not_callable(span: Span, name: &str) -> Diagnostic {
    new("E0509", format!("`{name}` is not a call"), span, "expected a call".to_owned())
        .help(format!("write `{name}(...)`"))
}

/// The same for a size or switch, which has nothing inside it.
pub(super) fn no_parts(span: Span, name: &str, rest: Span) -> Diagnostic {
    new("E0509", format!("`{name}` is a number and has no parts"), span, "a number".to_owned())
        .help(format!("write `{name}`"))
        .edit(rest, "")
}

pub(super) fn param_argument(span: Span, name: &str) -> Diagnostic {
    new(
        "E0510",
        format!("`{name}` is a param and can only be given a param"),
        span,
        "not a param".to_owned(),
    )
    .help("pass a declared `param`, or leave it out: then the call has its own")
}

// ---- models, tasks, command line -----------------------------------------------------------------

pub(super) fn output_does_not_fit(span: Span, wanted: &str, found: &str) -> Diagnostic {
    new(
        "E0603",
        format!("the task wants {wanted}, the model defines {found}"),
        span,
        "the model's result".to_owned(),
    )
    .help("leave the domain of the result to the task")
}

pub(super) fn port_size(span: Span, port: &str, wanted: u32, found: u32) -> Diagnostic {
    new(
        "E0603",
        format!("the task wants {port} of {wanted} numbers, the model defines {found}"),
        span,
        format!("{found} numbers"),
    )
    .help("leave the size to the task: a dim of the signature that has no default")
}

pub(super) fn requirement_failed(
    span: Span,
    text: &str,
    fact: &str,
    call: Option<Span>,
) -> Diagnostic {
    let one = new("E0604", text.to_owned(), span, format!("{fact} is false"));
    match call {
        Some(call) => one.label(call, "for this call"),
        None => one,
    }
    .help("change the sizes, or the argument")
}

pub(super) fn size_unknown(span: Span, dim: &str) -> Diagnostic {
    new(
        "E0610",
        format!("the size {dim} is not known"),
        span,
        "neither a default nor a task binds it".to_owned(),
    )
    .help(format!("give it: `--set {dim}=8`, a default `{dim} = 8`, or a `train` block"))
    .edit(span.after(), " = 8")
}

pub(super) fn size_not_positive(span: Span, dim: &str, value: i64) -> Diagnostic {
    new(
        "E0611",
        format!("{dim} is {value}, and a size is at least 1"),
        span,
        "too small".to_owned(),
    )
    .help("choose a larger size")
}

pub(super) fn too_large(span: Span, what: &str, size: &str) -> Diagnostic {
    new("E0690", format!("{what} is too large: {size}"), span, "beyond the limit".to_owned())
        .help("choose smaller sizes")
}

pub(super) fn no_loss(span: Span, domain: &str) -> Diagnostic {
    new(
        "E0614",
        format!("no loss in std for an output in {domain}"),
        span,
        "the model's result".to_owned(),
    )
    .help("leave the domain of the result to the task")
}

pub(super) fn unknown_optimiser(
    span: Span,
    name: &str,
    known: &str,
    nearest: Option<&str>,
) -> Diagnostic {
    new("E0615", format!("no optimizer `{name}`"), span, "unknown".to_owned())
        .help(format!("std.optim has {known}"))
        .did_you_mean(nearest)
}

pub(super) fn task_inputs(span: Span, model: &str) -> Diagnostic {
    new(
        "E0616",
        format!("`{model}` cannot train: a task gives one vector in and wants one vector out"),
        span,
        "the model's signature".to_owned(),
    )
    .help("write `model name(x[X]) -> y[Y]`")
}
