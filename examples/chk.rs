//! Temporary.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "temporary")]
fn main() {
    for path in std::env::args().skip(1) {
        let mut sources = ntmc::source::Sources::default();
        let id = sources
            .add(ntmc::source::Source::new(path.clone(), std::fs::read_to_string(&path).unwrap()));
        let mut sink = ntmc::diag::Diagnostics::default();
        let t = std::time::Instant::now();
        let file = ntmc::syntax::parse(&sources, id, &mut sink);
        if let Some(file) = file {
            let c =
                ntmc::model::check(&file, &ntmc::model::library::StdOnly, &mut sources, &mut sink);
            println!(
                "{path}: defs {} models {} in {:?}",
                c.defs.len(),
                c.models.len(),
                t.elapsed()
            );
        }
        print!("{}", ntmc::diag::render(&sink, &sources, ntmc::diag::Style::Plain));
    }
}
