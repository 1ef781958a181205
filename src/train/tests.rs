//! The loop, driven by a backend whose gradient is exact.

use super::*;
use crate::model::train::{ArgValue, TaskArg, TaskCall};
use crate::run::Precision;
use crate::source::Span;
use crate::task;
use crate::tensor::Tensor;

/// A task that logistic regression can do in part: copy with all its bits.
pub(crate) fn copy(bits: f64, longest: f64) -> Instance {
    let arg = |name: &str, value| TaskArg { name: name.into(), value, span: Span::default() };
    let args =
        vec![arg("bits", ArgValue::Number(bits)), arg("length", ArgValue::Range(1.0, longest))];
    task::resolve(&TaskCall { name: "copy".into(), args, span: Span::default() }).expect("valid")
}

pub(crate) fn settings() -> Settings {
    Settings {
        seed: 7,
        batch: 3,
        lessons: vec![
            Lesson { task: copy(2.0, 2.0), steps: 10 },
            Lesson { task: copy(2.0, 4.0), steps: 30 },
        ],
        rate: 0.05,
        schedule: Schedule { warmup: 0, shape: Shape::Decay { factor: 0.5, every: 16 } },
        clip: Some(Clip::Norm(5.0)),
        evaluate_every: 8,
        episodes: 100,
        overfit: None,
    }
}

#[derive(Default)]
struct Record {
    lines: Vec<Line>,
    saved: Vec<(u64, bool)>,
    stop_at: Option<(u64, Stop)>,
    step: u64,
}

impl Observer for Record {
    fn stop(&mut self) -> Option<Stop> {
        self.stop_at.filter(|(step, _)| *step == self.step).map(|(_, stop)| stop)
    }

    fn step(&mut self, state: &State, _: f64) {
        self.step = state.step;
    }

    fn line(&mut self, line: &Line) -> Result<(), crate::run::Error> {
        self.lines.push(line.clone());
        Ok(())
    }

    fn save(&mut self, _: &Session, state: &State, best: bool) -> Result<(), crate::run::Error> {
        self.saved.push((state.step, best));
        Ok(())
    }
}

#[test]
fn training_lowers_the_loss_and_is_the_same_twice() {
    let run = || {
        let mut session = fake::session(3, 2, Precision::F64, 7);
        let (mut state, mut record) = (State::default(), Record::default());
        let stop = train(&mut session, &settings(), &mut state, 40, &mut record);
        assert_eq!(stop, Ok(Stop::Done));
        (session.held().params, record.lines, record.saved, state)
    };
    let (params, lines, saved, state) = run();
    assert_eq!((params, lines.clone(), saved.clone(), state.clone()), run());
    assert_eq!(
        lines.iter().map(|line| line.step).collect::<Vec<_>>(),
        (1..=40).collect::<Vec<_>>()
    );
    assert_eq!(saved.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [8, 16, 24, 32, 40, 40]);
    assert_eq!(state.sequences, 120);
    let evaluated: Vec<f64> =
        lines.iter().filter_map(|line| line.evaluation).map(|found| found.loss).collect();
    assert_eq!(evaluated.len(), 5);
    // Nothing but the silence is seen during the answer: chance is the best a regression can do.
    assert!(evaluated[4] < evaluated[0] + 0.5, "{evaluated:?}");
    assert!(lines[39].bits_per_sequence > lines[39].loss);
}

#[test]
fn stopping_and_going_on_gives_the_same_numbers() {
    // After step 16 an evaluation is due, and is what is ended.
    let cases = [(Precision::F32, 13), (Precision::F64, 13), (Precision::F64, 16)];
    for (precision, at) in cases {
        let mut whole = fake::session(3, 2, precision, 7);
        let (mut state, mut record) = (State::default(), Record::default());
        train(&mut whole, &settings(), &mut state, 40, &mut record).expect("finite");

        let mut part = fake::session(3, 2, precision, 7);
        let mut half = Record { stop_at: Some((at, Stop::Interrupt)), ..Record::default() };
        let mut middle = State::default();
        let stop = train(&mut part, &settings(), &mut middle, 40, &mut half);
        assert_eq!(stop, Ok(Stop::Interrupt));
        assert_eq!(half.saved.last(), Some(&(at, false)));
        let kept = serde_json::to_string(&middle).expect("plain numbers");
        let mut middle: State = serde_json::from_str(&kept).expect("read back");
        let mut other = fake::session(3, 2, precision, 99);
        other.restore(&part.held());
        let mut rest = Record::default();
        train(&mut other, &settings(), &mut middle, 40, &mut rest).expect("finite");
        assert_eq!(other.held(), whole.held());
        assert_eq!(middle, state);
        let joined: Vec<_> = half.lines.into_iter().chain(rest.lines).collect();
        assert_eq!(joined, record.lines);
    }
}

#[test]
fn a_loss_that_is_not_finite_names_its_step() {
    let mut backend = fake::Fake::new(3, 2, Precision::F64);
    backend.breaks_after = Some(4);
    let mut session = fake::session_of(backend, 7);
    let mut state = State::default();
    let error = train(&mut session, &settings(), &mut state, 40, &mut Record::default());
    let error = error.expect_err("the loss is NaN").to_string();
    assert_eq!(error, "the loss is not finite at step 5");
}

#[test]
fn frozen_parameters_stay_and_others_move() {
    let mut session = fake::session(3, 2, Precision::F64, 7);
    let before = session.held().params;
    assert_eq!(session.freeze("y.weigh"), 0);
    assert_eq!(session.freeze("y.weight"), 1);
    let mut state = State::default();
    train(&mut session, &settings(), &mut state, 5, &mut Record::default()).expect("finite");
    let after = session.held().params;
    assert_eq!(after[0], before[0]);
    assert_ne!(after[1], before[1]);
    assert_eq!(session.freeze("y"), 2);
}

#[test]
fn lessons_and_rates_follow_the_step() {
    let settings = settings();
    assert_eq!(settings.task_at(9).longest(), 5);
    assert_eq!(settings.task_at(10).longest(), 9);
    assert_eq!(settings.task_at(1000).longest(), 9);
    assert_eq!(settings.rate_at(15), 0.05);
    assert_eq!(settings.rate_at(32), 0.0125);
    let long =
        Settings { lessons: vec![Lesson { task: copy(2.0, 2.0), steps: 50_000 }], ..settings };
    let due: Vec<u64> = (1..=300).filter(|step| long.logs_after(*step)).collect();
    assert_eq!(&due[..12], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30]);
    assert_eq!(&due[due.len() - 2..], &[200, 300]);
}

#[test]
fn overfitting_sees_the_same_episodes_again_and_is_judged_by_them() {
    let session = fake::session(3, 2, Precision::F64, 7);
    let settings = Settings { overfit: Some(4), episodes: 4, ..settings() };
    let inputs = |step| -> Vec<Tensor> {
        let (episodes, batch) = lesson(&session, &settings, step);
        assert_eq!(batch.lengths.len(), 3);
        episodes.into_iter().map(|episode| episode.inputs).collect()
    };
    let (first, second) = (inputs(0), inputs(1));
    assert_eq!(second[1..], first[..2]);
    assert_eq!(inputs(4), first);
    let (seen, _) = trial(&session, &settings, 0);
    let seen: Vec<Tensor> = seen.into_iter().map(|episode| episode.inputs).collect();
    assert_eq!(seen, [&first[..], &second[..1]].concat());
    assert_eq!(trials(&settings), 1);
}
