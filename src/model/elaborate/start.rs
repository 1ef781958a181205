//! First states: drawn anew in every episode, or a term; whole numbers must be positions of their axis.

use std::sync::Arc;

use super::super::flat::{self, At, Axis, Draw, Term};
use super::super::typed::{Expr, ExprKind, ParamKind, Start, ValueId, ValueKind};
use super::super::{errors, point};
use super::frames::Arg;
use super::{Cx, Engine, FrameId, Members};

/// How a state starts.
pub(super) enum First {
    /// At what this is.
    Term(Term),
    /// At numbers drawn for every episode.
    Draw(Draw),
}

impl Engine<'_> {
    /// The start of a state: what the caller gives, or what is written.
    pub(super) fn start_term(
        &mut self,
        frame: FrameId,
        id: ValueId,
        members: &Members,
        own: &[Axis],
    ) -> First {
        let def = Arc::clone(&self.frames[frame.0].def);
        let at = def
            .params
            .iter()
            .position(|param| matches!(param.kind, ParamKind::State(value) if value == id));
        let given = at.and_then(|at| self.frames[frame.0].args[at].clone());
        let info = def.value(id);
        let cx = self.context(frame, info.part, members);
        let idx = self.natural(&cx, &info.shape, own);
        match (given, &info.kind) {
            (Some(Arg::Closure(cx, expr)), _) => self.first(&cx, &expr, &idx),
            (_, ValueKind::State(Start::Value(expr), _)) => self.first(&cx, expr, &idx),
            _ => First::Term(Term::Real(0.0)),
        }
    }

    /// A start: a draw where it is nothing else.
    pub(super) fn first(&mut self, cx: &Cx, expr: &Expr, idx: &[At]) -> First {
        if let ExprKind::Draw(low, high) = &expr.kind {
            return First::Draw(self.drawn(cx, (low, high.as_deref()), expr.span));
        }
        First::Term(self.term(cx, expr, idx))
    }

    /// The numbers of a draw.
    pub(super) fn drawn(
        &mut self,
        cx: &Cx,
        (low, high): (&Expr, Option<&Expr>),
        span: crate::source::Span,
    ) -> Draw {
        let mut number = |expr: &Expr| {
            let Term::Real(value) = self.term(cx, expr, &[]) else { return None };
            Some(value)
        };
        match (number(low), high.map(number)) {
            (Some(deviation), None) => Draw::Normal(deviation),
            (Some(low), Some(Some(high))) => Draw::Uniform(low, high),
            _ => {
                self.sink.push(errors::wrong_sort(span, "a number", "something else"));
                Draw::Normal(0.0)
            }
        }
    }

    /// A start that is known now must be an index below the limit of its state.
    pub(super) fn starts_inside(&mut self, state: u32, start: &Term) {
        let state = &self.model.states[state as usize];
        let flat::Sort::Index { below, .. } = state.sort else { return };
        let mut odd = None;
        // One that reads something has been proved to stay inside.
        let _ = point::each(&state.axes, &mut point::Point::new(), &mut |place| {
            let value = point::value(start, place)?;
            if !(0.0..f64::from(below)).contains(&value) {
                odd = Some(value);
                return Err("");
            }
            Ok(())
        });
        if let Some(odd) = odd {
            let name = state.path.rsplit('.').next().unwrap_or_default();
            let sort = format!("index({below})");
            let one = errors::bad_start(state.span, name, &sort, &format!("is {odd}"), None);
            self.sink.push(one);
        }
    }
}
