//! Squeeze-excite's gate (Hu et al. 2018). The squeeze is [`pool::mean_pool`](super::pool), its two layers are
//! [`matmul::linear`](super::matmul::linear) with biases; here is the product with the sigmoid.

use super::{elem, split_rows, u};
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;

static GATE: Kernel = kernel!("gate.wgsl");
static GATE_DG: Kernel = kernel!("gate_dg.wgsl");

const WG: usize = 64;

/// y = x sigmoid(g), the gate of each plane: x `[C, N, H, W]`, g `[C, N]`.
///
/// dx = dy sigmoid(g); dg = sigmoid'(g) Σ_hw dy x. Backward keeps x and g.
#[track_caller]
pub fn gate(cx: &Ctx, x: &Var, g: &Var) -> Var {
    let [c, n, h, w] = x.value.dims4();
    assert_eq!(g.value.shape(), [c, n], "gate {:?} for {:?}", g.value.shape(), x.value.shape());
    let y = Tensor::empty(cx.gpu, "gate", x.value.shape());
    scale(&x.value, &g.value, &y);
    let (x, g) = (x.clone(), g.clone());
    let saved = [x.value.clone(), g.value.clone()];
    cx.record("gate", y, &[&saved[0], &saved[1]], move |dy, grads| {
        if g.needs_grad() {
            let dg = Tensor::empty(dy.gpu(), "gate dg", g.value.shape());
            let (width, elem) = elem(h * w);
            for (start, rows) in split_rows(dy.gpu(), c, n * h * w) {
                let tensors = [&x.value, &dy, &g.value, &dg].map(|t| t.rows(start, rows));
                let params = [u(rows * n), u(h * w / width)];
                let spec = [elem, ("WIDTH", u(width).into())];
                let grid = [groups(rows * n, WG), 1, 1];
                dy.gpu().run(&GATE_DG, &spec, &params, &tensors.each_ref(), grid, 2 * (rows * n * h * w) as u64);
            }
            grads.add(&g, dg);
        }
        if x.needs_grad() {
            let dx = Tensor::empty(dy.gpu(), "gate dx", dy.shape());
            scale(&dy, &g.value, &dx);
            grads.add(&x, dx);
        }
    })
}

fn scale(x: &Tensor, g: &Tensor, y: &Tensor) {
    let [c, n, h, w] = x.dims4();
    let (width, elem) = elem(h * w);
    for (start, rows) in split_rows(x.gpu(), c, n * h * w) {
        let tensors = [x, g, y].map(|t| t.rows(start, rows));
        let len = rows * n * h * w / width;
        let grid = [groups(len, WG), 1, 1];
        let spec = [elem, ("PLANE", u(h * w / width).into())];
        x.gpu().run(&GATE, &spec, &u(len), &tensors.each_ref(), grid, 4 * (len * width) as u64);
    }
}
