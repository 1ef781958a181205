//! Indices and shapes.

use crate::diag::Diagnostic;
use crate::source::Span;

use super::new;

pub(in crate::model) fn unbound_index(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
    let message = format!("index `{name}` is not bound");
    let label = "on the left of no `=`, in no `sum` or `for`".to_owned();
    let one = new("E0201", message, span, label);
    match nearest {
        Some(near) => one
            .help(format!("did you mean `{near}`? or bind it: `sum[{name}] ...`"))
            .edit(span, near),
        None => one.help(format!("sum over it: `sum[{name}] ...`, or name it on the left")),
    }
}

/// `meant` is the left side with the index.
pub(in crate::model) fn unnamed_on_the_left(
    span: Span,
    name: &str,
    meant: &str,
    left: Span,
) -> Diagnostic {
    let message = format!("index `{name}` is not bound");
    let label = "on the left of no `=`, in no `sum` or `for`".to_owned();
    new("E0201", message, span, label)
        .label(left, format!("the left does not name `{name}`"))
        .help(format!("name it on the left: `{meant}`; or bind it: `sum[{name}] ...`"))
}

pub(in crate::model) fn two_dims(
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

/// `left` is the value on whose left side the index stands, where no range can be written.
pub(in crate::model) fn unseen_range(span: Span, name: &str, left: Option<&str>) -> Diagnostic {
    let one = new(
        "E0203",
        format!("the range of `{name}` cannot be seen"),
        span,
        "it never stands alone as an index".to_owned(),
    );
    match left {
        None => one.help(format!("give it: `{name} in N`, or `{name} in -range..range`")),
        Some(value) => one.help(format!(
            "give it on the right, where it can stand: `{value} = for {name} in N: ...`"
        )),
    }
}

/// An index that starts again behind the last entry: in brackets, unless it is a word or a number.
fn wrapped(index: &str, size: &str) -> String {
    let word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    if index.chars().all(word) {
        format!("{index} mod {size}")
    } else {
        format!("({index}) mod {size}")
    }
}

pub(in crate::model) fn outside(
    span: Span,
    index: &str,
    below: bool,
    axis: &str,
    size: &str,
) -> Diagnostic {
    let message = if below {
        format!("the index `{index}` can be below the first entry of {axis}")
    } else {
        format!("the index `{index}` can be past the last entry of {axis}")
    };
    let help = format!(
        "wrap it `{}`, give a default `{index} else 0`, or guard it with `if`",
        wrapped(index, size)
    );
    new("E0204", message, span, "cannot be proved to stay inside".to_owned()).help(help)
}

/// The same for a number.
pub(in crate::model) fn no_such_entry(one: Diagnostic, span: Span, last: &str) -> Diagnostic {
    one.help(format!("indices begin at 0, so the last is `{last}`")).edit(span, last)
}

/// The same for a number that counts from the end in other languages.
pub(in crate::model) fn from_the_end(one: Diagnostic, span: Span, meant: &str) -> Diagnostic {
    one.help(format!("indices begin at 0, and from the end this is `{meant}`")).edit(span, meant)
}

/// The same for a state indexed by time.
pub(in crate::model) fn time_as_index(one: Diagnostic, value: &str) -> Diagnostic {
    one.help(format!("time is no index: `prev {value}` is the value one step ago"))
}

/// The same for an array whose entries are shares of a whole.
pub(in crate::model) fn outside_round(
    one: Diagnostic,
    span: Span,
    index: &str,
    size: &str,
) -> Diagnostic {
    let wrapped = wrapped(index, size);
    one.help(format!(
        "wrap it `{wrapped}`, so that no weight is lost, or give a default `{index} else 0`"
    ))
    .edit(span, wrapped)
}

/// The same for an index that takes no default.
pub(in crate::model) fn outside_wrapped(
    one: Diagnostic,
    span: Span,
    index: &str,
    size: &str,
) -> Diagnostic {
    let wrapped = wrapped(index, size);
    one.help(format!("wrap it `{wrapped}`, or guard it with `if`")).edit(span, wrapped)
}

/// A whole number computed at run time where an index is wanted.
pub(in crate::model) fn whole_outside(
    span: Span,
    text: &str,
    below: bool,
    size: &str,
) -> Diagnostic {
    let end = if below { "be negative".to_owned() } else { format!("reach {size}") };
    let message = format!("`{text}` may {end}, so it is no index below {size}");
    let inside = format!("clip({text}, 0, {size} - 1)");
    new("E0204", message, span, "cannot be proved to stay inside".to_owned())
        .help(format!("keep it inside: `{inside}`"))
        .edit(span, inside)
}

pub(in crate::model) fn shapes_differ(
    span: Span,
    left: (Span, &str),
    right: (Span, &str),
) -> Diagnostic {
    let message =
        format!("shapes {} and {} do not match, and nothing is broadcast", left.1, right.1);
    new("E0205", message, span, "these two".to_owned())
        .label(left.0, left.1.to_owned())
        .label(right.0, right.1.to_owned())
        .help("name the axes with indices")
}

/// `declared` is where the wanted shape was written or found.
pub(in crate::model) fn wrong_shape(
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

/// The same for the result of a model, whose size the task binds.
pub(in crate::model) fn learned_map(one: Diagnostic, name: &str, shape: &str) -> Diagnostic {
    one.help(format!("the task says how large it is: `emit {name}{shape} from ...` learns a map"))
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

pub(in crate::model) fn argument_shape(
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

/// The same where the row at an index is meant.
pub(in crate::model) fn one_row(one: Diagnostic, row: &str) -> Diagnostic {
    one.help(format!("give one row of it: `{row}`"))
}

/// An index that nothing binds, of an array that is wanted whole.
pub(in crate::model) fn index_of_a_whole(span: Span, name: &str) -> Diagnostic {
    let label = "on the left of no `=`, in no `sum` or `for`".to_owned();
    new("E0201", format!("index `{name}` is not bound"), span, label)
        .help("leave it out: the whole array is wanted here")
}

/// The same where the declaration of an argument can be changed to `slot`.
pub(in crate::model) fn declared_with(one: Diagnostic, place: Span, slot: &str) -> Diagnostic {
    let told = one.others.iter().any(|label| label.span == place);
    let one = if told { one } else { one.label(place, "declared here") };
    one.help(format!("declare `{slot}`"))
}

/// Two arguments of a call, each with what it is for and its shape.
pub(in crate::model) fn swapped_arguments(
    def: &str,
    (first, for_first, found_first): (Span, &str, &str),
    (second, for_second, found_second): (Span, &str, &str),
) -> Diagnostic {
    let message = format!("two arguments of `{def}` are in each other's place");
    new("E0205", message, first, format!("this is {found_first}, for `{for_first}`"))
        .label(second, format!("this is {found_second}, for `{for_second}`"))
        .help("exchange them")
}

pub(in crate::model) fn too_many_indices(
    span: Span,
    what: &str,
    axes: usize,
    given: usize,
) -> Diagnostic {
    let axes = match axes {
        0 => "no axis".to_owned(),
        1 => "one axis".to_owned(),
        more => format!("{more} axes"),
    };
    let given = if given == 1 { "an index".to_owned() } else { format!("{given} indices") };
    new("E0206", format!("{what} has {axes} and gets {given}"), span, "too many".to_owned())
        .help("remove the index that is too many")
}

pub(in crate::model) fn too_many_dims(
    span: Span,
    def: &str,
    takes: usize,
    given: usize,
) -> Diagnostic {
    let takes = match takes {
        0 => "no dim".to_owned(),
        1 => "one dim".to_owned(),
        more => format!("{more} dims"),
    };
    let message = format!("`{def}` takes {takes} in brackets and gets {given}");
    new("E0206", message, span, "too many".to_owned()).help("remove the dim that is too many")
}

pub(in crate::model) fn nothing_elsewhere(span: Span) -> Diagnostic {
    new(
        "E0217",
        "`elsewhere` has nothing to fill".to_owned(),
        span,
        "every entry is written".to_owned(),
    )
    .help("leave `elsewhere` out, or write at computed places: `M[P[j], c] = ..`")
}

pub(in crate::model) fn not_one_to_one(span: Span) -> Diagnostic {
    new(
        "E0207",
        "the left side may name a slot twice, or never".to_owned(),
        span,
        "not a permutation of a bare index".to_owned(),
    )
    .help("sum over it: every entry gets the sum of what names it")
}

pub(in crate::model) fn size_not_inferred(span: Span, def: &str, dim: &str) -> Diagnostic {
    new(
        "E0209",
        format!("the size {dim} of `{def}` cannot be inferred"),
        span,
        "called here".to_owned(),
    )
    .help(format!("give it: `{def}[{dim}](...)`"))
}

/// An instance whose arguments look back at its own state.
pub(in crate::model) fn own_size_not_inferred(
    span: Span,
    instance: &str,
    value: &str,
) -> Diagnostic {
    new(
        "E0209",
        format!("the size of `{instance}.{value}` is not known before the arguments are"),
        span,
        format!("`{instance}` looks back at itself"),
    )
    .help("call a definition that takes its sizes in brackets, as `lstm[H](...)` does")
}

pub(in crate::model) fn needs_array(span: Span, function: &str) -> Diagnostic {
    new(
        "E0210",
        format!("`{function}` takes a whole axis, and this is one number"),
        span,
        "a single number".to_owned(),
    )
    .help(format!("`{function}(for i: ...)` builds the array"))
}

pub(in crate::model) fn ragged(span: Span, part: &str) -> Diagnostic {
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

pub(in crate::model) fn tied_differ(
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

pub(in crate::model) fn not_a_whole_number(span: Span, what: &str) -> Diagnostic {
    new(
        "E0212",
        format!("{what} must be a whole number known when the model is built"),
        span,
        "this is not".to_owned(),
    )
    .help("use dims, `int` parameters and indices only")
}

/// A size written with a point or exponent: `whole` is how it is written.
pub(in crate::model) fn written_as_a_real(span: Span, whole: &str) -> Diagnostic {
    new(
        "E0212",
        "a size is written without a point or exponent".to_owned(),
        span,
        "this is a real number".to_owned(),
    )
    .help(format!("write `{whole}`"))
    .edit(span, whole)
}

pub(in crate::model) fn not_affine(span: Span) -> Diagnostic {
    new(
        "E0213",
        "an index may add and scale index variables, not multiply them".to_owned(),
        span,
        "a product of indices".to_owned(),
    )
    .help("split the axis in two, one for each index")
}

pub(in crate::model) fn not_an_index(span: Span) -> Diagnostic {
    new("E0214", "an index is a whole number".to_owned(), span, "this is not".to_owned())
        .help("use an index variable, a number, or values of sort `index(N)`")
}

pub(in crate::model) fn whole_needs_axes(span: Span, function: &str, axes: usize) -> Diagnostic {
    let message = format!("`{function}` orders one axis, and this has {axes}");
    new("E0215", message, span, "too many axes".to_owned())
        .help(format!("one row at a time: `{function}(x[i])`"))
}

pub(in crate::model) fn wrong_sort(span: Span, wanted: &str, found: &str) -> Diagnostic {
    new("E0216", format!("expected {wanted}, found {found}"), span, found.to_owned())
        .help("`if`, `and`, `or`, `not` take conditions; arithmetic takes numbers")
}

/// The bound of a variable of a sum, `j < i * i`, that is no place.
pub(in crate::model) fn bound_is_no_place(span: Span) -> Diagnostic {
    let message = "expected a bound that adds and subtracts indices, found another number";
    new("E0216", message.to_owned(), span, "a number of its own".to_owned())
        .help("leave the bound out and choose inside the sum: `if j < i * i then v[j] else 0`")
}
