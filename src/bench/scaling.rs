//! `bench scaling`: speed and memory against the batch, measured as far as memory and time go, forecast beyond.

use super::step::StepBench;
use crate::gpu::{Caps, Gpu, GpuError, catch};
use crate::train::config::TrainConfig;
use crate::train::memory::{Forecast, available_ram_bytes, forecast};
use crate::train::prepare;
use serde::Serialize;
use std::time::{Duration, Instant};

/// One batch size.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Pairs a step.
    pub batch: usize,
    /// Twice as many.
    pub segments: usize,
    /// Bytes in use at the peak of a step.
    pub peak_bytes: u64,
    /// Bytes held from the device.
    pub held_bytes: u64,
    /// What was measured; `None` where the bytes are a forecast.
    pub measured: Option<Speed>,
    /// Why nothing was measured.
    pub not_measured_because: Option<String>,
}

/// Speed of a batch size.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// Median.
    pub segments_per_second: f64,
    /// Median.
    pub step_ms: f64,
    /// Median of the host's time to record a step.
    pub encode_ms: f64,
    /// How many steps were timed.
    pub steps: usize,
}

/// Steps of a batch size that are timed at most.
const STEPS: usize = 20;
/// Time for them, unless two steps take longer.
const STEPS_TIME: Duration = Duration::from_secs(10);
/// Steps that every measurement takes at least: two that are not timed, one to begin with, two that are.
const LEAST_STEPS: f64 = 5.0;

/// Goes through `batches`, in rising order, and hands each point over as it is known. Nothing is begun that is not
/// expected to end within `time`.
pub fn scaling(gpu: &Gpu, config: &TrainConfig, batches: &[usize], time: Duration, mut each: impl FnMut(Point)) {
    let start = Instant::now();
    let ram_bytes = gpu.caps().is_cpu.then(available_ram_bytes).flatten();
    let limit_bytes = gpu.memory_limit_bytes().or(ram_bytes).unwrap_or(u64::MAX);
    let (mut ms_a_pair, mut stopped) = (0.0, None::<String>);
    for &batch in batches {
        let config = TrainConfig { batch, ..config.clone() };
        let foreseen = match forecast(gpu.caps(), &config, batch) {
            Ok(foreseen) => foreseen,
            Err(_) => {
                stopped.get_or_insert("the adapter's largest buffer".into());
                let boundless = Caps { max_buffer_bytes: u64::MAX, max_binding_bytes: u64::MAX, ..gpu.caps().clone() };
                let Ok(foreseen) = forecast(&boundless, &config, batch) else { return };
                foreseen
            }
        };
        let expected = Duration::from_secs_f64(LEAST_STEPS * ms_a_pair * batch as f64 * 1e-3);
        if stopped.is_none() && foreseen.held_bytes > limit_bytes {
            stopped = Some("memory".into());
        } else if stopped.is_none() && start.elapsed() + expected > time {
            stopped = Some("time".into());
        }
        if stopped.is_none() {
            match catch(|| measure(gpu, &config)) {
                Ok((point, ms)) => {
                    ms_a_pair = ms / batch as f64;
                    each(point);
                    continue;
                }
                Err(error @ GpuError::OutOfMemory { .. }) => {
                    tracing::debug!(batch, %error, "the device has no more memory");
                    stopped = Some("memory".into());
                }
                Err(error) => stopped = Some(error.to_string()),
            }
        }
        each(beyond(&foreseen, stopped.clone()));
    }
}

/// A batch that is run, and the time of its step in ms.
fn measure(gpu: &Gpu, config: &TrainConfig) -> (Point, f64) {
    prepare::for_training(gpu, config);
    gpu.trim();
    let mut bench = StepBench::training(gpu, config);
    gpu.reset_peak();
    bench.single_ms();
    bench.single_ms();
    let times = bench.time(STEPS, STEPS_TIME);
    let memory = gpu.memory();
    let segments = 2 * config.batch;
    let speed = Speed {
        segments_per_second: segments as f64 / times.step_ms * 1e3,
        step_ms: times.step_ms,
        encode_ms: times.encode_ms,
        steps: times.steps,
    };
    let point = Point {
        batch: config.batch,
        segments,
        peak_bytes: memory.peak_bytes,
        held_bytes: memory.reserved_bytes,
        measured: Some(speed),
        not_measured_because: None,
    };
    (point, times.step_ms)
}

/// A batch that is only forecast.
fn beyond(foreseen: &Forecast, why: Option<String>) -> Point {
    Point {
        batch: foreseen.batch,
        segments: 2 * foreseen.batch,
        peak_bytes: foreseen.peak_bytes,
        held_bytes: foreseen.held_bytes,
        measured: None,
        not_measured_because: why,
    }
}
