//! Vectors of clips: every segment of every clip through the frozen encoder.
//!
//! Segments of all clips fill batches of one fixed size, so that short clips keep the device as busy as long ones and
//! no vector depends on which clips came together.

use super::encoder::Encoder;
use crate::audio::{AudioError, Clip, EvalLoader, SEGMENT_SAMPLES, crop};
use crate::gpu::{Gpu, Pending};
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Segments on the device at a time.
pub const BATCH: usize = 32;

/// Decoded items that wait for the device.
const QUEUE: usize = 8;

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
    clips.iter().map(|clip| crop::segments(clip.samples).len() as u64).sum()
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
/// and hands the results over in order, a batch late: the device works on the next one meanwhile. Returns the clips
/// that failed; results of their first segments may have been handed over.
pub(super) fn through_device(
    gpu: &Gpu,
    clips: Arc<Vec<Clip>>,
    workers: usize,
    compute: impl Fn(&Tensor) -> Tensor,
    mut take: impl FnMut(&[Row], &[f32]),
) -> BTreeMap<u32, AudioError> {
    let mut failed = BTreeMap::new();
    let (mut rows, mut samples) = (Vec::new(), Vec::new());
    let mut in_flight: Option<(Vec<Row>, Pending)> = None;
    let mut flush = |rows: &mut Vec<Row>, samples: &mut Vec<f32>| {
        let count = rows.len().min(BATCH);
        let mut batch: Vec<f32> = samples.drain(..count * SEGMENT_SAMPLES).collect();
        batch.resize(BATCH * SEGMENT_SAMPLES, 0.0);
        let input = Tensor::from_slice(gpu, &[BATCH, SEGMENT_SAMPLES], &batch);
        let next = (count > 0).then(|| (rows.drain(..count).collect(), compute(&input).read_later()));
        if let Some((rows, values)) = std::mem::replace(&mut in_flight, next) {
            take(&rows, &values.wait::<f32>());
        }
    };
    for item in EvalLoader::start(clips, workers, QUEUE) {
        match item {
            Ok(item) => {
                rows.extend(item.starts_s.iter().map(|&start_s| Row { clip: item.clip, start_s }));
                samples.extend(item.segments);
            }
            Err((clip, error)) => {
                failed.insert(clip, error);
            }
        }
        while rows.len() >= BATCH {
            flush(&mut rows, &mut samples);
        }
    }
    if !rows.is_empty() {
        flush(&mut rows, &mut samples);
    }
    if let Some((rows, values)) = in_flight.take() {
        take(&rows, &values.wait::<f32>());
    }
    failed
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
}
