//! Augmentation of sounds `[R, samples]`.

use super::{Draws, rows_that_fit};
use crate::gpu::{Gpu, Kernel, Value, groups};
use crate::kernel;
use crate::ops::convolve::convolve;
use crate::ops::fft::Fft;
use crate::ops::frames::{Framing, hann};
use crate::ops::u;
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};
use std::f64::consts::PI;

static GAIN: Kernel = kernel!("augment/gain.wgsl");
static NOISE: Kernel = kernel!("augment/noise.wgsl");
static REVERSE: Kernel = kernel!("augment/reverse.wgsl");
static ROOM: Kernel = kernel!("augment/room.wgsl");
static RESAMPLE: Kernel = kernel!("augment/resample.wgsl");
static VOCODER: Kernel = kernel!("augment/vocoder.wgsl");

const WG: usize = 64;
/// Samples of a short-time spectrum, and between two of them.
const WINDOW: usize = 1024;
const HOP: usize = 256;
/// Samples of a room's response, half a second: by then the longest echo is 38 dB down.
const ROOM_SAMPLES: usize = 8192;
/// Of the resampling filter, to each side, and points of its table between two of them.
const ZEROS: usize = 8;
const FINENESS: usize = 512;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    key: u32,
    samples: u32,
}

/// From one level to another, each up to 12 dB up or down: `y[t] = x[t] 10^(d(t) / 20)`, d linear in t.
#[track_caller]
pub fn gain(x: &Tensor, key: u32) -> Tensor {
    sample_by_sample(&GAIN, x, key, 4)
}

/// White noise 5 to 30 dB below signals of unit L2 norm.
#[track_caller]
pub fn noise(x: &Tensor, key: u32) -> Tensor {
    sample_by_sample(&NOISE, x, key, 12)
}

/// Half of the signals backwards.
#[track_caller]
pub fn reverse(x: &Tensor, key: u32) -> Tensor {
    sample_by_sample(&REVERSE, x, key, 0)
}

fn sample_by_sample(kernel: &'static Kernel, x: &Tensor, key: u32, flops: u64) -> Tensor {
    let [_, samples] = x.dims2();
    rows_that_fit(x, samples, key, |x, key| {
        let y = Tensor::empty(x.gpu(), "augmented", x.shape());
        let grid = [groups(samples, WG), u(x.dims2()[0]), 1];
        x.gpu().run(kernel, &[], &Params { key, samples: u(samples) }, &[x, &y], grid, flops * x.len() as u64);
        y
    })
}

/// In a room of its own each: a response of a click and noise that dies away over 0.1 to 0.8 seconds, as loud as the
/// click at most, convolved with the signal.
#[track_caller]
pub fn reverb(x: &Tensor, key: u32) -> Tensor {
    let longest = spectra_len(x.dims2()[1].max(ROOM_SAMPLES));
    rows_that_fit(x, longest, key, |x, key| convolve(x, &room(x.gpu(), x.dims2()[0], key)))
}

/// The responses of `rows` rooms, `[rows, 8192]`.
pub fn room(gpu: &Gpu, rows: usize, key: u32) -> Tensor {
    let h = Tensor::empty(gpu, "room", &[rows, ROOM_SAMPLES]);
    let params = Params { key, samples: u(ROOM_SAMPLES) };
    gpu.run(&ROOM, &[], &params, &[&h], [groups(ROOM_SAMPLES, WG), u(rows), 1], 20 * h.len() as u64);
    h
}

/// Time and pitch together, as a tape does: by a factor of 1/1.25 to 1.25, about the middle; silence where the tape ends.
#[track_caller]
pub fn speed(x: &Tensor, key: u32) -> Tensor {
    rows_that_fit(x, x.dims2()[1], key, |x, key| {
        let steps = factors(x.dims2()[0], key, 1.25);
        resample(x, x.dims2()[1], &steps)
    })
}

/// Another pitch in the same time, up to 4 semitones up or down: stretched by a phase vocoder, then played so much faster.
#[track_caller]
pub fn pitch(x: &Tensor, key: u32) -> Tensor {
    const MOST: f64 = 1.259_921_049_894_873_2; // 2^(4 / 12)
    let [_, samples] = x.dims2();
    let longest = (samples as f64 * MOST).ceil() as usize;
    rows_that_fit(x, spectra_len(longest), key, |x, key| {
        let stretches = factors(x.dims2()[0], key, MOST);
        resample(&stretch_by(x, longest, &stretches), samples, &stretches)
    })
}

/// Another tempo at the same pitch, 1/1.25 to 1.25 times as long, about the middle, by a phase vocoder.
#[track_caller]
pub fn stretch(x: &Tensor, key: u32) -> Tensor {
    let [_, samples] = x.dims2();
    rows_that_fit(x, spectra_len(samples), key, |x, key| stretch_by(x, samples, &factors(x.dims2()[0], key, 1.25)))
}

/// The most floats that the spectra of a signal take, of the vocoder or of a convolution.
fn spectra_len(samples: usize) -> usize {
    (samples + WINDOW).div_ceil(HOP) * (WINDOW + 2)
}

/// A factor for each row, log-uniform in 1 / most to most.
fn factors(rows: usize, key: u32, most: f64) -> Vec<f64> {
    (0..u(rows)).map(|row| most.powf(2.0 * f64::from(Draws { key, sample: row }.uniform(0)) - 1.0)).collect()
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Frames {
    frames: u32,
    frames_out: u32,
    middle: f32,
    middle_out: f32,
}

/// Signals `[R, samples]` times as long as `stretches` says, at their pitch, in the middle of `[R, samples_out]`.
#[track_caller]
pub fn stretch_by(x: &Tensor, samples_out: usize, stretches: &[f64]) -> Tensor {
    let ([rows, samples], gpu) = (x.dims2(), x.gpu());
    assert_eq!(rows, stretches.len(), "stretches for {rows} signals");
    let window = hann(WINDOW);
    let framing = Framing::new(gpu, &window, HOP, WINDOW - HOP);
    let (frames, frames_out) = (framing.count(samples), framing.count(samples_out));
    let fft = Fft::real(gpu, WINDOW);
    let spectra = fft.forward(&framing.split(x, frames));
    let bins = WINDOW / 2 + 1;
    let y = Tensor::empty(gpu, "stretched spectra", &[rows * frames_out, bins, 2]);
    let stretches: Vec<f32> = stretches.iter().map(|&s| s as f32).collect();
    let stretches = Tensor::from_slice(gpu, &[rows], &stretches);
    let spec: [(&'static str, Value); 1] = [("BINS", u(bins).into())];
    // the frame in whose middle the middle of a signal stands
    let middle = |samples: usize| (0.5 * (samples - 1) as f32 + (WINDOW / 2 - HOP) as f32) / HOP as f32;
    let params = Frames {
        frames: u(frames),
        frames_out: u(frames_out),
        middle: middle(samples),
        middle_out: middle(samples_out),
    };
    let grid = [groups(bins, WG), u(rows), 1];
    gpu.run(&VOCODER, &spec, &params, &[&spectra, &stretches, &y], grid, 30 * (rows * frames_out * bins) as u64);
    // Windows of both ways together add up to 3/2.
    let window: Vec<f32> = window.iter().map(|w| w / 1.5).collect();
    Framing::new(gpu, &window, HOP, WINDOW - HOP).join(&fft.inverse(&y), frames_out, samples_out)
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Lengths {
    samples: u32,
    samples_out: u32,
}

/// Signals `[R, samples]` read with steps of so many samples, about the middle, to `[R, samples_out]`; band-limited.
#[track_caller]
pub fn resample(x: &Tensor, samples_out: usize, steps: &[f64]) -> Tensor {
    let ([rows, samples], gpu) = (x.dims2(), x.gpu());
    assert_eq!(rows, steps.len(), "steps for {rows} signals");
    let split = |step: &f64| {
        let coarse = (step * 512.0).round() / 512.0;
        [coarse as f32, (step - coarse) as f32]
    };
    let pairs: Vec<f32> = steps.iter().flat_map(split).collect();
    let steps = Tensor::from_slice(gpu, &[rows, 2], &pairs);
    let y = Tensor::empty(gpu, "resampled", &[rows, samples_out]);
    let spec: [(&'static str, Value); 2] = [("ZEROS", u(ZEROS).into()), ("FINENESS", u(FINENESS).into())];
    let params = Lengths { samples: u(samples), samples_out: u(samples_out) };
    let grid = [groups(samples_out, WG), u(rows), 1];
    let bound = [x, &steps, &filter(gpu), &y];
    gpu.run(&RESAMPLE, &spec, &params, &bound, grid, (8 * 2 * ZEROS * y.len()) as u64);
    y
}

/// Half of a sinc under a Hann window, `[ZEROS FINENESS + 2]`.
fn filter(gpu: &Gpu) -> Tensor {
    let points = ZEROS * FINENESS;
    let value = |i: usize| {
        let v = i as f64 / FINENESS as f64;
        let sinc = if i == 0 { 1.0 } else { (PI * v).sin() / (PI * v) };
        if i >= points { 0.0 } else { sinc * (0.5 + 0.5 * (PI * v / ZEROS as f64).cos()) }
    };
    let table: Vec<f32> = (0..points + 2).map(|i| value(i) as f32).collect();
    Tensor::from_slice(gpu, &[table.len()], &table)
}
