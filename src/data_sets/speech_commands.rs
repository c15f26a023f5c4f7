//! Speech Commands: which word. `<word>/*.wav` of a second, `validation_list.txt` and `testing_list.txt` with lines
//! `yes/0a7c2a8d_nohash_0.wav`; what neither lists is training.
//!
//! The twelve-class task has ten words, everything else as `_unknown_`, and `_silence_`, which is cut from the minutes
//! of `_background_noise_/`. It follows TensorFlow Datasets: a clip of a second every half second, `running_tap.wav`
//! for validation, the test from an archive of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::{files, layout, lines, locate, sub_folders};
use super::{DataSet, DataSetError, Listing, Result, Row};
use crate::audio::{SAMPLE_RATE_HZ, Split, probe_file};

pub(super) const V1_12: DataSet = DataSet {
    name: "speech-commands-v1",
    title: "Speech Commands V1, 12 classes",
    task: "keyword, 12 (ten words, _unknown_, _silence_)",
    download: "speech_commands_v0.01.tar.gz and, for the official 12-class test, speech_commands_test_set_v0.01.tar.gz \
        (from download.tensorflow.org/data/)",
    page: "https://arxiv.org/abs/1804.03209",
    size: "1.5 GB, 18 h, 64,721 clips of 1 s",
    licence: "CC BY 4.0",
    layout: LAYOUT_V1,
    differs: &[
        "The paper's text says 11 classes, its poster 12; this is the 12-class task.",
        "The paper's builder of V1 is not public; the rule here is that of TensorFlow Datasets for V2.",
    ],
    classes: 12,
    multi_label: false,
    read: |set, src| twelve(set, src, "v0.01", [51_088, 6798, 6835], 3081),
};

pub(super) const V2_12: DataSet = DataSet {
    name: "speech-commands-v2-12",
    title: "Speech Commands V2, 12 classes",
    task: "keyword, 12 (ten words, _unknown_, _silence_)",
    download: "speech_commands_v0.02.tar.gz and, for the official 12-class test, speech_commands_test_set_v0.02.tar.gz \
        (from download.tensorflow.org/data/)",
    page: "https://arxiv.org/abs/1804.03209",
    size: "2.5 GB, 29 h, 105,829 clips of 1 s",
    licence: "CC BY 4.0",
    layout: LAYOUT_V2,
    differs: &[
        "Not the task of the paper's table, which has V2 with 35 classes; it is what the paper's public code reads.",
    ],
    classes: 12,
    multi_label: false,
    read: |set, src| twelve(set, src, "v0.02", COUNTS_V2, 4890),
};

pub(super) const V2_35: DataSet = DataSet {
    name: "speech-commands-v2",
    title: "Speech Commands V2, 35 words",
    task: "keyword, 35",
    download: "speech_commands_v0.02.tar.gz (from download.tensorflow.org/data/)",
    page: "https://arxiv.org/abs/1804.03209",
    size: "2.5 GB, 29 h, 105,829 clips of 1 s",
    licence: "CC BY 4.0",
    layout: LAYOUT_V2,
    differs: &[],
    classes: 35,
    multi_label: false,
    read: |set, src| Ok(words(set, src, "v0.02", COUNTS_V2)?.1),
};

const LAYOUT_V1: &[&str] = &[
    "[speech_commands_v0.01/]<word>/*.wav, validation_list.txt, testing_list.txt, _background_noise_/*.wav",
    "speech_commands_test_set_v0.01/<class>/*.wav   (in or beside that folder; may be missing)",
];

const LAYOUT_V2: &[&str] = &[
    "[speech_commands_v0.02/]<word>/*.wav, validation_list.txt, testing_list.txt, _background_noise_/*.wav",
    "speech_commands_test_set_v0.02/<class>/*.wav   (12 classes only; in or beside that folder; may be missing)",
];

/// Clips in training, `validation_list.txt` and `testing_list.txt`.
const COUNTS_V2: [usize; 3] = [84_843, 9981, 11_005];

const WORDS: [&str; 10] = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"];
const UNKNOWN: &str = "_unknown_";
const SILENCE: &str = "_silence_";
const NOISE: &str = "_background_noise_";
const LISTS: [(&str, Split); 2] = [("validation_list.txt", Split::Valid), ("testing_list.txt", Split::Test)];

/// Every word as its own class; also the folder that holds the words.
fn words(set: &DataSet, src: &Path, version: &str, counts: [usize; 3]) -> Result<(PathBuf, Listing)> {
    let name = format!("speech_commands_{version}");
    let root = locate(set, src, &[&name], LISTS[0].0)?;
    let folders: Vec<_> = sub_folders(&root)?.into_iter().filter(|(word, _)| !word.starts_with('_')).collect();
    let folders: Vec<_> = folders.into_iter().filter(|(word, _)| !word.starts_with("speech_commands_")).collect();
    // V1 lacks five of V2's words, and is otherwise laid out alike.
    let second = folders.iter().any(|(word, _)| word == "backward");
    if second != (version == "v0.02") {
        let detail = match second {
            true => "it has a folder backward/, so it is V2, not V1",
            false => "it has no folder backward/, so it is V1, not V2",
        };
        return Err(layout(set, &root, detail));
    }
    let mut listed = BTreeMap::new();
    for (table, split) in LISTS {
        read_list(&root.join(table), split, &mut listed)?;
    }
    let mut listing = Listing {
        tables: LISTS.map(|(table, _)| table.into()).to_vec(),
        split_rule: "official: validation_list.txt and testing_list.txt, the rest is training".to_string(),
        ..Listing::default()
    };
    let of_split = |split| listed.values().filter(|s| **s == split).count();
    let [valid, test] = [of_split(Split::Valid), of_split(Split::Test)];
    for (word, folder) in &folders {
        for (file, path) in files(folder, "wav")? {
            let split = listed.remove(&format!("{word}/{file}")).unwrap_or(Split::Train);
            listing.rows.push(Row::whole(path, word, split));
        }
    }
    for (clip, split) in listed {
        let table = LISTS.iter().find(|(_, s)| *s == split).map_or("", |(table, _)| table);
        listing.leave_out(root.join(clip), format!("listed in {table}, not on disk"));
    }
    listing.count("words", if second { 35 } else { 30 }, folders.len());
    listing.count("training clips of words", counts[0], listing.clips(Split::Train));
    listing.count("clips in validation_list.txt", counts[1], valid);
    listing.count("clips in testing_list.txt", counts[2], test);
    Ok((root, listing))
}

/// Adds the clips of a list file to `listed`, by `word/file.wav`.
fn read_list(table: &Path, split: Split, listed: &mut BTreeMap<String, Split>) -> Result<()> {
    for (line, clip) in lines(table)? {
        let parts: Vec<&str> = clip.split('/').collect();
        if parts.len() != 2 || !clip.ends_with(".wav") {
            return Err(DataSetError::bad_row(table, line, format!("\"{clip}\" is not of the form word/file.wav")));
        }
        if listed.insert(clip.clone(), split).is_some() {
            return Err(DataSetError::bad_row(table, line, format!("{clip} is listed for the second time")));
        }
    }
    Ok(())
}

/// Ten words, `_unknown_` and `_silence_`; `tests` is the number of clips in the test archive.
fn twelve(set: &DataSet, src: &Path, version: &str, counts: [usize; 3], tests: usize) -> Result<Listing> {
    let (root, mut listing) = words(set, src, version, counts)?;
    for row in &mut listing.rows {
        row.labels = vec![class_of(&row.labels[0]).to_string()];
    }
    let name = format!("speech_commands_test_set_{version}");
    let places = [Some(root.join(&name)), root.parent().map(|folder| folder.join(&name))];
    let archive = places.into_iter().flatten().find(|folder| folder.is_dir());
    silence(set, &root, archive.is_none(), &mut listing)?;
    let Some(archive) = archive else {
        listing.split_rule += "; silence by our own rule, as the official test archive is not there: running_tap.wav is \
            validation, of every other noise file the last fifth is the test";
        listing
            .remarks
            .push(format!("for the official test of 12 classes unpack {name}.tar.gz beside {}", root.display()));
        return Ok(listing);
    };
    listing.split_rule = format!(
        "official as in TensorFlow Datasets: test from {name} (testing_list.txt is left out), validation_list.txt and \
         the silence of running_tap.wav for validation, the rest is training"
    );
    listing.rows.retain(|row| row.split != Split::Test);
    listing.left_out.retain(|left| !left.reason.contains(LISTS[1].0));
    let before = listing.rows.len();
    for (class, folder) in sub_folders(&archive)? {
        if !WORDS.contains(&class.as_str()) && class != UNKNOWN && class != SILENCE {
            return Err(layout(set, &archive, format!("{class}/ is none of the 12 classes")));
        }
        let clips = files(&folder, "wav")?;
        listing.rows.extend(clips.into_iter().map(|(_, path)| Row::whole(path, &class, Split::Test)));
    }
    listing.count(format!("clips in {name}"), tests, listing.rows.len() - before);
    Ok(listing)
}

fn class_of(word: &str) -> &str {
    if WORDS.contains(&word) { word } else { UNKNOWN }
}

/// Cuts the noise files into clips of a second that start every half second; with `with_test` the last fifth of each
/// training file is the test, and clips across that border are left out.
fn silence(set: &DataSet, root: &Path, with_test: bool, listing: &mut Listing) -> Result<()> {
    let folder = root.join(NOISE);
    if !folder.is_dir() {
        return Err(layout(set, root, format!("{NOISE}/ is missing, from which silence is cut")));
    }
    let second = u64::from(SAMPLE_RATE_HZ);
    let mut kept = BTreeSet::new();
    for (name, path) in files(&folder, "wav")? {
        let length = match probe_file(&path) {
            Ok(info) => info.samples,
            Err(error) => {
                listing.leave_out(path, error.to_string());
                continue;
            }
        };
        let border = if with_test { length / 5 * 4 } else { length };
        let split_of = |start| match start {
            _ if name == "running_tap.wav" => Some(Split::Valid),
            start if start + second <= border => Some(Split::Train),
            start if start >= border => Some(Split::Test),
            _ => None,
        };
        for start in (0..length.saturating_sub(second)).step_by(SAMPLE_RATE_HZ as usize / 2) {
            let Some(split) = split_of(start) else { continue };
            let part = Some((start as f64 / second as f64, 1.0));
            listing.rows.push(Row { part, ..Row::whole(path.clone(), SILENCE, split) });
        }
        kept.insert(name);
    }
    listing.count("noise files", 6, kept.len());
    Ok(())
}
