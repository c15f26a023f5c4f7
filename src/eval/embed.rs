//! Vectors of clips: every segment of every clip through the frozen encoder.
//!
//! Segments of all clips fill batches of one fixed size, so that short clips keep the device as busy as long ones and
//! no vector depends on which clips came together.

use super::encoder::Encoder;
use super::projection::effective_rank;
use crate::audio::{AudioError, Clip, Cutting, EvalLoader, Place, SEGMENT_SAMPLES};
use crate::gpu::{Gpu, Pending};
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// Segments on the device at a time.
pub const BATCH: usize = 32;

/// Decoded items that wait for the device.
pub(super) const QUEUE: usize = 8;

/// What a row of [`Vectors`] stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Number of the clip.
    pub clip: u32,
    /// Where the segment begins in the clip, in seconds; 0 for a whole clip.
    pub start_s: f64,
}

/// Vectors of segments or clips, in the order of the clips.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    /// Length of a vector.
    pub cols: usize,
    /// What each row stands for.
    pub rows: Vec<Row>,
    /// `[rows, cols]`.
    pub values: Vec<f32>,
    /// Clips that could not be used, by number.
    pub failed: BTreeMap<u32, AudioError>,
}

impl Vectors {
    /// The vector of row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.cols..(i + 1) * self.cols]
    }

    /// At most so many of them, evenly spread.
    pub fn some(&self, most: usize) -> Vectors {
        let step = self.rows.len().div_ceil(most).max(1);
        let mut some = Vectors { cols: self.cols, ..Vectors::default() };
        for i in (0..self.rows.len()).step_by(step) {
            some.rows.push(self.rows[i]);
            some.values.extend(self.row(i));
        }
        some
    }

    /// [`effective_rank`] of each part of the vectors, whose lengths are given.
    ///
    /// # Panics
    /// When the parts are longer than a vector, or one is empty.
    pub fn ranks(&self, parts: &[usize]) -> Vec<f64> {
        let mut start = 0;
        let rank = |&len: &usize| {
            let part = start..start + len;
            start += len;
            let values: Vec<f32> = (0..self.rows.len()).flat_map(|i| &self.row(i)[part.clone()]).copied().collect();
            effective_rank(&values, self.rows.len(), len)
        };
        parts.iter().map(rank).collect()
    }

    /// One row a clip: the mean over its segments.
    pub fn mean_by_clip(&self) -> Vectors {
        let mut means = Vectors { cols: self.cols, failed: self.failed.clone(), ..Vectors::default() };
        let mut start = 0;
        for segments in self.rows.chunk_by(|a, b| a.clip == b.clip) {
            let end = start + segments.len();
            means.rows.push(Row { clip: segments[0].clip, start_s: 0.0 });
            means.values.extend((0..self.cols).map(|c| {
                let sum: f64 = (start..end).map(|i| f64::from(self.row(i)[c])).sum();
                (sum / segments.len() as f64) as f32
            }));
            start = end;
        }
        means
    }
}

/// Segments in all clips, for a progress bar.
pub fn count_segments(clips: &[Clip]) -> u64 {
    clips.iter().map(|clip| Cutting::BackToBack.count(clip.samples) as u64).sum()
}

/// One vector a segment. `on_batch` is told how many segments are done.
pub fn embed(encoder: &Encoder, clips: Arc<Vec<Clip>>, workers: usize, mut on_batch: impl FnMut(u64)) -> Vectors {
    let mut out = Vectors { cols: encoder.features(), ..Vectors::default() };
    let failed = through_device(
        encoder.gpu(),
        clips,
        workers,
        |samples| encoder.encode(samples),
        |rows, values| {
            // [features][BATCH] to a row a segment
            for (n, row) in rows.iter().enumerate() {
                out.values.extend((0..out.cols).map(|f| values[f * BATCH + n]));
                out.rows.push(*row);
            }
            on_batch(out.rows.len() as u64);
        },
    );
    out.without(failed)
}

impl Vectors {
    /// Drops what came of clips before they failed.
    pub(super) fn without(mut self, failed: BTreeMap<u32, AudioError>) -> Vectors {
        if !failed.is_empty() {
            let keep: Vec<bool> = self.rows.iter().map(|row| !failed.contains_key(&row.clip)).collect();
            let kept = self.values.chunks(self.cols).zip(&keep).filter(|(_, keep)| **keep);
            self.values = kept.flat_map(|(row, _)| row.iter().copied()).collect();
            let mut flags = keep.iter();
            self.rows.retain(|_| *flags.next().unwrap_or(&false));
        }
        self.failed = failed;
        self
    }
}

/// Runs every segment through `compute` (`[BATCH, SEGMENT_SAMPLES]` to anything, the last batch filled up with zeros)
/// and hands the results over in order. Returns the clips that failed; results of their first segments may have been
/// handed over.
pub(super) fn through_device(
    gpu: &Gpu,
    clips: Arc<Vec<Clip>>,
    workers: usize,
    compute: impl Fn(&Tensor) -> Tensor,
    mut take: impl FnMut(&[Row], &[f32]),
) -> BTreeMap<u32, AudioError> {
    let mut failed = BTreeMap::new();
    let Ok(()) = batches(gpu, EvalLoader::start(clips, workers, QUEUE), compute, |batch| {
        failed.extend(batch.failed);
        let rows: Vec<Row> = batch.segments.iter().map(|s| Row { clip: s.at.clip, start_s: s.start_s }).collect();
        take(&rows, &batch.values);
        Ok::<(), Infallible>(())
    });
    failed
}

/// A segment that went through the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fed {
    pub at: Place,
    /// Where it begins in its clip, in seconds.
    pub start_s: f64,
    /// Whether the minute of audio around it holds any sound.
    pub has_sound: bool,
}

/// What one batch gave.
pub(super) struct Batch {
    pub segments: Vec<Fed>,
    /// `[anything][BATCH]`; what stands behind the last segment is of no use. Empty where there is no segment.
    pub values: Vec<f32>,
    /// Clips found to be unusable after the batch before this one was full, and before this one was.
    pub failed: Vec<(u32, AudioError)>,
}

/// Runs segments through `compute` and hands over batch after batch, one late: the device works on the next one
/// meanwhile. Every batch but the last one is full. The first error of `take` ends it.
pub(super) fn batches<E>(
    gpu: &Gpu,
    items: EvalLoader,
    compute: impl Fn(&Tensor) -> Tensor,
    mut take: impl FnMut(Batch) -> Result<(), E>,
) -> Result<(), E> {
    type Filling = (Vec<Fed>, Vec<(u32, AudioError)>);
    let (mut filling, mut samples): (Filling, Vec<f32>) = Default::default();
    let mut in_flight: Option<(Filling, Option<Pending>)> = None;
    let mut flush = |filling: &mut Filling, samples: &mut Vec<f32>| {
        let pending = (!filling.0.is_empty()).then(|| {
            samples.resize(BATCH * SEGMENT_SAMPLES, 0.0);
            compute(&Tensor::from_slice(gpu, &[BATCH, SEGMENT_SAMPLES], samples)).read_later()
        });
        samples.clear();
        let before = in_flight.replace((std::mem::take(filling), pending));
        before.map_or(Ok(()), |((segments, failed), pending)| {
            let values = pending.map_or_else(Vec::new, |pending| pending.wait::<f32>());
            take(Batch { segments, values, failed })
        })
    };
    for item in items {
        match item {
            Ok(item) => {
                for (i, &start_s) in item.starts_s.iter().enumerate() {
                    let at = Place { clip: item.clip, segment: item.first + i };
                    filling.0.push(Fed { at, start_s, has_sound: item.has_sound });
                    samples.extend(item.segment(i));
                    if filling.0.len() == BATCH {
                        flush(&mut filling, &mut samples)?;
                    }
                }
            }
            Err(failure) => filling.1.push(failure),
        }
    }
    // The second one fetches what the first one started.
    flush(&mut filling, &mut samples)?;
    flush(&mut filling, &mut samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_failures() {
        let row = |clip, start_s| Row { clip, start_s };
        let all = Vectors {
            cols: 2,
            rows: vec![row(0, 0.0), row(0, 0.98), row(3, 0.0), row(4, 0.0)],
            values: vec![1.0, 2.0, 3.0, 6.0, 5.0, 5.0, 7.0, 8.0],
            failed: BTreeMap::new(),
        };
        let means = all.mean_by_clip();
        assert_eq!(means.rows, [row(0, 0.0), row(3, 0.0), row(4, 0.0)]);
        assert_eq!(means.values, [2.0, 4.0, 5.0, 5.0, 7.0, 8.0]);
        let left = all.without(BTreeMap::from([(3, AudioError::Stopped)]));
        assert_eq!(left.rows, [row(0, 0.0), row(0, 0.98), row(4, 0.0)]);
        assert_eq!(left.values, [1.0, 2.0, 3.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn a_few_vectors_and_the_ranks_of_their_parts() {
        let row = |clip| Row { clip, start_s: 0.0 };
        // the first two numbers lie on a line, the other two on a circle
        let circle = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
        let values = (0..8).flat_map(|i| [i as f32, -2.0 * i as f32, circle[i % 4][0], circle[i % 4][1]]);
        let all = Vectors { cols: 4, rows: (0..8).map(row).collect(), values: values.collect(), ..Vectors::default() };
        let ranks = all.ranks(&[2, 2]);
        assert!((ranks[0] - 1.0).abs() < 1e-9 && (ranks[1] - 2.0).abs() < 1e-9, "{ranks:?}");
        let some = all.some(3);
        assert_eq!(some.rows, [row(0), row(3), row(6)]);
        assert_eq!(some.row(1), all.row(3));
        assert_eq!(all.some(8).rows, all.rows);
    }
}
