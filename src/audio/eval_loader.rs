//! Every segment of every clip, in order, for probing and embedding.

use std::sync::Arc;

use super::SAMPLE_RATE_HZ;
use super::cache::{to_f32, to_i16};
use super::crop::{Segment, is_silent, l2_normalise, place, segments};
use super::dataset::Clip;
use super::decode::decode_range;
use super::error::{AudioError, Result};
use super::ordered::Ordered;

/// Segments handed out at a time: about one minute, 4 MB.
const CHUNK: usize = 64;

/// Segments of one clip, each divided by its own L2 norm, as COLA's public code does in testing. A clip of more than a minute comes in several
/// items, one after the other.
#[derive(Debug, Clone)]
pub struct EvalItem {
    /// Number of the clip.
    pub clip: u32,
    /// `[segments, SEGMENT_SAMPLES]`.
    pub segments: Vec<f32>,
    /// Where each segment begins in its clip, in seconds.
    pub starts_s: Vec<f64>,
    /// Whether the clip ends here.
    pub last: bool,
}

/// What a worker makes of one chunk, and whether it holds any sound.
type Chunk = (EvalItem, bool);

/// Iterates over the clips. A clip that cannot be used gives one error with its number and then no more items: what
/// was already received of it must be dropped. Silence is known only at the end of a clip.
pub struct EvalLoader {
    chunks: Ordered<std::result::Result<Chunk, (u32, AudioError)>>,
    failed: Option<u32>,
    /// The clip in which sound was heard last.
    heard: Option<u32>,
    clips: Arc<Vec<Clip>>,
}

impl EvalLoader {
    /// Starts decoding with `workers` threads; at most `queue` items are kept ready.
    pub fn start(clips: Arc<Vec<Clip>>, workers: usize, queue: usize) -> EvalLoader {
        let mut tasks: Vec<(u32, std::ops::Range<usize>)> = Vec::new();
        for (i, clip) in clips.iter().enumerate() {
            let count = segments(clip.samples).len();
            let chunks = (0..count).step_by(CHUNK);
            tasks.extend(chunks.map(|first| (i as u32, first..(first + CHUNK).min(count))));
        }
        let total = tasks.len() as u64;
        let of_workers = clips.clone();
        let chunks = Ordered::start(workers, queue.max(workers), 0..total, move |n| {
            let (i, range) = tasks[n as usize].clone();
            read_chunk(&of_workers[i as usize], i, range).map_err(|e| (i, e))
        });
        EvalLoader { chunks, failed: None, heard: None, clips }
    }
}

impl Iterator for EvalLoader {
    type Item = std::result::Result<EvalItem, (u32, AudioError)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.chunks.next()? {
                Err((clip, _)) if self.failed == Some(clip) => (),
                Err((clip, err)) => {
                    self.failed = Some(clip);
                    return Some(Err((clip, err)));
                }
                Ok((item, _)) if self.failed == Some(item.clip) => (),
                Ok((item, has_sound)) => {
                    if has_sound {
                        self.heard = Some(item.clip);
                    }
                    if item.last && self.heard != Some(item.clip) {
                        let path = self.clips[item.clip as usize].path.clone();
                        return Some(Err((item.clip, AudioError::Silent { path })));
                    }
                    return Some(Ok(item));
                }
            }
        }
    }
}

/// Decodes the segments `range` of a clip.
fn read_chunk(clip: &Clip, number: u32, range: std::ops::Range<usize>) -> Result<Chunk> {
    let all = segments(clip.samples);
    let wanted: &[Segment] = &all[range.clone()];
    let first = wanted.first().map_or(0, |s| s.start);
    let end = wanted.last().map_or(0, |s| s.start + s.len as u64);
    let audio = decode_range(&clip.path, clip.start + first, (end - first) as usize)?;
    let audio: Vec<f32> = audio.into_iter().map(|x| to_f32(to_i16(x))).collect();
    let mut samples = Vec::with_capacity(wanted.len() * super::SEGMENT_SAMPLES);
    for s in wanted {
        let from = (s.start - first) as usize;
        let mut segment = place(&audio[from..from + s.len], s.pad_left);
        l2_normalise(&mut segment);
        samples.extend(segment);
    }
    let item = EvalItem {
        clip: number,
        segments: samples,
        starts_s: wanted.iter().map(|s| s.start as f64 / f64::from(SAMPLE_RATE_HZ)).collect(),
        last: range.end == all.len(),
    };
    Ok((item, !is_silent(&audio)))
}
