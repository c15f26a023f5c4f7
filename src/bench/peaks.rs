//! What a device can do at most, measured: the yardstick for every kernel.

use crate::gpu::{Gpu, Kernel, KernelTime, groups};
use crate::kernel;
use crate::ops::elementwise::axpby;
use crate::ops::matmul::linear;
use crate::ops::u;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};
use std::time::Instant;

static FMA_PEAK: Kernel = kernel!("fma_peak.wgsl");

const WG: usize = 64;
/// Multiply-adds of an invocation of `fma_peak` in a round: four vec4, four times.
const FMAS_A_ROUND: u64 = 64;
/// A measurement lasts at least this long, so that what a submission costs does not count,
const ONE_MS: f64 = 5.0;
/// and the fastest of those that fit into this time counts: on a shared machine most are disturbed.
const ALL_MS: f64 = 300.0;

/// The two limits of every kernel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peaks {
    /// Reads and writes together, of a copy.
    pub bandwidth_gb_per_s: f64,
    /// f32 multiply-adds in registers, each counted as two operations.
    pub fma_gflop_per_s: f64,
}

impl Peaks {
    /// Measures both; takes a second or two.
    pub fn measure(gpu: &Gpu) -> Peaks {
        Peaks { bandwidth_gb_per_s: copy_gb_per_s(gpu), fma_gflop_per_s: fma_gflop_per_s(gpu) }
    }

    /// The higher of each. On a shared machine two measurements apart see more than one.
    pub fn or_higher(self, other: Peaks) -> Peaks {
        Peaks {
            bandwidth_gb_per_s: self.bandwidth_gb_per_s.max(other.bandwidth_gb_per_s),
            fma_gflop_per_s: self.fma_gflop_per_s.max(other.fma_gflop_per_s),
        }
    }

    // ANCHOR: floor
    /// The time below which a dispatch that moves these bytes and does this arithmetic cannot fall, in ms.
    pub fn floor_ms(&self, bytes: u64, flops: u64) -> f64 {
        (bytes as f64 / self.bandwidth_gb_per_s).max(flops as f64 / self.fma_gflop_per_s) * 1e-6
    }
    // ANCHOR_END: floor

    /// The same for all dispatches of a kernel.
    pub fn floor_of_kernel_ms(&self, kernel: &KernelTime) -> f64 {
        kernel.dispatches.iter().map(|d| self.floor_ms(d.bytes, d.flops)).sum()
    }
}

/// Seconds that one call of `work` takes, at best. The first one, which compiles, does not count.
pub(super) fn seconds_of(gpu: &Gpu, work: impl Fn()) -> f64 {
    let run = |calls: u32| {
        let start = Instant::now();
        (0..calls).for_each(|_| work());
        gpu.wait();
        start.elapsed().as_secs_f64()
    };
    run(1);
    let (mut calls, mut fastest) = (1, f64::INFINITY);
    let start = Instant::now();
    while start.elapsed().as_secs_f64() * 1e3 < ALL_MS {
        let seconds = run(calls);
        fastest = fastest.min(seconds / f64::from(calls));
        calls *= if seconds * 1e3 < ONE_MS { 2 } else { 1 };
    }
    fastest
}

/// Reads and writes together, in GB/s: the better of the driver's own copy and a kernel's.
pub fn copy_gb_per_s(gpu: &Gpu) -> f64 {
    let budget_bytes = gpu.memory_limit_bytes().unwrap_or(u64::MAX);
    let len = (gpu.caps().max_binding_bytes.min(256 << 20).min(budget_bytes / 4) / 4) as usize;
    let (from, to) = (Tensor::zeros(gpu, "copy from", &[len]), Tensor::zeros(gpu, "copy to", &[len]));
    let seconds = seconds_of(gpu, || to.copy_from(&from)).min(seconds_of(gpu, || axpby(1.0, &from, 0.0, &to)));
    2.0 * from.size_bytes() as f64 / seconds * 1e-9
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Rounds {
    n: u32,
    rounds: u32,
    scale: f32,
    shift: f32,
}

/// Runs `rounds` rounds of multiply-adds for every element of y.
pub fn multiply_add(y: &Tensor, rounds: usize, [scale, shift]: [f32; 2]) {
    let params = Rounds { n: u(y.len()), rounds: u(rounds), scale, shift };
    let flops = 2 * FMAS_A_ROUND * (rounds * y.len()) as u64;
    y.gpu().run(&FMA_PEAK, &[], &params, &[y], [groups(y.len(), WG), 1, 1], flops);
}

/// f32 multiply-adds in registers, in GFLOP/s, each counted as two.
pub fn fma_gflop_per_s(gpu: &Gpu) -> f64 {
    const ROUNDS: usize = 256;
    let y = Tensor::zeros(gpu, "sums", &[if gpu.caps().is_cpu { 1 << 13 } else { 1 << 20 }]);
    // the values go towards 1, and so never through subnormal ones, which are slow
    let seconds = seconds_of(gpu, || multiply_add(&y, ROUNDS, [0.5, 0.5]));
    2.0 * (FMAS_A_ROUND * (ROUNDS * y.len()) as u64) as f64 / seconds * 1e-9
}

/// GFLOP/s of a product of square matrices.
pub fn product_gflop_per_s(gpu: &Gpu) -> f64 {
    let side = if gpu.caps().is_cpu { 512 } else { 2048 };
    let zeros = || Tensor::zeros(gpu, "matrix", &[side, side]);
    let weight = Param { name: "matrix".into(), value: zeros(), grad: zeros() };
    let x = Var::constant(zeros());
    let seconds = seconds_of(gpu, || drop(linear(&Ctx::inference(gpu), &weight, &x)));
    2.0 * (side as f64).powi(3) / seconds * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Work;

    #[test]
    fn the_slower_of_the_two_limits_is_the_floor_of_each_dispatch() {
        let peaks = Peaks { bandwidth_gb_per_s: 10.0, fma_gflop_per_s: 100.0 };
        let dispatches = vec![Work { bytes: 20_000_000, flops: 1 }, Work { bytes: 1, flops: 300_000_000 }];
        let kernel = KernelTime { dispatches, ..KernelTime::default() };
        assert!((peaks.floor_of_kernel_ms(&kernel) - 5.0).abs() < 1e-9);
    }
}
