//! Tensors: the only data the running side moves between rooms.

/// Numbers in row-major order, always `f64` between rooms; a backend rounds to its precision.
pub type Tensor = ndarray::ArrayD<f64>;
