//! Small whole models over several steps.

use std::collections::BTreeSet;

use ntmc::model::Loss;

use super::{Case, Firsts};
use crate::support::root;

/// The specs and the sizes they are run at.
const SPECS: &[(&str, &str)] = &[
    ("act", "P=3 H=3 X=2 Y=2"),
    ("dnc", "N=4 W=2 R=2 H=2 X=2 Y=2"),
    ("dnc_flat", "N=4 W=2 R=2 H=2 X=2 Y=2"),
    ("dnc_mds", "N=4 W=2 R=1 H=2 X=2 Y=2"),
    ("lstm", "H=3 X=2 Y=2"),
    ("mann", "N=5 W=2 R=2 H=2 X=2 Y=2"),
    ("multi_write", "N=4 W=2 R=1 K=2 H=2 X=2 Y=2"),
    ("ntm", "N=5 W=2 H=2 X=2 Y=2"),
    ("tape", "N=5 W=2 H=2 X=2 Y=2"),
];

const STACK: &str = "ntm 1
use std.nn
use std.memory

model stacked[H = 3](x[X]) -> y[Y] {
  controller h = lstm[H](x)
  z = stack[4, 2]()
  emit y[Y] from cat(h, z)
}
";

const DELTA: &str = "ntm 1
use std.nn
use std.memory

model delta[H = 3](x[X]) -> y[Y] {
  controller h = lstm[H](x)
  z = gated_delta[2, 3]()
  emit y[Y] from cat(h, z)
}
";

const SPARSE: &str = "ntm 1
use std.nn
use std.memory

model sparse[N = 5, W = 2, H = 3](x[X]) -> y[Y] {
  memory M[N, W] = tanh(learned)
  state r[W] = 0
  controller h = lstm[H](cat(x, prev r))
  emit at[N]: simplex, a[W], e: unit
  M[i, c] = prev M[i, c] * (1 - e * at[i]) + at[i] * a[c]
  r = sparse_read[2](M)
  emit y[Y] from cat(h, r)
}
";

/// Every kind of first state that has parameters.
const STARTING: &str = "ntm 1
use std.nn
use std.address

model starting[N = 3, W = 2, H = 2](x[X]) -> y[Y] {
  param M0[N, W] = normal(0.1)
  memory M[N, W] = M0
  state a[N] = tanh(learned), w[N]: simplex = learned, u[N]: unit = learned
  controller h = lstm[H](cat(x, prev a), h = learned, c = tanh(learned))
  emit e[W]: unit, v[W], g: unit
  w       = content(prev M) -> interpolate(prev w)
  M[i, c] = prev M[i, c] * (1 - w[i] * e[c]) + w[i] * v[c]
  a[i]    = 0.5 * prev a[i] + g * w[i]
  u[i]    = 0.5 * prev u[i] + 0.5 * w[i]
  r[c]    = sum[i] u[i] * M[i, c]
  emit y[Y] from cat(h, a, r)
}
";

/// Rows written at computed places, one of them twice; the gradient of the loser is 0.
const PLACES: &str = "ntm 1
use std.nn

model places[N = 5, W = 2, K = 3, H = 3](x[X]) -> y[Y] {
  require K <= N and 4 <= N
  memory M[N, W] = tanh(learned)
  state w[N] = 0.5, P[K + 1]: index(N) = for j in K + 1: (3 * j) mod 4
  controller h = lstm[H](x)
  emit k[W], v[W], e[K + 1]: unit
  score[i] = sum[c] k[c] * prev M[i, c]
  best     = top[K](score)
  P        = prev P
  M[prev P[j], c] = prev M[prev P[j], c] * (1 - e[j]) + e[j] * v[c] elsewhere prev M
  w[best[j]] = e[j] * prev w[best[j]] elsewhere prev w
  r[c] = sum[i] w[i] * M[i, c]
  emit y[Y] from cat(h, r)
}
";

/// Functions of one's own between an affine map and its squash, and as a map into a domain.
const OWN_MAPS: &str = "ntm 1
use std.nn

def oneplus(a, by = 1) -> b: positive {
  soft = log(1 + exp(a))
  b    = by + soft
}

def soften(a) -> b = a / (1 + exp(a))

model own[H = 3, R = 2](x[X]) -> y[Y] {
  controller h = lstm[H](x) through soften
  head read[R] {
    emit beta: real(1..) via oneplus, k[2]: unit
  }
  emit g[H]: signed from h through soften
  emit y[Y] from cat(read.beta, read.k, g) through oneplus(by = 0.5)
}
";

/// Differences see through `stop`, so it is taken out.
fn text_of(name: &str) -> String {
    let path = root().join("specs").join(format!("{name}.ntm"));
    std::fs::read_to_string(path).unwrap().replace("stop(", "(")
}

fn check_spec(name: &str, loss: &Loss, firsts: &[Firsts]) {
    let (_, sizes) = SPECS.iter().find(|(own, _)| *own == name).unwrap();
    let case = Case { name, text: &text_of(name), sizes, loss: loss.clone() };
    firsts.iter().for_each(|firsts| case.check(*firsts));
}

fn check_both(name: &str) {
    check_spec(name, &Loss::HalfSquares, &[Firsts::Drawn, Firsts::Computed]);
}

fn check_text(name: &str, text: &str, firsts: &[Firsts]) {
    let case = Case { name, text, sizes: "X=2 Y=2", loss: Loss::HalfSquares };
    firsts.iter().for_each(|firsts| case.check(*firsts));
}

#[test]
fn every_spec_is_listed() {
    let entries = std::fs::read_dir(root().join("specs")).unwrap().map(|one| one.unwrap().path());
    let specs = entries.filter(|path| path.extension().is_some_and(|ending| ending == "ntm"));
    let found: BTreeSet<String> =
        specs.map(|path| path.file_stem().unwrap().display().to_string()).collect();
    let listed: BTreeSet<String> = SPECS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed);
}

#[test]
fn adaptive_computation_time_has_its_slopes() {
    check_both("act");
}

#[test]
fn the_dnc_has_its_slopes() {
    check_both("dnc");
}

#[test]
fn the_flat_dnc_has_its_slopes() {
    check_both("dnc_flat");
}

#[test]
fn the_dnc_with_masks_and_sharp_links_has_its_slopes() {
    check_both("dnc_mds");
}

#[test]
fn the_baseline_has_its_slopes() {
    check_both("lstm");
}

#[test]
fn least_recently_used_access_has_its_slopes() {
    check_both("mann");
}

#[test]
fn several_write_heads_have_their_slopes() {
    check_both("multi_write");
}

#[test]
fn the_ntm_has_its_slopes() {
    check_both("ntm");
}

#[test]
fn the_tape_has_its_slopes() {
    check_both("tape");
}

#[test]
fn masked_losses_of_targets_have_their_slopes() {
    for name in ["lstm", "ntm"] {
        check_spec(name, &Loss::Target { masked: true }, &[Firsts::Drawn]);
    }
}

#[test]
fn a_stack_has_its_slopes() {
    check_text("stack", STACK, &[Firsts::Drawn, Firsts::Computed]);
}

#[test]
fn the_gated_delta_rule_has_its_slopes() {
    check_text("gated delta", DELTA, &[Firsts::Drawn, Firsts::Computed]);
}

#[test]
fn sparse_reads_have_their_slopes() {
    check_text("sparse read", SPARSE, &[Firsts::Drawn, Firsts::Computed]);
}

#[test]
fn parameters_of_first_states_have_their_slopes() {
    check_text("starting", STARTING, &[Firsts::Computed, Firsts::Drawn]);
}

#[test]
fn writes_at_computed_places_have_their_slopes() {
    check_text("places", PLACES, &[Firsts::Drawn, Firsts::Computed]);
}

#[test]
fn functions_of_ones_own_in_emissions_have_their_slopes() {
    check_text("own maps", OWN_MAPS, &[Firsts::Drawn, Firsts::Computed]);
}
