//! The effective spec: what was run, as a file that can be run again.
//!
//! It is the author's file with the chosen train block alone, dims and task as overridden. Modules stay
//! imports; the text of those that are used is part of the digest.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{Choice, Spec};
use crate::model::Given;
use crate::model::typed::DimKind;
use crate::syntax::{self, ast};

/// The effective spec as text.
pub(super) fn text(spec: &Spec, choice: &Choice) -> String {
    let mut file = spec.file.clone();
    let model = &spec.checked.def(choice.model).name;
    file.items.retain_mut(|item| match item {
        ast::Item::Def(_) => true,
        ast::Item::Model(def) => {
            let chosen = def.name.text == *model;
            if chosen {
                override_dims(def, choice);
            }
            chosen
        }
        ast::Item::Train(_) => false,
    });
    if let Some(train) = &choice.train {
        let mut train = train.clone();
        let segment = &mut train.model.segments[0];
        (segment.brackets, segment.args) = (None, None);
        file.items.push(ast::Item::Train(train));
    }
    // Places no longer fit a changed file, and comments hang on places.
    file.comments.clear();
    file.blanks.clear();
    syntax::format(&file)
}

/// Defaults of dims and parameters as they were given.
fn override_dims(def: &mut ast::Def, choice: &Choice) {
    for generic in &mut def.generics {
        if let Some((given, _)) = choice.given.get(&generic.name.text) {
            generic.default = Some(tree(given, generic.name.span));
        }
    }
    for param in &mut def.params {
        if let Some((given, _)) = choice.given.get(&param.slot.name.text) {
            param.slot.value = Some(tree(given, param.slot.span));
        }
    }
}

fn tree(given: &Given, span: crate::source::Span) -> ast::Expr {
    let number = |value: f64| {
        let text = value.to_string();
        ast::Expr { kind: ast::ExprKind::Number(value, text), span }
    };
    let name = |text: &str| {
        let name = ast::Name { text: text.to_owned(), span };
        let segment = ast::Segment { name, brackets: None, args: None, after: None };
        let kind = ast::ExprKind::Ref(ast::Ref { segments: vec![segment], span });
        ast::Expr { kind, span }
    };
    match given {
        Given::Number(value) if *value < 0.0 => {
            let kind = ast::ExprKind::Unary(ast::UnaryOp::Neg, Box::new(number(-value)));
            ast::Expr { kind, span }
        }
        Given::Number(value) => number(*value),
        Given::Truth(value) => name(if *value { "true" } else { "false" }),
        Given::List(all) => {
            let arg = |value: &f64| ast::Arg {
                name: None,
                value: tree(&Given::Number(*value), span),
                to: None,
                default: None,
                span,
            };
            ast::Expr { kind: ast::ExprKind::List(all.iter().map(arg).collect()), span }
        }
    }
}

/// The digest of an effective spec, of the modules that its definitions come from, and of numbers in
/// place of emissions, in hexadecimal. Comments, documentation and layout do not count.
pub(super) fn digest(spec: &Spec, choice: &Choice, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(words(text));
    let own = spec.file.version_span.file;
    let files = spec.checked.defs.iter().map(|def| def.span.file);
    for id in files.filter(|file| *file != own).collect::<BTreeSet<_>>() {
        // Where it lies does not count.
        let Some(file) = spec.checked.modules.get(&id) else { continue };
        let file = ast::File { comments: Vec::new(), ..ast::File::clone(file) };
        hash.update(format!("\nmodule {}", words(&syntax::format(&file))));
    }
    let def = spec.checked.def(choice.model);
    let dims = def.dims.iter().filter(|dim| dim.kind != DimKind::Implicit).map(|dim| &dim.name);
    let written: BTreeSet<&String> = dims.chain(def.params.iter().map(|one| &one.name)).collect();
    for (path, (given, _)) in choice.given.iter().filter(|(path, _)| !written.contains(path)) {
        hash.update(format!("\n{path}={given:?}"));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A formatted text as words with one blank between them, without comments.
fn words(text: &str) -> String {
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}
