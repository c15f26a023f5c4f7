//! Recordings that are never trained on, and how well their halves are matched.

use super::learner::{Learner, Score};
use crate::audio::{Clip, Loader, LoaderConfig, PairBatch, Result};
use crate::tensor::Tensor;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Pairs measured at most: the standard error of an accuracy is then below 4 points.
const MOST_PAIRS: usize = 256;

/// Divides clips into those to train on and those held out: `fraction` of the recordings, the same for the same seed.
/// With a fraction above 0 at least two recordings are held out.
pub fn split(clips: Vec<Clip>, fraction: f64, seed: u64) -> (Vec<Clip>, Vec<Clip>) {
    if fraction == 0.0 {
        return (clips, Vec::new());
    }
    let mut recordings: Vec<PathBuf> =
        clips.iter().map(|clip| clip.path.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    recordings.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let count = ((recordings.len() as f64 * fraction).round() as usize).max(2);
    recordings.truncate(count);
    let held: HashSet<PathBuf> = recordings.into_iter().collect();
    clips.into_iter().partition(|clip| !held.contains(&clip.path))
}

/// Batches of pairs that are measured again and again.
pub struct HeldOut {
    pairs: usize,
    batches: Vec<PairBatch>,
}

impl HeldOut {
    /// Decodes the pairs: batches as large as in training, or as there are recordings.
    ///
    /// # Errors
    /// As [`Loader`].
    pub fn load(clips: Vec<Clip>, config: LoaderConfig) -> Result<HeldOut> {
        let recordings = clips.iter().map(|clip| &clip.path).collect::<HashSet<_>>().len();
        let pairs = config.batch.min(recordings);
        let mut loader = Loader::start(Arc::new(clips), LoaderConfig { batch: pairs, ..config }, 0)?;
        let count = loader.steps_per_epoch().min((MOST_PAIRS / pairs).max(1) as u64);
        let batches = (0..count).map(|_| loader.next()).collect::<Result<_>>()?;
        Ok(HeldOut { pairs, batches })
    }

    /// Pairs in a batch: chance is one over it.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Measures. Waits for the device.
    pub fn measure(&self, learner: &dyn Learner) -> Score {
        let of_batch = |batch: &PairBatch| {
            let shape = [2 * self.pairs, batch.samples.len() / (2 * self.pairs)];
            learner.score(&Tensor::from_slice(learner.gpu(), &shape, &batch.samples))
        };
        let scores: Vec<Score> = self.batches.iter().map(of_batch).collect();
        let mean = |value: fn(&Score) -> f32| scores.iter().map(value).sum::<f32>() / scores.len() as f32;
        Score { loss: mean(|score| score.loss), accuracy: mean(|score| score.accuracy) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Split;

    #[test]
    fn a_recording_is_on_one_side_only() {
        let clip = |i: usize| Clip {
            path: format!("{}.wav", i / 3).into(),
            start: i as u64 * 16_000,
            samples: 16_000,
            labels: Vec::new(),
            split: Split::Train,
        };
        let clips: Vec<Clip> = (0..300).map(clip).collect();
        let (train, held) = split(clips.clone(), 0.1, 4);
        assert_eq!((train.len(), held.len()), (270, 30));
        assert!(held.iter().all(|h| train.iter().all(|t| t.path != h.path)));
        assert_eq!(split(clips.clone(), 0.1, 4).1, held);
        assert_ne!(split(clips.clone(), 0.1, 5).1, held);
        assert_eq!(split(clips, 0.0, 4).1, []);
    }
}
