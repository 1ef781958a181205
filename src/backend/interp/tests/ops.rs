//! Every op and every form of access, against the point evaluator.

use super::{Draft, affine, array, at, cond, digit, index, numbers, program, same};
use crate::backend::interp::Interp;
use crate::backend::{Batch, Executable, Precision, Want};
use crate::graph::eval::{evaluate, points};
use crate::graph::{Axis, Bits, Fold, Graph, Index, Leaf, NodeId, Op, Port, Rel, Space, Toward};
use crate::op::scalar::{self, rows};
use crate::op::{Opaque, Scalar};
use crate::tensor::Tensor;

/// Runs the node `y` on inputs of those shapes, in both precisions and with inputs as parameters.
fn agrees(make: impl Fn(&mut Draft, &[NodeId]) -> NodeId, shapes: &[&[u32]], tolerance: f64) {
    let values = shapes.iter().enumerate().map(|(at, sizes)| {
        numbers(&sizes.iter().map(|size| *size as usize).collect::<Vec<_>>(), at as u64 + 1)
    });
    let values: Vec<Tensor> = values.collect();
    agrees_on(make, shapes, &values, tolerance);
}

fn agrees_on(
    make: impl Fn(&mut Draft, &[NodeId]) -> NodeId,
    shapes: &[&[u32]],
    values: &[Tensor],
    tolerance: f64,
) {
    for as_params in [false, true] {
        let mut draft = Draft::new();
        let leaf = |at: usize| {
            if as_params { Leaf::Param(at as u32) } else { Leaf::Input(at as u32) }
        };
        let leaves: Vec<NodeId> =
            shapes.iter().enumerate().map(|(at, sizes)| draft.leaf(leaf(at), sizes)).collect();
        let node = make(&mut draft, &leaves);
        draft.root("y", node);
        let graph = draft.builder.finish();
        for (precision, extra) in [(Precision::F64, 0.0), (Precision::F32, 2e-5)] {
            let y = interpreted(&graph, shapes, values, as_params, precision);
            let rounded: Vec<Tensor> = match precision {
                Precision::F64 => values.to_vec(),
                Precision::F32 => values.iter().map(|v| v.mapv(|x| f64::from(x as f32))).collect(),
            };
            compare(&graph, node, &rounded, &y, tolerance + extra);
        }
    }
}

fn interpreted(
    graph: &Graph,
    shapes: &[&[u32]],
    values: &[Tensor],
    as_params: bool,
    precision: Precision,
) -> Tensor {
    let arrays: Vec<_> = shapes.iter().map(|sizes| array("a", sizes)).collect();
    let (inputs, params) = if as_params { (vec![], arrays) } else { (arrays, vec![]) };
    let mut program = program(inputs, vec![], params);
    program.step = graph.clone();
    let mut interp = Interp::new(&program, precision, 1);
    let wide = values.iter().map(|value| {
        let shape: Vec<usize> = [1, 1].iter().chain(value.shape()).copied().collect();
        value.clone().into_shape_with_order(shape).unwrap()
    });
    let wide: Vec<Tensor> = wide.collect();
    let batch =
        Batch { lengths: vec![1], inputs: if as_params { vec![] } else { wide }, starts: vec![] };
    let want = Want { roots: vec!["y".into()], gradients: false };
    let params = if as_params { values } else { &[] };
    interp.run(params, &batch, &want).roots.remove("y").unwrap()
}

fn compare(graph: &Graph, node: NodeId, leaves: &[Tensor], y: &Tensor, tolerance: f64) {
    let leaf = |leaf: &Leaf, point: &[u32]| {
        let at: Vec<usize> = point.iter().map(|place| *place as usize).collect();
        match leaf {
            Leaf::Input(number) | Leaf::Param(number) => leaves[*number as usize][&at[..]],
            Leaf::Prev(_) | Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_) => {
                panic!("no test has {leaf:?}")
            }
        }
    };
    let values = evaluate(graph, &leaf);
    let flat = y.as_slice().unwrap();
    let all = points(&graph.node(node).space.sizes);
    for (number, (point, wanted)) in all.iter().zip(values.node(node)).enumerate() {
        let got = flat[number];
        let Some(wanted) = *wanted else {
            assert_eq!(got, 0.0, "outside at {point:?}");
            continue;
        };
        let close = (got - wanted).abs() <= tolerance * wanted.abs().max(1.0);
        let same = got.to_bits() == wanted.to_bits() || (got.is_nan() && wanted.is_nan());
        assert!(same || close, "{point:?}: {got} but should be {wanted}");
    }
}

fn whole(values: &[f64]) -> Tensor {
    Tensor::from_shape_vec(vec![values.len()], values.to_vec()).unwrap()
}

fn reduce(fold: Fold, over: &[u32], when: Vec<crate::graph::Cond>) -> Op {
    Op::Reduce { fold, over: over.to_vec(), when }
}

const FOLDS: [Fold; 4] = [Fold::Sum, Fold::Prod, Fold::Max, Fold::Min];

#[test]
fn every_row_of_the_table_equals_its_formula() {
    let odd = [-1.5, -0.0, 0.0, 0.25, 1.0, 3.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let n = odd.len() as u32;
    for (number, row) in rows().iter().enumerate() {
        let rank = row.takes.len();
        let sizes = vec![n; rank];
        let operands = |leaf: NodeId| {
            (0..rank).map(|port| (leaf, at(port as u8, vec![Index::axis(port)]))).collect()
        };
        let make = |draft: &mut Draft, leaves: &[NodeId]| {
            let op = Op::Map(Scalar(number as u16));
            draft.op(op, Space::of(sizes.clone()), operands(leaves[0]), row.name)
        };
        agrees_on(make, &[&[n]], &[whole(&odd)], 0.0);
    }
}

#[test]
fn maps_read_by_every_kind_of_access() {
    let accesses: Vec<(Vec<Index>, &[u32])> = vec![
        (vec![index(0, &[(0, 1)]), index(0, &[(1, 1)])], &[4, 5]),
        (vec![index(0, &[(1, 1)]), index(0, &[(0, 1)])], &[5, 4]),
        (vec![index(0, &[(1, 1)])], &[5]),
        (vec![], &[]),
        (vec![index(3, &[(0, -1)]), index(2, &[])], &[4, 3]),
        (vec![index(1, &[(0, 2), (1, 1)])], &[12]),
        (vec![digit(-2, &[(0, 1), (1, 1)], 1, 4), index(0, &[(1, 1)])], &[4, 5]),
        (vec![digit(0, &[(0, 5), (1, 1)], 10, 2), digit(0, &[(0, 5), (1, 1)], 1, 10)], &[2, 10]),
    ];
    for (access, sizes) in &accesses {
        for (other, other_sizes) in &accesses {
            let make = |draft: &mut Draft, leaves: &[NodeId]| {
                let list =
                    vec![(leaves[0], at(0, access.clone())), (leaves[1], at(1, other.clone()))];
                draft.op(Op::Map(scalar::SUB), Space::of([4, 5]), list, "y")
            };
            agrees(make, &[sizes, other_sizes], 0.0);
        }
        let make = |draft: &mut Draft, leaves: &[NodeId]| {
            let operand = (leaves[0], at(0, access.clone()));
            draft.op(Op::Map(scalar::TANH), Space::of([4, 5]), vec![operand], "y")
        };
        agrees(make, &[sizes], 0.0);
    }
}

#[test]
fn maps_with_guards_leave_zero_outside() {
    let space = Space {
        sizes: vec![4, 5],
        when: vec![cond(index(0, &[(0, 1)]), Rel::Ge, affine(0, &[(1, 1)]))],
    };
    let make = |draft: &mut Draft, leaves: &[NodeId]| {
        // Read at i - j, which lies outside wherever the guard fails.
        let list = vec![
            (leaves[0], at(0, vec![index(0, &[(0, 1), (1, -1)])])),
            (leaves[1], same(1, 2)),
            (leaves[0], at(2, vec![index(0, &[(0, 1)])])),
        ];
        draft.op(Op::Map(scalar::CLIP), space.clone(), list, "y")
    };
    agrees(make, &[&[4], &[4, 5]], 0.0);
}

#[test]
fn gathers_follow_values() {
    let make = |draft: &mut Draft, leaves: &[NodeId]| {
        let along = Op::Opaque { op: Opaque::Argsort, along: Axis(0) };
        let order = draft.op(along, Space::of([4]), vec![(leaves[1], same(0, 1))], "order");
        let list = vec![
            (leaves[0], at(0, vec![Index::Value(Port(2)), index(0, &[(1, 1)])])),
            (leaves[1], at(1, vec![Index::Value(Port(2))])),
            (order, at(2, vec![Index::Value(Port(3))])),
            (order, at(3, vec![index(0, &[(0, 1)])])),
        ];
        draft.op(Op::Map(scalar::MUL), Space::of([4, 3]), list, "y")
    };
    agrees(make, &[&[4, 3], &[4]], 0.0);
}

#[test]
fn folds_read_by_every_kind_of_access() {
    let reads: Vec<(Vec<Index>, &[u32])> = vec![
        (vec![Index::axis(0), Index::axis(1), Index::axis(2)], &[3, 4, 5]),
        (vec![Index::axis(2), Index::axis(0), Index::axis(1)], &[5, 3, 4]),
        (vec![Index::axis(1), Index::axis(2), Index::axis(0)], &[4, 5, 3]),
        (vec![Index::axis(2)], &[5]),
        (vec![Index::axis(0)], &[3]),
        (vec![digit(0, &[(0, 1), (2, -1)], 1, 3), Index::axis(1)], &[3, 4]),
        (vec![index(4, &[(2, -1)]), index(1, &[(0, 1)])], &[5, 4]),
    ];
    for fold in FOLDS {
        for (access, sizes) in &reads {
            for (space, over) in
                [(vec![3], vec![4, 5]), (vec![3, 4], vec![5]), (vec![], vec![3, 4, 5])]
            {
                let make = |draft: &mut Draft, leaves: &[NodeId]| {
                    let operand = (leaves[0], at(0, access.clone()));
                    draft.op(
                        reduce(fold, &over, vec![]),
                        Space::of(space.clone()),
                        vec![operand],
                        "y",
                    )
                };
                agrees(make, &[sizes], 0.0);
            }
        }
    }
}

#[test]
fn folds_with_static_conditions_and_guards() {
    let conds = [
        vec![cond(Index::axis(1), Rel::Lt, affine(0, &[(0, 1)]))],
        vec![cond(Index::axis(1), Rel::Ne, affine(0, &[(0, 1)]))],
        vec![cond(digit(0, &[(1, 1)], 2, 2), Rel::Eq, affine(1, &[]))],
        vec![cond(Index::axis(1), Rel::Ge, affine(9, &[]))],
    ];
    for fold in FOLDS {
        for when in &conds {
            for guard in [vec![], vec![cond(Index::axis(0), Rel::Lt, affine(2, &[]))]] {
                let space = Space { sizes: vec![4], when: guard };
                let make = |draft: &mut Draft, leaves: &[NodeId]| {
                    let operand = (leaves[0], same(0, 2));
                    draft.op(reduce(fold, &[5], when.clone()), space.clone(), vec![operand], "y")
                };
                agrees(make, &[&[4, 5]], 0.0);
            }
        }
    }
}

#[test]
fn scatters_solve_their_axis_or_look_at_every_point() {
    let at_value = |axis: u8, offset: i64| {
        vec![cond(Index::Value(Port(1)), Rel::Eq, affine(offset, &[(axis, 1)]))]
    };
    let cases: Vec<(Vec<crate::graph::Cond>, Vec<Index>)> = vec![
        (at_value(0, 0), vec![Index::axis(2), Index::axis(1)]),
        (at_value(0, 0), vec![Index::axis(0), Index::axis(1)]),
        (at_value(0, 1), vec![Index::axis(2), Index::axis(1)]),
        (
            vec![cond(Index::Value(Port(1)), Rel::Lt, affine(0, &[(0, 1)]))],
            vec![Index::axis(2), Index::axis(1)],
        ),
        (
            [at_value(0, 0), vec![cond(Index::axis(2), Rel::Ge, affine(0, &[(1, 1)]))]].concat(),
            vec![Index::axis(2), Index::axis(1)],
        ),
    ];
    for fold in FOLDS {
        for (when, access) in &cases {
            let make = |draft: &mut Draft, leaves: &[NodeId]| {
                let list = vec![
                    (leaves[0], at(0, access.clone())),
                    (leaves[1], at(1, vec![Index::axis(2)])),
                ];
                draft.op(reduce(fold, &[5], when.clone()), Space::of([5, 3]), list, "y")
            };
            // The second names places that do not exist: their points count nowhere.
            for places in [[3.0, 1.0, 3.0, 0.0, 1.0], [3.0, 5.0, 3.0, -1.0, 1.0]] {
                let values = [numbers(&[5, 3], 1), whole(&places)];
                agrees_on(make, &[&[5, 3], &[5]], &values, 0.0);
            }
        }
    }
}

#[test]
fn a_condition_on_a_folded_axis_is_a_gather() {
    let when = vec![cond(Index::Value(Port(1)), Rel::Eq, affine(0, &[(1, 1)]))];
    let make = |draft: &mut Draft, leaves: &[NodeId]| {
        let list = vec![
            (leaves[0], at(0, vec![Index::axis(1)])),
            (leaves[1], at(1, vec![Index::axis(0)])),
        ];
        draft.op(reduce(Fold::Sum, &[4], when.clone()), Space::of([5]), list, "y")
    };
    let values = [numbers(&[4], 1), whole(&[3.0, 1.0, 3.0, 0.0, 1.0])];
    agrees_on(make, &[&[4], &[5]], &values, 0.0);
}

#[test]
fn contractions_equal_the_sum_of_stored_products() {
    let i = Index::axis;
    let roll = || digit(0, &[(0, 1), (2, -1)], 1, 6);
    let factors: Vec<(Vec<Index>, &[u32])> = vec![
        (vec![i(0), i(2)], &[6, 7]),
        (vec![i(2), i(0)], &[7, 6]),
        (vec![i(1), i(2)], &[5, 7]),
        (vec![i(2), i(1)], &[7, 5]),
        (vec![i(2)], &[7]),
        (vec![i(0)], &[6]),
        (vec![], &[]),
        (vec![i(0), i(1), i(2)], &[6, 5, 7]),
        (vec![index(0, &[(0, 1), (2, 1)])], &[12]),
        (vec![index(6, &[(2, -1)]), i(1)], &[7, 5]),
        (vec![roll()], &[6]),
    ];
    for (left, left_sizes) in &factors {
        for (right, right_sizes) in &factors {
            let make = |draft: &mut Draft, leaves: &[NodeId]| {
                let list =
                    vec![(leaves[0], at(0, left.clone())), (leaves[1], at(1, right.clone()))];
                let product = draft.op(Op::Map(scalar::MUL), Space::of([6, 5, 7]), list, "p");
                let operand = vec![(product, same(0, 3))];
                draft.op(reduce(Fold::Sum, &[7], vec![]), Space::of([6, 5]), operand, "y")
            };
            agrees(make, &[left_sizes, right_sizes], 1e-14);
        }
    }
}

#[test]
fn a_sum_of_one_term_is_the_term_and_of_none_is_zero() {
    let one = |draft: &mut Draft, leaves: &[NodeId]| {
        let list = vec![(leaves[0], same(0, 2)), (leaves[0], same(1, 2))];
        let zero = draft.op(Op::Map(scalar::MUL), Space::of([2, 1]), list, "p");
        draft.op(reduce(Fold::Sum, &[1], vec![]), Space::of([2]), vec![(zero, same(0, 2))], "y")
    };
    agrees(one, &[&[2, 1]], 0.0);
    let plain = |draft: &mut Draft, leaves: &[NodeId]| {
        draft.op(
            reduce(Fold::Sum, &[1], vec![]),
            Space::of([2]),
            vec![(leaves[0], same(0, 2))],
            "y",
        )
    };
    let zeros = Tensor::from_elem(vec![2, 1], -0.0);
    agrees_on(plain, &[&[2, 1]], &[zeros], 0.0);
    for fold in FOLDS {
        let none = |draft: &mut Draft, leaves: &[NodeId]| {
            draft.op(reduce(fold, &[0], vec![]), Space::of([2]), vec![(leaves[0], same(0, 2))], "y")
        };
        agrees(none, &[&[2, 0]], 0.0);
    }
}

#[test]
fn recurrences_run_both_ways_along_any_axis() {
    for toward in [Toward::Up, Toward::Down] {
        for along in [Axis(0), Axis(1), Axis(2)] {
            let make = |draft: &mut Draft, leaves: &[NodeId]| {
                let list = vec![
                    (leaves[0], same(0, 3)),
                    (leaves[1], at(1, vec![digit(1, &[(1, 1)], 1, 4)])),
                ];
                let op = Op::Recur { along, toward, start: Bits::of(0.5) };
                draft.op(op, Space::of([3, 4, 2]), list, "y")
            };
            agrees(make, &[&[3, 4, 2], &[4]], 0.0);
        }
    }
}

#[test]
fn joins_take_one_arm_at_each_point() {
    let make = |draft: &mut Draft, leaves: &[NodeId]| {
        let mut first = at(0, vec![index(0, &[(1, 1)])]);
        first.when = vec![cond(Index::axis(0), Rel::Eq, affine(0, &[]))];
        let mut shifted = at(1, vec![index(-1, &[(0, 1)]), index(0, &[(1, 1)])]);
        shifted.when = vec![
            cond(Index::axis(0), Rel::Ge, affine(1, &[])),
            cond(Index::axis(0), Rel::Ne, affine(0, &[(1, 1)])),
        ];
        let mut diagonal = at(2, vec![]);
        diagonal.when = vec![
            cond(Index::axis(0), Rel::Ge, affine(1, &[])),
            cond(Index::axis(0), Rel::Eq, affine(0, &[(1, 1)])),
        ];
        let zero = draft.builder.constant(0.0);
        let list = vec![(leaves[0], first), (leaves[1], shifted), (zero, diagonal)];
        draft.op(Op::Join, Space::of([4, 5]), list, "y")
    };
    agrees(make, &[&[5], &[4, 5]], 0.0);
}

#[test]
fn joins_gather() {
    let make = |draft: &mut Draft, leaves: &[NodeId]| {
        let mut first = at(0, vec![Index::Value(Port(2))]);
        first.when = vec![cond(Index::axis(0), Rel::Lt, affine(2, &[]))];
        let mut second = at(1, vec![index(4, &[(0, -1)])]);
        second.when = vec![cond(Index::axis(0), Rel::Ge, affine(2, &[]))];
        let list = vec![(leaves[0], first), (leaves[0], second), (leaves[1], same(2, 1))];
        draft.op(Op::Join, Space::of([5]), list, "y")
    };
    agrees_on(make, &[&[5], &[5]], &[numbers(&[5], 1), whole(&[4.0, 3.0, 0.0, 0.0, 0.0])], 0.0);
}

#[test]
fn primitives_work_along_any_axis() {
    for (op, axis, sizes) in [
        (Opaque::Argsort, 0, [4, 3]),
        (Opaque::Argsort, 1, [4, 3]),
        (Opaque::TopK { k: 2 }, 0, [2, 3]),
        (Opaque::TopK { k: 2 }, 1, [4, 2]),
    ] {
        let make = |draft: &mut Draft, leaves: &[NodeId]| {
            let op = Op::Opaque { op, along: Axis(axis) };
            draft.op(op, Space::of(sizes), vec![(leaves[0], same(0, 2))], "y")
        };
        agrees(make, &[&[4, 3]], 0.0);
    }
}

#[test]
fn constants_and_positions_are_leaves() {
    let make = |draft: &mut Draft, leaves: &[NodeId]| {
        let position = draft.leaf(Leaf::Axis(Axis(1)), &[3, 4]);
        let half = draft.builder.constant(0.5);
        let list = vec![(position, same(0, 2)), (half, at(1, vec![]))];
        let scaled = draft.op(Op::Map(scalar::MUL), Space::of([3, 4]), list, "s");
        draft.map(scalar::ADD, &[scaled, leaves[0]])
    };
    agrees(make, &[&[3, 4]], 0.0);
}
