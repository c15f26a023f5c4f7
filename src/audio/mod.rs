//! The audio data path: from a person's files to batches of 16 kHz segments.
//!
//! Read in this order: [`decode`] (any file as 16 kHz mono, with [`resample`]), [`crop`] (segments and levels),
//! [`dataset`] (folders, lists, manifests, labelled tasks), [`loader`] (pairs for pre-training, decoded by workers in
//! an order that only the seed decides), [`crops`] (single segments, for classifiers), [`eval_loader`] (every segment of every clip, for testing), [`synth`]
//! (sounds to try everything with).

pub mod cache;
pub mod crop;
pub mod crops;
pub mod dataset;
pub mod decode;
mod error;
pub mod eval_loader;
pub mod loader;
mod manifest;
mod ogg_tail;
mod ordered;
mod packets;
mod pair;
mod plan;
mod random;
pub mod resample;
mod sniff;
pub mod synth;
#[cfg(test)]
mod tests;
mod wav;

pub use crops::{CropBatch, CropLoader};
pub use dataset::{Clip, DiscoverOptions, Discovery, Split, discover, discover_task};
pub use decode::{AudioInfo, decode_file, decode_range, probe_file};
pub use error::{AudioError, Result};
pub use eval_loader::{Cutting, EvalItem, EvalLoader, Place};
pub use loader::{CropRule, Loader, LoaderConfig, PairBatch};
pub use wav::write_wav;

/// Everything runs at this rate in Hz.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Samples of one model input: 96 frames of 400 samples every 160, so a log-mel of [96 frames, 64 bands].
pub const SEGMENT_SAMPLES: usize = 15_680;

/// Shortest file that is accepted: one analysis window of 25 ms.
pub const MIN_SAMPLES: u64 = 400;
