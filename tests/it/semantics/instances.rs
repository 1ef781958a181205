//! Named instances that look back at themselves, and definitions as maps of emissions.

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

#[test]
fn a_definition_as_a_map_is_the_same_map_written_out() {
    let head = "ntm 1
         def soften(a, by = 1) -> b = a / (by + abs(a))
         model m[H = 3](x[H]) -> y[H] {";
    let named = |name: &str| {
        [("weight", vec![3, 3]), ("bias", vec![3])]
            .into_iter()
            .map(|(kind, shape)| (format!("{name}.{kind}"), super::drawn(kind, &shape)))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let run = |text: String, name: &str| {
        super::run(&crate::support::model_of_text(&text, &[]), &named(name))
    };
    let stage = run(format!("{head} emit y[H]: unit from x through soften(by = 2) }}"), "y");
    let hand = run(format!("{head} emit raw[H] from x\n y = unit(raw / (2 + abs(raw))) }}"), "raw");
    assert!(super::distance(stage.output(), hand.output()) < 1e-15);
    let gap = super::distance(stage.param_gradient("y.weight"), hand.param_gradient("raw.weight"));
    assert!(gap < 1e-14, "{gap:e}");
}
