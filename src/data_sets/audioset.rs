//! AudioSet: sound events in videos, several labels a clip; mostly for pre-training. Segment tables with lines
//! `-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw,/m/0k4j"`, and whatever clips a person could fetch, named by the video.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::files::{csv_rows, files_below, layout, lines};
use super::{DataSet, DataSetError, Listing, Result, Row};
use crate::audio::Split;

pub(super) const AUDIOSET: DataSet = DataSet {
    name: "audioset",
    title: "AudioSet",
    task: "sound events, 527, several a clip; the paper pre-trains on it without labels",
    download: "balanced_train_segments.csv, unbalanced_train_segments.csv, eval_segments.csv, class_labels_indices.csv; \
        the clips have to be fetched from the videos by yourself",
    page: "https://research.google.com/audioset/download.html",
    size: "2.08 million clips of 10 s, 5,800 h; about 670 GB as 16 kHz mono WAV",
    licence: "tables CC BY 4.0; the audio is of YouTube videos, whose makers keep their rights",
    layout: &[
        "balanced_train_segments.csv, unbalanced_train_segments.csv, eval_segments.csv   (at least one)",
        "class_labels_indices.csv   (may be missing; labels are then codes such as /m/09x0r)",
        "<any folders>/<video>.wav, Y<video>.wav or <video>_<start>[_<end>].wav   (or .flac .mp3 .ogg .opus)",
    ],
    differs: &["Videos vanish: the paper had 2.0 million clips, BYOL-A could fetch 1,963,807, audax 1,785,920."],
    classes: 527,
    multi_label: true,
    read,
};

const TABLES: [(&str, Split); 3] = [
    ("balanced_train_segments.csv", Split::Train),
    ("unbalanced_train_segments.csv", Split::Train),
    ("eval_segments.csv", Split::Test),
];
const NAMES: &str = "class_labels_indices.csv";

/// Letters in the identifier of a video.
const VIDEO_LEN: usize = 11;

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    let mut listing = Listing {
        split_rule: "official: the train tables for training, eval_segments.csv for the test".to_string(),
        ..Listing::default()
    };
    let names = names(src, &mut listing)?;
    let mut segments = Vec::new();
    for (table, split) in TABLES {
        let path = src.join(table);
        if path.is_file() {
            let from = segments.len();
            let stated = read_segments(&path, split, table, &mut segments)?;
            listing.count(
                format!("segments in {table}"),
                stated.unwrap_or(segments.len() - from),
                segments.len() - from,
            );
            listing.tables.push(table.into());
        } else {
            listing.remarks.push(format!("{table} is not there; the manifest is without its clips"));
        }
    }
    if segments.is_empty() {
        return Err(layout(set, src, "none of the three tables of segments is in it"));
    }
    let videos: HashSet<&str> = segments.iter().map(|s| s.video.as_str()).collect();
    let clips = clips(src, &videos)?;
    if clips.is_empty() {
        return Err(layout(set, src, "no clip of a listed video is below it"));
    }
    for segment in &segments {
        let Some(path) = clips.get(segment.video.as_str()) else {
            listing.leave_out(src.join(&segment.video), format!("listed in {}, no file with this name", segment.table));
            continue;
        };
        let named = |code: &String| names.get(code).unwrap_or(code).clone();
        let labels = segment.labels.iter().map(named).collect();
        listing.rows.push(Row { path: path.clone(), labels, split: segment.split, part: None });
    }
    Ok(listing)
}

/// A line of a segment table.
struct Segment {
    video: String,
    labels: Vec<String>,
    split: Split,
    table: &'static str,
}

/// Adds the segments of a table; returns how many its header says that it has.
fn read_segments(path: &Path, split: Split, table: &'static str, segments: &mut Vec<Segment>) -> Result<Option<usize>> {
    let mut stated = None;
    for (line, text) in lines(path)? {
        if let Some(header) = text.strip_prefix('#') {
            let number = header.split("num_segs=").nth(1).and_then(|rest| rest.split(',').next());
            stated = stated.or(number.and_then(|n| n.trim().parse().ok()));
            continue;
        }
        // Fields are quoted behind a space, which CSV readers do not take for a quotation.
        let fields: Vec<&str> = text.splitn(4, ',').map(str::trim).collect();
        let bad = |detail: &str| DataSetError::bad_row(path, line, detail);
        let [video, start, end, labels] = fields[..] else {
            return Err(bad("four fields are expected: video, start, end, \"labels\""));
        };
        let seconds = [start, end].map(str::parse::<f64>);
        if video.chars().count() != VIDEO_LEN || seconds.iter().any(|s| s.is_err()) {
            return Err(bad("a video's identifier of 11 letters and two numbers of seconds are expected"));
        }
        let labels = labels.trim_matches('"').split(',').map(|label| label.trim().to_string());
        segments.push(Segment { video: video.to_string(), labels: labels.collect(), split, table });
    }
    Ok(stated)
}

/// Names of classes by code; empty without the table.
fn names(src: &Path, listing: &mut Listing) -> Result<BTreeMap<String, String>> {
    let table = src.join(NAMES);
    if !table.is_file() {
        listing.remarks.push(format!("{NAMES} is not there; labels are codes"));
        return Ok(BTreeMap::new());
    }
    let rows = csv_rows(&table, ["index", "mid", "display_name"])?;
    listing.count(format!("classes in {NAMES}"), 527, rows.len());
    listing.tables.push(NAMES.into());
    Ok(rows.into_iter().map(|(_, [_, code, name])| (code, name)).collect())
}

/// The clips below `src` by video, of the `videos` listed.
fn clips<'a>(src: &Path, videos: &HashSet<&'a str>) -> Result<HashMap<&'a str, PathBuf>> {
    let mut clips = HashMap::new();
    for path in files_below(src, &["wav", "flac", "mp3", "ogg", "opus"])? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // An identifier may itself begin with Y or hold _, so what is listed decides.
        let candidates = [Some(stem.as_str()), stem.strip_prefix('Y')].into_iter().flatten();
        let video = candidates.filter_map(video_of).find_map(|video| videos.get(video).copied());
        if let Some(video) = video {
            clips.entry(video).or_insert(path);
        }
    }
    Ok(clips)
}

/// The first 11 letters of `video` or `video_start_end`.
fn video_of(stem: &str) -> Option<&str> {
    let video = stem.get(..VIDEO_LEN)?;
    let rest = &stem[VIDEO_LEN..];
    let times = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b == b'_' || b == b'.' || b == b'-');
    (rest.is_empty() || (rest.starts_with(['_', '-']) && times(rest))).then_some(video)
}
