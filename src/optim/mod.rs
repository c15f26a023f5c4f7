//! Optimisation: Adam and AdamW with clipping of the gradient's norm, and learning-rate schedules.

mod adam;
mod schedule;

pub use adam::{Adam, AdamConfig, EpsConvention};
pub use schedule::{Decay, Schedule};
