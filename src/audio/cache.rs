//! Decoded clips in RAM as 16-bit samples, up to a budget: a small set is decoded once, a large one as far as it fits.
//!
//! First come, first kept: nothing is thrown out, because every clip is needed once an epoch and a cache that evicts
//! would then never hit. Audio is rounded to 16 bits whether it is cached or not, so training does not depend on the
//! budget.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::crop::squared_norm;
use super::dataset::Clip;
use super::decode::decode_range;
use super::error::Result;

/// Clips longer than this (60 s) are read in parts and never held as a whole. The rule looks at nothing but the
/// clip: a part decoded behind a seek may differ in its last bits from the whole, and must not when the budget does.
pub const LONG_CLIP_SAMPLES: u64 = 60 * 16_000;

/// Samples of a long clip that are decoded at a time to measure its level.
const STRETCH_SAMPLES: u64 = 30 * 16_000;

/// Access to the audio of a list of clips.
pub struct ClipCache {
    clips: Arc<Vec<Clip>>,
    budget_bytes: u64,
    used_bytes: AtomicU64,
    kept: Vec<OnceLock<Arc<[i16]>>>,
    norms: Mutex<HashMap<u32, f64>>,
}

impl ClipCache {
    /// A cache of at most `budget_bytes` over `clips`.
    pub fn new(clips: Arc<Vec<Clip>>, budget_bytes: u64) -> ClipCache {
        ClipCache {
            budget_bytes,
            used_bytes: AtomicU64::new(0),
            kept: clips.iter().map(|_| OnceLock::new()).collect(),
            norms: Mutex::new(HashMap::new()),
            clips,
        }
    }

    /// The clips, in the order of their numbers.
    pub fn clips(&self) -> &[Clip] {
        &self.clips
    }

    /// Bytes held at the moment.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Samples `[start, start + len)` of clip `i`, in [-1, 1].
    pub fn read(&self, i: u32, start: u64, len: usize) -> Result<Vec<f32>> {
        let clip = &self.clips[i as usize];
        if clip.samples > LONG_CLIP_SAMPLES {
            let part = decode_range(&clip.path, clip.start + start, len)?;
            return Ok(part.into_iter().map(|x| to_f32(to_i16(x))).collect());
        }
        let whole = self.whole(i)?;
        let start = start as usize;
        Ok(whole[start..start + len].iter().map(|&x| to_f32(x)).collect())
    }

    /// Sum of squares over the whole clip `i`, measured once.
    pub fn squared_norm(&self, i: u32) -> Result<f64> {
        let known = self.norms.lock().unwrap_or_else(PoisonError::into_inner).get(&i).copied();
        if let Some(norm) = known {
            return Ok(norm);
        }
        let samples = self.clips[i as usize].samples;
        let stretch = if samples > LONG_CLIP_SAMPLES { STRETCH_SAMPLES } else { samples };
        let mut norm = 0.0;
        let mut start = 0;
        while start < samples {
            let len = stretch.min(samples - start);
            norm += squared_norm(&self.read(i, start, len as usize)?);
            start += len;
        }
        self.norms.lock().unwrap_or_else(PoisonError::into_inner).insert(i, norm);
        Ok(norm)
    }

    /// All samples of a clip that is not long.
    fn whole(&self, i: u32) -> Result<Arc<[i16]>> {
        let slot = &self.kept[i as usize];
        if let Some(kept) = slot.get() {
            return Ok(kept.clone());
        }
        let clip = &self.clips[i as usize];
        let signal = decode_range(&clip.path, clip.start, clip.samples as usize)?;
        let signal: Arc<[i16]> = signal.into_iter().map(to_i16).collect();
        let bytes = 2 * signal.len() as u64;
        let reserved = self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            Some(used + bytes).filter(|&sum| sum <= self.budget_bytes)
        });
        // Another thread may have decoded the same clip meanwhile: then the room goes back.
        if reserved.is_ok() && slot.set(signal.clone()).is_err() {
            self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        Ok(signal)
    }
}

/// Rounds to 16 bits; a 16-bit file at 16 kHz passes through unchanged.
pub(super) fn to_i16(x: f32) -> i16 {
    (x * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

pub(super) fn to_f32(x: i16) -> f32 {
    f32::from(x) / 32_768.0
}
