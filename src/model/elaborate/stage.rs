//! Stages: functions of each number between an affine map and its squash, and maps into a domain.

use std::sync::Arc;

use crate::source::Span;

use super::super::errors;
use super::super::flat::{self, Array, Axis, Term};
use super::super::int::Test;
use super::super::typed::{Call, Pointwise, Stage};
use super::frames::{Arg, Frame, Outer, bare, join};
use super::{Cx, Engine, FrameId, Members};

impl Engine<'_> {
    /// The stage between the map and the squash.
    pub(super) fn staged(
        &mut self,
        raw: Term,
        through: Option<&(Cx, Stage)>,
        path: &str,
        axes: &[Axis],
        span: Span,
    ) -> Term {
        match through {
            None => raw,
            Some((cx, stage)) => self.apply(cx, stage, raw, (path, axes, span)),
        }
    }

    /// A function of each number of an array at its axes.
    pub(super) fn apply(
        &mut self,
        cx: &Cx,
        stage: &Stage,
        raw: Term,
        (path, axes, span): (&str, &[Axis], Span),
    ) -> Term {
        match &stage.function {
            Pointwise::Scalar(function) => {
                let mut all = vec![raw];
                all.extend(stage.args.iter().map(|arg| self.term(cx, arg, &[])));
                Term::Map(*function, all)
            }
            Pointwise::Def(call) => {
                let sort = flat::Sort::Real;
                let mapped = flat::Value {
                    path: format!("{path}.{}.in", call.name),
                    axes: axes.to_vec(),
                    sort,
                    right: raw,
                    span,
                };
                let raw = self.push(mapped);
                let frame = self.pointwise_frame(cx, call, (path, axes), raw);
                let result = self.frames[frame.0].def.result;
                let value = self.value(frame, result, &Members::new());
                Term::Read(value, axes.iter().map(bare).collect())
            }
        }
    }

    /// The frame of a definition applied to each number of an array: the array's axes are around it.
    fn pointwise_frame(
        &mut self,
        cx: &Cx,
        call: &Call,
        (path, axes): (&str, &[Axis]),
        array: u32,
    ) -> FrameId {
        let def = Arc::clone(&self.checked.defs[call.def.0 as usize]);
        let fixed = Self::fixed(cx);
        let mut path = path.to_owned();
        join(&mut path, &call.name);
        let mut frame = Frame::new(def, path);
        frame.outer = axes.iter().map(|axis| Outer { axis: axis.clone(), tied: true }).collect();
        for (at, list) in call.dims.iter().enumerate() {
            frame.dims[at] = list.iter().map(|poly| self.number(cx.frame, poly, &fixed)).collect();
        }
        for (at, test) in call.flags.iter().enumerate() {
            let decided = self.frames[cx.frame.0].decided(test, &fixed);
            frame.flags[at] = matches!(decided, Test::Known(true));
        }
        for (at, arg) in call.args.iter().enumerate() {
            let Some(arg) = arg else { continue };
            if at == 0 {
                let places = axes.iter().map(bare).collect();
                frame.args[at] = Some(Arg::Array(Array::Value(array), places));
            } else if let Term::Real(value) = self.term(cx, arg, &[]) {
                frame.args[at] = Some(Arg::Number(value));
            } else {
                self.sink.push(errors::wrong_sort(arg.span, "a number", "something else"));
            }
        }
        frame.called = self.frames[cx.frame.0].called.or(Some(call.span));
        self.enter(frame)
    }
}
