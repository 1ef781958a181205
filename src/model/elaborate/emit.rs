//! Emissions and params: what is learned, and the affine maps made of it.

use std::sync::Arc;

use crate::source::Span;

use super::super::errors;
use super::super::flat::{self, Array, At, Axis, Draw, Emission, Fold, Linear, Term};
use super::super::typed::{
    Domain, Expr, ExprKind, Extent, PartId, Stage, Start, ValueId, ValueKind,
};
use super::frames::{bare, join};
use super::given::Replaced;
use super::term::is_read;
use super::{Cx, Engine, FrameId, Members};
use crate::op::scalar::{ADD, DIV, EXP, LOG, MUL, SUB};

/// The vector an emission is a map of.
struct Vector {
    /// Its axes, fresh.
    axes: Vec<Axis>,
    /// Its entry at those axes.
    term: Term,
    through: Option<(Cx, Stage)>,
}

impl Engine<'_> {
    /// Builds an emission: affine map, stage, squash.
    pub(super) fn emission(&mut self, frame: FrameId, id: ValueId, members: &Members) -> u32 {
        let key = self.key(frame, id, members);
        if let Some(value) = self.built.get(&key) {
            return *value;
        }
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let mut path = self.part_path(frame, info.part, members);
        join(&mut path, &info.name);
        if self.begin(&key, &path, info.span).is_none() {
            return 0;
        }
        let cx = self.context(frame, info.part, members);
        let leading = self.leading(frame, info.part, members);
        let own = self.axes(frame, &info.shape, members);
        let mut axes = leading.clone();
        axes.extend(own.clone());
        let given = self.replaced((frame, id), members, &path, &leading, &own);
        let value = match &given.whole {
            Some((numbers, span)) => {
                let (sort, right) = (flat::Sort::Real, numbers.clone());
                let path = if given.is_partial() { format!("{path}.others") } else { path.clone() };
                Some(self.push(flat::Value { path, axes: axes.clone(), sort, right, span: *span }))
            }
            None => self.emitted((frame, id), members, &cx, &path, (&leading, &own), &given),
        };
        let Some(mut value) = value else {
            self.sink.push(errors::no_controller(info.span, &info.name, &[]));
            self.end();
            return 0;
        };
        if given.is_partial() {
            self.raws.remove(&key);
            let at = axes.iter().map(bare).collect();
            let right = given.or(Term::Read(Array::Value(value), at));
            let sort = flat::Sort::Real;
            value = self.push(flat::Value { path, axes, sort, right, span: info.span });
        }
        self.end();
        self.built.insert(key, value);
        value
    }

    /// An emission as it is written: affine map, stage, squash. Nothing where nothing encloses it.
    fn emitted(
        &mut self,
        (frame, id): (FrameId, ValueId),
        members: &Members,
        cx: &Cx,
        path: &str,
        (leading, own): (&[Axis], &[Axis]),
        given: &Replaced,
    ) -> Option<u32> {
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let ValueKind::Emission(emission) = &info.kind else { return None };
        let axes: Vec<Axis> = leading.iter().chain(own).cloned().collect();
        // Members that have numbers are put in place of the others afterwards.
        let named = if given.is_partial() { format!("{path}.others") } else { path.to_owned() };
        if self.setting.alone && emission.from.is_none() && !self.has_controller(frame, info.part) {
            return Some(self.emitted_elsewhere(&named, axes, &info.domain, info.span));
        }
        let mut vector = match &emission.from {
            Some(from) => self.written(cx, from, members, path),
            None => self.controlled(frame, info.part, cx),
        }?;
        if let Some(stage) = &emission.through {
            vector.through = Some((cx.clone(), stage.clone()));
        }
        let points = axes.iter().map(|axis| u64::from(axis.size)).product();
        let interface = emission.from.is_none();
        self.model.emissions.push(Emission { path: path.to_owned(), size: points, interface });
        let mut param_path = self.param_path(frame, info.part, members);
        join(&mut param_path, &info.name);
        let start = emission.start.as_deref();
        let raw = self.affine(cx, id, &param_path, leading, own, &vector, start);
        let raw = self.staged(raw, vector.through.as_ref(), path, &axes, info.span);
        Some(self.squashed(cx, id, named, axes, own, raw))
    }

    /// An emission of a definition without a caller: an input.
    fn emitted_elsewhere(
        &mut self,
        path: &str,
        axes: Vec<Axis>,
        domain: &Domain,
        span: Span,
    ) -> u32 {
        let own = axes.iter().map(|axis| Axis { var: self.fresh(), ..axis.clone() }).collect();
        let (input, sort) = (self.model.inputs.len() as u32, flat::Sort::Real);
        self.model.inputs.push(flat::Input { path: path.to_owned(), axes: own, sort });
        self.claims.inputs.push(domain.clone());
        let right = Term::Read(Array::Input(input), axes.iter().map(bare).collect());
        self.push(flat::Value { path: path.to_owned(), axes, sort, right, span })
    }

    /// Whether a controller encloses a part, here or where it was called.
    fn has_controller(&self, frame: FrameId, part: PartId) -> bool {
        let (mut frame, mut part) = (frame, part);
        loop {
            let def = &self.frames[frame.0].def;
            if def.around(part).any(|part| def.part(part).controller.is_some()) {
                return true;
            }
            let Some((cx, at)) = &self.frames[frame.0].caller else { return false };
            (frame, part) = (cx.frame, *at);
        }
    }

    /// The vector of `emit .. from e`.
    fn written(&mut self, cx: &Cx, from: &Expr, members: &Members, path: &str) -> Option<Vector> {
        let axes = {
            let fixed = Self::fixed(cx);
            self.axes(cx.frame, &from.shape, &fixed)
        };
        let places = self.natural(cx, &from.shape, &axes);
        if is_read(from) {
            let term = self.term(cx, from, &places);
            return Some(Vector { axes, term, through: None });
        }
        // Several emissions from one vector share it.
        let key = (cx.frame, from.span, members.clone());
        let value = match self.sources.get(&key) {
            Some(value) => *value,
            None => {
                let part_axes: Vec<Axis> = self.context_axes(cx);
                let own = self.axes(cx.frame, &from.shape, members);
                let idx = self.natural(cx, &from.shape, &own);
                let right = self.term(cx, from, &idx);
                let mut all = part_axes;
                all.extend(own);
                let path = format!("{path}.from");
                let sort = flat::Sort::Real;
                let value =
                    self.push(flat::Value { path, axes: all, sort, right, span: from.span });
                self.sources.insert(key, value);
                value
            }
        };
        let mut at: Vec<At> = self.context_axes(cx).iter().map(bare).collect();
        at.extend(axes.iter().map(bare));
        Some(Vector { axes, term: Term::Read(Array::Value(value), at), through: None })
    }

    /// The axes a context stands under: outer ones and families that are axes.
    fn context_axes(&mut self, cx: &Cx) -> Vec<Axis> {
        let mut axes: Vec<Axis> =
            self.frames[cx.frame.0].outer.iter().map(|outer| outer.axis.clone()).collect();
        let fixed = Self::fixed(cx);
        let vars: Vec<_> = cx.env.keys().copied().filter(|var| !fixed.contains_key(var)).collect();
        for var in vars {
            axes.push(self.family_axis(cx.frame, var, &fixed));
        }
        axes
    }

    /// The output of the nearest controller: in this frame, else where it was called.
    fn controlled(&mut self, frame: FrameId, part: PartId, cx: &Cx) -> Option<Vector> {
        let (mut frame, mut part, mut cx) = (frame, part, cx.clone());
        loop {
            let def = Arc::clone(&self.frames[frame.0].def);
            if let Some(home) = def.around(part).find(|part| def.part(*part).controller.is_some()) {
                let controller = def.part(home).controller.clone()?;
                let shape = def.value(controller.value).shape.clone();
                let fixed = Self::fixed(&cx);
                let axes = self.axes(frame, &shape, &fixed);
                let mut at: Vec<At> = self
                    .families(frame, home)
                    .iter()
                    .filter_map(|(_, var)| cx.env.get(var).cloned())
                    .collect();
                at.extend(self.natural(&cx, &shape, &axes));
                let term = self.read(&cx, controller.value, &[], false, home, &at);
                let through = controller.through.map(|stage| (cx.clone(), stage));
                return Some(Vector { axes, term, through });
            }
            let (caller, at) = self.frames[frame.0].caller.clone()?;
            cx = self.rebased(&caller, frame, &cx.outer);
            frame = cx.frame;
            part = at;
        }
    }

    /// A caller's context with the frame's outer axes replaced by what a reader has for them.
    fn rebased(&self, caller: &Cx, frame: FrameId, outer: &[At]) -> Cx {
        let own = &self.frames[frame.0].outer;
        let by = |at: &At| match at {
            At::Linear(linear) => At::Linear(linear.substitute(&|var| {
                let place = own.iter().position(|axis| axis.axis.var == var);
                match place.and_then(|place| outer.get(place)) {
                    Some(At::Linear(linear)) => linear.clone(),
                    Some(At::Digit { .. } | At::Value(_)) | None => Linear::var(var),
                }
            })),
            At::Digit { .. } | At::Value(_) => at.clone(),
        };
        Cx {
            frame: caller.frame,
            env: caller.env.iter().map(|(var, at)| (*var, by(at))).collect(),
            outer: caller.outer.iter().map(by).collect(),
        }
    }

    /// The affine map: weights and bias, and their term over the emission's axes.
    #[expect(clippy::too_many_arguments, reason = "an emission is all of these")]
    fn affine(
        &mut self,
        cx: &Cx,
        id: ValueId,
        path: &str,
        leading: &[Axis],
        own: &[Axis],
        vector: &Vector,
        start: Option<&Expr>,
    ) -> Term {
        let def = Arc::clone(&self.frames[cx.frame.0].def);
        let info = def.value(id);
        let mut block: Vec<Axis> = self.learned_axes(cx.frame, info.part, leading);
        block.extend(own.iter().cloned());
        let inputs = vector.axes.iter().fold(1u32, |all, axis| all.saturating_mul(axis.size));
        let mut weight_axes = block.clone();
        weight_axes.push(Axis {
            var: self.fresh(),
            name: "z".to_owned(),
            dim: String::new(),
            size: inputs,
        });
        let bound = 1.0 / f64::from(inputs.max(1)).sqrt();
        let bias_start = match start {
            None => Draw::Fixed(Term::Real(0.0)),
            Some(expr) => Draw::Fixed(self.inverse(cx, &info.domain, expr, own)),
        };
        let draw = Draw::Uniform(-bound, bound);
        let at = (cx.frame, info.part);
        let weight = self.declare_param(format!("{path}.weight"), weight_axes, draw, info.span, at);
        let bias =
            self.declare_param(format!("{path}.bias"), block.clone(), bias_start, info.span, at);
        let mut place = Linear::default();
        let mut step = i64::from(inputs);
        for axis in &vector.axes {
            step /= i64::from(axis.size.max(1));
            place = place.plus(&Linear::var(axis.var).times(step));
        }
        let at: Vec<At> = block.iter().map(bare).collect();
        let mut weight_at = at.clone();
        weight_at.push(At::Linear(place));
        let product =
            Term::Map(MUL, vec![Term::Read(Array::Param(weight), weight_at), vector.term.clone()]);
        let sum = Term::Fold {
            fold: Fold::Sum,
            over: vector.axes.clone(),
            when: Vec::new(),
            body: Box::new(product),
        };
        Term::Map(ADD, vec![sum, Term::Read(Array::Param(bias), at)])
    }

    /// Leading axes that parameters have too: those not above a `tied` part.
    fn learned_axes(&mut self, frame: FrameId, part: PartId, leading: &[Axis]) -> Vec<Axis> {
        let tied = self.tied_depth(frame, part);
        let outer = self.frames[frame.0].outer.clone();
        let families: Vec<_> = self
            .families(frame, part)
            .into_iter()
            .filter(|(owner, _)| !self.frames[frame.0].def.part(*owner).in_order)
            .collect();
        let keep_outer = outer.iter().map(|outer| !outer.tied && tied.is_none());
        let keep_family = families.iter().map(|(_, var)| !self.is_above(frame, *var, tied));
        let keep: Vec<bool> = keep_outer.chain(keep_family).collect();
        leading.iter().zip(keep).filter(|(_, keep)| *keep).map(|(axis, _)| axis.clone()).collect()
    }

    /// Of the indices for outer axes and families, those that a parameter has.
    pub(super) fn untied(
        &mut self,
        frame: FrameId,
        part: PartId,
        outer: &[At],
        axes: &[At],
    ) -> Vec<At> {
        let all: Vec<At> = outer.iter().chain(axes).cloned().collect();
        let count = all.len() as u32;
        let numbered: Vec<Axis> = (0..count)
            .map(|at| Axis { var: flat::Var(at), name: String::new(), dim: String::new(), size: 1 })
            .collect();
        let kept = self.learned_axes(frame, part, &numbered);
        kept.iter().map(|axis| all[axis.var.0 as usize].clone()).collect()
    }

    fn declare_param(
        &mut self,
        path: String,
        axes: Vec<Axis>,
        start: Draw,
        span: crate::source::Span,
        at: (FrameId, PartId),
    ) -> u32 {
        if let Some(param) = self.params.get(&path).copied() {
            let sizes = |axes: &[Axis]| axes.iter().map(|axis| axis.size).collect::<Vec<_>>();
            let known = sizes(&self.model.params[param as usize].axes);
            if known != sizes(&axes) {
                let (span, part) = self.tie(at).unwrap_or_else(|| (span, path.clone()));
                self.sink.push(errors::tied_differ(span, &part, &path, &known, &sizes(&axes)));
            }
            return param;
        }
        let param = self.model.params.len() as u32;
        self.params.insert(path.clone(), param);
        self.model.params.push(flat::Param { path, axes, start, span });
        param
    }

    /// The value of an emission from its raw term; keeps the raw one where it is squashed.
    fn squashed(
        &mut self,
        cx: &Cx,
        id: ValueId,
        path: String,
        axes: Vec<Axis>,
        own: &[Axis],
        raw: Term,
    ) -> u32 {
        let def = Arc::clone(&self.frames[cx.frame.0].def);
        let info = def.value(id);
        let (span, sort) = (info.span, flat::Sort::Real);
        if info.domain == Domain::REAL && info.via.is_none() {
            return self.push(flat::Value { path, axes, sort, right: raw, span });
        }
        let raw_path = format!("{path}.raw");
        let raw =
            self.push(flat::Value { path: raw_path, axes: axes.clone(), sort, right: raw, span });
        let key = self.key(cx.frame, id, &Self::fixed(cx));
        self.raws.insert(key, raw);
        let leading: Vec<At> = axes[..axes.len() - own.len()].iter().map(bare).collect();
        let right = match &info.via {
            Some(stage) => {
                let at = axes.iter().map(bare).collect();
                let raw = Term::Read(Array::Value(raw), at);
                self.apply(cx, stage, raw, (&path, &axes, span))
            }
            None => self.squash_array(cx, &info.domain, &info.shape, own, raw, &leading),
        };
        self.push(flat::Value { path, axes, sort, right, span })
    }

    /// The squash of a whole value, over fresh axes.
    pub(super) fn squash_array(
        &mut self,
        cx: &Cx,
        domain: &Domain,
        shape: &[Extent],
        own: &[Axis],
        raw: u32,
        leading: &[At],
    ) -> Term {
        let idx = self.natural(cx, shape, own);
        let fixed = Self::fixed(cx);
        let lows: Vec<i64> =
            shape.iter().map(|axis| self.number(cx.frame, &axis.low, &fixed)).collect();
        self.squash(cx, domain, shape, &idx, &mut |_, places| {
            let own = places.iter().zip(&lows).map(|(at, low)| super::shifted(at.clone(), -low));
            Term::Read(Array::Value(raw), leading.iter().cloned().chain(own).collect())
        })
    }

    // ---- params -----------------------------------------------------------------------------

    /// A `param`: the learned array, or its squash where it has a domain.
    pub(super) fn param(&mut self, frame: FrameId, id: ValueId, members: &Members) -> Array {
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let ValueKind::Param(start) = &info.kind else { return Array::Param(0) };
        let mut path = self.param_path(frame, info.part, members);
        join(&mut path, &info.name);
        let leading = self.leading(frame, info.part, members);
        let own = self.axes(frame, &info.shape, members);
        let cx = self.context(frame, info.part, members);
        let mut axes = self.learned_axes(frame, info.part, &leading);
        axes.extend(own.clone());
        let draw = self.draw(&cx, start, &info.domain, &own);
        let param =
            self.declare_param(path.clone(), axes.clone(), draw, info.span, (frame, info.part));
        if info.domain == Domain::REAL {
            return Array::Param(param);
        }
        let key = self.key(frame, id, members);
        if let Some(value) = self.built.get(&key) {
            return Array::Value(*value);
        }
        let kept = axes[..axes.len() - own.len()].iter().map(bare).collect::<Vec<At>>();
        let idx = self.natural(&cx, &info.shape, &own);
        let right = self.squash(&cx, &info.domain, &info.shape, &idx, &mut |_, places| {
            Term::Read(
                Array::Param(param),
                kept.iter().cloned().chain(places.iter().cloned()).collect(),
            )
        });
        let mut axes = leading;
        axes.extend(own);
        let sort = flat::Sort::Real;
        let value = self.push(flat::Value { path, axes, sort, right, span: info.span });
        self.built.insert(key, value);
        Array::Value(value)
    }

    fn draw(&mut self, cx: &Cx, start: &Start, domain: &Domain, own: &[Axis]) -> Draw {
        let expr = match start {
            Start::Default => {
                // A matrix by its fan-in, anything smaller from 0.
                return match own {
                    [.., _, last] => {
                        let bound = 1.0 / f64::from(last.size.max(1)).sqrt();
                        Draw::Uniform(-bound, bound)
                    }
                    _ => Draw::Fixed(Term::Real(0.0)),
                };
            }
            Start::Value(expr) => expr,
        };
        if let ExprKind::Draw(low, high) = &expr.kind {
            return self.drawn(cx, (low, high.as_deref()), expr.span);
        }
        Draw::Fixed(self.inverse(cx, domain, expr, own))
    }

    /// The raw start whose squash is the natural one.
    fn inverse(&mut self, cx: &Cx, domain: &Domain, expr: &Expr, own: &[Axis]) -> Term {
        let idx = self.natural(cx, &expr.shape, own);
        let term = self.term(cx, expr, &idx);
        let Term::Real(value) = term else { return inverse_term(domain, term) };
        let logit = |p: f64| (p / (1.0 - p)).ln();
        let softplus = |y: f64| y + (-(-y).exp_m1()).ln();
        Term::Real(match domain {
            Domain::Real(None, None) | Domain::Weighting | Domain::Sphere => value,
            Domain::Real(Some(low), Some(high)) if (*low, *high) == (-1.0, 1.0) => value.atanh(),
            Domain::Real(Some(low), Some(high)) => logit((value - low) / (high - low)),
            Domain::Real(Some(low), None) => softplus(value - low),
            Domain::Real(None, Some(high)) => softplus(high - value),
            Domain::Simplex => value.ln(),
        })
    }

    /// `learned`: the anonymous param of the state that starts.
    pub(super) fn learned(
        &mut self,
        cx: &Cx,
        domain: &Domain,
        shape: &[Extent],
        idx: &[At],
    ) -> Term {
        let Some(starting) = self.starting.clone() else { return Term::Real(0.0) };
        let path = format!("{}.start", starting.path);
        // Not 0, so that rows that are treated alike do not stay alike.
        let (axes, at) = (starting.axes.clone(), (cx.frame, PartId(0)));
        let param = self.declare_param(path, axes, Draw::Normal(0.1), starting.span, at);
        let leading: Vec<At> =
            starting.axes[..starting.axes.len() - starting.own].iter().map(bare).collect();
        let fixed = Self::fixed(cx);
        let lows: Vec<i64> =
            shape.iter().map(|axis| self.number(cx.frame, &axis.low, &fixed)).collect();
        self.squash(cx, domain, shape, idx, &mut |_, places| {
            let own = places.iter().zip(&lows).map(|(at, low)| super::shifted(at.clone(), -low));
            Term::Read(Array::Param(param), leading.iter().cloned().chain(own).collect())
        })
    }
}

/// The inverse of a squash, as a term.
fn inverse_term(domain: &Domain, value: Term) -> Term {
    let map = |scalar, args| Term::Map(scalar, args);
    let minus = |left, right| map(SUB, vec![left, right]);
    let log = |term| map(LOG, vec![term]);
    let logit = |low: f64, high: f64| {
        let (below, above) = (Term::Real(low), Term::Real(high));
        log(map(DIV, vec![minus(value.clone(), below), minus(above, value.clone())]))
    };
    let softplus = |y: Term| {
        let rest = map(EXP, vec![minus(Term::Real(0.0), y.clone())]);
        map(ADD, vec![y, log(minus(Term::Real(1.0), rest))])
    };
    match domain {
        Domain::Real(None, None) | Domain::Weighting | Domain::Sphere => value,
        // tanh is a sigmoid of twice its argument, stretched.
        Domain::Real(Some(low), Some(high)) if (*low, *high) == (-1.0, 1.0) => {
            map(MUL, vec![Term::Real(0.5), logit(*low, *high)])
        }
        Domain::Real(Some(low), Some(high)) => logit(*low, *high),
        Domain::Real(Some(low), None) => softplus(minus(value, Term::Real(*low))),
        Domain::Real(None, Some(high)) => softplus(minus(Term::Real(*high), value)),
        Domain::Simplex => log(value),
    }
}
