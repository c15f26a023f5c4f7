//! Augmentation, of sounds and of their log-mels. Everything random comes from a key, the number of the sample and a
//! counter, so a step can be computed again, on any device and in any order.

mod spectrogram;
mod waveform;

pub use spectrogram::{blur, equalise, mask, mixup, patches, resize_crop};
pub use waveform::{gain, noise, pitch, resample, reverb, reverse, room, speed, stretch, stretch_by};

use super::{split_rows, u};
use crate::tensor::Tensor;

/// PCG's output hash, as `shaders/lib/random.wgsl` has it (Jarzynski and Olano 2020).
pub fn hash(x: u32) -> u32 {
    let state = x.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (word >> 22) ^ word
}

/// What the random numbers of one augmentation at one step hang on: `purpose` tells augmentations apart.
pub fn key(seed: u64, step: u64, purpose: u32) -> u32 {
    [seed as u32, (seed >> 32) as u32, step as u32, (step >> 32) as u32, purpose]
        .into_iter()
        .fold(0, |key, word| hash(key ^ hash(word)))
}

/// The random numbers of a sample, as `shaders/lib/random.wgsl` has them.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Of the augmentation and the step.
    pub key: u32,
    /// Number of the sample, or of whatever has draws of its own.
    pub sample: u32,
}

impl Draws {
    /// All 32 bits.
    pub fn bits(&self, counter: u32) -> u32 {
        hash(self.key ^ hash(self.sample.wrapping_mul(16).wrapping_add(counter)))
    }

    /// In `[0, 1)`, in steps of 2^-24.
    pub fn uniform(&self, counter: u32) -> f32 {
        (self.bits(counter) >> 8) as f32 / (1 << 24) as f32
    }

    /// One of 0 .. n - 1.
    pub fn below(&self, counter: u32, n: u32) -> u32 {
        ((self.bits(counter) >> 16) * n) >> 16
    }
}

/// Augments ranges of rows `[R, L]` of which every tensor in between, of at most `longest` elements a row, fits a binding;
/// each with a key of its own.
#[track_caller]
fn rows_that_fit(x: &Tensor, longest: usize, key: u32, run: impl Fn(&Tensor, u32) -> Tensor) -> Tensor {
    let ranges = split_rows(x.gpu(), x.dims2()[0], longest);
    if ranges.len() == 1 {
        return run(x, key);
    }
    let y = Tensor::empty(x.gpu(), "augmented", x.shape());
    for (start, count) in ranges {
        y.rows(start, count).copy_from(&run(&x.rows(start, count), key ^ u(start)));
    }
    y
}
