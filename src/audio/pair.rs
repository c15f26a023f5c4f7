//! Two views of one clip: the training example of COLA.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rand::RngExt;
use rand_distr::StandardNormal;

use super::SEGMENT_SAMPLES;
use super::cache::ClipCache;
use super::crop::{draw_crop, l2_normalise, scale_by_norm};
use super::error::{AudioError, Result};
use super::loader::LoaderConfig;
use super::random::{Purpose, stream};

/// Where the level is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CropRule {
    /// As the public code does: the whole clip divided by its L2 norm, then two independent crops.
    ClipThenCrop,
    /// Two independent crops, each divided by its own L2 norm, as in testing; longer ones than a segment are so much louder
    /// that a segment of them has that norm in the mean.
    CropThenNormalise,
}

/// Makes pairs; everything random in a pair is drawn from a stream keyed by (seed, step, clip).
pub(super) struct PairSource {
    pub cache: ClipCache,
    pub seed: u64,
    /// Length of either view.
    pub samples: usize,
    pub rule: CropRule,
    /// Whether the positive is cut where the anchor is.
    pub same_segment: bool,
    /// Standard deviation of the noise added to the positive, after normalisation.
    pub noise: f32,
    /// Files that could not be decoded: they are not tried again in every epoch.
    failed: Mutex<HashMap<u32, AudioError>>,
}

impl PairSource {
    pub fn new(cache: ClipCache, config: &LoaderConfig) -> PairSource {
        let LoaderConfig { seed, samples, crop: rule, same_segment, noise, .. } = *config;
        PairSource { cache, seed, samples, rule, same_segment, noise, failed: Mutex::default() }
    }

    /// Anchor and positive of `clip` at `step`, twice `samples` samples.
    pub fn pair(&self, step: u64, clip: u32) -> Result<Vec<f32>> {
        let known = self.failed.lock().unwrap_or_else(PoisonError::into_inner).get(&clip).cloned();
        if let Some(err) = known {
            return Err(err);
        }
        let pair = self.draw(step, clip);
        match &pair {
            // Whether silence was met depends on the draw, so it must not be remembered.
            Ok(_) | Err(AudioError::Silent { .. }) => (),
            Err(err) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.insert(clip, err.clone());
            }
        }
        pair
    }

    fn draw(&self, step: u64, clip: u32) -> Result<Vec<f32>> {
        let mut rng = stream(self.seed, Purpose::Pair, step, u64::from(clip));
        let mut pair = self.crop(clip, &mut rng)?;
        match self.same_segment {
            true => pair.extend_from_within(..),
            false => pair.extend(self.crop(clip, &mut rng)?),
        }
        if self.noise > 0.0 {
            for x in &mut pair[self.samples..] {
                *x += self.noise * rng.sample::<f32, _>(StandardNormal);
            }
        }
        Ok(pair)
    }

    /// A random crop that is not silent, as loud as a segment of unit L2 norm.
    fn crop(&self, clip: u32, rng: &mut impl RngExt) -> Result<Vec<f32>> {
        let mut crop = draw_crop(&self.cache, clip, self.samples, rng)?;
        match self.rule {
            CropRule::CropThenNormalise => {
                l2_normalise(&mut crop);
                let louder = (self.samples as f32 / SEGMENT_SAMPLES as f32).sqrt();
                crop.iter_mut().for_each(|x| *x *= louder);
            }
            CropRule::ClipThenCrop => scale_by_norm(&mut crop, self.cache.squared_norm(clip)?),
        }
        Ok(crop)
    }
}
