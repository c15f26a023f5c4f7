//! What can be wrong with a checkpoint or a file of weights, each as one line: which file, what, what to do.

use crate::train::atomic::WriteError;
use std::io;
use std::path::PathBuf;

/// Why weights could not be read or a checkpoint not be saved.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A path with nothing to load.
    #[error("{}: no checkpoint here; give the folder of a run of `cola pretrain`, or a .safetensors file", .path.display())]
    Nothing {
        /// What was given.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("{}: cannot read it ({source}); check that it exists and is readable", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Another kind of file, or a damaged one.
    #[error("{}: not a safetensors file ({detail}); copy it again, or give another one", .path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Fewer bytes than its header says.
    #[error("{}: cut short: {found_bytes} of {promised_bytes} bytes; copy it again, or use an older checkpoint", .path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Bytes that its header speaks of.
        promised_bytes: u64,
        /// Bytes that there are.
        found_bytes: u64,
    },
    /// A text that does not parse.
    #[error("{}: {detail}; the file is damaged or was edited: copy it again, or use an older checkpoint", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Written by a later version of this program.
    #[error("{}: written in format {found}, this version of cola reads up to {known}; update cola", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest one known.
        known: u32,
    },
    /// Integers, or floats of 8 bits or fewer.
    #[error("{}: tensor '{tensor}' is {dtype}; F32, F16, BF16 and F64 can be read: convert it", .path.display())]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its type, as the file calls it.
        dtype: String,
    },
    /// A weight that is no number.
    #[error("{}: tensor '{tensor}' holds NaN or infinity; use an older checkpoint", .path.display())]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// Names that do not fit the model.
    #[error("{}: not this model's tensors: {detail}; give a file from cola, or from timm's tf_efficientnet_b0", .path.display())]
    Names {
        /// The file.
        path: PathBuf,
        /// How many tensors are missing and unexpected, and the first of each.
        detail: String,
    },
    /// A shape that does not fit the model.
    #[error("{}: not this model's tensors: '{tensor}' is {found:?}, {wanted:?} is wanted{others}", .path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The first tensor that differs.
        tensor: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// Its shape in the model.
        wanted: Vec<usize>,
        /// How many more differ, as text, or empty.
        others: String,
    },
    /// Weights trained on colour pictures.
    #[error(
        "{0}: the first layer takes pictures of 3 channels, a log-mel has 1: make it a run with cola import {0} --out RUN",
        .path.display()
    )]
    ThreeChannels {
        /// The file.
        path: PathBuf,
    },
    /// A run that would go on otherwise than it began.
    #[error(
        "{}: saved under another configuration, so the run cannot go on as it began; undo the changes to its \
         config.toml, or start a new run with another --out", .path.display()
    )]
    ConfigChanged {
        /// The file that says so.
        path: PathBuf,
    },
    /// A checkpoint that could not be written.
    #[error("cannot save the checkpoint of step {step}: {source}{kept}")]
    Save {
        /// The step.
        step: u64,
        /// What went wrong.
        source: WriteError,
        /// Which checkpoint there still is, as text, or empty.
        kept: String,
    },
}
