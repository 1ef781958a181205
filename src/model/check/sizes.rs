//! A definition's sizes in the terms of whoever calls it.

use super::super::int::{Atom, DimId, FlagId, Poly, Substitution, Test, VarId};
use super::super::typed::{Call, Extent, Sort};

/// A definition's dims and flags in the caller's terms.
#[derive(Clone)]
pub(super) struct CallSizes {
    pub(super) dims: Vec<Vec<Poly>>,
    pub(super) flags: Vec<Test>,
}

impl Substitution for CallSizes {
    fn dim(&self, dim: DimId) -> Poly {
        self.dims[dim.0 as usize].first().cloned().unwrap_or_default()
    }

    fn var(&self, var: VarId) -> Poly {
        Poly::var(var)
    }

    fn flag(&self, flag: FlagId) -> Test {
        self.flags[flag.0 as usize].clone()
    }

    fn item(&self, list: DimId, at: Poly) -> Poly {
        let list = &self.dims[list.0 as usize];
        match (&list[..], at.as_number()) {
            ([one], _) if one.as_dim().is_some() => {
                Poly::atom(Atom::Item(one.as_dim().unwrap_or(DimId(0)), Box::new(at)))
            }
            (all, Some(at)) => all.get(at as usize).cloned().unwrap_or_default(),
            (all, None) => Poly::entry(all, &at),
        }
    }

    fn sum(&self, var: VarId, count: Poly, body: &Poly) -> Poly {
        let at = |place: i64| Bound { sizes: self, var, place };
        match count.as_number() {
            Some(count) => {
                (0..count).fold(Poly::default(), |sum, place| sum.plus(&body.map(&at(place))))
            }
            None => Poly::sum(var, count, &body.map(self)),
        }
    }
}

/// The same with one variable bound to a number.
struct Bound<'a> {
    sizes: &'a CallSizes,
    var: VarId,
    place: i64,
}

impl Substitution for Bound<'_> {
    fn dim(&self, dim: DimId) -> Poly {
        self.sizes.dim(dim)
    }

    fn var(&self, var: VarId) -> Poly {
        if var == self.var { Poly::number(self.place) } else { Poly::var(var) }
    }

    fn flag(&self, flag: FlagId) -> Test {
        self.sizes.flag(flag)
    }

    fn item(&self, list: DimId, at: Poly) -> Poly {
        self.sizes.item(list, at)
    }

    fn sum(&self, var: VarId, count: Poly, body: &Poly) -> Poly {
        self.sizes.sum(var, count, body)
    }
}

impl CallSizes {
    /// Of a finished call.
    pub(super) fn of(call: &Call) -> CallSizes {
        CallSizes { dims: call.dims.clone(), flags: call.flags.clone() }
    }

    /// Of a call made inside, in the outer caller's terms.
    pub(super) fn then(&self, inner: &Call) -> CallSizes {
        let dims = inner.dims.iter().map(|list| list.iter().map(|one| one.map(self)).collect());
        let flags = inner.flags.iter().map(|test| test.map(self));
        CallSizes { dims: dims.collect(), flags: flags.collect() }
    }

    /// An axis.
    pub(super) fn extent(&self, extent: &Extent) -> Extent {
        Extent { low: extent.low.map(self), size: extent.size.map(self) }
    }

    /// A shape.
    pub(super) fn shape(&self, shape: &[Extent]) -> Vec<Extent> {
        shape.iter().map(|extent| self.extent(extent)).collect()
    }

    /// A sort.
    pub(super) fn sort(&self, sort: &Sort) -> Sort {
        match sort {
            Sort::Index { below, permutation } => {
                Sort::Index { below: below.map(self), permutation: *permutation }
            }
            Sort::Real | Sort::Int | Sort::Bool => sort.clone(),
        }
    }
}
