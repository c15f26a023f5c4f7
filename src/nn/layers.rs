//! The two layers that the encoder repeats, and how a layer's tensors are named, started and found.
//!
//! A layer is made twice over: `initial` lists its tensors at their start, `new` finds them in the stores that were
//! built from such lists. Both take the layer's name, timm's with the prefix `encoder.`.

use super::{Init, NamedArray, ParamStore, StateStore};
use crate::ops::batch_norm::BatchNorm;
use crate::ops::bias::bias;
use crate::ops::elementwise::{Unary, unary};
use crate::ops::matmul::linear;
use crate::ops::pool::mean_pool;
use crate::ops::se::gate;
use crate::tape::{Ctx, Param, Var};

/// Keras' default for BatchNormalization.
pub(crate) const BATCH_NORM_EPS: f32 = 1e-3;

/// The tensors of a model at their start: what is trained, and what is only kept.
#[derive(Default)]
pub struct Initial {
    /// Decides every drawn value, together with its name.
    pub seed: u64,
    /// Whether a block with a shortcut starts as nothing but its shortcut.
    pub zero_init_residual: bool,
    /// Trained tensors.
    pub params: Vec<NamedArray>,
    /// Running statistics.
    pub state: Vec<NamedArray>,
}

impl Initial {
    /// A convolution's weight, in torch's layout `[out, in, k, k]`.
    ///
    /// Keras counts as fan-out the last axis of its kernel times k k: that is `out`, but 1 for a depthwise one.
    pub fn conv(&mut self, name: &str, shape: [usize; 4], fan_out_channels: usize) {
        let init = Init::HeFanOut { fan_out: fan_out_channels * shape[2] * shape[3] };
        self.params.push(init.array(self.seed, &format!("{name}.weight"), &shape));
    }

    /// A bias of zeros.
    fn bias(&mut self, name: &str, len: usize) {
        self.params.push(Init::Zeros.array(self.seed, &format!("{name}.bias"), &[len]));
    }

    /// A batch norm that does nothing yet: scale 1, shift 0, running mean 0 and variance 1.
    pub fn batch_norm(&mut self, name: &str, channels: usize) {
        self.batch_norm_of_scale(name, channels, Init::Ones);
    }

    /// The same with another scale.
    pub fn batch_norm_of_scale(&mut self, name: &str, channels: usize, scale: Init) {
        let seed = self.seed;
        let array = |suffix, init: Init| init.array(seed, &format!("{name}.{suffix}"), &[channels]);
        self.params.extend([array("weight", scale), array("bias", Init::Zeros)]);
        self.state.extend([array("running_mean", Init::Zeros), array("running_var", Init::Ones)]);
    }
}

/// Where a layer finds its tensors.
#[derive(Clone, Copy)]
pub struct Stores<'a> {
    /// Trained tensors.
    pub params: &'a ParamStore,
    /// Running statistics.
    pub state: &'a StateStore,
    /// Weight of a new batch in the running statistics (torch's convention).
    pub bn_momentum: f32,
}

impl Stores<'_> {
    /// The weight of a convolution.
    pub fn conv(&self, name: &str) -> Param {
        self.params.get(&format!("{name}.weight"))
    }

    /// A batch norm.
    pub fn batch_norm(&self, name: &str) -> BatchNorm {
        BatchNorm {
            weight: self.params.get(&format!("{name}.weight")),
            bias: self.params.get(&format!("{name}.bias")),
            running_mean: self.state.get(&format!("{name}.running_mean")),
            running_var: self.state.get(&format!("{name}.running_var")),
            eps: BATCH_NORM_EPS,
            momentum: self.bn_momentum,
        }
    }
}

/// Squeeze and excitation: every channel of a sample is weighed by a number that all its channels decide together.
///
/// ```text
/// s = mean over the plane;  g = expand(swish(reduce(s)));  y = x sigmoid(g)
/// ```
pub struct SqueezeExcite {
    reduce: (Param, Param),
    expand: (Param, Param),
}

impl SqueezeExcite {
    /// Its tensors at their start, for `channels` seen through `squeezed` numbers.
    pub fn initial(initial: &mut Initial, name: &str, channels: usize, squeezed: usize) {
        for (layer, inputs, outputs) in [("conv_reduce", channels, squeezed), ("conv_expand", squeezed, channels)] {
            let layer = format!("{name}.{layer}");
            initial.conv(&layer, [outputs, inputs, 1, 1], outputs);
            initial.bias(&layer, outputs);
        }
    }

    /// The layer of this name.
    pub fn new(stores: Stores, name: &str) -> SqueezeExcite {
        let find = |layer| {
            let weight = stores.conv(&format!("{name}.{layer}"));
            (weight, stores.params.get(&format!("{name}.{layer}.bias")))
        };
        SqueezeExcite { reduce: find("conv_reduce"), expand: find("conv_expand") }
    }

    /// g `[C, N]` of the plane means s `[C, N]`.
    #[track_caller]
    pub fn excite(&self, cx: &Ctx, s: &Var) -> Var {
        let affine = |(weight, offset): &(Param, Param), x: &Var| bias(cx, &linear(cx, weight, x), offset);
        affine(&self.expand, &unary(cx, Unary::Swish, &affine(&self.reduce, s)))
    }

    /// y `[C, N, H, W]` of x `[C, N, H, W]`.
    #[track_caller]
    pub fn forward(&self, cx: &Ctx, x: &Var) -> Var {
        gate(cx, x, &self.excite(cx, &mean_pool(cx, x)))
    }
}
