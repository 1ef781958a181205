//! Frames: one instance of a definition, with its dims as numbers and its arguments bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::source::Span;

use super::super::errors;
use super::super::flat::{Array, At, Axis, Linear, Sort, Var};
use super::super::int::{Atom, DimId, FlagId, Poly, Substitution, Test, VarId};
use super::super::typed::{self, Call, Def, Expr, ExprKind, Extent, PartId};
use super::given::is_dim;
use super::{Cx, Engine, FrameId, MOST_ELEMENTS, MOST_MEMBERS, Members};

/// What an argument stands for.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    /// An expression of the caller.
    Closure(Cx, Arc<Expr>),
    /// An array, read at these places and then at the reader's.
    Array(Array, Vec<At>),
    /// One number.
    Number(f64),
}

/// An axis that a frame's values have because of where the call stands.
#[derive(Clone, Debug)]
pub(super) struct Outer {
    pub(super) axis: Axis,
    /// Whether parameters have it too (not below a `tied` part).
    pub(super) tied: bool,
}

/// One instance of a definition.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) def: Arc<Def>,
    pub(super) dims: Vec<Vec<i64>>,
    /// Overrides that each dim depends on.
    pub(super) sets: Vec<Vec<Span>>,
    pub(super) flags: Vec<bool>,
    /// The path its values start with, and the one its parameters start with.
    pub(super) path: String,
    pub(super) param_path: String,
    pub(super) outer: Vec<Outer>,
    pub(super) args: Vec<Option<Arg>>,
    /// Where it was called, for controllers.
    pub(super) caller: Option<(Cx, PartId)>,
    /// How many calls it lies inside.
    pub(super) depth: usize,
    /// The call in the model's own text that led here; nothing for the model itself.
    pub(super) called: Option<Span>,
    /// The variable of each family that is an axis.
    pub(super) families: BTreeMap<VarId, Axis>,
}

/// Dims as numbers; variables stay.
struct Numbers<'a>(&'a Frame, &'a BTreeMap<VarId, i64>);

impl Substitution for Numbers<'_> {
    fn dim(&self, dim: DimId) -> Poly {
        Poly::number(self.0.dims[dim.0 as usize].first().copied().unwrap_or(0))
    }

    fn var(&self, var: VarId) -> Poly {
        self.1.get(&var).map_or_else(|| Poly::var(var), |value| Poly::number(*value))
    }

    fn flag(&self, flag: FlagId) -> Test {
        Test::Known(self.0.flags[flag.0 as usize])
    }

    fn item(&self, list: DimId, at: Poly) -> Poly {
        let list = &self.0.dims[list.0 as usize];
        match at.as_number().and_then(|at| list.get(usize::try_from(at).ok()?)) {
            Some(value) => Poly::number(*value),
            // At an index that runs: one entry or another, by its place.
            None => {
                let list: Vec<Poly> = list.iter().copied().map(Poly::number).collect();
                Poly::entry(&list, &at)
            }
        }
    }

    fn sum(&self, var: VarId, count: Poly, body: &Poly) -> Poly {
        let mut members = self.1.clone();
        (0..count.as_number().unwrap_or(0)).fold(Poly::default(), |sum, at| {
            members.insert(var, at);
            sum.plus(&body.map(&Numbers(self.0, &members)))
        })
    }
}

impl Frame {
    pub(super) fn new(def: Arc<Def>, path: String) -> Frame {
        Frame {
            dims: vec![Vec::new(); def.dims.len()],
            sets: vec![Vec::new(); def.dims.len()],
            flags: vec![false; def.flags.len()],
            args: vec![None; def.params.len()],
            param_path: path.clone(),
            def,
            path,
            outer: Vec::new(),
            caller: None,
            depth: 0,
            called: None,
            families: BTreeMap::new(),
        }
    }

    /// A polynomial with dims and members as numbers.
    pub(super) fn reduced(&self, poly: &Poly, members: &Members) -> Poly {
        poly.map(&Numbers(self, members))
    }

    /// A condition with dims and members as numbers.
    pub(super) fn decided(&self, test: &Test, members: &Members) -> Test {
        test.map(&Numbers(self, members))
    }

    /// A polynomial that is a number.
    pub(super) fn number(&self, poly: &Poly) -> Option<i64> {
        self.reduced(poly, &Members::new()).as_number()
    }

    /// A condition that is decided.
    pub(super) fn known(&self, test: &Test) -> Option<bool> {
        let Test::Known(value) = self.decided(test, &Members::new()) else { return None };
        Some(value)
    }
}

impl Engine<'_> {
    pub(super) fn enter(&mut self, frame: Frame) -> FrameId {
        self.frames.push(frame);
        FrameId(self.frames.len() - 1)
    }

    /// The whole number of a size or bound; members of families in order are in `members`.
    pub(super) fn number(&mut self, frame: FrameId, poly: &Poly, members: &Members) -> i64 {
        // The checker has proved that only dims and members occur.
        self.frames[frame.0].reduced(poly, members).as_number().unwrap_or(0)
    }

    /// The members bound to numbers in a context.
    pub(super) fn fixed(cx: &Cx) -> Members {
        let number = |at: &At| match at {
            At::Linear(linear) => linear.as_constant(),
            At::Digit { .. } | At::Value(_) => None,
        };
        cx.env.iter().filter_map(|(var, at)| number(at).map(|value| (*var, value))).collect()
    }

    /// Fresh axes for a shape.
    pub(super) fn axes(
        &mut self,
        frame: FrameId,
        shape: &[Extent],
        members: &Members,
    ) -> Vec<Axis> {
        let letters = ["i", "j", "k", "l", "m", "n"];
        let mut points: i64 = 1;
        let mut axes = Vec::new();
        for (at, extent) in shape.iter().enumerate() {
            let size = self.number(frame, &extent.size, members);
            points = points.saturating_mul(size.max(1));
            if size < 0 {
                let span = self.frames[frame.0].def.span;
                let text = super::super::show::poly(&self.frames[frame.0].def, &extent.size);
                self.sink.push(errors::size_not_positive(span, &format!("`{text}`"), size));
            }
            let size = size.max(0);
            if points > MOST_ELEMENTS {
                let span = self.frames[frame.0].def.span;
                let text = format!("{points} numbers in one array");
                self.sink.push(errors::too_large(span, "the model", &text));
                points = 1;
            }
            let dim = extent
                .size
                .as_dim()
                .map(|dim| self.frames[frame.0].def.dims[dim.0 as usize].name.clone());
            axes.push(Axis {
                var: self.fresh(),
                name: letters.get(at).copied().unwrap_or("i").to_owned(),
                dim: dim.unwrap_or_default(),
                size: u32::try_from(size.clamp(0, MOST_ELEMENTS)).unwrap_or(0),
            });
        }
        axes
    }

    /// A sort with its limit as a number.
    pub(super) fn sort(&mut self, frame: FrameId, sort: &typed::Sort) -> Sort {
        match sort {
            typed::Sort::Real => Sort::Real,
            typed::Sort::Int => Sort::Int,
            typed::Sort::Bool => Sort::Bool,
            typed::Sort::Index { below, permutation } => {
                let below = self.number(frame, below, &Members::new());
                Sort::Index { below: below.max(0) as u32, permutation: *permutation }
            }
        }
    }

    /// The families around a part, outermost first, with the part each belongs to.
    pub(super) fn families(&self, frame: FrameId, part: PartId) -> Vec<(PartId, VarId)> {
        let def = &self.frames[frame.0].def;
        let mut all: Vec<(PartId, VarId)> =
            def.around(part).filter_map(|p| def.part(p).family.map(|var| (p, var))).collect();
        all.reverse();
        all
    }

    /// The axis of a family that is built as one.
    pub(super) fn family_axis(&mut self, frame: FrameId, var: VarId, members: &Members) -> Axis {
        if let Some(axis) = self.frames[frame.0].families.get(&var) {
            return axis.clone();
        }
        let extent = self.frames[frame.0].def.var(var).extent.clone();
        let mut axis = self.axes(frame, &[extent], members).remove(0);
        let name = &self.frames[frame.0].def.var(var).name;
        axis.name = if name.is_empty() { "n".to_owned() } else { name.clone() };
        self.frames[frame.0].families.insert(var, axis.clone());
        axis
    }

    /// Every choice of members of the families in order around a part.
    pub(super) fn all_members(&mut self, frame: FrameId, part: PartId) -> Vec<Members> {
        let mut all = vec![Members::new()];
        for (owner, var) in self.families(frame, part) {
            if !self.frames[frame.0].def.part(owner).in_order {
                continue;
            }
            let mut next = Vec::new();
            for members in all {
                let (low, size) = self.family_range(frame, var, &members);
                for at in low..low + size {
                    let mut one = members.clone();
                    one.insert(var, at);
                    next.push(one);
                }
            }
            all = next;
        }
        all
    }

    /// The first member's number and how many there are.
    pub(super) fn family_range(
        &mut self,
        frame: FrameId,
        var: VarId,
        members: &Members,
    ) -> (i64, i64) {
        let extent = self.frames[frame.0].def.var(var).extent.clone();
        let low = self.number(frame, &extent.low, members);
        let size = self.number(frame, &extent.size, members).max(0);
        self.members = self.members.max(size);
        if size > MOST_MEMBERS {
            let span = self.frames[frame.0].def.var(var).span;
            let text = format!("{size} members built one by one");
            self.sink.push(errors::too_large(span, "the family", &text));
            return (low, 0);
        }
        (low, size)
    }

    /// The context in which an equation of a part is evaluated.
    pub(super) fn context(&mut self, frame: FrameId, part: PartId, members: &Members) -> Cx {
        let outer = &self.frames[frame.0].outer;
        let outer = outer.iter().map(|outer| At::var(outer.axis.var)).collect();
        let mut env = BTreeMap::new();
        for (owner, var) in self.families(frame, part) {
            let at = if self.frames[frame.0].def.part(owner).in_order {
                Linear::constant(members.get(&var).copied().unwrap_or(0))
            } else {
                let low = self.frames[frame.0].def.var(var).extent.low.clone();
                let low = self.number(frame, &low, members);
                let axis = self.family_axis(frame, var, members);
                Linear::var(axis.var).plus(&Linear::constant(low))
            };
            env.insert(var, At::Linear(at));
        }
        Cx { frame, env, outer }
    }

    /// The path of a part for values: members of families in order by number.
    pub(super) fn part_path(&self, frame: FrameId, part: PartId, members: &Members) -> String {
        let def = &self.frames[frame.0].def;
        let mut parts: Vec<PartId> = def.around(part).filter(|p| *p != PartId(0)).collect();
        parts.reverse();
        let mut path = self.frames[frame.0].path.clone();
        for part in parts {
            let part = def.part(part);
            join(&mut path, &part.name);
            if let (true, Some(var)) = (part.in_order, part.family) {
                path.push_str(&format!("[{}]", members.get(&var).copied().unwrap_or(0)));
            }
        }
        path
    }

    /// The path of a part for parameters: below a `tied` part without the numbers of members.
    pub(super) fn param_path(&self, frame: FrameId, part: PartId, members: &Members) -> String {
        let def = &self.frames[frame.0].def;
        let mut parts: Vec<PartId> = def.around(part).filter(|p| *p != PartId(0)).collect();
        parts.reverse();
        let tied = parts.iter().rposition(|part| self.is_tied(frame, *part));
        let start = &self.frames[frame.0];
        let mut path =
            if tied.is_some() { plain(&start.param_path) } else { start.param_path.clone() };
        for (at, part) in parts.iter().enumerate() {
            let part = def.part(*part);
            join(&mut path, &part.name);
            let free = tied.is_none_or(|tied| at > tied);
            if let (true, true, Some(var)) = (free, part.in_order, part.family) {
                path.push_str(&format!("[{}]", members.get(&var).copied().unwrap_or(0)));
            }
        }
        path
    }

    /// Whether a part or one around it shares its parameters among members, from which depth on.
    pub(super) fn tied_depth(&self, frame: FrameId, part: PartId) -> Option<PartId> {
        let def = &self.frames[frame.0].def;
        def.around(part).find(|part| self.is_tied(frame, *part))
    }

    /// The tied part at or around a place, in whatever body it is written.
    pub(super) fn tie(&self, (frame, part): (FrameId, PartId)) -> Option<(Span, String)> {
        if let Some(tied) = self.tied_depth(frame, part) {
            let tied = self.frames[frame.0].def.part(tied);
            return Some((tied.span, tied.name.clone()));
        }
        let (cx, part) = self.frames[frame.0].caller.as_ref()?;
        self.tie((cx.frame, *part))
    }

    fn is_tied(&self, frame: FrameId, part: PartId) -> bool {
        let frame = &self.frames[frame.0];
        frame.known(&frame.def.part(part).tied) == Some(true)
    }

    /// The frame of a call, and the indices at which a reader in `cx` reads its values.
    pub(super) fn call_frame(&mut self, cx: &Cx, call: &Call) -> (FrameId, Vec<At>) {
        let def = Arc::clone(&self.checked.defs[call.def.0 as usize]);
        let mut fixed = Self::fixed(cx);
        let families = self.families(cx.frame, call.part);
        // A member of a family that is an axis is read from the one frame of all its members.
        for (owner, var) in &families {
            if !self.frames[cx.frame.0].def.part(*owner).in_order {
                fixed.remove(var);
            }
        }
        let around: Vec<VarId> = families.into_iter().map(|(_, var)| var).collect();
        let mut vars: Vec<VarId> =
            around.iter().copied().filter(|var| !fixed.contains_key(var)).collect();
        let mut mentioned = Vec::new();
        call.args.iter().flatten().for_each(|arg| vars_in(arg, &mut mentioned));
        for var in mentioned {
            if cx.env.contains_key(&var) && !vars.contains(&var) && !fixed.contains_key(&var) {
                vars.push(var);
            }
        }
        let mut indices = cx.outer.clone();
        indices.extend(vars.iter().map(|var| {
            let low = self.frames[cx.frame.0].def.var(*var).extent.low.clone();
            let low = self.number(cx.frame, &low, &fixed);
            super::shifted(cx.env[var].clone(), -low)
        }));
        let members: Members =
            fixed.iter().filter(|(var, _)| around.contains(var)).map(|(a, b)| (*a, *b)).collect();
        let start = self.starting.is_some();
        let key = (cx.frame, call.part, call.name.clone(), members.clone(), start);
        if let Some(id) = self.calls.get(&key) {
            return (*id, indices);
        }
        let id = self.new_frame(cx, call, def, &vars, &fixed, &members);
        self.calls.insert(key, id);
        self.requirements(id, Some(call.span));
        (id, indices)
    }

    fn new_frame(
        &mut self,
        cx: &Cx,
        call: &Call,
        def: Arc<Def>,
        vars: &[VarId],
        fixed: &Members,
        members: &Members,
    ) -> FrameId {
        let mut path = self.part_path(cx.frame, call.part, members);
        join(&mut path, &call.name);
        let mut frame = Frame::new(def, path);
        frame.depth = self.frames[cx.frame.0].depth + 1;
        frame.param_path = self.param_path(cx.frame, call.part, members);
        join(&mut frame.param_path, &call.name);
        let tied = self.tied_depth(cx.frame, call.part);
        let families = self.families(cx.frame, call.part);
        for at in 0..self.frames[cx.frame.0].outer.len() {
            let mut outer = self.frames[cx.frame.0].outer[at].clone();
            outer.axis.var = self.fresh();
            outer.tied |= tied.is_some();
            frame.outer.push(outer);
        }
        let mut env: BTreeMap<VarId, At> =
            fixed.iter().map(|(var, at)| (*var, At::Linear(Linear::constant(*at)))).collect();
        let inherited: Vec<At> = frame.outer.iter().map(|outer| At::var(outer.axis.var)).collect();
        for var in vars {
            let info = self.frames[cx.frame.0].def.var(*var).clone();
            let mut axis = self.axes(cx.frame, std::slice::from_ref(&info.extent), fixed).remove(0);
            axis.name = if info.name.is_empty() { "n".to_owned() } else { info.name.clone() };
            let low = self.number(cx.frame, &info.extent.low, fixed);
            let at = Linear::var(axis.var).plus(&Linear::constant(low));
            env.insert(*var, At::Linear(at));
            // A family multiplies call sites; the index of an equation does not.
            let family = families.iter().any(|(_, own)| own == var);
            let tied = !family || self.is_above(cx.frame, *var, tied);
            frame.outer.push(Outer { axis, tied });
        }
        let inside = Cx { frame: cx.frame, env, outer: inherited };
        let numbers = |engine: &mut Self, poly: &Poly| engine.number(cx.frame, poly, fixed);
        for (at, list) in call.dims.iter().enumerate() {
            let occurs = |dim| list.iter().any(|poly| poly.any(&|atom| is_dim(atom, dim)));
            frame.sets[at] = self.frames[cx.frame.0].sets_of(occurs);
            frame.dims[at] = match &list[..] {
                [one] if one.as_dim().is_some() => {
                    let dim = one.as_dim().unwrap_or(DimId(0));
                    self.frames[cx.frame.0].dims[dim.0 as usize].clone()
                }
                list => list.iter().map(|poly| numbers(self, poly)).collect(),
            };
        }
        for (at, test) in call.flags.iter().enumerate() {
            let decided = self.frames[cx.frame.0].decided(test, fixed);
            frame.flags[at] = matches!(decided, Test::Known(true));
        }
        for (at, arg) in call.args.iter().enumerate() {
            frame.args[at] = arg.as_ref().map(|arg| Arg::Closure(inside.clone(), Arc::clone(arg)));
        }
        frame.called = self.frames[cx.frame.0].called.or(Some(call.span));
        frame.caller = Some((inside, call.part));
        self.enter(frame)
    }

    /// Whether a family lies at or above a tied part.
    pub(super) fn is_above(&self, frame: FrameId, var: VarId, tied: Option<PartId>) -> bool {
        let Some(tied) = tied else { return false };
        let def = &self.frames[frame.0].def;
        def.around(tied).any(|part| def.part(part).family == Some(var))
    }

    /// `require`s whose condition is decided by dims alone.
    pub(super) fn requirements(&mut self, id: FrameId, call: Option<Span>) {
        let def = Arc::clone(&self.frames[id.0].def);
        for require in &def.requires {
            if self.frames[id.0].known(&require.condition) == Some(false) {
                let fact = self.fact(id, &require.condition);
                let text = require.text.clone().unwrap_or_else(|| "a requirement fails".to_owned());
                let occurs = |dim| require.condition.any(&|atom| is_dim(atom, dim));
                let sets = self.frames[id.0].sets_of(occurs);
                let one = errors::requirement_failed(require.span, &text, &fact, call);
                let one = sets.into_iter().fold(one, |one, set| one.label(set, "set here"));
                self.sink.push(one);
            }
        }
    }

    /// A condition with its numbers filled in: `2 * 4 < 8`.
    fn fact(&self, id: FrameId, test: &Test) -> String {
        let frame = &self.frames[id.0];
        let number = |poly: &Poly| {
            let text = frame.def.show(poly);
            match frame.number(poly) {
                Some(value) if text == value.to_string() => text,
                Some(value) => format!("{text} (= {value})"),
                None => text,
            }
        };
        match test {
            Test::Less(left, right) => format!("{} < {}", number(left), number(right)),
            Test::Equal(left, right) => format!("{} == {}", number(left), number(right)),
            Test::Not(inner) => match &**inner {
                Test::Less(left, right) => format!("{} <= {}", number(right), number(left)),
                Test::Equal(left, right) => format!("{} != {}", number(left), number(right)),
                Test::Known(_) | Test::Flag(_) | Test::Not(_) | Test::And(..) | Test::Or(..) => {
                    format!("not ({})", self.fact(id, inner))
                }
            },
            Test::And(left, right) => {
                format!("{} and {}", self.fact(id, left), self.fact(id, right))
            }
            Test::Or(left, right) => format!("{} or {}", self.fact(id, left), self.fact(id, right)),
            Test::Known(value) => value.to_string(),
            Test::Flag(flag) => frame.def.flags[flag.0 as usize].name.clone(),
        }
    }
}

/// Adds a segment to a path.
pub(super) fn join(path: &mut String, segment: &str) {
    if !path.is_empty() && !segment.is_empty() {
        path.push('.');
    }
    path.push_str(segment);
}

/// A path without the numbers of members.
fn plain(path: &str) -> String {
    let mut depth = 0;
    path.chars()
        .filter(|letter| {
            depth += i32::from(*letter == '[');
            let keep = depth == 0;
            depth -= i32::from(*letter == ']');
            keep
        })
        .collect()
}

/// Index variables that occur in an expression.
pub(in crate::model) fn vars_in(expr: &Expr, vars: &mut Vec<VarId>) {
    let in_poly = |poly: &Poly, vars: &mut Vec<VarId>| {
        let found = std::cell::RefCell::new(Vec::new());
        poly.any(&|atom| {
            if let Atom::Var(var) = atom {
                found.borrow_mut().push(*var);
            }
            false
        });
        vars.extend(found.into_inner());
    };
    let in_test = |test: &Test, vars: &mut Vec<VarId>| {
        let found = std::cell::RefCell::new(Vec::new());
        test.any(&|atom| {
            if let Atom::Var(var) = atom {
                found.borrow_mut().push(*var);
            }
            false
        });
        vars.extend(found.into_inner());
    };
    match &expr.kind {
        ExprKind::Real(_) | ExprKind::Learned(_) => {}
        ExprKind::Int(poly) | ExprKind::OneHot(poly, _) => in_poly(poly, vars),
        ExprKind::Test(test) => in_test(test, vars),
        ExprKind::Read { at, .. } => at.iter().for_each(|one| vars_in(one, vars)),
        ExprKind::Index(base, at) => {
            vars_in(base, vars);
            at.iter().for_each(|one| vars_in(one, vars));
        }
        ExprKind::Inside(test, base, default) => {
            in_test(test, vars);
            vars_in(base, vars);
            vars_in(default, vars);
        }
        ExprKind::Map(_, all) | ExprKind::List(all) | ExprKind::Cat(all) => {
            all.iter().for_each(|one| vars_in(one, vars));
        }
        ExprKind::If(test, yes, no) => {
            [test, yes, no].into_iter().for_each(|one| vars_in(one, vars))
        }
        ExprKind::Reduce { over, body, .. } => {
            over.iter().filter_map(|(_, test)| test.as_ref()).for_each(|test| in_test(test, vars));
            vars_in(body, vars);
        }
        ExprKind::For(_, body)
        | ExprKind::Whole(_, body)
        | ExprKind::Squash(_, body)
        | ExprKind::Fill(body, _) => {
            vars_in(body, vars);
        }
        ExprKind::Draw(low, high) => {
            vars_in(low, vars);
            high.iter().for_each(|one| vars_in(one, vars));
        }
        ExprKind::Call(call) => call.args.iter().flatten().for_each(|one| vars_in(one, vars)),
    }
}

/// The index that is just this axis.
pub(super) fn bare(axis: &Axis) -> At {
    let var: Var = axis.var;
    At::var(var)
}
