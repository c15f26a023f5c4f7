//! Softmax cross-entropy with integer targets.

use super::{reduce, u};
use crate::gpu::{Kernel, Tier, Value, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static SOFTMAX_XENT: Kernel = kernel!("softmax_xent.wgsl");
static SOFTMAX_XENT_DX: Kernel = kernel!("softmax_xent_dx.wgsl");

const WG: usize = 64;

/// Where a sample's logits stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// In a row: logits are `[samples][classes]`, as a similarity matrix has them.
    Rows,
    /// In a column: logits are `[classes][samples]`, as a linear layer gives them.
    Columns,
}

/// What [`softmax_xent`] returns. All of it stays on the device until somebody reads it.
pub struct SoftmaxXent {
    /// Mean over the samples, `[1]`, in nats.
    pub loss: Var,
    /// Loss of every sample, `[samples]`, in nats.
    pub losses: Tensor,
    /// How many samples have their largest logit at the target, `[1]`, an `f32`. Among equal logits the first counts.
    pub correct: Tensor,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Shape {
    samples: u32,
    classes: u32,
}

/// `loss = mean over samples of (ln sum_c exp(x[c]) - x[target])`, the largest logit subtracted first.
///
/// `targets` holds a `u32` class below the number of classes for every sample; a larger one is not noticed.
///
/// Backward: `dx[c] = dloss / samples (softmax(x)[c] - [c = target])`. Keeps the logits and a number a sample.
///
/// # Panics
/// When there are not as many targets as samples, or no sample or class.
#[track_caller]
pub fn softmax_xent(cx: &Ctx, logits: &Var, samples_in: Samples, targets: &Tensor) -> SoftmaxXent {
    weighted_softmax_xent(cx, logits, samples_in, targets, None)
}

/// The same with the loss of every sample times its weight, `[samples]`; the mean still divides by their number.
///
/// # Panics
/// As [`softmax_xent`], and with another number of weights.
#[track_caller]
pub fn weighted_softmax_xent(
    cx: &Ctx,
    logits: &Var,
    samples_in: Samples,
    targets: &Tensor,
    weights: Option<&Tensor>,
) -> SoftmaxXent {
    let [samples, classes] = match (samples_in, logits.value.dims2()) {
        (Samples::Rows, [rows, columns]) => [rows, columns],
        (Samples::Columns, [rows, columns]) => [columns, rows],
    };
    assert_eq!(samples, targets.len(), "targets for logits {:?}, {samples_in:?}", logits.value.shape());
    assert!(samples * classes > 0, "cross-entropy of logits {:?}", logits.value.shape());
    assert!(weights.is_none_or(|w| w.len() == samples), "weights for {samples} samples");
    let spec: [(&'static str, Value); 2] =
        [("CLASSES_FIRST", (samples_in == Samples::Columns).into()), ("WEIGHTED", weights.is_some().into())];
    // on a CPU a workgroup is one vector
    let lanes = if cx.gpu.caps().tier == Tier::Cpu { 8 } else { WG };
    // the place has to be filled with something
    let weights = weights.unwrap_or(&logits.value).clone();
    let params = Shape { samples: u(samples), classes: u(classes) };
    let per_sample = |label| Tensor::empty(cx.gpu, label, &[samples]);
    let (losses, lse, hits) = (per_sample("losses"), per_sample("log-sum-exp"), per_sample("hits"));
    let bound = [&logits.value, targets, &losses, &lse, &hits, &weights];
    let in_lanes = [spec[0], spec[1], ("WG", u(lanes).into())];
    cx.gpu.run(&SOFTMAX_XENT, &in_lanes, &params, &bound, [u(samples), 1, 1], 5 * logits.value.len() as u64);

    let scalar = |label, factor: f32, summed: &Tensor| {
        let sum = Tensor::empty(cx.gpu, label, &[1]);
        reduce::row_sum(factor, &summed.reshape(&[1, samples]), 0.0, &sum);
        sum
    };
    let correct = scalar("correct", 1.0, &hits);
    let mean = scalar("loss", 1.0 / samples as f32, &losses);

    let (logits, targets) = (logits.clone(), targets.clone());
    let saved = [logits.value.clone(), lse.clone()];
    let loss = cx.record("softmax_xent", mean, &[&saved[0], &saved[1]], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "softmax_xent dx", logits.value.shape());
        let bound = [&logits.value, &targets, &lse, &dy, &dx, &weights];
        dy.gpu().run(&SOFTMAX_XENT_DX, &spec, &params, &bound, [groups(dx.len(), WG), 1, 1], 4 * dx.len() as u64);
        grads.add(&logits, dx);
    });
    SoftmaxXent { loss, losses, correct }
}
