//! What can go wrong with an unpacked data set, each as one line: what happened, to which file, what to do.

use std::path::{Path, PathBuf};

use super::DATA_SETS;
use crate::train::atomic::WriteError;

/// Any failure of reading a data set or writing its manifest.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what each one is
pub enum DataSetError {
    #[error("no data set is called \"{name}\"; known: {}", DATA_SETS.map(|set| set.name).join(", "))]
    Unknown { name: String },

    #[error("{}: no such folder; give the one that {name} was unpacked to", path.display())]
    NoFolder { path: PathBuf, name: &'static str },

    #[error("{}: {detail}; `cola data {name}` shows what the folder must hold", path.display())]
    Layout { path: PathBuf, detail: String, name: &'static str },

    #[error("{}: {marker} is not here but in {}; give that folder", path.display(), found.display())]
    WrongLevel { path: PathBuf, marker: String, found: PathBuf },

    #[error("{}, line {line}: {detail}; download the table again", path.display())]
    BadRow { path: PathBuf, line: usize, detail: String },

    #[error("{}: cannot read it ({detail}); check that it exists and is readable", path.display())]
    Io { path: PathBuf, detail: String },

    #[error("{}: none of the {clips} clips of {name} can be used; the first: {} ({reason})", path.display(), first.display())]
    NothingUsable { path: PathBuf, name: &'static str, clips: usize, first: PathBuf, reason: String },

    #[error("{}: holds a metadata.csv already, {of}; choose another --out", path.display())]
    Occupied { path: PathBuf, of: String },

    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Result of this module.
pub type Result<T> = std::result::Result<T, DataSetError>;

impl DataSetError {
    /// An input failure on `path`.
    pub(super) fn io(path: &Path, source: &std::io::Error) -> DataSetError {
        DataSetError::Io { path: path.to_path_buf(), detail: source.to_string() }
    }

    /// A damaged line of a table; `line` counts from 1.
    pub(super) fn bad_row(path: &Path, line: usize, detail: impl Into<String>) -> DataSetError {
        DataSetError::BadRow { path: path.to_path_buf(), line, detail: detail.into() }
    }
}
