//! Overrides of emissions: which one a path names, and the numbers that take its place.
//!
//! In: paths from outside, `write.content.beta` or `read[2].mix.pi`. Out: terms in place of what would
//! be emitted. Invariant: a path names exactly one emission of the model; a family that is an axis is
//! one emission, of which `[2]` names one member.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diag::nearest;
use crate::source::Span;

use super::super::flat::{At, Axis, Cond, Linear, Rel, Term};
use super::super::int::{Atom, DimId};
use super::super::typed::{Domain, Param, ParamKind, PartId, ValueId};
use super::super::{command_errors, show};
use super::frames::Frame;
use super::{Engine, FrameId, Given, Members, Place};

/// What takes the place of an emission.
#[derive(Default)]
pub(super) struct Replaced {
    /// A number or numbers for all members, and the place that gives them.
    pub(super) whole: Option<(Term, Span)>,
    /// The same for some members: under these conditions on the axes of families.
    members: Vec<(Vec<Cond>, Term)>,
}

/// Overrides and the emissions that each was found to name.
pub(super) type Named = BTreeMap<String, BTreeSet<String>>;

/// A family that is an axis: the path of its part, and its range.
struct Family {
    path: String,
    low: i64,
    size: u32,
}

/// `name` or `name[2]`.
fn step(text: &str) -> (&str, Option<i64>) {
    let indexed = text.trim().strip_suffix(']').and_then(|text| text.split_once('['));
    match indexed.and_then(|(name, at)| Some((name.trim(), at.trim().parse().ok()?))) {
        Some((name, at)) => (name, Some(at)),
        None => (text.trim(), None),
    }
}

/// The members of axis families that `asked` picks out of the emission `path`, as positions in
/// `families` with their numbers; nothing where it names another emission.
fn members_of(asked: &str, path: &str, families: &[Option<Family>]) -> Option<Vec<(usize, i64)>> {
    let mut members = Vec::new();
    let (mut asked, mut length) = (asked.split('.'), 0);
    for own in path.split('.') {
        length += own.len();
        let ((name, at), (own_name, own_at)) = (step(asked.next()?), step(own));
        match (at, own_at) {
            _ if name != own_name => return None,
            (None, _) => {}
            (Some(at), Some(own_at)) if at == own_at => {}
            (Some(_), Some(_)) => return None,
            (Some(at), None) => {
                let prefix = &path[..length];
                let here =
                    |family: &Option<Family>| family.as_ref().is_some_and(|one| one.path == prefix);
                members.push((families.iter().position(here)?, at));
            }
        }
        length += 1;
    }
    asked.next().is_none().then_some(members)
}

/// The term at a place where a condition holds, and another elsewhere.
fn where_all(conds: &[Cond], term: Term, other: &Term) -> Term {
    conds.iter().rev().fold(term, |term, cond| {
        let not = Cond { rel: Rel::Ne, ..cond.clone() };
        Term::Choose(vec![(vec![cond.clone()], term), (vec![not], other.clone())])
    })
}

/// That an axis is at a number.
fn at_number(axis: &Axis, number: i64) -> Cond {
    Cond { left: At::var(axis.var), rel: Rel::Eq, right: Linear::constant(number) }
}

impl Replaced {
    /// Whether only some members have numbers.
    pub(super) fn is_partial(&self) -> bool {
        !self.members.is_empty()
    }

    /// The emission where nothing else was given.
    pub(super) fn or(self, emitted: Term) -> Term {
        let members = self.members.into_iter();
        members.fold(emitted, |other, (conds, term)| where_all(&conds, term, &other))
    }
}

impl Frame {
    /// The overrides behind the dims that occur in something.
    pub(super) fn sets_of(&self, occurs: impl Fn(DimId) -> bool) -> Vec<Span> {
        let dims = self.sets.iter().enumerate().filter(|(_, sets)| !sets.is_empty());
        let mut all: Vec<Span> = Vec::new();
        for span in dims.filter(|(dim, _)| occurs(DimId(*dim as u32))).flat_map(|(_, sets)| sets) {
            if !all.contains(span) {
                all.push(*span);
            }
        }
        all
    }
}

/// Whether an atom is a dim or an entry of it.
pub(super) fn is_dim(atom: &Atom, dim: DimId) -> bool {
    match atom {
        Atom::Dim(one) | Atom::Item(one, _) => *one == dim,
        Atom::Var(_) | Atom::Mod(..) | Atom::If(..) | Atom::Sum(..) => false,
    }
}

impl Engine<'_> {
    /// What was given in place of an emission: `leading` axes of families, then `own` ones.
    pub(super) fn replaced(
        &mut self,
        (frame, id): (FrameId, ValueId),
        members: &Members,
        path: &str,
        leading: &[Axis],
        own: &[Axis],
    ) -> Replaced {
        let mut out = Replaced::default();
        self.emitted.insert(path.to_owned());
        if self.setting.given.is_empty() {
            return out;
        }
        let def = Arc::clone(&self.frames[frame.0].def);
        let info = def.value(id);
        let families = self.member_axes(frame, info.part, members);
        let setting = self.setting;
        for (name, (given, from)) in &setting.given {
            let Some(picked) = members_of(name, path, &families) else { continue };
            self.named.entry(name.clone()).or_default().insert(path.to_owned());
            let place = (name.as_str(), *from, info.span);
            let Some(term) = self.given_term(given, &info.domain, own, place) else { continue };
            let mut conds = Vec::new();
            for (at, member) in &picked {
                let (Some(family), Some(axis)) = (&families[*at], leading.get(*at)) else {
                    continue;
                };
                let place = member.checked_sub(family.low).unwrap_or(-1);
                if !(0..i64::from(family.size)).contains(&place) {
                    let high = family.low + i64::from(family.size) - 1;
                    let range = (family.low, high);
                    self.sink.push(command_errors::no_such_member(
                        from.name,
                        &family.path,
                        *member,
                        range,
                    ));
                } else if family.size > 1 {
                    conds.push(at_number(axis, place));
                }
            }
            if conds.is_empty() {
                out.whole = Some((term, from.name));
            } else {
                out.members.push((conds, term));
            }
        }
        out
    }

    /// The families behind the leading axes of the values of a part; nothing for an axis that is an
    /// index of an equation.
    fn member_axes(
        &mut self,
        frame: FrameId,
        part: PartId,
        members: &Members,
    ) -> Vec<Option<Family>> {
        let mut all = match self.frames[frame.0].caller.clone() {
            Some((cx, part)) => self.member_axes(cx.frame, part, &Self::fixed(&cx)),
            None => Vec::new(),
        };
        all.truncate(self.frames[frame.0].outer.len());
        all.resize_with(self.frames[frame.0].outer.len(), || None);
        for (owner, var) in self.families(frame, part) {
            if self.frames[frame.0].def.part(owner).in_order {
                continue;
            }
            let low = self.frames[frame.0].def.var(var).extent.low.clone();
            let low = self.number(frame, &low, members);
            let size = self.family_axis(frame, var, members).size;
            all.push(Some(Family { path: self.part_path(frame, owner, members), low, size }));
        }
        all
    }

    /// A given number or list as the value of an emission with these axes of its own, if it has its
    /// kind and lies in its domain.
    fn given_term(
        &mut self,
        given: &Given,
        domain: &Domain,
        own: &[Axis],
        (path, place, declared): (&str, Place, Span),
    ) -> Option<Term> {
        let numbers = match (given, own) {
            (Given::Number(value), _) => vec![*value],
            (Given::List(all), [axis]) if all.len() == axis.size as usize => all.clone(),
            (Given::List(_) | Given::Truth(_), [axis]) => {
                let wanted = format!("a number or a list of {}", axis.size);
                self.sink.push(command_errors::set_wrong_kind(place, path, &wanted));
                return None;
            }
            (Given::List(_) | Given::Truth(_), _) => {
                self.sink.push(command_errors::set_wrong_kind(place, path, "a number"));
                return None;
            }
        };
        // One number stands for all along the last axis.
        let last = own.last().map_or(1.0, |axis| f64::from(axis.size));
        let over = |all: f64, times: f64| if numbers.len() == 1 { numbers[0] * times } else { all };
        let sum = over(numbers.iter().sum(), last);
        let squares: f64 = numbers.iter().map(|one| one * one).sum();
        let norm = if numbers.len() == 1 { numbers[0].abs() * last.sqrt() } else { squares.sqrt() };
        let (low, high) = match domain {
            Domain::Real(low, high) => (*low, *high),
            Domain::Simplex | Domain::Weighting => (Some(0.0), Some(1.0)),
            Domain::Sphere => (Some(-1.0), Some(1.0)),
        };
        let outside = |value: &&f64| {
            !value.is_finite()
                || low.is_some_and(|low| **value < low)
                || high.is_some_and(|high| **value > high)
        };
        let told = show::lies_in(domain);
        let odd = |what: f64| (what - 1.0).abs() > 1e-9;
        let wrong = match (numbers.iter().find(outside), domain) {
            (Some(value), _) => Some(format!("{value} lies outside")),
            (None, Domain::Simplex) if odd(sum) => Some(format!("this sums to {sum}")),
            (None, Domain::Sphere) if odd(norm) => Some(format!("this has norm {norm}")),
            (None, Domain::Real(..) | Domain::Simplex | Domain::Weighting | Domain::Sphere) => None,
        };
        if let Some(wrong) = wrong {
            let one = command_errors::set_outside(place, path, &told, &wrong, declared);
            self.sink.push(one);
            return None;
        }
        let [axis] = own else { return Some(Term::Real(numbers[0])) };
        if numbers.len() == 1 {
            return Some(Term::Real(numbers[0]));
        }
        let arm =
            |(at, value): (usize, &f64)| (vec![at_number(axis, at as i64)], Term::Real(*value));
        Some(Term::Choose(numbers.iter().enumerate().map(arm).collect()))
    }

    /// Where the sizes of an input were set from outside.
    pub(super) fn sets_of_shape(&self, root: FrameId, input: &Param) -> Vec<Span> {
        let frame = &self.frames[root.0];
        let ParamKind::Plain(id, _) = input.kind else { return Vec::new() };
        let shape = &frame.def.value(id).shape;
        frame.sets_of(|dim| shape.iter().any(|axis| axis.size.as_dim() == Some(dim)))
    }

    /// Overrides must name one thing: a dim, number or switch of the model, or one emission.
    pub(super) fn unused_settings(&mut self, root: FrameId) {
        let def = Arc::clone(&self.frames[root.0].def);
        let mut names: Vec<String> = def.dims.iter().map(|dim| dim.name.clone()).collect();
        names.extend(def.flags.iter().map(|flag| flag.name.clone()));
        let numbers = def.params.iter();
        let numbers = numbers.filter(|one| matches!(one.kind, ParamKind::Plain(_, Some(_))));
        names.extend(numbers.map(|one| one.name.clone()));
        let known = names.join(", ");
        names.extend(self.emitted.iter().cloned());
        let setting = self.setting;
        for (name, (_, place)) in &setting.given {
            match self.named.get(name) {
                Some(places) if places.len() > 1 => {
                    self.sink.push(command_errors::names_several(place.name, name, places));
                }
                Some(_) => {}
                None if self.used.contains(name) => {}
                None => {
                    let near = nearest(name, names.iter().map(String::as_str));
                    // A path without its beginning.
                    let ending = format!(".{name}");
                    let longer = names.iter().find(|one| one.ends_with(&ending));
                    let near = near.or(longer.map(String::as_str));
                    let known = if name.contains('.') && near.is_none() {
                        let emitted: Vec<&str> = self.emitted.iter().map(String::as_str).collect();
                        format!("{known}; emissions: {}", emitted.join(", "))
                    } else {
                        known.clone()
                    };
                    self.sink.push(command_errors::nothing_to_set(place.name, name, &known, near));
                }
            }
        }
    }
}
