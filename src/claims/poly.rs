//! Polynomials over unknown numbers.
//!
//! In: unknowns ([`AtomId`]) and coefficients. Out: sums of products with like terms combined, so that
//! what cancels on paper cancels here. Invariant: no coefficient is 0, no power is 0.

use std::collections::BTreeMap;

/// An unknown number: its position in the store of the prover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AtomId(pub u32);

/// A product of powers, sorted by unknown.
pub(super) type Mono = Vec<(AtomId, u8)>;

/// The most terms that are kept apart.
const MOST_TERMS: usize = 80;

/// A sum of products.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Poly(pub BTreeMap<Mono, f64>);

/// The product of two products; `None` where a power grows too large.
pub(super) fn product(left: &Mono, right: &Mono) -> Option<Mono> {
    let mut all: BTreeMap<AtomId, u8> = left.iter().copied().collect();
    for (atom, power) in right {
        let slot = all.entry(*atom).or_default();
        *slot = slot.checked_add(*power).filter(|power| *power <= 8)?;
    }
    Some(all.into_iter().collect())
}

impl Poly {
    /// A number.
    pub(super) fn constant(value: f64) -> Poly {
        Poly::default().with(Mono::new(), value)
    }

    /// An unknown.
    pub(super) fn atom(atom: AtomId) -> Poly {
        Poly::default().with(vec![(atom, 1)], 1.0)
    }

    /// One more term.
    pub(super) fn with(mut self, mono: Mono, by: f64) -> Poly {
        self.add(mono, by);
        self
    }

    /// Adds a term.
    pub(super) fn add(&mut self, mono: Mono, by: f64) {
        if by == 0.0 {
            return;
        }
        let slot = self.0.entry(mono).or_default();
        *slot += by;
        if *slot == 0.0 {
            self.0.retain(|_, by| *by != 0.0);
        }
    }

    /// The sum.
    pub(super) fn plus(&self, other: &Poly) -> Poly {
        self.plus_times(other, 1.0)
    }

    /// The sum with a multiple.
    pub(super) fn plus_times(&self, other: &Poly, factor: f64) -> Poly {
        let mut all = self.clone();
        other.0.iter().for_each(|(mono, by)| all.add(mono.clone(), by * factor));
        all
    }

    /// The product; `None` where it has too many terms.
    pub(super) fn times(&self, other: &Poly) -> Option<Poly> {
        if self.0.len().saturating_mul(other.0.len()) > MOST_TERMS {
            return None;
        }
        let mut all = Poly::default();
        for (left, a) in &self.0 {
            for (right, b) in &other.0 {
                all.add(product(left, right)?, a * b);
            }
        }
        Some(all)
    }

    /// The number, if it is one.
    pub(super) fn as_constant(&self) -> Option<f64> {
        match self.0.len() {
            0 => Some(0.0),
            1 => self.0.get(&Mono::new()).copied(),
            _ => None,
        }
    }

    /// Whether there are too many terms to go on.
    pub(super) fn is_large(&self) -> bool {
        self.0.len() > MOST_TERMS
    }

    /// Every unknown in it.
    pub(super) fn atoms(&self) -> Vec<AtomId> {
        let mut all: Vec<AtomId> = self.0.keys().flatten().map(|(atom, _)| *atom).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// In how many terms an unknown stands, and whether only to the first power.
    pub(super) fn count(&self, atom: AtomId) -> (usize, bool) {
        let powers =
            self.0.keys().flatten().filter(|(own, _)| *own == atom).map(|(_, power)| *power);
        powers.fold((0, true), |(count, plain), power| (count + 1, plain && power == 1))
    }

    /// An unknown replaced; `None` where the result has too many terms.
    pub(super) fn substitute(&self, atom: AtomId, by: &Poly) -> Option<Poly> {
        let mut all = Poly::default();
        for (mono, factor) in &self.0 {
            let Some(at) = mono.iter().position(|(own, _)| *own == atom) else {
                all.add(mono.clone(), *factor);
                continue;
            };
            let mut rest = mono.clone();
            let (_, power) = rest.remove(at);
            let mut part = Poly::default().with(rest, *factor);
            for _ in 0..power {
                part = part.times(by)?;
            }
            all = all.plus(&part);
        }
        (!all.is_large()).then_some(all)
    }
}
