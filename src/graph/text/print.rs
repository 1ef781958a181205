//! Graph to text.
//!
//! In: any graph whose operands exist, even one that breaks laws, since a broken graph must be
//! shown. Out: its lines. Invariant: see [`super`].

use std::collections::BTreeMap;
use std::fmt::Write;

use super::layout::{axis_names, inline, literal, standard_ports};
use crate::graph::{
    Access, Affine, Axis, Cond, Fold, Graph, Index, Leaf, NodeId, Op, Operand, Origin, Port, Read,
    Rel, Toward, Type, types,
};
use crate::op::{Opaque, Scalar, scalar};

/// The text form of a graph.
#[must_use]
pub fn print(graph: &Graph) -> String {
    print_with(graph, &|_| &[])
}

/// The same; `axes` knows the names of the axes of some roots.
pub(super) fn print_with<'a>(graph: &Graph, axes: &dyn Fn(&str) -> &'a [String]) -> String {
    let printer = Printer { graph, inline: inline(graph), ids: ids(graph) };
    let mut text = String::new();
    for id in graph.ids().filter(|id| !printer.inline[id.0 as usize]) {
        text.push_str(&printer.line(id));
        text.push('\n');
    }
    for (path, read) in &graph.roots {
        text.push_str(&printer.root(&path.0, read, axes(&path.0)));
        text.push('\n');
    }
    text
}

/// One line of the text form, taken apart.
pub(in crate::graph) struct Shown {
    pub(in crate::graph) node: NodeId,
    pub(in crate::graph) text: String,
    pub(in crate::graph) adjoint: bool,
    /// The lines it reads, with the text of each read.
    pub(in crate::graph) reads: Vec<(NodeId, String)>,
}

/// The lines of the text form that are nodes.
pub(in crate::graph) fn lines(graph: &Graph) -> Vec<Shown> {
    let printer = Printer { graph, inline: inline(graph), ids: ids(graph) };
    let shown = graph.ids().filter(|id| !printer.inline[id.0 as usize]);
    let line = |node: NodeId| {
        let mut reads = Vec::new();
        let axes = &graph.node(node).origin.axes;
        let here = printer.here(node, axis_names(axes, graph.scope(node).len()));
        printer.reads(&here, &mut reads);
        let adjoint = graph.node(node).origin.adjoint;
        Shown { node, text: printer.line(node), adjoint, reads }
    };
    shown.map(line).collect()
}

/// The written name of each node: the last part of its path, with a prime in the backward sweep and a
/// number from the second on. Names depend on nodes of the same name only, so that an edit elsewhere
/// moves none.
fn ids(graph: &Graph) -> Vec<String> {
    let inline = inline(graph);
    let mut used: BTreeMap<String, u32> = BTreeMap::new();
    let mut name = |id: NodeId| {
        let stem = stem(&graph.node(id).origin);
        let count = used.entry(stem.clone()).or_default();
        *count += 1;
        match (stem.as_str(), *count) {
            ("", count) => (count - 1).to_string(),
            ("'", count) => format!("{}'", count - 1),
            (_, 1) => stem,
            (_, count) => format!("{stem}.{}", count - 1),
        }
    };
    let shown = |id: NodeId| !inline[id.0 as usize];
    graph.ids().map(|id| if shown(id) { name(id) } else { String::new() }).collect()
}

fn stem(origin: &Origin) -> String {
    let last = origin.path.0.rsplit('.').next().unwrap_or_default();
    let plain = last.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
    let mut stem: String = plain.skip_while(|c| !c.is_ascii_alphabetic()).collect();
    if origin.adjoint {
        stem.push('\'');
    }
    stem
}

/// How tightly an expression binds, loosest first; the parser climbs the same ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Compare,
    Sum,
    Product,
    Sign,
    Power,
    Atom,
}

/// Symbol, own level, and the levels below which the two sides need parentheses.
fn infix(scalar: Scalar) -> Option<(&'static str, Level, Level, Level)> {
    match scalar {
        scalar::OR => Some((" or ", Level::Or, Level::Or, Level::And)),
        scalar::AND => Some((" and ", Level::And, Level::And, Level::Not)),
        scalar::LT => Some((" < ", Level::Compare, Level::Sum, Level::Sum)),
        scalar::LE => Some((" <= ", Level::Compare, Level::Sum, Level::Sum)),
        scalar::EQ => Some((" == ", Level::Compare, Level::Sum, Level::Sum)),
        scalar::ADD => Some((" + ", Level::Sum, Level::Sum, Level::Product)),
        scalar::SUB => Some((" - ", Level::Sum, Level::Sum, Level::Product)),
        scalar::MUL => Some((" * ", Level::Product, Level::Product, Level::Sign)),
        scalar::DIV => Some((" / ", Level::Product, Level::Product, Level::Sign)),
        scalar::POW => Some((" ^ ", Level::Power, Level::Atom, Level::Sign)),
        _ => None,
    }
}

struct Printer<'a> {
    graph: &'a Graph,
    inline: Vec<bool>,
    ids: Vec<String>,
}

/// A node being written: the names of its scope, and whether its index operands are written as ports.
struct Here<'a> {
    id: NodeId,
    axes: Vec<String>,
    operands: Vec<(NodeId, &'a Operand)>,
    by_port: bool,
}

impl<'a> Printer<'a> {
    fn here(&self, id: NodeId, axes: Vec<String>) -> Here<'a> {
        let by_port = !standard_ports(self.graph, id);
        Here { id, axes, operands: self.graph.operands(id), by_port }
    }

    fn line(&self, id: NodeId) -> String {
        let node = self.graph.node(id);
        let axes = axis_names(&node.origin.axes, self.graph.scope(id).len());
        let here = self.here(id, axes);
        let mut text = format!("%{}", self.ids[id.0 as usize]);
        let rank = node.space.rank();
        if rank > 0 || !node.space.when.is_empty() {
            let axes = declared(&here.axes[..rank], &node.space.sizes);
            let _ = write!(text, "[{}]", self.conditioned(&here, axes, &node.space.when));
        }
        if node.ty != Type::Real {
            let _ = write!(text, ": {}", types::name(node.ty));
        }
        let _ = write!(text, " = {}{}", self.right(&here), self.ports(&here));
        text + &origin(&node.origin)
    }

    fn root(&self, path: &str, read: &Read, known: &[String]) -> String {
        let mut names: Vec<String> = axis_names(&[], read.sizes.len());
        let node = (read.node.0 as usize) < self.graph.len();
        if !known.is_empty() {
            names = known.to_vec();
        } else if node {
            let origin = &self.graph.node(read.node).origin.axes;
            let given = axis_names(origin, read.access.0.len().max(origin.len()));
            for (index, name) in read.access.0.iter().zip(given) {
                let own = index.as_axis().and_then(|axis| names.get_mut(usize::from(axis.0)));
                if let Some(own) = own {
                    *own = name;
                }
            }
        }
        let names = axis_names(&names, read.sizes.len());
        let axes = declared(&names, &read.sizes);
        let axes = if axes.is_empty() { axes } else { format!("[{axes}]") };
        let id = self.ids.get(read.node.0 as usize).map_or("absent", String::as_str);
        let indices = read.access.0.iter().map(|index| plain_index(index, &names));
        let indices = bracketed(indices.collect());
        format!("{}{axes} = %{id}{indices}", super::program::quoted(path))
    }

    fn right(&self, here: &Here<'_>) -> String {
        let node = self.graph.node(here.id);
        let complete = here.operands.len() >= self.graph.arity(here.id);
        match &node.op {
            _ if !complete => "incomplete".to_owned(),
            Op::Leaf(leaf) => leaf_text(leaf, node.ty, &here.axes),
            Op::Map(_) => self.map(here).0,
            Op::Reduce { fold, over, when } => {
                let fold = match fold {
                    Fold::Sum => "sum",
                    Fold::Prod => "prod",
                    Fold::Max => "max",
                    Fold::Min => "min",
                };
                let axes = declared(&here.axes[node.space.rank()..], over);
                let body = self.operand(here, 0, Level::Or);
                format!("{fold}[{}] {body}", self.conditioned(here, axes, when))
            }
            Op::Recur { along, toward, start } => {
                let toward = match toward {
                    Toward::Up => "up",
                    Toward::Down => "down",
                };
                let along = axis_name(&here.axes, *along);
                let (plus, times) =
                    (self.operand(here, 0, Level::Sum), self.operand(here, 1, Level::Product));
                format!("recur[{along} {toward} from {start}] {plus} + {times} * self")
            }
            Op::Join => {
                let arms = (0..self.graph.arity(here.id)).map(|at| self.arm(here, at));
                format!("join {{ {} }}", arms.collect::<Vec<_>>().join("; "))
            }
            Op::Opaque { op, along } => {
                let name = match op {
                    Opaque::Argsort => "argsort".to_owned(),
                    Opaque::TopK { k } => format!("top({k})"),
                };
                let last = usize::from(along.0) + 1 == node.space.rank();
                let along = if last {
                    String::new()
                } else {
                    format!("[{}]", axis_name(&here.axes, *along))
                };
                format!("{name}{along} {}", self.operand(here, 0, Level::Atom))
            }
        }
    }

    fn arm(&self, here: &Here<'_>, at: usize) -> String {
        let (_, operand) = here.operands[at];
        let conditions = self.conditions(here, &operand.when);
        let colon = if conditions.is_empty() { "" } else { ": " };
        format!("{conditions}{colon}{}", self.operand(here, at, Level::Or))
    }

    /// An operand, in parentheses if it binds less tightly than `level`.
    fn operand(&self, here: &Here<'_>, at: usize, level: Level) -> String {
        let (from, operand) = here.operands[at];
        let (text, own) = self.term(here, from, operand);
        if own < level { format!("({text})") } else { text }
    }

    fn term(&self, here: &Here<'_>, from: NodeId, operand: &Operand) -> (String, Level) {
        let node = self.graph.node(from);
        if let Some(text) = literal(node)
            && operand.access.0.is_empty()
        {
            let level = if text.starts_with('-') { Level::Sign } else { Level::Atom };
            return (text, level);
        }
        if !self.inline[from.0 as usize] {
            return (self.read(here, from, &operand.access), Level::Atom);
        }
        let axes = operand.access.0.iter().filter_map(|index| index.as_axis());
        let axes = axes.map(|axis| axis_name(&here.axes, axis).to_owned()).collect();
        self.map(&self.here(from, axes))
    }

    fn map(&self, here: &Here<'_>) -> (String, Level) {
        let Op::Map(scalar) = self.graph.node(here.id).op else {
            return (format!("%{}", here.id.0), Level::Atom);
        };
        if let Some((symbol, level, left, right)) = infix(scalar) {
            let (left, right) = (self.operand(here, 0, left), self.operand(here, 1, right));
            return (format!("{left}{symbol}{right}"), level);
        }
        match scalar {
            scalar::NEG => {
                let text = self.operand(here, 0, Level::Power);
                // `-1` is a literal, and `--` starts an origin.
                let literal = text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
                    || text.starts_with("inf")
                    || text.starts_with("nan");
                (if literal { format!("-({text})") } else { format!("-{text}") }, Level::Sign)
            }
            scalar::NOT => (format!("not {}", self.operand(here, 0, Level::Not)), Level::Not),
            _ => {
                let name = scalar.row().name;
                let arity = self.graph.arity(here.id);
                let list: Vec<String> =
                    (0..arity).map(|at| self.operand(here, at, Level::Or)).collect();
                (format!("{name}({})", list.join(", ")), Level::Atom)
            }
        }
    }

    fn read(&self, here: &Here<'_>, from: NodeId, access: &Access) -> String {
        let indices = access.0.iter().map(|index| self.index(here, index)).collect();
        format!("%{}{}", self.ids[from.0 as usize], bracketed(indices))
    }

    /// The lines that a line reads, nested expressions included.
    fn reads(&self, here: &Here<'_>, list: &mut Vec<(NodeId, String)>) {
        for (from, operand) in &here.operands {
            if self.inline[from.0 as usize] {
                let axes = operand.access.0.iter().filter_map(|index| index.as_axis());
                let axes = axes.map(|axis| axis_name(&here.axes, axis).to_owned()).collect();
                self.reads(&self.here(*from, axes), list);
            } else {
                list.push((*from, self.read(here, *from, &operand.access)));
            }
        }
    }

    fn index(&self, here: &Here<'_>, index: &Index) -> String {
        let Index::Value(port) = index else { return plain_index(index, &here.axes) };
        match here.operands.get(usize::from(port.0)) {
            Some((from, operand)) if !here.by_port => self.read(here, *from, &operand.access),
            Some(_) | None => format!("@{}", port.0),
        }
    }

    /// The index operands of a node that writes them as ports.
    fn ports(&self, here: &Here<'_>) -> String {
        if !here.by_port {
            return String::new();
        }
        let skipped = here.operands.iter().skip(self.graph.arity(here.id));
        let port = |(from, operand): &(NodeId, &Operand)| {
            let read = self.read(here, *from, &operand.access);
            let when = self.conditions(here, &operand.when);
            let when = if when.is_empty() { when } else { format!(" if {when}") };
            format!("@{} = {read}{when}", operand.port.0)
        };
        format!(" where {}", skipped.map(port).collect::<Vec<_>>().join("; "))
    }

    fn conditioned(&self, here: &Here<'_>, axes: String, conditions: &[Cond]) -> String {
        if conditions.is_empty() {
            return axes;
        }
        let space = if axes.is_empty() { "" } else { " " };
        format!("{axes}{space}| {}", self.conditions(here, conditions))
    }

    fn conditions(&self, here: &Here<'_>, conditions: &[Cond]) -> String {
        let cond = |cond: &Cond| {
            let rel = match cond.rel {
                Rel::Eq => "==",
                Rel::Ne => "!=",
                Rel::Lt => "<",
                Rel::Ge => ">=",
            };
            format!("{} {rel} {}", self.index(here, &cond.left), affine(&cond.right, &here.axes))
        };
        conditions.iter().map(cond).collect::<Vec<_>>().join(", ")
    }
}

/// `i:8, j:4`.
pub(super) fn declared(names: &[String], sizes: &[u32]) -> String {
    let axes: Vec<String> =
        names.iter().zip(sizes).map(|(name, size)| format!("{name}:{size}")).collect();
    axes.join(", ")
}

fn bracketed(indices: Vec<String>) -> String {
    if indices.is_empty() { String::new() } else { format!("[{}]", indices.join(", ")) }
}

fn axis_name(names: &[String], axis: Axis) -> &str {
    names.get(usize::from(axis.0)).map_or("_absent", String::as_str)
}

fn plain_index(index: &Index, names: &[String]) -> String {
    match index {
        Index::Affine(of) => affine(of, names),
        Index::Digit { of, step, radix } => {
            let simple = of.as_axis().is_some() || of.as_constant().is_some_and(|c| c >= 0);
            let text = affine(of, names);
            let text = if simple { text } else { format!("({text})") };
            let step = if *step == 1 { String::new() } else { format!(" div {step}") };
            format!("{text}{step} mod {radix}")
        }
        Index::Value(Port(port)) => format!("@{port}"),
    }
}

/// What is added, by axis, then what is taken away, the constant last, unless that would begin with a
/// minus.
fn affine(affine: &Affine, names: &[String]) -> String {
    let mut terms: Vec<(i64, Option<&str>)> =
        affine.terms.iter().map(|(axis, by)| (*by, Some(axis_name(names, *axis)))).collect();
    terms.sort_by_key(|(by, _)| *by < 0);
    if affine.offset != 0 || terms.is_empty() {
        terms.push((affine.offset, None));
    }
    if terms[0].0 < 0 && affine.offset > 0 {
        terms.rotate_right(1);
    }
    let mut text = String::new();
    for (by, name) in terms {
        let sign = match (text.is_empty(), by < 0) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        let _ = match (name, by.unsigned_abs()) {
            (Some(name), 1) => write!(text, "{sign}{name}"),
            (Some(name), by) => write!(text, "{sign}{by} * {name}"),
            (None, by) => write!(text, "{sign}{by}"),
        };
    }
    text
}

fn leaf_text(leaf: &Leaf, ty: Type, axes: &[String]) -> String {
    match leaf {
        Leaf::Input(at) => format!("input {at}"),
        Leaf::Param(at) => format!("param {at}"),
        Leaf::Prev(at) => format!("prev {at}"),
        Leaf::Seed(at) => format!("seed {at}"),
        Leaf::Const(bits) if ty == Type::Bool => (bits.value() != 0.0).to_string(),
        Leaf::Const(bits) => bits.to_string(),
        Leaf::Axis(axis) => format!("axis {}", axis_name(axes, *axis)),
    }
}

fn origin(origin: &Origin) -> String {
    let path = &origin.path.0;
    let plain = path.trim() == path
        && !path.starts_with('"')
        && path != "adjoint"
        && !path.starts_with("adjoint ")
        && !path.contains(char::is_control);
    let path = if plain { path.clone() } else { format!("{path:?}") };
    match (origin.adjoint, path.is_empty()) {
        (false, true) => String::new(),
        (false, false) => format!(" -- {path}"),
        (true, true) => " -- adjoint".to_owned(),
        (true, false) => format!(" -- adjoint {path}"),
    }
}
