//! What a gradient is where there is no derivative: every convention by its numbers.

use std::collections::BTreeMap;

use ntmc::backend::Batch;
use ntmc::compile;
use ntmc::model::Loss;
use ntmc::model::library::STD;
use ntmc::tensor::Tensor;

use super::library::definitions;
use super::{Case, Firsts, Point, arrays, run};

/// The gradients of `sum cotangent * y` with respect to the inputs, by name; the same before and after
/// optimisation.
fn gradients(
    text: &str,
    inputs: &[(&str, &[f64])],
    cotangent: &[f64],
) -> BTreeMap<String, Vec<f64>> {
    // Only what is called is imported, so that a test needs no module that it does not name.
    let calls =
        |name: &String| ["(", "["].iter().any(|open| text.contains(&format!("{name}{open}")));
    let called = |module: &str| definitions(module).iter().any(calls);
    let imports: Vec<String> = STD
        .iter()
        .filter(|(_, module)| called(module))
        .map(|(name, _)| format!("use {name}\n"))
        .collect();
    let text = format!("ntm 1\n{}\n{text}\n", imports.concat());
    let loss = Loss::Cotangents(vec!["y".to_owned()]);
    let model = Case { name: "kink", text: &text, sizes: "", loss }.model();
    let plain = compile::with_adjoints(compile::forward(&model));
    let better = compile::optimised(plain.clone());
    let [plain, better] = [plain, better].map(|program| {
        let value = |array: &ntmc::graph::Array| {
            let given = inputs.iter().find(|(name, _)| *name == array.path.0);
            let values = given.map_or(cotangent, |(_, values)| values).to_vec();
            let shape: Vec<usize> = [1, 1].into_iter().chain(array.shape()).collect();
            Tensor::from_shape_vec(shape, values).unwrap()
        };
        let batch = Batch {
            lengths: vec![1],
            inputs: program.inputs.iter().map(value).collect(),
            starts: vec![None; program.states.len()],
        };
        let outcome = run(&program, &Point { params: Vec::new(), batch }, true);
        let named = |(path, values): (String, Vec<f64>)| {
            let name = path.strip_prefix("input `").unwrap().strip_suffix('`').unwrap();
            (name.to_owned(), values)
        };
        arrays(&program, &outcome, Firsts::Computed).into_iter().map(named).collect()
    });
    assert_eq!(plain, better, "{text}");
    plain
}

/// The gradient with respect to the only input.
fn gradient(text: &str, input: &[f64], cotangent: &[f64]) -> Vec<f64> {
    gradients(text, &[("u", input)], cotangent).remove("u").unwrap()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let near = |(one, two): (&f64, &f64)| (one - two).abs() <= 1e-12 * two.abs().max(1.0);
    assert!(found.iter().zip(expected).all(near), "{found:?}, not {expected:?}");
}

#[test]
fn allocation_with_zero_usages() {
    let three = "model t[N = 3](u[N]) -> y[N] { y = allocation(u) }";
    // The order of equals is that of the slots: a = (1 - u0, (1 - u1) u0, (1 - u2) u0 u1).
    assert_eq!(gradient(three, &[0.0; 3], &[2.0, 3.0, 5.0]), [1.0, 0.0, 0.0]);
    // Slots 1 and 2 are unused: a1 = 1 - u1, a2 = (1 - u2) u1, and the rest has the factor u1 u2.
    let four = "model t[N = 4](u[N]) -> y[N] { y = allocation(u) }";
    let found = gradient(four, &[0.5, 0.0, 0.0, 0.25], &[2.0, 3.0, 5.0, 7.0]);
    assert_eq!(found, [0.0, 2.0, 0.0, 0.0]);
    // Full slots: 1 - u is 0, but not its derivative.
    assert_eq!(gradient(three, &[1.0; 3], &[2.0, 3.0, 5.0]), [-2.0, -3.0, -5.0]);
}

#[test]
fn usage_where_everything_is_zero() {
    let text = "model t[N = 2, R = 1](w[N], f[R], wr[R, N]) -> y[N] { y = usage(w, f, wr) }";
    let inputs: [(&str, &[f64]); 3] = [("w", &[0.0; 2]), ("f", &[0.0]), ("wr", &[0.0; 2])];
    let found = gradients(text, &inputs, &[2.0, 3.0]);
    assert_eq!(found["w"], [2.0, 3.0]);
    assert_eq!(found["f"], [0.0]);
    assert_eq!(found["wr"], [0.0, 0.0]);
}

#[test]
fn the_norm_of_nothing_has_no_slope() {
    assert_eq!(gradient("model t[K = 2](u[K]) -> y { y = norm(u) }", &[0.0; 2], &[1.0]), [0.0; 2]);
    assert_eq!(gradient("model t(u) -> y { y = sqrt(u) }", &[0.0], &[1.0]), [0.0]);
    let found = gradient("model t[K = 2](u[K]) -> y { y = norm(u) }", &[3.0, 4.0], &[1.0]);
    assert_near(&found, &[0.6, 0.8]);
}

/// At a zero row only the product in the numerator has a slope: k over what it is divided by.
#[test]
fn looking_into_an_empty_memory() {
    let inputs: [(&str, &[f64]); 2] = [("M", &[0.0; 4]), ("k", &[0.6, 0.8])];
    let text = "model t[N = 2, W = 2](M[N, W], k[W]) -> y[N] { y[i] = cosine(k, M[i]) }";
    let found = gradients(text, &inputs, &[1.0, 2.0]);
    assert_near(&found["M"], &[6e5, 8e5, 12e5, 16e5]);
    assert_eq!(found["k"], [0.0, 0.0]);
    let text = "model t[N = 2, W = 2](M[N, W], k[W]) -> y[N] { y[i] = cosine_floor(k, M[i]) }";
    let found = gradients(text, &inputs, &[1.0, 2.0]);
    assert_near(&found["M"], &[6e7, 8e7, 12e7, 16e7]);
    assert_eq!(found["k"], [0.0, 0.0]);
    // The weighting is uniform, 1/2 each: its slope in a score is 1/4, and the strength is 2.
    let text = "model t[N = 2, W = 2](M[N, W], k[W], b) -> y[N] { y = lookup(M, k = k, beta = b) }";
    let more: [(&str, &[f64]); 3] = [inputs[0], inputs[1], ("b", &[2.0])];
    let found = gradients(text, &more, &[1.0, 0.0]);
    assert_near(&found["M"], &[3e5, 4e5, -3e5, -4e5]);
    assert_eq!(found["k"], [0.0, 0.0]);
    assert_eq!(found["b"], [0.0]);
    // An empty key as well: nothing at all.
    let empty: [(&str, &[f64]); 3] = [inputs[0], ("k", &[0.0; 2]), ("b", &[2.0])];
    for (name, values) in gradients(text, &empty, &[1.0, 0.0]) {
        let expected = if name.starts_with("cotangent") { 0.5 } else { 0.0 };
        assert!(values.iter().all(|value| *value == expected), "{name}: {values:?}");
    }
}

#[test]
fn sharpening_exact_zeros() {
    let text = "model t[N = 3](w[N], g) -> y[N] { y = sharpen(w, gamma = g) }";
    let at = |w: &[f64], gamma: f64, c: &[f64]| {
        let found = gradients(text, &[("w", w), ("g", &[gamma])], c);
        (found["w"].clone(), found["g"][0])
    };
    // One slot has it all: neither the others nor the exponent can change that to first order.
    assert_eq!(at(&[1.0, 0.0, 0.0], 2.0, &[3.0, 1.0, 5.0]), (vec![0.0; 3], 0.0));
    // The powers are 1/4, 1/4, 0, so a power has the slope (c - 2) / (1/2), and 2 w is 1, 1, 0.
    let (weights, gamma) = at(&[0.5, 0.5, 0.0], 2.0, &[3.0, 1.0, 5.0]);
    assert_near(&weights, &[2.0, -2.0, 0.0]);
    assert_near(&[gamma], &[0.0]);
    // At exponent 1 a zero still has the slope of what it would get: (5 - 2) / 1.
    let (weights, gamma) = at(&[0.5, 0.5, 0.0], 1.0, &[3.0, 1.0, 5.0]);
    assert_near(&weights, &[1.0, -1.0, 3.0]);
    assert_near(&[gamma], &[0.0]);
    // d/dp of x^p at x = 0 is 0, and of 0 ^ 0 in the base as well.
    let power = "model t(w, g) -> y { y = w ^ g }";
    for (base, exponent, expected) in [(0.0, 2.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.0, 0.0)] {
        let found = gradients(power, &[("w", &[base]), ("g", &[exponent])], &[1.0]);
        assert_eq!((found["w"][0], found["g"][0]), (expected, 0.0), "{base} ^ {exponent}");
    }
}

#[test]
fn ties_share_and_limits_belong_to_the_inside() {
    let pairs = [("max", 0.5, 0.5), ("min", 0.5, 0.5)];
    for (name, left, right) in pairs {
        let text = format!("model t(a, b) -> y {{ y = {name}(a, b) }}");
        let found = gradients(&text, &[("a", &[0.7]), ("b", &[0.7])], &[1.0]);
        assert_eq!((found["a"][0], found["b"][0]), (left, right), "{name}");
    }
    let least = "model t[N = 4](u[N]) -> y { y = min[i] u[i] }";
    let most = "model t[N = 4](u[N]) -> y { y = max[i] u[i] }";
    assert_eq!(gradient(most, &[1.0, 3.0, 3.0, 2.0], &[6.0]), [0.0, 3.0, 3.0, 0.0]);
    assert_eq!(gradient(most, &[3.0, 3.0, 1.0, 3.0], &[6.0]), [2.0, 2.0, 0.0, 2.0]);
    assert_eq!(gradient(least, &[1.0, 3.0, 1.0, 2.0], &[6.0]), [3.0, 0.0, 3.0, 0.0]);
    assert_eq!(gradient(least, &[0.0; 4], &[6.0]), [1.5; 4]);
    let points = [
        ("relu(u)", 0.0, 0.0),
        ("relu(u)", 1e-300, 1.0),
        ("abs(u)", 0.0, 0.0),
        ("abs(u)", -1e-300, -1.0),
        ("max(0, u)", 0.0, 0.5),
        ("clip(u, -1, 1)", 1.0, 1.0),
        ("clip(u, -1, 1)", -1.0, 1.0),
        ("clip(u, -1, 1)", 1.5, 0.0),
        ("clip(u, -1, 1)", -1.5, 0.0),
        ("floor(u)", 0.5, 0.0),
        ("u + stop(2 * u)", 0.5, 1.0),
        ("max(u, u)", 0.5, 1.0),
    ];
    for (text, at, expected) in points {
        let found = gradient(&format!("model t(u) -> y {{ y = {text} }}"), &[at], &[1.0]);
        assert_eq!(found, [expected], "{text} at {at}");
    }
}

#[test]
fn products_with_zeros_are_not_divided() {
    let all = "model t[N = 4](u[N]) -> y { y = prod[i] u[i] }";
    assert_eq!(gradient(all, &[0.0, 2.0, 0.0, 3.0], &[1.0]), [0.0; 4]);
    assert_eq!(gradient(all, &[5.0, 2.0, 0.0, 3.0], &[1.0]), [0.0, 0.0, 30.0, 0.0]);
    assert_eq!(gradient(all, &[5.0, 2.0, 7.0, 3.0], &[1.0]), [42.0, 105.0, 30.0, 70.0]);
    // y = 1, u0, u0 u1, u0 u1 u2.
    let ranged = "model t[N = 4](u[N]) -> y[N] { y[j] = prod[m < j] u[m] }";
    let found = gradient(ranged, &[0.0, 2.0, 0.0, 3.0], &[2.0, 3.0, 5.0, 7.0]);
    assert_eq!(found, [13.0, 0.0, 0.0, 0.0]);
    let found = gradient(ranged, &[4.0, 0.0, 0.0, 3.0], &[2.0, 3.0, 5.0, 7.0]);
    assert_eq!(found, [3.0, 20.0, 0.0, 0.0]);
}

#[test]
fn rows_that_are_not_read_get_exactly_nothing() {
    let text = "model t[N = 4, W = 2](M[N, W], k[W], b) -> y[W] {
                  y = sparse_read[2](M, k = k, beta = b)
                }";
    let memory = [0.9, 0.1, -0.8, 0.3, 0.7, -0.2, 0.1, 0.9];
    let inputs: [(&str, &[f64]); 3] = [("M", &memory), ("k", &[1.0, 0.2]), ("b", &[1.5])];
    let found = &gradients(text, &inputs, &[1.0, -2.0])["M"];
    assert!([0, 1, 4, 5].into_iter().all(|at| found[at] != 0.0), "{found:?}");
    assert!([2, 3, 6, 7].into_iter().all(|at| found[at] == 0.0), "{found:?}");
    // Among equal rows the first ones are read.
    let inputs: [(&str, &[f64]); 3] = [("M", &[0.5; 8]), ("k", &[1.0, 0.2]), ("b", &[1.5])];
    let found = &gradients(text, &inputs, &[1.0, -2.0])["M"];
    assert!(found[..4].iter().all(|value| *value != 0.0), "{found:?}");
    assert!(found[4..].iter().all(|value| *value == 0.0), "{found:?}");
}

/// `h = 2 h' + w` over three steps with the loss half the sum of squares: by hand, h is 1, 3, 7, and what flows
/// back into h at the steps 3, 2, 1 is 7, 3 + 2 * 7 = 17 and 1 + 2 * 17 = 35, the last of which is clipped.
#[test]
fn gradients_are_clipped_on_their_way_back_through_time() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let ntmc = |limit: f64, backend: &str| {
        let spec = format!(
            "ntm 1\nmodel m(x[1]) -> y[1] {{\n  param w[1] = 1\n  state h[1] = 0\n  \
             h = clip_gradient(2 * prev h + w + x, {limit})\n  y = h\n}}\n"
        );
        std::fs::write(place("m.ntm"), spec).unwrap();
        let given = std::collections::BTreeMap::from([
            ("x".to_owned(), ntmc::tensor::Tensor::zeros(vec![3, 1, 1])),
            ("param/w".to_owned(), ntmc::tensor::Tensor::ones(vec![1])),
        ]);
        std::fs::write(place("in"), ntmc::vectors::File::of("in", &given).bytes()).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_ntmc"))
            .args(["exec", &place("m.ntm"), "--in", &place("in"), "--out", &place("out")])
            .args(["--grad", "--backend", backend])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let out = std::fs::read(place("out")).unwrap();
        let file = ntmc::vectors::File::parse("out", &out).unwrap();
        (file.tensor("grad/param/w").unwrap()[[0]], file.tensor("y").unwrap()[[2, 0, 0]])
    };
    for backend in ["interp", "jit"] {
        assert_eq!(ntmc(1e6, backend), (7.0 + 17.0 + 35.0, 7.0));
        assert_eq!(ntmc(20.0, backend), (7.0 + 17.0 + 20.0, 7.0));
        // At 5 the first is clipped before it flows on: 3 + 2 * 5, then 1 + 2 * 5.
        assert_eq!(ntmc(5.0, backend), (15.0, 7.0));
    }
}

/// A loss, what a network gave, what was wanted, the loss and its gradient, by PyTorch 2.15.0 in float64:
/// `binary_cross_entropy_with_logits`, `cross_entropy` and half of `mse_loss`, summed.
type LossRow = (&'static str, [f64; 5], [f64; 5], f64, [f64; 5]);

const LOSSES: &[LossRow] = &[
    (
        "bits",
        [0.3, -2.0, 30.0, -40.0, 0.0],
        [1.0, 0.0, 1.0, 1.0, 0.25],
        41.37443043607154,
        [-0.42555748318834097, 0.11920292202211755, -9.348077867343818e-14, -1.0, 0.25],
    ),
    (
        "classes",
        [0.3, -2.0, 3.0, 400.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        397.0,
        [2.585208548126212e-174, 2.5919001981743924e-175, -1.0, 1.0, 1.9151695967140057e-174],
    ),
    (
        "classes",
        [0.3, -2.0, 3.0, 1.5, 0.0],
        [0.1, 0.2, 0.3, 0.15, 0.25],
        2.542776468364057,
        [
            -0.05010210534334095,
            -0.1949972947775211,
            0.4424672861270527,
            0.015666844458499335,
            -0.21303473046469001,
        ],
    ),
    (
        "squares",
        [0.3, -2.0, 3.0, 400.0, 0.0],
        [0.5, 1.0, -1.0, 399.0, 0.0],
        13.02,
        [-0.2, -3.0, 4.0, 1.0, 0.0],
    ),
];

#[test]
fn losses_are_those_of_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    for (loss, given, target, value, gradient) in LOSSES {
        let spec =
            format!("ntm 1\nuse std.loss\nmodel m(a[5], b[5]) -> y[1] {{ y[i] = {loss}(a, b) }}\n");
        std::fs::write(place("m.ntm"), spec).unwrap();
        let row = |all: &[f64; 5]| Tensor::from_shape_vec(vec![1, 1, 5], all.to_vec()).unwrap();
        let inputs =
            BTreeMap::from([("x/a".to_owned(), row(given)), ("x/b".to_owned(), row(target))]);
        std::fs::write(place("in"), ntmc::vectors::File::of("in", &inputs).bytes()).unwrap();
        for backend in ["interp", "jit"] {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_ntmc"))
                .args(["exec", &place("m.ntm"), "--in", &place("in"), "--out", &place("out")])
                .args(["--grad", "--backend", backend])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let out = std::fs::read(place("out")).unwrap();
            let file = ntmc::vectors::File::parse("out", &out).unwrap();
            let flat = |name: &str| file.tensor(name).unwrap().iter().copied().collect::<Vec<_>>();
            assert_near(&flat("y"), &[*value]);
            // What is differentiated is half the square of the result.
            let slopes: Vec<f64> = flat("grad/x/a").iter().map(|slope| slope / value).collect();
            assert_near(&slopes, gradient);
        }
    }
}
