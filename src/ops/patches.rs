//! A log-mel in small rectangles.

use super::u;
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static PATCHES: Kernel = kernel!("patches.wgsl");

const WG: usize = 64;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    patches: u32,
    patches_a_segment: u32,
    frames: u32,
    bands: u32,
    patch_frames: u32,
    patch_bands: u32,
}

/// Patches `[patch_frames · patch_bands, N · T]` of log-mels x `[1, N, frames, bands]`, a column each: those of a segment
/// side by side in the order of time, those of one time from low to high bands. No gradient.
///
/// # Panics
/// When frames or bands are no whole number of patches.
#[track_caller]
pub fn patches(x: &Tensor, [patch_frames, patch_bands]: [usize; 2]) -> Tensor {
    let [_, n, frames, bands] = x.dims4();
    assert!(
        frames.is_multiple_of(patch_frames) && bands.is_multiple_of(patch_bands),
        "patches of {patch_frames} x {patch_bands} of {:?}",
        x.shape()
    );
    let a_segment = frames / patch_frames * (bands / patch_bands);
    let y = Tensor::empty(x.gpu(), "patches", &[patch_frames * patch_bands, n * a_segment]);
    let params = Params {
        patches: u(n * a_segment),
        patches_a_segment: u(a_segment),
        frames: u(frames),
        bands: u(bands),
        patch_frames: u(patch_frames),
        patch_bands: u(patch_bands),
    };
    let grid = [groups(n * a_segment, WG), u(patch_frames * patch_bands), 1];
    x.gpu().run(&PATCHES, &[], &params, &[x, &y], grid, 0);
    y
}
