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
//! for, the loss is the mean of both directions. The temperature of the cosine can be learned (as in CLIP, Radford et al.
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
        let halves = |z: &Var| (columns(cx, z, 0..segments / 2), columns(cx, z, segments / 2..segments));
        let z = self.projection.forward(cx, h);
        match &self.compare {
            Compare::Bilinear(w) => {
                let (anchors, positives) = halves(&z);
                matmul_tn(cx, &anchors, &linear(cx, w, &positives))
            }
            Compare::Cosine { temperature, scale: learned } => {
                let (anchors, positives) = halves(&l2_normalise(cx, &z, COSINE_EPS));
                let logits = scale(cx, 1.0 / temperature, &matmul_tn(cx, &anchors, &positives));
                match learned {
                    None => logits,
                    Some(factor) => {
                        let pairs = segments / 2;
                        let flat = reshape(cx, &logits, &[1, pairs * pairs]);
                        reshape(cx, &linear(cx, factor, &flat), &[pairs, pairs])
                    }
                }
            }
        }
    }

    /// Loss, and how many anchors pick their own positive; `targets` from [`diagonal`]. With `symmetric`, the loss is the
    /// mean of that and of the positives picking their anchors.
    #[track_caller]
    pub fn loss(&self, cx: &Ctx, h: &Var, targets: &Tensor, symmetric: bool) -> SoftmaxXent {
        let logits = self.logits(cx, h);
        let forth = softmax_xent(cx, &logits, Samples::Rows, targets);
        if !symmetric {
            return forth;
        }
        let back = softmax_xent(cx, &logits, Samples::Columns, targets);
        SoftmaxXent { loss: add_scaled(cx, 0.5, &forth.loss, 0.5, &back.loss), ..forth }
    }
}

/// The targets of a batch: the positive of anchor i is column i. Made once for a batch size.
pub fn diagonal(gpu: &Gpu, pairs: usize) -> Tensor {
    let targets: Vec<u32> = (0..pairs as u32).collect();
    Tensor::from_slice(gpu, &[pairs], &targets)
}
