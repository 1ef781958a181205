//! Shapes and equations say what a value is like.

use super::*;
use crate::compile::{Choices, Spec};
use crate::model::library::Library;
use crate::source::Source;

struct Nothing;

impl Library for Nothing {
    fn source(&self, _: &str) -> Option<Source> {
        None
    }
}

fn model(name: &str) -> Model {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("specs").join(name);
    let source = Source::new(name, std::fs::read_to_string(path).expect("shipped"));
    let mut spec = Spec::read(source, &Nothing).expect("right");
    spec.judging(&Choices::default()).expect("right").model
}

/// Every value with numbers that are weightings as far as their shape allows.
fn traced(kinds: &Kinds, model: &Model) -> Vec<Traced> {
    let one = |value: &crate::model::flat::Value| {
        let mut shape = vec![3];
        shape.extend(value.axes.iter().map(|axis| axis.size as usize));
        let last = *shape.last().expect("time at least") as f64;
        kinds.traced(&value.path, Tensor::from_elem(shape, 1.0 / last))
    };
    model.values.iter().filter_map(one).collect()
}

#[test]
fn heads_are_families_and_places_of_a_memory_are_none() {
    let model = model("dnc.ntm");
    let kinds = Kinds::of(&model);
    let own = |path: &str| kinds.size(path).map(|(_, rank)| rank);
    for (path, rank) in [
        ("read.w", 1),
        ("read.r", 1),
        ("read.free", 0),
        ("read.lookup.k", 1),
        ("read.lookup.beta", 0),
        ("read.forward.f", 1),
        ("write.w", 1),
        ("write.gate", 0),
        ("M", 2),
        ("links.L", 2),
        ("links.p", 1),
        ("usage.u", 1),
    ] {
        assert_eq!(own(path), Some(rank), "{path}");
    }
}

#[test]
fn what_goes_into_a_memory_is_told_from_what_comes_out() {
    for (name, into, out) in [
        ("ntm.ntm", &["write.a", "write.e", "write.w"][..], &["read.r", "read.w"][..]),
        ("dnc.ntm", &["write.e", "write.v", "write.w"], &["read.r", "read.w"]),
        ("lstm.ntm", &[], &[]),
    ] {
        let model = model(name);
        let kinds = Kinds::of(&model);
        let (mut found, mut left) = kinds.traffic(&traced(&kinds, &model));
        found.sort();
        left.sort();
        assert!(found == into && left == out, "{name}: {found:?}, {left:?}");
    }
}
