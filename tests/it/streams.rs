//! A model that answers while its input still comes.

use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Precision, Trainable, Want, jit};
use ntmc::compile::{Choices, Spec};
use ntmc::model::library::StdOnly;
use ntmc::run::{Border, Session, Streaming};
use ntmc::source::Source;
use ntmc::tensor::Tensor;

/// Sessions of one small memory network, one a backend.
fn sessions() -> Vec<Session> {
    let text = std::fs::read_to_string(crate::support::root().join("specs/ntm.ntm")).unwrap();
    let mut spec = Spec::read(Source::new("ntm.ntm", text), &StdOnly).unwrap();
    let (model, program, _) = spec.answering(&Choices::default()).unwrap();
    let backends: [Box<dyn Trainable>; 2] = [
        Box::new(Interp::new(&program, Precision::F64, 1)),
        jit::ready(&program, Precision::F64, 1).unwrap(),
    ];
    let ready =
        |backend| Session::new(Border::of(&program), &model, backend, Precision::F64, 3).unwrap();
    backends.into_iter().map(ready).collect()
}

/// Six steps of an input of five numbers.
fn input() -> Tensor {
    Tensor::from_shape_fn(vec![6, 1, 5], |at| ((at[0] * 5 + at[2]) as f64).sin())
}

fn whole(session: &mut Session) -> Tensor {
    let batch = Batch { lengths: vec![6], inputs: vec![input()], starts: Vec::new() };
    let want = Want { roots: vec!["y".to_owned()], gradients: false };
    session.run(&batch, &want).roots.remove("y").unwrap()
}

fn streamed(session: &mut Session) -> Tensor {
    let mut stream = Streaming::new(session, 0);
    let row = |row: ndarray::ArrayViewD<'_, f64>| row.insert_axis(ndarray::Axis(0)).to_owned();
    let steps: Vec<Tensor> = input().outer_iter().map(|one| stream.step(row(one))).collect();
    let views: Vec<_> = steps.iter().map(|one| one.view()).collect();
    ndarray::concatenate(ndarray::Axis(0), &views).unwrap()
}

#[test]
fn answers_step_by_step_are_those_of_the_whole_sequence() {
    for mut session in sessions() {
        let once = whole(&mut session);
        assert_eq!(once.shape(), [6, 1, 4]);
        assert_eq!(streamed(&mut session), once);
        assert_eq!(whole(&mut session), once, "a stream leaves nothing behind");
    }
}

#[test]
fn new_parameters_are_seen_by_the_next_run() {
    for (mut session, mut fresh) in sessions().into_iter().zip(sessions()) {
        let before = streamed(&mut session);
        let mut other = session.held();
        other.params.iter_mut().for_each(|one| *one *= 0.5);
        session.restore(&other);
        fresh.restore(&other);
        let after = streamed(&mut session);
        assert!(after != before);
        assert_eq!(after, streamed(&mut fresh));
    }
}

#[test]
fn new_parameters_are_seen_by_a_stream_after_other_runs() {
    for (mut session, mut fresh) in sessions().into_iter().zip(sessions()) {
        streamed(&mut session);
        let mut other = session.held();
        other.params.iter_mut().for_each(|one| *one *= 0.5);
        session.restore(&other);
        fresh.restore(&other);
        // A run that wants something else comes first.
        let batch = Batch { lengths: vec![6], inputs: vec![input()], starts: Vec::new() };
        session.run(&batch, &Want { roots: Vec::new(), gradients: false });
        assert_eq!(streamed(&mut session), streamed(&mut fresh));
    }
}
