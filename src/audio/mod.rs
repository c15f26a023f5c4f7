//! The audio data path: from a person's files to batches of 16 kHz segments.
//!
//! Read in this order: [`decode`] (any file as 16 kHz mono, with [`resample`]), [`crop`] (segments and levels),
//! [`dataset`] (folders, lists, manifests, labelled tasks).

pub mod crop;
pub mod dataset;
pub mod decode;
mod error;
mod manifest;
mod packets;
mod random;
pub mod resample;
mod sniff;
#[cfg(test)]
mod tests;
mod wav;

pub use decode::{AudioInfo, decode_file, decode_range, probe_file};
pub use error::{AudioError, Result};

/// Everything runs at this rate in Hz.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Samples of one model input: 96 frames of 400 samples every 160, so a log-mel of [96 frames, 64 bands].
pub const SEGMENT_SAMPLES: usize = 15_680;

/// Shortest file that is accepted: one analysis window of 25 ms.
pub const MIN_SAMPLES: u64 = 400;
