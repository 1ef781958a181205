//! The order in which equations are listed leaves no trace.

use super::super::lower;
use super::support::*;
use crate::graph::Fold;
use crate::model::flat::*;
use crate::op::scalar::TANH;

/// Six equations that share, listed in the given order.
fn model(order: [usize; 6]) -> Model {
    let mut flat = Flat::default();
    let x = flat.input("x", &[4]);
    let axes: Vec<Axis> = (0..8).map(|_| flat.axis("i", 4)).collect();
    let squash = |axis: &Axis| map(TANH, [entry(x, &[axis])]);
    let v = |number| Array::Value(number);
    let rights = [
        squash(&axes[0]),
        mul(squash(&axes[1]), entry(v(0), &[&axes[1]])),
        add(entry(v(1), &[&axes[2]]), entry(v(0), &[&axes[2]])),
        entry(v(2), &[&axes[3]]),
        fold(Fold::Sum, &[&axes[6]], vec![], entry(v(3), &[&axes[6]])),
        mul(entry(v(3), &[&axes[5]]), read(v(4), &[])),
    ];
    let names = ["d", "b", "f", "a", "e", "c"];
    for at in order {
        let place = |old: u32| {
            order.iter().position(|at| *at == old as usize).expect("a permutation") as u32
        };
        let right = renumbered(&rights[at], &place);
        let axis: Vec<&Axis> = if at == 4 { vec![] } else { vec![&axes[at]] };
        flat.value(names[at], &axis, right);
    }
    flat.model.output = order.iter().position(|at| *at == 5).expect("a permutation") as u32;
    flat.model
}

fn renumbered(term: &Term, place: &impl Fn(u32) -> u32) -> Term {
    match term {
        Term::Read(Array::Value(old), at) => read(Array::Value(place(*old)), at),
        Term::Map(scalar, arguments) => {
            map(*scalar, arguments.iter().map(|term| renumbered(term, place)).collect::<Vec<_>>())
        }
        Term::Fold { fold, over, when, body } => Term::Fold {
            fold: *fold,
            over: over.clone(),
            when: when.clone(),
            body: Box::new(renumbered(body, place)),
        },
        Term::Real(_)
        | Term::Truth(_)
        | Term::Position(_)
        | Term::Read(..)
        | Term::Choose(_)
        | Term::Whole { .. } => term.clone(),
    }
}

#[test]
fn a_shuffled_list_of_equations_gives_the_same_graph() {
    let text = |order| {
        let graph = lower(&model(order)).step;
        let nodes: Vec<_> =
            graph.ids().map(|id| (graph.node(id).clone(), graph.operands(id).len())).collect();
        let edges: Vec<_> = graph.ids().map(|id| format!("{:?}", graph.operands(id))).collect();
        format!("{nodes:?} {edges:?} {:?}", graph.roots)
    };
    let first = text([0, 1, 2, 3, 4, 5]);
    for other in [[5, 4, 3, 2, 1, 0], [3, 1, 5, 0, 2, 4], [0, 2, 4, 1, 3, 5]] {
        assert_eq!(first, text(other));
    }
}
