//! The numbers of the log-mel front end: window, mel bands. Computed in f64, once.
//!
//! They are those of `tf.signal`, which COLA was trained with: HTK mel, triangles that are linear in *mel* (torchaudio
//! and librosa make them linear in Hz), peaks of 1, nothing for the DC bin.

use super::fft::check_length;
use std::f64::consts::PI;

/// What a log-mel is made with. The default is COLA's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogMelConfig {
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Samples a frame; the rest up to `fft` is zeros.
    pub frame_len: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Points of the Fourier transform, a power of two from 64 to 4096.
    pub fft: usize,
    /// Mel bands.
    pub bands: usize,
    /// Lower edge of the first band.
    pub low_hz: f64,
    /// Upper edge of the last band, at most half the sample rate.
    pub high_hz: f64,
    /// Magnitudes below this count as this, before the logarithm.
    pub floor: f32,
    /// Magnitudes above this count as this.
    pub ceil: f32,
}

impl Default for LogMelConfig {
    fn default() -> Self {
        LogMelConfig {
            sample_rate_hz: 16_000,
            frame_len: 400,
            hop: 160,
            fft: 1024,
            bands: 64,
            low_hz: 60.0,
            high_hz: 7800.0,
            floor: 1e-5,
            ceil: 1e8,
        }
    }
}

/// One band of the mel matrix: the bins from `first_bin` on that weigh more than zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Bin of the first weight.
    pub first_bin: usize,
    /// Weights of consecutive bins.
    pub weights: Vec<f64>,
}

// ANCHOR: mel
fn mel(hz: f64) -> f64 {
    1127.0 * (hz / 700.0).ln_1p()
}

fn hz(mel: f64) -> f64 {
    700.0 * (mel / 1127.0).exp_m1()
}
// ANCHOR_END: mel

impl LogMelConfig {
    /// Frames of a signal of `samples` samples: those that fit whole, without centring or padding.
    pub fn frames(&self, samples: usize) -> usize {
        if samples < self.frame_len { 0 } else { 1 + (samples - self.frame_len) / self.hop }
    }

    /// The periodic Hann window: `frame_len` values, 0.5 - 0.5 cos(2 pi i / frame_len).
    pub fn window(&self) -> Vec<f64> {
        let n = self.frame_len as f64;
        (0..self.frame_len).map(|i| 0.5 - 0.5 * (2.0 * PI * i as f64 / n).cos()).collect()
    }

    /// Edges in mel, evenly spaced; band `i` rises from edge `i` to `i + 1` and falls to `i + 2`.
    fn edges_mel(&self) -> Vec<f64> {
        let (low, high) = (mel(self.low_hz), mel(self.high_hz));
        let step = (high - low) / (self.bands + 1) as f64;
        (0..self.bands + 2).map(|i| low + step * i as f64).collect()
    }

    /// The `bands + 2` band edges in Hz.
    pub fn edges_hz(&self) -> Vec<f64> {
        self.edges_mel().into_iter().map(hz).collect()
    }

    // ANCHOR: mel_bands
    /// The columns of the mel matrix. A band narrower than a bin has no weights.
    pub fn mel_bands(&self) -> Vec<Band> {
        let bin_hz = f64::from(self.sample_rate_hz) / self.fft as f64;
        let edges = self.edges_mel();
        let band = |edge: &[f64]| {
            let weight = |bin: usize| {
                let m = mel(bin as f64 * bin_hz);
                ((m - edge[0]) / (edge[1] - edge[0])).min((edge[2] - m) / (edge[2] - edge[1]))
            };
            // Bin 0 is left out as tf.signal does; the last bin never weighs, it is no lower than the last edge.
            let inside: Vec<usize> = (1..self.fft / 2).filter(|&bin| weight(bin) > 0.0).collect();
            let first_bin = inside.first().copied().unwrap_or(1);
            Band { first_bin, weights: inside.into_iter().map(weight).collect() }
        };
        edges.windows(3).map(band).collect()
    }
    // ANCHOR_END: mel_bands

    /// Panics, with the reason, on a configuration that means nothing.
    #[track_caller]
    pub(crate) fn check(&self) {
        check_length(self.fft);
        assert!((1..=self.fft).contains(&self.frame_len), "frames of {} for an FFT of {}", self.frame_len, self.fft);
        assert!(self.hop > 0 && self.bands > 0, "hop {} and bands {} must be above 0", self.hop, self.bands);
        let nyquist_hz = f64::from(self.sample_rate_hz) / 2.0;
        let range = 0.0 <= self.low_hz && self.low_hz < self.high_hz && self.high_hz <= nyquist_hz;
        assert!(range, "mel bands from {} to {} Hz must lie within 0 to {nyquist_hz}", self.low_hz, self.high_hz);
        let empty = self.mel_bands().iter().all(|band| band.weights.is_empty());
        assert!(!empty, "no bin of an FFT of {} lies from {} to {} Hz", self.fft, self.low_hz, self.high_hz);
        assert!(0.0 < self.floor && self.floor < self.ceil, "floor {} and ceil {}", self.floor, self.ceil);
    }
}
