//! TUT Urban Acoustic Scenes 2018, development set: which of ten places. `meta.csv` and the folds of
//! `evaluation_setup/`, all separated by tabs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::{lines, locate};
use super::{DataSet, DataSetError, Listing, Result};
use crate::audio::Split;

pub(super) const TUT_URBAN_2018: DataSet = DataSet {
    name: "tut-urban-2018",
    title: "TUT Urban Acoustic Scenes 2018, development set",
    task: "acoustic scene, 10",
    download: "TUT-urban-acoustic-scenes-2018-development.audio.1.zip to .audio.13.zip and .meta.zip",
    page: "https://zenodo.org/record/1228142",
    size: "25 GB, 24 h, 8,640 clips of 10 s",
    licence: "Tampere University's own: free for non-commercial scientific use",
    layout: &[
        "[TUT-urban-acoustic-scenes-2018-development/]meta.csv",
        "[...]evaluation_setup/fold1_train.txt",
        "[...]evaluation_setup/fold1_evaluate.txt   (or fold1_test.txt, with the labels of meta.csv)",
        "[...]audio/*.wav",
    ],
    differs: &[
        "The labels of the challenge's evaluation set are not public; the paper follows a split of the development \
        set that is not published, this is the official fold of that set.",
    ],
    classes: 10,
    multi_label: false,
    read,
};

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    let root = locate(set, src, &["TUT-urban-acoustic-scenes-2018-development"], "meta.csv")?;
    let fold = |name: &str| PathBuf::from("evaluation_setup").join(format!("fold1_{name}.txt"));
    let labelled = fold("evaluate");
    let test = if root.join(&labelled).is_file() { labelled } else { fold("test") };
    let mut listing = Listing {
        tables: vec!["meta.csv".into(), fold("train"), test.clone()],
        split_rule: "official: fold 1 of the development set".to_string(),
        ..Listing::default()
    };
    let scenes = scenes(&root.join("meta.csv"))?;
    listing.count("clips in meta.csv", 8640, scenes.len());
    let mut seen = BTreeSet::new();
    for (split, table, expected) in [(Split::Train, fold("train"), 6122), (Split::Test, test, 2518)] {
        let path = root.join(&table);
        let rows = fields(&path)?;
        listing.count(format!("clips in {}", table.display()), expected, rows.len());
        for (line, row) in rows {
            let clip = &row[0];
            let Some(scene) = scenes.get(clip) else {
                return Err(DataSetError::bad_row(&path, line, format!("{clip} is not in meta.csv")));
            };
            if row.get(1).is_some_and(|named| named != scene) {
                return Err(DataSetError::bad_row(&path, line, format!("{clip} is {scene} in meta.csv")));
            }
            if !seen.insert(clip.clone()) {
                return Err(DataSetError::bad_row(&path, line, format!("{clip} is listed for the second time")));
            }
            listing.add(root.join(clip), scene, split, &table.display().to_string());
        }
    }
    let unused = scenes.len() - seen.len();
    if unused > 0 {
        listing.remarks.push(format!("{unused} clips of meta.csv are in neither half of the fold and are left out"));
    }
    Ok(listing)
}

/// Scene by file name, `audio/airport-barcelona-0-0-a.wav` to `airport`.
fn scenes(meta: &Path) -> Result<BTreeMap<String, String>> {
    let mut scenes = BTreeMap::new();
    for (line, row) in fields(meta)? {
        let [clip, scene, ..] = row.as_slice() else {
            return Err(DataSetError::bad_row(meta, line, "a file name and a scene separated by a tab are expected"));
        };
        scenes.insert(clip.clone(), scene.clone());
    }
    Ok(scenes)
}

/// The tab-separated fields of every row but the header, which `meta.csv` has and the folds have not.
fn fields(table: &Path) -> Result<Vec<(usize, Vec<String>)>> {
    let mut rows = Vec::new();
    for (line, text) in lines(table)? {
        let row: Vec<String> = text.split('\t').map(|field| field.trim().to_string()).collect();
        if line == 1 && row[0] == "filename" {
            continue;
        }
        if !row[0].ends_with(".wav") {
            return Err(DataSetError::bad_row(table, line, format!("\"{}\" is no name of a .wav file", row[0])));
        }
        rows.push((line, row));
    }
    Ok(rows)
}
