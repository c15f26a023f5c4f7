//! `bench step`: whole steps, as the trainer and `embed` run them: each is recorded while the one before it runs.

use crate::audio::{SEGMENT_SAMPLES, crop};
use crate::bench::peaks::Peaks;
use crate::frontend::{FrontEnd, InputNorm};
use crate::gpu::{Gpu, KernelTime, Profile, Work};
use crate::nn::model::ColaModel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use crate::train::config::TrainConfig;
use crate::train::step::{State, train_step_on_device};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Waits until the device has done what was recorded.
type Wait = Box<dyn FnOnce()>;

/// Steps on noise, ready to be timed.
pub struct StepBench {
    gpu: Gpu,
    record: Box<dyn FnMut() -> Wait>,
}

/// What timing them gave.
#[derive(Clone, Copy, Debug)]
pub struct StepTimes {
    /// Median from the end of one step to the end of the next.
    pub step_ms: f64,
    /// Median time that the host takes to record a step,
    pub encode_ms: f64,
    /// and to submit it; a software adapter runs the kernels in that time.
    pub submit_ms: f64,
    /// How many steps were timed.
    pub steps: usize,
}

impl StepBench {
    /// Training, from samples that are on the device already to updated weights.
    pub fn training(gpu: &Gpu, config: &TrainConfig) -> StepBench {
        let mut state = State::new(gpu, config, InputNorm::PAPER, u64::MAX);
        let samples = noise_on(gpu, 2 * config.batch);
        let record = move || -> Wait {
            let pending = train_step_on_device(&mut state, samples.clone(), false);
            Box::new(move || drop(pending.wait()))
        };
        StepBench { gpu: gpu.clone(), record: Box::new(record) }
    }

    /// Inference: from the log-mel of as many segments as a training step has, on the device already, to vectors on
    /// the host.
    pub fn forward(gpu: &Gpu, config: &TrainConfig) -> StepBench {
        let model = ColaModel::new(gpu, &config.model(), config.seed);
        let features = FrontEnd::new(gpu, InputNorm::PAPER).features(&noise_on(gpu, 2 * config.batch));
        let input = Var::constant(features);
        let device = gpu.clone();
        let record = move || -> Wait {
            let pending = model.encode(&Ctx::inference(&device), &input, 0).value.read_later();
            Box::new(move || drop(pending.wait::<f32>()))
        };
        StepBench { gpu: gpu.clone(), record: Box::new(record) }
    }

    /// One step by itself, in ms; the first one compiles.
    pub fn single_ms(&mut self) -> f64 {
        let start = Instant::now();
        (self.record)()();
        ms(start.elapsed())
    }

    /// Times up to `steps` steps and stops early, though not before two, once `most` has passed.
    pub fn time(&mut self, steps: usize, most: Duration) -> StepTimes {
        let (mut step_ms, mut encode_ms, mut submit_ms) = (Vec::new(), Vec::new(), Vec::new());
        let start = Instant::now();
        let (mut before, mut done) = ((self.record)(), None::<Instant>);
        while step_ms.len() < steps && (step_ms.len() < 2 || start.elapsed() < most) {
            let (begin, submitted) = (Instant::now(), self.gpu.submit_time());
            let next = (self.record)();
            let submit = self.gpu.submit_time() - submitted;
            encode_ms.push(ms(begin.elapsed() - submit));
            submit_ms.push(ms(submit));
            std::mem::replace(&mut before, next)();
            let now = Instant::now();
            // what ends first has not been preceded by a whole step
            step_ms.extend(done.replace(now).map(|done| ms(now - done)));
        }
        before();
        StepTimes {
            step_ms: median(&mut step_ms),
            encode_ms: median(&mut encode_ms),
            submit_ms: median(&mut submit_ms),
            steps: step_ms.len(),
        }
    }

    /// One more step, kernel by kernel.
    pub fn profile(&mut self) -> Profile {
        self.gpu.profile_start();
        (self.record)()();
        self.gpu.profile_stop()
    }
}

/// The least time of a training step in f32 whose every layer is fused as far as it goes, in ms: raw outputs of the
/// convolutions stored once, batch norm, swish and gate applied on load, statistics taken on store. Unlike the floors
/// of kernels it does not depend on how the step is cut into kernels.
pub fn fused_floor_ms(peaks: &Peaks, batch: usize) -> f64 {
    // counted layer by layer over a 96 x 64 input
    const BYTES_A_SEGMENT: f64 = 26.95e6;
    const FLOPS_A_SEGMENT: f64 = 284.4e6;
    // Adam and the gradients of the weights
    const BYTES_A_STEP: f64 = 158e6;
    let segments = 2.0 * batch as f64;
    peaks.floor_ms((BYTES_A_SEGMENT * segments + BYTES_A_STEP) as u64, (FLOPS_A_SEGMENT * segments) as u64)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The middle value, or the upper of two.
///
/// # Panics
/// Without any.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Segments of noise, each of unit L2 norm.
pub fn noise(segments: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut samples: Vec<f32> = (0..segments * SEGMENT_SAMPLES).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    samples.chunks_mut(SEGMENT_SAMPLES).for_each(crop::l2_normalise);
    samples
}

fn noise_on(gpu: &Gpu, segments: usize) -> Tensor {
    Tensor::from_slice(gpu, &[segments, SEGMENT_SAMPLES], &noise(segments))
}

/// A kernel in one step.
#[derive(Clone, Debug, Serialize)]
pub struct KernelRow {
    /// Path and specialisation.
    pub name: String,
    /// Dispatches.
    pub calls: usize,
    /// Time of all of them.
    pub ms: f64,
    /// Of the time of all kernels.
    pub share: f64,
    /// Bytes bound over time.
    pub gb_per_s: f64,
    /// Arithmetic over time.
    pub gflop_per_s: f64,
    /// The least time its bytes and its arithmetic can take here.
    pub floor_ms: f64,
    /// That over the time it took; beyond 1 where its data stay in a cache.
    pub floor_share: f64,
}

/// The rows of a profile, slowest kernel first.
pub fn kernel_rows(profile: &Profile, peaks: &Peaks) -> Vec<KernelRow> {
    let total_ms: f64 = profile.kernels.iter().map(|kernel| kernel.ms).sum();
    let row = |kernel: &KernelTime| {
        let Work { bytes, flops } = kernel.total();
        let floor_ms = peaks.floor_of_kernel_ms(kernel);
        KernelRow {
            name: kernel.name.clone(),
            calls: kernel.dispatches.len(),
            ms: kernel.ms,
            share: kernel.ms / total_ms,
            gb_per_s: bytes as f64 / kernel.ms * 1e-6,
            gflop_per_s: flops as f64 / kernel.ms * 1e-6,
            floor_ms,
            floor_share: floor_ms / kernel.ms,
        }
    };
    profile.kernels.iter().map(row).collect()
}
