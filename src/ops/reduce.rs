//! Sums in a fixed order: of rows, and of squares.

use super::{elem, u};
use crate::gpu::{Kernel, Tier, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static ROW_SUM: Kernel = kernel!("row_sum.wgsl");
static ROW_SUM_LANE: Kernel = kernel!("row_sum_lane.wgsl");
static SUM_SQUARES: Kernel = kernel!("sum_squares.wgsl");

/// `CHUNK` of sum_squares.wgsl, in elements.
const CHUNK: usize = 4 * 4096;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Rows {
    rows: u32,
    columns: u32,
    a: f32,
    b: f32,
}

/// `y[r] = a sum_n x[r][n] + b y[r]`, in place, for x `[R][N]` and y `[R]`; with b = 0 the old y is not read.
///
/// # Panics
/// When y has not as many elements as x has rows.
#[track_caller]
pub fn row_sum(a: f32, x: &Tensor, b: f32, y: &Tensor) {
    let [rows, columns] = x.dims2();
    assert_eq!(rows, y.len(), "row sums of {:?} into {:?}", x.shape(), y.shape());
    let gpu = x.gpu();
    if gpu.caps().tier == Tier::Cpu {
        // rows here are as long as a batch, and barriers dear
        let (width, elem) = elem(columns);
        let params = Rows { rows: u(rows), columns: u(columns / width), a, b };
        let spec = [elem, ("WIDTH", u(width).into())];
        gpu.run(&ROW_SUM_LANE, &spec, &params, &[x, y], [groups(rows, 8), 1, 1], x.len() as u64);
    } else {
        let params = Rows { rows: u(rows), columns: u(columns), a, b };
        gpu.run(&ROW_SUM, &[], &params, &[x, y], [u(rows), 1, 1], x.len() as u64);
    }
}

/// Sum of the squares of all elements, `[1]`, in two stages.
///
/// # Panics
/// When the number of elements is not a multiple of 4.
#[track_caller]
pub fn sum_squares(x: &Tensor) -> Tensor {
    assert!(x.len().is_multiple_of(4), "sum of squares of {} elements: a multiple of 4 wanted", x.len());
    let partial_count = x.len().div_ceil(CHUNK);
    let partials = Tensor::empty(x.gpu(), "sum of squares, partial", &[1, partial_count]);
    let grid = [groups(x.len(), CHUNK), 1, 1];
    x.gpu().run(&SUM_SQUARES, &[], &u(x.len() / 4), &[x, &partials], grid, 2 * x.len() as u64);
    let sum = Tensor::empty(x.gpu(), "sum of squares", &[1]);
    row_sum(1.0, &partials, 0.0, &sum);
    sum
}
