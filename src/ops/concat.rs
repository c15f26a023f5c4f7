//! Joining tensors. Row-major memory makes it a copy along the first axis.

use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;

/// y = the rows of a, then those of b; all axes but the first are alike.
///
/// Backward: each gets its rows of dy. Keeps nothing.
///
/// # Panics
/// When the other axes differ.
#[track_caller]
pub fn concat_rows(cx: &Ctx, a: &Var, b: &Var) -> Var {
    let (rows_a, rows_b) = (a.value.shape()[0], b.value.shape()[0]);
    let mut shape = a.value.shape().to_vec();
    assert_eq!(shape[1..], b.value.shape()[1..], "rows of {:?} and {:?}", a.value.shape(), b.value.shape());
    shape[0] += rows_b;
    let y = Tensor::empty(cx.gpu, "concat", &shape);
    y.rows(0, rows_a).copy_from(&a.value);
    y.rows(rows_a, rows_b).copy_from(&b.value);
    let (a, b) = (a.clone(), b.clone());
    cx.record("concat", y, &[], move |dy, grads| {
        for (x, start, rows) in [(a, 0, rows_a), (b, rows_a, rows_b)] {
            if x.needs_grad() {
                grads.add(&x, dy.rows(start, rows).duplicate());
            }
        }
    })
}
