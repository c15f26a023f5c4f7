//! COLA's heads (Saeed, Grangier, Zeghidour 2020): projection, similarity, contrastive loss.
//!
//! ```text
//! h [features][2B]                encoder output: columns 0..B are anchors, B..2B their positives in the same order
//! z = tanh(LayerNorm(dense(h)))   bilinear; with the cosine similarity z = dense(h)
//! logits[i][j] = z_iᵀ W z'_j      bilinear; or cos(z_i, z'_j) / temperature
//! loss = mean_i -ln softmax(logits[i])[i]
//! ```
//!
//! One direction only: anchor i is to pick its positive among all positives; other anchors are never negatives. Asked
//! for, the loss is the mean of both directions, or SimCLR's, where every segment picks its other half among all others.
//! The temperature of the cosine can be learned (as in CLIP, Radford et al.
//! 2021): logits are then multiplied by a trained number that starts at 1.
//! What is transferred after training is h; everything here is dropped.

use super::{Init, NamedArray, ParamStore};
use crate::gpu::Gpu;
use crate::ops::bias::bias;
use crate::ops::columns::columns;
use crate::ops::elementwise::{Unary, add_scaled, reshape, scale, unary};
use crate::ops::l2_normalise::l2_normalise;
use crate::ops::layer_norm::layer_norm;
use crate::ops::matmul::{linear, matmul_tn};
use crate::ops::softmax_xent::{Samples, SoftmaxXent, softmax_xent};
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Keras' default for LayerNormalization.
const LAYER_NORM_EPS: f32 = 1e-3;
/// Smallest squared length of an embedding that the cosine divides by.
const COSINE_EPS: f32 = 1e-9;
/// Keras' `random_normal`.
const BILINEAR_STD: f64 = 0.05;

/// How alike two projected segments are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Similarity {
    /// zᵀ W z' with a trained W, no temperature.
    Bilinear,
    /// Cosine of the angle over a temperature.
    Cosine {
        /// 0.2 in the paper.
        temperature: f32,
        /// Whether it is only where a learned one starts.
        #[serde(default)]
        learned: bool,
    },
}

/// Among which segments the other half of a pair has to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contrast {
    /// Anchors choose among the positives: COLA.
    OneWay,
    /// Positives choose among the anchors, too; the mean of both losses.
    BothWays,
    /// All segments, anchors and positives, choose among all others: NT-Xent (Chen et al. 2020, "SimCLR", eq. 1).
    All,
}

/// What is right in a batch. Made once for a batch size.
pub struct Targets {
    contrast: Contrast,
    /// For each that chooses, `u32`.
    ids: Tensor,
    /// For [`Contrast::All`]: what keeps segments from choosing themselves, `[2B, 2B]`.
    not_itself: Option<Tensor>,
}

/// Added to the logit of a segment and itself: exp of it is 0.
const NEVER: f32 = -1e9;

impl Targets {
    /// For so many pairs.
    pub fn new(gpu: &Gpu, pairs: usize, contrast: Contrast) -> Targets {
        let segments = 2 * pairs;
        let upload = |ids: Vec<u32>| Tensor::from_slice(gpu, &[ids.len()], &ids);
        match contrast {
            Contrast::All => {
                let own = |i: usize| if i.is_multiple_of(segments + 1) { NEVER } else { 0.0 };
                let own: Vec<f32> = (0..segments * segments).map(own).collect();
                let ids = upload((0..segments).map(|i| ((i + pairs) % segments) as u32).collect());
                Targets { contrast, ids, not_itself: Some(Tensor::from_slice(gpu, &[segments, segments], &own)) }
            }
            _ => Targets { contrast, ids: upload((0..pairs as u32).collect()), not_itself: None },
        }
    }

    /// In the batch.
    pub fn pairs(&self) -> usize {
        self.choices() / if self.contrast == Contrast::All { 2 } else { 1 }
    }

    /// What segments choose among.
    pub fn contrast(&self) -> Contrast {
        self.contrast
    }

    /// How many choose: what [`SoftmaxXent::correct`] counts of.
    pub fn choices(&self) -> usize {
        self.ids.len()
    }
}

/// From encoder features to the embeddings that are compared.
pub struct ProjectionHead {
    weight: Param,
    bias: Param,
    /// Scale and offset of LayerNorm, which tanh follows; only with the bilinear similarity.
    norm: Option<(Param, Param)>,
}

impl ProjectionHead {
    /// z `[embedding][N]` of features h `[features][N]`.
    #[track_caller]
    pub fn forward(&self, cx: &Ctx, h: &Var) -> Var {
        let z = bias(cx, &linear(cx, &self.weight, h), &self.bias);
        match &self.norm {
            Some((gamma, beta)) => unary(cx, Unary::Tanh, &layer_norm(cx, &z, gamma, beta, LAYER_NORM_EPS)),
            None => z,
        }
    }
}

/// The similarity with what it needs.
enum Compare {
    Bilinear(Param),
    Cosine {
        temperature: f32,
        /// Multiplies the logits, `[1, 1]`.
        scale: Option<Param>,
    },
}

/// Projection and similarity.
pub struct ColaHead {
    /// The projection.
    pub projection: ProjectionHead,
    compare: Compare,
}

impl ColaHead {
    /// The head's parameters at their start: a Glorot dense layer and, with the bilinear similarity, LayerNorm's ones
    /// and zeros and a normal W.
    pub fn initial(features: usize, embedding: usize, similarity: Similarity, seed: u64) -> Vec<NamedArray> {
        let dense = Init::GlorotUniform { fan_in: features, fan_out: embedding };
        let mut arrays = vec![
            dense.array(seed, "projection.dense.weight", &[embedding, features]),
            Init::Zeros.array(seed, "projection.dense.bias", &[embedding]),
        ];
        match similarity {
            Similarity::Bilinear => {
                let normal = Init::Normal { std: BILINEAR_STD };
                arrays.extend([
                    Init::Ones.array(seed, "projection.norm.weight", &[embedding]),
                    Init::Zeros.array(seed, "projection.norm.bias", &[embedding]),
                    normal.array(seed, "similarity.weight", &[embedding, embedding]),
                ]);
            }
            Similarity::Cosine { learned: true, .. } => {
                arrays.push(Init::Ones.array(seed, "similarity.scale", &[1, 1]));
            }
            Similarity::Cosine { learned: false, .. } => (),
        }
        arrays
    }

    /// The head over the parameters that [`initial`](ColaHead::initial) named.
    #[track_caller]
    pub fn new(params: &ParamStore, similarity: Similarity) -> ColaHead {
        let (norm, compare) = match similarity {
            Similarity::Bilinear => (
                Some((params.get("projection.norm.weight"), params.get("projection.norm.bias"))),
                Compare::Bilinear(params.get("similarity.weight")),
            ),
            Similarity::Cosine { temperature, learned } => {
                (None, Compare::Cosine { temperature, scale: learned.then(|| params.get("similarity.scale")) })
            }
        };
        let (weight, bias) = (params.get("projection.dense.weight"), params.get("projection.dense.bias"));
        ColaHead { projection: ProjectionHead { weight, bias, norm }, compare }
    }

    /// Logits `[B][B]`, anchors by positives, of features h `[features][2B]`: B anchors, then their positives.
    ///
    /// # Panics
    /// When the number of columns is odd.
    #[track_caller]
    pub fn logits(&self, cx: &Ctx, h: &Var) -> Var {
        let [_, segments] = h.value.dims2();
        assert!(segments.is_multiple_of(2), "{segments} segments: as many anchors as positives wanted");
        let z = self.embed(cx, h);
        self.compare(cx, &columns(cx, &z, 0..segments / 2), &columns(cx, &z, segments / 2..segments))
    }

    /// What is compared, `[embedding][N]`: the projection, of unit length for the cosine.
    #[track_caller]
    fn embed(&self, cx: &Ctx, h: &Var) -> Var {
        let z = self.projection.forward(cx, h);
        match &self.compare {
            Compare::Bilinear(_) => z,
            Compare::Cosine { .. } => l2_normalise(cx, &z, COSINE_EPS),
        }
    }

    // ANCHOR: compare
    /// Logits `[N][M]` of embeddings a `[embedding][N]` and b `[embedding][M]`.
    #[track_caller]
    fn compare(&self, cx: &Ctx, a: &Var, b: &Var) -> Var {
        match &self.compare {
            Compare::Bilinear(w) => matmul_tn(cx, a, &linear(cx, w, b)),
            Compare::Cosine { temperature, scale: learned } => {
                let logits = scale(cx, 1.0 / temperature, &matmul_tn(cx, a, b));
                match learned {
                    None => logits,
                    Some(factor) => {
                        let shape = logits.value.shape().to_vec();
                        let flat = reshape(cx, &logits, &[1, logits.value.len()]);
                        reshape(cx, &linear(cx, factor, &flat), &shape)
                    }
                }
            }
        }
    }
    // ANCHOR_END: compare

    /// Loss, and how many pick their own other half.
    ///
    /// # Panics
    /// When h is not of as many pairs as the targets, or [`Contrast::All`] meets the bilinear similarity, which compares
    /// in one direction only.
    #[track_caller]
    pub fn loss(&self, cx: &Ctx, h: &Var, targets: &Targets) -> SoftmaxXent {
        if let Some(not_itself) = &targets.not_itself {
            assert!(matches!(self.compare, Compare::Cosine { .. }), "all against all with the bilinear similarity");
            let z = self.embed(cx, h);
            let logits = add_scaled(cx, 1.0, &self.compare(cx, &z, &z), 1.0, &Var::constant(not_itself.clone()));
            return softmax_xent(cx, &logits, Samples::Rows, &targets.ids);
        }
        let logits = self.logits(cx, h);
        let forth = softmax_xent(cx, &logits, Samples::Rows, &targets.ids);
        if targets.contrast == Contrast::OneWay {
            return forth;
        }
        let back = softmax_xent(cx, &logits, Samples::Columns, &targets.ids);
        SoftmaxXent { loss: add_scaled(cx, 0.5, &forth.loss, 0.5, &back.loss), ..forth }
    }
}
