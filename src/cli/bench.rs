//! `cola bench`: how fast this machine is.

use super::device::DeviceArgs;
use anyhow::{Context, Result, ensure};
use cola::audio::{DiscoverOptions, SAMPLE_RATE_HZ, SEGMENT_SAMPLES, crop, decode_range, discover, synth};
use cola::bench::kernels::{measure, table};
use cola::frontend::InputNorm;
use cola::gpu::{Gpu, Profile, catch};
use cola::ops::log_mel::hours_per_second;
use cola::train::config::{Recipe, TrainConfig};
use cola::train::progress::human_bytes;
use cola::train::step::{State, train_step};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Measure the speed of training steps, of kernels and of the data path
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cola bench step --batch 32\n  cola bench step --batch 256 --json\n  cola bench kernels depthwise\n  cola bench input recordings/"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Step(StepArgs),
    Kernels(KernelsArgs),
    Input(InputArgs),
}

/// Time whole training steps, and where their time goes
#[derive(clap::Args)]
struct StepArgs {
    /// Pairs a step; the segments are twice as many
    #[arg(long, default_value_t = 32)]
    batch: usize,

    /// Steps that are timed, after two that are not
    #[arg(long, default_value_t = 5)]
    steps: usize,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

/// Time every op of the network on its own shapes, forward and backward, kernel by kernel
#[derive(clap::Args)]
struct KernelsArgs {
    /// Only cases whose name contains this
    #[arg(default_value = "")]
    filter: String,

    /// Segments in the batch
    #[arg(long, default_value_t = 64)]
    segments: usize,

    /// Runs of each case, after one that is not timed; the median counts
    #[arg(long, default_value_t = 5)]
    repeats: usize,

    /// Print one JSON object a case
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

/// Time decoding and the log-mel front end
#[derive(clap::Args)]
struct InputArgs {
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

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Step(args) => args.run(),
            What::Kernels(args) => args.run(),
            What::Input(args) => args.run(),
        }
    }
}

impl KernelsArgs {
    fn run(self) -> Result<ExitCode> {
        ensure!(self.segments > 0 && self.repeats > 0, "--segments and --repeats must be at least 1");
        let gpu = self.device.open()?;
        if !self.json {
            println!("{} ({}), {} segments", gpu.caps().adapter, gpu.caps().driver, self.segments);
        }
        let mut cases = 0;
        catch(|| {
            for case in measure(&gpu, self.segments, &self.filter, self.repeats) {
                cases += 1;
                if self.json {
                    println!("{}", serde_json::to_string(&case).context("a case as JSON")?);
                } else {
                    print!("{}", table(&case));
                }
            }
            anyhow::Ok(())
        })??;
        ensure!(cases > 0, "no case is named '{}'; without a filter all are listed", self.filter);
        Ok(ExitCode::SUCCESS)
    }
}

/// What `bench step --json` prints.
#[derive(Serialize)]
struct StepReport {
    segments_per_second: f64,
    /// Median.
    step_ms: f64,
    /// First step, with everything that is compiled for it.
    first_step_ms: f64,
    peak_bytes: u64,
    adapter: String,
    driver: String,
    tier: String,
    batch: usize,
    segments: usize,
    steps: usize,
    /// True where the adapter has no timestamps, so that kernels were timed from the host, one by one.
    kernels_by_host_clock: bool,
    kernels: Vec<KernelRow>,
}

/// A kernel in one step.
#[derive(Serialize)]
struct KernelRow {
    name: String,
    calls: u64,
    ms: f64,
    share: f64,
    gb_per_s: f64,
    gflop_per_s: f64,
}

impl StepArgs {
    fn run(self) -> Result<ExitCode> {
        ensure!(self.batch >= 2 && self.steps > 0, "--batch must be at least 2 and --steps at least 1");
        let gpu = self.device.open()?;
        let config = TrainConfig { batch: self.batch, ..TrainConfig::of(Recipe::Standard) };
        let mut state = State::new(&gpu, &config, InputNorm::PAPER, u64::MAX);
        let samples = noise(2 * self.batch);
        let mut timed_step = || {
            let start = Instant::now();
            train_step(&mut state, &samples, false).wait();
            start.elapsed().as_secs_f64() * 1e3
        };
        let first_step_ms = timed_step();
        timed_step();
        gpu.reset_peak();
        let mut times: Vec<f64> = (0..self.steps).map(|_| timed_step()).collect();
        times.sort_by(f64::total_cmp);
        let step_ms = times[times.len() / 2];
        let peak_bytes = gpu.memory().peak_bytes;
        gpu.profile_start();
        timed_step();
        let profile = gpu.profile_stop();
        let report = StepReport {
            segments_per_second: 2.0 * self.batch as f64 / step_ms * 1e3,
            step_ms,
            first_step_ms,
            peak_bytes,
            adapter: gpu.caps().adapter.clone(),
            driver: gpu.caps().driver.clone(),
            tier: format!("{:?}", gpu.caps().tier).to_lowercase(),
            batch: self.batch,
            segments: 2 * self.batch,
            steps: self.steps,
            kernels_by_host_clock: profile.host_clock,
            kernels: kernel_rows(&profile),
        };
        if self.json {
            println!("{}", serde_json::to_string(&report).context("the report as JSON")?);
        } else {
            report.print();
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl StepReport {
    fn print(&self) {
        println!("{} ({}), {} kernels, batch {}", self.adapter, self.driver, self.tier, self.batch);
        println!(
            "{:.1} segments/s, {:.1} ms a step (median of {}), first step {:.1} s, peak {} ({} a segment)\n",
            self.segments_per_second,
            self.step_ms,
            self.steps,
            self.first_step_ms / 1e3,
            human_bytes(self.peak_bytes),
            human_bytes(self.peak_bytes / self.segments as u64)
        );
        let clock = if self.kernels_by_host_clock { ", timed one by one from the host" } else { "" };
        println!("{:>6} {:>6} {:>10} {:>8} {:>9}  kernel{clock}", "share", "calls", "ms", "GB/s", "GFLOP/s");
        for row in &self.kernels {
            println!(
                "{:>5.1}% {:>6} {:>10.3} {:>8.1} {:>9.1}  {}",
                100.0 * row.share,
                row.calls,
                row.ms,
                row.gb_per_s,
                row.gflop_per_s,
                row.name
            );
        }
    }
}

fn kernel_rows(profile: &Profile) -> Vec<KernelRow> {
    let total_ms: f64 = profile.kernels.iter().map(|kernel| kernel.ms).sum();
    let row = |kernel: &cola::gpu::KernelTime| KernelRow {
        name: kernel.name.clone(),
        calls: kernel.calls,
        ms: kernel.ms,
        share: kernel.ms / total_ms,
        gb_per_s: kernel.bytes as f64 / kernel.ms * 1e-6,
        gflop_per_s: kernel.flops as f64 / kernel.ms * 1e-6,
    };
    profile.kernels.iter().map(row).collect()
}

/// Segments of noise, each of unit L2 norm.
fn noise(segments: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut samples: Vec<f32> = (0..segments * SEGMENT_SAMPLES).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    samples.chunks_mut(SEGMENT_SAMPLES).for_each(crop::l2_normalise);
    samples
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

impl InputArgs {
    fn run(self) -> Result<ExitCode> {
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
