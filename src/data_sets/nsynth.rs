//! NSynth: which of eleven families of instruments. `nsynth-{train,valid,test}/examples.json` and `audio/*.wav`.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use super::files::{layout, locate};
use super::{DataSet, DataSetError, Listing, Result};
use crate::audio::Split;

pub(super) const NSYNTH: DataSet = DataSet {
    name: "nsynth",
    title: "NSynth, instrument families",
    task: "instrument family, 11",
    download: "nsynth-train.jsonwav.tar.gz, nsynth-valid.jsonwav.tar.gz and nsynth-test.jsonwav.tar.gz",
    page: "https://magenta.tensorflow.org/datasets/nsynth",
    size: "25 GB packed, 340 h, 305,979 notes of 4 s",
    licence: "CC BY 4.0",
    layout: &[
        "nsynth-train/examples.json   nsynth-train/audio/*.wav",
        "nsynth-valid/examples.json   nsynth-valid/audio/*.wav   (may be missing)",
        "nsynth-test/examples.json    nsynth-test/audio/*.wav",
    ],
    differs: &["The family synth_lead occurs in training only, so the test has ten of the eleven families."],
    classes: 11,
    multi_label: false,
    read,
};

const FAMILIES: [&str; 11] =
    ["bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal"];

/// What is read of a note; the files hold a dozen more fields.
#[derive(Deserialize)]
struct Note {
    instrument_family_str: String,
}

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    let root = locate(set, src, &[], "nsynth-train/examples.json")?;
    let mut listing = Listing {
        split_rule: "official: the three archives; no instrument of the training set is in the others".to_string(),
        ..Listing::default()
    };
    let parts = [("train", Split::Train, 289_205), ("valid", Split::Valid, 12_678), ("test", Split::Test, 4096)];
    for (name, split, expected) in parts {
        let folder = root.join(format!("nsynth-{name}"));
        let table = folder.join("examples.json");
        if split == Split::Valid && !folder.exists() {
            listing.remarks.push("nsynth-valid/ is not there; the manifest has no validation split".to_string());
            continue;
        }
        let notes = notes(&table)?;
        listing.count(format!("notes of nsynth-{name}"), expected, notes.len());
        for (id, note) in notes {
            let family = note.instrument_family_str;
            if !FAMILIES.contains(&family.as_str()) {
                return Err(layout(
                    set,
                    &table,
                    format!("{id} is of \"{family}\", which is none of the eleven families"),
                ));
            }
            listing.add(folder.join("audio").join(format!("{id}.wav")), &family, split, "examples.json");
        }
        listing.tables.push(format!("nsynth-{name}/examples.json").into());
    }
    Ok(listing)
}

/// The notes by name, in order.
fn notes(table: &Path) -> Result<BTreeMap<String, Note>> {
    let file = std::fs::File::open(table).map_err(|e| DataSetError::io(table, &e))?;
    serde_json::from_reader(BufReader::new(file)).map_err(|e| DataSetError::bad_row(table, e.line(), e.to_string()))
}
