//! Training: what is recorded of a run, and how its files stay whole.

pub mod atomic;
pub mod bytes;
pub mod checkpoint;
pub mod metrics;
pub mod progress;
pub mod tensorboard;
