//! Trains a small memory network on the copy task from Rust.
//!
//! `cargo run --release --example train`

use ntmc::backend::Precision;
use ntmc::backend::interp::Interp;
use ntmc::compile::{Choices, Spec};
use ntmc::error::Error;
use ntmc::model::library::StdOnly;
use ntmc::run::{Border, Session};
use ntmc::source::Source;
use ntmc::train::{Clip, Lesson, Quiet, Schedule, Settings, State, evaluate, train};

#[expect(clippy::print_stdout, reason = "an example shows what it learned")]
fn main() -> Result<(), Error> {
    let text = include_str!("../specs/ntm.ntm");
    let mut spec = Spec::read(Source::new("ntm.ntm", text), &StdOnly)?;
    let task = Some("copy(bits = 2, length = 1..2)".to_owned());
    let ready = spec.training(&Choices { task, ..Choices::default() })?;

    let backend = Box::new(Interp::new(&ready.program, Precision::F32, 1));
    let border = Border::of(&ready.program);
    let mut session = Session::new(border, &ready.model, backend, Precision::F32, 1)?;
    let steps = 200;
    let settings = Settings {
        seed: 1,
        batch: 4,
        lessons: vec![Lesson { task: ready.tasks[0].clone(), steps }],
        rate: ready.rate,
        schedule: Schedule::default(),
        clip: Some(Clip::Value(10.0)),
        evaluate_every: steps,
        episodes: 50,
        overfit: None,
    };
    let mut state = State::default();
    train(&mut session, &settings, &mut state, steps, &mut Quiet)?;
    let result = evaluate(&mut session, &settings, state.step)?;
    println!("{:.3} nats and {:.3} wrong bits a sequence", result.loss, result.score);
    Ok(())
}
