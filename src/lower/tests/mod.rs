//! Flat models, lowered, against the definition of a flat model and against loops.

mod examples;
mod flatly;
mod order;
mod reads;
mod support;
