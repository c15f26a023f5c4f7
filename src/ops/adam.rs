//! One Adam step over whole slabs. What the numbers mean is in [`optim`](crate::optim).

use super::u;
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static ADAM: Kernel = kernel!("adam.wgsl");

const WG: usize = 256;

/// Elements that share one entry of the decay mask: the alignment of parameters in a slab.
pub const DECAY_BLOCK: usize = 64;

/// The slabs that a step works on; the first four have one length, a multiple of [`DECAY_BLOCK`].
pub struct AdamSlabs<'a> {
    /// Parameters, updated.
    pub values: &'a Tensor,
    /// Their gradients.
    pub grads: &'a Tensor,
    /// Running means of the gradients, updated.
    pub first_moments: &'a Tensor,
    /// Running means of the squared gradients, updated.
    pub second_moments: &'a Tensor,
    /// 1 where weight decay applies and 0 elsewhere, one number for every [`DECAY_BLOCK`] elements.
    pub decay_mask: &'a Tensor,
    /// Sum of the squares of all gradients, `[1]`.
    pub grad_squares: &'a Tensor,
}

/// w = w (1 - decay mask) - rate m / (sqrt(v) scale_v + eps), with m and v brought up to date first.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct AdamNumbers {
    /// Step size.
    pub rate: f32,
    /// Factor on sqrt(v).
    pub scale_v: f32,
    /// Keeps the quotient finite.
    pub eps: f32,
    /// 1 - beta1, formed in f64 on the host.
    pub one_minus_beta1: f32,
    /// 1 - beta2, formed in f64 on the host.
    pub one_minus_beta2: f32,
    /// Share of the parameter that goes at this step.
    pub decay: f32,
    /// Gradients of a larger norm are scaled down to it; `f32::MAX` for no limit.
    pub max_norm: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    n: u32,
    numbers: AdamNumbers,
}

/// Updates values and moments in place. A gradient whose norm is not finite changes nothing.
///
/// # Panics
/// When the slabs do not agree in length.
#[track_caller]
pub fn adam_step(slabs: &AdamSlabs, numbers: AdamNumbers) {
    let n = slabs.values.len();
    for slab in [slabs.grads, slabs.first_moments, slabs.second_moments] {
        assert_eq!(slab.len(), n, "slabs of one length");
    }
    assert_eq!(slabs.decay_mask.len() * DECAY_BLOCK, n, "one decay mask entry for {DECAY_BLOCK} elements");
    let bound =
        [slabs.values, slabs.grads, slabs.first_moments, slabs.second_moments, slabs.decay_mask, slabs.grad_squares];
    let params = Params { n: u(n / 4), numbers };
    slabs.values.gpu().run(&ADAM, &[], &params, &bound, [groups(n / 4, WG), 1, 1], 15 * n as u64);
}
