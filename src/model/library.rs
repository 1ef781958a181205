//! Where definitions come from: the text of std, and a trait for modules beside a spec.

use std::sync::LazyLock;

use include_dir::{Dir, File, include_dir};

use crate::source::Source;

/// Finds the text of a module that is not in std: `use lrua` asks for `lrua`.
pub trait Library: Sync {
    /// The module's source, or nothing.
    fn source(&self, module: &str) -> Option<Source>;
}

/// No modules but std.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdOnly;

impl Library for StdOnly {
    fn source(&self, _module: &str) -> Option<Source> {
        None
    }
}

/// The folder of the standard library, embedded.
static FOLDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/std");

/// The standard library: names of modules with their texts, by name. A new file of `src/std` is in it.
pub static STD: LazyLock<Vec<(String, &'static str)>> = LazyLock::new(|| {
    let module = |file: &'static File<'static>| {
        let name = file.path().file_stem()?.to_str()?;
        Some((format!("std.{name}"), file.contents_utf8()?))
    };
    let mut all: Vec<_> = FOLDER.files().filter_map(module).collect();
    all.sort();
    all
});
