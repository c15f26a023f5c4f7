//! frames.wgsl, overlap_add.wgsl, spectral_convolve.wgsl, augment/gain.wgsl, augment/noise.wgsl, augment/reverse.wgsl,
//! augment/room.wgsl, augment/resample.wgsl, augment/vocoder.wgsl

use crate::harness::{assert_close, data, f64s, on_every_device, on_one_device};
use cola::frontend::{FrontEnd, InputNorm};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::augment::{
    Draws, gain, hash, key, noise, pitch, resample, reverb, reverse, room, speed, stretch, stretch_by,
};
use cola::ops::convolve::convolve;
use cola::ops::frames::{Framing, hann};
use cola::tensor::Tensor;
use cola::train::augment::{Augment, Augmentation};
use cola::train::config::TrainConfig;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use std::f64::consts::PI;

const TOLERANCE: f64 = 2e-5;

/// Rows and samples, odd ones among them.
const SHAPES: [[usize; 2]; 4] = [[3, 15_680], [5, 777], [1, 64], [2, 1]];

fn check(name: &str, op: impl Fn(&Tensor, u32) -> Tensor, reference: impl Fn(&[f64], usize, u32, u32) -> Vec<f64>) {
    on_every_device(|gpu| {
        for (k, [rows, samples]) in SHAPES.into_iter().enumerate() {
            let x = data(k as u64, rows * samples);
            let key = key(7, k as u64, 1);
            let y = op(&Tensor::from_slice(gpu, &[rows, samples], &x), key);
            let row = |(row, x): (usize, &[f32])| reference(&f64s(x), samples, key, row as u32);
            let want: Vec<f64> = x.chunks(samples).enumerate().flat_map(row).collect();
            assert_close(&format!("{name} {rows}x{samples}"), &y.read(), &want, TOLERANCE);
        }
    });
}

/// `lib/noise.wgsl`.
fn unit_noise(key: u32, counter: usize) -> f64 {
    let draws = Draws { key, sample: counter as u32 };
    3f64.sqrt() * ((0..4).map(|i| f64::from(draws.uniform(i))).sum::<f64>() - 2.0)
}

#[test]
fn gain_goes_from_one_level_to_another() {
    check("gain", gain, |x, samples, key, row| {
        let db = |end| 12.0 * (2.0 * f64::from(Draws { key, sample: row }.uniform(end)) - 1.0);
        let at = |t: usize| db(0) + (db(1) - db(0)) * t as f64 / (samples.max(2) - 1) as f64;
        x.iter().enumerate().map(|(t, x)| x * 2f64.powf(at(t) / 6.0205999)).collect()
    });
}

#[test]
fn noise_lies_so_far_below() {
    check("noise", noise, |x, samples, key, row| {
        let db = 5.0 + 25.0 * f64::from(Draws { key: hash(key), sample: row }.uniform(0));
        let level = 2f64.powf(-db / 6.0205999) / (samples as f64).sqrt();
        x.iter().enumerate().map(|(t, x)| x + level * unit_noise(key, row as usize * samples + t)).collect()
    });
    let all: Vec<f64> = (0..20_000).map(|i| unit_noise(3, i)).collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let square = all.iter().map(|z| z * z).sum::<f64>() / all.len() as f64;
    assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.03, "mean {mean}, variance {square}");
}

#[test]
fn half_of_the_signals_run_backwards() {
    check("reverse", reverse, |x, _, key, row| match (Draws { key, sample: row }).below(0, 2) {
        1 => x.iter().rev().copied().collect(),
        _ => x.to_vec(),
    });
}

#[test]
fn frames_overlap_and_add_up_again() {
    on_every_device(|gpu| {
        for (size, hop, lead, rows, samples) in
            [(64, 16, 48, 2, 1000), (128, 128, 0, 1, 500), (1024, 300, 7, 3, 15_680)]
        {
            let (window, x) = (data(1, size), data(2, rows * samples));
            let framing = Framing::new(gpu, &window, hop, lead);
            let frames = framing.count(samples);
            let split = framing.split(&Tensor::from_slice(gpu, &[rows, samples], &x), frames);
            let value = |n: usize| {
                let (row, frame, i) = (n / (frames * size), n / size % frames, n % size);
                let at = (frame * hop + i).checked_sub(lead).filter(|&at| at < samples);
                at.map_or(0.0, |at| f64::from(window[i]) * f64::from(x[row * samples + at]))
            };
            let want: Vec<f64> = (0..rows * frames * size).map(value).collect();
            let name = format!("size {size}, hop {hop}, lead {lead}");
            assert_close(&format!("frames, {name}"), &split.read(), &want, 1e-6);

            let z = data(3, rows * frames * size);
            let joined = framing.join(&Tensor::from_slice(gpu, &[rows * frames, size], &z), frames, samples);
            let mut want = vec![0.0; rows * samples];
            for (n, z) in z.iter().enumerate() {
                let (row, frame, i) = (n / (frames * size), n / size % frames, n % size);
                if let Some(at) = (frame * hop + i).checked_sub(lead).filter(|&at| at < samples) {
                    want[row * samples + at] += f64::from(window[i]) * f64::from(*z);
                }
            }
            assert_close(&format!("overlap_add, {name}"), &joined.read(), &want, 1e-6);
        }
    });
}

#[test]
fn convolution_by_blocks_is_convolution() {
    on_every_device(|gpu| {
        for (rows, samples, taps) in [(2, 1300, 900), (1, 100, 2000), (3, 512, 512), (1, 1600, 1)] {
            let (x, h) = (data(1, rows * samples), data(2, rows * taps));
            let shaped = |data: &[f32], length| Tensor::from_slice(gpu, &[rows, length], data);
            let y = convolve(&shaped(&x, samples), &shaped(&h, taps));
            let value = |n: usize| {
                let (row, t) = (n / samples, n % samples);
                let product = |u: usize| f64::from(x[row * samples + t - u]) * f64::from(h[row * taps + u]);
                (0..taps.min(t + 1)).map(product).sum()
            };
            let want: Vec<f64> = (0..rows * samples).map(value).collect();
            assert_close(&format!("convolve {samples} by {taps}"), &y.read(), &want, TOLERANCE);
        }
    });
}

#[test]
fn a_room_is_a_click_and_noise_that_dies_away() {
    on_every_device(|gpu| {
        let key = key(1, 2, 3);
        let h = room(gpu, 3, key);
        let [rows, samples] = h.dims2();
        let value = |n: usize| {
            let draws = Draws { key: hash(key), sample: (n / samples) as u32 };
            let t60 = 1600.0 * 8f64.powf(f64::from(draws.uniform(0)));
            let level = f64::from(draws.uniform(1)) * (2.0 * 1000f64.ln() / t60).sqrt();
            let t = n % samples;
            if t == 0 { 1.0 } else { level * 1000f64.powf(-(t as f64) / t60) * unit_noise(key, n) }
        };
        assert_close("room", &h.read(), &(0..rows * samples).map(value).collect::<Vec<_>>(), TOLERANCE);
        let x = Tensor::from_slice(gpu, &[3, 2000], &data(1, 6000));
        assert_eq!(reverb(&x, key).read::<f32>(), convolve(&x, &h).read::<f32>());
    });
}

#[test]
fn resampling_is_band_limited_interpolation() {
    on_every_device(|gpu| {
        let (samples, out, steps) = (3001, 2500, [0.8, 1.0, 1.25, 1.0721]);
        let x = data(1, steps.len() * samples);
        let y = resample(&Tensor::from_slice(gpu, &[steps.len(), samples], &x), out, &steps);
        let value = |n: usize| {
            let (row, t) = (n / out, n % out);
            let (step, cut) = (steps[row], (1.0 / steps[row]).min(1.0));
            let place = 0.5 * (samples - 1) as f64 + (t as f64 - 0.5 * (out - 1) as f64) * step;
            let weight = |k: usize| {
                let v = cut * (place - k as f64);
                let sinc = if v == 0.0 { 1.0 } else { (PI * v).sin() / (PI * v) };
                if v.abs() >= 8.0 { 0.0 } else { cut * sinc * (0.5 + 0.5 * (PI * v / 8.0).cos()) }
            };
            (0..samples).map(|k| weight(k) * f64::from(x[row * samples + k])).sum()
        };
        let want: Vec<f64> = (0..steps.len() * out).map(value).collect();
        assert_close("resample", &y.read(), &want, TOLERANCE);
    });
}

/// Bins of the frames of a signal, as the framing of the vocoder cuts them.
fn spectra(x: &[f64], window: &[f64], frames: usize) -> Vec<Vec<Complex<f64>>> {
    let fft = FftPlanner::new().plan_fft_forward(1024);
    let frame = |f: usize| {
        let value = |i: usize| (f * 256 + i).checked_sub(768).and_then(|at| x.get(at)).map_or(0.0, |x| x * window[i]);
        let mut bins: Vec<Complex<f64>> = (0..1024).map(|i| Complex::new(value(i), 0.0)).collect();
        fft.process(&mut bins);
        bins
    };
    (0..frames).map(frame).collect()
}

/// The phase vocoder in f64, over all 1024 bins.
fn stretched(x: &[f64], samples_out: usize, s: f64) -> Vec<f64> {
    let window = f64s(&hann(1024));
    let count = |samples: usize| (samples + 768).div_ceil(256);
    let (frames, frames_out) = (count(x.len()), count(samples_out));
    let middle = |samples: usize| (0.5 * (samples - 1) as f64 + 256.0) / 256.0;
    let spectra = spectra(x, &window, frames);
    let inverse = FftPlanner::new().plan_fft_inverse(1024);
    let mut phases: Option<Vec<Complex<f64>>> = None;
    let mut y = vec![0.0; samples_out];
    for j in 0..frames_out {
        let q = middle(x.len()) + (j as f64 - middle(samples_out)) / s;
        if q < 0.0 || q > (frames - 2) as f64 {
            continue;
        }
        let (a, b) = (&spectra[q as usize], &spectra[q as usize + 1]);
        let phase = phases.get_or_insert_with(|| a.iter().map(|a| a / a.norm()).collect());
        let mut bins: Vec<Complex<f64>> =
            (0..1024).map(|k| phase[k] * (a[k].norm() + q.fract() * (b[k].norm() - a[k].norm()))).collect();
        for k in 0..1024 {
            let turned = phase[k] * b[k] * a[k].conj();
            phase[k] = turned / turned.norm();
        }
        inverse.process(&mut bins);
        for (i, bin) in bins.iter().enumerate() {
            if let Some(at) = (j * 256 + i).checked_sub(768).filter(|&at| at < samples_out) {
                y[at] += window[i] / 1.5 * bin.re / 1024.0;
            }
        }
    }
    y
}

#[test]
fn the_vocoder_follows_its_definition() {
    on_every_device(|gpu| {
        let (samples, out, stretches) = (6001, 6500, [0.83, 1.0, 1.21]);
        let x = data(1, stretches.len() * samples);
        let y = stretch_by(&Tensor::from_slice(gpu, &[stretches.len(), samples], &x), out, &stretches);
        let rows = x.chunks(samples).zip(stretches);
        let want: Vec<f64> = rows.flat_map(|(x, s)| stretched(&f64s(x), out, f64::from(s as f32))).collect();
        assert_close("vocoder", &y.read(), &want, 1e-4);
    });
}

/// Cycles a sample of the middle third of a tone, from its rising zero crossings.
fn frequency(x: &[f32]) -> f64 {
    let third = x.len() / 3;
    let crossing = |i: usize| i as f64 - f64::from(x[i]) / f64::from(x[i + 1] - x[i]);
    let all: Vec<f64> = (third..2 * third).filter(|&i| x[i] < 0.0 && x[i + 1] >= 0.0).map(crossing).collect();
    (all.len() - 1) as f64 / (all[all.len() - 1] - all[0])
}

/// A tone moves in pitch where it should, by the factor that its draw says, and keeps its level.
#[test]
fn tones_keep_or_change_their_pitch() {
    on_one_device(|gpu| {
        let (rows, samples, tone) = (6, 15_680, 0.0313);
        let wave: Vec<f32> =
            (0..rows * samples).map(|n| (2.0 * PI * tone * (n % samples) as f64).sin() as f32).collect();
        let x = Tensor::from_slice(gpu, &[rows, samples], &wave);
        let key = key(5, 6, 7);
        for (name, op, most) in [
            ("pitch", pitch as fn(&Tensor, u32) -> Tensor, 2f64.powf(4.0 / 12.0)),
            ("stretch", stretch, 1.0),
            ("speed", speed, 1.25),
        ] {
            for (row, y) in op(&x, key).read::<f32>().chunks(samples).enumerate() {
                let draw = f64::from(Draws { key, sample: row as u32 }.uniform(0));
                let want = tone * most.powf(2.0 * draw - 1.0);
                let (got, middle) = (frequency(y), &y[samples / 3..2 * samples / 3]);
                assert!((got / want - 1.0).abs() < 2e-3, "{name} {row}: {got} cycles a sample, {want} wanted");
                let peak = middle.iter().fold(0.0, |peak: f32, y| peak.max(y.abs()));
                assert!((0.85..1.15).contains(&peak), "{name} {row}: amplitude {peak}");
            }
        }
    });
}

/// Ranges of rows have draws of their own, and every sample is written.
#[test]
fn large_batches_of_sounds_are_cut_into_ranges() {
    let x = data(1, 128 * 1000);
    let run = |ops: &[fn(&Tensor, u32) -> Tensor], max_binding_bytes| -> Vec<Vec<f32>> {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let x = Tensor::from_slice(&gpu, &[128, 1000], &x);
        ops.iter().map(|op| op(&x, 5).read()).collect()
    };
    // More than 64 rows of the signals fit, or of their spectra, but not all 128.
    let half = 64 * 1000;
    let by_sample: [fn(&Tensor, u32) -> Tensor; 4] = [gain, noise, reverse, speed];
    let by_spectrum: [fn(&Tensor, u32) -> Tensor; 2] = [pitch, stretch];
    for (ops, limit_bytes) in [(&by_sample[..], 280_000), (&by_spectrum[..], 3 << 20), (&[reverb], 14 << 20)] {
        for (op, (whole, cut)) in run(ops, None).iter().zip(&run(ops, Some(limit_bytes))).enumerate() {
            assert_eq!(whole[..half], cut[..half], "op {op} of {}", ops.len());
            assert_ne!(whole[half..], cut[half..], "op {op} of {}", ops.len());
        }
    }
}

/// Every augmentation changes the positives, leaves the anchors, and is the same again for the same draw.
#[test]
fn only_positives_are_augmented() {
    on_one_device(|gpu| {
        let pairs = 3;
        let samples = Tensor::from_slice(gpu, &[2 * pairs, 15_680], &data(1, 2 * pairs * 15_680));
        let front_end = FrontEnd::new(gpu, InputNorm { mean: 1.0, std: 2.0 });
        let features = |augment: &[Augmentation], draw| {
            let config = TrainConfig { augment: augment.to_vec(), ..TrainConfig::default() };
            Augment::new(&config).features(&front_end, &samples, draw).read::<f32>()
        };
        let plain = features(&[], 0);
        let half = plain.len() / 2;
        for augmentation in Augmentation::ALL {
            let (once, later) = (features(&[augmentation], 0), features(&[augmentation], 1));
            assert_eq!(once, features(&[augmentation], 0), "{augmentation:?} again");
            assert!(once.iter().all(|v| v.is_finite()), "{augmentation:?}");
            assert_eq!([&once[..half], &later[..half]], [&plain[..half]; 2], "{augmentation:?}");
            assert_ne!(once[half..], plain[half..], "{augmentation:?}");
            assert_ne!(once[half..], later[half..], "{augmentation:?}");
        }
        let samples_after = samples.read::<f32>();
        assert_eq!(samples_after, data(1, 2 * pairs * 15_680), "the batch itself stays");
        assert!(features(&Augmentation::ALL, 3).iter().all(|v| v.is_finite()));
    });
}
