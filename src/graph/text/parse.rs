//! Text to graph.
//!
//! In: lines. Out: a verified graph, or the first fault with its place. Invariant: no text makes the
//! parser panic.

use std::collections::BTreeMap;

use super::TextError;
use super::cursor::{Cursor, Expr, Fault, Place};
use super::make::{Line, Right, make};
use super::tokens::{Token, words};
use crate::graph::{
    Access, Axis, Builder, Fold, Graph, Index, Leaf, NodeId, Origin, Path, Read, Toward, Type,
    verify,
};
use crate::op::{Opaque, scalar};

/// Reads a graph from its text form and verifies it.
///
/// # Errors
/// The first line that cannot be read, or whose node breaks a law.
pub fn parse(text: &str) -> Result<Graph, TextError> {
    let mut reader = Reader::default();
    for (at, line) in text.lines().enumerate() {
        if !is_comment(line) {
            reader.line(at + 1, line)?;
        }
    }
    reader.finish()
}

pub(super) fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with(';') || line.starts_with('#')
}

pub(super) fn error(line: usize, (column, message): Fault) -> TextError {
    TextError { line, column, message }
}

/// A graph as its lines come in.
#[derive(Default)]
pub(super) struct Reader {
    builder: Builder,
    ids: BTreeMap<String, NodeId>,
    /// The line of each node.
    lines: Vec<usize>,
    last: usize,
}

impl Reader {
    /// Reads one line that is no comment.
    pub(super) fn line(&mut self, number: usize, line: &str) -> Result<(), TextError> {
        self.last = number;
        let read =
            if line.trim_start().starts_with('%') { self.node(line) } else { self.root(line) };
        self.lines.resize(self.builder.graph().len(), number);
        read.map_err(|fault| error(number, fault))
    }

    /// The graph, verified.
    pub(super) fn finish(self) -> Result<Graph, TextError> {
        let graph = self.builder.finish();
        verify(&graph).map_err(|violation| {
            let line = self.lines.get(violation.node.0 as usize).copied().unwrap_or(self.last);
            let id = self.ids.iter().find(|(_, node)| **node == violation.node);
            let id = id.map(|(id, _)| format!("`%{id}`: ")).unwrap_or_default();
            error(line, (1, format!("{id}{}", violation.sentence)))
        })?;
        Ok(graph)
    }

    fn node(&mut self, line: &str) -> Result<(), Fault> {
        let words = words(line, 1)?;
        let mut cursor = Cursor::new(&words.words, words.end, &self.ids);
        let Some(Token::Node(id)) = cursor.next() else { return cursor.fault("expected a node") };
        if self.ids.contains_key(id) {
            return Err((1, format!("`%{id}` is defined twice")));
        }
        let (mut sizes, mut when) = (Vec::new(), Vec::new());
        if cursor.mark("[") {
            sizes = cursor.declared()?;
            when = cursor.closed()?;
        }
        let ty = if cursor.mark(":") { Some(ty(&mut cursor)?) } else { None };
        cursor.require("=")?;
        let right = right(&mut cursor, sizes.len())?;
        let ports = if cursor.keyword("where") { ports(&mut cursor)? } else { Vec::new() };
        cursor.finish()?;
        let origin = origin(words.origin.as_deref()).map_err(|text| (words.end, text))?;
        let names = std::mem::take(&mut cursor.axes);
        let line = Line { names, sizes, when, ty, right, ports, origin };
        let node = make(&mut self.builder, line).map_err(|text| (1, text))?;
        self.ids.insert(id.clone(), node);
        Ok(())
    }

    fn root(&mut self, line: &str) -> Result<(), Fault> {
        let Some(equals) = line.rfind(" = ") else {
            return Err((
                1,
                "expected a node such as `%w = ..` or a root such as `y = %w`".to_owned(),
            ));
        };
        let (left, right) = (&line[..equals], &line[equals..]);
        let (name, axes) = super::program::name_and_axes(left)?;
        let mut list = words(axes, 1 + left.chars().count() - axes.chars().count())?.words;
        let tail = words(right, 1 + left.chars().count())?;
        list.extend(tail.words);
        let mut cursor = Cursor::new(&list, tail.end, &self.ids);
        let mut sizes = Vec::new();
        if cursor.mark("[") {
            sizes = cursor.declared()?;
            cursor.require("]")?;
        }
        cursor.require("=")?;
        let column = cursor.column();
        let reading = cursor.reading()?;
        cursor.finish()?;
        let index = |place: Place| match place {
            Place::Affine(of) => Ok(Index::Affine(of)),
            Place::Digit { of, step, radix } => Ok(Index::Digit { of, step, radix }),
            Place::Value(_) | Place::Port(_) => {
                Err((column, "a root cannot be read at index values".to_owned()))
            }
        };
        let access = reading.places.into_iter().map(index).collect::<Result<Vec<_>, Fault>>()?;
        self.builder.root(name, Read { node: reading.node, access: Access(access), sizes });
        Ok(())
    }
}

/// `real`, `bool`, `index(8)`, `permutation(8)`.
pub(super) fn ty(cursor: &mut Cursor<'_>) -> Result<Type, Fault> {
    let column = cursor.column();
    let name = cursor.name()?;
    let permutation = match name.as_str() {
        "real" => return Ok(Type::Real),
        "bool" => return Ok(Type::Bool),
        "int" => return Ok(Type::Int),
        "index" => false,
        "permutation" => true,
        _ => return Err((column, format!("no type `{name}`"))),
    };
    cursor.require("(")?;
    let below = cursor.count()?;
    cursor.require(")")?;
    Ok(Type::Index { below, permutation })
}

fn origin(text: Option<&str>) -> Result<Origin, String> {
    let Some(text) = text else { return Ok(Origin::default()) };
    let (adjoint, path) = match text.strip_prefix("adjoint") {
        Some("") => (true, ""),
        Some(rest) if rest.starts_with(' ') => (true, rest.trim()),
        Some(_) | None => (false, text),
    };
    let path = super::program::unquoted(path)?;
    Ok(Origin { path: Path(path), adjoint, ..Origin::default() })
}

/// A right side; `rank` axes are in scope.
fn right(cursor: &mut Cursor<'_>, rank: usize) -> Result<Right, Fault> {
    let Some(Token::Name(name)) = cursor.peek() else { return cursor.expr().map(Right::Expr) };
    let bracket = matches!(cursor.after(), Some(Token::Mark("[" | "{")));
    let number = matches!(cursor.after(), Some(Token::Number(_)));
    let start = cursor.place_in_line();
    cursor.next();
    let leaf = |leaf: fn(u32) -> Leaf, cursor: &mut Cursor<'_>| {
        cursor.count().map(|at| Right::Leaf(leaf(at)))
    };
    match name.as_str() {
        "input" if number => leaf(Leaf::Input, cursor),
        "param" if number => leaf(Leaf::Param, cursor),
        "prev" if number => leaf(Leaf::Prev, cursor),
        "seed" if number => leaf(Leaf::Seed, cursor),
        "axis" => cursor.axis().map(|axis| Right::Leaf(Leaf::Axis(axis))),
        "sum" if bracket => reduce(cursor, Fold::Sum),
        "prod" if bracket => reduce(cursor, Fold::Prod),
        "max" if bracket => reduce(cursor, Fold::Max),
        "min" if bracket => reduce(cursor, Fold::Min),
        "recur" if bracket => recur(cursor),
        "join" if bracket => join(cursor),
        "argsort" => opaque(cursor, Opaque::Argsort, rank),
        "top" => {
            cursor.require("(")?;
            let k = cursor.count()?;
            cursor.require(")")?;
            opaque(cursor, Opaque::TopK { k }, rank)
        }
        _ => {
            cursor.back_to(start);
            cursor.expr().map(Right::Expr)
        }
    }
}

fn reduce(cursor: &mut Cursor<'_>, fold: Fold) -> Result<Right, Fault> {
    cursor.require("[")?;
    let over = cursor.declared()?;
    let when = cursor.closed()?;
    Ok(Right::Reduce { fold, over, when, body: cursor.expr()? })
}

fn recur(cursor: &mut Cursor<'_>) -> Result<Right, Fault> {
    cursor.require("[")?;
    let along = cursor.axis()?;
    let column = cursor.column();
    let toward = match cursor.name()?.as_str() {
        "up" => Toward::Up,
        "down" => Toward::Down,
        _ => return Err((column, "expected `up` or `down`".to_owned())),
    };
    if !cursor.keyword("from") {
        return cursor.fault("expected `from`");
    }
    let start = cursor.signed()?;
    cursor.require("]")?;
    let column = cursor.column();
    let wrong = || Err((column, "expected a recurrence `a + b * self`".to_owned()));
    let Expr::Apply(scalar::ADD, sides) = cursor.expr()? else { return wrong() };
    let Ok([plus, Expr::Apply(scalar::MUL, factors)]) = <[Expr; 2]>::try_from(sides) else {
        return wrong();
    };
    let Ok([times, Expr::Before]) = <[Expr; 2]>::try_from(factors) else { return wrong() };
    Ok(Right::Recur { along, toward, start, plus, times })
}

fn join(cursor: &mut Cursor<'_>) -> Result<Right, Fault> {
    cursor.require("{")?;
    let mut arms = Vec::new();
    while !cursor.mark("}") {
        if !arms.is_empty() {
            cursor.require(";")?;
        }
        // An arm without conditions has no colon; only reading on tells.
        let start = cursor.place_in_line();
        let when = match cursor.conditions() {
            Ok(when) if cursor.mark(":") => when,
            Ok(_) | Err(_) => {
                cursor.back_to(start);
                Vec::new()
            }
        };
        arms.push((when, cursor.expr()?));
    }
    Ok(Right::Join(arms))
}

fn opaque(cursor: &mut Cursor<'_>, op: Opaque, rank: usize) -> Result<Right, Fault> {
    let along = if cursor.mark("[") {
        let along = cursor.axis()?;
        cursor.require("]")?;
        along
    } else {
        match rank.checked_sub(1) {
            Some(last) => Axis(last as u8),
            None => return cursor.fault("there is no axis to order along"),
        }
    };
    let of = Expr::Read(cursor.reading()?);
    Ok(Right::Opaque { op, along, of })
}

type Ports = Vec<(crate::graph::Port, super::cursor::Reading, Vec<super::cursor::Condition>)>;

/// `@1 = %phi[i]; @2 = %psi[@1] if i >= 1`.
fn ports(cursor: &mut Cursor<'_>) -> Result<Ports, Fault> {
    let mut list = Vec::new();
    loop {
        cursor.require("@")?;
        let port = cursor.port()?;
        cursor.require("=")?;
        let reading = cursor.reading()?;
        let when = if cursor.keyword("if") { cursor.conditions()? } else { Vec::new() };
        list.push((port, reading, when));
        if !cursor.mark(";") {
            return Ok(list);
        }
    }
}
