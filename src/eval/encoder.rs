//! A frozen encoder with the front end that belongs to it.

use crate::audio::{Clip, EvalLoader, SEGMENT_SAMPLES};
use crate::frontend::{FrontEnd, InputNorm};
use crate::gpu::Gpu;
use crate::nn::backbone::{BackboneKind, Features, Pooling};
use crate::nn::model::{ColaModel, ModelConfig};
use crate::nn::network::{Network, NetworkConfig};
use crate::tape::{Ctx, Var};
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
    /// Codes without what was trained on them.
    #[error("{}: these are codes alone, no network over them; name the folder of the run that they lie in", .0.display())]
    CodesAlone(PathBuf),
    /// A choice that the network does not have.
    #[error("{}: trained with --method nextcode, which gives out the mean of its states; leave --pooling and --features out", .0.display())]
    NoChoice(PathBuf),
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
    network: Box<dyn Network>,
    front_end: FrontEnd,
}

impl Encoder {
    /// A network with weights, and the scaling that it was trained with.
    pub fn new(gpu: &Gpu, network: Box<dyn Network>, norm: InputNorm) -> Encoder {
        Encoder { gpu: gpu.clone(), network, front_end: FrontEnd::new(gpu, norm) }
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
        let network = config.build(gpu, 0).ok_or_else(|| EncoderError::CodesAlone(source.to_owned()))?;
        weights.load_into(&*network, Part::Encoder)?;
        // Without a single usable clip nothing is going to be scaled.
        let norm = norm.or_else(|| measure(gpu, clips, workers)).unwrap_or(InputNorm::NONE);
        Ok(Encoder::new(gpu, network, norm))
    }

    /// The same network and scaling with the weights that it had before training.
    pub fn before_training(&self, seed: u64) -> Encoder {
        let network = self.network.network().build(&self.gpu, seed).expect("one that was built before");
        Encoder::new(&self.gpu, network, self.front_end.norm)
    }

    /// Another network in place of this one, untrained and under the same scaling; `otherwise` is around it where this one
    /// is no encoder with COLA's heads.
    pub fn other(&self, kind: BackboneKind, otherwise: ModelConfig, seed: u64) -> Encoder {
        let config = match self.network.network() {
            NetworkConfig::Cola(config) => config,
            _ => otherwise,
        };
        let network = ColaModel::new(&self.gpu, &config.with_encoder(kind), seed);
        Encoder::new(&self.gpu, Box::new(network), self.front_end.norm)
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The network; a head that it was trained with is of no use here.
    pub fn network(&self) -> &dyn Network {
        &*self.network
    }

    /// From samples to the network's input.
    pub fn front_end(&self) -> &FrontEnd {
        &self.front_end
    }

    /// Length of a vector.
    pub fn features(&self) -> usize {
        self.network.features_len()
    }

    /// Lengths of the parts that a vector is made of, one a stage where all stages are taken.
    pub fn parts(&self) -> Vec<usize> {
        self.network.parts()
    }

    /// Segments `[N, SEGMENT_SAMPLES]`, each of unit L2 norm, to `[features, N]`.
    ///
    /// # Panics
    /// When the segments have another length.
    #[track_caller]
    pub fn encode(&self, samples: &Tensor) -> Tensor {
        assert_eq!(samples.dims2()[1], SEGMENT_SAMPLES, "samples of a segment");
        let input = Var::constant(self.front_end.features(samples));
        self.network.features(&Ctx::inference(&self.gpu), &input, 0).value
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
) -> Result<(NetworkConfig, Option<InputNorm>), EncoderError> {
    let config = match weights.info().map(|info| info.model.clone()) {
        Some(NetworkConfig::Cola(stored)) => {
            if let Some(asked) = pooling.filter(|&asked| asked != stored.pooling) {
                let (path, stored) = (source.to_owned(), stored.pooling);
                return Err(EncoderError::OtherPooling { path, stored, asked });
            }
            NetworkConfig::Cola(ModelConfig { features: features.unwrap_or(stored.features), ..stored })
        }
        Some(_) if pooling.is_some() || features.is_some() => {
            return Err(EncoderError::NoChoice(source.to_owned()));
        }
        Some(other) => other,
        None => NetworkConfig::Cola(ModelConfig {
            pooling: pooling.unwrap_or_default(),
            features: features.unwrap_or_default(),
            ..ModelConfig::default()
        }),
    };
    let norm = match (scaling, weights.info().map(|info| info.input_norm)) {
        (None | Some(InputScaling::Standard), Some(norm)) => Some(norm),
        (Some(InputScaling::None), _) => Some(InputNorm::NONE),
        (Some(InputScaling::Paper), _) => Some(InputNorm::PAPER),
        (Some(InputScaling::Standard), None) => None,
        (None, None) => return Err(EncoderError::UnknownScaling(source.to_owned())),
    };
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
