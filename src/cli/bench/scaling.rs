//! `cola bench scaling`.

use crate::cli::device::DeviceArgs;
use anyhow::{Context, Result, ensure};
use cola::bench::scaling::{Point, scaling};
use cola::eval::plot::ScalingPlot;
use cola::train::atomic::write_atomic;
use cola::train::config::{Precision, Recipe, TrainConfig};
use cola::train::progress::human_bytes;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Time training steps of rising batches and write speed and memory as JSON and as a plot
///
/// Goes up until the memory (of --memory-budget, or of the machine where the CPU computes) or the time is spent. Larger
/// batches are not run: their bytes are a forecast, and marked as one.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola bench scaling --out benches/results
  cola bench scaling --batches 8,16,32 --minutes 1 --memory-budget 8GB")]
pub struct Args {
    /// Pairs a step, one or more numbers
    #[arg(long, value_delimiter = ',', default_value = "8,16,32,64,128,256,512,1024,2048,4096")]
    batches: Vec<usize>,

    /// Begin no batch that is not expected to end within this time
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,

    /// Folder for scaling.json and scaling.svg
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,

    /// How maps are kept for the way back: f32 or mixed
    #[arg(long, default_value = "f32")]
    precision: Precision,

    #[command(flatten)]
    device: DeviceArgs,
}

/// What `scaling.json` holds.
#[derive(Serialize)]
struct Report {
    adapter: String,
    driver: String,
    tier: String,
    precision: Precision,
    points: Vec<Point>,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let mut batches = self.batches.clone();
        batches.sort_unstable();
        batches.dedup();
        ensure!(batches.first().is_some_and(|&batch| batch >= 2), "--batches: each must be at least 2");
        let time = Duration::try_from_secs_f64(60.0 * self.minutes).context("--minutes must be 0 or more")?;
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make the folder {}", self.out.display()))?;
        let gpu = self.device.open()?;
        let caps = gpu.caps();
        println!("{} ({}), {} kernels", caps.adapter, caps.driver, caps.tier);
        println!("{:>6} {:>12} {:>10} {:>10} {:>10} {:>10}", "batch", "segments/s", "ms", "encode ms", "peak", "held");

        let mut points = Vec::new();
        let config = TrainConfig { precision: self.precision, ..TrainConfig::of(Recipe::Standard) };
        scaling(&gpu, &config, &batches, time, |point| {
            print_row(&point);
            points.push(point);
        });
        let title = format!("Training step on {}, {} kernels, {}", caps.adapter, caps.tier, self.precision.name());
        let rows = points.iter().map(|p| (p.batch, p.measured.map(|speed| speed.segments_per_second), p.peak_bytes));
        let svg = ScalingPlot { title, points: rows.collect() }.to_svg();
        let report = Report {
            adapter: caps.adapter.clone(),
            driver: caps.driver.clone(),
            tier: caps.tier.to_string(),
            precision: self.precision,
            points,
        };
        let json = serde_json::to_string_pretty(&report).context("the report as JSON")?;
        for (name, text) in [("scaling.json", json), ("scaling.svg", svg)] {
            write_atomic(&self.out.join(name), |file| file.write_all(text.as_bytes()))?;
        }
        println!("wrote scaling.json and scaling.svg to {}", self.out.display());
        Ok(ExitCode::SUCCESS)
    }
}

fn print_row(point: &Point) {
    let (peak, held) = (human_bytes(point.peak_bytes), human_bytes(point.held_bytes));
    match (&point.measured, &point.not_measured_because) {
        (Some(speed), _) => println!(
            "{:>6} {:>12.1} {:>10.1} {:>10.2} {peak:>10} {held:>10}",
            point.batch, speed.segments_per_second, speed.step_ms, speed.encode_ms
        ),
        (None, why) => println!(
            "{:>6} {:>12} {:>10} {:>10} {peak:>10} {held:>10}  forecast; not run: {}",
            point.batch,
            "-",
            "-",
            "-",
            why.as_deref().unwrap_or_default()
        ),
    }
}
