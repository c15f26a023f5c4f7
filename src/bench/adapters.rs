//! `bench adapters`: one line an adapter, the same work on each, so that machines can be compared.

use super::peaks::{Peaks, product_gflop_per_s};
use super::step::StepBench;
use crate::gpu::{Gpu, GpuError, catch};
use crate::ops::log_mel::hours_per_second;
use crate::selftest;
use crate::train::config::{Recipe, TrainConfig};
use crate::train::environment::Environment;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Pairs a step: few enough for any adapter.
const PAIRS: usize = 16;
const STEPS: usize = 10;
const STEPS_TIME: Duration = Duration::from_secs(10);
/// Segments in a pass of the front end.
const SEGMENTS: usize = 128;

/// What an adapter can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterLine {
    /// Machine, device and date.
    #[serde(flatten)]
    pub environment: Environment,
    /// Self-tests that it failed.
    pub failed_tests: usize,
    /// Its two limits.
    #[serde(flatten)]
    pub peaks: Peaks,
    /// A product of large matrices.
    pub product_gflop_per_s: f64,
    /// Hours of audio turned into log-mel a second.
    pub log_mel_hours_per_second: f64,
    /// Of training, 16 pairs a step, f32, EfficientNet-B0 with COLA's head.
    pub training_segments_per_second: f64,
}

impl AdapterLine {
    /// Measures; takes half a minute on a CPU.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn measure(gpu: &Gpu) -> Result<AdapterLine, GpuError> {
        catch(|| {
            let failed_tests = selftest::run(gpu).iter().filter(|check| !check.passed()).count();
            let peaks = Peaks::measure(gpu);
            let product_gflop_per_s = product_gflop_per_s(gpu);
            let log_mel_hours_per_second = hours_per_second(gpu, SEGMENTS, 5);
            let mut step = StepBench::training(gpu, &TrainConfig { batch: PAIRS, ..TrainConfig::of(Recipe::Standard) });
            // the first compiles, the second finds what the first left
            step.single_ms();
            step.single_ms();
            let step_ms = step.time(STEPS, STEPS_TIME).step_ms;
            AdapterLine {
                environment: Environment::here(gpu),
                failed_tests,
                peaks: peaks.or_higher(Peaks::measure(gpu)),
                product_gflop_per_s,
                log_mel_hours_per_second,
                training_segments_per_second: 2e3 * PAIRS as f64 / step_ms,
            }
        })
    }
}

/// The lines as a Markdown table, the fastest in training first.
pub fn markdown(lines: &[AdapterLine]) -> String {
    let mut sorted: Vec<&AdapterLine> = lines.iter().collect();
    sorted.sort_by(|a, b| b.training_segments_per_second.total_cmp(&a.training_segments_per_second));
    let mut text = "| adapter | driver, system | kernels | copy, GB/s | multiply-add, GFLOP/s | matrix product, GFLOP/s | log-mel, hours a second | training, segments/s | date |\n".to_string();
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for line in sorted {
        let environment = &line.environment;
        let date = environment.started();
        let date = date.split(' ').next().unwrap_or_default();
        let wrong =
            if line.failed_tests > 0 { format!(" ({} self-tests FAILED)", line.failed_tests) } else { String::new() };
        text.push_str(&format!(
            "| {}{wrong} | {}; {}, {} cores | {} | {:.1} | {:.0} | {:.0} | {:.2} | {:.1} | {date} |\n",
            environment.adapter,
            environment.driver,
            environment.system,
            environment.cores,
            environment.tier,
            line.peaks.bandwidth_gb_per_s,
            line.peaks.fma_gflop_per_s,
            line.product_gflop_per_s,
            line.log_mel_hours_per_second,
            line.training_segments_per_second,
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// What people send lies in a folder, and the table of the results is made of it.
    #[test]
    fn the_table_of_machines_is_that_of_their_files() {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(results.join("machines")).expect("a folder of machines") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a readable file");
            lines.extend(
                serde_json::from_str::<Vec<AdapterLine>>(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
            );
        }
        assert!(!lines.is_empty());
        let page = std::fs::read_to_string(results.join("README.md")).expect("a page");
        assert!(page.contains(&markdown(&lines)), "put this into benches/results/README.md:\n{}", markdown(&lines));
    }
}
