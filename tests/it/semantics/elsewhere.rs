//! `elsewhere`: which of several writes wins, and what gets gradient.

use super::{BATCH, Run, STEPS, plain};

fn input(run: &Run, name: &str) -> Vec<f64> {
    let at = run.program.inputs.iter().position(|input| input.path.0 == name).unwrap();
    let shape = [&[STEPS, BATCH], &run.program.inputs[at].shape()[..]].concat();
    super::drawn(name, &shape).iter().copied().collect()
}

/// Rows 0, 1, 2, 0 are written in this order: the first write loses.
const REPEATED: &str = "ntm 1
model m[N = 5, W = 2, K = 4](x[K, W]) -> y[N, W] {
  memory M[N, W] = 1
  state P[K]: index(N) = for j in K: j mod 3
  P = prev P
  M[prev P[j], c] = prev M[prev P[j], c] * 0.5 + x[j, c] * x[j, c] elsewhere prev M
  y = M
}";

#[test]
fn the_last_of_several_writes_wins() {
    let run = plain(REPEATED);
    let x = input(&run, "x");
    for sample in 0..BATCH {
        let mut memory = [[1.0; 2]; 5];
        for step in 0..STEPS {
            let before = memory;
            for j in 0..4 {
                for c in 0..2 {
                    let x = x[((step * BATCH + sample) * 4 + j) * 2 + c];
                    memory[j % 3][c] = before[j % 3][c] * 0.5 + x * x;
                }
            }
            for (i, row) in memory.iter().enumerate() {
                for (c, wanted) in row.iter().enumerate() {
                    assert_eq!(run.output()[[step, sample, i, c]], *wanted);
                }
            }
        }
    }
    let gradient = run.input_gradient("x");
    for (at, one) in gradient.indexed_iter() {
        assert_eq!(*one == 0.0, at[2] == 0, "entry {at:?} has the gradient {one}");
    }
}

#[test]
fn an_entry_that_is_overwritten_passes_no_gradient_to_the_old_value() {
    let run = plain(
        "ntm 1
         model m[N = 4, K = 2](g[N], v[K]) -> y[N] {
           state P[K]: index(N) = for j in K: 2 * j
           P = prev P
           y[prev P[j]] = v[j] elsewhere g
         }",
    );
    for (at, one) in run.input_gradient("g").indexed_iter() {
        assert_eq!(*one == 0.0, at[2] % 2 == 0, "entry {at:?} has the gradient {one}");
    }
    assert!(run.input_gradient("v").iter().all(|one| *one != 0.0));
}

#[test]
fn several_indices_are_written_in_lexicographic_order() {
    let run = plain(
        "ntm 1
         model m[N = 3, A = 2, B = 4](x[A, B], g[N, N]) -> y[N, N] {
           state P[A]: index(N) = 1, Q[B]: index(N) = for b in B: b mod 3
           P = prev P
           Q = prev Q
           y[prev P[a], prev Q[b]] = x[a, b] elsewhere g
         }",
    );
    let (x, g) = (input(&run, "x"), input(&run, "g"));
    let mut wanted = Vec::new();
    for episode in 0..STEPS * BATCH {
        let mut all = g[episode * 9..][..9].to_vec();
        for at in 0..8 {
            all[3 + at % 4 % 3] = x[episode * 8 + at];
        }
        wanted.extend(all);
    }
    assert_eq!(run.output().iter().copied().collect::<Vec<_>>(), wanted);
}

#[test]
fn one_place_rows_truths_and_positions_are_written() {
    let run = plain(
        "ntm 1
         model m[N = 3, W = 2, K = 4](x[K], r[W]) -> y[N, W] {
           memory M[N, W] = 0
           state b[N]: bool = false, at[N]: index(N) = 2, spot: index(N) = 1
           state P[K]: index(N) = for j in K: j mod 2
           spot = prev spot
           P    = prev P
           M[prev spot]  = r elsewhere prev M
           b[prev P[j]]  = x[j] > 0 elsewhere prev b
           at[prev P[j]] = prev P[0] elsewhere prev at
           y[i, c] = M[i, c] + (if b[i] then 10 else 0) + 100 * at[i]
         }",
    );
    let (x, r) = (input(&run, "x"), input(&run, "r"));
    for step in 0..STEPS {
        for sample in 0..BATCH {
            let episode = step * BATCH + sample;
            for (i, c) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)] {
                let row = if i == 1 { r[episode * 2 + c] } else { 0.0 };
                let truth = i < 2 && x[episode * 4 + 2 + i] > 0.0;
                let at = if i == 2 { 2.0 } else { 0.0 };
                let wanted = row + if truth { 10.0 } else { 0.0 } + 100.0 * at;
                assert_eq!(run.output()[[step, sample, i, c]], wanted);
            }
        }
    }
}

#[test]
fn members_of_a_family_write_one_after_another() {
    let family = plain(
        "ntm 1
         model m[N = 4, K = 3](x[K]) -> y[N] {
           memory M[N] = 0
           state P[K]: index(N) = for j in K: j mod 2
           P = prev P
           part write[n: K] {
             M[prev P[n]] = prev M[prev P[n]] + x[n] elsewhere prev M
           }
           y = M
         }",
    );
    let sum = plain(
        "ntm 1
         model m[N = 4, K = 3](x[K]) -> y[N] {
           memory M[N] = 0
           state P[K]: index(N) = for j in K: j mod 2
           P = prev P
           M[i] = prev M[i] + sum[j] (if prev P[j] == i then x[j] else 0)
           y = M
         }",
    );
    assert!(super::distance(family.output(), sum.output()) < 1e-15);
    assert!(super::distance(family.input_gradient("x"), sum.input_gradient("x")) < 1e-14);
}
