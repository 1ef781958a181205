//! Expressions that do not fit on their line.
//!
//! Operators break before the loosest of them, all or none, the operator leading under the `=`;
//! arguments fill lines under the first. What cannot break stays too long.

use super::WIDTH;
use super::flat::*;
use crate::syntax::ast::*;

/// The columns an expression has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Where its first line starts.
    pub(super) first: usize,
    /// Where an operator of a later line starts.
    pub(super) indent: usize,
    /// Columns that must stay free behind its end.
    pub(super) rest: usize,
}

impl Room {
    /// Room for something that starts at `first`, with later lines right below.
    pub(super) fn at(first: usize, rest: usize) -> Room {
        Room { first, indent: first, rest }
    }

    /// Columns for a text of one line.
    fn columns(self) -> usize {
        WIDTH.saturating_sub(self.first + self.rest)
    }
}

/// Columns of a text of one line.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// A new line that starts at a column.
fn line(indent: usize) -> String {
    format!("\n{:indent$}", "")
}

/// Columns of the last line of `text`, which began at column `first`.
pub(super) fn last_column(text: &str, first: usize) -> usize {
    match text.rsplit_once('\n') {
        Some((_, last)) => width(last),
        None => first + width(text),
    }
}

/// An expression, broken if it must be.
pub(super) fn lay(expr: &Expr, room: Room) -> String {
    lay_at(expr, LOOSE, room)
}

fn lay_at(expr: &Expr, at: Slotted, room: Room) -> String {
    if let Some(one_line) = flat_within(expr, at, room.columns()) {
        return one_line;
    }
    if needs_parentheses(expr, at) {
        return lay_inside("(", expr, room);
    }
    match &expr.kind {
        ExprKind::Number(..) | ExprKind::Text(_) => flat_at(expr, at),
        ExprKind::Pipe(..) => lay_pipe(expr, room),
        ExprKind::If(condition, yes, no) => lay_if(condition, yes, no, room),
        ExprKind::For(binders, body) => {
            let head = format!("for {}: ", flat_binders(binders));
            let first = room.first + width(&head);
            format!("{head}{}", lay(body, Room { first, indent: first, ..room }))
        }
        ExprKind::Binary(op, ..) => lay_chain(expr, operator_level(*op), at, room),
        ExprKind::Unary(op, inner) => {
            let first = room.first + prefix(*op).len();
            let room = Room { first, indent: first, ..room };
            format!("{}{}", prefix(*op), lay_at(inner, signed(*op, at), room))
        }
        ExprKind::Reduce(which, binders, body) => {
            let head = format!("{}[{}] ", reduction(*which), flat_binders(binders));
            let first = room.first + width(&head);
            format!("{head}{}", lay_at(body, TERM, Room { first, indent: first, ..room }))
        }
        ExprKind::Prev(name) => {
            format!("prev {}", lay_ref(name, Room { first: room.first + 5, ..room }))
        }
        ExprKind::Ref(name) => lay_ref(name, room),
        ExprKind::Paren(inner) => lay_inside("(", inner, room),
        ExprKind::List(items) => {
            let items: Vec<Item<'_>> = items.iter().map(Item::Arg).collect();
            format!("[{}]", fill(&items, room.first + 1, room.rest + 1))
        }
    }
}

fn lay_inside(open: &str, inner: &Expr, room: Room) -> String {
    format!("{open}{})", lay(inner, Room::at(room.first + 1, room.rest + 1)))
}

/// `if` over three lines; a further `if` after `else` goes on at the same column.
fn lay_if(condition: &Expr, yes: &Expr, no: &Expr, room: Room) -> String {
    let below = |word: usize| room.indent + word;
    let condition = lay(condition, Room::at(room.first + 3, 0));
    let yes = lay(yes, Room::at(below(5), 0));
    let indent = if matches!(no.kind, ExprKind::If(..)) { room.indent } else { below(5) };
    let no = lay(no, Room { first: below(5), indent, rest: room.rest });
    let line = line(room.indent);
    format!("if {condition}{line}then {yes}{line}else {no}")
}

/// Pipes break before every `->` or before none.
fn lay_pipe(expr: &Expr, room: Room) -> String {
    let mut stages = Vec::new();
    let mut left = expr;
    while let ExprKind::Pipe(inner, stage) = &left.kind {
        stages.push(stage);
        left = inner;
    }
    let mut out = lay_at(left, CHAIN, Room { rest: 0, ..room });
    for (place, stage) in stages.iter().enumerate().rev() {
        let rest = if place == 0 { room.rest } else { 0 };
        let stage = lay_ref(stage, Room::at(room.indent + 3, rest));
        out += &format!("{}-> {stage}", line(room.indent));
    }
    out
}

/// A chain of operators of one level breaks before each of them.
fn lay_chain(expr: &Expr, level: u8, at: Slotted, room: Room) -> String {
    let mut rights = Vec::new();
    let mut left = expr;
    let mut here = at;
    while let ExprKind::Binary(op, inner, right) = &left.kind {
        if operator_level(*op) != level || (!rights.is_empty() && needs_parentheses(left, here)) {
            break;
        }
        let (before, after) = sides(*op, here);
        rights.push((*op, right, after));
        (left, here) = (inner, before);
    }
    let mut out = lay_at(left, here, Room { indent: room.first, rest: 0, ..room });
    for (place, (op, right, slotted)) in rights.iter().enumerate().rev() {
        let rest = if place == 0 { room.rest } else { 0 };
        let first = room.indent + op.sign().len() + 1;
        let right = lay_at(right, *slotted, Room::at(first, rest));
        out += &format!("{}{} {right}", line(room.indent), op.sign());
    }
    out
}

/// A reference breaks in its last arguments, or else in its last brackets.
fn lay_ref(name: &Ref, room: Room) -> String {
    if let Some(one_line) = flat_ref_within(name, room.columns()) {
        return one_line;
    }
    let has = |args: &Option<Vec<Arg>>| args.as_ref().is_some_and(|args| !args.is_empty());
    let with_args = name.segments.iter().rposition(|one| has(&one.args));
    let with_any = with_args.or_else(|| name.segments.iter().rposition(|one| has(&one.brackets)));
    let Some(place) = with_any else { return flat_ref(name) };
    let segment = &name.segments[place];
    let joined = |segments: &[Segment]| segments.iter().map(flat_segment).collect::<Vec<_>>();
    let mut before = joined(&name.segments[..place]);
    let mut after = joined(&name.segments[place + 1..]);
    let bare = |name, brackets| Segment { name, brackets, args: None, after: None };
    let (open, close, items) = if with_args.is_some() {
        before.push(flat_segment(&bare(segment.name.clone(), segment.brackets.clone())));
        ("(", ")", &segment.args)
    } else {
        before.push(segment.name.text.clone());
        ("[", "]", &segment.brackets)
    };
    // What stands behind the broken bracket, printed as a segment without a name.
    let name = Name { text: String::new(), ..segment.name.clone() };
    let args = if with_args.is_some() { None } else { segment.args.clone() };
    let tail = Segment { args, after: segment.after.clone(), ..bare(name, None) };
    after.insert(0, flat_segment(&tail));
    let (before, after) = (format!("{}{open}", before.join(".")), after.join("."));
    let items: Vec<Item<'_>> = items.iter().flatten().map(Item::Arg).collect();
    let first = room.first + width(&before);
    format!("{before}{}{close}{after}", fill(&items, first, width(&after) + 1 + room.rest))
}

/// One of several things with commas between them.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    /// An argument, index or element.
    Arg(&'a Arg),
    /// A declared value.
    Slot(&'a Slot),
    /// A parameter.
    Param(&'a Param),
    /// An expression.
    Expr(&'a Expr),
    /// A dim of a definition.
    Generic(&'a Generic),
    /// A name.
    Name(&'a Name),
}

/// The word before a parameter, with its blank.
fn role(role: Role) -> &'static str {
    match role {
        Role::Plain => "",
        Role::Emit => "emit ",
        Role::Param => "param ",
        Role::State => "state ",
    }
}

impl Item<'_> {
    /// Its columns on one line, if there are no more than that many.
    fn width_within(self, columns: usize) -> Option<usize> {
        let flat = match self {
            Item::Arg(arg) => flat_arg_within(arg, columns)?,
            Item::Slot(slot) => flat_slot_within(slot, columns)?,
            Item::Param(param) => {
                let word = role(param.role);
                let columns = columns.checked_sub(word.len())?;
                return Some(word.len() + width(&flat_slot_within(&param.slot, columns)?));
            }
            Item::Expr(expr) => flat_within(expr, LOOSE, columns)?,
            Item::Generic(generic) => flat_generic(generic),
            Item::Name(name) => name.text.clone(),
        };
        Some(width(&flat)).filter(|width| *width <= columns)
    }

    fn lay(self, room: Room) -> String {
        match self {
            Item::Arg(arg) => lay_arg(arg, room),
            Item::Slot(slot) => lay_slot("", slot, room),
            Item::Param(param) => lay_slot(role(param.role), &param.slot, room),
            Item::Expr(expr) => lay(expr, room),
            Item::Generic(generic) => flat_generic(generic),
            Item::Name(name) => name.text.clone(),
        }
    }
}

/// Items with commas, as many on a line as fit, later lines under the first. Where that lies beyond the end
/// of the line, they start at its middle: blanks would outgrow what is written.
pub(super) fn fill(items: &[Item<'_>], first: usize, rest: usize) -> String {
    let mut out = String::new();
    let mut column = first;
    let below = if first < WIDTH { first } else { WIDTH / 2 };
    for (place, item) in items.iter().enumerate() {
        let last = place + 1 == items.len();
        let after = if last { rest } else { 1 };
        let left = WIDTH.checked_sub(column + 1 + after);
        if place > 0 && left.and_then(|left| item.width_within(left)).is_none() {
            out += &line(below);
            column = below;
        } else if place > 0 {
            out.push(' ');
            column += 1;
        }
        let text = item.lay(Room::at(column, after));
        column = last_column(&text, column);
        out += &text;
        if !last {
            out.push(',');
            column += 1;
        }
    }
    out
}

/// An argument, broken in its value if it must be.
pub(super) fn lay_arg(arg: &Arg, room: Room) -> String {
    if arg.to.is_some() {
        return flat_arg(arg);
    }
    if let Some(one_line) = flat_arg_within(arg, room.columns()) {
        return one_line;
    }
    let head = arg.name.as_ref().map_or(String::new(), |name| format!("{} = ", name.text));
    let default = arg.default.as_ref().map_or(String::new(), |one| format!(" else {}", flat(one)));
    let first = room.first + width(&head);
    let rest = room.rest + width(&default);
    format!("{head}{}{default}", lay(&arg.value, Room::at(first, rest)))
}

fn lay_slot(word: &str, slot: &Slot, room: Room) -> String {
    let head = format!("{word}{}", flat_slot_head(slot));
    match &slot.value {
        None => head,
        Some(value) => {
            let indent = room.first + width(&head) + 1;
            let value = lay(value, Room { first: indent + 2, indent, rest: room.rest });
            format!("{head} = {value}")
        }
    }
}
