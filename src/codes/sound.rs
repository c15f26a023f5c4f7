//! From a log-mel back to a sound: magnitudes that have those mel bands, then phases that go with them.

use crate::gpu::Gpu;
use crate::nn::auto_encoder::CodesConfig;
use crate::ops::griffin_lim::griffin_lim;
use crate::ops::mel::LogMelConfig;
use crate::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rounds of either part; more are not heard.
const MEL_ROUNDS: usize = 60;
const PHASE_ROUNDS: usize = 60;

/// A log-mel `[frames][bands]` of patches `[patch_len][tokens]`, whole columns in the order of time.
///
/// # Panics
/// When the tokens are no whole columns.
#[track_caller]
pub fn unpatch(patches: &[f32], config: &CodesConfig, bands: usize) -> Vec<f32> {
    let tokens = patches.len() / config.patch_len();
    assert!(tokens.is_multiple_of(config.column()), "{tokens} patches in columns of {}", config.column());
    let frames = tokens / config.column() * config.patch_frames;
    let value = |frame: usize, band: usize| {
        let [row, column] = config.place(frame, band);
        patches[row * tokens + column]
    };
    (0..frames).flat_map(|frame| (0..bands).map(move |band| (frame, band))).map(|(f, b)| value(f, b)).collect()
}

/// Magnitudes `[frames][fft / 2 + 1]`, none below 0, whose mel bands come near those of a log-mel `[frames][bands]`: least
/// squares by multiplying (Lee and Seung 2001, equation 4), from the bands spread evenly over their bins. Bins of no band
/// stay 0.
pub fn magnitudes(log_mel: &[f32], config: &LogMelConfig) -> Vec<f32> {
    let bands = config.mel_bands();
    let bins = config.fft / 2 + 1;
    // bin by bin: the bands that it counts for
    let spread = |values: &[f64]| {
        let mut out = vec![0.0; bins];
        for (band, value) in bands.iter().zip(values) {
            band.weights.iter().enumerate().for_each(|(i, w)| out[band.first_bin + i] += w * value);
        }
        out
    };
    let gather = |bins: &[f64]| -> Vec<f64> {
        let sum = |band: &crate::ops::mel::Band| {
            band.weights.iter().enumerate().map(|(i, w)| w * bins[band.first_bin + i]).sum()
        };
        bands.iter().map(sum).collect()
    };
    let weights = spread(&vec![1.0; bands.len()]);
    let of_frame = |frame: &[f32]| {
        // What is at the floor is silence.
        let floor = config.floor.ln();
        let mel: Vec<f64> = frame.iter().map(|&x| if x <= floor { 0.0 } else { f64::from(x).exp() }).collect();
        let wanted = spread(&mel);
        let mut found: Vec<f64> =
            wanted.iter().zip(&weights).map(|(x, w)| if *w > 0.0 { x / (w * w) } else { 0.0 }).collect();
        for _ in 0..MEL_ROUNDS {
            let now = spread(&gather(&found));
            let factor = |(wanted, now): (&f64, &f64)| if *now > 0.0 { wanted / now } else { 0.0 };
            found.iter_mut().zip(wanted.iter().zip(&now).map(factor)).for_each(|(x, factor)| *x *= factor);
        }
        found.into_iter().map(|x| x as f32)
    };
    log_mel.chunks(config.bands).flat_map(of_frame).collect()
}

/// A sound at 16 kHz with a log-mel `[frames][bands]` like this one. `seed` decides the phases that the search begins with.
pub fn of_log_mel(gpu: &Gpu, log_mel: &[f32], seed: u64) -> Vec<f32> {
    let config = LogMelConfig::default();
    let frames = log_mel.len() / config.bands;
    let samples = (frames - 1) * config.hop + config.frame_len;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let noise: Vec<f32> = (0..samples).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    let magnitudes = Tensor::from_slice(gpu, &[frames, config.fft / 2 + 1], &magnitudes(log_mel, &config));
    griffin_lim(&magnitudes, &Tensor::from_slice(gpu, &[1, samples], &noise), &config, PHASE_ROUNDS).read()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_go_back_to_where_they_were_cut() {
        let config = CodesConfig { patch_frames: 2, patch_bands: 32, bottleneck: 8, codes: 4 };
        // [64][4]: two columns of two bands
        let patches: Vec<f32> = (0..64 * 4).map(|i| i as f32).collect();
        let log_mel = unpatch(&patches, &config, 64);
        assert_eq!(log_mel.len(), 4 * 64);
        let at = |frame: usize, band: usize| log_mel[frame * 64 + band];
        assert_eq!((at(0, 0), at(0, 32), at(1, 0), at(2, 0)), (0.0, 1.0, 32.0 * 4.0, 2.0));
        assert_eq!(at(3, 63), 63.0 * 4.0 + 3.0);
    }

    #[test]
    fn magnitudes_have_the_bands_that_were_asked_for() {
        let config = LogMelConfig::default();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // bands of some spectrum, so that there are magnitudes that have them
        let spectrum: Vec<f64> = (0..=config.fft / 2).map(|_| rng.random_range(0.01..1.0)).collect();
        let mel_of = |spectrum: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let of = |band: &crate::ops::mel::Band| {
                band.weights.iter().enumerate().map(|(i, w)| w * spectrum(band.first_bin + i)).sum()
            };
            config.mel_bands().iter().map(of).collect()
        };
        let mel = mel_of(&|bin| spectrum[bin]);
        let log_mel: Vec<f32> = mel.iter().map(|m| m.max(1e-5).ln() as f32).collect();
        let found = magnitudes(&log_mel, &config);
        assert!(found.iter().all(|&m| m >= 0.0 && m.is_finite()));
        for (got, want) in mel_of(&|bin| f64::from(found[bin])).iter().zip(&mel).filter(|(_, want)| **want > 0.0) {
            assert!((got / want - 1.0).abs() < 0.01, "{got} of {want}");
        }
        let silent = magnitudes(&vec![config.floor.ln(); config.bands], &config);
        assert!(silent.iter().all(|&m| m == 0.0));
    }
}
