//! From a clip to segments: cropping for training, cutting for testing, level normalisation. All at 16 kHz.

use rand::RngExt;

use super::SEGMENT_SAMPLES;
use super::cache::ClipCache;
use super::error::{AudioError, Result};

/// Squared norms below this are silence (the public code of COLA puts this epsilon under the maximum of the squared norm).
pub const NORM_EPSILON: f64 = 1e-9;

/// Sum of squares, in f64 because a clip may be hours long.
pub fn squared_norm(x: &[f32]) -> f64 {
    x.iter().map(|&v| f64::from(v) * f64::from(v)).sum()
}

/// Whether `x` is too quiet to be normalised.
pub fn is_silent(x: &[f32]) -> bool {
    squared_norm(x) < NORM_EPSILON
}

/// Divides `x` by its L2 norm, `sqrt(max(sum of squares, 1e-9))`, as COLA's public code does. Silence stays zero.
pub fn l2_normalise(x: &mut [f32]) {
    scale_by_norm(x, squared_norm(x));
}

/// Divides `x` by the norm of a longer signal that it is a part of.
pub fn scale_by_norm(x: &mut [f32], squared_norm: f64) {
    let factor = (1.0 / squared_norm.max(NORM_EPSILON).sqrt()) as f32;
    for v in x {
        *v *= factor;
    }
}

/// A clip of at most `samples` samples in the middle of as many zeros; the left pad is the floor of half.
pub fn pad_centred(clip: &[f32], samples: usize) -> Vec<f32> {
    let pad_left = (samples - clip.len()) / 2;
    let mut out = vec![0.0; samples];
    out[pad_left..pad_left + clip.len()].copy_from_slice(clip);
    out
}

/// `clip` (cut to one segment) behind `pad_left` zeros, filled up with zeros to one segment.
pub fn place(clip: &[f32], pad_left: usize) -> Vec<f32> {
    let len = clip.len().min(SEGMENT_SAMPLES - pad_left);
    let mut out = vec![0.0; SEGMENT_SAMPLES];
    out[pad_left..pad_left + len].copy_from_slice(&clip[..len]);
    out
}

/// Where a random crop of `samples` samples out of a clip of `total` starts: uniform over all positions, 0 for a short clip.
pub fn random_start(total: u64, samples: usize, rng: &mut impl RngExt) -> u64 {
    match total.checked_sub(samples as u64) {
        None | Some(0) => 0,
        Some(last) => rng.random_range(0..=last),
    }
}

/// How often a crop that turns out silent is drawn again before the clip counts as silent.
const DRAWS: usize = 10;

/// A random crop of clip `i` that is not silent, `[samples]`, its level as it is; a shorter clip is padded with
/// zeros on both sides.
///
/// # Errors
/// When the file cannot be decoded, and [`AudioError::Silent`] when ten crops were silent.
pub fn draw_crop(cache: &ClipCache, i: u32, samples: usize, rng: &mut impl RngExt) -> Result<Vec<f32>> {
    let clip = &cache.clips()[i as usize];
    let len = clip.samples.min(samples as u64) as usize;
    let draws = if clip.samples > samples as u64 { DRAWS } else { 1 };
    for _ in 0..draws {
        let part = cache.read(i, random_start(clip.samples, samples, rng), len)?;
        if !is_silent(&part) {
            return Ok(if len < samples { pad_centred(&part, samples) } else { part });
        }
    }
    Err(AudioError::Silent { path: clip.path.clone() })
}

/// A part of a clip that fills one segment of the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// First sample in the clip.
    pub start: u64,
    /// Samples taken from the clip, at most [`SEGMENT_SAMPLES`].
    pub len: usize,
    /// Zeros in front; the rest of the segment behind is zero too.
    pub pad_left: usize,
}

/// Cuts a clip into segments for testing: one after the other without overlap. A remainder of at least half a
/// segment is padded with zeros at its end, a shorter one dropped unless it is the whole clip, which is padded on
/// both sides. A clip of 0 samples has none.
pub fn segments(samples: u64) -> Vec<Segment> {
    let segment = SEGMENT_SAMPLES as u64;
    let (full, rest) = (samples / segment, (samples % segment) as usize);
    let mut out: Vec<Segment> =
        (0..full).map(|i| Segment { start: i * segment, len: SEGMENT_SAMPLES, pad_left: 0 }).collect();
    let whole_clip_is_short = full == 0 && rest > 0;
    if whole_clip_is_short || 2 * rest >= SEGMENT_SAMPLES {
        let pad_left = if whole_clip_is_short { (SEGMENT_SAMPLES - rest) / 2 } else { 0 };
        out.push(Segment { start: full * segment, len: rest, pad_left });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const S: usize = SEGMENT_SAMPLES;

    #[test]
    fn the_segment_rule() {
        let seg = |start, len, pad_left| Segment { start, len, pad_left };
        assert_eq!(segments(0), []);
        assert_eq!(segments(1), [seg(0, 1, (S - 1) / 2)]);
        assert_eq!(segments(S as u64), [seg(0, S, 0)]);
        assert_eq!(segments(S as u64 + 7_839), [seg(0, S, 0)]);
        assert_eq!(segments(S as u64 + 7_840), [seg(0, S, 0), seg(S as u64, 7_840, 0)]);
        assert_eq!(segments(2 * S as u64), [seg(0, S, 0), seg(S as u64, S, 0)]);
    }

    #[test]
    fn a_short_clip_stands_in_the_middle() {
        let padded = pad_centred(&[1.0, 2.0, 3.0], S);
        let left = (S - 3) / 2;
        assert_eq!(padded[left..left + 3], [1.0, 2.0, 3.0]);
        assert_eq!(padded.iter().sum::<f32>(), 6.0);
        assert_eq!(padded.len(), S);
    }

    #[test]
    fn normalising_silence_gives_zeros_not_nan() {
        let mut x = vec![0.0; 10];
        l2_normalise(&mut x);
        assert_eq!(x, vec![0.0; 10]);
        assert!(is_silent(&x));
    }

    proptest! {
        #[test]
        fn segments_cover_the_clip(samples in 1u64..200_000) {
            let all = segments(samples);
            prop_assert!(!all.is_empty());
            let mut end = 0;
            for s in &all {
                prop_assert_eq!(s.start, end);
                prop_assert!(s.len > 0 && s.pad_left + s.len <= S);
                end = s.start + s.len as u64;
            }
            prop_assert!(end <= samples && 2 * (samples - end) < S as u64);
        }

        #[test]
        fn crops_lie_inside(samples in 1u64..60_000, seed in 0u64..1000) {
            let start = random_start(samples, S, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert!(start + S as u64 <= samples.max(S as u64));
        }

        #[test]
        fn the_norm_becomes_one(x in prop::collection::vec(-1.0f32..1.0, 50..500)) {
            let mut x = x;
            l2_normalise(&mut x);
            prop_assert!((squared_norm(&x) - 1.0).abs() < 1e-5);
        }
    }
}
