//! `cola mel`: what the network sees of a file.

use super::device::DeviceArgs;
use anyhow::{Result, ensure};
use cola::audio::{SAMPLE_RATE_HZ, decode_range, probe_file};
use cola::eval::heatmap::heatmap_png;
use cola::eval::npy::write_npy;
use cola::ops::log_mel::log_mel_of;
use cola::ops::mel::LogMelConfig;
use cola::train::atomic::write_atomic;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A picture wider than this helps nobody; 10 minutes at 100 frames a second.
const MOST_FRAMES: usize = 60_000;

/// Draw the log-mel spectrogram of an audio file
///
/// Writes a picture (time to the right, 64 mel bands from 60 to 7800 Hz upwards) and beside it, with the extension
/// .npy, the numbers: float32 [frames, 64], natural logarithm of the magnitude, 100 frames a second. The level is
/// the file's own; training scales every segment first.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  cola mel talk.flac --start 60 --duration 10 --out talk.png")]
pub struct Args {
    /// Audio file
    file: PathBuf,

    /// Picture to write
    #[arg(long, value_name = "X.png")]
    out: PathBuf,

    /// Where to begin, in seconds
    #[arg(long, default_value_t = 0.0)]
    start: f64,

    /// How much, in seconds [default: to the end]
    #[arg(long)]
    duration: Option<f64>,

    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let name = self.file.display();
        ensure!(self.start >= 0.0, "--start must be 0 or more");
        ensure!(self.duration.is_none_or(|s| s > 0.0), "--duration must be above 0");
        let config = LogMelConfig::default();
        let length = probe_file(&self.file)?.samples;
        let samples = |seconds: f64| (seconds * f64::from(SAMPLE_RATE_HZ)).round() as u64;
        let start = samples(self.start).min(length);
        let count = self.duration.map_or(length, samples).min(length - start) as usize;
        let frames = config.frames(count);
        ensure!(frames > 0, "{name}: less than 25 ms of audio from {} s on; choose an earlier --start", self.start);
        ensure!(
            frames <= MOST_FRAMES,
            "{name}: {frames} frames make too wide a picture; choose a part with --start and --duration (at most 600 s)"
        );
        let audio = decode_range(&self.file, start, count)?;

        let gpu = self.device.open()?;
        let (log_mel, frames, bands) = log_mel_of(&gpu, &audio);
        let scale = (1600 / frames).clamp(2, 6);
        let picture = heatmap_png(&log_mel, frames, bands, scale);
        write_atomic(&self.out, |file| file.write_all(&picture))?;
        let numbers = self.out.with_extension("npy");
        write_npy(&numbers, &log_mel, frames, bands)?;
        println!("wrote {} and {} ({frames} frames of {bands} bands)", self.out.display(), numbers.display());
        Ok(ExitCode::SUCCESS)
    }
}
