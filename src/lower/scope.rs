//! What is known where a term stands: the variables that run, and the conditions that hold.
//!
//! In: axes and conditions. Out: ranges of affine functions, conditions decided, digits simplified.
//! Invariant: an answer is given only if it is true at every point of the scope.

use std::collections::BTreeSet;

use crate::graph::{Rel, fresh};
use crate::model::flat::{Axis, Linear, Var};

use super::seen::{Guard, Place};

/// The variables in scope, outermost first, and the static conditions on them.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// The variables.
    pub(super) axes: Vec<Axis>,
    /// What holds.
    pub(super) guards: Vec<Guard>,
}

impl Scope {
    /// Some variables, nothing known.
    pub(super) fn of(axes: &[Axis]) -> Scope {
        Scope { axes: axes.to_vec(), guards: Vec::new() }
    }

    /// With more variables, inside.
    pub(super) fn with_axes(&self, axes: &[Axis]) -> Scope {
        Scope { axes: [&self.axes, axes].concat(), guards: self.guards.clone() }
    }

    /// Axes by names that nothing in scope has yet.
    pub(super) fn renamed(&self, axes: &[Axis]) -> Vec<Axis> {
        let name = |axis: &Axis| axis.name.clone();
        let mut used: Vec<String> = self.axes.iter().map(name).collect();
        let given: Vec<String> = axes.iter().map(name).collect();
        let rename = |axis: &Axis| {
            let mut name = axis.name.clone();
            if used.contains(&name) {
                name = fresh(&name, &[given.as_slice(), &used].concat());
            }
            used.push(name.clone());
            Axis { name, ..axis.clone() }
        };
        axes.iter().map(rename).collect()
    }

    /// With more conditions; those on values of nodes are left out, since they are not static.
    pub(super) fn with_guards<'g>(&self, guards: impl IntoIterator<Item = &'g Guard>) -> Scope {
        let mut scope = self.clone();
        let fixed = guards.into_iter().filter(|guard| !guard.left.is_value());
        scope.guards.extend(fixed.cloned());
        scope
    }

    /// Number of points of a variable.
    pub(super) fn size(&self, var: Var) -> u32 {
        let axis = self.axes.iter().find(|axis| axis.var == var);
        axis.unwrap_or_else(|| panic!("internal error in lower: {var:?} is not in scope")).size
    }

    /// The variables that occur in a set, in scope order.
    pub(super) fn among(&self, vars: &BTreeSet<Var>) -> Vec<Axis> {
        self.axes.iter().filter(|axis| vars.contains(&axis.var)).cloned().collect()
    }

    /// The smallest and largest value of an affine function.
    pub(super) fn range(&self, of: &Linear) -> (i64, i64) {
        let start = (of.offset, of.offset);
        let sum = of.terms.iter().fold(start, |(low, high), (var, by)| {
            let ends = (0, i64::from(self.size(*var)) - 1);
            let (first, last) = self.narrow(&Linear::var(*var), ends);
            (low + (by * first).min(by * last), high + (by * first).max(by * last))
        });
        self.narrow(of, sum)
    }

    /// A range made narrower by the conditions on the same function.
    fn narrow(&self, of: &Linear, (mut low, mut high): (i64, i64)) -> (i64, i64) {
        if of.terms.is_empty() {
            return (low, high);
        }
        // Twice, since `!=` bites only at an end that another condition may have moved.
        for difference in self.differences().chain(self.differences()) {
            let (difference, rel) = difference;
            let (at, up) = if difference.terms == of.terms {
                (of.offset - difference.offset, true)
            } else if difference.times(-1).terms == of.terms {
                (of.offset + difference.offset, false)
            } else {
                continue;
            };
            match (rel, up) {
                (Rel::Ge, true) => low = low.max(at),
                (Rel::Ge, false) => high = high.min(at),
                (Rel::Lt, true) => high = high.min(at - 1),
                (Rel::Lt, false) => low = low.max(at + 1),
                (Rel::Eq, _) => (low, high) = (low.max(at), high.min(at)),
                (Rel::Ne, _) if at == low => low += 1,
                (Rel::Ne, _) if at == high => high -= 1,
                (Rel::Ne, _) => {}
            }
        }
        (low, high)
    }

    fn differences(&self) -> impl Iterator<Item = (Linear, Rel)> + '_ {
        self.guards.iter().filter_map(|guard| Some((guard.difference()?, guard.rel)))
    }

    /// Whether a condition always holds, never holds, or neither can be said.
    pub(super) fn decide(&self, guard: &Guard) -> Option<bool> {
        if self.guards.contains(guard) {
            return Some(true);
        }
        let (low, high) = match &guard.left {
            Place::Linear(left) => self.range(&left.plus(&guard.right.times(-1))),
            Place::Digit { radix, .. } => {
                let (low, high) = self.range(&guard.right);
                (-high, i64::from(*radix) - 1 - low)
            }
            Place::Value(_) => return None,
        };
        match guard.rel {
            Rel::Lt if high < 0 => Some(true),
            Rel::Lt if low >= 0 => Some(false),
            Rel::Ge if low >= 0 => Some(true),
            Rel::Ge if high < 0 => Some(false),
            Rel::Eq if low == 0 && high == 0 => Some(true),
            Rel::Eq if low > 0 || high < 0 => Some(false),
            Rel::Ne if low > 0 || high < 0 => Some(true),
            Rel::Ne if low == 0 && high == 0 => Some(false),
            Rel::Lt | Rel::Ge | Rel::Eq | Rel::Ne => None,
        }
    }

    /// Conditions that all hold, in the one form in which everybody writes them: what is asked of one
    /// function becomes its smallest and largest value, or the only one.
    pub(super) fn joined(&self, above: &[Guard], more: Vec<Guard>) -> Vec<Guard> {
        let under = self.with_guards(above);
        let more = more.into_iter().flat_map(|guard| under.undigited(guard));
        let all: Vec<Guard> = above.iter().cloned().chain(more).collect();
        let inside = Scope { axes: self.axes.clone(), guards: all.clone() };
        let mut out: Vec<Guard> = Vec::new();
        let mut done: Vec<Linear> = Vec::new();
        for guard in &all {
            let Some(of) = guard.difference().map(|one| Linear { offset: 0, ..one }) else {
                if !out.contains(guard) {
                    out.push(guard.clone());
                }
                continue;
            };
            if done.contains(&of) || done.contains(&of.times(-1)) {
                continue;
            }
            done.push(of.clone());
            // A function of several variables stays as it was written where it is asked once.
            let same = |other: &&Guard| {
                other
                    .difference()
                    .is_some_and(|one| one.terms == of.terms || one.times(-1).terms == of.terms)
            };
            if of.terms.len() > 1 && all.iter().filter(same).count() == 1 {
                out.push(guard.clone());
                continue;
            }
            let ends = self.range(&of);
            let (low, high) = inside.narrow(&of, ends);
            let at = |value: i64, rel| Guard::of(of.plus(&Linear::constant(-value)), rel);
            if low == high {
                out.push(at(low, Rel::Eq));
                continue;
            }
            if low > ends.0 {
                out.push(at(low, Rel::Ge));
            }
            if high < ends.1 {
                out.push(at(high + 1, Rel::Lt));
            }
            let holes = all.iter().filter(same).filter(|one| one.rel == Rel::Ne);
            out.extend(holes.filter(|one| inside.is_hole(one, &of, (low, high))).cloned());
        }
        out
    }

    /// Whether a `!=` takes a value from the middle of a range.
    fn is_hole(&self, guard: &Guard, of: &Linear, (low, high): (i64, i64)) -> bool {
        guard.difference().is_some_and(|one| {
            let at = if one.terms == of.terms { -one.offset } else { one.offset };
            low < at && at < high
        })
    }

    /// A condition on a leading digit as conditions on the number.
    fn undigited(&self, guard: Guard) -> Vec<Guard> {
        let Place::Digit { of, step, radix } = &guard.left else { return vec![guard] };
        let (step, radix) = (i64::from(*step), i64::from(*radix));
        let (low, high) = self.range(of);
        let (true, Some(digit)) = (low >= 0 && high < step * radix, guard.right.as_constant())
        else {
            return vec![guard];
        };
        let below = |digit: i64| Guard::of(of.plus(&Linear::constant(-digit * step)), Rel::Lt);
        let from = |digit: i64| Guard::of(of.plus(&Linear::constant(-digit * step)), Rel::Ge);
        match guard.rel {
            Rel::Eq => vec![from(digit), below(digit + 1)],
            Rel::Lt => vec![below(digit)],
            Rel::Ge => vec![from(digit)],
            Rel::Ne if digit <= 0 => vec![from(1)],
            Rel::Ne if digit >= radix - 1 => vec![below(radix - 1)],
            Rel::Ne => vec![guard],
        }
    }

    /// `(of div step) mod radix`, affine where it can be.
    pub(super) fn digit(&self, of: Linear, step: u32, radix: u32) -> Place {
        if radix == 1 {
            return Place::Linear(Linear::constant(0));
        }
        let period = i64::from(step) * i64::from(radix);
        let mut of = of;
        // Whole periods do not show.
        of.terms.retain(|(_, by)| by % period != 0);
        let wide = i64::from(step);
        let (whole, rest): (Vec<_>, Vec<_>) = of.terms.iter().partition(|(_, by)| by % wide == 0);
        let offset = of.offset.div_euclid(wide);
        let (low, high) = self.range(&Linear::new(of.offset - offset * wide, rest));
        let (mut of, step) = if step > 1 && low >= 0 && high < wide {
            // The rest is lost in the division, so that the division is exact.
            (Linear::new(offset, whole.into_iter().map(|(var, by)| (var, by / wide))), 1)
        } else {
            (of, step)
        };
        let (low, high) = self.range(&of);
        let period = i64::from(step) * i64::from(radix);
        let turns = low.div_euclid(period);
        if turns == high.div_euclid(period) {
            // Within one period the number itself says how many came before.
            of = of.plus(&Linear::constant(-turns * period));
            if step == 1 {
                return Place::Linear(of);
            }
        }
        match of.as_constant() {
            Some(number) => {
                let digit = number.div_euclid(i64::from(step)).rem_euclid(i64::from(radix));
                Place::Linear(Linear::constant(digit))
            }
            None => Place::Digit { of, step, radix },
        }
    }
}
