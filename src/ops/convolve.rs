//! Convolution of signals with long responses, by transforms of blocks.

use super::fft::Fft;
use super::frames::Framing;
use super::u;
use crate::gpu::{Gpu, Kernel, Value, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static SPECTRAL_CONVOLVE: Kernel = kernel!("spectral_convolve.wgsl");

const WG: usize = 64;
/// Samples that a block adds; the transform spans two blocks.
const BLOCK: usize = 512;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    blocks: u32,
    parts: u32,
}

/// `y[r][t] = Σ_u≤t x[r][t - u] h[r][u]`, cut to the length of x: signals x `[R, samples]`, their responses h `[R, taps]`.
/// Overlap-save over blocks of 512 samples (Stockham 1966), the response in parts of a block each, so that any number of
/// taps is right. No gradient: it prepares data.
///
/// # Panics
/// When there are not as many responses as signals.
#[track_caller]
pub fn convolve(x: &Tensor, h: &Tensor) -> Tensor {
    let ([rows, samples], [responses, taps], gpu) = (x.dims2(), h.dims2(), x.gpu());
    assert_eq!(rows, responses, "responses for {rows} signals");
    let fft = Fft::real(gpu, 2 * BLOCK);
    let halves = |gpu: &Gpu, first: f32, second: f32, lead: usize| {
        Framing::new(gpu, &[[first; BLOCK], [second; BLOCK]].concat(), BLOCK, lead)
    };
    let blocks = samples.div_ceil(BLOCK);
    let parts = taps.div_ceil(BLOCK);
    // A block behind the one before it; a part in front of silence.
    let spectra = fft.forward(&halves(gpu, 1.0, 1.0, BLOCK).split(x, blocks));
    let responses = fft.forward(&halves(gpu, 1.0, 0.0, 0).split(h, parts));
    let y = Tensor::empty(gpu, "convolved spectra", spectra.shape());
    let bins = BLOCK + 1;
    let spec: [(&'static str, Value); 1] = [("BINS", u(bins).into())];
    let grid = [groups(bins, WG), u(blocks), u(rows)];
    let flops = 8 * (rows * bins * blocks * parts.min(blocks)) as u64;
    let params = Params { blocks: u(blocks), parts: u(parts) };
    gpu.run(&SPECTRAL_CONVOLVE, &spec, &params, &[&spectra, &responses, &y], grid, flops);
    // What has come round the transform stands in the first half.
    halves(gpu, 0.0, 1.0, BLOCK).join(&fft.inverse(&y), blocks, samples)
}
