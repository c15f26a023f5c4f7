//! Batch normalisation of `[C][N][H][W]`, with an optional swish behind it.
//!
//! z = γ (x - mean) / sqrt(var + eps) + β, statistics over N, H and W of a channel (biased variance); y = z or swish(z).
//! With x̂ the normalised x and dz the gradient at z: dβ = Σ dz, dγ = Σ dz x̂, and
//! dx = γ / std (dz - mean(dz) - x̂ mean(dz x̂)). Only x is kept: z and swish'(z) are computed again on the way back.
//! (Ioffe and Szegedy 2015; momentum and epsilon of Keras' EfficientNet: 0.99 there is 0.01 here, eps 1e-3.)

use super::{elem, split_rows, stored, streaming, u, words};
use crate::gpu::{Gpu, Kernel, Tier, groups};
use crate::kernel;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static SUMS: Kernel = kernel!("batch_norm_sums.wgsl");
static STATS: Kernel = kernel!("batch_norm_stats.wgsl");
static APPLY: Kernel = kernel!("batch_norm.wgsl");
static DX_SUMS: Kernel = kernel!("batch_norm_dx_sums.wgsl");
static DX_STATS: Kernel = kernel!("batch_norm_dx_stats.wgsl");
static DX: Kernel = kernel!("batch_norm_dx.wgsl");

/// Parameters and running statistics of one batch norm over C channels.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// γ `[C]`
    pub weight: Param,
    /// β `[C]`
    pub bias: Param,
    /// `[C]`, updated in training mode
    pub running_mean: Tensor,
    /// `[C]`, unbiased, updated in training mode
    pub running_var: Tensor,
    /// Added to the variance.
    pub eps: f32,
    /// Weight of the new batch in the running statistics (torch's convention).
    pub momentum: f32,
}

/// How a row of `[C, P]` is cut for a two-stage sum.
struct Cut {
    workgroup: usize,
    chunk: usize,
    chunks: usize,
    /// Parts a channel.
    parts: usize,
    reduce: bool,
}

impl Cut {
    /// `row` in elements of the kernel. Never depends on the number of cores, so that sums do not either.
    fn of(gpu: &Gpu, row: usize) -> Cut {
        let reduce = gpu.caps().tier == Tier::Portable;
        let workgroup = if reduce { 64 } else { 8 };
        let chunks = (row / (workgroup * 64)).clamp(1, 16);
        let chunk = row.div_ceil(chunks);
        Cut { workgroup, chunk, chunks, parts: if reduce { chunks } else { chunks * workgroup }, reduce }
    }

    fn params(&self, row: usize) -> Row3 {
        Row3 { row: u(row), chunk: u(self.chunk), parts: u(self.parts) }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Row3 {
    row: u32,
    chunk: u32,
    parts: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct StatsParams {
    channels: u32,
    parts: u32,
    row: u32,
    count: f32,
    eps: f32,
    momentum: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct DxStatsParams {
    channels: u32,
    parts: u32,
    count: f32,
}

const WG: usize = 64;

// ANCHOR: batch_norm
/// y = batch_norm(x), then swish if asked. Backward keeps x and 16 bytes a channel.
///
/// In training mode the batch's statistics are used and the running ones move; otherwise the running ones are used.
#[track_caller]
pub fn batch_norm(cx: &Ctx, x: &Var, bn: &BatchNorm, swish: bool) -> Var {
    let channels = x.value.shape()[0];
    assert_eq!(bn.weight.value.len(), channels, "{}: input {:?}", bn.weight.name, x.value.shape());
    let stats = statistics(cx, &x.value, bn);
    let y = Tensor::empty(cx.gpu, "batch_norm", x.value.shape());
    apply(&x.value, &stats, &y, swish);

    let (x, bn, training) = (x.clone(), bn.clone(), cx.training);
    let saved = [x.value.clone(), stats.clone()];
    cx.record("batch_norm", y, &[&saved[0], &saved[1]], move |dy, grads| {
        let means = gradient_means(&x.value, &dy, &stats, &bn, swish, training);
        if x.needs_grad() {
            grads.add(&x, input_gradient(&x.value, dy, &stats, &means, swish));
        }
    })
}
// ANCHOR_END: batch_norm

/// dx, in the memory of `dy` unless somebody else holds it.
pub(super) fn input_gradient(x: &Tensor, dy: Tensor, stats: &Tensor, means: &Tensor, swish: bool) -> Tensor {
    let (gpu, channels) = (x.gpu(), x.shape()[0]);
    let d = if dy.is_unique() { dy } else { dy.duplicate() };
    let row = x.len() / channels;
    let width = elem(row).0;
    let (wg, each) = streaming(gpu);
    for (c, n) in split_rows(gpu, channels, row) {
        let tensors = [&x.rows(c, n), &stats.slice(c * 4, &[n, 4]), &means.slice(c * 2, &[n, 2]), &d.rows(c, n)];
        let mut spec = stored(x, width);
        spec.extend([("SWISH", swish.into()), ("WG", u(wg).into()), ("EACH", u(each).into())]);
        let grid = [groups(row / width, wg * each), u(n), 1];
        gpu.run(&DX, &spec, &u(row / width), &tensors, grid, 15 * (n * row) as u64);
    }
    d
}

/// `[C, 4]`: scale, shift, mean and 1/std of each channel; in training mode the running statistics move.
pub(super) fn statistics(cx: &Ctx, x: &Tensor, bn: &BatchNorm) -> Tensor {
    let (gpu, channels) = (cx.gpu, x.shape()[0]);
    let row = x.len() / channels;
    let width = elem(row).0;
    let cut = Cut::of(gpu, row / width);
    let stats = Tensor::empty(gpu, "batch_norm statistics", &[channels, 4]);
    let part = Tensor::empty(gpu, "batch_norm parts", &[channels, cut.parts, 2]);
    for (c, n) in split_rows(gpu, channels, row) {
        let (x, part) = (x.rows(c, n), part.rows(c, n));
        if cx.training {
            let mut spec = stored(&x, width);
            spec.extend([("WIDTH", u(width).into()), ("WG", u(cut.workgroup).into()), ("REDUCE", cut.reduce.into())]);
            let grid = [u(cut.chunks), u(n), 1];
            gpu.run(&SUMS, &spec, &cut.params(row / width), &[&x, &part], grid, 3 * (n * row) as u64);
        }
        let params = StatsParams {
            channels: u(n),
            parts: u(cut.parts),
            row: u(row),
            count: row as f32,
            eps: bn.eps,
            momentum: bn.momentum,
        };
        let per_channel = |t: &Tensor| t.slice(c, &[n]);
        let tensors = [
            &x,
            &part,
            &per_channel(&bn.weight.value),
            &per_channel(&bn.bias.value),
            &per_channel(&bn.running_mean),
            &per_channel(&bn.running_var),
            &stats.rows(c, n),
        ];
        let grid = [groups(n, WG), 1, 1];
        let spec: Vec<_> = words(&x).into_iter().chain([("TRAINING", cx.training.into())]).collect();
        gpu.run(&STATS, &spec, &params, &tensors, grid, (n * cut.parts) as u64);
    }
    stats
}

fn apply(x: &Tensor, stats: &Tensor, y: &Tensor, swish: bool) {
    let (gpu, channels) = (x.gpu(), x.shape()[0]);
    let row = x.len() / channels;
    let width = elem(row).0;
    let (wg, each) = streaming(gpu);
    for (c, n) in split_rows(gpu, channels, row) {
        let tensors = [&x.rows(c, n), &stats.slice(c * 4, &[n, 4]), &y.rows(c, n)];
        let mut spec = stored(x, width);
        spec.extend([("SWISH", swish.into()), ("WG", u(wg).into()), ("EACH", u(each).into())]);
        let grid = [groups(row / width, wg * each), u(n), 1];
        gpu.run(&APPLY, &spec, &u(row / width), &tensors, grid, 6 * (n * row) as u64);
    }
}

/// Adds to dγ and dβ; returns `[C, 2]`: mean(dz) and mean(dz x̂), zeros where running statistics were used.
pub(super) fn gradient_means(
    x: &Tensor,
    dy: &Tensor,
    stats: &Tensor,
    bn: &BatchNorm,
    swish: bool,
    training: bool,
) -> Tensor {
    let (gpu, channels) = (x.gpu(), x.shape()[0]);
    let row = x.len() / channels;
    let width = elem(row).0;
    let cut = Cut::of(gpu, row / width);
    let part = Tensor::empty(gpu, "batch_norm gradient parts", &[channels, cut.parts, 2]);
    for (c, n) in split_rows(gpu, channels, row) {
        let mut spec = stored(x, width);
        spec.extend([
            ("WIDTH", u(width).into()),
            ("WG", u(cut.workgroup).into()),
            ("REDUCE", cut.reduce.into()),
            ("SWISH", swish.into()),
        ]);
        let tensors = [&x.rows(c, n), &dy.rows(c, n), &stats.slice(c * 4, &[n, 4]), &part.rows(c, n)];
        let grid = [u(cut.chunks), u(n), 1];
        gpu.run(&DX_SUMS, &spec, &cut.params(row / width), &tensors, grid, 13 * (n * row) as u64);
    }
    means_of_parts(&part, bn, row, training)
}

/// The same from parts `[C, S, 2]` of Σ dz and Σ dz x̂ over the `count` elements of a channel.
pub(super) fn means_of_parts(part: &Tensor, bn: &BatchNorm, count: usize, training: bool) -> Tensor {
    let &[channels, parts, 2] = part.shape() else { panic!("parts [C, S, 2] wanted, not {:?}", part.shape()) };
    let gpu = part.gpu();
    let means = Tensor::empty(gpu, "batch_norm gradient means", &[channels, 2]);
    let params = DxStatsParams { channels: u(channels), parts: u(parts), count: count as f32 };
    let tensors = [part, &bn.weight.grad, &bn.bias.grad, &means];
    let spec = [("TRAINING", training.into())];
    gpu.run(&DX_STATS, &spec, &params, &tensors, [groups(channels, WG), 1, 1], part.len() as u64);
    means
}
