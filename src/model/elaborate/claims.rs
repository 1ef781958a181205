//! Claims: what is recorded of domains while a model is built.

use std::sync::Arc;

use super::super::claim::{Claim, Claimed};
use super::super::flat::{Array, At, Term};
use super::super::typed::{Domain, Equation, ParamKind, PartId, ValueId};
use super::frames::{Arg, bare, join};
use super::{Engine, FrameId, Members};

impl Engine<'_> {
    /// Records the claim of a value that an equation gives.
    pub(super) fn claim_value(&mut self, frame: FrameId, id: ValueId, made: u32, by: &Equation) {
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let passed = by.part != info.part;
        let state = matches!(info.kind, super::ValueKind::State(..));
        // What a state is after its last update is claimed with the state itself.
        if info.domain == Domain::REAL || self.starting.is_some() || (state && !passed) {
            return;
        }
        let value = &self.model.values[made as usize];
        let at = value.axes.iter().map(bare).collect();
        self.claims.all.push(Claim {
            path: value.path.clone(),
            kind: Claimed::Value,
            domain: info.domain.clone(),
            axes: value.axes.clone(),
            term: Term::Read(Array::Value(made), at),
            declared: info.span,
            place: by.span,
        });
    }

    /// Records the claim of a state, and whether a caller may start it elsewhere.
    pub(super) fn claim_state(&mut self, frame: FrameId, id: ValueId, state: u32) {
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let own = |kind: &ParamKind| matches!(kind, ParamKind::State(value) if *value == id);
        let offered = def.params.iter().any(|param| own(&param.kind));
        if self.setting.alone && frame == FrameId(0) && offered {
            self.claims.free.push((state, info.domain.clone()));
        }
        if info.domain == Domain::REAL {
            return;
        }
        let one = &self.model.states[state as usize];
        let at = one.axes.iter().map(bare).collect();
        self.claims.all.push(Claim {
            path: one.path.clone(),
            kind: Claimed::State(state),
            domain: info.domain.clone(),
            axes: one.axes.clone(),
            term: Term::Read(Array::Prev(state), at),
            declared: info.span,
            place: info.span,
        });
    }

    /// Notes that an argument of a call is read, so that what its domain says of it is claimed.
    pub(super) fn ask(&mut self, frame: FrameId, id: ValueId) {
        let of_call = self.frames[frame.0].caller.is_some();
        let real = self.frames[frame.0].def.value(id).domain == Domain::REAL;
        if of_call && !real && self.starting.is_none() && !self.asked.contains(&(frame, id)) {
            self.asked.push((frame, id));
        }
    }

    /// The claims of all arguments that were read. What a claim would have to build is not claimed.
    pub(super) fn claim_arguments(&mut self) {
        let built = |engine: &Self| {
            let model = &engine.model;
            (model.values.len(), model.params.len(), model.states.len(), model.emissions.len())
        };
        let before = built(self);
        for (frame, id) in std::mem::take(&mut self.asked) {
            let claim = self.argument_claim(frame, id);
            if built(self) != before {
                break;
            }
            self.claims.all.extend(claim);
        }
        self.model.values.truncate(before.0);
        self.model.params.truncate(before.1);
        self.model.states.truncate(before.2);
        self.model.emissions.truncate(before.3);
    }

    fn argument_claim(&mut self, frame: FrameId, id: ValueId) -> Option<Claim> {
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let Some(Arg::Closure(cx, expr)) = self.argument(frame, id) else { return None };
        let mut path = self.frames[frame.0].path.clone();
        join(&mut path, &info.name);
        let members = Members::new();
        let own = self.axes(frame, &info.shape, &members);
        let mut axes: Vec<_> =
            self.frames[frame.0].outer.iter().map(|outer| outer.axis.clone()).collect();
        let key = self.key(frame, id, &members);
        let term = if let Some(value) = self.built.get(&key) {
            let at: Vec<At> = axes.iter().chain(&own).map(bare).collect();
            Term::Read(Array::Value(*value), at)
        } else {
            let here = self.context(frame, PartId(0), &members);
            let idx = self.natural(&here, &info.shape, &own);
            self.term(&cx, &expr, &idx)
        };
        axes.extend(own);
        let (domain, declared) = (info.domain.clone(), info.span);
        Some(Claim {
            path,
            kind: Claimed::Argument,
            domain,
            axes,
            term,
            declared,
            place: expr.span,
        })
    }
}
