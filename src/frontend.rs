//! From samples to what the encoder sees: log-mel, scaled.

use crate::gpu::Gpu;
use crate::ops::log_mel::LogMel;
use crate::ops::mel::LogMelConfig;
use crate::ops::standardise::{Moments, standardise};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How the log-mel is scaled: (x - mean) / std. It belongs to the weights and is stored with them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputNorm {
    /// Subtracted.
    pub mean: f32,
    /// Divided by.
    pub std: f32,
}

impl InputNorm {
    /// As it is.
    pub const NONE: InputNorm = InputNorm { mean: 0.0, std: 1.0 };
    /// Divided by 255, as Keras' EfficientNet does with pictures.
    pub const PAPER: InputNorm = InputNorm { mean: 0.0, std: 255.0 };
}

/// The front end of a model.
pub struct FrontEnd {
    log_mel: LogMel,
    /// Applied behind the logarithm.
    pub norm: InputNorm,
}

/// About where the log-mel of speech and music of unit L2 norm lies; [`Moments`] wants a guess.
const TYPICAL_MEAN: f32 = -4.0;

impl FrontEnd {
    /// COLA's front end with this scaling.
    pub fn new(gpu: &Gpu, norm: InputNorm) -> FrontEnd {
        FrontEnd { log_mel: LogMel::new(gpu, LogMelConfig::default()), norm }
    }

    /// Segments `[N, samples]` to the encoder's input `[1, N, frames, bands]`.
    pub fn features(&self, samples: &Tensor) -> Tensor {
        self.scale(self.log_mel(samples))
    }

    /// The log-mel by itself, `[1, N, frames, bands]`.
    pub fn log_mel(&self, samples: &Tensor) -> Tensor {
        self.log_mel.log_mel(samples)
    }

    /// What the encoder takes, from a log-mel.
    pub fn scale(&self, log_mel: Tensor) -> Tensor {
        if self.norm == InputNorm::NONE { log_mel } else { standardise(&log_mel, self.norm.mean, self.norm.std) }
    }

    /// Mean and deviation of the log-mel over batches of segments, each `[N, samples]`; `None` without any.
    pub fn measure(&self, batches: impl Iterator<Item = Tensor>) -> Option<InputNorm> {
        let mut moments = Moments::about(TYPICAL_MEAN);
        let mut any = false;
        for samples in batches {
            any |= !samples.is_empty();
            moments.add(&self.log_mel.log_mel(&samples));
        }
        let (mean, std) = any.then(|| moments.mean_std())?;
        // Silence alone has no deviation.
        Some(InputNorm { mean, std: std.max(1e-3) })
    }
}
