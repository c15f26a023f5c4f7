//! A range of columns: of a batch, some samples.

use super::elementwise::add_in_place;
use super::u;
use crate::gpu::{Gpu, Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

static COLUMNS: Kernel = kernel!("columns.wgsl");

const WG: usize = 64;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Shift {
    rows: u32,
    columns_from: u32,
    columns_to: u32,
    shift: i32,
}

/// `y[r][c] = x[r][c + shift]` where that column exists, else 0.
fn shifted(gpu: &Gpu, x: &Tensor, y: &Tensor, shift: i32) {
    let ([rows, columns_from], [_, columns_to]) = (x.dims2(), y.dims2());
    let params = Shift { rows: u(rows), columns_from: u(columns_from), columns_to: u(columns_to), shift };
    gpu.run(&COLUMNS, &[], &params, &[x, y], [groups(y.len(), WG), 1, 1], 0);
}

/// Columns `range` of x `[R][N]` and behind them columns `other` of it.
#[track_caller]
pub fn two_ranges(x: &Tensor, range: Range<usize>, other: Range<usize>) -> Tensor {
    let [rows, _] = x.dims2();
    let y = Tensor::zeros(x.gpu(), "two ranges of columns", &[rows, range.len() + other.len()]);
    add_columns(&y, 0, x, range.clone());
    add_columns(&y, range.len(), x, other);
    y
}

/// `y[r][at + c] += x[r][range.start + c]` for the columns `range` of x; no gradient.
///
/// # Panics
/// When the range passes the last column of x, or its place that of y.
#[track_caller]
pub fn add_columns(y: &Tensor, at: usize, x: &Tensor, range: Range<usize>) {
    let ([rows, from], [_, to]) = (x.dims2(), y.dims2());
    assert!(
        range.end <= from && at + range.len() <= to,
        "columns {range:?} of {:?} at {at} of {:?}",
        x.shape(),
        y.shape()
    );
    let alone = Tensor::empty(x.gpu(), "columns", &[rows, range.len()]);
    shifted(x.gpu(), x, &alone, i32::try_from(range.start).expect("column counts stay below 2^31"));
    let placed = Tensor::empty(x.gpu(), "columns in place", &[rows, to]);
    shifted(x.gpu(), &alone, &placed, -i32::try_from(at).expect("column counts stay below 2^31"));
    add_in_place(y, &placed);
}

/// Columns `range` of x `[R][N]`, as `[R][count]`.
///
/// Backward: dx is dy in that range and 0 elsewhere. Keeps nothing.
///
/// # Panics
/// When the range passes the last column.
#[track_caller]
pub fn columns(cx: &Ctx, x: &Var, range: Range<usize>) -> Var {
    let [rows, from] = x.value.dims2();
    assert!(range.start <= range.end && range.end <= from, "columns {range:?} of {:?}", x.value.shape());
    let shift = i32::try_from(range.start).expect("column counts stay below 2^31");
    let y = Tensor::empty(cx.gpu, "columns", &[rows, range.len()]);
    shifted(cx.gpu, &x.value, &y, shift);
    let x = x.clone();
    cx.record("columns", y, &[], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "columns dx", &[rows, from]);
        shifted(dy.gpu(), &dy, &dx, -shift);
        grads.add(&x, dx);
    })
}
