//! Pooling of feature maps: to half their size, or to one vector a sample, over the whole plane or over time alone.

use super::{elem, split_rows, u};
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;

static MAX: Kernel = kernel!("max_pool.wgsl");
static MAX_DX: Kernel = kernel!("max_pool_dx.wgsl");
static MAX_2X2: Kernel = kernel!("max_pool_2x2.wgsl");
static MAX_2X2_DX: Kernel = kernel!("max_pool_2x2_dx.wgsl");
static MEAN: Kernel = kernel!("mean_pool.wgsl");
static MEAN_DX: Kernel = kernel!("mean_pool_dx.wgsl");
static TIME: Kernel = kernel!("pool_time.wgsl");
static TIME_DX: Kernel = kernel!("pool_time_dx.wgsl");
static TIME_STATISTICS: Kernel = kernel!("time_statistics.wgsl");

const WG: usize = 64;

/// `y[c][n]` = the largest of the plane `x[c][n]`; x: `[C, N, H, W]`, y: `[C, N]`.
///
/// Backward: the gradient goes to the largest element, the first of them where several are equal. Keeps its position.
#[track_caller]
pub fn max_pool(cx: &Ctx, x: &Var) -> Var {
    let [c, n, h, w] = x.value.dims4();
    let y = Tensor::empty(cx.gpu, "max_pool", &[c, n]);
    let winner = Tensor::empty(cx.gpu, "max_pool winner", &[c, n]);
    for (start, rows) in split_rows(cx.gpu, c, n * h * w) {
        let tensors = [&x.value, &y, &winner].map(|t| t.rows(start, rows));
        let params = [u(rows * n), u(h * w)];
        let grid = [groups(rows * n, WG), 1, 1];
        cx.gpu.run(&MAX, &[], &params, &tensors.each_ref(), grid, (rows * n * h * w) as u64);
    }
    let (x, saved) = (x.clone(), winner.clone());
    let shape = x.value.shape().to_vec();
    cx.record("max_pool", y, &[&saved], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "max_pool dx", &shape);
        for (start, rows) in split_rows(dy.gpu(), c, n * h * w) {
            let tensors = [&dy, &winner, &dx].map(|t| t.rows(start, rows));
            let params = [u(rows * n), u(h * w)];
            dy.gpu().run(&MAX_DX, &[], &params, &tensors.each_ref(), [groups(rows * n, WG), 1, 1], 0);
        }
        grads.add(&x, dx);
    })
}

/// The largest of every two by two elements; x: `[C, N, H, W]`, y: `[C, N, H / 2, W / 2]`.
///
/// Backward: as [`max_pool`].
///
/// # Panics
/// When H or W is odd.
#[track_caller]
pub fn max_pool_2x2(cx: &Ctx, x: &Var) -> Var {
    let [c, n, h, w] = x.value.dims4();
    assert!(h.is_multiple_of(2) && w.is_multiple_of(2), "pairs of rows and columns wanted, not {:?}", x.value.shape());
    let half = [c, n, h / 2, w / 2];
    let y = Tensor::empty(cx.gpu, "max_pool_2x2", &half);
    let winner = Tensor::empty(cx.gpu, "max_pool_2x2 winner", &half);
    let spec = [("WO", u(w / 2).into())];
    let outputs = n * h * w / 4;
    for (start, rows) in split_rows(cx.gpu, c, n * h * w) {
        let tensors = [&x.value, &y, &winner].map(|t| t.rows(start, rows));
        let grid = [groups(rows * outputs, WG), 1, 1];
        cx.gpu.run(&MAX_2X2, &spec, &u(rows * outputs), &tensors.each_ref(), grid, (4 * rows * outputs) as u64);
    }
    let (x, saved) = (x.clone(), winner.clone());
    cx.record("max_pool_2x2", y, &[&saved], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "max_pool_2x2 dx", x.value.shape());
        for (start, rows) in split_rows(dy.gpu(), c, n * h * w) {
            let tensors = [&dy, &winner, &dx].map(|t| t.rows(start, rows));
            let grid = [groups(rows * outputs, WG), 1, 1];
            dy.gpu().run(&MAX_2X2_DX, &spec, &u(rows * outputs), &tensors.each_ref(), grid, 0);
        }
        grads.add(&x, dx);
    })
}

/// `y[c][n]` = the mean of the plane `x[c][n]`; x: `[C, N, H, W]`, y: `[C, N]`.
///
/// Backward: every element gets dy / (H W). Keeps nothing.
#[track_caller]
pub fn mean_pool(cx: &Ctx, x: &Var) -> Var {
    let [c, n, h, w] = x.value.dims4();
    let y = Tensor::empty(cx.gpu, "mean_pool", &[c, n]);
    let (width, elem) = elem(h * w);
    let plane = h * w / width;
    for (start, rows) in split_rows(cx.gpu, c, n * h * w) {
        let tensors = [&x.value, &y].map(|t| t.rows(start, rows));
        let spec = [elem, ("WIDTH", u(width).into())];
        let params = [u(rows * n), u(plane)];
        let grid = [groups(rows * n, WG), 1, 1];
        cx.gpu.run(&MEAN, &spec, &params, &tensors.each_ref(), grid, (rows * n * h * w) as u64);
    }
    let x = x.clone();
    let shape = x.value.shape().to_vec();
    cx.record("mean_pool", y, &[], move |dy, grads| {
        // in a squeeze-excite block the gradient through the gate is there already: add to it in this kernel
        let sum = grads.take_sum(&x);
        let spec = [elem, ("WIDTH", u(width).into()), ("PLANE", u(plane).into()), ("ADD", sum.is_some().into())];
        let dx = sum.unwrap_or_else(|| Tensor::empty(dy.gpu(), "mean_pool dx", &shape));
        for (start, rows) in split_rows(dy.gpu(), c, n * h * w) {
            let tensors = [&dy, &dx].map(|t| t.rows(start, rows));
            let len = rows * n * plane;
            let grid = [groups(len, WG), 1, 1];
            dy.gpu().run(&MEAN_DX, &spec, &u(len), &tensors.each_ref(), grid, (len * width) as u64);
        }
        grads.add(&x, dx);
    })
}

/// Mean over time of every channel and frequency, then the maximum of each; x: `[C, N, H, W]` with time as height,
/// y: `[2 C W, N]`.
///
/// Backward: every element gets its share of the mean's gradient, and the largest that of the maximum, the first of them
/// where several are equal. Keeps x, of which nothing is kept where it needs no gradient.
#[track_caller]
pub fn pool_time(cx: &Ctx, x: &Var) -> Var {
    let y = over_time(&x.value, &TIME, 2, 2);
    if !x.needs_grad() {
        return Var::constant(y);
    }
    let [c, n, h, w] = x.value.dims4();
    let (x, saved) = (x.clone(), x.value.clone());
    cx.record("pool_time", y, &[&saved], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "pool_time dx", x.value.shape());
        for (start, rows) in split_rows(dy.gpu(), c, n * h * w) {
            let some = Tensor::empty(dy.gpu(), "over time", &[2 * rows * w, n]);
            for part in 0..2 {
                some.rows(part * rows * w, rows * w).copy_from(&dy.rows((part * c + start) * w, rows * w));
            }
            let params = [u(rows), u(n), u(h), u(w)];
            let grid = [groups(rows * n * w, WG), 1, 1];
            dy.gpu().run(&TIME_DX, &[], &params, &[&x.value.rows(start, rows), &some, &dx.rows(start, rows)], grid, 0);
        }
        grads.add(&x, dx);
    })
}

/// Over time, of every channel and frequency: the mean, then the standard deviation, then that of the step from one frame
/// to the next; x: `[C, N, H, W]` with time as height, y: `[3 C W, N]`. Without a gradient: it is for the input of a network.
#[track_caller]
pub fn time_statistics(x: &Tensor) -> Tensor {
    over_time(x, &TIME_STATISTICS, 3, 8)
}

/// `kernel` makes `parts` numbers of every channel and frequency, in `flops` operations an element.
#[track_caller]
fn over_time(x: &Tensor, kernel: &'static Kernel, parts: usize, flops: usize) -> Tensor {
    let [c, n, h, w] = x.dims4();
    let y = Tensor::empty(x.gpu(), "over time", &[parts * c * w, n]);
    for (start, rows) in split_rows(x.gpu(), c, n * h * w) {
        let some = Tensor::empty(x.gpu(), "over time", &[parts * rows * w, n]);
        let params = [u(rows), u(n), u(h), u(w)];
        let grid = [groups(rows * n * w, WG), 1, 1];
        x.gpu().run(kernel, &[], &params, &[&x.rows(start, rows), &some], grid, (flops * rows * n * h * w) as u64);
        for part in 0..parts {
            let from = some.slice(part * rows * w * n, &[rows * w, n]);
            y.slice((part * c + start) * w * n, &[rows * w, n]).copy_from(&from);
        }
    }
    y
}
