//! impose_magnitude.wgsl

use crate::harness::{assert_close, data, f64s, on_every_device, on_one_device};
use cola::ops::fft::Fft;
use cola::ops::frames::Framing;
use cola::ops::griffin_lim::{griffin_lim, impose_magnitude};
use cola::ops::mel::LogMelConfig;
use cola::tensor::Tensor;
use std::f64::consts::PI;

#[test]
fn magnitudes_are_given_and_phases_kept() {
    on_every_device(|gpu| {
        for n in [1, 63, 1000] {
            let (mut z, m) = (data(1, 2 * n), data(2, n));
            z[..2].fill(0.0);
            let got = impose_magnitude(&Tensor::from_slice(gpu, &[1, n, 2], &z), &Tensor::from_slice(gpu, &[1, n], &m));
            let of = |(z, m): (&[f64], f64)| match z[0].hypot(z[1]) {
                0.0 => [m, 0.0],
                size => [m * z[0] / size, m * z[1] / size],
            };
            let want: Vec<f64> = f64s(&z).chunks(2).zip(f64s(&m)).flat_map(of).collect();
            assert_close(&format!("impose_magnitude {n}"), &got.read(), &want, 1e-6);
        }
    });
}

/// What is left between the magnitudes that were asked for and those of the sound, over the former.
fn distance(sound: &Tensor, magnitudes: &[f32], config: &LogMelConfig, frames: usize) -> f64 {
    let mut window: Vec<f32> = config.window().iter().map(|&w| w as f32).collect();
    window.resize(config.fft, 0.0);
    let framing = Framing::new(sound.gpu(), &window, config.hop, 0);
    let spectra = Fft::real(sound.gpu(), config.fft).forward(&framing.split(sound, frames)).read::<f32>();
    let of = |(z, &m): (&[f32], &f32)| (f64::from(z[0].hypot(z[1])) - f64::from(m)).powi(2);
    let square: f64 = spectra.chunks(2).zip(magnitudes).map(of).sum();
    (square / magnitudes.iter().map(|&m| f64::from(m).powi(2)).sum::<f64>()).sqrt()
}

/// Two tones that glide: their own spectra are reached to a few percent, and each round comes nearer.
#[test]
fn sounds_are_found_again_from_their_magnitudes() {
    on_one_device(|gpu| {
        let (config, samples) = (LogMelConfig::default(), 8000);
        let frames = config.frames(samples);
        let tone =
            |t: f64| (2.0 * PI * (300.0 + 200.0 * t) * t).sin() + 0.5 * (2.0 * PI * (1800.0 - 900.0 * t) * t).sin();
        let sound: Vec<f32> = (0..samples).map(|i| tone(i as f64 / 16_000.0) as f32).collect();
        let mut window: Vec<f32> = config.window().iter().map(|&w| w as f32).collect();
        window.resize(config.fft, 0.0);
        let split =
            Framing::new(gpu, &window, config.hop, 0).split(&Tensor::from_slice(gpu, &[1, samples], &sound), frames);
        let spectra = Fft::real(gpu, config.fft).forward(&split).read::<f32>();
        let magnitudes: Vec<f32> = spectra.chunks(2).map(|z| z[0].hypot(z[1])).collect();
        let given = Tensor::from_slice(gpu, &[frames, config.fft / 2 + 1], &magnitudes);
        let start = Tensor::from_slice(gpu, &[1, samples], &data(3, samples));
        let after = |rounds| distance(&griffin_lim(&given, &start, &config, rounds), &magnitudes, &config, frames);
        let (early, late) = (after(2), after(60));
        assert!(late < 0.12 && late < 0.5 * early, "{early} after 2 rounds, {late} after 60");
        // a sound that has these magnitudes stays as it is, but for the edges, which few frames cover
        let kept = griffin_lim(&given, &Tensor::from_slice(gpu, &[1, samples], &sound), &config, 1).read::<f32>();
        let middle = 400..samples - 560;
        let worst = middle.map(|i| (kept[i] - sound[i]).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{worst}");
    });
}
