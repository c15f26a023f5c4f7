//! Augmentation of log-mels `[1, N, frames, bands]`. Everything random comes from a key, the number of the sample and a
//! counter, so a step can be computed again, on any device and in any order.

use super::{elem, split_rows, u};
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static MIXUP: Kernel = kernel!("augment/mixup.wgsl");
static RESIZE_CROP: Kernel = kernel!("augment/resize_crop.wgsl");
static MASK: Kernel = kernel!("augment/mask.wgsl");

const WG: usize = 64;

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

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Mix {
    samples: u32,
    key: u32,
    ratio: f32,
}

/// `y = ln((1 - r) exp(x) + r exp(x'))` with x' another sample and r uniform in `[0, ratio)`: log-mixup-exp of BYOL-A.
/// x are logarithms of magnitudes, before any scaling. A single sample stays as it is.
///
/// # Panics
/// When x has other than four axes, or more samples than a draw of 16 bits tells apart.
#[track_caller]
pub fn mixup(x: &Tensor, ratio: f32, key: u32) -> Tensor {
    let [_, samples, frames, bands] = x.dims4();
    assert!(samples <= 1 << 16, "{samples} samples are more than mixup can choose from");
    let (width, elem) = elem(frames * bands);
    let plane = frames * bands / width;
    let spec = [elem, ("PLANE", u(plane).into())];
    augment(x, "mixup", key, |x, y, key, _| {
        let samples = x.shape()[0];
        let params = Mix { samples: u(samples), key, ratio: if samples < 2 { 0.0 } else { ratio } };
        x.gpu().run(&MIXUP, &spec, &params, &[x, y], [groups(plane, WG), u(samples), 1], 6 * x.len() as u64);
    })
}

/// A random part of each log-mel, 0.6 to 1.5 times as long and as high, stretched to the size of the whole; 0, the mean
/// of a standardised input, where the part goes beyond. Random resize crop of BYOL-A, bilinear.
///
/// # Panics
/// When x has other than four axes.
#[track_caller]
pub fn resize_crop(x: &Tensor, key: u32) -> Tensor {
    let [_, _, frames, bands] = x.dims4();
    let spec = [("FRAMES", u(frames).into()), ("BANDS", u(bands).into())];
    augment(x, "resize_crop", key, |x, y, key, _| {
        let grid = [groups(frames * bands, WG), u(x.shape()[0]), 1];
        x.gpu().run(&RESIZE_CROP, &spec, &key, &[x, y], grid, 9 * x.len() as u64);
    })
}

/// Two stripes of up to ten frames and two of up to ten bands set to 0, in the samples from `first` on: SpecAugment.
///
/// # Panics
/// When x has other than four axes.
#[track_caller]
pub fn mask(x: &Tensor, first: usize, key: u32) -> Tensor {
    let [_, _, frames, bands] = x.dims4();
    let spec = [("FRAMES", u(frames).into()), ("BANDS", u(bands).into())];
    augment(x, "mask", key, |x, y, key, start| {
        let grid = [groups(frames * bands, WG), u(x.shape()[0]), 1];
        let params = [key, u(first.saturating_sub(start))];
        x.gpu().run(&MASK, &spec, &params, &[x, y], grid, 0);
    })
}

/// Runs a kernel on ranges of samples `[n, L]` that fit a binding, each with a key of its own and told where it starts.
fn augment(x: &Tensor, name: &'static str, key: u32, run: impl Fn(&Tensor, &Tensor, u32, usize)) -> Tensor {
    let [channels, samples, frames, bands] = x.dims4();
    assert_eq!(channels, 1, "{name}: log-mels have one channel");
    let y = Tensor::empty(x.gpu(), name, x.shape());
    for (start, count) in split_rows(x.gpu(), samples, frames * bands) {
        let range = |t: &Tensor| t.slice(start * frames * bands, &[count, frames * bands]);
        run(&range(x), &range(&y), key ^ u(start), start);
    }
    y
}
