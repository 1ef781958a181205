//! Scalar functions of both backends, bit for bit, on equal inputs.

use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Executable, Precision, Want, jit};
use ntmc::graph::{
    Access, Array, Builder, Graph, Leaf, Op, Operand, Origin, Path, Port, Program, Read, Space,
    Type,
};
use ntmc::op::scalar::{self, Row, Sort};
use ntmc::tensor::Tensor;

/// Numbers with edges among them; 11 of them, so that vectors along the axis leave a rest.
const NUMBERS: [f64; 11] =
    [0.0, -0.0, 1.0, -1.5, 0.3, -87.4, 88.2, 1e-30, f64::INFINITY, f64::NAN, 2.0];

fn held(sort: Sort) -> Type {
    match sort {
        Sort::Real => Type::Real,
        Sort::Bool => Type::Bool,
    }
}

/// A program that gives a function of as many inputs as it takes.
fn program(number: usize, row: &Row) -> Program {
    let size = NUMBERS.len() as u32;
    let mut builder = Builder::new();
    let leaves = row.takes.iter().enumerate().map(|(port, sort)| {
        let leaf = Leaf::Input(port as u32);
        let node = builder.leaf(leaf, &[size], held(*sort), Origin::default());
        let access = Access::identity(1);
        (node, Operand { port: Port(port as u8), access, when: Vec::new() })
    });
    let operands = leaves.collect();
    let op = Op::Map(scalar::Scalar(number as u16));
    let node = builder.add(op, Space::of([size]), held(row.gives), operands, Origin::default());
    builder.root("y", Read { node, access: Access::identity(1), sizes: vec![size] });
    let input = |port: usize| Array {
        path: Path(format!("x{port}")),
        sizes: vec![size],
        axes: Vec::new(),
        ty: held(row.takes[port]),
    };
    let inputs = (0..row.takes.len()).map(input).collect();
    Program { inputs, init: Graph::default(), step: builder.finish(), ..Program::default() }
}

#[test]
fn functions_have_the_same_bits_in_machine_code() {
    let want = Want { roots: vec!["y".to_owned()], gradients: false };
    for (number, row) in scalar::rows().iter().enumerate() {
        let program = program(number, row);
        for samples in [1, 8, 16, 32] {
            let input = |port: usize| {
                Tensor::from_shape_fn(vec![1, samples, NUMBERS.len()], |at| {
                    // Other pairs of numbers meet in each sample.
                    let value = NUMBERS[(at[2] + port * (at[1] * 3 + 1)) % NUMBERS.len()];
                    if row.takes[port] == Sort::Bool { f64::from(value > 0.0) } else { value }
                })
            };
            let inputs = (0..row.takes.len()).map(input).collect();
            let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
            for precision in [Precision::F32, Precision::F64] {
                let truth = Interp::new(&program, precision, 1).run(&[], &batch, &want);
                let mut jit = jit::ready(&program, precision, 1).unwrap();
                let found = jit.run(&[], &batch, &want);
                for (truth, found) in truth.roots["y"].iter().zip(&found.roots["y"]) {
                    let same = truth.to_bits() == found.to_bits();
                    let nan = truth.is_nan() && found.is_nan();
                    assert!(same || nan, "{} {precision:?}: {truth} and {found}", row.name);
                }
            }
        }
    }
}
