//! Columns of unit length, for cosine similarity.

use super::u;
use crate::gpu::{Gpu, Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static L2_NORMALISE: Kernel = kernel!("l2_normalise.wgsl");
static L2_NORMALISE_DX: Kernel = kernel!("l2_normalise_dx.wgsl");

/// `COLUMNS` of the shaders.
const COLUMNS: usize = 16;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Shape {
    features: u32,
    columns: u32,
    eps: f32,
}

/// `y[f][n] = x[f][n] / sqrt(max(sum_f x[f][n]², eps))` as `tf.math.l2_normalize` has it; x, y: `[F][N]`.
///
/// Backward: dx = (dy - y sum_f(y dy)) / sqrt(sum_f x²), and dy / sqrt(eps) where eps was larger. Keeps y and the sums.
#[track_caller]
pub fn l2_normalise(cx: &Ctx, x: &Var, eps: f32) -> Var {
    let [features, columns] = x.value.dims2();
    let y = Tensor::empty(cx.gpu, "l2_normalise", &[features, columns]);
    let squares = Tensor::empty(cx.gpu, "l2_normalise squares", &[columns]);
    let params = Shape { features: u(features), columns: u(columns), eps };
    let run = move |gpu: &Gpu, kernel, tensors: &[&Tensor], flops_per_element: usize| {
        let flops = flops_per_element * features * columns;
        gpu.run(kernel, &[], &params, tensors, [groups(columns, COLUMNS), 1, 1], flops as u64);
    };
    run(cx.gpu, &L2_NORMALISE, &[&x.value, &y, &squares], 3);
    let (x, saved) = (x.clone(), [y.clone(), squares.clone()]);
    let unit = y.clone();
    cx.record("l2_normalise", y, &[&saved[0], &saved[1]], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "l2_normalise dx", dy.shape());
        run(dy.gpu(), &L2_NORMALISE_DX, &[&unit, &squares, &dy, &dx], 5);
        grads.add(&x, dx);
    })
}
