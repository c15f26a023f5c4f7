//! Layer norm over the features of every column.

use super::{elem, u};
use crate::gpu::{Gpu, Kernel, Tier, Value, groups};
use crate::kernel;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static LAYER_NORM: Kernel = kernel!("layer_norm.wgsl");
static LAYER_NORM_DX: Kernel = kernel!("layer_norm_dx.wgsl");
static LAYER_NORM_DW: Kernel = kernel!("layer_norm_dw.wgsl");

/// Columns of a workgroup, lanes that share one, and neighbouring columns of a lane: on CPU adapters a workgroup is one
/// vector, nothing is shared, and a load of four costs what one of one does.
fn shape_of_group(gpu: &Gpu, columns: usize) -> [usize; 3] {
    match gpu.caps().tier {
        Tier::Portable => [16, 16, 1],
        Tier::Cpu => [8, 1, elem(columns).0],
    }
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Forward {
    features: u32,
    columns: u32,
    eps: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Shape {
    features: u32,
    columns: u32,
}

/// `y[f][n] = gamma[f] (x[f][n] - mean[n]) / sqrt(var[n] + eps) + beta[f]`, with the mean and the (biased) variance
/// of column n; x, y: `[F][N]`, gamma, beta: `[F]`.
///
/// Backward, with g = gamma dy and xh the normalised x: dx = (g - mean(g) - xh mean(g xh)) / sqrt(var + eps),
/// dgamma += sum_n dy xh, dbeta += sum_n dy. Keeps x, mean and 1 / sqrt(var + eps).
///
/// # Panics
/// When gamma or beta has not as many elements as x has rows.
#[track_caller]
pub fn layer_norm(cx: &Ctx, x: &Var, gamma: &Param, beta: &Param, eps: f32) -> Var {
    let [features, columns] = x.value.dims2();
    for p in [gamma, beta] {
        assert_eq!(features, p.value.len(), "'{}' {:?} for {:?}", p.name, p.value.shape(), x.value.shape());
    }
    let y = Tensor::empty(cx.gpu, "layer_norm", &[features, columns]);
    let stats = Tensor::empty(cx.gpu, "layer_norm mean and rstd", &[2, columns]);
    let [side, strands, width] = shape_of_group(cx.gpu, columns);
    let params = Forward { features: u(features), columns: u(columns / width), eps };
    let bound = [&x.value, &gamma.value, &beta.value, &y, &stats];
    let spec: [(&'static str, Value); 3] = [
        ("COLUMNS", u(side).into()),
        ("STRANDS", u(strands).into()),
        ("Elem", Value::Name(if width == 4 { "vec4<f32>" } else { "f32" })),
    ];
    let grid = [groups(columns / width, side), 1, 1];
    cx.gpu.run(&LAYER_NORM, &spec, &params, &bound, grid, 8 * y.len() as u64);

    let (x, gamma, beta) = (x.clone(), gamma.clone(), beta.clone());
    let saved = [x.value.clone(), stats.clone()];
    cx.record("layer_norm", y, &[&saved[0], &saved[1]], move |dy, grads| {
        let gpu = dy.gpu();
        let params = Shape { features: u(features), columns: u(columns) };
        let bound = [&x.value, &dy, &stats, &gamma.grad, &beta.grad];
        let lanes: [(&'static str, Value); 1] = [("WG", u(if strands == 1 { side } else { 64 }).into())];
        gpu.run(&LAYER_NORM_DW, &lanes, &params, &bound, [u(features), 1, 1], 5 * dy.len() as u64);
        if x.needs_grad() {
            let params = Shape { features: u(features), columns: u(columns / width) };
            let dx = Tensor::empty(gpu, "layer_norm dx", &[features, columns]);
            let bound = [&x.value, &dy, &gamma.value, &stats, &dx];
            gpu.run(&LAYER_NORM_DX, &spec, &params, &bound, grid, 13 * dy.len() as u64);
            grads.add(&x, dx);
        }
    })
}
