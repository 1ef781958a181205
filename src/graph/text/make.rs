//! Nodes from a line.
//!
//! In: what a line says, over its own axes. Out: its nodes, nested ones first. Invariant: a nested
//! expression gets as its space the axes that occur in it, in the order of the line, with those
//! conditions of the line that speak of no other axis; see [`super::layout`], which prints
//! accordingly.

use std::collections::BTreeSet;

use super::cursor::{Condition, Expr, Place, Reading};
use super::layout::{guard, kept_names};
use crate::graph::{
    Access, Affine, Axis, Bits, Builder, Cond, Fold, Index, Leaf, NodeId, Op, Operand, Origin,
    Port, Space, Toward, Type, types,
};
use crate::op::{Opaque, Scalar};

/// A right side.
pub(super) enum Right {
    Leaf(Leaf),
    Expr(Expr),
    Reduce { fold: Fold, over: Vec<u32>, when: Vec<Condition>, body: Expr },
    Recur { along: Axis, toward: Toward, start: Bits, plus: Expr, times: Expr },
    Join(Vec<(Vec<Condition>, Expr)>),
    Opaque { op: Opaque, along: Axis, of: Expr },
}

/// A line that defines a node.
pub(super) struct Line {
    /// Names of the axes of the scope.
    pub(super) names: Vec<String>,
    pub(super) sizes: Vec<u32>,
    pub(super) when: Vec<Condition>,
    /// `None` where the text gives no type.
    pub(super) ty: Option<Type>,
    pub(super) right: Right,
    /// Index operands that are written as ports.
    pub(super) ports: Vec<(Port, Reading, Vec<Condition>)>,
    pub(super) origin: Origin,
}

/// Adds the nodes of a line; returns the one it defines.
pub(super) fn make(builder: &mut Builder, line: Line) -> Result<NodeId, String> {
    let mut origin = line.origin;
    origin.axes = kept_names(&line.names);
    let space = Space { sizes: line.sizes, when: fixed(&line.when)? };
    let mut scope = space.sizes.clone();
    if let Right::Reduce { over, .. } = &line.right {
        scope.extend(over);
    }
    let mut maker = Maker {
        builder,
        names: &line.names,
        scope: &scope,
        origin: &origin,
        guard: space.when.clone(),
        ports: &line.ports,
    };
    let whole: Vec<Axis> = (0..line.names.len()).map(|at| Axis(at as u8)).collect();
    let (op, ty, operands) = maker.right(line.right, &whole)?;
    Ok(builder.add(op, space, line.ty.unwrap_or(ty), operands, origin))
}

/// Conditions without values of operands.
fn fixed(conditions: &[Condition]) -> Result<Vec<Cond>, String> {
    let cond = |condition: &Condition| {
        let left = match &condition.left {
            Place::Affine(of) => Index::Affine(of.clone()),
            Place::Digit { of, step, radix } => {
                Index::Digit { of: of.clone(), step: *step, radix: *radix }
            }
            Place::Value(_) | Place::Port(_) => {
                return Err("only the conditions of a reduction may depend on values".to_owned());
            }
        };
        Ok(Cond { left, rel: condition.rel, right: condition.right.clone() })
    };
    conditions.iter().map(cond).collect()
}

type Operands = Vec<(NodeId, Operand)>;

struct Maker<'a> {
    builder: &'a mut Builder,
    names: &'a [String],
    scope: &'a [u32],
    origin: &'a Origin,
    /// Conditions under which the line reads.
    guard: Vec<Cond>,
    ports: &'a [(Port, Reading, Vec<Condition>)],
}

impl Maker<'_> {
    fn right(&mut self, right: Right, axes: &[Axis]) -> Result<(Op, Type, Operands), String> {
        match right {
            Right::Leaf(leaf) => Ok((Op::Leaf(leaf), Type::Real, Vec::new())),
            Right::Expr(Expr::Real(bits)) => {
                Ok((Op::Leaf(Leaf::Const(bits)), Type::Real, Vec::new()))
            }
            Right::Expr(Expr::Truth(truth)) => {
                Ok((Op::Leaf(truth_leaf(truth)), Type::Bool, Vec::new()))
            }
            Right::Expr(Expr::Apply(scalar, operands)) => {
                let bases = operands.into_iter().map(|operand| (operand, Vec::new())).collect();
                let operands = self.operands(bases, axes)?.finish(self.ports)?;
                Ok((Op::Map(scalar), types::given(scalar.row().gives), operands))
            }
            Right::Expr(Expr::Read(_)) => {
                Err("a node alone on the right side is no equation".to_owned())
            }
            Right::Expr(Expr::Before) => Err("`self` has a meaning in `recur` only".to_owned()),
            Right::Reduce { fold, over, when, body } => {
                let still = |condition: &&Condition| match condition.left {
                    Place::Affine(_) | Place::Digit { .. } => true,
                    Place::Value(_) | Place::Port(_) => false,
                };
                let still: Vec<Condition> = when.iter().filter(still).cloned().collect();
                self.guard.extend(fixed(&still)?);
                let (body, body_access) = self.base(body, &[], axes)?;
                let mut table = Table::new(axes, 1);
                let when = when.into_iter().map(|condition| table.condition(condition));
                let when = when.collect::<Result<Vec<Cond>, String>>()?;
                table.read(body, body_access, &[])?;
                let operands = table.finish(self.ports)?;
                Ok((Op::Reduce { fold, over, when }, Type::Real, operands))
            }
            Right::Recur { along, toward, start, plus, times } => {
                let bases = vec![(plus, Vec::new()), (times, Vec::new())];
                let operands = self.operands(bases, axes)?.finish(self.ports)?;
                Ok((Op::Recur { along, toward, start }, Type::Real, operands))
            }
            Right::Join(arms) => {
                let arm = |(when, value): (Vec<Condition>, Expr)| Ok((value, fixed(&when)?));
                let bases = arms.into_iter().map(arm).collect::<Result<Vec<_>, String>>()?;
                Ok((Op::Join, Type::Real, self.operands(bases, axes)?.finish(self.ports)?))
            }
            Right::Opaque { op, along, of } => {
                let operands = self.operands(vec![(of, Vec::new())], axes)?;
                Ok((Op::Opaque { op, along }, Type::Real, operands.finish(self.ports)?))
            }
        }
    }

    /// The operands of a node whose scope is the given axes of the line.
    fn operands(&mut self, bases: Vec<(Expr, Vec<Cond>)>, axes: &[Axis]) -> Result<Table, String> {
        let mut table = Table::new(axes, bases.len());
        let mut made = Vec::new();
        for (expr, when) in bases {
            let (node, places) = self.base(expr, &when, axes)?;
            made.push((node, places, when));
        }
        for (node, places, when) in made {
            table.read(node, places, &when)?;
        }
        Ok(table)
    }

    /// One operand: the node, made if need be, and where it is read, over the axes of the line.
    fn base(
        &mut self,
        expr: Expr,
        when: &[Cond],
        axes: &[Axis],
    ) -> Result<(NodeId, Vec<Place>), String> {
        match expr {
            Expr::Read(reading) => Ok((reading.node, reading.places)),
            Expr::Real(bits) => Ok((self.constant(Leaf::Const(bits), Type::Real), Vec::new())),
            Expr::Truth(truth) => Ok((self.constant(truth_leaf(truth), Type::Bool), Vec::new())),
            Expr::Before => Err("`self` has a meaning in `recur` only, as `.. * self`".to_owned()),
            Expr::Apply(scalar, operands) => self.nested(scalar, operands, when, axes),
        }
    }

    fn constant(&mut self, leaf: Leaf, ty: Type) -> NodeId {
        self.builder.leaf(leaf, &[], ty, Origin::default())
    }

    fn nested(
        &mut self,
        scalar: Scalar,
        operands: Vec<Expr>,
        when: &[Cond],
        reader: &[Axis],
    ) -> Result<(NodeId, Vec<Place>), String> {
        let mut found = BTreeSet::new();
        operands.iter().for_each(|operand| occurring(operand, &mut found));
        let axes: Vec<Axis> = reader.iter().copied().filter(|axis| found.contains(axis)).collect();
        let bases = operands.into_iter().map(|operand| (operand, Vec::new())).collect();
        // The arm's conditions hold for everything below the arm.
        let before = self.guard.len();
        self.guard.extend(when.iter().cloned());
        let ready = self.operands(bases, &axes);
        let sizes = axes.iter().map(|axis| self.scope[usize::from(axis.0)]).collect();
        let space = Space { sizes, when: guard(&self.guard, &axes) };
        self.guard.truncate(before);
        let operands = ready?.finish(&[])?;
        let names: Vec<String> =
            axes.iter().map(|axis| self.names[usize::from(axis.0)].clone()).collect();
        let origin = Origin { axes: kept_names(&names), ..self.origin.clone() };
        let ty = types::given(scalar.row().gives);
        let node = self.builder.add(Op::Map(scalar), space, ty, operands, origin);
        let places = axes.iter().map(|axis| Place::Affine(Affine::axis(*axis))).collect();
        Ok((node, places))
    }
}

fn truth_leaf(truth: bool) -> Leaf {
    Leaf::Const(Bits::of(f64::from(u8::from(truth))))
}

/// The axes of the line that occur in an expression.
fn occurring(expr: &Expr, found: &mut BTreeSet<Axis>) {
    match expr {
        Expr::Read(reading) => occurring_in(reading, found),
        Expr::Apply(_, operands) => operands.iter().for_each(|operand| occurring(operand, found)),
        Expr::Real(_) | Expr::Truth(_) | Expr::Before => {}
    }
}

fn occurring_in(reading: &Reading, found: &mut BTreeSet<Axis>) {
    for place in &reading.places {
        match place {
            Place::Affine(of) | Place::Digit { of, .. } => {
                found.extend(of.terms.iter().map(|(axis, _)| *axis));
            }
            Place::Value(reading) => occurring_in(reading, found),
            Place::Port(_) => {}
        }
    }
}

/// The operands of one node as they are collected: those that its op combines, then indices, each
/// once, numbered by first occurrence, inner before outer.
struct Table {
    axes: Vec<Axis>,
    arity: usize,
    bases: Operands,
    indices: Operands,
}

impl Table {
    fn new(axes: &[Axis], arity: usize) -> Table {
        Table { axes: axes.to_vec(), arity, bases: Vec::new(), indices: Vec::new() }
    }

    fn local(&self, affine: &Affine) -> Affine {
        let place = |axis: Axis| self.axes.iter().position(|own| *own == axis).unwrap_or(0);
        affine.substitute(&|axis| Affine::axis(Axis(place(axis) as u8)))
    }

    fn read(&mut self, node: NodeId, places: Vec<Place>, when: &[Cond]) -> Result<(), String> {
        let access = self.access(places, when)?;
        let port = Port(u8::try_from(self.bases.len()).map_err(|_| too_many())?);
        self.bases.push((node, Operand { port, access, when: when.to_vec() }));
        Ok(())
    }

    fn access(&mut self, places: Vec<Place>, when: &[Cond]) -> Result<Access, String> {
        let indices = places.into_iter().map(|place| self.index(place, when));
        indices.collect::<Result<Vec<Index>, String>>().map(Access)
    }

    fn index(&mut self, place: Place, when: &[Cond]) -> Result<Index, String> {
        Ok(match place {
            Place::Affine(of) => Index::Affine(self.local(&of)),
            Place::Digit { of, step, radix } => Index::Digit { of: self.local(&of), step, radix },
            Place::Port(port) => Index::Value(port),
            Place::Value(reading) => {
                let access = self.access(reading.places, when)?;
                let same = |(node, operand): &(NodeId, Operand)| {
                    *node == reading.node && operand.access == access && operand.when == when
                };
                let at = self.indices.iter().position(same).unwrap_or(self.indices.len());
                let port = Port(u8::try_from(self.arity + at).map_err(|_| too_many())?);
                if at == self.indices.len() {
                    let when = when.to_vec();
                    self.indices.push((reading.node, Operand { port, access, when }));
                }
                Index::Value(port)
            }
        })
    }

    fn condition(&mut self, condition: Condition) -> Result<Cond, String> {
        let right = self.local(&condition.right);
        Ok(Cond { left: self.index(condition.left, &[])?, rel: condition.rel, right })
    }

    /// All operands; those written as ports take part under the numbers the text gives them.
    fn finish(mut self, ports: &[(Port, Reading, Vec<Condition>)]) -> Result<Operands, String> {
        if !ports.is_empty() && !self.indices.is_empty() {
            return Err("either all index operands are written as ports or none".to_owned());
        }
        for (port, reading, when) in ports {
            let when = fixed(when)?;
            let access = self.access(reading.places.clone(), &when)?;
            self.bases.push((reading.node, Operand { port: *port, access, when }));
        }
        self.bases.extend(self.indices);
        Ok(self.bases)
    }
}

fn too_many() -> String {
    "a node has at most 256 operands".to_owned()
}
