//! DCASE 2018, task 3: is there a bird. Three sets of WAV files, each with a CSV `itemid,datasetid,hasbird`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::{csv_rows, files, files_below, layout};
use super::rules::{hold_out_a_fifth, rule};
use super::{DataSet, DataSetError, Listing, Result, Row};

pub(super) const DCASE2018_BIRDS: DataSet = DataSet {
    name: "dcase2018-birds",
    title: "DCASE 2018 bird audio detection, development sets",
    task: "bird or none, 2",
    download: "ff1010bird_wav.zip, warblrb10k_public_wav.zip, BirdVox-DCASE-20k.zip and the three CSV files of labels",
    page: "https://dcase.community/challenge2018/task-bird-audio-detection",
    size: "about 30 GB, 99 h, 35,690 clips of 10 s",
    licence: "CC BY 4.0; see the page for each set",
    layout: &[
        "ff1010bird_metadata_2018.csv, warblrb10k_public_metadata_2018.csv, BirdVoxDCASE20k_csvpublic.csv",
        "<any folder>/wav/<itemid>.wav   (a folder for each archive, or all in one; one or two sets will do)",
    ],
    differs: &[
        "The challenge's test labels are not public; the paper's split of the development sets is not published, \
        this one is ours, so a score is close to the paper's task but not the same.",
    ],
    classes: 2,
    multi_label: false,
    read,
};

/// The label files and the number of clips in each.
const TABLES: [(&str, usize); 3] = [
    ("ff1010bird_metadata_2018.csv", 7690),
    ("warblrb10k_public_metadata_2018.csv", 8000),
    ("BirdVoxDCASE20k_csvpublic.csv", 20_000),
];

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    let tables = tables(src)?;
    if tables.is_empty() {
        return Err(layout(set, src, format!("no {} nor one of the other two tables is in it", TABLES[0].0)));
    }
    let mut listing = Listing { split_rule: rule("set and class", "their itemid"), ..Listing::default() };
    // Items are named by numbers or random identifiers that do not repeat between the sets.
    let mut audio: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in files_below(src, &["wav"])? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        audio.entry(stem).or_insert(path);
    }
    let mut clips = Vec::new();
    for (name, expected) in TABLES {
        let Some(table) = tables.get(name) else {
            listing.remarks.push(format!("{name} is not there; the manifest is without that set"));
            continue;
        };
        let rows = csv_rows(table, ["itemid", "datasetid", "hasbird"])?;
        listing.count(format!("clips in {name}"), expected, rows.len());
        listing.tables.push(table.strip_prefix(src).unwrap_or(table).to_path_buf());
        for (line, [item, corpus, has_bird]) in rows {
            let class = match has_bird.as_str() {
                "1" => "bird",
                "0" => "none",
                other => return Err(DataSetError::bad_row(table, line, format!("hasbird is \"{other}\", not 0 or 1"))),
            };
            let item = item.trim_end_matches(".wav").to_string();
            clips.push((name, class, format!("{corpus} {class}"), item));
        }
    }
    let keys: Vec<_> = clips.iter().map(|(_, _, stratum, item)| (stratum.clone(), item.clone())).collect();
    for ((table, class, _, item), split) in clips.iter().zip(hold_out_a_fifth(&keys)) {
        match audio.get(item) {
            Some(path) => listing.rows.push(Row::whole(path.clone(), *class, split)),
            None => listing.leave_out(src.join(format!("{item}.wav")), format!("listed in {table}, in no folder")),
        }
    }
    Ok(listing)
}

/// The label files in `src` or in one of its folders, by name.
fn tables(src: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found: BTreeMap<String, PathBuf> = files(src, "csv")?.into_iter().collect();
    for (_, folder) in super::files::sub_folders(src)? {
        for (name, path) in files(&folder, "csv")? {
            found.entry(name).or_insert(path);
        }
    }
    found.retain(|name, _| TABLES.iter().any(|(table, _)| table == name));
    Ok(found)
}
