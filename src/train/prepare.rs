//! What comes before the first step: kernels are tuned to its shapes and compiled on all cores, with a bar.

use super::config::TrainConfig;
use super::learner;
use super::progress::bar;
use crate::frontend::InputNorm;
use crate::gpu::{Gpu, Tuned};
use indicatif::ProgressBar;
use std::time::{Duration, Instant};

/// What was done, and how long it took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prepared {
    /// Shapes that were timed, if the device may be tuned.
    pub tuned: Tuned,
    /// Time for that.
    pub tuning: Duration,
    /// Kernels that were compiled afterwards.
    pub compiled: usize,
    /// Time for that.
    pub compiling: Duration,
}

/// Prepares the device for `step`, which is followed on another one that computes nothing.
pub fn prepare(gpu: &Gpu, step: &dyn Fn(&Gpu)) -> Prepared {
    let start = Instant::now();
    let tuning_bar = bar("tuning kernels", 0);
    let tuned = gpu.tune(step, &mut |done, total| show(&tuning_bar, done, total));
    tuning_bar.finish_and_clear();
    let tuning = start.elapsed();
    let compiling_bar = bar("compiling kernels", 0);
    let compiled = gpu.compile_ahead(step, &mut |done, total| show(&compiling_bar, done, total));
    compiling_bar.finish_and_clear();
    Prepared { tuned, tuning, compiled, compiling: start.elapsed() - tuning }
}

/// Prepares the device for the steps of a run.
pub fn for_training(gpu: &Gpu, config: &TrainConfig) -> Prepared {
    let step = |dry: &Gpu| {
        let mut learner = learner::start(dry, config, InputNorm::PAPER, u64::MAX);
        // Never touched, so never really taken.
        let samples = vec![0.0; 2 * config.batch * config.segment_samples()];
        learner.train_step(&samples, true).wait();
    };
    prepare(gpu, &step)
}

fn show(bar: &ProgressBar, done: usize, total: usize) {
    bar.set_length(total as u64);
    bar.set_position(done as u64);
}
