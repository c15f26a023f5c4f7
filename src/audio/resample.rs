//! Any sample rate to 16 kHz, in blocks on a fixed grid.
//!
//! rubato's synchronous resampler filters in the frequency domain with a long windowed sinc: input block `k` of
//! `block_in` samples gives output block `k` of `block_out`, and its tail is added to block `k + 1`. Nothing else is
//! remembered, so a range of a file can be computed from the blocks that touch it and is bit for bit the same as in
//! the whole file: that is what lets long files be seeked.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::SAMPLE_RATE_HZ;

/// Shortest block in output samples: 64 ms, a transition band of about 200 Hz below 8 kHz.
const MIN_BLOCK_OUT: usize = 1024;

/// `round(frames * 16000 / rate_hz)`: the length of `frames` samples at 16 kHz.
pub fn resampled_len(frames: u64, rate_hz: u32) -> u64 {
    let (n, rate) = (u128::from(frames) * u128::from(SAMPLE_RATE_HZ), u128::from(rate_hz));
    ((n + rate / 2) / rate) as u64
}

/// Which input samples a range of the output needs.
pub(super) struct Need {
    /// First input sample, on the block grid.
    pub first: u64,
    /// Number of input samples, whole blocks.
    pub len: usize,
    /// Output samples to drop at the front once those have been resampled.
    skip: usize,
}

/// A resampler from one fixed rate to 16 kHz, mono.
pub(super) struct BlockResampler {
    fft: Fft<f32>,
    block_in: usize,
    block_out: usize,
}

impl BlockResampler {
    /// `rate_hz` must not be 0 or 16 kHz.
    pub fn new(rate_hz: u32) -> BlockResampler {
        let divisor = gcd(rate_hz, SAMPLE_RATE_HZ);
        let (unit_in, unit_out) = ((rate_hz / divisor) as usize, (SAMPLE_RATE_HZ / divisor) as usize);
        // An even number of units makes both block lengths even, and so the delay of half a block a whole number
        // of samples on both sides.
        let units = 2 * MIN_BLOCK_OUT.div_ceil(2 * unit_out);
        let (block_in, block_out) = (units * unit_in, units * unit_out);
        let fft = Fft::new_custom(
            rate_hz as usize,
            SAMPLE_RATE_HZ as usize,
            block_in,
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .expect("both rates and the block length are above 0");
        debug_assert_eq!((fft.fft_size_in(), fft.fft_size_out()), (block_in, block_out));
        BlockResampler { fft, block_in, block_out }
    }

    /// The input needed for output samples `[start, start + len)`.
    pub fn need(&self, start: u64, len: usize) -> Need {
        let delay = (self.block_out / 2) as u64;
        let block_out = self.block_out as u64;
        // Raw output runs late by half a block; the block before the first one adds its tail to it.
        let first_block = ((start + delay) / block_out).saturating_sub(1);
        let end_block = (start + len as u64 + delay).div_ceil(block_out);
        Need {
            first: first_block * self.block_in as u64,
            len: (end_block - first_block) as usize * self.block_in,
            skip: (start + delay - first_block * block_out) as usize,
        }
    }

    /// Resamples the input asked for by `need` (zeros stand in for what lies behind the end) to `len` samples.
    pub fn run(&mut self, mut input: Vec<f32>, need: &Need, len: usize) -> Vec<f32> {
        input.resize(need.len, 0.0);
        self.fft.reset();
        let blocks = need.len / self.block_in;
        let mut raw = vec![0.0; blocks * self.block_out];
        for (from, to) in input.chunks_exact(self.block_in).zip(raw.chunks_exact_mut(self.block_out)) {
            let from = InterleavedSlice::new(from, 1, self.block_in);
            let to = InterleavedSlice::new_mut(to, 1, self.block_out);
            let (from, mut to) = from.ok().zip(to.ok()).expect("slices are exactly one block long");
            self.fft.process_into_buffer(&from, &mut to, None).expect("one block in, one block out");
        }
        raw.drain(..need.skip);
        raw.truncate(len);
        raw
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Resamples a whole mono signal to 16 kHz; the result has [`resampled_len`] samples.
pub fn resample(signal: Vec<f32>, rate_hz: u32) -> Vec<f32> {
    if rate_hz == SAMPLE_RATE_HZ {
        return signal;
    }
    let len = resampled_len(signal.len() as u64, rate_hz) as usize;
    let mut resampler = BlockResampler::new(rate_hz);
    let need = resampler.need(0, len);
    resampler.run(signal, &need, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(n: usize, hz: f64, rate_hz: u32) -> Vec<f32> {
        let w = 2.0 * std::f64::consts::PI * hz / f64::from(rate_hz);
        (0..n).map(|i| (0.5 * (w * i as f64 + 0.3).sin()) as f32).collect()
    }

    #[test]
    fn a_sine_stays_that_sine() {
        for rate in [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000, 44_101] {
            for hz in [100.0, 1000.0, 3500.0] {
                let out = resample(sine(rate as usize, hz, rate), rate);
                assert_eq!(out.len(), 16_000);
                let expected = sine(16_000, hz, 16_000);
                let edge = 1200;
                let worst = (edge..16_000 - edge).map(|i| (out[i] - expected[i]).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-4, "{rate} Hz, sine of {hz} Hz: off by {worst}");
            }
        }
    }

    #[test]
    fn what_16_khz_cannot_hold_is_removed() {
        let out = resample(sine(48_000, 10_000.0, 48_000), 48_000);
        let worst = out[1000..15_000].iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!(worst < 1e-4, "an alias of {worst}");
    }

    #[test]
    fn lengths_are_rounded() {
        assert_eq!(resampled_len(44_100, 44_100), 16_000);
        assert_eq!(resampled_len(3, 48_000), 1);
        assert_eq!(resampled_len(1, 48_000), 0);
        assert_eq!(resampled_len(1, 8_000), 2);
        assert_eq!(resampled_len(0, 8_000), 0);
        assert!(resample(vec![], 8_000).is_empty());
    }

    #[test]
    fn a_range_is_the_slice_of_the_whole() {
        for rate in [8_000, 44_100, 48_000] {
            let signal: Vec<f32> = sine(3 * rate as usize, 440.0, rate);
            let whole = resample(signal.clone(), rate);
            for (start, len) in [(0, 500), (1, 1), (511, 2000), (20_000, 15_680), (47_000, 1000)] {
                let mut resampler = BlockResampler::new(rate);
                let need = resampler.need(start, len);
                let from = (need.first as usize).min(signal.len());
                let to = (from + need.len).min(signal.len());
                let part = resampler.run(signal[from..to].to_vec(), &need, len);
                assert_eq!(part, whole[start as usize..start as usize + len]);
            }
        }
    }
}
