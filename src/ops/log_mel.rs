//! The front end: samples to log-mel spectrogram in one kernel.

use super::fft::Plan;
use super::mel::{Band, LogMelConfig};
use super::{split_rows, u};
use crate::audio::SEGMENT_SAMPLES;
use crate::gpu::{Gpu, Kernel, Tier, groups};
use crate::kernel;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};
use std::f64::consts::PI;
use std::time::Instant;

static LOG_MEL: Kernel = kernel!("log_mel.wgsl");
static LOG_MEL_LANES: Kernel = kernel!("log_mel_lanes.wgsl");

/// Samples that [`log_mel_of`] uploads at a time: 64 MiB, half the smallest limit on a binding that adapters have.
const PIECE_SAMPLES: usize = 1 << 24;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    samples: u32,
    frames: u32,
    rows: u32,
    floor: f32,
    ceil: f32,
}

/// A log-mel front end with its tables on the device.
pub struct LogMel {
    config: LogMelConfig,
    plan: Plan,
    window: Tensor,
    twiddles: Tensor,
    /// First bin and first weight of each band, and one entry more for the end of the last.
    bands: Tensor,
    weights: Tensor,
    /// Those of the CPU tier, where its kernel is made for this configuration.
    lanes: Option<LaneTables>,
    /// Multiplications and additions a frame.
    flops: u64,
}

/// The tables of `log_mel_lanes.wgsl`; it says what is in them.
struct LaneTables {
    table: Tensor,
    bands: Tensor,
    weights: Tensor,
}

impl LaneTables {
    fn new(gpu: &Gpu, config: &LogMelConfig) -> Option<LaneTables> {
        let made_for = config.fft == 1024 && config.frame_len == 400 && config.hop.is_multiple_of(4);
        if gpu.caps().tier != Tier::Cpu || !made_for || gpu.caps().max_workgroup_bytes < 32 << 10 {
            return None;
        }
        let window = config.window();
        let mut table = Vec::new();
        for first in (0..32).step_by(4) {
            let four = first..first + 4;
            for i in 0..13 {
                table.extend(four.clone().map(|j| window.get(32 * i + j).map_or(0.0, |&w| w as f32)));
            }
            for k in 1..=16 {
                let angle = |j| 2.0 * PI * (j * k) as f64 / 1024.0;
                table.extend(four.clone().map(|j| angle(j).cos() as f32));
                table.extend(four.clone().map(|j| -angle(j).sin() as f32));
            }
            table.resize(table.len().next_multiple_of(4 * 48), 0.0);
        }
        // a bin between two edges weighs in the band that falls there and in the one that rises
        let (edges_hz, mel_bands) = (config.edges_hz(), config.mel_bands());
        let bin_hz = f64::from(config.sample_rate_hz) / config.fft as f64;
        let weight = |band: Option<&Band>, bin: usize| {
            let weights = band.and_then(|band| band.weights.get(bin.checked_sub(band.first_bin)?));
            weights.map_or(0.0, |&w| w as f32)
        };
        let (mut bands, mut weights) = (Vec::new(), Vec::new());
        for edge in 0..=config.bands {
            let bins = edges_hz[edge] / bin_hz..edges_hz[edge + 1] / bin_hz;
            let mut inside = (1..config.fft / 2).filter(|&bin| bins.contains(&(bin as f64))).peekable();
            bands.push([u(inside.peek().copied().unwrap_or(1)), u(weights.len() / 4)]);
            let falling = edge.checked_sub(1).and_then(|band| mel_bands.get(band));
            weights.extend(inside.flat_map(|bin| [weight(falling, bin), weight(mel_bands.get(edge), bin)]));
            weights.resize(weights.len().next_multiple_of(4), 0.0);
        }
        bands.push([0, u(weights.len() / 4)]);
        Some(LaneTables {
            table: Tensor::from_slice(gpu, &[table.len()], &table),
            bands: Tensor::from_slice(gpu, &[bands.len(), 2], bytemuck::cast_slice::<_, u32>(&bands)),
            weights: Tensor::from_slice(gpu, &[weights.len()], &weights),
        })
    }
}

impl LogMel {
    /// Computes the tables and uploads them.
    ///
    /// # Panics
    /// On a configuration that means nothing (an FFT shorter than a frame, edges beyond half the sample rate, ...).
    #[track_caller]
    pub fn new(gpu: &Gpu, config: LogMelConfig) -> LogMel {
        config.check();
        let plan = Plan::new(config.fft / 2);
        let window: Vec<f32> = config.window().into_iter().map(|w| w as f32).collect();
        let (mut bands, mut weights) = (Vec::new(), Vec::new());
        for band in config.mel_bands() {
            bands.push([u(band.first_bin), u(weights.len())]);
            weights.extend(band.weights.iter().map(|&w| w as f32));
        }
        bands.push([0, u(weights.len())]);
        let flops = 5 * plan.points * config.fft.ilog2() as usize + 15 * plan.points + 2 * weights.len();
        LogMel {
            config,
            plan,
            window: Tensor::from_slice(gpu, &[window.len()], &window),
            twiddles: plan.twiddles(gpu),
            bands: Tensor::from_slice(gpu, &[bands.len(), 2], bytemuck::cast_slice::<_, u32>(&bands)),
            weights: Tensor::from_slice(gpu, &[weights.len()], &weights),
            lanes: LaneTables::new(gpu, &config),
            flops: flops as u64,
        }
    }

    /// What it was made with.
    pub fn config(&self) -> &LogMelConfig {
        &self.config
    }

    /// Samples `[N, samples]` to log-mel `[1, N, frames, bands]`: a feature map of one channel, height = time,
    /// width = mel. Signals shorter than a frame give none.
    ///
    /// ```
    /// use cola::gpu::{Gpu, GpuOptions};
    /// use cola::ops::log_mel::LogMel;
    /// use cola::ops::mel::LogMelConfig;
    /// use cola::tensor::Tensor;
    ///
    /// let gpu = Gpu::open(&GpuOptions::default())?;
    /// // 0.98 s of silence at 16 kHz
    /// let silence = Tensor::zeros(&gpu, "silence", &[1, 15_680]);
    /// let log_mel = LogMel::new(&gpu, LogMelConfig::default()).log_mel(&silence);
    /// assert_eq!(log_mel.shape(), [1, 1, 96, 64]);
    /// # Ok::<(), cola::gpu::GpuError>(())
    /// ```
    ///
    /// # Panics
    /// When `samples` is not a matrix, or 64 signals pass the adapter's largest binding ([`log_mel_of`] cuts long ones).
    #[track_caller]
    pub fn log_mel(&self, samples: &Tensor) -> Tensor {
        let [n, len] = samples.dims2();
        let (frames, bands) = (self.config.frames(len), self.config.bands);
        let y = Tensor::empty(samples.gpu(), "log-mel", &[1, n, frames, bands]);
        let rows_of_y = y.reshape(&[n, frames * bands]);
        for (first, count) in split_rows(samples.gpu(), n, len.max(frames * bands)) {
            self.run(&samples.rows(first, count), &rows_of_y.rows(first, count));
        }
        y
    }

    /// The log-mel of one long signal, with at most `piece_samples` samples (at least a frame) on the device at a time.
    pub fn log_mel_in_pieces(&self, gpu: &Gpu, samples: &[f32], piece_samples: usize) -> Vec<f32> {
        let (frames, hop) = (self.config.frames(samples.len()), self.config.hop);
        let piece_frames = self.config.frames(piece_samples).max(1);
        let mut values = Vec::with_capacity(frames * self.config.bands);
        for first in (0..frames).step_by(piece_frames) {
            let last = (first + piece_frames).min(frames) - 1;
            let piece = &samples[first * hop..last * hop + self.config.frame_len];
            let tensor = Tensor::from_slice(gpu, &[1, piece.len()], piece);
            values.extend(self.log_mel(&tensor).read::<f32>());
        }
        values
    }

    fn run(&self, samples: &Tensor, y: &Tensor) {
        let [n, len] = samples.dims2();
        let frames = self.config.frames(len);
        let rows = n * frames;
        let flops = self.flops * rows as u64;
        let mut params = Params {
            samples: u(len),
            frames: u(frames),
            rows: u(rows),
            floor: self.config.floor,
            ceil: self.config.ceil,
        };
        let hop = ("HOP", u(self.config.hop).into());
        let bands = ("BANDS", u(self.config.bands).into());
        if let Some(tables) = self.lanes.as_ref().filter(|_| len.is_multiple_of(4)) {
            params.samples = u(len / 4);
            let tensors = [samples, &tables.table, &tables.bands, &tables.weights, y];
            samples.gpu().run(&LOG_MEL_LANES, &[hop, bands], &params, &tensors, [groups(rows, 8), 1, 1], flops);
            return;
        }
        let [points, in_group, lanes] = self.plan.spec();
        let spec = [points, in_group, lanes, ("FRAME_LEN", u(self.config.frame_len).into()), hop, bands];
        let tensors = [samples, &self.window, &self.twiddles, &self.bands, &self.weights, y];
        let grid = [groups(rows, self.plan.rows), 1, 1];
        samples.gpu().run(&LOG_MEL, &spec, &params, &tensors, grid, flops);
    }
}

/// COLA's log-mel of a signal of any length, at 16 kHz: values `[frames][bands]`, frames, bands.
pub fn log_mel_of(gpu: &Gpu, samples: &[f32]) -> (Vec<f32>, usize, usize) {
    let front_end = LogMel::new(gpu, LogMelConfig::default());
    let values = front_end.log_mel_in_pieces(gpu, samples, PIECE_SAMPLES);
    let config = front_end.config();
    (values, config.frames(samples.len()), config.bands)
}

/// Hours of audio a second through COLA's front end, on `segments` segments at a time that are already on the device:
/// the best of `passes`.
pub fn hours_per_second(gpu: &Gpu, segments: usize, passes: usize) -> f64 {
    let front_end = LogMel::new(gpu, LogMelConfig::default());
    let samples = Tensor::zeros(gpu, "bench input", &[segments, SEGMENT_SAMPLES]);
    let seconds_of_pass = || {
        let start = Instant::now();
        front_end.log_mel(&samples);
        gpu.wait();
        start.elapsed().as_secs_f64()
    };
    seconds_of_pass(); // compiles the kernel
    let best_s = (0..passes.max(1)).map(|_| seconds_of_pass()).fold(f64::INFINITY, f64::min);
    let audio_s = (segments * SEGMENT_SAMPLES) as f64 / f64::from(front_end.config.sample_rate_hz);
    audio_s / 3600.0 / best_s
}
