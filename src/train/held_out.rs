//! Recordings that are never trained on, and how well their halves are matched.

use super::step::State;
use crate::audio::{Clip, Loader, LoaderConfig, PairBatch, Result, SEGMENT_SAMPLES};
use crate::nn::cola::{Contrast, Targets};
use crate::tape::{Ctx, Var};
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

/// Loss and in-batch accuracy of held-out pairs, batch norm with its running statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOutScore {
    /// Mean loss, in nats.
    pub loss: f32,
    /// Share of anchors that picked their own positive.
    pub accuracy: f32,
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

    /// Pairs in all batches.
    pub fn total_pairs(&self) -> usize {
        self.pairs * self.batches.len()
    }

    /// Measures. Waits for the device.
    pub fn measure(&self, state: &State) -> HeldOutScore {
        let cx = Ctx::inference(&state.gpu);
        // Anchors among positives whatever the method, so that methods can be compared.
        let contrast = if state.contrast() == Contrast::All { Contrast::OneWay } else { state.contrast() };
        let targets = Targets::new(&state.gpu, self.pairs, contrast);
        let (mut loss, mut correct) = (0.0, 0.0);
        for batch in &self.batches {
            let samples = Tensor::from_slice(&state.gpu, &[2 * self.pairs, SEGMENT_SAMPLES], &batch.samples);
            let h = state.model.encode(&cx, &Var::constant(state.front_end.features(&samples)), 0);
            let out = state.model.head.loss(&cx, &h, &targets);
            loss += out.loss.value.read::<f32>()[0];
            correct += out.correct.read::<f32>()[0];
        }
        HeldOutScore { loss: loss / self.batches.len() as f32, accuracy: correct / self.total_pairs() as f32 }
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
