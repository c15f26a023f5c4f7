//! The inverted bottleneck of EfficientNet (Sandler et al. 2018; Tan, Le 2019), in a page.
//!
//! ```text
//! x [in] ─ expand 1x1 ─ BN, swish ─ depthwise k x k ─ BN, swish ─ squeeze-excite ─ project 1x1 ─ BN ─(+)─ y [out]
//! └──────────────────── only where stride is 1 and in = out ─ stochastic depth ──────────────────────┘
//! ```
//!
//! In training, batch norm needs the sums over its whole input before any of its output, so it splits the block into
//! three passes. The fused ops end where a batch norm begins, keep only the raw convolution outputs that stand there, and
//! apply the norm and what follows as the next convolution loads them.
//!
//! The block widens before it mixes pixels and narrows after, so what is handed on, and kept by the shortcut, is the
//! narrow end, without activation. With expansion 1 there is no expand stage, and timm names the rest differently.

use super::Init;
use super::layers::{Initial, SqueezeExcite, Stores};
use crate::ops::batch_norm::{BatchNorm, batch_norm};
use crate::ops::depthwise::{depthwise, norm_depthwise, packs};
use crate::ops::matmul::{linear, linear_in};
use crate::ops::residual::residual;
use crate::ops::se_project::squeeze_excite_project;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::{Storage, Tensor};

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
    pub(crate) fn names(&self) -> [&'static str; 3] {
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
        let silent = initial.zero_init_residual && shape.has_shortcut();
        initial.batch_norm_of_scale(&bn_project, outputs, if silent { Init::Zeros } else { Init::Ones });
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

    /// y `[out, N, H / stride, W / stride]` (rounded up) of x `[in, N, H, W]`, for a block with an expand stage.
    ///
    /// `drop` `[N]` multiplies each sample's branch before the shortcut is added; without a shortcut it is not used.
    #[track_caller]
    pub fn forward(&self, cx: &Ctx, x: &Var, drop: Option<&Tensor>) -> Var {
        let (weight, bn) = self.expand.as_ref().expect("a block without expand stage takes a raw map: forward_raw");
        let y = self.forward_raw(cx, &linear_in(cx, weight, x, self.raw_storage(cx, x.value.dims4())), bn);
        if self.shape.has_shortcut() { residual(cx, &y, x, drop) } else { y }
    }

    /// How the raw maps inside the block are stored, for x `[in, N, H, W]`: as the context has it, where the depthwise
    /// kernels can.
    pub fn raw_storage(&self, cx: &Ctx, [_, n, h, w]: [usize; 4]) -> Storage {
        let wide = self.shape.inputs * self.shape.expansion;
        let packs = packs([wide, n, h, w], self.shape.kernel, self.shape.stride);
        if packs { cx.raw_storage(n * h * w) } else { Storage::F32 }
    }

    // ANCHOR: forward_raw
    /// What follows the expand stage, of the raw output x `[wide, N, H, W]` of a convolution whose batch norm and swish
    /// are still to come. In the first block that convolution is the stem.
    #[track_caller]
    pub fn forward_raw(&self, cx: &Ctx, x: &Var, bn: &BatchNorm) -> Var {
        let ((filters, bn_depthwise), (weight, bn_project)) = (&self.depthwise, &self.project);
        let y = if cx.fused {
            let y = norm_depthwise(cx, x, bn, filters, self.shape.stride);
            squeeze_excite_project(cx, &y, bn_depthwise, |cx, s| self.squeeze_excite.excite(cx, s), weight)
        } else {
            let y = depthwise(cx, &batch_norm(cx, x, bn, true), filters, self.shape.stride);
            let y = self.squeeze_excite.forward(cx, &batch_norm(cx, &y, bn_depthwise, true));
            linear(cx, weight, &y)
        };
        batch_norm(cx, &y, bn_project, false)
    }
    // ANCHOR_END: forward_raw
}
