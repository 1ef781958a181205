//! Whole numbers known when a model is built: polynomials over dims and index variables.
//!
//! Dims compare by name, never by value, so a dim is a polynomial over names and two dims are equal
//! when their polynomials are. [`Facts::at_least_zero`] proves inequalities from the ranges of index
//! variables, the guards of enclosing `if`s and `require`s; it may fail to prove what is true, never
//! the other way round.

use std::collections::BTreeMap;

/// A compile-time whole number of a definition: its position in `Def::dims`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DimId(pub u32);

/// An index variable of a definition: its position in `Def::vars`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarId(pub u32);

/// A compile-time truth value of a definition: its position in `Def::flags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlagId(pub u32);

/// What a polynomial is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atom {
    /// A dim or whole-number parameter.
    Dim(DimId),
    /// An index variable.
    Var(VarId),
    /// Euclidean remainder.
    Mod(Box<Poly>, Box<Poly>),
    /// Decided when the model is built.
    If(Box<Test>, Box<Poly>, Box<Poly>),
    /// An entry of a list of dims.
    Item(DimId, Box<Poly>),
    /// The sum of a polynomial over a variable that runs over `0..count`.
    Sum(VarId, Box<Poly>, Box<Poly>),
}

/// A condition on whole numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// `true` or `false`.
    Known(bool),
    /// A compile-time truth value.
    Flag(FlagId),
    /// `left < right`.
    Less(Poly, Poly),
    /// `left == right`.
    Equal(Poly, Poly),
    /// Both.
    And(Box<Test>, Box<Test>),
    /// Either.
    Or(Box<Test>, Box<Test>),
    /// The opposite.
    Not(Box<Test>),
}

/// A sum of products of atoms with whole coefficients; no zero coefficient.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Poly(BTreeMap<Vec<Atom>, i64>);

impl Poly {
    /// A number.
    #[must_use]
    pub fn number(value: i64) -> Poly {
        let mut terms = BTreeMap::new();
        if value != 0 {
            terms.insert(Vec::new(), value);
        }
        Poly(terms)
    }

    /// One atom.
    #[must_use]
    pub fn atom(atom: Atom) -> Poly {
        Poly(BTreeMap::from([(vec![atom], 1)]))
    }

    /// One dim.
    #[must_use]
    pub fn dim(dim: DimId) -> Poly {
        Poly::atom(Atom::Dim(dim))
    }

    /// One index variable.
    #[must_use]
    pub fn var(var: VarId) -> Poly {
        Poly::atom(Atom::Var(var))
    }

    /// The sum of a body over a variable that runs over `0..count`. The variable is renamed, so that
    /// two sums that differ only in its name are equal.
    #[must_use]
    pub fn sum(var: VarId, count: Poly, body: &Poly) -> Poly {
        let own = VarId(SUMMED - body.sums());
        let body = body.map(&Renamed(var, own));
        Poly::atom(Atom::Sum(own, Box::new(count), Box::new(body)))
    }

    /// How many sums stand inside each other.
    fn sums(&self) -> u32 {
        let depth = |atom: &Atom| match atom {
            Atom::Sum(_, count, body) => 1 + count.sums().max(body.sums()),
            Atom::Dim(_) | Atom::Var(_) | Atom::Mod(..) | Atom::If(..) | Atom::Item(..) => 0,
        };
        self.0.keys().flatten().map(depth).max().unwrap_or(0)
    }

    /// The first `if` inside it, with the polynomial under either outcome.
    #[must_use]
    pub fn first_choice(&self) -> Option<(Test, Poly, Poly)> {
        let choice = self.0.keys().flatten().find(|atom| matches!(atom, Atom::If(..)))?.clone();
        let Atom::If(test, yes, no) = &choice else { return None };
        let with = |branch: &Poly| {
            let mut by = |atom: &Atom| {
                Some(if *atom == choice { branch.clone() } else { Poly::atom(atom.clone()) })
            };
            self.replace(&mut by)
        };
        Some(((**test).clone(), with(yes)?, with(no)?))
    }

    /// The entry of a list at a place that is not known yet.
    #[must_use]
    pub fn entry(list: &[Poly], at: &Poly) -> Poly {
        let last = list.last().cloned().unwrap_or_default();
        list.iter().enumerate().rev().skip(1).fold(last, |rest, (place, item)| {
            Poly::choose(Test::equal(at.clone(), Poly::number(place as i64)), item.clone(), rest)
        })
    }

    /// `if test then yes else no`, simplified where both agree or the test is known.
    #[must_use]
    pub fn choose(test: Test, yes: Poly, no: Poly) -> Poly {
        if yes == no || test == Test::Known(true) {
            return yes;
        }
        if test == Test::Known(false) {
            return no;
        }
        Poly::atom(Atom::If(Box::new(test), Box::new(yes), Box::new(no)))
    }

    /// `self mod by`.
    #[must_use]
    pub fn modulo(self, by: Poly) -> Poly {
        match (self.as_number(), by.as_number()) {
            (Some(left), Some(right)) if right > 0 => Poly::number(left.rem_euclid(right)),
            _ => Poly::atom(Atom::Mod(Box::new(self), Box::new(by))),
        }
    }

    /// The sum.
    #[must_use]
    pub fn plus(&self, other: &Poly) -> Poly {
        let mut sum = self.0.clone();
        for (product, by) in &other.0 {
            let entry = sum.entry(product.clone()).or_default();
            *entry = entry.saturating_add(*by);
        }
        sum.retain(|_, by| *by != 0);
        Poly(sum)
    }

    /// The difference.
    #[must_use]
    pub fn minus(&self, other: &Poly) -> Poly {
        self.plus(&other.times(&Poly::number(-1)))
    }

    /// The product.
    #[must_use]
    pub fn times(&self, other: &Poly) -> Poly {
        let mut result = Poly::default();
        for (left, a) in &self.0 {
            for (right, b) in &other.0 {
                let mut product: Vec<Atom> = left.iter().chain(right).cloned().collect();
                product.sort();
                let term = Poly(BTreeMap::from([(product, a.saturating_mul(*b))]));
                result = result.plus(&term);
            }
        }
        result
    }

    /// The sum with a number.
    #[must_use]
    pub fn add(&self, number: i64) -> Poly {
        self.plus(&Poly::number(number))
    }

    /// The number, if no atom occurs.
    #[must_use]
    pub fn as_number(&self) -> Option<i64> {
        match self.0.len() {
            0 => Some(0),
            1 => self.0.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// The dim, if this is one bare dim.
    #[must_use]
    pub fn as_dim(&self) -> Option<DimId> {
        match self.as_atom() {
            Some(Atom::Dim(dim)) => Some(*dim),
            _ => None,
        }
    }

    /// The variable, if this is one bare variable.
    #[must_use]
    pub fn as_var(&self) -> Option<VarId> {
        match self.as_atom() {
            Some(Atom::Var(var)) => Some(*var),
            _ => None,
        }
    }

    /// The atom, if this is one bare atom.
    #[must_use]
    pub fn as_atom(&self) -> Option<&Atom> {
        match self.0.first_key_value() {
            Some((product, 1)) if self.0.len() == 1 && product.len() == 1 => product.first(),
            _ => None,
        }
    }

    /// Products of atoms with their coefficients.
    pub fn terms(&self) -> impl Iterator<Item = (&[Atom], i64)> {
        self.0.iter().map(|(product, by)| (product.as_slice(), *by))
    }

    /// Every atom replaced by a polynomial; `None` where one cannot be.
    pub fn replace(&self, by: &mut dyn FnMut(&Atom) -> Option<Poly>) -> Option<Poly> {
        let mut sum = Poly::default();
        for (product, factor) in &self.0 {
            let mut term = Poly::number(*factor);
            for atom in product {
                term = term.times(&by(atom)?);
            }
            sum = sum.plus(&term);
        }
        Some(sum)
    }

    /// Dims, variables and flags replaced throughout, also inside `mod` and `if`.
    pub fn map(&self, by: &dyn Substitution) -> Poly {
        let mut inside = |atom: &Atom| {
            Some(match atom {
                Atom::Dim(dim) => by.dim(*dim),
                Atom::Var(var) => by.var(*var),
                Atom::Mod(left, right) => left.map(by).modulo(right.map(by)),
                Atom::If(test, yes, no) => Poly::choose(test.map(by), yes.map(by), no.map(by)),
                Atom::Item(list, at) => by.item(*list, at.map(by)),
                Atom::Sum(var, count, body) => by.sum(*var, count.map(by), body),
            })
        };
        self.replace(&mut inside).unwrap_or_default()
    }

    /// Whether some atom satisfies a test, also inside `mod` and `if`.
    pub fn any(&self, is: &dyn Fn(&Atom) -> bool) -> bool {
        self.0.keys().flatten().any(|atom| {
            is(atom)
                || match atom {
                    Atom::Dim(_) | Atom::Var(_) => false,
                    Atom::Mod(left, right) => left.any(is) || right.any(is),
                    Atom::If(test, yes, no) => test.any(is) || yes.any(is) || no.any(is),
                    Atom::Item(_, at) => at.any(is),
                    Atom::Sum(_, count, body) => count.any(is) || body.any(is),
                }
        })
    }

    /// Whether this variable occurs.
    #[must_use]
    pub fn mentions(&self, var: VarId) -> bool {
        self.any(&|atom| *atom == Atom::Var(var))
    }
}

impl Test {
    /// The opposite, simplified.
    #[must_use]
    pub fn opposite(self) -> Test {
        match self {
            Test::Known(value) => Test::Known(!value),
            Test::Not(test) => *test,
            Test::Flag(_) | Test::Less(..) | Test::Equal(..) | Test::And(..) | Test::Or(..) => {
                Test::Not(Box::new(self))
            }
        }
    }

    /// Both, simplified.
    #[must_use]
    pub fn and(self, other: Test) -> Test {
        match (self, other) {
            (Test::Known(false), _) | (_, Test::Known(false)) => Test::Known(false),
            (Test::Known(true), test) | (test, Test::Known(true)) => test,
            (left, right) => Test::And(Box::new(left), Box::new(right)),
        }
    }

    /// Either, simplified.
    #[must_use]
    pub fn or(self, other: Test) -> Test {
        self.opposite().and(other.opposite()).opposite()
    }

    /// `left < right`, decided where both are numbers.
    #[must_use]
    pub fn less(left: Poly, right: Poly) -> Test {
        match right.minus(&left).as_number() {
            Some(gap) => Test::Known(gap > 0),
            None => Test::Less(left, right),
        }
    }

    /// `left == right`, decided where the difference is a number.
    #[must_use]
    pub fn equal(left: Poly, right: Poly) -> Test {
        match right.minus(&left).as_number() {
            Some(gap) => Test::Known(gap == 0),
            None => Test::Equal(left, right),
        }
    }

    /// Dims, variables and flags replaced throughout.
    #[must_use]
    pub fn map(&self, by: &dyn Substitution) -> Test {
        match self {
            Test::Known(value) => Test::Known(*value),
            Test::Flag(flag) => by.flag(*flag),
            Test::Less(left, right) => Test::less(left.map(by), right.map(by)),
            Test::Equal(left, right) => Test::equal(left.map(by), right.map(by)),
            Test::And(left, right) => left.map(by).and(right.map(by)),
            Test::Or(left, right) => left.map(by).or(right.map(by)),
            Test::Not(test) => test.map(by).opposite(),
        }
    }

    /// Whether some atom satisfies a test.
    pub fn any(&self, is: &dyn Fn(&Atom) -> bool) -> bool {
        match self {
            Test::Known(_) | Test::Flag(_) => false,
            Test::Less(left, right) | Test::Equal(left, right) => left.any(is) || right.any(is),
            Test::And(left, right) | Test::Or(left, right) => left.any(is) || right.any(is),
            Test::Not(test) => test.any(is),
        }
    }
}

/// The variable of an innermost sum; those around it count down.
pub const SUMMED: u32 = u32::MAX;

/// One variable replaced by another.
struct Renamed(VarId, VarId);

impl Substitution for Renamed {
    fn dim(&self, dim: DimId) -> Poly {
        Poly::dim(dim)
    }

    fn var(&self, var: VarId) -> Poly {
        Poly::var(if var == self.0 { self.1 } else { var })
    }

    fn flag(&self, flag: FlagId) -> Test {
        Test::Flag(flag)
    }

    fn item(&self, list: DimId, at: Poly) -> Poly {
        Poly::atom(Atom::Item(list, Box::new(at)))
    }

    fn sum(&self, var: VarId, count: Poly, body: &Poly) -> Poly {
        Poly::atom(Atom::Sum(var, Box::new(count), Box::new(body.map(self))))
    }
}

/// What names are replaced by.
pub trait Substitution {
    /// A dim.
    fn dim(&self, dim: DimId) -> Poly;
    /// An index variable.
    fn var(&self, var: VarId) -> Poly;
    /// A flag.
    fn flag(&self, flag: FlagId) -> Test;
    /// An entry of a list of dims.
    fn item(&self, list: DimId, at: Poly) -> Poly;
    /// A sum over `0..count`; the body is not yet replaced.
    fn sum(&self, var: VarId, count: Poly, body: &Poly) -> Poly;
}

/// What is known where an expression stands: polynomials that are at least 0.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Ranges of variables: `var - low >= 0`, `high - var >= 0`.
    ranges: BTreeMap<VarId, (Poly, Poly)>,
    /// What ranges there were before others took their place, in the order of that.
    before: Vec<(VarId, Option<(Poly, Poly)>)>,
    /// Guards and requirements.
    more: Vec<Poly>,
    /// Whole-number parameters: unlike sizes they may be 0 or less.
    numbers: Vec<DimId>,
}

/// A moment to which facts may go back.
#[derive(Clone, Copy)]
pub struct Moment {
    ranges: usize,
    more: usize,
    numbers: usize,
}

/// How deep a proof may look; every step uses up one bound or fact.
const DEPTH: usize = 7;

impl Facts {
    /// A variable runs over `low..=high`.
    pub fn range(&mut self, var: VarId, low: Poly, high: Poly) {
        let before = self.ranges.insert(var, (low, high));
        self.before.push((var, before));
    }

    /// Now: facts that follow can be taken back, which is cheaper than a copy of all.
    #[must_use]
    pub fn now(&self) -> Moment {
        let (more, numbers) = (self.more.len(), self.numbers.len());
        Moment { ranges: self.before.len(), more, numbers }
    }

    /// Takes back what was learnt since a moment.
    pub fn back_to(&mut self, moment: Moment) {
        for (var, before) in self.before.drain(moment.ranges..).rev() {
            match before {
                Some(range) => self.ranges.insert(var, range),
                None => self.ranges.remove(&var),
            };
        }
        self.more.truncate(moment.more);
        self.numbers.truncate(moment.numbers);
    }

    /// A dim is a whole-number parameter, not a size.
    pub fn number(&mut self, dim: DimId) {
        self.numbers.push(dim);
    }

    fn is_size(&self, atom: &Atom) -> bool {
        match atom {
            Atom::Dim(dim) => !self.numbers.contains(dim),
            Atom::Item(..) => true,
            Atom::Var(_) | Atom::Mod(..) | Atom::If(..) | Atom::Sum(..) => false,
        }
    }

    /// A condition holds (or, with `holds` false, does not).
    pub fn assume(&mut self, test: &Test, holds: bool) {
        match (test, holds) {
            (Test::Not(test), _) => self.assume(test, !holds),
            (Test::And(left, right), true) | (Test::Or(left, right), false) => {
                self.assume(left, holds);
                self.assume(right, holds);
            }
            (Test::Less(left, right), true) => self.more.push(right.minus(left).add(-1)),
            (Test::Less(left, right), false) => self.more.push(left.minus(right)),
            (Test::Equal(left, right), true) => {
                self.more.push(left.minus(right));
                self.more.push(right.minus(left));
            }
            (Test::Equal(left, right), false) => self.differ(left, right),
            (Test::Known(_) | Test::Flag(_), _) | (Test::And(..), false) | (Test::Or(..), true) => {
            }
        }
    }

    /// Two numbers differ: useful where one is the end of the other's range.
    fn differ(&mut self, left: &Poly, right: &Poly) {
        let gap = left.minus(right);
        if self.at_least_zero(&gap) {
            self.more.push(gap.add(-1));
        } else if self.at_least_zero(&gap.times(&Poly::number(-1))) {
            self.more.push(gap.times(&Poly::number(-1)).add(-1));
        }
    }

    /// Whether a number is provably at least 0.
    #[must_use]
    pub fn at_least_zero(&self, number: &Poly) -> bool {
        self.prove(number, DEPTH)
    }

    fn prove(&self, number: &Poly, depth: usize) -> bool {
        if let Some(known) = number.as_number() {
            return known >= 0;
        }
        if let Some((test, yes, no)) = number.first_choice() {
            return depth > 0
                && [(true, yes), (false, no)].into_iter().all(|(holds, number)| {
                    let mut facts = self.clone();
                    facts.assume(&test, holds);
                    facts.prove(&number, depth - 1)
                });
        }
        if self.sizes_are_positive(number) {
            return true;
        }
        if depth == 0 {
            return false;
        }
        self.bounds(number).into_iter().any(|weaker| self.prove(&weaker, depth - 1))
    }

    /// Numbers that are at most `number`, each with one variable or fact used up.
    fn bounds(&self, number: &Poly) -> Vec<Poly> {
        let mut weaker = Vec::new();
        for (product, by) in number.terms() {
            for (at, atom) in product.iter().enumerate() {
                let ends = match atom {
                    Atom::Var(var) => self.ranges.get(var).cloned(),
                    Atom::Mod(_, radix) => Some((Poly::number(0), radix.add(-1))),
                    Atom::Dim(_) | Atom::If(..) | Atom::Item(..) | Atom::Sum(..) => None,
                };
                let Some((low, high)) = ends else { continue };
                let mut rest = product.to_vec();
                rest.remove(at);
                let rest = Poly(BTreeMap::from([(rest, by)]));
                let end = if self.never_negative(&rest) { low } else { high };
                let gone = rest.times(&Poly::atom(atom.clone()));
                weaker.push(number.minus(&gone).plus(&rest.times(&end)));
            }
        }
        let shares =
            |fact: &&Poly| fact.0.keys().any(|p| !p.is_empty() && number.0.contains_key(p));
        weaker.extend(self.more.iter().filter(shares).map(|fact| number.minus(fact)));
        weaker
    }

    /// Whether a coefficient is at least 0, whatever the dims.
    fn never_negative(&self, factor: &Poly) -> bool {
        factor
            .0
            .iter()
            .all(|(product, by)| *by >= 0 && product.iter().all(|atom| self.is_size(atom)))
    }

    /// Whether the number is at least 0 because every dim is at least 1: write each dim as 1 + d and
    /// look at the signs.
    fn sizes_are_positive(&self, number: &Poly) -> bool {
        let one_more = |atom: &Atom| {
            let size = self.is_size(atom) || matches!(atom, Atom::Sum(..));
            size.then(|| Poly::atom(atom.clone()).add(1))
        };
        let mut shift = one_more;
        number.replace(&mut shift).is_some_and(|shifted| shifted.0.values().all(|by| *by >= 0))
    }
}

#[cfg(test)]
#[path = "int_tests.rs"]
mod tests;
