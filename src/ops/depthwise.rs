//! Depthwise convolution with TensorFlow's "SAME" padding, and the one-channel stem that shares its kernels.
//!
//! `y[c,n,i,j] = Σ w[c,u,v] x[c,n, i s + u - p, j s + v - p']` with zeros outside. Ho = ceil(H / s); of the padding that
//! needs, the smaller half comes before: for even sizes and stride 2 a 3x3 filter has 0 before and 1 after, a 5x5 one
//! 1 and 2. Backward: dx gathers the outputs that each x went into; dw sums over all planes in two stages, in a fixed
//! order. Both read x or dy straight, so x is all that is kept.

use super::batch_norm::{BatchNorm, gradient_means, input_gradient, means_of_parts, statistics};
use super::matmul::sum_parts;
use super::{out, split_rows, stored, u, words};
use crate::gpu::{Gpu, Kernel, Tier, Value, groups};
use crate::kernel;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::{Storage, Tensor};
use bytemuck::{Pod, Zeroable};

static PLAIN: Kernel = kernel!("depthwise.wgsl");
static PLAIN_DX: Kernel = kernel!("depthwise_dx.wgsl");
static PLAIN_DW: Kernel = kernel!("depthwise_dw.wgsl");
static PLANE: Kernel = kernel!("depthwise_plane.wgsl");
static PLANE_DW: Kernel = kernel!("depthwise_plane_dw.wgsl");
static STRIP: Kernel = kernel!("depthwise_strip.wgsl");
static STRIP_BACKWARD: Kernel = kernel!("depthwise_strip_backward.wgsl");
static STRIP_DX: Kernel = kernel!("depthwise_strip_dx.wgsl");
static STRIP_DW: Kernel = kernel!("depthwise_strip_dw.wgsl");

/// Output size and padding before, for TF "SAME": ceil(n / stride) outputs.
///
/// ```
/// // three outputs, two apart, of three taps each see seven places; the one that six lack is added behind
/// assert_eq!(cola::ops::depthwise::same_padding(6, 3, 2), (3, 0));
/// ```
pub fn same_padding(n: usize, k: usize, stride: usize) -> (usize, usize) {
    let out = n.div_ceil(stride);
    let total = ((out - 1) * stride + k).saturating_sub(n);
    (out, total / 2)
}

/// One filter a channel: x `[C, N, H, W]`, w `[C, 1, K, K]` → `[C, N, ceil(H / stride), ceil(W / stride)]`.
/// Backward keeps x.
#[track_caller]
pub fn depthwise(cx: &Ctx, x: &Var, w: &Param, stride: usize) -> Var {
    let channels = x.value.dims4()[0];
    assert_eq!(w.value.shape()[0], channels, "{}: filters {:?}, input {:?}", w.name, w.value.shape(), x.value.shape());
    convolve(cx, "depthwise", x, w, stride, Storage::F32)
}

/// y = depthwise(swish(batch_norm(x))), whose activation is never stored: each kernel applies it to the raw x on load.
///
/// x `[C, N, H, W]`, w `[C, 1, K, K]` → `[C, N, ceil(H / stride), ceil(W / stride)]`. Backward keeps x and 16 bytes a
/// channel; the gradient with respect to the activation turns into dx in place. y is stored as x is; see [`packs`] for
/// what can be in 16 bits.
#[track_caller]
pub fn norm_depthwise(cx: &Ctx, x: &Var, bn: &BatchNorm, w: &Param, stride: usize) -> Var {
    let g = Geometry::of(x.value.dims4(), w.value.shape(), stride);
    assert_eq!(g.x_channel, 1, "{}: filters {:?}, input {:?}", w.name, w.value.shape(), x.value.shape());
    let fits = x.value.storage() == Storage::F32 || packs(x.value.dims4(), g.k, stride);
    assert!(fits, "{}: x of {:?} cannot be taken in 16 bits", w.name, x.value.shape());
    let stats = statistics(cx, &x.value, bn);
    let y = Tensor::empty_in(cx.gpu, "norm_depthwise", &[g.channels, g.planes, g.ho, g.wo], x.value.storage());
    g.forward(&x.value, Some(&stats), &w.value, &y);
    let (x, bn, w, training) = (x.clone(), bn.clone(), w.clone(), cx.training);
    let saved = [x.value.clone(), stats.clone()];
    cx.record("norm_depthwise", y, &[&saved[0], &saved[1]], move |dy, grads| {
        // da, or dz where one kernel goes all the way
        let d = Tensor::empty(dy.gpu(), "norm_depthwise dx", x.value.shape());
        let through_swish = g.strips() && stride == 1;
        let means = if through_swish {
            let sums = g.backward(&x.value, &stats, &dy, &w, &d);
            means_of_parts(&sums, &bn, x.value.len() / g.channels, training)
        } else {
            g.filter_gradient(&x.value, Some(&stats), &dy, &w.grad);
            g.input_gradient(&dy, &w.value, &d);
            gradient_means(&x.value, &d, &stats, &bn, true, training)
        };
        drop(dy);
        if x.needs_grad() {
            grads.add(&x, input_gradient(&x.value, d, &stats, &means, !through_swish));
        }
    })
}

/// Whether [`norm_depthwise`] of x `[C, N, H, W]` takes and gives its maps in 16 bits: the fast kernels do, where rows
/// are a multiple of four elements and planes of two.
pub fn packs([c, n, h, w]: [usize; 4], k: usize, stride: usize) -> bool {
    let g = Geometry::of([c, n, h, w], &[c, 1, k, k], stride);
    let whole = |h: usize, w: usize| (n * h * w).is_multiple_of(4) && (h * w).is_multiple_of(2);
    (g.strips() || g.small()) && whole(h, w) && whole(g.ho, g.wo)
}

/// A network's first layer: x `[1, N, H, W]`, w `[C, 1, K, K]` → `[C, N, ceil(H / stride), ceil(W / stride)]`.
///
/// With one input channel it is a depthwise convolution whose channels all read the same plane. No gradient goes to x,
/// which is data. y can be stored in 16 bits where Wo is a multiple of 4. Backward keeps x.
#[track_caller]
pub fn conv_stem(cx: &Ctx, x: &Var, w: &Param, stride: usize, storage: Storage) -> Var {
    assert_eq!(x.value.dims4()[0], 1, "{}: the stem takes one input channel, not {:?}", w.name, x.value.shape());
    assert!(!x.needs_grad(), "{}: the stem gives no gradient to its input", w.name);
    convolve(cx, "conv_stem", x, w, stride, storage)
}

#[track_caller]
fn convolve(cx: &Ctx, name: &'static str, x: &Var, w: &Param, stride: usize, storage: Storage) -> Var {
    let g = Geometry::of(x.value.dims4(), w.value.shape(), stride);
    assert!(
        storage == Storage::F32 || g.strips(),
        "{}: y of {:?} cannot be stored in 16 bits",
        w.name,
        x.value.shape()
    );
    let y = Tensor::empty_in(cx.gpu, name, &[g.channels, g.planes, g.ho, g.wo], storage);
    g.forward(&x.value, None, &w.value, &y);
    let (x, w, saved) = (x.clone(), w.clone(), x.value.clone());
    cx.record(name, y, &[&saved], move |dy, grads| {
        g.filter_gradient(&x.value, None, &dy, &w.grad);
        if x.needs_grad() {
            let dx = Tensor::empty(dy.gpu(), "depthwise dx", x.value.shape());
            g.input_gradient(&dy, &w.value, &dx);
            grads.add(&x, dx);
        }
    })
}

#[derive(Clone, Copy)]
struct Geometry {
    channels: usize,
    /// 1 where each channel has planes of its own, 0 where all read the same.
    x_channel: usize,
    planes: usize,
    h: usize,
    w: usize,
    ho: usize,
    wo: usize,
    k: usize,
    stride: usize,
    pad_y: usize,
    pad_x: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct PlainParams {
    planes: u32,
    h: u32,
    w: u32,
    ho: u32,
    wo: u32,
    pad_y: u32,
    pad_x: u32,
    x_channel: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct StripParams {
    planes: u32,
    h: u32,
    w: u32,
    ho: u32,
    wo: u32,
    pad_y: u32,
    x_channel: u32,
}

impl Geometry {
    #[track_caller]
    fn of([x_channels, planes, h, w]: [usize; 4], filter: &[usize], stride: usize) -> Geometry {
        let &[channels, 1, k, k2] = filter else { panic!("filters [C, 1, K, K] wanted, not {filter:?}") };
        assert_eq!(k, k2, "square filters wanted");
        let ((ho, pad_y), (wo, pad_x)) = (same_padding(h, k, stride), same_padding(w, k, stride));
        let x_channel = usize::from(x_channels == channels);
        Geometry { channels, x_channel, planes, h, w, ho, wo, k, stride, pad_y, pad_x }
    }

    /// Whether four neighbouring outputs of a row always lie over an aligned stretch of x.
    fn strips(&self) -> bool {
        self.wo.is_multiple_of(4) && self.w == self.wo * self.stride && self.k >= self.stride
    }

    /// Whether a whole plane fits the registers of a lane, each channel having its own.
    fn small(&self) -> bool {
        self.h * self.w <= 24 && self.x_channel == 1
    }

    fn flops(&self, channels: usize) -> u64 {
        2 * (channels * self.planes * self.ho * self.wo * self.k * self.k) as u64
    }

    /// Ranges of channels that fit a binding.
    fn ranges(&self, gpu: &Gpu) -> Vec<(usize, usize)> {
        // an x that all channels share is bound whole
        let x_plane = self.x_channel * self.h * self.w;
        split_rows(gpu, self.channels, self.planes * x_plane.max(self.ho * self.wo))
    }

    fn x_rows(&self, x: &Tensor, c: usize, n: usize) -> Tensor {
        if self.x_channel == 1 { x.rows(c, n) } else { x.clone() }
    }

    /// The filters of a range of channels. Ranges start where 4 bytes a row are aligned, and so are these.
    fn filters(&self, w: &Tensor, c: usize, n: usize) -> Tensor {
        w.slice(c * self.k * self.k, &[n, self.k, self.k])
    }

    fn plain(&self) -> PlainParams {
        PlainParams {
            planes: u(self.planes),
            h: u(self.h),
            w: u(self.w),
            ho: u(self.ho),
            wo: u(self.wo),
            pad_y: u(self.pad_y),
            pad_x: u(self.pad_x),
            x_channel: u(self.x_channel),
        }
    }

    fn strip(&self, pad_y: usize) -> StripParams {
        StripParams {
            planes: u(self.planes),
            h: u(self.h),
            w: u(self.w),
            ho: u(self.ho),
            wo: u(self.wo),
            pad_y: u(pad_y),
            x_channel: u(self.x_channel),
        }
    }

    /// The constants of the plane kernels.
    fn plane_spec(&self, gpu: &Gpu) -> Vec<(&'static str, Value)> {
        let mut spec = self.spec(gpu).to_vec();
        let sizes = [
            ("PAD_Y", self.pad_y),
            ("PAD_X", self.pad_x),
            ("H", self.h),
            ("W", self.w),
            ("HO", self.ho),
            ("WO", self.wo),
        ];
        spec.extend(sizes.map(|(name, n)| (name, u(n).into())));
        spec
    }

    /// How the plane kernels take the elements of `map`: in pairs where planes have an even number.
    fn plane_words(&self, map: &Tensor) -> Option<(&'static str, Value)> {
        let pairs = (self.h * self.w).is_multiple_of(2) && (self.ho * self.wo).is_multiple_of(2);
        words(map).or(pairs.then_some(("lib/words.wgsl", Value::Name("lib/words_f32x2.wgsl"))))
    }

    fn spec(&self, gpu: &Gpu) -> [(&'static str, Value); 3] {
        [("K", u(self.k).into()), ("STRIDE", u(self.stride).into()), ("WG", u(workgroup(gpu)).into())]
    }

    /// The specialisation of a strip kernel whose rows are cut into so many strips: where eight lanes hold whole rows, and
    /// a load costs more than a shuffle, they hand each other the columns at their edges.
    fn halo(gpu: &Gpu, strips: usize) -> Option<(&'static str, Value)> {
        let shuffles = gpu.caps().tier == Tier::Cpu && 8usize.is_multiple_of(strips);
        shuffles.then_some(("lib/halo.wgsl", Value::Name("lib/halo_shuffle.wgsl")))
    }

    /// The statistics of a range of channels, and whether the kernels are to use them; without, something has to be
    /// bound all the same.
    fn norm(gpu: &Gpu, stats: Option<&Tensor>, c: usize, n: usize) -> (Tensor, (&'static str, Value)) {
        let bound = stats.map_or_else(|| Tensor::empty(gpu, "no statistics", &[4]), |s| s.slice(c * 4, &[n, 4]));
        (bound, ("ACTIVATE", stats.is_some().into()))
    }

    fn forward(&self, x: &Tensor, stats: Option<&Tensor>, w: &Tensor, y: &Tensor) {
        let gpu = y.gpu();
        for (c, n) in self.ranges(gpu) {
            let (x, w, y) = (self.x_rows(x, c, n), self.filters(w, c, n), y.rows(c, n));
            let (stats, activate) = Geometry::norm(gpu, stats, c, n);
            if self.strips() {
                let mut spec = self.spec(gpu).to_vec();
                spec.extend([("PAD_X", u(self.pad_x).into()), activate]);
                spec.extend(stored(&x, 4).into_iter().chain(words(&x)).chain(out(&y)));
                spec.extend(Geometry::halo(gpu, self.wo / 4));
                let grid = [groups(self.planes * self.wo / 4, workgroup(gpu)), u(n), 1];
                gpu.run(&STRIP, &spec, &self.strip(self.pad_y), &[&x, &x, &w, &stats, &y], grid, self.flops(n));
            } else if self.small() {
                let grid = [groups(self.planes, workgroup(gpu)), u(n), 1];
                let mut spec = self.plane_spec(gpu);
                spec.push(activate);
                spec.extend(self.plane_words(&y));
                gpu.run(&PLANE, &spec, &u(self.planes), &[&x, &w, &stats, &y], grid, self.flops(n));
            } else {
                let mut spec = self.spec(gpu).to_vec();
                spec.push(activate);
                let grid = [groups(self.planes * self.ho * self.wo, workgroup(gpu)), u(n), 1];
                gpu.run(&PLAIN, &spec, &self.plain(), &[&x, &w, &stats, &y], grid, self.flops(n));
            }
        }
    }

    fn input_gradient(&self, dy: &Tensor, w: &Tensor, dx: &Tensor) {
        let gpu = dy.gpu();
        for (c, n) in self.ranges(gpu) {
            let (dy, w, dx) = (dy.rows(c, n), self.filters(w, c, n), dx.rows(c, n));
            let (stats, _) = Geometry::norm(gpu, None, c, n);
            if self.strips() && self.stride == 1 {
                // the same convolution with the filter turned round and the other half of the padding
                let mut spec = self.spec(gpu).to_vec();
                spec.extend([("PAD_X", u(self.k - 1 - self.pad_x).into()), ("FLIP", true.into())]);
                spec.extend(Geometry::halo(gpu, self.w / 4));
                let grid = [groups(self.planes * self.w / 4, workgroup(gpu)), u(n), 1];
                let params = self.strip(self.k - 1 - self.pad_y);
                gpu.run(&STRIP, &spec, &params, &[&dy, &dy, &w, &stats, &dx], grid, self.flops(n));
            } else if self.strips() && self.h == 2 * self.ho && self.stride == 2 && self.k <= 5 {
                let mut spec = vec![
                    ("K", u(self.k).into()),
                    ("PAD_Y", u(self.pad_y).into()),
                    ("PAD_X", u(self.pad_x).into()),
                    ("WG", u(workgroup(gpu)).into()),
                ];
                spec.extend(Geometry::halo(gpu, self.wo / 2));
                let grid = [groups(self.planes * self.wo / 2, workgroup(gpu)), u(n), 1];
                let params = [u(self.planes), u(self.ho), u(self.wo)];
                gpu.run(&STRIP_DX, &spec, &params, &[&dy, &dy, &w, &dx], grid, self.flops(n));
            } else if self.small() {
                let mut spec = self.plane_spec(gpu);
                spec.push(("DX", true.into()));
                spec.extend(self.plane_words(&dx));
                let grid = [groups(self.planes, workgroup(gpu)), u(n), 1];
                gpu.run(&PLANE, &spec, &u(self.planes), &[&dy, &w, &stats, &dx], grid, self.flops(n));
            } else {
                let grid = [groups(self.planes * self.h * self.w, workgroup(gpu)), u(n), 1];
                gpu.run(&PLAIN_DX, &self.spec(gpu), &self.plain(), &[&dy, &w, &dx], grid, self.flops(n));
            }
        }
    }

    /// Workgroups a channel of the kernels that sum over planes, which hold `work` strips, planes or outputs a channel:
    /// as many lanes as keep the device busy, but enough work for each to be worth its K² sums.
    fn shares(&self, gpu: &Gpu, work: usize) -> usize {
        let lanes = match gpu.caps().tier {
            Tier::Portable => 65_536,
            Tier::Cpu => 4_096,
        };
        (lanes / self.channels).clamp(1, work.div_ceil(4)).div_ceil(workgroup(gpu))
    }

    /// For strips of stride 1: dz in place of the gradient with respect to the activation, and the parts `[C, S, 2]` of
    /// Σ dz and Σ dz x̂; adds to the gradient of the filters.
    fn backward(&self, x: &Tensor, stats: &Tensor, dy: &Tensor, w: &Param, dz: &Tensor) -> Tensor {
        let gpu = dy.gpu();
        let (wg, reduce) = (workgroup(gpu), gpu.caps().tier == Tier::Portable);
        let shares = self.shares(gpu, self.planes * self.w / 4);
        let sums = Tensor::empty(gpu, "norm_depthwise sums", &[self.channels, shares * if reduce { 1 } else { wg }, 2]);
        for (c, n) in self.ranges(gpu) {
            let part = Tensor::empty(gpu, "depthwise dw parts", &[shares * wg, n * self.k * self.k]);
            let [x, dy, dz, sums] = [x, dy, dz, &sums].map(|t| t.rows(c, n));
            let (filters, stats) = (self.filters(&w.value, c, n), stats.slice(c * 4, &[n, 4]));
            let mut spec = stored(&x, 4);
            spec.extend([
                ("K", u(self.k).into()),
                ("PAD_X", u(self.k - 1 - self.pad_x).into()),
                ("WG", u(wg).into()),
                ("REDUCE", reduce.into()),
            ]);
            spec.extend(Geometry::halo(gpu, self.w / 4));
            let params = [u(self.planes), u(self.h), u(self.w), u(self.k - 1 - self.pad_y), u(n)];
            let tensors = [&x, &dy, &dy, &filters, &stats, &dz, &part, &sums];
            gpu.run(&STRIP_BACKWARD, &spec, &params, &tensors, [u(shares), u(n), 1], 2 * self.flops(n));
            sum_parts(&part, &self.filters(&w.grad, c, n), true);
        }
        sums
    }

    fn filter_gradient(&self, x: &Tensor, stats: Option<&Tensor>, dy: &Tensor, dw: &Tensor) {
        let gpu = dy.gpu();
        let wg = workgroup(gpu);
        let work = match () {
            () if self.strips() => self.planes * self.wo / 4,
            () if self.small() => self.planes,
            () => self.planes * self.ho * self.wo,
        };
        let per_channel = self.shares(gpu, work);
        for (c, n) in self.ranges(gpu) {
            let (x, dy) = (self.x_rows(x, c, n), dy.rows(c, n));
            let (stats, activate) = Geometry::norm(gpu, stats, c, n);
            let part = Tensor::empty(gpu, "depthwise dw parts", &[per_channel * wg, n * self.k * self.k]);
            let grid = [u(per_channel), u(n), 1];
            if self.strips() {
                let mut spec = self.spec(gpu).to_vec();
                spec.extend([("PAD_X", u(self.pad_x).into()), activate]);
                spec.extend(stored(&x, 4).into_iter().chain(words(&x)));
                spec.extend(Geometry::halo(gpu, self.wo / 4));
                let s = self.strip(self.pad_y);
                let params = [s.planes, s.h, s.w, s.ho, s.wo, s.pad_y, s.x_channel, u(n)];
                gpu.run(&STRIP_DW, &spec, &params, &[&x, &x, &dy, &stats, &part], grid, self.flops(n));
            } else if self.small() {
                let params = [u(self.planes), u(n)];
                let mut spec = self.plane_spec(gpu);
                spec.push(activate);
                spec.extend(self.plane_words(&x));
                gpu.run(&PLANE_DW, &spec, &params, &[&x, &dy, &stats, &part], grid, self.flops(n));
            } else {
                let s = self.plain();
                let params = [s.planes, s.h, s.w, s.ho, s.wo, s.pad_y, s.pad_x, s.x_channel, u(n)];
                let mut spec = self.spec(gpu).to_vec();
                spec.push(activate);
                gpu.run(&PLAIN_DW, &spec, &params, &[&x, &dy, &stats, &part], grid, self.flops(n));
            }
            sum_parts(&part, &self.filters(dw, c, n), true);
        }
    }
}

fn workgroup(gpu: &Gpu) -> usize {
    match gpu.caps().tier {
        Tier::Portable => 64,
        Tier::Cpu => 8,
    }
}
