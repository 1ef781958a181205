//! The laws of the formatter: formatting twice is formatting once, every comment stays, and the
//! tree does not change.

use crate::support::{check_format, specs_below};

#[test]
fn formatting_keeps_the_laws_on_every_file_we_have() {
    for folder in ["tests/ok", "specs", "src/std"] {
        for path in specs_below(folder) {
            check_format(&std::fs::read_to_string(path).unwrap());
        }
    }
}
