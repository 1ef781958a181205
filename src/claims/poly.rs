//! Polynomials over unknown numbers.
//!
//! In: unknowns ([`AtomId`]) and coefficients. Out: sums of products with like terms combined, so that
//! what cancels on paper cancels here. Invariant: no coefficient is 0, no power is 0.

use std::cmp::Ordering;

/// An unknown number: its position in the store of the prover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AtomId(pub u32);

/// A product of powers, sorted by unknown.
pub(super) type Mono = Vec<(AtomId, u8)>;

/// The most terms that are kept apart.
const MOST_TERMS: usize = 80;

/// A sum of products with their factors, sorted by product.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Poly(pub Vec<(Mono, f64)>);

/// The product of two products; `None` where a power grows too large.
pub(super) fn product(left: &Mono, right: &Mono) -> Option<Mono> {
    let mut all = Mono::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some((a, m)), Some((b, n))) = (left.peek(), right.peek()) {
        all.push(match a.cmp(b) {
            Ordering::Less => *left.next()?,
            Ordering::Greater => *right.next()?,
            Ordering::Equal => {
                let power = m.checked_add(*n).filter(|power| *power <= 8)?;
                right.next();
                left.next().map(|(atom, _)| (*atom, power))?
            }
        });
    }
    all.extend(left.chain(right));
    Some(all)
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
        match self.place(&mono) {
            Err(at) => self.0.insert(at, (mono, by)),
            Ok(at) => {
                self.0[at].1 += by;
                if self.0[at].1 == 0.0 {
                    self.0.remove(at);
                }
            }
        }
    }

    /// Where a product stands, or would.
    fn place(&self, mono: &Mono) -> Result<usize, usize> {
        // Most come in order.
        match self.0.last() {
            Some((last, _)) if last < mono => Err(self.0.len()),
            Some(_) => self.0.binary_search_by(|(own, _)| own.cmp(mono)),
            None => Err(0),
        }
    }

    /// Every product.
    pub(super) fn monos(&self) -> impl Iterator<Item = &Mono> {
        self.0.iter().map(|(mono, _)| mono)
    }

    /// The sum.
    pub(super) fn plus(&self, other: &Poly) -> Poly {
        self.plus_times(other, 1.0)
    }

    /// The sum with a multiple.
    pub(super) fn plus_times(&self, other: &Poly, factor: f64) -> Poly {
        let mut all = self.clone();
        if all.0.is_empty() && factor == 1.0 {
            return other.clone();
        }
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
        match &self.0[..] {
            [] => Some(0.0),
            [(mono, by)] if mono.is_empty() => Some(*by),
            _ => None,
        }
    }

    /// Whether there are too many terms to go on.
    pub(super) fn is_large(&self) -> bool {
        self.0.len() > MOST_TERMS
    }

    /// Every unknown in it.
    pub(super) fn atoms(&self) -> Vec<AtomId> {
        let mut all: Vec<AtomId> = self.monos().flatten().map(|(atom, _)| *atom).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// In how many terms an unknown stands, and whether only to the first power.
    pub(super) fn count(&self, atom: AtomId) -> (usize, bool) {
        let powers =
            self.monos().flatten().filter(|(own, _)| *own == atom).map(|(_, power)| *power);
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
            part.0.into_iter().for_each(|(mono, by)| all.add(mono, by));
        }
        (!all.is_large()).then_some(all)
    }
}
