//! Which comparisons say where something is.
//!
//! In: two whole numbers. Out: whether comparing them is a condition on the points of a space, which an
//! equation can be split by. Invariant: what is called a place here becomes an affine function of axes,
//! or one digit of it, when the model is built.

use super::int::{Atom, Facts, Poly};

impl Facts {
    /// Whether a comparison of two numbers says where something is: both are places, an affine function of
    /// index variables or the remainder of one, and at most one is a remainder. All other comparisons of
    /// what varies are made point by point.
    #[must_use]
    pub fn are_places(&self, left: &Poly, right: &Poly) -> bool {
        let gap = left.minus(right);
        if let Some((_, yes, no)) = gap.first_choice() {
            let zero = Poly::default();
            return self.are_places(&yes, &zero) && self.are_places(&no, &zero);
        }
        let flat = [left, right].map(affine);
        let digit = [left, right].map(|side| self.is_remainder(side));
        flat == [true, true] || (flat[0] && digit[1]) || (digit[0] && flat[1])
    }

    /// Whether a number is the remainder of a place by what is at least 1.
    fn is_remainder(&self, number: &Poly) -> bool {
        let Some(Atom::Mod(of, by)) = number.as_atom() else { return false };
        // An entry of a list that varies is one case after another: not inside a remainder.
        let listed = |atom: &Atom| matches!(atom, Atom::Item(_, at) if at.any(&varies));
        affine(of) && !of.any(&listed) && !by.any(&varies) && self.at_least_zero(&by.add(-1))
    }
}

/// Whether an atom takes many values once the model is built. Entries of lists and sums are numbers by
/// then.
fn varies(atom: &Atom) -> bool {
    matches!(atom, Atom::Var(_))
}

/// Whether every product holds at most one index variable, and that as it is.
fn affine(number: &Poly) -> bool {
    number.terms().all(|(product, _)| {
        let mut variables = product.iter().filter(|atom| match atom {
            Atom::Var(_) => true,
            Atom::Mod(of, by) => of.any(&varies) || by.any(&varies),
            Atom::If(_, yes, no) => yes.any(&varies) || no.any(&varies),
            Atom::Dim(_) | Atom::Item(..) | Atom::Sum(..) => false,
        });
        matches!((variables.next(), variables.next()), (None, _) | (Some(Atom::Var(_)), None))
    })
}
