//! The pre-training loader: batches of pairs, decoded ahead by worker threads.
//!
//! A batch is a function of (clips, seed, step) and of nothing else: not of the number of workers, of their timing, of
//! the cache or of where a run was resumed. Workers make single pairs; one more thread puts them together, fills the
//! places of clips that cannot be used, and keeps `queue` batches ready.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use rand::RngExt;

use super::cache::ClipCache;
use super::dataset::Clip;
use super::error::{AudioError, Result};
use super::ordered::{Ordered, Stopper};
pub use super::pair::CropRule;
use super::pair::PairSource;
use super::plan::Plan;
use super::random::{Purpose, stream};

/// Settings of a [`Loader`].
#[derive(Debug, Clone)]
pub struct LoaderConfig {
    /// Pairs in a batch.
    pub batch: usize,
    /// Samples of a segment.
    pub samples: usize,
    /// Decides the order, the crops and the noise.
    pub seed: u64,
    /// Decoding threads.
    pub workers: usize,
    /// Batches kept ready.
    pub queue: usize,
    /// RAM for decoded audio in bytes.
    pub cache_bytes: u64,
    /// Where the level of a segment is taken from.
    pub crop: CropRule,
    /// Whether a positive is its anchor's own segment, for augmentation to change, instead of another one of the clip.
    pub same_segment: bool,
    /// Standard deviation of the noise added to every positive; 0 for none.
    pub noise: f32,
    /// An unusable clip is an error instead of being replaced.
    pub strict: bool,
}

/// One batch of pairs.
#[derive(Debug, Clone)]
pub struct PairBatch {
    /// Counted over all epochs.
    pub step: u64,
    /// Pass over the data, from 0.
    pub epoch: u64,
    /// `[2 * batch, samples]`: the anchors, then their positives in the same order.
    pub samples: Vec<f32>,
    /// The clip of each pair.
    pub clips: Vec<u32>,
    /// Time in ms that [`Loader::next`] had to wait for this batch.
    pub wait_ms: f64,
}

/// Unusable clips met so far, by clip number.
type Skipped = Arc<Mutex<BTreeMap<u32, AudioError>>>;

/// An endless source of batches.
pub struct Loader {
    batches: Option<Receiver<Result<PairBatch>>>,
    stopper: Stopper<Result<Vec<f32>>>,
    assembler: Option<JoinHandle<()>>,
    source: Arc<PairSource>,
    steps_per_epoch: u64,
    skipped: Skipped,
}

impl Loader {
    /// Starts decoding at `first_step`, which gives the batches that an uninterrupted run has from that step on.
    ///
    /// Fails where a batch needs more recordings than the set holds.
    pub fn start(clips: Arc<Vec<Clip>>, config: LoaderConfig, first_step: u64) -> Result<Loader> {
        for (what, value) in [("--batch", config.batch), ("--workers", config.workers)] {
            if value == 0 {
                return Err(AudioError::ZeroSetting { what });
            }
        }
        let plan = Arc::new(Plan::new(&clips, config.batch, config.seed)?);
        let cache = ClipCache::new(clips, config.cache_bytes);
        let source = Arc::new(PairSource::new(cache, &config));
        let steps_per_epoch = plan.steps_per_epoch();

        let batch = config.batch as u64;
        let pairs = {
            let (plan, source) = (plan.clone(), source.clone());
            Ordered::start(
                config.workers,
                config.batch.max(2 * config.workers),
                first_step * batch..u64::MAX,
                move |n| {
                    let step = n / batch;
                    source.pair(step, plan.clip_at(step, (n % batch) as usize))
                },
            )
        };
        let stopper = pairs.stopper();
        let skipped = Skipped::default();
        let (sender, receiver) = bounded(config.queue.max(1));
        let assembler = Assembler {
            pairs,
            plan,
            source: source.clone(),
            batch: config.batch,
            strict: config.strict,
            skipped: skipped.clone(),
        };
        let assembler = std::thread::spawn(move || assembler.run(first_step, &sender));
        Ok(Loader { batches: Some(receiver), stopper, assembler: Some(assembler), source, steps_per_epoch, skipped })
    }

    /// The next batch; waits for it if decoding is behind. After an error there are no more batches.
    #[allow(clippy::should_implement_trait)] // Endless and fallible: `for` loops would mislead.
    pub fn next(&mut self) -> Result<PairBatch> {
        let begin = Instant::now();
        let received = self.batches.as_ref().and_then(|b| b.recv().ok());
        let mut batch = received.unwrap_or(Err(AudioError::Stopped))?;
        batch.wait_ms = begin.elapsed().as_secs_f64() * 1e3;
        Ok(batch)
    }

    /// Full batches an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }

    /// Clips that could not be used so far, with the reason.
    pub fn skipped(&self) -> Vec<(PathBuf, AudioError)> {
        let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        let path = |i: &u32| self.source.cache.clips()[*i as usize].path.clone();
        skipped.iter().map(|(i, err)| (path(i), err.clone())).collect()
    }

    /// RAM held by decoded audio in bytes.
    pub fn cached_bytes(&self) -> u64 {
        self.source.cache.used_bytes()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stopper.stop();
        self.batches = None;
        if let Some(assembler) = self.assembler.take() {
            // A panic has already been reported on stderr by its own thread.
            let _ = assembler.join();
        }
    }
}

/// Puts pairs together into batches.
struct Assembler {
    pairs: Ordered<Result<Vec<f32>>>,
    plan: Arc<Plan>,
    source: Arc<PairSource>,
    batch: usize,
    strict: bool,
    skipped: Skipped,
}

impl Assembler {
    fn run(mut self, first_step: u64, sender: &Sender<Result<PairBatch>>) {
        for step in first_step.. {
            let Some(batch) = self.assemble(step) else { return };
            let failed = batch.is_err();
            if sender.send(batch).is_err() || failed {
                return;
            }
        }
    }

    /// The batch of `step`; `None` once the loader is dropped.
    fn assemble(&mut self, step: u64) -> Option<Result<PairBatch>> {
        let mut samples = vec![0.0; 2 * self.batch * self.source.samples];
        let mut clips: Vec<u32> = (0..self.batch).map(|slot| self.plan.clip_at(step, slot)).collect();
        let mut empty = Vec::new();
        for (slot, &clip) in clips.iter().enumerate() {
            match self.pairs.next()? {
                Ok(pair) => self.put(&mut samples, slot, &pair),
                Err(err) if self.strict => return Some(Err(err)),
                Err(err) => {
                    self.note(clip, err.clone());
                    empty.push((slot, err));
                }
            }
        }
        if let Err(err) = self.fill(step, &empty, &mut clips, &mut samples) {
            return Some(Err(err));
        }
        let epoch = step / self.plan.steps_per_epoch();
        Some(Ok(PairBatch { step, epoch, samples, clips, wait_ms: 0.0 }))
    }

    /// Puts stand-ins into the empty slots: from a random clip on, the first usable one of a recording that the
    /// batch does not hold. Slots are filled in order, so the choice depends on the step and the files alone.
    fn fill(&self, step: u64, empty: &[(usize, AudioError)], clips: &mut [u32], samples: &mut [f32]) -> Result<()> {
        if empty.is_empty() {
            return Ok(());
        }
        let mut rng = stream(self.source.seed, Purpose::StandIn, step, 0);
        let total = self.source.cache.clips().len() as u32;
        let mut used: HashSet<u32> = clips.iter().map(|&c| self.plan.recording_of(c)).collect();
        for (filled, (slot, err)) in empty.iter().enumerate() {
            let first = rng.random_range(0..total);
            let mut last = err.clone();
            let mut stand_in = None;
            for clip in (first..total).chain(0..first) {
                let recording = self.plan.recording_of(clip);
                if used.contains(&recording) {
                    continue;
                }
                match self.source.pair(step, clip) {
                    Ok(pair) => {
                        used.insert(recording);
                        stand_in = Some((clip, pair));
                        break;
                    }
                    Err(err) => {
                        self.note(clip, err.clone());
                        last = err;
                    }
                }
            }
            let Some((clip, pair)) = stand_in else {
                return Err(AudioError::TooFewUsable {
                    batch: self.batch,
                    usable: self.batch - empty.len() + filled,
                    last: Box::new(last),
                });
            };
            clips[*slot] = clip;
            self.put(samples, *slot, &pair);
        }
        Ok(())
    }

    fn put(&self, samples: &mut [f32], slot: usize, pair: &[f32]) {
        let length = self.source.samples;
        let (anchor, positive) = pair.split_at(length);
        for (row, view) in [(slot, anchor), (self.batch + slot, positive)] {
            samples[row * length..][..length].copy_from_slice(view);
        }
    }

    fn note(&self, clip: u32, err: AudioError) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.entry(clip).or_insert(err);
    }
}
