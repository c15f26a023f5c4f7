//! VoxCeleb1, identification: who speaks. `iden_split.txt` has lines `1 id10001/1zcIwhmdeo4/00001.wav`, where 1 is
//! training, 2 validation and 3 test.

use std::path::{Path, PathBuf};

use super::files::{lines, locate};
use super::{DataSet, DataSetError, Listing, Result};
use crate::audio::Split;

pub(super) const VOXCELEB1: DataSet = DataSet {
    name: "voxceleb1",
    title: "VoxCeleb1, identification",
    task: "speaker, 1251",
    download: "vox1_dev_wav (in four parts, joined), vox1_test_wav.zip and iden_split.txt",
    page: "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html",
    size: "about 40 GB, 352 h, 153,516 utterances",
    licence: "metadata CC BY 4.0; the audio is of YouTube videos, whose makers keep their rights",
    layout: &[
        "iden_split.txt",
        "wav/<speaker>/<video>/<nnnnn>.wav   (both archives there, or in vox1_dev_wav/wav/ and vox1_test_wav/wav/)",
    ],
    differs: &[
        "The paper calls its set a subset of VoxCeleb1 as in TRILL, 147 thousand utterances in all; this is the \
        official identification split.",
    ],
    classes: 1251,
    multi_label: false,
    read,
};

const TABLE: &str = "iden_split.txt";

/// Where people unpack the two archives to, below SRC.
const ROOTS: [&str; 8] =
    ["wav", "vox1_dev_wav/wav", "vox1_test_wav/wav", "dev/wav", "test/wav", "vox1_dev_wav", "vox1_test_wav", ""];

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    locate(set, src, &[], TABLE)?;
    let table = src.join(TABLE);
    let mut listing = Listing {
        tables: vec![TABLE.into()],
        split_rule: "official: iden_split.txt (1 train, 2 valid, 3 test)".to_string(),
        ..Listing::default()
    };
    let roots: Vec<PathBuf> = ROOTS.iter().map(|root| src.join(root)).filter(|root| root.is_dir()).collect();
    let mut clips = [0; 3];
    for (line, text) in lines(&table)? {
        let bad = || DataSetError::bad_row(&table, line, "a digit from 1 to 3 and speaker/video/file.wav are expected");
        let (digit, clip) = text.split_once(' ').ok_or_else(bad)?;
        let (number, split) = match digit {
            "1" => (0, Split::Train),
            "2" => (1, Split::Valid),
            "3" => (2, Split::Test),
            _ => return Err(bad()),
        };
        let [speaker, _video, _file] = clip.split('/').collect::<Vec<_>>()[..] else { return Err(bad()) };
        clips[number] += 1;
        let found = roots.iter().map(|root| root.join(clip)).find(|path| path.is_file());
        listing.add(found.unwrap_or_else(|| src.join("wav").join(clip)), speaker, split, TABLE);
    }
    for ((what, expected), found) in [("training", 138_361), ("validation", 6904), ("test", 8251)].iter().zip(clips) {
        listing.count(format!("{what} utterances"), *expected, found);
    }
    Ok(listing)
}
