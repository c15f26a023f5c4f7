//! The second half of an inverted bottleneck as one op: batch norm, swish, squeeze-excite (Hu et al. 2018) and the
//! projecting 1x1 convolution, of which only the raw input is kept.
//!
//! ```text
//! z = BN(x)   a = swish(z)   q = mean of a over the plane   g = excite(q)   s = a sigmoid(g)   y = W s
//! ```
//!
//! Backward, with σ = sigmoid(g), a' = swish'(z), x̂ the normalised x: dW = dy sᵀ and ds = Wᵀ dy, with s made again from
//! x. The gate's gradient is σ'(g) Σ ds a over each plane; it goes through `excite` and comes back as dq. Then
//! dz = (ds σ + dq / HW) a', and the two sums that batch norm's dx needs, Σ dz and Σ dz x̂, follow for each plane from
//! Σ ds a', Σ ds a' x̂, Σ a' and Σ a' x̂, which are taken in the same pass as Σ ds a, before dq is known. So x and ds are
//! read twice, and dx replaces ds in place.

use super::batch_norm::{BatchNorm, statistics};
use super::matmul::{Left, outer_product, product};
use super::{split_rows, stored, streaming, u};
use crate::gpu::{Gpu, Kernel, Tier, Value, groups};
use crate::kernel;
use crate::tape::{Ctx, Param, Tape, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static SQUEEZE: Kernel = kernel!("se_squeeze.wgsl");
static GATE: Kernel = kernel!("se_gate.wgsl");
static DX_SUMS: Kernel = kernel!("se_dx_sums.wgsl");
static DX_STATS: Kernel = kernel!("se_dx_stats.wgsl");
static DX: Kernel = kernel!("se_dx.wgsl");

/// y `[out, N, H, W]` of x `[C, N, H, W]`, w `[out, C]`; y is stored as [`Ctx::raw_storage`] says.
///
/// `excite` turns q `[C, N]` into g `[C, N]`; it may use any op, on the tape that its context holds. Backward keeps x
/// and what `excite` keeps, a few numbers a channel and sample.
#[track_caller]
pub fn squeeze_excite_project(
    cx: &Ctx,
    x: &Var,
    bn: &BatchNorm,
    excite: impl FnOnce(&Ctx, &Var) -> Var,
    w: &Param,
) -> Var {
    let [c, n, h, wd] = x.value.dims4();
    let map = Map { channels: c, planes: n, plane: h * wd };
    let stats = statistics(cx, &x.value, bn);
    let q = Tensor::empty(cx.gpu, "squeeze", &[c, n]);
    map.squeeze(&x.value, &stats, &q);

    // a tape of its own, for the way through `excite` and back stands in the middle of this op's
    let inner = Tape::new();
    let g = match cx.tape {
        Some(_) => excite(&Ctx { tape: Some(&inner), ..*cx }, &inner.leaf(q)),
        None => excite(cx, &Var::constant(q)),
    };
    assert_eq!(g.value.shape(), [c, n], "gate {:?} for {:?}", g.value.shape(), x.value.shape());
    let storage = cx.raw_storage(n * h * wd);
    let y = Tensor::empty_in(cx.gpu, "squeeze_excite_project", &[w.value.shape()[0], n, h, wd], storage);
    let s = Tensor::empty(cx.gpu, "gated activation", x.value.shape());
    map.gate(&x.value, &stats, &g.value, &s);
    product(Left::Plain, &w.value, &s, &y, false);

    let (x, bn, w, training) = (x.clone(), bn.clone(), w.clone(), cx.training);
    let saved = [x.value.clone(), stats.clone(), g.value.clone()];
    cx.record("squeeze_excite_project", y, &saved.each_ref(), move |dy, grads| {
        let [ds, s] = ["squeeze_excite_project dx", "gated activation"]
            .map(|name| Tensor::empty(dy.gpu(), name, x.value.shape()));
        product(Left::Transposed, &w.value, &dy, &ds, false);
        let (dg, sums) = map.gradient_sums(&x.value, &ds, &stats, &g.value, &s);
        outer_product(&dy, &s, &w.grad, true);
        drop((dy, s));
        let dq = inner.backward(&g, dg).remove(0);
        let means = map.gradient_means(&sums, &g.value, &dq, &bn, training);
        if x.needs_grad() {
            map.input_gradient(&x.value, &ds, &stats, &means, &g.value, &dq);
            grads.add(&x, ds);
        }
    })
}

/// The sizes of a feature map `[C, N, H, W]`, as its kernels take them.
#[derive(Clone, Copy)]
struct Map {
    channels: usize,
    planes: usize,
    /// Elements of a plane.
    plane: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct DxStatsParams {
    channels: u32,
    planes: u32,
    plane: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct DxParams {
    row: u32,
    planes: u32,
    inverse_plane: f32,
}

/// A workgroup of the kernels that give a lane a plane.
fn plane_lanes(gpu: &Gpu) -> usize {
    if gpu.caps().tier == Tier::Cpu { 8 } else { 64 }
}

/// Whether lanes walk along planes of their own: a CPU adapter loads and stores each lane by itself anyway, and what
/// belongs to a plane is then loaded once.
fn by_plane(gpu: &Gpu) -> bool {
    gpu.caps().tier == Tier::Cpu
}

impl Map {
    fn ranges(&self, gpu: &Gpu) -> Vec<(usize, usize)> {
        split_rows(gpu, self.channels, self.planes * self.plane)
    }

    /// How many elements of a plane the kernels take at a time, and what else specialises all of them.
    fn spec(&self, x: &Tensor) -> (usize, Vec<(&'static str, Value)>) {
        let width = [4, 2, 1].into_iter().find(|&width| self.plane.is_multiple_of(width)).unwrap_or(1);
        (width, stored(x, width))
    }

    /// The same for kernels that sum over a plane.
    fn sums_spec(&self, x: &Tensor) -> (usize, Vec<(&'static str, Value)>) {
        let (width, mut spec) = self.spec(x);
        spec.push(("WG", u(plane_lanes(x.gpu())).into()));
        spec.push(("WIDTH", u(width).into()));
        if width > 1 {
            spec.push(("lib/total.wgsl", Value::Name("lib/total_of_vector.wgsl")));
        }
        (width, spec)
    }

    /// The same for kernels that go over all elements, and the workgroups that a channel takes: along the channel, or on
    /// CPU adapters a lane along a plane, or several where they are small.
    fn elements_spec(&self, x: &Tensor) -> (usize, Vec<(&'static str, Value)>, u32) {
        let ((width, mut spec), (wg, mut each)) = (self.spec(x), streaming(x.gpu()));
        let (plane, by_plane) = (self.plane / width, by_plane(x.gpu()));
        if by_plane {
            each = (each / plane).max(1);
        }
        let work = if by_plane { self.planes } else { self.planes * plane };
        spec.extend([("WG", u(wg).into()), ("EACH", u(each).into())]);
        spec.extend([("PLANE", u(plane).into()), ("BY_PLANE", by_plane.into())]);
        (width, spec, groups(work, wg * each))
    }

    /// `[C, 4]` of a range of channels.
    fn stats(stats: &Tensor, c: usize, n: usize) -> Tensor {
        stats.slice(c * 4, &[n, 4])
    }

    fn squeeze(&self, x: &Tensor, stats: &Tensor, q: &Tensor) {
        let gpu = x.gpu();
        let (width, spec) = self.sums_spec(x);
        for (c, n) in self.ranges(gpu) {
            let tensors = [&x.rows(c, n), &Map::stats(stats, c, n), &q.rows(c, n)];
            let params = [u(self.planes), u(self.plane / width)];
            let grid = [groups(self.planes, plane_lanes(gpu)), u(n), 1];
            gpu.run(&SQUEEZE, &spec, &params, &tensors, grid, 7 * (n * self.planes * self.plane) as u64);
        }
    }

    /// s: the activation times its gate.
    fn gate(&self, x: &Tensor, stats: &Tensor, g: &Tensor, s: &Tensor) {
        let gpu = x.gpu();
        let (width, spec, groups) = self.elements_spec(x);
        let row = self.planes * self.plane / width;
        for (c, n) in self.ranges(gpu) {
            let tensors = [&x.rows(c, n), &Map::stats(stats, c, n), &g.rows(c, n), &s.rows(c, n)];
            gpu.run(
                &GATE,
                &spec,
                &[u(row), u(self.planes)],
                &tensors,
                [groups, u(n), 1],
                10 * (n * row * width) as u64,
            );
        }
    }

    /// dg `[C, N]`, and the four sums of each plane `[C, N, 4]`; makes s again.
    fn gradient_sums(&self, x: &Tensor, ds: &Tensor, stats: &Tensor, g: &Tensor, s: &Tensor) -> (Tensor, Tensor) {
        if !by_plane(x.gpu()) {
            self.gate(x, stats, g, s);
        }
        let gpu = x.gpu();
        let dg = Tensor::empty(gpu, "gate dg", g.shape());
        let sums = Tensor::empty(gpu, "gate sums", &[self.channels, self.planes, 4]);
        let (width, mut spec) = self.sums_spec(x);
        spec.push(("GATE", by_plane(gpu).into()));
        for (c, n) in self.ranges(gpu) {
            let (x, ds, stats, g) = (x.rows(c, n), ds.rows(c, n), Map::stats(stats, c, n), g.rows(c, n));
            let tensors = [&x, &ds, &stats, &g, &dg.rows(c, n), &sums.rows(c, n), &s.rows(c, n)];
            let params = [u(self.planes), u(self.plane / width)];
            let grid = [groups(self.planes, plane_lanes(gpu)), u(n), 1];
            gpu.run(&DX_SUMS, &spec, &params, &tensors, grid, 20 * (n * self.planes * self.plane) as u64);
        }
        (dg, sums)
    }

    /// Adds to dγ and dβ; returns `[C, 2]`: mean(dz) and mean(dz x̂), zeros where running statistics were used.
    fn gradient_means(&self, sums: &Tensor, g: &Tensor, dq: &Tensor, bn: &BatchNorm, training: bool) -> Tensor {
        let gpu = sums.gpu();
        let means = Tensor::empty(gpu, "batch_norm gradient means", &[self.channels, 2]);
        for (c, n) in split_rows(gpu, self.channels, 4 * self.planes) {
            let (sums, g, dq) = (sums.rows(c, n), g.rows(c, n), dq.rows(c, n));
            let (dgamma, dbeta) = (bn.weight.grad.slice(c, &[n]), bn.bias.grad.slice(c, &[n]));
            let tensors = [&sums, &g, &dq, &dgamma, &dbeta, &means.rows(c, n)];
            let params = DxStatsParams { channels: u(n), planes: u(self.planes), plane: self.plane as f32 };
            let wg = plane_lanes(gpu);
            let spec = [("TRAINING", training.into()), ("WG", u(wg).into())];
            gpu.run(&DX_STATS, &spec, &params, &tensors, [groups(n, wg), 1, 1], 10 * sums.len() as u64);
        }
        means
    }

    /// Turns ds, in `d`, into dx.
    fn input_gradient(&self, x: &Tensor, d: &Tensor, stats: &Tensor, means: &Tensor, g: &Tensor, dq: &Tensor) {
        let gpu = x.gpu();
        let (width, spec, groups) = self.elements_spec(x);
        let row = self.planes * self.plane / width;
        let params = DxParams { row: u(row), planes: u(self.planes), inverse_plane: 1.0 / self.plane as f32 };
        for (c, n) in self.ranges(gpu) {
            let (x, stats, means) = (x.rows(c, n), Map::stats(stats, c, n), means.slice(c * 2, &[n, 2]));
            let tensors = [&x, &stats, &means, &g.rows(c, n), &dq.rows(c, n), &d.rows(c, n)];
            gpu.run(&DX, &spec, &params, &tensors, [groups, u(n), 1], 22 * (n * row * width) as u64);
        }
    }
}
