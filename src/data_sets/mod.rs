//! Data sets as their distributors ship them: from an unpacked download to a manifest.
//!
//! A [`DataSet`] says what to download and reads what was unpacked into a [`Listing`]: every clip with its label and
//! the split of the literature, and every clip that the set's own tables promise but the disk does not hold.
//! [`check`] reads the header of every file and moves the unreadable ones to the same list; [`write()`] writes the
//! manifest that the rest of the program reads, and notes about it. No audio is copied.
//!
//! Read in this order: [`DataSet`], one of the small sets (`musan.rs`), `files.rs` and `rules.rs` which they share,
//! `write.rs`.

mod audioset;
mod birds;
mod check;
mod describe;
mod error;
mod files;
mod fsd50k;
mod librispeech;
mod listing;
mod musan;
mod notes;
mod nsynth;
mod numpy;
mod rules;
mod speech_commands;
#[cfg(test)]
mod tests;
mod tut_urban;
mod voxceleb;
mod voxforge;
mod write;

pub use check::{Checked, check};
pub use error::{DataSetError, Result};
pub use listing::{Count, LeftOut, Listing, Row};
pub use write::{MANIFEST, Written, write};

use std::path::Path;

/// A data set that this program can read as it is shipped.
#[derive(Debug, Clone, Copy)]
pub struct DataSet {
    /// What the command line calls it.
    pub name: &'static str,
    /// Its full name.
    pub title: &'static str,
    /// What is told apart, with the number of classes.
    pub task: &'static str,
    /// The archives to fetch and unpack.
    pub download: &'static str,
    /// The distributor's page.
    pub page: &'static str,
    /// Disk space and length, roughly.
    pub size: &'static str,
    /// Terms in the distributor's words, shortened.
    pub licence: &'static str,
    /// The folders and files below SRC, a line each.
    pub layout: &'static [&'static str],
    /// Where a score on this manifest is not comparable with the paper's, a sentence each.
    pub differs: &'static [&'static str],
    /// Number of classes the set has.
    pub classes: usize,
    /// Whether a clip may have several labels.
    pub multi_label: bool,
    read: fn(&DataSet, &Path) -> Result<Listing>,
}

/// Every known set: first the nine tasks of the paper, then the others.
pub static DATA_SETS: [DataSet; 12] = [
    librispeech::LIBRISPEECH,
    speech_commands::V1_12,
    speech_commands::V2_35,
    speech_commands::V2_12,
    tut_urban::TUT_URBAN_2018,
    voxceleb::VOXCELEB1,
    birds::DCASE2018_BIRDS,
    musan::MUSAN,
    voxforge::VOXFORGE,
    nsynth::NSYNTH,
    audioset::AUDIOSET,
    fsd50k::FSD50K,
];

impl DataSet {
    /// The set called `name`.
    ///
    /// # Errors
    /// [`DataSetError::Unknown`], which names them all.
    pub fn named(name: &str) -> Result<&'static DataSet> {
        DATA_SETS.iter().find(|set| set.name == name).ok_or_else(|| DataSetError::Unknown { name: name.to_string() })
    }

    /// Lists the clips below `src`, the folder that the downloads were unpacked to. Audio is not opened, except the
    /// noise files of Speech Commands, whose length decides into how many clips they are cut.
    ///
    /// # Errors
    /// Where `src` is not laid out as [`DataSet::layout`] says, or one of its tables has a damaged line. Clips that
    /// are missing are no error; they are in [`Listing::left_out`].
    pub fn read(&self, src: &Path) -> Result<Listing> {
        if !src.is_dir() {
            return Err(DataSetError::NoFolder { path: src.to_path_buf(), name: self.name });
        }
        let src = src.canonicalize().map_err(|e| DataSetError::io(src, &e))?;
        let mut listing = (self.read)(self, &src)?;
        listing.source = src;
        Ok(listing)
    }
}
