//! EfficientNet-B0 on log-mel segments: height is time, width is mel, one input channel.
//!
//! As in Keras with `include_top=False`, with TF "SAME" padding as in timm's `tf_efficientnet_b0`, whose tensor names
//! and torch layouts these are, behind the prefix `encoder.`: weights go both ways.

use super::backbone::PREFIX;
use super::layers::{Initial, Stores};
use super::mbconv::{BlockShape, MbConv};
use super::stochastic_depth::DropMasks;
use crate::ops::batch_norm::{BatchNorm, batch_norm};
use crate::ops::depthwise::conv_stem;
use crate::ops::matmul::linear_in;
use crate::tape::{Ctx, Param, Var};

/// Channels of the last feature map.
pub const FEATURES: usize = 1280;
/// Blocks, in all stages together.
pub const BLOCKS: usize = 16;

pub(crate) const STEM_CHANNELS: usize = 32;

/// Blocks in a row that share their numbers; only the first has the stride and the change of channels.
struct Stage {
    kernel: usize,
    stride: usize,
    channels: usize,
    expansion: usize,
    repeats: usize,
}

const fn stage(kernel: usize, stride: usize, channels: usize, expansion: usize, repeats: usize) -> Stage {
    Stage { kernel, stride, channels, expansion, repeats }
}

/// Table 1 of the paper. Behind each, the size of its output for a segment of 96 frames and 64 bands; the stem has
/// brought it to 48 x 32.
const STAGES: [Stage; 7] = [
    stage(3, 1, 16, 1, 1),  // 48 x 32
    stage(3, 2, 24, 6, 2),  // 24 x 16
    stage(5, 2, 40, 6, 2),  // 12 x 8
    stage(3, 2, 80, 6, 3),  // 6 x 4
    stage(5, 1, 112, 6, 3), // 6 x 4
    stage(5, 2, 192, 6, 4), // 3 x 2
    stage(3, 1, 320, 6, 1), // 3 x 2
];

/// Name and numbers of every block, in order.
pub(crate) fn blocks() -> Vec<(String, BlockShape)> {
    let mut blocks = Vec::with_capacity(BLOCKS);
    let mut inputs = STEM_CHANNELS;
    for (s, stage) in STAGES.iter().enumerate() {
        for i in 0..stage.repeats {
            let stride = if i == 0 { stage.stride } else { 1 };
            let (outputs, expansion, kernel) = (stage.channels, stage.expansion, stage.kernel);
            blocks.push((format!("{PREFIX}blocks.{s}.{i}"), BlockShape { inputs, outputs, expansion, kernel, stride }));
            inputs = outputs;
        }
    }
    blocks
}

/// What each stage adds to [`Features::Stages`](super::backbone::Features::Stages) for a segment of 96 frames and 64 bands.
pub fn stage_features() -> Vec<usize> {
    let mut bands = 32;
    let features = |stage: &Stage| {
        bands /= stage.stride;
        2 * stage.channels * bands
    };
    STAGES.iter().map(features).collect()
}

/// The last block of every stage, by its number.
pub fn stage_ends() -> Vec<usize> {
    STAGES
        .iter()
        .scan(0, |blocks, stage| Some(std::mem::replace(blocks, *blocks + stage.repeats) + stage.repeats - 1))
        .collect()
}

/// The encoder.
pub struct EfficientNet {
    stem: (Param, BatchNorm),
    blocks: Vec<MbConv>,
    head: (Param, BatchNorm),
}

impl EfficientNet {
    /// Its tensors at their start, as Keras draws them.
    pub fn initial(initial: &mut Initial) {
        initial.conv(&format!("{PREFIX}conv_stem"), [STEM_CHANNELS, 1, 3, 3], STEM_CHANNELS);
        initial.batch_norm(&format!("{PREFIX}bn1"), STEM_CHANNELS);
        let mut channels = STEM_CHANNELS;
        for (name, shape) in blocks() {
            MbConv::initial(initial, &name, shape);
            channels = shape.outputs;
        }
        initial.conv(&format!("{PREFIX}conv_head"), [FEATURES, channels, 1, 1], FEATURES);
        initial.batch_norm(&format!("{PREFIX}bn2"), FEATURES);
    }

    /// The encoder over the tensors that [`initial`](EfficientNet::initial) named.
    #[track_caller]
    pub fn new(stores: Stores) -> EfficientNet {
        let with_norm = |conv: &str, bn: &str| {
            (stores.conv(&format!("{PREFIX}{conv}")), stores.batch_norm(&format!("{PREFIX}{bn}")))
        };
        EfficientNet {
            stem: with_norm("conv_stem", "bn1"),
            blocks: blocks().into_iter().map(|(name, shape)| MbConv::new(stores, &name, shape)).collect(),
            head: with_norm("conv_head", "bn2"),
        }
    }

    /// The blocks that take a stochastic depth, those with a shortcut, by their number.
    pub fn droppable() -> Vec<usize> {
        blocks().iter().enumerate().filter(|(_, (_, shape))| shape.has_shortcut()).map(|(b, _)| b).collect()
    }

    /// Shows `see` the map behind each of the seven stages.
    #[track_caller]
    pub fn each_stage(&self, cx: &Ctx, x: &Var, drop: Option<&DropMasks>, mut see: impl FnMut(&Var)) {
        let (mut map, ends) = (0, stage_ends());
        self.blocks(cx, x, drop, |y| {
            if ends.contains(&map) {
                see(y);
            }
            map += 1;
        });
    }

    /// The last feature map `[1280, N, frames / 32, bands / 32]` (rounded up). `see` is shown what each block and the
    /// head put out: 17 maps.
    #[track_caller]
    pub fn stages(&self, cx: &Ctx, x: &Var, drop: Option<&DropMasks>, mut see: impl FnMut(&Var)) -> Var {
        let y = self.blocks(cx, x, drop, &mut see);
        let (weight, bn) = &self.head;
        let storage = cx.raw_storage(y.value.len() / y.value.shape()[0]);
        let y = batch_norm(cx, &linear_in(cx, weight, &y, storage), bn, true);
        see(&y);
        y
    }

    /// What the last block puts out; `see` is shown the maps of all sixteen.
    #[track_caller]
    fn blocks(&self, cx: &Ctx, x: &Var, drop: Option<&DropMasks>, mut see: impl FnMut(&Var)) -> Var {
        let (weight, bn) = &self.stem;
        let (first, rest) = self.blocks.split_first().expect("sixteen blocks");
        let [_, n, h, w] = x.value.dims4();
        let of_first = &cx.of_stage(0);
        let storage = first.raw_storage(of_first, [STEM_CHANNELS, n, h.div_ceil(2), w.div_ceil(2)]);
        let raw = conv_stem(of_first, x, weight, 2, storage);
        let mut y = first.forward_raw(of_first, &raw, bn);
        see(&y);
        let stages = STAGES.iter().enumerate().flat_map(|(s, stage)| std::iter::repeat_n(s, stage.repeats)).skip(1);
        for ((b, block), stage) in rest.iter().enumerate().zip(stages) {
            y = block.forward(&cx.of_stage(stage), &y, drop.and_then(|masks| masks.of_block(b + 1)));
            see(&y);
        }
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_as_many_as_keras_has() {
        let mut initial = Initial::default();
        EfficientNet::initial(&mut initial);
        let count = |list: &[crate::nn::NamedArray]| list.iter().map(|a| a.data.len()).sum::<usize>();
        assert_eq!(count(&initial.params), 4_006_972);
        assert_eq!(count(&initial.state), 42_016);
    }

    #[test]
    fn stages_end_where_the_next_begins() {
        assert_eq!(stage_ends(), [0, 2, 4, 7, 10, 14, 15]);
        let values = [16 * 32, 24 * 16, 40 * 8, 80 * 4, 112 * 4, 192 * 2, 320 * 2];
        assert_eq!(stage_features(), values.map(|values| 2 * values));
    }

    #[test]
    fn blocks_may_start_as_their_shortcut() {
        let mut initial = Initial { zero_init_residual: true, ..Initial::default() };
        EfficientNet::initial(&mut initial);
        let silent = initial.params.iter().filter(|a| a.name.contains(".bn") && a.name.ends_with(".weight"));
        let silent: Vec<_> = silent.filter(|a| a.data.iter().all(|&x| x == 0.0)).map(|a| a.name.as_str()).collect();
        assert_eq!(silent.len(), EfficientNet::droppable().len());
        assert_eq!(silent[0], "encoder.blocks.1.1.bn3.weight");
    }

    #[test]
    fn names_and_shapes_are_timms() {
        let mut initial = Initial::default();
        EfficientNet::initial(&mut initial);
        let shape = |name: &str| {
            let array = initial.params.iter().chain(&initial.state).find(|a| a.name == name);
            array.unwrap_or_else(|| panic!("{name}")).shape.clone()
        };
        assert_eq!(shape("encoder.conv_stem.weight"), [32, 1, 3, 3]);
        assert_eq!(shape("encoder.blocks.0.0.conv_pw.weight"), [16, 32, 1, 1]);
        assert_eq!(shape("encoder.blocks.0.0.se.conv_reduce.weight"), [8, 32, 1, 1]);
        assert_eq!(shape("encoder.blocks.1.0.conv_dw.weight"), [96, 1, 3, 3]);
        assert_eq!(shape("encoder.blocks.1.1.se.conv_expand.weight"), [144, 6, 1, 1]);
        assert_eq!(shape("encoder.blocks.5.3.conv_pwl.weight"), [192, 1152, 1, 1]);
        assert_eq!(shape("encoder.blocks.6.0.bn3.running_var"), [320]);
        assert_eq!(shape("encoder.bn2.bias"), [1280]);
    }

    #[test]
    fn blocks_that_may_be_dropped() {
        assert_eq!(EfficientNet::droppable(), [2, 4, 6, 7, 9, 10, 12, 13, 14]);
    }
}
