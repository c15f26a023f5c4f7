//! Why training ended early.

use super::atomic::WriteError;
use super::checkpoint::CheckpointError;
use super::metrics::MetricsError;
use crate::audio::AudioError;
use crate::gpu::GpuError;
use std::path::PathBuf;

/// One line: what happened, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A checkpoint that cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The step log.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A file that cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// Too little memory, or a limit of the adapter, with what would fit.
    #[error("{error}: {hint}")]
    TooLarge {
        /// Which tensor wanted how much.
        error: GpuError,
        /// The largest batch that fits.
        hint: String,
    },
    /// More memory than `--memory-budget` allows, seen before the start.
    #[error("a batch of {batch} takes {held} of device memory, more than the {limit} of --memory-budget: {hint}")]
    OverBudget {
        /// Pairs a step.
        batch: usize,
        /// What it would hold.
        held: String,
        /// What it may hold.
        limit: String,
        /// The largest batch that fits.
        hint: String,
    },
    /// Fewer patches than there are to be codes.
    #[error("{patches} patches of sound cannot make {codes} codes: give less for --codes, or more audio")]
    FewPatches {
        /// Found.
        patches: usize,
        /// Wanted.
        codes: usize,
    },
    /// Files came or went since the run began, so that its batches would be others.
    #[error(
        "{}: this run was made from {was}, now there are {now}; put the files back to go on, or start a new run",
        .run.display()
    )]
    DataChanged {
        /// Folder of the run.
        run: PathBuf,
        /// Clips and checksum at the start.
        was: String,
        /// Clips and checksum now.
        now: String,
    },
    /// A loss or a gradient that is NaN or infinite.
    #[error(
        "the loss or its gradient became NaN or infinite at step {step} (learning rate {lr:.1e}); the checkpoint of step \
         {saved} in {} is good and was kept; start again with a lower --lr, or with --clip 1", .run.display()
    )]
    NotFinite {
        /// Counted from 1.
        step: u64,
        /// Of that step.
        lr: f32,
        /// Step of the last checkpoint.
        saved: u64,
        /// Folder of the run.
        run: PathBuf,
    },
}
