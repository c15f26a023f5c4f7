//! `cola sample`: sounds that a next-code network makes up.

use super::device::DeviceArgs;
use anyhow::{Context, Result, bail, ensure};
use cola::audio::{Clip, EvalLoader, SAMPLE_RATE_HZ, SEGMENT_SAMPLES, Split, probe_file, write_wav};
use cola::codes::sampling::{Sampling, draw};
use cola::codes::sound::{of_log_mel, unpatch};
use cola::eval::heatmap::heatmap_png;
use cola::frontend::FrontEnd;
use cola::gpu::Gpu;
use cola::nn::network::NetworkConfig;
use cola::nn::next_code::NextCode;
use cola::ops::mel::LogMelConfig;
use cola::tensor::Tensor;
use cola::train::atomic::write_atomic;
use cola::train::checkpoint::{Part, Weights};
use cola::train::progress::bar;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Hear what a run of --method nextcode learnt: codes drawn from it, decoded to sound
///
/// Codes are drawn one after the other, decoded to a log-mel, and from there to sound (Griffin-Lim). The log-mel is
/// written beside, as a picture. Codes keep less than the sound: to hear how much, give a --prompt and --seconds 0.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola sample run --out new.wav
  cola sample run --out calm.wav --seconds 10 --temperature 0.8 --seed 7
  cola sample run --out longer.wav --prompt violin.wav
  cola sample run --out only_codes.wav --prompt violin.wav --seconds 0")]
pub struct Args {
    /// Folder of a run of --method nextcode
    run: PathBuf,

    /// Sound to write; its log-mel goes beside it
    #[arg(long, value_name = "FILE.wav")]
    out: PathBuf,

    /// Length of what is made up, at most 60
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,

    /// Below 1 likely codes come more often than foretold, above 1 less often
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,

    /// Draw from so many of the likeliest codes only; 0 for all
    #[arg(long, default_value_t = 0, value_name = "CODES")]
    top: usize,

    /// Audio file whose codes come first, its first 10 seconds
    #[arg(long, value_name = "FILE")]
    prompt: Option<PathBuf>,

    /// Decides the draws
    #[arg(long, default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    device: DeviceArgs,
}

const MOST_SECONDS: f64 = 60.0;
const MOST_PROMPT_S: f64 = 10.0;
/// Loudest sample of what is written.
const PEAK: f32 = 0.9;
const SCALE: usize = 3;

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        ensure!((0.0..=MOST_SECONDS).contains(&self.seconds), "--seconds must be from 0 to {MOST_SECONDS}");
        ensure!(self.seconds > 0.0 || self.prompt.is_some(), "--seconds 0 leaves nothing without a --prompt");
        ensure!(self.temperature > 0.0 && self.temperature.is_finite(), "--temperature must be above 0");
        let is_wav = self.out.extension().is_some_and(|e| e.eq_ignore_ascii_case("wav"));
        ensure!(is_wav, "--out {}: give it the extension .wav", self.out.display());
        let weights = Weights::open(&self.run)?;
        let info = weights.info().cloned();
        let Some((NetworkConfig::NextCode(config), norm)) = info.map(|info| (info.model, info.input_norm)) else {
            bail!("{}: not a run of --method nextcode, the only one that makes sounds", self.run.display());
        };
        let gpu = self.device.open()?;
        let network = NextCode::new(&gpu, &config, 0);
        weights.load_into(&network, Part::Encoder)?;

        let mut codes = match &self.prompt {
            Some(file) => codes_of(&network, &FrontEnd::new(&gpu, norm), &gpu, file)?,
            None => Vec::new(),
        };
        let mel = LogMelConfig::default();
        let frames_per_second = f64::from(SAMPLE_RATE_HZ) / mel.hop as f64;
        let columns = (self.seconds * frames_per_second / config.codes.patch_frames as f64).ceil() as usize;
        let count = columns * config.codes.column();
        let progress = bar("codes", count as u64);
        let sampling = Sampling { temperature: self.temperature, top: self.top, seed: self.seed };
        codes.extend(draw(&gpu, &network, &codes, count, &sampling, |drawn| progress.set_position(drawn as u64)));
        progress.finish_and_clear();

        let patches = network.codebook.patches_of(&codes).read::<f32>();
        let scaled = unpatch(&patches, &config.codes, mel.bands);
        let (low, high) = (mel.floor.ln(), mel.ceil.ln());
        let log_mel: Vec<f32> = scaled.iter().map(|x| (x * norm.std + norm.mean).clamp(low, high)).collect();
        let mut sound = of_log_mel(&gpu, &log_mel, self.seed);
        let peak = sound.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
        if peak > 0.0 {
            sound.iter_mut().for_each(|x| *x *= PEAK / peak);
        }
        write_wav(&self.out, &sound)?;
        let picture = self.out.with_extension("png");
        let png = heatmap_png(&log_mel, log_mel.len() / mel.bands, mel.bands, SCALE);
        write_atomic(&picture, |file| file.write_all(&png))?;
        println!(
            "wrote {} ({:.1} s, {} codes) and {}",
            self.out.display(),
            sound.len() as f64 / f64::from(SAMPLE_RATE_HZ),
            codes.len(),
            picture.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// The codes of a file's segments, up to ten seconds of them.
fn codes_of(network: &NextCode, front_end: &FrontEnd, gpu: &Gpu, file: &Path) -> Result<Vec<u32>> {
    let samples = probe_file(file)?.samples.min((MOST_PROMPT_S * f64::from(SAMPLE_RATE_HZ)) as u64);
    let clip = Clip { path: file.to_owned(), start: 0, samples, labels: Vec::new(), split: Split::Train };
    let mut codes = Vec::new();
    for item in EvalLoader::start(Arc::new(vec![clip]), 1, 1) {
        let item = item.map_err(|(_, error)| error)?;
        let segments = item.segments();
        let samples = Tensor::from_slice(gpu, &[segments.len() / SEGMENT_SAMPLES, SEGMENT_SAMPLES], &segments);
        codes.extend(network.codebook.assign(&front_end.features(&samples)).ids.read::<u32>());
    }
    (!codes.is_empty()).then_some(codes).with_context(|| format!("{}: too short", file.display()))
}
