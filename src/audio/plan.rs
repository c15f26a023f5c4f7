//! Which clip stands where in an epoch.
//!
//! A batch holds each recording (file) at most once, since a second clip of it would be a false negative. To get the
//! most batches out of an epoch, all clips are laid in a line, recording by recording in random order, and dealt out
//! to the batches like cards: clips of one recording are neighbours and so go to different batches, as long as none
//! has more clips than there are batches. What is left over waits for another epoch.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rand::seq::SliceRandom;

use super::dataset::Clip;
use super::error::{AudioError, Result};
use super::random::{Purpose, stream};

pub(super) struct Plan {
    seed: u64,
    batch: usize,
    steps_per_epoch: u64,
    /// Clips of each recording.
    recordings: Vec<Vec<u32>>,
    /// Recording of each clip.
    recording_of: Vec<u32>,
    /// The epochs asked for last: threads may stand on both sides of a border.
    recent: Mutex<Vec<(u64, Arc<Vec<u32>>)>>,
}

impl Plan {
    pub fn new(clips: &[Clip], batch: usize, seed: u64) -> Result<Plan> {
        let mut numbers: HashMap<&Path, u32> = HashMap::new();
        let mut recordings: Vec<Vec<u32>> = Vec::new();
        let mut recording_of = Vec::with_capacity(clips.len());
        for (i, clip) in clips.iter().enumerate() {
            let r = *numbers.entry(&clip.path).or_insert_with(|| {
                recordings.push(Vec::new());
                recordings.len() as u32 - 1
            });
            recordings[r as usize].push(i as u32);
            recording_of.push(r);
        }
        if batch > recordings.len() {
            return Err(AudioError::BatchTooLarge { batch, recordings: recordings.len() });
        }
        let steps_per_epoch = most_batches(&recordings, batch, clips.len());
        Ok(Plan { seed, batch, steps_per_epoch, recordings, recording_of, recent: Mutex::default() })
    }

    /// Full batches an epoch, at least 1.
    pub fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }

    pub fn recording_of(&self, clip: u32) -> u32 {
        self.recording_of[clip as usize]
    }

    /// The clip at `slot` of the batch of `step`, counted over all epochs.
    pub fn clip_at(&self, step: u64, slot: usize) -> u32 {
        let order = self.epoch(step / self.steps_per_epoch);
        order[(step % self.steps_per_epoch) as usize * self.batch + slot]
    }

    /// All batches of an epoch one after the other.
    fn epoch(&self, epoch: u64) -> Arc<Vec<u32>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, order)) = recent.iter().find(|(e, _)| *e == epoch) {
            return order.clone();
        }
        let order = Arc::new(self.draw_epoch(epoch));
        recent.push((epoch, order.clone()));
        if recent.len() > 2 {
            recent.remove(0);
        }
        order
    }

    fn draw_epoch(&self, epoch: u64) -> Vec<u32> {
        let mut rng = stream(self.seed, Purpose::Epoch, epoch, 0);
        let steps = self.steps_per_epoch as usize;
        let mut order: Vec<usize> = (0..self.recordings.len()).collect();
        order.shuffle(&mut rng);
        let mut line: Vec<u32> = Vec::with_capacity(self.recording_of.len());
        for recording in order {
            let mut clips = self.recordings[recording].clone();
            clips.shuffle(&mut rng);
            line.extend(clips.into_iter().take(steps));
        }
        let mut dealt = Vec::with_capacity(steps * self.batch);
        let mut batches: Vec<usize> = (0..steps).collect();
        batches.shuffle(&mut rng);
        for b in batches {
            dealt.extend((0..self.batch).map(|slot| line[slot * steps + b]));
        }
        dealt
    }
}

/// The largest number of batches such that every one can be filled with different recordings.
fn most_batches(recordings: &[Vec<u32>], batch: usize, clips: usize) -> u64 {
    let fits = |steps: usize| recordings.iter().map(|r| r.len().min(steps)).sum::<usize>() >= steps * batch;
    // `fits` holds up to some number and fails from there on; one batch always fits.
    let (mut low, mut high) = (1, clips / batch + 1);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::dataset::Split;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn clips(counts: &[usize]) -> Vec<Clip> {
        let clip = |(r, i): (usize, usize)| Clip {
            path: format!("{r}.wav").into(),
            start: i as u64 * 1000,
            samples: 1000,
            labels: Vec::new(),
            split: Split::Train,
        };
        let all = counts.iter().enumerate().flat_map(|(r, &n)| (0..n).map(move |i| (r, i)));
        all.map(clip).collect()
    }

    proptest! {
        #[test]
        fn no_batch_holds_a_recording_twice(
            counts in prop::collection::vec(1usize..8, 1..40), batch in 1usize..12, seed in 0u64..99
        ) {
            prop_assume!(batch <= counts.len());
            let plan = Plan::new(&clips(&counts), batch, seed).unwrap();
            let steps = plan.steps_per_epoch();
            prop_assert!(steps >= 1);
            for epoch in 0..2 {
                let mut seen = HashSet::new();
                for step in epoch * steps..(epoch + 1) * steps {
                    let of_batch: Vec<u32> = (0..batch).map(|s| plan.clip_at(step, s)).collect();
                    let recordings: HashSet<u32> = of_batch.iter().map(|&c| plan.recording_of(c)).collect();
                    prop_assert_eq!(recordings.len(), batch);
                    prop_assert!(of_batch.iter().all(|&c| seen.insert(c)), "a clip came twice in an epoch");
                }
            }
        }
    }

    #[test]
    fn single_clip_recordings_fill_every_batch() {
        let plan = Plan::new(&clips(&[1; 103]), 10, 5).unwrap();
        assert_eq!(plan.steps_per_epoch(), 10);
        assert_ne!(plan.draw_epoch(0), plan.draw_epoch(1));
        assert_eq!(plan.draw_epoch(3), Plan::new(&clips(&[1; 103]), 10, 5).unwrap().draw_epoch(3));
    }

    #[test]
    fn a_batch_larger_than_the_set_is_refused() {
        let err = Plan::new(&clips(&[5, 5, 5]), 4, 0).err().unwrap().to_string();
        assert!(err.contains("a batch of 4") && err.contains("--batch 3"), "{err}");
    }
}
