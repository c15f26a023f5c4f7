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
    /// Two independent crops, each divided by its own L2 norm, as in testing.
    CropThenNormalise,
}

/// Makes pairs; everything random in a pair is drawn from a stream keyed by (seed, step, clip).
pub(super) struct PairSource {
    pub cache: ClipCache,
    pub seed: u64,
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
        let LoaderConfig { seed, crop: rule, same_segment, noise, .. } = *config;
        PairSource { cache, seed, rule, same_segment, noise, failed: Mutex::default() }
    }

    /// Anchor and positive of `clip` at `step`, `2 * SEGMENT_SAMPLES` samples.
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
            for x in &mut pair[SEGMENT_SAMPLES..] {
                *x += self.noise * rng.sample::<f32, _>(StandardNormal);
            }
        }
        Ok(pair)
    }

    /// A normalised random crop that is not silent.
    fn crop(&self, clip: u32, rng: &mut impl RngExt) -> Result<Vec<f32>> {
        let mut crop = draw_crop(&self.cache, clip, rng)?;
        match self.rule {
            CropRule::CropThenNormalise => l2_normalise(&mut crop),
            CropRule::ClipThenCrop => scale_by_norm(&mut crop, self.cache.squared_norm(clip)?),
        }
        Ok(crop)
    }
}
