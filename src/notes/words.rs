//! Names that promise something: a definition that hides one of std (W0905), an emission without a
//! domain whose name says what it should be (W0906).

use super::{Spec, errors};
use crate::diag::Diagnostics;
use crate::model::library::STD;
use crate::model::typed::{Domain, ExprKind, Value, ValueId, ValueKind, Whole};
use crate::op::{Scalar, scalar};
use crate::source::Span;
use crate::syntax::ast;

/// Definitions that take the place of one that the same file imports.
pub(super) fn hiding(spec: Spec<'_>, sink: &mut Diagnostics) {
    for item in &spec.file.items {
        let (ast::Item::Def(def) | ast::Item::Model(def)) = item else { continue };
        let brought = spec.file.imports.iter().find_map(|import| {
            let module = STD.iter().find(|(name, _)| *name == import.module.text)?;
            match &import.names {
                Some(names) => {
                    names.iter().find(|name| name.text == def.name.text).map(|name| name.span)
                }
                None => defines(module.1, &def.name.text).then_some(import.module.span),
            }
            .map(|span| (module.0.as_str(), span))
        });
        if let Some((module, import)) = brought {
            sink.push(errors::hides_std(def.name.span, &def.name.text, module, import));
        }
    }
}

/// Whether a text of std defines a name.
fn defines(text: &str, name: &str) -> bool {
    text.lines().filter_map(|line| line.strip_prefix("def ")).any(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest[..end] == *name
    })
}

/// Words in a name with the domain that they promise.
const WORDS: &[(&str, &str)] = &[
    ("beta", "positive"),
    ("strength", "positive"),
    ("strengths", "positive"),
    ("sharpness", "positive"),
    ("temperature", "positive"),
    ("gamma", "real(1..)"),
    ("gate", "unit"),
    ("gates", "unit"),
];

/// Emissions without a domain that are called a strength or a gate, and are not squashed by hand.
pub(super) fn undressed(spec: Spec<'_>, sink: &mut Diagnostics) {
    for (_, def) in spec.own() {
        for (at, value) in def.values.iter().enumerate() {
            if !matches!(value.kind, ValueKind::Emission(_))
                || value.domain != Domain::REAL
                || value.via.is_some()
            {
                continue;
            }
            let mut words = value.name.split('_');
            let promised = words.find_map(|word| WORDS.iter().find(|(known, _)| *known == word));
            let Some((_, domain)) = promised else { continue };
            if !squashed(&def.values, ValueId(at as u32)) {
                let place = after_name(spec, value);
                sink.push(errors::undressed(value.span, &value.name, domain, place));
            }
        }
    }
}

/// The place for a domain: after the name and its brackets.
fn after_name(spec: Spec<'_>, value: &Value) -> Span {
    let text = spec.sources.text(value.span);
    let rest = text.strip_prefix(value.name.as_str()).unwrap_or_default();
    let mut depth = 0;
    let end = rest.char_indices().find(|(at, letter)| {
        depth += i32::from(*letter == '[') - i32::from(*letter == ']');
        let opens = *at == 0 && *letter == '[';
        depth == 0 && !opens
    });
    let length = match end {
        Some((at, ']')) => at + 1,
        Some(_) | None => 0,
    };
    let start = value.span.start + (value.name.len() + length) as u32;
    Span { start, end: start, ..value.span }
}

/// Whether every read of a value is the argument of a function with a bounded result.
fn squashed(values: &[Value], id: ValueId) -> bool {
    let (mut all, mut inside) = (0, 0);
    let is_read = |kind: &ExprKind| matches!(kind, ExprKind::Read { value, .. } if *value == id);
    for value in values {
        value.each(&mut |expr| {
            all += usize::from(is_read(&expr.kind));
            let dressed = if let ExprKind::Map(function, args) = &expr.kind {
                args.first().filter(|_| BOUNDED.contains(function))
            } else if let ExprKind::Squash(_, arg) | ExprKind::Whole(Whole::Softmax, arg) =
                &expr.kind
            {
                Some(&**arg)
            } else {
                None
            };
            inside += usize::from(dressed.is_some_and(|arg| is_read(&arg.kind)));
        });
    }
    all > 0 && all == inside
}

/// Functions that squash: their result is bounded on one side at least.
const BOUNDED: &[Scalar] = &[
    scalar::SIGMOID,
    scalar::SOFTPLUS,
    scalar::EXP,
    scalar::TANH,
    scalar::RELU,
    scalar::ABS,
    scalar::CLIP,
    scalar::MAX,
    scalar::MIN,
];
