//! `cola bench step`.

use crate::cli::device::DeviceArgs;
use anyhow::{Context, Result, ensure};
use cola::bench::peaks::Peaks;
use cola::bench::step::{KernelRow, StepBench, fused_floor_ms, kernel_rows};
use cola::nn::backbone::BackboneKind;
use cola::train::config::{Precision, Recipe, TrainConfig};
use cola::train::memory;
use cola::train::prepare::prepare;
use cola::train::progress::human_bytes;
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;

/// Time whole training steps, and where their time goes
///
/// The samples are on the device already, as the input of a peer is; a step goes from them over the log-mel to new
/// weights, and each is recorded while the one before it runs.
///
/// The table has a row a kernel. Its floor is the least time that its work can take here, for each dispatch the longer
/// of bytes over the bandwidth and arithmetic over the multiply-add peak, both measured before and after, as
/// `cola doctor` does. `floor %` is that over the time it took: 100 is perfect, and more than that means that its data stayed
/// in a cache. Bytes are those of what it reads and of what it writes, each once.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cola bench step --batch 32\n  cola bench step --batch 512 --steps 50 --json\n  cola bench step --batch 32 --forward\n  cola bench step --batch 64 --memory-budget 2GiB"
)]
pub struct Args {
    /// Pairs a step; the segments are twice as many
    #[arg(long, default_value_t = 32)]
    batch: usize,

    /// Steps that are timed, after three that are not
    #[arg(long, default_value_t = 5)]
    steps: usize,

    /// Inference instead: the encoder alone, from log-mels that are on the device to vectors on the host
    #[arg(long)]
    forward: bool,

    /// The network: efficientnet-b0 or vgg
    #[arg(long, default_value = "efficientnet-b0")]
    encoder: BackboneKind,

    /// Train all stages but so many of the first, as `cola pretrain --frozen-stages` does
    #[arg(long, default_value_t = 0, value_name = "STAGES", conflicts_with = "forward")]
    frozen_stages: usize,

    /// How maps are kept for the way back: f32 or mixed
    #[arg(long, default_value = "f32", conflicts_with = "forward")]
    precision: Precision,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

/// What `bench step --json` prints.
#[derive(Serialize)]
struct Report {
    segments_per_second: f64,
    /// Median.
    step_ms: f64,
    /// Median of the host's time to record a step.
    encode_ms: f64,
    /// And to submit it; a software adapter computes in that time.
    submit_ms: f64,
    dispatches: usize,
    /// Timing knobs before the first step: how long, for how many shapes, and how many of them have others now.
    tuning_ms: f64,
    tuned: usize,
    changed: usize,
    /// Compiling kernels before the first step, and how many.
    compiling_ms: f64,
    compiled: usize,
    /// First step, with what the driver puts off until then.
    first_step_ms: f64,
    peak_bytes: u64,
    /// The sum of the kernels' floors, and its share of the step.
    floor_ms: f64,
    floor_share: f64,
    /// What a step fused as far as it goes would take at these peaks, and its share of this one; training of a whole
    /// EfficientNet only.
    fused_floor_ms: Option<f64>,
    fused_floor_share: Option<f64>,
    #[serde(flatten)]
    peaks: Peaks,
    adapter: String,
    driver: String,
    is_cpu: bool,
    /// Inference instead of a training step.
    forward: bool,
    tier: String,
    encoder: &'static str,
    frozen_stages: usize,
    precision: Precision,
    batch: usize,
    segments: usize,
    steps: usize,
    /// True where the adapter has no timestamps, so that kernels were timed from the host, one by one.
    kernels_by_host_clock: bool,
    kernels: Vec<KernelRow>,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        ensure!(self.batch >= 2 && self.steps > 0, "--batch must be at least 2 and --steps at least 1");
        let most = self.encoder.stages() - 1;
        ensure!(
            self.frozen_stages <= most,
            "--frozen-stages must leave a stage to train: at most {most} of this network"
        );
        let gpu = self.device.open()?;
        let recipe = TrainConfig::of(Recipe::Standard).with_encoder(self.encoder);
        let config =
            TrainConfig { batch: self.batch, precision: self.precision, frozen_stages: self.frozen_stages, ..recipe };
        if !self.forward {
            memory::ensure_fits(&gpu, &config)?;
        }
        let bench = if self.forward { StepBench::forward } else { StepBench::training };
        let prepared = prepare(&gpu, &|dry| {
            bench(dry, &config).single_ms();
        });
        let peaks = Peaks::measure(&gpu);
        // what the peaks were measured on is not the step's
        gpu.trim();
        let mut bench = bench(&gpu, &config);
        gpu.reset_peak();
        let first_step_ms = bench.single_ms();
        bench.single_ms();
        let times = bench.time(self.steps, Duration::MAX);
        let peak_bytes = gpu.memory().peak_bytes;
        let profile = bench.profile();
        let peaks = peaks.or_higher(Peaks::measure(&gpu));
        let kernels = kernel_rows(&profile, &peaks);
        let floor_ms: f64 = kernels.iter().map(|row| row.floor_ms).sum();
        let is_whole = !self.forward && self.frozen_stages == 0 && self.encoder == BackboneKind::EfficientnetB0;
        let fused_ms = is_whole.then(|| fused_floor_ms(&peaks, self.batch));
        let report = Report {
            segments_per_second: 2.0 * self.batch as f64 / times.step_ms * 1e3,
            step_ms: times.step_ms,
            encode_ms: times.encode_ms,
            submit_ms: times.submit_ms,
            dispatches: kernels.iter().map(|row| row.calls).sum(),
            tuning_ms: 1e3 * prepared.tuning.as_secs_f64(),
            tuned: prepared.tuned.timed,
            changed: prepared.tuned.changed,
            compiling_ms: 1e3 * prepared.compiling.as_secs_f64(),
            compiled: prepared.compiled,
            first_step_ms,
            peak_bytes,
            floor_ms,
            floor_share: floor_ms / times.step_ms,
            fused_floor_ms: fused_ms,
            fused_floor_share: fused_ms.map(|fused_ms| fused_ms / times.step_ms),
            peaks,
            adapter: gpu.caps().adapter.clone(),
            driver: gpu.caps().driver.clone(),
            forward: self.forward,
            is_cpu: gpu.caps().is_cpu,
            tier: gpu.caps().tier.to_string(),
            encoder: self.encoder.name(),
            frozen_stages: self.frozen_stages,
            precision: self.precision,
            batch: self.batch,
            segments: 2 * self.batch,
            steps: self.steps,
            kernels_by_host_clock: profile.host_clock,
            kernels,
        };
        if self.json {
            println!("{}", serde_json::to_string(&report).context("the report as JSON")?);
        } else {
            report.print();
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Report {
    fn print(&self) {
        let what = if self.forward { "forward only" } else { self.precision.name() };
        let frozen = match self.frozen_stages {
            0 => String::new(),
            stages => format!(", first {stages} stages frozen"),
        };
        println!(
            "{} ({}), {} kernels, {}, {what}, batch {}{frozen}",
            self.adapter, self.driver, self.tier, self.encoder, self.batch
        );
        println!(
            "{:.1} segments/s, {:.1} ms a step (median of {}), first step {:.1} s, peak {} ({} a segment)",
            self.segments_per_second,
            self.step_ms,
            self.steps,
            self.first_step_ms / 1e3,
            human_bytes(self.peak_bytes),
            human_bytes(self.peak_bytes / self.segments as u64)
        );
        println!(
            "before it {} kernels compiled in {:.1} s, {} shapes tuned in {:.1} s ({} changed)",
            self.compiled,
            self.compiling_ms / 1e3,
            self.tuned,
            self.tuning_ms / 1e3,
            self.changed
        );
        println!(
            "{} dispatches, recorded in {:.2} ms, submitted in {:.2} ms{}",
            self.dispatches,
            self.encode_ms,
            self.submit_ms,
            if self.is_cpu { " (computing)" } else { "" },
        );
        println!("floor of all kernels {:.1} ms, {:.1} % of the step", self.floor_ms, 100.0 * self.floor_share);
        if let (Some(ms), Some(share)) = (self.fused_floor_ms, self.fused_floor_share) {
            println!("floor of a step in f32 fused as far as it goes {ms:.1} ms, {:.1} %", 100.0 * share);
        }
        println!();
        let clock = if self.kernels_by_host_clock { ", timed one by one from the host" } else { "" };
        println!(
            "{:>6} {:>6} {:>10} {:>8} {:>9} {:>8}  kernel{clock}",
            "share", "calls", "ms", "GB/s", "GFLOP/s", "floor %"
        );
        for row in &self.kernels {
            println!(
                "{:>5.1}% {:>6} {:>10.3} {:>8.1} {:>9.1} {:>8.1}  {}",
                100.0 * row.share,
                row.calls,
                row.ms,
                row.gb_per_s,
                row.gflop_per_s,
                100.0 * row.floor_share,
                row.name
            );
        }
        println!(
            "\nfloor: bytes at {:.1} GB/s (copy) or arithmetic at {:.0} GFLOP/s (multiply-add), whichever takes longer, \
             both measured before and after",
            self.peaks.bandwidth_gb_per_s, self.peaks.fma_gflop_per_s
        );
    }
}
