//! log_mel.wgsl, log_mel_lanes.wgsl, and the numbers behind it

use crate::harness::{data, on_every_device};
use cola::gpu::{Gpu, GpuOptions, adapter_list};
use cola::ops::log_mel::{LogMel, hours_per_second, log_mel_of};
use cola::ops::mel::LogMelConfig;
use cola::tensor::Tensor;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use std::f64::consts::PI;

const SEGMENT: usize = 15_680;

fn near(name: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance, "{name} is {got}, should be {want}");
}

/// Log-mel in f64, and beside each value the largest magnitude of its frame.
fn reference(config: &LogMelConfig, x: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let (window, bands) = (config.window(), config.mel_bands());
    let fft = FftPlanner::new().plan_fft_forward(config.fft);
    let (mut values, mut peaks) = (Vec::new(), Vec::new());
    for frame in 0..config.frames(x.len()) {
        let mut z = vec![Complex::new(0.0, 0.0); config.fft];
        for i in 0..config.frame_len {
            z[i].re = window[i] * f64::from(x[frame * config.hop + i]);
        }
        fft.process(&mut z);
        let peak = z.iter().map(|z| z.norm()).fold(0.0, f64::max);
        for band in &bands {
            let sum: f64 = band.weights.iter().zip(&z[band.first_bin..]).map(|(w, z)| w * z.norm()).sum();
            values.push(sum.clamp(f64::from(config.floor), f64::from(config.ceil)).ln());
            peaks.push(peak);
        }
    }
    (values, peaks)
}

/// Rows of one length, stacked.
fn log_mel(gpu: &Gpu, config: LogMelConfig, rows: &[Vec<f32>]) -> Vec<f32> {
    let samples = Tensor::from_slice(gpu, &[rows.len(), rows[0].len()], &rows.concat());
    let y = LogMel::new(gpu, config).log_mel(&samples);
    assert_eq!(y.shape(), [1, rows.len(), config.frames(rows[0].len()), config.bands]);
    y.read()
}

/// Within 1e-4, plus what f32 costs inside the transform: about 2e-7 of the frame's largest magnitude, in any bin. That
/// shows in bands more than 54 dB below the loudest bin, as it does with any f32 FFT (rustfft's has as much).
#[track_caller]
fn assert_agrees(name: &str, got: &[f32], (want, peaks): &(Vec<f64>, Vec<f64>)) {
    assert_eq!(got.len(), want.len(), "{name}: length");
    for (i, ((&g, &w), &peak)) in got.iter().zip(want).zip(peaks).enumerate() {
        let difference = (f64::from(g) - w).abs();
        let allowed = 1e-4 + 2e-7 * peak / w.exp();
        assert!(difference <= allowed, "{name}: value {i} is {g}, reference {w}: {difference:.2e} above {allowed:.2e}");
    }
}

fn sine(hz: f64, amplitude: f64, len: usize) -> Vec<f32> {
    (0..len).map(|i| (amplitude * (2.0 * PI * hz * i as f64 / 16_000.0).sin()) as f32).collect()
}

/// Pulses at a gliding pitch through three formants, a hiss, a pause, and breath throughout, rounded to 16 bits.
fn speech(len: usize) -> Vec<f32> {
    let noise = data(5, len);
    let mut voice = vec![0.0; len];
    let mut phase = 0.0;
    for (i, v) in voice.iter_mut().enumerate() {
        let pitch_hz = 110.0 + 40.0 * (i as f64 / 9000.0).sin();
        phase += pitch_hz / 16_000.0;
        if phase >= 1.0 {
            phase -= 1.0;
            *v = 1.0;
        }
    }
    for (hz, width_hz) in [(650.0, 80.0), (1100.0, 90.0), (2500.0, 140.0)] {
        let r = f64::exp(-PI * width_hz / 16_000.0);
        let a = 2.0 * r * f64::cos(2.0 * PI * hz / 16_000.0);
        let (mut y1, mut y2) = (0.0, 0.0);
        for v in &mut voice {
            let y = (1.0 - r) * *v + a * y1 - r * r * y2;
            (y2, y1) = (y1, y);
            *v = y;
        }
    }
    let top = voice.iter().fold(0.0f64, |t, v| t.max(v.abs()));
    let sample = |i: usize| {
        let (voiced, hiss) = match 4 * i / len {
            0 | 1 => (0.6, 0.001),
            2 => (0.0, 0.2),
            _ => (0.0, 0.001),
        };
        let value = voiced * voice[i] / top + hiss * f64::from(noise[i]);
        ((value * 32767.0).round() / 32767.0) as f32
    };
    (0..len).map(sample).collect()
}

/// Divided by its L2 norm, as the model gets it.
fn normalised(x: &[f32]) -> Vec<f32> {
    let norm = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    x.iter().map(|&v| (f64::from(v) / norm) as f32).collect()
}

#[test]
fn mel_matrix_and_window_have_the_published_values() {
    let config = LogMelConfig::default();
    let edges = config.edges_hz();
    let (first, last) =
        ([60.0, 88.7620, 118.6125, 149.5927, 181.7453, 215.1147], [6903.6437, 7191.4016, 7490.0497, 7800.0]);
    first.iter().zip(&edges).for_each(|(&want, &got)| near("a low edge", got, want, 1e-4));
    last.iter().zip(&edges[62..]).for_each(|(&want, &got)| near("a high edge", got, want, 1e-4));

    let bands = config.mel_bands();
    let all: Vec<f64> = bands.iter().flat_map(|b| b.weights.clone()).collect();
    assert_eq!((bands.len(), edges.len(), all.len()), (64, 66, 970));
    near("sum of weights", all.iter().sum(), 484.441_257, 1e-6);
    near("sum of squared weights", all.iter().map(|w| w * w).sum(), 322.791_042, 1e-6);
    assert_eq!(bands.iter().map(|b| b.weights.len()).min(), Some(4));
    let sum = |i: usize| bands[i].weights.iter().sum::<f64>();
    for (i, want) in [(0, 1.858_699), (1, 1.940_620), (2, 2.016_502), (63, 19.469_977)] {
        near("a column's sum", sum(i), want, 1e-6);
    }
    let columns =
        [(0, 4, [0.088_409, 0.634_486, 0.830_294, 0.305_509]), (1, 6, [0.169_706, 0.694_491, 0.790_758, 0.285_665])];
    for (i, first_bin, weights) in columns {
        assert_eq!(bands[i].first_bin, first_bin);
        weights.iter().zip(&bands[i].weights).for_each(|(&want, &got)| near("a weight", got, want, 1e-6));
    }
    let peak = |b: &cola::ops::mel::Band| {
        let top = (0..b.weights.len()).max_by(|&i, &j| b.weights[i].total_cmp(&b.weights[j])).expect("no empty band");
        b.first_bin + top
    };
    let peaks: Vec<usize> = bands[..10].iter().map(peak).collect();
    assert_eq!(peaks, [6, 8, 10, 12, 14, 16, 18, 21, 23, 26]);

    let window = config.window();
    near("sum of the window", window.iter().sum(), 200.0, 1e-9);
    near("sum of its squares", window.iter().map(|w| w * w).sum(), 150.0, 1e-9);
    let frames = [0, 399, 400, 559, 560, 15_360, 15_600, SEGMENT, 16_000].map(|n| config.frames(n));
    assert_eq!(frames, [0, 0, 1, 1, 2, 94, 96, 96, 98]);
}

#[test]
fn the_440_hz_sine_has_the_published_values() {
    let x = normalised(&sine(440.0, 1.0, 16_000));
    let config = LogMelConfig::default();
    let moments = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt())
    };
    let (want, _) = reference(&config, &x);
    let (mean, std) = moments(&want);
    near("mean in f64", mean, -8.80786, 1e-5);
    near("deviation in f64", std, 3.38224, 1e-5);
    on_every_device(|gpu| {
        let got = log_mel(gpu, config, std::slice::from_ref(&x));
        let got: Vec<f64> = got.iter().map(|&v| f64::from(v)).collect();
        // Most bands lie near the floor, 100 dB below the tone, where the rounding of f32 adds to the magnitude.
        let (mean, std) = moments(&got);
        near("mean", mean, -8.80786, 1e-2);
        near("deviation", std, 3.38224, 1e-2);
        let top = (0..got.len()).max_by(|&i, &j| got[i].total_cmp(&got[j])).expect("values");
        near("largest value", got[top], 0.98033, 1e-4);
        assert_eq!(top % 64, 10, "strongest band");
    });
}

#[test]
fn agrees_with_f64_on_every_kind_of_sound() {
    let config = LogMelConfig::default();
    let noise = data(1, SEGMENT);
    let clipped: Vec<f32> = speech(SEGMENT).iter().map(|v| (10.0 * v).clamp(-1.0, 1.0)).collect();
    let mut click = vec![0.0; SEGMENT];
    click[5000] = 1.0;
    let sounds = [
        ("speech", speech(SEGMENT)),
        ("speech as the model gets it", normalised(&speech(SEGMENT))),
        ("noise", noise.clone()),
        ("faint noise", noise.iter().map(|v| v * 1e-4).collect()),
        ("clipped", clipped),
        ("tone", sine(3000.0, 1.0, SEGMENT)),
        ("click", click),
        ("constant", vec![0.5; SEGMENT]),
        ("silence", vec![0.0; SEGMENT]),
        ("full-scale integers", noise.iter().map(|v| (v * 32767.0).round()).collect()),
        ("past the ceiling", noise.iter().map(|v| v * 1e12).collect()),
    ];
    on_every_device(|gpu| {
        let rows: Vec<Vec<f32>> = sounds.iter().map(|(_, x)| x.clone()).collect();
        let got = log_mel(gpu, config, &rows);
        for ((name, x), values) in sounds.iter().zip(got.chunks_exact(96 * 64)) {
            let want = reference(&config, x);
            assert_agrees(name, values, &want);
            let worst = values.iter().zip(&want.0).map(|(&g, w)| (f64::from(g) - w).abs()).fold(0.0, f64::max);
            let dark = ["tone", "constant"].contains(name); // bands far below the loudest bin
            assert!(dark || worst < 1e-4, "{name}: {worst:.2e} from the reference");
            if *name == "silence" {
                values.iter().for_each(|&v| near("silence", f64::from(v), -11.512_925, 1e-6));
            }
        }
    });
}

#[test]
fn other_configurations() {
    let base = LogMelConfig::default();
    let telephone = LogMelConfig {
        sample_rate_hz: 8000,
        frame_len: 200,
        hop: 80,
        fft: 512,
        bands: 40,
        low_hz: 20.0,
        high_hz: 4000.0,
        ..base
    };
    let configs = [
        telephone,
        LogMelConfig { frame_len: 64, hop: 64, fft: 64, bands: 7, low_hz: 0.0, ..base },
        LogMelConfig { frame_len: 127, hop: 33, fft: 128, bands: 11, low_hz: 0.0, high_hz: 8000.0, ..base },
        LogMelConfig { frame_len: 256, hop: 256, fft: 256, bands: 20, ..base },
        LogMelConfig { frame_len: 1, hop: 500, bands: 3, ..base },
        LogMelConfig { frame_len: 1024, hop: 512, fft: 2048, bands: 128, ..base },
        LogMelConfig { frame_len: 4096, hop: 1024, fft: 4096, bands: 229, high_hz: 8000.0, ..base },
        // more bands than bins: some have no weights and stay at the floor
        LogMelConfig { frame_len: 100, hop: 50, fft: 128, bands: 100, floor: 1e-3, ..base },
    ];
    on_every_device(|gpu| {
        for config in configs {
            for (rows, len) in [(1, config.frame_len), (3, 5003.max(config.frame_len)), (2, 5 * config.frame_len + 1)] {
                let rows: Vec<Vec<f32>> = (0..rows).map(|row| data(row, len)).collect();
                let got = log_mel(gpu, config, &rows);
                let values = got.chunks_exact(got.len() / rows.len());
                for (row, values) in rows.iter().zip(values) {
                    assert_agrees(&format!("{config:?}"), values, &reference(&config, row));
                }
            }
        }
    });
}

#[test]
fn batches_past_the_binding_limit_are_cut() {
    let rows: Vec<Vec<f32>> = (0..130).map(|row| data(row, 560)).collect();
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        log_mel(&gpu, LogMelConfig::default(), &rows)
    };
    assert_eq!(run(None), run(Some(64 * 560 * 4)));
}

#[test]
fn long_signals_are_cut_into_pieces() {
    on_every_device(|gpu| {
        let x = data(3, 40_000);
        let (whole, frames, bands) = log_mel_of(gpu, &x);
        assert_eq!((frames, bands, whole.len()), (248, 64, 248 * 64));
        let front_end = LogMel::new(gpu, LogMelConfig::default());
        for piece_samples in [1, 400, 1000, 39_999, 40_000] {
            assert_eq!(front_end.log_mel_in_pieces(gpu, &x, piece_samples), whole, "pieces of {piece_samples}");
        }
        assert_eq!(log_mel_of(gpu, &x[..399]), (Vec::new(), 0, 64));
        assert!(hours_per_second(gpu, 2, 1) > 0.0);
    });
}

#[test]
#[should_panic(expected = "mel bands from 60 to 7800 Hz must lie within 0 to 4000")]
fn bands_beyond_half_the_sample_rate_are_refused() {
    let caps = adapter_list().into_iter().next().expect("the kernel tests need an adapter");
    LogMel::new(&Gpu::dry_run(caps), LogMelConfig { sample_rate_hz: 8000, ..Default::default() });
}
