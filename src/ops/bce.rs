//! Binary cross-entropy on logits, for samples that may have several labels or none.

use super::{reduce, u};
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;

static BCE: Kernel = kernel!("bce.wgsl");
static BCE_DX: Kernel = kernel!("bce_dx.wgsl");

const WG: usize = 64;

/// `loss = mean over all logits of (ln(1 + exp(x)) - y x)`, `[1]`, in nats, for logits x and targets y `[classes][samples]`;
/// y is 1 where the sample has the label, 0 where not.
///
/// Backward: `dx = dloss / (classes samples) (sigmoid(x) - y)`. Keeps the logits.
///
/// # Panics
/// When the shapes differ, or hold nothing.
#[track_caller]
pub fn bce(cx: &Ctx, logits: &Var, targets: &Tensor) -> Var {
    let shape = logits.value.dims2();
    assert_eq!(logits.value.shape(), targets.shape(), "targets of logits");
    let n = logits.value.len();
    assert!(n > 0, "binary cross-entropy of logits {shape:?}");
    let losses = Tensor::empty(cx.gpu, "losses", &shape);
    let grid = [groups(n, WG), 1, 1];
    cx.gpu.run(&BCE, &[], &u(n), &[&logits.value, targets, &losses], grid, 8 * n as u64);
    // in two stages, so that no sum is long
    let of_class = Tensor::empty(cx.gpu, "losses of classes", &[shape[0]]);
    reduce::row_sum(1.0, &losses, 0.0, &of_class);
    let mean = Tensor::empty(cx.gpu, "loss", &[1]);
    reduce::row_sum(1.0 / n as f32, &of_class.reshape(&[1, shape[0]]), 0.0, &mean);

    let (logits, targets, saved) = (logits.clone(), targets.clone(), logits.value.clone());
    cx.record("bce", mean, &[&saved], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "bce dx", logits.value.shape());
        dy.gpu().run(&BCE_DX, &[], &u(n), &[&logits.value, &targets, &dy, &dx], grid, 6 * n as u64);
        grads.add(&logits, dx);
    })
}
