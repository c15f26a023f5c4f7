//! The configuration of a run, key by key, and the recipes that fill it with defaults.

use super::augment::Augmentation;
use super::bytes::Bytes;
use super::choices::{InputScaling, Level, Method, OptimizerKind, Precision, Recipe, SimilarityKind};
use crate::nn::backbone::{BackboneKind, Features, Pooling};
use crate::nn::transformer::Positions;
use crate::optim::{Decay, EpsConvention};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that decides what a run computes, and how it is carried out. Keys of the file are the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// What is learned.
    pub method: Method,
    /// Where the defaults come from.
    pub recipe: Recipe,
    /// Folder, list file or manifest.
    pub data: PathBuf,
    /// Weights that the encoder starts from: a run's folder or a `.safetensors` file. Empty: it starts at random.
    pub init: PathBuf,
    /// Share of the recordings that is never trained on, for measuring.
    pub held_out: f64,
    /// Decides the initial weights, the order of the data, the crops and the noise.
    pub seed: u64,

    /// Length of the run in steps; of `steps`, `epochs` and `minutes` one is above 0.
    pub steps: u64,
    /// Length in passes over the data.
    pub epochs: u64,
    /// Length in minutes of wall time, turned into steps once the first ten have been timed.
    pub minutes: f64,
    /// Pairs a step.
    pub batch: usize,
    /// Pairs that go through the encoder together, which memory grows with; 0 for the whole batch. The gradient is that of
    /// the whole batch; batch norm takes its statistics from a chunk.
    pub chunk: usize,

    /// Where the level of a segment is taken from.
    pub level: Level,
    /// Standard deviation of the noise added to the positive.
    pub noise: f64,
    /// Most of another segment that is mixed into each, as a share of magnitudes; 0 for none.
    pub mixup: f64,
    /// What happens to the positive, in the order of [`Augmentation::ALL`].
    pub augment: Vec<Augmentation>,
    /// How the log-mel is scaled.
    pub input_norm: InputScaling,
    /// Whether the encoder sees a random part of each log-mel, stretched to the whole.
    pub resize_crop: bool,
    /// Whether stripes of the positive's log-mel are set to its mean.
    pub mask: bool,

    /// The network that is trained, with `cola` and `simclr`.
    pub encoder: BackboneKind,
    /// Its first stages that stay as they start.
    pub frozen_stages: usize,
    /// How two projected segments are compared.
    pub similarity: SimilarityKind,
    /// Divides the cosine; the bilinear similarity has none.
    pub temperature: f64,
    /// Whether the temperature is only where a learned one starts.
    pub learn_temperature: bool,
    /// Whether positives have to pick their anchors, too.
    pub symmetric: bool,
    /// What becomes of the last feature map.
    pub pooling: Pooling,
    /// What the trained encoder gives out.
    pub features: Features,
    /// Rate of the last block; block b of 16 has b / 16 of it. 0 for none.
    pub stochastic_depth: f64,
    /// Weight of a new batch in batch norm's running statistics (torch's convention; Keras' 0.99 is 0.01).
    pub bn_momentum: f64,
    /// Whether a block with a shortcut starts as nothing but its shortcut.
    pub zero_init_residual: bool,

    /// Frames of a patch, with `nextcode`, as all up to `dropout`.
    pub patch_frames: usize,
    /// Mel bands of a patch.
    pub patch_bands: usize,
    /// Numbers that the auto-encoder makes of a patch.
    pub bottleneck: usize,
    /// Number of codes, K.
    pub codes: usize,
    /// Steps that the auto-encoder is trained for, before those of the run.
    pub codes_steps: u64,
    /// Vectors a round of k-means; 0 for all.
    pub codes_batch: usize,
    /// Codes of a sequence; 0 for those of a segment.
    pub context: usize,
    /// Blocks of the transformer.
    pub layers: usize,
    /// Length of its states.
    pub width: usize,
    /// Heads of its attention.
    pub heads: usize,
    /// How it knows where a code stands.
    pub positions: Positions,
    /// Rate of its dropout.
    pub dropout: f64,

    /// How maps are stored for the way back.
    pub precision: Precision,

    /// Adam or AdamW.
    pub optimizer: OptimizerKind,
    /// Highest learning rate.
    pub lr: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// What follows.
    pub schedule: Decay,
    /// Decoupled weight decay, for `adamw`.
    pub weight_decay: f64,
    /// Gradients of a larger norm are scaled down to it; 0 for no limit.
    pub clip: f64,
    /// Which of the two places Adam's epsilon stands in.
    pub adam_eps: EpsConvention,

    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// RAM for decoded audio.
    pub cache: Bytes,
    /// Threads that decode audio.
    pub workers: usize,
    /// `best`, an index, or part of a name.
    pub adapter: String,
    /// `auto`, or a tier of kernels.
    pub tier: String,
    /// Most device memory to hold; 0 for no limit.
    pub memory_budget: Bytes,
    /// Whether kernels get the settings that are fastest on the adapter; results are the same.
    pub tune: bool,
    /// The first bad file ends the run.
    pub strict: bool,
}

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        TrainConfig::of(Recipe::default())
    }
}

impl TrainConfig {
    /// The table of a recipe: what they differ in.
    pub fn of(recipe: Recipe) -> TrainConfig {
        match recipe {
            Recipe::Paper => TrainConfig {
                level: Level::Clip,
                noise: 0.001,
                input_norm: InputScaling::Paper,
                stochastic_depth: 0.2,
                bn_momentum: 0.01,
                adam_eps: EpsConvention::Keras,
                lr: 1e-4,
                warmup: 0,
                schedule: Decay::Constant,
                ..TrainConfig::shared(recipe)
            },
            Recipe::Strong => TrainConfig {
                recipe,
                // Learns to tell recordings apart in less than a third of the steps that the bilinear similarity takes.
                similarity: SimilarityKind::Cosine,
                temperature: 0.1,
                // What the loss has no use for is dropped on the way to the last map, but is what some tasks ask for.
                features: Features::Stages,
                // At random they tell words apart better than after some hundred steps.
                frozen_stages: 5,
                ..TrainConfig::of(Recipe::Standard)
            },
            Recipe::Standard => TrainConfig {
                level: Level::Crop,
                noise: 0.0,
                input_norm: InputScaling::Standard,
                // Adam's first steps are large and all point one way: blocks that have yet to open keep features apart.
                zero_init_residual: true,
                // Short runs underfit: they have no use for it, and a probe sees steadier features without.
                stochastic_depth: 0.0,
                // Keras' 0.01 lags a hundred steps behind the weights, a good part of a short run.
                bn_momentum: 0.1,
                adam_eps: EpsConvention::PyTorch,
                lr: 1e-3,
                warmup: 50,
                schedule: Decay::Cosine,
                ..TrainConfig::shared(recipe)
            },
        }
    }

    /// The same for another method: what a recipe's choices become where it needs others.
    pub fn with_method(self, method: Method) -> TrainConfig {
        match method {
            Method::Cola => self,
            Method::Simclr => TrainConfig {
                method,
                augment: Augmentation::DEFAULT.to_vec(),
                // Pairs were measured to gain by frozen stages, views were not.
                frozen_stages: 0,
                // The bilinear similarity compares in one direction only.
                similarity: SimilarityKind::Cosine,
                temperature: 0.1,
                ..self
            },
            Method::Nextcode => TrainConfig {
                method,
                frozen_stages: 0,
                // The paper's noise tells a positive from its anchor; here is neither.
                noise: 0.0,
                // Auto-encoder and k-means want numbers of about 1.
                input_norm: InputScaling::Standard,
                lr: 5e-4,
                warmup: 50,
                schedule: Decay::Cosine,
                // Customary for transformers: attention now and then sends a gradient many times as large as the rest.
                clip: 1.0,
                ..self
            },
        }
    }

    /// The same for another encoder: without shortcuts there is nothing to skip or to silence, and which stages of a VGG
    /// had better stay as they start has not been measured.
    pub fn with_encoder(self, encoder: BackboneKind) -> TrainConfig {
        match encoder.has_shortcuts() {
            true => TrainConfig { encoder, ..self },
            false => {
                TrainConfig { encoder, stochastic_depth: 0.0, zero_init_residual: false, frozen_stages: 0, ..self }
            }
        }
    }

    /// What the recipes have in common.
    fn shared(recipe: Recipe) -> TrainConfig {
        TrainConfig {
            method: Method::Cola,
            recipe,
            data: PathBuf::new(),
            init: PathBuf::new(),
            held_out: 0.0,
            seed: 0,
            steps: 0,
            epochs: 100,
            minutes: 0.0,
            batch: 64,
            chunk: 0,
            level: Level::Crop,
            noise: 0.0,
            mixup: 0.0,
            augment: Vec::new(),
            input_norm: InputScaling::None,
            resize_crop: false,
            mask: false,
            encoder: BackboneKind::EfficientnetB0,
            frozen_stages: 0,
            similarity: SimilarityKind::Bilinear,
            temperature: 0.2,
            learn_temperature: false,
            symmetric: false,
            pooling: Pooling::Max,
            features: Features::Pooled,
            stochastic_depth: 0.0,
            bn_momentum: 0.01,
            zero_init_residual: false,
            patch_frames: 4,
            patch_bands: 16,
            bottleneck: 64,
            codes: 128,
            codes_steps: 300,
            codes_batch: 0,
            context: 0,
            layers: 6,
            width: 256,
            heads: 8,
            positions: Positions::Rotary,
            dropout: 0.0,
            precision: Precision::F32,
            optimizer: OptimizerKind::Adam,
            lr: 1e-4,
            warmup: 0,
            schedule: Decay::Constant,
            weight_decay: 0.0,
            clip: 0.0,
            adam_eps: EpsConvention::PyTorch,
            checkpoint_every: 200,
            cache: Bytes(2_000_000_000),
            workers: std::thread::available_parallelism().map_or(2, |n| n.get().min(8)),
            adapter: "best".into(),
            tier: "auto".into(),
            memory_budget: Bytes(0),
            tune: true,
            strict: false,
        }
    }
}
