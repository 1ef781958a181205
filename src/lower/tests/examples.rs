//! The worked examples of the IR: what they become, and that it means the same.

use super::support::*;
use crate::graph::{Fold, Op, Rel, Toward, Type};
use crate::model::flat::*;
use crate::op::scalar::{EQ, MAX, MIN, MUL, SELECT};
use crate::op::{Opaque, scalar::EXP};

/// `out[i] = sum[k] w[(i - k + 1) mod N] * s[k]`
#[test]
fn a_shift_is_one_product_and_one_sum() {
    let mut flat = Flat::default();
    let (w, s) = (flat.input("w", &[5]), flat.input("s", &[3]));
    let (i, k) = (flat.axis("i", 5), flat.axis("k", 3));
    let of = plus(&i, 1).plus(&lin(&k).times(-1));
    let roll = read(w, &[At::Digit { of, step: 1, radix: 5 }]);
    flat.value("out", &[&i], sum(&[&k], mul(roll, entry(s, &[&k]))));
    let program = checked(&flat);
    let graph = &program.step;
    assert_eq!(graph.len(), 4);
    assert_eq!(count(graph, is_map(MUL)), 1);
    assert_eq!(count(graph, is_reduce), 1);
    let id = root_of(&program, "y").node;
    assert_eq!(graph.node(id).origin.axes, ["i", "k"]);
    assert_eq!(graph.node(id).space.sizes, [5]);
    let [w, s] = ["w", "s"].map(|name| leaf_values(&flat, name, &[]));
    let seen = evaluate(&program, "y", &flat.model);
    for (at, seen) in seen.iter().enumerate() {
        let right: f64 = (0..3).map(|k| w[(at + 6 - k) % 5] * s[k]).sum();
        assert!((seen - right).abs() < 1e-12);
    }
}

/// An input as the tests fill it, at its first axis.
fn leaf_values(flat: &Flat, name: &str, rest: &[i64]) -> Vec<f64> {
    let (at, input) = flat
        .model
        .inputs
        .iter()
        .enumerate()
        .find(|(_, input)| input.path == name)
        .expect("an input");
    let point = |k| [&[i64::from(k)], rest].concat();
    let datum = |k| super::flatly::datum(0, at as u32, &point(k), input.sort);
    (0..input.axes[0].size).map(datum).collect()
}

/// `a[phi[j]] = (1 - u[phi[j]]) * prod[m < j] u[phi[m]]`
fn allocation(flat: &mut Flat, u: Array, n: u32) -> Array {
    let [i, j, k, l, m] = ["i", "j", "k", "l", "m"].map(|name| flat.axis(name, n));
    let order = whole(Whole::Argsort, &l, entry(u, &[&l]), at(&k));
    let phi = flat.sorted("phi", &[&k], Sort::Index { below: n, permutation: true }, order);
    let sorted = |axis: &Axis| read(u, &[At::Value(Box::new(entry(phi, &[axis])))]);
    let below = cond(lin(&m), Rel::Lt, lin(&j));
    let product = fold(Fold::Prod, &[&m], vec![below], sorted(&m));
    let body = mul(sub(Term::Real(1.0), sorted(&j)), product);
    let here = Cond { left: At::Value(Box::new(entry(phi, &[&j]))), rel: Rel::Eq, right: lin(&i) };
    flat.value("a", &[&i], fold(Fold::Sum, &[&j], vec![here], body))
}

#[test]
fn allocation_is_a_sort_a_recurrence_and_a_scatter() {
    let mut flat = Flat::default();
    let u = flat.input("u", &[6]);
    allocation(&mut flat, u, 6);
    let program = checked(&flat);
    let graph = &program.step;
    let orders = |op: &Op| matches!(op, Op::Opaque { op: Opaque::Argsort, .. });
    assert_eq!(count(graph, orders), 1);
    assert_eq!(count(graph, is_recur), 1);
    assert_eq!(count(graph, is_reduce), 1);
    assert_eq!(count(graph, is_join), 0);
    let phi = graph.node(root_of(&program, "value/phi").node);
    assert_eq!(phi.ty, Type::Index { below: 6, permutation: true });
    let u = leaf_values(&flat, "u", &[]);
    let seen = evaluate(&program, "y", &flat.model);
    for (at, seen) in seen.iter().enumerate() {
        let freer: f64 = u.iter().filter(|other| **other < u[at]).product();
        assert!((seen - (1.0 - u[at]) * freer).abs() < 1e-12);
    }
}

/// The stack of Grefenstette 2015, in the equations of the language's proposal.
#[test]
fn a_stack_runs_in_linear_time() {
    let (depth, width) = (5, 3);
    let mut flat = Flat::default();
    let (v, push, pop) =
        (flat.input("v", &[width]), flat.input("push", &[]), flat.input("pop", &[]));
    let (big, strength) = (flat.state("V", &[depth, width]), flat.state("s", &[depth]));
    let zero = || Term::Real(0.0);
    let max = |left, right| map(MAX, [left, right]);
    let [i, j, k, l, m, n, o] =
        ["i", "j", "k", "l", "m", "n", "o"].map(|name| flat.axis(name, depth));
    let [c, d] = ["c", "d"].map(|name| flat.axis(name, width));
    let below = |inner: &Axis, outer: &Axis| vec![cond(lin(inner), Rel::Lt, lin(outer))];
    let above = fold(Fold::Sum, &[&m], below(&m, &i), entry(strength, &[&m]));
    let over = max(zero(), sub(read(pop, &[]), above));
    let left = flat.value("left", &[&i], max(zero(), sub(entry(strength, &[&i]), over)));
    let moved = read(left, &[At::Linear(plus(&j, -1))]);
    let right = if_equal(lin(&j), Linear::constant(0), read(push, &[]), moved);
    let s = flat.value("s", &[&j], right);
    let moved = read(big, &[At::Linear(plus(&k, -1)), at(&c)]);
    let right = if_equal(lin(&k), Linear::constant(0), entry(v, &[&c]), moved);
    let values = flat.value("V", &[&k, &c], right);
    let above = fold(Fold::Sum, &[&n], below(&n, &o), entry(s, &[&n]));
    let share = map(MIN, [entry(s, &[&o]), max(zero(), sub(Term::Real(1.0), above))]);
    let share = flat.value("share", &[&o], share);
    flat.value("r", &[&d], sum(&[&l], mul(entry(share, &[&l]), entry(values, &[&l, &d]))));
    flat.steps_to(big, values);
    flat.steps_to(strength, s);
    let program = checked(&flat);
    let graph = &program.step;
    assert_eq!(count(graph, is_recur), 2);
    assert_eq!(count(graph, is_join), 2);
    assert_eq!(count(graph, is_reduce), 1);
    let join = root_of(&program, "next/s").node;
    let arms = graph.operands(join);
    assert_eq!(arms[1].1.when[0].rel, Rel::Ge, "i != 0 is i >= 1");
}

/// `z = cat(x, r)`: a join of two reads, and taking it apart again costs no node.
#[test]
fn cat_is_one_join() {
    let (x_size, rows, width) = (3, 2, 4);
    let mut flat = Flat::default();
    let (x, r) = (flat.input("x", &[x_size]), flat.input("r", &[rows, width]));
    let t = flat.axis("t", x_size + rows * width);
    let start = Linear::constant(i64::from(x_size));
    let late = plus(&t, -i64::from(x_size));
    let digit = |step, radix| At::Digit { of: late.clone(), step, radix };
    let arms = vec![
        (vec![cond(lin(&t), Rel::Lt, start.clone())], entry(x, &[&t])),
        (vec![cond(lin(&t), Rel::Ge, start)], read(r, &[digit(width, rows), digit(1, width)])),
    ];
    let z = flat.value("z", &[&t], Term::Choose(arms));
    let [a, c] = [flat.axis("a", rows), flat.axis("c", width)];
    let back = plus(&c, i64::from(x_size)).plus(&lin(&a).times(i64::from(width)));
    flat.value("back", &[&a, &c], read(z, &[At::Linear(back)]));
    let program = checked(&flat);
    assert_eq!(program.step.len(), 3);
}

/// `L[i, j] = if i == j then 0 else (1 - w[i] - w[j]) * prev L[i, j] + w[i] * prev p[j]`
#[test]
fn links_are_computed_off_the_diagonal_only() {
    let n = 4;
    let mut flat = Flat::default();
    let (w, links, p) = (flat.input("w", &[n]), flat.state("L", &[n, n]), flat.state("p", &[n]));
    let [i, j, k] = ["i", "j", "k"].map(|name| flat.axis(name, n));
    let fade = sub(sub(Term::Real(1.0), entry(w, &[&i])), entry(w, &[&j]));
    let fresh = mul(entry(w, &[&i]), entry(p, &[&j]));
    let off = add(mul(fade, entry(links, &[&i, &j])), fresh);
    let next = flat.value("L", &[&i, &j], if_equal(lin(&i), lin(&j), Term::Real(0.0), off));
    flat.steps_to(links, next);
    let next = flat.value("p", &[&k], add(entry(p, &[&k]), entry(w, &[&k])));
    flat.steps_to(p, next);
    let program = checked(&flat);
    let graph = &program.step;
    let join = root_of(&program, "next/L").node;
    let arms = graph.operands(join);
    let sum = graph.node(arms[1].0);
    assert_eq!(sum.space.when, arms[1].1.when, "what lies below an arm exists there only");
    let faded =
        graph.ids().find(|id| graph.node(*id).space.sizes == [n] && graph.operands(*id).len() == 2);
    assert!(
        graph.node(faded.expect("1 - w[i] is a node")).space.when.is_empty(),
        "1 - w[i] exists for every i"
    );
}

/// `o[c] = sum[m] w[m] * M[idx[m], c]`, where rows may repeat.
#[test]
fn a_gather_is_an_index_operand() {
    let mut flat = Flat::default();
    let idx = flat.index_input("idx", &[4], Sort::Index { below: 3, permutation: false });
    let (w, big) = (flat.input("w", &[4]), flat.input("M", &[3, 2]));
    let [c, m] = [flat.axis("c", 2), flat.axis("m", 4)];
    let row = At::Value(Box::new(entry(idx, &[&m])));
    flat.value("o", &[&c], sum(&[&m], mul(entry(w, &[&m]), read(big, &[row, at(&c)]))));
    let program = checked(&flat);
    let graph = &program.step;
    assert_eq!(graph.len(), 5);
    let product = graph.ids().find(|id| graph.node(*id).op == Op::Map(MUL)).expect("a product");
    assert_eq!(graph.operands(product).len(), 3);
}

/// `idx = top[K](score)`, `w = softmax(for m: score[idx[m]])`, `r[c] = sum[m] w[m] * M[idx[m], c]`
#[test]
fn a_sparse_read_gathers_the_best_rows() {
    let mut flat = Flat::default();
    let (score, big) = (flat.input("score", &[2, 6]), flat.input("M", &[6, 2]));
    let [h, g, f] = ["h", "g", "f"].map(|name| flat.axis(name, 2));
    let [k, m, n, o] = ["k", "m", "n", "o"].map(|name| flat.axis(name, 3));
    let (i, c) = (flat.axis("i", 6), flat.axis("c", 2));
    let top = whole(Whole::Top { k: 3 }, &i, entry(score, &[&h, &i]), at(&k));
    let sort = Sort::Index { below: 6, permutation: false };
    let idx = flat.sorted("idx", &[&h, &k], sort, top);
    let best = |head: &Axis, axis: &Axis| At::Value(Box::new(entry(idx, &[head, axis])));
    let soft = whole(Whole::Softmax, &n, read(score, &[at(&g), best(&g, &n)]), at(&m));
    let w = flat.value("w", &[&g, &m], soft);
    let product = mul(entry(w, &[&f, &o]), read(big, &[best(&f, &o), at(&c)]));
    flat.value("r", &[&f, &c], sum(&[&o], product));
    let program = checked(&flat);
    assert_eq!(count(&program.step, is_map(EXP)), 1);
    assert_eq!(count(&program.step, is_reduce), 3);
}

/// Least recently used access: a comparison with the rank.
#[test]
fn a_rank_compares_as_a_number() {
    let mut flat = Flat::default();
    let u = flat.input("u", &[5]);
    let (i, j) = (flat.axis("i", 5), flat.axis("j", 5));
    let rank = whole(Whole::Rank, &j, mul(entry(u, &[&j]), Term::Real(-2.0)), at(&i));
    let first = map(EQ, [rank, Term::Real(0.0)]);
    flat.value("lu", &[&i], map(SELECT, [first, Term::Real(1.0), Term::Real(0.0)]));
    let program = checked(&flat);
    let seen = evaluate(&program, "y", &flat.model);
    assert_eq!(seen.iter().sum::<f64>(), 1.0);
}

/// Each way to write a limit, and the direction it runs.
#[test]
fn running_limits_become_recurrences() {
    let rows: [(Rel, i64, Toward); 4] = [
        (Rel::Lt, 0, Toward::Up),
        (Rel::Lt, 1, Toward::Up),
        (Rel::Ge, 0, Toward::Down),
        (Rel::Ge, 1, Toward::Down),
    ];
    for kind in [Fold::Sum, Fold::Prod] {
        for (rel, offset, toward) in rows {
            for mirrored in [false, true] {
                let mut flat = Flat::default();
                let x = flat.input("x", &[2, 5]);
                let [h, j, m] = [flat.axis("h", 2), flat.axis("j", 5), flat.axis("m", 5)];
                let limit = match (mirrored, rel) {
                    (false, _) => cond(lin(&m), rel, plus(&j, offset)),
                    (true, Rel::Lt) => cond(plus(&j, offset), Rel::Ge, plus(&m, 1)),
                    (true, _) => cond(plus(&j, offset), Rel::Lt, plus(&m, 1)),
                };
                let body = add(entry(x, &[&h, &m]), Term::Real(0.5));
                flat.value("y", &[&h, &j], fold(kind, &[&m], vec![limit], body));
                let program = checked(&flat);
                assert_eq!(count(&program.step, is_reduce), 0, "{kind:?} {rel:?} {offset}");
                let runs =
                    |op: &Op| matches!(op, Op::Recur { toward: runs, .. } if *runs == toward);
                assert_eq!(count(&program.step, runs), 1, "{kind:?} {rel:?} {offset}");
            }
        }
    }
}
