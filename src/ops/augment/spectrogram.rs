//! Augmentation of log-mels `[1, N, frames, bands]`.

use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::ops::{elem, split_rows, u};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static BLUR: Kernel = kernel!("augment/blur.wgsl");
static EQUALISE: Kernel = kernel!("augment/equalise.wgsl");
static MASK: Kernel = kernel!("augment/mask.wgsl");
static MIXUP: Kernel = kernel!("augment/mixup.wgsl");
static PATCHES: Kernel = kernel!("augment/patches.wgsl");
static RESIZE_CROP: Kernel = kernel!("augment/resize_crop.wgsl");

const WG: usize = 64;

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
    by_itself(&RESIZE_CROP, x, "resize_crop", key, 9)
}

/// Another timbre: a random curve over the bands, up to 12 dB up or down, on a log-mel that has yet to be scaled.
///
/// # Panics
/// When x has other than four axes.
#[track_caller]
pub fn equalise(x: &Tensor, key: u32) -> Tensor {
    by_itself(&EQUALISE, x, "equalise", key, 6)
}

/// Three rectangles of up to 32 frames by 24 bands set to 0: cutout.
///
/// # Panics
/// When x has other than four axes.
#[track_caller]
pub fn patches(x: &Tensor, key: u32) -> Tensor {
    by_itself(&PATCHES, x, "patches", key, 0)
}

/// Out of focus: a Gaussian of 0.3 to 1.5 points over frames and bands.
///
/// # Panics
/// When x has other than four axes.
#[track_caller]
pub fn blur(x: &Tensor, key: u32) -> Tensor {
    by_itself(&BLUR, x, "blur", key, 49 * 6)
}

/// A kernel that looks at a log-mel at a time.
#[track_caller]
fn by_itself(kernel: &'static Kernel, x: &Tensor, name: &'static str, key: u32, flops: u64) -> Tensor {
    let [_, _, frames, bands] = x.dims4();
    let spec = [("FRAMES", u(frames).into()), ("BANDS", u(bands).into())];
    augment(x, name, key, |x, y, key, _| {
        let grid = [groups(frames * bands, WG), u(x.shape()[0]), 1];
        x.gpu().run(kernel, &spec, &key, &[x, y], grid, flops * x.len() as u64);
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
