//! A VGG on log-mel segments: height is time, width is mel, one input channel.
//!
//! Configuration A of Simonyan and Zisserman (2015), eight 3x3 convolutions in five stages, without its dense layers, with
//! batch norm behind every convolution (Ioffe, Szegedy 2015) and half as many channels, which brings a step to a quarter of
//! the work: it is the family of the supervised row of Verma and Smith (2020), who give no sizes.
//!
//! ```text
//! stage:  (conv 3x3 ─ BN ─ relu) ×0 or 1 ─ conv 3x3 ─ BN ─ max pool 2x2 ─ relu
//! ```
//!
//! The stage's last relu follows the pooling, where it has a quarter of the elements: the largest of four is above zero
//! or not, whichever comes first.

use super::backbone::PREFIX;
use super::layers::{Initial, Stores};
use crate::ops::batch_norm::{BatchNorm, batch_norm};
use crate::ops::conv::conv3x3;
use crate::ops::depthwise::conv_stem;
use crate::ops::elementwise::{Unary, unary};
use crate::ops::pool::max_pool_2x2;
use crate::tape::{Ctx, Param, Var};

/// Channels of the last feature map.
pub const FEATURES: usize = 256;

/// Channels of each convolution, stage by stage. A segment of 96 frames and 64 bands leaves them as 48 x 32, 24 x 16, 12 x 8,
/// 6 x 4 and 3 x 2.
const STAGES: [&[usize]; 5] = [&[32], &[64], &[128, 128], &[256, 256], &[256, FEATURES]];

/// Name, channels in and channels out of every convolution, stage by stage; its batch norm is `<name>.bn`.
pub(crate) fn stages() -> Vec<Vec<(String, usize, usize)>> {
    let mut inputs = 1;
    let named = |(s, stage): (usize, &&[usize])| {
        let layers = stage.iter().enumerate().map(|(i, &outputs)| {
            let from = std::mem::replace(&mut inputs, outputs);
            (format!("{PREFIX}stages.{s}.{i}"), from, outputs)
        });
        layers.collect()
    };
    STAGES.iter().enumerate().map(named).collect()
}

/// What each stage adds to [`Features::Stages`](super::backbone::Features::Stages) for a segment of 96 frames and 64 bands.
pub fn stage_features() -> Vec<usize> {
    let channels = STAGES.iter().map(|stage| stage[stage.len() - 1]);
    channels.enumerate().map(|(s, channels)| 2 * channels * (64 >> (s + 1))).collect()
}

/// The encoder.
pub struct Vgg {
    stages: Vec<Vec<(Param, BatchNorm)>>,
}

impl Vgg {
    /// Its tensors at their start.
    pub fn initial(initial: &mut Initial) {
        for (name, inputs, outputs) in stages().into_iter().flatten() {
            initial.conv(&format!("{name}.conv"), [outputs, inputs, 3, 3], outputs);
            initial.batch_norm(&format!("{name}.bn"), outputs);
        }
    }

    /// The encoder over the tensors that [`initial`](Vgg::initial) named.
    #[track_caller]
    pub fn new(stores: Stores) -> Vgg {
        let layer = |(name, ..): (String, usize, usize)| {
            (stores.conv(&format!("{name}.conv")), stores.batch_norm(&format!("{name}.bn")))
        };
        Vgg { stages: stages().into_iter().map(|stage| stage.into_iter().map(layer).collect()).collect() }
    }

    /// The last feature map `[256, N, frames / 32, bands / 32]` of segments x `[1, N, frames, bands]`, both multiples of 32;
    /// no gradient goes to x. `see` is shown the map behind each stage.
    #[track_caller]
    pub fn maps(&self, cx: &Ctx, x: &Var, mut see: impl FnMut(&Var)) -> Var {
        let mut y = x.clone();
        for (s, stage) in self.stages.iter().enumerate() {
            let cx = &cx.of_stage(s);
            for (i, (weight, bn)) in stage.iter().enumerate() {
                let storage = cx.raw_storage(y.value.len() / y.value.shape()[0]);
                let raw = match (s, i) {
                    (0, 0) => conv_stem(cx, &y, weight, 1, storage),
                    _ => conv3x3(cx, &y, weight, storage),
                };
                y = batch_norm(cx, &raw, bn, false);
                if i + 1 == stage.len() {
                    y = max_pool_2x2(cx, &y);
                }
                y = unary(cx, Unary::Relu, &y);
            }
            see(&y);
        }
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_those_of_eight_convolutions() {
        let mut initial = Initial::default();
        Vgg::initial(&mut initial);
        let convolutions: Vec<_> = initial.params.iter().filter(|a| a.name.ends_with(".conv.weight")).collect();
        let shapes: Vec<_> = convolutions.iter().map(|a| (a.shape[0], a.shape[1])).collect();
        let wanted = [(32, 1), (64, 32), (128, 64), (128, 128), (256, 128), (256, 256), (256, 256), (256, 256)];
        assert_eq!(shapes, wanted);
        assert_eq!(convolutions[3].name, "encoder.stages.2.1.conv.weight");
        let count: usize = initial.params.iter().map(|a| a.data.len()).sum();
        let (weights, channels): (Vec<_>, Vec<_>) = wanted.iter().map(|&(o, i)| (9 * o * i, o)).unzip();
        assert_eq!(count, weights.iter().sum::<usize>() + 2 * channels.iter().sum::<usize>());
        assert_eq!(count, 2_307_040);
        assert_eq!(stage_features().iter().sum::<usize>(), 9216);
    }
}
