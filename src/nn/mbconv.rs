//! The inverted bottleneck of EfficientNet (Sandler et al. 2018; Tan, Le 2019), in a page.
//!
//! ```text
//! x [in] ─ expand 1x1 ─ BN, swish ─ depthwise k x k ─ BN, swish ─ squeeze-excite ─ project 1x1 ─ BN ─(+)─ y [out]
//! └──────────────────── only where stride is 1 and in = out ─ stochastic depth ──────────────────────┘
//! ```
//!
//! The block widens before it mixes pixels and narrows after, so what is handed on, and kept by the shortcut, is the
//! narrow end, without activation. With expansion 1 there is no expand stage, and timm names the rest differently.

use super::layers::{Initial, SqueezeExcite, Stores};
use crate::ops::batch_norm::{BatchNorm, batch_norm};
use crate::ops::depthwise::depthwise;
use crate::ops::matmul::linear;
use crate::ops::residual::residual;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;

/// The numbers of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShape {
    /// Channels that come in.
    pub inputs: usize,
    /// Channels that go out.
    pub outputs: usize,
    /// How many times wider it is inside.
    pub expansion: usize,
    /// Side of the depthwise filter.
    pub kernel: usize,
    /// Step of the depthwise filter.
    pub stride: usize,
}

impl BlockShape {
    /// Whether the input is added to the output.
    pub fn has_shortcut(&self) -> bool {
        self.stride == 1 && self.inputs == self.outputs
    }

    /// timm's names of the batch norm behind the depthwise convolution, of the projection, and of the batch norm behind
    /// that. Where there is an expand stage, it is `conv_pw` and `bn1`.
    fn names(&self) -> [&'static str; 3] {
        if self.expansion == 1 { ["bn1", "conv_pw", "bn2"] } else { ["bn2", "conv_pwl", "bn3"] }
    }
}

/// One block.
pub struct MbConv {
    shape: BlockShape,
    expand: Option<(Param, BatchNorm)>,
    depthwise: (Param, BatchNorm),
    squeeze_excite: SqueezeExcite,
    project: (Param, BatchNorm),
}

impl MbConv {
    /// Its tensors at their start.
    pub fn initial(initial: &mut Initial, name: &str, shape: BlockShape) {
        let BlockShape { inputs, outputs, expansion, kernel, .. } = shape;
        let wide = inputs * expansion;
        let [bn_depthwise, project, bn_project] = shape.names().map(|part| format!("{name}.{part}"));
        if expansion > 1 {
            initial.conv(&format!("{name}.conv_pw"), [wide, inputs, 1, 1], wide);
            initial.batch_norm(&format!("{name}.bn1"), wide);
        }
        initial.conv(&format!("{name}.conv_dw"), [wide, 1, kernel, kernel], 1);
        initial.batch_norm(&bn_depthwise, wide);
        // A quarter of what comes in, not of what it is widened to.
        SqueezeExcite::initial(initial, &format!("{name}.se"), wide, (inputs / 4).max(1));
        initial.conv(&project, [outputs, wide, 1, 1], outputs);
        initial.batch_norm(&bn_project, outputs);
    }

    /// The block of this name.
    pub fn new(stores: Stores, name: &str, shape: BlockShape) -> MbConv {
        let [bn_depthwise, project, bn_project] = shape.names().map(|part| format!("{name}.{part}"));
        let with_norm = |conv: &str, bn: &str| (stores.conv(conv), stores.batch_norm(bn));
        let expand = || with_norm(&format!("{name}.conv_pw"), &format!("{name}.bn1"));
        MbConv {
            shape,
            expand: (shape.expansion > 1).then(expand),
            depthwise: with_norm(&format!("{name}.conv_dw"), &bn_depthwise),
            squeeze_excite: SqueezeExcite::new(stores, &format!("{name}.se")),
            project: with_norm(&project, &bn_project),
        }
    }

    /// Its numbers.
    pub fn shape(&self) -> BlockShape {
        self.shape
    }

    /// y `[out, N, H / stride, W / stride]` (rounded up) of x `[in, N, H, W]`.
    ///
    /// `drop` `[N]` multiplies each sample's branch before the shortcut is added; without a shortcut it is not used.
    #[track_caller]
    pub fn forward(&self, cx: &Ctx, x: &Var, drop: Option<&Tensor>) -> Var {
        let mut y = x.clone();
        if let Some((weight, bn)) = &self.expand {
            y = batch_norm(cx, &linear(cx, weight, &y), bn, true);
        }
        let (weight, bn) = &self.depthwise;
        y = batch_norm(cx, &depthwise(cx, &y, weight, self.shape.stride), bn, true);
        y = self.squeeze_excite.forward(cx, &y);
        let (weight, bn) = &self.project;
        y = batch_norm(cx, &linear(cx, weight, &y), bn, false);
        if self.shape.has_shortcut() { residual(cx, &y, x, drop) } else { y }
    }
}
