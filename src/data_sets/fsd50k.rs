//! FSD50K: everyday sounds, several labels a clip. `FSD50K.ground_truth/{dev,eval,vocabulary}.csv` and two folders of
//! audio.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::{csv_rows, lines, locate};
use super::{DataSet, DataSetError, Listing, Result, Row};
use crate::audio::Split;

pub(super) const FSD50K: DataSet = DataSet {
    name: "fsd50k",
    title: "FSD50K",
    task: "sound events, 200, several a clip",
    download: "FSD50K.dev_audio.z01 to .zip, FSD50K.eval_audio.z01 and .zip (join with zip -s 0), FSD50K.ground_truth.zip",
    page: "https://zenodo.org/record/4060432",
    size: "33 GB, 108 h, 51,197 clips of 0.3 to 30 s",
    licence: "CC BY 4.0 as a whole; each clip CC0, CC BY, CC BY-NC or CC Sampling+",
    layout: &[
        "FSD50K.ground_truth/dev.csv, eval.csv, vocabulary.csv",
        "FSD50K.dev_audio/<id>.wav",
        "FSD50K.eval_audio/<id>.wav",
    ],
    differs: &["Not one of the paper's tasks. The measure is the mean average precision over classes (mAP)."],
    classes: 200,
    multi_label: true,
    read,
};

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    let root = locate(set, src, &["FSD50K"], "FSD50K.ground_truth/dev.csv")?;
    let truth = root.join("FSD50K.ground_truth");
    let mut listing = Listing {
        tables: ["dev", "eval", "vocabulary"].map(|t| format!("FSD50K.ground_truth/{t}.csv").into()).to_vec(),
        split_rule: "official: the train and val rows of dev.csv, and eval.csv as test".to_string(),
        ..Listing::default()
    };
    let vocabulary = vocabulary(&truth.join("vocabulary.csv"))?;
    listing.count("classes in vocabulary.csv", 200, vocabulary.len());

    let dev = truth.join("dev.csv");
    let mut clips = Vec::new();
    for (line, [id, labels, _mids, split]) in csv_rows(&dev, ["fname", "labels", "mids", "split"])? {
        let split = match split.as_str() {
            "train" => Split::Train,
            "val" => Split::Valid,
            other => return Err(DataSetError::bad_row(&dev, line, format!("split is \"{other}\", not train or val"))),
        };
        clips.push((split, &dev, line, id, labels));
    }
    let eval = truth.join("eval.csv");
    for (line, [id, labels, _mids]) in csv_rows(&eval, ["fname", "labels", "mids"])? {
        clips.push((Split::Test, &eval, line, id, labels));
    }
    for (split, what, expected) in
        [(Split::Train, "train", 36_796), (Split::Valid, "val", 4170), (Split::Test, "eval", 10_231)]
    {
        listing.count(format!("clips of {what}"), expected, clips.iter().filter(|c| c.0 == split).count());
    }
    for (split, table, line, id, labels) in clips {
        let labels: Vec<String> = labels.split(',').map(str::to_string).collect();
        if let Some(label) = labels.iter().find(|label| !vocabulary.contains(*label)) {
            return Err(DataSetError::bad_row(table, line, format!("\"{label}\" is not in vocabulary.csv")));
        }
        let (folder, name) = match split {
            Split::Test => ("FSD50K.eval_audio", "eval.csv"),
            _ => ("FSD50K.dev_audio", "dev.csv"),
        };
        let path = root.join(folder).join(format!("{id}.wav"));
        listing.add_row(Row { path, labels, split, part: None }, name);
    }
    Ok(listing)
}

/// The class names; rows are `index,name,mid` without a header.
fn vocabulary(table: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (line, text) in lines(table)? {
        let [_index, name, _mid] = text.split(',').collect::<Vec<_>>()[..] else {
            return Err(DataSetError::bad_row(table, line, "three fields are expected: index,name,mid"));
        };
        names.insert(name.to_string());
    }
    Ok(names)
}
