//! The whole COLA model: encoder, projection, similarity, over one store of parameters and one of running statistics.

use super::backbone::{Backbone, BackboneKind, Features, PREFIX, Pooling};
use super::cola::{ColaHead, Similarity};
use super::layers::{Initial, Stores};
use super::network::{Network, NetworkConfig, Stored};
use super::stochastic_depth::DropMasks;
use super::{ParamStore, StateStore};
use crate::gpu::Gpu;
use crate::tape::{Ctx, Var};
use serde::{Deserialize, Serialize};

/// What decides the tensors of a model and what it computes. Stored with the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// The network that makes feature maps.
    #[serde(default)]
    pub encoder: BackboneKind,
    /// How two segments are compared; the cosine has neither LayerNorm nor W.
    pub similarity: Similarity,
    /// What becomes of the last feature map.
    pub pooling: Pooling,
    /// Width of the projection.
    pub embedding: usize,
    /// Rate of stochastic depth, 0 for none: see [`DropMasks`].
    pub stochastic_depth: f64,
    /// Weight of a new batch in batch norm's running statistics (torch's convention; Keras' 0.99 is 0.01).
    pub bn_momentum: f32,
    /// Whether the batch norm that ends a block's branch starts at scale 0, so that the block starts as its shortcut
    /// (Goyal et al. 2017). A random branch adds what all segments have in common, nine times over: without it
    /// features of a young network lie close to a few directions.
    #[serde(default)]
    pub zero_init_residual: bool,
    /// What is given out once it is trained.
    #[serde(default)]
    pub features: Features,
}

impl Default for ModelConfig {
    /// The paper's, without stochastic depth.
    fn default() -> ModelConfig {
        ModelConfig {
            encoder: BackboneKind::EfficientnetB0,
            similarity: Similarity::Bilinear,
            pooling: Pooling::Max,
            embedding: 512,
            stochastic_depth: 0.0,
            bn_momentum: 0.01,
            zero_init_residual: false,
            features: Features::Pooled,
        }
    }
}

impl ModelConfig {
    /// The same around another encoder.
    pub fn with_encoder(self, encoder: BackboneKind) -> ModelConfig {
        match encoder.has_shortcuts() {
            true => ModelConfig { encoder, ..self },
            // nothing to skip or to silence
            false => ModelConfig { encoder, stochastic_depth: 0.0, zero_init_residual: false, ..self },
        }
    }
}

/// Encoder and heads.
pub struct ColaModel {
    /// Every trained tensor.
    pub params: ParamStore,
    /// The running statistics of batch norm.
    pub state: StateStore,
    /// Segments to feature maps. It and the head hold slices of the two stores.
    pub encoder: Backbone,
    /// Projection and similarity.
    pub head: ColaHead,
    config: ModelConfig,
    seed: u64,
}

impl ColaModel {
    /// A model at its start. `seed` decides the initial weights and which blocks stochastic depth skips.
    pub fn new(gpu: &Gpu, config: &ModelConfig, seed: u64) -> ColaModel {
        let zero_init_residual = config.zero_init_residual;
        let mut initial = Initial { seed, zero_init_residual, ..Initial::default() };
        config.encoder.initial(&mut initial);
        let features = config.pooling.features(config.encoder.channels());
        initial.params.extend(ColaHead::initial(features, config.embedding, config.similarity, seed));
        let params = ParamStore::build(gpu, &initial.params);
        let state = StateStore::build(gpu, &initial.state);
        let stores = Stores { params: &params, state: &state, bn_momentum: config.bn_momentum };
        let encoder = Backbone::new(config.encoder, stores);
        let head = ColaHead::new(&params, config.similarity);
        ColaModel { params, state, encoder, head, config: config.clone(), seed }
    }

    /// What it was made with.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Features h `[F, N]`, the pooled last map, of segments x `[1, N, frames, bands]`. In training mode, stochastic depth skips
    /// what it skips at training step `step`.
    #[track_caller]
    pub fn encode(&self, cx: &Ctx, x: &Var, step: u64) -> Var {
        let masks = self.drop_masks(cx, x, step);
        self.config.pooling.pool(cx, &self.encoder.maps(cx, x, masks.as_ref(), |_| ()))
    }

    fn drop_masks(&self, cx: &Ctx, x: &Var, step: u64) -> Option<DropMasks> {
        let rate = self.config.stochastic_depth;
        let segments = x.value.dims4()[1];
        (cx.training && rate > 0.0).then(|| DropMasks::draw(cx.gpu, rate, segments, self.seed, step))
    }
}

impl Stored for ColaModel {
    fn network(&self) -> NetworkConfig {
        NetworkConfig::Cola(self.config.clone())
    }
    fn params(&self) -> &ParamStore {
        &self.params
    }
    fn state(&self) -> &StateStore {
        &self.state
    }
    fn is_encoder(&self, tensor: &str) -> bool {
        tensor.starts_with(PREFIX)
    }
}

impl Network for ColaModel {
    fn encode(&self, cx: &Ctx, x: &Var, step: u64) -> Var {
        ColaModel::encode(self, cx, x, step)
    }
    fn trained_len(&self) -> usize {
        self.config.pooling.features(self.config.encoder.channels())
    }
    fn features(&self, cx: &Ctx, x: &Var, step: u64) -> Var {
        match self.config.features {
            Features::Pooled => self.encode(cx, x, step),
            Features::Stages => self.encoder.stage_features(cx, x, self.drop_masks(cx, x, step).as_ref()),
        }
    }
    fn parts(&self) -> Vec<usize> {
        self.config.encoder.parts(self.config.features, self.config.pooling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_model_has_the_parameters_of_the_paper() {
        let counts = |similarity, pooling| {
            let mut initial = Initial::default();
            BackboneKind::default().initial(&mut initial);
            let head = ColaHead::initial(Pooling::features(pooling, 1280), 512, similarity, 0);
            let sum =
                |prefix: &str| head.iter().filter(|a| a.name.starts_with(prefix)).map(|a| a.data.len()).sum::<usize>();
            (sum("projection."), sum("similarity."))
        };
        let cosine = |learned| Similarity::Cosine { temperature: 0.2, learned };
        assert_eq!(counts(cosine(true), Pooling::Max), (655_872, 1));
        assert_eq!(counts(Similarity::Bilinear, Pooling::Max), (656_896, 262_144));
        assert_eq!(counts(cosine(false), Pooling::Max), (655_872, 0));
        assert_eq!(counts(Similarity::Bilinear, Pooling::MaxMean), (656_896 + 512 * 1280, 262_144));
    }
}
