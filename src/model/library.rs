//! Where definitions come from: the text of std, and a trait for modules beside a spec.

use crate::source::Source;

/// Finds the text of a module that is not in std: `use lrua` asks for `lrua`.
pub trait Library {
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

/// The standard library, by module name. A new file is one line here.
pub const STD: &[(&str, &str)] = &[
    ("std.address", include_str!("../std/address.ntm")),
    ("std.dnc", include_str!("../std/dnc.ntm")),
    ("std.loss", include_str!("../std/loss.ntm")),
    ("std.memory", include_str!("../std/memory.ntm")),
    ("std.nn", include_str!("../std/nn.ntm")),
    ("std.optim", include_str!("../std/optim.ntm")),
];
