//! Conditions on index variables as disjoint lists, and choices made of them.

use super::super::flat::{At, Cond, Linear, Rel, Term};
use super::super::int::{Atom, Poly, Test};
use super::{Cx, Engine};

/// Disjoint conjunctions under which a condition holds, and those under which it does not.
pub(super) struct Arms {
    pub(super) yes: Vec<Vec<Cond>>,
    pub(super) no: Vec<Vec<Cond>>,
}

impl Arms {
    fn known(value: bool) -> Arms {
        let all = vec![Vec::new()];
        if value { Arms { yes: all, no: Vec::new() } } else { Arms { yes: Vec::new(), no: all } }
    }

    fn not(self) -> Arms {
        Arms { yes: self.no, no: self.yes }
    }

    fn and(self, other: Arms) -> Arms {
        let mut no = self.no;
        no.extend(product(&self.yes, &other.no));
        Arms { yes: product(&self.yes, &other.yes), no }
    }
}

/// The most cases a condition is split into.
const MOST_ARMS: usize = 1024;

/// Every pair of conjunctions joined.
fn product(left: &[Vec<Cond>], right: &[Vec<Cond>]) -> Vec<Vec<Cond>> {
    let pair = |a: &Vec<Cond>, b: &Vec<Cond>| a.iter().chain(b).cloned().collect();
    left.iter().flat_map(|a| right.iter().map(move |b| pair(a, b))).collect()
}

impl Engine<'_> {
    /// A condition in a context.
    pub(super) fn arms(&mut self, cx: &Cx, test: &Test) -> Arms {
        let arms = self.all_arms(cx, test);
        if arms.yes.len() + arms.no.len() <= MOST_ARMS {
            return arms;
        }
        // `and` of many `or`s doubles with every factor.
        let span = self.frames[cx.frame.0].def.span;
        let text = format!("more than {MOST_ARMS} cases");
        self.sink.push(super::super::errors::too_large(span, "a condition", &text));
        Arms::known(false)
    }

    fn all_arms(&mut self, cx: &Cx, test: &Test) -> Arms {
        match test {
            Test::Known(value) => Arms::known(*value),
            Test::Flag(flag) => Arms::known(self.frames[cx.frame.0].flags[flag.0 as usize]),
            Test::Not(inner) => self.arms(cx, inner).not(),
            Test::And(left, right) => {
                let left = self.arms(cx, left);
                let right = self.arms(cx, right);
                left.and(right)
            }
            Test::Or(left, right) => {
                let left = self.arms(cx, left).not();
                let right = self.arms(cx, right).not();
                left.and(right).not()
            }
            Test::Less(left, right) => self.compare(cx, left, right, Rel::Lt),
            Test::Equal(left, right) => self.compare(cx, left, right, Rel::Eq),
        }
    }

    fn compare(&mut self, cx: &Cx, left: &Poly, right: &Poly, rel: Rel) -> Arms {
        let gap = self.frames[cx.frame.0].reduced(&left.minus(right), &Self::fixed(cx));
        if let Some((test, yes, no)) = gap.first_choice() {
            let test = self.arms(cx, &test);
            let zero = Poly::default();
            let (yes, no) = (self.compare(cx, &yes, &zero, rel), self.compare(cx, &no, &zero, rel));
            return Arms {
                yes: [product(&test.yes, &yes.yes), product(&test.no, &no.yes)].concat(),
                no: [product(&test.yes, &yes.no), product(&test.no, &no.no)].concat(),
            };
        }
        let (left, right) = (self.at(cx, left), self.at(cx, right));
        let (left, right, rel) = match (left, right) {
            (left, At::Linear(right)) => (left, right, rel),
            // `a < b` with a digit on the right is `b >= a + 1`.
            (At::Linear(left), right) => match rel {
                Rel::Lt => (right, left.plus(&Linear::constant(1)), Rel::Ge),
                Rel::Eq | Rel::Ne | Rel::Ge => (right, left, rel),
            },
            (left, right) => {
                panic!("internal error in elaborate: a condition compares {left:?} with {right:?}")
            }
        };
        if let At::Linear(linear) = &left
            && let Some(gap) = linear.plus(&right.times(-1)).as_constant()
        {
            return Arms::known(match rel {
                Rel::Eq => gap == 0,
                Rel::Ne => gap != 0,
                Rel::Lt => gap < 0,
                Rel::Ge => gap >= 0,
            });
        }
        let opposite = match rel {
            Rel::Eq => Rel::Ne,
            Rel::Ne => Rel::Eq,
            Rel::Lt => Rel::Ge,
            Rel::Ge => Rel::Lt,
        };
        let one = |rel| vec![vec![Cond { left: left.clone(), rel, right: right.clone() }]];
        Arms { yes: one(rel), no: one(opposite) }
    }

    /// One of two terms by a condition; only what can be chosen is evaluated.
    pub(super) fn choose(
        &mut self,
        arms: Arms,
        yes: &mut dyn FnMut(&mut Self) -> Term,
        no: &mut dyn FnMut(&mut Self) -> Term,
    ) -> Term {
        if arms.no.is_empty() {
            return yes(self);
        }
        if arms.yes.is_empty() {
            return no(self);
        }
        let (yes, no) = (yes(self), no(self));
        let take = |arms: Vec<Vec<Cond>>, term: Term| {
            arms.into_iter().map(move |when| (when, term.clone()))
        };
        Term::Choose(take(arms.yes, yes).chain(take(arms.no, no)).collect())
    }

    /// A polynomial as a place: affine, a remainder, or a bare variable's own place.
    pub(super) fn at(&mut self, cx: &Cx, poly: &Poly) -> At {
        let fixed = Self::fixed(cx);
        let poly = self.frames[cx.frame.0].reduced(poly, &fixed);
        if let Some(Atom::Var(var)) = poly.as_atom()
            && let Some(at) = cx.env.get(var)
        {
            return at.clone();
        }
        if let Some(Atom::Mod(of, by)) = poly.as_atom()
            && let (At::Linear(of), Some(radix)) = (self.at(cx, of), by.as_number())
            && radix > 0
        {
            return At::Digit { of, step: 1, radix: radix as u32 };
        }
        match self.linear(cx, &poly) {
            Some(linear) => At::Linear(linear),
            None => At::Value(Box::new(self.number_term(cx, &poly))),
        }
    }

    /// A polynomial as an affine function of flat variables.
    fn linear(&mut self, cx: &Cx, poly: &Poly) -> Option<Linear> {
        let mut sum = Linear::default();
        for (product, by) in poly.terms() {
            let term = match product {
                [] => Linear::constant(by),
                [Atom::Var(var)] => match cx.env.get(var)? {
                    At::Linear(linear) => linear.times(by),
                    At::Digit { .. } | At::Value(_) => return None,
                },
                _ => return None,
            };
            sum = sum.plus(&term);
        }
        Some(sum)
    }

    /// A polynomial as a real number computed point by point.
    pub(super) fn number_term(&mut self, cx: &Cx, poly: &Poly) -> Term {
        use crate::op::scalar::{ADD, MUL};
        if let Some(linear) = self.linear(cx, poly) {
            return match linear.as_constant() {
                Some(value) => Term::Real(value as f64),
                None => Term::Position(linear),
            };
        }
        let mut sum: Option<Term> = None;
        for (product, by) in poly.terms() {
            let mut term: Option<Term> =
                (by != 1 || product.is_empty()).then_some(Term::Real(by as f64));
            for atom in product {
                let factor = self.atom_term(cx, atom);
                term = Some(match term {
                    None => factor,
                    Some(left) => Term::Map(MUL, vec![left, factor]),
                });
            }
            let term = term.unwrap_or(Term::Real(1.0));
            sum = Some(match sum {
                None => term,
                Some(left) => Term::Map(ADD, vec![left, term]),
            });
        }
        sum.unwrap_or(Term::Real(0.0))
    }

    fn atom_term(&mut self, cx: &Cx, atom: &Atom) -> Term {
        use crate::op::scalar::{DIV, FLOOR, MUL, SUB};
        match atom {
            Atom::Var(var) => match cx.env.get(var) {
                Some(At::Linear(linear)) => Term::Position(linear.clone()),
                Some(At::Value(term)) => (**term).clone(),
                Some(At::Digit { of, step, radix }) => digit_term(of.clone(), *step, *radix),
                None => Term::Real(0.0),
            },
            Atom::Mod(of, by) => {
                let (of, by) = (self.number_term(cx, of), self.number_term(cx, by));
                let times = Term::Map(FLOOR, vec![Term::Map(DIV, vec![of.clone(), by.clone()])]);
                Term::Map(SUB, vec![of, Term::Map(MUL, vec![by, times])])
            }
            Atom::If(test, yes, no) => {
                let arms = self.arms(cx, test);
                self.choose(arms, &mut |e| e.number_term(cx, yes), &mut |e| e.number_term(cx, no))
            }
            Atom::Dim(_) | Atom::Item(..) | Atom::Sum(..) => {
                let poly = Poly::atom(atom.clone());
                Term::Real(self.number(cx.frame, &poly, &Self::fixed(cx)) as f64)
            }
        }
    }
}

/// `(of div step) mod radix` as a real number.
fn digit_term(of: Linear, step: u32, radix: u32) -> Term {
    use crate::op::scalar::{DIV, FLOOR, MUL, SUB};
    let floor = |of: Term, by: u32| {
        Term::Map(FLOOR, vec![Term::Map(DIV, vec![of, Term::Real(f64::from(by))])])
    };
    let whole = if step == 1 { Term::Position(of) } else { floor(Term::Position(of), step) };
    let times = Term::Map(MUL, vec![Term::Real(f64::from(radix)), floor(whole.clone(), radix)]);
    Term::Map(SUB, vec![whole, times])
}
