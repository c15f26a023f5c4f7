//! What networks that turn segments into vectors have in common, whatever they were trained for.

use super::auto_encoder::CodesConfig;
use super::model::{ColaModel, ModelConfig};
use super::next_code::{NextCode, NextCodeConfig};
use super::{ParamStore, StateStore};
use crate::gpu::Gpu;
use crate::tape::{Ctx, Var};
use serde::{Deserialize, Serialize};

/// What decides the tensors of a network and what it computes. Stored with the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NetworkConfig {
    /// EfficientNet-B0 with COLA's heads.
    Cola(ModelConfig),
    /// A transformer over codes.
    NextCode(NextCodeConfig),
    /// What makes the codes; no encoder of segments by itself.
    Codes(CodesConfig),
}

/// A model whose tensors are kept in files.
pub trait Stored {
    /// What it was made with.
    fn network(&self) -> NetworkConfig;
    /// Every trained tensor.
    fn params(&self) -> &ParamStore;
    /// What is kept but not trained.
    fn state(&self) -> &StateStore;
    /// Whether the tensor of this name is of use without what the model was trained for: all of them, where nobody says
    /// otherwise.
    fn is_encoder(&self, _tensor: &str) -> bool {
        true
    }
}

/// A network that turns segments into vectors.
pub trait Network: Stored {
    /// Vectors `[trained_len, N]` of log-mels x `[1, N, 96, 64]`, scaled, through which the network can be trained. `step`
    /// is the training step, for what is random in it.
    #[track_caller]
    fn encode(&self, cx: &Ctx, x: &Var, step: u64) -> Var;
    /// Length of such a vector.
    fn trained_len(&self) -> usize;
    /// The vectors `[features_len, N]` that the trained network gives out; as those of [`encode`](Network::encode), they can
    /// be trained through.
    #[track_caller]
    fn features(&self, cx: &Ctx, x: &Var, step: u64) -> Var;
    /// Length of such a vector.
    fn features_len(&self) -> usize {
        self.parts().iter().sum()
    }

    /// Lengths of the parts that a vector is made of, one a stage where all stages are taken.
    fn parts(&self) -> Vec<usize>;
}

impl NetworkConfig {
    /// The network at its start. `seed` decides the initial weights; `None` of [`NetworkConfig::Codes`].
    pub fn build(&self, gpu: &Gpu, seed: u64) -> Option<Box<dyn Network>> {
        match self {
            NetworkConfig::Cola(config) => Some(Box::new(ColaModel::new(gpu, config, seed))),
            NetworkConfig::NextCode(config) => Some(Box::new(NextCode::new(gpu, config, seed))),
            NetworkConfig::Codes(_) => None,
        }
    }
}
