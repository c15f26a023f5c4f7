//! Dropout.

use super::u;
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static DROPOUT: Kernel = kernel!("dropout.wgsl");

const WG: usize = 64;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    n: u32,
    key: u32,
    rate: f32,
}

/// Every element 0 with probability `rate`, otherwise times 1 / (1 - rate) (Srivastava et al. 2014), in training; x as it
/// is in evaluation or at rate 0. Which ones go depends on `key` ([`augment::key`](super::augment::key)) and the place
/// alone.
///
/// Backward: the same of dy, drawn again. Keeps nothing.
///
/// # Panics
/// When the rate is not in `[0, 1)`.
#[track_caller]
pub fn dropout(cx: &Ctx, x: &Var, rate: f32, key: u32) -> Var {
    assert!((0.0..1.0).contains(&rate), "dropout at rate {rate}");
    if !cx.training || rate == 0.0 {
        return x.clone();
    }
    let y = run(&x.value, rate, key);
    let x = x.clone();
    cx.record("dropout", y, &[], move |dy, grads| grads.add(&x, run(&dy, rate, key)))
}

fn run(x: &Tensor, rate: f32, key: u32) -> Tensor {
    let y = Tensor::empty(x.gpu(), "dropout", x.shape());
    let n = x.len();
    x.gpu().run(&DROPOUT, &[], &Params { n: u(n), key, rate }, &[x, &y], [groups(n, WG), 1, 1], n as u64);
    y
}
