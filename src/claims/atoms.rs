//! Terms as polynomials over what is no polynomial.
//!
//! In: a term in canonical form. Out: a polynomial whose unknowns are terms, quotients and sums that
//! could not be resolved, each met once. Invariant: the polynomial is the term at every point.

use super::facts::SLACK;
use super::poly::{AtomId, Mono, Poly};
use super::prover::{Atom, DEEPEST, Met, Prover};
use super::short_name::short_name;
use super::terms;
use crate::model::flat::{Array, At, Fold, Sort, Term, Var};
use crate::op::Interval;
use crate::op::scalar::{ADD, DIV, MUL, NEG, POW, SUB};

impl Prover<'_> {
    /// The unknown that a term is.
    pub(super) fn atom(&mut self, term: &Term) -> AtomId {
        if let Some(known) = self.known_atom(term) {
            return known;
        }
        let range = self.range(term);
        self.add_atom(Atom { term: Some(term.clone()), under: None, sum: None, range })
    }

    /// The unknown that a term is, where it has been met.
    pub(super) fn known_atom(&self, term: &Term) -> Option<AtomId> {
        let near = self.index.get(&short_name(term))?;
        let same = |id: &&AtomId| self.atoms[id.0 as usize].term.as_ref() == Some(term);
        near.iter().find(same).copied()
    }

    /// A new unknown; it is found again by its term unless it is a quotient.
    pub(super) fn add_atom(&mut self, atom: Atom) -> AtomId {
        let id = AtomId(self.atoms.len() as u32);
        if let (Some(term), None) = (&atom.term, &atom.under) {
            self.index.entry(short_name(term)).or_default().push(id);
        }
        self.atoms.push(atom);
        id
    }

    /// An unknown about which only its interval is known.
    pub(super) fn slack(&mut self, range: Interval) -> AtomId {
        self.add_atom(Atom { term: None, under: None, sum: None, range })
    }

    /// A term as a polynomial; what is none becomes an unknown. What has been met is not looked at again.
    pub(super) fn poly(&mut self, term: &Term) -> Poly {
        let (summing, depth) = (self.summing, self.depth);
        let name = short_name(term);
        let same = |met: &&Met| met.summing == summing && met.depth == depth && met.term == *term;
        if let Some(met) = self.polys.get(&name).and_then(|near| near.iter().find(same)) {
            let poly = met.poly.clone();
            self.spend(1);
            return poly;
        }
        let poly = self.fresh_poly(term);
        let met = Met { term: term.clone(), summing, depth, poly: poly.clone() };
        self.polys.entry(name).or_default().push(met);
        poly
    }

    fn fresh_poly(&mut self, term: &Term) -> Poly {
        if !self.spend(1) {
            return Poly::atom(self.slack(Interval::WILD));
        }
        match self.expanded(term) {
            Some(poly) if !poly.is_large() => poly,
            Some(_) | None => {
                let atom = self.atom(term);
                match self.atoms[atom.0 as usize].range.as_point() {
                    Some(value) => Poly::constant(value),
                    None => Poly::atom(atom),
                }
            }
        }
    }

    fn expanded(&mut self, term: &Term) -> Option<Poly> {
        match term {
            Term::Real(value) if value.is_finite() => Some(Poly::constant(*value)),
            Term::Truth(value) => Some(Poly::constant(f64::from(u8::from(*value)))),
            Term::Read(Array::Value(value), at) => self.equation(*value, at),
            Term::Map(scalar, all) => match *scalar {
                ADD => Some(self.fresh_poly(&all[0]).plus(&self.fresh_poly(&all[1]))),
                SUB => Some(self.fresh_poly(&all[0]).plus_times(&self.fresh_poly(&all[1]), -1.0)),
                NEG => Some(Poly::default().plus_times(&self.fresh_poly(&all[0]), -1.0)),
                MUL => {
                    let (left, right) = (self.fresh_poly(&all[0]), self.fresh_poly(&all[1]));
                    self.times(&left, &right)
                }
                DIV => {
                    let (over, under) = (self.fresh_poly(&all[0]), self.fresh_poly(&all[1]));
                    let under = self.reciprocal(&under)?;
                    self.times(&over, &under)
                }
                POW if matches!(all[1], Term::Real(2.0)) => {
                    let base = self.fresh_poly(&all[0]);
                    self.times(&base, &base)
                }
                _ => None,
            },
            Term::Fold { fold: Fold::Sum, over, when, body } => self.sum(over, when, body),
            Term::Real(_)
            | Term::Position(_)
            | Term::Read(..)
            | Term::Choose(_)
            | Term::Fold { .. }
            | Term::Whole { .. } => None,
        }
    }

    /// A value replaced by its equation, where that is wanted.
    fn equation(&mut self, value: u32, at: &[At]) -> Option<Poly> {
        let one = &self.equations()[value as usize];
        // An array whose sums are known is best kept whole.
        let fact = self.fact(Array::Value(value));
        let kept = !one.axes.is_empty() && fact.sum.lo >= -1.0 && fact.sum.hi <= 1.0 + SLACK;
        if one.sort != Sort::Real || kept || !self.inline || self.depth >= DEEPEST {
            return None;
        }
        let right = self.names.freshened(&one.right);
        let by = |var: Var| one.axes.iter().position(|axis| axis.var == var).map(|k| at[k].clone());
        let right = terms::substitute(&right, &by)?;
        let right = self.canonical(&right);
        if terms::split(&right).is_some() {
            return None;
        }
        self.depth += 1;
        let poly = self.poly(&right);
        self.depth -= 1;
        Some(poly)
    }

    /// The product, with what stands above and below a line cancelled.
    pub(super) fn times(&mut self, left: &Poly, right: &Poly) -> Option<Poly> {
        if !self.spend(left.0.len() * right.0.len()) {
            return None;
        }
        let raw = left.times(right)?;
        let mut all = Poly::default();
        for (mono, factor) in raw.0 {
            let (mono, factor) = self.cancelled(mono, factor);
            all.add(mono, factor);
        }
        Some(all)
    }

    fn cancelled(&self, mut mono: Mono, factor: f64) -> (Mono, f64) {
        for at in 0..mono.len() {
            let (quotient, power) = mono[at];
            let Some(Poly(under)) = &self.atoms[quotient.0 as usize].under else { continue };
            let [(below, _)] = &under[..] else { continue };
            let [(atom, 1)] = below[..] else { continue };
            if !self.atoms[atom.0 as usize].range.excludes_zero() {
                continue;
            }
            let above = mono.iter().find(|(own, _)| *own == atom).map_or(0, |(_, power)| *power);
            let common = above.min(power);
            for slot in &mut mono {
                if slot.0 == atom || slot.0 == quotient {
                    slot.1 -= common;
                }
            }
        }
        mono.retain(|(_, power)| *power > 0);
        (mono, factor)
    }

    /// One over a polynomial, as unknowns.
    fn reciprocal(&mut self, under: &Poly) -> Option<Poly> {
        if let Some(value) = under.as_constant() {
            return (value != 0.0).then(|| Poly::constant(1.0 / value));
        }
        if let [(mono, factor)] = &under.0[..] {
            let mut all = Mono::new();
            for (atom, power) in mono {
                all.push((self.quotient(&Poly::atom(*atom)), *power));
            }
            all.sort_unstable();
            return Some(Poly::default().with(all, 1.0 / factor));
        }
        Some(Poly::atom(self.quotient(under)))
    }

    fn quotient(&mut self, under: &Poly) -> AtomId {
        if let Some(known) = self.known_quotient(under) {
            return known;
        }
        let range = self.bound_poly(under).reciprocal();
        let term = self.term_of(under).map(|term| Term::Map(DIV, vec![Term::Real(1.0), term]));
        self.add_atom(Atom { term, under: Some(under.clone()), sum: None, range })
    }

    /// The unknown that one over a polynomial is, where it has been met.
    pub(super) fn known_quotient(&self, under: &Poly) -> Option<AtomId> {
        let known = self.atoms.iter().position(|atom| atom.under.as_ref() == Some(under))?;
        Some(AtomId(known as u32))
    }

    /// A polynomial as a term again.
    pub(super) fn term_of(&self, poly: &Poly) -> Option<Term> {
        let mut sum: Option<Term> = None;
        for (mono, factor) in &poly.0 {
            let product = Term::Map(MUL, vec![Term::Real(*factor), self.term_of_mono(mono)?]);
            sum = Some(match sum {
                None => product,
                Some(sum) => Term::Map(ADD, vec![sum, product]),
            });
        }
        Some(sum.unwrap_or(Term::Real(0.0)))
    }

    /// A product as a term, its factors in an order that depends on what they are.
    pub(super) fn term_of_mono(&self, mono: &Mono) -> Option<Term> {
        let mut factors = Vec::new();
        for (atom, power) in mono {
            let term = self.atoms[atom.0 as usize].term.clone()?;
            (0..*power).for_each(|_| factors.push(term.clone()));
        }
        factors.sort_by_cached_key(short_name);
        let product = factors.into_iter().reduce(|a, b| Term::Map(MUL, vec![a, b]));
        Some(product.unwrap_or(Term::Real(1.0)))
    }
}
