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
            assert_eq!(score, task.score.perfect, "{}", task.name);
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
    assert_eq!(error("zzz", &[]), wrong("no task `zzz`", "the tasks are `copy`, `random`"));
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
