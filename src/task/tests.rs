//! Every row of the table keeps the promises of the room.

use super::*;
use crate::model::train::{ArgValue, TaskArg};
use crate::source::Span;

fn call(name: &str, args: &[(&str, ArgValue)]) -> TaskCall {
    let args = args.iter().map(|(name, value)| TaskArg {
        name: (*name).to_owned(),
        value: value.clone(),
        span: Span::default(),
    });
    TaskCall { name: name.to_owned(), args: args.collect(), span: Span::default() }
}

#[test]
fn every_task_is_deterministic_well_shaped_and_solved_by_its_oracle() {
    for task in TASKS {
        let instance = resolve(&call(task.name, &[])).expect("defaults are valid");
        let ports = instance.ports();
        for sample in 0..20 {
            let draw = |seed| instance.episode(&mut Stream::new(seed, &["test"], &[sample]));
            let episode = draw(3);
            assert_eq!(episode, draw(3), "{}", task.name);
            assert_ne!(episode, draw(4), "{}", task.name);
            let steps = episode.steps();
            assert!(steps as u64 <= instance.longest());
            assert_eq!(episode.inputs.shape(), [steps, ports.input as usize]);
            assert_eq!(episode.target.shape(), [steps, ports.output as usize]);
            assert!(episode.mask.iter().all(|mask| *mask == 0.0 || *mask == 1.0));
            assert!(episode.mask.sum() > 0.0);
            let score = (task.score.of)(&episode, &instance.oracle(&episode));
            // The other tasks are known by what their oracle scores on average: see below.
            assert_eq!(score, task.score.perfect.unwrap_or(score), "{}", task.name);
        }
        assert!(["real", "unit", "simplex"].contains(&ports.domain));
    }
    assert!(TASKS.is_sorted_by_key(|task| task.name));
}

#[test]
fn copy_is_as_the_paper_has_it() {
    let args = [("bits", ArgValue::Number(3.0)), ("length", ArgValue::Number(2.0))];
    let instance = resolve(&call("copy", &args)).expect("valid");
    let episode = instance.episode(&mut Stream::new(0, &["test"], &[]));
    assert_eq!(episode.steps(), 5);
    for bit in 0..3 {
        assert_eq!(episode.inputs[[0, bit]], episode.target[[3, bit]]);
        assert_eq!(episode.inputs[[1, bit]], episode.target[[4, bit]]);
        assert_eq!(episode.inputs[[2, bit]], 0.0);
        assert_eq!(episode.inputs[[3, bit]] + episode.inputs[[4, bit]], 0.0);
    }
    let flag: Vec<f64> = (0..5).map(|step| episode.inputs[[step, 3]]).collect();
    assert_eq!(flag, [0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(episode.mask.iter().copied().collect::<Vec<_>>(), [0.0, 0.0, 0.0, 1.0, 1.0]);
    let opposite = episode.target.mapv(|bit| 1.0 - bit);
    assert_eq!((instance.task.score.of)(&episode, &opposite), 6.0);
    assert_eq!(instance.to_string(), "copy(bits = 3, length = 2)");
}

#[test]
fn wrong_calls_say_what_to_change() {
    let error = |name: &str, args: &[(&str, ArgValue)]| {
        let error = resolve(&call(name, args)).expect_err("must be wrong");
        (error.kind, error.message, error.help.unwrap_or_default())
    };
    let wrong = |message: &str, help: &str| (ErrorKind::Wrong, message.to_owned(), help.to_owned());
    let number = ArgValue::Number;
    assert_eq!(error("cpy", &[]), wrong("no task `cpy`", "did you mean `copy`?"));
    assert_eq!(
        error("zzz", &[]),
        wrong(
            "no task `zzz`",
            "the tasks are `associative_recall`, `copy`, `ngrams`, `priority_sort`, `random`, \
             `repeat_copy`"
        )
    );
    assert_eq!(
        error("copy", &[("bit", number(8.0))]),
        wrong("`copy` has no argument `bit`", "did you mean `bits`?")
    );
    assert_eq!(
        error("copy", &[("bits", ArgValue::Range(1.0, 2.0))]),
        wrong("`bits` takes a whole number, this is a range", "write `bits = 8`")
    );
    assert_eq!(
        error("copy", &[("length", ArgValue::Range(5.0, 2.0))]),
        wrong("the range `5..2` of `length` is empty", "write `length = 2..5`")
    );
    assert_eq!(
        error("copy", &[("bits", number(2.5))]),
        wrong("`bits` is a whole number, 2.5 is not", "")
    );
    assert_eq!(
        error("copy", &[("bits", number(8.0)), ("bits", number(8.0))]),
        wrong("`bits` is given twice", "")
    );
    assert_eq!(
        error("copy", &[("bits", number(0.0))]),
        wrong("`bits` is at least 1, this is 0", "write `bits = 1`")
    );
    assert_eq!(error("copy", &[("bits", number(1e12))]).0, ErrorKind::Limit);
    let both = [("bits", number(4096.0)), ("length", number(100_000.0))];
    assert_eq!(error("copy", &both).0, ErrorKind::Limit);
}

/// An episode of a call, from a stream of its own.
fn drawn(name: &str, args: &[(&str, ArgValue)]) -> Episode {
    let instance = resolve(&call(name, args)).expect("valid");
    instance.episode(&mut Stream::new(0, &["test"], &[]))
}

/// One channel of [T, channels].
fn channel(values: &Tensor, at: usize) -> Vec<f64> {
    (0..values.shape()[0]).map(|step| values[[step, at]]).collect()
}

#[test]
fn repeat_copy_is_as_the_paper_has_it() {
    let number = ArgValue::Number;
    let args = [("bits", number(2.0)), ("length", number(2.0)), ("repeats", number(3.0))];
    let episode = drawn("repeat_copy", &args);
    assert_eq!(episode.steps(), 2 + 1 + 3 * 2 + 1);
    assert_eq!(channel(&episode.inputs, 2), [0., 0., 1., 0., 0., 0., 0., 0., 0., 0.]);
    // Papers' normalisation of a uniform 1 to 10: (n - 5.5) / sqrt(8.25).
    let count = channel(&episode.inputs, 3);
    assert!((count[2] - (3.0 - 5.5) / 8.25f64.sqrt()).abs() < 1e-15, "{count:?}");
    assert_eq!(count.iter().filter(|value| **value != 0.0).count(), 1);
    for bit in 0..2 {
        let (shown, asked) = (channel(&episode.inputs, bit), channel(&episode.target, bit));
        assert_eq!(asked[3..9].to_vec(), shown[..2].repeat(3));
        assert_eq!((asked[9], &shown[2..]), (0.0, &[0.0; 8][..]));
    }
    assert_eq!(channel(&episode.target, 2), [0., 0., 0., 0., 0., 0., 0., 0., 0., 1.]);
    assert_eq!(
        episode.mask.iter().copied().collect::<Vec<_>>(),
        [0., 0., 0., 1., 1., 1., 1., 1., 1., 1.]
    );
}

#[test]
fn associative_recall_asks_for_the_item_after_the_query() {
    let number = ArgValue::Number;
    let mut asked_for = [0u32; 4];
    for sample in 0..200 {
        let args = [("bits", number(9.0)), ("rows", number(2.0)), ("items", number(4.0))];
        let instance = resolve(&call("associative_recall", &args)).expect("valid");
        let episode = instance.episode(&mut Stream::new(0, &["test"], &[sample]));
        assert_eq!(episode.steps(), 4 * 3 + 4 + 2);
        let items = channel(&episode.inputs, 9);
        assert_eq!(items[..12], [1., 0., 0.].repeat(4)[..]);
        assert_eq!(items[12..], [0.0; 6]);
        assert_eq!(channel(&episode.inputs, 10)[12..], [1., 0., 0., 1., 0., 0.]);
        let row = |values: &Tensor, step: usize| -> Vec<f64> {
            (0..9).map(|bit| values[[step, bit]]).collect()
        };
        let item = |step| [row(&episode.inputs, step), row(&episode.inputs, step + 1)].concat();
        let query = (0..3).find(|at| item(at * 3 + 1) == item(13)).expect("one was asked for");
        let answer = [row(&episode.target, 16), row(&episode.target, 17)].concat();
        assert_eq!(answer, item((query + 1) * 3 + 1));
        asked_for[query] += 1;
        assert_eq!(episode.mask.sum(), 2.0);
    }
    assert!(asked_for[..3].iter().all(|count| *count > 40), "{asked_for:?}");
    assert_eq!(asked_for[3], 0);
}

/// 128.25 ± 0.06 bits on the 195 that can be predicted, by the arithmetic of the reference of papers
/// over 400,000 sequences, and five fair coins; one sequence's cost deviates by 35.9.
#[test]
fn the_best_predictor_of_ngrams_costs_what_is_known() {
    let instance = resolve(&call("ngrams", &[])).expect("valid");
    let samples = 4_000;
    let costs = (0..samples).map(|sample| {
        let episode = instance.episode(&mut Stream::new(0, &["test"], &[sample]));
        assert_eq!(channel(&episode.inputs, 0)[1..], channel(&episode.target, 0)[..199]);
        (instance.task.score.of)(&episode, &instance.oracle(&episode))
    });
    let mean = costs.sum::<f64>() / samples as f64;
    let error = 35.9 / (samples as f64).sqrt();
    assert!((mean - 133.25).abs() < 3.0 * error, "{mean} is not 133.25 ± {error}");
}

#[test]
fn a_certain_and_wrong_prediction_costs_much_and_not_everything() {
    let episode = drawn("ngrams", &[("length", ArgValue::Number(10.0))]);
    let score = TASKS.iter().find(|task| task.name == "ngrams").expect("a task").score.of;
    assert_eq!(score(&episode, &Tensor::from_elem(vec![10, 1], 0.5)), 10.0);
    assert_eq!(score(&episode, &episode.target.mapv(|bit| 1.0 - bit)), 230.0);
}

#[test]
fn priority_sort_asks_for_the_best_in_order() {
    let episode = drawn("priority_sort", &[]);
    assert_eq!((episode.steps(), episode.mask.sum()), (36, 16.0));
    let priority = channel(&episode.inputs, 8);
    assert!(priority[..20].iter().all(|value| (-1.0..1.0).contains(value)));
    let row = |values: &Tensor, step: usize| -> Vec<f64> {
        (0..8).map(|bit| values[[step, bit]]).collect()
    };
    let mut order: Vec<usize> = (0..20).collect();
    order.sort_by(|left, right| priority[*right].total_cmp(&priority[*left]));
    for (rank, item) in order.into_iter().take(16).enumerate() {
        assert_eq!(row(&episode.target, 20 + rank), row(&episode.inputs, item));
    }
    assert_eq!(episode.inputs.slice_axis(ndarray::Axis(0), ndarray::Slice::from(20..)).sum(), 0.0);
    let number = ArgValue::Number;
    let wrong = |args: &[(&str, ArgValue)]| {
        let error = resolve(&call("priority_sort", args)).expect_err("must be wrong");
        (error.message, error.help.unwrap_or_default(), error.instead)
    };
    let message = "`best` asks for 9 vectors, there may be only 5".to_owned();
    assert_eq!(
        wrong(&[("items", number(5.0)), ("best", number(9.0))]),
        (message, "write `best = 5`".to_owned(), Some("best = 5".to_owned()))
    );
    let message = "`best` asks for 16 vectors, there may be only 5".to_owned();
    assert_eq!(
        wrong(&[("items", ArgValue::Range(5.0, 20.0))]),
        (message, "write `best = 5`".to_owned(), None)
    );
}
