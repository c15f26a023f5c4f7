//! What the sub-commands that use a trained encoder share.

use super::device::DeviceArgs;
use anyhow::Result;
use cola::audio::Clip;
use cola::eval::encoder::Encoder;
use cola::gpu::Gpu;
use cola::nn::efficientnet::Pooling;
use cola::train::config::InputScaling;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The options of an encoder.
#[derive(clap::Args)]
pub struct EncoderArgs {
    /// Scaling of the log-mel, for weights that do not tell: as it is, divided by 255, or standardised by the audio
    /// at hand
    #[arg(long, value_name = "none|paper|standard")]
    pub input_norm: Option<InputScaling>,

    /// From the last feature map to a vector, for weights that do not tell [default: max]
    #[arg(long, value_name = "max|mean|maxmean")]
    pub pooling: Option<Pooling>,

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
        Ok(Encoder::load(gpu, source, self.input_norm, self.pooling, clips, self.workers())?)
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
