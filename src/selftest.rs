//! A few kernels against plain loops on the CPU: does this adapter compute what it should?
//!
//! Drivers have bugs, and a training run on a broken one looks like a bad recipe. `cola doctor` runs this on every
//! adapter. The full comparison, with gradients, is in `kernels-tests`.

use crate::gpu::{Gpu, GpuError, catch};
use crate::ops::batch_norm::{BatchNorm, batch_norm};
use crate::ops::depthwise::depthwise;
use crate::ops::log_mel::LogMel;
use crate::ops::matmul::linear;
use crate::ops::mel::LogMelConfig;
use crate::ops::softmax_xent::{Samples, softmax_xent};
use crate::tape::{Ctx, Param, Tape, Var};
use crate::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;

/// Largest error that rounding in f32 explains, relative to the root mean square of the reference.
const TOLERANCE: f64 = 1e-3;

/// What came of one kernel.
#[derive(Debug)]
pub struct Check {
    /// The operation and its size.
    pub name: &'static str,
    /// Largest deviation over the root mean square of the reference, or why the kernel did not run.
    pub error: Result<f64, GpuError>,
}

impl Check {
    /// Whether the kernel ran and was right.
    pub fn passed(&self) -> bool {
        // Not `>`: NaN must not pass.
        self.error.as_ref().is_ok_and(|&error| error <= TOLERANCE)
    }
}

/// Runs every check on this device.
pub fn run(gpu: &Gpu) -> Vec<Check> {
    type Deviation = fn(&Gpu) -> f64;
    let checks: [(&'static str, Deviation); 6] = [
        ("matrix product 64x96x128", |gpu| matrix_product(gpu, 64, 96, 128)),
        ("matrix product 37x29x53", |gpu| matrix_product(gpu, 37, 29, 53)),
        ("depthwise convolution 5x5", depthwise_5x5),
        ("batch norm in training", batch_norm_in_training),
        ("log-mel spectrogram", log_mel),
        ("softmax cross-entropy", cross_entropy),
    ];
    checks.into_iter().map(|(name, check)| Check { name, error: catch(|| check(gpu)) }).collect()
}

fn data(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

fn param(gpu: &Gpu, shape: &[usize], values: &[f32]) -> Param {
    let grad = Tensor::zeros(gpu, "self-test gradient", shape);
    Param { name: "self-test".into(), value: Tensor::from_slice(gpu, shape, values), grad }
}

/// Largest difference over the root mean square of `want`.
pub(crate) fn deviation(got: &[f32], want: &[f64]) -> f64 {
    let rms = (want.iter().map(|w| w * w).sum::<f64>() / want.len() as f64).sqrt();
    let worst = got.iter().zip(want).map(|(&g, &w)| (f64::from(g) - w).abs());
    // `max` of f64 would drop a NaN
    worst.fold(0.0, |a: f64, b| if b > a || b.is_nan() { b } else { a }) / rms
}

fn matrix_product(gpu: &Gpu, m: usize, k: usize, n: usize) -> f64 {
    let (w, x) = (data(1, m * k), data(2, k * n));
    let want: Vec<f64> =
        (0..m * n).map(|i| (0..k).map(|j| f64::from(w[i / n * k + j]) * f64::from(x[j * n + i % n])).sum()).collect();
    let input = Var::constant(Tensor::from_slice(gpu, &[k, n], &x));
    let y = linear(&Ctx::inference(gpu), &param(gpu, &[m, k], &w), &input);
    deviation(&y.value.read(), &want)
}

/// 5x5, stride 1, padding 2, on [C = 3][N = 2][6][7].
fn depthwise_5x5(gpu: &Gpu) -> f64 {
    let (c, n, h, w) = (3, 2, 6, 7);
    let (kernel, x) = (data(3, c * 25), data(4, c * n * h * w));
    let at = |plane: usize, y: usize, dy: usize, x0: usize, dx: usize| -> f64 {
        let (row, column) = ((y + dy).wrapping_sub(2), (x0 + dx).wrapping_sub(2));
        if row < h && column < w { f64::from(x[(plane * h + row) * w + column]) } else { 0.0 }
    };
    let want: Vec<f64> = (0..c * n * h * w)
        .map(|i| {
            let (plane, row, column) = (i / (h * w), i / w % h, i % w);
            (0..25).map(|t| f64::from(kernel[plane / n * 25 + t]) * at(plane, row, t / 5, column, t % 5)).sum()
        })
        .collect();
    let input = Var::constant(Tensor::from_slice(gpu, &[c, n, h, w], &x));
    let y = depthwise(&Ctx::inference(gpu), &input, &param(gpu, &[c, 1, 5, 5], &kernel), 1);
    deviation(&y.value.read(), &want)
}

fn batch_norm_in_training(gpu: &Gpu) -> f64 {
    let (channels, row) = (5, 4 * 6 * 7);
    let eps = 1e-3;
    let x: Vec<f32> = data(5, channels * row).iter().map(|v| 2.0 * v + 0.5).collect();
    let (gamma, beta) = (data(6, channels), data(7, channels));
    let want: Vec<f64> = (0..channels)
        .flat_map(|c| {
            let values: Vec<f64> = x[c * row..(c + 1) * row].iter().map(|&v| f64::from(v)).collect();
            let mean = values.iter().sum::<f64>() / row as f64;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / row as f64;
            let scale = f64::from(gamma[c]) / (variance + eps).sqrt();
            let shift = f64::from(beta[c]);
            values.into_iter().map(move |v| scale * (v - mean) + shift)
        })
        .collect();
    let bn = BatchNorm {
        weight: param(gpu, &[channels], &gamma),
        bias: param(gpu, &[channels], &beta),
        running_mean: Tensor::zeros(gpu, "self-test mean", &[channels]),
        running_var: Tensor::zeros(gpu, "self-test variance", &[channels]),
        eps: eps as f32,
        momentum: 0.1,
    };
    let tape = Tape::new();
    let input = Var::constant(Tensor::from_slice(gpu, &[channels, 4, 6, 7], &x));
    deviation(&batch_norm(&Ctx::training(gpu, &tape), &input, &bn, false).value.read(), &want)
}

/// Three frames of noise, with the Fourier transform as a plain sum.
fn log_mel(gpu: &Gpu) -> f64 {
    let config = LogMelConfig::default();
    let (frames, bins) = (3, config.fft / 2 + 1);
    let samples = data(8, config.frame_len + (frames - 1) * config.hop);
    let (window, bands) = (config.window(), config.mel_bands());
    let turn: Vec<f64> = (0..config.fft).map(|i| 2.0 * PI * i as f64 / config.fft as f64).collect();
    let mut want = Vec::new();
    for frame in samples.windows(config.frame_len).step_by(config.hop) {
        let magnitude = |bin: usize| {
            let part = |f: fn(f64) -> f64| -> f64 {
                let term = |(i, (&x, w)): (usize, (&f32, &f64))| f64::from(x) * w * f(turn[bin * i % config.fft]);
                frame.iter().zip(&window).enumerate().map(term).sum()
            };
            part(f64::cos).hypot(part(f64::sin))
        };
        let spectrum: Vec<f64> = (0..bins).map(magnitude).collect();
        want.extend(bands.iter().map(|band| {
            let sum: f64 = band.weights.iter().zip(&spectrum[band.first_bin..]).map(|(w, x)| w * x).sum();
            sum.clamp(f64::from(config.floor), f64::from(config.ceil)).ln()
        }));
    }
    let input = Tensor::from_slice(gpu, &[1, samples.len()], &samples);
    deviation(&LogMel::new(gpu, config).log_mel(&input).read(), &want)
}

fn cross_entropy(gpu: &Gpu) -> f64 {
    let (samples, classes) = (9, 13);
    let x: Vec<f32> = data(9, samples * classes).iter().map(|v| 8.0 * v).collect();
    let targets: Vec<u32> = (0..samples as u32).map(|i| i * 5 % classes as u32).collect();
    let want: Vec<f64> = x
        .chunks(classes)
        .zip(&targets)
        .map(|(row, &target)| {
            let sum: f64 = row.iter().map(|&v| f64::from(v).exp()).sum();
            sum.ln() - f64::from(row[target as usize])
        })
        .collect();
    let logits = Var::constant(Tensor::from_slice(gpu, &[samples, classes], &x));
    let targets = Tensor::from_slice(gpu, &[samples], &targets);
    deviation(&softmax_xent(&Ctx::inference(gpu), &logits, Samples::Rows, &targets).losses.read(), &want)
}
