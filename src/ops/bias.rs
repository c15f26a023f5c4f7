//! A bias: one number for every row of a channel-major matrix.

use super::{elem, reduce, u};
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static BIAS: Kernel = kernel!("bias.wgsl");

const WG: usize = 64;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Lengths {
    n: u32,
    columns: u32,
}

/// `y[f][n] = x[f][n] + b[f]`; x, y: `[F][N]`, b: `[F]`.
///
/// Backward: dx = dy, db += sum_n dy. Keeps nothing.
///
/// # Panics
/// When b has not as many elements as x has rows.
#[track_caller]
pub fn bias(cx: &Ctx, x: &Var, b: &Param) -> Var {
    let [rows, columns] = x.value.dims2();
    assert_eq!(rows, b.value.len(), "bias {:?} for {:?}", b.value.shape(), x.value.shape());
    let (width, elem) = elem(columns);
    let params = Lengths { n: u(rows * columns / width), columns: u(columns / width) };
    let y = Tensor::empty(cx.gpu, "bias", &[rows, columns]);
    let grid = [groups(rows * columns / width, WG), 1, 1];
    cx.gpu.run(&BIAS, &[elem], &params, &[&x.value, &b.value, &y], grid, y.len() as u64);
    let (x, db) = (x.clone(), b.grad.clone());
    cx.record("bias", y, &[], move |dy, grads| {
        reduce::row_sum(1.0, &dy, 1.0, &db);
        grads.add(&x, dy);
    })
}
