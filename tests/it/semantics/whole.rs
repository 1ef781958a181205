//! Whole numbers at run time: counters, truths, positions and what they index.

use super::{BATCH, STEPS, drawn, plain};

#[test]
fn counters_truths_and_positions_are_what_they_count() {
    let run = plain(
        "ntm 1
         model m[N = 4](x[N]) -> y[5] {
           state t: int = 0, late: bool = false, at: index(N) = 2, seen[N]: int = 0
           t      = prev t + 1
           late   = prev late or t == 3
           at     = max(0, prev at - 1)
           turn   = prev t mod N
           seen[i] = prev seen[i] + (if i == turn then 1 else 0)
           half   = 0.5 * t
           y = [x[at], if late then x[0] else half, seen[turn] * x[turn], x[clip(t, 1, N - 1)], max[i] seen[i]]
         }",
    );
    let x = drawn("x", &[STEPS, BATCH, 4]);
    for step in 0..STEPS {
        for sample in 0..BATCH {
            let x = |at: usize| x[[step, sample, at]];
            let t = step + 1;
            let wanted = [
                x([1, 0, 0, 0][step]),
                if t >= 3 { x(0) } else { 0.5 * t as f64 },
                x(step % 4),
                x(t.clamp(1, 3)),
                1.0,
            ];
            for (at, wanted) in wanted.into_iter().enumerate() {
                assert_eq!(run.output()[[step, sample, at]], wanted, "{step} {at}");
            }
        }
    }
}

#[test]
fn whole_numbers_carry_no_gradient() {
    let run = plain(
        "ntm 1
         model m[K = 3](x, n: int = 2, k[K]: int) -> y {
           state t: int = 0
           t = prev t + k[0]
           y = x * t * n
         }",
    );
    assert!(run.input_gradient("k").iter().all(|one| *one == 0.0));
    assert!(run.input_gradient("x").iter().any(|one| *one != 0.0));
    let ints = run.program.states.iter().filter(|state| state.ty == ntmc::graph::Type::Int);
    assert_eq!(ints.count(), 1);
}
