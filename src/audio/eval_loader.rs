//! Every segment of every clip, in order, for probing and embedding.

use std::ops::Range;
use std::sync::Arc;

use super::cache::{to_f32, to_i16};
use super::crop::{NORM_EPSILON, Segment, l2_normalise, place, segments};
use super::dataset::Clip;
use super::decode::decode_range;
use super::error::{AudioError, Result};
use super::ordered::Ordered;
use super::{SAMPLE_RATE_HZ, SEGMENT_SAMPLES};

/// Samples that an item covers: 64 segments back to back, about a minute, 2 MB.
const ITEM_SAMPLES: f64 = 64.0 * SEGMENT_SAMPLES as f64;

/// How clips are cut into segments.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Cutting {
    /// One after the other, a long enough rest padded ([`segments`]).
    #[default]
    BackToBack,
    /// Segment k begins at k hops, rounded to a sample, so that hops of no whole number of samples do not drift. None
    /// reaches beyond the end of the clip; a clip shorter than a segment is padded on both sides.
    Every {
        /// Samples from one segment to the next, at least 1.
        hop_samples: f64,
    },
}

impl Cutting {
    /// How many segments a clip of so many samples has.
    pub fn count(self, samples: u64) -> usize {
        let segment = SEGMENT_SAMPLES as u64;
        match self {
            Cutting::BackToBack => {
                let rest_counts = samples > 0 && (samples < segment || 2 * (samples % segment) >= segment);
                (samples / segment) as usize + usize::from(rest_counts)
            }
            Cutting::Every { .. } if samples <= segment => usize::from(samples > 0),
            Cutting::Every { hop_samples } => {
                let last = samples - segment;
                let guess = (last as f64 / hop_samples) as usize + 1;
                // Rounding may carry the next start, or not quite the last one, over the edge.
                (guess.saturating_sub(1)..=guess + 1).rev().find(|&n| n == 0 || self.start(n - 1) <= last).unwrap_or(0)
            }
        }
    }

    /// First sample of segment `k`.
    fn start(self, k: usize) -> u64 {
        match self {
            Cutting::BackToBack => k as u64 * SEGMENT_SAMPLES as u64,
            Cutting::Every { hop_samples } => (k as f64 * hop_samples).round() as u64,
        }
    }

    /// Segment `k` of a clip of so many samples.
    fn segment(self, samples: u64, k: usize) -> Segment {
        if samples < SEGMENT_SAMPLES as u64 {
            return segments(samples)[k];
        }
        let start = self.start(k);
        Segment { start, len: (samples - start).min(SEGMENT_SAMPLES as u64) as usize, pad_left: 0 }
    }

    /// Segments of an item.
    fn segments_of_item(self) -> usize {
        match self {
            Cutting::BackToBack => (ITEM_SAMPLES / SEGMENT_SAMPLES as f64) as usize,
            Cutting::Every { hop_samples } => ((ITEM_SAMPLES / hop_samples) as usize).max(1),
        }
    }
}

/// A place in the segments of a list of clips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Number of the clip.
    pub clip: u32,
    /// Number of the segment in the clip.
    pub segment: usize,
}

/// About a minute of a clip, cut into segments. A longer clip comes in several items, one after the other.
#[derive(Debug, Clone)]
pub struct EvalItem {
    /// Number of the clip.
    pub clip: u32,
    /// Number of the first segment in the clip.
    pub first: usize,
    /// Where each segment begins in its clip, in seconds.
    pub starts_s: Vec<f64>,
    /// Whether anything can be heard in this part of the clip.
    pub has_sound: bool,
    /// Whether the clip ends here.
    pub last: bool,
    cuts: Vec<Segment>,
    /// From the first sample of the first cut on. Segments that overlap share it, so it is cut when it is needed.
    audio: Vec<i16>,
}

impl EvalItem {
    /// Segment `i` of this item, divided by its own L2 norm, as COLA's public code does in testing.
    ///
    /// # Panics
    /// If the item has no such segment.
    pub fn segment(&self, i: usize) -> Vec<f32> {
        let cut = self.cuts[i];
        let from = (cut.start - self.cuts[0].start) as usize;
        let audio: Vec<f32> = self.audio[from..from + cut.len].iter().map(|&x| to_f32(x)).collect();
        let mut segment = place(&audio, cut.pad_left);
        l2_normalise(&mut segment);
        segment
    }

    /// All of them, `[segments, SEGMENT_SAMPLES]`.
    pub fn segments(&self) -> Vec<f32> {
        (0..self.cuts.len()).flat_map(|i| self.segment(i)).collect()
    }
}

/// Iterates over the clips. A clip that cannot be used gives one error with its number and then no more items: what
/// was already received of it must be dropped. Silence is known only at the end of a clip.
pub struct EvalLoader {
    items: Ordered<std::result::Result<EvalItem, (u32, AudioError)>>,
    failed: Option<u32>,
    /// The clip in which sound was heard last.
    heard: Option<u32>,
    /// Segments to leave out of the first item.
    skip: usize,
    clips: Arc<Vec<Clip>>,
}

impl EvalLoader {
    /// Starts decoding with `workers` threads; at most `queue` items are kept ready.
    pub fn start(clips: Arc<Vec<Clip>>, workers: usize, queue: usize) -> EvalLoader {
        EvalLoader::start_at(clips, Cutting::BackToBack, Place::default(), false, workers, queue)
    }

    /// As [`EvalLoader::start`] from any place on; `heard` tells whether there was sound in its clip before it.
    ///
    /// The samples are those of a loader that came there from the start: both decode the same parts of a file.
    pub fn start_at(
        clips: Arc<Vec<Clip>>,
        cutting: Cutting,
        from: Place,
        heard: bool,
        workers: usize,
        queue: usize,
    ) -> EvalLoader {
        let per_item = cutting.segments_of_item();
        let mut tasks: Vec<(u32, Range<usize>)> = Vec::new();
        for (i, clip) in clips.iter().enumerate().skip(from.clip as usize) {
            let count = cutting.count(clip.samples);
            let begin = if i == from.clip as usize { from.segment / per_item * per_item } else { 0 };
            let parts = (begin..count).step_by(per_item);
            tasks.extend(parts.map(|first| (i as u32, first..(first + per_item).min(count))));
        }
        let total = tasks.len() as u64;
        let of_workers = clips.clone();
        let items = Ordered::start(workers, queue.max(workers), 0..total, move |n| {
            let (i, range) = tasks[n as usize].clone();
            read_item(&of_workers[i as usize], i, cutting, range).map_err(|e| (i, e))
        });
        let skip = from.segment % per_item;
        EvalLoader { items, failed: None, heard: heard.then_some(from.clip), skip, clips }
    }
}

impl Iterator for EvalLoader {
    type Item = std::result::Result<EvalItem, (u32, AudioError)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let skip = std::mem::take(&mut self.skip);
            match self.items.next()? {
                Err((clip, _)) if self.failed == Some(clip) => (),
                Err((clip, err)) => {
                    self.failed = Some(clip);
                    return Some(Err((clip, err)));
                }
                Ok(item) if self.failed == Some(item.clip) => (),
                Ok(mut item) => {
                    if item.has_sound {
                        self.heard = Some(item.clip);
                    }
                    if item.last && self.heard != Some(item.clip) {
                        let path = self.clips[item.clip as usize].path.clone();
                        return Some(Err((item.clip, AudioError::Silent { path })));
                    }
                    item.leave_out(skip);
                    return Some(Ok(item));
                }
            }
        }
    }
}

impl EvalItem {
    fn leave_out(&mut self, count: usize) {
        if count > 0 && count < self.cuts.len() {
            self.audio.drain(..(self.cuts[count].start - self.cuts[0].start) as usize);
            self.cuts.drain(..count);
            self.starts_s.drain(..count);
            self.first += count;
        }
    }
}

/// Decodes the segments `range` of a clip, which is not empty.
fn read_item(clip: &Clip, number: u32, cutting: Cutting, range: Range<usize>) -> Result<EvalItem> {
    let cuts: Vec<Segment> = range.clone().map(|k| cutting.segment(clip.samples, k)).collect();
    let first = cuts[0].start;
    let end = cuts[cuts.len() - 1].start + cuts[cuts.len() - 1].len as u64;
    let audio = decode_range(&clip.path, clip.start + first, (end - first) as usize)?;
    let audio: Vec<i16> = audio.into_iter().map(to_i16).collect();
    Ok(EvalItem {
        clip: number,
        first: range.start,
        starts_s: cuts.iter().map(|cut| cut.start as f64 / f64::from(SAMPLE_RATE_HZ)).collect(),
        has_sound: audio.iter().map(|&x| f64::from(to_f32(x)).powi(2)).sum::<f64>() >= NORM_EPSILON,
        last: range.end == cutting.count(clip.samples),
        cuts,
        audio,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn back_to_back_is_the_rule_of_testing(samples in 0u64..200_000) {
            let all: Vec<_> = (0..Cutting::BackToBack.count(samples))
                .map(|k| Cutting::BackToBack.segment(samples, k))
                .collect();
            prop_assert_eq!(all, segments(samples));
        }

        #[test]
        fn hops_end_where_the_clip_does(samples in 0u64..200_000, hop_samples in 1.0f64..50_000.0) {
            let every = Cutting::Every { hop_samples };
            let count = every.count(samples);
            let segment = SEGMENT_SAMPLES as u64;
            // the count by looking at one start after the other
            let fits = |k: &usize| (*k as f64 * hop_samples).round() as u64 + segment <= samples;
            let expected = if samples < segment { usize::from(samples > 0) } else { (0..).take_while(fits).count() };
            prop_assert_eq!(count, expected);
            for k in 0..count {
                let cut = every.segment(samples, k);
                prop_assert_eq!((cut.start as f64 - k as f64 * hop_samples).abs() <= 0.5, true);
                prop_assert_eq!(cut.len as u64, segment.min(samples));
            }
        }
    }

    #[test]
    fn a_hop_of_a_third_of_a_second_does_not_drift() {
        let every = Cutting::Every { hop_samples: 16_000.0 / 3.0 };
        let ten_hours = 10 * 3600 * 16_000;
        assert_eq!(every.count(ten_hours), 3 * 36_000 - 2);
        assert_eq!(every.segment(ten_hours, 3 * 35_000).start, 35_000 * 16_000);
    }
}
