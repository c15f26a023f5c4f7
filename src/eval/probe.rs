//! The linear probe: one linear layer on frozen features, trained on the GPU with the engine's own tape. It is the
//! frozen mode of [`transfer`](super::transfer) in short.

use super::embed::Vectors;
use super::metrics::Confusion;
use super::transfer::{FitConfig, Task, frozen};
use crate::gpu::Gpu;

/// Trains on the clips of the training split and counts what becomes of those of the test split.
///
/// `vectors` are of the task's clips. `on_epoch` is told how many are done.
///
/// # Panics
/// When a clip has no label, or the training split has no vector.
pub fn probe(gpu: &Gpu, vectors: &Vectors, task: &Task, config: &FitConfig, on_epoch: impl FnMut(usize)) -> Confusion {
    frozen::fit(gpu, vectors, task, config, on_epoch).test.confusion(task)
}
