//! Signals to overlapping frames and back: what stands before and behind a short-time transform.

use super::u;
use crate::gpu::{Gpu, Kernel, Value, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static FRAMES: Kernel = kernel!("frames.wgsl");
static OVERLAP_ADD: Kernel = kernel!("overlap_add.wgsl");

const WG: usize = 64;

/// A window over frames that lie `hop` apart, the first `lead` samples before the signal.
pub struct Framing {
    /// `[size]`
    window: Tensor,
    hop: usize,
    lead: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    samples: u32,
    frames: u32,
    hop: u32,
    lead: u32,
}

impl Framing {
    /// Frames as long as the window.
    ///
    /// # Panics
    /// When the window is no whole number of 64 samples, or the hop is 0.
    #[track_caller]
    pub fn new(gpu: &Gpu, window: &[f32], hop: usize, lead: usize) -> Framing {
        assert!(hop > 0 && !window.is_empty() && window.len().is_multiple_of(WG), "frames of {}", window.len());
        Framing { window: Tensor::from_slice(gpu, &[window.len()], window), hop, lead }
    }

    /// Frames that it takes until every sample of a signal lies under as many as it would in an endless one.
    pub fn count(&self, samples: usize) -> usize {
        (samples + self.lead).div_ceil(self.hop)
    }

    /// Signals `[R, samples]` to frames `[R · frames, size]`, each times the window; the signal is 0 beyond its ends.
    pub fn split(&self, x: &Tensor, frames: usize) -> Tensor {
        let ([rows, samples], size) = (x.dims2(), self.window.len());
        let y = Tensor::empty(x.gpu(), "frames", &[rows * frames, size]);
        let grid = [size / WG, frames, rows].map(u);
        self.run(&FRAMES, &[x, &self.window, &y], samples, frames, grid);
        y
    }

    /// Frames `[R · frames, size]`, each times the window, added up to signals `[R, samples]`.
    pub fn join(&self, x: &Tensor, frames: usize, samples: usize) -> Tensor {
        let [rows, size] = x.dims2();
        assert!(size == self.window.len() && rows.is_multiple_of(frames), "{:?} as rows of {frames}", x.shape());
        let y = Tensor::empty(x.gpu(), "overlap_add", &[rows / frames, samples]);
        let grid = [groups(samples, WG), u(rows / frames), 1];
        self.run(&OVERLAP_ADD, &[x, &self.window, &y], samples, frames, grid);
        y
    }

    fn run(&self, kernel: &'static Kernel, bound: &[&Tensor], samples: usize, frames: usize, grid: [u32; 3]) {
        let params = Params { samples: u(samples), frames: u(frames), hop: u(self.hop), lead: u(self.lead) };
        let spec: [(&'static str, Value); 1] = [("SIZE", u(self.window.len()).into())];
        let flops = bound[0].len().max(bound[2].len()) as u64;
        bound[0].gpu().run(kernel, &spec, &params, bound, grid, flops);
    }
}

/// Periodic Hann window: frames a quarter of its length apart add up to 2, their squares to 3/2.
pub fn hann(size: usize) -> Vec<f32> {
    let angle = |i: usize| 2.0 * std::f64::consts::PI * i as f64 / size as f64;
    (0..size).map(|i| (0.5 - 0.5 * angle(i).cos()) as f32).collect()
}
