//! First states that are whole numbers: with all dims bound, each must be a position of its axis.

use super::super::flat::{self, Term};
use super::super::{errors, point};
use super::Engine;

impl Engine<'_> {
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
