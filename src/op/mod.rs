//! What a node may compute: scalar functions (a table) and whole-axis primitives (an allow-list).
//!
//! A new scalar function is one row of [`scalar::rows`]. A new opaque primitive is a design change,
//! since an opaque can hide a mechanism: write its reason here. `Argsort` and `TopK` are opaque
//! because no finite set of sums and recurrences says "in order of value".

pub mod interval;
pub mod opaque;
pub mod scalar;
pub mod single;

pub use interval::Interval;
pub use opaque::Opaque;
pub use scalar::Scalar;
