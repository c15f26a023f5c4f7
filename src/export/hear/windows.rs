//! Where the windows of a sound begin. A negative start, or one near the end, takes in zeros from outside the sound.

use crate::audio::SEGMENT_SAMPLES;
use crate::audio::crop::l2_normalise;

/// Samples from one timestamp to the next: 50 ms are a whole number of them, so nothing drifts.
pub const HOP_SAMPLES: usize = 800;

/// Windows that cover a sound evenly from its first sample to its last, at most half a window apart. A sound of at
/// most one window stands in the middle of it.
pub fn scene(samples: usize) -> Vec<i64> {
    let Some(spare) = samples.checked_sub(SEGMENT_SAMPLES).filter(|&spare| spare > 0) else {
        return vec![-(((SEGMENT_SAMPLES - samples.min(SEGMENT_SAMPLES)) / 2) as i64)];
    };
    let steps = spare.div_ceil(SEGMENT_SAMPLES / 2);
    (0..=steps).map(|i| (i as f64 * spare as f64 / steps as f64).round() as i64).collect()
}

/// Windows centred at 0, 50, 100, ... ms, as long as these times lie in the sound or at its end.
pub fn centred(samples: usize) -> Vec<i64> {
    let half = (SEGMENT_SAMPLES / 2) as i64;
    (0..=samples / HOP_SAMPLES).map(|k| (k * HOP_SAMPLES) as i64 - half).collect()
}

/// The window that begins at `start`, divided by its L2 norm.
pub fn cut(sound: &[f32], start: i64) -> Vec<f32> {
    let mut window = vec![0.0; SEGMENT_SAMPLES];
    let from = start.clamp(0, sound.len() as i64) as usize;
    let to = (start + SEGMENT_SAMPLES as i64).clamp(from as i64, sound.len() as i64) as usize;
    let place = (from as i64 - start) as usize;
    // Where there is nothing to copy, the place may lie behind the window.
    if from < to {
        window[place..place + to - from].copy_from_slice(&sound[from..to]);
    }
    l2_normalise(&mut window);
    window
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: usize = SEGMENT_SAMPLES;

    #[test]
    fn a_short_sound_stands_in_the_middle() {
        assert_eq!(scene(1), [-((S as i64 - 1) / 2)]);
        assert_eq!(scene(S), [0]);
        assert_eq!(scene(S + 1), [0, 1]);
        assert_eq!(scene(2 * S), [0, 7_840, 15_680]);
        let window = cut(&[3.0, 4.0], scene(2)[0]);
        assert_eq!((window[7_839], window[7_840]), (0.6, 0.8));
    }

    #[test]
    fn timestamps_begin_at_zero_and_end_with_the_sound() {
        assert_eq!(centred(799), [-7_840]);
        assert_eq!(centred(1_600), [-7_840, -7_040, -6_240]);
        // half of the first window lies before the sound, half of the last one behind it
        let sound: Vec<f32> = (0..32_000).map(|i| (i + 1) as f32).collect();
        let starts = centred(sound.len());
        let [first, last] = [starts[0], starts[starts.len() - 1]].map(|start| cut(&sound, start));
        assert_eq!(starts.len(), 41);
        assert!(first[..7_840].iter().all(|&v| v == 0.0) && first[7_840] > 0.0);
        assert!(last[7_839] > 0.0 && last[7_840..].iter().all(|&v| v == 0.0));
    }

    proptest! {
        #[test]
        fn scenes_are_covered(samples in 1usize..200_000) {
            let starts = scene(samples);
            if samples > S {
                prop_assert_eq!((starts[0], starts[starts.len() - 1]), (0, (samples - S) as i64));
                prop_assert!(starts.windows(2).all(|w| w[1] > w[0] && w[1] - w[0] <= S as i64 / 2));
            }
        }

        #[test]
        fn windows_may_lie_anywhere(samples in 0usize..40_000, start in -30_000i64..60_000) {
            let window = cut(&vec![1.0; samples], start);
            prop_assert_eq!(window.len(), S);
            let inside = (start + S as i64).min(samples as i64) - start.max(0);
            prop_assert_eq!(window.iter().filter(|&&v| v != 0.0).count() as i64, inside.max(0));
        }
    }
}
