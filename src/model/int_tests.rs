//! What is proved of whole numbers, and what is not.

use super::*;

const N: DimId = DimId(0);
const I: VarId = VarId(0);
const J: VarId = VarId(1);

fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.range(I, Poly::number(0), Poly::dim(N).add(-1));
    facts.range(J, Poly::number(0), Poly::dim(N).add(-1));
    facts
}

#[test]
fn a_guard_proves_the_index_below() {
    let below = Poly::var(I).add(-1);
    assert!(!facts().at_least_zero(&below));
    let mut guarded = facts();
    guarded.assume(&Test::equal(Poly::var(I), Poly::number(0)), false);
    assert!(guarded.at_least_zero(&below));
}

#[test]
fn a_remainder_stays_below_its_modulus() {
    let roll = Poly::var(I).minus(&Poly::var(J)).modulo(Poly::dim(N));
    assert!(facts().at_least_zero(&roll));
    assert!(facts().at_least_zero(&Poly::dim(N).add(-1).minus(&roll)));
}

#[test]
fn an_ordered_pair_stays_inside() {
    let mut ordered = facts();
    ordered.assume(&Test::less(Poly::var(J), Poly::var(I)), true);
    assert!(ordered.at_least_zero(&Poly::var(I).minus(&Poly::var(J)).add(-1)));
    assert!(!ordered.at_least_zero(&Poly::var(J).minus(&Poly::var(I))));
}

#[test]
fn sums_differ_by_more_than_a_name() {
    let item = |var| Poly::atom(Atom::Item(N, Box::new(Poly::var(var))));
    let count = Poly::dim(DimId(1));
    assert_eq!(Poly::sum(I, count.clone(), &item(I)), Poly::sum(J, count.clone(), &item(J)));
    assert_ne!(Poly::sum(I, count.clone(), &item(I)), Poly::sum(I, count, &item(J)));
}

#[test]
fn a_number_may_be_zero_and_a_size_may_not() {
    let mut facts = facts();
    assert!(facts.at_least_zero(&Poly::dim(N).add(-1)));
    facts.number(N);
    assert!(!facts.at_least_zero(&Poly::dim(N).add(-1)));
}

#[test]
fn a_flattened_matrix_stays_inside() {
    let rows = Poly::dim(DimId(1));
    let flat = Poly::var(I).plus(&Poly::dim(N).times(&Poly::var(J)));
    let mut both = Facts::default();
    both.range(I, Poly::number(0), Poly::dim(N).add(-1));
    both.range(J, Poly::number(0), rows.add(-1));
    let last = Poly::dim(N).times(&rows).add(-1);
    assert!(both.at_least_zero(&last.minus(&flat)));
}
