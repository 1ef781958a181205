//! Checks a spec with two mistakes and prints what is wrong with it.
//!
//! `cargo run --example diagnose`

use ntmc::compile::Spec;
use ntmc::diag::Style;
use ntmc::model::library::StdOnly;
use ntmc::source::Source;

const SPEC: &str = "ntm 1

model leak[N = 2](x[N]) -> y[N] {
  state s[N]
  s[i] = 0.9 * prev s[i] + x[k]
  y = s
}
";

#[expect(clippy::print_stdout, reason = "an example shows what it finds")]
fn main() {
    match Spec::read(Source::new("leak.ntm", SPEC), &StdOnly) {
        Ok(_) => println!("nothing is wrong"),
        Err(error) => print!("{}", error.render(Style::Plain)),
    }
}
