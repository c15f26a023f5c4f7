//! The two halves of a round of k-means: every point to its nearest centre, every centre to the mean of its points.

use super::elementwise::{Unary, unary};
use super::matmul::{Left, product};
use super::reduce::row_sum;
use super::token_embedding::Tokens;
use super::u;
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static KMEANS_ASSIGN: Kernel = kernel!("kmeans_assign.wgsl");

const WG: usize = 64;

/// To which centre every point belongs.
pub struct Assignment {
    /// `[N]`, `u32`: the nearest centre, the first among equals.
    pub ids: Tensor,
    /// `[N]`: squared distance to it.
    pub distances: Tensor,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    points: u32,
    features: u32,
    centres: u32,
}

/// The nearest of the centres `[K, D]` for points `[D, N]`. The K x N inner products are one matrix product.
///
/// # Panics
/// When the centres are no vectors of D, or there is none.
#[track_caller]
pub fn assign(points: &Tensor, centres: &Tensor) -> Assignment {
    let ([features, n], [k, length]) = (points.dims2(), centres.dims2());
    assert!(k > 0 && length == features, "centres {:?} of points {:?}", centres.shape(), points.shape());
    let gpu = points.gpu();
    let norms = Tensor::empty(gpu, "squared norms of centres", &[k]);
    let squares = unary(&Ctx::inference(gpu), Unary::Square, &Var::constant(centres.clone())).value;
    row_sum(1.0, &squares, 0.0, &norms);
    let dots = Tensor::empty(gpu, "k-means products", &[k, n]);
    product(Left::Plain, centres, points, &dots, false);
    let (ids, distances) = (Tensor::empty(gpu, "codes", &[n]), Tensor::empty(gpu, "distances", &[n]));
    let params = Params { points: u(n), features: u(features), centres: u(k) };
    let bound = [points, &dots, &norms, &ids, &distances];
    gpu.run(&KMEANS_ASSIGN, &[], &params, &bound, [groups(n, WG), 1, 1], (2 * n * (k + features)) as u64);
    Assignment { ids, distances }
}

/// The sum of the points `[D, N]` of each of `classes` ids, `[D][classes]`, in the order of the points.
#[track_caller]
pub fn sums(points: &Tensor, ids: &Tokens, classes: usize) -> Vec<f32> {
    let [features, _] = points.dims2();
    let sums = Tensor::zeros(points.gpu(), "sums of points", &[features, classes]);
    ids.add_columns(points, &sums);
    sums.read()
}
