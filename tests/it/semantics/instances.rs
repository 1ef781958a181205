//! Named instances that look back at themselves.

use super::{distance, plain};

#[test]
fn an_instance_sees_its_own_state_of_the_step_before() {
    let instance = plain(
        "ntm 1
         def leak[H](x[H]) -> h[H] {
           state c[H] = 0.5
           c = 0.5 * prev c + tanh(x)
           h = c * c
         }
         model m[H = 3](x[H]) -> y[H] {
           part cell = leak[H](x + prev cell.c * prev cell.c)
           y = cell
         }",
    );
    let hand = plain(
        "ntm 1
         model m[H = 3](x[H]) -> y[H] {
           state c[H] = 0.5
           c = 0.5 * prev c + tanh(x + prev c * prev c)
           y = c * c
         }",
    );
    assert!(distance(instance.output(), hand.output()) < 1e-15);
    assert!(distance(instance.input_gradient("x"), hand.input_gradient("x")) < 1e-14);
}
