//! Snapshot-tests the gradient of one's own spec with insta.
//!
//! In a test one writes `insta::assert_snapshot!(adjoint)` and reviews with `cargo insta review`; here
//! the snapshot is inline.
//!
//! `cargo run --example snapshot`

use ntmc::compile::{Choices, Stage, stage};
use ntmc::error::Error;

const SPEC: &str = "ntm 1

model decay[N = 3](x[N]) -> y[N] {
  param a[N] = 0.5
  y[i] = a[i] * x[i]
}
";

fn main() -> Result<(), Error> {
    let adjoint = stage(SPEC, Stage::Adjoint, &Choices::default())?;
    let gradient: Vec<&str> =
        adjoint.lines().filter(|line| line.contains("x") && line.contains('\'')).collect();
    insta::assert_snapshot!(gradient.join("\n"), @r"
    %y'.2[i:3] = %y'[i] * %x[i] -- adjoint y
    grad/input/x[i:3] = %y'.1[i]
    ");
    Ok(())
}
