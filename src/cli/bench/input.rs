//! `cola bench input`.

use crate::cli::device::DeviceArgs;
use anyhow::{Context, Result};
use cola::audio::{DiscoverOptions, SAMPLE_RATE_HZ, decode_range, discover, synth};
use cola::gpu::Gpu;
use cola::ops::log_mel::hours_per_second;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Time decoding and the log-mel front end
#[derive(clap::Args)]
pub struct Args {
    /// Folder, file, list or manifest [default: generated WAV files]
    audio: Option<PathBuf>,

    /// Threads that decode [default: one a core, at most 8]
    #[arg(long)]
    workers: Option<usize>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

/// Segments in a pass of the front end.
const FRONT_END_SEGMENTS: usize = 128;
/// Decoding ends after about so much audio: enough to be steady.
const MOST_DECODED_HOURS: f64 = 0.5;

/// What `bench input --json` prints.
#[derive(Serialize)]
struct InputReport {
    /// Hours of audio decoded, resampled and mixed down to 16 kHz mono, a second.
    decode_hours_per_second: f64,
    /// Hours of audio turned into log-mel a second.
    log_mel_hours_per_second: f64,
    workers: usize,
    decoded_hours: f64,
    adapter: String,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let cores = || std::thread::available_parallelism().map_or(2, |n| n.get().min(8));
        let workers = self.workers.unwrap_or_else(cores).max(1);
        let generated = tempfile::tempdir().context("cannot make a temporary folder")?;
        let source = match &self.audio {
            Some(audio) => audio.clone(),
            None => {
                synth::write_dataset(generated.path(), 40, 0)?;
                generated.path().to_owned()
            }
        };
        let found = discover(&source, DiscoverOptions { workers, strict: false })?;
        let (next, samples) = (AtomicUsize::new(0), AtomicU64::new(0));
        let most = (MOST_DECODED_HOURS * 3600.0 * f64::from(SAMPLE_RATE_HZ)) as u64;
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while samples.load(Ordering::Relaxed) < most {
                        let Some(clip) = found.clips.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                        // Files that cannot be decoded do not count.
                        if let Ok(audio) = decode_range(&clip.path, clip.start, clip.samples as usize) {
                            samples.fetch_add(audio.len() as u64, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        let decoded_hours = samples.load(Ordering::Relaxed) as f64 / f64::from(SAMPLE_RATE_HZ) / 3600.0;
        let gpu: Gpu = self.device.open()?;
        let report = InputReport {
            decode_hours_per_second: decoded_hours / seconds,
            log_mel_hours_per_second: hours_per_second(&gpu, FRONT_END_SEGMENTS, 5),
            workers,
            decoded_hours,
            adapter: gpu.caps().adapter.clone(),
        };
        if self.json {
            println!("{}", serde_json::to_string(&report).context("the report as JSON")?);
        } else {
            let what = if self.audio.is_some() { "" } else { " of generated WAV" };
            println!(
                "decode   {:.2} hours of audio a second ({workers} threads, {decoded_hours:.2} hours{what})",
                report.decode_hours_per_second
            );
            println!("log-mel  {:.2} hours of audio a second ({})", report.log_mel_hours_per_second, report.adapter);
        }
        Ok(ExitCode::SUCCESS)
    }
}
