//! Scaling of the input: by mean and standard deviation measured on the data, or by any other two numbers.

use super::{elem, split_rows, u};
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static STANDARDISE: Kernel = kernel!("standardise.wgsl");
static MOMENTS: Kernel = kernel!("moments.wgsl");

const WG: usize = 64;
/// Elements a workgroup sums.
const CHUNK: usize = 8192;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Scale {
    n: u32,
    mean: f32,
    scale: f32,
}

/// (x - mean) / std, any shape. Mean 0 and std 255 is the scaling that COLA's public code applies.
///
/// # Panics
/// When `std` is not above 0.
#[track_caller]
pub fn standardise(x: &Tensor, mean: f32, std: f32) -> Tensor {
    assert!(std > 0.0, "a standard deviation of {std} cannot divide");
    let y = Tensor::empty(x.gpu(), "standardise", x.shape());
    for (first, len) in split_rows(x.gpu(), x.len(), 1) {
        let (x, y) = (x.slice(first, &[len]), y.slice(first, &[len]));
        let (width, elem) = elem(len);
        let n = len / width;
        let params = Scale { n: u(n), mean, scale: 1.0 / std };
        x.gpu().run(&STANDARDISE, &[elem], &params, &[&x, &y], [groups(n, WG), 1, 1], 2 * len as u64);
    }
    y
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct About {
    n: u32,
    shift: f32,
}

/// Mean and standard deviation over many tensors, without a read-back in between.
///
/// The device sums chunks, about a shift so that the f32 squares keep their digits; the host adds these sums in f64, in
/// the order they came: the same data give the same bits.
pub struct Moments {
    shift: f32,
    count: u64,
    sums: Vec<Tensor>,
}

impl Moments {
    /// `shift` is a guess of the mean; one that is off by a few standard deviations costs nothing.
    pub fn about(shift: f32) -> Moments {
        Moments { shift, count: 0, sums: Vec::new() }
    }

    /// Takes in every element of `x`.
    pub fn add(&mut self, x: &Tensor) {
        if x.is_empty() {
            return;
        }
        for (first, len) in split_rows(x.gpu(), x.len(), 1) {
            let chunks = len.div_ceil(CHUNK);
            let sums = Tensor::empty(x.gpu(), "moments", &[chunks, 2]);
            let params = About { n: u(len), shift: self.shift };
            let tensors = [&x.slice(first, &[len]), &sums];
            x.gpu().run(&MOMENTS, &[], &params, &tensors, [groups(chunks, 1), 1, 1], 4 * len as u64);
            self.sums.push(sums);
        }
        self.count += x.len() as u64;
    }

    /// Mean and (population) standard deviation of everything added. Waits for the device.
    ///
    /// # Panics
    /// When nothing was added.
    #[track_caller]
    pub fn mean_std(&self) -> (f32, f32) {
        assert!(self.count > 0, "mean of no elements");
        let (mut first, mut second) = (0.0, 0.0);
        for sums in &self.sums {
            for pair in sums.read::<f32>().chunks_exact(2) {
                first += f64::from(pair[0]);
                second += f64::from(pair[1]);
            }
        }
        let n = self.count as f64;
        let offset = first / n;
        let variance = (second / n - offset * offset).max(0.0);
        ((f64::from(self.shift) + offset) as f32, variance.sqrt() as f32)
    }
}
