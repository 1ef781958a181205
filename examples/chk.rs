//! Temporary.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "temporary")]
use ntmc::model::*;
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
            if let Some(m) = c.models.last() {
                let mut s = Setting::default();
                for d in &c.def(*m).dims {
                    if d.default.is_none() {
                        s.given.insert(d.name.clone(), (Given::Number(3.0), Default::default()));
                    }
                }
                if c.def(*m).dims.iter().any(|d| d.name == "X")
                    && c.def(*m).dims.iter().any(|d| d.name == "Y")
                {
                    s.given.clear();
                    s.ports = Some(Ports { input: 9, output: 8, domain: "unit".into() });
                    s.loss = Loss::Target;
                }
                if let Some(model) = elaborate(&c, *m, &s, &mut sink) {
                    println!(
                        "  values {} params {} states {} in {:?}",
                        model.values.len(),
                        model.params.len(),
                        model.states.len(),
                        t.elapsed()
                    );
                    if std::env::var("DUMP").is_ok() {
                        for p in &model.params {
                            println!(
                                "   param {} {:?}",
                                p.path,
                                p.axes.iter().map(|a| a.size).collect::<Vec<_>>()
                            );
                        }
                        for p in &model.states {
                            println!(
                                "   state {} {:?} next {}",
                                p.path,
                                p.axes.iter().map(|a| a.size).collect::<Vec<_>>(),
                                model.values[p.next as usize].path
                            );
                        }
                        for p in &model.values {
                            println!(
                                "   value {} {:?}",
                                p.path,
                                p.axes.iter().map(|a| a.size).collect::<Vec<_>>()
                            );
                        }
                    }
                }
            }
        }
        print!("{}", ntmc::diag::render(&sink, &sources, ntmc::diag::Style::Plain));
    }
}
