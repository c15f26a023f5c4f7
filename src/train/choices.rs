//! The choices that a configuration names.

use crate::tensor::Storage;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A named set of choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// What the public code of COLA does, with the paper's learning rate.
    Paper,
    /// The same loss and network with the input and the optimiser as one would set them today.
    Standard,
    /// The default: `Standard` with what later work and our own measurements add at the same cost.
    #[default]
    Strong,
}

impl Recipe {
    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Recipe::Paper => "paper",
            Recipe::Standard => "standard",
            Recipe::Strong => "strong",
        }
    }
}

/// What is learned without labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Two segments of a recording belong together (Saeed et al. 2020).
    #[default]
    Cola,
    /// A segment and what augmentation makes of it belong together (Chen et al. 2020; for audio, Verma and Smith 2020).
    Simclr,
    /// Which code comes next, given those before it (Verma and Smith 2020).
    Nextcode,
}

impl Method {
    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Method::Cola => "cola",
            Method::Simclr => "simclr",
            Method::Nextcode => "nextcode",
        }
    }
}

/// Where the level of a segment is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The whole clip is divided by its L2 norm, then cropped.
    Clip,
    /// Every crop is divided by its own L2 norm, as in testing.
    Crop,
}

/// How the log-mel is scaled before the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputScaling {
    /// As it is.
    None,
    /// Divided by 255, as Keras' EfficientNet does with pictures.
    Paper,
    /// Mean 0 and deviation 1 over the training set, measured before the first step.
    Standard,
}

impl FromStr for InputScaling {
    type Err = String;
    fn from_str(text: &str) -> Result<InputScaling, String> {
        match text {
            "none" => Ok(InputScaling::None),
            "paper" => Ok(InputScaling::Paper),
            "standard" => Ok(InputScaling::Standard),
            _ => Err(format!("'{text}' is none of none, paper, standard")),
        }
    }
}

/// Which similarity compares two segments; its temperature is a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SimilarityKind {
    /// gᵀ W g' with LayerNorm and tanh in the projection.
    Bilinear,
    /// Cosine over a temperature.
    Cosine,
}

/// Adam, or Adam with decoupled weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// `weight_decay` must be 0.
    Adam,
    /// `weight_decay` applies to weights, not to biases and norms.
    Adamw,
}

/// How the maps that a step keeps for the way back are stored. Weights, gradients, sums and all arithmetic are f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As f32.
    #[default]
    F32,
    /// Raw outputs of the convolutions as f16: half their memory. Gradients stay f32, so no loss scaling is needed.
    Mixed,
}

impl Precision {
    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Mixed => "mixed",
        }
    }

    /// Of the raw maps.
    pub fn storage(self) -> Storage {
        match self {
            Precision::F32 => Storage::F32,
            Precision::Mixed => Storage::F16,
        }
    }
}

impl FromStr for Precision {
    type Err = String;
    fn from_str(s: &str) -> Result<Precision, String> {
        let known = [Precision::F32, Precision::Mixed];
        known.into_iter().find(|p| p.name() == s).ok_or_else(|| format!("no precision '{s}': f32 or mixed"))
    }
}
