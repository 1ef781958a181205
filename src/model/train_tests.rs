//! Blocks built by hand: the parser is another room's.

use super::*;
use crate::syntax::ast::{Arg, Name, Ref, Segment};

fn name(text: &str) -> Name {
    Name { text: text.to_owned(), span: Span::default() }
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn num(value: f64) -> Expr {
    expr(ExprKind::Number(value, value.to_string()))
}

fn arg(name_: Option<&str>, value: Expr) -> Arg {
    Arg { name: name_.map(name), value, to: None, default: None, span: Span::default() }
}

fn reference(text: &str, args: Option<Vec<Arg>>) -> Ref {
    let segment = Segment { name: name(text), brackets: None, args, after: None };
    Ref { segments: vec![segment], span: Span::default() }
}

fn apply(text: &str, args: Vec<Arg>) -> Expr {
    expr(ExprKind::Ref(reference(text, Some(args))))
}

fn word(text: &str) -> Expr {
    expr(ExprKind::Ref(reference(text, None)))
}

fn list(items: Vec<Expr>) -> Expr {
    expr(ExprKind::List(items.into_iter().map(|item| arg(None, item)).collect()))
}

fn block(tasks: usize, settings: Vec<(&str, Expr)>) -> ast::Train {
    let length = Arg { to: Some(num(20.0)), ..arg(Some("length"), num(1.0)) };
    let copy = apply("copy", vec![arg(Some("bits"), num(8.0)), length]);
    let settings = settings.into_iter().map(|(text, value)| ast::Setting {
        docs: Vec::new(),
        name: name(text),
        value: arg(None, value),
        span: Span::default(),
    });
    ast::Train {
        docs: Vec::new(),
        name: None,
        model: reference("ntm", None),
        tasks: vec![copy; tasks],
        curriculum: tasks != 1,
        settings: settings.collect(),
        // A block ends with a brace.
        span: Span { end: 1, ..Span::default() },
    }
}

fn adam() -> (&'static str, Expr) {
    ("optimizer", apply("adam", vec![arg(Some("lr"), num(1e-3))]))
}

fn steps() -> (&'static str, Expr) {
    ("steps", num(10.0))
}

/// Code, message and help of everything reported.
fn wrong(train: &ast::Train) -> Vec<(&'static str, String, String)> {
    let mut sink = Diagnostics::default();
    assert_eq!(check(train, &mut sink), None);
    let all = sink.sorted().into_iter();
    all.map(|one| (one.code.0, one.message.clone(), one.help.clone().unwrap_or_default())).collect()
}

#[test]
fn a_whole_block_is_read() {
    let decay = vec![arg(Some("factor"), num(0.5)), arg(Some("every"), num(100.0))];
    let train = block(
        1,
        vec![
            adam(),
            steps(),
            ("clip", apply("norm", vec![arg(None, num(10.0))])),
            ("batch", num(16.0)),
            ("schedule", apply("decay", decay)),
            ("freeze", list(vec![word("M0")])),
            (
                "clip_backward",
                apply("value", vec![arg(None, num(7.0)), arg(Some("at"), list(vec![word("h")]))]),
            ),
            ("evaluate_every", num(5.0)),
            ("episodes", num(50.0)),
        ],
    );
    let mut sink = Diagnostics::default();
    let read = check(&train, &mut sink).expect("the block is right");
    assert!(sink.is_empty());
    assert_eq!(read.tasks[0].args[1].value, ArgValue::Range(1.0, 20.0));
    assert_eq!(read.optimiser.args[0].value, 1e-3);
    assert_eq!(read.clip, Some(Clip::Norm(10.0)));
    assert_eq!((read.batch, &read.steps[..], read.episodes), (16, &[10][..], 50));
    let shape = Shape::Decay { factor: 0.5, every: 100 };
    assert_eq!(read.schedule, Schedule { warmup: 0, shape });
    assert_eq!(read.freeze[0].0, "M0");
    let clip = read.clip_backward.expect("given");
    assert_eq!((clip.limit, clip.at[0].0.as_str()), (7.0, "h"));
    assert_eq!(read.evaluate_every, Some(5));
}

#[test]
fn unknown_settings_say_where_they_belong() {
    let train = block(
        1,
        vec![
            adam(),
            steps(),
            ("learning_rate", num(1e-4)),
            ("batc", num(2.0)),
            ("momentum", num(0.9)),
            ("batch_size", num(2.0)),
        ],
    );
    let found = wrong(&train);
    let helps: Vec<_> = found.iter().map(|one| one.2.as_str()).collect();
    assert_eq!(
        helps,
        [
            "it belongs to the optimizer: `adam(lr = 0.0001)`",
            "did you mean `batch`?",
            "it belongs to the optimizer: `rmsprop(lr = 1e-4, momentum = 0.9)`",
            "did you mean `batch`?",
        ]
    );
    assert!(found.iter().all(|one| one.0 == "E0605"));
}

#[test]
fn missing_and_wrong_values_are_reported_together() {
    let codes = |train: ast::Train| wrong(&train).iter().map(|one| one.0).collect::<Vec<_>>();
    assert_eq!(codes(block(1, vec![])), ["E0608", "E0608"]);
    for (name, value) in [
        ("batch", num(0.0)),
        ("batch", num(-2.0)),
        ("batch", num(1.5)),
        ("batch", word("big")),
        ("clip", num(10.0)),
        ("clip", apply("value", vec![arg(None, num(-1.0))])),
        ("clip", apply("clamp", vec![arg(None, num(1.0))])),
        ("schedule", word("cosine")),
        ("schedule", apply("cosine", vec![arg(Some("end"), num(1.5))])),
        (
            "schedule",
            apply("cosine", vec![arg(Some("end"), num(0.1)), arg(Some("every"), num(5.0))]),
        ),
        ("schedule", apply("warmup", vec![arg(Some("steps"), num(0.0))])),
        ("schedule", apply("warmup", vec![arg(None, num(10.0))])),
        ("schedule", apply("decay", vec![arg(Some("factor"), num(0.5))])),
        ("freeze", num(1.0)),
        ("clip_backward", apply("value", vec![arg(None, num(10.0))])),
        (
            "clip_backward",
            apply("norm", vec![arg(None, num(1.0)), arg(Some("at"), list(vec![word("h")]))]),
        ),
        (
            "clip_backward",
            apply("value", vec![arg(None, num(0.0)), arg(Some("at"), list(vec![word("h")]))]),
        ),
    ] {
        assert_eq!(codes(block(1, vec![adam(), steps(), (name, value)])), ["E0607"], "{name}");
    }
    assert_eq!(codes(block(1, vec![adam(), ("steps", num(0.0))])), ["E0607"]);
    assert_eq!(codes(block(1, vec![adam(), steps(), steps()])), ["E0607"]);
    assert_eq!(codes(block(0, vec![adam(), steps()])), ["E0607"]);
    let three = list(vec![num(1.0), num(2.0), num(3.0)]);
    assert_eq!(
        wrong(&block(2, vec![adam(), ("steps", three)]))[0].1,
        "3 numbers of steps for 2 tasks"
    );
}

#[test]
fn schedules_rise_then_keep_their_shape_over_the_steps_of_the_block() {
    let read = |call: &str, args: Vec<(&str, f64)>| {
        let args = args.into_iter().map(|(name, value)| arg(Some(name), num(value))).collect();
        let train = block(1, vec![adam(), steps(), ("schedule", apply(call, args))]);
        check(&train, &mut Diagnostics::default()).expect("the block is right").schedule
    };
    let factors = |schedule: Schedule, steps: &[u64]| -> Vec<f64> {
        let each = steps.iter().map(|step| schedule.factor(*step, 13));
        each.map(|factor| (factor * 1e4).round() / 1e4).collect()
    };
    let rise = read("warmup", vec![("steps", 4.0)]);
    assert_eq!(factors(rise, &[0, 1, 2, 3, 4, 99]), [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
    let fall = read("decay", vec![("factor", 0.5), ("every", 3.0), ("warmup", 2.0)]);
    assert_eq!(factors(fall, &[0, 1, 2, 4, 5, 8]), [0.5, 1.0, 1.0, 1.0, 0.5, 0.25]);
    // The first whole step, half way, the last step of the block, and after it.
    let wave = read("cosine", vec![("end", 0.2), ("warmup", 4.0)]);
    assert_eq!(factors(wave, &[0, 4, 8, 12, 50]), [0.25, 1.0, 0.6, 0.2, 0.2]);
    let quarter = 0.2 + 0.8 * 0.5 * (1.0 + std::f64::consts::FRAC_1_SQRT_2);
    assert_eq!(factors(wave, &[6]), [(quarter * 1e4).round() / 1e4]);
    // A rise longer than the block, and a block of one step.
    assert!(read("cosine", vec![("end", 0.0), ("warmup", 99.0)]).factor(99, 10).is_finite());
    assert_eq!(read("cosine", vec![("end", 0.0)]).factor(0, 1), 1.0);
}
