//! The two halves of a round of k-means: every point to its nearest centre, every centre to the mean of its points.

use super::matmul::{Left, product};
use super::token_embedding::Tokens;
use super::u;
use crate::gpu::{Kernel, groups};
use crate::kernel;
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

/// The nearest of the centres `[K][D]`, which lie on the host, for points `[D, N]`. The K x N inner products are one
/// matrix product.
///
/// # Panics
/// When the centres are not whole vectors of D, or there is none.
#[track_caller]
pub fn assign(points: &Tensor, centres: &[f32]) -> Assignment {
    let [features, n] = points.dims2();
    let k = centres.len() / features;
    assert!(k > 0 && centres.len() == k * features, "{} numbers as centres of {features}", centres.len());
    let gpu = points.gpu();
    let norms: Vec<f32> = centres.chunks(features).map(|c| c.iter().map(|v| v * v).sum()).collect();
    let dots = Tensor::empty(gpu, "k-means products", &[k, n]);
    product(Left::Plain, &Tensor::from_slice(gpu, &[k, features], centres), points, &dots, false);
    let (ids, distances) = (Tensor::empty(gpu, "codes", &[n]), Tensor::empty(gpu, "distances", &[n]));
    let params = Params { points: u(n), features: u(features), centres: u(k) };
    let bound = [points, &dots, &Tensor::from_slice(gpu, &[k], &norms), &ids, &distances];
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
