//! `cola import`: weights from elsewhere.

use super::device::DeviceArgs;
use super::run::tell_skipped;
use anyhow::{Context, Result, ensure};
use cola::audio::{DiscoverOptions, discover};
use cola::eval::encoder::measure;
use cola::nn::backbone::Pooling;
use cola::nn::model::ModelConfig;
use cola::nn::network::NetworkConfig;
use cola::train::checkpoint::{ModelInfo, Weights};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Start from an EfficientNet-B0 that timm trained on pictures
///
/// FILE has timm's names of tf_efficientnet_b0 (create_model("tf_efficientnet_b0", pretrained=True), then
/// safetensors.torch.save_model). The first layer's filters are summed over the three colours; the classifier is left
/// behind. What is written takes the place of a run in every command, and pretrain starts from it with --init.
///
/// How the network's input is to be scaled is in no such file. pretrain settles that by itself; other commands want
/// --input-norm, unless it is measured here, on the recordings given with --audio.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola import timm.safetensors --out imported
  cola pretrain recordings/ --out run --init imported
  cola import timm.safetensors --out imported --audio recordings/
  cola probe imported labelled/")]
pub struct Args {
    /// .safetensors file
    file: PathBuf,

    /// Folder to write model.safetensors to, or a .safetensors file
    #[arg(long, value_name = "RUN")]
    out: PathBuf,

    /// Recordings to measure the scaling of the log-mel on: folder, file, list or manifest
    #[arg(long)]
    audio: Option<PathBuf>,

    /// From the last feature map to a vector: timm's classifier reads the mean [default: mean]
    #[arg(long, value_name = "max|mean|maxmean", requires = "audio")]
    pooling: Option<Pooling>,

    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let out = match self.out.extension().is_some_and(|e| e == "safetensors") {
            true => self.out.clone(),
            false => self.out.join("model.safetensors"),
        };
        ensure!(!out.exists(), "{}: is already there; choose another --out", out.display());
        let in_run = self.out.join("checkpoints").exists();
        ensure!(!in_run, "{}: holds a run of pretrain; choose another --out", self.out.display());
        let weights = Weights::import(&self.file)?;
        let info = self.measured()?;
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        weights.write(&out, info.as_ref())?;
        let run = self.out.display();
        println!("wrote {}", out.display());
        println!("next: cola pretrain AUDIO --out RUN --init {run}");
        match info {
            Some(info) => println!(
                "or:   cola probe {run} LABELLED_FOLDER (log-mel of mean {:.3} and standard deviation {:.3})",
                info.input_norm.mean, info.input_norm.std
            ),
            None => println!("or:   cola probe {run} LABELLED_FOLDER --input-norm standard --pooling mean"),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What can be said about the weights once there are recordings to measure on.
    fn measured(&self) -> Result<Option<ModelInfo>> {
        let Some(audio) = &self.audio else { return Ok(None) };
        let workers = std::thread::available_parallelism().map_or(2, |n| n.get().min(8));
        let found = discover(audio, DiscoverOptions { workers, strict: false })?;
        tell_skipped(found.skipped.iter().map(|(_, reason)| reason));
        let gpu = self.device.open()?;
        let norm = measure(&gpu, &Arc::new(found.clips), workers)
            .with_context(|| format!("{}: no file could be used", audio.display()))?;
        let model = ModelConfig { pooling: self.pooling.unwrap_or(Pooling::Mean), ..ModelConfig::default() };
        Ok(Some(ModelInfo::new("imported", norm, NetworkConfig::Cola(model))))
    }
}
