//! Sums along an axis.
//!
//! In: a polynomial and a variable. Out: a polynomial without the variable. Factors that do not depend
//! on the variable go before the sum; a sum of entries along the last axis of an array is one unknown,
//! however the axis is rolled or permuted; sums change places where the inner one then ends; a product
//! over everything before, times what is left of one, telescopes. What remains is an unknown of its own.

use super::facts::SLACK;
use super::poly::{AtomId, Mono, Poly};
use super::prover::{Atom, Prover, Summed};
use super::terms::{self, Arm};
use crate::model::flat::{At, Axis, Cond, Fold, Linear, Rel, Term, Var, Whole};
use crate::op::Interval;
use crate::op::scalar::POW;

/// How often sums change places within one another.
const MOST_SWAPS: usize = 3;

impl Prover<'_> {
    /// The sum of a term in canonical form along an axis, where indices meet what is known of them;
    /// its entries are known.
    pub(super) fn bound_sum(&mut self, axis: &Axis, term: &Term, entry: Interval) -> Interval {
        let parts = vec![(Vec::new(), term.clone())];
        let plain = entry.times(Interval::point(f64::from(axis.size)));
        let close = self.bound_sums(axis, parts).unwrap_or(plain);
        plain.meet(Interval { wild: plain.wild, ..close })
    }

    fn bound_sums(&mut self, axis: &Axis, mut parts: Vec<(Vec<Cond>, Term)>) -> Option<Interval> {
        let found =
            parts.iter().enumerate().find_map(|(at, (_, term))| Some((at, terms::split(term)?)));
        let Some((at, arms)) = found else {
            let mut all = Poly::default();
            for (when, term) in parts {
                let before = std::mem::replace(&mut self.summing, true);
                let poly = self.poly(&term);
                self.summing = before;
                all = all.plus(&self.sum_over(axis.var, axis.size, &when, &poly, MOST_SWAPS));
            }
            return (!all.is_large()).then(|| self.bound_poly(&all));
        };
        self.cases += 1;
        if self.cases > 48 {
            return None;
        }
        let along = |arm: &Arm| {
            arm.when.iter().any(|cond| terms::cond_mentions(cond, axis.var))
                || arm.truth.as_ref().is_some_and(|(cond, _)| terms::mentions(cond, axis.var))
        };
        let (when, _) = parts.remove(at);
        if arms.iter().any(along) {
            // Values that decide along the axis leave nothing to say but where entries lie.
            if arms.iter().any(|arm| arm.truth.is_some()) {
                return None;
            }
            for arm in arms {
                let mut all = when.clone();
                all.extend(arm.when);
                parts.push((all, arm.term));
            }
            return self.bound_sums(axis, parts);
        }
        let mut hull: Option<Interval> = None;
        for arm in arms {
            let mut parts = parts.clone();
            parts.push((when.clone(), arm.term.clone()));
            let one = self.within(&arm, |prover| prover.bound_sums(axis, parts));
            if let Some(one) = one {
                hull = Some(hull.map_or(one?, |all| all.hull(one.unwrap_or(Interval::WILD))));
            }
        }
        hull
    }

    /// A sum as it is written.
    pub(super) fn sum(&mut self, over: &[Axis], when: &[Cond], body: &Term) -> Option<Poly> {
        if !self.summing && self.picks_one(over, when) {
            return None;
        }
        let mut poly = self.poly(body);
        let mut left: Vec<Cond> = when.to_vec();
        for axis in over.iter().rev() {
            let (mine, rest): (Vec<Cond>, Vec<Cond>) =
                left.into_iter().partition(|cond| terms::cond_mentions(cond, axis.var));
            left = rest;
            poly = self.sum_over(axis.var, axis.size, &mine, &poly, MOST_SWAPS);
        }
        left.is_empty().then_some(poly)
    }

    /// The sum of a polynomial over a variable, at the points that meet conditions on it.
    pub(super) fn sum_over(
        &mut self,
        var: Var,
        size: u32,
        when: &[Cond],
        poly: &Poly,
        swaps: usize,
    ) -> Poly {
        if !self.spend(1 + poly.0.len()) {
            return Poly::atom(self.slack(Interval::WILD));
        }
        if let [cond] = when
            && let At::Value(value) = &cond.left
            && cond.rel == Rel::Eq
            && cond.right == Linear::var(var)
            && !terms::mentions(value, var)
            && !poly.atoms().iter().any(|atom| self.depends(*atom, var))
        {
            // Exactly one point is named.
            return poly.clone();
        }
        let (mut all, rest) = match when {
            [] => self.telescoped(var, size, poly),
            _ => (Poly::default(), poly.clone()),
        };
        let mut swapped: Vec<(Summed, Poly)> = Vec::new();
        for (mono, factor) in &rest.0 {
            let (dep, indep): (Mono, Mono) =
                mono.iter().copied().partition(|(atom, _)| self.depends(*atom, var));
            if dep.is_empty() && when.is_empty() {
                all.add(indep, factor * f64::from(size));
                continue;
            }
            if let [(atom, 1)] = dep[..]
                && swaps > 0
                && let Some(inner) = self.atoms[atom.0 as usize].sum.clone()
            {
                let key = Summed { mono: Mono::new(), ..inner.clone() };
                let place = swapped.iter().position(|(own, _)| *own == key).unwrap_or_else(|| {
                    swapped.push((key, Poly::default()));
                    swapped.len() - 1
                });
                if let Some(mono) = super::poly::product(&inner.mono, &indep) {
                    swapped[place].1.add(mono, *factor);
                    continue;
                }
            }
            let sum = self.sum_atom(&dep, var, size, when);
            all = all.plus(&self.scaled(&sum, &indep, *factor));
        }
        for (inner, poly) in swapped {
            all = all.plus(&self.swapped(var, size, when, &inner, &poly, swaps - 1));
        }
        all
    }

    fn scaled(&mut self, sum: &Poly, mono: &Mono, factor: f64) -> Poly {
        let by = Poly::default().with(mono.clone(), factor);
        self.times(sum, &by).unwrap_or_default()
    }

    /// `sum[v] sum[u] p` as `sum[u] sum[v] p`.
    fn swapped(
        &mut self,
        var: Var,
        size: u32,
        when: &[Cond],
        inner: &Summed,
        poly: &Poly,
        swaps: usize,
    ) -> Poly {
        // The inner variable has a name that other sums have too: it gets one of its own.
        let own = self.names.fresh(inner.size);
        let poly = self.renamed(poly, inner.var, own);
        let by = |one: Var| (one == inner.var).then(|| At::var(own));
        let conds = terms::conds(&inner.when, &by).unwrap_or_default();
        let (outer, rest): (Vec<Cond>, Vec<Cond>) =
            conds.into_iter().partition(|cond| terms::cond_mentions(cond, var));
        let outer: Vec<Cond> = when.iter().cloned().chain(outer).collect();
        let first = self.sum_over(var, size, &outer, &poly, swaps);
        self.sum_over(own, inner.size, &rest, &first, 0)
    }

    /// Whether an unknown depends on a variable.
    pub(super) fn depends(&self, atom: AtomId, var: Var) -> bool {
        let atom = &self.atoms[atom.0 as usize];
        match (&atom.term, &atom.under) {
            (Some(term), _) => terms::mentions(term, var),
            (None, Some(under)) => under.atoms().iter().any(|atom| self.depends(*atom, var)),
            (None, None) => false,
        }
    }

    /// A variable renamed in a polynomial.
    fn renamed(&mut self, poly: &Poly, from: Var, to: Var) -> Poly {
        let mut all = Poly::default();
        for (mono, factor) in &poly.0 {
            let mut renamed = Poly::constant(*factor);
            for (atom, power) in mono {
                let atom = self.renamed_atom(*atom, from, to);
                let one = Poly::default().with(vec![(atom, *power)], 1.0);
                renamed = renamed.times(&one).unwrap_or_default();
            }
            all = all.plus(&renamed);
        }
        all
    }

    fn renamed_atom(&mut self, atom: AtomId, from: Var, to: Var) -> AtomId {
        if !self.depends(atom, from) {
            return atom;
        }
        let old = self.atoms[atom.0 as usize].clone();
        let Some(term) = old.term.as_ref().map(|term| terms::rename(term, from, to)) else {
            return atom;
        };
        let under = old.under.map(|under| self.renamed(&under, from, to));
        let known = match &under {
            Some(under) => self.known_quotient(under),
            None => self.known_atom(&term),
        };
        if let Some(known) = known {
            return known;
        }
        // What it is called changes nothing about where it lies.
        let sum = old.sum.map(|sum| {
            let by = |one: Var| (one == from).then(|| At::var(to));
            let mono = sum.mono.iter();
            let mut mono: Mono =
                mono.map(|(atom, power)| (self.renamed_atom(*atom, from, to), *power)).collect();
            mono.sort_unstable();
            let when = terms::conds(&sum.when, &by).unwrap_or_else(|| sum.when.clone());
            Summed { mono, when, ..sum }
        });
        self.add_atom(Atom { term: Some(term), under, sum, range: old.range })
    }

    // ---- sums that stay ------------------------------------------------------------------------

    /// The sum of a product that depends on the variable throughout.
    fn sum_atom(&mut self, dep: &Mono, var: Var, size: u32, when: &[Cond]) -> Poly {
        let mut dep = dep.clone();
        if let ([(atom, 1)], []) = (&dep[..], when)
            && let Some((plain, fact)) = self.along(*atom, var, size)
        {
            if let Some(sum) = fact.as_point() {
                return Poly::constant(sum);
            }
            // A roll or a permutation does not change a sum.
            dep = vec![(self.atom(&plain), 1)];
        }
        let Some(body) = self.term_of_mono(&dep) else {
            let range = self.product_of(&dep).times(Interval::new(0.0, f64::from(size)));
            let free = self.slack(range.hull(Interval::point(0.0)));
            return Poly::atom(free);
        };
        let axis = Axis { var, name: String::new(), dim: String::new(), size };
        let (when, body) = (when.to_vec(), Box::new(body));
        let fold = Term::Fold { fold: Fold::Sum, over: vec![axis], when, body };
        let fold = self.names.canon(&fold);
        let known = self.known_atom(&fold);
        if let Some(known) = known.filter(|known| self.atoms[known.0 as usize].sum.is_some()) {
            return Poly::atom(known);
        }
        let Term::Fold { over, when, .. } = &fold else { return Poly::default() };
        let own = over[0].var;
        let mut mono: Mono =
            dep.iter().map(|(atom, power)| (self.renamed_atom(*atom, var, own), *power)).collect();
        mono.sort_unstable();
        let sum = Summed { mono, var: own, size, when: when.clone() };
        let range = self.sum_range(&sum);
        if let Some(value) = range.as_point() {
            return Poly::constant(value);
        }
        if let Some(known) = known {
            // It was met before as it is written, without a look at what is summed.
            let atom = &mut self.atoms[known.0 as usize];
            (atom.sum, atom.range) = (Some(sum), atom.range.meet(range));
            return Poly::atom(known);
        }
        let atom = Atom { term: Some(fold.clone()), under: None, sum: Some(sum), range };
        Poly::atom(self.add_atom(atom))
    }

    /// A read of every entry along the last axis, each once, in any order: the read in plain order, and
    /// the sum of its entries.
    fn along(&self, atom: AtomId, var: Var, size: u32) -> Option<(Term, Interval)> {
        let term = self.atoms[atom.0 as usize].term.as_ref()?;
        let all = |at: &[At], last_size: u32| {
            let (last, before) = at.split_last()?;
            let free = before.iter().all(|at| !terms::at_mentions(at, var));
            (free && last_size == size && self.covers(last, var, size)).then(|| {
                let mut at = before.to_vec();
                at.push(At::var(var));
                at
            })
        };
        match term {
            Term::Read(array, at) => {
                let plain = all(at, self.axes(*array).last()?.size)?;
                Some((Term::Read(*array, plain), self.fact(*array).sum))
            }
            Term::Whole { function: Whole::Softmax, over, body, at } => {
                if terms::mentions(body, var) {
                    return None;
                }
                let plain = all(at, over.last()?.size)?;
                let one = Term::Whole {
                    function: Whole::Softmax,
                    over: over.clone(),
                    body: body.clone(),
                    at: plain,
                };
                let whole = Interval::new(if over.len() == 1 { 1.0 } else { 0.0 }, 1.0);
                Some((one, whole))
            }
            Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Map(..)
            | Term::Fold { .. }
            | Term::Choose(_)
            | Term::Whole { .. } => None,
        }
    }

    /// Whether a place takes every position once as the variable runs.
    fn covers(&self, at: &At, var: Var, size: u32) -> bool {
        let only = |linear: &Linear| match linear.terms[..] {
            [(own, 1)] => own == var && linear.offset == 0,
            [(own, -1)] => own == var && linear.offset == i64::from(size) - 1,
            _ => false,
        };
        match at {
            At::Linear(linear) => only(linear),
            At::Digit { of, step, radix } => {
                let once = of.terms.iter().any(|(own, by)| *own == var && by.abs() == 1);
                once && *step == 1 && *radix == size
            }
            At::Value(value) => self.permutes(value, var, size),
        }
    }

    fn product_of(&self, mono: &Mono) -> Interval {
        mono.iter().fold(Interval::point(1.0), |all, (atom, power)| {
            all.times(self.atoms[atom.0 as usize].range.power(*power))
        })
    }

    /// Where a sum of products lies.
    fn sum_range(&mut self, sum: &Summed) -> Interval {
        let points = f64::from(sum.size);
        let entry = self.product_of(&sum.mono);
        if sum.mono.is_empty() {
            return self.count(sum);
        }
        let whole = sum.when.is_empty();
        let least = if whole { points } else { 0.0 };
        let mut range = entry.times(Interval::new(least, points));
        let axis = Axis { var: sum.var, name: String::new(), dim: String::new(), size: sum.size };
        if self.picks_one(&[axis], &sum.when) {
            range = range.meet(entry);
        }
        if whole && entry.lo >= -SLACK && points >= 1.0 {
            let peak = self.peak_of(&sum.mono, sum.var, sum.size);
            range.lo = range.lo.max(peak).min(range.hi);
        }
        for (at, (atom, power)) in sum.mono.iter().enumerate() {
            let own = self.atoms[atom.0 as usize].range;
            let Some((term, total)) = self.along(*atom, sum.var, sum.size) else { continue };
            if *power == 2
                && whole
                && sum.mono.len() == 1
                && let Term::Read(array, _) = &term
            {
                range = range.meet(self.fact(*array).square);
            }
            if *power != 1 || own.lo < -SLACK {
                continue;
            }
            let mut others = sum.mono.clone();
            others.remove(at);
            let total = if whole { total } else { Interval::new(0.0, total.hi) };
            let close = total.times(self.product_of(&others));
            range = range.meet(Interval { wild: range.wild, ..close });
        }
        range
    }

    /// How many points meet conditions.
    fn count(&self, sum: &Summed) -> Interval {
        let points = i64::from(sum.size);
        let about = |cond: &Cond| {
            let At::Linear(left) = &cond.left else { return None };
            let gap = left.plus(&cond.right.times(-1));
            matches!(gap.terms[..], [(var, _)] if var == sum.var).then_some((gap, cond.rel))
        };
        let all: Option<Vec<(Linear, Rel)>> = sum.when.iter().map(about).collect();
        match all {
            Some(all) if points <= 4096 => {
                let holds = |at: &i64| {
                    all.iter().all(|(gap, rel)| {
                        let value = gap.offset + gap.terms[0].1 * at;
                        match rel {
                            Rel::Eq => value == 0,
                            Rel::Ne => value != 0,
                            Rel::Lt => value < 0,
                            Rel::Ge => value >= 0,
                        }
                    })
                };
                Interval::point((0..points).filter(holds).count() as f64)
            }
            Some(_) | None => Interval::new(0.0, points as f64),
        }
    }

    // ---- the largest entry ---------------------------------------------------------------------

    /// What the largest value of a term along an axis is at least.
    pub(super) fn peak(&mut self, term: &Term, var: Var, size: u32) -> f64 {
        let poly = self.poly(term);
        let [(mono, factor)] = &poly.0[..] else { return f64::NEG_INFINITY };
        let (dep, indep): (Mono, Mono) =
            mono.iter().copied().partition(|(atom, _)| self.depends(*atom, var));
        let before = Poly::default().with(indep, *factor);
        if self.bound_poly(&before).lo < 0.0 {
            return f64::NEG_INFINITY;
        }
        let [(atom, power)] = dep[..] else { return f64::NEG_INFINITY };
        let Atom { term: Some(body), range, .. } = self.atoms[atom.0 as usize].clone() else {
            return f64::NEG_INFINITY;
        };
        // The largest power is the power of the largest where none is negative.
        if power > 1 && range.lo < 0.0 {
            return f64::NEG_INFINITY;
        }
        let axis = Axis { var, name: String::new(), dim: String::new(), size };
        let (over, when) = (vec![axis], Vec::new());
        let most = Term::Fold { fold: Fold::Max, over, when, body: Box::new(body) };
        let most = self.names.canon(&most);
        if matches!(&most, Term::Fold { body, .. } if **body == *term) {
            return self.peak_of(&dep, var, size);
        }
        if before.as_constant() == Some(1.0) {
            return self.peak_of(&dep, var, size);
        }
        let most = Poly::default().with(vec![(self.atom(&most), power)], 1.0);
        self.times(&before, &most).map_or(f64::NEG_INFINITY, |poly| self.bound_poly(&poly).lo)
    }

    fn peak_of(&mut self, mono: &Mono, var: Var, size: u32) -> f64 {
        let [(atom, power)] = mono[..] else { return f64::NEG_INFINITY };
        if power > 1 {
            let most = self.peak_of(&vec![(atom, 1)], var, size);
            let least = self.atoms[atom.0 as usize].range.lo;
            return if least < 0.0 {
                f64::NEG_INFINITY
            } else {
                most.max(0.0).powi(i32::from(power))
            };
        }
        let whole = self.along(atom, var, size);
        match self.atoms[atom.0 as usize].term.clone() {
            Some(Term::Read(array, _)) if whole.is_some() => self.fact(array).peak,
            Some(Term::Map(POW, all)) if !terms::mentions(&all[1], var) => {
                let (base, exponent) = (self.bound(&all[0]), self.bound(&all[1]));
                if base.wild || exponent.wild || base.lo < 0.0 || exponent.lo < 0.0 {
                    return f64::NEG_INFINITY;
                }
                let most = self.peak(&all[0], var, size).max(0.0);
                most.powf(exponent.lo).min(most.powf(exponent.hi))
            }
            Some(_) if whole.is_some() => whole.map_or(0.0, |(_, sum)| sum.lo / f64::from(size)),
            Some(_) | None => f64::NEG_INFINITY,
        }
    }

    // ---- what telescopes -----------------------------------------------------------------------

    /// `sum[j] (1 - x[j]) * prod[m < j] x[m]` is one minus the product of all; returns that, and what
    /// is left to sum.
    fn telescoped(&mut self, var: Var, size: u32, poly: &Poly) -> (Poly, Poly) {
        let (mut done, mut rest) = (Poly::default(), poly.clone());
        for atom in poly.atoms() {
            let Some(Term::Fold { fold: Fold::Prod, over, when, body }) =
                self.atoms[atom.0 as usize].term.clone()
            else {
                continue;
            };
            let ([axis], [cond]) = (&over[..], &when[..]) else { continue };
            let before = Cond { left: At::var(axis.var), rel: Rel::Lt, right: Linear::var(var) };
            if *cond != before || axis.size != size || terms::mentions(&body, var) {
                continue;
            }
            let here = terms::rename(&body, axis.var, var);
            let left = Poly::constant(1.0).plus_times(&self.poly(&here), -1.0);
            let whole = Term::Fold { fold: Fold::Prod, over: over.clone(), when: Vec::new(), body };
            let whole = self.names.canon(&whole);
            let whole = Poly::constant(1.0).plus_times(&Poly::atom(self.atom(&whole)), -1.0);
            // The part with the product before j is c times what is left of one at j.
            let mut own = Poly::default();
            let mut others = Poly::default();
            for (mono, factor) in &rest.0 {
                match mono.iter().position(|one| *one == (atom, 1)) {
                    Some(at) => {
                        let mut mono = mono.clone();
                        mono.remove(at);
                        own.add(mono, *factor);
                    }
                    None => others.add(mono.clone(), *factor),
                }
            }
            if let Some(by) = self.ratio(&own, &left, var) {
                done = done.plus(&self.times(&by, &whole).unwrap_or_default());
                rest = others;
            }
        }
        (done, rest)
    }

    /// The one term c, free of a variable, with `whole == c * part`.
    fn ratio(&mut self, whole: &Poly, part: &Poly, var: Var) -> Option<Poly> {
        let (first, by) = part.0.first()?;
        for (mono, factor) in &whole.0 {
            let mut over: Mono = mono.clone();
            let fits = first.iter().all(|(atom, power)| {
                let slot = over.iter_mut().find(|(own, _)| own == atom);
                slot.is_some_and(|slot| {
                    let enough = slot.1 >= *power;
                    slot.1 = slot.1.saturating_sub(*power);
                    enough
                })
            });
            over.retain(|(_, power)| *power > 0);
            if !fits || over.iter().any(|(atom, _)| self.depends(*atom, var)) {
                continue;
            }
            let one = Poly::default().with(over, factor / by);
            if one.times(part).is_some_and(|all| all == *whole) {
                return Some(one);
            }
        }
        None
    }
}
