//! The plain yardstick: what a probe makes of log-mel statistics, without any network.
//!
//! For each of the 64 bands the mean, the standard deviation, and the standard deviation of the difference between
//! neighbouring frames, over the frames of the clip that hold sound. The front end and the segments are the encoder's.

use super::embed::{Row, Vectors, through_device};
use crate::audio::{Clip, SEGMENT_SAMPLES, crop};
use crate::frontend::{FrontEnd, InputNorm};
use crate::gpu::Gpu;
use crate::ops::mel::LogMelConfig;
use std::sync::Arc;

/// Sums over the frames of a clip, for one band.
#[derive(Clone, Copy, Default)]
struct Sums {
    frames: f64,
    level: f64,
    level_squares: f64,
    steps: f64,
    step_sum: f64,
    step_squares: f64,
}

impl Sums {
    /// Mean, deviation, deviation of the step.
    fn statistics(&self) -> [f32; 3] {
        let deviation = |sum: f64, squares: f64, count: f64| {
            let count = count.max(1.0);
            (squares / count - (sum / count).powi(2)).max(0.0).sqrt()
        };
        [
            (self.level / self.frames.max(1.0)) as f32,
            deviation(self.level, self.level_squares, self.frames) as f32,
            deviation(self.step_sum, self.step_squares, self.steps) as f32,
        ]
    }
}

/// One row of 192 numbers a clip: 64 means, 64 deviations, 64 deviations of the step. `on_batch` is told how many
/// segments are done.
pub fn log_mel_statistics(gpu: &Gpu, clips: Arc<Vec<Clip>>, workers: usize, mut on_batch: impl FnMut(u64)) -> Vectors {
    let config = LogMelConfig::default();
    let (frames, bands) = (config.frames(SEGMENT_SAMPLES), config.bands);
    let front_end = FrontEnd::new(gpu, InputNorm::NONE);
    let mut out = Vectors { cols: 3 * bands, ..Vectors::default() };
    let mut of_clip: Option<(u32, Vec<Sums>, usize)> = None;
    let mut done = 0;
    let finish = |out: &mut Vectors, (clip, sums, _): (u32, Vec<Sums>, usize)| {
        let statistics: Vec<[f32; 3]> = sums.iter().map(Sums::statistics).collect();
        out.values.extend((0..3).flat_map(|k| statistics.iter().map(move |s| s[k])));
        out.rows.push(Row { clip, start_s: 0.0 });
    };
    let set = clips.clone();
    let failed = through_device(
        gpu,
        clips,
        workers,
        |samples| front_end.features(samples),
        |rows, log_mel| {
            for (n, row) in rows.iter().enumerate() {
                if of_clip.as_ref().is_none_or(|(clip, ..)| *clip != row.clip)
                    && let Some(complete) = of_clip.replace((row.clip, vec![Sums::default(); bands], 0))
                {
                    finish(&mut out, complete);
                }
                let Some((_, sums, segment)) = &mut of_clip else { continue };
                let sounding = sounding_frames(&set[row.clip as usize], *segment, &config);
                *segment += 1;
                let at = |frame: usize, band: usize| f64::from(log_mel[(n * frames + frame) * bands + band]);
                for frame in sounding.clone() {
                    for (band, sums) in sums.iter_mut().enumerate() {
                        let level = at(frame, band);
                        sums.frames += 1.0;
                        sums.level += level;
                        sums.level_squares += level * level;
                        if frame > sounding.start {
                            let step = level - at(frame - 1, band);
                            sums.steps += 1.0;
                            sums.step_sum += step;
                            sums.step_squares += step * step;
                        }
                    }
                }
            }
            done += rows.len() as u64;
            on_batch(done);
        },
    );
    if let Some(last) = of_clip {
        finish(&mut out, last);
    }
    out.without(failed)
}

/// The frames of a segment that overlap the clip, not only the zeros around it.
fn sounding_frames(clip: &Clip, segment: usize, config: &LogMelConfig) -> std::ops::Range<usize> {
    let segment = crop::segments(clip.samples)[segment];
    let (first, end) = (segment.pad_left, segment.pad_left + segment.len);
    let frames = config.frames(SEGMENT_SAMPLES);
    // frame k covers [k hop, k hop + frame_len)
    let start = (first + 1).saturating_sub(config.frame_len).div_ceil(config.hop);
    start..end.div_ceil(config.hop).min(frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Split;

    #[test]
    fn frames_of_padding_do_not_count() {
        let config = LogMelConfig::default();
        let clip = |samples| Clip { path: "x.wav".into(), start: 0, samples, labels: Vec::new(), split: Split::Train };
        assert_eq!(sounding_frames(&clip(SEGMENT_SAMPLES as u64), 0, &config), 0..96);
        // 8,000 samples stand at 3,840 to 11,840: frame 22 ends at 3,920, frame 73 begins at 11,680
        let range = sounding_frames(&clip(8000), 0, &config);
        let overlaps = |k: usize| 160 * k + 400 > 3840 && 160 * k < 11_840;
        assert_eq!(range, 22..74);
        assert!((0..96).all(|k| range.contains(&k) == overlaps(k)));
        // the rest of a longer clip stands at the front of its segment
        assert_eq!(sounding_frames(&clip(SEGMENT_SAMPLES as u64 + 8000), 1, &config), 0..50);
    }

    #[test]
    fn statistics_of_a_band() {
        let mut sums = Sums::default();
        for (level, step) in [(1.0, None), (3.0, Some(2.0)), (2.0, Some(-1.0))] {
            sums.frames += 1.0;
            sums.level += level;
            sums.level_squares += level * level;
            if let Some(step) = step {
                sums.steps += 1.0;
                sums.step_sum += step;
                sums.step_squares += step * step;
            }
        }
        let [mean, deviation, of_step] = sums.statistics();
        assert_eq!((mean, of_step), (2.0, 1.5));
        assert!((deviation - (2.0f32 / 3.0).sqrt()).abs() < 1e-6);
    }
}
