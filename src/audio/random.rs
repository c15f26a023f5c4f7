//! Random streams addressed by what they are for, so that no draw depends on which thread asks first.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream decides; different purposes never share numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Which files of a label become the test files; `a` = label.
    TestSplit = 1,
    /// Order of an epoch; `a` = epoch.
    Epoch = 2,
    /// Crops and noise of a pair; `a` = step, `b` = clip.
    Pair = 3,
    /// Stand-ins for unusable clips; `a` = step.
    StandIn = 4,
    /// A generated clip; `a` = family, `b` = number.
    Synth = 5,
    /// Order of an epoch of single segments; `a` = epoch.
    CropEpoch = 6,
    /// A single segment; `a` = its place in the line of all epochs.
    Crop = 7,
    /// Which training files become the validation files; `a` = label.
    ValidSplit = 8,
}

/// The ChaCha stream keyed by the user's seed, its purpose and up to two numbers.
pub(super) fn stream(seed: u64, purpose: Purpose, a: u64, b: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, a, b]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
