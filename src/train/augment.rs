//! From samples to what the encoder sees in training: the front end with the augmentations of the recipe.

use super::config::TrainConfig;
use crate::frontend::FrontEnd;
use crate::ops::augment::{key, mask, mixup, resize_crop};
use crate::tensor::Tensor;

/// Which augmentations, and the seed of what is random in them.
#[derive(Clone, Copy, Debug)]
pub struct Augment {
    mixup: f32,
    resize_crop: bool,
    mask: bool,
    seed: u64,
}

impl Augment {
    /// Those of the configuration.
    pub fn new(config: &TrainConfig) -> Augment {
        let TrainConfig { mixup, resize_crop, mask, seed, .. } = *config;
        Augment { mixup: mixup as f32, resize_crop, mask, seed }
    }

    /// Encoder input `[1, 2 n, frames, bands]` of samples `[2 n, samples]`, anchors first. The same for the same `draw`.
    pub fn features(&self, front_end: &FrontEnd, samples: &Tensor, draw: u64) -> Tensor {
        let mut x = front_end.log_mel(samples);
        if self.mixup > 0.0 {
            x = mixup(&x, self.mixup, key(self.seed, draw, 0));
        }
        x = front_end.scale(x);
        if self.resize_crop {
            x = resize_crop(&x, key(self.seed, draw, 1));
        }
        if self.mask {
            x = mask(&x, samples.shape()[0] / 2, key(self.seed, draw, 2));
        }
        x
    }
}
