//! Adam and AdamW.
//!
//! ```text
//! m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g²        at step t = 1, 2, ...
//! w = w - lr weight_decay w          for tensors with more than one axis
//! PyTorch:  w = w - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
//! Keras:    w = w - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)
//! ```
//!
//! The two differ only in eps, which Keras adds to the uncorrected root: its eps acts like PyTorch's
//! eps / sqrt(1 - beta2^t), 32 times as large at the first step and the same in the long run.

use crate::nn::ParamStore;
use crate::ops::adam::{AdamNumbers, adam_step};
use crate::ops::reduce::sum_squares;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What eps is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EpsConvention {
    /// The corrected root of the second moment; torch's default eps is 1e-8.
    PyTorch,
    /// The uncorrected one ("epsilon hat"); Keras' default eps is 1e-7.
    Keras,
}

/// The constants of an optimiser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Memory of the first moment.
    pub beta1: f64,
    /// Memory of the second moment.
    pub beta2: f64,
    /// Keeps the quotient finite.
    pub eps: f64,
    /// What eps is added to.
    pub eps_convention: EpsConvention,
    /// Decoupled weight decay (AdamW), times the learning rate at every step; 0 for Adam.
    pub weight_decay: f64,
    /// Gradients of a larger global norm are scaled down to it; `None` for no limit.
    pub max_grad_norm: Option<f64>,
}

impl AdamConfig {
    /// The defaults of `torch.optim.Adam`.
    pub fn pytorch() -> AdamConfig {
        AdamConfig {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            eps_convention: EpsConvention::PyTorch,
            weight_decay: 0.0,
            max_grad_norm: None,
        }
    }

    /// The defaults of `keras.optimizers.Adam`.
    pub fn keras() -> AdamConfig {
        AdamConfig { eps: 1e-7, eps_convention: EpsConvention::Keras, ..AdamConfig::pytorch() }
    }

    /// What the kernel needs at step `t`, counted from 1.
    fn numbers(&self, t: u64, lr: f64) -> AdamNumbers {
        let correction = |beta: f64| 1.0 - beta.powf(t as f64);
        let (correction1, root2) = (correction(self.beta1), correction(self.beta2).sqrt());
        let (rate, scale_v) = match self.eps_convention {
            EpsConvention::PyTorch => (lr / correction1, 1.0 / root2),
            EpsConvention::Keras => (lr * root2 / correction1, 1.0),
        };
        AdamNumbers {
            rate: rate as f32,
            scale_v: scale_v as f32,
            eps: self.eps as f32,
            one_minus_beta1: (1.0 - self.beta1) as f32,
            one_minus_beta2: (1.0 - self.beta2) as f32,
            decay: (lr * self.weight_decay) as f32,
            max_norm: self.max_grad_norm.map_or(f32::MAX, |norm| norm as f32),
        }
    }
}

/// The optimiser. Its moments live in the [`ParamStore`], the step count here.
#[derive(Clone, Debug)]
pub struct Adam {
    config: AdamConfig,
    /// Steps taken. A resumed run sets it to what the checkpoint says.
    pub steps: u64,
}

impl Adam {
    /// An optimiser that has taken no step.
    pub fn new(config: AdamConfig) -> Adam {
        Adam { config, steps: 0 }
    }

    /// One step on the gradients in the store, which stay as they are.
    ///
    /// Returns the square of the gradient's global norm before clipping, `[1]`, to be read late. A step whose square is
    /// not finite (a NaN, an infinity, a norm above 1.8e19) changes no value and no moment: what a checkpoint would
    /// save stays good until the host has noticed.
    pub fn step(&mut self, params: &ParamStore, lr: f64) -> Tensor {
        self.steps += 1;
        let squares = sum_squares(params.grads());
        adam_step(&params.adam_slabs(&squares), self.config.numbers(self.steps, lr));
        squares
    }
}
