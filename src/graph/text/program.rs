//! The text form of programs: what is at the border, then each graph.
//!
//! In: a [`Program`]. Out: `param`, `input` and `state` lines, then a header and the lines of each
//! graph. Invariant: what was printed parses to an equal program.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::TextError;
use super::cursor::{Cursor, Fault};
use super::layout::{axis_names, kept_names};
use super::parse::{Reader, error, is_comment, ty};
use super::print::{declared, print, print_with};
use super::tokens::words;
use crate::graph::{Array, Path, Program, Type, Update, types};

/// The text form of a program.
#[must_use]
pub fn program_text(program: &Program) -> String {
    let mut text = String::new();
    arrays(&mut text, "param", &program.params);
    arrays(&mut text, "input", &program.inputs);
    arrays(&mut text, "state", &program.states);
    let axes = |root: &str| root_axes(program, root);
    let _ = write!(text, "\ngraph init\n{}", print_with(&program.init, &axes));
    let _ = write!(text, "\ngraph step\n{}", print_with(&program.step, &axes));
    if let Some(update) = &program.update {
        text.push('\n');
        arrays(&mut text, "update input", &update.inputs);
        arrays(&mut text, "update slot", &update.slots);
        let _ = write!(text, "\ngraph update init\n{}", print(&update.init));
        let _ = write!(text, "\ngraph update\n{}", print(&update.graph));
    }
    text
}

/// The axes of the array at the border that a root belongs to.
fn root_axes<'a>(program: &'a Program, root: &str) -> &'a [String] {
    let kinds = [
        ("start/", &program.states),
        ("next/", &program.states),
        ("grad/prev/", &program.states),
        ("grad/param/", &program.params),
        ("grad/input/", &program.inputs),
    ];
    let named = |(kind, arrays): &(&str, &'a Vec<Array>)| {
        let path = root.strip_prefix(kind)?;
        arrays.iter().find(|array| array.path.0 == path)
    };
    kinds.iter().find_map(named).map_or(&[], |array| &array.axes)
}

fn arrays(text: &mut String, kind: &str, arrays: &[Array]) {
    for (at, array) in arrays.iter().enumerate() {
        let axes = declared(&axis_names(&array.axes, array.sizes.len()), &array.sizes);
        let axes = if axes.is_empty() { axes } else { format!("[{axes}]") };
        let ty = match array.ty {
            Type::Real => String::new(),
            Type::Bool | Type::Int | Type::Index { .. } => format!(": {}", types::name(array.ty)),
        };
        let _ = writeln!(text, "{kind} {at} {}{axes}{ty}", quoted(&array.path.0));
    }
}

/// A name as it stands at the start of a line: in quotes if it could be taken for something else.
pub(super) fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./[]'#".contains(c);
    let simple =
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(plain);
    if simple { name.to_owned() } else { format!("{name:?}") }
}

/// The inverse of Rust's quoting, for text that starts with a quote; other text is itself.
pub(super) fn unquoted(text: &str) -> Result<String, String> {
    if !text.starts_with('"') {
        return Ok(text.to_owned());
    }
    // RON strings use the escapes that `{:?}` writes.
    ron::from_str(text).map_err(|_| format!("{text} is not a quoted name"))
}

/// One past the closing quote of a text that starts with a quoted name.
fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    let inside = text.strip_prefix('"')?;
    for (at, letter) in inside.char_indices() {
        match letter {
            '"' if !escaped => return Some(at + 2),
            _ => escaped = letter == '\\' && !escaped,
        }
    }
    None
}

/// Splits `name[i:8]` into the name and the axes, which hold a colon.
pub(super) fn name_and_axes(left: &str) -> Result<(String, &str), Fault> {
    let left = left.trim();
    let open = left.ends_with(']').then(|| left.rfind('[')).flatten();
    let open = open.filter(|at| left[*at..].contains(':')).unwrap_or(left.len());
    let open = quoted_end(left).unwrap_or(open);
    let (name, axes) = left.split_at(open);
    if name.trim().is_empty() {
        return Err((1, "expected a name".to_owned()));
    }
    Ok((unquoted(name.trim()).map_err(|text| (1, text))?, axes))
}

/// The parts of a program that lines belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Init,
    Step,
    UpdateInit,
    Update,
}

/// Reads a program from its text form; its graphs are verified.
///
/// # Errors
/// The first line that cannot be read, or whose node breaks a law.
pub fn parse_program(text: &str) -> Result<Program, TextError> {
    let mut program = Program::default();
    let mut update: Option<Update> = None;
    let mut readers: BTreeMap<Section, Reader> = BTreeMap::new();
    let mut section = None;
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if is_comment(line) {
            continue;
        }
        if let Some(found) = header(line) {
            section = Some(found);
            readers.entry(found).or_default();
            if found == Section::Update || found == Section::UpdateInit {
                update.get_or_insert_default();
            }
        } else if let Some((kind, rest)) = array_line(line) {
            let place = match kind {
                Kind::Param => &mut program.params,
                Kind::Input => &mut program.inputs,
                Kind::State => &mut program.states,
                Kind::UpdateInput => &mut update.get_or_insert_default().inputs,
                Kind::UpdateSlot => &mut update.get_or_insert_default().slots,
            };
            let array = array(rest, place.len()).map_err(|fault| error(number, fault))?;
            place.push(array);
        } else if let Some(reader) = section.and_then(|section| readers.get_mut(&section)) {
            reader.line(number, line)?;
        } else {
            let message = "expected `param`, `input`, `state` or `graph`".to_owned();
            return Err(error(number, (1, message)));
        }
    }
    for (section, reader) in readers {
        let graph = reader.finish()?;
        match (section, &mut update) {
            (Section::Init, _) => program.init = graph,
            (Section::Step, _) => program.step = graph,
            (Section::UpdateInit, Some(update)) => update.init = graph,
            (Section::Update, Some(update)) => update.graph = graph,
            (Section::UpdateInit | Section::Update, None) => {}
        }
    }
    program.update = update;
    Ok(program)
}

fn header(line: &str) -> Option<Section> {
    match line.trim() {
        "graph init" => Some(Section::Init),
        "graph step" => Some(Section::Step),
        "graph update init" => Some(Section::UpdateInit),
        "graph update" => Some(Section::Update),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Param,
    Input,
    State,
    UpdateInput,
    UpdateSlot,
}

/// A line such as `param 0 weight[i:8]`; roots of such a name have no number behind it.
fn array_line(line: &str) -> Option<(Kind, &str)> {
    let kinds = [
        ("param ", Kind::Param),
        ("input ", Kind::Input),
        ("state ", Kind::State),
        ("update input ", Kind::UpdateInput),
        ("update slot ", Kind::UpdateSlot),
    ];
    let array = |(word, kind): &(&str, Kind)| {
        let rest = line.trim().strip_prefix(word)?;
        rest.starts_with(|c: char| c.is_ascii_digit()).then_some((*kind, rest))
    };
    kinds.iter().find_map(array)
}

fn array(rest: &str, expected: usize) -> Result<Array, Fault> {
    let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    if number.parse() != Ok(expected) {
        return Err((1, format!("expected number {expected}, found `{number}`")));
    }
    // The type stands after the last `: `; sizes stand after a colon without a space.
    let behind =
        quoted_end(rest.trim_start()).map_or(0, |end| rest.len() - rest.trim_start().len() + end);
    let (left, kind) = match rest[behind..].rfind(": ") {
        Some(at) => (&rest[..behind + at], Some(&rest[behind + at + 2..])),
        None => (rest, None),
    };
    let (name, axes) = name_and_axes(left)?;
    let none = BTreeMap::new();
    let list = words(axes, 1)?;
    let mut cursor = Cursor::new(&list.words, list.end, &none);
    let mut sizes = Vec::new();
    if cursor.mark("[") {
        sizes = cursor.declared()?;
        cursor.require("]")?;
    }
    cursor.finish()?;
    let axes = kept_names(&cursor.axes);
    let mut array = Array { path: Path(name), sizes, axes, ty: Type::Real };
    if let Some(kind) = kind {
        let list = words(kind, 1)?;
        let mut cursor = Cursor::new(&list.words, list.end, &none);
        array.ty = ty(&mut cursor)?;
        cursor.finish()?;
    }
    Ok(array)
}
