//! `cola export`: the encoder as other programs read it.

use super::run::ReadingArgs;
use anyhow::{Result, bail, ensure};
use cola::eval::encoder::settings;
use cola::export::onnx::{Encoder, Input};
use cola::nn::model::ModelConfig;
use cola::nn::network::NetworkConfig;
use cola::train::atomic::write_atomic;
use cola::train::checkpoint::Weights;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the encoder for other programs
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum Format {
    Onnx(Onnx),
}

const EXAMPLES: &str = "\
Examples:
  cola export onnx run
  cola export onnx run --no-front-end --out encoder.onnx
  cola export onnx timm.safetensors --input-norm paper --pooling mean";

/// As an ONNX file: evaluation mode, 32-bit floats, any number of segments at a time
///
/// The graph takes `samples` [N, 15680], 0.98 s at 16 kHz at any level, and gives `embedding` [N, F], the vectors that
/// embed writes: F is 1280 for a pooled map of an EfficientNet, 6208 for log-mel statistics and the features of all its stages.
/// With --no-front-end it takes
/// `log_mel` [N, 1, 96, 64] instead, the natural logarithm as it is; its scaling is part of the graph. The file's
/// metadata say how the log-mel is computed. No device is needed.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
struct Onnx {
    /// Folder of a run, or a .safetensors file
    run: PathBuf,

    /// File to write [default: encoder.onnx in the folder of the run; the weights' name with .onnx]
    #[arg(long, value_name = "FILE.onnx")]
    out: Option<PathBuf>,

    /// Begin at the log-mel instead of the samples
    #[arg(long)]
    no_front_end: bool,

    #[command(flatten)]
    reading: ReadingArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        match self.format {
            Format::Onnx(args) => args.run(),
        }
    }
}

impl Onnx {
    fn run(self) -> Result<ExitCode> {
        let out = self.out.clone().unwrap_or_else(|| beside(&self.run));
        let is_onnx = out.extension().is_some_and(|e| e == "onnx");
        ensure!(is_onnx, "--out {}: give it the extension .onnx", out.display());
        let weights = Weights::open(&self.run)?;
        let (config, norm) = settings(&weights, &self.run, self.reading.reading()?)?;
        let NetworkConfig::Cola(config) = config else {
            bail!(
                "{}: only an encoder of convolutions becomes ONNX; this is a run of --method nextcode",
                self.run.display()
            );
        };
        let Some(norm) = norm else {
            bail!(
                "{}: --input-norm standard is measured on audio, of which an export has none; give none or paper, or \
                 store a measured one with cola import --audio",
                self.run.display()
            );
        };
        let notes: Vec<_> = weights.info().map(|info| ("recipe", info.recipe.clone())).into_iter().collect();
        let input = if self.no_front_end { Input::LogMel } else { Input::Samples };
        let ModelConfig { encoder: kind, pooling, features, .. } = config;
        let encoder = Encoder { weights: &weights.encoder()?, kind, pooling, features, norm };
        let bytes = encoder.to_onnx(input, &notes);
        write_atomic(&out, |file| file.write_all(&bytes))?;
        let takes = if self.no_front_end { "log_mel [N, 1, 96, 64]" } else { "samples [N, 15680]" };
        println!("wrote {}: {takes} to embedding [N, {}]", out.display(), kind.features(features, pooling));
        Ok(ExitCode::SUCCESS)
    }
}

/// Where the file goes when nobody says.
fn beside(source: &Path) -> PathBuf {
    if source.is_dir() { source.join("encoder.onnx") } else { source.with_extension("onnx") }
}
