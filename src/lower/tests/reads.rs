//! Reads through reads: what composes, what becomes a node, and what is known under a condition.

use super::super::lower_update;
use super::support::*;
use crate::graph::{Fold, Op, Rel};
use crate::model::flat::*;
use crate::op::scalar::{ADD, LT, MIN, MUL, SELECT};

fn digit(of: Linear, step: u32, radix: u32) -> At {
    At::Digit { of, step, radix }
}

/// A value that is a roll, a transposition or an offset of another costs no node.
#[test]
fn renamed_values_cost_no_node() {
    let mut flat = Flat::default();
    let x = flat.input("x", &[3, 4]);
    let [a, c, e] = ["a", "c", "e"].map(|name| flat.axis(name, 4));
    let [b, d, f] = ["b", "d", "f"].map(|name| flat.axis(name, 3));
    let turned = flat.value("turned", &[&a, &b], entry(x, &[&b, &a]));
    let rolled = read(turned, &[digit(plus(&c, -3), 1, 4), at(&d)]);
    let rolled = flat.value("rolled", &[&c, &d], rolled);
    let again = read(rolled, &[digit(plus(&e, 2), 1, 4), At::Linear(plus(&f, 0))]);
    flat.value("again", &[&e, &f], again);
    let program = checked(&flat);
    assert_eq!(program.step.len(), 1);
}

/// Flattening and taking a digit of a digit compose where one digit says it.
#[test]
fn digits_of_digits_compose_or_become_a_node() {
    // How many nodes where the digit is read at another digit, and where another digit reads it.
    let rows = [(2, 3, 2, 1), (1, 6, 1, 1), (3, 2, 1, 1), (1, 4, 1, 2), (4, 2, 1, 2)];
    for (step, radix, outside, inside) in rows {
        let mut flat = Flat::default();
        let x = flat.input("x", &[6]);
        let (p, q) = (flat.axis("p", 12), flat.axis("q", 12));
        let first = flat.value("first", &[&p], read(x, &[digit(lin(&p), 2, 6)]));
        let second = read(first, &[digit(lin(&q), step, radix)]);
        flat.value("second", &[&q], second);
        assert_eq!(checked(&flat).step.len(), outside, "{step} {radix}");
        let mut flat = Flat::default();
        let x = flat.input("x", &[12]);
        let (p, q) = (flat.axis("p", 6), flat.axis("q", 12));
        let first = flat.value("first", &[&p], read(x, &[digit(lin(&p), step, radix)]));
        flat.value("second", &[&q], read(first, &[digit(lin(&q), 2, 6)]));
        assert_eq!(checked(&flat).step.len(), inside, "{step} {radix}");
    }
}

/// An offset of a value read at a gathered place has to be held first.
#[test]
fn an_offset_under_a_gather_becomes_a_node() {
    let mut flat = Flat::default();
    let idx = flat.index_input("idx", &[4], Sort::Index { below: 3, permutation: false });
    let x = flat.input("x", &[4]);
    let [p, q, s] = [flat.axis("p", 3), flat.axis("q", 4), flat.axis("s", 4)];
    let moved = flat.value("moved", &[&p], read(x, &[At::Linear(plus(&p, 1))]));
    let place = At::Value(Box::new(entry(idx, &[&q])));
    let taken = flat.value("taken", &[&q], read(moved, &[place]));
    let twice = add(entry(taken, &[&s]), read(taken, &[At::Linear(Linear::constant(2))]));
    flat.value("twice", &[&s], twice);
    let program = checked(&flat);
    assert_eq!(count(&program.step, is_join), 1);
    assert_eq!(count(&program.step, is_reduce), 1);
}

/// Sizes decide conditions: an arm that never holds leaves no trace, one that always holds is all.
#[test]
fn decided_conditions_leave_no_join() {
    let mut flat = Flat::default();
    let x = flat.input("x", &[3]);
    let (i, j) = (flat.axis("i", 3), flat.axis("j", 3));
    let far = cond(lin(&i), Rel::Lt, Linear::constant(3));
    let never = cond(lin(&i), Rel::Ge, Linear::constant(3));
    let beyond = read(x, &[At::Linear(plus(&i, 3))]);
    let all = flat.value(
        "all",
        &[&i],
        Term::Choose(vec![(vec![never], beyond), (vec![far], entry(x, &[&i]))]),
    );
    // Below `j != 0`, the inner question is answered.
    let zero = Linear::constant(0);
    let inner =
        if_equal(lin(&j), zero.clone(), Term::Real(1.0), read(all, &[At::Linear(plus(&j, -1))]));
    flat.value("y", &[&j], if_equal(lin(&j), zero, Term::Real(2.0), inner));
    let program = checked(&flat);
    assert_eq!(count(&program.step, is_join), 1);
}

/// A body that reaches outside its array beyond the limit exists only below it.
#[test]
fn a_body_that_needs_the_limit_keeps_it() {
    let mut flat = Flat::default();
    let x = flat.input("x", &[5]);
    let [j, m] = ["j", "m"].map(|name| flat.axis(name, 5));
    let next = read(x, &[At::Linear(plus(&m, 1))]);
    let limit = cond(lin(&m), Rel::Lt, lin(&j));
    let body = mul(add(next, Term::Real(1.0)), Term::Real(3.0));
    flat.value("y", &[&j], fold(Fold::Sum, &[&m], vec![limit], body));
    let program = checked(&flat);
    assert_eq!(count(&program.step, is_recur), 0);
    let product = |op: &Op| matches!(op, Op::Map(MUL | ADD));
    let graph = &program.step;
    for id in graph.ids().filter(|id| product(&graph.node(*id).op)) {
        assert_eq!(graph.node(id).space.when.len(), 1, "m < 4");
    }
}

/// A body that mentions the limit's variable is no recurrence.
#[test]
fn a_triangular_product_stays_a_sum() {
    let mut flat = Flat::default();
    let (x, v) = (flat.input("x", &[4, 4]), flat.input("v", &[4]));
    let [j, m] = ["j", "m"].map(|name| flat.axis(name, 4));
    let limit = cond(lin(&m), Rel::Lt, lin(&j));
    let body = mul(entry(x, &[&j, &m]), entry(v, &[&m]));
    flat.value("y", &[&j], fold(Fold::Sum, &[&m], vec![limit], body));
    let program = checked(&flat);
    assert_eq!((count(&program.step, is_recur), count(&program.step, is_reduce)), (0, 1));
}

/// Positions are numbers where numbers are wanted.
#[test]
fn positions_join_reals() {
    let mut flat = Flat::default();
    let x = flat.input("x", &[4, 3]);
    let [i, j, k] = [flat.axis("i", 4), flat.axis("j", 3), flat.axis("k", 4)];
    let slope = Linear::new(-2, [(i.var, 3), (j.var, -1)]);
    flat.value("y", &[&i, &j], mul(entry(x, &[&i, &j]), Term::Position(slope)));
    let last = Term::Position(plus(&k, 0).times(-1).plus(&Linear::constant(3)));
    let back = read(x, &[At::Value(Box::new(last)), At::Linear(Linear::constant(1))]);
    flat.value("back", &[&k], back);
    flat.value("place", &[&k], Term::Position(lin(&k)));
    checked(&flat);
}

/// An order of something without the axis, of a family member, under a condition.
#[test]
fn orders_read_whole_axes() {
    let mut flat = Flat::default();
    let (x, w) = (flat.input("x", &[3, 4]), flat.input("w", &[3]));
    let [h, g, f] = ["h", "g", "f"].map(|name| flat.axis(name, 3));
    let [i, j, k, l, m, n] = ["i", "j", "k", "l", "m", "n"].map(|name| flat.axis(name, 4));
    flat.value("flat", &[&g, &k], whole(Whole::Argsort, &l, entry(w, &[&g]), at(&k)));
    let turned = whole(Whole::Argsort, &h, entry(x, &[&h, &i]), At::Linear(Linear::constant(1)));
    flat.value("turned", &[&i], turned);
    let backwards = read(
        x,
        &[At::Linear(plus(&f, -1)), At::Linear(lin(&j).times(-1).plus(&Linear::constant(3)))],
    );
    let order = whole(Whole::Rank, &j, backwards, at(&m));
    let first = entry(x, &[&f, &m]);
    flat.value("some", &[&f, &m], if_equal(lin(&f), Linear::constant(0), first, order));
    flat.value("again", &[&n], read(w, &[At::Linear(Linear::constant(0))]));
    checked(&flat);
}

/// Whole numbers that are computed can say where to read.
#[test]
fn computed_positions_are_positions() {
    let mut flat = Flat::default();
    let sort = Sort::Index { below: 5, permutation: false };
    let idx = flat.index_input("idx", &[5], sort);
    let x = flat.input("x", &[5]);
    let [i, j, k, l, m, n, o, p] =
        ["i", "j", "k", "l", "m", "n", "o", "p"].map(|name| flat.axis(name, 5));
    let shifted = flat.sorted(
        "shifted",
        &[&n],
        sort,
        Term::Position(lin(&n).times(-1).plus(&Linear::constant(4))),
    );
    let chain = read(idx, &[At::Linear(plus(&i, -1))]);
    let chain = if_equal(lin(&i), Linear::constant(0), Term::Real(3.0), chain);
    let chain = flat.sorted("chain", &[&i], sort, chain);
    let late = map(LT, [read(x, &[at(&j)]), Term::Real(0.5)]);
    let either = map(SELECT, [late, entry(idx, &[&j]), entry(chain, &[&j])]);
    let either = flat.sorted("either", &[&j], sort, either);
    let largest = fold(Fold::Max, &[&l], vec![], entry(either, &[&l]));
    let place = |term: Term| At::Value(Box::new(term));
    let next = map(MIN, [add(entry(either, &[&k]), Term::Real(1.0)), Term::Real(4.0)]);
    let sum = add(read(x, &[place(largest)]), read(x, &[place(next)]));
    flat.value("sum", &[&k], add(sum, read(x, &[place(entry(shifted, &[&k]))])));
    let order = whole(Whole::Argsort, &o, entry(x, &[&o]), at(&p));
    let phi = flat.sorted("phi", &[&p], Sort::Index { below: 5, permutation: true }, order);
    let (q, r) = (flat.axis("q", 5), flat.axis("r", 5));
    let here = Cond { left: place(entry(phi, &[&q])), rel: Rel::Eq, right: lin(&m) };
    let inverse = fold(Fold::Sum, &[&q], vec![here], Term::Position(lin(&q)));
    let inverse =
        flat.sorted("inverse", &[&m], Sort::Index { below: 5, permutation: true }, inverse);
    flat.value("back", &[&r], read(x, &[place(entry(inverse, &[&r]))]));
    checked(&flat);
}

/// Truth values are chosen, folded and compared as such.
#[test]
fn truth_values_keep_their_type() {
    let mut flat = Flat::default();
    let x = flat.input("x", &[4]);
    let [i, j] = ["i", "j"].map(|name| flat.axis(name, 4));
    let large = map(LT, [Term::Real(0.3), read(x, &[At::Linear(plus(&i, -1))])]);
    let large = if_equal(lin(&i), Linear::constant(0), Term::Truth(true), large);
    let large = flat.sorted("large", &[&i], Sort::Bool, large);
    let all = fold(Fold::Min, &[&j], vec![], entry(large, &[&j]));
    flat.value("y", &[], map(SELECT, [all, Term::Real(1.0), Term::Real(2.0)]));
    checked(&flat);
}

/// First states read parameters and helper equations of their own list.
#[test]
fn first_states_have_a_graph_of_their_own() {
    let mut flat = Flat::default();
    let start = flat.param("w.start", &[4]);
    let w = flat.state("w", &[4]);
    let [i, j, k, l] = ["i", "j", "k", "l"].map(|name| flat.axis(name, 4));
    let next = flat.value("w", &[&i], mul(entry(w, &[&i]), Term::Real(0.5)));
    flat.steps_to(w, next);
    let soft = whole(Whole::Softmax, &k, entry(start, &[&k]), at(&j));
    let (axes, sort) = (vec![j], Sort::Real);
    let span = crate::source::Span::default();
    flat.model.start_values.push(Value {
        path: "w.soft".to_owned(),
        axes,
        sort,
        right: soft,
        span,
    });
    flat.model.states[0].axes = vec![l.clone()];
    flat.model.states[0].start = entry(Array::Value(0), &[&l]);
    let program = checked(&flat);
    assert_eq!(program.params.len(), 1);
    assert_eq!(program.init.roots.len(), 1);
}

/// Momentum: the new value is the root `value`, slots step on.
#[test]
fn an_optimiser_is_lowered_like_any_model() {
    let mut flat = Flat::default();
    let (value, gradient) = (flat.input("value", &[7]), flat.input("gradient", &[7]));
    let rate = flat.input("rate", &[]);
    let slot = flat.state("momentum", &[7]);
    let (i, j) = (flat.axis("i", 7), flat.axis("j", 7));
    let speed = add(mul(Term::Real(0.9), entry(slot, &[&i])), entry(gradient, &[&i]));
    let speed = flat.value("momentum", &[&i], speed);
    flat.steps_to(slot, speed);
    let step = mul(read(rate, &[]), entry(speed, &[&j]));
    flat.value("new", &[&j], sub(entry(value, &[&j]), step));
    let update = lower_update(&flat.model);
    let names: Vec<&str> = update.graph.roots.iter().map(|(path, _)| path.0.as_str()).collect();
    assert_eq!(names, ["next/momentum", "value"]);
    assert_eq!((update.inputs.len(), update.slots.len()), (3, 1));
    assert_eq!(update.init.roots[0].0.0, "start/momentum");
}
