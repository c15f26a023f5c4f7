//! VoxForge: which of six languages. Submissions `<language>/Trunk/.../<speaker>-<date>-<id>/wav/*.wav`.
//!
//! The split is that of TensorFlow Datasets: the names of all speakers, sorted, shuffled with NumPy's
//! `RandomState(0)`, the first 70 % for training, then 10 % for validation, the rest for the test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::{files_below, key, layout, lines};
use super::numpy::shuffle;
use super::{DataSet, DataSetError, Listing, Result, Row};
use crate::audio::Split;

pub(super) const VOXFORGE: DataSet = DataSet {
    name: "voxforge",
    title: "VoxForge, six languages",
    task: "language, 6 (de en es fr it ru)",
    download: "the archives named in https://storage.googleapis.com/tfds-data/downloads/voxforge/voxforge_urls.txt \
        (wget -i voxforge_urls.txt -x), each unpacked in its place (find . -name '*.tgz' -execdir tar xzf {} \\;)",
    page: "http://www.voxforge.org",
    size: "about 100 GB while unpacking, 176,438 clips",
    licence: "GPL 3",
    layout: &[
        "voxforge_urls.txt   (may be missing; with it the split is exactly that of TensorFlow Datasets)",
        "[www.repository.voxforge1.org/downloads/]<de|en|es|fr|it|ru>/[Trunk/...]<speaker>-<date>-<id>/wav/*.wav",
    ],
    differs: &[
        "HARES counts about 145 thousand clips for this task, BYOL-A 176 thousand; which version the paper used is \
        not known.",
    ],
    classes: 6,
    multi_label: false,
    read,
};

const LIST: &str = "voxforge_urls.txt";
const LANGUAGES: [&str; 6] = ["de", "en", "es", "fr", "it", "ru"];

/// Submissions of this day and later are not in TensorFlow Datasets' version.
const FIRST_DATE_LEFT_OUT: &str = "20200101";

/// Clips by submission, `en/Aaron-20080318-kdl`: the folder that one archive unpacks to, with its language, as random
/// names may occur in two languages.
type Submissions = BTreeMap<String, Vec<PathBuf>>;

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    let mut listing = Listing::default();
    let mut found = submissions(src, &mut listing)?;
    if found.is_empty() {
        let archives = files_below(src, &["tgz"])?.len();
        let detail = match archives {
            0 => "no <language>/.../<speaker>-<date>-<id>/wav/*.wav is in it".to_string(),
            n => format!(
                "it holds {n} archives but no WAV; unpack them (find . -name '*.tgz' -execdir tar xzf {{}} \\;)"
            ),
        };
        return Err(layout(set, src, detail));
    }
    let table = src.join(LIST);
    if table.is_file() {
        let listed = listed(&table)?;
        let extra = found.len();
        found.retain(|name, _| listed.contains_key(name));
        if found.len() < extra {
            listing.remarks.push(format!("{} submissions are not in {LIST} and are left out", extra - found.len()));
        }
        for (name, url) in &listed {
            if !found.contains_key(name) {
                listing.leave_out(src.join(url), format!("listed in {LIST}, not unpacked on disk"));
            }
        }
        assign(listed.keys(), &found, &mut listing);
        listing.tables.push(LIST.into());
        listing.split_rule =
            "that of TensorFlow Datasets: by speaker, 70/10/20 %, over the speakers of voxforge_urls.txt, \
            sorted, shuffled with NumPy's RandomState(0)"
                .to_string();
    } else {
        let before = found.len();
        found.retain(|name, _| date(name).is_none_or(|date| date < FIRST_DATE_LEFT_OUT));
        if found.len() < before {
            let late = before - found.len();
            listing
                .remarks
                .push(format!("{late} submissions of 2020 and later are left out, as in TensorFlow Datasets"));
        }
        assign(found.keys(), &found, &mut listing);
        listing.split_rule = "the rule of TensorFlow Datasets (by speaker, 70/10/20 %, sorted, shuffled with NumPy's \
            RandomState(0)) over the speakers found; the same split only if they are the same speakers, for which put \
            voxforge_urls.txt into the folder"
            .to_string();
    }
    listing.count("clips", 176_438, listing.rows.len());
    Ok(listing)
}

/// Every submission below `src`; the language is the folder above `Trunk`, or the nearest one that is called like one.
fn submissions(src: &Path, listing: &mut Listing) -> Result<Submissions> {
    let mut found = Submissions::new();
    let mut strange = BTreeSet::new();
    for path in files_below(src, &["wav"])? {
        let below = key(src, &path);
        let folders: Vec<&str> = below.split('/').rev().skip(1).collect();
        let folders = if folders.first() == Some(&"wav") { &folders[1..] } else { &folders[..] };
        let Some((name, above)) = folders.split_first() else { continue };
        let language = match above.iter().position(|folder| *folder == "Trunk") {
            Some(trunk) => above.get(trunk + 1),
            None => above.iter().find(|folder| LANGUAGES.contains(folder)),
        };
        match language {
            Some(language) if LANGUAGES.contains(language) => {
                found.entry(format!("{language}/{name}")).or_default().push(path);
            }
            other => {
                strange.insert(other.or(above.last()).unwrap_or(name).to_string());
            }
        }
    }
    if !strange.is_empty() {
        let names = strange.into_iter().collect::<Vec<_>>().join(", ");
        listing.remarks.push(format!("left out, as none of the six languages: {names}"));
    }
    Ok(found)
}

/// The URLs of the list by submission, `.../en/Trunk/Audio/Main/16kHz_16bit/Aaron-20080318-kdl.tgz` by
/// `en/Aaron-20080318-kdl`.
fn listed(table: &Path) -> Result<BTreeMap<String, String>> {
    let mut listed = BTreeMap::new();
    for (line, text) in lines(table)? {
        let url = text.replace(['"', '\''], "");
        let name = url.rsplit('/').next().and_then(|file| file.strip_suffix(".tgz"));
        let language = url.split("/Trunk/").next().and_then(|folders| folders.rsplit('/').next());
        let (Some(name), Some(language)) = (name, language.filter(|language| LANGUAGES.contains(language))) else {
            let detail = format!("\"{url}\" is not of the form .../<language>/Trunk/.../<name>.tgz");
            return Err(DataSetError::bad_row(table, line, detail));
        };
        listed.insert(format!("{language}/{name}"), url.clone());
    }
    Ok(listed)
}

/// Splits the speakers of `all` and adds the clips of what was found.
fn assign<'a>(all: impl Iterator<Item = &'a String>, found: &Submissions, listing: &mut Listing) {
    let speakers: BTreeSet<String> = all.map(|submission| speaker(submission)).collect();
    let splits = split_speakers(speakers.into_iter().collect());
    for (submission, clips) in found {
        let split = splits[&speaker(submission)];
        let language = &submission[..2];
        listing.rows.extend(clips.iter().map(|path| Row::whole(path.clone(), language, split)));
    }
    let of = |split| splits.values().filter(|s| **s == split).count();
    let [train, valid, test] = [Split::Train, Split::Valid, Split::Test].map(of);
    listing.remarks.push(format!("speakers: {train} for training, {valid} for validation, {test} for the test"));
}

/// The split of each speaker; `speakers` are sorted.
fn split_speakers(mut speakers: Vec<String>) -> BTreeMap<String, Split> {
    shuffle(&mut speakers, 0);
    // The sums are those of the original, rounding errors included: 0.7 and 0.7 + 0.1 = 0.7999999999999999.
    let bound = |share: f64| (share * speakers.len() as f64) as usize;
    let (train, valid) = (bound(0.7), bound(0.7 + 0.1));
    let split = |i| match i {
        i if i < train => Split::Train,
        i if i < valid => Split::Valid,
        _ => Split::Test,
    };
    speakers.into_iter().enumerate().map(|(i, speaker)| (speaker, split(i))).collect()
}

/// What stands before the first hyphen of the archive's name, which without one is the whole name.
fn speaker(submission: &str) -> String {
    let name = submission.split_once('/').map_or(submission, |(_language, name)| name);
    name.split_once('-').map_or_else(|| format!("{name}.tgz"), |(speaker, _)| speaker.to_string())
}

/// The date in `en/speaker-20080318-kdl`, where there is one.
fn date(submission: &str) -> Option<&str> {
    submission.split('-').find(|part| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_are_split_as_tensorflow_datasets_does() {
        // Python: g = [f'spk{i:02d}' for i in range(10)]; numpy.random.RandomState(0).shuffle(g); g[:7], g[7:7], g[7:]
        // with the bounds int(0.7 * 10) = 7 and int((0.7 + 0.1) * 10) = 7, so nobody is left for validation.
        let splits = split_speakers((0..10).map(|i| format!("spk{i:02}")).collect());
        let of = |split| splits.iter().filter(|(_, s)| **s == split).map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(of(Split::Train), ["spk01", "spk02", "spk04", "spk06", "spk07", "spk08", "spk09"]);
        assert!(of(Split::Valid).is_empty());
        assert_eq!(of(Split::Test), ["spk00", "spk03", "spk05"]);
    }
}
