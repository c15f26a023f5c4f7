//! Fourier transforms of rows, real and complex. No gradients: they prepare data.

use super::{split_rows, u};
use crate::gpu::{Gpu, Kernel, Value, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};
use std::f64::consts::PI;

static FFT: Kernel = kernel!("fft.wgsl");

/// Points that one lane holds.
const POINTS_A_LANE: usize = 8;
/// Rows share a workgroup until it has this many lanes.
const MIN_LANES: usize = 64;

/// The complex transform inside a workgroup: what `lib/fft.wgsl` wants to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Complex points a row.
    pub points: usize,
    /// Rows a workgroup.
    pub rows: usize,
    /// Invocations a workgroup.
    pub lanes: usize,
}

impl Plan {
    /// Several short rows share a workgroup, for the sake of GPUs with wide subgroups.
    pub(crate) fn new(points: usize) -> Plan {
        let lanes_a_row = points / POINTS_A_LANE;
        let rows = (MIN_LANES / lanes_a_row).max(1);
        Plan { points, rows, lanes: rows * lanes_a_row }
    }

    /// The constants of `lib/fft.wgsl`.
    pub(crate) fn spec(&self) -> [(&'static str, Value); 3] {
        [("POINTS", u(self.points).into()), ("ROWS", u(self.rows).into()), ("WG", u(self.lanes).into())]
    }

    fn workgroup_bytes(&self) -> usize {
        self.points * self.rows * size_of::<[f32; 2]>()
    }

    /// exp(-pi i t / points), t = 0 ..= points: the twiddles of the transform, and those that split a real one.
    /// From f64, because WGSL's own sine may be wrong in the fourth place.
    pub(crate) fn twiddles(&self, gpu: &Gpu) -> Tensor {
        let table: Vec<[f32; 2]> = (0..=self.points)
            .map(|t| {
                let angle = PI * t as f64 / self.points as f64;
                [angle.cos() as f32, -angle.sin() as f32]
            })
            .collect();
        Tensor::from_slice(gpu, &[self.points + 1, 2], bytemuck::cast_slice::<_, f32>(&table))
    }
}

/// Panics on a length that no transform is made for.
#[track_caller]
pub(crate) fn check_length(n: usize) {
    assert!(n.is_power_of_two() && (64..=4096).contains(&n), "FFT length {n}: a power of two from 64 to 4096");
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
}

/// Transforms of one length, with their table on the device. Conventions are numpy's: the forward transform is
/// unscaled, the inverse divides by n.
pub struct Fft {
    n: usize,
    real: bool,
    plan: Plan,
    twiddles: Tensor,
}

impl Fft {
    /// Complex rows of `n` points, a power of two from 64 to 2048; 4096 where the adapter has workgroups of 512
    /// with 32 KiB of memory (most have; the others stop at 2048).
    ///
    /// # Panics
    /// On another length.
    #[track_caller]
    pub fn complex(gpu: &Gpu, n: usize) -> Fft {
        Self::new(gpu, n, false)
    }

    /// Real rows of `n` values, a power of two from 64 to 4096.
    ///
    /// # Panics
    /// On another length.
    #[track_caller]
    pub fn real(gpu: &Gpu, n: usize) -> Fft {
        Self::new(gpu, n, true)
    }

    #[track_caller]
    fn new(gpu: &Gpu, n: usize, real: bool) -> Fft {
        check_length(n);
        let plan = Plan::new(if real { n / 2 } else { n });
        let caps = gpu.caps();
        assert!(
            plan.workgroup_bytes() <= caps.max_workgroup_bytes as usize && plan.lanes <= caps.max_invocations as usize,
            "a complex FFT of {n} needs workgroups of {} with {} bytes; this adapter's limits are {} and {}",
            plan.lanes,
            plan.workgroup_bytes(),
            caps.max_invocations,
            caps.max_workgroup_bytes
        );
        Fft { n, real, plan, twiddles: plan.twiddles(gpu) }
    }

    /// Complex `[rows, n, 2]` to `[rows, n, 2]`; real `[rows, n]` to `[rows, n / 2 + 1, 2]` (real and imaginary parts).
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.run(x, false)
    }

    /// The way back, to `[rows, n, 2]` or, of a real transform, `[rows, n]`. There the imaginary parts of the first
    /// and last entry count for nothing, as they are zero in the transform of real values.
    #[track_caller]
    pub fn inverse(&self, x: &Tensor) -> Tensor {
        self.run(x, true)
    }

    #[track_caller]
    fn run(&self, x: &Tensor, inverse: bool) -> Tensor {
        let rows = x.shape()[0];
        let values = if self.real { vec![rows, self.n] } else { vec![rows, self.n, 2] };
        let transform = if self.real { vec![rows, self.n / 2 + 1, 2] } else { vec![rows, self.n, 2] };
        let (from, to) = if inverse { (transform, values) } else { (values, transform) };
        assert_eq!(x.shape(), from, "shape for an FFT of {}", self.n);
        let y = Tensor::empty(x.gpu(), "fft", &to);
        let [points, in_group, lanes] = self.plan.spec();
        let spec = [points, in_group, lanes, ("REAL", self.real.into()), ("INVERSE", inverse.into())];
        for (first, count) in split_rows(x.gpu(), rows, 2 * (self.n + 1)) {
            let (x, y) = (x.rows(first, count), y.rows(first, count));
            let params = Params { rows: u(count) };
            let grid = [groups(count, self.plan.rows), 1, 1];
            x.gpu().run(&FFT, &spec, &params, &[&x, &self.twiddles, &y], grid, self.flops(count));
        }
        y
    }

    /// The customary count, 5 n log2 n a complex row and half of it a real one.
    fn flops(&self, rows: usize) -> u64 {
        let complex = 5 * self.n as u64 * u64::from(self.n.ilog2()) * rows as u64;
        if self.real { complex / 2 } else { complex }
    }
}
