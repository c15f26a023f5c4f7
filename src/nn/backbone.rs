//! The network that makes feature maps of segments, which of them is chosen by name, and what is made of its maps.

use super::efficientnet::{self, EfficientNet};
use super::layers::{Initial, Stores};
use super::stochastic_depth::DropMasks;
use super::vgg::{self, Vgg};
use crate::ops::concat::concat_rows;
use crate::ops::mel::LogMelConfig;
use crate::ops::pool::{max_pool, mean_pool, pool_time, time_statistics};
use crate::tape::{Ctx, Var};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What an encoder's tensors are called in front of its own names.
pub const PREFIX: &str = "encoder.";

/// Which network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneKind {
    /// COLA's.
    #[default]
    EfficientnetB0,
    /// A VGG-11 at half the width: see [`vgg`].
    Vgg,
}

impl FromStr for BackboneKind {
    type Err = String;
    fn from_str(text: &str) -> Result<BackboneKind, String> {
        let known = [BackboneKind::EfficientnetB0, BackboneKind::Vgg];
        known
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("'{text}' is none of efficientnet-b0, vgg"))
    }
}

impl BackboneKind {
    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            BackboneKind::EfficientnetB0 => "efficientnet-b0",
            BackboneKind::Vgg => "vgg",
        }
    }

    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            BackboneKind::EfficientnetB0 => "EfficientNet-B0",
            BackboneKind::Vgg => "VGG-11 at half width",
        }
    }

    /// Its tensors at their start.
    pub fn initial(self, initial: &mut Initial) {
        match self {
            BackboneKind::EfficientnetB0 => EfficientNet::initial(initial),
            BackboneKind::Vgg => Vgg::initial(initial),
        }
    }

    /// Whether it has blocks with a shortcut, which stochastic depth skips and zero initial scales silence.
    pub fn has_shortcuts(self) -> bool {
        self == BackboneKind::EfficientnetB0
    }

    /// Channels of its last map.
    pub fn channels(self) -> usize {
        match self {
            BackboneKind::EfficientnetB0 => efficientnet::FEATURES,
            BackboneKind::Vgg => vgg::FEATURES,
        }
    }

    /// How many stages it has.
    pub fn stages(self) -> usize {
        self.stage_features().len()
    }

    /// What each stage adds to [`Features::Stages`].
    fn stage_features(self) -> Vec<usize> {
        match self {
            BackboneKind::EfficientnetB0 => efficientnet::stage_features(),
            BackboneKind::Vgg => vgg::stage_features(),
        }
    }

    /// Length of a vector of a segment.
    pub fn features(self, features: Features, pooling: Pooling) -> usize {
        self.parts(features, pooling).iter().sum()
    }

    /// Lengths of its parts: with [`Features::Stages`] the log-mel's and one a stage.
    pub fn parts(self, features: Features, pooling: Pooling) -> Vec<usize> {
        match features {
            Features::Pooled => vec![pooling.features(self.channels())],
            Features::Stages => [vec![3 * LogMelConfig::default().bands], self.stage_features()].concat(),
        }
    }
}

/// The network over its tensors.
pub enum Backbone {
    /// Of [`BackboneKind::EfficientnetB0`].
    EfficientNet(Box<EfficientNet>),
    /// Of [`BackboneKind::Vgg`].
    Vgg(Vgg),
}

impl Backbone {
    /// The network over the tensors that [`BackboneKind::initial`] named.
    #[track_caller]
    pub fn new(kind: BackboneKind, stores: Stores) -> Backbone {
        match kind {
            BackboneKind::EfficientnetB0 => Backbone::EfficientNet(Box::new(EfficientNet::new(stores))),
            BackboneKind::Vgg => Backbone::Vgg(Vgg::new(stores)),
        }
    }

    /// The last map `[channels, N, H, W]` of segments x `[1, N, frames, bands]`; no gradient goes to x. `see` is shown
    /// every map on the way, the last one, too.
    #[track_caller]
    pub fn maps(&self, cx: &Ctx, x: &Var, drop: Option<&DropMasks>, see: impl FnMut(&Var)) -> Var {
        match self {
            Backbone::EfficientNet(network) => network.stages(cx, x, drop, see),
            Backbone::Vgg(network) => network.maps(cx, x, see),
        }
    }

    /// [`Features::Stages`] `[F, N]` of segments x `[1, N, 96, 64]`: the statistics of x, to which no gradient goes, then
    /// stage by stage, the means first.
    #[track_caller]
    pub fn stage_features(&self, cx: &Ctx, x: &Var, drop: Option<&DropMasks>) -> Var {
        let mut all = Var::constant(time_statistics(&x.value));
        let add = |y: &Var| all = concat_rows(cx, &all, &pool_time(cx, y));
        match self {
            Backbone::EfficientNet(network) => network.each_stage(cx, x, drop, add),
            Backbone::Vgg(network) => {
                network.maps(cx, x, add);
            }
        }
        all
    }
}

/// What becomes of the last feature map, a plane of 3 x 2 a channel for a segment of 96 x 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Its largest element, as in the paper.
    #[default]
    Max,
    /// Its mean.
    Mean,
    /// Both, maxima first.
    MaxMean,
}

impl FromStr for Pooling {
    type Err = String;
    fn from_str(text: &str) -> Result<Pooling, String> {
        match text {
            "max" => Ok(Pooling::Max),
            "mean" => Ok(Pooling::Mean),
            "maxmean" => Ok(Pooling::MaxMean),
            _ => Err(format!("'{text}' is none of max, mean, maxmean")),
        }
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Pooling::Max => "max",
            Pooling::Mean => "mean",
            Pooling::MaxMean => "maxmean",
        })
    }
}

impl Pooling {
    /// Features of a segment whose last map has so many channels.
    pub fn features(self, channels: usize) -> usize {
        if self == Pooling::MaxMean { 2 * channels } else { channels }
    }

    /// `[C, N, H, W]` to `[C or 2 C, N]`.
    #[track_caller]
    pub fn pool(self, cx: &Ctx, x: &Var) -> Var {
        match self {
            Pooling::Max => max_pool(cx, x),
            Pooling::Mean => mean_pool(cx, x),
            Pooling::MaxMean => concat_rows(cx, &max_pool(cx, x), &mean_pool(cx, x)),
        }
    }
}

/// Which vector of a segment a frozen encoder gives out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Features {
    /// What the projection was trained on: the last map, pooled.
    #[default]
    Pooled,
    /// Mean and maximum over time of every channel and frequency behind each stage, and before them the statistics of the
    /// log-mel that a network has to beat (mean, deviation, deviation of the step of each band): 6208 features of an
    /// EfficientNet-B0, 9408 of a VGG. Early stages keep what the loss has no use for, such as which word was said.
    Stages,
}

impl FromStr for Features {
    type Err = String;
    fn from_str(text: &str) -> Result<Features, String> {
        match text {
            "pooled" => Ok(Features::Pooled),
            "stages" => Ok(Features::Stages),
            _ => Err(format!("'{text}' is none of pooled, stages")),
        }
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Features::Pooled => "pooled",
            Features::Stages => "stages",
        })
    }
}
