//! A dense layer: y = W x + b.

use super::{Init, NamedArray};
use crate::ops::bias::bias;
use crate::ops::matmul::linear;
use crate::tape::{Ctx, Param, Var};

/// Weight and bias of a layer.
pub struct Dense {
    weight: Param,
    bias: Param,
}

impl Dense {
    /// The two tensors at their start, `{name}.weight` `[outputs, inputs]` and `{name}.bias`, zeros.
    pub fn initial(weight: Init, seed: u64, name: &str, [outputs, inputs]: [usize; 2]) -> [NamedArray; 2] {
        [
            weight.array(seed, &format!("{name}.weight"), &[outputs, inputs]),
            Init::Zeros.array(seed, &format!("{name}.bias"), &[outputs]),
        ]
    }

    /// The layer of this name, its tensors found by theirs.
    pub fn new(find: &dyn Fn(&str) -> Param, name: &str) -> Dense {
        Dense { weight: find(&format!("{name}.weight")), bias: find(&format!("{name}.bias")) }
    }

    /// `[outputs, N]` of x `[inputs, N]`.
    #[track_caller]
    pub fn forward(&self, cx: &Ctx, x: &Var) -> Var {
        bias(cx, &linear(cx, &self.weight, x), &self.bias)
    }
}
