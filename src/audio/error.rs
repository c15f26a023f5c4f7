//! What can go wrong with a person's audio files, each as one line: what happened, to which file, what to do.

use std::path::{Path, PathBuf};

use super::{MIN_SAMPLES, SAMPLE_RATE_HZ};

/// Any failure of the audio data path. `Clone`, so that one bad file can be both skipped and listed.
#[derive(Debug, Clone, thiserror::Error)]
#[allow(missing_docs)] // the messages say what each one is
pub enum AudioError {
    #[error("{}: cannot read it ({detail}); check that the path exists and is readable", path.display())]
    Io { path: PathBuf, detail: String },

    #[error("{}: cannot write it ({detail}); check free space and permissions", path.display())]
    Write { path: PathBuf, detail: String },

    #[error("{}: the file is empty (0 bytes); delete it or copy it again", path.display())]
    Empty { path: PathBuf },

    #[error("{}: this is {looks_like}, not audio that can be read here; convert it to WAV or FLAC", path.display())]
    NotAudio { path: PathBuf, looks_like: String },

    #[error("{}: {what}; convert it to WAV or FLAC", path.display())]
    Unsupported { path: PathBuf, what: String },

    #[error("{}: cut short: the header promises {promised_s:.2} s, the file holds {found_s:.2} s; copy it again", path.display())]
    Truncated { path: PathBuf, promised_s: f64, found_s: f64 },

    #[error("{}: cut short: the stream stops before its end marker; copy it again or re-encode it", path.display())]
    NoEndMarker { path: PathBuf },

    #[error("{}: damaged at {at_s:.2} s ({detail}); copy it again or re-encode it", path.display())]
    Corrupt { path: PathBuf, at_s: f64, detail: String },

    #[error("{}: holds NaN or infinity at {at_s:.3} s; write the file again from its source", path.display())]
    NonFinite { path: PathBuf, at_s: f64 },

    #[error("{}: float samples reach {peak:.0} where full scale is 1; scale it down (sox IN OUT --norm)", path.display())]
    OutOfRange { path: PathBuf, peak: f32 },

    #[error("{}: {samples} samples at {} kHz is too short: at least {} (25 ms) are needed; remove it", path.display(), SAMPLE_RATE_HZ / 1000, MIN_SAMPLES)]
    TooShort { path: PathBuf, samples: u64 },

    #[error("{}: silent, or almost all of it is; remove it from the set", path.display())]
    Silent { path: PathBuf },

    #[error("{}: no audio found; extensions read: {}", path.display(), super::dataset::EXTENSIONS.join(" "))]
    NoAudio { path: PathBuf },

    #[error("{}: none of its {files} audio files can be used; the first: {first}", path.display())]
    NothingUsable { path: PathBuf, files: usize, first: Box<AudioError> },

    #[error("{}, line {line}: {detail}", path.display())]
    Manifest { path: PathBuf, line: usize, detail: String },

    #[error("{}: {detail}", path.display())]
    Layout { path: PathBuf, detail: String },

    #[error(
        "a batch of {batch} pairs needs {batch} recordings, the set holds {recordings}; use --batch {recordings} or less, or more audio"
    )]
    BatchTooLarge { batch: usize, recordings: usize },

    #[error("{what} must be at least 1")]
    ZeroSetting { what: &'static str },

    #[error(
        "only {usable} of the {batch} recordings that a batch needs can be used (the last refused: {last}); use a smaller --batch or repair the files"
    )]
    TooFewUsable { batch: usize, usable: usize, last: Box<AudioError> },

    #[error("the audio loader has stopped after an earlier error")]
    Stopped,
}

impl AudioError {
    /// An input/output failure on `path`.
    pub(crate) fn io(path: &Path, err: &std::io::Error) -> AudioError {
        AudioError::Io { path: path.to_path_buf(), detail: err.to_string() }
    }
}

/// Result of the audio data path.
pub type Result<T> = std::result::Result<T, AudioError>;
