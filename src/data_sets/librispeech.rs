//! LibriSpeech train-clean-100: who reads. `train-clean-100/<speaker>/<chapter>/<speaker>-<chapter>-<nnnn>.flac`.

use std::path::{Path, PathBuf};

use super::files::{files, key, layout, locate, sub_folders};
use super::rules::{hold_out_a_fifth, rule};
use super::{DataSet, Listing, Result, Row};

pub(super) const LIBRISPEECH: DataSet = DataSet {
    name: "librispeech",
    title: "LibriSpeech train-clean-100, speakers",
    task: "speaker, 251",
    download: "train-clean-100.tar.gz",
    page: "https://www.openslr.org/12",
    size: "6.3 GB, 100 h, 28,539 utterances",
    licence: "CC BY 4.0",
    layout: &["[LibriSpeech/][train-clean-100/]<speaker>/<chapter>/<speaker>-<chapter>-<nnnn>.flac"],
    differs: &[
        "The paper does not describe its split; this one is ours, so a score is close to the paper's task but not the same.",
        "Training and test share chapters of a book, so the recording conditions of a speaker are known from training.",
    ],
    classes: 251,
    multi_label: false,
    read,
};

const FOLDER: &str = "train-clean-100";

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    let root = match src.ends_with(FOLDER) {
        true => src.to_path_buf(),
        false => locate(set, src, &["LibriSpeech"], FOLDER)?.join(FOLDER),
    };
    let mut listing =
        Listing { split_rule: rule("speaker", "their path below train-clean-100/"), ..Listing::default() };
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for (speaker, speaker_folder) in numbered(&root)? {
        for (chapter, chapter_folder) in numbered(&speaker_folder)? {
            for (name, path) in files(&chapter_folder, "flac")? {
                if name.starts_with(&format!("{speaker}-{chapter}-")) {
                    found.push((speaker.clone(), path));
                } else {
                    listing.leave_out(path, format!("its name does not begin with {speaker}-{chapter}-"));
                }
            }
        }
    }
    if found.is_empty() {
        return Err(layout(set, &root, "no <speaker>/<chapter>/*.flac is in it"));
    }
    let keys: Vec<_> = found.iter().map(|(speaker, path)| (speaker.clone(), key(&root, path))).collect();
    let splits = hold_out_a_fifth(&keys);
    listing.count("utterances", 28_539, found.len());
    listing.rows = found.into_iter().zip(splits).map(|((label, path), split)| Row::whole(path, label, split)).collect();
    Ok(listing)
}

/// The sub-folders whose names are numbers.
fn numbered(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let number = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
    Ok(sub_folders(folder)?.into_iter().filter(|(name, _)| number(name)).collect())
}
