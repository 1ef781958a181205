//! Runs whose numbers go bad: the value, the moment, the line and the cause are named.

use std::process::Command;

/// One way to go bad.
struct Case {
    /// What the snapshot is called.
    name: &'static str,
    /// The body of the model, after an emission `a[Y]` from the input.
    body: &'static str,
    /// The optimiser.
    optimizer: &'static str,
    /// What the message must hold.
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "zero_norm",
        body: "memory M[2, Y] = 0
  M = prev M
  s[n] = (sum[i] a[i] * prev M[n, i]) / (norm(a) * norm(prev M[n]))
  y[i] = a[i] * s[0]",
        optimizer: "sgd(lr = 0.1)",
        says: &[
            "`s` is not finite at time step 1 of sample 1, in training step 1",
            "0 divided by 0",
            "norm",
        ],
    },
    Case {
        name: "negative_power",
        body: "state n = 2
  n    = prev n - 1
  y[i] = a[i] * n ^ (-1.5)",
        optimizer: "sgd(lr = 0.1)",
        says: &["at time step 2 of sample 1", "0 to the power of -1.5"],
    },
    Case {
        name: "logarithm",
        body: "state n = 2
  n    = prev n - 1
  late = log(n)
  y[i] = a[i] + late",
        optimizer: "sgd(lr = 0.1)",
        says: &["`late` is not finite at time step 2", "the logarithm of 0"],
    },
    Case {
        name: "root",
        body: "state n = 1
  n    = prev n - 1
  y[i] = a[i] * sqrt(n)",
        optimizer: "sgd(lr = 0.1)",
        says: &["at time step 2", "the square root of -1"],
    },
    Case {
        name: "division",
        body: "state n = 3
  n    = prev n - 1
  y[i] = a[i] / n",
        optimizer: "sgd(lr = 0.1)",
        says: &["`y` is not finite at time step 3", " divided by 0", "`max(d, 1e-6)`"],
    },
    Case {
        name: "exponential",
        body: "state g = 1
  g    = exp(prev g)
  y[i] = a[i] * g",
        optimizer: "sgd(lr = 0.1)",
        says: &["`g` is not finite at time step 4", "is more than the largest f32"],
    },
    Case {
        name: "slope",
        body: "param k = 1
  low  = (k * 0 * a[0]) ^ 0.5
  y[i] = a[i] + low",
        optimizer: "sgd(lr = 0.1)",
        says: &["the gradient at `low` is not finite", "in its derivative: 0 to the power of -0.5"],
    },
    // The infinity in `gate` does no harm; what comes after it does.
    Case {
        name: "harmless_infinity",
        body: "state n = 1
  n    = prev n - 1
  gate = 1 / (1 + exp(1000 + n))
  y[i] = a[i] + gate + log(n + 1) + n / (n + 2)",
        optimizer: "sgd(lr = 0.1)",
        says: &["at time step 2", "the logarithm of 0"],
    },
    Case {
        name: "rate",
        body: "y[i] = a[i]",
        optimizer: "sgd(lr = 1e39)",
        says: &["the new value of `a.", "not finite after training step 1", "optimizer"],
    },
    Case {
        name: "rate_too_high",
        body: "state c = 1
  emit b[Y] from cat(a, prev c)
  c    = prev c + sum[i] b[i] * b[i]
  y[i] = a[i] * c",
        optimizer: "sgd(lr = 3)",
        says: &["the loss had grown from ", "a learning rate below 3, or `clip = norm(10)`"],
    },
];

fn spec(case: &Case) -> String {
    format!(
        "ntm 1

model m(x[X]) -> y[Y] {{
  emit a[Y] from x
  {}
}}

train m on copy(bits = 2, length = 3..3) {{
  optimizer      = {}
  batch          = 2
  steps          = 200
  evaluate_every = 300
}}
",
        case.body, case.optimizer
    )
}

#[test]
fn what_went_bad_is_named_with_its_moment_its_line_and_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    for case in CASES {
        let path = folder.path().join("spec.ntm");
        std::fs::write(&path, spec(case)).unwrap();
        for backend in ["interp", "jit"] {
            let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
                .args(["run", "spec.ntm", "--backend", backend, "--out"])
                .arg(format!("{}-{backend}", case.name))
                .current_dir(folder.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{}, {backend}: {said}", case.name);
            for says in case.says {
                assert!(said.contains(says), "{}, {backend}: no {says:?} in\n{said}", case.name);
            }
            if backend == "interp" {
                insta::assert_snapshot!(format!("bad_number_{}", case.name), said);
            }
        }
    }
}
