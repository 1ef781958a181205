//! Reading and building values: arguments, states, params, equations.

use std::sync::Arc;

use super::super::flat::{self, Array, At, Axis, Cond, Fold, Linear, Rel, Term};
use super::super::int::VarId;
use super::super::typed::{Equation, Left, ParamKind, PartId, ValueId, ValueKind};
use super::frames::{Arg, bare, join};
use super::start::First;
use super::term::is_read;
use super::{Cx, Engine, FrameId, Key, Members, Starting, shifted};

/// One read of a value, as far as it is decided.
struct Entry<'a> {
    frame: FrameId,
    outer: &'a [At],
    value: ValueId,
    prev: bool,
    /// The context and part of a reader of the same frame.
    reader: Option<(&'a Cx, PartId)>,
    at: &'a [At],
}

impl Engine<'_> {
    /// An entry of a value of the context's frame, or of one inside a named instance.
    pub(super) fn read(
        &mut self,
        cx: &Cx,
        value: ValueId,
        inner: &[ValueId],
        prev: bool,
        part: PartId,
        at: &[At],
    ) -> Term {
        let Some((target, through)) = inner.split_last() else {
            let entry = Entry {
                frame: cx.frame,
                outer: &cx.outer,
                value,
                prev,
                reader: Some((cx, part)),
                at,
            };
            return self.entry(&entry);
        };
        let mut chain = vec![value];
        chain.extend(through);
        self.through(cx.frame, &cx.outer, &chain, (*target, prev), at, Vec::new())
    }

    /// A read through named instances: `at` holds the indices of the families around each, one after
    /// another, then those of the target. Members of families in order are decided on the way;
    /// `decided` holds those of the first instance.
    fn through(
        &mut self,
        frame: FrameId,
        outer: &[At],
        chain: &[ValueId],
        target: (ValueId, bool),
        at: &[At],
        decided: Vec<At>,
    ) -> Term {
        let Some((instance, rest)) = chain.split_first() else {
            let (value, prev) = target;
            return self.entry(&Entry { frame, outer, value, prev, reader: None, at });
        };
        let part = self.frames[frame.0].def.value(*instance).part;
        let families = self.families(frame, part);
        if let Some((owner, var)) = families.get(decided.len()).copied() {
            let here = &at[decided.len()];
            if self.frames[frame.0].def.part(owner).in_order {
                let members = families.iter().map(|(_, var)| *var).zip(&decided);
                let members = members.filter_map(|(var, at)| match at {
                    At::Linear(linear) => linear.as_constant().map(|number| (var, number)),
                    At::Digit { .. } | At::Value(_) => None,
                });
                let members: Members = members.collect();
                let (low, size) = self.family_range(frame, var, &members);
                let place = shifted(here.clone(), -low);
                return self.pick(&place, size.max(1) as usize, &mut |engine, member| {
                    let mut decided = decided.clone();
                    decided.push(At::Linear(Linear::constant(low + member as i64)));
                    engine.through(frame, outer, chain, target, at, decided)
                });
            }
            let mut decided = decided;
            decided.push(here.clone());
            return self.through(frame, outer, chain, target, at, decided);
        }
        let env = families.iter().map(|(_, var)| *var).zip(decided.iter().cloned()).collect();
        let inside = Cx { frame, env, outer: outer.to_vec() };
        let call = self.frames[frame.0].def.call_of(*instance).cloned();
        let Some(call) = call else { return Term::Real(0.0) };
        let (callee, outer) = self.call_frame(&inside, &call);
        self.through(callee, &outer, rest, target, &at[decided.len()..], Vec::new())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Term {
        let part = self.frames[entry.frame.0].def.value(entry.value).part;
        let families = self.families(entry.frame, part);
        self.member(entry, &families, 0, &Members::new(), &[])
    }

    /// Decides the members of families in order, one family after another.
    fn member(
        &mut self,
        entry: &Entry<'_>,
        families: &[(PartId, VarId)],
        depth: usize,
        members: &Members,
        axes: &[At],
    ) -> Term {
        let Some((owner, var)) = families.get(depth).copied() else {
            return self.decided(entry, members, axes, families.len());
        };
        let (low, size) = self.family_range(entry.frame, var, members);
        let at = shifted(entry.at[depth].clone(), -low);
        if !self.frames[entry.frame.0].def.part(owner).in_order {
            let mut axes = axes.to_vec();
            axes.push(at);
            return self.member(entry, families, depth + 1, members, &axes);
        }
        if size == 0 {
            return Term::Real(0.0);
        }
        self.pick(&at, size as usize, &mut |engine, place| {
            let mut members = members.clone();
            members.insert(var, low + place as i64);
            engine.member(entry, families, depth + 1, &members, axes)
        })
    }

    /// The read, once every member is a number.
    fn decided(&mut self, entry: &Entry<'_>, members: &Members, axes: &[At], depth: usize) -> Term {
        let (frame, id) = (entry.frame, entry.value);
        let def = Arc::clone(&self.frames[frame.0].def);
        let shape = &def.value(id).shape;
        let own: Vec<At> = shape
            .iter()
            .zip(&entry.at[depth..])
            .map(|(axis, at)| {
                let low = self.number(frame, &axis.low, members);
                shifted(at.clone(), -low)
            })
            .collect();
        if let Some(arg) = self.argument(frame, id) {
            return self.argument_entry(entry, id, &arg, &entry.at[depth..], own);
        }
        let all = |mut before: Vec<At>| {
            before.extend(axes.iter().cloned());
            before.extend(own.iter().cloned());
            before
        };
        let outer = entry.outer.to_vec();
        match &def.value(id).kind {
            ValueKind::State(_, equation) => {
                let array = self.state_now(entry, id, members, equation.as_ref());
                Term::Read(array, all(outer))
            }
            ValueKind::Param(_) => {
                let array = self.param(frame, id, members);
                match array {
                    Array::Param(_) => {
                        let part = def.value(id).part;
                        let untied = self.untied(frame, part, &outer, axes);
                        Term::Read(array, untied.into_iter().chain(own).collect())
                    }
                    Array::Input(_) | Array::Prev(_) | Array::Value(_) => {
                        Term::Read(array, all(outer))
                    }
                }
            }
            ValueKind::Argument | ValueKind::Emission(_) | ValueKind::Computed(_) => {
                Term::Read(self.value(frame, id, members), all(outer))
            }
        }
    }

    /// What stands for a signature's value in a frame: a given argument, or a default.
    pub(super) fn argument(&self, frame: FrameId, id: ValueId) -> Option<Arg> {
        let frame_ref = &self.frames[frame.0];
        let at = frame_ref.def.params.iter().position(|param| match &param.kind {
            ParamKind::Plain(value, _) | ParamKind::Emit(value) | ParamKind::Param(value) => {
                *value == id
            }
            ParamKind::State(_) | ParamKind::Int(_) | ParamKind::Flag(_) => false,
        })?;
        if let Some(arg) = &frame_ref.args[at] {
            return Some(arg.clone());
        }
        match &frame_ref.def.params[at].kind {
            ParamKind::Plain(_, Some(default)) => {
                let outer = frame_ref.outer.iter().map(|outer| At::var(outer.axis.var)).collect();
                let cx = Cx { frame, env: std::collections::BTreeMap::new(), outer };
                Some(Arg::Closure(cx, Arc::new(default.clone())))
            }
            ParamKind::Plain(_, None)
            | ParamKind::Emit(_)
            | ParamKind::Param(_)
            | ParamKind::State(_)
            | ParamKind::Int(_)
            | ParamKind::Flag(_) => None,
        }
    }

    /// An entry of an argument: read through, or built once where it is more than a read.
    fn argument_entry(
        &mut self,
        entry: &Entry<'_>,
        id: ValueId,
        arg: &Arg,
        natural: &[At],
        own: Vec<At>,
    ) -> Term {
        self.ask(entry.frame, id);
        let canonical = self.is_canonical(entry.frame, entry.outer);
        match arg {
            Arg::Number(value) => Term::Real(*value),
            Arg::Array(array, before) if canonical => {
                Term::Read(*array, before.iter().cloned().chain(own).collect())
            }
            Arg::Closure(cx, expr) if canonical && is_read(expr) => self.term(cx, expr, natural),
            Arg::Array(..) | Arg::Closure(..) => {
                let value = self.value(entry.frame, id, &Members::new());
                Term::Read(value, entry.outer.iter().cloned().chain(own).collect())
            }
        }
    }

    fn is_canonical(&self, frame: FrameId, outer: &[At]) -> bool {
        let own = &self.frames[frame.0].outer;
        own.len() == outer.len()
            && own.iter().zip(outer).all(|(axis, at)| *at == At::var(axis.axis.var))
    }

    // ---- values -----------------------------------------------------------------------------

    /// The array of a value as it is now, built on first use. Its axes are the frame's outer axes, then
    /// families that are axes, then its own.
    pub(super) fn value(&mut self, frame: FrameId, id: ValueId, members: &Members) -> Array {
        let def = Arc::clone(&self.frames[frame.0].def);
        if self.argument(frame, id).is_some() {
            return Array::Value(self.build_argument(frame, id));
        }
        match &def.value(id).kind {
            ValueKind::Emission(_) => Array::Value(self.emission(frame, id, members)),
            ValueKind::Param(_) => self.param(frame, id, members),
            ValueKind::State(..) => {
                self.state(frame, id, members);
                Array::Value(self.final_value(frame, id, members))
            }
            ValueKind::Computed(equation) => {
                Array::Value(self.equation(frame, id, equation, members))
            }
            ValueKind::Argument => Array::Value(0),
        }
    }

    pub(super) fn key(&self, frame: FrameId, value: ValueId, members: &Members) -> Key {
        Key { frame, value, members: members.clone(), start: self.starting.is_some() }
    }

    fn build_argument(&mut self, frame: FrameId, id: ValueId) -> u32 {
        self.ask(frame, id);
        let key = self.key(frame, id, &Members::new());
        if let Some(value) = self.built.get(&key) {
            return *value;
        }
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let mut path = self.frames[frame.0].path.clone();
        join(&mut path, &info.name);
        if self.begin(&key, &path, info.span).is_none() {
            return 0;
        }
        let cx = self.context(frame, PartId(0), &Members::new());
        let own = self.axes(frame, &info.shape, &Members::new());
        let idx = self.natural(&cx, &info.shape, &own);
        let right = match self.argument(frame, id) {
            Some(Arg::Closure(cx, expr)) => self.term(&cx, &expr, &idx),
            Some(Arg::Array(array, before)) => {
                Term::Read(array, before.into_iter().chain(own.iter().map(bare)).collect())
            }
            Some(Arg::Number(value)) => Term::Real(value),
            None => Term::Real(0.0),
        };
        self.end();
        let mut axes: Vec<Axis> =
            self.frames[frame.0].outer.iter().map(|outer| outer.axis.clone()).collect();
        axes.extend(own);
        let sort = self.sort(frame, &info.sort);
        let value = self.push(flat::Value { path, axes, sort, right, span: info.span });
        self.built.insert(key, value);
        value
    }

    /// The axes a value has besides its own.
    pub(super) fn leading(&mut self, frame: FrameId, part: PartId, members: &Members) -> Vec<Axis> {
        let mut axes: Vec<Axis> =
            self.frames[frame.0].outer.iter().map(|outer| outer.axis.clone()).collect();
        for (owner, var) in self.families(frame, part) {
            if !self.frames[frame.0].def.part(owner).in_order {
                axes.push(self.family_axis(frame, var, members));
            }
        }
        axes
    }

    /// Builds the equation of a value for given members (of the part the equation stands in).
    fn equation(
        &mut self,
        frame: FrameId,
        id: ValueId,
        equation: &Equation,
        members: &Members,
    ) -> u32 {
        let key = self.key(frame, id, members);
        if let Some(value) = self.built.get(&key) {
            return *value;
        }
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let mut path = self.part_path(frame, equation.part, members);
        join(&mut path, &info.name);
        if self.begin(&key, &path, info.span).is_none() {
            return 0;
        }
        let mut axes = self.leading(frame, info.part, members);
        let own = self.axes(frame, &info.shape, members);
        let mut cx = self.context(frame, equation.part, members);
        let idx = self.natural(&cx, &info.shape, &own);
        let right = self.right(&mut cx, equation, &idx);
        self.end();
        axes.extend(self.named_axes(frame, equation, own));
        let sort = self.sort(frame, &info.sort);
        let value = self.push(flat::Value { path, axes, sort, right, span: equation.span });
        self.claim_value(frame, id, value, equation);
        self.built.insert(key, value);
        value
    }

    /// Own axes with the author's index names.
    fn named_axes(&self, frame: FrameId, equation: &Equation, mut own: Vec<Axis>) -> Vec<Axis> {
        let (Left::Bare(vars) | Left::Permuted(vars, ..)) = &equation.left;
        for (axis, var) in own.iter_mut().zip(vars) {
            axis.name.clone_from(&self.frames[frame.0].def.var(*var).name);
        }
        own
    }

    fn right(&mut self, cx: &mut Cx, equation: &Equation, idx: &[At]) -> Term {
        match &equation.left {
            Left::Bare(vars) => {
                for (var, at) in vars.iter().zip(idx) {
                    cx.env.insert(*var, at.clone());
                }
                self.term(cx, &equation.right, &idx[vars.len()..])
            }
            Left::Permuted(vars, order, last) => {
                for (var, at) in vars.iter().zip(idx) {
                    cx.env.insert(*var, at.clone());
                }
                let axis = self.bind(cx, *last);
                let place = Box::new(self.term(cx, order, &[]));
                let right = match &idx[vars.len()] {
                    At::Linear(linear) => linear.clone(),
                    At::Digit { .. } | At::Value(_) => Linear::default(),
                };
                let when = vec![Cond { left: At::Value(place), rel: Rel::Eq, right }];
                let body = Box::new(self.term(cx, &equation.right, &idx[vars.len() + 1..]));
                Term::Fold { fold: Fold::Sum, over: vec![axis], when, body }
            }
        }
    }

    // ---- states -----------------------------------------------------------------------------

    /// The array that a read of a state means: one step ago, now, or in between where it is passed
    /// along inside families.
    fn state_now(
        &mut self,
        entry: &Entry<'_>,
        id: ValueId,
        members: &Members,
        equation: Option<&Equation>,
    ) -> Array {
        let frame = entry.frame;
        let state = self.state(frame, id, members);
        let def = Arc::clone(&self.frames[frame.0].def);
        let owner = def.value(id).part;
        let chain: Vec<PartId> = match equation {
            Some(equation) => {
                let mut chain: Vec<PartId> =
                    def.around(equation.part).take_while(|part| *part != owner).collect();
                chain.reverse();
                chain
            }
            None => Vec::new(),
        };
        let (Some(equation), Some((cx, part))) = (equation, entry.reader) else {
            if entry.prev {
                return Array::Prev(state);
            }
            return Array::Value(self.final_value(frame, id, members));
        };
        if chain.is_empty() {
            if entry.prev {
                return Array::Prev(state);
            }
            return Array::Value(self.equation(frame, id, equation, members));
        }
        let here: Vec<PartId> = def.around(part).collect();
        let inside = chain.first().is_some_and(|first| here.contains(first));
        let updates = self.updates(frame, equation.part);
        let mine = self.own_members(cx, members, chain.iter().take_while(|p| here.contains(p)));
        let place = mine.and_then(|mine| match (entry.prev, inside) {
            (true, true) => updates.before(members, &mine),
            (true, false) => None,
            (false, _) => updates.last(&mine),
        });
        match place {
            Some(one) => Array::Value(self.equation(frame, id, equation, one)),
            None => Array::Prev(state),
        }
    }

    /// The members of the families of some parts that a context lies in, besides those around them;
    /// nothing if it lies in none of them.
    fn own_members<'a>(
        &self,
        cx: &Cx,
        around: &Members,
        parts: impl Iterator<Item = &'a PartId>,
    ) -> Option<Members> {
        let (def, fixed) = (&self.frames[cx.frame.0].def, Self::fixed(cx));
        let mut mine = around.clone();
        for part in parts.map(|part| def.part(*part)) {
            let Some(var) = part.family else { continue };
            match (part.in_order, fixed.get(&var)) {
                (true, Some(at)) => drop(mine.insert(var, *at)),
                (false, None) => {}
                (true, None) | (false, Some(_)) => return None,
            }
        }
        Some(mine)
    }

    /// The value a state takes after the step.
    pub(super) fn final_value(&mut self, frame: FrameId, id: ValueId, members: &Members) -> u32 {
        let def = Arc::clone(&self.frames[frame.0].def);
        let ValueKind::State(_, Some(equation)) = &def.value(id).kind else { return 0 };
        if equation.part == def.value(id).part {
            return self.equation(frame, id, equation, members);
        }
        match self.updates(frame, equation.part).last(members) {
            Some(last) => self.equation(frame, id, equation, last),
            None => self.kept(frame, id, members),
        }
    }

    /// A state that a family without members never updates.
    fn kept(&mut self, frame: FrameId, id: ValueId, members: &Members) -> u32 {
        let state = self.state(frame, id, members);
        let one = self.model.states[state as usize].clone();
        let at = one.axes.iter().map(bare).collect();
        let right = Term::Read(Array::Prev(state), at);
        let (path, axes, sort, span) = (one.path, one.axes, one.sort, one.span);
        self.push(flat::Value { path, axes, sort, right, span })
    }

    /// The number of a state, declared on first use.
    pub(super) fn state(&mut self, frame: FrameId, id: ValueId, members: &Members) -> u32 {
        let key = Key { frame, value: id, members: members.clone(), start: false };
        if let Some(state) = self.states.get(&key) {
            return *state;
        }
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let mut path = self.part_path(frame, info.part, members);
        join(&mut path, &info.name);
        let mut axes = self.leading(frame, info.part, members);
        let own = self.axes(frame, &info.shape, members);
        axes.extend(own.clone());
        let sort = self.sort(frame, &info.sort);
        let state = self.model.states.len() as u32;
        self.model.states.push(flat::State {
            path: path.clone(),
            axes: axes.clone(),
            sort,
            start: Term::Real(0.0),
            draw: None,
            next: 0,
            span: info.span,
        });
        self.claim_state(frame, id, state);
        self.states.insert(key.clone(), state);
        self.waiting.push(key);
        let starting = Starting { path, axes, own: own.len(), span: info.span };
        let outer = self.starting.replace(starting);
        let start = self.start_term(frame, id, members, &own);
        self.starting = outer;
        let (start, draw) = match start {
            First::Term(start) => (start, None),
            First::Draw(draw) => (Term::Real(0.0), Some(draw)),
        };
        self.model.states[state as usize].draw = draw;
        self.starts_inside(state, &start);
        self.model.states[state as usize].start = start;
        state
    }
}
