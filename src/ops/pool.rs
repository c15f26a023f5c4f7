//! Global pooling of feature maps to one vector a sample.

use super::{split_rows, u};
use crate::gpu::{Gpu, Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static POOL: Kernel = kernel!("pool.wgsl");
static POOL_DX: Kernel = kernel!("pool_dx.wgsl");

const WG: usize = 64;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Planes {
    planes: u32,
    size: u32,
}

/// `y[c][n]` is the largest of the plane `x[c][n]`; x: `[C][N][H][W]`, y: `[C][N]`.
///
/// Backward: the gradient goes to the largest element, the first of them where several are equal. Keeps its position.
#[track_caller]
pub fn max_pool(cx: &Ctx, x: &Var) -> Var {
    pool(cx, x, true)
}

/// `y[c][n]` is the mean of the plane `x[c][n]`; x: `[C][N][H][W]`, y: `[C][N]`.
///
/// Backward: every element gets dy / (H W). Keeps nothing.
#[track_caller]
pub fn mean_pool(cx: &Ctx, x: &Var) -> Var {
    pool(cx, x, false)
}

#[track_caller]
fn pool(cx: &Ctx, x: &Var, max: bool) -> Var {
    let [channels, samples, height, width] = x.value.dims4();
    let size = height * width;
    let y = Tensor::empty(cx.gpu, "pool", &[channels, samples]);
    // The mean has no winner; a row of it stands in for the binding.
    let winner = Tensor::empty(cx.gpu, "pool winner", &[if max { channels } else { 1 }, samples]);
    let winner_rows = move |w: &Tensor, start, count| if max { w.rows(start, count) } else { w.clone() };
    let run = move |gpu: &Gpu, kernel, tensors: &[&Tensor], planes: usize, invocations: usize| {
        let params = Planes { planes: u(planes), size: u(size) };
        let grid = [groups(invocations, WG), 1, 1];
        gpu.run(kernel, &[("MAX", max.into())], &params, tensors, grid, (planes * size) as u64);
    };
    for (start, count) in split_rows(cx.gpu, channels, samples * size) {
        let bound = [&x.value.rows(start, count), &y.rows(start, count), &winner_rows(&winner, start, count)];
        run(cx.gpu, &POOL, &bound, count * samples, count * samples);
    }
    let (x, saved) = (x.clone(), winner.clone());
    let shape = x.value.shape().to_vec();
    cx.record("pool", y, &[&saved], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "pool dx", &shape);
        for (start, count) in split_rows(dy.gpu(), channels, samples * size) {
            let bound = [&dy.rows(start, count), &winner_rows(&winner, start, count), &dx.rows(start, count)];
            run(dy.gpu(), &POOL_DX, &bound, count * samples, count * samples * size);
        }
        grads.add(&x, dx);
    })
}
