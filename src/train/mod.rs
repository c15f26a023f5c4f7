//! Training: configuration, the loop, checkpoints, and what is recorded of a run.
//!
//! Read in this order: [`recipe`] (every setting; [`choices`] has those with names), [`config`] (where settings come from), [`step`] (one step; [`next_code`] for that method), [`trainer`] (the loop around it), [`checkpoint`].

pub mod atomic;
pub mod augment;
pub mod bytes;
pub mod checkpoint;
pub mod choices;
pub mod codes;
pub mod config;
pub mod environment;
mod error;
pub mod held_out;
pub mod learner;
pub mod memory;
pub mod metrics;
pub mod next_code;
pub mod prepare;
pub mod progress;
pub mod recipe;
mod records;
mod rules;
pub mod step;
pub mod sweep;
pub mod tensorboard;
pub mod trainer;

pub use error::TrainError;
