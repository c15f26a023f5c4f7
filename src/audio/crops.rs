//! Random segments of labelled clips, for training a classifier together with the encoder.
//!
//! Clips come in a new random order every epoch, one segment each, and the epochs are laid end to end and cut into
//! batches of one size. What stands in the line follows from (clips, seed) alone; clips that cannot be used are passed
//! over, so batches do too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rand::seq::SliceRandom;

use super::SEGMENT_SAMPLES;
use super::cache::ClipCache;
use super::crop::{draw_crop, l2_normalise};
use super::dataset::Clip;
use super::error::{AudioError, Result};
use super::ordered::Ordered;
use super::random::{Purpose, stream};

/// One batch of segments.
#[derive(Debug, Clone)]
pub struct CropBatch {
    /// `[batch, SEGMENT_SAMPLES]`, each segment of unit L2 norm.
    pub samples: Vec<f32>,
    /// The clip of each segment.
    pub clips: Vec<u32>,
}

/// An endless source of batches, decoded ahead by worker threads.
pub struct CropLoader {
    crops: Ordered<(u32, Result<Vec<f32>>)>,
    clips: Arc<Vec<Clip>>,
    batch: usize,
    skipped: BTreeMap<u32, AudioError>,
}

impl CropLoader {
    /// Starts decoding segments of the clips of these numbers, which keep at most `cache_bytes` of decoded audio.
    ///
    /// # Panics
    /// Without a number, or with a batch of 0.
    pub fn start(
        clips: Arc<Vec<Clip>>,
        numbers: Vec<u32>,
        batch: usize,
        seed: u64,
        workers: usize,
        cache_bytes: u64,
    ) -> CropLoader {
        assert!(!numbers.is_empty() && batch > 0, "a batch of {batch} out of {} clips", numbers.len());
        let cache = ClipCache::new(clips.clone(), cache_bytes);
        let epochs: Mutex<BTreeMap<u64, Arc<Vec<u32>>>> = Mutex::default();
        let length = numbers.len() as u64;
        let job = move |n: u64| {
            let order = {
                let mut epochs = epochs.lock().expect("no shuffle panics with the lock held");
                let draw = || {
                    let mut order = numbers.clone();
                    order.shuffle(&mut stream(seed, Purpose::CropEpoch, n / length, 0));
                    Arc::new(order)
                };
                let order = epochs.entry(n / length).or_insert_with(draw).clone();
                // threads may stand on both sides of a border
                epochs.retain(|epoch, _| epoch + 1 >= n / length);
                order
            };
            let clip = order[(n % length) as usize];
            (clip, crop(&cache, clip, seed, n))
        };
        let crops = Ordered::start(workers, batch.max(2 * workers), 0..u64::MAX, job);
        CropLoader { crops, clips, batch, skipped: BTreeMap::new() }
    }

    /// The next batch; waits for it if decoding is behind.
    ///
    /// # Errors
    /// When no clip at all can be used.
    #[allow(clippy::should_implement_trait)] // Endless and fallible: `for` loops would mislead.
    pub fn next(&mut self) -> Result<CropBatch> {
        let mut batch = CropBatch { samples: Vec::with_capacity(self.batch * SEGMENT_SAMPLES), clips: Vec::new() };
        let mut failed_in_a_row = 0;
        while batch.clips.len() < self.batch {
            match self.crops.next().ok_or(AudioError::Stopped)? {
                (clip, Ok(samples)) => {
                    batch.samples.extend(samples);
                    batch.clips.push(clip);
                    failed_in_a_row = 0;
                }
                (clip, Err(error)) => {
                    failed_in_a_row += 1;
                    if failed_in_a_row > self.clips.len() {
                        return Err(error);
                    }
                    self.skipped.insert(clip, error);
                }
            }
        }
        Ok(batch)
    }

    /// Clips that could not be used so far, with the reason.
    pub fn skipped(&self) -> Vec<(PathBuf, AudioError)> {
        let path = |clip: &u32| self.clips[*clip as usize].path.clone();
        self.skipped.iter().map(|(clip, error)| (path(clip), error.clone())).collect()
    }
}

/// The segment at place `n` of the line: a random crop that is not silent, normalised.
fn crop(cache: &ClipCache, clip: u32, seed: u64, n: u64) -> Result<Vec<f32>> {
    let mut crop = draw_crop(cache, clip, SEGMENT_SAMPLES, &mut stream(seed, Purpose::Crop, n, 0))?;
    l2_normalise(&mut crop);
    Ok(crop)
}
