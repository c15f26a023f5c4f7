//! What the sub-commands that use a trained encoder share.

use super::device::DeviceArgs;
use anyhow::{Result, bail};
use cola::audio::Clip;
use cola::eval::encoder::{Encoder, Reading};
use cola::gpu::Gpu;
use cola::nn::backbone::{Features, Pooling};
use cola::train::config::InputScaling;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// How weights are read.
#[derive(clap::Args)]
pub struct ReadingArgs {
    /// Scaling of the log-mel, for weights that do not tell: as it is, divided by 255, or standardised by the audio
    /// at hand
    #[arg(long, value_name = "none|paper|standard")]
    input_norm: Option<InputScaling>,

    /// From the last feature map to a vector, for weights that do not tell [default: max]
    #[arg(long, value_name = "max|mean|maxmean")]
    pooling: Option<Pooling>,

    /// What a vector is made of: the last feature map, or all stages [default: what the run was told]; probe also
    /// knows logmel-stats, which need no encoder
    #[arg(long, value_name = "pooled|stages")]
    features: Option<Represented>,
}

/// What stands for a clip.
#[derive(Clone, Copy, PartialEq)]
enum Represented {
    Encoder(Features),
    LogMelStatistics,
}

impl FromStr for Represented {
    type Err = String;
    fn from_str(text: &str) -> Result<Represented, String> {
        match text {
            "logmel-stats" => Ok(Represented::LogMelStatistics),
            _ => text.parse().map(Represented::Encoder),
        }
    }
}

impl ReadingArgs {
    /// Whether plain statistics of the log-mel are asked for instead of an encoder.
    pub fn log_mel_statistics(&self) -> bool {
        self.features == Some(Represented::LogMelStatistics)
    }

    /// # Errors
    /// Log-mel statistics where an encoder is needed.
    pub fn reading(&self) -> Result<Reading> {
        let features = match self.features {
            Some(Represented::LogMelStatistics) => {
                bail!("--features logmel-stats is for cola probe; take pooled or stages")
            }
            Some(Represented::Encoder(features)) => Some(features),
            None => None,
        };
        Ok(Reading { scaling: self.input_norm, pooling: self.pooling, features })
    }
}

/// The options of an encoder.
#[derive(clap::Args)]
pub struct EncoderArgs {
    #[command(flatten)]
    pub weights: ReadingArgs,

    /// Threads that decode [default: one a core, at most 8]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,

    #[command(flatten)]
    pub device: DeviceArgs,
}

impl EncoderArgs {
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(2, |n| n.get().min(8));
        self.workers.map_or_else(cores, usize::from)
    }

    /// The encoder of a run's folder or of a `.safetensors` file; `clips` are what it is going to see.
    pub fn load(&self, gpu: &Gpu, source: &Path, clips: &Arc<Vec<Clip>>) -> Result<Encoder> {
        Ok(Encoder::load(gpu, source, self.weights.reading()?, clips, self.workers())?)
    }
}

/// Says which files were left out: the first few, and how many.
pub fn tell_skipped<'a>(skipped: impl IntoIterator<Item = &'a (impl Display + 'a)>) {
    const SHOWN: usize = 5;
    let all: Vec<_> = skipped.into_iter().collect();
    for reason in all.iter().take(SHOWN) {
        eprintln!("left out: {reason}");
    }
    if all.len() > SHOWN {
        eprintln!("left out: {} more files", all.len() - SHOWN);
    }
}

/// The folder of a run, or the one that a bare file lies in: where results go.
pub fn folder_of(source: &Path) -> PathBuf {
    match source.is_dir() {
        true => source.to_owned(),
        false => source.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned(),
    }
}
