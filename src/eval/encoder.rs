//! A frozen encoder with the front end that belongs to it.

use crate::audio::{Clip, EvalLoader, SEGMENT_SAMPLES};
use crate::frontend::{FrontEnd, InputNorm};
use crate::gpu::Gpu;
use crate::nn::efficientnet::{Features, Pooling};
use crate::nn::model::{ColaModel, ModelConfig};
use crate::tape::Var;
use crate::tensor::Tensor;
use crate::train::checkpoint::{CheckpointError, Part, Weights};
use crate::train::config::InputScaling;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why an encoder could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// The weights.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file that is not one of ours.
    #[error(
        "{}: the file does not tell how the network's input was scaled; add --input-norm none, paper or standard", .0.display()
    )]
    UnknownScaling(PathBuf),
    /// A pooling that is not the one the weights were trained with.
    #[error("{}: trained with --pooling {stored}, so --pooling {asked} cannot be; leave it out", .path.display())]
    OtherPooling {
        /// The weights.
        path: PathBuf,
        /// What they say.
        stored: Pooling,
        /// What was asked for.
        asked: Pooling,
    },
}

/// What is asked for over what is stored with weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Scaling of the input; [`InputScaling::Standard`] takes the stored numbers, or where there are none measures
    /// them on audio.
    pub scaling: Option<InputScaling>,
    /// For weights that do not tell theirs, which get the paper's maximum otherwise.
    pub pooling: Option<Pooling>,
    /// What a vector is made of.
    pub features: Option<Features>,
}

/// From samples to vectors, batch norm with its running statistics.
pub struct Encoder {
    gpu: Gpu,
    model: ColaModel,
    front_end: FrontEnd,
}

impl Encoder {
    /// A model with weights, and the scaling that it was trained with.
    pub fn new(gpu: &Gpu, model: ColaModel, norm: InputNorm) -> Encoder {
        Encoder { gpu: gpu.clone(), model, front_end: FrontEnd::new(gpu, norm) }
    }

    /// The encoder of a run's folder, or of a `.safetensors` file with tensors named as ours, timm's for example.
    /// A scaling that has to be measured is measured on some of `clips`.
    ///
    /// # Errors
    /// Weights that cannot be read or are another network's, that come without a scaling when none is given, or that
    /// were trained with another pooling.
    pub fn load(
        gpu: &Gpu,
        source: &Path,
        reading: Reading,
        clips: &Arc<Vec<Clip>>,
        workers: usize,
    ) -> Result<Encoder, EncoderError> {
        let weights = Weights::open(source)?;
        let (config, norm) = settings(&weights, source, reading)?;
        let model = ColaModel::new(gpu, &config, 0);
        weights.load_into(&model, Part::Encoder)?;
        // Without a single usable clip nothing is going to be scaled.
        let norm = norm.or_else(|| measure(gpu, clips, workers)).unwrap_or(InputNorm::NONE);
        Ok(Encoder::new(gpu, model, norm))
    }

    /// The same network and scaling with the weights that it had before training.
    pub fn before_training(&self, seed: u64) -> Encoder {
        Encoder::new(&self.gpu, ColaModel::new(&self.gpu, self.model.config(), seed), self.front_end.norm)
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The network; its head is of no use here.
    pub fn model(&self) -> &ColaModel {
        &self.model
    }

    /// From samples to the network's input.
    pub fn front_end(&self) -> &FrontEnd {
        &self.front_end
    }

    /// Length of a vector.
    pub fn features(&self) -> usize {
        self.model.config().features_len()
    }

    /// Segments `[N, SEGMENT_SAMPLES]`, each of unit L2 norm, to `[features, N]`.
    ///
    /// # Panics
    /// When the segments have another length.
    #[track_caller]
    pub fn encode(&self, samples: &Tensor) -> Tensor {
        assert_eq!(samples.dims2()[1], SEGMENT_SAMPLES, "samples of a segment");
        let input = Var::constant(self.front_end.features(samples));
        self.model.features(&input)
    }
}

/// The network and the scaling of its input that weights from `source` go with: what is stored with them, over it what
/// was asked for. A scaling of `None` has yet to be measured.
///
/// # Errors
/// Weights that come without a scaling when none is asked for, or that were trained with another pooling.
pub fn settings(
    weights: &Weights,
    source: &Path,
    Reading { scaling, pooling, features }: Reading,
) -> Result<(ModelConfig, Option<InputNorm>), EncoderError> {
    let stored = weights.info().map(|info| info.model.clone());
    if let (Some(stored), Some(asked)) = (stored.as_ref().map(|model| model.pooling), pooling)
        && stored != asked
    {
        return Err(EncoderError::OtherPooling { path: source.to_owned(), stored, asked });
    }
    let bare = || ModelConfig { pooling: pooling.unwrap_or_default(), ..ModelConfig::default() };
    let norm = match (scaling, weights.info().map(|info| info.input_norm)) {
        (None | Some(InputScaling::Standard), Some(norm)) => Some(norm),
        (Some(InputScaling::None), _) => Some(InputNorm::NONE),
        (Some(InputScaling::Paper), _) => Some(InputNorm::PAPER),
        (Some(InputScaling::Standard), None) => None,
        (None, None) => return Err(EncoderError::UnknownScaling(source.to_owned())),
    };
    let mut config = stored.unwrap_or_else(bare);
    config.features = features.unwrap_or(config.features);
    Ok((config, norm))
}

/// A scaling is measured on so many clips, or minutes of long ones.
const MEASURED: usize = 256;

/// Mean and deviation of the log-mel over some of the clips, spread evenly; `None` if none of them can be used.
pub fn measure(gpu: &Gpu, clips: &Arc<Vec<Clip>>, workers: usize) -> Option<InputNorm> {
    let step = clips.len().div_ceil(MEASURED).max(1);
    let some = Arc::new(clips.iter().step_by(step).cloned().collect());
    let items = EvalLoader::start(some, workers, workers).filter_map(Result::ok).take(MEASURED);
    let segments = items.map(|item| Tensor::from_slice(gpu, &[item.starts_s.len(), SEGMENT_SAMPLES], &item.segments()));
    FrontEnd::new(gpu, InputNorm::NONE).measure(segments)
}
