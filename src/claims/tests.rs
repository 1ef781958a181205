//! The prover against proofs written by hand.

use super::*;
use crate::compile::Spec;
use crate::model::library::StdOnly;
use crate::source::Source;
use crate::trial;

/// The verdicts on a definition with these arguments, result and body.
fn verdicts(arguments: &str, result: &str, body: &str) -> Vec<Verdict> {
    let instance = instance(arguments, result, body);
    decide(&instance.model, &instance.claims, Effort::QUICK)
}

fn instance(arguments: &str, result: &str, body: &str) -> trial::Instance {
    let text = format!("ntm 1\n\ndef f({arguments}) -> {result} {{\n{body}\n}}\n");
    let spec = Spec::read(Source::new("text.ntm", text.as_str()), &StdOnly)
        .unwrap_or_else(|error| panic!("{error}"));
    let (_, id) = trial::definitions(&spec).remove(0);
    trial::alone(&spec, id).unwrap_or_else(|error| panic!("{error}"))
}

const WEIGHTINGS: &str = "w[N]: simplex, v[N]: weighting, g: unit, h: unit, x[N], z";

#[test]
fn what_follows_is_proved() {
    let table = [
        ("out[N]: simplex", "out[i] = g * w[i] + (1 - g) * w[(i + 1) mod N]"),
        ("out[N]: weighting", "out[i] = g * w[i] + (1 - g) * v[i]"),
        ("out[N]: weighting", "out[i] = h * (g * w[i] + (1 - g) * v[i])"),
        ("out[N]: simplex", "out[i] = sum[k] w[(i - k) mod N] * w[k]"),
        ("out[N]: simplex", "out = softmax(x)"),
        ("out[N]: weighting", "out[i] = g * softmax(for j in N: z * x[j])[i]"),
        ("out[N]: simplex", "e[i] = exp(clip(x[i], -5, 5))\n  out[i] = e[i] / (sum[j] e[j])"),
        ("out[N]: weighting", "out[i] = abs(x[i]) / (1e-3 + sum[j] abs(x[j]))"),
        ("out: unit", "out = g + h - g * h"),
        ("out: unit", "out = 1 - prod[i] (1 - w[i] * g)"),
        ("out: unit", "keep = 1 - g\n  out = keep * h + g * max[i] v[i]"),
        ("out: unit", "out = if z > 0 then min(z, 1) else g"),
        ("out: signed", "out = tanh(z) * clip(z, -1, 1)"),
        ("out: real(1..)", "out = if z > 2 then z - 1 else 1"),
        ("out: positive", "out = sqrt(sum[i] x[i] * x[i])"),
        ("out: unit", "state s: unit = 0\n  s = prev s + g * (1 - prev s)\n  out = s"),
        (
            "out: unit",
            "state s[N]: weighting = 0\n  s[i] = (1 - g) * prev s[i] + g * w[i]\n  out = sum[i] s[i]",
        ),
        (
            "out[N]: simplex",
            "state s[N]: simplex = one_hot(0)\n  s[i] = (1 - g) * prev s[i] + g * w[i]\n  out = s",
        ),
        (
            "out[N]: simplex",
            "state s[N] = uniform\n  s[i] = sum[k] prev s[(i - k) mod N] * w[k]\n  out = s",
        ),
        ("out[N]: simplex", "p = argsort(x)\n  out[p[j]] = w[j]"),
        (
            "out[N]: simplex",
            "top = max[j] w[j]\n  p[i] = (w[i] / top) ^ 2\n  out[i] = p[i] / (sum[j] p[j])",
        ),
        ("out[N]: weighting", "p = argsort(v)\n  out[p[j]] = (1 - v[p[j]]) * prod[m < j] v[p[m]]"),
        ("out: unit", "out = 1 - sum[i] v[i] * g"),
        ("out: signed", "out = (sum[i] x[i] * w[i]) / (norm(x) * norm(w) + 1e-3)"),
    ];
    for (result, body) in table {
        let all = verdicts(WEIGHTINGS, result, body);
        assert!(all.iter().all(|one| *one == Verdict::Proved), "{result}: {body}: {all:?}");
    }
}

#[test]
fn what_may_fail_is_open() {
    let table = [
        ("out[N]: simplex", "out[i] = g * w[i] + (1 - g) * v[i]"),
        ("out[N]: weighting", "out[i] = w[i] + v[i]"),
        ("out[N]: weighting", "out[i] = sum[k] x[(i - k) mod N] * w[k]"),
        ("out[N]: simplex", "out[i] = v[i] / (sum[j] v[j])"),
        ("out[N]: simplex", "out[i] = exp(x[i]) / (sum[j] exp(x[j]))"),
        ("out[N]: simplex", "out[i] = w[i] ^ z / (sum[j] w[j] ^ z)"),
        ("out: unit", "out = g + h"),
        ("out: unit", "out = 1 - g - h"),
        (
            "out[N]: simplex",
            "top = max[j] v[j]\n  p[i] = (v[i] / top) ^ 2\n  out[i] = p[i] / (sum[j] p[j])",
        ),
        (
            "out[N]: simplex",
            "top = max[j] x[j]\n  p[i] = (x[i] / top) ^ 2\n  out[i] = p[i] / (sum[j] p[j])",
        ),
        ("out: positive", "out = log(g)"),
        ("out: positive", "out = sqrt(1 - g - h)"),
        ("out: unit", "state s = 0\n  s = prev s + 0.1 * g\n  out = s"),
        ("out[N]: weighting", "p = argsort(v)\n  out[p[j]] = (1 - v[p[j]]) * prod[m < j] x[p[m]]"),
        ("out: signed", "out = (sum[i] x[i] * w[i]) / (norm(x) + 1e-3)"),
    ];
    for (result, body) in table {
        let all = verdicts(WEIGHTINGS, result, body);
        assert!(all.contains(&Verdict::Open), "{result}: {body}: {all:?}");
    }
}

#[test]
fn what_never_holds_is_refuted() {
    let table = [
        ("out: unit", "out = 1.5 + g"),
        ("out: signed", "out = -2 - abs(z)"),
        ("out[N]: weighting", "out[i] = (1 + g) * w[i] + w[i]"),
        ("out[N]: simplex", "out[i] = 0.5 * g * w[i]"),
    ];
    for (result, body) in table {
        let all = verdicts(WEIGHTINGS, result, body);
        let refuted = all.iter().any(|one| matches!(one, Verdict::Refuted(_)));
        assert!(refuted, "{result}: {body}: {all:?}");
    }
}

#[test]
fn links_between_slots_stay_weightings() {
    let body = "  state p[N]: weighting = 0
  state L[N, N]: weighting = 0
  p[i]    = (1 - sum[j] w[j]) * prev p[i] + w[i]
  L[i, j] = if i == j then 0 else (1 - w[i] - w[j]) * prev L[i, j] + w[i] * prev p[j]";
    let all = verdicts("w[N]: weighting", "L[N, N]: weighting", body);
    assert!(all.iter().all(|one| *one == Verdict::Proved), "{all:?}");
    // Without the first condition the diagonal is 1 - 2 w, which may be negative.
    let loose = body.replace("if i == j then 0 else ", "");
    assert!(verdicts("w[N]: weighting", "L[N, N]: weighting", &loose).contains(&Verdict::Open));
}

#[test]
fn what_the_effort_does_not_suffice_for_is_open() {
    let table = [
        ("out[N]: simplex", "out[i] = sum[k] w[(i - k) mod N] * w[k]", Verdict::Proved),
        (
            "out[N]: simplex",
            "top = max[j] w[j]\n  p[i] = (w[i] / top) ^ (1 + g)\n  out[i] = p[i] / (sum[j] p[j])",
            Verdict::Proved,
        ),
        (
            "out: unit",
            "state s: unit = 0\n  s = prev s + g * (1 - prev s)\n  out = s",
            Verdict::Proved,
        ),
        ("out: signed", "out = -2 - abs(z)", Verdict::Refuted(String::new())),
    ];
    let kind = |one: &Verdict| std::mem::discriminant(one);
    for (result, body, wanted) in table {
        let instance = instance(WEIGHTINGS, result, body);
        for cut in ["look", "whole"] {
            let mut first = None;
            for steps in (0..12).map(|power| (1 << power) - 1) {
                let mut effort = Effort { look: u64::MAX, whole: u64::MAX, together: false };
                *(if cut == "look" { &mut effort.look } else { &mut effort.whole }) = steps;
                let all = decide(&instance.model, &instance.claims, effort);
                let done = all.iter().all(|one| kind(one) == kind(&wanted));
                let open = |one: &Verdict| *one == Verdict::Open || kind(one) == kind(&wanted);
                assert!(all.iter().all(open), "{result}: {body}: {cut} {steps}: {all:?}");
                assert!(done || first.is_none(), "{result}: {body}: {cut} {steps}: {all:?}");
                first = first.or(done.then_some(steps));
            }
            assert!(first.is_some_and(|steps| steps > 1), "{result}: {body}: {cut}: {first:?}");
        }
    }
}

#[test]
fn claims_may_hold_because_of_each_other() {
    let table = [
        ("out: real(0..2)", "state s: real(0..2) = 0\n  s = 0.5 * prev s + g\n  out = s"),
        (
            "out: real(0..3)",
            "state s: real(0..3) = 1\n  state t: real(0..3) = 2\n  s = (1 - g) * prev s + g * prev t\n  \
             t = (1 - h) * prev t + h * s\n  out = t",
        ),
    ];
    for (result, body) in table {
        assert!(verdicts(WEIGHTINGS, result, body).contains(&Verdict::Open), "{body}");
        let instance = instance(WEIGHTINGS, result, body);
        let all = decide(&instance.model, &instance.claims, Effort::THOROUGH);
        assert!(all.iter().all(|one| *one == Verdict::Proved), "{body}: {all:?}");
    }
    // A step that grows, at once or by way of another state.
    let table = [
        ("out: real(0..2)", "state s: real(0..2) = 0\n  s = 0.6 * prev s + g\n  out = s"),
        (
            "out: real(0..2)",
            "state s: real(0..2) = 0\n  state t: real(0..2) = 0\n  s = 1.1 * prev t\n  \
             t = 0.5 * s + g\n  out = t",
        ),
    ];
    for (result, body) in table {
        let instance = instance(WEIGHTINGS, result, body);
        let all = decide(&instance.model, &instance.claims, Effort::THOROUGH);
        assert!(!all.contains(&Verdict::Proved), "{body}: {all:?}");
    }
}

#[test]
fn an_open_claim_says_what_it_hangs_on() {
    let body = "  state s: unit = 0.5\n  s = prev s * grown\n  grown = g + h\n  out[i] = s * w[i]";
    let instance = instance(WEIGHTINGS, "out[N]: weighting", body);
    let all = decide_with_doubts(&instance.model, &instance.claims, Effort::THOROUGH);
    let of = |path: &str| {
        let at = instance.claims.all.iter().position(|claim| claim.path == path);
        at.and_then(|at| all[at].1.clone())
    };
    let Some(Doubt::Loose { path, known, from, .. }) = of("s") else { panic!("{all:?}") };
    assert_eq!((path.as_str(), known.as_str()), ("s", "0..2"));
    assert_eq!(from, ["`prev s` 0..1", "`grown` 0..2"]);
    assert_eq!(of("out"), Some(Doubt::Needs(vec!["s".to_owned()])));
}
