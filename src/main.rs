//! The `ntmc` command.

fn main() {}
